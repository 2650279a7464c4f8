"""The functions of `redis`. The design comment is in redis_library.pxd."""
from libc.math cimport floor
from libc.stdint cimport int64_t
from libc.string cimport strlen

from fastredis.ds.numbers cimport DOUBLE_TEXT, format_double, format_int64
from fastredis.engine.engine cimport TO_ALL, TO_REPLICAS
from fastredis.scripting.lua_api cimport (
    LUA_TNUMBER, LUA_TSTRING, lua, lua_State, set_field, set_function,
)
from fastredis.scripting.replies cimport push_reply
from fastredis.scripting.sandbox cimport sandbox_add
from fastredis.scripting.values cimport push_error, redis_error_reply, redis_sha1hex, redis_status_reply
from fastredis.scripting.vm cimport vm_of

from fastredis import REDIS_VERSION

cdef enum:
    LEVELS = 4                      # of the log: debug, verbose, notice, warning

cdef const char* NO_ARGUMENTS = b"Please specify at least one argument for this redis lib call"
cdef const char* BAD_ARGUMENTS = b"Lua redis lib command arguments must be strings or integers"


cdef int fail(lua_State* L, const char* text) noexcept nogil:
    """Raise an error of a library function."""
    push_error(L, text, strlen(text))
    return lua.error(L)


cdef inline Caller* caller_of(lua_State* L) noexcept nogil:
    return <Caller*>vm_of(L).context


cdef const char* take_arguments(lua_State* L, Caller* caller) noexcept nogil:
    """Have the arguments on the stack as a command's; NULL, or what is wrong with them. Numbers become text there."""
    cdef char[DOUBLE_TEXT] digits
    cdef int argc = lua.gettop(L)
    cdef Arg* argv
    cdef double n
    cdef int i, kind

    if argc == 0:
        return NO_ARGUMENTS
    for i in range(argc):
        kind = lua.type(L, i + 1)
        if kind == LUA_TNUMBER:
            n = lua.tonumber(L, i + 1)
            if floor(n) == n and -1e17 < n < 1e17:
                lua.pushlstring(L, digits, format_int64(digits, <int64_t>n))
            else:
                lua.pushlstring(L, digits, format_double(digits, n))
            lua.replace(L, i + 1)
        elif kind != LUA_TSTRING:
            return BAD_ARGUMENTS
    argv = caller.reserve(caller.runs, argc)
    caller.size = 0
    for i in range(argc):
        argv[i].ptr = lua.tolstring(L, i + 1, &argv[i].size)
        argv[i].hash = 0
        caller.size += argv[i].size
    return NULL


cdef int call_command(lua_State* L, bint raises) noexcept nogil:
    """redis.call and redis.pcall: the command's reply as a Lua value, an error raised or returned as a table."""
    cdef Caller* caller = caller_of(L)
    cdef const char* reply = take_arguments(L, caller)
    cdef bint refused = reply is not NULL
    cdef bint known = False             # errorstats has it

    if not refused:
        reply = caller.call(caller.runs, lua.gettop(L))
        refused = known = caller.refused
        lua.settop(L, 0)                # room for the reply: the arguments may have taken all that there is
    if refused:
        push_error(L, reply, strlen(reply))
        if known:
            lua.pushboolean(L, True)
            set_field(L, -2, b"ignore_error_stats_update")
    else:
        push_reply(L, reply)
    return lua.error(L) if raises and (refused or reply[0] == c"-") else 1


cdef int redis_call(lua_State* L) noexcept nogil:
    return call_command(L, True)


cdef int redis_pcall(lua_State* L) noexcept nogil:
    return call_command(L, False)


cdef int redis_log(lua_State* L) noexcept nogil:
    cdef int argc = lua.gettop(L)
    cdef const char* text
    cdef size_t size
    cdef double level
    cdef int i

    if argc < 2:
        return fail(L, b"redis.log() requires two arguments or more.")
    if not lua.isnumber(L, 1):
        return fail(L, b"First argument must be a number (log level).")
    level = lua.tonumber(L, 1)
    if not 0 <= level < LEVELS:
        return fail(L, b"Invalid debug level.")
    lua.pushstring(L, b"")
    for i in range(2, argc + 1):
        if lua.isstring(L, i):
            if i > 2:
                lua.pushstring(L, b" ")
                lua.concat(L, 2)
            lua.pushvalue(L, i)
            lua.concat(L, 2)
    text = lua.tolstring(L, -1, &size)
    caller_of(L).log(caller_of(L).runs, <int>level, text, size)
    return 0


cdef int redis_setresp(lua_State* L) noexcept nogil:
    cdef double version

    if lua.gettop(L) != 1:
        return fail(L, b"redis.setresp() requires one argument.")
    version = lua.tonumber(L, 1)
    if version != 2 and version != 3:
        return fail(L, b"RESP version must be 2 or 3.")
    caller_of(L).resp = <int>version
    return 0


cdef int redis_set_repl(lua_State* L) noexcept nogil:
    cdef double targets

    if lua.gettop(L) != 1:
        return fail(L, b"redis.set_repl() requires one argument.")
    targets = lua.tonumber(L, 1)
    if not -1 < targets < TO_ALL + 1:
        return fail(L, b"Invalid replication flags. Use REPL_AOF, REPL_REPLICA, REPL_ALL or REPL_NONE.")
    caller_of(L).targets = <int>targets
    return 0


cdef int redis_breakpoint(lua_State* L) noexcept nogil:
    """Have the debugger stop before the next line -> whether there is one."""
    lua.pushboolean(L, caller_of(L).breakpoint(caller_of(L).runs))
    return 1


cdef int redis_debug(lua_State* L) noexcept nogil:
    """Have the debugger show values."""
    caller_of(L).show(caller_of(L).runs, L)
    return 0


cdef int redis_acl_check_cmd(lua_State* L) noexcept nogil:
    """Whether the client's user may run a command with these arguments."""
    cdef Caller* caller = caller_of(L)
    cdef const char* problem = take_arguments(L, caller)
    cdef int allowed

    if problem is not NULL:
        return fail(L, problem)
    allowed = caller.knows(caller.runs, lua.gettop(L))
    if allowed < 0:
        return fail(L, b"Invalid command passed to redis.acl_check_cmd()")
    lua.pushboolean(L, allowed)
    return 1


cdef int redis_replicate_commands(lua_State* L) noexcept nogil:
    """What scripts do is always replicated by its effects."""
    lua.pushboolean(L, 1)
    return 1


cdef void set_number(lua_State* L, const char* name, double value) noexcept:
    lua.pushnumber(L, value)
    set_field(L, -2, name)


cdef int add_constants(lua_State* L) except -1:
    cdef bytes version = REDIS_VERSION.encode()
    cdef bytes name
    cdef int i

    for i, name in enumerate((b"LOG_DEBUG", b"LOG_VERBOSE", b"LOG_NOTICE", b"LOG_WARNING")):
        set_number(L, name, i)
    lua.pushlstring(L, version, len(version))
    set_field(L, -2, b"REDIS_VERSION")
    major, minor, patch = map(int, REDIS_VERSION.split("."))
    set_number(L, b"REDIS_VERSION_NUM", major << 16 | minor << 8 | patch)
    return 0


cdef int open_redis(Vm* vm) except -1:
    cdef lua_State* L = vm.L
    cdef bytes name
    cdef int i

    lua.createtable(L, 0, 30)
    set_function(L, b"call", redis_call)
    set_function(L, b"pcall", redis_pcall)
    set_function(L, b"error_reply", redis_error_reply)
    set_function(L, b"status_reply", redis_status_reply)
    set_function(L, b"sha1hex", redis_sha1hex)
    set_function(L, b"log", redis_log)
    set_function(L, b"setresp", redis_setresp)
    set_function(L, b"acl_check_cmd", redis_acl_check_cmd)
    set_function(L, b"replicate_commands", redis_replicate_commands)
    set_function(L, b"set_repl", redis_set_repl)
    set_function(L, b"breakpoint", redis_breakpoint)
    set_function(L, b"debug", redis_debug)
    for i, name in enumerate((b"REPL_NONE", b"REPL_AOF", b"REPL_REPLICA", b"REPL_ALL")):
        set_number(L, name, i)
    set_number(L, b"REPL_SLAVE", TO_REPLICAS)
    add_constants(L)
    sandbox_add(vm, b"redis", b"server")
    return 0
