"""Quicklist. The design comment is in quicklist.pxd.

The functions that change something in the middle first make the node tight, and end with
settle(), which compresses what is to be compressed.
"""
from libc.stdint cimport INT32_MAX, INT32_MIN, INT64_MAX, UINT32_MAX, UINT64_MAX
from libc.string cimport memcmp, memcpy, memmove, memset

from fastredis.ds.alloc cimport mem_alloc, mem_calloc, mem_charge, mem_free, mem_give_up, mem_realloc
from fastredis.ds.listpack cimport (
    LP_EMPTY, LP_END, LP_HEADER, LP_MAX, lp_append, lp_bytes, lp_bytes_at, lp_concat, lp_count, lp_delete,
    lp_element_size, lp_insert, lp_last, lp_prepend, lp_prev, lp_replace, lp_room, lp_seek, lp_valid, lp_verify,
    lp_write_element, lp_write_header,
)
from fastredis.ds.lzf cimport lzf_compress, lzf_decompress
from fastredis.ds.native cimport likely, unlikely

cdef enum:
    SAFE_BYTES = 8192           # of a node whose limit is a number of elements
    OVERHEAD = 8                # bytes that an element is reckoned to take beside its text
    ELEMENT_MORE = 10           # bytes that it can take at most
    FIRST_ROOM = 1024           # of a new end, unless its limit is lower
    SPARSE = 1024               # an end with more room than this gives some back when it uses less than a quarter
    COMPRESS_LEAST = 48         # bytes of a node that is worth compressing
    COMPRESS_GAIN = 8           # bytes that have to be saved


# ---------------------------------------------------------------- limits

cdef void ql_limits(int64_t fill, uint64_t* bytes, uint64_t* count) noexcept:
    """What a node may hold; UINT64_MAX: not limited."""
    bytes[0] = UINT64_MAX
    count[0] = UINT64_MAX
    if fill >= 0:
        count[0] = fill if fill else 1
    else:
        bytes[0] = <uint64_t>4096 << ((-fill if fill > -5 else 5) - 1)


cdef bint ql_exceeds(int64_t fill, uint64_t bytes, uint64_t count) noexcept:
    """Whether a listpack of so many bytes and elements is over the limit of a node."""
    if likely(fill < 0):
        return bytes > <uint64_t>4096 << ((-fill if fill > -5 else 5) - 1)
    return bytes > SAFE_BYTES or count > <uint64_t>(fill if fill else 1)


cdef inline bint exceeds(const Quicklist* ql, uint64_t bytes, uint64_t count) noexcept:
    """ql_exceeds() by the list's own limits."""
    return bytes > ql.node_bytes or count > ql.node_count


cdef inline bint is_large(const Quicklist* ql, size_t size, int64_t large) noexcept:
    """Whether a text of so many bytes gets a node of its own."""
    if unlikely(large != 0):
        return size >= <size_t>large
    return size > ql.node_bytes


cdef inline bint takes(const Quicklist* ql, const QlNode* node, size_t size, int64_t large) noexcept:
    """Whether the node, which may be NULL, has room for one more element."""
    # What is large by the limit of bytes exceeds it in any node.
    return node is not NULL and not node.plain and not (large and is_large(ql, size, large)) and (
        not exceeds(ql, node.bytes + size + OVERHEAD, <uint64_t>node.count + 1))


# ---------------------------------------------------------------- nodes

cdef inline size_t block_bytes(const QlNode* node) noexcept:
    """Size that the node's block was taken with."""
    if node.room:
        return node.room
    return node.bytes if node.plain else lp_room(node.bytes)


cdef QlNode* node_new(Account* account, size_t block) noexcept:
    """A node with a block of so many bytes, all else zero."""
    cdef QlNode* node = <QlNode*>mem_calloc(account, sizeof(QlNode))

    node.block = <uint8_t*>mem_alloc(account, block)
    return node


cdef void node_free(Account* account, QlNode* node) noexcept:
    mem_free(account, node.block, block_bytes(node))
    mem_free(account, node, sizeof(QlNode))


cdef QlNode* node_plain(Account* account, const char* text, size_t size) noexcept:
    cdef QlNode* node = node_new(account, size)

    memcpy(node.block, text, size)
    node.bytes = size
    node.count = 1
    node.plain = True
    return node


cdef QlNode* node_packed(Account* account, const char* text, size_t size) noexcept:
    """A tight node with one element."""
    cdef size_t element = lp_element_size(text, size)
    cdef QlNode* node = node_new(account, lp_room(LP_EMPTY + element))

    lp_write_element(node.block + LP_HEADER, text, size)
    node.block[LP_HEADER + element] = LP_END
    node.bytes = LP_EMPTY + element
    node.count = 1
    lp_write_header(node.block, node.bytes, 1)
    return node


cdef QlNode* node_for(Account* account, const Quicklist* ql, const char* text, size_t size,
                      int64_t large) noexcept:
    """A node with this one element, plain if it is large."""
    if is_large(ql, size, large):
        return node_plain(account, text, size)
    return node_packed(account, text, size)


cdef int link(Account* account, Quicklist* ql, QlNode* node, QlNode* prev) noexcept:
    """Put a node behind `prev`, NULL: in front of all. An end that is none any more is made tight."""
    cdef QlNode* following = prev.next if prev is not NULL else ql.head

    if prev is not NULL and following is NULL and prev.prev is not NULL:
        tighten(account, prev)
    if prev is NULL and following is not NULL and following.next is not NULL:
        tighten(account, following)
    node.prev = prev
    node.next = following
    if prev is not NULL:
        prev.next = node
    else:
        ql.head = node
    if following is not NULL:
        following.prev = node
    else:
        ql.tail = node
    ql.nodes += 1
    return 0


cdef void remove_node(Account* account, Quicklist* ql, QlNode* node) noexcept:
    """Take a node out and free it; its elements are the caller's to count."""
    if node.prev is not NULL:
        node.prev.next = node.next
    else:
        ql.head = node.next
    if node.next is not NULL:
        node.next.prev = node.prev
    else:
        ql.tail = node.prev
    ql.nodes -= 1
    node_free(account, node)


cdef int tighten(Account* account, QlNode* node) noexcept:
    """Make a node's block one that ds.listpack owns, unless it is compressed."""
    if node.room == 0 or node.compressed:
        return 0
    if node.start:
        memmove(node.block, node.block + node.start, node.bytes)
        node.start = 0
    node.block = <uint8_t*>mem_realloc(account, node.block, node.room, lp_room(node.bytes))
    node.room = 0
    return 0


cdef inline void update(QlNode* node, uint8_t* lp, int64_t more) noexcept:
    """A tight node's listpack was changed by ds.listpack and has `more` elements more."""
    node.block = lp
    node.bytes = lp_bytes(lp)
    node.count = <uint32_t>(node.count + more)


cdef int shrink_to(Account* account, QlNode* node, size_t bytes, uint32_t count) noexcept:
    """The node's listpack was shortened in place to so many bytes, header included."""
    cdef size_t old_room = lp_room(node.bytes)

    node.bytes = bytes
    node.count = count
    if node.room == 0:
        node.block = <uint8_t*>mem_realloc(account, node.block, old_room, lp_room(bytes))
    return 0


# ---------------------------------------------------------------- compression

cdef const uint8_t* contents(Account* account, const QlNode* node, uint8_t** scratch, size_t* room) noexcept:
    """The node's listpack or text: where it lies, or decompressed to `scratch`, which is made large enough."""
    if likely(not node.compressed):
        return node.block + node.start
    if room[0] < node.bytes:
        scratch[0] = <uint8_t*>mem_realloc(account, scratch[0], room[0], node.bytes)
        room[0] = node.bytes
    expand(node, scratch[0])
    return scratch[0]


cdef int expand(const QlNode* node, uint8_t* to) noexcept:
    if lzf_decompress(node.block, node.room, to, node.bytes) != node.bytes:
        mem_give_up(b"a compressed node of a list is broken, it had bytes:", node.bytes)
    return 0


cdef int unpack(Account* account, QlNode* node) noexcept:
    """Decompress a node, if it is compressed, for a change or because it is near an end now."""
    cdef size_t room
    cdef uint8_t* block

    if not node.compressed:
        return 0
    room = node.bytes if node.plain else lp_room(node.bytes)
    block = <uint8_t*>mem_alloc(account, room)
    expand(node, block)
    mem_free(account, node.block, node.room)
    node.block = block
    node.room = 0
    node.compressed = False
    return 0


cdef int pack(Account* account, QlNode* node) noexcept:
    """Compress a node between the ends, unless it is already, or does not get smaller."""
    cdef size_t room, size
    cdef uint8_t* block

    if node.compressed or node.bytes < COMPRESS_LEAST or node.bytes > UINT32_MAX:
        return 0
    room = node.bytes - COMPRESS_GAIN
    block = <uint8_t*>mem_alloc(account, room)
    size = lzf_compress(node.block, node.bytes, block, room)
    if size == 0:
        mem_free(account, block, room)
        return 0
    block = <uint8_t*>mem_realloc(account, block, room, size)
    mem_free(account, node.block, block_bytes(node))
    node.block = block
    node.room = <uint32_t>size
    node.compressed = True
    return 0


cdef int pack_ends(Account* account, Quicklist* ql) noexcept:
    """After nodes came or went: `depth` nodes from either end are unpacked, the next ones packed."""
    cdef QlNode* front = ql.head
    cdef QlNode* back = ql.tail
    cdef int _i

    for _i in range(ql.depth):
        if front is NULL:
            return 0
        unpack(account, front)
        unpack(account, back)
        if front == back or front.next == back:
            return 0
        front = front.next
        back = back.prev
    pack(account, front)
    return pack(account, back)


cdef bint is_near_end(const Quicklist* ql, const QlNode* node) noexcept:
    """Whether the node is within `depth` of an end."""
    cdef const QlNode* front = ql.head
    cdef const QlNode* back = ql.tail
    cdef int _i

    for _i in range(ql.depth):
        if front is NULL or front == node or back == node:
            return True
        front = front.next
        back = back.prev
    return False


cdef int settle(Account* account, Quicklist* ql, QlNode* node) noexcept:
    """After a change in the middle: compress what is to be around this node."""
    cdef QlNode* around

    if ql.depth == 0:
        return 0
    pack_ends(account, ql)
    around = node.prev if node.prev is not NULL else node
    while around is not NULL:
        if not is_near_end(ql, around):
            pack(account, around)
        if around == node.next:
            break
        around = around.next
    return 0


# ---------------------------------------------------------------- life

cdef Quicklist* ql_new(Account* account, int64_t fill, int64_t depth) noexcept:
    """An empty list."""
    cdef Quicklist* ql = <Quicklist*>mem_calloc(account, sizeof(Quicklist))
    cdef uint64_t bytes, count

    ql_limits(fill, &bytes, &count)
    ql.node_bytes = <uint32_t>min(bytes, <uint64_t>SAFE_BYTES) if fill >= 0 else <uint32_t>bytes
    ql.node_count = <uint32_t>min(count, <uint64_t>UINT32_MAX)
    ql.fill = <int32_t>max(min(fill, INT32_MAX), INT32_MIN)
    ql.depth = <int32_t>max(min(depth, INT32_MAX), 0)
    return ql


cdef void ql_free(Account* account, Quicklist* ql) noexcept:
    while ql.head is not NULL:
        remove_node(account, ql, ql.head)
    mem_free(account, ql, sizeof(Quicklist))


cdef int64_t ql_drain(Account* account, Quicklist* ql, int64_t elements) noexcept:
    """Free about so many elements from the head on; how many are left, 0: the list itself is freed."""
    cdef uint32_t count

    while ql.head is not NULL and elements > 0:
        count = ql.head.count
        elements -= count
        ql.count -= count
        remove_node(account, ql, ql.head)
    if ql.head is NULL:
        mem_free(account, ql, sizeof(Quicklist))
        return 0
    return ql.count


cdef QlNode* node_copy(Account* account, const QlNode* node) noexcept:
    """The same node with a block of its own, tight."""
    cdef size_t bytes = node.room if node.compressed else node.bytes
    cdef QlNode* copy = node_new(account, bytes if node.plain or node.compressed else lp_room(bytes))

    memcpy(copy.block, node.block + node.start, bytes)
    copy.bytes = node.bytes
    copy.room = node.room if node.compressed else 0
    copy.count = node.count
    copy.plain = node.plain
    copy.compressed = node.compressed
    return copy


cdef Quicklist* ql_copy(Account* account, const Quicklist* ql) noexcept:
    cdef Quicklist* copy = ql_new(account, ql.fill, ql.depth)
    cdef const QlNode* node = ql.head

    ql_copy_some(account, copy, &node, INT64_MAX)
    return copy


cdef bint ql_copy_some(Account* account, Quicklist* copy, const QlNode** node, int64_t nodes) noexcept:
    """Append copies of the next nodes from node[0] on, which moves along; whether it is at the end."""
    while nodes > 0 and node[0] is not NULL:
        link(account, copy, node_copy(account, node[0]), copy.tail)
        copy.count += node[0].count
        node[0] = node[0].next
        nodes -= 1
    return node[0] is NULL


cdef size_t ql_bytes(const Quicklist* ql, int64_t samples) noexcept:
    """Bytes that the list takes as the account has them; measured on `samples` nodes, 0: on all."""
    cdef const QlNode* node = ql.head
    cdef size_t total = 0
    cdef int64_t seen = 0

    while node is not NULL and (samples == 0 or seen < samples):
        total += mem_charge(node.block, block_bytes(node)) + mem_charge(<void*>node, sizeof(QlNode))
        node = node.next
        seen += 1
    if node is not NULL:
        total = <size_t>(<double>total / seen * ql.nodes)
    return total + mem_charge(<void*>ql, sizeof(Quicklist))


cdef int ql_adopt(Account* account, Quicklist* ql, uint8_t* lp) noexcept:
    """Append a listpack, which is not empty, as a node; it is the list's from now on."""
    cdef QlNode* node = <QlNode*>mem_calloc(account, sizeof(QlNode))

    update(node, lp, lp_count(lp))
    link(account, ql, node, ql.tail)
    ql.count += node.count
    return pack_ends(account, ql) if ql.depth else 0


cdef uint8_t* ql_release(Account* account, Quicklist* ql) noexcept:
    """The listpack of the only node, which is not plain; it is the caller's from now on, the list is freed."""
    cdef uint8_t* lp

    tighten(account, ql.head)
    lp = ql.head.block
    mem_free(account, ql.head, sizeof(QlNode))
    mem_free(account, ql, sizeof(Quicklist))
    return lp


# ---------------------------------------------------------------- the ends

cdef int move_to(Account* account, QlNode* node, size_t room, size_t start) noexcept:
    """Lay an end's listpack at `start` in a block of `room` bytes."""
    cdef uint8_t* block

    if room == node.room:
        memmove(node.block + start, node.block + node.start, node.bytes)
    elif start == node.start and room > node.room:
        node.block = <uint8_t*>mem_realloc(account, node.block, node.room, room)
    else:
        block = <uint8_t*>mem_alloc(account, room)
        memcpy(block + start, node.block + node.start, node.bytes)
        mem_free(account, node.block, node.room)
        node.block = block
    node.start = <uint32_t>start
    node.room = <uint32_t>room
    return 0


cdef int make_room(Account* account, QlNode* node, int where, size_t need, size_t most) noexcept:
    """Give an end `need` bytes more on that side; up to `most` in all if it grows on one side only.

    The other side keeps its room as long as that is no more than half, so that pushing in turns
    moves a byte as often as pushing on one side does: O(1) times.
    """
    cdef size_t bytes = node.bytes
    cdef size_t other = node.start if where == QL_TAIL else node.room - node.start - bytes
    cdef size_t room = node.room
    cdef size_t free

    if room - bytes < 2 * need + bytes // 2:
        room = min(2 * bytes + need, most)
        if room <= node.room or room < bytes + need:
            room = bytes + bytes // 2 + need
        room = lp_room(room)
    free = room - bytes
    other = min(other, (free - need) // 2)
    return move_to(account, node, room, other if where == QL_TAIL else free - other)


cdef inline int push_into(Account* account, QlNode* node, int where, const char* text, size_t size,
                          size_t most) noexcept:
    """Add an element to an end, which takes it."""
    cdef size_t need = size + ELEMENT_MORE
    cdef size_t added
    cdef uint8_t* lp

    if node.room == 0:
        node.room = <uint32_t>lp_room(node.bytes)
    if where == QL_TAIL:
        if unlikely(node.room - node.start - node.bytes < need):
            make_room(account, node, where, need, most + ELEMENT_MORE)
        lp = node.block + node.start
        added = lp_write_element(lp + node.bytes - 1, text, size)
        lp[node.bytes - 1 + added] = LP_END
    else:
        if unlikely(node.start < need):
            make_room(account, node, where, need, most + ELEMENT_MORE)
        lp = node.block + node.start - lp_element_size(text, size)
        added = lp_write_element(lp + LP_HEADER, text, size)
        node.start -= <uint32_t>added
    node.bytes += added
    node.count += 1
    lp_write_header(lp, node.bytes, node.count)
    return 0


cdef int push_node(Account* account, Quicklist* ql, int where, const char* text, size_t size, int64_t large) noexcept:
    """Add an element as a new end."""
    cdef QlNode* node = node_for(account, ql, text, size, large)

    if not node.plain:
        # Room for what will probably come, but not for more than a few elements if these are the limit.
        room_for_more(account, ql, node, where)
    link(account, ql, node, ql.tail if where == QL_TAIL else NULL)
    return pack_ends(account, ql) if ql.depth else 0


cdef int room_for_more(Account* account, const Quicklist* ql, QlNode* node, int where) noexcept:
    cdef size_t room = min(ql.node_bytes, <uint32_t>FIRST_ROOM)

    if ql.fill >= 0:
        room = min(room, node.bytes * max(ql.fill, 1))
    room = lp_room(room)
    node.room = <uint32_t>lp_room(node.bytes)
    if room <= node.room:
        return 0
    return move_to(account, node, room, 0 if where == QL_TAIL else room - node.bytes)


cdef int ql_push(Account* account, Quicklist* ql, int where, const char* text, size_t size, int64_t large) noexcept:
    """Add an element at an end."""
    cdef QlNode* node = ql.tail if where == QL_TAIL else ql.head

    if likely(takes(ql, node, size, large)):
        push_into(account, node, where, text, size, ql.node_bytes)
    else:
        push_node(account, ql, where, text, size, large)
    ql.count += 1
    return 0


cdef int drop_from(Account* account, QlNode* node, int where, uint32_t n) noexcept:
    """Take n elements, not all, off an end."""
    cdef uint8_t* lp = node.block + node.start
    cdef uint8_t* p
    cdef size_t dropped

    if node.room == 0:
        node.room = <uint32_t>lp_room(node.bytes)
    if where == QL_HEAD:
        p = lp + LP_HEADER + lp_bytes_at(lp + LP_HEADER) if n == 1 else lp_seek(lp, n)
        dropped = p - lp - LP_HEADER
        node.start += <uint32_t>dropped
        lp += dropped
    else:
        p = lp_seek(lp, -<int64_t>n)
        dropped = lp + node.bytes - 1 - p
        p[0] = LP_END
    node.bytes -= dropped
    node.count -= n
    lp_write_header(lp, node.bytes, node.count)
    if unlikely(node.room > SPARSE and node.bytes < node.room // 4):
        give_room_back(account, node)
    return 0


cdef int give_room_back(Account* account, QlNode* node) noexcept:
    """Halve an end's room until it is not sparse any more; what is left of it is shared by both sides."""
    cdef size_t room = node.room

    while room > SPARSE and node.bytes < room // 4:
        room //= 2
    return move_to(account, node, room, (room - node.bytes) // 2)


cdef int ql_drop(Account* account, Quicklist* ql, int where, uint64_t n) noexcept:
    """Take n elements off an end; there must be as many. O(nodes and elements dropped)."""
    cdef uint64_t nodes = ql.nodes
    cdef QlNode* node

    ql.count -= n
    while n:
        node = ql.tail if where == QL_TAIL else ql.head
        if node.count <= n:
            n -= node.count
            remove_node(account, ql, node)
        else:
            unpack(account, node)
            drop_from(account, node, where, <uint32_t>n)
            n = 0
    if ql.depth and ql.nodes != nodes:
        pack_ends(account, ql)
    return 0


cdef void ql_at_end(const Quicklist* ql, int where, LpItem* item) noexcept:
    """The element at an end of a list that is not empty. Its text is good until the next change."""
    cdef const QlNode* node = ql.tail if where == QL_TAIL else ql.head
    cdef const uint8_t* lp = node.block + node.start

    if node.plain:
        item.text = <const char*>node.block
        item.size = node.bytes
    else:
        lp_get(lp_last(lp) if where == QL_TAIL else <uint8_t*>lp + LP_HEADER, item)


# ---------------------------------------------------------------- anywhere

cdef QlNode* split(Account* account, Quicklist* ql, QlNode* node, size_t offset) noexcept:
    """Move what is in a tight node from that offset on, but not all, to a new node behind it, which is returned."""
    cdef const uint8_t* p = node.block + LP_HEADER
    cdef uint32_t count = 0
    cdef size_t bytes = node.bytes - offset + LP_HEADER
    cdef QlNode* right = node_new(account, lp_room(bytes))

    memcpy(right.block + LP_HEADER, node.block + offset, node.bytes - offset)
    while p < node.block + offset:
        p += lp_bytes_at(p)
        count += 1
    right.bytes = bytes
    right.count = node.count - count
    lp_write_header(right.block, bytes, right.count)
    link(account, ql, right, node)
    node.block[offset] = LP_END
    lp_write_header(node.block, offset + 1, count)
    shrink_to(account, node, offset + 1, count)
    return right


cdef inline bint can_merge(const Quicklist* ql, const QlNode* a, const QlNode* b) noexcept:
    return a is not NULL and b is not NULL and not a.plain and not b.plain and (
        not exceeds(ql, a.bytes + b.bytes - LP_EMPTY, <uint64_t>a.count + b.count))


cdef QlNode* merge(Account* account, Quicklist* ql, QlNode* a, QlNode* b) noexcept:
    """Move all of b, the node behind a, to a."""
    unpack(account, a)
    unpack(account, b)
    tighten(account, a)
    tighten(account, b)
    update(a, lp_concat(account, a.block, b.block), b.count)
    remove_node(account, ql, b)
    return a


cdef QlNode* merge_around(Account* account, Quicklist* ql, QlNode* node) noexcept:
    """Merge the neighbours on either side with their neighbours, then the node with both; returns what it is now."""
    if node.prev is not NULL and can_merge(ql, node.prev.prev, node.prev):
        merge(account, ql, node.prev.prev, node.prev)
    if node.next is not NULL and can_merge(ql, node.next, node.next.next):
        merge(account, ql, node.next, node.next.next)
    if can_merge(ql, node.prev, node):
        node = merge(account, ql, node.prev, node)
    if can_merge(ql, node, node.next):
        node = merge(account, ql, node, node.next)
    return node


cdef int add_tight(Account* account, QlNode* node, int where, const char* text, size_t size) noexcept:
    """Add an element at an end of a node anywhere, which takes it."""
    unpack(account, node)
    tighten(account, node)
    if where == QL_TAIL:
        update(node, lp_append(account, node.block, text, size), 1)
    else:
        update(node, lp_prepend(account, node.block, text, size), 1)
    return 0


cdef QlNode* insert_between(Account* account, Quicklist* ql, QlNode* node, bint after, const char* text, size_t size,
                            int64_t large) noexcept:
    """Add an element behind a node, or in front of it: to a neighbour that takes it, else as a node."""
    cdef QlNode* beside = node.next if after else node.prev

    if takes(ql, beside, size, large):
        add_tight(account, beside, QL_HEAD if after else QL_TAIL, text, size)
        return beside
    beside = node_for(account, ql, text, size, large)
    link(account, ql, beside, node if after else node.prev)
    return beside


cdef int ql_insert(Account* account, Quicklist* ql, const QlIter* pivot, bint after, const char* text, size_t size,
                   int64_t large) noexcept:
    """Insert an element behind the pivot, or in front of it. The iterator is not good any more."""
    cdef QlNode* node = <QlNode*>pivot.node
    cdef size_t offset = 0
    cdef bint at_edge = True

    if not node.plain:
        offset = pivot.p - pivot.lp
        if after:
            offset += lp_bytes_at(pivot.p)
        at_edge = pivot.lp[offset] == LP_END if after else offset == LP_HEADER
    if takes(ql, node, size, large):
        unpack(account, node)
        tighten(account, node)
        update(node, lp_insert(account, node.block, node.block + offset, text, size, NULL), 1)
    elif at_edge:
        node = insert_between(account, ql, node, after, text, size, large)
    else:
        unpack(account, node)
        tighten(account, node)
        split(account, ql, node, offset)
        if takes(ql, node, size, large):
            add_tight(account, node, QL_TAIL, text, size)
        else:
            insert_between(account, ql, node, True, text, size, large)
        node = merge_around(account, ql, node)
    ql.count += 1
    return settle(account, ql, node)


cdef bint ql_replace(Account* account, Quicklist* ql, int64_t index, const char* text, size_t size,
                     int64_t large) noexcept:
    """Put another element in the place of the one at `index`, from the end when negative; False: there is none."""
    cdef QlIter it
    cdef QlNode* node
    cdef size_t offset, old

    if not ql_iter(account, ql, index, False, &it):
        return False
    node = <QlNode*>it.node
    offset = it.p - it.lp if it.p is not NULL else 0
    old = lp_bytes_at(it.p) if it.p is not NULL else node.bytes
    ql_iter_end(&it)
    unpack(account, node)
    if node.plain:
        node = replace_plain(account, ql, node, text, size, large)
    elif not is_large(ql, size, large) and (size + OVERHEAD <= old or node.count == 1 or not exceeds(
            ql, node.bytes - old + size + OVERHEAD, node.count)):
        tighten(account, node)
        replace_inside(account, node, offset, text, size)
    else:
        node = replace_apart(account, ql, node, offset, text, size, large)
    settle(account, ql, node)
    return True


cdef int replace_inside(Account* account, QlNode* node, size_t offset, const char* text, size_t size) noexcept:
    cdef uint8_t* p = node.block + offset

    update(node, lp_replace(account, node.block, &p, text, size), 0)
    return 0


cdef QlNode* replace_plain(Account* account, Quicklist* ql, QlNode* node, const char* text, size_t size,
                           int64_t large) noexcept:
    """Another element in the place of a plain node; returns the node it is in."""
    cdef QlNode* beside

    if is_large(ql, size, large):
        beside = node_plain(account, text, size)
        link(account, ql, beside, node)
    else:
        beside = insert_between(account, ql, node, True, text, size, large)
    remove_node(account, ql, node)
    return beside


cdef QlNode* replace_apart(Account* account, Quicklist* ql, QlNode* node, size_t offset, const char* text, size_t size,
                           int64_t large) noexcept:
    """Another element for the one at `offset` of a node that cannot hold it: the node is split around it."""
    cdef QlNode* fresh
    cdef uint8_t* p
    cdef size_t behind

    tighten(account, node)
    behind = offset + lp_bytes_at(node.block + offset)
    fresh = node_for(account, ql, text, size, large)
    if node.block[behind] != LP_END:
        split(account, ql, node, behind)
    link(account, ql, fresh, node)
    if node.count == 1:
        remove_node(account, ql, node)
    else:
        p = node.block + offset
        update(node, lp_delete(account, node.block, &p, 1), -1)
    return merge_around(account, ql, fresh)


# ---------------------------------------------------------------- removing

cdef int needle_set(Account* account, Needle* needle, const char* text, size_t size) noexcept:
    """Make a needle of a text, which has to stay where it is."""
    needle.account = account
    needle.text = text
    needle.size = size
    needle.element = NULL
    needle.element_size = 0
    if size > LP_MAX:
        return 0
    needle.element_size = lp_element_size(text, size)
    if needle.element_size <= NEEDLE_SHORT:
        needle.element = needle.short_element
    else:
        needle.element = <uint8_t*>mem_alloc(account, needle.element_size)
    lp_write_element(needle.element, text, size)
    return 0


cdef void needle_free(Needle* needle) noexcept:
    if needle.element is not NULL and needle.element_size > NEEDLE_SHORT:
        mem_free(needle.account, needle.element, needle.element_size)


cdef inline bint is_at(const Needle* needle, const uint8_t* p, size_t bytes) noexcept:
    """Whether the element at p, of so many bytes, is the one that is looked for: equal elements are equal bytes."""
    return bytes == needle.element_size and p[0] == needle.element[0] and memcmp(p, needle.element, bytes) == 0


cdef inline bint is_text(const Needle* needle, const uint8_t* text, size_t size) noexcept:
    return size == needle.size and memcmp(text, needle.text, size) == 0


cdef uint64_t occurrences(const uint8_t* lp, const Needle* needle) noexcept:
    cdef const uint8_t* p = lp + LP_HEADER
    cdef uint64_t found = 0
    cdef size_t bytes

    while p[0] != LP_END:
        bytes = lp_bytes_at(p)
        if is_at(needle, p, bytes):
            found += 1
        p += bytes
    return found


cdef size_t squeeze(uint8_t* lp, uint64_t count, const Needle* needle, uint64_t skip, uint64_t n) noexcept:
    """Take n occurrences out of a listpack of `count` elements, leaving the first `skip`; returns its bytes then."""
    cdef uint8_t* to = lp + LP_HEADER
    cdef const uint8_t* p = to
    cdef const uint8_t* kept = to           # where what is kept, and not moved yet, begins
    cdef uint64_t left = n
    cdef size_t bytes

    while left:
        bytes = lp_bytes_at(p)
        if is_at(needle, p, bytes):
            if skip:
                skip -= 1
            else:
                memmove(to, kept, p - kept)
                to += p - kept
                kept = p + bytes
                left -= 1
        p += bytes
    bytes = lp + lp_bytes(lp) - kept
    memmove(to, kept, bytes)
    bytes += to - lp
    lp_write_header(lp, bytes, count - n)
    return bytes


cdef uint8_t* lp_remove(Account* account, uint8_t* lp, const Needle* needle, int64_t most, int where,
                        int64_t* removed) noexcept:
    """Remove up to `most` (0: all) occurrences from a listpack, from that end on. O(n)."""
    cdef uint64_t found = occurrences(lp, needle)
    cdef uint64_t n = min(found, <uint64_t>most) if most else found
    cdef size_t room = lp_room(lp_bytes(lp))
    cdef size_t bytes

    removed[0] = n
    if n == 0:
        return lp
    bytes = squeeze(lp, lp_count(lp), needle, found - n if where == QL_TAIL else 0, n)
    return <uint8_t*>mem_realloc(account, lp, room, lp_room(bytes))


cdef uint64_t remove_in(Account* account, Quicklist* ql, QlNode* node, const uint8_t* data, const Needle* needle,
                        uint64_t most, int where) noexcept:
    """Remove up to `most` occurrences from a node, whose contents are `data`; it may be gone then. How many."""
    cdef uint64_t found, n
    cdef size_t bytes
    cdef bint was_compressed = node.compressed

    if node.plain:
        found = is_text(needle, data, node.bytes)
    else:
        found = occurrences(data, needle)
    n = min(found, most)
    if n == 0:
        return 0
    if n == node.count:
        remove_node(account, ql, node)
        return n
    unpack(account, node)
    bytes = squeeze(node.block + node.start, node.count, needle, found - n if where == QL_TAIL else 0, n)
    shrink_to(account, node, bytes, <uint32_t>(node.count - n))
    if was_compressed:
        pack(account, node)
    return n


cdef int64_t ql_remove(Account* account, Quicklist* ql, const Needle* needle, int64_t most, int where) noexcept:
    """Remove up to `most` (0: all) elements that equal the needle, from that end on; returns how many. O(n)."""
    cdef QlNode* node = ql.tail if where == QL_TAIL else ql.head
    cdef QlNode* following
    cdef uint64_t nodes = ql.nodes, left = most if most else UINT64_MAX, before = ql.count, n
    cdef uint8_t* scratch = NULL
    cdef size_t room = 0

    while node is not NULL and left:
        following = node.prev if where == QL_TAIL else node.next
        n = remove_in(account, ql, node, contents(account, node, &scratch, &room), needle, left, where)
        ql.count -= n
        left -= n
        node = following
    mem_free(account, scratch, room)
    if ql.depth and ql.nodes != nodes:
        pack_ends(account, ql)
    return before - ql.count


# ---------------------------------------------------------------- reading

cdef int enter(QlIter* it, const QlNode* node) noexcept:
    """Go to a node; the caller sets p and left."""
    cdef const uint8_t* data = contents(it.account, node, &it.scratch, &it.scratch_room)

    it.node = node
    it.p = NULL
    it.lp = NULL
    if node.plain:
        it.text = <const char*>data
        it.left = 1
    else:
        it.lp = data
        it.left = node.count
    return 0


cdef bint ql_iter(Account* account, const Quicklist* ql, int64_t index, bint backward, QlIter* it) noexcept:
    """Set an iterator to the element at `index`, from the end when negative; False: there is none.

    Walks over nodes from the nearer end, then over elements from the node's nearer end.
    """
    cdef const QlNode* node
    cdef int64_t rest

    memset(it, 0, sizeof(QlIter))
    it.account = account
    it.backward = backward
    if index < 0:
        index += <int64_t>ql.count
    if index < 0 or index >= <int64_t>ql.count:
        return False
    if index <= <int64_t>ql.count // 2:
        node = ql.head
        while index >= node.count:
            index -= node.count
            node = node.next
    else:
        node = ql.tail
        rest = <int64_t>ql.count - 1 - index
        while rest >= node.count:
            rest -= node.count
            node = node.prev
        index = <int64_t>node.count - 1 - rest
    enter(it, node)
    if not node.plain:
        it.p = lp_seek(it.lp, index)
        it.left = index + 1 if backward else node.count - index
    return True


cdef bint ql_iter_listpack(const uint8_t* lp, int64_t index, bint backward, QlIter* it) noexcept:
    """Set an iterator to an element of a listpack alone; False: there is none."""
    cdef int64_t count = lp_count(lp)

    memset(it, 0, sizeof(QlIter))
    it.backward = backward
    if index < 0:
        index += count
    if index < 0 or index >= count:
        return False
    it.lp = lp
    it.p = lp_seek(lp, index)
    it.left = index + 1 if backward else count - index
    return True


cdef void ql_iter_end(QlIter* it) noexcept:
    if it.scratch is not NULL:
        mem_free(it.account, it.scratch, it.scratch_room)
        it.scratch = NULL


cdef bint ql_next(QlIter* it) noexcept:
    """Go to the next element, the one before when backward; False: there is none."""
    if it.left <= 1:
        return ql_next_node(it)
    it.left -= 1
    it.p = lp_prev(it.lp, it.p) if it.backward else <uint8_t*>it.p + lp_bytes_at(it.p)
    return True


cdef bint ql_next_node(QlIter* it) noexcept:
    """Go to the first element of the next node; the last of the one before when backward. False: there is none."""
    cdef const QlNode* node = it.node

    if node is not NULL:
        node = node.prev if it.backward else node.next
    if node is NULL:
        it.left = 0
        return False
    enter(it, node)
    if not node.plain:
        it.p = lp_last(it.lp) if it.backward else <uint8_t*>it.lp + LP_HEADER
    return True


cdef inline bint find_here(QlIter* it, const Needle* needle, int64_t* left) noexcept:
    """Look at the elements of this node from here on, at *left at most, which gets lower by those that do not match."""
    cdef const uint8_t* p = it.p
    cdef uint64_t most = min(it.left, <uint64_t>left[0])
    cdef uint64_t i
    cdef size_t bytes

    if p is NULL:
        if is_text(needle, <const uint8_t*>it.text, it.node.bytes):
            return True
        left[0] -= 1
        return False
    for i in range(most):
        bytes = lp_bytes_at(p)
        if is_at(needle, p, bytes):
            it.p = p
            it.left -= i
            left[0] -= i
            return True
        if it.backward:
            p = lp_prev(it.lp, p)
        else:
            p += bytes
    left[0] -= most
    return False


cdef bint ql_find(QlIter* it, const Needle* needle, int64_t most, int64_t* passed) noexcept:
    """Go to the first element from here on that equals the needle, looking at `most` at most. False: not found.

    passed: elements between; when it is not found, those looked at.
    """
    cdef int64_t left = most

    while left > 0:
        if find_here(it, needle, &left):
            passed[0] = most - left
            return True
        if left == 0 or not ql_next_node(it):
            break
    passed[0] = most - left
    return False


# ---------------------------------------------------------------- verifying

cdef int verify_node(const Quicklist* ql, const QlNode* node, const uint8_t* data) except -1:
    """Compare a node with what the comment in quicklist.pxd says holds."""
    cdef bint is_end = node == ql.head or node == ql.tail

    if node.count == 0:
        raise AssertionError("quicklist: an empty node")
    if node.compressed and (is_near_end(ql, node) or ql.depth == 0):
        raise AssertionError("quicklist: a compressed node near an end")
    if node.plain:
        if node.count != 1:
            raise AssertionError(f"quicklist: {node.count} elements in a plain node")
        return 0
    if node.room and not node.compressed and not is_end:
        raise AssertionError("quicklist: room in a node between the ends")
    if node.start and not node.room:
        raise AssertionError(f"quicklist: a tight node starts at {node.start}")
    if node.room and not node.compressed and node.start + node.bytes > node.room:
        raise AssertionError(f"quicklist: {node.start} + {node.bytes} bytes in a room of {node.room}")
    if not node.room:
        lp_verify(data)
    elif not lp_valid(data, node.bytes, True):
        raise AssertionError("quicklist: a broken listpack")
    if lp_bytes(data) != node.bytes or lp_count(data) != node.count:
        raise AssertionError(f"quicklist: node of {node.count} elements, {node.bytes} bytes; its listpack has"
                             f" {lp_count(data)}, {lp_bytes(data)}")
    if mem_charge(node.block, block_bytes(node)) < (node.room if node.room else node.bytes):
        raise AssertionError(f"quicklist: {node.bytes} bytes in a smaller block")
    return 0


cdef int ql_verify(const Quicklist* ql) except -1:
    """Walk through all nodes and elements. AssertionError where something is not as it should be."""
    cdef Account account
    cdef const QlNode* node = ql.head
    cdef const QlNode* prev = NULL
    cdef uint64_t count = 0, nodes = 0
    cdef uint8_t* scratch = NULL
    cdef size_t room = 0

    memset(&account, 0, sizeof(Account))
    try:
        while node is not NULL:
            if node.prev != prev:
                raise AssertionError(f"quicklist: node {nodes} does not point back")
            verify_node(ql, node, contents(&account, node, &scratch, &room))
            count += node.count
            nodes += 1
            prev = node
            node = node.next
    finally:
        mem_free(&account, scratch, room)
    if ql.tail != prev or ql.nodes != nodes or ql.count != count:
        raise AssertionError(f"quicklist: {ql.count} elements in {ql.nodes} nodes, found {count} in {nodes}")
    return 0
