"""Values of types that are not known. The design comment is in opaque_type.pxd."""
from libc.string cimport memcpy, memset

from fastredis.ds.alloc cimport mem_alloc, mem_charge, mem_free, mem_realloc
from fastredis.values.entry cimport entry_encoding, entry_new, entry_type


cdef inline size_t block_size(size_t room) noexcept:
    return sizeof(Opaque) + room


cdef Opaque* opaque_new(Account* account, int kind) noexcept:
    """A value without bytes, and without a name."""
    cdef Opaque* opaque = <Opaque*>mem_alloc(account, block_size(0))

    memset(opaque, 0, sizeof(Opaque))
    opaque.kind = kind
    return opaque


cdef int opaque_append(Account* account, Opaque** opaque, const void* data, size_t size) noexcept:
    """Add bytes at the end; the block may be another one then."""
    cdef Opaque* block = opaque[0]
    cdef size_t room

    if block.room - block.size < size:
        room = max(block.size + size, block.room + block.room // 2)
        block = <Opaque*>mem_realloc(account, block, block_size(block.room), block_size(room))
        block.room = room
        opaque[0] = block
    memcpy(opaque_bytes(block) + block.size, data, size)
    block.size += size
    return 0


cdef void opaque_free(Account* account, Opaque* opaque) noexcept:
    mem_free(account, opaque, block_size(opaque.room))


cdef Entry* opaque_entry(Account* account, int type, int encoding, const char* key, size_t key_size,
                         Opaque* opaque) noexcept:
    """An entry that has this value. The block is the entry's."""
    opaque = <Opaque*>mem_realloc(account, opaque, block_size(opaque.room), block_size(opaque.size))
    opaque.room = opaque.size
    return entry_new(account, type, encoding, key, key_size, opaque)


cdef void opaque_free_value(Account* account, Entry* e) noexcept:
    opaque_free(account, opaque_of(e))


cdef int64_t opaque_drain(Account* account, Entry* e, int64_t elements) noexcept:
    opaque_free_value(account, e)
    return 0


cdef Entry* opaque_copy(Account* account, const Entry* e, const char* key, size_t key_size) noexcept:
    cdef Opaque* source = opaque_of(e)
    cdef Opaque* copy = <Opaque*>mem_alloc(account, block_size(source.room))

    memcpy(copy, source, block_size(source.size))
    return entry_new(account, entry_type(e), entry_encoding(e), key, key_size, copy)


cdef size_t opaque_value_bytes(const Entry* e, int64_t samples) noexcept:
    return mem_charge(opaque_of(e), block_size(opaque_of(e).room))


cdef uint64_t opaque_count(const Entry* e) noexcept:
    return 1


cdef int64_t opaque_effort(const Entry* e) noexcept:
    return 1


cdef int opaque_verify(Entry* e) except -1:
    assert opaque_of(e).size == opaque_of(e).room
    return 0
