"""string.format. The design comment is in string_format.pxd."""
from libc.stdint cimport int64_t
from libc.stdio cimport snprintf
from libc.string cimport memchr, memcpy, strlen

from fastredis.ds.numbers cimport INT64_TEXT, format_int64, print_double
from fastredis.scripting.lua_api cimport lua
from fastredis.scripting.vm cimport Vm, buffer_room, vm_of

cdef extern from "<string.h>" nogil:
    size_t strnlen(const char* s, size_t most)

cdef enum:
    MOST_ITEM = 512                 # bytes of a formatted number
    MOST_FLAGS = 5
    PLAIN_STRING = 100              # a string as long as this is not formatted unless there is a precision

cdef struct Item:
    char[24] format                 # "%-08.3" and what follows, for printf
    int size
    bint plain                      # no flags, width or precision
    bint precise                    # there is a precision
    char type


cdef inline bint is_digit(char c) noexcept nogil:
    return c"0" <= c <= c"9"


cdef const char* read_item(lua_State* L, const char* at, Item* item) noexcept nogil:
    """Read what follows a percent sign, its type as well -> where the text goes on."""
    cdef const char* start = at

    while at[0] and memchr(b"-+ #0", at[0], 5) is not NULL:
        at += 1
    if at - start > MOST_FLAGS:
        lua.L_error(L, b"invalid format (repeated flags)")
        return at
    for _i in range(2):
        at += is_digit(at[0])
    item.precise = at[0] == c"."
    if item.precise:
        at += 1
        for _i in range(2):
            at += is_digit(at[0])
    if is_digit(at[0]):
        lua.L_error(L, b"invalid format (width or precision too long)")
        return at
    item.plain = at == start
    item.format[0] = c"%"
    memcpy(item.format + 1, start, at - start)
    item.size = <int>(at - start) + 1
    item.type = at[0]
    return at + 1 if at[0] else at


cdef void finish_format(Item* item, const char* modifier) noexcept nogil:
    """Have printf's format end with the type, and what says how large the number is."""
    while modifier[0]:
        item.format[item.size] = modifier[0]
        item.size += 1
        modifier += 1
    item.format[item.size] = item.type
    item.format[item.size + 1] = 0


cdef int64_t integer_argument(lua_State* L, int argument) noexcept nogil:
    """A number cut to an integer; beyond 64 bits the least one, as x86 has it."""
    cdef double n = lua.L_checknumber(L, argument)

    return <int64_t>n if -9223372036854775808.0 <= n < 9223372036854775808.0 else <int64_t>1 << 63


cdef void put(lua_State* L, Vm* vm, const char* text, size_t size) noexcept nogil:
    memcpy(buffer_room(L, vm, size), text, size)
    vm.buffer.size += size


cdef void put_quoted(lua_State* L, Vm* vm, int argument) noexcept nogil:
    """A string as Lua would read it."""
    cdef size_t size, i
    cdef const char* text = lua.L_checklstring(L, argument, &size)

    put(L, vm, b'"', 1)
    for i in range(size):
        if text[i] == 0:
            put(L, vm, b"\\000", 4)
        elif text[i] == c"\r":
            put(L, vm, b"\\r", 2)
        else:
            if text[i] == c'"' or text[i] == c"\\" or text[i] == c"\n":
                put(L, vm, b"\\", 1)
            put(L, vm, text + i, 1)
    put(L, vm, b'"', 1)


cdef void put_string(lua_State* L, Vm* vm, Item* item, int argument) noexcept nogil:
    """A string, up to its first NUL; a long one without a precision is whole."""
    cdef size_t size
    cdef const char* text = lua.L_checklstring(L, argument, &size)

    if not item.precise and size >= PLAIN_STRING:
        put(L, vm, text, size)
        return
    if item.plain:
        put(L, vm, text, strnlen(text, size))
        return
    finish_format(item, b"")
    vm.buffer.size += snprintf(buffer_room(L, vm, MOST_ITEM), MOST_ITEM, item.format, text)


cdef void put_item(lua_State* L, Vm* vm, Item* item, int argument) noexcept nogil:
    cdef char type = item.type

    if type == c"s":
        put_string(L, vm, item, argument)
    elif type == c"q":
        put_quoted(L, vm, argument)
    elif type == c"d" or type == c"i":
        if item.plain:
            vm.buffer.size += format_int64(buffer_room(L, vm, INT64_TEXT), integer_argument(L, argument))
        else:
            finish_format(item, b"ll")
            put_number(L, vm, item, integer_argument(L, argument))
    elif type == c"o" or type == c"u" or type == c"x" or type == c"X":
        finish_format(item, b"ll")
        put_number(L, vm, item, unsigned_argument(L, argument))
    elif type == c"c":
        finish_format(item, b"")
        put_character(L, vm, item, <int>integer_argument(L, argument))
    elif type and memchr(b"eEfgG", type, 5) is not NULL:
        finish_format(item, b"")
        vm.buffer.size += print_double(buffer_room(L, vm, MOST_ITEM), MOST_ITEM, item.format,
                                       lua.L_checknumber(L, argument))
    elif type == 0:
        lua.L_error(L, b"invalid option '%%' to 'format'")
    else:
        lua.L_error(L, b"invalid option '%%%c' to 'format'", <int>type)


cdef void put_number(lua_State* L, Vm* vm, Item* item, int64_t n) noexcept nogil:
    vm.buffer.size += snprintf(buffer_room(L, vm, MOST_ITEM), MOST_ITEM, item.format, <long long>n)


cdef void put_character(lua_State* L, Vm* vm, Item* item, int c) noexcept nogil:
    """A character; what is formatted ends at NUL."""
    cdef char* out = buffer_room(L, vm, MOST_ITEM)

    snprintf(out, MOST_ITEM, item.format, c)
    vm.buffer.size += strlen(out)


cdef int64_t unsigned_argument(lua_State* L, int argument) noexcept nogil:
    """The bits of a number cut to an unsigned integer; a negative one wraps around."""
    cdef double n = lua.L_checknumber(L, argument)

    if 9223372036854775808.0 <= n < 18446744073709551616.0:
        return <int64_t><unsigned long long>n
    return integer_argument(L, argument) if n < 9223372036854775808.0 or n != n else 0


cdef int string_format(lua_State* L) noexcept nogil:
    cdef Vm* vm = vm_of(L)
    cdef size_t size
    cdef const char* at = lua.L_checklstring(L, 1, &size)
    cdef const char* end = at + size
    cdef const char* percent
    cdef Item item
    cdef int argument = 1, most = lua.gettop(L)

    vm.buffer.size = 0
    while True:
        percent = <const char*>memchr(at, c"%", end - at)
        if percent is NULL:
            break
        put(L, vm, at, percent - at)
        if percent[1] == c"%":
            put(L, vm, percent, 1)
            at = percent + 2
            continue
        argument += 1
        if argument > most:
            return lua.L_argerror(L, argument, b"no value")
        at = read_item(L, percent + 1, &item)
        put_item(L, vm, &item, argument)
    put(L, vm, at, end - at)
    lua.pushlstring(L, vm.buffer.data, vm.buffer.size)
    return 1
