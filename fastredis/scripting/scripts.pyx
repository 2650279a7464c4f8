"""EVAL's scripts: cache, run, redis.call. The design comment is in scripts.pxd."""
cimport cython

from collections import OrderedDict

from libc.stdint cimport int64_t, uint64_t
from libc.string cimport memchr

from fastredis.ds.alloc cimport mem_free, mem_realloc
from fastredis.ds.sha1 cimport SHA1_TEXT, sha1_text
from fastredis.engine.client cimport Frame, unit_begin, unit_end
from fastredis.engine.command cimport CommandTable, find_command, find_subcommand
from fastredis.engine.core cimport GATE_DISK, GATE_REPLICATION
from fastredis.engine.dispatch cimport call_guarded
from fastredis.engine.engine cimport C_MULTI, C_PUBSUB, C_REPLY_OFF, C_REPLY_SKIP, C_REPLY_SKIP_NEXT
from fastredis.engine.errors cimport ERR_OOM, ERR_SHEBANG
from fastredis.engine.flags cimport CONTAINER, DENYOOM, NOSCRIPT, STALE, WRITE
from fastredis.engine.keyspace cimport Database
from fastredis.engine.reply cimport reply_new
from fastredis.scripting.chunk cimport vm_load
from fastredis.scripting.lua_api cimport LUA_OK, lua, lua_pop
from fastredis.scripting.redis_library cimport open_redis
from fastredis.scripting.replies cimport reply_value
from fastredis.scripting.sandbox cimport sandbox_open, sandbox_set
from fastredis.scripting.values cimport ErrorInfo, read_error
from fastredis.scripting.vm cimport vm_call, vm_close, vm_forget, vm_new, vm_push

from fastredis.scripting.lua_api import LuaMissing

cdef enum:
    MOST_CACHED = 500               # scripts that came by EVAL
    SCRIPT_BYTES = 200              # what one takes besides its text
    FIRST_ROOM = 16                 # arguments
    CLEARED = C_MULTI | C_REPLY_OFF | C_REPLY_SKIP | C_REPLY_SKIP_NEXT | C_PUBSUB   # do not concern its commands

ctypedef Arg* (*Reserving)(void* scripts, int argc) noexcept nogil
ctypedef const char* (*Calling)(void* scripts, int argc) noexcept nogil
ctypedef bint (*Knowing)(void* scripts, int argc) noexcept nogil
ctypedef void (*Logging)(void* scripts, int level, const char* text, size_t size) noexcept nogil

cdef dict FLAGS = {
    b"no-writes": SCRIPT_NO_WRITES, b"allow-oom": SCRIPT_ALLOW_OOM, b"allow-stale": SCRIPT_ALLOW_STALE,
    b"no-cluster": SCRIPT_NO_CLUSTER, b"allow-cross-slot-keys": SCRIPT_CROSS_SLOT,
}


class BadShebangError(Exception):
    """The first line of a script makes no sense; the argument is the error reply."""


cdef int read_shebang(bytes line) except -1:
    """The flags of a script's first line, `#!lua flags=a,b`. Errors: BadShebangError."""
    cdef list words = line.split()
    cdef int flags = SCRIPT_SHEBANG

    if not words or words[0] != b"#!lua":
        raise BadShebangError(b"ERR Unexpected engine in script shebang: " + (words[0] if words else b""))
    for word in words[1:]:
        if not word.startswith(b"flags="):
            raise BadShebangError(b"ERR Unknown lua shebang option: " + word)
        for name in filter(None, word[6:].split(b",")):
            if name not in FLAGS:
                raise BadShebangError(b"ERR Unexpected flag in script shebang: " + name)
            flags |= FLAGS[name]
    return flags


@cython.no_gc_clear                 # __dealloc__ needs the engine
cdef class Scripts:
    """The scripts of one engine."""

    def __init__(self, Engine engine not None):
        self.engine = engine
        self.by_sha = {}
        self.by_eval = OrderedDict()
        self.out = reply_new(&engine.core, engine, 2)

    def __dealloc__(self):
        if self.engine is not None:
            mem_free(&self.engine.core.memory, self.argv, self.room * sizeof(Arg))
            if self.vm is not NULL:
                vm_close(self.vm)

    @property
    def count(self):
        """Scripts that are kept."""
        return len(self.by_sha)

    @property
    def lua_bytes(self):
        """What Lua holds."""
        return self.vm.used if self.vm is not NULL else 0

    # --- the cache ----------------------------------------------------------------------

    cdef bint ready_or_reply(self, Client c) except -1:
        """Have a Lua; replies an error if there is none to be had."""
        if self.vm is not NULL:
            return True
        try:
            self.vm = vm_new(&self.engine.core.memory, NULL)
        except LuaMissing as missing:
            self.engine.log.warning(f"Scripts can't run: {missing}")
            c.error_text(b"ERR scripts can't run on this server: " + str(missing).encode())
            return False
        self.vm.context = &self.caller
        self.caller.scripts = <void*>self
        self.caller.reserve = <Reserving><void*>py_reserve
        self.caller.call = <Calling><void*>py_call
        self.caller.knows = <Knowing><void*>py_knows
        self.caller.log = <Logging><void*>py_log
        sandbox_open(self.vm)
        open_redis(self.vm)
        return True

    cdef Script find(self, const char* sha, size_t size):
        cdef Script script = self.by_sha.get(sha[:size].lower())

        if script is not None and script.sha in self.by_eval:
            self.by_eval.move_to_end(script.sha)
        return script

    cdef Script load_or_reply(self, Client c, const char* text, size_t size, bint by_eval):
        cdef char[SHA1_TEXT] digits
        cdef const char* newline
        cdef Script script
        cdef size_t start = 0

        sha1_text(text, size, digits)
        script = self.find(digits, SHA1_TEXT)
        if script is not None:
            if not by_eval:
                self.by_eval.pop(script.sha, None)
            return script
        if not self.ready_or_reply(c):
            return None
        script = Script()
        script.sha = digits[:SHA1_TEXT]
        if size > 1 and text[0] == c"#" and text[1] == c"!":
            newline = <const char*>memchr(text, c"\n", size)
            if newline is NULL:
                c.error(ERR_SHEBANG)
                return None
            start = newline - text              # the newline stays: lines are counted with this one
            try:
                script.flags = read_shebang(text[:start])
            except BadShebangError as error:
                c.error_text(error.args[0])
                return None
        script.ref = vm_load(self.vm, text + start, size - start, b"@user_script")
        if script.ref == 0:
            self.reply_bad_text(c)
            return None
        script.text = text[:size]
        self.keep(script, by_eval)
        return script

    def reply_bad_text(self, Client c):
        """The message of Lua's parser is on the stack."""
        cdef size_t size
        cdef const char* text = lua.tolstring(self.vm.L, -1, &size)

        c.error_text(b"ERR Error compiling script (new function): " + text[:size])
        lua_pop(self.vm.L, 1)

    def keep(self, Script script, bint by_eval):
        """Know a script from now on; another one may have to go for it."""
        self.by_sha[script.sha] = script
        self.count_text(len(script.text) + SCRIPT_BYTES)
        if by_eval:
            self.by_eval[script.sha] = None
            if len(self.by_eval) > MOST_CACHED:
                self.forget(next(iter(self.by_eval)))
                self.evicted += 1

    def count_text(self, int64_t more):
        self.text_bytes += more
        self.engine.core.memory.used += more

    cdef int forget(self, bytes sha) except -1:
        cdef Script script = self.by_sha.pop(sha)

        self.by_eval.pop(sha, None)
        vm_forget(self.vm, script.ref)
        self.count_text(-(len(script.text) + SCRIPT_BYTES))
        return 0

    cdef int flush(self) except -1:
        """Forget all scripts, and all that they have left in their Lua."""
        self.by_sha.clear()
        self.by_eval.clear()
        self.count_text(-self.text_bytes)
        if self.vm is not NULL:
            vm_close(self.vm)
            self.vm = NULL
        return 0

    # --- runs -----------------------------------------------------------------------------

    cdef int run(self, Client c, Script script, int first_key, int keys, bint read_only) except -1:
        """Run a script with argv[first_key] and what follows as its keys, then its arguments; reply what it returns."""
        cdef lua_State* L = self.vm.L
        cdef Database db = c.db
        cdef Frame outer
        cdef int status

        self.out_of_memory = c.core.memory.used > c.core.memory_limit
        if script.flags & SCRIPT_SHEBANG and not self.may_run_or_reply(c, script, read_only):
            return 0
        set_arguments(self.vm, b"KEYS", &c.argv[first_key], keys)
        set_arguments(self.vm, b"ARGV", &c.argv[first_key + keys], c.argc - first_key - keys)
        self.client, self.script = c, script
        self.read_only = read_only or script.flags & SCRIPT_NO_WRITES
        self.wrote = False
        self.caller.resp = 2
        unit_begin(c, &outer, self.out, CLEARED)
        try:
            vm_push(self.vm, script.ref)
            status = vm_call(self.vm, 0, 1)
        finally:
            unit_end(c, &outer)
            c.db = db                           # SELECT was for the script alone
            self.client = None
            self.out.clear()
        if status == LUA_OK:
            reply_value(c, L, self.caller.resp)
        else:
            self.reply_failure(c, L)
        lua.settop(L, 0)
        return 0

    cdef bint may_run_or_reply(self, Client c, Script script, bint read_only) except -1:
        """Whether a script with a shebang may run: it is checked as a command with its flags would be."""
        cdef uint64_t flags = STALE if script.flags & SCRIPT_ALLOW_STALE else 0
        cdef bytes text = None

        if not script.flags & SCRIPT_NO_WRITES:
            flags |= WRITE
        if (self.out_of_memory and not script.flags & (SCRIPT_NO_WRITES | SCRIPT_ALLOW_OOM)):
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
            text += b" script: %s, on %s:%s." % (self.script.sha, info.source, info.line)
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
                and not self.script.flags & SCRIPT_ALLOW_OOM):
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

cdef Arg* py_reserve(void* scripts, int argc) noexcept:
    cdef Scripts self = <Scripts>scripts
    cdef int room = max(self.room, FIRST_ROOM)

    while room < argc:
        room *= 2
    if room > self.room:
        self.argv = <Arg*>mem_realloc(&self.engine.core.memory, self.argv, self.room * sizeof(Arg), room * sizeof(Arg))
        self.room = room
    return self.argv


cdef const char* py_call(void* scripts, int argc) noexcept:
    return (<Scripts>scripts).execute(argc)


cdef bint py_knows(void* scripts, int argc) noexcept:
    cdef Command command = (<Scripts>scripts).command(argc)

    return command is not None and takes(command, argc)


cdef void py_log(void* scripts, int level, const char* text, size_t size) noexcept:
    (<Scripts>scripts).engine.log.write(level, text[:size].decode("utf-8", "replace"))


cdef void set_arguments(Vm* vm, const char* name, Arg* argv, int argc) noexcept:
    """Have arguments as a global table."""
    cdef int i

    lua.createtable(vm.L, argc, 0)
    for i in range(argc):
        lua.pushlstring(vm.L, argv[i].ptr, argv[i].size)
        lua.rawseti(vm.L, -2, i + 1)
    sandbox_set(vm, name)
