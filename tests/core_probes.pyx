"""The reply buffer and a feed of the engine as Python classes, for tests only."""
from fastredis._resp cimport Arg
from fastredis.engine.engine cimport Engine, Feed
from fastredis.engine.reply cimport Reply, reply_new


cdef class ReplyProbe:
    """A Reply of protocol version `resp` in the memory of an engine of its own; take() reads it back."""
    cdef Engine engine
    cdef Reply reply

    def __init__(self, int resp):
        self.engine = Engine(1, 0)
        self.reply = reply_new(&self.engine.core, self.engine, resp)

    @property
    def used_memory(self):
        """Bytes that the engine and the buffer take."""
        return self.engine.core.memory.used

    @property
    def size(self):
        """Bytes of protocol in the buffer."""
        return self.reply.size

    def take(self):
        return self.reply.take()

    def truncate(self, size_t size):
        self.reply.truncate(size)

    def ok(self):
        self.reply.ok()

    def status(self, bytes text):
        self.reply.status(text)

    def error(self, bytes text):
        self.reply.error(text, len(text))

    def integer(self, value):
        self.reply.integer(value)

    def bulk(self, bytes text):
        self.reply.bulk(text, len(text))

    def null(self):
        self.reply.null()

    def null_array(self):
        self.reply.null_array()

    def boolean(self, bint value):
        self.reply.boolean(value)

    def double(self, double value):
        self.reply.double(value)

    def big_number(self, bytes digits):
        self.reply.big_number(digits, len(digits))

    def verbatim(self, bytes kind, bytes text):
        self.reply.verbatim(kind, text, len(text))

    def array(self, count):
        self.reply.array(count)

    def map(self, count):
        self.reply.map(count)

    def set(self, count):
        self.reply.set(count)

    def push(self, count):
        self.reply.push(count)

    def protocol(self, bytes text):
        self.reply.protocol(text, len(text))

    def object(self, value):
        self.reply.object(value)

    def late(self, str kind, items):
        """Write items as an aggregate ("array", "map" or "set") whose size is told at its end."""
        cdef size_t mark = self.reply.begin()

        for item in items:
            self.reply.object(item)
        if kind == "array":
            self.reply.end_array(mark, len(items))
        elif kind == "map":
            self.reply.end_map(mark, len(items) // 2)
        else:
            self.reply.end_set(mark, len(items))


cdef class FeedProbe(Feed):
    """A Feed that keeps what was done with it; `fails` names the step, "reserve" or "write", that raises OSError."""
    cdef public str fails
    cdef public list steps

    def __init__(self, fails=None):
        self.fails = fails
        self.steps = []

    cdef int step(self, str name) except -1:
        self.steps.append(name)
        if name == self.fails:
            raise OSError(f"no room to {name}")
        return 0

    cdef int reserve(self, size_t size) except -1:
        return self.step("reserve")

    cdef int write(self, int db, Arg* argv, int argc, const char* text, size_t size) except -1:
        return self.step("write")
