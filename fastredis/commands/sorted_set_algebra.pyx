"""Commands that put sorted sets, and sets with a score of 1 for all, together: ZUNION, ZINTER, ZDIFF and their kin.

Members go from the sources to the result in batches, so that the memory which looking them up takes can be asked
for ahead. The result is a table of members first, and put into order once when it is complete.
"""
from libc.stdint cimport INT64_MAX, int64_t, uint64_t
from libc.stdlib cimport qsort
from libc.string cimport memcpy

from fastredis.commands.deadlines cimport gone_ms, without_due
from fastredis.commands.sorted_sets cimport reply_members_header, reply_scored, store_build
from fastredis.ds.alloc cimport mem_alloc, mem_free
from fastredis.ds.btree cimport BtPair
from fastredis.ds.listpack cimport LpItem, lp_text
from fastredis.ds.native cimport hash_bytes, prefetch
from fastredis.ds.numbers cimport INT64_TEXT
from fastredis.ds.table cimport Table, table_find, table_prefetch_bucket, table_prefetch_entry
from fastredis.engine.client cimport Client
from fastredis.engine.command cimport native
from fastredis.engine.errors cimport ERR_LIMIT_NEGATIVE, ERR_SYNTAX, ERR_WEIGHT
from fastredis.engine.flags cimport DENYOOM, READONLY, WRITE
from fastredis.engine.options cimport arg_is, get_double_or_reply, get_int_or_reply, get_range_or_reply
from fastredis.values.entry cimport (
    ENC_SKIPLIST, TYPE_SET, TYPE_ZSET, Entry, entry_encoding, entry_slot, entry_type,
)
from fastredis.values.set_type cimport (
    SetIter, set_count_live, set_get_when, set_hiding, set_in_table, set_iter_end, set_iter_live, set_next, set_table,
)
from fastredis.values.timed cimport NO_DEADLINE
from fastredis.values.zset_type cimport (
    ZsetBuild, ZsetIter, zset_block_score, zset_block_text, zset_build_clear, zset_build_count, zset_build_free_pairs,
    zset_build_init, zset_build_pairs, zset_build_put, zset_build_put_new, zset_build_remove, zset_build_reserve,
    zset_count, zset_next, zset_score, zset_seek_rank,
)

from fastredis.engine.command import declarer
from fastredis.engine.declarations import key_at, key_count

declare = declarer("sorted-set")

cdef extern from "<math.h>" nogil:
    bint isnan(double v)

cdef enum:
    BATCH = 32                      # members whose memory is asked for at a time
    AHEAD = 8                       # members that a reply is ahead with asking

cdef enum Operator:
    UNION
    INTER
    DIFF

cdef enum Aggregate:
    SUM
    MIN
    MAX
    COUNT                           # a sum of weights: scores are not looked at

cdef struct Source:
    Entry* e                        # a sorted set or a set; NULL: a missing key
    uint64_t members
    int64_t gone_ms                 # members of a set with deadlines before it are hidden; 0: none is
    double weight
    int place                       # among the arguments

cdef struct Operation:
    Operator operator
    Aggregate aggregate
    int count                       # sources
    Source* sources
    bint with_scores
    bint cardinality                # ZINTERCARD: members are counted only
    uint64_t limit                  # ... up to so many; 0: all
    uint64_t found                  # ... so many

cdef struct Item:
    const char* text
    size_t size
    uint64_t hash                   # keyed hash of text; 0: not computed yet
    double score

cdef struct Batch:
    int count
    Item[BATCH] items
    char[BATCH * INT64_TEXT] scratch        # text of integers

cdef struct SourceWalk:
    bint is_set
    ZsetIter zset
    SetIter set


# --- walking through a source --------------------------------------------------------------

cdef void walk_begin(SourceWalk* walk, const Source* source) noexcept:
    """Start a walk through a source that is there; walk_end() ends it."""
    walk.is_set = entry_type(source.e) == TYPE_SET
    if walk.is_set:
        set_iter_live(&walk.set, source.e, source.gone_ms)
    else:
        zset_seek_rank(&walk.zset, source.e, 0, source.members, False)


cdef void walk_end(SourceWalk* walk) noexcept:
    if walk.is_set:
        set_iter_end(&walk.set)


cdef bint walk_batch(SourceWalk* walk, Batch* batch) noexcept:
    """The next members, as many as a batch holds; False: there are no more."""
    cdef Item* item = batch.items
    cdef LpItem member

    batch.count = 0
    while batch.count < BATCH:
        if walk.is_set:
            if not set_next(&walk.set, &member):
                break
            item.text = lp_text(&member, &batch.scratch[batch.count * INT64_TEXT], &item.size)
            item.score = 1
        else:
            if not zset_next(&walk.zset):
                break
            item.size = walk.zset.size
            item.text = keep_text(&walk.zset, &batch.scratch[batch.count * INT64_TEXT])
            item.score = walk.zset.score
        item.hash = 0
        item += 1
        batch.count += 1
    return batch.count != 0


cdef inline const char* keep_text(ZsetIter* it, char* scratch) noexcept:
    """The member's text; an integer's is copied, as the next step overwrites it."""
    if it.text != it.scratch:
        return it.text
    memcpy(scratch, it.scratch, it.size)
    return scratch


cdef void prefetch_batch(Table* t, Batch* batch) noexcept:
    """Hash the batch and ask for what looking it up in a table will touch."""
    cdef int i

    for i in range(batch.count):
        if batch.items[i].hash == 0:
            batch.items[i].hash = hash_bytes(batch.items[i].text, batch.items[i].size)
        table_prefetch_bucket(t, batch.items[i].hash)
    for i in range(batch.count):
        table_prefetch_entry(t, batch.items[i].hash)


cdef inline Table* table_of(const Source* source) noexcept:
    """The table of members of a big set or sorted set, its value's first field; NULL: it is a small one.

    Nor is it to be looked at in a set that hides some of its members.
    """
    cdef const Entry* e = source.e

    if entry_type(e) == TYPE_SET:
        return set_table(e) if set_in_table(e) and set_hiding(e, source.gone_ms) is NULL else NULL
    return <Table*>entry_slot(<Entry*>e)[0] if entry_encoding(e) == ENC_SKIPLIST else NULL


cdef inline bint find(const Source* source, Table* t, const Item* item, double* score) noexcept:
    """Whether a source has that member, and its score there. t: its table_of()."""
    cdef const Entry* e = source.e
    cdef int64_t when_ms
    cdef void* block

    if t is NULL:
        if entry_type(e) == TYPE_ZSET:
            return zset_score(e, item.text, item.size, item.hash, score)
        score[0] = 1
        return set_get_when(e, item.text, item.size, item.hash, &when_ms) and (
            when_ms == NO_DEADLINE or when_ms >= source.gone_ms)
    block = table_find(t, item.text, item.size, item.hash)
    if block is NULL:
        return False
    score[0] = zset_block_score(block) if entry_type(e) == TYPE_ZSET else 1
    return True


# --- the three operations ------------------------------------------------------------------

cdef inline double weighted(const Operation* op, const Source* source, double score) noexcept:
    """What a member's score in a source contributes; an infinity by a weight of 0 gives NaN."""
    return source.weight if op.aggregate == COUNT else source.weight * score


cdef inline double or_zero(double score) noexcept:
    return 0 if isnan(score) else score


cdef inline double aggregate(const Operation* op, double a, double b) noexcept:
    if op.aggregate == MIN:
        return b if b < a else a
    if op.aggregate == MAX:
        return b if b > a else a
    return or_zero(a + b)


cdef int unite(Operation* op, ZsetBuild* build) except -1:
    """ZUNION, from the smallest source to the largest, as the order decides how sums are rounded."""
    cdef Source* largest = &op.sources[op.count - 1]
    cdef int i

    zset_build_reserve(build, largest.members)
    for i in range(op.count):
        if op.sources[i].e is not NULL:
            unite_source(op, &op.sources[i], build)
    return 0


cdef int unite_source(Operation* op, Source* source, ZsetBuild* build) except -1:
    cdef SourceWalk walk
    cdef Batch batch
    cdef double score
    cdef double* place
    cdef bint added
    cdef int i

    walk_begin(&walk, source)
    try:
        while walk_batch(&walk, &batch):
            prefetch_batch(&build.members, &batch)
            for i in range(batch.count):
                score = or_zero(weighted(op, source, batch.items[i].score))
                place = zset_build_put(build, batch.items[i].text, batch.items[i].size, batch.items[i].hash,
                                       score, &added)
                if not added:
                    place[0] = aggregate(op, place[0], score)
    finally:
        walk_end(&walk)
    return 0


cdef inline int put_item(ZsetBuild* build, const Item* item) except -1:
    return zset_build_put_new(build, item.text, item.size, item.hash, item.score)


cdef int intersect(Operation* op, ZsetBuild* build) except -1:
    """ZINTER: the members of the smallest source that all others have. ZINTERCARD counts them in op.found."""
    cdef SourceWalk walk
    cdef Batch batch
    cdef int i

    if op.sources[0].members == 0:
        return 0
    walk_begin(&walk, &op.sources[0])
    try:
        while walk_batch(&walk, &batch):
            for i in range(batch.count):
                batch.items[i].score = or_zero(weighted(op, &op.sources[0], batch.items[i].score))
            for i in range(1, op.count):
                keep_common(op, &op.sources[i], &batch)
            op.found += batch.count
            if op.cardinality:
                if op.limit and op.found >= op.limit:
                    op.found = op.limit
                    break
                continue
            for i in range(batch.count):
                put_item(build, &batch.items[i])
    finally:
        walk_end(&walk)
    return 0


cdef int keep_common(const Operation* op, Source* source, Batch* batch) noexcept:
    """Drop from the batch what the source does not have, and add up the scores of the rest."""
    cdef Table* t = table_of(source)
    cdef double score
    cdef int i
    cdef int kept = 0

    if t is not NULL:
        prefetch_batch(t, batch)
    for i in range(batch.count):
        if find(source, t, &batch.items[i], &score):
            batch.items[kept] = batch.items[i]
            batch.items[kept].score = aggregate(op, batch.items[i].score, weighted(op, source, score))
            kept += 1
    batch.count = kept
    return 0


cdef int subtract(Operation* op, ZsetBuild* build) except -1:
    """ZDIFF, in one of two ways: look the first source's members up in the others, or the others' in the first."""
    cdef uint64_t by_lookup = 0
    cdef uint64_t by_removal = 0
    cdef int i

    if op.sources[0].members == 0:
        return 0
    for i in range(op.count):
        if i and op.sources[i].e is op.sources[0].e:
            return 0
        by_lookup += op.sources[0].members
        by_removal += op.sources[i].members
    # Looking up stops at the first source that has the member, and puts in nothing that has to go again.
    if by_lookup // 2 <= by_removal:
        return subtract_by_lookup(op, build)
    return subtract_by_removal(op, build)


cdef int subtract_by_lookup(Operation* op, ZsetBuild* build) except -1:
    cdef SourceWalk walk
    cdef Batch batch
    cdef int i

    walk_begin(&walk, &op.sources[0])
    try:
        while walk_batch(&walk, &batch):
            # The largest first, as it is the most likely one to have a member.
            for i in range(op.count - 1, 0, -1):
                if op.sources[i].e is not NULL:
                    drop_common(&op.sources[i], &batch)
            for i in range(batch.count):
                put_item(build, &batch.items[i])
    finally:
        walk_end(&walk)
    return 0


cdef int drop_common(Source* source, Batch* batch) noexcept:
    """Drop from the batch what the source has."""
    cdef Table* t = table_of(source)
    cdef double score
    cdef int i
    cdef int kept = 0

    if t is not NULL:
        prefetch_batch(t, batch)
    for i in range(batch.count):
        if not find(source, t, &batch.items[i], &score):
            batch.items[kept] = batch.items[i]
            kept += 1
    batch.count = kept
    return 0


cdef int subtract_by_removal(Operation* op, ZsetBuild* build) except -1:
    cdef SourceWalk walk
    cdef Batch batch
    cdef int i, k

    zset_build_reserve(build, op.sources[0].members)
    for i in range(op.count):
        if op.sources[i].e is NULL:
            continue
        walk_begin(&walk, &op.sources[i])
        try:
            while walk_batch(&walk, &batch):
                prefetch_batch(&build.members, &batch)
                for k in range(batch.count):
                    if i == 0:
                        put_item(build, &batch.items[k])
                    else:
                        zset_build_remove(build, batch.items[k].text, batch.items[k].size, batch.items[k].hash)
        finally:
            walk_end(&walk)
        if zset_build_count(build) == 0:
            break
    return 0


# --- arguments -----------------------------------------------------------------------------

cdef bint sources_or_reply(Client c, int first, Operation* op) except -1:
    """Look up the keys argv[first..]."""
    cdef Source* source
    cdef Entry* e
    cdef int i

    for i in range(op.count):
        e = c.db.lookup_read(&c.argv[first + i])
        if e is not NULL and entry_type(e) != TYPE_ZSET and entry_type(e) != TYPE_SET:
            c.wrong_type()
            return False
        e = without_due(c, e)
        source = &op.sources[i]
        source.e = e
        source.gone_ms = gone_ms(c)
        source.members = 0
        if e is not NULL:
            source.members = set_count_live(e, source.gone_ms) if entry_type(e) == TYPE_SET else zset_count(e)
        source.weight = 1
        source.place = i
    return True


cdef bint aggregate_or_reply(Client c, int index, Operation* op) except -1:
    if arg_is(&c.argv[index], b"SUM"):
        op.aggregate = SUM
    elif arg_is(&c.argv[index], b"MIN"):
        op.aggregate = MIN
    elif arg_is(&c.argv[index], b"MAX"):
        op.aggregate = MAX
    elif arg_is(&c.argv[index], b"COUNT"):
        op.aggregate = COUNT
    else:
        c.error(ERR_SYNTAX)
        return False
    return True


cdef bint settings_or_reply(Client c, int first, bint stores, Operation* op) except -1:
    """Options, which stand behind the keys. WEIGHTS takes as many arguments as there are keys."""
    cdef bint scored = op.operator != DIFF and not op.cardinality
    cdef int64_t limit
    cdef int i = first
    cdef int k

    while i < c.argc:
        if scored and c.argc - i > op.count and arg_is(&c.argv[i], b"WEIGHTS"):
            for k in range(op.count):
                if not get_double_or_reply(c, i + 1 + k, &op.sources[k].weight, ERR_WEIGHT):
                    return False
            i += 1 + op.count
        elif scored and i + 1 < c.argc and arg_is(&c.argv[i], b"AGGREGATE"):
            if not aggregate_or_reply(c, i + 1, op):
                return False
            i += 2
        elif not stores and not op.cardinality and arg_is(&c.argv[i], b"WITHSCORES"):
            op.with_scores = True
            i += 1
        elif op.cardinality and i + 1 < c.argc and arg_is(&c.argv[i], b"LIMIT"):
            if not get_range_or_reply(c, i + 1, 0, INT64_MAX, &limit, ERR_LIMIT_NEGATIVE):
                return False
            op.limit = limit
            i += 2
        else:
            c.error(ERR_SYNTAX)
            return False
    return True


cdef int by_members(const void* a, const void* b) noexcept nogil:
    """Order of sources: the smaller first, equal ones as they were given."""
    cdef const Source* left = <const Source*>a
    cdef const Source* right = <const Source*>b

    if left.members != right.members:
        return -1 if left.members < right.members else 1
    return left.place - right.place


# --- handlers ------------------------------------------------------------------------------

cdef int reply_build(Client c, ZsetBuild* build, bint with_scores) except -1:
    """Reply what was built, in order."""
    cdef uint64_t members = zset_build_count(build)
    cdef BtPair* pairs = zset_build_pairs(build)
    cdef const char* text
    cdef size_t size
    cdef uint64_t i

    reply_members_header(c, members, with_scores)
    try:
        for i in range(members):
            if i + AHEAD < members:
                prefetch(pairs[i + AHEAD].member)
            text = zset_block_text(pairs[i].member, &size)
            if with_scores:
                reply_scored(c, text, size, pairs[i].score)
            else:
                c.reply_bulk(text, size)
    finally:
        zset_build_free_pairs(build, pairs)
    return 0


cdef int compute(Client c, Operation* op, bint stores, const char* event) except -1:
    """Do it and store the result in argv[1] or reply it."""
    cdef ZsetBuild build
    cdef int first = 1 if op.operator == DIFF else 0    # ZDIFF's first source stays the first

    qsort(op.sources + first, op.count - first, sizeof(Source), by_members)
    zset_build_init(&build, &c.core.memory)
    try:
        if op.operator == UNION:
            unite(op, &build)
        elif op.operator == INTER:
            intersect(op, &build)
        else:
            subtract(op, &build)
        if op.cardinality:
            return c.reply_int(op.found)
        if stores:
            return store_build(c, &c.argv[1], &build, event)
        return reply_build(c, &build, op.with_scores)
    finally:
        zset_build_clear(&build)


cdef int operate(Client c, Operator operator, bytes name, const char* event, bint cardinality) except -1:
    """All of the commands. event: NULL unless the result is stored in argv[1]; then the keys are one place later."""
    cdef bint stores = event is not NULL
    cdef int at = 2 if stores else 1
    cdef int64_t keys
    cdef Operation op

    if not get_int_or_reply(c, at, &keys):
        return 0
    if keys < 1:
        return c.error_text(b"ERR at least 1 input key is needed for '%s' command" % name)
    if keys >= c.argc - at:
        return c.error(ERR_SYNTAX)
    op.operator = operator
    op.aggregate = SUM
    op.count = <int>keys
    op.with_scores = False
    op.cardinality = cardinality
    op.limit = 0
    op.found = 0
    op.sources = <Source*>mem_alloc(&c.core.memory, op.count * sizeof(Source))
    try:
        if not sources_or_reply(c, at + 1, &op) or not settings_or_reply(c, at + 1 + op.count, stores, &op):
            return 0
        return compute(c, &op, stores, event)
    finally:
        mem_free(&c.core.memory, op.sources, op.count * sizeof(Source))


cdef int cmd_zunion(Client c) except -1:
    """ZUNION numkeys key [key ...] [WEIGHTS weight ...] [AGGREGATE SUM | MIN | MAX | COUNT] [WITHSCORES]
    -> array: the members of all, in order of their scores put together; as ZRANGE.

    A set's members have the score 1. COUNT: the sum of the weights of the sources that have the member.
    Errors: WRONGTYPE; numkeys; weight; syntax. Source: https://redis.io/commands/zunion
    """
    return operate(c, UNION, b"zunion", NULL, False)

declare(
    b"zunion", native(cmd_zunion), arity=-3, flags=READONLY, keys=key_count(1, "RO access"), since="6.2.0",
    complexity="O(N)+O(M*log(M)) where N is the number of members of all sources and M the number of those returned",
    summary="Returns the union of sorted sets.",
    args=(
        "numkeys:integer key... [WEIGHTS weight:integer...] [AGGREGATE aggregate=(SUM | MIN | MAX | COUNT@8.8.0)]"
        " [WITHSCORES]"
    ),
    history=(("8.8.0", "`AGGREGATE COUNT`."),),
)


cdef int cmd_zunionstore(Client c) except -1:
    """ZUNIONSTORE destination numkeys key [key ...] [WEIGHTS weight ...] [AGGREGATE ...] -> integer: members stored.

    As ZUNION. What the destination was before is gone, TTL and all; an empty result deletes it.
    Source: https://redis.io/commands/zunionstore
    """
    return operate(c, UNION, b"zunionstore", b"zunionstore", False)

declare(
    b"zunionstore", native(cmd_zunionstore), arity=-4, flags=WRITE | DENYOOM,
    keys=(key_at(1, "OW update"), key_count(2, "RO access")), since="2.0.0",
    complexity="O(N)+O(M*log(M)) where N is the number of members of all sources and M the number of those stored",
    summary="Stores the union of sorted sets in a key.",
    args=(
        "destination:key numkeys:integer key... [WEIGHTS weight:integer...]"
        " [AGGREGATE aggregate=(SUM | MIN | MAX | COUNT@8.8.0)]"
    ),
    history=(("8.8.0", "`AGGREGATE COUNT`."),),
)


cdef int cmd_zinter(Client c) except -1:
    """ZINTER numkeys key [key ...] [WEIGHTS weight ...] [AGGREGATE SUM | MIN | MAX | COUNT] [WITHSCORES]
    -> array: the members that all sources have; otherwise as ZUNION.

    Source: https://redis.io/commands/zinter
    """
    return operate(c, INTER, b"zinter", NULL, False)

declare(
    b"zinter", native(cmd_zinter), arity=-3, flags=READONLY, keys=key_count(1, "RO access"), since="6.2.0",
    complexity="O(N*K)+O(M*log(M)) where N is the number of members of the smallest source, K the number of sources"
               " and M the number of members returned",
    summary="Returns the members that all of some sorted sets have.",
    args=(
        "numkeys:integer key... [WEIGHTS weight:integer...] [AGGREGATE aggregate=(SUM | MIN | MAX | COUNT@8.8.0)]"
        " [WITHSCORES]"
    ),
    history=(("8.8.0", "`AGGREGATE COUNT`."),),
)


cdef int cmd_zinterstore(Client c) except -1:
    """ZINTERSTORE destination numkeys key [key ...] [WEIGHTS weight ...] [AGGREGATE ...] -> integer: members stored.

    As ZINTER and ZUNIONSTORE. Source: https://redis.io/commands/zinterstore
    """
    return operate(c, INTER, b"zinterstore", b"zinterstore", False)

declare(
    b"zinterstore", native(cmd_zinterstore), arity=-4, flags=WRITE | DENYOOM,
    keys=(key_at(1, "OW update"), key_count(2, "RO access")), since="2.0.0",
    complexity="O(N*K)+O(M*log(M)) where N is the number of members of the smallest source, K the number of sources"
               " and M the number of members stored",
    summary="Stores the members that all of some sorted sets have in a key.",
    args=(
        "destination:key numkeys:integer key... [WEIGHTS weight:integer...]"
        " [AGGREGATE aggregate=(SUM | MIN | MAX | COUNT@8.8.0)]"
    ),
    history=(("8.8.0", "`AGGREGATE COUNT`."),),
)


cdef int cmd_zintercard(Client c) except -1:
    """ZINTERCARD numkeys key [key ...] [LIMIT limit] -> integer: how many members all sources have, up to the limit.

    A limit of 0 is none. Errors: WRONGTYPE; numkeys; limit; syntax. Source: https://redis.io/commands/zintercard
    """
    return operate(c, INTER, b"zintercard", NULL, True)

declare(
    b"zintercard", native(cmd_zintercard), arity=-3, flags=READONLY, keys=key_count(1, "RO access"), since="7.0.0",
    complexity="O(N*K) where N is the number of members of the smallest source and K the number of sources",
    summary="Counts the members that all of some sorted sets have.",
    args="numkeys:integer key... [LIMIT limit:integer]",
)


cdef int cmd_zdiff(Client c) except -1:
    """ZDIFF numkeys key [key ...] [WITHSCORES] -> array: the members of the first source that no other has.

    Errors: WRONGTYPE; numkeys; syntax. Source: https://redis.io/commands/zdiff
    """
    return operate(c, DIFF, b"zdiff", NULL, False)

declare(
    b"zdiff", native(cmd_zdiff), arity=-3, flags=READONLY, keys=key_count(1, "RO access"), since="6.2.0",
    complexity="O(min(N*K,L))+O(M*log(M)) where N is the number of members of the first source, K the number of"
               " sources, L the number of members of all and M the number of those returned",
    summary="Returns the members of a sorted set that no other of some has.",
    args="numkeys:integer key... [WITHSCORES]",
)


cdef int cmd_zdiffstore(Client c) except -1:
    """ZDIFFSTORE destination numkeys key [key ...] -> integer: members stored. As ZDIFF and ZUNIONSTORE.

    Source: https://redis.io/commands/zdiffstore
    """
    return operate(c, DIFF, b"zdiffstore", b"zdiffstore", False)

declare(
    b"zdiffstore", native(cmd_zdiffstore), arity=-4, flags=WRITE | DENYOOM,
    keys=(key_at(1, "OW update"), key_count(2, "RO access")), since="6.2.0",
    complexity="O(min(N*K,L))+O(M*log(M)) where N is the number of members of the first source, K the number of"
               " sources, L the number of members of all and M the number of those stored",
    summary="Stores the members of a sorted set that no other of some has in a key.",
    args="destination:key numkeys:integer key...",
)
