"""Commands on ranges of sorted sets, by rank, score or bytes: ZRANGE, ZCOUNT, ZREMRANGEBYSCORE and their kin."""
from libc.stdint cimport int64_t, uint64_t

from fastredis._resp cimport Arg
from fastredis.commands.sorted_sets cimport reply_walk, store_build
from fastredis.ds.numbers cimport parse_bound
from fastredis.engine.client cimport Client
from fastredis.engine.command cimport native
from fastredis.engine.core cimport NOTIFY_ZSET
from fastredis.engine.errors cimport ERR_LEX_RANGE, ERR_LEX_SCORES, ERR_LIMIT_BY_RANK, ERR_SCORE_RANGE
from fastredis.engine.flags cimport DENYOOM, FAST, READONLY, WRITE
from fastredis.engine.options cimport (
    ALL_OPTIONS, OPT_FLAG, OPT_INTS, OPT_ONCE, Option, Options, get_int_or_reply, option_number, parse_options_or_reply,
)
from fastredis.values.entry cimport TYPE_ZSET, Entry
from fastredis.values.zset_type cimport (
    LEX_CLOSED, LEX_HIGHEST, LEX_LOWEST, LEX_OPEN, LexBound, LexRange, ScoreRange, ZsetBuild, ZsetIter,
    zset_build_clear, zset_build_init, zset_build_put_new, zset_build_reserve, zset_count, zset_count_lex,
    zset_count_score, zset_delete_range, zset_next, zset_seek_lex, zset_seek_rank, zset_seek_score,
)

from fastredis.engine.command import declarer
from fastredis.engine.declarations import key_at

declare = declarer("sorted-set")

cdef enum RangeKind:
    BY_RANK
    BY_SCORE
    BY_LEX

cdef enum:                          # flags of the options
    RANGE_BYSCORE = 1 << 0
    RANGE_BYLEX = 1 << 1
    RANGE_REV = 1 << 2
    RANGE_WITHSCORES = 1 << 3
    RANGE_LIMIT = 1 << 4
    OLD_RANGE_TAKES = RANGE_LIMIT | RANGE_WITHSCORES    # older commands, whose names say the kind and the direction

# BYSCORE and BYLEX exclude each other.
cdef Option[6] RANGE_OPTIONS = [
    Option(b"LIMIT", OPT_INTS, RANGE_LIMIT, 0, NULL),
    Option(b"BYSCORE", OPT_ONCE, RANGE_BYSCORE, 1, NULL),
    Option(b"BYLEX", OPT_ONCE, RANGE_BYLEX, 1, NULL),
    Option(b"REV", OPT_ONCE, RANGE_REV, 0, NULL),
    Option(b"WITHSCORES", OPT_FLAG, RANGE_WITHSCORES, 0, NULL),
    Option(NULL, OPT_FLAG, 0, 0, NULL),
]

cdef struct Range:
    RangeKind kind
    bint reverse                    # from the high end
    bint with_scores
    int64_t start                   # BY_RANK: places, from the end when negative
    int64_t stop
    ScoreRange scores
    LexRange lex
    int64_t offset                  # LIMIT
    int64_t limit                   # negative: none


# --- reading a range -----------------------------------------------------------------------

cdef bint parse_score_bound(const Arg* a, double* score, bint* is_open) noexcept:
    """A bound of a range of scores: "1.5", or "(1.5" which is open."""
    is_open[0] = a.size > 0 and a.ptr[0] == c'('
    return parse_bound(a.ptr + is_open[0], a.size - is_open[0], score)


cdef bint scores_or_reply(Client c, int low, int high, ScoreRange* scores) except -1:
    """The range of scores from argv[low] to argv[high]."""
    if parse_score_bound(&c.argv[low], &scores.min, &scores.min_open) and (
            parse_score_bound(&c.argv[high], &scores.max, &scores.max_open)):
        return True
    c.error(ERR_SCORE_RANGE)
    return False


cdef bint parse_lex_bound(const Arg* a, LexBound* bound) noexcept:
    """A bound of a range of members: "[text", "(text", "-" or "+"; what follows a zero byte after those is nothing."""
    if a.size == 0:
        return False
    bound.text = a.ptr + 1
    bound.size = a.size - 1
    if a.ptr[0] == c'[':
        bound.kind = LEX_CLOSED
    elif a.ptr[0] == c'(':
        bound.kind = LEX_OPEN
    elif a.size > 1 and a.ptr[1]:
        return False
    elif a.ptr[0] == c'-':
        bound.kind = LEX_LOWEST
    elif a.ptr[0] == c'+':
        bound.kind = LEX_HIGHEST
    else:
        return False
    return True


cdef bint lex_or_reply(Client c, int low, int high, LexRange* lex) except -1:
    """The range of members from argv[low] to argv[high]."""
    if parse_lex_bound(&c.argv[low], &lex.min) and parse_lex_bound(&c.argv[high], &lex.max):
        return True
    c.error(ERR_LEX_RANGE)
    return False


cdef bint bounds_or_reply(Client c, int first, Range* r) except -1:
    """The bounds in argv[first] and the next; a reversed range by score or bytes has its maximum first."""
    cdef int low = first + (r.reverse and r.kind != BY_RANK)
    cdef int high = 2 * first + 1 - low

    if r.kind == BY_SCORE:
        return scores_or_reply(c, low, high, &r.scores)
    if r.kind == BY_LEX:
        return lex_or_reply(c, low, high, &r.lex)
    return get_int_or_reply(c, low, &r.start) and get_int_or_reply(c, high, &r.stop)


cdef bint range_or_reply(Client c, int key, int takes, Range* r) except -1:
    """Read what follows argv[key]: min, max and options; they may give kind and direction, which are set already."""
    cdef Options given

    r.with_scores = False
    r.offset = 0
    r.limit = -1
    if c.argc > key + 3:
        if not parse_options_or_reply(c, key + 3, RANGE_OPTIONS, takes, &given):
            return False
        if given.flags & RANGE_LIMIT:
            r.offset = option_number(&given, RANGE_LIMIT)
            r.limit = given.second
        if given.flags & RANGE_BYSCORE:
            r.kind = BY_SCORE
        if given.flags & RANGE_BYLEX:
            r.kind = BY_LEX
        if given.flags & RANGE_REV:
            r.reverse = True
        r.with_scores = given.flags & RANGE_WITHSCORES != 0
    if r.limit != -1 and r.kind == BY_RANK:
        c.error(ERR_LIMIT_BY_RANK)
        return False
    if r.with_scores and r.kind == BY_LEX:
        c.error(ERR_LEX_SCORES)
        return False
    return bounds_or_reply(c, key + 1, r)


cdef uint64_t clip_ranks(const Entry* e, int64_t start, int64_t stop, uint64_t* first) noexcept:
    """How many members lie from place start to stop, and the place of the first of them."""
    cdef int64_t members = zset_count(e)

    if start < 0:
        start = max(start + members, 0)
    if stop < 0:
        stop += members
    first[0] = start
    if start > stop or start >= members:
        return 0
    return min(stop, members - 1) - start + 1


cdef uint64_t seek(ZsetIter* it, const Entry* e, const Range* r) noexcept:
    """Start the walk through the range; returns how many members it will give."""
    cdef uint64_t first, count

    if r.kind == BY_SCORE:
        return zset_seek_score(it, e, &r.scores, r.reverse, r.offset, r.limit)
    if r.kind == BY_LEX:
        return zset_seek_lex(it, e, &r.lex, r.reverse, r.offset, r.limit)
    count = clip_ranks(e, r.start, r.stop, &first)
    return zset_seek_rank(it, e, first if count else 0, count, r.reverse)


# --- replying ranges -----------------------------------------------------------------------

cdef int reply_range(Client c, int takes, RangeKind kind, bint reverse) except -1:
    cdef uint64_t members
    cdef ZsetIter it
    cdef Entry* e
    cdef Range r

    r.kind = kind
    r.reverse = reverse
    if not range_or_reply(c, 1, takes, &r):
        return 0
    e = c.db.lookup_read(&c.argv[1])
    if not c.has_type(e, TYPE_ZSET):
        return 0
    if e is NULL:
        return c.reply_array(0)
    members = seek(&it, e, &r)
    return reply_walk(c, &it, members, r.with_scores)


cdef int cmd_zrange(Client c) except -1:
    """ZRANGE key start stop [BYSCORE | BYLEX] [REV] [LIMIT offset count] [WITHSCORES]
    -> array: members in order; with WITHSCORES member, score (in RESP3 [member, score]) of each.

    start and stop are ranks, both included, from the end when negative; by score "1.5" or "(1.5", -inf and inf; by
    bytes "[text", "(text", - and +. With REV these two are given maximum first. LIMIT is not for ranks.
    Cost: O(log(members) + members replied), whatever the offset.
    Errors: WRONGTYPE; syntax; bounds. Source: https://redis.io/commands/zrange
    """
    return reply_range(c, ALL_OPTIONS, BY_RANK, False)

declare(
    b"zrange", native(cmd_zrange), arity=-4, flags=READONLY, keys=key_at(1, "RO access"), since="1.2.0",
    complexity="O(log(N)+M) where N is the number of members of the sorted set and M the number of those returned",
    summary="Returns a range of a sorted set, by rank, score or bytes.",
    args=(
        "key start stop [sortby=(BYSCORE | BYLEX)@6.2.0] [REV@6.2.0]"
        " [LIMIT limit={offset:integer count:integer}@6.2.0] [WITHSCORES]"
    ),
    history=(("6.2.0", "Options `REV`, `BYSCORE`, `BYLEX` and `LIMIT`."),),
)


cdef int cmd_zrevrange(Client c) except -1:
    """ZREVRANGE key start stop [WITHSCORES] -> as ZRANGE with REV. Source: https://redis.io/commands/zrevrange"""
    return reply_range(c, OLD_RANGE_TAKES, BY_RANK, True)

declare(
    b"zrevrange", native(cmd_zrevrange), arity=-4, flags=READONLY, keys=key_at(1, "RO access"), since="1.2.0",
    complexity="O(log(N)+M) where N is the number of members of the sorted set and M the number of those returned",
    summary="Returns a range of a sorted set by rank, the highest score first.",
    args="key start:integer stop:integer [WITHSCORES]",
    doc_flags=("deprecated",), deprecated_since="6.2.0", replaced_by="`ZRANGE` with the `REV` argument",
)


cdef int cmd_zrangebyscore(Client c) except -1:
    """ZRANGEBYSCORE key min max [WITHSCORES] [LIMIT offset count] -> as ZRANGE with BYSCORE.

    Source: https://redis.io/commands/zrangebyscore
    """
    return reply_range(c, OLD_RANGE_TAKES, BY_SCORE, False)

declare(
    b"zrangebyscore", native(cmd_zrangebyscore), arity=-4, flags=READONLY, keys=key_at(1, "RO access"), since="1.0.5",
    complexity="O(log(N)+M) where N is the number of members of the sorted set and M the number of those returned",
    summary="Returns the members of a sorted set whose scores are in a range.",
    args="key min:double max:double [WITHSCORES@2.0.0] [LIMIT limit={offset:integer count:integer}]",
    history=(("2.0.0", "Option `WITHSCORES`."),),
    doc_flags=("deprecated",), deprecated_since="6.2.0", replaced_by="`ZRANGE` with the `BYSCORE` argument",
)


cdef int cmd_zrevrangebyscore(Client c) except -1:
    """ZREVRANGEBYSCORE key max min [WITHSCORES] [LIMIT offset count] -> as ZRANGE with BYSCORE and REV.

    Source: https://redis.io/commands/zrevrangebyscore
    """
    return reply_range(c, OLD_RANGE_TAKES, BY_SCORE, True)

declare(
    b"zrevrangebyscore", native(cmd_zrevrangebyscore), arity=-4, flags=READONLY, keys=key_at(1, "RO access"),
    since="2.2.0",
    complexity="O(log(N)+M) where N is the number of members of the sorted set and M the number of those returned",
    summary="Returns the members of a sorted set whose scores are in a range, the highest score first.",
    args="key max:double min:double [WITHSCORES] [LIMIT limit={offset:integer count:integer}]",
    doc_flags=("deprecated",), deprecated_since="6.2.0",
    replaced_by="`ZRANGE` with the `REV` and `BYSCORE` arguments",
)


cdef int cmd_zrangebylex(Client c) except -1:
    """ZRANGEBYLEX key min max [LIMIT offset count] -> as ZRANGE with BYLEX.

    Source: https://redis.io/commands/zrangebylex
    """
    return reply_range(c, OLD_RANGE_TAKES, BY_LEX, False)

declare(
    b"zrangebylex", native(cmd_zrangebylex), arity=-4, flags=READONLY, keys=key_at(1, "RO access"), since="2.8.9",
    complexity="O(log(N)+M) where N is the number of members of the sorted set and M the number of those returned",
    summary="Returns the members of a sorted set that are in a range by their bytes, where all have one score.",
    args="key min max [LIMIT limit={offset:integer count:integer}]",
    doc_flags=("deprecated",), deprecated_since="6.2.0", replaced_by="`ZRANGE` with the `BYLEX` argument",
)


cdef int cmd_zrevrangebylex(Client c) except -1:
    """ZREVRANGEBYLEX key max min [LIMIT offset count] -> as ZRANGE with BYLEX and REV.

    Source: https://redis.io/commands/zrevrangebylex
    """
    return reply_range(c, OLD_RANGE_TAKES, BY_LEX, True)

declare(
    b"zrevrangebylex", native(cmd_zrevrangebylex), arity=-4, flags=READONLY, keys=key_at(1, "RO access"),
    since="2.8.9",
    complexity="O(log(N)+M) where N is the number of members of the sorted set and M the number of those returned",
    summary="Returns the members of a sorted set that are in a range by their bytes, the last first.",
    args="key max min [LIMIT limit={offset:integer count:integer}]",
    doc_flags=("deprecated",), deprecated_since="6.2.0",
    replaced_by="`ZRANGE` with the `REV` and `BYLEX` arguments",
)


cdef int cmd_zrangestore(Client c) except -1:
    """ZRANGESTORE dst src min max [BYSCORE | BYLEX] [REV] [LIMIT offset count] -> integer: members that dst has now.

    What dst was before is gone, TTL and all; an empty range deletes it. Errors: as ZRANGE.
    Source: https://redis.io/commands/zrangestore
    """
    cdef ZsetBuild build
    cdef ZsetIter it
    cdef Entry* e
    cdef Range r

    r.kind = BY_RANK
    r.reverse = False
    if not range_or_reply(c, 2, ~RANGE_WITHSCORES, &r):
        return 0
    e = c.db.lookup_read(&c.argv[2])
    if not c.has_type(e, TYPE_ZSET):
        return 0
    zset_build_init(&build, &c.core.memory)
    try:
        if e is not NULL:
            zset_build_reserve(&build, seek(&it, e, &r))
            while zset_next(&it):
                zset_build_put_new(&build, it.text, it.size, 0, it.score)
        return store_build(c, &c.argv[1], &build, b"zrangestore")
    finally:
        zset_build_clear(&build)

declare(
    b"zrangestore", native(cmd_zrangestore), arity=-5, flags=WRITE | DENYOOM,
    keys=(key_at(1, "OW update"), key_at(2, "RO access")), since="6.2.0",
    complexity="O(log(N)+M) where N is the number of members of the source and M the number of those stored",
    summary="Stores a range of a sorted set in a key.",
    args="dst:key src:key min max [sortby=(BYSCORE | BYLEX)] [REV] [LIMIT limit={offset:integer count:integer}]",
)


# --- counting and removing -----------------------------------------------------------------

cdef int cmd_zcount(Client c) except -1:
    """ZCOUNT key min max -> integer: members with a score in the range.

    Cost: O(log(members)). Errors: WRONGTYPE; bounds. Source: https://redis.io/commands/zcount
    """
    cdef ScoreRange scores
    cdef uint64_t first
    cdef Entry* e

    if not scores_or_reply(c, 2, 3, &scores):
        return 0
    e = c.db.lookup_read(&c.argv[1])
    if not c.has_type(e, TYPE_ZSET):
        return 0
    return c.reply_int(zset_count_score(e, &scores, &first) if e is not NULL else 0)

declare(
    b"zcount", native(cmd_zcount), arity=4, flags=READONLY | FAST, keys=key_at(1, "RO access"), since="2.0.0",
    complexity="O(log(N)) where N is the number of members of the sorted set",
    summary="Counts the members of a sorted set whose scores are in a range.",
    args="key min:double max:double",
)


cdef int cmd_zlexcount(Client c) except -1:
    """ZLEXCOUNT key min max -> integer: members in the range by their bytes.

    Cost: O(log(members)). Errors: WRONGTYPE; bounds. Source: https://redis.io/commands/zlexcount
    """
    cdef uint64_t first
    cdef LexRange lex
    cdef Entry* e

    if not lex_or_reply(c, 2, 3, &lex):
        return 0
    e = c.db.lookup_read(&c.argv[1])
    if not c.has_type(e, TYPE_ZSET):
        return 0
    return c.reply_int(zset_count_lex(e, &lex, &first) if e is not NULL else 0)

declare(
    b"zlexcount", native(cmd_zlexcount), arity=4, flags=READONLY | FAST, keys=key_at(1, "RO access"), since="2.8.9",
    complexity="O(log(N)) where N is the number of members of the sorted set",
    summary="Counts the members of a sorted set that are in a range by their bytes, where all have one score.",
    args="key min max",
)


cdef int remove_range(Client c, RangeKind kind, const char* event) except -1:
    """Remove the members of the range in argv[2] and argv[3]; replies how many."""
    cdef uint64_t first, count
    cdef Entry* e
    cdef Range r

    r.kind = kind
    r.reverse = False
    if not bounds_or_reply(c, 2, &r):
        return 0
    e = c.db.lookup_write(&c.argv[1])
    if not c.has_type(e, TYPE_ZSET):
        return 0
    if e is NULL:
        return c.reply_int(0)
    if kind == BY_SCORE:
        count = zset_count_score(e, &r.scores, &first)
    elif kind == BY_LEX:
        count = zset_count_lex(e, &r.lex, &first)
    else:
        count = clip_ranks(e, r.start, r.stop, &first)
    if count:
        zset_delete_range(&c.core.memory, e, first, count)
        c.modified(&c.argv[1], NOTIFY_ZSET, event, count)
        c.drop_empty(&c.argv[1], e)
    return c.reply_int(count)


cdef int cmd_zremrangebyrank(Client c) except -1:
    """ZREMRANGEBYRANK key start stop -> integer: how many members were removed. Ranks as those of ZRANGE.

    Errors: WRONGTYPE; not an integer. Source: https://redis.io/commands/zremrangebyrank
    """
    return remove_range(c, BY_RANK, b"zremrangebyrank")

declare(
    b"zremrangebyrank", native(cmd_zremrangebyrank), arity=4, flags=WRITE, keys=key_at(1, "RW delete"), since="2.0.0",
    complexity="O(log(N)+M) where N is the number of members of the sorted set and M the number of those removed",
    summary="Removes a range of a sorted set by rank.",
    args="key start:integer stop:integer",
)


cdef int cmd_zremrangebyscore(Client c) except -1:
    """ZREMRANGEBYSCORE key min max -> integer: how many members were removed. Bounds as those of ZRANGE BYSCORE.

    Errors: WRONGTYPE; bounds. Source: https://redis.io/commands/zremrangebyscore
    """
    return remove_range(c, BY_SCORE, b"zremrangebyscore")

declare(
    b"zremrangebyscore", native(cmd_zremrangebyscore), arity=4, flags=WRITE, keys=key_at(1, "RW delete"), since="1.2.0",
    complexity="O(log(N)+M) where N is the number of members of the sorted set and M the number of those removed",
    summary="Removes the members of a sorted set whose scores are in a range.",
    args="key min:double max:double",
)


cdef int cmd_zremrangebylex(Client c) except -1:
    """ZREMRANGEBYLEX key min max -> integer: how many members were removed. Bounds as those of ZRANGE BYLEX.

    Errors: WRONGTYPE; bounds. Source: https://redis.io/commands/zremrangebylex
    """
    return remove_range(c, BY_LEX, b"zremrangebylex")

declare(
    b"zremrangebylex", native(cmd_zremrangebylex), arity=4, flags=WRITE, keys=key_at(1, "RW delete"), since="2.8.9",
    complexity="O(log(N)+M) where N is the number of members of the sorted set and M the number of those removed",
    summary="Removes the members of a sorted set that are in a range by their bytes, where all have one score.",
    args="key min max",
)
