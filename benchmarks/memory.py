"""Memory a key, by the growth of used_memory (INFO) and of resident memory (/proc), against redis-server.

Each case starts a fresh server, takes both readings, loads the keys over one connection, closes it, and reads again
once used_memory has settled: incremental rehashing and freed client buffers have run their course by then. Loading
is deterministic, so one round is enough.
"""

import random
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from .common import (
    COMMANDS_PER_CHUNK,
    BenchmarkError,
    Options,
    Server,
    fill,
    load_core,
    pinned,
    resp,
    running,
    unknown_command,
)
from .report import Bar, Result, figure, main

SETTLE_SECONDS = 8.0
SETTLE_STEP = 0.25
RSS_TOLERANCE = 0.15
VALUE = b"v" * 32

def with_ttl(numbers: range) -> Iterator[int]:
    """The key's number and a TTL in ms of seven digits: 1,000 to 9,999 s, so that none is due during the run."""
    random_ttl = random.Random(numbers.start)
    for n in numbers:
        yield n
        yield random_ttl.randrange(1_000_000, 10_000_000)


def after_score(numbers: range) -> Iterator[int]:
    """A random score of seven digits, then the member's number."""
    scores = random.Random(numbers.start)
    for n in numbers:
        yield scores.randrange(10_000_000)
        yield n


def twice(numbers: range) -> Iterator[int]:
    """The number for two placeholders."""
    for n in numbers:
        yield n
        yield n


def hundred_of(numbers: range) -> Iterator[int]:
    """The key's number, then a hundred integers of five digits."""
    for n in numbers:
        yield n
        yield from range(10_000, 10_100)


@dataclass(frozen=True)
class Case:
    """`count` commands (`short` in the short form) made from a template; memory is given per command."""

    name: str
    template: bytes
    commands: tuple[bytes, ...]  # what both servers must know
    bar: Bar
    count: int = 1_000_000
    short: int = 250_000
    fields: Callable[[range], Iterable[int]] = iter
    own_key: bool = True  # whether each command creates a key, or all fill one key
    lines_per_reply: int = 1
    per_chunk: int = COMMANDS_PER_CHUNK
    before: "Case | None" = None  # loaded first, as often, and not counted


TEN_FIELDS = [part for i in range(10) for part in (b"f%d" % i, b"value%d" % i)]
NO_WORSE = Bar("ratio", "<=", 1.0)

# Bars in bytes are what Redis 8.0-dev needs for the same, or three quarters of it for strings, TTLs and members of
# sorted sets. Strings are loaded in full in the short form too, as a table's size depends on it; so do big collections'
# tables, of which a quarter of the items shows the same load factor.
CASES = (
    Case("16-byte key, 32-byte value", resp(b"SET", b"key:%012d", VALUE), (b"SET",), Bar("ours", "<=", 84.0),
         short=1_000_000),
    Case("the same with a TTL", resp(b"SET", b"key:%012d", VALUE, b"PX", b"%07d"), (b"SET", b"PEXPIRE"),
         Bar("ours", "<=", 105.0), short=1_000_000, fields=with_ttl),
    Case("16-byte key, hash of ten: 2-byte fields, 6-byte values", resp(b"HSET", b"key:%012d", *TEN_FIELDS), (b"HSET",),
         Bar("ours", "<=", 259.0)),
    Case("big hash: 16-byte field, 16-byte value", resp(b"HSET", b"h", b"field:%010d", b"value:%010d"), (b"HSET",),
         Bar("ours", "<=", 80.0), fields=twice, own_key=False),
    Case("big sorted set: 16-byte member, scores ascending", resp(b"ZADD", b"z", b"%07d", b"member:%09d"), (b"ZADD",),
         Bar("ours", "<=", 77.0), fields=twice, own_key=False),
    Case("big sorted set: 16-byte member, random scores", resp(b"ZADD", b"z", b"%07d", b"member:%09d"), (b"ZADD",),
         Bar("ours", "<=", 77.0), fields=after_score, own_key=False),
    Case("big set: 13-byte member", resp(b"SADD", b"s", b"member:%06d"), (b"SADD",), Bar("ours", "<=", 38.0),
         own_key=False),
    Case("big set: 16-byte member", resp(b"SADD", b"s", b"member:%09d"), (b"SADD",), NO_WORSE, own_key=False),
    Case("list: 16-byte item", resp(b"RPUSH", b"l", b"item:%011d"), (b"RPUSH",), Bar("ours", "<=", 19.0),
         short=1_000_000, own_key=False),
)

# One row for each kind of item, 300,000 of it in either form: with so many, the servers' tables are filled to other
# degrees than with a million. Whoever is the smallest is so in each row.
SAME_NUMBER = 300_000


def same_number(name: str, template: bytes, bar: Bar = NO_WORSE, **more) -> Case:
    command = template.split(b"\r\n")[2]
    return Case(f"{SAME_NUMBER:,} of {name}", template, (command,), bar, SAME_NUMBER, SAME_NUMBER, **more)


ENTRY = same_number("a stream's entry", resp(b"XADD", b"x", b"1-1%010d", b"f", b"%010d"), Bar("ratio", "<=", 0.9),
                    fields=twice, own_key=False, lines_per_reply=2)
READ_LINES = 13  # of a reply of XREADGROUP with one entry of one field

ALL_KINDS = (
    same_number("a string", resp(b"SET", b"key:%012d", VALUE)),
    same_number("a string with a TTL", resp(b"SET", b"key:%012d", VALUE, b"PX", b"%07d"), fields=with_ttl),
    same_number("a counter", resp(b"SET", b"key:%012d", b"1%06d"), fields=twice),
    same_number("a hash of ten", resp(b"HSET", b"key:%012d", *TEN_FIELDS)),
    same_number("a sorted set's member", resp(b"ZADD", b"z", b"%07d", b"member:%012d"), fields=after_score,
                own_key=False),
    same_number("a set's member", resp(b"SADD", b"s", b"member:%012d"), own_key=False),
    same_number("a big hash's field", resp(b"HSET", b"h", b"field:%010d", b"value:%010d"), fields=twice,
                own_key=False),
    same_number("a list's item", resp(b"RPUSH", b"l", b"item:%011d"), own_key=False),
    ENTRY,
    same_number("a group's pending entry",
                resp(b"XREADGROUP", b"GROUP", b"g", b"c", b"COUNT", b"1", b"STREAMS", b"x", b">"),
                Bar("ratio", "<=", 0.7), fields=lambda numbers: (), own_key=False, lines_per_reply=READ_LINES,
                per_chunk=100, before=ENTRY),
    same_number("100 integers in a set", resp(b"SADD", b"key:%012d", *[b"%05d"] * 100), fields=hundred_of,
                per_chunk=100),
)


@dataclass(frozen=True)
class Reading:
    """Memory of a server in bytes, or the growth between two readings per item."""

    used: float
    rss: float


def read(server: Server) -> Reading:
    """used_memory, once two readings in a row agree within 4 KiB, and resident memory."""
    deadline = time.monotonic() + SETTLE_SECONDS
    before = -1
    with server.connect() as connection:
        while True:
            used = int(connection.info("memory")["used_memory"])
            if abs(used - before) < 4096 or time.monotonic() > deadline:
                return Reading(used, server.rss_bytes())
            before = used
            time.sleep(SETTLE_STEP)


def measure(server: Server, case: Case, count: int) -> Reading:
    """Growth per item while a case is loaded."""
    with server.connect() as connection:  # one-time costs of a first write and a first delete are not the key's
        connection.call(b"SET", b"warm", b"up")
        connection.call(b"DEL", b"warm")
    if case.before is not None:
        with server.connect() as connection:
            connection.load(fill(case.before.template, count, case.before.fields, case.before.lines_per_reply))
            connection.call(b"XGROUP", b"CREATE", b"x", b"g", b"0")
    before = read(server)
    with server.connect() as connection:
        connection.load(fill(case.template, count, case.fields, case.lines_per_reply, case.per_chunk))
        keys = connection.call(b"DBSIZE")
    if keys != (count if case.own_key else 1):
        raise BenchmarkError(f"{server.label} has {keys} keys after loading {count} x {case.name}")
    after = read(server)
    return Reading((after.used - before.used) / count, (after.rss - before.rss) / count)


def headers(options: Options) -> list[str]:
    names = [options.name(label) for label in options.labels[1:]]
    return ["case", "items", *options.columns("used B/item"), *options.columns("RSS B/item"), "RSS/used ours", *names]


def compare(options: Options, case: Case, result: Result) -> None:
    """Measures a case on all servers and adds its row and figures, or a note that it was skipped."""
    count = case.short if options.short else case.count
    readings = {}
    for label in options.labels:
        with running(options, label) as server:
            result.versions[label] = server.version
            lacking = unknown_command([server], case.commands)
            if lacking:
                result.notes.append(f"{case.name} skipped: {lacking}")
                return
            readings[label] = measure(server, case, count)
    used = {label: reading.used for label, reading in readings.items()}
    rss = {label: reading.rss for label, reading in readings.items()}
    ratios, rss_ratios = shares(used), shares(rss)
    result.rows.append([case.name, f"{count:,}", *options.cells(used, ratios), *options.cells(rss, rss_ratios),
                        *(reading.rss / reading.used for reading in readings.values())])
    result.figures.append(figure(case.name, "B/item", used, ratios, case.bar))
    off = {label: abs(reading.rss / reading.used - 1) for label, reading in readings.items()}
    result.figures.append(figure(f"{case.name}, RSS off used_memory", "share", off, dict.fromkeys(ratios),
                                 Bar("ours", "<=", RSS_TOLERANCE)))


def shares(values: dict[str, float]) -> dict[str, float]:
    """Ours / each peer's."""
    return {label: values["ours"] / value for label, value in values.items() if label != "ours"}


def run(options: Options) -> Result:
    """All cases; the short form loads fewer items where that changes little."""
    result = Result("memory", headers=headers(options))
    with pinned(load_core()):
        for case in CASES + ALL_KINDS:
            compare(options, case, result)
    return result


if __name__ == "__main__":
    sys.exit(main(run, __doc__, together=True))
