"""DUMP and RESTORE: a value as bytes that any Redis takes, and back. They belong to the group "generic"."""
from libc.stdint cimport INT64_MAX, int64_t, uint32_t

from fastredis._resp cimport Arg, arg_bytes, arg_hash, arg_of
from fastredis.engine.client cimport Client
from fastredis.engine.command cimport native
from fastredis.engine.core cimport GATE_LOADING, NOTIFY_GENERIC
from fastredis.engine.engine cimport Engine
from fastredis.engine.errors cimport (
    ERR_BUSY_KEY, ERR_DUMP_FOOTER, ERR_DUMP_FORMAT, ERR_DUMP_FREQ, ERR_DUMP_IDLETIME, ERR_DUMP_TTL,
)
from fastredis.engine.flags cimport ASKING, DENYOOM, READONLY, WRITE
from fastredis.engine.keys cimport KEY_ACCESS, KEY_DELETE, KEY_RW, KeyList, key_add, key_finder
from fastredis.engine.keyspace cimport LFU_MAX, lru_of_use
from fastredis.engine.options cimport (
    ALL_OPTIONS, OPT_FLAG, OPT_INT, Option, Options, arg_is, get_int_or_reply, option_number, parse_options_or_reply,
)
from fastredis.persist.rdb_read cimport rdb_dump_valid, rdb_read_dump
from fastredis.persist.rdb_save cimport RdbWriter, rdb_write_dump, rdb_writer_clear, rdb_writer_init
from fastredis.values.entry cimport Entry, entry_has_ttl, entry_set_lru

from fastredis.engine.command import declarer
from fastredis.engine.declarations import key_at
from fastredis.host.logs import WARNING
from fastredis.persist.rdb_read import RdbError

declare = declarer("generic")


def skip_checksums(Engine engine not None, bint skip):
    """DEBUG SET-SKIP-CHECKSUM-VALIDATION: RESTORE, and whoever loads a file, takes what has another checksum."""
    engine.core.skip_checksums = skip


cdef int cmd_dump(Client c) except -1:
    """DUMP key -> bulk: type, value, version and checksum as in an RDB file; nil without the key.

    Cost: O(size of the value).
    Source: https://redis.io/commands/dump
    """
    cdef Entry* e = c.db.lookup_read(&c.argv[1])
    cdef RdbWriter w

    if e is NULL:
        return c.reply_null()
    rdb_writer_init(&w, &c.core.memory, -1)
    try:
        w.compress = c.engine.config["rdbcompression"]
        rdb_write_dump(&w, e)
        return c.reply_bulk(w.data, w.size)
    finally:
        rdb_writer_clear(&w)

declare(
    b"dump", native(cmd_dump), arity=2, flags=READONLY, keys=key_at(1, "RO access"), since="2.6.0",
    tips=("nondeterministic_output",),
    complexity="O(N) where N is the size of the value",
    summary="Returns the value of a key as bytes that RESTORE takes.",
    args="key",
)


cdef enum:
    RESTORE_REPLACE = 1 << 0
    RESTORE_ABSTTL = 1 << 1
    RESTORE_IDLETIME = 1 << 2
    RESTORE_FREQ = 1 << 3

cdef Option[5] RESTORE_OPTIONS = [
    Option(b"REPLACE", OPT_FLAG, RESTORE_REPLACE, 0, NULL),
    Option(b"ABSTTL", OPT_FLAG, RESTORE_ABSTTL, 0, NULL),
    Option(b"IDLETIME", OPT_INT, RESTORE_IDLETIME, 1, read_idletime),
    Option(b"FREQ", OPT_INT, RESTORE_FREQ, 1, read_freq),
    Option(NULL, OPT_FLAG, 0, 0, NULL),
]


cdef bint read_idletime(Client c, int index, int64_t* value) except -1:
    if not get_int_or_reply(c, index, value):
        return False
    if value[0] < 0:
        c.error(ERR_DUMP_IDLETIME)
    return value[0] >= 0


cdef bint read_freq(Client c, int index, int64_t* value) except -1:
    if not get_int_or_reply(c, index, value):
        return False
    if not 0 <= value[0] <= LFU_MAX:
        c.error(ERR_DUMP_FREQ)
        return False
    return True


cdef Entry* read_payload_or_reply(Client c, Arg* key, const Arg* payload) except? NULL:
    """The value of a payload, in no database yet; NULL once the error is replied."""
    if not rdb_dump_valid(payload.ptr, payload.size, not c.core.skip_checksums,
                          c.engine.config["rdb-version-check"] == "relaxed"):
        c.error(ERR_DUMP_FOOTER)
        return NULL
    try:
        return rdb_read_dump(&c.core.memory, &c.core.limits, payload.ptr, payload.size, key.ptr, key.size)
    except RdbError as error:
        c.engine.log.limited("payload", WARNING,
                             f"Internal error in RDB reading offset {error.offset} -> {error.args[0]}")
        c.error(ERR_DUMP_FORMAT)
        return NULL


cdef void stamp(Client c, Entry* e, const Options* given) noexcept:
    """Note how the key was used where it comes from, if that is told and the policy looks at it."""
    cdef int64_t idle_s = option_number(given, RESTORE_IDLETIME) if given.flags & RESTORE_IDLETIME else -1
    cdef int64_t frequency = option_number(given, RESTORE_FREQ) if given.flags & RESTORE_FREQ else -1

    entry_set_lru(e, lru_of_use(c.core, idle_s, frequency))


cdef int restore_expired(Client c, Arg* key, bint deleted) except -1:
    """The key's time has come already: nothing is restored, and the old key may have gone for nothing."""
    if deleted:
        c.modified(key, NOTIFY_GENERIC, b"del")
        if c.propagates():
            c.effect([b"UNLINK" if c.core.lazy_server_del else b"DEL", arg_bytes(key)])
    return c.reply_ok()


RESTORE_ARGS = ("key ttl:integer serialized-value [REPLACE@3.0.0] [ABSTTL@5.0.0] [IDLETIME seconds:integer@5.0.0] "
                "[FREQ frequency:integer@5.0.0]")


cdef int cmd_restore(Client c) except -1:
    """RESTORE key ttl payload [REPLACE] [ABSTTL] [IDLETIME seconds | FREQ frequency] -> OK.

    ttl is in ms, with ABSTTL since the epoch; 0: none. A time that is over already restores nothing.
    Propagated with ABSTTL.
    Errors: BUSYKEY; a negative number; version or checksum of the payload; its format.
    Source: https://redis.io/commands/restore
    """
    cdef Arg* key = &c.argv[1]
    cdef Options given
    cdef Entry* e
    cdef int64_t when_ms
    cdef bint deleted = False

    if not parse_options_or_reply(c, 4, RESTORE_OPTIONS, ALL_OPTIONS, &given):
        return 0
    if not given.flags & RESTORE_REPLACE and c.db.lookup_write(key) is not NULL:
        return c.error(ERR_BUSY_KEY)
    if not get_int_or_reply(c, 2, &when_ms):
        return 0
    if when_ms < 0:
        return c.error(ERR_DUMP_TTL)
    e = read_payload_or_reply(c, key, &c.argv[3])
    if e is NULL:
        return 0
    if given.flags & RESTORE_REPLACE:
        deleted = c.db.delete(key, c.core.lazy_server_del)
    if when_ms and not given.flags & RESTORE_ABSTTL:
        when_ms = when_ms + c.core.now_ms if when_ms <= INT64_MAX - c.core.now_ms else INT64_MAX
    if when_ms and when_ms <= c.core.now_ms and c.core.expire_on_access and not c.core.gate & GATE_LOADING:
        c.db.release(e, c.core.lazy_expire)
        return restore_expired(c, key, deleted)
    c.db.add(e, arg_hash(key))
    if when_ms:
        c.db.set_expire(e, when_ms)
    c.modified(key, NOTIFY_GENERIC, b"restore")
    stamp(c, e, &given)                 # whatever the change has stamped it with
    if when_ms and not given.flags & RESTORE_ABSTTL and c.propagates():
        words = [arg_bytes(&c.argv[i]) for i in range(c.argc)]
        words[2] = b"%d" % when_ms
        c.effect(words + [b"ABSTTL"])
    return c.reply_ok()

declare(
    b"restore", native(cmd_restore), arity=-4, flags=WRITE | DENYOOM, keys=key_at(1, "OW update"), since="2.6.0",
    acl=("dangerous",),
    complexity="O(1) to make the key, and O(N) for a value of the size N, times log(N) for a big sorted set",
    summary="Makes a key from the bytes that DUMP returned.",
    args=RESTORE_ARGS,
)

# What MIGRATE sends in a cluster: RESTORE for a slot that is being imported. Without a cluster there is no difference.
declare = declarer("server")

declare(
    b"restore-asking", native(cmd_restore), arity=-4, flags=WRITE | DENYOOM | ASKING,
    keys=key_at(1, "OW update"), since="3.0.0", acl=("keyspace", "dangerous"), doc_flags=("syscmd",),
    complexity="That of RESTORE",
    summary="Makes a key that another node of a cluster sends.",
    args=RESTORE_ARGS,
)


# --- for MIGRATE ------------------------------------------------------------------------

def has_key(Client c not None, bytes key not None):
    """Whether there is such a key in the client's database."""
    cdef Arg name = arg_of(key)

    return c.db.lookup_read(&name) is not NULL


def dump_key(Client c not None, bytes key not None):
    """(payload, TTL) of a key in the client's database, as RESTORE takes them; None: there is no such key.

    The TTL is in ms, 0: none; below 0 for a key that nobody has expired although its time is over.
    Cost: O(size of the value).
    """
    cdef Arg name = arg_of(key)
    cdef Entry* e = c.db.lookup_read(&name)
    cdef RdbWriter w
    cdef int64_t left_ms = 0

    if e is NULL:
        return None
    if entry_has_ttl(e):
        left_ms = c.db.when_ms(e) - c.core.now_ms or 1
    rdb_writer_init(&w, &c.core.memory, -1)
    try:
        w.compress = c.engine.config["rdbcompression"]
        rdb_write_dump(&w, e)
        return w.data[:w.size], left_ms
    finally:
        rdb_writer_clear(&w)


def delete_migrated(Client c not None, list keys not None):
    """Delete the keys that another server has now; propagated as one DEL."""
    cdef Arg name

    for key in keys:
        name = arg_of(key)
        c.db.delete(&name, c.core.lazy_server_del)
        c.modified(&name, NOTIFY_GENERIC, b"del")
    if c.propagates():
        c.effect([b"DEL", *keys])


cdef void find_migrated(const Arg* argv, int argc, KeyList* found) noexcept:
    """MIGRATE's one key, or those after KEYS; none if both are given, which the command refuses."""
    cdef uint32_t flags = KEY_RW | KEY_ACCESS | KEY_DELETE
    cdef int i = 6

    while i < argc:
        if arg_is(&argv[i], b"keys"):
            if argv[3].size == 0:
                for i in range(i + 1, argc):
                    key_add(found, i, flags)
            return
        i += 3 if arg_is(&argv[i], b"auth2") else 2 if arg_is(&argv[i], b"auth") else 1
    key_add(found, 3, flags)


migrate_keys = key_finder(find_migrated)
