"""Reading arrays in the RDB format. The design comment is in rdb_array.pxd."""
from libc.stdint cimport UINT64_MAX

from fastredis.ds.native cimport monotonic_us
from fastredis.ds.sparse_array cimport array_set
from fastredis.persist.rdb_reader cimport (
    RDB_SCRATCH_VALUE, RdbText, rdb_corrupt, rdb_read_length, rdb_read_string,
)
from fastredis.values.array_type cimport array_new, array_of
from fastredis.values.value cimport entry_free

cdef enum:
    TIME_STEPS = 64                     # values between two looks at the clock


cdef void array_walk_start(ArrayWalk* walk) noexcept:
    walk.e = NULL
    walk.left = walk.index = 0


cdef bint read_numbers(RdbReader* r, ArrayWalk* walk, const char* key, size_t key_size) except -1:
    cdef uint64_t next, ring, count

    if not (rdb_read_length(r, &next) and rdb_read_length(r, &ring) and rdb_read_length(r, &count)):
        return False
    if count == 0:
        rdb_corrupt(r, "an array without elements")
    walk.e = array_new(r.account, key, key_size)
    array_of(walk.e).next, array_of(walk.e).ring = next, ring
    walk.left, walk.index = count, 0
    return True


cdef bint read_value(RdbReader* r, ArrayWalk* walk) except -1:
    cdef uint64_t gap
    cdef RdbText text

    if not rdb_read_length(r, &gap) or not rdb_read_string(r, RDB_SCRATCH_VALUE, &text):
        return False
    if walk.index == UINT64_MAX or gap >= UINT64_MAX - walk.index:
        rdb_corrupt(r, "an array with an index that is too high")
    array_set(&array_of(walk.e).slots, walk.index + gap, text.text, text.size)
    walk.index += gap + 1
    walk.left -= 1
    return True


cdef ArrayResult array_walk_on(RdbReader* r, ArrayWalk* walk, const char* key, size_t key_size,
                               int64_t until_us) except ARRAY_FAILED:
    cdef size_t start = r.pos

    if walk.e is NULL and not read_numbers(r, walk, key, key_size):
        r.pos = start
        return ARRAY_MORE
    while walk.left:
        start = r.pos
        if not read_value(r, walk):
            r.pos = start
            return ARRAY_MORE
        if walk.left % TIME_STEPS == 0 and walk.left and monotonic_us() > until_us:
            return ARRAY_LATER
    return ARRAY_DONE


cdef void array_walk_clear(Account* account, ArrayWalk* walk) noexcept:
    if walk.e is not NULL:
        entry_free(account, walk.e)
        walk.e = NULL
