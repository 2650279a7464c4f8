"""Histograms of durations. The design comment is in histogram.pxd."""
from libc.string cimport memcpy

from fastredis.ds.alloc cimport mem_calloc, mem_free

cdef enum:
    STEPS = 16                  # buckets of a power of two


cdef int histogram_cover(Account* account, Histogram* h, int bucket) noexcept:
    """Have memory for a bucket, the others of its power, and all between these and those that there were."""
    cdef int first = bucket - bucket % STEPS
    cdef int last = first + STEPS
    cdef uint64_t* counts

    if h.room:
        first = min(first, h.first)
        last = max(last, h.first + h.room)
    counts = <uint64_t*>mem_calloc(account, (last - first) * sizeof(uint64_t))
    if h.room:
        memcpy(counts + (h.first - first), h.counts, h.room * sizeof(uint64_t))
    histogram_free(account, h)
    h.counts = counts
    h.first = <uint16_t>first
    h.room = <uint16_t>(last - first)
    return 0


cdef void histogram_free(Account* account, Histogram* h) noexcept:
    """Forget all calls."""
    mem_free(account, h.counts, h.room * sizeof(uint64_t))
    h.counts = NULL
    h.first = h.room = 0


cdef double histogram_percentile(const Histogram* h, double percentile) noexcept:
    """A duration within which that percentage of the calls were done, the end of its bucket; 0 without calls."""
    cdef uint64_t total = 0
    cdef uint64_t seen = 0
    cdef uint64_t wanted
    cdef int i

    for i in range(h.room):
        total += h.counts[i]
    wanted = max(1, <uint64_t>(percentile / 100 * total + 0.5))
    for i in range(h.room):
        seen += h.counts[i]
        if seen >= wanted:
            return bucket_end(h.first + i)
    return 0


cdef double bucket_end(int bucket) noexcept:
    """The longest duration that is counted in a bucket."""
    if bucket < STEPS:
        return bucket
    return (<double>(STEPS + bucket % STEPS + 1)) * (<uint64_t>1 << (bucket // STEPS - 1)) - 1
