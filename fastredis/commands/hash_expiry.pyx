"""Time to live of hash fields: HEXPIRE and its family, HTTL, HPERSIST, HGETEX, HSETEX, HGETDEL.

A deadline is below 2^46 ms since the epoch, as in Redis. One that has passed deletes the field at once, but not on
a replica and not while loading. What is propagated names the fields that changed, and deadlines as Unix times in
milliseconds.
"""
from libc.stdint cimport INT32_MAX, INT64_MAX, int64_t

from fastredis._resp cimport Arg, arg_bytes
from fastredis.commands.hashes cimport (
    find_field, has_due, is_due, remove_due, reply_field, retrack, set_pairs, wrong_arity,
)
from fastredis.engine.client cimport Client
from fastredis.engine.command cimport Command, native
from fastredis.engine.core cimport GATE_LOADING, NOTIFY_HASH
from fastredis.engine.errors cimport (
    ERR_EXPIRE_NEGATIVE, ERR_FIELDS_MISSING, ERR_FXX_FNX, ERR_NO_EXPIRE_TIME, ERR_NUMFIELDS_BAD, ERR_NUMFIELDS_INVALID,
    ERR_NUMFIELDS_OTHER, ERR_NUMFIELDS_ZERO, ERR_ONE_EXPIRATION, expire_error,
)
from fastredis.engine.flags cimport DENYOOM, FAST, READONLY, WRITE
from fastredis.engine.options cimport arg_is, get_int_or_reply, get_range_or_reply
from fastredis.values.entry cimport TYPE_HASH, Entry
from fastredis.values.hash_ttl cimport DEADLINE_BITS, hash_set_when
from fastredis.values.hash_type cimport NO_DEADLINE, FieldValue, hash_delete

from fastredis.engine.command import declarer
from fastredis.engine.declarations import key_at

declare = declarer("hash")

cdef enum:                          # what HEXPIRE and HPERSIST reply for a field
    NO_FIELD = -2
    NO_TTL = -1
    REFUSED = 0
    DONE = 1
    DELETED = 2

cdef enum:                          # words of the options
    IF_NX = 1 << 0                  # only if the field has no deadline
    IF_XX = 1 << 1                  # only if it has one
    IF_GT = 1 << 2                  # only to a later one; no deadline is the latest of all
    IF_LT = 1 << 3                  # only to a sooner one
    IN_SECONDS = 1 << 4             # of EX, PX, EXAT, PXAT: the unit
    FROM_EPOCH = 1 << 5             # ... and where they count from
    EXPIRATION = 1 << 6
    PERSIST = 1 << 7
    KEEPTTL = 1 << 8
    FNX = 1 << 9                    # only if none of the fields exists
    FXX = 1 << 10                   # only if all of them do
    FIELDS = 1 << 11

cdef struct Word:
    const char* token               # NULL ends a list
    int flags

cdef Word[5] CONDITIONS = [Word(b"NX", IF_NX), Word(b"XX", IF_XX), Word(b"GT", IF_GT), Word(b"LT", IF_LT),
                           Word(NULL, 0)]
cdef Word[6] HGETEX_WORDS = [
    Word(b"EX", EXPIRATION | IN_SECONDS), Word(b"PX", EXPIRATION), Word(b"EXAT", EXPIRATION | IN_SECONDS | FROM_EPOCH),
    Word(b"PXAT", EXPIRATION | FROM_EPOCH), Word(b"PERSIST", PERSIST), Word(NULL, 0),
]
cdef Word[9] HSETEX_WORDS = [
    Word(b"EX", EXPIRATION | IN_SECONDS), Word(b"PX", EXPIRATION), Word(b"EXAT", EXPIRATION | IN_SECONDS | FROM_EPOCH),
    Word(b"PXAT", EXPIRATION | FROM_EPOCH), Word(b"KEEPTTL", KEEPTTL), Word(b"FNX", FNX), Word(b"FXX", FXX),
    Word(b"FIELDS", FIELDS), Word(NULL, 0),
]


# ---------------------------------------------------------------- arguments

cdef int word_flags(const Arg* a, const Word* known) noexcept:
    """What a word of an option stands for; 0: it is none of these."""
    while known.token is not NULL:
        if arg_is(a, known.token):
            return known.flags
        known += 1
    return 0


cdef bint fields_or_reply(Client c, int at, const char* bad_number) except -1:
    """argv[at..] is FIELDS, a number, and so many fields."""
    cdef int64_t count

    if at >= c.argc or not arg_is(&c.argv[at], b"FIELDS"):
        c.error(ERR_FIELDS_MISSING)
    elif at + 1 == c.argc:
        wrong_arity(c)
    elif get_range_or_reply(c, at + 1, 1, INT64_MAX, &count, bad_number):
        if count == c.argc - at - 2:
            return True
        c.error(ERR_NUMFIELDS_OTHER)
    return False


cdef bint deadline_or_reply(Client c, int index, int unit, int64_t* when_ms) except -1:
    """argv[index] as a deadline, ms since the epoch. unit: IN_SECONDS and FROM_EPOCH bits."""
    cdef int64_t amount
    cdef int64_t scale = 1000 if unit & IN_SECONDS else 1
    cdef int64_t base_ms = 0 if unit & FROM_EPOCH else c.core.now_ms
    cdef int64_t last_ms = (<int64_t>1 << DEADLINE_BITS) - 1

    if not get_int_or_reply(c, index, &amount):
        return False
    if amount < 0:
        c.error(ERR_EXPIRE_NEGATIVE)
        return False
    if amount > last_ms // scale or amount * scale > last_ms - base_ms:
        c.error_text(expire_error((<Command>c.command).name))
        return False
    when_ms[0] = max(base_ms + amount * scale, 1)       # 0 would be no deadline
    return True


cdef inline bint has_passed(Client c, int64_t when_ms) noexcept:
    """Whether a field with that deadline is deleted at once."""
    return when_ms <= c.core.now_ms and c.core.expire_on_access and not c.core.gate & GATE_LOADING


# ---------------------------------------------------------------- changes

cdef bint delete(Client c, Entry* e, Arg* field) except -1:
    return hash_delete(&c.core.memory, e, field.ptr, field.size, field.hash)


cdef int set_when(Client c, Entry* e, Arg* field, int64_t when_ms) except -1:
    return hash_set_when(&c.core.memory, &c.core.limits, e, field.ptr, field.size, field.hash, when_ms)


cdef int changed(Client c, Entry* e, int fields, const char* event) except -1:
    """So many fields got or lost a deadline, or were deleted."""
    retrack(c, e)
    c.modified(&c.argv[1], NOTIFY_HASH, event, fields)
    return c.drop_empty(&c.argv[1], e)


cdef int expire_effect(Client c, int64_t when_ms, list condition, list names) except -1:
    """What is propagated for fields that got a deadline, or, as it has passed, were deleted."""
    if names is None:
        return 0
    if has_passed(c, when_ms):
        return c.effect([b"HDEL", arg_bytes(&c.argv[1]), *names])
    return c.effect([b"HPEXPIREAT", arg_bytes(&c.argv[1]), b"%d" % when_ms, *condition, b"FIELDS", b"%d" % len(names),
                     *names])


# ---------------------------------------------------------------- HEXPIRE

cdef bint allowed(int64_t old_ms, int64_t when_ms, int condition) noexcept:
    """Whether the condition lets a field with this deadline have that one."""
    if old_ms == NO_DEADLINE:
        return not condition & (IF_XX | IF_GT)
    if condition & IF_NX or (condition & IF_GT and when_ms <= old_ms):
        return False
    return not (condition & IF_LT and when_ms >= old_ms)


cdef int expire_field(Client c, Entry* e, Arg* field, int64_t when_ms, int condition) except -3:
    """Give a field a deadline; returns what is replied for it."""
    cdef FieldValue found

    if e is NULL or not find_field(e, field, &found) or is_due(c, found.when_ms):
        return NO_FIELD
    if not allowed(found.when_ms, when_ms, condition):
        return REFUSED
    if has_passed(c, when_ms):
        delete(c, e, field)
        return DELETED
    set_when(c, e, field, when_ms)
    return DONE


cdef int expire(Client c, int unit) except -1:
    """All of HEXPIRE and its like. The type of the key is looked at before the other arguments, as in Redis."""
    cdef Entry* e = c.db.lookup_write(&c.argv[1])
    cdef list names = [] if c.propagates() else None
    cdef int64_t when_ms
    cdef int condition, outcome, first, i
    cdef int fields = 0

    if not c.has_type(e, TYPE_HASH) or not deadline_or_reply(c, 2, unit, &when_ms):
        return 0
    condition = word_flags(&c.argv[3], CONDITIONS)
    first = 6 if condition else 5
    if not fields_or_reply(c, first - 2, ERR_NUMFIELDS_ZERO):
        return 0
    c.reply_array(c.argc - first)
    for i in range(first, c.argc):
        outcome = expire_field(c, e, &c.argv[i], when_ms, condition)
        c.reply_int(outcome)
        if outcome > 0:
            fields += 1
            if names is not None:
                names.append(arg_bytes(&c.argv[i]))
    if fields:
        expire_effect(c, when_ms, [arg_bytes(&c.argv[3])] if condition else [], names)
        changed(c, e, fields, b"hdel" if has_passed(c, when_ms) else b"hexpire")
    return 0


cdef int cmd_hexpire(Client c) except -1:
    """HEXPIRE key seconds [NX | XX | GT | LT] FIELDS n field [field ...] -> array of integers, one for each field.

    1: done; 0: the condition does not hold; 2: deleted, as 0 seconds were given; -2: there is no such field.
    Errors: WRONGTYPE; time negative, out of range or no integer; n is not the number of fields.
    Source: https://redis.io/commands/hexpire
    """
    return expire(c, IN_SECONDS)

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
    return expire(c, 0)

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
    return expire(c, IN_SECONDS | FROM_EPOCH)

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
    return expire(c, FROM_EPOCH)

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

cdef int64_t ttl_of(Client c, Entry* e, Arg* field, int unit) noexcept:
    """What HTTL and its like reply for a field. Seconds are rounded up."""
    cdef FieldValue found
    cdef int64_t ms

    if e is NULL or not find_field(e, field, &found) or is_due(c, found.when_ms):
        return NO_FIELD
    if found.when_ms == NO_DEADLINE:
        return NO_TTL
    ms = found.when_ms if unit & FROM_EPOCH else found.when_ms - c.core.now_ms
    return (ms + 999) // 1000 if unit & IN_SECONDS else ms


cdef int reply_ttls(Client c, int unit) except -1:
    cdef Entry* e = c.db.lookup_read(&c.argv[1])
    cdef int i

    if not c.has_type(e, TYPE_HASH) or not fields_or_reply(c, 2, ERR_NUMFIELDS_BAD):
        return 0
    c.reply_array(c.argc - 4)
    for i in range(4, c.argc):
        c.reply_int(ttl_of(c, e, &c.argv[i], unit))
    return 0


cdef int cmd_httl(Client c) except -1:
    """HTTL key FIELDS n field [field ...] -> array of integers: seconds left; -1 without a TTL, -2 without the field.

    Source: https://redis.io/commands/httl
    """
    return reply_ttls(c, IN_SECONDS)

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
    return reply_ttls(c, 0)

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
    return reply_ttls(c, IN_SECONDS | FROM_EPOCH)

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
    return reply_ttls(c, FROM_EPOCH)

declare(
    b"hpexpiretime", native(cmd_hpexpiretime), arity=-5, flags=READONLY | FAST, keys=key_at(1, "RO access"),
    since="7.4.0",
    complexity="O(N) where N is the number of fields named",
    summary="Returns the Unix times in milliseconds at which fields of a hash expire.",
    args="key FIELDS fields={numfields:integer field...}",
)


# ---------------------------------------------------------------- HPERSIST

cdef int persist_field(Client c, Entry* e, Arg* field) except -3:
    """Take a field's deadline away; returns what is replied for it."""
    cdef FieldValue found

    if e is NULL or not find_field(e, field, &found) or is_due(c, found.when_ms):
        return NO_FIELD
    if found.when_ms == NO_DEADLINE:
        return NO_TTL
    set_when(c, e, field, NO_DEADLINE)
    return DONE


cdef int cmd_hpersist(Client c) except -1:
    """HPERSIST key FIELDS n field [field ...] -> array of integers: 1; -1 without a TTL, -2 without the field.

    Source: https://redis.io/commands/hpersist
    """
    cdef Entry* e = c.db.lookup_write(&c.argv[1])
    cdef int fields = 0
    cdef int outcome, i

    if not c.has_type(e, TYPE_HASH) or not fields_or_reply(c, 2, ERR_NUMFIELDS_BAD):
        return 0
    c.reply_array(c.argc - 4)
    for i in range(4, c.argc):
        outcome = persist_field(c, e, &c.argv[i])
        c.reply_int(outcome)
        fields += outcome == DONE
    return changed(c, e, fields, b"hpersist") if fields else 0

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

    if not c.has_type(e, TYPE_HASH) or not fields_or_reply(c, 2, ERR_NUMFIELDS_BAD):
        return 0
    if e is not NULL and has_due(c, e) and remove_due(c, e, 4, c.argc - 1, 1, False):
        e = NULL
    c.reply_array(c.argc - 4)
    for i in range(4, c.argc):
        reply_field(c, e, &c.argv[i])
        if e is not NULL and delete(c, e, &c.argv[i]):
            fields += 1
            if names is not None:
                names.append(arg_bytes(&c.argv[i]))
    if fields and names is not None:
        c.effect([b"HDEL", arg_bytes(&c.argv[1]), *names])
    return changed(c, e, fields, b"hdel") if fields else 0

declare(
    b"hgetdel", native(cmd_hgetdel), arity=-5, flags=WRITE | FAST, keys=key_at(1, "RW access delete"), since="8.0.0",
    complexity="O(N) where N is the number of fields named",
    summary="Returns the values of fields of a hash and deletes them; the key goes with the last one.",
    args="key FIELDS fields={numfields:integer field...}",
)


cdef bint change_ttl(Client c, Entry* e, Arg* field, int flags, int64_t when_ms) except -1:
    """HGETEX's change of a field; False: there is nothing to change."""
    if flags & PERSIST:
        return persist_field(c, e, field) == DONE
    return flags & EXPIRATION and expire_field(c, e, field, when_ms, 0) > 0


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
    if not fields_or_reply(c, first - 2, ERR_NUMFIELDS_BAD):
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
        expire_effect(c, when_ms, [], names)
        return changed(c, e, fields, b"hdel" if has_passed(c, when_ms) else b"hexpire")
    if names is not None:
        c.effect([b"HPERSIST", arg_bytes(&c.argv[1]), b"FIELDS", b"%d" % fields, *names])
    return changed(c, e, fields, b"hpersist")

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

cdef struct SetOptions:
    int flags                       # of all words given
    int expiration                  # place of the word that gives the time; 0: none does
    int first                       # place of the first field
    int64_t when_ms


cdef bint pairs_or_reply(Client c, int at, SetOptions* given) except -1:
    """argv[at..] is FIELDS, a number, and so many pairs."""
    cdef int64_t count

    if at >= c.argc - 3:
        wrong_arity(c)
        return False
    if not get_range_or_reply(c, at + 1, 1, INT32_MAX, &count, ERR_NUMFIELDS_INVALID):
        return False
    if count * 2 != c.argc - at - 2:
        wrong_arity(c)
        return False
    given.first = at + 2
    return True


cdef bint set_options_or_reply(Client c, SetOptions* given) except -1:
    """Read argv[2..] of HSETEX. Each kind of option may come once; FIELDS is the last."""
    cdef int flags
    cdef int i = 2

    given.flags = given.expiration = 0
    while i < c.argc:
        flags = word_flags(&c.argv[i], HSETEX_WORDS)
        if flags & FIELDS:
            return pairs_or_reply(c, i, given)
        if flags == 0:
            c.error_text(b"ERR unknown argument: " + arg_bytes(&c.argv[i]).partition(b"\0")[0])
            return False
        if flags & (FNX | FXX) and given.flags & (FNX | FXX):
            c.error(ERR_FXX_FNX)
            return False
        if flags & (EXPIRATION | KEEPTTL) and given.flags & (EXPIRATION | KEEPTTL):
            c.error(ERR_ONE_EXPIRATION)
            return False
        given.flags |= flags
        if flags & EXPIRATION:
            given.expiration = i
            i += 1
            if i == c.argc:
                c.error(ERR_NO_EXPIRE_TIME)
                return False
            if not deadline_or_reply(c, i, flags, &given.when_ms):
                return False
        i += 1
    c.error(ERR_FIELDS_MISSING)
    return False


cdef bint condition_holds(Client c, Entry* e, const SetOptions* given) noexcept:
    """FNX: none of the fields exists; FXX: all do."""
    cdef FieldValue found
    cdef bint there
    cdef int i

    if not given.flags & (FNX | FXX):
        return True
    for i in range(given.first, c.argc, 2):
        there = e is not NULL and find_field(e, &c.argv[i], &found)
        if there != (given.flags & FXX != 0):
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
            delete(c, e, &c.argv[i])
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

    if not set_options_or_reply(c, &given):
        return 0
    e = c.db.lookup_write(key)
    if not c.has_type(e, TYPE_HASH):
        return 0
    if given.flags & (FNX | FXX) and e is not NULL and has_due(c, e) and (
            remove_due(c, e, given.first, c.argc - 1, 2, bool(given.flags & FNX))):
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
