# Blocked: clients that wait, for an event, for a time, or for the end of CLIENT PAUSE.
#
#   Client.blocked -> Waiter { client, deadline }          C_BLOCKED is set
#                                 |
#   deadlines (heap)  [ ... * ... ]      only those that have one; one loop timer, for the soonest
#
# A blocking command that cannot answer makes a Waiter and calls block(). From then on the
# client's requests stay in its query buffer. Whoever can answer calls answer_begin(),
# replies as a handler does, and calls answer_end(): the client goes on at the end of the
# turn. If the time comes first, Waiter.timed_out() replies.
# What a client waits for is the Waiter's own business: each command that blocks has a
# subclass, which knows what to reply when the time is over.
#
# CLIENT PAUSE is another way to wait: the command has not run yet, it is still in the
# query buffer and will be executed, with all checks, when the pause is over.
# Rejected: a loop timer per client (their cost is hidden in the loop, and a test that
# moves the clock could not fire them), looking at all waiting clients ten times a second.

from libc.stdint cimport int64_t, uint32_t, uint64_t

from fastredis._client cimport Client
from fastredis._engine cimport Engine
from fastredis._reply cimport Reply
from fastredis.ds.expire_heap cimport ExpireHeap

cdef struct Deadline:
    uint32_t heap_index                 # slot in Blocked.deadlines; NOT_IN_HEAP: it waits for ever
    void* waiter                        # Waiter; Client.blocked keeps it alive


cdef class Waiter:
    """Base of what blocked clients wait for."""
    cdef Client client
    cdef Deadline deadline
    cdef Reply out                      # the client's own, while an answer is written to its inbox
    cdef bint silent                    # CLIENT REPLY says: no reply to this command
    cdef size_t mark                    # where the answer starts in the inbox
    cdef int64_t errors                 # of the engine, before the answer
    cdef int timed_out(self, Client c) except -1    # reply that it did not happen in time


cdef class Blocked:
    cdef Engine engine
    cdef dict waiting                   # Client -> None: blocked in a command
    cdef dict paused                    # Client -> None: their command waits for the end of the pause
    cdef ExpireHeap deadlines
    cdef object timer
    cdef int64_t armed_ms               # what the timer waits for; INT64_MAX: nothing
    cdef readonly int64_t pause_ends_ms  # CLIENT PAUSE; 0: there is none
    cdef readonly bint pause_all        # of all commands; else of those that write

    cdef int block(self, Client c, Waiter waiter, int64_t deadline_ms) except -1
    cdef int answer_begin(self, Client c) except -1
    cdef int answer_end(self, Client c) except -1
    cdef bint holds(self, uint64_t flags) noexcept
    cdef int postpone(self, Client c) except -1
    cdef int arm(self) except -1
