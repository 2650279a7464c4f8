"""Intset. The design comment is in intset.pxd."""
from libc.stdint cimport UINT32_MAX, int16_t, int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy, memmove

from fastredis.ds.alloc cimport mem_alloc, mem_charge, mem_free, mem_give_up, mem_realloc
from fastredis.ds.listpack cimport lp_block_serves, lp_room
from fastredis.ds.random cimport random_below


cdef extern from *:
    """
    #if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
    #error "intsets are kept as in RDB files, little-endian, and read as they are"
    #endif
    """


# ---------------------------------------------------------------- layout

cdef inline uint32_t width_of(int64_t number) noexcept:
    """The least width that the number fits."""
    if -32768 <= number <= 32767:
        return 2
    return 4 if <int64_t>-2147483648 <= number <= 2147483647 else 8


cdef inline int64_t number_at(const uint8_t* ints, uint32_t width, uint64_t position) noexcept:
    cdef int16_t two
    cdef int32_t four
    cdef int64_t eight
    cdef const uint8_t* p = ints + INTS_HEADER + position * width

    if width == 2:
        memcpy(&two, p, 2)
        return two
    if width == 4:
        memcpy(&four, p, 4)
        return four
    memcpy(&eight, p, 8)
    return eight


cdef inline void put_number(uint8_t* ints, uint32_t width, uint64_t position, int64_t number) noexcept:
    memcpy(ints + INTS_HEADER + position * width, &number, width)


cdef inline void write_header(uint8_t* ints, uint32_t width, uint64_t count) noexcept:
    cdef uint32_t count4 = <uint32_t>count

    memcpy(ints, &width, 4)
    memcpy(ints + 4, &count4, 4)


cdef inline bint search(const uint8_t* ints, uint32_t width, uint64_t count, int64_t number,
                        uint64_t* position) noexcept:
    """Whether the number is in, and its position, or else where it would be. Halves without branches."""
    cdef uint64_t first = 0, length = count, half

    if count == 0:
        position[0] = 0
        return False
    while length > 1:
        half = length >> 1
        first += half if number_at(ints, width, first + half) <= number else 0
        length -= half
    if number_at(ints, width, first) == number:
        position[0] = first
        return True
    position[0] = first + (number_at(ints, width, first) < number)
    return False


cdef inline bint find(const uint8_t* ints, uint32_t width, uint64_t count, int64_t number,
                      uint64_t* position) noexcept:
    """search() with the loop made for each width."""
    if width == 2:
        return search(ints, 2, count, number, position)
    if width == 4:
        return search(ints, 4, count, number, position)
    return search(ints, 8, count, number, position)


cdef uint8_t* resize(Account* account, uint8_t* ints, size_t bytes, size_t new_bytes) noexcept:
    """Room for new_bytes."""
    cdef size_t room = lp_room(bytes), new_room = lp_room(new_bytes)

    if room == new_room or lp_block_serves(ints, room, new_room):
        return ints
    return <uint8_t*>mem_realloc(account, ints, room, new_room)


# ---------------------------------------------------------------- life

cdef uint8_t* ints_new(Account* account) noexcept:
    cdef uint8_t* ints = <uint8_t*>mem_alloc(account, lp_room(INTS_HEADER))

    write_header(ints, 2, 0)
    return ints


cdef void ints_free(Account* account, uint8_t* ints) noexcept:
    if ints is not NULL:
        mem_free(account, ints, lp_room(ints_bytes(ints)))


cdef uint8_t* ints_copy(Account* account, const uint8_t* ints) noexcept:
    return ints_adopt(account, ints, ints_bytes(ints))


cdef uint8_t* ints_adopt(Account* account, const uint8_t* data, size_t size) noexcept:
    cdef uint8_t* ints = <uint8_t*>mem_alloc(account, lp_room(size))

    memcpy(ints, data, size)
    return ints


cdef size_t ints_charge(const uint8_t* ints) noexcept:
    return mem_charge(<void*>ints, lp_room(ints_bytes(ints)))


# ---------------------------------------------------------------- reading

cdef bint ints_contains(const uint8_t* ints, int64_t number) noexcept:
    """O(log n)."""
    cdef uint64_t position
    cdef uint32_t width = ints_width(ints)

    return width_of(number) <= width and find(ints, width, ints_count(ints), number, &position)


cdef int64_t ints_get(const uint8_t* ints, uint64_t position) noexcept:
    return number_at(ints, ints_width(ints), position)


cdef int64_t ints_random(const uint8_t* ints, uint64_t* seed) noexcept:
    """A number, each as likely as any other."""
    return ints_get(ints, random_below(seed, ints_count(ints)))


# ---------------------------------------------------------------- changing

cdef uint8_t* widen_and_add(Account* account, uint8_t* ints, int64_t number) noexcept:
    """Add a number that the width has no room for: it is less, or more, than all that are in."""
    cdef uint32_t old_width = ints_width(ints), width = width_of(number)
    cdef uint64_t count = ints_count(ints), i = count
    cdef uint64_t shift = number < 0

    ints = resize(account, ints, ints_bytes(ints), INTS_HEADER + (count + 1) * width)
    while i:                    # from the end, as it grows over itself
        i -= 1
        put_number(ints, width, i + shift, number_at(ints, old_width, i))
    put_number(ints, width, 0 if shift else count, number)
    write_header(ints, width, count + 1)
    return ints


cdef uint8_t* ints_add(Account* account, uint8_t* ints, int64_t number, bint* added) noexcept:
    """Add a number; `added` tells whether it was not in. O(1) above the largest, else O(n)."""
    cdef uint32_t width = ints_width(ints)
    cdef uint64_t count = ints_count(ints), position = count
    cdef size_t size = INTS_HEADER + count * width
    cdef uint8_t* p

    added[0] = False
    if width_of(number) > width:
        ints = widen_and_add(account, ints, number)
        added[0] = True
        return ints
    if count and number <= number_at(ints, width, count - 1) and find(ints, width, count, number, &position):
        return ints
    if count == UINT32_MAX:
        mem_give_up(b"an intset has no more numbers than", count)
    ints = resize(account, ints, size, size + width)
    p = ints + INTS_HEADER + position * width
    memmove(p + width, p, (count - position) * width)
    put_number(ints, width, position, number)
    write_header(ints, width, count + 1)
    added[0] = True
    return ints


cdef uint8_t* ints_remove(Account* account, uint8_t* ints, int64_t number, bint* removed) noexcept:
    """Remove a number; `removed` tells whether it was in. O(n). The width stays."""
    cdef uint32_t width = ints_width(ints)
    cdef uint64_t count = ints_count(ints), position
    cdef size_t size = INTS_HEADER + count * width
    cdef uint8_t* p

    removed[0] = width_of(number) <= width and find(ints, width, count, number, &position)
    if not removed[0]:
        return ints
    p = ints + INTS_HEADER + position * width
    memmove(p, p + width, (count - position - 1) * width)
    write_header(ints, width, count - 1)
    return resize(account, ints, size, size - width)


# ---------------------------------------------------------------- foreign bytes

cdef bint ints_valid(const uint8_t* data, size_t size, bint deep) noexcept:
    """Whether these bytes, from outside, are an intset: width and count for the size; deep: ascending order.

    Reads nothing outside of `size` bytes. A set that is not in order is safe to use, but finds nothing.
    """
    cdef uint32_t width
    cdef uint64_t i, count

    if size < INTS_HEADER:
        return False
    memcpy(&width, data, 4)
    count = ints_count(data)
    if (width != 2 and width != 4 and width != 8) or size != INTS_HEADER + count * width:
        return False
    if deep:
        for i in range(1, count):
            if number_at(data, width, i - 1) >= number_at(data, width, i):
                return False
    return True


cdef int ints_verify(const uint8_t* ints) except -1:
    """Compare all with what the comment in intset.pxd says holds. AssertionError."""
    if not ints_valid(ints, ints_bytes(ints), True):
        raise AssertionError(f"intset of {ints_count(ints)} numbers of {ints_width(ints)} bytes is broken")
    if ints_charge(ints) < ints_bytes(ints):
        raise AssertionError(f"intset of {ints_bytes(ints)} bytes in a block of {ints_charge(ints)}")
    return 0
