# Watchdog: has a script that runs too long interrupted, and costs the others next to nothing.
#
#   loop     begin --- script --- end          begin --- script .............. interrupt() ......... end
#   dog            looks              looks          looks   looks: too long, lua_sethook()
#
# A count hook that is always set makes LuaJIT's interpreter count every instruction: 15 to 30 % of the time of a
# script, and 50 ns to set it and take it away. So a thread looks every tick whether the script that runs now is one
# that it has seen long ago, and sets the hook then, which LuaJIT allows at any time (its own program does it in a
# signal handler). The thread belongs to the C library and knows nothing of Python. While no scripts run, it sleeps.
#
# What both sides know is one word, the number of the run and its phase:
#
#   IDLE --begin--> RUNNING --dog--> ARMING --dog--> ARMED --hook is called--> SEEN --end--> IDLE
#                                       ^--- dog ------'^------ hook returns -----'
#
# In ARMING alone the dog has the state of Lua in hand, for some 100 ns; the loop waits for that if it happens to end
# the run just then. Setting the hook may be lost, as Lua changes the same byte while it passes an error on: what is
# ARMED and not SEEN a tick later is armed again. So a script is asked each tick, however long its instructions take:
# one of them may be a collection of all garbage. The hook changes that byte as well when it is left, so the dog waits
# until `asked` has not changed for a tick. Rejected: a signal of a timer, whose handler would belong to the whole
# process, also to one that embeds us.

from libc.stdint cimport int64_t

cdef extern from *:
    """
    typedef struct fr_watchdog fr_watchdog;
    """
    ctypedef struct Watchdog "fr_watchdog":
        pass

ctypedef void (*Alarm)(void* subject) noexcept nogil

cdef Watchdog* dog_new() except NULL
cdef void dog_free(Watchdog* dog) noexcept

# A run begins; if it takes longer than `patience_ms` the dog's thread calls alarm(subject), until it is seen.
cdef void dog_begin(Watchdog* dog, Alarm alarm, void* subject, int64_t patience_ms) noexcept nogil
# The alarm was noticed: none is raised until dog_again().
cdef void dog_seen(Watchdog* dog) noexcept nogil
# The run goes on: the next alarm is raised in a tick or two.
cdef void dog_again(Watchdog* dog) noexcept nogil
# The run ends -> whether there was an alarm.
cdef bint dog_end(Watchdog* dog) noexcept nogil
