"""LibrarySet of functions. The design comment is in functions.pxd."""
cimport cython

from libc.stdint cimport int64_t
from libc.string cimport memchr

from fastredis.ds.native cimport monotonic_us
from fastredis.scripting.chunk cimport vm_load
from fastredis.scripting.function_library cimport library_globals
from fastredis.scripting.lua_api cimport LUA_ERRSYNTAX, LUA_OK, LUA_REGISTRYINDEX, lua
from fastredis.scripting.redis_library cimport Caller
from fastredis.scripting.run cimport CODE_DECLARES, CODE_FUNCTION
from fastredis.scripting.sandbox cimport sandbox_push_globals, sandbox_replace_globals
from fastredis.scripting.values cimport ErrorInfo, read_error
from fastredis.scripting.vm cimport Interrupt, vm_call, vm_close, vm_forget, vm_push

from fastredis.engine.hooks import BadLibraryError, Libraries
from fastredis.scripting.lua_api import LuaMissing
from fastredis.text import split_args, to_bytes, to_text

ctypedef const char* (*Adding)(void* libraries, Registration* r) noexcept nogil

cdef enum:
    LIBRARY_BYTES = 600             # what one takes besides its code
    FUNCTION_BYTES = 400            # ... and each of its functions

cdef const char* BAD_NAME = (
    b"Library names can only contain letters, numbers, or underscores(_) and must be at least one character long")


# ---------------------------------------------------------------- the first line

cdef bint is_name(bytes name) except -1:
    """Whether a library or a function may be called that."""
    cdef char c

    for c in name:
        if not (c"a" <= c <= c"z" or c"A" <= c <= c"Z" or c"0" <= c <= c"9" or c == c"_"):
            return False
    return len(name) > 0


cdef bytes read_metadata(bytes line):
    """The library's name, of the first line of its code, `#!lua name=x`. Errors: BadLibraryError."""
    cdef list words = split_args(to_text(line))
    cdef bytes name = None

    if not words or b"\0" in line:
        raise BadLibraryError(b"Invalid library metadata")
    words = [to_bytes(word) for word in words]
    for word in words[1:]:
        if not word.lower().startswith(b"name="):
            raise BadLibraryError(b"Invalid metadata value given: " + word)
        if name is not None:
            raise BadLibraryError(b"Invalid metadata value, name argument was given multiple times")
        name = word[5:]
    if name is None:
        raise BadLibraryError(b"Library name was not given")
    if not is_name(name):
        raise BadLibraryError(BAD_NAME)
    if words[0].lower() != b"#!lua":
        raise BadLibraryError(b"Engine '%s' not found" % words[0][2:])
    return name


# ---------------------------------------------------------------- libraries

cdef class Function(Code):
    """A function of a library."""


cdef class Library:
    """A library of functions."""


@cython.no_gc_clear                 # __dealloc__ needs the engine
cdef class LibraryLua:
    """The Lua that libraries share."""

    def __init__(self, Runs runs not None):
        self.runs = runs

    def __dealloc__(self):
        if self.vm is not NULL:
            vm_close(self.vm)

    cdef int open(self) except -1:
        """Have a Lua. Errors: LuaMissing."""
        if self.vm is NULL:
            self.vm = self.runs.new_vm()
            self.globals = library_globals(self.vm)
        return 0


@cython.no_gc_clear
cdef class LibrarySet:
    def __init__(self, LibraryLua shared not None):
        self.lua = shared
        self.engine = shared.runs.engine
        self.by_name = {}
        self.functions = {}

    def __dealloc__(self):
        if self.engine is not None:
            self.engine.core.memory.used -= self.text_bytes

    @property
    def function_count(self):
        """Functions that can be called."""
        return len(self.functions)

    @property
    def lua_bytes(self):
        """What their Lua holds."""
        return self.lua.vm.used if self.lua.vm is not NULL else 0

    cdef Function find(self, const char* name, size_t size):
        return self.functions.get(name[:size].lower())

    def codes(self):
        """The code of each library."""
        cdef Library library

        return [library.code for library in self.by_name.values()]

    def add(self, bytes code not None, bint replace=False):
        """A library of a data set. Errors: BadLibraryError."""
        try:
            self.load(code, replace, 0)
        except LuaMissing as missing:
            self.engine.log.warning(f"A library of functions is kept, but can't be called: {missing}")
            self.keep(code)

    def load(self, bytes code not None, bint replace, int64_t deadline_us):
        """Add a library and return it. deadline_us: when it has taken too long, on the monotonic clock; 0: never.

        Errors: BadLibraryError, LuaMissing.
        """
        cdef const char* text = code
        cdef size_t size = len(code), line
        cdef const char* end
        cdef Library library, old

        if not code.startswith(b"#!"):
            raise BadLibraryError(b"Missing library metadata")
        end = <const char*>memchr(text, c"\n", size)
        if end is NULL:
            raise BadLibraryError(b"Invalid library metadata")
        line = end - text
        library = Library()
        library.name, library.code, library.functions = read_metadata(code[:line]), code, {}
        old = self.by_name.get(library.name)
        if old is not None and not replace:
            raise BadLibraryError(b"Library '%s' already exists" % library.name)
        self.execute(library, end, size - line, deadline_us)    # the newline stays: lines are counted with this one
        try:
            check_functions(library)
            self.check_collisions(library, old)
        except BadLibraryError:
            self.forget(library)
            raise
        if old is not None:
            self.unlink(old)
            self.forget(old)
        self.link(library)
        return library

    def check_collisions(self, Library library not None, Library old):
        """No other library but `old`, which goes, may have functions of the same names. BadLibraryError."""
        cdef Function function, other

        for function in library.functions.values():
            other = self.functions.get(function.name.lower())
            if other is not None and (old is None or old.functions.get(other.name) is not other):
                raise BadLibraryError(b"Function %s already exists" % function.name)

    cdef int execute(self, Library library, const char* text, size_t size, int64_t deadline_us) except -1:
        """Compile and run a library's code: that registers its functions. Errors: BadLibraryError, LuaMissing."""
        cdef Caller* caller = &self.lua.runs.caller
        cdef Vm* vm
        cdef int status

        self.lua.open()
        vm = self.lua.vm
        sandbox_push_globals(vm)
        lua.rawgeti(vm.L, LUA_REGISTRYINDEX, self.lua.globals)
        sandbox_replace_globals(vm)
        self.loading = library
        caller.libraries, caller.deadline_us = <void*>self, deadline_us
        caller.add_function = <Adding><void*>py_add_function
        problem = None
        status = run_library(vm, text, size, deadline_us != 0)
        caller.libraries = NULL
        self.loading = None
        if status != LUA_OK:
            problem = take_problem(vm, status)
        sandbox_replace_globals(vm)
        if problem is not None:
            self.forget(library)
            raise BadLibraryError(problem)
        return 0

    cdef const char* add_function(self, Registration* r) except? NULL:
        """A function of the library that is being loaded -> NULL, or why it can't be."""
        cdef bytes name = r.name[:r.name_size]
        cdef Function function

        if not is_name(name):
            return BAD_NAME
        if name in self.loading.functions:
            return b"Function already exists in the library"
        function = Function()
        function.name, function.ref = name, r.ref
        function.flags = r.flags | CODE_DECLARES | CODE_FUNCTION
        if r.description is not NULL:
            function.description = r.description[:r.description_size]
        self.loading.functions[name] = function
        return NULL

    # --- what is there --------------------------------------------------------------------

    cdef int count_text(self, int64_t more) except -1:
        self.text_bytes += more
        self.engine.core.memory.used += more
        return 0

    cdef int link(self, Library library) except -1:
        """Have a library. Of functions whose names are the same but for their case, the first can be called."""
        cdef Function function

        self.by_name[library.name] = library
        for function in library.functions.values():
            self.functions.setdefault(function.name.lower(), function)
        return self.count_text(memory_of(library))

    cdef int unlink(self, Library library) except -1:
        cdef Function function

        del self.by_name[library.name]
        for function in library.functions.values():
            if self.functions.get(function.name.lower()) is function:
                del self.functions[function.name.lower()]
        return self.count_text(-memory_of(library))

    cdef int forget(self, Library library) except -1:
        """Let go of a library's functions in Lua."""
        cdef Function function

        for function in library.functions.values():
            vm_forget(self.lua.vm, function.ref)
        return 0

    def delete(self, bytes name not None):
        """Whether there was such a library."""
        cdef Library library = self.by_name.get(name)

        if library is None:
            return False
        self.unlink(library)
        self.forget(library)
        return True

    def keep(self, bytes code not None):
        """A library that can't be executed, as there is no Lua: only its name is known."""
        cdef Library library = Library()

        library.name, library.code = read_metadata(code.partition(b"\n")[0]), code
        library.functions = {}
        self.link(library)

    def join(self, LibrarySet others not None, bint replace):
        """Take all of others' libraries, which are in the same Lua, or none of them. Errors: BadLibraryError."""
        cdef Library library
        cdef list replaced = [self.by_name[name] for name in others.by_name if name in self.by_name]

        if replaced and not replace:
            raise BadLibraryError(b"Library %s already exists" % (<Library>replaced[0]).name)
        for library in replaced:
            self.unlink(library)
        for name in others.functions:
            if name in self.functions:
                name = (<Function>others.functions[name]).name
                for library in replaced:
                    self.link(library)
                raise BadLibraryError(b"Function %s already exists" % name)
        for library in list(others.by_name.values()):
            others.unlink(library)
            self.link(library)
        for library in replaced:
            self.forget(library)

    def discard(self):
        """Let go of all: a set that shares its Lua with another one is not wanted."""
        for name in list(self.by_name):
            self.delete(name)


# ---------------------------------------------------------------- running one

cdef int run_library(Vm* vm, const char* text, size_t size, bint limited) noexcept:
    """Compile and run a library's code -> status, and but for LUA_OK the error on the stack."""
    cdef Interrupt interrupt = vm.interrupt
    cdef int64_t patience_ms = vm.patience_ms
    cdef int ref = vm_load(vm, text, size, b"@user_function")
    cdef int status

    if ref == 0:
        return LUA_ERRSYNTAX
    vm.interrupt = NULL
    if limited:
        vm.interrupt = ask_time
    vm.patience_ms = LOAD_MS
    vm_push(vm, ref)
    status = vm_call(vm, 0, 0)
    vm.interrupt, vm.patience_ms = interrupt, patience_ms
    vm_forget(vm, ref)
    return status


cdef const char* ask_time(void* context) noexcept nogil:
    """Vm.interrupt while a library is loaded."""
    if monotonic_us() < (<Caller*>context).deadline_us:
        return NULL
    return b"ERR FUNCTION LOAD timeout"


cdef bytes take_problem(Vm* vm, int status):
    """The error on top of the stack, as FUNCTION LOAD words it."""
    cdef ErrorInfo info
    cdef const char* text
    cdef size_t size
    cdef int top = lua.gettop(vm.L)

    if status == LUA_ERRSYNTAX:
        text = lua.tolstring(vm.L, top, &size)
        problem = b"Error compiling function: " + text[:size]
    else:
        read_error(vm.L, top, &info)
        problem = b"Error registering functions: " + (info.text[:info.size] if info.text is not NULL else b"")
    lua.settop(vm.L, top - 1)
    return problem


cdef const char* py_add_function(void* libraries, Registration* r) noexcept:
    return (<LibrarySet>libraries).add_function(r)


cdef int64_t memory_of(Library library) except -1:
    return LIBRARY_BYTES + len(library.code) + FUNCTION_BYTES * len(library.functions)


cdef int check_functions(Library library) except -1:
    if not library.functions:
        raise BadLibraryError(b"No functions registered")
    return 0


# ---------------------------------------------------------------- the engine's

cdef class FunctionOwner:
    """Where FCALL finds the libraries of an engine."""

    def __init__(self, Runs runs not None):
        self.runs = runs
        self.libraries = LibrarySet(LibraryLua(runs))

    def use(self, LibrarySet libraries):
        """The libraries of a set are those that there are now; None: there are none."""
        self.libraries = LibrarySet(LibraryLua(self.runs)) if libraries is None else libraries


class Functions(FunctionOwner, Libraries):
    """The libraries of one engine, for those who load and save them, too."""

    def codes(self):
        return self.libraries.codes()

    def new(self):
        return LibrarySet(LibraryLua((<FunctionOwner>self).runs))

    def beside(self):
        return LibrarySet((<LibrarySet>self.libraries).lua)

    def join(self, libraries, replace):
        try:
            self.libraries.join(libraries, replace)
        finally:
            libraries.discard()
