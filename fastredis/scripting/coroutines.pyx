"""coroutine.create, resume and wrap. The design comment is in coroutines.pxd."""
from fastredis.scripting.lua_api cimport (
    LUA_OK, LUA_TFUNCTION, LUA_YIELD, lua, lua_Debug, set_function, upvalue_index,
)
from fastredis.scripting.vm cimport is_deep, vm_of


cdef const char* why_not(lua_State* L, lua_State* co) noexcept nogil:
    """What a coroutine is that can't be resumed; NULL: it can."""
    cdef lua_Debug ar
    cdef int status

    if L == co:
        return b"running"
    status = lua.status(co)
    if status == LUA_YIELD:
        return NULL
    if status != LUA_OK:
        return b"dead"
    if lua.getstack(co, 0, &ar):
        return b"normal"
    if lua.gettop(co) == 0:
        return b"dead"
    return NULL


cdef int resume(lua_State* L, lua_State* co, int arguments) noexcept nogil:
    """Resume with the arguments on top of the stack -> how many results there are; -1: an error, on the stack."""
    cdef const char* reason
    cdef int results, status

    if not lua.checkstack(co, arguments):
        return lua.L_error(L, b"too many arguments to resume")
    reason = why_not(L, co)
    if reason is not NULL:
        lua.pushfstring(L, b"cannot resume %s coroutine", reason)
        return -1
    if is_deep(vm_of(L)):
        lua.pushstring(L, b"C stack overflow")
        return -1
    lua.xmove(L, co, arguments)
    status = lua.resume(co, arguments)
    if status != LUA_OK and status != LUA_YIELD:
        lua.xmove(co, L, 1)
        return lua.error(L) if vm_of(L).killed else -1
    results = lua.gettop(co)
    if not lua.checkstack(L, results + 1):
        return lua.L_error(L, b"too many results to resume")
    lua.xmove(co, L, results)
    return results


cdef int coroutine_resume(lua_State* L) noexcept nogil:
    cdef lua_State* co = lua.tothread(L, 1)
    cdef int results

    if co is NULL:
        return lua.L_argerror(L, 1, b"coroutine expected")
    results = resume(L, co, lua.gettop(L) - 1)
    lua.pushboolean(L, results >= 0)
    results = results if results >= 0 else 1
    lua.insert(L, -results - 1)
    return results + 1


cdef int resume_wrapped(lua_State* L) noexcept nogil:
    """What wrap() returns; the coroutine is its upvalue."""
    cdef int results = resume(L, lua.tothread(L, upvalue_index(1)), lua.gettop(L))

    if results >= 0:
        return results
    if lua.isstring(L, -1):
        lua.L_where(L, 1)
        lua.insert(L, -2)
        lua.concat(L, 2)
    return lua.error(L)


cdef int coroutine_create(lua_State* L) noexcept nogil:
    cdef lua_State* co

    if lua.type(L, 1) != LUA_TFUNCTION or lua.iscfunction(L, 1):
        return lua.L_argerror(L, 1, b"Lua function expected")
    co = lua.newthread(L)
    lua.pushvalue(L, 1)
    lua.xmove(L, co, 1)
    return 1


cdef int coroutine_wrap(lua_State* L) noexcept nogil:
    coroutine_create(L)
    lua.pushcclosure(L, resume_wrapped, 1)
    return 1


cdef void add_coroutine(lua_State* L) noexcept nogil:
    set_function(L, b"create", coroutine_create)
    set_function(L, b"resume", coroutine_resume)
    set_function(L, b"wrap", coroutine_wrap)
