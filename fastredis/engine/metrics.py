"""What INFO knows of the past: rates per second, memory at the start, time spent in the cron."""

import resource
import time

from fastredis.engine.hotkeys import HotKeys
from fastredis.engine.inspect import flow, statistics
from fastredis.engine.latency import LatencyMonitor

SAMPLES = 16  # a rate is the mean of so many samples
PERIOD = 0.1  # seconds between two samples
EARLY = 0.01  # a timer may fire this much too soon


def resident_memory() -> int:
    """Bytes of RAM that the process occupies; where the system does not tell, the most it ever did."""
    try:
        with open("/proc/self/statm", encoding="ascii") as stream:
            return int(stream.read().split()[1]) * resource.getpagesize()
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


class Metrics:
    """Belongs to one engine, whose server calls sample() from its cron.

    startup_memory     used_memory when the server had started
    interpreter        RAM that the process occupied then beside it: Python, its modules, the code. It is not in
                       used_memory, since maxmemory limits that; but nor is it fragmentation
    latency            what held the server up, for LATENCY
    hot_keys           which keys cost most, for HOTKEYS
    cron_us            time spent in the cron
    total_forks        children since the start
    latest_fork_us     how long the latest fork stopped the server
    cow_sizes          kind of child -> bytes that were copied on write when the latest one ended
    rates              means of the latest samples: commands, input and output (bytes), of these replica_input
                       and replica_output, and turns per second; turn_us: mean length of a turn
    """

    def __init__(self, engine):
        self.engine = engine
        self.startup_memory = statistics(engine)["used_memory"]
        self.interpreter = max(0, resident_memory() - self.startup_memory)
        self.latency = LatencyMonitor(engine)
        self.hot_keys = HotKeys(engine)
        self.cow_sizes = {"rdb": 0, "aof": 0}
        self.reset()

    def reset(self) -> None:
        """CONFIG RESETSTAT: forget all samples."""
        self.cron_us = 0.0
        self.total_forks = self.latest_fork_us = 0
        self._samples: list[tuple[float, ...]] = []
        self._last: tuple[float, ...] | None = None
        self._last_time = 0.0

    def forked(self, us: int) -> None:
        """A child was forked, which took `us` microseconds."""
        self.total_forks += 1
        self.latest_fork_us = us
        self.latency.note("fork", us)

    def sample(self, cron_us: float = 0.0) -> None:
        """Look at the counters, unless the last look was less than PERIOD ago; cron_us is added to the cron's time."""
        self.cron_us += cron_us
        now = time.monotonic()
        passed = now - self._last_time
        if self._last is not None and passed < PERIOD - EARLY:
            return
        values = (*flow(self.engine), *self.engine.replication.flow())
        if self._last is not None:
            grown = [max(0, new - old) for new, old in zip(values, self._last, strict=True)]
            turns, turn_us = grown[3:5]
            rates = [value / passed for value in grown]
            rates[4] = turn_us / turns if turns else 0.0
            self._samples.append(tuple(rates))
            del self._samples[:-SAMPLES]
        self._last, self._last_time = values, now

    @property
    def rates(self) -> dict[str, float]:
        names = ("commands", "input", "output", "turns", "turn_us", "replica_input", "replica_output")
        columns = zip(*self._samples, strict=True) if self._samples else [()] * len(names)
        return {name: sum(column) / SAMPLES for name, column in zip(names, columns, strict=True)}
