# What Lua's own libraries do, done so that no script can change what others see.
#
# A proxy (see vm.pxd) protects a table from all that goes by the metatable. The functions here are those of Lua that
# do not: they look a table up past its metatable, write to it, or hand the metatable out. They are instead of Lua's,
# refuse to write to a proxy, and see through it when they read. So pairs(string) still lists what is in it.
#
#   replaced               next pairs rawget rawset getmetatable setmetatable
#                          table.insert table.foreach table.setn
#   replaced for other     load loadstring (no bytecode) collectgarbage (put right after the run) pcall (Redis: an error
#   reasons                is its text) math.random math.randomseed (Redis's generator) unpack (Lua 5.1: an overflow)
#
# What is taken from Lua as it is reads a proxy as the empty table that it is: concat, sort, remove, unpack, ipairs.

from fastredis.scripting.lua_api cimport lua_State

# Have a proxy in the place of the table on top of the stack.
cdef void push_proxy(lua_State* L) noexcept nogil

# Put functions into the table on top of the stack.
cdef void add_base(lua_State* L) noexcept nogil
cdef void add_table(lua_State* L) noexcept nogil
cdef void add_math(lua_State* L) noexcept nogil

# Not among these, as it needs upvalues: _G, and read-only forms of the metatables of _G and of all strings.
cdef int base_getmetatable(lua_State* L) noexcept nogil

# __index of the globals.
cdef int missing_global(lua_State* L) noexcept nogil
