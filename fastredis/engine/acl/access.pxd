# Access: whether a user may run one request. All who ask, ask here: the dispatcher, MULTI's queue when EXEC runs it,
# scripts, commands that waited and run again, ACL DRYRUN.
#
# What is checked, in the order of which denial is told if each selector has another one, the last first:
#
#   DENIED_DATABASE   the selected database, by commands that have keys, read, write or are of @keyspace; and databases
#                     that arguments name: SELECT, SWAPDB, MOVE, COPY ... DB; FLUSHALL needs all
#   DENIED_COMMAND    the command, or its first argument
#   DENIED_KEY        the keys that engine/keys finds, for what the command does to each
#   DENIED_CHANNEL    channels that are published to or subscribed to
#
# Keys that are not among the arguments: SORT asks may_read_all_keys() when BY or GET makes names of keys, and each
# command of a script is a request of its own.

from fastredis._resp cimport Arg
from fastredis.engine.acl.user cimport User
from fastredis.engine.client cimport Client
from fastredis.engine.command cimport Command

cpdef enum:
    ALLOWED = 0
    DENIED_DATABASE = 1
    DENIED_COMMAND = 2
    DENIED_KEY = 3
    DENIED_CHANNEL = 4
    DENIED_LOGIN = 5                    # for ACL LOG
    DENIED_CERTIFICATE = 6              # the same, by what a client's certificate names

cpdef enum:                             # where a request came from, for ACL LOG
    FROM_CLIENT = 0
    FROM_MULTI = 1
    FROM_SCRIPT = 2

# Why a user may not run a request: DENIED_*, ALLOWED. position: of the argument that is the reason.
cdef int find_denial(Client c, User user, Command command, Arg* argv, int argc, int* position) except -1
# The same for the request in a client's argv; it is logged and counted. Ask only of clients with C_LIMITED.
cdef int check_access(Client c, Command command, int context, int* position) except -1
# The text, with its code, if that request is denied; None: it is allowed.
cdef bytes refusal_of(Client c, Command command)
# Whether a user may run the client's present request and read any key there is.
cdef bint may_read_all_keys(Client c) except -1
cdef bytes denial_text(int denial, User user, Command command, bytes argument, bint in_detail)
# Whether a user may be subscribed to that.
cdef bint allows_channel(User user, bytes name, bint is_pattern) except -1
