"""The latency monitor: when something held the server up for latency-monitor-threshold milliseconds or more.

    command, fast-command    a command, by whether its declaration calls it FAST
    command-unblocking       a command that had to wait (BLPOP), when it is answered
    expire-cycle             a slice of the removal of expired keys
    eviction-cycle           the eviction of keys, before a command or by itself
    eviction-del             the removal of one key in it
    eviction-lazyfree        a slice of the freeing of a large value, for which the eviction waits
    aof-write                write(2) of the append-only file, and one of these three as well:
    aof-write-pending-fsync  ... while the thread is at an fsync
    aof-write-active-child   ... while a child writes to the disk
    aof-write-alone          ... and neither is the case
    aof-fsync-always         its fdatasync(2), for which the replies of writers wait
    aof-rename               a file of it is given its name
    fork                     the fork of a child

Redis's other events do not hold this server up: it has no module and no defragmentation, it frees large values that
have expired in slices, removes files in a thread, and does not ask for the size of files that it writes itself.

Of each event the newest SAMPLES seconds with a sample are kept, of each second the longest. Whoever measures calls
`Engine.note_latency`, and only for what took a millisecond, the least threshold.
Source: https://redis.io/docs/latest/operate/oss_and_stack/management/optimization/latency-monitor/
"""

import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import NamedTuple

SAMPLES = 160


class Sample(NamedTuple):
    time_s: int
    latency_ms: int


@dataclass
class Event:
    """All that is known of one kind of event; longest_ms is that of all time, since the event was reset."""

    samples: deque[Sample] = field(default_factory=lambda: deque(maxlen=SAMPLES))
    longest_ms: int = 0

    def add(self, time_s: int, latency_ms: int) -> None:
        self.longest_ms = max(self.longest_ms, latency_ms)
        if self.samples and self.samples[-1].time_s == time_s:
            latency_ms = max(latency_ms, self.samples.pop().latency_ms)
        self.samples.append(Sample(time_s, latency_ms))


class LatencyMonitor:
    """The events of one engine, by name."""

    def __init__(self, engine):
        self._engine = engine
        self.events: dict[str, Event] = {}

    def note(self, name: str, us: int) -> None:
        """Something took so many microseconds."""
        threshold_ms = self._engine.config["latency-monitor-threshold"]
        latency_ms = us // 1000
        if threshold_ms and latency_ms >= threshold_ms:
            self.events.setdefault(name, Event()).add(self._engine.clock.now_ms // 1000, latency_ms)

    def reset(self, names: list[str]) -> int:
        """Forget these events, or all of them if there is no name; how many there were."""
        forgotten = [name for name in names or list(self.events) if self.events.pop(name, None) is not None]
        return len(forgotten)


@contextmanager
def timed(engine, event: str) -> Iterator[None]:
    """Tell the latency monitor how long what is inside took."""
    started = time.monotonic()
    try:
        yield
    finally:
        engine.note_latency(event, int((time.monotonic() - started) * 1e6))
