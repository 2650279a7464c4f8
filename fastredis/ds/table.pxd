# Table: hash table of entry pointers, for the keyspace, sets, hashes and sorted sets' members.
#
#   bucket, 64 bytes, one cache line          entry: whatever type->key_of() can read
#   +------+------+------+------+------+------+------+---------+-----+
#   | slot | slot | slot | slot | slot | slot | slot | tag x 7 | use |
#   +------+------+------+------+------+------+---|--+---------+-----+
#                                                 +--> overflow bucket, when use has CHAINED
#
# The hash's low bits choose the bucket, its top byte is the tag: a lookup compares seven
# tags at once and touches an entry only when its tag matches, so it costs two cache
# misses, and both can be asked for ahead (table_prefetch_bucket, table_prefetch_entry).
#
#   slot, 64 bits:   | 16 bits of the hash, from bit 8 on | 48 bits: address of the entry, or of a bucket |
#
# Addresses of user space have 48 bits at most on 64-bit machines unless a program asks for more.
# The bits above say where the entry goes when the array doubles, so that a rehash reads no
# entry: growth from 2^8 up to 2^24 buckets (100M entries) costs no miss an entry. Smaller arrays
# and larger ones hash the key again; to shrink, the bucket's number is enough.
#
# Holds:
# - A chain is packed: every bucket but the last is full (six entries and the pointer), and
#   in the last the slots 0..n-1 are in use. An overflow bucket holds two entries or more;
#   the hole that an entry leaves is filled with the chain's last entry.
# - An entry is in one array only. While a rehash runs, buckets[0] is empty below
#   rehash_index, its memory there may be gone already, and new entries go to buckets[1].
# - An empty table owns no memory, apart from what a running rehash has not yet given back
#   (a few calls of table_rehash end that) or what a pause keeps.
#
# Memory: 64 bytes a bucket. Arrays double above 6.5 entries a bucket and shrink, straight
# to a fitting size of 1.6 to 3.25 entries a bucket, below an eighth of that. So an entry
# costs 10 to 20 bytes of table: 17 for 1M entries in 2^18 buckets. Arrays of 64 KiB and
# more are whole pages from the kernel, zeroed when touched first; smaller ones are
# cache-line aligned, apart from those of up to 8 buckets and overflow buckets, which come
# from slabs (8-byte aligned): there the room counts for more.
#
# Rehash: starting one only maps the new array. Then every table_add and table_remove moves one
# bucket with its chain, and whoever likes calls table_rehash. A finished PIECE of a mapped
# array goes back to the kernel at once, so no step, the last included, takes long.
#
# Scan: the cursor counts bucket numbers with their bits reversed, so that a bucket's
# descendants after a doubling, and its ancestor after a shrink, lie on the same side of the
# cursor as itself. Whatever is there from start to end of a scan is visited, some of it
# perhaps twice. Source: Pieter Noordhuis' comment at dictScan,
# https://github.com/redis/redis/blob/7.0/src/dict.c
#
# Rejected: open addressing (deletes leave tombstones, a scan cannot give its guarantee);
# chained entries with a next pointer (8 bytes and a miss each); keeping the whole hash
# beside the entry (8 bytes).

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

from fastredis.ds.alloc cimport Account
from fastredis.ds.native cimport ctz64, likely, prefetch, same_bytes

cdef extern from *:
    """
    #include <stdint.h>
    #include <string.h>
    #if defined(__SSE2__)
    #include <emmintrin.h>
    #endif

    /* Of the 8 bytes at `bytes`, which equal `byte`: bit i for byte i. */
    static inline uint32_t fr_match8(const uint8_t *bytes, uint8_t byte) {
    #if defined(__SSE2__)
        __m128i all = _mm_loadl_epi64((const __m128i *)bytes);
        return (uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(all, _mm_set1_epi8((char)byte))) & 0xFF;
    #else
        const uint64_t low7 = 0x7F7F7F7F7F7F7F7FULL;
        uint64_t x, equal;
        memcpy(&x, bytes, 8);
    #if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
        x = __builtin_bswap64(x);
    #endif
        x ^= 0x0101010101010101ULL * byte;
        equal = ~(((x & low7) + low7) | x | low7);      /* 0x80 in each byte that was equal */
        return (uint32_t)(((equal >> 7) * 0x0102040810204080ULL) >> 56);
    #endif
    }
    """
    uint32_t match8 "fr_match8"(const uint8_t* bytes, uint8_t byte) noexcept nogil

cdef enum:
    SLOTS = 7
    CHAINED = 0x80          # bit of Bucket.use: slot[6] points to the overflow bucket
    FULL = 0x7F             # Bucket.use of a full bucket without a chain

    ADDRESS_BITS = 48       # of a Slot; the hash's bits are above
    KEPT_FROM = 8           # the lowest bit of the hash that is kept there

ctypedef uint64_t Slot

cdef struct Bucket:
    Slot slot[SLOTS]
    uint8_t tag[SLOTS]      # the hash's top byte, compared before an entry is touched
    uint8_t use             # bit i: slot[i] holds an entry (bit 6 never set together with CHAINED)

# Where an entry's key is.
ctypedef void (*KeyOf)(const void* entry, const char** key, size_t* size) noexcept
# Called for an entry; what a scan or a drain does with it.
ctypedef int (*Visit)(void* context, void* entry) except -1

cdef struct Table:
    Account* account
    KeyOf key_of
    Bucket* buckets[2]      # [1] is there only while a rehash runs: the table being filled
    uint64_t mask[2]        # buckets - 1
    uint64_t used[2]        # entries
    uint64_t chained[2]     # overflow buckets
    uint32_t depth[2]       # overflow buckets that the longest chain has, or had once
    int64_t rehash_index    # next bucket of [0] to move (or to drain); -1: no rehash
    int paused              # > 0: no rehash step, no resize (iteration under way, a fork)
    bint manual             # True: no resize but one that is overdue (DEBUG, a fork under way)

cdef void table_init(Table* t, Account* account, KeyOf key_of) noexcept
cdef void table_clear(Table* t) noexcept
cdef int table_reserve(Table* t, uint64_t entries) noexcept
cdef void table_set_manual(Table* t, bint manual) noexcept

cdef void* table_find(Table* t, const char* key, size_t size, uint64_t hash) noexcept
cdef Slot* table_slot(Table* t, const char* key, size_t size, uint64_t hash) noexcept
cdef int table_add(Table* t, void* entry, uint64_t hash) noexcept
cdef void* table_remove(Table* t, const char* key, size_t size, uint64_t hash) noexcept

cdef bint table_rehash(Table* t, int buckets) noexcept
cdef uint64_t table_scan(Table* t, uint64_t cursor, Visit visit, void* context) except? 0xFFFFFFFFFFFFFFFF
cdef void* table_random(Table* t, uint64_t* seed) noexcept
cdef int table_sample(Table* t, uint64_t* seed, int wanted, Visit visit, void* context) except -1
cdef bint table_holds(Table* t, const void* entry, uint64_t hash) noexcept
cdef size_t table_bytes(Table* t) noexcept
cdef str table_stats(Table* t, bint full)
cdef int table_verify(Table* t) except -1

cdef struct TableIter:
    Table* table
    int which               # 0 or 1: which of the two bucket arrays
    int64_t index           # bucket
    int depth               # which bucket of its chain; -1: the last
    int slot                # slot that was returned last

cdef void table_iter(TableIter* it, Table* t) noexcept
cdef void* table_next(TableIter* it) noexcept
cdef void table_iter_end(TableIter* it) noexcept

# The same walk, with entries asked for some steps before they are returned; none is removed meanwhile.
cdef enum:
    AHEAD = 32              # entries; a power of two

cdef struct Ahead:
    TableIter walk
    unsigned int next       # place in the ring of what is returned next
    void* ring[AHEAD]       # the next entries; NULL: no more

cdef void ahead_start(Ahead* a, Table* t) noexcept
cdef void* ahead_take(Ahead* a) noexcept
cdef void ahead_end(Ahead* a) noexcept

# Freeing in slices: pops entries in bucket order and gives bucket memory back as it goes.
cdef int64_t table_drain(Table* t, int64_t buckets, Visit release, void* context) except -1


cdef inline uint64_t table_count(Table* t) noexcept:
    return t.used[0] + t.used[1]


cdef inline uint8_t tag_of(uint64_t hash) noexcept:
    return <uint8_t>(hash >> 56)


cdef inline void* entry_of(Slot slot) noexcept:
    return <void*><size_t>(slot & (<uint64_t>1 << ADDRESS_BITS) - 1)


cdef inline void slot_put(Slot* slot, void* entry) noexcept:
    """Put an entry with the same key in the place of the one that is there."""
    slot[0] = <size_t>entry | slot[0] >> ADDRESS_BITS << ADDRESS_BITS


cdef inline uint64_t told_hash(const Bucket* bucket, uint64_t index, int i) noexcept:
    """What an entry's place tells of its hash: the tag, and the bits of told_bits(); the entry is not read.

    `index` is the bucket's, or that of the bucket which its chain begins with.
    """
    return index | bucket.slot[i] >> ADDRESS_BITS << KEPT_FROM | <uint64_t>bucket.tag[i] << 56


cdef inline uint64_t told_bits(uint64_t mask) noexcept:
    """The low bits of a hash that told_hash() has in an array with this mask, without a gap."""
    return mask | (<uint64_t>1 << KEPT_FROM + 64 - ADDRESS_BITS) - 1 if (mask + 1) >> KEPT_FROM else mask


cdef inline Bucket* next_of(const Bucket* bucket) noexcept:
    """The overflow bucket of a bucket that is CHAINED."""
    return <Bucket*><size_t>bucket.slot[SLOTS - 1]


cdef inline Bucket* find_in_chain(Bucket* bucket, const char* key, size_t size, uint64_t hash, KeyOf key_of,
                                  int* slot) noexcept:
    """The bucket of the chain that has the key, and in `slot` where; NULL when none has."""
    cdef const char* entry_key
    cdef size_t entry_size
    cdef uint32_t found

    while True:
        found = match8(bucket.tag, tag_of(hash)) & bucket.use & FULL
        while found:
            slot[0] = ctz64(found)
            key_of(entry_of(bucket.slot[slot[0]]), &entry_key, &entry_size)
            if likely(entry_size == size and same_bytes(entry_key, key, size)):
                return bucket
            found &= found - 1
        if likely(not bucket.use & CHAINED):
            return NULL
        bucket = next_of(bucket)


cdef inline Slot* table_slot_by(Table* t, const char* key, size_t size, uint64_t hash, KeyOf key_of) noexcept:
    """table_slot() for those who know the table's key_of when they are compiled: it is inlined then."""
    cdef int64_t index = hash & t.mask[0]
    cdef Bucket* bucket = NULL
    cdef int slot

    if t.buckets[0] is not NULL and likely(index >= t.rehash_index):
        bucket = find_in_chain(&t.buckets[0][index], key, size, hash, key_of, &slot)
    if bucket is NULL and t.rehash_index >= 0:
        bucket = find_in_chain(&t.buckets[1][hash & t.mask[1]], key, size, hash, key_of, &slot)
    return &bucket.slot[slot] if bucket is not NULL else NULL


cdef inline void table_prefetch_bucket(Table* t, uint64_t hash) noexcept:
    """First pass of a batch: ask for the bucket."""
    if t.buckets[0] is not NULL:
        prefetch(&t.buckets[0][hash & t.mask[0]])
    if t.rehash_index >= 0:
        prefetch(&t.buckets[1][hash & t.mask[1]])


cdef inline void prefetch_matches(Bucket* bucket, uint8_t tag) noexcept:
    """Ask for the first 48 bytes of the entries (header, key, a short value): one cache line, or two."""
    cdef uint32_t found = match8(bucket.tag, tag) & bucket.use & FULL
    cdef const char* entry

    while found:
        entry = <const char*>entry_of(bucket.slot[ctz64(found)])
        prefetch(entry)
        prefetch(entry + 47)
        found &= found - 1
    if bucket.use & CHAINED:
        prefetch(next_of(bucket))


cdef inline void table_prefetch_entry(Table* t, uint64_t hash) noexcept:
    """Second pass: the bucket has come, ask for the entries whose tag matches."""
    cdef int64_t index = hash & t.mask[0]

    if t.buckets[0] is not NULL and index >= t.rehash_index:
        prefetch_matches(&t.buckets[0][index], tag_of(hash))
    if t.rehash_index >= 0:
        prefetch_matches(&t.buckets[1][hash & t.mask[1]], tag_of(hash))
