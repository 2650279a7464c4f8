"""Time to live of set members: SADDEX, SEXPIRE and its family, STTL, SPERSIST.

What they share with the commands on hash fields is in commands/deadlines.
"""
from libc.stdint cimport int64_t

from fastredis._resp cimport Arg, arg_bytes, arg_hash
from fastredis.commands.deadlines cimport (
    DONE, EXPIRATION, FROM_EPOCH, IF_ALL, IF_NONE, IN_SECONDS, KEEPTTL, MEMBER_PARTS, NAMES, SetOptions, Word, changed,
    delete_part, expire_command, find_part, has_passed, persist_command, persist_part, set_options_or_reply, set_when,
    ttl_command, without_due,
)
from fastredis.engine.client cimport Client
from fastredis.engine.command cimport native
from fastredis.engine.core cimport NOTIFY_SET
from fastredis.engine.flags cimport DENYOOM, FAST, READONLY, WRITE
from fastredis.values.entry cimport TYPE_SET, Entry
from fastredis.values.set_type cimport set_add, set_expect, set_new_for
from fastredis.values.value cimport entry_timed

from fastredis.engine.command import declarer
from fastredis.engine.declarations import key_at

declare = declarer("set")

cdef Word[9] SADDEX_WORDS = [
    Word(b"EX", EXPIRATION | IN_SECONDS), Word(b"PX", EXPIRATION), Word(b"EXAT", EXPIRATION | IN_SECONDS | FROM_EPOCH),
    Word(b"PXAT", EXPIRATION | FROM_EPOCH), Word(b"KEEPTTL", KEEPTTL), Word(b"MNX", IF_NONE), Word(b"MXX", IF_ALL),
    Word(b"MEMBERS", NAMES), Word(NULL, 0),
]


# ---------------------------------------------------------------- SADDEX

cdef bint condition_holds(Client c, const Entry* e, const SetOptions* given) noexcept:
    """MNX: none of the members is in the set; MXX: all are."""
    cdef int64_t when_ms
    cdef bint there
    cdef int i

    if not given.flags & (IF_NONE | IF_ALL):
        return True
    for i in range(given.first, c.argc):
        there = e is not NULL and find_part(e, &c.argv[i], &when_ms)
        if there != (given.flags & IF_ALL != 0):
            return False
    return True


cdef int remove_members(Client c, Entry* e, const SetOptions* given) except -1:
    """SADDEX with a time that has passed: the members are in the set no more."""
    cdef list names = [] if c.propagates() else None
    cdef int removed = 0
    cdef int i

    if e is not NULL:
        for i in range(given.first, c.argc):
            if delete_part(c, e, &c.argv[i]):
                removed += 1
                if names is not None:
                    names.append(arg_bytes(&c.argv[i]))
    if removed:
        if names is not None:
            c.effect([b"SREM", arg_bytes(&c.argv[1]), *names])
        changed(c, &MEMBER_PARTS, e, removed, b"srem")
    return c.reply_int(0)


cdef int add_one(Client c, Entry* e, Arg* member, const SetOptions* given, int64_t* lost) except -1:
    """Add a member with the deadline it is to have; whether it is new. lost: counts deadlines that were taken away."""
    cdef bint added = set_add(&c.core.memory, &c.core.limits, e, member.ptr, member.size, member.hash)

    if given.expiration:
        set_when(c, e, member, given.when_ms)
    elif not added and not given.flags & KEEPTTL:
        lost[0] += persist_part(c, e, member) == DONE
    return added


cdef int tell(Client c, const SetOptions* given, int64_t added, int64_t lost) except -1:
    """Events of SADDEX and what is propagated: the members as they came, with the deadline as a Unix time."""
    cdef Arg* key = &c.argv[1]
    cdef const char* second = NULL
    cdef list words
    cdef int i

    if given.expiration:
        second = b"sexpire"
    elif lost:
        second = b"spersist"
    if added:
        c.modified(key, NOTIFY_SET, b"sadd", added)
        if second is not NULL:
            c.note(key, NOTIFY_SET, second)
    elif second is not NULL:
        c.modified(key, NOTIFY_SET, second, lost if lost else c.argc - given.first)
    else:
        return 0
    if c.propagates():
        words = [b"SADDEX", arg_bytes(key)]
        if given.expiration:
            words += [b"PXAT", b"%d" % given.when_ms]
        elif given.flags & KEEPTTL:
            words.append(b"KEEPTTL")
        for i in range(given.first - 2, c.argc):
            words.append(arg_bytes(&c.argv[i]))
        c.effect(words)
    return 0


cdef int cmd_saddex(Client c) except -1:
    """SADDEX key [MNX | MXX] [EX s | PX ms | EXAT s | PXAT ms | KEEPTTL] MEMBERS n member [member ...]
    -> integer: how many members were not in yet; 0 when the condition does not hold, and nothing is done.

    Without KEEPTTL or a time the members lose their TTLs. A time that has passed removes them. Propagated with PXAT,
    or as SREM. Errors: WRONGTYPE; words that exclude each other; time; n is not the number of members.
    Source: https://redis.io/commands/saddex
    """
    cdef Arg* key = &c.argv[1]
    cdef int64_t added = 0
    cdef int64_t lost = 0
    cdef SetOptions given
    cdef bint fresh
    cdef Entry* e
    cdef int i

    if not set_options_or_reply(c, &MEMBER_PARTS, SADDEX_WORDS, 1, &given):
        return 0
    e = c.db.lookup_write(key)
    if not c.has_type(e, TYPE_SET):
        return 0
    e = without_due(c, e)
    if not condition_holds(c, e, &given):
        return c.reply_int(0)
    if given.expiration and has_passed(c, given.when_ms):
        return remove_members(c, e, &given)
    fresh = e is NULL
    if fresh:
        e = set_new_for(&c.core.memory, &c.core.limits, key.ptr, key.size, c.argv[given.first].ptr,
                        c.argv[given.first].size, c.argc - given.first)
    else:
        set_expect(&c.core.memory, &c.core.limits, e, c.argc - given.first)
    for i in range(given.first, c.argc):
        added += add_one(c, e, &c.argv[i], &given, &lost)
    if fresh:
        c.db.add(e, arg_hash(key))
    elif entry_timed(e) is not NULL:
        c.db.track_parts(e)
    tell(c, &given, added, lost)
    return c.reply_int(added)

declare(
    b"saddex", native(cmd_saddex), arity=-5, flags=WRITE | DENYOOM | FAST, keys=key_at(1, "RW update"), since="8.12.0",
    complexity="O(N log M) where N is the number of members named and M that of all members with a time to live",
    summary="Adds members to a set and sets their time to live, if wanted only when none or all of them are in it.",
    args=(
        "key [condition=(MNX | MXX)] [expiration=(EX seconds:integer | PX milliseconds:integer"
        " | EXAT unix-time-seconds:unix-time | PXAT unix-time-milliseconds:unix-time | KEEPTTL)] MEMBERS"
        " members={nummembers:integer member...}"
    ),
)


# ---------------------------------------------------------------- SEXPIRE

cdef int cmd_sexpire(Client c) except -1:
    """SEXPIRE key seconds [NX | XX | GT | LT] MEMBERS n member [member ...] -> array of integers, one for each member.

    1: done; 0: the condition does not hold; 2: removed, as 0 seconds were given; -2: there is no such member.
    The first deadline makes a small set a table. Propagated as SPEXPIREAT, or as SREM.
    Errors: WRONGTYPE; time negative, out of range or no integer; n is not the number of members.
    Source: https://redis.io/commands/sexpire
    """
    return expire_command(c, &MEMBER_PARTS, IN_SECONDS)

declare(
    b"sexpire", native(cmd_sexpire), arity=-6, flags=WRITE | DENYOOM | FAST, keys=key_at(1, "RW update"),
    since="8.12.0",
    complexity="O(N log M) where N is the number of members named and M that of all members with a time to live",
    summary="Lets members of a set expire after some seconds.",
    args="key seconds:integer [condition=(NX | XX | GT | LT)] MEMBERS members={nummembers:integer member...}",
)


cdef int cmd_spexpire(Client c) except -1:
    """SPEXPIRE key milliseconds [NX | XX | GT | LT] MEMBERS n member [member ...] -> array of integers: as SEXPIRE.

    Source: https://redis.io/commands/spexpire
    """
    return expire_command(c, &MEMBER_PARTS, 0)

declare(
    b"spexpire", native(cmd_spexpire), arity=-6, flags=WRITE | DENYOOM | FAST, keys=key_at(1, "RW update"),
    since="8.12.0",
    complexity="O(N log M) where N is the number of members named and M that of all members with a time to live",
    summary="Lets members of a set expire after some milliseconds.",
    args="key milliseconds:integer [condition=(NX | XX | GT | LT)] MEMBERS members={nummembers:integer member...}",
)


cdef int cmd_sexpireat(Client c) except -1:
    """SEXPIREAT key unix-time-seconds [NX | XX | GT | LT] MEMBERS n member [member ...] -> array of integers: as
    SEXPIRE. Source: https://redis.io/commands/sexpireat
    """
    return expire_command(c, &MEMBER_PARTS, IN_SECONDS | FROM_EPOCH)

declare(
    b"sexpireat", native(cmd_sexpireat), arity=-6, flags=WRITE | DENYOOM | FAST, keys=key_at(1, "RW update"),
    since="8.12.0",
    complexity="O(N log M) where N is the number of members named and M that of all members with a time to live",
    summary="Lets members of a set expire at a Unix time in seconds.",
    args=(
        "key unix-time-seconds:unix-time [condition=(NX | XX | GT | LT)] MEMBERS"
        " members={nummembers:integer member...}"
    ),
)


cdef int cmd_spexpireat(Client c) except -1:
    """SPEXPIREAT key unix-time-milliseconds [NX | XX | GT | LT] MEMBERS n member [member ...] -> array of integers:
    as SEXPIRE. Source: https://redis.io/commands/spexpireat
    """
    return expire_command(c, &MEMBER_PARTS, FROM_EPOCH)

declare(
    b"spexpireat", native(cmd_spexpireat), arity=-6, flags=WRITE | DENYOOM | FAST, keys=key_at(1, "RW update"),
    since="8.12.0",
    complexity="O(N log M) where N is the number of members named and M that of all members with a time to live",
    summary="Lets members of a set expire at a Unix time in milliseconds.",
    args=(
        "key unix-time-milliseconds:unix-time [condition=(NX | XX | GT | LT)] MEMBERS"
        " members={nummembers:integer member...}"
    ),
)


# ---------------------------------------------------------------- STTL

cdef int cmd_sttl(Client c) except -1:
    """STTL key MEMBERS n member [member ...] -> array of integers: seconds left; -1 without a TTL, -2 if it is not in.

    Source: https://redis.io/commands/sttl
    """
    return ttl_command(c, &MEMBER_PARTS, IN_SECONDS)

declare(
    b"sttl", native(cmd_sttl), arity=-5, flags=READONLY | FAST, keys=key_at(1, "RO access"), since="8.12.0",
    tips=("nondeterministic_output",),
    complexity="O(N) where N is the number of members named",
    summary="Returns the time to live of members of a set in seconds.",
    args="key MEMBERS members={nummembers:integer member...}",
)


cdef int cmd_spttl(Client c) except -1:
    """SPTTL key MEMBERS n member [member ...] -> array of integers: milliseconds left; else as STTL.

    Source: https://redis.io/commands/spttl
    """
    return ttl_command(c, &MEMBER_PARTS, 0)

declare(
    b"spttl", native(cmd_spttl), arity=-5, flags=READONLY | FAST, keys=key_at(1, "RO access"), since="8.12.0",
    tips=("nondeterministic_output",),
    complexity="O(N) where N is the number of members named",
    summary="Returns the time to live of members of a set in milliseconds.",
    args="key MEMBERS members={nummembers:integer member...}",
)


cdef int cmd_sexpiretime(Client c) except -1:
    """SEXPIRETIME key MEMBERS n member [member ...] -> array of integers: Unix times in seconds; else as STTL.

    Source: https://redis.io/commands/sexpiretime
    """
    return ttl_command(c, &MEMBER_PARTS, IN_SECONDS | FROM_EPOCH)

declare(
    b"sexpiretime", native(cmd_sexpiretime), arity=-5, flags=READONLY | FAST, keys=key_at(1, "RO access"),
    since="8.12.0",
    complexity="O(N) where N is the number of members named",
    summary="Returns the Unix times in seconds at which members of a set expire.",
    args="key MEMBERS members={nummembers:integer member...}",
)


cdef int cmd_spexpiretime(Client c) except -1:
    """SPEXPIRETIME key MEMBERS n member [member ...] -> array of integers: Unix times in ms; else as STTL.

    Source: https://redis.io/commands/spexpiretime
    """
    return ttl_command(c, &MEMBER_PARTS, FROM_EPOCH)

declare(
    b"spexpiretime", native(cmd_spexpiretime), arity=-5, flags=READONLY | FAST, keys=key_at(1, "RO access"),
    since="8.12.0",
    complexity="O(N) where N is the number of members named",
    summary="Returns the Unix times in milliseconds at which members of a set expire.",
    args="key MEMBERS members={nummembers:integer member...}",
)


# ---------------------------------------------------------------- SPERSIST

cdef int cmd_spersist(Client c) except -1:
    """SPERSIST key MEMBERS n member [member ...] -> array of integers: 1; -1 without a TTL, -2 if it is not in.

    Source: https://redis.io/commands/spersist
    """
    return persist_command(c, &MEMBER_PARTS)

declare(
    b"spersist", native(cmd_spersist), arity=-5, flags=WRITE | FAST, keys=key_at(1, "RW update"), since="8.12.0",
    complexity="O(N log M) where N is the number of members named and M that of all members with a time to live",
    summary="Removes the time to live from members of a set.",
    args="key MEMBERS members={nummembers:integer member...}",
)
