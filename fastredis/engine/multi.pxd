# Transactions: the queue between MULTI and EXEC, and the keys that WATCH watches.
#
# A queued command is one block: its Args, then their bytes. It belongs to the Queue.
# Watching is noted twice, so that both ways are quick: the client knows its places by database
# and key for UNWATCH, the database has a Line for each key for whoever changes the key.

from libc.stdint cimport int64_t, uint64_t

from fastredis._resp cimport Arg
from fastredis.ds.alloc cimport Account
from fastredis.engine.client cimport Client
from fastredis.engine.engine cimport Engine
from fastredis.engine.command cimport Command

cdef struct Queued:
    void* command                       # Command; declarations live as long as the program
    Arg* argv                           # start of the block
    int argc
    size_t size                         # of the block, bytes


cdef class Queue:
    cdef Account* account
    cdef object owner                   # the engine whose account that is
    cdef Queued* items
    cdef readonly int count
    cdef int room
    cdef readonly int64_t size_bytes    # of all the blocks
    cdef uint64_t flags                 # that any of the commands has
    cdef uint64_t shared_flags          # that all of them have
    cdef int append(self, Client c, Command command, uint64_t flags) except -1


cdef int watch(Client c, Arg* key) except -1
cdef int unwatch_all(Client c) except -1
cdef int end_watching(Engine engine) except -1       # somebody watches no more: nobody may be left who does
cdef Py_ssize_t watch_count(Client c) except -1      # keys that it watches
cdef bint watched_expired(Client c) except -1
cdef int discard(Client c) except -1
cdef int begin(Client c) except -1
