# XXH3, 64 bits wide, seed 0, default secret: the hash that the command DIGEST replies.
#
# Fixed for ever and the same on every machine, so clients can compute it too. It is not
# keyed: tables use hash_bytes() of native.pxd.
# Source: https://github.com/Cyan4973/xxHash/blob/dev/doc/xxhash_spec.md

from libc.stdint cimport uint64_t

cdef uint64_t xxh3_64(const void* data, size_t n) noexcept nogil
