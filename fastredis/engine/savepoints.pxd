# Savepoints: states of the whole data set that a program may go back to, at the price of what has changed.
#
#                       changed               changed              changed
#   first savepoint  -------------> second -------------> latest -------------> the data as they are
#
# A State is not a copy of the data: it is what has to be put in other places (`changed`: key -> its entry then, or that
# there was none) to come to it from the state `toward`, which is nearer to the present. The data as they are have no
# State; the one that is nearest to them, the base, has an entry copied before the first change of its key after it. So
# nothing is done when a savepoint is made, and a change costs one look into a dict.
#
# Going back walks from the base to the state that is wanted, exchanging entries: what was on the one side of `changed`
# is on the other side then, and the arrow is turned round. Thus all others can still be gone to, forward as well. A
# state that nobody wants any more is joined with the next one.
#
# Emptying and exchanging databases are no changes of keys. What is in a database has a name of its own (Space), and a
# State says which Space is in which database; a Space that has left its database is kept aside, as it is. FLUSHALL
# therefore costs nothing, nor does going back behind it.
#
# Every change has to be seen, not only the first since some moment: core.EVERY_CHANGE. The epoch bit alone knows of one
# moment, and that is the snapshot's that is being written (persist/snapshot).
# Source: H. Baker, "Shallow binding makes functional arrays fast" (1991), for the arrows that are turned round.

from libc.stdint cimport int64_t, uint32_t

from fastredis.engine.engine cimport Engine, Savepoints
from fastredis.engine.keyspace cimport Database
from fastredis.values.entry cimport Entry


cdef class Kept:
    """A key as it was: its entry, and its deadline."""
    cdef Engine engine
    cdef Entry* e                       # owned; NULL: there was no such key
    cdef int64_t when_ms                # NO_EXPIRE: it had none


cdef class Space:
    """What is, or was, in a database."""
    cdef Engine engine
    cdef Database db                    # where it is: one of the engine's, or one of its own
    cdef bint aside                     # the latter
    cdef uint32_t epoch                 # Core.epoch when it was put there

    cdef int put_aside(self, Database db) except -1
    cdef int follow_epoch(self) except -1


cdef class State:
    cdef Tree tree
    cdef list spaces                    # of each database; None: it has been forgotten
    cdef dict changed                   # Space -> {key: Kept}
    cdef State toward                   # None: it is the base
    cdef set others                     # States that have it as their `toward`
    cdef bint wanted
    cdef list libraries                 # code of each library of functions


cdef class Tree(Savepoints):
    """All states of one engine."""
    cdef Engine engine
    cdef State base                     # None: there is no savepoint
    cdef dict live                      # Database -> Space, as far as a State has it
    cdef bint going                     # to another state: that is no change
    cdef bint lost                      # a change could not be kept: there was no memory
    cdef object let_go                  # deque of States that nobody wants, from whatever thread

    cdef int note(self, Database db, const char* name, size_t size, Entry* e) except -1
    cdef int switch(self, bint on) noexcept
    cdef int forget_all(self) except -1
    cdef int forget(self, State state) except -1
    cdef int go_to_base(self) except -1
    cdef int make_base(self, State state) except -1
    cdef int place(self, State state) except -1
