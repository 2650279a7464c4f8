# Errands: a command that waits for something outside of the server (MIGRATE), done by a coroutine of its own.
#
#   MIGRATE --> run_errand(client, work)         the client waits, all others are served
#      ^              |  a task: work.run(errand)
#      +--------------+  errand.go_on()          the command runs again, and finds its errand in Client.blocked
#
# The command runs as often as there is something to do with the data; each run is of one moment, like any command's. It
# ends by replying, or waits on by errand.wait(). Between its runs the keys that it is about are kept as they are:
#
# - hold(keys): a command that names one of them and may write waits for the end, as for that of a COPY (GATE_COPYING).
# - What changes them all the same (their time, eviction, FLUSHALL, a script, a client that was blocked) is seen
#   as WATCH sees it, and changed(key) tells.
#
# It ends even if its client is gone by then, as in Redis, where a command that was read is executed. Who answers the
# client first (a change of role) ends it, and the task sees that (Errand.is_over).
# Rejected: looking at whether the value is the same as before (of a table it takes long, and the order may differ).

from fastredis.engine.blocking cimport KeyWaiter


cdef class Errand(KeyWaiter):
    cdef readonly object work           # what the command has to remember; run(errand), a coroutine
    cdef object task
    cdef list held                      # keys, bytes; None: none
    cdef dict watched                   # key -> KeyWatch: its places in the lines of Database.watchers
    cdef dict watches
