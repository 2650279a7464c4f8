"""Set commands that need one set, or two: all but union, intersection and difference (set_algebra)."""
from libc.stdint cimport INT64_MAX, INT64_MIN, int64_t, uint8_t, uint64_t

from fastredis._resp cimport Arg, arg_bytes, arg_hash
from fastredis.commands.deadlines cimport gone_ms, is_due, without_due
from fastredis.commands.scan cimport ScanCall, scan_matches, scan_table, scan_value_or_reply, scan_whole
from fastredis.ds.alloc cimport Account, mem_alloc, mem_calloc, mem_free
from fastredis.ds.intset cimport ints_add, ints_count, ints_free, ints_get, ints_new
from fastredis.ds.listpack cimport LpItem, lp_count, lp_delete, lp_first, lp_get, lp_next, lp_text
from fastredis.ds.native cimport clz64
from fastredis.ds.numbers cimport INT64_TEXT
from fastredis.ds.random cimport random_below
from fastredis.engine.client cimport Client
from fastredis.engine.command cimport native
from fastredis.engine.core cimport NOTIFY_GENERIC, NOTIFY_SET
from fastredis.engine.errors cimport ERR_LONG_RANGE, ERR_NOT_POSITIVE, ERR_SYNTAX
from fastredis.engine.flags cimport DENYOOM, FAST, READONLY, WRITE
from fastredis.engine.options cimport get_int_or_reply, get_range_or_reply
from fastredis.values.entry cimport (
    ENC_HASHTABLE_EX, ENC_INTSET, ENC_LISTPACK, TYPE_SET, Entry, entry_encoding, entry_slot,
)
from fastredis.values.member cimport member_text
from fastredis.values.set_algebra cimport PROBES, Batch, Collected, collect_sink, collected_free, collected_set
from fastredis.values.set_type cimport (
    SetIter, TimedSet, member_is_gone, set_add, set_bytes, set_count_live, set_expect, set_get_when,
    set_hiding, set_in_table, set_iter, set_iter_end, set_iter_live, set_new_for, set_next, set_random, set_remove,
    set_remove_item, set_table, set_take_value,
)
from fastredis.values.value cimport entry_free

from fastredis.engine.command import declarer
from fastredis.engine.declarations import key_at

declare = declarer("set")


cdef enum:
    KEEP_RATIO = 5              # SPOP that leaves less than a fifth of what it takes makes the rest a new set
    POP_ALL_RATIO = 8           # SPOP of more than an eighth walks through the table instead of drawing members
    DRAW_RATIO = 16             # SRANDMEMBER of more than a sixteenth does so, too
    SREM_MEMBERS = 1024         # of an SREM that is propagated for SPOP


# ---------------------------------------------------------------- add, remove, move

cdef inline int retrack(Client c, Entry* e) except -1:
    """After members were removed, which may have had deadlines."""
    return c.db.track_parts(e) if entry_encoding(e) == ENC_HASHTABLE_EX else 0


cdef int64_t add_members(Client c, Entry* e) except -1:
    """Add argv[2..]; how many were new."""
    cdef int64_t added = 0
    cdef int i

    for i in range(2, c.argc):
        added += set_add(&c.core.memory, &c.core.limits, e, c.argv[i].ptr, c.argv[i].size, c.argv[i].hash)
    return added


cdef int64_t add_new_set(Client c, Arg* key, Arg* first, int64_t expected) except -1:
    """Make the key a set of argv[2..]; how many members these are."""
    cdef Entry* e = set_new_for(&c.core.memory, &c.core.limits, key.ptr, key.size, first.ptr, first.size, expected)
    cdef int64_t added

    added = add_members(c, e)
    c.db.add(e, arg_hash(key))
    return added


cdef int cmd_sadd(Client c) except -1:
    """SADD key member [member ...] -> integer: how many were not in yet. Those that were keep their deadlines.

    Cost: O(1) a member; O(n) while the set is an intset or a listpack.
    Source: https://redis.io/commands/sadd
    """
    cdef Entry* e = c.db.lookup_write(&c.argv[1])
    cdef int64_t added

    if not c.has_type(e, TYPE_SET):
        return 0
    e = without_due(c, e)
    if e is NULL:
        added = add_new_set(c, &c.argv[1], &c.argv[2], c.argc - 2)
    else:
        set_expect(&c.core.memory, &c.core.limits, e, c.argc - 2)
        added = add_members(c, e)
    if added:
        c.modified(&c.argv[1], NOTIFY_SET, b"sadd", added)
    return c.reply_int(added)

declare(
    b"sadd", native(cmd_sadd), arity=-3, flags=WRITE | DENYOOM | FAST, keys=key_at(1, "RW insert"), since="1.0.0",
    members=(2, 1),
    complexity="O(1) for each member",
    summary="Adds members to a set; creates the key if there is none.",
    args="key member...",
    history=(("2.4.0", "Takes several members."),),
)


cdef int cmd_srem(Client c) except -1:
    """SREM key member [member ...] -> integer: how many were in. The key of an empty set goes.

    Source: https://redis.io/commands/srem
    """
    cdef Entry* e = c.db.lookup_write(&c.argv[1])
    cdef int64_t removed = 0
    cdef int i

    if not c.has_type(e, TYPE_SET):
        return 0
    e = without_due(c, e)
    if e is NULL:
        return c.reply_int(0)
    for i in range(2, c.argc):
        removed += set_remove(&c.core.memory, e, c.argv[i].ptr, c.argv[i].size, c.argv[i].hash)
    if removed:
        retrack(c, e)
        c.modified(&c.argv[1], NOTIFY_SET, b"srem", removed)
        c.drop_empty(&c.argv[1], e)
    return c.reply_int(removed)

declare(
    b"srem", native(cmd_srem), arity=-3, flags=WRITE | FAST, keys=key_at(1, "RW delete"), since="1.0.0",
    members=(2, 1),
    complexity="O(1) for each member",
    summary="Removes members from a set; the key goes with the last one.",
    args="key member...",
    history=(("2.4.0", "Takes several members."),),
)


cdef int cmd_smove(Client c) except -1:
    """SMOVE source destination member -> integer: 1, or 0 when the source does not have the member.

    A deadline stays behind: as after SREM and SADD the member has none, or the one that it has there.
    Source: https://redis.io/commands/smove
    """
    cdef Entry* source = c.db.lookup_write(&c.argv[1])
    cdef Entry* destination = c.db.lookup_write(&c.argv[2])
    cdef Arg* member = &c.argv[3]
    cdef bint added

    if source is NULL:
        return c.reply_int(0)
    if not c.has_type(source, TYPE_SET) or not c.has_type(destination, TYPE_SET):
        return 0
    if source == destination:
        source = destination = without_due(c, source)
    else:
        source, destination = without_due(c, source), without_due(c, destination)
    if source is NULL:
        return c.reply_int(0)
    if source == destination:
        return c.reply_int(has_member(c, source, member))
    if not set_remove(&c.core.memory, source, member.ptr, member.size, member.hash):
        return c.reply_int(0)
    retrack(c, source)
    c.modified(&c.argv[1], NOTIFY_SET, b"srem")
    c.drop_empty(&c.argv[1], source)
    if destination is NULL:
        destination = set_new_for(&c.core.memory, &c.core.limits, c.argv[2].ptr, c.argv[2].size,
                                  member.ptr, member.size, 1)
        c.db.add(destination, arg_hash(&c.argv[2]))
    added = set_add(&c.core.memory, &c.core.limits, destination, member.ptr, member.size, member.hash)
    if added:
        c.modified(&c.argv[2], NOTIFY_SET, b"sadd")
    return c.reply_int(1)

declare(
    b"smove", native(cmd_smove), arity=4, flags=WRITE | FAST,
    keys=(key_at(1, "RW access delete"), key_at(2, "RW insert")), since="1.0.0",
    members=(3, 1),
    complexity="O(1)",
    summary="Takes a member out of one set and adds it to another.",
    args="source:key destination:key member",
)


# ---------------------------------------------------------------- reading

cdef inline bint has_member(Client c, const Entry* e, const Arg* member) noexcept:
    """Whether a set has a member whose time has not come."""
    cdef int64_t when_ms

    return set_get_when(e, member.ptr, member.size, member.hash, &when_ms) and not is_due(c, when_ms)


cdef int cmd_sismember(Client c) except -1:
    """SISMEMBER key member -> integer: 1 if the set has it, else 0.

    Source: https://redis.io/commands/sismember
    """
    cdef Entry* e = c.db.lookup_read(&c.argv[1])

    if not c.has_type(e, TYPE_SET):
        return 0
    return c.reply_int(e is not NULL and has_member(c, e, &c.argv[2]))

declare(
    b"sismember", native(cmd_sismember), arity=3, flags=READONLY | FAST, keys=key_at(1, "RO"), since="1.0.0",
    members=(2, 1),
    complexity="O(1)",
    summary="Tells whether a set has a member.",
    args="key member",
)


cdef int cmd_smismember(Client c) except -1:
    """SMISMEMBER key member [member ...] -> array: 1 or 0 for each member.

    Source: https://redis.io/commands/smismember
    """
    cdef Entry* e = c.db.lookup_read(&c.argv[1])
    cdef int i

    if not c.has_type(e, TYPE_SET):
        return 0
    c.reply_array(c.argc - 2)
    for i in range(2, c.argc):
        c.reply_int(e is not NULL and has_member(c, e, &c.argv[i]))
    return 0

declare(
    b"smismember", native(cmd_smismember), arity=-3, flags=READONLY | FAST, keys=key_at(1, "RO access"), since="6.2.0",
    members=(2, 1),
    complexity="O(1) for each member",
    summary="Tells for each of several members whether a set has it.",
    args="key member...",
)


cdef int cmd_scard(Client c) except -1:
    """SCARD key -> integer: the number of members; 0 without the key.

    Source: https://redis.io/commands/scard
    """
    cdef Entry* e = c.db.lookup_read(&c.argv[1])

    if not c.has_type(e, TYPE_SET):
        return 0
    return c.reply_int(set_count_live(e, gone_ms(c)) if e is not NULL else 0)

declare(
    b"scard", native(cmd_scard), arity=2, flags=READONLY | FAST, keys=key_at(1, "RO"), since="1.0.0",
    complexity="O(1)",
    summary="Returns the number of members of a set.",
    args="key",
)


cdef inline int reply_item(Client c, const LpItem* item) except -1:
    cdef char[INT64_TEXT] digits
    cdef const char* text
    cdef size_t size

    text = lp_text(item, digits, &size)
    return c.reply_bulk(text, size)


cdef int reply_members(Client c, const Entry* e) except -1:
    """All members whose time has not come, without the header."""
    cdef SetIter it
    cdef LpItem item

    set_iter_live(&it, e, gone_ms(c))
    try:
        while set_next(&it, &item):
            reply_item(c, &item)
    finally:
        set_iter_end(&it)
    return 0


cdef int cmd_smembers(Client c) except -1:
    """SMEMBERS key -> set: all members.

    Cost: O(members).
    Source: https://redis.io/commands/smembers
    """
    cdef Entry* e = c.db.lookup_read(&c.argv[1])

    if not c.has_type(e, TYPE_SET):
        return 0
    if e is NULL:
        return c.reply_set(0)
    c.reply_set(set_count_live(e, gone_ms(c)))
    return reply_members(c, e)

declare(
    b"smembers", native(cmd_smembers), arity=2, flags=READONLY, keys=key_at(1, "RO access"), since="1.0.0",
    tips=("nondeterministic_output_order",),
    complexity="O(N) where N is the number of members",
    summary="Returns all members of a set.",
    args="key",
)


cdef int64_t reply_scanned(Client c, ScanCall* s, void* entry) except -1:
    """ScanReply of SSCAN."""
    cdef size_t size
    cdef const char* text = member_text(<const uint8_t*>entry, &size)
    cdef TimedSet* hiding = set_hiding(s.e, gone_ms(c))

    if hiding is not NULL and member_is_gone(hiding, <uint8_t*>entry, gone_ms(c)):
        return 0
    c.reply_bulk(text, size)
    return 1


cdef int cmd_sscan(Client c) except -1:
    """SSCAN key cursor [MATCH pattern] [COUNT count] -> [next cursor, [member, ...]].

    As SCAN, for the members of a set. An intset or a listpack is returned in one step.
    Errors: invalid cursor; COUNT below 1.
    Source: https://redis.io/commands/sscan
    """
    cdef ScanCall s
    cdef SetIter it
    cdef LpItem item
    cdef char[INT64_TEXT] digits
    cdef const char* text
    cdef size_t size, mark
    cdef int64_t found = 0

    if not scan_value_or_reply(c, TYPE_SET, &s):
        return 0
    if set_in_table(s.e):
        return scan_table(c, &s, set_table(s.e), reply_scanned)
    mark = scan_whole(c)
    set_iter(&it, s.e)
    while set_next(&it, &item):
        text = lp_text(&item, digits, &size)
        if scan_matches(&s, text, size):
            c.reply_bulk(text, size)
            found += 1
    return c.out.end_array(mark, found)

declare(
    b"sscan", native(cmd_sscan), arity=-3, flags=READONLY, keys=key_at(1, "RO access"), since="2.8.0",
    tips=("nondeterministic_output",),
    complexity="O(1) for each call, O(N) for the whole walk, where N is the number of members",
    summary="Walks through the members of a set, some at a call.",
    args="key cursor:integer [MATCH pattern:pattern] [COUNT count:integer]",
)


# ---------------------------------------------------------------- SPOP

# A choice of `wanted` from `left` elements, made as they come by: each subset is as likely as any other.
# Source: D. E. Knuth, The Art of Computer Programming 2, 3.4.2, algorithm S.
cdef struct Choice:
    uint64_t wanted
    uint64_t left


cdef inline bint chosen(Client c, Choice* choice) noexcept:
    """Whether the next element is one of those chosen."""
    cdef bint yes = choice.wanted and random_below(&c.core.random, choice.left) < choice.wanted

    choice.left -= 1
    choice.wanted -= yes
    return yes


cdef int popped(Client c, list words, const LpItem* item) except -1:
    """Reply a member that SPOP takes. words: the SREM to propagate, None: nobody listens."""
    cdef char[INT64_TEXT] digits
    cdef const char* text
    cdef size_t size

    text = lp_text(item, digits, &size)
    c.reply_bulk(text, size)
    if words is not None:
        words.append(text[:size])
        if len(words) == 2 + SREM_MEMBERS:
            c.effect(words[:])
            del words[2:]
    return 0


cdef int cmd_spop(Client c) except -1:
    """SPOP key [count] -> a member, or nil; with a count: set of up to so many.

    Takes members out, each choice as likely as any other. Propagated as SREM, or DEL when a count takes all.
    Cost: O(1) a member; with a count of more than an eighth of the set O(members of the set).
    Errors: count is negative or not an integer; more arguments.
    Source: https://redis.io/commands/spop
    """
    cdef Entry* e
    cdef LpItem item
    cdef uint8_t* p
    cdef list words = None

    if c.argc == 3:
        return spop_count(c)
    if c.argc > 3:
        return c.error(ERR_SYNTAX)
    e = c.db.lookup_write(&c.argv[1])
    if not c.has_type(e, TYPE_SET):
        return 0
    e = without_due(c, e)
    if e is NULL or set_count_live(e, gone_ms(c)) == 0:
        return c.reply_null()
    p = set_random(e, &c.core.random, &item, gone_ms(c))
    if c.propagates():
        words = [b"SREM", arg_bytes(&c.argv[1])]
    popped(c, words, &item)
    if words is not None:
        c.effect(words)
    set_remove_item(&c.core.memory, e, &item, p)
    retrack(c, e)
    c.modified(&c.argv[1], NOTIFY_SET, b"spop")
    return c.drop_empty(&c.argv[1], e)

declare(
    b"spop", native(cmd_spop), arity=-2, flags=WRITE | FAST, keys=key_at(1, "RW access delete"), since="1.0.0",
    tips=("nondeterministic_output",),
    complexity="O(1) without a count, else O(N) where N is the count",
    summary="Takes one or several members out of a set, by chance, and returns them.",
    args="key [count:integer@3.2.0]",
    history=(("3.2.0", "Argument `count`."),),
)


cdef int spop_count(Client c) except -1:
    cdef int64_t count
    cdef uint64_t size
    cdef Entry* e
    cdef list words = None

    if not get_range_or_reply(c, 2, 0, INT64_MAX, &count, ERR_NOT_POSITIVE):
        return 0
    e = c.db.lookup_write(&c.argv[1])
    if not c.has_type(e, TYPE_SET):
        return 0
    e = without_due(c, e)
    if e is NULL or count == 0:
        return c.reply_set(0)
    size = set_count_live(e, gone_ms(c))
    if <uint64_t>count >= size:
        return spop_all(c, e, size)
    c.reply_set(count)
    if c.propagates():
        words = [b"SREM", arg_bytes(&c.argv[1])]
    if entry_encoding(e) == ENC_LISTPACK:
        pop_from_listpack(c, e, count, words)
    elif entry_encoding(e) == ENC_INTSET:
        pop_from_intset(c, e, count, words)
    elif (size - count) * KEEP_RATIO <= <uint64_t>count and entry_encoding(e) != ENC_HASHTABLE_EX:
        pop_but_few(c, e, count, words)
    elif <uint64_t>count >= size // POP_ALL_RATIO:
        pop_on_walk(c, e, count, words)
    else:
        pop_by_draw(c, e, count, words)
    if words is not None and len(words) > 2:
        c.effect(words)
    retrack(c, e)
    c.modified(&c.argv[1], NOTIFY_SET, b"spop", count)
    return 0


cdef int spop_all(Client c, Entry* e, uint64_t size) except -1:
    c.core.hits += 1                    # for Redis this is an SUNION of one set, which reads it
    c.reply_set(size)
    reply_members(c, e)
    c.modified(&c.argv[1], NOTIFY_SET, b"spop", size)
    if c.propagates():
        c.effect([b"UNLINK" if c.core.lazy_server_del else b"DEL", arg_bytes(&c.argv[1])])
    c.db.delete(&c.argv[1], c.core.lazy_server_del)
    return c.note(&c.argv[1], NOTIFY_GENERIC, b"del")


cdef int pop_from_listpack(Client c, Entry* e, uint64_t count, list words) except -1:
    cdef Choice choice = Choice(count, lp_count(set_bytes(e)))
    cdef uint8_t* p = lp_first(set_bytes(e))
    cdef LpItem item

    while choice.wanted:
        if chosen(c, &choice):
            lp_get(p, &item)
            popped(c, words, &item)
            entry_slot(e)[0] = lp_delete(&c.core.memory, set_bytes(e), &p, 1)
        else:
            p = lp_next(set_bytes(e), p)
    return 0


cdef int pop_from_intset(Client c, Entry* e, uint64_t count, list words) except -1:
    """The rest is made a new intset: numbers that come in order are just appended."""
    cdef Account* account = &c.core.memory
    cdef uint8_t* ints = set_bytes(e)
    cdef Choice choice = Choice(count, ints_count(ints))
    cdef uint8_t* rest = ints_new(account)
    cdef LpItem item
    cdef uint64_t i
    cdef bint added

    item.text = NULL
    for i in range(ints_count(ints)):
        item.number = ints_get(ints, i)
        if chosen(c, &choice):
            popped(c, words, &item)
        else:
            rest = ints_add(account, rest, item.number, &added)
    entry_slot(e)[0] = rest
    ints_free(account, ints)
    return 0


cdef int pop_by_draw(Client c, Entry* e, uint64_t count, list words) except -1:
    cdef LpItem item
    cdef uint8_t* p

    while count:
        p = set_random(e, &c.core.random, &item, gone_ms(c))
        popped(c, words, &item)
        set_remove_item(&c.core.memory, e, &item, p)
        count -= 1
    return 0


cdef int pop_on_walk(Client c, Entry* e, uint64_t count, list words) except -1:
    """Members that were returned last may be removed from a table that is walked through."""
    cdef Choice choice = Choice(count, set_count_live(e, gone_ms(c)))
    cdef SetIter it
    cdef LpItem item

    set_iter_live(&it, e, gone_ms(c))
    try:
        while choice.wanted and set_next(&it, &item):
            if chosen(c, &choice):
                popped(c, words, &item)
                set_remove_item(&c.core.memory, e, &item, NULL)
    finally:
        set_iter_end(&it)
    return 0


cdef int pop_but_few(Client c, Entry* e, uint64_t count, list words) except -1:
    """Take nearly all of a table: what stays becomes a new set, a listpack if it is small enough, as in Redis."""
    cdef Account* account = &c.core.memory
    cdef Choice choice = Choice(count, set_count_live(e, 0))
    cdef Collected stay = Collected(account, NULL, 0, 0)
    cdef Batch batch
    cdef Entry* rest
    cdef SetIter it
    cdef LpItem item

    batch.count = 0
    set_iter(&it, e)
    try:
        while set_next(&it, &item):
            if chosen(c, &choice):
                popped(c, words, &item)
                continue
            batch.probe[batch.count].item = item
            batch.probe[batch.count].known = 0
            batch.count += 1
            if batch.count == PROBES:
                collect_sink(&stay, &batch)
                batch.count = 0
        collect_sink(&stay, &batch)
        rest = collected_set(account, &c.core.limits, &stay, ENC_LISTPACK, False, NULL, 0)
    finally:
        set_iter_end(&it)
        collected_free(&stay)
    set_take_value(account, e, rest)
    entry_free(account, rest)
    return 0


# ---------------------------------------------------------------- SRANDMEMBER

cdef int cmd_srandmember(Client c) except -1:
    """SRANDMEMBER key [count] -> a member, or nil; with a count: array.

    count >= 0: so many different members, or all; negative: so many, each of all members anew.
    Cost: O(1) a member; with a count of more than a sixteenth of the set O(members of the set).
    Errors: count is not an integer or the lowest there is; more arguments.
    Source: https://redis.io/commands/srandmember
    """
    cdef int64_t count = 0
    cdef Entry* e
    cdef LpItem item

    if c.argc > 3:
        return c.error(ERR_SYNTAX)
    if c.argc == 3:
        if not get_int_or_reply(c, 2, &count):
            return 0
        if count == INT64_MIN:
            return c.error(ERR_LONG_RANGE)
    e = c.db.lookup_read(&c.argv[1])
    if not c.has_type(e, TYPE_SET):
        return 0
    e = without_due(c, e)
    if c.argc == 3:
        return reply_random(c, e, count)
    if e is NULL or set_count_live(e, gone_ms(c)) == 0:
        return c.reply_null()
    set_random(e, &c.core.random, &item, gone_ms(c))
    return reply_item(c, &item)

declare(
    b"srandmember", native(cmd_srandmember), arity=-2, flags=READONLY, keys=key_at(1, "RO access"), since="1.0.0",
    tips=("nondeterministic_output",),
    complexity="O(1) without a count, else O(N) where N is the absolute value of the count",
    summary="Returns one or several members of a set, by chance.",
    args="key [count:integer@2.6.0]",
    history=(("2.6.0", "Argument `count`."),),
)


cdef int reply_random(Client c, Entry* e, int64_t count) except -1:
    cdef uint64_t wanted = count if count >= 0 else -count
    cdef uint64_t size = set_count_live(e, gone_ms(c)) if e is not NULL else 0

    if size == 0 or count == 0:
        return c.reply_array(0)
    if count < 0:
        c.reply_array(wanted)
        return reply_repeated(c, e, wanted, size)
    c.reply_array(min(wanted, size))
    if wanted >= size:
        return reply_members(c, e)
    if wanted == 1:
        return reply_repeated(c, e, 1, size)
    if set_in_table(e) and wanted < size // DRAW_RATIO:
        return reply_distinct(c, e, wanted)
    return reply_choice(c, e, wanted, size)


cdef int reply_repeated(Client c, Entry* e, uint64_t wanted, uint64_t size) except -1:
    """Members drawn one by one, until the output is too much. The places in a listpack are looked up once."""
    cdef Account* account = &c.core.memory
    cdef uint8_t** places
    cdef uint64_t i
    cdef LpItem item

    if entry_encoding(e) != ENC_LISTPACK or wanted == 1:
        while wanted and not c.out.over:
            set_random(e, &c.core.random, &item, gone_ms(c))
            reply_item(c, &item)
            wanted -= 1
        return 0
    places = <uint8_t**>mem_alloc(account, size * sizeof(uint8_t*))
    try:
        places[0] = lp_first(set_bytes(e))
        for i in range(1, size):
            places[i] = lp_next(set_bytes(e), places[i - 1])
        while wanted and not c.out.over:
            lp_get(places[random_below(&c.core.random, size)], &item)
            reply_item(c, &item)
            wanted -= 1
    finally:
        mem_free(account, places, size * sizeof(uint8_t*))
    return 0


cdef int reply_choice(Client c, Entry* e, uint64_t wanted, uint64_t size) except -1:
    """Different members, chosen on a walk through all."""
    cdef Choice choice = Choice(wanted, size)
    cdef SetIter it
    cdef LpItem item

    set_iter_live(&it, e, gone_ms(c))
    try:
        while choice.wanted and set_next(&it, &item):
            if chosen(c, &choice):
                reply_item(c, &item)
    finally:
        set_iter_end(&it)
    return 0


cdef int reply_distinct(Client c, Entry* e, uint64_t wanted) except -1:
    """Few members of a large table: drawn, those that came before are left out.

    seen: a hash table of the members' addresses, open addressing, at most half full.
    """
    cdef Account* account = &c.core.memory
    cdef int bits = 65 - clz64(wanted)
    cdef uint64_t mask = (<uint64_t>1 << bits) - 1
    cdef const void** seen = <const void**>mem_calloc(account, (mask + 1) * sizeof(void*))
    cdef uint64_t i
    cdef LpItem item

    try:
        while wanted:
            set_random(e, &c.core.random, &item, gone_ms(c))
            i = (<uint64_t>item.text * <uint64_t>0x9E3779B97F4A7C15ULL) >> (64 - bits)
            while seen[i] is not NULL and seen[i] != item.text:
                i = (i + 1) & mask
            if seen[i] is NULL:
                seen[i] = item.text
                reply_item(c, &item)
                wanted -= 1
    finally:
        mem_free(account, seen, (mask + 1) * sizeof(void*))
    return 0
