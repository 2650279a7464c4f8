"""Operations on values of any type. The design comment is in value.pxd."""
from libc.stdint cimport UINT32_MAX, uint32_t
from libc.string cimport memcpy

from fastredis.ds.alloc cimport mem_alloc, mem_charge, mem_free
from fastredis.values.entry cimport (
    ENC_EMBSTR, ENC_INT, NOT_IN_HEAP, entry_bytes, entry_embedded, entry_encoding, entry_key, entry_slot,
)
from fastredis.values.string_type cimport EMBSTR_MAX, string_copy, string_free_value, string_value_bytes


cdef void entry_free(Account* account, Entry* e) noexcept:
    """Free an entry and its value."""
    string_free_value(account, e)
    mem_free(account, e, entry_bytes(e))


cdef Entry* entry_copy(Account* account, const Entry* e, const char* key, size_t key_size) except NULL:
    """A deep copy under another key, without a TTL."""
    return string_copy(account, e, key, key_size)


cdef Entry* entry_rename(Account* account, Entry* e, const char* key, size_t key_size) except NULL:
    """A new entry with another key and e's value, which is not copied; e is freed. Without a TTL.

    For an entry that is in no database. On MemoryError it is as it was.
    """
    cdef Entry* fresh

    if key_size > UINT32_MAX:
        raise MemoryError("a key has less than 4 GiB")
    fresh = <Entry*>mem_alloc(account, entry_bytes(e) - e.key_size + key_size)
    fresh.meta = e.meta
    fresh.key_size = <uint32_t>key_size
    fresh.heap_index = NOT_IN_HEAP
    fresh.value_size = e.value_size
    memcpy(entry_key(fresh), key, key_size)
    if entry_encoding(e) == ENC_EMBSTR:
        memcpy(entry_embedded(fresh), entry_embedded(e), e.value_size)
    else:
        entry_slot(fresh)[0] = entry_slot(e)[0]
    mem_free(account, e, entry_bytes(e))
    return fresh


cdef size_t entry_memory(const Entry* e) noexcept:
    """Bytes that the entry and its value take, as the allocator counts them."""
    cdef size_t outside = string_value_bytes(e)

    return mem_charge(<void*>e, entry_bytes(e)) + (mem_charge(entry_slot(<Entry*>e)[0], outside) if outside else 0)


cdef const char* type_name(const Entry* e) noexcept:
    """What TYPE says."""
    return b"string"


cdef const char* encoding_name(const Entry* e) noexcept:
    """What OBJECT ENCODING says."""
    cdef int encoding = entry_encoding(e)

    if encoding == ENC_INT:
        return b"int"
    if encoding == ENC_EMBSTR and e.value_size <= EMBSTR_MAX:
        return b"embstr"
    return b"raw"
