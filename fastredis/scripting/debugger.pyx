"""The debugger of scripts. The design comment is in debugger.pxd."""
import os
import socket
import struct

from libc.stdint cimport int64_t

from fastredis._resp cimport Arg, arg_of
from fastredis.ds.native cimport ticks
from fastredis.engine.engine cimport C_CLOSE_AFTER_REPLY
from fastredis.scripting.chunk cimport chunk_load
from fastredis.scripting.debug_text cimport reply_as_text, value_text
from fastredis.scripting.lua_api cimport (
    LUA_ERRSYNTAX, LUA_HOOKCOUNT, LUA_MINSTACK, LUA_OK, LUA_TTABLE, get_field, lua, lua_pop,
)

from fastredis.persist.child import fork, wait_for

cdef enum:
    SHOWN = 256                     # bytes of a value, unless `maxlen` says otherwise
    LEAST_SHOWN = 60
    MOST_BREAKPOINTS = 64
    CONTEXT = 5                     # lines around the present one that `list` shows
    MOST_WORDS = 1024               # of a command, and bytes of one
    MOST_INPUT = 1024 * 1024
    MOST_ARGUMENTS = 10             # of a command of the script that are shown
    READ_SIZE = 4096
    SEND_SECONDS = 5                # a client has so long to take what it is sent
    PATIENCE_MS = 5000              # of an endless script where busy-reply-threshold is 0

HELP = """Redis Lua debugger help:
[h]elp               Show this help.
[s]tep               Run current line and stop again.
[n]ext               Alias for step.
[c]ontinue           Run till next breakpoint.
[l]ist               List source code around current line.
[l]ist [line]        List source code around [line].
                     line = 0 means: current position.
[l]ist [line] [ctx]  In this form [ctx] specifies how many lines
                     to show before/after [line].
[w]hole              List all source code. Alias for 'list 1 1000000'.
[p]rint              Show all the local variables.
[p]rint <var>        Show the value of the specified variable.
                     Can also show global vars KEYS and ARGV.
[b]reak              Show all breakpoints.
[b]reak <line>       Add a breakpoint to the specified line.
[b]reak -<line>      Remove breakpoint from the specified line.
[b]reak 0            Remove all breakpoints.
[t]race              Show a backtrace.
[e]val <code>        Execute some Lua code (in a different callframe).
[r]edis <cmd>        Execute a Redis command.
[m]axlen [len]       Trim logged Redis replies and Lua var dumps to len.
                     Specifying zero as <len> means unlimited.
[a]bort              Stop the execution of the script. In sync
                     mode dataset changes will be retained.

Debugger functions you can call from Lua scripts:
redis.debug()        Produce logs in the debugger console.
redis.breakpoint()   Stop execution like if there was a breakpoint in the
                     next line of code."""


class SessionError(Exception):
    """What ends the script; the argument is the error."""


cdef int64_t number_of(bytes text):
    """What C's atoi() makes of a word."""
    cdef bytes digits = text.lstrip()
    cdef int end = 1 if digits[:1] in (b"-", b"+") else 0

    while digits[end:end + 1].isdigit():
        end += 1
    try:
        return int(digits[:min(end, 9)])
    except ValueError:
        return 0


cdef bytes first_line(const char* reply):
    """Of a reply, which no zero byte ends."""
    cdef const char* end = reply

    while end[0] != c"\r":
        end += 1
    return reply[:end - reply]


cdef class Debugger(Tracer):
    """One session."""

    # --- what the script does ---------------------------------------------------------------

    cdef const char* line(self, lua_State* L, lua_Debug* ar) noexcept:
        lua.getstack(L, 0, ar)
        lua.getinfo(L, b"Sl", ar)
        self.reason = self.runs.engine.guarded("the debugger", self.look, <size_t>L, ar.source == b"@user_script",
                                               ar.currentline, ar.event == LUA_HOOKCOUNT)
        return NULL if self.reason is None else <const char*>self.reason

    def look(self, state, is_script, line, is_count):
        """What is done before each line of code -> the error that ends the script, None: it goes on."""
        try:
            self.come_to(state, is_script, line, is_count)
        except SessionError as error:
            return error.args[0]
        return None

    def come_to(self, size_t state, bint is_script, int line, bint is_count):
        """The script is at a line, of its own or of something that it has loaded. Errors: SessionError."""
        cdef lua_State* L = <lua_State*>state
        cdef bint broken = line in self.breakpoints or self.stop_next
        cdef bint late = False

        self.current = line
        if not is_script:
            return
        if is_count and not self.stepping and not broken:
            if not self.is_late():
                return
            late = self.stepping = True
        if not self.stepping and not broken:
            return
        reason = b"step over"
        if broken:
            reason = b"redis.breakpoint() called" if self.stop_next else b"break point"
        elif late:
            reason = b"timeout reached, infinite loop?"
        self.stop(L, reason)
        if self.alone and late:
            raise SessionError(b"ERR timeout during Lua debugging with client closing connection")
        self.runs.start = ticks()

    def is_late(self):
        """Whether the script runs for longer than it should."""
        cdef double elapsed_ms = (ticks() - self.runs.start) / self.runs.engine.ticks_per_us() / 1000

        return elapsed_ms >= (self.runs.patience_ms or PATIENCE_MS)

    cdef bint breakpoint(self) except -1:
        self.stop_next = True
        return True

    cdef int show(self, lua_State* L) except -1:
        cdef int count = lua.gettop(L)
        cdef list values = []
        cdef int i

        for i in range(count):
            lua.pushvalue(L, i + 1)
            values.append(value_text(L, 0))
            lua_pop(L, 1)
        self.output.append(b"<debug> line %d: " % self.current + b", ".join(values))
        return 0

    cdef int called(self, Arg* argv, int argc) except -1:
        cdef int shown = min(argc, MOST_ARGUMENTS)
        cdef list words

        if self.stepping:
            words = [argv[i].ptr[:argv[i].size] for i in range(shown)]
            if shown < argc:
                words.append(b"... (%d more)" % (argc - shown - 1))
            self.output.append(b"<redis> " + b" ".join(words))
        return 0

    cdef int replied(self, const char* reply) except -1:
        if not self.stepping:
            return 0
        if self.runs.caller.refused:
            self.output.append(b"<error> " + (<bytes>reply).removeprefix(b"-ERR "))
            return 0
        if reply[0] == c"-":
            self.output.append(b"<error> " + first_line(reply))
        self.append_value(b"<reply> " + reply_as_text(reply))
        return 0

    # --- the connection -----------------------------------------------------------------------

    def append_value(self, bytes text):
        """Show a line, of which there may be too much."""
        if not self.longest or len(text) <= self.longest:
            self.output.append(text)
            return
        self.output.append(text[:self.longest] + b" ...")
        if not self.hinted:
            self.hinted = True
            self.output.append(b"<hint> The above reply was trimmed. Use 'maxlen 0' to disable trimming.")

    def send(self, bytes data):
        """Send bytes; a client that does not take them is gone."""
        try:
            while data:
                data = data[os.write(self.client.fd, data):]
        except OSError:
            self.alone = True

    def send_output(self):
        """Send the lines that there are, as an array."""
        lines = [b"+" + line.replace(b"\r", b" ").replace(b"\n", b" ") + b"\r\n" for line in self.output]
        self.output.clear()
        self.send(b"*%d\r\n" % len(lines) + b"".join(lines))

    def receive(self):
        """The words of the next command; None: the client has left. Errors: SessionError."""
        while True:
            words = self.parse()
            if words is not None:
                return words
            try:
                data = os.read(self.client.fd, READ_SIZE)
            except OSError:
                data = b""
            if not data:
                return None
            self.input += data
            if len(self.input) > MOST_INPUT:
                self.input = b""
                raise SessionError(b"ERR max client buffer reached")

    def parse(self):
        """A whole command at the start of the input, taken from it; None: there is none yet. Errors: SessionError."""
        cdef list words = []
        cdef Py_ssize_t at, end
        cdef int64_t size

        if not self.input:
            return None
        at = self.input.find(b"*")
        end = self.input.find(b"\r\n", at)
        if at < 0 or (end >= 0 and not 0 < number_of(self.input[at + 1:end]) <= MOST_WORDS):
            raise SessionError(b"ERR protocol error")
        if end < 0:
            return None
        count = number_of(self.input[at + 1:end])
        while len(words) < count:
            at = end + 2
            end = self.input.find(b"\r\n", at)
            if self.input[at:at + 1] not in (b"$", b""):
                raise SessionError(b"ERR protocol error")
            if end < 0:
                return None
            size = number_of(self.input[at + 1:end])
            if not 0 < size <= MOST_WORDS:
                raise SessionError(b"ERR protocol error")
            at = end + 2
            end = at + size
            if end + 2 > len(self.input):
                return None
            if self.input[end:end + 2] != b"\r\n":
                raise SessionError(b"ERR protocol error")
            words.append(self.input[at:end])
        self.input = self.input[end + 2:]
        return words

    # --- commands -----------------------------------------------------------------------------

    cdef int stop(self, lua_State* L, bytes reason) except -1:
        """Tell where the script is, and do what the client wants until that is to go on."""
        self.stepping = self.stop_next = False
        self.output.append(b"* Stopped at %d, stop reason = %b" % (self.current, reason))
        self.list_line(self.current)
        self.send_output()
        while True:
            words = self.receive()
            if words is None:
                self.alone = True
                self.breakpoints.clear()
                return 0
            if self.execute(L, words):
                return 0
            self.send_output()

    cdef bint execute(self, lua_State* L, list words) except -1:
        """Do what a command says; whether the script is to go on. Errors: SessionError."""
        cdef bytes name = words[0].lower()

        if name in (b"s", b"step", b"n", b"next"):
            self.stepping = True
            return True
        if name in (b"c", b"continue"):
            return True
        if name in (b"a", b"abort"):
            raise SessionError(b"ERR script aborted for user request")
        if name in (b"h", b"help"):
            self.output += HELP.encode().split(b"\n")
        elif name in (b"t", b"trace"):
            self.trace(L)
        elif name in (b"m", b"maxlen"):
            self.set_longest(words)
        elif name in (b"b", b"break"):
            self.set_breakpoints(words[1:])
        elif name in (b"e", b"eval"):
            self.evaluate(L, b" ".join(words[1:]))
        elif name in (b"r", b"redis", b"v", b"valkey", b"server") and len(words) > 1:
            self.call(words[1:])
        elif name in (b"p", b"print") and len(words) == 2:
            self.print_one(L, words[1])
        elif name in (b"p", b"print"):
            self.print_all(L)
        elif name in (b"l", b"list"):
            line = number_of(words[1]) if len(words) > 1 else 0
            self.list_around(line if line > 0 else self.current, number_of(words[2]) if len(words) > 2 else CONTEXT)
        elif name in (b"w", b"whole"):
            self.list_around(1, len(self.source))
        else:
            self.output.append(b"<error> Unknown Redis Lua debugger command or wrong number of arguments.")
        return False

    def list_line(self, int line):
        """Show a line of the script, and whether it is the present one, or a breakpoint."""
        cdef bytes mark = b"->" if line == self.current else b"  "

        text = self.source[line - 1] if 0 < line <= len(self.source) else b"<out of range source code line>"
        mark += b"#" if line in self.breakpoints else b" "
        self.output.append(b"%b%-3d %b" % (mark, line, text))

    def list_around(self, int64_t line, int64_t context):
        for number in range(max(1, line - context), min(line + context, len(self.source)) + 1):
            self.list_line(number)

    def set_longest(self, words):
        if len(words) == 2:
            self.hinted = True
            self.longest = max(0, number_of(words[1]))
            if self.longest:
                self.longest = max(self.longest, LEAST_SHOWN)
        if self.longest:
            self.output.append(b"<value> replies are truncated at %d bytes." % self.longest)
        else:
            self.output.append(b"<value> replies are unlimited.")

    def set_breakpoints(self, words):
        if not words and not self.breakpoints:
            self.output.append(b"No breakpoints set. Use 'b <line>' to add one.")
        elif not words:
            self.output.append(b"%d breakpoints set:" % len(self.breakpoints))
            for line in self.breakpoints:
                self.list_line(line)
        for word in words:
            try:
                self.set_breakpoint(int(word))
            except ValueError:
                self.output.append(b"Invalid argument:'%b'" % word)

    def set_breakpoint(self, line):
        if line == 0:
            self.breakpoints.clear()
            self.output.append(b"All breakpoints removed.")
        elif line < 0 and -line in self.breakpoints:
            self.breakpoints.remove(-line)
            self.output.append(b"Breakpoint removed.")
        elif line < 0:
            self.output.append(b"No breakpoint in the specified line.")
        elif len(self.breakpoints) == MOST_BREAKPOINTS:
            self.output.append(b"Too many breakpoints set.")
        elif line > len(self.source):
            self.output.append(b"Wrong line number.")
        else:
            if line not in self.breakpoints:
                self.breakpoints.append(line)
            self.list_around(line, 1)

    cdef int print_one(self, lua_State* L, bytes name) except -1:
        """Show a variable, of the function under way or else of one that has called it; or KEYS or ARGV."""
        cdef lua_Debug ar
        cdef const char* found
        cdef int level = 0
        cdef int i

        lua.checkstack(L, LUA_MINSTACK)
        while lua.getstack(L, level, &ar):
            level += 1
            i = 1
            while (found := lua.getlocal(L, &ar, i)) is not NULL:
                i += 1
                if <bytes>found == name:
                    self.append_value(b"<value> " + value_text(L, 0))
                    lua_pop(L, 1)
                    return 0
                lua_pop(L, 1)
        if name != b"KEYS" and name != b"ARGV":
            self.output.append(b"No such variable.")
            return 0
        if chunk_load(L, b"return " + name, len(name) + 7, b"@ldb_eval") == LUA_OK:
            lua.pcall(L, 0, 1, 0)
        self.append_value(b"<value> " + value_text(L, 0))
        lua_pop(L, 1)
        return 0

    cdef int print_all(self, lua_State* L) except -1:
        """Show the variables of the function under way."""
        cdef lua_Debug ar
        cdef const char* found
        cdef bint any = False
        cdef int i = 1

        lua.checkstack(L, LUA_MINSTACK)
        if lua.getstack(L, 0, &ar):
            while (found := lua.getlocal(L, &ar, i)) is not NULL:
                i += 1
                if b"(*temporary)" not in <bytes>found:
                    self.append_value(b"<value> %b = %b" % (<bytes>found, value_text(L, 0)))
                    any = True
                lua_pop(L, 1)
        if not any:
            self.output.append(b"No local variables in the current context.")
        return 0

    cdef int trace(self, lua_State* L) except -1:
        """Show who has called whom."""
        cdef lua_Debug ar
        cdef int level = 0

        while lua.getstack(L, level, &ar):
            lua.getinfo(L, b"Snl", &ar)
            if ar.source == b"@user_script":
                name = <bytes>ar.name if ar.name is not NULL else b"top level"
                self.output.append(b"%b %b:" % (b"From" if level else b"In", name))
                self.list_line(ar.currentline)
            level += 1
        return 0

    cdef int evaluate(self, lua_State* L, bytes code) except -1:
        """Run Lua code, an expression or statements, and show what it returns."""
        cdef bytes text
        cdef int status = LUA_ERRSYNTAX

        lua.checkstack(L, LUA_MINSTACK)
        lua.pushnil(L)
        for text in (b"return (%b)" % code, b"return " + code, code):     # the first is no tail call (returns.pxd)
            if status != LUA_OK:
                lua_pop(L, 1)
                status = chunk_load(L, text, len(text), b"@ldb_eval")
        if status == LUA_OK:
            status = lua.pcall(L, 0, 1, 0)
        if status == LUA_OK:
            self.append_value(b"<retval> " + value_text(L, 0))
        else:
            if lua.type(L, -1) == LUA_TTABLE:
                get_field(L, -1, b"err")
                lua.remove(L, -2)
            message = lua.tolstring(L, -1, NULL)
            self.output.append(b"<error> " + (<bytes>message if message is not NULL else b"(null)"))
        lua_pop(L, 1)
        return 0

    cdef int call(self, list words) except -1:
        """Run a command as redis.call() does, and show its reply."""
        cdef int argc = len(words)
        cdef Arg* argv = self.runs.caller.reserve(<void*>self.runs, argc)
        cdef const char* reply
        cdef int i

        for i in range(argc):
            argv[i] = arg_of(words[i])
        self.stepping = True                # so that both are shown
        self.called(argv, argc)
        reply = self.runs.execute(argc)
        self.replied(reply)
        self.stepping = False
        return 0

    # --- the session --------------------------------------------------------------------------

    def begin(self):
        """The socket is the debugger's."""
        timeout = struct.pack("@ll", SEND_SECONDS, 0)
        self.runs.tracer = self
        os.set_blocking(self.client.fd, True)
        with socket.socket(fileno=os.dup(self.client.fd)) as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, timeout)

    def end(self):
        """EVAL has returned: send what is left, and close the connection. In a forked process this does not return."""
        self.runs.tracer = None
        self.output.append(b"<endsession>")
        try:
            self.send_output()
            if self.forked:
                self.send(self.client.out.data[:self.client.out.size])
                self.runs.engine.log.notice("Lua debugging session child exiting")
        finally:
            if self.forked:
                os._exit(0)
        self.runs.engine.log.notice("fastredis synchronous debugging eval session ended")
        if self.client.fd >= 0:
            os.set_blocking(self.client.fd, False)
        self.client.flags |= C_CLOSE_AFTER_REPLY


cdef Debugger debugger_begin(Runs runs, Connection c, bytes script):
    cdef Debugger session = Debugger()

    session.runs, session.client = runs, c
    session.forked = c.debugging == "forked"
    session.source = script.rstrip(b"\r\n").split(b"\n")
    session.output, session.breakpoints, session.input = [], [], b""
    session.stepping = True
    session.longest = SHOWN
    c.send_reply()                          # of commands before it
    if session.forked and not go_apart(runs, c):
        return None
    if not session.forked:
        runs.engine.log.notice("fastredis synchronous debugging eval session started")
    session.begin()
    return session


cdef bint go_apart(Runs runs, Connection c) except -1:
    """Fork: True in the child, which has the connection; False in the server, which has it no more."""
    try:
        pid = fork(runs.engine)
    except OSError as error:
        c.error_text(f"ERR Fork() failed: can't run EVAL in debugging mode: {error.strerror}".encode())
        c.debugging = None
        return False
    if pid:
        c.fd = -1                           # it is closed, not shut down
        c.shut()
        watch(runs.engine, runs.sessions, pid, 0.01)
        runs.sessions.add(pid)
        return False
    if not runs.engine.guarded("a child", settle_in_child, runs.engine):
        os._exit(1)
    return True


def settle_in_child(engine):
    """The process is a debugger's."""
    engine.host.in_child("debug")
    engine.isolate()
    engine.log.notice("fastredis forked for debugging eval")
    return True


def watch(engine, sessions, pid, seconds):
    """See the end of a forked session; look again after so many seconds."""
    if engine.loop is None or wait_for(pid)[0]:
        sessions.discard(pid)
    else:
        engine.loop.call_later(seconds, watch, engine, sessions, pid, min(2 * seconds, 1.0))
