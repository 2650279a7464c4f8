"""fakeredis's entry points on a real engine."""
import asyncio
import gc
import inspect
import socket
import threading
import time

import pytest
import redis
import redis.asyncio

from fastredis.compat import fakeredis


def threads():
    return [thread for thread in threading.enumerate() if thread.name.startswith("fastredis")]


def wait_until(condition, seconds=10):
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.01)
    assert condition()


def test_classes():
    assert issubclass(fakeredis.FakeRedis, redis.Redis) and issubclass(fakeredis.FakeStrictRedis, redis.Redis)
    assert issubclass(fakeredis.FakeAsyncRedis, redis.asyncio.Redis)
    assert fakeredis.aioredis.FakeRedis is fakeredis.FakeAsyncRedis
    assert all(hasattr(fakeredis, name) for name in fakeredis.__all__ if "Valkey" not in name)


def test_whose_data_they_are():
    server = fakeredis.FakeServer()
    one, other = fakeredis.FakeRedis(server=server), fakeredis.FakeStrictRedis(server=server, decode_responses=True)
    alone = fakeredis.FakeRedis()
    one.set("key", "shared")
    assert other.get("key") == "shared" and alone.get("key") is None
    here = fakeredis.FakeRedis("localhost", 6390, 5)
    here.set("key", "here")
    assert fakeredis.FakeRedis.from_url("redis://localhost:6390/5").get("key") == b"here"
    assert fakeredis.FakeRedis.from_url("redis://localhost:6391/5").get("key") is None
    assert fakeredis.FakeRedis.from_url("redis://localhost:6390/4", decode_responses=True).get("key") is None
    assert fakeredis.FakeRedis.from_url("unix:///a/b", server=server).get("key") == b"shared"
    here.flushall()


def test_every_argument_of_redis_py_is_taken():
    for kind, of in ((fakeredis.FakeRedis, redis.Redis), (fakeredis.FakeAsyncRedis, redis.asyncio.Redis)):
        parameters = list(inspect.signature(of.__init__).parameters.values())[1:]
        options = {each.name: each.default for each in parameters if each.kind is not each.VAR_KEYWORD}
        server = fakeredis.FakeServer()
        client = kind(server=server, version=(6,), server_type="redis", lua_modules={"cjson"}, **options)
        answer = client.ping()
        assert (asyncio.run(answer) if inspect.isawaitable(answer) else answer) is True


def test_a_server_that_is_not_there():
    server = fakeredis.FakeServer()
    client = fakeredis.FakeRedis(server=server)
    client.set("key", 1)
    pubsub = client.pubsub()
    pubsub.subscribe("channel")
    server.connected = False
    for call in (lambda: client.get("key"), lambda: client.pipeline().get("key").execute(),
                 lambda: client.pipeline().watch("key"), pubsub.get_message):
        with pytest.raises(redis.ConnectionError):
            for _ in range(3):          # the subscription's own answer comes first
                call()
    server.connected = True
    assert client.get("key") == b"1"

    async def main():
        gone = fakeredis.FakeAsyncRedis(connected=False)
        with pytest.raises(redis.ConnectionError):
            await gone.get("key")

    asyncio.run(main())


def test_asyncio():
    async def main():
        server = fakeredis.FakeServer()
        async with fakeredis.FakeAsyncRedis(server=server) as client:
            waiting = asyncio.create_task(client.blpop("list", 5))
            await asyncio.sleep(0)
            fakeredis.FakeRedis(server=server).rpush("list", 1)
            assert await waiting == (b"list", b"1")

    asyncio.run(main())


def test_pools():
    server = fakeredis.FakeServer(config={b"maxmemory": b"100mb"})
    pool = redis.ConnectionPool(connection_class=fakeredis.FakeRedisConnection, server=server)
    client = redis.Redis(connection_pool=pool)
    client.set("key", 1)
    assert fakeredis.FakeRedis(connection_pool=pool).get("key") == b"1"
    assert client.config_get("maxmemory") == {"maxmemory": str(100 << 20)}


def test_a_server_ends_with_its_last_client():
    gc.collect()
    wait_until(lambda: not [each for each in threads() if each.name == "fastredis-end"])
    before = len(threads())
    client = fakeredis.FakeRedis()
    client.set("key", 1)
    assert len(threads()) > before
    del client
    gc.collect()
    wait_until(lambda: len(threads()) <= before)


def test_over_tcp():
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    server = fakeredis.TcpFakeServer(("127.0.0.1", port))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    with redis.Redis(*server.server_address) as client:
        client.set("key", 1)
        assert fakeredis.FakeRedis(server=server.fake_server).get("key") == b"1"
        server.shutdown()
        thread.join(10)
        server.server_close()
        assert not thread.is_alive()
        with pytest.raises(redis.ConnectionError):
            redis.Redis(*server.server_address, retry=None).ping()
    with fakeredis.TcpFakeServer(("localhost", 0)) as server:
        assert redis.Redis(*server.server_address).ping()


def test_wrong_arguments():
    with pytest.raises(ValueError, match="Unsupported server type"):
        fakeredis.FakeServer(server_type="memcached")
    with pytest.raises(AttributeError):
        fakeredis.NoSuchName  # noqa: B018


def test_valkey_py():
    valkey = pytest.importorskip("valkey", reason="the package valkey is not installed")
    server = fakeredis.FakeServer(server_type="valkey")
    client = fakeredis.FakeStrictValkey(server=server, decode_responses=True)
    client.set("key", "value")
    assert isinstance(client, valkey.Valkey) and fakeredis.FakeValkey(server=server).get("key") == b"value"
    assert asyncio.run(fakeredis.FakeAsyncValkey(server=server).get("key")) == b"value"
    server.connected = False
    with pytest.raises(valkey.ConnectionError):
        client.get("key")
    with pytest.raises(ValueError, match="server_type"):
        fakeredis.FakeValkey(server_type="redis")
