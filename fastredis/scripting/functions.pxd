# Functions: what FUNCTION LOAD has brought and FCALL calls.
#
#   Functions (the engine's)
#     libraries --> LibrarySet { by_name    name -> Library { code, functions: name -> Function { flags, ref } }
#                                functions  name in small letters -> Function                             |
#                                lua }                                                                    v
#                                +--> LibraryLua { vm } .................................. in the Vm's registry
#
# All libraries of a set share one Lua, apart from that of EVAL's scripts: what one keeps in local variables (upvalues)
# lasts from call to call, and globals can't be assigned to, so they do not know each other. A data set brings a set of
# its own: what is loaded from a file or a master goes into a new one, with a Lua of its own, which takes the other's
# place once all is there, and FUNCTION FLUSH puts an empty one there. So nothing is left of the old one but for the
# call that is under way, which holds on to its set.
#
# A library is its code, which begins with `#!lua name=...`. It is executed once, by itself: it sees no more than
# `redis` with register_function (function_library.pxd), may take half a second, and leaves nothing if it fails.
# Where no Lua is to be had, libraries of a data set are kept without their functions, so that they are not lost.
# Source: https://redis.io/docs/latest/develop/interact/programmability/functions-intro/

from libc.stdint cimport int64_t

from fastredis.engine.engine cimport Engine
from fastredis.scripting.redis_library cimport Registration
from fastredis.scripting.run cimport Code, Runs
from fastredis.scripting.vm cimport Vm


cdef enum:
    LOAD_MS = 500                       # that FUNCTION LOAD may take


cdef class Function(Code):
    cdef readonly bytes description     # None: it has none


cdef class Library:
    cdef readonly bytes name
    cdef readonly bytes code            # with its first line
    cdef readonly dict functions        # name -> Function, in the order of their registration


cdef class LibraryLua:
    cdef Runs runs
    cdef Vm* vm                         # NULL until the first library
    cdef int globals                    # reference: what a library sees while it is loaded

    cdef int open(self) except -1


cdef class LibrarySet:
    """A set of libraries."""
    cdef Engine engine
    cdef LibraryLua lua
    cdef readonly dict by_name          # name -> Library
    cdef dict functions                 # name in small letters -> Function
    cdef readonly int64_t text_bytes    # of used_memory, what the libraries take apart from Lua
    cdef Library loading                # FUNCTION LOAD is under way

    cdef Function find(self, const char* name, size_t size)

    # Steps of load(), for nobody else.
    cdef int execute(self, Library library, const char* text, size_t size, int64_t deadline_us) except -1
    cdef const char* add_function(self, Registration* r) except? NULL
    cdef int link(self, Library library) except -1
    cdef int unlink(self, Library library) except -1
    cdef int forget(self, Library library) except -1
    cdef int count_text(self, int64_t more) except -1


cdef class FunctionOwner:
    """What Scripts.functions is: Functions, which is Libraries (fastredis.engine.hooks) as well."""
    cdef Runs runs
    cdef readonly LibrarySet libraries
