"""Listpack. The design comment is in listpack.pxd.

All changes are one splice: bytes at a place go out, others come in, the rest moves. Text is
searched for as the bytes that it would be stored as, so nothing is decoded on the way.
"""
from libc.stdint cimport UINT32_MAX, int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcmp, memcpy, memmove

from fastredis.ds.alloc cimport SMALL, mem_alloc, mem_charge, mem_free, mem_give_up, mem_realloc
from fastredis.ds.numbers cimport format_int64, parse_int64

cdef enum:
    # The first byte of an element: what it is, and the bits that have room.
    STR_6 = 0x80                # 10nnnnnn                          n bytes of text
    INT_13 = 0xC0               # 110vvvvv vvvvvvvv                 below: 0vvvvvvv, 0 to 127
    STR_12 = 0xE0               # 1110nnnn nnnnnnnn                 n bytes of text
    STR_32 = 0xF0               # 4 bytes of n, LE                  n bytes of text
    INT_16 = 0xF1               # 2 bytes, LE
    INT_24 = 0xF2               # 3
    INT_32 = 0xF3               # 4
    INT_64 = 0xF4               # 8

    INT_TEXT_MAX = 20           # bytes of the longest integer's text
    HEAD_MAX = 16               # 9 are used

# One element as it will be stored: [head][text][back].
cdef struct Element:
    uint8_t head[HEAD_MAX]   # encoding byte, and the size of text or the integer
    uint32_t head_size          # bytes of it
    uint32_t back_size
    const char* text
    size_t text_size
    size_t size                 # bytes of all


# ---------------------------------------------------------------- encoding

cdef inline uint32_t back_bytes(size_t body) noexcept:
    """Bytes that the length `body` takes behind the element. The limits, one too low, are those of Redis."""
    if body <= 127:
        return 1
    if body < 16383:
        return 2
    if body < 2097151:
        return 3
    return 4 if body < 268435455 else 5


cdef inline void write_back(uint8_t* to, size_t body, uint32_t size) noexcept:
    """Write `body` in `size` bytes, seven bits each, to be read from the last one on."""
    cdef uint32_t i = size - 1

    while i:
        to[i] = <uint8_t>(body & 127 | 128)
        body >>= 7
        i -= 1
    to[0] = <uint8_t>body


cdef inline void write_le(uint8_t* to, uint64_t v, int size) noexcept:
    cdef int i

    for i in range(size):
        to[i] = <uint8_t>(v >> 8 * i)


cdef inline uint64_t read_le(const uint8_t* p, int size) noexcept:
    cdef uint64_t v = 0
    cdef int i

    for i in range(size):
        v |= <uint64_t>p[i] << 8 * i
    return v


cdef inline void encode_int(Element* x, int64_t v) noexcept:
    cdef int size

    x.text = NULL
    x.text_size = 0
    x.back_size = 1
    if 0 <= v <= 127:
        x.head[0] = <uint8_t>v
        x.head_size = 1
    elif -4096 <= v <= 4095:
        x.head[0] = <uint8_t>(INT_13 | (v >> 8 & 0x1F))
        x.head[1] = <uint8_t>v
        x.head_size = 2
    else:
        if -32768 <= v <= 32767:
            x.head[0], size = INT_16, 2
        elif -8388608 <= v <= 8388607:
            x.head[0], size = INT_24, 3
        elif <int64_t>-2147483648 <= v <= 2147483647:
            x.head[0], size = INT_32, 4
        else:
            x.head[0], size = INT_64, 8
        write_le(x.head + 1, <uint64_t>v, 8)
        x.head_size = 1 + size
    x.size = x.head_size + 1


cdef inline bint is_int(const char* text, size_t size, int64_t* number) noexcept:
    """Whether text is stored as an integer: it reads as one, in the only way that it would be printed."""
    # Most text is no number, which the first byte shows.
    if size == 0 or size > INT_TEXT_MAX or text[0] > c"9" or text[0] < c"-":
        return False
    return parse_int64(text, size, number)


cdef inline void encode(Element* x, const char* text, size_t size) noexcept:
    cdef int64_t number

    if is_int(text, size, &number):
        encode_int(x, number)
        return
    x.text = text
    x.text_size = size
    if size < 64:
        x.head[0] = <uint8_t>(STR_6 | size)
        x.head_size = 1
    elif size < 4096:
        x.head[0] = <uint8_t>(STR_12 | size >> 8)
        x.head[1] = <uint8_t>size
        x.head_size = 2
    else:
        x.head[0] = STR_32
        write_le(x.head + 1, size, 4)
        x.head_size = 5
    x.back_size = back_bytes(x.head_size + size)
    x.size = x.head_size + size + x.back_size


cdef inline void write_element(uint8_t* to, const Element* x) noexcept:
    cdef size_t body = x.head_size + x.text_size

    to[0] = x.head[0]
    if x.head_size > 1:
        memcpy(to + 1, x.head + 1, x.head_size - 1)
    if x.text_size:
        memcpy(to + x.head_size, x.text, x.text_size)
    write_back(to + body, body, x.back_size)


cdef inline size_t body_bytes(const uint8_t* p) noexcept:
    """Bytes of an element without the length behind it; 0 for a first byte that none has."""
    cdef uint32_t kind = p[0]

    if kind < STR_6:
        return 1
    if kind < INT_13:
        return 1 + (kind & 0x3F)
    if kind < STR_12:
        return 2
    if kind < STR_32:
        return 2 + ((kind & 0x0F) << 8 | p[1])
    if kind == STR_32:
        return 5 + <size_t>read_le(p + 1, 4)
    if kind < INT_64:
        return 3 + (kind - INT_16)
    return 9 if kind == INT_64 else 0


cdef size_t lp_bytes_at_long(const uint8_t* p) noexcept:
    cdef size_t body = body_bytes(p)

    return body + back_bytes(body)


cdef size_t lp_element_size_long(const char* text, size_t size) noexcept:
    cdef Element x

    encode(&x, text, size)
    return x.size


cdef size_t lp_write_element_long(uint8_t* to, const char* text, size_t size) noexcept:
    cdef Element x

    encode(&x, text, size)
    write_element(to, &x)
    return x.size


cdef size_t lp_int_size_long(int64_t n) noexcept:
    cdef Element x

    encode_int(&x, n)
    return x.size


cdef size_t lp_write_int_long(uint8_t* to, int64_t n) noexcept:
    cdef Element x

    encode_int(&x, n)
    write_element(to, &x)
    return x.size


cdef inline void set_count(uint8_t* lp, uint64_t count) noexcept:
    write_le(lp + 4, count if count < LP_MANY else LP_MANY, 2)


cdef int lp_print(char* out, int64_t number) noexcept:
    """Write the number as text to `out` (INT64_TEXT bytes) and return how many bytes that were."""
    return format_int64(out, number)


# ---------------------------------------------------------------- life

cdef uint8_t* lp_new(Account* account) noexcept:
    cdef uint8_t* lp = <uint8_t*>mem_alloc(account, lp_room(LP_EMPTY))

    lp_write_header(lp, LP_EMPTY, 0)
    lp[LP_HEADER] = LP_END
    return lp


cdef void lp_free(Account* account, uint8_t* lp) noexcept:
    if lp is not NULL:
        mem_free(account, lp, lp_room(lp_bytes(lp)))


cdef uint8_t* lp_copy(Account* account, const uint8_t* lp) noexcept:
    cdef size_t size = lp_bytes(lp)
    cdef uint8_t* copy = <uint8_t*>mem_alloc(account, lp_room(size))

    memcpy(copy, lp, size)
    return copy


cdef size_t lp_charge(const uint8_t* lp) noexcept:
    return mem_charge(<void*>lp, lp_room(lp_bytes(lp)))


cdef uint8_t* lp_adopt(Account* account, const uint8_t* data, size_t size) noexcept:
    """Copy foreign bytes that lp_valid(), deep, accepted; elements not in their shortest form are rewritten."""
    cdef uint8_t* lp

    if first_odd(data) is not NULL:
        return rewritten(account, data)
    lp = <uint8_t*>mem_alloc(account, lp_room(size))
    memcpy(lp, data, size)
    return lp


cdef inline bint is_shortest(const uint8_t* p) noexcept:
    """Whether the element is encoded as we would."""
    cdef uint32_t kind = p[0]
    cdef LpItem item
    cdef Element x
    cdef int64_t number

    if kind < STR_6:
        return True
    lp_get(p, &item)
    if item.text is NULL:
        encode_int(&x, item.number)
        return x.head[0] == kind
    if is_int(item.text, item.size, &number):
        return False
    return kind < INT_13 or (item.size >= 64 if kind < STR_32 else item.size >= 4096)


cdef const uint8_t* first_odd(const uint8_t* lp) noexcept:
    """The first element that is not in its shortest form."""
    cdef const uint8_t* p = lp + LP_HEADER

    while p[0] != LP_END:
        if not is_shortest(p):
            return p
        p += lp_bytes_at(p)
    return NULL


cdef uint8_t* rewritten(Account* account, const uint8_t* data) noexcept:
    """A copy with each element in its shortest form, which takes no more bytes."""
    cdef uint64_t count = lp_count(data)
    cdef const uint8_t* p = data + LP_HEADER
    cdef Element x
    cdef size_t total = LP_EMPTY
    cdef uint8_t* lp
    cdef uint8_t* to

    while p[0] != LP_END:
        encode_again(&x, p)
        total += x.size
        p += lp_bytes_at(p)
    lp = <uint8_t*>mem_alloc(account, lp_room(total))
    lp_write_header(lp, total, count)
    to = lp + LP_HEADER
    p = data + LP_HEADER
    while p[0] != LP_END:
        encode_again(&x, p)
        write_element(to, &x)
        to += x.size
        p += lp_bytes_at(p)
    to[0] = LP_END
    return lp


cdef inline void encode_again(Element* x, const uint8_t* p) noexcept:
    cdef LpItem item

    lp_get(p, &item)
    if item.text is NULL:
        encode_int(x, item.number)
    else:
        encode(x, item.text, item.size)


# ---------------------------------------------------------------- reading

cdef uint64_t lp_count(const uint8_t* lp) noexcept:
    """Elements. O(1) below 65535 of them, O(n) above."""
    cdef uint64_t count = lp_stored_count(lp)
    cdef const uint8_t* p = lp + LP_HEADER

    if count != LP_MANY:
        return count
    count = 0
    while p[0] != LP_END:
        p += lp_bytes_at(p)
        count += 1
    return count


cdef inline uint8_t* before(const uint8_t* p) noexcept:
    """The element before p, which is the end or an element but the first."""
    cdef size_t body = 0
    cdef uint32_t shift = 0

    p -= 1
    if p[0] < 128:
        return <uint8_t*>p - p[0]
    while p[0] & 128:
        body |= <size_t>(p[0] & 127) << shift
        shift += 7
        p -= 1
    return <uint8_t*>p - (body | <size_t>p[0] << shift)


cdef uint8_t* lp_last(const uint8_t* lp) noexcept:
    if lp[LP_HEADER] == LP_END:
        return NULL
    return before(lp + lp_bytes(lp) - 1)


cdef uint8_t* lp_prev(const uint8_t* lp, const uint8_t* p) noexcept:
    return NULL if p == lp + LP_HEADER else before(p)


cdef uint8_t* lp_seek(const uint8_t* lp, int64_t index) noexcept:
    """The element at `index`, from the end when negative (-1 is the last); NULL when there is none. O(n)."""
    cdef int64_t count = lp_stored_count(lp)
    cdef const uint8_t* p

    if count != LP_MANY:
        if index < 0:
            index += count
        if index < 0 or index >= count:
            return NULL
        if index > count // 2:
            index -= count
    if index >= 0:
        p = lp + LP_HEADER
        while index and p[0] != LP_END:
            p += lp_bytes_at(p)
            index -= 1
        return NULL if p[0] == LP_END else <uint8_t*>p
    p = lp + lp_bytes(lp) - 1
    while index:
        if p == lp + LP_HEADER:
            return NULL
        p = before(p)
        index += 1
    return <uint8_t*>p


cdef void lp_get(const uint8_t* p, LpItem* item) noexcept:
    """What the element at p is. Its text lies in the listpack."""
    cdef uint32_t kind = p[0]

    item.text = NULL
    if kind < STR_6:
        item.number = kind
    elif kind < INT_13:
        item.size = kind & 0x3F
        item.text = <const char*>p + 1
    elif kind < STR_12:
        # Five bits of the first byte: the highest is the sign.
        item.number = (<int64_t>(kind & 0x1F) << 8 | p[1]) - ((kind & 0x10) << 9)
    elif kind < STR_32:
        item.size = (kind & 0x0F) << 8 | p[1]
        item.text = <const char*>p + 2
    elif kind == STR_32:
        item.size = <size_t>read_le(p + 1, 4)
        item.text = <const char*>p + 5
    elif kind == INT_64:
        item.number = <int64_t>read_le(p + 1, 8)
    elif kind == INT_32:
        item.number = <int64_t>(read_le(p + 1, 4) << 32) >> 32
    elif kind == INT_24:
        item.number = <int64_t>(read_le(p + 1, 3) << 40) >> 40
    else:
        item.number = <int64_t>(read_le(p + 1, 2) << 48) >> 48


cdef inline bint same_bytes(const uint8_t* a, const char* b, size_t n) noexcept:
    """memcmp() == 0, without a call for up to 16 bytes: two loads from either end, which overlap."""
    cdef uint64_t a8, b8, a8_end, b8_end
    cdef uint32_t a4, b4, a4_end, b4_end

    if n > 16:
        return memcmp(a, b, n) == 0
    if n >= 8:
        memcpy(&a8, a, 8)
        memcpy(&b8, b, 8)
        memcpy(&a8_end, a + n - 8, 8)
        memcpy(&b8_end, b + n - 8, 8)
        return (a8 ^ b8 | a8_end ^ b8_end) == 0
    if n >= 4:
        memcpy(&a4, a, 4)
        memcpy(&b4, b, 4)
        memcpy(&a4_end, a + n - 4, 4)
        memcpy(&b4_end, b + n - 4, 4)
        return (a4 ^ b4 | a4_end ^ b4_end) == 0
    if n == 0:
        return True
    return a[0] == <uint8_t>b[0] and a[n >> 1] == <uint8_t>b[n >> 1] and a[n - 1] == <uint8_t>b[n - 1]


cdef inline uint8_t* find_short(const uint8_t* p, uint8_t head, const char* rest, size_t size, uint32_t skip) noexcept:
    """The first element of those looked at that has the first byte `head` and behind it `rest`."""
    cdef uint32_t left

    while p[0] != LP_END:
        if p[0] == head and same_bytes(p + 1, rest, size):
            return <uint8_t*>p
        p += lp_bytes_at(p)
        left = skip
        while left and p[0] != LP_END:
            p += lp_bytes_at(p)
            left -= 1
    return NULL


cdef uint8_t* find_long(const uint8_t* p, const Element* x, uint32_t skip) noexcept:
    """As find_short() for text with a head of more than one byte."""
    cdef uint32_t left

    while p[0] != LP_END:
        if p[0] == x.head[0] and memcmp(p, x.head, x.head_size) == 0 and (
                memcmp(p + x.head_size, x.text, x.text_size) == 0):
            return <uint8_t*>p
        p += lp_bytes_at(p)
        left = skip
        while left and p[0] != LP_END:
            p += lp_bytes_at(p)
            left -= 1
    return NULL


cdef uint8_t* lp_find(const uint8_t* lp, const uint8_t* p, const char* text, size_t size, uint32_t skip) noexcept:
    """The first element from p on, looking at one and skipping `skip`, that equals the text; NULL: none. O(n)."""
    cdef Element x

    if p is NULL:
        return NULL
    encode(&x, text, size)
    if x.text is NULL:
        if skip == 0:
            return find_short(p, x.head[0], <const char*>x.head + 1, x.head_size - 1, 0)
        return find_short(p, x.head[0], <const char*>x.head + 1, x.head_size - 1, skip)
    if size < 64:
        if skip == 1:
            return find_short(p, x.head[0], text, size, 1)
        return find_short(p, x.head[0], text, size, skip)
    return find_long(p, &x, skip)


# ---------------------------------------------------------------- changing

cdef bint lp_block_serves(void* block, size_t room, size_t new_room) noexcept:
    """Whether a block that is one for `room` bytes serves for new_room (both as lp_room() says), too.

    Above SMALL the allocator knows how much there really is. Up to a quarter is not given back, so that
    an element that comes and goes at the limit of two sizes moves nothing.
    """
    cdef size_t there

    if room <= SMALL or new_room <= SMALL:
        return room == new_room
    there = mem_charge(block, room)
    return new_room <= there <= new_room + new_room // 4


cdef uint8_t* splice(Account* account, uint8_t* lp, size_t at, size_t removed, size_t added) noexcept:
    """Put `added` bytes, to be written by the caller, in the place of `removed` ones at the offset `at`.

    Sets the total.
    """
    cdef size_t total = lp_bytes(lp)
    cdef size_t new_total = total - removed + added
    cdef size_t room = lp_room(total), new_room = lp_room(new_total)
    cdef size_t tail = total - at - removed
    cdef uint8_t* moved

    if new_total > UINT32_MAX:
        mem_give_up(b"the bytes of a listpack are counted in 32 bits, which is too few for", new_total)
    if room == new_room and tail == 1:
        lp[at + added] = LP_END
    elif room == new_room:
        memmove(lp + at + added, lp + at + removed, tail)
    elif room <= SMALL or new_room <= SMALL:
        # Copied to where it belongs at once.
        moved = <uint8_t*>mem_alloc(account, new_room)
        memcpy(moved, lp, at)
        memcpy(moved + at + added, lp + at + removed, tail)
        mem_free(account, lp, room)
        lp = moved
    else:
        if new_room > room and not lp_block_serves(lp, room, new_room):
            lp = <uint8_t*>mem_realloc(account, lp, room, new_room)
        memmove(lp + at + added, lp + at + removed, tail)
        write_le(lp, new_total, 4)
        if new_room < room and not lp_block_serves(lp, room, new_room):
            lp = <uint8_t*>mem_realloc(account, lp, room, new_room)
    write_le(lp, new_total, 4)
    return lp


cdef inline void add_to_count(uint8_t* lp, uint64_t n) noexcept:
    cdef uint64_t count = lp_stored_count(lp)

    if count != LP_MANY:
        set_count(lp, count + n)


cdef uint8_t* put_element(Account* account, uint8_t* lp, size_t at, const Element* x) noexcept:
    lp = splice(account, lp, at, 0, x.size)
    write_element(lp + at, x)
    add_to_count(lp, 1)
    return lp


cdef uint8_t* replace_element(Account* account, uint8_t* lp, uint8_t** p, const Element* x) noexcept:
    cdef size_t at = p[0] - lp

    lp = splice(account, lp, at, lp_bytes_at(p[0]), x.size)
    write_element(lp + at, x)
    p[0] = lp + at
    return lp


cdef uint8_t* lp_append(Account* account, uint8_t* lp, const char* text, size_t size) noexcept:
    cdef Element x
    cdef size_t at = lp_bytes(lp) - 1

    encode(&x, text, size)
    return put_element(account, lp, at, &x)


cdef uint8_t* lp_append_int(Account* account, uint8_t* lp, int64_t number) noexcept:
    cdef Element x
    cdef size_t at = lp_bytes(lp) - 1

    encode_int(&x, number)
    return put_element(account, lp, at, &x)


cdef uint8_t* lp_prepend(Account* account, uint8_t* lp, const char* text, size_t size) noexcept:
    cdef Element x

    encode(&x, text, size)
    return put_element(account, lp, LP_HEADER, &x)


cdef uint8_t* lp_insert(Account* account, uint8_t* lp, uint8_t* p, const char* text, size_t size,
                        uint8_t** at) noexcept:
    cdef Element x
    cdef size_t offset = p - lp if p is not NULL else lp_bytes(lp) - 1

    encode(&x, text, size)
    lp = put_element(account, lp, offset, &x)
    if at is not NULL:
        at[0] = lp + offset
    return lp


cdef uint8_t* lp_insert_int(Account* account, uint8_t* lp, uint8_t* p, int64_t number, uint8_t** at) noexcept:
    cdef Element x
    cdef size_t offset = p - lp if p is not NULL else lp_bytes(lp) - 1

    encode_int(&x, number)
    lp = put_element(account, lp, offset, &x)
    if at is not NULL:
        at[0] = lp + offset
    return lp


cdef uint8_t* lp_replace(Account* account, uint8_t* lp, uint8_t** p, const char* text, size_t size) noexcept:
    """Put another element in the place of the one at p; `p` gets its position."""
    cdef Element x

    encode(&x, text, size)
    return replace_element(account, lp, p, &x)


cdef uint8_t* lp_replace_int(Account* account, uint8_t* lp, uint8_t** p, int64_t number) noexcept:
    cdef Element x

    encode_int(&x, number)
    return replace_element(account, lp, p, &x)


cdef uint8_t* lp_delete(Account* account, uint8_t* lp, uint8_t** p, uint64_t n) noexcept:
    """Delete up to n elements from p on; `p` gets the position of the element after them, NULL at the end."""
    cdef const uint8_t* end = p[0]
    cdef size_t at = p[0] - lp
    cdef uint64_t deleted = 0, count = lp_stored_count(lp)

    while deleted < n and end[0] != LP_END:
        end += lp_bytes_at(end)
        deleted += 1
    lp = splice(account, lp, at, end - p[0], 0)
    if count != LP_MANY:
        set_count(lp, count - deleted)
    p[0] = lp + at if lp[at] != LP_END else NULL
    return lp


cdef uint8_t* lp_concat(Account* account, uint8_t* lp, const uint8_t* other) noexcept:
    """Append all elements of `other`, which is another listpack and stays."""
    cdef size_t at = lp_bytes(lp) - 1
    cdef size_t added = lp_bytes(other) - LP_EMPTY
    cdef uint64_t more = lp_stored_count(other)

    lp = splice(account, lp, at, 0, added)
    memcpy(lp + at, other + LP_HEADER, added)
    add_to_count(lp, more)
    return lp


# ---------------------------------------------------------------- foreign bytes

cdef inline size_t head_bytes(const uint8_t* p) noexcept:
    """Bytes that have to be there before body_bytes() can be asked."""
    if STR_12 <= p[0] < STR_32:
        return 2
    return 5 if p[0] == STR_32 else 1


cdef size_t valid_element(const uint8_t* p, size_t left) noexcept:
    """Bytes of the element at p; 0 when it is none or does not end within `left` (1 or more) bytes."""
    cdef size_t body
    cdef uint32_t back, i
    cdef uint8_t expected[5]

    if head_bytes(p) > left:
        return 0
    body = body_bytes(p)
    if body == 0 or body > left:
        return 0
    back = back_bytes(body)
    if back > left - body:
        return 0
    write_back(expected, body, back)
    for i in range(back):
        if p[body + i] != expected[i]:
            return 0
    return body + back


cdef bint lp_valid(const uint8_t* data, size_t size, bint deep) noexcept:
    """Whether these bytes, from outside, are a listpack: total and end; deep: each length and the count as well.

    Reads nothing outside of `size` bytes. What was only looked at shallowly must be trusted.
    """
    cdef size_t at = LP_HEADER, element
    cdef uint64_t count = 0

    if size < LP_EMPTY or lp_bytes(data) != size or data[size - 1] != LP_END:
        return False
    if not deep:
        return True
    while at < size - 1:
        element = valid_element(data + at, size - 1 - at)
        if element == 0:
            return False
        at += element
        count += 1
    return lp_stored_count(data) in (count, LP_MANY)


cdef int lp_verify(const uint8_t* lp) except -1:
    """Walk all elements and compare them with what the comment in listpack.pxd says holds. AssertionError."""
    cdef size_t total = lp_bytes(lp)
    cdef const uint8_t* odd

    if not lp_valid(lp, total, True):
        raise AssertionError(f"listpack of {total} bytes, {lp_stored_count(lp)} elements is broken")
    odd = first_odd(lp)
    if odd is not NULL:
        raise AssertionError(f"element at {odd - lp} of {total} bytes is not in its shortest form")
    if lp_charge(lp) < total:
        raise AssertionError(f"listpack of {total} bytes in a block of {lp_charge(lp)}")
    return 0
