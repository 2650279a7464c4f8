# A field of a big hash, with its value, in one block.
#
#   [ flags ][ sizes, 1 byte each      ][ field ... ][ value ... ]                    3 bytes before the field
#   [ flags ][ sizes, 4 bytes each     ][ field ... ][ value ... ]     FIELD_WIDE     9
#   [ flags ][ sizes, 1 ][ - ][ index  ][ field ... ][ value ... ]     FIELD_TTL      8
#   [ flags ][ - - - ][ index ][ sizes, 4 each ][ field ][ value ]     both          16
#
#   index: 4 bytes at offset 4, where in the hash's expire heap the field's deadline is
#
# Sizes are wide when either is above 255. A field without a deadline pays nothing for those
# that have one; one that lost its deadline keeps the room until its value is set again.
# A block's end is known from its start, as mem_free() needs.

from libc.stdint cimport uint8_t, uint32_t
from libc.string cimport memcpy

from fastredis.ds.alloc cimport Account
from fastredis.ds.expire_heap cimport NOT_IN_HEAP

cdef enum:
    FIELD_TTL = 1                       # has a heap index
    FIELD_WIDE = 2                      # sizes of 4 bytes
    FIELD_INDEX = 4                     # offset of the heap index
    FIELD_NARROW = 255                  # bytes of the longest field or value with a size of 1 byte
    FIELD_MAX = 0xFFFFFFFF              # bytes of the longest field or value

cdef struct FieldText:                  # what a block holds
    const char* field
    size_t field_size
    const char* value
    size_t value_size

cdef uint8_t* field_new(Account* account, int flags, const char* field, size_t field_size,
                        const char* value, size_t value_size) noexcept
cdef void field_free(Account* account, uint8_t* block) noexcept
cdef bint field_overwrite(uint8_t* block, int flags, const char* value, size_t value_size) noexcept


cdef inline size_t field_head(int flags) noexcept:
    """Bytes before the field."""
    if not flags & FIELD_WIDE:
        return 8 if flags & FIELD_TTL else 3
    return 16 if flags & FIELD_TTL else 9


cdef inline void field_text(const uint8_t* block, FieldText* text) noexcept:
    """Where field and value are in a block, and their sizes."""
    cdef uint32_t wide[2]
    cdef int flags = block[0]

    if not flags & FIELD_WIDE:
        text.field_size = block[1]
        text.value_size = block[2]
    else:
        memcpy(wide, block + (8 if flags & FIELD_TTL else 1), 8)
        text.field_size = wide[0]
        text.value_size = wide[1]
    text.field = <const char*>block + field_head(flags)
    text.value = text.field + text.field_size


cdef inline size_t field_bytes(const uint8_t* block) noexcept:
    """Bytes of a block, as it was asked for."""
    cdef FieldText text

    field_text(block, &text)
    return field_head(block[0]) + text.field_size + text.value_size


cdef inline uint32_t* field_index(uint8_t* block) noexcept:
    """The heap index of a block that has room for one."""
    return <uint32_t*>(block + FIELD_INDEX)


cdef inline bint field_has_ttl(uint8_t* block) noexcept:
    return block[0] & FIELD_TTL and field_index(block)[0] != NOT_IN_HEAP


cdef inline int field_flags(size_t field_size, size_t value_size, bint ttl) noexcept:
    """The flags of the smallest block for such sizes."""
    return (FIELD_WIDE if field_size > FIELD_NARROW or value_size > FIELD_NARROW else 0) | (FIELD_TTL if ttl else 0)


cdef inline void field_key_of(const void* block, const char** key, size_t* size) noexcept:
    """KeyOf of a hash's table."""
    cdef FieldText text

    field_text(<const uint8_t*>block, &text)
    key[0] = text.field
    size[0] = text.field_size
