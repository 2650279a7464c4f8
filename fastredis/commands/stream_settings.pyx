"""What a stream knows of itself, set by a command: XSETID, XCFGSET, XIDMPRECORD."""
from libc.stdint cimport int64_t, uint64_t

from fastredis._resp cimport Arg
from fastredis.commands.stream_messages cimport want_idmp
from fastredis.commands.streams cimport Client, Entry, Id, Stream, id_or_reply, is_zero
from fastredis.ds.id_tree cimport id_equal, id_less
from fastredis.engine.command cimport native
from fastredis.engine.core cimport NOTIFY_STREAM
from fastredis.engine.errors cimport ERR_NO_KEY, ERR_SYNTAX
from fastredis.engine.flags cimport DENYOOM, FAST, WRITE
from fastredis.engine.options cimport arg_is, get_int_or_reply
from fastredis.values.entry cimport TYPE_STREAM
from fastredis.values.stream_idmp cimport IDMP_LONGEST, IDMP_MOST, idmp_clear, idmp_find, idmp_record
from fastredis.values.stream_type cimport stream_has, stream_last_entry, stream_length, stream_of

from fastredis.engine.command import declarer
from fastredis.engine.declarations import key_at

declare = declarer("stream")


cdef Stream* stream_or_reply(Client c) except? NULL:
    """The stream argv[1], to be changed; NULL: an error is replied."""
    cdef Entry* e = c.db.lookup_write(&c.argv[1])

    if e is NULL:
        c.error(ERR_NO_KEY)
        return NULL
    return stream_of(e) if c.has_type(e, TYPE_STREAM) else NULL


# ---------------------------------------------------------------- XSETID

cdef struct SetId:                  # arguments of XSETID
    Id last_id
    int64_t added                   # ENTRIESADDED; -1: not given
    Id deleted                      # MAXDELETEDID; 0-0: not given


cdef bint setid_or_reply(Client c, SetId* args) except -1:
    cdef int i = 3

    args.added = -1
    args.deleted = Id(0, 0)
    if not id_or_reply(c, 2, 0, &args.last_id):
        return False
    while i < c.argc:
        if arg_is(&c.argv[i], b"ENTRIESADDED") and i + 1 < c.argc:
            if not get_int_or_reply(c, i + 1, &args.added):
                return False
            if args.added < 0:
                c.error(b"ERR entries_added must be positive")
                return False
        elif arg_is(&c.argv[i], b"MAXDELETEDID") and i + 1 < c.argc:
            if not id_or_reply(c, i + 1, 0, &args.deleted):
                return False
            if id_less(args.last_id, args.deleted):
                c.error(b"ERR The ID specified in XSETID is smaller than the provided max_deleted_entry_id")
                return False
        else:
            c.error(ERR_SYNTAX)
            return False
        i += 2
    return True


cdef int cmd_xsetid(Client c) except -1:
    """XSETID key last-id [ENTRIESADDED n] [MAXDELETEDID id] -> OK: what the stream knows of itself.

    Errors: no such key; WRONGTYPE; an id below that of an entry; fewer entries than there are.
    Source: https://redis.io/commands/xsetid
    """
    cdef SetId args
    cdef Entry* e
    cdef Stream* s

    if not setid_or_reply(c, &args):
        return 0
    e = c.db.lookup_write(&c.argv[1])
    if e is NULL:
        return c.error(ERR_NO_KEY)
    if not c.has_type(e, TYPE_STREAM):
        return 0
    s = stream_of(e)
    if id_less(args.last_id, s.max_deleted_id):
        return c.error(b"ERR The ID specified in XSETID is smaller than current max_deleted_entry_id")
    if stream_length(s):
        if id_less(args.last_id, stream_last_entry(s)):
            return c.error(b"ERR The ID specified in XSETID is smaller than the target stream top item")
        if args.added != -1 and stream_length(s) > <uint64_t>args.added:
            return c.error(b"ERR The entries_added specified in XSETID is smaller than the target stream length")
    s.last_id = args.last_id
    if args.added != -1:
        s.entries_added = args.added
    if not is_zero(args.deleted):
        s.max_deleted_id = args.deleted
    c.core.dirty += 1
    c.note(&c.argv[1], NOTIFY_STREAM, b"xsetid")        # who watches the key is not told, as in Redis
    return c.reply_ok()

declare(
    b"xsetid", native(cmd_xsetid), arity=-3, flags=WRITE | DENYOOM | FAST, keys=key_at(1, "RW update"), since="5.0.0",
    complexity="O(1)",
    summary="Sets the last id of a stream, and what else it counts by.",
    args="key last-id [ENTRIESADDED entries-added:integer@7.0.0] [MAXDELETEDID max-deleted-id@7.0.0]",
    history=(("7.0.0", "`ENTRIESADDED` and `MAXDELETEDID`."),),
)


# ---------------------------------------------------------------- idempotent producers

cdef struct Limits:                 # arguments of XCFGSET; -1: not given
    int64_t duration_s
    int64_t maxsize


cdef bint limits_or_reply(Client c, Limits* limits) except -1:
    cdef int i = 2

    limits.duration_s = limits.maxsize = -1
    while i < c.argc:
        if arg_is(&c.argv[i], b"IDMP-DURATION") and i + 1 < c.argc:
            if not get_int_or_reply(c, i + 1, &limits.duration_s):
                return False
            if not 1 <= limits.duration_s <= IDMP_LONGEST:
                c.error(b"ERR IDMP-DURATION must be between 1 and 86400 seconds")
                return False
        elif arg_is(&c.argv[i], b"IDMP-MAXSIZE") and i + 1 < c.argc:
            if not get_int_or_reply(c, i + 1, &limits.maxsize):
                return False
            if not 1 <= limits.maxsize <= IDMP_MOST:
                c.error(b"ERR IDMP-MAXSIZE must be between 1 and 10000 entries")
                return False
        else:
            c.error(ERR_SYNTAX)
            return False
        i += 2
    if c.argc == 2:
        c.error(b"ERR At least one parameter must be specified")
    return c.argc > 2


cdef int cmd_xcfgset(Client c) except -1:
    """XCFGSET key [IDMP-DURATION seconds] [IDMP-MAXSIZE n] -> OK: how long, and how many messages are remembered.

    What is known of producers is forgotten, unless nothing changes. Errors: no such key; WRONGTYPE; syntax.
    Source: https://redis.io/commands/xcfgset
    """
    cdef Limits limits
    cdef Stream* s

    if not limits_or_reply(c, &limits):
        return 0
    s = stream_or_reply(c)
    if s is NULL:
        return 0
    want_idmp(c, s)
    if limits.duration_s == -1:
        limits.duration_s = s.idmp.duration_s
    if limits.maxsize == -1:
        limits.maxsize = s.idmp.maxsize
    if <uint64_t>limits.duration_s != s.idmp.duration_s or <uint64_t>limits.maxsize != s.idmp.maxsize:
        idmp_clear(&c.core.memory, s.idmp)
        s.idmp.duration_s, s.idmp.maxsize = limits.duration_s, limits.maxsize
    c.core.dirty += 1
    return c.reply_ok()

declare(
    b"xcfgset", native(cmd_xcfgset), arity=-2, flags=WRITE | FAST, keys=key_at(1, "RW update"), since="8.6.0",
    complexity="O(1); O(N) when something changes, where N is the number of messages that are kept",
    summary="Sets how long, and how many, messages of idempotent producers are remembered.",
    args="key [IDMP-DURATION idmp-duration:integer] [IDMP-MAXSIZE idmp-maxsize:integer]",
)


cdef int cmd_xidmprecord(Client c) except -1:
    """XIDMPRECORD key pid iid id -> OK: an entry was a producer's message. As which XADD IDMP is propagated.

    Errors: no such key; WRONGTYPE; no such entry; an empty name; the message became another entry.
    Source: https://redis.io/commands/xidmprecord
    """
    cdef Arg* pid = &c.argv[2]
    cdef Arg* iid = &c.argv[3]
    cdef Stream* s
    cdef Id id, known

    if pid.size == 0 or iid.size == 0:
        return c.error(b"ERR XIDMPRECORD requires a non-empty producer ID and idempotent ID")
    if not id_or_reply(c, 4, 0, &id):
        return 0
    s = stream_or_reply(c)
    if s is NULL:
        return 0
    # What a master has told may have been trimmed at once.
    if not c.core.obeying and not stream_has(s, id):
        return c.error(b"ERR The stream ID does not exist in the stream")
    want_idmp(c, s)
    if idmp_find(&c.core.memory, s.idmp, pid.ptr, pid.size, iid.ptr, iid.size, c.core.now_ms, &known):
        if not id_equal(known, id):
            return c.error(b"ERR The producer ID and idempotent ID already map to a different stream ID")
        return c.reply_ok()
    idmp_record(&c.core.memory, s.idmp, pid.ptr, pid.size, iid.ptr, iid.size, id, c.core.now_ms)
    c.core.dirty += 1
    return c.reply_ok()

declare(
    b"xidmprecord", native(cmd_xidmprecord), arity=5, flags=WRITE | DENYOOM | FAST, keys=key_at(1, "RW update"),
    since="8.6.2",
    complexity="O(1)",
    summary="Notes which entry a message of an idempotent producer became.",
    args="key pid iid stream-id",
)
