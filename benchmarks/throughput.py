"""Requests a second, server CPU a request and latency of string commands, against redis-server.

Keys are `key:` and 12 digits, 1M of them, all present; values have 32 bytes; 50 connections; pipelines (P) of 1, 16
and 64; TCP and unix socket. How it is measured is said in load.py. At P=1, and wherever redis-benchmark itself is the
bottleneck, the rate says little: CPU a request is the figure to read. "Load busy" is the share of the time
redis-benchmark computed: near 100 % it is the load that set the rate.
"""

import sys
from collections.abc import Sequence

from .common import BenchmarkError, Options, Server, fill, resp
from .load import KEYS, RAND, Form, Point, Test, headers, report, rounds_text, sit_all
from .report import Result, main

VALUE = "v" * 32
KEY = f"key:{RAND}"
CPU_BARS = {1: 1.0, 16: 0.6, 64: 0.35}
RATE_BARS = {64: 2.5}
MULTI_BARS = {16: 0.6}
REQUESTS = {1: 24_000, 16: 300_000, 64: 600_000}
MULTI_REQUESTS = {16: 60_000}
SHORT, FULL = Form(2, {1: 8, 16: 3, 64: 2}, 0.5), Form(4, {1: 12, 16: 4, 64: 3}, 1.5)

# Counters live in a database of their own, as INCR cannot work on the values of the others.
TESTS = (
    Test("SET", ("set", KEY, VALUE), REQUESTS, CPU_BARS, RATE_BARS),
    Test("GET", ("get", KEY), REQUESTS, CPU_BARS, RATE_BARS),
    Test("INCR", ("incr", KEY), REQUESTS, CPU_BARS, RATE_BARS, db=1),
    Test("MSET of 10", ("mset", *(KEY, VALUE) * 10), MULTI_REQUESTS, MULTI_BARS),
    Test("MGET of 10", ("mget", *(KEY,) * 10), MULTI_REQUESTS, MULTI_BARS),
)


def preload(server: Server, tests: Sequence[Test]) -> None:
    """Creates the keys of both databases, and checks that there are as many as there should be."""
    templates = {0: resp(b"SET", b"key:%012d", VALUE.encode()), 1: resp(b"SET", b"key:%012d", b"100")}
    with server.connect() as connection:
        for db in sorted({test.db for test in tests}):
            connection.call(b"SELECT", b"%d" % db)
            connection.load(fill(templates[db], KEYS))
            if (size := connection.call(b"DBSIZE")) != KEYS:
                raise BenchmarkError(f"{server.label} has {size} keys in db {db} after SET of {KEYS}")


def plan(tests: Sequence[Test], short: bool) -> list[Point]:
    """What is measured, TCP first; the short form takes the unix socket for SET and GET at P=1 and P=16 only."""
    return [
        Point(test, pipeline, via)
        for via in ("tcp", "unix")
        for test in tests
        for pipeline in test.requests
        if via == "tcp" or not short or (test.name in ("SET", "GET") and pipeline < 64)
    ]


def run(options: Options) -> Result:
    """All tests over both transports."""
    form = SHORT if options.short else FULL
    result = Result("throughput", headers=headers(options))
    report(options, sit_all(options, form, TESTS, preload, result, lambda tests: plan(tests, options.short)), result)
    result.notes.append(f"{rounds_text(form)}; {KEYS:,} keys, 32-byte values; latency is redis-benchmark's, for a "
                        "whole pipeline")
    return result


if __name__ == "__main__":
    sys.exit(main(run, __doc__, together=True))
