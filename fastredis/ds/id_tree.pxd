# IdTree: a counted B+ tree from 128-bit ids to small values, for all that streams find by an id.
#
#   inner   ids      [ - | 9-0 | 31-4 ]       what child i, i > 0, holds is not below ids[i], and all before it is
#           weights  [ 3 |  2  |  3   ]       of all that is below each child
#           oldest   [ 7 |  1  |  8   ]       the soonest time below it, in trees whose values have times
#           children [ * |  *  |  *   ]
#              |        +--+      +-----------------+
#   leaf    ids    [ 1-0 | 4-0 | 7-2 ] <-> [ 9-0 | 20-1 ] <-> [ 31-4 | 31-5 | 50-0 ]
#           values [  v  |  v  |  v  ]     [  v  |  v   ]     [  v   |  v   |  v   ]
#
# The weights answer what is before an id (the lag of a group, entries behind a trim) in O(log n), the oldest times
# what has been pending for so long, in the order of ids, without a look at what has not.
#
# Three uses: the nodes of a stream (value: the node, weight: its entries that are not deleted), the pending entries of
# a group (value: when and how often delivered, and to whom), the ids that are pending for one consumer (no value).
#
# Holds:
# - A separator need not be an id that is there. So removing the first one of a leaf changes nothing above it.
# - ids[0] of an inner node says nothing while it is a first child; what moves elsewhere gets its parent's separator.
# - All leaves have the same depth. None is empty, nor is an inner node. An empty tree has no nodes; while there is one
#   leaf, it is only as big as it must be.
# - Where ids are appended, as streams do, nothing is split: a new leaf begins behind a full one. So leaves are full.
#
# A place (IdPlace) is good until the next change of the tree's ids.

from libc.stdint cimport int64_t, uint32_t, uint64_t

from fastredis.ds.alloc cimport Account

cdef enum:
    IDT_INNER = 32                  # children of a full inner node
    IDT_DEPTH = 16                  # levels of inner nodes that a tree can have, far more than memory allows
    IDT_NONE = -1                   # values have no weight, or no time

cdef struct Id:
    uint64_t ms
    uint64_t seq

cdef struct IdLeaf:
    IdLeaf* prev
    IdLeaf* next
    uint32_t count                  # ids
    uint32_t room
    # Id ids[room]; values, value_size bytes each

cdef struct IdInner:
    uint32_t count                  # children
    Id ids[IDT_INNER]
    uint64_t weights[IDT_INNER]
    int64_t oldest[IDT_INNER]
    void* children[IDT_INNER]       # IdInner, or IdLeaf on the lowest level

cdef struct IdTree:
    Account* account
    void* root                      # IdInner; IdLeaf while depth is 0; NULL when empty
    IdLeaf* first
    IdLeaf* last
    uint64_t count                  # ids
    uint64_t weight                 # of all
    uint64_t leaves                 # nodes, for idt_bytes()
    uint64_t inners
    uint32_t depth                  # levels of inner nodes
    uint32_t value_size             # a multiple of 8
    uint32_t full                   # ids of a full leaf
    int weight_at                   # where a value has its weight, a uint32_t; IDT_NONE: each id weighs 1
    int time_at                     # where it has its time, an int64_t; IDT_NONE: it has none

cdef struct IdPlace:
    IdLeaf* leaf                    # NULL: behind either end
    uint32_t index

ctypedef void (*IdRelease)(void* context, void* value) noexcept

cdef void idt_init(IdTree* t, Account* account, uint32_t value_size, int weight_at, int time_at) noexcept
# release, unless NULL, gets each value, in order.
cdef void idt_clear(IdTree* t, IdRelease release, void* context) noexcept
# Free up to so many leaves from the first on. The ids left. The tree may only be drained further then, or cleared.
cdef uint64_t idt_drain(IdTree* t, uint64_t leaves, IdRelease release, void* context) noexcept

# Add an id with its value, whose bytes are copied. False: it is there, nothing is changed.
cdef bint idt_add(IdTree* t, Id id, const void* value) noexcept
# Remove an id; False: it is not there. Its value, unless `value` is NULL, is copied there first.
cdef bint idt_remove(IdTree* t, Id id, void* value) noexcept
# Give an id that is there another value.
cdef void idt_set(IdTree* t, Id id, const void* value) noexcept

cdef IdPlace idt_find(const IdTree* t, Id id) noexcept          # leaf NULL: it is not there
cdef IdPlace idt_from(const IdTree* t, Id id) noexcept          # the first one that is not below id
cdef IdPlace idt_up_to(const IdTree* t, Id id) noexcept         # the last one that is not above id
# The first one not below id whose time is not after `time`.
cdef IdPlace idt_from_before(const IdTree* t, Id id, int64_t time) noexcept
# The first one of those with the soonest time; leaf NULL: there is none.
cdef IdPlace idt_soonest(const IdTree* t) noexcept
# The weight of all that is below id.
cdef uint64_t idt_weight_below(const IdTree* t, Id id) noexcept

cdef size_t idt_bytes(const IdTree* t) noexcept                 # nodes, without what values point to
cdef int idt_verify(const IdTree* t) except -1


cdef inline bint id_less(Id a, Id b) noexcept:
    return a.ms < b.ms or (a.ms == b.ms and a.seq < b.seq)


cdef inline bint id_equal(Id a, Id b) noexcept:
    return a.ms == b.ms and a.seq == b.seq


cdef inline Id* leaf_ids(const IdLeaf* leaf) noexcept:
    return <Id*>(leaf + 1)


cdef inline Id idt_id(IdPlace at) noexcept:
    return leaf_ids(at.leaf)[at.index]


cdef inline void* idt_value(const IdTree* t, IdPlace at) noexcept:
    """The value at a place, to read, and to change what is neither its weight nor its time."""
    return <char*>(leaf_ids(at.leaf) + at.leaf.room) + at.index * t.value_size


cdef inline IdPlace idt_first(const IdTree* t) noexcept:
    return IdPlace(t.first, 0)


cdef inline IdPlace idt_last(const IdTree* t) noexcept:
    return IdPlace(t.last, t.last.count - 1 if t.last is not NULL else 0)


cdef inline IdPlace idt_next(IdPlace at) noexcept:
    if at.index + 1 < at.leaf.count:
        return IdPlace(at.leaf, at.index + 1)
    return IdPlace(at.leaf.next, 0)


cdef inline IdPlace idt_prev(IdPlace at) noexcept:
    if at.index:
        return IdPlace(at.leaf, at.index - 1)
    return IdPlace(at.leaf.prev, at.leaf.prev.count - 1 if at.leaf.prev is not NULL else 0)
