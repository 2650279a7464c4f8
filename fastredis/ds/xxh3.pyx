"""XXH3, 64 bits: written from its specification, for seed 0 and the default secret.

Inputs take one of five ways by their length in bytes: 0-3, 4-8, 9-16, 17-240 (one
accumulator) and longer (eight accumulators over stripes of 64 bytes, scrambled after
every 16 stripes). All words are little-endian.
Rejected: the reference library (SIMD, one header of 7,000 lines): DIGEST is rare.
Source: https://github.com/Cyan4973/xxHash/blob/dev/doc/xxhash_spec.md
"""
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy

from fastredis.ds.native cimport bswap32, bswap64

cdef extern from *:
    """
    /* Both halves of a 64x64-bit product, folded into one by xor. */
    static inline uint64_t fr_fold_product(uint64_t a, uint64_t b) {
        unsigned __int128 product = (unsigned __int128)a * b;
        return (uint64_t)product ^ (uint64_t)(product >> 64);
    }
    #define FR_BIG_ENDIAN (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__)
    """
    uint64_t fold_product "fr_fold_product"(uint64_t a, uint64_t b) noexcept nogil
    bint BIG_ENDIAN "FR_BIG_ENDIAN"

cdef enum:
    SECRET = 192                # bytes of the secret
    STRIPE = 64                 # bytes: one word for each of eight accumulators
    BLOCK_STRIPES = 16          # stripes between two scramblings

cdef uint64_t PRIME32_1 = <uint64_t>0x9E3779B1
cdef uint64_t PRIME32_2 = <uint64_t>0x85EBCA77
cdef uint64_t PRIME32_3 = <uint64_t>0xC2B2AE3D
cdef uint64_t PRIME64_1 = <uint64_t>0x9E3779B185EBCA87
cdef uint64_t PRIME64_2 = <uint64_t>0xC2B2AE3D27D4EB4F
cdef uint64_t PRIME64_3 = <uint64_t>0x165667B19E3779F9
cdef uint64_t PRIME64_4 = <uint64_t>0x85EBCA77C2B2AE63
cdef uint64_t PRIME64_5 = <uint64_t>0x27D4EB2F165667C5
cdef uint64_t PRIME_MX1 = <uint64_t>0x165667919E3779F9
cdef uint64_t PRIME_MX2 = <uint64_t>0x9FB21C651E98DF25

cdef uint8_t[SECRET] DEFAULT_SECRET


def _fill_secret():
    """Lay the secret out as bytes, once, when the module is imported."""
    secret = bytes.fromhex(
        "b8fe6c3923a44bbe7c01812cf721ad1cded46de9839097db7240a4a4b7b3671f"
        "cb79e64eccc0e578825ad07dccff7221b8084674f743248ee03590e6813a264c"
        "3c2852bb91c300cb88d0658b1b532ea371644897a20df94e3819ef46a9deacd8"
        "a8fa763fe39c343ff9dcbbc7c70b4f1d8a51e04bcdb45931c89f7ec9d9787364"
        "eac5ac8334d3ebc3c581a0fffa1363eb170ddd51b7f0da49d316552629d4689e"
        "2b16be587d47a1fc8ff8b8d17ad031ce45cb3a8f95160428afd7fbcabb4b407e")
    memcpy(DEFAULT_SECRET, <const char*>secret, SECRET)


_fill_secret()


cdef uint64_t xxh3_64(const void* data, size_t n) noexcept nogil:
    """XXH3_64bits() of n bytes. Shown to users as 16 lower-case hexadecimal digits."""
    cdef const uint8_t* s = <const uint8_t*>data

    if n > 240:
        return hash_long(s, n)
    if n > 128:
        return hash_129_to_240(s, n)
    if n > 16:
        return hash_17_to_128(s, n)
    if n > 8:
        return hash_9_to_16(s, n)
    if n > 3:
        return hash_4_to_8(s, n)
    if n:
        return hash_1_to_3(s, n)
    return avalanche_xxh64(secret64(56) ^ secret64(64))


cdef inline uint64_t read64(const uint8_t* p) noexcept nogil:
    cdef uint64_t word

    memcpy(&word, p, 8)
    return bswap64(word) if BIG_ENDIAN else word


cdef inline uint64_t read32(const uint8_t* p) noexcept nogil:
    cdef uint32_t word

    memcpy(&word, p, 4)
    return bswap32(word) if BIG_ENDIAN else word


cdef inline uint64_t secret64(size_t offset) noexcept nogil:
    return read64(DEFAULT_SECRET + offset)


cdef inline uint64_t rotate_left(uint64_t x, int bits) noexcept nogil:
    return x << bits | x >> (64 - bits)


cdef inline uint64_t avalanche(uint64_t x) noexcept nogil:
    x = (x ^ x >> 37) * PRIME_MX1
    return x ^ x >> 32


cdef inline uint64_t avalanche_xxh64(uint64_t x) noexcept nogil:
    x = (x ^ x >> 33) * PRIME64_2
    x = (x ^ x >> 29) * PRIME64_3
    return x ^ x >> 32


cdef inline uint64_t hash_1_to_3(const uint8_t* s, size_t n) noexcept nogil:
    cdef uint64_t combined = s[n - 1] | n << 8 | <uint64_t>s[0] << 16 | <uint64_t>s[n >> 1] << 24

    return avalanche_xxh64(read32(DEFAULT_SECRET) ^ read32(DEFAULT_SECRET + 4) ^ combined)


cdef inline uint64_t hash_4_to_8(const uint8_t* s, size_t n) noexcept nogil:
    cdef uint64_t x = read32(s + n - 4) | read32(s) << 32

    x ^= secret64(8) ^ secret64(16)
    x ^= rotate_left(x, 49) ^ rotate_left(x, 24)
    x *= PRIME_MX2
    x ^= (x >> 35) + n
    x *= PRIME_MX2
    return x ^ x >> 28


cdef inline uint64_t hash_9_to_16(const uint8_t* s, size_t n) noexcept nogil:
    cdef uint64_t low = secret64(24) ^ secret64(32) ^ read64(s)
    cdef uint64_t high = secret64(40) ^ secret64(48) ^ read64(s + n - 8)

    return avalanche(n + bswap64(low) + high + fold_product(low, high))


cdef inline uint64_t mix_16(const uint8_t* s, size_t offset) noexcept nogil:
    """Mix 16 bytes with those of the secret at `offset`."""
    return fold_product(read64(s) ^ secret64(offset), read64(s + 8) ^ secret64(offset + 8))


cdef uint64_t hash_17_to_128(const uint8_t* s, size_t n) noexcept nogil:
    """Pairs of 16 bytes, from the outside in; they may overlap in the middle."""
    cdef uint64_t acc = n * PRIME64_1
    cdef size_t i

    for i in range((n - 1) // 32 + 1):
        acc += mix_16(s + i * 16, i * 32)
        acc += mix_16(s + n - i * 16 - 16, i * 32 + 16)
    return avalanche(acc)


cdef uint64_t hash_129_to_240(const uint8_t* s, size_t n) noexcept nogil:
    cdef uint64_t acc = n * PRIME64_1
    cdef size_t i

    for i in range(8):
        acc += mix_16(s + i * 16, i * 16)
    acc = avalanche(acc)
    for i in range(8, n // 16):
        acc += mix_16(s + i * 16, (i - 8) * 16 + 3)
    return avalanche(acc + mix_16(s + n - 16, 119))


cdef inline void accumulate(uint64_t* acc, const uint8_t* stripe, size_t offset) noexcept nogil:
    """Mix one stripe into the accumulators, with the secret from `offset` on."""
    cdef uint64_t word, mixed
    cdef size_t i

    for i in range(8):
        word = read64(stripe + i * 8)
        mixed = word ^ secret64(offset + i * 8)
        acc[i ^ 1] += word
        acc[i] += <uint64_t><uint32_t>mixed * (mixed >> 32)


cdef inline void scramble(uint64_t* acc) noexcept nogil:
    cdef size_t i

    for i in range(8):
        acc[i] = (acc[i] ^ acc[i] >> 47 ^ secret64(SECRET - STRIPE + i * 8)) * PRIME32_1


cdef uint64_t hash_long(const uint8_t* s, size_t n) noexcept nogil:
    """More than 240 bytes. The last stripe is the last 64 bytes, whether they were in another one or not."""
    cdef uint64_t[8] acc = [PRIME32_3, PRIME64_1, PRIME64_2, PRIME64_3, PRIME64_4, PRIME32_2, PRIME64_5, PRIME32_1]
    cdef uint64_t result = n * PRIME64_1
    cdef size_t i

    for i in range((n - 1) // STRIPE):
        # Not after the last block, even if it is a full one.
        if i and i % BLOCK_STRIPES == 0:
            scramble(acc)
        accumulate(acc, s + i * STRIPE, i % BLOCK_STRIPES * 8)
    if (n - 1) // STRIPE % BLOCK_STRIPES == 0:
        scramble(acc)
    accumulate(acc, s + n - STRIPE, SECRET - STRIPE - 7)
    for i in range(0, 8, 2):
        result += fold_product(acc[i] ^ secret64(11 + i * 8), acc[i + 1] ^ secret64(19 + i * 8))
    return avalanche(result)
