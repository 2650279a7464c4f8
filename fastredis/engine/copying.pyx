"""Copies of big values in slices. The design comment is in copying.pxd."""
cimport cython

from libc.stdint cimport int64_t, uint32_t
from libc.string cimport memcmp

from fastredis.ds.native cimport monotonic_us
from fastredis.engine.blocking cimport Blocked, KeyWaiter, keep_command
from fastredis.engine.core cimport EVERY_CHANGE, GATE_COPYING, GATE_LOADING, GATE_PAUSED
from fastredis.engine.dispatch cimport rerun
from fastredis.engine.engine cimport C_BLOCKED, C_DENY_BLOCKING, C_MASTER, Copies, Engine
from fastredis.engine.flags cimport WRITE
from fastredis.engine.keyspace cimport Database
from fastredis.engine.slices cimport DONE, NOW
from fastredis.values.entry cimport ENTRY_KIND
from fastredis.values.slow_copy cimport SlowCopy, copy_begin, copy_is_slow, copy_leave, copy_some, copy_take
from fastredis.values.value cimport entry_copy, entry_free

cdef enum:
    FIRST_US = 500                  # work at once: a copy that takes no longer makes nobody wait
    HELD_US = 10000                 # between two looks at whether a copy that is whole may be put in its place
    SOURCE = 1                      # place of the source's name in argv
    MOST_TRIES = 3


@cython.no_gc_clear                 # __dealloc__ needs the owner, whose memory the copy is counted in
cdef class CopyWaiter(KeyWaiter):
    """Waits for its copy."""
    cdef SlowCopy work
    cdef int tries                  # begun so far

    def __cinit__(self):
        self.steadfast = self.lasting = True

    def __dealloc__(self):
        self.work.source = NULL     # it may be gone already: the engine ends
        if self.work.copy is not NULL:
            entry_free(self.account, copy_take(&self.work))

    cdef bint advance(self, int64_t until_us) except -1:
        """Copy until then; whether the command is to run again: there is no more to copy, or no use in it."""
        while self.work.source is not NULL and not self.work.whole:
            if not copy_some(&self.work) and monotonic_us() >= until_us:
                return False
        return True

    cdef int abandon(self) except -1:
        """Free what there is of the copy: in slices, if it is much."""
        cdef Entry* unfinished = copy_take(&self.work)

        if unfinished is not NULL:
            self.db.release(unfinished, False)
        return 0


cdef class SlowCopies(Copies):
    """The copies of one engine that are under way, first come first."""
    cdef Engine engine
    cdef list waiters               # of CopyWaiter
    cdef dict names                 # bytes -> how often they are held

    def __init__(self, Engine engine not None):
        self.engine = engine
        self.what = "Copying a value"
        self.waiters = []
        self.names = {}

    # --- what happens to the data meanwhile -----------------------------------------------

    cdef int before_change(self, Entry* e) noexcept:
        cdef CopyWaiter waiter

        for waiter in self.waiters:
            if waiter.work.source is e:
                copy_leave(&waiter.work)
        return 0

    cdef int before_leaving(self, Database db) noexcept:
        cdef CopyWaiter waiter

        for waiter in self.waiters:
            if waiter.db is db:
                copy_leave(&waiter.work)
        return 0

    cdef bint concern(self, Arg* argv, int argc) noexcept:
        cdef CopyWaiter waiter
        cdef Arg* source
        cdef int i

        for waiter in self.waiters:
            source = &waiter.argv[SOURCE]
            for i in range(1, argc):
                if argv[i].size == source.size and memcmp(argv[i].ptr, source.ptr, source.size) == 0:
                    return True
        return len(self.names) > 0 and self.is_named(argv, argc)

    cdef bint is_named(self, Arg* argv, int argc) noexcept:
        cdef int i

        try:
            for i in range(1, argc):
                if argv[i].ptr[:argv[i].size] in self.names:
                    return True
        except MemoryError:
            return True                 # it waits, and is asked about again
        return False

    # --- work -----------------------------------------------------------------------------

    cdef int add(self, CopyWaiter waiter) except -1:
        self.waiters.append(waiter)
        self.engine.core.unsaved |= ENTRY_KIND
        self.engine.core.gate |= GATE_COPYING
        return self.engine.schedule(self, NOW)

    cdef int remove(self, CopyWaiter waiter) except -1:
        """A copy is in its place, or will not be: those who wanted to change its source may."""
        self.waiters.remove(waiter)
        waiter.abandon()
        if not self.waiters:
            self.engine.core.unsaved &= ~<uint32_t>ENTRY_KIND
            self.engine.core.unsaved |= self.engine.core.epoch & EVERY_CHANGE
        return self.end_wait()

    cdef int end_wait(self) except -1:
        """Some wait for no more, or for others."""
        if not self.waiters and not self.names:
            self.engine.core.gate &= ~GATE_COPYING
        return (<Blocked>self.engine.blocked).release()

    cdef bint is_held(self) noexcept:
        """Whether nothing may be changed at present."""
        cdef int gate = self.engine.core.gate

        return gate & GATE_LOADING or (gate & GATE_PAUSED and (<Blocked>self.engine.blocked).holds(WRITE))

    cdef int64_t step(self, int64_t until_us) except? -2:
        """Work on the first copy for a slice; if it is whole, have its COPY put it in its place."""
        cdef CopyWaiter waiter = self.waiters[0]

        if waiter.client is None:
            self.finish(waiter)
        elif waiter.advance(until_us):
            if self.is_held():
                return HELD_US
            self.finish(waiter)
        return NOW if self.waiters else DONE

    cdef int finish(self, CopyWaiter waiter) except -1:
        """Run the COPY again, unless somebody else has answered its client (who ends all waits at a change of role)."""
        if waiter.client is not None:
            rerun(self.engine, waiter)
        if waiter.client is None:
            self.remove(waiter)
        return 0


cdef bint may_wait(Client c) noexcept:
    return (c.engine.loop is not None and not c.core.gate & GATE_LOADING
            and not c.flags & (C_DENY_BLOCKING | C_MASTER))


cdef Entry* copied(Client c, Entry* e, Arg* key) except? NULL:
    cdef CopyWaiter waiter = None

    if c.blocked is not None:               # it runs again
        waiter = <CopyWaiter>c.blocked
        if waiter.work.whole and waiter.work.source is e:
            return copy_take(&waiter.work)
        waiter.abandon()
    elif copy_is_slow(e) and may_wait(c):
        waiter = CopyWaiter()
        keep_command(waiter, c, c.argv)
    if waiter is None or waiter.tries == MOST_TRIES or not copy_is_slow(e):
        return entry_copy(&c.core.memory, e, key.ptr, key.size)
    waiter.tries += 1
    copy_begin(&waiter.work, &c.core.memory, e, key.ptr, key.size)
    if waiter.advance(monotonic_us() + FIRST_US) and waiter.work.whole:
        return copy_take(&waiter.work)
    if c.blocked is not None:
        c.flags |= C_BLOCKED
        return NULL
    copies_of(c.engine).add(waiter)
    (<Blocked>c.engine.blocked).block(c, waiter, 0)
    return NULL


cdef SlowCopies copies_of(Engine engine):
    if engine.copies is None:
        engine.copies = SlowCopies(engine)
    return <SlowCopies>engine.copies


cdef int hold_names(Engine engine, list names) except -1:
    cdef dict held = copies_of(engine).names

    for name in names:
        held[name] = held.get(name, 0) + 1
    engine.core.gate |= GATE_COPYING
    return 0


cdef int let_go_names(Engine engine, list names) except -1:
    cdef dict held = copies_of(engine).names

    for name in names:
        if held[name] == 1:
            del held[name]
        else:
            held[name] -= 1
    return copies_of(engine).end_wait()
