# Reading the RDB format: values, from bytes that may not all have come yet.
#
#   RdbReader (rdb_reader) --> RdbBuild { kind, left, e }          a collection under way, element by element
#                                       { stream }                 a stream (rdb_stream)
#                                       { array }                  an array (rdb_array)
#                                       { walk }                   one of a type that is not known (rdb_opaque)
#
# Nothing that is read is trusted. Listpacks and intsets are walked through before they are used; elements that are
# there twice, scores that are no numbers or out of order, deadlines out of order and empty collections are errors:
# RdbError, with the place.
#
# A value gets the encoding that the limits want, as Redis does. Old forms (ziplists, zipmaps) are in rdb_old.

from libc.stdint cimport int64_t, uint64_t

from fastredis.ds.alloc cimport Account
from fastredis.persist.rdb_array cimport ArrayWalk
from fastredis.persist.rdb_opaque cimport OpaqueWalk
from fastredis.persist.rdb_reader cimport RdbReader
from fastredis.persist.rdb_stream cimport StreamWalk
from fastredis.values.entry cimport Entry
from fastredis.values.limits cimport Limits
from fastredis.values.zset_type cimport ZsetBuild

cdef struct RdbBuild:                   # a value under way
    int kind                            # RDB_* type
    Entry* e                            # NULL before its first element
    bint counted                        # `left` is known
    uint64_t left                       # elements, or nodes, still to come
    int64_t soonest_ms                  # RDB_HASH_METADATA, RDB_SET_METADATA: what deadlines are relative to
    bint sorting                        # zset is in use
    ZsetBuild zset
    OpaqueWalk walk                     # of a type that is not known
    StreamWalk stream
    ArrayWalk array

cdef enum RdbResult:                    # what building a value came to
    RDB_FAILED = -1                     # an exception
    RDB_MORE = 0                        # the window ends within
    RDB_DONE = 1                        # it is build.e, the caller's
    RDB_EMPTY = 2                       # a collection without elements: nothing was made
    RDB_LATER = 3                       # the time is over

# --- one value, its type byte read already: start a build, then go on until it is neither MORE nor LATER.
# until_us: of the monotonic clock. A build that was not DONE is to be cleared.
cdef void rdb_build_start(RdbBuild* b, int kind) noexcept
cdef RdbResult rdb_build_go_on(RdbReader* r, RdbBuild* b, const char* key, size_t key_size,
                               int64_t until_us) except RDB_FAILED
cdef void rdb_build_clear(RdbReader* r, RdbBuild* b) noexcept

# --- a DUMP payload
# Whether its version (any_version: whatever it is) and (verify) its checksum are right.
cdef bint rdb_dump_valid(const char* payload, size_t size, bint verify, bint any_version) noexcept
# The value; RdbError: it is corrupt, or empty.
cdef Entry* rdb_read_dump(Account* account, const Limits* limits, const char* payload, size_t size,
                          const char* key, size_t key_size) except NULL
