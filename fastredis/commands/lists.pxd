# Pieces of the list commands that lists_blocking shares.

from libc.stdint cimport int64_t

from fastredis._resp cimport Arg
from fastredis.ds.listpack cimport LpItem
from fastredis.engine.client cimport Client
from fastredis.values.entry cimport Entry

cdef Entry* new_list(Client c, Arg* key, const Arg* elements, int count, int where) except NULL
cdef int reply_item(Client c, const LpItem* item) except -1
cdef int reply_elements(Client c, Entry* e, int64_t start, int64_t count, bint backward) except -1
cdef int reply_popped(Client c, Arg* key, Entry* e, int where, int64_t count) except -1
cdef int tell_popped(Client c, Arg* key, Entry* e, int where, int64_t count) except -1
cdef const char* push_event(int where) noexcept
