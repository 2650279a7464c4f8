# The library `cmsgpack`: MessagePack, as Redis has it.
#
# - A number that is an integer of 64 bits is the shortest form of one; another is a float where that is exact, else a
#   double. -0 is 0.
# - A table is an array if its keys are 1 to n, also when n is 0; else a map.
# - What is nested more than 16 deep, and functions and the like, are nil.
# - The table has _NAME and _VERSION, as Redis's; not what it says there of its author.
# - A text of bytes may hold several values one behind the other: pack(a, b) makes it, unpack() gives them all,
#   unpack_one(text, offset) and unpack_limit(text, limit, offset) some, and first where the rest begins, -1 at the end.
#
# Source: https://github.com/msgpack/msgpack/blob/master/spec.md; https://github.com/antirez/lua-cmsgpack (README)

from fastredis.scripting.lua_api cimport lua_State

# Push the library's table.
cdef void open_cmsgpack(lua_State* L) noexcept nogil
