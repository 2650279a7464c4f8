"""Streams of fastredis.values as a Python class, for tests only."""
from libc.stdint cimport int64_t, uint64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memset

from fastredis.ds.alloc cimport Account
from fastredis.ds.id_tree cimport Id, IdPlace, idt_first, idt_from_before, idt_id, idt_next, idt_value
from fastredis.ds.listpack cimport LpItem, lp_text
from fastredis.ds.numbers cimport INT64_TEXT
from fastredis.values.entry cimport Entry
from fastredis.values.limits cimport Limits
from fastredis.values.stream_group cimport (
    Consumer, Group, Pending, consumer_add, consumer_find, consumer_name, consumer_remove, group_add, group_at,
    group_find, group_name, group_remove, pending_find, pending_give, pending_remove,
)
from fastredis.values.stream_type cimport (
    TRIM_MAXLEN, TRIM_MINID, Stream, StreamIter, StreamPair, StreamTrim, stream_append, stream_behind,
    stream_delete, stream_field, stream_first_id, stream_has, stream_iter, stream_iter_delete, stream_lag,
    stream_last_entry, stream_length, stream_new, stream_next, stream_of, stream_trim,
)
from fastredis.values.value cimport entry_copy, entry_drain, entry_effort, entry_free, entry_memory, entry_verify


cdef Id id_of(pair):
    return Id(pair[0], pair[1])


cdef tuple pair_of(Id id):
    return (id.ms, id.seq)


cdef bytes text_of(LpItem* item):
    cdef char[INT64_TEXT] scratch
    cdef size_t size
    cdef const char* text = lp_text(item, scratch, &size)

    return text[:size]


cdef class StreamProbe:
    cdef Account account
    cdef Limits limits
    cdef Entry* e

    def __cinit__(self, int64_t max_entries=100, int64_t max_bytes=4096):
        memset(&self.limits, 0, sizeof(Limits))
        self.limits.stream_node_max_entries = max_entries
        self.limits.stream_node_max_bytes = max_bytes
        self.e = stream_new(&self.account, b"key", 3)

    def __dealloc__(self):
        if self.e is not NULL:
            entry_free(&self.account, self.e)

    cdef Stream* stream(self):
        return stream_of(self.e)

    def __len__(self):
        return stream_length(self.stream())

    @property
    def used(self):
        return self.account.used

    @property
    def memory(self):
        return entry_memory(self.e, 0)

    @property
    def effort(self):
        return entry_effort(self.e)

    @property
    def nodes(self):
        return self.stream().nodes.count

    @property
    def added(self):
        return self.stream().entries_added

    def verify(self):
        entry_verify(self.e)

    def append(self, id, pairs):
        cdef StreamPair* given = <StreamPair*>malloc(len(pairs) * sizeof(StreamPair))

        for i, (field, value) in enumerate(pairs):
            given[i].field, given[i].field_size = field, len(field)
            given[i].value, given[i].value_size = value, len(value)
        stream_append(&self.account, &self.limits, self.stream(), id_of(id), given, len(pairs))
        free(given)

    def has(self, id):
        return stream_has(self.stream(), id_of(id))

    def delete(self, id):
        return stream_delete(&self.account, self.stream(), id_of(id))

    cdef list fields(self, StreamIter* it):
        cdef LpItem field, value

        found = []
        for _ in range(it.fields):
            stream_field(it, &field, &value)
            found.append((text_of(&field), text_of(&value)))
        return found

    def range(self, start, end, bint reverse=False, uint64_t limit=-1):
        cdef StreamIter it

        found = []
        stream_iter(&it, self.stream(), id_of(start), id_of(end), reverse)
        while limit and stream_next(&it):
            found.append((pair_of(it.id), self.fields(&it)))
            limit -= 1
        return found

    def delete_some(self, start, end, bint reverse, keep):
        """Delete each entry of a walk whose number in it is not in `keep`; the ids met."""
        cdef StreamIter it

        met = []
        stream_iter(&it, self.stream(), id_of(start), id_of(end), reverse)
        while stream_next(&it):
            if len(met) not in keep:
                stream_iter_delete(&self.account, &it)
            met.append(pair_of(it.id))
        return met

    def trim(self, length=None, min_id=None, bint approximate=False, int64_t limit=0):
        cdef StreamTrim trim

        trim.kind = TRIM_MAXLEN if length is not None else TRIM_MINID
        trim.length = length or 0
        trim.min_id = id_of(min_id or (0, 0))
        trim.approximate, trim.limit = approximate, limit
        return stream_trim(&self.account, self.stream(), &trim)

    def edges(self):
        return pair_of(stream_first_id(self.stream())), pair_of(stream_last_entry(self.stream()))

    def behind(self, id):
        return stream_behind(self.stream(), id_of(id))

    def become_copy(self):
        cdef Entry* copy = entry_copy(&self.account, self.e, b"yek", 3)

        entry_free(&self.account, self.e)
        self.e = copy

    def drain(self, int64_t elements):
        cdef int64_t left = entry_drain(&self.account, self.e, elements)

        if left == 0:
            self.e = NULL
        return left

    # --- groups

    cdef Group* group(self, bytes name):
        return group_find(&self.stream().groups, name, len(name))

    def add_group(self, bytes name, id, int64_t read=-1):
        group_add(&self.account, &self.stream().groups, name, len(name), id_of(id), read)

    def remove_group(self, bytes name):
        group_remove(&self.account, &self.stream().groups, self.group(name))

    def groups(self):
        cdef Group* group

        found = []
        for i in range(self.stream().groups.count):
            group = group_at(&self.stream().groups, i)
            found.append(group_name(group)[:group.name_size])
        return found

    def lag(self, bytes name):
        cdef int64_t lag

        return lag if stream_lag(self.stream(), self.group(name), &lag) else None

    cdef Consumer* consumer(self, Group* group, bytes name):
        cdef Consumer* found = consumer_find(group, name, len(name))

        return found if found is not NULL else consumer_add(&self.account, group, name, len(name), 7)

    def give(self, bytes group, bytes consumer, id, int64_t time_ms, uint64_t deliveries):
        cdef Group* found = self.group(group)

        pending_give(found, id_of(id), self.consumer(found, consumer), time_ms, deliveries)

    def acknowledge(self, bytes group, id):
        return pending_remove(self.group(group), id_of(id))

    def remove_consumer(self, bytes group, bytes consumer):
        cdef Group* found = self.group(group)
        cdef Consumer* who = consumer_find(found, consumer, len(consumer))

        return consumer_remove(&self.account, found, who) if who is not NULL else None

    cdef tuple record(self, Id id, const Pending* pending):
        return (pair_of(id), consumer_name(pending.consumer)[:pending.consumer.name_size], pending.time_ms,
                pending.deliveries)

    def pending(self, bytes group):
        cdef Group* found = self.group(group)
        cdef IdPlace at = idt_first(&found.pending)

        records = []
        while at.leaf is not NULL:
            records.append(self.record(idt_id(at), <Pending*>idt_value(&found.pending, at)))
            at = idt_next(at)
        return records

    def pending_of(self, bytes group, bytes consumer):
        """The ids that one consumer has; None: there is no such consumer."""
        cdef Group* found = self.group(group)
        cdef Consumer* who = consumer_find(found, consumer, len(consumer))
        cdef IdPlace at

        if who is NULL:
            return None
        ids = []
        at = idt_first(&who.pending)
        while at.leaf is not NULL:
            ids.append(pair_of(idt_id(at)))
            at = idt_next(at)
        return ids

    def pending_at(self, bytes group, id):
        cdef const Pending* found = pending_find(self.group(group), id_of(id))

        return None if found is NULL else self.record(id_of(id), found)

    def first_idle(self, bytes group, id, int64_t time_ms):
        cdef IdPlace at = idt_from_before(&self.group(group).pending, id_of(id), time_ms)

        return None if at.leaf is NULL else pair_of(idt_id(at))
