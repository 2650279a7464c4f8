"""Runs of scripts and functions. The design comment is in run.pxd."""
cimport cython

import contextlib
import os
import signal

from libc.stdint cimport int64_t, uint64_t
from libc.string cimport strlen

from fastredis._resp cimport arg_bytes
from fastredis.ds.alloc cimport LARGE, mem_free, mem_possible, mem_realloc
from fastredis.ds.native cimport likely, ticks, unlikely
from fastredis.engine.acl.access cimport ALLOWED, FROM_SCRIPT, check_access, denial_text, find_denial
from fastredis.engine.busy cimport Busy
from fastredis.engine.client cimport Frame, unit_begin, unit_end
from fastredis.engine.command cimport CommandTable, find_command, find_subcommand
from fastredis.engine.core cimport AFTER_MONITOR, GATE_DISK, GATE_REPLICATION
from fastredis.engine.dispatch cimport call_guarded
from fastredis.engine.engine cimport (
    C_LIMITED, C_MASTER, C_MULTI, C_PUBSUB, C_REPLY_OFF, C_REPLY_SKIP, C_REPLY_SKIP_NEXT, C_SCRIPT, TO_ALL,
)
from fastredis.engine.evict cimport Evictor
from fastredis.engine.errors cimport ERR_NO_MEMORY, ERR_NUMKEYS_ARGS, ERR_NUMKEYS_NEGATIVE, ERR_OOM
from fastredis.engine.flags cimport CONTAINER, DENYOOM, MAY_REPLICATE, NOSCRIPT, STALE, WRITE
from fastredis.engine.keyspace cimport Database
from fastredis.engine.monitor cimport Monitors
from fastredis.engine.options cimport get_int_or_reply_text, get_memory_or_reply
from fastredis.engine.reply cimport reply_new
from fastredis.scripting.lua_api cimport LUA_OK, lua
from fastredis.scripting.redis_library cimport open_redis
from fastredis.scripting.replies cimport reply_error, reply_value
from fastredis.scripting.sandbox cimport sandbox_open, sandbox_set
from fastredis.scripting.values cimport ErrorInfo, read_error
from fastredis.scripting.vm cimport MOST_TEXT, vm_call, vm_new, vm_push
from fastredis.scripting.watchdog cimport dog_free, dog_new

from fastredis.engine.reply import ErrorReply
from fastredis.scripting.lua_api import LuaMissing

cdef extern from "<strings.h>" nogil:
    int strncasecmp(const char* one, const char* other, size_t size)

cdef enum:
    FIRST_ROOM = 16                 # arguments
    VALUE_BYTES = 64                # what an argument takes in Lua besides its text
    DISK_MS = 20                    # how long a run keeps those waiting whom the disk would let go on
    # Flags that do not concern its commands; and C_SCRIPT, which is set for them.
    CLEARED = C_MULTI | C_REPLY_OFF | C_REPLY_SKIP | C_REPLY_SKIP_NEXT | C_PUBSUB | C_SCRIPT

ctypedef Arg* (*Reserving)(void* runs, int argc) noexcept nogil
ctypedef const char* (*Calling)(void* runs, int argc) noexcept nogil
ctypedef int (*Knowing)(void* runs, int argc) noexcept nogil
ctypedef const char* (*Interrupting)(void* caller) noexcept nogil
ctypedef const char* (*Tracing)(void* caller, lua_State* L, lua_Debug* ar) noexcept nogil
ctypedef bint (*Stopping)(void* runs) noexcept nogil
ctypedef void (*Showing)(void* runs, lua_State* L) noexcept nogil
ctypedef void (*Logging)(void* runs, int level, const char* text, size_t size) noexcept nogil

cdef const char* KILLED = b"ERR Script killed by user with SCRIPT KILL..."
cdef const char* ENDING = b"ERR The server is shutting down"
cdef const char* NOT_BUSY = b"NOTBUSY No scripts in execution right now."
cdef const char* UNKILLABLE = (
    b"UNKILLABLE Sorry the script already executed write commands against the dataset. You can either wait the script "
    b"termination or kill the server in a hard way using the SHUTDOWN NOSAVE command.")
cdef const char* UNKILLABLE_MASTER = (
    b"UNKILLABLE The busy script was sent by a master instance in the context of replication and cannot be killed.")
cdef bytes BUSY = b"BUSY Redis is busy running a script. You can only call %b KILL or SHUTDOWN NOSAVE."

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


cdef class Tracer:
    cdef const char* line(self, lua_State* L, lua_Debug* ar) noexcept:
        return NULL

    cdef bint breakpoint(self) except -1:
        return False

    cdef int show(self, lua_State* L) except -1:
        return 0

    cdef int called(self, Arg* argv, int argc) except -1:
        return 0

    cdef int replied(self, const char* reply) except -1:
        return 0


@cython.no_gc_clear                 # __dealloc__ needs the engine
cdef class Runs:
    """What runs in the Luas of one engine."""

    def __init__(self, Engine engine not None):
        self.engine = engine
        self.sessions = set()
        self.out = reply_new(&engine.core, engine, 2)
        self.caller.runs = <void*>self
        self.caller.reserve = <Reserving><void*>py_reserve
        self.caller.call = <Calling><void*>py_call
        self.caller.knows = <Knowing><void*>py_knows
        self.caller.log = <Logging><void*>py_log
        self.caller.breakpoint = <Stopping><void*>py_breakpoint
        self.caller.show = <Showing><void*>py_show

    def __dealloc__(self):
        if self.engine is not None:
            mem_free(&self.engine.core.memory, self.argv, self.room * sizeof(Arg))
        if self.dog is not NULL:
            dog_free(self.dog)

    def configure(self, config):
        """Take over the settings of scripts."""
        self.patience_ms = config.busy_reply_threshold

    def end_sessions(self):
        """The service has ended: so do debuggers in processes of their own."""
        for pid in self.sessions:
            self.engine.log.notice(f"Killing debugging session {pid}")
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    cdef int release(self) except -1:
        mem_free(&self.engine.core.memory, self.argv, self.room * sizeof(Arg))
        self.argv = NULL
        self.room = 0
        self.out = reply_new(&self.engine.core, self.engine, 2)
        return 0

    cdef Vm* new_vm(self) except NULL:
        cdef Vm* vm

        if self.dog is NULL:
            try:
                self.dog = dog_new()
            except MemoryError as error:
                self.engine.log.warning(f"Scripts run slower: {error}")
        try:
            vm = vm_new(&self.engine.core.memory, self.dog)
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

        if not self.may_run_or_reply(c, code, read_only):
            return 0
        if not can_push_or_reply(c, first_key):
            return 0
        vm_push(vm, code.ref)
        push_arguments(vm, code, b"KEYS", &c.argv[first_key], keys)
        push_arguments(vm, code, b"ARGV", &c.argv[first_key + keys], c.argc - first_key - keys)
        vm.patience_ms = self.patience_ms
        if c.core.holding or c.core.aof_batch > c.core.aof_synced:
            vm.patience_ms = min(DISK_MS, self.patience_ms)
        vm.interrupt = <Interrupting><void*>py_interrupt if self.patience_ms else NULL
        vm.trace = <Tracing><void*>py_trace if self.tracer is not None else NULL
        self.caller.resp = 2
        self.begin(c, &outer, code, read_only)
        try:
            status = vm_call(vm, 2 if code.flags & CODE_FUNCTION else 0, 1)
        finally:
            vm.trace = NULL
            self.end(c, &outer, db)
            if self.slow:
                (<Busy>self.engine.busy).end()
        if status == LUA_OK:
            reply_value(c, vm.L, self.caller.resp)
        else:
            self.reply_failure(c, vm.L)
        lua.settop(vm.L, 0)
        return 0

    cdef object run_python(self, Client c, Code code, object function, bint read_only, bint* ran):
        cdef Database db = c.db
        cdef Frame outer

        ran[0] = self.may_run_or_reply(c, code, read_only)
        if not ran[0]:
            return None
        self.caller.resp = 3
        self.begin(c, &outer, code, read_only)
        try:
            return function()
        finally:
            self.end(c, &outer, db)

    cdef int begin(self, Client c, Frame* outer, Code code, bint read_only) except -1:
        """The run under way is this one's."""
        self.client, self.code = c, code
        self.call, self.call_argc = c.argv, c.argc
        self.read_only = read_only or code.flags & CODE_NO_WRITES
        self.wrote = self.slow = False
        self.verdict = NULL
        self.start = c.core.tick
        self.caller.targets = TO_ALL
        return unit_begin(c, outer, self.out, CLEARED)

    cdef int end(self, Client c, Frame* outer, Database db) except -1:
        """It is over. db: the client's, as SELECT was for the script alone."""
        unit_end(c, outer)
        c.db = db
        self.client = None
        self.out.clear()
        return 0

    cdef bint may_run_or_reply(self, Client c, Code code, bint read_only) except -1:
        """Whether code may run. With flags it is checked as a command of these would be; else only for stale data."""
        self.out_of_memory = (<Evictor>c.engine.evictor).excess() > 0
        if not code.flags & CODE_DECLARES and (not c.core.gate & GATE_REPLICATION or c.core.obeying):
            return True
        return self.is_allowed_or_reply(c, code, read_only)

    cdef bint is_allowed_or_reply(self, Client c, Code code, bint read_only) except -1:
        cdef bint declares = code.flags & CODE_DECLARES
        cdef uint64_t flags = STALE if code.flags & CODE_ALLOW_STALE else 0
        cdef bytes text = None

        if declares and not code.flags & CODE_NO_WRITES:
            flags |= WRITE
        if declares and self.out_of_memory and not code.flags & (CODE_NO_WRITES | CODE_ALLOW_OOM):
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
        return reply_error(c, text, info.counted)

    # --- runs that take too long ----------------------------------------------------------

    cdef const char* interrupt(self) noexcept:
        """Serve others, if the run has taken too long -> the error that ends it, NULL: it goes on."""
        self.engine.guarded("serving others in the middle of a script", self.serve_others)
        return ENDING if self.engine.ending else self.verdict

    def serve_others(self):
        """In the middle of a run, if it has taken too long."""
        if self.slow or self.is_slow():
            (<Busy>self.engine.busy).serve()
        else:
            (<Busy>self.engine.busy).catch_up(self.client)

    cdef bint is_slow(self) except -1:
        """Whether the run has become too long just now."""
        cdef int64_t elapsed_ms = self.elapsed_ms()
        cdef str kind = "FUNCTION" if self.code.flags & CODE_FUNCTION else "SCRIPT"

        if elapsed_ms < self.patience_ms:
            return False
        self.engine.log.warning(
            f"Slow script detected: still in execution after {elapsed_ms} milliseconds. You can try killing the script "
            f"using the {kind} KILL command. Script name is: {self.code.name.decode()}.")
        self.slow = True
        (<Busy>self.engine.busy).begin(self.client, BUSY % kind.encode())
        return True

    def elapsed_ms(self):
        """How long the run under way has taken so far."""
        return int((ticks() - self.start) / self.engine.ticks_per_us() / 1000)

    def running_function(self):
        """What FUNCTION STATS says of the run under way; None: there is none. Errors: ErrorReply if it is a script."""
        if self.client is None:
            return None
        if not self.code.flags & CODE_FUNCTION:
            raise ErrorReply((<Busy>self.engine.busy).error.decode())
        return {"name": self.code.name, "command": [arg_bytes(&self.call[i]) for i in range(self.call_argc)],
                "duration_ms": self.elapsed_ms()}

    cdef int kill_or_reply(self, Client c, bint function) except -1:
        if self.client is None:
            return c.error(NOT_BUSY)
        if self.client.flags & C_MASTER:
            return c.error(UNKILLABLE_MASTER)
        if self.wrote:
            return c.error(UNKILLABLE)
        if function != (self.code.flags & CODE_FUNCTION != 0):
            return c.error_text((<Busy>self.engine.busy).error)
        self.verdict = KILLED
        self.engine.log.notice("Lua script killed by user with SCRIPT KILL.")
        return c.reply_ok()

    # --- commands of a script -------------------------------------------------------------

    cdef Command command(self, int argc):
        """The command that self.argv names; None: there is none."""
        cdef void* found = find_command(<CommandTable>self.engine.commands, self.argv[0].ptr, self.argv[0].size)
        cdef Command command = <Command>found if found is not NULL else None

        if command is not None and command.flags & CONTAINER and argc > 1:
            return find_subcommand(command, self.argv[1].ptr, self.argv[1].size)
        return command

    cdef Arg* reserved(self, int argc) noexcept:
        """Room for a command's arguments: self.argv."""
        cdef int room = max(self.room, FIRST_ROOM)

        while room < argc:
            room *= 2
        if room > self.room:
            self.argv = <Arg*>mem_realloc(&self.engine.core.memory, self.argv, self.room * sizeof(Arg),
                                          room * sizeof(Arg))
            self.room = room
        return self.argv

    cdef const char* execute(self, int argc) except NULL:
        """Run the command in self.argv -> its reply, or (Caller.refused) why it did not run."""
        cdef Client c = self.client
        cdef Command command = self.command(argc)

        self.caller.refused = True
        if command is None:
            return self.refuse(NULL, b"-ERR Unknown Redis command called from script")
        if not takes(command, argc):
            return self.refuse(<void*>command, b"-ERR Wrong number of args calling Redis command from script")
        if command.flags & NOSCRIPT and not self.allows_all:
            return self.refuse(<void*>command, b"-ERR This Redis command is not allowed from script")
        if c.flags & C_LIMITED and self.is_denied(command, argc):
            return self.refuse(<void*>command, self.obstacle)
        if command.flags & (WRITE | MAY_REPLICATE) and self.read_only:
            return self.refuse(<void*>command, b"-ERR Write commands are not allowed from read-only scripts.")
        if (self.out_of_memory and command.flags & DENYOOM and not self.wrote
                and not self.code.flags & CODE_ALLOW_OOM):
            return self.refuse(<void*>command, b"-OOM command not allowed when used memory > 'maxmemory'.")
        if c.core.gate & (GATE_DISK | GATE_REPLICATION) and self.is_barred(command):
            return self.refuse(<void*>command, self.obstacle)
        if unlikely(self.caller.size >= LARGE) and not mem_possible(self.caller.size):
            self.obstacle = b"-" + ERR_NO_MEMORY
            return self.refuse(<void*>command, self.obstacle)
        self.caller.refused = False
        self.out.clear()
        self.out.resp = self.caller.resp
        c.core.tick = ticks()               # what Lua did meanwhile is no time of the command
        c.argv, c.argc = self.argv, argc
        self.wrote = self.wrote or command.flags & WRITE != 0
        c.flags |= C_SCRIPT
        c.core.targets = self.caller.targets
        call_guarded(c, command)
        c.core.targets = TO_ALL
        return self.out.data

    cdef bint is_denied(self, Command command, int argc) except -1:
        """Whether the client's user may not run the command in self.argv."""
        cdef Client c = self.client
        cdef int position = 0
        cdef int denial

        # For the log, the command is the one that runs the script.
        c.command = find_command(<CommandTable>self.engine.commands, self.call[0].ptr, self.call[0].size)
        c.argv, c.argc = self.argv, argc
        denial = check_access(c, command, FROM_SCRIPT, &position)
        if denial == ALLOWED:
            return False
        self.obstacle = b"-ERR ACL failure in script: " + denial_text(denial, c.user, command, b"", False)
        return True

    cdef int knows(self, int argc) except -2:
        """Whether the client's user may run the command in self.argv; -1: there is none."""
        cdef Client c = self.client
        cdef Command command = self.command(argc)
        cdef int position = 0

        if command is None:
            return -1
        return find_denial(c, c.user, command, self.argv, argc, &position) == ALLOWED

    cdef bint is_barred(self, Command command) except -1:
        """Whether there is an obstacle, for a reason that concerns the server. What has written already may go on."""
        cdef uint64_t flags = command.flags & ~<uint64_t>WRITE if self.wrote else command.flags
        cdef bytes text = None

        if self.engine.core.gate & GATE_REPLICATION:
            text = self.engine.replication.refusal(flags, self.client.flags)
        if text is None and self.engine.core.gate & GATE_DISK and flags & WRITE:
            text = next(iter(self.engine.disk_errors.values()))
        if text is None:
            return False
        if text.startswith(b"MASTERDOWN"):
            text = b"ERR Can not execute the command on a stale replica"
        self.obstacle = b"-" + text
        return True

    cdef const char* refuse(self, void* command, const char* text) except NULL:
        """Count a command that may not run; NULL: there is none of that name."""
        self.engine.count_error(text + 1, strlen(text + 1))
        self.engine.core.errors_seen = self.engine.core.errors
        if command is not NULL:
            self.engine.stats[(<Command>command).index].rejected += 1
        return text


cdef int show_call(Client c) except -1:
    if c.core.after_call & AFTER_MONITOR:
        (<Monitors>c.engine.monitors).show(c)
    return 0


cdef bint get_keys_or_reply(Client c, int* keys, const char* not_integer) except -1:
    cdef int64_t number

    if not get_int_or_reply_text(c, 2, &number, not_integer):
        return False
    if number > c.argc - 3:
        c.error(ERR_NUMKEYS_ARGS)
        return False
    if number < 0:
        c.error(ERR_NUMKEYS_NEGATIVE)
        return False
    keys[0] = <int>number
    return True


cdef inline bint takes(Command command, int argc) noexcept:
    """Whether a command takes so many arguments."""
    return argc == command.arity or (command.arity < 0 and argc >= -command.arity)


# For the Caller: with the GIL, although who calls them does not know that there is one.

cdef Arg* py_reserve(void* runs, int argc) noexcept:
    return (<Runs>runs).reserved(argc)


cdef const char* py_call(void* runs, int argc) noexcept:
    cdef Runs self = <Runs>runs
    cdef const char* reply

    if self.tracer is None:
        return self.execute(argc)
    self.tracer.called(self.argv, argc)
    reply = self.execute(argc)
    self.tracer.replied(reply)
    return reply


cdef const char* py_trace(void* caller, lua_State* L, lua_Debug* ar) noexcept:
    return (<Runs>(<Caller*>caller).runs).tracer.line(L, ar)


cdef bint py_breakpoint(void* runs) noexcept:
    return (<Runs>runs).tracer is not None and (<Runs>runs).tracer.breakpoint()


cdef void py_show(void* runs, lua_State* L) noexcept:
    if (<Runs>runs).tracer is not None:
        (<Runs>runs).tracer.show(L)


cdef const char* py_interrupt(void* caller) noexcept:
    return (<Runs>(<Caller*>caller).runs).interrupt()


cdef int py_knows(void* runs, int argc) noexcept:
    return (<Runs>runs).knows(argc)


cdef void py_log(void* runs, int level, const char* text, size_t size) noexcept:
    (<Runs>runs).engine.log.write(level, text[:size].decode("utf-8", "replace"))


cdef bint can_push_or_reply(Client c, int first) except -1:
    """Whether there is the memory for the arguments from that one on as values of Lua."""
    cdef size_t size = 0
    cdef int i

    for i in range(first, c.argc):
        if unlikely(c.argv[i].size > MOST_TEXT):
            c.error(ERR_NO_MEMORY)
            return False
        size += c.argv[i].size + VALUE_BYTES
    return likely(size < LARGE) or get_memory_or_reply(c, 0, size)


cdef void push_arguments(Vm* vm, Code code, const char* name, Arg* argv, int argc) noexcept:
    """Push a table of arguments; for a script it becomes the global of that name."""
    cdef int i

    lua.createtable(vm.L, argc, 0)
    for i in range(argc):
        lua.pushlstring(vm.L, argv[i].ptr, argv[i].size)
        lua.rawseti(vm.L, -2, i + 1)
    if not code.flags & CODE_FUNCTION:
        sandbox_set(vm, name)
