"""Bit arrays and bit fields in strings. The design comment is in bits.pxd."""
from libc.stdint cimport INT64_MAX, INT64_MIN
from libc.string cimport memcpy, memmove, memset

from fastredis.ds.native cimport clz64

cdef enum:
    CHUNK = 4096                # bytes that bits_combine() takes at a time; a few of them fit in the L1 cache
    STRIDE = 64                 # bytes that bits_find() skips at a time

# The compiler makes vector code of each body with what its target has. Cython has no way to say
# "this function for that target", hence C. Measured, 1 MB in cache: 13 us with AVX-512 VPOPCNTDQ,
# 41 us with POPCNT, 120 us with neither (and 250 us for __builtin_popcountll without POPCNT).
cdef extern from *:
    """
    #define FR_BODY static inline __attribute__((always_inline)) uint64_t

    FR_BODY fr_count_shifts(const char *p, size_t words) {
        uint64_t total = 0, w;
        for (size_t i = 0; i < words; i++) {
            memcpy(&w, p + 8 * i, 8);
            w -= w >> 1 & 0x5555555555555555u;
            w = (w & 0x3333333333333333u) + (w >> 2 & 0x3333333333333333u);
            w = (w + (w >> 4)) & 0x0f0f0f0f0f0f0f0fu;
            total += w * 0x0101010101010101u >> 56;
        }
        return total;
    }

    #if defined(__x86_64__) && defined(__GNUC__)
    FR_BODY fr_count_words(const char *p, size_t words) {
        uint64_t total = 0, w;
        for (size_t i = 0; i < words; i++) {
            memcpy(&w, p + 8 * i, 8);
            total += (uint64_t)__builtin_popcountll(w);
        }
        return total;
    }

    /* Four sums: on some processors POPCNT waits for the last value of its target register. */
    FR_BODY fr_count_fours(const char *p, size_t words) {
        uint64_t a = 0, b = 0, c = 0, d = 0, w[4];
        for (; words >= 4; words -= 4, p += 32) {
            memcpy(w, p, 32);
            a += (uint64_t)__builtin_popcountll(w[0]);
            b += (uint64_t)__builtin_popcountll(w[1]);
            c += (uint64_t)__builtin_popcountll(w[2]);
            d += (uint64_t)__builtin_popcountll(w[3]);
        }
        return a + b + c + d + fr_count_words(p, words);
    }

    __attribute__((target("popcnt,avx512f,avx512vl,avx512vpopcntdq")))
    static uint64_t fr_count_avx512(const char *p, size_t words) { return fr_count_words(p, words); }

    __attribute__((target("popcnt")))
    static uint64_t fr_count_popcnt(const char *p, size_t words) { return fr_count_fours(p, words); }

    static uint64_t fr_count(const char *p, size_t words) {
        if (__builtin_cpu_supports("avx512vpopcntdq") && __builtin_cpu_supports("avx512vl"))
            return fr_count_avx512(p, words);
        if (__builtin_cpu_supports("popcnt"))
            return fr_count_popcnt(p, words);
        return fr_count_shifts(p, words);
    }
    #else
    static uint64_t fr_count(const char *p, size_t words) { return fr_count_shifts(p, words); }
    #endif

    #if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    #define fr_big_endian(x) (x)
    #else
    #define fr_big_endian(x) __builtin_bswap64(x)
    #endif

    typedef uint64_t fr_word __attribute__((aligned(1), may_alias));
    """
    ctypedef uint64_t word_t "fr_word"          # a word at any address
    uint64_t count_words "fr_count"(const char* p, size_t words) noexcept nogil
    uint64_t big_endian "fr_big_endian"(uint64_t x) noexcept nogil

cdef inline uint64_t load_word(const char* p) noexcept nogil:
    """Eight bytes as a number, the first bit its highest."""
    cdef uint64_t word

    memcpy(&word, p, 8)
    return big_endian(word)


cdef inline uint64_t load_padded(const char* p, size_t size) noexcept nogil:
    """Up to eight bytes as a number, zeros behind them."""
    cdef uint64_t word = 0

    if size >= 8:
        return load_word(p)
    memcpy(&word, p, size)
    return big_endian(word)


# --- counting and searching ---------------------------------------------------------------

cdef inline int count_padded(const char* p, size_t size) noexcept nogil:
    """Bits set in fewer than eight bytes."""
    cdef uint64_t word = 0

    memcpy(&word, p, size)
    return <int>count_words(<char*>&word, 1)


cdef int64_t bits_count(const char* data, uint64_t start, uint64_t stop) noexcept nogil:
    """How many bits from start up to stop are set. O(stop - start)."""
    cdef uint64_t first = start >> 3
    cdef uint64_t size = ((stop + 7) >> 3) - first
    cdef unsigned char outside
    cdef int64_t total

    if start >= stop:
        return 0
    total = count_words(data + first, size >> 3) + count_padded(data + first + (size & ~<uint64_t>7), size & 7)
    if start & 7:
        outside = <unsigned char>data[first] >> (8 - (start & 7))
        total -= count_padded(<char*>&outside, 1)
    if stop & 7:
        outside = <unsigned char>data[stop >> 3] & (0xFF >> (stop & 7))
        total -= count_padded(<char*>&outside, 1)
    return total


cdef inline bint all_equal(const word_t* p, uint64_t value) noexcept nogil:
    """Whether STRIDE bytes are eight times that word."""
    return ((p[0] ^ value) | (p[1] ^ value) | (p[2] ^ value) | (p[3] ^ value)
            | (p[4] ^ value) | (p[5] ^ value) | (p[6] ^ value) | (p[7] ^ value)) == 0


cdef int64_t bits_find(const char* data, uint64_t start, uint64_t stop, bint bit) noexcept nogil:
    """Where the first set bit, or clear bit, from start up to stop is; -1: nowhere. O(stop - start)."""
    cdef uint64_t flip = 0 if bit else ~<uint64_t>0     # so that the bit sought is a 1
    cdef uint64_t at = start >> 3                       # byte
    cdef uint64_t end = (stop + 7) >> 3
    cdef uint64_t found

    if start >= stop:
        return -1
    found = (load_padded(data + at, end - at) ^ flip) & (~<uint64_t>0 >> (start & 7))
    while found == 0:
        at += 8
        while at + STRIDE <= end and all_equal(<const word_t*>(data + at), flip):
            at += STRIDE
        if at >= end:
            return -1
        found = load_padded(data + at, end - at) ^ flip
    found = at * 8 + clz64(found)
    return <int64_t>found if found < stop else -1


# --- combining ------------------------------------------------------------------------------
#
# Loops over bytes, which the compiler turns into vector code, with one result and two operands:
# between two operations a chunk stays in the L1 cache. All strings reach through a chunk or
# have ended before it, so no loop asks for a string's end.

ctypedef unsigned char byte_t
ctypedef void (*Kernel)(byte_t* out, const byte_t* x, const byte_t* y, size_t size) noexcept nogil

cdef byte_t[CHUNK] ZEROS                # what follows a string


cdef inline const byte_t* chunk_of(const BitString* s, size_t at) noexcept nogil:
    return <const byte_t*>s.data + at if at < s.size else ZEROS


cdef void and_bytes(byte_t* out, const byte_t* x, const byte_t* y, size_t size) noexcept nogil:
    cdef size_t i

    for i in range(size):
        out[i] = x[i] & y[i]


cdef void or_bytes(byte_t* out, const byte_t* x, const byte_t* y, size_t size) noexcept nogil:
    cdef size_t i

    for i in range(size):
        out[i] = x[i] | y[i]


cdef void xor_bytes(byte_t* out, const byte_t* x, const byte_t* y, size_t size) noexcept nogil:
    cdef size_t i

    for i in range(size):
        out[i] = x[i] ^ y[i]


cdef void clear_bytes(byte_t* out, const byte_t* x, const byte_t* y, size_t size) noexcept nogil:
    """x without the bits of y."""
    cdef size_t i

    for i in range(size):
        out[i] = x[i] & ~y[i]


cdef void not_bytes(byte_t* out, const byte_t* x, size_t size) noexcept nogil:
    cdef size_t i

    for i in range(size):
        out[i] = ~x[i]


cdef void count_bytes(byte_t* some, byte_t* twice, const byte_t* x, size_t size) noexcept nogil:
    """Note x's bits in `some`, and those that were there already in `twice`."""
    cdef size_t i

    for i in range(size):
        twice[i] |= some[i] & x[i]
        some[i] |= x[i]


cdef void fold(Kernel kernel, byte_t* out, const BitString* strings, size_t count, size_t at,
               size_t size) noexcept nogil:
    """A chunk of strings[0] op strings[1] op ...; out is written when all of them were read."""
    cdef byte_t[CHUNK] sum
    cdef const byte_t* x = chunk_of(&strings[0], at)
    cdef byte_t* target
    cdef size_t i

    if count == 1:
        memmove(out, x, size)
    for i in range(1, count):
        target = out if i == count - 1 else sum
        kernel(target, x, chunk_of(&strings[i], at), size)
        x = target


cdef void fold_one(byte_t* out, const BitString* strings, size_t count, size_t at, size_t size) noexcept nogil:
    """A chunk of the bits that are in exactly one string."""
    cdef byte_t[CHUNK] some, twice
    cdef size_t i

    memset(some, 0, size)
    memset(twice, 0, size)
    for i in range(count):
        count_bytes(some, twice, chunk_of(&strings[i], at), size)
    clear_bytes(out, some, twice, size)


cdef void combine_chunk(BitOp op, byte_t* out, const BitString* strings, size_t count, size_t at,
                        size_t size) noexcept nogil:
    cdef byte_t[CHUNK] rest             # of DIFF, DIFF1, ANDOR: the strings behind the first
    cdef const byte_t* first = chunk_of(&strings[0], at)

    if op == BIT_AND:
        fold(and_bytes, out, strings, count, at, size)
    elif op == BIT_OR:
        fold(or_bytes, out, strings, count, at, size)
    elif op == BIT_XOR:
        fold(xor_bytes, out, strings, count, at, size)
    elif op == BIT_NOT:
        not_bytes(out, first, size)
    elif op == BIT_ONE:
        fold_one(out, strings, count, at, size)
    else:
        fold(or_bytes, rest, strings + 1, count - 1, at, size)
        if op == BIT_DIFF:
            clear_bytes(out, first, rest, size)
        elif op == BIT_DIFF1:
            clear_bytes(out, rest, first, size)
        else:
            and_bytes(out, first, rest, size)


cdef void bits_combine(BitOp op, char* out, size_t size, const BitString* strings, size_t count) noexcept nogil:
    """Write the first `size` bytes of strings[0] op strings[1] op ... to out. O(size * count).

    There is one string, or for DIFF, DIFF1 and ANDOR two, at least. out may be the data of one of them.
    """
    cdef size_t at = 0
    cdef size_t chunk, i

    while at < size:
        chunk = size - at if size - at < CHUNK else CHUNK
        for i in range(count):
            if at < strings[i].size < at + chunk:
                chunk = strings[i].size - at
        combine_chunk(op, <byte_t*>out + at, strings, count, at, chunk)
        at += chunk


# --- fields -----------------------------------------------------------------------------------

cdef inline int64_t field_value(uint64_t bits, int width, bint is_signed) noexcept nogil:
    """The number that the highest `width` bits are."""
    return <int64_t>bits >> (64 - width) if is_signed else <int64_t>(bits >> (64 - width))


cdef int64_t field_get(const char* data, size_t size, uint64_t offset, int width, bint is_signed) noexcept nogil:
    """The field of `width` bits at a bit offset of a string of `size` bytes; beyond its end there are zeros.

    An unsigned field has at most 63 bits.
    """
    cdef uint64_t at = offset >> 3
    cdef int shift = <int>(offset & 7)
    cdef uint64_t bits = 0

    if at < size:
        bits = load_padded(data + at, size - at) << shift
        if shift and size - at > 8:
            bits |= <unsigned char>data[at + 8] >> (8 - shift)
    return field_value(bits, width, is_signed)


cdef void field_set(char* data, uint64_t offset, int width, int64_t value) noexcept nogil:
    """Write the low `width` bits of a value to a field; data reaches to its last bit."""
    cdef uint64_t rest = <uint64_t>value
    cdef uint64_t end = offset + width
    cdef int left = width
    cdef int low, take, mask

    while left:                         # from the last byte to the first
        low = <int>(-end & 7)           # bits of the byte that are behind the field
        take = 8 - low if 8 - low < left else left
        mask = ((1 << take) - 1) << low
        data[(end - 1) >> 3] = <char>((data[(end - 1) >> 3] & ~mask) | (<int>(rest << low) & mask))
        rest >>= take
        end -= take
        left -= take


cdef bint field_add(int64_t value, int64_t increment, int width, bint is_signed, Overflow overflow,
                    int64_t* sum) noexcept nogil:
    """value + increment as a field can hold it; False if it cannot and that is to fail.

    A value outside of the field's range comes with increment 0.
    """
    cdef int64_t top = INT64_MAX >> (64 - width) if is_signed else INT64_MAX >> (63 - width)
    cdef int64_t bottom = -top - 1 if is_signed else 0
    cdef uint64_t room = <uint64_t>top - <uint64_t>value
    cdef uint64_t depth = <uint64_t>value - <uint64_t>bottom
    cdef bint above = value > top or (increment > 0 and <uint64_t>increment > room)
    cdef bint below = value < bottom or (increment < 0 and 0 - <uint64_t>increment > depth)
    cdef uint64_t wrapped = <uint64_t>value + <uint64_t>increment

    # Odd, but as in Redis: a negative number for an unsigned field is too high, and so are the
    # lowest 64-bit numbers for a signed one (where top - value leaves 64 bits).
    if value < bottom and (not is_signed or (width < 64 and value <= INT64_MIN + top)):
        above = True
    if not above and not below:
        sum[0] = <int64_t>wrapped
        return True
    if overflow == OVERFLOW_FAIL:
        return False
    if overflow == OVERFLOW_SAT:
        sum[0] = top if above else bottom
    else:
        sum[0] = field_value(wrapped << (64 - width), width, is_signed)
    return True
