"""The library `bit`: LuaJIT's, and our own, which Lua 5.1 gets."""
import pytest

from tests.scripting.rows import Raised, check, row_params

ROWS = {
    "operations": [
        ("return {bit.tobit(0xffffffff),bit.tobit(2^32),bit.tobit(2^40+5),bit.tobit(-1),bit.tobit(1.5),bit.tobit(2"
         ".5),bit.tobit('12'),bit.tobit(-2^31),bit.tobit(2^31)}",
         [-1, 0, 5, -1, 2, 2, 12, -2147483648, -2147483648]),
        ("return {bit.bnot(0),bit.bnot(0x12345678),bit.band(0xff,0x0f),bit.band(1),bit.bor(1,2,4),bit.bxor(0xff,0x"
         "0f,1),bit.lshift(1,31),bit.lshift(1,32),bit.lshift(1,33),bit.rshift(-1,28),bit.arshift(-256,4),bit.rol(0"
         "x12345678,12),bit.ror(0x12345678,12),bit.rol(1,0),bit.bswap(0x12345678)}",
         [-1, -305419897, 15, 1, 7, 241, -2147483648, 1, 2, 15, -16, 1164411171, 1736516421, 1, 2018915346]),
        ("return {bit.tobit(1e20),bit.tobit(0/0),bit.tobit(1/0),bit.tobit(2^52+0.5),bit.tobit(0.5),bit.tobit(-0.5)"
         "}",
         [2025163840, 0, 0, 0, 0, 0]),
        ("bit.band('x')", Raised("user_script:1: bad argument #1 to 'band' (number expected, got string)")),
        ("return bit.band({})", Raised("user_script:1: bad argument #1 to 'band' (number expected, got table)")),
        ("return {bit.band('0xff',15),bit.bor(' 1 ',2)}", [15, 3]),
    ],
    "tohex": [
        ("return {bit.tohex(1),bit.tohex(-1),bit.tohex(0xabcdef,4),bit.tohex(0xabcdef,-4),bit.tohex(0xabcdef,-8),b"
         "it.tohex(1,0),bit.tohex(1,100),bit.tohex(0xab,-2147483648),bit.tohex(0xab,2147483648),bit.tohex(0xab,-10"
         "0),bit.tohex('5')}",
         [b"00000001", b"ffffffff", b"cdef", b"CDEF", b"00ABCDEF", b"", b"00000001", b"000000AB", b"000000AB",
         b"000000AB", b"00000005"]),
    ],
    "refused": [
        ("return {pcall(bit.band)}", [None, b"bad argument #1 to '?' (number expected, got no value)"]),
        ("return {pcall(bit.band,'x')}", [None, b"bad argument #1 to '?' (number expected, got string)"]),
        ("return {pcall(bit.band,1,{})}", [None, b"bad argument #2 to '?' (number expected, got table)"]),
        ("return {pcall(bit.band,1,nil)}", [None, b"bad argument #2 to '?' (number expected, got nil)"]),
        ("return {pcall(bit.tobit)}", [None, b"bad argument #1 to '?' (number expected, got no value)"]),
        ("return {pcall(bit.lshift,1)}", [None, b"bad argument #2 to '?' (number expected, got no value)"]),
        ("return {pcall(bit.tohex)}", [None, b"bad argument #1 to '?' (number expected, got no value)"]),
        ("return {pcall(bit.tohex,1,'x')}", [None, b"bad argument #2 to '?' (number expected, got string)"]),
        ("return {pcall(bit.tohex,1,nil)}", [None, b"bad argument #2 to '?' (number expected, got nil)"]),
    ],
    "the table": [
        ("local t={} for k in pairs(bit) do t[#t+1]=k end table.sort(t) return t",
         [b"arshift", b"band", b"bnot", b"bor", b"bswap", b"bxor", b"lshift", b"rol", b"ror", b"rshift", b"tobit",
         b"tohex"]),
    ],
}


@pytest.mark.parametrize("rows", row_params(ROWS))
def test_rows(rows, side):
    check(rows, side)
