# Opaque: a value of a type that this server does not know, as its bytes stand in the RDB format.
#
#   Opaque [ size | room | kind | name ][ bytes ................ ]      one block
#
# All that treats values alike works on it: DUMP, COPY, RENAME, EXPIRE, saving, replicas. Of commands of its own type
# there is none, and those of others answer WRONGTYPE. Nothing here reads the bytes; whoever makes such a value has
# walked through them (persist/rdb_opaque), so that what is written back has the form that it should.
# Rejected: dropping such keys when a file is loaded, which the next save would make final.

from libc.stdint cimport int64_t, uint64_t

from fastredis.ds.alloc cimport Account
from fastredis.values.entry cimport Entry, entry_slot

cdef enum:
    OPAQUE_NAME = 10        # longest name of a type and a zero; those of modules have 9 characters

cdef struct Opaque:
    size_t size             # bytes of the value, which follow this header
    size_t room             # bytes there are for it
    int kind                # type byte in the RDB format
    char[OPAQUE_NAME] name  # what TYPE says, zero-terminated


# --- being put together. opaque_append() may move the block.
cdef Opaque* opaque_new(Account* account, int kind) noexcept
cdef int opaque_append(Account* account, Opaque** opaque, const void* data, size_t size) noexcept
cdef void opaque_free(Account* account, Opaque* opaque) noexcept
# An entry of it, its room as large as it has to be. type: TYPE_*.
cdef Entry* opaque_entry(Account* account, int type, int encoding, const char* key, size_t key_size,
                         Opaque* opaque) noexcept

# --- for values/value
cdef void opaque_free_value(Account* account, Entry* e) noexcept
cdef int64_t opaque_drain(Account* account, Entry* e, int64_t elements) noexcept
cdef Entry* opaque_copy(Account* account, const Entry* e, const char* key, size_t key_size) noexcept
cdef size_t opaque_value_bytes(const Entry* e, int64_t samples) noexcept
cdef uint64_t opaque_count(const Entry* e) noexcept
cdef int64_t opaque_effort(const Entry* e) noexcept
cdef int opaque_verify(Entry* e) except -1


cdef inline Opaque* opaque_of(const Entry* e) noexcept:
    return <Opaque*>entry_slot(<Entry*>e)[0]


cdef inline char* opaque_bytes(Opaque* opaque) noexcept:
    return <char*>(opaque + 1)
