# HOTKEYS: which keys cost most, by the time of commands and by bytes of requests and replies.
#
# While a session is under way the dispatcher calls note() after each command (AFTER_HOTKEYS); at other times nobody
# pays. The time of a command, and the bytes of its request (as the protocol has it) and of its reply, are parted evenly
# among its keys. Commands of scripts count in the EVAL or FCALL that runs them, for its keys; those of an EXEC for
# themselves. One of `ratio` commands is looked at, by chance.
#
#   cost     { key: sum }   at most 2 * FOLLOWED keys; then the FOLLOWED greatest sums stay, the others begin anew
#
# So memory is bounded, a sum may be too low but never too high, and what is hot stays. Keys of more than LONGEST_KEY
# bytes are not followed. A session ends by itself when its time is over, which the first look after that finds out.
# Rejected: a sketch of hashes (HeavyKeeper), which needs less memory than we have to spare for a session of minutes.
# Source: https://redis.io/docs/latest/commands/hotkeys-start/

from libc.stdint cimport int64_t, uint64_t

from fastredis.engine.client cimport Client
from fastredis.engine.command cimport Command
from fastredis.engine.engine cimport Engine


cdef class HotKeys:
    cdef Engine engine
    cdef readonly bint active
    cdef readonly bint started          # there is a session, active or stopped
    cdef readonly int64_t ratio
    cdef readonly int64_t count         # keys that are shown of each kind
    cdef readonly int64_t started_ms
    cdef readonly int64_t ended_ms      # when it was stopped, or will end; INT64_MAX: it goes on until it is stopped
    cdef dict by_ticks                  # key -> ticks of the cycle counter; None: not asked for
    cdef dict by_bytes                  # key -> bytes; None: not asked for
    cdef uint64_t all_ticks             # of all commands, sampled or not
    cdef int64_t all_bytes
    cdef int64_t net_bytes              # of the engine when the session began; of the session when it has ended
    cdef double user_s                  # the same of the process's time
    cdef double system_s
    cdef uint64_t own_ticks             # spent here, in note()

    cdef int note(self, Client c, Command command, uint64_t passed, int64_t reply_bytes) except -1
    cdef int count_keys(self, Client c, Command command, uint64_t passed, int64_t bytes_moved) except -1
    cdef int end(self, int64_t when_ms) except -1
