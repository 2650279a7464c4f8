"""The engine: one owner of all state. The design comment is in engine.pxd."""
import os
import traceback
from collections import deque

from libc.stdint cimport INT64_MAX, UINT32_MAX, int64_t
from libc.stdio cimport snprintf
from libc.string cimport memset

from fastredis._resp cimport arg_bytes, arg_of, args_copy, batch_free, batch_init, put_request, request_room
from fastredis.ds.alloc cimport mem_alloc, mem_calloc, mem_free, mem_give_up, mem_realloc
from fastredis.ds.histogram cimport histogram_free
from fastredis.ds.native cimport monotonic_us, ticks, unlikely, wall_us
from fastredis.ds.numbers cimport INT64_TEXT, format_int64
from fastredis.engine.blessed cimport LISTEN_BLESSED
from fastredis.engine.core cimport (
    AFTER_FEED, AFTER_READY, EVERY_CHANGE, GATE_DISK, GATE_LOADING, LATENCY_US, LISTEN_EVENTS,
    LISTEN_OBSERVERS, LISTEN_TRACKING, NOTIFY_ADDED, NOTIFY_EVICTED, NOTIFY_EXPIRED, NOTIFY_GENERIC, NOTIFY_HASH,
    NOTIFY_SET,
)
from fastredis.engine.importing cimport GATE_IMPORT, settle_expiry
from fastredis.engine.keyspace cimport database_new
from fastredis.engine.lines cimport Line, Place
from fastredis.engine.reply cimport reply_new
from fastredis.engine.slices cimport DONE, NOW, PAUSE_US, SLICE_US
from fastredis.engine.stamps cimport stamps_changes
from fastredis.values.entry cimport ENTRY_EPOCH, TYPE_SET, Entry, entry_has_ttl, entry_set_lru
from fastredis.values.limits cimport Limits

from fastredis.engine.hooks import Host, Peers
from fastredis.host.logs import WARNING

cpdef enum:
    REPLY_PEAK_MS = 5000            # default of Core.reply_peak_ms

cdef enum:
    RELEASED_AT_ONCE = 16           # clients whose replies waited for an fsync
    SLICE_TICKS = 2000000           # of the cycle counter, about a millisecond: what a client may take of a turn
    FLUSH_SIZE = 1024 * 1024        # Core.flush_size where nothing speaks against it
    LEAST_FLUSH = 16 * 1024
    FLUSHES_TO_LIMIT = 16           # ... else so many of them come to maxmemory-clients
    GARBAGE_BUCKETS = 64            # buckets freed between two looks at the clock
    REHASH_US = 300                 # share of a cron call that goes to rehashing
    REHASH_BUCKETS = 16             # buckets moved between two looks at the clock
    KEPT_ARGS = 64 * 1024           # a batch that had more arguments gives their room back
    FIRST_TEXT = 1024               # room for a propagated command
    KEPT_TEXT = 64 * 1024           # ... and more than this is given back
    CODE_BYTES = 32                 # an error's code and the space behind it are looked for in so many
    SHOWN_ERROR = 4096              # bytes of an error that are logged


cdef extern from "Python.h":
    const char* utf8_of "PyUnicode_AsUTF8"(object text) noexcept    # of ASCII it takes no memory


cdef int end_without_memory(const char* why, size_t used) noexcept:
    """The end of the process where there is no memory for Python to say why."""
    cdef char[256] text

    snprintf(text, sizeof(text), b"%s; out of memory, bytes of data:", why)
    mem_give_up(text, used)
    return 0


cdef int note_turn(Core* core) noexcept:
    """Add the turn that ends to the statistics; a second end of the same turn adds nothing."""
    cdef uint64_t now = ticks()
    cdef uint64_t passed = now - core.turn_start

    if core.turn_start == 0:
        return 0
    core.turns += 1
    core.turn_ticks += passed
    core.turn_longest = max(core.turn_longest, passed)
    core.command_ticks += core.tick - core.turn_start
    core.turn_commands_most = max(core.turn_commands_most, core.commands - core.turn_commands)
    core.turn_start = 0
    return 0


cdef char* put_select(char* to, int db) noexcept:
    cdef char[INT64_TEXT] digits
    cdef Arg argv[2]

    argv[0].ptr = b"SELECT"
    argv[0].size = 6
    argv[1].ptr = digits
    argv[1].size = format_int64(digits, db)
    return put_request(to, argv, 2)


cdef int64_t client_limit_of(config) except -1:
    """maxmemory-clients in bytes: it may be a share of maxmemory, which is a negative number then."""
    cdef int64_t limit = config.maxmemory_clients

    if limit < 0:
        limit = min(config.maxmemory * -limit // 100, INT64_MAX)
    return limit or INT64_MAX


cdef class Session(Writer):
    cdef int flush(self) except -1:
        return 0

    cdef int64_t waiting_bytes(self) noexcept:
        return 0

    cdef int send_reply(self) except -1:
        return 0

    cdef int close(self) except -1:
        return 0

    cdef int resume(self) except -1:
        return 0

    cdef int go_on(self) except -1:
        return 0


cdef class Tracker(Session):
    cdef int key_changed(self, const char* key, size_t size, bint by_command) except -1:
        return 0

    cdef int all_changed(self) except -1:
        return 0


cdef class Snapshot(Job):
    cdef int before_change(self, Database db, Entry* e) noexcept:
        return 0

    cdef int detached(self, Database db, Detached garbage) except -1:
        return 0

    cdef int swapped(self, Database one, Database other) except -1:
        return 0


cdef class Savepoints:
    cdef int before_change(self, Database db, Entry* e) noexcept:
        return 0

    cdef int added(self, Database db, const char* key, size_t size) except -1:
        return 0

    cdef int before_leaving(self, Database db) except -1:
        return 0

    cdef bint detached(self, Database db, Detached garbage) except -1:
        return False

    cdef int swapped(self, Database one, Database other) except -1:
        return 0


cdef class Copies(Job):
    cdef int before_change(self, Entry* e) noexcept:
        return 0

    cdef int before_leaving(self, Database db) noexcept:
        return 0

    cdef bint concern(self, Arg* argv, int argc) noexcept:
        return False


cdef class Expiry(Job):
    """Removes keys and parts of values whose time has come."""
    cdef Engine engine

    def __init__(self, Engine engine not None):
        self.engine = engine
        self.what = "Removing what has expired"
        self.event = "expire-cycle"

    cdef int64_t step(self, int64_t until_us) except? -2:
        self.engine.expire_until(until_us)
        return DONE                 # the end of the turn puts it in line for what is left


cdef class Freeing(Job):
    """Frees what left its database."""
    cdef Engine engine

    def __init__(self, Engine engine not None):
        self.engine = engine
        self.what = "Freeing memory"

    cdef int64_t step(self, int64_t until_us) except? -2:
        self.engine.free_until(until_us)
        return PAUSE_US if self.engine.garbage else DONE


cdef class Rehashing(Job):
    """Goes on with rehashes under way, once after each call of rehash()."""
    cdef Engine engine

    def __init__(self, Engine engine not None):
        self.engine = engine
        self.what = "Rehashing"

    cdef int64_t step(self, int64_t until_us) except? -2:
        cdef Database db

        until_us = min(until_us, monotonic_us() + REHASH_US)
        for db in self.engine.databases:
            while monotonic_us() < until_us and db.rehash(REHASH_BUCKETS):
                pass
        return DONE


cdef class Feed:
    """Base of the takers of propagated commands. A Python subclass defines command(db, argv)."""

    def __cinit__(self, *_, **__):
        self.kind = TO_ALL

    cdef int reserve(self, size_t size) except -1:
        return 0

    cdef int write(self, int db, Arg* argv, int argc, const char* text, size_t size) except -1:
        cdef int i
        self.command(db, [arg_bytes(&argv[i]) for i in range(argc)])
        return 0

    def catch_up(self):
        """In the middle of a unit: have what came before it where it belongs, as others' replies may wait for that."""

    def command(self, int db, list argv):
        """Take one command: the database's number, and the arguments as bytes."""
        raise NotImplementedError("a Feed defines command() or write()")


cdef class Clock:
    """The engine's time. Tests hold it and move it; expiry follows at once."""

    @property
    def now_ms(self):
        """Milliseconds since the epoch, as commands see them."""
        if self.engine.core.turn_depth == 0:
            self.engine.tick()
        return self.engine.core.now_ms

    @property
    def held(self):
        """Whether the clock stands still."""
        return self.engine.core.held

    def freeze(self):
        """Stand still at the present time."""
        self.engine.tick()
        self.engine.core.held = True
        self.moved()

    def set(self, int64_t now_ms):
        """Stand still at a time in ms since the epoch."""
        self.engine.core.held = True
        self.engine.core.now_ms, self.engine.core.now_us = now_ms, now_ms * 1000
        self.moved()

    def advance(self, int64_t ms):
        """Go `ms` milliseconds ahead; a running clock goes on from there."""
        self.engine.core.shift_ms += ms
        if self.engine.core.held:
            self.engine.core.now_ms += ms
            self.engine.core.now_us += ms * 1000
        self.moved()

    def release(self):
        """Show the real time again, and run."""
        self.engine.core.held = False
        self.engine.core.shift_ms = 0
        self.moved()

    def moved(self):
        """Do what is due at the new time, all of it, and arm the timers anew."""
        self.engine.begin_turn()
        try:
            self.engine.tick()
            if self.engine.blocked is not None:
                self.engine.blocked.expire()
            self.engine.expire_all_due()
        finally:
            self.engine.end_turn()


cdef int stamp_change(Database db, const char* key, size_t size) noexcept:
    """A key has changed: the policy wants to know when. It may be gone."""
    cdef Arg name
    cdef Entry* e

    name.ptr = <char*>key
    name.size = size
    name.hash = 0
    e = db.peek(&name)
    if e is not NULL:
        entry_set_lru(e, db.core.lru_clock)
    return 0


cdef class Engine(Listener):
    """One server's state. `databases` is how many databases, `command_count` how many commands are declared."""

    def __cinit__(self, int databases, int command_count):
        memset(&self.core, 0, sizeof(Core))
        batch_init(&self.batch, &self.core.memory)
        self.core.armed_ms = INT64_MAX
        self.slice_armed_us = INT64_MAX
        self.core.memory_limit = self.core.client_limit = self.core.sendable = INT64_MAX
        self.core.flush_size = FLUSH_SIZE
        self.core.active_expire = True
        self.core.expire_on_access = True
        self.core.targets = self.targets = TO_ALL
        self.core.max_bulk = 512 * 1024 * 1024
        self.core.query_buffer_limit = 1024 * 1024 * 1024
        self.core.lfu_log_factor = 10
        self.core.lfu_decay_minutes = 1
        self.core.latency_tracking = True
        self.core.reply_peak_ms = REPLY_PEAK_MS
        self.core.reply_resizing = True
        self.core.random = int.from_bytes(os.urandom(8), "little")
        self.start_us = monotonic_us()
        self.start_ticks = ticks()
        self.tick()
        self.started_ms = self.core.now_ms
        self.stats_count = command_count
        self.stats = <CommandStats*>mem_calloc(&self.core.memory, max(1, command_count) * sizeof(CommandStats))
        self.databases = [database_new(&self.core, self, i) for i in range(databases)]

    def __init__(self, int databases, int command_count):
        self.clock = Clock()
        self.clock.engine = self
        self.reply = reply_new(&self.core, self, 2)
        self.clients = {}
        self.next_client_id = 1
        self.flush_queue = []
        self.held = []
        self.released = deque()
        self.close_queue = []
        self.resume_queue = []
        self.waiting = deque()
        self.feed_list = []
        self.slices = Slices()
        self.expiry = Expiry(self)
        self.freeing = Freeing(self)
        self.rehashing = Rehashing(self)
        self.garbage = []
        self.ready = []
        self.own_deadlines = set()
        self.errors = {}
        self.disk_errors = {}
        self.unlimited = self.default_user = User(b"default")
        self.run_id = os.urandom(20).hex()
        self.host = Host()
        self.replication = Peers()

    def __dealloc__(self):
        cdef int i

        for i in range(self.stats_count):
            histogram_free(&self.core.memory, &self.stats[i].histogram)
        mem_free(&self.core.memory, self.stats, max(1, self.stats_count) * sizeof(CommandStats))
        batch_free(&self.batch)
        self.free_text()
        if self.first is not NULL:
            mem_free(&self.core.memory, self.first, self.first_size)

    # --- settings ---------------------------------------------------------------------

    def configure(self, config):
        """Take over the settings that the request path reads, at the start and whenever one changes."""
        cdef Core* core = &self.core
        cdef int kind
        cdef str policy = config.maxmemory_policy

        for kind, name in enumerate(("normal", "slave", "pubsub")):
            limit = config.client_output_buffer_limit[name]
            core.output_hard[kind] = min(limit.hard_bytes, INT64_MAX)
            if name == "slave" and limit.hard_bytes:    # else a partial synchronisation could end at once
                core.output_hard[kind] = max(core.output_hard[kind], <int64_t>config.repl_backlog_size)
            core.output_soft[kind] = min(limit.soft_bytes, INT64_MAX)
            core.output_soft_ms[kind] = limit.soft_seconds * 1000
        core.max_bulk = <int64_t>min(config.proto_max_bulk_len, UINT32_MAX)     # keys count their bytes in 32 bits
        core.query_buffer_limit = config.client_query_buffer_limit
        core.memory_limit = min(config.maxmemory or INT64_MAX, INT64_MAX)   # it has 64 bits without a sign
        core.client_limit = client_limit_of(config)
        core.flush_size = min(FLUSH_SIZE, max(LEAST_FLUSH, core.client_limit // FLUSHES_TO_LIMIT))
        self.configure_limits(config)
        core.lfu = policy.endswith("lfu")
        core.lfu_log_factor = config.lfu_log_factor
        core.lfu_decay_minutes = config.lfu_decay_time
        core.latency_tracking = config.latency_tracking
        core.lazy_expire = config.lazyfree_lazy_expire
        core.lazy_server_del = config.lazyfree_lazy_server_del
        core.lazy_user_del = config.lazyfree_lazy_user_del
        self.gate(GATE_IMPORT, config.import_mode)
        settle_expiry(core)
        self.evictor.configure(config)
        self.command_log.configure(config)
        self.tracking.configure(config)
        if core.client_memory > core.client_limit and self.loop is not None:
            self.loop.call_soon(self.limit_clients)

    def configure_limits(self, config):
        """Take over at which sizes values change their encoding."""
        cdef Limits* limits = &self.core.limits

        limits.list_max_listpack_size = config.list_max_listpack_size
        limits.list_compress_depth = config.list_compress_depth
        limits.hash_max_listpack_entries = config.hash_max_listpack_entries
        limits.hash_max_listpack_value = config.hash_max_listpack_value
        limits.set_max_intset_entries = config.set_max_intset_entries
        limits.set_max_listpack_entries = config.set_max_listpack_entries
        limits.set_max_listpack_value = config.set_max_listpack_value
        limits.zset_max_listpack_entries = config.zset_max_listpack_entries
        limits.zset_max_listpack_value = config.zset_max_listpack_value
        limits.hll_sparse_max_bytes = config.hll_sparse_max_bytes
        limits.stream_node_max_bytes = config.stream_node_max_bytes
        limits.stream_node_max_entries = config.stream_node_max_entries

    def gate(self, int bit, bint closed):
        """Close or open one of the gates that commands are checked at (GATE_*)."""
        if closed:
            self.core.gate |= bit
        else:
            self.core.gate &= ~bit
            self.core.rearm = True          # while data was loaded, nothing expired

    def fix_tables(self, int reason, bint fixed):
        """Have the keyspace's tables keep their size as far as they can, for a reason (FIXED_*), or for it no more."""
        cdef Database db

        if fixed:
            self.core.fixed_tables |= reason
        else:
            self.core.fixed_tables &= ~reason
        for db in self.databases:
            db.fix_size(self.core.fixed_tables != 0)

    def disk_error(self, str source, bytes error):
        """Refuse writes with an error from now on (None: not any more), because `source` cannot make them durable."""
        if error is None:
            self.disk_errors.pop(source, None)
        else:
            self.disk_errors[source] = error
        self.gate(GATE_DISK, bool(self.disk_errors))

    def unexpected_error(self, str sender, str receiver, bytes error, bytes command):
        """An error goes to who does not read replies: its data are not what they should be, or it is none of ours.

        sender and receiver: "replica" and "master", "master" and "replica", or "server" and "AOF-loading-client".
        command: the name, b"" if it has none. propagation-error-behavior says whether to end the process, unless we
        are the master: a replica's nonsense is no harm to us.
        """
        name = command.decode("utf-8", "replace") or "<unknown>"
        behavior = self.config["propagation-error-behavior"]

        self.core.unexpected_errors += 1
        self.log.limited("unexpected error", WARNING,
                         f"== CRITICAL == This {sender} is sending an error to its {receiver}: "
                         f"'{error[:SHOWN_ERROR].decode('utf-8', 'replace')}' after processing the command '{name}'")
        if sender == "replica":
            deadly = behavior != "ignore" and self.config["replica-read-only"]
        else:
            deadly = behavior == "panic" and sender == "server"
        if deadly:
            self.panic(f"This {sender} panicked sending an error to its {receiver} after processing the command "
                       f"'{name}'")

    def release_replies(self):
        """What held replies back is done: send them. The caller is not in a turn."""
        self.begin_turn()
        self.core.holding = False
        self.end_turn()

    def release_held(self):
        """More is on the disk (Core.aof_synced): send the replies and the part of the stream that waited for it."""
        cdef bint is_under_way = bool(self.released)

        self.released.extend(self.held)
        self.held = []
        self.begin_turn()
        try:
            self.replication.send_all()
        finally:
            self.end_turn()
        if not is_under_way:
            self.release_some()

    def release_some(self):
        """Send some of the replies; others than those who waited shall not wait for all of them."""
        cdef Session session
        cdef Py_ssize_t count = min(len(self.released), RELEASED_AT_ONCE)

        if len(self.released) > count and self.loop is not None:
            self.loop.call_soon(self.release_some)
        self.begin_turn()
        try:
            for _ in range(count):
                session = self.released.popleft()
                session.flush_queued = False
                self.queue_flush(session)
        finally:
            self.end_turn()

    def send_now(self):
        """The end of the service: send all that was written to clients and waits for the end of a turn, or was held."""
        cdef Session session

        self.core.holding = False
        self.flush_queue.extend(self.released)
        self.released.clear()
        while self.flush_queue:
            session = self.flush_queue.pop()
            session.flush_queued = False
            session.flush()
        self.replication.send_all()

    def tune_replies(self, peak_ms=None, resizing=None):
        """DEBUG REPLYBUFFER: how long unused room of a reply buffer is kept (ms; -1: for ever), and whether at all."""
        if peak_ms is not None:
            self.core.reply_peak_ms = peak_ms
        if resizing is not None:
            self.core.reply_resizing = resizing

    # --- turns ------------------------------------------------------------------------

    cdef int tick(self) noexcept:
        """Read the clock. Within a turn all see the same time."""
        cdef Core* core = &self.core

        if not core.held:
            core.now_us = wall_us() + core.shift_ms * 1000
            core.now_ms = core.now_us // 1000
        core.lru_clock = <uint64_t>(core.now_ms // 1000) & 0xFFFFFF
        return 0

    cdef int begin_turn(self) noexcept:
        """Start a piece of work. A turn inside of a turn (a command that moves the clock) is part of the outer one."""
        self.core.turn_depth += 1
        if self.core.turn_depth > 1:
            return 0
        self.tick()
        self.core.tick = self.core.turn_start = ticks()
        self.core.slice_end = self.core.turn_start + SLICE_TICKS
        self.core.turn_commands = self.core.commands
        return 0

    cdef int end_turn(self) except -1:
        """Do what the turn left to be done: sends, closes, resumed clients, the expiry timer."""
        if self.core.turn_depth > 1:
            self.core.turn_depth -= 1
            return 0
        try:
            self.settle()
        except MemoryError:             # those who were taken out of a line would wait for ever
            self.fatal("Out of memory at the end of a turn")
        finally:
            self.core.turn_depth = 0
        note_turn(&self.core)
        return 0

    cdef int settle(self) except -1:
        cdef Session session

        # What no command has changed: keys that expired, were evicted or loaded.
        if self.core.after_call & AFTER_READY and not self.core.gate & GATE_LOADING and self.serve is not NULL:
            self.serve(self)
        while self.resume_queue or (self.flush_queue and not self.core.holding) or self.close_queue:
            self.resume_all()
            while self.flush_queue and not self.core.holding:
                session = self.flush_queue.pop()
                session.flush_queued = False
                session.flush()
            while self.close_queue:
                session = self.close_queue.pop()
                session.close()
        if self.core.rearm:
            self.arm_expiry()
        return 0

    def resume_all(self):
        """Let go on who may, in the order in which they were queued; others may be queued meanwhile."""
        cdef Session session
        cdef Py_ssize_t done = 0

        try:
            while done < len(self.resume_queue):
                session = self.resume_queue[done]
                done += 1
                session.resume()
        finally:
            del self.resume_queue[:done]

    def limit_clients(self):
        """Loop: maxmemory-clients may be lower than what they take."""
        self.begin_turn()
        try:
            if self.core.client_memory > self.core.client_limit:
                self.evictor.evict_clients()
        finally:
            self.end_turn()

    cdef int queue_flush(self, Session session) except -1:
        """Have a session's own output sent at the end of the turn."""
        if not session.flush_queued:
            session.flush_queued = True
            self.flush_queue.append(session)
        return 0

    cdef int hold(self, Session session) except -1:
        """Have a session's output wait until more is synced."""
        if not session.flush_queued:
            session.flush_queued = True
            self.held.append(session)
        return 0

    cdef int queue_close(self, Session session) except -1:
        self.close_queue.append(session)
        return 0

    cdef int queue_resume(self, Session session) except -1:
        self.resume_queue.append(session)
        return 0

    cdef int give_way(self, Session session) except -1:
        """Have a session that has sent more than a slice is enough for go on behind others."""
        try:
            self.waiting.append(session)
            if not self.waiting_scheduled:
                self.loop.call_soon(self.serve_waiting)
                self.waiting_scheduled = True
        except MemoryError:             # it would wait for ever
            self.fatal("Out of memory where a client gives way")
        return 0

    def serve_waiting(self):
        """Callback of the loop: the next one goes on."""
        cdef Session session

        self.waiting_scheduled = False
        if len(self.waiting) > 1 and self.loop is not None:
            try:
                self.loop.call_soon(self.serve_waiting)
            except MemoryError:         # they would wait for ever
                self.fatal("Out of memory where clients wait for their turn")
            self.waiting_scheduled = True
        if not self.waiting:
            return                      # they went on in the middle of a script
        session = self.waiting.popleft()
        self.begin_turn()
        try:
            session.go_on()
        finally:
            self.end_turn()

    cdef Database db(self, int index):
        return <Database>self.databases[index]

    @property
    def database_count(self):
        """Number of databases."""
        return len(self.databases)

    @property
    def dirty(self):
        """Changes since the start."""
        return self.core.dirty

    def seed(self, number):
        """Have the engine's random numbers be those that follow from an integer."""
        self.core.random = int(number) & 0xFFFFFFFFFFFFFFFF

    def room_for_stats(self, int count):
        """Have statistics of so many commands, as some are declared while the engine runs."""
        cdef size_t old = max(1, self.stats_count) * sizeof(CommandStats)

        if count > self.stats_count:
            self.stats = <CommandStats*>mem_realloc(&self.core.memory, self.stats, old, count * sizeof(CommandStats))
            memset(<char*>self.stats + old, 0, count * sizeof(CommandStats) - old)
            self.stats_count = count

    def count_keys(self):
        """The keys of all databases, expired or not."""
        cdef Database db
        cdef uint64_t count = 0

        for db in self.databases:
            count += db.count()
        return count

    # --- what happens to keys -----------------------------------------------------------

    cdef int key_event(self, Database db, int event_class, const char* event, const char* key, size_t size) except -1:
        """A key changed, or was missed: tell those who listen."""
        cdef Core* core = &self.core
        cdef Arg named

        if unlikely(event_class == NOTIFY_ADDED):
            return self.savepoints.added(db, key, size) if self.savepoints is not None else 0
        if core.listeners & LISTEN_BLESSED and db.blessed is not None:
            named.ptr = key
            named.size = size
            named.hash = 0
            db.settle_blessing(&named)
        if core.listeners & LISTEN_EVENTS and core.notify & event_class:
            self.pubsub.key_event(db.index, event_class, event, key[:size])
        if core.listeners & LISTEN_OBSERVERS and event_class:
            self.observers.note(db.index, event, key[:size])
        return 0

    cdef int key_expired(self, Database db, const char* key, size_t size) except -1:
        """A key's time came: replicas and the AOF get its deletion, watchers and subscribers hear of it."""
        cdef Arg argv[2]

        if self.core.after_call & AFTER_FEED:
            argv[0] = arg_of(b"UNLINK" if self.core.lazy_expire else b"DEL")
            argv[1].ptr = key
            argv[1].size = size
            self.propagate(db.index, argv, 2)
        # No dirty: the command on whose way the key expired, maybe a GET, has not changed anything by that.
        return self.key_changed(db, key, size, NOTIFY_EXPIRED, b"expired") if self.core.listeners else 0

    cdef int parts_expired(self, Database db, int kind, const char* key, size_t size, list names,
                           bint deleted) except -1:
        """The time of some fields or members came. names: which, None when nobody takes what is propagated."""
        cdef bint is_set = kind == TYPE_SET

        if names is not None:
            self.propagate_words(db.index, [b"SREM" if is_set else b"HDEL", key[:size], *names])
        if self.core.listeners:
            self.key_changed(db, key, size, NOTIFY_SET if is_set else NOTIFY_HASH,
                             b"sexpired" if is_set else b"hexpired")
            if deleted:
                self.key_event(db, NOTIFY_GENERIC, b"del", key, size)
        return 0

    def empty(self):
        """Remove all keys of all databases; the caller loads others."""
        cdef Database db
        cdef Detached garbage

        for db in self.databases:
            garbage = self.take_all(db)
            if garbage is not None:
                garbage.drain(INT64_MAX)

    cdef int before_change(self, Database db, Entry* e) noexcept:
        """A key changes or goes that the snapshot under way has not saved yet, or that may be being copied."""
        if self.copies is not None:
            self.copies.before_change(e)
        if (e.meta ^ self.core.epoch) & self.core.unsaved & ENTRY_EPOCH:
            self.snapshot.before_change(db, e)
        if self.core.unsaved & EVERY_CHANGE and self.savepoints is not None:
            self.savepoints.before_change(db, e)
        return 0

    cdef int before_leaving(self, Database db) noexcept:
        """All keys of a database go, as they are."""
        return self.copies.before_leaving(db) if self.copies is not None else 0

    cdef int key_changed(self, Database db, const char* key, size_t size, int event_class,
                         const char* event) except -1:
        """A key is not what it was, or is gone. Asked for only if there are Core.listeners."""
        if stamps_changes(&self.core):
            stamp_change(db, key, size)
        self.touch_watched(db, key, size)
        self.key_ready(db, key, size)
        if self.core.listeners & LISTEN_TRACKING:
            self.tracking.key_changed(key, size, not event_class & (NOTIFY_EXPIRED | NOTIFY_EVICTED))
        return self.key_event(db, event_class, event, key, size)

    cdef int keys_change(self, Database db, Database other) except -1:
        """The keys of a database are about to go, or (unless it is None) to become those of the other one."""
        cdef Arg key
        cdef bytes name

        for name in list(db.watchers):
            key = arg_of(name)
            if db.live(&key) is not NULL or (other is not None and other.live(&key) is not NULL):
                self.touch_watched(db, key.ptr, key.size)
        for name in db.awaited:
            self.key_ready(db, name, len(name))
        return self.tracking.all_changed() if self.core.listeners & LISTEN_TRACKING else 0

    cdef Detached take_all(self, Database db):
        """Empty a database; returns what was in it, for the caller to free.

        None: the snapshot under way takes it, and discards it when it is written; or a savepoint needs it.
        """
        cdef Detached garbage

        self.keys_change(db, None)
        if self.savepoints is not None:
            self.savepoints.before_leaving(db)
        garbage = db.detach()
        if self.savepoints is not None and self.savepoints.detached(db, garbage):
            return None
        return None if self.snapshot is not None and self.snapshot.detached(db, garbage) else garbage

    cdef int exchange(self, Database one, Database other) except -1:
        """Exchange the keys of two databases. Clients, and what they watch and wait for, stay."""
        self.keys_change(one, other)
        self.keys_change(other, one)
        one.swap(other)
        if self.snapshot is not None:
            self.snapshot.swapped(one, other)
        if self.savepoints is not None:
            self.savepoints.swapped(one, other)
        return 0

    cdef int touch_watched(self, Database db, const char* key, size_t size) except -1:
        """A key changed: transactions of those who watch it will fail."""
        cdef Line line
        cdef void* at

        if not db.watchers:
            return 0
        line = <Line>db.watchers.get(key[:size])
        if line is None:
            return 0
        at = line.first
        while at is not NULL:
            (<Session>(<Place>at).client).flags |= C_DIRTY_CAS
            at = (<Place>at).after
        return 0

    cdef int key_ready(self, Database db, const char* key, size_t size) except -1:
        """A key changed: whoever waits for it may be served after the command under way."""
        cdef bytes name

        if db.awaited:
            name = key[:size]
            if name in db.awaited:
                self.ready.append((db, name))
                self.core.after_call |= AFTER_READY
        return 0

    cdef int propagate(self, int db, Arg* argv, int argc, bint is_message=False) except -1:
        """Hand a command's effect to the AOF and the replicas; those of one unit, if several, come as one transaction.

        So the first effect of an EXEC is kept until there is a second one, or none. is_message: it changes no data, and
        is for the replicas only.
        """
        if self.core.units and not self.in_transaction:
            if self.first is NULL:
                self.first = args_copy(&self.core.memory, argv, argc, &self.first_size)
                self.first_argc, self.first_db, self.first_is_message = argc, db, is_message
                self.first_targets = self.targets
                return 0
            self.open_transaction()
        return self.hand_out_effect(db, argv, argc, is_message, self.targets)

    cdef int open_transaction(self) except -1:
        """If an effect is kept, others may follow it: begin the transaction with it."""
        cdef Arg word

        if self.first is NULL:
            return 0
        self.in_transaction = True
        word = arg_of(b"MULTI")
        self.hand_out(NO_DATABASE, &word, 1)
        return self.hand_out_first()

    cdef int hand_out_first(self) except -1:
        cdef Arg* argv = self.first

        self.first = NULL
        try:
            return self.hand_out_effect(self.first_db, argv, self.first_argc, self.first_is_message,
                                        self.first_targets)
        finally:
            mem_free(&self.core.memory, argv, self.first_size)

    cdef int hand_out_effect(self, int db, Arg* argv, int argc, bint is_message, int targets) except -1:
        """hand_out(), and count the effect."""
        self.hand_out(db, argv, argc, is_message, targets)
        if not self.core.counts_bytes and not is_message:
            self.core.propagated += 1
        return 0

    cdef int hand_out(self, int db, Arg* argv, int argc, bint is_message=False, int targets=TO_ALL) except -1:
        """Format a command and give it to all feeds, which all have room for it before the first one gets it."""
        cdef Feed feed
        cdef size_t room = request_room(argv, argc)
        cdef size_t size

        if unlikely(self.ending):
            return 0                    # SHUTDOWN in the middle of a script, whose transaction is not ended
        try:
            if unlikely(room > self.text_room):
                self.grow_text(room)
            size = put_request(self.text, argv, argc) - self.text
            for feed in self.feed_list:
                if feed.kind & targets and (not is_message or feed.takes_messages):
                    feed.reserve(size)
            for feed in self.feed_list:
                if feed.kind & targets and (not is_message or feed.takes_messages):
                    feed.write(db, argv, argc, self.text, size)
        except Exception:
            self.fatal("A change of the data could not be written to the AOF or sent to the replicas")
        if unlikely(self.text_room > KEPT_TEXT):
            self.free_text()
        return 0

    def fatal(self, str text not None, what=None):
        """From an exception handler: to go on would leave half a change, or one that is not propagated. The end.

        what: whom or what the text is about.
        """
        try:
            if what is not None:
                text = f"{text}: {what}"
            self.log.warning("Bug: what must not fail has failed\n" + traceback.format_exc())
        except MemoryError:
            pass                        # the log has less then
        self.panic(text)

    def panic(self, str text not None):
        """End the process, since to go on would do harm. The log tells why, and where it was, if memory is left."""
        try:
            for line in ("-" * 48, "!!! Software Failure. Press left mouse button to continue",
                         f"Guru Meditation: {text}", "-" * 48):
                self.log.warning(line)
            self.on_fatal(text, True)
        except MemoryError:
            end_without_memory(utf8_of(text), self.core.memory.used)

    def grow_text(self, size_t needed):
        """Make the buffer of hand_out() large enough."""
        cdef size_t room = FIRST_TEXT

        while room < needed:
            room *= 2
        self.text = <char*>mem_realloc(&self.core.memory, self.text, self.text_room, room)
        self.text_room = room

    def free_text(self):
        """Give the buffer of hand_out() back."""
        mem_free(&self.core.memory, self.text, self.text_room)
        self.text = NULL
        self.text_room = 0

    cdef int propagate_words(self, int db, list words) except -1:
        """The same for arguments that are bytes objects."""
        cdef Arg* argv = <Arg*>mem_alloc(&self.core.memory, len(words) * sizeof(Arg))
        cdef int i

        try:
            for i in range(len(words)):
                argv[i] = arg_of(words[i])
            self.propagate(db, argv, len(words))
        finally:
            mem_free(&self.core.memory, argv, len(words) * sizeof(Arg))
        return 0

    cdef int unit_end(self) except -1:
        """What runs as one (Core.units) is over. The outermost hands out what is kept, or closes what was opened."""
        cdef Arg word

        self.core.units -= 1
        if self.core.units:
            return 0
        if self.first is not NULL:
            self.hand_out_first()
        elif self.in_transaction:
            self.in_transaction = False
            word = arg_of(b"EXEC")
            self.hand_out(NO_DATABASE, &word, 1)
        return 0

    def add_feed(self, Feed feed not None):
        """Have a Feed take all that is propagated from now on."""
        self.open_transaction()
        self.feed_list.append(feed)
        self.core.after_call |= AFTER_FEED

    def catch_up(self):
        """A script takes long: replies to others wait no more, see Feed.catch_up()."""
        cdef Feed feed

        for feed in self.feed_list:
            feed.catch_up()
        while self.released:
            self.release_some()         # the loop, which would go on with them, stands still

    def remove_feed(self, Feed feed not None):
        self.open_transaction()
        self.feed_list.remove(feed)
        if not self.feed_list:
            self.core.after_call &= ~AFTER_FEED

    # --- expiry -----------------------------------------------------------------------

    cdef int arm_expiry(self) except -1:
        """Have the expiry go on at the soonest deadline of all databases."""
        cdef Database db
        cdef int64_t soonest = INT64_MAX
        cdef int64_t delay_ms

        for db in self.databases:
            soonest = min(soonest, db.soonest_ms())
        self.core.armed_ms = soonest
        if soonest == INT64_MAX or self.core.held or not self.may_expire():
            self.slices.drop(self.expiry)
        else:
            # A key lives to the end of its last millisecond.
            delay_ms = min(max(soonest + 1 - self.core.now_ms, 0), LONGEST_TIMER_MS)
            self.slices.put(self.expiry, monotonic_us() + delay_ms * 1000)
        self.arm_slices()
        self.core.rearm = False
        return 0

    cdef bint may_expire(self) noexcept:
        """Whether keys go when their time comes."""
        return self.core.active_expire and self.core.expire_on_access and not self.core.gate & GATE_LOADING

    cdef int64_t expire_until(self, int64_t until_us) except -1:
        """Remove what is due, until the monotonic clock says until_us; returns how many keys went."""
        cdef Database db
        cdef int64_t start = monotonic_us()
        cdef int64_t gone = 0

        if self.may_expire():
            for db in self.databases:
                gone += db.expire_due(until_us)
            if monotonic_us() > until_us:
                self.core.expire_slices_full += 1
        self.core.expire_cycle_us += monotonic_us() - start
        self.core.rearm = True
        return gone

    cdef int own_deadline(self, Database db, const char* key, size_t size) except -1:
        """A client of a replica has set a TTL."""
        self.own_deadlines.add((db.index, key[:size]))
        return 0

    def forget_own_deadlines(self):
        """All keys are the master's now, or this is the master."""
        self.own_deadlines.clear()

    @property
    def has_part_deadlines(self):
        """Whether any hash or set has parts with deadlines."""
        cdef Database db

        for db in self.databases:
            if db.part_deadline_count():
                return True
        return False

    @property
    def own_deadline_count(self):
        """Keys of a replica whose TTLs its own clients have set."""
        return len(self.own_deadlines)

    def expire_own(self):
        """Replica: remove keys that only this server knows to have a TTL. The caller frames the turn."""
        cdef Database db
        cdef Entry* e
        cdef Arg key

        for item in list(self.own_deadlines):
            db = self.db(item[0])
            key = arg_of(item[1])
            e = db.peek(&key)
            if e is NULL or not entry_has_ttl(e):
                self.own_deadlines.discard(item)
            elif db.is_expired(e):
                self.own_deadlines.discard(item)
                db.expire_entry(e)

    def expire_all_due(self):
        """Remove all that is due, however long it takes."""
        cdef Database db

        if self.may_expire():
            for db in self.databases:
                db.expire_due(INT64_MAX)
        self.core.rearm = True

    # --- garbage ----------------------------------------------------------------------

    cdef int discard(self, Garbage garbage) except -1:
        """Free something big in slices on the loop; at once when there is no loop."""
        self.core.lazy_pending += garbage.objects()
        self.garbage.append(garbage)
        if self.loop is not None:
            return self.schedule(self.freeing, PAUSE_US)
        while self.garbage:
            self.free_slice()
        return 0

    cdef int free_until(self, int64_t until_us) except -1:
        cdef Garbage garbage
        cdef int64_t freed
        cdef bint done

        while self.garbage:
            garbage = self.garbage[0]
            freed = garbage.objects()
            done = garbage.drain(GARBAGE_BUCKETS) == 0
            freed -= garbage.objects()
            self.core.lazy_pending -= freed
            self.core.lazy_freed += freed
            if done:
                self.garbage.pop(0)
            if monotonic_us() >= until_us:
                break
        return 0

    def free_slice(self):
        """Free for a slice what was discarded."""
        self.free_until(monotonic_us() + SLICE_US)

    def rehash(self):
        """Go on for a little with rehashes under way."""
        cdef Database db

        for db in self.databases:
            if db.rehash_memory():
                self.schedule(self.rehashing, NOW)

    # --- work in slices -----------------------------------------------------------------

    cdef int schedule(self, Job job, int64_t pause_us) except -1:
        """Have a job go on in so many us, if not sooner; NOW: in the next turn of the loop."""
        cdef int64_t due_us = monotonic_us() + pause_us

        if due_us >= job.due_us:
            return 0
        self.slices.put(job, due_us)
        return self.arm_slices()

    cdef int arm_slices(self) except -1:
        """Set the timer to when a job is due. As in Blocked.arm(), it is set when the loop has it."""
        cdef int64_t soonest = self.slices.soonest_us()
        cdef int64_t delay_ms

        if soonest == self.slice_armed_us or self.slice_armed_us == 0 or self.loop is None:
            return 0
        if self.slice_timer is not None:
            self.slice_timer.cancel()
            self.slice_timer = None
        self.slice_armed_us = INT64_MAX
        if soonest != INT64_MAX:
            # Never too early: loops count in milliseconds.
            delay_ms = max(soonest - monotonic_us() + 999, 0) // 1000
            self.slice_timer = self.loop.call_later(delay_ms / 1000.0, self.slice)
        self.slice_armed_us = soonest
        return 0

    def slice(self):
        """Timer: have all jobs that are due work for one slice."""
        self.slice_timer = None
        self.slice_armed_us = 0
        self.begin_turn()
        try:
            self.work()
        finally:
            self.end_turn()
            self.slice_armed_us = INT64_MAX
            self.arm_slices()

    cdef int work(self) except -1:
        cdef int64_t now = monotonic_us()
        cdef int64_t until = now + SLICE_US
        cdef list due = self.slices.take_due(now)
        cdef int left = len(due)
        cdef Job job

        for job in due:
            if now >= until:
                break               # who is left is the first the next time
            if job.due_us != INT64_MAX:
                self.do_step(job, now + (until - now) // left)
                now = monotonic_us()
            left -= 1
        return 0

    cdef int do_step(self, Job job, int64_t until_us) except -1:
        cdef int64_t start = monotonic_us()
        cdef int64_t pause

        self.slices.drop(job)
        try:
            pause = job.step(until_us)
        except Exception:
            if not job.deadly:
                raise
            self.fatal("Work in the background failed with an exception", job.what)
            return 0
        if pause != DONE:
            self.slices.put(job, monotonic_us() + pause)
        if job.event is not None and monotonic_us() - start >= LATENCY_US:
            self.note_latency(job.event, monotonic_us() - start)
        return 0

    def note_latency(self, str event, int64_t us):
        """Tell the latency monitor how long something held the server up: LATENCY_US or more, less is no news."""
        if self.metrics is not None:
            self.metrics.latency.note(event, us)

    def allows_protected(self, client, bytes name):
        """Whether enable-debug-command (or -module-command) lets this client run DEBUG (or MODULE)."""
        cdef str setting = self.config.text(f"enable-{name.decode()}-command")

        return setting == "yes" or (setting == "local" and client.is_local)

    def cron(self):
        """Timer: what the engine itself wants done several times a second. The caller ends this turn: finish_turn()."""
        self.begin_turn()
        self.core.memory.peak = max(self.core.memory.peak, self.core.memory.used)
        self.reply.shrink()
        if self.batch.args.room > KEPT_ARGS or self.batch.scratch_room > KEPT_ARGS:
            batch_free(&self.batch)
        # What was due long ago has no timer: the wall clock was set ahead, or the machine slept.
        if self.core.armed_ms < self.core.now_ms:
            self.core.rearm = True

    def guarded(self, str what, function, *args):
        """Call a function from where an exception can go no further, as Lua is in between: it is logged -> None."""
        try:
            return function(*args)
        except Exception:
            self.log.warning(f"Bug: {what} failed with an exception\n" + traceback.format_exc())
            return None

    def run_in_thread(self, function, *args):
        """Call a function that takes its time in another thread: a future of what it returns."""
        return self.loop.run_in_executor(self.threads, function, *args)

    def unschedule(self):
        """The engine's end: nothing is done by time any more."""
        self.loop = None
        if self.slice_timer is not None:
            self.slice_timer.cancel()
        self.blocked.unschedule()

    def isolate(self):
        """In a child process that goes on executing commands: nobody hears of it, and nothing is done by time."""
        self.feed_list = []
        self.core.after_call = 0
        self.unschedule()

    def start_turn(self):
        """For callers in Python that are about to write to clients or to mark them: finish_turn() ends it."""
        self.begin_turn()

    def finish_turn(self):
        """For callers in Python that wrote to clients or marked them: send, close, arm the timer."""
        self.end_turn()

    @property
    def propagated(self):
        """Offset in the replication stream (Core.propagated)."""
        return self.core.propagated

    def set_offset(self, int64_t offset):
        """The data set is that of an offset in some history of changes."""
        self.core.propagated = offset

    def set_role(self, bint is_replica, bint takes_writes):
        """Expire keys as a master does, or as a replica. takes_writes: a replica's own clients may write."""
        if not is_replica:
            self.forget_own_deadlines()
        self.core.is_replica = is_replica
        self.core.takes_writes = is_replica and takes_writes
        settle_expiry(&self.core)

    # --- statistics ---------------------------------------------------------------------

    cdef int count_error(self, const char* text, size_t size) except -1:
        """Note an error reply under its code, the first word of its text. A word alone is none, nor a long one."""
        cdef bytes word, space, code

        word, space, _ = text[:min(size, <size_t>CODE_BYTES)].partition(b" ")
        code = word if space else b"ERR"
        self.core.errors += 1
        self.errors[code] = self.errors.get(code, 0) + 1
        return 0

    cdef double ticks_per_us(self) noexcept:
        """Rate of the cycle counter, from the start of the engine to now."""
        cdef int64_t passed = monotonic_us() - self.start_us

        return <double>(ticks() - self.start_ticks) / passed if passed > 0 else 1.0
