# Scripts: one Lua for EVAL, the scripts that it knows, and the run under way.
#
#   by_sha    sha1 (40 hexadecimal digits) -> Script { text, flags, ref ------> function in the Vm's registry }
#   by_eval   those of them that only an EVAL brought, the one that was used longest ago first: at most MOST_CACHED
#
#   run():   KEYS, ARGV --> unit_begin() --> vm_call() .............................. --> unit_end() --> reply_value()
#                                            redis.call(): argv --> execute() --> out --> push_reply()
#
# A command of a script is one of the client that runs it, in a frame inside of the unit (engine/client.pxd): its argv
# are slices of Lua's strings, its reply goes into `out` and from there into Lua values. What may not run in a script at
# all is refused here; reasons that concern the server (a read-only replica, a full disk) are the dispatcher's, as for
# any command. In the unit the clock stands still, and what the script changes is propagated between MULTI and EXEC.
#
# The Vm is made by the first script. SCRIPT FLUSH drops it with all that scripts have left in it.
# What a script does not return from is not ended yet: there is no SCRIPT KILL.
# Source: https://redis.io/docs/latest/develop/interact/programmability/eval-intro/

from libc.stdint cimport int64_t

from fastredis._resp cimport Arg
from fastredis.engine.client cimport Client
from fastredis.engine.command cimport Command
from fastredis.engine.engine cimport Engine
from fastredis.engine.reply cimport Reply
from fastredis.scripting.lua_api cimport lua_State
from fastredis.scripting.redis_library cimport Caller
from fastredis.scripting.vm cimport Vm

cdef enum:                              # Script.flags: those of its shebang
    SCRIPT_SHEBANG = 1 << 0             # it has one: its flags are checked before it runs, not command by command
    SCRIPT_NO_WRITES = 1 << 1
    SCRIPT_ALLOW_OOM = 1 << 2
    SCRIPT_ALLOW_STALE = 1 << 3
    SCRIPT_NO_CLUSTER = 1 << 4
    SCRIPT_CROSS_SLOT = 1 << 5


cdef class Script:
    cdef readonly bytes sha             # in small letters
    cdef bytes text
    cdef int flags
    cdef int ref                        # of its function, in the Vm


cdef class Scripts:
    cdef Engine engine
    cdef Vm* vm                         # NULL until the first script
    cdef dict by_sha
    cdef object by_eval                 # OrderedDict: sha -> None
    cdef readonly int64_t evicted
    cdef readonly int64_t text_bytes    # of used_memory, what the texts take
    cdef Caller caller
    cdef Arg* argv                      # of the command that a script calls
    cdef int room

    # the run under way
    cdef Client client                  # None: there is none
    cdef Script script
    cdef Reply out                      # of its commands
    cdef bint read_only
    cdef bint wrote
    cdef bint out_of_memory             # maxmemory is passed, and nothing can be evicted

    cdef Script find(self, const char* sha, size_t size)
    # A script's text, compiled and kept; replies the error if it can't be. by_eval: it may be forgotten again.
    cdef Script load_or_reply(self, Client c, const char* text, size_t size, bint by_eval)
    cdef int run(self, Client c, Script script, int first_key, int keys, bint read_only) except -1
    cdef int flush(self) except -1
    cdef bint ready_or_reply(self, Client c) except -1
    cdef Command command(self, int argc)
    cdef const char* execute(self, int argc) except NULL
    cdef bint may_run_or_reply(self, Client c, Script script, bint read_only) except -1
    cdef int reply_failure(self, Client c, lua_State* L) except -1
    cdef int forget(self, bytes sha) except -1
