# Dispatch: from a decoded command to its handler, and what surrounds every call.
#
#   run_batch   look up, hash and prefetch for a whole batch, then execute one by one
#   execute     may this client run this command now? refuse, queue (MULTI), or
#   call        run the handler; count, time, propagate
#
# The checks are ordered as Redis orders them, since a client can see which error comes
# first. A client and a server with nothing special about them (no C_SPECIAL flag, no gate,
# authenticated as a user who may do everything) skip all of them but existence and arity.

from libc.stdint cimport uint64_t

from fastredis._resp cimport Batch
from fastredis.engine.blocking cimport KeyWaiter
from fastredis.engine.client cimport Client
from fastredis.engine.command cimport Command
from fastredis.engine.engine cimport Engine

cdef int run_batch(Client c, Batch* batch) except -1
# Execute the request in argv, which comes alone. 1: CLIENT PAUSE or a copy holds it, and it is to come again.
cdef int run_request(Client c) except -1
# Look the commands of a batch up (NULL: there is none), and ask for what they will need of memory.
cdef int prepare(Client c, Batch* batch, void** commands) except -1
cdef int execute(Client c, Command command) except -1
cdef int call_python(Client c, Command command) except -1
cdef int call(Client c, Command command) except -1
# The same in a frame with another one around it; a bug in the command ends only itself. Whether it may run was asked
# before: when it was queued, began to wait, by the master, or by the script.
cdef int call_guarded(Client c, Command command) except -1
# From a timer's turn: run a waiting client's command again. Those who wait for what it changes go on at the turn's end.
cdef int rerun(Engine engine, KeyWaiter waiter) except -1
cdef int refuse(Client c, Command command, bytes text) except -1
cdef bint is_queueing(Client c, Command command) except -1
cdef uint64_t command_flags(Client c, Command command)
