"""The longest stall a client sees while 10M keys are inserted and then deleted, against redis-server.

Four connections keep batches of 16 commands under way, so at most 64 commands are ahead of anybody else's. A probe
process beside the load sends a PING every millisecond on a unix socket of its own and notes how long each answer
took. Control processes, one on the load's core and, where real-time priority is to be had, one on the server's, only
sleep to the same schedule: how late they wake is what the machine does by itself. The kernel also tells how long the
server, ready to run, had to wait for its core while another process had it. A stall over 2 ms counts against the
server unless these account for all but 2 ms of it.
"""

import bisect
import contextlib
import gc
import multiprocessing
import os
import socket
import sys
import time
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection as Pipe
from multiprocessing.synchronize import Event
from pathlib import Path

from .common import (
    LABELS,
    REPLY_SECONDS,
    BenchmarkError,
    Connection,
    Options,
    Server,
    load_core,
    pinned,
    resp,
    running,
    server_core,
)
from .report import Bar, Figure, Result, main

KEYS = 10_000_000
KEYS_SHORT = 1_000_000
BATCH = 16
CONNECTIONS = 4
PERIOD_NS = 1_000_000
LIMIT_NS = 2_000_000
LIVE_SECONDS = 10.0
VALUE = b"v" * 32
# Each phase: its name, a command's template, and the reply to it.
PHASES = (
    ("insert", resp(b"SET", b"key:%012d", VALUE), b"+OK\r\n"),
    ("delete", resp(b"DEL", b"key:%012d"), b":1\r\n"),
)
HEADERS = ("phase", "server", "commands/s", "CPU µs/cmd", "probes", "p99.99 ms", "max ms", "control p99.99 ms",
           "control max ms", "stalls > 2 ms", "the server's", "its longest ms")


@dataclass(frozen=True)
class Samples:
    """What a probe or control saw, a value of each column per slot.

    `starts` are monotonic ns; `delays` how many ns the answer took, or the wake-up was late; `queued` how many ns
    of that the server was kept from its core by other processes (0 in a control).
    """

    starts: Sequence[int]
    delays: Sequence[int]
    queued: Sequence[int]

    def within(self, begin: int, end: int) -> "Samples":
        """The samples that started in a span of time."""
        chosen = [i for i, start in enumerate(self.starts) if begin <= start < end]
        return Samples(*([column[i] for i in chosen] for column in (self.starts, self.delays, self.queued)))

    def longest_ms(self) -> float:
        return max(self.delays, default=0) / 1e6

    def p9999_ms(self) -> float:
        """The 99.99th percentile, counting also the probes that a long wait kept from being sent.

        A wait of 5 ms stands for the probes due 1, 2, 3 and 4 ms into it too, which would have waited 4, 3, 2 and 1.
        """
        waits = sorted(left for delay in self.delays for left in range(delay, 0, -PERIOD_NS))
        return waits[min(len(waits) - 1, int(len(waits) * 0.9999))] / 1e6 if waits else 0.0


# Probe and controls ----------------------------------------------------------------------------------------------


def go_first() -> bool:
    """Asks for real-time priority, so that no ordinary process on the core delays this one; False when refused."""
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    except OSError:
        return False
    return True


def slots(stop: Event) -> Iterator[int]:
    """Sleeps to a schedule of one slot per PERIOD_NS and yields each slot's time; slots missed are passed over."""
    slot = time.monotonic_ns() + PERIOD_NS
    while not stop.is_set():
        while (wait := slot - time.monotonic_ns()) > 0:
            time.sleep(wait / 1e9)
        yield slot
        slot += max(1, (time.monotonic_ns() - slot) // PERIOD_NS + 1) * PERIOD_NS


class RunQueue:
    """How long a server waited for its core in total, in ns, while no thread of its own had it.

    The kernel's figure for the main thread, less the CPU time of the server's other threads: a server that keeps
    itself waiting is not the machine's doing. Source: Documentation/scheduler/sched-stats.rst of Linux.
    """

    def __init__(self, pid: int) -> None:
        self._tasks = Path(f"/proc/{pid}/task")
        self._main = os.open(self._tasks / str(pid) / "schedstat", os.O_RDONLY)
        self._others: dict[str, int] = {}
        self._pid = str(pid)
        self.find_threads()

    def find_threads(self) -> None:
        """Takes in the threads started since, which costs too much to do for every probe."""
        for tid in os.listdir(self._tasks):
            if tid != self._pid and tid not in self._others:
                with contextlib.suppress(FileNotFoundError):
                    self._others[tid] = os.open(self._tasks / tid / "schedstat", os.O_RDONLY)

    def total_ns(self) -> int:
        total = int(os.pread(self._main, 80, 0).split()[1])
        for descriptor in self._others.values():
            with contextlib.suppress(ProcessLookupError):  # the thread has ended
                total -= int(os.pread(descriptor, 80, 0).split()[0])
        return total


def control_worker(core: int, stop: Event, pipe: Pipe) -> None:
    """Only sleeps; a sample is a slot and how late it was served. Sends them when stopped."""
    os.sched_setaffinity(0, {core})
    go_first()
    gc.disable()
    samples = array("q")
    for slot in slots(stop):
        samples.extend((slot, time.monotonic_ns() - slot, 0))
    pipe.send_bytes(samples.tobytes())


def probe_worker(core: int, stop: Event, pipe: Pipe, server: Server) -> None:
    """Sends a PING per slot; a sample is when it was sent, how long its answer took, and the server's queueing."""
    os.sched_setaffinity(0, {core})
    go_first()
    gc.disable()
    samples = array("q")
    ping, pong = resp(b"PING"), b"+PONG\r\n"
    queue = RunQueue(server.pid)
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(REPLY_SECONDS)
        connection.connect(server.unix_path)
        for _ in slots(stop):
            queued = queue.total_ns()
            sent = time.monotonic_ns()
            connection.sendall(ping)
            answer = connection.recv(len(pong))
            delay = time.monotonic_ns() - sent
            if answer != pong:
                raise BenchmarkError(f"not the answer to PING: {answer!r}")
            if delay > LIMIT_NS:
                queue.find_threads()
            samples.extend((sent, delay, queue.total_ns() - queued))
    pipe.send_bytes(samples.tobytes())


class Watch:
    """The probe and controls of one server, running from creation to `finish`."""

    def __init__(self, server: Server) -> None:
        context = multiprocessing.get_context("fork")
        self._stop = context.Event()
        self._workers = []
        self.server_core_watched = self._may_go_first(context) and server_core() != load_core()
        jobs = [(probe_worker, load_core(), server), (control_worker, load_core())]
        if self.server_core_watched:
            jobs.append((control_worker, server_core()))
        for target, core, *rest in jobs:
            here, there = context.Pipe(duplex=False)
            worker = context.Process(target=target, args=(core, self._stop, there, *rest), daemon=True)
            worker.start()
            there.close()
            self._workers.append((worker, here))

    @staticmethod
    def _may_go_first(context: multiprocessing.context.BaseContext) -> bool:
        """Whether real-time priority is to be had, tried in a process of its own."""
        def attempt() -> None:
            os._exit(0 if go_first() else 1)

        worker = context.Process(target=attempt)
        worker.start()
        worker.join()
        return worker.exitcode == 0

    def finish(self) -> list[Samples]:
        """Stops the workers; their samples, the probe's first."""
        self._stop.set()
        out = []
        for worker, pipe in self._workers:
            try:
                if not pipe.poll(LIVE_SECONDS):
                    raise BenchmarkError("a probe process does not answer")
                values = array("q", pipe.recv_bytes())
            except EOFError:
                raise BenchmarkError("a probe process failed, see its message above") from None
            worker.join()
            out.append(Samples(values[0::3], values[1::3], values[2::3]))
        return out

    def abandon(self) -> None:
        """Stops the workers without asking for samples; nothing happens after `finish`."""
        self._stop.set()
        for worker, _ in self._workers:
            worker.join(1)
            if worker.is_alive():
                worker.terminate()


# Load ------------------------------------------------------------------------------------------------------------


def churn(server: Server, template: bytes, reply: bytes, count: int) -> None:
    """Runs a command on keys 0..count-1 in batches, with one batch under way on each connection."""
    expected = reply * BATCH
    batch_template = template * BATCH
    with contextlib.ExitStack() as stack:
        connections = [stack.enter_context(server.connect()) for _ in range(CONNECTIONS)]
        for turn, first in enumerate(range(0, count, BATCH)):
            connection = connections[turn % CONNECTIONS]
            if turn >= CONNECTIONS:
                expect(connection.socket.recv(len(expected)), expected, connection)
            connection.socket.sendall(batch_template % tuple(range(first, first + BATCH)))
        for connection in connections:
            expect(b"", expected, connection)


def expect(got: bytes, expected: bytes, connection: Connection) -> None:
    """Reads on until a batch's replies are whole. BenchmarkError when they are not the expected ones."""
    while len(got) < len(expected):
        got += connection.receive()
    if got != expected:
        raise BenchmarkError(f"unexpected replies: {got[:80]!r}")


# Judging ---------------------------------------------------------------------------------------------------------


class MachineTime:
    """The spans of time during which at least one control was late, as disjoint intervals in order."""

    def __init__(self, controls: Sequence[Samples]) -> None:
        self._begins: list[int] = []
        self._ends: list[int] = []
        late = sorted(
            (start, start + delay)
            for control in controls
            for start, delay in zip(control.starts, control.delays, strict=True)
        )
        for begin, end in late:
            if self._ends and begin <= self._ends[-1]:
                self._ends[-1] = max(self._ends[-1], end)
            else:
                self._begins.append(begin)
                self._ends.append(end)

    def within(self, begin: int, end: int) -> int:
        """How much of a span of time they cover, in ns."""
        total = 0
        i = bisect.bisect_right(self._ends, begin)
        while i < len(self._begins) and self._begins[i] < end:
            total += min(self._ends[i], end) - max(self._begins[i], begin)
            i += 1
        return total


def own_shares(probe: Samples, controls: Sequence[Samples]) -> list[int]:
    """What is left, in ns, of each wait without the machine's share of it."""
    machine = MachineTime(controls)
    return [
        max(0, delay - max(0, queued) - machine.within(start, start + delay))
        for start, delay, queued in zip(probe.starts, probe.delays, probe.queued, strict=True)
    ]


def measure(server: Server, keys: int, result: Result) -> dict[str, tuple[float, float]]:
    """Runs both phases; adds their rows; phase -> its longest wait in ms, as seen and less the machine's share."""
    watch = Watch(server)
    try:
        spans = {}
        for phase, template, reply in PHASES:
            time.sleep(0.2)
            begin, cpu = time.monotonic_ns(), server.cpu_ns()
            churn(server, template, reply, keys)
            spans[phase] = (begin, time.monotonic_ns(), server.cpu_ns() - cpu)
        probe, *controls = watch.finish()
    finally:
        watch.abandon()
    if not watch.server_core_watched:
        result.notes.append(f"{server.label}: no control on the server's core (no real-time priority, or one core)")
    out = {}
    for phase, (begin, end, cpu) in spans.items():
        seen = probe.within(begin, end)
        idle = [control.within(begin, end) for control in controls]
        own = own_shares(seen, idle)
        own_longest_ms = max(own, default=0) / 1e6
        result.rows.append([phase, server.label, keys / ((end - begin) / 1e9), cpu / keys / 1000, len(seen.starts),
                            seen.p9999_ms(), seen.longest_ms(), max(control.p9999_ms() for control in idle),
                            max(control.longest_ms() for control in idle),
                            sum(delay > LIMIT_NS for delay in seen.delays),
                            sum(share > LIMIT_NS for share in own), own_longest_ms])
        out[phase] = (seen.longest_ms(), own_longest_ms)
    return out


def run(options: Options) -> Result:
    """One pass over each server: 10M keys, 1M in the short form."""
    keys = KEYS_SHORT if options.short else KEYS
    result = Result("pauses", headers=HEADERS)
    seen = {}
    with pinned(load_core()):
        for label in LABELS:
            with running(options, label) as server:
                result.versions[label] = server.version
                seen[label] = measure(server, keys, result)
    for phase, *_ in PHASES:
        longest, own = ([seen[label][phase][i] for label in LABELS] for i in (0, 1))
        result.figures.append(Figure(f"longest {phase} stall, machine's share off", "ms", *own, own[0] / own[1],
                                     Bar("ours", "<=", LIMIT_NS / 1e6)))
        result.figures.append(Figure(f"longest {phase} stall as seen", "ms", *longest, longest[0] / longest[1]))
    result.notes.append(f"{keys:,} keys; a probe every ms; batches of {BATCH} on {CONNECTIONS} connections, so at "
                        f"most {BATCH * CONNECTIONS} commands (x CPU µs/cmd) are ahead of a probe")
    return result


if __name__ == "__main__":
    sys.exit(main(run, __doc__))
