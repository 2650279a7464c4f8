# What the modules of the sorted sets' commands share.

from libc.stdint cimport uint64_t

from fastredis._resp cimport Arg
from fastredis.engine.client cimport Client
from fastredis.values.zset_type cimport ZsetBuild, ZsetIter

# Reply the members that a walk will give, of which there are so many.
cdef int reply_walk(Client c, ZsetIter* it, uint64_t members, bint with_scores) except -1
# ZADD of members argv[first], argv[first + step] ... with these scores; replies.
cdef int add_members(Client c, int first, int step, int pairs, int flags, const double* scores) except -1
# Make what was built the value of a key, or delete the key when that is nothing; replies how many members.
cdef int store_build(Client c, Arg* key, ZsetBuild* build, const char* event) except -1


cdef inline int reply_members_header(Client c, uint64_t members, bint with_scores) except -1:
    """The header of an array of so many members, with a score each maybe."""
    return c.reply_array(members * 2 if with_scores and c.out.resp == 2 else members)


cdef inline int reply_scored(Client c, const char* text, size_t size, double score) except -1:
    """A member and its score: in RESP3 an array of two, in RESP2 one after the other."""
    if c.out.resp == 3:
        c.reply_array(2)
    c.reply_bulk(text, size)
    return c.reply_double(score)
