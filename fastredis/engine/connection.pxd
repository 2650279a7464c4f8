# Connection: a Client with a socket; what an asyncio transport calls.
#
#   data_received(bytes) --> parse --> run_batch --> reply --> send(2)
#
# Requests are parsed where they were received. Only what is left over, a request that is
# not whole or one that has to wait, is copied to the query buffer; the next bytes are
# appended there. Replies of one read leave with one send(2); what the kernel does not
# take goes to transport.write(), and so does all else until that has drained.
#
# One read may bring thousands of requests, and the next one, which the loop may make at once, as many. After a slice
# of time (SLICE_TICKS) the rest waits in the query buffer, and the socket is not read, until all others had their turn.
# In each round of the loop one of those that wait goes on (Engine.serve_waiting), so however many they are, a client
# that asks for little is answered in some milliseconds.
#
#   data_received --> run, a slice --> give_way() .. other sockets .. serve_waiting() --> go_on(), a slice --> ..

from libc.stdint cimport int64_t, uint64_t

from fastredis._resp cimport Parser
from fastredis.engine.client cimport Client
from fastredis.engine.reply cimport Reply

cdef enum:
    QUERY_BUFFER = 16 * 1024            # first size of a query buffer
    LARGE_READ = 128 * 1024             # after this many bytes the loop may read on at once, up to 32 times


cdef class Connection(Client):
    cdef readonly object transport
    cdef int fd                         # socket; -1: write through the transport only
    cdef bint writing                   # the transport has unsent bytes
    cdef Parser parser
    cdef char* query                    # query buffer
    cdef size_t query_begin             # bytes at its front that are used up
    cdef size_t query_size              # bytes behind these that are not
    cdef size_t query_room
    cdef size_t query_peak              # largest use since the last look of the cron
    cdef int64_t unsent                 # bytes that the transport held when looked at last; in used_memory
    cdef int64_t replica_unsent         # the same, as it is in Core.replica_unsent
    cdef int64_t held                   # bytes of all buffers, as they are in Core.client_memory
    cdef public object drained          # called when the transport has sent all that it held; None: nobody waits
    cdef public object replica          # what REPLCONF and PSYNC made of it (fastredis.replication.master); else None
    cdef public object debugging        # SCRIPT DEBUG: "sync" or "forked"; None: no
    cdef readonly bint waiting          # its requests wait until others had their turn, and nothing is read
    cdef uint64_t slice_end             # when the slice of its latest large read ends
    cdef int64_t next_turn              # the turn after that read: if it is ours, too, the two share the slice
    cdef int64_t owed                   # bytes that it is still to be sent of the stream which all replicas share
    cdef int64_t soft_since_ms          # since when the output is over the soft limit; 0: it is not

    cdef int vanish(self) except -1
    cdef int leave_lines(self) except -1
    cdef int finish_reply(self) except -1
    cdef int end(self) except -1
    cdef int recount(self) except -1
    cdef int set_counted(self, int64_t unsent, int64_t held) noexcept
    cdef int take(self, const char* data, size_t size) except -1
    cdef size_t process(self, const char* base, size_t size) except? 0xFFFFFFFFFFFFFFFF
    cdef int protocol_error(self) except -1
    cdef int keep(self, const char* data, size_t size) except -1
    cdef int shrink_query(self) except -1
    cdef bint reserve_bulk(self) noexcept
    cdef bint reserve_query(self, size_t room) noexcept
    cdef bint append_query(self, const char* data, size_t size) noexcept
    cdef int pack_query(self) noexcept
    cdef int wait_its_turn(self) except -1
    cdef int take_much(self, const char* data, size_t size) except -1
    cdef int refuse(self) except -1
    cdef int send(self, Reply reply) except -1
    cdef int send_pending(self) except -1
    cdef bint push(self, const char* data, size_t size) except -1
    cdef int hold_reply(self) except -1
    cdef int64_t output_size(self) except -1
    cdef int check_output(self) except -1
    cdef int output_class(self) noexcept
