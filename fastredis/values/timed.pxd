# Parts of values that have deadlines: fields of hashes, members of sets.
#
#   database's heap  -->  Timed { entry } <--  value { Table of blocks, ExpireHeap of blocks, Timed }
#   of values, by the soonest deadline          a block that has a deadline knows its place in the value's heap
#
# A value's Timed is its own place in its database's heap of values whose parts have deadlines. It is made
# with the first deadline, keeps its address as long as the value lives, and is freed with it. What is
# in values/ does not know databases: whoever changes a value that has a Timed tells its database
# (Database.track_parts).
#
# Parts whose time has come are parts as all others for values/; who reads compares when_ms.

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

from fastredis.ds.alloc cimport Account
from fastredis.ds.expire_heap cimport ExpireHeap
from fastredis.ds.table cimport Table
from fastredis.values.entry cimport Entry

cdef enum:
    NO_DEADLINE = 0
    DEADLINE_BITS = 46          # of the latest deadline, ms

cdef struct Timed:
    uint32_t heap_index         # in the database's heap; NOT_IN_HEAP: no part has a deadline
    Entry* entry                # whose value this is; the database sees to it
    uint8_t* lp                 # of a hash that is ENC_LISTPACK_EX: the listpack

# Told of a part that goes.
ctypedef int (*DueVisit)(void* context, const char* name, size_t size) except -1
# Frees a block of a value's table.
ctypedef void (*FreeBlock)(Account* account, uint8_t* block) noexcept

cdef int timed_init(Timed* ttl, Entry* e) noexcept
# Remove up to `limit` blocks whose deadlines are before now_ms from a table and from the heap of those with deadlines,
# the soonest first; how many went. visit may be NULL.
cdef uint64_t timed_remove_due(Table* t, ExpireHeap* expires, FreeBlock release, int64_t now_ms, uint64_t limit,
                               DueVisit visit, void* context) except? 0xFFFFFFFFFFFFFFFF
