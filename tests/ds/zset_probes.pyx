"""Sorted sets of fastredis.values.zset_type as a Python class, for tests and measurements only."""
from libc.stdint cimport int64_t, uint64_t
from libc.string cimport memcpy
from libc.time cimport clock

from fastredis.ds.alloc cimport Account, mem_charge, mem_free
from fastredis.ds.btree cimport bt_bytes
from fastredis.ds.listpack cimport lp_bytes
from fastredis.ds.table cimport table_bytes
from fastredis.values.entry cimport ENC_LISTPACK, Entry, entry_bytes, entry_encoding, entry_key, entry_slot
from fastredis.values.limits cimport Limits
from fastredis.values.zset_type cimport (
    LEX_CLOSED, LEX_HIGHEST, LEX_LOWEST, LEX_OPEN, ZADD_ADDED, ZADD_GT, ZADD_INCR, ZADD_LT, ZADD_NAN, ZADD_NOP,
    ZADD_NX, ZADD_SAME, ZADD_UPDATED, ZADD_XX, LexBound, LexRange, ScoreRange, ZsetBuild, ZsetIter, zset_add,
    zset_build_clear, zset_build_count, zset_build_end, zset_build_init, zset_build_put,
    zset_build_put_new, zset_build_remove, zset_build_reserve, zset_copy, zset_count, zset_count_lex, zset_count_score,
    zset_delete_range, zset_drain, zset_expect, zset_free_value, zset_listpack, zset_new, zset_next, zset_of,
    zset_rank, zset_remove, zset_score, zset_seek_lex, zset_seek_rank, zset_seek_score,
    zset_value_bytes, zset_verify,
)

NX, XX, GT, LT, INCR = ZADD_NX, ZADD_XX, ZADD_GT, ZADD_LT, ZADD_INCR
SAME, ADDED, UPDATED, NOP, NAN = ZADD_SAME, ZADD_ADDED, ZADD_UPDATED, ZADD_NOP, ZADD_NAN


cdef void bound_of(bytes given, LexBound* bound):
    """ZRANGEBYLEX's way of writing a bound: [text, (text, - or +."""
    bound.kind = {b"-": LEX_LOWEST, b"+": LEX_HIGHEST, b"[": LEX_CLOSED, b"(": LEX_OPEN}[given[:1]]
    bound.text = <const char*>given + 1
    bound.size = len(given) - 1


cdef list walk(ZsetIter* it):
    pairs = []
    while zset_next(it):
        pairs.append((it.score, it.text[:it.size]))
    return pairs


cdef class ZsetProbe:
    """One sorted set with an account of its own."""
    cdef Account account
    cdef Limits limits
    cdef Entry* e
    cdef size_t empty           # bytes of the entry's block

    def __cinit__(self, entries=128, value=64, size_hint=0, value_hint=0):
        self.limits.zset_max_listpack_entries = entries
        self.limits.zset_max_listpack_value = value
        self.e = zset_new(&self.account, &self.limits, b"key", 3, size_hint, value_hint)
        self.empty = mem_charge(self.e, entry_bytes(self.e))

    def __dealloc__(self):
        if self.e is not NULL:
            zset_free_value(&self.account, self.e)
            mem_free(&self.account, self.e, entry_bytes(self.e))

    cdef replace(self, Entry* fresh):
        zset_free_value(&self.account, self.e)
        mem_free(&self.account, self.e, entry_bytes(self.e))
        self.e = fresh

    @property
    def used(self):
        """Bytes outside of the entry's block."""
        return self.account.used - self.empty

    @property
    def encoding(self):
        return "listpack" if entry_encoding(self.e) == ENC_LISTPACK else "skiplist"

    @property
    def raw(self):
        """The listpack's bytes."""
        assert entry_encoding(self.e) == ENC_LISTPACK
        return (<char*>zset_listpack(self.e))[:lp_bytes(zset_listpack(self.e))]

    def __len__(self):
        return zset_count(self.e)

    def verify(self):
        zset_verify(self.e)

    def value_bytes(self, int64_t samples=0):
        return zset_value_bytes(self.e, samples)

    def add(self, double score, bytes member, int flags=0):
        """What was done, and the new score (None where it was not told)."""
        cdef double new_score = 0
        cdef int done = zset_add(&self.account, &self.limits, self.e, score, member, len(member), 0, flags, &new_score)

        return done, None if done & (ZADD_NOP | ZADD_NAN) else new_score

    def expect(self, uint64_t size_hint, size_t value_hint):
        zset_expect(&self.account, &self.limits, self.e, size_hint, value_hint)

    def remove(self, bytes member):
        return zset_remove(&self.account, self.e, member, len(member), 0)

    def score(self, bytes member):
        cdef double score

        return score if zset_score(self.e, member, len(member), 0, &score) else None

    def rank(self, bytes member, bint reverse=False):
        """Rank and score."""
        cdef double score = 0
        cdef int64_t rank = zset_rank(self.e, member, len(member), 0, reverse, &score)

        assert zset_rank(self.e, member, len(member), 0, reverse, NULL) == rank
        return (rank, score) if rank >= 0 else None

    def by_rank(self, uint64_t first, uint64_t count, bint reverse=False):
        cdef ZsetIter it
        cdef uint64_t told = zset_seek_rank(&it, self.e, first, count, reverse)

        pairs = walk(&it)
        assert len(pairs) == told
        return pairs

    def by_score(self, double low, double high, bint low_open=False, bint high_open=False, bint reverse=False,
                 int64_t offset=0, int64_t limit=-1):
        cdef ScoreRange range
        cdef ZsetIter it
        cdef uint64_t told

        range.min, range.max, range.min_open, range.max_open = low, high, low_open, high_open
        told = zset_seek_score(&it, self.e, &range, reverse, offset, limit)
        pairs = walk(&it)
        assert len(pairs) == told
        return pairs

    def count_score(self, double low, double high, bint low_open=False, bint high_open=False):
        """(rank of the first, how many)"""
        cdef ScoreRange range
        cdef uint64_t first

        range.min, range.max, range.min_open, range.max_open = low, high, low_open, high_open
        count = zset_count_score(self.e, &range, &first)
        return first, count

    def by_lex(self, bytes low, bytes high, bint reverse=False, int64_t offset=0, int64_t limit=-1):
        cdef LexRange range
        cdef ZsetIter it
        cdef uint64_t told

        bound_of(low, &range.min)
        bound_of(high, &range.max)
        told = zset_seek_lex(&it, self.e, &range, reverse, offset, limit)
        pairs = walk(&it)
        assert len(pairs) == told
        return pairs

    def count_lex(self, bytes low, bytes high):
        cdef LexRange range
        cdef uint64_t first

        bound_of(low, &range.min)
        bound_of(high, &range.max)
        count = zset_count_lex(self.e, &range, &first)
        return first, count

    def delete_range(self, uint64_t first, uint64_t count):
        zset_delete_range(&self.account, self.e, first, count)

    def become_copy(self):
        """Put a copy in this one's place."""
        cdef Entry* copy = zset_copy(&self.account, self.e, b"yek", 3)

        assert entry_key(copy)[:3] == b"yek" and entry_encoding(copy) == entry_encoding(self.e)
        self.replace(copy)

    def drain(self, int64_t elements):
        return zset_drain(&self.account, self.e, elements)

    @property
    def drained(self):
        return entry_slot(self.e)[0] is NULL

    def become_built(self, pairs, add=False, bint fresh=False, removed=()):
        """Build another one of (score, member) pairs; `add`: scores of members that are there are added up."""
        cdef ZsetBuild b
        cdef double* score
        cdef bint added

        zset_build_init(&b, &self.account)
        try:
            zset_build_reserve(&b, len(pairs))
            for value, member in pairs:
                if fresh:
                    zset_build_put_new(&b, member, len(member), 0, value)
                    continue
                score = zset_build_put(&b, member, len(member), 0, value, &added)
                if not added:
                    score[0] = score[0] + <double>value if add else <double>value
            for member in removed:
                zset_build_remove(&b, member, len(member), 0)
            if zset_build_count(&b):
                self.replace(zset_build_end(&b, &self.limits, b"key", 3))
                assert zset_build_count(&b) == 0
        finally:
            zset_build_clear(&b)


cdef inline int member_of(char* member, uint64_t number) noexcept:
    """A member of 15 bytes."""
    cdef int i

    memcpy(member, b"member:", 7)
    for i in range(14, 6, -1):
        member[i] = c"0" + number % 10
        number //= 10
    return 15


def bench(uint64_t n, bint sequential=False):
    """ns per operation for n members of 15 bytes, and bytes a member by part."""
    cdef Account account
    cdef Limits limits
    cdef char[32] member
    cdef uint64_t state = 88172645463325252, i
    cdef int size
    cdef double score
    cdef ZsetIter it
    cdef Entry* e
    cdef int64_t began

    account.used = account.peak = 0
    limits.zset_max_listpack_entries, limits.zset_max_listpack_value = 128, 64
    e = zset_new(&account, &limits, b"key", 3, 0, 0)
    figures = {}
    began = <int64_t>clock()
    for i in range(n):
        state ^= state << 13
        state ^= state >> 7
        state ^= state << 17
        size = member_of(member, i * 7919 % n)
        zset_add(&account, &limits, e, i if sequential else state >> 11, member, size, 0, 0, NULL)
    figures["add"] = (<int64_t>clock() - began) * 1000 // n
    figures["bytes"] = <double>account.used / n
    figures["table"] = <double>table_bytes(&zset_of(e).members) / n
    figures["tree"] = <double>bt_bytes(&zset_of(e).order) / n
    for what in ("score", "rank", "incr", "range", "remove"):
        began = <int64_t>clock()
        for i in range(n):
            size = member_of(member, i * 104729 % n)
            if what == "score":
                zset_score(e, member, size, 0, &score)
            elif what == "rank":
                zset_rank(e, member, size, 0, False, NULL)
            elif what == "incr":
                zset_add(&account, &limits, e, 1e9, member, size, 0, ZADD_INCR, NULL)
            elif what == "range":
                zset_seek_rank(&it, e, i * 104729 % n, 10, False)
                while zset_next(&it):
                    pass
            else:
                zset_remove(&account, e, member, size, 0)
        figures[what] = (<int64_t>clock() - began) * 1000 // n
    zset_free_value(&account, e)
    mem_free(&account, e, entry_bytes(e))
    assert account.used == 0
    return figures
