# What C gives and Python does not: prefetch, bit tricks, a cycle counter, the keyed hash.
#
# hash_bytes is CPython's own SipHash: its key is random per process, so nobody can
# choose keys that fall into one bucket. Source: https://peps.python.org/pep-0456/

from libc.stdint cimport int64_t, uint32_t, uint64_t

cdef extern from *:
    """
    #include <Python.h>
    #include <stdint.h>
    #include <string.h>
    #include <time.h>
    #if defined(__x86_64__)
    #include <x86intrin.h>
    #endif

    #define fr_likely(x) __builtin_expect(!!(x), 1)
    #define fr_unlikely(x) __builtin_expect(!!(x), 0)

    /* The empty asm is what keeps it: GCC takes a function that only prefetches for one
       without an effect, and drops the call. */
    static inline void fr_prefetch(const void *p) {
        __builtin_prefetch(p, 0, 3);
        __asm__ volatile("" : : "r"(p));
    }

    #if PY_VERSION_HEX >= 0x030D0000 && PY_VERSION_HEX < 0x030E0000
    PyAPI_FUNC(Py_hash_t) _Py_HashBytes(const void *, Py_ssize_t);     /* 3.13 exports it, but hides the prototype */
    #endif

    static inline uint64_t fr_hash_bytes(const void *p, size_t n) {
    #if PY_VERSION_HEX >= 0x030E0000
        return (uint64_t)Py_HashBuffer(p, (Py_ssize_t)n);
    #else
        return (uint64_t)_Py_HashBytes(p, (Py_ssize_t)n);
    #endif
    }

    /* Whether n bytes are equal: memcmp() without a call, for keys. Their ends, which differ most often, come first. */
    static inline int fr_same_bytes(const char *a, const char *b, size_t n) {
        uint64_t x, y;
        uint32_t v, w;
        if (n > 64) return memcmp(a, b, n) == 0;
        if (n >= 8) {
            for (n -= 8;; n = n > 8 ? n - 8 : 0) {
                memcpy(&x, a + n, 8);
                memcpy(&y, b + n, 8);
                if (x != y) return 0;
                if (n == 0) return 1;
            }
        }
        if (n >= 4) {
            memcpy(&v, a + n - 4, 4);
            memcpy(&w, b + n - 4, 4);
            if (v != w) return 0;
            memcpy(&v, a, 4);
            memcpy(&w, b, 4);
            return v == w;
        }
        while (n--)
            if (a[n] != b[n]) return 0;
        return 1;
    }

    /* memcpy() of less than 64 bytes without a call. */
    static inline void fr_copy_short(char *to, const char *from, size_t n) {
        uint64_t first, last;
        uint32_t low, high;
        if (n >= 8) {
            memcpy(&last, from + n - 8, 8);
            for (size_t i = 0; i + 8 < n; i += 8) {
                memcpy(&first, from + i, 8);
                memcpy(to + i, &first, 8);
            }
            memcpy(to + n - 8, &last, 8);
        } else if (n >= 4) {
            memcpy(&low, from, 4);
            memcpy(&high, from + n - 4, 4);
            memcpy(to, &low, 4);
            memcpy(to + n - 4, &high, 4);
        } else if (n) {
            char middle = from[n / 2], end = from[n - 1];
            to[0] = from[0];
            to[n / 2] = middle;
            to[n - 1] = end;
        }
    }

    static inline int64_t fr_clock_ns(clockid_t id) {
        struct timespec t;
        clock_gettime(id, &t);
        return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
    }

    /* Ticks of a steady counter: the TSC where there is one, else nanoseconds. */
    static inline uint64_t fr_ticks(void) {
    #if defined(__x86_64__)
        return __rdtsc();
    #else
        return (uint64_t)fr_clock_ns(CLOCK_MONOTONIC);
    #endif
    }

    static inline int64_t fr_wall_us(void) { return fr_clock_ns(CLOCK_REALTIME) / 1000; }
    static inline int64_t fr_monotonic_us(void) { return fr_clock_ns(CLOCK_MONOTONIC) / 1000; }
    """
    void prefetch "fr_prefetch"(const void *p) noexcept nogil
    uint64_t hash_bytes "fr_hash_bytes"(const void *p, size_t n) noexcept nogil
    bint same_bytes "fr_same_bytes"(const char *a, const char *b, size_t n) noexcept nogil
    void copy_short "fr_copy_short"(char *to, const char *text, size_t n) noexcept nogil
    uint64_t ticks "fr_ticks"() noexcept nogil
    int64_t wall_us "fr_wall_us"() noexcept nogil
    int64_t monotonic_us "fr_monotonic_us"() noexcept nogil
    int ctz64 "__builtin_ctzll"(unsigned long long x) noexcept nogil
    int clz64 "__builtin_clzll"(unsigned long long x) noexcept nogil
    int popcount64 "__builtin_popcountll"(unsigned long long x) noexcept nogil
    int popcount32 "__builtin_popcount"(unsigned int x) noexcept nogil
    uint32_t bswap32 "__builtin_bswap32"(uint32_t x) noexcept nogil
    uint64_t bswap64 "__builtin_bswap64"(uint64_t x) noexcept nogil
    bint likely "fr_likely"(bint condition) noexcept nogil
    bint unlikely "fr_unlikely"(bint condition) noexcept nogil
