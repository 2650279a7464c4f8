# The command log: three lists of commands, the newest entries of each.
#
#   slow            took slowlog-log-slower-than microseconds or more; SLOWLOG is about these
#   large-request   came in commandlog-request-larger-than bytes of protocol or more
#   large-reply     was answered with commandlog-reply-larger-than bytes of protocol or more
#
# Durations are those of commandstats: from the last reading of the cycle counter to the one after the handler, without
# waiting (BLPOP), parsing and sending. The dispatcher looks at the log only after a command of SLOW_TICKS, which is
# well below a millisecond. Where the limit is lower than that, AFTER_SLOWLOG has it look after each command, and no two
# commands share a reading.
#
# How large a reply is is compared at the end of each command with `large_reply`. How large a request was is known of
# those that a connection has received, and only if all that came with it is that large: AFTER_LARGE is set for such a
# batch. So what EXEC, scripts, and a program beside the engine run is no large request, as nothing was received for it.
#
# An entry is a list as SLOWLOG GET replies it: id, seconds since the epoch, microseconds or bytes, arguments, address,
# name, number of arguments.
# Of the arguments 32 are kept, of each 128 bytes; what is cut off is counted in its place, and passwords are replaced.
# EXEC is not logged, what it runs is; nothing is while data is loaded.
# Source: https://redis.io/docs/latest/commands/slowlog-get/, https://valkey.io/commands/commandlog-get/

from libc.stdint cimport int64_t, uint64_t

from fastredis.engine.client cimport Client
from fastredis.engine.command cimport Command
from fastredis.engine.engine cimport Engine


cdef class Log:
    cdef object entries                 # deque, the newest first
    cdef int64_t next_id                # never starts anew
    cdef int64_t limit                  # microseconds or bytes; negative: nothing is logged
    cdef int64_t longest                # entries

    cdef bint wants(self, int64_t value) noexcept
    cdef int add(self, Client c, int64_t value) except -1


cdef class CommandLog:
    cdef Engine engine
    cdef readonly Log slow
    cdef readonly Log requests          # large ones
    cdef readonly Log replies
    cdef int64_t large_request          # bytes from which on a request is logged; INT64_MAX: none is
    cdef int64_t large_reply            # ... a reply

    cdef int note(self, Client c, Command command, uint64_t duration, int64_t reply_bytes) except -1
