# Arrays in the RDB format. It is our own: Redis 8.8 has one, which is not documented.
#
#   next, ring, n   (gap, string) * n        lengths; gap: empty slots between this one and the one before it
#
# A file with an array says RDB_VERSION_OWN, and so does its DUMP: servers that do not know it refuse the file at its
# first bytes, in place of an error somewhere in it.
#
# Nothing is believed: indexes stay below 2^64 - 1, and there is at least one value.

from libc.stdint cimport int64_t, uint64_t

from fastredis.ds.alloc cimport Account
from fastredis.persist.rdb_reader cimport RdbReader
from fastredis.values.entry cimport Entry

cdef struct ArrayWalk:                  # reading one, step by step
    Entry* e                            # what there is of it; NULL before its first bytes
    uint64_t left                       # values to come
    uint64_t index                      # the lowest one that the next value can have

cdef enum ArrayResult:
    ARRAY_FAILED = -1                   # an exception
    ARRAY_MORE = 0                      # the window ends within
    ARRAY_DONE = 1
    ARRAY_LATER = 2                     # the time is over

cdef void array_walk_start(ArrayWalk* walk) noexcept
# Read on; after ARRAY_MORE and ARRAY_LATER pos is where the next call goes on. ARRAY_DONE: walk.e is the caller's.
cdef ArrayResult array_walk_on(RdbReader* r, ArrayWalk* walk, const char* key, size_t key_size,
                               int64_t until_us) except ARRAY_FAILED
cdef void array_walk_clear(Account* account, ArrayWalk* walk) noexcept      # any number of times
