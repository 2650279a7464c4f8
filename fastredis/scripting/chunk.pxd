# Compiling a script, and looking at what came of it.
#
# Text becomes a function by Lua's own parser. Bytecode is refused, whoever has it: it is trusted by Lua, and made for
# breaking out. What comes of the text is dumped, which is quick, and looked at before it runs:
#
# - It assigns to a global: its environment is the proxy that refuses that. Others read their globals from the real
#   table.
# - LuaJIT: it has a literal of LL, ULL or i, which are no numbers in Redis. They would be values of LuaJIT's FFI, of
#   which nothing else is in reach, and nothing shall be.
# - Lua 5.1: a function has `...` and more than five other parameters. Calling it with few arguments would write beyond
#   the stack (CVE-2014-5461). Redis's Lua is mended; lupa's is not.
#
#   function --lua_dump--> vm.buffer --> inspect() --> flags
#
# The opcode of an assignment to a global is not known from books but from dumping `x=1`. If that, or any dump, does
# not look as expected (another version of LuaJIT), every function counts as one that assigns to globals, which is
# slower, but right.
#
# The name of a chunk stays on the stack while it is compiled: Lua 5.1 does not mark it (CVE-2025-49844).
# Source: lj_bcdump.h of LuaJIT 2.1; ldump.c of Lua 5.1

from fastredis.scripting.lua_api cimport lua_State
from fastredis.scripting.vm cimport Vm

cdef enum:
    MOST_SOURCE = 64 * 1024 * 1024      # bytes of a text that a script may have compiled (CVE-2025-46819)

# Compile text -> LUA_OK and a function on the stack, or another status and its message. `name` as Lua has it:
# "@user_script".
cdef int chunk_load(lua_State* L, const char* text, size_t size, const char* name) noexcept nogil

# What load() of a script does: the pieces that the function at `index` returns. Slot 3 of the stack is used.
cdef int chunk_load_pieces(lua_State* L, const char* name) noexcept nogil

# Compile a script for good -> its reference; 0: the message is on the stack.
cdef int vm_load(Vm* vm, const char* text, size_t size, const char* name) noexcept

# Find out how assignments to globals look. Once, before the first chunk; does not need any library.
cdef void chunk_learn(lua_State* L) noexcept nogil
