"""Server CPU a request of lists, sets, hashes and sorted sets, against redis-server.

First the tests redis-benchmark runs by default, its own commands word for word; where its keys and members are random,
1M different ones. Then commands on collections of a million elements. Every test finds its keys in the state its row
names, however many were pushed or popped before. How it is measured is said in load.py.
"""

import random
import sys
from collections.abc import Callable, Iterator, Sequence

from .common import Connection, Options, Server, fill, resp
from .load import KEYS, RAND, Form, Test, headers, report, rounds_text, sit_all
from .report import Result, main

PER_COMMAND = 100  # elements in each command that loads a collection
COMMANDS_PER_CHUNK = 50
LIST_ITEMS = 100_000  # as many as redis-benchmark pushes for LRANGE
HASHES = 100_000
SET_MEMBERS = 1000
WIDE = 10**9  # range of scores; a member's number below this is new to a million of them, 999 times of 1,000
BIG_ZSET = b"big:zset"
MEMBER = f"element:{RAND}"
SHORT, FULL = Form(2, {1: 4, 16: 3}, 0.4), Form(4, {1: 12, 16: 4}, 1.5)

FEW = {1: 20_000, 16: 160_000}  # requests a round of commands on one element
MANY = {1: 10_000, 16: 20_000}  # of those that answer hundreds
PING_BARS = {1: 1.05, 16: 1.0}  # no command's work in it: parser, dispatch and the kernel
ONE_BARS = {1: 1.05, 16: 0.6}
RANGE_BARS = {1: 1.05, 16: 0.8}
BIG_ZADD_BARS = {1: 1.05, 16: 0.35}


# States of keys --------------------------------------------------------------------------------------------------


def empty(key: bytes) -> Callable[[Connection, int], object]:
    """Deletes the key."""
    return lambda connection, requests: connection.call(b"DEL", key)


def add(connection: Connection, command: Sequence[bytes], element: Sequence[bytes], count: int,
        fields: Callable[[range], Iterator[int]] = iter) -> None:
    """Adds `count` elements to a key, a hundred with each command.

    `element` is what one element adds to the command's arguments; its placeholders get numbers from `fields`, as in
    `fill`, which is called with the range of all elements of a command.
    """
    template = resp(*command, *element * PER_COMMAND)

    def of_commands(numbers: range) -> Iterator[int]:
        return fields(range(numbers.start * PER_COMMAND, numbers.stop * PER_COMMAND))

    connection.load(fill(template, -(-count // PER_COMMAND), of_commands, per_chunk=COMMANDS_PER_CHUNK))


def same(numbers: range) -> Iterator[int]:
    """No numbers at all, for elements that are all the same."""
    return iter(())


def stocked(command: Sequence[bytes], element: Sequence[bytes], least: int = 0,
            fields: Callable[[range], Iterator[int]] = iter) -> Callable[[Connection, int], object]:
    """Makes the key anew with a quarter more elements than there will be requests, so that no pop finds it empty."""
    def prepare(connection: Connection, requests: int) -> None:
        connection.call(b"DEL", command[1])
        add(connection, command, element, max(least, requests * 5 // 4), fields)

    return prepare


def restored(connection: Connection, requests: int) -> None:
    """Brings the big sorted set back to a million members: takes out the highest, or adds random ones."""
    missing = KEYS - connection.call(b"ZCARD", BIG_ZSET)
    if missing < 0:
        connection.call(b"ZREMRANGEBYRANK", BIG_ZSET, b"%d" % missing, b"-1")
    elif missing:
        add_scored(connection, missing, lambda numbers: (random.randrange(WIDE) for _ in range(2 * len(numbers))))


def add_scored(connection: Connection, count: int, fields: Callable[[range], Iterator[int]]) -> None:
    """Adds members to the big sorted set; `fields` gives scores and numbers of members in turn."""
    add(connection, (b"ZADD", BIG_ZSET), (b"%012d", b"element:%012d"), count, fields)


def with_scores(numbers: range) -> Iterator[int]:
    """A random score before each number, the same in every run."""
    scores = random.Random(numbers.start)
    for n in numbers:
        yield scores.randrange(WIDE)
        yield n


# The tests -------------------------------------------------------------------------------------------------------


def default(name: str, requests: dict[int, int] = FEW, bars: dict[int, float] = ONE_BARS,
            prepare: Callable[[Connection, int], object] | None = None) -> Test:
    """One of redis-benchmark's own tests: a command on one element unless said otherwise."""
    return Test(name.upper(), ("-t", name), requests, bars, prepare=prepare)


def lrange(count: int) -> Test:
    """LRANGE as redis-benchmark sends it, without the LPUSH test that it would run first."""
    return Test(f"LRANGE_{count}", ("lrange", "mylist", "0", str(count - 1)), MANY, RANGE_BARS, reads=True,
                prepare=list_of_items if count == 100 else None)


list_of_items = stocked((b"RPUSH", b"mylist"), (b"xxx",), LIST_ITEMS, same)

DEFAULTS = (
    default("ping_inline", bars=PING_BARS),
    default("ping_mbulk", bars=PING_BARS),
    default("set"),
    default("get"),
    default("incr"),
    default("lpush", prepare=empty(b"mylist")),
    default("rpush", prepare=empty(b"mylist")),
    default("lpop", prepare=list_of_items),
    default("rpop", prepare=list_of_items),
    default("sadd", prepare=empty(b"myset")),
    default("hset", prepare=empty(b"myhash")),
    default("spop", prepare=stocked((b"SADD", b"myset"), (b"element:%012d",))),
    default("zadd", prepare=empty(b"myzset")),
    default("zpopmin", prepare=stocked((b"ZADD", b"myzset"), (b"0", b"element:%012d"))),
    lrange(100),
    lrange(300),
    lrange(500),
    lrange(600),
    default("mset", requests=MANY),
)
BIG = (
    Test("HGET of 1M fields", ("hget", "big:hash", MEMBER), FEW, ONE_BARS, reads=True),
    Test("HGETALL of 10 fields", ("hgetall", f"hash:{RAND}"), MANY, RANGE_BARS, random=HASHES, reads=True),
    Test("SISMEMBER of 1M", ("sismember", "big:set", MEMBER), FEW, ONE_BARS, reads=True),
    Test("SINTER of 1,000 and 1,000", ("sinter", "set:a", "set:b"), {1: 4000, 16: 8000}, RANGE_BARS, reads=True),
    Test("ZRANK in 1M", ("zrank", "big:zset", MEMBER), FEW, ONE_BARS, reads=True),
    Test("ZRANGE of 100 in 1M", ("zrange", "big:zset", "500000", "500099"), MANY, RANGE_BARS, reads=True),
    Test("ZRANGEBYSCORE LIMIT 0 10 in 1M", ("zrangebyscore", "big:zset", RAND, "+inf", "LIMIT", "0", "10"), MANY,
         RANGE_BARS, random=WIDE, reads=True),
    Test("ZADD, new score in 1M", ("zadd", "big:zset", f"{RAND}000", MEMBER), FEW, BIG_ZADD_BARS),
    Test("ZADD, new member in 1M", ("zadd", "big:zset", RAND, MEMBER), FEW, BIG_ZADD_BARS, random=WIDE,
         prepare=restored),
    Test("ZPOPMIN from 1M", ("zpopmin", "big:zset"), FEW, ONE_BARS, prepare=restored),
)
TEN_FIELDS = tuple(part for i in range(10) for part in (b"f%d" % i, b"value%d" % i))


def preload(server: Server, tests: Sequence[Test]) -> None:
    """Makes every key that the tests of commands the servers have need and do not make themselves."""
    commands = {test.command for test in tests}
    with server.connect() as connection:
        add(connection, (b"MSET",), (b"key:%012d", b"xxx"), KEYS)
        add(connection, (b"MSET",), (b"counter:%012d", b"100"), KEYS)
        if b"HGET" in commands:
            add(connection, (b"HSET", b"big:hash"), (b"element:%012d", b"xxx"), KEYS)
            connection.load(fill(resp(b"HSET", b"hash:%012d", *TEN_FIELDS), HASHES))
        if b"SISMEMBER" in commands:
            add(connection, (b"SADD", b"big:set"), (b"element:%012d",), KEYS)
            for key, step in ((b"set:a", 2), (b"set:b", 3)):  # 334 of each are in the other
                add(connection, (b"SADD", key), (b"element:%012d",), SET_MEMBERS,
                    lambda numbers, step=step: iter([n * step for n in numbers]))
        if b"ZADD" in commands:
            add_scored(connection, KEYS, with_scores)


def run(options: Options) -> Result:
    """All tests over TCP."""
    form = SHORT if options.short else FULL
    result = Result("collections", headers=headers(options))
    report(options, sit_all(options, form, DEFAULTS + BIG, preload, result), result)
    result.notes.append(f"{rounds_text(form)}; {KEYS:,} keys and members")
    return result


if __name__ == "__main__":
    sys.exit(main(run, __doc__, together=True))
