"""The string type. The design comment is in string_type.pxd."""
from libc.string cimport memcpy, memset

from fastredis.ds.alloc cimport SMALL, mem_alloc, mem_free, mem_give_up, mem_realloc, same_size_class
from libc.stdint cimport UINT32_MAX, uint32_t

from fastredis.ds.native cimport unlikely
from fastredis.ds.numbers cimport parse_int64
from fastredis.values.entry cimport ENC_RAW, NOT_IN_HEAP, TYPE_STRING, entry_bytes, entry_key


cdef inline Entry* blank(Account* account, int encoding, const char* key, size_t key_size,
                         size_t value_size) noexcept:
    """A new entry with its key; the value is still to be written."""
    cdef size_t size = sizeof(Entry) + key_size + (value_size if encoding == ENC_EMBSTR else sizeof(void*))
    cdef Entry* e

    if unlikely(key_size > UINT32_MAX):
        mem_give_up(b"a key has less than 4 GiB, not bytes:", key_size)
    e = <Entry*>mem_alloc(account, size)
    e.meta = TYPE_STRING << 4 | encoding
    e.key_size = <uint32_t>key_size
    e.heap_index = NOT_IN_HEAP
    e.value_size = <uint32_t>value_size if encoding == ENC_EMBSTR else 0
    memcpy(entry_key(e), key, key_size)
    return e


cdef inline bint embeds(size_t key_size, size_t size) noexcept:
    return size <= EMBSTR_MAX or sizeof(Entry) + key_size + size <= SMALL


cdef Raw* raw_new(Account* account, size_t size, size_t room) noexcept:
    cdef Raw* raw = <Raw*>mem_alloc(account, sizeof(Raw) + room)

    raw.size = size
    raw.room = room
    return raw


cdef Entry* string_new(Account* account, const char* key, size_t key_size,
                       const char* value, size_t size) noexcept:
    """A new entry with the smallest encoding for the value."""
    cdef int64_t number

    if size < INT64_TEXT and parse_int64(value, size, &number):
        return string_new_int(account, key, key_size, number)
    return string_new_text(account, key, key_size, value, size)


cdef Entry* string_new_text(Account* account, const char* key, size_t key_size,
                            const char* value, size_t size) noexcept:
    """A new entry whose value stays text even if it reads as an integer."""
    cdef Entry* e

    if embeds(key_size, size):
        e = blank(account, ENC_EMBSTR, key, key_size, size)
        memcpy(entry_embedded(e), value, size)
        return e
    e = string_new_raw(account, key, key_size, size)
    memcpy(raw_data(entry_raw(e)), value, size)
    return e


cdef Entry* string_new_int(Account* account, const char* key, size_t key_size, int64_t value) noexcept:
    cdef Entry* e = blank(account, ENC_INT, key, key_size, 0)

    (<int64_t*>(e + 1))[0] = value
    return e


cdef Entry* string_new_raw(Account* account, const char* key, size_t key_size, size_t size) noexcept:
    """A new entry with a Raw value of `size` bytes that the caller has to fill."""
    cdef Raw* raw = raw_new(account, size, size)
    cdef Entry* e

    e = blank(account, ENC_RAW, key, key_size, 0)
    entry_slot(e)[0] = raw
    return e


cdef bint string_overwrite_int(Entry* e, int64_t value) noexcept:
    """Store an integer in place if the entry has the slot for it and nothing else in it."""
    if entry_encoding(e) != ENC_INT:
        return False
    (<int64_t*>(e + 1))[0] = value
    return True


cdef bint string_overwrite(Account* account, Entry* e, const char* value, size_t size) noexcept:
    """Store a value in place if the block can hold it as string_new() would have laid it out; else False."""
    cdef int64_t number
    cdef Raw* raw

    if size < INT64_TEXT and parse_int64(value, size, &number):
        return string_overwrite_int(e, number)
    if embeds(e.key_size, size):
        if entry_encoding(e) != ENC_EMBSTR:
            return False
        if not same_size_class(entry_bytes(e), sizeof(Entry) + e.key_size + size):
            return False
        memcpy(entry_embedded(e), value, size)
        e.value_size = <uint32_t>size
        return True
    if entry_encoding(e) != ENC_RAW:
        return False
    raw = entry_raw(e)
    if raw.room < size or raw.room / 2 > size:
        return False
    memcpy(raw_data(raw), value, size)
    raw.size = size
    return True


cdef Entry* string_to_raw(Account* account, Entry* e, size_t size) noexcept:
    """A new ENC_RAW entry with e's key, TTL slot and LRU and the first `size` bytes of its value.

    Bytes beyond the value are zero. The caller puts it in e's place and frees e.
    """
    cdef char[INT64_TEXT] scratch
    cdef size_t old_size
    cdef const char* old = string_view(e, scratch, &old_size)
    cdef Entry* fresh = string_new_raw(account, entry_key(e), e.key_size, size)
    cdef char* data = raw_data(entry_raw(fresh))

    fresh.meta = (e.meta & ~<uint32_t>0xF) | ENC_RAW
    fresh.heap_index = e.heap_index
    if old_size > size:
        old_size = size
    memcpy(data, old, old_size)
    memset(data + old_size, 0, size - old_size)
    return fresh


cdef int string_reserve(Account* account, Entry* e, size_t size) noexcept:
    """Grow the value of an ENC_RAW entry to `size` bytes, the new ones zero, with room for more to come."""
    cdef Raw* raw = entry_raw(e)
    cdef size_t room

    if size <= raw.size:
        return 0
    if size > raw.room:
        room = string_room(size)
        raw = <Raw*>mem_realloc(account, raw, sizeof(Raw) + raw.room, sizeof(Raw) + room)
        raw.room = room
        entry_slot(e)[0] = raw
    memset(raw_data(raw) + raw.size, 0, size - raw.size)
    raw.size = size
    return 0


cdef void string_free_value(Account* account, Entry* e) noexcept:
    """Free what the entry has outside of its own block."""
    if entry_encoding(e) == ENC_RAW:
        mem_free(account, entry_raw(e), sizeof(Raw) + entry_raw(e).room)


cdef Entry* string_copy(Account* account, const Entry* e, const char* key, size_t key_size) noexcept:
    """A new entry with another key and the same value, without a TTL."""
    cdef char[INT64_TEXT] scratch
    cdef size_t size
    cdef const char* value
    cdef Entry* fresh

    if entry_encoding(e) == ENC_INT:
        return string_new_int(account, key, key_size, entry_int(e))
    value = string_view(e, scratch, &size)
    if entry_encoding(e) == ENC_EMBSTR:
        fresh = blank(account, ENC_EMBSTR, key, key_size, size)
        memcpy(entry_embedded(fresh), value, size)
        return fresh
    fresh = string_new_raw(account, key, key_size, size)
    memcpy(raw_data(entry_raw(fresh)), value, size)
    return fresh


cdef size_t string_value_bytes(const Entry* e) noexcept:
    """Bytes of memory outside of the entry's own block."""
    return sizeof(Raw) + entry_raw(e).room if entry_encoding(e) == ENC_RAW else 0


cdef bint string_to_int(const Entry* e, int64_t* value) noexcept:
    """The value as an integer, when it is one."""
    cdef size_t size
    cdef const char* text

    if entry_encoding(e) == ENC_INT:
        value[0] = entry_int(e)
        return True
    text = string_view(e, NULL, &size)
    return parse_int64(text, size, value)
