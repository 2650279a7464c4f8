# Blocked: clients that wait, for an event, for a time, or for the end of CLIENT PAUSE.
#
#   Client.blocked -> Waiter { client, deadline }          C_BLOCKED is set
#                                 |
#   deadlines (heap)  [ ... * ... ]      only those that have one; one loop timer, for the soonest
#
# A blocking command that cannot answer makes a Waiter and calls block(). From then on the
# client's requests stay in its query buffer. Whoever can answer calls unblock(), in which
# Waiter.timed_out() replies, as it does when the time comes first; the client goes on at the end of
# the turn.
# What a client waits for is the Waiter's own business: each command that blocks has a
# subclass, which knows what to reply when the time is over, and what to clear away when the wait has ended.
#
# Waiting for keys (BLPOP ...): Database.awaited maps a key to its lines, where who came first is first:
#
#   awaited  { key: { line: KeyLine } }        KeyLine.first --> Stand <--> Stand <--> Stand
#                                                                | KeyWaiter, which has its stands in itself
#
# There is a line for each type that they want the key to be of. Those who want to know as well that there is no such
# key any more (XREADGROUP) are in a second line, whose number is ~type. Those who wait for one of what there may be
# several of in a key (a group's entries) have a line of their own by the name of that: what the first of them
# cannot have, none behind it can.
# A KeyWaiter keeps its command, with what its handler has put in the place of an argument that means something else
# later (XREAD's $).
# Whatever changes such a key puts it on Engine.ready; after the command or unit under way, or else at the end of the
# turn, the dispatcher runs the commands of those again whom it concerns what the key is now, and
# one that still cannot be answered calls block_on_keys() again and keeps its place. A command that only reads, with the
# arguments of the one before it, is not run: it has the same answer.
# So a blocking command has one implementation, and checks and replies in one place. It may ask to run again at a time,
# too (XREADGROUP CLAIM): the heap has the sooner one of that and the end of the wait.
#
# A pause is another way to wait: the command has not run yet, it is still in the
# query buffer and will be executed, with all checks, when the pause is over. Who pauses the
# clients (CLIENT PAUSE, FAILOVER, SHUTDOWN) has a pause of its own, with its end and its
# kind, and lifts no other's; commands are held while any pause that is under way holds them.
# A command that wants to change a value that is being copied waits in the same way for the
# end of the copy.
# Rejected: a loop timer per client (their cost is hidden in the loop, and a test that
# moves the clock could not fire them), looking at all waiting clients ten times a second.

from cpython.ref cimport PyObject
from libc.stdint cimport int64_t, uint32_t, uint64_t

from fastredis._resp cimport Arg
from fastredis.ds.alloc cimport Account
from fastredis.ds.expire_heap cimport ExpireHeap
from fastredis.engine.client cimport Client
from fastredis.engine.engine cimport Engine
from fastredis.engine.keyspace cimport Database
from fastredis.engine.reply cimport Reply

cdef struct Deadline:
    uint32_t heap_index                 # slot in Blocked.deadlines; NOT_IN_HEAP: it waits for ever
    void* waiter                        # Waiter; Client.blocked keeps it alive


cpdef enum:                             # who pauses the clients
    PAUSE_BY_CLIENT
    PAUSE_FAILOVER
    PAUSE_SHUTDOWN
    PAUSE_PURPOSES                      # how many there are

cdef struct Pause:
    int64_t ends_ms                     # ms since the epoch; 0: there is none
    bint all_commands                   # else those that write


cdef class Waiter:
    """Base of what blocked clients wait for."""
    cdef Client client
    cdef Deadline deadline
    cdef readonly bint steadfast        # neither time nor CLIENT UNBLOCK ends it
    cdef bint lasting                   # nor does the end of the connection
    cdef bint silent                    # CLIENT REPLY says: no reply to this command
    cdef int64_t until_ms               # when the wait ends; 0: never
    cdef int64_t again_ms               # when the command is to run again; 0: never
    cdef int timed_out(self, Client c) except -1    # reply how things stand: it did not happen in time, or it has
    cdef int leave(self) except -1      # the wait is over, however it ended: be where one waits for it no more


cdef enum:
    STANDS_INSIDE = 2                   # stands that need no memory of their own: those for one key

cdef enum KeyReply:                     # what a command that waited for keys in vain replies
    NULL_BULK
    NULL_ARRAY


cdef struct Stand:                      # a waiter's place in a line
    Stand* before
    Stand* after
    PyObject* line                      # KeyLine, owned; NULL: it is in none
    void* waiter                        # KeyWaiter; NULL: who walks along the line


cdef class KeyLine:
    """Those who wait for the same of a key."""
    cdef bytes key
    cdef object name                    # of the line among those of the key: the type, or a pair of that and `subject`
    cdef int kind                       # TYPE_* that the key is to be of; ~TYPE_*: that it is to be of no more
    cdef bint alike                     # what one of them cannot have, the others cannot
    cdef Stand* first
    cdef Stand* last
    cdef Py_ssize_t count               # waiters


cdef class KeyWaiter(Waiter):
    """Waits for one of some keys of a database to become what its command can work on."""
    cdef Database db
    cdef int kind                       # TYPE_* that the command works on
    cdef bint on_loss                   # it is to run also when a key is not of that type (any more)
    cdef bytes subject                  # what it wants of the keys, of which each may have several; None: anything
    cdef Stand[STANDS_INSIDE] inside
    cdef Stand* stands                  # in the lines of its keys
    cdef Py_ssize_t stand_count
    cdef Py_ssize_t stand_room          # of memory of their own
    cdef KeyReply in_vain
    cdef object command                 # Command
    cdef Account* account
    cdef object owner                   # the engine whose account that is
    cdef Arg* argv                      # the command's copy
    cdef int argc
    cdef size_t size                    # bytes of the copy


cdef class Blocked:
    cdef Engine engine
    cdef dict waiting                   # Client -> None: blocked in a command
    cdef dict paused                    # Client -> None: their command waits for the end of the pause, or of a copy
    cdef ExpireHeap deadlines
    cdef object timer
    cdef int64_t armed_ms               # what the timer waits for; INT64_MAX: nothing
    cdef Pause[PAUSE_PURPOSES] pauses
    cdef bint pause_all                 # one of them holds all commands
    cdef Py_ssize_t in_lines            # stands in all lines of all keys
    cdef Reply spare                    # of those who were answered last; None: it is in use, or was never needed

    cdef int block(self, Client c, Waiter waiter, int64_t deadline_ms) except -1
    cdef int set_deadline(self, Waiter waiter) except -1
    cdef int answered(self, Waiter waiter) except -1
    cdef Reply borrow_reply(self, Client c)
    cdef int give_back(self, Reply reply) except -1
    cdef bint holds(self, uint64_t flags) noexcept
    cdef int postpone(self, Client c) except -1
    cdef int release(self) except -1
    cdef int settle_pauses(self) except -1
    cdef int64_t next_pause_end(self) noexcept
    cdef int time_has_come(self, Waiter waiter) except -1
    cdef int arm(self) except -1
    cdef int forget(self, Client c) except -1
    cdef int await_keys(self, KeyWaiter waiter, list keys) except -1
    cdef int leave_keys(self, KeyWaiter waiter) except -1


cdef int keep_command(KeyWaiter waiter, Client c, Arg* argv) except -1
# again: the c.argc arguments with which the command is to run again; NULL: c.argv.
# subject: what those who wait for it want alone (see above); None: nothing like that. again_ms: when the command is to
# run again, if not before; 0: never.
cdef int block_on_keys(Client c, int first, int64_t count, int step, int kind, int64_t deadline_ms,
                       KeyReply in_vain, bint on_loss=*, Arg* again=*, bytes subject=*, int64_t again_ms=*) except -1
# A walk along a line: walk_begin(), walk_next() until it is NULL, and in any case walk_end(). Waiters may leave it
# meanwhile.
cdef void walk_begin(Stand* walk, KeyLine line) noexcept
cdef void* walk_next(Stand* walk) noexcept              # KeyWaiter
cdef void walk_end(Stand* walk) noexcept
