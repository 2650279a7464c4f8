"""Transactions: queue and watched keys. The design comment is in multi.pxd."""
cimport cython

from fastredis._resp cimport arg_bytes, arg_of, args_copy
from fastredis.ds.alloc cimport mem_free, mem_realloc
from fastredis.engine.core cimport LISTEN_WATCH
from fastredis.engine.engine cimport C_DIRTY_CAS, C_DIRTY_EXEC, C_MULTI, Engine
from fastredis.engine.keyspace cimport Database
from fastredis.engine.lines cimport Place, line_enter, line_leave
from fastredis.values.entry cimport Entry


@cython.no_gc_clear                 # __dealloc__ needs the owner
cdef class Queue:
    def __dealloc__(self):
        cdef int i

        if self.account is NULL:
            return
        for i in range(self.count):
            mem_free(self.account, self.items[i].argv, self.items[i].size)
        mem_free(self.account, self.items, self.room * sizeof(Queued))

    cdef int append(self, Client c, Command command, uint64_t flags) except -1:
        """Copy the client's present command to the end of the queue. flags: what it does."""
        cdef size_t size
        cdef int room
        cdef Queued* item

        if self.count == self.room:
            room = self.room * 2 if self.room else 4
            self.items = <Queued*>mem_realloc(self.account, self.items, self.room * sizeof(Queued),
                                              room * sizeof(Queued))
            self.room = room
        item = &self.items[self.count]
        item.argv = args_copy(self.account, c.argv, c.argc, &size)
        item.command = <void*>command
        item.argc = c.argc
        item.size = size
        self.count += 1
        self.size_bytes += size
        self.flags |= flags
        self.shared_flags &= flags
        return 0


cdef int begin(Client c) except -1:
    """MULTI: queue what comes from now on."""
    cdef Queue queue = Queue()

    queue.account = &c.core.memory
    queue.owner = c.engine
    queue.shared_flags = ~<uint64_t>0
    c.queue = queue
    c.flags |= C_MULTI
    return 0


cdef int discard(Client c) except -1:
    """Leave MULTI: forget the queue and what was watched."""
    c.queue = None
    c.flags &= ~<long long>(C_MULTI | C_DIRTY_CAS | C_DIRTY_EXEC)
    return unwatch_all(c)


cdef int watch(Client c, Arg* key) except -1:
    """WATCH one key; watching it twice is watching it once."""
    cdef bytes name = arg_bytes(key)
    cdef dict own
    cdef int64_t taken

    if c.watched is None:
        c.watched = {}
    own = <dict>c.watched.get(c.db)
    if own is None:
        own = c.watched[c.db] = {}
    taken = line_enter(c.db.watchers, own, name, c)
    if taken == 0:
        return 0
    # A key whose time has come goes now, so that its removal is no change. On a replica it stays.
    (<Place>own[name]).was_expired = c.db.live(key) is NULL and c.db.peek(key) is not NULL
    c.core.listeners |= LISTEN_WATCH
    return c.entered(name, taken)


cdef int unwatch_all(Client c) except -1:
    """UNWATCH, and all that implies it."""
    cdef Database db
    cdef dict own
    cdef bytes name

    if c.watched is None:
        return 0
    for db, own in c.watched.items():
        for name in list(own):
            c.left(name, line_leave(db.watchers, own, name))
    c.watched = None
    return end_watching(c.engine)


cdef int end_watching(Engine engine) except -1:
    cdef Database db

    for db in engine.databases:
        if db.watchers:
            return 0
    engine.core.listeners &= ~LISTEN_WATCH
    return 0


cdef Py_ssize_t watch_count(Client c) except -1:
    return sum(map(len, c.watched.values())) if c.watched is not None else 0


cdef bint watched_expired(Client c) except -1:
    """Whether the time of a watched key has come since WATCH; nobody need have noticed yet."""
    cdef Database db
    cdef Place place
    cdef dict own
    cdef Arg key
    cdef Entry* e

    if c.watched is None:
        return False
    for db, own in c.watched.items():
        for place in own.values():
            key = arg_of(place.line.name)
            e = db.peek(&key)
            if e is not NULL and db.is_expired(e) and not place.was_expired:
                return True
    return False
