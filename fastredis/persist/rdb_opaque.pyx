"""Walking through values of types that are not known. The design comment is in rdb_opaque.pxd."""
from libc.stdint cimport uint8_t, uint64_t

from fastredis.ds.native cimport monotonic_us
from fastredis.persist.rdb cimport (
    RDB_MODULE_2, RDB_MODULE_DOUBLE, RDB_MODULE_EOF, RDB_MODULE_FLOAT, RDB_MODULE_SINT, RDB_MODULE_STRING,
    RDB_MODULE_UINT,
)
from fastredis.persist.rdb_reader cimport (
    RDB_SCRATCH_VALUE, RdbText, rdb_corrupt, rdb_read_bytes, rdb_read_length, rdb_read_string,
)
from fastredis.values.entry cimport ENC_OPAQUE, TYPE_MODULE
from fastredis.values.opaque_type cimport (
    OPAQUE_NAME, opaque_append, opaque_bytes, opaque_entry, opaque_free, opaque_new,
)

cdef enum:                              # steps
    AT_START = 0                        # which module
    AT_PART                             # of a module's value
    AT_END

cdef enum:
    TIME_STEPS = 64                     # steps between two looks at the clock
    NAME_BITS = 6                       # of a character in a module's id
    NAME_SHIFT = 10                     # bits below the name: the version of the encoding

cdef bytes NAME_CHARACTERS = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


cdef bint opaque_knows(int kind) noexcept:
    return kind == RDB_MODULE_2


# ---------------------------------------------------------------- modules

cdef bint read_module_id(RdbReader* r, OpaqueWalk* walk) except -1:
    """Which type of which module: nine characters and a version."""
    cdef uint64_t number
    cdef int i

    if not rdb_read_length(r, &number):
        return False
    number >>= NAME_SHIFT
    for i in range(OPAQUE_NAME - 2, -1, -1):
        walk.opaque.name[i] = NAME_CHARACTERS[number & 63]
        number >>= NAME_BITS
    walk.at = AT_PART
    return True


cdef int read_part(RdbReader* r) except -1:
    """One part of what a module has stored: 1, or 2 if it was the end; 0: more is needed."""
    cdef uint64_t form, n
    cdef RdbText text
    cdef const uint8_t* p

    if not rdb_read_length(r, &form):
        return 0
    if form == RDB_MODULE_EOF:
        return 2
    if form == RDB_MODULE_SINT or form == RDB_MODULE_UINT:
        return rdb_read_length(r, &n)
    if form == RDB_MODULE_STRING:
        return rdb_read_string(r, RDB_SCRATCH_VALUE, &text)
    if form == RDB_MODULE_FLOAT or form == RDB_MODULE_DOUBLE:
        return rdb_read_bytes(r, 4 if form == RDB_MODULE_FLOAT else 8, &p)
    return rdb_corrupt(r, f"unknown part {form} of what a module has stored")


cdef bint step_module(RdbReader* r, OpaqueWalk* walk) except -1:
    cdef int found

    if walk.at == AT_START:
        return read_module_id(r, walk)
    found = read_part(r)
    if found == 2:
        walk.at = AT_END
    return found != 0


# ---------------------------------------------------------------- the walk

cdef OpaqueResult opaque_go_on(RdbReader* r, OpaqueWalk* walk, int64_t until_us) except OPAQUE_FAILED:
    """Pass as much as there is, or there is time for, and keep it."""
    cdef size_t begin = r.pos
    cdef size_t start
    cdef OpaqueResult result = OPAQUE_DONE
    cdef int steps = 0

    if walk.opaque is NULL:
        walk.opaque = opaque_new(r.account, walk.kind)
    while walk.at != AT_END:
        start = r.pos
        if not step_module(r, walk):
            r.pos = start
            result = OPAQUE_MORE
            break
        steps += 1
        if steps % TIME_STEPS == 0 and walk.at != AT_END and monotonic_us() > until_us:
            result = OPAQUE_LATER
            break
    opaque_append(r.account, &walk.opaque, r.data + begin, r.pos - begin)
    return result


cdef Entry* opaque_take(Account* account, OpaqueWalk* walk, const char* key, size_t key_size) except NULL:
    """The value that was passed, under a key."""
    cdef Opaque* opaque = walk.opaque

    walk.opaque = NULL
    return opaque_entry(account, TYPE_MODULE, ENC_OPAQUE, key, key_size, opaque)


cdef int opaque_start_parts(Account* account, OpaqueWalk* walk, const void* head, size_t size) noexcept:
    opaque_start(walk, RDB_MODULE_2)
    walk.at = AT_PART
    walk.opaque = opaque_new(account, walk.kind)
    return opaque_append(account, &walk.opaque, head, size)


cdef bytes opaque_take_bytes(Account* account, OpaqueWalk* walk):
    cdef bytes passed = opaque_bytes(walk.opaque)[:walk.opaque.size]

    opaque_clear(account, walk)
    return passed


cdef void opaque_clear(Account* account, OpaqueWalk* walk) noexcept:
    """Drop what was passed."""
    if walk.opaque is not NULL:
        opaque_free(account, walk.opaque)
        walk.opaque = NULL
