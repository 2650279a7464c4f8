"""Transactions: queue and watched keys. The design comment is in _multi.pxd."""
cimport cython

from fastredis._core cimport LISTEN_WATCH
from fastredis._engine cimport C_DIRTY_CAS, C_DIRTY_EXEC, C_MULTI
from fastredis._resp cimport arg_bytes, arg_of, args_copy
from fastredis.ds.alloc cimport mem_free, mem_realloc
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

    cdef int append(self, Client c, Command command) except -1:
        """Copy the client's present command to the end of the queue."""
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
        self.flags |= command.flags
        self.shared_flags &= command.flags
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
    cdef Watched w = Watched()
    cdef bytes name = arg_bytes(key)
    cdef dict sessions = c.db.watchers.setdefault(name, {})

    if c in sessions:
        return 0
    w.db = c.db
    w.key = name
    # A key whose time has come goes now, so that its removal is no change. On a replica it stays.
    w.was_expired = c.db.live(key) is NULL and c.db.peek(key) is not NULL
    c.watched.append(w)
    sessions[c] = None
    c.core.listeners |= LISTEN_WATCH
    return 0


cdef int unwatch_all(Client c) except -1:
    """UNWATCH, and all that implies it."""
    cdef Watched w
    cdef Database db
    cdef dict sessions

    if not c.watched:
        return 0
    for w in c.watched:
        sessions = <dict>w.db.watchers[w.key]
        del sessions[c]
        if not sessions:
            del w.db.watchers[w.key]
    c.watched = []
    for db in c.engine.databases:
        if db.watchers:
            return 0
    c.core.listeners &= ~LISTEN_WATCH
    return 0


cdef bint watched_expired(Client c) except -1:
    """Whether the time of a watched key has come since WATCH; nobody need have noticed yet."""
    cdef Watched w
    cdef Arg key
    cdef Entry* e

    for w in c.watched:
        key = arg_of(w.key)
        e = w.db.peek(&key)
        if e is not NULL and w.db.is_expired(e) and not w.was_expired:
            return True
    return False
