# Replies and Lua values: what redis.call() returns to a script, and what a script returns to its client.
#
#   protocol   +OK        :1       $1 a     $-1      *2 ...     %1 ...       (RESP3 after redis.setresp(3))
#   Lua        {ok=}      1        "a"      false    {.., ..}   {map={}}
#
# The first direction runs inside of a script, where an error of Lua may leave by a jump: it touches no Python object.
# The second one runs when the script is over.
# Source: https://redis.io/docs/latest/develop/interact/programmability/lua-api/#data-type-conversion

from fastredis.engine.client cimport Client
from fastredis.scripting.lua_api cimport lua_State

# Push the value of a reply; returns where it ends. The protocol is our own: it is whole.
cdef const char* push_reply(lua_State* L, const char* p) noexcept nogil

# Reply the value on top of the stack, and take it. resp: the version that the script has chosen.
cdef int reply_value(Client c, lua_State* L, int resp) except -1

# Reply an error. counted: errorstats has it already; all the same the command under way has failed.
cdef int reply_error(Client c, bytes text, bint counted) except -1
