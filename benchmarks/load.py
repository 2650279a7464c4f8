"""redis-benchmark as the load: tests, how they are measured in turns, and what is claimed of them.

A sitting starts all servers and measures every test on them in turn, round by round. Ratios are formed within a
round, the servers' turns of which are a fraction of a second apart, so that what disturbs the machine for longer
disturbs all. A sitting's ratio is the median of its rounds', the ratio shown the geometric mean of the sittings':
two copies of one redis-server showed the one started first to be some 6 % slower all its life, so every other sitting
starts them in the other order, and a median over all rounds would pick one order's. Many short rounds say more than a
few long ones. That makes the connections' setup weigh: it is measured by itself and taken off.
"""

import csv
import io
import math
import resource
import statistics
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field

from .common import (
    BenchmarkError,
    Connection,
    Options,
    Server,
    load_core,
    run_tool,
    running,
    unknown_command,
)
from .report import Bar, Figure, Result, figure

CONNECTIONS = 50
KEYS = 1_000_000
RAND = "__rand_int__"  # redis-benchmark writes 12 digits in its place
SETUP_ROUNDS = 9
FREED_SECONDS = 30


@dataclass(frozen=True, eq=False)
class Test:
    """A command as redis-benchmark takes it, or ("-t", name) for one of its own, and what is claimed of it.

    `prepare` puts the keys into the state the test needs, before each run and outside of the measurement; it gets the
    number of requests that follow. The replies of a test that `reads` only are compared before it is measured.
    `clients` is how many connections there are, `options` what else redis-benchmark is told of them.
    """

    name: str
    argv: tuple[str, ...]
    requests: dict[int, int]  # pipeline -> requests a round
    cpu_bars: dict[int, float]  # pipeline -> bar
    rate_bars: dict[int, float] = field(default_factory=dict)
    db: int = 0
    random: int = KEYS  # __rand_int__ is below this
    prepare: Callable[[Connection, int], object] | None = None
    reads: bool = False
    clients: int = CONNECTIONS
    options: tuple[str, ...] = ()

    @property
    def command(self) -> bytes:
        """What both servers must know: ping_inline and ping_mbulk are both PING."""
        word = self.argv[1] if self.argv[0] == "-t" else self.argv[0]
        return word.partition("_")[0].upper().encode()


@dataclass(frozen=True)
class Point:
    """One line of the table: a test with a pipeline over a transport, "tcp", "tls" or "unix"."""

    test: Test
    pipeline: int
    via: str = "tcp"


@dataclass(frozen=True)
class Form:
    """How much is done: sittings, and in each so many rounds by pipeline, with this share of a test's requests."""

    sittings: int
    rounds: dict[int, int]
    scale: float


@dataclass(frozen=True)
class Sample:
    """One run of redis-benchmark against one server."""

    rate: float  # requests a second
    cpu_us: float  # server CPU a request
    p50_ms: float
    p99_ms: float
    load_busy: float  # CPU time of redis-benchmark as a share of the run, 0 to 1


Sitting = dict[str, list[Sample]]  # label -> one sample a round
Samples = dict[Point, list[Sitting]]


def headers(options: Options) -> list[str]:
    """Of the detailed table."""
    names = [options.name(label) for label in options.labels[1:]]
    return ["test", "P", "via", *options.columns("rps"), *options.columns("CPU µs/req"), "p50/p99 ms ours", *names,
            "load busy % ours", *names]


# One run ---------------------------------------------------------------------------------------------------------


def drive(server: Server, point: Point, requests: int) -> tuple[str, int]:
    """Output of one run of redis-benchmark, and the server's CPU time in ns, with the connections' setup."""
    addresses = {
        "tcp": ["-h", "127.0.0.1", "-p", str(server.port)],
        "tls": ["-h", "127.0.0.1", "-p", str(server.tls_port), "--tls", "--insecure"],
        "unix": ["-s", server.unix_path],
    }
    argv = ["redis-benchmark", *addresses[point.via], *point.test.options, "-c", str(point.test.clients),
            "-n", str(requests), "-r", str(point.test.random), "-P", str(point.pipeline),
            "--dbnum", str(point.test.db), "--csv", *point.test.argv]
    before = server.cpu_ns()
    output = run_tool(argv, load_core())
    return output, server.cpu_ns() - before


Crowd = tuple[str, int, tuple[str, ...]]  # via, clients and options of a point


def crowd(point: Point) -> Crowd:
    """What the setup of a point's connections depends on."""
    return point.via, point.test.clients, point.test.options


def setup_ns(server: Server, via: str, clients: int = CONNECTIONS, options: tuple[str, ...] = ()) -> float:
    """Server CPU of a run with one request a connection: the setup, and that many requests."""
    least = Point(Test("setup", ("-t", "ping_mbulk"), {}, {}, clients=clients, options=options), 1, via)
    return statistics.median(drive(server, least, clients)[1] for _ in range(SETUP_ROUNDS))


def measure(server: Server, point: Point, requests: int, setup: float) -> Sample:
    """One run, the connections' setup taken off."""
    if point.test.prepare:
        with server.connect() as connection:
            point.test.prepare(connection, requests)
            wait_until_freed(connection)
    load_before = children_cpu_seconds()
    output, cpu = drive(server, point, requests)
    load_seconds = children_cpu_seconds() - load_before
    rows = list(csv.DictReader(io.StringIO(output)))
    if not rows:
        raise BenchmarkError(f"redis-benchmark printed no figures for {point.test.name} on {server.label}: "
                             f"{output[:200]}")
    row = rows[-1]
    rate = float(row["rps"])
    return Sample(rate, (cpu - setup) / (requests - point.test.clients) / 1000, float(row["p50_latency_ms"]),
                  float(row["p99_latency_ms"]), load_seconds / (requests / rate))


def wait_until_freed(connection: Connection) -> None:
    """Until what was deleted is gone: a server that frees in slices has not ended when it replies to DEL."""
    deadline = time.monotonic() + FREED_SECONDS
    while connection.info("memory")["lazyfree_pending_objects"] != "0":
        if time.monotonic() > deadline:
            raise BenchmarkError(f"deleted objects are still there after {FREED_SECONDS} s")
        time.sleep(0.001)


def children_cpu_seconds() -> float:
    """CPU time of the child processes that have ended, which are the load generators: the servers still run."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


# Sittings --------------------------------------------------------------------------------------------------------


def over_tcp(tests: Iterable[Test]) -> list[Point]:
    """The tests with all their pipelines, over TCP."""
    return [Point(test, pipeline) for test in tests for pipeline in test.requests]


def sit_all(options: Options, form: Form, tests: Sequence[Test], preload: Callable[[Server, Sequence[Test]], object],
            result: Result, points: Callable[[Sequence[Test]], list[Point]] = over_tcp) -> Samples:
    """All sittings of the form. `points` plans what is measured of the tests whose command both servers have."""
    samples: Samples = {}
    for number in range(form.sittings):
        order = options.labels if number % 2 else options.labels[::-1]
        with ExitStack() as stack:
            servers = {label: stack.enter_context(running(options, label)) for label in order}
            result.versions = {label: servers[label].version for label in options.labels}
            known = known_tests(servers.values(), tests, result)
            for server in servers.values():
                preload(server, known)
            planned = points(known)
            setups = {(server.label, kind): setup_ns(server, *kind) for server in servers.values()
                      for kind in {crowd(point) for point in planned}}
            for point in planned:
                found = rounds(servers, order, point, form, setups)
                samples.setdefault(point, []).append(found)
    return samples


def rounds(servers: dict[str, Server], order: Sequence[str], point: Point, form: Form,
           setups: dict[tuple[str, Crowd], float]) -> Sitting:
    """A point's rounds of one sitting, every other one in the other order."""
    found: Sitting = {label: [] for label in servers}
    requests = int(point.test.requests[point.pipeline] * form.scale)
    if point.test.reads:
        check_replies(servers, point.test, requests)
    for number in range(form.rounds[point.pipeline]):
        for label in order if number % 2 else reversed(order):
            found[label].append(measure(servers[label], point, requests, setups[label, crowd(point)]))
    return found


def known_tests(servers: Iterable[Server], tests: Iterable[Test], result: Result) -> list[Test]:
    """The tests whose command both servers have; the others become notes."""
    out = []
    for test in tests:
        lacking = unknown_command(servers, [test.command])
        if not lacking:
            out.append(test)
        elif (note := f"{test.name} skipped: {lacking}") not in result.notes:
            result.notes.append(note)
    return out


def check_replies(servers: dict[str, Server], test: Test, requests: int) -> None:
    """BenchmarkError unless the servers' replies to a test have the same size, and that is not an empty reply's."""
    sizes = set()
    for server in servers.values():
        with server.connect() as connection:
            if test.prepare:
                test.prepare(connection, requests)
            argv = (word.replace(RAND, f"{test.random // 2:012}").encode() for word in test.argv)
            sizes.add(reply_bytes(connection.call(*argv)))
    if len(sizes) != 1 or not max(sizes):
        raise BenchmarkError(f"{test.name}: the servers' replies have {sizes} bytes")


def reply_bytes(reply: object) -> int:
    """Bytes of the strings in a RESP2 reply, and one for each element and number."""
    if isinstance(reply, list):
        return len(reply) + sum(map(reply_bytes, reply))
    return len(reply) if isinstance(reply, bytes) else int(reply is not None)


# Figures ---------------------------------------------------------------------------------------------------------


def median(sittings: list[Sitting], label: str, name: str) -> float:
    """The median of all samples of a server."""
    return statistics.median(getattr(sample, name) for sitting in sittings for sample in sitting[label])


def ratios(sittings: list[Sitting], name: str) -> dict[str, float]:
    """Ours / each peer's: the median over a sitting's rounds, the geometric mean over the sittings."""
    found = {}
    for label in sorted(sittings[0].keys() - {"ours"}):
        medians = [
            statistics.median(getattr(ours, name) / getattr(peer, name)
                              for ours, peer in zip(sitting["ours"], sitting[label], strict=True))
            for sitting in sittings
        ]
        found[label] = math.exp(statistics.fmean(map(math.log, medians)))
    return found


def medians(sittings: list[Sitting], name: str) -> dict[str, float]:
    """The median of all samples of each server."""
    return {label: median(sittings, label, name) for label in sittings[0]}


def row_of(options: Options, point: Point, sittings: list[Sitting]) -> list[object]:
    """A point's line of the detailed table."""
    labels = options.labels
    latency = [f"{median(sittings, label, 'p50_ms'):.3f}/{median(sittings, label, 'p99_ms'):.3f}" for label in labels]
    busy = [round(100 * median(sittings, label, "load_busy")) for label in labels]
    shown = [cell for name in ("rate", "cpu_us")
             for cell in options.cells(medians(sittings, name), ratios(sittings, name))]
    return [point.test.name, point.pipeline, point.via, *shown, *latency, *busy]


def figures_of(point: Point, sittings: list[Sitting]) -> list[Figure]:
    """The claims about a point."""
    test, pipeline = point.test, point.pipeline
    claims = [("cpu_us", "server CPU", "µs/req", "<=", test.cpu_bars), ("rate", "rate", "req/s", ">=", test.rate_bars)]
    return [
        figure(f"{test.name} P={pipeline} {words}", unit, medians(sittings, name), ratios(sittings, name),
               Bar("ratio", sign, bars[pipeline]))
        for name, words, unit, sign, bars in claims
        if pipeline in bars
    ]


def report(options: Options, samples: Samples, result: Result) -> None:
    """Adds the table's rows, and the figures of what went over TCP or TLS."""
    for point, sittings in samples.items():
        result.rows.append(row_of(options, point, sittings))
        if point.via != "unix":
            result.figures += figures_of(point, sittings)


def rounds_text(form: Form) -> str:
    """Says how many rounds the figures are made of."""
    counts = ", ".join(f"{form.sittings * rounds} at P={pipeline}" for pipeline, rounds in form.rounds.items())
    return f"rounds in {form.sittings} sittings: {counts}; -c {CONNECTIONS} if not said; connections' setup taken off"
