"""The line that describes a client: in CLIENT LIST and CLIENT INFO, and in the log.

    id=3 addr=127.0.0.1:50000 laddr=127.0.0.1:6379 fd=8 name= age=0 idle=0 flags=N db=0 sub=0 ...

Replies are written to a buffer that all clients share, so the reply buffer (rbs, rbp, obl) is what others write to; the
output list (oll, omem) is what the transport could not send yet. multi is -1 outside of MULTI.
Source: https://redis.io/docs/latest/commands/client-list/
"""
from libc.stdint cimport int64_t
from libc.string cimport strlen

from fastredis._resp cimport BIG_ARG
from fastredis.engine.client cimport Client
from fastredis.engine.command cimport Command
from fastredis.engine.connection cimport Connection
from fastredis.engine.engine cimport (
    C_BLOCKED, C_CLOSE_AFTER_REPLY, C_CLOSE_ASAP, C_DIRTY_CAS, C_MASTER, C_MONITOR, C_MULTI, C_NO_EVICT, C_NO_TOUCH,
    C_PUBSUB, C_READONLY, C_REPLICA, C_TRACKING, C_TRACKING_BCAST, C_TRACKING_BROKEN, C_UNIX_SOCKET,
)
from fastredis.engine.importing cimport C_IMPORT_SOURCE
from fastredis.engine.multi cimport Queue, watch_count
from fastredis.engine.reply cimport Reply, reply_new

cdef bytes REDACTED = b"*redacted*"

cdef struct Letter:
    int flag
    const char* letter

# The letters of the field `flags`, in its order, behind O or S for MONITOR and replicas.
cdef Letter[15] LETTERS = [
    Letter(C_MASTER, b"M"),
    Letter(C_PUBSUB, b"P"),
    Letter(C_MULTI, b"x"),
    Letter(C_BLOCKED, b"b"),
    Letter(C_TRACKING, b"t"),
    Letter(C_TRACKING_BROKEN, b"R"),
    Letter(C_TRACKING_BCAST, b"B"),
    Letter(C_DIRTY_CAS, b"d"),
    Letter(C_CLOSE_AFTER_REPLY, b"c"),
    Letter(C_CLOSE_ASAP, b"A"),
    Letter(C_READONLY, b"r"),
    Letter(C_UNIX_SOCKET, b"U"),
    Letter(C_NO_EVICT, b"e"),
    Letter(C_NO_TOUCH, b"T"),
    Letter(C_IMPORT_SOURCE, b"I"),
]


def describe(Connection c not None, bint redact):
    """A client as the log shows it (str); redact: without its names."""
    cdef Reply out = reply_new(c.core, c.engine, 2)

    put_line(out, c, 0, redact)
    return out.take().decode("utf-8", "surrogateescape")


def flag_letters(Connection c not None):
    """The field `flags`, as bytes."""
    cdef Reply out = reply_new(c.core, c.engine, 2)

    put_flags(out, c)
    return out.take().partition(b"=")[2]


def reply_lines(Client asking not None, list clients not None):
    """Reply a client the lines of some, itself maybe among them."""
    cdef Reply out = reply_new(asking.core, asking.engine, 2)
    cdef Connection c
    cdef int64_t argv_bytes
    cdef int i

    for c in clients:
        argv_bytes = 0
        if c is asking:
            for i in range(c.argc):
                argv_bytes += c.argv[i].size
        put_line(out, c, argv_bytes, False)
        out.protocol(b"\n", 1)
    if clients:
        asking.out.verbatim(b"txt", out.data, out.size)
    else:
        asking.out.verbatim(b"txt", b"", 0)


cdef int put_int(Reply out, const char* name, int64_t value) except -1:
    """` name=value`; the name brings its blank and its equals sign."""
    out.protocol(name, strlen(name))
    return out.number(value)


cdef int put_text(Reply out, const char* name, bytes value) except -1:
    out.protocol(name, strlen(name))
    return out.protocol(value, len(value))


cdef int put_name(Reply out, const char* name, bytes value) except -1:
    """A name that a client chose: up to a zero byte, behind which there may be anything."""
    out.protocol(name, strlen(name))
    return out.protocol(value, strlen(<const char*>value))


cdef int put_line(Reply out, Connection c, int64_t argv_bytes, bint redact) except -1:
    """All fields; argv_bytes: of the arguments of its present command."""
    put_int(out, b"id=", c.id)
    put_text(out, b" addr=", c.peer)
    put_text(out, b" laddr=", c.local)
    put_int(out, b" fd=", c.wire_descriptor)
    put_name(out, b" name=", REDACTED if redact else c.name)
    put_int(out, b" age=", (c.core.now_ms - c.created_ms) // 1000)
    put_int(out, b" idle=", (c.core.now_ms - c.active_ms) // 1000)
    put_flags(out, c)
    put_int(out, b" db=", c.db.index)
    put_int(out, b" sub=", len(c.channels) if c.channels is not None else 0)
    put_int(out, b" psub=", len(c.patterns) if c.patterns is not None else 0)
    put_int(out, b" ssub=", len(c.shard_channels) if c.shard_channels is not None else 0)
    put_memory(out, c, argv_bytes)
    put_text(out, b" cmd=", (<Command>c.command).name if c.command is not NULL else b"NULL")
    put_text(out, b" user=", REDACTED if redact else c.user.name)
    put_int(out, b" redir=", c.engine.tracking.redirect(c))
    put_int(out, b" resp=", c.resp)
    put_name(out, b" lib-name=", c.lib_name)
    put_name(out, b" lib-ver=", c.lib_ver)
    put_int(out, b" tot-net-in=", c.bytes_in)
    put_int(out, b" tot-net-out=", c.bytes_out)
    return put_int(out, b" tot-cmds=", c.requests)


cdef int put_flags(Reply out, Connection c) except -1:
    cdef size_t mark
    cdef int i

    out.protocol(b" flags=", 7)
    mark = out.size
    if c.flags & C_MONITOR:
        out.protocol(b"O", 1)
    elif c.flags & C_REPLICA:
        out.protocol(b"S", 1)
    for i in range(sizeof(LETTERS) // sizeof(Letter)):
        if c.flags & LETTERS[i].flag:
            out.protocol(LETTERS[i].letter, 1)
    return out.protocol(b"N", 1) if out.size == mark else 0


cdef int put_memory(Reply out, Connection c, int64_t argv_bytes) except -1:
    """From multi to events: what is queued and what is held."""
    cdef Queue queue = <Queue>c.queue
    cdef int64_t queued = queue.size_bytes if queue is not None else 0
    cdef int64_t inbox = c.pending.room if c.pending is not None else 0
    cdef int64_t unsent = 0
    cdef size_t unread = c.query_size

    if c.parser.bulk_size >= BIG_ARG and unread > c.parser.pos:
        unread -= c.parser.pos              # what came before a big argument is as good as taken
    if c.writing and c.transport is not None:
        unsent = c.transport.get_write_buffer_size()
    put_int(out, b" multi=", queue.count if queue is not None else -1)
    put_int(out, b" watch=", watch_count(c))
    put_int(out, b" qbuf=", unread)
    put_int(out, b" qbuf-free=", c.query_room - c.query_size)
    put_int(out, b" argv-mem=", argv_bytes)
    put_int(out, b" multi-mem=", queued)
    put_int(out, b" rbs=", inbox)
    put_int(out, b" rbp=", inbox)
    put_int(out, b" obl=", c.pending.size if c.pending is not None else 0)
    put_int(out, b" oll=", unsent != 0)
    put_int(out, b" omem=", unsent)
    put_int(out, b" tot-mem=", own_bytes(c) + argv_bytes + c.query_room + queued + inbox + unsent)
    return put_text(out, b" events=", b"rw" if unsent else b"r")


cdef int64_t own_bytes(Connection c) except -1:
    """Bytes that a client costs but for its buffers: itself, its name, its places in lines, its prepared fields."""
    cdef int64_t size = <int64_t>type(c).__basicsize__ + len(c.name) + c.line_bytes

    if c.fieldsets is not None:
        for name, fields in c.fieldsets.items():
            size += len(name) + sum(map(len, fields))
    return size
