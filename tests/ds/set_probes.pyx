"""Sets and set algebra for Python: only for tests, never in a wheel."""
from libc.stdint cimport int64_t, uint8_t, uint64_t

from fastredis.ds.alloc cimport Account, mem_alloc, mem_free
from fastredis.ds.listpack cimport LpItem, lp_text
from fastredis.ds.numbers cimport INT64_TEXT
from fastredis.ds.table cimport table_rehash
from fastredis.values.entry cimport ENC_HASHTABLE, ENC_INTSET, ENC_LISTPACK, Entry, entry_encoding
from fastredis.values.limits cimport Limits
from fastredis.values.set_algebra cimport (
    Algebra, Batch, Collected, algebra_end, algebra_intersect, algebra_subtract, algebra_unite, collect_sink,
    collected_free, collected_set,
)
from fastredis.values.set_type cimport (
    SetIter, set_add, set_contains, set_copy, set_count, set_expect, set_iter, set_iter_end, set_new_for, set_next,
    set_random, set_remove, set_remove_item, set_table, set_to_intset, set_verify,
)
from fastredis.values.value cimport encoding_name, entry_drain, entry_free, entry_memory

cdef class Memory:
    """An account and the limits that several sets share."""
    cdef Account account
    cdef Limits limits
    cdef uint64_t seed

    def __init__(self, intset=512, listpack=128, value=64):
        self.limits.set_max_intset_entries = intset
        self.limits.set_max_listpack_entries = listpack
        self.limits.set_max_listpack_value = value

    @property
    def used(self):
        return self.account.used

    @property
    def limit(self):
        return self.limits.set_max_intset_entries, self.limits.set_max_listpack_entries, (
            self.limits.set_max_listpack_value)


cdef bytes item_bytes(const LpItem* item):
    cdef char[INT64_TEXT] digits
    cdef size_t size
    cdef const char* text = lp_text(item, digits, &size)

    return text[:size]


cdef class SetProbe:
    cdef readonly Memory memory
    cdef Entry* e

    @staticmethod
    def empty(Memory memory, bytes first, uint64_t members):
        """An empty set for so many members, of which this is the first."""
        cdef SetProbe probe = SetProbe()

        probe.memory = memory
        probe.e = set_new_for(&memory.account, &memory.limits, b"key", 3, first, len(first), members)
        return probe

    @staticmethod
    def of(Memory memory, members):
        """A set of these."""
        cdef SetProbe probe

        members = list(members)
        probe = SetProbe.empty(memory, members[0], len(members))
        for member in members:
            probe.add(member)
        return probe

    def __dealloc__(self):
        if self.e is not NULL:
            entry_free(&self.memory.account, self.e)

    def __len__(self):
        return set_count(self.e)

    @property
    def encoding(self):
        return encoding_name(self.e).decode()

    def expect(self, uint64_t members):
        set_expect(&self.memory.account, &self.memory.limits, self.e, members)

    def add(self, bytes member):
        return bool(set_add(&self.memory.account, &self.memory.limits, self.e, member, len(member), 0))

    def remove(self, bytes member):
        return bool(set_remove(&self.memory.account, self.e, member, len(member), 0))

    def contains(self, bytes member):
        return bool(set_contains(self.e, member, len(member), 0))

    def random(self):
        cdef LpItem item

        set_random(self.e, &self.memory.seed, &item, 0)
        return item_bytes(&item)

    def pop(self):
        cdef LpItem item
        cdef uint8_t* p = set_random(self.e, &self.memory.seed, &item, 0)
        member = item_bytes(&item)

        set_remove_item(&self.memory.account, self.e, &item, p)
        return member

    def members(self):
        """All, in the order of the walk."""
        cdef SetIter it
        cdef LpItem item
        cdef list found = []

        set_iter(&it, self.e)
        while set_next(&it, &item):
            found.append(item_bytes(&item))
        set_iter_end(&it)
        return found

    def to_intset(self):
        set_to_intset(&self.memory.account, &self.memory.limits, self.e)

    def copy(self):
        cdef SetProbe probe = SetProbe()

        probe.memory = self.memory
        probe.e = set_copy(&self.memory.account, self.e, b"copy", 4)
        return probe

    def settle(self):
        """End a rehash that is under way."""
        if entry_encoding(self.e) == ENC_HASHTABLE:
            table_rehash(set_table(self.e), 1 << 30)

    def drain(self, int64_t elements):
        """Free up to so many; how many are left. At 0 the set is gone."""
        cdef int64_t left = entry_drain(&self.memory.account, self.e, elements)

        if left == 0:
            self.e = NULL
        return left

    def bytes(self, int64_t samples=0):
        return entry_memory(self.e, samples)

    def verify(self):
        set_verify(self.e)


cdef class Job:
    """The arguments of an operation on several sets."""
    cdef Algebra algebra
    cdef Collected found
    cdef int count

    def __init__(self, Memory memory, list probes):
        cdef int i

        self.count = len(probes)
        self.found.account = &memory.account
        self.algebra.account = &memory.account
        self.algebra.count = self.count
        self.algebra.sink = collect_sink
        self.algebra.context = &self.found
        self.algebra.sets = <Entry**>mem_alloc(&memory.account, self.count * sizeof(Entry*))
        for i in range(self.count):
            self.algebra.sets[i] = (<SetProbe>probes[i]).e if probes[i] is not None else NULL

    def run(self, name):
        if name == "intersect":
            algebra_intersect(&self.algebra)
        elif name == "unite":
            algebra_unite(&self.algebra)
        else:
            algebra_subtract(&self.algebra)

    def members(self):
        return [item_bytes(&self.found.probes[i].item) for i in range(self.found.count)]

    def store(self, Memory memory, bint listpack):
        cdef SetProbe probe = SetProbe()

        probe.memory = memory
        probe.e = collected_set(&memory.account, &memory.limits, &self.found,
                                ENC_LISTPACK if listpack else ENC_INTSET, listpack, b"result", 6)
        return probe

    def end(self):
        algebra_end(&self.algebra)
        collected_free(&self.found)
        mem_free(self.algebra.account, self.algebra.sets, self.count * sizeof(Entry*))


cdef bint first_batch(void* context, Batch* batch) except -1:
    """Sink that has enough after one batch."""
    (<int64_t*>context)[0] += batch.count
    return True


def operate(Memory memory, name, list probes):
    """Members of the result, in its order, and a set of them."""
    job = Job(memory, probes)
    try:
        job.run(name)
        members = job.members()
        return members, [job.store(memory, listpack) for listpack in (False, True)] if members else []
    finally:
        job.end()


def operate_once(Memory memory, name, list probes):
    """How many members came before the sink had enough of one batch."""
    cdef Job job = Job(memory, probes)
    cdef int64_t members = 0

    job.algebra.sink = first_batch
    job.algebra.context = &members
    try:
        job.run(name)
    finally:
        job.end()
    return members
