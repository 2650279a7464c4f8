"""redis.register_function, and the globals of FUNCTION LOAD. The design comment is in function_library.pxd.

The arguments of register_function stay on the stack until all of them are right: an error leaves nothing behind.
"""
from libc.string cimport memset

from fastredis.scripting.base_library cimport missing_global, push_proxy
from fastredis.scripting.lua_api cimport (
    LUA_REGISTRYINDEX, LUA_TFUNCTION, LUA_TNIL, LUA_TNUMBER, LUA_TSTRING, LUA_TTABLE, lua, lua_pop, lua_State,
    set_field, set_function, upvalue_index,
)
from fastredis.scripting.redis_library cimport Caller, Registration, add_constants, redis_log
from fastredis.scripting.run cimport code_flag
from fastredis.scripting.values cimport push_error
from fastredis.scripting.vm cimport vm_of

cdef extern from "<strings.h>" nogil:
    int strcasecmp(const char* one, const char* other)


cdef int fail(lua_State* L, const char* text) noexcept nogil:
    """Raise an error; %s in it is what the script calls the server by, the upvalue."""
    cdef size_t size

    lua.pushfstring(L, text, lua.tolstring(L, upvalue_index(1), NULL))
    text = lua.tolstring(L, -1, &size)
    push_error(L, text, size)
    return lua.error(L)


cdef inline bint is_text(lua_State* L, int index) noexcept nogil:
    """Whether a value is a string, or a number, which becomes one."""
    return lua.isstring(L, index)


cdef const char* read_flags(lua_State* L, int* flags) noexcept nogil:
    """The flags in the table on top of the stack -> NULL, or what is wrong."""
    cdef const char* name
    cdef size_t size
    cdef int flag = 0, i = 1

    if lua.type(L, -1) != LUA_TTABLE:
        return b"flags argument to %s.register_function must be a table representing function flags"
    while True:
        lua.rawgeti(L, -1, i)
        if lua.type(L, -1) == LUA_TNIL:
            lua_pop(L, 1)
            return NULL
        name = lua.tolstring(L, -1, &size)
        flag = code_flag(name, size) if name is not NULL else 0
        lua_pop(L, 1)
        if flag == 0:
            return b"unknown flag given"
        flags[0] |= flag
        i += 1


cdef const char* read_named(lua_State* L, Registration* r) noexcept nogil:
    """One argument, a table -> NULL, or what is wrong. The function is in slot 2 then, name and description in 3, 4."""
    cdef const char* key
    cdef const char* problem

    lua.settop(L, 4)
    lua.pushnil(L)
    while lua.next(L, 1):
        if lua.type(L, 5) == LUA_TNUMBER:
            return b"unknown argument given to %s.register_function"
        if lua.type(L, 5) != LUA_TSTRING:
            return b"named argument key given to %s.register_function is not a string"
        key = lua.tolstring(L, 5, NULL)
        if strcasecmp(key, b"function_name") == 0:
            if not is_text(L, 6):
                return b"function_name argument given to %s.register_function must be a string"
            lua.replace(L, 3)
        elif strcasecmp(key, b"description") == 0:
            if not is_text(L, 6):
                return b"description argument given to %s.register_function must be a string"
            lua.replace(L, 4)
        elif strcasecmp(key, b"callback") == 0:
            if lua.type(L, 6) != LUA_TFUNCTION:
                return b"callback argument given to %s.register_function must be a function"
            lua.replace(L, 2)
        elif strcasecmp(key, b"flags") == 0:
            problem = read_flags(L, &r.flags)
            if problem is not NULL:
                return problem
            lua_pop(L, 1)
        else:
            return b"unknown argument given to %s.register_function"
    if lua.type(L, 3) == LUA_TNIL:
        return b"%s.register_function must get a function name argument"
    if lua.type(L, 2) == LUA_TNIL:
        return b"%s.register_function must get a callback argument"
    r.name = lua.tolstring(L, 3, &r.name_size)
    r.description = lua.tolstring(L, 4, &r.description_size)
    return NULL


cdef const char* read_registration(lua_State* L, Registration* r) noexcept nogil:
    """The arguments of register_function -> NULL, or what is wrong. The function is in slot 2 then."""
    cdef int arguments = lua.gettop(L)

    if arguments < 1 or arguments > 2:
        return b"wrong number of arguments to %s.register_function"
    if arguments == 1:
        if lua.type(L, 1) != LUA_TTABLE:
            return (b"calling %s.register_function with a single argument is only applicable to Lua table "
                    b"(representing named arguments).")
        return read_named(L, r)
    if not is_text(L, 1):
        return b"first argument to %s.register_function must be a string"
    if lua.type(L, 2) != LUA_TFUNCTION:
        return b"second argument to %s.register_function must be a function"
    r.name = lua.tolstring(L, 1, &r.name_size)
    return NULL


cdef int redis_register_function(lua_State* L) noexcept nogil:
    """redis.register_function(name, function), or {function_name=, callback=, flags={}, description=}."""
    cdef Caller* caller = <Caller*>vm_of(L).context
    cdef Registration r
    cdef const char* problem

    if caller.libraries is NULL:
        return fail(L, b"%s.register_function can only be called on FUNCTION LOAD command")
    memset(&r, 0, sizeof(Registration))
    problem = read_registration(L, &r)
    if problem is not NULL:
        return fail(L, problem)
    lua.pushvalue(L, 2)
    r.ref = lua.L_ref(L, LUA_REGISTRYINDEX)
    problem = caller.add_function(caller.libraries, &r)
    if problem is not NULL:
        lua.L_unref(L, LUA_REGISTRYINDEX, r.ref)
        return fail(L, problem)
    return 0


cdef int add_alias(lua_State* L, const char* name) except -1:
    """Put what a library calls the server by into the table on top of the stack."""
    lua.createtable(L, 0, 10)
    lua.pushstring(L, name)
    lua.pushcclosure(L, redis_register_function, 1)
    set_field(L, -2, b"register_function")
    set_function(L, b"log", redis_log)
    add_constants(L)
    lua.createtable(L, 0, 1)
    set_function(L, b"__index", missing_global)
    lua.setmetatable(L, -2)
    push_proxy(L)
    set_field(L, -2, name)
    return 0


cdef int library_globals(Vm* vm) except -1:
    lua.createtable(vm.L, 0, 2)
    add_alias(vm.L, b"redis")
    add_alias(vm.L, b"server")          # as in Valkey
    return lua.L_ref(vm.L, LUA_REGISTRYINDEX)
