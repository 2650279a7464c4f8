# Deadlines of a hash's fields: setting, taking away, working off. See hash_type.pxd.

from libc.stdint cimport int64_t, uint64_t

from fastredis.ds.alloc cimport Account
from fastredis.values.entry cimport Entry
from fastredis.values.limits cimport Limits
from fastredis.values.timed cimport DueVisit

# The soonest deadline of all fields; NO_DEADLINE: none has one.
cdef int64_t hash_soonest(const Entry* e) noexcept
# Give a field a deadline, another one, or (NO_DEADLINE) none; False: there is no such field.
cdef bint hash_set_when(Account* account, const Limits* limits, Entry* e, const char* field, size_t size,
                        uint64_t hash, int64_t when_ms) noexcept
# Remove up to `limit` fields whose deadlines are before now_ms, the soonest first; how many went. visit may be NULL.
cdef uint64_t hash_remove_due(Account* account, Entry* e, int64_t now_ms, uint64_t limit,
                              DueVisit visit, void* context) except? 0xFFFFFFFFFFFFFFFF
