"""CONFIG: read and change the settings. What they are and what each takes is in fastredis.config.config."""

from fastredis.commands.help_text import help_lines
from fastredis.config.config import ConfigError
from fastredis.engine.audit import audit, author, setting_words
from fastredis.engine.command import declarer
from fastredis.engine.errors import LOADING_DATA, SYNTAX
from fastredis.engine.flags import ADMIN, CONTAINER, LOADING, NOSCRIPT, STALE
from fastredis.engine.inspect import is_loading, reset_statistics
from fastredis.engine.reply import ErrorReply, Status
from fastredis.text import to_text

declare = declarer("server")

OK = Status("OK")

HELP = """
GET <pattern>
    Return parameters matching the glob-like <pattern> and their values.
SET <directive> <value>
    Set the configuration <directive> to <value>.
RESETSTAT
    Reset statistics reported by the INFO command.
REWRITE
    Rewrite the configuration file.
"""

declare(
    b"config", None, arity=-2, flags=CONTAINER, since="2.0.0",
    complexity="Depends on the subcommand",
    summary="Reads and changes settings.",
)


def cmd_config_get(c):
    """CONFIG GET name [name ...] -> map of names and values; names may be patterns.

    Source: https://redis.io/docs/latest/commands/config-get/
    """
    c.reply(c.engine.config.glob([to_text(name) for name in c.args[2:]]))


declare(
    b"config|get", cmd_config_get, arity=-3, flags=ADMIN | NOSCRIPT | LOADING | STALE, since="2.0.0",
    complexity="O(N*M) where N is the number of settings and M that of patterns",
    summary="Returns settings whose names match patterns.",
    args="parameter...",
    history=(("7.0.0", "Takes several patterns."),),
)


def cmd_config_set(c):
    """CONFIG SET name value [name value ...] -> OK: change all of these settings, or none.

    Errors: syntax, when a value is missing; unknown name; a value that does not fit; a setting that cannot be
    changed, or not now.
    Source: https://redis.io/docs/latest/commands/config-set/
    """
    words = [to_text(word) for word in c.args[2:]]
    if len(words) % 2:
        raise ErrorReply(SYNTAX)
    pairs = list(zip(words[::2], words[1::2], strict=True))
    who = author(c)
    try:
        loading = is_loading(c.engine) or c.engine.replication.loads_aside
        c.engine.config.set_many(pairs, loading=LOADING_DATA if loading else None, local=getattr(c, "is_local", True))
    except ConfigError as refusal:
        raise ErrorReply(str(refusal)) from None
    audit(c.engine, who, "CONFIG SET", setting_words(c.engine.config, pairs))
    c.reply(OK)


declare(
    b"config|set", cmd_config_set, arity=-4, flags=ADMIN | NOSCRIPT | LOADING | STALE, since="2.0.0",
    tips=("request_policy:all_nodes", "response_policy:all_succeeded"),
    complexity="O(N) where N is the number of given settings",
    summary="Changes settings: all of the given ones, or none.",
    args="data={parameter value}...",
    history=(("7.0.0", "Changes several settings at once."),),
)


def cmd_config_resetstat(c):
    """CONFIG RESETSTAT -> OK: set the statistics of INFO, of commands and of errors back to zero.

    Source: https://redis.io/docs/latest/commands/config-resetstat/
    """
    reset_statistics(c.engine)
    c.engine.metrics.reset()
    c.engine.users.log.reset_statistics()
    c.engine.aof.reset_statistics()
    c.engine.scripts.reset_statistics()
    c.engine.replication.reset_statistics()
    c.reply(OK)


declare(
    b"config|resetstat", cmd_config_resetstat, arity=2, flags=ADMIN | NOSCRIPT | LOADING | STALE, since="2.0.0",
    tips=("request_policy:all_nodes", "response_policy:all_succeeded"),
    complexity="O(1)",
    summary="Sets the statistics of INFO back to zero.",
)


def cmd_config_rewrite(c):
    """CONFIG REWRITE -> OK: bring the configuration file up to date with what CONFIG SET changed.

    Errors: started without a file; the file cannot be written.
    Source: https://redis.io/docs/latest/commands/config-rewrite/
    """
    try:
        c.engine.config.rewrite()
    except ConfigError as refusal:
        raise ErrorReply(str(refusal)) from None
    c.engine.log.notice("CONFIG REWRITE executed with success.")
    c.reply(OK)


declare(
    b"config|rewrite", cmd_config_rewrite, arity=2, flags=ADMIN | NOSCRIPT | LOADING | STALE, since="2.8.0",
    tips=("request_policy:all_nodes", "response_policy:all_succeeded"),
    complexity="O(N) where N is the size of the file",
    summary="Writes the settings back into the configuration file.",
)


def cmd_config_help(c):
    """CONFIG HELP -> array of simple strings."""
    c.reply(help_lines("CONFIG", HELP))


declare(
    b"config|help", cmd_config_help, arity=2, flags=LOADING | STALE, since="5.0.0",
    complexity="O(1)",
    summary="Explains the subcommands of CONFIG.",
)
