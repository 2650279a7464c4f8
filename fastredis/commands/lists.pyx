"""Commands on lists. Those that move between lists or from several, and that block, are in lists_blocking.pyx."""
from libc.stdint cimport INT64_MAX, INT64_MIN, int64_t

from fastredis._resp cimport arg_hash
from fastredis.ds.alloc cimport Account
from fastredis.ds.listpack cimport lp_text
from fastredis.ds.numbers cimport INT64_TEXT
from fastredis.ds.quicklist cimport (
    Needle, QlIter, needle_free, needle_set, ql_find, ql_item, ql_iter_end, ql_next, ql_next_node,
)
from fastredis.engine.command cimport native
from fastredis.engine.core cimport NOTIFY_LIST
from fastredis.engine.errors cimport (
    ERR_COUNT_NEGATIVE, ERR_INDEX_RANGE, ERR_LONG_RANGE, ERR_MAXLEN_NEGATIVE, ERR_NOT_POSITIVE, ERR_NO_KEY,
    ERR_RANK_ZERO, ERR_SYNTAX, arity_error,
)
from fastredis.engine.flags cimport DENYOOM, FAST, READONLY, WRITE
from fastredis.engine.options cimport (
    ALL_OPTIONS, OPT_INT, Option, Options, arg_is, get_int_or_reply, get_range_or_reply, option_number,
    parse_options_or_reply,
)
from fastredis.values.entry cimport TYPE_LIST
from fastredis.values.list_type cimport (
    LIST_HEAD, LIST_TAIL, list_at_end, list_count, list_drop, list_insert, list_is_small, list_iter, list_new,
    list_prepare, list_push, list_remove, list_replace,
)

from fastredis.engine.command import declarer
from fastredis.engine.declarations import key_at

declare = declarer("list")

cdef enum:
    POS_RANK = 1
    POS_COUNT = 2
    POS_MAXLEN = 4

cdef Option[4] POS_OPTIONS = [
    Option(b"RANK", OPT_INT, POS_RANK, 0, read_rank_or_reply),
    Option(b"COUNT", OPT_INT, POS_COUNT, 0, read_count_or_reply),
    Option(b"MAXLEN", OPT_INT, POS_MAXLEN, 0, read_maxlen_or_reply),
    Option(NULL, OPT_INT, 0, 0, NULL),
]


# --- shared pieces -----------------------------------------------------------------------

cdef const char* push_event(int where) noexcept:
    return b"lpush" if where == LIST_HEAD else b"rpush"


cdef int reply_item(Client c, const LpItem* item) except -1:
    """Reply an element."""
    cdef char[INT64_TEXT] scratch
    cdef size_t size
    cdef const char* text = lp_text(item, scratch, &size)

    return c.reply_bulk(text, size)


cdef int reply_elements(Client c, Entry* e, int64_t start, int64_t count, bint backward) except -1:
    """Reply `count` elements, which are there, from the index `start` on; without a header. O(n)."""
    cdef QlIter it
    cdef LpItem item
    cdef int64_t n

    list_iter(&c.core.memory, e, start, backward, &it)
    try:
        while count:
            if it.p is NULL or backward:
                ql_item(&it, &item)
                reply_item(c, &item)
                count -= 1
                if count:
                    ql_next(&it)
            else:
                n = min(count, <int64_t>it.left)
                c.out.elements(it.p, n)
                count -= n
                if count:
                    ql_next_node(&it)
    finally:
        ql_iter_end(&it)
    return 0


cdef int tell_popped(Client c, Arg* key, Entry* e, int where, int64_t count) except -1:
    """After `count` elements were taken off an end: tell, and delete the key of an empty list."""
    c.modified(key, NOTIFY_LIST, b"lpop" if where == LIST_HEAD else b"rpop", count)
    return c.drop_empty(key, e) if list_count(e) == 0 else 0


cdef int reply_popped(Client c, Arg* key, Entry* e, int where, int64_t count) except -1:
    """Take `count` elements, which are there, off an end and reply them as an array."""
    c.reply_array(count)
    reply_elements(c, e, 0 if where == LIST_HEAD else -1, count, where == LIST_TAIL)
    list_drop(&c.core.memory, &c.core.limits, e, where, count)
    return tell_popped(c, key, e, where, count)


cdef int push_elements(Client c, Entry* e, const Arg* elements, int count, int where) except -1:
    """Add elements at an end, one after the other."""
    cdef size_t bytes = 0
    cdef int i

    if list_is_small(e):
        for i in range(count):
            bytes += elements[i].size
        list_prepare(&c.core.memory, &c.core.limits, e, bytes, count)
    for i in range(count):
        list_push(&c.core.memory, &c.core.limits, e, where, elements[i].ptr, elements[i].size)
    return 0


cdef Entry* new_list(Client c, Arg* key, const Arg* elements, int count, int where) except NULL:
    """Add a list with these elements to the database, where the key is not."""
    cdef Entry* e = list_new(&c.core.memory, key.ptr, key.size)

    push_elements(c, e, elements, count, where)
    c.db.add(e, arg_hash(key))
    return e


cdef bint range_of(int64_t length, int64_t* start, int64_t* stop) noexcept:
    """Turn what LRANGE and LTRIM are given into indexes of a list; False: none are meant."""
    if start[0] < 0:
        start[0] = max(start[0] + length, <int64_t>0)
    if stop[0] < 0:
        stop[0] += length
    stop[0] = min(stop[0], length - 1)
    return start[0] <= stop[0]


# --- pushes ---------------------------------------------------------------------------------

cdef int push(Client c, int where, bint must_exist) except -1:
    """LPUSH, RPUSH, LPUSHX, RPUSHX: add argv[2] and what follows."""
    cdef Arg* key = &c.argv[1]
    cdef Entry* e = c.db.lookup_write(key)

    if not c.has_type(e, TYPE_LIST):
        return 0
    if e is not NULL:
        push_elements(c, e, &c.argv[2], c.argc - 2, where)
    elif must_exist:
        return c.reply_int(0)
    else:
        e = new_list(c, key, &c.argv[2], c.argc - 2, where)
    c.modified(key, NOTIFY_LIST, push_event(where), c.argc - 2)
    return c.reply_int(list_count(e))


cdef int cmd_lpush(Client c) except -1:
    """LPUSH key element [element ...] -> elements of the list now; the last one given is the first then.

    Errors: WRONGTYPE. O(1) an element. Source: https://redis.io/commands/lpush
    """
    return push(c, LIST_HEAD, False)

declare(
    b"lpush", native(cmd_lpush), arity=-3, flags=WRITE | DENYOOM | FAST, keys=key_at(1, "RW insert"), since="1.0.0",
    complexity="O(N) for N elements given",
    summary="Puts elements in front of a list, which is made if the key is not there.",
    args="key element...",
)


cdef int cmd_rpush(Client c) except -1:
    """RPUSH key element [element ...] -> elements of the list now.

    Errors: WRONGTYPE. O(1) an element. Source: https://redis.io/commands/rpush
    """
    return push(c, LIST_TAIL, False)

declare(
    b"rpush", native(cmd_rpush), arity=-3, flags=WRITE | DENYOOM | FAST, keys=key_at(1, "RW insert"), since="1.0.0",
    complexity="O(N) for N elements given",
    summary="Appends elements to a list, which is made if the key is not there.",
    args="key element...",
)


cdef int cmd_lpushx(Client c) except -1:
    """LPUSHX key element [element ...] -> elements of the list now, 0 if there is none.

    Errors: WRONGTYPE. O(1) an element. Source: https://redis.io/commands/lpushx
    """
    return push(c, LIST_HEAD, True)

declare(
    b"lpushx", native(cmd_lpushx), arity=-3, flags=WRITE | DENYOOM | FAST, keys=key_at(1, "RW insert"), since="2.2.0",
    complexity="O(N) for N elements given",
    summary="Puts elements in front of a list that exists.",
    args="key element...",
)


cdef int cmd_rpushx(Client c) except -1:
    """RPUSHX key element [element ...] -> elements of the list now, 0 if there is none.

    Errors: WRONGTYPE. O(1) an element. Source: https://redis.io/commands/rpushx
    """
    return push(c, LIST_TAIL, True)

declare(
    b"rpushx", native(cmd_rpushx), arity=-3, flags=WRITE | DENYOOM | FAST, keys=key_at(1, "RW insert"), since="2.2.0",
    complexity="O(N) for N elements given",
    summary="Appends elements to a list that exists.",
    args="key element...",
)


# --- pops -----------------------------------------------------------------------------------

cdef int pop(Client c, int where) except -1:
    """LPOP and RPOP."""
    cdef Arg* key = &c.argv[1]
    cdef Entry* e
    cdef LpItem item
    cdef int64_t count = 0

    if c.argc > 3:
        return c.error_text(arity_error(b"lpop" if where == LIST_HEAD else b"rpop"))
    if c.argc == 3 and not get_range_or_reply(c, 2, 0, INT64_MAX, &count, ERR_NOT_POSITIVE):
        return 0
    e = c.db.lookup_write(key)
    if not c.has_type(e, TYPE_LIST):
        return 0
    if e is NULL:
        return c.reply_null_array() if c.argc == 3 else c.reply_null()
    if c.argc == 2:
        list_at_end(e, where, &item)
        reply_item(c, &item)
        list_drop(&c.core.memory, &c.core.limits, e, where, 1)
        return tell_popped(c, key, e, where, 1)
    if count == 0:
        return c.reply_array(0)
    return reply_popped(c, key, e, where, min(count, <int64_t>list_count(e)))


cdef int cmd_lpop(Client c) except -1:
    """LPOP key [count] -> the first element, or null; with a count an array of up to so many, or a null array.

    Errors: count is not from 0 on; WRONGTYPE. O(1) an element. Source: https://redis.io/commands/lpop
    """
    return pop(c, LIST_HEAD)

declare(
    b"lpop", native(cmd_lpop), arity=-2, flags=WRITE | FAST, keys=key_at(1, "RW access delete"), since="1.0.0",
    complexity="O(N) for N elements taken",
    summary="Takes elements off the front of a list and returns them. Deletes a list that has none left.",
    args="key [count:integer@6.2.0]",
)


cdef int cmd_rpop(Client c) except -1:
    """RPOP key [count] -> the last element, or null; with a count an array, the last element first, or a null array.

    Errors: count is not from 0 on; WRONGTYPE. O(1) an element. Source: https://redis.io/commands/rpop
    """
    return pop(c, LIST_TAIL)

declare(
    b"rpop", native(cmd_rpop), arity=-2, flags=WRITE | FAST, keys=key_at(1, "RW access delete"), since="1.0.0",
    complexity="O(N) for N elements taken",
    summary="Takes elements off the end of a list and returns them. Deletes a list that has none left.",
    args="key [count:integer@6.2.0]",
)


# --- reading --------------------------------------------------------------------------------

cdef int cmd_llen(Client c) except -1:
    """LLEN key -> elements of the list, 0 if there is none. Errors: WRONGTYPE.

    Source: https://redis.io/commands/llen
    """
    cdef Entry* e = c.db.lookup_read(&c.argv[1])

    if not c.has_type(e, TYPE_LIST):
        return 0
    return c.reply_int(list_count(e) if e is not NULL else 0)

declare(
    b"llen", native(cmd_llen), arity=2, flags=READONLY | FAST, keys=key_at(1, "RO"), since="1.0.0",
    complexity="O(1)",
    summary="Returns the number of elements of a list.",
    args="key",
)


cdef int cmd_lindex(Client c) except -1:
    """LINDEX key index -> the element there, from the end when negative, or null.

    Errors: WRONGTYPE, index is no integer. O(n), little for either end. Source: https://redis.io/commands/lindex
    """
    cdef Entry* e = c.db.lookup_read(&c.argv[1])
    cdef QlIter it
    cdef LpItem item
    cdef int64_t index

    if not c.has_type(e, TYPE_LIST):
        return 0
    if e is NULL:
        return c.reply_null()
    if not get_int_or_reply(c, 2, &index):
        return 0
    if not list_iter(&c.core.memory, e, index, False, &it):
        return c.reply_null()
    try:
        ql_item(&it, &item)
        reply_item(c, &item)
    finally:
        ql_iter_end(&it)
    return 0

declare(
    b"lindex", native(cmd_lindex), arity=3, flags=READONLY, keys=key_at(1, "RO access"), since="1.0.0",
    complexity="O(N) for N elements between the index and the nearer end; whole nodes are skipped",
    summary="Returns the element at an index.",
    args="key index:integer",
)


cdef int cmd_lrange(Client c) except -1:
    """LRANGE key start stop -> array of the elements from start to stop, both included; negative: from the end.

    Errors: a limit is no integer; WRONGTYPE. Source: https://redis.io/commands/lrange
    """
    cdef Entry* e
    cdef int64_t start, stop

    if not get_int_or_reply(c, 2, &start) or not get_int_or_reply(c, 3, &stop):
        return 0
    e = c.db.lookup_read(&c.argv[1])
    if not c.has_type(e, TYPE_LIST):
        return 0
    if e is NULL or not range_of(list_count(e), &start, &stop):
        return c.reply_array(0)
    c.reply_array(stop - start + 1)
    return reply_elements(c, e, start, stop - start + 1, False)

declare(
    b"lrange", native(cmd_lrange), arity=4, flags=READONLY, keys=key_at(1, "RO access"), since="1.0.0",
    complexity="O(S+N) for N elements returned and S between them and the nearer end",
    summary="Returns the elements between two indexes.",
    args="key start:integer stop:integer",
)


cdef bint read_rank_or_reply(Client c, int index, int64_t* rank) except -1:
    """RANK of LPOS: not 0, and not the least number, which has no counterpart."""
    if not get_int_or_reply(c, index, rank):
        return False
    if rank[0] == 0 or rank[0] == INT64_MIN:
        c.error(ERR_RANK_ZERO if rank[0] == 0 else ERR_LONG_RANGE)
        return False
    return True


cdef bint read_count_or_reply(Client c, int index, int64_t* count) except -1:
    return get_range_or_reply(c, index, 0, INT64_MAX, count, ERR_COUNT_NEGATIVE)


cdef bint read_maxlen_or_reply(Client c, int index, int64_t* most) except -1:
    return get_range_or_reply(c, index, 0, INT64_MAX, most, ERR_MAXLEN_NEGATIVE)


cdef bint pos_options_or_reply(Client c, int64_t* rank, int64_t* count, int64_t* most) except -1:
    """RANK, COUNT (-1: not given) and MAXLEN (INT64_MAX: none) of LPOS."""
    cdef Options given

    if not parse_options_or_reply(c, 3, POS_OPTIONS, ALL_OPTIONS, &given):
        return False
    rank[0] = option_number(&given, POS_RANK) or 1
    count[0] = option_number(&given, POS_COUNT) if given.flags & POS_COUNT else -1
    most[0] = option_number(&given, POS_MAXLEN) or INT64_MAX
    return True


cdef int64_t reply_positions(Client c, Entry* e, const Needle* needle, int64_t rank, int64_t count,
                             int64_t most) except -1:
    """Reply up to `count` (0: all) indexes of a needle, from its rank-th occurrence on; how many there are."""
    cdef QlIter it
    cdef bint backward = rank < 0
    cdef int64_t last = <int64_t>list_count(e) - 1
    cdef int64_t at = 0, passed, found = 0
    cdef int64_t skip = (-rank if backward else rank) - 1

    list_iter(&c.core.memory, e, last if backward else 0, backward, &it)
    try:
        while ql_find(&it, needle, most - at, &passed):
            at += passed
            if skip:
                skip -= 1
            else:
                c.reply_int(last - at if backward else at)
                found += 1
                if found == count:
                    break
            at += 1
            if at == most or not ql_next(&it):
                break
    finally:
        ql_iter_end(&it)
    return found


cdef int cmd_lpos(Client c) except -1:
    """LPOS key element [RANK rank] [COUNT n] [MAXLEN n] -> index of the element, or null; with COUNT an array.

    A negative rank counts from the end, where the search begins then. COUNT 0: all. MAXLEN: look at so many elements.
    Errors: options; WRONGTYPE. O(n). Source: https://redis.io/commands/lpos
    """
    cdef Entry* e
    cdef Needle needle
    cdef int64_t rank, count, most, found = 0
    cdef size_t mark

    if not pos_options_or_reply(c, &rank, &count, &most):
        return 0
    e = c.db.lookup_read(&c.argv[1])
    if not c.has_type(e, TYPE_LIST):
        return 0
    if e is NULL:
        return c.reply_null() if count < 0 else c.reply_array(0)
    needle_set(&c.core.memory, &needle, c.argv[2].ptr, c.argv[2].size)
    mark = c.out.begin()
    try:
        found = reply_positions(c, e, &needle, rank, 1 if count < 0 else count, most)
    finally:
        needle_free(&needle)
    if count >= 0:
        return c.out.end_array(mark, found)
    return 0 if found else c.reply_null()

declare(
    b"lpos", native(cmd_lpos), arity=-3, flags=READONLY, keys=key_at(1, "RO access"), since="6.0.6",
    complexity="O(N) for N elements of the list, or MAXLEN",
    summary="Returns the indexes at which an element is.",
    args="key element [RANK rank:integer] [COUNT num-matches:integer] [MAXLEN len:integer]",
)


# --- changing -------------------------------------------------------------------------------

cdef int cmd_lset(Client c) except -1:
    """LSET key index element -> OK. Errors: no such key, WRONGTYPE, index.

    O(n), little for either end. Source: https://redis.io/commands/lset
    """
    cdef Account* account = &c.core.memory
    cdef Entry* e = c.db.lookup_write(&c.argv[1])
    cdef int64_t index

    if e is NULL:
        return c.error(ERR_NO_KEY)
    if not c.has_type(e, TYPE_LIST) or not get_int_or_reply(c, 2, &index):
        return 0
    list_prepare(account, &c.core.limits, e, c.argv[3].size, 1)
    if not list_replace(account, &c.core.limits, e, index, c.argv[3].ptr, c.argv[3].size):
        return c.error(ERR_INDEX_RANGE)
    c.modified(&c.argv[1], NOTIFY_LIST, b"lset")
    return c.reply_ok()

declare(
    b"lset", native(cmd_lset), arity=4, flags=WRITE | DENYOOM, keys=key_at(1, "RW update"), since="1.0.0",
    complexity="O(N) for N elements between the index and the nearer end; whole nodes are skipped",
    summary="Puts another element in the place of the one at an index.",
    args="key index:integer element",
)


cdef int cmd_linsert(Client c) except -1:
    """LINSERT key BEFORE|AFTER pivot element -> elements of the list now, 0: no list, -1: no pivot.

    Errors: syntax, WRONGTYPE. O(n). Source: https://redis.io/commands/linsert
    """
    cdef Account* account = &c.core.memory
    cdef bint after = arg_is(&c.argv[2], b"AFTER")
    cdef bint found
    cdef Entry* e
    cdef QlIter it
    cdef Needle needle
    cdef int64_t passed

    if not after and not arg_is(&c.argv[2], b"BEFORE"):
        return c.error(ERR_SYNTAX)
    e = c.db.lookup_write(&c.argv[1])
    if not c.has_type(e, TYPE_LIST):
        return 0
    if e is NULL:
        return c.reply_int(0)
    # As in Redis: converted before the pivot is looked for, whether it is there or not.
    list_prepare(account, &c.core.limits, e, c.argv[4].size, 1)
    list_iter(account, e, 0, False, &it)
    needle_set(account, &needle, c.argv[3].ptr, c.argv[3].size)
    try:
        found = ql_find(&it, &needle, INT64_MAX, &passed)
        if found:
            list_insert(account, &c.core.limits, e, &it, after, c.argv[4].ptr, c.argv[4].size)
    finally:
        needle_free(&needle)
        ql_iter_end(&it)
    if not found:
        return c.reply_int(-1)
    c.modified(&c.argv[1], NOTIFY_LIST, b"linsert")
    return c.reply_int(list_count(e))

declare(
    b"linsert", native(cmd_linsert), arity=5, flags=WRITE | DENYOOM, keys=key_at(1, "RW insert"), since="2.2.0",
    complexity="O(N) for N elements in front of the pivot",
    summary="Inserts an element in front of another one, or behind it.",
    args="key where=(BEFORE | AFTER) pivot element",
)


cdef int cmd_lrem(Client c) except -1:
    """LREM key count element -> elements removed: the first `count` that equal it, the last when negative, all for 0.

    Errors: count is no integer or the smallest one; WRONGTYPE. O(n). Source: https://redis.io/commands/lrem
    """
    cdef Entry* e
    cdef Needle needle
    cdef int64_t count, removed

    if not get_int_or_reply(c, 2, &count):
        return 0
    if count == INT64_MIN:
        return c.error(ERR_LONG_RANGE)
    e = c.db.lookup_write(&c.argv[1])
    if not c.has_type(e, TYPE_LIST):
        return 0
    if e is NULL:
        return c.reply_int(0)
    needle_set(&c.core.memory, &needle, c.argv[3].ptr, c.argv[3].size)
    try:
        removed = list_remove(&c.core.memory, &c.core.limits, e, &needle, -count if count < 0 else count,
                              LIST_TAIL if count < 0 else LIST_HEAD)
    finally:
        needle_free(&needle)
    if removed:
        c.modified(&c.argv[1], NOTIFY_LIST, b"lrem", removed)
        c.drop_empty(&c.argv[1], e)
    return c.reply_int(removed)

declare(
    b"lrem", native(cmd_lrem), arity=4, flags=WRITE, keys=key_at(1, "RW delete"), since="1.0.0",
    complexity="O(N) for N elements of the list",
    summary="Removes elements that equal the one given. Deletes a list that has none left.",
    args="key count:integer element",
)


cdef int cmd_ltrim(Client c) except -1:
    """LTRIM key start stop -> OK: only the elements from start to stop are left; negative: from the end.

    Errors: a limit is no integer; WRONGTYPE. O(1) an element removed. Source: https://redis.io/commands/ltrim
    """
    cdef Account* account = &c.core.memory
    cdef Entry* e
    cdef int64_t start, stop, length, behind

    if not get_int_or_reply(c, 2, &start) or not get_int_or_reply(c, 3, &stop):
        return 0
    e = c.db.lookup_write(&c.argv[1])
    if not c.has_type(e, TYPE_LIST):
        return 0
    if e is NULL:
        return c.reply_ok()
    length = list_count(e)
    if not range_of(length, &start, &stop):
        start = length
        stop = length - 1
    behind = length - 1 - stop
    list_drop(account, &c.core.limits, e, LIST_HEAD, start)
    list_drop(account, &c.core.limits, e, LIST_TAIL, behind)
    # A trim that removes nothing is an event, but not a change that is propagated.
    c.modified(&c.argv[1], NOTIFY_LIST, b"ltrim", start + behind)
    c.drop_empty(&c.argv[1], e)
    return c.reply_ok()

declare(
    b"ltrim", native(cmd_ltrim), arity=4, flags=WRITE, keys=key_at(1, "RW delete"), since="1.0.0",
    complexity="O(N) for N elements removed",
    summary="Removes the elements that are not between two indexes. Deletes a list that has none left.",
    args="key start:integer stop:integer",
)
