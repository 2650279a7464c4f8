# Sets: an intset of integers, a listpack of few short members, or a table of members.
#
#   ENC_INTSET     slot --> intset                  while all members are integers
#   ENC_LISTPACK   slot --> listpack                each element a member, in the order they came
#   ENC_HASHTABLE  slot --> Table --> members       values/member.pxd says how each lies
#
# Where one gives way to the next is in Limits, and as in Redis 7.2 and later: an intset that
# outgrows its limit becomes a table, one that gets a word a listpack if it may; nothing
# changes back. A set in the keyspace is never empty.
#
# Memory: a 13-byte member of a table takes 16 bytes and 10 to 20 of table.
#
# Text comes with its keyed hash, or 0: it is computed if it is needed.

from libc.stdint cimport int64_t, uint8_t, uint64_t

from fastredis.ds.alloc cimport Account
from fastredis.ds.listpack cimport LpItem
from fastredis.ds.table cimport Table, TableIter
from fastredis.values.entry cimport Entry, entry_slot
from fastredis.values.limits cimport Limits

# --- life
cdef Entry* set_new(Account* account, int encoding, const char* key, size_t key_size) noexcept
cdef Entry* set_new_for(Account* account, const Limits* limits, const char* key, size_t key_size,
                        const char* first, size_t first_size, uint64_t members) noexcept
cdef Entry* set_new_of(Account* account, Table* t, const char* key, size_t key_size) noexcept
cdef void set_free_value(Account* account, Entry* e) noexcept
cdef int64_t set_drain(Account* account, Entry* e, int64_t elements) noexcept
cdef Entry* set_copy(Account* account, const Entry* e, const char* key, size_t key_size) noexcept
# The same in pieces: an empty copy of a table, for set_table_copy_some().
cdef Entry* set_copy_begin(Account* account, const Entry* e, const char* key, size_t key_size) noexcept
cdef size_t set_value_bytes(const Entry* e, int64_t samples) noexcept
cdef int set_verify(Entry* e) except -1

# --- reading
cdef uint64_t set_count(const Entry* e) noexcept
cdef bint set_contains(const Entry* e, const char* text, size_t size, uint64_t hash) noexcept
cdef uint8_t* set_random(Entry* e, uint64_t* seed, LpItem* item) noexcept    # each member as likely as any other

# --- changing
cdef int set_expect(Account* account, const Limits* limits, Entry* e, uint64_t members) noexcept
cdef bint set_add(Account* account, const Limits* limits, Entry* e, const char* text, size_t size,
                  uint64_t hash) noexcept
cdef bint set_remove(Account* account, Entry* e, const char* text, size_t size, uint64_t hash) noexcept
cdef int set_remove_item(Account* account, Entry* e, const LpItem* item, uint8_t* p) noexcept
cdef int set_to_intset(Account* account, const Limits* limits, Entry* e) noexcept
cdef int set_take_value(Account* account, Entry* e, Entry* other) noexcept

# --- a set's table by itself, for those who lay sets out
cdef Table* set_table_new(Account* account, uint64_t members) noexcept
cdef void set_table_free(Account* account, Table* t) noexcept
cdef bint set_table_add(Account* account, Table* t, const char* text, size_t size, uint64_t hash) noexcept
cdef int set_table_put(Account* account, Table* t, const char* text, size_t size, uint64_t hash) noexcept
# Add the next members that a walk of another set's table comes to; True: it is at its end.
cdef bint set_table_copy_some(Account* account, Table* copy, TableIter* walk, int64_t members) noexcept

# --- walk. Begin, next until it is False, end; the set may not change, but for removing the member returned last
# from a table. An item's text lies in the set.
cdef struct SetIter:
    int encoding
    const uint8_t* ints
    uint64_t position               # in the intset
    const uint8_t* p                # next element of the listpack; NULL: none
    const uint8_t* lp
    TableIter walk

cdef void set_iter(SetIter* it, const Entry* e) noexcept
cdef bint set_next(SetIter* it, LpItem* item) noexcept
cdef void set_iter_end(SetIter* it) noexcept


cdef inline Table* set_table(const Entry* e) noexcept:
    """The table of a set that is ENC_HASHTABLE."""
    return <Table*>entry_slot(<Entry*>e)[0]


cdef inline uint8_t* set_bytes(const Entry* e) noexcept:
    """The intset or listpack of a set that is ENC_INTSET or ENC_LISTPACK."""
    return <uint8_t*>entry_slot(<Entry*>e)[0]
