"""Strings and numbers: string.format, which is our own, patterns, and what LuaJIT has to give like Lua 5.1."""
import pytest

from tests.scripting.rows import Raised, check, row_params

ROWS = {
    "format": [
        ("return {string.format('%d %i %5d|%-5d|%05d|%+d|% d|%.3d|%8.3d',1,2,3,4,5,6,7,8,9)}",
         [b"1 2     3|4    |00005|+6| 7|008|     009"]),
        ("return {string.format('%d',3.99),string.format('%d',-3.99),string.format('%d','12'),string.format('%d',"
         "2^53),string.format('%d',2^62),string.format('%d',-2^63),string.format('%d',2^63),string.format('%d',"
         "1e300),string.format('%d',-1e300)}",
         [b"3", b"-3", b"12", b"9007199254740992", b"4611686018427387904", b"-9223372036854775808",
         b"-9223372036854775808", b"-9223372036854775808", b"-9223372036854775808"]),
        ("return {string.format('%d',0/0),string.format('%d',1/0),string.format('%5.1d',1/0)}",
         [b"-9223372036854775808", b"-9223372036854775808", b"-9223372036854775808"]),
        ("return {string.format('%u',5),string.format('%u',2^63),string.format('%o',8),string.format('%x',255),"
         "string.format('%X',255),string.format('%#x',255),string.format('%#o',8),string.format('%08x',2^32),"
         "string.format('%x',2^64),string.format('%u',1e300)}",
         [b"5", b"9223372036854775808", b"10", b"ff", b"FF", b"0xff", b"010", b"100000000", b"0", b"0"]),
        ("return {string.format('%u',-1),string.format('%x',-1),string.format('%x',-2^63)}",
         [b"18446744073709551615", b"ffffffffffffffff", b"8000000000000000"]),
        ("return {string.format('%c%c%c',65,66,67),string.format('%3c|%-3c|',65,66),#string.format('%c',0),"
         "string.format('%c',321)}",
         [b"ABC", b"  A|B  |", 0, b"A"]),
        ("return {string.format('%f',1.5),string.format('%.2f',1/3),string.format('%10.2f|',1/3),"
         "string.format('%-10.2f|',1/3),string.format('%+.1f',2),string.format('%e',12345.678),string.format('%E',"
         "12345.678),string.format('%.3e',0.00012345)}",
         [b"1.500000", b"0.33", b"      0.33|", b"0.33      |", b"+2.0", b"1.234568e+04", b"1.234568E+04",
         b"1.234e-04"]),
        ("return {string.format('%g',0.1),string.format('%g',1e20),string.format('%G',1e-10),"
         "string.format('%.14g',1/3),string.format('%.20f',0.1),string.format('%.99f',1/3),"
         "string.format('%99.99f',1/3),string.format('%.0f',0.5),string.format('%#.0f',1)}",
         [b"0.1", b"1e+20", b"1E-10", b"0.33333333333333", b"0.10000000000000000555",
         b"0.333333333333333314829616256247390992939472198486328125000000000000000000000000000000000000000000000",
         b"0.333333333333333314829616256247390992939472198486328125000000000000000000000000000000000000000000000",
         b"0", b"1."]),
        ("return {string.format('%f',1/0),string.format('%f',-1/0),string.format('%g',1e308),#string.format('%f',"
         "1e308),#string.format('%99.99f',-1e308),string.format('%5.1f',1/0)}",
         [b"inf", b"-inf", b"1e+308", 316, 410, b"  inf"]),
        ("return {string.format('%s',1),string.format('%s','a'),string.format('%s',1.5),string.format('%s',1e15),"
         "string.format('%5s|%-5s|%.2s|%5.1s|','a','b','abc','xyz')}",
         [b"1", b"a", b"1.5", b"1e+15", b"    a|b    |ab|    x|"]),
        ("return {#string.format('%s','a\\0b'),#string.format('%5s','a\\0b'),#string.format('%.10s','a\\0b'),"
         "#string.format('%5s',string.rep('x',100)..'\\0y'),#string.format('%5s',string.rep('x',99)..'\\0y'),"
         "#string.format('%.5s',string.rep('x',200)),#string.format('%s',string.rep('x',1000))}",
         [1, 5, 1, 102, 101, 5, 1000]),
        ("return {#string.format('%99.99s',string.rep('x',200)),#string.format('%-99s|',string.rep('x',50))}",
         [99, 100]),
        ('return {string.format(\'%q\',\'a"b\\\\c\\nd\\re\\0f\'),string.format(\'%q\',12),string.format(\'%q\','
         '\'\\200\\1\\t\')}',
         [b'"a\\"b\\\\c\\\nd\\re\\000f"', b'"12"', b'"\xc8\x01\t"']),
        ("return {string.format('%%'),string.format('a%%b%%'),string.format(''),string.format(12)}",
         [b"%", b"a%b%", b"", b"12"]),
        ("return {pcall(string.format,'%5%')}", [None, b"bad argument #2 to '?' (no value)"]),
        ("return {pcall(string.format,'%')}", [None, b"bad argument #2 to '?' (no value)"]),
        ("return {pcall(string.format,'%',1)}", [None, b"invalid option '%' to 'format'"]),
        ("return {pcall(string.format,'%5%',1)}", [None, b"invalid option '%%' to 'format'"]),
        ("return {pcall(string.format,'%5',1)}", [None, b"invalid option '%' to 'format'"]),
        ("return {pcall(string.format,'%y',1)}", [None, b"invalid option '%y' to 'format'"]),
        ("return {pcall(string.format,'%ld',1)}", [None, b"invalid option '%l' to 'format'"]),
        ("return {pcall(string.format,'%123d',1)}", [None, b"invalid format (width or precision too long)"]),
        ("return {pcall(string.format,'%1.123d',1)}", [None, b"invalid format (width or precision too long)"]),
        ("return {pcall(string.format,'%------d',1)}", [None, b"invalid format (repeated flags)"]),
        ("return {pcall(string.format,'%-----d',1)}", [1, b"1"]),
        ("return {pcall(string.format,'%-+ #0d',1)}", [1, b"+1"]),
        ("return {pcall(string.format,'%d')}", [None, b"bad argument #2 to '?' (no value)"]),
        ("return {pcall(string.format,'%d','x')}", [None, b"bad argument #2 to '?' (number expected, got string)"]),
        ("return {pcall(string.format,'%d',{})}", [None, b"bad argument #2 to '?' (number expected, got table)"]),
        ("return {pcall(string.format,'%s')}", [None, b"bad argument #2 to '?' (no value)"]),
        ("return {pcall(string.format,'%s',nil)}", [None, b"bad argument #2 to '?' (string expected, got nil)"]),
        ("return {pcall(string.format,'%s',true)}", [None, b"bad argument #2 to '?' (string expected, got boolean)"]),
        ("return {pcall(string.format,'%s',{})}", [None, b"bad argument #2 to '?' (string expected, got table)"]),
        ("return {pcall(string.format,'%s',setmetatable({},{__tostring=function() return 'q' end}))}",
         [None, b"bad argument #2 to '?' (string expected, got table)"]),
        ("return {pcall(string.format,'%q',nil)}", [None, b"bad argument #2 to '?' (string expected, got nil)"]),
        ("return {pcall(string.format,'%c','x')}", [None, b"bad argument #2 to '?' (number expected, got string)"]),
        ("return {pcall(string.format,'%a',1)}", [None, b"invalid option '%a' to 'format'"]),
        ("return {pcall(string.format,'%p',{})}", [None, b"invalid option '%p' to 'format'"]),
        ("return {pcall(string.format)}", [None, b"bad argument #1 to '?' (string expected, got no value)"]),
        ("return {pcall(string.format,{})}", [None, b"bad argument #1 to '?' (string expected, got table)"]),
        ("string.format('%d','x')",
         Raised("user_script:1: bad argument #2 to 'format' (number expected, got string)")),
        ("return ('%s=%d'):format('a',1)", b"a=1"),
        ("return {string.format('%d%s%d%s',1,'a',2,'b',3,'c')}", [b"1a2b"]),
    ],
    "gsub": [
        ("return {string.gsub('hello world','o','0')}", [b"hell0 w0rld", 2]),
        ("return {string.gsub('hello world','(%w+)','<%1>')}", [b"<hello> <world>", 2]),
        ("return {string.gsub('hello world','%w+','%0 %0',1)}", [b"hello hello world", 1]),
        ("return {string.gsub('abc','%w',{a='1',b=true and 'B',c=false})}", [b"1Bc", 3]),
        ("return {string.gsub('abc','%w',function(c) if c=='b' then return nil end return c:upper() end)}",
         [b"AbC", 3]),
        ("return {string.gsub('abc','(%w)(%w)',function(a,b) return b..a end)}", [b"bac", 1]),
        ("return {string.gsub('abc','',' - ')}", [b" - a - b - c - ", 4]),
        ("return {string.gsub('hello','l+',function(s) return #s end)}", [b"he2o", 1]),
        ("return {string.gsub('abc','b','%%')}", [b"a%c", 1]),
        ("return {pcall(string.gsub,'abc','b','%2')}", [None, b"invalid capture index"]),
        ("return {pcall(string.gsub,'abc','(','x')}", [1, b"xaxbxcx", 4]),
        ("return {pcall(string.gsub,'abc','%','x')}", [None, b"malformed pattern (ends with '%')"]),
        ("return {pcall(string.gsub,'abc','[a','x')}", [None, b"malformed pattern (missing ']')"]),
        ("return {pcall(string.gsub,'abc','b')}", [None, b"bad argument #3 to '?' (string/function/table expected)"]),
        ("return {pcall(string.gsub,'abc')}", [None, b"bad argument #2 to '?' (string expected, got no value)"]),
        ("return {pcall(string.gsub)}", [None, b"bad argument #1 to '?' (string expected, got no value)"]),
        ("return {pcall(string.gsub,'abc','b',true)}",
         [None, b"bad argument #3 to '?' (string/function/table expected)"]),
        ("return {pcall(string.gsub,'abc','b',function() return {} end)}",
         [None, b"invalid replacement value (a table)"]),
        ("return {pcall(string.gsub,'abc','b',{b={}})}", [None, b"invalid replacement value (a table)"]),
        ("return {pcall(string.gsub,'abc','b','x','y')}",
         [None, b"bad argument #4 to '?' (number expected, got string)"]),
        ("string.gsub('abc','%','x')", Raised("user_script:1: malformed pattern (ends with '%')")),
        ("string.gsub('abc','b')",
         Raised("user_script:1: bad argument #3 to 'gsub' (string/function/table expected)")),
        ("return ('abc'):gsub('b',true)",
         Raised("user_script:1: bad argument #2 to 'gsub' (string/function/table expected)")),
        ("return {string.gsub('abc','b','x',0),string.gsub('aaa','a','x',-1)}", [b"abc", b"aaa", 0]),
        ("return {pcall(string.gsub,'abc','b',function() error('q') end)}", [None, b"user_script:1: q"]),
        ("return {pcall(string.gsub,'abc','b',function() error({err='q'}) end)}", [None, b"q"]),
        ("local function f(n) if n==0 then return 'x' end return (string.gsub('a','a',function() return f(n-1) "
         "end)) end return f(60)",
         b"x"),
    ],
    "find, match, gmatch": [
        ("return {string.find('hello','l')}", [3, 3]),
        ("return {string.find('hello','(l)(l)')}", [3, 4, b"l", b"l"]),
        ("return {string.find('a.b','.',1,true),string.find('a.b','%.'),string.find('abc','b',-1),"
         "string.find('abc','',10)}",
         [2, 2]),
        ("return {string.match('key=value','(%w+)=(%w+)'),string.match('2026-11-27','%d+',-2),string.match('x',"
         "'y')}",
         [b"key", b"27"]),
        ("return {string.match('  trim  ','^%s*(.-)%s*$'),string.match('[[x]]','%[%[(.*)%]%]'),"
         "string.match('f(a(b)c)','%b()'),string.match('THE (quick) fox','%((%a+)%)')}",
         [b"trim", b"x", b"(a(b)c)", b"quick"]),
        ("return {string.match('hello','()ll()'),string.find('abc','[b-]'),string.find('a-c','[a%-]',2),"
         "string.match('0x1F','^0[xX](%x+)$')}",
         [3, 2, 2, b"1F"]),
        ("local t={} for k,v in string.gmatch('a=1, b=2','(%w+)=(%w+)') do t[#t+1]=k..v end return t",
         [b"a1", b"b2"]),
        ("local t={} for w in string.gfind('one two','%a+') do t[#t+1]=w end return t", [b"one", b"two"]),
        ("return {pcall(string.find,'a','[')}", [None, b"malformed pattern (missing ']')"]),
        ("return {pcall(string.find,'a','%')}", [None, b"malformed pattern (ends with '%')"]),
        ("return {pcall(string.match,'a','(()')}", [None, b"unfinished capture"]),
        ("return {pcall(string.find)}", [None, b"bad argument #1 to '?' (string expected, got no value)"]),
        ("return {pcall(string.rep)}", [None, b"bad argument #1 to '?' (string expected, got no value)"]),
        ("return {pcall(string.rep,'x')}", [None, b"bad argument #2 to '?' (number expected, got no value)"]),
    ],
    "other functions": [
        ("return {string.byte('abc',1,-1),string.byte('abc',10),string.char(),string.char(72,105),#string.char(0,"
         "255)}",
         [97]),
        ("return {pcall(string.char,256)}", [None, b"bad argument #1 to '?' (invalid value)"]),
        ("return {pcall(string.char,-1)}", [None, b"bad argument #1 to '?' (invalid value)"]),
        ("return {string.sub('hello',2,3),string.sub('hello',-3),string.sub('hello',0),string.sub('hello',4,2),"
         "string.sub('hello',-100,100)}",
         [b"el", b"llo", b"hello", b"", b"hello"]),
        ("return {string.rep('ab',3),string.rep('x',0),string.rep('x',-1),string.reverse('abc'),"
         "string.upper('aBc'),string.lower('AbC'),string.len('a\\0b')}",
         [b"ababab", b"", b"", b"cba", b"ABC", b"abc", 3]),
        ("return {#'abc',('x'):rep(3),('abc'):byte(2)}", [3, b"xxx", 98]),
        ("return {tostring(12),tostring(1.5),tostring(1e15),tostring(1e100),tostring(-0.0),tostring(123456789012),"
         "tostring(2^53),tostring(0.1),tostring(1/3),tostring(nil),tostring(true)}",
         [b"12", b"1.5", b"1e+15", b"1e+100", b"-0", b"123456789012", b"9.007199254741e+15", b"0.1",
         b"0.33333333333333", b"nil", b"true"]),
        ("return {tonumber('12'),tonumber('0x1F'),tonumber(' 5 '),tonumber('1e2'),tostring(tonumber('x')),"
         "tostring(tonumber('')),tonumber('ff',16),tonumber('777',8),tonumber('zz',36),tostring(tonumber('9',8)),"
         "tostring(tonumber('5x'))}",
         [12, 31, 5, 100, b"nil", b"nil", 255, 511, 1295, b"nil", b"nil"]),
        ("return {pcall(tonumber)}", [None, b"bad argument #1 to '?' (value expected)"]),
        ("return {pcall(tonumber,'1',1)}", [None, b"bad argument #2 to '?' (base out of range)"]),
        ("return {1 .. '',2^53 ..'',0.1 ..'','10'+5,'0x10'+0,10 ..20}",
         [b"1", b"9.007199254741e+15", b"0.1", 15, 16, b"1020"]),
        ("return {math.floor(-1.5),math.ceil(-1.5),math.abs(-3),math.max(1,5,3),math.min(4,2),math.fmod(7,3),"
         "math.fmod(-7,3),-7%3,7%-3,math.sqrt(16),2^10,math.mod(7,3)}",
         [-2, -1, 3, 5, 2, 1, -1, 2, -2, 4, 1024, 1]),
        ("return {tostring(math.pi),tostring(math.huge),tostring(math.log(10)),tostring(math.log10(1000)),"
         "tostring(math.exp(1)),tostring(math.sin(1)),tostring(math.atan2(1,2)),tostring(math.deg(1)),"
         "tostring(math.rad(180)),tostring(math.ldexp(1,10)),(math.frexp(8)),(math.modf(3.7))}",
         [b"3.1415926535898", b"inf", b"2.302585092994", b"3", b"2.718281828459", b"0.8414709848079",
         b"0.46364760900081", b"57.295779513082", b"3.1415926535898", b"1024", 0, 3]),
        ("return {pcall(math.floor,'x')}", [None, b"bad argument #1 to '?' (number expected, got string)"]),
        ("return {pcall(math.max)}", [None, b"bad argument #1 to '?' (number expected, got no value)"]),
    ],
}


@pytest.mark.parametrize("rows", row_params(ROWS))
def test_rows(rows, side):
    check(rows, side)
