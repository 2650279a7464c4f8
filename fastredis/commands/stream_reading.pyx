"""XREAD and XREADGROUP, and how they wait.

Both look at each stream in turn and reply what there is behind an id: for XREAD the one that was given, for XREADGROUP
that of the group, if the argument is `>`. Any other id asks for the consumer's history: what is pending for it.
CLAIM: what has been pending for so long comes first, whoever has it.
MAXCOUNT and MAXSIZE limit the reply as a whole: what has no room in it is neither delivered nor pending, and streams
that come after it are not looked at.
If there is nothing in any, they wait for the keys (engine/blocking) with the ids that they have resolved: `$` would be
another id then. A group that goes, or its key, wakes those who wait for its entries; they find no group.
"""
from libc.stdint cimport INT64_MAX, UINT64_MAX, int64_t, uint64_t
from libc.string cimport memcpy

from fastredis._resp cimport Arg, arg_bytes
from fastredis.commands.stream_claims cimport claim_oldest
from fastredis.commands.stream_groups cimport (
    Arg, Client, Group, GroupCall, Id, Stream, consumer_effect, find_group, give, no_group, position_effect,
    use_consumer,
)
from fastredis.commands.streams cimport (
    ID_TEXT, Budget, after, before, fits, format_id, id_or_reply, only_effects, reply_entry, reply_fields, reply_id,
)
from fastredis.ds.alloc cimport mem_alloc, mem_free
from fastredis.ds.id_tree cimport IdPlace, id_less, idt_from, idt_id, idt_next, idt_value
from fastredis.engine.blocking cimport NULL_ARRAY, block_on_keys
from fastredis.engine.command cimport native
from fastredis.engine.engine cimport C_BLOCKED
from fastredis.engine.errors cimport ERR_SYNTAX
from fastredis.engine.flags cimport BLOCKING, READONLY, WRITE
from fastredis.engine.keys cimport KEY_ACCESS, KEY_RO, KeyList, key_add, key_finder
from fastredis.engine.options cimport (
    arg_is, get_int_or_reply, get_int_or_reply_text, get_range_or_reply, get_timeout_or_reply,
)
from fastredis.values.entry cimport TYPE_STREAM, Entry
from fastredis.values.stream_group cimport (
    READ_UNKNOWN, Pending, once_more, pending_find, pending_give, pending_oldest,
)
from fastredis.values.stream_type cimport (
    StreamIter, stream_first_id, stream_has_gap, stream_iter, stream_last_entry, stream_length, stream_next, stream_of,
    stream_read_at,
)

from fastredis.engine.command import declarer
from fastredis.engine.declarations import Range, key_after

declare = declarer("stream")

cdef enum:
    CLAIM_PAUSE_MS = 10                 # those who would claim at once look again after so long

cdef struct Reading:                    # arguments of XREAD and XREADGROUP
    int64_t count                       # COUNT, for each stream; INT64_MAX: all
    Budget budget                       # MAXCOUNT and MAXSIZE
    bint blocks
    int64_t deadline_ms                 # BLOCK; 0: for ever
    int first                           # where the keys are; their ids are `streams` arguments further on
    int64_t streams
    bint grouped                        # XREADGROUP
    bint no_ack
    bint claims                         # CLAIM
    int64_t min_idle                    # its argument
    int64_t claim_ms                    # when something pending may be claimed next; INT64_MAX: nothing is known
    Arg* group
    Arg* consumer
    int64_t served                      # streams in the reply


# ---------------------------------------------------------------- arguments

cdef bint streams_or_reply(Client c, int first, Reading* r) except -1:
    """The keys and ids from argv[first] to the end."""
    cdef int64_t count = c.argc - first

    r.first = first
    r.streams = count // 2
    if count % 2 == 0:
        return True
    if r.grouped:
        c.error(b"ERR Unbalanced 'xreadgroup' list of streams: for each stream key an ID or '>' must be specified.")
    else:
        c.error(b"ERR Unbalanced 'xread' list of streams: for each stream key an ID or '$' must be specified.")
    return False


cdef bint only_grouped_or_reply(Client c, const Reading* r, bytes option) except -1:
    """An option that XREADGROUP alone has."""
    if not r.grouped:
        c.error_text(b"ERR The " + option + b" option is only supported by XREADGROUP. You called XREAD instead.")
    return r.grouped


cdef bint min_idle_or_reply(Client c, int at, Reading* r) except -1:
    """The argument of CLAIM."""
    if not get_int_or_reply_text(c, at, &r.min_idle, b"ERR min-idle-time is not an integer"):
        return False
    if r.min_idle < 0:
        c.error(b"ERR min-idle-time must be a positive integer")
        return False
    r.claims = True
    return True


cdef bint limit_or_reply(Client c, int at, Reading* r) except -1:
    """The argument of MAXCOUNT or MAXSIZE."""
    cdef int64_t bytes_

    if arg_is(&c.argv[at - 1], b"MAXCOUNT"):
        return get_range_or_reply(c, at, 1, INT64_MAX, &r.budget.entries, b"ERR MAXCOUNT must be a positive integer")
    if not get_range_or_reply(c, at, 1, INT64_MAX, &bytes_, b"ERR MAXSIZE must be a positive integer"):
        return False
    r.budget.bytes = <size_t>bytes_
    return True


cdef bint reading_or_reply(Client c, bint grouped, Reading* r) except -1:
    """All arguments but the ids."""
    cdef int i = 1
    cdef bint more

    r.grouped = grouped
    r.served = 0
    r.count = INT64_MAX
    r.budget = Budget(INT64_MAX, 0, 0, False)
    r.blocks = r.no_ack = r.claims = False
    r.claim_ms = INT64_MAX
    r.group = NULL
    r.first = 0
    while i < c.argc and not r.first:
        more = i + 1 < c.argc
        if arg_is(&c.argv[i], b"BLOCK") and more:
            i += 1
            if not get_timeout_or_reply(c, i, 1, &r.deadline_ms):
                return False
            r.blocks = True
        elif arg_is(&c.argv[i], b"COUNT") and more:
            i += 1
            if not get_int_or_reply(c, i, &r.count):
                return False
            if r.count <= 0:
                r.count = INT64_MAX
        elif more and (arg_is(&c.argv[i], b"MAXCOUNT") or arg_is(&c.argv[i], b"MAXSIZE")):
            i += 1
            if not limit_or_reply(c, i, r):
                return False
        elif arg_is(&c.argv[i], b"STREAMS") and more:
            if not streams_or_reply(c, i + 1, r):
                return False
        elif arg_is(&c.argv[i], b"GROUP") and i + 2 < c.argc:
            if not only_grouped_or_reply(c, r, b"GROUP"):
                return False
            r.group, r.consumer = &c.argv[i + 1], &c.argv[i + 2]
            i += 2
        elif arg_is(&c.argv[i], b"CLAIM") and more:
            i += 1
            if not only_grouped_or_reply(c, r, b"CLAIM") or not min_idle_or_reply(c, i, r):
                return False
        elif arg_is(&c.argv[i], b"NOACK"):
            if not only_grouped_or_reply(c, r, b"NOACK"):
                return False
            r.no_ack = True
        else:
            c.error(ERR_SYNTAX)
            return False
        i += 1
    if not r.first:
        c.error(ERR_SYNTAX)
        return False
    if grouped and r.group is NULL:
        c.error(b"ERR Missing GROUP option for XREADGROUP")
        return False
    if r.count != INT64_MAX and r.budget.entries < r.count:
        c.error(b"ERR MAXCOUNT must be greater than or equal to COUNT")
        return False
    return True


cdef bint meaningless(Client c, bytes symbol) except -1:
    c.error_text(b"ERR The " + symbol + b" ID is meaningless in the context of XREADGROUP: you want to read the "
                 b"history of this consumer by specifying a proper ID, or use the > ID to get new messages. The "
                 + symbol + b" ID would just return an empty result set.")
    return False


cdef inline bint is_highest(Id id) noexcept:
    """As an argument of XREADGROUP: `>`."""
    return id.ms == UINT64_MAX and id.seq == UINT64_MAX


cdef bint group_id_or_reply(Client c, const Reading* r, int64_t i, Id* id) except -1:
    """The id given for the i-th stream of XREADGROUP; the highest stands for `>`."""
    cdef int at = r.first + <int>(r.streams + i)
    cdef GroupCall call

    if not find_group(c, &call, &c.argv[r.first + i], r.group):
        return False
    if call.group is NULL:
        no_group(c, &call, b" in XREADGROUP with GROUP option")
        return False
    if arg_is(&c.argv[at], b"$"):
        return meaningless(c, b"$")
    if arg_is(&c.argv[at], b"+"):
        return meaningless(c, b"+")
    if arg_is(&c.argv[at], b">"):
        id[0] = Id(UINT64_MAX, UINT64_MAX)
        return True
    return id_or_reply(c, at, 0, id)


cdef bint stream_id_or_reply(Client c, const Reading* r, int64_t i, Id* id) except -1:
    """The id behind which XREAD reads the i-th stream."""
    cdef int at = r.first + <int>(r.streams + i)
    cdef Entry* e = c.db.lookup_read(&c.argv[r.first + i])
    cdef Stream* s

    if not c.has_type(e, TYPE_STREAM):
        return False
    s = stream_of(e) if e is not NULL else NULL
    if arg_is(&c.argv[at], b"$"):
        id[0] = s.last_id if s is not NULL else Id(0, 0)
    elif arg_is(&c.argv[at], b"+"):
        id[0] = Id(0, 0)
        if s is not NULL:
            id[0] = before(stream_last_entry(s)) if stream_length(s) else s.last_id
    elif arg_is(&c.argv[at], b">"):
        c.error(b"ERR The > ID can be specified only when calling XREADGROUP using the GROUP <group> <consumer> "
                b"option.")
        return False
    else:
        return id_or_reply(c, at, 0, id)
    return True


# ---------------------------------------------------------------- replies

cdef int reply_key(Client c, Reading* r, Arg* key) except -1:
    """A stream of the reply begins: in RESP3 a pair of a map, else an array of two."""
    if r.served == 0:
        r.budget.begin = c.out.begin()
    r.served += 1
    if c.out.resp == 2:
        c.reply_array(2)
    return c.reply_bulk(key.ptr, key.size)


cdef int end_reply(Client c, Reading* r) except -1:
    if c.out.resp == 3:
        return c.out.end_map(r.budget.begin, r.served)
    return c.out.end_array(r.budget.begin, r.served)


cdef int take_back(Client c, Reading* r, size_t begin) except -1:
    """A stream of the reply has nothing to say: it is taken out again, from its beginning on."""
    r.served -= 1
    c.out.truncate(begin)
    return 0


cdef int read_stream(Client c, Reading* r, int64_t i, Id behind) except -1:
    """XREAD of the i-th stream."""
    cdef Arg* key = &c.argv[r.first + i]
    cdef Entry* e = c.db.lookup_read(key)
    cdef size_t begin, mark
    cdef int64_t found
    cdef Stream* s

    if e is NULL:
        return 0
    s = stream_of(e)
    if stream_length(s) == 0 or not id_less(behind, stream_last_entry(s)):
        return 0
    begin = c.out.size
    reply_key(c, r, key)
    mark = c.out.begin()
    found = reply_behind(c, r, s, behind)
    if found == 0 and r.budget.entries == 0:
        return take_back(c, r, begin)
    return c.out.end_array(mark, found)


cdef int64_t reply_behind(Client c, Reading* r, Stream* s, Id behind) except -1:
    """Reply entries behind an id, as many as may be, without a header; how many."""
    cdef int64_t count = allowed(r)
    cdef int64_t found = 0
    cdef StreamIter it
    cdef size_t at

    stream_iter(&it, s, after(behind), Id(UINT64_MAX, UINT64_MAX), False)
    while found < count and not c.out.over and stream_next(&it):
        at = c.out.size
        reply_entry(c, &it)
        if not fits(c, &r.budget, at):
            break
        found += 1
    return found


cdef int64_t deliver(Client c, Reading* r, GroupCall* call, int64_t count) except -1:
    """Reply what the group has not had yet, up to `count` entries, without a header, and note who has it now.

    How many. With CLAIM, each as what is claimed: idle for no time, and never delivered before.
    """
    cdef Id highest = Id(UINT64_MAX, UINT64_MAX)
    cdef Id gap = call.s.max_deleted_id if stream_has_gap(call.s, Id(0, 0)) else Id(0, 0)
    cdef Id first = stream_first_id(call.s)
    cdef Group* group = call.group
    cdef int64_t delivered = 0
    cdef StreamIter it
    cdef size_t at

    stream_iter(&it, call.s, after(group.last_id), highest, False)
    while delivered < count and stream_next(&it):
        at = c.out.size
        c.reply_array(4 if r.claims else 2)
        reply_fields(c, &it)
        if r.claims:
            c.reply_int(0)
            c.reply_int(0)
        if not fits(c, &r.budget, at):
            break
        if group.entries_read != READ_UNKNOWN and id_less(gap, group.last_id) and not id_less(group.last_id, first):
            group.entries_read += 1
        elif call.s.entries_added:
            group.entries_read = stream_read_at(call.s, it.id)
        group.last_id = it.id
        if not r.no_ack:
            give(c, call, it.id, c.core.now_ms, 1)
        delivered += 1
    return delivered


cdef int64_t reply_history(Client c, Reading* r, GroupCall* call, Id behind) except -1:
    """Reply what is pending for the consumer, without a header; how many. Null stands for an entry that was deleted.

    As in Redis, that these were delivered once more is not propagated.
    """
    cdef IdPlace at = idt_from(&call.consumer.pending, after(behind))
    cdef int64_t count = allowed(r)
    cdef int64_t found = 0
    cdef StreamIter it
    cdef size_t mark
    cdef bint there
    cdef Id id

    while at.leaf is not NULL and found < count and not c.out.over:
        id = idt_id(at)
        mark = c.out.size
        stream_iter(&it, call.s, id, id, False)
        there = stream_next(&it)
        if there:
            reply_entry(c, &it)
        else:
            c.reply_array(2)
            reply_id(c, id)
            c.reply_null_array()
        if not fits(c, &r.budget, mark):
            break
        if there:
            pending_give(call.group, id, call.consumer, c.core.now_ms,
                         <uint64_t>once_more(pending_find(call.group, id)))
        found += 1
        at = idt_next(at)
    return found


cdef int read_group(Client c, Reading* r, int64_t i, Id behind) except -1:
    """XREADGROUP of the i-th stream, whose group is there."""
    cdef Arg* key = &c.argv[r.first + i]
    cdef size_t begin = c.out.begin()
    cdef int64_t found
    cdef GroupCall call
    cdef size_t mark

    find_group(c, &call, key, r.group)
    use_consumer(c, &call, r.consumer)
    if r.no_ack:
        consumer_effect(c, &call)
    if not is_highest(behind):
        reply_key(c, r, key)
        mark = c.out.begin()
        found = reply_history(c, r, &call, behind)
        if found == 0 and r.budget.entries == 0:
            take_back(c, r, begin)      # an empty array would say that nothing is pending
        else:
            c.out.end_array(mark, found)
        c.core.dirty += 1
    elif r.claims or has_news(&call):
        read_news(c, r, &call)
    return consumer_effect(c, &call)


cdef inline int64_t allowed(const Reading* r) noexcept:
    """How many entries of the next stream may be replied, but for their size."""
    return min(r.count, r.budget.entries)


cdef inline bint has_news(GroupCall* call) noexcept:
    return stream_length(call.s) and id_less(call.group.last_id, stream_last_entry(call.s))


cdef int read_news(Client c, Reading* r, GroupCall* call) except -1:
    """What XREADGROUP replies of a stream for `>`, if there is anything."""
    cdef size_t begin = c.out.begin()
    cdef int64_t count = allowed(r)
    cdef int64_t claimed = 0
    cdef int64_t found = 0
    cdef size_t mark

    reply_key(c, r, call.key)
    mark = c.out.begin()
    if r.claims:
        claimed = claim_oldest(c, call, r.min_idle, count, &r.budget)
    if has_news(call) and claimed < count and r.budget.entries:
        found = deliver(c, r, call, count - claimed)
    if found:
        c.core.dirty += 1
        position_effect(c, call)
    if claimed + found:
        return c.out.end_array(mark, claimed + found)
    take_back(c, r, begin)
    note_claimable(c, r, call)
    return 0


cdef int note_claimable(Client c, Reading* r, GroupCall* call) noexcept:
    """When something may be idle for so long: what is pending now, or what is delivered from now on."""
    cdef IdPlace at = pending_oldest(call.group)
    cdef int64_t soonest = c.core.now_ms + max(r.min_idle, <int64_t>CLAIM_PAUSE_MS)

    if r.min_idle > c.core.now_ms:
        return 0                        # nothing is that old
    if at.leaf is not NULL:
        soonest = min(soonest, (<Pending*>idt_value(&call.group.pending, at)).time_ms + r.min_idle)
    r.claim_ms = min(r.claim_ms, max(soonest, c.core.now_ms + 1))
    return 0


# ---------------------------------------------------------------- the commands

cdef int wait(Client c, const Reading* r, const Id* ids) except -1:
    """There is nothing in any of the streams. `$` means from now on what it means now."""
    cdef size_t size = c.argc * sizeof(Arg) + r.streams * ID_TEXT
    cdef Arg* again
    cdef char* text
    cdef int64_t i
    cdef int at

    tell_consumers(c)
    again = <Arg*>mem_alloc(&c.core.memory, size)
    text = <char*>&again[c.argc]
    memcpy(again, c.argv, c.argc * sizeof(Arg))
    for i in range(r.streams):
        at = r.first + <int>(r.streams + i)
        if not r.grouped and arg_is(&c.argv[at], b"$"):
            again[at] = Arg(text, format_id(text, ids[i]), 0)
            text += ID_TEXT
    try:
        block_on_keys(c, r.first, r.streams, 1, TYPE_STREAM, r.deadline_ms, NULL_ARRAY, r.grouped, again,
                      wanted(r) if r.grouped else None, r.claim_ms if r.claim_ms != INT64_MAX else 0)
    finally:
        mem_free(&c.core.memory, again, size)
    return 0 if c.flags & C_BLOCKED or not r.grouped else only_effects(c)


cdef bytes wanted(const Reading* r):
    """What those who read from a group want alike: what is new, or what has been idle for so long as well."""
    return b"%d>" % r.min_idle + arg_bytes(r.group) if r.claims else b">" + arg_bytes(r.group)


cdef int tell_consumers(Client c) except -1:
    """The command is about to wait: what it did up to now, which is to make consumers, is propagated at once."""
    cdef list effects = c.effects

    c.effects = None
    if effects is not None:
        for words in effects:
            c.engine.propagate_words(c.db.index, words)
    return 0


cdef int read(Client c, Reading* r, Id* ids) except -1:
    """Both commands, once their options are read; ids: room for one for each stream."""
    cdef int64_t i

    for i in range(r.streams):
        if not (group_id_or_reply if r.grouped else stream_id_or_reply)(c, r, i, &ids[i]):
            return 0
    for i in range(r.streams):
        if r.budget.entries == 0:
            break
        if r.grouped:
            read_group(c, r, i, ids[i])
        else:
            read_stream(c, r, i, ids[i])
    if r.served:
        end_reply(c, r)
    elif r.blocks:
        return wait(c, r, ids)
    else:
        c.reply_null_array()
    return only_effects(c) if r.grouped else 0


cdef int read_command(Client c, bint grouped) except -1:
    cdef Id inside[8]
    cdef Id* ids = inside
    cdef Reading r
    cdef size_t size

    if not reading_or_reply(c, grouped, &r):
        return 0
    size = r.streams * sizeof(Id)
    if size > sizeof(inside):
        ids = <Id*>mem_alloc(&c.core.memory, size)
    try:
        return read(c, &r, ids)
    finally:
        if ids != inside:
            mem_free(&c.core.memory, ids, size)


cdef void xread_keys(const Arg* argv, int argc, KeyList* found) noexcept:
    """What comes behind STREAMS, where that is an option; the second half are ids."""
    cdef int i = 1
    cdef int count

    while i < argc and not arg_is(&argv[i], b"STREAMS"):
        if arg_is(&argv[i], b"GROUP"):
            i += 2
        elif not arg_is(&argv[i], b"NOACK"):
            i += 1                      # all others have one argument
        i += 1
    count = (argc - i - 1) // 2
    for i in range(i + 1, i + 1 + count):
        key_add(found, i, KEY_RO | KEY_ACCESS)


cdef int cmd_xread(Client c) except -1:
    """XREAD [COUNT n] [MAXCOUNT n] [MAXSIZE bytes] [BLOCK ms] STREAMS key ... id ...
    -> map of keys to their entries behind the ids, or null.

    COUNT: of each stream. MAXCOUNT, MAXSIZE: of the whole reply, which has one entry at least. `$`: only what comes
    from now on. `+`: the last entry. BLOCK: waits for an entry, 0: for ever. In RESP2 the map is an array of arrays of
    two. Errors: WRONGTYPE; syntax. Source: https://redis.io/commands/xread
    """
    return read_command(c, False)

declare(
    b"xread", native(cmd_xread), arity=-4, flags=READONLY | BLOCKING,
    keys=key_after("STREAMS", 1, "RO access", Range(-1, 1, 2), key_finder(xread_keys), True), since="5.0.0",
    complexity="O(log(N)+M) for each stream where N is the number of its entries and M that of those returned",
    summary="Returns entries behind given ids from several streams; waits for one.",
    args="[COUNT count:integer] [MAXCOUNT maxcount:integer@8.10.0] [MAXSIZE maxsize:integer@8.10.0] "
         "[BLOCK milliseconds:integer] STREAMS streams={key... id...}",
    history=(("7.4.0", "The id `+`."), ("8.10.0", "`MAXCOUNT` and `MAXSIZE`.")),
)


cdef int cmd_xreadgroup(Client c) except -1:
    """XREADGROUP GROUP group consumer [COUNT n] [MAXCOUNT n] [MAXSIZE bytes] [BLOCK ms] [CLAIM ms] [NOACK]
    STREAMS key ... id ... -> as XREAD, for a consumer.

    `>`: entries that no consumer of the group has had; they are pending from now on, unless NOACK. CLAIM: before them,
    what has been pending for so many ms; each entry has two numbers more, for how long and how often before. Any other
    id: what is pending for this consumer behind it. Propagated as XCLAIM for each entry, and XGROUP SETID.
    Errors: WRONGTYPE; NOGROUP; syntax. Source: https://redis.io/commands/xreadgroup
    """
    return read_command(c, True)

declare(
    b"xreadgroup", native(cmd_xreadgroup), arity=-7, flags=WRITE | BLOCKING,
    keys=key_after("STREAMS", 4, "RO access", Range(-1, 1, 2), key_finder(xread_keys), True), since="5.0.0",
    complexity="O(log(N)+M) for each stream where N is the number of its entries and M that of those returned",
    summary="Returns entries of streams that a consumer of a group is to work on; waits for one.",
    history=(("8.4.0", "`CLAIM`."), ("8.10.0", "`MAXCOUNT` and `MAXSIZE`.")),
    args="GROUP group-block={group consumer} [COUNT count:integer] [MAXCOUNT maxcount:integer@8.10.0] "
         "[MAXSIZE maxsize:integer@8.10.0] [BLOCK milliseconds:integer] "
         "[CLAIM min-idle-time:integer@8.4.0] [NOACK] STREAMS streams={key... id...}",
)
