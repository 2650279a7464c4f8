# Reading streams in the RDB format, step by step, as their bytes come.
#
#   n  (node's id, listpack) * n   length, last id, [first id, highest deleted id, entries ever added]
#   groups  (name, last id, [entries read], PEL, consumers  (name, seen, [active], PEL) ...) ...
#
#   [ ]: since Redis 7.0; `active` since 7.2.   PEL of a group: (id, delivered when, how often) ...; of a consumer: ids
#
# Nothing is believed: nodes have to be listpacks of whole entries, ids ascend, every pending entry has one consumer.
# What is written is RDB_STREAM_LISTPACKS_2, which Redis 7.0 reads: when a consumer last got an entry is not part of it.
# It is then taken to be when it last tried, as all do who read that form.
# Source: https://github.com/redis/redis/blob/7.2/src/rdb.c (the format; the order of what is read)

from libc.stdint cimport int64_t, uint64_t

from fastredis.ds.alloc cimport Account
from fastredis.persist.rdb_reader cimport RdbReader
from fastredis.values.entry cimport Entry
from fastredis.values.stream_group cimport Consumer, Group

cdef struct StreamWalk:
    int kind                            # RDB_STREAM_*
    int at                              # which step is next; see rdb_stream.pyx
    uint64_t[3] left                    # nodes or groups; entries of a PEL or consumers of a group; those of a consumer
    Entry* e                            # what there is of it
    Group* group                        # the one under way
    Consumer* consumer
    uint64_t owned                      # pending entries of the group that have a consumer

cdef enum StreamResult:
    STREAM_FAILED = -1                  # an exception
    STREAM_MORE = 0                     # the window ends within
    STREAM_DONE = 1
    STREAM_LATER = 2                    # the time is over

cdef bint is_stream_kind(int kind) noexcept
cdef void stream_walk_start(StreamWalk* walk, int kind) noexcept
# Read on; after STREAM_MORE and STREAM_LATER pos is where the next call goes on. STREAM_DONE: walk.e is the caller's.
cdef StreamResult stream_walk_on(RdbReader* r, StreamWalk* walk, const char* key, size_t key_size,
                                 int64_t until_us) except STREAM_FAILED
cdef void stream_walk_clear(Account* account, StreamWalk* walk) noexcept    # any number of times
