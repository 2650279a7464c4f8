"""Copies of big values in pieces. The design comment is in slow_copy.pxd."""
from fastredis.ds.btree cimport bt_seek
from fastredis.ds.quicklist cimport ql_copy_some
from fastredis.ds.table cimport table_iter, table_iter_end
from fastredis.values.array_type cimport array_copy_begin, array_copy_on
from fastredis.values.entry cimport (
    ENC_HASHTABLE, ENC_HASHTABLE_EX, ENC_QUICKLIST, ENC_SKIPLIST, ENC_SLICED, TYPE_ARRAY, TYPE_HASH, TYPE_SET,
    TYPE_ZSET, entry_encoding, entry_type,
)
from fastredis.values.hash_type cimport hash_copy_begin, hash_copy_some, hash_iter, hash_iter_end
from fastredis.values.list_type cimport list_copy_begin, list_of
from fastredis.values.set_type cimport set_copy_begin, set_copy_some, set_table
from fastredis.values.value cimport entry_effort
from fastredis.values.zset_type cimport zset_copy_begin, zset_copy_some, zset_of

cdef enum:
    AT_ONCE = 256               # members, fields or nodes that are better copied at once
    MEMBERS = 64                # copied by one copy_some()
    NODES = 4                   # ... of a list; about 32 KiB of text


cdef bint copy_is_slow(const Entry* e) noexcept:
    """Whether a value is so big that it had better be copied in pieces."""
    cdef int encoding = entry_encoding(e)

    return (encoding == ENC_HASHTABLE or encoding == ENC_HASHTABLE_EX or encoding == ENC_SKIPLIST
            or encoding == ENC_QUICKLIST or encoding == ENC_SLICED) and entry_effort(e) > AT_ONCE


cdef int copy_begin(SlowCopy* work, Account* account, Entry* e, const char* key, size_t key_size) noexcept:
    """Begin a copy under another key, without a TTL, of a value that is slow to copy."""
    work.account = account
    work.source = work.copy = NULL
    work.whole = False
    if entry_type(e) == TYPE_SET:
        work.copy = set_copy_begin(account, e, key, key_size)
        table_iter(&work.members, set_table(e))
    elif entry_type(e) == TYPE_HASH:
        work.copy = hash_copy_begin(account, e, key, key_size)
        hash_iter(&work.fields, e)
    elif entry_type(e) == TYPE_ZSET:
        work.copy = zset_copy_begin(account, e, key, key_size)
        work.at = bt_seek(&zset_of(e).order, 0)
    elif entry_type(e) == TYPE_ARRAY:
        work.copy = array_copy_begin(account, e, key, key_size, &work.slice)
    else:
        work.copy = list_copy_begin(account, e, key, key_size)
        work.node = list_of(e).head
    work.source = e
    return 0


cdef bint copy_some(SlowCopy* work) noexcept:
    """Copy some more; whether all is copied, and the source not looked at any more."""
    cdef int kind = entry_type(work.copy)

    if kind == TYPE_SET:
        work.whole = set_copy_some(work.account, work.copy, work.source, &work.members, MEMBERS)
    elif kind == TYPE_HASH:
        work.whole = hash_copy_some(work.account, work.copy, &work.fields, MEMBERS)
    elif kind == TYPE_ZSET:
        work.whole = zset_copy_some(work.account, work.copy, &work.at, MEMBERS)
    elif kind == TYPE_ARRAY:
        work.whole = array_copy_on(work.copy, work.source, &work.slice)
    else:
        work.whole = ql_copy_some(work.account, list_of(work.copy), &work.node, NODES)
    return work.whole


cdef void copy_leave(SlowCopy* work) noexcept:
    """Look at the source no more; any number of times."""
    if work.source is NULL:
        return
    if entry_type(work.source) == TYPE_SET:
        table_iter_end(&work.members)
    elif entry_type(work.source) == TYPE_HASH:
        hash_iter_end(&work.fields)
    work.source = NULL


cdef Entry* copy_take(SlowCopy* work) noexcept:
    """The copy, whole or not, which belongs to the caller from now on; NULL: there is none."""
    cdef Entry* copy = work.copy

    copy_leave(work)
    work.copy = NULL
    return copy
