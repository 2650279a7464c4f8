"""@server.function and @server.command: functions and commands in Python."""
import threading

import pytest
import redis

import fastredis
from fastredis import FastredisError, ReplyError
from fastredis.engine.declarations import key_at
from tests.helpers import wait_until


@pytest.fixture
def server():
    with fastredis.Server(unixsocket=None) as server:
        yield server


# --- functions ----------------------------------------------------------------------------

def test_a_function(server):
    @server.function("take")
    def take(context, keys, args):
        taken = context.call("LPOP", keys[0], int(args[0]))
        context.call("INCRBY", b"taken", len(taken or []))
        return taken

    server.engine.execute("RPUSH", "list", "a", "b", "c")
    assert server.engine.execute("FCALL", "take", 1, "list", 2) == [b"a", b"b"]
    with server.client() as client:
        assert client.fcall("TAKE", 1, "list", 5) == [b"c"]
        assert client.fcall("take", 1, "list", 5) is None
    assert server.engine.execute("GET", "taken") == b"3"


def test_what_it_replies(server):
    values = {"none": None, "int": 7, "float": 1.5, "bytes": b"a", "str": "größe", "list": [1, [b"x"]],
              "dict": {"a": 1}, "set": {b"a"}, "true": True}

    @server.function("value")
    def value(context, keys, args):
        return values[args[0].decode()]

    for name, expected in values.items():
        got = server.engine.execute("FCALL", "value", 0, name)
        expected = {b"a": 1} if name == "dict" else "größe".encode() if name == "str" else expected
        assert got == expected and type(got) is type(expected)


def test_what_its_commands_reply(server):
    seen = []

    @server.function()
    def look(context, keys, args):
        seen.extend([context.call("SET", "a", 1), context.call("GET", "a"), context.call("GET", "missing"),
                     context.call("HSET", "h", "f", 1.5), context.call("HGETALL", "h"),
                     context.client_id, context.client_name])
        context.call("SELECT", 3)
        context.call("SET", "elsewhere", 1)

    assert server.engine.execute("FCALL", "look", 0) is None
    assert seen == [b"OK", b"1", None, 1, {b"f": b"1.5"}, server.engine.id, b""]
    assert server.engine.execute("EXISTS", "elsewhere") == 0, "SELECT was for the function alone"


def test_errors(server):
    contexts = []

    @server.function()
    def fail(context, keys, args):
        contexts.append(context)
        context.call("SET", "key", "written")
        if args[0] == b"raise":
            raise ValueError("two\nlines")
        if args[0] == b"reply":
            return object()
        if args[0] == b"half":
            return [1, [2, object()]]
        if args[0] == b"call":
            context.call("LPUSH", "key", 1)
        if args[0] == b"unknown":
            context.call("NOSUCH")
        if args[0] == b"argument":
            context.call("SET", "key", None)
        if args[0] == b"own":
            raise ReplyError("MINE is an error")
        try:
            context.call("LPUSH", "key", 1)
        except ReplyError as error:
            return str(error)

    call = server.engine.execute
    for what, text in {
        "raise": "ERR fail: ValueError: two lines", "reply": "ERR fail: TypeError: no reply for a object",
        "half": "ERR fail: TypeError: no reply for a object", "call": "WRONGTYPE Operation against a key holding the "
        "wrong kind of value", "unknown": "ERR Unknown Redis command called from script",
        "argument": "ERR fail: TypeError: an argument can't be None: say what it is to be, as bytes, a str, or a "
        "number",
        "own": "MINE is an error",
    }.items():
        with pytest.raises(ReplyError) as raised:
            call("FCALL", "fail", 0, what)
        assert str(raised.value) == text
        assert call("GET", "key") == b"written", "what was done stays, as in scripts"
    assert call("FCALL", "fail", 0, "caught").startswith(b"WRONGTYPE")
    assert "two\nlines" in server.log
    with pytest.raises(FastredisError, match="over"):
        contexts[0].call("GET", "key")
    for wrong in (("FCALL", "nosuch", 0), ("FCALL", "fail", 2, "key"), ("FCALL", "fail", "x")):
        with pytest.raises(ReplyError):
            call(*wrong)
    assert b"cmdstat_fcall:" in call("INFO", "commandstats")


def test_reads_only(server):
    @server.function(flags=["no-writes"])
    def peek(context, keys, args):
        return context.call(*args)

    @server.function("writes")
    def writes(context, keys, args):
        return context.call("INCR", "n")

    call = server.engine.execute
    assert call("FCALL", "peek", 0, "GET", "n") is None and call("FCALL_RO", "peek", 0, "GET", "n") is None
    with pytest.raises(ReplyError, match="read-only"):
        call("FCALL", "peek", 0, "SET", "n", 1)
    assert call("FCALL", "writes", 0) == 1
    with pytest.raises(ReplyError, match="write flag"):
        call("FCALL_RO", "writes", 0)
    with pytest.raises(ReplyError, match="not allowed from script"):
        call("FCALL", "peek", 0, "FCALL", "peek", 0, "PING")
    server.set(maxmemory=1)
    with pytest.raises(ReplyError, match="OOM"):
        call("FCALL", "writes", 0)
    assert call("FCALL", "peek", 0, "GET", "n") == b"1"


def test_it_is_one(server, tmp_path):
    """Nobody sees half of it; the append-only file and a replica get it as a transaction, and not the call."""
    with fastredis.Server(appendonly=True, dir=tmp_path) as master:
        @master.function("both")
        def both(context, keys, args):
            context.call("SET", keys[0], args[0])
            context.call("SET", keys[1], args[0])
            context.call("GET", keys[1])

        with fastredis.Server(replicaof=["127.0.0.1", master.port]) as replica:
            wait_until(lambda: b"master_link_status:up" in replica.engine.execute("INFO", "replication"))
            master.engine.execute("FCALL", "both", 2, "a", "b", "x")
            wait_until(lambda: replica.engine.execute("MGET", "a", "b") == [b"x", b"x"])
            with pytest.raises(ReplyError, match="not found"):
                replica.engine.execute("FCALL", "both", 2, "a", "b", "y")
    text = next((tmp_path / "appendonlydir").glob("*.incr.aof")).read_bytes()
    assert text.count(b"MULTI") == text.count(b"EXEC") == 1 and b"FCALL" not in text and text.count(b"SET") == 2
    with fastredis.Server(appendonly=True, dir=tmp_path) as again:
        assert again.engine.execute("MGET", "a", "b") == [b"x", b"x"]


def test_in_a_transaction_with_waiting_clients(server):
    @server.function("push")
    def push(context, keys, args):
        for arg in args:
            context.call("RPUSH", keys[0], arg)

    heard = []
    with server.engine.new_client() as waiting:
        thread = threading.Thread(target=lambda: heard.append(waiting.execute("BLPOP", "list", 10)))
        thread.start()
        wait_until(lambda: b"blocked_clients:1\r" in server.engine.execute("INFO", "clients"))
        pipe = server.engine.pipeline(transaction=True)
        assert pipe.add("FCALL", "push", 1, "list", "a", "b").add("LLEN", "list").execute() == [None, 2]
        thread.join()
    assert heard == [[b"list", b"a"]]


def test_the_engine_from_inside(server):
    @server.function("inside")
    def inside(context, keys, args):
        return server.engine.execute("GET", "key")

    with pytest.raises(ReplyError, match="inside of it"):
        server.engine.execute("FCALL", "inside", 0)
    with server.client() as client, pytest.raises(redis.ResponseError, match="inside of it"):
        client.fcall("inside", 0)
    assert server.engine.execute("PING") == b"PONG"


def test_libraries_come_first(server):
    @server.function("f")
    def f(context, keys, args):
        return "python"

    assert server.engine.execute("FCALL", "f", 0) == b"python"
    server.engine.execute("FUNCTION", "LOAD",
                          "#!lua name=lib\nredis.register_function('f', function() return 'lua' end)")
    assert server.engine.execute("FCALL", "f", 0) == b"lua"
    server.engine.execute("FUNCTION", "FLUSH")
    assert server.engine.execute("FCALL", "f", 0) == b"python"


@pytest.mark.parametrize(("name", "flags"), [("a b", ()), ("", ()), ("f", ["no-such-flag"])])
def test_what_is_no_function(server, name, flags):
    with pytest.raises(ValueError, match="function"):
        server.function(name or " ", flags=flags)(lambda context, keys, args: None)
    server.function("f")(lambda context, keys, args: None)
    with pytest.raises(ValueError, match="already"):
        server.function("F")(lambda context, keys, args: None)


# --- commands -----------------------------------------------------------------------------

@pytest.fixture
def commands(server):
    @server.command("CAD", arity=3, flags=["write", "denyoom", "fast"], keys=key_at(1, "RW access update"),
                    categories=["string"], since="1.0.0", doc="Compares and deletes.")
    def compare_and_delete(context, key, value):
        if context.call("GET", key) != value:
            return 0
        return context.call("DEL", key)

    @server.command("double", arity=-2, flags=["readonly"], keys=key_at(1, "RO access"))
    def double(context, key, *rest):
        """Doubles a number."""
        return 2 * int(context.call("GET", key) or 0)

    return server


def test_a_command(commands):
    execute = commands.engine.execute
    execute("SET", "key", "value")
    assert execute("CAD", "key", "other") == 0 and execute("cad", "key", "value") == 1 and execute("EXISTS", "key") == 0
    with commands.client() as client:
        client.set("n", 21)
        assert client.execute_command("DOUBLE", "n") == 42
        assert client.pipeline().set("n", 4).execute_command("DOUBLE", "n").execute() == [True, 8]
    for wrong in (("CAD", "key"), ("CAD", "key", 1, 2), ("DOUBLE",)):
        with pytest.raises(ReplyError, match="wrong number of arguments"):
            execute(*wrong)
    with pytest.raises(ReplyError, match=r"^ERR double: ValueError: "):
        execute("SET", "n", "x") and execute("DOUBLE", "n")
    with pytest.raises(ReplyError, match="not allowed from script"):
        execute("EVAL", "return redis.call('cad', 'a', 'b')", 0)
    assert execute("PING") == b"PONG"


def test_it_is_known(commands):
    execute = commands.engine.execute
    info = execute("COMMAND", "INFO", "cad", "double", "get")
    assert info[0][:6] == [b"cad", 3, {b"write", b"denyoom", b"noscript", b"fast"}, 1, 1, 1]
    assert info[0][6] == {b"@write", b"@string", b"@fast"} and info[1][2] == {b"readonly", b"noscript"}
    docs = execute("COMMAND", "DOCS", "cad", "double")
    assert docs[b"cad"][b"summary"] == b"Compares and deletes." and docs[b"cad"][b"group"] == b"module"
    assert docs[b"double"][b"summary"] == b"Doubles a number."
    assert {b"cad", b"double"} <= set(execute("COMMAND", "LIST"))
    with fastredis.Server(unixsocket=None) as other:
        assert execute("COMMAND", "COUNT") == other.engine.execute("COMMAND", "COUNT") + 2
        with pytest.raises(ReplyError, match="unknown command"):
            other.engine.execute("CAD", "a", "b")
    assert execute("COMMAND", "GETKEYS", "CAD", "key", "value") == [b"key"]
    execute("CAD", "key", 1)
    execute("SET", "n", "x")
    with pytest.raises(ReplyError):
        execute("DOUBLE", "n")
    stats = execute("INFO", "commandstats").decode()
    assert "cmdstat_cad:calls=1," in stats
    assert next(line for line in stats.split() if line.startswith("cmdstat_double:")).endswith("failed_calls=1")
    assert b"latency_percentiles_usec_cad" in execute("INFO", "latencystats")
    execute("CONFIG", "RESETSTAT")
    assert b"cmdstat_cad" not in execute("INFO", "commandstats")


def test_what_it_may_not(commands):
    @commands.command("sneaky")
    def sneaky(context):
        context.call("SET", "key", 1)

    with pytest.raises(ReplyError, match="read-only"):
        commands.engine.execute("SNEAKY")
    for name, options in {"get": {}, "a b": {}, "x|y": {}, "x": {"flags": ["blocking"]}, "y": {"categories": ["no"]},
                          "z": {"arity": 0}, "w": {"flags": ["write", "readonly"]}, "CAD": {}}.items():
        with pytest.raises(ValueError, match=r"."):
            commands.command(name, **options)(lambda context: None)
    assert commands.engine.execute("COMMAND", "INFO", "x", "y") == [None, None]


def test_effects_of_a_command(tmp_path):
    with fastredis.Server(appendonly=True, dir=tmp_path) as server:
        @server.command("twice", arity=2, flags=["write"], keys=key_at(1, "RW update"))
        def twice(context, key):
            context.call("INCR", key)
            return context.call("INCR", key)

        assert server.engine.execute("TWICE", "n") == 2
        pipe = server.engine.pipeline(transaction=True)
        assert pipe.add("TWICE", "n").add("GET", "n").execute() == [4, b"4"]
    text = next((tmp_path / "appendonlydir").glob("*.incr.aof")).read_bytes().lower()
    assert b"twice" not in text and text.count(b"incr") == 4 and text.count(b"multi") == 2


def test_many(server):
    for i in range(100):
        server.command(f"own{i}")(lambda context, i=i: i)
    assert [server.engine.execute(f"OWN{i}") for i in range(100)] == list(range(100))


def test_it_is_gone_with_the_server():
    server = fastredis.Server(unixsocket=None)
    with server:
        server.command("mine")(lambda context: 1)
        server.function("f")(lambda context, keys, args: 1)
        assert server.engine.execute("MINE") == 1
    with server:
        for command in (("MINE",), ("FCALL", "f", 0)):
            with pytest.raises(ReplyError, match=r"unknown command|not found"):
                server.engine.execute(*command)
