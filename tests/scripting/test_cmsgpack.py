"""The library `cmsgpack`: each format there and back, what is too much, what is bad."""
import pytest

from tests.scripting.rows import Raised, check, row_params

ROWS = {
    "packing": [
        ("local function hex(s) return (s:gsub('.',function(c) return string.format('%02x',c:byte()) end)) end "
         "local o={} for _,n in ipairs({0,1,127,128,255,256,65535,65536,4294967295,4294967296,2^53,2^62,2^63,2^64,"
         "1e300,-1,-32,-33,-128,-129,-32768,-32769,-2147483648,-2147483649,-2^53,-2^63,-2^63-2048,0.5,0.1,1/3,"
         "-0.0,1/0,-1/0,3.4e38,1e39,16777217,1.5e-45}) do o[#o+1]=hex(cmsgpack.pack(n)) end return o",
         [b"00", b"01", b"7f", b"cc80", b"ccff", b"cd0100", b"cdffff", b"ce00010000", b"ceffffffff",
         b"cf0000000100000000", b"cf0020000000000000", b"cf4000000000000000", b"ca5f000000", b"ca5f800000",
         b"cb7e37e43c8800759c", b"ff", b"e0", b"d0df", b"d080", b"d1ff7f", b"d18000", b"d2ffff7fff", b"d280000000",
         b"d3ffffffff7fffffff", b"d3ffe0000000000000", b"d38000000000000000", b"cbc3e0000000000001", b"ca3f000000",
         b"cb3fb999999999999a", b"cb3fd5555555555555", b"00", b"ca7f800000", b"caff800000", b"cb47eff933c78cdfad",
         b"cb48078287f49c4a1d", b"ce01000001", b"cb36a1208141e9900b"]),
        ("local function hex(s) return (s:gsub('.',function(c) return string.format('%02x',c:byte()) end)) end "
         "return {hex(cmsgpack.pack(nil)),hex(cmsgpack.pack(true)),hex(cmsgpack.pack(false)),"
         "hex(cmsgpack.pack('')),hex(cmsgpack.pack('a')),hex(cmsgpack.pack(string.rep('x',31))),"
         "hex(cmsgpack.pack(string.rep('x',32))),hex(cmsgpack.pack({})),hex(cmsgpack.pack(tostring)),"
         "hex(cmsgpack.pack(cjson.null)),hex(cmsgpack.pack(1,'a',nil,true))}",
         [b"c0", b"c3", b"c2", b"a0", b"a161", b"bf78787878787878787878787878787878787878787878787878787878787878",
         b"d9207878787878787878787878787878787878787878787878787878787878787878", b"90", b"c0", b"c0", b"01a161c0c3"]),
        ("local r={} for _,n in ipairs({255,256,65535,65536}) do local s=cmsgpack.pack(string.rep('x',n)) "
         "r[#r+1]=#s r[#r+1]=s:byte(1) r[#r+1]=s:byte(2) r[#r+1]=s:byte(3) end return r",
         [257, 217, 255, 120, 259, 218, 1, 0, 65538, 218, 255, 255, 65541, 219, 0, 1]),
        ("local r={} for _,n in ipairs({15,16,65535,65536}) do local t={} for i=1,n do t[i]=1 end local "
         "s=cmsgpack.pack(t) r[#r+1]=#s r[#r+1]=s:byte(1) r[#r+1]=s:byte(2) r[#r+1]=s:byte(3) end return r",
         [16, 159, 1, 1, 19, 220, 0, 16, 65538, 220, 255, 255, 65541, 221, 0, 1]),
        ("local function hex(s) return (s:gsub('.',function(c) return string.format('%02x',c:byte()) end)) end "
         "return {hex(cmsgpack.pack({1,2,nil,4})),hex(cmsgpack.pack({[2]=1})),hex(cmsgpack.pack({[1]=1,[2]=2})),"
         "hex(cmsgpack.pack({[1.5]=1})),hex(cmsgpack.pack({[0]=1})),hex(cmsgpack.pack({a=1})),"
         "hex(cmsgpack.pack({[2^31]=1})),hex(cmsgpack.pack({[true]=false})),hex(cmsgpack.pack({{},{{}}}))}",
         [b"83010102020404", b"810201", b"920102", b"81ca3fc0000001", b"810001", b"81a16101", b"81ce8000000001",
         b"81c3c2", b"92909190"]),
        ("local t={} for i=1,30 do t={t} end local s=cmsgpack.pack(t) return {#s,s:byte(1,-1)}",
         [17, 145, 145, 145, 145, 145, 145, 145, 145, 145, 145, 145, 145, 145, 145, 145, 145, 192]),
        ("local t={} t.x=t local s=cmsgpack.pack(t) return #s", 49),
        ("return {pcall(cmsgpack.pack)}", [None, b"bad argument #0 to '?' (MessagePack pack needs input.)"]),
        ("cmsgpack.pack()", Raised("user_script:1: bad argument #0 to 'pack' (MessagePack pack needs input.)")),
        ("local t={} for i=1,65536 do t[-i]=1 end local r={} for _,n in ipairs({15,16,65535,65536}) do local u={} "
         "for i=1,n do u[-i]=1 end local s=cmsgpack.pack(u) r[#r+1]=#s r[#r+1]=s:byte(1) end return r",
         [31, 143, 35, 222, 327517, 222, 327525, 223]),
    ],
    "unpacking": [
        ("return {cmsgpack.unpack(cmsgpack.pack(1,'a',true,false,{1,{2}},3.5))}", [1, b"a", 1, None, [1, [2]], 3]),
        ("return {cmsgpack.unpack('')}", []),
        ("return {cmsgpack.unpack(12)}", [49, 50]),
        ("local r={} for _,s in ipairs({'\\204\\255','\\205\\1\\2','\\206\\255\\255\\255\\255',"
         "'\\207\\255\\255\\255\\255\\255\\255\\255\\255','\\208\\255','\\209\\128\\0','\\209\\255\\254',"
         "'\\210\\128\\0\\0\\0','\\211\\128\\0\\0\\0\\0\\0\\0\\0','\\211\\255\\255\\255\\255\\255\\255\\255\\255',"
         "'\\202\\63\\128\\0\\0','\\203\\63\\240\\0\\0\\0\\0\\0\\0','\\127','\\224','\\255','\\192'}) do "
         "r[#r+1]=tostring(cmsgpack.unpack(s)) end return r",
         [b"255", b"258", b"4294967295", b"-1", b"-1", b"-32768", b"-2", b"-2147483648", b"-9.2233720368548e+18",
         b"-1", b"1", b"1", b"127", b"-32", b"-1", b"nil"]),
        ("return {cmsgpack.unpack('\\217\\3abc\\218\\0\\3abc\\219\\0\\0\\0\\3abc\\163abc')}",
         [b"abc", b"abc", b"abc", b"abc"]),
        ("local t=cmsgpack.unpack('\\220\\0\\3\\1\\2\\3') return t", [1, 2, 3]),
        ("local t=cmsgpack.unpack('\\222\\0\\1\\1\\2') return {t[1]}", [2]),
        ("local t=cmsgpack.unpack('\\223\\0\\0\\0\\1\\1\\2') return {t[1]}", [2]),
        ("local t=cmsgpack.unpack('\\130\\1\\2\\161a\\3') return {t[1],t.a}", [2, 3]),
        ("local t=cmsgpack.unpack('\\221\\0\\0\\0\\3\\1\\192\\3') return {t[1],tostring(t[2]),t[3]}", [1, b"nil", 3]),
    ],
    "some of several values": [
        ("return {cmsgpack.unpack_one(cmsgpack.pack(1,2,3))}", [1, 1]),
        ("return {cmsgpack.unpack_one(cmsgpack.pack(1,2,3),1)}", [2, 2]),
        ("return {cmsgpack.unpack_one(cmsgpack.pack(1,2,3),2)}", [-1, 3]),
        ("return {cmsgpack.unpack_one(cmsgpack.pack(1,2,3),3)}", [-1]),
        ("return {pcall(cmsgpack.unpack_one,cmsgpack.pack(1,2,3),4)}",
         [None, b"Start offset 4 greater than input length 3."]),
        ("return {pcall(cmsgpack.unpack_one,cmsgpack.pack(1,2,3),-1)}",
         [None, b"Invalid request to unpack with offset of -1 and limit of 3."]),
        ("return {cmsgpack.unpack_limit(cmsgpack.pack(1,2,3),2)}", [2, 1, 2]),
        ("return {cmsgpack.unpack_limit(cmsgpack.pack(1,2,3),5)}", [-1, 1, 2, 3]),
        ("return {cmsgpack.unpack_limit(cmsgpack.pack(1,2,3),2,1)}", [-1, 2, 3]),
        ("return {cmsgpack.unpack_limit(cmsgpack.pack(1,2,3),0)}", [1, 2, 3]),
        ("return {cmsgpack.unpack_limit(cmsgpack.pack(1,2,3),0,1)}", [1]),
        ("return {pcall(cmsgpack.unpack_limit,cmsgpack.pack(1,2,3),-1)}",
         [None, b"Invalid request to unpack with offset of 0 and limit of 3."]),
        ("return {pcall(cmsgpack.unpack_limit,cmsgpack.pack(1,2,3))}",
         [None, b"bad argument #2 to '?' (number expected, got no value)"]),
        ("return {pcall(cmsgpack.unpack_limit)}", [None, b"bad argument #2 to '?' (number expected, got no value)"]),
        ("return {pcall(cmsgpack.unpack_limit,'a','b')}",
         [None, b"bad argument #2 to '?' (number expected, got string)"]),
        ("return {pcall(cmsgpack.unpack_limit,{},1)}",
         [None, b"bad argument #1 to '?' (string expected, got table)"]),
    ],
    "bad data": [
        ("return {pcall(cmsgpack.unpack,'\\129')}", [None, b"Missing bytes in input."]),
        ("return {pcall(cmsgpack.unpack,'\\146\\1')}", [None, b"Missing bytes in input."]),
        ("return {pcall(cmsgpack.unpack,'\\193')}", [None, b"Bad data format in input."]),
        ("return {pcall(cmsgpack.unpack,'\\199')}", [None, b"Bad data format in input."]),
        ("return {pcall(cmsgpack.unpack,'\\212\\1\\1')}", [None, b"Bad data format in input."]),
        ("return {pcall(cmsgpack.unpack,'\\216')}", [None, b"Bad data format in input."]),
        ("return {pcall(cmsgpack.unpack,'\\161')}", [None, b"Missing bytes in input."]),
        ("return {pcall(cmsgpack.unpack,'\\219\\255\\255\\255\\255')}", [None, b"Missing bytes in input."]),
        ("return {pcall(cmsgpack.unpack,'\\221\\255\\255\\255\\255')}", [None, b"Missing bytes in input."]),
        ("return {pcall(cmsgpack.unpack,'\\223\\255\\255\\255\\255\\1')}", [None, b"Missing bytes in input."]),
        ("return {pcall(cmsgpack.unpack,'\\204')}", [None, b"Missing bytes in input."]),
        ("return {pcall(cmsgpack.unpack,'\\203\\1\\2')}", [None, b"Missing bytes in input."]),
        ("return {pcall(cmsgpack.unpack,'\\129\\192\\1')}", [None, b"table index is nil"]),
        ("return {pcall(cmsgpack.unpack,'\\129\\203\\127\\248\\0\\0\\0\\0\\0\\0\\1')}",
         [None, b"table index is NaN"]),
    ],
    "too much for the stack": [
        ("return {pcall(cmsgpack.unpack,string.rep('\\145',20000))}",
         [None, b"stack overflow (in function mp_decode_to_lua_array)"]),
        ("return {pcall(cmsgpack.unpack,string.rep('\\129',20000))}",
         [None, b"stack overflow (too many return values at once; use unpack_one or unpack_limit instead.)"]),
        ("return {pcall(cmsgpack.unpack,string.rep('\\1',20000))}",
         [None, b"stack overflow (too many return values at once; use unpack_one or unpack_limit instead.)"]),
        ("local t={pcall(cmsgpack.unpack,string.rep('\\1',7000))} return #t", 7001),
        ("local t={pcall(cmsgpack.unpack,string.rep('\\145',3000)..'\\1')} return {#t}", [2]),
    ],
    "wrong arguments": [
        ("return {pcall(cmsgpack.unpack)}", [None, b"bad argument #1 to '?' (string expected, got no value)"]),
        ("return {pcall(cmsgpack.unpack,{})}", [None, b"bad argument #1 to '?' (string expected, got table)"]),
    ],
    "the table": [
        ("return {cmsgpack._NAME,cmsgpack._VERSION}", [b"cmsgpack", b"lua-cmsgpack 0.4.0"]),
    ],
}


@pytest.mark.parametrize("rows", row_params(ROWS))
def test_rows(rows, side):
    check(rows, side)
