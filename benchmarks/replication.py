"""Replication: what a replica costs its master, and how long a full synchronisation takes, against redis-server.

Writes: SET from 50 connections at P=16 to a master with one real redis-server as its replica; the master's CPU counts
until the replica has everything. Full synchronisation: a master that has loaded a file of redis-server's gets an empty
redis-server as its replica; the time is that from REPLICAOF until the replica says that its link is up. Both masters
work on the servers' core, the replica on the load's. Then the other way round, as information: a replica under test on
the servers' core, and a real redis-server as the master of it.
"""

import contextlib
import csv
import io
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from .common import LABELS, BenchmarkError, Connection, Options, Server, load_core, pinned, server_core, start
from .load import CONNECTIONS, drive, setup_ns
from .persistence import (
    HEADERS,
    PEER_FILE,
    PIPELINE,
    Quantities,
    Quantity,
    check_size,
    in_turns,
    populate,
    set_point,
    write_file,
)
from .report import Bar, Result, main

WRITE_BAR = Bar("ratio", "<=", 0.65)
SYNC_BAR = Bar("ratio", "<=", 0.8)
WAIT_SECONDS = 300.0
POLL_SECONDS = 0.005
# A transfer begins at once; by default a master waits five seconds for other replicas to join.
AT_ONCE = ("--repl-diskless-sync-delay", "0")
TO_MEMORY = ("--repl-diskless-load", "on-empty-db")


@dataclass(frozen=True)
class Form:
    """How much is done.

    keys        keys there are while writes are measured, and SET in a round
    sync_keys   keys of a full synchronisation, and how often there is one
    """

    keys: int
    requests: int
    rounds: int
    sync_keys: int
    sync_rounds: int


SHORT = Form(200_000, 100_000, 4, 500_000, 3)
FULL = Form(1_000_000, 300_000, 10, 5_000_000, 5)


# Servers ---------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def serving(options: Options, kind: str, core: int, *extra: str, file: Path | None = None) -> Iterator[Server]:
    """A server of a kind ("ours" or "peer") on a core, in a directory of its own, with a file to load at its start."""
    directory = Path(tempfile.mkdtemp(prefix=f"benchmark-{kind}-", dir=file.parent if file else None))
    try:
        if file:
            os.link(file, directory / "dump.rdb")
        server = start(options.command(kind), kind, directory, (*AT_ONCE, *extra))
        try:
            move(server, core)
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def move(server: Server, core: int) -> None:
    """Puts all threads of a server, and so its future children, on a core."""
    for task in Path(f"/proc/{server.pid}/task").iterdir():
        os.sched_setaffinity(int(task.name), {core})


def follow(replica: Server, master: Server) -> None:
    with replica.connect() as connection:
        connection.call(b"REPLICAOF", b"127.0.0.1", b"%d" % master.port)


def wait_for_link(replica: Server) -> tuple[float, float]:
    """Waits until a replica's link is up -> the moments (time.monotonic()) when it began to load, and when it was."""
    end = time.monotonic() + WAIT_SECONDS
    loading = 0.0
    with replica.connect() as connection:
        while True:
            info = connection.info("replication") | connection.info("persistence")
            now = time.monotonic()
            if info.get("loading") == "1":
                loading = loading or now
            if info.get("master_link_status") == "up":
                return loading or now, now
            if now > end:
                raise BenchmarkError(f"{replica.label} as a replica has no link: {info}\n{replica.log_tail()}")
            time.sleep(POLL_SECONDS)


def offset(connection: Connection) -> int:
    """Bytes of the stream: a master's own, or those that a replica has applied."""
    info = connection.info("replication")
    return int(info["slave_repl_offset"] if info["role"] == "slave" else info["master_repl_offset"])


def wait_for_stream(master: Server, replica: Server) -> None:
    """Waits until a replica has applied what its master has sent until now. Asks the replica only."""
    with master.connect() as connection:
        goal = offset(connection)
    end = time.monotonic() + WAIT_SECONDS
    with replica.connect() as connection:
        while offset(connection) < goal:
            if time.monotonic() > end:
                raise BenchmarkError(f"{replica.label} as a replica does not get to offset {goal}")
            time.sleep(POLL_SECONDS)


# Writes ----------------------------------------------------------------------------------------------------------


def write_round(master: Server, replica: Server, measured: Server, form: Form, setup: float) -> tuple[float, float]:
    """SET at P=16 to a master until its replica has all -> CPU of the measured one in µs a request, requests a second.

    `setup`: CPU in ns that is taken off.
    """
    before = measured.cpu_ns()
    output, _ = drive(master, set_point(form, PIPELINE), form.requests)
    wait_for_stream(master, replica)
    cpu = measured.cpu_ns() - before - setup
    row = list(csv.DictReader(io.StringIO(output)))[-1]
    return cpu / (form.requests - CONNECTIONS) / 1000, float(row["rps"])


def measure_master(options: Options, form: Form, result: Result) -> Quantities:
    """Masters under test, each with a real replica."""
    name = f"master with a replica, SET P={PIPELINE}"
    found = {f"{name}, server CPU": Quantity("µs/req", WRITE_BAR), f"{name}, rate": Quantity("req/s")}
    for first in LABELS:
        with contextlib.ExitStack() as stack:
            masters, replicas, setups = {}, {}, {}
            for label in LABELS if first == LABELS[0] else LABELS[::-1]:
                masters[label] = stack.enter_context(serving(options, label, server_core()))
                replicas[label] = stack.enter_context(serving(options, "peer", load_core()))
                populate(masters[label], form.keys)
                setups[label] = setup_ns(masters[label], "tcp")
                follow(replicas[label], masters[label])
                wait_for_link(replicas[label])
            result.versions = {label: masters[label].version for label in LABELS}
            for order in in_turns(max(1, form.rounds // 2)):
                for label in order:
                    sample = write_round(masters[label], replicas[label], masters[label], form, setups[label])
                    for key, value in zip(found, sample, strict=True):
                        found[key].values[label].append(value)
            for label in LABELS:
                check_size(replicas[label], form.keys)
    return found


def measure_replica(options: Options, form: Form) -> Quantities:
    """Replicas under test, each of a real master."""
    name = f"replica of redis-server, SET P={PIPELINE}, server CPU"
    found = {name: Quantity("µs/req")}
    for first in LABELS:
        with contextlib.ExitStack() as stack:
            masters, replicas = {}, {}
            for label in LABELS if first == LABELS[0] else LABELS[::-1]:
                masters[label] = stack.enter_context(serving(options, "peer", load_core()))
                replicas[label] = stack.enter_context(serving(options, label, server_core()))
                populate(masters[label], form.keys)
                follow(replicas[label], masters[label])
                wait_for_link(replicas[label])
            for order in in_turns(max(1, form.rounds // 2)):
                for label in order:
                    cpu, _ = write_round(masters[label], replicas[label], replicas[label], form, 0.0)
                    found[name].values[label].append(cpu)
            for label in LABELS:
                check_size(replicas[label], form.keys)
    return found


# Full synchronisation --------------------------------------------------------------------------------------------


def synchronise(options: Options, form: Form, master: Server, kind: str, core: int, *extra: str) -> tuple[float, float]:
    """Gives a master an empty replica of a kind -> s from REPLICAOF until it loads, and until its link is up."""
    with serving(options, kind, core, *extra) as replica:
        began = time.monotonic()
        follow(replica, master)
        loading, up = wait_for_link(replica)
        check_size(replica, form.sync_keys)
    return loading - began, up - began


def measure_syncs(options: Options, form: Form, top: Path) -> Quantities:
    """Full synchronisations by turns: of real replicas with masters under test, and of replicas under test."""
    full, replica = f"full sync of {form.sync_keys:,} keys", "replica of redis-server"
    found = {full: Quantity("s", SYNC_BAR), f"{full}, until it loads": Quantity("s"),
             f"{full}, straight to memory": Quantity("s"), f"{replica}, {full}": Quantity("s"),
             f"{replica}, {full}, straight to memory": Quantity("s")}
    write_file(options, top, form.sync_keys)
    file = top / PEER_FILE
    with contextlib.ExitStack() as stack:
        masters = {label: stack.enter_context(serving(options, label, server_core(), file=file)) for label in LABELS}
        for label in LABELS:
            check_size(masters[label], form.sync_keys)
        for order in in_turns(form.sync_rounds):
            for label in order:
                until_file, until_up = synchronise(options, form, masters[label], "peer", load_core())
                to_memory = synchronise(options, form, masters[label], "peer", load_core(), *TO_MEMORY)[1]
                for quantity, value in zip(found.values(), (until_up, until_file, to_memory), strict=False):
                    quantity.values[label].append(value)
    with serving(options, "peer", load_core(), file=file) as master:
        check_size(master, form.sync_keys)
        for order in in_turns(form.sync_rounds):
            for label in order:
                for quantity, extra in zip(list(found.values())[-2:], ((), TO_MEMORY), strict=True):
                    quantity.values[label].append(
                        synchronise(options, form, master, label, server_core(), *extra)[1])
    return found


# All of it -------------------------------------------------------------------------------------------------------


def run(options: Options) -> Result:
    """All parts. Full: 5M keys in a synchronisation, 1M under writes; short: 500,000 and 200,000."""
    form = SHORT if options.short else FULL
    result = Result("replication", headers=HEADERS)
    top = Path(tempfile.mkdtemp(prefix="benchmark-replication-"))
    try:
        with pinned(load_core()):
            found = measure_master(options, form, result)
            found |= measure_syncs(options, form, top)
            found |= measure_replica(options, form)
    finally:
        shutil.rmtree(top, ignore_errors=True)
    for name, quantity in found.items():
        result.rows.append(quantity.row(name))
        if quantity.bar or quantity.unit != "req/s":
            result.figures.append(quantity.figure(name))
    result.notes.append(f"writes: {form.requests:,} requests a round, {form.keys:,} keys; all keys have 16 bytes and "
                        "32-byte values; ratios: the median of the rounds', their lowest and highest beside it")
    return result


if __name__ == "__main__":
    sys.exit(main(run, __doc__))
