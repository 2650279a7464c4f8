# The slow log: the commands that took slowlog-log-slower-than microseconds or more, the newest slowlog-max-len of them.
#
# Durations are those of commandstats: from the last reading of the cycle counter to the one after the handler, without
# waiting (BLPOP), parsing and sending. The dispatcher looks at the log only after a command of SLOW_TICKS, which is
# well below a millisecond. Where the limit is lower than that, AFTER_SLOWLOG has it look after each command, and no two
# commands share a reading.
#
# An entry is a list as SLOWLOG GET replies it: id, seconds since the epoch, microseconds, arguments, address, name,
# number of arguments.
# Of the arguments 32 are kept, of each 128 bytes; what is cut off is counted in its place, and passwords are replaced.
# EXEC is not logged, what it runs is; nothing is while data is loaded.
# Source: https://redis.io/docs/latest/commands/slowlog-get/

from libc.stdint cimport int64_t, uint64_t

from fastredis.engine.client cimport Client
from fastredis.engine.command cimport Command
from fastredis.engine.engine cimport Engine

cdef class SlowLog:
    cdef Engine engine
    cdef object entries                 # deque, the newest first
    cdef int64_t next_id                # never starts anew
    cdef int64_t limit_us               # negative: nothing is logged
    cdef int64_t longest                # entries

    cdef int note(self, Client c, Command command, uint64_t duration) except -1
