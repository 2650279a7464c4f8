"""Nobody gets out: a test for each hole that was found in Redis, in Lua or in other servers, and for our own walls.

CVE numbers name what the test is about. Rows run on a real server as well, where that is safe.
"""
import time

import pytest

from tests.resp import Error
from tests.scripting.rows import Raised, check, row_params

MISSING = ["package", "require", "io", "debug", "dofile", "loadfile", "print", "newproxy", "setfenv", "getfenv",
           "module", "jit", "ffi", "utf8", "bit32"]
KILLED = "Script killed by user with SCRIPT KILL."
OUT_OF_MEMORY = "not enough memory"

# Every table that a script reaches, by any way there is, and what of it can be changed.
WALK = """
local seen, changed, todo = {}, {}, {{_G, '_G'}}
local function add(value, name)
    if type(value) == 'table' and not seen[value] and value ~= KEYS and value ~= ARGV then
        seen[value] = name
        todo[#todo + 1] = {value, name}
    end
end
seen[_G] = '_G'
add(getmetatable(''), 'strings')
for _, value in ipairs({1, true, tostring, function() end, coroutine.create(function() end)}) do
    add(getmetatable(value), type(value))
end
add(getmetatable(cjson.null), 'null')
local count = 0
while count < #todo do
    count = count + 1
    local t, name = todo[count][1], todo[count][2]
    for key, value in pairs(t) do add(value, name .. '.' .. tostring(key)) end
    add(getmetatable(t), 'metatable of ' .. name)
    for way, change in pairs({
        assignment = function() t.x = 1 end,
        replacement = function() t[next(t)] = 1 end,
        rawset = function() rawset(t, 'x', 1) end,
        insert = function() table.insert(t, 1) end,
        setmetatable = function() setmetatable(t, {}) end,
    }) do
        if pcall(change) then changed[#changed + 1] = way .. ' to ' .. name end
    end
end
return {count > 10 and 1 or count, changed}
"""

ROWS = {
    "CVE-2022-0543: there is no way to load code from files": [
        (f"return {{{','.join(f'tostring(rawget(_G, {name!r}))' for name in MISSING)}}}", [b"nil"] * len(MISSING)),
        ("local t = {} for k in pairs(os) do t[#t + 1] = k end return t", [b"clock"],
         lambda reply: reply == [b"clock"] or "nonexistent global variable 'os'" in reply),
    ],
    "CVE-2022-24735, CVE-2025-46818: no table that others see can be changed": [(WALK, [1, []])],
    "CVE-2022-24735: a function has no environment of its own": [
        ("local f = loadstring('return x') return {pcall(f)}",
         [None, b"[string \"return x\"]:1: Script attempted to access nonexistent global variable 'x'"]),
    ],
    "CVE-2014-5461: many parameters and few arguments": [
        (f"local function f({','.join(f'p{i}' for i in range(189))}, ...) local z = 1 return z end "
         "local n = 0 for i = 1, 100 do n = n + f() end return n",
         lambda reply: reply == 100 or "more than 5 other parameters" in reply),
        ("local function f(a, b, c, d, e, ...) return select('#', ...) end return {f(), f(1, 2, 3, 4, 5, 6)}", [0, 1]),
    ],
    "bytecode is refused": [
        ("return tostring(loadstring(string.dump(function() return 1 end)))", b"nil"),
        ("return tostring(loadstring('\\27Lua'))", b"nil"),
        ("return tostring(loadstring('\\27LJ\\2'))", b"nil"),
        ("local d = string.dump(function() return 1 end) local n = 0 "
         "return tostring(load(function() n = n + 1 return d:sub(n, n) end))", b"nil"),
        ("\x1bLJ\x02", lambda reply: isinstance(reply, Error)),
        ("\x1bLua", lambda reply: isinstance(reply, Error)),
    ],
    "CVE-2018-11218, CVE-2018-11219, CVE-2020-14147: sizes and depths of cmsgpack and struct": [
        ("return {pcall(cmsgpack.unpack, string.rep('\\145', 100000))}",
         [None, b"stack overflow (in function mp_decode_to_lua_array)"]),
        ("return {pcall(cmsgpack.unpack, '\\221\\255\\255\\255\\255')}", [None, b"Missing bytes in input."]),
        ("return {pcall(cmsgpack.unpack, '\\223\\255\\255\\255\\255')}", [None, b"Missing bytes in input."]),
        ("return {pcall(cmsgpack.unpack, '\\219\\255\\255\\255\\255')}", [None, b"Missing bytes in input."]),
        ("local t = {} for i = 1, 100000 do t = {t} end return #cmsgpack.pack(t)", 17),
        ("return {pcall(struct.pack, 'I2147483648', 10)}", [None, b"integral size overflow"]),
        ("return {pcall(struct.unpack, 'c2147483647', 'x', 2147483647)}",
         [None, b"bad argument #2 to '?' (data string too short)"]),
        ("return {pcall(struct.unpack, 'c0', 'x', -1)}", [None, b"bad argument #2 to '?' (data string too short)"]),
    ],
    "CVE-2022-24834: strings of cjson": [
        ("local s = string.rep('\\1', 100000) return #cjson.encode(s)", 600002),
        ("local s = string.rep('\\127\"/', 100000) return #cjson.encode({s, s})", 2 * 1000002 + 3),
        ("cjson.encode_max_depth(2147483647) local t = {} for i = 1, 100000 do t = {t} end "
         "return {(pcall(cjson.encode, t))}", [None]),
        ("local t = {} t.t = t return {(pcall(cjson.encode, t))}", [None]),
    ],
    "CVE-2024-31449: the least number of digits": [
        ("return {bit.tohex(65535, -2147483648), bit.tohex(65535, 2147483648)}", [b"0000FFFF", b"0000FFFF"]),
    ],
    "CVE-2025-49844: the name of a chunk while it is compiled": [
        ("for i = 1, 500 do loadstring('local x = ' .. i .. ' return function() return x end', '@chunk' .. i) "
         "collectgarbage('step', 10) "
         "local n = 0 "
         "load(function() n = n + 1 collectgarbage() return n < 5 and ' local y = 1' or nil end, '@l' .. i) "
         "end return 1", 1),
    ],
    "CVE-2025-46817: ranges of unpack": [
        (f"return {{pcall(unpack, {{}}, {first}, {last})}}", [None, b"too many results to unpack"])
        for first, last in ((-2**31, 2**31 - 1), (0, 2**31 - 1), (1, 8000), (-1, 2**31 - 1))
    ],
    "CVE-2025-46819: brackets of many levels": [
        ("return tostring(loadstring('[' .. string.rep('=', 1000000)))", b"nil"),
        ("local n = string.rep('=', 100000) return #loadstring('return [' .. n .. '[abc]' .. n .. ']')()", 3),
    ],
    "a hundred calls deep is not too deep": [
        ("local function f(n) if n == 0 then return 'x' end "
         "return (string.gsub('a', 'a', function() return f(n - 1) end)) end return f(90)", b"x"),
        ("local function f(n) if n == 0 then return 0 end return 1 + coroutine.wrap(f)(n - 1) end return f(90)", 90),
        ("local function f(n) if n == 0 then return 0 end return 1 + select(2, pcall(f, n - 1)) end return f(90)", 90),
        ("local function f(n) if n > 0 then table.sort({1, 2}, function() f(n - 1) end) end return 1 end return f(40)",
         1),
    ],
    "CVE-2025-67733: no line breaks in errors and statuses": [
        ("return redis.error_reply('a\\r\\n+b')", Error("ERR a  +b")),
        ("return {err = 'x\\r\\n-y'}", Error("x  -y")),
        ("error('a\\nb\\rc', 0)", Raised("a b c")),
        ("error({err = 'A\\r\\nb'})", Raised("b", code="A ")),
    ],
    "patterns that go deep": [
        ("return {string.find(string.rep('a', 100), string.rep('a?', 100))}", [1, 100]),
        ("return {(pcall(string.rep, 'x', -1)), (pcall(string.format, '%99999d', 1))}", [1, None]),
        ("local s = string.rep('(', 200) return {(pcall(string.find, 'x', s))}", [None]),
    ],
    "recursion": [
        ("local function f() return 1 + f() end return {(pcall(f))}", [None]),
        ("local t = setmetatable({}, {}) getmetatable(t).__index = function(t, k) return t[k] end "
         "return {(pcall(function() return t.x end))}", [None]),
        ("local t = {} for i = 1, 300 do t = setmetatable({}, {__index = t}) end "
         "return {(pcall(function() return t.x end))}",
         lambda reply: reply in ([None], [1])),
        ("local s = string.rep('(', 1000) return tostring(loadstring('return ' .. s))", b"nil"),
        ("local co co = function(n) return coroutine.wrap(function() return n == 0 and 1 or co(n - 1) end)() end "
         "return {(pcall(co, 1000000))}", [None]),
        ("local co co = function(n) return coroutine.resume(coroutine.create(co), n + 1) end return (co(1))", 1),
        ("local all = {} for i = 1, 50000 do all[i] = coroutine.wrap(function() return all[i + 1]() end) end "
         "return {(pcall(all[1]))}", [None]),
        ("local function f() return (string.gsub('a', 'a', f)) end return {(pcall(f))}", [None]),
        ("local t = setmetatable({}, {__index = function(t, k) return (string.gsub('a', 'a', t)) end}) "
         "return {(pcall(function() return t.x end))}", [None]),
        ("local function f() table.sort({1, 2}, f) end return {(pcall(f))}", [None]),
        ("return {(pcall(tostring, setmetatable({}, {__tostring = tostring})))}", [None]),
        ("local t = setmetatable({}, {__call = tostring}) return {(pcall(tostring, setmetatable(t, {__tostring = t, "
         "__call = tostring})))}", [None]),
        ("local function f() table.foreach({1}, f) end return {(pcall(f))}", [None]),
        ("local function f() pcall(f) end return {(pcall(f))}", [1]),
        ("local function f(n) if n == 0 then return 7 end return f(n - 1) end return f(1000000)", 7),
        ("return {pcall(error, setmetatable({}, {__tostring = function() error('x') end}))} ~= nil", 1),
    ],
    "what a handler of errors may do": [
        ("return {(xpcall(function() error('x') end, function() error('y') end))}", [None]),
        ("local function h() return xpcall(error, h) end return {(xpcall(error, h))}", [None]),
    ],
}


@pytest.mark.parametrize("rows", row_params(ROWS))
def test_rows(rows, side):
    check(rows, side)


@pytest.fixture
def probes():
    return pytest.importorskip("tests.scripting.lua_probes", reason="built with FASTREDIS_PROBES=1 only")


def test_patterns_have_a_limit(probes):
    """Lua 5.1, Redis's too, recurses once for each item of a pattern, until there is no stack left."""
    if probes.LIBRARY != "LuaJIT":
        pytest.skip("Lua 5.1 has no limit")
    reply = probes.Lua().run("return {pcall(string.find, string.rep('a', 300000), string.rep('a?', 300000))}")
    assert reply == [None, b"pattern too complex"]


@pytest.mark.parametrize("script", ["local function f() xpcall(f, f) end return {(pcall(f))}",
                                    "local function f() xpcall(error, f) end return {(pcall(f))}",
                                    "local function f() load(f) end return {(pcall(f))}"])
def test_functions_that_catch_their_own_end_do_end(probes, script):
    """On redis-server this takes as good as for ever."""
    if probes.LIBRARY == "LuaJIT":
        assert probes.Lua().run(script) == [1]


# ---- Literals that only LuaJIT has

@pytest.mark.parametrize("literal", ["1LL", "1ULL", "2i", "0x1fLL", "{1LL}", "(function() return 5ULL end)()"])
def test_numbers_of_the_ffi_are_refused(probes, literal):
    lua = probes.Lua()
    assert "malformed number" in lua.run(f"return {literal}")
    assert lua.run(f"return tostring(loadstring('return {literal}'))") == b"nil"
    assert lua.run(f"return {{tostring(tonumber('{literal}')), type(tonumber('1'))}}") == [b"nil", b"number"]


def test_source_has_a_limit(probes):
    lua = probes.Lua()
    assert lua.run("return select(2, loadstring(string.rep(' ', 65 * 1024 * 1024)))") == b"chunk is too long"
    reply = lua.run("local s = string.rep(' ', 1024 * 1024) return {load(function() return s end)}")
    assert reply == []
    assert "chunk is too long" in lua.run("local s = string.rep(' ', 1024 * 1024) "
                                          "return select(2, load(function() return s end))")
    assert lua.run("return 1") == 1


# ---- Globals

def test_proxies_stay_empty_after_all(probes):
    lua = probes.Lua()
    lua.run(WALK)
    lua.verify()


def test_scripts_leave_no_globals(probes):
    lua = probes.Lua()
    for script in ("x = 1", "_G.x = 1", "rawset(_G, 'x', 1)", "local function f() x = 1 end f()", "KEYS.x = 1"):
        lua.run(script)
    assert lua.run("return tostring(rawget(_G, 'x'))") == b"nil"
    assert lua.run("string = 1 return 1") != 1
    assert lua.run("return type(string)") == b"table"


def test_globals_can_be_others_for_a_while(probes):
    """As FUNCTION LOAD needs it."""
    lua = probes.Lua()
    lua.replace_globals([b"redis", b"_G"])
    script = b"return {type(rawget)}"
    assert "nonexistent global variable 'type'" in lua.run(script)
    assert lua.run("return redis.sha1hex('')") == b"da39a3ee5e6b4b0d3255bfef95601890afd80709"
    lua.restore_globals()
    assert lua.run(script) == [b"function"]
    assert lua.run("return tostring(_G.string == string)") == b"true"
    lua.verify()


def test_an_alias_is_the_same_table(probes):
    assert probes.Lua(alias=True).run("return tostring(server == redis)") == b"true"


# ---- Scripts that do not end

ENDLESS = [
    "while true do end",
    "repeat until false",
    "for i = 1, math.huge do end",
    "while true do pcall(function() while true do end end) end",
    "while true do pcall(error) end",
    "while true do pcall(pcall, error) end",
    "while true do xpcall(function() while true do end end, function() while true do end end) end",
    "local function f() return f() end return f()",
    "local function f() pcall(f) f() end f()",
    "local f = coroutine.wrap(function() while true do coroutine.yield() end end) while true do f() end",
    "while true do coroutine.wrap(function() pcall(function() while true do end end) end)() end",
    "while true do local co = coroutine.create(function() while true do end end) coroutine.resume(co) end",
    "while true do loadstring('while true do end')() end",
    "while true do local n = 0 load(function() n = n + 1 while true do end end) end",
    "local t = setmetatable({}, {__index = function() while true do end end}) "
    "while true do pcall(function() return t.x end) end",
    "while true do table.sort({1, 2, 3}, function() while true do end end) end",
    "while true do string.gsub('abc', '.', function() while true do end end) end",
    "while true do table.foreach({1}, function() while true do end end) end",
    "local s = string.rep('x', 1000) while true do string.find(s, 'y') end",
]


@pytest.mark.parametrize("watchdog", [True, False], ids=["watchdog", "hook"])
@pytest.mark.parametrize("script", ENDLESS)
def test_endless_scripts_can_be_killed(probes, script, watchdog):
    lua = probes.Lua(interrupt_after_ms=5, patience=2, watchdog=watchdog)
    reply = lua.run(script)
    assert KILLED in reply
    assert lua.asked > 2
    lua.forgive()
    assert lua.run("return 5") == 5
    lua.verify()


def test_every_instruction_counts(probes):
    """As the compiler is off: in compiled loops nobody is asked."""
    lua = probes.Lua(interrupt_after_ms=0, patience=10**6, watchdog=False)
    assert lua.run("local x = 0 for i = 1, 5000000 do x = x + i end return x") == 12500002500000
    assert 90 <= lua.asked <= 160


def test_short_scripts_are_not_asked(probes):
    lua = probes.Lua(interrupt_after_ms=10_000)
    ref = lua.load(b"local x = 0 for i = 1, 100 do x = x + i end return x")
    assert lua.call(ref, times=20_000) == 5050
    assert lua.asked == 0


def test_alarms_at_any_moment(probes):
    """Runs that take as long as the watchdog waits: the alarm comes in the middle, at the end, or not at all."""
    lua = probes.Lua(interrupt_after_ms=1, patience=10**9)
    ref = lua.load(b"local n = 0 for i = 1, 8000 do n = n + 1 pcall(error) end return n")
    brief = lua.load(b"return 1")
    for _ in range(30):
        assert lua.call(ref) == 8000
        assert lua.call(brief, times=20) == 1
    assert lua.asked > 0
    lua.verify()


def test_a_watchdog_wakes_again(probes):
    """After a time without scripts it sleeps."""
    lua = probes.Lua(interrupt_after_ms=1)
    for _ in range(3):
        assert KILLED in lua.run("while true do end")
        time.sleep(0.1)


# ---- Memory

COLLECT = "for i = 1, 10 do collectgarbage() end return 5"      # each halves a buffer of LuaJIT's


GREEDY = [
    "local s = 'x' while true do s = s .. s end",
    "return string.rep('x', 2^30)",
    "local t = {} while true do t[#t + 1] = string.rep('x', 2^20) .. #t end",
    "local t = {} for i = 1, 1e9 do t[i] = i end",
    "local t = {} for i = 1, 1e9 do t[i .. ''] = i end",
    "local s = string.rep('\\1', 2^20) return cjson.encode({s, s, s, s, s})",
    "local s = cjson.encode(string.rep('x', 2^22)) local t = {} while true do t[#t + 1] = cjson.decode(s) .. #t end",
    "local t = {} for i = 1, 300000 do t[i] = i end local s = cmsgpack.pack(t) local u = {} "
    "while true do u[#u + 1] = cmsgpack.unpack(s) end",
    "local f = string.rep('d', 2^20) return struct.pack(f .. f .. f)",
    "local s = 'return {' .. string.rep('1,', 2^20) .. '}' local t = {} "
    "while true do t[#t + 1] = assert(loadstring(s)) end",
    "local s = string.rep('x', 2^20) return s:gsub('x', s)",
    "local t = {} for i = 1, 4000 do t[i] = string.rep('x', 4000) .. i end return table.concat(t)",
    "collectgarbage('stop') while true do local s = string.rep('x', 2^20) .. math.random() end",
    "local function f(...) return f(1, ...) end return f()",
]


@pytest.mark.parametrize("script", GREEDY)
def test_memory_has_a_limit(probes, script):
    """As it is where no large block is to be had."""
    limit = 16 * 1024 * 1024
    lua = probes.Lua(limit=limit)
    before = lua.used
    reply = lua.run(script)
    assert isinstance(reply, Error)
    assert OUT_OF_MEMORY in reply or "overflow" in reply or "number expected" in reply
    assert lua.used <= 2 * limit                # small blocks are not refused
    assert lua.run(COLLECT) == 5
    assert lua.used < before + 100_000
    lua.verify()


def test_scripts_can_catch_that_there_is_no_memory(probes):
    lua = probes.Lua(limit=16 * 1024 * 1024)
    assert lua.run("return {pcall(string.rep, 'x', 2^24)}") == [None, OUT_OF_MEMORY.encode()]
    assert lua.run("local ok for i = 1, 50 do ok = pcall(function() local t = {} for i = 1, 1e8 do t[i] = {} end end) "
                   "collectgarbage() end return tostring(ok)") == b"false"
    lua.verify()


def test_memory_is_counted(probes):
    lua = probes.Lua(watchdog=False)
    before = lua.used, lua.charged
    ref = lua.load(b"local s = string.rep('x', 1000000) return function() return s end")
    lua.call(ref)
    assert lua.used > before[0] + 1000000
    assert lua.charged - before[1] == lua.used - before[0]
    lua.run(COLLECT)
    assert lua.used < before[0] + 100_000


def test_all_memory_comes_back(probes):
    """Vms are made and closed, with coroutines and functions alive in them."""
    for _ in range(20):
        account = probes.lifetime(b"local t = {} for i = 1, 1000 do t[i] = coroutine.wrap(function() "
                                  b"coroutine.yield(cjson.encode({i})) end) t[i]() end return t")
        assert account == 0


def test_different_scripts_leave_nothing(probes):
    lua = probes.Lua(watchdog=False)

    def many():
        for i in range(3000):
            assert lua.run(f"local function f() return {i} end return f()") == i
        lua.run(COLLECT)
        return lua.used
    many()
    assert abs(many() - many()) < 2000


def test_the_collector_is_put_right_after_a_script(probes):
    """What a script sets holds until it ends."""
    lua = probes.Lua(watchdog=False)
    lua.run("collectgarbage('stop') collectgarbage('setpause', 10000)")
    ref = lua.load(b"for i = 1, 1000 do local s = string.rep('x', 1000) .. i end")
    lua.call(ref, times=200)
    assert lua.used < 20_000_000
