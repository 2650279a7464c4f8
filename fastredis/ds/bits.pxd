# Bits: a string of bytes as an array of bits, as SETBIT, BITCOUNT, BITOP and BITFIELD see it.
#
#   byte     0                1                2
#   bit      0 1 2 3 4 5 6 7  8 9 10 ...       16 ...      the first bit of a byte is its highest
#   field              [ 1 0  1 1 0 ]                      5 bits at offset 6: unsigned 22, signed -10
#
# A field is a big-endian integer of 1 to 64 bits at any bit. Ranges are in bits, from start
# up to but not including stop. The bytes belong to the caller; nothing here allocates,
# needs the GIL or wants aligned data. Counting and searching go by 64-bit words.
# Source: https://redis.io/docs/latest/commands/setbit/, .../bitop/, .../bitfield/

from libc.stddef cimport size_t
from libc.stdint cimport int64_t, uint64_t

cdef enum BitOp:
    BIT_AND
    BIT_OR
    BIT_XOR
    BIT_NOT                             # of the first string
    BIT_DIFF                            # in the first and in none of the others
    BIT_DIFF1                           # in some of the others and not in the first
    BIT_ANDOR                           # in the first and in some of the others
    BIT_ONE                             # in exactly one

cdef enum Overflow:
    OVERFLOW_WRAP                       # keep the low bits
    OVERFLOW_SAT                        # stop at the lowest or highest value
    OVERFLOW_FAIL                       # change nothing

cdef struct BitString:
    const char* data
    size_t size                         # bytes; zeros follow without end

cdef int64_t bits_count(const char* data, uint64_t start, uint64_t stop) noexcept nogil
cdef int64_t bits_find(const char* data, uint64_t start, uint64_t stop, bint bit) noexcept nogil
cdef void bits_combine(BitOp op, char* out, size_t size, const BitString* strings, size_t count) noexcept nogil
cdef int64_t field_get(const char* data, size_t size, uint64_t offset, int width, bint is_signed) noexcept nogil
cdef void field_set(char* data, uint64_t offset, int width, int64_t value) noexcept nogil
cdef bint field_add(int64_t value, int64_t increment, int width, bint is_signed, Overflow overflow,
                    int64_t* sum) noexcept nogil


cdef inline bint bit_get(const char* data, uint64_t offset) noexcept nogil:
    return <unsigned char>data[offset >> 3] >> (7 - (offset & 7)) & 1


cdef inline void bit_set(char* data, uint64_t offset, bint bit) noexcept nogil:
    cdef int shift = 7 - <int>(offset & 7)

    data[offset >> 3] = <char>((data[offset >> 3] & ~(1 << shift)) | bit << shift)
