"""Operations on values of any type. The design comment is in value.pxd."""
from libc.stdint cimport UINT32_MAX, int64_t, uint32_t, uint64_t
from libc.string cimport memcpy

from fastredis.ds.alloc cimport mem_alloc, mem_charge, mem_free, mem_give_up
from fastredis.values.array_type cimport (
    array_copy, array_drain_value, array_effort, array_free_value, array_value_bytes, array_value_count,
    array_verify_value,
)
from fastredis.values.entry cimport (
    ENC_EMBSTR, ENC_HASHTABLE, ENC_HASHTABLE_EX, ENC_INT, ENC_INTSET, ENC_LISTPACK, ENC_LISTPACK_EX, ENC_OPAQUE,
    ENC_QUICKLIST, ENC_RAW, ENC_SKIPLIST, ENC_SLICED, ENC_STREAM, NOT_IN_HEAP, TYPE_ARRAY, TYPE_HASH, TYPE_LIST,
    TYPE_MODULE, TYPE_SET, TYPE_STREAM, TYPE_STRING, TYPE_ZSET, entry_bytes, entry_embedded, entry_encoding,
    entry_key, entry_slot, entry_type,
)
from fastredis.values.hash_ttl cimport hash_remove_due, hash_soonest
from fastredis.values.hash_type cimport (
    hash_copy, hash_count, hash_drain, hash_effort, hash_free_value, hash_ttl, hash_value_bytes, hash_verify,
)
from fastredis.values.list_type cimport (
    list_copy, list_count, list_drain, list_effort, list_free_value, list_value_bytes, list_verify,
)
from fastredis.values.opaque_type cimport (
    opaque_copy, opaque_count, opaque_drain, opaque_effort, opaque_free_value, opaque_of, opaque_value_bytes,
    opaque_verify,
)
from fastredis.values.set_type cimport (
    set_copy, set_count, set_drain, set_free_value, set_remove_due, set_soonest, set_timed, set_value_bytes, set_verify,
)
from fastredis.values.stream_type cimport (
    stream_copy, stream_count, stream_drain, stream_effort, stream_free_value, stream_value_bytes, stream_verify,
)
from fastredis.values.string_type cimport EMBSTR_MAX, string_copy, string_free_value, string_value_bytes
from fastredis.values.timed cimport NO_DEADLINE
from fastredis.values.zset_type cimport (
    zset_copy, zset_count, zset_drain, zset_free_value, zset_value_bytes, zset_verify,
)

cdef enum:
    TYPES = TYPE_ARRAY + 1              # numbers of types

cdef struct Operations:                 # what a type's own module does; see the functions of the same names below
    const char* name
    void (*free)(Account* account, Entry* e) noexcept
    int64_t (*drain)(Account* account, Entry* e, int64_t elements) noexcept
    Entry* (*copy)(Account* account, const Entry* e, const char* key, size_t key_size) noexcept
    size_t (*bytes)(const Entry* e, int64_t samples) noexcept
    uint64_t (*count)(const Entry* e) noexcept
    int64_t (*effort)(const Entry* e) noexcept
    int (*verify)(Entry* e) except -1


cdef int64_t string_drain(Account* account, Entry* e, int64_t elements) noexcept:
    string_free_value(account, e)
    return 0


cdef size_t string_bytes(const Entry* e, int64_t samples) noexcept:
    cdef size_t size = string_value_bytes(e)

    return mem_charge(entry_slot(<Entry*>e)[0], size) if size else 0


cdef uint64_t string_count(const Entry* e) noexcept:
    return 1


cdef int string_verify(Entry* e) except -1:
    return 0


cdef int64_t table_effort(const Entry* e) noexcept:
    """Of a set or a sorted set: it is one block unless it has a table."""
    cdef int encoding = entry_encoding(e)

    if encoding == ENC_HASHTABLE or encoding == ENC_HASHTABLE_EX or encoding == ENC_SKIPLIST:
        return operations[entry_type(e)].count(e)
    return 1


cdef int64_t string_effort(const Entry* e) noexcept:
    return 1


cdef Operations[TYPES] operations       # by type

operations[TYPE_STRING] = Operations(b"string", string_free_value, string_drain, string_copy, string_bytes,
                                     string_count, string_effort, string_verify)
operations[TYPE_LIST] = Operations(b"list", list_free_value, list_drain, list_copy, list_value_bytes, list_count,
                                   list_effort, list_verify)
operations[TYPE_SET] = Operations(b"set", set_free_value, set_drain, set_copy, set_value_bytes, set_count,
                                  table_effort, set_verify)
operations[TYPE_ZSET] = Operations(b"zset", zset_free_value, zset_drain, zset_copy, zset_value_bytes, zset_count,
                                   table_effort, zset_verify)
operations[TYPE_HASH] = Operations(b"hash", hash_free_value, hash_drain, hash_copy, hash_value_bytes, hash_count,
                                   hash_effort, hash_verify)
operations[TYPE_STREAM] = Operations(b"stream", stream_free_value, stream_drain, stream_copy, stream_value_bytes,
                                     stream_count, stream_effort, stream_verify)
operations[TYPE_ARRAY] = Operations(b"array", array_free_value, array_drain_value, array_copy, array_value_bytes,
                                    array_value_count, array_effort, array_verify_value)
# A module's value has a name of its own.
operations[TYPE_MODULE] = Operations(NULL, opaque_free_value, opaque_drain, opaque_copy, opaque_value_bytes,
                                     opaque_count, opaque_effort, opaque_verify)

cdef const char* encoding_names[ENC_HASHTABLE_EX + 1]

encoding_names[ENC_EMBSTR] = b"embstr"
encoding_names[ENC_INT] = b"int"
encoding_names[ENC_RAW] = b"raw"
encoding_names[ENC_LISTPACK] = b"listpack"
encoding_names[ENC_INTSET] = b"intset"
encoding_names[ENC_QUICKLIST] = b"quicklist"
encoding_names[ENC_HASHTABLE] = b"hashtable"
encoding_names[ENC_SKIPLIST] = b"skiplist"
encoding_names[ENC_STREAM] = b"stream"
encoding_names[ENC_LISTPACK_EX] = b"listpackex"
encoding_names[ENC_OPAQUE] = b"raw"
encoding_names[ENC_SLICED] = b"sliced-array"
encoding_names[ENC_HASHTABLE_EX] = b"hashtable"


cdef void entry_free(Account* account, Entry* e) noexcept:
    """Free an entry and its value."""
    operations[entry_type(e)].free(account, e)
    mem_free(account, e, entry_bytes(e))


cdef int64_t entry_drain(Account* account, Entry* e, int64_t elements) noexcept:
    """Free up to so many elements of an entry that is in no database; elements left, 0: the entry is freed too."""
    cdef int64_t left = operations[entry_type(e)].drain(account, e, elements)

    if left == 0:
        mem_free(account, e, entry_bytes(e))
    return left


cdef uint64_t entry_count(const Entry* e) noexcept:
    """Elements of a collection; 1 for a string."""
    return operations[entry_type(e)].count(e)


cdef int64_t entry_effort(const Entry* e) noexcept:
    """How many pieces of memory the value is, as far as freeing it goes."""
    return operations[entry_type(e)].effort(e)


cdef int entry_verify(Entry* e) except -1:
    """Walk through the memory of the value; raises AssertionError where something is wrong."""
    return operations[entry_type(e)].verify(e)


cdef Entry* entry_copy(Account* account, const Entry* e, const char* key, size_t key_size) noexcept:
    """A deep copy under another key, without a TTL."""
    return operations[entry_type(e)].copy(account, e, key, key_size)


cdef Entry* entry_rename(Account* account, Entry* e, const char* key, size_t key_size) noexcept:
    """A new entry with another key and e's value, which is not copied; e is freed. Without a TTL.

    For an entry that is in no database.
    """
    cdef Entry* fresh

    if key_size > UINT32_MAX:
        mem_give_up(b"a key has less than 4 GiB, not bytes:", key_size)
    fresh = <Entry*>mem_alloc(account, entry_bytes(e) - e.key_size + key_size)
    fresh.meta = e.meta
    fresh.key_size = <uint32_t>key_size
    fresh.heap_index = NOT_IN_HEAP
    fresh.value_size = e.value_size
    memcpy(entry_key(fresh), key, key_size)
    if entry_encoding(e) == ENC_EMBSTR:
        memcpy(entry_embedded(fresh), entry_embedded(e), e.value_size)
    else:
        entry_slot(fresh)[0] = entry_slot(e)[0]
    mem_free(account, e, entry_bytes(e))
    return fresh


cdef size_t entry_memory(const Entry* e, int64_t samples) noexcept:
    """Bytes that the entry and its value take, as the allocator counts them.

    samples: elements of a collection that are measured, the others are taken to be like them; 0: all are.
    """
    return mem_charge(<void*>e, entry_bytes(e)) + operations[entry_type(e)].bytes(e, samples)


cdef Timed* entry_timed(const Entry* e) noexcept:
    """The value's place among those whose parts have deadlines; NULL: no part ever had one."""
    if entry_encoding(e) == ENC_HASHTABLE_EX:
        return &set_timed(e).ttl
    return hash_ttl(e) if entry_type(e) == TYPE_HASH else NULL


cdef int64_t entry_soonest(const Entry* e) noexcept:
    """The soonest deadline of all parts; NO_DEADLINE: none has one."""
    if entry_type(e) == TYPE_SET:
        return set_soonest(e)
    return hash_soonest(e) if entry_type(e) == TYPE_HASH else NO_DEADLINE


cdef uint64_t entry_remove_due(Account* account, Entry* e, int64_t now_ms, uint64_t limit, DueVisit visit,
                               void* context) except? 0xFFFFFFFFFFFFFFFF:
    """Remove up to `limit` parts whose deadlines are before now_ms, the soonest first; how many went."""
    if entry_type(e) == TYPE_SET:
        return set_remove_due(account, e, now_ms, limit, visit, context)
    return hash_remove_due(account, e, now_ms, limit, visit, context) if entry_type(e) == TYPE_HASH else 0


cdef const char* type_name(const Entry* e) noexcept:
    """What TYPE says."""
    if entry_type(e) == TYPE_MODULE:
        return opaque_of(e).name
    return operations[entry_type(e)].name


cdef const char* encoding_name(const Entry* e) noexcept:
    """What OBJECT ENCODING says."""
    if entry_encoding(e) == ENC_EMBSTR and e.value_size > EMBSTR_MAX:
        return b"raw"
    return encoding_names[entry_encoding(e)]
