# Arrays: strings by their index, 0 to 2^64 - 2, of which any may be empty; a cursor that appends go by.
#
#   ENC_SLICED   slot -> Array { SparseArray, next, ring }
#
# `next` is where ARINSERT puts its first value. Nothing but an append or ARSEEK moves it, so it may be anywhere, also
# below or above all that is there. NO_INDEX: the last index was used, and nothing can be appended.
# `ring`: as many indexes as ARRING said last, which goes on at index 0 behind the last of them; 0: it was never called.
# When it says another size, the newest values are put from index 0 on, in their order, and `next` behind them.
#
# Nothing is known of the order in which values came but the cursor: the newest is the one before it, and they get older
# towards index 0, then from the highest index down to the cursor.
# Source: https://redis.io/docs/latest/develop/data-types/arrays/

from libc.stdint cimport UINT64_MAX, int64_t, uint64_t

from fastredis.ds.alloc cimport Account
from fastredis.ds.id_tree cimport IdPlace
from fastredis.ds.sparse_array cimport SparseArray
from fastredis.values.entry cimport Entry, entry_slot

cdef enum:
    COPY_SLICES = 2                 # copied by one array_copy_on(): up to 64 KiB of slots

cdef struct Array:
    SparseArray slots
    uint64_t next
    uint64_t ring

# --- life
# How many arrays there are in the process, of whatever engine: where there are none, nobody has to look for one.
cdef int64_t arrays_alive() noexcept
cdef Entry* array_new(Account* account, const char* key, size_t key_size) noexcept
# A copy in pieces: begin one, then go on with `at` until it is whole.
cdef Entry* array_copy_begin(Account* account, const Entry* e, const char* key, size_t key_size, IdPlace* at) noexcept
cdef bint array_copy_on(Entry* copy, const Entry* e, IdPlace* at) noexcept

# Make a ring of `size` indexes of an array. True: something in it was moved or dropped.
cdef bint array_make_ring(Account* account, Array* a, uint64_t size) noexcept
# Where the value is that came `age` values, 0 to array_count() - 1, before the newest, if none was deleted.
cdef uint64_t array_recent(const Array* a, uint64_t age) noexcept

# --- for values/value
cdef void array_free_value(Account* account, Entry* e) noexcept
cdef int64_t array_drain_value(Account* account, Entry* e, int64_t elements) noexcept
cdef Entry* array_copy(Account* account, const Entry* e, const char* key, size_t key_size) noexcept
cdef size_t array_value_bytes(const Entry* e, int64_t samples) noexcept
cdef uint64_t array_value_count(const Entry* e) noexcept
cdef int64_t array_effort(const Entry* e) noexcept
cdef int array_verify_value(Entry* e) except -1


cdef inline Array* array_of(const Entry* e) noexcept:
    return <Array*>entry_slot(<Entry*>e)[0]
