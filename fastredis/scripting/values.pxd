# Errors as Lua has them in Redis: tables {err = "CODE message", source = "@user_script", line = 1}, and what of `redis`
# needs no engine.

from libc.stdint cimport int64_t

from fastredis.scripting.lua_api cimport lua_State

# What is known about an error; text is NULL where there is none, and lies on the Lua stack.
cdef struct ErrorInfo:
    const char* text            # code and message
    size_t size
    const char* source          # "@user_script"
    const char* line            # a number, in digits
    bint counted                # errorstats has it already: ignore_error_stats_update

# Push the table of an error. The text is "-CODE message", or only a message: then the code is ERR. It ends at the first
# NUL, and loses CR and LF at its ends.
cdef void push_error(lua_State* L, const char* text, size_t size) noexcept nogil

# Read the error at an index counted from the bottom. Pushes three values, which `info` points into.
cdef void read_error(lua_State* L, int index, ErrorInfo* info) noexcept nogil

# redis.error_reply, status_reply and sha1hex.
cdef int redis_error_reply(lua_State* L) noexcept nogil
cdef int redis_status_reply(lua_State* L) noexcept nogil
cdef int redis_sha1hex(lua_State* L) noexcept nogil
