"""Saving, loading and the append-only file: time, server CPU and pauses, against redis-server.

Files: one RDB file, written by redis-server, is loaded by both at their start and saved again with SAVE. Writes: SET
from 50 connections while a BGSAVE is under way and with appendonly, whose CPU is that of the server's own process
without its child's. Always: requests a second with appendfsync always, where every group of writes waits for the disk,
and how long a GET takes beside 50 such writers and without them.
Fork: how long a client that does nothing but PING waits around a BGSAVE, and what the writes during it made the kernel
copy. All files lie in one temporary directory, so on one disk; the servers take turns.
"""

import contextlib
import os
import random
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from .common import LABELS, BenchmarkError, Connection, Options, Server, fill, load_core, pinned, resp, start
from .load import RAND, Point, Test, measure, setup_ns
from .report import Bar, Figure, Result, main

PIPELINE = 16
FILE_BARS = Bar("ratio", "<=", 0.7)
WRITE_BARS = Bar("ratio", "<=", 0.65)
ALWAYS_BAR = Bar("ratio", ">=", 1.0)
BESIDE_BAR = Bar("ours", "<=", 2.0)
PROBE_SECONDS = 2.0         # GETs are sent, one after another,
PROBE_PAUSE_SECONDS = 2e-4  # ... with a pause between them
WRITERS = 50
PEER_FILE = "written-by-peer.rdb"
WAIT_SECONDS = 120.0
POLL_SECONDS = 0.05
# A PING is sent at once when the last is answered: before the BGSAVE for so long, and after it was asked for.
BEFORE_SECONDS, AROUND_SECONDS = 0.2, 0.5
# The kernel sleeps at least this long when asked for a microsecond (the default timer slack).
SLEEP_SECONDS = 50e-6
HEADERS = ("quantity", "unit", "ours", "peer", "ratio", "lowest", "highest", "rounds")


@dataclass(frozen=True)
class Form:
    """How much is done.

    file_keys      keys in the file that is loaded and saved, and how often that is done
    keys           keys there are while writes are measured
    requests       SET in a round at P=16, and with appendfsync always at P=1
    save_seconds   how long a BGSAVE lasts at least: it sleeps meanwhile (rdb-key-save-delay), so that all writes of a
                   round fall into it and either server's child takes as little of the core
    """

    file_keys: int
    file_rounds: int
    keys: int
    rounds: int
    requests: int
    always_requests: int
    save_seconds: float


SHORT = Form(1_000_000, 3, 200_000, 4, 100_000, 5_000, 2.0)
FULL = Form(5_000_000, 5, 1_000_000, 10, 300_000, 20_000, 4.0)


@dataclass
class Quantity:
    """Something measured of both servers in turns: a value a round and server. `factor` scales what is shown."""

    unit: str
    bar: Bar | None = None
    values: dict[str, list[float]] = field(default_factory=lambda: {label: [] for label in LABELS})

    def ratios(self) -> list[float]:
        """Ours / peer of each round; rounds where the peer's is 0 have none."""
        return [ours / peer for ours, peer in zip(*(self.values[label] for label in LABELS), strict=True) if peer]

    def median(self, label: str) -> float:
        return statistics.median(self.values[label])

    def figure(self, name: str) -> Figure:
        ratios = self.ratios()
        ratio = statistics.median(ratios) if ratios else None
        return Figure(name, self.unit, self.median("ours"), self.median("peer"), ratio, self.bar)

    def row(self, name: str) -> list[object]:
        figure, ratios = self.figure(name), self.ratios()
        return [name, self.unit, figure.ours, figure.peer, figure.ratio, min(ratios, default=None),
                max(ratios, default=None), len(self.values["ours"])]


Quantities = dict[str, Quantity]


# Servers and files -----------------------------------------------------------------------------------------------


@contextlib.contextmanager
def serving(options: Options, label: str, top: Path, *extra: str) -> Iterator[Server]:
    """A server whose files are in top/<label>, which stays; it loads what is there."""
    directory = top / label
    directory.mkdir(exist_ok=True)
    server = start(options.command(label), label, directory, extra)
    try:
        yield server
    finally:
        server.stop()


@contextlib.contextmanager
def both(options: Options, top: Path, first: str, *extra: str) -> Iterator[dict[str, Server]]:
    """Both servers, started in that order, with no data, whatever the last ones left in their directories."""
    with contextlib.ExitStack() as stack:
        for label in LABELS:
            shutil.rmtree(top / label, ignore_errors=True)
        order = LABELS if first == LABELS[0] else LABELS[::-1]
        yield {label: stack.enter_context(serving(options, label, top, *extra)) for label in order}


def in_turns(rounds: int) -> Iterator[tuple[str, ...]]:
    """The servers' order in each round, every other one the other way round."""
    for number in range(rounds):
        yield LABELS if number % 2 else LABELS[::-1]


def random_values(numbers: range) -> Iterator[int]:
    """A key's number and its value: 32 hexadecimal digits, which LZF tries in vain to compress."""
    values = random.Random(numbers.start)
    for n in numbers:
        yield n
        yield values.getrandbits(128)


def populate(server: Server, keys: int) -> None:
    """SET of 16-byte keys to 32-byte values; checked with DBSIZE."""
    with server.connect() as connection:
        connection.load(fill(resp(b"SET", b"key:%012d", b"%032x"), keys, random_values))
    check_size(server, keys)


def check_size(server: Server, keys: int) -> None:
    with server.connect() as connection:
        if (size := connection.call(b"DBSIZE")) != keys:
            raise BenchmarkError(f"{server.label} has {size} keys instead of {keys}")


def timed_ns(server: Server, action: Callable[[], object]) -> tuple[float, float]:
    """Wall and server CPU time of an action, in s."""
    began, before = time.monotonic(), server.cpu_ns()
    action()
    return time.monotonic() - began, (server.cpu_ns() - before) / 1e9


# Loading and SAVE ------------------------------------------------------------------------------------------------


def write_file(options: Options, top: Path, keys: int) -> None:
    """Has redis-server write the file that both will load."""
    with serving(options, "peer", top) as server:
        populate(server, keys)
        with server.connect() as connection:
            connection.call(b"SAVE")
    (top / "peer" / "dump.rdb").rename(top / PEER_FILE)


def start_on_file(options: Options, label: str, top: Path, keys: int, stack: contextlib.ExitStack,
                  found: Quantities) -> Server:
    """Starts a server with the file in its directory, noting what loading took until it answered PONG."""
    directory = top / label
    directory.mkdir(exist_ok=True)
    (directory / "dump.rdb").unlink(missing_ok=True)
    os.link(top / PEER_FILE, directory / "dump.rdb")  # SAVE will put another file in its place
    began = time.monotonic()
    server = stack.enter_context(serving(options, label, top))
    found["start to PONG"].values[label].append(time.monotonic() - began)
    found["start to PONG, server CPU"].values[label].append(server.cpu_ns() / 1e9)
    said = re.search(r"DB loaded from disk: ([\d.]+) seconds", server.log_path.read_text(errors="replace"))
    if said is None:
        raise BenchmarkError(f"{label} does not say that it loaded the file:\n{server.log_tail()}")
    found["loading as logged"].values[label].append(float(said[1]))
    check_size(server, keys)
    return server


def measure_files(options: Options, form: Form, top: Path, result: Result) -> Quantities:
    """Start on the same file, and SAVE."""
    found = {"start to PONG": Quantity("s", FILE_BARS), "start to PONG, server CPU": Quantity("s", FILE_BARS),
             "loading as logged": Quantity("s"), "SAVE": Quantity("s", FILE_BARS),
             "SAVE, server CPU": Quantity("s", FILE_BARS)}
    write_file(options, top, form.file_keys)
    for order in in_turns(form.file_rounds):
        with contextlib.ExitStack() as stack:
            servers = {label: start_on_file(options, label, top, form.file_keys, stack, found) for label in order}
            result.versions = {label: servers[label].version for label in LABELS}
            for label in order:
                with servers[label].connect() as connection:
                    wall, cpu = timed_ns(servers[label], lambda call=connection.call: call(b"SAVE"))
                found["SAVE"].values[label].append(wall)
                found["SAVE, server CPU"].values[label].append(cpu)
    sizes = {label: (top / label / "dump.rdb").stat().st_size for label in LABELS}
    result.notes.append(f"files: {form.file_keys:,} keys of 16 bytes with 32-byte values; saved, the file has "
                        f"{sizes['ours']:,} bytes, the peer's {sizes['peer']:,}; the page cache is warm")
    return found


# Writes ----------------------------------------------------------------------------------------------------------


def set_point(form: Form, pipeline: int) -> Point:
    """SET of any of the keys that are there."""
    test = Test("SET", ("set", f"key:{RAND}", "v" * 32), {}, {}, random=form.keys)
    return Point(test, pipeline)


def note_writes(found: Quantities, name: str, server: Server, form: Form, setup: float) -> None:
    """A round of SET at P=16."""
    sample = measure(server, set_point(form, PIPELINE), form.requests, setup)
    found[f"{name}, server CPU"].values[server.label].append(sample.cpu_us)
    found[f"{name}, rate"].values[server.label].append(sample.rate)


def measure_writes(options: Options, form: Form, top: Path, name: str, bar: Bar | None, *extra: str) -> Quantities:
    """SET at P=16 with servers started with `extra` options."""
    found = {f"{name}, server CPU": Quantity("µs/req", bar), f"{name}, rate": Quantity("req/s")}
    for first in LABELS:
        with both(options, top, first, *extra) as servers:
            setups = {}
            for server in servers.values():
                populate(server, form.keys)
                setups[server.label] = setup_ns(server, "tcp")
            for order in in_turns(max(1, form.rounds // 2)):
                for label in order:
                    note_writes(found, name, servers[label], form, setups[label])
    return found


def measure_always(options: Options, form: Form, top: Path) -> Quantities:
    """Requests a second with appendfsync always, P=1."""
    name = "SET P=1, appendfsync always"
    found = {f"{name}, rate": Quantity("req/s", ALWAYS_BAR), f"{name}, p99": Quantity("ms"),
             f"{name}, server CPU": Quantity("µs/req")}
    point = set_point(form, 1)
    for first in LABELS:
        with both(options, top, first, "--appendonly", "yes", "--appendfsync", "always") as servers:
            for order in in_turns(form.rounds):
                for label in order:
                    sample = measure(servers[label], point, form.always_requests, 0.0)
                    for key, value in zip(found, (sample.rate, sample.p99_ms, sample.cpu_us), strict=True):
                        found[key].values[label].append(value)
    return found


def get_p99_ms(server: Server) -> float:
    """The 99th percentile of how long a GET takes."""
    waits = []
    with server.connect() as connection:
        end = time.monotonic() + PROBE_SECONDS
        while (began := time.monotonic()) < end:
            connection.call(b"GET", b"nothing")
            waits.append(time.monotonic() - began)
            time.sleep(PROBE_PAUSE_SECONDS)
    return sorted(waits)[len(waits) * 99 // 100] * 1000


@contextlib.contextmanager
def writers(server: Server, keys: int) -> Iterator[None]:
    """Connections that SET all the time; who measures something beside them comes first on the processor of both."""
    load = subprocess.Popen(
        ["nice", "-n", "15", "redis-benchmark", "-p", str(server.port), "-c", str(WRITERS), "-n", "100000000",
         "-r", str(keys), "-t", "set", "-q"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        time.sleep(POLL_SECONDS)
        yield
    finally:
        load.kill()
        load.wait()


def measure_beside(options: Options, form: Form, top: Path) -> Quantities:
    """The p99 of a GET, alone and beside writers with appendfsync always."""
    alone, beside = Quantity("ms"), Quantity("ms")
    share = Quantity("beside / alone", BESIDE_BAR)
    for first in LABELS:
        with both(options, top, first, "--appendonly", "yes", "--appendfsync", "always") as servers:
            for order in in_turns(max(1, form.rounds // 2)):
                for label in order:
                    alone_ms = get_p99_ms(servers[label])
                    with writers(servers[label], form.keys):
                        beside_ms = get_p99_ms(servers[label])
                    for quantity, value in ((alone, alone_ms), (beside, beside_ms), (share, beside_ms / alone_ms)):
                        quantity.values[label].append(value)
    return {"GET p99, appendfsync always, alone": alone, f"GET p99 beside {WRITERS} such writers": beside,
            "GET p99, beside / alone": share}


# BGSAVE ----------------------------------------------------------------------------------------------------------


def ping_through_fork(server: Server) -> tuple[float, float]:
    """Asks for a BGSAVE while PINGing. The longest wait for an answer, in ms, before and from the BGSAVE on."""
    longest = {}
    with server.connect() as client, server.connect() as other:
        for phase, seconds in (("before", BEFORE_SECONDS), ("around", AROUND_SECONDS)):
            if phase == "around":
                other.socket.sendall(resp(b"BGSAVE"))
            longest[phase] = longest_ping(client, seconds)
        if not other.reply().startswith(b"Background saving started"):
            raise BenchmarkError(f"{server.label} did not begin a BGSAVE")
    return longest["before"] * 1000, longest["around"] * 1000


def longest_ping(client: Connection, seconds: float) -> float:
    """The longest wait, in s, of PINGs sent one after another for so long."""
    longest, now = 0.0, time.monotonic()
    end = now + seconds
    while now < end:
        client.call(b"PING")
        then, now = now, time.monotonic()
        longest = max(longest, now - then)
    return longest


def wait_for_save(connection: Connection) -> dict[str, str]:
    """INFO persistence once no BGSAVE is under way. BenchmarkError when it failed or lasts."""
    end = time.monotonic() + WAIT_SECONDS
    while (info := connection.info("persistence"))["rdb_bgsave_in_progress"] != "0":
        if time.monotonic() > end:
            raise BenchmarkError("a BGSAVE does not end")
        time.sleep(POLL_SECONDS)
    if info["rdb_last_bgsave_status"] != "ok":
        raise BenchmarkError("a BGSAVE failed")
    return info


def save_round(server: Server, form: Form, setup: float, name: str, found: Quantities) -> None:
    """One BGSAVE: the pause around the fork, writes while it is under way, and what had to be copied."""
    before, around = ping_through_fork(server)
    note_writes(found, name, server, form, setup)
    with server.connect() as connection:
        if connection.info("persistence")["rdb_bgsave_in_progress"] != "1":
            raise BenchmarkError(f"{server.label}: the BGSAVE was over before the writes were; the machine is too busy")
        info = wait_for_save(connection)
        fork_us = int(connection.info("stats")["latest_fork_usec"])
    for key, value in (("longest PING before", before), ("longest PING around the fork", around),
                       ("latest_fork_usec", fork_us / 1000),
                       ("copied during BGSAVE", int(info["rdb_last_cow_size"]) / 2**20)):
        found[key].values[server.label].append(value)


def measure_saves(options: Options, form: Form, top: Path) -> Quantities:
    """BGSAVE by turns with the same writes during each."""
    name = f"SET P={PIPELINE} during BGSAVE"
    found = {f"{name}, server CPU": Quantity("µs/req", WRITE_BARS), f"{name}, rate": Quantity("req/s"),
             "longest PING before": Quantity("ms"), "longest PING around the fork": Quantity("ms"),
             "latest_fork_usec": Quantity("ms"), "copied during BGSAVE": Quantity("MiB")}
    sleeps = form.save_seconds / SLEEP_SECONDS
    delay = b"-%d" % max(1, round(form.keys / sleeps))  # a microsecond's sleep after one of so many keys
    for first in LABELS:
        with both(options, top, first) as servers:
            setups = {}
            for server in servers.values():
                populate(server, form.keys)
                setups[server.label] = setup_ns(server, "tcp")
                with server.connect() as connection:
                    connection.call(b"CONFIG", b"SET", b"rdb-key-save-delay", delay)
            for order in in_turns(max(1, form.rounds // 2)):
                for label in order:
                    save_round(servers[label], form, setups[label], name, found)
    return found


# All of it -------------------------------------------------------------------------------------------------------


def run(options: Options) -> Result:
    """All parts. Full: 5M keys in the file, 1M under writes; short: 1M and 200,000."""
    form = SHORT if options.short else FULL
    result = Result("persistence", headers=HEADERS)
    top = Path(tempfile.mkdtemp(prefix="benchmark-persistence-"))
    writes = f"SET P={PIPELINE}"
    try:
        with pinned(load_core()):
            found = measure_files(options, form, top, result)
            found |= measure_writes(options, form, top, f"{writes}, no persistence", None)
            found |= measure_writes(options, form, top, f"{writes}, appendfsync everysec", WRITE_BARS,
                                    "--appendonly", "yes", "--appendfsync", "everysec",
                                    "--auto-aof-rewrite-percentage", "0")
            found |= measure_saves(options, form, top)
            found |= measure_always(options, form, top)
            found |= measure_beside(options, form, top)
    finally:
        shutil.rmtree(top, ignore_errors=True)
    for name, quantity in found.items():
        result.rows.append(quantity.row(name))
        if quantity.bar or quantity.unit in ("ms", "MiB"):
            result.figures.append(quantity.figure(name))
    result.notes.append(f"writes: {form.requests:,} requests a round, {form.keys:,} keys; during BGSAVE all of them "
                        f"fall into one save; with appendfsync always {form.always_requests:,} a round; ratios: the "
                        "median of the rounds', their lowest and highest beside it")
    return result


if __name__ == "__main__":
    sys.exit(main(run, __doc__))
