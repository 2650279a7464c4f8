# Busy: others are served in the middle of a script that does not come to its end.
#
#   loop --> data_received(A) --> EVAL --> Lua --> hook --> serve() --> select, recv --> data_received(B) --> -BUSY
#                                                                  \--> accept --> data_received(C) --> SCRIPT KILL
#
# The loop stands still meanwhile: uvloop's can't be run inside of one of its own callbacks. So serve() looks itself
# which sockets have something, with a selector that lives as long as the script is late, reads what is there, and hands
# it to the connections as their transports would. A transport that reads later finds nothing, which it is used to.
# Replies leave by send(2) as always; what the kernel refuses waits in the transport until the loop goes on. So do the
# end of a connection that is closed, timers, and whoever would go on with requests that it sent while it was blocked.
# Who gave way to others (Engine.give_way) goes on here, as the loop would have it do.
# Connections that are accepted have a stand-in for a transport (host/stand_in) until the loop has made a real one; in
# the middle of a script that is after its end.
#
# What runs there is checked by GATE_BUSY: only commands marked ALLOW_BUSY, which touch nothing that the script may
# have in hand. Not read at all are the script's own client, as its request is still under way, and the master's stream,
# which gathers in the kernel. Units are counted (Core.units), so nothing is evicted, and the clock stands still.
#
# What belongs to a read is the script's at that time: the engine's batch, in which the script's request stands, and
# its reply buffer. serve() puts others in their place, and takes them away again.
# Rejected: a thread or a greenlet for each script (every run would pay for it); a loop inside of the loop (transports
# belong to the outer one).

from fastredis._resp cimport Batch
from fastredis.engine.client cimport Client
from fastredis.engine.connection cimport Connection
from fastredis.engine.engine cimport Engine
from fastredis.engine.reply cimport Reply


cdef class Busy:
    cdef Engine engine
    cdef readonly bytes error           # reply to those who are refused
    cdef Client client                  # whose script it is
    cdef object selector                # of the sockets that are read; None: nobody is kept waiting
    cdef dict known                     # Connection -> its descriptor in the selector
    cdef Batch batch                    # in place of the engine's
    cdef Reply reply

    # A client's script takes too long. error: what others hear of it.
    cdef int begin(self, Client c, bytes error) except -1
    # In the middle of a client's script, also of one that does not take too long yet: have what came before it on the
    # disk and with the replicas, and answer those who have waited for that.
    cdef int catch_up(self, Client c) except -1
    # The same, and serve those who have sent something, without waiting.
    cdef int serve(self) except -1
    cdef int end(self) except -1
    cdef int go_on(self) except -1
    cdef int exchange(self) noexcept
    cdef int settle(self) except -1
    cdef int receive(self, Connection c) except -1
    cdef int watch(self, Connection c) except -1
    cdef int ignore(self, Connection c) except -1
