# Scripts: those that EVAL and SCRIPT LOAD have brought, and the Lua that they run in.
#
#   by_sha    sha1 (40 hexadecimal digits) -> Script { text, flags, ref ------> function in the Vm's registry }
#   by_eval   those of them that only an EVAL brought, the one that was used longest ago first: at most MOST_CACHED
#
# How one runs is in run.pxd. The Vm is made by the first script. SCRIPT FLUSH drops it with all that scripts have left
# in it.
# Source: https://redis.io/docs/latest/develop/interact/programmability/eval-intro/

from libc.stdint cimport int64_t

from fastredis.engine.client cimport Client
from fastredis.engine.engine cimport Engine
from fastredis.scripting.functions cimport FunctionOwner
from fastredis.scripting.run cimport Code, Runs
from fastredis.scripting.vm cimport Vm


cdef class Script(Code):
    cdef bytes text


cdef class Scripts:
    cdef Engine engine
    cdef Runs runs                      # of scripts and functions
    cdef readonly FunctionOwner functions
    cdef Vm* vm                         # NULL until the first script
    cdef dict by_sha
    cdef object by_eval                 # OrderedDict: sha -> None
    cdef Script latest                  # the one that was found or kept last: by_eval has it at its end
    cdef readonly int64_t evicted
    cdef readonly int64_t text_bytes    # of used_memory, what the texts take

    cdef Script find(self, const char* sha, size_t size)
    # A script's text, compiled and kept; replies the error if it can't be. by_eval: it may be forgotten again.
    cdef Script load_or_reply(self, Client c, const char* text, size_t size, bint by_eval)
    cdef int run(self, Client c, Script script, int first_key, int keys, bint read_only) except -1
    cdef int flush(self) except -1
    cdef bint ready_or_reply(self, Client c) except -1
    cdef int forget(self, bytes sha) except -1
