"""Entries of streams. The design comment is in stream_type.pxd."""
from libc.stdint cimport UINT64_MAX, int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcmp, memset

from fastredis.ds.alloc cimport mem_alloc, mem_charge, mem_free, mem_realloc
from fastredis.ds.id_tree cimport (
    IDT_NONE, id_equal, id_less, idt_add, idt_bytes, idt_clear, idt_drain, idt_first, idt_from, idt_id, idt_init,
    idt_last, idt_next, idt_prev, idt_remove, idt_set, idt_up_to, idt_value, idt_verify, idt_weight_below,
)
from fastredis.ds.listpack cimport (
    LP_END, LP_HEADER, LP_MANY, LP_MAX, lp_bytes, lp_bytes_at, lp_charge, lp_copy, lp_element_size, lp_free, lp_get,
    lp_int_size, lp_prev, lp_replace_int, lp_room, lp_stored_count, lp_text, lp_verify, lp_write_element,
    lp_write_header, lp_write_int,
)
from fastredis.ds.numbers cimport INT64_TEXT
from fastredis.values.entry cimport ENC_STREAM, TYPE_STREAM, entry_new
from fastredis.values.stream_group cimport (
    READ_UNKNOWN, group_at, groups_bytes, groups_copy, groups_drain, groups_effort, groups_free, groups_verify,
)
from fastredis.values.stream_idmp cimport idmp_bytes, idmp_copy, idmp_drain, idmp_free, idmp_verify

cdef enum:
    ENTRY_DELETED = 1 << 0          # flags of an entry
    ENTRY_SAME_FIELDS = 1 << 1
    MASTER_FIXED = 4                # elements of a master entry besides the fields
    ENTRY_FIXED = 3                 # elements that lp-count counts in an entry, besides fields and values
    DRAIN_ELEMENTS = 64             # elements that a leaf of a tree, with its nodes, counts for in stream_drain()


# ---------------------------------------------------------------- life

cdef Entry* stream_new(Account* account, const char* key, size_t key_size) noexcept:
    """An entry with an empty stream."""
    cdef Stream* s = <Stream*>mem_alloc(account, sizeof(Stream))

    memset(s, 0, sizeof(Stream))
    idt_init(&s.nodes, account, sizeof(StreamNode), sizeof(uint8_t*), IDT_NONE)
    return entry_new(account, TYPE_STREAM, ENC_STREAM, key, key_size, s)


cdef void free_node(void* account, void* node) noexcept:
    lp_free(<Account*>account, (<StreamNode*>node).lp)


cdef void stream_free_value(Account* account, Entry* e) noexcept:
    cdef Stream* s = stream_of(e)

    idt_clear(&s.nodes, free_node, account)
    groups_free(account, &s.groups)
    if s.idmp is not NULL:
        idmp_free(account, s.idmp)
    mem_free(account, s, sizeof(Stream))


cdef int64_t stream_drain(Account* account, Entry* e, int64_t elements) noexcept:
    """Free some nodes, then what is pending; how much is left, about, 0: all that is outside of the entry is freed."""
    cdef Stream* s = stream_of(e)
    cdef uint64_t leaves = <uint64_t>elements // DRAIN_ELEMENTS + 1
    cdef uint64_t left

    if s.nodes.count:
        left = idt_drain(&s.nodes, leaves, free_node, account)
        return left + 1
    left = groups_drain(account, &s.groups, leaves)
    if left == 0 and s.idmp is not NULL:
        left = idmp_drain(account, s.idmp, <uint64_t>elements)
    if left:
        return left
    stream_free_value(account, e)
    return 0


cdef Entry* stream_copy(Account* account, const Entry* e, const char* key, size_t key_size) noexcept:
    """A deep copy under another key, without a TTL."""
    cdef Stream* s = stream_of(e)
    cdef Entry* copied = stream_new(account, key, key_size)
    cdef Stream* copy = stream_of(copied)
    cdef StreamNode node
    cdef IdPlace at = idt_first(&s.nodes)

    copy.last_id, copy.max_deleted_id, copy.entries_added = s.last_id, s.max_deleted_id, s.entries_added
    while at.leaf is not NULL:
        node = (<StreamNode*>idt_value(&s.nodes, at))[0]
        node.lp = lp_copy(account, node.lp)
        idt_add(&copy.nodes, idt_id(at), &node)
        at = idt_next(at)
    groups_copy(account, &s.groups, &copy.groups)
    if s.idmp is not NULL:
        copy.idmp = idmp_copy(account, s.idmp)
    return copied


cdef size_t stream_value_bytes(const Entry* e, int64_t samples) noexcept:
    """Bytes outside of the entry's block; nodes measured on `samples` of them, 0: on all."""
    cdef Stream* s = stream_of(e)
    cdef IdPlace at = idt_first(&s.nodes)
    cdef size_t bytes = 0
    cdef uint64_t seen = 0

    while at.leaf is not NULL and (samples == 0 or seen < <uint64_t>samples):
        bytes += lp_charge((<StreamNode*>idt_value(&s.nodes, at)).lp)
        seen += 1
        at = idt_next(at)
    if seen:
        bytes = <size_t>(<double>bytes / seen * s.nodes.count)
    if s.idmp is not NULL:
        bytes += idmp_bytes(s.idmp)
    return bytes + mem_charge(s, sizeof(Stream)) + idt_bytes(&s.nodes) + groups_bytes(&s.groups)


cdef uint64_t stream_count(const Entry* e) noexcept:
    return stream_length(stream_of(e))


cdef int64_t stream_effort(const Entry* e) noexcept:
    """Pieces of memory that the value is."""
    cdef Stream* s = stream_of(e)

    return s.nodes.count + groups_effort(&s.groups) + (s.idmp.iids if s.idmp is not NULL else 0) + 1


# ---------------------------------------------------------------- reading a node

cdef inline int64_t number_at(const uint8_t* p) noexcept:
    """The integer that an element is."""
    cdef LpItem item

    if p[0] < 128:
        return p[0]
    lp_get(p, &item)
    return item.number


cdef inline StreamNode* node_at(Stream* s, IdPlace at) noexcept:
    return <StreamNode*>idt_value(&s.nodes, at)


cdef inline uint8_t* skip(uint8_t* p, uint64_t elements) noexcept:
    """So many elements on; at the end of the listpack if there are no more."""
    while elements and p[0] != LP_END:
        p += lp_bytes_at(p)
        elements -= 1
    return p


cdef inline uint8_t* step(uint8_t* p) noexcept:
    """Behind an element."""
    return p + lp_bytes_at(p)


cdef void enter_node(StreamIter* it) noexcept:
    """Begin with the node that the walk is at, from its lower or its upper end."""
    cdef uint8_t* p

    it.lp = node_at(it.s, it.node).lp
    p = step(step(it.lp + LP_HEADER))           # count, deleted
    it.master_count = <uint64_t>number_at(p)
    it.master_fields = step(p)
    if it.reverse:
        it.at = lp_prev(it.lp, it.lp + lp_bytes(it.lp) - 1)
    else:
        it.at = step(skip(it.master_fields, it.master_count))
    it.entry = NULL


cdef inline bint read_entry(StreamIter* it, uint8_t* p) noexcept:
    """Have id and fields of the entry whose flags are at p. Whether it is there, that is not deleted."""
    cdef Id base = idt_id(it.node)
    cdef int64_t flags = number_at(p)

    it.entry = p
    p = step(p)
    it.id.ms = base.ms + <uint64_t>number_at(p)
    p = step(p)
    it.id.seq = base.seq + <uint64_t>number_at(p)
    p = step(p)
    if flags & ENTRY_SAME_FIELDS:
        it.fields = it.master_count
        it.field = it.master_fields
        it.value = p
    else:
        it.fields = <uint64_t>number_at(p)
        it.field = step(p)
        it.value = NULL
    return not flags & ENTRY_DELETED


cdef inline uint8_t* entry_end(StreamIter* it) noexcept:
    """Where what comes behind the entry begins."""
    if it.value is not NULL:
        return step(skip(it.value, it.fields))
    return step(skip(it.field, it.fields * 2))


cdef void stream_iter(StreamIter* it, Stream* s, Id start, Id end, bint reverse) noexcept:
    it.s = s
    it.start = start
    it.end = end
    it.reverse = reverse
    it.entry = NULL
    # The node with the last id up to the bound may have higher ones, too.
    it.node = idt_up_to(&s.nodes, end if reverse else start)
    if it.node.leaf is NULL and not reverse:
        it.node = idt_first(&s.nodes)
    if it.node.leaf is not NULL:
        enter_node(it)


cdef bint next_up(StreamIter* it) noexcept:
    cdef bint there

    while it.node.leaf is not NULL:
        while it.at[0] != LP_END:
            there = read_entry(it, it.at)
            it.at = entry_end(it)
            if id_less(it.end, it.id):
                it.node.leaf = NULL
                return False
            if there and not id_less(it.id, it.start):
                return True
        it.node = idt_next(it.node)
        if it.node.leaf is not NULL:
            enter_node(it)
    return False


cdef bint next_down(StreamIter* it) noexcept:
    cdef uint64_t elements
    cdef uint8_t* p
    cdef bint there

    while it.node.leaf is not NULL:
        while True:
            elements = <uint64_t>number_at(it.at)
            if elements == 0:                   # the end of the master entry
                break
            p = it.at
            while elements:
                p = lp_prev(it.lp, p)
                elements -= 1
            there = read_entry(it, p)
            it.at = lp_prev(it.lp, p)
            if id_less(it.id, it.start):
                it.node.leaf = NULL
                return False
            if there and not id_less(it.end, it.id):
                return True
        it.node = idt_prev(it.node)
        if it.node.leaf is not NULL:
            enter_node(it)
    return False


cdef bint stream_next(StreamIter* it) noexcept:
    return next_down(it) if it.reverse else next_up(it)


cdef void stream_field(StreamIter* it, LpItem* field, LpItem* value) noexcept:
    """The next field of the entry, and its value. No more than it.fields times."""
    lp_get(it.field, field)
    it.field = step(it.field)
    if it.value is NULL:
        lp_get(it.field, value)
        it.field = step(it.field)
    else:
        lp_get(it.value, value)
        it.value = step(it.value)


# ---------------------------------------------------------------- looking

cdef bint stream_has(Stream* s, Id id) noexcept:
    cdef StreamIter it

    stream_iter(&it, s, id, id, False)
    return stream_next(&it)


cdef Id edge(Stream* s, bint reverse) noexcept:
    cdef StreamIter it

    stream_iter(&it, s, Id(0, 0), Id(UINT64_MAX, UINT64_MAX), reverse)
    return it.id if stream_next(&it) else Id(0, 0)


cdef Id stream_first_id(Stream* s) noexcept:
    return edge(s, False)


cdef Id stream_last_entry(Stream* s) noexcept:
    return edge(s, True)


cdef uint64_t stream_behind(Stream* s, Id id) noexcept:
    cdef StreamIter it
    cdef IdPlace node = idt_up_to(&s.nodes, id)
    cdef uint64_t behind

    if node.leaf is NULL:
        return s.nodes.weight
    behind = s.nodes.weight - idt_weight_below(&s.nodes, idt_id(node))
    stream_iter(&it, s, idt_id(node), id, False)
    while stream_next(&it):
        behind -= 1
    return behind


cdef bint stream_has_released(const Stream* s) noexcept:
    cdef uint32_t i

    for i in range(s.groups.count):
        if group_at(&s.groups, i).released:
            return True
    return False


# ---------------------------------------------------------------- what groups have read

cdef int64_t stream_read_at(Stream* s, Id id) noexcept:
    cdef Id first

    if s.entries_added == 0:
        return 0
    if id_equal(id, s.last_id):
        return s.entries_added
    if id_less(s.last_id, id):
        return READ_UNKNOWN                     # what comes there is not known
    if stream_length(s) == 0:
        return s.entries_added
    first = stream_first_id(s)
    if id_less(s.max_deleted_id, first):        # nothing is missing from the first entry on
        if id_less(id, first):
            return s.entries_added - stream_length(s)
        if id_equal(id, first):
            return s.entries_added - stream_length(s) + 1
    return READ_UNKNOWN


cdef bint stream_has_gap(Stream* s, Id id) noexcept:
    if stream_length(s) == 0 or (s.max_deleted_id.ms == 0 and s.max_deleted_id.seq == 0):
        return False
    return not id_less(s.max_deleted_id, stream_first_id(s)) and not id_less(s.max_deleted_id, id)


cdef bint stream_lag(Stream* s, const Group* group, int64_t* lag) noexcept:
    cdef int64_t read = group.entries_read
    cdef Id first = stream_first_id(s)

    lag[0] = 0
    if s.entries_added == 0:
        return True
    if stream_length(s) and id_less(group.last_id, first) and id_less(s.max_deleted_id, first):
        lag[0] = stream_length(s)               # all that is there is still to come
        return True
    if read == READ_UNKNOWN or stream_has_gap(s, group.last_id):
        read = stream_read_at(s, group.last_id)
    lag[0] = <int64_t>s.entries_added - read    # below 0, if XGROUP SETID said so
    return read != READ_UNKNOWN


# ---------------------------------------------------------------- adding

cdef inline bint is_text(const uint8_t* p, const char* text, size_t size) noexcept:
    """Whether an element reads like this."""
    cdef char[INT64_TEXT] scratch
    cdef LpItem item
    cdef const char* other
    cdef size_t other_size

    if p[0] == (0x80 | size) and size < 64:
        return memcmp(p + 1, text, size) == 0
    lp_get(p, &item)
    other = lp_text(&item, scratch, &other_size)
    return other_size == size and memcmp(other, text, size) == 0


cdef bint has_master_fields(uint8_t* lp, const StreamPair* pairs, uint64_t count) noexcept:
    cdef uint8_t* p = step(step(lp + LP_HEADER))
    cdef uint64_t i

    if <uint64_t>number_at(p) != count:
        return False
    p = step(p)
    for i in range(count):
        if not is_text(p, pairs[i].field, pairs[i].field_size):
            return False
        p = step(p)
    return True


cdef size_t entry_size(const StreamPair* pairs, uint64_t count, bint same, Id diff) noexcept:
    """Bytes that an entry takes."""
    cdef size_t size = 2 + lp_int_size(<int64_t>diff.ms) + lp_int_size(<int64_t>diff.seq)
    cdef uint64_t i

    for i in range(count):
        size += lp_element_size(pairs[i].value, pairs[i].value_size)
        if not same:
            size += lp_element_size(pairs[i].field, pairs[i].field_size)
    if not same:
        size += lp_int_size(count)
    return size + lp_int_size(count + ENTRY_FIXED if same else 2 * count + ENTRY_FIXED + 1)


cdef uint64_t write_entry(uint8_t* to, const StreamPair* pairs, uint64_t count, bint same, Id diff) noexcept:
    """Write an entry; how many elements that were."""
    cdef uint64_t elements = count + ENTRY_FIXED if same else 2 * count + ENTRY_FIXED + 1
    cdef uint64_t i

    to += lp_write_int(to, ENTRY_SAME_FIELDS if same else 0)
    to += lp_write_int(to, <int64_t>diff.ms)
    to += lp_write_int(to, <int64_t>diff.seq)
    if not same:
        to += lp_write_int(to, count)
    for i in range(count):
        if not same:
            to += lp_write_element(to, pairs[i].field, pairs[i].field_size)
        to += lp_write_element(to, pairs[i].value, pairs[i].value_size)
    lp_write_int(to, elements)
    return elements + 1


cdef uint8_t* node_with(Account* account, const StreamPair* pairs, uint64_t count) noexcept:
    """A node's listpack with a master entry of these fields, and no other."""
    cdef size_t size = LP_HEADER + 1 + 3 * 2 + lp_int_size(count)
    cdef uint8_t* lp
    cdef uint8_t* to
    cdef uint64_t i

    for i in range(count):
        size += lp_element_size(pairs[i].field, pairs[i].field_size)
    lp = <uint8_t*>mem_alloc(account, lp_room(size))
    lp_write_header(lp, size, count + MASTER_FIXED)
    to = lp + LP_HEADER
    to += lp_write_int(to, 0)
    to += lp_write_int(to, 0)
    to += lp_write_int(to, count)
    for i in range(count):
        to += lp_write_element(to, pairs[i].field, pairs[i].field_size)
    to += lp_write_int(to, 0)
    to[0] = LP_END
    return lp


cdef uint8_t* append_entry(Account* account, uint8_t* lp, const StreamPair* pairs, uint64_t count, bint same,
                           Id diff) noexcept:
    """Write an entry behind all others of a node, whose counts stay as they are."""
    cdef size_t size = lp_bytes(lp)
    cdef size_t more = entry_size(pairs, count, same, diff)
    cdef uint64_t stored = lp_stored_count(lp)
    cdef uint64_t elements

    if lp_room(size) != lp_room(size + more):
        lp = <uint8_t*>mem_realloc(account, lp, lp_room(size), lp_room(size + more))
    elements = write_entry(lp + size - 1, pairs, count, same, diff)
    lp[size + more - 1] = LP_END
    lp_write_header(lp, size + more, stored + elements if stored != LP_MANY else LP_MANY)
    return lp


cdef bint is_full(const Limits* limits, const StreamNode* node, const StreamPair* pairs, uint64_t count) noexcept:
    """Whether the next entry goes to a new node."""
    cdef size_t limit = min(<uint64_t>limits.stream_node_max_bytes if limits.stream_node_max_bytes else LP_MAX, LP_MAX)
    cdef size_t bytes = lp_bytes(node.lp)
    cdef uint64_t i

    if limits.stream_node_max_entries and node.entries >= limits.stream_node_max_entries:
        return True
    for i in range(count):
        bytes += pairs[i].field_size + pairs[i].value_size
    return bytes >= limit


cdef uint8_t* set_counts(Account* account, StreamNode* node) noexcept:
    """Write the numbers of entries that are there, and deleted, to the node's listpack."""
    cdef uint8_t* p = node.lp + LP_HEADER

    if p[0] < 128 and node.live < 128:          # small numbers are their own encoding
        p[0] = <uint8_t>node.live
    else:
        node.lp = lp_replace_int(account, node.lp, &p, node.live)
    p = step(p)
    if number_at(p) != node.entries - node.live:
        node.lp = lp_replace_int(account, node.lp, &p, node.entries - node.live)
    return node.lp


cdef void stream_append(Account* account, const Limits* limits, Stream* s, Id id, const StreamPair* pairs,
                        uint64_t count) noexcept:
    cdef IdPlace at = idt_last(&s.nodes)
    cdef StreamNode node
    cdef Id base
    cdef bint same

    if at.leaf is NULL or is_full(limits, node_at(s, at), pairs, count):
        node.live = node.entries = 0
        node.lp = node_with(account, pairs, count)
        base, same = id, True
        idt_add(&s.nodes, id, &node)
    else:
        node = node_at(s, at)[0]
        base = idt_id(at)
        same = has_master_fields(node.lp, pairs, count)
    node.live += 1
    node.entries += 1
    node.lp = append_entry(account, node.lp, pairs, count, same, Id(id.ms - base.ms, id.seq - base.seq))
    set_counts(account, &node)
    idt_set(&s.nodes, base, &node)
    s.last_id = id
    s.entries_added += 1


cdef void stream_put_node(Account* account, Stream* s, Id id, uint8_t* lp) noexcept:
    cdef StreamNode node

    node.lp = lp
    node.live = <uint32_t>number_at(lp + LP_HEADER)
    node.entries = node.live + <uint32_t>number_at(step(lp + LP_HEADER))
    if node.live:
        idt_add(&s.nodes, id, &node)
    else:
        lp_free(account, lp)


# ---------------------------------------------------------------- removing

cdef void stream_iter_delete(Account* account, StreamIter* it) noexcept:
    """Delete the entry that the walk is at."""
    cdef Stream* s = it.s
    cdef Id base = idt_id(it.node)
    cdef StreamNode node = node_at(it.s, it.node)[0]
    cdef size_t at = it.at - it.lp
    cdef size_t before = lp_bytes(it.lp)

    if node.live == 1:
        remove_node(account, it, base)
        return
    it.entry[0] |= ENTRY_DELETED                # a small number in one byte
    node.live -= 1
    set_counts(account, &node)
    idt_set(&s.nodes, base, &node)
    it.at = node.lp + at + (lp_bytes(node.lp) - before)     # the counts, which may have grown, are in front
    it.lp = node.lp
    it.master_fields = step(step(step(it.lp + LP_HEADER)))


cdef void remove_node(Account* account, StreamIter* it, Id base) noexcept:
    """Free the node that the walk is at; it goes on with the next one."""
    lp_free(account, node_at(it.s, it.node).lp)
    idt_remove(&it.s.nodes, base, NULL)
    it.node = idt_up_to(&it.s.nodes, base) if it.reverse else idt_from(&it.s.nodes, base)
    if it.node.leaf is not NULL:
        enter_node(it)


cdef bint stream_delete(Account* account, Stream* s, Id id) noexcept:
    cdef StreamIter it

    stream_iter(&it, s, id, id, False)
    if not stream_next(&it):
        return False
    stream_iter_delete(account, &it)
    return True


cdef Id last_of_node(Stream* s, IdPlace at) noexcept:
    """The highest id in a node, deleted or not."""
    cdef Id base = idt_id(at)
    cdef uint8_t* lp = node_at(s, at).lp
    cdef uint8_t* p = lp_prev(lp, lp + lp_bytes(lp) - 1)
    cdef uint64_t elements = <uint64_t>number_at(p)

    while elements:
        p = lp_prev(lp, p)
        elements -= 1
    p = step(p)
    return Id(base.ms + <uint64_t>number_at(p), base.seq + <uint64_t>number_at(step(p)))


cdef bint goes_whole(Stream* s, const StreamTrim* trim, IdPlace at) noexcept:
    if trim.kind == TRIM_MAXLEN:
        return stream_length(s) - node_at(s, at).live >= trim.length
    return id_less(last_of_node(s, at), trim.min_id)


cdef uint64_t trim_node(Account* account, Stream* s, const StreamTrim* trim) noexcept:
    """Delete entries of the first node, which does not go as a whole."""
    cdef uint64_t gone = 0
    cdef StreamIter it

    stream_iter(&it, s, Id(0, 0), Id(UINT64_MAX, UINT64_MAX), False)
    while (trim.kind == TRIM_MINID or stream_length(s) > trim.length) and stream_next(&it):
        if trim.kind == TRIM_MINID and not id_less(it.id, trim.min_id):
            break
        stream_iter_delete(account, &it)
        gone += 1
    return gone


cdef uint64_t stream_trim(Account* account, Stream* s, const StreamTrim* trim) noexcept:
    cdef uint64_t gone = 0
    cdef IdPlace at
    cdef StreamNode node

    while trim.kind and s.nodes.count:
        at = idt_first(&s.nodes)
        node = node_at(s, at)[0]
        if trim.kind == TRIM_MAXLEN and stream_length(s) <= trim.length:
            break
        if trim.limit and <int64_t>(gone + node.live) > trim.limit:
            break
        if not goes_whole(s, trim, at):
            return gone if trim.approximate else gone + trim_node(account, s, trim)
        lp_free(account, node.lp)
        idt_remove(&s.nodes, idt_id(at), NULL)
        gone += node.live
    return gone


# ---------------------------------------------------------------- verifying

cdef inline const uint8_t* valid_int(const uint8_t* p, int64_t* number) noexcept:
    """Read an integer; what is behind it, NULL: there is none."""
    cdef LpItem item

    if p is NULL or p[0] == LP_END:
        return NULL
    lp_get(p, &item)
    if item.text is not NULL:
        return NULL
    number[0] = item.number
    return p + lp_bytes_at(p)


cdef const uint8_t* valid_skip(const uint8_t* p, uint64_t elements) noexcept:
    """So many elements on; NULL: there are not so many."""
    while p is not NULL and elements:
        p = p + lp_bytes_at(p) if p[0] != LP_END else NULL
        elements -= 1
    return p


cdef const uint8_t* valid_entry(const uint8_t* p, int64_t master_count, Id base, Id* last, bint first,
                                int64_t* flags) noexcept:
    """Go through an entry; what is behind it, NULL: it is not as it should be."""
    cdef int64_t ms = 0, seq = 0, fields = master_count, elements = 0
    cdef Id id

    p = valid_int(p, flags)
    p = valid_int(p, &ms)
    p = valid_int(p, &seq)
    if p is NULL:
        return NULL
    id = Id(base.ms + <uint64_t>ms, base.seq + <uint64_t>seq)
    if not first and not id_less(last[0], id):
        return NULL
    last[0] = id
    if flags[0] & ENTRY_SAME_FIELDS:
        p = valid_skip(p, <uint64_t>fields)
    else:
        p = valid_int(p, &fields)
        if p is NULL or fields < 0 or fields > LP_MAX:
            return NULL
        p = valid_skip(p, <uint64_t>fields * 2)
    p = valid_int(p, &elements)
    if elements != (fields + ENTRY_FIXED if flags[0] & ENTRY_SAME_FIELDS else 2 * fields + ENTRY_FIXED + 1):
        return NULL
    return p


cdef bint stream_valid_node(const uint8_t* lp, Id id) noexcept:
    cdef int64_t live = 0, deleted = 0, fields = 0, zero = 1, flags = 0
    cdef int64_t found_live = 0, found_deleted = 0
    cdef const uint8_t* p = lp + LP_HEADER
    cdef Id last = id

    p = valid_int(p, &live)
    p = valid_int(p, &deleted)
    p = valid_int(p, &fields)
    if p is NULL or fields < 0 or fields > LP_MAX:
        return False
    p = valid_skip(p, <uint64_t>fields)
    p = valid_int(p, &zero)
    if p is NULL or zero != 0:
        return False
    while p[0] != LP_END:
        p = valid_entry(p, fields, id, &last, found_live + found_deleted == 0, &flags)
        if p is NULL:
            return False
        if flags & ENTRY_DELETED:
            found_deleted += 1
        else:
            found_live += 1
    return live == found_live and deleted == found_deleted and live + deleted > 0


cdef int stream_verify(Entry* e) except -1:
    """Walk through all of a stream. AssertionError where something is not as it should be."""
    cdef Stream* s = stream_of(e)
    cdef IdPlace at = idt_first(&s.nodes)
    cdef Id last = Id(0, 0)
    cdef StreamNode* node

    idt_verify(&s.nodes)
    while at.leaf is not NULL:
        node = node_at(s, at)
        lp_verify(node.lp)
        if not stream_valid_node(node.lp, idt_id(at)):
            raise AssertionError("stream: a broken node")
        if node.live == 0 or node.live != number_at(node.lp + LP_HEADER):
            raise AssertionError(f"stream: a node of {node.live} entries has {number_at(node.lp + LP_HEADER)}")
        if node.entries != node.live + number_at(step(node.lp + LP_HEADER)):
            raise AssertionError("stream: another number of deleted entries")
        if s.nodes.first != at.leaf or at.index:
            if not id_less(last, idt_id(at)):
                raise AssertionError("stream: nodes overlap")
        last = last_of_node(s, at)
        at = idt_next(at)
    if s.nodes.count and id_less(s.last_id, last):
        raise AssertionError("stream: an id above the last")
    if s.idmp is not NULL:
        idmp_verify(s.idmp)
    return groups_verify(&s.groups)
