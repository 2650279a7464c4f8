# LocalClient: a client of an engine in this process, without a socket. A command is a function call.
#
#   execute(b"GET", key)   Gate.enter   begin_turn   dispatch   end_turn   read_value   Gate.leave
#
# It is a Connection to all else: it has an id, a database, a place in CLIENT LIST, may wait, watch, subscribe, be
# killed. Arguments are borrowed from the Python objects, which the call keeps alive; a reply goes into a buffer of its
# own, and is read from there. What comes out of turn (an answer that was waited for, messages) passes through
# Client.pending as with everybody, and is read into `arrived` at the end of the turn that brought it.
#
# Who may call is the Gate's business (gate.pxd).
#
# What has to wait (BLPOP, CLIENT PAUSE) is PENDING, and what `appendfsync always` has not synced yet is not told.
# execute() waits for both, aexecute() awaits them. On the loop's own thread, where waiting would be for ever, it is as
# in MULTI: what blocks is answered at once, as if its time were over, and what can't be is a WouldBlockError.
#
# A client executes one command at a time. Whoever finds it taken gets a spare one with the same database, protocol and
# user; one that was left with a state of its own is closed.
#
# Rejected: one client for each thread, as blocked clients are the only ones that can't be shared.

from libc.stdint cimport int64_t

from fastredis._resp cimport Arg
from fastredis.embed.gate cimport Gate
from fastredis.engine.connection cimport Connection
from fastredis.engine.reply cimport Reply


cdef class LocalClient(Connection)


cdef class Waiting:
    """In place of a value: a client, which waits for it."""
    cdef LocalClient client
    cdef object value                   # PENDING, or what may not be told yet


cdef class LocalClient(Connection):
    cdef Gate gate
    cdef int how                        # replies are read: READ_*
    cdef public object patience_s       # seconds after which a command that waits is given up; None: never
    cdef bint awaited                   # somebody waits with it
    cdef bint asked                     # a command of its is under way
    cdef bint had_multi                 # MULTI was under way when it was taken()
    cdef list spares                    # clients like it, for those who find it taken
    cdef set others                     # ... and all of these, free or not
    cdef object requests                # deque of argument tuples that have to wait for their turn
    cdef readonly object arrived        # deque of values that came out of turn
    cdef int64_t arrived_bytes          # of protocol, that they were
    cdef public object told             # function: called when something has arrived, or the client is closed
    cdef object waker                   # the same, of who waits with it for an answer

    cdef object ask_any(self, tuple args)
    cdef object ask(self, tuple args)
    cdef bint must_wait(self, object value) except -1
    cdef int check_open(self) except -1
    cdef int check_place(self) except -1
    cdef bint begin_turn(self) except -1
    cdef int end_turn(self, bint aside) except -1
    cdef tuple next_of(self, rest)
    cdef int run(self, tuple args) except -1
    cdef int start(self, Arg* argv, tuple args) except -1
    cdef object answer(self)
    cdef bint is_taken(self) noexcept
    cdef LocalClient spare(self)
    cdef LocalClient taken(self)
    cdef int give_back(self, LocalClient client) except -1
    cdef int release(self, LocalClient client, bint failed=?) except -1
    cdef int read_all(self, const char* at, Reply reply) except -1
    cdef int keep_answers(self, Reply reply) except -1
    cdef int tell(self) except -1
    cdef object take_answer(self)
    cdef int count_arrived(self) except -1
    cdef object wait(self, object value)
    cdef object wait_here(self, object value)
    cdef int end_wait(self) except -1
    cdef int give_up(self) except -1
    cdef int close_when_possible(self) except -1
    cdef int close_now(self) except -1
