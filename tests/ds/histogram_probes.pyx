"""fastredis.ds.histogram as a Python class, for tests only."""
from libc.stdint cimport uint64_t
from libc.string cimport memset

from fastredis.ds.alloc cimport Account
from fastredis.ds.histogram cimport Histogram, histogram_add, histogram_bucket, histogram_free, histogram_percentile


def bucket(uint64_t duration):
    return histogram_bucket(duration)


cdef class Durations:
    cdef Account account
    cdef Histogram histogram

    def __cinit__(self):
        memset(&self.account, 0, sizeof(Account))
        memset(&self.histogram, 0, sizeof(Histogram))

    def __dealloc__(self):
        histogram_free(&self.account, &self.histogram)

    def add(self, uint64_t duration, uint64_t calls=1):
        histogram_add(&self.account, &self.histogram, duration, calls)

    def percentile(self, double percentile):
        return histogram_percentile(&self.histogram, percentile)

    def clear(self):
        histogram_free(&self.account, &self.histogram)

    @property
    def used(self):
        """Bytes."""
        return self.account.used
