"""Serving others in the middle of a script. The design comment is in busy.pxd."""
import os
import selectors

from libc.stdint cimport UINT64_MAX, int64_t
from libc.string cimport memcpy

from fastredis._resp cimport batch_free, batch_init
from fastredis.engine.core cimport GATE_BUSY
from fastredis.engine.engine cimport C_GONE, C_MASTER, Session
from fastredis.engine.reply cimport reply_new

cdef enum:
    READ_SIZE = 64 * 1024


cdef int exchange_replies(Reply one, Reply other) noexcept:
    """Exchange the buffers of two replies, and who reads them."""
    one.data, other.data = other.data, one.data
    one.size, other.size = other.size, one.size
    one.room, other.room = other.room, one.room
    one.resp, other.resp = other.resp, one.resp
    one.over, other.over = other.over, one.over
    one.writer, other.writer = other.writer, one.writer
    return 0


cdef class Busy:
    """Who is served while a script of the engine runs too long."""

    def __init__(self, Engine engine not None):
        self.engine = engine
        self.known = {}
        self.reply = reply_new(&engine.core, engine, 2)
        batch_init(&self.batch, &engine.core.memory)

    def __dealloc__(self):
        if self.engine is not None:
            batch_free(&self.batch)

    @property
    def is_on(self):
        """Whether a script runs too long."""
        return self.selector is not None

    cdef int begin(self, Client c, bytes error) except -1:
        self.error = error
        self.client = c
        try:
            self.selector = selectors.DefaultSelector()
        except OSError:
            self.selector = selectors.PollSelector()        # slower with many clients, but it needs no descriptor
        for sock, welcome in self.engine.host.listening_sockets():
            self.selector.register(sock, selectors.EVENT_READ, welcome)
        for client in self.engine.clients.values():
            if isinstance(client, Connection):
                self.watch(client)
        return 0

    cdef int end(self) except -1:
        """The script is over."""
        self.selector.close()
        self.selector = None
        self.known.clear()
        self.client = None
        batch_free(&self.batch)
        return 0

    cdef int watch(self, Connection c) except -1:
        """Read what a connection sends."""
        cdef int fd

        if c is not self.client and not c.flags & (C_GONE | C_MASTER):
            fd = c.wire_descriptor
            if fd >= 0:
                self.selector.register(fd, selectors.EVENT_READ, c)
                self.known[c] = fd
        return 0

    cdef int ignore(self, Connection c) except -1:
        """Read nothing more of it; the descriptor may be another's soon."""
        if c in self.known:
            self.selector.unregister(self.known.pop(c))
        return 0

    cdef int serve(self) except -1:
        cdef list ready = self.selector.select(0)
        cdef int64_t unseen

        self.catch_up(self.client)
        if not ready and not self.engine.waiting:
            return 0
        unseen = self.engine.core.errors - self.engine.core.errors_seen
        self.exchange()
        self.engine.core.gate |= GATE_BUSY
        self.engine.core.slice_end = UINT64_MAX     # whoever gave way would wait for the loop
        try:
            self.go_on()
            for key, _ in ready:
                if key.data in self.known:
                    self.receive(key.data)
                elif not isinstance(key.data, Connection):
                    self.accept(key.fileobj, key.data)
            self.settle()
        finally:
            self.engine.core.gate &= ~GATE_BUSY
            self.engine.core.slice_end = 0          # the script has had more than its share
            self.exchange()
            self.engine.core.errors_seen = self.engine.core.errors - unseen     # these are no errors of the script
        return 0

    cdef int go_on(self) except -1:
        """Those go on who gave way before."""
        cdef Connection c

        for _ in range(len(self.engine.waiting)):
            c = self.engine.waiting.popleft()
            if c is self.client:
                self.engine.waiting.append(c)
                continue
            c.go_on()
            if c.flags & C_GONE:
                self.ignore(c)
        return 0

    cdef int catch_up(self, Client c) except -1:
        self.client = c
        self.exchange()
        try:
            self.engine.catch_up()
            self.settle()
        finally:
            self.exchange()
        return 0

    cdef int exchange(self) noexcept:
        """Have a batch and a reply buffer of our own where connections look for them; or the script's again."""
        cdef Batch batch

        memcpy(&batch, &self.engine.batch, sizeof(Batch))
        memcpy(&self.engine.batch, &self.batch, sizeof(Batch))
        memcpy(&self.batch, &batch, sizeof(Batch))
        exchange_replies(self.engine.reply, self.reply)
        return 0

    def accept(self, sock, welcome):
        """Have somebody connect; welcome: of the host, for this socket."""
        try:
            accepted, _ = sock.accept()
        except OSError:
            return                      # it has left, or there are no descriptors: the loop will meet it, too
        accepted.setblocking(False)
        self.watch(welcome(accepted))

    cdef int receive(self, Connection c) except -1:
        """Do what a transport does whose socket has something."""
        try:
            data = os.read(self.known[c], READ_SIZE)
        except BlockingIOError:
            return 0
        except OSError:
            data = b""
        if data and c.fd < 0:
            c.transport.data_received(data)     # records of TLS
        elif data:
            c.data_received(data)
        else:
            c.shut()                    # its end, which the loop will hear of as well
        if c.flags & C_GONE:
            self.ignore(c)
        return 0

    cdef int settle(self) except -1:
        """Send what was written, and close who is to be closed, as at the end of a turn."""
        cdef list later = []
        cdef Session session

        while self.engine.flush_queue and not self.engine.core.holding:
            session = self.engine.flush_queue.pop()
            if session is self.client:
                later.append(session)   # what it was sent comes after its reply
                continue
            session.flush_queued = False
            session.flush()
        self.engine.flush_queue += later
        while self.engine.close_queue:
            session = self.engine.close_queue.pop()
            if isinstance(session, Connection):
                self.ignore(session)
            session.close()
        return 0
