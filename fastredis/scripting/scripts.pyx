"""EVAL's scripts: their cache. The design comment is in scripts.pxd."""
cimport cython

from collections import OrderedDict

from libc.stdint cimport int64_t, uint64_t
from libc.string cimport memchr, memcmp

from fastredis.ds.sha1 cimport SHA1_TEXT, sha1_text
from fastredis.engine.errors cimport ERR_SHEBANG
from fastredis.engine.flags cimport DENYOOM, MAY_REPLICATE, READONLY, STALE, WRITE
from fastredis.scripting.chunk cimport vm_load
from fastredis.scripting.lua_api cimport lua, lua_pop
from fastredis.scripting.run cimport (
    CODE_ALLOW_OOM, CODE_ALLOW_STALE, CODE_DECLARES, CODE_NO_WRITES, code_flag,
)
from fastredis.scripting.vm cimport vm_close, vm_forget

from fastredis.scripting.functions import Functions
from fastredis.scripting.lua_api import LuaMissing
from fastredis.text import split_args, to_bytes, to_text

cdef enum:
    MOST_CACHED = 500               # scripts that came by EVAL
    SCRIPT_BYTES = 200              # what one takes besides its text


class BadShebangError(Exception):
    """The first line of a script makes no sense; the argument is the error reply."""


cdef int read_shebang(bytes line) except -1:
    """The flags of a script's first line, `#!lua flags=a,b`. Errors: BadShebangError."""
    cdef list words = split_args(to_text(line))
    cdef int flags = CODE_DECLARES, flag

    if not words:
        raise BadShebangError(b"ERR Invalid engine in script shebang")
    words = [to_bytes(word) for word in words]
    if words[0] != b"#!lua":
        raise BadShebangError(b"ERR Unexpected engine in script shebang: " + words[0])
    for word in words[1:]:
        if not word.startswith(b"flags="):
            raise BadShebangError(b"ERR Unknown lua shebang option: " + word)
        for name in word[6:].split(b",") if len(word) > 6 else ():
            flag = code_flag(name, len(name)) if name.islower() else 0
            if flag == 0:
                raise BadShebangError(b"ERR Unexpected flag in script shebang: " + name)
            flags |= flag
    return flags


@cython.no_gc_clear                 # __dealloc__ needs the engine
cdef class Scripts:
    """The scripts of one engine."""

    def __init__(self, Engine engine not None):
        self.engine = engine
        self.runs = Runs(engine)
        self.functions = Functions(self.runs)
        self.by_sha = {}
        self.by_eval = OrderedDict()

    def __dealloc__(self):
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

    def configure(self, config):
        """Take over the settings of scripts."""
        self.runs.configure(config)

    def reset_statistics(self):
        """CONFIG RESETSTAT."""
        self.evicted = 0

    def set_allows_all(self, allows):
        """DEBUG: let scripts call commands that are not for them."""
        self.runs.allows_all = allows

    def flags_of(self, bytes command, bytes text, uint64_t flags):
        """What a script does by its declaration, or, if it declares nothing, may do."""
        cdef Code code
        cdef int declared = 0

        if command.startswith(b"fcall"):
            code = self.functions.libraries.find(text, len(text))
        elif command.startswith(b"evalsha"):
            code = self.by_sha.get(text.lower())
        else:
            code = None
            if text.startswith(b"#!"):
                try:
                    declared = read_shebang(text.partition(b"\n")[0])
                except BadShebangError:
                    pass
        if code is not None:
            declared = code.flags
        if not declared & CODE_DECLARES:
            return flags if flags & READONLY else flags | MAY_REPLICATE
        flags &= ~<uint64_t>(STALE | DENYOOM | WRITE | MAY_REPLICATE)
        if not declared & (CODE_ALLOW_OOM | CODE_NO_WRITES):
            flags |= DENYOOM
        if not declared & CODE_NO_WRITES:
            flags |= WRITE
        return flags | STALE if declared & CODE_ALLOW_STALE else flags

    def end_sessions(self):
        """The service has ended: so do forked debuggers."""
        self.runs.end_sessions()

    cdef bint ready_or_reply(self, Client c) except -1:
        """Have a Lua; replies an error if there is none to be had."""
        if self.vm is not NULL:
            return True
        try:
            self.vm = self.runs.new_vm()
        except LuaMissing as missing:
            c.error_text(b"ERR scripts can't run on this server: " + str(missing).encode())
            return False
        return True

    cdef Script find(self, const char* sha, size_t size):
        cdef Script script = self.latest

        if script is not None and size == SHA1_TEXT and memcmp(sha, <const char*>script.name, SHA1_TEXT) == 0:
            return script
        script = self.by_sha.get(sha[:size].lower())
        if script is not None:
            if script.name in self.by_eval:
                self.by_eval.move_to_end(script.name)
            self.latest = script
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
                self.by_eval.pop(script.name, None)
            return script
        if not self.ready_or_reply(c):
            return None
        script = Script()
        script.name = digits[:SHA1_TEXT]
        if size > 1 and text[0] == c"#" and text[1] == c"!":
            newline = <const char*>memchr(text, c"\n", size)
            if newline is NULL or memchr(text, 0, newline - text) is not NULL:
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
        self.by_sha[script.name] = script
        self.count_text(len(script.text) + SCRIPT_BYTES)
        if by_eval:
            self.by_eval[script.name] = None
            if len(self.by_eval) > MOST_CACHED:
                self.forget(next(iter(self.by_eval)))
                self.evicted += 1
        self.latest = script

    def count_text(self, int64_t more):
        self.text_bytes += more
        self.engine.core.memory.used += more

    cdef int forget(self, bytes sha) except -1:
        cdef Script script = self.by_sha.pop(sha)

        self.latest = None
        self.by_eval.pop(sha, None)
        vm_forget(self.vm, script.ref)
        self.count_text(-(len(script.text) + SCRIPT_BYTES))
        return 0

    cdef int flush(self) except -1:
        """Forget all scripts, and all that they have left in their Lua."""
        self.by_sha.clear()
        self.by_eval.clear()
        self.latest = None
        self.count_text(-self.text_bytes)
        if self.vm is not NULL:
            vm_close(self.vm)
            self.vm = NULL
        return self.runs.release()

    cdef int run(self, Client c, Script script, int first_key, int keys, bint read_only) except -1:
        return self.runs.run(c, self.vm, script, first_key, keys, read_only)
