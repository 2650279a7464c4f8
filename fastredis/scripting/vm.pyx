"""A Lua, its memory and its runs. The design comment is in vm.pxd."""
from libc.string cimport memset, strcmp

from fastredis.ds.alloc cimport LARGE, mem_alloc, mem_free, mem_give_up, mem_growth_possible, mem_realloc
from fastredis.scripting.lua_api cimport (
    LUA_GCCOLLECT, LUA_GCRESTART, LUA_GCSETPAUSE, LUA_GCSETSTEPMUL, LUA_GCSTEP, LUA_MASKCOUNT, LUA_MASKLINE,
    LUA_REGISTRYINDEX, LUA_TBOOLEAN, LUA_TNIL, LUA_TNUMBER, LUA_TSTRING, LUA_TTABLE, LUAJIT_MODE_ENGINE,
    LUAJIT_MODE_OFF, set_field,
)
from fastredis.scripting.lua_api import load
from fastredis.scripting.watchdog cimport dog_again, dog_begin, dog_end, dog_seen

ctypedef void (*GiveUp)(const char* what, size_t number) noexcept nogil

cdef enum:
    INTERRUPT_EVERY = 100000        # instructions between two questions
    CALLS_PER_STEP = 50             # runs between two steps of the collector, as large as that
    PAUSE = 200                     # the collector's settings that a Lua begins with
    STEP_MULTIPLIER = 200
    FIRST_ROOM = 1024               # of the buffer
    KEPT_ROOM = 1024 * 1024         # a larger buffer goes after the run


# ---------------------------------------------------------------- memory

cdef void* vm_alloc(void* ud, void* block, size_t old_size, size_t new_size) noexcept:
    """Lua's allocator: a block of new_size bytes with the first bytes of the old one; NULL: none, the old one stays."""
    cdef Vm* vm = <Vm*>ud
    cdef int64_t before = vm.account.used

    if new_size == 0:
        mem_free(vm.account, block, old_size)
        block = NULL
    else:
        if new_size >= LARGE and new_size > old_size:
            if vm.limited and vm.used + <int64_t>(new_size - old_size) > vm.limit:
                return NULL
            if not mem_growth_possible(old_size, new_size):
                return NULL
        block = mem_realloc(vm.account, block, old_size, new_size)
    vm.used += vm.account.used - before
    return block


# Lua calls it with the GIL, although it does not know that there is one.
cdef lua_Alloc allocate = <lua_Alloc><void*>vm_alloc


cdef void buffer_grow(lua_State* L, Vm* vm, size_t more) noexcept nogil:
    """Make room for `more` bytes behind what is written. Raises a Lua error if there is no memory."""
    cdef size_t room = vm.buffer.room if vm.buffer.room else FIRST_ROOM
    cdef void* moved

    if more > MOST_TEXT - vm.buffer.size:
        lua.L_error(L, b"not enough memory")
        return
    while room < vm.buffer.size + more:
        room *= 2
    moved = allocate(vm, vm.buffer.data, vm.buffer.room, room)
    if moved is NULL:
        lua.L_error(L, b"not enough memory")
        return
    vm.buffer.data = <char*>moved
    vm.buffer.room = room


cdef void buffer_free(Vm* vm) noexcept:
    vm_alloc(vm, vm.buffer.data, vm.buffer.room, 0)
    memset(&vm.buffer, 0, sizeof(Buffer))


cdef void vm_give_up(const char* what, size_t number) noexcept nogil:
    (<GiveUp><void*>mem_give_up)(what, number)


cdef int panic(lua_State* L) noexcept nogil:
    """An error that nobody catches: outside of vm_call() only memory may be missing."""
    vm_give_up(b"an error of Lua that nothing catches; bytes it holds:", <size_t>vm_of(L).used)
    return 0


cdef Vm* vm_new(Account* account, Watchdog* dog) except NULL:
    cdef Vm* vm

    load()
    vm = <Vm*>mem_alloc(account, sizeof(Vm))
    memset(vm, 0, sizeof(Vm))
    vm.account = account
    vm.dog = dog
    vm.L = lua.newstate(allocate, vm)
    if vm.L is NULL:
        mem_free(account, vm, sizeof(Vm))
        raise MemoryError("no memory for Lua")
    lua.atpanic(vm.L, panic)
    if lua.is_jit:
        lua.jit_setmode(vm.L, 0, LUAJIT_MODE_ENGINE | LUAJIT_MODE_OFF)
    lua.pushcclosure(vm.L, describe_error, 0)
    vm.handler = lua.L_ref(vm.L, LUA_REGISTRYINDEX)
    return vm


cdef void vm_close(Vm* vm) noexcept:
    """Free a Vm. What could be finalized is, while there is a whole Lua around it (CVE-2024-46981)."""
    lua.gc(vm.L, LUA_GCCOLLECT, 0)
    lua.close(vm.L)
    buffer_free(vm)
    mem_free(vm.account, vm, sizeof(Vm))


# ---------------------------------------------------------------- runs

cdef int describe_error(lua_State* L) noexcept nogil:
    """Make a table of an error, with the place in the script that raised it, or called the C function that did."""
    cdef lua_Debug ar
    cdef int type

    lua.settop(L, 1)
    type = lua.type(L, 1)
    if type != LUA_TTABLE:
        lua.createtable(L, 0, 3)
        lua.pushstring(L, b"ERR ")
        push_text(L, 1, type)
        lua.concat(L, 2)
        set_field(L, 2, b"err")
    elif is_proxy(vm_of(L), lua.topointer(L, 1)):
        return 1
    if not find_place(L, 1, &ar) or (ar.currentline <= 0 and not find_place(L, 2, &ar)):
        return 1
    lua.pushstring(L, ar.source if ar.currentline > 0 else <const char*>b"=[C]")
    set_field(L, -2, b"source")
    lua.pushnumber(L, ar.currentline if ar.currentline > 0 else -1)
    set_field(L, -2, b"line")
    return 1


cdef bint find_place(lua_State* L, int level, lua_Debug* ar) noexcept nogil:
    """Where a function on the stack is; False: there is none.

    Those of Lua's libraries have no line, in whatever they are written; what stands before some of them is passed over.
    """
    if not lua.getstack(L, level, ar):
        return False
    lua.getinfo(L, b"Sl", ar)
    return strcmp(ar.source, b"=guard") != 0 or find_place(L, level + 1, ar)


cdef void push_text(lua_State* L, int index, int type) noexcept nogil:
    if type == LUA_TNIL:
        lua.pushstring(L, b"nil")
    elif type == LUA_TBOOLEAN:
        lua.pushstring(L, b"true" if lua.toboolean(L, index) else b"false")
    elif type == LUA_TNUMBER or type == LUA_TSTRING:
        lua.pushvalue(L, index)
        lua.tolstring(L, -1, NULL)
    elif lua.topointer(L, index) is NULL:
        lua.pushfstring(L, b"%s: (nil)", lua.typename(L, type))
    else:
        lua.pushfstring(L, b"%s: %p", lua.typename(L, type), lua.topointer(L, index))


cdef void on_count(lua_State* L, lua_Debug* ar) noexcept nogil:
    """Ask whether the script may go on. If not, it gets an error that nothing catches (see vm.pxd)."""
    cdef Vm* vm = vm_of(L)
    cdef const char* reason

    if vm.dog is not NULL and lua.is_jit:
        dog_seen(vm.dog)
        set_hook(L)
    reason = vm.interrupt(vm.context)
    if reason is NULL:
        if vm.dog is not NULL and lua.is_jit:
            dog_again(vm.dog)
        return
    vm.killed = True
    lua.sethook(L, on_count, LUA_MASKCOUNT, 1)
    lua.createtable(L, 0, 3)
    lua.pushstring(L, reason)
    set_field(L, -2, b"err")
    lua.error(L)


cdef void on_line(lua_State* L, lua_Debug* ar) noexcept nogil:
    """Show the debugger where the script is."""
    cdef Vm* vm = vm_of(L)
    cdef bint limited = vm.limited
    cdef const char* reason

    vm.limited = False              # what it does with the Vm can't fail
    reason = vm.trace(vm.context, L, ar)
    vm.limited = limited
    if reason is not NULL:
        lua.createtable(L, 0, 3)
        lua.pushstring(L, reason)
        set_field(L, -2, b"err")
        lua.error(L)


cdef void set_hook(lua_State* L) noexcept nogil:
    """Have on_count() called every now and then."""
    lua.sethook(L, on_count, LUA_MASKCOUNT, INTERRUPT_EVERY)


cdef void alarm(void* L) noexcept nogil:
    """Have on_count() called for the next instruction. In the watchdog's thread, while Lua runs.

    For the next one, as this may be done again before so many have been executed.
    """
    lua.sethook(<lua_State*>L, on_count, LUA_MASKCOUNT, 1)


cdef void vm_push(Vm* vm, int ref) noexcept:
    lua.rawgeti(vm.L, LUA_REGISTRYINDEX, vm.handler)
    lua.rawgeti(vm.L, LUA_REGISTRYINDEX, ref)


cdef int vm_call(Vm* vm, int arguments, int results) noexcept:
    cdef lua_State* L = vm.L
    cdef int handler = lua.gettop(L) - arguments - 1, status
    cdef bint hooked = False, watched = False

    if vm.trace is not NULL:
        lua.sethook(L, on_line, LUA_MASKLINE | LUA_MASKCOUNT, INTERRUPT_EVERY)
        hooked = True
    elif vm.interrupt is not NULL:
        # A hook belongs to one coroutine in Lua 5.1, and can't be set by another thread.
        watched = vm.dog is not NULL and lua.is_jit
        if watched:
            dog_begin(vm.dog, alarm, L, vm.patience_ms)
        else:
            set_hook(L)
            hooked = True
    vm.stack_base = <size_t>&status
    vm.limited = vm.limit > 0
    status = lua.pcall(L, arguments, results, handler)
    vm.limited = False
    vm.killed = False
    if watched:
        hooked = dog_end(vm.dog)
    if hooked:
        lua.sethook(L, NULL, 0, 0)
    lua.remove(L, handler)
    clean_up(vm)
    return status


cdef void clean_up(Vm* vm) noexcept:
    """What is done after a run."""
    if vm.collector_touched:
        vm.collector_touched = False
        lua.gc(vm.L, LUA_GCSETPAUSE, PAUSE)
        lua.gc(vm.L, LUA_GCSETSTEPMUL, STEP_MULTIPLIER)
        lua.gc(vm.L, LUA_GCRESTART, 0)
    if vm.buffer.room > KEPT_ROOM:
        buffer_free(vm)
    vm.calls += 1
    if vm.calls == CALLS_PER_STEP:
        vm.calls = 0
        lua.gc(vm.L, LUA_GCSTEP, CALLS_PER_STEP)


cdef void vm_forget(Vm* vm, int ref) noexcept:
    lua.L_unref(vm.L, LUA_REGISTRYINDEX, ref)
