# Vm: one Lua, and what surrounds it: its memory, the globals of its scripts, and the end of those that run too long.
#
#   Vm { L, account, buffer, proxies, context ... }        lua_State ---(its allocator's argument)---> Vm
#
# Whoever is called by Lua finds the Vm from L (vm_of), as Lua hands it to the allocator: no registry, no global. The
# owner of scripts puts what it needs itself, to execute redis.call for instance, into `context`.
#
# Running a script:
#
#   vm_push(vm, ref)                    its function, above the handler of errors
#   lua.pushlstring(vm.L, ...)          its arguments, for what is called by FCALL
#   status = vm_call(vm, 2, 1)          a result on the stack, or the error: a table if the script made it or raised it
#   lua_pop(vm.L, 1)
#
# Memory is counted twice, to the byte: as the engine's (account) and as this Lua's (used). What is large is asked about
# first, and refused if there is not so much, or, while a script runs, if it would have more than `limit`: Lua then
# raises "not enough memory" like any other error. Nothing small is refused, as LuaJIT does not expect that everywhere:
# a closure that is left without its upvalues is given back with another size than it was taken with. Nobody catches
# errors outside of vm_call(), so who pushes values that somebody else chose asks for the memory before (Runs.run).
#
# The buffer is where cjson, cmsgpack and struct write: memory that an error cannot leak, as the next to begin a text
# takes it again. They do not call Lua functions, so there is one at a time.
#
# The end of a script that `interrupt` has killed is an error as well. What catches errors (pcall, xpcall, load,
# resume) is all our own, looks at `killed`, and passes it on; and no handler is called that xpcall was given, since a
# hook does not work in one that is called because of an error in a hook.
#
# A debugger has each line of a script shown to it before it runs (`trace`), and may end it there by an error, which is
# an ordinary one. Then there is no limit of time.
#
# The C stack: LuaJIT has no limit for functions in C that call functions in Lua that call functions in C, and
# coroutines that resume coroutines; Lua 5.1 has one of 200. So those that do such calls (pcall, gsub, sort, load,
# resume ...) ask is_deep() first. The threads that scripts run in need a stack of 8 MB.
#
# Tables that scripts may read only (libraries, _G): a script gets a proxy, an empty table, whose metatable has the real
# table for reading (__index) and a function that refuses for writing. A flag in the table, as Redis's own Lua has it,
# would need another Lua. Functions that see past metatables (next, rawset, table.insert ...) are our own: base_library.
# Globals of scripts are the exception. They are read from the real table at full speed, as it is their environment, and
# no value that a script can get hold of; _G is a proxy for it. A script that assigns to a global, which chunk.pyx sees
# in its bytecode, gets the proxy for an environment as well.

from libc.stdint cimport int64_t, uint64_t

from fastredis.ds.alloc cimport Account
from fastredis.ds.native cimport unlikely
from fastredis.scripting.lua_api cimport lua, lua_Alloc, lua_Debug, lua_State
from fastredis.scripting.watchdog cimport Watchdog

cdef enum:
    MAX_PROXIES = 24
    MOST_STACK = 2 * 1024 * 1024    # bytes of C stack that calls out of C functions may take
    MOST_TEXT = 0x7fffff00          # bytes: a string of LuaJIT is no longer

cdef struct Buffer:
    char* data
    size_t size                 # bytes written
    size_t room

# Asked in the middle of a script, every now and then -> NULL: go on; else the error, with its code, that ends it. It
# runs with the GIL and may call Python, but must not raise, nor use the Vm.
ctypedef const char* (*Interrupt)(void* context) noexcept nogil

# Asked before each line of a script, and every INTERRUPT_EVERY instructions; as an Interrupt, but it may use the Vm.
ctypedef const char* (*Trace)(void* context, lua_State* L, lua_Debug* ar) noexcept nogil

cdef struct Vm:
    lua_State* L
    Account* account            # the engine's: what this Lua takes is charged there, too
    int64_t used                # bytes that this Lua holds
    int64_t limit               # bytes beyond which a script that runs gets no large block; 0: no limit
    bint limited                # a script runs, and there is a limit
    Buffer buffer
    void* context               # the owner's
    int handler                 # reference to describe_error()
    int globals                 # reference to the real table of globals
    int guarded                 # to _G, the proxy of it
    const void* proxies[MAX_PROXIES]
    int proxy_count
    size_t stack_base           # where the C stack was when the script began
    uint64_t random             # state of math.random
    bint collector_touched      # the script has set the collector otherwise
    int calls                   # since the last step of the collector
    bint killed                 # the script has got an error that nothing may catch
    Interrupt interrupt         # NULL: scripts run as long as they like
    Trace trace                 # NULL: there is no debugger
    int64_t patience_ms         # how long a script runs before `interrupt` is asked for the first time
    Watchdog* dog               # NULL: it is asked every INTERRUPT_EVERY instructions from the beginning

# A Lua without any library. Errors: LuaMissing. `dog`: may be NULL; several may have the same.
cdef Vm* vm_new(Account* account, Watchdog* dog) except NULL
cdef void vm_close(Vm* vm) noexcept

# Call the function below `arguments` values, which vm_push() has put there -> status; in their place are `results`
# values, or one, the error.
cdef void vm_push(Vm* vm, int ref) noexcept
cdef int vm_call(Vm* vm, int arguments, int results) noexcept
cdef void vm_forget(Vm* vm, int ref) noexcept

# The function that a script sees as __redis__err__handler: err -> {err=, source=, line=}.
cdef int describe_error(lua_State* L) noexcept nogil

# Push what tostring() makes of the value at an index, which has no __tostring.
cdef void push_text(lua_State* L, int index, int type) noexcept nogil

# mem_give_up() for functions without the GIL.
cdef void vm_give_up(const char* what, size_t number) noexcept nogil

cdef void buffer_grow(lua_State* L, Vm* vm, size_t more) noexcept nogil


cdef inline Vm* vm_of(lua_State* L) noexcept nogil:
    """The Vm that a state, also a coroutine's, belongs to."""
    cdef void* vm

    lua.getallocf(L, &vm)
    return <Vm*>vm


cdef inline bint is_proxy(const Vm* vm, const void* table) noexcept nogil:
    """Whether lua_topointer() of a table is that of a proxy."""
    cdef int i

    for i in range(vm.proxy_count):
        if vm.proxies[i] == table:
            return True
    return False


cdef inline bint is_deep(const Vm* vm) noexcept nogil:
    """Whether C functions have called each other so deep that no more Lua function should be called out of one."""
    cdef char here

    return vm.stack_base - <size_t>&here > MOST_STACK


cdef inline char* buffer_room(lua_State* L, Vm* vm, size_t more) noexcept nogil:
    """Where the next bytes of the text go, `more` at most. Raises a Lua error if there is no memory."""
    if unlikely(vm.buffer.room - vm.buffer.size < more):
        buffer_grow(L, vm, more)
    return vm.buffer.data + vm.buffer.size
