# What Lua's own libraries do, done so that no script can change what others see.
#
# A proxy (see vm.pxd) protects a table from all that goes by the metatable. The functions here are those of Lua that
# do not: they look a table up past its metatable, write to it, or hand the metatable out. They are instead of Lua's,
# refuse to write to a proxy, and see through it when they read. So pairs(string) still lists what is in it.
#
#   since they pass the metatable by      next pairs rawget rawset getmetatable setmetatable
#                                         table.insert table.foreach table.setn
#   bytecode                              load loadstring
#   what catches errors                   pcall xpcall; and pcall gives an error's text, as in Redis
#   what would last                       collectgarbage: put right when the script ends
#   Redis's generator                     math.random math.randomseed
#   an overflow in Lua 5.1                unpack
#   more than Lua 5.1 does, in LuaJIT     string.format
#   calls itself for ever, in LuaJIT      tostring: no instruction is executed on the way, so nothing would end it
#
# In LuaJIT gsub and sort have a guard in front of them, and coroutine.create, resume and wrap are our own, for the C
# stack.
#
# What is taken from Lua as it is reads a proxy as the empty table that it is: concat, sort, remove, unpack, ipairs.

from fastredis.scripting.lua_api cimport lua_State

# Have a proxy in the place of the table on top of the stack.
cdef void push_proxy(lua_State* L) noexcept nogil

# Put functions into the table on top of the stack.
cdef void add_base(lua_State* L) noexcept nogil
cdef void add_string(lua_State* L) noexcept nogil
cdef void add_table(lua_State* L) noexcept nogil
cdef void add_math(lua_State* L) noexcept nogil

# Not among these, as it needs upvalues: _G, and read-only forms of the metatables of _G and of all strings.
cdef int base_getmetatable(lua_State* L) noexcept nogil

# __index of the globals.
cdef int missing_global(lua_State* L) noexcept nogil
