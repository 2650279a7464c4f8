"""The keyspace: lookup, change, expiry. The design comment is in keyspace.pxd."""
cimport cython

from libc.stdint cimport INT64_MAX
from libc.string cimport memset

from fastredis._resp cimport arg_of
from fastredis.ds.alloc cimport Account
from fastredis.ds.expire_heap cimport (
    ROOT, HeapSlot, heap_bytes, heap_clear, heap_init, heap_remove, heap_replace, heap_set, heap_slot, heap_top,
    heap_verify,
)
from fastredis.ds.native cimport monotonic_us
from fastredis.ds.random cimport random64, random_below
from fastredis.ds.table cimport (
    SLOTS, Bucket, Slot, ahead_end, ahead_start, slot_put, table_add, table_bytes, table_drain, table_holds, table_init,
    table_random, table_rehash, table_remove, table_reserve, table_sample, table_scan, table_set_manual, table_slot_by,
    table_stats, table_verify,
)
from fastredis.engine.blessed cimport LISTEN_BLESSED, blessed_new
from fastredis.engine.core cimport AFTER_FEED, EVERY_CHANGE, NOTIFY_ADDED, NOTIFY_KEY_MISS, NOTIFY_NEW
from fastredis.engine.importing cimport sees_expired
from fastredis.values.entry cimport (
    ENC_RAW, NOT_IN_HEAP, entry_encoding, entry_key, entry_key_of, entry_lru, entry_may_be_timed, entry_set_epoch,
    entry_set_lru, entry_type,
)
from fastredis.values.string_type cimport (
    entry_raw, raw_data, string_new, string_new_int, string_new_raw, string_new_text, string_overwrite,
    string_overwrite_int, string_reserve, string_to_raw,
)
from fastredis.values.timed cimport NO_DEADLINE, DueVisit, Timed
from fastredis.values.value cimport (
    entry_count, entry_drain, entry_effort, entry_free, entry_remove_due, entry_soonest, entry_timed,
)

cdef enum:
    LRU_MASK = 0xFFFFFF             # the clock's 24 bits, seconds
    MOST_IDLE = LRU_MASK // 2       # seconds that the clock can tell from the future
    EXPIRE_BATCH = 16           # expired keys between two looks at the clock
    PARTS_BATCH = 64            # expired parts of a value between two
    RANDOM_TRIES = 100
    TTL_SAMPLES = 256           # deadlines that average_ttl() looks at
    LAZY_EFFORT = 64            # a value of more pieces is freed in slices where that is asked for (as in Redis)
    BIG_VALUE = 4096            # ... and one of more than these always


# LFU: the 24 bits are 16 of minutes (last decrement) and 8 of a logarithmic counter.
# Source: https://redis.io/docs/latest/develop/reference/eviction/

cdef inline uint32_t minutes(Core* core) noexcept:
    return <uint32_t>(core.now_ms // 60000) & 0xFFFF


cdef uint32_t lfu_value(Core* core, const Entry* e) noexcept:
    """The access counter after the decay that is due."""
    cdef uint32_t lru = entry_lru(e)
    cdef uint32_t counter = lru & 0xFF
    cdef uint32_t passed = (minutes(core) - (lru >> 8)) & 0xFFFF
    cdef uint32_t periods = passed // core.lfu_decay_minutes if core.lfu_decay_minutes else 0

    return counter - periods if periods < counter else 0


cdef uint32_t lfu_increment(Core* core, uint32_t counter) noexcept:
    cdef double base

    if counter >= LFU_MAX:
        return LFU_MAX
    base = counter - LFU_INIT if counter > LFU_INIT else 0
    if <double>(random64(&core.random) >> 11) / <double>(1 << 53) < 1.0 / (base * core.lfu_log_factor + 1):
        counter += 1
    return counter


cdef uint32_t new_lru(Core* core) noexcept:
    """What a new entry's 24 LRU bits are."""
    return minutes(core) << 8 | LFU_INIT if core.lfu else core.lru_clock


cdef uint32_t lru_of_use(Core* core, int64_t idle_s, int64_t frequency) noexcept:
    """What an entry's LRU bits are, from what is known of its use if that fits the policy."""
    if core.lfu and frequency >= 0:
        return minutes(core) << 8 | <uint32_t>frequency
    if not core.lfu and idle_s > 0:
        return (core.lru_clock - <uint32_t>min(idle_s, <int64_t>MOST_IDLE)) & LRU_MASK
    return new_lru(core)


cdef uint32_t idle_seconds(Core* core, const Entry* e) noexcept:
    return (core.lru_clock - entry_lru(e)) & LRU_MASK


cdef class Listener:
    cdef int key_event(self, Database db, int event_class, const char* event, const char* key, size_t size) except -1:
        return 0

    cdef int key_expired(self, Database db, const char* key, size_t size) except -1:
        return 0

    cdef int parts_expired(self, Database db, int kind, const char* key, size_t size, list names,
                           bint deleted) except -1:
        return 0

    cdef int own_deadline(self, Database db, const char* key, size_t size) except -1:
        return 0

    cdef int discard(self, Garbage garbage) except -1:
        return 0

    cdef int before_change(self, Database db, Entry* e) noexcept:
        return 0

    cdef int before_leaving(self, Database db) noexcept:
        """All entries of a database are about to leave it, as they are."""
        return 0


cdef int note_name(void* context, const char* field, size_t size) except -1:
    """DueVisit: the context is a list."""
    (<list>context).append(field[:size])
    return 0


cdef int free_visit(void* context, void* entry) except -1:
    """Visit of table_drain: the context is the Core."""
    entry_free(&(<Core*>context).memory, <Entry*>entry)
    return 0


cdef int put_aside_visit(void* context, void* entry) except -1:
    """Visit of table_drain: free a small value now, a big one later. The context is the Detached."""
    cdef Detached garbage = <Detached>context

    if entry_effort(<Entry*>entry) > BIG_VALUE:
        return garbage.owner.discard(orphan_new(garbage.core, garbage.owner, <Entry*>entry, False))
    entry_free(&garbage.core.memory, <Entry*>entry)
    return 0


cdef class Garbage:
    cdef int64_t drain(self, int64_t steps) except -1:
        """Free about as much as `steps` buckets of a table hold; returns 0 when all is freed."""
        return 0

    cdef int64_t objects(self) noexcept:
        """How many values wait to be freed, as INFO counts them."""
        return 0


# no_gc_clear, here and elsewhere: __dealloc__ gives memory back to the engine, which therefore has to be there still.
@cython.no_gc_clear
cdef class Detached(Garbage):
    def __dealloc__(self):
        if self.core is not NULL:
            table_drain(&self._keys, INT64_MAX, free_visit, self.core)
            heap_clear(&self._expires)
            heap_clear(&self._part_expires)

    cdef int64_t drain(self, int64_t steps) except -1:
        cdef int64_t left = table_drain(&self._keys, steps, put_aside_visit, <void*>self)

        if left == 0:
            heap_clear(&self._expires)
            heap_clear(&self._part_expires)
        return left

    cdef int64_t objects(self) noexcept:
        return table_count(&self._keys)

    cdef Database adopt(self, int index):
        """Put all of it into a new database, which nobody else knows."""
        cdef Database db = database_new(self.core, self.owner, index)

        db._keys, self._keys = self._keys, db._keys
        db._expires, self._expires = self._expires, db._expires
        db._part_expires, self._part_expires = self._part_expires, db._part_expires
        db.blessed, self._blessed = self._blessed, None
        return db


@cython.no_gc_clear
cdef class Orphan(Garbage):
    def __dealloc__(self):
        if self.e is not NULL:
            entry_free(&self.core.memory, self.e)

    cdef int64_t drain(self, int64_t steps) except -1:
        cdef int64_t left = entry_drain(&self.core.memory, self.e, steps * SLOTS)

        if left == 0:
            self.e = NULL
        return left

    cdef int64_t objects(self) noexcept:
        return self.counted and self.e is not NULL


cdef Orphan orphan_new(Core* core, Listener owner, Entry* e, bint counted):
    """An entry that is in no database any more, to be freed in slices."""
    cdef Orphan garbage = Orphan()

    garbage.core = core
    garbage.owner = owner
    garbage.e = e
    garbage.counted = counted
    return garbage


@cython.no_gc_clear
cdef class Database:
    def __dealloc__(self):
        if self.core is not NULL:
            table_drain(&self._keys, INT64_MAX, free_visit, self.core)
            heap_clear(&self._expires)
            heap_clear(&self._part_expires)

    # --- lookup ---------------------------------------------------------------------

    cdef int touch_rare(self, Entry* e) noexcept:
        """The rare half of touch(): with an LFU policy, or by a client that leaves no trace."""
        if not self.core.no_touch:
            entry_set_lru(e, minutes(self.core) << 8 | lfu_increment(self.core, lfu_value(self.core, e)))
        return 0

    cdef Entry* live(self, Arg* key) except? NULL:
        """The entry unless its time has come; such a key is removed first. Nothing is stamped or counted."""
        cdef Entry* e = self.peek(key)

        if e is not NULL and self.is_expired(e):
            if self.core.expire_on_access:
                self.expire_entry(e)
            elif sees_expired(self.core):
                return e                # who sent the command will say when it goes
            return NULL
        return e

    cdef Entry* lookup_read(self, Arg* key) except? NULL:
        """The key's entry for reading, or NULL: counts a hit or a miss, stamps LRU or LFU."""
        cdef Entry* e = self.live(key)

        if e is NULL:
            self.core.misses += 1
            if self.core.listeners:
                self.listener.key_event(self, NOTIFY_KEY_MISS, b"keymiss", key.ptr, key.size)
            return NULL
        self.core.hits += 1
        self.touch(e)
        return e

    cdef Entry* lookup_write(self, Arg* key) except? NULL:
        """The key's entry for changing, or NULL. After the change the handler calls client.modified()."""
        cdef Entry* e = self.live(key)

        if e is not NULL:
            self.before_change(e)
            self.touch(e)
        elif not self.core.expire_on_access:
            # A key whose time has come still lies there: what is written in its place must not stand beside it.
            e = self.peek(key)
            if e is not NULL:
                self.expire_entry(e)
            return NULL
        return e

    # --- change ---------------------------------------------------------------------

    cdef int add(self, Entry* e, uint64_t hash) except -1:
        """Put a new entry in; its key is not there yet. The entry belongs to the database from now on."""
        self.load(e, hash, new_lru(self.core))
        if self.core.listeners:
            self.listener.key_event(self, NOTIFY_NEW, b"new", entry_key(e), e.key_size)
        return 0

    cdef int load(self, Entry* e, uint64_t hash, uint32_t lru) except -1:
        """add() for who fills a database from a file: it is no event, and lru says when the key was used."""
        table_add(&self._keys, e, hash)
        entry_set_lru(e, lru)
        entry_set_epoch(e, self.core.epoch)
        if entry_may_be_timed(e):
            self.track_parts(e)
        if unlikely(self.core.unsaved & EVERY_CHANGE):
            self.listener.key_event(self, NOTIFY_ADDED, b"", entry_key(e), e.key_size)
        return 0

    cdef int replace(self, Arg* key, Entry* old, Entry* fresh, bint keep_ttl) except -1:
        """Put a new entry in the place of the key's old one, which is freed."""
        cdef Slot* slot = table_slot_by(&self._keys, key.ptr, key.size, arg_hash(key), entry_key_of)

        self.before_change(old)
        slot_put(slot, fresh)
        fresh.heap_index = NOT_IN_HEAP
        if entry_has_ttl(old):
            if keep_ttl:
                fresh.heap_index = old.heap_index
                heap_replace(&self._expires, old, fresh)
            else:
                heap_remove(&self._expires, old)
        entry_set_lru(fresh, entry_lru(old))
        entry_set_epoch(fresh, self.core.epoch)
        if entry_may_be_timed(old):
            self.forget_parts(old)
        if entry_may_be_timed(fresh):
            self.track_parts(fresh)
        self.release(old, self.core.lazy_server_del)
        return 0

    cdef Entry* set_string(self, Arg* key, const char* value, size_t size, bint keep_ttl) except NULL:
        """SET: the key gets a string value, whatever it was before."""
        cdef Account* account = &self.core.memory
        cdef Entry* e = self.lookup_write(key)
        cdef Entry* fresh

        if e is not NULL:
            if string_overwrite(account, e, value, size):
                if not keep_ttl:
                    self.remove_expire(e)
                return e
            fresh = string_new(account, key.ptr, key.size, value, size)
            self.replace(key, e, fresh, keep_ttl)
            return fresh
        fresh = string_new(account, key.ptr, key.size, value, size)
        self.add(fresh, arg_hash(key))
        return fresh

    cdef Entry* store_int(self, Arg* key, Entry* e, int64_t value) except NULL:
        """Make an integer the value of a string entry just looked up, or of a new key when e is NULL; keeps the TTL."""
        cdef Entry* fresh

        if e is not NULL and string_overwrite_int(e, value):
            return e
        fresh = string_new_int(&self.core.memory, key.ptr, key.size, value)
        return self.put(key, e, fresh)

    cdef Entry* store_text(self, Arg* key, Entry* e, const char* text, size_t size) except NULL:
        """The same for text that stays text (encoding embstr or raw) even if it reads as an integer."""
        return self.put(key, e, string_new_text(&self.core.memory, key.ptr, key.size, text, size))

    cdef Entry* put(self, Arg* key, Entry* e, Entry* fresh) except NULL:
        """Put a new entry in the place of the one just looked up, whose TTL it takes over, or in a free one."""
        if e is not NULL:
            self.replace(key, e, fresh, True)
        else:
            self.add(fresh, arg_hash(key))
        return fresh

    cdef Entry* to_raw(self, Arg* key, Entry* e, size_t size) except NULL:
        """Make the key's string changeable in place, at least `size` bytes long, padded with zeros; keeps the TTL."""
        cdef Entry* fresh

        if entry_encoding(e) == ENC_RAW:
            string_reserve(&self.core.memory, e, size)
            return e
        fresh = string_to_raw(&self.core.memory, e, size)
        self.replace(key, e, fresh, True)
        return fresh

    cdef Entry* add_raw(self, Arg* key, size_t size) except NULL:
        """A new key whose string is `size` zero bytes, changeable in place."""
        cdef Entry* e = string_new_raw(&self.core.memory, key.ptr, key.size, size)

        memset(raw_data(entry_raw(e)), 0, size)
        self.add(e, arg_hash(key))
        return e

    cdef Entry* take(self, Arg* key) except? NULL:
        """Take the entry out of the database, TTL and all; the caller owns it. NULL when there is none."""
        cdef Entry* e = <Entry*>table_remove(&self._keys, key.ptr, key.size, arg_hash(key))

        if e is NULL:
            return NULL
        self.before_change(e)
        if entry_has_ttl(e):
            heap_remove(&self._expires, e)
            e.heap_index = NOT_IN_HEAP
        if entry_may_be_timed(e):
            self.forget_parts(e)
        return e

    cdef bint delete(self, Arg* key, bint lazy) except -1:
        """Remove a key; False when there is none. lazy: a big value is freed later, in slices."""
        cdef Entry* e = self.take(key)

        if e is NULL:
            return False
        self.release(e, lazy)
        return True

    cdef int release(self, Entry* e, bint lazy) except -1:
        """Free an entry that is in the database no more: a big value in slices, whether lazy was asked for or not."""
        cdef int64_t effort = entry_effort(e)

        if effort > BIG_VALUE or (lazy and effort > LAZY_EFFORT):
            return self.listener.discard(orphan_new(self.core, self.listener, e, lazy))
        entry_free(&self.core.memory, e)
        return 0

    # --- expiry ---------------------------------------------------------------------

    cdef int set_expire(self, Entry* e, int64_t when_ms) except -1:
        """Give the entry a deadline, ms since the epoch, or another one."""
        self.before_change(e)
        heap_set(&self._expires, e, when_ms)
        if when_ms < self.core.armed_ms:
            self.core.rearm = True
        if unlikely(self.core.takes_writes) and not self.core.obeying:
            self.listener.own_deadline(self, entry_key(e), e.key_size)     # no master will say when it goes
        return 0

    cdef bint remove_expire(self, Entry* e) noexcept:
        """Take the entry's deadline away; False when it had none."""
        if not entry_has_ttl(e):
            return False
        self.before_change(e)
        heap_remove(&self._expires, e)
        e.heap_index = NOT_IN_HEAP
        return True

    cdef int expire_entry(self, Entry* e) except -1:
        """Remove an entry whose time has come, and tell."""
        cdef Arg key
        cdef Entry* taken

        key.ptr = entry_key(e)
        key.size = e.key_size
        key.hash = 0
        taken = self.take(&key)
        self.core.expired += 1
        try:
            self.listener.key_expired(self, entry_key(taken), taken.key_size)
            self.release(taken, self.core.lazy_expire)
        except Exception:
            self.listener.fatal("What expired could not be told")
        return 0

    cdef int64_t expire_due(self, int64_t until_us) except -1:
        """Remove the keys and the parts that are due, the soonest first, until the monotonic clock says until_us.

        Returns how many keys went, and how often parts of one.
        """
        cdef int64_t now_ms = self.core.now_ms
        cdef int64_t gone = 0
        cdef HeapSlot* key
        cdef HeapSlot* parts

        while True:
            key = heap_top(&self._expires)
            parts = heap_top(&self._part_expires)
            if key is not NULL and key.when_ms < now_ms and (parts is NULL or key.when_ms <= parts.when_ms):
                self.expire_entry(<Entry*>key.item)
                parts = NULL
            elif parts is not NULL and parts.when_ms < now_ms:
                self.expire_parts((<Timed*>parts.item).entry, until_us)
            else:
                return gone
            gone += 1
            if (parts is not NULL or gone % EXPIRE_BATCH == 0) and monotonic_us() > until_us:
                return gone

    cdef int64_t soonest_ms(self) noexcept:
        """The soonest deadline of a key or a part; INT64_MAX: there is none."""
        cdef int64_t soonest = INT64_MAX

        if heap_top(&self._expires) is not NULL:
            soonest = heap_top(&self._expires).when_ms
        if heap_top(&self._part_expires) is not NULL:
            soonest = min(soonest, heap_top(&self._part_expires).when_ms)
        return soonest

    # --- fields of hashes and members of sets that expire -------------------------------

    cdef int track_parts(self, Entry* e) except -1:
        """Note when the first part of a value is due, after any of its deadlines may have changed."""
        cdef Timed* ttl = entry_timed(e)
        cdef int64_t when_ms

        if ttl is NULL:
            return 0
        when_ms = entry_soonest(e)
        if when_ms == NO_DEADLINE:
            heap_remove(&self._part_expires, ttl)
            return 0
        ttl.entry = e
        if ttl.heap_index == NOT_IN_HEAP or heap_when(&self._part_expires, ttl) != when_ms:
            heap_set(&self._part_expires, ttl, when_ms)
            if when_ms < self.core.armed_ms:
                self.core.rearm = True
        return 0

    cdef int forget_parts(self, Entry* e) noexcept:
        """A value leaves the database, with the deadlines of its parts."""
        cdef Timed* ttl = entry_timed(e)

        if ttl is not NULL:
            heap_remove(&self._part_expires, ttl)
        return 0

    cdef bint expire_parts(self, Entry* e, int64_t until_us) except -1:
        """Remove a value's parts whose time has come, until the clock says until_us. Whether the key went with them."""
        cdef list names = [] if self.core.after_call & AFTER_FEED else None
        cdef uint64_t gone = 0
        cdef uint64_t some = PARTS_BATCH
        cdef DueVisit visit = NULL

        if names is not None:
            visit = note_name
        self.before_change(e)
        try:
            while some == PARTS_BATCH and (gone == 0 or monotonic_us() <= until_us):
                some = entry_remove_due(&self.core.memory, e, self.core.now_ms, PARTS_BATCH, visit, <void*>names)
                gone += some
            return self.parts_gone(e, names, gone, False) if gone else False
        except Exception:
            self.listener.fatal("What expired could not be told")

    cdef bint parts_gone(self, Entry* e, list names, uint64_t count, bint anew) except -1:
        """Parts of a value have expired and were removed: tell, and remove the key if it has none left.

        names: of the parts, None when nobody takes what is propagated. anew: a command is about to make the key
        again, so that its end is no event. Returns whether the key went.
        """
        cdef Arg key

        self.core.expired_parts += count
        self.track_parts(e)
        if entry_count(e):
            self.listener.parts_expired(self, entry_type(e), entry_key(e), e.key_size, names, False)
            return False
        key.ptr = entry_key(e)
        key.size = e.key_size
        key.hash = 0
        self.take(&key)
        try:
            self.listener.parts_expired(self, entry_type(e), key.ptr, key.size, names, not anew)
        finally:
            self.release(e, False)
        return True

    # --- what eviction spares (engine/blessed) ------------------------------------------

    cdef bint bless(self, Arg* key, Entry* e) except -1:
        """Let eviction spare a key, which is there; False: it does so already."""
        if self.blessed is None:
            self.blessed = blessed_new(&self.core.memory, self.listener)
            self.core.listeners |= LISTEN_BLESSED
        return self.blessed.add(key, entry_has_ttl(e))

    cdef bint unbless(self, Arg* key) except -1:
        """Let eviction have a key again; False: it does so already."""
        if self.blessed is None or not self.blessed.remove(key):
            return False
        if self.blessed.count() == 0:
            self.blessed = None
        return True

    cdef int settle_blessing(self, Arg* key) except -1:
        """Something has happened to a key that may be blessed: it may be gone, or have a deadline now."""
        cdef Entry* e = self.peek(key)

        if e is NULL:
            self.unbless(key)
        elif self.blessed is not None:
            self.blessed.set_timed(key, entry_has_ttl(e))
        return 0

    # --- the whole of it --------------------------------------------------------------

    cdef Detached detach(self):
        """Empty the database; returns what was in it, to be freed at once or in slices."""
        cdef Detached garbage = Detached()

        self.listener.before_leaving(self)
        garbage.core = self.core
        garbage.owner = self.listener
        garbage._keys = self._keys
        garbage._expires = self._expires
        garbage._part_expires = self._part_expires
        garbage._blessed = self.blessed
        database_reset(self)
        return garbage

    cdef int swap(self, Database other) except -1:
        """Exchange the data of two databases; who watches stays with the number."""
        self.listener.before_leaving(self)
        self.listener.before_leaving(other)
        self._keys, other._keys = other._keys, self._keys
        self._expires, other._expires = other._expires, self._expires
        self._part_expires, other._part_expires = other._part_expires, self._part_expires
        self.blessed, other.blessed = other.blessed, self.blessed
        return 0

    # --- samples and steps --------------------------------------------------------------

    cdef Entry* random(self) except? NULL:
        """A live entry, each with the same chance; NULL when there is none."""
        cdef Entry* e
        cdef int tries = 0
        cdef bint all_volatile = self._expires.count == self.count()

        while self.count():
            e = <Entry*>table_random(&self._keys, &self.core.random)
            if not self.is_expired(e) or sees_expired(self.core):
                return e
            tries += 1
            if not self.core.expire_on_access and all_volatile and tries > RANDOM_TRIES:
                return e            # a replica may not remove: better an expired key than none
            if self.core.expire_on_access:
                self.expire_entry(e)
        return NULL

    cdef Entry* any(self, bint volatile_only) noexcept:
        """A key, expired or not, of those with a deadline if volatile_only; the caller knows that there is one."""
        if volatile_only:
            return <Entry*>heap_slot(&self._expires, ROOT + <uint32_t>random_below(&self.core.random,
                                                                                   self._expires.count)).item
        return <Entry*>table_random(&self._keys, &self.core.random)

    cdef int sample(self, bint volatile_only, int wanted, Visit visit, void* context) except -1:
        """Visit about `wanted` keys, some perhaps twice; see any()."""
        cdef int _

        if not volatile_only:
            return table_sample(&self._keys, &self.core.random, wanted, visit, context)
        for _ in range(wanted):
            visit(context, self.any(True))
        return 0

    cdef bint holds(self, const Entry* e, uint64_t hash) noexcept:
        """Whether the entry, which may have been freed long ago, is here; it is not read."""
        return table_holds(&self._keys, e, hash)

    cdef Entry* soonest(self, int64_t* when_ms) noexcept:
        """The key that expires first, and when; NULL: none does."""
        cdef HeapSlot* top = heap_top(&self._expires)

        if top is NULL:
            return NULL
        when_ms[0] = top.when_ms
        return <Entry*>top.item

    cdef uint64_t scan(self, uint64_t cursor, Visit visit, void* context) except? 0xFFFFFFFFFFFFFFFF:
        """Visit the keys at a cursor, 0 to begin with; returns the next one, 0: that was the end.

        What is there all the time is visited, some of it perhaps twice, whatever changes between the steps.
        """
        return table_scan(&self._keys, cursor, visit, context)

    # --- size and memory ------------------------------------------------------------------

    cdef int reserve(self, uint64_t keys) noexcept:
        """Make room for so many keys at once."""
        return table_reserve(&self._keys, keys)

    cdef void fix_size(self, bint fixed) noexcept:
        """Keep the size as far as possible, or no longer."""
        table_set_manual(&self._keys, fixed)

    cdef bint rehash(self, int buckets) noexcept:
        """Go on with a rehash for some buckets; False when none is under way."""
        if self._keys.rehash_index < 0:
            return False
        table_rehash(&self._keys, buckets)
        return True

    cdef size_t table_memory(self) noexcept:
        """Bytes, without the entries."""
        return table_bytes(&self._keys)

    cdef size_t heap_memory(self) noexcept:
        """Bytes that deadlines take."""
        return heap_bytes(&self._expires) + heap_bytes(&self._part_expires)

    cdef size_t rehash_memory(self) noexcept:
        """Bytes, of the table's, that the rehash under way will give back."""
        return (self._keys.mask[0] + 1) * sizeof(Bucket) if self._keys.rehash_index >= 0 else 0

    cdef size_t share_memory(self, const Entry* e) noexcept:
        """An entry's share of the bytes above."""
        cdef size_t share = table_bytes(&self._keys) // self.count()

        return share + heap_bytes(&self._expires) // self._expires.count if entry_has_ttl(e) else share

    cdef int64_t average_ttl(self) noexcept:
        """Mean ms to the deadlines, of evenly spaced places in the heap; exact up to TTL_SAMPLES keys."""
        cdef ExpireHeap* heap = &self._expires
        cdef uint32_t samples = min(heap.count, <uint32_t>TTL_SAMPLES)
        cdef uint32_t i
        cdef int64_t when_ms
        cdef double total = 0

        for i in range(samples):
            when_ms = heap_slot(heap, ROOT + <uint32_t>(<uint64_t>i * heap.count // samples)).when_ms
            total += max(0, when_ms - self.core.now_ms)
        return <int64_t>(total / samples) if samples else 0

    cdef str statistics(self, bint full):
        """The text of DEBUG HTSTATS."""
        return (f"[Dictionary HT]\n{table_stats(&self._keys, full)}"
                f"[Expires HT]\nExpire heap stats:\n number of elements: {self._expires.count}\n"
                f" bytes: {heap_bytes(&self._expires)}\n")

    cdef int verify(self) except -1:
        """Walk through the memory of table and heaps; AssertionError where something is wrong."""
        table_verify(&self._keys)
        heap_verify(&self._expires)
        heap_verify(&self._part_expires)
        return self.verify_blessed() if self.blessed is not None else 0

    cdef int verify_blessed(self) except -1:
        cdef Arg key
        cdef Entry* e
        cdef bytes name
        cdef uint64_t timed = 0

        for name in self.blessed:
            key = arg_of(name)
            e = self.peek(&key)
            assert e is not NULL, f"{name} is blessed, and gone"
            timed += entry_has_ttl(e)
        assert timed == self.blessed.timed, f"{self.blessed.timed} blessed keys with a deadline, {timed} found"
        return 0


cdef void walk_begin(KeyWalk* walk, Database db) noexcept:
    ahead_start(&walk.ahead, &db._keys)


cdef void walk_end(KeyWalk* walk) noexcept:
    ahead_end(&walk.ahead)


cdef int database_reset(Database db) except -1:
    cdef Entry any
    cdef Timed any_value

    table_init(&db._keys, &db.core.memory, entry_key_of)
    db._keys.manual = db.core.fixed_tables != 0
    heap_init(&db._expires, &db.core.memory, <char*>&any.heap_index - <char*>&any)
    heap_init(&db._part_expires, &db.core.memory, <char*>&any_value.heap_index - <char*>&any_value)
    db.blessed = None
    return 0


cdef Database database_new(Core* core, Listener listener, int index):
    """A new, empty database."""
    cdef Database db = Database()

    db.core = core
    db.listener = listener
    db.index = index
    db.watchers = {}
    db.awaited = {}
    database_reset(db)
    return db
