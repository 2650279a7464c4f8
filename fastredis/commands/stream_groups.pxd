# What commands on groups share: finding a group, making consumers, and the effects that tell of what is pending.
#
# What a group hands out is propagated as in Redis: XCLAIM for each entry, which makes the consumer as well, and XGROUP
# SETID for how far the group has read. A consumer that was made and got nothing is propagated by itself.
#
# What was released by XNACK is told by XNACK FORCE with the number of its deliveries.
#
# Changes of groups are no changes of the key to those who watch it, as in Redis.

from libc.stdint cimport int64_t

from fastredis._resp cimport Arg
from fastredis.ds.id_tree cimport Id
from fastredis.engine.client cimport Client
from fastredis.values.stream_group cimport Consumer, Group
from fastredis.values.stream_type cimport Stream

cdef struct GroupCall:                  # a command's view of a group
    Arg* key
    Arg* name                           # of the group
    Stream* s                           # NULL: there is no such key
    Group* group                        # NULL: there is no such group
    Consumer* consumer                  # NULL until use_consumer()
    bint untold                         # the consumer is new, and its making has still to be propagated

# Look the group up, to be changed; False: an error is replied, as the key is of another type.
cdef bint find_group(Client c, GroupCall* call, Arg* key, Arg* name) except -1
cdef int no_group(Client c, GroupCall* call, bytes end) except -1       # the error: there is no such key or group
cdef int no_group_of_key(Client c, GroupCall* call) except -1           # ... there is such a key
cdef bytes shown(Arg* a)                # an argument in an error: a zero byte ends it
cdef bint misused(Client c) except -1   # reply that a subcommand has other arguments than it takes; False
cdef int64_t latest(int64_t now_ms, int64_t min_idle) noexcept  # when what has been idle for so long was delivered
# Have the consumer of that name, which is made if there is none, and was seen now.
cdef int use_consumer(Client c, GroupCall* call, Arg* name) except -1
# Entries go to the consumer: what is pending by that id is its own from now on.
cdef int give(Client c, GroupCall* call, Id id, int64_t time_ms, int64_t deliveries) except -1
# Something may be idle now for whom it was not before: those who wait for that look again.
cdef int wake_claimers(Client c, GroupCall* call) except -1
# --- effects
cdef int claim_effect(Client c, GroupCall* call, Id id) except -1       # what is pending by this id
cdef int release_effect(Client c, GroupCall* call, Id id) except -1     # what is nobody's by this id
cdef int drop_effect(Client c, GroupCall* call, Id id) except -1        # what is pending by this id goes
cdef int position_effect(Client c, GroupCall* call) except -1           # how far the group has read
cdef int consumer_effect(Client c, GroupCall* call) except -1           # the consumer, if no claim has told of it
