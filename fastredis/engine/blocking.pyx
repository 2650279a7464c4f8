"""Clients that wait. The design comment is in blocking.pxd."""
cimport cython

from collections import OrderedDict

from libc.stdint cimport INT64_MAX

from fastredis._resp cimport arg_bytes, args_copy
from fastredis.ds.alloc cimport mem_free
from fastredis.ds.expire_heap cimport NOT_IN_HEAP, heap_clear, heap_init, heap_remove, heap_set, heap_top
from fastredis.engine.client cimport Frame, frame_pop, frame_push
from fastredis.engine.command cimport Command
from fastredis.engine.core cimport GATE_PAUSED, LISTEN_BLOCKED, Core
from fastredis.engine.engine cimport (
    C_BLOCKED, C_CLOSE_AFTER_REPLY, C_DENY_BLOCKING, C_REPLY_OFF, C_REPLY_SKIP, LONGEST_TIMER_MS, CommandStats,
)
from fastredis.engine.flags cimport MAY_REPLICATE, WRITE


cdef class Waiter:
    cdef int timed_out(self, Client c) except -1:
        raise NotImplementedError("a Waiter says what it replies when the time is over")

    cdef int leave(self) except -1:
        return 0


@cython.no_gc_clear             # __dealloc__ needs the engine
cdef class KeyWaiter(Waiter):
    def __dealloc__(self):
        if self.account is not NULL:
            mem_free(self.account, self.argv, self.size)

    cdef int timed_out(self, Client c) except -1:
        return reply_in_vain(c, self.in_vain)

    cdef int leave(self) except -1:
        return (<Blocked>(<Engine>self.owner).blocked).leave_keys(self)


cdef list lines_of(KeyWaiter waiter):
    """The lines of each of its keys that a waiter is in."""
    return [waiter.kind, ~waiter.kind] if waiter.on_loss else [waiter.kind]


cdef int reply_in_vain(Client c, KeyReply in_vain) except -1:
    return c.reply_null_array() if in_vain == NULL_ARRAY else c.reply_null()


cdef int block_on_keys(Client c, int first, int64_t count, int step, int kind, int64_t deadline_ms,
                       KeyReply in_vain, bint on_loss=False, Arg* again=NULL) except -1:
    """The command in argv cannot be answered: wait for keys argv[first], argv[first + step] ... to be of type `kind`.

    `count` is how many keys; deadline_ms is in ms since the epoch, 0: for ever. on_loss: or for one to be of that type
    no more. Inside MULTI or a script, the null is replied at once.
    """
    cdef KeyWaiter waiter
    cdef int64_t i

    if c.blocked is not None:
        c.flags |= C_BLOCKED            # its command ran again, in vain
        return 0
    if c.flags & C_DENY_BLOCKING:
        return reply_in_vain(c, in_vain)
    waiter = KeyWaiter()
    keep_command(waiter, c, again if again is not NULL else c.argv)
    waiter.kind = kind
    waiter.on_loss = on_loss
    waiter.in_vain = in_vain
    waiter.keys = list(dict.fromkeys([arg_bytes(&c.argv[first + i * step]) for i in range(count)]))
    (<Blocked>c.engine.blocked).await_keys(waiter)
    return (<Blocked>c.engine.blocked).block(c, waiter, deadline_ms)


cdef int keep_command(KeyWaiter waiter, Client c, Arg* argv) except -1:
    """Have a waiter remember the client's present command, to run it again with these arguments."""
    waiter.account = &c.core.memory
    waiter.owner = c.engine
    waiter.argv = args_copy(waiter.account, argv, c.argc, &waiter.size)
    waiter.argc = c.argc
    waiter.command = <object>c.command
    waiter.db = c.db
    waiter.keys = []
    return 0


@cython.no_gc_clear             # __dealloc__ needs the engine, whose memory the heap is counted in
cdef class Blocked:
    """The clients of one engine that wait."""

    def __cinit__(self, Engine engine not None):
        # heap_index is the first field of a Deadline.
        heap_init(&self.deadlines, &engine.core.memory, 0)

    def __init__(self, Engine engine not None):
        self.engine = engine
        self.waiting = {}
        self.paused = {}
        self.armed_ms = INT64_MAX

    def __dealloc__(self):
        heap_clear(&self.deadlines)

    @property
    def count(self):
        """Number of clients that wait, those held by CLIENT PAUSE included."""
        return len(self.waiting) + len(self.paused)

    @property
    def keys(self):
        """Number of keys that clients wait for."""
        cdef Database db

        return sum([len(db.awaited) for db in self.engine.databases])

    @property
    def keys_on_loss(self):
        """... of which one waits also for their end."""
        cdef Database db

        return sum([any(line < 0 for line in lines) for db in self.engine.databases for lines in db.awaited.values()])

    @property
    def with_deadline(self):
        """Number of clients that wait until a certain time."""
        return self.deadlines.count

    # --- blocking commands --------------------------------------------------------------

    cdef int block(self, Client c, Waiter waiter, int64_t deadline_ms) except -1:
        """Let a client wait, until a time in ms since the epoch at most; 0: for ever."""
        waiter.client = c
        waiter.silent = (c.flags & (C_REPLY_OFF | C_REPLY_SKIP)) != 0
        waiter.deadline.waiter = <void*>waiter
        waiter.deadline.heap_index = NOT_IN_HEAP
        c.blocked = waiter
        c.flags |= C_BLOCKED
        self.waiting[c] = None
        if deadline_ms:
            heap_set(&self.deadlines, &waiter.deadline, deadline_ms)
            if deadline_ms < self.armed_ms:
                self.arm()
        return 0

    def hold(self, Client c not None):
        """Let a client wait until unblock() is called with the error that it gets."""
        cdef Waiter waiter = Waiter()

        waiter.steadfast = True
        self.block(c, waiter, 0)

    cdef int await_keys(self, KeyWaiter waiter) except -1:
        """Put a waiter last in the lines of its keys."""
        cdef dict lines

        for key in waiter.keys:
            lines = waiter.db.awaited.setdefault(key, {})
            for line in lines_of(waiter):
                if line not in lines:
                    lines[line] = OrderedDict()     # of a dict, those who are gone would be in the way at its front
                lines[line][waiter] = None
        self.in_lines += len(waiter.keys)
        self.engine.core.listeners |= LISTEN_BLOCKED
        return 0

    cdef int leave_keys(self, KeyWaiter waiter) except -1:
        cdef dict lines

        for key in waiter.keys:
            lines = <dict>waiter.db.awaited[key]
            for line in lines_of(waiter):
                del lines[line][waiter]
                if not lines[line]:
                    del lines[line]
            if not lines:
                del waiter.db.awaited[key]
        self.in_lines -= len(waiter.keys)
        if self.in_lines == 0:
            self.engine.core.listeners &= ~LISTEN_BLOCKED
        return 0

    cdef int answered(self, Waiter waiter) except -1:
        """The answer is written: let the client go on at the end of the turn, unless it was shut meanwhile."""
        cdef Client c = waiter.client

        if c is None:
            return 0
        self.forget(c)
        c.flags &= ~<uint64_t>C_BLOCKED
        return self.engine.queue_resume(c)

    def forget(self, Client c not None):
        cdef Waiter waiter = <Waiter>c.blocked

        if waiter.deadline.heap_index != NOT_IN_HEAP:
            heap_remove(&self.deadlines, &waiter.deadline)
        waiter.leave()
        waiter.client = None
        c.blocked = None
        del self.waiting[c]

    def unblock(self, Client c not None, bytes error):
        """End a client's wait as if its time were over, or with an error; returns whether it was waiting."""
        cdef Waiter waiter = <Waiter>c.blocked
        cdef int64_t errors = c.core.errors
        cdef CommandStats* stats
        cdef Frame outer
        cdef size_t mark

        if waiter is None:
            return False
        frame_push(c, &outer, c.inbox(), 0, 0)
        mark = c.out.size
        try:
            if error is not None:
                c.error_text(error)
            else:
                waiter.timed_out(c)
            if waiter.silent:
                c.out.truncate(mark)
        finally:
            frame_pop(c, &outer)
            self.answered(waiter)
        stats = &c.engine.stats[(<Command>c.command).index]
        stats.calls += 1
        stats.failed += c.core.errors != errors
        c.core.commands += 1
        c.requests += 1
        return True

    def unblock_all(self, bytes error not None):
        """End the waits of all with an error, and their connections; those that CLIENT PAUSE holds stay."""
        cdef Client c

        for c in list(self.waiting):
            self.unblock(c, error)
            c.flags |= C_CLOSE_AFTER_REPLY

    def remove(self, Client c not None):
        """A client is gone."""
        if c.blocked is not None and not (<Waiter>c.blocked).lasting:
            self.forget(c)
        self.paused.pop(c, None)

    # --- pauses -------------------------------------------------------------------------

    def pause(self, int purpose, int64_t ends_ms, bint all_commands):
        """Hold commands until a time in ms since the epoch; a longer or wider pause for that purpose stays what it is.

        all_commands: not only those that write.
        """
        cdef Pause* pause = &self.pauses[purpose]

        pause.all_commands = all_commands or pause.all_commands
        pause.ends_ms = max(pause.ends_ms, ends_ms)
        self.settle_pauses()
        self.arm()

    def unpause(self, int purpose):
        """End the pause for a purpose, if there is one."""
        self.pauses[purpose].ends_ms = 0
        self.settle_pauses()

    cdef int settle_pauses(self) except -1:
        """Hold what the pauses under way hold; what none of them does goes on."""
        cdef Core* core = &self.engine.core
        cdef bint was_paused = core.gate & GATE_PAUSED != 0
        cdef bint was_all = self.pause_all
        cdef bint is_paused = False
        cdef Pause* pause
        cdef int i

        self.pause_all = False
        for i in range(PAUSE_PURPOSES):
            pause = &self.pauses[i]
            if pause.ends_ms <= core.now_ms:
                pause.ends_ms = 0
                pause.all_commands = False
                continue
            is_paused = True
            self.pause_all = self.pause_all or pause.all_commands
        if is_paused:
            core.gate |= GATE_PAUSED
            # The data stays as it is, for a failover: keys that expire are not there, but are not removed yet either.
            core.expire_on_access = False
        elif was_paused:
            core.gate &= ~GATE_PAUSED
            core.expire_on_access = not core.is_replica
            core.rearm = True
        if (was_paused and not is_paused) or (was_all and not self.pause_all):
            self.release()
        return 0

    cdef int64_t next_pause_end(self) noexcept:
        """When the first of the pauses ends; INT64_MAX: there is none."""
        cdef int64_t soonest = INT64_MAX
        cdef int i

        for i in range(PAUSE_PURPOSES):
            if self.pauses[i].ends_ms:
                soonest = min(soonest, self.pauses[i].ends_ms)
        return soonest

    cdef int release(self) except -1:
        """Let those go on whose command was postponed; what still stands against it postpones it again."""
        cdef Client c

        for c in self.paused:
            c.flags &= ~<uint64_t>C_BLOCKED
            self.engine.queue_resume(c)
        self.paused.clear()
        return 0

    cdef bint holds(self, uint64_t flags) noexcept:
        """Whether the pauses under way hold a command with these flags."""
        return self.pause_all or flags & (WRITE | MAY_REPLICATE) != 0

    cdef int postpone(self, Client c) except -1:
        """Keep a client's command, which is still in its query buffer, until release() is called."""
        c.flags |= C_BLOCKED
        self.paused[c] = None
        return 0

    # --- time ---------------------------------------------------------------------------

    cdef int arm(self) except -1:
        """Set the timer to the soonest deadline. It is not moved when that one goes away: it fires for nothing."""
        cdef Engine engine = self.engine
        cdef int64_t soonest = self.next_pause_end()
        cdef int64_t delay_ms

        if heap_top(&self.deadlines) is not NULL:
            soonest = min(soonest, heap_top(&self.deadlines).when_ms)
        self.armed_ms = soonest
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None
        if soonest == INT64_MAX or engine.loop is None or engine.core.held:
            return 0
        delay_ms = min(max(soonest - engine.core.now_ms, 0), LONGEST_TIMER_MS)
        self.timer = engine.loop.call_later(delay_ms / 1000.0, self.fire)
        return 0

    def unschedule(self):
        """The engine's end: no timer."""
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None

    def fire(self):
        """Timer: the soonest deadline has come."""
        self.timer = None
        self.engine.begin_turn()
        try:
            self.expire()
        finally:
            self.engine.end_turn()

    def expire(self):
        """End all waits whose time has come at the engine's present time."""
        cdef int64_t now_ms = self.engine.core.now_ms

        try:
            if self.next_pause_end() <= now_ms:
                self.settle_pauses()
            while heap_top(&self.deadlines) is not NULL and heap_top(&self.deadlines).when_ms <= now_ms:
                self.unblock((<Waiter>(<Deadline*>heap_top(&self.deadlines).item).waiter).client, None)
        finally:
            self.arm()
