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
# Source: https://redis.io/docs/latest/develop/interact/programmability/

from fastredis._resp cimport Arg
from fastredis.engine.client cimport Client
from fastredis.engine.command cimport Command
from fastredis.engine.engine cimport Engine
from fastredis.engine.reply cimport Reply
from fastredis.scripting.lua_api cimport lua_State
from fastredis.scripting.redis_library cimport Caller
from fastredis.scripting.vm cimport Vm

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


cdef class Runs:
    cdef Engine engine
    cdef Caller caller
    cdef Arg* argv                      # of the command that a script calls
    cdef int room
    cdef bint told                      # the log says that there is no Lua

    # the run under way
    cdef Client client                  # None: there is none
    cdef Code code
    cdef Reply out                      # of its commands
    cdef bint read_only
    cdef bint wrote
    cdef bint out_of_memory             # maxmemory is passed, and nothing can be evicted

    # A Lua with all that scripts see. Errors: LuaMissing.
    cdef Vm* new_vm(self) except NULL
    # Give back the room that large commands and their replies took.
    cdef int release(self) except -1
    # Run what is in that Vm, with argv[first_key] and what follows as keys, then arguments; reply what it returns.
    cdef int run(self, Client c, Vm* vm, Code code, int first_key, int keys, bint read_only) except -1
    cdef Command command(self, int argc)
    cdef const char* execute(self, int argc) except NULL
    cdef bint may_run_or_reply(self, Client c, Code code, bint read_only) except -1
    cdef int reply_failure(self, Client c, lua_State* L) except -1


# The name of a flag, in any case -> CODE_*; 0: there is none of that name.
cdef int code_flag(const char* name, size_t size) noexcept nogil
# The names of those that are set; not of those that have none.
cdef list flag_names(int flags)
