"""Who caches which keys. The design comment is in tracking.pxd."""
cimport cython

from libc.stdint cimport INT64_MAX, UINT32_MAX
from libc.string cimport memcpy, memmove

from fastredis._resp cimport arg_hash
from fastredis.ds.native cimport likely
from fastredis.ds.table cimport (
    entry_of, slot_put, table_add, table_count, table_drain, table_init, table_random, table_remove, table_slot_by,
)
from fastredis.ds.alloc cimport Account, mem_alloc, mem_free
from fastredis.engine.core cimport LISTEN_TRACKING
from fastredis.engine.engine cimport (
    C_GONE, C_MULTI, C_PUBSUB, C_TRACKING, C_TRACKING_ALL, C_TRACKING_BCAST, C_TRACKING_BROKEN, C_TRACKING_CACHING,
    C_TRACKING_NOLOOP, C_TRACKING_OPTIN, C_TRACKING_OPTOUT,
)
from fastredis.engine.flags cimport NO_MANDATORY_KEYS, READONLY
from fastredis.engine.keys cimport KEY_NOT_KEY, KeyList, keys_free, keys_init
from fastredis.engine.lines cimport place_bytes

cdef enum:
    FIRST_IDS = 2                   # room for ids in a new Cached
    FORGOTTEN_AT_ONCE = 100         # keys above the limit that one command, or one call of cron(), sees to

cdef const char* INVALIDATE = b"invalidate"
cdef const char* CHANNEL = b"__redis__:invalidate"
cdef const char* BROKEN = b"tracking-redir-broken"


# --- the table --------------------------------------------------------------------------

cdef inline int64_t* ids_of(Cached* e) noexcept:
    return <int64_t*>(e + 1)


cdef inline char* name_of(Cached* e) noexcept:
    return <char*>(ids_of(e) + e.room)


cdef void cached_key_of(const void* entry, const char** key, size_t* size) noexcept:
    key[0] = name_of(<Cached*>entry)
    size[0] = (<Cached*>entry).key_size


cdef inline size_t bytes_of(size_t key_size, uint32_t room) noexcept:
    return sizeof(Cached) + room * sizeof(int64_t) + key_size


cdef Cached* cached_new(Account* account, const char* key, size_t size, uint32_t room) noexcept:
    cdef Cached* e = <Cached*>mem_alloc(account, bytes_of(size, room))

    e.key_size = size
    e.count = 0
    e.room = room
    memcpy(name_of(e), key, size)
    return e


cdef void cached_free(Account* account, Cached* e) noexcept:
    mem_free(account, e, bytes_of(e.key_size, e.room))


cdef int free_cached(void* context, void* entry) except -1:
    """Visit of table_drain: the context is the Account."""
    cached_free(<Account*>context, <Cached*>entry)
    return 0


cdef inline uint32_t place_of(Cached* e, int64_t id) noexcept:
    """Where the id is, or would be."""
    cdef int64_t* ids = ids_of(e)
    cdef uint32_t low = 0
    cdef uint32_t high = e.count
    cdef uint32_t middle

    if high and ids[high - 1] < id:
        return high
    while low < high:
        middle = low + (high - low) // 2
        if ids[middle] < id:
            low = middle + 1
        else:
            high = middle
    return low


@cython.no_gc_clear                 # __dealloc__ of both needs the engine's memory account
cdef class Forgotten(Garbage):
    def __dealloc__(self):
        if self.core is not NULL:
            table_drain(&self.keys, INT64_MAX, free_cached, &self.core.memory)

    cdef int64_t drain(self, int64_t steps) except -1:
        return table_drain(&self.keys, steps, free_cached, &self.core.memory)


cdef class Mode:
    pass


cdef class Audience:
    def __cinit__(self):
        self.clients, self.changed = {}, {}


@cython.no_gc_clear
cdef class Tracking(Tracker):
    """The tracking clients of one engine."""

    def __init__(self, Engine engine not None):
        self.engine = engine
        self.modes, self.prefixes, self.lengths = {}, {}, []
        table_init(&self.keys, &engine.core.memory, cached_key_of)

    def __dealloc__(self):
        if self.engine is not None:
            table_drain(&self.keys, INT64_MAX, free_cached, &self.engine.core.memory)

    def configure(self, config):
        """Take over tracking-table-max-keys."""
        self.most = config.tracking_table_max_keys

    @property
    def clients(self):
        """How many clients track."""
        return len(self.modes)

    @property
    def key_count(self):
        """Keys in the table."""
        return table_count(&self.keys)

    # --- who tracks -----------------------------------------------------------------------

    def mode(self, Client c not None):
        """How a client tracks -> Mode; None: it does not."""
        return self.modes.get(c)

    def redirect(self, Client c not None):
        """Id of the client that is told in its place; 0: itself, -1: it does not track."""
        cdef Mode mode = self.modes.get(c)

        return mode.redirect if mode is not None else -1

    def begin(self, Client c not None, int64_t redirect, uint64_t modes, prefixes):
        """Have a client track from now on, or in another way; it keeps the prefixes that it has.

        redirect: id of the client to tell in its place, 0: itself. modes: C_TRACKING_* bits.
        """
        cdef Mode mode = Mode.__new__(Mode)
        cdef Mode former = self.modes.get(c)
        cdef Audience audience

        mode.redirect = redirect
        mode.prefixes = former.prefixes if former is not None else ()
        mode.emptied = self.emptied
        if modes & C_TRACKING_BCAST:
            added = {*(prefixes or (b"",))}.difference(mode.prefixes)
            if not self.count_prefixes(c, added):
                return
            for prefix in added:
                if prefix not in self.prefixes:
                    self.prefixes[prefix] = Audience.__new__(Audience)
                    self.lengths = sorted({len(name) for name in self.prefixes})
                audience = self.prefixes[prefix]
                audience.clients[c] = None
            mode.prefixes = tuple(sorted({*mode.prefixes, *added}))
        self.modes[c] = mode
        c.flags = c.flags & ~<uint64_t>C_TRACKING_ALL | C_TRACKING | modes
        self.engine.core.listeners |= LISTEN_TRACKING

    cdef bint count_prefixes(self, Client c, added) except -1:
        """Count what prefixes take as the client's; False: that is too much (maxmemory-clients), and it is gone."""
        cdef bytes prefix

        for prefix in added:
            c.entered(prefix, place_bytes(prefix))
        if c.flags & C_GONE:
            for prefix in added:
                c.left(prefix, place_bytes(prefix))
            return False
        return True

    def end(self, Client c not None):
        """Have a client not track any more, if it does."""
        cdef Mode mode = self.modes.pop(c, None)
        cdef Audience audience

        c.flags &= ~<uint64_t>C_TRACKING_ALL
        if mode is None:
            return
        for prefix in mode.prefixes:
            c.left(prefix, place_bytes(prefix))
            audience = self.prefixes[prefix]
            del audience.clients[c]
            if not audience.clients:
                del self.prefixes[prefix]
                self.lengths = sorted({len(name) for name in self.prefixes})
        if not self.modes:
            self.engine.core.listeners &= ~LISTEN_TRACKING
            self.clear()

    cdef Client enter(self, Client c):
        """The command of a client that tracks is about to run; returns whose was until now, for leave()."""
        outer, self.current = self.current, c
        return outer

    cdef int leave(self, Client c, Command command, Client outer) except -1:
        """It has: what CLIENT CACHING said was for this command, or for its transaction."""
        self.current = outer
        if c.flags & C_TRACKING_CACHING and not c.flags & C_MULTI and (
                command.container is None or command.container.name != b"client"):
            c.flags &= ~<uint64_t>C_TRACKING_CACHING
        if self.emptied_now and c.flags & C_TRACKING:
            self.tell_emptied(c, self.modes[c])
        return 0

    # --- what they read -------------------------------------------------------------------

    cdef int remember(self, Client c, Command command) except -1:
        """A client that tracks has run the command in argv."""
        cdef KeyList keys
        cdef int i

        if not command.flags & READONLY or not command.keys.any or c.flags & C_TRACKING_BCAST:
            return 0
        if command.flags & NO_MANDATORY_KEYS:
            return 0                # a script, whose commands count by themselves
        if c.flags & (C_TRACKING_OPTIN | C_TRACKING_OPTOUT):
            if (c.flags & C_TRACKING_OPTIN != 0) != (c.flags & C_TRACKING_CACHING != 0):
                return 0
        keys_init(&keys, &self.engine.core.memory)
        try:
            command.keys.find(c.argv, c.argc, &keys)
            for i in range(keys.count):
                if not keys.items[i].flags & KEY_NOT_KEY:
                    self.note_reader(&c.argv[keys.items[i].position], c.id)
        finally:
            keys_free(&keys)
        return 0

    cdef int note_reader(self, Arg* key, int64_t id) except -1:
        cdef Account* account = &self.engine.core.memory
        cdef Slot* slot = table_slot_by(&self.keys, key.ptr, key.size, arg_hash(key), cached_key_of)
        cdef Cached* e
        cdef int64_t* ids
        cdef uint32_t at

        if slot is NULL:
            e = cached_new(account, key.ptr, key.size, FIRST_IDS)
            table_add(&self.keys, e, arg_hash(key))
        else:
            e = <Cached*>entry_of(slot[0])
        at = place_of(e, id)
        if likely(at < e.count and ids_of(e)[at] == id):
            return 0
        if e.count == e.room:
            e = self.make_room(slot, e)
            at = place_of(e, id)
        ids = ids_of(e)
        memmove(ids + at + 1, ids + at, (e.count - at) * sizeof(int64_t))
        ids[at] = id
        e.count += 1
        self.items += 1
        return 0

    cdef Cached* make_room(self, Slot* slot, Cached* e) except NULL:
        """Forget those who are gone; if that does not make much room, double it."""
        cdef Account* account = &self.engine.core.memory
        cdef int64_t* ids = ids_of(e)
        cdef Cached* larger
        cdef uint32_t living = 0
        cdef uint32_t i

        for i in range(e.count):
            if ids[i] in self.engine.clients:
                ids[living] = ids[i]
                living += 1
        self.items -= e.count - living
        e.count = living
        if living <= e.room // 2:
            return e
        larger = cached_new(account, name_of(e), e.key_size, <uint32_t>min(<uint64_t>e.room * 2, UINT32_MAX))
        memcpy(ids_of(larger), ids, living * sizeof(int64_t))
        larger.count = living
        slot_put(slot, larger)
        cached_free(account, e)
        return larger

    # --- what has changed -----------------------------------------------------------------

    cdef int key_changed(self, const char* key, size_t size, bint by_command) except -1:
        """A key is not what it was: tell those who have read it, and keep it for those who hear of its prefix."""
        cdef Client by = self.current if by_command else None

        if self.lengths:
            self.note_prefixes(key[:size], by)
        if table_count(&self.keys):
            self.tell_readers(key, size, by)
        return 0

    cdef int note_prefixes(self, bytes name, Client by) except -1:
        cdef Audience audience

        for length in self.lengths:
            if length > len(name):
                break
            audience = self.prefixes.get(name[:length])
            if audience is not None:
                # Who changed it is of no interest any more when there are several.
                audience.changed[name] = by if audience.changed.get(name, by) is by else None
                self.engine.queue_flush(self)
        return 0

    cdef int tell_readers(self, const char* key, size_t size, Client by) except -1:
        cdef Arg named
        cdef Cached* e
        cdef Client c
        cdef uint32_t i

        named.ptr = key
        named.size = size
        named.hash = 0
        e = <Cached*>table_remove(&self.keys, key, size, arg_hash(&named))
        if e is NULL:
            return 0
        try:
            self.items -= e.count
            for i in range(e.count):
                c = self.engine.clients.get(ids_of(e)[i])
                if c is None or not c.flags & C_TRACKING or c.flags & C_TRACKING_BCAST:
                    continue
                if c is by and c.flags & C_TRACKING_NOLOOP:
                    continue
                self.tell_key(c, name_of(e), size)
        finally:
            cached_free(&self.engine.core.memory, e)
        return 0

    cdef int all_changed(self) except -1:
        """The keys of a database go, or others come: at the end of the turn, all who track hear that nothing holds."""
        self.emptied += 1
        self.emptied_now = True
        self.clear()
        return self.engine.queue_flush(self)

    cdef int clear(self) except -1:
        """Forget who has read what."""
        cdef Forgotten garbage

        self.items = 0
        if table_count(&self.keys) == 0:
            return 0
        garbage = Forgotten.__new__(Forgotten)
        garbage.core, garbage.owner = &self.engine.core, self.engine
        garbage.keys = self.keys
        table_init(&self.keys, &self.engine.core.memory, cached_key_of)
        return self.engine.discard(garbage)

    cdef int limit(self) except -1:
        """Forget keys until there are no more than may be: before each command of those who track."""
        cdef Cached* e
        cdef bytes name
        cdef int _i

        for _i in range(FORGOTTEN_AT_ONCE):
            if not self.most or table_count(&self.keys) <= self.most:
                break
            e = <Cached*>table_random(&self.keys, &self.engine.core.random)
            name = name_of(e)[:e.key_size]
            self.tell_readers(name, len(name), None)
        return 0

    def cron(self):
        """Timer: the limit may be another one, or one command may have read many keys."""
        self.limit()

    # --- telling --------------------------------------------------------------------------

    cdef int flush(self) except -1:
        """The end of the turn: tell what was kept for it."""
        cdef Audience audience

        if self.emptied_now:
            self.emptied_now = False
            for c, mode in list(self.modes.items()):
                self.tell_emptied(c, mode)
        for prefix in sorted([prefix for prefix, audience in self.prefixes.items() if audience.changed]):
            audience = self.prefixes.get(prefix)
            if audience is None:
                continue            # who heard of it went when told of another
            changed, audience.changed = dict(sorted(audience.changed.items())), {}
            for c in list(audience.clients):
                self.tell_names(c, changed)
        return 0

    cdef Reply message(self, Client c):
        """Begin a message to who hears what c is to be told; what it says comes next. None: nobody does."""
        cdef Mode mode = self.modes.get(c)
        cdef Client hearer = c
        cdef Reply out

        if mode is None:            # it was closed while it was told of something else
            return None
        if mode.redirect:
            hearer = self.engine.clients.get(mode.redirect)
            if hearer is None:
                self.tell_broken(c, mode)
                return None
        if hearer.flags & C_GONE:
            return None
        if hearer.resp == 3:
            out = hearer.inbox()
            out.push(2)
            out.bulk(INVALIDATE, len(INVALIDATE))
        elif mode.redirect and hearer.flags & C_PUBSUB:
            out = hearer.inbox()
            out.push(3)
            out.bulk(b"message", 7)
            out.bulk(CHANNEL, len(CHANNEL))
        else:
            return None             # RESP2 has no messages that are no replies
        return out

    cdef int tell_broken(self, Client c, Mode mode) except -1:
        """The client that was to hear is gone."""
        cdef Reply out

        c.flags |= C_TRACKING_BROKEN
        if c.resp == 3 and not c.flags & C_GONE:
            out = c.inbox()
            out.push(2)
            out.bulk(BROKEN, len(BROKEN))
            out.integer(mode.redirect)
        return 0

    cdef int tell_key(self, Client c, const char* key, size_t size) except -1:
        cdef Reply out = self.message(c)

        if out is not None:
            out.array(1)
            out.bulk(key, size)
        return 0

    cdef int tell_names(self, Client c, dict changed) except -1:
        """Names that changed in this turn, but with NOLOOP for those that it has changed itself."""
        cdef bint noloop = c.flags & C_TRACKING_NOLOOP != 0
        cdef Reply out
        cdef bytes name
        cdef list names = [name for name, by in changed.items() if not noloop or by is not c]

        out = self.message(c) if names else None
        if out is not None:
            out.array(len(names))
            for name in names:
                out.bulk(name, len(name))
        return 0

    cdef int tell_emptied(self, Client c, Mode mode) except -1:
        """That no key is what it was, once a turn."""
        cdef Reply out

        if mode.emptied == self.emptied:
            return 0
        mode.emptied = self.emptied
        out = self.message(c)
        return out.null() if out is not None else 0
