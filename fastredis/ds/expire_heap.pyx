"""Intrusive 4-ary heap of deadlines. The design comment is in expire_heap.pxd."""
from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset

from fastredis.ds.alloc cimport mem_alloc, mem_charge, mem_free, mem_give_up, mem_map, mem_realloc, mem_unmap

cdef enum:
    CHILDREN = 4
    CHUNK_SLOTS = 1 << CHUNK_BITS
    CHUNK_BYTES = CHUNK_SLOTS * 16
    SMALLEST_ROOM = 8           # slots of the first chunk when it is new
    SMALLEST_DIRECTORY = 2


# ---------------------------------------------------------------- room

cdef HeapSlot* first_chunk_new(ExpireHeap* h, uint32_t slots) noexcept:
    if slots == CHUNK_SLOTS:
        return <HeapSlot*>mem_map(h.account, CHUNK_BYTES)
    return <HeapSlot*>mem_alloc(h.account, slots * sizeof(HeapSlot))


cdef void first_chunk_free(ExpireHeap* h) noexcept:
    if h.first_room == CHUNK_SLOTS:
        mem_unmap(h.account, h.chunks[0], CHUNK_BYTES)
    else:
        mem_free(h.account, h.chunks[0], h.first_room * sizeof(HeapSlot))


cdef int resize_first_chunk(ExpireHeap* h, uint32_t slots) noexcept:
    """Copy the first chunk, while it is the only one, into one of `slots` slots."""
    cdef HeapSlot* chunk = first_chunk_new(h, slots)

    memcpy(chunk, h.chunks[0], (ROOT + h.count) * sizeof(HeapSlot))
    first_chunk_free(h)
    h.chunks[0] = chunk
    h.first_room = slots
    return 0


cdef int add_chunk(ExpireHeap* h) noexcept:
    cdef uint32_t size = max(h.directory_size * 2, <uint32_t>SMALLEST_DIRECTORY)

    if h.chunk_count == h.directory_size:
        h.chunks = <HeapSlot**>mem_realloc(h.account, h.chunks, h.directory_size * sizeof(void*), size * sizeof(void*))
        h.directory_size = size
    if h.chunk_count == 0:
        h.chunks[0] = first_chunk_new(h, SMALLEST_ROOM)
        h.first_room = SMALLEST_ROOM
    else:
        h.chunks[h.chunk_count] = <HeapSlot*>mem_map(h.account, CHUNK_BYTES)
    h.chunk_count += 1
    return 0


cdef int make_room(ExpireHeap* h) noexcept:
    """See that there is a slot behind the last one."""
    cdef uint64_t position = <uint64_t>ROOT + h.count

    if position >= NOT_IN_HEAP:
        mem_give_up(b"an expire heap has no more items than", h.count)
    if position >> CHUNK_BITS >= h.chunk_count:
        add_chunk(h)
    elif position == h.first_room and h.chunk_count == 1:
        resize_first_chunk(h, h.first_room * 2)
    return 0


cdef void free_last_chunk(ExpireHeap* h) noexcept:
    h.chunk_count -= 1
    if h.chunk_count:
        mem_unmap(h.account, h.chunks[h.chunk_count], CHUNK_BYTES)
        return
    first_chunk_free(h)
    mem_free(h.account, h.chunks, h.directory_size * sizeof(void*))
    h.chunks = NULL
    h.directory_size = 0
    h.first_room = 0


cdef void give_back_room(ExpireHeap* h) noexcept:
    """After an item has left: keep what is in use and, against flapping, some spare room."""
    cdef uint32_t needed = (ROOT + h.count + CHUNK_MASK) >> CHUNK_BITS

    if h.count == 0:
        heap_clear(h)
    elif h.chunk_count > needed + 1 or (h.chunk_count == 2 and h.count < CHUNK_SLOTS // 2):
        free_last_chunk(h)
    elif h.chunk_count == 1 and h.first_room > SMALLEST_ROOM and (ROOT + h.count) * 4 <= h.first_room:
        resize_first_chunk(h, h.first_room // 2)


# ---------------------------------------------------------------- order

cdef inline void put(ExpireHeap* h, uint32_t position, int64_t when_ms, void* item) noexcept:
    cdef HeapSlot* slot = heap_slot(h, position)

    slot.when_ms = when_ms
    slot.item = item
    heap_index(h, item)[0] = position


cdef void sift_up(ExpireHeap* h, uint32_t position, int64_t when_ms, void* item) noexcept:
    """Put the item at `position`, a hole, or above it."""
    cdef HeapSlot* parent
    cdef uint32_t above

    while position > ROOT:
        above = position // CHILDREN + 2
        parent = heap_slot(h, above)
        if parent.when_ms <= when_ms:
            break
        put(h, position, parent.when_ms, parent.item)
        position = above
    put(h, position, when_ms, item)


cdef void sift_down(ExpireHeap* h, uint32_t position, int64_t when_ms, void* item) noexcept:
    """Put the item at `position`, a hole, or below it."""
    cdef uint64_t end = <uint64_t>ROOT + h.count
    cdef uint64_t first
    cdef HeapSlot* group
    cdef int i, best, children

    while True:
        first = (<uint64_t>position - 2) * CHILDREN
        if first >= end:
            break
        children = <int>min(end - first, <uint64_t>CHILDREN)
        group = heap_slot(h, <uint32_t>first)       # a group never crosses chunks
        best = 0
        for i in range(1, children):
            if group[i].when_ms < group[best].when_ms:
                best = i
        if group[best].when_ms >= when_ms:
            break
        put(h, position, group[best].when_ms, group[best].item)
        position = <uint32_t>first + best
    put(h, position, when_ms, item)


# ---------------------------------------------------------------- the interface

cdef void heap_init(ExpireHeap* h, Account* account, size_t index_offset) noexcept:
    """An empty heap for items with a uint32_t heap index at `index_offset`. `account` pays for the slots."""
    memset(h, 0, sizeof(ExpireHeap))
    h.account = account
    h.index_offset = index_offset


cdef void heap_clear(ExpireHeap* h) noexcept:
    """Free the slots, O(chunks). The items are not touched, so what they hold as heap index means nothing then."""
    while not heap_drain(h, 1):
        pass


cdef bint heap_drain(ExpireHeap* h, uint32_t chunks) noexcept:
    """heap_clear in slices, of up to `chunks` chunks, for a heap nobody looks at any more. True: all is freed."""
    h.count = 0
    while chunks and h.chunk_count:
        free_last_chunk(h)
        chunks -= 1
    return h.chunk_count == 0


cdef int heap_set(ExpireHeap* h, void* item, int64_t when_ms) noexcept:
    """Give the item a deadline, its first or another one. O(log n)."""
    cdef uint32_t position = heap_index(h, item)[0]

    if position == NOT_IN_HEAP:
        make_room(h)
        h.count += 1
        sift_up(h, ROOT + h.count - 1, when_ms, item)
    elif when_ms < heap_slot(h, position).when_ms:
        sift_up(h, position, when_ms, item)
    else:
        sift_down(h, position, when_ms, item)
    return 0


cdef void heap_remove(ExpireHeap* h, void* item) noexcept:
    """Take the item out, if it is in. O(log n)."""
    cdef uint32_t position = heap_index(h, item)[0]
    cdef HeapSlot last

    if position == NOT_IN_HEAP:
        return
    heap_index(h, item)[0] = NOT_IN_HEAP
    h.count -= 1
    last = heap_slot(h, ROOT + h.count)[0]
    if last.item != item:
        if position > ROOT and last.when_ms < heap_slot(h, position // CHILDREN + 2).when_ms:
            sift_up(h, position, last.when_ms, last.item)
        else:
            sift_down(h, position, last.when_ms, last.item)
    give_back_room(h)


cdef void heap_replace(ExpireHeap* h, void* old_item, void* new_item) noexcept:
    """The item was moved in memory, its heap index with it (old_item is only a name and may be freed)."""
    cdef uint32_t position = heap_index(h, new_item)[0]

    if position != NOT_IN_HEAP:
        heap_slot(h, position).item = new_item


cdef uint64_t count_below(ExpireHeap* h, uint64_t position, int64_t when_ms) noexcept:
    """How many items at `position` and below it have deadlines before when_ms. As deep as the heap has levels."""
    cdef uint64_t child, first, found = 1
    cdef uint64_t end = <uint64_t>ROOT + h.count

    if position >= end or heap_slot(h, <uint32_t>position).when_ms >= when_ms:
        return 0
    first = (position - 2) * CHILDREN
    for child in range(first, first + CHILDREN):
        found += count_below(h, child, when_ms)
    return found


cdef uint64_t heap_count_before(ExpireHeap* h, int64_t when_ms) noexcept:
    """How many items have deadlines before when_ms. O(their number)."""
    return count_below(h, ROOT, when_ms)


cdef size_t heap_bytes(ExpireHeap* h) noexcept:
    """Bytes of chunks and directory, as the account has them."""
    cdef size_t size = 0

    if h.chunk_count == 0:
        return 0
    if h.first_room == CHUNK_SLOTS:
        size = CHUNK_BYTES
    else:
        size = mem_charge(h.chunks[0], h.first_room * sizeof(HeapSlot))
    return (size + <size_t>(h.chunk_count - 1) * CHUNK_BYTES
            + mem_charge(h.chunks, h.directory_size * sizeof(void*)))


cdef int heap_verify(ExpireHeap* h) except -1:
    """Walk all slots and compare them with what the comment in expire_heap.pxd says holds. AssertionError."""
    cdef uint64_t position, end = <uint64_t>ROOT + h.count
    cdef HeapSlot* slot

    if h.count == 0:
        if h.chunk_count or h.chunks is not NULL:
            raise AssertionError(f"empty heap with {h.chunk_count} chunks")
        return 0
    if (h.chunk_count - 1) << CHUNK_BITS >= end + CHUNK_SLOTS:
        raise AssertionError(f"{h.chunk_count} chunks for {h.count} items")
    if end > h.first_room and h.chunk_count == 1 or end > <uint64_t>h.chunk_count << CHUNK_BITS:
        raise AssertionError(f"{h.count} items in {h.chunk_count} chunks, the first of {h.first_room} slots")
    for position in range(ROOT, end):
        slot = heap_slot(h, position)
        if heap_index(h, slot.item)[0] != position:
            raise AssertionError(f"item at {position} thinks it is at {heap_index(h, slot.item)[0]}")
        if position > ROOT and heap_slot(h, position // CHILDREN + 2).when_ms > slot.when_ms:
            raise AssertionError(f"item at {position} is due before its parent")
    return 0
