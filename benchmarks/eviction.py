"""Hit rates of a cache under maxmemory by each policy, and what evicting costs, against redis-server.

The trace is seeded: 100,000 keys by a Zipf law with exponent 1; half-way the popularity is dealt out anew. It is used
as caches are: GET, and SET after a miss. Three servers follow each policy:

    peer          with the room it needs for 10,000 keys, above what it uses empty
    ours          with the same room, in which more of its smaller entries fit
    ours, equal   with room for as many keys as the peer holds: what is left is the choice of the victims

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
REQUESTS = {True: 150_000, False: 600_000}  # by Options.short
BATCH = 100
BALANCE = 20  # batches between two looks at the numbers of keys
ENTRY_BYTES = 100  # about what a key of ours takes
SEED = 1
VALUE = b"v" * 32
HIT, MISS, STORED = b"$%d\r\n" % len(VALUE) + VALUE + b"\r\n", b"$-1\r\n", b"+OK\r\n"
TTL_SECONDS = b"3600"
SAME_ROOM, SAME_KEYS = Bar("ratio", ">=", 1.0), Bar("ratio", ">=", 0.99)
HEADERS = ("policy", "hit rate ours", "peer", "ratio", "ours, equal", "ratio", "after the shift ours", "peer",
           "ours, equal", "keys ours", "peer", "ours, equal")

# What evicting costs: SET of new keys, at a size where every one evicts another.
COST_ROOM = 16 << 20
COST_FILL = 250_000  # keys that no server has room for
COST_BARS = {16: 1.0}
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
    template: bytes = field(init=False)  # of a SET
    stored: int = 0  # SETs whose replies have not been read
    maxmemory: int = 0
    keys: list[int] = field(default_factory=list)  # how many there were, now and then

    def __post_init__(self) -> None:
        ttl = (b"EX", TTL_SECONDS) if self.volatile else ()
        self.template = resp(b"SET", b"key:%012d", VALUE, *ttl)

    def receive(self, size: Callable[[bytes], int], what: str) -> bytes:
        """Replies to commands of one kind, until they have the size that `size` expects, given what came so far."""
        data = b""
        while len(data) < size(data):
            data += self.connection.receive()
            if data.startswith(b"-") or b"\n-" in data:
                break  # an error reply
        if len(data) != size(data):
            raise BenchmarkError(f"{self.server.label} replied to {what}: {data[-80:]!r}")
        return data

    def send(self, numbers: Sequence[int]) -> None:
        """SETs, without waiting for the replies."""
        self.connection.socket.sendall(self.template * len(numbers) % tuple(numbers))
        self.stored = len(numbers)

    def settle(self) -> None:
        """Reads the replies to the SETs."""
        self.receive(lambda data: self.stored * len(STORED), "SET")

    def answer(self, numbers: Sequence[int]) -> None:
        """Reads the replies to GETs of these keys, and sends SETs of those that missed."""
        count = len(numbers)
        data = self.receive(lambda data: (missed := data.count(MISS)) * len(MISS) + (count - missed) * len(HIT), "GET")
        replies = data.split(b"$")[1:]
        missed = {number for number, reply in zip(numbers, replies, strict=True) if reply == b"-1\r\n"}
        self.hits.append(count - sum(number in missed for number in numbers))
        self.send(sorted(missed))

    def put(self, count: int) -> None:
        """Stores so many keys."""
        for first in range(0, count, BATCH):
            self.send(range(first, min(first + BATCH, count)))
            self.settle()

    def used_memory(self) -> int:
        return int(self.connection.info("memory")["used_memory"])

    def room_for(self, count: int) -> int:
        """Growth of used_memory by so many keys, which are deleted again.

        Buffers of the connection have their full size before the first reading.
        """
        self.put(BATCH)
        self.connection.call(b"FLUSHALL")
        empty = self.used_memory()
        self.put(count)
        room = self.used_memory() - empty
        self.connection.call(b"FLUSHALL")
        return room

    def limit(self, policy: str, room: int) -> None:
        """Sets the policy, and maxmemory so far above what the empty server uses."""
        self.connection.call(b"CONFIG", b"SET", b"maxmemory-policy", policy.encode())
        self.set_maxmemory(self.used_memory() + room)

    def set_maxmemory(self, limit: int) -> None:
        self.maxmemory = limit
        self.connection.call(b"CONFIG", b"SET", b"maxmemory", b"%d" % limit)

    def count(self) -> int:
        """Notes how many keys there are now, and returns it."""
        self.keys.append(self.connection.call(b"DBSIZE"))
        return self.keys[-1]

    def rate(self, first: int = 0) -> float:
        """Share of the requests that hit, from a batch on."""
        return statistics.fmean(self.hits[first:]) / BATCH


def start(stack: ExitStack, options: Options, policy: str) -> dict[str, Cache]:
    """The three caches of a policy, empty."""
    def cache(label: str) -> Cache:
        server = stack.enter_context(running(options, label))
        return Cache(server, stack.enter_context(server.connect()), policy.startswith("volatile"))

    caches = {"ours": cache("ours"), "peer": cache("peer"), "equal": cache("ours")}
    room = {name: each.room_for(RESIDENT) for name, each in caches.items()}
    for name, each in caches.items():
        each.limit(policy, room[name if name == "equal" else "peer"])
    return caches


def balance(group: dict[str, Cache]) -> None:
    """Moves the limit of the server that is to hold as many keys as the peer by what it is off."""
    counts = {name: cache.count() for name, cache in group.items()}
    equal = group["equal"]
    equal.set_maxmemory(equal.maxmemory + (counts["peer"] - counts["equal"]) * ENTRY_BYTES)


def hit_rates(options: Options, result: Result) -> None:
    """Runs the trace through all caches, and adds a row and two figures for each policy."""
    trace = zipf(REQUESTS[options.short])
    template = resp(b"GET", b"key:%012d")
    with ExitStack() as stack:
        groups = {policy: start(stack, options, policy) for policy in POLICIES}
        caches = [cache for group in groups.values() for cache in group.values()]
        for number, numbers in enumerate(batches(trace), 1):
            request = template * len(numbers) % tuple(numbers)
            for cache in caches:
                cache.connection.socket.sendall(request)
            for cache in caches:
                cache.answer(numbers)
            for cache in caches:
                cache.settle()
            if number % BALANCE == 0:
                for group in groups.values():
                    balance(group)
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
        keys.append(round(statistics.fmean(cache.keys[len(cache.keys) // 4 :])))
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
