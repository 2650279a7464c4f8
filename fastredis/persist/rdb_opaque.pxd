# Walking through values in the RDB format whose type this server does not know, to keep their bytes.
#
#   module   id of the module's type, then parts, each with a number in front that tells its form, up to RDB_MODULE_EOF
#
# A walk goes on in steps, each over what makes sense only as a whole, so that a value of any size comes in pieces, and
# in slices of time. What it has passed is appended to an Opaque. Nothing is believed: strings have to be there and to
# be what they say. What the parts of a module mean nobody but the module knows.
# Source: https://github.com/redis/redis/blob/7.2/src/rdb.c (the format; the order of what is read)

from libc.stdint cimport int64_t

from fastredis.ds.alloc cimport Account
from fastredis.persist.rdb_reader cimport RdbReader
from fastredis.values.entry cimport Entry
from fastredis.values.opaque_type cimport Opaque

cdef struct OpaqueWalk:
    int kind                            # RDB_* type
    int at                              # which step is next; see rdb_opaque.pyx
    Opaque* opaque                      # what was passed; NULL before the first byte

cdef enum OpaqueResult:
    OPAQUE_FAILED = -1                  # an exception
    OPAQUE_MORE = 0                     # the window ends within
    OPAQUE_DONE = 1
    OPAQUE_LATER = 2                    # the time is over

# Whether a type is one whose values are kept like that.
cdef bint opaque_knows(int kind) noexcept
# Read on; after OPAQUE_MORE and OPAQUE_LATER pos is where the next call goes on.
cdef OpaqueResult opaque_go_on(RdbReader* r, OpaqueWalk* walk, int64_t until_us) except OPAQUE_FAILED
# The value that was passed, under a key. The walk is over.
cdef Entry* opaque_take(Account* account, OpaqueWalk* walk, const char* key, size_t key_size) except NULL
cdef void opaque_clear(Account* account, OpaqueWalk* walk) noexcept     # any number of times
# A walk through the parts of what a module has stored beside the keys; `head` stands before them, and is kept, too.
cdef int opaque_start_parts(Account* account, OpaqueWalk* walk, const void* head, size_t size) noexcept
# What was passed, as bytes. The walk is over.
cdef bytes opaque_take_bytes(Account* account, OpaqueWalk* walk)


cdef inline void opaque_start(OpaqueWalk* walk, int kind) noexcept:
    """Nothing is passed yet of a value of that type."""
    walk.kind = kind
    walk.at = 0
    walk.opaque = NULL
