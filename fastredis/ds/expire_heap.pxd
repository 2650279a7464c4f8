# Expire heap: items with a deadline, the soonest first. For keys with a TTL, fields of hashes and
# members of sets. Four children a node, and the four share a cache line.
#
#   position    0   1   2 |  3  |  4   5   6   7 |  8   9  10  11 | 12 ...   children of p: 4p-8 .. 4p-5
#   when_ms     (unused)  | 170 | 200 230 910 415| 201 205 ...               parent of p: p/4 + 2
#   item                     |
#                            +--> { ..., uint32_t heap index = 3, ... }      somebody else owns it
#
# The top is at ROOT = 3, so that groups of children begin at multiples of four.
#
# Holds: when_ms of a parent <= its children's; the item at p has p as its heap index; an item
# that is not in the heap has NOT_IN_HEAP (its owner sets that when it makes the item).
# An item knows its place: PERSIST and a second EXPIRE take O(log n) and leave nothing dead
# behind. Deadlines that are equal come in any order. loop.call_later is armed for the top only.
#
# Memory: 16 bytes an item. Slots are in chunks of 4096 (64 KiB of pages), so a heap that grows
# moves none of them; chunks go back when the heap shrinks, but for one spare. Only the first
# chunk begins small, with 8 slots, and doubles: a hash with one field that expires
# does not pay for 4096. An empty heap owns nothing.
#
# Rejected: two children a node (twice the levels, a miss each); one array (a copy of 160 MB when
# 10M items become more); a timer wheel (cheaper sets, but the next deadline is not at hand, and a
# cascade is no bounded step); sampling random keys on a timer: finds some late, works when none is due.

from libc.stdint cimport int64_t, uint32_t, uint64_t

from fastredis.ds.alloc cimport Account

cdef enum:
    CHUNK_BITS = 12                     # slots per chunk: 4096 of 16 bytes
    CHUNK_MASK = (1 << CHUNK_BITS) - 1
    ROOT = 3                            # position of the top

cdef enum:
    NOT_IN_HEAP = 0xFFFFFFFF            # an item's heap index when it has no deadline

cdef struct HeapSlot:
    int64_t when_ms                     # deadline, ms since the epoch
    void* item

cdef struct ExpireHeap:
    Account* account
    HeapSlot** chunks                   # a directory of chunks: growing moves no slot
    uint32_t chunk_count
    uint32_t directory_size             # room in the directory
    uint32_t first_room                 # slots in the first chunk: 8 .. 4096
    uint32_t count                      # items
    size_t index_offset                 # where, inside an item, its uint32_t heap index is

cdef void heap_init(ExpireHeap* h, Account* account, size_t index_offset) noexcept
cdef void heap_clear(ExpireHeap* h) noexcept
cdef bint heap_drain(ExpireHeap* h, uint32_t chunks) noexcept
cdef int heap_set(ExpireHeap* h, void* item, int64_t when_ms) noexcept
cdef void heap_remove(ExpireHeap* h, void* item) noexcept
cdef void heap_replace(ExpireHeap* h, void* old_item, void* new_item) noexcept
cdef uint64_t heap_count_before(ExpireHeap* h, int64_t when_ms) noexcept
cdef size_t heap_bytes(ExpireHeap* h) noexcept
cdef int heap_verify(ExpireHeap* h) except -1


cdef inline HeapSlot* heap_slot(ExpireHeap* h, uint32_t position) noexcept:
    return &h.chunks[position >> CHUNK_BITS][position & CHUNK_MASK]


cdef inline uint32_t* heap_index(ExpireHeap* h, void* item) noexcept:
    return <uint32_t*>(<char*>item + h.index_offset)


cdef inline int64_t heap_when(ExpireHeap* h, void* item) noexcept:
    """Deadline of an item that is in the heap."""
    return heap_slot(h, heap_index(h, item)[0]).when_ms


cdef inline HeapSlot* heap_top(ExpireHeap* h) noexcept:
    """The slot with the soonest deadline; NULL when empty."""
    return heap_slot(h, ROOT) if h.count else NULL
