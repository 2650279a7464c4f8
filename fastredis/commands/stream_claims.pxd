# What XREADGROUP has of the claims.

from libc.stdint cimport int64_t

from fastredis.commands.stream_groups cimport GroupCall
from fastredis.commands.streams cimport Budget
from fastredis.engine.client cimport Client

# Claim and reply what has been idle for so long, up to `count` entries that the budget allows, what was released and
# what has been idle longest first, without a header; how many. Each with how long it was idle, and how often it was
# delivered before.
cdef int64_t claim_oldest(Client c, GroupCall* call, int64_t min_idle, int64_t count, Budget* budget) except -1
