"""Savepoints. The design comment is in savepoints.pxd."""
cimport cython

from collections import deque

from libc.stdint cimport uint64_t

from fastredis._resp cimport Arg, arg_hash, arg_of
from fastredis.engine.core cimport EVERY_CHANGE, Core
from fastredis.engine.engine cimport Engine, Savepoints
from fastredis.engine.keyspace cimport NO_EXPIRE, Database, Detached, KeyWalk, walk_begin, walk_end, walk_next
from fastredis.values.entry cimport Entry, entry_key, entry_lru, entry_set_epoch, entry_set_lru
from fastredis.values.value cimport entry_copy, entry_free


class SavepointError(Exception):
    """A state can't be kept, or can't be gone to, for a reason that concerns the server."""


cdef Kept NOTHING = Kept()              # there was no such key


@cython.no_gc_clear                     # __dealloc__ needs the engine
cdef class Kept:
    def __dealloc__(self):
        if self.e is not NULL:
            entry_free(&self.engine.core.memory, self.e)


cdef Kept kept_of(Engine engine, Entry* e, int64_t when_ms):
    """An entry that is in no database."""
    cdef Kept kept = Kept()

    kept.engine, kept.e, kept.when_ms = engine, e, when_ms
    return kept


cdef Kept copy_of(Engine engine, Database db, Entry* e):
    cdef Entry* copy = entry_copy(&engine.core.memory, e, entry_key(e), e.key_size)

    entry_set_lru(copy, entry_lru(e))
    return kept_of(engine, copy, db.when_ms(e))


cdef Kept exchange(Engine engine, Database db, bytes name, Kept other):
    """Put what was kept in the place of a key; returns what was there."""
    cdef Arg key = arg_of(name)
    cdef Entry* e = db.peek(&key)
    cdef int64_t when_ms = db.when_ms(e) if e is not NULL else NO_EXPIRE
    cdef Kept there = NOTHING

    if e is not NULL:
        there = kept_of(engine, db.take(&key), when_ms)
    if other.e is not NULL:
        e, other.e = other.e, NULL
        db.load(e, arg_hash(&key), entry_lru(e))
        if other.when_ms != NO_EXPIRE:
            db.set_expire(e, other.when_ms)
    return there


cdef int stamp_visit(void* context, void* entry) except -1:
    """Visit of Database.scan: the context is the Core."""
    entry_set_epoch(<Entry*>entry, (<Core*>context).epoch)
    return 0


@cython.no_gc_clear
cdef class Space:
    def __del__(self):
        if self.aside and self.db.count() and not self.engine.ending:
            self.engine.discard(self.db.detach())

    cdef int put_aside(self, Database db) except -1:
        self.db, self.aside, self.epoch = db, True, self.engine.core.epoch
        return 0

    cdef int follow_epoch(self) except -1:
        """A snapshot was written meanwhile: its keys are none that one has still to save."""
        cdef uint64_t cursor

        if self.aside and self.epoch != self.engine.core.epoch:
            cursor = self.db.scan(0, stamp_visit, &self.engine.core)
            while cursor:
                cursor = self.db.scan(cursor, stamp_visit, &self.engine.core)
        return 0


cdef class State:
    """A state of the data. release() when nobody wants it any more, from any thread."""

    def release(self):
        self.tree.let_go.append(self)

    def give_up(self):
        """The same, where the engine may be used."""
        self.release()
        self.tree.forget_all()

    def return_to(self):
        """Make the data what they were. The caller frames the turn. Errors: SavepointError."""
        self.tree.restore(self)

    @property
    def is_wanted(self):
        return self.wanted


def savepoints_of(Engine engine not None):
    """The Tree of an engine."""
    if engine.savepoints is None:
        engine.savepoints = Tree(engine)
    return engine.savepoints


cdef class Tree(Savepoints):
    def __init__(self, Engine engine not None):
        self.engine = engine
        self.live = {}
        self.let_go = deque()

    # --- for programs -------------------------------------------------------------------

    def check(self):
        """Errors: SavepointError if somebody has the data who could not follow."""
        engine = self.engine
        if engine.core.is_replica:
            raise SavepointError("the data are a master's, which this server can't change by itself")
        if engine.feed_list:
            raise SavepointError("the append-only file or a replica follows the data step by step, and this is no "
                                 "step: it needs a server without these")

    def save(self):
        """The present state -> State. Errors: SavepointError."""
        cdef Engine engine = self.engine
        cdef State state = State()
        cdef Space space
        cdef Database db

        self.check()
        self.forget_all()
        if self.base is None:
            self.lost = False
        for db in engine.databases:
            if db not in self.live:
                space = Space()
                space.engine, space.db = engine, db
                self.live[db] = space
        state.tree, state.wanted, state.others, state.changed = self, True, set(), {}
        state.spaces = [self.live[db] for db in engine.databases]
        state.libraries = engine.scripts.functions.codes()
        if self.base is not None:
            self.base.toward = state
            state.others.add(self.base)
        self.base = state
        self.switch(True)
        return state

    def restore(self, State state not None):
        cdef Engine engine = self.engine
        cdef list way = []
        cdef State at = state

        self.check()
        if not state.wanted:
            raise SavepointError("the snapshot is closed")
        if engine.snapshot is not None:
            raise SavepointError("a save without a fork is under way: wait for its end")
        if self.lost:
            raise SavepointError("there was no memory to keep what has changed")
        while at is not None:
            way.append(at)
            at = at.toward
        self.going = True
        try:
            self.go_to_base()
            for at in reversed(way):
                if at is not self.base:
                    self.make_base(at)
            self.place(state)
        except Exception:
            engine.fatal("Half of the data is that of a savepoint")
        finally:
            self.going = False
        self.restore_libraries(state)
        engine.core.dirty += 1
        engine.core.rearm = True
        for at in way:
            if not at.wanted:
                self.forget(at)
        self.forget_all()

    def restore_libraries(self, State state not None):
        functions = self.engine.scripts.functions
        if functions.codes() != state.libraries:
            libraries = functions.new()
            for code in state.libraries:
                libraries.add(code, False)
            functions.use(libraries)

    # --- what happens to the data -------------------------------------------------------

    cdef int before_change(self, Database db, Entry* e) noexcept:
        try:
            self.note(db, entry_key(e), e.key_size, e)
        except MemoryError:
            self.lost = True
        return 0

    cdef int added(self, Database db, const char* key, size_t size) except -1:
        return self.note(db, key, size, NULL)

    cdef int note(self, Database db, const char* name, size_t size, Entry* e) except -1:
        """Keep what a key was, if it has not changed since the base: its entry, or (NULL) that there was none."""
        cdef dict changed
        cdef bytes key

        if self.going:
            return 0
        if self.let_go:
            self.forget_all()
        space = self.live.get(db)
        if space is None or self.base is None:
            return 0
        changed = self.base.changed.get(space)
        if changed is None:
            changed = self.base.changed[space] = {}
        key = name[:size]
        if key not in changed:
            changed[key] = copy_of(self.engine, db, e) if e is not NULL else NOTHING
        return 0

    cdef int before_leaving(self, Database db) except -1:
        """A database is about to be emptied. What is in it is kept as it is, unless a snapshot needs that, too."""
        cdef KeyWalk walk
        cdef Entry* e

        if self.engine.snapshot is None or db not in self.live:
            return 0
        walk_begin(&walk, db)
        try:
            e = walk_next(&walk)
            while e is not NULL:
                self.note(db, entry_key(e), e.key_size, e)
                e = walk_next(&walk)
        finally:
            walk_end(&walk)
        return 0

    cdef bint detached(self, Database db, Detached garbage) except -1:
        cdef Space space

        if self.engine.snapshot is not None or db not in self.live:
            return False
        space = self.live.pop(db)
        space.put_aside(garbage.adopt(db.index))
        return True

    cdef int swapped(self, Database one, Database other) except -1:
        cdef Space first = self.live.pop(one, None)
        cdef Space second = self.live.pop(other, None)

        if first is not None:
            first.db = other
            self.live[other] = first
        if second is not None:
            second.db = one
            self.live[one] = second
        return 0

    cdef int switch(self, bint on) noexcept:
        """Have all changes noted, or not any more."""
        cdef Core* core = &self.engine.core

        if on:
            core.epoch |= EVERY_CHANGE
            core.unsaved |= EVERY_CHANGE
        else:
            core.epoch &= ~<uint32_t>EVERY_CHANGE
            core.unsaved &= ~<uint32_t>EVERY_CHANGE
        return 0

    # --- going to another state -----------------------------------------------------------

    cdef int go_to_base(self) except -1:
        """Undo what has changed since the base."""
        cdef dict changed = self.base.changed

        self.base.changed = {}
        for space, keys in changed.items():
            self.exchange_keys(space, keys)
        return 0

    cdef int make_base(self, State state) except -1:
        """The data are those of the base, and `state` is next to it: make them that one's."""
        cdef dict back = {}

        for space, keys in state.changed.items():
            back[space] = self.exchange_keys(space, keys)
        self.base.others.discard(state)
        self.base.toward, self.base.changed = state, back
        state.toward, state.changed = None, {}
        state.others.add(self.base)
        self.base = state
        return 0

    def exchange_keys(self, Space space not None, dict keys not None):
        """Exchange kept keys of a Space with those that there are -> these. Who listens hears of it."""
        cdef Engine engine = self.engine
        cdef dict back = {}
        cdef bytes name

        for name, kept in keys.items():
            back[name] = exchange(engine, space.db, name, kept)
            if engine.core.listeners and not space.aside:
                engine.key_changed(space.db, name, len(name), 0, b"")
        return back

    cdef int place(self, State state) except -1:
        """Have each Space in the database where it was."""
        cdef Engine engine = self.engine
        cdef Database db, other
        cdef Space space

        for db, space in zip(engine.databases, state.spaces, strict=True):
            if space.db is db:
                continue
            space.follow_epoch()
            other = space.db
            engine.exchange(db, other)      # calls swapped()
            if space.aside:                 # what was in the database belongs to another State, or to nobody
                space.aside = False
                space.db = db
                self.live[db] = space
                if other in self.live:
                    (<Space>self.live.pop(other)).put_aside(other)
                elif other.count():
                    engine.discard(other.detach())
        return 0

    # --- states that nobody wants ---------------------------------------------------------

    cdef int forget_all(self) except -1:
        while self.let_go:
            self.forget(self.let_go.popleft())
        return 0

    cdef int forget(self, State state) except -1:
        """A state is wanted no more: join it with the one beyond it. A fork of ways stays while there are two."""
        cdef State beyond, toward = state.toward

        if state.spaces is None:        # it was let go twice
            return 0
        state.wanted = False
        if len(state.others) > 1:
            return 0
        if state.others:
            beyond = state.others.pop()
            join(state, beyond)
            beyond.toward = toward
            if toward is None:
                self.base = beyond
            else:
                toward.others.discard(state)
                toward.others.add(beyond)
        elif toward is None:
            self.base = None
            self.live.clear()
            self.switch(False)
        else:
            toward.others.discard(state)
            if not toward.wanted:
                self.forget(toward)
        state.changed, state.spaces, state.toward = {}, None, None
        return 0


cdef int join(State state, State beyond) except -1:
    """Let beyond.changed begin where state.changed does."""
    cdef dict first, second

    for space, first in state.changed.items():
        second = beyond.changed.get(space)
        if second is None or len(second) < len(first):
            first.update(second or {})
            beyond.changed[space] = first
        else:
            for key in first:
                second.setdefault(key, first[key])
    return 0
