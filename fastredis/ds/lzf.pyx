"""LZF compression. The design comment is in lzf.pxd.

The compressor remembers where each hash of three bytes was seen last, as the low 16 bits of
the position: enough, since copies reach 8192 bytes back, and what is found is compared anyway.
Where nothing has matched for long it looks at fewer places.
Rejected: chains of older places (a tenth smaller, at a fraction of the speed).
"""
from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset

from fastredis.ds.native cimport clz64, ctz64, unlikely

cdef extern from *:
    """
    #if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
    #error "matches are measured in words whose first byte is the lowest"
    #endif
    """

cdef enum:
    MAX_LITERALS = 32           # bytes of one run
    MIN_COPY = 3
    MAX_COPY = 264
    MAX_DISTANCE = 8192
    LEAST_BITS = 8              # of the table: four times the size of the input, as it has to be zeroed
    MOST_BITS = 14
    PATIENCE = 7                # 2**PATIENCE places without a match make the steps one byte longer


# ---------------------------------------------------------------- compression

cdef inline uint32_t load4(const uint8_t* p) noexcept:
    cdef uint32_t word

    memcpy(&word, p, 4)
    return word


cdef inline uint32_t hash3(uint32_t word, int bits) noexcept:
    """Of the first three bytes of the word."""
    return ((word << 8) * <uint32_t>2654435761) >> (32 - bits)


cdef inline size_t same_length(const uint8_t* a, const uint8_t* b, size_t most) noexcept:
    """How many of the first `most` bytes are the same."""
    cdef uint64_t x, y
    cdef size_t n = 0

    while n + 8 <= most:
        memcpy(&x, a + n, 8)
        memcpy(&y, b + n, 8)
        if x != y:
            return n + (ctz64(x ^ y) >> 3)
        n += 8
    while n < most and a[n] == b[n]:
        n += 1
    return n


cdef inline uint8_t* put_literals(uint8_t* to, const uint8_t* end, const uint8_t* data, size_t size) noexcept:
    """Write bytes as they are, in runs. Where it ended; NULL when there is no room."""
    cdef size_t run

    if size + (size + MAX_LITERALS - 1) // MAX_LITERALS > <size_t>(end - to):
        return NULL
    while size:
        run = min(size, <size_t>MAX_LITERALS)
        to[0] = <uint8_t>(run - 1)
        memcpy(to + 1, data, run)
        to += run + 1
        data += run
        size -= run
    return to


cdef inline uint8_t* put_copy(uint8_t* to, const uint8_t* end, size_t distance, size_t length) noexcept:
    """Write a copy. Where it ended; NULL when there is no room."""
    cdef size_t offset = distance - 1, code = length - 2

    if end - to < 2 + (code >= 7):
        return NULL
    if code < 7:
        to[0] = <uint8_t>(code << 5 | offset >> 8)
        to[1] = <uint8_t>offset
        return to + 2
    to[0] = <uint8_t>(7 << 5 | offset >> 8)
    to[1] = <uint8_t>(code - 7)
    to[2] = <uint8_t>offset
    return to + 3


cdef size_t lzf_compress(const void* data, size_t size, void* out, size_t room) noexcept:
    cdef uint16_t[1 << MOST_BITS] table
    cdef const uint8_t* text = <const uint8_t*>data
    cdef uint8_t* to = <uint8_t*>out
    cdef const uint8_t* end = to + room
    cdef int bits = max(<int>LEAST_BITS, min(<int>MOST_BITS, 66 - clz64(size | 1)))
    cdef size_t at = 1, anchor = 0, length, distance
    cdef uint32_t word
    cdef uint16_t* slot

    memset(table, 0, sizeof(uint16_t) << bits)
    while at + 4 <= size:
        word = load4(text + at)
        slot = &table[hash3(word, bits)]
        distance = <uint16_t>(at - slot[0])
        slot[0] = <uint16_t>at
        # A distance of 0 is none, and wraps around.
        if distance - 1 >= MAX_DISTANCE or distance > at or (load4(text + at - distance) ^ word) << 8:
            at += 1 + ((at - anchor) >> PATIENCE)
            continue
        length = same_length(text + at, text + at - distance, min(size - at, <size_t>MAX_COPY))
        to = put_literals(to, end, text + anchor, at - anchor)
        if to is NULL:
            return 0
        to = put_copy(to, end, distance, length)
        if to is NULL:
            return 0
        at += length
        anchor = at
        if at + 2 <= size:
            table[hash3(load4(text + at - 2), bits)] = <uint16_t>(at - 2)
        if at + 3 <= size:
            table[hash3(load4(text + at - 1), bits)] = <uint16_t>(at - 1)
    to = put_literals(to, end, text + anchor, size - anchor)
    return to - <uint8_t*>out if to is not NULL else 0


# ---------------------------------------------------------------- decompression

cdef inline void copy_back(uint8_t* to, size_t distance, size_t length, size_t room) noexcept:
    """Copy `length` bytes from `distance` back, which may be less. `room`: bytes from `to` on, all may be written."""
    cdef const uint8_t* p = to - distance
    cdef size_t n = 0

    if distance >= 8 and length + 7 <= room:
        while n < length:
            memcpy(to + n, p + n, 8)
            n += 8
        return
    if distance == 1:
        memset(to, p[0], length)
        return
    while n < length:
        to[n] = p[n]
        n += 1


cdef size_t lzf_decompress(const void* data, size_t size, void* out, size_t room) noexcept:
    cdef const uint8_t* p = <const uint8_t*>data
    cdef const uint8_t* end = p + size
    cdef uint8_t* to = <uint8_t*>out
    cdef size_t left = room, length, distance

    while p < end:
        length = p[0]
        p += 1
        if length < MAX_LITERALS:
            length += 1
            if unlikely(length > left or length > <size_t>(end - p)):
                return 0
            if left >= MAX_LITERALS and end - p >= MAX_LITERALS:
                memcpy(to, p, MAX_LITERALS)
            else:
                memcpy(to, p, length)
            p += length
        else:
            distance = (length & 0x1F) << 8
            length >>= 5
            if unlikely(end - p < 1 + (length == 7)):
                return 0
            if length == 7:
                length += p[0]
                p += 1
            length += 2
            distance += p[0] + 1
            p += 1
            if unlikely(length > left or distance > room - left):
                return 0
            copy_back(to, distance, length, left)
        to += length
        left -= length
    return room if left == 0 else 0
