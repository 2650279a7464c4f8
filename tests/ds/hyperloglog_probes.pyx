"""The functions of fastredis.ds.hyperloglog, callable from Python. Built for the tests only."""
from libc.stdint cimport uint8_t, uint64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy

from fastredis.ds.hyperloglog cimport (
    HLL_CHANGED, HLL_CORRUPT, HLL_DENSE, HLL_EMPTY, HLL_FULL, HLL_GROWTH, HLL_REGISTERS, HLL_SAME, HllCursor,
    hll_cache, hll_cached, hll_clear, hll_estimate, hll_is_dense, hll_is_valid, hll_make_dense, hll_merge, hll_rank,
    hll_read, hll_run, hll_set, hll_uncache,
)

REGISTERS = HLL_REGISTERS
DENSE = HLL_DENSE
OUTCOMES = {HLL_SAME: "same", HLL_CHANGED: "changed", HLL_FULL: "full", HLL_CORRUPT: "corrupt"}


def rank(bytes element):
    """-> (rank, register)"""
    cdef int register
    cdef int rank = hll_rank(element, len(element), &register)

    return rank, register


def is_valid(bytes text):
    return hll_is_valid(text, len(text))


def estimate(bytes registers):
    """Of HLL_REGISTERS bytes."""
    return hll_estimate(<const uint8_t*><const char*>registers)


cdef class HyperLogLog:
    """A string in a block of exactly its size and what hll_set() may add, so that a sanitizer sees a step beyond."""

    cdef char* text
    cdef size_t size

    def __cinit__(self, bytes text=None):
        cdef char[HLL_EMPTY] empty

        if text is None:
            hll_clear(empty)
            text = empty[:HLL_EMPTY]
        self.assign(text)

    cdef int assign(self, bytes text) except -1:
        free(self.text)
        self.size = len(text)
        self.text = <char*>malloc(self.size + HLL_GROWTH)
        memcpy(self.text, <const char*>text, self.size)
        return 0

    def __dealloc__(self):
        free(self.text)

    def __bytes__(self):
        return self.text[:self.size]

    def set(self, int register, int rank, size_t sparse_max=3000):
        """-> "same", "changed", "full" or "corrupt\""""
        self.assign(bytes(self))
        return OUTCOMES[hll_set(self.text, &self.size, register, rank, sparse_max, NULL)]

    def set_rising(self, list ranks, size_t sparse_max=3000):
        """hll_set() with a cursor of [(register, rank), ...] in rising order -> the last outcome."""
        cdef HllCursor cursor = HllCursor(0, 0)

        outcome = HLL_SAME
        for register, rank in ranks:
            self.assign(bytes(self))
            outcome = hll_set(self.text, &self.size, register, rank, sparse_max, &cursor)
            if outcome in (HLL_FULL, HLL_CORRUPT):
                break
        return OUTCOMES[outcome]

    def registers(self):
        """-> HLL_REGISTERS bytes; None of a corrupt string"""
        cdef uint8_t[HLL_REGISTERS] out

        return (<char*>out)[:HLL_REGISTERS] if hll_read(self.text, self.size, out) else None

    def merged_into(self, bytes registers):
        """-> HLL_REGISTERS bytes; None of a corrupt string"""
        cdef uint8_t[HLL_REGISTERS] out

        memcpy(out, <const char*>registers, HLL_REGISTERS)
        return (<char*>out)[:HLL_REGISTERS] if hll_merge(self.text, self.size, out) else None

    def make_dense(self, bytes registers):
        cdef char[HLL_DENSE] dense

        memcpy(dense, self.text, 16)
        hll_make_dense(dense, <const uint8_t*><const char*>registers)
        self.assign(dense[:HLL_DENSE])

    @property
    def is_dense(self):
        return hll_is_dense(self.text)

    def runs(self):
        """-> [(length, rank), ...] up to the end, or to where the string is corrupt"""
        cdef size_t place = 16
        cdef size_t taken
        cdef int length, rank
        cdef list out = []

        while True:
            taken = hll_run(self.text, self.size, place, &length, &rank)
            if taken == 0:
                return out
            out.append((length, rank))
            place += taken

    @property
    def cached(self):
        """-> the cardinality; None when it is not known"""
        cdef uint64_t cardinality

        return cardinality if hll_cached(self.text, &cardinality) else None

    def cache(self, uint64_t cardinality):
        hll_cache(self.text, cardinality)

    def uncache(self):
        hll_uncache(self.text)
