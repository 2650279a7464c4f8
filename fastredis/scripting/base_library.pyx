"""Functions of Lua that are our own. The design comment is in base_library.pxd."""
from libc.math cimport M_PI, floor
from libc.stdint cimport INT32_MAX, int32_t, int64_t, uint64_t
from libc.string cimport strlen

from fastredis.scripting.chunk cimport chunk_load, chunk_load_pieces
from fastredis.scripting.lua_api cimport (
    LUA_GCCOUNT, LUA_GCCOUNTB, LUA_MULTRET, LUA_OK, LUA_TFUNCTION, LUA_TNIL, LUA_TSTRING,
    LUA_TTABLE, get_field, lua, lua_pop, set_field, set_function, upvalue_index, Text,
)
from fastredis.scripting.string_format cimport string_format
from fastredis.scripting.vm cimport MAX_PROXIES, Vm, is_deep, is_proxy, push_text, vm_give_up, vm_of

cdef enum:
    MOST_UNPACKED = 8000            # slots of the stack that a C function may have
    RANDOM_BASE = 0x330E            # the lowest bits of a seed
    RANDOM_ADDEND = 0xB
    FIRST_SEED = 0x1234ABCD

cdef uint64_t RANDOM_FACTOR = 0x5DEECE66D
cdef uint64_t RANDOM_MASK = (<uint64_t>1 << 48) - 1
cdef const char* READONLY = b"Attempt to modify a readonly table"


# ---------------------------------------------------------------- proxies

cdef int refuse_assignment(lua_State* L) noexcept nogil:
    """__newindex of a proxy: the error names the place in the script, as errors of Lua do."""
    return lua.L_error(L, b"%s", READONLY)


cdef int refuse_change(lua_State* L) noexcept nogil:
    """From a function that changes tables: the error names no place."""
    lua.pushstring(L, READONLY)
    return lua.error(L)


cdef void push_proxy(lua_State* L) noexcept nogil:
    cdef Vm* vm = vm_of(L)

    if vm.proxy_count == MAX_PROXIES:
        vm_give_up(b"too many libraries for scripts:", MAX_PROXIES)
    lua.createtable(L, 0, 0)
    lua.createtable(L, 0, 2)
    lua.pushvalue(L, -3)
    set_field(L, -2, b"__index")
    set_function(L, b"__newindex", refuse_assignment)
    lua.setmetatable(L, -2)
    vm.proxies[vm.proxy_count] = lua.topointer(L, -1)
    vm.proxy_count += 1
    lua.remove(L, -2)


cdef inline bint is_guarded(lua_State* L, int index) noexcept nogil:
    """Whether a value is a proxy."""
    return is_proxy(vm_of(L), lua.topointer(L, index))


cdef void see_through(lua_State* L, int index) noexcept nogil:
    """Have the table that a proxy stands for in its place, to read from it; others stay."""
    if is_guarded(L, index):
        lua.getmetatable(L, index)
        get_field(L, -1, b"__index")
        lua.replace(L, index)
        lua_pop(L, 1)


cdef int missing_global(lua_State* L) noexcept nogil:
    if lua.gettop(L) != 2:
        return lua.L_error(L, b"Wrong number of arguments to luaProtectedTableError")
    if not lua.isstring(L, 2):
        return lua.L_error(L, b"Second argument to luaProtectedTableError must be a string or number")
    return lua.L_error(L, b"Script attempted to access nonexistent global variable '%s'", lua.tolstring(L, 2, NULL))


# ---------------------------------------------------------------- depth

cdef int refuse_depth(lua_State* L) noexcept nogil:
    lua.pushstring(L, b"C stack overflow")
    return lua.error(L)


cdef int check_depth(lua_State* L) noexcept nogil:
    return refuse_depth(L) if is_deep(vm_of(L)) else 0


# Called by LuaJIT in the place of one of its functions. As f() is called last, it comes into the place of this
# function: errors name the line of the script, and the function as it is called there.
cdef const char* GUARD = b"local check, f = ... return function(...) check() return f(...) end"


cdef void guard(lua_State* L, const char* name) noexcept nogil:
    """Have the depth of the C stack checked before the function of that name in the table on top of the stack."""
    if not lua.is_jit:
        return
    lua.L_loadbuffer(L, GUARD, strlen(GUARD), b"=guard")
    lua.pushcclosure(L, check_depth, 0)
    get_field(L, -3, name)
    lua.call(L, 2, 1)
    set_field(L, -2, name)


# ---------------------------------------------------------------- tables

cdef int base_next(lua_State* L) noexcept nogil:
    lua.L_checktype(L, 1, LUA_TTABLE)
    lua.settop(L, 2)
    see_through(L, 1)
    if lua.next(L, 1):
        return 2
    lua.pushnil(L)
    return 1


cdef int base_pairs(lua_State* L) noexcept nogil:
    """Upvalues: Lua's own `next`, for which its interpreter has a loop of its own, and ours."""
    lua.L_checktype(L, 1, LUA_TTABLE)
    lua.pushvalue(L, upvalue_index(2 if is_guarded(L, 1) else 1))
    lua.pushvalue(L, 1)
    lua.pushnil(L)
    return 3


cdef int base_tostring(lua_State* L) noexcept nogil:
    lua.L_checkany(L, 1)
    if lua.L_getmetafield(L, 1, b"__tostring"):
        if is_deep(vm_of(L)):
            return refuse_depth(L)
        lua.pushvalue(L, 1)
        lua.call(L, 1, 1)
    else:
        push_text(L, 1, lua.type(L, 1))
    return 1


cdef int base_rawget(lua_State* L) noexcept nogil:
    lua.L_checktype(L, 1, LUA_TTABLE)
    lua.L_checkany(L, 2)
    lua.settop(L, 2)
    see_through(L, 1)
    lua.rawget(L, 1)
    return 1


cdef int base_rawset(lua_State* L) noexcept nogil:
    lua.L_checktype(L, 1, LUA_TTABLE)
    lua.L_checkany(L, 2)
    lua.L_checkany(L, 3)
    lua.settop(L, 3)
    if is_guarded(L, 1):
        return refuse_change(L)
    lua.rawset(L, 1)
    return 1


cdef int base_getmetatable(lua_State* L) noexcept nogil:
    """Upvalues: _G, and read-only forms of its metatable and of that of all strings."""
    lua.L_checkany(L, 1)
    if lua.type(L, 1) == LUA_TSTRING:
        lua.pushvalue(L, upvalue_index(3))
    elif is_guarded(L, 1):
        if lua.topointer(L, 1) == lua.topointer(L, upvalue_index(1)):
            lua.pushvalue(L, upvalue_index(2))
        else:
            lua.pushnil(L)
    elif not lua.getmetatable(L, 1):
        lua.pushnil(L)
    else:
        get_field(L, -1, b"__metatable")
        if lua.type(L, -1) == LUA_TNIL:
            lua_pop(L, 1)
    return 1


cdef int base_setmetatable(lua_State* L) noexcept nogil:
    cdef int type = lua.type(L, 2)

    lua.L_checktype(L, 1, LUA_TTABLE)
    if type != LUA_TNIL and type != LUA_TTABLE:
        return lua.L_argerror(L, 2, b"nil or table expected")
    if is_guarded(L, 1):
        return refuse_change(L)
    if lua.L_getmetafield(L, 1, b"__metatable"):
        return lua.L_error(L, b"cannot change a protected metatable")
    lua.settop(L, 2)
    lua.setmetatable(L, 1)
    return 1


cdef int table_insert(lua_State* L) noexcept nogil:
    cdef int end, at, i

    lua.L_checktype(L, 1, LUA_TTABLE)
    end = <int>lua.objlen(L, 1) + 1
    at = end
    if lua.gettop(L) == 3:
        at = <int>lua.L_checkinteger(L, 2)
    elif lua.gettop(L) != 2:
        return lua.L_error(L, b"wrong number of arguments to 'insert'")
    if is_guarded(L, 1):
        return refuse_change(L)
    for i in range(max(at, end), at, -1):
        lua.rawgeti(L, 1, i - 1)
        lua.rawseti(L, 1, i)
    lua.rawseti(L, 1, at)
    return 0


cdef int table_foreach(lua_State* L) noexcept nogil:
    lua.L_checktype(L, 1, LUA_TTABLE)
    lua.L_checktype(L, 2, LUA_TFUNCTION)
    check_depth(L)
    see_through(L, 1)
    lua.settop(L, 2)
    lua.pushnil(L)
    while lua.next(L, 1):
        lua.pushvalue(L, 2)
        lua.pushvalue(L, -3)
        lua.pushvalue(L, -3)
        lua.call(L, 2, 1)
        if lua.type(L, -1) != LUA_TNIL:
            return 1
        lua_pop(L, 2)
    return 0


cdef int table_setn(lua_State* L) noexcept nogil:
    lua.L_checktype(L, 1, LUA_TTABLE)
    return lua.L_error(L, b"'setn' is obsolete")


cdef int base_unpack(lua_State* L) noexcept nogil:
    """For Lua 5.1, whose own overflows (CVE-2025-46817)."""
    cdef int64_t first, last, n

    lua.L_checktype(L, 1, LUA_TTABLE)
    first = lua.L_optinteger(L, 2, 1)
    last = lua.L_checkinteger(L, 3) if lua.type(L, 3) > LUA_TNIL else <int64_t>lua.objlen(L, 1)
    if first != <int32_t>first or last != <int32_t>last:
        return lua.L_error(L, b"too many results to unpack")
    n = last - first + 1
    if n <= 0:
        return 0
    if n >= MOST_UNPACKED or not lua.checkstack(L, <int>n):
        return lua.L_error(L, b"too many results to unpack")
    for i in range(first, last + 1):
        lua.rawgeti(L, 1, <int>i)
    return <int>n


# ---------------------------------------------------------------- calls and chunks

cdef int loaded(lua_State* L, int status) noexcept nogil:
    """The function on the stack, or nil and the message."""
    if status == LUA_OK:
        return 1
    if vm_of(L).killed:
        return lua.error(L)
    lua.pushnil(L)
    lua.insert(L, -2)
    return 2


cdef int base_loadstring(lua_State* L) noexcept nogil:
    cdef size_t size
    cdef const char* text = lua.L_checklstring(L, 1, &size)

    return loaded(L, chunk_load(L, text, size, lua.L_optlstring(L, 2, text, NULL)))


cdef int base_load(lua_State* L) noexcept nogil:
    lua.L_checktype(L, 1, LUA_TFUNCTION)
    if lua.type(L, 2) <= LUA_TNIL:
        lua.settop(L, 1)
        lua.pushstring(L, b"=(load)")
    lua.L_checklstring(L, 2, NULL)
    check_depth(L)
    lua.settop(L, 3)
    return loaded(L, chunk_load_pieces(L, lua.tolstring(L, 2, NULL)))


cdef int base_pcall(lua_State* L) noexcept nogil:
    """Redis's: an error that is a table with an `err` is given as that text, as before there were such tables."""
    check_depth(L)
    lua.pushboolean(L, True)
    if lua.gettop(L) == 1:
        lua.pushboolean(L, True)        # nothing to call: the error speaks of a boolean, as in Redis
    lua.insert(L, 1)
    if lua.pcall(L, lua.gettop(L) - 2, LUA_MULTRET, 0):
        if vm_of(L).killed:
            return lua.error(L)
        lua.remove(L, 1)
        if lua.type(L, -1) == LUA_TTABLE:
            get_field(L, -1, b"err")
            if lua.isstring(L, -1):
                lua.replace(L, -2)
        lua.pushboolean(L, False)
        lua.insert(L, 1)
    return lua.gettop(L)


cdef int handle_error(lua_State* L) noexcept nogil:
    """Call the handler that xpcall() was given, the upvalue; but not because the script is killed."""
    if vm_of(L).killed:
        return 1
    lua.settop(L, 1)
    lua.pushvalue(L, upvalue_index(1))
    lua.insert(L, 1)
    lua.call(L, 1, 1)
    return 1


cdef int base_xpcall(lua_State* L) noexcept nogil:
    cdef int status

    lua.L_checkany(L, 2)
    check_depth(L)
    lua.settop(L, 2)
    lua.pushcclosure(L, handle_error, 1)
    lua.insert(L, 1)
    status = lua.pcall(L, 0, LUA_MULTRET, 1)
    if status and vm_of(L).killed:
        return lua.error(L)
    lua.pushboolean(L, status == LUA_OK)
    lua.replace(L, 1)
    return lua.gettop(L)


cdef Text[8] GC_OPTIONS = [
    b"stop", b"restart", b"collect", b"count", b"step", b"setpause", b"setstepmul", NULL]
cdef int[7] GC_CODES = [0, 1, 2, 3, 5, 6, 7]


cdef int base_collectgarbage(lua_State* L) noexcept nogil:
    """What it sets holds until the script ends."""
    cdef int code = GC_CODES[lua.L_checkoption(L, 1, b"collect", GC_OPTIONS)]
    cdef int argument = <int>lua.L_optinteger(L, 2, 0)
    cdef int result

    vm_of(L).collector_touched = True
    result = lua.gc(L, code, argument)
    if code == LUA_GCCOUNT:
        lua.pushnumber(L, result + lua.gc(L, LUA_GCCOUNTB, 0) / 1024.0)
    elif code == 5:
        lua.pushboolean(L, result)
    else:
        lua.pushnumber(L, result)
    return 1


# ---------------------------------------------------------------- random numbers

# Redis's generator is drand48's: 48 bits, x = x * 0x5DEECE66D + 11, the upper 31 bits of them. It is begun with the
# same number in every server and is not seeded anew for a script.
# Source: https://pubs.opengroup.org/onlinepubs/9699919799/functions/drand48.html

cdef double next_random(Vm* vm) noexcept nogil:
    """A number from 0 to below 1."""
    vm.random = (vm.random * RANDOM_FACTOR + RANDOM_ADDEND) & RANDOM_MASK
    return <double>((vm.random >> 17) % INT32_MAX) / INT32_MAX


cdef void seed_random(Vm* vm, int32_t seed) noexcept nogil:
    vm.random = <uint64_t><unsigned int>seed << 16 | RANDOM_BASE


cdef int math_random(lua_State* L) noexcept nogil:
    cdef double r = next_random(vm_of(L))
    cdef int low = 1, high, arguments = lua.gettop(L)

    if arguments == 0:
        lua.pushnumber(L, r)
        return 1
    if arguments > 2:
        return lua.L_error(L, b"wrong number of arguments")
    if arguments == 2:
        low = <int>lua.L_checkinteger(L, 1)
    high = <int>lua.L_checkinteger(L, arguments)
    if low > high:
        return lua.L_argerror(L, arguments, b"interval is empty")
    # As in Redis, whose int wraps around where an interval is larger than it holds.
    lua.pushnumber(L, floor(r * (<int32_t>(<unsigned int>high - <unsigned int>low + 1))) + low)
    return 1


cdef int math_randomseed(lua_State* L) noexcept nogil:
    seed_random(vm_of(L), <int32_t>lua.L_checkinteger(L, 1))
    return 0


cdef int math_deg(lua_State* L) noexcept nogil:
    lua.pushnumber(L, lua.L_checknumber(L, 1) / (M_PI / 180))
    return 1


cdef int math_rad(lua_State* L) noexcept nogil:
    lua.pushnumber(L, lua.L_checknumber(L, 1) * (M_PI / 180))
    return 1


# ---------------------------------------------------------------- lists of functions

cdef void add_base(lua_State* L) noexcept nogil:
    """Put the functions of `base` in their places; those of Lua are in the table."""
    get_field(L, -1, b"next")
    lua.pushcclosure(L, base_next, 0)
    lua.pushvalue(L, -1)
    set_field(L, -4, b"next")
    lua.pushcclosure(L, base_pairs, 2)
    set_field(L, -2, b"pairs")
    set_function(L, b"rawget", base_rawget)
    set_function(L, b"rawset", base_rawset)
    set_function(L, b"setmetatable", base_setmetatable)
    set_function(L, b"tostring", base_tostring)
    set_function(L, b"load", base_load)
    set_function(L, b"loadstring", base_loadstring)
    set_function(L, b"pcall", base_pcall)
    set_function(L, b"xpcall", base_xpcall)
    set_function(L, b"collectgarbage", base_collectgarbage)
    if not lua.is_jit:
        set_function(L, b"unpack", base_unpack)


cdef void add_table(lua_State* L) noexcept nogil:
    set_function(L, b"insert", table_insert)
    set_function(L, b"foreach", table_foreach)
    set_function(L, b"setn", table_setn)
    guard(L, b"sort")


cdef void add_string(lua_State* L) noexcept nogil:
    set_function(L, b"format", string_format)
    guard(L, b"gsub")


cdef void add_math(lua_State* L) noexcept nogil:
    """Seeds the generator, too."""
    seed_random(vm_of(L), FIRST_SEED)
    set_function(L, b"random", math_random)
    set_function(L, b"randomseed", math_randomseed)
    set_function(L, b"deg", math_deg)
    set_function(L, b"rad", math_rad)
