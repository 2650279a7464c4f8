"""Reading lengths and strings in the RDB format. The design comment is in rdb_reader.pxd, the format in rdb.pxd."""
from libc.stdint cimport UINT32_MAX, int16_t, int32_t, int8_t, uint32_t
from libc.string cimport memcpy, memset

from fastredis.ds.alloc cimport LARGE, mem_alloc, mem_free, mem_possible
from fastredis.ds.lzf cimport lzf_decompress
from fastredis.ds.native cimport bswap32, bswap64, unlikely
from fastredis.ds.numbers cimport format_int64
from fastredis.persist.rdb cimport (
    RDB_ENC_INT16, RDB_ENC_INT32, RDB_ENC_INT8, RDB_ENC_LZF, RDB_LEN_14, RDB_LEN_32, RDB_LEN_64, RDB_LEN_ENCODED,
    RDB_VERSION_MAX,
)

cdef extern from *:
    """
    #if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
    #error "numbers of RDB files are read as they lie there"
    #endif
    """

cdef enum:
    LZF_RATIO = 88                      # bytes that a compressed byte can become: 264 out of 3
    RESERVE_LEAST = 64 * 1024           # elements for which there is room at once even if nothing is known


class RdbError(Exception):
    """Bytes that are not what the RDB format says. `offset` is where, from the start of the file or payload."""

    def __init__(self, text, offset=0):
        super().__init__(text)
        self.offset = offset

    def __str__(self):
        return f"{self.args[0]} (at offset {self.offset})"


# ---------------------------------------------------------------- the window

cdef void rdb_reader_init(RdbReader* r, Account* account, const Limits* limits, const void* data, size_t size) noexcept:
    """A reader of these bytes, after which more may come unless the caller says that it `ended`."""
    memset(r, 0, sizeof(RdbReader))
    r.account = account
    r.limits = limits
    r.data = <const uint8_t*>data
    r.size = size
    r.to_come = <uint64_t>-1
    r.version = RDB_VERSION_MAX


cdef void rdb_reader_clear(RdbReader* r) noexcept:
    """Free the scratch buffers; any number of times."""
    cdef int i

    for i in range(RDB_SCRATCHES):
        mem_free(r.account, r.scratch[i].data, r.scratch[i].room)
        r.scratch[i].data = NULL
        r.scratch[i].room = 0


cdef int rdb_corrupt(const RdbReader* r, str text) except -1:
    """Raise RdbError with the place that is read next."""
    raise RdbError(text, r.base + r.pos)


cdef bint rdb_missing(RdbReader* r, size_t size) except -1:
    """The window ends within the `size` bytes from pos on: False, or an error if no more can come."""
    if r.ended or (r.to_come != <uint64_t>-1 and size - (r.size - r.pos) > r.to_come):
        rdb_corrupt(r, "unexpected end")
    r.wanted = r.pos + size if size <= <size_t>-1 - r.pos else <size_t>-1
    return False


cdef uint64_t rdb_most(const RdbReader* r, uint64_t n, uint64_t bytes_each) noexcept:
    """How many of n elements there can be in the bytes that may come: for what to reserve."""
    cdef uint64_t come = r.size - r.pos

    if r.to_come == <uint64_t>-1:
        return min(n, come // bytes_each + RESERVE_LEAST)
    return min(n, (come + r.to_come) // bytes_each)


cdef bint rdb_read_8(RdbReader* r, int64_t* number) except -1:
    """Eight bytes, the lowest first."""
    cdef const uint8_t* p

    if not rdb_read_bytes(r, 8, &p):
        return False
    memcpy(number, p, 8)
    return True


cdef inline bint read_head(RdbReader* r, int* code, uint64_t* n) except -1:
    """A length: code is 0, n the length. Or the start of an encoded string: code is 0xC0 | RDB_ENC_*."""
    cdef const uint8_t* p
    cdef int first
    cdef uint32_t n32
    cdef uint64_t n64

    if not rdb_read_bytes(r, 1, &p):
        return False
    first = p[0]
    code[0] = 0
    if first < RDB_LEN_14:
        n[0] = first
        return True
    if first >= RDB_LEN_ENCODED:
        code[0] = first
        return True
    if first < RDB_LEN_32:
        if not rdb_read_bytes(r, 1, &p):
            return False
        n[0] = (first & 0x3F) << 8 | p[0]
        return True
    if first == RDB_LEN_32:
        if not rdb_read_bytes(r, 4, &p):
            return False
        memcpy(&n32, p, 4)
        n[0] = bswap32(n32)
        return True
    if first != RDB_LEN_64:
        rdb_corrupt(r, f"unknown length encoding {first:#x}")
    if not rdb_read_bytes(r, 8, &p):
        return False
    memcpy(&n64, p, 8)
    n[0] = bswap64(n64)
    return True


cdef bint rdb_read_length(RdbReader* r, uint64_t* n) except -1:
    cdef int code

    if not read_head(r, &code, n):
        return False
    if code:
        rdb_corrupt(r, "an encoded string in the place of a length")
    return True


cdef uint8_t* scratch_for(RdbReader* r, int which, size_t size) except NULL:
    """A scratch buffer of at least that size."""
    cdef RdbScratch* scratch = &r.scratch[which]
    cdef uint8_t* data

    if scratch.room < size or scratch.data is NULL:
        data = <uint8_t*>mem_alloc(r.account, size + size // 4)
        mem_free(r.account, scratch.data, scratch.room)
        scratch.data = data
        scratch.room = size + size // 4
    return scratch.data


cdef inline int check_size(const RdbReader* r, size_t size) except -1:
    """Whether there can be a string of that size, and there is memory for it."""
    if unlikely(size >= LARGE and (size > UINT32_MAX or not mem_possible(size))):
        rdb_corrupt(r, f"insufficient memory for a string of {size} bytes")
    return 0


cdef bint read_compressed(RdbReader* r, int which, RdbText* out) except -1:
    cdef uint64_t packed, size
    cdef const uint8_t* data
    cdef uint8_t* to

    if not rdb_read_length(r, &packed) or not rdb_read_length(r, &size) or not rdb_read_bytes(r, packed, &data):
        return False
    if size // LZF_RATIO > packed:
        rdb_corrupt(r, f"{packed} compressed bytes cannot become {size}")
    check_size(r, size)
    to = scratch_for(r, which, size)
    if size == 0 or lzf_decompress(data, packed, to, size) != size:
        rdb_corrupt(r, "Invalid LZF compressed string")
    check_size(r, size)                 # now for the value
    out.text = <const char*>to
    out.size = size
    return True


cdef bint read_encoded(RdbReader* r, int which, int code, RdbText* out) except -1:
    """What follows the first byte of a string that is not just bytes."""
    cdef const uint8_t* p
    cdef int16_t n16
    cdef int32_t n32

    if code == RDB_LEN_ENCODED | RDB_ENC_LZF:
        return read_compressed(r, which, out)
    if code == RDB_LEN_ENCODED | RDB_ENC_INT8:
        if not rdb_read_bytes(r, 1, &p):
            return False
        out.number = <int8_t>p[0]
    elif code == RDB_LEN_ENCODED | RDB_ENC_INT16:
        if not rdb_read_bytes(r, 2, &p):
            return False
        memcpy(&n16, p, 2)
        out.number = n16
    elif code == RDB_LEN_ENCODED | RDB_ENC_INT32:
        if not rdb_read_bytes(r, 4, &p):
            return False
        memcpy(&n32, p, 4)
        out.number = n32
    else:
        rdb_corrupt(r, f"unknown string encoding {code & 0x3F}")
    out.is_number = True
    out.text = r.scratch[which].digits
    out.size = format_int64(r.scratch[which].digits, out.number)
    return True


cdef bint rdb_read_string(RdbReader* r, int which, RdbText* out) except -1:
    """A string, in scratch buffer `which` if it does not lie in the window as it is."""
    cdef const uint8_t* p
    cdef uint64_t size
    cdef int code

    out.is_number = False
    if not read_head(r, &code, &size):
        return False
    if code:
        return read_encoded(r, which, code, out)
    if not rdb_read_bytes(r, size, &p):
        return False
    check_size(r, size)
    out.text = <const char*>p
    out.size = size
    return True
