# What the modules of the sorted sets' commands share.

from libc.stdint cimport uint64_t

from fastredis._client cimport Client
from fastredis._resp cimport Arg
from fastredis.values.zset_type cimport ZsetBuild, ZsetIter

# Reply the members that a walk will give, of which there are so many.
cdef int reply_walk(Client c, ZsetIter* it, uint64_t members, bint with_scores) except -1
# Make what was built the value of a key, or delete the key when that is nothing; replies how many members.
cdef int store_build(Client c, Arg* key, ZsetBuild* build, const char* event) except -1
