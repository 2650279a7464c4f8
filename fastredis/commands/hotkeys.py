"""HOTKEYS: which keys cost most. What is counted is in fastredis.engine.hotkeys.

The error texts are those that Redis's own tests name; where they name but the start of one, the rest is ours.
"""

from fastredis.commands.help_text import help_lines
from fastredis.engine.command import declarer
from fastredis.engine.errors import SYNTAX
from fastredis.engine.flags import ADMIN, CONTAINER, LOADING, NOSCRIPT, STALE
from fastredis.engine.reply import ErrorReply, Pairs, Status
from fastredis.text import parse_int, to_text

declare = declarer("server")

SHOWN = 10          # keys of each kind, unless told otherwise
MOST_SHOWN = 64
METRICS = ("CPU", "NET")

HELP = """
START METRICS <count> [CPU] [NET] [COUNT <k>] [DURATION <seconds>] [SAMPLE <ratio>]
    Start to count what keys cost, by the time of commands or by bytes, or both.
STOP
    Stop that. The results are kept.
GET
    Return the results: the <k> keys that cost most, and sums.
RESET
    Forget the results.
"""

declare(
    b"hotkeys", None, arity=-2, flags=CONTAINER, since="8.6.0",
    complexity="Depends on the subcommand",
    summary="Finds the keys that cost most.",
)


def metrics_of(words: list[str]) -> set[str]:
    """The metrics after METRICS: `count`, and so many words, which are taken out of the list."""
    count = parse_int(words.pop(0)) if words else None
    if count is None or not 1 <= count <= len(METRICS):
        raise ErrorReply(f"ERR METRICS count must be between 1 and {len(METRICS)}")
    found: set[str] = set()
    for _ in range(count):
        if not words:
            raise ErrorReply("ERR METRICS count does not match number of metric types provided")
        word = words.pop(0).upper()
        if word in found:
            raise ErrorReply(f"ERR METRICS {word} specified more than once")
        if word in METRICS:         # others may be metrics of a later version
            found.add(word)
    if not found:
        raise ErrorReply("ERR METRICS no valid metrics passed")
    return found


def number_of(words: list[str], low: int, high: int | None, refusal: str) -> int:
    """The number after an option, which is taken out of the list."""
    number = parse_int(words.pop(0)) if words else None
    if number is None or number < low or (high is not None and number > high):
        raise ErrorReply(refusal)
    return number


def cmd_hotkeys_start(c):
    """HOTKEYS START METRICS count [CPU] [NET] [COUNT k] [DURATION seconds] [SAMPLE ratio] -> OK; a session begins.

    What an earlier session has found is forgotten. By default 10 keys are shown of each metric, every command is looked
    at, and the session goes on until it is stopped.
    Errors: METRICS is missing, or its count is not that of the words after it; a session is under way; SLOTS, as there
    is no cluster; a number out of range; syntax.
    Source: https://redis.io/docs/latest/commands/hotkeys-start/
    """
    words = [to_text(word) for word in c.args[2:]]
    metrics: set[str] = set()
    count, seconds, ratio = SHOWN, None, 1
    while words:
        option = words.pop(0).upper()
        if option == "METRICS" and not metrics:
            metrics = metrics_of(words)
        elif option == "COUNT":
            count = number_of(words, 1, MOST_SHOWN, f"ERR COUNT must be between 1 and {MOST_SHOWN}")
        elif option == "DURATION":
            seconds = number_of(words, 1, 1_000_000_000, "ERR DURATION must be between 1 and 1000000000")
        elif option == "SAMPLE":
            ratio = number_of(words, 1, None, "ERR SAMPLE ratio must be positive")
        elif option == "SLOTS":
            raise ErrorReply("ERR SLOTS parameter cannot be used in non-cluster mode")
        else:
            raise ErrorReply(SYNTAX)
    if not metrics:
        raise ErrorReply("ERR METRICS parameter is required")
    c.engine.metrics.hot_keys.look()
    if c.engine.metrics.hot_keys.active:
        raise ErrorReply("ERR hotkey tracking session already in progress")
    c.engine.metrics.hot_keys.start("CPU" in metrics, "NET" in metrics, count, ratio, seconds)
    c.reply(Status("OK"))


declare(
    b"hotkeys|start", cmd_hotkeys_start, arity=-2, flags=ADMIN | NOSCRIPT, since="8.6.0",
    complexity="O(1)",
    summary="Begins to count what keys cost.",
    args="METRICS metrics={count:integer [CPU] [NET]} [COUNT k:integer] [DURATION seconds:integer] "
         "[SAMPLE ratio:integer] [SLOTS slots={count:integer slot:integer...}]",
)


def cmd_hotkeys_stop(c):
    """HOTKEYS STOP -> OK; what was counted is kept. Null when no session is under way.

    Source: https://redis.io/docs/latest/commands/hotkeys-stop/
    """
    c.reply(Status("OK") if c.engine.metrics.hot_keys.stop() else None)


declare(
    b"hotkeys|stop", cmd_hotkeys_stop, arity=2, flags=ADMIN | NOSCRIPT, since="8.6.0",
    complexity="O(1)",
    summary="Stops counting what keys cost.",
)


def cmd_hotkeys_get(c):
    """HOTKEYS GET -> array of one map: the session, sums of all commands, and the keys that cost most.

    Of each metric that was asked for, an array has keys and what they cost by turns, the greatest cost first:
    microseconds in by-cpu-time-us, bytes of requests and replies in by-net-bytes. Of a command with several keys each
    bears its part. With SAMPLE the keys' costs are those of the commands that were looked at.
    Null when there is no session, or its results are forgotten.
    Source: https://redis.io/docs/latest/commands/hotkeys-get/
    """
    session = c.engine.metrics.hot_keys
    if not session.started:
        c.reply(None)
        return
    report = session.report()
    for name in ("by-cpu-time-us", "by-net-bytes"):
        if name in report:
            report[name] = [part for pair in report[name] for part in pair]
    c.reply([Pairs(report.items())])


declare(
    b"hotkeys|get", cmd_hotkeys_get, arity=2, flags=ADMIN | NOSCRIPT, since="8.6.0",
    complexity="O(K) where K is the number of keys that are shown",
    summary="Returns the keys that cost most.",
)


def cmd_hotkeys_reset(c):
    """HOTKEYS RESET -> OK; the results are forgotten.

    Errors: a session is under way.
    Source: https://redis.io/docs/latest/commands/hotkeys-reset/
    """
    c.engine.metrics.hot_keys.look()
    if c.engine.metrics.hot_keys.active:
        raise ErrorReply("ERR hotkey tracking session in progress, stop tracking first")
    c.engine.metrics.hot_keys.reset()
    c.reply(Status("OK"))


declare(
    b"hotkeys|reset", cmd_hotkeys_reset, arity=2, flags=ADMIN | NOSCRIPT, since="8.6.0",
    complexity="O(1)",
    summary="Forgets what keys have cost.",
)


def cmd_hotkeys_help(c):
    """HOTKEYS HELP -> array of simple strings."""
    c.reply(help_lines("HOTKEYS", HELP))


declare(
    b"hotkeys|help", cmd_hotkeys_help, arity=2, flags=LOADING | STALE, since="8.6.1",
    complexity="O(1)",
    summary="Explains the subcommands of HOTKEYS.",
)
