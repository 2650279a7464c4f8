# Members of sets and sorted sets as they lie in their block: size, then bytes.
#
#   [ size, 1 byte ][ bytes ... ]                 below 254 bytes
#   [ 0xFE ][ size, 4 bytes ][ bytes ... ]
#
# A 13-byte member takes 14 bytes, one 16-byte block. The block's end is known from its
# start, as mem_free() needs.

from libc.stdint cimport uint8_t, uint32_t
from libc.string cimport memcpy

cdef enum:
    LONG_MEMBER = 0xFE                  # first byte of a size that takes four more
    MEMBER_MAX = 0xFFFFFFFF             # bytes of the longest member


cdef inline size_t member_bytes(size_t size) noexcept:
    """Bytes that a member of `size` bytes takes, its size included."""
    return size + (1 if size < LONG_MEMBER else 5)


cdef inline const char* member_text(const uint8_t* member, size_t* size) noexcept:
    """The bytes of a member, and how many."""
    cdef uint32_t wide

    if member[0] < LONG_MEMBER:
        size[0] = member[0]
        return <const char*>member + 1
    memcpy(&wide, member + 1, 4)
    size[0] = wide
    return <const char*>member + 5


cdef inline void member_write(uint8_t* member, const char* text, size_t size) noexcept:
    """Lay a member out in member_bytes(size) bytes. size is at most MEMBER_MAX."""
    cdef uint32_t wide = <uint32_t>size

    if size < LONG_MEMBER:
        member[0] = <uint8_t>size
        memcpy(member + 1, text, size)
    else:
        member[0] = LONG_MEMBER
        memcpy(member + 1, &wide, 4)
        memcpy(member + 5, text, size)
