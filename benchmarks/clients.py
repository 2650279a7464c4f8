"""What CLIENT LIST costs where there are thousands of clients, against redis-server.

Every server has 5,000 connections that do nothing, held by a process for each; CLIENT LIST is asked for on another one,
the servers by turns.
"""

import contextlib
import multiprocessing
import statistics
import sys
from collections.abc import Iterator
from multiprocessing.synchronize import Event

from .common import BenchmarkError, Connection, Options, Server, load_core, pinned, running
from .report import Bar, Result, figure, main

CLIENTS = 5000
ROUNDS, ROUNDS_SHORT = 60, 20
CONNECT_SECONDS = 60
BAR = Bar("ratio", "<=", 2.0)


def hold(port: int, connected: Event, done: Event) -> None:
    """Keeps CLIENTS connections open until it is told to end, in a process of its own, for there is a limit to a
    process's open files."""
    connections = [Connection(port) for _ in range(CLIENTS)]
    connected.set()
    done.wait()
    for connection in connections:
        connection.socket.close()


@contextlib.contextmanager
def crowded(server: Server) -> Iterator[Connection]:
    """A connection to a server that has CLIENTS others. BenchmarkError when there cannot be as many."""
    spawn = multiprocessing.get_context("spawn")
    connected, done = spawn.Event(), spawn.Event()
    holder = spawn.Process(target=hold, args=(server.port, connected, done), daemon=True)
    holder.start()
    try:
        if not connected.wait(CONNECT_SECONDS):
            raise BenchmarkError(f"{server.label} did not take {CLIENTS:,} connections (see ulimit -n)")
        with server.connect() as connection:
            yield connection
    finally:
        done.set()
        holder.join()


def cost_us(server: Server, connection: Connection) -> float:
    """Server CPU of one CLIENT LIST, in microseconds."""
    before = server.cpu_ns()
    lines = connection.call(b"CLIENT", b"LIST").count(b"\n")
    if lines != CLIENTS + 1:
        raise BenchmarkError(f"{server.label} lists {lines} clients, not {CLIENTS + 1}")
    return (server.cpu_ns() - before) / 1000


def measure(options: Options, result: Result) -> dict[str, list[float]]:
    """The cost on each server, round by round; a round's servers follow one another at once."""
    found: dict[str, list[float]] = {label: [] for label in options.labels}
    with contextlib.ExitStack() as stack:
        servers = [stack.enter_context(running(options, label)) for label in options.labels]
        asking = [(server, stack.enter_context(crowded(server))) for server in servers]
        result.versions = {server.label: server.version for server in servers}
        for number in range(ROUNDS_SHORT if options.short else ROUNDS):
            for server, connection in asking if number % 2 else reversed(asking):
                found[server.label].append(cost_us(server, connection))
    return found


def run(options: Options) -> Result:
    """One figure: server CPU of a CLIENT LIST."""
    result = Result("clients", headers=["command", *options.columns("CPU µs/call")])
    with pinned(load_core()):
        found = measure(options, result)
    values = {label: statistics.median(costs) for label, costs in found.items()}
    ratios = {label: statistics.median(ours / peer for ours, peer in zip(found["ours"], costs, strict=True))
              for label, costs in found.items() if label != "ours"}
    name = f"CLIENT LIST of {CLIENTS:,} clients"
    result.rows.append([name, *options.cells(values, ratios)])
    result.figures.append(figure(f"{name}, server CPU", "µs/call", values, ratios, BAR))
    return result


if __name__ == "__main__":
    sys.exit(main(run, __doc__, together=True))
