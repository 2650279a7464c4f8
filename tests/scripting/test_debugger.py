"""SCRIPT DEBUG: sessions as redis-cli --ldb has them, on fastredis and on redis-server."""
import shutil
import subprocess
import time

import pytest

from tests.helpers import children, info, state, wait_until
from tests.resp import Closed, Error, Status
from tests.rows import OK, PONG

SCRIPT = """local a = {1, 2, 'x'}
local b = {k='v'}
local function f(x)
  local y = x + 1
  return y
end
local c = f(41)
redis.call('SET', KEYS[1], ARGV[1])
redis.debug(a, c, nil, true)
for i = 1, 2 do
  c = c + i
end
redis.breakpoint()
return {c, redis.call('GET', KEYS[1])}
"""


class Session:
    """A session under way. say() sends a command, and gives the lines of the answer."""

    def __init__(self, server, mode, script=SCRIPT, arguments=(1, "k", "vvv")):
        self.client = server.client()
        assert self.client.call("SCRIPT", "DEBUG", mode) == OK
        self.first = self.client.call("EVAL", script, *arguments)

    def __enter__(self):
        return self

    def __exit__(self, *exc_info):
        self.client.close()

    def say(self, words):
        return [str(line) for line in self.client.call(*words.split())]


@pytest.fixture(params=["yes", "sync"])
def begin(request, either_server):
    """begin(script=..., arguments=...): a session of either kind, on either server."""
    server = either_server()

    def start(*args, patience=5000, **kwargs):
        with server.client() as client:
            client.call("CONFIG", "SET", "busy-reply-threshold", patience)
        session = Session(server, request.param, *args, **kwargs)
        session.server, session.mode = server, request.param
        return session
    return start


def test_steps_and_lists(begin):
    with begin() as session:
        lines = SCRIPT.splitlines()
        assert session.first == [Status("* Stopped at 1, stop reason = step over"), Status("-> 1   " + lines[0])]
        assert session.say("list") == ["-> 1   " + lines[0]] + [f"   {i}   {lines[i - 1]}" for i in range(2, 7)]
        assert session.say("s") == ["* Stopped at 2, stop reason = step over", "-> 2   " + lines[1]]
        assert session.say("l 5 1") == [f"   {i}   {lines[i - 1]}" for i in (4, 5, 6)]
        assert len(session.say("w")) == 14
        assert session.say("whole")[13] == "   14  return {c, redis.call('GET', KEYS[1])}"
        assert session.say("nonsense")[0].startswith("<error> Unknown")


def test_variables(begin):
    with begin() as session:
        assert session.say("p") == ["No local variables in the current context."]
        session.say("step")
        assert session.say("p") == ['<value> a = {1; 2; "x"}']
        assert session.say("p a") == ['<value> {1; 2; "x"}']
        assert session.say("print KEYS") == ['<value> {"k"}']
        assert session.say("print ARGV") == ['<value> {"vvv"}']
        assert session.say("p none") == ["No such variable."]


def test_breakpoints(begin):
    with begin() as session:
        assert session.say("b") == ["No breakpoints set. Use 'b <line>' to add one."]
        assert session.say("b 5") == ["   4     local y = x + 1", "  #5     return y", "   6   end"]
        assert session.say("b") == ["1 breakpoints set:", "  #5     return y"]
        assert session.say("b 100") == ["Wrong line number."]
        assert session.say("b x") == ["Invalid argument:'x'"]
        assert session.say("c") == ["* Stopped at 5, stop reason = break point", "->#5     return y"]
        assert session.say("p") == ["<value> x = 41", "<value> y = 42"]
        assert session.say("t") == ["In f:", "->#5     return y", "From top level:", "   7   local c = f(41)"]
        assert session.say("b -5") == ["Breakpoint removed."]
        assert session.say("b -5") == ["No breakpoint in the specified line."]
        session.say("b 2 3")
        assert session.say("b 0") == ["All breakpoints removed."]


def test_to_the_end(begin):
    """What it shows on the way, what it returns, and what is left of it."""
    with begin() as session:
        assert session.say("c") == ['<debug> line 9: {1; 2; "x"}, 42, nil, true',
                                    "* Stopped at 14, stop reason = redis.breakpoint() called",
                                    "-> 14  return {c, redis.call('GET', KEYS[1])}"]
        assert session.say("s") == ["<redis> GET k", '<reply> "vvv"', "<endsession>"]
        assert session.client.read() == [45, b"vvv"]
        with pytest.raises(Closed):
            session.client.read()
        with session.server.client() as other:
            assert other.call("GET", "k") == (b"vvv" if session.mode == "sync" else None)


def test_code_and_commands(begin):
    with begin() as session:
        session.say("s")
        assert session.say("e 1+2") == ["<retval> 3"]
        assert session.say("e return {a=1}") == ['<retval> {["a"]=1}']
        assert session.say("e x =")[0].startswith("<error> ldb_eval:1: unexpected symbol near '<eof>'")
        assert session.say("e return a") == [
            "<error> ldb_eval:1: Script attempted to access nonexistent global variable 'a'"]
        assert session.say("e error('x')") == ["<error> ldb_eval:1: x"]
        assert session.say("r set k 1") == ["<redis> set k 1", '<reply> "+OK"']
        assert session.say("redis get k") == ["<redis> get k", '<reply> "1"']
        assert session.say("r lrange none 0 -1") == ["<redis> lrange none 0 -1", "<reply> []"]
        assert session.say("r get none") == ["<redis> get none", "<reply> NULL"]
        error = "-WRONGTYPE Operation against a key holding the wrong kind of value"
        assert session.say("r lpush k 1") == ["<redis> lpush k 1", f"<error> {error}", f'<reply> "{error}"']
        assert session.say("r nosuch") == ["<redis> nosuch", "<error> Unknown Redis command called from script"]


def test_maxlen(begin):
    with begin("local x = string.rep('a', 300)\nreturn x", (0,)) as session:
        session.say("s")
        assert session.say("p x") == [
            "<value> " + '"' + "a" * 247 + " ...",
            "<hint> The above reply was trimmed. Use 'maxlen 0' to disable trimming."]
        assert session.say("p x") == ["<value> " + '"' + "a" * 247 + " ..."]
        assert session.say("m") == ["<value> replies are truncated at 256 bytes."]
        assert session.say("m 30") == ["<value> replies are truncated at 60 bytes."]
        assert session.say("maxlen 0") == ["<value> replies are unlimited."]
        assert session.say("p x") == ["<value> " + '"' + "a" * 300 + '"']


def test_abort(begin):
    with begin() as session:
        assert session.say("a") == ["<endsession>"]
        assert session.client.read().startswith("ERR script aborted for user request script: ")


def test_help(begin):
    with begin() as session:
        lines = session.say("help")
        assert lines[0] == "Redis Lua debugger help:"
        assert "[c]ontinue           Run till next breakpoint." in lines


def test_the_client_leaves(begin):
    """Then the script runs to its end."""
    with begin("redis.call('SET', 'k', 'a')\nredis.call('APPEND', 'k', 'b')\nreturn 1", (0,)) as session:
        session.client.close()
        with session.server.client() as other:
            if session.mode == "sync":
                wait_until(lambda: other.call("GET", "k") == b"ab")
            assert other.call("PING") == PONG


def test_an_endless_script(begin):
    with begin("local n = 0\nwhile true do\n  n = n + 1\nend", (0,), patience=100) as session:
        lines = session.say("c")
        assert "stop reason = timeout reached, infinite loop?" in lines[0]
        assert session.say("a") == ["<endsession>"]


def test_others_go_on(either_server):
    server = either_server("--appendonly", "yes")
    with Session(server, "yes") as session, server.client() as other:
        assert other.call("SET", "k", "mine") == OK
        session.say("c")
        assert session.say("r get k")[1] == '<reply> "vvv"'
        assert other.call("GET", "k") == b"mine"
        other.call("SET", "k", "again")
        session.say("c")
    size = int(info(other_client(server), "persistence")["aof_current_size"])
    assert size < 300


def other_client(server):
    return server.client()


def test_what_can_not_be_debugged(either_server):
    with either_server().client() as client:
        assert client.call("SCRIPT", "DEBUG", "MAYBE") == Error("ERR Use SCRIPT DEBUG YES/SYNC/NO")
        sha = client.call("SCRIPT", "LOAD", "return 1")
        assert client.pipeline([("PING",), ("SCRIPT", "DEBUG", "YES")])[1] == Error(
            "ERR SCRIPT DEBUG must be called outside a pipeline")
        assert client.call("SCRIPT", "DEBUG", "YES") == OK
        assert client.call("EVALSHA", sha, 0) == Error("ERR Please use EVAL instead of EVALSHA for debugging")
        assert client.call("SCRIPT", "DEBUG", "NO") == OK
        assert client.call("EVAL", "return redis.breakpoint()", 0) is None
        assert client.call("EVAL", "return redis.debug(1)", 0) is None


def test_nothing_is_left(fresh_server):
    """No process, and none survives the server."""
    server = fresh_server()
    sessions = [Session(server, "yes") for _ in range(3)]
    for session in sessions[:2]:
        session.say("c")
        session.say("c")
    wait_until(lambda: len(children(server.pid)) == 1)
    last, = children(server.pid)
    server.stop()
    wait_until(lambda: state(last) in (None, "Z"))
    for session in sessions:
        session.client.close()


def test_redis_cli(either_server, tmp_path):
    """The real thing."""
    if shutil.which("redis-cli") is None:
        pytest.skip("no redis-cli on PATH")
    script = tmp_path / "script.lua"
    script.write_text(SCRIPT)
    server = either_server()
    cli = subprocess.Popen(["redis-cli", "-p", str(server.port), "--ldb", "--eval", str(script), "k", ",", "v"],
                           stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    time.sleep(0.5)
    out, _ = cli.communicate("b 5\nc\np x\nb 0\nc\nrestart\nabort\nquit\n", timeout=20)
    assert "* Stopped at 5, stop reason = break point" in out
    assert "<value> 41" in out
    assert out.count("* Stopped at 1, stop reason = step over") == 2
