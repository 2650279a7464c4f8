# Counted B+ tree: pairs (score, member), the order of a big sorted set.
#
#   inner    children [ * | * | * ]    counts [ 31 | 40 | 28 ]    scores, members [ - | 1.5 b | 7.0 x ]
#                       |   |   +-----------------------------+        (first pair below each child but the first)
#                       |   +--------------+                  |
#   leaf     scores  [ 0.5 | 1.0 | 1.5 ] <-> [ 1.5 | 2.0 ] <-> [ 7.0 | 8.0 | 8.5 ]
#            members [  *  |  *  |  *  ]     [  *  |  *  ]     [  *  |  *  |  *  ]
#
# Order: by score, then by the members' bytes (memcmp, the shorter first). The tree owns its nodes
# only; a member is whatever key_of() can read, and is read on equal scores only. So most searches
# touch nothing but scores: the inner nodes, which stay in the cache, and two or three lines of a leaf.
#
# Holds:
# - scores[i], members[i] of an inner node, i > 0, are the first pair of its child i: a pair that
#   begins a leaf is put in place of the old one there when it is removed or changed, so no
#   separator ever points to a member that is gone.
# - counts[i] is the number of pairs below child i; all leaves have the same depth.
# - A node has at least BT_LEAF_MIN pairs, or BT_INNER_MIN children, apart from the first and the last
#   one of each level, which have one or more.
# - An empty tree has no nodes. While there is one leaf, it is only as big as it must be.
#
# Full nodes: one that is full first gives pairs to a neighbour below the same node, and is split only if both
# are rather full, too. At the ends of the tree nothing is split: a new leaf begins there. So leaves are 82 % full
# after adding in random order and quite full after adding upwards or downwards.
#
# Memory: 21 bytes a pair in random order, 17 in sequence. Leaves are 1016 bytes, a malloc block of 1024.
# Time, 1M random scores, ns of CPU on a machine with other work (add, rank, remove): leaves of 256 bytes 1007, 1056,
# 1247; 512 bytes 620, 647, 583; 1016 bytes 432, 597, 536; 2040 bytes 666, 883, 685. Inner nodes of 30 children
# instead of 62: 482, 707, 596. Asking for all lines of a leaf's scores before the search: 339, 379, 419.
#
# Rejected: a skip list (20 misses an insert, 40 bytes more a member); parent pointers (every split of an
# inner node writes to all its children; the way down is at hand anyhow); pairs side by side (a search
# goes through twice the lines).

from libc.stdint cimport int64_t, uint32_t, uint64_t

from fastredis.ds.alloc cimport Account
from fastredis.ds.table cimport KeyOf

cdef enum:
    BT_LEAF = 62                    # pairs of a full leaf
    BT_INNER = 62                   # children of a full inner node
    BT_LEAF_MIN = 20
    BT_INNER_MIN = 20
    BT_DEPTH = 16                   # levels of inner nodes that a tree can have, far more than memory allows

cdef struct BtLeaf:
    BtLeaf* prev
    BtLeaf* next
    uint32_t count                  # pairs
    uint32_t room                   # pairs there is room for: BT_LEAF, less in a leaf that is alone
    # double scores[room]; void* members[room]

cdef struct BtInner:
    uint32_t count                  # children
    double scores[BT_INNER]         # [0] is not used
    void* members[BT_INNER]
    uint64_t counts[BT_INNER]       # pairs below each child
    void* children[BT_INNER]        # BtInner, or BtLeaf on the lowest level

cdef struct BTree:
    Account* account
    KeyOf key_of                    # reads a member's bytes
    void* root                      # BtInner; BtLeaf while depth is 0; NULL when empty
    BtLeaf* first
    BtLeaf* last
    uint64_t count                  # pairs
    uint64_t leaves                 # nodes, for bt_bytes()
    uint64_t inners
    uint32_t depth                  # levels of inner nodes

cdef struct BtPair:
    double score
    void* member

# A place in the tree, until the next change. leaf is NULL behind either end.
cdef struct BtCursor:
    BtLeaf* leaf
    uint32_t index

# What is done with a member that was removed.
ctypedef void (*BtRelease)(void* context, void* member) noexcept

cdef void bt_init(BTree* t, Account* account, KeyOf key_of) noexcept
cdef void bt_clear(BTree* t) noexcept
# Free up to so many leaves, in order. The pairs left. The tree may only be drained further then, or cleared.
cdef uint64_t bt_drain(BTree* t, uint64_t leaves) noexcept

# Add a pair that is not there.
cdef int bt_insert(BTree* t, double score, void* member) noexcept
# Remove a pair that is there, named by its score and the very pointer. False: it is not there.
cdef bint bt_remove(BTree* t, double score, void* member) noexcept
# Give a pair that is there another score; in place where its neighbours allow it.
cdef int bt_update(BTree* t, double score, void* member, double new_score) noexcept
# Remove `count` pairs from rank `first` on, which must be there; release, unless NULL, gets each member, in order.
cdef void bt_delete_range(BTree* t, uint64_t first, uint64_t count, BtRelease release, void* context) noexcept
# Fill an empty tree from pairs in order, with full leaves.
cdef int bt_build(BTree* t, const BtPair* pairs, uint64_t count) noexcept
# Put pairs into order.
cdef int bt_sort(BTree* t, BtPair* pairs, uint64_t count) noexcept

# Rank of a pair that is there; -1 when it is not.
cdef int64_t bt_rank(const BTree* t, double score, const void* member) noexcept
# Pairs with a score below this one (or, `after`, up to it); with a member below these bytes (or up to them).
cdef uint64_t bt_count_score(const BTree* t, double score, bint after) noexcept
cdef uint64_t bt_count_lex(const BTree* t, const char* text, size_t size, bint after) noexcept
# The pair of this rank; a cursor behind the end when there is none.
cdef BtCursor bt_seek(const BTree* t, uint64_t rank) noexcept
# The first pair with this score or a higher one, without its rank; a cursor behind the end when there is none.
cdef BtCursor bt_from_score(const BTree* t, double score) noexcept
# Ask for the leaf where this score is or would be: a hint, for batches.
cdef void bt_prefetch(const BTree* t, double score) noexcept

cdef size_t bt_bytes(const BTree* t) noexcept
cdef int bt_verify(const BTree* t) except -1


cdef inline double* leaf_scores(const BtLeaf* leaf) noexcept:
    return <double*>(leaf + 1)


cdef inline void** leaf_members(const BtLeaf* leaf) noexcept:
    return <void**>(<double*>(leaf + 1) + leaf.room)


cdef inline double bt_score(const BtCursor* at) noexcept:
    return leaf_scores(at.leaf)[at.index]


cdef inline void* bt_member(const BtCursor* at) noexcept:
    return leaf_members(at.leaf)[at.index]


cdef inline void bt_next(BtCursor* at) noexcept:
    at.index += 1
    if at.index == at.leaf.count:
        at.leaf = at.leaf.next
        at.index = 0


cdef inline void bt_prev(BtCursor* at) noexcept:
    if at.index == 0:
        at.leaf = at.leaf.prev
        at.index = at.leaf.count if at.leaf is not NULL else 0
    at.index -= 1
