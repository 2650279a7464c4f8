"""redis-py's clients without sockets answer as those with sockets do."""
import asyncio
import gc
import os
import pickle
import threading
import time

import pytest
import redis
import redis.asyncio

import fastredis
from fastredis import redis_py

STEPS = [
    lambda r: r.set("key", "größe"),
    lambda r: r.get("key"),
    lambda r: r.get("nosuch"),
    lambda r: r.set("key", 1, nx=True),
    lambda r: r.set("key", 2, get=True),
    lambda r: r.incrby("key", 5),
    lambda r: r.incrbyfloat("float", 1.5),
    lambda r: r.mset({"a": 1, "b": b"2"}),
    lambda r: r.mget("a", "b", "c"),
    lambda r: r.expire("a", 100),
    lambda r: r.ttl("a"),
    lambda r: r.exists("a", "b"),
    lambda r: r.type("a"),
    lambda r: r.hset("hash", mapping={"f": 1, "g": "x"}),
    lambda r: r.hgetall("hash"),
    lambda r: r.hmget("hash", "f", "none"),
    lambda r: r.hscan("hash"),
    lambda r: r.rpush("list", 1, 2, 3),
    lambda r: r.lrange("list", 0, -1),
    lambda r: r.lmove("list", "other", "LEFT", "RIGHT"),
    lambda r: r.lpos("list", 3),
    lambda r: r.blpop(["nosuch", "list"], 1),
    lambda r: r.blpop("nosuch", 0.05),
    lambda r: r.sadd("set", "m"),
    lambda r: r.smembers("set"),
    lambda r: r.smismember("set", ["m", "n"]),
    lambda r: r.sscan("set"),
    lambda r: r.zadd("zset", {"a": 1, "b": 2.5}),
    lambda r: r.zrange("zset", 0, -1, withscores=True),
    lambda r: r.zscore("zset", "b"),
    lambda r: r.zmscore("zset", ["a", "n"]),
    lambda r: r.zpopmin("zset"),
    lambda r: r.bzpopmax("zset", 1),
    lambda r: r.zscan("zset"),
    lambda r: r.geoadd("geo", (13.361389, 38.115556, "Palermo")),
    lambda r: r.geopos("geo", "Palermo", "nosuch"),
    lambda r: r.xadd("stream", {"f": "v"}, id="1-1"),
    lambda r: r.xread({"stream": 0}),
    lambda r: r.xrange("stream"),
    lambda r: r.xgroup_create("stream", "group", 0),
    lambda r: r.xreadgroup("group", "me", {"stream": ">"}),
    lambda r: r.xpending("stream", "group"),
    lambda r: r.eval("return {1, 'a', {2.9, false}}", 0),
    lambda r: r.function_list(),
    lambda r: r.eval("return {redis.pcall('nosuch'), {redis.pcall('lpush', KEYS[1], 1)}}", 1, "key"),
    lambda r: r.config_get("maxmemory*"),
    lambda r: r.config_set("maxmemory", "100mb"),
    lambda r: r.client_setname("name"),
    lambda r: r.ping(),
    lambda r: r.echo("text"),
    lambda r: r.object("encoding", "a"),
    lambda r: r.dump("a"),
    lambda r: r.sort("list", desc=True),
    lambda r: r.bitcount("a"),
    lambda r: r.pfadd("hll", 1, 2),
    lambda r: r.pfcount("hll"),
    lambda r: r.slowlog_reset(),
    lambda r: r.execute_command("object encoding", "a"),
    lambda r: r.execute_command("get", "a"),
    lambda r: r.execute_command("SPOP", "set", 9),
    lambda r: r.command_getkeysandflags("SET", "key", "value"),
    lambda r: r.publish("nobody", "hears"),
    lambda r: r.lpush("a", 1),
    lambda r: r.set("key", None),
    lambda r: r.set("key", True),
    lambda r: r.execute_command("nosuch"),
    lambda r: r.evalsha("0" * 40, 0),
    lambda r: r.pipeline().set("p", 1).get("p").incr("p").execute(),
    lambda r: r.pipeline(transaction=False).hgetall("hash").smembers("set").zrange("zset", 0, -1).execute(),
    lambda r: r.pipeline().set("p", 1).lpush("p", 2).execute(),
    lambda r: r.pipeline().set("p", 1).execute_command("nosuch").execute(),
    lambda r: r.pipeline(transaction=False).lpush("p", 2).get("p").execute(),
    lambda r: r.pipeline().execute(),
    lambda r: r.pipeline().watch("p"),
    lambda r: r.pipeline().client_setname("other").client_getname().execute(),
    lambda r: r.pipeline().xadd("stream", {"a": 1}, id="2-1").dump("a").execute(),
    lambda r: r.watch("p"),
    lambda r: r.execute_command("MULTI"),
    lambda r: r.set("p", 7),
    lambda r: r.execute_command("EXEC"),
]
# ... whose values are looked into, so that they can't be awaited.
SYNC_STEPS = [
    lambda r: sorted(r.keys("*")),
    lambda r: sorted(r.scan_iter(count=100)),
    lambda r: r.hrandfield("hash", 2, withvalues=True) is not None,
    lambda r: r.xinfo_stream("stream")["length"],
    lambda r: r.register_script("return {KEYS[1], ARGV[1]}")(keys=["k"], args=["v"]),
    lambda r: r.info("replication")["role"],
    lambda r: (r.client_setname("name"), r.client_info()["name"]),
    lambda r: r.client_info()["lib-name"],
    lambda r: r.client_kill_filter(_id=r.client_id(), skipme=True),
    lambda r: r.time()[0] > 0,
    lambda r: r.restore("restored", 0, r.dump("a")),
    lambda r: r.memory_usage("a") > 0,
    lambda r: r.command_count() > 300,
    lambda r: [repr(value) for value in r.pipeline().set("p", 1).lpush("p", 2).execute(raise_on_error=False)],
    lambda r: r.transaction(lambda pipe: (pipe.multi(), pipe.incr("p")), "p"),
    lambda r: r.select(5),
    lambda r: r.get("p"),
    lambda r: r.set("p", "of 5"),
    lambda r: r.dump("p"),
    lambda r: r.pipeline().get("p").execute(),
    lambda r: r.client_info()["db"],
    lambda r: r.flushdb(),
    lambda r: r.dbsize(),
]


def plain(value):
    """With errors in lists in a form that can be compared."""
    if isinstance(value, list):
        return [plain(item) for item in value]
    return (type(value), str(value)) if isinstance(value, Exception) else value


def outcome(step, client):
    try:
        return plain(step(client))
    except redis.DataError:
        return redis.DataError              # in other words with hiredis's packer
    except (redis.RedisError, UnicodeError) as error:
        return type(error), str(error)


@pytest.mark.parametrize("options", [{}, {"decode_responses": True}, {"protocol": 2},
                                     {"protocol": 2, "decode_responses": True}, {"db": 3}], ids=str)
def test_answers(options):
    with (fastredis.Server(unixsocket=None) as one, fastredis.Server(unixsocket=None) as other,
          fastredis.connect(one, **options) as direct, other.client(**options) as client):
        assert isinstance(direct, redis.Redis)
        for number, step in enumerate(STEPS + SYNC_STEPS):
            assert outcome(step, direct) == outcome(step, client), number


@pytest.fixture(scope="module")
def server():
    with fastredis.Server() as server:
        yield server


@pytest.fixture
def client(server):
    with fastredis.connect(server, decode_responses=True) as client:
        client.flushall()
        yield client


def test_encodings(server, client):
    with fastredis.connect(server, encoding="latin-1", decode_responses=True) as latin:
        latin.set("größe", "größe")
        assert server.engine.execute("GET", "größe".encode("latin-1")) == "größe".encode("latin-1")
        assert latin.get("größe") == "größe" and latin.keys() == ["größe"]
    client.set("raw", b"\xff")
    with pytest.raises(UnicodeDecodeError):
        client.get("raw")
    with fastredis.connect(server, encoding_errors="replace", decode_responses=True) as lenient:
        assert lenient.get("raw") == "\ufffd"


def test_subscriptions(client):
    with client.pubsub() as pubsub:
        pubsub.subscribe("a")
        pubsub.psubscribe("b*")
        assert [pubsub.get_message(timeout=1)["type"] for _ in range(2)] == ["subscribe", "psubscribe"]
        assert pubsub.get_message(timeout=0.01) is None
        threading.Timer(0.05, client.publish, ["bc", "text"]).start()
        assert pubsub.get_message(timeout=5)["data"] == "text"
        assert client.pubsub_numsub("a") == [("a", 1)]
    assert client.pubsub_numsub("a") == [("a", 0)]


def test_watching(client):
    client.set("key", 1)
    with client.pipeline() as pipe:
        pipe.watch("key")
        assert pipe.get("key") == "1"
        client.set("key", 2)
        pipe.multi()
        pipe.set("key", 3)
        with pytest.raises(redis.WatchError):
            pipe.execute()
    assert client.get("key") == "2"


def test_monitor(client):
    with client.monitor() as monitor:
        client.set("key", 1)
        assert monitor.next_command()["command"] == "SET key 1"


def test_single_connection_client(server):
    with fastredis.connect(server, single_connection_client=True, client_name="one") as client:
        assert client.client_getname() in (b"one", "one")
        assert client.set("key", 1) and client.get("key") == b"1"


def test_locks(client):
    with client.lock("lock", timeout=5):
        assert not client.lock("lock").acquire(blocking=False)
    assert client.lock("lock").acquire(blocking=False)


def test_a_pool_of_connections(server):
    pool = redis.ConnectionPool(connection_class=redis_py.Connection, server=server, db=1)
    with redis.Redis(connection_pool=pool) as client:
        assert client.set("key", "value") and client.get("key") == b"value"
        assert client.pipeline().incr("n").incr("n").execute() == [1, 2]
        assert client.blpop("nosuch", 0.05) is None
    pool.disconnect()
    assert not [entry for entry in server.client().client_list() if entry["db"] == "1"]
    assert server.engine.new_client(database=1).execute("GET", "key") == b"value"


def test_options_of_sockets_are_kept_or_ignored(server):
    with fastredis.connect(server, host="example.org", port=1, socket_keepalive=True, health_check_interval=1,
                           max_connections=3, socket_timeout=5, retry_on_timeout=True) as client:
        assert client.ping()
        assert client.connection_pool.max_connections == 3
        assert client.get_connection_kwargs()["host"] == "example.org"


def test_client_id_is_that_of_who_waits(client):
    waiting = threading.Thread(target=client.blpop, args=("nosuch", 10))
    name = client.client_id()
    waiting.start()
    end = time.monotonic() + 10
    while not client.client_unblock(name) and time.monotonic() < end:
        time.sleep(0.01)
    waiting.join(5)
    assert not waiting.is_alive()


@pytest.mark.parametrize("options", [{}, {"password": "right"}, {"password": "wrong"}, {"username": "nobody"},
                                     {"username": "default", "password": "right"}], ids=str)
@pytest.mark.parametrize("password", ["", "right"])
@pytest.mark.parametrize("protocol", [2, 3])
def test_passwords_are_those_of_redis_py(password, protocol, options):
    """But a client in the same process need not have one."""
    with fastredis.Server(requirepass=password) as server:
        client = redis.Redis(port=server.port, protocol=protocol, **options)
        direct = fastredis.connect(server, protocol=protocol, **options)
        expected = outcome(lambda r: r.ping(), client) if options or not password else True
        assert outcome(lambda r: r.ping(), direct) == expected


def test_a_cache(server):
    """redis-py's, which keeps what was read until the engine says that it has changed."""
    from redis.cache import CacheConfig

    with fastredis.connect(server, protocol=3, cache_config=CacheConfig(max_size=10)) as client, \
            fastredis.connect(server) as other:
        other.set("a", 1)
        assert client.get("a") == b"1" == client.get("a") and client.get_cache().size == 1
        assert other.info("stats")["tracking_total_keys"] == 1
        other.set("a", 2)
        assert client.get("a") == b"2"
        assert client.mget("a", "b") == [b"2", None]
        client.pipeline().set("a", 3).execute()
        assert client.get("a") == b"3"
        other.flushall()
        assert client.get("a") is None


def test_subclasses(server):
    class Mine(redis_py.Redis):
        def get(self, name):
            return super().get(f"my:{name}")

    with Mine(server) as client:
        client.set("my:key", 1)
        assert client.get("key") == b"1"


@pytest.mark.parametrize("options", [{}, {"single_connection_client": True}], ids=str)
def test_a_timeout(server, options):
    """What it was waited for is given up: nobody takes what comes later."""
    with fastredis.connect(server, socket_timeout=0.1, **options) as client:
        with pytest.raises(redis.TimeoutError):
            client.blpop("nosuch", 0)
        assert client.rpush("nosuch", 1) == 1 and client.delete("nosuch") == 1
        with pytest.raises(redis.TimeoutError):
            client.pipeline(transaction=False).client_pause(10_000).set("key", 1).execute()
    server.engine.execute("CLIENT", "UNPAUSE")


def test_the_server_is_gone():
    with fastredis.Server(unixsocket=None) as server:
        client = fastredis.connect(server)
        pubsub = client.pubsub()
        pubsub.subscribe("a")
        assert client.ping()
    with pytest.raises(redis.ConnectionError, match="does not run"):
        client.ping()
    with pytest.raises(redis.ConnectionError):
        client.pipeline().get("key").execute()
    with pytest.raises(redis.ConnectionError):
        while True:
            pubsub.get_message(timeout=1)
    with server, fastredis.connect(server) as client:        # started again
        assert client.ping()


# --- asyncio --------------------------------------------------------------------------------

async def async_outcome(step, client):
    try:
        return plain(await step(client))
    except redis.DataError:
        return redis.DataError
    except (redis.RedisError, UnicodeError, TypeError) as error:
        return type(error), str(error).replace("AsyncPipeline", "Pipeline")


@pytest.mark.parametrize("options", [{}, {"decode_responses": True, "protocol": 2}], ids=str)
def test_async_answers(options):
    async def run():
        async with fastredis.AsyncServer(unixsocket=None) as one, fastredis.AsyncServer(unixsocket=None) as other:
            direct, client = fastredis.aconnect(one, **options), other.async_client(**options)
            assert isinstance(direct, redis.asyncio.Redis)
            for number, step in enumerate(STEPS):
                assert await async_outcome(step, direct) == await async_outcome(step, client), number
            await direct.aclose()
            await client.aclose()

    asyncio.run(run())


def test_async_waiting_and_messages(server):
    """A Server in another thread, and one on this loop."""
    async def use(server):
        async with fastredis.aconnect(server, decode_responses=True) as client:
            await client.flushall()
            waiting = asyncio.ensure_future(client.blpop("list", 0))
            await asyncio.sleep(0.01)
            assert await client.rpush("list", 1) == 1
            assert tuple(await asyncio.wait_for(waiting, 5)) == ("list", "1")
            async with client.pubsub() as pubsub:
                await pubsub.subscribe("a")
                assert (await pubsub.get_message(timeout=1))["type"] == "subscribe"
                assert await client.publish("a", "text") == 1
                assert (await pubsub.get_message(timeout=1))["data"] == "text"
                assert await pubsub.get_message(timeout=0.01) is None
            async with client.pipeline() as pipe:
                await pipe.watch("key")
                await client.set("key", 1)
                pipe.multi()
                pipe.set("key", 2)
                with pytest.raises(redis.WatchError):
                    await pipe.execute()
            async with client.lock("lock", timeout=5):
                assert await client.exists("lock")

    async def run():
        await use(server)
        async with fastredis.AsyncServer() as here:
            await use(here)

    asyncio.run(run())


@pytest.mark.parametrize("options", [{}, {"single_connection_client": True}], ids=str)
def test_an_async_timeout(server, options):
    async def main():
        async with fastredis.aconnect(server, socket_timeout=0.1, **options) as client:
            with pytest.raises(redis.TimeoutError):
                await client.blpop("nosuch", 0)
            assert await client.rpush("nosuch", 1) == 1 and await client.delete("nosuch") == 1

    asyncio.run(main())


def test_async_pool(server):
    async def run():
        pool = redis.asyncio.ConnectionPool(connection_class=redis_py.AsyncConnection, server=server)
        client = redis.asyncio.Redis(connection_pool=pool)
        assert await client.set("key", 1) and await client.get("key") == b"1"
        assert await asyncio.gather(*(client.incr("n") for _ in range(50))) == sorted(range(1, 51), key=int)
        await client.aclose()
        await pool.disconnect()

    server.engine.execute("FLUSHALL")
    asyncio.run(run())


# --- by name --------------------------------------------------------------------------------

def test_what_is_not_closed_leaves_nothing(server):
    def count():
        return len(server.engine.execute("CLIENT", "LIST").splitlines())

    async def use():
        for _ in range(3):
            client = redis_py.aconnect(server)
            await client.set("key", 1)

    before = count()
    for _ in range(3):
        client = redis_py.connect(server)
        client.pipeline().set("key", 1).execute()
    del client
    asyncio.run(use())
    gc.collect()
    assert count() <= before


def test_a_transaction_that_cannot_be_sent(client):
    pipe = client.pipeline().set("key", "\ud800")
    with pytest.raises(UnicodeEncodeError):
        pipe.execute()
    assert client.set("key", 1) is True


def test_named_servers():
    url = fastredis.url("test one")
    assert url.startswith("unix://") and fastredis.url("test one") == url != fastredis.url("test two")
    with redis.Redis.from_url(url) as tcp, fastredis.connect("test one") as direct:
        tcp.set("key", 1)
        assert direct.get("key") == b"1"
    with fastredis.connect("test two") as direct:
        assert direct.get("key") is None
    with pytest.raises(fastredis.FastredisError, match="runs already"):
        fastredis.url("test one", maxmemory="1gb")


def test_a_child_of_the_process():
    """What is a URL works there; what is in the parent's memory is a clear error; ending it ends nothing here."""
    url = fastredis.url("parent")
    client = fastredis.connect("parent")
    client.set("key", 1)
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            said = [fastredis.url("parent") == url, redis.Redis.from_url(url).get("key")]
            for use in (client.ping, lambda: fastredis.connect("parent").ping()):
                try:
                    use()
                except redis.ConnectionError as error:
                    said.append("child of the process" in str(error))
            from fastredis.embed.named import named
            named("parent").stop()
            os.write(write, pickle.dumps(said))
        finally:
            os._exit(0)
    os.close(write)
    with os.fdopen(read, "rb") as pipe:
        assert pickle.loads(pipe.read()) == [True, b"1", True, True]
    os.waitpid(pid, 0)
    assert client.get("key") == b"1"


def test_it_is_quick(server):
    """Against a client with a socket, by a wide margin: the figures are in benchmarks/embedding."""
    def seconds(client):
        started = time.process_time()
        for _ in range(2000):
            client.get("key")
        return time.process_time() - started

    with fastredis.connect(server) as direct, server.client() as client:
        client.get("key")
        direct.get("key")
        assert min(seconds(direct) for _ in range(3)) * 2 < min(seconds(client) for _ in range(3))
