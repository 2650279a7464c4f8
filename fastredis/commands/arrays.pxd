# What the commands on arrays share.

from libc.stdint cimport int64_t, uint64_t

from fastredis.engine.client cimport Client
from fastredis.values.array_type cimport Array

# The array argv[1], NULL without a key; found: False if there is something else, and WRONGTYPE is replied.
cdef Array* array_to_read(Client c, bint* found) except? NULL
# The index argv[i], below 2^64 - 1; False: the error is replied.
cdef bint index_or_reply(Client c, int i, uint64_t* index) except -1
# The argument of LIMIT, above 0.
cdef bint limit_or_reply(Client c, int i, int64_t* limit) except -1
# An integer; one that does not fit 63 bits is a big number, or text in RESP2.
cdef int reply_index(Client c, uint64_t index) except -1
cdef int reply_word(Client c, uint64_t word) except -1      # its text; 0: null
