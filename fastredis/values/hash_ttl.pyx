"""Deadlines of a hash's fields. The design comment is in hash_type.pxd."""
from libc.stdint cimport uint8_t
from libc.string cimport memcpy

from fastredis.ds.alloc cimport mem_alloc
from fastredis.ds.expire_heap cimport heap_remove, heap_set, heap_top
from fastredis.ds.listpack cimport (
    LP_END, LP_HEADER, LP_MAX, LpItem, lp_bytes, lp_bytes_at, lp_count, lp_delete, lp_element_size, lp_find, lp_first,
    lp_free, lp_get, lp_room, lp_stored_count, lp_text, lp_write_element, lp_write_header,
)
from fastredis.ds.native cimport hash_bytes
from fastredis.ds.numbers cimport INT64_TEXT, format_int64
from fastredis.ds.table cimport Slot, entry_of, slot_put, table_slot
from fastredis.values.entry cimport (
    ENC_HASHTABLE, ENC_LISTPACK, ENC_LISTPACK_EX, entry_encoding, entry_set_encoding, entry_slot,
)
from fastredis.values.hash_field cimport FIELD_TTL, FieldText, field_flags, field_free, field_new, field_text
from fastredis.values.hash_type cimport (
    Hash, hash_count, hash_listpack, hash_set_listpack, hash_table, hash_to_table, hash_ttl_new,
)
from fastredis.values.timed cimport NO_DEADLINE, Timed, timed_remove_due

cdef enum:
    TTL_ROOM = 11               # bytes of the longest integer in a listpack, at least


cdef int64_t hash_soonest(const Entry* e) noexcept:
    """The soonest deadline of all fields; NO_DEADLINE: none has one. O(1)."""
    cdef uint8_t* lp
    cdef uint8_t* p

    if entry_encoding(e) == ENC_HASHTABLE:
        return heap_top(&hash_table(e).expires).when_ms if hash_table(e).expires.count else NO_DEADLINE
    if entry_encoding(e) == ENC_LISTPACK:
        return NO_DEADLINE
    lp = hash_listpack(e)
    p = lp_first(lp)
    return NO_DEADLINE if p is NULL else when_at(deadline_of(p))


# ---------------------------------------------------------------- listpacks

cdef inline uint8_t* deadline_of(uint8_t* p) noexcept:
    """The third element of the triple at p."""
    p += lp_bytes_at(p)
    return p + lp_bytes_at(p)


cdef inline int64_t when_at(const uint8_t* p) noexcept:
    cdef LpItem item

    lp_get(p, &item)
    return item.number


cdef int to_triples(Account* account, Entry* e) noexcept:
    """Make a listpack of pairs one of triples."""
    cdef uint8_t* old = hash_listpack(e)
    cdef uint64_t fields = lp_count(old) // 2
    cdef size_t total = lp_bytes(old) + fields * lp_element_size(b"0", 1)
    cdef Timed* ttl = hash_ttl_new(account, e)
    cdef uint8_t* p = old + LP_HEADER
    cdef uint8_t* to
    cdef size_t size

    ttl.lp = <uint8_t*>mem_alloc(account, lp_room(total))
    lp_write_header(ttl.lp, total, fields * 3)
    to = ttl.lp + LP_HEADER
    while p[0] != LP_END:
        size = deadline_of(p) - p           # here: of a field and its value
        memcpy(to, p, size)
        p += size
        to += size
        to += lp_write_element(to, b"0", 1)
    to[0] = LP_END
    lp_free(account, old)
    entry_slot(e)[0] = ttl
    entry_set_encoding(e, ENC_LISTPACK_EX)
    return 0


cdef uint8_t* place_for(uint8_t* lp, int64_t when_ms) noexcept:
    """Before which triple one with that deadline belongs, or the end. Before those of the same time, as in Redis."""
    cdef uint8_t* p = lp + LP_HEADER
    cdef uint8_t* deadline

    if when_ms == NO_DEADLINE:
        return lp + lp_bytes(lp) - 1
    while p[0] != LP_END:
        deadline = deadline_of(p)
        if when_at(deadline) == NO_DEADLINE or when_at(deadline) >= when_ms:
            break
        p = deadline + lp_bytes_at(deadline)
    return p


cdef inline uint8_t* copied(uint8_t* to, const uint8_t* begin, const uint8_t* end) noexcept:
    """Copy the bytes from begin to end; where the next ones go."""
    memcpy(to, begin, end - begin)
    return to + (end - begin)


cdef int move_triple(Account* account, Entry* e, uint8_t* p, int64_t when_ms) noexcept:
    """Give the triple at p another deadline, and so another place: the listpack is put together anew."""
    cdef uint8_t* old = hash_listpack(e)
    cdef uint8_t* end = old + lp_bytes(old)
    cdef uint8_t* deadline = deadline_of(p)
    cdef uint8_t* behind = deadline + lp_bytes_at(deadline)
    cdef uint8_t* place = place_for(old, when_ms)
    cdef char[INT64_TEXT] text
    cdef size_t size = format_int64(text, when_ms)
    cdef size_t total = lp_bytes(old) - lp_bytes_at(deadline) + lp_element_size(text, size)
    cdef uint8_t* lp = <uint8_t*>mem_alloc(account, lp_room(total))
    cdef uint8_t* to

    if place > p:
        to = copied(copied(lp, old, p), behind, place)
    else:
        to = copied(lp, old, place)
    to = copied(to, p, deadline)
    to += lp_write_element(to, text, size)
    if place > p:
        copied(to, place, end)
    else:
        copied(copied(to, place, p), behind, end)
    lp_write_header(lp, total, lp_stored_count(old))
    lp_free(account, old)
    hash_set_listpack(e, lp)
    return 0


cdef bint set_in_listpack(Account* account, Entry* e, const char* field, size_t size, int64_t when_ms) noexcept:
    cdef uint8_t* lp = hash_listpack(e)
    cdef uint8_t* p

    if entry_encoding(e) == ENC_LISTPACK:
        if lp_find(lp, lp_first(lp), field, size, 1) is NULL:
            return False
        if when_ms == NO_DEADLINE:
            return True
        to_triples(account, e)
        lp = hash_listpack(e)
    p = lp_find(lp, lp_first(lp), field, size, 2)
    if p is NULL:
        return False
    if when_ms != NO_DEADLINE or when_at(deadline_of(p)) != NO_DEADLINE:
        move_triple(account, e, p, when_ms)
    return True


cdef uint64_t due_in_listpack(Account* account, Entry* e, int64_t now_ms, uint64_t limit,
                              DueVisit visit, void* context) except? 0xFFFFFFFFFFFFFFFF:
    cdef uint8_t* lp = hash_listpack(e)
    cdef uint8_t* p = lp + LP_HEADER
    cdef uint8_t* deadline
    cdef uint64_t due = 0
    cdef LpItem item
    cdef char[INT64_TEXT] scratch
    cdef const char* field
    cdef size_t size

    while due < limit and p[0] != LP_END:
        deadline = deadline_of(p)
        if when_at(deadline) == NO_DEADLINE or when_at(deadline) >= now_ms:
            break
        if visit is not NULL:
            lp_get(p, &item)
            field = lp_text(&item, scratch, &size)
            visit(context, field, size)
        p = deadline + lp_bytes_at(deadline)
        due += 1
    if due:
        p = lp + LP_HEADER
        hash_set_listpack(e, lp_delete(account, lp, &p, due * 3))
    return due


# ---------------------------------------------------------------- tables

cdef bint set_in_table(Account* account, Entry* e, const char* field, size_t size, uint64_t hash,
                       int64_t when_ms) noexcept:
    """A block without room for a heap index is replaced by one that has it."""
    cdef Hash* h = hash_table(e)
    cdef Slot* slot = table_slot(&h.fields, field, size, hash)
    cdef FieldText text
    cdef uint8_t* block
    cdef uint8_t* fresh

    if slot is NULL:
        return False
    block = <uint8_t*>entry_of(slot[0])
    if when_ms == NO_DEADLINE:
        if block[0] & FIELD_TTL:
            heap_remove(&h.expires, block)
        return True
    if h.ttl is NULL:
        h.ttl = hash_ttl_new(account, e)
    if not block[0] & FIELD_TTL:
        field_text(block, &text)
        fresh = field_new(account, field_flags(text.field_size, text.value_size, True), text.field, text.field_size,
                          text.value, text.value_size)
        slot_put(slot, fresh)
        field_free(account, block)
        block = fresh
    heap_set(&h.expires, block, when_ms)
    return True


# ---------------------------------------------------------------- the interface

cdef bint hash_set_when(Account* account, const Limits* limits, Entry* e, const char* field, size_t size,
                        uint64_t hash, int64_t when_ms) noexcept:
    """Give a field a deadline, another one, or none (NO_DEADLINE). The encoding may change. False: no such field."""
    if entry_encoding(e) == ENC_LISTPACK and lp_bytes(hash_listpack(e)) + hash_count(e) * TTL_ROOM > LP_MAX:
        hash_to_table(account, e, hash_count(e))
    if entry_encoding(e) == ENC_HASHTABLE:
        return set_in_table(account, e, field, size, hash if hash else hash_bytes(field, size), when_ms)
    return set_in_listpack(account, e, field, size, when_ms)


cdef uint64_t hash_remove_due(Account* account, Entry* e, int64_t now_ms, uint64_t limit,
                              DueVisit visit, void* context) except? 0xFFFFFFFFFFFFFFFF:
    """Remove up to `limit` fields whose deadlines are before now_ms, the soonest first; how many went."""
    cdef Hash* h

    if entry_encoding(e) == ENC_HASHTABLE:
        h = hash_table(e)
        return timed_remove_due(&h.fields, &h.expires, field_free, now_ms, limit, visit, context)
    return due_in_listpack(account, e, now_ms, limit, visit, context) if entry_encoding(e) == ENC_LISTPACK_EX else 0
