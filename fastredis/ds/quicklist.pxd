# Quicklist: a large list, as a chain of nodes that each hold many elements.
#
#   Quicklist { head, tail, count, nodes, fill, depth }
#        |                                      |
#        v                                      v
#      node <---> node <---> node <---> ... <-> node          48 bytes each
#        |          |          |                  |
#        v          v          v                  v
#   [..LLLLLL] [LLLLLLLL] [LLLLLLLL]         [LLLLLL....]     L: a listpack; dots: room
#
# At the two ends, where nearly all changes are, a listpack lies in a block with room on either
# side, so a push or a pop writes or leaves one element and the header:
#
#      0      start                            start + bytes      room
#      [ room | total, count | element | ... | END |     room    ]
#               ^ a push in front writes header and element before `start`, a pop moves the
#                 header up; nothing is moved, the room grows by doubling up to a full node
#
# All nodes between are tight: a listpack as ds.listpack owns it, with room == 0 and start == 0.
# So is a node that became an end just now, until the first change there: then its whole block
# is its room. A node that stops being an end is made tight.
#
# A node takes elements as long as its listpack stays within `fill` (list-max-listpack-size:
# bytes when negative, else elements). An element too large for that is a plain node: its
# block is the text, nothing else. With a `depth` (list-compress-depth), nodes more than
# that many from both ends are LZF compressed, unless that does not pay. Who reads one
# decompresses it into a buffer of its own (QlIter) and leaves it as it is; only a change
# unpacks it.
#
# Holds: no node is empty; count is the sum of the nodes' counts; nodes between the ends are
# tight or compressed; within `depth` of an end nothing is compressed; a packed node's `bytes` and
# `count` are what its listpack's header says.
# Rejected: tight ends (an LPUSH moves 8 KiB); a ring of elements (LRANGE and the RDB file
# want whole listpacks); decompressing in place to read (it has to be compressed again).
# Source: https://matt.sh/redis-quicklist; behaviour at the limits as Redis 7.4's.

from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t

from fastredis.ds.alloc cimport Account
from fastredis.ds.listpack cimport LpItem, lp_get

cdef enum:
    QL_HEAD = 0
    QL_TAIL = 1
    NEEDLE_SHORT = 64

cdef struct QlNode:
    QlNode* prev
    QlNode* next
    uint8_t* block
    size_t bytes            # of the listpack, or of the plain text; when compressed, of what it was before
    uint32_t start          # where in the block the listpack is
    uint32_t room           # bytes of the block; 0: tight or plain; when compressed, the compressed bytes
    uint32_t count          # elements
    uint8_t plain           # True: one large element
    uint8_t compressed

cdef struct Quicklist:
    QlNode* head
    QlNode* tail
    uint64_t count          # elements
    uint64_t nodes
    int32_t fill            # what list-max-listpack-size was when the list was made
    int32_t depth           # and list-compress-depth
    uint32_t node_bytes     # by `fill`: what the listpack of a node may have
    uint32_t node_count     # ... elements; UINT32_MAX: as many as fit

# A place in a list, or in a listpack alone; good until the next change. ql_iter_end() it after use.
cdef struct QlIter:
    Account* account        # of the scratch buffer
    const QlNode* node      # NULL: a listpack alone
    const uint8_t* lp       # the listpack that the element is in
    const uint8_t* p        # the element; NULL: a plain node
    const char* text        # of the plain node
    uint64_t left           # elements of this node from here on, in the direction of travel
    bint backward
    uint8_t* scratch        # a compressed node's contents
    size_t scratch_room

# A text to look for, encoded once. needle_free() it after use.
cdef struct Needle:
    Account* account
    const char* text
    size_t size
    uint8_t* element        # as a listpack has it; NULL: too large for one
    size_t element_size
    uint8_t short_element[NEEDLE_SHORT]

# --- limits
cdef void ql_limits(int64_t fill, uint64_t* bytes, uint64_t* count) noexcept
cdef bint ql_exceeds(int64_t fill, uint64_t bytes, uint64_t count) noexcept

# --- life
cdef Quicklist* ql_new(Account* account, int64_t fill, int64_t depth) noexcept
cdef void ql_free(Account* account, Quicklist* ql) noexcept
cdef int64_t ql_drain(Account* account, Quicklist* ql, int64_t elements) noexcept
cdef Quicklist* ql_copy(Account* account, const Quicklist* ql) noexcept
cdef bint ql_copy_some(Account* account, Quicklist* copy, const QlNode** node, int64_t nodes) noexcept
cdef size_t ql_bytes(const Quicklist* ql, int64_t samples) noexcept
cdef int ql_adopt(Account* account, Quicklist* ql, uint8_t* lp) noexcept
cdef uint8_t* ql_release(Account* account, Quicklist* ql) noexcept
cdef int ql_verify(const Quicklist* ql) except -1

# --- the ends; `large`: bytes from which on an element is a plain node, 0: what does not fit into a node
cdef int ql_push(Account* account, Quicklist* ql, int where, const char* text, size_t size, int64_t large) noexcept
cdef int ql_drop(Account* account, Quicklist* ql, int where, uint64_t n) noexcept
cdef void ql_at_end(const Quicklist* ql, int where, LpItem* item) noexcept

# --- anywhere; O(n)
cdef int ql_insert(Account* account, Quicklist* ql, const QlIter* pivot, bint after, const char* text, size_t size,
                   int64_t large) noexcept
cdef bint ql_replace(Account* account, Quicklist* ql, int64_t index, const char* text, size_t size,
                     int64_t large) noexcept
cdef int64_t ql_remove(Account* account, Quicklist* ql, const Needle* needle, int64_t most, int where) noexcept
cdef uint8_t* lp_remove(Account* account, uint8_t* lp, const Needle* needle, int64_t most, int where,
                        int64_t* removed) noexcept

# --- reading
cdef bint ql_iter(Account* account, const Quicklist* ql, int64_t index, bint backward, QlIter* it) noexcept
cdef bint ql_iter_listpack(const uint8_t* lp, int64_t index, bint backward, QlIter* it) noexcept
cdef void ql_iter_end(QlIter* it) noexcept
cdef bint ql_next(QlIter* it) noexcept
cdef bint ql_next_node(QlIter* it) noexcept
cdef bint ql_find(QlIter* it, const Needle* needle, int64_t most, int64_t* passed) noexcept
cdef int needle_set(Account* account, Needle* needle, const char* text, size_t size) noexcept
cdef void needle_free(Needle* needle) noexcept


cdef inline void ql_item(const QlIter* it, LpItem* item) noexcept:
    """The element at the iterator's place. Its text is good until the iterator moves."""
    if it.p is not NULL:
        lp_get(it.p, item)
    else:
        item.text = it.text
        item.size = it.node.bytes
