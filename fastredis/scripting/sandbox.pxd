# Sandbox: all that a script can get hold of.
#
#   globals (vm.globals)      what Redis has: base functions, string, table, math, os, coroutine, bit, struct, cjson,
#                             cmsgpack, and what the engine adds: redis, KEYS, ARGV
#   _G (vm.guarded)           a proxy of the globals
#
# Nothing is taken away from what Lua opens: names are picked from it, into tables of our own. So what a newer LuaJIT
# brings (ffi, jit, buffers, table.move) is not there unless somebody writes its name down. There is no `package`, `io`,
# `require`, `debug`, `dofile`, `print`, `newproxy`, `getfenv` or `setfenv`, and of `os` only the clock.
#
# What a script changes for the next one: the settings of cjson, the generator of random numbers; no more than in Redis.

from fastredis.scripting.lua_api cimport lua_CFunction
from fastredis.scripting.vm cimport Vm

# Fill a new Vm.
cdef void sandbox_open(Vm* vm) noexcept

# Have the table on top of the stack as a read-only library under a name, and `alias`, unless that is NULL. Takes it.
cdef void sandbox_add(Vm* vm, const char* name, const char* alias) noexcept

# Have the value on top of the stack as a global: KEYS, ARGV. Takes it.
cdef void sandbox_set(Vm* vm, const char* name) noexcept

# For FUNCTION LOAD, during which a library's code sees other globals than when it is called: push a table of all
# globals; and have those of the table on top of the stack instead of all others, and take it.
cdef void sandbox_push_globals(Vm* vm) noexcept
cdef void sandbox_replace_globals(Vm* vm) noexcept
