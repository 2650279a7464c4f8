"""XCLAIM, XAUTOCLAIM, and what XREADGROUP CLAIM claims: entries that are pending go to another consumer."""
from libc.stdint cimport INT64_MAX, UINT64_MAX, int64_t, uint64_t
from libc.string cimport memcpy, memmove

from fastredis.commands.stream_groups cimport (
    GroupCall, claim_effect, consumer_effect, drop_effect, find_group, give, latest, no_group, position_effect, shown,
    use_consumer, wake_claimers,
)
from fastredis.commands.streams cimport (
    Budget, Client, Id, IdList, before, fits, id_or_reply, ids_free, ids_or_reply, only_effects, parse_id, reply_entry,
    reply_fields, reply_id, start_or_reply,
)
from fastredis.ds.alloc cimport mem_free, mem_realloc
from fastredis.ds.id_tree cimport IdPlace, id_less, idt_from, idt_from_before, idt_id, idt_next, idt_value
from fastredis.engine.command cimport native
from fastredis.engine.flags cimport FAST, WRITE
from fastredis.engine.options cimport (
    OPT_FLAG, OPT_INT, Option, Options, arg_is, get_int_or_reply_text, get_range_or_reply, option_number,
    parse_options_or_reply,
)
from fastredis.values.stream_group cimport (
    Pending, once_more, pending_find, pending_give, pending_oldest, pending_remove,
)
from fastredis.values.stream_type cimport Stream, StreamIter, stream_first_id, stream_iter, stream_length, stream_next

from fastredis.engine.command import declarer
from fastredis.engine.declarations import key_at

declare = declarer("stream")

cdef enum:
    AUTO_COUNT = 1                      # options of XAUTOCLAIM
    AUTO_JUSTID = 2
    COUNT_DEFAULT = 100                 # its COUNT
    ATTEMPTS = 10                       # pending entries that it looks at for each it may claim
    ID_REPLY = 64                       # room for an id as it is replied
    FIRST_ROOM = 16                     # ids in the first memory of an IdRow

cdef Option[3] AUTO_OPTIONS = [
    Option(b"COUNT", OPT_INT, AUTO_COUNT, 0, count_or_reply),
    Option(b"JUSTID", OPT_FLAG, AUTO_JUSTID, 0, NULL),
    Option(NULL, OPT_FLAG, 0, 0, NULL),
]


cdef int reply_claimed(Client c, StreamIter* it, bint just_id) except -1:
    return reply_id(c, it.id) if just_id else reply_entry(c, it)


cdef int drop_deleted(Client c, GroupCall* call, Id id) except -1:
    """An entry is pending that is not there any more: it is so no longer. Told by a claim, which is in vain, too."""
    if pending_find(call.group, id).consumer is NULL:
        drop_effect(c, call, id)
    else:
        claim_effect(c, call, id)
    pending_remove(call.group, id)
    c.core.dirty += 1
    return 0


# ---------------------------------------------------------------- XCLAIM

cdef struct Claim:                      # arguments of XCLAIM
    int64_t min_idle
    int64_t time_ms                     # of the delivery
    int64_t deliveries                  # RETRYCOUNT; negative: not given
    bint force
    bint just_id
    Id last_id                          # LASTID; 0-0: not given


cdef bint claim_options_or_reply(Client c, int first, Claim* claim) except -1:
    """The options of XCLAIM from argv[first] on."""
    cdef int64_t idle
    cdef int i = first
    cdef bint more

    claim.time_ms = c.core.now_ms
    claim.deliveries = -1
    claim.force = claim.just_id = False
    claim.last_id = Id(0, 0)
    while i < c.argc:
        more = i + 1 < c.argc
        if arg_is(&c.argv[i], b"FORCE"):
            claim.force = True
        elif arg_is(&c.argv[i], b"JUSTID"):
            claim.just_id = True
        elif arg_is(&c.argv[i], b"IDLE") and more:
            i += 1
            if not get_int_or_reply_text(c, i, &idle, b"ERR Invalid IDLE option argument for XCLAIM"):
                return False
            claim.time_ms = latest(c.core.now_ms, idle)
        elif arg_is(&c.argv[i], b"TIME") and more:
            i += 1
            if not get_int_or_reply_text(c, i, &claim.time_ms, b"ERR Invalid TIME option argument for XCLAIM"):
                return False
        elif arg_is(&c.argv[i], b"RETRYCOUNT") and more:
            i += 1
            if not get_int_or_reply_text(c, i, &claim.deliveries,
                                         b"ERR Invalid RETRYCOUNT option argument for XCLAIM"):
                return False
        elif arg_is(&c.argv[i], b"LASTID") and more:
            i += 1
            if not id_or_reply(c, i, 0, &claim.last_id):
                return False
        else:
            c.error_text(b"ERR Unrecognized XCLAIM option '" + shown(&c.argv[i]) + b"'")
            return False
        i += 1
    if not 0 <= claim.time_ms <= c.core.now_ms and not c.core.obeying:
        claim.time_ms = c.core.now_ms       # a client's clock may be wrong
    return True


cdef bint claim_one(Client c, GroupCall* call, const Claim* claim, Id id) except -1:
    """Give an entry to the consumer and reply it, if it can be claimed."""
    cdef Pending* p = pending_find(call.group, id)
    cdef int64_t deliveries = claim.deliveries
    cdef StreamIter it

    stream_iter(&it, call.s, id, id, False)
    if not stream_next(&it):
        if p is not NULL:
            drop_deleted(c, call, id)
        return False
    if p is NULL and not claim.force:
        return False
    if p is not NULL and claim.min_idle and p.time_ms > latest(c.core.now_ms, claim.min_idle):
        return False
    if deliveries < 0 and p is not NULL:
        deliveries = <int64_t>p.deliveries if claim.just_id else once_more(p)
    elif deliveries < 0:
        deliveries = 1 if claim.just_id else 2
    give(c, call, id, claim.time_ms, deliveries)
    c.core.dirty += 1
    reply_claimed(c, &it, claim.just_id)
    return True


cdef int claim_all(Client c, GroupCall* call, const Claim* claim, const IdList* ids) except -1:
    cdef size_t mark
    cdef int64_t claimed = 0
    cdef int64_t dirty
    cdef int64_t i
    cdef bint moved = id_less(call.group.last_id, claim.last_id)

    if moved:
        call.group.last_id = claim.last_id
    use_consumer(c, call, &c.argv[3])
    dirty = c.core.dirty
    mark = c.out.begin()
    for i in range(ids.count):
        claimed += claim_one(c, call, claim, ids.items[i])
    c.out.end_array(mark, claimed)
    if claimed and claim.time_ms < c.core.now_ms:
        wake_claimers(c, call)
    if moved and c.core.dirty == dirty:         # no claim has told of it
        c.core.dirty += 1
        position_effect(c, call)
    consumer_effect(c, call)
    return only_effects(c)


cdef int cmd_xclaim(Client c) except -1:
    """XCLAIM key group consumer min-idle id ... [option ...] -> array of the entries claimed; JUSTID: of their ids.

    IDLE ms, TIME unix-ms: when they are taken to be delivered; RETRYCOUNT n: how often. FORCE: entries that are not
    pending, too. LASTID id: the group has read up to there, at least. Entries that were deleted are pending no more.
    Propagated as a claim for each.
    Errors: WRONGTYPE; NOGROUP; syntax. Source: https://redis.io/commands/xclaim
    """
    cdef GroupCall call
    cdef Claim claim
    cdef IdList ids
    cdef int last = 5
    cdef Id id

    if not find_group(c, &call, &c.argv[1], &c.argv[2]):
        return 0
    if call.group is NULL:
        return no_group(c, &call, b"")
    if not get_int_or_reply_text(c, 4, &claim.min_idle, b"ERR Invalid min-idle-time argument for XCLAIM"):
        return 0
    claim.min_idle = max(claim.min_idle, 0)
    while last < c.argc and parse_id(&c.argv[last], 0, &id):
        last += 1
    if claim_options_or_reply(c, last, &claim):
        if ids_or_reply(c, 5, last - 5, &ids):
            claim_all(c, &call, &claim, &ids)
        ids_free(c, &ids)
    return 0

declare(
    b"xclaim", native(cmd_xclaim), arity=-6, flags=WRITE | FAST, keys=key_at(1, "RW update"), since="5.0.0",
    tips=("nondeterministic_output",),
    complexity="O(log(N)) for each id where N is the number of entries that are pending",
    summary="Gives entries that are pending to another consumer.",
    args="key group consumer min-idle-time id... [IDLE ms:integer] [TIME unix-time-milliseconds:unix-time] "
         "[RETRYCOUNT count:integer] [FORCE] [JUSTID] [LASTID lastid]",
)


# ---------------------------------------------------------------- XAUTOCLAIM

cdef struct IdRow:                      # ids as they come
    Id* items
    int64_t count
    int64_t room

cdef struct AutoClaim:                  # arguments of XAUTOCLAIM
    int64_t min_idle
    Id start
    int64_t count
    bint just_id


cdef bint count_or_reply(Client c, int index, int64_t* value) except -1:
    return get_range_or_reply(c, index, 1, INT64_MAX // 16, value, b"ERR COUNT must be > 0")


cdef int keep_id(Client c, IdRow* row, Id id) noexcept:
    cdef int64_t room = row.room

    if row.count == room:
        row.room = max(2 * room, <int64_t>FIRST_ROOM)
        row.items = <Id*>mem_realloc(&c.core.memory, row.items, room * sizeof(Id), row.room * sizeof(Id))
    row.items[row.count] = id
    row.count += 1
    return 0


cdef Id last_doubtful(Stream* s) noexcept:
    """Up to this id something that is pending may have been deleted; above it, nothing was."""
    cdef Id first

    if stream_length(s) == 0:
        return Id(UINT64_MAX, UINT64_MAX)
    first = stream_first_id(s)
    return before(first) if id_less(s.max_deleted_id, first) else s.max_deleted_id


cdef int64_t claim_idle(Client c, GroupCall* call, const AutoClaim* args, IdRow* deleted, Id* cursor) except -1:
    """Claim and reply what has been idle for so long, without a header; how many. cursor: where the next call begins.

    What has not been idle so long is passed by without a look, unless it may have been deleted.
    """
    cdef int64_t until = latest(c.core.now_ms, args.min_idle) if args.min_idle else INT64_MAX
    cdef int64_t attempts = args.count * ATTEMPTS if args.count <= INT64_MAX // ATTEMPTS else INT64_MAX
    cdef int64_t left = args.count
    cdef int64_t claimed = 0
    cdef IdPlace at = idt_from(&call.group.pending, args.start)
    cdef Id doubtful = last_doubtful(call.s)
    cdef StreamIter it
    cdef Pending* p
    cdef Id id

    while left and attempts and at.leaf is not NULL:
        if id_less(doubtful, idt_id(at)):
            at = idt_from_before(&call.group.pending, idt_id(at), until)
            if at.leaf is NULL:
                break
        attempts -= 1
        id = idt_id(at)
        p = <Pending*>idt_value(&call.group.pending, at)
        stream_iter(&it, call.s, id, id, False)
        if not stream_next(&it):
            drop_deleted(c, call, id)
            keep_id(c, deleted, id)
            left -= 1
            at = idt_from(&call.group.pending, id)
            continue
        if p.time_ms <= until:
            give(c, call, id, c.core.now_ms, <int64_t>p.deliveries if args.just_id else once_more(p))
            c.core.dirty += 1
            reply_claimed(c, &it, args.just_id)
            claimed += 1
            left -= 1
        at = idt_next(at)
    cursor[0] = idt_id(at) if at.leaf is not NULL else Id(0, 0)
    return claimed


cdef int put_before(Client c, size_t mark, Id id) except -1:
    """Reply an id in front of what is replied from the mark on."""
    cdef char[ID_REPLY] text
    cdef size_t end = c.out.size
    cdef size_t size

    reply_id(c, id)
    if c.out.over:
        return 0
    size = c.out.size - end
    memcpy(text, c.out.data + end, size)
    memmove(c.out.data + mark + size, c.out.data + mark, end - mark)
    memcpy(c.out.data + mark, text, size)
    return 0


cdef int claim_and_reply(Client c, GroupCall* call, const AutoClaim* args) except -1:
    cdef IdRow deleted = IdRow(NULL, 0, 0)
    cdef int64_t claimed, i
    cdef size_t mark
    cdef Id cursor

    use_consumer(c, call, &c.argv[3])
    c.reply_array(3)
    mark = c.out.begin()
    claimed = claim_idle(c, call, args, &deleted, &cursor)
    c.out.end_array(mark, claimed)
    put_before(c, mark, cursor)
    c.reply_array(deleted.count)
    for i in range(deleted.count):
        reply_id(c, deleted.items[i])
    mem_free(&c.core.memory, deleted.items, deleted.room * sizeof(Id))
    consumer_effect(c, call)
    return only_effects(c)


cdef int cmd_xautoclaim(Client c) except -1:
    """XAUTOCLAIM key group consumer min-idle start [COUNT n] [JUSTID] -> array: cursor, entries claimed, ids deleted.

    The cursor is the next call's start, 0-0 at the end. Entries that were deleted are pending no more; their ids are
    the third part. Cost: O(log n) for each of the reply, and for what is pending up to the last deleted one.
    Errors: WRONGTYPE; NOGROUP; syntax. Source: https://redis.io/commands/xautoclaim
    """
    cdef GroupCall call
    cdef AutoClaim args
    cdef Options given

    if not get_int_or_reply_text(c, 4, &args.min_idle, b"ERR Invalid min-idle-time argument for XAUTOCLAIM"):
        return 0
    if not start_or_reply(c, 5, &args.start) or not parse_options_or_reply(
            c, 6, AUTO_OPTIONS, AUTO_COUNT | AUTO_JUSTID, &given):
        return 0
    args.min_idle = max(args.min_idle, 0)
    args.count = option_number(&given, AUTO_COUNT) if given.flags & AUTO_COUNT else COUNT_DEFAULT
    args.just_id = given.flags & AUTO_JUSTID != 0
    if not find_group(c, &call, &c.argv[1], &c.argv[2]):
        return 0
    return claim_and_reply(c, &call, &args) if call.group is not NULL else no_group(c, &call, b"")

declare(
    b"xautoclaim", native(cmd_xautoclaim), arity=-6, flags=WRITE | FAST, keys=key_at(1, "RW delete"), since="6.2.0",
    tips=("nondeterministic_output",),
    complexity="O(log(N)) for each entry claimed where N is the number of entries that are pending",
    summary="Gives entries that have been pending for so long to another consumer.",
    args="key group consumer min-idle-time start [COUNT count:integer] [JUSTID]",
    history=(("7.0.0", "Drops entries that were deleted, and tells their ids."),),
)


# ---------------------------------------------------------------- XREADGROUP CLAIM

cdef int64_t claim_oldest(Client c, GroupCall* call, int64_t min_idle, int64_t count, Budget* budget) except -1:
    cdef int64_t until = latest(c.core.now_ms, min_idle)
    cdef IdRow claimed = IdRow(NULL, 0, 0)
    cdef StreamIter it
    cdef size_t mark
    cdef IdPlace at
    cdef Pending* p
    cdef int64_t i
    cdef Id id

    while claimed.count < count and not c.out.over:
        at = pending_oldest(call.group)
        if at.leaf is NULL or (<Pending*>idt_value(&call.group.pending, at)).time_ms > until:
            break
        id = idt_id(at)
        p = <Pending*>idt_value(&call.group.pending, at)
        stream_iter(&it, call.s, id, id, False)
        if not stream_next(&it):
            drop_deleted(c, call, id)
            continue
        mark = c.out.size
        c.reply_array(4)
        reply_fields(c, &it)
        c.reply_int(max(c.core.now_ms - p.time_ms, 0) if p.consumer is not NULL else -1)
        c.reply_int(<int64_t>p.deliveries)
        if not fits(c, budget, mark):
            break
        keep_id(c, &claimed, id)
        # Behind all that is still idle, until all are claimed.
        pending_give(call.group, id, call.consumer, INT64_MAX, <uint64_t>once_more(p))
    for i in range(claimed.count):
        give(c, call, claimed.items[i], c.core.now_ms, <int64_t>pending_find(call.group, claimed.items[i]).deliveries)
        c.core.dirty += 1
    i = claimed.count
    mem_free(&c.core.memory, claimed.items, claimed.room * sizeof(Id))
    return i
