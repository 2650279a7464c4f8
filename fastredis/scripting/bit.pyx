"""The library `bit`. The design comment is in bit.pxd."""
from libc.stdint cimport INT32_MIN, int32_t, uint32_t, uint64_t
from libc.string cimport memcpy

from fastredis.ds.native cimport bswap32
from fastredis.scripting.lua_api cimport LUA_TNONE, lua, set_function

cdef enum:
    HEX_DIGITS = 8

cdef const char* SMALL = b"0123456789abcdef"
cdef const char* LARGE = b"0123456789ABCDEF"


cdef uint32_t bits_of(lua_State* L, int index) noexcept nogil:
    """An argument modulo 2**32. Adding 1.5 * 2**52 leaves the integer in the lowest bits of the sum, rounded."""
    cdef double n = lua.tonumber(L, index)
    cdef uint64_t word

    if n == 0 and not lua.isnumber(L, index):
        lua.L_typerror(L, index, b"number")
        return 0
    n += 6755399441055744.0
    memcpy(&word, &n, 8)
    return <uint32_t>word


cdef inline int result(lua_State* L, uint32_t bits) noexcept nogil:
    lua.pushnumber(L, <int32_t>bits)
    return 1


cdef int bit_tobit(lua_State* L) noexcept nogil:
    return result(L, bits_of(L, 1))


cdef int bit_bnot(lua_State* L) noexcept nogil:
    return result(L, ~bits_of(L, 1))


cdef int bit_band(lua_State* L) noexcept nogil:
    cdef uint32_t bits = bits_of(L, 1)
    cdef int i

    for i in range(lua.gettop(L), 1, -1):
        bits &= bits_of(L, i)
    return result(L, bits)


cdef int bit_bor(lua_State* L) noexcept nogil:
    cdef uint32_t bits = bits_of(L, 1)
    cdef int i

    for i in range(lua.gettop(L), 1, -1):
        bits |= bits_of(L, i)
    return result(L, bits)


cdef int bit_bxor(lua_State* L) noexcept nogil:
    cdef uint32_t bits = bits_of(L, 1)
    cdef int i

    for i in range(lua.gettop(L), 1, -1):
        bits ^= bits_of(L, i)
    return result(L, bits)


cdef int bit_lshift(lua_State* L) noexcept nogil:
    cdef uint32_t bits = bits_of(L, 1)

    return result(L, bits << (bits_of(L, 2) & 31))


cdef int bit_rshift(lua_State* L) noexcept nogil:
    cdef uint32_t bits = bits_of(L, 1)

    return result(L, bits >> (bits_of(L, 2) & 31))


cdef int bit_arshift(lua_State* L) noexcept nogil:
    cdef uint32_t bits = bits_of(L, 1)

    return result(L, <uint32_t>(<int32_t>bits >> (bits_of(L, 2) & 31)))


cdef inline uint32_t rotate(uint32_t bits, uint32_t n) noexcept nogil:
    return bits << (n & 31) | bits >> (-n & 31)


cdef int bit_rol(lua_State* L) noexcept nogil:
    cdef uint32_t bits = bits_of(L, 1)

    return result(L, rotate(bits, bits_of(L, 2)))


cdef int bit_ror(lua_State* L) noexcept nogil:
    cdef uint32_t bits = bits_of(L, 1)

    return result(L, rotate(bits, 0 - bits_of(L, 2)))


cdef int bit_bswap(lua_State* L) noexcept nogil:
    return result(L, bswap32(bits_of(L, 1)))


cdef int bit_tohex(lua_State* L) noexcept nogil:
    """The last n digits, 8 unless it is given; a negative n asks for capitals (CVE-2024-31449: also the least one)."""
    cdef uint32_t bits = bits_of(L, 1)
    cdef int32_t n = HEX_DIGITS if lua.type(L, 2) == LUA_TNONE else <int32_t>bits_of(L, 2)
    cdef const char* digits = SMALL
    cdef char[HEX_DIGITS] out
    cdef int i

    if n < 0:
        digits = LARGE
        n = HEX_DIGITS if n == INT32_MIN else -n
    n = min(n, <int32_t>HEX_DIGITS)
    for i in range(n - 1, -1, -1):
        out[i] = digits[bits & 15]
        bits >>= 4
    lua.pushlstring(L, out, n)
    return 1


cdef void open_bit(lua_State* L) noexcept nogil:
    lua.createtable(L, 0, 12)
    set_function(L, b"tobit", bit_tobit)
    set_function(L, b"bnot", bit_bnot)
    set_function(L, b"band", bit_band)
    set_function(L, b"bor", bit_bor)
    set_function(L, b"bxor", bit_bxor)
    set_function(L, b"lshift", bit_lshift)
    set_function(L, b"rshift", bit_rshift)
    set_function(L, b"arshift", bit_arshift)
    set_function(L, b"rol", bit_rol)
    set_function(L, b"ror", bit_ror)
    set_function(L, b"bswap", bit_bswap)
    set_function(L, b"tohex", bit_tohex)
