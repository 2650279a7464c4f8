"""The client as commands see it. The design comment is in client.pxd."""
cimport cython

from libc.stdint cimport uint64_t

from fastredis._resp cimport arg_bytes
from fastredis.engine.core cimport NOTIFY_GENERIC
from fastredis.engine.engine cimport C_CLOSE_ASAP, C_CLOSED
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

    cdef int key_changed(self, Arg* key, int event_class, const char* event) except -1:
        self.engine.touch_watched(self.db, key.ptr, key.size)
        self.engine.key_ready(self.db, key.ptr, key.size)
        return self.engine.key_event(self.db, event_class, event, key.ptr, key.size)

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

    cdef int shut(self) except -1:
        """Close the connection at the end of the turn, without sending what is left."""
        if not self.flags & (C_CLOSE_ASAP | C_CLOSED):
            self.flags |= C_CLOSE_ASAP
            self.engine.queue_close(self)
        return 0

    cdef int note_memory(self) except -1:
        """What the client holds has changed by more than a little."""
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
    def last_command_name(self):
        """Name of the command that ran last, b"client|list"; None: none has."""
        return self.last_command.name if self.last_command is not None else None

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
    c.authenticated = not engine.password
    c.user = b"default"
    c.name = c.lib_name = c.lib_ver = b""
    c.peer = c.local = b""
    return 0
