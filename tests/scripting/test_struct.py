"""The library `struct`: formats, alignment, sizes, what is refused."""
import pytest

from tests.scripting.rows import check, row_params

ROWS = {
    "packing": [
        ("local function h(...) return (struct.pack(...):gsub('.',function(c) return string.format('%02x',"
         "c:byte()) end)) end return {h('b',-1),h('B',255),h('h',-2),h('H',65535),h('l',-3),h('L',2^40),h('T',7),"
         "h('i',-4),h('I',5),h('f',1.5),h('d',1.5),h('x'),h('s','abc'),h('c2','abc'),h('c0','abc'),h('>h',1),"
         "h('<h',1),h('>d',1),h('>f',1),h('i3',-1),h('>i3',1),h('I32',1),h('>I32',1),h('i16',-1),h('i0',5),h('',"
         "1),h(' b b ',1,2)}",
         [b"ff", b"ff", b"feff", b"ffff", b"fdffffffffffffff", b"0000000000010000", b"0700000000000000", b"fcffffff",
         b"05000000", b"0000c03f", b"000000000000f83f", b"00", b"61626300", b"6162", b"616263", b"0001", b"0100",
         b"3ff0000000000000", b"3f800000", b"ffffff", b"000001",
         b"0100000000000000000000000000000000000000000000000000000000000000",
         b"0000000000000000000000000000000000000000000000000000000000000001", b"ffffffffffffffff0000000000000000",
         b"", b"", b"0102"]),
        ("local function h(...) return (struct.pack(...):gsub('.',function(c) return string.format('%02x',"
         "c:byte()) end)) end return {h('!bi',1,2),h('!4bd',1,2),h('!bd',1,2),h('!2bi',1,2),h('!1bi',1,2),"
         "h('!bxh',1,2),h('!8bhil',1,2,3,4),h('!bi3',1,2),h('!bc4',1,'abcd'),h('!bsb',1,'a',2),h('!16bd',1,2)}",
         [b"0100000002000000", b"010000000000000000000040", b"01000000000000000000000000000040", b"010002000000",
         b"0102000000", b"01000200", b"01000200030000000400000000000000", b"010000020000", b"0161626364",
         b"01610002", b"01000000000000000000000000000040"]),
        ("local function h(...) return (struct.pack(...):gsub('.',function(c) return string.format('%02x',"
         "c:byte()) end)) end return {h('l',2^63),h('l',-2^63),h('l',2^64),h('l',1e300),h('l',-1e300),h('l',0/0),"
         "h('L',2^63+2^60),h('i',2^40),h('b',300),h('l',1/0),h('l',-1/0),h('l',3.99),h('l',-3.99),h('l','12')}",
         [b"0000000000000080", b"0000000000000080", b"0000000000000000", b"0000000000000000", b"0000000000000080",
         b"0000000000000080", b"0000000000000090", b"00000000", b"2c", b"0000000000000000", b"0000000000000080",
         b"0300000000000000", b"fdffffffffffffff", b"0c00000000000000"]),
        ("return struct.pack('b\\0b',1,2)", b"\x01"),
        ("return struct.pack('s','a\\0b')", b"a\x00b\x00"),
    ],
    "refused when packing": [
        ("return {pcall(struct.pack)}", [None, b"bad argument #1 to '?' (string expected, got no value)"]),
        ("return {pcall(struct.pack,'i')}", [None, b"bad argument #2 to '?' (number expected, got nil)"]),
        ("return {pcall(struct.pack,'i','x')}", [None, b"bad argument #2 to '?' (number expected, got string)"]),
        ("return {pcall(struct.pack,'i33',1)}", [None, b"integral size 33 is larger than limit of 32"]),
        ("return {pcall(struct.pack,'i99999999999',1)}", [None, b"integral size overflow"]),
        ("return {pcall(struct.pack,'c99999999999','x')}", [None, b"integral size overflow"]),
        ("return {pcall(struct.pack,'c2147483647','x')}", [None, b"bad argument #3 to '?' (string too short)"]),
        ("return {pcall(struct.pack,'c5','abc')}", [None, b"bad argument #3 to '?' (string too short)"]),
        ("return {pcall(struct.pack,'bc5',1,'abc')}", [None, b"bad argument #4 to '?' (string too short)"]),
        ("return {pcall(struct.pack,'z',1)}", [None, b"bad argument #1 to '?' (invalid format option 'z')"]),
        ("return {pcall(struct.pack,'\\200',1)}", [None, b"bad argument #1 to '?' (invalid format option '\xc8')"]),
        ("return {pcall(struct.pack,'!3b',1)}", [None, b"alignment 3 is not a power of 2"]),
        ("return {pcall(struct.pack,'!0b',1)}", [None, b"alignment 0 is not a power of 2"]),
        ("return {pcall(struct.pack,'!2147483648b',1)}", [None, b"integral size overflow"]),
        ("return {pcall(struct.pack,'5',1)}", [None, b"bad argument #1 to '?' (invalid format option '5')"]),
        ("return {pcall(struct.pack,'s')}", [None, b"bad argument #2 to '?' (string expected, got nil)"]),
        ("return {pcall(struct.pack,'s',{})}", [None, b"bad argument #2 to '?' (string expected, got table)"]),
        ("return {pcall(struct.pack,{})}", [None, b"bad argument #1 to '?' (string expected, got table)"]),
    ],
    "unpacking": [
        ("return {struct.unpack('b','\\255')}", [-1, 2]),
        ("return {struct.unpack('B','\\255')}", [255, 2]),
        ("return {struct.unpack('bBhHlLi','"
         "\\1\\2\\3\\0\\4\\0\\5\\0\\0\\0\\0\\0\\0\\0\\6\\0\\0\\0\\0\\0\\0\\0\\7\\0\\0\\0')}",
         [1, 2, 3, 4, 5, 6, 7, 27]),
        ("return {struct.unpack('>i3','\\255\\255\\254')}", [-2, 4]),
        ("return {struct.unpack('<i3','\\254\\255\\255')}", [-2, 4]),
        ("return {struct.unpack('>I3','\\255\\255\\254')}", [16777214, 4]),
        ("local r={struct.unpack('i16',string.rep('\\1',8)..string.rep('\\255',8))} return {tostring(r[1]),r[2]}",
         [b"7.2340172838077e+16", 17]),
        ("local o={} for n=8,32 do local r={struct.unpack('i'..n,'\\0\\1\\2\\3\\4\\5\\6\\7'..string.rep('\\0',"
         "24))} o[#o+1]=tostring(r[1]) o[#o+1]=r[2] end return o",
         [b"5.0609752291423e+17", 9, b"-128", 10, b"-32512", 11, b"-8257280", 12, b"-2097020672", 13,
         b"-532525481728", 14, b"-1.3522269988429e+14", 15, b"-3.4334432370229e+16", 16, b"5.0609752291423e+17", 17,
         b"-128", 18, b"-32512", 19, b"-8257280", 20, b"-2097020672", 21, b"-532525481728", 22,
         b"-1.3522269988429e+14", 23, b"-3.4334432370229e+16", 24, b"5.0609752291423e+17", 25, b"-128", 26,
         b"-32512", 27, b"-8257280", 28, b"-2097020672", 29, b"-532525481728", 30, b"-1.3522269988429e+14", 31,
         b"-3.4334432370229e+16", 32, b"5.0609752291423e+17", 33]),
        ("local o={} for n=8,32 do local r={struct.unpack('>i'..n,string.rep('\\0',"
         "24)..'\\0\\1\\2\\3\\4\\5\\6\\7')} o[#o+1]=tostring(r[1]) o[#o+1]=r[2] end return o",
         [b"0", 9, b"0", 10, b"0", 11, b"0", 12, b"0", 13, b"0", 14, b"0", 15, b"0", 16, b"0", 17, b"0", 18, b"0",
         19, b"0", 20, b"0", 21, b"0", 22, b"0", 23, b"0", 24, b"0", 25, b"0", 26, b"1", 27, b"258", 28, b"66051",
         29, b"16909060", 30, b"4328719365", 31, b"1108152157446", 32, b"2.8368695230618e+14", 33]),
        ("local o={} for n=1,32 do local r={struct.unpack('i'..n,string.rep('\\255',32))} o[#o+1]=tostring(r[1]) "
         "end return o",
         [b"-1", b"-1", b"-1", b"-1", b"-1", b"-1", b"-1", b"-1", b"-1", b"-1", b"-1", b"-1", b"-1", b"-1", b"-1",
         b"-1", b"-1", b"-1", b"-1", b"-1", b"-1", b"-1", b"-1", b"-1", b"-1", b"-1", b"-1", b"-1", b"-1", b"-1",
         b"-1", b"-1"]),
        ("local o={} for n=1,32 do local r={struct.unpack('I'..n,string.rep('\\255',32))} o[#o+1]=tostring(r[1]) "
         "end return o",
         [b"255", b"65535", b"16777215", b"4294967295", b"1099511627775", b"2.8147497671066e+14",
         b"7.2057594037928e+16", b"1.844674407371e+19", b"1.844674407371e+19", b"1.844674407371e+19",
         b"1.844674407371e+19", b"1.844674407371e+19", b"1.844674407371e+19", b"1.844674407371e+19",
         b"1.844674407371e+19", b"1.844674407371e+19", b"1.844674407371e+19", b"1.844674407371e+19",
         b"1.844674407371e+19", b"1.844674407371e+19", b"1.844674407371e+19", b"1.844674407371e+19",
         b"1.844674407371e+19", b"1.844674407371e+19", b"1.844674407371e+19", b"1.844674407371e+19",
         b"1.844674407371e+19", b"1.844674407371e+19", b"1.844674407371e+19", b"1.844674407371e+19",
         b"1.844674407371e+19", b"1.844674407371e+19"]),
        ("return {struct.unpack('i0','abc')}", [0, 1]),
        ("local r={struct.unpack('L','\\255\\255\\255\\255\\255\\255\\255\\255')} return tostring(r[1])",
         b"1.844674407371e+19"),
        ("local r={struct.unpack('fd','\\0\\0\\192\\63\\0\\0\\0\\0\\0\\0\\248\\63')} return {tostring(r[1]),"
         "tostring(r[2]),r[3]}",
         [b"1.5", b"1.5", 13]),
        ("local r={struct.unpack('>fd','\\63\\192\\0\\0\\63\\248\\0\\0\\0\\0\\0\\0')} return {tostring(r[1]),"
         "tostring(r[2]),r[3]}",
         [b"1.5", b"1.5", 13]),
        ("return {struct.unpack('s','abc\\0def')}", [b"abc", 5]),
        ("return {struct.unpack('ss','abc\\0def\\0')}", [b"abc", b"def", 9]),
        ("return {struct.unpack('c3','abcd')}", [b"abc", 4]),
        ("return {struct.unpack('Bc0','\\3abcd')}", [b"abc", 5]),
        ("return {struct.unpack('xb','\\1\\2')}", [2, 3]),
        ("return {struct.unpack('b','abc',2)}", [98, 3]),
        ("return {struct.unpack('b','abc',3)}", [99, 4]),
        ("return {struct.unpack('','abc',4)}", [4]),
        ("return {struct.unpack('!bi','\\1\\0\\0\\0\\2\\0\\0\\0')}", [1, 2, 9]),
        ("return {struct.unpack('!bi','\\1\\0\\0\\0\\2\\0\\0\\0',2)}", [0, 2, 9]),
        ("return {#{struct.unpack(string.rep('b',7000),string.rep('a',7000))}}", [7001]),
    ],
    "refused when unpacking": [
        ("return {pcall(struct.unpack,'s','abc')}", [None, b"unfinished string in data"]),
        ("return {pcall(struct.unpack,'c0','abcd')}", [None, b"format 'c0' needs a previous size"]),
        ("return {pcall(struct.unpack,'sc0','a\\0bcd')}", [None, b"format 'c0' needs a previous size"]),
        ("return {pcall(struct.unpack,'Bc0','\\9abcd')}", [None, b"bad argument #2 to '?' (data string too short)"]),
        ("return {pcall(struct.unpack,'bc0','\\255abcd')}",
         [None, b"bad argument #2 to '?' (data string too short)"]),
        ("return {pcall(struct.unpack,'sc0','2\\0bcd')}", [1, b"bc", 5]),
        ("return {pcall(struct.unpack,'dc0',struct.pack('d',-0.5)..'abc')}", [1, b"", 9]),
        ("return {pcall(struct.unpack,'dc0',struct.pack('d',1.9)..'abc')}", [1, b"a", 10]),
        ("return {pcall(struct.unpack,'dc0',struct.pack('d',1e300)..'abc')}", [1, b"", 9]),
        ("return {pcall(struct.unpack,'dc0',struct.pack('d',0/0)..'abc')}",
         [None, b"bad argument #2 to '?' (data string too short)"]),
        ("return {pcall(struct.unpack,'dc0',struct.pack('d',1/0)..'abc')}", [1, b"", 9]),
        ("return {pcall(struct.unpack,'dc0',struct.pack('d',-1/0)..'abc')}",
         [None, b"bad argument #2 to '?' (data string too short)"]),
        ("return {pcall(struct.unpack,'dc0',struct.pack('d',2^64)..'abc')}", [1, b"", 9]),
        ("return {pcall(struct.unpack,'dc0',struct.pack('d',-2^64)..'abc')}",
         [None, b"bad argument #2 to '?' (data string too short)"]),
        ("return {pcall(struct.unpack,'b','abc',4)}", [None, b"bad argument #2 to '?' (data string too short)"]),
        ("return {pcall(struct.unpack,'b','abc',0)}",
         [None, b"bad argument #3 to '?' (offset must be 1 or greater)"]),
        ("return {pcall(struct.unpack,'b','abc',-1)}", [None, b"bad argument #2 to '?' (data string too short)"]),
        ("return {pcall(struct.unpack,'b','abc',2^53)}", [None, b"bad argument #2 to '?' (data string too short)"]),
        ("return {pcall(struct.unpack,'','abc',5)}", [1, 5]),
        ("return {pcall(struct.unpack,'i','abc')}", [None, b"bad argument #2 to '?' (data string too short)"]),
        ("return {pcall(struct.unpack,'c99999999999','x')}", [None, b"integral size overflow"]),
        ("return {pcall(struct.unpack,'c2147483647','x')}",
         [None, b"bad argument #2 to '?' (data string too short)"]),
        ("return {pcall(struct.unpack,'i33','x')}", [None, b"integral size 33 is larger than limit of 32"]),
        ("return {pcall(struct.unpack,'z','x')}", [None, b"bad argument #1 to '?' (invalid format option 'z')"]),
        ("return {pcall(struct.unpack,'b')}", [None, b"bad argument #2 to '?' (string expected, got no value)"]),
        ("return {pcall(struct.unpack)}", [None, b"bad argument #1 to '?' (string expected, got no value)"]),
        ("return {pcall(struct.unpack,string.rep('b',9000),string.rep('a',9000))}",
         [None, b"stack overflow (too many results)"]),
    ],
    "sizes": [
        ("return {struct.size('bBhHlLTiIfd'),struct.size('i3'),struct.size('c5'),struct.size('!bi'),"
         "struct.size('!4bd'),struct.size('x'),struct.size(''),struct.size('z'),struct.size('> <'),"
         "struct.size('5'),struct.size('i0')}",
         [50, 3, 5, 8, 12, 1, 0, 0, 0, 0, 0]),
        ("return {pcall(struct.size,'s')}", [None, b"bad argument #1 to '?' (option 's' has no fixed size)"]),
        ("return {pcall(struct.size,'c0')}", [None, b"bad argument #1 to '?' (option 'c0' has no fixed size)"]),
        ("return {pcall(struct.size,'c')}", [1, 1]),
        ("return {pcall(struct.size,'?')}", [None, b"bad argument #1 to '?' (invalid format option '?')"]),
        ("return {pcall(struct.size,'!3b')}", [None, b"alignment 3 is not a power of 2"]),
        ("return {pcall(struct.size,'i33')}", [None, b"integral size 33 is larger than limit of 32"]),
        ("return {pcall(struct.size,'c2147483647c2147483647c2147483647')}", [1, 6442450941]),
        ("return {pcall(struct.size)}", [None, b"bad argument #1 to '?' (string expected, got no value)"]),
    ],
    "the table": [
        ("local t={} for k in pairs(struct) do t[#t+1]=k end table.sort(t) return t", [b"pack", b"size", b"unpack"]),
    ],
}


@pytest.mark.parametrize("rows", row_params(ROWS))
def test_rows(rows, side):
    check(rows, side)
