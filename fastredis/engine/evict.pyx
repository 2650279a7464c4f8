"""Eviction of keys. The design comment is in evict.pxd."""
from operator import itemgetter

from libc.stdint cimport INT64_MAX
from libc.string cimport memmove

from fastredis._resp cimport Arg, arg_hash, arg_of
from fastredis.ds.native cimport likely, monotonic_us, unlikely
from fastredis.engine.core cimport LATENCY_US, NOTIFY_EVICTED, not_evictable
from fastredis.engine.engine cimport Session
from fastredis.engine.importing cimport GATE_IMPORT
from fastredis.engine.keyspace cimport LFU_MAX, idle_seconds, lfu_value
from fastredis.engine.slices cimport DONE, NOW, SLICE_US
from fastredis.engine.stamps cimport stamp_changes
from fastredis.values.entry cimport entry_has_ttl, entry_key

from fastredis.host.logs import NOTICE

cdef enum:
    EVICT_BATCH = 16                # keys between two looks at the clock
    TTL_SAMPLES = 16                # keys of which volatile-ttl takes the first where the very first is blessed
    TRIES = 10000                   # samples of nothing but blessed keys until there is nothing to evict
    SLICE_PER_TENACITY_US = 50      # maxmemory-eviction-tenacity up to 10


# The least recently modified are found like the least recently used, by stamps that tell something else.
cdef dict ORDERS = {"lru": ORDER_LRU, "lrm": ORDER_LRU, "lfu": ORDER_LFU, "random": ORDER_RANDOM, "ttl": ORDER_TTL}


cdef int sample_visit(void* context, void* entry) except -1:
    """Visit of table_sample: the context is a Sampling."""
    (<Evictor>(<Sampling*>context).evictor).offer(<Database>(<Sampling*>context).db, <Entry*>entry)
    return 0


cdef struct Sampling:
    void* evictor                   # Evictor
    void* db                        # Database


cdef int64_t slice_of(int tenacity) except -1:
    """Longest slice in microseconds, as Redis understands maxmemory-eviction-tenacity (0 to 100)."""
    if tenacity <= 10:
        return SLICE_PER_TENACITY_US * tenacity
    if tenacity < 100:
        return <int64_t>(500 * 1.15 ** (tenacity - 10))
    return INT64_MAX // 2


cdef Room evict_until(Evictor self, int64_t until) except? ROOM_NONE:
    """make_room(), up to a time (us, monotonic)."""
    cdef int64_t evicted = 0
    cdef int64_t start = 0
    cdef Entry* e
    cdef int db = 0

    while self.excess() > 0:
        if self.engine.garbage:
            start = monotonic_us()
            self.engine.free_until(until)       # what is evicted already counts until it is freed
            self.note("eviction-lazyfree", start)
        else:
            e = self.victim(&db)
            if e is NULL:
                return ROOM_NONE
            if unlikely(self.timed):
                start = monotonic_us()
            self.evict(self.engine.db(db), e)
            if unlikely(self.timed):
                self.note("eviction-del", start)
            evicted += 1
        if (evicted % EVICT_BATCH == 0 or self.engine.garbage) and monotonic_us() > until:
            self.go_on()
            return ROOM_RUNNING
    self.note_below()
    return ROOM_OK


cdef class Evictor:
    """Who makes room for one engine."""

    def __init__(self, Engine engine not None):
        self.engine = engine
        self.core = &engine.core
        self.what = "Evicting keys"

    def configure(self, config):
        """Take the settings over."""
        cdef str policy = config.maxmemory_policy

        self.order = ORDERS.get(policy.rpartition("-")[2], ORDER_NONE)
        self.volatile_only = policy.startswith("volatile-")
        stamp_changes(self.core, policy.endswith("-lrm"))
        self.spares_replica = config.replica_ignore_maxmemory
        self.lazy = config.lazyfree_lazy_eviction
        self.timed = config.latency_monitor_threshold > 0
        self.samples = config.maxmemory_samples
        self.slice_us = slice_of(config.maxmemory_eviction_tenacity)
        self.count = 0
        if self.excess() > 0:
            self.go_on()

    @property
    def by_use(self):
        """Whether the policy looks at when or how often a key was used; then Redis shares no integers."""
        return self.order == ORDER_LRU or self.order == ORDER_LFU

    @property
    def running_us(self):
        """How long memory has been above maxmemory."""
        if self.core.memory.used <= self.core.memory_limit:
            self.note_below()
        return monotonic_us() - self.above_since_us if self.above_since_us else 0

    cdef int64_t excess(self) except? -1:
        """Bytes above maxmemory.

        What waits for the disk or for replicas goes by itself, and so do messages; evictions only add to that.
        """
        cdef Core* core = self.core
        cdef int64_t excess

        if core.is_replica and self.spares_replica:
            return 0
        excess = core.memory.used - not_evictable(core) - core.memory_limit
        if excess > 0 and self.engine.flush_queue:
            for session in self.engine.flush_queue:
                excess -= (<Session>session).waiting_bytes()
        return excess

    cdef Room make_room(self) except? ROOM_NONE:
        """Evict until used_memory is within maxmemory, or the slice is over, or there is nothing to evict."""
        return self.make_room_until(INT64_MAX)

    cdef Room make_room_until(self, int64_t until_us) except? ROOM_NONE:
        """The same; the slice is over at that time (us, monotonic) if maxmemory-eviction-tenacity asks for no more."""
        cdef int64_t start
        cdef Room room = ROOM_NONE

        if self.excess() <= 0:
            self.note_below()
            return ROOM_OK
        start = monotonic_us()
        if self.above_since_us == 0:
            self.above_since_us = start
        try:
            room = evict_until(self, start + self.slice_us if self.slice_us > SLICE_US else
                               min(until_us, start + self.slice_us))
        except Exception:               # a key may be gone of which nobody has heard
            self.engine.fatal("Evicting keys failed with an exception")
        self.note("eviction-cycle", start)
        return room

    cdef int note(self, str event, int64_t start_us) except -1:
        """Tell the latency monitor of what began then."""
        cdef int64_t took_us = monotonic_us() - start_us

        if took_us >= LATENCY_US:
            self.engine.note_latency(event, took_us)
        return 0

    def note_below(self):
        """Memory is within maxmemory again."""
        if self.above_since_us:
            self.exceeded_us += monotonic_us() - self.above_since_us
            self.above_since_us = 0

    cdef int go_on(self) except -1:
        """Evict more in the background."""
        return self.engine.schedule(self, NOW)

    cdef int64_t step(self, int64_t until_us) except? -2:
        self.make_room_until(until_us)
        return DONE                 # in line again, if there is more to do

    def evict_clients(self):
        """maxmemory-clients is passed: close those with the largest buffers until it is not."""
        for size, client in sorted([(client.evictable_bytes(), client) for client in self.engine.clients.values()],
                                   key=itemgetter(0), reverse=True):
            if self.core.client_memory <= self.core.client_limit or not size:
                return
            self.engine.log.limited("client eviction", NOTICE, f"Evicting client: {self.engine.describe(client)}")
            self.core.evicted_clients += 1
            client.kill()

    # --- choice -------------------------------------------------------------------------

    cdef Entry* victim(self, int* db) except? NULL:
        """The key to go next, and in which database it is; NULL: there is none."""
        cdef Database each
        cdef Entry* e
        cdef bint any_keys
        cdef int _

        if self.order == ORDER_NONE or (self.core.gate & GATE_IMPORT and not self.core.is_replica):
            return NULL
        if self.order == ORDER_TTL:
            return self.soonest(db)
        if self.order == ORDER_RANDOM:
            return self.next_random(db)
        for _ in range(TRIES):
            any_keys = False
            for each in self.engine.databases:
                if self.evictable(each):
                    any_keys = True
                    self.fill(each)
            e = self.best(db)
            if e is not NULL or not any_keys:
                return e
        return NULL

    cdef uint64_t evictable(self, Database db) noexcept:
        """How many keys of a database may be evicted."""
        cdef uint64_t keys = db.volatile_count() if self.volatile_only else db.count()

        if unlikely(db.blessed is not None):
            keys -= db.blessed.timed if self.volatile_only else db.blessed.count()
        return keys

    cdef int fill(self, Database db) except -1:
        """Offer some keys of a database to the pool."""
        cdef Sampling sampling

        sampling.evictor = <void*>self
        sampling.db = <void*>db
        return db.sample(self.volatile_only, self.samples, sample_visit, &sampling)

    cdef uint64_t idle(self, Entry* e) noexcept:
        """How good a victim an entry is."""
        if self.order == ORDER_LFU:
            return LFU_MAX - lfu_value(self.core, e)
        return idle_seconds(self.core, e)

    cdef int offer(self, Database db, Entry* e) except -1:
        """Put an entry into the pool if it is better than the worst there, or there is room."""
        cdef uint64_t idle = self.idle(e)
        cdef Candidate* c
        cdef Arg key
        cdef int place = 0
        cdef int i

        if not self.may_go(db, e):
            return 0
        for i in range(self.count):
            if self.pool[i].e == e:
                return 0
            if self.pool[i].idle < idle:
                place = i + 1
        if self.count == POOL:
            if place == 0:
                return 0
            memmove(&self.pool[0], &self.pool[1], (place - 1) * sizeof(Candidate))
            place -= 1
        else:
            memmove(&self.pool[place + 1], &self.pool[place], (self.count - place) * sizeof(Candidate))
            self.count += 1
        key.ptr = entry_key(e)
        key.size = e.key_size
        key.hash = 0
        c = &self.pool[place]
        c.idle = idle
        c.e = e
        c.hash = arg_hash(&key)
        c.db = db.index
        return 0

    cdef Entry* best(self, int* db) except? NULL:
        """Take the best candidate that is still what it was out of the pool; NULL: there is none."""
        cdef Candidate* c
        cdef Database each

        while self.count:
            self.count -= 1
            c = &self.pool[self.count]
            each = self.engine.db(c.db)
            if each.holds(c.e, c.hash) and self.idle(c.e) >= c.idle and self.may_go(each, c.e):
                db[0] = c.db
                return c.e
        return NULL

    cdef Entry* next_random(self, int* db) except? NULL:
        """Any key, of the databases in turn."""
        cdef Database each
        cdef Entry* e
        cdef int databases = self.engine.database_count
        cdef int _

        for _ in range(databases):
            self.next_db = (self.next_db + 1) % databases
            each = self.engine.db(self.next_db)
            db[0] = self.next_db
            if self.evictable(each):
                e = self.any_of(each)
                if e is not NULL:
                    return e
        return NULL

    cdef bint may_go(self, Database db, Entry* e) noexcept:
        """Whether the policy lets a key go."""
        cdef Arg key

        if self.volatile_only and not entry_has_ttl(e):
            return False
        if likely(db.blessed is None):
            return True
        key.ptr = entry_key(e)
        key.size = e.key_size
        key.hash = 0
        return not db.is_blessed(&key)

    cdef Entry* any_of(self, Database db) noexcept:
        """Any key of a database that has some which may go; NULL: none was found."""
        cdef Entry* e
        cdef int _

        for _ in range(TRIES):
            e = db.any(self.volatile_only)
            if self.may_go(db, e):
                return e
        return NULL

    cdef Entry* soonest_of(self, Database db, int64_t* when_ms) noexcept:
        """The key of a database that expires first. If that is blessed: the first of some."""
        cdef Entry* e = db.soonest(when_ms)
        cdef Entry* first = NULL
        cdef int _

        if e is NULL or self.may_go(db, e):
            return e
        if self.evictable(db) == 0:
            return NULL
        for _ in range(max(self.samples, TTL_SAMPLES)):
            e = self.any_of(db)
            if e is not NULL and (first is NULL or db.when_ms(e) < when_ms[0]):
                first = e
                when_ms[0] = db.when_ms(e)
        return first

    cdef Entry* soonest(self, int* db) except? NULL:
        """The key of all databases that expires first."""
        cdef Database each
        cdef int64_t when_ms, first_ms = INT64_MAX
        cdef Entry* e
        cdef Entry* first = NULL

        for each in self.engine.databases:
            e = self.soonest_of(each, &when_ms)
            if e is not NULL and when_ms < first_ms:
                first_ms = when_ms
                first = e
                db[0] = each.index
        return first

    # --- the deed -------------------------------------------------------------------------

    cdef int evict(self, Database db, Entry* e) except -1:
        """Remove a key, and tell."""
        cdef bytes name = entry_key(e)[:e.key_size]
        cdef Arg key = arg_of(name)
        cdef Arg argv[2]

        db.delete(&key, self.lazy)
        self.core.evicted += 1
        argv[0] = arg_of(b"UNLINK" if self.lazy else b"DEL")
        argv[1] = key
        self.engine.propagate(db.index, argv, 2)
        if self.core.listeners:
            self.engine.key_changed(db, key.ptr, key.size, NOTIFY_EVICTED, b"evicted")
        return 0
