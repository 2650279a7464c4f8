"""The list type. The design comment is in list_type.pxd."""
from fastredis.ds.listpack cimport (
    LP_EMPTY, lp_append, lp_bytes, lp_bytes_at, lp_charge, lp_copy, lp_delete, lp_first, lp_free, lp_get, lp_insert,
    lp_last, lp_new, lp_prepend, lp_replace, lp_seek, lp_verify,
)
from fastredis.ds.native cimport likely
from fastredis.ds.quicklist cimport (
    lp_remove, ql_adopt, ql_at_end, ql_bytes, ql_copy, ql_drain, ql_drop, ql_exceeds, ql_free, ql_insert, ql_iter,
    ql_iter_listpack, ql_limits, ql_new, ql_release, ql_remove, ql_replace, ql_verify,
)
from fastredis.values.entry cimport ENC_QUICKLIST, TYPE_LIST, entry_new, entry_set_encoding


cdef inline uint8_t* pack_of(const Entry* e) noexcept:
    return <uint8_t*>entry_slot(<Entry*>e)[0]


# --- for values/value ------------------------------------------------------------------------

cdef void list_free_value(Account* account, Entry* e) noexcept:
    if list_is_small(e):
        lp_free(account, pack_of(e))
    else:
        ql_free(account, list_of(e))


cdef int64_t list_drain(Account* account, Entry* e, int64_t elements) noexcept:
    """Free up to so many elements; how many are left, 0: all that is outside of the entry is freed."""
    if not list_is_small(e):
        return ql_drain(account, list_of(e), elements)
    lp_free(account, pack_of(e))
    return 0


cdef Entry* list_copy(Account* account, const Entry* e, const char* key, size_t key_size) noexcept:
    """A deep copy under another key, without a TTL."""
    cdef Entry* copy = entry_new(account, TYPE_LIST, entry_encoding(e), key, key_size, NULL)

    if list_is_small(e):
        entry_slot(copy)[0] = lp_copy(account, pack_of(e))
    else:
        entry_slot(copy)[0] = ql_copy(account, list_of(e))
    return copy


cdef Entry* list_copy_begin(Account* account, const Entry* e, const char* key, size_t key_size) noexcept:
    """For an ENC_QUICKLIST list: one without nodes, with the limits that e was made with."""
    cdef Quicklist* ql = ql_new(account, list_of(e).fill, list_of(e).depth)

    return entry_new(account, TYPE_LIST, ENC_QUICKLIST, key, key_size, ql)


cdef size_t list_value_bytes(const Entry* e, int64_t samples) noexcept:
    """Bytes outside of the entry's block; measured on `samples` nodes, 0: on all."""
    return lp_charge(pack_of(e)) if list_is_small(e) else ql_bytes(list_of(e), samples)


cdef int64_t list_effort(const Entry* e) noexcept:
    """Pieces of memory that the value is."""
    return 1 if list_is_small(e) else <int64_t>list_of(e).nodes


cdef int list_verify(Entry* e) except -1:
    return lp_verify(pack_of(e)) if list_is_small(e) else ql_verify(list_of(e))


# --- encodings -------------------------------------------------------------------------------

cdef Entry* list_new(Account* account, const char* key, size_t key_size) noexcept:
    """An entry with an empty list: elements have to follow before anybody sees it."""
    cdef Entry* e = entry_new(account, TYPE_LIST, ENC_LISTPACK, key, key_size, NULL)

    entry_slot(e)[0] = lp_new(account)
    return e


cdef int list_prepare_small(Account* account, const Limits* limits, Entry* e, size_t bytes, uint64_t count) noexcept:
    """list_prepare() of a listpack."""
    cdef uint8_t* lp = pack_of(e)
    cdef Quicklist* ql

    if likely(not ql_exceeds(limits.list_max_listpack_size, lp_bytes(lp) + bytes, lp_count(lp) + count)):
        return 0
    ql = ql_new(account, limits.list_max_listpack_size, limits.list_compress_depth)
    if lp_bytes(lp) != LP_EMPTY:
        ql_adopt(account, ql, lp)
    else:
        lp_free(account, lp)
    entry_slot(e)[0] = ql
    entry_set_encoding(e, ENC_QUICKLIST)
    return 0


cdef int list_settle(Account* account, const Limits* limits, Entry* e) noexcept:
    """After elements went, or were replaced: convert to a listpack if the list is small enough now."""
    cdef Quicklist* ql
    cdef uint64_t bytes, count

    if list_is_small(e):
        return 0
    ql = list_of(e)
    if likely(ql.nodes != 1) or ql.head.plain:
        return 0
    ql_limits(limits.list_max_listpack_size, &bytes, &count)
    if ql.head.bytes > bytes // 2 or ql.count > count // 2:
        return 0
    entry_slot(e)[0] = ql_release(account, ql)
    entry_set_encoding(e, ENC_LISTPACK)
    return 0


# --- for commands ----------------------------------------------------------------------------

cdef int list_push_small(Account* account, Entry* e, int where, const char* text, size_t size) noexcept:
    """list_push() to a listpack."""
    if where == LIST_TAIL:
        entry_slot(e)[0] = lp_append(account, pack_of(e), text, size)
    else:
        entry_slot(e)[0] = lp_prepend(account, pack_of(e), text, size)
    return 0


cdef int list_drop(Account* account, const Limits* limits, Entry* e, int where, uint64_t n) noexcept:
    """Take n elements off an end; there must be as many."""
    cdef uint8_t* lp
    cdef uint8_t* p

    if not list_is_small(e):
        ql_drop(account, list_of(e), where, n)
        return list_settle(account, limits, e)
    if n:
        lp = pack_of(e)
        p = lp_first(lp) if where == LIST_HEAD else lp_seek(lp, -<int64_t>n)
        entry_slot(e)[0] = lp_delete(account, lp, &p, n)
    return 0


cdef void list_at_end(const Entry* e, int where, LpItem* item) noexcept:
    """The element at an end of a list that is not empty. Its text is good until the next change."""
    if not list_is_small(e):
        ql_at_end(list_of(e), where, item)
    else:
        lp_get(lp_first(pack_of(e)) if where == LIST_HEAD else lp_last(pack_of(e)), item)


cdef bint list_iter(Account* account, const Entry* e, int64_t index, bint backward, QlIter* it) noexcept:
    """Set an iterator to the element at `index`, from the end when negative; False: there is none.

    ql_iter_end() it after use. O(nodes) and O(elements of a node).
    """
    if list_is_small(e):
        return ql_iter_listpack(pack_of(e), index, backward, it)
    return ql_iter(account, list_of(e), index, backward, it)


cdef int list_insert(Account* account, const Limits* limits, Entry* e, const QlIter* pivot, bint after,
                     const char* text, size_t size) noexcept:
    """Insert an element in front of, or behind, the iterator's, which is not good any more. After list_prepare()."""
    cdef uint8_t* p

    if not list_is_small(e):
        return ql_insert(account, list_of(e), pivot, after, text, size, limits.list_packed_threshold)
    p = <uint8_t*>pivot.p
    if after:
        p += lp_bytes_at(p)
    entry_slot(e)[0] = lp_insert(account, pack_of(e), p, text, size, NULL)
    return 0


cdef bint list_replace(Account* account, const Limits* limits, Entry* e, int64_t index, const char* text,
                       size_t size) noexcept:
    """Put another element in the place of the one at `index`; False: there is none. After list_prepare()."""
    cdef uint8_t* p

    if not list_is_small(e):
        if not ql_replace(account, list_of(e), index, text, size, limits.list_packed_threshold):
            return False
        list_settle(account, limits, e)
        return True
    p = lp_seek(pack_of(e), index)
    if p is NULL:
        return False
    entry_slot(e)[0] = lp_replace(account, pack_of(e), &p, text, size)
    return True


cdef int64_t list_remove(Account* account, const Limits* limits, Entry* e, const Needle* needle, int64_t most,
                         int where) noexcept:
    """Remove up to `most` (0: all) elements that equal the needle, from that end on; returns how many. O(n)."""
    cdef int64_t removed

    if list_is_small(e):
        entry_slot(e)[0] = lp_remove(account, pack_of(e), needle, most, where, &removed)
        return removed
    removed = ql_remove(account, list_of(e), needle, most, where)
    list_settle(account, limits, e)
    return removed
