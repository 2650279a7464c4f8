# Debugger: what `redis-cli --ldb` speaks to after SCRIPT DEBUG.
#
#   EVAL --> begin() --> Lua --> before each line: line() --> stop? -- an array of lines --> client
#                                                                  <-- [step] [print x] ... --
#        --> end(): <endsession>, what EVAL returns, and the connection is closed
#
# In a session the client's socket belongs to the debugger, which reads commands from it, and waits for them. So that
# nobody else has to wait, and nothing is changed, it runs in a process of its own, forked from the server, which has
# nothing to do with the connection any more (`forked`). With SCRIPT DEBUG SYNC it is the server itself: all others
# wait, and what the script changes stays changed.
#
# The forked process uses no event loop: it leaves by os._exit when EVAL has returned. Feeds, monitors and timers are
# taken from its engine before (Engine.isolate).
#
# A client that leaves has the script run to its end, or, if it has no end, ended by the next look at the time.
# Source: https://redis.io/docs/latest/develop/interact/programmability/lua-debugging/

from fastredis.engine.connection cimport Connection
from fastredis.scripting.lua_api cimport lua_Debug, lua_State
from fastredis.scripting.run cimport Runs, Tracer


cdef class Debugger(Tracer):
    cdef Runs runs
    cdef Connection client
    cdef bint forked
    cdef list source                    # lines of the script
    cdef list output                    # lines that are to be sent
    cdef bytes input                    # what the client has sent, and is no whole command yet
    cdef int current                    # line that is about to run
    cdef bint stepping                  # stop at the next line; show commands and their replies
    cdef bint stop_next                 # redis.breakpoint() was called
    cdef list breakpoints
    cdef int longest                    # bytes of a value that are shown; 0: all
    cdef bint hinted                    # the client was told that it can change that
    cdef bint alone                     # the client has left
    cdef bytes reason                   # the error that line() has returned

    cdef int stop(self, lua_State* L, bytes reason) except -1
    cdef bint execute(self, lua_State* L, list words) except -1
    cdef int print_all(self, lua_State* L) except -1
    cdef int print_one(self, lua_State* L, bytes name) except -1
    cdef int trace(self, lua_State* L) except -1
    cdef int evaluate(self, lua_State* L, bytes code) except -1
    cdef int call(self, list words) except -1


# SCRIPT DEBUG is on for a client that has sent EVAL: the session, which ends with end(). None: it is in another
# process, or an error was replied.
cdef Debugger debugger_begin(Runs runs, Connection c, bytes script)
