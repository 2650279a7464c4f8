# The RDB format in numbers: what files, DUMP payloads and full synchronisations consist of.
#
#   file      "REDIS" version (4 digits)   or "VALKEY" and 3 digits
#             AUX name value ...           FUNCTION2 code ...
#             SELECTDB n  RESIZEDB keys expires  key key key ...         for each database that is not empty
#             EOF  CRC-64 of all before (8 bytes LE; 0: none)
#   key       [EXPIRETIME_MS when (8 LE)] [IDLE seconds | FREQ counter] type key value
#   DUMP      type value version (2 LE) CRC-64 of all before (8 LE)
#   length    00nnnnnn | 01nnnnnn n | 0x80 and 4 bytes BE | 0x81 and 8 bytes BE
#   string    length and bytes | 11 ENC_INT8, 16, 32 and a number, LE | 11 ENC_LZF, compressed length, length, bytes
#
# Source: https://github.com/redis/redis/blob/7.4/src/rdb.h, https://rdb.fnordig.de/file_format.html

from libc.stdint cimport int64_t

from fastredis.ds.native cimport wall_us

cdef extern from "<unistd.h>" nogil:
    int usleep(unsigned int us)

cdef enum:
    RDB_VERSION = 10                    # what is written: Redis 7.0 and later load it
    RDB_VERSION_FIELD_TTL = 12          # ... when fields of hashes have deadlines: Redis 7.4 and later
    RDB_VERSION_IDMP = 13               # ... of a payload, when a stream knows of producers: Redis 8.6 and later
    RDB_VERSION_RELEASED = 14           # ... or has released entries: Redis 8.8 and later
    RDB_VERSION_MAX = 14                # highest one of Redis' that is read
    RDB_VERSION_VALKEY = 80             # the versions of Valkey's own begin here
    RDB_VERSION_VALKEY_MAX = 80
    RDB_VERSION_OWN = 900               # ours, of what has no form that others document: arrays, deadlines of members

cdef enum:                              # types: the byte in front of a key
    RDB_STRING = 0
    RDB_LIST = 1                        # elements one by one (up to Redis 3.0)
    RDB_SET = 2                         # members
    RDB_ZSET = 3                        # members, scores as text
    RDB_HASH = 4                        # fields and values
    RDB_ZSET_2 = 5                      # members, scores as binary doubles
    RDB_MODULE = 6
    RDB_MODULE_2 = 7
    RDB_HASH_ZIPMAP = 9                 # from here on: one string that is the whole value ...
    RDB_LIST_ZIPLIST = 10
    RDB_SET_INTSET = 11
    RDB_ZSET_ZIPLIST = 12
    RDB_HASH_ZIPLIST = 13
    RDB_LIST_QUICKLIST = 14             # ... or, these two, nodes
    RDB_STREAM_LISTPACKS = 15
    RDB_HASH_LISTPACK = 16
    RDB_ZSET_LISTPACK = 17
    RDB_LIST_QUICKLIST_2 = 18
    RDB_STREAM_LISTPACKS_2 = 19
    RDB_SET_LISTPACK = 20
    RDB_STREAM_LISTPACKS_3 = 21
    RDB_HASH_METADATA_RC = 22           # as in release candidates of Redis 7.4
    RDB_HASH_2 = 22                     # in files of Valkey: fields, values and absolute deadlines
    RDB_HASH_LISTPACK_EX_RC = 23
    RDB_HASH_METADATA = 24              # fields and values with deadlines, relative to the soonest
    RDB_HASH_LISTPACK_EX = 25           # a listpack of triples behind the soonest deadline
    RDB_STREAM_LISTPACKS_4 = 26         # with what is known of producers
    RDB_STREAM_LISTPACKS_5 = 27         # ... and of released entries
    RDB_ARRAY = 200                     # ours, since RDB_VERSION_OWN (rdb_array)
    RDB_SET_METADATA = 201              # ... members with deadlines, relative to the soonest, as RDB_HASH_METADATA

cdef enum:                              # opcodes: where a type could be, too
    RDB_OP_SLOT_IMPORT = 243            # Valkey 9
    RDB_OP_SLOT_INFO = 244
    RDB_OP_FUNCTION2 = 245
    RDB_OP_FUNCTION_RC = 246            # as in release candidates of Redis 7.0
    RDB_OP_MODULE_AUX = 247
    RDB_OP_IDLE = 248                   # of the key that follows: seconds since its last use
    RDB_OP_FREQ = 249                   # of the key that follows: LFU counter
    RDB_OP_AUX = 250
    RDB_OP_RESIZEDB = 251
    RDB_OP_EXPIRETIME_MS = 252
    RDB_OP_EXPIRETIME = 253             # seconds, 4 bytes
    RDB_OP_SELECTDB = 254
    RDB_OP_EOF = 255

cdef enum:                              # the first byte of a length
    RDB_LEN_14 = 0x40
    RDB_LEN_32 = 0x80
    RDB_LEN_64 = 0x81
    RDB_LEN_ENCODED = 0xC0              # a string that is not just bytes follows; the low bits say what
    RDB_ENC_INT8 = 0
    RDB_ENC_INT16 = 1
    RDB_ENC_INT32 = 2
    RDB_ENC_LZF = 3

cdef enum:                              # nodes of RDB_LIST_QUICKLIST_2
    RDB_NODE_PLAIN = 1
    RDB_NODE_PACKED = 2

cdef enum:                              # what follows in the value of a module
    RDB_MODULE_EOF = 0
    RDB_MODULE_SINT = 1
    RDB_MODULE_UINT = 2
    RDB_MODULE_FLOAT = 3
    RDB_MODULE_DOUBLE = 4
    RDB_MODULE_STRING = 5

cdef enum:
    RDB_FOOTER = 10                     # bytes behind the value in a DUMP payload
    RDB_CHECKSUM = 8


cdef inline const char* rdb_aux_blessed() noexcept:
    """The AUX field that names a key which eviction spares; ours, so that others pass over it."""
    return b"fastredis-blessed"


cdef inline void rdb_delay(int64_t us) noexcept:
    """rdb-key-save-delay, key-load-delay: sleep after a key; below 0: a microsecond after one of -us keys, about."""
    if us > 0:
        usleep(<unsigned int>us)
    elif wall_us() % -us == 0:
        usleep(1)
