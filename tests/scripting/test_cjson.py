"""The library `cjson`: settings, encoding, decoding, errors to the letter."""
import pytest

from tests.scripting.rows import Raised, check, row_params

ROWS = {
    "the table": [
        ("return {cjson._NAME,cjson._VERSION}", [b"cjson", b"2.1.0"]),
        ("local t={} for k in pairs(cjson) do t[#t+1]=k end table.sort(t) return t",
         [b"_NAME", b"_VERSION", b"decode", b"decode_invalid_numbers", b"decode_max_depth", b"encode",
         b"encode_invalid_numbers", b"encode_keep_buffer", b"encode_max_depth", b"encode_number_precision",
         b"encode_sparse_array", b"new", b"null"]),
    ],
    "settings": [
        ("cjson.encode_max_depth(1000000000) local t={} for i=1,5000 do t={t} end return {(pcall(cjson.encode,t))}",
         [1]),
        ("cjson.decode_max_depth(1000000000) return {pcall(cjson.decode,string.rep('[',10000))}",
         [None, b"Found too many nested data structures (7999) at character 7999"]),
        ('cjson.decode_max_depth(1000000000) return {pcall(cjson.decode,string.rep(\'{"a":\',10000))}',
         [None, b"Found too many nested data structures (4000) at character 19996"]),
        ("cjson.encode_max_depth(3) return {pcall(cjson.encode,{{{{}}}})}",
         [None, b"Cannot serialise, excessive nesting (4)"]),
        ("cjson.decode_max_depth(3) return {pcall(cjson.decode,'[[[[]]]]')}",
         [None, b"Found too many nested data structures (4) at character 4"]),
        ("return {cjson.encode_max_depth(),cjson.decode_max_depth(),cjson.encode_number_precision(),"
         "tostring(cjson.encode_keep_buffer()),tostring(cjson.encode_invalid_numbers()),"
         "tostring(cjson.decode_invalid_numbers())}",
         [1000, 1000, 14, b"true", b"false", b"true"]),
        ("return {cjson.encode_sparse_array()}", [None, 2, 10]),
        ("cjson.encode_sparse_array('on',1,0) return cjson.encode({[2]=3})", b'{"2":3}'),
        ("cjson.encode_sparse_array(false,0) return #cjson.encode({[1]=1,[100]=3})", 495),
        ("return {pcall(cjson.encode_sparse_array,'x')}", [None, b"bad argument #1 to '?' (invalid option 'x')"]),
        ("return {pcall(cjson.encode_sparse_array,nil,-1)}",
         [None, b"bad argument #1 to '?' (expected integer between 0 and 2147483647)"]),
        ("return {pcall(cjson.encode_sparse_array,nil,nil,-1)}",
         [None, b"bad argument #1 to '?' (expected integer between 0 and 2147483647)"]),
        ("return {pcall(cjson.encode_sparse_array,nil,nil,nil,1)}",
         [None, b"bad argument #4 to '?' (found too many arguments)"]),
        ("return {pcall(cjson.encode_max_depth,0)}",
         [None, b"bad argument #1 to '?' (expected integer between 1 and 2147483647)"]),
        ("return {pcall(cjson.encode_max_depth,'x')}",
         [None, b"bad argument #1 to '?' (number expected, got string)"]),
        ("return {pcall(cjson.encode_max_depth,1,2)}", [None, b"bad argument #2 to '?' (found too many arguments)"]),
        ("return {pcall(cjson.encode_number_precision,15)}",
         [None, b"bad argument #1 to '?' (expected integer between 1 and 14)"]),
        ("return {pcall(cjson.encode_number_precision,0)}",
         [None, b"bad argument #1 to '?' (expected integer between 1 and 14)"]),
        ("cjson.encode_number_precision(3) return {cjson.encode(1/3),cjson.encode(12345),cjson.encode(1234.5),"
         "cjson.encode(0.00001234),cjson.encode(999.9)}",
         [b"0.333", b"1.23e+04", b"1.23e+03", b"1.23e-05", b"1e+03"]),
        ("cjson.encode_number_precision(1) return {cjson.encode(1/3),cjson.encode(5),cjson.encode(10),"
         "cjson.encode(0.15)}",
         [b"0.3", b"5", b"1e+01", b"0.1"]),
        ("return tostring(cjson.encode_keep_buffer(false))", b"false"),
        ("cjson.encode_keep_buffer(false) return cjson.encode({1})", b"[1]"),
        ("return {pcall(cjson.encode_keep_buffer,'null')}",
         [None, b"bad argument #1 to '?' (invalid option 'null')"]),
        ("cjson.encode_invalid_numbers(true) return {cjson.encode(1/0),cjson.encode(-1/0),cjson.encode(0/0),"
         "cjson.encode(-(0/0))}",
         [b"inf", b"-inf", b"nan", b"nan"]),
        ("cjson.encode_invalid_numbers('null') return {cjson.encode(1/0),cjson.encode(-1/0),cjson.encode(0/0),"
         "cjson.encode_invalid_numbers()}",
         [b"null", b"null", b"null", b"null"]),
        ("cjson.encode_invalid_numbers('on') return tostring(cjson.encode_invalid_numbers())", b"true"),
        ("return {pcall(cjson.encode_invalid_numbers,'maybe')}",
         [None, b"bad argument #1 to '?' (invalid option 'maybe')"]),
        ("return {pcall(cjson.encode_invalid_numbers,{})}",
         [None, b"bad argument #1 to '?' (string expected, got table)"]),
        ("cjson.decode_invalid_numbers(false) return {pcall(cjson.decode,'nan')}",
         [None, b"Expected value but found invalid token at character 1"]),
        ("cjson.decode_invalid_numbers(false) return {pcall(cjson.decode,'+1')}",
         [None, b"Expected value but found invalid token at character 1"]),
        ("cjson.decode_invalid_numbers(false) return {pcall(cjson.decode,'01')}",
         [None, b"Expected value but found invalid number at character 1"]),
        ("cjson.decode_invalid_numbers(false) return {pcall(cjson.decode,'-01')}",
         [None, b"Expected value but found invalid number at character 1"]),
        ("cjson.decode_invalid_numbers(false) return {pcall(cjson.decode,'0x1')}",
         [None, b"Expected value but found invalid number at character 1"]),
        ("cjson.decode_invalid_numbers(false) return {pcall(cjson.decode,'-inf')}",
         [None, b"Expected value but found invalid number at character 1"]),
        ("cjson.decode_invalid_numbers(false) return {pcall(cjson.decode,'1.5e')}",
         [None, b"Expected the end but found invalid token at character 4"]),
        ("cjson.decode_invalid_numbers(false) return {pcall(cjson.decode,'-')}",
         [None, b"Expected value but found invalid number at character 1"]),
        ("cjson.decode_invalid_numbers(false) return {pcall(cjson.decode,'-.5')}", [1, 0]),
        ("local c=cjson.new() c.encode_number_precision(3) return {c.encode(1/3),cjson.encode(1/3)}",
         [b"0.333", b"0.33333333333333"]),
        ("local c=cjson.new() c.x=1 return c.x", 1),
    ],
    "nesting": [
        ("return {pcall(cjson.decode,string.rep('[',1001)..string.rep(']',1001))}",
         [None, b"Found too many nested data structures (1001) at character 1001"]),
        ("local t={} for i=1,999 do t={t} end return #cjson.encode(t)", 2000),
        ("local t={} for i=1,1000 do t={t} end return #cjson.encode(t)",
         Raised("user_script:1: Cannot serialise, excessive nesting (1001)")),
        ("local t={} for i=1,1001 do t={t} end return #cjson.encode(t)",
         Raised("user_script:1: Cannot serialise, excessive nesting (1001)")),
        ("return cjson.decode(string.rep('[',1000)..string.rep(']',1000))[1][1]~=nil", 1),
        ('return {pcall(cjson.decode,string.rep(\'{"a":\',1001))}',
         [None, b"Found too many nested data structures (1001) at character 5001"]),
    ],
    "plain values": [
        ("return cjson.encode(tostring)", Raised("user_script:1: Cannot serialise function: type not supported")),
        ("return cjson.encode(nil)", b"null"),
        ("return cjson.encode(true)", b"true"),
        ("return cjson.encode(false)", b"false"),
        ("return cjson.encode(1e15)", b"1e+15"),
        ("return cjson.encode(100000000000000)", b"1e+14"),
        ("return cjson.encode(99999999999999)", b"99999999999999"),
        ("return cjson.encode(123456789012345678)", b"1.2345678901235e+17"),
        ("return cjson.encode(1e-7)", b"1e-07"),
        ("return cjson.encode(-0.0)", b"-0"),
        ("return cjson.encode(1/3)", b"0.33333333333333"),
        ("return cjson.encode(0.1+0.2)", b"0.3"),
        ("return cjson.encode(1e300*1e10)", Raised("user_script:1: Cannot serialise number: must not be NaN or Inf")),
        ("return cjson.encode(0/0)", Raised("user_script:1: Cannot serialise number: must not be NaN or Inf")),
        ("return cjson.encode(cjson.null)", b"null"),
    ],
    "strings": [
        ('return cjson.encode(\'a"b\\\\c/d\\b\\f\\n\\r\\t\\1\\31\\127\\200\\255\')',
         b'"a\\"b\\\\c\\/d\\b\\f\\n\\r\\t\\u0001\\u001f\\u007f\xc8\xff"'),
        ("return cjson.encode(string.rep('abcdefg/',300))",
         b'"abcdefg\\/abcdefg\\/abcdefg\\/abcdefg\\/abcdefg\\/abcdefg\\/abcdefg\\/abcdefg\\/abcdefg\\/abcdefg\\/abc'
         b'defg\\/abcdefg\\/abcdefg\\/abcdefg\\/abcdefg\\/abcdefg\\/abcdefg\\/abcdefg\\/abcdefg\\/abcdefg\\/abcdefg'
         b'\\/abcdefg\\/abcdefg\\/abcdefg\\/abcdefg\\/abcdefg\\/abcdefg\\/abcdefg\\/abcdefg\\/abcdefg\\/abcdefg\\/a'
         b'bcdefg\\/abcdefg\\/abcdefg\\/abcdefg\\/abcdefg\\/abcdefg\\/abcdefg\\/abcdefg\\/abcdefg\\/abcdefg\\/abcde'
         b'fg\\/abcdefg\\/abcdefg\\/abcdefg\\/abcdefg\\/abcdefg\\/abcdefg\\/abcdefg\\/abcdefg\\/abcdefg\\/abcdefg'
         b'\\/abcdefg\\/abcdefg\\/abcdefg\\/abcdefg\\/abcdefg\\/abcdefg\\/abcdefg\\/abcdefg\\/abcdefg\\/abcdefg\\/a'
         b'bcdefg\\/abcdefg\\/abcdefg\\/abcdefg\\/abcdefg\\/abcdefg\\/abcdefg\\/abcdefg\\/abcdefg\\/abcdefg\\/abcde'
         b'fg\\/abcdefg\\/abcdefg\\/abcdefg\\/abcdefg\\/abcdefg\\/abcdefg\\/abcdefg\\/abcdefg\\/abcdefg\\/abcdefg'
         b'\\/abcdefg\\/abcdefg\\/abcdefg\\/abcdefg\\/abcdefg\\/abcdefg\\/abcdefg\\/abcdefg\\/abcdefg\\/abcdefg\\/a'
         b'bcdefg\\/abcdefg\\/abcdefg\\/abcdefg\\/abcdefg\\/abcdefg\\/abcdefg\\/abcdefg\\/abcdefg\\/abcdefg\\/abcde'
         b'fg\\/abcdefg\\/abcdefg\\/abcdefg\\/abcdefg\\/abcdefg\\/abcdefg\\/abcdefg\\/abcdefg\\/abcdefg\\/abcdefg'
         b'\\/abcdefg\\/abcdefg\\/abcdefg\\/abcdefg\\/abcdefg\\/abcdefg\\/abcdefg\\/abcdefg\\/abcdefg\\/abcdefg\\/a'
         b'bcdefg\\/abcdefg\\/abcdefg\\/abcdefg\\/abcdefg\\/abcdefg\\/abcdefg\\/abcdefg\\/abcdefg\\/abcdefg\\/abcde'
         b'fg\\/abcdefg\\/abcdefg\\/abcdefg\\/abcdefg\\/abcdefg\\/abcdefg\\/abcdefg\\/abcdefg\\/abcdefg\\/abcdefg'
         b'\\/abcdefg\\/abcdefg\\/abcdefg\\/abcdefg\\/abcdefg\\/abcdefg\\/abcdefg\\/abcdefg\\/abcdefg\\/abcdefg\\/a'
         b'bcdefg\\/abcdefg\\/abcdefg\\/abcdefg\\/abcdefg\\/abcdefg\\/abcdefg\\/abcdefg\\/abcdefg\\/abcdefg\\/abcde'
         b'fg\\/abcdefg\\/abcdefg\\/abcdefg\\/abcdefg\\/abcdefg\\/abcdefg\\/abcdefg\\/abcdefg\\/abcdefg\\/abcdefg'
         b'\\/abcdefg\\/abcdefg\\/abcdefg\\/abcdefg\\/abcdefg\\/abcdefg\\/abcdefg\\/abcdefg\\/abcdefg\\/abcdefg\\/a'
         b'bcdefg\\/abcdefg\\/abcdefg\\/abcdefg\\/abcdefg\\/abcdefg\\/abcdefg\\/abcdefg\\/abcdefg\\/abcdefg\\/abcde'
         b'fg\\/abcdefg\\/abcdefg\\/abcdefg\\/abcdefg\\/abcdefg\\/abcdefg\\/abcdefg\\/abcdefg\\/abcdefg\\/abcdefg'
         b'\\/abcdefg\\/abcdefg\\/abcdefg\\/abcdefg\\/abcdefg\\/abcdefg\\/abcdefg\\/abcdefg\\/abcdefg\\/abcdefg\\/a'
         b'bcdefg\\/abcdefg\\/abcdefg\\/abcdefg\\/abcdefg\\/abcdefg\\/abcdefg\\/abcdefg\\/abcdefg\\/abcdefg\\/abcde'
         b'fg\\/abcdefg\\/abcdefg\\/abcdefg\\/abcdefg\\/abcdefg\\/abcdefg\\/abcdefg\\/abcdefg\\/abcdefg\\/abcdefg'
         b'\\/abcdefg\\/abcdefg\\/abcdefg\\/abcdefg\\/abcdefg\\/abcdefg\\/abcdefg\\/abcdefg\\/abcdefg\\/abcdefg\\/a'
         b'bcdefg\\/abcdefg\\/abcdefg\\/abcdefg\\/abcdefg\\/abcdefg\\/abcdefg\\/abcdefg\\/abcdefg\\/abcdefg\\/abcde'
         b'fg\\/abcdefg\\/abcdefg\\/abcdefg\\/abcdefg\\/abcdefg\\/abcdefg\\/abcdefg\\/abcdefg\\/abcdefg\\/abcdefg'
         b'\\/abcdefg\\/abcdefg\\/abcdefg\\/abcdefg\\/abcdefg\\/abcdefg\\/abcdefg\\/abcdefg\\/abcdefg\\/abcdefg\\/a'
         b'bcdefg\\/abcdefg\\/abcdefg\\/abcdefg\\/abcdefg\\/abcdefg\\/abcdefg\\/abcdefg\\/abcdefg\\/abcdefg\\/abcde'
         b'fg\\/abcdefg\\/abcdefg\\/abcdefg\\/abcdefg\\/abcdefg\\/abcdefg\\/abcdefg\\/abcdefg\\/abcdefg\\/abcdefg'
         b'\\/"'),
        ("local t={} for i=0,255 do t[#t+1]=string.char(i) end return cjson.encode(table.concat(t))",
         b'"\\u0000\\u0001\\u0002\\u0003\\u0004\\u0005\\u0006\\u0007\\b\\t\\n\\u000b\\f\\r\\u000e\\u000f\\u0010\\u0'
         b'011\\u0012\\u0013\\u0014\\u0015\\u0016\\u0017\\u0018\\u0019\\u001a\\u001b\\u001c\\u001d\\u001e\\u001f '
         b'!\\"#$%&\'()*+,-.\\/0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\\\]^_`abcdefghijklmnopqrstuvwxyz{|}~'
         b'\\u007f\x80\x81\x82\x83\x84\x85\x86\x87\x88\x89\x8a\x8b\x8c\x8d\x8e\x8f\x90\x91\x92\x93\x94\x95\x96\x97'
         b'\x98\x99\x9a\x9b\x9c\x9d\x9e\x9f\xa0\xa1\xa2\xa3\xa4\xa5\xa6\xa7\xa8\xa9\xaa\xab\xac\xad\xae\xaf\xb0\xb1'
         b'\xb2\xb3\xb4\xb5\xb6\xb7\xb8\xb9\xba\xbb\xbc\xbd\xbe\xbf\xc0\xc1\xc2\xc3\xc4\xc5\xc6\xc7\xc8\xc9\xca\xcb'
         b'\xcc\xcd\xce\xcf\xd0\xd1\xd2\xd3\xd4\xd5\xd6\xd7\xd8\xd9\xda\xdb\xdc\xdd\xde\xdf\xe0\xe1\xe2\xe3\xe4\xe5'
         b'\xe6\xe7\xe8\xe9\xea\xeb\xec\xed\xee\xef\xf0\xf1\xf2\xf3\xf4\xf5\xf6\xf7\xf8\xf9\xfa\xfb\xfc\xfd\xfe\xff'
         b'"'),
        ("local t={} for i=0,255 do t[#t+1]='xyz1234'..string.char(i)..'1' end return "
         "cjson.encode(table.concat(t))",
         b'"xyz1234\\u00001xyz1234\\u00011xyz1234\\u00021xyz1234\\u00031xyz1234\\u00041xyz1234\\u00051xyz1234\\u000'
         b'61xyz1234\\u00071xyz1234\\b1xyz1234\\t1xyz1234\\n1xyz1234\\u000b1xyz1234\\f1xyz1234\\r1xyz1234\\u000e1xy'
         b'z1234\\u000f1xyz1234\\u00101xyz1234\\u00111xyz1234\\u00121xyz1234\\u00131xyz1234\\u00141xyz1234\\u00151x'
         b'yz1234\\u00161xyz1234\\u00171xyz1234\\u00181xyz1234\\u00191xyz1234\\u001a1xyz1234\\u001b1xyz1234\\u001c1'
         b'xyz1234\\u001d1xyz1234\\u001e1xyz1234\\u001f1xyz1234 '
         b'1xyz1234!1xyz1234\\"1xyz1234#1xyz1234$1xyz1234%1xyz1234&1xyz1234\'1xyz1234(1xyz1234)1xyz1234*1xyz1234+1x'
         b'yz1234,1xyz1234-1xyz1234.1xyz1234\\/1xyz123401xyz123411xyz123421xyz123431xyz123441xyz123451xyz123461xyz1'
         b'23471xyz123481xyz123491xyz1234:1xyz1234;'
         b'1xyz1234<1xyz1234=1xyz1234>1xyz1234?1xyz1234@1xyz1234A1xyz1234B1xyz1234C1xyz1234D1xyz1234E1xyz1234F1xyz1'
         b'234G1xyz1234H1xyz1234I1xyz1234J1xyz1234K1xyz1234L1xyz1234M1xyz1234N1xyz1234O1xyz1234P1xyz1234Q1xyz1234R1'
         b'xyz1234S1xyz1234T1xyz1234U1xyz1234V1xyz1234W1xyz1234X1xyz1234Y1xyz1234Z1xyz1234[1xyz1234\\\\1xyz1234]1xy'
         b'z1234^1xyz1234_1xyz1234`1xyz1234a1xyz1234b1xyz1234c1xyz1234d1xyz1234e1xyz1234f1xyz1234g1xyz1234h1xyz1234'
         b'i1xyz1234j1xyz1234k1xyz1234l1xyz1234m1xyz1234n1xyz1234o1xyz1234p1xyz1234q1xyz1234r1xyz1234s1xyz1234t1xyz'
         b'1234u1xyz1234v1xyz1234w1xyz1234x1xyz1234y1xyz1234z1xyz1234{1xyz1234|1xyz1234}1xyz1234~1xyz1234\\u007f1xy'
         b'z1234\x801xyz1234\x811xyz1234\x821xyz1234\x831xyz1234\x841xyz1234\x851xyz1234\x861xyz1234\x871xyz1234'
         b'\x881xyz1234\x891xyz1234\x8a1xyz1234\x8b1xyz1234\x8c1xyz1234\x8d1xyz1234\x8e1xyz1234\x8f1xyz1234\x901xyz'
         b'1234\x911xyz1234\x921xyz1234\x931xyz1234\x941xyz1234\x951xyz1234\x961xyz1234\x971xyz1234\x981xyz1234\x99'
         b'1xyz1234\x9a1xyz1234\x9b1xyz1234\x9c1xyz1234\x9d1xyz1234\x9e1xyz1234\x9f1xyz1234\xa01xyz1234\xa11xyz1234'
         b'\xa21xyz1234\xa31xyz1234\xa41xyz1234\xa51xyz1234\xa61xyz1234\xa71xyz1234\xa81xyz1234\xa91xyz1234\xaa1xyz'
         b'1234\xab1xyz1234\xac1xyz1234\xad1xyz1234\xae1xyz1234\xaf1xyz1234\xb01xyz1234\xb11xyz1234\xb21xyz1234\xb3'
         b'1xyz1234\xb41xyz1234\xb51xyz1234\xb61xyz1234\xb71xyz1234\xb81xyz1234\xb91xyz1234\xba1xyz1234\xbb1xyz1234'
         b'\xbc1xyz1234\xbd1xyz1234\xbe1xyz1234\xbf1xyz1234\xc01xyz1234\xc11xyz1234\xc21xyz1234\xc31xyz1234\xc41xyz'
         b'1234\xc51xyz1234\xc61xyz1234\xc71xyz1234\xc81xyz1234\xc91xyz1234\xca1xyz1234\xcb1xyz1234\xcc1xyz1234\xcd'
         b'1xyz1234\xce1xyz1234\xcf1xyz1234\xd01xyz1234\xd11xyz1234\xd21xyz1234\xd31xyz1234\xd41xyz1234\xd51xyz1234'
         b'\xd61xyz1234\xd71xyz1234\xd81xyz1234\xd91xyz1234\xda1xyz1234\xdb1xyz1234\xdc1xyz1234\xdd1xyz1234\xde1xyz'
         b'1234\xdf1xyz1234\xe01xyz1234\xe11xyz1234\xe21xyz1234\xe31xyz1234\xe41xyz1234\xe51xyz1234\xe61xyz1234\xe7'
         b'1xyz1234\xe81xyz1234\xe91xyz1234\xea1xyz1234\xeb1xyz1234\xec1xyz1234\xed1xyz1234\xee1xyz1234\xef1xyz1234'
         b'\xf01xyz1234\xf11xyz1234\xf21xyz1234\xf31xyz1234\xf41xyz1234\xf51xyz1234\xf61xyz1234\xf71xyz1234\xf81xyz'
         b'1234\xf91xyz1234\xfa1xyz1234\xfb1xyz1234\xfc1xyz1234\xfd1xyz1234\xfe1xyz1234\xff1"'),
    ],
    "tables": [
        ("return cjson.encode(cjson.decode('[]'))", b"{}"),
        ("return cjson.encode({})", b"{}"),
        ("return cjson.encode({1,2,3})", b"[1,2,3]"),
        ("return cjson.encode({[1]=1,[3]=3})", b"[1,null,3]"),
        ("return cjson.encode({[1]=1,[100]=3})",
         Raised("user_script:1: Cannot serialise table: excessively sparse array")),
        ("return cjson.encode({[11]=1})", Raised("user_script:1: Cannot serialise table: excessively sparse array")),
        ("return cjson.encode({[10]=1})", b"[null,null,null,null,null,null,null,null,null,1]"),
        ("return cjson.encode({[1e10]=1})", b'{"10000000000":1}'),
        ("return cjson.encode({[2^31]=1})", b'{"2147483648":1}'),
        ("return cjson.encode({[2^31-1]=1})",
         Raised("user_script:1: Cannot serialise table: excessively sparse array")),
        ("return cjson.encode({[0]=1})", b'{"0":1}'),
        ("return cjson.encode({[-1]=1})", b'{"-1":1}'),
        ("return cjson.encode({[1.5]=1})", b'{"1.5":1}'),
        ("return cjson.encode({[1e300]=1})", b'{"1e+300":1}'),
        ("return cjson.encode({[true]=1})",
         Raised("user_script:1: Cannot serialise boolean: table key must be a number or string")),
        ("return cjson.encode({a=1,[1]=nil})", b'{"a":1}'),
        ("return cjson.encode({cjson.null,nil,cjson.null})", b"[null,null,null]"),
    ],
    "wrong arguments": [
        ("return cjson.encode()", Raised("user_script:1: bad argument #1 to 'encode' (expected 1 argument)")),
        ("return cjson.encode(1,2)", Raised("user_script:1: bad argument #1 to 'encode' (expected 1 argument)")),
        ("return {pcall(cjson.encode)}", [None, b"bad argument #1 to '?' (expected 1 argument)"]),
        ("return {pcall(cjson.encode,tostring)}", [None, b"Cannot serialise function: type not supported"]),
        ("return {pcall(cjson.decode)}", [None, b"bad argument #1 to '?' (expected 1 argument)"]),
        ("return {pcall(cjson.decode,{})}", [None, b"bad argument #1 to '?' (string expected, got table)"]),
    ],
    "numbers are read as strtod() reads them": [
        ("return {tostring(cjson.decode('nan')),tostring(cjson.decode('NaN')),tostring(cjson.decode('inf')),"
         "tostring(cjson.decode('-Infinity')),tostring(cjson.decode('INFINITY'))}",
         [b"nan", b"nan", b"inf", b"-inf", b"inf"]),
        ("return {tostring(cjson.decode('0x1F')),tostring(cjson.decode('-0x1F')),tostring(cjson.decode('007')),"
         "tostring(cjson.decode('+1')),tostring(cjson.decode('1.')),tostring(cjson.decode('-.5')),"
         "tostring(cjson.decode('-0'))}",
         [b"31", b"-31", b"7", b"1", b"1", b"-0.5", b"-0"]),
        ("return {tostring(cjson.decode('1e5')),tostring(cjson.decode('1E+5')),tostring(cjson.decode('1.5e-3')),"
         "tostring(cjson.decode('1e400')),tostring(cjson.decode('1e-400')),"
         "tostring(cjson.decode('123456789012345678901234567890'))}",
         [b"100000", b"100000", b"0.0015", b"inf", b"0", b"1.2345678901235e+29"]),
        ("return {tostring(cjson.decode('0x1p4')),tostring(cjson.decode('0.1')),"
         "tostring(cjson.decode('3.14159265358979')),tostring(cjson.decode('12345678901234567'))}",
         [b"16", b"0.1", b"3.1415926535898", b"1.2345678901235e+16"]),
    ],
    "what is no JSON": [
        ("return {pcall(cjson.decode,'1e')}", [None, b"Expected the end but found invalid token at character 2"]),
        ("return {pcall(cjson.decode,'1e+')}", [None, b"Expected the end but found invalid token at character 2"]),
        ("return {pcall(cjson.decode,'1-2')}", [None, b"Expected the end but found T_NUMBER at character 2"]),
        ("return {pcall(cjson.decode,'1.2.3')}", [None, b"Expected the end but found invalid token at character 4"]),
        ("return {pcall(cjson.decode,'-')}", [None, b"Expected value but found invalid number at character 1"]),
        ("return {pcall(cjson.decode,'-x')}", [None, b"Expected value but found invalid number at character 1"]),
        ("return {pcall(cjson.decode,'+')}", [None, b"Expected value but found invalid number at character 1"]),
        ("return {pcall(cjson.decode,'+x')}", [None, b"Expected value but found invalid number at character 1"]),
        ("return {pcall(cjson.decode,'0x')}", [None, b"Expected the end but found invalid token at character 2"]),
        ("return {pcall(cjson.decode,'0xg')}", [None, b"Expected the end but found invalid token at character 2"]),
        ("return {pcall(cjson.decode,'infi')}", [None, b"Expected the end but found invalid token at character 4"]),
        ("return {pcall(cjson.decode,'.5')}", [None, b"Expected value but found invalid token at character 1"]),
        ("return {pcall(cjson.decode,'')}", [None, b"Expected value but found T_END at character 1"]),
        ("return {pcall(cjson.decode,' ')}", [None, b"Expected value but found T_END at character 2"]),
        ("return {pcall(cjson.decode,'nul')}", [None, b"Expected value but found invalid token at character 1"]),
        ("return {pcall(cjson.decode,'nulll')}", [None, b"Expected the end but found invalid token at character 5"]),
        ("return {pcall(cjson.decode,'truex')}", [None, b"Expected the end but found invalid token at character 5"]),
        ("return {pcall(cjson.decode,'True')}", [None, b"Expected value but found invalid token at character 1"]),
        ("return {pcall(cjson.decode,'[1,2')}",
         [None, b"Expected comma or array end but found T_END at character 5"]),
        ("return {pcall(cjson.decode,'[1 2]')}",
         [None, b"Expected comma or array end but found T_NUMBER at character 4"]),
        ("return {pcall(cjson.decode,'[1,]')}", [None, b"Expected value but found T_ARR_END at character 4"]),
        ("return {pcall(cjson.decode,'[,1]')}", [None, b"Expected value but found T_COMMA at character 2"]),
        ("return {pcall(cjson.decode,'[1}')}",
         [None, b"Expected comma or array end but found T_OBJ_END at character 3"]),
        ('return {pcall(cjson.decode,\'{"a":1,}\')}',
         [None, b"Expected object key string but found T_OBJ_END at character 8"]),
        ('return {pcall(cjson.decode,\'{"a" 1}\')}', [None, b"Expected colon but found T_NUMBER at character 6"]),
        ('return {pcall(cjson.decode,\'{"a":}\')}', [None, b"Expected value but found T_OBJ_END at character 6"]),
        ("return {pcall(cjson.decode,'{a:1}')}",
         [None, b"Expected object key string but found invalid token at character 2"]),
        ("return {pcall(cjson.decode,'{1:1}')}",
         [None, b"Expected object key string but found T_NUMBER at character 2"]),
        ("return {pcall(cjson.decode,'{,}')}",
         [None, b"Expected object key string but found T_COMMA at character 2"]),
        ('return {pcall(cjson.decode,\'{"a":1 "b":2}\')}',
         [None, b"Expected comma or object end but found T_STRING at character 8"]),
        ('return {pcall(cjson.decode,\'{"a":1]\')}',
         [None, b"Expected comma or object end but found T_ARR_END at character 7"]),
        ("return {pcall(cjson.decode,']')}", [None, b"Expected value but found T_ARR_END at character 1"]),
        ("return {pcall(cjson.decode,'}')}", [None, b"Expected value but found T_OBJ_END at character 1"]),
        ("return {pcall(cjson.decode,':')}", [None, b"Expected value but found T_COLON at character 1"]),
        ("return {pcall(cjson.decode,',')}", [None, b"Expected value but found T_COMMA at character 1"]),
        ("return {pcall(cjson.decode,'1 2')}", [None, b"Expected the end but found T_NUMBER at character 3"]),
        ("return {pcall(cjson.decode,'[] []')}", [None, b"Expected the end but found T_ARR_BEGIN at character 4"]),
        ('return {pcall(cjson.decode,\'"abc\')}',
         [None, b"Expected value but found unexpected end of string at character 5"]),
        ('return {pcall(cjson.decode,\'"a\\\\\')}',
         [None, b"Expected value but found invalid escape code at character 3"]),
        ('return {pcall(cjson.decode,\'"a\\\\x"\')}',
         [None, b"Expected value but found invalid escape code at character 3"]),
        ('return {pcall(cjson.decode,\'  "a\\\\u12"\')}',
         [None, b"Expected value but found invalid unicode escape code at character 5"]),
        ('return {pcall(cjson.decode,\'"a\\\\u123g"\')}',
         [None, b"Expected value but found invalid unicode escape code at character 3"]),
        ('return {pcall(cjson.decode,\'"\\\\ud800"\')}',
         [None, b"Expected value but found invalid unicode escape code at character 2"]),
        ('return {pcall(cjson.decode,\'"\\\\ud800\\\\u0041"\')}',
         [None, b"Expected value but found invalid unicode escape code at character 2"]),
        ('return {pcall(cjson.decode,\'"\\\\udc00"\')}',
         [None, b"Expected value but found invalid unicode escape code at character 2"]),
        ('return {pcall(cjson.decode,\'"\\\\ud800x"\')}',
         [None, b"Expected value but found invalid unicode escape code at character 2"]),
        ('return {pcall(cjson.decode,\'["\\\\uD83D\\\\uDE00","\\\\u00e9","\\\\u20ac","\\\\u0041","\\\\u0000",'
         '"\\\\u007f","\\\\u0080","\\\\u07ff","\\\\u0800","\\\\uffff","\\\\udbff\\\\udfff"]\')}',
         [1, [b"\xf0\x9f\x98\x80", b"\xc3\xa9", b"\xe2\x82\xac", b"A", b"\x00", b"\x7f", b"\xc2\x80", b"\xdf\xbf",
         b"\xe0\xa0\x80", b"\xef\xbf\xbf", b"\xf4\x8f\xbf\xbf"]]),
        ("return {pcall(cjson.decode,'\\0')}", [None, b"Expected value but found T_END at character 1"]),
        ('return {pcall(cjson.decode,\'\\0"\')}', [None, b"JSON parser does not support UTF-16 or UTF-32"]),
        ('return {pcall(cjson.decode,\'"\\0\')}', [None, b"JSON parser does not support UTF-16 or UTF-32"]),
        ('return {pcall(cjson.decode,\'"a\\0b"\')}',
         [None, b"Expected value but found unexpected end of string at character 3"]),
        ("return {pcall(cjson.decode,'12\\0junk')}", [1, 12]),
        ("return {pcall(cjson.decode,'[1\\0]')}",
         [None, b"Expected comma or array end but found T_END at character 3"]),
        ("return {pcall(cjson.decode,'\\239\\187\\191[]')}",
         [None, b"Expected value but found invalid token at character 1"]),
        ("return {pcall(cjson.decode,'\\1')}", [None, b"Expected value but found invalid token at character 1"]),
        ('return {pcall(cjson.decode,"\'a\'")}', [None, b"Expected value but found invalid token at character 1"]),
        ("return {pcall(cjson.decode,'[1,2]/*c*/')}",
         [None, b"Expected the end but found invalid token at character 6"]),
    ],
    "values": [
        ('return cjson.decode(\'"\\\\"\\\\\\\\\\\\/\\\\b\\\\f\\\\n\\\\r\\\\t"\')', b'"\\/\x08\x0c\n\r\t'),
        ('return cjson.decode(\'"a\\1\\n\\tb"\')', b"a\x01\n\tb"),
        ("return cjson.decode(' \\t\\r\\n[ 1 , 2 ] ')", [1, 2]),
        ("return cjson.decode(12)", 12),
        ("return {type(cjson.decode('null')),tostring(cjson.decode('null')==cjson.null)}", [b"userdata", b"true"]),
        ('return cjson.decode(\'{"a":1,"a":2}\').a', 2),
        ("return {tostring(cjson.decode('[null]')[1]==cjson.null)}", [b"true"]),
    ],
}


@pytest.mark.parametrize("rows", row_params(ROWS))
def test_rows(rows, side):
    check(rows, side)
