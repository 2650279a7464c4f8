"""Idempotent producers of streams. The design comment is in stream_idmp.pxd."""
from libc.stdint cimport int64_t, uint64_t
from libc.string cimport memcmp, memcpy, memset

from fastredis.ds.alloc cimport mem_alloc, mem_calloc, mem_charge, mem_free
from fastredis.ds.native cimport hash_bytes

cdef enum:
    FIRST_ROOM = 4              # slots of a table at first


# ---------------------------------------------------------------- tables of names

cdef Named* names_find(const NameTable* t, const char* name, size_t size, uint64_t hash) noexcept:
    cdef Named* named
    cdef uint64_t i

    if t.room == 0:
        return NULL
    i = hash & (t.room - 1)
    while t.slots[i] is not NULL:
        named = t.slots[i]
        if named.hash == hash and named.size == size and memcmp(name_of(t, named), name, size) == 0:
            return named
        i = (i + 1) & (t.room - 1)
    return NULL


cdef void place(NameTable* t, Named* named) noexcept:
    """Put one into the first free slot from its own on."""
    cdef uint64_t i = named.hash & (t.room - 1)

    while t.slots[i] is not NULL:
        i = (i + 1) & (t.room - 1)
    t.slots[i] = named


cdef void grow(Account* account, NameTable* t) noexcept:
    cdef uint64_t room = t.room
    cdef Named* named = t.first

    mem_free(account, t.slots, room * sizeof(void*))
    t.room = 2 * room if room else FIRST_ROOM
    t.slots = <Named**>mem_calloc(account, t.room * sizeof(void*))
    while named is not NULL:
        place(t, named)
        named = named.next


cdef Named* names_add(Account* account, NameTable* t, const char* name, size_t size, uint64_t hash) noexcept:
    """A new one behind all others; there is none of this name. What stands between head and name is zero."""
    cdef Named* named = <Named*>mem_alloc(account, t.name_at + size)

    memset(named, 0, t.name_at)
    named.hash, named.size = hash, size
    memcpy(<char*>named + t.name_at, name, size)
    if 2 * (t.count + 1) > t.room:
        grow(account, t)
    place(t, named)
    append(t, named)
    t.count += 1
    return named


cdef inline void append(NameTable* t, Named* named) noexcept:
    named.next = NULL
    if t.last is not NULL:
        t.last.next = named
    else:
        t.first = named
    t.last = named


cdef Named* take_first(NameTable* t) noexcept:
    """Take the oldest one out of the order; it is still found by its name."""
    cdef Named* named = t.first

    t.first = named.next
    if t.first is NULL:
        t.last = NULL
    return named


cdef void forget_first(Account* account, NameTable* t) noexcept:
    """Free the oldest one, and close up the slots behind it."""
    cdef Named* named = take_first(t)
    cdef uint64_t mask = t.room - 1
    cdef uint64_t hole = named.hash & mask
    cdef uint64_t i

    while t.slots[hole] != named:
        hole = (hole + 1) & mask
    i = (hole + 1) & mask
    while t.slots[i] is not NULL:
        if (i - t.slots[i].hash) & mask >= (i - hole) & mask:       # its own slot is not behind the hole
            t.slots[hole] = t.slots[i]
            hole = i
        i = (i + 1) & mask
    t.slots[hole] = NULL
    t.count -= 1
    mem_free(account, named, t.name_at + named.size)


cdef void names_free(Account* account, NameTable* t) noexcept:
    """Free the slots of a table that has nothing in it."""
    mem_free(account, t.slots, t.room * sizeof(void*))
    t.slots = NULL
    t.room = 0


# ---------------------------------------------------------------- life

cdef Idmp* idmp_new(Account* account, uint64_t duration_s, uint64_t maxsize) noexcept:
    cdef Idmp* idmp = <Idmp*>mem_calloc(account, sizeof(Idmp))

    idmp.duration_s, idmp.maxsize = duration_s, maxsize
    idmp.producers.name_at = sizeof(Producer)
    return idmp


cdef void forget_iid(Account* account, Idmp* idmp, Producer* producer) noexcept:
    """A producer's oldest message."""
    forget_first(account, &producer.iids)
    idmp.iids -= 1


cdef void forget_producer(Account* account, Idmp* idmp) noexcept:
    """The first one, which has no messages."""
    names_free(account, &(<Producer*>idmp.producers.first).iids)
    forget_first(account, &idmp.producers)


cdef uint64_t idmp_drain(Account* account, Idmp* idmp, uint64_t count) noexcept:
    cdef Producer* producer

    while idmp.producers.first is not NULL and count:
        producer = <Producer*>idmp.producers.first
        if producer.iids.first is not NULL:
            forget_iid(account, idmp, producer)
            count -= 1
        else:
            forget_producer(account, idmp)
    return idmp.iids + idmp.producers.count


cdef void idmp_clear(Account* account, Idmp* idmp) noexcept:
    while idmp_drain(account, idmp, <uint64_t>-1):
        pass
    names_free(account, &idmp.producers)


cdef void idmp_free(Account* account, Idmp* idmp) noexcept:
    idmp_clear(account, idmp)
    mem_free(account, idmp, sizeof(Idmp))


cdef Idmp* idmp_copy(Account* account, const Idmp* idmp) noexcept:
    cdef Idmp* copy = idmp_new(account, idmp.duration_s, idmp.maxsize)
    cdef Named* each = idmp.producers.first
    cdef Named* iid
    cdef Producer* fresh
    cdef NameTable* iids

    copy.added, copy.duplicates = idmp.added, idmp.duplicates
    while each is not NULL:
        iids = &(<Producer*>each).iids
        fresh = idmp_producer(account, copy, name_of(&idmp.producers, each), each.size)
        iid = iids.first
        while iid is not NULL:
            idmp_put(account, copy, fresh, name_of(iids, iid), iid.size, (<Iid*>iid).id)
            iid = iid.next
        each = each.next
    return copy


cdef size_t names_bytes(const NameTable* t) noexcept:
    cdef size_t bytes = mem_charge(t.slots, t.room * sizeof(void*)) if t.slots is not NULL else 0
    cdef Named* named = t.first

    while named is not NULL:
        bytes += mem_charge(named, t.name_at + named.size)
        named = named.next
    return bytes


cdef size_t idmp_bytes(const Idmp* idmp) noexcept:
    cdef size_t bytes = mem_charge(idmp, sizeof(Idmp)) + names_bytes(&idmp.producers)
    cdef Named* each = idmp.producers.first

    while each is not NULL:
        bytes += names_bytes(&(<Producer*>each).iids)
        each = each.next
    return bytes


# ---------------------------------------------------------------- what is over

cdef void expire_iids(Account* account, Idmp* idmp, Producer* producer, int64_t now_ms) noexcept:
    """Forget a producer's messages that are older than they are kept."""
    cdef int64_t until = now_ms - <int64_t>idmp.duration_s * 1000

    while producer.iids.first is not NULL and until >= 0 and (<Iid*>producer.iids.first).id.ms <= <uint64_t>until:
        forget_iid(account, idmp, producer)


cdef void expire_first(Account* account, Idmp* idmp, int64_t now_ms) noexcept:
    """What is over of the first producer, who comes last then, or goes if nothing is left of it."""
    cdef Producer* producer = <Producer*>idmp.producers.first

    if producer is NULL:
        return
    expire_iids(account, idmp, producer, now_ms)
    if producer.iids.count == 0:
        forget_producer(account, idmp)
    else:
        append(&idmp.producers, take_first(&idmp.producers))


cdef void idmp_expire(Account* account, Idmp* idmp, int64_t now_ms) noexcept:
    cdef uint64_t left = idmp.producers.count

    while left:
        expire_first(account, idmp, now_ms)
        left -= 1


# ---------------------------------------------------------------- messages

cdef inline Producer* find_producer(const Idmp* idmp, const char* pid, size_t size) noexcept:
    return <Producer*>names_find(&idmp.producers, pid, size, hash_bytes(pid, size))


cdef Producer* idmp_producer(Account* account, Idmp* idmp, const char* pid, size_t size) noexcept:
    cdef Producer* producer = find_producer(idmp, pid, size)

    if producer is NULL:
        producer = <Producer*>names_add(account, &idmp.producers, pid, size, hash_bytes(pid, size))
        producer.iids.name_at = sizeof(Iid)
    return producer


cdef bint idmp_put(Account* account, Idmp* idmp, Producer* producer, const char* iid, size_t size, Id id) noexcept:
    cdef uint64_t hash = hash_bytes(iid, size)

    if names_find(&producer.iids, iid, size, hash) is not NULL:
        return False
    (<Iid*>names_add(account, &producer.iids, iid, size, hash)).id = id
    idmp.iids += 1
    while producer.iids.count > idmp.maxsize:
        forget_iid(account, idmp, producer)
    return True


cdef bint idmp_find(Account* account, Idmp* idmp, const char* pid, size_t pid_size, const char* iid, size_t iid_size,
                    int64_t now_ms, Id* id) noexcept:
    cdef Producer* producer = find_producer(idmp, pid, pid_size)
    cdef Iid* found

    if producer is NULL:
        return False
    expire_iids(account, idmp, producer, now_ms)
    found = <Iid*>names_find(&producer.iids, iid, iid_size, hash_bytes(iid, iid_size))
    if found is not NULL:
        id[0] = found.id
    return found is not NULL


cdef void idmp_record(Account* account, Idmp* idmp, const char* pid, size_t pid_size, const char* iid, size_t iid_size,
                      Id id, int64_t now_ms) noexcept:
    expire_first(account, idmp, now_ms)
    idmp_put(account, idmp, idmp_producer(account, idmp, pid, pid_size), iid, iid_size, id)
    idmp.added += 1


# ---------------------------------------------------------------- verifying

cdef int verify_names(const NameTable* t) except -1:
    cdef Named* named = t.first
    cdef Named* last = NULL
    cdef uint64_t count = 0

    while named is not NULL:
        if names_find(t, name_of(t, named), named.size, named.hash) != named:
            raise AssertionError("stream: a name that is not found")
        count += 1
        last = named
        named = named.next
    if count != t.count or last != t.last or 2 * t.count > t.room:
        raise AssertionError(f"stream: {count} names, counted as {t.count} in {t.room} slots")
    return 0


cdef int idmp_verify(const Idmp* idmp) except -1:
    cdef Named* each = idmp.producers.first
    cdef uint64_t iids = 0

    verify_names(&idmp.producers)
    while each is not NULL:
        verify_names(&(<Producer*>each).iids)
        iids += (<Producer*>each).iids.count
        each = each.next
    if iids != idmp.iids:
        raise AssertionError(f"stream: {iids} messages of producers, counted as {idmp.iids}")
    return 0
