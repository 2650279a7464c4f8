"""SHA-1. The design comment is in sha1.pxd."""
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset

cdef const char* HEX = b"0123456789abcdef"

cdef enum:
    BLOCK = 64                  # bytes that are mixed in at a time


cdef inline uint32_t rotate(uint32_t x, int n) noexcept nogil:
    return x << n | x >> (32 - n)


cdef inline uint32_t word(const uint8_t* p) noexcept nogil:
    """Four bytes, the highest first."""
    return <uint32_t>p[0] << 24 | <uint32_t>p[1] << 16 | <uint32_t>p[2] << 8 | p[3]


cdef inline uint32_t choose(uint32_t x, uint32_t y, uint32_t z) noexcept nogil:
    return z ^ x & (y ^ z)


cdef inline uint32_t parity(uint32_t x, uint32_t y, uint32_t z) noexcept nogil:
    return x ^ y ^ z


cdef inline uint32_t majority(uint32_t x, uint32_t y, uint32_t z) noexcept nogil:
    return x & y | z & (x | y)


cdef inline void turn(uint32_t a, uint32_t* b, uint32_t* e, uint32_t mixed) noexcept nogil:
    """One of the 80 steps. Words do not move on; the next step names them otherwise."""
    e[0] += rotate(a, 5) + mixed
    b[0] = rotate(b[0], 30)


cdef inline uint32_t next_word(uint32_t* w, int i) noexcept nogil:
    """What step i mixes in: the block's own words first, then what is made of them."""
    if i >= 16:
        w[i & 15] = rotate(w[(i - 3) & 15] ^ w[(i - 8) & 15] ^ w[(i - 14) & 15] ^ w[i & 15], 1)
    return w[i & 15]


cdef void mix(uint32_t* state, const uint8_t* block) noexcept nogil:
    """Mix one block into the state of five words."""
    cdef uint32_t[16] w         # of the 80 words those that the next ones are made of
    cdef uint32_t a = state[0], b = state[1], c = state[2], d = state[3], e = state[4]
    cdef int i

    for i in range(16):
        w[i] = word(block + 4 * i)
    for i in range(0, 20, 5):
        turn(a, &b, &e, choose(b, c, d) + <uint32_t>0x5A827999 + next_word(w, i))
        turn(e, &a, &d, choose(a, b, c) + <uint32_t>0x5A827999 + next_word(w, i + 1))
        turn(d, &e, &c, choose(e, a, b) + <uint32_t>0x5A827999 + next_word(w, i + 2))
        turn(c, &d, &b, choose(d, e, a) + <uint32_t>0x5A827999 + next_word(w, i + 3))
        turn(b, &c, &a, choose(c, d, e) + <uint32_t>0x5A827999 + next_word(w, i + 4))
    for i in range(20, 40, 5):
        turn(a, &b, &e, parity(b, c, d) + <uint32_t>0x6ED9EBA1 + next_word(w, i))
        turn(e, &a, &d, parity(a, b, c) + <uint32_t>0x6ED9EBA1 + next_word(w, i + 1))
        turn(d, &e, &c, parity(e, a, b) + <uint32_t>0x6ED9EBA1 + next_word(w, i + 2))
        turn(c, &d, &b, parity(d, e, a) + <uint32_t>0x6ED9EBA1 + next_word(w, i + 3))
        turn(b, &c, &a, parity(c, d, e) + <uint32_t>0x6ED9EBA1 + next_word(w, i + 4))
    for i in range(40, 60, 5):
        turn(a, &b, &e, majority(b, c, d) + <uint32_t>0x8F1BBCDC + next_word(w, i))
        turn(e, &a, &d, majority(a, b, c) + <uint32_t>0x8F1BBCDC + next_word(w, i + 1))
        turn(d, &e, &c, majority(e, a, b) + <uint32_t>0x8F1BBCDC + next_word(w, i + 2))
        turn(c, &d, &b, majority(d, e, a) + <uint32_t>0x8F1BBCDC + next_word(w, i + 3))
        turn(b, &c, &a, majority(c, d, e) + <uint32_t>0x8F1BBCDC + next_word(w, i + 4))
    for i in range(60, 80, 5):
        turn(a, &b, &e, parity(b, c, d) + <uint32_t>0xCA62C1D6 + next_word(w, i))
        turn(e, &a, &d, parity(a, b, c) + <uint32_t>0xCA62C1D6 + next_word(w, i + 1))
        turn(d, &e, &c, parity(e, a, b) + <uint32_t>0xCA62C1D6 + next_word(w, i + 2))
        turn(c, &d, &b, parity(d, e, a) + <uint32_t>0xCA62C1D6 + next_word(w, i + 3))
        turn(b, &c, &a, parity(c, d, e) + <uint32_t>0xCA62C1D6 + next_word(w, i + 4))
    state[0] += a
    state[1] += b
    state[2] += c
    state[3] += d
    state[4] += e


cdef void sha1_text(const char* data, size_t size, char* out) noexcept nogil:
    cdef uint32_t[5] state
    cdef uint8_t[2 * BLOCK] tail            # the rest of the data, a bit, zeros, and the number of bits
    cdef size_t whole = size & ~<size_t>(BLOCK - 1), rest = size - whole, i
    cdef size_t end = BLOCK if rest < BLOCK - 8 else 2 * BLOCK
    cdef int j

    state[0] = 0x67452301
    state[1] = 0xEFCDAB89
    state[2] = 0x98BADCFE
    state[3] = 0x10325476
    state[4] = 0xC3D2E1F0
    for i in range(whole // BLOCK):
        mix(state, <const uint8_t*>data + i * BLOCK)
    memset(tail, 0, sizeof(tail))
    if rest:
        memcpy(tail, data + whole, rest)
    tail[rest] = 0x80
    for j in range(8):
        tail[end - 1 - j] = <uint8_t>(<uint64_t>size * 8 >> (8 * j))
    for i in range(end // BLOCK):
        mix(state, tail + i * BLOCK)
    for j in range(SHA1_TEXT):
        out[j] = HEX[state[j // 8] >> (28 - 4 * (j % 8)) & 15]
