# The list type: hides from the commands whether a list is a listpack or a quicklist.
#
#   ENC_LISTPACK    slot -> listpack        while it is within list-max-listpack-size
#   ENC_QUICKLIST   slot -> Quicklist       from then on
#
# A list is converted before elements are added (list_prepare(), which reckons with the sizes of
# their texts only), and back when elements went and one node is left that is at most half
# the limit, so that a list whose length goes up and down at the limit stays what it is.
# As in Redis 7.4, where clients can see it by OBJECT ENCODING.
#
# A list is never empty, except between a command's changes: the handler deletes it then.

from libc.stdint cimport int64_t, uint8_t, uint64_t

from fastredis.ds.alloc cimport Account
from fastredis.ds.listpack cimport LpItem, lp_count
from fastredis.ds.quicklist cimport Needle, QlIter, Quicklist, ql_push
from fastredis.values.entry cimport ENC_LISTPACK, Entry, entry_encoding, entry_slot
from fastredis.values.limits cimport Limits

cdef enum:
    LIST_HEAD = 0
    LIST_TAIL = 1

# --- for values/value
cdef void list_free_value(Account* account, Entry* e) noexcept
cdef int64_t list_drain(Account* account, Entry* e, int64_t elements) noexcept
cdef Entry* list_copy(Account* account, const Entry* e, const char* key, size_t key_size) noexcept
# The same in pieces: an empty copy of a quicklist, for ql_copy_some().
cdef Entry* list_copy_begin(Account* account, const Entry* e, const char* key, size_t key_size) noexcept
cdef size_t list_value_bytes(const Entry* e, int64_t samples) noexcept
cdef int64_t list_effort(const Entry* e) noexcept
cdef int list_verify(Entry* e) except -1

# --- for commands; `where` is LIST_HEAD or LIST_TAIL
cdef Entry* list_new(Account* account, const char* key, size_t key_size) noexcept
cdef int list_prepare_small(Account* account, const Limits* limits, Entry* e, size_t bytes, uint64_t count) noexcept
cdef int list_push_small(Account* account, Entry* e, int where, const char* text, size_t size) noexcept
cdef int list_drop(Account* account, const Limits* limits, Entry* e, int where, uint64_t n) noexcept
cdef int list_settle(Account* account, const Limits* limits, Entry* e) noexcept
cdef void list_at_end(const Entry* e, int where, LpItem* item) noexcept
cdef bint list_iter(Account* account, const Entry* e, int64_t index, bint backward, QlIter* it) noexcept
cdef int list_insert(Account* account, const Limits* limits, Entry* e, const QlIter* pivot, bint after,
                     const char* text, size_t size) noexcept
cdef bint list_replace(Account* account, const Limits* limits, Entry* e, int64_t index, const char* text,
                       size_t size) noexcept
cdef int64_t list_remove(Account* account, const Limits* limits, Entry* e, const Needle* needle, int64_t most,
                         int where) noexcept


cdef inline Quicklist* list_of(const Entry* e) noexcept:
    """The value of an ENC_QUICKLIST entry."""
    return <Quicklist*>entry_slot(<Entry*>e)[0]


cdef inline bint list_is_small(const Entry* e) noexcept:
    return entry_encoding(e) == ENC_LISTPACK


cdef inline uint64_t list_count(const Entry* e) noexcept:
    """Elements."""
    return lp_count(<uint8_t*>entry_slot(<Entry*>e)[0]) if list_is_small(e) else list_of(e).count


cdef inline int list_prepare(Account* account, const Limits* limits, Entry* e, size_t bytes,
                             uint64_t count) noexcept:
    """Before `count` elements, `bytes` of text in all, are added: convert to a quicklist if they are too much."""
    return list_prepare_small(account, limits, e, bytes, count) if list_is_small(e) else 0


cdef inline int list_push(Account* account, const Limits* limits, Entry* e, int where, const char* text,
                          size_t size) noexcept:
    """Add an element at an end, after list_prepare()."""
    if list_is_small(e):
        return list_push_small(account, e, where, text, size)
    return ql_push(account, list_of(e), where, text, size, limits.list_packed_threshold)
