"""The replication stream as a feed of the engine. The design comment is in stream.pxd."""
from cpython.bytes cimport PyBytes_FromStringAndSize
from libc.stdint cimport INT64_MAX

from fastredis._resp cimport arg_of, put_request, request_room
from fastredis.ds.alloc cimport mem_alloc, mem_free
from fastredis.ds.native cimport unlikely
from fastredis.engine.engine cimport C_GONE, NO_DATABASE, SELECT_ROOM, TO_REPLICAS, put_select
from fastredis.replication.backlog cimport backlog_new

cdef bytes GETACK = b"*3\r\n$8\r\nREPLCONF\r\n$6\r\nGETACK\r\n$1\r\n*\r\n"


cdef class Reader:
    """One replica's place in the stream; the replica's connection calls it when it can take more."""

    def __init__(self, Stream stream not None, Connection connection not None, int64_t start):
        self.stream = stream
        self.connection = connection
        self.sent = start
        stream.readers.append(self)

    def begin(self):
        """Send from here on, beginning with what has gathered."""
        self.open = True
        self.connection.drained = self.resume
        self.stream.schedule()

    def close(self):
        """The replica is gone, or does not want the stream: its place need not be kept."""
        if self in self.stream.readers:
            self.stream.readers.remove(self)
            self.connection.drained = None
            self.connection.owed = 0
            self.stream.trim()

    def resume(self):
        """The connection has sent what it held."""
        self.stream.engine.begin_turn()
        try:
            self.go_on()
            self.stream.trim()
        finally:
            self.stream.engine.end_turn()

    cdef int go_on(self) except -1:
        """Send until the end of the stream, or until the kernel does not take more."""
        cdef Backlog backlog = self.stream.backlog
        cdef Core* core = self.stream.core
        cdef const char* data = NULL
        cdef size_t size

        if backlog is None or self.connection.flags & C_GONE:
            return 0                    # the history is another one now; the replica comes again
        while self.open and not self.connection.writing:
            size = backlog.peek(self.sent, &data)
            if unlikely(core.sendable < INT64_MAX):
                size = max(0, min(<int64_t>size, core.sendable + 1 - self.sent))
            if size == 0:
                break
            self.sent += size
            self.stream.bytes_out += size
            self.connection.push(data, size)
        self.connection.owed = backlog.end - self.sent
        if self.connection.writing or not self.open:
            self.connection.check_output()
        return 0


cdef class Stream(Feed):
    """What replicas get; see stream.pxd."""

    def __cinit__(self, Engine engine not None):
        self.engine = engine
        self.core = &engine.core
        self.selected = -1
        self.takes_messages = True
        self.kind = TO_REPLICAS
        self.readers = []
        self.turn_method = self.turn

    # --- the backlog ----------------------------------------------------------------------

    @property
    def is_on(self):
        """Whether there is a backlog."""
        return self.backlog is not None

    @property
    def memory(self):
        """Bytes of memory that the backlog takes, what replicas keep of it included."""
        return self.backlog.memory if self.backlog is not None else 0

    def create(self, int64_t wanted):
        """Keep bytes from now on; the first one has the offset behind Core.propagated."""
        self.backlog = backlog_new(&self.core.memory, self.engine, wanted, self.core.propagated + 1)
        self.selected = -1
        self.update()

    def drop(self):
        """Forget the backlog. Readers that are left belong to replicas that are about to be closed."""
        self.backlog = None
        self.note_memory()
        self.update()

    def update(self):
        """Follow a change of role or backlog: who counts, and who feeds."""
        cdef bint feeds = self.backlog is not None and not self.core.is_replica

        self.core.counts_bytes = self.backlog is not None or self.core.is_replica
        if feeds and not self.feeding:
            self.engine.add_feed(self)
        elif self.feeding and not feeds:
            self.engine.remove_feed(self)
        self.feeding = feeds

    def resize(self, int64_t wanted):
        """repl-backlog-size changed."""
        if self.backlog is not None:
            self.backlog.resize(wanted, self.needed())

    cdef int64_t needed(self) except -1:
        """Offset of the oldest byte that a replica has still to be sent."""
        cdef Reader reader
        cdef int64_t oldest = INT64_MAX

        for reader in self.readers:
            oldest = min(oldest, reader.sent)
        return oldest

    def trim(self):
        """Give back blocks that nobody asks for."""
        if self.backlog is not None:
            self.backlog.trim(self.needed())
        self.note_memory()

    cdef int note_memory(self) noexcept:
        """What the backlog takes beyond its configured size does not count for eviction."""
        self.core.replica_bytes = max(0, self.backlog.spare()) if self.backlog is not None else 0
        return 0

    # --- what comes in ------------------------------------------------------------------------

    cdef int reserve(self, size_t size) except -1:
        return self.backlog.reserve(SELECT_ROOM + size) if self.backlog is not None else 0

    cdef int write(self, int db, Arg* argv, int argc, const char* text, size_t size) except -1:
        cdef char[SELECT_ROOM] select

        if unlikely(db != self.selected) and db != NO_DATABASE:
            self.put(select, put_select(select, db) - select)
            self.selected = db
        return self.put(text, size)

    cdef int put(self, const char* data, size_t size) except -1:
        """Append bytes; they are sent at the end of the loop's iteration."""
        self.core.propagated += size
        if self.backlog is not None:
            self.backlog.append(data, size)
            self.note_memory()
            self.schedule()
        return 0

    def command(self, int db, list argv):
        """Append a command, for replicas only; argv: bytes."""
        cdef Arg* items = <Arg*>mem_alloc(&self.core.memory, len(argv) * sizeof(Arg))
        cdef bytes text
        cdef int i

        for i in range(len(argv)):
            items[i] = arg_of(argv[i])
        text = PyBytes_FromStringAndSize(NULL, request_room(items, len(argv)))
        try:
            self.write(db, items, len(argv), text, put_request(<char*>text, items, len(argv)) - <char*>text)
        finally:
            mem_free(&self.core.memory, items, len(argv) * sizeof(Arg))

    def append(self, bytes data not None):
        """Append bytes as they are: the master's, on a replica; or a command that is for replicas only."""
        self.put(data, len(data))

    def request_acks(self):
        """Have the replicas tell at the end of the loop's iteration how far they are."""
        if self.backlog is not None:
            self.asking = True
            self.schedule()

    # --- what goes out ----------------------------------------------------------------------------

    cdef int schedule(self) except -1:
        if not self.scheduled and self.engine.loop is not None:
            self.engine.loop.call_soon(self.turn_method)
            self.scheduled = True
        return 0

    def turn(self):
        """Loop: send what this iteration brought. What the disk does not have yet waits for it."""
        self.scheduled = False
        if self.core.holding:
            self.schedule()
            return
        if self.asking:
            self.asking = False
            self.put(GETACK, len(GETACK))
        self.engine.begin_turn()
        try:
            self.send_all()
        finally:
            self.engine.end_turn()

    def catch_up(self):
        """A script takes long: what came before it goes to the replicas now, unless it waits for the disk."""
        if not self.core.holding:
            self.send_all()

    def send_all(self):
        """Send all replicas what they can take, now."""
        cdef Reader reader

        if self.backlog is not None:
            for reader in list(self.readers):
                reader.go_on()
            self.trim()
