"""DEBUG: what tests of the server need. Not for clients: enable-debug-command says who may use it.

A subcommand is a function of the client and its arguments, registered with their number:

    @subcommand("SLEEP <seconds>", "Stop the server for <seconds>. Decimals allowed.", 1)
    def sleep(c, seconds): ...
"""

import hashlib
import time
from collections.abc import Callable
from typing import NamedTuple

from fastredis.commands import dump
from fastredis.commands.help_text import help_lines
from fastredis.config.config import ConfigError
from fastredis.engine import inspect
from fastredis.engine.command import declarer
from fastredis.engine.engine import REPLY_PEAK_MS
from fastredis.engine.errors import LOADING_DATA, NO_KEY, NOT_INTEGER, NOT_POSITIVE, SYNTAX
from fastredis.engine.flags import ADMIN, LOADING, NOSCRIPT, PROTECTED, STALE
from fastredis.engine.reply import Attributes, BigNumber, ErrorReply, Push, Status, Verbatim
from fastredis.host.process import c_library
from fastredis.persist.loading import LoadError
from fastredis.persist.rdb_save import saved_length
from fastredis.persist.saver import INCOMPLETE
from fastredis.text import parse_int, parse_memory, strtod, to_text
from fastredis.values.entry import TYPE_ARRAY, TYPE_LIST, TYPE_SET, TYPE_STREAM

declare = declarer("server")

OK = Status("OK")
I64_MAX = 2**63 - 1


class Subcommand(NamedTuple):
    run: Callable
    usage: str
    explanation: str
    least: int  # arguments
    most: int


SUBCOMMANDS: dict[bytes, Subcommand] = {}


def subcommand(usage: str, explanation: str, least: int, most: int | None = None):
    """Register a function (client, *arguments) -> value to reply, under the first word of its usage."""

    def register(run):
        name = usage.split(" ")[0].lower().encode()
        SUBCOMMANDS[name] = Subcommand(run, usage, explanation, least, least if most is None else most)
        return run

    return register


def cmd_debug(c):
    """DEBUG subcommand [arg ...] -> what the subcommand replies; DEBUG HELP lists them.

    Errors: unknown subcommand, or a wrong number of arguments for it; and those of the subcommand.
    """
    name, *args = c.args[1:]
    found = SUBCOMMANDS.get(name.lower())
    if found is None or not found.least <= len(args) <= found.most:
        text = f"ERR unknown subcommand or wrong number of arguments for '{to_text(name[:128])}'. Try DEBUG HELP."
        raise ErrorReply(text)
    c.reply(found.run(c, *args))


declare(
    b"debug", cmd_debug, arity=-2, flags=ADMIN | NOSCRIPT | LOADING | STALE | PROTECTED, since="1.0.0",
    complexity="Depends on the subcommand",
    summary="Commands for tests of the server itself.",
    doc_flags=("syscmd",),
)


def number(word: bytes, least: int, error: str = NOT_INTEGER) -> int:
    """An integer that is not below `least`, or an ErrorReply with this text."""
    value = parse_int(to_text(word))
    if value is None or value < least:
        raise ErrorReply(error)
    return value


def is_on(word: bytes) -> bool:
    """A switch: 0 is off. As in Redis, what is no number counts as 0."""
    return bool(parse_int(to_text(word)))


@subcommand("HELP", "Prints this help.", 0)
def help_text(c):
    lines = []
    for each in sorted(SUBCOMMANDS.values(), key=lambda found: found.usage):
        if each.run is not help_text:
            lines += [each.usage, *("    " + line for line in each.explanation.split("\n"))]
    return help_lines("DEBUG", "\n".join(lines))


# ---- Time ----


@subcommand("PANIC", "Crash the server simulating a panic.", 0)
def panic(c):
    c.engine.panic(f"DEBUG PANIC called at Unix time {int(time.time())}")


@subcommand("SEGFAULT", "Crash the server with sigsegv.", 0)
def segfault(c):
    c_library().strlen(None)


@subcommand("SLEEP <seconds>", "Stop the server for <seconds>. Decimals allowed.", 1)
def sleep(c, seconds):
    time.sleep(max(0.0, strtod(to_text(seconds)) or 0.0))
    return OK


@subcommand(
    "CLOCK FREEZE | SET <milliseconds> | ADVANCE <milliseconds> | RELEASE",
    "Move the clock that commands and expiry see: stand still now or at a time since the epoch,\n"
    "go ahead, show the real time again. Keys that are due then are removed at once.",
    1,
    2,
)
def clock(c, action, *amount):
    engine_clock = c.engine.clock
    action = action.lower()
    if action == b"freeze" and not amount:
        engine_clock.freeze()
    elif action == b"release" and not amount:
        engine_clock.release()
    elif action == b"set" and amount:
        engine_clock.set(number(amount[0], 0))
    elif action == b"advance" and amount:
        engine_clock.advance(number(amount[0], -I64_MAX))
    else:
        raise ErrorReply(SYNTAX)
    return OK


@subcommand(
    "SET-ACTIVE-EXPIRE <0|1>",
    "Setting it to 0 disables expiring keys in background when they are not\n"
    "accessed (otherwise the Redis behavior). Setting it to 1 reenables back the\n"
    "default.",
    1,
)
def set_active_expire(c, value):
    inspect.set_active_expire(c.engine, is_on(value))
    return OK


@subcommand(
    "SET-DISABLE-DENY-SCRIPTS <0|1>",
    "Allow scripts to call commands that are not for them, or forbid it again.",
    1,
)
def set_disable_deny_scripts(c, value):
    c.engine.scripts.set_allows_all(is_on(value))
    return OK


@subcommand("PAUSE-CRON <0|1>", "Stop periodic cron job processing.", 1)
def pause_cron(c, value):
    c.engine.host.cron_paused = is_on(value)
    return OK


@subcommand(
    "REPLYBUFFER PEAK-RESET-TIME <NEVER|RESET|time> | RESIZING <0|1>",
    "How many milliseconds a reply buffer keeps room that it does not need (RESET: the\n"
    "default), and whether such room is given back at all.",
    2,
)
def reply_buffer(c, what, value):
    what, value = what.lower(), value.lower()
    if what == b"resizing":
        c.engine.tune_replies(resizing=is_on(value))
    elif what == b"peak-reset-time":
        c.engine.tune_replies({b"never": -1, b"reset": REPLY_PEAK_MS}.get(value) or number(value, 0))
    else:
        raise ErrorReply(SYNTAX)
    return OK


# ---- Keys ----


@subcommand("OBJECT <key>", "Show low level info about `key` and associated value.", 1, 2)
def object_facts(c, key, *fast):
    """The length is that of the value in an RDB file."""
    facts = inspect.entry_facts(c, key)
    if facts is None:
        raise ErrorReply(NO_KEY)
    text = f"Value at:0x{facts['address']:x} refcount:1 encoding:{facts['encoding']}"
    slow = [word.lower() for word in fast] != [b"fast"]
    if slow:
        text += f" serializedlength:{saved_length(c, key)}"
    text += f" lru:{facts['lru']} lru_seconds_idle:{facts['idle']}"
    if (nodes := facts["quicklist"]) is not None:
        text += (f" ql_nodes:{nodes['nodes']} ql_avg_node:{nodes['items'] / nodes['nodes']:.2f} "
                 f"ql_listpack_max:{nodes['fill']} ql_compressed:{int(nodes['depth'] != 0)}")
        if slow:
            text += f" ql_uncompressed_size:{nodes['bytes']}"
    return Status(text)


MAX_POPULATE = 2**32        # no table holds more keys than the expire heap can number


def refuse_while_loading(c) -> None:
    if inspect.is_loading(c.engine):
        raise ErrorReply(LOADING_DATA)


@subcommand(
    "POPULATE <count> [<prefix>] [<size>]",
    "Create <count> string keys named key:<num>. If <prefix> is specified then\n"
    "it is used instead of the 'key' prefix. These are not propagated to\n"
    "replicas.",
    1,
    3,
)
def populate(c, count, prefix=b"key", size=b"0"):
    wanted = number(count, 0, NOT_POSITIVE)
    if wanted > MAX_POPULATE:
        raise ErrorReply(NOT_POSITIVE)
    refuse_while_loading(c)
    inspect.populate(c, wanted, prefix, number(size, 0, NOT_POSITIVE))
    return OK


@subcommand("HTSTATS <dbid> [full]", "Return hash table statistics of the specified Redis database.", 1, 2)
def table_stats(c, database, *full):
    index = number(database, -I64_MAX)
    if not 0 <= index < c.engine.database_count:
        raise ErrorReply("ERR Out of range database")
    return Verbatim(inspect.table_text(c.engine, index, [word.lower() for word in full] == [b"full"]))


@subcommand("HTSTATS-KEY <key> [full]", "Like HTSTATS but for the hash table stored at <key>'s value.", 1, 2)
def key_table_stats(c, key, *full):
    if inspect.entry_facts(c, key) is None:
        raise ErrorReply(NO_KEY)
    text = inspect.value_table_text(c, key, [word.lower() for word in full] == [b"full"])
    if text is None:
        raise ErrorReply("ERR The value stored at the specified key is not represented using an hash table")
    return Verbatim(text)


@subcommand("DICT-RESIZING <0|1>", "Enable or disable the main dict and expire dict resizing.", 1)
def dict_resizing(c, value):
    inspect.set_resizing(c.engine, is_on(value))
    return OK


@subcommand(
    "QUICKLIST-PACKED-THRESHOLD <size>",
    "Sets the size from which on an element of a list is a node of its own; up to 4gb.\n"
    "0: the default, elements that are too large for a node of others.",
    1,
)
def packed_threshold(c, size):
    value = parse_memory(to_text(size))
    if value is None or value > 2**32 - 2**20:
        raise ErrorReply("ERR argument must be a memory value bigger than 1 and smaller than 4gb")
    inspect.set_packed_threshold(c.engine, value)
    return OK


# ---- Saving and loading ----

LOAD_FAILED = "ERR Error trying to load the RDB dump, check server logs."


@subcommand(
    "RELOAD [MERGE] [NOFLUSH] [NOSAVE]",
    "Save the RDB on disk and reload it back to memory. By default the old data\n"
    "goes first. With NOFLUSH it stays, and keys that are in the file as well are an\n"
    "error, or with MERGE are replaced. With NOSAVE an existing file is loaded.",
    0,
    3,
)
def reload(c, *options):
    words = {word.lower() for word in options}
    if words - {b"merge", b"noflush", b"nosave"}:
        raise ErrorReply("ERR DEBUG RELOAD only supports the MERGE, NOFLUSH and NOSAVE options.")
    refuse_while_loading(c)
    engine = c.engine
    before = engine.saver.obstacle
    try:
        file = (engine.loading.open_rdb(engine.config["dbfilename"]) if b"nosave" in words
                else engine.saver.save_and_keep())
        if file < 0 and b"nosave" not in words:
            raise ErrorReply("ERR")
        if b"noflush" not in words:
            engine.empty()
            engine.kept = None
            engine.scripts.functions.use(None)
            engine.saver.obstacle = INCOMPLETE
        if file < 0:
            raise ErrorReply(LOAD_FAILED)
        engine.loading.load_rdb_now(file, replace=b"merge" in words)
    except LoadError:
        raise ErrorReply(LOAD_FAILED) from None
    engine.saver.obstacle = before if b"noflush" in words else None
    engine.log.warning("DB reloaded by DEBUG RELOAD")
    return OK


@subcommand(
    "LOADAOF",
    "Flush the AOF buffers on disk and reload the AOF in memory.",
    0,
)
def load_aof(c):
    refuse_while_loading(c)
    c.engine.empty()
    c.engine.kept = None
    c.engine.scripts.functions.use(None)
    c.engine.saver.obstacle = INCOMPLETE
    if not c.engine.aof.load_again():
        raise ErrorReply("ERR Error trying to load the AOF files, check server logs.")
    c.engine.saver.obstacle = None
    c.engine.log.notice("Append Only File loaded by DEBUG LOADAOF")
    return OK


@subcommand("AOF-FLUSH-SLEEP <microsec>", "Server will sleep before flushing the AOF, this is used for testing.", 1)
def aof_flush_sleep(c, microseconds):
    c.engine.aof.feed.flush_sleep_us = number(microseconds, 0)
    return OK


@subcommand("FORKLESS-SAVE <0|1>", "Write background saves in slices instead of in a child process.", 1)
def forkless_save(c, value):
    c.engine.saver.forkless = is_on(value)
    return OK


@subcommand(
    "SET-SKIP-CHECKSUM-VALIDATION <0|1>",
    "Enables or disables checksum checks for RDB files and RESTORE's payload.",
    1,
)
def skip_checksums(c, value):
    dump.skip_checksums(c.engine, is_on(value))
    return OK


# ---- Digests ----
#
# A fingerprint of the data that does not depend on the order of the keys: sums are XORs of SHA-1 digests, and
# mix() chains what has an order. Source: Salvatore Sanfilippo's comments in debug.c of Redis.


def sha1(data: bytes) -> int:
    return int.from_bytes(hashlib.sha1(data).digest(), "big")


def mix(digest: int, data: bytes) -> int:
    """Add data so that its place counts."""
    return sha1((digest ^ sha1(data)).to_bytes(20, "big"))


def mix_value(digest: int, kind: int, value: bytes | list, volatile: bool) -> int:
    """Add a value as inspect.entries() gives it, its type and whether it has a TTL."""
    digest = mix(digest, kind.to_bytes(4, "big"))
    if isinstance(value, bytes):
        digest = mix(digest, value)
    elif kind in (TYPE_LIST, TYPE_STREAM, TYPE_ARRAY):
        for part in value:
            digest = mix(digest, part)
    elif kind == TYPE_SET:
        for member in value:
            digest ^= sha1(member)
    else:
        for name, part in value:
            digest ^= sha1(mix(mix(0, name), part).to_bytes(20, "big"))
    return digest ^ sha1(b"!!expire!!") if volatile else digest


@subcommand("VERIFY", "Walk through all structures in memory; an error says what is wrong.", 0)
def verify(c):
    try:
        inspect.verify_values(c.engine)
    except AssertionError as wrong:
        raise ErrorReply(f"ERR {wrong}") from wrong
    return OK


@subcommand("DIGEST", "Output a hex signature representing the current DB content.", 0)
def digest_all(c):
    final = 0
    for index in range(c.engine.database_count):
        found = False
        for key, kind, value, volatile in inspect.entries(c.engine, index):
            if not found:
                final = mix(final, index.to_bytes(4, "big"))
                found = True
            final ^= sha1(mix_value(mix(0, key), kind, value, volatile).to_bytes(20, "big"))
    return Status(f"{final:040x}")


@subcommand(
    "DIGEST-VALUE <key> [<key> ...]", "Output a hex signature of the values of all the specified keys.", 0, I64_MAX
)
def digest_values(c, *names):
    """A key that is not there has a signature of zeros."""
    found = [inspect.entry_of(c, name) for name in names]
    return [Status(f"{mix_value(0, *entry[1:]) if entry else 0:040x}") for entry in found]


# ---- Protocol and the rest ----

PROTOCOL = {
    b"string": ["Hello World"],
    b"integer": [12345],
    b"double": [3.141],
    b"bignum": [BigNumber("1234567999999999999999999999999999999")],
    b"null": [None],
    b"array": [[0, 1, 2]],
    b"set": [(0, 1, 2)],
    b"map": [{0: False, 1: True, 2: False}],
    b"attrib": [Attributes({"key-popularity": ["key:123", 90]}), "Some real reply following the attribute"],
    b"push": [Push(["server-cpu-usage", 42]), "Some real reply following the push reply"],
    b"verbatim": [Verbatim("This is a verbatim\nstring")],
    b"true": [True],
    b"false": [False],
}


@subcommand(
    "PROTOCOL <type>",
    "Reply with a test value of the specified type. <type> can be: string,\n"
    "integer, double, bignum, null, array, set, map, attrib, push, verbatim,\n"
    "true, false.",
    1,
)
def protocol(c, kind):
    values = PROTOCOL.get(kind.lower())
    if values is None:
        raise ErrorReply(
            "ERR Wrong protocol type name. Please use one of the following: "
            "string|integer|double|bignum|null|array|set|map|attrib|push|verbatim|true|false"
        )
    if kind.lower() == b"push" and c.resp == 2:
        raise ErrorReply("ERR RESP2 is not supported by this command")
    for value in values[:-1]:
        c.reply(value)
    return values[-1]


@subcommand(
    "ERROR <string>",
    "Return a Redis protocol error with <string> as message. Useful for clients\n"
    "unit tests to simulate Redis errors.",
    1,
)
def error(c, text):
    raise ErrorReply(to_text(text))


@subcommand("LOG <message>", "Write <message> to the server log.", 1)
def log(c, message):
    c.engine.log.warning(f"DEBUG LOG: {to_text(message)}")
    return OK


@subcommand("STRINGMATCH-LEN <pattern> <string>", "Match <string> against <pattern>: 1 or 0.", 2)
def match(c, pattern, text):
    return int(inspect.matches(pattern, text))


@subcommand("CHANGE-REPL-ID", "Change the replication ID of the instance.", 0)
def change_replication_id(c):
    c.engine.log.notice("Changing replication IDs after receiving DEBUG change-repl-id")
    c.engine.replication.change_ids()
    return OK


@subcommand("REPLICATE <command> [arg ...]", "Send a command to the replicas that is not executed here.", 1, 1000)
def replicate(c, *words):
    c.engine.replication.send_command(words)
    return OK


@subcommand(
    "PAUSE-AFTER-FORK <0|1>",
    "Stop the server, as SIGSTOP does, after the fork for a full synchronization of\n"
    "replicas; and as a replica with two connections before the main one asks for the stream.",
    1,
)
def pause_after_fork(c, value):
    c.engine.replication.pauses_after_fork = is_on(value)
    return OK


@subcommand(
    "DELAY-RDB-CLIENT-FREE-SECONDS <seconds>",
    "For how long the master keeps a place in the stream when a replica has its data\n"
    "set, and its main connection has not asked for the stream.",
    1,
)
def grace(c, seconds):
    c.engine.replication.grace_s = number(seconds, 0)
    return OK


@subcommand(
    "CONFIG-REWRITE-FORCE-ALL",
    "Like CONFIG REWRITE but writes all configuration options, including\n"
    "keywords not listed in original configuration file or default values.",
    0,
)
def rewrite_all(c):
    try:
        c.engine.config.rewrite(force_all=True)
    except ConfigError as refusal:
        raise ErrorReply(f"ERR CONFIG-REWRITE-FORCE-ALL failed: {refusal}") from None
    return OK
