# Sets: an intset of integers, a listpack of few short members, or a table of members.
#
#   ENC_INTSET     slot --> intset                  while all members are integers
#   ENC_LISTPACK   slot --> listpack                each element a member, in the order they came
#   ENC_HASHTABLE  slot --> Table --> members       values/member.pxd says how each lies
#   ENC_HASHTABLE_EX  slot --> TimedSet { Table --> members <-- ExpireHeap, Timed }      "hashtable", too
#
# Where one gives way to the next is in Limits, and as in Redis 7.2 and later: an intset that
# outgrows its limit becomes a table, one that gets a word a listpack if it may; nothing
# changes back. A set in the keyspace is never empty.
#
# With its first deadline a set becomes an ENC_HASHTABLE_EX and stays one, however small: a table becomes
# one in O(1), as its members stay where they are. Only a member that gets a deadline is laid out anew.
# A TimedSet begins with its Table, so all that reads tables of members reads both. What becomes of members whose time
# has come is told in values/timed; gone_ms, where it is asked for, hides those whose deadlines are before it, 0: none.
#
# Memory: a 13-byte member of a table takes 16 bytes and 10 to 20 of table.
#
# Text comes with its keyed hash, or 0: it is computed if it is needed.

from libc.stdint cimport int64_t, uint8_t, uint64_t

from fastredis.ds.alloc cimport Account
from fastredis.ds.expire_heap cimport ExpireHeap, heap_top, heap_when
from fastredis.ds.listpack cimport LpItem
from fastredis.ds.native cimport unlikely
from fastredis.ds.table cimport Table, TableIter
from fastredis.values.entry cimport ENC_HASHTABLE, ENC_HASHTABLE_EX, Entry, entry_encoding, entry_slot
from fastredis.values.limits cimport Limits
from fastredis.values.member cimport member_has_deadline
from fastredis.values.timed cimport NO_DEADLINE, DueVisit, Timed

cdef struct TimedSet:
    Table members
    ExpireHeap expires          # of the members with a deadline
    Timed ttl

# --- life
cdef Entry* set_new(Account* account, int encoding, const char* key, size_t key_size) noexcept
cdef Entry* set_new_for(Account* account, const Limits* limits, const char* key, size_t key_size,
                        const char* first, size_t first_size, uint64_t members) noexcept
cdef Entry* set_new_of(Account* account, Table* t, const char* key, size_t key_size) noexcept
cdef void set_free_value(Account* account, Entry* e) noexcept
cdef int64_t set_drain(Account* account, Entry* e, int64_t elements) noexcept
cdef Entry* set_copy(Account* account, const Entry* e, const char* key, size_t key_size) noexcept
# The same in pieces: an empty copy of a table, for set_copy_some().
cdef Entry* set_copy_begin(Account* account, const Entry* e, const char* key, size_t key_size) noexcept
cdef size_t set_value_bytes(const Entry* e, int64_t samples) noexcept
cdef int set_verify(Entry* e) except -1
# Sets of the process that are ENC_HASHTABLE_EX, of any account; what has left its database counts until it is freed.
cdef int64_t timed_sets_alive() noexcept

# --- reading
cdef uint64_t set_count(const Entry* e) noexcept
cdef bint set_contains(const Entry* e, const char* text, size_t size, uint64_t hash) noexcept
# ... and its deadline, or NO_DEADLINE. It must be so for gone_ms to hide it.
cdef bint set_get_when(const Entry* e, const char* text, size_t size, uint64_t hash, int64_t* when_ms) noexcept
cdef uint64_t set_count_live(const Entry* e, int64_t gone_ms) noexcept       # O(members that are hidden)
# Each member that is not hidden as likely as any other; there is one.
cdef uint8_t* set_random(Entry* e, uint64_t* seed, LpItem* item, int64_t gone_ms) noexcept

# --- changing
cdef int set_expect(Account* account, const Limits* limits, Entry* e, uint64_t members) noexcept
cdef bint set_add(Account* account, const Limits* limits, Entry* e, const char* text, size_t size,
                  uint64_t hash) noexcept
cdef bint set_remove(Account* account, Entry* e, const char* text, size_t size, uint64_t hash) noexcept
cdef int set_remove_item(Account* account, Entry* e, const LpItem* item, uint8_t* p) noexcept
cdef int set_to_intset(Account* account, const Limits* limits, Entry* e) noexcept
cdef int set_take_value(Account* account, Entry* e, Entry* other) noexcept

# --- deadlines of members
cdef int64_t set_soonest(const Entry* e) noexcept           # NO_DEADLINE: no member has one
# Give a member a deadline, another one, or (NO_DEADLINE) none; False: there is no such member.
cdef bint set_set_when(Account* account, Entry* e, const char* text, size_t size, uint64_t hash,
                       int64_t when_ms) noexcept
cdef uint64_t set_remove_due(Account* account, Entry* e, int64_t now_ms, uint64_t limit, DueVisit visit,
                             void* context) except? 0xFFFFFFFFFFFFFFFF

# --- a set's table by itself, for those who lay sets out
cdef Table* set_table_new(Account* account, uint64_t members) noexcept
cdef void set_table_free(Account* account, Table* t) noexcept
cdef bint set_table_add(Account* account, Table* t, const char* text, size_t size, uint64_t hash) noexcept
cdef int set_table_put(Account* account, Table* t, const char* text, size_t size, uint64_t hash) noexcept
# Add the next members that a walk of another set's table comes to; True: it is at its end.
cdef bint set_copy_some(Account* account, Entry* copy, const Entry* source, TableIter* walk, int64_t members) noexcept

# --- walk. Begin, next until it is False, end; the set may not change, but for removing the member returned last
# from a table. An item's text lies in the set.
cdef struct SetIter:
    int encoding
    const uint8_t* ints
    uint64_t position               # in the intset
    const uint8_t* p                # next element of the listpack; NULL: none
    const uint8_t* lp
    TableIter walk
    TimedSet* hiding                # whose members are hidden whose deadlines are before gone_ms; NULL: none is
    int64_t gone_ms

cdef void set_iter(SetIter* it, const Entry* e) noexcept
cdef void set_iter_live(SetIter* it, const Entry* e, int64_t gone_ms) noexcept
cdef bint set_next(SetIter* it, LpItem* item) noexcept
cdef void set_iter_end(SetIter* it) noexcept


cdef inline bint set_in_table(const Entry* e) noexcept:
    return entry_encoding(e) == ENC_HASHTABLE or entry_encoding(e) == ENC_HASHTABLE_EX


cdef inline Table* set_table(const Entry* e) noexcept:
    """The table of a set that is in one."""
    return <Table*>entry_slot(<Entry*>e)[0]


cdef inline TimedSet* set_timed(const Entry* e) noexcept:
    """The value of a set that is ENC_HASHTABLE_EX."""
    return <TimedSet*>entry_slot(<Entry*>e)[0]


cdef inline bint member_is_gone(TimedSet* s, uint8_t* member, int64_t gone_ms) noexcept:
    return member_has_deadline(member) and heap_when(&s.expires, member) < gone_ms


cdef inline TimedSet* set_hiding(const Entry* e, int64_t gone_ms) noexcept:
    """The set if it has members with deadlines before gone_ms, else NULL."""
    if unlikely(entry_encoding(e) == ENC_HASHTABLE_EX and gone_ms and set_timed(e).expires.count
                and heap_top(&set_timed(e).expires).when_ms < gone_ms):
        return set_timed(e)
    return NULL


cdef inline uint8_t* set_bytes(const Entry* e) noexcept:
    """The intset or listpack of a set that is ENC_INTSET or ENC_LISTPACK."""
    return <uint8_t*>entry_slot(<Entry*>e)[0]
