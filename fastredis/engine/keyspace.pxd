# Database: one numbered keyspace; its table of entries and the heap of their TTLs.
#
#   keys (table)  --> Entry <-- expires (heap)          both point, the table owns
#                       |
#                       +---> Timed <-- part_expires (heap): values by the soonest deadline of a part (values/timed)
#
# lookup_read() and lookup_write() are the two ways to a key. Both remove a key whose time
# has come first (and tell the listener), stamp LRU or LFU; reading also counts hits and
# misses. peek() does none of that, for those who look without use.
# An Entry* is good until the next change of its key.
#
# Nobody else knows that there is a table or a heap: what has an underscore is this module's, though inline
# functions need it here. Others look up, walk (KeyWalk: everything, the table stands still; scan(): in steps,
# from a cursor), sample, prefetch and count by what follows. tests/test_source.py holds it.

cimport cython

from libc.stdint cimport int64_t, uint32_t, uint64_t

from fastredis._resp cimport Arg, arg_hash
from fastredis.ds.expire_heap cimport ExpireHeap, heap_index, heap_slot, heap_when
from fastredis.ds.native cimport prefetch, unlikely
from fastredis.ds.table cimport (
    AHEAD, Ahead, Slot, Table, Visit, ahead_take, entry_of, table_count, table_prefetch_bucket, table_prefetch_entry,
    table_slot_by,
)
from fastredis.engine.blessed cimport Blessed
from fastredis.engine.core cimport GATE_LOADING, Core
from fastredis.values.entry cimport Entry, entry_has_ttl, entry_key_of, entry_lru, entry_set_lru

cdef enum:
    NO_EXPIRE = -1
    LFU_INIT = 5                # access counter of a new key
    LFU_MAX = 255


cdef class Listener:
    """Who is told what happens to keys: the engine."""
    cdef int key_event(self, Database db, int event_class, const char* event, const char* key, size_t size) except -1
    cdef int key_expired(self, Database db, const char* key, size_t size) except -1
    cdef int parts_expired(self, Database db, int kind, const char* key, size_t size, list names,
                           bint deleted) except -1
    cdef int own_deadline(self, Database db, const char* key, size_t size) except -1
    cdef int discard(self, Garbage garbage) except -1
    cdef int before_change(self, Database db, Entry* e) noexcept
    cdef int before_leaving(self, Database db) noexcept


cdef class Garbage:
    """What left its database and waits to be freed, in slices."""
    cdef Core* core
    cdef Listener owner                 # keeps core alive
    cdef int64_t drain(self, int64_t steps) except -1
    cdef int64_t objects(self) noexcept


cdef class Detached(Garbage):
    """All entries of a database."""
    cdef Table _keys
    cdef ExpireHeap _expires
    cdef ExpireHeap _part_expires
    cdef Blessed _blessed
    cdef Database adopt(self, int index)


cdef class Orphan(Garbage):
    """One big value."""
    cdef Entry* e
    cdef bint counted                   # among the objects that INFO calls lazy


@cython.final
cdef class Database:
    cdef Core* core
    cdef Listener listener
    cdef readonly int index
    cdef Table _keys
    cdef ExpireHeap _expires
    cdef ExpireHeap _part_expires
    cdef Blessed blessed                # keys that eviction spares; None: there are none
    cdef dict watchers                  # key (bytes) -> Line of those who watch it (fastredis.engine.lines)
    cdef dict awaited                   # key (bytes) -> {name of a line: KeyLine} (see blocking.pxd)

    cdef Entry* lookup_read(self, Arg* key) except? NULL
    cdef Entry* lookup_write(self, Arg* key) except? NULL
    cdef Entry* live(self, Arg* key) except? NULL
    cdef int touch_rare(self, Entry* e) noexcept

    cdef Entry* set_string(self, Arg* key, const char* value, size_t size, bint keep_ttl) except NULL
    cdef Entry* store_int(self, Arg* key, Entry* e, int64_t value) except NULL
    cdef Entry* store_text(self, Arg* key, Entry* e, const char* text, size_t size) except NULL
    cdef Entry* put(self, Arg* key, Entry* e, Entry* fresh) except NULL
    cdef Entry* to_raw(self, Arg* key, Entry* e, size_t size) except NULL
    cdef Entry* add_raw(self, Arg* key, size_t size) except NULL
    cdef int add(self, Entry* e, uint64_t hash) except -1
    cdef int load(self, Entry* e, uint64_t hash, uint32_t lru) except -1
    cdef int replace(self, Arg* key, Entry* old, Entry* fresh, bint keep_ttl) except -1
    cdef bint delete(self, Arg* key, bint lazy) except -1
    cdef Entry* take(self, Arg* key) except? NULL
    cdef int release(self, Entry* e, bint lazy) except -1

    cdef int set_expire(self, Entry* e, int64_t when_ms) except -1
    cdef bint remove_expire(self, Entry* e) noexcept
    cdef int expire_entry(self, Entry* e) except -1
    cdef int64_t expire_due(self, int64_t until_us) except -1
    cdef int64_t soonest_ms(self) noexcept
    cdef int track_parts(self, Entry* e) except -1
    cdef bint expire_parts(self, Entry* e, int64_t until_us) except -1
    cdef int forget_parts(self, Entry* e) noexcept
    cdef bint parts_gone(self, Entry* e, list names, uint64_t count, bint anew) except -1

    cdef bint bless(self, Arg* key, Entry* e) except -1
    cdef bint unbless(self, Arg* key) except -1
    cdef int settle_blessing(self, Arg* key) except -1

    cdef Detached detach(self)
    cdef int swap(self, Database other) except -1
    cdef Entry* random(self) except? NULL
    cdef Entry* any(self, bint volatile_only) noexcept
    cdef int sample(self, bint volatile_only, int wanted, Visit visit, void* context) except -1
    cdef bint holds(self, const Entry* e, uint64_t hash) noexcept
    cdef Entry* soonest(self, int64_t* when_ms) noexcept
    cdef uint64_t scan(self, uint64_t cursor, Visit visit, void* context) except? 0xFFFFFFFFFFFFFFFF

    cdef int reserve(self, uint64_t keys) noexcept
    cdef void fix_size(self, bint fixed) noexcept
    cdef bint rehash(self, int buckets) noexcept
    cdef size_t table_memory(self) noexcept
    cdef size_t heap_memory(self) noexcept
    cdef size_t rehash_memory(self) noexcept
    cdef size_t share_memory(self, const Entry* e) noexcept
    cdef int64_t average_ttl(self) noexcept
    cdef str statistics(self, bint full)
    cdef int verify(self) except -1
    cdef int verify_blessed(self) except -1

    cdef inline Entry* peek(self, Arg* key) noexcept:
        """The entry as it lies there, expired or not; NULL when there is none."""
        cdef Slot* slot = table_slot_by(&self._keys, key.ptr, key.size, arg_hash(key), entry_key_of)
        return <Entry*>entry_of(slot[0]) if slot is not NULL else NULL

    cdef inline int touch(self, Entry* e) noexcept:
        """Stamp the entry as used."""
        if unlikely(self.core.lfu or self.core.no_touch):
            return self.touch_rare(e)
        if entry_lru(e) != self.core.lru_clock:
            entry_set_lru(e, self.core.lru_clock)
        return 0

    cdef inline bint is_expired(self, Entry* e) noexcept:
        """Whether its time has come; while data is loaded, none's has: the AOF's commands find what they found."""
        return (entry_has_ttl(e) and heap_when(&self._expires, e) < self.core.now_ms
                and not self.core.gate & GATE_LOADING)

    cdef inline void before_change(self, Entry* e) noexcept:
        """To be called before an entry, or its deadline, changes or goes: a snapshot or a COPY may need it as it is."""
        if unlikely((e.meta ^ self.core.epoch) & self.core.unsaved):
            self.listener.before_change(self, e)

    cdef inline int64_t when_ms(self, Entry* e) noexcept:
        """The entry's deadline in ms since the epoch, or NO_EXPIRE."""
        return heap_when(&self._expires, e) if entry_has_ttl(e) else NO_EXPIRE

    cdef inline uint64_t count(self) noexcept:
        return table_count(&self._keys)

    cdef inline uint64_t volatile_count(self) noexcept:
        """Keys with a deadline."""
        return self._expires.count

    cdef inline bint is_blessed(self, Arg* key) noexcept:
        return self.blessed is not None and self.blessed.find(key) is not NULL

    cdef inline uint64_t part_deadline_count(self) noexcept:
        """Values with deadlines of parts: hashes, sets."""
        return self._part_expires.count

    # Hints, in the order in which a batch gives them: first for all of its keys the one, then for all the next.

    cdef inline void prefetch_bucket(self, uint64_t hash) noexcept:
        table_prefetch_bucket(&self._keys, hash)

    cdef inline void prefetch_entry(self, uint64_t hash) noexcept:
        table_prefetch_entry(&self._keys, hash)

    cdef inline void prefetch_deadline(self, Entry* e) noexcept:
        if entry_has_ttl(e):
            prefetch(heap_slot(&self._expires, heap_index(&self._expires, e)[0]))


cdef struct KeyWalk:                    # over all keys of a database; nothing is removed until walk_end()
    Ahead ahead


cdef inline Entry* walk_next(KeyWalk* walk) noexcept:
    """The next entry, expired or not, which was asked for in advance; NULL: that was all."""
    return <Entry*>ahead_take(&walk.ahead)


cdef inline Entry* walk_coming(KeyWalk* walk) noexcept:
    """An entry that comes some steps later, and has arrived; NULL: none does."""
    return <Entry*>walk.ahead.ring[(walk.ahead.next + AHEAD // 2) & (AHEAD - 1)]


cdef void walk_begin(KeyWalk* walk, Database db) noexcept
cdef void walk_end(KeyWalk* walk) noexcept

cdef Database database_new(Core* core, Listener listener, int index)
# What the 24 LRU bits of entries mean: the access counter, decayed as is due, or for how long it was not used.
cdef uint32_t lfu_value(Core* core, const Entry* e) noexcept
cdef uint32_t idle_seconds(Core* core, const Entry* e) noexcept
# The bits of a new entry, and of one that comes with its use elsewhere: what is negative is not known.
cdef uint32_t new_lru(Core* core) noexcept
cdef uint32_t lru_of_use(Core* core, int64_t idle_s, int64_t frequency) noexcept
