# coroutine.create, resume and wrap. LuaJIT's own call coroutines out of coroutines until there is no C stack left, and
# would catch the error by which a script is ended.

from fastredis.scripting.lua_api cimport lua_State

# Put them into the library on top of the stack.
cdef void add_coroutine(lua_State* L) noexcept nogil
