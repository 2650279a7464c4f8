"""cjson.decode: JSON to Lua values. The design comment is in cjson.pxd.

A text has a NUL behind it, as all strings of Lua, so the scanner needs no end to stop at; one inside of the text ends
it, as in Redis. Errors name the token that was found and where it begins, or, inside of a string, where the scanner
stood.
"""
from libc.stdint cimport uint64_t
from libc.string cimport memcpy, strncmp

from fastredis.ds.native cimport ctz64
from fastredis.ds.numbers cimport parse_double, parse_leading_double
from fastredis.scripting.json_settings cimport Settings, settings_of
from fastredis.scripting.lua_api cimport Text, lua
from fastredis.scripting.vm cimport Vm, buffer_room, vm_of

cdef extern from "<strings.h>" nogil:
    int strncasecmp(const char* a, const char* b, size_t n)

cdef extern from *:
    """
    #include <stdint.h>
    #if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
    #error "the first byte of a word has to be its lowest"
    #endif

    #define FR_EACH(byte) (0x0101010101010101ull * (byte))
    #define FR_ZEROS(word) (((word) - FR_EACH(0x01)) & ~(word) & FR_EACH(0x80))

    /* Of eight bytes the first that ends a run of plain ones, by its highest bit; bits above may be wrong. */
    static inline uint64_t fr_special(uint64_t word) {
        return FR_ZEROS(word) | FR_ZEROS(word ^ FR_EACH('"')) | FR_ZEROS(word ^ FR_EACH('\\\\'));
    }
    """
    uint64_t fr_special(uint64_t word) noexcept nogil

cdef enum TokenType:
    OBJECT_BEGIN
    OBJECT_END
    ARRAY_BEGIN
    ARRAY_END
    STRING
    NUMBER
    BOOLEAN
    NOTHING
    COLON
    COMMA
    END
    ERROR

cdef Text[11] TYPE_NAMES = [
    b"T_OBJ_BEGIN", b"T_OBJ_END", b"T_ARR_BEGIN", b"T_ARR_END", b"T_STRING", b"T_NUMBER", b"T_BOOLEAN", b"T_NULL",
    b"T_COLON", b"T_COMMA", b"T_END"]

cdef enum:
    MOST_INTEGER_DIGITS = 15            # that a double holds for certain

cdef struct Token:
    TokenType type
    const char* at                      # where it begins, or what is wrong with it
    const char* text                    # of a string; of an error, what it is
    size_t size
    double number                       # also 0 or 1 for a boolean

cdef struct Parser:
    lua_State* L
    Vm* vm
    const Settings* settings
    const char* data
    const char* end
    const char* at
    int depth


# ---------------------------------------------------------------- tokens

cdef void set_error(Parser* p, Token* token, const char* what) noexcept nogil:
    """The token is none; what is wrong is where the parser stands."""
    token.type = ERROR
    token.at = p.at
    token.text = what


cdef inline const char* plain_end(const Parser* p, const char* at) noexcept nogil:
    """Where a run of characters that stand for themselves ends: at a quote, a backslash or a NUL."""
    cdef uint64_t word, special

    while p.end - at >= 8:
        memcpy(&word, at, 8)
        special = fr_special(word)
        if special:
            return at + (ctz64(special) >> 3)
        at += 8
    while at[0] != c'"' and at[0] != c"\\" and at[0]:
        at += 1
    return at


cdef int hex_value(char c) noexcept nogil:
    if c"0" <= c <= c"9":
        return c - c"0"
    c |= 0x20
    if c"a" <= c <= c"f":
        return c - c"a" + 10
    return -1


cdef int hex4(const char* at) noexcept nogil:
    """Four hexadecimal digits; -1: they are none."""
    cdef int i, digit, value = 0

    for i in range(4):
        digit = hex_value(at[i])
        if digit < 0:
            return -1
        value = value << 4 | digit
    return value


cdef char* write_utf8(char* out, int point) noexcept nogil:
    if point <= 0x7f:
        out[0] = <char>point
        return out + 1
    if point <= 0x7ff:
        out[0] = <char>(0xc0 | point >> 6)
        out[1] = <char>(0x80 | point & 0x3f)
        return out + 2
    if point <= 0xffff:
        out[0] = <char>(0xe0 | point >> 12)
        out[1] = <char>(0x80 | point >> 6 & 0x3f)
        out[2] = <char>(0x80 | point & 0x3f)
        return out + 3
    out[0] = <char>(0xf0 | point >> 18)
    out[1] = <char>(0x80 | point >> 12 & 0x3f)
    out[2] = <char>(0x80 | point >> 6 & 0x3f)
    out[3] = <char>(0x80 | point & 0x3f)
    return out + 4


cdef char* take_unicode(Parser* p, char* out) noexcept nogil:
    """Pass an escape of four digits, or two that are a pair of surrogates, and write UTF-8; NULL: it is none."""
    cdef int point = hex4(p.at + 2), low

    if point < 0:
        return NULL
    if point & 0xf800 != 0xd800:
        p.at += 6
        return write_utf8(out, point)
    if point & 0x400 or p.at[6] != c"\\" or p.at[7] != c"u":
        return NULL
    low = hex4(p.at + 8)
    if low < 0 or low & 0xfc00 != 0xdc00:
        return NULL
    p.at += 12
    return write_utf8(out, ((point & 0x3ff) << 10 | low & 0x3ff) + 0x10000)


cdef char escaped(char c) noexcept nogil:
    """What a backslash and a letter stand for; 0: nothing."""
    if c == c'"' or c == c"\\" or c == c"/":
        return c
    if c == c"b":
        return 8
    if c == c"t":
        return 9
    if c == c"n":
        return 10
    if c == c"f":
        return 12
    if c == c"r":
        return 13
    return 0


cdef void take_escaped_string(Parser* p, Token* token, const char* start, const char* stop) noexcept nogil:
    """The string that begins at `start` and has its first escape at `stop`. It is gathered in vm.buffer."""
    cdef char* out = p.vm.buffer.data
    cdef char* first
    cdef char c

    p.vm.buffer.size = 0
    first = buffer_room(p.L, p.vm, p.end - start)
    out = first
    while True:
        memcpy(out, start, stop - start)
        out += stop - start
        p.at = stop
        if stop[0] == c'"':
            break
        if stop[0] == 0:
            set_error(p, token, b"unexpected end of string")
            return
        if stop[1] == c"u":
            out = take_unicode(p, out)
            if out is NULL:
                set_error(p, token, b"invalid unicode escape code")
                return
        else:
            c = escaped(stop[1])
            if c == 0:
                set_error(p, token, b"invalid escape code")
                return
            out[0] = c
            out += 1
            p.at += 2
        start = p.at
        stop = plain_end(p, start)
    p.at += 1
    token.text = first
    token.size = out - first


cdef inline void take_string(Parser* p, Token* token) noexcept nogil:
    cdef const char* start = p.at + 1
    cdef const char* stop = plain_end(p, start)

    token.type = STRING
    if stop[0] != c'"':
        take_escaped_string(p, token, start, stop)
        return
    token.text = start
    token.size = stop - start
    p.at = stop + 1


cdef bint is_invalid_number(const char* at) noexcept nogil:
    """Whether what may be a number for strtod() is none in strict JSON."""
    if at[0] == c"+":
        return True
    if at[0] == c"-":
        at += 1
    if at[0] == c"0":
        return at[1] | 0x20 == c"x" or c"0" <= at[1] <= c"9"
    if at[0] <= c"9":
        return False
    return strncasecmp(at, b"inf", 3) == 0 or strncasecmp(at, b"nan", 3) == 0


cdef void take_odd_number(Parser* p, Token* token) noexcept nogil:
    """A number that is more than a few digits."""
    cdef const char* end = p.at
    cdef size_t length

    token.type = NUMBER
    while c"0" <= end[0] <= c"9" or end[0] == c"." or end[0] == c"-" or end[0] == c"+" or end[0] | 0x20 == c"e":
        end += 1
    if end[0] | 0x20 != c"x" and parse_double(p.at, end - p.at, &token.number):
        p.at = end
        return
    length = parse_leading_double(p.at, &token.number)
    if length == 0:
        set_error(p, token, b"invalid number")
    p.at += length


cdef inline void take_number(Parser* p, Token* token) noexcept nogil:
    cdef const char* at = p.at
    cdef const char* first
    cdef uint64_t v = 0
    cdef bint negative = at[0] == c"-"

    if not p.settings.decode_invalid and is_invalid_number(at):
        set_error(p, token, b"invalid number")
        return
    at += negative
    first = at
    while c"0" <= at[0] <= c"9":
        v = v * 10 + (at[0] - c"0")
        at += 1
    if at == first or at - first > MOST_INTEGER_DIGITS or at[0] == c"." or at[0] | 0x20 == c"e" or at[0] | 0x20 == c"x":
        take_odd_number(p, token)
        return
    token.type = NUMBER
    token.number = <double>v
    if negative:
        token.number = -token.number
    p.at = at


cdef void take_word(Parser* p, Token* token) noexcept nogil:
    """true, false, null, or a number that begins otherwise than those of JSON."""
    token.type = BOOLEAN
    if strncmp(p.at, b"true", 4) == 0:
        token.number = 1
        p.at += 4
    elif strncmp(p.at, b"false", 5) == 0:
        token.number = 0
        p.at += 5
    elif strncmp(p.at, b"null", 4) == 0:
        token.type = NOTHING
        p.at += 4
    elif p.settings.decode_invalid and is_invalid_number(p.at) and p.at[0] != c"0":
        take_odd_number(p, token)
    else:
        set_error(p, token, b"invalid token")


cdef inline bint is_space(char c) noexcept nogil:
    return c == c" " or c == c"\n" or c == c"\t" or c == c"\r"


cdef void next_token(Parser* p, Token* token) noexcept nogil:
    cdef char c

    while is_space(p.at[0]):
        p.at += 1
    token.at = p.at
    c = p.at[0]
    if c == c'"':
        take_string(p, token)
        return
    if c"0" <= c <= c"9" or c == c"-":
        take_number(p, token)
        return
    if c == c",":
        token.type = COMMA
    elif c == c":":
        token.type = COLON
    elif c == c"{":
        token.type = OBJECT_BEGIN
    elif c == c"}":
        token.type = OBJECT_END
    elif c == c"[":
        token.type = ARRAY_BEGIN
    elif c == c"]":
        token.type = ARRAY_END
    elif c == 0:
        token.type = END
        return
    else:
        take_word(p, token)
        return
    p.at += 1


# ---------------------------------------------------------------- values

cdef void fail(const Parser* p, const Token* token, const char* expected) noexcept nogil:
    lua.L_error(p.L, b"Expected %s but found %s at character %d", expected,
                token.text if token.type == ERROR else TYPE_NAMES[<int>token.type], <int>(token.at - p.data) + 1)


cdef bint descend(Parser* p, int slots) noexcept nogil:
    """Enter an array or an object, which needs that many slots of the stack."""
    p.depth += 1
    if p.depth <= p.settings.decode_max_depth and lua.checkstack(p.L, slots):
        return True
    lua.L_error(p.L, b"Found too many nested data structures (%d) at character %d", p.depth, <int>(p.at - p.data))
    return False


cdef void decode_object(Parser* p, Token* token) noexcept nogil:
    if not descend(p, 3):
        return
    lua.createtable(p.L, 0, 0)
    next_token(p, token)
    while token.type != OBJECT_END:
        if token.type != STRING:
            fail(p, token, b"object key string")
            return
        lua.pushlstring(p.L, token.text, token.size)
        next_token(p, token)
        if token.type != COLON:
            fail(p, token, b"colon")
            return
        next_token(p, token)
        decode_value(p, token)
        lua.rawset(p.L, -3)
        next_token(p, token)
        if token.type == OBJECT_END:
            break
        if token.type != COMMA:
            fail(p, token, b"comma or object end")
            return
        next_token(p, token)
        if token.type == OBJECT_END:
            fail(p, token, b"object key string")
            return
    p.depth -= 1


cdef void decode_array(Parser* p, Token* token) noexcept nogil:
    cdef int i = 0

    if not descend(p, 2):
        return
    lua.createtable(p.L, 0, 0)
    next_token(p, token)
    while i or token.type != ARRAY_END:
        decode_value(p, token)
        i += 1
        lua.rawseti(p.L, -2, i)
        next_token(p, token)
        if token.type == ARRAY_END:
            break
        if token.type != COMMA:
            fail(p, token, b"comma or array end")
            return
        next_token(p, token)
    p.depth -= 1


cdef void decode_value(Parser* p, Token* token) noexcept nogil:
    """Push the value that begins with a token. Recursive, as deep as descend() allows."""
    if token.type == STRING:
        lua.pushlstring(p.L, token.text, token.size)
    elif token.type == NUMBER:
        lua.pushnumber(p.L, token.number)
    elif token.type == OBJECT_BEGIN:
        decode_object(p, token)
    elif token.type == ARRAY_BEGIN:
        decode_array(p, token)
    elif token.type == BOOLEAN:
        lua.pushboolean(p.L, token.number != 0)
    elif token.type == NOTHING:
        lua.pushlightuserdata(p.L, NULL)
    else:
        fail(p, token, b"value")


cdef int json_decode(lua_State* L) noexcept nogil:
    cdef Parser p
    cdef Token token
    cdef size_t size

    if lua.gettop(L) != 1:
        return lua.L_argerror(L, 1, b"expected 1 argument")
    p.L = L
    p.vm = vm_of(L)
    p.settings = settings_of(L)
    p.data = lua.L_checklstring(L, 1, &size)
    p.end = p.data + size
    p.at = p.data
    p.depth = 0
    if size >= 2 and (p.data[0] == 0 or p.data[1] == 0):
        return lua.L_error(L, b"JSON parser does not support UTF-16 or UTF-32")
    next_token(&p, &token)
    decode_value(&p, &token)
    next_token(&p, &token)
    if token.type != END:
        fail(&p, &token, b"the end")
        return 0
    return 1
