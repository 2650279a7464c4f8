"""A function that is called last: the line of its error, and that all of its values are still returned. And `arg`."""
import pytest

from tests.commands.test_scripting import at, returns
from tests.resp import Error

UNKNOWN = "ERR Unknown Redis command called from script"
TWO = "local function two() return 1, 2 end "
LINES = {
    "alone": ("return redis.call('nosuch')", 1),
    "behind empty lines": ("\n\nreturn redis.call('nosuch')", 3),
    "with its arguments in other lines": ("return redis.call(\n'nosuch',\n'x')", 1),
    "before a semicolon": ("return redis.call('nosuch');", 1),
    "before a comment": ("return redis.call('nosuch') -- )", 1),
    "behind a comment": ("return --[==[ ]] \n ]==] redis.call('nosuch')", 2),
    "with a string for its arguments": ("return redis.call'nosuch'", 1),
    "with a long string": ("return redis.call[[nosuch]]", 1),
    "in a condition": ("local x = 1\nif x then\nreturn redis.call('nosuch')\nelse return 1 end", 3),
    "in the other branch": ("local x\nif x then return 1\nelse return redis.call('nosuch')\nend", 3),
    "in loops": ("for i = 1, 2 do\nrepeat\nreturn redis.call('nosuch')\nuntil i end", 3),
    "in a function": ("local function f()\nreturn redis.call('nosuch')\nend\nlocal x = f() return x", 2),
    "in a function in a table": ("local t = {f = function(a) return\nredis.call('nosuch', a) end}\n"
                                 "local x = t.f(1) return x", 2),
    "by a name of its own": ("local call = redis.call\nreturn call('nosuch')", 2),
    "in brackets": ("local t = {redis.call}\nreturn t[1]('nosuch')", 2),
    "behind strings that look like code": ("local x = 'return redis.call(\\'a'\nlocal y = [[ function ( ]]\n"
                                           "return redis.call('nosuch', x, y)", 3),
    "behind names that end like keywords": ("local bend, _end, function1 = 1, 2, 3\n"
                                            "return redis.call('nosuch', bend)", 2),
}
ARG = "local function f(...)\nlocal n = arg.n\nreturn redis.call('nosuch') end\nreturn f()"
CASES = {name: [(["EVAL", script, "0"], at(script, UNKNOWN, line))] for name, (script, line) in LINES.items()}
# In functions: those that never return, or return one value.
OTHERS = {
    "error": ("error('x')", "x"),
    "error for the caller": ("error('x', 2)", None),
    "tonumber": ("tonumber()", "bad argument #1 to 'tonumber' (value expected)"),
    "string.rep": ("string.rep()", "bad argument #1 to 'rep' (string expected, got no value)"),
    "table.concat": ("table.concat({{}})", "invalid value (table) at index 1 in table for 'concat'"),
    "math.floor": ("math.floor('x')", "bad argument #1 to 'floor' (number expected, got string)"),
    "bit.band": ("bit.band()", "bad argument #1 to 'band' (number expected, got no value)"),
}
for name, (call, message) in OTHERS.items():
    script = f"local function f(a)\nreturn {call}\nend\nlocal x = f(1)\nreturn x"
    place = f"user_script:{2 if message else 4}: {message or 'x'}"
    CASES[name] = [(["EVAL", script, "0"], at(script, "ERR " + place, 2))]
# Functions that LuaJIT has in Lua, ours, and one in front of which there is a check.
PLACES = {
    "table.remove": ("table.remove('x')", "user_script:2: bad argument #1 to 'remove' (table expected, got string)"),
    "table.getn": ("table.getn('x')", "user_script:2: bad argument #1 to 'getn' (table expected, got string)"),
    "math.rad": ("math.rad('x')", "user_script:2: bad argument #1 to 'rad' (number expected, got string)"),
    "math.deg": ("math.deg('x')", "user_script:2: bad argument #1 to 'deg' (number expected, got string)"),
    "string.gsub": ("string.gsub('x', '[', '')", "user_script:2: malformed pattern (missing ']')"),
}
for name, (call, message) in PLACES.items():
    script = f"\nlocal x = {call}"
    CASES[name] = [(["EVAL", script, "0"], at(script, "ERR " + message, 2))]
CASES |= {
    "degrees": returns("return {tostring(math.deg(1)), tostring(math.rad(1)), tostring(math.deg(math.pi))}",
                       [b"57.295779513082", b"0.017453292519943", b"180"]),
    "a place within pcall": returns("local ok, e = pcall(function() return error('x') end) return e",
                                    b"user_script:1: x"),
    "another error": [
        *returns("local error = function() return 1, 2 end local function f() return error() end return {f()}", [1, 2]),
        *returns("local function error() return 1, 2 end local function f() return error() end return {f()}", [1, 2]),
        *returns("local function f(error) return error() end return {f(function() return 1, 2 end)}", [1, 2]),
        *returns("local function f(a, error) return error() end return {f(0, function() return 1, 2 end)}", [1, 2]),
        *returns("for error in pairs({[function() return 1, 2 end] = 1}) do "
                 "local function f() return error() end return {f()} end", [1, 2])],
    "an error of a table": returns("local t = {error = function() return 1, 2 end} local function f() return t.error() "
                                   "end return {f()}", [1, 2]),
    "a script has one value": returns(TWO + "return two()", 1),
    "all values of a function": [
        *returns(TWO + "local function f() return two() end return {f()}", [1, 2]),
        *returns("local function f(...) return ... end return {f(1, 2, 3)}", [1, 2, 3]),
        *returns("local function f(...) return unpack({...}) end return {f(1, 2, 3)}", [1, 2, 3]),
        *returns("local function f() return pcall(error, 'x') end return {f()}", [None, b"x"]),
        *returns("local function f() return select(2, 'a', 'b', 'c') end return {f()}", [b"b", b"c"]),
        *returns("local function f() return ('a b'):find(' ') end return {f()}", [2, 2])],
    "no value at all": returns("local function f() end local function g() return f() end return select('#', g())", 0),
    "another redis": [
        *returns("local redis = {call = function() return 1, 2 end} local function f() return redis.call() end "
                 "return {f()}", [1, 2]),
        *returns("local function f(redis) return redis.call() end return {f({call = function() return 1, 2 end})}",
                 [1, 2]),
        *returns("for _, cjson in pairs({{encode = function() return 1, 2 end}}) do "
                 "local function f() return cjson.encode() end return {f()} end", [1, 2])],
    "redis in another table": returns(
        "local t = {redis = {call = function() return 1, 2 end}} local function f() return t.redis.call() end "
        "return {f()}", [1, 2]),
    "more behind the call": [
        *returns("local function f() return redis.sha1hex('') == nil, 2 end return {f()}", [None, 2]),
        *returns("local function f() return cjson.decode('[[1,2]]')[1] end return f()", [1, 2]),
        *returns("local function f() return cjson.encode({1}):len() end return f()", 3),
        *returns("local function f() return cjson.encode({1}) .. cjson.encode({2}) end return f()", b"[1][2]")],
    "not a call": [
        *returns("return 2 * (3 + 4)", 14), *returns("return {1, 2}", [1, 2]), *returns("return ('x')", b"x"),
        *returns("return function() end", None), *returns("return", None), *returns("return;", None),
        *returns("return not (false)", 1), *returns("return -(1) + (2)", 1)],
    "calls that call": returns("local function f(n) if n == 0 then return 7 end return f(n - 1) end return f(100000)",
                               7),
    "several in one line": returns(
        "local function a() return redis.sha1hex('x') end local function b() return redis.sha1hex('y') end "
        "return a() ~= b()", 1),
    "arg": [
        *returns("local function f(...) return {arg.n, unpack(arg)} end return f(1, 2)", [2, 1, 2]),
        *returns("local function f(a, ...) return {a, arg.n, arg[2], arg[3]} end return f(1, 2, nil, 3)", [1, 3]),
        *returns("local t = {} function t:f( ... ) return arg.n end return t:f('...', 2)", 2),
        *returns("return (function(...) return redis.call('ECHO', arg[1]) end)('x')", b"x"),
        *returns("local function f(...) local g = function() return arg.n end return g() end return f(1, 2)", 2),
        *returns("local function f(...) local function g(...) return arg.n end return {g(), arg.n} end return f(1)",
                 [0, 1])],
    "no arg where the dots are": [
        *returns("local arg = 5 local function f(...) local t = {...} return arg end return f(1)", None),
        *returns("local function f(...) local s, t = '...', 'a' .. 'b' --[[ ... ]] return arg.n end return f(1)", 1)],
    "arg of others": [
        *returns("local arg = 5 local function f(a) return arg end return f(1)", 5),
        *returns("local function f(arg) return arg end return f(1)", 1),
        *returns("local function f(arg, ...) return type(arg) end return f(1)", b"table"),
        *returns("local function f(...) local arg = 7 return arg end return f(1)", 7)],
    "lines behind arg": [(["EVAL", ARG, "0"], at(ARG, UNKNOWN, 3))],
}

BROKEN = [
    "return redis.call('a'", "return redis.call('a'))", "return redis.call('a') end", "return (redis.call('a')",
    "do return redis.call('a')", "return redis.call('a\n')", "return [[redis.call('a')", "return redis.call('a') 1",
    "function f() return redis.call('a')", "return redis.call('a') --[[", "if 1 then return f() else",
    "return ' \\", "until return f()", "return f()" + " end" * 300, "do " * 250 + "return f()" + " end" * 250]


def test_rows(row_case):
    row_case.check()


@pytest.mark.parametrize("script", BROKEN, ids=range(len(BROKEN)))
def test_what_is_no_lua_stays_an_error(either_target, script):
    reply = either_target.control.call("EVAL", script, "0")
    assert isinstance(reply, Error) and reply.startswith("ERR Error compiling script (new function): user_script:")
