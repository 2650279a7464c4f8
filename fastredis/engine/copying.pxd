# COPY of a big value: made in slices, so that nobody else waits for it.
#
#   COPY src dst --> CopyWaiter { copy, argv }     the client waits
#                      |    a slice of work (engine/slices), then all others have their turn, and so on
#                      v
#                    the copy is whole: COPY runs again, finds it, and puts it in its place
#
# So all of COPY's effects, its checks of the destination among them, are of one moment, its end, and
# it is propagated as it came. For that the source has to be the same from the beginning to the end:
#
# - A command that names the source and may write waits for the end of the copy (GATE_COPYING), as if
#   it had come after a COPY that takes no time.
# - What changes the source all the same (its time, eviction, SWAPDB, FLUSHALL, a script, the master)
#   makes the copy worthless; we hear of it by Database.before_change(). COPY then runs again: there may
#   be nothing to copy any more. Else it begins anew, and the last of MOST_TRIES times copies at once.
#
# It ends even if its client is gone by then, as in Redis, where a COPY that was read is executed.
# Rejected: finishing the copy at once when the source is about to change (that is the pause that was
# to be avoided, and the destination cannot be set in the midst of another command).

from fastredis._resp cimport Arg
from fastredis.engine.client cimport Client
from fastredis.engine.engine cimport Engine
from fastredis.values.entry cimport Entry

# For COPY's handler: a copy of an entry under another key, without a TTL. NULL: the client waits for it now, and the
# handler will run again.
cdef Entry* copied(Client c, Entry* e, Arg* key) except? NULL

# Whether a client's command can wait for something while others are served.
cdef bint may_wait(Client c) noexcept
# For others who need keys as they are for a while: commands that may write wait when they name one of these, in
# whatever database, until it is let go as often as it was held.
cdef int hold_names(Engine engine, list names) except -1
cdef int let_go_names(Engine engine, list names) except -1
