# What the commands on hashes share: setting fields, and what happens when one is found whose time has come.
#
# Such a field is hidden from all who read. Commands that look it up by name remove it on the way
# (remove_due), as Redis does; HDEL and HSET take it as it is. Where nothing may expire by itself
# (a replica, CLIENT PAUSE) it is hidden only, and those who write take it as it is.

from libc.stdint cimport int64_t

from fastredis._resp cimport Arg
from fastredis.commands.deadlines cimport is_due
from fastredis.engine.client cimport Client
from fastredis.values.entry cimport Entry
from fastredis.values.hash_ttl cimport hash_soonest
from fastredis.values.hash_type cimport FieldValue, hash_get, hash_ttl

cdef bint remove_due(Client c, Entry* e, int first, int last, int step, bint anew) except -1
cdef int64_t set_pairs(Client c, Entry* e, int first, bint keep_ttl) except -1
cdef int reply_field(Client c, Entry* e, Arg* field) except -1


cdef inline bint has_due(Client c, Entry* e) noexcept:
    """Whether the hash has fields that are due."""
    return hash_ttl(e) is not NULL and is_due(c, hash_soonest(e))


cdef inline bint find_field(const Entry* e, const Arg* field, FieldValue* found) noexcept:
    """Look a field up, due or not; False: it is not there."""
    return hash_get(e, field.ptr, field.size, field.hash, found)


cdef inline int retrack(Client c, Entry* e) except -1:
    """After deadlines of the hash may have changed, be it that a field was set or deleted."""
    return c.db.track_parts(e) if hash_ttl(e) is not NULL else 0
