"""Sets. The design comment is in set_type.pxd."""
from libc.stdint cimport INT64_MAX, int64_t, uint8_t, uint64_t

from fastredis.ds.alloc cimport mem_alloc, mem_charge, mem_free, mem_give_up
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
    SLOTS, TableIter, table_add, table_bytes, table_count, table_drain, table_find, table_init, table_iter,
    table_iter_end, table_next, table_random, table_remove, table_reserve, table_verify,
)
from fastredis.values.entry cimport (
    ENC_HASHTABLE, ENC_INTSET, ENC_LISTPACK, TYPE_SET, entry_encoding, entry_new, entry_set_encoding,
)
from fastredis.values.member cimport MEMBER_MAX, member_bytes, member_text, member_write

cdef enum:
    MAX_INTSET = 1 << 30            # numbers of an intset, whatever the limit says (as in Redis)
    LISTPACK_SLACK = 64             # more than a listpack's element takes beside its text


cdef inline void put(Entry* e, int encoding, void* value) noexcept:
    entry_set_encoding(e, encoding)
    entry_slot(e)[0] = value


cdef inline uint64_t max_intset(const Limits* limits) noexcept:
    return min(limits.set_max_intset_entries, <int64_t>MAX_INTSET)


# ---------------------------------------------------------------- the table of members

cdef void key_of(const void* entry, const char** key, size_t* size) noexcept:
    """KeyOf of the table."""
    key[0] = member_text(<const uint8_t*>entry, size)


cdef inline void member_free(Account* account, void* member) noexcept:
    cdef size_t size

    member_text(<const uint8_t*>member, &size)
    mem_free(account, member, member_bytes(size))


cdef int free_visit(void* context, void* member) except -1:
    """Visit of table_drain; the context is the Account."""
    member_free(<Account*>context, member)
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


cdef bint table_discard(Account* account, Table* t, const char* text, size_t size, uint64_t hash) noexcept:
    cdef void* member = table_remove(t, text, size, hash if hash else hash_bytes(text, size))

    if member is NULL:
        return False
    member_free(account, member)
    return True


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

    if entry_encoding(e) == ENC_HASHTABLE and set_table(e) is not NULL:
        left = table_drain(set_table(e), elements // SLOTS + 1, free_visit, account)
        if left:
            return left
    set_free_value(account, e)
    put(e, ENC_HASHTABLE, NULL)
    return 0


cdef Table* table_copy(Account* account, Table* t) noexcept:
    cdef Table* copy = set_table_new(account, table_count(t))
    cdef TableIter walk

    table_iter(&walk, t)
    set_table_copy_some(account, copy, &walk, INT64_MAX)
    table_iter_end(&walk)
    return copy


cdef bint set_table_copy_some(Account* account, Table* copy, TableIter* walk, int64_t members) noexcept:
    """Put the next members that a walk comes to into another table; whether the walk is at its end."""
    cdef const uint8_t* member
    cdef const char* text
    cdef size_t size

    while members > 0:
        member = <const uint8_t*>table_next(walk)
        if member is NULL:
            return True
        text = member_text(member, &size)
        set_table_put(account, copy, text, size, hash_bytes(text, size))
        members -= 1
    return False


cdef Entry* set_copy(Account* account, const Entry* e, const char* key, size_t key_size) noexcept:
    """A copy under another key, in the same encoding."""
    cdef int encoding = entry_encoding(e)
    cdef void* value

    if encoding == ENC_INTSET:
        value = ints_copy(account, set_bytes(e))
    elif encoding == ENC_LISTPACK:
        value = lp_copy(account, set_bytes(e))
    else:
        value = table_copy(account, set_table(e))
    return entry_new(account, TYPE_SET, encoding, key, key_size, value)


cdef Entry* set_copy_begin(Account* account, const Entry* e, const char* key, size_t key_size) noexcept:
    """For an ENC_HASHTABLE set: one without members, but with room for e's."""
    return set_new_of(account, set_table_new(account, table_count(set_table(e))), key, key_size)


cdef size_t set_value_bytes(const Entry* e, int64_t samples) noexcept:
    """Bytes outside of the entry, as the account has them; of a table's members `samples` are measured, 0: all."""
    cdef Table* t
    cdef TableIter walk
    cdef size_t size, fixed, members = 0
    cdef int64_t measured = 0
    cdef void* member

    if entry_encoding(e) == ENC_INTSET:
        return ints_charge(set_bytes(e))
    if entry_encoding(e) == ENC_LISTPACK:
        return lp_charge(set_bytes(e))
    t = set_table(e)
    fixed = mem_charge(t, sizeof(Table)) + table_bytes(t)
    table_iter(&walk, t)
    while samples == 0 or measured < samples:
        member = table_next(&walk)
        if member is NULL:
            break
        member_text(<const uint8_t*>member, &size)
        members += mem_charge(member, member_bytes(size))
        measured += 1
    table_iter_end(&walk)
    return fixed + (members * table_count(t) // measured if measured else 0)


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
    if entry_encoding(e) == ENC_HASHTABLE:
        return table_count(set_table(e)) if set_table(e) is not NULL else 0
    if entry_encoding(e) == ENC_INTSET:
        return ints_count(set_bytes(e))
    return lp_count(set_bytes(e))


cdef bint set_contains(const Entry* e, const char* text, size_t size, uint64_t hash) noexcept:
    """O(1); O(log n) for an intset, O(n) for a listpack."""
    cdef int64_t number

    if entry_encoding(e) == ENC_HASHTABLE:
        return table_find(set_table(e), text, size, hash if hash else hash_bytes(text, size)) is not NULL
    if entry_encoding(e) == ENC_INTSET:
        return parse_int64(text, size, &number) and ints_contains(set_bytes(e), number)
    return lp_find(set_bytes(e), lp_first(set_bytes(e)), text, size, 0) is not NULL


cdef uint8_t* set_random(Entry* e, uint64_t* seed, LpItem* item) noexcept:
    """Any member of a set that is not empty; its place in a listpack, for set_remove_item()."""
    cdef uint8_t* p = NULL

    if entry_encoding(e) == ENC_HASHTABLE:
        item.text = member_text(<const uint8_t*>table_random(set_table(e), seed), &item.size)
    elif entry_encoding(e) == ENC_INTSET:
        item.text = NULL
        item.number = ints_random(set_bytes(e), seed)
    else:
        p = lp_seek(set_bytes(e), random_below(seed, lp_count(set_bytes(e))))
        lp_get(p, item)
    return p


cdef void set_iter(SetIter* it, const Entry* e) noexcept:
    it.encoding = entry_encoding(e)
    if it.encoding == ENC_HASHTABLE:
        table_iter(&it.walk, set_table(e))
    elif it.encoding == ENC_INTSET:
        it.ints = set_bytes(e)
        it.position = 0
    else:
        it.lp = set_bytes(e)
        it.p = lp_first(it.lp)


cdef bint set_next(SetIter* it, LpItem* item) noexcept:
    cdef const uint8_t* member

    if it.encoding == ENC_HASHTABLE:
        member = <const uint8_t*>table_next(&it.walk)
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

    if entry_encoding(e) == ENC_HASHTABLE:
        return table_discard(account, set_table(e), text, size, hash)
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

    if entry_encoding(e) == ENC_HASHTABLE:
        table_discard(account, set_table(e), item.text, item.size, 0)
    elif entry_encoding(e) == ENC_INTSET:
        entry_slot(e)[0] = ints_remove(account, set_bytes(e), item.number, &removed)
    else:
        entry_slot(e)[0] = lp_delete(account, set_bytes(e), &p, 1)
    return 0
