"""The structures of fastredis.ds as Python classes, for tests and measurements only."""
from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy, memset
from cpython.mem cimport PyObject_Free, PyObject_Malloc

from fastredis.ds.alloc cimport (
    PAGE, Account, mem_alloc, mem_calloc, mem_calloc_aligned, mem_fail_at, mem_free, mem_growth_possible, mem_map,
    mem_possible, mem_realloc, mem_slab_give, mem_slab_take, mem_unmap, same_size_class,
)
from fastredis.ds.expire_heap cimport (
    NOT_IN_HEAP, ExpireHeap, HeapSlot, heap_bytes, heap_clear, heap_drain, heap_init, heap_remove, heap_replace,
    heap_set, heap_top, heap_verify, heap_when,
)
from fastredis.ds.native cimport hash_bytes
from fastredis.ds.table cimport (
    Slot, Table, TableIter, entry_of, slot_put, table_add, table_bytes, table_clear, table_count, table_drain,
    table_find, table_holds, table_init, table_iter, table_iter_end, table_next, table_prefetch_bucket,
    table_prefetch_entry, table_random, table_rehash, table_remove, table_reserve, table_sample, table_scan,
    table_set_manual, table_slot, table_stats, table_verify,
)

cdef extern from *:
    """
    #include <stddef.h>
    #include <stdint.h>
    #include <time.h>

    typedef struct { uint32_t heap_index; uint32_t size; char bytes[]; } fr_probe_entry;

    static inline int64_t fr_probe_ns(void) {
        struct timespec t;
        clock_gettime(CLOCK_MONOTONIC, &t);
        return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
    }
    """
    ctypedef struct Entry "fr_probe_entry":
        uint32_t heap_index
        uint32_t size
        char* bytes
    int64_t now_ns "fr_probe_ns"() noexcept nogil

cdef enum:
    BATCH = 64


cdef Entry* entry_new(const char* key, size_t size) except NULL:
    cdef Entry* entry = <Entry*>PyObject_Malloc(sizeof(Entry) + size)

    if entry is NULL:
        raise MemoryError
    entry.heap_index = NOT_IN_HEAP
    entry.size = size
    memcpy(entry.bytes, key, size)
    return entry


cdef bytes entry_key(void* entry):
    return (<Entry*>entry).bytes[:(<Entry*>entry).size]


cdef int note_address(void* context, void* entry) except -1:
    """Visit of table_sample."""
    (<list>context).append(<size_t>entry)
    return 0


cdef uint64_t keys_read = 0


def read_count():
    """How many times any table here has read a key so far."""
    return keys_read


cdef void key_of(const void* entry, const char** key, size_t* size) noexcept:
    global keys_read

    keys_read += 1
    key[0] = (<Entry*>entry).bytes
    size[0] = (<Entry*>entry).size


cdef int append_key(void* context, void* entry) except -1:
    (<list>context).append(entry_key(entry))
    return 0


cdef int raise_error(void* context, void* entry) except -1:
    raise ValueError(entry_key(entry))


cdef int append_and_free(void* context, void* entry) except -1:
    append_key(context, entry)
    PyObject_Free(entry)
    return 0


cdef int just_free(void* context, void* entry) except -1:
    PyObject_Free(entry)
    return 0


def fail_allocation(int64_t n):
    """The n-th request for memory from now on fails; 0: none does. How many there were since the last call."""
    return mem_fail_at(n)


def is_possible(size_t size, old_size=None):
    """Whether there is memory for a block, or for one of old_size bytes to grow."""
    return mem_possible(size) if old_size is None else mem_growth_possible(old_size, size)


cdef class BlocksProbe:
    """Blocks of one account by number; each is filled with a byte of its own while it lives."""
    cdef Account account
    cdef dict blocks            # number -> (address, size, kind)
    cdef int last

    def __cinit__(self):
        self.blocks = {}

    @property
    def used(self):
        return self.account.used

    def take(self, size_t size, str kind="alloc"):
        """A new block; its number, and whether it came zeroed."""
        cdef char* block
        cdef size_t i
        cdef bint zeroed = True

        if kind == "alloc":
            block = <char*>mem_alloc(&self.account, size)
            memset(block, 0, size)
        elif kind == "calloc":
            block = <char*>mem_calloc(&self.account, size)
        elif kind == "slab":
            block = <char*>mem_slab_take(size)
            memset(block, 0, size)
        elif kind == "aligned":
            block = <char*>mem_calloc_aligned(&self.account, size)
            assert <size_t>block % 64 == 0
        else:
            block = <char*>mem_map(&self.account, size)
            assert <size_t>block % PAGE == 0
        for i in range(size):
            zeroed = zeroed and block[i] == 0
        self.last += 1
        memset(block, self.last & 0x7F, size)
        self.blocks[self.last] = (<size_t>block, size, kind)
        return self.last, zeroed

    def check(self, int number):
        """Bytes of the block that still have their value."""
        address, size, _ = self.blocks[number]
        cdef char* block = <char*><size_t>address
        cdef size_t i, end = size, same = 0

        for i in range(end):
            same += block[i] == (number & 0x7F)
        return same

    def address(self, int number):
        return self.blocks[number][0]

    def resize(self, int number, size_t size):
        """mem_realloc; how many bytes kept their value."""
        address, old_size, kind = self.blocks[number]
        cdef char* block = <char*>mem_realloc(&self.account, <void*><size_t>address, old_size, size)
        cdef size_t i, end = min(size, old_size), same = 0

        for i in range(end):
            same += block[i] == (number & 0x7F)
        memset(block, number & 0x7F, size)
        self.blocks[number] = (<size_t>block, size, kind)
        return same

    def give(self, int number):
        address, size, kind = self.blocks.pop(number)
        if kind == "map":
            mem_unmap(&self.account, <void*><size_t>address, size)
        elif kind == "slab":
            mem_slab_give(<void*><size_t>address)
        else:
            mem_free(&self.account, <void*><size_t>address, size)

    def give_slab_blocks(self, list numbers):
        """give() of blocks from slabs, without Python objects coming and going: for who measures memory meanwhile."""
        for number in numbers:
            mem_slab_give(<void*><size_t>self.blocks[number][0])

    def give_as(self, int number, size_t size):
        """A fault: give a block back with another size."""
        mem_free(&self.account, <void*><size_t>self.blocks.pop(number)[0], size)

    def write(self, size_t address, size_t offset):
        """Write a byte somewhere in a block, or beyond it, or where one was: a fault, then."""
        (<char*>address)[offset] = 1

    def give_front(self, int number, size_t size):
        """Unmap the first bytes of a mapped block."""
        address, old_size, kind = self.blocks[number]
        mem_unmap(&self.account, <void*><size_t>address, size)
        self.blocks[number] = (address + size, old_size - size, kind)


def size_class_is_same(size_t a, size_t b):
    return bool(same_size_class(a, b))


cdef class TableProbe:
    """A table of byte strings."""
    cdef Account account
    cdef Table table
    cdef uint64_t seed

    def __cinit__(self, uint64_t seed=1):
        table_init(&self.table, &self.account, key_of)
        self.seed = seed

    def __dealloc__(self):
        free_entries(&self.table)
        table_clear(&self.table)

    @property
    def account_used(self):
        return self.account.used

    @property
    def bytes(self):
        return table_bytes(&self.table)

    @property
    def buckets(self):
        return tuple(self.table.mask[i] + 1 if self.table.buckets[i] is not NULL else 0 for i in range(2))

    @property
    def used(self):
        return self.table.used[0], self.table.used[1]

    @property
    def chained(self):
        return self.table.chained[0] + self.table.chained[1]

    @property
    def rehash_index(self):
        return self.table.rehash_index

    @property
    def paused(self):
        return self.table.paused

    @paused.setter
    def paused(self, int value):
        self.table.paused = value

    @property
    def manual(self):
        return bool(self.table.manual)

    @manual.setter
    def manual(self, bint value):
        table_set_manual(&self.table, value)

    def __len__(self):
        return table_count(&self.table)

    def __contains__(self, bytes key):
        return table_find(&self.table, key, len(key), hash_bytes(<char*>key, len(key))) is not NULL

    def add(self, bytes key):
        cdef Entry* entry = entry_new(key, len(key))

        table_add(&self.table, entry, hash_bytes(<char*>key, len(key)))

    def remove(self, bytes key):
        cdef void* entry = table_remove(&self.table, key, len(key), hash_bytes(<char*>key, len(key)))

        if entry is NULL:
            return False
        assert entry_key(entry) == key
        PyObject_Free(entry)
        return True

    def move(self, bytes key):
        """Put a copy of the entry at another address into its slot."""
        cdef Slot* slot = table_slot(&self.table, key, len(key), hash_bytes(<char*>key, len(key)))
        cdef void* old

        if slot is NULL:
            return False
        old = entry_of(slot[0])
        slot_put(slot, entry_new(key, len(key)))
        PyObject_Free(old)
        return True

    def find_batch(self, keys):
        """Which of the keys are there, asked for as the server does it: prefetch, prefetch, find."""
        hashes = [hash_bytes(<char*>(<bytes>key), len(key)) for key in keys]
        for hash in hashes:
            table_prefetch_bucket(&self.table, hash)
        for hash in hashes:
            table_prefetch_entry(&self.table, hash)
        return [key in self for key in keys]

    def reserve(self, uint64_t entries):
        table_reserve(&self.table, entries)

    def rehash(self, int buckets):
        return bool(table_rehash(&self.table, buckets))

    def scan(self, uint64_t cursor):
        cdef list found = []

        cursor = table_scan(&self.table, cursor, append_key, <void*>found)
        return cursor, found

    def scan_raising(self, uint64_t cursor):
        return table_scan(&self.table, cursor, raise_error, NULL)

    def sample(self, int wanted):
        """table_sample -> keys; each entry seen must be one that table_holds says is there."""
        cdef list entries = []
        cdef size_t address
        cdef bytes key

        table_sample(&self.table, &self.seed, wanted, note_address, <void*>entries)
        for address in entries:
            key = entry_key(<void*>address)
            if not table_holds(&self.table, <void*>address, hash_bytes(<char*>key, len(key))):
                raise AssertionError(f"{key} is not held")
        return [entry_key(<void*>address) for address in entries]

    def holds_strangers(self):
        """Whether table_holds takes a pointer for an entry that is none."""
        cdef int stranger = 0

        return any([table_holds(&self.table, &stranger, hash) for hash in range(64)])

    def random(self):
        cdef void* entry = table_random(&self.table, &self.seed)

        return None if entry is NULL else entry_key(entry)

    def walk(self):
        return Walk(self)

    def drain(self, int64_t buckets):
        cdef list popped = []
        cdef int64_t left = table_drain(&self.table, buckets, append_and_free, <void*>popped)

        return left, popped

    def clear(self):
        free_entries(&self.table)
        table_clear(&self.table)

    def stats(self, bint full):
        return table_stats(&self.table, full)

    def verify(self):
        table_verify(&self.table)
        if table_bytes(&self.table) != <size_t>self.account.used:
            raise AssertionError(f"table_bytes {table_bytes(&self.table)}, account {self.account.used}")

    def break_tag(self, bytes key):
        """Damage for the test of verify(): another first byte in the entry's key."""
        (<Entry*>table_find(&self.table, key, len(key), hash_bytes(<char*>key, len(key)))).bytes[0] ^= 1


cdef void free_entries(Table* table) noexcept:
    cdef TableIter it
    cdef void* entry

    table_iter(&it, table)
    while True:
        entry = table_next(&it)
        if entry is NULL:
            break
        PyObject_Free(entry)
    it.table.paused -= 1    # not table_iter_end: nothing may look at the freed entries


cdef class Walk:
    """Iterator over a TableProbe; close() it."""
    cdef TableIter it
    cdef TableProbe probe

    def __cinit__(self, TableProbe probe):
        self.probe = probe
        table_iter(&self.it, &probe.table)

    def __iter__(self):
        return self

    def __next__(self):
        cdef void* entry = table_next(&self.it)

        if entry is NULL:
            raise StopIteration
        return entry_key(entry)

    def close(self):
        table_iter_end(&self.it)


cdef class HeapProbe:
    """An expire heap of numbered items."""
    cdef Account account
    cdef ExpireHeap heap
    cdef dict items             # number -> address

    def __cinit__(self):
        heap_init(&self.heap, &self.account, 0)
        self.items = {}

    def __dealloc__(self):
        heap_clear(&self.heap)
        for address in self.items.values():
            PyObject_Free(<void*><size_t>address)

    cdef void* item(self, bytes number) except NULL:
        if number not in self.items:
            self.items[number] = <size_t>entry_new(number, len(number))
        return <void*><size_t>self.items[number]

    @property
    def account_used(self):
        return self.account.used

    @property
    def chunks(self):
        return self.heap.chunk_count

    def __len__(self):
        return self.heap.count

    def set(self, bytes number, int64_t when_ms):
        heap_set(&self.heap, self.item(number), when_ms)

    def remove(self, bytes number):
        heap_remove(&self.heap, self.item(number))

    def move(self, bytes number):
        """Copy the item to another address, as a realloc may do."""
        cdef Entry* old = <Entry*>self.item(number)
        cdef Entry* new = entry_new(number, len(number))

        new.heap_index = old.heap_index
        self.items[number] = <size_t>new
        heap_replace(&self.heap, old, new)
        PyObject_Free(old)

    def when(self, bytes number):
        cdef Entry* entry = <Entry*>self.item(number)

        return heap_when(&self.heap, entry) if entry.heap_index != NOT_IN_HEAP else None

    def top(self):
        cdef HeapSlot* slot = heap_top(&self.heap)

        return None if slot is NULL else (slot.when_ms, entry_key(slot.item))

    def drain(self, uint32_t chunks):
        return bool(heap_drain(&self.heap, chunks))

    def clear(self):
        heap_clear(&self.heap)
        for address in self.items.values():
            PyObject_Free(<void*><size_t>address)
        self.items.clear()

    def verify(self):
        heap_verify(&self.heap)
        if heap_bytes(&self.heap) != <size_t>self.account.used:
            raise AssertionError(f"heap_bytes {heap_bytes(&self.heap)}, account {self.account.used}")

    def break_order(self):
        """Damage for the test of verify(): the top's deadline becomes the last of all."""
        heap_top(&self.heap).when_ms = 1 << 62


# ---------------------------------------------------------------- measurements

cdef inline uint64_t mix(uint64_t x) noexcept:
    x = (x ^ x >> 31) * <uint64_t>0x9E3779B97F4A7C15
    x = (x ^ x >> 29) * <uint64_t>0xBF58476D1CE4E5B9
    return x ^ x >> 32


cdef void make_key(char* key, uint64_t number) noexcept:
    """A 16-byte key: the number's hexadecimal digits."""
    cdef int i

    for i in range(16):
        key[i] = 97 + (number >> (4 * i) & 15)


cdef class Timer:
    """How long each of n operations takes, ns: the shortest of several identical rounds.

    What the operation itself needs comes back every round; what other processes and the
    kernel take from it does not.
    """
    cdef uint64_t n, at
    cdef uint32_t* shortest
    cdef int64_t start, total, rounds

    def __cinit__(self, uint64_t n):
        self.n = n
        self.shortest = <uint32_t*>malloc(n * sizeof(uint32_t))
        if self.shortest is NULL:
            raise MemoryError
        memset(self.shortest, 0xFF, n * sizeof(uint32_t))

    def __dealloc__(self):
        free(self.shortest)

    cdef void new_round(self) noexcept:
        self.at = 0
        self.rounds += 1

    cdef void begin(self) noexcept:
        self.start = now_ns()

    cdef void end(self) noexcept:
        cdef int64_t took = now_ns() - self.start

        self.total += took
        self.shortest[self.at] = min(self.shortest[self.at], <uint32_t>took)
        self.at += 1

    def report(self):
        cdef uint32_t longest = 0
        cdef uint64_t i, at = 0, over_50us = 0

        for i in range(self.at):
            over_50us += self.shortest[i] > 50000
            if self.shortest[i] > longest:
                longest = self.shortest[i]
                at = i
        return {"max_us": longest / 1000.0, "max_at": at, "over_50us": over_50us,
                "mean_ns": <double>self.total / max(self.at * self.rounds, 1)}


cdef double find_pass(Table* table, uint64_t n, uint64_t lookups, bint batched) except? -1:
    """ns per table_find of random present keys, hashing included."""
    cdef char keys[BATCH][16]
    cdef uint64_t hashes[BATCH]
    cdef uint64_t done = 0, found = 0
    cdef int i
    cdef int64_t start = now_ns()

    for done in range(0, lookups, BATCH):
        for i in range(BATCH):
            make_key(keys[i], mix(done + i) % n)
            hashes[i] = hash_bytes(keys[i], 16)
            if batched:
                table_prefetch_bucket(table, hashes[i])
        if batched:
            for i in range(BATCH):
                table_prefetch_entry(table, hashes[i])
        for i in range(BATCH):
            found += table_find(table, keys[i], 16, hashes[i]) is not NULL
    if found != done + BATCH:
        raise AssertionError(f"{found} found of {done + BATCH}")
    return <double>(now_ns() - start) / found


cdef double hash_pass(uint64_t n, uint64_t lookups) noexcept:
    """ns that find_pass spends on making and hashing its keys."""
    cdef char key[16]
    cdef uint64_t i, seen = 0
    cdef int64_t start = now_ns()

    for i in range(lookups):
        make_key(key, mix(i) % n)
        seen ^= hash_bytes(key, 16)
    return <double>(now_ns() - start) / lookups + <double>(seen & 1) * 1e-9


def measure_table(uint64_t n, uint64_t lookups=0, int rounds=3):
    """Add n 16-byte keys, find, remove them in another order; a dict of figures."""
    cdef TableProbe probe
    cdef Table* table
    cdef Timer adding = Timer(n), removing = Timer(n)
    cdef dict figures = {}

    for _ in range(rounds):
        probe = TableProbe()
        table = &probe.table
        add_keys(table, n, adding)
        figures["bytes_per_entry"] = <double>table_bytes(table) / n
        while table_rehash(table, 1000):
            pass
        if lookups:
            # The best of five, as other processes disturb.
            figures["key_and_hash_ns"] = min([hash_pass(n, lookups) for _ in range(5)])
            figures["find_ns"] = min([find_pass(table, n, lookups, False) for _ in range(5)])
            figures["find_batched_ns"] = min([find_pass(table, n, lookups, True) for _ in range(5)])
            figures["random_ns"] = random_pass(probe, lookups // 10)
            lookups = 0
        remove_keys(table, n, removing)
        while table_rehash(table, 1000):
            pass
        figures["bytes_left"] = probe.account.used
    return figures | {"add": adding.report(), "remove": removing.report()}


cdef int add_keys(Table* table, uint64_t n, Timer timer) except -1:
    cdef char key[16]
    cdef uint64_t i, hash
    cdef Entry* entry

    timer.new_round()
    for i in range(n):
        make_key(key, i)
        entry = entry_new(key, 16)
        hash = hash_bytes(key, 16)
        timer.begin()
        table_add(table, entry, hash)
        timer.end()
    return 0


cdef int remove_keys(Table* table, uint64_t n, Timer timer) except -1:
    """`n` is no multiple of 7919, so every key is removed."""
    cdef char key[16]
    cdef uint64_t i, hash
    cdef void* entry

    timer.new_round()
    for i in range(n):
        make_key(key, (i * 7919 + 13) % n)
        hash = hash_bytes(key, 16)
        timer.begin()
        entry = table_remove(table, key, 16, hash)
        timer.end()
        if entry is NULL:
            raise AssertionError("not found")
        PyObject_Free(entry)
    return 0


cdef double random_pass(TableProbe probe, uint64_t draws) noexcept:
    cdef size_t seen = 0
    cdef int64_t start = now_ns()

    for _ in range(draws):
        seen ^= <size_t>table_random(&probe.table, &probe.seed)
    return <double>(now_ns() - start) / draws + <double>(seen & 1)


def measure_drain(uint64_t n, int64_t buckets, int rounds=3):
    """Add n keys, then drain them in slices of so many buckets; the figures of a slice."""
    cdef TableProbe probe
    cdef Timer adding = Timer(n), draining = Timer(n)
    cdef int64_t left

    for _ in range(rounds):
        probe = TableProbe()
        add_keys(&probe.table, n, adding)
        draining.new_round()
        left = 1
        while left:
            draining.begin()
            left = table_drain(&probe.table, buckets, just_free, NULL)
            draining.end()
    return draining.report() | {"bytes_left": probe.account.used}


def measure_heap(uint64_t n, int rounds=3):
    """Set n random deadlines, move each once, pop them all in order; a dict of figures."""
    cdef ExpireHeap heap
    cdef Account account
    cdef Timer setting = Timer(n), moving = Timer(n), popping = Timer(n)
    cdef Entry* items = <Entry*>malloc(n * sizeof(Entry))
    cdef uint64_t i
    cdef double bytes_full = 0

    if items is NULL:
        raise MemoryError
    memset(&account, 0, sizeof(account))
    heap_init(&heap, &account, 0)
    for _ in range(rounds):
        setting.new_round()
        for i in range(n):
            items[i].heap_index = NOT_IN_HEAP
            setting.begin()
            heap_set(&heap, &items[i], mix(i) >> 24)
            setting.end()
        bytes_full = account.used
        moving.new_round()
        for i in range(n):
            moving.begin()
            heap_set(&heap, &items[(i * 7919 + 13) % n], mix(i + n) >> 24)
            moving.end()
        popping.new_round()
        pop_all(&heap, popping)
    free(items)
    return {"set": setting.report(), "move": moving.report(), "pop": popping.report(),
            "bytes_per_item": bytes_full / n, "bytes_left": account.used}


cdef int pop_all(ExpireHeap* heap, Timer timer) except -1:
    cdef HeapSlot* top
    cdef int64_t when, last = 0

    while heap.count:
        timer.begin()
        top = heap_top(heap)
        when = top.when_ms
        heap_remove(heap, top.item)
        timer.end()
        if when < last:
            raise AssertionError("out of order")
        last = when
    return 0
