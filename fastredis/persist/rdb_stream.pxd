# Reading streams in the RDB format, step by step, as their bytes come.
#
#   n  (node's id, listpack) * n   length, last id, [first id, highest deleted id, entries ever added]
#   groups  (name, last id, [entries read], PEL, consumers  (name, seen, [active], PEL) ..., [released]) ...
#   [for how long, how many, producers  (pid, messages  (iid, id) ...) ..., added, duplicates]
#
#   [ ]: since Redis 7.0; `active` since 7.2, producers since 8.6, `released` since 8.8: ids, in the order in which they
#   were released. PEL of a group: (id, delivered when, how often) ...; of a consumer: ids
#
# Nothing is believed: nodes have to be listpacks of whole entries, ids ascend, every pending entry has one consumer, or
# is released.
# What is written is RDB_STREAM_LISTPACKS_2, which Redis 7.0 reads: when a consumer last got an entry is not part of it.
# It is then taken to be when it last tried, as all do who read that form. A stream that knows of producers is written
# as RDB_STREAM_LISTPACKS_4, one with released entries as _5, which older servers refuse.
# Source: https://github.com/redis/redis/blob/7.2/src/rdb.c (the format; the order of what is read)

from libc.stdint cimport int64_t, uint64_t

from fastredis.ds.alloc cimport Account
from fastredis.persist.rdb_reader cimport RdbReader
from fastredis.values.entry cimport Entry
from fastredis.values.stream_group cimport Consumer, Group
from fastredis.values.stream_idmp cimport Producer

cdef struct StreamWalk:
    int form                            # 1 to 5: RDB_STREAM_LISTPACKS to _5
    int at                              # which step is next; see rdb_stream.pyx
    # Nodes, groups or producers; entries of a PEL, consumers of a group or messages of a producer; entries of a
    # consumer, or released ones.
    uint64_t[3] left
    Entry* e                            # what there is of it
    Group* group                        # the one under way
    Consumer* consumer
    Producer* producer
    uint64_t owned                      # pending entries of the group that have a consumer, or are released

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
