# SlowCopy: a copy of a big value that is made in pieces, so that others get their turn in between.
#
#     copy_begin(&work, account, e, key, key_size)
#     while not copy_some(&work):             between two calls the source must not change:
#         ...                                 who is about to change it calls copy_leave() first
#     fresh = copy_take(&work)                else copy_take() what there is, and free it
#
# There is nothing of this for small values: they are one block, and entry_copy() copies it.

from libc.stdint cimport int64_t

from fastredis.ds.alloc cimport Account
from fastredis.ds.btree cimport BtCursor
from fastredis.ds.id_tree cimport IdPlace
from fastredis.ds.quicklist cimport QlNode
from fastredis.ds.table cimport TableIter
from fastredis.values.entry cimport Entry
from fastredis.values.hash_type cimport HashIter

cdef struct SlowCopy:
    Account* account
    Entry* source               # NULL: it is not looked at any more
    Entry* copy                 # as far as it is made; NULL: there is none
    bint whole
    TableIter members           # where in the source the copy has come to: of a set,
    HashIter fields             # a hash,
    BtCursor at                 # a sorted set,
    const QlNode* node          # a list,
    IdPlace slice               # an array

cdef bint copy_is_slow(const Entry* e) noexcept
cdef int copy_begin(SlowCopy* work, Account* account, Entry* e, const char* key, size_t key_size) noexcept
cdef bint copy_some(SlowCopy* work) noexcept
cdef void copy_leave(SlowCopy* work) noexcept
cdef Entry* copy_take(SlowCopy* work) noexcept
