"""Requests a second, server CPU a request and latency, against redis-server, driven by redis-benchmark.

Keys are `key:` and 12 digits, 1M of them, all present; values have 32 bytes; 50 connections; pipelines (P) of 1, 16
and 64; TCP and unix socket. Both servers are up on the same core and are measured in turn, round by round, and
every ratio is the median of the rounds' ratios. Two copies of one redis-server showed the copy started first to be
some 6 % slower all its life, so both are started anew half-way, in the other order. At P=1, and wherever
redis-benchmark itself is the bottleneck, the rate says little: CPU a request is the figure to read. "Load busy" is
the share of the time redis-benchmark computed: near 100 % it is the load that set the rate.
"""

import csv
import io
import resource
import statistics
import sys
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from .common import LABELS, BenchmarkError, Options, Server, fill, load_core, resp, run_tool, running, unknown_command
from .report import Bar, Figure, Result, main

KEYS = 1_000_000
CONNECTIONS = 50
VALUE = "v" * 32
KEY = "key:__rand_int__"  # redis-benchmark writes 12 digits in place of __rand_int__
PIPELINES = (1, 16, 64)
CPU_BARS = {1: 1.0, 16: 0.6, 64: 0.35}
RATE_BARS = {64: 2.5}
MULTI_BARS = {16: 0.6}
# Requests for a second or so of load on a machine of 2024.
REQUESTS = {1: 90_000, 16: 600_000, 64: 900_000}
MULTI_REQUESTS = {16: 120_000}
HEADERS = ("test", "P", "via", "rps ours", "peer", "ratio", "CPU µs/req ours", "peer", "ratio",
           "p50/p99 ms ours", "peer", "load busy % ours", "peer")


@dataclass(frozen=True, eq=False)
class Test:
    """A command as redis-benchmark takes it, and the pipelines it is run with (each with its requests a round).

    Counters live in a database of their own, as INCR cannot work on the values of the others.
    """

    name: str
    argv: tuple[str, ...]
    requests: dict[int, int]
    cpu_bars: dict[int, float]
    rate_bars: dict[int, float]
    db: int = 0


TESTS = (
    Test("SET", ("set", KEY, VALUE), REQUESTS, CPU_BARS, RATE_BARS),
    Test("GET", ("get", KEY), REQUESTS, CPU_BARS, RATE_BARS),
    Test("INCR", ("incr", KEY), REQUESTS, CPU_BARS, RATE_BARS, db=1),
    Test("MSET of 10", ("mset", *(KEY, VALUE) * 10), MULTI_REQUESTS, MULTI_BARS, {}),
    Test("MGET of 10", ("mget", *(KEY,) * 10), MULTI_REQUESTS, MULTI_BARS, {}),
)


@dataclass(frozen=True)
class Point:
    """One line of the table: a test with a pipeline over a transport, "tcp" or "unix"."""

    test: Test
    pipeline: int
    via: str


@dataclass(frozen=True)
class Sample:
    """One run of redis-benchmark against one server."""

    rate: float  # requests a second
    cpu_us: float  # server CPU a request
    p50_ms: float
    p99_ms: float
    load_busy: float  # CPU time of redis-benchmark as a share of the run, 0 to 1


Samples = dict[Point, dict[str, list[Sample]]]


def measure(server: Server, test: Test, pipeline: int, requests: int, via: str) -> Sample:
    """Runs redis-benchmark once. The connections' setup, well under 1 % of a run, is counted in."""
    address = ["-s", server.unix_path] if via == "unix" else ["-h", "127.0.0.1", "-p", str(server.port)]
    argv = ["redis-benchmark", *address, "-c", str(CONNECTIONS), "-n", str(requests), "-r", str(KEYS),
            "-P", str(pipeline), "--dbnum", str(test.db), "--csv", *test.argv]
    before, load_before = server.cpu_ns(), children_cpu_seconds()
    output = run_tool(argv, load_core())
    cpu_us = (server.cpu_ns() - before) / requests / 1000
    load_seconds = children_cpu_seconds() - load_before
    rows = list(csv.DictReader(io.StringIO(output)))
    if not rows:
        raise BenchmarkError(f"redis-benchmark printed no figures for {test.name} on {server.label}: {output[:200]}")
    row = rows[-1]
    rate = float(row["rps"])
    return Sample(rate, cpu_us, float(row["p50_latency_ms"]), float(row["p99_latency_ms"]),
                  load_seconds / (requests / rate))


def children_cpu_seconds() -> float:
    """CPU time of the child processes that have ended, which are the load generators: the servers still run."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def preload(server: Server, tests: Iterable[Test]) -> None:
    """Creates the keys of both databases, and checks that there are as many as there should be."""
    templates = {0: resp(b"SET", b"key:%012d", VALUE.encode()), 1: resp(b"SET", b"key:%012d", b"100")}
    with server.connect() as connection:
        for db in sorted({test.db for test in tests}):
            connection.call(b"SELECT", b"%d" % db)
            connection.load(fill(templates[db], KEYS))
            if (size := connection.call(b"DBSIZE")) != KEYS:
                raise BenchmarkError(f"{server.label} has {size} keys in db {db} after SET of {KEYS}")


def median(samples: list[Sample], name: str) -> float:
    return statistics.median(getattr(sample, name) for sample in samples)


def ratio(samples: dict[str, list[Sample]], name: str) -> float:
    """The median over rounds of ours / peer."""
    pairs = zip(samples["ours"], samples["peer"], strict=True)
    return statistics.median(getattr(ours, name) / getattr(peer, name) for ours, peer in pairs)


def row_of(point: Point, samples: dict[str, list[Sample]]) -> list[object]:
    """A point's line of the detailed table."""
    latency = [f"{median(samples[label], 'p50_ms'):.3f}/{median(samples[label], 'p99_ms'):.3f}" for label in LABELS]
    rates = [median(samples[label], "rate") for label in LABELS]
    cpu = [median(samples[label], "cpu_us") for label in LABELS]
    busy = [round(100 * median(samples[label], "load_busy")) for label in LABELS]
    return [point.test.name, point.pipeline, point.via, *rates, ratio(samples, "rate"), *cpu,
            ratio(samples, "cpu_us"), *latency, *busy]


def figures_of(point: Point, samples: dict[str, list[Sample]]) -> list[Figure]:
    """The claims about a point."""
    test, pipeline = point.test, point.pipeline
    claims = [("cpu_us", "server CPU", "µs/req", "<=", test.cpu_bars), ("rate", "rate", "req/s", ">=", test.rate_bars)]
    return [
        Figure(f"{test.name} P={pipeline} {words}", unit, median(samples["ours"], name),
               median(samples["peer"], name), ratio(samples, name), Bar("ratio", sign, bars[pipeline]))
        for name, words, unit, sign, bars in claims
        if pipeline in bars
    ]


def plan(tests: Iterable[Test], short: bool) -> list[Point]:
    """What is measured, TCP first; the short form takes the unix socket for SET and GET at P=1 and P=16 only."""
    return [
        Point(test, pipeline, via)
        for via in ("tcp", "unix")
        for test in tests
        for pipeline in test.requests
        if via == "tcp" or not short or (test.name in ("SET", "GET") and pipeline < 64)
    ]


def known_tests(servers: Iterable[Server], result: Result) -> list[Test]:
    """The tests whose command both servers have; the others become notes."""
    out = []
    for test in TESTS:
        lacking = unknown_command(servers, [test.argv[0].upper().encode()])
        if not lacking:
            out.append(test)
        elif (note := f"{test.name} skipped: {lacking}") not in result.notes:
            result.notes.append(note)
    return out


def sit(options: Options, order: Sequence[str], samples: Samples, result: Result, scale: float) -> None:
    """Starts both servers in the given order and measures every point twice, the second time in the other order."""
    with ExitStack() as stack:
        servers = {label: stack.enter_context(running(options, label)) for label in order}
        result.versions = {label: servers[label].version for label in LABELS}
        tests = known_tests(servers.values(), result)
        for server in servers.values():
            preload(server, tests)
        for point in plan(tests, options.short):
            found = samples.setdefault(point, {label: [] for label in LABELS})
            requests = int(point.test.requests[point.pipeline] * scale)
            for label in (*order, *reversed(order)):
                found[label].append(measure(servers[label], point.test, point.pipeline, requests, point.via))


def run(options: Options) -> Result:
    """Two sittings of two rounds in the short form, four sittings otherwise."""
    sittings, scale = (2, 0.3) if options.short else (4, 2.0)
    result = Result("throughput", headers=HEADERS)
    samples: Samples = {}
    for sitting in range(sittings):
        sit(options, LABELS if sitting % 2 else LABELS[::-1], samples, result, scale)
    for point, found in samples.items():
        result.rows.append(row_of(point, found))
        if point.via == "tcp":
            result.figures += figures_of(point, found)
    result.notes.append(f"medians of {2 * sittings} rounds; -c {CONNECTIONS}, {KEYS:,} keys, 32-byte values; "
                        "latency is redis-benchmark's, for a whole pipeline")
    return result


if __name__ == "__main__":
    sys.exit(main(run, __doc__))
