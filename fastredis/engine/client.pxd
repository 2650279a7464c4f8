# Client: who sends commands, and how a handler sees the world.
#
# A handler gets one argument, the Client: argv[0..argc) is the command, db the selected
# database, reply_*() answers, modified() tells that a key changed. A Client has no socket:
# Connection (fastredis.engine.connection) adds one; the AOF loader and the embedded API
# use a Client with another Reply.
#
# The command under way has a frame: argv, argc, command, out and effects. These are fields of the Client, where
# handlers reach them without a detour. Whoever runs a command inside of another one, or writes an answer in its place,
# keeps what they were in a Frame of its own, on the C stack, and puts that back whatever happens.
#
#   a request                  argv: in the batch        out: the shared buffer       its checks: execute()
#     EXEC      unit_begin()
#       SET                    argv: in the Queue        out: as it was               made when it was queued
#       EVAL    unit_begin()
#         INCR                 argv: Lua's strings       out: a Reply of the script   scripting/run
#               unit_end()
#               unit_end()
#   BLPOP, again  frame_push() argv: the KeyWaiter's     out: the client's inbox      made when it came
#
# What stands between unit_begin() and unit_end() is one: the clock stands still, what it propagates comes between MULTI
# and EXEC, clients who wait for its changes are served behind it, and nothing is evicted, held or postponed in it.
# A bug in one of its commands ends only that (call_guarded).
# Rejected: a Client of its own for each frame, whose database, user and subscriptions would have to be kept alike.

from cpython.ref cimport PyObject
from libc.stdint cimport int64_t, uint64_t
from libc.string cimport strlen

from fastredis._resp cimport Arg
from fastredis.engine.acl.user cimport User
from fastredis.engine.core cimport AFTER_FEED, Core
from fastredis.engine.engine cimport Engine, Session
from fastredis.engine.keyspace cimport Database
from fastredis.engine.reply cimport Reply
from fastredis.values.entry cimport TYPE_STRING, Entry, entry_type


cdef struct Frame:                      # what a client's fields were before frame_push(); see there
    Arg* argv
    int argc
    void* command
    PyObject* out                       # owned, as the next one
    PyObject* effects
    uint64_t bits                       # the flags that are others meanwhile
    uint64_t flags                      # ... as they were


cdef class Client(Session):
    cdef readonly Engine engine
    cdef Core* core                     # the engine's
    cdef Database db                    # selected
    cdef Arg* argv                      # the command under way
    cdef int argc
    cdef void* command                  # Command under way, or that ran last; NULL: none has. They live for ever
    cdef Reply out                      # where handlers write
    cdef list effects                   # what to propagate in place of argv; None: argv itself
    cdef Reply pending                  # what others wrote to this client, not yet sent; None until then
    cdef readonly int64_t id            # counts from 1, never used again
    cdef public int resp                # protocol version, 2 or 3
    cdef public bint authenticated
    cdef readonly User user             # whose rights it has (fastredis.engine.acl)
    cdef public bytes name              # CLIENT SETNAME
    cdef public bytes lib_name          # CLIENT SETINFO
    cdef public bytes lib_ver
    cdef public object peer             # address as text, b"127.0.0.1:50000" or the socket's path
    cdef public object local
    cdef readonly int64_t created_ms    # connect time, ms since the epoch
    cdef readonly int64_t active_ms     # time of the last request
    cdef readonly int64_t requests      # commands run
    cdef int64_t bytes_in
    cdef int64_t bytes_out
    cdef public object blocked          # what it waits for (fastredis.engine.blocking); None: nothing
    cdef object queue                   # MULTI's Queue (fastredis.engine.multi); None outside of MULTI
    cdef dict watched                   # WATCH: Database -> {key: Place} (fastredis.engine.lines); None: nothing
    cdef readonly dict channels         # subscriptions: name -> Place; None until the first one
    cdef readonly dict patterns
    cdef readonly dict shard_channels
    cdef int64_t line_bytes             # of used_memory, what its subscriptions and watched keys take
    cdef int64_t line_bytes_noted       # ... when note_memory() was called last because of them
    cdef public dict fieldsets          # HIMPORT: name -> tuple of fields; None until the first one
    cdef int64_t wrote                  # Core.propagated after its last write, for WAITAOF
    cdef int64_t batch                  # Core.aof_batch after its last write: replies wait until that is synced

    cdef int error(self, const char* text) except -1
    cdef int error_text(self, bytes text) except -1
    cdef int wrong_type(self) except -1
    cdef Reply inbox(self)
    cdef int note(self, Arg* key, int event_class, const char* event) except -1
    cdef int replicate_message(self) except -1
    cdef int effect(self, list argv) except -1
    cdef int drop_empty(self, Arg* key, Entry* e) except -1
    cdef int shut(self) except -1
    cdef int note_memory(self) except -1
    cdef int start_over(self) except -1
    cdef int entered(self, bytes name, int64_t taken) except -1
    cdef int left(self, bytes name, int64_t given) except -1

    cdef inline int modified(self, Arg* key, int event_class, const char* event, int64_t changes=1) except -1:
        """The handler changed a key: everything that follows from a change follows from this.

        Engine.key_changed() tells who wants to hear of it. `changes` is for the dirty count: 0, in all that a command
        says, means that there is nothing to propagate.
        """
        self.core.dirty += changes
        if self.core.listeners:
            return self.engine.key_changed(self.db, key.ptr, key.size, event_class, event)
        return 0

    cdef inline bint propagates(self) noexcept:
        """Whether anybody takes effects; if not, effect() need not be called."""
        return self.core.after_call & AFTER_FEED != 0

    cdef inline bint has_type(self, Entry* e, int kind) except -1:
        """True for NULL or an entry of that type (TYPE_*); else replies WRONGTYPE and is False."""
        if e is not NULL and entry_type(e) != kind:
            self.wrong_type()
            return False
        return True

    cdef inline bint is_string(self, Entry* e) except -1:
        """True for NULL or a string; else replies WRONGTYPE and is False."""
        return self.has_type(e, TYPE_STRING)

    # --- replies: see fastredis.engine.reply for their protocol

    cdef inline int reply_ok(self) except -1:
        return self.out.ok()

    cdef inline int reply_int(self, int64_t value) except -1:
        return self.out.integer(value)

    cdef inline int reply_bulk(self, const char* text, size_t size) except -1:
        return self.out.bulk(text, size)

    cdef inline int reply_text(self, const char* text) except -1:
        return self.out.bulk(text, strlen(text))

    cdef inline int reply_status(self, const char* text) except -1:
        return self.out.status(text)

    cdef inline int reply_null(self) except -1:
        return self.out.null()

    cdef inline int reply_null_array(self) except -1:
        return self.out.null_array()

    cdef inline int reply_array(self, int64_t items) except -1:
        return self.out.array(items)

    cdef inline int reply_map(self, int64_t pairs) except -1:
        return self.out.map(pairs)

    cdef inline int reply_set(self, int64_t members) except -1:
        return self.out.set(members)

    cdef inline int reply_double(self, double value) except -1:
        return self.out.double(value)


cdef int client_init(Client c, Engine engine) except -1
# Begin a frame: argv and argc are for the caller to set. out: where its replies go. cleared, added: flags, for so long.
cdef int frame_push(Client c, Frame* outer, Reply out, uint64_t cleared, uint64_t added) except -1
cdef int frame_pop(Client c, Frame* outer) except -1
# Begin and end what runs as one, in the handler of the command that it is for. Between them, for each command: set argv
# and argc, then dispatch.call_guarded(). A script passes a Reply of its own, clears C_REQUEST, and puts Client.db back
# at its end. unit_end() leaves nothing to propagate to the command around it.
cdef int unit_begin(Client c, Frame* outer, Reply out, uint64_t cleared) except -1
cdef int unit_end(Client c, Frame* outer) except -1
