"""The library `struct`. The design comment is in struct_pack.pxd."""
from libc.limits cimport INT_MAX
from libc.stdint cimport int64_t, uint8_t, uint64_t
from libc.string cimport memchr, memcpy, memset

from fastredis.scripting.lua_api cimport lua, lua_pop, set_function
from fastredis.scripting.vm cimport Vm, buffer_room, vm_of

cdef extern from *:
    """
    #if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
    #error "what is in the machine's order is in little endian"
    #endif
    """

cdef enum:
    MOST_INTEGER = 32           # bytes of an integer
    MOST_ALIGN = 8              # of "!" without a number

cdef struct Format:
    const char* at              # the next option
    bint big                    # endian
    int align                   # at most
    int option                  # the current one
    size_t size                 # its size
    size_t position             # in the record

cdef const char* INTEGERS = b"bBhHlLTiI"


cdef inline bint is_digit(char c) noexcept nogil:
    return c"0" <= c <= c"9"


cdef inline bint is_integer(int option) noexcept nogil:
    return option and memchr(INTEGERS, option, 9) is not NULL


cdef int number_behind(lua_State* L, Format* f, int otherwise) noexcept nogil:
    """The number that follows an option."""
    cdef int n = 0

    if not is_digit(f.at[0]):
        return otherwise
    while is_digit(f.at[0]):
        if n > INT_MAX // 10 or n * 10 > INT_MAX - (f.at[0] - c"0"):
            lua.L_error(L, b"integral size overflow")
            return 0
        n = n * 10 + (f.at[0] - c"0")
        f.at += 1
    return n


cdef size_t option_size(lua_State* L, Format* f) noexcept nogil:
    """Bytes that the current option takes; 0 if it takes none, or that is not known yet."""
    cdef int size

    if f.option == c"b" or f.option == c"B" or f.option == c"x":
        return 1
    if f.option == c"h" or f.option == c"H":
        return 2
    if f.option == c"l" or f.option == c"L" or f.option == c"T" or f.option == c"d":
        return 8
    if f.option == c"f":
        return 4
    if f.option == c"c":
        return number_behind(L, f, 1)
    if f.option == c"i" or f.option == c"I":
        size = number_behind(L, f, 4)
        if size > MOST_INTEGER:
            lua.L_error(L, b"integral size %d is larger than limit of %d", size, MOST_INTEGER)
        return size
    return 0


cdef size_t next_option(lua_State* L, Format* f) noexcept nogil:
    """Go to the next option -> bytes in front of it that align it."""
    cdef size_t size

    f.option = f.at[0]
    f.at += 1
    f.size = option_size(L, f)
    if f.size == 0 or f.option == c"c":
        return 0
    size = min(f.size, <size_t>f.align)
    return (size - (f.position & (size - 1))) & (size - 1)


cdef void control(lua_State* L, Format* f) noexcept nogil:
    """Do what an option says that stands for nothing in the record."""
    if f.option == c" ":
        return
    if f.option == c">" or f.option == c"<":
        f.big = f.option == c">"
    elif f.option == c"!":
        f.align = number_behind(L, f, MOST_ALIGN)
        if f.align <= 0 or f.align & (f.align - 1):
            lua.L_error(L, b"alignment %d is not a power of 2", f.align)
    else:
        lua.L_argerror(L, 1, lua.pushfstring(L, b"invalid format option '%c'", f.option))


cdef void begin(lua_State* L, Format* f) noexcept nogil:
    f.at = lua.L_checklstring(L, 1, NULL)
    f.big = False
    f.align = 1
    f.position = 0


# ---------------------------------------------------------------- packing

cdef void put(lua_State* L, Vm* vm, const void* data, size_t size) noexcept nogil:
    memcpy(buffer_room(L, vm, size), data, size)
    vm.buffer.size += size


cdef void put_ordered(lua_State* L, Vm* vm, Format* f, const uint8_t* data) noexcept nogil:
    """Write f.size bytes that are in little endian in the order that the format has."""
    cdef uint8_t* out = <uint8_t*>buffer_room(L, vm, f.size)
    cdef size_t i

    for i in range(f.size):
        out[f.size - 1 - i if f.big else i] = data[i]
    vm.buffer.size += f.size


cdef void put_zeros(lua_State* L, Vm* vm, size_t size) noexcept nogil:
    memset(buffer_room(L, vm, size), 0, size)
    vm.buffer.size += size


cdef void pack_integer(lua_State* L, Vm* vm, Format* f, int argument) noexcept nogil:
    cdef double n = lua.L_checknumber(L, argument)
    cdef uint8_t[MOST_INTEGER] bytes
    cdef uint64_t value = integer_of(n)

    memset(bytes, 0, MOST_INTEGER)
    memcpy(bytes, &value, 8)
    put_ordered(L, vm, f, bytes)


cdef uint64_t integer_of(double n) noexcept nogil:
    """The bits of a number as an integer of 64 bits; beyond that, what x86 makes of it."""
    if n < 0:
        return <uint64_t><int64_t>n if n >= -9223372036854775808.0 else <uint64_t>1 << 63
    if n < 9223372036854775808.0:
        return <uint64_t><int64_t>n
    if n < 18446744073709551616.0:
        return <uint64_t>n
    return 0 if n == n else <uint64_t>1 << 63


cdef void pack_string(lua_State* L, Vm* vm, Format* f, int argument) noexcept nogil:
    cdef size_t size
    cdef const char* text = lua.L_checklstring(L, argument, &size)

    if f.size == 0:
        f.size = size
    if size < f.size:
        # Redis names the argument behind it.
        lua.L_argerror(L, argument + 1, b"string too short")
        return
    put(L, vm, text, f.size)
    if f.option == c"s":
        put_zeros(L, vm, 1)
        f.size += 1


cdef int struct_pack(lua_State* L) noexcept nogil:
    cdef Vm* vm = vm_of(L)
    cdef Format f
    cdef int argument = 2
    cdef size_t padding
    cdef float short_n
    cdef double n

    begin(L, &f)
    lua.pushnil(L)                      # what is missing is nil in error messages, the first time
    vm.buffer.size = 0
    while f.at[0]:
        padding = next_option(L, &f)
        put_zeros(L, vm, padding)
        f.position += padding
        if is_integer(f.option):
            pack_integer(L, vm, &f, argument)
            argument += 1
        elif f.option == c"x":
            put_zeros(L, vm, 1)
        elif f.option == c"f":
            short_n = <float>lua.L_checknumber(L, argument)
            put_ordered(L, vm, &f, <uint8_t*>&short_n)
            argument += 1
        elif f.option == c"d":
            n = lua.L_checknumber(L, argument)
            put_ordered(L, vm, &f, <uint8_t*>&n)
            argument += 1
        elif f.option == c"c" or f.option == c"s":
            pack_string(L, vm, &f, argument)
            argument += 1
        else:
            control(L, &f)
        f.position += f.size
    lua.pushlstring(L, vm.buffer.data, vm.buffer.size)
    return 1


# ---------------------------------------------------------------- unpacking

cdef struct Data:
    const uint8_t* bytes
    size_t size
    int results                 # values pushed


cdef bint need(lua_State* L, const Format* f, const Data* data) noexcept nogil:
    """Raise an error unless the current option lies in the data."""
    if f.size > data.size or f.position > data.size - f.size:
        lua.L_argerror(L, 2, b"data string too short")
        return False
    return True


cdef double take_integer(const Format* f, const uint8_t* bytes) noexcept nogil:
    cdef uint64_t value = 0, sign
    cdef size_t i

    for i in range(f.size):
        value = value << 8 | bytes[i if f.big else f.size - 1 - i]
    if f.option < c"a":
        return <double>value
    # Of more than 8 bytes x86 takes another bit for the sign.
    sign = ~<uint64_t>0 << ((f.size * 8 - 1) & 63)
    if value & sign:
        value |= sign
    return <double><int64_t>value


cdef void take_ordered(const Format* f, const uint8_t* bytes, uint8_t* out) noexcept nogil:
    cdef size_t i

    for i in range(f.size):
        out[i] = bytes[f.size - 1 - i if f.big else i]


cdef void unpack_counted(lua_State* L, Format* f, Data* data) noexcept nogil:
    """The string of option `c`; c0 replaces the number in front of it, which says how long it is."""
    cdef double n

    if f.size == 0:
        if data.results == 0 or not lua.isnumber(L, -1):
            lua.L_error(L, b"format 'c0' needs a previous size")
            return
        n = lua.tonumber(L, -1)
        lua_pop(L, 1)
        data.results -= 1
        f.size = integer_of(n)
        if not need(L, f, data):
            return
    lua.pushlstring(L, <const char*>data.bytes + f.position, f.size)


cdef void unpack_terminated(lua_State* L, Format* f, const Data* data) noexcept nogil:
    """The string of option `s`."""
    cdef const char* text = <const char*>data.bytes + f.position
    cdef const char* end = <const char*>memchr(text, 0, data.size - f.position)

    if end is NULL:
        lua.L_error(L, b"unfinished string in data")
        return
    f.size = end - text + 1
    lua.pushlstring(L, text, f.size - 1)


cdef void unpack_option(lua_State* L, Format* f, Data* data) noexcept nogil:
    """Push what the current option stands for, or do what it says."""
    cdef const uint8_t* bytes = data.bytes + f.position
    cdef float short_n
    cdef double n

    data.results += 1
    if is_integer(f.option):
        lua.pushnumber(L, take_integer(f, bytes))
    elif f.option == c"f":
        take_ordered(f, bytes, <uint8_t*>&short_n)
        lua.pushnumber(L, short_n)
    elif f.option == c"d":
        take_ordered(f, bytes, <uint8_t*>&n)
        lua.pushnumber(L, n)
    elif f.option == c"c":
        data.results -= 1
        unpack_counted(L, f, data)
        data.results += 1
    elif f.option == c"s":
        unpack_terminated(L, f, data)
    else:
        data.results -= 1
        if f.option != c"x":
            control(L, f)


cdef int struct_unpack(lua_State* L) noexcept nogil:
    cdef Format f
    cdef Data data
    cdef ssize_t start

    begin(L, &f)
    data.bytes = <const uint8_t*>lua.L_checklstring(L, 2, &data.size)
    data.results = 0
    start = lua.L_optinteger(L, 3, 1)
    if start == 0:
        return lua.L_argerror(L, 3, b"offset must be 1 or greater")
    f.position = <size_t>start - 1
    while f.at[0]:
        f.position += next_option(L, &f)
        if not need(L, &f, &data):
            return 0
        lua.L_checkstack(L, 2, b"too many results")
        unpack_option(L, &f, &data)
        f.position += f.size
    lua.pushnumber(L, <double>(f.position + 1))
    return data.results + 1


cdef int struct_size(lua_State* L) noexcept nogil:
    cdef Format f

    begin(L, &f)
    while f.at[0]:
        f.position += next_option(L, &f)
        if f.option == c"s":
            return lua.L_argerror(L, 1, b"option 's' has no fixed size")
        if f.option == c"c" and f.size == 0:
            return lua.L_argerror(L, 1, b"option 'c0' has no fixed size")
        if not is_digit(<char>f.option) and not c"a" <= (f.option | 0x20) <= c"z":
            control(L, &f)
        f.position += f.size
    lua.pushnumber(L, <double>f.position)
    return 1


cdef void open_struct(lua_State* L) noexcept nogil:
    lua.createtable(L, 0, 4)
    set_function(L, b"pack", struct_pack)
    set_function(L, b"unpack", struct_unpack)
    set_function(L, b"size", struct_size)
