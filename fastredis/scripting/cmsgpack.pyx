"""The library `cmsgpack`. The design comment is in cmsgpack.pxd.

Packing writes into vm.buffer. Unpacking reads through a Cursor, which is told when the text was too short or wrong; the
error is raised at the end. Text that claims to hold a large array is not believed: room is made for as many items as it
has bytes.
"""
from libc.limits cimport INT_MAX
from libc.stdint cimport int8_t, int16_t, int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy

from fastredis.ds.native cimport bswap32, bswap64, unlikely
from fastredis.scripting.lua_api cimport (
    LUA_TBOOLEAN, LUA_TNUMBER, LUA_TSTRING, LUA_TTABLE, lua, lua_pop, set_field, set_function,
)
from fastredis.scripting.vm cimport Vm, buffer_room, vm_of

cdef extern from *:
    """
    #if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
    #error "numbers are swapped, so that their highest byte comes first"
    #endif
    """
    uint16_t bswap16 "__builtin_bswap16"(uint16_t x) noexcept nogil

cdef enum:
    MAX_NESTING = 16
    MOST_RESERVED = 65536           # items that a table gets room for before they are there

    NIL = 0xc0
    FALSE_ = 0xc2
    TRUE_ = 0xc3
    FLOAT32 = 0xca
    FLOAT64 = 0xcb
    UINT8 = 0xcc
    UINT16 = 0xcd
    UINT32 = 0xce
    UINT64 = 0xcf
    INT8 = 0xd0
    INT16 = 0xd1
    INT32 = 0xd2
    INT64 = 0xd3
    STR8 = 0xd9
    STR16 = 0xda
    STR32 = 0xdb
    ARRAY16 = 0xdc
    ARRAY32 = 0xdd
    MAP16 = 0xde
    MAP32 = 0xdf
    FIXMAP = 0x80
    FIXARRAY = 0x90
    FIXSTR = 0xa0
    FIXNEGATIVE = 0xe0

cdef enum CursorError:
    GOOD
    TOO_SHORT
    BAD_FORMAT

cdef struct Cursor:
    const uint8_t* at
    size_t left
    CursorError error


# ---------------------------------------------------------------- packing

cdef inline void put8(lua_State* L, Vm* vm, int type, uint8_t v) noexcept nogil:
    """A byte that says what follows, and a number of one byte."""
    cdef uint8_t* out = <uint8_t*>buffer_room(L, vm, 2)

    out[0] = <uint8_t>type
    out[1] = v
    vm.buffer.size += 2


cdef inline void put16(lua_State* L, Vm* vm, int type, uint16_t v) noexcept nogil:
    cdef uint8_t* out = <uint8_t*>buffer_room(L, vm, 3)

    out[0] = <uint8_t>type
    v = bswap16(v)
    memcpy(out + 1, &v, 2)
    vm.buffer.size += 3


cdef inline void put32(lua_State* L, Vm* vm, int type, uint32_t v) noexcept nogil:
    cdef uint8_t* out = <uint8_t*>buffer_room(L, vm, 5)

    out[0] = <uint8_t>type
    v = bswap32(v)
    memcpy(out + 1, &v, 4)
    vm.buffer.size += 5


cdef inline void put64(lua_State* L, Vm* vm, int type, uint64_t v) noexcept nogil:
    cdef uint8_t* out = <uint8_t*>buffer_room(L, vm, 9)

    out[0] = <uint8_t>type
    v = bswap64(v)
    memcpy(out + 1, &v, 8)
    vm.buffer.size += 9


cdef inline void put_byte(lua_State* L, Vm* vm, int v) noexcept nogil:
    buffer_room(L, vm, 1)[0] = <char>v
    vm.buffer.size += 1


cdef void pack_string(lua_State* L, Vm* vm) noexcept nogil:
    cdef size_t size
    cdef const char* text = lua.tolstring(L, -1, &size)

    if size < 32:
        put_byte(L, vm, FIXSTR | <int>size)
    elif size <= 0xff:
        put8(L, vm, STR8, <uint8_t>size)
    elif size <= 0xffff:
        put16(L, vm, STR16, <uint16_t>size)
    else:
        put32(L, vm, STR32, <uint32_t>size)
    memcpy(buffer_room(L, vm, size), text, size)
    vm.buffer.size += size


cdef void pack_integer(lua_State* L, Vm* vm, int64_t n) noexcept nogil:
    """The shortest form that holds it."""
    if -32 <= n <= 127:
        put_byte(L, vm, <int>n)
    elif n >= 0:
        if n <= 0xff:
            put8(L, vm, UINT8, <uint8_t>n)
        elif n <= 0xffff:
            put16(L, vm, UINT16, <uint16_t>n)
        elif n <= <int64_t>0xffffffff:
            put32(L, vm, UINT32, <uint32_t>n)
        else:
            put64(L, vm, UINT64, <uint64_t>n)
    elif n >= -0x80:
        put8(L, vm, INT8, <uint8_t>n)
    elif n >= -0x8000:
        put16(L, vm, INT16, <uint16_t>n)
    elif n >= -<int64_t>0x80000000:
        put32(L, vm, INT32, <uint32_t>n)
    else:
        put64(L, vm, INT64, <uint64_t>n)


cdef void pack_number(lua_State* L, Vm* vm) noexcept nogil:
    cdef double n = lua.tonumber(L, -1)
    cdef float short_n
    cdef uint32_t short_word
    cdef uint64_t word

    if -9223372036854775808.0 <= n < 9223372036854775808.0 and <double><int64_t>n == n:
        pack_integer(L, vm, <int64_t>n)
        return
    short_n = <float>n
    if n == <double>short_n:
        memcpy(&short_word, &short_n, 4)
        put32(L, vm, FLOAT32, short_word)
    else:
        memcpy(&word, &n, 8)
        put64(L, vm, FLOAT64, word)


cdef int array_length(lua_State* L, int* count) noexcept nogil:
    """The number of items if the keys of the table on top of the stack are 1 to n, else -1; and that of keys."""
    cdef int most = 0
    cdef double n
    cdef bint array = True

    count[0] = 0
    lua.pushnil(L)
    while lua.next(L, -2):
        lua_pop(L, 1)
        count[0] += 1
        if not array:
            continue
        n = lua.tonumber(L, -1) if lua.type(L, -1) == LUA_TNUMBER else 0
        array = 0 < n <= INT_MAX and <double><int>n == n
        if n > most and array:
            most = <int>n
    return most if array and most == count[0] else -1


cdef void pack_table(lua_State* L, Vm* vm, int level) noexcept nogil:
    cdef int count, length, i

    lua.L_checkstack(L, 3, b"in function mp_encode_lua_table")
    length = array_length(L, &count)
    if count <= 15:
        put_byte(L, vm, (FIXARRAY if length >= 0 else FIXMAP) | count)
    elif count <= 0xffff:
        put16(L, vm, ARRAY16 if length >= 0 else MAP16, <uint16_t>count)
    else:
        put32(L, vm, ARRAY32 if length >= 0 else MAP32, <uint32_t>count)
    if length >= 0:
        for i in range(1, length + 1):
            lua.rawgeti(L, -1, i)
            pack_value(L, vm, level + 1)
            lua_pop(L, 1)
        return
    lua.pushnil(L)
    while lua.next(L, -2):
        lua.pushvalue(L, -2)
        pack_value(L, vm, level + 1)
        lua_pop(L, 1)
        pack_value(L, vm, level + 1)
        lua_pop(L, 1)


cdef void pack_value(lua_State* L, Vm* vm, int level) noexcept nogil:
    """Pack what is on top of the stack, which stays there. Recursive, at most MAX_NESTING deep."""
    cdef int type = lua.type(L, -1)

    if type == LUA_TSTRING:
        pack_string(L, vm)
    elif type == LUA_TNUMBER:
        pack_number(L, vm)
    elif type == LUA_TTABLE and level < MAX_NESTING:
        pack_table(L, vm, level)
    elif type == LUA_TBOOLEAN:
        put_byte(L, vm, TRUE_ if lua.toboolean(L, -1) else FALSE_)
    else:
        put_byte(L, vm, NIL)


cdef int msgpack_pack(lua_State* L) noexcept nogil:
    cdef Vm* vm = vm_of(L)
    cdef int count = lua.gettop(L), i

    if count == 0:
        return lua.L_argerror(L, 0, b"MessagePack pack needs input.")
    lua.L_checkstack(L, 1, b"in function mp_check")
    vm.buffer.size = 0
    for i in range(1, count + 1):
        lua.pushvalue(L, i)
        pack_value(L, vm, 0)
        lua_pop(L, 1)
    lua.pushlstring(L, vm.buffer.data, vm.buffer.size)
    return 1


# ---------------------------------------------------------------- unpacking

cdef inline const uint8_t* take(Cursor* c, size_t size) noexcept nogil:
    """The next bytes, which are passed; NULL and an error if there are not as many."""
    cdef const uint8_t* at = c.at

    if unlikely(size > c.left):
        c.error = TOO_SHORT
        return NULL
    c.at += size
    c.left -= size
    return at


cdef uint64_t take_number(Cursor* c, int size) noexcept nogil:
    """A number of that many bytes, the highest first; 0 if there is none."""
    cdef const uint8_t* at = take(c, size)
    cdef uint64_t v = 0
    cdef int i

    if at is NULL:
        return 0
    for i in range(size):
        v = v << 8 | at[i]
    return v


cdef void unpack_string(lua_State* L, Cursor* c, size_t size) noexcept nogil:
    cdef const uint8_t* text

    if c.error == GOOD:
        text = take(c, size)
        if text is not NULL:
            lua.pushlstring(L, <const char*>text, size)


cdef void unpack_array(lua_State* L, Cursor* c, size_t length) noexcept nogil:
    cdef size_t i

    if c.error != GOOD:
        return
    lua.createtable(L, <int>min(length, c.left, <size_t>MOST_RESERVED), 0)
    lua.L_checkstack(L, 1, b"in function mp_decode_to_lua_array")
    for i in range(length):
        unpack_value(L, c)
        if c.error != GOOD:
            return
        lua.rawseti(L, -2, <int>i + 1)


cdef void unpack_map(lua_State* L, Cursor* c, size_t length) noexcept nogil:
    cdef size_t _i

    if c.error != GOOD:
        return
    lua.createtable(L, 0, <int>min(length, c.left // 2, <size_t>MOST_RESERVED))
    for _i in range(length):
        unpack_value(L, c)
        if c.error == GOOD:
            unpack_value(L, c)
        if c.error != GOOD:
            return
        lua.rawset(L, -3)


cdef void unpack_float(lua_State* L, Cursor* c, int size) noexcept nogil:
    cdef uint64_t word = take_number(c, size)
    cdef uint32_t short_word = <uint32_t>word
    cdef float short_n
    cdef double n

    if size == 4:
        memcpy(&short_n, &short_word, 4)
        n = short_n
    else:
        memcpy(&n, &word, 8)
    lua.pushnumber(L, n)


cdef void unpack_typed(lua_State* L, Cursor* c, int type) noexcept nogil:
    """Unpack what a byte from 0xc0 to 0xdf begins. After an error the stack may hold a value more or less."""
    if type == NIL:
        lua.pushnil(L)
    elif type == TRUE_ or type == FALSE_:
        lua.pushboolean(L, type == TRUE_)
    elif UINT8 <= type <= UINT64:
        # Redis takes a number that needs all 64 bits for a negative one.
        lua.pushnumber(L, <double><int64_t>take_number(c, 1 << (type - UINT8)))
    elif type == INT8:
        lua.pushnumber(L, <int8_t>take_number(c, 1))
    elif type == INT16:
        lua.pushnumber(L, <int16_t>take_number(c, 2))
    elif type == INT32:
        lua.pushnumber(L, <int32_t>take_number(c, 4))
    elif type == INT64:
        lua.pushnumber(L, <double><int64_t>take_number(c, 8))
    elif type == FLOAT32 or type == FLOAT64:
        unpack_float(L, c, 4 if type == FLOAT32 else 8)
    elif STR8 <= type <= STR32:
        unpack_string(L, c, take_number(c, 1 << (type - STR8)))
    elif type == ARRAY16 or type == ARRAY32:
        unpack_array(L, c, take_number(c, 2 if type == ARRAY16 else 4))
    elif type == MAP16 or type == MAP32:
        unpack_map(L, c, take_number(c, 2 if type == MAP16 else 4))
    else:
        c.error = BAD_FORMAT


cdef void unpack_value(lua_State* L, Cursor* c) noexcept nogil:
    """Push the next value. Recursive; how deep is limited by the slots of Lua's stack, 8000 for one C function."""
    cdef const uint8_t* at = take(c, 1)
    cdef int type

    if at is NULL:
        return
    type = at[0]
    lua.L_checkstack(L, 1, b"too many return values at once; use unpack_one or unpack_limit instead.")
    if type < FIXMAP:
        lua.pushnumber(L, type)
    elif type >= FIXNEGATIVE:
        lua.pushnumber(L, <int8_t>type)
    elif type < FIXARRAY:
        unpack_map(L, c, type & 15)
    elif type < FIXSTR:
        unpack_array(L, c, type & 15)
    elif type < NIL:
        unpack_string(L, c, type & 31)
    else:
        unpack_typed(L, c, type)


cdef int unpack_some(lua_State* L, ssize_t limit, ssize_t offset) noexcept nogil:
    """Push where the rest begins and up to `limit` values of the text in slot 1; with two zeros, all values only."""
    cdef size_t size
    cdef const char* text = lua.L_checklstring(L, 1, &size)
    cdef bint all_of_it = limit == 0 and offset == 0
    cdef Cursor c
    cdef int count = 0

    if offset < 0 or limit < 0:
        # Redis gives the length where it says limit.
        return lua.L_error(L, b"Invalid request to unpack with offset of %d and limit of %d.", <int>offset, <int>size)
    if <size_t>offset > size:
        return lua.L_error(L, b"Start offset %d greater than input length %d.", <int>offset, <int>size)
    lua.settop(L, 1)
    if all_of_it:
        limit = INT_MAX
    c.at = <const uint8_t*>text + offset
    c.left = size - offset
    c.error = GOOD
    while c.left and count < limit:
        unpack_value(L, &c)
        if c.error == TOO_SHORT:
            return lua.L_error(L, b"Missing bytes in input.")
        if c.error == BAD_FORMAT:
            return lua.L_error(L, b"Bad data format in input.")
        count += 1
    if all_of_it:
        return count
    lua.L_checkstack(L, 1, b"in function mp_unpack_full")
    lua.pushnumber(L, -1 if c.left == 0 else <double>(size - c.left))
    lua.insert(L, 2)
    return count + 1


cdef int msgpack_unpack(lua_State* L) noexcept nogil:
    return unpack_some(L, 0, 0)


cdef int msgpack_unpack_one(lua_State* L) noexcept nogil:
    return unpack_some(L, 1, lua.L_optinteger(L, 2, 0))


cdef int msgpack_unpack_limit(lua_State* L) noexcept nogil:
    cdef ssize_t limit = lua.L_checkinteger(L, 2)

    return unpack_some(L, limit, lua.L_optinteger(L, 3, 0))


# ---------------------------------------------------------------- the table

cdef void open_cmsgpack(lua_State* L) noexcept nogil:
    lua.createtable(L, 0, 8)
    set_function(L, b"pack", msgpack_pack)
    set_function(L, b"unpack", msgpack_unpack)
    set_function(L, b"unpack_one", msgpack_unpack_one)
    set_function(L, b"unpack_limit", msgpack_unpack_limit)
    lua.pushstring(L, b"cmsgpack")
    set_field(L, -2, b"_NAME")
    lua.pushstring(L, b"lua-cmsgpack 0.4.0")
    set_field(L, -2, b"_VERSION")
