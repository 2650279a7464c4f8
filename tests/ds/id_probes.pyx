"""The tree of fastredis.ds.id_tree as a Python class, for tests and measurements only."""
from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.time cimport clock

from fastredis.ds.alloc cimport Account
from fastredis.ds.id_tree cimport (
    IDT_NONE, Id, IdPlace, IdRelease, IdTree, idt_add, idt_bytes, idt_clear, idt_drain, idt_find, idt_first, idt_from,
    idt_from_before, idt_id, idt_init, idt_last, idt_next, idt_prev, idt_remove, idt_set, idt_up_to, idt_value,
    idt_verify, idt_weight_below,
)

cdef struct Value:
    int64_t time
    uint32_t weight
    uint32_t mark


cdef Id id_of(pair):
    return Id(pair[0], pair[1])


cdef void append_mark(void* context, void* value) noexcept:
    (<list>context).append((<Value*>value).mark)


cdef class IdTreeProbe:
    """Ids as pairs; values as (time, weight, mark), or (plain) none."""
    cdef Account account
    cdef IdTree tree
    cdef bint plain

    def __cinit__(self, bint plain=False):
        self.plain = plain
        if plain:
            idt_init(&self.tree, &self.account, 0, IDT_NONE, IDT_NONE)
        else:
            idt_init(&self.tree, &self.account, sizeof(Value), 8, 0)

    def __dealloc__(self):
        idt_clear(&self.tree, NULL, NULL)

    def __len__(self):
        return self.tree.count

    @property
    def weight(self):
        return self.tree.weight

    @property
    def used(self):
        return self.account.used

    @property
    def bytes(self):
        return idt_bytes(&self.tree)

    def verify(self):
        idt_verify(&self.tree)

    cdef entry(self, IdPlace at):
        cdef Value* value

        if at.leaf is NULL:
            return None
        if self.plain:
            return (idt_id(at).ms, idt_id(at).seq)
        value = <Value*>idt_value(&self.tree, at)
        return (idt_id(at).ms, idt_id(at).seq), (value.time, value.weight, value.mark)

    def add(self, id, value=(0, 1, 0)):
        cdef Value given = Value(value[0], value[1], value[2])

        return idt_add(&self.tree, id_of(id), &given)

    def set(self, id, value):
        cdef Value given = Value(value[0], value[1], value[2])

        idt_set(&self.tree, id_of(id), &given)

    def remove(self, id):
        """The value, or (plain) True; None: it is not there."""
        cdef Value value

        if not idt_remove(&self.tree, id_of(id), &value):
            return None
        if self.plain:
            return True
        return (value.time, value.weight, value.mark)

    def find(self, id):
        return self.entry(idt_find(&self.tree, id_of(id)))

    def first_from(self, id):
        return self.entry(idt_from(&self.tree, id_of(id)))

    def last_up_to(self, id):
        return self.entry(idt_up_to(&self.tree, id_of(id)))

    def first_before(self, id, int64_t time):
        return self.entry(idt_from_before(&self.tree, id_of(id), time))

    def weight_below(self, id):
        return idt_weight_below(&self.tree, id_of(id))

    def entries(self, bint reverse=False):
        cdef IdPlace at = idt_last(&self.tree) if reverse else idt_first(&self.tree)

        found = []
        while at.leaf is not NULL:
            found.append(self.entry(at))
            at = idt_prev(at) if reverse else idt_next(at)
        return found

    def drain(self, uint64_t leaves):
        """Ids left, and the marks of those that went."""
        cdef IdRelease release = append_mark
        gone = []

        if self.plain:
            release = NULL
        return idt_drain(&self.tree, leaves, release, <void*>gone), gone


def measure(uint64_t n, bint shuffled):
    """ns to add, find and remove an id: n of them, upwards or (shuffled) by steps through all of them."""
    cdef IdTreeProbe probe = IdTreeProbe()
    cdef Value value = Value(1, 1, 1)
    cdef uint64_t step = 7919 if shuffled else 1
    cdef uint64_t i, begin, added, found, there = 0

    begin = clock()
    for i in range(n):
        idt_add(&probe.tree, Id(1000 + i * step % n, 0), &value)
    added = clock()
    for i in range(n):
        there += idt_find(&probe.tree, Id(1000 + i * step % n, 0)).leaf is not NULL
    found = clock()
    size = probe.account.used / n
    for i in range(n):
        idt_remove(&probe.tree, Id(1000 + i * step % n, 0), NULL)
    return {"there": there / n, "add": 1e3 * (added - begin) / n, "find": 1e3 * (found - added) / n,
            "remove": 1e3 * (clock() - found) / n, "bytes": size}
