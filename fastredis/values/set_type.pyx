"""Sets. The design comment is in set_type.pxd."""
from libc.stdint cimport INT64_MAX, int64_t, uint8_t, uint64_t

from fastredis.ds.alloc cimport mem_alloc, mem_charge, mem_free, mem_give_up
from fastredis.ds.expire_heap cimport (
    NOT_IN_HEAP, heap_bytes, heap_clear, heap_count_before, heap_drain, heap_init, heap_remove, heap_set, heap_slot,
    heap_verify,
)
from fastredis.ds.intset cimport (
    ints_add, ints_charge, ints_contains, ints_copy, ints_count, ints_free, ints_get, ints_new, ints_random,
    ints_remove, ints_verify,
)
from fastredis.ds.listpack cimport (
    LP_MAX, lp_append, lp_append_int, lp_bytes, lp_charge, lp_copy, lp_count, lp_delete, lp_find, lp_first, lp_free,
    lp_get, lp_new, lp_next, lp_seek, lp_text, lp_verify,
)
from fastredis.ds.native cimport hash_bytes
from fastredis.ds.numbers cimport INT64_TEXT, format_int64, parse_int64
from fastredis.ds.random cimport random_below
from fastredis.ds.table cimport (
    SLOTS, Slot, entry_of, slot_put, table_add, table_bytes, table_count, table_drain, table_find, table_init,
    table_iter, table_iter_end, table_next, table_random, table_remove, table_reserve, table_slot, table_verify,
)
from fastredis.values.entry cimport (
    ENC_INTSET, ENC_LISTPACK, TYPE_SET, entry_new, entry_set_encoding,
)
from fastredis.values.member cimport (
    MEMBER_INDEX, MEMBER_MAX, TIMED_HEAD, TIMED_MEMBER, member_block, member_bytes, member_index, member_text,
    member_write,
)
from fastredis.values.timed cimport timed_init, timed_remove_due

cdef enum:
    MAX_INTSET = 1 << 30            # numbers of an intset, whatever the limit says (as in Redis)
    LISTPACK_SLACK = 64             # more than a listpack's element takes beside its text
    HEAP_CHUNKS = 4                 # chunks of a heap that one step of a drain gives back


cdef int64_t alive = 0                  # see timed_sets_alive()


cdef inline void put(Entry* e, int encoding, void* value) noexcept:
    entry_set_encoding(e, encoding)
    entry_slot(e)[0] = value


cdef inline uint64_t max_intset(const Limits* limits) noexcept:
    return min(limits.set_max_intset_entries, <int64_t>MAX_INTSET)


# ---------------------------------------------------------------- the table of members

cdef void key_of(const void* entry, const char** key, size_t* size) noexcept:
    """KeyOf of the table."""
    key[0] = member_text(<const uint8_t*>entry, size)


cdef void member_free(Account* account, uint8_t* member) noexcept:
    """FreeBlock of timed_remove_due()."""
    mem_free(account, member, member_block(member))


cdef int free_visit(void* context, void* member) except -1:
    """Visit of table_drain; the context is the Account."""
    member_free(<Account*>context, <uint8_t*>member)
    return 0


cdef Table* set_table_new(Account* account, uint64_t members) noexcept:
    """An empty table with room for so many members."""
    cdef Table* t = <Table*>mem_alloc(account, sizeof(Table))

    table_init(t, account, key_of)
    table_reserve(t, members)
    return t


cdef void set_table_free(Account* account, Table* t) noexcept:
    if t is not NULL:
        table_drain(t, INT64_MAX, free_visit, account)
        mem_free(account, t, sizeof(Table))


cdef int set_table_put(Account* account, Table* t, const char* text, size_t size, uint64_t hash) noexcept:
    """Add a member that is not in the table. `hash`: at least the bits that the table looks at."""
    cdef uint8_t* member

    if size > MEMBER_MAX:
        mem_give_up(b"a member has less than 4 GiB, not bytes:", size)
    member = <uint8_t*>mem_alloc(account, member_bytes(size))
    member_write(member, text, size)
    return table_add(t, member, hash)


cdef bint set_table_add(Account* account, Table* t, const char* text, size_t size, uint64_t hash) noexcept:
    """Add a member; False: it is in already."""
    if hash == 0:
        hash = hash_bytes(text, size)
    if table_find(t, text, size, hash) is not NULL:
        return False
    set_table_put(account, t, text, size, hash)
    return True


cdef bint table_discard(Account* account, Entry* e, const char* text, size_t size, uint64_t hash) noexcept:
    cdef uint8_t* member = <uint8_t*>table_remove(set_table(e), text, size, hash if hash else hash_bytes(text, size))

    if member is NULL:
        return False
    if member[0] == TIMED_MEMBER:
        heap_remove(&set_timed(e).expires, member)
    member_free(account, member)
    return True


# ---------------------------------------------------------------- members with deadlines

cdef int64_t timed_sets_alive() noexcept:
    return alive


cdef TimedSet* timed_new(Account* account, uint64_t members) noexcept:
    """An empty one, whose table has room for so many members."""
    cdef TimedSet* s = <TimedSet*>mem_alloc(account, sizeof(TimedSet))

    global alive
    alive += 1
    table_init(&s.members, account, key_of)
    if members:
        table_reserve(&s.members, members)
    heap_init(&s.expires, account, MEMBER_INDEX)
    timed_init(&s.ttl, NULL)
    return s


cdef void timed_free(Account* account, TimedSet* s) noexcept:
    global alive
    alive -= 1
    table_drain(&s.members, INT64_MAX, free_visit, account)
    heap_clear(&s.expires)
    mem_free(account, s, sizeof(TimedSet))


cdef int to_timed(Account* account, Entry* e) noexcept:
    """Make a set one whose members may have deadlines. O(1) for a table, which is taken over."""
    cdef TimedSet* s

    if entry_encoding(e) == ENC_HASHTABLE_EX:
        return 0
    if entry_encoding(e) != ENC_HASHTABLE:
        to_table(account, e, set_count(e))
    s = timed_new(account, 0)
    s.members = set_table(e)[0]
    s.ttl.entry = e
    mem_free(account, set_table(e), sizeof(Table))
    put(e, ENC_HASHTABLE_EX, s)
    return 0


cdef uint8_t* timed_member(Account* account, const char* text, size_t size) noexcept:
    """A member with room for a heap index."""
    cdef uint8_t* member = <uint8_t*>mem_alloc(account, TIMED_HEAD + member_bytes(size))

    member[0] = TIMED_MEMBER
    member_index(member)[0] = NOT_IN_HEAP
    member_write(member + TIMED_HEAD, text, size)
    return member


cdef inline int64_t when_of(TimedSet* s, uint8_t* member) noexcept:
    return heap_when(&s.expires, member) if member_has_deadline(member) else NO_DEADLINE


cdef int64_t set_soonest(const Entry* e) noexcept:
    """The soonest deadline of all members; NO_DEADLINE: none has one. O(1)."""
    if entry_encoding(e) != ENC_HASHTABLE_EX or set_timed(e).expires.count == 0:
        return NO_DEADLINE
    return heap_top(&set_timed(e).expires).when_ms


cdef bint set_set_when(Account* account, Entry* e, const char* text, size_t size, uint64_t hash,
                       int64_t when_ms) noexcept:
    """Give a member a deadline, another one, or none (NO_DEADLINE). The encoding may change. False: no such member."""
    cdef TimedSet* s
    cdef Slot* slot
    cdef uint8_t* member
    cdef uint8_t* fresh

    if not set_contains(e, text, size, hash):
        return False
    if when_ms == NO_DEADLINE and entry_encoding(e) != ENC_HASHTABLE_EX:
        return True
    to_timed(account, e)
    s = set_timed(e)
    slot = table_slot(&s.members, text, size, hash if hash else hash_bytes(text, size))
    member = <uint8_t*>entry_of(slot[0])
    if when_ms == NO_DEADLINE:
        if member[0] == TIMED_MEMBER:
            heap_remove(&s.expires, member)
        return True
    if member[0] != TIMED_MEMBER:
        fresh = timed_member(account, text, size)
        slot_put(slot, fresh)
        member_free(account, member)
        member = fresh
    heap_set(&s.expires, member, when_ms)
    return True


cdef uint64_t set_remove_due(Account* account, Entry* e, int64_t now_ms, uint64_t limit, DueVisit visit,
                             void* context) except? 0xFFFFFFFFFFFFFFFF:
    """Remove up to `limit` members whose deadlines are before now_ms, the soonest first; how many went."""
    if entry_encoding(e) != ENC_HASHTABLE_EX:
        return 0
    return timed_remove_due(&set_timed(e).members, &set_timed(e).expires, member_free, now_ms, limit, visit, context)


# ---------------------------------------------------------------- change of encoding

cdef int to_table(Account* account, Entry* e, uint64_t members) noexcept:
    """Make an intset or a listpack a table with room for so many members."""
    cdef Table* t = set_table_new(account, members)
    cdef SetIter it
    cdef LpItem item
    cdef const char* text
    cdef size_t size
    cdef char[INT64_TEXT] digits

    set_iter(&it, e)
    while set_next(&it, &item):
        text = lp_text(&item, digits, &size)
        set_table_put(account, t, text, size, hash_bytes(text, size))
    set_free_value(account, e)
    put(e, ENC_HASHTABLE, t)
    return 0


cdef int to_listpack(Account* account, Entry* e) noexcept:
    """Make an intset a listpack."""
    cdef const uint8_t* ints = set_bytes(e)
    cdef uint8_t* lp = lp_new(account)
    cdef uint64_t i

    for i in range(ints_count(ints)):
        lp = lp_append_int(account, lp, ints_get(ints, i))
    set_free_value(account, e)
    put(e, ENC_LISTPACK, lp)
    return 0


cdef int set_to_intset(Account* account, const Limits* limits, Entry* e) noexcept:
    """Make a set whose members are all integers an intset, if it is small enough for one."""
    cdef uint8_t* ints
    cdef bint added
    cdef SetIter it
    cdef LpItem item

    if entry_encoding(e) == ENC_INTSET or set_count(e) > max_intset(limits):
        return 0
    ints = ints_new(account)
    set_iter(&it, e)
    while set_next(&it, &item):
        if item.text is not NULL:
            parse_int64(item.text, item.size, &item.number)
        ints = ints_add(account, ints, item.number, &added)
    set_iter_end(&it)
    set_free_value(account, e)
    put(e, ENC_INTSET, ints)
    return 0


cdef int set_expect(Account* account, const Limits* limits, Entry* e, uint64_t members) noexcept:
    """So many members are going to be added: make it a table now if they are too many for what it is."""
    cdef int encoding = entry_encoding(e)

    if (encoding == ENC_LISTPACK and members > <uint64_t>limits.set_max_listpack_entries) or (
            encoding == ENC_INTSET and members > <uint64_t>limits.set_max_intset_entries):
        to_table(account, e, members)
    return 0


# ---------------------------------------------------------------- life

cdef Entry* set_new(Account* account, int encoding, const char* key, size_t key_size) noexcept:
    """An empty set in that encoding."""
    cdef void* value

    if encoding == ENC_INTSET:
        value = ints_new(account)
    elif encoding == ENC_LISTPACK:
        value = lp_new(account)
    else:
        value = set_table_new(account, 1)
    return entry_new(account, TYPE_SET, encoding, key, key_size, value)


cdef Entry* set_new_for(Account* account, const Limits* limits, const char* key, size_t key_size,
                        const char* first, size_t first_size, uint64_t members) noexcept:
    """An empty set in the encoding for up to `members` members of which this will be the first."""
    cdef int64_t number

    if members <= <uint64_t>limits.set_max_intset_entries and parse_int64(first, first_size, &number):
        return set_new(account, ENC_INTSET, key, key_size)
    if members <= <uint64_t>limits.set_max_listpack_entries:
        return set_new(account, ENC_LISTPACK, key, key_size)
    return set_new(account, ENC_HASHTABLE, key, key_size)


cdef Entry* set_new_of(Account* account, Table* t, const char* key, size_t key_size) noexcept:
    """A set that has this table."""
    return entry_new(account, TYPE_SET, ENC_HASHTABLE, key, key_size, t)


cdef void free_value(Account* account, int encoding, void* value) noexcept:
    if encoding == ENC_INTSET:
        ints_free(account, <uint8_t*>value)
    elif encoding == ENC_LISTPACK:
        lp_free(account, <uint8_t*>value)
    elif encoding == ENC_HASHTABLE_EX:
        timed_free(account, <TimedSet*>value)
    else:
        set_table_free(account, <Table*>value)


cdef void set_free_value(Account* account, Entry* e) noexcept:
    free_value(account, entry_encoding(e), entry_slot(e)[0])


cdef int set_take_value(Account* account, Entry* e, Entry* other) noexcept:
    """Give e the value of `other`, which is then without one; what e had is freed."""
    set_free_value(account, e)
    put(e, entry_encoding(other), entry_slot(other)[0])
    put(other, ENC_HASHTABLE, NULL)
    return 0


cdef int64_t set_drain(Account* account, Entry* e, int64_t elements) noexcept:
    """Free some members; how many are left, 0: the value is freed. The set is not to be looked at any more."""
    cdef int64_t left

    if set_in_table(e) and set_table(e) is not NULL:
        left = table_drain(set_table(e), elements // SLOTS + 1, free_visit, account)
        if left:
            return left
        if entry_encoding(e) == ENC_HASHTABLE_EX and not heap_drain(&set_timed(e).expires, HEAP_CHUNKS):
            return 1
    set_free_value(account, e)
    put(e, ENC_HASHTABLE, NULL)
    return 0


cdef Table* table_copy(Account* account, Table* t) noexcept:
    cdef Table* copy = set_table_new(account, table_count(t))
    cdef TableIter walk

    table_iter(&walk, t)
    copy_members(account, copy, NULL, NULL, &walk, INT64_MAX)
    table_iter_end(&walk)
    return copy


cdef bint copy_members(Account* account, Table* copy, ExpireHeap* expires, TimedSet* source, TableIter* walk,
                       int64_t members) noexcept:
    """Put the next members that a walk comes to into another table; whether the walk is at its end.

    expires, source: where their deadlines go to and come from; NULL: they have none.
    """
    cdef uint8_t* member
    cdef uint8_t* fresh
    cdef const char* text
    cdef size_t size

    while members > 0:
        member = <uint8_t*>table_next(walk)
        if member is NULL:
            return True
        text = member_text(member, &size)
        if source is not NULL and member_has_deadline(member):
            fresh = timed_member(account, text, size)
            table_add(copy, fresh, hash_bytes(text, size))
            heap_set(expires, fresh, heap_when(&source.expires, member))
        else:
            set_table_put(account, copy, text, size, hash_bytes(text, size))
        members -= 1
    return False


cdef bint set_copy_some(Account* account, Entry* copy, const Entry* source, TableIter* walk, int64_t members) noexcept:
    """Put the next members that a walk of the source's table comes to into the copy; whether it is at its end."""
    if entry_encoding(copy) == ENC_HASHTABLE_EX:
        return copy_members(account, set_table(copy), &set_timed(copy).expires, set_timed(source), walk, members)
    return copy_members(account, set_table(copy), NULL, NULL, walk, members)


cdef Entry* set_copy(Account* account, const Entry* e, const char* key, size_t key_size) noexcept:
    """A copy under another key, in the same encoding."""
    cdef int encoding = entry_encoding(e)
    cdef TableIter walk
    cdef Entry* copy
    cdef void* value

    if encoding == ENC_HASHTABLE_EX:
        copy = set_copy_begin(account, e, key, key_size)
        table_iter(&walk, set_table(e))
        set_copy_some(account, copy, e, &walk, INT64_MAX)
        table_iter_end(&walk)
        return copy
    if encoding == ENC_INTSET:
        value = ints_copy(account, set_bytes(e))
    elif encoding == ENC_LISTPACK:
        value = lp_copy(account, set_bytes(e))
    else:
        value = table_copy(account, set_table(e))
    return entry_new(account, TYPE_SET, encoding, key, key_size, value)


cdef Entry* set_copy_begin(Account* account, const Entry* e, const char* key, size_t key_size) noexcept:
    """For a set in a table: one without members, but with room for e's."""
    cdef Entry* copy
    cdef TimedSet* s

    if entry_encoding(e) == ENC_HASHTABLE_EX:
        s = timed_new(account, set_count(e))
        copy = entry_new(account, TYPE_SET, ENC_HASHTABLE_EX, key, key_size, s)
        s.ttl.entry = copy
        return copy
    return set_new_of(account, set_table_new(account, table_count(set_table(e))), key, key_size)


cdef size_t set_value_bytes(const Entry* e, int64_t samples) noexcept:
    """Bytes outside of the entry, as the account has them; of a table's members `samples` are measured, 0: all."""
    cdef Table* t
    cdef TableIter walk
    cdef size_t fixed, members = 0
    cdef int64_t measured = 0
    cdef void* member

    if entry_encoding(e) == ENC_INTSET:
        return ints_charge(set_bytes(e))
    if entry_encoding(e) == ENC_LISTPACK:
        return lp_charge(set_bytes(e))
    t = set_table(e)
    fixed = table_bytes(t)
    if entry_encoding(e) == ENC_HASHTABLE_EX:
        fixed += mem_charge(t, sizeof(TimedSet)) + heap_bytes(&set_timed(e).expires)
    else:
        fixed += mem_charge(t, sizeof(Table))
    table_iter(&walk, t)
    while samples == 0 or measured < samples:
        member = table_next(&walk)
        if member is NULL:
            break
        members += mem_charge(member, member_block(<const uint8_t*>member))
        measured += 1
    table_iter_end(&walk)
    return fixed + (members * table_count(t) // measured if measured else 0)


cdef int verify_timed(TimedSet* s) except -1:
    """The heap, and that its members and those of the table with deadlines are the same."""
    cdef TableIter it
    cdef uint8_t* member
    cdef uint64_t timed = 0

    heap_verify(&s.expires)
    table_iter(&it, &s.members)
    try:
        member = <uint8_t*>table_next(&it)
        while member is not NULL:
            if member_has_deadline(member):
                timed += 1
                if heap_slot(&s.expires, member_index(member)[0]).item != member:
                    raise AssertionError("another member is where this one thinks it is in the heap")
            member = <uint8_t*>table_next(&it)
    finally:
        table_iter_end(&it)
    if timed != s.expires.count:
        raise AssertionError(f"{timed} members have deadlines, {s.expires.count} are in the heap")
    return 0


cdef int set_verify(Entry* e) except -1:
    """Walk through the memory of the value: each encoding's own rules, and no member twice."""
    cdef SetIter it
    cdef LpItem item
    cdef set seen = set()

    if entry_encoding(e) == ENC_INTSET:
        ints_verify(set_bytes(e))
    elif entry_encoding(e) == ENC_LISTPACK:
        lp_verify(set_bytes(e))
    else:
        table_verify(set_table(e))
    if entry_encoding(e) == ENC_HASHTABLE_EX:
        verify_timed(set_timed(e))
    set_iter(&it, e)
    while set_next(&it, &item):
        seen.add(item.text[:item.size] if item.text is not NULL else b"%d" % item.number)
    set_iter_end(&it)
    if <uint64_t>len(seen) != set_count(e):
        raise AssertionError(f"set of {set_count(e)}, but {len(seen)} different members")
    return 0


# ---------------------------------------------------------------- reading

cdef uint64_t set_count(const Entry* e) noexcept:
    """Members."""
    if set_in_table(e):
        return table_count(set_table(e)) if set_table(e) is not NULL else 0
    if entry_encoding(e) == ENC_INTSET:
        return ints_count(set_bytes(e))
    return lp_count(set_bytes(e))


cdef bint set_contains(const Entry* e, const char* text, size_t size, uint64_t hash) noexcept:
    """O(1); O(log n) for an intset, O(n) for a listpack."""
    cdef int64_t number

    if set_in_table(e):
        return table_find(set_table(e), text, size, hash if hash else hash_bytes(text, size)) is not NULL
    if entry_encoding(e) == ENC_INTSET:
        return parse_int64(text, size, &number) and ints_contains(set_bytes(e), number)
    return lp_find(set_bytes(e), lp_first(set_bytes(e)), text, size, 0) is not NULL


cdef bint set_get_when(const Entry* e, const char* text, size_t size, uint64_t hash, int64_t* when_ms) noexcept:
    """Whether the set has the member, and its deadline, or NO_DEADLINE."""
    cdef uint8_t* member

    when_ms[0] = NO_DEADLINE
    if entry_encoding(e) != ENC_HASHTABLE_EX:
        return set_contains(e, text, size, hash)
    member = <uint8_t*>table_find(set_table(e), text, size, hash if hash else hash_bytes(text, size))
    if member is NULL:
        return False
    when_ms[0] = when_of(set_timed(e), member)
    return True


cdef uint64_t set_count_live(const Entry* e, int64_t gone_ms) noexcept:
    """Members that are not hidden."""
    cdef TimedSet* hiding = set_hiding(e, gone_ms)

    return set_count(e) - (heap_count_before(&hiding.expires, gone_ms) if hiding is not NULL else 0)


cdef uint8_t* set_random(Entry* e, uint64_t* seed, LpItem* item, int64_t gone_ms) noexcept:
    """Any member that is not hidden, of which there is one; its place in a listpack, for set_remove_item()."""
    cdef TimedSet* hiding
    cdef uint8_t* p = NULL

    if set_in_table(e):
        hiding = set_hiding(e, gone_ms)
        p = <uint8_t*>table_random(set_table(e), seed)
        while hiding is not NULL and member_is_gone(hiding, p, gone_ms):
            p = <uint8_t*>table_random(set_table(e), seed)
        item.text = member_text(p, &item.size)
        return NULL
    if entry_encoding(e) == ENC_INTSET:
        item.text = NULL
        item.number = ints_random(set_bytes(e), seed)
    else:
        p = lp_seek(set_bytes(e), random_below(seed, lp_count(set_bytes(e))))
        lp_get(p, item)
    return p


cdef void set_iter(SetIter* it, const Entry* e) noexcept:
    """Begin a walk through all members."""
    set_iter_live(it, e, 0)


cdef void set_iter_live(SetIter* it, const Entry* e, int64_t gone_ms) noexcept:
    """Begin a walk through those members that are not hidden."""
    it.encoding = ENC_HASHTABLE if set_in_table(e) else entry_encoding(e)
    it.hiding = set_hiding(e, gone_ms)
    it.gone_ms = gone_ms
    if it.encoding == ENC_HASHTABLE:
        table_iter(&it.walk, set_table(e))
    elif it.encoding == ENC_INTSET:
        it.ints = set_bytes(e)
        it.position = 0
    else:
        it.lp = set_bytes(e)
        it.p = lp_first(it.lp)


cdef bint set_next(SetIter* it, LpItem* item) noexcept:
    cdef uint8_t* member

    if it.encoding == ENC_HASHTABLE:
        member = <uint8_t*>table_next(&it.walk)
        while unlikely(it.hiding is not NULL) and member is not NULL and (
                member_is_gone(it.hiding, member, it.gone_ms)):
            member = <uint8_t*>table_next(&it.walk)
        if member is NULL:
            return False
        item.text = member_text(member, &item.size)
        return True
    if it.encoding == ENC_INTSET:
        if it.position == ints_count(it.ints):
            return False
        item.text = NULL
        item.number = ints_get(it.ints, it.position)
        it.position += 1
        return True
    if it.p is NULL:
        return False
    lp_get(it.p, item)
    it.p = lp_next(it.lp, it.p)
    return True


cdef void set_iter_end(SetIter* it) noexcept:
    if it.encoding == ENC_HASHTABLE:
        table_iter_end(&it.walk)


# ---------------------------------------------------------------- changing

cdef bint set_add(Account* account, const Limits* limits, Entry* e, const char* text, size_t size,
                  uint64_t hash) noexcept:
    """Add a member; False: it is in already."""
    cdef int encoding = entry_encoding(e)
    cdef int64_t number

    if encoding == ENC_LISTPACK:
        if lp_find(set_bytes(e), lp_first(set_bytes(e)), text, size, 0) is not NULL:
            return False
        if listpack_may_take(limits, lp_count(set_bytes(e)), lp_bytes(set_bytes(e)), size):
            entry_slot(e)[0] = lp_append(account, set_bytes(e), text, size)
            return True
        to_table(account, e, lp_count(set_bytes(e)) + 1)
    elif encoding == ENC_INTSET:
        if parse_int64(text, size, &number):
            return add_number(account, limits, e, number)
        return add_word(account, limits, e, text, size)
    return set_table_add(account, set_table(e), text, size, hash)


cdef inline bint listpack_may_take(const Limits* limits, uint64_t count, size_t bytes, size_t size) noexcept:
    """Whether a listpack of so many elements and bytes may get another one of `size` bytes."""
    return count < <uint64_t>limits.set_max_listpack_entries and size <= <size_t>limits.set_max_listpack_value and (
        bytes + size <= LP_MAX - LISTPACK_SLACK)


cdef bint add_number(Account* account, const Limits* limits, Entry* e, int64_t number) noexcept:
    """Add to an intset."""
    cdef bint added

    entry_slot(e)[0] = ints_add(account, set_bytes(e), number, &added)
    if added and ints_count(set_bytes(e)) > max_intset(limits):
        to_table(account, e, ints_count(set_bytes(e)))
    return added


cdef bint add_word(Account* account, const Limits* limits, Entry* e, const char* text, size_t size) noexcept:
    """Add what is no integer to an intset, which it cannot stay."""
    cdef uint8_t* ints = set_bytes(e)
    cdef uint64_t count = ints_count(ints)
    cdef char[INT64_TEXT] digits
    cdef int longest = 0

    if count:
        longest = max(format_int64(digits, ints_get(ints, 0)), format_int64(digits, ints_get(ints, count - 1)))
    if longest <= limits.set_max_listpack_value and listpack_may_take(limits, count, count * INT64_TEXT, size):
        to_listpack(account, e)
        entry_slot(e)[0] = lp_append(account, set_bytes(e), text, size)
        return True
    to_table(account, e, count + 1)
    return set_table_add(account, set_table(e), text, size, 0)


cdef bint set_remove(Account* account, Entry* e, const char* text, size_t size, uint64_t hash) noexcept:
    """Remove a member; False: it is not in. The set may be empty afterwards."""
    cdef int64_t number
    cdef bint removed = False
    cdef uint8_t* p

    if set_in_table(e):
        return table_discard(account, e, text, size, hash)
    if entry_encoding(e) == ENC_INTSET:
        if parse_int64(text, size, &number):
            entry_slot(e)[0] = ints_remove(account, set_bytes(e), number, &removed)
        return removed
    p = lp_find(set_bytes(e), lp_first(set_bytes(e)), text, size, 0)
    if p is NULL:
        return False
    entry_slot(e)[0] = lp_delete(account, set_bytes(e), &p, 1)
    return True


cdef int set_remove_item(Account* account, Entry* e, const LpItem* item, uint8_t* p) noexcept:
    """Remove a member that set_random() returned, at p if it is a listpack. The item is gone, too."""
    cdef bint removed

    if set_in_table(e):
        table_discard(account, e, item.text, item.size, 0)
    elif entry_encoding(e) == ENC_INTSET:
        entry_slot(e)[0] = ints_remove(account, set_bytes(e), item.number, &removed)
    else:
        entry_slot(e)[0] = lp_delete(account, set_bytes(e), &p, 1)
    return 0
