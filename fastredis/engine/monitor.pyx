"""MONITOR: clients that see every command. The design comment is in monitor.pxd."""
from libc.stdint cimport int64_t, uint8_t, uint64_t

from fastredis._resp cimport arg_bytes
from fastredis.ds.native cimport wall_us
from fastredis.engine.command cimport Command
from fastredis.engine.core cimport AFTER_MONITOR, GATE_LOADING
from fastredis.engine.engine cimport (
    C_GONE, C_MONITOR, C_REPLY_OFF, C_REPLY_SKIP, C_REPLY_SKIP_NEXT, C_SCRIPT, C_UNIX_SOCKET,
)
from fastredis.engine.options cimport arg_is
from fastredis.engine.reply cimport reply_new

cdef enum:
    QUOTED = 4                      # bytes that a byte takes at most: \xff

cdef const char* HEX_DIGITS = b"0123456789abcdef"
cdef bytes REDACTED = b'"(redacted)"'


cdef char* quote(char* to, const char* text, size_t size) noexcept:
    """Write text in double quotes, with escapes for what is not printable ASCII; returns the end."""
    cdef size_t i
    cdef uint8_t byte
    cdef char escape

    to[0] = c'"'
    to += 1
    for i in range(size):
        byte = <uint8_t>text[i]
        escape = 0
        if byte == c'\\' or byte == c'"':
            escape = <char>byte
        elif byte == c'\n':
            escape = c'n'
        elif byte == c'\r':
            escape = c'r'
        elif byte == c'\t':
            escape = c't'
        elif byte == 7:
            escape = c'a'
        elif byte == 8:
            escape = c'b'
        if escape:
            to[0] = c'\\'
            to[1] = escape
            to += 2
        elif c' ' <= byte <= c'~':
            to[0] = <char>byte
            to += 1
        else:
            to[0] = c'\\'
            to[1] = c'x'
            to[2] = HEX_DIGITS[byte >> 4]
            to[3] = HEX_DIGITS[byte & 15]
            to += QUOTED
    to[0] = c'"'
    return to + 1


cdef set secret_args(Client c):
    cdef bytes name = (<Command>c.command).name

    if name == b"acl|setuser" or name == b"acl|deluser" or name == b"acl|getuser":
        return set(range(2, c.argc))
    if name == b"auth":
        return set(range(1, c.argc))
    if name == b"hello":
        return secrets_of_hello(c)
    if name == b"migrate":
        return secrets_of_migrate(c)
    if name == b"config|set":
        return secrets_of_config_set(c)
    return None


cdef set secrets_of_hello(Client c):
    """HELLO version [AUTH username password] [SETNAME name], as far as it is that."""
    cdef set secret = set()
    cdef int i = 2

    while i < c.argc:
        if arg_is(&c.argv[i], b"AUTH") and i + 2 < c.argc:
            secret |= {i + 1, i + 2}
            i += 3
        elif arg_is(&c.argv[i], b"SETNAME"):
            i += 2
        else:
            break
    return secret


cdef set secrets_of_migrate(Client c):
    """MIGRATE host port key db timeout [COPY] [REPLACE] [AUTH password] [AUTH2 username password] [KEYS key ...]"""
    cdef set secret = set()
    cdef int i = 6

    while i < c.argc and not arg_is(&c.argv[i], b"KEYS"):
        if arg_is(&c.argv[i], b"AUTH"):
            secret.add(i + 1)
            i += 1
        elif arg_is(&c.argv[i], b"AUTH2"):
            secret |= {i + 1, i + 2}
            i += 2
        i += 1
    return secret


cdef set secrets_of_config_set(Client c):
    """CONFIG SET name value [name value ...]"""
    return {i + 1 for i in range(2, c.argc, 2)
            if c.engine.config.is_sensitive(arg_bytes(&c.argv[i]).decode("latin-1"))}


cdef class Monitors:
    """The clients of one engine that look on."""

    def __init__(self, Engine engine not None):
        self.engine = engine
        self.clients = {}
        self.line = reply_new(&engine.core, engine, 2)

    @property
    def count(self):
        """How many clients look on."""
        return len(self.clients)

    cdef int add(self, Client c) except -1:
        """Show a client what is executed from now on."""
        c.flags |= C_MONITOR
        self.clients[c] = None
        self.engine.core.after_call |= AFTER_MONITOR
        return 0

    def remove(self, Client c not None):
        """Show it nothing more; if it was shown anything at all."""
        c.flags &= ~<uint64_t>C_MONITOR
        self.clients.pop(c, None)
        if not self.clients:
            self.engine.core.after_call &= ~AFTER_MONITOR

    def shrink_buffers(self):
        """Cron: give back room that a long line took."""
        self.line.shrink()

    cdef int show(self, Client c) except -1:
        """Show all monitors the command in the client's argv."""
        cdef Client monitor
        cdef Reply line = self.line
        cdef set secret
        cdef uint64_t unheard
        cdef int i

        if self.engine.core.gate & GATE_LOADING:
            return 0
        secret = secret_args(c)
        self.put_head(c)
        for i in range(c.argc):
            line.protocol(b" ", 1)
            if secret is not None and i in secret:
                line.protocol(REDACTED, len(REDACTED))
                continue
            line.reserve(c.argv[i].size * QUOTED + 2)
            line.size = quote(line.data + line.size, c.argv[i].ptr, c.argv[i].size) - line.data
        line.protocol(b"\r\n", 2)
        for monitor in list(self.clients):      # who is shut for the size of its output leaves the dict
            unheard = C_GONE | C_REPLY_OFF | C_REPLY_SKIP
            if monitor is not c:
                unheard |= C_REPLY_SKIP_NEXT    # in its own case this very command may be the CLIENT REPLY SKIP
            if not monitor.flags & unheard:
                monitor.inbox().protocol(line.data, line.size)
        line.clear()
        return 0

    cdef int put_head(self, Client c) except -1:
        """Begin a line: time, database, address."""
        cdef int64_t now_us = self.engine.core.now_ms * 1000
        cdef bytes address = c.peer or b"?:0"

        if not self.engine.core.held:
            now_us = wall_us() + self.engine.core.shift_ms * 1000
        if c.flags & C_UNIX_SOCKET:
            address = b"unix:" + (self.engine.config.unixsocket or "").encode("utf-8", "surrogateescape")
        if c.flags & C_SCRIPT:
            address = b"lua"
        head = b"+%d.%06d [%d %b]" % (now_us // 1000000, now_us % 1000000, c.db.index, address)
        return self.line.protocol(head, len(head))
