"""A client with a socket. The design comment is in connection.pxd."""
cimport cython

import socket

from libc.string cimport memcpy, memmove

from fastredis._resp cimport (
    BATCH, BIG_ARG, PARSE_ERROR, PARSE_FULL, PARSE_MORE, Batch, parse_batch, parser_free, parser_init, parser_reset,
)
from fastredis.ds.alloc cimport mem_free, mem_growth_possible, mem_possible, mem_realloc
from fastredis.ds.native cimport ticks, unlikely
from fastredis.engine.client cimport client_init
from fastredis.engine.core cimport OUTPUT_NORMAL, OUTPUT_PUBSUB, OUTPUT_REPLICA
from fastredis.engine.dispatch cimport run_batch
from fastredis.engine.engine cimport (
    C_BLOCKED, C_CLOSE_AFTER_REPLY, C_CLOSE_ASAP, C_CLOSED, C_GONE, C_MASTER, C_MONITOR, C_NO_EVICT, C_PUBSUB,
    C_REPLICA, C_TRACKING, C_UNIX_SOCKET, Engine,
)
from fastredis.engine.multi cimport Queue, unwatch_all
from fastredis.engine.reply cimport REPLY_FIRST

from fastredis.host.logs import VERBOSE, WARNING

cdef extern from "<sys/socket.h>" nogil:
    enum:
        MSG_DONTWAIT
        MSG_NOSIGNAL
        SHUT_RDWR
    int shutdown(int fd, int how)
    ssize_t send_bytes "send"(int fd, const void* data, size_t size, int flags)

cdef enum:
    LEAST_QUERY = 1024                                      # what the cron leaves of a large query buffer in use
    IDLE_MS = 2000                                          # after this the cron takes an unused query buffer away
    KEPT_ARGS = 1024                                        # a parser with room for more gives it back
    FREE_OUTPUT = 10 * 1024     # of a reply, this much is not held against the output limits (in Redis 1 to 16 KB)


cdef int close_over_limit(Connection c) except -1:
    """client-output-buffer-limit was passed."""
    if not c.flags & (C_CLOSE_ASAP | C_CLOSED):
        c.core.output_limit_closed += 1
        c.engine.log.limited("output limit", WARNING, f"Client {c.engine.describe(c)} scheduled to be closed ASAP for "
                             "overcoming of output buffer limits.")
        c.shut()
    return 0


cdef inline void begin_reply(Connection c) noexcept:
    """Make the shared buffer this client's; should a bug have left another's replies in it, they are dropped."""
    c.out.size = 0
    c.out.over = False
    c.out.resp = c.resp
    c.out.writer = <void*>c


@cython.no_gc_clear                 # __dealloc__ needs the engine
cdef class Connection(Client):
    def __init__(self, Engine engine not None):
        parser_init(&self.parser, &engine.core.memory)
        self.fd = -1
        client_init(self, engine)

    def __dealloc__(self):
        if self.core is not NULL:
            parser_free(&self.parser)
            mem_free(&self.core.memory, self.query, self.query_room)

    # --- what the transport calls -------------------------------------------------------

    def connection_made(self, transport):
        """The transport is ready; admit() decides whether the client may stay."""
        self.engine.begin_turn()
        try:
            if self.transport is not None or self.flags & C_CLOSED:
                self.change_transport(transport)
                return
            self.welcome(transport)
        finally:
            if self.id not in self.engine.clients and not self.flags & C_CLOSE_AFTER_REPLY:
                transport.abort()       # it was neither welcomed nor refused: nobody would look after it
            self.engine.end_turn()

    def change_transport(self, transport):
        """The loop has a transport now, in place of the stand-in."""
        if self.flags & C_CLOSED:
            transport.abort()
            return
        unsent = self.transport.unsent
        self.transport = transport
        transport.set_write_buffer_limits(0)
        if unsent:
            transport.write(unsent)
        self.writing = transport.get_write_buffer_size() > 0

    def welcome(self, transport):
        self.transport = transport
        sock = transport.get_extra_info("socket")
        if sock is not None and transport.get_extra_info("sslcontext") is None:
            self.fd = sock.fileno()
        transport.set_write_buffer_limits(0)
        self.created_ms = self.active_ms = self.core.now_ms
        self.start_over()
        self.core.connections += 1
        refusal = self.admit(transport)
        if refusal is not None:
            self.turn_away(refusal)
            return
        self.engine.clients[self.id] = self

    def in_turn(self, function, *args):
        """Call a function with the client, in a turn: what the transport tells that is no request."""
        self.engine.begin_turn()
        try:
            function(self, *args)
        finally:
            self.engine.end_turn()

    def turn_away(self, bytes refusal not None):
        """Have it go, with some protocol that says why."""
        self.core.rejected_connections += 1
        self.flags |= C_CLOSE_AFTER_REPLY
        self.engine.clients.pop(self.id, None)
        self.transport.write(refusal)
        self.fd = -1                # the number may be another's before connection_lost()
        self.transport.close()

    def admit(self, transport):
        """Whether the client may stay, None; or protocol to refuse it with. Whoever listens derives a class."""
        return None

    def data_received(self, bytes data not None):
        """Bytes came in: run the requests in them."""
        cdef size_t size = len(data)

        self.engine.begin_turn()
        try:
            if unlikely(size >= LARGE_READ):
                self.take_much(data, size)
            else:
                self.take(data, size)
        finally:
            self.engine.end_turn()

    def eof_received(self):
        """The client will send no more; its connection is closed, as Redis does."""
        return False

    def connection_lost(self, exception):
        """The connection is gone: leave no trace."""
        self.engine.begin_turn()
        self.flags |= C_CLOSED
        if self.fd >= 0:
            shutdown(self.fd, SHUT_RDWR)    # a child may have the socket, too: closing it here would tell nothing
        self.transport = None
        self.fd = -1
        self.queue = None
        if self.pending is not None:
            self.pending.writer = NULL
            self.pending = None
        try:
            self.vanish()
        finally:
            self.engine.end_turn()

    cdef int start_over(self) except -1:
        self.become(self.engine.default_user, not self.engine.auth_required)
        return 0

    cdef int shut(self) except -1:
        """Close the connection at the end of the turn, without sending what is left; it is out of everything now."""
        if not self.flags & (C_CLOSE_ASAP | C_CLOSED):
            Client.shut(self)
            self.vanish()
        return 0

    cdef int vanish(self) except -1:
        """The client is gone, or as good as gone. Called again when it is: it may have entered a line meanwhile."""
        self.set_counted(0, 0)
        self.engine.clients.pop(self.id, None)
        return self.leave_lines()

    cdef int leave_lines(self) except -1:
        """It waits for nothing any more, and nobody writes to it."""
        unwatch_all(self)
        self.engine.pubsub.remove(self)
        self.engine.monitors.remove(self)
        self.engine.blocked.remove(self)
        if self.flags & C_TRACKING:
            self.engine.tracking.end(self)
        if self.replica is not None:
            self.engine.replication.connection_lost(self)
        return 0

    cdef int end(self) except -1:
        """All replies are written: close the connection when they are sent."""
        if self.transport is not None:
            self.leave_lines()
            self.transport.close()
        return 0

    def pause_writing(self):
        self.writing = True

    def resume_writing(self):
        """What the kernel had refused is sent."""
        self.engine.begin_turn()
        try:
            self.writing = False
            self.soft_since_ms = 0
            self.note_memory()
            if self.drained is not None:
                self.drained()
        finally:
            self.engine.end_turn()

    # --- memory ---------------------------------------------------------------------------

    cdef int note_memory(self) except -1:
        """recount(), and see to maxmemory-clients."""
        self.recount()
        if self.core.client_memory > self.core.client_limit:
            self.engine.evictor.evict_clients()
        return 0

    cdef int recount(self) except -1:
        """Count what the client's buffers hold: the transport's in used_memory, all of them for maxmemory-clients.

        What a client that is about to be closed has not been sent goes with it, and counts no more.
        """
        cdef Queue queue = <Queue>self.queue
        cdef int64_t unsent = 0
        cdef int64_t held = 0

        if self.writing and self.transport is not None and not self.flags & C_CLOSE_ASAP:
            unsent = self.transport.get_write_buffer_size()
        if not self.flags & (C_CLOSE_ASAP | C_CLOSED | C_NO_EVICT | C_MASTER | C_REPLICA):
            held = unsent + self.query_room + self.line_bytes
            held += self.pending.room if self.pending is not None else 0
            held += queue.size_bytes if queue is not None else 0
        return self.set_counted(unsent, held)

    cdef int set_counted(self, int64_t unsent, int64_t held) noexcept:
        cdef int64_t for_replica = unsent if self.flags & C_REPLICA else 0

        self.core.memory.used += unsent - self.unsent
        self.unsent = unsent
        self.core.replica_unsent += for_replica - self.replica_unsent
        self.replica_unsent = for_replica
        self.core.client_memory += held - self.held
        self.held = held
        return 0

    def count_memory(self):
        """Whether or how the client counts has changed."""
        self.note_memory()

    def evictable_bytes(self):
        """Bytes that closing the client would give back, as maxmemory-clients counts them; now, not when last noted."""
        self.recount()
        return self.held

    # --- requests -------------------------------------------------------------------------

    cdef int take_much(self, const char* data, size_t size) except -1:
        """A read that another one may follow before anybody else has a turn: they have one slice in all."""
        if self.core.turns != self.next_turn:
            self.slice_end = self.core.slice_end
        self.next_turn = self.core.turns + 1
        self.core.slice_end = self.slice_end
        self.take(data, size)
        if ticks() > self.slice_end and not self.flags & (C_GONE | C_MASTER):
            self.wait_its_turn()
        return 0

    cdef int take(self, const char* data, size_t size) except -1:
        cdef size_t used

        if self.flags & C_GONE:
            return 0
        self.bytes_in += size
        self.core.bytes_in += size
        self.core.reads += 1
        self.active_ms = self.core.now_ms
        if unlikely(self.flush_queued) and not self.core.holding and self.batch <= self.core.aof_synced:
            self.flush()            # it might wait for the next fsync otherwise
        if self.flags & C_BLOCKED:
            return self.keep(data, size)
        if self.query_size:
            self.keep(data, size)
            return 0 if self.flags & C_GONE else self.resume()
        begin_reply(self)
        used = self.process(data, size)
        if used < size and not self.flags & C_GONE:
            self.keep(data + used, size - used)
        return self.finish_reply()

    cdef int resume(self) except -1:
        """Go on with what the query buffer holds."""
        cdef size_t used

        if self.flags & (C_GONE | C_BLOCKED) or not self.query_size:
            return 0
        if unlikely(not mem_possible(self.query_size)):     # its command may store as much again
            return self.refuse()
        if not self.core.holding:
            self.flush()
        begin_reply(self)
        used = self.process(self.query + self.query_begin, self.query_size)
        self.query_begin += used
        self.query_size -= used
        if self.query_begin >= self.query_size:     # what is left is moved once as long as it is at most, all in all
            self.pack_query()
        if self.parser.bulk_size >= BIG_ARG and not self.reserve_bulk():
            self.refuse()
        return self.finish_reply()

    cdef size_t process(self, const char* base, size_t size) except? 0xFFFFFFFFFFFFFFFF:
        """Run the requests in base[0:size]; returns how many bytes are used up."""
        cdef Batch* batch = &self.engine.batch
        cdef int status
        cdef size_t pos = 0
        cdef int taken

        while True:
            self.parser.authenticated = self.authenticated or not self.engine.auth_required
            self.parser.max_bulk = self.core.max_bulk
            # What comes after AUTH is parsed when AUTH is done: its limits are other ones.
            status = parse_batch(&self.parser, batch, base, size, &pos, BATCH if self.authenticated else 1)
            if batch.count:
                taken = run_batch(self, batch)
                if self.flags & C_GONE:
                    return size
                if unlikely(taken < batch.count):
                    pos = batch.requests[taken].begin
                    parser_reset(&self.parser)
                if self.flags & C_BLOCKED:
                    return pos
                if unlikely(taken < batch.count or (status == PARSE_FULL and self.core.tick > self.core.slice_end)):
                    self.wait_its_turn()
                    return pos
            if status == PARSE_ERROR:
                self.protocol_error()
                return size
            if status == PARSE_MORE:
                return pos

    cdef int wait_its_turn(self) except -1:
        """It has had its share of this turn."""
        if not self.waiting:
            self.transport.pause_reading()
            self.waiting = True
            self.engine.give_way(self)
        return 0

    cdef int go_on(self) except -1:
        self.waiting = False
        self.active_ms = self.core.now_ms
        try:
            self.resume()
        finally:
            if not self.waiting and self.transport is not None and not self.transport.is_closing():
                self.transport.resume_reading()
        return 0

    cdef int protocol_error(self) except -1:
        """Reply the error and close."""
        if self.engine.log.wants(VERBOSE):
            self.engine.log.limited("protocol error", VERBOSE,
                                    f"{self.parser.error.decode('latin-1')}. {self.engine.describe(self)}")
        self.error_text(b"ERR " + self.parser.error)
        self.flags |= C_CLOSE_AFTER_REPLY
        return 0

    cdef int keep(self, const char* data, size_t size) except -1:
        """Append to the query buffer; a client that fills it beyond client-query-buffer-limit is closed."""
        cdef size_t total = self.query_size + size
        cdef size_t queued = (<Queue>self.queue).size_bytes if self.queue is not None else 0

        if total + queued > self.core.query_buffer_limit:
            self.core.query_limit_closed += 1
            self.engine.log.limited("query buffer", WARNING, "Closing client that reached max query buffer length: "
                                    f"{self.engine.describe(self)}")
            return self.shut()
        if not self.append_query(data, size):
            return self.refuse()
        if self.parser.bulk_size >= BIG_ARG and not self.reserve_bulk():
            return self.refuse()
        return self.note_memory()

    cdef bint reserve_bulk(self) noexcept:
        """Room for all of the argument under way."""
        self.pack_query()
        return self.reserve_query(self.parser.pos + self.parser.bulk_size + 2)

    cdef bint reserve_query(self, size_t room) noexcept:
        """Make the query buffer at least that large; False: there is no memory for it."""
        if room > self.query_room:
            if not mem_growth_possible(self.query_room, room):
                return False
            self.query = <char*>mem_realloc(&self.core.memory, self.query, self.query_room, room)
            self.query_room = room
        return True

    cdef bint append_query(self, const char* data, size_t size) noexcept:
        """Add to the query buffer; False: there is no memory for it."""
        cdef size_t total = self.query_size + size

        if self.query_begin + total > self.query_room:
            self.pack_query()
        if total > self.query_room and not self.reserve_query(max(total, self.query_room * 2, QUERY_BUFFER)):
            return False
        memcpy(self.query + self.query_begin + self.query_size, data, size)
        self.query_size = total
        if total > self.query_peak:
            self.query_peak = total
        return True

    cdef int pack_query(self) noexcept:
        """Move what is left in the query buffer to its front."""
        if self.query_begin:
            memmove(self.query, self.query + self.query_begin, self.query_size)
            self.query_begin = 0
        return 0

    cdef int refuse(self) except -1:
        """There is no memory for what the client sends: close it."""
        self.engine.log.limited("request memory", WARNING, "Closing client, insufficient memory for its request: "
                                f"{self.engine.describe(self)}")
        return self.shut()

    def shrink_buffers(self):
        """Cron: give back room of the query buffer, the parser and the inbox that is not used."""
        if self.pending is not None:
            self.pending.shrink()
        if self.parser.args_left == 0 and self.parser.partial.room > KEPT_ARGS:
            parser_free(&self.parser)
        self.shrink_query()

    cdef int shrink_query(self) except -1:
        cdef size_t wanted = self.query_size
        cdef bint idle = self.core.now_ms - self.active_ms > IDLE_MS

        if not idle and self.query_room > BIG_ARG and self.parser.bulk_size < BIG_ARG:
            wanted = max(self.query_peak, self.query_size, LEAST_QUERY)
        elif not idle:
            return 0
        self.query_peak = self.query_size
        if wanted < self.query_room // 2 or (idle and wanted < self.query_room):
            self.pack_query()
            if wanted == 0:
                mem_free(&self.core.memory, self.query, self.query_room)
                self.query = NULL
            else:
                self.query = <char*>mem_realloc(&self.core.memory, self.query, self.query_room, wanted)
            self.query_room = wanted
        return 0

    # --- replies ----------------------------------------------------------------------------

    cdef int send_reply(self) except -1:
        """Send what the client's own commands replied."""
        if unlikely(self.flags & C_CLOSE_ASAP):
            self.out.clear()
            return 0
        if unlikely(self.core.holding or self.batch > self.core.aof_synced):
            return self.hold_reply()
        if unlikely(self.pending is not None and self.pending.size > 0):
            self.send_pending()         # replies that were held before, while what they tell of is synced by now
        if self.out.size:
            self.send(self.out)
        if unlikely(self.flags & C_CLOSE_AFTER_REPLY):
            self.end()
        return 0

    cdef int finish_reply(self) except -1:
        """The same at the end of a read: the shared buffer is nobody's now."""
        self.send_reply()
        self.out.writer = NULL
        return 0

    cdef int hold_reply(self) except -1:
        """Keep the reply with what others wrote to this client, until the AOF has what it tells of."""
        self.inbox().protocol(self.out.data, self.out.size)
        self.out.clear()
        return 0

    cdef int flush(self) except -1:
        """Send what others wrote to this client, unless it is to wait for an fsync."""
        if self.flags & C_CLOSE_ASAP:
            return 0
        if unlikely(self.batch > self.core.aof_synced):
            return self.engine.hold(self)
        if self.pending is not None and self.pending.size:
            self.send_pending()
        if self.flags & C_CLOSE_AFTER_REPLY:
            self.end()
        return 0

    cdef int send_pending(self) except -1:
        """Send what waits. Its room is kept, unless keys would have to go for it."""
        cdef Reply pending = self.pending

        self.send(pending)
        if pending.size == 0 and pending.room > REPLY_FIRST and self.core.memory.used > self.core.memory_limit:
            pending.set_room(0)
        return 0

    cdef bint takes(self, size_t size) except -1:
        """A Reply of the client's wants to grow to `size`: client-output-buffer-limit decides, before it does."""
        cdef int64_t hard = self.core.output_hard[self.output_class()]
        cdef int64_t unsent = 0

        if self.flags & (C_CLOSE_ASAP | C_CLOSED):
            return False
        if hard == 0 or size <= FREE_OUTPUT:
            return True
        if self.writing and self.transport is not None:
            unsent = self.transport.get_write_buffer_size()
        if <int64_t>size - FREE_OUTPUT + unsent < hard:
            return True
        close_over_limit(self)
        return False

    cdef int send(self, Reply reply) except -1:
        cdef ssize_t size = reply.size
        cdef bint gone

        if self.transport is None:
            reply.clear()
            return 0
        if size > FREE_OUTPUT and 0 < self.core.output_hard[self.output_class()] <= size - FREE_OUTPUT:
            reply.clear()           # Redis would have closed it while it wrote the reply, before the kernel gets any
            return close_over_limit(self)
        gone = self.push(reply.data, size)
        reply.clear()
        return 0 if gone else self.check_output()

    cdef bint push(self, const char* data, size_t size) except -1:
        """Send bytes. What the kernel does not take waits in the transport, and the answer is False."""
        cdef ssize_t sent = 0

        if self.transport is None:
            return True
        self.bytes_out += size
        self.core.bytes_out += size
        self.core.writes += 1
        if self.writing and self.transport.get_write_buffer_size() == 0:
            self.writing = False
        if self.fd >= 0 and not self.writing:
            sent = send_bytes(self.fd, data, size, MSG_DONTWAIT | MSG_NOSIGNAL)
            if sent < 0:
                sent = 0            # EAGAIN, or an error that the transport will meet too
        if sent == <ssize_t>size or self.transport.is_closing():    # then it is gone already, and asyncio would say so
            return True
        self.transport.write(data[sent:size])
        # It tries at once, too, and may find that there is room by now: then it will never say that it has drained.
        self.writing = self.transport.get_write_buffer_size() > 0
        return not self.writing

    def write(self, bytes data not None):
        """Send bytes that are no reply, behind what waits already; whether all are gone."""
        if self.push(data, len(data)):
            return True
        self.note_memory()
        return False

    cdef int64_t output_size(self) except -1:
        """Bytes of replies that wait to be sent."""
        cdef int64_t size = self.pending.size if self.pending is not None else 0

        if self.writing and self.transport is not None:
            size += self.transport.get_write_buffer_size()
        return size + self.owed

    cdef int output_class(self) noexcept:
        if self.flags & C_REPLICA:
            return OUTPUT_REPLICA
        return OUTPUT_PUBSUB if self.flags & C_PUBSUB else OUTPUT_NORMAL

    cdef int check_output(self) except -1:
        """client-output-buffer-limit: close a client that lets too much output pile up, or for too long."""
        cdef int kind = self.output_class()
        cdef int64_t size = self.output_size()
        cdef int64_t soft = self.core.output_soft[kind]
        cdef bint over = 0 < self.core.output_hard[kind] <= size

        self.note_memory()
        if 0 < soft <= size:
            if self.soft_since_ms == 0:
                self.soft_since_ms = self.core.now_ms
            over = over or self.core.now_ms - self.soft_since_ms > self.core.output_soft_ms[kind]
        else:
            self.soft_since_ms = 0
        if over:
            close_over_limit(self)
        return 0

    def check_output_limit(self):
        """Cron: the soft limit counts time, and buffers have changed."""
        self.note_memory()
        if self.writing:
            self.check_output()

    cdef int close(self) except -1:
        """Close at once; what is not sent is lost."""
        self.vanish()
        if self.transport is not None:
            self.transport.abort()
        return 0

    def kill(self):
        """Close the connection at the end of the turn."""
        self.shut()

    @property
    def descriptor(self):
        """The socket's; -1: there is none, or bytes have to go through the transport."""
        return self.fd

    @property
    def wire_descriptor(self):
        """The socket's, whatever goes over it; -1: there is none."""
        if self.fd >= 0 or self.transport is None:
            return self.fd
        sock = self.transport.get_extra_info("socket")
        return sock.fileno() if sock is not None else -1

    def hang_up(self):
        """End the connection for all processes that have the socket, too."""
        if self.fd >= 0:
            shutdown(self.fd, SHUT_RDWR)

    def allow_delay(self):
        """Let the kernel gather small pieces (repl-disable-tcp-nodelay)."""
        if not self.flags & C_UNIX_SOCKET:
            self.transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 0)

    def set_unix_socket(self):
        """The connection came over the unix socket."""
        self.flags |= C_UNIX_SOCKET

    @property
    def may_time_out(self):
        """Whether `timeout` applies: not to replicas, the master, who looks on, waits or has subscriptions."""
        return not self.waiting and not self.flags & (C_REPLICA | C_MASTER | C_MONITOR | C_BLOCKED | C_PUBSUB)

    # --- for commands --------------------------------------------------------------

    @property
    def is_local(self):
        """Whether it comes over the unix socket or the loopback interface."""
        return bool(self.flags & C_UNIX_SOCKET) or self.peer.startswith((b"127.", b"[::1]:", b"::1:"))
