"""The client as commands see it. The design comment is in client.pxd."""
cimport cython

from cpython.ref cimport Py_INCREF, Py_XDECREF, PyObject
from libc.stdint cimport uint64_t

from fastredis._resp cimport arg_bytes
from fastredis.engine.core cimport NOTIFY_GENERIC
from fastredis.engine.engine cimport C_CLOSE_ASAP, C_CLOSED, C_DENY_BLOCKING, C_LIMITED
from fastredis.engine.errors cimport ERR_WRONGTYPE
from fastredis.engine.lines cimport place_bytes
from fastredis.engine.reply cimport reply_new
from fastredis.values.value cimport entry_count

from fastredis.engine.reply import ErrorReply


cdef enum:
    NOTED_BYTES = 4096              # what subscriptions and watched keys may take before it is looked at for a limit


@cython.no_gc_clear                 # a Connection's __dealloc__ needs the engine
cdef class Client(Session):
    def __init__(self, Engine engine not None):
        client_init(self, engine)

    # --- for handlers -----------------------------------------------------------------

    cdef int error(self, const char* text) except -1:
        """Reply an error; its text starts with the code."""
        cdef size_t size = strlen(text)

        self.engine.count_error(text, size)
        return self.out.error(text, size)

    cdef int error_text(self, bytes text) except -1:
        """Reply an error whose text may hold any bytes."""
        self.engine.count_error(text, len(text))
        return self.out.error(text, len(text))

    cdef int wrong_type(self) except -1:
        return self.error(ERR_WRONGTYPE)

    cdef int note(self, Arg* key, int event_class, const char* event) except -1:
        """Publish a further event of a change that modified() has told already."""
        if self.core.listeners:
            return self.engine.key_event(self.db, event_class, event, key.ptr, key.size)
        return 0

    cdef int effect(self, list argv) except -1:
        """Propagate these arguments (bytes) in place of the command as it came; may be called several times."""
        if self.propagates():
            if self.effects is None:
                self.effects = []
            self.effects.append(argv)
        return 0

    cdef int replicate_message(self) except -1:
        """Have replicas execute the command in argv, too, though it changes no data."""
        if self.propagates():
            self.engine.propagate(self.db.index, self.argv, self.argc, True)
            self.wrote = self.core.propagated
        return 0

    cdef int drop_empty(self, Arg* key, Entry* e) except -1:
        """After modified(): delete the key of a collection that has no elements left, and tell."""
        if entry_count(e) == 0:
            self.db.delete(key, False)
            self.note(key, NOTIFY_GENERIC, b"del")
        return 0

    cdef Reply inbox(self):
        """Where others write to this client; it is sent at the end of the turn."""
        if self.pending is None:
            self.pending = reply_new(self.core, self.engine, self.resp)
            self.pending.writer = <void*>self
        self.pending.resp = self.resp
        self.engine.queue_flush(self)
        return self.pending

    cdef int64_t waiting_bytes(self) noexcept:
        return self.pending.room if self.pending is not None and self.pending.size else 0

    cdef int shut(self) except -1:
        """Close the connection at the end of the turn, without sending what is left."""
        if not self.flags & (C_CLOSE_ASAP | C_CLOSED):
            self.flags |= C_CLOSE_ASAP
            self.engine.queue_close(self)
        return 0

    cdef int note_memory(self) except -1:
        """What the client holds has changed by more than a little."""
        return 0

    def become(self, User user not None, bint authenticated=True):
        """Have a user's rights from now on; called again when these have changed."""
        self.user, self.authenticated = user, authenticated
        if user.limited:
            self.flags |= C_LIMITED
        else:
            self.flags &= ~<uint64_t>C_LIMITED

    cdef int start_over(self) except -1:
        """Be who one is without having authenticated; whoever comes over a socket derives a class."""
        self.become(self.engine.unlimited)
        return 0

    cdef int entered(self, bytes name, int64_t taken) except -1:
        """Count what line_enter() took."""
        self.core.memory.used += taken
        self.line_bytes += place_bytes(name)
        if self.line_bytes > self.line_bytes_noted + NOTED_BYTES:
            self.line_bytes_noted = self.line_bytes
            self.note_memory()
        return 0

    cdef int left(self, bytes name, int64_t given) except -1:
        """Count what line_leave() gave back."""
        self.core.memory.used -= given
        self.line_bytes -= place_bytes(name)
        self.line_bytes_noted = min(self.line_bytes_noted, self.line_bytes)
        return 0

    # --- for commands in plain Python -------------------------------------------------

    @property
    def args(self):
        """The command under way as a list of bytes, its name first."""
        cdef int i
        return [arg_bytes(&self.argv[i]) for i in range(self.argc)]

    @property
    def database(self):
        """Number of the selected database."""
        return self.db.index

    @property
    def flag_bits(self):
        """The C_* bits of fastredis.engine.engine."""
        return self.flags

    @flag_bits.setter
    def flag_bits(self, uint64_t flags):
        self.flags = flags

    @property
    def now_ms(self):
        """The time of this turn, ms since the epoch."""
        return self.core.now_ms

    def reply(self, value):
        """Reply a Python value; see fastredis.engine.reply.Reply.object for what becomes what."""
        if isinstance(value, ErrorReply):
            text = str(value).encode("utf-8", "surrogateescape")
            self.engine.count_error(text, len(text))
        self.out.object(value)


cdef int client_init(Client c, Engine engine) except -1:
    """Make a client known to the engine: a new id, in the registry, on database 0."""
    c.engine = engine
    c.core = &engine.core
    c.db = engine.db(0)
    c.out = engine.reply
    c.resp = 2
    c.id = engine.next_client_id
    engine.next_client_id += 1
    c.created_ms = c.active_ms = engine.core.now_ms
    c.authenticated = True
    c.user = engine.unlimited
    c.name = c.lib_name = c.lib_ver = b""
    c.peer = c.local = b""
    return 0


cdef int frame_push(Client c, Frame* outer, Reply out, uint64_t cleared, uint64_t added) except -1:
    """Keep the frame under way in `outer`, which frame_pop() needs, and begin one inside of it."""
    outer.argv, outer.argc, outer.command = c.argv, c.argc, c.command
    outer.out, outer.effects = <PyObject*>c.out, <PyObject*>c.effects
    Py_INCREF(c.out)
    Py_INCREF(c.effects)
    outer.bits = cleared | added
    outer.flags = c.flags & outer.bits
    c.out = out
    c.effects = None
    c.flags = c.flags & ~cleared | added
    return 0


cdef int frame_pop(Client c, Frame* outer) except -1:
    """End the frame under way: all is what it was before frame_push()."""
    c.argv, c.argc, c.command = outer.argv, outer.argc, outer.command
    c.out, c.effects = <Reply>outer.out, <list>outer.effects
    Py_XDECREF(outer.out)
    Py_XDECREF(outer.effects)
    c.flags = c.flags & ~outer.bits | outer.flags
    return 0


cdef int unit_begin(Client c, Frame* outer, Reply out, uint64_t cleared) except -1:
    """Commands that are one to all others are to run in the handler under way, which waits for nothing meanwhile."""
    frame_push(c, outer, out, cleared, C_DENY_BLOCKING)
    c.core.units += 1
    return 0


cdef int unit_end(Client c, Frame* outer) except -1:
    """They have run, and have propagated themselves: nothing is left for the command around them."""
    frame_pop(c, outer)
    c.effects = [] if c.propagates() else None
    return c.engine.unit_end()
