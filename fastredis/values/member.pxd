# Members of sets and sorted sets as they lie in their block: size, then bytes.
#
#   [ size, 1 byte ][ bytes ... ]                 below 254 bytes
#   [ 0xFE ][ size, 4 bytes ][ bytes ... ]
#   [ 0xFF ][ - - - ][ index, 4 bytes ][ one of the above ]     of a set whose members may have deadlines
#
#   index: where in the set's expire heap the member's deadline is
#
# A 13-byte member takes 14 bytes, one 16-byte block. The block's end is known from its
# start, as mem_free() needs. A member without a deadline pays nothing for those that have one;
# one that lost its deadline keeps the room.

from libc.stdint cimport uint8_t, uint32_t
from libc.string cimport memcpy

from fastredis.ds.expire_heap cimport NOT_IN_HEAP
from fastredis.ds.native cimport likely

cdef enum:
    LONG_MEMBER = 0xFE                  # first byte of a size that takes four more
    TIMED_MEMBER = 0xFF                 # first byte of a member with room for a heap index
    MEMBER_INDEX = 4                    # where that is
    TIMED_HEAD = 8                      # bytes before what is as in other members
    MEMBER_MAX = 0xFFFFFFFF             # bytes of the longest member


cdef inline size_t member_bytes(size_t size) noexcept:
    """Bytes that a member of `size` bytes takes, its size included."""
    return size + (1 if size < LONG_MEMBER else 5)


cdef inline const char* rare_member_text(const uint8_t* member, size_t* size) noexcept:
    """member_text() of a long member, or one with room for a heap index."""
    cdef uint32_t wide

    if member[0] == TIMED_MEMBER:
        member += TIMED_HEAD
        if member[0] < LONG_MEMBER:
            size[0] = member[0]
            return <const char*>member + 1
    memcpy(&wide, member + 1, 4)
    size[0] = wide
    return <const char*>member + 5


cdef inline uint32_t* member_index(uint8_t* member) noexcept:
    """The heap index of a member that has room for one."""
    return <uint32_t*>(member + MEMBER_INDEX)


cdef inline bint member_has_deadline(uint8_t* member) noexcept:
    return member[0] == TIMED_MEMBER and member_index(member)[0] != NOT_IN_HEAP


cdef inline size_t member_block(const uint8_t* member) noexcept:
    """Bytes of the block of a set's member."""
    cdef size_t size

    member_text(member, &size)
    return member_bytes(size) + (TIMED_HEAD if member[0] == TIMED_MEMBER else 0)


cdef inline const char* member_text(const uint8_t* member, size_t* size) noexcept:
    """The bytes of a member, and how many."""
    if likely(member[0] < LONG_MEMBER):
        size[0] = member[0]
        return <const char*>member + 1
    return rare_member_text(member, size)


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
