"""The globals of scripts. The design comment is in sandbox.pxd."""
from fastredis.scripting.base_library cimport (
    add_base, add_math, add_string, add_table, base_getmetatable, missing_global, push_proxy,
)
from fastredis.scripting.bit cimport bit_tohex, open_bit
from fastredis.scripting.chunk cimport chunk_learn
from fastredis.scripting.cjson cimport open_cjson
from fastredis.scripting.cmsgpack cimport open_cmsgpack
from fastredis.scripting.coroutines cimport add_coroutine
from fastredis.scripting.lua_api cimport (
    LUA_GLOBALSINDEX, LUA_REGISTRYINDEX, LUA_TNIL, get_field, lua, lua_CFunction, lua_pop, lua_State, set_field,
    set_function, Text,
)
from fastredis.scripting.struct_pack cimport open_struct
from fastredis.scripting.vm cimport describe_error

ctypedef void (*Opener)(lua_State* L) noexcept nogil

# What is picked from Lua's own libraries.
cdef Text[23] BASE = [
    b"_VERSION", b"assert", b"collectgarbage", b"error", b"gcinfo", b"getmetatable", b"ipairs", b"load", b"loadstring",
    b"next", b"pairs", b"pcall", b"rawequal", b"rawget", b"rawset", b"select", b"setmetatable", b"tonumber",
    b"tostring", b"type", b"unpack", b"xpcall", NULL]
cdef Text[16] STRING = [
    b"byte", b"char", b"dump", b"find", b"format", b"gmatch", b"gsub", b"len", b"lower", b"match", b"rep", b"reverse",
    b"sub", b"upper", b"gfind", NULL]
cdef Text[10] TABLE = [
    b"concat", b"foreach", b"foreachi", b"getn", b"insert", b"maxn", b"remove", b"sort", b"setn", NULL]
cdef Text[30] MATH = [
    b"abs", b"acos", b"asin", b"atan", b"atan2", b"ceil", b"cos", b"cosh", b"deg", b"exp", b"floor", b"fmod", b"frexp",
    b"huge", b"ldexp", b"log", b"log10", b"max", b"min", b"mod", b"modf", b"pi", b"pow", b"rad", b"sin", b"sinh",
    b"sqrt", b"tan", b"tanh", NULL]
cdef Text[7] COROUTINE = [b"create", b"resume", b"running", b"status", b"wrap", b"yield", NULL]
cdef Text[2] OS = [b"clock", NULL]
cdef Text[13] BIT = [
    b"arshift", b"band", b"bnot", b"bor", b"bswap", b"bxor", b"lshift", b"rol", b"ror", b"rshift", b"tobit", b"tohex",
    NULL]


cdef void open_standard(lua_State* L, lua_CFunction open, const char* name) noexcept:
    """Have Lua fill its globals with a library."""
    lua.pushcclosure(L, open, 0)
    lua.pushstring(L, name)
    lua.call(L, 1, 0)


cdef void pick(lua_State* L, const char* library, const char** names) noexcept:
    """Push a table with some of the functions of one of Lua's libraries; "": of its globals."""
    cdef int i = 0

    lua.createtable(L, 0, 32)
    lua.pushvalue(L, LUA_GLOBALSINDEX)
    if library[0]:
        get_field(L, -1, library)
        lua.remove(L, -2)
    while names[i] is not NULL:
        get_field(L, -1, names[i])
        if lua.type(L, -1) == LUA_TNIL:
            lua_pop(L, 1)
        else:
            set_field(L, -3, names[i])
        i += 1
    lua_pop(L, 1)


cdef void alias(lua_State* L, const char* name, const char* other) noexcept:
    """Names of Lua 5.0 that Redis still has: table[name] = table[other]."""
    get_field(L, -1, other)
    set_field(L, -2, name)


cdef void open_string(Vm* vm) noexcept:
    """The string library. Methods of strings are found in it without a proxy in between."""
    cdef lua_State* L = vm.L

    pick(L, b"string", STRING)
    alias(L, b"gfind", b"gmatch")
    add_string(L)
    lua.pushstring(L, b"")
    lua.getmetatable(L, -1)
    lua.pushvalue(L, -3)
    set_field(L, -2, b"__index")
    lua_pop(L, 2)
    sandbox_add(vm, b"string", NULL)


cdef void add_standard(Vm* vm) noexcept:
    """The other libraries that come with Lua."""
    cdef lua_State* L = vm.L

    pick(L, b"table", TABLE)
    add_table(L)
    sandbox_add(vm, b"table", NULL)
    pick(L, b"math", MATH)
    alias(L, b"mod", b"fmod")
    add_math(L)
    sandbox_add(vm, b"math", NULL)
    pick(L, b"coroutine", COROUTINE)
    add_coroutine(L)
    sandbox_add(vm, b"coroutine", NULL)
    pick(L, b"os", OS)
    sandbox_add(vm, b"os", NULL)
    # LuaJIT's interpreter calls its own three times as fast as a C function.
    if lua.is_jit:
        pick(L, b"bit", BIT)
        set_function(L, b"tohex", bit_tohex)
    else:
        open_bit(L)
    sandbox_add(vm, b"bit", NULL)


cdef void add_library(Vm* vm, const char* name, Opener open) noexcept:
    open(vm.L)
    sandbox_add(vm, name, NULL)


cdef void add_metatables(lua_State* L) noexcept:
    """The function getmetatable(), with the read-only tables that it shows. The globals are on top of the stack."""
    get_field(L, -1, b"_G")
    lua.createtable(L, 0, 1)
    set_function(L, b"__index", missing_global)
    push_proxy(L)
    lua.createtable(L, 0, 1)
    get_field(L, -4, b"string")
    set_field(L, -2, b"__index")
    push_proxy(L)
    lua.pushcclosure(L, base_getmetatable, 3)
    set_field(L, -2, b"getmetatable")


cdef void sandbox_open(Vm* vm) noexcept:
    cdef lua_State* L = vm.L

    chunk_learn(L)
    open_standard(L, lua.open_base, b"")
    open_standard(L, lua.open_table, b"table")
    open_standard(L, lua.open_string, b"string")
    open_standard(L, lua.open_math, b"math")
    open_standard(L, lua.open_os, b"os")
    if lua.is_jit:
        open_standard(L, lua.open_bit, b"bit")
    pick(L, b"", BASE)
    lua.createtable(L, 0, 1)
    set_function(L, b"__index", missing_global)
    lua.setmetatable(L, -2)
    lua.pushvalue(L, -1)
    vm.globals = lua.L_ref(L, LUA_REGISTRYINDEX)
    add_base(L)
    lua.pushvalue(L, -1)
    push_proxy(L)
    lua.pushvalue(L, -1)
    vm.guarded = lua.L_ref(L, LUA_REGISTRYINDEX)
    set_field(L, -2, b"_G")
    open_string(vm)
    add_standard(vm)
    add_library(vm, b"cjson", open_cjson)
    add_library(vm, b"cmsgpack", open_cmsgpack)
    add_library(vm, b"struct", open_struct)
    add_metatables(L)
    set_function(L, b"__redis__err__handler", describe_error)
    # Lua's own globals are forgotten.
    lua.replace(L, LUA_GLOBALSINDEX)


cdef void sandbox_add(Vm* vm, const char* name, const char* alias) noexcept:
    push_proxy(vm.L)
    if alias is not NULL:
        lua.pushvalue(vm.L, -1)
        sandbox_set(vm, alias)
    sandbox_set(vm, name)


cdef void sandbox_set(Vm* vm, const char* name) noexcept:
    lua.rawgeti(vm.L, LUA_REGISTRYINDEX, vm.globals)
    lua.insert(vm.L, -2)
    set_field(vm.L, -2, name)
    lua_pop(vm.L, 1)


cdef void copy_pairs(lua_State* L) noexcept:
    """Copy what is in the table on top of the stack into the one below it."""
    lua.pushnil(L)
    while lua.next(L, -2):
        lua.pushvalue(L, -2)
        lua.insert(L, -2)
        lua.rawset(L, -5)


cdef void sandbox_push_globals(Vm* vm) noexcept:
    lua.createtable(vm.L, 0, 32)
    lua.rawgeti(vm.L, LUA_REGISTRYINDEX, vm.globals)
    copy_pairs(vm.L)
    lua_pop(vm.L, 1)


cdef void sandbox_replace_globals(Vm* vm) noexcept:
    cdef lua_State* L = vm.L

    lua.rawgeti(L, LUA_REGISTRYINDEX, vm.globals)
    lua.pushnil(L)
    while lua.next(L, -2):
        lua_pop(L, 1)
        lua.pushvalue(L, -1)
        lua.pushnil(L)
        lua.rawset(L, -4)
    lua.insert(L, -2)
    copy_pairs(L)
    lua_pop(L, 2)
