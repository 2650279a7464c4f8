"""BLESS: keys that eviction spares (engine/blessed). It belongs to the group "generic"."""
from libc.stdint cimport int64_t

from fastredis._resp cimport Arg
from fastredis.commands.generic cimport glance
from fastredis.commands.scan cimport (
    SCAN_COUNT, ScanCall, scan_cursor_or_reply, scan_read_count, scan_table, scan_whole,
)
from fastredis.engine.client cimport Client
from fastredis.engine.command cimport native
from fastredis.engine.core cimport NOTIFY_GENERIC
from fastredis.engine.errors cimport ERR_NO_KEY, ERR_SYNTAX
from fastredis.engine.flags cimport CONTAINER, DENYOOM, FAST, TOUCHES_ARBITRARY_KEYS, WRITE
from fastredis.engine.options cimport (
    ALL_OPTIONS, OPT_INT, Option, Options, arg_is, option_number, parse_options_or_reply,
)
from fastredis.values.entry cimport Entry, entry_key

from fastredis.engine.command import declarer
from fastredis.engine.declarations import key_at

declare = declarer("generic")


cdef enum:
    SCANNED = 1024              # COUNT when none is given

cdef Option[2] SCAN_OPTIONS = [
    Option(b"COUNT", OPT_INT, SCAN_COUNT, 0, scan_read_count),
    Option(NULL, OPT_INT, 0, 0, NULL),
]


declare(
    b"bless", None, arity=-2, flags=CONTAINER, acl=(), since="8.12.0",
    complexity="Depends on the subcommand",
    summary="Protects keys from eviction.",
)


cdef bint names_flag_or_reply(Client c) except -1:
    """Whether argv[3] is the one flag that there is."""
    if not arg_is(&c.argv[3], b"NO-EVICT"):
        c.error(ERR_SYNTAX)
        return False
    return True


cdef int cmd_bless_set(Client c) except -1:
    """BLESS SET key NO-EVICT -> integer: 1, or 0 when the key has the flag already.

    Errors: no such key.
    Source: https://redis.io/docs/latest/commands/bless-set/
    """
    cdef Arg* key = &c.argv[2]
    cdef Entry* e

    if not names_flag_or_reply(c):
        return 0
    e = c.db.lookup_write(key)
    if e is NULL:
        return c.error(ERR_NO_KEY)
    if not c.db.bless(key, e):
        return c.reply_int(0)
    c.modified(key, NOTIFY_GENERIC, b"bless")
    return c.reply_int(1)

declare(
    b"bless|set", native(cmd_bless_set), arity=4, flags=WRITE | DENYOOM | FAST, keys=key_at(2, "RW"),
    acl=("dangerous",), since="8.12.0",
    complexity="O(1)",
    summary="Protects a key from eviction.",
    args="key NO-EVICT",
)


cdef int cmd_bless_clear(Client c) except -1:
    """BLESS CLEAR key NO-EVICT -> integer: 1, or 0 when the key has not got the flag.

    Errors: no such key.
    Source: https://redis.io/docs/latest/commands/bless-clear/
    """
    cdef Arg* key = &c.argv[2]

    if not names_flag_or_reply(c):
        return 0
    if c.db.lookup_write(key) is NULL:
        return c.error(ERR_NO_KEY)
    if not c.db.unbless(key):
        return c.reply_int(0)
    c.modified(key, NOTIFY_GENERIC, b"unbless")
    return c.reply_int(1)

declare(
    b"bless|clear", native(cmd_bless_clear), arity=4, flags=WRITE | FAST, keys=key_at(2, "RW"), acl=("dangerous",),
    since="8.12.0",
    complexity="O(1)",
    summary="Lets eviction have a key again.",
    args="key NO-EVICT",
)


cdef int cmd_bless_get(Client c) except -1:
    """BLESS GET key -> array: the names of the key's flags.

    Errors: no such key.
    Source: https://redis.io/docs/latest/commands/bless-get/
    """
    if glance(c, &c.argv[2]) is NULL:
        return c.error(ERR_NO_KEY)
    if not c.db.is_blessed(&c.argv[2]):
        return c.reply_array(0)
    c.reply_array(1)
    return c.reply_bulk(b"NO-EVICT", 8)

declare(
    b"bless|get", native(cmd_bless_get), arity=3, flags=FAST, keys=key_at(2, "RO"), since="8.12.0",
    complexity="O(1)",
    summary="Names the flags that protect a key.",
    args="key",
)


cdef int64_t reply_name(Client c, ScanCall* s, void* entry) except -1:
    """ScanReply: a name, unless the key's time has come."""
    cdef Entry* name = <Entry*>entry
    cdef Entry* e
    cdef Arg key

    key.ptr = entry_key(name)
    key.size = name.key_size
    key.hash = 0
    e = c.db.peek(&key)
    if e is NULL or c.db.is_expired(e):
        return 0
    c.reply_bulk(key.ptr, key.size)
    return 1


cdef int cmd_bless_scan(Client c) except -1:
    """BLESS SCAN cursor NO-EVICT [COUNT count] -> [next cursor, [key, ...]], as SCAN does.

    COUNT is 1024 by default.
    Errors: invalid cursor; COUNT below 1.
    Source: https://redis.io/docs/latest/commands/bless-scan/
    """
    cdef ScanCall s
    cdef Options given

    s.e = NULL
    s.pattern = NULL
    if not names_flag_or_reply(c) or not scan_cursor_or_reply(c, 2, &s) or (
            not parse_options_or_reply(c, 4, SCAN_OPTIONS, ALL_OPTIONS, &given)):
        return 0
    s.count = option_number(&given, SCAN_COUNT) or SCANNED
    if c.db.blessed is None:
        return c.out.end_array(scan_whole(c), 0)
    return scan_table(c, &s, &c.db.blessed.names, reply_name)

declare(
    b"bless|scan", native(cmd_bless_scan), arity=-4, flags=TOUCHES_ARBITRARY_KEYS, since="8.12.0",
    tips=("nondeterministic_output", "request_policy:special", "response_policy:special"),
    complexity="O(1) for each call, O(N) for the whole walk, where N is the number of protected keys",
    summary="Walks through the keys that have a flag, some at a call.",
    args="cursor:integer NO-EVICT [COUNT count:integer]",
)
