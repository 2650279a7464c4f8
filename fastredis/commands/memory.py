"""MEMORY: what keys cost."""

from fastredis._command import declarer
from fastredis._inspect import key_memory
from fastredis._reply import ErrorReply
from fastredis.config_text import parse_int, to_text
from fastredis.declarations import CONTAINER, LOADING, READONLY, STALE, key_at
from fastredis.help_text import help_lines

declare = declarer("server")

SAMPLES = 5  # elements of a collection that MEMORY USAGE measures unless told otherwise

HELP = """
USAGE <key> [SAMPLES <count>]
    Return memory in bytes used by <key> and its value. Nested values are
    sampled up to <count> times (default: 5, 0 means sample all).
"""

declare(
    b"memory", None, arity=-2, flags=CONTAINER, since="4.0.0",
    complexity="Depends on the subcommand",
    summary="Looks at how memory is used.",
)


def cmd_memory_usage(c):
    """MEMORY USAGE key [SAMPLES count] -> integer: bytes of the entry, its value and its share of the tables; or null.

    SAMPLES is how many elements of a collection are measured, 0 for each; the others are taken to be like them.
    Errors: syntax; a count that is no integer, or negative.
    Source: https://redis.io/docs/latest/commands/memory-usage/
    """
    options = c.args[3:]
    samples = SAMPLES
    while options:
        if options[0].lower() != b"samples" or len(options) == 1:
            c.reply(ErrorReply("ERR syntax error"))
            return
        samples = parse_int(to_text(options[1]))
        if samples is None or samples < 0:
            wrong = "ERR value is not an integer or out of range" if samples is None else "ERR syntax error"
            c.reply(ErrorReply(wrong))
            return
        del options[:2]
    c.reply(key_memory(c, c.args[2], samples))


declare(
    b"memory|usage", cmd_memory_usage, arity=-3, flags=READONLY, keys=key_at(2, "RO"), since="4.0.0",
    complexity="O(N) where N is the number of elements sampled",
    summary="Estimates the bytes that a key and its value take.",
    args="key [SAMPLES count:integer]",
)


def cmd_memory_help(c):
    """MEMORY HELP -> array of simple strings."""
    c.reply(help_lines("MEMORY", HELP))


declare(
    b"memory|help", cmd_memory_help, arity=2, flags=LOADING | STALE, since="4.0.0",
    complexity="O(1)",
    summary="Explains the subcommands of MEMORY.",
)
