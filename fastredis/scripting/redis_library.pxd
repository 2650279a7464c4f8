# `redis`: what scripts call the server by. Also under the name `server`, as Valkey has it.
#
# These functions run inside of a script, so an error of Lua may leave them by a jump (lua_api.pxd). Whatever needs
# Python is a function of the Caller, which returns before anything is raised.
# Source: https://redis.io/docs/latest/develop/interact/programmability/lua-api/

from fastredis._resp cimport Arg
from fastredis.scripting.vm cimport Vm

cdef struct Caller:                     # who executes commands: Vm.context
    void* scripts
    int resp                            # version of the replies that the script sees
    bint refused                        # the latest command did not run
    Arg* (*reserve)(void* scripts, int argc) noexcept nogil     # room for so many arguments
    # Run the command whose arguments are there -> its reply; if `refused`, "-CODE message".
    const char* (*call)(void* scripts, int argc) noexcept nogil
    bint (*knows)(void* scripts, int argc) noexcept nogil       # whether there is such a command
    void (*log)(void* scripts, int level, const char* text, size_t size) noexcept nogil

cdef int open_redis(Vm* vm) except -1
