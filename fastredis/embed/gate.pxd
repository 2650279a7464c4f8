# Gate: who may call an engine, and when.
#
# An engine on its own thread (Server) is entered by all threads, one at a time: its loop lets
# others in only while it looks for events, so no handler, timer or task of the engine is ever interrupted by a call.
# On the caller's loop (AsyncServer) only that loop's thread may call. Calls take no detour over the loop: handing one
# to its thread and back takes 20 to 50 us, a call 0.3.
# A loop that sleeps is woken when a call has left something for it: a timer, a task, bytes for a socket.
#
# In the middle of a command the same thread may come again: what Python does there may collect garbage, whose __del__
# calls the engine. That is an error, and what is closed then is closed at the end of the turn; but LocalClient.told,
# and the iterator of execute_all(), are called where the engine may be called (aside).
#
# Rejected: a lock around each turn, as what is done between turns (tasks of replication, a child that ends) would have
# to be found and locked, too.

cimport cython

cdef extern from "pythread.h":
    ctypedef void* PyThread_type_lock


@cython.final
cdef class Gate:
    cdef PyThread_type_lock door        # held while one waits for the room, so that nobody waits for ever; NULL: no
    cdef PyThread_type_lock room        # ... other thread may enter. Held by who is inside
    cdef unsigned long holder           # thread that is inside; 0: none is
    cdef unsigned long home             # thread of the loop
    cdef int depth                      # calls inside of each other
    cdef int forks                      # of this process, when the gate was made
    cdef bint stirred                   # the loop has something to do that it does not know of
    cdef bint aside                     # in a turn, a function of the program's is called, which may call the engine
    cdef public object wake             # function: make the loop look, from another thread

    cdef int enter(self) except -1
    cdef int leave(self) except -1
    cdef bint is_home(self) noexcept
