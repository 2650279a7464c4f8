"""Commands on arrays. ARGREP and AROP are in array_search."""
from libc.stdint cimport INT64_MAX, UINT64_MAX, int64_t, uint64_t

from fastredis._resp cimport Arg, arg_hash
from fastredis.ds.numbers cimport INT64_TEXT, format_uint64
from fastredis.ds.sparse_array cimport (
    SLICE, WORD_TEXT, ArrayFacts, ArrayIter, array_count, array_delete_range, array_drop, array_facts, array_get,
    array_iter, array_length, array_next, array_set, array_take, word_text,
)
from fastredis.engine.command cimport Command, native
from fastredis.engine.core cimport NOTIFY_ARRAY
from fastredis.engine.errors cimport (
    ERR_ARRAY_COUNT, ERR_ARRAY_CURSOR, ERR_ARRAY_INDEX, ERR_ARRAY_LIMIT, ERR_ARRAY_RANGE, ERR_ARRAY_SIZE, ERR_NO_KEY,
    ERR_SYNTAX, arity_error,
)
from fastredis.engine.flags cimport DENYOOM, FAST, READONLY, WRITE
from fastredis.engine.options cimport (
    OPT_FLAG, OPT_INT, Option, Options, arg_is, get_range_or_reply, option_number, parse_options_or_reply,
)
from fastredis.values.array_type cimport array_make_ring, array_new, array_of, array_recent
from fastredis.values.entry cimport TYPE_ARRAY, Entry

from fastredis.engine.command import declarer
from fastredis.engine.declarations import key_at

declare = declarer("array")

cdef enum:
    DIGITS = 20                     # that an index has at most
    RANGE_MOST = 1000000            # slots that ARGETRANGE replies at most
    SCAN_LIMIT = 1

cdef uint64_t INDEX_END = UINT64_MAX            # one more than the highest index

cdef Option[2] SCAN_OPTIONS = [
    Option(b"LIMIT", OPT_INT, SCAN_LIMIT, 0, limit_or_reply),
    Option(NULL, OPT_FLAG, 0, 0, NULL),
]


# ---------------------------------------------------------------- arguments and replies

cdef bint parse_index(const Arg* a, uint64_t* index) noexcept:
    """Digits only, without a zero in front; up to 2^64 - 1."""
    cdef uint64_t value = 0
    cdef unsigned int digit
    cdef size_t i

    if a.size == 0 or a.size > DIGITS or (a.ptr[0] == c"0" and a.size > 1):
        return False
    for i in range(a.size):
        digit = <unsigned char>a.ptr[i] - c"0"
        if digit > 9 or value > UINT64_MAX // 10 or value * 10 > UINT64_MAX - digit:
            return False
        value = value * 10 + digit
    index[0] = value
    return True


cdef bint index_or_reply(Client c, int i, uint64_t* index) except -1:
    if parse_index(&c.argv[i], index) and index[0] < INDEX_END:
        return True
    c.error(ERR_ARRAY_INDEX)
    return False


cdef bint indexes_or_reply(Client c, int first, int step) except -1:
    """Whether argv[first], and each step-th argument behind it, is an index."""
    cdef uint64_t index
    cdef int i

    for i in range(first, c.argc, step):
        if not index_or_reply(c, i, &index):
            return False
    return True


cdef bint limit_or_reply(Client c, int i, int64_t* limit) except -1:
    return get_range_or_reply(c, i, 1, INT64_MAX, limit, ERR_ARRAY_LIMIT)


cdef inline uint64_t index_at(Client c, int i) noexcept:
    """An index that was looked at before."""
    cdef uint64_t index = 0

    parse_index(&c.argv[i], &index)
    return index


cdef int reply_index(Client c, uint64_t index) except -1:
    cdef char[INT64_TEXT] digits

    if index <= <uint64_t>INT64_MAX:
        return c.reply_int(<int64_t>index)
    return c.out.big_number(digits, format_uint64(digits, index))


cdef int reply_word(Client c, uint64_t word) except -1:
    cdef char[WORD_TEXT] scratch
    cdef const char* text
    cdef size_t size

    if word == 0:
        return c.reply_null()
    text = word_text(word, scratch, &size)
    return c.reply_bulk(text, size)


cdef Array* array_to_read(Client c, bint* found) except? NULL:
    cdef Entry* e = c.db.lookup_read(&c.argv[1])

    found[0] = c.has_type(e, TYPE_ARRAY)
    return array_of(e) if found[0] and e is not NULL else NULL


cdef Array* array_to_change(Client c, Entry* e) except NULL:
    """Of the entry, or of a new key argv[1] if that is NULL."""
    if e is NULL:
        e = array_new(&c.core.memory, c.argv[1].ptr, c.argv[1].size)
        c.db.add(e, arg_hash(&c.argv[1]))
    return array_of(e)


cdef int misused(Client c) except -1:
    """Reply that arguments are missing, or too many, where the declared arity does not tell."""
    return c.error_text(arity_error((<Command>c.command).name))


# ---------------------------------------------------------------- setting

cdef int cmd_arset(Client c) except -1:
    """ARSET key index value [value ...] -> integer: how many of the slots were empty.

    Errors: WRONGTYPE; an index that is none, also of the last value. Source: https://redis.io/commands/arset
    """
    cdef uint64_t index
    cdef int64_t fresh = 0
    cdef Entry* e
    cdef Array* a
    cdef int i

    if not index_or_reply(c, 2, &index):
        return 0
    if INDEX_END - index < <uint64_t>(c.argc - 3):
        return c.error(ERR_ARRAY_INDEX)
    e = c.db.lookup_write(&c.argv[1])
    if not c.has_type(e, TYPE_ARRAY):
        return 0
    a = array_to_change(c, e)
    for i in range(3, c.argc):
        fresh += array_set(&a.slots, index + <uint64_t>(i - 3), c.argv[i].ptr, c.argv[i].size)
    c.modified(&c.argv[1], NOTIFY_ARRAY, b"arset", c.argc - 3)
    return c.reply_int(fresh)

declare(
    b"arset", native(cmd_arset), arity=-4, flags=WRITE | DENYOOM | FAST, keys=key_at(1, "RW update"), since="8.8.0",
    complexity="O(N) where N is the number of values",
    summary="Sets values of an array, one behind the other from an index on.",
    args="key index:integer value...",
)


cdef int cmd_armset(Client c) except -1:
    """ARMSET key index value [index value ...] -> integer: how many of the slots were empty. The last value counts.

    Errors: WRONGTYPE; an index that is none, before anything is set. Source: https://redis.io/commands/armset
    """
    cdef int64_t fresh = 0
    cdef Entry* e
    cdef Array* a
    cdef int i

    if c.argc % 2:
        return misused(c)
    if not indexes_or_reply(c, 2, 2):
        return 0
    e = c.db.lookup_write(&c.argv[1])
    if not c.has_type(e, TYPE_ARRAY):
        return 0
    a = array_to_change(c, e)
    for i in range(2, c.argc, 2):
        fresh += array_set(&a.slots, index_at(c, i), c.argv[i + 1].ptr, c.argv[i + 1].size)
    c.modified(&c.argv[1], NOTIFY_ARRAY, b"arset", c.argc // 2 - 1)
    return c.reply_int(fresh)

declare(
    b"armset", native(cmd_armset), arity=-4, flags=WRITE | DENYOOM | FAST, keys=key_at(1, "RW update"),
    since="8.8.0",
    complexity="O(N) where N is the number of pairs",
    summary="Sets values of an array, each at an index.",
    args="key data={index:integer value}...",
)


# ---------------------------------------------------------------- looking

cdef int cmd_arget(Client c) except -1:
    """ARGET key index -> the value, or null. Source: https://redis.io/commands/arget"""
    cdef uint64_t index
    cdef bint found
    cdef Array* a

    if not index_or_reply(c, 2, &index):
        return 0
    a = array_to_read(c, &found)
    if not found:
        return 0
    return reply_word(c, array_get(&a.slots, index) if a is not NULL else 0)

declare(
    b"arget", native(cmd_arget), arity=3, flags=READONLY | FAST, keys=key_at(1, "RO access"), since="8.8.0",
    complexity="O(log(N)) where N is the number of slices, runs of 4096 indexes that are not empty",
    summary="Returns the value at an index of an array.",
    args="key index:integer",
)


cdef int cmd_armget(Client c) except -1:
    """ARMGET key index [index ...] -> array: the values, null for those that are empty.

    Source: https://redis.io/commands/armget
    """
    cdef bint found
    cdef Array* a
    cdef int i

    if not indexes_or_reply(c, 2, 1):
        return 0
    a = array_to_read(c, &found)
    if not found:
        return 0
    c.reply_array(c.argc - 2)
    for i in range(2, c.argc):
        reply_word(c, array_get(&a.slots, index_at(c, i)) if a is not NULL else 0)
    return 0

declare(
    b"armget", native(cmd_armget), arity=-3, flags=READONLY | FAST, keys=key_at(1, "RO access"), since="8.8.0",
    complexity="O(N) where N is the number of indexes",
    summary="Returns the values at some indexes of an array.",
    args="key index:integer...",
)


cdef int cmd_argetrange(Client c) except -1:
    """ARGETRANGE key start end -> array: all slots of the range, null for empty ones; downwards if end < start.

    Errors: WRONGTYPE; over a million slots. Source: https://redis.io/commands/argetrange
    """
    cdef uint64_t start, end, size, i
    cdef uint64_t done = 0
    cdef bint found
    cdef ArrayIter it
    cdef Array* a

    if not index_or_reply(c, 2, &start) or not index_or_reply(c, 3, &end):
        return 0
    size = (end - start if start <= end else start - end) + 1
    if size > RANGE_MOST:
        return c.error(ERR_ARRAY_RANGE)
    a = array_to_read(c, &found)
    if not found:
        return 0
    c.reply_array(size)
    if a is not NULL:
        array_iter(&it, &a.slots, start, end)
        while array_next(&it):
            i = it.index - start if start <= end else start - it.index
            while done < i:
                c.reply_null()
                done += 1
            reply_word(c, it.word)
            done += 1
    while done < size:
        c.reply_null()
        done += 1
    return 0

declare(
    b"argetrange", native(cmd_argetrange), arity=4, flags=READONLY, keys=key_at(1, "RO access"), since="8.8.0",
    complexity="O(N) where N is the number of slots in the range",
    summary="Returns all slots of an array from one index to another.",
    args="key start:integer end:integer",
)


cdef int cmd_arscan(Client c) except -1:
    """ARSCAN key start end [LIMIT limit] -> array of [index, value], of slots in use; downwards if end < start.

    Errors: WRONGTYPE; a limit below 1. Source: https://redis.io/commands/arscan
    """
    cdef uint64_t start, end
    cdef int64_t count = 0
    cdef int64_t limit = INT64_MAX
    cdef Options given
    cdef ArrayIter it
    cdef bint found
    cdef Array* a
    cdef size_t mark

    if not index_or_reply(c, 2, &start) or not index_or_reply(c, 3, &end):
        return 0
    if not parse_options_or_reply(c, 4, SCAN_OPTIONS, SCAN_LIMIT, &given):
        return 0
    if given.flags & SCAN_LIMIT:
        limit = option_number(&given, SCAN_LIMIT)
    a = array_to_read(c, &found)
    if not found:
        return 0
    mark = c.out.begin()
    if a is not NULL:
        array_iter(&it, &a.slots, start, end)
        while count < limit and array_next(&it):
            c.reply_array(2)
            reply_index(c, it.index)
            reply_word(c, it.word)
            count += 1
    return c.out.end_array(mark, count)

declare(
    b"arscan", native(cmd_arscan), arity=-4, flags=READONLY, keys=key_at(1, "RO access"), since="8.8.0",
    complexity="O(log(S)+N) where S is the number of slices and N the number of values returned",
    summary="Returns the slots in use of an array from one index to another.",
    args="key start:integer end:integer [LIMIT limit:integer]",
)


cdef int cmd_arlen(Client c) except -1:
    """ARLEN key -> integer: the highest index in use + 1. Source: https://redis.io/commands/arlen"""
    cdef bint found
    cdef Array* a = array_to_read(c, &found)

    if not found:
        return 0
    return reply_index(c, array_length(&a.slots) if a is not NULL else 0)

declare(
    b"arlen", native(cmd_arlen), arity=2, flags=READONLY | FAST, keys=key_at(1, "RO access"), since="8.8.0",
    complexity="O(1)",
    summary="Returns the highest index in use of an array, and one more.",
    args="key",
)


cdef int cmd_arcount(Client c) except -1:
    """ARCOUNT key -> integer: how many slots are in use. Source: https://redis.io/commands/arcount"""
    cdef bint found
    cdef Array* a = array_to_read(c, &found)

    if not found:
        return 0
    return reply_index(c, array_count(&a.slots) if a is not NULL else 0)

declare(
    b"arcount", native(cmd_arcount), arity=2, flags=READONLY | FAST, keys=key_at(1, "RO access"), since="8.8.0",
    complexity="O(1)",
    summary="Counts the slots in use of an array.",
    args="key",
)


# ---------------------------------------------------------------- deleting

cdef int deleted(Client c, Entry* e, const char* event, uint64_t count) except -1:
    """What follows from a deletion, and the reply."""
    if count:
        c.modified(&c.argv[1], NOTIFY_ARRAY, event, count)
        c.drop_empty(&c.argv[1], e)
    return c.reply_int(count)


cdef int cmd_ardel(Client c) except -1:
    """ARDEL key index [index ...] -> integer: how many were in use. The key goes with the last value.

    Errors: WRONGTYPE; an index that is none, before anything goes. Source: https://redis.io/commands/ardel
    """
    cdef uint64_t word
    cdef uint64_t count = 0
    cdef Entry* e
    cdef Array* a
    cdef int i

    if not indexes_or_reply(c, 2, 1):
        return 0
    e = c.db.lookup_write(&c.argv[1])
    if not c.has_type(e, TYPE_ARRAY):
        return 0
    if e is NULL:
        return c.reply_int(0)
    a = array_of(e)
    for i in range(2, c.argc):
        word = array_take(&a.slots, index_at(c, i))
        if word:
            array_drop(&a.slots, word)
            count += 1
    return deleted(c, e, b"ardel", count)

declare(
    b"ardel", native(cmd_ardel), arity=-3, flags=WRITE | FAST, keys=key_at(1, "RW delete"), since="8.8.0",
    complexity="O(N) where N is the number of indexes",
    summary="Deletes the values at some indexes of an array.",
    args="key index:integer...",
)


cdef int cmd_ardelrange(Client c) except -1:
    """ARDELRANGE key start end [start end ...] -> integer: how many were in use. The ends may be in any order.

    Errors: WRONGTYPE; an index that is none, before anything goes. Source: https://redis.io/commands/ardelrange
    """
    cdef uint64_t start, end
    cdef uint64_t count = 0
    cdef Entry* e
    cdef int i

    if c.argc % 2:
        return misused(c)
    if not indexes_or_reply(c, 2, 1):
        return 0
    e = c.db.lookup_write(&c.argv[1])
    if not c.has_type(e, TYPE_ARRAY):
        return 0
    if e is NULL:
        return c.reply_int(0)
    for i in range(2, c.argc, 2):
        start, end = index_at(c, i), index_at(c, i + 1)
        count += array_delete_range(&array_of(e).slots, min(start, end), max(start, end))
    return deleted(c, e, b"ardelrange", count)

declare(
    b"ardelrange", native(cmd_ardelrange), arity=-4, flags=WRITE, keys=key_at(1, "RW delete"), since="8.8.0",
    complexity="O(log(S)+N) where S is the number of slices and N the number of values that go",
    summary="Deletes the values of an array from one index to another, for some such ranges.",
    args="key range={start:integer end:integer}...",
)


# ---------------------------------------------------------------- appending

cdef int cmd_arinsert(Client c) except -1:
    """ARINSERT key value [value ...] -> integer: the index of the last value. They go where the cursor is.

    Errors: WRONGTYPE; no index is left. Source: https://redis.io/commands/arinsert
    """
    cdef Entry* e = c.db.lookup_write(&c.argv[1])
    cdef uint64_t count = c.argc - 2
    cdef Array* a
    cdef int i

    if not c.has_type(e, TYPE_ARRAY):
        return 0
    if e is not NULL and INDEX_END - array_of(e).next < count:
        return c.error(ERR_ARRAY_CURSOR)
    a = array_to_change(c, e)
    for i in range(2, c.argc):
        array_set(&a.slots, a.next, c.argv[i].ptr, c.argv[i].size)
        a.next += 1
    c.modified(&c.argv[1], NOTIFY_ARRAY, b"arinsert", count)
    return reply_index(c, a.next - 1)

declare(
    b"arinsert", native(cmd_arinsert), arity=-3, flags=WRITE | DENYOOM | FAST, keys=key_at(1, "RW update"),
    since="8.8.0",
    complexity="O(N) where N is the number of values",
    summary="Appends values to an array.",
    args="key value...",
)


cdef int cmd_arring(Client c) except -1:
    """ARRING key size value [value ...] -> integer: the index of the last value. Behind index size - 1 comes 0.

    If the array has an index beyond, or if the ring had another size before, the newest values that fit are put from
    index 0 on first. Errors: WRONGTYPE; a size that is none. Source: https://redis.io/commands/arring
    """
    cdef uint64_t size, index
    cdef uint64_t count = c.argc - 3
    cdef uint64_t i = 0
    cdef Entry* e
    cdef Array* a

    if not parse_index(&c.argv[2], &size) or size == 0:
        return c.error(ERR_ARRAY_SIZE)
    e = c.db.lookup_write(&c.argv[1])
    if not c.has_type(e, TYPE_ARRAY):
        return 0
    a = array_to_change(c, e)
    array_make_ring(&c.core.memory, a, size)
    index = a.next % size
    if count > size:                    # those in front would be overwritten by those behind
        i = count - size
        index = (index + i) % size
    while True:
        array_set(&a.slots, index, c.argv[3 + i].ptr, c.argv[3 + i].size)
        a.next = index + 1
        i += 1
        if i == count:
            break
        index = a.next if a.next < size else 0
    c.modified(&c.argv[1], NOTIFY_ARRAY, b"arring", count)
    return reply_index(c, index)

declare(
    b"arring", native(cmd_arring), arity=-4, flags=WRITE | DENYOOM, keys=key_at(1, "RW update"), since="8.8.0",
    complexity="O(M), or O(M+N) when the ring gets another size, where M is the number of values, N that of those kept",
    summary="Appends values to an array that is used as a ring.",
    args="key size:integer value...",
)


cdef int cmd_arseek(Client c) except -1:
    """ARSEEK key index -> integer: 1 if the cursor is there now, 0 without a key. 2^64 - 1: nothing can be appended.

    Errors: WRONGTYPE; an index that is none. Source: https://redis.io/commands/arseek
    """
    cdef uint64_t index
    cdef Entry* e

    if not parse_index(&c.argv[2], &index):
        return c.error(ERR_ARRAY_INDEX)
    e = c.db.lookup_write(&c.argv[1])
    if not c.has_type(e, TYPE_ARRAY):
        return 0
    if e is NULL:
        return c.reply_int(0)
    array_of(e).next = index
    c.modified(&c.argv[1], NOTIFY_ARRAY, b"arseek")
    return c.reply_int(1)

declare(
    b"arseek", native(cmd_arseek), arity=3, flags=WRITE | FAST, keys=key_at(1, "RW update"), since="8.8.0",
    complexity="O(1)",
    summary="Says where ARINSERT and ARRING go on in an array.",
    args="key index:integer",
)


cdef int cmd_arnext(Client c) except -1:
    """ARNEXT key -> integer: where ARINSERT goes on; null: nowhere. Source: https://redis.io/commands/arnext"""
    cdef bint found
    cdef Array* a = array_to_read(c, &found)

    if not found:
        return 0
    if a is not NULL and a.next == INDEX_END:
        return c.reply_null()
    return reply_index(c, a.next if a is not NULL else 0)

declare(
    b"arnext", native(cmd_arnext), arity=2, flags=READONLY | FAST, keys=key_at(1, "RO access"), since="8.8.0",
    complexity="O(1)",
    summary="Returns the index where ARINSERT goes on in an array.",
    args="key",
)


cdef int cmd_arlastitems(Client c) except -1:
    """ARLASTITEMS key count [REV] -> array: what lies before the cursor, around the end; the oldest first, unless REV.

    As many slots as values are there at most; null for those that are empty.
    Errors: WRONGTYPE; a count that is negative. Source: https://redis.io/commands/arlastitems
    """
    cdef int64_t count
    cdef uint64_t size, i
    cdef bint reverse = c.argc == 4
    cdef bint found
    cdef Array* a

    if not get_range_or_reply(c, 2, 0, INT64_MAX, &count, ERR_ARRAY_COUNT):
        return 0
    if c.argc > 4 or (reverse and not arg_is(&c.argv[3], b"REV")):
        return c.error(ERR_SYNTAX)
    a = array_to_read(c, &found)
    if not found:
        return 0
    if a is NULL or a.next == 0:
        return c.reply_array(0)
    size = min(<uint64_t>count, array_count(&a.slots))
    c.reply_array(size)
    for i in range(size):
        reply_word(c, array_get(&a.slots, array_recent(a, i if reverse else size - 1 - i)))
    return 0

declare(
    b"arlastitems", native(cmd_arlastitems), arity=-3, flags=READONLY, keys=key_at(1, "RO access"), since="8.8.0",
    complexity="O(N) where N is the number of values returned",
    summary="Returns the values that were appended last to an array.",
    args="key count:integer [REV]",
)


# ---------------------------------------------------------------- ARINFO

cdef int number(Client c, const char* name, uint64_t value) except -1:
    c.reply_text(name)
    return reply_index(c, value)


cdef int average(Client c, const char* name, uint64_t sum, uint64_t of) except -1:
    c.reply_text(name)
    return c.reply_double(<double>sum / of if of else 0)


cdef int cmd_arinfo(Client c) except -1:
    """ARINFO key [FULL] -> map: sizes and the cursor; with FULL, which walks through all slices, what these are like.

    directory-size and super-dir-entries: slices, and inner nodes of the tree that finds them.
    Errors: WRONGTYPE; no such key. Source: https://redis.io/commands/arinfo
    """
    cdef bint full = c.argc == 3
    cdef ArrayFacts facts
    cdef bint found
    cdef Array* a

    if c.argc > 3 or (full and not arg_is(&c.argv[2], b"FULL")):
        return c.error(ERR_SYNTAX)
    a = array_to_read(c, &found)
    if not found:
        return 0
    if a is NULL:
        return c.error(ERR_NO_KEY)
    c.reply_map(12 if full else 7)
    number(c, b"count", array_count(&a.slots))
    number(c, b"len", array_length(&a.slots))
    number(c, b"next-insert-index", a.next if a.next < INDEX_END else 0)
    number(c, b"slices", a.slots.slices.count)
    number(c, b"directory-size", a.slots.slices.count)
    number(c, b"super-dir-entries", a.slots.slices.inners)
    number(c, b"slice-size", SLICE)
    if full:
        array_facts(&a.slots, &facts)
        number(c, b"dense-slices", facts.dense)
        average(c, b"avg-dense-size", facts.dense_room, facts.dense)
        average(c, b"avg-dense-fill", facts.dense_used, facts.dense_room)
        number(c, b"sparse-slices", facts.sparse)
        average(c, b"avg-sparse-size", facts.sparse_room, facts.sparse)
    return 0

declare(
    b"arinfo", native(cmd_arinfo), arity=-2, flags=READONLY, keys=key_at(1, "RO access"), since="8.8.0",
    complexity="O(1); O(N) with FULL, where N is the number of slices",
    summary="Tells how an array is laid out.",
    args="key [FULL]",
)
