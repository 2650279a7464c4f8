# Random numbers for choices among elements: fast, fair, not secret.
#
# SplitMix64; its state is 64 bits of the caller's.
# Source: https://prng.di.unimi.it/splitmix64.c

from libc.stdint cimport uint64_t

cdef extern from *:
    """
    #include <stdint.h>

    static inline uint64_t fr_random64(uint64_t *seed) {
        uint64_t z = *seed += 0x9E3779B97F4A7C15ULL;
        z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9ULL;
        z = (z ^ z >> 27) * 0x94D049BB133111EBULL;
        return z ^ z >> 31;
    }

    /* A number in 0..n-1, without a division. */
    static inline uint64_t fr_random_below(uint64_t *seed, uint64_t n) {
        return (uint64_t)(((unsigned __int128)fr_random64(seed) * n) >> 64);
    }
    """
    uint64_t random64 "fr_random64"(uint64_t* seed) noexcept nogil
    uint64_t random_below "fr_random_below"(uint64_t* seed, uint64_t n) noexcept nogil
