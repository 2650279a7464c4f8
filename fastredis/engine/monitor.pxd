# Monitors: clients that are shown every command after it ran.
#
#   +1700000000.123456 [0 127.0.0.1:50000] "SET" "k" "a\x00\"\r\n"
#     seconds.us        db address         arguments, quoted as redis-cli does
#
# The dispatcher calls show() while AFTER_MONITOR is set, so that nobody pays while nobody looks on.
# A line is formatted once; its bytes are appended to the inbox of each monitor and leave at the end
# of the turn. Not shown: what was refused, what is flagged ADMIN or SKIP_MONITOR, what runs while data
# is loaded, and a command that had to wait and runs again. Passwords are replaced.
# Source: https://redis.io/docs/latest/commands/monitor/

from fastredis.engine.client cimport Client
from fastredis.engine.engine cimport Engine
from fastredis.engine.reply cimport Reply


cdef class Monitors:
    cdef Engine engine
    cdef dict clients                   # client -> None, in the order of MONITOR
    cdef Reply line                     # the one under way

    cdef int add(self, Client c) except -1
    cdef int show(self, Client c) except -1
    cdef int put_head(self, Client c) except -1


# Which arguments of the client's last command are secret: set of indices into argv; None: none is.
cdef set secret_args(Client c)
