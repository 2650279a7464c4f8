"""The slow log. The design comment is in slowlog.pxd."""
from collections import deque
from itertools import islice

from fastredis._resp cimport Arg
from fastredis.engine.core cimport AFTER_SLOWLOG, GATE_LOADING
from fastredis.engine.engine cimport C_SCRIPT
from fastredis.engine.flags cimport SKIP_SLOWLOG
from fastredis.engine.monitor cimport secret_args

cdef enum:
    ARGUMENTS = 32                  # of a command
    BYTES = 128                     # of an argument
    ALWAYS_NOTED_US = 1000          # what takes as long is looked at anyway: more than SLOW_TICKS

cdef bytes REDACTED = b"(redacted)"


cdef bytes shortened(const Arg* a):
    if a.size > BYTES:
        return a.ptr[:BYTES] + b"... (%d more bytes)" % (a.size - BYTES)
    return a.ptr[:a.size]


cdef class SlowLog:
    """The slow log of one engine."""

    def __init__(self, Engine engine not None):
        self.engine = engine
        self.entries = deque()

    def configure(self, config):
        """Take the settings over. A lower slowlog-max-len counts from the next entry on."""
        self.limit_us = config.slowlog_log_slower_than
        self.longest = config.slowlog_max_len
        if 0 <= self.limit_us < ALWAYS_NOTED_US and self.longest:
            self.engine.core.after_call |= AFTER_SLOWLOG
        else:
            self.engine.core.after_call &= ~AFTER_SLOWLOG

    def __len__(self):
        return len(self.entries)

    def newest(self, count):
        """The newest entries, that many or, if count is None, all."""
        return list(islice(self.entries, count))

    def clear(self):
        """Forget all entries."""
        self.entries.clear()

    cdef int note(self, Client c, Command command, uint64_t duration) except -1:
        """Log the command in the client's argv if it took long enough. duration: in ticks."""
        cdef int64_t duration_us = <int64_t>(duration / self.engine.ticks_per_us())
        cdef int shown = c.argc if c.argc <= ARGUMENTS else ARGUMENTS - 1
        cdef set secret
        cdef list argv
        cdef int i

        if (duration_us < self.limit_us or self.limit_us < 0 or not self.longest
                or command.flags & SKIP_SLOWLOG or self.engine.core.gate & GATE_LOADING):
            return 0
        secret = secret_args(c) or set()
        argv = [REDACTED if i in secret else shortened(&c.argv[i]) for i in range(shown)]
        if shown < c.argc:
            argv.append(b"... (%d more arguments)" % (c.argc - shown))
        peer, name = (b"?:0", b"") if c.flags & C_SCRIPT else (c.peer, c.name)
        self.entries.appendleft([self.next_id, self.engine.core.now_ms // 1000, duration_us, argv, peer, name, c.argc])
        self.next_id += 1
        while len(self.entries) > self.longest:
            self.entries.pop()
        return 0
