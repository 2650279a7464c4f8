# Streams: entries of fields and values in the order of their ids; groups of consumers beside them.
#
#   ENC_STREAM   slot -> Stream { IdTree of nodes, last id ..., groups, producers }
#
#   nodes   100-0 -> StreamNode { listpack, entries }    170-3 -> ...
#
#   listpack   count  deleted  num-fields  field ...  0  |  flags  ms  seq  value ...  lp-count  |  ...
#              the master entry                             an entry; without SAME_FIELDS:
#                                                           flags  ms  seq  num-fields  field  value ...  lp-count
#
# A node is a listpack as RDB files have it. Its id in the tree is that of its first entry, from which the ids of all
# are counted (ms and seq are differences). An entry with the fields of the master entry has its values only. lp-count
# is the number of elements before it in the entry: the way back. A deleted entry is marked, and goes with its node,
# once all of that are deleted. So an entry is found, and what is behind it counted, in O(log nodes) and a walk of one
# node.
#
# A node is full with stream-node-max-entries, deleted ones too, or when an entry would take it to
# stream-node-max-bytes.
#
# Groups, their consumers and what is pending: stream_group.pxd. Producers who repeat themselves: stream_idmp.pxd.
# Source: https://github.com/redis/redis/blob/7.4/src/stream.h

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

from fastredis.ds.alloc cimport Account
from fastredis.ds.id_tree cimport Id, IdPlace, IdTree
from fastredis.ds.listpack cimport LpItem
from fastredis.values.entry cimport Entry, entry_slot
from fastredis.values.limits cimport Limits
from fastredis.values.stream_group cimport Group, Groups
from fastredis.values.stream_idmp cimport Idmp

cdef struct StreamNode:
    uint8_t* lp
    uint32_t live               # entries that are not deleted
    uint32_t entries            # all

cdef struct Stream:
    IdTree nodes                # of StreamNode, weighed by their live entries
    Id last_id                  # the highest one that was ever added, or set
    Id max_deleted_id           # the highest one that was ever deleted
    uint64_t entries_added      # in the stream's life
    Groups groups               # stream_group.pxd
    Idmp* idmp                  # stream_idmp.pxd; NULL: not used yet

cdef struct StreamPair:         # a field and its value, as given to stream_append()
    const char* field
    size_t field_size
    const char* value
    size_t value_size

cdef enum:
    TRIM_MAXLEN = 1             # keep so many entries
    TRIM_MINID = 2              # keep those not below an id

cdef struct StreamTrim:
    int kind                    # TRIM_*; 0: none
    bint approximate            # only whole nodes go
    uint64_t length             # TRIM_MAXLEN
    Id min_id                   # TRIM_MINID
    int64_t limit               # most entries that go; 0: no limit

# A walk through entries from `start` to `end`, both inclusive:
#
#     stream_iter(&it, s, start, end, reverse)
#     while stream_next(&it):
#         it.id, it.fields
#         for i in range(it.fields):
#             stream_field(&it, &field, &value)
#
# Texts are good until the stream changes. stream_iter_delete() may be called for the entry the walk is at.
cdef struct StreamIter:
    Id id                       # of the entry
    uint64_t fields             # pairs it has
    Stream* s
    Id start
    Id end
    bint reverse
    IdPlace node                # leaf NULL: the walk has ended
    uint8_t* lp
    uint8_t* at                 # upwards: where the next entry begins, or the end; downwards: lp-count of the next one
    uint8_t* entry              # flags of the entry
    uint8_t* field              # next field
    uint8_t* value              # next value; NULL: it comes behind its field
    uint8_t* master_fields      # the first field of the master entry
    uint64_t master_count

# --- life
cdef Entry* stream_new(Account* account, const char* key, size_t key_size) noexcept
cdef void stream_free_value(Account* account, Entry* e) noexcept
cdef int64_t stream_drain(Account* account, Entry* e, int64_t elements) noexcept
cdef Entry* stream_copy(Account* account, const Entry* e, const char* key, size_t key_size) noexcept
cdef size_t stream_value_bytes(const Entry* e, int64_t samples) noexcept
cdef uint64_t stream_count(const Entry* e) noexcept
cdef int64_t stream_effort(const Entry* e) noexcept
cdef int stream_verify(Entry* e) except -1

# --- entries
# Add one behind all others: its id is above last_id, which it becomes. There is at least one pair.
cdef void stream_append(Account* account, const Limits* limits, Stream* s, Id id, const StreamPair* pairs,
                        uint64_t count) noexcept
cdef bint stream_has(Stream* s, Id id) noexcept
cdef bint stream_delete(Account* account, Stream* s, Id id) noexcept        # False: it is not there
# Remove entries from the lowest id on; how many went.
cdef uint64_t stream_trim(Account* account, Stream* s, const StreamTrim* trim) noexcept
cdef Id stream_first_id(Stream* s) noexcept             # 0-0: there is no entry
cdef Id stream_last_entry(Stream* s) noexcept           # id of the last one that is there, else 0-0
cdef uint64_t stream_behind(Stream* s, Id id) noexcept  # how many have a higher id

# How many entries a group has read whose last id is this; READ_UNKNOWN: it cannot be told.
cdef int64_t stream_read_at(Stream* s, Id id) noexcept
# Whether entries may have been deleted from between others above this id.
cdef bint stream_has_gap(Stream* s, Id id) noexcept
# How many entries are still to come for a group; False: it cannot be told.
cdef bint stream_lag(Stream* s, const Group* group, int64_t* lag) noexcept

cdef void stream_iter(StreamIter* it, Stream* s, Id start, Id end, bint reverse) noexcept
cdef bint stream_next(StreamIter* it) noexcept
cdef void stream_field(StreamIter* it, LpItem* field, LpItem* value) noexcept
cdef void stream_iter_delete(Account* account, StreamIter* it) noexcept

# Whether something that is pending is nobody's.
cdef bint stream_has_released(const Stream* s) noexcept

# --- nodes, for persist
# Take over a node's listpack, which stream_valid_node() accepts; it goes behind all others. One without entries that
# are there is freed.
cdef void stream_put_node(Account* account, Stream* s, Id id, uint8_t* lp) noexcept
# Whether a listpack that is valid by itself is a node: every entry is whole, ids ascend from `id`, counts are right.
cdef bint stream_valid_node(const uint8_t* lp, Id id) noexcept


cdef inline Stream* stream_of(const Entry* e) noexcept:
    return <Stream*>entry_slot(<Entry*>e)[0]


cdef inline uint64_t stream_length(const Stream* s) noexcept:
    """Entries that are there."""
    return s.nodes.weight
