"""Entries of values that are kept outside of them. The design comment is in entry.pxd."""
from libc.stdint cimport UINT32_MAX
from libc.string cimport memcpy

from fastredis.ds.alloc cimport mem_alloc, mem_give_up


cdef Entry* entry_new(Account* account, int kind, int encoding, const char* key, size_t key_size,
                      void* value) noexcept:
    """An entry of type `kind` (TYPE_*) for a value kept outside of it; `value` stays the caller's if this raises."""
    cdef Entry* e

    if key_size > UINT32_MAX:
        mem_give_up(b"a key has less than 4 GiB, not bytes:", key_size)
    e = <Entry*>mem_alloc(account, sizeof(Entry) + sizeof(void*) + key_size)
    e.meta = kind << 4 | encoding
    e.key_size = <uint32_t>key_size
    e.heap_index = NOT_IN_HEAP
    e.value_size = 0
    entry_slot(e)[0] = value
    if key_size:
        memcpy(entry_key(e), key, key_size)
    return e
