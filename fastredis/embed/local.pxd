# LocalClient: a client of an engine in this process, without a socket. A command is a function call.
#
#   execute(b"GET", key)   Gate.enter   begin_turn   dispatch   end_turn   read_value   Gate.leave
#
# It is a Connection to all else: it has an id, a database, a place in CLIENT LIST, may wait, watch, subscribe, be
# killed. Arguments are borrowed from the Python objects, which the call keeps alive; a reply goes into a buffer of its
# own, and is read from there. What comes out of turn (an answer that was waited for, messages) passes through
# Client.pending as with everybody, and is read into `arrived` at the end of the turn that brought it.
#
# Whoever may call: Gate. An engine on its own thread (Server) is entered by all threads, one at a time: its loop lets
# others in only while it looks for events, so no handler, timer or task of the engine is ever interrupted by a call.
# On the caller's loop (AsyncServer) only that loop's thread may call. Calls take no detour over the loop: handing one
# to its thread and back takes 20 to 50 us, a call 0.3.
# A loop that sleeps is woken when a call has left something for it: a timer, a task, bytes for a socket.
#
# What has to wait (BLPOP, CLIENT PAUSE) is PENDING, and what `appendfsync always` has not synced yet is not told.
# execute() waits for both, aexecute() awaits them. On the loop's own thread, where waiting would be for ever, it is as
# in MULTI: what blocks is answered at once, as if its time were over, and what can't be is a WouldBlockError.
#
# Rejected: a lock around each turn, as what is done between turns (tasks of replication, a child that ends) would have
# to be found and locked, too; one client for each thread, as blocked clients are the only ones that can't be shared.

from libc.stdint cimport int64_t

from fastredis._resp cimport Arg
from fastredis.engine.connection cimport Connection
from fastredis.engine.reply cimport Reply

cdef extern from "pythread.h":
    ctypedef void* PyThread_type_lock


cdef class Gate:
    cdef PyThread_type_lock door        # held while one waits for the room, so that nobody waits for ever; NULL: no
    cdef PyThread_type_lock room        # ... other thread may enter. Held by who is inside
    cdef unsigned long holder           # thread that is inside; 0: none is
    cdef unsigned long home             # thread of the loop
    cdef int depth                      # calls inside of each other
    cdef int forks                      # of this process, when the gate was made
    cdef bint stirred                   # the loop has something to do that it does not know of
    cdef object wake                    # function: make the loop look

    cdef int enter(self) except -1
    cdef int leave(self) except -1
    cdef bint is_home(self) noexcept


cdef class LocalClient(Connection):
    cdef Gate gate
    cdef readonly bint decode           # text comes as str
    cdef bint awaited                   # somebody waits with it: others take a spare one
    cdef list spares
    cdef object requests                # deque of argument tuples that have to wait for their turn
    cdef readonly object arrived        # deque of values that came out of turn
    cdef int64_t arrived_bytes          # of protocol, that they were
    cdef public object told             # function: called when something has arrived, or the client is closed

    cdef object ask(self, tuple args)
    cdef bint must_wait(self, object value) except -1
    cdef int check_open(self) except -1
    cdef int run(self, tuple args) except -1
    cdef int start(self, Arg* argv, tuple args) except -1
    cdef object answer(self)
    cdef LocalClient free_client(self)
    cdef LocalClient taken(self)
    cdef int release(self, LocalClient client) except -1
    cdef int read_all(self, const char* at, Reply reply) except -1
    cdef int keep_answers(self, Reply reply) except -1
    cdef int tell(self) except -1
    cdef object take_answer(self)
    cdef int count_arrived(self) except -1
    cdef object wait(self, object value)
    cdef object wait_here(self, object value)
    cdef int end_wait(self) except -1
    cdef int give_up(self) except -1
    cdef int close_now(self) except -1
