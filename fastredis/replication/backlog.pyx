"""The bytes of the replication stream. The design comment is in backlog.pxd."""
cimport cython

from libc.string cimport memcpy

from fastredis.ds.alloc cimport mem_alloc, mem_free
from fastredis.engine.engine cimport Engine

cdef enum:
    FIRST_ROOM = 64


@cython.no_gc_clear                     # __dealloc__ needs the owner
cdef class Backlog:
    def __dealloc__(self):
        cdef size_t i

        if self.account is NULL:
            return
        for i in range(self.count):
            mem_free(self.account, self.blocks[(self.head + i) & (self.room - 1)], BACKLOG_BLOCK)
        mem_free(self.account, self.blocks, self.room * sizeof(char*))

    @property
    def size(self):
        """Bytes that a replica may ask for."""
        return self.end - self.start

    @property
    def memory(self):
        """Bytes of memory that it takes."""
        return self.taken()

    def holds(self, int64_t at):
        """Whether a replica that has all before an offset can go on from here."""
        return self.start <= at <= self.end

    def resize(self, int64_t wanted, int64_t needed):
        """Keep so many bytes from now on, and what is needed from an offset on."""
        self.wanted = wanted
        self.trim(needed)

    def read(self, int64_t at):
        """The bytes from an offset to the end. ValueError when they are not all there."""
        cdef const char* data = NULL
        cdef size_t size
        cdef list parts = []

        if not self.base <= at <= self.end:
            raise ValueError(f"{at} is not in {self.base}..{self.end}")
        while True:
            size = self.peek(at, &data)
            if size == 0:
                return b"".join(parts)
            parts.append(data[:size])
            at += size

    cdef int reserve(self, size_t size) except -1:
        while <size_t>(self.end - self.base) + size > self.count * BACKLOG_BLOCK:
            self.add_block()
        return 0

    cdef int append(self, const char* data, size_t size) except -1:
        cdef size_t used, part
        cdef char* block

        self.reserve(size)
        while size:
            used = self.end - self.base
            block = self.blocks[(self.head + used // BACKLOG_BLOCK) & (self.room - 1)]
            part = min(size, BACKLOG_BLOCK - used % BACKLOG_BLOCK)
            memcpy(block + used % BACKLOG_BLOCK, data, part)
            self.end += part
            data += part
            size -= part
        return 0

    cdef int add_block(self) except -1:
        cdef size_t room = self.room * 2 or FIRST_ROOM
        cdef size_t i
        cdef char** blocks

        if self.count == self.room:
            blocks = <char**>mem_alloc(self.account, room * sizeof(char*))
            for i in range(self.count):
                blocks[i] = self.blocks[(self.head + i) & (self.room - 1)]
            mem_free(self.account, self.blocks, self.room * sizeof(char*))
            self.blocks = blocks
            self.room = room
            self.head = 0
        self.blocks[(self.head + self.count) & (self.room - 1)] = <char*>mem_alloc(self.account, BACKLOG_BLOCK)
        self.count += 1
        return 0

    cdef size_t peek(self, int64_t at, const char** data) noexcept:
        cdef size_t place = at - self.base

        data[0] = self.blocks[(self.head + place // BACKLOG_BLOCK) & (self.room - 1)] + place % BACKLOG_BLOCK \
            if at < self.end else NULL
        return min(<size_t>(self.end - at), BACKLOG_BLOCK - place % BACKLOG_BLOCK)

    cdef int trim(self, int64_t needed) except -1:
        self.start = max(self.start, min(needed, self.end - self.wanted))
        while self.count and self.base + BACKLOG_BLOCK <= self.start:
            mem_free(self.account, self.blocks[self.head], BACKLOG_BLOCK)
            self.head = (self.head + 1) & (self.room - 1)
            self.base += BACKLOG_BLOCK
            self.count -= 1
        return 0

    def verify(self):
        """Check what always holds; AssertionError."""
        assert self.base <= self.start <= self.end
        assert <size_t>(self.end - self.base) <= self.count * BACKLOG_BLOCK
        assert self.count <= 1 or <size_t>(self.end - self.base) >= (self.count - 2) * BACKLOG_BLOCK  # one is reserved
        assert self.count <= self.room and self.room & (self.room - 1) == 0


cdef class Gathered:
    """The replica's side: bytes of the stream that came before the data set was there which they change.

    They lie in the blocks of a Backlog, so they count in used_memory, and are given back one block at a time.
    """
    cdef Engine engine
    cdef Backlog blocks
    cdef readonly int64_t peak          # most bytes that their blocks have taken

    def __init__(self, Engine engine not None):
        self.engine = engine
        self.peak = 0
        self.clear()

    def clear(self):
        """Forget them; `peak` stays."""
        self.blocks = backlog_new(&self.engine.core.memory, self.engine, 0, 0)

    @property
    def size(self):
        """Bytes of them."""
        return self.blocks.end - self.blocks.start

    @property
    def room(self):
        """Bytes of their blocks."""
        return self.blocks.count * BACKLOG_BLOCK

    def append(self, bytes data not None):
        """They go on."""
        self.blocks.append(data, len(data))
        self.peak = max(self.peak, self.blocks.count * BACKLOG_BLOCK)

    def take(self):
        """The oldest of them, a block at most; b"" when there are none."""
        cdef Backlog blocks = self.blocks
        cdef const char* data = NULL
        cdef size_t size = blocks.peek(blocks.start, &data)
        cdef bytes taken = data[:size]

        blocks.trim(blocks.start + size)
        return taken


cdef Backlog backlog_new(Account* account, object owner, int64_t wanted, int64_t offset):
    """A backlog whose first byte has an offset. owner: an object that keeps the account alive."""
    cdef Backlog backlog = Backlog.__new__(Backlog)

    backlog.account = account
    backlog.owner = owner
    backlog.wanted = wanted
    backlog.base = backlog.start = backlog.end = offset
    return backlog
