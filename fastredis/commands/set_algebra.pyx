"""Set commands on several sets: intersection, union, difference; replied, counted or stored.

The work is done in values/set_algebra; here is where the results go: sinks for the reply, for a
count, and the collection that becomes a new set.
"""
from libc.stdint cimport INT64_MAX, int64_t

from fastredis._resp cimport Arg, arg_hash
from fastredis.commands.deadlines cimport gone_ms, without_due
from fastredis.ds.alloc cimport mem_alloc, mem_free
from fastredis.ds.listpack cimport lp_text
from fastredis.ds.numbers cimport INT64_TEXT
from fastredis.engine.client cimport Client
from fastredis.engine.command cimport native
from fastredis.engine.core cimport NOTIFY_GENERIC, NOTIFY_SET
from fastredis.engine.errors cimport ERR_LIMIT_NEGATIVE, ERR_NUMKEYS_ARGS, ERR_NUMKEYS_LOW
from fastredis.engine.flags cimport DENYOOM, READONLY, WRITE
from fastredis.engine.options cimport (
    ALL_OPTIONS, OPT_FLAG, OPT_INT, Option, Options, get_range_or_reply, option_number, parse_options_or_reply,
)
from fastredis.values.entry cimport ENC_INTSET, ENC_LISTPACK, TYPE_SET, Entry, entry_encoding
from fastredis.values.set_algebra cimport (
    Algebra, Batch, Collected, algebra_end, algebra_intersect, algebra_subtract, algebra_unite, collect_sink,
    collected_free, collected_set,
)
from fastredis.values.set_type cimport set_count_live

from fastredis.engine.command import declarer
from fastredis.engine.declarations import key_at, key_count, key_range

declare = declarer("set")

ctypedef int (*Operation)(Algebra* a) except -1


# ---------------------------------------------------------------- sinks

cdef struct Replied:
    void* client
    int64_t members


cdef bint reply_sink(void* context, Batch* batch) except -1:
    """Sink: append the members to the client's reply."""
    cdef Replied* to = <Replied*>context
    cdef Client c = <Client>to.client
    cdef char[INT64_TEXT] digits
    cdef const char* text
    cdef size_t size
    cdef int i

    for i in range(batch.count):
        text = lp_text(&batch.probe[i].item, digits, &size)
        c.reply_bulk(text, size)
    to.members += batch.count
    return False


cdef struct Counted:
    int64_t members
    int64_t limit               # INT64_MAX: none


cdef bint count_sink(void* context, Batch* batch) except -1:
    """Sink: count the members, up to the limit."""
    cdef Counted* counted = <Counted*>context

    counted.members += batch.count
    if counted.members < counted.limit:
        return False
    counted.members = counted.limit
    return True


# ---------------------------------------------------------------- what the commands do

cdef bint sets_or_reply(Client c, int first, int count, Entry** sets) except -1:
    """Look up the sets argv[first..first + count); NULL for a missing key.

    Members whose time has come are removed first, if they may be: a replica that stores a result takes all it finds.
    """
    cdef int i

    for i in range(count):
        sets[i] = c.db.lookup_read(&c.argv[first + i])
        if not c.has_type(sets[i], TYPE_SET):
            return False
        sets[i] = without_due(c, sets[i])
    return True


cdef int reply_result(Client c, Operation operation) except -1:
    """COMMAND key [key ...] -> set."""
    cdef int count = c.argc - 1
    cdef Entry** sets = <Entry**>mem_alloc(&c.core.memory, count * sizeof(Entry*))
    cdef Replied to = Replied(<void*>c, 0)
    cdef Algebra a = Algebra(&c.core.memory, sets, count, reply_sink, &to, NULL, gone_ms(c))
    cdef size_t mark

    try:
        if not sets_or_reply(c, 1, count, sets):
            return 0
        mark = c.out.begin()
        operation(&a)
        return c.out.end_set(mark, to.members)
    finally:
        algebra_end(&a)
        mem_free(&c.core.memory, sets, count * sizeof(Entry*))


cdef int store_result(Client c, Operation operation, const char* event) except -1:
    """COMMAND destination key [key ...] -> integer: members of the set that is the destination's value now."""
    cdef int count = c.argc - 2
    cdef Entry** sets = <Entry**>mem_alloc(&c.core.memory, count * sizeof(Entry*))
    cdef Collected found = Collected(&c.core.memory, NULL, 0, 0)
    cdef Algebra a = Algebra(&c.core.memory, sets, count, collect_sink, &found, NULL, gone_ms(c))

    try:
        if not sets_or_reply(c, 2, count, sets):
            return 0
        operation(&a)
        return store(c, &found, start_encoding(&a, operation), event)
    finally:
        algebra_end(&a)
        collected_free(&found)
        mem_free(&c.core.memory, sets, count * sizeof(Entry*))


cdef int start_encoding(const Algebra* a, Operation operation) noexcept:
    """What the result is as long as it is empty. Redis fills a listpack with the intersection of what is no intset."""
    if operation == algebra_intersect and a.sets[0] is not NULL and entry_encoding(a.sets[0]) != ENC_INTSET:
        return ENC_LISTPACK
    return ENC_INTSET


cdef int store(Client c, Collected* found, int encoding, const char* event) except -1:
    """Put what was collected into argv[1], or delete that if it is nothing."""
    cdef Arg* key = &c.argv[1]
    cdef Entry* old = c.db.lookup_write(key)
    cdef Entry* e
    cdef int64_t members = found.count

    if members == 0:
        if old is not NULL:
            c.modified(key, NOTIFY_GENERIC, b"del")
            c.db.delete(key, c.core.lazy_server_del)
        return c.reply_int(0)
    e = collected_set(&c.core.memory, &c.core.limits, found, encoding, encoding == ENC_LISTPACK, key.ptr, key.size)
    if old is not NULL:
        c.db.replace(key, old, e, False)
    else:
        c.db.add(e, arg_hash(key))
    c.modified(key, NOTIFY_SET, event)
    return c.reply_int(members)


cdef enum:
    CARD_LIMIT = 1 << 0
    CARD_APPROX = 1 << 1

cdef Option[3] CARD_OPTIONS = [
    Option(b"LIMIT", OPT_INT, CARD_LIMIT, 0, read_limit_or_reply),
    Option(b"APPROX", OPT_FLAG, CARD_APPROX, 0, NULL),
    Option(NULL, OPT_FLAG, 0, 0, NULL),
]


cdef bint read_limit_or_reply(Client c, int index, int64_t* limit) except -1:
    return get_range_or_reply(c, index, 0, INT64_MAX, limit, ERR_LIMIT_NEGATIVE)


cdef int count_result(Client c, Operation operation, int takes) except -1:
    """COMMAND numkeys key [key ...] [LIMIT limit] -> integer: members of the result, counted up to the limit."""
    cdef int64_t keys
    cdef Counted counted = Counted(0, INT64_MAX)
    cdef Algebra a
    cdef Options given

    if not get_range_or_reply(c, 1, 1, INT64_MAX, &keys, ERR_NUMKEYS_LOW):
        return 0
    if keys > c.argc - 2:
        return c.error(ERR_NUMKEYS_ARGS)
    if not parse_options_or_reply(c, 2 + keys, CARD_OPTIONS, takes, &given):
        return 0
    counted.limit = option_number(&given, CARD_LIMIT) or INT64_MAX
    a = Algebra(&c.core.memory, NULL, keys, count_sink, &counted, NULL, gone_ms(c))
    a.sets = <Entry**>mem_alloc(&c.core.memory, keys * sizeof(Entry*))
    try:
        if not sets_or_reply(c, 2, keys, a.sets):
            return 0
        if keys == 1:
            counted.members = min(<int64_t>set_count_live(a.sets[0], a.gone_ms) if a.sets[0] is not NULL else 0,
                                  counted.limit)
        else:
            operation(&a)
        return c.reply_int(counted.members)
    finally:
        algebra_end(&a)
        mem_free(&c.core.memory, a.sets, keys * sizeof(Entry*))


# ---------------------------------------------------------------- intersection

cdef int cmd_sinter(Client c) except -1:
    """SINTER key [key ...] -> set: the members that are in all sets. A missing key is an empty set.

    Cost: O(members of the smallest set * sets).
    Source: https://redis.io/commands/sinter
    """
    return reply_result(c, algebra_intersect)

declare(
    b"sinter", native(cmd_sinter), arity=-2, flags=READONLY, keys=key_range(1, -1, 1, "RO access"), since="1.0.0",
    tips=("nondeterministic_output_order",),
    complexity="O(N*M) where N is the size of the smallest set and M the number of sets",
    summary="Returns the members that several sets have in common.",
    args="key...",
)


cdef int cmd_sintercard(Client c) except -1:
    """SINTERCARD numkeys key [key ...] [LIMIT limit] -> integer: how many members SINTER would return.

    LIMIT: stop counting there; 0 is no limit.
    Errors: numkeys below 1 or above the arguments; a negative limit.
    Source: https://redis.io/commands/sintercard
    """
    return count_result(c, algebra_intersect, CARD_LIMIT)

declare(
    b"sintercard", native(cmd_sintercard), arity=-3, flags=READONLY, keys=key_count(1, "RO access"), since="7.0.0",
    complexity="O(N*M) where N is the size of the smallest set and M the number of sets",
    summary="Counts the members that several sets have in common.",
    args="numkeys:integer key... [LIMIT limit:integer]",
)


cdef int cmd_sinterstore(Client c) except -1:
    """SINTERSTORE destination key [key ...] -> integer: the size of the intersection, the destination's value now.

    The destination may be of any type, is overwritten without its TTL, and is deleted if nothing is left.
    Source: https://redis.io/commands/sinterstore
    """
    return store_result(c, algebra_intersect, b"sinterstore")

declare(
    b"sinterstore", native(cmd_sinterstore), arity=-3, flags=WRITE | DENYOOM,
    keys=(key_at(1, "OW update"), key_range(2, -1, 1, "RO access")), since="1.0.0",
    complexity="O(N*M) where N is the size of the smallest set and M the number of sets",
    summary="Stores the members that several sets have in common in a key.",
    args="destination:key key...",
)


# ---------------------------------------------------------------- union

cdef int cmd_sunion(Client c) except -1:
    """SUNION key [key ...] -> set: the members that are in any of the sets.

    Cost: O(members of all sets), times the number of sets up to eight.
    Source: https://redis.io/commands/sunion
    """
    return reply_result(c, algebra_unite)

declare(
    b"sunion", native(cmd_sunion), arity=-2, flags=READONLY, keys=key_range(1, -1, 1, "RO access"), since="1.0.0",
    tips=("nondeterministic_output_order",),
    complexity="O(N) where N is the number of members of all sets together",
    summary="Returns the members that are in any of several sets.",
    args="key...",
)


cdef int cmd_sunioncard(Client c) except -1:
    """SUNIONCARD numkeys key [key ...] [APPROX] [LIMIT limit] -> integer: how many members SUNION would return.

    APPROX allows an estimate. It is not needed: the exact number takes no memory here for up to eight sets.
    Errors: numkeys below 1 or above the arguments; a negative limit.
    Source: https://redis.io/commands/sunioncard
    """
    return count_result(c, algebra_unite, ALL_OPTIONS)

declare(
    b"sunioncard", native(cmd_sunioncard), arity=-3, flags=READONLY, keys=key_count(1, "RO access"), since="8.10.0",
    complexity="O(N) where N is the number of members of all sets together",
    summary="Counts the members that are in any of several sets.",
    args="numkeys:integer key... [APPROX] [LIMIT limit:integer]",
)


cdef int cmd_sunionstore(Client c) except -1:
    """SUNIONSTORE destination key [key ...] -> integer: the size of the union, the destination's value now.

    The destination may be of any type, is overwritten without its TTL, and is deleted if nothing is there.
    Source: https://redis.io/commands/sunionstore
    """
    return store_result(c, algebra_unite, b"sunionstore")

declare(
    b"sunionstore", native(cmd_sunionstore), arity=-3, flags=WRITE | DENYOOM,
    keys=(key_at(1, "OW update"), key_range(2, -1, 1, "RO access")), since="1.0.0",
    complexity="O(N) where N is the number of members of all sets together",
    summary="Stores the members that are in any of several sets in a key.",
    args="destination:key key...",
)


# ---------------------------------------------------------------- difference

cdef int cmd_sdiff(Client c) except -1:
    """SDIFF key [key ...] -> set: the members of the first set that are in none of the others.

    Cost: O(members of the first set * sets), or O(members of all sets) when that is less.
    Source: https://redis.io/commands/sdiff
    """
    return reply_result(c, algebra_subtract)

declare(
    b"sdiff", native(cmd_sdiff), arity=-2, flags=READONLY, keys=key_range(1, -1, 1, "RO access"), since="1.0.0",
    tips=("nondeterministic_output_order",),
    complexity="O(N) where N is the number of members of all sets together",
    summary="Returns the members of a set that are in none of several others.",
    args="key...",
)


cdef int cmd_sdiffcard(Client c) except -1:
    """SDIFFCARD numkeys key [key ...] [LIMIT limit] -> integer: how many members SDIFF would return.

    Errors: numkeys below 1 or above the arguments; a negative limit.
    Source: https://redis.io/commands/sdiffcard
    """
    return count_result(c, algebra_subtract, CARD_LIMIT)

declare(
    b"sdiffcard", native(cmd_sdiffcard), arity=-3, flags=READONLY, keys=key_count(1, "RO access"), since="8.10.0",
    complexity="O(N) where N is the number of members of all sets together",
    summary="Counts the members of a set that are in none of several others.",
    args="numkeys:integer key... [LIMIT limit:integer]",
)


cdef int cmd_sdiffstore(Client c) except -1:
    """SDIFFSTORE destination key [key ...] -> integer: the size of the difference, the destination's value now.

    The destination may be of any type, is overwritten without its TTL, and is deleted if nothing is left.
    Source: https://redis.io/commands/sdiffstore
    """
    return store_result(c, algebra_subtract, b"sdiffstore")

declare(
    b"sdiffstore", native(cmd_sdiffstore), arity=-3, flags=WRITE | DENYOOM,
    keys=(key_at(1, "OW update"), key_range(2, -1, 1, "RO access")), since="1.0.0",
    complexity="O(N) where N is the number of members of all sets together",
    summary="Stores the members of a set that are in none of several others in a key.",
    args="destination:key key...",
)
