"""CRC-64. The design comment is in crc64.pxd."""
from libc.stdint cimport uint8_t
from libc.string cimport memcpy

cdef extern from *:
    """
    #if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
    #error "eight bytes are taken at a time, the first one as the lowest"
    #endif
    """

cdef enum:
    SLICE = 8                           # bytes taken at a time, and tables

# tables[k][b]: what byte b comes to when k bytes of zeros follow.
cdef uint64_t[SLICE][256] tables


cdef int make_tables() noexcept:
    """Bit by bit for one byte; each further table from the one before."""
    cdef uint64_t reflected = 0x95AC9329AC4BC9B5ULL     # 0xAD93D23594C935A9 with its bits in reverse
    cdef uint64_t crc
    cdef int byte, _bit, k

    for byte in range(256):
        crc = byte
        for _bit in range(8):
            crc = crc >> 1 ^ (reflected if crc & 1 else 0)
        tables[0][byte] = crc
    for byte in range(256):
        crc = tables[0][byte]
        for k in range(1, SLICE):
            crc = tables[0][crc & 0xFF] ^ crc >> 8
            tables[k][byte] = crc
    return 0


make_tables()


cdef uint64_t crc64(uint64_t crc, const void* data, size_t size) noexcept nogil:
    """The CRC of these bytes behind those that came to `crc`; 0 at the start."""
    cdef const uint8_t* p = <const uint8_t*>data
    cdef uint64_t word

    while size >= SLICE:
        memcpy(&word, p, SLICE)
        crc ^= word
        crc = (tables[7][crc & 0xFF] ^ tables[6][crc >> 8 & 0xFF] ^ tables[5][crc >> 16 & 0xFF]
               ^ tables[4][crc >> 24 & 0xFF] ^ tables[3][crc >> 32 & 0xFF] ^ tables[2][crc >> 40 & 0xFF]
               ^ tables[1][crc >> 48 & 0xFF] ^ tables[0][crc >> 56])
        p += SLICE
        size -= SLICE
    while size:
        crc = tables[0][(crc ^ p[0]) & 0xFF] ^ crc >> 8
        p += 1
        size -= 1
    return crc
