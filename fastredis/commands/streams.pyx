"""Commands on the entries of streams. Reading and waiting is in stream_reading, groups are in stream_groups."""
from libc.stdint cimport INT64_MAX, UINT64_MAX, int64_t, uint8_t, uint64_t
from libc.string cimport memchr

from fastredis._resp cimport arg_bytes, arg_hash
from fastredis.commands.stream_messages cimport Message, message_added, message_known, name_message
from fastredis.ds.alloc cimport mem_alloc, mem_free
from fastredis.ds.id_tree cimport id_less
from fastredis.ds.listpack cimport LP_MAX, LpItem, lp_bytes_at, lp_get, lp_short_text, lp_text
from fastredis.ds.native cimport likely
from fastredis.ds.numbers cimport INT64_TEXT, format_uint64, parse_uint64
from fastredis.engine.command cimport Command, native
from fastredis.engine.core cimport NOTIFY_STREAM
from fastredis.engine.errors cimport ERR_SYNTAX, arity_error
from fastredis.engine.flags cimport DENYOOM, FAST, READONLY, WRITE
from fastredis.engine.options cimport (
    OPT_INT, Option, Options, arg_is, get_int_or_reply, get_range_or_reply, option_number, parse_options_or_reply,
)
from fastredis.values.entry cimport TYPE_STREAM
from fastredis.values.stream_refs cimport (
    REFS_DELETE, REFS_KEEP, REFS_NONE, stream_forget, stream_is_referenced, stream_trim_by,
)
from fastredis.values.stream_type cimport (
    TRIM_MAXLEN, TRIM_MINID, StreamPair, StreamTrim, stream_append, stream_delete, stream_first_id, stream_iter,
    stream_length, stream_new, stream_next, stream_of, stream_trim,
)

from fastredis.engine.command import declarer
from fastredis.engine.declarations import key_at

cdef extern from "<string.h>" nogil:
    size_t strnlen(const char* s, size_t most)

declare = declarer("stream")

cdef enum:
    ID_LONGEST = 127                # bytes of an argument that can be an id
    PAIRS_INSIDE = 16               # pairs of an XADD that need no memory of their own
    TRIM_NODES = 100                # full nodes that an approximate trim takes at most, when it is not told
    TRIM_LEAST = 10000              # ... if nodes have no limit
    TRIM_MOST = 1000000
    RANGE_COUNT = 1

cdef Option[2] RANGE_OPTIONS = [
    Option(b"COUNT", OPT_INT, RANGE_COUNT, 0, NULL),
    Option(NULL, OPT_INT, 0, 0, NULL),
]


# ---------------------------------------------------------------- ids as arguments

cdef bint parse_id_text(const char* text, size_t size, uint64_t missing_seq, Id* id, bint* auto_seq) noexcept:
    """`ms-seq` or `ms`; with auto_seq, unless that is NULL, also `ms-*`. A zero byte ends the text."""
    cdef const char* dash

    if size > ID_LONGEST:
        return False
    if auto_seq is not NULL:
        auto_seq[0] = False
    size = strnlen(text, size)
    dash = <const char*>memchr(text, c"-", size)
    if dash is NULL:
        id.seq = missing_seq
        return parse_uint64(text, size, &id.ms)
    if not parse_uint64(text, dash - text, &id.ms):
        return False
    size -= dash + 1 - text
    if auto_seq is not NULL and size == 1 and dash[1] == c"*":
        auto_seq[0] = True
        id.seq = 0
        return True
    return parse_uint64(dash + 1, size, &id.seq)


cdef bint parse_id(const Arg* a, uint64_t missing_seq, Id* id) noexcept:
    return parse_id_text(a.ptr, a.size, missing_seq, id, NULL)


cdef bint bad_id(Client c) except -1:
    c.error(ERR_STREAM_ID)
    return False


cdef bint id_or_reply(Client c, int index, uint64_t missing_seq, Id* id) except -1:
    return parse_id(&c.argv[index], missing_seq, id) or bad_id(c)


cdef bint bound_or_reply(Client c, int index, uint64_t missing_seq, Id* id, bint* exclusive) except -1:
    cdef const Arg* a = &c.argv[index]

    exclusive[0] = a.size > 1 and a.ptr[0] == c"("
    if exclusive[0]:
        return parse_id_text(a.ptr + 1, a.size - 1, missing_seq, id, NULL) or bad_id(c)
    if arg_is(a, b"-"):
        id[0] = Id(0, 0)
        return True
    if arg_is(a, b"+"):
        id[0] = Id(UINT64_MAX, UINT64_MAX)
        return True
    return id_or_reply(c, index, missing_seq, id)


cdef bint start_or_reply(Client c, int index, Id* id) except -1:
    cdef bint exclusive

    if not bound_or_reply(c, index, 0, id, &exclusive):
        return False
    if exclusive:
        id[0] = after(id[0])
        if is_zero(id[0]):
            c.error(b"ERR invalid start ID for the interval")
            return False
    return True


cdef bint end_or_reply(Client c, int index, Id* id) except -1:
    cdef bint exclusive

    if not bound_or_reply(c, index, UINT64_MAX, id, &exclusive):
        return False
    if exclusive:
        if is_zero(id[0]):
            c.error(b"ERR invalid end ID for the interval")
            return False
        id[0] = before(id[0])
    return True


cdef bint ids_or_reply(Client c, int first, int64_t count, IdList* ids) except -1:
    """Read argv[first] and what follows as ids."""
    cdef int64_t i

    ids.items = ids.inside
    ids.count = count
    if count > IDS_INSIDE:
        ids.items = <Id*>mem_alloc(&c.core.memory, count * sizeof(Id))
    for i in range(count):
        if not parse_id(&c.argv[first + i], 0, &ids.items[i]):
            return bad_id(c)
    return True


cdef void ids_free(Client c, IdList* ids) noexcept:
    if ids.items != ids.inside:
        mem_free(&c.core.memory, ids.items, ids.count * sizeof(Id))


cdef int policy_of(const Arg* a) noexcept:
    if arg_is(a, b"KEEPREF"):
        return REFS_KEEP
    if arg_is(a, b"DELREF"):
        return REFS_DELETE
    return REFS_NONE if arg_is(a, b"ACKED") else -1


cdef bint ids_block_or_reply(Client c, int first, int* policy, int* first_id, int64_t* count) except -1:
    cdef bint chosen = False
    cdef int i = first

    policy[0] = REFS_KEEP
    first_id[0] = 0
    while i < c.argc:
        if not chosen and policy_of(&c.argv[i]) >= 0:
            policy[0] = policy_of(&c.argv[i])
            chosen = True
            i += 1
        elif arg_is(&c.argv[i], b"IDS") and i + 1 < c.argc:
            if not get_range_or_reply(c, i + 1, 1, INT64_MAX, count, b"ERR Number of IDs must be a positive integer"):
                return False
            if count[0] > c.argc - i - 2:
                c.error(b"ERR The `numids` parameter must match the number of arguments")
                return False
            first_id[0] = i + 2
            i += 2 + <int>count[0]
        else:
            c.error(ERR_SYNTAX)
            return False
    if first_id[0] == 0:
        c.error(ERR_SYNTAX)
    return first_id[0] != 0


# ---------------------------------------------------------------- replies

cdef int format_id(char* to, Id id) noexcept:
    cdef int size = format_uint64(to, id.ms)

    to[size] = c"-"
    return size + 1 + format_uint64(to + size + 1, id.seq)


cdef bytes id_text(Id id):
    cdef char[ID_TEXT] text

    return text[:format_id(text, id)]


cdef int reply_id(Client c, Id id) except -1:
    cdef char[ID_TEXT] text

    return c.reply_bulk(text, format_id(text, id))


cdef inline const uint8_t* reply_element(Client c, const uint8_t* p) except NULL:
    """Reply an element of a listpack; where the next one is."""
    cdef char[INT64_TEXT] scratch
    cdef LpItem item
    cdef size_t size
    cdef const char* text = lp_short_text(p, &size)

    if not likely(text is not NULL):
        lp_get(p, &item)
        text = lp_text(&item, scratch, &size)
    c.reply_bulk(text, size)
    return p + lp_bytes_at(p)


cdef int reply_entry(Client c, StreamIter* it) except -1:
    c.reply_array(2)
    return reply_fields(c, it)


cdef int reply_fields(Client c, StreamIter* it) except -1:
    cdef const uint8_t* field = it.field
    cdef const uint8_t* value = it.value
    cdef uint64_t _i

    reply_id(c, it.id)
    c.reply_array(2 * it.fields)
    if value is NULL:                   # they lie there as they are replied
        return c.out.elements(field, 2 * it.fields)
    for _i in range(it.fields):
        field = reply_element(c, field)
        value = reply_element(c, value)
    return 0


cdef bint fits(Client c, Budget* budget, size_t at) noexcept:
    if budget.bytes and budget.some and c.out.size > budget.begin + budget.bytes:
        c.out.truncate(at)
        budget.entries = 0
        return False
    budget.some = True
    if budget.entries != INT64_MAX:
        budget.entries -= 1
    return True


cdef int64_t reply_entries(Client c, Stream* s, Id start, Id end, int64_t count, bint reverse) except -1:
    cdef int64_t found = 0
    cdef StreamIter it

    stream_iter(&it, s, start, end, reverse)
    while stream_next(&it):
        reply_entry(c, &it)
        found += 1
        if found == count or c.out.over:
            break
    return found


cdef int reply_range(Client c, Stream* s, Id start, Id end, int64_t count, bint reverse) except -1:
    cdef size_t mark = c.out.begin()

    return c.out.end_array(mark, reply_entries(c, s, start, end, count, reverse))


# ---------------------------------------------------------------- changes

cdef int only_effects(Client c) except -1:
    if c.effects is None and c.propagates():
        c.effects = []
    return 0


cdef Entry* new_stream(Client c, Arg* key) except NULL:
    cdef Entry* e = stream_new(&c.core.memory, key.ptr, key.size)

    c.db.add(e, arg_hash(key))
    return e


cdef bint delete_entry(Client c, Stream* s, Id id) noexcept:
    if not stream_delete(&c.core.memory, s, id):
        return False
    if id_less(s.max_deleted_id, id):
        s.max_deleted_id = id
    return True


cdef int delete_by(Client c, Stream* s, Id id, int policy) noexcept:
    if policy == REFS_NONE and stream_is_referenced(s, id):
        return 2
    if policy == REFS_DELETE and stream_forget(s, id):
        c.core.dirty += 1
    return 1 if delete_entry(c, s, id) else -1


cdef int tell_deleted(Client c, int64_t count) except -1:
    return c.modified(&c.argv[1], NOTIFY_STREAM, b"xdel", count) if count else 0


cdef int reply_missing(Client c, int64_t count) except -1:
    cdef int64_t _i

    c.reply_array(count)
    for _i in range(count):
        c.reply_int(-1)
    return 0


# ---------------------------------------------------------------- XADD and XTRIM

cdef struct AddTrim:                # arguments of XADD, and of XTRIM
    StreamTrim trim
    int policy                      # REFS_*
    bint policy_given
    bint no_mkstream
    int threshold_at                # where the argument of MAXLEN or MINID is; 0: there is none
    int limit_at                    # where LIMIT is; 0: there is none
    int64_t limit
    int id_at                       # XADD: where the id is
    bint auto_id                    # *
    bint auto_seq                   # ms-*
    Id id
    int idmp_at                     # where IDMP or IDMPAUTO is; 0: there is none
    int idmp_words                  # that it is, with its names


cdef bint threshold_or_reply(Client c, int at, AddTrim* args) except -1:
    """MAXLEN or MINID in argv[at], and what follows."""
    cdef int kind = TRIM_MAXLEN if arg_is(&c.argv[at], b"MAXLEN") else TRIM_MINID
    cdef int64_t length

    if args.trim.kind:
        c.error(b"ERR syntax error, MAXLEN and MINID options at the same time are not compatible")
        return False
    args.trim.approximate = False
    at += 1
    if at + 1 < c.argc and (arg_is(&c.argv[at], b"~") or arg_is(&c.argv[at], b"=")):
        args.trim.approximate = c.argv[at].ptr[0] == c"~"
        at += 1
    if kind == TRIM_MINID:
        if not id_or_reply(c, at, 0, &args.trim.min_id):
            return False
    else:
        if not get_int_or_reply(c, at, &length):
            return False
        if length < 0:
            c.error(b"ERR The MAXLEN argument must be >= 0.")
            return False
        args.trim.length = <uint64_t>length
    args.trim.kind = kind
    args.threshold_at = at
    return True


cdef bint limit_or_reply(Client c, int at, AddTrim* args) except -1:
    """LIMIT in argv[at], and its argument."""
    if not get_int_or_reply(c, at + 1, &args.limit):
        return False
    if args.limit < 0:
        c.error(b"ERR The LIMIT argument must be >= 0.")
        return False
    args.limit_at = at
    return True


cdef bint idmp_or_reply(Client c, int at, AddTrim* args) except -1:
    """IDMP with a producer's and a message's name, or IDMPAUTO with a producer's, in argv[at]."""
    cdef bint named = arg_is(&c.argv[at], b"IDMP")

    if args.idmp_at:
        c.error(b"ERR IDMP/IDMPAUTO specified multiple times")
    elif c.argv[at + 1].size == 0:
        c.error(b"ERR IDMP requires a non-empty producer ID" if named else
                b"ERR IDMPAUTO requires a non-empty producer ID")
    elif named and c.argv[at + 2].size == 0:
        c.error(b"ERR IDMP requires a non-empty idempotent ID")
    else:
        args.idmp_at, args.idmp_words = at, 3 if named else 2
        return True
    return False


cdef bint add_or_trim_or_reply(Client c, bint adds, AddTrim* args) except -1:
    """The options of XADD up to its id, or of XTRIM."""
    cdef Arg* a
    cdef int i = 2

    args[0] = AddTrim(trim=StreamTrim(0, False, 0, Id(0, 0), 0), policy=REFS_KEEP, policy_given=False,
                      no_mkstream=False, threshold_at=0, limit_at=0, limit=0, id_at=0, auto_id=False, auto_seq=False,
                      id=Id(0, 0), idmp_at=0, idmp_words=0)
    while i < c.argc:
        a = &c.argv[i]
        if adds and arg_is(a, b"*"):
            args.auto_id = True
            break
        elif (arg_is(a, b"MAXLEN") or arg_is(a, b"MINID")) and i + 1 < c.argc:
            if not threshold_or_reply(c, i, args):
                return False
            i = args.threshold_at
        elif arg_is(a, b"LIMIT") and i + 1 < c.argc:
            if not limit_or_reply(c, i, args):
                return False
            i += 1
        elif adds and arg_is(a, b"NOMKSTREAM"):
            args.no_mkstream = True
        elif adds and (arg_is(a, b"IDMP") and i + 2 < c.argc or arg_is(a, b"IDMPAUTO") and i + 1 < c.argc):
            if not idmp_or_reply(c, i, args):
                return False
            i += args.idmp_words - 1
        elif not args.policy_given and policy_of(a) >= 0:
            args.policy = policy_of(a)
            args.policy_given = True
        elif adds:
            if not parse_id_text(a.ptr, a.size, 0, &args.id, &args.auto_seq):
                return bad_id(c)
            break
        else:
            c.error(ERR_SYNTAX)
            return False
        i += 1
    args.id_at = i
    return trim_or_reply(c, adds, args)


cdef bint trim_or_reply(Client c, bint adds, AddTrim* args) except -1:
    """What the options say together: whether that is possible, and how many entries are to go at most."""
    cdef StreamTrim* trim = &args.trim

    if args.limit and not trim.kind:
        c.error(b"ERR syntax error, LIMIT cannot be used without specifying a trimming strategy")
        return False
    if not adds and not trim.kind:
        c.error(b"ERR syntax error, XTRIM must be called with a trimming strategy")
        return False
    if c.core.obeying:
        return True                     # what is propagated is exact
    if args.limit_at:
        if not trim.approximate:
            c.error(b"ERR syntax error, LIMIT cannot be used without the special ~ option")
            return False
        trim.limit = args.limit
    elif trim.approximate:
        trim.limit = min(TRIM_NODES * <int64_t>c.core.limits.stream_node_max_entries, <int64_t>TRIM_MOST)
        if trim.limit <= 0:
            trim.limit = TRIM_LEAST
    return True


cdef int64_t trim_stream(Client c, Stream* s, AddTrim* args) noexcept:
    """Trim, and turn an approximate threshold into the one that has the same effect exactly; how many entries went."""
    cdef StreamTrim* trim = &args.trim
    cdef int64_t gone
    cdef Id reached

    if args.policy == REFS_KEEP:
        gone = stream_trim(&c.core.memory, s, trim)
        reached = stream_first_id(s) if stream_length(s) else Id(UINT64_MAX, UINT64_MAX)
    else:
        gone = stream_trim_by(&c.core.memory, s, trim, args.policy, &reached)
    if trim.approximate:
        trim.length = max(trim.length, stream_length(s))
        if id_less(reached, trim.min_id):
            trim.min_id = reached
    return gone


cdef int trim_effect(Client c, AddTrim* args, bytes id) except -1:
    """Propagate the command with an exact threshold, and with this id."""
    cdef list words
    cdef int i

    if not c.propagates():
        return 0
    words = [arg_bytes(&c.argv[i]) for i in range(c.argc)]
    if id is not None:
        words[args.id_at] = id
    if args.trim.approximate:
        words[args.threshold_at - 1] = b"="
        words[args.threshold_at] = b"%d" % args.trim.length if args.trim.kind == TRIM_MAXLEN else id_text(
            args.trim.min_id)
    for first, count in sorted([(args.limit_at if args.trim.approximate else 0, 2), (args.idmp_at, args.idmp_words)],
                               reverse=True):
        if first:
            del words[first:first + count]
    return c.effect(words)


cdef bint next_id_or_reply(Client c, Stream* s, AddTrim* args) except -1:
    """The id that an entry gets, NULL: in a new stream."""
    cdef Id last = s.last_id if s is not NULL else Id(0, 0)
    cdef Id now = Id(<uint64_t>c.core.now_ms, 0)

    if last.ms == UINT64_MAX and last.seq == UINT64_MAX:
        c.error(b"ERR The stream has exhausted the last possible ID, unable to add more items")
        return False
    if args.auto_id:
        args.id = now if now.ms > last.ms else after(last)
    elif args.auto_seq and args.id.ms == last.ms and last.seq != UINT64_MAX:
        args.id.seq = last.seq + 1
    if id_less(last, args.id):
        return True
    c.error(b"ERR The ID specified in XADD is equal or smaller than the target stream top item")
    return False


cdef bint size_or_reply(Client c, int first) except -1:
    """Whether fields and values from argv[first] on go into one listpack."""
    cdef size_t size = 0
    cdef int i

    for i in range(first, c.argc):
        size += c.argv[i].size
    if size > LP_MAX:
        c.error(b"ERR Elements are too large to be stored")
    return size <= LP_MAX


cdef int append(Client c, Stream* s, Id id, int first) noexcept:
    """Add an entry of the pairs from argv[first] on."""
    cdef StreamPair[PAIRS_INSIDE] inside
    cdef StreamPair* pairs = inside
    cdef uint64_t count = (c.argc - first) // 2
    cdef Arg* a = &c.argv[first]
    cdef uint64_t i

    if count > PAIRS_INSIDE:
        pairs = <StreamPair*>mem_alloc(&c.core.memory, count * sizeof(StreamPair))
    for i in range(count):
        pairs[i] = StreamPair(a.ptr, a.size, a[1].ptr, a[1].size)
        a += 2
    stream_append(&c.core.memory, &c.core.limits, s, id, pairs, count)
    if pairs != inside:
        mem_free(&c.core.memory, pairs, count * sizeof(StreamPair))
    return 0


cdef int message_of(Client c, const AddTrim* args, Message* message) noexcept:
    """The message that the arguments of XADD are."""
    message.pid = &c.argv[args.idmp_at + 1]
    if args.idmp_words == 3:
        message.iid, message.iid_size = c.argv[args.idmp_at + 2].ptr, c.argv[args.idmp_at + 2].size
    else:
        name_message(message, &c.argv[args.id_at + 1], (c.argc - args.id_at - 1) // 2)
    return 0


cdef int cmd_xadd(Client c) except -1:
    """XADD key [NOMKSTREAM] [KEEPREF|DELREF|ACKED] [IDMP pid iid|IDMPAUTO pid] [MAXLEN|MINID [=|~] threshold [LIMIT n]]
    *|id field value ... -> id.

    Null with NOMKSTREAM if there is no key. `ms-*`: the next free sequence number. IDMP: a message that a producer has
    sent already is not added; the reply is the id it got then. Propagated with the id it got, with an exact
    threshold, and with XIDMPRECORD in place of IDMP. Cost: O(1) a field; entries that are trimmed, by nodes.
    Errors: WRONGTYPE; syntax; an id that is not above all others; a field without a value.
    Source: https://redis.io/commands/xadd
    """
    cdef AddTrim args
    cdef Message message
    cdef Entry* e
    cdef Stream* s

    if not add_or_trim_or_reply(c, True, &args):
        return 0
    if c.argc - args.id_at < 3 or (c.argc - args.id_at) % 2 == 0:
        return c.error_text(arity_error((<Command>c.command).name))
    if args.idmp_at and not args.auto_id and not c.core.obeying:
        return c.error(b"ERR IDMP/IDMPAUTO can be used only with auto-generated IDs")
    if not args.auto_id and not args.auto_seq and is_zero(args.id):
        return c.error(b"ERR The ID specified in XADD must be greater than 0-0")
    e = c.db.lookup_write(&c.argv[1])
    if not c.has_type(e, TYPE_STREAM):
        return 0
    if e is NULL and args.no_mkstream:
        return c.reply_null()
    if args.idmp_at:
        message_of(c, &args, &message)
        if e is not NULL and message_known(c, stream_of(e), &message):
            return reply_id(c, message.id)
    if not next_id_or_reply(c, stream_of(e) if e is not NULL else NULL, &args) or not size_or_reply(c, args.id_at + 1):
        return 0
    if e is NULL:
        e = new_stream(c, &c.argv[1])
    s = stream_of(e)
    append(c, s, args.id, args.id_at + 1)
    c.modified(&c.argv[1], NOTIFY_STREAM, b"xadd")
    reply_id(c, args.id)
    if args.trim.kind and trim_stream(c, s, &args):
        c.note(&c.argv[1], NOTIFY_STREAM, b"xtrim")
    if args.auto_id or args.auto_seq or args.trim.approximate or args.idmp_at:
        trim_effect(c, &args, id_text(args.id) if c.propagates() else None)
    if args.idmp_at:
        message_added(c, s, &message, args.id)
    return 0

declare(
    b"xadd", native(cmd_xadd), arity=-5, flags=WRITE | DENYOOM | FAST, keys=key_at(1, "RW update"), since="5.0.0",
    tips=("nondeterministic_output",),
    complexity="O(1) to add; O(N) where N is the number of entries that are trimmed",
    summary="Adds an entry to a stream; creates the key if there is none.",
    args="key [NOMKSTREAM@6.2.0] [condition=(KEEPREF | DELREF | ACKED)] "
         "[idmp=(IDMPAUTO pid | IDMP idmp={pid iid})@8.6.0] "
         "[trim={strategy=(MAXLEN | MINID@6.2.0) [operator=(equal=\"=\" | approximately=\"~\")] threshold "
         "[LIMIT count:integer@6.2.0]}] id-selector=(auto-id=\"*\" | id) data={field value}...",
    history=(("6.2.0", "`NOMKSTREAM`, `MINID` and `LIMIT`."), ("7.0.0", "Ids `ms-*`."),
             ("8.2.0", "`KEEPREF`, `DELREF` and `ACKED`."), ("8.6.0", "`IDMP` and `IDMPAUTO`.")),
)


cdef int cmd_xtrim(Client c) except -1:
    """XTRIM key MAXLEN|MINID [=|~] threshold [LIMIT n] [KEEPREF|DELREF|ACKED] -> integer: how many entries went.

    `~`: only whole nodes go. Propagated with an exact threshold. Cost: O(log n) a node.
    Errors: WRONGTYPE; syntax. Source: https://redis.io/commands/xtrim
    """
    cdef AddTrim args
    cdef Entry* e
    cdef int64_t gone

    if not add_or_trim_or_reply(c, False, &args):
        return 0
    e = c.db.lookup_write(&c.argv[1])
    if not c.has_type(e, TYPE_STREAM):
        return 0
    gone = trim_stream(c, stream_of(e), &args) if e is not NULL else 0
    if gone:
        c.modified(&c.argv[1], NOTIFY_STREAM, b"xtrim", gone)
        if args.trim.approximate:
            trim_effect(c, &args, None)
    return c.reply_int(gone)

declare(
    b"xtrim", native(cmd_xtrim), arity=-4, flags=WRITE, keys=key_at(1, "RW delete"), since="5.0.0",
    tips=("nondeterministic_output",),
    complexity="O(N) where N is the number of entries that are trimmed, less by the size of a node when they go whole",
    summary="Removes the oldest entries of a stream.",
    args="key trim={strategy=(MAXLEN | MINID@6.2.0) [operator=(equal=\"=\" | approximately=\"~\")] threshold "
         "[LIMIT count:integer@6.2.0] [condition=(KEEPREF | DELREF | ACKED)]}",
    history=(("6.2.0", "`MINID` and `LIMIT`."), ("8.2.0", "`KEEPREF`, `DELREF` and `ACKED`.")),
)


# ---------------------------------------------------------------- looking

cdef int cmd_xlen(Client c) except -1:
    """XLEN key -> integer: how many entries. Source: https://redis.io/commands/xlen"""
    cdef Entry* e = c.db.lookup_read(&c.argv[1])

    if not c.has_type(e, TYPE_STREAM):
        return 0
    return c.reply_int(stream_length(stream_of(e)) if e is not NULL else 0)

declare(
    b"xlen", native(cmd_xlen), arity=2, flags=READONLY | FAST, keys=key_at(1, "RO"), since="5.0.0",
    complexity="O(1)",
    summary="Counts the entries of a stream.",
    args="key",
)


cdef int range_command(Client c, int start_at, int end_at) except -1:
    """XRANGE and XREVRANGE: start_at and end_at are where the lowest and the highest id are."""
    cdef Id start, end
    cdef Options given
    cdef int64_t count = 0
    cdef Entry* e

    if not start_or_reply(c, start_at, &start) or not end_or_reply(c, end_at, &end):
        return 0
    if not parse_options_or_reply(c, 4, RANGE_OPTIONS, RANGE_COUNT, &given):
        return 0
    e = c.db.lookup_read(&c.argv[1])
    if not c.has_type(e, TYPE_STREAM):
        return 0
    if e is NULL:
        return c.reply_array(0)
    if given.flags & RANGE_COUNT:
        count = option_number(&given, RANGE_COUNT)
        if count <= 0:
            return c.reply_null_array()
    return reply_range(c, stream_of(e), start, end, count, start_at > end_at)


cdef int cmd_xrange(Client c) except -1:
    """XRANGE key start end [COUNT n] -> array of entries, each its id and an array of fields and values.

    Source: https://redis.io/commands/xrange
    """
    return range_command(c, 2, 3)

declare(
    b"xrange", native(cmd_xrange), arity=-4, flags=READONLY, keys=key_at(1, "RO access"), since="5.0.0",
    complexity="O(log(N)+M) where N is the number of entries and M that of those returned",
    summary="Returns entries of a stream by a range of ids.",
    args="key start end [COUNT count:integer]",
    history=(("6.2.0", "Bounds that do not belong to the range."),),
)


cdef int cmd_xrevrange(Client c) except -1:
    """XREVRANGE key end start [COUNT n] -> array of entries, the highest first.

    Source: https://redis.io/commands/xrevrange
    """
    return range_command(c, 3, 2)

declare(
    b"xrevrange", native(cmd_xrevrange), arity=-4, flags=READONLY, keys=key_at(1, "RO access"), since="5.0.0",
    complexity="O(log(N)+M) where N is the number of entries and M that of those returned",
    summary="Returns entries of a stream by a range of ids, the highest first.",
    args="key end start [COUNT count:integer]",
    history=(("6.2.0", "Bounds that do not belong to the range."),),
)


# ---------------------------------------------------------------- deleting

cdef int cmd_xdel(Client c) except -1:
    """XDEL key id ... -> integer: how many were there. The key stays when none is left.

    Source: https://redis.io/commands/xdel
    """
    cdef Entry* e = c.db.lookup_write(&c.argv[1])
    cdef int64_t deleted = 0
    cdef int64_t i
    cdef IdList ids

    if not c.has_type(e, TYPE_STREAM):
        return 0
    if e is NULL:
        return c.reply_int(0)
    if ids_or_reply(c, 2, c.argc - 2, &ids):
        for i in range(ids.count):
            deleted += delete_entry(c, stream_of(e), ids.items[i])
        tell_deleted(c, deleted)
        c.reply_int(deleted)
    ids_free(c, &ids)
    return 0

declare(
    b"xdel", native(cmd_xdel), arity=-3, flags=WRITE | FAST, keys=key_at(1, "RW delete"), since="5.0.0",
    complexity="O(log(N)) for each id where N is the number of nodes",
    summary="Deletes entries of a stream.",
    args="key id...",
)


cdef int cmd_xdelex(Client c) except -1:
    """XDELEX key [KEEPREF|DELREF|ACKED] IDS n id ... -> array: for each id 1, -1 if it is not there, 2 if it stays.

    ACKED: an entry stays that a group has not read, or not acknowledged. Source: https://redis.io/commands/xdelex
    """
    cdef Entry* e = c.db.lookup_write(&c.argv[1])
    cdef int64_t count, i, deleted = 0
    cdef int policy, first, result
    cdef IdList ids

    if not c.has_type(e, TYPE_STREAM) or not ids_block_or_reply(c, 2, &policy, &first, &count):
        return 0
    if e is NULL:
        return reply_missing(c, count)
    if ids_or_reply(c, first, count, &ids):
        c.reply_array(count)
        for i in range(count):
            result = delete_by(c, stream_of(e), ids.items[i], policy)
            deleted += result == 1
            c.reply_int(result)
        tell_deleted(c, deleted)
    ids_free(c, &ids)
    return 0

declare(
    b"xdelex", native(cmd_xdelex), arity=-5, flags=WRITE | FAST, keys=key_at(1, "RW delete"), since="8.2.0",
    complexity="O(log(N)) for each id where N is the number of nodes, and with DELREF and ACKED for each group",
    summary="Deletes entries of a stream, with regard to groups that still need them.",
    args="key [condition=(KEEPREF | DELREF | ACKED)] IDS ids={numids:integer id...}",
)
