"""A sandboxed Lua, callable from Python. Built for the tests only.

What a script returns becomes what EVAL would reply in RESP2, in the types of tests.resp.
"""
from libc.stdint cimport int64_t
from libc.string cimport memset

from fastredis.ds.alloc cimport Account
from fastredis.scripting.bit cimport open_bit
from fastredis.scripting.chunk cimport vm_load
from fastredis.scripting.lua_api cimport (
    LUA_OK, LUA_REGISTRYINDEX, LUA_TBOOLEAN, LUA_TNIL, LUA_TNUMBER, LUA_TSTRING, LUA_TTABLE, get_field, lua, lua_pop,
    set_function,
)
from fastredis.scripting.sandbox cimport (
    sandbox_add, sandbox_open, sandbox_push_globals, sandbox_replace_globals, sandbox_set,
)
from fastredis.scripting.values cimport (
    ErrorInfo, push_error, read_error, redis_error_reply, redis_sha1hex, redis_status_reply,
)
from fastredis.scripting.vm cimport Vm, vm_call, vm_close, vm_forget, vm_new, vm_push
from fastredis.scripting.watchdog cimport Watchdog, dog_free, dog_new

import hashlib

from fastredis.scripting.lua_api import load
from tests.resp import Error, Status

LIBRARY = load()


cdef struct Context:
    int asked                       # how often the interrupt was asked
    int patience                    # how often it says yes


cdef const char* interrupt(void* context) noexcept nogil:
    cdef Context* shared = <Context*>context

    shared.asked += 1
    if shared.asked <= shared.patience:
        return NULL
    return b"ERR Script killed by user with SCRIPT KILL."


cdef class Lua:
    """A Vm with `redis.error_reply`, `status_reply` and `sha1hex`. own_bit: it has our `bit`, also in LuaJIT.

    interrupt_after_ms: a script is asked from then on whether it may go on, and is killed at the question after
    `patience`; with `watchdog` false it is asked from the beginning.
    """

    cdef Vm* vm
    cdef Watchdog* dog
    cdef Account account
    cdef Context context
    cdef int saved                  # reference to globals that were replaced

    def __cinit__(self, int64_t limit=0, interrupt_after_ms=None, int patience=0, bint watchdog=True,
                  bint own_bit=False, bint alias=False):
        memset(&self.account, 0, sizeof(Account))
        memset(&self.context, 0, sizeof(Context))
        if watchdog:
            self.dog = dog_new()
        self.vm = vm_new(&self.account, self.dog)
        sandbox_open(self.vm)
        self.vm.limit = limit
        self.vm.context = &self.context
        self.context.patience = patience
        if interrupt_after_ms is not None:
            self.vm.interrupt = interrupt
            self.vm.patience_ms = interrupt_after_ms
        lua.createtable(self.vm.L, 0, 3)
        set_function(self.vm.L, b"error_reply", redis_error_reply)
        set_function(self.vm.L, b"status_reply", redis_status_reply)
        set_function(self.vm.L, b"sha1hex", redis_sha1hex)
        sandbox_add(self.vm, b"redis", <const char*>b"server" if alias else NULL)
        if own_bit:
            open_bit(self.vm.L)
            sandbox_add(self.vm, b"bit", NULL)
        for name in (b"KEYS", b"ARGV"):
            lua.createtable(self.vm.L, 0, 0)
            sandbox_set(self.vm, name)

    def __dealloc__(self):
        if self.vm is not NULL:
            vm_close(self.vm)
        if self.dog is not NULL:
            dog_free(self.dog)

    @property
    def used(self):
        """Bytes that Lua holds."""
        return self.vm.used

    @property
    def charged(self):
        """Bytes of the account."""
        return self.account.used

    @property
    def asked(self):
        return self.context.asked

    def forgive(self):
        """Scripts may run as long as they like from now on."""
        self.vm.interrupt = NULL

    @property
    def slots(self):
        """Values that are left on the stack."""
        return lua.gettop(self.vm.L)

    def load(self, bytes script, bytes name=b"@user_script"):
        """The script's reference, or an Error."""
        cdef int ref = vm_load(self.vm, script, len(script), name)
        cdef size_t size
        cdef const char* text

        if ref:
            return ref
        text = lua.tolstring(self.vm.L, -1, &size)
        message = Error(f"ERR Error compiling script (new function): {text[:size].decode(errors='surrogateescape')}")
        lua_pop(self.vm.L, 1)
        return message

    def forget(self, int ref):
        vm_forget(self.vm, ref)

    def call(self, int ref, str sha="f", int arguments=0, int times=1):
        """Run a loaded script `times` times -> what the last run returned, or the first Error."""
        cdef int i, status = LUA_OK

        for i in range(times):
            vm_push(self.vm, ref)
            for n in range(arguments):
                lua.pushnumber(self.vm.L, n)
            status = vm_call(self.vm, arguments, 1)
            if status != LUA_OK or i == times - 1:
                break
            lua_pop(self.vm.L, 1)
        value = self.value() if status == LUA_OK else self.error(sha)
        lua.settop(self.vm.L, 0)
        return value

    def run(self, script):
        """Compile and run a script, as EVAL does."""
        script = script.encode("latin1") if isinstance(script, str) else script
        ref = self.load(script)
        if isinstance(ref, Error):
            return ref
        value = self.call(ref, hashlib.sha1(script).hexdigest())
        vm_forget(self.vm, ref)
        return value

    def replace_globals(self, names):
        """Leave only these of the globals, until restore_globals()."""
        sandbox_push_globals(self.vm)
        lua.pushvalue(self.vm.L, -1)
        self.saved = lua.L_ref(self.vm.L, LUA_REGISTRYINDEX)
        lua.createtable(self.vm.L, 0, 0)
        for name in names:
            lua.pushstring(self.vm.L, name)
            get_field(self.vm.L, 1, name)
            lua.rawset(self.vm.L, 2)
        sandbox_replace_globals(self.vm)
        lua.settop(self.vm.L, 0)

    def restore_globals(self):
        lua.rawgeti(self.vm.L, LUA_REGISTRYINDEX, self.saved)
        sandbox_replace_globals(self.vm)

    def verify(self):
        """Every proxy is empty still, and the stack, too."""
        cdef int i, found = 0

        for i in range(self.vm.proxy_count):
            found += self.holds(self.vm.proxies[i])
        assert found == 0, f"{found} proxies are not empty"
        assert lua.gettop(self.vm.L) == 0, lua.gettop(self.vm.L)

    cdef int holds(self, const void* proxy):
        """1 if a proxy that a global stands for holds something."""
        cdef int held = 0

        lua.rawgeti(self.vm.L, LUA_REGISTRYINDEX, self.vm.globals)
        lua.pushnil(self.vm.L)
        while lua.next(self.vm.L, -2):
            if lua.topointer(self.vm.L, -1) == proxy:
                lua.pushnil(self.vm.L)
                if lua.next(self.vm.L, -2):
                    held = 1
                    lua_pop(self.vm.L, 2)
            lua_pop(self.vm.L, 1)
        lua_pop(self.vm.L, 1)
        return held

    cdef text(self, int index):
        """A string on the stack as bytes."""
        cdef size_t size
        cdef const char* text = lua.tolstring(self.vm.L, index, &size)

        return text[:size]

    cdef field(self, const char* name):
        """A field of the table on top of the stack as bytes, or None if it is no string."""
        get_field(self.vm.L, -1, name)
        found = self.text(-1) if lua.type(self.vm.L, -1) == LUA_TSTRING else None
        lua_pop(self.vm.L, 1)
        return found

    cdef value(self):
        """What is on top of the stack, as EVAL replies it."""
        cdef int type = lua.type(self.vm.L, -1), i = 1
        cdef double n

        if type == LUA_TSTRING:
            return self.text(-1)
        if type == LUA_TNUMBER:
            n = lua.tonumber(self.vm.L, -1)
            return <int64_t>n if -9.3e18 < n < 9.2e18 else -2**63
        if type == LUA_TBOOLEAN:
            return 1 if lua.toboolean(self.vm.L, -1) else None
        if type != LUA_TTABLE:
            return None
        err, ok = self.field(b"err"), self.field(b"ok")
        if err is not None:
            return Error(line(err))
        if ok is not None:
            return Status(line(ok))
        items = []
        while True:
            lua.checkstack(self.vm.L, 4)
            lua.rawgeti(self.vm.L, -1, i)
            if lua.type(self.vm.L, -1) == LUA_TNIL:
                lua_pop(self.vm.L, 1)
                return items
            items.append(self.value())
            lua_pop(self.vm.L, 1)
            i += 1

    cdef error(self, str sha):
        """The error on top of the stack, as EVAL replies it."""
        cdef ErrorInfo info

        read_error(self.vm.L, lua.gettop(self.vm.L), &info)
        text = info.text[:info.size] if info.text is not NULL else b"unknown error"
        if info.source is not NULL and info.line is not NULL:
            text += b" script: %s, on %s:%s." % (sha.encode(), info.source, info.line)
        return Error(line(text))


def line(bytes text):
    """Text of a simple reply: one line."""
    return text.replace(b"\r", b" ").replace(b"\n", b" ").decode(errors="surrogateescape")


def error_table(bytes text):
    """The `err` of the table that push_error() makes."""
    cdef Lua lua_ = Lua()

    push_error(lua_.vm.L, text, len(text))
    found = lua_.field(b"err")
    lua.settop(lua_.vm.L, 0)
    return found


def lifetime(bytes script):
    """Bytes that are still charged after a Vm was made, has run a script, and was closed."""
    cdef Account account
    cdef Vm* vm
    cdef int ref

    memset(&account, 0, sizeof(Account))
    vm = vm_new(&account, NULL)
    sandbox_open(vm)
    ref = vm_load(vm, script, len(script), b"@user_script")
    vm_push(vm, ref)
    assert vm_call(vm, 0, 1) == LUA_OK
    vm_close(vm)
    return account.used
