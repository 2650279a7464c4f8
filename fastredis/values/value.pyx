"""Operations on values of any type. The design comment is in value.pxd."""
from libc.stdint cimport UINT32_MAX, int64_t, uint32_t, uint64_t
from libc.string cimport memcpy

from fastredis.ds.alloc cimport mem_alloc, mem_charge, mem_free
from fastredis.values.entry cimport (
    ENC_EMBSTR, ENC_INT, ENC_LISTPACK, ENC_SKIPLIST, NOT_IN_HEAP, TYPE_ZSET, entry_bytes, entry_embedded,
    entry_encoding, entry_key, entry_slot, entry_type,
)
from fastredis.values.string_type cimport EMBSTR_MAX, string_copy, string_free_value, string_value_bytes
from fastredis.values.zset_type cimport (
    zset_copy, zset_count, zset_drain, zset_free_value, zset_value_bytes, zset_verify,
)


cdef Entry* entry_new(Account* account, int kind, int encoding, const char* key, size_t key_size,
                      void* value) except NULL:
    """An entry of type `kind` (TYPE_*) for a value kept outside of it; `value` stays the caller's if this raises."""
    cdef Entry* e

    if key_size > UINT32_MAX:
        raise MemoryError("a key has less than 4 GiB")
    e = <Entry*>mem_alloc(account, sizeof(Entry) + sizeof(void*) + key_size)
    e.meta = kind << 4 | encoding
    e.key_size = <uint32_t>key_size
    e.heap_index = NOT_IN_HEAP
    e.value_size = 0
    entry_slot(e)[0] = value
    memcpy(entry_key(e), key, key_size)
    return e


cdef void entry_free(Account* account, Entry* e) noexcept:
    """Free an entry and its value."""
    if entry_type(e) == TYPE_ZSET:
        zset_free_value(account, e)
    else:
        string_free_value(account, e)
    mem_free(account, e, entry_bytes(e))


cdef int64_t entry_drain(Account* account, Entry* e, int64_t elements) noexcept:
    """Free up to so many elements of an entry that is in no database; elements left, 0: the entry is freed too."""
    cdef int64_t left = 0

    if entry_type(e) == TYPE_ZSET:
        left = zset_drain(account, e, elements)
    if left == 0:
        entry_free(account, e)
    return left


cdef uint64_t entry_count(const Entry* e) noexcept:
    """Elements of a collection; 1 for a string."""
    if entry_type(e) == TYPE_ZSET:
        return zset_count(e)
    return 1


cdef int64_t entry_effort(const Entry* e) noexcept:
    """How many pieces of memory the value is, as far as freeing it goes."""
    if entry_encoding(e) == ENC_LISTPACK:
        return 1
    return entry_count(e)


cdef int entry_verify(Entry* e) except -1:
    """Walk through the memory of the value; raises AssertionError where something is wrong."""
    if entry_type(e) == TYPE_ZSET:
        return zset_verify(e)
    return 0


cdef Entry* entry_copy(Account* account, const Entry* e, const char* key, size_t key_size) except NULL:
    """A deep copy under another key, without a TTL."""
    if entry_type(e) == TYPE_ZSET:
        return zset_copy(account, e, key, key_size)
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


cdef size_t entry_memory(const Entry* e, int64_t samples) noexcept:
    """Bytes that the entry and its value take, as the allocator counts them.

    samples: elements of a collection that are measured, the others are taken to be like them; 0: all are.
    """
    cdef size_t outside

    if entry_type(e) == TYPE_ZSET:
        return mem_charge(<void*>e, entry_bytes(e)) + zset_value_bytes(e, samples)
    outside = string_value_bytes(e)
    return mem_charge(<void*>e, entry_bytes(e)) + (mem_charge(entry_slot(<Entry*>e)[0], outside) if outside else 0)


cdef const char* type_name(const Entry* e) noexcept:
    """What TYPE says."""
    if entry_type(e) == TYPE_ZSET:
        return b"zset"
    return b"string"


cdef const char* encoding_name(const Entry* e) noexcept:
    """What OBJECT ENCODING says."""
    cdef int encoding = entry_encoding(e)

    if encoding == ENC_LISTPACK:
        return b"listpack"
    if encoding == ENC_SKIPLIST:
        return b"skiplist"
    if encoding == ENC_INT:
        return b"int"
    if encoding == ENC_EMBSTR and e.value_size <= EMBSTR_MAX:
        return b"embstr"
    return b"raw"
