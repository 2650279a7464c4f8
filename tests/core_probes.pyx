"""The reply buffer and a feed of the engine as Python classes, and commands that try its frames; for tests only."""
from fastredis._resp cimport Arg, arg_bytes, arg_of
from fastredis.engine.blocking cimport NULL_ARRAY, block_on_keys
from fastredis.engine.client cimport Client, Frame, unit_begin, unit_end
from fastredis.engine.command cimport Command, CommandTable, native
from fastredis.engine.dispatch cimport call_guarded
from fastredis.engine.engine cimport C_REQUEST, Engine, Feed
from fastredis.engine.keyspace cimport Database
from fastredis.engine.reply cimport Reply, reply_new
from fastredis.values.entry cimport TYPE_LIST

from fastredis.engine.declarations import Declaration


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


# --- commands -----------------------------------------------------------------------------------

cdef enum:
    MOST_WORDS = 8

cdef list probes = []                   # Commands live as long as the program


cdef int probe_wait(Client c) except -1:
    """PROBE.WAIT key word -> [word, whether the key is there], once the key has become, or is no more, a list.

    The word $ is the number of keys at the time of the call.
    """
    cdef bint is_there = c.db.lookup_write(&c.argv[1]) is not NULL
    cdef Arg again[3]
    cdef bytes keys = b"%d" % c.db.count()

    if arg_bytes(&c.argv[2]) == b"$":
        again[0], again[1], again[2] = c.argv[0], c.argv[1], arg_of(keys)
        return block_on_keys(c, 1, 1, 1, TYPE_LIST, 0, NULL_ARRAY, True, again)
    c.reply_array(2)
    c.reply_bulk(c.argv[2].ptr, c.argv[2].size)
    return c.reply_int(is_there)


cdef int probe_script(Client c) except -1:
    """PROBE.SCRIPT line ... -> array of the replies to the lines, whose words are separated by _, run as a script's."""
    cdef Reply scratch = reply_new(c.core, c.engine, 2)
    cdef Database db = c.db
    cdef list lines = [arg_bytes(&c.argv[i]) for i in range(1, c.argc)]
    cdef list replies = []
    cdef Frame outer

    unit_begin(c, &outer, scratch, C_REQUEST)
    try:
        for line in lines:
            run_line(c, line.split(b"_"))
            replies.append(scratch.take())
    finally:
        c.db = db
        unit_end(c, &outer)
    c.reply_array(len(replies))
    for reply in replies:
        c.reply_bulk(reply, len(reply))
    return 0


cdef int run_line(Client c, list words) except -1:
    cdef Arg argv[MOST_WORDS]
    cdef bytes name = words[0]
    cdef int i

    for i in range(len(words)):
        argv[i] = arg_of(words[i])
    c.argv = argv
    c.argc = len(words)
    return call_guarded(c, (<CommandTable>c.engine.commands).find(name, len(name)))


def probe_bug(client):
    """PROBE.BUG: fails."""
    raise RuntimeError("a bug")


def add_probe_commands(Engine engine not None):
    """Give an engine the commands above; what is counted of them is counted as the command's of index 0."""
    for name, handler, arity in ((b"probe.wait", native(probe_wait), 3), (b"probe.script", native(probe_script), -2),
                                 (b"probe.bug", probe_bug, 1)):
        command = Command(Declaration(name=name, group="generic", arity=arity), handler, 0)
        probes.append(command)
        engine.commands.by_name[name] = command
        engine.commands.insert(name, command)
