# Run: what EVAL's scripts and FCALL's functions have in common, from the checks before one to the reply behind it.
#
#   run():   arguments --> unit_begin() --> vm_call() .............................. --> unit_end() --> reply_value()
#                                           redis.call(): argv --> execute() --> out --> push_reply()
#
# One engine has one Runs, as one script runs at a time. Each Lua that it makes (EVAL's, and those of libraries) has its
# Caller for a context. What can run is a Code: a Script (scripts.pxd), or a Function (functions.pxd).
#
# A command of a script is one of the client that runs it, in a frame inside of the unit (engine/client.pxd): its argv
# are slices of Lua's strings, its reply goes into `out` and from there into Lua values. What may not run in a script at
# all is refused here; reasons that concern the server (a read-only replica, a full disk) are the dispatcher's, as for
# any command. In the unit the clock stands still, and what the script changes is propagated between MULTI and EXEC.
#
# A run that takes longer than busy-reply-threshold has Lua call interrupt() every now and then (vm.pxd), which serves
# other clients (engine/busy.pxd). One of them may end it with SCRIPT KILL or FUNCTION KILL, as long as it has written
# nothing, or with SHUTDOWN NOSAVE, which ends the service with all that it was about to do.
# Source: https://redis.io/docs/latest/develop/interact/programmability/

from libc.stdint cimport int64_t, uint64_t

from fastredis._resp cimport Arg
from fastredis.engine.client cimport Client, Frame
from fastredis.engine.command cimport Command
from fastredis.engine.engine cimport Engine
from fastredis.engine.keyspace cimport Database
from fastredis.engine.reply cimport Reply
from fastredis.scripting.lua_api cimport lua_Debug, lua_State
from fastredis.scripting.redis_library cimport Caller
from fastredis.scripting.vm cimport Vm
from fastredis.scripting.watchdog cimport Watchdog

cdef enum:                              # Code.flags
    CODE_DECLARES = 1 << 0              # its flags are checked before it runs, not command by command: it has a shebang
    CODE_NO_WRITES = 1 << 1
    CODE_ALLOW_OOM = 1 << 2
    CODE_ALLOW_STALE = 1 << 3
    CODE_NO_CLUSTER = 1 << 4
    CODE_CROSS_SLOT = 1 << 5
    CODE_FUNCTION = 1 << 6              # it gets keys and arguments as two tables, not as KEYS and ARGV


cdef class Code:
    cdef readonly bytes name            # as errors have it: SHA-1 in small letters, or the function's name
    cdef readonly int flags
    cdef int ref                        # of its function, in the Vm


cdef class Tracer:
    """Who looks on while a script runs: the debugger (debugger.pxd)."""
    cdef const char* line(self, lua_State* L, lua_Debug* ar) noexcept   # as Trace (vm.pxd) has it
    cdef bint breakpoint(self) except -1
    cdef int show(self, lua_State* L) except -1             # the values on the stack
    cdef int called(self, Arg* argv, int argc) except -1    # a command is about to run
    cdef int replied(self, const char* reply) except -1     # ... and has replied that, or (-CODE message) did not run


cdef class Runs:
    cdef Engine engine
    cdef Caller caller
    cdef Arg* argv                      # of the command that a script calls
    cdef int room
    cdef bint told                      # the log says that there is no Lua
    cdef Watchdog* dog                  # of all Luas; NULL: there is none, or no thread for it
    cdef public bint allows_all         # DEBUG SET-DISABLE-DENY-SCRIPTS: also commands that are not for scripts
    cdef int64_t patience_ms            # busy-reply-threshold; 0: a run may take as long as it likes

    cdef Tracer tracer                  # of the next run; None: nobody
    cdef readonly set sessions          # process ids of forked debuggers

    # the run under way
    cdef Client client                  # None: there is none
    cdef Arg* call                      # the EVAL or FCALL
    cdef int call_argc
    cdef Code code
    cdef Reply out                      # of its commands
    cdef bint read_only
    cdef bint wrote
    cdef bint out_of_memory             # maxmemory is passed, and nothing can be evicted
    cdef uint64_t start                 # when it began, in ticks of the cycle counter
    cdef bint slow                      # it takes too long: others are served in it
    cdef bytes obstacle                 # why its latest command was refused, if the server was the reason
    cdef const char* verdict            # the error that ends it; NULL: it goes on

    # A Lua with all that scripts see. Errors: LuaMissing.
    cdef Vm* new_vm(self) except NULL
    # Give back the room that large commands and their replies took.
    cdef int release(self) except -1
    # Run what is in that Vm, with argv[first_key] and what follows as keys, then arguments; reply what it returns.
    cdef int run(self, Client c, Vm* vm, Code code, int first_key, int keys, bint read_only) except -1
    cdef Command command(self, int argc)
    cdef const char* execute(self, int argc) except NULL
    cdef bint is_denied(self, Command command, int argc) except -1
    cdef int knows(self, int argc) except -2
    cdef bint is_barred(self, Command command) except -1
    cdef const char* refuse(self, void* command, const char* text) except NULL
    cdef bint may_run_or_reply(self, Client c, Code code, bint read_only) except -1
    cdef int reply_failure(self, Client c, lua_State* L) except -1
    cdef const char* interrupt(self) noexcept
    cdef bint is_slow(self) except -1
    # SCRIPT KILL, FUNCTION KILL: end the run under way; OK, or why not.
    cdef int kill_or_reply(self, Client c, bint function) except -1
    # Call a function in Python as one: its commands go through execute(), with arguments in reserved(). What it returns
    # or raises; None also when it may not run, which is replied then, and *ran is False.
    cdef object run_python(self, Client c, Code code, object function, bint read_only, bint* ran)
    cdef Arg* reserved(self, int argc) noexcept
    cdef int begin(self, Client c, Frame* outer, Code code, bint read_only) except -1
    cdef int end(self, Client c, Frame* outer, Database db) except -1
    cdef bint is_allowed_or_reply(self, Client c, Code code, bint read_only) except -1


# Show the command that is about to run a script to MONITOR, before what that does.
cdef int show_call(Client c) except -1

# argv[2]: how many of the arguments behind it are keys. not_integer: the error when it is no number.
cdef bint get_keys_or_reply(Client c, int* keys, const char* not_integer) except -1

# The name of a flag, in any case -> CODE_*; 0: there is none of that name.
cdef int code_flag(const char* name, size_t size) noexcept nogil
# The names of those that are set; not of those that have none.
cdef list flag_names(int flags)
