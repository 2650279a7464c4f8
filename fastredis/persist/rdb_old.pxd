# Encodings of old RDB files: ziplists (up to Redis 6.2) and zipmaps (Redis 2.4), rewritten as listpacks.
#
#   ziplist  total, tail (4 LE each), entries (2 LE), entry ..., 0xFF
#   entry    length of the one before (1, or 0xFE and 4 LE) | encoding | data
#            00nnnnnn | 01nnnnnn n | 0x80 and 4 BE: text;   0xC0 int16, 0xD0 int32, 0xE0 int64, 0xF0 int24, 0xFE int8,
#            0xF1 to 0xFD: 0 to 12
#   zipmap   entries (1, or 0xFE: many), [length, key, length, unused bytes, value, unused] ..., 0xFF
#            length: 1, or 0xFE and 4 LE
#
# Every length is checked against the bytes there are. Returned is a new listpack of the account; NULL, without an
# exception: the bytes are not well-formed.
# Source: https://github.com/redis/redis/blob/6.2/src/ziplist.c, .../zipmap.c (the layouts)

from libc.stdint cimport uint8_t

from fastredis.ds.alloc cimport Account

cdef uint8_t* old_ziplist(Account* account, const uint8_t* data, size_t size) except? NULL
cdef uint8_t* old_zipmap(Account* account, const uint8_t* data, size_t size) except? NULL
