"""server.on() and server.events(): what happens to keys, told to the program."""
import asyncio
import threading

import pytest

import fastredis
from tests.helpers import wait_until


@pytest.fixture
def server():
    with fastredis.Server(unixsocket=None) as server:
        yield server


def test_a_function_is_called(server):
    heard = []
    subscription = server.on("expired", heard.append)
    server.clock.freeze()
    server.engine.execute("SET", "key", 1, "PX", 10)
    assert heard == []
    server.clock.advance(1)
    assert heard == [("expired", b"key", 0)] and heard[0].name == "expired" and heard[0].key == b"key"
    subscription.close()
    server.engine.execute("SET", "key", 1, "PX", 10)
    server.clock.advance(1)
    assert len(heard) == 1


def test_names_databases_and_all(server):
    heard = []
    with (server.on("*", heard.append), server.on("del", lambda event: heard.append(event.key)),
          server.engine.new_client(database=5) as client):
        client.execute("SET", "key", 1)
        client.execute("GET", "missing")
        client.execute("DEL", "key")
    assert heard == [("set", b"key", 5), ("del", b"key", 5), b"key"]
    server.engine.execute("SET", "key", 1)
    assert len(heard) == 3
    with server.on("keymiss", heard.append):
        server.engine.execute("GET", "missing")
    assert heard[-1] == ("keymiss", b"missing", 0)


def test_notifications_are_another_thing(server):
    with server.client() as client, client.pubsub() as pubsub:
        pubsub.psubscribe("__key*")
        pubsub.get_message(timeout=5)
        heard = []
        with server.on("set", heard.append):
            client.set("key", 1)
            assert pubsub.get_message(timeout=0.05) is None and len(heard) == 1
            server.set(notify_keyspace_events="KEA")
            client.set("key", 1)
            assert pubsub.get_message(timeout=5)["data"] == b"set"
            wait_until(lambda: len(heard) == 2)


def test_a_function_may_use_the_engine_and_may_fail(server):
    engine = server.engine
    server.on("set", lambda event: 1 / 0)
    server.on("set", lambda event: engine.execute("INCR", "count"))
    for _ in range(3):
        engine.execute("SET", "key", 1)
    assert engine.execute("GET", "count") == b"3"
    assert "ZeroDivisionError" in server.log
    with server.client() as client:
        client.set("key", 1)
    assert engine.execute("GET", "count") == b"4"


def test_an_iterator(server):
    async def main():
        async with server.events("del") as events:
            threading.Timer(0.05, server.engine.execute, ("FLUSHALL",)).start()
            server.engine.execute("SET", "a", 1)
            server.engine.execute("SET", "b", 1)
            server.engine.execute("DEL", "a", "b")
            first = await asyncio.wait_for(anext(events), 10)
            second = await asyncio.wait_for(anext(events), 10)
            threading.Timer(0.05, server.engine.execute, ("EVAL", "redis.call('set', 'c', 1) redis.call('del', 'c')", 0)
                            ).start()
            third = await asyncio.wait_for(anext(events), 10)
        rest = [event async for event in events]
        return first.key, second.key, third.key, rest

    assert asyncio.run(main()) == (b"a", b"b", b"c", [])


def test_the_end_of_the_server_ends_it():
    async def main():
        async with fastredis.AsyncServer(unixsocket=None) as server:
            events = server.events()

            async def collect():
                return [event async for event in events]

            task = asyncio.create_task(collect())
            await server.engine.aexecute("SET", "key", 1)
            await asyncio.sleep(0)
        return await asyncio.wait_for(task, 10)

    assert asyncio.run(main()) == [("set", b"key", 0)]


def test_evicted_keys():
    with fastredis.Server(unixsocket=None, maxmemory="3mb", maxmemory_policy="allkeys-random") as server:
        heard = []
        server.on("evicted", heard.append)
        server.engine.execute_all([("SET", f"key:{i}", "x" * 1000) for i in range(4000)])
        assert heard and heard[0].name == "evicted"
