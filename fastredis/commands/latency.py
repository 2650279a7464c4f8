"""LATENCY: what held the server up, and how long commands take. The events are in fastredis.engine.latency."""

import math

from fastredis.commands.help_text import help_lines
from fastredis.engine.command import declarer
from fastredis.engine.flags import ADMIN, CONTAINER, LOADING, NOSCRIPT, STALE
from fastredis.engine.inspect import latency_histograms
from fastredis.engine.latency import Event, Sample
from fastredis.engine.reply import ErrorReply, Pairs, Verbatim
from fastredis.text import to_text

declare = declarer("server")

HELP = """
DOCTOR
    Return a human readable latency analysis report.
GRAPH <event>
    Return an ASCII latency graph for the <event> class.
HISTORY <event>
    Return time-latency samples for the <event> class.
LATEST
    Return the latest latency samples for all events.
RESET [<event> ...]
    Reset latency data of one or more <event> classes.
    (default: reset all data for all event classes)
HISTOGRAM [COMMAND ...]
    Return a cumulative distribution of latencies in the format of a histogram for the specified command names.
    If no commands are specified then all histograms are replied.
"""
FLAGS = ADMIN | NOSCRIPT | LOADING | STALE
TIPS = ("nondeterministic_output", "request_policy:all_nodes", "response_policy:special")

declare(
    b"latency", None, arity=-2, flags=CONTAINER, since="2.8.13",
    complexity="Depends on the subcommand",
    summary="Looks at what holds the server up.",
)


def cmd_latency_latest(c):
    """LATENCY LATEST -> array of events: name, Unix time and ms of the newest sample, ms of the longest of all time.

    Source: https://redis.io/docs/latest/commands/latency-latest/
    """
    c.reply([[name, *event.samples[-1], event.longest_ms] for name, event in c.engine.metrics.latency.events.items()])


declare(
    b"latency|latest", cmd_latency_latest, arity=2, flags=FLAGS, since="2.8.13", tips=TIPS,
    complexity="O(1)",
    summary="Returns the newest sample of every event.",
)


def cmd_latency_history(c):
    """LATENCY HISTORY event -> array of pairs, Unix time and ms, the oldest first; empty for an unknown event.

    Source: https://redis.io/docs/latest/commands/latency-history/
    """
    event = c.engine.metrics.latency.events.get(to_text(c.args[2]))
    c.reply([list(sample) for sample in event.samples] if event else [])


declare(
    b"latency|history", cmd_latency_history, arity=3, flags=FLAGS, since="2.8.13", tips=TIPS,
    complexity="O(1)",
    summary="Returns the samples of an event.",
    args="event",
)


def cmd_latency_reset(c):
    """LATENCY RESET [event ...] -> integer: how many events there were to forget.

    Source: https://redis.io/docs/latest/commands/latency-reset/
    """
    c.reply(c.engine.metrics.latency.reset([to_text(name) for name in c.args[2:]]))


declare(
    b"latency|reset", cmd_latency_reset, arity=-2, flags=FLAGS, since="2.8.13",
    tips=("request_policy:all_nodes", "response_policy:agg_sum"),
    complexity="O(1)",
    summary="Forgets the samples of events.",
    args="[event...]",
)


# --- LATENCY HISTOGRAM ------------------------------------------------------------------

def cmd_latency_histogram(c):
    """LATENCY HISTOGRAM [command ...] -> map of commands: calls, and how many took up to so many microseconds each.

    The limits are powers of two of nanoseconds, shown as Redis's own histogram rounds them; those that add no call are
    left out. A container stands for its subcommands; what was not called, or is no command, is left out. The order is
    that of the names, and a name that is given twice is answered twice.
    Source: https://redis.io/docs/latest/commands/latency-histogram/
    """
    pairs = [(name, {"calls": calls, "histogram_usec": limits})
             for name, calls, limits in latency_histograms(c.engine)]
    if len(c.args) > 2:
        found: dict[bytes, list] = {}
        for pair in pairs:
            for name in {pair[0], pair[0].partition(b"|")[0]}:
                found.setdefault(name, []).append(pair)
        pairs = [pair for name in c.args[2:] for pair in found.get(name.lower(), ())]
    c.reply(Pairs(pairs))


declare(
    b"latency|histogram", cmd_latency_histogram, arity=-2, flags=FLAGS, since="7.0.0", tips=TIPS,
    complexity="O(N) where N is the number of commands that were called",
    summary="Returns how long commands took, as histograms.",
    args="[command...]",
)


# --- LATENCY GRAPH ----------------------------------------------------------------------

ROWS = 4            # lines of a graph
WIDTH = 80
UNITS = (("d", 86400), ("h", 3600), ("m", 60))


def age(seconds: int) -> str:
    """How long ago, in the largest unit that fits: 12s, 5m, 3h, 2d."""
    unit, size = next(((unit, size) for unit, size in UNITS if seconds >= size), ("s", 1))
    return f"{seconds // size}{unit}"


def graph(samples: list[Sample], now_s: int) -> str:
    """A column for each sample, `#` where it is the highest one, and below it how long ago that was."""
    low = min(sample.latency_ms for sample in samples)
    high = max(sample.latency_ms for sample in samples)
    heights = [1 + (ms - low) * (ROWS - 1) // max(1, high - low) for _, ms in samples]
    tops = ["#" if ms == high else "_" for _, ms in samples]
    lines = [
        "".join("|" if height > row else top if height == row else " "
                for height, top in zip(heights, tops, strict=True))
        for row in range(ROWS, 0, -1)
    ]
    ages = [age(max(0, now_s - sample.time_s)) for sample in samples]
    longest = max(map(len, ages))
    lines += [""] + ["".join(column) for column in zip(*(text.ljust(longest) for text in ages), strict=True)]
    return "".join(line.rstrip() + "\n" for line in lines)


def cmd_latency_graph(c):
    """LATENCY GRAPH event -> verbatim string: the newest samples drawn with letters, the oldest at the left.

    Errors: no such event.
    Source: https://redis.io/docs/latest/commands/latency-graph/
    """
    name = to_text(c.args[2])
    event = c.engine.metrics.latency.events.get(name)
    if event is None:
        raise ErrorReply(f"ERR No samples available for event '{name}'")
    samples = list(event.samples)[-WIDTH:]
    latencies = [sample.latency_ms for sample in samples]
    head = (f"{name} - high {max(latencies)} ms, low {min(latencies)} ms (all time high {event.longest_ms} ms)\n"
            + "-" * WIDTH + "\n")
    c.reply(Verbatim(head + graph(samples, c.engine.clock.now_ms // 1000)))


declare(
    b"latency|graph", cmd_latency_graph, arity=3, flags=FLAGS, since="2.8.13", tips=TIPS,
    complexity="O(1)",
    summary="Draws the samples of an event.",
    args="event",
)


# --- LATENCY DOCTOR ---------------------------------------------------------------------

DISABLED = ("The latency monitor is off, so nothing is known. CONFIG SET latency-monitor-threshold <milliseconds> "
            "makes it note whatever takes as long as that or longer.\n")
CALM = "All is well: nothing took {threshold} ms or longer since the monitor was set to that.\n"
ADVICE = {
    "command": "SLOWLOG GET shows which commands took long. KEYS, SORT and the like, or large collections read or "
               "changed as a whole, hold all other clients up: use SCAN, ranges, or smaller values.",
    "fast-command": "Commands that should be fast were not: the process waits for a processor, or for memory that was "
                    "swapped out. Look at the load of the machine, and whether it swaps.",
    "expire-cycle": "Very many keys expire at the same time. Spread their deadlines.",
    "command-unblocking": "Commands that waited took long when they were served. Whoever waits for large answers holds "
                          "all others up.",
    "eviction-cycle": "Writes need more room than maxmemory leaves, so keys are evicted all the time. Raise "
                      "maxmemory, or lower maxmemory-eviction-tenacity.",
    "eviction-del": "Keys that take long to remove are evicted: values of one large piece, or keys whose end very many "
                    "clients are told of.",
    "eviction-lazyfree": "What is evicted is freed more slowly than clients write. Raise maxmemory, or keep smaller "
                         "values.",
    "aof-write": "The disk takes the append-only file slowly: another process, or the saving of an RDB file, keeps it "
                 "busy. A disk of its own helps, and no-appendfsync-on-rewrite yes if losing more is acceptable.",
    "aof-write-pending-fsync": "The disk is still busy with the fsync of the last second. A faster disk, or one of its "
                               "own, helps.",
    "aof-write-active-child": "A child that saves or rewrites keeps the disk busy. Rewrite less often, or set "
                              "no-appendfsync-on-rewrite yes if losing more is acceptable.",
    "aof-write-alone": "The disk is slow though this server asks nothing else of it: look at what else uses it.",
    "aof-rename": "The file system is slow at giving a file its name: look at what else uses the disk.",
    "aof-fsync-always": "Each write waits for the disk, as appendfsync always asks for. appendfsync everysec, or a "
                        "faster disk, helps.",
    "fork": "The process is large, and its page tables are copied with it. Less data in a process, or fewer saves, "
            "help; some virtual machines are slow at it.",
}


def diagnosis(name: str, event: Event, now_s: int) -> str:
    """One paragraph about an event, and what can be done."""
    latencies = [sample.latency_ms for sample in event.samples]
    mean = math.fsum(latencies) / len(latencies)
    deviation = math.fsum(abs(latency - mean) for latency in latencies) / len(latencies)
    period = (now_s - event.samples[0].time_s) / len(latencies)
    return (f"{name}: {len(latencies)} spikes (average {mean:.0f} ms, mean deviation {deviation:.0f} ms, one in "
            f"{period:.2f} s). Worst of all time: {event.longest_ms} ms. {ADVICE[name]}")


def cmd_latency_doctor(c):
    """LATENCY DOCTOR -> verbatim string: what held the server up, how often, and what can be done about it.

    Source: https://redis.io/docs/latest/commands/latency-doctor/
    """
    threshold = c.engine.config["latency-monitor-threshold"]
    events = c.engine.metrics.latency.events
    now_s = c.engine.clock.now_ms // 1000
    if events:
        paragraphs = [diagnosis(name, event, now_s) for name, event in events.items()]
        text = "This is what held the server up:\n\n" + "".join(
            f"{number}. {paragraph}\n\n" for number, paragraph in enumerate(paragraphs, 1))
    else:
        text = CALM.format(threshold=threshold) if threshold else DISABLED
    c.reply(Verbatim(text))


declare(
    b"latency|doctor", cmd_latency_doctor, arity=2, flags=FLAGS, since="2.8.13", tips=TIPS,
    complexity="O(1)",
    summary="Says what holds the server up, and what can be done.",
)


def cmd_latency_help(c):
    """LATENCY HELP -> array of simple strings."""
    c.reply(help_lines("LATENCY", HELP))


declare(
    b"latency|help", cmd_latency_help, arity=2, flags=LOADING | STALE, since="2.8.13",
    complexity="O(1)",
    summary="Explains the subcommands of LATENCY.",
)
