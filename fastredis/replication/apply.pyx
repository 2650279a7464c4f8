"""The stream of a replica's master, applied. The design comment is in apply.pxd."""
cimport cython

from libc.stdint cimport UINT32_MAX

from fastredis._resp cimport BATCH, BIG_ARG, PARSE_ERROR, PARSE_MORE, Arg, Batch, Request, parse_batch, parser_reset
from fastredis.ds.alloc cimport mem_give_up
from fastredis.ds.native cimport monotonic_us, ticks, unlikely
from fastredis.engine.blocking cimport Blocked
from fastredis.engine.command cimport CommandTable, find_subcommand
from fastredis.engine.connection cimport Connection
from fastredis.engine.core cimport GATE_DISK, GATE_PAUSED, Core
from fastredis.engine.dispatch cimport call_guarded, command_flags, execute, is_queueing, prepare
from fastredis.engine.engine cimport (
    C_CLOSE_AFTER_REPLY, C_CLOSE_ASAP, C_DENY_BLOCKING, C_GONE, C_MASTER, C_MULTI, Engine,
)
from fastredis.engine.evict cimport Evictor
from fastredis.engine.flags cimport CONTAINER, WRITE
from fastredis.engine.multi cimport Queue
from fastredis.engine.reply cimport reply_new

cdef extern from "<strings.h>" nogil:
    int strncasecmp(const char* one, const char* other, size_t size)


@cython.no_gc_clear                     # Connection's __dealloc__ needs the engine
cdef class MasterConnection(Connection):
    """The connection of a Link, made when the stream is about to begin. See apply.pxd."""

    def __init__(self, Engine engine not None, link):
        cdef Command replconf = (<CommandTable>engine.commands).find(b"replconf", 8)

        super().__init__(engine)
        self.link = link
        self.stream = engine.replication.stream
        self.replconf = <void*>replconf if replconf is not None else NULL
        self.out = reply_new(&engine.core, engine, 2)
        self.held = bytearray()
        self.heard_us = monotonic_us()

    def start(self, transport, int database, bytes peer not None, bytes local not None):
        """Take a transport over (None: it is gone already); `database` is what the stream has selected."""
        self.transport = transport
        if transport is not None:
            sock = transport.get_extra_info("socket")
            if sock is not None and transport.get_extra_info("sslcontext") is None:
                self.fd = sock.fileno()
            transport.set_write_buffer_limits(0)
            transport.set_protocol(self)
        self.peer, self.local = peer, local
        self.flags |= C_MASTER | C_DENY_BLOCKING
        self.db = self.engine.db(database)
        self.engine.clients[self.id] = self

    def leave(self):
        """Close the connection, which is nobody's from now on. Nothing more is taken from it."""
        self.link = None
        self.flags |= C_CLOSE_ASAP
        if self.transport is not None:
            self.transport.abort()

    def connection_lost(self, exception):
        """The connection is gone; its link makes another one."""
        link, self.link = self.link, None
        Connection.connection_lost(self, exception)
        if link is not None:
            link.master_lost(self)

    @property
    def silent_s(self):
        """Seconds since the latest bytes."""
        return (monotonic_us() - self.heard_us) / 1e6

    @property
    def unapplied(self):
        """Bytes that came and are not applied: a part of a command or transaction, or what a pause holds."""
        return len(self.held) + self.query_size

    # --- bytes ----------------------------------------------------------------------------

    cdef int take(self, const char* data, size_t size) except -1:
        self.heard_us = monotonic_us()
        self.stream.bytes_in += size
        return Connection.take(self, data, size)

    cdef int keep(self, const char* data, size_t size) except -1:
        """Append to the query buffer, whose size the master decides."""
        if not self.append_query(data, size):
            return self.refuse()
        if self.parser.bulk_size >= BIG_ARG and not self.reserve_bulk():
            return self.refuse()
        return self.note_memory()

    cdef int refuse(self) except -1:
        """There is no memory for what the master sends. It would only send it again."""
        mem_give_up(b"out of memory for what the master sends, bytes so far:", self.query_size)
        return 0

    cdef bint takes(self, size_t size) except -1:
        """What its commands reply goes nowhere, so it is never too much."""
        return True

    cdef int send_reply(self) except -1:
        """There are no replies; a connection that came to its end is closed."""
        self.out.clear()
        if self.flags & C_CLOSE_AFTER_REPLY and self.transport is not None:
            self.transport.close()
        return 0

    cdef size_t process(self, const char* base, size_t size) except? 0xFFFFFFFFFFFFFFFF:
        cdef size_t used

        self.passed = self.applied = 0
        self.core.obeying = True
        try:
            used = self.apply(base, size)
            self.pass_on(base, self.applied)
            if self.flags & C_MULTI and not self.flags & C_GONE:
                self.held += base[self.applied:used]
        except Exception:               # the next connection would bring again what is here
            self.engine.fatal("Applying the master's stream failed with an exception")
            raise
        finally:
            self.core.obeying = False
        return used

    cdef size_t apply(self, const char* base, size_t size) except? 0xFFFFFFFFFFFFFFFF:
        """Execute what is whole in base[0:size]; returns how many bytes are used up."""
        cdef Batch* batch = &self.engine.batch
        cdef size_t pos = 0
        cdef int status, taken

        self.parser.authenticated = True
        self.parser.max_bulk = UINT32_MAX   # the master's proto-max-bulk-len may be larger: what it has stored is taken
        while True:
            status = parse_batch(&self.parser, batch, base, size, &pos, BATCH)
            if batch.count:
                taken = self.run(batch, base)
                if self.flags & C_GONE:
                    return size
                if taken < batch.count:
                    parser_reset(&self.parser)
                    return batch.requests[taken].begin
            if status == PARSE_ERROR:
                self.protocol_error()
                return size
            if status == PARSE_MORE:
                if not self.flags & C_MULTI:
                    self.applied = pos
                return pos

    cdef int pass_on(self, const char* base, size_t end) except -1:
        """Hand bytes that are applied to the stream, which moves the offset."""
        if end <= self.passed:
            return 0
        if self.held:
            self.stream.put(self.held, len(self.held))
            self.held = bytearray()
        self.stream.put(base + self.passed, end - self.passed)
        self.passed = end
        return 0

    cdef int protocol_error(self) except -1:
        """What came is no stream. Nobody knows what was missed, so the next connection has to get everything."""
        text = self.parser.error.decode("latin-1")
        self.engine.log.warning(f"Protocol error ({text}) from client: {self.engine.describe(self)}.")
        return self.stop()

    cdef int stop(self) except -1:
        if self.link is not None:
            self.link.desynchronized()
        return self.shut()

    # --- commands -------------------------------------------------------------------------

    cdef int run(self, Batch* batch, const char* base) except -1:
        """Execute a batch; returns how many requests were taken (fewer when CLIENT PAUSE holds one)."""
        cdef Core* core = self.core
        cdef void* commands[BATCH]
        cdef Command command
        cdef Request* r
        cdef int64_t errors
        cdef int i

        if unlikely(core.memory.used > core.memory_limit) and not self.engine.config["replica-ignore-maxmemory"]:
            (<Evictor>self.engine.evictor).make_room()
        prepare(self, batch, commands)
        if unlikely(core.gate & GATE_DISK):
            for i in range(batch.count):
                if commands[i] is not NULL and (<Command>commands[i]).flags & WRITE:
                    self.link.cannot_persist()
                    break
        core.tick = ticks()
        for i in range(batch.count):
            r = &batch.requests[i]
            self.argv = &batch.args.items[r.first]
            self.argc = r.argc
            self.out.size = 0
            errors = core.errors
            command = <Command>commands[i] if commands[i] is not NULL else None
            if unlikely(command is None or command.flags & CONTAINER or self.flags & C_MULTI or core.gate & GATE_PAUSED
                        or base[r.begin] != c'*' or commands[i] == self.replconf
                        or (self.argc != command.arity and (command.arity > 0 or self.argc < -command.arity))):
                if not self.run_rare(command, r, base):
                    return i
            else:
                call_guarded(self, command)
            if unlikely(core.errors != errors):
                self.tell_error(command)
            if unlikely(self.flags & C_GONE):
                return i + 1
            if not self.flags & C_MULTI:
                self.applied = r.end
        return batch.count

    cdef bint run_rare(self, Command command, Request* r, const char* base) except -1:
        """Execute one command that is not simply called; False when CLIENT PAUSE holds it."""
        cdef Command found = command

        if base[r.begin] != c'*':
            self.engine.log.warning("WARNING: Receiving inline protocol from master, master stream corruption? Closing "
                                    "the master connection and discarding the cached master.")
            self.stop()
            return True
        if self.is_getack() and not self.flags & C_MULTI:
            self.pass_on(base, r.begin)
            self.link.send_ack()
            return True
        if found is not None and found.flags & CONTAINER and self.argc > 1:
            found = find_subcommand(found, self.argv[1].ptr, self.argv[1].size)
        if found is None or (self.argc != found.arity and (found.arity > 0 or self.argc < -found.arity)):
            execute(self, command)              # which replies what is wrong
            return True
        if self.core.gate & GATE_PAUSED and (<Blocked>self.engine.blocked).holds(command_flags(self, found)):
            (<Blocked>self.engine.blocked).postpone(self)
            return False
        if is_queueing(self, found):
            (<Queue>self.queue).append(self, found, found.flags)
        else:
            call_guarded(self, found)
        return True

    cdef bint is_getack(self) noexcept:
        """Whether the command is REPLCONF GETACK."""
        cdef Arg* argv = self.argv

        return (self.argc == 3 and argv[0].size == 8 and argv[1].size == 6
                and strncasecmp(argv[0].ptr, b"replconf", 8) == 0 and strncasecmp(argv[1].ptr, b"getack", 6) == 0)

    cdef int tell_error(self, Command command) except -1:
        """A command that succeeded at the master failed here. The data may be other than the master's."""
        cdef bytes reply = self.out.data[:self.out.size]

        if not reply.startswith(b"-"):          # of EXEC: the first error in the array
            reply = reply.partition(b"\r\n-")[2]
        self.engine.unexpected_error("replica", "master", reply.removeprefix(b"-").partition(b"\r\n")[0],
                                     command.name if command is not None else b"")
        return 0
