# cjson.encode. The design comment is in cjson.pxd.

from fastredis.scripting.lua_api cimport lua_State

cdef int json_encode(lua_State* L) noexcept nogil
