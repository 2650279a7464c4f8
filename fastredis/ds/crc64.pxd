# CRC-64 as RDB files and DUMP payloads have it: the polynomial of Jones, reflected, no final xor.
#
# Eight bytes at a time, by eight tables of 256; they are made when the module is loaded (16 KiB).
# crc64(crc64(0, a), b) is crc64(0, a + b).
# Source: https://github.com/redis/redis/blob/7.0/src/crc64.c (polynomial and test value)

from libc.stdint cimport uint64_t

cdef uint64_t crc64(uint64_t crc, const void* data, size_t size) noexcept nogil
