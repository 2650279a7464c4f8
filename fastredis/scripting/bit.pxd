# The library `bit`: BitOp, on numbers as signed integers of 32 bits. For Lua 5.1; LuaJIT has nearly all of it.
# Source: https://bitop.luajit.org/semantics.html

from fastredis.scripting.lua_api cimport lua_State

# bit.tohex, which in LuaJIT gives more than eight digits.
cdef int bit_tohex(lua_State* L) noexcept nogil

# Push the library's table.
cdef void open_bit(lua_State* L) noexcept nogil
