"""Hashes. The design comment is in hash_type.pxd, what is about deadlines in hash_ttl.pyx."""
from libc.stdint cimport INT64_MAX, uint32_t

from fastredis.ds.alloc cimport mem_alloc, mem_charge, mem_free, mem_realloc
from fastredis.ds.expire_heap cimport (
    heap_bytes, heap_clear, heap_drain, heap_init, heap_remove, heap_replace, heap_set, heap_slot,
    heap_verify, heap_when,
)
from fastredis.ds.listpack cimport (
    LP_END, LP_MANY, LP_MAX, LpItem, lp_bytes, lp_bytes_at, lp_charge, lp_copy, lp_count, lp_delete, lp_element_size,
    lp_find, lp_first, lp_free, lp_get, lp_new, lp_next, lp_replace, lp_room, lp_seek, lp_stored_count, lp_text,
    lp_verify, lp_write_element, lp_write_header,
)
from fastredis.ds.native cimport hash_bytes
from fastredis.ds.random cimport random_below
from fastredis.ds.table cimport (
    SLOTS, Slot, entry_of, slot_put, table_add, table_bytes, table_count, table_drain, table_find, table_init,
    table_iter, table_iter_end, table_next, table_random, table_remove, table_reserve, table_slot, table_verify,
)
from fastredis.values.entry cimport ENC_LISTPACK, TYPE_HASH, entry_new, entry_set_encoding
from fastredis.values.hash_field cimport (
    FIELD_INDEX, FIELD_TTL, FieldText, field_bytes, field_flags, field_free, field_has_ttl, field_index, field_key_of,
    field_new, field_overwrite, field_text,
)
from fastredis.values.timed cimport NO_DEADLINE, timed_init

cdef enum:
    HEAP_CHUNKS = 4             # chunks of a heap that one step of a drain gives back
    PAIR_ROOM = 64              # bytes that two elements of a listpack take beside their texts, at most


cdef inline uint32_t width(const Entry* e) noexcept:
    """Elements that a field has in the listpack."""
    return 3 if entry_encoding(e) == ENC_LISTPACK_EX else 2


cdef inline uint64_t hash_of(const char* field, size_t size, uint64_t hash) noexcept:
    return hash if hash else hash_bytes(field, size)


# ---------------------------------------------------------------- life

cdef Entry* hash_new(Account* account, const char* key, size_t key_size) noexcept:
    """A hash without fields."""
    cdef uint8_t* lp = lp_new(account)

    return entry_new(account, TYPE_HASH, ENC_LISTPACK, key, key_size, lp)


cdef Hash* table_new(Account* account, uint64_t fields) noexcept:
    """A table without fields, with room for so many."""
    cdef Hash* h = <Hash*>mem_alloc(account, sizeof(Hash))

    table_init(&h.fields, account, field_key_of)
    heap_init(&h.expires, account, FIELD_INDEX)
    h.ttl = NULL
    table_reserve(&h.fields, fields)
    return h


cdef int free_visit(void* context, void* block) except -1:
    """Visit of table_drain: the context is the Account."""
    field_free(<Account*>context, <uint8_t*>block)
    return 0


cdef void table_free(Account* account, Hash* h) noexcept:
    table_drain(&h.fields, INT64_MAX, free_visit, account)
    heap_clear(&h.expires)
    mem_free(account, h.ttl, sizeof(Timed))
    mem_free(account, h, sizeof(Hash))


cdef void hash_free_value(Account* account, Entry* e) noexcept:
    """Free all outside of the entry's block."""
    if entry_encoding(e) == ENC_HASHTABLE:
        table_free(account, hash_table(e))
        return
    lp_free(account, hash_listpack(e))
    if entry_encoding(e) == ENC_LISTPACK_EX:
        mem_free(account, entry_slot(e)[0], sizeof(Timed))


cdef int64_t hash_drain(Account* account, Entry* e, int64_t elements) noexcept:
    """Free up to so many fields, for a hash that nobody looks at any more. What is left; 0: nothing outside of e is."""
    cdef Hash* h
    cdef int64_t left

    if entry_encoding(e) != ENC_HASHTABLE:
        hash_free_value(account, e)
        return 0
    h = hash_table(e)
    left = table_drain(&h.fields, elements // SLOTS + 1, free_visit, account)
    if left or not heap_drain(&h.expires, HEAP_CHUNKS):
        return max(left, 1)
    table_free(account, h)
    return 0


cdef Timed* hash_ttl_new(Account* account, Entry* e) noexcept:
    cdef Timed* ttl = <Timed*>mem_alloc(account, sizeof(Timed))

    timed_init(ttl, e)
    return ttl


cdef uint64_t hash_count(const Entry* e) noexcept:
    """Fields, those whose time has come among them."""
    if entry_encoding(e) == ENC_HASHTABLE:
        return table_count(&hash_table(e).fields)
    return lp_count(hash_listpack(e)) // width(e)


cdef int64_t hash_effort(const Entry* e) noexcept:
    """How many pieces of memory the value is, as far as freeing it goes."""
    return hash_count(e) if entry_encoding(e) == ENC_HASHTABLE else 1


# ---------------------------------------------------------------- copies and conversions

cdef int add_field(Account* account, Hash* h, const HashIter* it) noexcept:
    """Add what an iterator stands at to another hash's table."""
    cdef uint8_t* block = field_new(account, field_flags(it.field_size, it.value_size, it.when_ms != NO_DEADLINE),
                                    it.field, it.field_size, it.value, it.value_size)

    table_add(&h.fields, block, hash_bytes(it.field, it.field_size))
    if it.when_ms != NO_DEADLINE:
        heap_set(&h.expires, block, it.when_ms)
    return 0


cdef bint add_some(Account* account, Hash* h, HashIter* it, int64_t fields) noexcept:
    """Add the next fields that a walk comes to; whether the walk is at its end."""
    while fields > 0:
        if not hash_next(it):
            return True
        add_field(account, h, it)
        fields -= 1
    return False


cdef Hash* table_of(Account* account, const Entry* e, uint64_t fields) noexcept:
    """A table, with room for so many fields, of copies of e's fields. Without a Timed."""
    cdef Hash* h = table_new(account, fields)
    cdef HashIter it

    hash_iter(&it, e)
    add_some(account, h, &it, INT64_MAX)
    hash_iter_end(&it)
    return h


cdef int hash_to_table(Account* account, Entry* e, uint64_t fields) noexcept:
    """Make a listpack a table with room for so many fields."""
    cdef Hash* h = table_of(account, e, fields)

    lp_free(account, hash_listpack(e))
    if entry_encoding(e) == ENC_LISTPACK_EX:
        h.ttl = <Timed*>entry_slot(e)[0]
        h.ttl.lp = NULL
    entry_slot(e)[0] = h
    entry_set_encoding(e, ENC_HASHTABLE)
    return 0


cdef void* copy_of(Account* account, const Entry* e) noexcept:
    """A copy of e's value, its Timed included."""
    cdef Timed* ttl = hash_ttl_new(account, NULL) if hash_ttl(e) is not NULL else NULL
    cdef Hash* h

    if entry_encoding(e) == ENC_HASHTABLE:
        h = table_of(account, e, hash_count(e))
        h.ttl = ttl
        return h
    if ttl is NULL:
        return lp_copy(account, hash_listpack(e))
    ttl.lp = lp_copy(account, hash_listpack(e))
    return ttl


cdef Entry* hash_copy(Account* account, const Entry* e, const char* key, size_t key_size) noexcept:
    """A deep copy under another key, without a TTL of the key; the fields keep theirs."""
    cdef Entry* copy = entry_new(account, TYPE_HASH, entry_encoding(e), key, key_size, NULL)

    entry_slot(copy)[0] = copy_of(account, e)
    if hash_ttl(copy) is not NULL:
        hash_ttl(copy).entry = copy
    return copy


cdef Entry* hash_copy_begin(Account* account, const Entry* e, const char* key, size_t key_size) noexcept:
    """For an ENC_HASHTABLE hash: one without fields, but with room for e's, and with a Timed if e has one."""
    cdef Entry* copy
    cdef Hash* h = table_new(account, hash_count(e))

    if hash_ttl(e) is not NULL:
        h.ttl = hash_ttl_new(account, NULL)
    copy = entry_new(account, TYPE_HASH, ENC_HASHTABLE, key, key_size, h)
    if h.ttl is not NULL:
        h.ttl.entry = copy
    return copy


cdef bint hash_copy_some(Account* account, Entry* copy, HashIter* it, int64_t fields) noexcept:
    return add_some(account, hash_table(copy), it, fields)


# ---------------------------------------------------------------- listpacks

cdef uint8_t* append_field(Account* account, uint8_t* lp, const char* field, size_t size,
                           const char* value, size_t value_size, bint triples) noexcept:
    """Append a field with its value, without a deadline, in one step."""
    cdef size_t total = lp_bytes(lp)
    cdef size_t grown = total + lp_element_size(field, size) + lp_element_size(value, value_size)
    cdef uint64_t count = lp_stored_count(lp)
    cdef uint8_t* to

    if triples:
        grown += lp_element_size(b"0", 1)
    if lp_room(grown) != lp_room(total):
        lp = <uint8_t*>mem_realloc(account, lp, lp_room(total), lp_room(grown))
    to = lp + total - 1
    to += lp_write_element(to, field, size)
    to += lp_write_element(to, value, value_size)
    if triples:
        to += lp_write_element(to, b"0", 1)
    to[0] = LP_END
    lp_write_header(lp, grown, count if count == LP_MANY else count + (3 if triples else 2))
    return lp


cdef bint fits_listpack(const Limits* limits, const Entry* e, size_t size, size_t value_size) noexcept:
    """Whether a listpack may hold such a field."""
    return (<int64_t>size <= limits.hash_max_listpack_value and <int64_t>value_size <= limits.hash_max_listpack_value
            and lp_bytes(hash_listpack(e)) + size + value_size + PAIR_ROOM <= LP_MAX)


cdef bint set_in_listpack(Account* account, Entry* e, const char* field, size_t size,
                          const char* value, size_t value_size, bint keep_ttl) noexcept:
    """Whether the field is new. One that loses its deadline goes to the end."""
    cdef uint8_t* lp = hash_listpack(e)
    cdef uint8_t* p = lp_find(lp, lp_first(lp), field, size, width(e) - 1)
    cdef uint8_t* at
    cdef LpItem item

    if p is NULL:
        hash_set_listpack(e, append_field(account, lp, field, size, value, value_size, width(e) == 3))
        return True
    at = lp_next(lp, p)
    if width(e) == 3 and not keep_ttl:
        lp_get(lp_next(lp, at), &item)
        if item.number != NO_DEADLINE:
            lp = lp_delete(account, lp, &p, 3)
            hash_set_listpack(e, lp)
            hash_set_listpack(e, append_field(account, lp, field, size, value, value_size, True))
            return False
    hash_set_listpack(e, lp_replace(account, lp, &at, value, value_size))
    return False


# ---------------------------------------------------------------- tables

cdef inline int64_t block_when(Hash* h, uint8_t* block) noexcept:
    return heap_when(&h.expires, block) if field_has_ttl(block) else NO_DEADLINE


cdef bint set_in_table(Account* account, Hash* h, const char* field, size_t size, uint64_t hash,
                       const char* value, size_t value_size, bint keep_ttl) noexcept:
    """Whether the field is new."""
    cdef Slot* slot = table_slot(&h.fields, field, size, hash)
    cdef uint8_t* block
    cdef uint8_t* fresh
    cdef int flags

    if slot is NULL:
        block = field_new(account, field_flags(size, value_size, False), field, size, value, value_size)
        table_add(&h.fields, block, hash)
        return True
    block = <uint8_t*>entry_of(slot[0])
    keep_ttl = keep_ttl and field_has_ttl(block)
    flags = field_flags(size, value_size, keep_ttl)
    if field_overwrite(block, flags, value, value_size):
        return False
    fresh = field_new(account, flags, field, size, value, value_size)
    if keep_ttl:
        field_index(fresh)[0] = field_index(block)[0]
        heap_replace(&h.expires, block, fresh)
    elif block[0] & FIELD_TTL:
        heap_remove(&h.expires, block)
    slot_put(slot, fresh)
    field_free(account, block)
    return False


cdef bint delete_from_table(Account* account, Hash* h, const char* field, size_t size, uint64_t hash) noexcept:
    cdef uint8_t* block = <uint8_t*>table_remove(&h.fields, field, size, hash)

    if block is NULL:
        return False
    if block[0] & FIELD_TTL:
        heap_remove(&h.expires, block)
    field_free(account, block)
    return True


# ---------------------------------------------------------------- one field

cdef bint hash_get(const Entry* e, const char* field, size_t size, uint64_t hash, FieldValue* out) noexcept:
    """Find a field's value; False: it is not there."""
    cdef FieldText text
    cdef LpItem item
    cdef uint8_t* block
    cdef uint8_t* lp
    cdef uint8_t* p

    if entry_encoding(e) == ENC_HASHTABLE:
        block = <uint8_t*>table_find(&hash_table(e).fields, field, size, hash_of(field, size, hash))
        if block is NULL:
            return False
        field_text(block, &text)
        out.text = text.value
        out.size = text.value_size
        out.when_ms = block_when(hash_table(e), block)
        return True
    lp = hash_listpack(e)
    p = lp_find(lp, lp_first(lp), field, size, width(e) - 1)
    if p is NULL:
        return False
    p += lp_bytes_at(p)
    lp_get(p, &item)
    out.text = lp_text(&item, out.scratch, &out.size)
    out.when_ms = NO_DEADLINE
    if entry_encoding(e) == ENC_LISTPACK_EX:
        lp_get(p + lp_bytes_at(p), &item)
        out.when_ms = item.number
    return True


cdef bint hash_set(Account* account, const Limits* limits, Entry* e, const char* field, size_t size, uint64_t hash,
                   const char* value, size_t value_size, bint keep_ttl) noexcept:
    """Set a field; whether it is new. It loses its deadline, unless keep_ttl."""
    cdef bint added

    if entry_encoding(e) != ENC_HASHTABLE:
        if fits_listpack(limits, e, size, value_size):
            added = set_in_listpack(account, e, field, size, value, value_size, keep_ttl)
            if <int64_t>hash_count(e) > limits.hash_max_listpack_entries:
                hash_to_table(account, e, hash_count(e))
            return added
        hash_to_table(account, e, hash_count(e) + 1)
    return set_in_table(account, hash_table(e), field, size, hash_of(field, size, hash), value, value_size, keep_ttl)


cdef bint hash_delete(Account* account, Entry* e, const char* field, size_t size, uint64_t hash) noexcept:
    """Remove a field; whether it was there."""
    cdef uint8_t* lp
    cdef uint8_t* p

    if entry_encoding(e) == ENC_HASHTABLE:
        return delete_from_table(account, hash_table(e), field, size, hash_of(field, size, hash))
    lp = hash_listpack(e)
    p = lp_find(lp, lp_first(lp), field, size, width(e) - 1)
    if p is NULL:
        return False
    hash_set_listpack(e, lp_delete(account, lp, &p, width(e)))
    return True


cdef int hash_expect(Account* account, const Limits* limits, Entry* e, uint64_t fields) noexcept:
    """Convert a listpack to a table if so many new fields are too many for one."""
    if entry_encoding(e) != ENC_HASHTABLE and <int64_t>fields > limits.hash_max_listpack_entries:
        return hash_to_table(account, e, max(fields, hash_count(e)))
    return 0


# ---------------------------------------------------------------- walking

cdef void hash_iter(HashIter* it, const Entry* e) noexcept:
    """Start a walk: hash_next() until it says False, then hash_iter_end()."""
    if entry_encoding(e) == ENC_HASHTABLE:
        it.hash = hash_table(e)
        table_iter(&it.walk, &it.hash.fields)
        return
    it.hash = NULL
    it.triples = entry_encoding(e) == ENC_LISTPACK_EX
    it.lp = hash_listpack(e)
    it.p = lp_first(it.lp)


cdef void load_element(HashIter* it) noexcept:
    """Take field, value and deadline at it.p, and step to what is behind them."""
    cdef LpItem item

    lp_get(it.p, &item)
    it.field = lp_text(&item, it.field_scratch, &it.field_size)
    it.p += lp_bytes_at(it.p)
    lp_get(it.p, &item)
    it.value = lp_text(&item, it.value_scratch, &it.value_size)
    it.p += lp_bytes_at(it.p)
    it.when_ms = NO_DEADLINE
    if it.triples:
        lp_get(it.p, &item)
        it.when_ms = item.number
        it.p += lp_bytes_at(it.p)
    if it.p[0] == LP_END:
        it.p = NULL


cdef void load_block(HashIter* it, Hash* h, uint8_t* block) noexcept:
    cdef FieldText text

    field_text(block, &text)
    it.field = text.field
    it.field_size = text.field_size
    it.value = text.value
    it.value_size = text.value_size
    it.when_ms = block_when(h, block)


cdef bint hash_next(HashIter* it) noexcept:
    """Step to the next field; False at the end."""
    cdef uint8_t* block

    if it.hash is NULL:
        if it.p is NULL:
            return False
        load_element(it)
        return True
    block = <uint8_t*>table_next(&it.walk)
    if block is NULL:
        return False
    load_block(it, it.hash, block)
    return True


cdef void hash_iter_end(HashIter* it) noexcept:
    if it.hash is not NULL:
        table_iter_end(&it.walk)


cdef void hash_at_block(const Entry* e, uint8_t* block, HashIter* at) noexcept:
    """What a block of e's table is."""
    load_block(at, hash_table(e), block)


cdef void hash_random(const Entry* e, uint64_t* seed, HashIter* at) noexcept:
    """Any field of a hash that has one. O(1) in a table, O(n) in a listpack."""
    if entry_encoding(e) == ENC_HASHTABLE:
        load_block(at, hash_table(e), <uint8_t*>table_random(&hash_table(e).fields, seed))
        return
    at.lp = hash_listpack(e)
    at.triples = entry_encoding(e) == ENC_LISTPACK_EX
    at.p = lp_seek(at.lp, random_below(seed, hash_count(e)) * width(e))
    load_element(at)


# ---------------------------------------------------------------- memory

cdef size_t block_charge(void* block) noexcept:
    return mem_charge(block, field_bytes(<uint8_t*>block))


cdef size_t blocks_bytes(Hash* h, int64_t samples) noexcept:
    """Bytes of all blocks; of `samples` of them, the others taken to be like them (0: all are measured)."""
    cdef uint64_t count = table_count(&h.fields)
    cdef uint64_t seen = 0
    cdef size_t total = 0
    cdef TableIter it
    cdef void* block

    table_iter(&it, &h.fields)
    block = table_next(&it)
    while block is not NULL:
        total += block_charge(block)
        seen += 1
        if samples and <int64_t>seen == samples:
            break
        block = table_next(&it)
    table_iter_end(&it)
    return total if seen == count else <size_t>(<double>total / seen * count)


cdef size_t hash_value_bytes(const Entry* e, int64_t samples) noexcept:
    """Bytes outside of the entry's block, as the allocator counts them. samples: as entry_memory() has it."""
    cdef Timed* ttl = hash_ttl(e)
    cdef size_t size = mem_charge(ttl, sizeof(Timed)) if ttl is not NULL else 0
    cdef Hash* h

    if entry_encoding(e) != ENC_HASHTABLE:
        return size + lp_charge(hash_listpack(e))
    h = hash_table(e)
    return (size + mem_charge(h, sizeof(Hash)) + table_bytes(&h.fields) + heap_bytes(&h.expires)
            + blocks_bytes(h, samples))


# ---------------------------------------------------------------- for tests

cdef int verify_listpack(Entry* e) except -1:
    cdef uint8_t* lp = hash_listpack(e)
    cdef HashIter it
    cdef set fields = set()
    cdef int64_t last = NO_DEADLINE
    cdef bint timeless = False

    lp_verify(lp)
    if lp_count(lp) % width(e):
        raise AssertionError(f"hash with {lp_count(lp)} elements in its listpack")
    hash_iter(&it, e)
    while hash_next(&it):
        fields.add(it.field[:it.field_size])
        if it.when_ms == NO_DEADLINE:
            timeless = True
        elif timeless or it.when_ms < last:
            raise AssertionError(f"field with the deadline {it.when_ms} behind one with {last}, or with none")
        else:
            last = it.when_ms
    if len(fields) != lp_count(lp) // width(e):
        raise AssertionError(f"{lp_count(lp)} elements, but {len(fields)} different fields")
    return 0


cdef int verify_table(Hash* h) except -1:
    cdef TableIter it
    cdef FieldText text
    cdef uint8_t* block
    cdef uint64_t timed = 0

    table_verify(&h.fields)
    heap_verify(&h.expires)
    table_iter(&it, &h.fields)
    try:
        block = <uint8_t*>table_next(&it)
        while block is not NULL:
            field_text(block, &text)
            if block[0] & ~FIELD_TTL != field_flags(text.field_size, text.value_size, False):
                raise AssertionError(f"block with flags {block[0]} for {text.field_size} + {text.value_size} bytes")
            if field_has_ttl(block):
                timed += 1
                if heap_slot(&h.expires, field_index(block)[0]).item != block:
                    raise AssertionError("another block is where this one thinks it is in the heap")
            block = <uint8_t*>table_next(&it)
    finally:
        table_iter_end(&it)
    if timed != h.expires.count or (timed and h.ttl is NULL):
        raise AssertionError(f"{timed} fields have deadlines, {h.expires.count} are in the heap")
    return 0


cdef int hash_verify(Entry* e) except -1:
    """Walk through all of the value and compare it with what the design comment says holds. AssertionError."""
    if entry_encoding(e) == ENC_HASHTABLE:
        return verify_table(hash_table(e))
    return verify_listpack(e)
