"""Blocks of a big hash's fields. The design comment is in hash_field.pxd."""
from fastredis.ds.alloc cimport mem_alloc, mem_free, mem_give_up, same_size_class


cdef inline void write_sizes(uint8_t* block, int flags, size_t field_size, size_t value_size) noexcept:
    cdef uint32_t wide[2]

    block[0] = <uint8_t>flags
    if not flags & FIELD_WIDE:
        block[1] = <uint8_t>field_size
        block[2] = <uint8_t>value_size
        return
    wide[0] = <uint32_t>field_size
    wide[1] = <uint32_t>value_size
    memcpy(block + (8 if flags & FIELD_TTL else 1), wide, 8)


cdef uint8_t* field_new(Account* account, int flags, const char* field, size_t field_size,
                        const char* value, size_t value_size) noexcept:
    """A block with the flags that field_flags() gave; it is in no heap yet."""
    cdef size_t head = field_head(flags)
    cdef uint8_t* block

    if field_size > FIELD_MAX or value_size > FIELD_MAX:
        mem_give_up(b"a field and a value have less than 4 GiB each, not together bytes:", field_size + value_size)
    block = <uint8_t*>mem_alloc(account, head + field_size + value_size)
    write_sizes(block, flags, field_size, value_size)
    if flags & FIELD_TTL:
        field_index(block)[0] = NOT_IN_HEAP
    memcpy(block + head, field, field_size)
    memcpy(block + head + field_size, value, value_size)
    return block


cdef void field_free(Account* account, uint8_t* block) noexcept:
    mem_free(account, block, field_bytes(block))


cdef bint field_overwrite(uint8_t* block, int flags, const char* value, size_t value_size) noexcept:
    """Put another value in; False, and nothing changed: these flags or this size want another block."""
    cdef FieldText text
    cdef size_t head = field_head(flags)

    if block[0] != flags:
        return False
    field_text(block, &text)
    if value_size != text.value_size and not same_size_class(
            head + text.field_size + text.value_size, head + text.field_size + value_size):
        return False
    write_sizes(block, flags, text.field_size, value_size)
    memcpy(block + head + text.field_size, value, value_size)
    return True
