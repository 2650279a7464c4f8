"""Groups of streams and what is pending. The design comment is in stream_group.pxd."""
from libc.stdint cimport INT64_MIN, int64_t, uint32_t, uint64_t
from libc.stdlib cimport qsort
from libc.string cimport memcmp, memcpy, memmove

from fastredis.ds.alloc cimport mem_alloc, mem_charge, mem_free, mem_realloc
from fastredis.ds.id_tree cimport (
    IDT_NONE, IdPlace, idt_add, idt_bytes, idt_clear, idt_drain, idt_find, idt_first, idt_id,
    idt_init, idt_next, idt_remove, idt_set, idt_soonest, idt_value, idt_verify,
)

cdef enum:
    FIRST_ROOM = 2                  # of an array of groups or consumers


# ---------------------------------------------------------------- arrays in the order of names

ctypedef const char* (*NameOf)(const void* item, size_t* size) noexcept


cdef const char* name_of_group(const void* item, size_t* size) noexcept:
    size[0] = (<const Group*>item).name_size
    return group_name(<const Group*>item)


cdef const char* name_of_consumer(const void* item, size_t* size) noexcept:
    size[0] = (<const Consumer*>item).name_size
    return consumer_name(<const Consumer*>item)


cdef inline int compare(const char* a, size_t a_size, const char* b, size_t b_size) noexcept:
    cdef int order = memcmp(a, b, min(a_size, b_size))

    return order if order else (a_size > b_size) - (a_size < b_size)


cdef uint32_t place_of(void** items, uint32_t count, NameOf name_of, const char* name, size_t size,
                       bint* there) noexcept:
    """Where the item with this name is, or belongs."""
    cdef uint32_t low = 0, high = count, middle
    cdef const char* other
    cdef size_t other_size
    cdef int order

    there[0] = False
    while low < high:
        middle = (low + high) // 2
        other = name_of(items[middle], &other_size)
        order = compare(other, other_size, name, size)
        if order == 0:
            there[0] = True
            return middle
        if order < 0:
            low = middle + 1
        else:
            high = middle
    return low


cdef void insert(Account* account, void*** items, uint32_t* count, uint32_t* room, uint32_t at, void* item) noexcept:
    cdef uint32_t more

    if count[0] == room[0]:
        more = max(room[0] * 2, <uint32_t>FIRST_ROOM)
        items[0] = <void**>mem_realloc(account, items[0], room[0] * sizeof(void*), more * sizeof(void*))
        room[0] = more
    memmove(items[0] + at + 1, items[0] + at, (count[0] - at) * sizeof(void*))
    items[0][at] = item
    count[0] += 1


cdef void take_out(void** items, uint32_t* count, uint32_t at) noexcept:
    count[0] -= 1
    memmove(items + at, items + at + 1, (count[0] - at) * sizeof(void*))


# ---------------------------------------------------------------- groups

cdef Group* group_find(const Groups* groups, const char* name, size_t size) noexcept:
    cdef bint there
    cdef uint32_t at = place_of(groups.items, groups.count, name_of_group, name, size, &there)

    return group_at(groups, at) if there else NULL


cdef Group* group_add(Account* account, Groups* groups, const char* name, size_t size, Id last_id,
                      int64_t entries_read) noexcept:
    cdef Group* group = <Group*>mem_alloc(account, sizeof(Group) + size)
    cdef bint there
    cdef uint32_t at = place_of(groups.items, groups.count, name_of_group, name, size, &there)

    group.name_size = size
    group.last_id = last_id
    group.entries_read = entries_read
    group.released = group.releases = 0
    group.consumers = NULL
    group.consumer_count = group.consumer_room = 0
    idt_init(&group.pending, account, sizeof(Pending), IDT_NONE, 0)
    memcpy(<char*>group_name(group), name, size)
    insert(account, &groups.items, &groups.count, &groups.room, at, group)
    return group


cdef void consumer_free(Account* account, Consumer* consumer) noexcept:
    idt_clear(&consumer.pending, NULL, NULL)
    mem_free(account, consumer, sizeof(Consumer) + consumer.name_size)


cdef void group_free(Account* account, Group* group) noexcept:
    cdef uint32_t i

    for i in range(group.consumer_count):
        consumer_free(account, group.consumers[i])
    mem_free(account, group.consumers, group.consumer_room * sizeof(void*))
    idt_clear(&group.pending, NULL, NULL)
    mem_free(account, group, sizeof(Group) + group.name_size)


cdef void group_remove(Account* account, Groups* groups, Group* group) noexcept:
    cdef bint there
    cdef uint32_t at = place_of(groups.items, groups.count, name_of_group, group_name(group), group.name_size, &there)

    take_out(groups.items, &groups.count, at)
    group_free(account, group)


# ---------------------------------------------------------------- consumers

cdef Consumer* consumer_find(const Group* group, const char* name, size_t size) noexcept:
    cdef bint there
    cdef uint32_t at = place_of(<void**>group.consumers, group.consumer_count, name_of_consumer, name, size, &there)

    return group.consumers[at] if there else NULL


cdef Consumer* consumer_add(Account* account, Group* group, const char* name, size_t size, int64_t now_ms) noexcept:
    """A new consumer; there is none of this name."""
    cdef Consumer* consumer = <Consumer*>mem_alloc(account, sizeof(Consumer) + size)
    cdef bint there
    cdef uint32_t at = place_of(<void**>group.consumers, group.consumer_count, name_of_consumer, name, size, &there)

    consumer.name_size = size
    consumer.seen_ms = now_ms
    consumer.active_ms = -1
    idt_init(&consumer.pending, account, 0, IDT_NONE, IDT_NONE)
    memcpy(<char*>consumer_name(consumer), name, size)
    insert(account, <void***>&group.consumers, &group.consumer_count, &group.consumer_room, at, consumer)
    return consumer


cdef uint64_t consumer_remove(Account* account, Group* group, Consumer* consumer) noexcept:
    cdef uint64_t pending = consumer.pending.count
    cdef IdPlace each = idt_first(&consumer.pending)
    cdef bint there
    cdef uint32_t at = place_of(<void**>group.consumers, group.consumer_count, name_of_consumer,
                                consumer_name(consumer), consumer.name_size, &there)

    while each.leaf is not NULL:
        idt_remove(&group.pending, idt_id(each), NULL)
        each = idt_next(each)
    take_out(<void**>group.consumers, &group.consumer_count, at)
    consumer_free(account, consumer)
    return pending


# ---------------------------------------------------------------- pending entries

cdef Pending* pending_find(const Group* group, Id id) noexcept:
    cdef IdPlace at = idt_find(&group.pending, id)

    return <Pending*>idt_value(&group.pending, at) if at.leaf is not NULL else NULL


cdef void pending_give(Group* group, Id id, Consumer* consumer, int64_t time_ms, uint64_t deliveries) noexcept:
    cdef Pending record
    cdef Pending* old

    record.time_ms, record.deliveries, record.consumer = time_ms, deliveries, consumer
    if idt_add(&group.pending, id, &record):
        idt_add(&consumer.pending, id, NULL)
        return
    old = pending_find(group, id)
    if old.consumer != consumer:
        take_away(group, old, id)
        idt_add(&consumer.pending, id, NULL)
    idt_set(&group.pending, id, &record)


cdef inline void take_away(Group* group, const Pending* record, Id id) noexcept:
    """What is pending is no longer whose it was."""
    if record.consumer is not NULL:
        idt_remove(&record.consumer.pending, id, NULL)
    else:
        group.released -= 1


cdef void pending_release(Group* group, Id id, uint64_t deliveries) noexcept:
    cdef Pending record

    group.releases += 1
    record.time_ms, record.deliveries, record.consumer = INT64_MIN + <int64_t>group.releases, deliveries, NULL
    if not idt_add(&group.pending, id, &record):
        take_away(group, pending_find(group, id), id)
        idt_set(&group.pending, id, &record)
    group.released += 1


cdef IdPlace pending_oldest(const Group* group) noexcept:
    return idt_soonest(&group.pending)


cdef struct Released:
    int64_t time_ms
    Id id


cdef int by_time(const void* a, const void* b) noexcept nogil:
    cdef int64_t first = (<const Released*>a).time_ms
    cdef int64_t second = (<const Released*>b).time_ms

    return (first > second) - (first < second)


cdef Id* pending_released(Account* account, const Group* group) noexcept:
    cdef Released* found
    cdef Id* ids
    cdef IdPlace at = idt_first(&group.pending)
    cdef Pending* record
    cdef uint64_t count = 0
    cdef uint64_t i

    if group.released == 0:
        return NULL
    found = <Released*>mem_alloc(account, group.released * sizeof(Released))
    while at.leaf is not NULL:
        record = <Pending*>idt_value(&group.pending, at)
        if record.consumer is NULL:
            found[count] = Released(record.time_ms, idt_id(at))
            count += 1
        at = idt_next(at)
    qsort(found, count, sizeof(Released), by_time)
    ids = <Id*>mem_alloc(account, count * sizeof(Id))
    for i in range(count):
        ids[i] = found[i].id
    mem_free(account, found, count * sizeof(Released))
    return ids


cdef bint pending_remove(Group* group, Id id) noexcept:
    """False: it was not pending."""
    cdef Pending record

    if not idt_remove(&group.pending, id, &record):
        return False
    take_away(group, &record, id)
    return True


# ---------------------------------------------------------------- all groups

cdef void groups_free(Account* account, Groups* groups) noexcept:
    cdef uint32_t i

    for i in range(groups.count):
        group_free(account, group_at(groups, i))
    mem_free(account, groups.items, groups.room * sizeof(void*))
    groups.items = NULL
    groups.count = groups.room = 0


cdef uint64_t groups_drain(Account* account, Groups* groups, uint64_t leaves) noexcept:
    """Free up to so many leaves of the last group; the groups left."""
    cdef Group* group
    cdef Consumer* consumer

    while groups.count:
        group = group_at(groups, groups.count - 1)
        if idt_drain(&group.pending, leaves, NULL, NULL):
            return groups.count
        while group.consumer_count:
            consumer = group.consumers[group.consumer_count - 1]
            if idt_drain(&consumer.pending, leaves, NULL, NULL):
                return groups.count
            group.consumer_count -= 1
            consumer_free(account, consumer)
        groups.count -= 1
        group_free(account, group)
        return groups.count
    return 0


cdef void group_copy(Account* account, const Group* group, Groups* copy) noexcept:
    cdef Group* fresh = group_add(account, copy, group_name(group), group.name_size, group.last_id, group.entries_read)
    cdef IdPlace at = idt_first(&group.pending)
    cdef Consumer* consumer
    cdef Consumer* same
    cdef Pending* record
    cdef uint64_t number
    cdef uint32_t i
    cdef Id* released = pending_released(account, group)

    for i in range(group.consumer_count):
        consumer = group.consumers[i]
        same = consumer_add(account, fresh, consumer_name(consumer), consumer.name_size, consumer.seen_ms)
        same.active_ms = consumer.active_ms
    while at.leaf is not NULL:
        record = <Pending*>idt_value(&group.pending, at)
        if record.consumer is not NULL:
            same = consumer_find(fresh, consumer_name(record.consumer), record.consumer.name_size)
            pending_give(fresh, idt_id(at), same, record.time_ms, record.deliveries)
        at = idt_next(at)
    for number in range(group.released):
        pending_release(fresh, released[number], pending_find(group, released[number]).deliveries)
    mem_free(account, released, group.released * sizeof(Id))


cdef void groups_copy(Account* account, const Groups* groups, Groups* copy) noexcept:
    cdef uint32_t i

    for i in range(groups.count):
        group_copy(account, group_at(groups, i), copy)


cdef size_t groups_bytes(const Groups* groups) noexcept:
    """Bytes of all groups."""
    cdef size_t bytes = mem_charge(groups.items, groups.room * sizeof(void*)) if groups.items is not NULL else 0
    cdef Group* group
    cdef Consumer* consumer
    cdef uint32_t i, j

    for i in range(groups.count):
        group = group_at(groups, i)
        bytes += mem_charge(group, sizeof(Group) + group.name_size) + idt_bytes(&group.pending)
        if group.consumers is not NULL:
            bytes += mem_charge(group.consumers, group.consumer_room * sizeof(void*))
        for j in range(group.consumer_count):
            consumer = group.consumers[j]
            bytes += mem_charge(consumer, sizeof(Consumer) + consumer.name_size) + idt_bytes(&consumer.pending)
    return bytes


cdef uint64_t groups_effort(const Groups* groups) noexcept:
    """Pieces of memory that the groups are."""
    cdef uint64_t pieces = 0
    cdef Group* group
    cdef uint32_t i, j

    for i in range(groups.count):
        group = group_at(groups, i)
        pieces += 1 + group.pending.leaves + group.consumer_count
        for j in range(group.consumer_count):
            pieces += group.consumers[j].pending.leaves
    return pieces


cdef int verify_group(const Group* group) except -1:
    cdef IdPlace at = idt_first(&group.pending)
    cdef uint64_t count = 0
    cdef uint64_t released = 0
    cdef Pending* record
    cdef uint32_t i

    idt_verify(&group.pending)
    for i in range(group.consumer_count):
        idt_verify(&group.consumers[i].pending)
        count += group.consumers[i].pending.count
        if i and compare(consumer_name(group.consumers[i - 1]), group.consumers[i - 1].name_size,
                         consumer_name(group.consumers[i]), group.consumers[i].name_size) >= 0:
            raise AssertionError("stream: consumers out of order")
    while at.leaf is not NULL:
        record = <Pending*>idt_value(&group.pending, at)
        released += record.consumer is NULL
        if record.consumer is not NULL and idt_find(&record.consumer.pending, idt_id(at)).leaf is NULL:
            raise AssertionError("stream: a pending entry that its consumer does not have")
        at = idt_next(at)
    if released != group.released or count + released != group.pending.count:
        raise AssertionError(f"stream: {group.pending.count} pending entries, {count} of consumers, {released} free")
    return 0


cdef int groups_verify(const Groups* groups) except -1:
    cdef uint32_t i

    for i in range(groups.count):
        if i and compare(group_name(group_at(groups, i - 1)), group_at(groups, i - 1).name_size,
                         group_name(group_at(groups, i)), group_at(groups, i).name_size) >= 0:
            raise AssertionError("stream: groups out of order")
        verify_group(group_at(groups, i))
    return 0
