"""LCS: the longest common subsequence of two strings."""
from libc.stdint cimport UINT32_MAX, int64_t, uint32_t, uint64_t

from fastredis.ds.alloc cimport mem_alloc, mem_calloc, mem_free
from fastredis.ds.numbers cimport INT64_TEXT
from fastredis.engine.client cimport Client
from fastredis.engine.command cimport native
from fastredis.engine.errors cimport ERR_LCS_BOTH, ERR_LCS_LONG, ERR_LCS_MEMORY, ERR_LCS_TYPE
from fastredis.engine.flags cimport READONLY
from fastredis.engine.options cimport (
    ALL_OPTIONS, OPT_FLAG, OPT_INT, Option, Options, get_memory_or_reply, option_number, parse_options_or_reply,
)
from fastredis.values.entry cimport TYPE_STRING, Entry, entry_type
from fastredis.values.string_type cimport string_view

from fastredis.engine.command import declarer
from fastredis.engine.declarations import key_range

declare = declarer("string")

cdef enum:
    LCS_LEN = 1 << 0
    LCS_IDX = 1 << 1
    LCS_MINMATCHLEN = 1 << 2
    LCS_WITHMATCHLEN = 1 << 3

cdef Option[5] LCS_OPTIONS = [
    Option(b"LEN", OPT_FLAG, LCS_LEN, 0, NULL),
    Option(b"IDX", OPT_FLAG, LCS_IDX, 0, NULL),
    Option(b"MINMATCHLEN", OPT_INT, LCS_MINMATCHLEN, 0, NULL),
    Option(b"WITHMATCHLEN", OPT_FLAG, LCS_WITHMATCHLEN, 0, NULL),
    Option(NULL, OPT_FLAG, 0, 0, NULL),
]

# lengths[i * (b.size + 1) + j]: length of the LCS of the first i bytes of a and the first j of b.
cdef struct Lcs:
    const char* a
    const char* b
    size_t a_size
    size_t b_size
    uint32_t* lengths


cdef inline uint32_t length_at(Lcs* lcs, size_t i, size_t j) noexcept:
    return lcs.lengths[i * (lcs.b_size + 1) + j]


cdef int fill(Lcs* lcs) noexcept:
    """Compute all lengths, row by row. Source: https://en.wikipedia.org/wiki/Longest_common_subsequence"""
    cdef size_t i, j
    cdef size_t width = lcs.b_size + 1
    cdef uint32_t* row
    cdef uint32_t* above

    for i in range(1, lcs.a_size + 1):
        row = lcs.lengths + i * width
        above = row - width
        for j in range(1, width):
            if lcs.a[i - 1] == lcs.b[j - 1]:
                row[j] = above[j - 1] + 1
            else:
                row[j] = max(above[j], row[j - 1])
    return 0


cdef int reply_text(Client c, Lcs* lcs) except -1:
    """Walk back from the end and collect the common bytes."""
    cdef size_t size = length_at(lcs, lcs.a_size, lcs.b_size)
    cdef size_t left = size
    cdef size_t i = lcs.a_size
    cdef size_t j = lcs.b_size
    cdef char* text = <char*>mem_alloc(&c.core.memory, size + 1)

    try:
        while i and j:
            if lcs.a[i - 1] == lcs.b[j - 1]:
                left -= 1
                text[left] = lcs.a[i - 1]
                i -= 1
                j -= 1
            elif length_at(lcs, i - 1, j) > length_at(lcs, i, j - 1):
                i -= 1
            else:
                j -= 1
        c.reply_bulk(text, size)
    finally:
        mem_free(&c.core.memory, text, size + 1)
    return 0


cdef int reply_match(Client c, size_t i, size_t j, size_t size, bint with_length) except -1:
    """One run of `size` common bytes that starts at a[i] and b[j]."""
    c.reply_array(3 if with_length else 2)
    c.reply_array(2)
    c.reply_int(i)
    c.reply_int(i + size - 1)
    c.reply_array(2)
    c.reply_int(j)
    c.reply_int(j + size - 1)
    if with_length:
        c.reply_int(size)
    return 0


cdef int reply_matches(Client c, Lcs* lcs, int64_t shortest, bint with_length) except -1:
    """The runs of common bytes, the last one first, and the length of the whole."""
    cdef size_t i = lcs.a_size
    cdef size_t j = lcs.b_size
    cdef size_t run = 0
    cdef int64_t count = 0
    cdef size_t mark

    c.reply_map(2)
    c.reply_text(b"matches")
    mark = c.out.begin()
    while i and j:
        if lcs.a[i - 1] == lcs.b[j - 1]:
            i -= 1
            j -= 1
            run += 1
            if i and j and lcs.a[i - 1] == lcs.b[j - 1]:
                continue
            if <int64_t>run >= shortest:
                reply_match(c, i, j, run, with_length)
                count += 1
            run = 0
        elif length_at(lcs, i - 1, j) > length_at(lcs, i, j - 1):
            i -= 1
        else:
            j -= 1
    c.out.end_array(mark, count)
    c.reply_text(b"len")
    return c.reply_int(length_at(lcs, lcs.a_size, lcs.b_size))


cdef int cmd_lcs(Client c) except -1:
    """LCS key1 key2 [LEN] [IDX] [MINMATCHLEN n] [WITHMATCHLEN] -> the subsequence; its length; or a map of matches.

    Cost: O(N*M) time and memory. Errors: values that are no strings; LEN with IDX; too much memory.
    Source: https://redis.io/commands/lcs
    """
    cdef Options given
    cdef Lcs lcs
    cdef char[INT64_TEXT] scratch_a
    cdef char[INT64_TEXT] scratch_b
    cdef Entry* a = c.db.lookup_read(&c.argv[1])
    cdef Entry* b = c.db.lookup_read(&c.argv[2])
    cdef size_t room

    if (a is not NULL and entry_type(a) != TYPE_STRING) or (b is not NULL and entry_type(b) != TYPE_STRING):
        return c.error(ERR_LCS_TYPE)
    if not parse_options_or_reply(c, 3, LCS_OPTIONS, ALL_OPTIONS, &given):
        return 0
    if given.flags & LCS_IDX and given.flags & LCS_LEN:
        return c.error(ERR_LCS_BOTH)
    lcs.a = lcs.b = b""
    lcs.a_size = lcs.b_size = 0
    if a is not NULL:
        lcs.a = string_view(a, scratch_a, &lcs.a_size)
    if b is not NULL:
        lcs.b = string_view(b, scratch_b, &lcs.b_size)
    if lcs.a_size >= UINT32_MAX - 1 or lcs.b_size >= UINT32_MAX - 1:
        return c.error(ERR_LCS_LONG)
    room = (lcs.a_size + 1) * (lcs.b_size + 1)      # below 2**64; four times as much may not be
    if room > <uint64_t>c.core.max_bulk // sizeof(uint32_t):
        return c.error(ERR_LCS_MEMORY)
    room *= sizeof(uint32_t)
    if not get_memory_or_reply(c, 0, room):
        return 0
    lcs.lengths = <uint32_t*>mem_calloc(&c.core.memory, room)
    try:
        fill(&lcs)
        if given.flags & LCS_IDX:
            reply_matches(c, &lcs, option_number(&given, LCS_MINMATCHLEN), given.flags & LCS_WITHMATCHLEN)
        elif given.flags & LCS_LEN:
            c.reply_int(length_at(&lcs, lcs.a_size, lcs.b_size))
        else:
            reply_text(c, &lcs)
    finally:
        mem_free(&c.core.memory, lcs.lengths, room)
    return 0

declare(
    b"lcs", native(cmd_lcs), arity=-3, flags=READONLY, keys=key_range(1, 1, 1, "RO access"), since="7.0.0",
    complexity="O(N*M) where N and M are the lengths of the two strings",
    summary="Finds the longest common subsequence of two strings.",
    args="key1:key key2:key#0 [LEN] [IDX] [MINMATCHLEN min-match-len:integer] [WITHMATCHLEN]",
)
