# References: what groups know of an entry. A group refers to an entry that it has still to deliver, or that is pending
# in it. What is to become of references when entries are deleted is a policy:
#
#   REFS_KEEP       pending entries stay pending, as ever
#   REFS_DELETE     they are pending no more, in any group
#   REFS_NONE       only entries that no group refers to are deleted
#
# Nothing is stored for it: a group is asked in O(log n) for what is pending. Rejected: an index of the groups by entry
# (Redis has one), which costs memory for each entry that is pending and time for each that is delivered.
# Source: https://redis.io/docs/latest/commands/xdelex/

from libc.stdint cimport uint64_t

from fastredis.ds.alloc cimport Account
from fastredis.ds.id_tree cimport Id
from fastredis.values.stream_type cimport Stream, StreamTrim

cdef enum:
    REFS_KEEP = 0
    REFS_DELETE = 1
    REFS_NONE = 2

cdef bint stream_is_referenced(const Stream* s, Id id) noexcept
# It is pending in no group any more; the entry stays. Whether it was.
cdef bint stream_forget(Stream* s, Id id) noexcept
# As stream_trim(), by a policy that is not REFS_KEEP; how many went. `reached`: the first id that was not looked at,
# or the highest there can be.
cdef uint64_t stream_trim_by(Account* account, Stream* s, const StreamTrim* trim, int policy, Id* reached) noexcept
