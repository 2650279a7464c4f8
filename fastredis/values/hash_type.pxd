# Hashes: fields with a value each, and a deadline if wanted.
#
#   ENC_LISTPACK      slot -> listpack: field, value, field, value ...                  "listpack"
#   ENC_LISTPACK_EX   slot -> Timed { lp } -> listpack: field, value, when, ...       "listpackex"
#   ENC_HASHTABLE     slot -> Hash { Table of blocks, ExpireHeap of blocks, Timed* }  "hashtable"
#
# A listpack becomes a table when a field is set that makes it longer than
# hash-max-listpack-entries, or when a field or a value is longer than hash-max-listpack-value;
# there is no way back. It becomes a listpack of triples when one of its fields gets a deadline,
# and stays one, as in Redis: those with a deadline in front, the soonest first, then the others
# with 0 for a deadline. In a table a block knows its place in the heap (values/hash_field).
#
# What the Timed is, and what becomes of fields whose time has come, is told in values/timed.
#
# Memory: a field of 12 bytes with a value of 16 takes 32 bytes and the table's 10 to 20.

from libc.stdint cimport int64_t, uint8_t, uint64_t

from fastredis.ds.alloc cimport Account
from fastredis.ds.expire_heap cimport ExpireHeap
from fastredis.ds.numbers cimport INT64_TEXT
from fastredis.ds.table cimport Table, TableIter
from fastredis.values.entry cimport ENC_HASHTABLE, ENC_LISTPACK_EX, Entry, entry_encoding, entry_slot
from fastredis.values.limits cimport Limits
from fastredis.values.timed cimport Timed

cdef struct Hash:
    Table fields                # of blocks, see hash_field.pxd
    ExpireHeap expires          # of the blocks with a deadline
    Timed* ttl                # NULL: no field ever had a deadline

cdef struct FieldValue:         # a value as hash_get() finds it; not to be copied
    const char* text            # good until the hash changes, and as long as this struct
    size_t size
    int64_t when_ms             # deadline, ms since the epoch, or NO_DEADLINE
    char[INT64_TEXT] scratch    # text of an integer

# --- life
cdef Entry* hash_new(Account* account, const char* key, size_t key_size) noexcept
cdef void hash_free_value(Account* account, Entry* e) noexcept
cdef int64_t hash_drain(Account* account, Entry* e, int64_t elements) noexcept
cdef Entry* hash_copy(Account* account, const Entry* e, const char* key, size_t key_size) noexcept
# The same in pieces: an empty copy of a table, to which the fields that a walk of the source comes to are added.
cdef Entry* hash_copy_begin(Account* account, const Entry* e, const char* key, size_t key_size) noexcept
cdef bint hash_copy_some(Account* account, Entry* copy, HashIter* it, int64_t fields) noexcept     # True: at the end
cdef size_t hash_value_bytes(const Entry* e, int64_t samples) noexcept
cdef uint64_t hash_count(const Entry* e) noexcept
cdef int64_t hash_effort(const Entry* e) noexcept
cdef int hash_verify(Entry* e) except -1

# --- one field; `hash` is the keyed hash of its bytes, 0: not known
cdef bint hash_get(const Entry* e, const char* field, size_t size, uint64_t hash, FieldValue* out) noexcept
# Whether the field is new. Its deadline goes, unless keep_ttl. The encoding may change.
cdef bint hash_set(Account* account, const Limits* limits, Entry* e, const char* field, size_t size, uint64_t hash,
                   const char* value, size_t value_size, bint keep_ttl) noexcept
cdef bint hash_delete(Account* account, Entry* e, const char* field, size_t size, uint64_t hash) noexcept
# So many fields will be set, most of them new: a table for them at once where a listpack will not do.
cdef int hash_expect(Account* account, const Limits* limits, Entry* e, uint64_t fields) noexcept

# --- walking, in no order. The hash must not change; hash_iter_end() even when it was not walked to its end.
cdef struct HashIter:
    const char* field           # good until the next call with this iterator
    size_t field_size
    const char* value
    size_t value_size
    int64_t when_ms             # or NO_DEADLINE
    Hash* hash                  # the table; NULL: a listpack
    const uint8_t* lp
    const uint8_t* p            # next element
    bint triples                # each field has its deadline behind its value
    TableIter walk
    char[INT64_TEXT] field_scratch
    char[INT64_TEXT] value_scratch

cdef void hash_iter(HashIter* it, const Entry* e) noexcept
cdef bint hash_next(HashIter* it) noexcept
cdef void hash_iter_end(HashIter* it) noexcept
# Any field, each with the same chance; the hash has one. Not a walk: needs no hash_iter_end().
cdef void hash_random(const Entry* e, uint64_t* seed, HashIter* at) noexcept
# What a block of a table is, for those who scan it.
cdef void hash_at_block(const Entry* e, uint8_t* block, HashIter* at) noexcept

# --- for hash_ttl
cdef int hash_to_table(Account* account, Entry* e, uint64_t fields) noexcept
cdef Timed* hash_ttl_new(Account* account, Entry* e) noexcept


cdef inline Hash* hash_table(const Entry* e) noexcept:
    """The value of an ENC_HASHTABLE entry."""
    return <Hash*>entry_slot(<Entry*>e)[0]


cdef inline Timed* hash_ttl(const Entry* e) noexcept:
    """The hash's place among those with deadlines; NULL: no field ever had one."""
    if entry_encoding(e) == ENC_HASHTABLE:
        return hash_table(e).ttl
    return <Timed*>entry_slot(<Entry*>e)[0] if entry_encoding(e) == ENC_LISTPACK_EX else NULL


cdef inline uint8_t* hash_listpack(const Entry* e) noexcept:
    """The listpack of an entry that is not ENC_HASHTABLE."""
    if entry_encoding(e) == ENC_LISTPACK_EX:
        return (<Timed*>entry_slot(<Entry*>e)[0]).lp
    return <uint8_t*>entry_slot(<Entry*>e)[0]


cdef inline void hash_set_listpack(Entry* e, uint8_t* lp) noexcept:
    if entry_encoding(e) == ENC_LISTPACK_EX:
        (<Timed*>entry_slot(e)[0]).lp = lp
    else:
        entry_slot(e)[0] = lp
