"""Holes that were found in servers around their Lua: compiling, replies, the end of a Lua. On ours and on redis-server.

What concerns Lua alone is in test_sandbox.
"""
import itertools

import pytest

from tests.helpers import info, wait_until
from tests.resp import Error, Status, encode

LONG = """
local function sum(...)
    local n, t = 0, {...}
    for i, value in ipairs(t) do n = n + (tonumber(value) or 0) end
    while n > 1e6 do n = n - 1 break end
    repeat n = n + 1 until true
    if n == 0 then return nil elseif n < 0 then return -n else return n, [==[ ]] text ]==], "a\\"b\\n", 'c' end
end
local t = {1; 2, [3] = 3, x = {y = function(self) return self end}} -- comment
t.x:y() t['z'] = not (#t >= 2 and 0x10 ~= 16 or 1e2 == '100') --[[ long
comment ]]
for k in pairs(t) do t[k] = t[k] end
return {sum(unpack(ARGV)), redis.call('GET', KEYS[1] or 'none'), ("%d"):format(5) .. '!', 2 ^ -1}
"""


@pytest.fixture
def client(either_server):
    with either_server().client(timeout=60) as client:
        yield client


def test_cve_2022_24736_scripts_that_end_anywhere(client):
    """The parser gets every beginning of a script."""
    replies = [client.call("EVAL", LONG[:size], "0") for size in range(len(LONG) + 1)]
    assert replies[-1] == [0, None, b"5!", 0] or replies[-1][0] == 1
    broken = [reply for reply in replies if isinstance(reply, Error)]
    assert len(broken) > len(LONG) // 2
    assert all("\n" not in reply and "\r" not in reply for reply in broken)


@pytest.mark.slow
def test_cve_2021_32626_replies_of_a_million_elements(client):
    assert client.call("EVAL", "local t = {} for i = 1, 1000000 do t[i] = i end return t", "0") == [
        *range(1, 1_000_001)]
    for start in range(0, 1_000_000, 50_000):
        client.call("RPUSH", "l", *map(str, range(start, start + 50_000)))
    assert client.call("EVAL", "local t = redis.call('LRANGE', 'l', 0, -1) return {#t, t[1000000]}", "0") == [
        1_000_000, b"999999"]
    reply = client.call("EVAL", "return redis.call('RPUSH', 'm', unpack(redis.call('LRANGE', 'l', 0, 6999)))", "0")
    assert reply == 7000


def test_cve_2021_32626_replies_that_are_nested(client):
    """Ten thousand deep: what Lua's stack does not hold is an error."""
    script = "local t = {} for i = 1, 10000 do t = {t} end return t"
    client.socket.sendall(encode("EVAL", script, "0") + encode("PING"))
    data = b""
    while not data.endswith(b"+PONG\r\n"):
        data += client.socket.recv(1 << 16)
    assert data.startswith(b"*1\r\n" * 1000)
    assert data.endswith(b"-ERR reached lua stack limit\r\n+PONG\r\n") or data.endswith(b"*1\r\n*0\r\n+PONG\r\n")


@pytest.mark.parametrize("request_text", [
    b"*-1\r\n", b"*1\r\n$-5\r\n", b"*100000000\r\n$1\r\nx\r\n", b"*1\r\n$99999999999\r\nx\r\n", b"\0\r\n",
    b"*\r\n$\r\n", b"*2\r\n$3\r\nabc", b"*1\r\n$4\r\nlist", b"x" * 100_000,
    b"*3\r\n$5\r\nredis\r\n$3\r\nget\r\n$1\r\n\0\r\n"])
def test_cve_2021_32672_requests_to_the_debugger(fresh_server, request_text):
    """Whatever it gets, others are served when its client leaves."""
    server = fresh_server()
    with server.client(timeout=60) as client:
        assert client.call("SCRIPT", "DEBUG", "SYNC") == Status("OK")
        client.send("EVAL", "return 1", "0")
        assert b"Stopped at 1" in client.socket.recv(4096)
        client.socket.sendall(request_text)
    with server.client(timeout=60) as client:
        assert client.call("PING") == Status("PONG")
        assert client.call("EVAL", "return 1", "0") == 1


def test_cve_2026_23631_a_data_set_for_a_replica_that_runs_a_function(fresh_server):
    """The data set, which has no such function, comes when the function is over."""
    master, replica = fresh_server("--repl-diskless-sync-delay", "0"), fresh_server()
    with master.client() as top, replica.client(timeout=60) as client, replica.client(timeout=60) as other:
        top.call("FUNCTION", "LOAD", "#!lua name=lib\nredis.register_function{function_name='f', flags={'no-writes'}, "
                                     "callback=function() while true do redis.call('GET', 'k') end end}")
        client.call("CONFIG", "SET", "busy-reply-threshold", "20")
        client.call("REPLICAOF", "127.0.0.1", master.port)
        wait_until(lambda: info(client, "replication")["master_link_status"] == "up")
        other.send("FCALL", "f", "0")
        wait_until(lambda: str(client.call("PING")).startswith("BUSY"))
        assert top.call("FUNCTION", "FLUSH") == top.call("SET", "k", "new") == Status("OK")
        assert top.call("DEBUG", "CHANGE-REPL-ID") == Status("OK")
        top.call("CLIENT", "KILL", "TYPE", "REPLICA")
        for _ in range(20):
            assert str(client.call("PING")).startswith("BUSY")
        assert client.call("FUNCTION", "KILL") == Status("OK")
        assert "killed by user" in other.read()
        wait_until(lambda: client.call("GET", "k") == b"new")
        assert client.call("FCALL", "f", "0") == Error("ERR Function not found")


def test_cve_2024_46981_the_end_of_a_lua(client):
    """SCRIPT FLUSH closes a Lua full of coroutines, metatables with __gc, and garbage that was not collected."""
    script = """
        collectgarbage('stop')
        local t = setmetatable({}, {__gc = function(t) redis.call('SET', 'gc', 1) error('x') end})
        local all = {}
        for i = 1, 200 do
            all[i] = coroutine.wrap(function(...)
                local u = setmetatable({t, ...}, {__gc = function() all[i]() end, __mode = 'kv', __index = all})
                coroutine.yield(u) return u end)
            all[i](i, t)
        end
        return #all"""
    for _ in range(30):
        assert client.call("EVAL", script, "0") == 200
        assert client.call("EVAL", "return {pcall(coroutine.wrap(function() coroutine.yield() end))}", "0") == [1]
        assert client.call("SCRIPT", "FLUSH", "SYNC") == Status("OK")
    assert client.call("GET", "gc") is None


def test_line_breaks_of_a_shebang(client):
    """valkey#4120: whatever becomes part of an error is one line."""
    for script in ("#!lua flags=x\r+OK\nreturn 1", "#!lua a\r+OK\nreturn 1", "#!py\r+OK\nreturn 1", "#!lua flags=\r\n",
                   "#!lua flags=no-writes\r\nreturn 1"):
        for command in ("EVAL", "SCRIPT"):
            request = ["EVAL", script, "0"] if command == "EVAL" else ["SCRIPT", "LOAD", script]
            client.call(*request)
            assert client.raw.count(b"\r\n") <= 2 and client.raw.count(b"\n") <= 2, client.raw
            assert client.call("PING") == Status("PONG")


def test_line_breaks_of_arguments(client):
    """Names and values that get into an error of a script."""
    texts = ("redis.call('no\\r\\n+such')", "redis.call('GET', 'a\\r\\n', 'b\\r\\n+x')", "redis.call('SET\\n', 1)",
             "local t = {} t['\\r\\n+x'].y = 1", "error('\\n+x\\r\\n+y')", "error({err = '\\r\\n+x'})",
             "return x['\\r\\n']", "return redis.error_reply('\\r\\n+x')", "return {ok = '\\r\\n+x'}",
             "return {err = 'x', source = '\\r\\n+x', line = '\\r\\n'}",
             "error({err = 'x', source = '\\n+x', line = '\\r'})",
             "return redis.pcall('CONFIG', '\\r\\n+x')", "return redis.pcall('GET\\r\\n+x', 1)",
             "return redis.pcall('SETEX', 'k', '\\r\\n+x', 'v')", "return redis.pcall('OBJECT', '\\r\\n+x', 'v')")
    for text in texts:
        client.call("EVAL", text, "0")
        assert client.raw.count(b"\r") == client.raw.count(b"\n") == 1, (text, client.raw)
        assert client.call("PING") == Status("PONG")


def test_cve_2026_27623_empty_requests_between_scripts(client):
    """Whatever comes between requests without being one, in pieces of any size."""
    data = b"".join([b"\r\n", encode("EVAL", "return 1", "0"), b"\r\n\r\n*0\r\n", encode("EVAL", "return 2", "0"),
                     b"*-1\r\n\r\n", encode("EVAL", "return 3", "0")])
    for size in (1, 2, 7, len(data)):
        for start in range(0, len(data), size):
            client.socket.sendall(data[start:start + size])
        assert [client.read() for _ in range(3)] == [1, 2, 3]


def test_one_script_leaves_nothing_to_the_next(client):
    """KEYS and ARGV, changed ones too, globals, cut strings of bytes, the protocol, the database."""
    assert client.call("EVAL", "KEYS[5] = 1 ARGV.x = 2 KEYS[1] = nil return #KEYS", "1", "a", "b") in (0, 5)
    for script in ("redis.setresp(3) redis.call('SELECT', 7) return 1", "pcall(function() leak = 1 end) return 1",
                   "pcall(rawset, _G, 'leak', 1) return 1", "pcall(setmetatable, _G, nil) return 1",
                   "pcall(function() string.leak = 1 end) return 1", "local s = string.rep('x', 1e6) return 1"):
        assert client.call("EVAL", script, "0") == 1
    seen = client.call("EVAL", "return {#KEYS, #ARGV, tostring(rawget(_G, 'leak')), tostring(string.leak), "
                               "tostring(redis.call('GET', 'none'))}", "0")
    assert seen == [0, 0, b"nil", b"nil", b"false"]
    assert b" db=0 " in client.call("CLIENT", "LIST")


def test_many_kinds_of_scripts_by_turns(client):
    """Errors, kills of the stack and huge values, then again what is usual."""
    usual = ("return {KEYS[1], ARGV[1], #redis.call('KEYS', '*'), cjson.encode({1, 2})}", "1", "k", "a")
    expected = client.call("EVAL", *usual)
    odd = ("error('x')", "return redis.call('NOSUCH')", "local function f() return 1 + f() end return f()",
           "return {{{}}}", "return string.rep('x', 1000000)", "return nil + 1", "local t = {} t[nil] = 1",
           "return cjson.decode('[')", "return unpack({}, 1, 1e7)", "return coroutine.yield(1)",
           "return coroutine.wrap(error)('x')")
    for script, _ in itertools.product(odd, range(3)):
        client.call("EVAL", script, "0")
        assert client.call("EVAL", *usual) == expected
