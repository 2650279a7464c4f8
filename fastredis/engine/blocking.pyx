"""Clients that wait. The design comment is in blocking.pxd."""
cimport cython

from cpython.ref cimport Py_INCREF, Py_XDECREF
from libc.stdint cimport INT64_MAX

from fastredis._resp cimport arg_bytes, args_copy
from fastredis.ds.alloc cimport mem_alloc, mem_free
from fastredis.ds.expire_heap cimport NOT_IN_HEAP, heap_clear, heap_init, heap_remove, heap_set, heap_top
from fastredis.engine.client cimport Frame, frame_pop, frame_push
from fastredis.engine.command cimport Command
from fastredis.engine.core cimport AFTER_READY, GATE_LOADING, GATE_PAUSED, LISTEN_BLOCKED, Core
from fastredis.engine.engine cimport (
    C_BLOCKED, C_CLOSE_AFTER_REPLY, C_DENY_BLOCKING, C_REPLY_OFF, C_REPLY_SKIP, LONGEST_TIMER_MS, CommandStats,
)
from fastredis.engine.flags cimport MAY_REPLICATE, WRITE
from fastredis.engine.importing cimport settle_expiry
from fastredis.engine.reply cimport reply_new


cdef class Waiter:
    cdef int timed_out(self, Client c) except -1:
        raise NotImplementedError("a Waiter says what it replies when the time is over")

    cdef int leave(self) except -1:
        return 0


@cython.no_gc_clear             # __dealloc__ needs the engine
cdef class KeyWaiter(Waiter):
    def __cinit__(self):
        self.stands = self.inside

    def __dealloc__(self):
        give_up_stands(self)            # those of an engine that has gone with its clients
        if self.account is not NULL:
            mem_free(self.account, self.argv, self.size)

    cdef int timed_out(self, Client c) except -1:
        return reply_in_vain(c, self.in_vain)

    cdef int leave(self) except -1:
        return (<Blocked>(<Engine>self.owner).blocked).leave_keys(self)


# --- lines ------------------------------------------------------------------------------

cdef inline void insert(KeyLine line, Stand* before, Stand* stand) noexcept:
    """Link a stand in behind another one; NULL: in front."""
    cdef Stand* after = before.after if before is not NULL else line.first

    stand.before, stand.after = before, after
    if before is not NULL:
        before.after = stand
    else:
        line.first = stand
    if after is not NULL:
        after.before = stand
    else:
        line.last = stand


cdef inline void take_out(KeyLine line, Stand* stand) noexcept:
    if stand.before is not NULL:
        stand.before.after = stand.after
    else:
        line.first = stand.after
    if stand.after is not NULL:
        stand.after.before = stand.before
    else:
        line.last = stand.before


cdef int enter(KeyWaiter waiter, KeyLine line) except -1:
    """Put a waiter last in a line."""
    cdef Stand* stand = &waiter.stands[waiter.stand_count]

    stand.line = <PyObject*>line
    stand.waiter = <void*>waiter
    Py_INCREF(line)
    insert(line, line.last, stand)
    line.count += 1
    waiter.stand_count += 1
    return 0


cdef int give_up_stands(KeyWaiter waiter) noexcept:
    """Leave all lines, which stay what they are otherwise."""
    cdef Stand* stand
    cdef Py_ssize_t i

    for i in range(waiter.stand_count):
        stand = &waiter.stands[i]
        take_out(<KeyLine>stand.line, stand)
        (<KeyLine>stand.line).count -= 1
        Py_XDECREF(stand.line)
    if waiter.stands != waiter.inside:
        mem_free(waiter.account, waiter.stands, waiter.stand_room * sizeof(Stand))
    waiter.stands = waiter.inside
    waiter.stand_count = 0
    return 0


cdef KeyLine line_of(Database db, bytes key, int kind, bytes subject):
    """A line of a key, which is made if there is none."""
    cdef object name = kind if subject is None else (kind, subject)
    cdef dict lines = <dict>db.awaited.get(key)
    cdef KeyLine line

    if lines is None:
        lines = db.awaited[key] = {}
    line = <KeyLine>lines.get(name)
    if line is None:
        line = lines[name] = KeyLine.__new__(KeyLine)
        line.key, line.name, line.kind, line.alike = key, name, kind, subject is not None
    return line


cdef bint has_line_on_loss(dict lines) except -1:
    """Whether somebody waits for the end of a key with these lines."""
    cdef KeyLine line

    for line in lines.values():
        if line.kind < 0:
            return True
    return False


cdef int drop_line(Database db, KeyLine line) except -1:
    """Nobody is left in a line."""
    cdef dict lines = <dict>db.awaited[line.key]

    del lines[line.name]
    if not lines:
        del db.awaited[line.key]
    return 0


cdef void walk_begin(Stand* walk, KeyLine line) noexcept:
    walk.line = <PyObject*>line
    walk.waiter = NULL
    Py_INCREF(line)
    insert(line, NULL, walk)


cdef void* walk_next(Stand* walk) noexcept:
    cdef KeyLine line = <KeyLine>walk.line
    cdef Stand* passed = walk.after

    if passed is NULL:
        return NULL
    take_out(line, walk)
    insert(line, passed, walk)
    return passed.waiter


cdef void walk_end(Stand* walk) noexcept:
    take_out(<KeyLine>walk.line, walk)
    Py_XDECREF(walk.line)


# --- waiting for keys -------------------------------------------------------------------

cdef int reply_in_vain(Client c, KeyReply in_vain) except -1:
    return c.reply_null_array() if in_vain == NULL_ARRAY else c.reply_null()


cdef int block_on_keys(Client c, int first, int64_t count, int step, int kind, int64_t deadline_ms,
                       KeyReply in_vain, bint on_loss=False, Arg* again=NULL, bytes subject=None,
                       int64_t again_ms=0) except -1:
    """The command in argv cannot be answered: wait for keys argv[first], argv[first + step] ... to be of type `kind`.

    `count` is how many keys; deadline_ms is in ms since the epoch, 0: for ever. on_loss: or for one to be of that type
    no more. Inside MULTI or a script, the null is replied at once.
    """
    cdef KeyWaiter waiter
    cdef list keys
    cdef int64_t i

    if c.blocked is not None:
        c.flags |= C_BLOCKED            # its command ran again, in vain
        if again_ms:
            (<Waiter>c.blocked).again_ms = again_ms
            (<Blocked>c.engine.blocked).set_deadline(<Waiter>c.blocked)
        return 0
    if c.flags & C_DENY_BLOCKING:
        return reply_in_vain(c, in_vain)
    waiter = KeyWaiter.__new__(KeyWaiter)
    keep_command(waiter, c, again if again is not NULL else c.argv)
    waiter.kind = kind
    waiter.on_loss = on_loss
    waiter.subject = subject
    waiter.in_vain = in_vain
    waiter.again_ms = again_ms
    if count == 1:
        keys = [arg_bytes(&c.argv[first])]
    else:
        keys = list(dict.fromkeys([arg_bytes(&c.argv[first + i * step]) for i in range(count)]))
    (<Blocked>c.engine.blocked).await_keys(waiter, keys)
    return (<Blocked>c.engine.blocked).block(c, waiter, deadline_ms)


cdef int keep_command(KeyWaiter waiter, Client c, Arg* argv) except -1:
    """Have a waiter remember the client's present command, to run it again with these arguments."""
    waiter.account = &c.core.memory
    waiter.owner = c.engine
    waiter.argv = args_copy(waiter.account, argv, c.argc, &waiter.size)
    waiter.argc = c.argc
    waiter.command = <object>c.command
    waiter.db = c.db
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

        return sum([has_line_on_loss(lines) for db in self.engine.databases for lines in db.awaited.values()])

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
        waiter.until_ms = deadline_ms
        return self.set_deadline(waiter) if deadline_ms or waiter.again_ms else 0

    cdef int set_deadline(self, Waiter waiter) except -1:
        """Have the timer look after a waiter when its time has come, or it is to try again."""
        cdef int64_t soonest = waiter.until_ms

        if waiter.again_ms and (soonest == 0 or waiter.again_ms < soonest):
            soonest = waiter.again_ms
        if soonest:
            heap_set(&self.deadlines, &waiter.deadline, soonest)
            if soonest < self.armed_ms:
                self.arm()
        elif waiter.deadline.heap_index != NOT_IN_HEAP:
            heap_remove(&self.deadlines, &waiter.deadline)
        return 0

    def hold(self, Client c not None):
        """Let a client wait until unblock() is called with the error that it gets."""
        cdef Waiter waiter = Waiter()

        waiter.steadfast = True
        self.block(c, waiter, 0)

    cdef int await_keys(self, KeyWaiter waiter, list keys) except -1:
        """Put a waiter last in the lines of some keys (bytes, none twice)."""
        cdef Py_ssize_t room = len(keys) * (2 if waiter.on_loss else 1)

        if room > STANDS_INSIDE:
            waiter.stand_room = room
            waiter.stands = <Stand*>mem_alloc(waiter.account, room * sizeof(Stand))
        for key in keys:
            enter(waiter, line_of(waiter.db, key, waiter.kind, waiter.subject))
            if waiter.on_loss:
                enter(waiter, line_of(waiter.db, key, ~waiter.kind, None))
        self.in_lines += waiter.stand_count
        self.engine.core.listeners |= LISTEN_BLOCKED
        return 0

    cdef int leave_keys(self, KeyWaiter waiter) except -1:
        cdef list empty = []
        cdef KeyLine line
        cdef Py_ssize_t i

        for i in range(waiter.stand_count):
            line = <KeyLine>waiter.stands[i].line
            if line.count == 1:
                empty.append(line)
        self.in_lines -= waiter.stand_count
        give_up_stands(waiter)
        for line in empty:
            drop_line(waiter.db, line)
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

    cdef Reply borrow_reply(self, Client c):
        """Where a client's command that runs again is to write: what others write to it meanwhile comes after that."""
        cdef Reply reply = self.spare

        self.spare = None
        if reply is None:
            reply = reply_new(c.core, c.engine, c.resp)
        reply.resp = c.resp
        reply.writer = <void*>c
        return reply

    cdef int give_back(self, Reply reply) except -1:
        reply.clear()
        reply.writer = NULL
        self.spare = reply
        return 0

    cdef int forget(self, Client c) except -1:
        """A client waits no more."""
        cdef Waiter waiter = <Waiter>c.blocked

        if waiter.deadline.heap_index != NOT_IN_HEAP:
            heap_remove(&self.deadlines, &waiter.deadline)
        waiter.leave()
        waiter.client = None
        c.blocked = None
        del self.waiting[c]
        return 0

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
            settle_expiry(core)
        elif was_paused:
            core.gate &= ~GATE_PAUSED
            settle_expiry(core)
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
        """Set the timer to the soonest deadline. It is not moved when that one goes away: it fires for nothing.

        In the main thread, a signal's handler may raise where the loop's Python runs: it is set when that has returned.
        """
        cdef Engine engine = self.engine
        cdef int64_t soonest = self.next_pause_end()
        cdef int64_t delay_ms

        if heap_top(&self.deadlines) is not NULL:
            soonest = min(soonest, heap_top(&self.deadlines).when_ms)
        self.armed_ms = INT64_MAX
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None
        if soonest != INT64_MAX and engine.loop is not None and not engine.core.held:
            delay_ms = min(max(soonest - engine.core.now_ms, 0), LONGEST_TIMER_MS)
            self.timer = engine.loop.call_later(delay_ms / 1000.0, self.fire)
        self.armed_ms = soonest
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
                self.time_has_come(<Waiter>(<Deadline*>heap_top(&self.deadlines).item).waiter)
        finally:
            self.arm()

    cdef int time_has_come(self, Waiter waiter) except -1:
        """A waiter is the first in the heap: its command runs again, or its wait ends."""
        cdef Engine engine = self.engine

        if waiter.again_ms == 0 or waiter.again_ms > engine.core.now_ms:
            self.unblock(waiter.client, None)
            return 0
        waiter.again_ms = 0
        self.set_deadline(waiter)
        engine.ready.append((waiter, None))
        engine.core.after_call |= AFTER_READY
        if not (engine.core.units or engine.serving or engine.core.gate & GATE_LOADING):
            engine.serve(engine)
        return 0
