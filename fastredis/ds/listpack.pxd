# Listpack: strings and integers one after the other in one block, for small collections
# and the nodes of large lists and streams. Byte for byte what an RDB file holds.
#
#   total bytes  count     element               element           end
#   [ 4, LE     ][ 2, LE ] [encoding|data|back]  [encoding|data|back] ... [0xFF]
#
#   back: how many bytes `encoding` and `data` take, in 1 to 5 bytes that are read backwards
#   count: 65535 when there are that many or more; then it has to be counted
#
# Text that reads as a 64-bit integer is stored as one, in 1 to 9 bytes.
#
# An element is named by the pointer to its first byte, good until the next change.
# Functions that change take the owner's account and return where the listpack is now.
# A block has lp_room(total) bytes: 8-byte steps while small, an eighth of its size
# above, so that most appends move nothing and no room has to be stored. Above SMALL it
# may have up to two steps more after deletes (the allocator knows); at most SMALL, never.
# Holds: each element in the shortest encoding for it, so equal elements are equal bytes
# (foreign bytes may be otherwise: lp_adopt() sees to it).
# Text that is given must not lie in the listpack that is changed.
# Source: https://github.com/antirez/listpack/blob/master/listpack.md

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

from fastredis.ds.alloc cimport Account
from fastredis.ds.native cimport clz64, copy_short, unlikely
from fastredis.ds.numbers cimport INT64_TEXT

cdef extern from *:
    """
    #include <stdint.h>

    /* Bytes of a whole element by its first byte; 0: its size is stored behind that, or the end. */
    #define FR_LP_4(n) (n), (n) + 1, (n) + 2, (n) + 3
    #define FR_LP_16(n) FR_LP_4(n), FR_LP_4(n + 4), FR_LP_4(n + 8), FR_LP_4(n + 12)
    static const uint8_t fr_lp_sizes[256] = {
        [0x00 ... 0x7F] = 2,
        [0x80] = FR_LP_16(2), FR_LP_16(18), FR_LP_16(34), FR_LP_16(50),
        [0xC0 ... 0xDF] = 3,
        [0xF1] = 4, 5, 6, 10,
    };
    """
    const uint8_t* LP_SIZES "fr_lp_sizes"

cdef enum:
    LP_HEADER = 6
    LP_EMPTY = 7                # bytes of a listpack without elements
    LP_MANY = 65535             # value of `count` that says nothing
    LP_MAX = 1 << 30            # a listpack is not to grow beyond this (as in Redis): its owners see to that
    LP_END = 0xFF               # behind the last element

cdef struct LpItem:
    const char* text            # NULL: it is an integer
    size_t size                 # bytes of text
    int64_t number

# --- life
cdef uint8_t* lp_new(Account* account) noexcept
cdef void lp_free(Account* account, uint8_t* lp) noexcept
cdef uint8_t* lp_copy(Account* account, const uint8_t* lp) noexcept
cdef size_t lp_charge(const uint8_t* lp) noexcept       # bytes it takes, as the account has them
# Copy of foreign bytes that lp_valid(), deep, accepted, with each element in its shortest encoding.
cdef uint8_t* lp_adopt(Account* account, const uint8_t* data, size_t size) noexcept
# Whether a block made for `room` bytes can stay for new_room; both as lp_room() has them.
cdef bint lp_block_serves(void* block, size_t room, size_t new_room) noexcept

# --- reading; positions are NULL beyond either end
cdef uint64_t lp_count(const uint8_t* lp) noexcept
cdef uint8_t* lp_last(const uint8_t* lp) noexcept
cdef uint8_t* lp_prev(const uint8_t* lp, const uint8_t* p) noexcept
# Negative: from the end. Walks from the nearer end.
cdef uint8_t* lp_seek(const uint8_t* lp, int64_t index) noexcept
cdef void lp_get(const uint8_t* p, LpItem* item) noexcept
# The first element from p on, looking at one and skipping `skip`, that equals the text.
cdef uint8_t* lp_find(const uint8_t* lp, const uint8_t* p, const char* text, size_t size, uint32_t skip) noexcept

# --- changing
cdef uint8_t* lp_append(Account* account, uint8_t* lp, const char* text, size_t size) noexcept
cdef uint8_t* lp_append_int(Account* account, uint8_t* lp, int64_t number) noexcept
cdef uint8_t* lp_prepend(Account* account, uint8_t* lp, const char* text, size_t size) noexcept
# Insert before p, at the end when p is NULL; `at`, unless NULL, gets the new element's position.
cdef uint8_t* lp_insert(Account* account, uint8_t* lp, uint8_t* p, const char* text, size_t size,
                        uint8_t** at) noexcept
cdef uint8_t* lp_insert_int(Account* account, uint8_t* lp, uint8_t* p, int64_t number, uint8_t** at) noexcept
cdef uint8_t* lp_replace(Account* account, uint8_t* lp, uint8_t** p, const char* text, size_t size) noexcept
cdef uint8_t* lp_replace_int(Account* account, uint8_t* lp, uint8_t** p, int64_t number) noexcept
# Delete n elements from p on; `p` gets the position of the element after them (NULL at the end).
cdef uint8_t* lp_delete(Account* account, uint8_t* lp, uint8_t** p, uint64_t n) noexcept
cdef uint8_t* lp_concat(Account* account, uint8_t* lp, const uint8_t* other) noexcept    # append all of other

# --- elements as raw bytes, for those who lay listpacks out themselves (quicklist nodes with room at both ends,
# streams)
# (lp_element_size(), lp_write_element() and their kin are below; these are their rare halves)
cdef size_t lp_element_size_long(const char* text, size_t size) noexcept
cdef size_t lp_write_element_long(uint8_t* to, const char* text, size_t size) noexcept
cdef size_t lp_int_size_long(int64_t n) noexcept
cdef size_t lp_write_int_long(uint8_t* to, int64_t n) noexcept
cdef size_t lp_bytes_at_long(const uint8_t* p) noexcept

# --- foreign bytes
cdef bint lp_valid(const uint8_t* data, size_t size, bint deep) noexcept    # every length and the end are right
cdef int lp_verify(const uint8_t* lp) except -1


cdef inline bint lp_is_short_text(const char* text, size_t size) noexcept:
    """Whether text is, at first sight, none of an integer and of less than 64 bytes."""
    return size - 1 < 63 and (text[0] > c"9" or text[0] < c"-")


cdef inline size_t lp_element_size(const char* text, size_t size) noexcept:
    """Bytes that the element will take."""
    return size + 2 if lp_is_short_text(text, size) else lp_element_size_long(text, size)


cdef inline size_t lp_write_element(uint8_t* to, const char* text, size_t size) noexcept:
    """Write an element, lp_element_size() bytes, and return how many these were."""
    if not lp_is_short_text(text, size):
        return lp_write_element_long(to, text, size)
    to[0] = <uint8_t>(0x80 | size)
    copy_short(<char*>to + 1, text, size)
    to[1 + size] = <uint8_t>(1 + size)
    return size + 2


cdef inline size_t lp_int_size(int64_t n) noexcept:
    """Bytes that an element will take which is this integer."""
    return 2 if 0 <= n <= 127 else 3 if -4096 <= n <= 4095 else lp_int_size_long(n)


cdef inline size_t lp_write_int(uint8_t* to, int64_t n) noexcept:
    """Write an integer, lp_int_size() bytes, and return how many these were."""
    if not 0 <= n <= 127:
        return lp_write_int_long(to, n)
    to[0] = <uint8_t>n
    to[1] = 1
    return 2


cdef inline size_t lp_room(size_t bytes) noexcept:
    """Bytes of the block for a listpack, or an intset, of so many bytes."""
    cdef size_t step

    if bytes <= 512:
        return (bytes + 7) & ~<size_t>7
    step = <size_t>1 << (60 - clz64(bytes - 1))
    return (bytes + step - 1) & ~(step - 1)


cdef inline void lp_write_header(uint8_t* lp, size_t total, uint64_t count) noexcept:
    """`count`: the elements, however many."""
    cdef uint32_t stored = <uint32_t>count if count < LP_MANY else LP_MANY

    lp[0] = <uint8_t>total
    lp[1] = <uint8_t>(total >> 8)
    lp[2] = <uint8_t>(total >> 16)
    lp[3] = <uint8_t>(total >> 24)
    lp[4] = <uint8_t>stored
    lp[5] = <uint8_t>(stored >> 8)


cdef inline size_t lp_bytes_at(const uint8_t* p) noexcept:
    """Bytes of the element at p, which is not the end."""
    # Short text is by far the most frequent, and its branch is guessed before a table would have answered.
    if <uint8_t>(p[0] - 0x80) < 64:
        return <size_t>p[0] - 0x80 + 2
    if unlikely(LP_SIZES[p[0]] == 0):
        return lp_bytes_at_long(p)
    return LP_SIZES[p[0]]


cdef inline uint8_t* lp_first(const uint8_t* lp) noexcept:
    """The first element; NULL when there is none."""
    return NULL if lp[LP_HEADER] == LP_END else <uint8_t*>lp + LP_HEADER


cdef inline uint8_t* lp_next(const uint8_t* lp, const uint8_t* p) noexcept:
    """The element behind p; NULL when p is the last."""
    p += lp_bytes_at(p)
    return NULL if p[0] == LP_END else <uint8_t*>p


cdef inline size_t lp_bytes(const uint8_t* lp) noexcept:
    """Bytes of the listpack, header and end included."""
    return lp[0] | <size_t>lp[1] << 8 | <size_t>lp[2] << 16 | <size_t>lp[3] << 24


cdef inline const char* lp_short_text(const uint8_t* p, size_t* size) noexcept:
    """The text of the element at p if that is one of less than 64 bytes, as most are; else NULL."""
    size[0] = p[0] & 0x3F
    return <const char*>p + 1 if p[0] & 0xC0 == 0x80 else NULL


cdef inline uint32_t lp_stored_count(const uint8_t* lp) noexcept:
    """Elements, or LP_MANY."""
    return lp[4] | <uint32_t>lp[5] << 8


cdef inline const char* lp_text(const LpItem* item, char* scratch, size_t* size) noexcept:
    """The element's text, an integer printed to scratch (INT64_TEXT bytes)."""
    if item.text is not NULL:
        size[0] = item.size
        return item.text
    size[0] = lp_print(scratch, item.number)
    return scratch


cdef int lp_print(char* out, int64_t number) noexcept
