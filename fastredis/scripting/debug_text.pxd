# What the debugger shows of Lua's values and of replies, as text.

from fastredis.scripting.lua_api cimport lua_State

# The value on top of the stack, which stays there.
cdef bytes value_text(lua_State* L, int level)
# A reply in protocol.
cdef bytes reply_as_text(const char* reply)
