# Entry: one key with its value, in one block.
#
#   meta      key_size  heap_index value_size
#   [ 4 byte ][ 4 byte ][ 4 byte ][ 4 byte ] [ key ............ ][ value ...... ]    ENC_EMBSTR
#   [ header                               ] [ 8-byte value slot ][ key ....... ]    all others
#
#   meta: bits 0-3 encoding, 4-6 type, 7 epoch (ENTRY_EPOCH), 8-31 LRU clock or LFU counter
#
# A 16-byte key with a 32-byte value takes 64 bytes, exactly a size class and a cache line.
# Short strings lie behind their key; anything else is in the value slot: an integer
# itself, or the pointer to what the type keeps elsewhere. heap_index says where in the
# database's expire heap the key's TTL is.
# A change that needs another layout makes a new block, so whoever holds an Entry* across
# a change has to look again.
# Rejected: a robj behind a pointer (one more cache miss, 24 bytes), the TTL in the entry
# (8 bytes for keys that have none, and the heap needs it beside its neighbours).

from libc.stdint cimport int64_t, uint8_t, uint32_t

from fastredis.ds.alloc cimport Account
from fastredis.ds.expire_heap cimport NOT_IN_HEAP

cpdef enum:                 # types, by Redis's numbers
    TYPE_STRING = 0
    TYPE_LIST = 1
    TYPE_SET = 2
    TYPE_ZSET = 3
    TYPE_HASH = 4
    TYPE_MODULE = 5         # a module's, which is not known here
    TYPE_STREAM = 6
    TYPE_ARRAY = 7

cdef enum:                  # encodings
    ENC_EMBSTR = 0          # string, behind the key
    ENC_INT = 1             # string, a 64-bit integer in the value slot
    ENC_RAW = 2             # string, a Raw block of its own
    ENC_LISTPACK = 3
    ENC_INTSET = 4
    ENC_QUICKLIST = 5
    ENC_HASHTABLE = 6
    ENC_SKIPLIST = 7
    ENC_STREAM = 8
    ENC_LISTPACK_EX = 9     # hash, a listpack whose fields may have deadlines
    ENC_OPAQUE = 10         # bytes of a type that is not known
    ENC_SLICED = 11         # array
    ENC_HASHTABLE_EX = 12   # set, a table whose members may have deadlines

cdef enum:                  # parts of Entry.meta
    ENTRY_KIND = 0x7F       # type and encoding; 0 of an embedded string only
    ENTRY_EPOCH = 1 << 7    # differs from Core.epoch: a snapshot under way has not saved the entry yet

cdef struct Entry:
    uint32_t meta
    uint32_t key_size       # bytes of the key
    uint32_t heap_index     # slot in the expire heap, NOT_IN_HEAP without a TTL
    uint32_t value_size     # bytes of an embedded value, else 0


cdef Entry* entry_new(Account* account, int kind, int encoding, const char* key, size_t key_size,
                      void* value) noexcept


cdef inline int entry_encoding(const Entry* e) noexcept:
    return e.meta & 0xF


cdef inline int entry_type(const Entry* e) noexcept:
    return e.meta >> 4 & 0x7


cdef inline void entry_set_encoding(Entry* e, int encoding) noexcept:
    """For a collection that changed its encoding; the caller sets the value slot."""
    e.meta = (e.meta & ~<uint32_t>0xF) | <uint32_t>encoding


cdef inline bint entry_may_be_timed(const Entry* e) noexcept:
    """Whether parts of the value may have deadlines (values/timed)."""
    return entry_type(e) == TYPE_HASH or entry_encoding(e) == ENC_HASHTABLE_EX


cdef inline uint32_t entry_lru(const Entry* e) noexcept:
    return e.meta >> 8


cdef inline void entry_set_lru(Entry* e, uint32_t lru) noexcept:
    e.meta = (e.meta & 0xFF) | lru << 8


cdef inline void entry_set_epoch(Entry* e, uint32_t epoch) noexcept:
    """epoch: as in Core; ENTRY_EPOCH of it counts."""
    e.meta = (e.meta & ~<uint32_t>ENTRY_EPOCH) | (epoch & ENTRY_EPOCH)


cdef inline void** entry_slot(Entry* e) noexcept:
    """The value slot of an entry that is not ENC_EMBSTR."""
    return <void**>(e + 1)


cdef inline char* entry_key(const Entry* e) noexcept:
    return <char*>(e + 1) + (0 if entry_encoding(e) == ENC_EMBSTR else sizeof(void*))


cdef inline char* entry_embedded(const Entry* e) noexcept:
    """The value of an ENC_EMBSTR entry."""
    return <char*>(e + 1) + e.key_size


cdef inline size_t entry_bytes(const Entry* e) noexcept:
    """Size of the block, as it was asked for."""
    return sizeof(Entry) + e.key_size + (e.value_size if entry_encoding(e) == ENC_EMBSTR else sizeof(void*))


cdef inline bint entry_has_ttl(const Entry* e) noexcept:
    return e.heap_index != NOT_IN_HEAP


cdef inline void entry_key_of(const void* entry, const char** key, size_t* size) noexcept:
    """KeyOf of the keyspace's table."""
    key[0] = entry_key(<const Entry*>entry)
    size[0] = (<const Entry*>entry).key_size
