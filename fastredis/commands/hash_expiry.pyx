"""Time to live of hash fields: HEXPIRE and its family, HTTL, HPERSIST, HGETEX, HSETEX, HGETDEL.

What they share with the commands on members of sets is in commands/deadlines.
"""
from libc.stdint cimport int64_t

from fastredis._resp cimport Arg, arg_bytes
from fastredis.commands.deadlines cimport (
    DONE, EXPIRATION, FIELD_PARTS, FROM_EPOCH, IF_ALL, IF_NONE, IN_SECONDS, KEEPTTL, NAMES, NO_DEADLINE, PERSIST,
    SetOptions, Word, changed, deadline_or_reply, delete_part, expire_command, expire_effect, expire_part, find_part,
    has_passed, names_or_reply, persist_command, persist_part, set_options_or_reply, set_when, ttl_command, word_flags,
)
from fastredis.commands.hashes cimport has_due, remove_due, reply_field, retrack, set_pairs
from fastredis.engine.client cimport Client
from fastredis.engine.command cimport native
from fastredis.engine.core cimport NOTIFY_HASH
from fastredis.engine.errors cimport ERR_NUMFIELDS_BAD
from fastredis.engine.flags cimport DENYOOM, FAST, READONLY, WRITE
from fastredis.values.entry cimport TYPE_HASH, Entry

from fastredis.engine.command import declarer
from fastredis.engine.declarations import key_at

declare = declarer("hash")

cdef Word[6] HGETEX_WORDS = [
    Word(b"EX", EXPIRATION | IN_SECONDS), Word(b"PX", EXPIRATION), Word(b"EXAT", EXPIRATION | IN_SECONDS | FROM_EPOCH),
    Word(b"PXAT", EXPIRATION | FROM_EPOCH), Word(b"PERSIST", PERSIST), Word(NULL, 0),
]
cdef Word[9] HSETEX_WORDS = [
    Word(b"EX", EXPIRATION | IN_SECONDS), Word(b"PX", EXPIRATION), Word(b"EXAT", EXPIRATION | IN_SECONDS | FROM_EPOCH),
    Word(b"PXAT", EXPIRATION | FROM_EPOCH), Word(b"KEEPTTL", KEEPTTL), Word(b"FNX", IF_NONE),
    Word(b"FXX", IF_ALL), Word(b"FIELDS", NAMES), Word(NULL, 0),
]


# ---------------------------------------------------------------- HEXPIRE

cdef int cmd_hexpire(Client c) except -1:
    """HEXPIRE key seconds [NX | XX | GT | LT] FIELDS n field [field ...] -> array of integers, one for each field.

    1: done; 0: the condition does not hold; 2: deleted, as 0 seconds were given; -2: there is no such field.
    Errors: WRONGTYPE; time negative, out of range or no integer; n is not the number of fields.
    Source: https://redis.io/commands/hexpire
    """
    return expire_command(c, &FIELD_PARTS, IN_SECONDS)

declare(
    b"hexpire", native(cmd_hexpire), arity=-6, flags=WRITE | DENYOOM | FAST, keys=key_at(1, "RW update"), since="7.4.0",
    complexity="O(N log M) where N is the number of fields named and M that of all fields with a time to live",
    summary="Lets fields of a hash expire after some seconds.",
    args="key seconds:integer [condition=(NX | XX | GT | LT)] FIELDS fields={numfields:integer field...}",
)


cdef int cmd_hpexpire(Client c) except -1:
    """HPEXPIRE key milliseconds [NX | XX | GT | LT] FIELDS n field [field ...] -> array of integers: as HEXPIRE.

    Source: https://redis.io/commands/hpexpire
    """
    return expire_command(c, &FIELD_PARTS, 0)

declare(
    b"hpexpire", native(cmd_hpexpire), arity=-6, flags=WRITE | DENYOOM | FAST, keys=key_at(1, "RW update"),
    since="7.4.0",
    complexity="O(N log M) where N is the number of fields named and M that of all fields with a time to live",
    summary="Lets fields of a hash expire after some milliseconds.",
    args="key milliseconds:integer [condition=(NX | XX | GT | LT)] FIELDS fields={numfields:integer field...}",
)


cdef int cmd_hexpireat(Client c) except -1:
    """HEXPIREAT key unix-time-seconds [NX | XX | GT | LT] FIELDS n field [field ...] -> array of integers: as HEXPIRE.

    Source: https://redis.io/commands/hexpireat
    """
    return expire_command(c, &FIELD_PARTS, IN_SECONDS | FROM_EPOCH)

declare(
    b"hexpireat", native(cmd_hexpireat), arity=-6, flags=WRITE | DENYOOM | FAST, keys=key_at(1, "RW update"),
    since="7.4.0",
    complexity="O(N log M) where N is the number of fields named and M that of all fields with a time to live",
    summary="Lets fields of a hash expire at a Unix time in seconds.",
    args="key unix-time-seconds:unix-time [condition=(NX | XX | GT | LT)] FIELDS fields={numfields:integer field...}",
)


cdef int cmd_hpexpireat(Client c) except -1:
    """HPEXPIREAT key unix-time-milliseconds [NX | XX | GT | LT] FIELDS n field [field ...] -> array of integers:
    as HEXPIRE. Source: https://redis.io/commands/hpexpireat
    """
    return expire_command(c, &FIELD_PARTS, FROM_EPOCH)

declare(
    b"hpexpireat", native(cmd_hpexpireat), arity=-6, flags=WRITE | DENYOOM | FAST, keys=key_at(1, "RW update"),
    since="7.4.0",
    complexity="O(N log M) where N is the number of fields named and M that of all fields with a time to live",
    summary="Lets fields of a hash expire at a Unix time in milliseconds.",
    args=(
        "key unix-time-milliseconds:unix-time [condition=(NX | XX | GT | LT)] FIELDS"
        " fields={numfields:integer field...}"
    ),
)


# ---------------------------------------------------------------- HTTL

cdef int cmd_httl(Client c) except -1:
    """HTTL key FIELDS n field [field ...] -> array of integers: seconds left; -1 without a TTL, -2 without the field.

    Source: https://redis.io/commands/httl
    """
    return ttl_command(c, &FIELD_PARTS, IN_SECONDS)

declare(
    b"httl", native(cmd_httl), arity=-5, flags=READONLY | FAST, keys=key_at(1, "RO access"), since="7.4.0",
    tips=("nondeterministic_output",),
    complexity="O(N) where N is the number of fields named",
    summary="Returns the time to live of fields of a hash in seconds.",
    args="key FIELDS fields={numfields:integer field...}",
)


cdef int cmd_hpttl(Client c) except -1:
    """HPTTL key FIELDS n field [field ...] -> array of integers: milliseconds left; else as HTTL.

    Source: https://redis.io/commands/hpttl
    """
    return ttl_command(c, &FIELD_PARTS, 0)

declare(
    b"hpttl", native(cmd_hpttl), arity=-5, flags=READONLY | FAST, keys=key_at(1, "RO access"), since="7.4.0",
    tips=("nondeterministic_output",),
    complexity="O(N) where N is the number of fields named",
    summary="Returns the time to live of fields of a hash in milliseconds.",
    args="key FIELDS fields={numfields:integer field...}",
)


cdef int cmd_hexpiretime(Client c) except -1:
    """HEXPIRETIME key FIELDS n field [field ...] -> array of integers: Unix times in seconds; else as HTTL.

    Source: https://redis.io/commands/hexpiretime
    """
    return ttl_command(c, &FIELD_PARTS, IN_SECONDS | FROM_EPOCH)

declare(
    b"hexpiretime", native(cmd_hexpiretime), arity=-5, flags=READONLY | FAST, keys=key_at(1, "RO access"),
    since="7.4.0",
    complexity="O(N) where N is the number of fields named",
    summary="Returns the Unix times in seconds at which fields of a hash expire.",
    args="key FIELDS fields={numfields:integer field...}",
)


cdef int cmd_hpexpiretime(Client c) except -1:
    """HPEXPIRETIME key FIELDS n field [field ...] -> array of integers: Unix times in ms; else as HTTL.

    Source: https://redis.io/commands/hpexpiretime
    """
    return ttl_command(c, &FIELD_PARTS, FROM_EPOCH)

declare(
    b"hpexpiretime", native(cmd_hpexpiretime), arity=-5, flags=READONLY | FAST, keys=key_at(1, "RO access"),
    since="7.4.0",
    complexity="O(N) where N is the number of fields named",
    summary="Returns the Unix times in milliseconds at which fields of a hash expire.",
    args="key FIELDS fields={numfields:integer field...}",
)


# ---------------------------------------------------------------- HPERSIST

cdef int cmd_hpersist(Client c) except -1:
    """HPERSIST key FIELDS n field [field ...] -> array of integers: 1; -1 without a TTL, -2 without the field.

    Source: https://redis.io/commands/hpersist
    """
    return persist_command(c, &FIELD_PARTS)

declare(
    b"hpersist", native(cmd_hpersist), arity=-5, flags=WRITE | FAST, keys=key_at(1, "RW update"), since="7.4.0",
    complexity="O(N log M) where N is the number of fields named and M that of all fields with a time to live",
    summary="Removes the time to live from fields of a hash.",
    args="key FIELDS fields={numfields:integer field...}",
)


# ---------------------------------------------------------------- HGETDEL, HGETEX

cdef int cmd_hgetdel(Client c) except -1:
    """HGETDEL key FIELDS n field [field ...] -> array: the values, nil for those that were not there.

    Propagated as HDEL. Source: https://redis.io/commands/hgetdel
    """
    cdef Entry* e = c.db.lookup_write(&c.argv[1])
    cdef list names = [] if c.propagates() else None
    cdef int fields = 0
    cdef int i

    if not c.has_type(e, TYPE_HASH) or not names_or_reply(c, &FIELD_PARTS, 2, ERR_NUMFIELDS_BAD):
        return 0
    if e is not NULL and has_due(c, e) and remove_due(c, e, 4, c.argc - 1, 1, False):
        e = NULL
    c.reply_array(c.argc - 4)
    for i in range(4, c.argc):
        reply_field(c, e, &c.argv[i])
        if e is not NULL and delete_part(c, e, &c.argv[i]):
            fields += 1
            if names is not None:
                names.append(arg_bytes(&c.argv[i]))
    if fields and names is not None:
        c.effect([b"HDEL", arg_bytes(&c.argv[1]), *names])
    return changed(c, &FIELD_PARTS, e, fields, b"hdel") if fields else 0

declare(
    b"hgetdel", native(cmd_hgetdel), arity=-5, flags=WRITE | FAST, keys=key_at(1, "RW access delete"), since="8.0.0",
    complexity="O(N) where N is the number of fields named",
    summary="Returns the values of fields of a hash and deletes them; the key goes with the last one.",
    args="key FIELDS fields={numfields:integer field...}",
)


cdef bint change_ttl(Client c, Entry* e, Arg* field, int flags, int64_t when_ms) except -1:
    """HGETEX's change of a field; False: there is nothing to change."""
    if flags & PERSIST:
        return persist_part(c, e, field) == DONE
    return flags & EXPIRATION and expire_part(c, e, field, when_ms, 0) > 0


cdef int cmd_hgetex(Client c) except -1:
    """HGETEX key [EX s | PX ms | EXAT s | PXAT ms | PERSIST] FIELDS n field [field ...] -> array: as HMGET.

    Propagated as HPEXPIREAT, HPERSIST or HDEL of the fields that changed.
    Errors: WRONGTYPE; time negative, out of range or no integer; n is not the number of fields.
    Source: https://redis.io/commands/hgetex
    """
    cdef Entry* e = c.db.lookup_write(&c.argv[1])
    cdef list names = [] if c.propagates() else None
    cdef int flags = word_flags(&c.argv[2], HGETEX_WORDS)
    cdef int first = 6 if flags & EXPIRATION else 5 if flags & PERSIST else 4
    cdef int64_t when_ms = NO_DEADLINE
    cdef int fields = 0
    cdef int i

    if c.argc < first:
        return c.error(b"ERR wrong number of arguments for 'hgetex' command")
    if not c.has_type(e, TYPE_HASH) or (flags & EXPIRATION and not deadline_or_reply(c, 3, flags, &when_ms)):
        return 0
    if not names_or_reply(c, &FIELD_PARTS, first - 2, ERR_NUMFIELDS_BAD):
        return 0
    if e is not NULL and has_due(c, e) and remove_due(c, e, first, c.argc - 1, 1, False):
        e = NULL
    c.reply_array(c.argc - first)
    for i in range(first, c.argc):
        reply_field(c, e, &c.argv[i])
        if e is not NULL and change_ttl(c, e, &c.argv[i], flags, when_ms):
            fields += 1
            if names is not None:
                names.append(arg_bytes(&c.argv[i]))
    if not fields:
        return 0
    if flags & EXPIRATION:
        expire_effect(c, &FIELD_PARTS, when_ms, [], names)
        return changed(c, &FIELD_PARTS, e, fields, b"hdel" if has_passed(c, when_ms) else b"hexpire")
    if names is not None:
        c.effect([b"HPERSIST", arg_bytes(&c.argv[1]), b"FIELDS", b"%d" % fields, *names])
    return changed(c, &FIELD_PARTS, e, fields, b"hpersist")

declare(
    b"hgetex", native(cmd_hgetex), arity=-5, flags=WRITE | FAST, keys=key_at(1, "RW access update"), since="8.0.0",
    complexity="O(N log M) where N is the number of fields named and M that of all fields with a time to live",
    summary="Returns the values of fields of a hash and sets, or removes, their time to live.",
    args=(
        "key [expiration=(EX seconds:integer | PX milliseconds:integer | EXAT unix-time-seconds:unix-time"
        " | PXAT unix-time-milliseconds:unix-time | PERSIST)] FIELDS fields={numfields:integer field...}"
    ),
)


# ---------------------------------------------------------------- HSETEX

cdef bint condition_holds(Client c, Entry* e, const SetOptions* given) noexcept:
    """FNX: none of the fields exists; FXX: all do."""
    cdef int64_t when_ms
    cdef bint there
    cdef int i

    if not given.flags & (IF_NONE | IF_ALL):
        return True
    for i in range(given.first, c.argc, 2):
        there = e is not NULL and find_part(e, &c.argv[i], &when_ms)
        if there != (given.flags & IF_ALL != 0):
            return False
    return True


cdef int expire_set_fields(Client c, const SetOptions* given) except -1:
    """Give the fields that were just set their deadline, or delete them as it has passed; and tell."""
    cdef Entry* e = c.db.peek(&c.argv[1])
    cdef bint passed = has_passed(c, given.when_ms)
    cdef list words
    cdef int i

    for i in range(given.first, c.argc, 2):
        if passed:
            delete_part(c, e, &c.argv[i])
        else:
            set_when(c, e, &c.argv[i], given.when_ms)
    retrack(c, e)
    c.note(&c.argv[1], NOTIFY_HASH, b"hdel" if passed else b"hexpire")
    c.drop_empty(&c.argv[1], e)
    if c.propagates():
        words = [arg_bytes(&c.argv[i]) for i in range(c.argc)]
        if passed:
            return c.effect([b"HDEL", words[1], *words[given.first::2]])
        words[given.expiration:given.expiration + 2] = [b"PXAT", b"%d" % given.when_ms]
        c.effect(words)
    return 0


cdef int cmd_hsetex(Client c) except -1:
    """HSETEX key [FNX | FXX] [EX s | PX ms | EXAT s | PXAT ms | KEEPTTL] FIELDS n field value [field value ...]
    -> integer: 1, or 0 when the condition does not hold, and nothing is set.

    Without KEEPTTL or a time the fields lose their TTLs. A time that has passed deletes them. Propagated with PXAT,
    or as HDEL. Errors: WRONGTYPE; words that exclude each other; time; n is not the number of pairs.
    Source: https://redis.io/commands/hsetex
    """
    cdef Arg* key = &c.argv[1]
    cdef SetOptions given
    cdef Entry* e

    if not set_options_or_reply(c, &FIELD_PARTS, HSETEX_WORDS, 2, &given):
        return 0
    e = c.db.lookup_write(key)
    if not c.has_type(e, TYPE_HASH):
        return 0
    if given.flags & (IF_NONE | IF_ALL) and e is not NULL and has_due(c, e) and (
            remove_due(c, e, given.first, c.argc - 1, 2, bool(given.flags & IF_NONE))):
        e = NULL
    if not condition_holds(c, e, &given):
        return c.reply_int(0)
    set_pairs(c, e, given.first, bool(given.flags & KEEPTTL))
    c.modified(key, NOTIFY_HASH, b"hset", (c.argc - given.first) // 2)
    if given.expiration:
        expire_set_fields(c, &given)
    return c.reply_int(1)

declare(
    b"hsetex", native(cmd_hsetex), arity=-6, flags=WRITE | DENYOOM | FAST, keys=key_at(1, "RW update"), since="8.0.0",
    complexity="O(N log M) where N is the number of fields named and M that of all fields with a time to live",
    summary="Sets fields of a hash and their time to live, if wanted only when none or all of them exist.",
    args=(
        "key [condition=(FNX | FXX)] [expiration=(EX seconds:integer | PX milliseconds:integer"
        " | EXAT unix-time-seconds:unix-time | PXAT unix-time-milliseconds:unix-time | KEEPTTL)] FIELDS"
        " fields={numfields:integer data={field value}...}"
    ),
)
