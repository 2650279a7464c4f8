"""SLOWLOG: the commands that took long."""

from fastredis.commands.help_text import help_lines
from fastredis.engine.command import declarer
from fastredis.engine.errors import subcommand_error
from fastredis.engine.flags import ADMIN, CONTAINER, LOADING, STALE
from fastredis.engine.reply import ErrorReply, Status
from fastredis.text import parse_int, to_text

declare = declarer("server")

SHOWN = 10  # entries that SLOWLOG GET replies unless told otherwise

HELP = """
GET [<count>]
    Return top <count> entries from the slowlog (default: 10, -1 mean all).
    Entries are made of:
    id, timestamp, time in microseconds, arguments array, client IP and port,
    client name
LEN
    Return the length of the slowlog.
RESET
    Reset the slowlog.
"""

declare(
    b"slowlog", None, arity=-2, flags=CONTAINER, since="2.2.12",
    complexity="Depends on the subcommand",
    summary="Looks at the commands that took long.",
)


def cmd_slowlog_get(c):
    """SLOWLOG GET [count] -> array of entries, the newest first.

    Each: id, Unix time, microseconds, arguments, address, name, and how many arguments there were, shown or not.
    count is 10 unless given; -1 stands for all.
    Errors: a count below -1, or no integer.
    Source: https://redis.io/docs/latest/commands/slowlog-get/
    """
    if len(c.args) > 3:
        raise ErrorReply(subcommand_error("SLOWLOG", to_text(c.args[1])))
    count = parse_int(to_text(c.args[2])) if len(c.args) == 3 else SHOWN
    if count is None or count < -1:
        raise ErrorReply("ERR count should be greater than or equal to -1")
    c.reply(c.engine.slow_log.newest(None if count == -1 else min(count, len(c.engine.slow_log))))


declare(
    b"slowlog|get", cmd_slowlog_get, arity=-2, flags=ADMIN | LOADING | STALE, since="2.2.12",
    tips=("request_policy:all_nodes", "nondeterministic_output"),
    complexity="O(N) where N is the number of entries returned",
    summary="Returns the newest commands that took long.",
    args="[count:integer]",
    history=(
        ("4.0.0", "Entries have the client's address and name."),
        ("8.10.0", "Entries have the number of arguments."),
    ),
)


def cmd_slowlog_len(c):
    """SLOWLOG LEN -> integer: how many entries there are.

    Source: https://redis.io/docs/latest/commands/slowlog-len/
    """
    c.reply(len(c.engine.slow_log))


declare(
    b"slowlog|len", cmd_slowlog_len, arity=2, flags=ADMIN | LOADING | STALE, since="2.2.12",
    tips=("request_policy:all_nodes", "response_policy:agg_sum", "nondeterministic_output"),
    complexity="O(1)",
    summary="Counts the entries of the slow log.",
)


def cmd_slowlog_reset(c):
    """SLOWLOG RESET -> OK; the log is empty now.

    Source: https://redis.io/docs/latest/commands/slowlog-reset/
    """
    c.engine.slow_log.clear()
    c.reply(Status("OK"))


declare(
    b"slowlog|reset", cmd_slowlog_reset, arity=2, flags=ADMIN | LOADING | STALE, since="2.2.12",
    tips=("request_policy:all_nodes", "response_policy:all_succeeded"),
    complexity="O(N) where N is the number of entries",
    summary="Empties the slow log.",
)


def cmd_slowlog_help(c):
    """SLOWLOG HELP -> array of simple strings."""
    c.reply(help_lines("SLOWLOG", HELP))


declare(
    b"slowlog|help", cmd_slowlog_help, arity=2, flags=LOADING | STALE, since="6.2.0",
    complexity="O(1)",
    summary="Explains the subcommands of SLOWLOG.",
)
