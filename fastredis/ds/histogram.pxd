# Histogram: how many calls took how long, for percentiles that are at most a sixteenth too large.
#
#   duration    0 1 .. 15   16 17 .. 31   32,33 34,35 .. 62,63   64-67 .. 124-127   ...     in any unit
#   bucket      0 1 .. 15   16 17 .. 31   32    33    .. 47      48    .. 63        ...     976 of them
#
# Sixteen buckets for each power of two. Only the powers from the shortest duration so far to the longest have memory,
# 128 bytes each: nearly all calls of a command fall into a few.

from libc.stdint cimport uint16_t, uint32_t, uint64_t

from fastredis.ds.alloc cimport Account
from fastredis.ds.native cimport clz64, unlikely

cdef struct Histogram:                  # all zero: empty
    uint64_t* counts                    # of bucket first and those that follow it
    uint16_t first
    uint16_t room                       # buckets there are counts for

cdef int histogram_cover(Account* account, Histogram* h, int bucket) noexcept
cdef void histogram_free(Account* account, Histogram* h) noexcept
cdef double bucket_end(int bucket) noexcept
cdef double histogram_percentile(const Histogram* h, double percentile) noexcept


cdef inline int histogram_bucket(uint64_t duration) noexcept:
    cdef int power

    if duration < 16:
        return <int>duration
    power = 63 - clz64(duration)
    return (power - 3) * 16 + <int>(duration >> (power - 4) & 15)


cdef inline int histogram_add(Account* account, Histogram* h, uint64_t duration, uint64_t calls) noexcept:
    """Count calls that took as long as that."""
    cdef int bucket = histogram_bucket(duration)

    if unlikely(<uint32_t>(bucket - h.first) >= h.room):
        histogram_cover(account, h, bucket)
    h.counts[bucket - h.first] += calls
    return 0
