"""Hit rates of a cache under maxmemory by each policy, and what evicting costs, against redis-server.

The trace is seeded: 100,000 keys by a Zipf law with exponent 1; half-way the popularity is dealt out anew. It is used
as caches are: GET, and SET after a miss. Three servers follow each policy:

    peer          with the room it needs for 10,000 keys, above what it uses empty
    ours          with the same room, in which more of its smaller entries fit
    ours, equal   with the room it needs itself for 10,000 keys: what is left is the choice of the victims

All servers of all policies go through the trace in step, batch by batch. So every one sees the same seconds pass
between two uses of a key, which matters as the LRU clock ticks once a second.
"""

import random
import statistics
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import accumulate, islice

from . import load
from .common import BenchmarkError, Connection, Options, Server, fill, load_core, pinned, resp, running
from .load import RAND, Form, Test
from .report import Bar, Figure, Result, main

POLICIES = ("allkeys-lru", "allkeys-lfu", "allkeys-random",
            "volatile-lru", "volatile-lfu", "volatile-random", "volatile-ttl")
KEYS = 100_000
EXPONENT = 1.0
RESIDENT = 10_000
REQUESTS = {True: 150_000, False: 600_000}  # by Options.short; one more pass over the trace's start warms up
BATCH = 50
SEED = 20_000
VALUE = b"v" * 32
HIT, MISS, STORED = b"$32\r\n" + VALUE + b"\r\n", b"$-1\r\n", b"+OK\r\n"
TTL_SECONDS = b"3600"
SAME_ROOM, SAME_KEYS = Bar("ratio", ">=", 1.0), Bar("ratio", ">=", 0.99)
HEADERS = ("policy", "hit rate ours", "peer", "ratio", "ours, equal", "ratio", "after the shift ours", "peer",
           "ours, equal", "keys ours", "peer", "ours, equal")

# What evicting costs: SET of new keys, at a size where every one evicts another.
COST_ROOM = 16 << 20
COST_FILL = 250_000  # keys that no server has room for
COST_BARS = {16: 0.6}
COST_SHORT, COST_FULL = Form(2, {16: 2}, 0.5), Form(4, {16: 4}, 1.5)


# The trace -------------------------------------------------------------------------------------------------------


def zipf(requests: int) -> list[int]:
    """Numbers of keys, as popular as their rank allows; from the middle on every rank is another key's."""
    source = random.Random(SEED)
    weights = list(accumulate(1 / rank**EXPONENT for rank in range(1, KEYS + 1)))
    out = []
    for _ in range(2):
        keys = source.sample(range(KEYS), KEYS)
        out += source.choices(keys, cum_weights=weights, k=requests // 2)
    return out


def batches(trace: Sequence[int]) -> Iterator[Sequence[int]]:
    """The trace in pieces of BATCH keys."""
    rest = iter(trace)
    while batch := tuple(islice(rest, BATCH)):
        yield batch


# The caches ------------------------------------------------------------------------------------------------------


@dataclass
class Cache:
    """A server used as a cache over one connection, and how often a key was there."""

    server: Server
    connection: Connection
    volatile: bool
    hits: list[int] = field(default_factory=list)  # of each batch

    def get(self, numbers: Sequence[int], request: bytes) -> None:
        """GET of a batch, made by the caller for all caches, and SET of those that missed."""
        self.connection.socket.sendall(request)
        missed = [number for number, found in zip(numbers, self.found(len(numbers)), strict=True) if not found]
        self.hits.append(len(numbers) - len(missed))
        self.put(sorted(set(missed)))

    def found(self, count: int) -> list[bool]:
        """Of so many GETs' replies, whether each is a value."""
        data = b""
        while True:
            data += self.connection.receive()
            misses = data.count(MISS)
            if data.startswith(b"-") or len(data) > count * len(HIT):
                raise BenchmarkError(f"{self.server.label}: GET: {data[:80]!r}")
            if len(data) == misses * len(MISS) + (count - misses) * len(HIT):
                return [reply != b"-1\r\n" for reply in data.split(b"$")[1:]]

    def put(self, numbers: Sequence[int]) -> None:
        """SET of keys."""
        ttl = (b"EX", TTL_SECONDS) if self.volatile else ()
        template = resp(b"SET", b"key:%012d", VALUE, *ttl)
        for data, lines in fill(template, len(numbers), lambda part: numbers[part.start : part.stop], per_chunk=BATCH):
            self.connection.socket.sendall(data)
            replies = b""
            while len(replies) < lines * len(STORED) and not replies.startswith(b"-"):
                replies += self.connection.receive()
            if replies != STORED * lines:
                raise BenchmarkError(f"{self.server.label}: SET: {replies[:80]!r}")

    def used_memory(self) -> int:
        return int(self.connection.info("memory")["used_memory"])

    def room_for(self, count: int) -> int:
        """Growth of used_memory by so many keys, which are deleted again.

        Buffers of the connection have their full size before the first reading.
        """
        self.put(range(KEYS, KEYS + BATCH))
        self.connection.call(b"FLUSHALL")
        empty = self.used_memory()
        self.put(range(count))
        room = self.used_memory() - empty
        self.connection.call(b"FLUSHALL")
        return room

    def limit(self, policy: str, room: int) -> None:
        """Sets maxmemory so far above what the empty server uses, and the policy."""
        self.connection.call(b"CONFIG", b"SET", b"maxmemory-policy", policy.encode())
        self.connection.call(b"CONFIG", b"SET", b"maxmemory", b"%d" % (self.used_memory() + room))

    def rate(self, first: int = 0) -> float:
        """Share of the requests that hit, from a batch on."""
        return statistics.fmean(self.hits[first:]) / BATCH


def start(stack: ExitStack, options: Options, policy: str) -> dict[str, Cache]:
    """The three caches of a policy, empty."""
    def cache(label: str) -> Cache:
        server = stack.enter_context(running(options, label))
        return Cache(server, stack.enter_context(server.connect()), policy.startswith("volatile"))

    caches = {"ours": cache("ours"), "peer": cache("peer"), "equal": cache("ours")}
    room = {name: caches[name].room_for(RESIDENT) for name in ("peer", "equal")}
    for name, each in caches.items():
        each.limit(policy, room[name if name == "equal" else "peer"])
    return caches


def hit_rates(options: Options, result: Result) -> None:
    """Runs the trace through all caches, and adds a row and two figures for each policy."""
    trace = zipf(REQUESTS[options.short])
    template = resp(b"GET", b"key:%012d")
    with ExitStack() as stack:
        groups = {policy: start(stack, options, policy) for policy in POLICIES}
        caches = [cache for group in groups.values() for cache in group.values()]
        for numbers in batches(trace):
            request = template * len(numbers) % tuple(numbers)
            for cache in caches:
                cache.get(numbers, request)
        for policy, group in groups.items():
            compare(policy, group, len(trace) // BATCH // 2, result)
        result.versions = {label: groups[POLICIES[0]][label].server.version for label in ("ours", "peer")}


def compare(policy: str, group: dict[str, Cache], middle: int, result: Result) -> None:
    """Adds a policy's row and figures; `middle` is the batch of the shift."""
    whole = {name: cache.rate() for name, cache in group.items()}
    late = [cache.rate(middle) for cache in group.values()]
    keys = []
    for cache in group.values():
        if cache.connection.info("stats")["evicted_keys"] == "0":
            raise BenchmarkError(f"{cache.server.label} evicted nothing by {policy}")
        keys.append(cache.connection.call(b"DBSIZE"))
    ratio, equal = whole["ours"] / whole["peer"], whole["equal"] / whole["peer"]
    result.rows.append([policy, whole["ours"], whole["peer"], ratio, whole["equal"], equal, *late, *keys])
    result.figures += [
        Figure(f"{policy}, same memory", "hit rate", whole["ours"], whole["peer"], ratio, SAME_ROOM),
        Figure(f"{policy}, same number of keys", "hit rate", whole["equal"], whole["peer"], equal, SAME_KEYS),
    ]


# What evicting costs ---------------------------------------------------------------------------------------------


def full_by(policy: str) -> Callable[[Connection, int], None]:
    """Fills the server, which then evicts by this policy; nothing to be done when it does already."""
    def prepare(connection: Connection, requests: int) -> None:
        if connection.call(b"CONFIG", b"GET", b"maxmemory-policy")[1] == policy.encode():
            return
        connection.call(b"CONFIG", b"SET", b"maxmemory", b"0", b"maxmemory-policy", policy.encode())
        connection.call(b"FLUSHALL")
        used = int(connection.info("memory")["used_memory"])
        connection.call(b"CONFIG", b"SET", b"maxmemory", b"%d" % (used + COST_ROOM))
        connection.load(fill(resp(b"SET", b"key:%012d", VALUE, b"EX", TTL_SECONDS), COST_FILL))
        if connection.call(b"DBSIZE") == COST_FILL:
            raise BenchmarkError(f"nothing was evicted by {policy}")

    return prepare


COST_TESTS = tuple(
    Test(f"SET of new keys, {policy}", ("set", f"key:{RAND}", VALUE.decode(), "EX", TTL_SECONDS.decode()),
         {16: 160_000}, COST_BARS, random=100_000_000, prepare=full_by(policy))
    for policy in ("allkeys-lru", "allkeys-lfu", "allkeys-random", "volatile-ttl")
)


def cost(options: Options, result: Result) -> None:
    """Server CPU a request while each evicts a key."""
    form = COST_SHORT if options.short else COST_FULL
    samples = load.sit_all(options, form, COST_TESTS, lambda server, tests: None, result)
    for point, sittings in samples.items():
        result.figures += load.figures_of(point, sittings)


def run(options: Options) -> Result:
    """Hit rates, then costs."""
    result = Result("eviction", headers=HEADERS)
    with pinned(load_core()):
        hit_rates(options, result)
    cost(options, result)
    result.notes.append(f"{REQUESTS[options.short]:,} requests for {KEYS:,} keys, Zipf exponent {EXPONENT}, room for "
                        f"{RESIDENT:,} keys of 16 bytes with values of {len(VALUE)}; the popularity shifts half-way")
    return result


if __name__ == "__main__":
    sys.exit(main(run, __doc__))
