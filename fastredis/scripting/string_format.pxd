# string.format, as Lua 5.1 has it.
#
# Our own, since LuaJIT's takes more (tables by __tostring, nil), and calls Lua functions for it: recursion that nothing
# ends before the C stack does. Strings and integers without flags, which are most, do not go through printf.
# Source: https://www.lua.org/manual/5.1/manual.html#pdf-string.format

from fastredis.scripting.lua_api cimport lua_State

cdef int string_format(lua_State* L) noexcept nogil
