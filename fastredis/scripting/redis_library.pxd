# `redis`: what scripts call the server by. Also under the name `server`, as Valkey has it.
#
# These functions run inside of a script, so an error of Lua may leave them by a jump (lua_api.pxd). Whatever needs
# Python is a function of the Caller, which returns before anything is raised.
# Source: https://redis.io/docs/latest/develop/interact/programmability/lua-api/

from libc.stdint cimport int64_t

from fastredis._resp cimport Arg
from fastredis.scripting.lua_api cimport lua_State
from fastredis.scripting.vm cimport Vm

cdef struct Registration:               # arguments of redis.register_function, as far as they are right in themselves
    const char* name
    size_t name_size
    const char* description             # NULL: none
    size_t description_size
    int flags                           # CODE_*
    int ref                             # of the function

cdef struct Caller:                     # who executes commands: Vm.context
    void* runs
    int resp                            # version of the replies that the script sees
    int targets                         # who gets what it changes: TO_* bits
    bint refused                        # the latest command did not run
    size_t size                         # of its arguments, bytes
    Arg* (*reserve)(void* runs, int argc) noexcept nogil     # room for so many arguments
    # Run the command whose arguments are there -> its reply; if `refused`, "-CODE message".
    const char* (*call)(void* runs, int argc) noexcept nogil
    int (*knows)(void* runs, int argc) noexcept nogil        # whether the user may run that; -1: no such command
    bint (*breakpoint)(void* runs) noexcept nogil               # stop here -> whether there is a debugger
    void (*show)(void* runs, lua_State* L) noexcept nogil       # show it the values on the stack
    void (*log)(void* runs, int level, const char* text, size_t size) noexcept nogil
    # Of FUNCTION LOAD, while that is under way:
    void* libraries                     # NULL: it is not
    int64_t deadline_us                 # when it has taken too long
    # Have a function -> NULL, or why it can't be had.
    const char* (*add_function)(void* libraries, Registration* r) noexcept nogil

cdef int open_redis(Vm* vm) except -1

# Parts of it that libraries see while they are loaded: redis.log, and constants for the table on top of the stack.
cdef int redis_log(lua_State* L) noexcept nogil
cdef int add_constants(lua_State* L) except -1
