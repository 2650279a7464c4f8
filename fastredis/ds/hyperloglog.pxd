# HyperLogLog: how many different elements were added, within about 0.81 %, in at most 12 KiB.
#
#   an element     hash, 64 bits:  [ 50 bits: the rank is 1 + zeros at the low end, at most 51 ][ 14 bits: register ]
#   a register     the highest rank that any of its elements had; 0: it had none
#
#   the string     "HYLL" | encoding, 1 byte | 3 bytes, zero | cardinality, 8 bytes | registers
#
#   dense (0)      16384 registers of 6 bits, the first one in the low bits of the first byte
#   sparse (1)     runs of equal registers, all 16384 of them in order:
#                    00nnnnnn             n + 1 zeros
#                    01nnnnnn nnnnnnnn    n + 1 zeros
#                    1vvvvvnn             n + 1 times v + 1
#
# The cardinality is little-endian; its highest bit says that registers changed since it was counted. Strings are the
# same as Redis's to the byte, so a sparse one is changed exactly as there: a run is split where a register grows, and
# then equal neighbours are joined, looking no further than five runs from the one before. What has a rank above 32,
# or would be longer than hll-sparse-max-bytes, becomes dense.
#
# Strings come from clients and may hold anything. The header is checked by hll_is_valid(); the functions that read
# runs check all that they touch, and say when the string is corrupt.
# Source: https://redis.io/docs/latest/develop/data-types/probabilistic/hyperloglogs/; the estimate is that of
# O. Ertl, "New cardinality estimation algorithms for HyperLogLog sketches", 2017, algorithm 6.

from libc.stddef cimport size_t
from libc.stdint cimport uint8_t, uint64_t

cdef enum:
    HLL_REGISTERS = 16384
    HLL_HEADER = 16             # bytes in front of the registers
    HLL_EMPTY = 18              # bytes of a sparse string whose registers are all zero
    HLL_DENSE = HLL_HEADER + HLL_REGISTERS * 6 // 8     # bytes of a dense string
    HLL_GROWTH = 3              # bytes that one hll_set() adds at most

cdef enum HllOutcome:
    HLL_SAME                    # the register was as high already
    HLL_CHANGED
    HLL_FULL                    # nothing was changed: the string must become dense first
    HLL_CORRUPT

cdef struct HllCursor:
    size_t place                # of a run, from the start of the string
    int first                   # the run's first register

cdef bint hll_is_valid(const char* text, size_t size) noexcept nogil
cdef bint hll_is_dense(const char* text) noexcept nogil
cdef void hll_clear(char* text) noexcept nogil
cdef int hll_rank(const char* element, size_t size, int* register) noexcept nogil
cdef HllOutcome hll_set(char* text, size_t* size, int register, int rank, size_t sparse_max,
                        HllCursor* cursor) noexcept nogil
cdef bint hll_read(const char* text, size_t size, uint8_t* registers) noexcept nogil
cdef bint hll_merge(const char* text, size_t size, uint8_t* registers) noexcept nogil
cdef void hll_make_dense(char* text, const uint8_t* registers) noexcept nogil
cdef uint64_t hll_estimate(const uint8_t* registers) noexcept nogil
cdef bint hll_cached(const char* text, uint64_t* cardinality) noexcept nogil
cdef void hll_cache(char* text, uint64_t cardinality) noexcept nogil
cdef void hll_uncache(char* text) noexcept nogil
cdef size_t hll_run(const char* text, size_t size, size_t place, int* length, int* rank) noexcept nogil
