"""Runs of scripts and functions. The design comment is in run.pxd."""
cimport cython

from libc.stdint cimport uint64_t
from libc.string cimport strlen

from fastredis.ds.alloc cimport mem_free, mem_realloc
from fastredis.engine.client cimport Frame, unit_begin, unit_end
from fastredis.engine.command cimport CommandTable, find_command, find_subcommand
from fastredis.engine.core cimport GATE_DISK, GATE_REPLICATION
from fastredis.engine.dispatch cimport call_guarded
from fastredis.engine.engine cimport C_MULTI, C_PUBSUB, C_REPLY_OFF, C_REPLY_SKIP, C_REPLY_SKIP_NEXT
from fastredis.engine.errors cimport ERR_OOM
from fastredis.engine.flags cimport CONTAINER, DENYOOM, NOSCRIPT, STALE, WRITE
from fastredis.engine.keyspace cimport Database
from fastredis.engine.reply cimport reply_new
from fastredis.scripting.lua_api cimport LUA_OK, lua
from fastredis.scripting.redis_library cimport open_redis
from fastredis.scripting.replies cimport reply_value
from fastredis.scripting.sandbox cimport sandbox_open, sandbox_set
from fastredis.scripting.values cimport ErrorInfo, read_error
from fastredis.scripting.vm cimport vm_call, vm_new, vm_push

from fastredis.scripting.lua_api import LuaMissing

cdef extern from "<strings.h>" nogil:
    int strncasecmp(const char* one, const char* other, size_t size)

cdef enum:
    FIRST_ROOM = 16                 # arguments
    CLEARED = C_MULTI | C_REPLY_OFF | C_REPLY_SKIP | C_REPLY_SKIP_NEXT | C_PUBSUB   # do not concern its commands

ctypedef Arg* (*Reserving)(void* runs, int argc) noexcept nogil
ctypedef const char* (*Calling)(void* runs, int argc) noexcept nogil
ctypedef bint (*Knowing)(void* runs, int argc) noexcept nogil
ctypedef void (*Logging)(void* runs, int level, const char* text, size_t size) noexcept nogil

cdef struct Flag:
    const char* name
    int flag

cdef Flag[5] FLAGS = [
    Flag(b"no-writes", CODE_NO_WRITES), Flag(b"allow-oom", CODE_ALLOW_OOM), Flag(b"allow-stale", CODE_ALLOW_STALE),
    Flag(b"no-cluster", CODE_NO_CLUSTER), Flag(b"allow-cross-slot-keys", CODE_CROSS_SLOT),
]


cdef int code_flag(const char* name, size_t size) noexcept nogil:
    cdef int i

    for i in range(5):
        if strlen(FLAGS[i].name) == size and strncasecmp(FLAGS[i].name, name, size) == 0:
            return FLAGS[i].flag
    return 0


cdef list flag_names(int flags):
    return [FLAGS[i].name for i in range(5) if flags & FLAGS[i].flag]


cdef class Code:
    """Lua that can be run."""


@cython.no_gc_clear                 # __dealloc__ needs the engine
cdef class Runs:
    """What runs in the Luas of one engine."""

    def __init__(self, Engine engine not None):
        self.engine = engine
        self.out = reply_new(&engine.core, engine, 2)
        self.caller.runs = <void*>self
        self.caller.reserve = <Reserving><void*>py_reserve
        self.caller.call = <Calling><void*>py_call
        self.caller.knows = <Knowing><void*>py_knows
        self.caller.log = <Logging><void*>py_log

    def __dealloc__(self):
        if self.engine is not None:
            mem_free(&self.engine.core.memory, self.argv, self.room * sizeof(Arg))

    cdef int release(self) except -1:
        mem_free(&self.engine.core.memory, self.argv, self.room * sizeof(Arg))
        self.argv = NULL
        self.room = 0
        self.out = reply_new(&self.engine.core, self.engine, 2)
        return 0

    cdef Vm* new_vm(self) except NULL:
        cdef Vm* vm

        try:
            vm = vm_new(&self.engine.core.memory, NULL)
        except LuaMissing as missing:
            if not self.told:
                self.engine.log.warning(f"Scripts can't run: {missing}")
            self.told = True
            raise
        vm.context = &self.caller
        sandbox_open(vm)
        open_redis(vm)
        return vm

    # --- runs -----------------------------------------------------------------------------

    cdef int run(self, Client c, Vm* vm, Code code, int first_key, int keys, bint read_only) except -1:
        cdef Database db = c.db
        cdef Frame outer
        cdef int status

        self.out_of_memory = c.core.memory.used > c.core.memory_limit
        if code.flags & CODE_DECLARES and not self.may_run_or_reply(c, code, read_only):
            return 0
        vm_push(vm, code.ref)
        push_arguments(vm, code, b"KEYS", &c.argv[first_key], keys)
        push_arguments(vm, code, b"ARGV", &c.argv[first_key + keys], c.argc - first_key - keys)
        self.client, self.code = c, code
        self.read_only = read_only or code.flags & CODE_NO_WRITES
        self.wrote = False
        self.caller.resp = 2
        unit_begin(c, &outer, self.out, CLEARED)
        try:
            status = vm_call(vm, 2 if code.flags & CODE_FUNCTION else 0, 1)
        finally:
            unit_end(c, &outer)
            c.db = db                           # SELECT was for the script alone
            self.client = None
            self.out.clear()
        if status == LUA_OK:
            reply_value(c, vm.L, self.caller.resp)
        else:
            self.reply_failure(c, vm.L)
        lua.settop(vm.L, 0)
        return 0

    cdef bint may_run_or_reply(self, Client c, Code code, bint read_only) except -1:
        """Whether code with flags may run: it is checked as a command with its flags would be."""
        cdef uint64_t flags = STALE if code.flags & CODE_ALLOW_STALE else 0
        cdef bytes text = None

        if not code.flags & CODE_NO_WRITES:
            flags |= WRITE
        if (self.out_of_memory and not code.flags & (CODE_NO_WRITES | CODE_ALLOW_OOM)):
            c.error(ERR_OOM)
            return False
        if c.core.gate & GATE_DISK and flags & WRITE:
            text = next(iter(self.engine.disk_errors.values()))
        elif c.core.gate & GATE_REPLICATION:
            text = self.engine.replication.refusal(flags, c.flags)
        if text is None and read_only and flags & WRITE:
            text = b"ERR Can not execute a script with write flag using *_ro command."
        if text is not None:
            c.error_text(text)
        return text is None

    cdef int reply_failure(self, Client c, lua_State* L) except -1:
        """Reply the error on top of the stack, and where it happened."""
        cdef ErrorInfo info
        cdef bytes text

        read_error(L, lua.gettop(L), &info)
        text = info.text[:info.size] if info.text is not NULL else b"ERR unknown error"
        if info.source is not NULL and info.line is not NULL:
            text += b" script: %s, on %s:%s." % (self.code.name, info.source, info.line)
        return c.out.error(text, len(text)) if info.counted else c.error_text(text)

    # --- commands of a script -------------------------------------------------------------

    cdef Command command(self, int argc):
        """The command that self.argv names; None: there is none."""
        cdef void* found = find_command(<CommandTable>self.engine.commands, self.argv[0].ptr, self.argv[0].size)
        cdef Command command = <Command>found if found is not NULL else None

        if command is not None and command.flags & CONTAINER and argc > 1:
            return find_subcommand(command, self.argv[1].ptr, self.argv[1].size)
        return command

    cdef const char* execute(self, int argc) except NULL:
        """Run the command in self.argv -> its reply, or (Caller.refused) why it did not run."""
        cdef Client c = self.client
        cdef Command command = self.command(argc)

        self.caller.refused = True
        if command is None:
            return b"-ERR Unknown Redis command called from script"
        if not takes(command, argc):
            return b"-ERR Wrong number of args calling Redis command from script"
        if command.flags & NOSCRIPT:
            return b"-ERR This Redis command is not allowed from script"
        if command.flags & WRITE and self.read_only:
            return b"-ERR Write commands are not allowed from read-only scripts."
        if (self.out_of_memory and command.flags & DENYOOM and not self.wrote
                and not self.code.flags & CODE_ALLOW_OOM):
            return b"-OOM command not allowed when used memory > 'maxmemory'."
        self.caller.refused = False
        self.out.clear()
        self.out.resp = self.caller.resp
        c.argv, c.argc = self.argv, argc
        self.wrote = self.wrote or command.flags & WRITE != 0
        call_guarded(c, command.container or command, checked=False)
        return self.out.data


cdef inline bint takes(Command command, int argc) noexcept:
    """Whether a command takes so many arguments."""
    return argc == command.arity or (command.arity < 0 and argc >= -command.arity)


# For the Caller: with the GIL, although who calls them does not know that there is one.

cdef Arg* py_reserve(void* runs, int argc) noexcept:
    cdef Runs self = <Runs>runs
    cdef int room = max(self.room, FIRST_ROOM)

    while room < argc:
        room *= 2
    if room > self.room:
        self.argv = <Arg*>mem_realloc(&self.engine.core.memory, self.argv, self.room * sizeof(Arg), room * sizeof(Arg))
        self.room = room
    return self.argv


cdef const char* py_call(void* runs, int argc) noexcept:
    return (<Runs>runs).execute(argc)


cdef bint py_knows(void* runs, int argc) noexcept:
    cdef Command command = (<Runs>runs).command(argc)

    return command is not None and takes(command, argc)


cdef void py_log(void* runs, int level, const char* text, size_t size) noexcept:
    (<Runs>runs).engine.log.write(level, text[:size].decode("utf-8", "replace"))


cdef void push_arguments(Vm* vm, Code code, const char* name, Arg* argv, int argc) noexcept:
    """Push a table of arguments; for a script it becomes the global of that name."""
    cdef int i

    lua.createtable(vm.L, argc, 0)
    for i in range(argc):
        lua.pushlstring(vm.L, argv[i].ptr, argv[i].size)
        lua.rawseti(vm.L, -2, i + 1)
    if not code.flags & CODE_FUNCTION:
        sandbox_set(vm, name)
