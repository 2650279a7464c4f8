# Returns: `return f(x)` becomes `return (f(x))` where LuaJIT would forget in which line of a script an error happened.
#
# LuaJIT puts a function that is called last in the place of its caller, also one written in C. So when redis.call() in
#
#     return redis.call("INCR", KEYS[1])
#
# fails, nothing is left of the script's line, which Redis (in whose Lua functions in C do not do that) has in its
# reply: "... script: <sha>, on @user_script:1." With the parentheses it is an ordinary call. They also cut what it
# returns down to one value, so they are put only
#
# - outside of all functions: EVAL takes one value anyway;
# - in functions, around error, redis.call, string.format and the like, which never return or return one, if no variable
#   has that name.
#
# And `arg`, which Redis's Lua has in functions with `...` for a parameter, is put at the beginning of these, if its
# name is in them: a table of what `...` stands for, or nil where the body has `...` itself.
#
# The text is read as Lua reads it, token by token; if anything is odd (a string without an end, too many levels) it is
# left alone, and Lua says what is wrong. Lines stay lines. Not for load() and loadstring(), whose callers may want all
# values; nor for Lua 5.1.
# Rejected: __index of `redis` as a function that notes the line (100 ns for each call); patching bytecode.

from fastredis.scripting.lua_api cimport lua_State

# Write the changed text to vm.buffer -> its size; 0: nothing to change.
cdef size_t keep_lines(lua_State* L, const char* text, size_t size) noexcept nogil
