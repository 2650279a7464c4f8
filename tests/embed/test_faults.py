"""server.faults, and random choices that are repeated."""
import asyncio
import time

import pytest
import redis
import redis.asyncio

import fastredis
from fastredis import ClosedError, ReplyError


@pytest.fixture(scope="module")
def shared():
    with fastredis.Server(unixsocket=None) as server:
        yield server


@pytest.fixture
def server(shared):
    shared.faults.clear()
    shared.engine.execute("FLUSHALL")
    return shared


@pytest.mark.parametrize(("make", "text"), [
    (lambda faults: faults.fail("ERR something is wrong"), "ERR something is wrong"),
    (lambda faults: faults.loading(), "LOADING Redis is loading the dataset in memory"),
    (lambda faults: faults.readonly(), "READONLY You can't write against a read only replica."),
    (lambda faults: faults.oom(), "OOM command not allowed when used memory > 'maxmemory'."),
    (lambda faults: faults.moved(7, "127.0.0.1:7000"), "MOVED 7 127.0.0.1:7000"),
], ids=["fail", "loading", "readonly", "oom", "moved"])
def test_errors(server, make, text):
    fault = make(server.faults)
    with pytest.raises(ReplyError) as raised:
        server.engine.execute("SET", "key", 1)
    assert str(raised.value) == text and fault.hits == 1
    assert server.engine.execute("SET", "key", 1) == b"OK"


def test_which_commands_and_how_many(server):
    execute = server.engine.execute
    fault = server.faults.fail("ERR no", times=2, command="set")
    assert execute("GET", "key") is None
    for _ in range(2):
        with pytest.raises(ReplyError, match="no"):
            execute("SET", "key", 1)
    assert execute("SET", "key", 1) == b"OK" and fault.hits == 2
    with server.faults.fail("ERR no", times=None) as fault:
        assert execute("PING") == b"PONG", "a command for connections"
        for _ in range(5):
            with pytest.raises(ReplyError):
                execute("GET", "key")
    assert execute("GET", "key") == b"1" and fault.hits == 5
    with server.faults.fail("ERR no", times=None, command="CONFIG GET"):
        execute("CONFIG", "SET", "hz", 10)
        with pytest.raises(ReplyError):
            execute("CONFIG", "GET", "hz")
    with server.faults.fail("ERR no", command="config"), pytest.raises(ReplyError, match="no"):
        execute("CONFIG", "GET", "hz")
    server.faults.fail("ERR no", command="PING")
    with pytest.raises(ReplyError):
        execute("PING")


def test_which_clients(server):
    with server.engine.new_client() as one, server.engine.new_client() as other:
        one.execute("CLIENT", "SETNAME", "one")
        with server.faults.fail("ERR no", times=None, client="one"):
            assert other.execute("SET", "key", 1) == b"OK"
            with pytest.raises(ReplyError):
                one.execute("GET", "key")


def test_transactions(server):
    pipe = server.engine.pipeline(transaction=True)
    server.faults.fail("ERR no", command="incr")
    with pytest.raises(ReplyError, match="no"):
        pipe.add("SET", "key", 1).add("INCR", "key").execute()
    assert server.engine.execute("EXISTS", "key") == 0
    server.faults.fail("ERR no", command="exec")
    with pytest.raises(ReplyError, match="EXECABORT"):
        pipe.add("SET", "key", 1).execute()
    assert pipe.add("SET", "key", 1).execute() == [b"OK"]


def test_a_connection_that_is_dropped(server):
    with server.client(retry=None) as client:
        client.set("key", 1)
        server.faults.drop(command="incr")
        with pytest.raises(redis.ConnectionError):
            client.execute_command("INCR", "key")
        assert client.get("key") == b"1", "it was not executed, and the client connects again"
    with server.engine.new_client() as local:
        server.faults.drop()
        with pytest.raises((ClosedError, ReplyError)):
            local.execute("GET", "key") or local.execute("GET", "key")


def test_a_slow_command(server):
    with server.client(socket_timeout=0.1, retry=None) as client, server.client() as patient:
        client.set("key", 1)
        server.faults.slow(0.3, command="get", times=2)
        started = time.monotonic()
        with pytest.raises(redis.TimeoutError):
            client.get("key")
        assert server.engine.execute("EXISTS", "key") == 1, "others are served meanwhile"
        assert time.monotonic() - started < 0.3
        started = time.monotonic()
        assert patient.get("key") == b"1"
        assert time.monotonic() - started > 0.25
        assert patient.get("key") == b"1"
    server.faults.slow(0.05)
    started = time.monotonic()
    assert server.engine.execute("GET", "key") == b"1"
    assert 0.04 < time.monotonic() - started < 5


def test_a_client_that_does_not_wait(server):
    with server.client(socket_timeout=0.05, retry=None) as client:
        client.set("key", 1)
        server.faults.slow(0.1, command="incrby")
        with pytest.raises(redis.TimeoutError):
            client.incr("key")
    time.sleep(0.15)
    assert server.engine.execute("GET", "key") in (b"1", b"2")
    assert server.engine.execute("INCR", "other") == 1


def test_on_the_programs_own_loop():
    async def main():
        async with fastredis.AsyncServer(unixsocket=None) as server:
            server.faults.slow(0.1, command="get")
            started = time.monotonic()
            assert await server.engine.aexecute("GET", "key") is None
            assert time.monotonic() - started > 0.08
            server.faults.slow(5, command="get")
            client = server.async_client(socket_timeout=0.1, retry=None)
            with pytest.raises((redis.TimeoutError, asyncio.TimeoutError)):
                await client.get("key")
            await client.aclose()

    asyncio.run(main())


@pytest.mark.parametrize("wrong", [lambda faults: faults.fail(""), lambda faults: faults.fail("ERR a\nb"),
                                   lambda faults: faults.slow(0), lambda faults: faults.oom(times=0)])
def test_what_is_no_fault(server, wrong):
    with pytest.raises(ValueError, match=r"."):
        wrong(server.faults)
    assert server.engine.execute("SET", "key", 1) == b"OK"


def draws(seed):
    """What an engine chooses by chance, and evicts."""
    with fastredis.Server(unixsocket=None, seed=seed, maxmemory_policy="allkeys-random") as server:
        execute = server.engine.execute
        server.clock.freeze()
        server.engine.execute_all([("SADD", "set", i) for i in range(1000)])
        server.engine.execute_all([("HSET", "hash", f"f{i}", i) for i in range(1000)])
        server.engine.execute_all([("SET", f"key:{i}", "x" * 100) for i in range(1000)])
        chosen = [execute("SRANDMEMBER", "set", 5), execute("SPOP", "set"), execute("HRANDFIELD", "hash", -5),
                  [execute("RANDOMKEY") for _ in range(5)]]
        used = int(execute("INFO", "memory").split(b"used_memory:")[1].split(b"\r")[0])
        server.set(maxmemory=used - 50_000, maxmemory_samples=1)
        execute("SET", "one", "more")
        chosen.append(sorted(execute("KEYS", "key:*")))
        return chosen


def test_random_choices_are_repeated():
    assert draws(7) == draws(7)
    assert draws(7)[:4] != draws(8)[:4]
