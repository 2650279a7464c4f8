"""A call of the engine in this process against what Python programs use otherwise.

    engine.execute()    burner-redis, awaited: an engine in Rust with a client of its own
    connect()           redis-py over a unix socket to a server on the other core; fakeredis
    aconnect()          redis.asyncio over the same socket

Time a call on one core, in turns in the same process; each round uses other keys. burner-redis and fakeredis are in
the extra `peers`; what is not installed is not measured, and the notes say so.
"""

import asyncio
import importlib
import statistics
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import fastredis

from .common import BenchmarkError, Options, load_core, pinned, running
from .report import Bar, Figure, Result, main

SHORT_KEYS, FULL_KEYS = 100_000, 1_000_000
FEW_KEYS = 10_000           # in fakeredis, which takes 40 us for each
PIPELINE = 100
HEADERS = ("call", "us", "peer", "us", "ratio", "bar")
VALUE = b"xxx"
SCRIPT = "return redis.call('GET', KEYS[1])"

Call = Callable[[Any], Any]


@dataclass(frozen=True)
class Row:
    """One comparison: two calls of a key, or (batch) of a list of keys; the bar is the ratio that is allowed."""

    name: str
    ours: Call
    peer: Call
    peer_name: str
    bar: float
    ours_awaited: bool = False
    peer_awaited: bool = False
    batch: bool = False


async def seconds(call: Call, awaited: bool, keys: Iterable[Any]) -> float:
    """Time of a call for each key."""
    begin = time.perf_counter()
    if awaited:
        for key in keys:
            await call(key)
    else:
        for key in keys:
            call(key)
    return time.perf_counter() - begin


def installed(name: str, result: Result) -> Any:
    """A module, or None with a note."""
    try:
        return importlib.import_module(name)
    except ImportError:
        result.notes.append(f"{name} is not installed: nothing is measured beside it")
        return None


def against_burner(engine: Any, burner: Any) -> list[Row]:
    """The engine itself. The others' arguments are str, as their users write them; ours are, too."""
    execute = engine.execute
    return [
        Row("execute GET", lambda key: execute("GET", key), burner.get, "burner-redis", 1.0, peer_awaited=True),
        Row("execute SET", lambda key: execute("SET", key, VALUE), lambda key: burner.set(key, VALUE), "burner-redis",
            1.0, peer_awaited=True),
        Row("execute LPUSH", lambda key: execute("LPUSH", "list", key), lambda key: burner.lpush("list", key),
            "burner-redis", 0.8, peer_awaited=True),
        Row("execute ZADD", lambda key: execute("ZADD", "zset", 1, key), lambda key: burner.zadd("zset", {key: 1}),
            "burner-redis", 0.8, peer_awaited=True),
        Row("execute XADD", lambda key: execute("XADD", "stream", "*", "field", key),
            lambda key: burner.xadd("stream", {"field": key}), "burner-redis", 0.8, peer_awaited=True),
        Row("execute EVAL", lambda key: execute("EVAL", SCRIPT, 1, key), lambda key: burner.eval(SCRIPT, 1, key),
            "burner-redis", 0.8, peer_awaited=True),
        Row("await aexecute GET", lambda key: engine.aexecute("GET", key), burner.get, "burner-redis", 1.0, True, True),
    ]


def pipelined(client: Any) -> Call:
    def call(keys: list[str]) -> Any:
        pipe = client.pipeline(transaction=False)
        for key in keys:
            pipe.get(key)
        return pipe.execute()

    return call


def against_redis_py(direct: Any, unix: Any) -> list[Row]:
    return [
        Row("connect() get", direct.get, unix.get, "redis-py, unix socket", 1 / 5),
        Row("connect() set", lambda key: direct.set(key, VALUE), lambda key: unix.set(key, VALUE),
            "redis-py, unix socket", 1 / 5),
        Row(f"connect() pipeline of {PIPELINE} get", pipelined(direct), pipelined(unix), "redis-py, unix socket",
            1 / 3, batch=True),
    ]


def against_fakeredis(direct: Any, fake: Any) -> list[Row]:
    return [
        Row("connect() get", direct.get, fake.get, "fakeredis", 1 / 3),
        Row("connect() set", lambda key: direct.set(key, VALUE), lambda key: fake.set(key, VALUE), "fakeredis", 1 / 3),
    ]


def against_redis_asyncio(direct: Any, unix: Any) -> list[Row]:
    return [
        Row("aconnect() get", direct.get, unix.get, "redis.asyncio, unix socket", 1 / 8, True, True),
        Row("aconnect() set", lambda key: direct.set(key, VALUE), lambda key: unix.set(key, VALUE),
            "redis.asyncio, unix socket", 1 / 8, True, True),
    ]


async def compare(row: Row, rounds: int, calls: int, keys: int, result: Result) -> None:
    """Measure both in turns, and note the median of the rounds."""
    costs: dict[str, list[float]] = {"ours": [], "peer": []}
    step = keys // rounds
    for number in range(rounds):
        names: list[Any] = [f"key:{number * step + i * 7919 % step}" for i in range(calls)]
        count = len(names)
        if row.batch:
            names = [names[i:i + PIPELINE] for i in range(0, count, PIPELINE)]
        costs["ours"].append(await seconds(row.ours, row.ours_awaited, names) / count * 1e6)
        costs["peer"].append(await seconds(row.peer, row.peer_awaited, names) / count * 1e6)
    ours, peer = (statistics.median(costs[label]) for label in ("ours", "peer"))
    ratio = statistics.median(a / b for a, b in zip(costs["ours"], costs["peer"], strict=True))
    bar = Bar("ratio", "<=", row.bar)
    result.rows.append([row.name, ours, row.peer_name, peer, ratio, str(bar)])
    result.figures.append(Figure(f"{row.name} beside {row.peer_name}", "us/call", ours, peer, ratio, bar))


async def fill(burner: Any, keys: int) -> None:
    for i in range(keys):
        await burner.set(f"key:{i}", VALUE)


async def measure(options: Options, result: Result, unix_url: str) -> None:
    import redis
    import redis.asyncio

    rounds, calls, keys = (5, 4_000, SHORT_KEYS) if options.short else (9, 20_000, FULL_KEYS)
    burner_redis, fakeredis = installed("burner_redis", result), installed("fakeredis", result)
    unix, async_unix = redis.Redis.from_url(unix_url), redis.asyncio.Redis.from_url(unix_url)
    async with fastredis.AsyncServer(unixsocket=None) as server:
        engine = server.engine
        pairs = [(f"key:{i}", VALUE) for i in range(keys)]
        engine.execute("MSET", *(word for pair in pairs for word in pair))
        for i in range(0, keys, 1000):
            unix.mset(dict(pairs[i:i + 1000]))
        if burner_redis is not None:
            burner = burner_redis.BurnerRedis()
            await fill(burner, keys)
            for row in against_burner(engine, burner):
                await compare(row, rounds, calls, keys, result)
        direct = fastredis.connect(server)
        for row in against_redis_py(direct, unix):
            await compare(row, rounds, calls, keys, result)
        if fakeredis is not None:
            fake = fakeredis.FakeRedis()
            for name, value in pairs[:FEW_KEYS]:
                fake.set(name, value)
            for row in against_fakeredis(direct, fake):
                await compare(row, rounds, calls, FEW_KEYS, result)
        adirect = fastredis.aconnect(server)
        for row in against_redis_asyncio(adirect, async_unix):
            await compare(row, rounds, calls, keys, result)
        await adirect.aclose()
        await async_unix.aclose()
    result.notes.append(f"{keys:,} keys ({FEW_KEYS:,} beside fakeredis); time a call, median of {rounds} rounds of "
                        f"{calls:,} calls in turns; the server behind the unix socket is ours, on the other core")


def run(options: Options) -> Result:
    """All rows; --peer has no say, and the server of --server is behind the unix socket."""
    result = Result("embedding", headers=HEADERS)
    try:
        importlib.import_module("redis")
    except ImportError:
        raise BenchmarkError("the embedding benchmark needs redis-py: pip install redis") from None
    with running(options, "ours") as there, pinned(load_core()):
        asyncio.run(measure(options, result, f"unix://{there.unix_path}"))
    return result


if __name__ == "__main__":
    sys.exit(main(run, __doc__, together=True))
