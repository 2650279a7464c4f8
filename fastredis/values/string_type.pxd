# Strings: an integer in the value slot, short bytes behind the key, or a Raw block.
#
# OBJECT ENCODING tells what Redis would say: "int", "embstr" up to 44 bytes, "raw" above.
# A longer value still lies behind its key while the whole entry is at most SMALL bytes:
# one block and one cache miss less. What APPEND, SETRANGE or SETBIT touched becomes Raw,
# with room to grow, as in Redis.

from libc.stdint cimport int64_t, uint64_t

from fastredis.ds.alloc cimport Account
from fastredis.ds.numbers cimport INT64_TEXT, format_int64
from fastredis.values.entry cimport ENC_EMBSTR, ENC_INT, Entry, entry_embedded, entry_encoding, entry_slot

cdef enum:
    EMBSTR_MAX = 44         # longest string whose encoding is called "embstr"

cdef struct Raw:
    size_t size             # bytes of the value
    size_t room             # bytes there are for it; they follow this header


cdef Entry* string_new(Account* account, const char* key, size_t key_size,
                       const char* value, size_t size) noexcept
cdef Entry* string_new_text(Account* account, const char* key, size_t key_size,
                            const char* value, size_t size) noexcept
cdef Entry* string_new_int(Account* account, const char* key, size_t key_size, int64_t value) noexcept
cdef bint string_overwrite(Account* account, Entry* e, const char* value, size_t size) noexcept
cdef bint string_overwrite_int(Entry* e, int64_t value) noexcept
cdef Entry* string_to_raw(Account* account, Entry* e, size_t size) noexcept
cdef Entry* string_new_raw(Account* account, const char* key, size_t key_size, size_t size) noexcept
cdef int string_reserve(Account* account, Entry* e, size_t size) noexcept
cdef void string_free_value(Account* account, Entry* e) noexcept
cdef Entry* string_copy(Account* account, const Entry* e, const char* key, size_t key_size) noexcept
cdef size_t string_value_bytes(const Entry* e) noexcept
cdef bint string_to_int(const Entry* e, int64_t* value) noexcept


cdef inline size_t string_room(size_t size) noexcept:
    """Bytes that a string which is changed in place, and has grown to `size`, takes: there is room for more."""
    return size * 2 if size < 1024 * 1024 else size + 1024 * 1024


cdef inline Raw* entry_raw(const Entry* e) noexcept:
    return <Raw*>entry_slot(<Entry*>e)[0]


cdef inline char* raw_data(Raw* raw) noexcept:
    return <char*>(raw + 1)


cdef inline int64_t entry_int(const Entry* e) noexcept:
    return (<int64_t*>(e + 1))[0]


cdef inline const char* string_view(const Entry* e, char* scratch, size_t* size) noexcept:
    """Where the value's bytes are, and how many; an integer is printed to scratch (INT64_TEXT bytes)."""
    if entry_encoding(e) == ENC_EMBSTR:
        size[0] = e.value_size
        return entry_embedded(e)
    if entry_encoding(e) == ENC_INT:
        size[0] = format_int64(scratch, entry_int(e))
        return scratch
    size[0] = entry_raw(e).size
    return raw_data(entry_raw(e))
