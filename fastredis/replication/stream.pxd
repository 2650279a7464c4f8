# Stream: what a master's replicas get, in the order in which it happened.
#
#   Engine.propagate --> write()  --> Backlog <-- append()  a replica passes on its master's bytes as they came
#                                        |
#        loop.call_soon, once an iteration --> turn() --> Reader 1: sent --> socket
#                                                         Reader 2: sent --> socket
#
# A Reader is one replica's place in the backlog. What its kernel buffer takes is sent from the backlog's own memory;
# one piece more goes to the transport, and when that has drained the reader goes on. So a slow replica costs an offset
# and what it keeps of the backlog, which counts against client-output-buffer-limit's replica class.
# Offsets in the stream are Core.propagated while there is a backlog (Core.counts_bytes).
# With an AOF nothing is sent that is not in its file here (Core.holding), or, with `appendfsync always`, on the disk
# (Core.sendable).

from libc.stdint cimport int64_t

from fastredis._resp cimport Arg
from fastredis.engine.connection cimport Connection
from fastredis.engine.core cimport Core
from fastredis.engine.engine cimport Engine, Feed
from fastredis.replication.backlog cimport Backlog


cdef class Reader:
    cdef Stream stream
    cdef Connection connection
    cdef readonly int64_t sent          # offset of the next byte that is sent
    cdef readonly bint open             # the stream may be sent; before, its place is only kept

    cdef int go_on(self) except -1


cdef class Stream(Feed):
    cdef Engine engine
    cdef Core* core
    cdef readonly Backlog backlog       # None: there is no replica, and has not been one for a while
    cdef public int selected            # database of the stream's last SELECT; -1: the next command brings one
    cdef readonly list readers
    cdef bint feeding                   # it is a feed of the engine: there is a backlog, and this is a master
    cdef bint scheduled
    cdef bint asking                    # those who WAIT want all replicas to acknowledge
    cdef object turn_method
    cdef public int64_t bytes_in        # of the master's stream and data sets, since the start
    cdef public int64_t bytes_out       # to replicas

    cdef int put(self, const char* data, size_t size) except -1
    cdef int schedule(self) except -1
    cdef int note_memory(self) noexcept
    cdef int64_t needed(self) except -1
