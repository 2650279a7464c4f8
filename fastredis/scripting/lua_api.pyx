"""Finding a Lua and its functions. The design comment is in lua_api.pxd.

LuaMissing says why there is none. FASTREDIS_LUA=lua51 in the environment takes Lua 5.1 where there are both, for tests.
"""
import importlib.machinery
import importlib.util
import os

CANDIDATES = ("luajit21", "lua51")

cdef extern from * nogil:
    """
    #include <dlfcn.h>

    /* Whether a library may have its own names first. AddressSanitizer forbids it, musl has not got it. */
    #if defined(RTLD_DEEPBIND) && !defined(__SANITIZE_ADDRESS__)
    #define FR_OWN_NAMES RTLD_DEEPBIND
    #else
    #define FR_OWN_NAMES 0
    #endif
    """
    int OWN_NAMES "FR_OWN_NAMES"

cdef extern from "<dlfcn.h>" nogil:
    enum:
        RTLD_NOW
        RTLD_LOCAL
    void* RTLD_DEFAULT
    void* dlopen(const char* path, int flags)
    void* dlsym(void* library, const char* name)
    char* dlerror()
    int dlclose(void* library)


class LuaMissing(Exception):
    """There is no Lua to run scripts with; the text says what was looked for and what was wrong with it."""


cdef struct Library:
    void* handle
    const char* missing             # the first function that it has not; NULL: it has all


cdef void* library = NULL           # what `lua` is from; never closed


cdef void find(Library* found, const char* name, void* slot) noexcept:
    """Have a function that every Lua 5.1 has in its slot."""
    (<void**>slot)[0] = dlsym(found.handle, name)
    if (<void**>slot)[0] is NULL and found.missing is NULL:
        found.missing = name


cdef void find_values(Library* found, Api* api) noexcept:
    """Functions on the stack and what is on it."""
    find(found, b"lua_gettop", &api.gettop)
    find(found, b"lua_settop", &api.settop)
    find(found, b"lua_pushvalue", &api.pushvalue)
    find(found, b"lua_remove", &api.remove)
    find(found, b"lua_insert", &api.insert)
    find(found, b"lua_replace", &api.replace)
    find(found, b"lua_checkstack", &api.checkstack)
    find(found, b"lua_type", &api.type)
    find(found, b"lua_typename", &api.typename)
    find(found, b"lua_isnumber", &api.isnumber)
    find(found, b"lua_isstring", &api.isstring)
    find(found, b"lua_tonumber", &api.tonumber)
    find(found, b"lua_toboolean", &api.toboolean)
    find(found, b"lua_tolstring", &api.tolstring)
    find(found, b"lua_iscfunction", &api.iscfunction)
    find(found, b"lua_tothread", &api.tothread)
    find(found, b"lua_touserdata", &api.touserdata)
    find(found, b"lua_topointer", &api.topointer)
    find(found, b"lua_objlen", &api.objlen)
    find(found, b"lua_pushnil", &api.pushnil)
    find(found, b"lua_pushnumber", &api.pushnumber)
    find(found, b"lua_pushinteger", &api.pushinteger)
    find(found, b"lua_pushboolean", &api.pushboolean)
    find(found, b"lua_pushlightuserdata", &api.pushlightuserdata)
    find(found, b"lua_pushlstring", &api.pushlstring)
    find(found, b"lua_pushstring", &api.pushstring)
    find(found, b"lua_pushfstring", &api.pushfstring)
    find(found, b"lua_pushcclosure", &api.pushcclosure)
    find(found, b"lua_concat", &api.concat)


cdef void find_machine(Library* found, Api* api) noexcept:
    """Functions on states, tables and calls."""
    find(found, b"lua_newstate", &api.newstate)
    find(found, b"lua_close", &api.close)
    find(found, b"lua_atpanic", &api.atpanic)
    find(found, b"lua_getallocf", &api.getallocf)
    find(found, b"lua_gc", &api.gc)
    find(found, b"lua_sethook", &api.sethook)
    find(found, b"lua_createtable", &api.createtable)
    find(found, b"lua_newuserdata", &api.newuserdata)
    find(found, b"lua_rawget", &api.rawget)
    find(found, b"lua_rawgeti", &api.rawgeti)
    find(found, b"lua_rawset", &api.rawset)
    find(found, b"lua_rawseti", &api.rawseti)
    find(found, b"lua_getmetatable", &api.getmetatable)
    find(found, b"lua_setmetatable", &api.setmetatable)
    find(found, b"lua_setfenv", &api.setfenv)
    find(found, b"lua_next", &api.next)
    find(found, b"lua_call", &api.call)
    find(found, b"lua_pcall", &api.pcall)
    find(found, b"lua_error", &api.error)
    find(found, b"lua_newthread", &api.newthread)
    find(found, b"lua_resume", &api.resume)
    find(found, b"lua_status", &api.status)
    find(found, b"lua_xmove", &api.xmove)
    find(found, b"lua_load", &api.load)
    find(found, b"lua_dump", &api.dump)
    find(found, b"lua_getstack", &api.getstack)
    find(found, b"lua_getinfo", &api.getinfo)
    find(found, b"lua_getlocal", &api.getlocal)


cdef void find_auxiliary(Library* found, Api* api) noexcept:
    """The auxiliary library, and the functions that open the others."""
    find(found, b"luaL_loadbuffer", &api.L_loadbuffer)
    find(found, b"luaL_ref", &api.L_ref)
    find(found, b"luaL_unref", &api.L_unref)
    find(found, b"luaL_where", &api.L_where)
    find(found, b"luaL_error", &api.L_error)
    find(found, b"luaL_argerror", &api.L_argerror)
    find(found, b"luaL_typerror", &api.L_typerror)
    find(found, b"luaL_checkany", &api.L_checkany)
    find(found, b"luaL_checktype", &api.L_checktype)
    find(found, b"luaL_checknumber", &api.L_checknumber)
    find(found, b"luaL_checkinteger", &api.L_checkinteger)
    find(found, b"luaL_optinteger", &api.L_optinteger)
    find(found, b"luaL_checklstring", &api.L_checklstring)
    find(found, b"luaL_optlstring", &api.L_optlstring)
    find(found, b"luaL_checkoption", &api.L_checkoption)
    find(found, b"luaL_checkstack", &api.L_checkstack)
    find(found, b"luaL_getmetafield", &api.L_getmetafield)
    find(found, b"luaopen_base", &api.open_base)
    find(found, b"luaopen_table", &api.open_table)
    find(found, b"luaopen_string", &api.open_string)
    find(found, b"luaopen_math", &api.open_math)
    find(found, b"luaopen_os", &api.open_os)


cdef void* no_memory(void* ud, void* block, size_t old_size, size_t new_size) noexcept nogil:
    """An allocator that has none."""
    (<int*>ud)[0] += 1
    return NULL


cdef bint takes_allocator(Api* api) noexcept:
    """Whether a state gets its memory from us. LuaJIT without GC64 says no, and has its own."""
    cdef int asked = 0

    api.newstate(no_memory, &asked)
    return asked != 0


cdef bint is_hidden(void* handle) noexcept:
    """Whether a Lua that somebody has loaded for all to use is in the way: this one would call that."""
    cdef void* other = dlsym(RTLD_DEFAULT, b"lua_newstate")

    return not OWN_NAMES and other is not NULL and other != dlsym(handle, b"lua_newstate")


cdef str take(path):
    """Fill `lua` from a file. "", or what is wrong with it."""
    global library, lua
    cdef Library found
    cdef Api api
    cdef bytes name = os.fsencode(path)

    found.handle = dlopen(name, RTLD_NOW | RTLD_LOCAL | OWN_NAMES)
    found.missing = NULL
    if found.handle is NULL:
        return dlerror().decode(errors="replace")
    find_values(&found, &api)
    find_machine(&found, &api)
    find_auxiliary(&found, &api)
    api.jit_setmode = <int (*)(lua_State*, int, int) noexcept nogil>dlsym(found.handle, b"luaJIT_setmode")
    api.open_bit = <lua_CFunction>dlsym(found.handle, b"luaopen_bit")
    api.is_jit = api.jit_setmode is not NULL
    wrong = ""
    if found.missing is not NULL:
        wrong = f"it has no {found.missing.decode()}"
    elif is_hidden(found.handle):
        wrong = "another Lua in this process hides it"
    elif not takes_allocator(&api):
        wrong = "it takes no allocator"
    if wrong:
        dlclose(found.handle)
        return wrong
    lua = api
    library = found.handle
    return ""


def find_library(name):
    """The file of one of lupa's modules, or None; neither lupa nor the module is imported."""
    package = importlib.util.find_spec("lupa")
    if package is None or package.submodule_search_locations is None:
        return None
    module = importlib.machinery.PathFinder.find_spec(f"lupa.{name}", package.submodule_search_locations)
    return module.origin if module else None


def load() -> str:
    """Fill `lua`, once -> "LuaJIT" or "Lua 5.1". Errors: LuaMissing."""
    if library is NULL:
        wrong = []
        for name in CANDIDATES:
            if os.environ.get("FASTREDIS_LUA", name) != name:
                continue
            try:
                path = find_library(name)
                reason = take(path) if path else "it is not installed"
            except OSError as error:                # no descriptor is left: later, perhaps
                reason = error.strerror or str(error)
            if not reason:
                break
            wrong.append(f"lupa.{name}: {reason}")
        else:
            raise LuaMissing("scripts need the package lupa: " + "; ".join(wrong))
    return "LuaJIT" if lua.is_jit else "Lua 5.1"
