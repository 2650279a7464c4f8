"""Commands on keys whatever their type. Expiry is in expiry.pyx, KEYS and SCAN are in scan.pyx.

A value is never looked into here: what depends on its type is asked of fastredis.values.value.
RENAME and MOVE take an entry out of its table and put it, or a new one with the same value, into
another place; values are not copied.
"""
from libc.stdint cimport INT32_MAX, INT64_MAX, int64_t, uint32_t
from libc.string cimport memcmp

from fastredis._resp cimport Arg, arg_hash
from fastredis.engine.client cimport Client
from fastredis.engine.command cimport native
from fastredis.engine.copying cimport copied
from fastredis.engine.core cimport NOTIFY_GENERIC, NOTIFY_KEY_MISS
from fastredis.engine.errors cimport ERR_DB_INDEX, ERR_FREQ, ERR_IDLETIME, ERR_INT_RANGE, ERR_NO_KEY, ERR_SAME_OBJECT
from fastredis.engine.flags cimport CONTAINER, DENYOOM, FAST, LOADING, READONLY, STALE, WRITE
from fastredis.engine.keyspace cimport Database, idle_seconds, lfu_value
from fastredis.engine.options cimport (
    ALL_OPTIONS, OPT_FLAG, OPT_INT, Option, Options, get_int_or_reply, get_memory_or_reply, option_number,
    parse_options_or_reply,
)
from fastredis.values.entry cimport (
    ENC_INT, TYPE_STRING, Entry, entry_encoding, entry_has_ttl, entry_lru, entry_set_lru, entry_type,
)
from fastredis.values.string_type cimport entry_int, string_value_bytes
from fastredis.values.value cimport encoding_name, entry_rename, type_name

from fastredis.engine.command import declarer
from fastredis.engine.reply import Status
from fastredis.engine.declarations import key_at, key_range

declare = declarer("generic")

cdef enum:
    SHARED_INTEGERS = 10000         # Redis has one object for all values 0, for all values 1 ...


cdef inline bint same_key(const Arg* a, const Arg* b) noexcept:
    return a.size == b.size and memcmp(a.ptr, b.ptr, a.size) == 0


cdef Entry* glance(Client c, Arg* key) except? NULL:
    """The key's entry for those who ask about it: lookup_read() that leaves LRU and LFU alone."""
    cdef Entry* e = inspect(c, key)

    if e is NULL:
        c.note(key, NOTIFY_KEY_MISS, b"keymiss")
    return e


cdef Entry* inspect(Client c, Arg* key) except? NULL:
    """The same for OBJECT, which does not tell of a miss either."""
    cdef Entry* e = c.db.live(key)

    if e is NULL:
        c.core.misses += 1
    else:
        c.core.hits += 1
    return e


cdef int modified_in(Client c, Database db, Arg* key, const char* event, int64_t changes) except -1:
    """Client.modified() for a key of any database; `changes` is how many it adds to the dirty count.

    RENAME and MOVE are one change that touches two keys.
    """
    c.core.dirty += changes
    return c.engine.key_changed(db, key.ptr, key.size, NOTIFY_GENERIC, event) if c.core.listeners else 0


cdef Database db_or_reply(Client c, int64_t index):
    """The database of that number; None once the error is replied."""
    if index != <int>index:
        c.error(ERR_INT_RANGE)
        return None
    if not 0 <= index < c.engine.database_count:
        c.error(ERR_DB_INDEX)
        return None
    return c.engine.db(<int>index)


# --- existence ----------------------------------------------------------------------------

cdef int delete_keys(Client c, bint lazy) except -1:
    """Delete the keys argv[1..] and reply how many there were."""
    cdef Arg* key
    cdef Entry* e
    cdef int64_t deleted = 0
    cdef int i

    for i in range(1, c.argc):
        key = &c.argv[i]
        e = c.db.peek(key)
        if e is NULL:
            continue
        # A replica deletes what its master says, be it expired or not.
        if c.core.expire_on_access and c.db.is_expired(e):
            c.db.expire_entry(e)
            continue
        c.db.delete(key, lazy)
        c.modified(key, NOTIFY_GENERIC, b"del")
        deleted += 1
    return c.reply_int(deleted)


cdef int cmd_del(Client c) except -1:
    """DEL key [key ...] -> integer: how many keys were there.

    Source: https://redis.io/commands/del
    """
    return delete_keys(c, c.core.lazy_user_del)

declare(
    b"del", native(cmd_del), arity=-2, flags=WRITE, keys=key_range(1, -1, 1, "RM delete"), since="1.0.0",
    tips=("request_policy:multi_shard", "response_policy:agg_sum"),
    complexity="O(N) where N is the number of keys, plus O(M) for each collection of M elements",
    summary="Deletes keys.",
    args="key...",
)


cdef int cmd_unlink(Client c) except -1:
    """UNLINK key [key ...] -> integer: how many keys were there; big values are freed later.

    Source: https://redis.io/commands/unlink
    """
    return delete_keys(c, True)

declare(
    b"unlink", native(cmd_unlink), arity=-2, flags=WRITE | FAST, keys=key_range(1, -1, 1, "RM delete"), since="4.0.0",
    tips=("request_policy:multi_shard", "response_policy:agg_sum"),
    complexity="O(N) where N is the number of keys, plus O(M) outside of the call for each collection of M elements",
    summary="Deletes keys now and frees their memory later.",
    args="key...",
)


cdef int cmd_exists(Client c) except -1:
    """EXISTS key [key ...] -> integer: how many of them exist; a key counts as often as it is named.

    Source: https://redis.io/commands/exists
    """
    cdef int64_t found = 0
    cdef int i

    for i in range(1, c.argc):
        found += glance(c, &c.argv[i]) is not NULL
    return c.reply_int(found)

declare(
    b"exists", native(cmd_exists), arity=-2, flags=READONLY | FAST, keys=key_range(1, -1, 1, "RO"), since="1.0.0",
    tips=("request_policy:multi_shard", "response_policy:agg_sum"),
    complexity="O(N) where N is the number of keys",
    summary="Counts how many of the given keys exist.",
    args="key...",
    history=(("3.0.3", "Takes several keys."),),
)


cdef int cmd_touch(Client c) except -1:
    """TOUCH key [key ...] -> integer: how many of them exist; they count as used now.

    Source: https://redis.io/commands/touch
    """
    cdef int64_t found = 0
    cdef int i

    for i in range(1, c.argc):
        found += c.db.lookup_read(&c.argv[i]) is not NULL
    return c.reply_int(found)

declare(
    b"touch", native(cmd_touch), arity=-2, flags=READONLY | FAST, keys=key_range(1, -1, 1, "RO"), since="3.2.1",
    tips=("request_policy:multi_shard", "response_policy:agg_sum"),
    complexity="O(N) where N is the number of keys",
    summary="Marks keys as just used and counts those that exist.",
    args="key...",
)


cdef int cmd_type(Client c) except -1:
    """TYPE key -> status: the type's name, or none.

    Source: https://redis.io/commands/type
    """
    cdef Entry* e = glance(c, &c.argv[1])

    if e is NULL:
        return c.reply_status(b"none")
    return c.reply_status(type_name(e))

declare(
    b"type", native(cmd_type), arity=2, flags=READONLY | FAST, keys=key_at(1, "RO"), since="1.0.0",
    complexity="O(1)",
    summary="Returns the type of the value in a key.",
    args="key",
)


# --- new names and places -----------------------------------------------------------------

cdef int put_renamed(Client c, Entry* e, Arg* key) except -1:
    """Take an entry out of the selected database and put its value back under another key, TTL and LRU kept.

    The new key is not there.
    """
    cdef Database db = c.db
    cdef bint has_ttl = entry_has_ttl(e)
    cdef int64_t when_ms = db.when_ms(e)
    cdef uint32_t lru = entry_lru(e)
    cdef bint blessed = db.is_blessed(&c.argv[1])
    cdef Entry* fresh

    e = db.take(&c.argv[1])
    fresh = entry_rename(&c.core.memory, e, key.ptr, key.size)
    db.add(fresh, arg_hash(key))
    entry_set_lru(fresh, lru)
    if has_ttl:
        db.set_expire(fresh, when_ms)
    if blessed:
        db.bless(key, fresh)
    return 0


cdef int rename(Client c, bint only_new) except -1:
    cdef Arg* source = &c.argv[1]
    cdef Arg* target = &c.argv[2]
    cdef Entry* e = c.db.lookup_write(source)

    if e is NULL:
        return c.error(ERR_NO_KEY)
    if same_key(source, target):
        return c.reply_int(0) if only_new else c.reply_ok()
    if c.db.lookup_write(target) is not NULL:
        if only_new:
            return c.reply_int(0)
        c.db.delete(target, c.core.lazy_server_del)
    put_renamed(c, e, target)
    c.modified(source, NOTIFY_GENERIC, b"rename_from")
    modified_in(c, c.db, target, b"rename_to", 0)
    return c.reply_int(1) if only_new else c.reply_ok()


cdef int cmd_rename(Client c) except -1:
    """RENAME key newkey -> OK. What newkey was before is deleted; the TTL goes along.

    Errors: no such key.
    Source: https://redis.io/commands/rename
    """
    return rename(c, False)

declare(
    b"rename", native(cmd_rename), arity=3, flags=WRITE, keys=(key_at(1, "RW access delete"), key_at(2, "OW update")),
    since="1.0.0",
    complexity="O(1), plus the cost of deleting what is replaced",
    summary="Gives a key another name and replaces what had it.",
    args="key newkey:key",
)


cdef int cmd_renamenx(Client c) except -1:
    """RENAMENX key newkey -> integer: 1, or 0 when newkey exists.

    Errors: no such key.
    Source: https://redis.io/commands/renamenx
    """
    return rename(c, True)

declare(
    b"renamenx", native(cmd_renamenx), arity=3, flags=WRITE | FAST,
    keys=(key_at(1, "RW access delete"), key_at(2, "OW insert")), since="1.0.0",
    complexity="O(1)",
    summary="Gives a key another name, unless the name is taken.",
    args="key newkey:key",
    history=(("3.2.0", "The same name twice is no error."),),
)


cdef enum:
    MOVE_REPLACE = 1 << 0

cdef Option[2] MOVE_OPTIONS = [
    Option(b"REPLACE", OPT_FLAG, MOVE_REPLACE, 0, NULL),
    Option(NULL, OPT_FLAG, 0, 0, NULL),
]


cdef int cmd_move(Client c) except -1:
    """MOVE key db [REPLACE] -> integer: 1, or 0 when there is no such key here, or there is one there and no REPLACE.

    The TTL goes along.
    Errors: syntax; not an integer; no such database; the selected database.
    Source: https://redis.io/commands/move
    """
    cdef Arg* key = &c.argv[1]
    cdef Database source = c.db
    cdef Database target
    cdef Options given
    cdef Entry* e
    cdef bint has_ttl, exists, blessed
    cdef int64_t index, when_ms
    cdef uint32_t lru

    if not parse_options_or_reply(c, 3, MOVE_OPTIONS, ALL_OPTIONS, &given) or not get_int_or_reply(c, 2, &index):
        return 0
    target = db_or_reply(c, index)
    if target is None:
        return 0
    if target is source:
        return c.error(ERR_SAME_OBJECT)
    e = source.lookup_write(key)
    if e is NULL:
        return c.reply_int(0)
    exists = target.lookup_write(key) is not NULL
    if exists and not given.flags & MOVE_REPLACE:
        return c.reply_int(0)
    if exists:
        target.delete(key, c.core.lazy_server_del)
    has_ttl = entry_has_ttl(e)
    when_ms = source.when_ms(e)
    lru = entry_lru(e)
    blessed = source.is_blessed(key)
    source.take(key)
    target.add(e, arg_hash(key))
    entry_set_lru(e, lru)
    if has_ttl:
        target.set_expire(e, when_ms)
    if blessed:
        target.bless(key, e)
    c.modified(key, NOTIFY_GENERIC, b"move_from")
    modified_in(c, target, key, b"move_to", 0)
    return c.reply_int(1)

declare(
    b"move", native(cmd_move), arity=-3, flags=WRITE | FAST, keys=key_at(1, "RW access update"), since="1.0.0",
    complexity="O(1)",
    summary="Moves a key to another database.",
    args="key db:integer [REPLACE@9.2.0]",
    history=(("9.2.0", "Option `REPLACE`, as in Valkey."),),
)


cdef enum:
    COPY_DB = 1 << 0
    COPY_REPLACE = 1 << 1

cdef Option[3] COPY_OPTIONS = [
    Option(b"DB", OPT_INT, COPY_DB, 0, read_db),
    Option(b"REPLACE", OPT_FLAG, COPY_REPLACE, 0, NULL),
    Option(NULL, OPT_FLAG, 0, 0, NULL),
]


cdef bint read_db(Client c, int index, int64_t* value) except -1:
    return get_int_or_reply(c, index, value) and db_or_reply(c, value[0]) is not None


cdef int cmd_copy(Client c) except -1:
    """COPY source destination [DB destination-db] [REPLACE] -> integer: 1, or 0 when nothing was copied.

    Nothing is when there is no source, or there is a destination and no REPLACE. The TTL is copied too.
    Cost: O(size of the value), in slices between other commands.
    Errors: no such database; source and destination are the same.
    Source: https://redis.io/commands/copy
    """
    cdef Arg* source = &c.argv[1]
    cdef Arg* key = &c.argv[2]
    cdef Database target = c.db
    cdef Options given
    cdef Entry* e
    cdef Entry* fresh
    cdef bint exists

    if not parse_options_or_reply(c, 3, COPY_OPTIONS, ALL_OPTIONS, &given):
        return 0
    if given.flags & COPY_DB:
        target = db_or_reply(c, option_number(&given, COPY_DB))
    if target is c.db and same_key(source, key):
        return c.error(ERR_SAME_OBJECT)
    e = c.db.lookup_read(source) if c.blocked is None else c.db.live(source)
    if e is NULL:
        return c.reply_int(0)
    exists = target.lookup_write(key) is not NULL
    if exists and not given.flags & COPY_REPLACE:
        return c.reply_int(0)
    if entry_type(e) == TYPE_STRING and not get_memory_or_reply(c, 0, string_value_bytes(e)):
        return 0
    fresh = copied(c, e, key)
    if fresh is NULL:
        return 0                        # it takes its time; this runs again when it is there
    if exists:
        target.delete(key, c.core.lazy_server_del)
    target.add(fresh, arg_hash(key))
    if entry_has_ttl(e):
        target.set_expire(fresh, c.db.when_ms(e))
    modified_in(c, target, key, b"copy_to", 1)
    return c.reply_int(1)

declare(
    b"copy", native(cmd_copy), arity=-3, flags=WRITE | DENYOOM, keys=(key_at(1, "RO access"), key_at(2, "OW update")),
    since="6.2.0",
    complexity="O(N) where N is the number of elements of the value; O(1) for a string",
    summary="Copies a value to another key, of another database if wanted.",
    args="source:key destination:key [DB destination-db:integer] [REPLACE]",
)


# --- OBJECT -------------------------------------------------------------------------------

OBJECT_HELP = """\
OBJECT <subcommand> [<arg> [value] [opt] ...]. Subcommands are:
ENCODING <key>
    Return the kind of internal representation used in order to store the value
    associated with a <key>.
FREQ <key>
    Return the access frequency index of the <key>. The returned integer is
    proportional to the logarithm of the recent access frequency of the key.
IDLETIME <key>
    Return the idle time of the <key>, that is the approximated number of
    seconds elapsed since the last access to the key.
REFCOUNT <key>
    Return the number of references of the value associated with the specified
    <key>.
HELP
    Prints this help.
"""

declare(
    b"object", None, arity=-2, flags=CONTAINER, since="2.2.3",
    complexity="Depends on the subcommand",
    summary="Looks at how a value is stored.",
)


cdef int cmd_object_encoding(Client c) except -1:
    """OBJECT ENCODING key -> the encoding's name, or nil without the key.

    Source: https://redis.io/commands/object-encoding
    """
    cdef Entry* e = inspect(c, &c.argv[2])

    return c.reply_null() if e is NULL else c.reply_text(encoding_name(e))

declare(
    b"object|encoding", native(cmd_object_encoding), arity=3, flags=READONLY, keys=key_at(2, "RO"), since="2.2.3",
    tips=("nondeterministic_output",),
    complexity="O(1)",
    summary="Returns the name of the encoding a value is stored in.",
    args="key",
)


cdef int cmd_object_freq(Client c) except -1:
    """OBJECT FREQ key -> integer: the logarithmic access counter, 0 to 255; nil without the key.

    Errors: maxmemory-policy is not an LFU one.
    Source: https://redis.io/commands/object-freq
    """
    cdef Entry* e = inspect(c, &c.argv[2])

    if e is NULL:
        return c.reply_null()
    if not c.core.lfu:
        return c.error(ERR_FREQ)
    return c.reply_int(lfu_value(c.core, e))

declare(
    b"object|freq", native(cmd_object_freq), arity=3, flags=READONLY, keys=key_at(2, "RO"), since="4.0.0",
    tips=("nondeterministic_output",),
    complexity="O(1)",
    summary="Returns how often a value is used, on a logarithmic scale.",
    args="key",
)


def cmd_object_help(c):
    """OBJECT HELP -> array of status: the subcommands."""
    c.reply([Status(line) for line in OBJECT_HELP.splitlines()])


declare(
    b"object|help", cmd_object_help, arity=2, flags=LOADING | STALE, since="6.2.0",
    complexity="O(1)",
    summary="Explains the subcommands of OBJECT.",
)


cdef int cmd_object_idletime(Client c) except -1:
    """OBJECT IDLETIME key -> integer: seconds since the last use; nil without the key.

    Errors: maxmemory-policy is an LFU one.
    Source: https://redis.io/commands/object-idletime
    """
    cdef Entry* e = inspect(c, &c.argv[2])

    if e is NULL:
        return c.reply_null()
    if c.core.lfu:
        return c.error(ERR_IDLETIME)
    return c.reply_int(idle_seconds(c.core, e))

declare(
    b"object|idletime", native(cmd_object_idletime), arity=3, flags=READONLY, keys=key_at(2, "RO"), since="2.2.3",
    tips=("nondeterministic_output",),
    complexity="O(1)",
    summary="Returns for how many seconds a value has not been used.",
    args="key",
)


cdef int cmd_object_refcount(Client c) except -1:
    """OBJECT REFCOUNT key -> integer: 1, as no two keys share a value; nil without the key.

    For the integers below 10,000, which Redis does share and counts as INT_MAX unless maxmemory-policy looks at their
    use, clients are told the same: here no object is taken for any integer.
    Source: https://redis.io/commands/object-refcount
    """
    cdef Entry* e = inspect(c, &c.argv[2])

    if e is NULL:
        return c.reply_null()
    if entry_type(e) == TYPE_STRING and entry_encoding(e) == ENC_INT and 0 <= entry_int(e) < SHARED_INTEGERS:
        if c.core.memory_limit == INT64_MAX or not c.engine.evictor.by_use:
            return c.reply_int(INT32_MAX)
    return c.reply_int(1)

declare(
    b"object|refcount", native(cmd_object_refcount), arity=3, flags=READONLY, keys=key_at(2, "RO"), since="2.2.3",
    tips=("nondeterministic_output",),
    complexity="O(1)",
    summary="Returns the number of references to a value.",
    args="key",
)
