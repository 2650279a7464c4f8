"""server.engine: commands as function calls, from threads, on a loop, beside clients with sockets."""
import asyncio
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import redis

import fastredis
from fastredis import ClosedError, FastredisError, ReplyError, WouldBlockError
from tests.helpers import wait_until

THREADS = 4
ROUNDS = 300


@pytest.fixture(scope="module")
def shared():
    with fastredis.Server(enable_debug_command=True) as server:
        yield server


@pytest.fixture
def engine(shared):
    shared.engine.execute("FLUSHALL")
    return shared.engine


def later(function, *args):
    """Call a function in a moment, in a thread -> the thread."""
    def run():
        time.sleep(0.05)
        function(*args)

    thread = threading.Thread(target=run)
    thread.start()
    return thread


# --- values -------------------------------------------------------------------------------

ARGUMENTS = [(b"\0\xff", b"\0\xff"), ("größe", "größe".encode()), ("\udcff", b"\xff"), (7, b"7"),
             (-2**80, b"%d" % -2**80), (1.5, b"1.5"), (float("inf"), b"inf"), (bytearray(b"ab"), b"ab"),
             (memoryview(b"ab"), b"ab"), ("", b"")]


@pytest.mark.parametrize(("given", "stored"), ARGUMENTS, ids=lambda value: repr(value)[:20])
def test_arguments(engine, given, stored):
    assert engine.execute("SET", given, given) == b"OK"
    assert engine.execute("GET", stored) == stored


@pytest.mark.parametrize("wrong", [None, True, [1], object()], ids=repr)
def test_what_is_no_argument(engine, wrong):
    with pytest.raises(TypeError, match="argument"):
        engine.execute("SET", "key", wrong)
    assert engine.execute("DBSIZE") == 0


def test_a_command_has_a_name(engine):
    with pytest.raises(TypeError, match="name"):
        engine.execute()


PROTOCOL_VALUES = [
    ("string", b"Hello World", b"Hello World"), ("integer", 12345, 12345), ("double", b"3.141", 3.141),
    ("null", None, None), ("array", [0, 1, 2], [0, 1, 2]), ("set", [0, 1, 2], {0, 1, 2}),
    ("map", [0, 0, 1, 1, 2, 0], {0: False, 1: True, 2: False}),
    ("bignum", b"1234567999999999999999999999999999999", 1234567999999999999999999999999999999),
    ("verbatim", b"This is a verbatim\nstring", b"This is a verbatim\nstring"), ("true", 1, True), ("false", 0, False),
]


@pytest.mark.parametrize(("kind", "resp2", "resp3"), PROTOCOL_VALUES, ids=[row[0] for row in PROTOCOL_VALUES])
def test_replies(engine, kind, resp2, resp3):
    value = engine.execute("DEBUG", "PROTOCOL", kind)
    assert value == resp3 and type(value) is type(resp3)
    with engine.new_client(protocol=2) as old:
        value = old.execute("DEBUG", "PROTOCOL", kind)
    if kind == "map":
        assert [int(item) for item in value] == resp2
    else:
        assert value == resp2


def test_attributes_are_left_out(engine):
    assert engine.execute("DEBUG", "PROTOCOL", "attrib") == b"Some real reply following the attribute"


def test_decoding(engine):
    with engine.new_client(decode=True) as client:
        assert client.execute("SET", "key", "größe") == "OK"
        assert client.execute("GET", "key") == "größe"
        client.execute("SET", "raw", b"\xff")
        with pytest.raises(UnicodeDecodeError):
            client.execute("GET", "raw")
        assert client.execute("GET", "key") == "größe"       # nothing is left of it


def test_nested_values_and_unhashable_members(engine):
    assert engine.execute("EVAL", "return {1, {2, {'a', false}}, redis.status_reply('PONG')}", 0) == [
        1, [2, [b"a", None]], b"PONG"]
    assert engine.execute("EVAL", "redis.setresp(3) return {map = {[1] = {set = {a = true}}}}", 0) == {1: {b"a"}}


def test_errors(engine):
    engine.execute("SET", "key", "text")
    with pytest.raises(ReplyError, match=r"^WRONGTYPE ") as raised:
        engine.execute("LPUSH", "key", "x")
    assert raised.value.code == "WRONGTYPE"
    with pytest.raises(ReplyError, match=r"^ERR unknown command 'nosuch'"):
        engine.execute("nosuch")
    with pytest.raises(ReplyError, match=r"^ERR DB index is out of range"):
        engine.new_client(database=99)
    with pytest.raises(ReplyError, match=r"^NOPROTO"):
        engine.new_client(protocol=4)


def test_many_at_once(engine):
    values = engine.execute_all([("MULTI",), ("INCR", "n"), ("LPUSH", "n", 1), ("EXEC",), ["GET", "n"]])
    assert values[:3] == [b"OK", b"QUEUED", b"QUEUED"] and values[4] == b"1"
    assert values[3][0] == 1 and isinstance(values[3][1], ReplyError)
    assert engine.execute_all([]) == []
    assert engine.execute("MSET", *(word for i in range(1000) for word in (f"k{i}", i))) == b"OK"
    assert engine.execute("DBSIZE") == 1001


def test_a_client_of_its_own(engine):
    with engine.new_client(database=1) as client:
        client.execute("SET", "key", 1)
        assert engine.execute("GET", "key") is None
        assert f"id={client.id} addr=in-process:{client.id}".encode() in engine.execute("CLIENT", "LIST")
        assert client.execute("CLIENT", "REPLY", "OFF") is None
        assert client.execute("GET", "key") is None
        assert client.execute("CLIENT", "REPLY", "ON") == b"OK"
    assert client.is_closed
    with pytest.raises(ClosedError):
        client.execute("PING")
    assert str(client.id).encode() not in engine.execute("CLIENT", "LIST")


@pytest.mark.parametrize("command", [("SYNC",), ("PSYNC", "?", -1)], ids=lambda command: command[0])
def test_it_is_no_replica(engine, command):
    with pytest.raises(ReplyError, match="a connection with a socket"):
        engine.execute(*command)
    assert engine.execute("PING") == b"PONG" and b"connected_slaves:0" in engine.execute("INFO", "replication")


def test_quit_and_kill(shared, engine):
    with engine.new_client() as client:
        assert client.execute("QUIT") == b"OK"
        assert client.is_closed
    with engine.new_client() as client:
        assert engine.execute("CLIENT", "KILL", "ID", client.id) == 1
        with pytest.raises(ClosedError, match="client is closed"):
            client.execute("PING")
    engine.execute("CLIENT", "KILL", "ID", engine.id, "SKIPME", "no")
    assert engine.is_closed and shared.engine.execute("PING") == b"PONG"


# --- waiting ------------------------------------------------------------------------------

def test_a_thread_waits(shared, engine):
    started = time.monotonic()
    assert engine.execute("BLPOP", "list", 0.1) is None
    assert 0.09 < time.monotonic() - started < 2
    with shared.client() as other:
        for push in (engine.execute, other.execute_command):
            thread = later(push, "LPUSH", "list", "value")
            assert engine.execute("BLPOP", "list", 0) == [b"list", b"value"]
            thread.join()
            thread = later(engine.execute, "LPUSH", "list", "value")
            assert other.blpop("list") == (b"list", b"value")
            thread.join()


def test_others_go_on_meanwhile(engine):
    answers = []
    waiting = [threading.Thread(target=lambda: answers.append(engine.execute("BLPOP", "list", 0))) for _ in range(3)]
    for thread in waiting:
        thread.start()
    wait_until(lambda: b"blocked_clients:3" in engine.execute("INFO", "clients"))
    for i in range(3):
        assert engine.execute("RPUSH", "list", i) == 1
    for thread in waiting:
        thread.join(10)
    assert sorted(answers) == [[b"list", b"%d" % i] for i in range(3)]


def test_a_pause_is_waited_for(engine):
    engine.execute("CLIENT", "PAUSE", 100, "WRITE")
    started = time.monotonic()
    assert engine.execute("SET", "key", 1) == b"OK"
    assert time.monotonic() - started > 0.08
    engine.execute("CLIENT", "PAUSE", 100, "WRITE")
    assert engine.execute_all([("SET", "key", 2), ("GET", "key")]) == [b"OK", b"2"]


def test_stopping_ends_a_wait():
    errors = []
    with fastredis.Server() as server:
        engine = server.engine

        def wait():
            try:
                engine.execute("BLPOP", "list", 0)
            except ClosedError as error:
                errors.append(str(error))

        thread = threading.Thread(target=wait)
        thread.start()
        wait_until(lambda: b"blocked_clients:1" in engine.execute("INFO", "clients"))
    thread.join(10)
    assert errors == ["the server does not run"]
    with pytest.raises(ClosedError, match="does not run"):
        engine.execute("PING")


def test_always_is_synced_before_the_answer(tmp_path):
    with fastredis.Server(dir=tmp_path, appendonly=True, appendfsync="always", unixsocket=None) as server:
        for i in range(20):
            assert server.engine.execute("INCR", "n") == i + 1
            file = next(tmp_path.glob("appendonlydir/*.incr.aof"))
            assert file.read_bytes().count(b"INCR") == i + 1
        assert server.engine.execute_all([("INCR", "n")] * 3) == [21, 22, 23]
    with fastredis.Server(dir=tmp_path, appendonly=True, appendfsync="everysec", unixsocket=None) as server:
        assert server.engine.execute("GET", "n") == b"23"
        server.engine.execute("INCR", "n")
        file = max(tmp_path.glob("appendonlydir/*.incr.aof"))
        assert file.read_bytes().count(b"INCR") > 0


# --- threads and turns ----------------------------------------------------------------------

def test_threads_and_sockets_at_once(shared, engine):
    def count(execute):
        for _ in range(ROUNDS):
            execute("INCR", "n")

    with shared.client() as client:
        threads = [threading.Thread(target=count, args=[execute])
                   for execute in [engine.execute, client.execute_command] * THREADS]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert engine.execute("GET", "n") == b"%d" % (2 * THREADS * ROUNDS)


def test_the_loop_is_woken_for_a_timer(shared, engine):
    """The loop sleeps when a call gives it a deadline to look after."""
    engine.execute("CONFIG", "SET", "notify-keyspace-events", "Ex")
    with shared.client() as client, client.pubsub() as pubsub:
        pubsub.subscribe("__keyevent@0__:expired")
        assert pubsub.get_message(timeout=5)["type"] == "subscribe"
        started = time.monotonic()
        engine.execute("SET", "key", 1, "PX", 30)
        assert pubsub.get_message(timeout=5)["data"] == b"key"
        assert time.monotonic() - started < 0.5
    engine.execute("CONFIG", "SET", "notify-keyspace-events", "")


def test_a_big_reply_of_a_socket_goes_on_from_a_call(shared, engine):
    """What a call publishes to a slow reader is more than its socket takes: the loop sends the rest."""
    with shared.client(protocol=2) as client, client.pubsub() as pubsub:
        pubsub.subscribe("channel")
        assert pubsub.get_message(timeout=5)["type"] == "subscribe"
        assert engine.execute("PUBLISH", "channel", b"x" * 8_000_000) == 1
        assert pubsub.get_message(timeout=10)["data"] == b"x" * 8_000_000


def test_messages_arrive(engine):
    with engine.new_client() as client:
        heard = threading.Event()
        client.told = heard.set
        client.submit("SUBSCRIBE", "a", "b")
        assert [client.read(), client.read()] == [[b"subscribe", b"a", 1], [b"subscribe", b"b", 2]]
        heard.clear()
        assert engine.execute("PUBLISH", "a", "text") == 1
        assert heard.wait(5)
        assert client.read() == [b"message", b"a", b"text"]
        with pytest.raises(IndexError):
            client.read()
        client.submit("BLPOP", "list", 0)       # what comes behind it waits for it
        client.submit("PING")
        assert not client.arrived
        engine.execute("LPUSH", "list", "value")
        wait_until(lambda: len(client.arrived) == 2)
        assert [client.read(), client.read()] == [[b"list", b"value"], b"PONG"]


def test_who_does_not_read_is_closed(shared, engine):
    shared.set(client_output_buffer_limit=["pubsub", "1mb", "0", "0"])
    with engine.new_client() as client:
        client.submit("SUBSCRIBE", "channel")
        for _ in range(3):
            engine.execute("PUBLISH", "channel", b"x" * 500_000)
        assert client.is_closed
    shared.set(client_output_buffer_limit=["pubsub", "32mb", "8mb", "60"])


def test_a_child_is_told(engine):
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:                        # what is raised here must not run on in the tests
        try:
            engine.execute("PING")
        except FastredisError as error:
            os.write(write, str(error).encode())
        finally:
            os._exit(0)
    os.waitpid(pid, 0)
    os.close(write)
    with os.fdopen(read, "rb") as pipe:
        assert b"child of the process" in pipe.read()
    assert engine.execute("PING") == b"PONG"


# --- on a loop ------------------------------------------------------------------------------

def on_loop(test):
    async def run():
        async with fastredis.AsyncServer(save="", unixsocket=None) as server:
            await test(server)

    asyncio.run(run())


def test_on_the_engines_loop():
    async def test(server):
        engine = server.engine
        assert engine.execute("SET", "key", 1) == b"OK" and await engine.aexecute("GET", "key") == b"1"
        assert engine.execute("BLPOP", "list", 0) is None           # as in MULTI
        waiting = [asyncio.ensure_future(engine.aexecute("BLPOP", "list", 0)) for _ in range(2)]
        await asyncio.sleep(0)
        engine.execute("RPUSH", "list", "a", "b")
        assert await asyncio.gather(*waiting) == [[b"list", b"a"], [b"list", b"b"]]
        assert await engine.aexecute_all([("RPUSH", "list", "c"), ("BLPOP", "list", 0), ("BLPOP", "list", 0.05)]) == [
            1, [b"list", b"c"], None]

    on_loop(test)


def test_giving_up_takes_nothing():
    async def test(server):
        engine = server.engine
        waiting = asyncio.ensure_future(engine.aexecute("BLPOP", "list", 0))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert await engine.aexecute("RPUSH", "list", "a") == 1
        assert await engine.aexecute("LLEN", "list") == 1
        assert b"blocked_clients:0" in engine.execute("INFO", "clients")

    on_loop(test)


def test_what_cannot_be_waited_for():
    async def test(server):
        engine = server.engine
        engine.execute("CLIENT", "PAUSE", 50, "WRITE")
        with pytest.raises(WouldBlockError):
            engine.execute("SET", "key", 1)
        assert await engine.aexecute("SET", "key", 2) == b"OK"
        assert engine.execute("GET", "key") == b"2"
        with pytest.raises(WouldBlockError):
            engine.execute("MIGRATE", "127.0.0.1", server.port, "key", 0, 1000, "COPY")
        assert server.engine.execute("PING") == b"PONG"

    on_loop(test)


def test_another_thread_than_the_loops():
    async def test(server):
        engine = server.engine

        def call():
            with pytest.raises(FastredisError, match="thread of its event loop"):
                engine.execute("PING")

        await asyncio.get_running_loop().run_in_executor(None, call)

    on_loop(test)


def test_a_server_that_goes_on_with_another_loop():
    server = fastredis.AsyncServer(unixsocket=None)

    async def run():
        async with server:
            assert server.engine.execute("PING") == b"PONG"

    asyncio.run(run())
    with ThreadPoolExecutor() as threads:
        threads.submit(asyncio.run, run()).result(20)
    asyncio.run(run())


def test_the_loop_of_another_thread(engine):
    """A Server's engine is awaited on the caller's loop; who wakes the waiting is in another thread."""
    async def test():
        waiting = asyncio.ensure_future(engine.aexecute("BLPOP", "list", 0))
        await asyncio.sleep(0.01)
        await asyncio.get_running_loop().run_in_executor(None, engine.execute, "LPUSH", "list", "value")
        assert await asyncio.wait_for(waiting, 5) == [b"list", b"value"]
        assert await engine.aexecute("BLPOP", "list", 0.05) is None

    asyncio.run(test())


def test_a_wait_for_a_loop_that_is_closed(engine):
    """The engine goes on when nobody is there to be told."""
    async def test():
        waiting = asyncio.ensure_future(engine.aexecute("BLPOP", "list", 0))
        await asyncio.sleep(0.01)
        assert not waiting.done()

    asyncio.run(test())
    assert engine.execute("LPUSH", "list", "value") == 1
    assert engine.execute("LLEN", "list") == 1


def test_with_tcp_under_load(shared, engine):
    """Calls get in although the loop has always something to do."""
    done = threading.Event()

    def load():
        with redis.Redis(port=shared.port) as client:
            while not done.is_set():
                with client.pipeline(transaction=False) as pipe:
                    for _ in range(100):
                        pipe.get("key")
                    pipe.execute()

    threads = [threading.Thread(target=load) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        started = time.monotonic()
        for _ in range(100):
            engine.execute("PING")
        assert time.monotonic() - started < 20
    finally:
        done.set()
        for thread in threads:
            thread.join()
