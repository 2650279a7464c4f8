"""Clients that wait. The design comment is in _blocking.pxd."""
cimport cython

from libc.stdint cimport INT64_MAX

from fastredis._core cimport GATE_PAUSED, GATE_REPLICA, Core
from fastredis._engine cimport C_BLOCKED, C_REPLY_OFF, C_REPLY_SKIP, CommandStats
from fastredis._command cimport Command
from fastredis._flags cimport MAY_REPLICATE, WRITE
from fastredis.ds.expire_heap cimport NOT_IN_HEAP, heap_clear, heap_init, heap_remove, heap_set, heap_top

cdef enum:
    LONGEST_TIMER_MS = 3600 * 1000


cdef class Waiter:
    cdef int timed_out(self, Client c) except -1:
        raise NotImplementedError("a Waiter says what it replies when the time is over")


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

    cdef int answer_begin(self, Client c) except -1:
        """The client's wait is over: from now on its reply_*() write to its inbox."""
        cdef Waiter waiter = <Waiter>c.blocked

        waiter.out = c.out
        c.out = c.inbox()
        waiter.mark = c.out.size
        waiter.errors = c.core.errors
        return 0

    cdef int answer_end(self, Client c) except -1:
        """The reply is written: count the command, and let the client go on at the end of the turn."""
        cdef Waiter waiter = <Waiter>c.blocked
        cdef CommandStats* stats = &c.engine.stats[(<Command>c.last_command).index]

        if waiter.silent:
            c.out.truncate(waiter.mark)
        c.out = waiter.out
        stats.calls += 1
        c.core.commands += 1
        c.requests += 1
        if c.core.errors != waiter.errors:
            stats.failed += 1
        self.forget(c)
        c.flags &= ~<uint64_t>C_BLOCKED
        return self.engine.queue_resume(c)

    def forget(self, Client c not None):
        cdef Waiter waiter = <Waiter>c.blocked

        if waiter.deadline.heap_index != NOT_IN_HEAP:
            heap_remove(&self.deadlines, &waiter.deadline)
        waiter.client = None
        c.blocked = None
        del self.waiting[c]

    def unblock(self, Client c not None, bytes error):
        """End a client's wait as if its time were over, or with an error; returns whether it was waiting."""
        if c.blocked is None:
            return False
        self.answer_begin(c)
        try:
            if error is not None:
                c.error_text(error)
            else:
                (<Waiter>c.blocked).timed_out(c)
        finally:
            self.answer_end(c)
        return True

    def remove(self, Client c not None):
        """A client's connection is gone."""
        if c.blocked is not None:
            self.forget(c)
        self.paused.pop(c, None)

    # --- CLIENT PAUSE -------------------------------------------------------------------

    def pause(self, int64_t ends_ms, bint all_commands):
        """Hold commands until a time in ms since the epoch. A longer or wider pause under way stays what it is."""
        cdef Core* core = &self.engine.core

        self.pause_all = all_commands or (self.pause_all and self.pause_ends_ms != 0)
        self.pause_ends_ms = max(self.pause_ends_ms, ends_ms)
        core.gate |= GATE_PAUSED
        # The data stays as it is, for a failover: keys that expire are not there, but are not removed yet either.
        core.expire_on_access = False
        self.arm()

    def unpause(self):
        """Let all go on, if there is a pause."""
        cdef Core* core = &self.engine.core
        cdef Client c

        if self.pause_ends_ms == 0:
            return
        self.pause_ends_ms = 0
        self.pause_all = False
        core.gate &= ~GATE_PAUSED
        core.expire_on_access = not core.gate & GATE_REPLICA
        core.rearm = True
        for c in self.paused:
            c.flags &= ~<uint64_t>C_BLOCKED
            self.engine.queue_resume(c)
        self.paused.clear()

    cdef bint holds(self, uint64_t flags) noexcept:
        """Whether the pause holds a command with these flags."""
        return self.pause_all or flags & (WRITE | MAY_REPLICATE) != 0

    cdef int postpone(self, Client c) except -1:
        """Keep a client's command, which is still in its query buffer, until the pause is over."""
        c.flags |= C_BLOCKED
        self.paused[c] = None
        return 0

    # --- time ---------------------------------------------------------------------------

    cdef int arm(self) except -1:
        """Set the timer to the soonest deadline. It is not moved when that one goes away: it fires for nothing."""
        cdef Engine engine = self.engine
        cdef int64_t soonest = self.pause_ends_ms or INT64_MAX
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
            if 0 < self.pause_ends_ms <= now_ms:
                self.unpause()
            while heap_top(&self.deadlines) is not NULL and heap_top(&self.deadlines).when_ms <= now_ms:
                self.unblock((<Waiter>(<Deadline*>heap_top(&self.deadlines).item).waiter).client, None)
        finally:
            self.arm()
