"""Commands on members of sorted sets: ZADD, ZSCORE, ZRANK, ZPOPMIN and their kin.

Ranges are in sorted_set_ranges.pyx, ZUNION, ZINTER and ZDIFF in sorted_set_algebra.pyx.
"""
from libc.stdint cimport INT64_MAX, INT64_MIN, int64_t, uint64_t

from fastredis._resp cimport Arg, arg_bytes, arg_hash
from fastredis.commands.scan cimport SCAN_NOSCORES, ScanCall, scan_matches, scan_table, scan_value_or_reply, scan_whole
from fastredis.ds.alloc cimport mem_alloc, mem_calloc, mem_free
from fastredis.ds.numbers cimport DOUBLE_TEXT, format_double
from fastredis.ds.random cimport random_below
from fastredis.ds.table cimport Table, table_prefetch_bucket, table_prefetch_entry
from fastredis.engine.blocking cimport NULL_ARRAY, block_on_keys
from fastredis.engine.client cimport Client
from fastredis.engine.command cimport native
from fastredis.engine.core cimport NOTIFY_GENERIC, NOTIFY_ZSET, Core
from fastredis.engine.errors cimport (
    ERR_COUNT_LOW, ERR_LONG_RANGE, ERR_NOT_FLOAT, ERR_NOT_POSITIVE, ERR_NUMKEYS_LOW, ERR_OUT_OF_RANGE, ERR_SCORE_NAN,
    ERR_SYNTAX, ERR_ZADD_GT_LT, ERR_ZADD_INCR, ERR_ZADD_NX_XX, arity_error,
)
from fastredis.engine.flags cimport BLOCKING, DENYOOM, FAST, READONLY, WRITE
from fastredis.engine.options cimport (
    OPT_FLAG, Option, arg_is, get_double_or_reply, get_int_or_reply, get_range_or_reply, get_seconds_or_reply,
    leading_options,
)
from fastredis.values.entry cimport ENC_LISTPACK, TYPE_ZSET, Entry, entry_encoding
from fastredis.values.zset_type cimport (
    ZADD_ADDED, ZADD_GT, ZADD_INCR, ZADD_LT, ZADD_NAN, ZADD_NOP, ZADD_NX, ZADD_UPDATED, ZADD_XX, ZsetBuild, ZsetIter,
    zset_add, zset_block_score, zset_block_text, zset_build_count, zset_build_end, zset_count, zset_delete_range,
    zset_expect, zset_new, zset_next, zset_of, zset_rank, zset_remove, zset_score, zset_seek_rank,
)

from fastredis.engine.command import declarer
from fastredis.engine.declarations import key_at, key_count, key_range

declare = declarer("sorted-set")

cdef enum:
    PAIRS_ON_STACK = 16         # pairs of a ZADD whose scores need no memory of their own
    PREFETCH_MEMBERS = 16       # members of one command whose memory is asked for at a time
    SAMPLE_PART = 3             # ZRANDMEMBER of less than this part of the members draws them one by one

cdef enum:                      # beside ZADD_NX ... of zset_type
    ZADD_CH = 1 << 8            # the reply counts changed scores as well

cdef Option[7] ZADD_OPTIONS = [
    Option(b"NX", OPT_FLAG, ZADD_NX, 0, NULL),
    Option(b"XX", OPT_FLAG, ZADD_XX, 0, NULL),
    Option(b"CH", OPT_FLAG, ZADD_CH, 0, NULL),
    Option(b"INCR", OPT_FLAG, ZADD_INCR, 0, NULL),
    Option(b"GT", OPT_FLAG, ZADD_GT, 0, NULL),
    Option(b"LT", OPT_FLAG, ZADD_LT, 0, NULL),
    Option(NULL, OPT_FLAG, 0, 0, NULL),
]


# --- shared pieces -----------------------------------------------------------------------

cdef int reply_walk(Client c, ZsetIter* it, uint64_t members, bint with_scores) except -1:
    reply_members_header(c, members, with_scores)
    if with_scores:
        while zset_next(it):
            reply_scored(c, it.text, it.size, it.score)
    else:
        while zset_next(it):
            c.reply_bulk(it.text, it.size)
    return 0


cdef int store_build(Client c, Arg* key, ZsetBuild* build, const char* event) except -1:
    cdef uint64_t members = zset_build_count(build)
    cdef Entry* fresh
    cdef Entry* old

    if members == 0:
        c.reply_int(0)
        if c.db.lookup_write(key) is NULL:
            return 0
        c.db.delete(key, c.core.lazy_server_del)
        return c.modified(key, NOTIFY_GENERIC, b"del")
    fresh = zset_build_end(build, &c.core.limits, key.ptr, key.size)
    old = c.db.lookup_write(key)
    if old is NULL:
        c.db.add(fresh, arg_hash(key))
    else:
        c.db.replace(key, old, fresh, False)
    c.modified(key, NOTIFY_ZSET, event)
    return c.reply_int(members)


cdef int prefetch_members(Client c, Entry* e, int first, int step) noexcept:
    """Ask for what looking up the next members of many will touch: argv[first], argv[first + step] ...

    The dispatcher does that for the commands of a batch, but not for a single one, and not for many members.
    """
    cdef int last = min(c.argc, first + PREFETCH_MEMBERS * step)
    cdef Table* t
    cdef int i = first

    if first + step >= last or entry_encoding(e) == ENC_LISTPACK:
        return 0
    t = &zset_of(e).members
    while i < last:
        table_prefetch_bucket(t, arg_hash(&c.argv[i]))
        i += step
    i = first
    while i < last:
        table_prefetch_entry(t, arg_hash(&c.argv[i]))
        i += step
    return 0


# --- adding and removing members -----------------------------------------------------------

cdef int cmd_zadd(Client c) except -1:
    """ZADD key [NX | XX] [GT | LT] [CH] [INCR] score member [score member ...]
    -> integer: how many members are new (CH: or have another score now); with INCR the score, null if not allowed.

    All of the scores are read before anything changes.
    Errors: WRONGTYPE; syntax; options that exclude each other; not a float; a sum of infinities.
    Source: https://redis.io/commands/zadd
    """
    cdef int flags = 0
    cdef int first = leading_options(c, 2, ZADD_OPTIONS, &flags)

    if first == c.argc or (c.argc - first) % 2:
        return c.error(ERR_SYNTAX)
    if flags & ZADD_NX and flags & ZADD_XX:
        return c.error(ERR_ZADD_NX_XX)
    if (flags & ZADD_NX and flags & (ZADD_GT | ZADD_LT)) or (flags & ZADD_GT and flags & ZADD_LT):
        return c.error(ERR_ZADD_GT_LT)
    if flags & ZADD_INCR and c.argc - first > 2:
        return c.error(ERR_ZADD_INCR)
    return add_pairs(c, first, flags)

declare(
    b"zadd", native(cmd_zadd), arity=-4, flags=WRITE | DENYOOM | FAST, keys=key_at(1, "RW update"), since="1.2.0",
    complexity="O(log(N)) for each member, where N is the number of members of the sorted set",
    summary="Adds members to a sorted set, or gives those that are there another score.",
    args=(
        "key [condition=(NX | XX)@3.0.2] [comparison=(GT | LT)@6.2.0] [change=CH@3.0.2] [increment=INCR@3.0.2]"
        " data={score:double member}..."
    ),
    history=(
        ("2.4.0", "Several members at once."),
        ("3.0.2", "Options `XX`, `NX`, `CH` and `INCR`."),
        ("6.2.0", "Options `GT` and `LT`."),
    ),
    members=(3, 2),
)


cdef int cmd_zincrby(Client c) except -1:
    """ZINCRBY key increment member -> double: the member's score afterwards.

    A missing member counts as 0. An increment that is a word of ZADD's is a syntax error, as in Redis.
    Errors: WRONGTYPE; not a float; a sum of infinities.
    Source: https://redis.io/commands/zincrby
    """
    cdef int flags = 0

    if leading_options(c, 2, ZADD_OPTIONS, &flags) > 2:
        return c.error(ERR_SYNTAX)
    return add_pairs(c, 2, ZADD_INCR)

declare(
    b"zincrby", native(cmd_zincrby), arity=4, flags=WRITE | DENYOOM | FAST, keys=key_at(1, "RW access update"),
    since="1.2.0",
    complexity="O(log(N)) where N is the number of members of the sorted set",
    summary="Adds to the score of a member of a sorted set; a missing member counts as 0.",
    args="key increment:integer member",
    members=(3, 1),
)


cdef int add_pairs(Client c, int first, int flags) except -1:
    """ZADD with the pairs from argv[first] on."""
    cdef double[PAIRS_ON_STACK] few
    cdef int pairs = (c.argc - first) // 2
    cdef double* scores

    if pairs <= PAIRS_ON_STACK:
        return add_scored(c, first, pairs, flags, few)
    scores = <double*>mem_alloc(&c.core.memory, pairs * sizeof(double))
    try:
        return add_scored(c, first, pairs, flags, scores)
    finally:
        mem_free(&c.core.memory, scores, pairs * sizeof(double))


cdef int add_scored(Client c, int first, int pairs, int flags, double* scores) except -1:
    """ZADD; `scores` has room for that many."""
    cdef int i

    for i in range(pairs):
        if not get_double_or_reply(c, first + 2 * i, &scores[i], ERR_NOT_FLOAT):
            return 0
    return add_members(c, first + 1, 2, pairs, flags, scores)


cdef int add_members(Client c, int first, int step, int pairs, int flags, const double* scores) except -1:
    cdef Arg* key = &c.argv[1]
    cdef Entry* e = c.db.lookup_write(key)

    if not c.has_type(e, TYPE_ZSET):
        return 0
    if e is not NULL:
        zset_expect(&c.core.memory, &c.core.limits, e, pairs, 0)
        return put_in(c, e, first, step, pairs, flags, scores)
    if flags & ZADD_XX:
        return c.reply_null() if flags & ZADD_INCR else c.reply_int(0)
    # Of long members only the first counts now, as in Redis: the rest do when they are added.
    e = zset_new(&c.core.memory, &c.core.limits, key.ptr, key.size, pairs, c.argv[first].size)
    c.db.add(e, arg_hash(key))
    return put_in(c, e, first, step, pairs, flags, scores)


cdef int put_in(Client c, Entry* e, int first, int step, int pairs, int flags, const double* scores) except -1:
    """Add the pairs to a sorted set and reply."""
    cdef Core* core = c.core
    cdef Arg* member = &c.argv[first]
    cdef int64_t added = 0
    cdef int64_t updated = 0
    cdef double score = 0
    cdef int done = 0
    cdef int i

    for i in range(pairs):
        if i % PREFETCH_MEMBERS == 0:
            prefetch_members(c, e, first + step * i, step)
        done = zset_add(&core.memory, &core.limits, e, scores[i], member.ptr, member.size, member.hash,
                        flags & ~ZADD_CH, &score)
        added += done & ZADD_ADDED != 0
        updated += done & ZADD_UPDATED != 0
        member += step
    if added + updated:
        c.modified(&c.argv[1], NOTIFY_ZSET, b"zincr" if flags & ZADD_INCR else b"zadd", added + updated)
    if not flags & ZADD_INCR:
        return c.reply_int(added + updated if flags & ZADD_CH else added)
    if done & ZADD_NAN:
        return c.error(ERR_SCORE_NAN)
    return c.reply_null() if done & ZADD_NOP else c.reply_double(score)


cdef int cmd_zrem(Client c) except -1:
    """ZREM key member [member ...] -> integer: how many of them were there.

    Errors: WRONGTYPE. Source: https://redis.io/commands/zrem
    """
    cdef Arg* key = &c.argv[1]
    cdef Entry* e = c.db.lookup_write(key)
    cdef int64_t removed = 0
    cdef int i

    if not c.has_type(e, TYPE_ZSET):
        return 0
    if e is NULL:
        return c.reply_int(0)
    for i in range(2, c.argc):
        if (i - 2) % PREFETCH_MEMBERS == 0:
            prefetch_members(c, e, i, 1)
        removed += zset_remove(&c.core.memory, e, c.argv[i].ptr, c.argv[i].size, c.argv[i].hash)
    if removed:
        c.modified(key, NOTIFY_ZSET, b"zrem", removed)
        c.drop_empty(key, e)
    return c.reply_int(removed)

declare(
    b"zrem", native(cmd_zrem), arity=-3, flags=WRITE | FAST, keys=key_at(1, "RW delete"), since="1.2.0",
    complexity="O(M*log(N)) where N is the number of members of the sorted set and M the number of those to remove",
    summary="Removes members from a sorted set.",
    args="key member...",
    history=(("2.4.0", "Several members at once."),),
    members=(2, 1),
)


# --- asking about members ------------------------------------------------------------------

cdef int cmd_zcard(Client c) except -1:
    """ZCARD key -> integer: the number of members, 0 for a missing key.

    Errors: WRONGTYPE. Source: https://redis.io/commands/zcard
    """
    cdef Entry* e = c.db.lookup_read(&c.argv[1])

    if not c.has_type(e, TYPE_ZSET):
        return 0
    return c.reply_int(zset_count(e) if e is not NULL else 0)

declare(
    b"zcard", native(cmd_zcard), arity=2, flags=READONLY | FAST, keys=key_at(1, "RO"), since="1.2.0",
    complexity="O(1)",
    summary="Returns the number of members of a sorted set.",
    args="key",
)


cdef int cmd_zscore(Client c) except -1:
    """ZSCORE key member -> double: the score, or null. Errors: WRONGTYPE. Source: https://redis.io/commands/zscore"""
    cdef Entry* e = c.db.lookup_read(&c.argv[1])
    cdef double score

    if not c.has_type(e, TYPE_ZSET):
        return 0
    if e is NULL or not zset_score(e, c.argv[2].ptr, c.argv[2].size, c.argv[2].hash, &score):
        return c.reply_null()
    return c.reply_double(score)

declare(
    b"zscore", native(cmd_zscore), arity=3, flags=READONLY | FAST, keys=key_at(1, "RO access"), since="1.2.0",
    complexity="O(1)",
    summary="Returns the score of a member of a sorted set.",
    args="key member",
    members=(2, 1),
)


cdef int cmd_zmscore(Client c) except -1:
    """ZMSCORE key member [member ...] -> array: a score or null for each.

    Errors: WRONGTYPE. Source: https://redis.io/commands/zmscore
    """
    cdef Entry* e = c.db.lookup_read(&c.argv[1])
    cdef double score
    cdef int i

    if not c.has_type(e, TYPE_ZSET):
        return 0
    c.reply_array(c.argc - 2)
    for i in range(2, c.argc):
        if e is not NULL and (i - 2) % PREFETCH_MEMBERS == 0:
            prefetch_members(c, e, i, 1)
        if e is NULL or not zset_score(e, c.argv[i].ptr, c.argv[i].size, c.argv[i].hash, &score):
            c.reply_null()
        else:
            c.reply_double(score)
    return 0

declare(
    b"zmscore", native(cmd_zmscore), arity=-3, flags=READONLY | FAST, keys=key_at(1, "RO access"), since="6.2.0",
    complexity="O(N) where N is the number of members that are asked for",
    summary="Returns the scores of some members of a sorted set.",
    args="key member...",
    members=(2, 1),
)


cdef int reply_rank(Client c, bint reverse) except -1:
    cdef bint with_score = c.argc == 4
    cdef int64_t rank = -1
    cdef double score
    cdef Entry* e

    if c.argc > 4:
        return c.error_text(arity_error(b"zrevrank" if reverse else b"zrank"))
    if with_score and not arg_is(&c.argv[3], b"WITHSCORE"):
        return c.error(ERR_SYNTAX)
    e = c.db.lookup_read(&c.argv[1])
    if not c.has_type(e, TYPE_ZSET):
        return 0
    if e is not NULL:
        rank = zset_rank(e, c.argv[2].ptr, c.argv[2].size, c.argv[2].hash, reverse, &score)
    if rank < 0:
        return c.reply_null_array() if with_score else c.reply_null()
    if not with_score:
        return c.reply_int(rank)
    c.reply_array(2)
    c.reply_int(rank)
    return c.reply_double(score)


cdef int cmd_zrank(Client c) except -1:
    """ZRANK key member [WITHSCORE] -> integer: how many members come before it, or null; [rank, score] with WITHSCORE.

    Errors: WRONGTYPE; syntax. Source: https://redis.io/commands/zrank
    """
    return reply_rank(c, False)

declare(
    b"zrank", native(cmd_zrank), arity=-3, flags=READONLY | FAST, keys=key_at(1, "RO access"), since="2.0.0",
    complexity="O(log(N)) where N is the number of members of the sorted set",
    summary="Returns the place of a member in a sorted set, the lowest score first.",
    args="key member [WITHSCORE]",
    history=(("7.2.0", "Option `WITHSCORE`."),),
    members=(2, 2),
)


cdef int cmd_zrevrank(Client c) except -1:
    """ZREVRANK key member [WITHSCORE] -> as ZRANK, counted from the highest score.

    Source: https://redis.io/commands/zrevrank
    """
    return reply_rank(c, True)

declare(
    b"zrevrank", native(cmd_zrevrank), arity=-3, flags=READONLY | FAST, keys=key_at(1, "RO access"), since="2.0.0",
    complexity="O(log(N)) where N is the number of members of the sorted set",
    summary="Returns the place of a member in a sorted set, the highest score first.",
    args="key member [WITHSCORE]",
    history=(("7.2.0", "Option `WITHSCORE`."),),
    members=(2, 2),
)


# --- taking the ends off -------------------------------------------------------------------

cdef int pop(Client c, Arg* key, Entry* e, bint highest, uint64_t count, bint as_pairs) except -1:
    """Reply the first or last `count` members, which are there, with their scores, and remove them."""
    cdef ZsetIter it

    zset_seek_rank(&it, e, 0, count, highest)
    while zset_next(&it):
        if as_pairs:
            c.reply_array(2)
        c.reply_bulk(it.text, it.size)
        c.reply_double(it.score)
    zset_delete_range(&c.core.memory, e, zset_count(e) - count if highest else 0, count)
    c.modified(key, NOTIFY_ZSET, b"zpopmax" if highest else b"zpopmin", count)
    return c.drop_empty(key, e)


cdef int pop_here(Client c, bint highest) except -1:
    """ZPOPMIN and ZPOPMAX."""
    cdef bint with_count = c.argc == 3
    cdef int64_t wanted = 1
    cdef uint64_t count
    cdef Entry* e

    if c.argc > 3:
        return c.error(ERR_SYNTAX)
    if with_count and not get_range_or_reply(c, 2, 0, INT64_MAX, &wanted, ERR_NOT_POSITIVE):
        return 0
    e = c.db.lookup_write(&c.argv[1])
    if not c.has_type(e, TYPE_ZSET):
        return 0
    if e is NULL or wanted == 0:
        return c.reply_array(0)
    count = min(<uint64_t>wanted, zset_count(e))
    # RESP3 has pairs only where there may be more than one.
    c.reply_array(count if with_count and c.out.resp == 3 else count * 2)
    return pop(c, &c.argv[1], e, highest, count, with_count and c.out.resp == 3)


cdef int cmd_zpopmin(Client c) except -1:
    """ZPOPMIN key [count] -> array: member, score (in RESP3 with a count: [member, score]) of each member removed.

    Empty for a missing key. Errors: WRONGTYPE; count below 0.
    Cost: O(log(members) + count). Source: https://redis.io/commands/zpopmin
    """
    return pop_here(c, False)

declare(
    b"zpopmin", native(cmd_zpopmin), arity=-2, flags=WRITE | FAST, keys=key_at(1, "RW access delete"), since="5.0.0",
    complexity="O(log(N)+M) where N is the number of members of the sorted set and M the number of those removed",
    summary="Removes and returns the members of a sorted set with the lowest scores.",
    args="key [count:integer]",
)


cdef int cmd_zpopmax(Client c) except -1:
    """ZPOPMAX key [count] -> as ZPOPMIN, the highest scores first. Source: https://redis.io/commands/zpopmax"""
    return pop_here(c, True)

declare(
    b"zpopmax", native(cmd_zpopmax), arity=-2, flags=WRITE | FAST, keys=key_at(1, "RW access delete"), since="5.0.0",
    complexity="O(log(N)+M) where N is the number of members of the sorted set and M the number of those removed",
    summary="Removes and returns the members of a sorted set with the highest scores.",
    args="key [count:integer]",
)


cdef int first_zset(Client c, int first, int64_t count) except? -1:
    """The first of the keys argv[first..] that is there, as place; 0: none is; -2: it is of another type (replied)."""
    cdef Entry* e
    cdef int i

    for i in range(first, first + <int>count):
        e = c.db.lookup_write(&c.argv[i])
        if not c.has_type(e, TYPE_ZSET):
            return -2
        if e is not NULL:
            return i
    return 0


cdef int pop_several(Client c, int first, int64_t keys, bint highest, int64_t wanted, int64_t deadline_ms) except -1:
    """ZMPOP and BZMPOP; deadline_ms -1: do not wait."""
    cdef int found = first_zset(c, first, keys)
    cdef uint64_t count
    cdef Arg* key
    cdef Entry* e

    if found < 0:
        return 0
    if found == 0:
        if deadline_ms < 0:
            return c.reply_null_array()
        return block_on_keys(c, first, keys, 1, TYPE_ZSET, deadline_ms, NULL_ARRAY)
    key = &c.argv[found]
    e = c.db.peek(key)
    count = min(<uint64_t>wanted, zset_count(e))
    c.reply_array(2)
    c.reply_bulk(key.ptr, key.size)
    c.reply_array(count)
    if c.propagates():
        c.effect([b"ZPOPMAX" if highest else b"ZPOPMIN", arg_bytes(key), b"%d" % count])
    return pop(c, key, e, highest, count, True)


cdef bint end_or_reply(Client c, int at, bint* highest, int64_t* count) except -1:
    """MIN or MAX in argv[at], and COUNT behind it."""
    cdef int i = at + 1

    highest[0] = arg_is(&c.argv[at], b"MAX")
    if not highest[0] and not arg_is(&c.argv[at], b"MIN"):
        c.error(ERR_SYNTAX)
        return False
    count[0] = 1
    if i + 1 < c.argc and arg_is(&c.argv[i], b"COUNT"):
        if not get_range_or_reply(c, i + 1, 1, INT64_MAX, count, ERR_COUNT_LOW):
            return False
        i += 2
    if i < c.argc:
        c.error(ERR_SYNTAX)
        return False
    return True


cdef int pop_from_any(Client c, int at, bint blocking) except -1:
    """ZMPOP and BZMPOP; argv[at] is the number of keys."""
    cdef int64_t keys, count
    cdef int64_t deadline_ms = -1
    cdef bint highest

    if not get_range_or_reply(c, at, 1, INT64_MAX, &keys, ERR_NUMKEYS_LOW):
        return 0
    if keys >= c.argc - at - 1:
        return c.error(ERR_SYNTAX)
    if not end_or_reply(c, at + <int>keys + 1, &highest, &count):
        return 0
    if blocking and not get_seconds_or_reply(c, 1, &deadline_ms):
        return 0
    return pop_several(c, at + 1, keys, highest, count, deadline_ms)


cdef int cmd_zmpop(Client c) except -1:
    """ZMPOP numkeys key [key ...] MIN | MAX [COUNT count]
    -> [key, [[member, score], ...]] of the first key that is there, or null array.

    Propagated as ZPOPMIN or ZPOPMAX. Errors: WRONGTYPE; syntax; numkeys or count below 1.
    Source: https://redis.io/commands/zmpop
    """
    return pop_from_any(c, 1, False)

declare(
    b"zmpop", native(cmd_zmpop), arity=-4, flags=WRITE, keys=key_count(1, "RW access delete"), since="7.0.0",
    complexity="O(K)+O(M*log(N)) where K is the number of keys, N the number of members of the sorted set and M the"
               " number of those removed",
    summary="Removes and returns members with the lowest or highest scores of the first sorted set that is there.",
    args="numkeys:integer key... where=(MIN | MAX) [COUNT count:integer]",
)


cdef int cmd_bzmpop(Client c) except -1:
    """BZMPOP timeout numkeys key [key ...] MIN | MAX [COUNT count] -> as ZMPOP, waiting for a key to be there.

    timeout: seconds, 0 for ever. Errors: as ZMPOP; timeout. Source: https://redis.io/commands/bzmpop
    """
    return pop_from_any(c, 2, True)

declare(
    b"bzmpop", native(cmd_bzmpop), arity=-5, flags=WRITE | BLOCKING, keys=key_count(2, "RW access delete"),
    since="7.0.0",
    complexity="O(K)+O(M*log(N)) where K is the number of keys, N the number of members of the sorted set and M the"
               " number of those removed",
    summary="As ZMPOP, but waits until one of the sorted sets is there.",
    args="timeout:double numkeys:integer key... where=(MIN | MAX) [COUNT count:integer]",
)


cdef int pop_waiting(Client c, bint highest) except -1:
    """BZPOPMIN and BZPOPMAX."""
    cdef int64_t deadline_ms
    cdef int found
    cdef Arg* key

    if not get_seconds_or_reply(c, c.argc - 1, &deadline_ms):
        return 0
    found = first_zset(c, 1, c.argc - 2)
    if found < 0:
        return 0
    if found == 0:
        return block_on_keys(c, 1, c.argc - 2, 1, TYPE_ZSET, deadline_ms, NULL_ARRAY)
    key = &c.argv[found]
    c.reply_array(3)
    c.reply_bulk(key.ptr, key.size)
    if c.propagates():
        c.effect([b"ZPOPMAX" if highest else b"ZPOPMIN", arg_bytes(key)])
    return pop(c, key, c.db.peek(key), highest, 1, False)


cdef int cmd_bzpopmin(Client c) except -1:
    """BZPOPMIN key [key ...] timeout -> [key, member, score] of the first key that is there, waiting for one.

    timeout: seconds, 0 for ever; null array when it is over. Propagated as ZPOPMIN.
    Errors: WRONGTYPE; timeout. Source: https://redis.io/commands/bzpopmin
    """
    return pop_waiting(c, False)

declare(
    b"bzpopmin", native(cmd_bzpopmin), arity=-3, flags=WRITE | BLOCKING | FAST,
    keys=key_range(1, -2, 1, "RW access delete"), since="5.0.0",
    complexity="O(log(N)) where N is the number of members of the sorted set",
    summary="Removes and returns the member with the lowest score of the first of some sorted sets, waiting for one.",
    args="key... timeout:double",
    history=(("6.0.0", "`timeout` may have a fraction."),),
)


cdef int cmd_bzpopmax(Client c) except -1:
    """BZPOPMAX key [key ...] timeout -> as BZPOPMIN, the highest score. Source: https://redis.io/commands/bzpopmax"""
    return pop_waiting(c, True)

declare(
    b"bzpopmax", native(cmd_bzpopmax), arity=-3, flags=WRITE | BLOCKING | FAST,
    keys=key_range(1, -2, 1, "RW access delete"), since="5.0.0",
    complexity="O(log(N)) where N is the number of members of the sorted set",
    summary="Removes and returns the member with the highest score of the first of some sorted sets, waiting for one.",
    args="key... timeout:double",
    history=(("6.0.0", "`timeout` may have a fraction."),),
)


# --- members by chance ---------------------------------------------------------------------

cdef int reply_member(Client c, Entry* e, uint64_t rank, bint with_score) except -1:
    """One member, as an item of an array."""
    cdef ZsetIter it

    zset_seek_rank(&it, e, rank, 1, False)
    zset_next(&it)
    return reply_one(c, &it, with_score)


cdef inline int reply_one(Client c, const ZsetIter* it, bint with_score) except -1:
    if with_score:
        return reply_scored(c, it.text, it.size, it.score)
    return c.reply_bulk(it.text, it.size)


cdef int sample_by_walk(Client c, Entry* e, uint64_t count, bint with_scores) except -1:
    """`count` different members, in order: each with the probability that makes all choices equally likely.

    Source: Knuth, The Art of Computer Programming, volume 2, 3.4.2, algorithm S
    """
    cdef uint64_t left = zset_count(e)
    cdef ZsetIter it

    zset_seek_rank(&it, e, 0, left, False)
    while count and zset_next(&it):
        if random_below(&c.core.random, left) < count:
            reply_one(c, &it, with_scores)
            count -= 1
        left -= 1
    return 0


cdef int sample_by_draw(Client c, Entry* e, uint64_t count, bint with_scores) except -1:
    """`count` different members out of many more, in no order: ranks are drawn again that were drawn before."""
    cdef uint64_t members = zset_count(e)
    cdef uint64_t mask = 1
    cdef uint64_t rank, at
    cdef uint64_t* drawn                    # open addressing; ranks, one added, 0 is free

    while mask < count * 2:
        mask *= 2
    drawn = <uint64_t*>mem_calloc(&c.core.memory, mask * sizeof(uint64_t))
    mask -= 1
    try:
        while count:
            rank = random_below(&c.core.random, members)
            at = rank & mask
            while drawn[at] and drawn[at] != rank + 1:
                at = (at + 1) & mask
            if drawn[at]:
                continue
            drawn[at] = rank + 1
            reply_member(c, e, rank, with_scores)
            count -= 1
        return 0
    finally:
        mem_free(&c.core.memory, drawn, (mask + 1) * sizeof(uint64_t))


cdef int cmd_zrandmember(Client c) except -1:
    """ZRANDMEMBER key [count [WITHSCORES]] -> a member, or null; with a count an array.

    count above 0: so many different ones at most; below: exactly so many, each drawn from all.
    Errors: WRONGTYPE; count; syntax. Cost: O(log(members)) each. Source: https://redis.io/commands/zrandmember
    """
    cdef bint with_scores = c.argc == 4
    cdef int64_t count = 1
    cdef uint64_t members
    cdef Entry* e

    if c.argc > 2:
        if not get_int_or_reply(c, 2, &count):
            return 0
        if count == INT64_MIN:
            return c.error(ERR_LONG_RANGE)
        if c.argc > 4 or (with_scores and not arg_is(&c.argv[3], b"WITHSCORES")):
            return c.error(ERR_SYNTAX)
        if with_scores and not -(INT64_MAX // 2) <= count <= INT64_MAX // 2:
            return c.error(ERR_OUT_OF_RANGE)
    e = c.db.lookup_read(&c.argv[1])
    if not c.has_type(e, TYPE_ZSET):
        return 0
    if e is NULL:
        return c.reply_null() if c.argc == 2 else c.reply_array(0)
    members = zset_count(e)
    if c.argc == 2:
        return reply_member(c, e, random_below(&c.core.random, members), False)
    if count < 0:
        reply_members_header(c, -count, with_scores)
        while count and not c.out.over:     # there is no other bound
            reply_member(c, e, random_below(&c.core.random, members), with_scores)
            count += 1
        return 0
    count = min(<uint64_t>count, members)
    reply_members_header(c, count, with_scores)
    if <uint64_t>count > members // SAMPLE_PART or entry_encoding(e) == ENC_LISTPACK:
        return sample_by_walk(c, e, count, with_scores)
    return sample_by_draw(c, e, count, with_scores)

declare(
    b"zrandmember", native(cmd_zrandmember), arity=-2, flags=READONLY, keys=key_at(1, "RO access"), since="6.2.0",
    tips=("nondeterministic_output",),
    complexity="O(M*log(N)) where N is the number of members of the sorted set and M the number of those returned",
    summary="Returns members of a sorted set, chosen by chance.",
    args="key [options={count:integer [WITHSCORES]}]",
)


# --- ZSCAN ---------------------------------------------------------------------------------

cdef int64_t reply_scanned(Client c, ScanCall* s, const char* text, size_t size, double score) except -1:
    """A member that ZSCAN came by; returns how many items that is. Scores are text in RESP3 as well."""
    cdef char[DOUBLE_TEXT] digits

    if not scan_matches(s, text, size):
        return 0
    c.reply_bulk(text, size)
    if s.flags & SCAN_NOSCORES:
        return 1
    c.reply_bulk(digits, format_double(digits, score))
    return 2


cdef int64_t reply_scanned_block(Client c, ScanCall* s, void* block) except -1:
    """The same for a member of a table."""
    cdef size_t size
    cdef const char* text = zset_block_text(block, &size)

    return reply_scanned(c, s, text, size, zset_block_score(block))


cdef int cmd_zscan(Client c) except -1:
    """ZSCAN key cursor [MATCH pattern] [COUNT count] [NOSCORES] -> [next cursor, [member, score, ...]].

    As SCAN, for the members of a sorted set. A small one is returned whole, in order.
    Errors: WRONGTYPE; invalid cursor; syntax. Source: https://redis.io/commands/zscan
    """
    cdef int64_t items = 0
    cdef ScanCall s
    cdef ZsetIter it
    cdef size_t mark

    if not scan_value_or_reply(c, TYPE_ZSET, &s):
        return 0
    if entry_encoding(s.e) != ENC_LISTPACK:
        return scan_table(c, &s, &zset_of(s.e).members, reply_scanned_block)
    mark = scan_whole(c)
    zset_seek_rank(&it, s.e, 0, zset_count(s.e), False)
    while zset_next(&it):
        items += reply_scanned(c, &s, it.text, it.size, it.score)
    return c.out.end_array(mark, items)

declare(
    b"zscan", native(cmd_zscan), arity=-3, flags=READONLY, keys=key_at(1, "RO access"), since="2.8.0",
    tips=("nondeterministic_output",),
    complexity="O(1) for each call, O(N) for the whole walk, where N is the number of members of the sorted set",
    summary="Walks through the members of a sorted set, some at a call.",
    args="key cursor:integer [MATCH pattern:pattern] [COUNT count:integer]",
)
