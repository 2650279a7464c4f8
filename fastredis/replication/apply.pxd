# MasterConnection: a replica's connection to its master, from the moment when the stream begins.
#
#   data_received --> parse, a batch at a time --> call() --> the keyspace, the AOF, who waits for keys
#                        |
#                        +--> the bytes as they came, once they are applied --> Stream.append --> own replicas
#
#   ... SET a 1 | MULTI  INCR a | INCR b  EXEC | SET b 2        the cuts are where reads end
#   ^passed     ^applied     ^held                              offset = all that was passed on
#
# The master's commands were executed once already, so no gate, ACL or limit is asked here. The offset, which is
# Core.propagated, moves when the bytes are handed to the stream: at the end of a read, before an acknowledgement, and
# never in the middle of a transaction, whose bytes are kept (held) until EXEC is done. So what is applied and what is
# told to the master, passed on to own replicas or asked for after a reconnect is always the same place.
# Replies are dropped; an error is logged, since it means that the data here may not be the master's.

from libc.stdint cimport int64_t

from fastredis._resp cimport Batch, Request
from fastredis.engine.command cimport Command
from fastredis.engine.connection cimport Connection
from fastredis.replication.stream cimport Stream


cdef class MasterConnection(Connection):
    cdef public object link             # Link; None: this connection is not its master's any more
    cdef Stream stream
    cdef void* replconf                 # Command REPLCONF under this server's names; NULL: it has none
    cdef size_t passed                  # of the bytes under way: how many were handed to the stream
    cdef size_t applied                 # ... and how many were applied
    cdef bytearray held                 # bytes of a transaction whose EXEC has not come
    cdef int64_t heard_us               # monotonic time of the latest bytes

    cdef size_t apply(self, const char* base, size_t size) except? 0xFFFFFFFFFFFFFFFF
    cdef int run(self, Batch* batch, const char* base) except -1
    cdef bint run_rare(self, Command command, Request* r, const char* base) except -1
    cdef int pass_on(self, const char* base, size_t end) except -1
    cdef bint is_getack(self) noexcept
    cdef int stop(self) except -1
    cdef int tell_error(self, Command command) except -1
