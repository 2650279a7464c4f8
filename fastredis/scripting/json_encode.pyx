"""cjson.encode: Lua values to JSON. The design comment is in cjson.pxd.

The text is written into vm.buffer. No Lua function is called meanwhile: metatables are not looked at.
"""
from libc.limits cimport INT_MAX, INT_MIN
from libc.math cimport floor, isinf, isnan
from libc.stdint cimport int64_t, uint64_t
from libc.string cimport memcpy

from fastredis.ds.native cimport ctz64
from fastredis.ds.numbers cimport DOUBLE_TEXT, format_general
from fastredis.scripting.json_settings cimport INVALID_NULL, INVALID_OFF, Settings, settings_of
from fastredis.scripting.lua_api cimport (
    LUA_TBOOLEAN, LUA_TLIGHTUSERDATA, LUA_TNIL, LUA_TNUMBER, LUA_TSTRING, LUA_TTABLE, lua, lua_pop,
)
from fastredis.scripting.vm cimport Vm, buffer_room, vm_of

cdef extern from *:
    """
    #include <stdint.h>
    #include <string.h>
    #if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
    #error "the first byte of a word has to be its lowest"
    #endif

    #define FR_EACH(byte) (0x0101010101010101ull * (byte))
    #define FR_ZEROS(word) (((word) - FR_EACH(0x01)) & ~(word) & FR_EACH(0x80))

    /* Of eight bytes the first that JSON has to escape, as its highest bit in the word; bits above may be wrong. */
    static inline uint64_t fr_escaped(uint64_t word) {
        return (((word - FR_EACH(0x20)) & ~word) & FR_EACH(0x80))
            | FR_ZEROS(word ^ FR_EACH('"')) | FR_ZEROS(word ^ FR_EACH('\\\\'))
            | FR_ZEROS(word ^ FR_EACH('/')) | FR_ZEROS(word ^ FR_EACH(0x7f));
    }
    """
    uint64_t fr_escaped(uint64_t word) noexcept nogil

cdef enum:
    STRETCH = 1024                  # bytes of a string for whose worst case room is made at once
    ESCAPE_TEXT = 6                 # of the longest

cdef const char* HEX = b"0123456789abcdef"
cdef const char* SHORT_ESCAPES = b"btn-fr"      # from 8 on


# ---------------------------------------------------------------- writing

cdef inline void put(lua_State* L, Vm* vm, char c) noexcept nogil:
    buffer_room(L, vm, 1)[0] = c
    vm.buffer.size += 1


cdef inline void put_word(lua_State* L, Vm* vm, const char* text, size_t size) noexcept nogil:
    memcpy(buffer_room(L, vm, size), text, size)
    vm.buffer.size += size


cdef inline char* write_escape(char* out, unsigned char c) noexcept nogil:
    """Write the escape of a character, if it has one, else itself -> where it ends."""
    if 0x20 <= c != 0x7f:
        if c == c'"' or c == c"\\" or c == c"/":
            out[0] = c"\\"
            out += 1
        out[0] = <char>c
        return out + 1
    out[0] = c"\\"
    if 8 <= c <= 13 and c != 11:
        out[1] = SHORT_ESCAPES[c - 8]
        return out + 2
    memcpy(out + 1, b"u00", 3)
    out[4] = HEX[c >> 4]
    out[5] = HEX[c & 15]
    return out + ESCAPE_TEXT


cdef inline char* write_stretch(char* out, const char* text, size_t size) noexcept nogil:
    """Write a part of a string, escaped. There is room for eight bytes more than the worst case."""
    cdef uint64_t word, escaped
    cdef size_t i = 0, n

    while i + 8 <= size:
        memcpy(&word, text + i, 8)
        memcpy(out, &word, 8)
        escaped = fr_escaped(word)
        if escaped == 0:
            i += 8
            out += 8
            continue
        n = ctz64(escaped) >> 3
        out = write_escape(out + n, <unsigned char>text[i + n])
        i += n + 1
    while i < size:
        out = write_escape(out, <unsigned char>text[i])
        i += 1
    return out


cdef void encode_string(lua_State* L, Vm* vm, int index) noexcept nogil:
    cdef size_t size, piece
    cdef const char* text = lua.tolstring(L, index, &size)
    cdef char* out

    put(L, vm, c'"')
    while size:
        piece = min(size, <size_t>STRETCH)
        out = buffer_room(L, vm, piece * ESCAPE_TEXT + 8)
        vm.buffer.size = write_stretch(out, text, piece) - vm.buffer.data
        text += piece
        size -= piece
    put(L, vm, c'"')


cdef void fail(lua_State* L, int index, const char* reason) noexcept nogil:
    lua.L_error(L, b"Cannot serialise %s: %s", lua.typename(L, lua.type(L, index)), reason)


cdef void encode_number(lua_State* L, Vm* vm, const Settings* settings, int index) noexcept nogil:
    cdef double n = lua.tonumber(L, index)

    if isinf(n) or isnan(n):
        if settings.encode_invalid == INVALID_OFF:
            fail(L, index, b"must not be NaN or Inf")
            return
        if settings.encode_invalid == INVALID_NULL:
            put_word(L, vm, b"null", 4)
            return
        if isnan(n):
            put_word(L, vm, b"nan", 3)
            return
    vm.buffer.size += format_general(buffer_room(L, vm, DOUBLE_TEXT), n, settings.precision)


# ---------------------------------------------------------------- tables

cdef int array_length(lua_State* L, const Settings* settings) noexcept nogil:
    """The greatest index if the table on top of the stack is an array; 0 or less: it is an object."""
    cdef int most = 0
    cdef int64_t items = 0
    cdef double k

    lua.pushnil(L)
    while lua.next(L, -2):
        k = lua.tonumber(L, -2) if lua.type(L, -2) == LUA_TNUMBER else 0
        if not (k >= 1 and floor(k) == k):
            lua_pop(L, 2)
            return -1
        if k > most:
            # An index beyond an int is the least int in Redis on x86: it makes an object of the table, or is forgotten.
            most = <int>k if k <= INT_MAX else INT_MIN
        items += 1
        lua_pop(L, 1)
    if settings.sparse_ratio > 0 and most > items * settings.sparse_ratio and most > settings.sparse_safe:
        if not settings.sparse_convert:
            fail(L, -1, b"excessively sparse array")
        return -1
    return most


cdef void encode_array(lua_State* L, Vm* vm, const Settings* settings, int length, int depth) noexcept nogil:
    cdef int i

    put(L, vm, c"[")
    for i in range(1, length + 1):
        if i > 1:
            put(L, vm, c",")
        lua.rawgeti(L, -1, i)
        encode_value(L, vm, settings, depth)
        lua_pop(L, 1)
    put(L, vm, c"]")


cdef void encode_object(lua_State* L, Vm* vm, const Settings* settings, int depth) noexcept nogil:
    cdef bint first = True
    cdef int type

    put(L, vm, c"{")
    lua.pushnil(L)
    while lua.next(L, -2):
        if not first:
            put(L, vm, c",")
        first = False
        type = lua.type(L, -2)
        if type == LUA_TSTRING:
            encode_string(L, vm, -2)
        elif type == LUA_TNUMBER:
            put(L, vm, c'"')
            encode_number(L, vm, settings, -2)
            put(L, vm, c'"')
        else:
            fail(L, -2, b"table key must be a number or string")
            return
        put(L, vm, c":")
        encode_value(L, vm, settings, depth)
        lua_pop(L, 1)
    put(L, vm, c"}")


cdef void encode_table(lua_State* L, Vm* vm, const Settings* settings, int depth) noexcept nogil:
    cdef int length

    if depth > settings.encode_max_depth or not lua.checkstack(L, 3):
        lua.L_error(L, b"Cannot serialise, excessive nesting (%d)", depth)
        return
    length = array_length(L, settings)
    if length > 0:
        encode_array(L, vm, settings, length, depth)
    else:
        encode_object(L, vm, settings, depth)


cdef void encode_value(lua_State* L, Vm* vm, const Settings* settings, int depth) noexcept nogil:
    """Write what is on top of the stack, which stays there, inside of `depth` tables.

    Recursive; how deep is limited by the settings, and by the slots of Lua's stack, 8000 for one C function.
    """
    cdef int type = lua.type(L, -1)

    if type == LUA_TSTRING:
        encode_string(L, vm, -1)
    elif type == LUA_TNUMBER:
        encode_number(L, vm, settings, -1)
    elif type == LUA_TTABLE:
        encode_table(L, vm, settings, depth + 1)
    elif type == LUA_TBOOLEAN:
        if lua.toboolean(L, -1):
            put_word(L, vm, b"true", 4)
        else:
            put_word(L, vm, b"false", 5)
    elif type == LUA_TNIL or (type == LUA_TLIGHTUSERDATA and lua.touserdata(L, -1) is NULL):
        put_word(L, vm, b"null", 4)
    else:
        fail(L, -1, b"type not supported")


cdef int json_encode(lua_State* L) noexcept nogil:
    cdef Vm* vm = vm_of(L)

    if lua.gettop(L) != 1:
        return lua.L_argerror(L, 1, b"expected 1 argument")
    vm.buffer.size = 0
    encode_value(L, vm, settings_of(L), 0)
    lua.pushlstring(L, vm.buffer.data, vm.buffer.size)
    return 1
