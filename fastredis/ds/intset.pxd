# Intset: a set of integers only, as one sorted array. Byte for byte what an RDB file holds.
#
#   width   count   numbers, ascending, `width` bytes each
#   [4, LE] [4, LE] [ -5 ][ 17 ][ 2024 ] ...
#
#   width: 2, 4 or 8 bytes, the least that all numbers that ever were in it fit
#
# Holds: numbers strictly ascending; the block has lp_room(bytes) bytes (ds/listpack), or up
# to two steps more after removals when above SMALL.
# Functions that change take the owner's account and return where the intset is now.
# A number above the largest is appended without a search: ids that count up cost O(1).
# Source: https://github.com/redis/redis/blob/7.2/src/intset.c (the layout)

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

from fastredis.ds.alloc cimport Account

cdef enum:
    INTS_HEADER = 8             # bytes of an intset without numbers

# --- life
cdef uint8_t* ints_new(Account* account) noexcept
cdef void ints_free(Account* account, uint8_t* ints) noexcept
cdef uint8_t* ints_copy(Account* account, const uint8_t* ints) noexcept
# Copy of foreign bytes that ints_valid(), deep, accepted.
cdef uint8_t* ints_adopt(Account* account, const uint8_t* data, size_t size) noexcept
cdef size_t ints_charge(const uint8_t* ints) noexcept                   # bytes it takes, as the account has them

# --- reading
cdef bint ints_contains(const uint8_t* ints, int64_t number) noexcept
cdef int64_t ints_get(const uint8_t* ints, uint64_t position) noexcept  # 0 is the least, ints_count() - 1 the largest
cdef int64_t ints_random(const uint8_t* ints, uint64_t* seed) noexcept  # of at least one; `seed` moves on

# --- changing
cdef uint8_t* ints_add(Account* account, uint8_t* ints, int64_t number, bint* added) noexcept
cdef uint8_t* ints_remove(Account* account, uint8_t* ints, int64_t number, bint* removed) noexcept

# --- foreign bytes
cdef bint ints_valid(const uint8_t* data, size_t size, bint deep) noexcept      # size is right; deep: order as well
cdef int ints_verify(const uint8_t* ints) except -1


cdef inline uint32_t ints_width(const uint8_t* ints) noexcept:
    """Bytes of each number: 2, 4 or 8."""
    return ints[0]


cdef inline uint64_t ints_count(const uint8_t* ints) noexcept:
    """Numbers in the set."""
    return ints[4] | <uint64_t>ints[5] << 8 | <uint64_t>ints[6] << 16 | <uint64_t>ints[7] << 24


cdef inline size_t ints_bytes(const uint8_t* ints) noexcept:
    """Bytes of the intset, header included."""
    return INTS_HEADER + ints_count(ints) * ints_width(ints)
