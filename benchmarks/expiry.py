"""How far `expired` events come behind their keys' deadlines, against redis-server.

Beside 1M keys with a TTL of a quarter of an hour to an hour, short-lived keys get deadlines spread over the window,
and a subscriber to __keyevent@0__:expired notes when each event arrives. Nothing reads the keys, so only the server's
own search for expired keys can find them. The deadline is absolute (PEXPIREAT) and server and subscriber share a
clock, so arrival minus deadline is the lag, to the millisecond; an event before its deadline is an error.
"""

import random
import select
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass

from .common import Connection, Options, Server, fill, load_core, pinned, resp, running, unknown_command
from .report import Bar, Result, figure, main

OTHERS = 1_000_000
CHANNEL = b"__keyevent@0__:expired"
COMMANDS = (b"SET", b"PEXPIREAT", b"SUBSCRIBE")
# The first deadline, how long events are awaited after the last one, both in ms.
LEAD_MS = 1000
GRACE_MS = 2000
P99_LIMIT_MS = 5.0
HEADERS = ("server", "probes", "arrived", "never", "early", "min ms", "p50 ms", "p99 ms", "max ms")


@dataclass(frozen=True)
class Lags:
    """Lag of each event that arrived, sorted, in ms, and how many keys were to expire."""

    probes: int
    arrived: list[float]

    def quantile(self, share: float) -> float | None:
        """The lag below which `share` of the probes stay; None when that many events never arrived."""
        index = min(self.probes - 1, int(self.probes * share))
        return self.arrived[index] if index < len(self.arrived) else None

    @property
    def never(self) -> int:
        return self.probes - len(self.arrived)

    @property
    def early(self) -> int:
        return sum(lag < 0 for lag in self.arrived)


def long_ttls(numbers: range) -> Iterator[int]:
    """A key's number and its TTL in ms, of seven digits: 1,000 to 3,600 s."""
    ttl = random.Random(numbers.start)
    for n in numbers:
        yield n
        yield ttl.randrange(1_000_000, 3_600_000)


def create_probes(server: Server, probes: int, window_ms: int) -> dict[bytes, int]:
    """Creates the short-lived keys; key -> deadline in ms since the epoch, evenly spread over the window."""
    first = time.time_ns() // 1_000_000 + LEAD_MS
    deadlines = {b"probe:%d" % i: first + i * window_ms // probes for i in range(probes)}
    with server.connect() as connection:
        connection.load(
            (resp(b"SET", key, b"v") + resp(b"PEXPIREAT", key, b"%d" % deadline), 2)
            for key, deadline in deadlines.items()
        )
    return deadlines


def collect(subscriber: Connection, deadlines: dict[bytes, int]) -> Lags:
    """Reads events until all have come or the last deadline and the grace are over."""
    end_ns = (max(deadlines.values()) + GRACE_MS) * 1_000_000
    lags: dict[bytes, float] = {}
    # Events that arrive together are told apart by the reply reader, whose buffer select cannot see.
    while len(lags) < len(deadlines) and (left := end_ns - time.time_ns()) > 0:
        if not subscriber.buffered() and not select.select([subscriber.socket], [], [], left / 1e9)[0]:
            break
        _, _, key = subscriber.reply()
        if key in deadlines:
            lags[key] = (time.time_ns() - deadlines[key] * 1_000_000) / 1e6
    return Lags(len(deadlines), sorted(lags.values()))


def measure(server: Server, probes: int, window_ms: int) -> Lags:
    """Loads the other keys, then creates the probes and waits for their events."""
    with server.connect() as connection:
        connection.load(fill(resp(b"SET", b"key:%012d", b"v" * 32, b"PX", b"%07d"), OTHERS, long_ttls))
    with server.connect() as subscriber:
        subscriber.call(b"SUBSCRIBE", CHANNEL)
        return collect(subscriber, create_probes(server, probes, window_ms))


def run(options: Options) -> Result:
    """200 probes over 10 s in the short form, else 1,000 over 30 s."""
    probes, window_ms = (200, 9_000) if options.short else (1000, 29_000)
    result = Result("expiry", headers=HEADERS)
    seen: dict[str, Lags] = {}
    with pinned(load_core()):
        for label in options.labels:
            with running(options, label, "--notify-keyspace-events", "Ex") as server:
                result.versions[label] = server.version
                lacking = unknown_command([server], COMMANDS)
                if lacking:
                    result.notes.append(f"skipped: {lacking}")
                    return result
                lags = seen[label] = measure(server, probes, window_ms)
            ends = (lags.arrived[0], lags.arrived[-1]) if lags.arrived else (None, None)
            result.rows.append([options.name(label), lags.probes, len(lags.arrived), lags.never, lags.early, ends[0],
                                lags.quantile(0.5), lags.quantile(0.99), ends[1]])
    claims = [("lag p99", "ms", lambda lags: lags.quantile(0.99), P99_LIMIT_MS),
              ("events before their deadline", "count", lambda lags: lags.early, 0),
              ("events that never came", "count", lambda lags: lags.never, 0)]
    for name, unit, value, limit in claims:
        values = {label: value(lags) for label, lags in seen.items()}
        result.figures.append(figure(name, unit, values, dict.fromkeys(options.labels[1:]), Bar("ours", "<=", limit)))
    result.notes.append(f"{OTHERS:,} other keys with long TTLs; quantiles are of all probes, a dash where so many "
                        f"events had not come {GRACE_MS / 1000:.0f} s after the last deadline")
    return result


if __name__ == "__main__":
    sys.exit(main(run, __doc__, together=True))
