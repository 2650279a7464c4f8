"""redis-py: locks, scripts, pipelines with scripts; also asynchronously, and in protocol 3. Its client-side cache."""
import asyncio
import sys
import threading
import time

import redis
import redis.asyncio
from redis.cache import CacheConfig
from redis.exceptions import LockError, LockNotOwnedError, NoScriptError, ResponseError

PORT = int(sys.argv[1])


def raises(kind, function, *args, **options):
    """What the call raises must be of that kind -> it."""
    try:
        function(*args, **options)
    except kind as error:
        return error
    raise AssertionError(f"{function} did not raise {kind.__name__}")


def locks(r):
    with r.lock("lock", timeout=5) as lock:
        assert lock.owned() and lock.locked()
        other = r.lock("lock", timeout=5, blocking=False)
        assert not other.acquire()
        assert lock.extend(10) and 10_000 < r.pttl("lock") <= 15_000
        assert lock.extend(7, replace_ttl=True) and r.pttl("lock") <= 7000
        assert lock.reacquire() and r.pttl("lock") <= 5000
    assert not r.exists("lock")
    stolen = r.lock("lock", timeout=5)
    stolen.acquire()
    r.set("lock", "somebody else")
    for call in (stolen.extend, stolen.reacquire):
        raises(LockNotOwnedError, call, *([3] if call == stolen.extend else []))
    raises(LockNotOwnedError, stolen.release)
    raises(LockError, stolen.release)
    r.delete("lock")
    short = r.lock("lock", timeout=0.05)
    short.acquire()
    time.sleep(0.1)
    raises(LockNotOwnedError, short.release)


def a_lock_under_contention(r):
    found = []

    def work():
        for _ in range(10):
            with r.lock("counter-lock", timeout=10, sleep=0.002):
                n = int(r.get("counter") or 0)
                r.set("counter", n + 1)
                found.append(n)
    threads = [threading.Thread(target=work) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == list(range(50)), found


def scripts(r):
    multiply = r.register_script("return redis.call('GET', KEYS[1]) * ARGV[1]")
    r.set("n", 4)
    assert multiply(keys=["n"], args=[5]) == 20
    r.script_flush()
    assert multiply(keys=["n"], args=[6]) == 24
    raises(NoScriptError, r.evalsha, "f" * 40, 0)
    pipe = r.pipeline()
    pipe.set("n", 7)
    multiply(keys=["n"], args=[3], client=pipe)
    pipe.get("n")
    r.script_flush()
    assert pipe.execute() == [True, 21, b"7"]
    assert "WRONGTYPE" in str(raises(ResponseError, r.eval, "return redis.call('LPUSH', KEYS[1], 1)", 1, "n"))
    assert r.eval("return {1, 'two', {3, false}}", 0) == [1, b"two", [3, None]]
    sha = r.script_load("return 1")
    assert r.script_exists(sha, "f" * 40) == [True, False]


def caching(other):
    """What others change is gone from the client's cache."""
    with redis.Redis(port=PORT, protocol=3, cache_config=CacheConfig(max_size=100)) as r:
        other.set("cached", 1)
        assert r.get("cached") == b"1" == r.get("cached")
        assert r.get_cache().size == 1
        other.set("cached", 2)
        assert wait_for(lambda: r.get("cached") == b"2")
        assert r.mget("cached", "none") == [b"2", None]
        other.set("none", 3)
        assert wait_for(lambda: r.mget("cached", "none") == [b"2", b"3"])
        other.flushall()
        assert wait_for(lambda: r.get("cached") is None)


def wait_for(condition):
    end = time.monotonic() + 10
    while time.monotonic() < end and not condition():
        time.sleep(0.01)
    return condition()


async def asynchronous(protocol):
    r = redis.asyncio.Redis(port=PORT, protocol=protocol)
    async with r.lock("alock", timeout=3):
        assert await r.exists("alock")
    assert not await r.exists("alock")
    double = r.register_script("return ARGV[1] * 2")
    assert await asyncio.gather(*(double(args=[n]) for n in range(50))) == [2 * n for n in range(50)]
    await r.aclose()


for version in (2, 3):
    with redis.Redis(port=PORT, protocol=version) as client:
        client.flushall()
        locks(client)
        a_lock_under_contention(client)
        scripts(client)
        if version == 3 and client.info("server")["redis_version"] >= "7.4":    # redis-py refuses older ones
            caching(client)
    asyncio.run(asynchronous(version))
