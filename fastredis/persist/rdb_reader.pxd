# Reading the RDB format: lengths and strings, from bytes that may not all have come yet.
#
#   RdbReader { data [ ....pos.......size ], base, wanted }        a window on all bytes
#
# Reading functions return False when the window ends before what they read does; `wanted` says then how far it has to
# reach for going on to make sense. The caller sets pos back to where a whole element begins, and tries again once
# there are more bytes. In a reader that has `ended`, that is an error instead. So a value of any size is read in slices
# of time and from pieces of any size, and what has to be in memory at once is an element, or a node of a list.
#
# Nothing that is read is trusted. No memory is taken on the word of a length: there is room for what has come, and
# for a multiple of it that the format allows (LZF: 88).

from libc.stdint cimport int64_t, uint8_t, uint64_t

from fastredis.ds.alloc cimport Account
from fastredis.ds.numbers cimport INT64_TEXT
from fastredis.values.limits cimport Limits

cdef enum:
    RDB_SCRATCH_FIELD = 0               # which scratch buffer a string may use
    RDB_SCRATCH_VALUE = 1
    RDB_SCRATCH_KEY = 2
    RDB_SCRATCHES = 3

cdef struct RdbScratch:
    uint8_t* data
    size_t room
    char[INT64_TEXT] digits

cdef struct RdbReader:
    Account* account                    # of values and buffers
    const Limits* limits
    const uint8_t* data                 # the window
    size_t pos                          # what is read next
    size_t size                         # bytes in the window
    size_t wanted                       # after a False: bytes the window must have at least
    bint ended                          # no more will come
    uint64_t base                       # how far from the start of all bytes data[0] is
    uint64_t to_come                    # at most so many bytes will come behind the window; UINT64_MAX: not known
    int version                         # of the format
    RdbScratch[RDB_SCRATCHES] scratch   # strings that do not lie in the window as they are

cdef struct RdbText:                    # a string that was read
    const char* text                    # in the window or a scratch buffer; good until the next read with that buffer
    size_t size
    bint is_number                      # it was stored as an integer; text has its digits
    int64_t number

cdef void rdb_reader_init(RdbReader* r, Account* account, const Limits* limits, const void* data, size_t size) noexcept
cdef void rdb_reader_clear(RdbReader* r) noexcept           # scratch buffers; the window is the caller's
cdef int rdb_corrupt(const RdbReader* r, str text) except -1        # raises RdbError
cdef bint rdb_missing(RdbReader* r, size_t size) except -1  # so many bytes from pos on are not there: False, or raises
cdef uint64_t rdb_most(const RdbReader* r, uint64_t n, uint64_t bytes_each) noexcept    # n, but no more than may come
cdef bint rdb_read_length(RdbReader* r, uint64_t* n) except -1
cdef bint rdb_read_string(RdbReader* r, int which, RdbText* out) except -1
cdef bint rdb_read_8(RdbReader* r, int64_t* number) except -1       # eight bytes, the lowest first


cdef inline bint rdb_read_bytes(RdbReader* r, size_t size, const uint8_t** data) except -1:
    """Take bytes as they are."""
    if r.size - r.pos < size:
        return rdb_missing(r, size)
    data[0] = r.data + r.pos
    r.pos += size
    return True
