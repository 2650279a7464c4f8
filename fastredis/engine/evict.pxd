# Eviction: keys go when used_memory is above maxmemory, as maxmemory-policy says.
#
#   keys of a database --sample--> pool [ idle 3 | idle 17 | ... | idle 94 ]   at most POOL candidates,
#                                                              worst ^         the best victim last
#
# LRU, LRM (engine/stamps) and LFU look at a few keys (maxmemory-samples), keep the best candidates seen so far in
# the pool, over many calls, and evict the best of these: close to true LRU at the price of
# some cache misses. A sample is whole buckets of the table, or neighbours in the expire
# heap, so it costs a miss or two more than its entries do. A candidate that was used since
# it came into the pool has lost its place there.
# volatile-ttl needs no sample: the expire heap's top is what it wants.
#
# A candidate is a pointer that may be stale. It is trusted only after the table, asked with
# the remembered hash, says that it holds this very pointer; and it has to be what the policy
# wants still: as good a victim as it was, and with volatile-*, a key with a TTL.
#
# Blessed keys (engine/blessed) are passed over by all policies.
#
# Work is cut in slices (maxmemory-eviction-tenacity): when one is over and memory is still
# short, commands go on meanwhile and a timer evicts the rest, as in Redis.
# Rejected: an LRU list (16 bytes a key and two more cache misses a read).
# Source: https://redis.io/docs/latest/develop/reference/eviction/

from libc.stdint cimport int64_t, uint32_t, uint64_t

from fastredis.engine.core cimport Core
from fastredis.engine.engine cimport Engine
from fastredis.engine.keyspace cimport Database
from fastredis.engine.slices cimport Job
from fastredis.values.entry cimport Entry

cdef enum:
    POOL = 16

cdef enum Order:                        # which key goes first
    ORDER_NONE                          # noeviction
    ORDER_RANDOM
    ORDER_LRU
    ORDER_LFU
    ORDER_TTL

cdef enum Room:                         # what make_room() came to
    ROOM_OK                             # used_memory is below maxmemory
    ROOM_RUNNING                        # it is not yet; the timer goes on
    ROOM_NONE                           # nothing may be evicted

cdef struct Candidate:
    uint64_t idle                       # the higher, the better a victim
    Entry* e                            # maybe stale
    uint64_t hash                       # of its key
    int db


cdef class Evictor(Job):
    cdef Engine engine
    cdef Core* core
    cdef Order order
    cdef bint volatile_only             # only keys with a TTL
    cdef bint spares_replica            # replica-ignore-maxmemory: a replica's master says what goes
    cdef bint lazy                      # lazyfree-lazy-eviction
    cdef bint timed                     # the latency monitor is on
    cdef int samples
    cdef int64_t slice_us               # longest work at a time
    cdef int next_db                    # whose turn it is in random policies
    cdef int count                      # candidates in the pool
    cdef Candidate[POOL] pool           # by idle, ascending
    cdef readonly int64_t exceeded_us   # time spent above maxmemory, before this time
    cdef readonly int64_t above_since_us    # when memory went above maxmemory; 0: it is not
    cdef int64_t excess(self) except? -1
    cdef Room make_room(self) except? ROOM_NONE
    cdef Room make_room_until(self, int64_t until_us) except? ROOM_NONE
    cdef int go_on(self) except -1
    cdef Entry* victim(self, int* db) except? NULL
    cdef uint64_t evictable(self, Database db) noexcept
    cdef int fill(self, Database db) except -1
    cdef int offer(self, Database db, Entry* e) except -1
    cdef Entry* best(self, int* db) except? NULL
    cdef Entry* next_random(self, int* db) except? NULL
    cdef bint may_go(self, Database db, Entry* e) noexcept
    cdef Entry* any_of(self, Database db) noexcept
    cdef Entry* soonest_of(self, Database db, int64_t* when_ms) noexcept
    cdef Entry* soonest(self, int* db) except? NULL
    cdef int evict(self, Database db, Entry* e) except -1
    cdef int note(self, str event, int64_t start_us) except -1
    cdef uint64_t idle(self, Entry* e) noexcept
