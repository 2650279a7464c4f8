"""The command log. The design comment is in commandlog.pxd."""
from collections import deque
from itertools import islice

from libc.stdint cimport INT64_MAX

from fastredis._resp cimport Arg, Batch
from fastredis.engine.core cimport AFTER_LARGE, AFTER_SLOWLOG, GATE_LOADING
from fastredis.engine.engine cimport C_REPLY_OFF, C_REPLY_SKIP, C_SCRIPT
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


cdef int64_t received(Client c) noexcept:
    """Bytes of the request in argv; 0: no connection has received it."""
    cdef Batch* batch = &c.engine.batch
    cdef int i

    for i in range(batch.count):
        if &batch.args.items[batch.requests[i].first] == c.argv:
            return batch.requests[i].end - batch.requests[i].begin
    return 0


cdef class Log:
    """One list of commands."""

    def __init__(self):
        self.entries = deque()

    def __len__(self):
        return len(self.entries)

    def newest(self, count):
        """The newest entries, that many or, if count is None, all."""
        return list(islice(self.entries, count))

    def clear(self):
        """Forget all entries."""
        self.entries.clear()

    cdef bint wants(self, int64_t value) noexcept:
        """Whether a command with that value is one for this list."""
        return value >= self.limit >= 0 and self.longest > 0

    cdef int add(self, Client c, int64_t value) except -1:
        """Log the command in the client's argv."""
        cdef int shown = c.argc if c.argc <= ARGUMENTS else ARGUMENTS - 1
        cdef set secret = secret_args(c) or set()
        cdef list argv
        cdef int i

        argv = [REDACTED if i in secret else shortened(&c.argv[i]) for i in range(shown)]
        if shown < c.argc:
            argv.append(b"... (%d more arguments)" % (c.argc - shown))
        peer, name = (b"?:0", b"") if c.flags & C_SCRIPT else (c.peer, c.name)
        self.entries.appendleft([self.next_id, c.core.now_ms // 1000, value, argv, peer, name, c.argc])
        self.next_id += 1
        while len(self.entries) > self.longest:
            self.entries.pop()
        return 0


cdef class CommandLog:
    """The lists of one engine."""

    def __init__(self, Engine engine not None):
        self.engine = engine
        self.slow, self.requests, self.replies = Log(), Log(), Log()

    def configure(self, config):
        """Take the settings over. A lower length counts from the next entry on."""
        self.slow.limit, self.slow.longest = config.slowlog_log_slower_than, config.slowlog_max_len
        self.requests.limit = config.commandlog_request_larger_than
        self.requests.longest = config.commandlog_large_request_max_len
        self.replies.limit = config.commandlog_reply_larger_than
        self.replies.longest = config.commandlog_large_reply_max_len
        if self.slow.wants(ALWAYS_NOTED_US - 1):
            self.engine.core.after_call |= AFTER_SLOWLOG
        else:
            self.engine.core.after_call &= ~AFTER_SLOWLOG
        self.large_request = self.requests.limit if self.requests.wants(INT64_MAX) else INT64_MAX
        self.large_reply = self.replies.limit if self.replies.wants(INT64_MAX) else INT64_MAX

    cdef int note(self, Client c, Command command, uint64_t duration, int64_t reply_bytes) except -1:
        """Log the command in the client's argv where it belongs. duration: in ticks."""
        cdef int64_t duration_us, request_bytes

        if command.flags & SKIP_SLOWLOG or c.core.gate & GATE_LOADING:
            return 0
        duration_us = <int64_t>(duration / self.engine.ticks_per_us())
        if self.slow.wants(duration_us):
            self.slow.add(c, duration_us)
        if c.core.after_call & AFTER_LARGE:
            request_bytes = received(c)
            if request_bytes and self.requests.wants(request_bytes):
                self.requests.add(c, request_bytes)
        if self.replies.wants(reply_bytes) and not c.flags & (C_REPLY_OFF | C_REPLY_SKIP):
            self.replies.add(c, reply_bytes)
        return 0
