"""SLOWLOG and COMMANDLOG: the commands that took long, and those with large requests or replies."""

from fastredis.commands.help_text import help_lines
from fastredis.engine.command import declarer
from fastredis.engine.errors import subcommand_error
from fastredis.engine.flags import ADMIN, CONTAINER, LOADING, STALE
from fastredis.engine.reply import ErrorReply, Status
from fastredis.text import parse_int, to_text

declare = declarer("server")

SHOWN = 10  # entries that SLOWLOG GET replies unless told otherwise
MOST_SHOWN = 2**63 - 1

SLOWLOG_HELP = """
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
COMMANDLOG_HELP = """
GET <count> <type>
    Return top <count> entries of the specified <type> from the commandlog (-1 mean all).
    Entries are made of:
    id, timestamp,
        time in microseconds for type of slow,
        or size in bytes for type of large-request,
        or size in bytes for type of large-reply
    arguments array, client IP and port,
    client name
LEN <type>
    Return the length of the specified type of commandlog.
RESET <type>
    Reset the specified type of commandlog.
"""


def count_of(word):
    """How many entries a word asks for; None: all."""
    count = parse_int(to_text(word))
    if count is None or count < -1:
        raise ErrorReply("ERR count should be greater than or equal to -1")
    return None if count == -1 else min(count, MOST_SHOWN)


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
    c.reply(c.engine.command_log.slow.newest(count_of(c.args[2]) if len(c.args) == 3 else SHOWN))


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
    c.reply(len(c.engine.command_log.slow))


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
    c.engine.command_log.slow.clear()
    c.reply(Status("OK"))


declare(
    b"slowlog|reset", cmd_slowlog_reset, arity=2, flags=ADMIN | LOADING | STALE, since="2.2.12",
    tips=("request_policy:all_nodes", "response_policy:all_succeeded"),
    complexity="O(N) where N is the number of entries",
    summary="Empties the slow log.",
)


def cmd_slowlog_help(c):
    """SLOWLOG HELP -> array of simple strings."""
    c.reply(help_lines("SLOWLOG", SLOWLOG_HELP))


declare(
    b"slowlog|help", cmd_slowlog_help, arity=2, flags=LOADING | STALE, since="6.2.0",
    complexity="O(1)",
    summary="Explains the subcommands of SLOWLOG.",
)


# --- COMMANDLOG -------------------------------------------------------------------------

TYPES = 'type=("slow" | "large-request" | "large-reply")'
VALKEY_FIELDS = 6       # of an entry: Valkey's have no number of arguments

declare(
    b"commandlog", None, arity=-2, flags=CONTAINER, since="8.1.0",
    complexity="Depends on the subcommand",
    summary="Looks at the commands that took long, or had large requests or replies.",
)


def log_of(engine, word):
    """The log that a type names."""
    logs = {"slow": engine.command_log.slow, "large-request": engine.command_log.requests,
            "large-reply": engine.command_log.replies}
    log = logs.get(to_text(word).lower())
    if log is None:
        raise ErrorReply("ERR type should be one of the following: slow, large-request, large-reply")
    return log


def cmd_commandlog_get(c):
    """COMMANDLOG GET count slow | large-request | large-reply -> array of entries, the newest first.

    Each: id, Unix time, microseconds or bytes of protocol, arguments, address, name. -1 stands for all.
    Errors: a count below -1, or no integer; no such type.
    Source: https://valkey.io/commands/commandlog-get/
    """
    count = count_of(c.args[2])
    c.reply([entry[:VALKEY_FIELDS] for entry in log_of(c.engine, c.args[3]).newest(count)])


declare(
    b"commandlog|get", cmd_commandlog_get, arity=4, flags=ADMIN | LOADING | STALE, since="8.1.0",
    tips=("request_policy:all_nodes", "nondeterministic_output"),
    complexity="O(N) where N is the number of entries returned",
    summary="Returns the newest entries of one log of commands.",
    args=f"count:integer {TYPES}",
)


def cmd_commandlog_len(c):
    """COMMANDLOG LEN slow | large-request | large-reply -> integer: how many entries there are.

    Source: https://valkey.io/commands/commandlog-len/
    """
    c.reply(len(log_of(c.engine, c.args[2])))


declare(
    b"commandlog|len", cmd_commandlog_len, arity=3, flags=ADMIN | LOADING | STALE, since="8.1.0",
    tips=("request_policy:all_nodes", "response_policy:agg_sum", "nondeterministic_output"),
    complexity="O(1)",
    summary="Counts the entries of one log of commands.",
    args=TYPES,
)


def cmd_commandlog_reset(c):
    """COMMANDLOG RESET slow | large-request | large-reply -> OK; that log is empty now.

    Source: https://valkey.io/commands/commandlog-reset/
    """
    log_of(c.engine, c.args[2]).clear()
    c.reply(Status("OK"))


declare(
    b"commandlog|reset", cmd_commandlog_reset, arity=3, flags=ADMIN | LOADING | STALE, since="8.1.0",
    tips=("request_policy:all_nodes", "response_policy:all_succeeded"),
    complexity="O(N) where N is the number of entries",
    summary="Empties one log of commands.",
    args=TYPES,
)


def cmd_commandlog_help(c):
    """COMMANDLOG HELP -> array of simple strings."""
    c.reply(help_lines("COMMANDLOG", COMMANDLOG_HELP))


declare(
    b"commandlog|help", cmd_commandlog_help, arity=2, flags=LOADING | STALE, since="8.1.0",
    complexity="O(1)",
    summary="Explains the subcommands of COMMANDLOG.",
)
