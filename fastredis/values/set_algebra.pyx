"""Set algebra. The design comment is in set_algebra.pxd."""
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport qsort
from libc.string cimport memcmp, memcpy, memmove, memset

from fastredis.ds.alloc cimport mem_alloc, mem_free, mem_realloc
from fastredis.ds.intset cimport ints_contains, ints_count, ints_get
from fastredis.ds.listpack cimport lp_find, lp_first, lp_get, lp_next, lp_text
from fastredis.ds.native cimport ctz64, hash_bytes, likely, prefetch, unlikely
from fastredis.ds.numbers cimport INT64_TEXT, parse_int64
from fastredis.ds.table cimport (
    CHAINED, FULL, Bucket, entry_of, match8, next_of, prefetch_matches, table_count, table_find, tag_of, told_bits,
    told_hash,
)
from fastredis.values.entry cimport ENC_HASHTABLE, ENC_INTSET, ENC_LISTPACK, entry_encoding
from fastredis.values.member cimport member_text
from fastredis.values.set_type cimport (
    TimedSet, member_is_gone, set_add, set_bytes, set_count, set_hiding, set_in_table, set_new, set_new_of, set_table,
    set_table_add, set_table_free, set_table_new, set_table_put, set_to_intset,
)

cdef enum:
    FEW_SETS = 8                # a union of more distinct sets is made in the scratch table; more are sorted by qsort()
    MERGE_RATIO = 16            # of two intsets, one so many times as large is searched, not merged
    BIG_SET = 512               # a union of smaller sets keeps the order of the sets
    CACHED_MEMBERS = 4096       # a table of no more is taken to be in the cache: nothing is asked for ahead
    JOIN_MIN = 6                # fewer members are searched in a listpack one by one
    JOIN_BITS = 7
    JOIN_SLOTS = 1 << JOIN_BITS
    NOBODY = 0xFF
    COPY_AHEAD = 8              # members asked for ahead when the result is laid out

cdef extern from *:
    """
    #define FR_ALL_BITS (~0ULL)
    #define FR_TAG_BITS (0xFFULL << 56)
    """
    const uint64_t ALL_BITS "FR_ALL_BITS"
    const uint64_t TAG_BITS "FR_TAG_BITS"


# ---------------------------------------------------------------- members of a set, batch by batch

cdef struct Source:
    int encoding
    const uint8_t* data         # of an intset or a listpack
    const uint8_t* p            # next element of the listpack
    uint64_t position           # next number of the intset
    Table* table
    int which                   # array of the table
    uint64_t index              # bucket in it
    Bucket* bucket              # of its chain; NULL: go to the bucket of `index`
    uint32_t left               # slots of the bucket still to come, as bits
    TimedSet* hiding            # whose members are hidden that have deadlines before gone_ms; NULL: none is
    int64_t gone_ms


cdef void source_of_table(Source* s, Table* t) noexcept:
    s.encoding = ENC_HASHTABLE
    s.table = t
    s.which = 0
    s.index = t.rehash_index if t.rehash_index > 0 else 0
    s.bucket = NULL
    s.left = 0
    s.hiding = NULL


cdef void source_of(Source* s, const Entry* e, int64_t gone_ms) noexcept:
    if set_in_table(e):
        source_of_table(s, set_table(e))
        s.hiding = set_hiding(e, gone_ms)
        s.gone_ms = gone_ms
        return
    s.encoding = entry_encoding(e)
    s.data = set_bytes(e)
    s.position = 0
    s.p = lp_first(s.data) if s.encoding == ENC_LISTPACK else NULL


cdef bint source_fill(Source* s, Batch* batch) noexcept:
    """The next members; False: there are none."""
    cdef Probe* probe

    batch.count = 0
    if s.encoding == ENC_HASHTABLE:
        fill_from_table(s, batch)
    elif s.encoding == ENC_INTSET:
        while batch.count < PROBES and s.position < ints_count(s.data):
            probe = &batch.probe[batch.count]
            probe.item.text = NULL
            probe.item.number = ints_get(s.data, s.position)
            probe.known = 0
            s.position += 1
            batch.count += 1
    else:
        while batch.count < PROBES and s.p is not NULL:
            probe = &batch.probe[batch.count]
            lp_get(s.p, &probe.item)
            probe.known = 0
            s.p = lp_next(s.data, s.p)
            batch.count += 1
    return batch.count != 0


cdef void fill_from_table(Source* s, Batch* batch) noexcept:
    """Take the members' places first and their text when it had time to come."""
    cdef Table* t = s.table
    cdef Probe* probe
    cdef int i, slot

    while batch.count < PROBES:
        if s.left == 0 and not next_bucket(s):
            break
        slot = ctz64(s.left)
        s.left &= s.left - 1
        if unlikely(s.hiding is not NULL) and (
                member_is_gone(s.hiding, <uint8_t*>entry_of(s.bucket.slot[slot]), s.gone_ms)):
            continue
        probe = &batch.probe[batch.count]
        probe.item.text = <const char*>entry_of(s.bucket.slot[slot])
        probe.hash = told_hash(s.bucket, s.index, slot)
        probe.known = told_bits(t.mask[s.which]) | TAG_BITS
        prefetch(probe.item.text)
        batch.count += 1
    for i in range(batch.count):
        probe = &batch.probe[i]
        probe.item.text = member_text(<const uint8_t*>probe.item.text, &probe.item.size)


cdef bint next_bucket(Source* s) noexcept:
    """Go to the next bucket that has members; False: there is none."""
    cdef Table* t = s.table

    while True:
        if s.bucket is not NULL and s.bucket.use & CHAINED:
            s.bucket = next_of(s.bucket)
        else:
            if s.bucket is not NULL:
                s.index += 1
            while s.which < 2 and (t.buckets[s.which] is NULL or s.index > t.mask[s.which]):
                s.which += 1
                s.index = 0
            if s.which == 2:
                s.bucket = NULL
                return False
            s.bucket = &t.buckets[s.which][s.index]
        s.left = s.bucket.use & FULL
        if s.left:
            return True


# ---------------------------------------------------------------- is it in that set?

cdef inline void know_all(Probe* probe) noexcept:
    """Compute the full hash."""
    cdef char[INT64_TEXT] digits
    cdef const char* text
    cdef size_t size

    if probe.known != ALL_BITS:
        text = lp_text(&probe.item, digits, &size)
        probe.hash = hash_bytes(text, size)
        probe.known = ALL_BITS


cdef inline void know_enough(Probe* probe, uint64_t mask) noexcept:
    """See that the hash tells the bucket of an array, but for EXPAND of them at most."""
    cdef uint64_t known = probe.known & ~TAG_BITS

    if probe.known == 0 or (known < mask and (mask + 1) // (known + 1) > EXPAND):
        know_all(probe)


cdef inline void ask_buckets(Table* t, int which, const Probe* probe) noexcept:
    cdef uint64_t mask = t.mask[which]
    cdef uint64_t known = probe.known & ~TAG_BITS & mask
    cdef uint64_t index = probe.hash & known

    while index <= mask:
        prefetch(&t.buckets[which][index])
        index += known + 1


cdef inline void ask_members(Table* t, int which, const Probe* probe) noexcept:
    cdef uint64_t mask = t.mask[which]
    cdef uint64_t known = probe.known & ~TAG_BITS & mask
    cdef uint64_t index = probe.hash & known

    while index <= mask:
        if which == 1 or <int64_t>index >= t.rehash_index:
            prefetch_matches(&t.buckets[which][index], tag_of(probe.hash))
        index += known + 1


cdef inline bint chain_has(const Bucket* bucket, uint8_t tag, const char* text, size_t size) noexcept:
    cdef const char* other
    cdef size_t other_size
    cdef uint32_t found

    while True:
        found = match8(bucket.tag, tag) & bucket.use & FULL
        while found:
            other = member_text(<const uint8_t*>entry_of(bucket.slot[ctz64(found)]), &other_size)
            if likely(other_size == size and memcmp(other, text, size) == 0):
                return True
            found &= found - 1
        if likely(not bucket.use & CHAINED):
            return False
        bucket = next_of(bucket)


cdef inline bint array_has(Table* t, int which, const Probe* probe, const char* text, size_t size) noexcept:
    cdef uint64_t mask = t.mask[which]
    cdef uint64_t known = probe.known & ~TAG_BITS & mask
    cdef uint64_t index = probe.hash & known

    while index <= mask:
        if (which == 1 or <int64_t>index >= t.rehash_index) and (
                chain_has(&t.buckets[which][index], tag_of(probe.hash), text, size)):
            return True
        index += known + 1
    return False


cdef inline void keep_if(Batch* batch, int i, int* kept, bint condition) noexcept:
    if condition:
        if i != kept[0]:
            batch.probe[kept[0]] = batch.probe[i]
        kept[0] += 1


cdef void filter_by_table(Batch* batch, Table* t, bint present) noexcept:
    cdef int first = 0 if t.buckets[0] is not NULL else 1
    cdef int arrays = 2 if t.buckets[1] is not NULL else 1
    cdef int i, which, kept = 0
    cdef char[INT64_TEXT] digits
    cdef const char* text
    cdef size_t size
    cdef bint found
    cdef bint large = table_count(t) > CACHED_MEMBERS

    for i in range(batch.count):
        for which in range(first, arrays):
            know_enough(&batch.probe[i], t.mask[which])
            if large:
                ask_buckets(t, which, &batch.probe[i])
    if large:
        for i in range(batch.count):
            for which in range(first, arrays):
                ask_members(t, which, &batch.probe[i])
    for i in range(batch.count):
        text = lp_text(&batch.probe[i].item, digits, &size)
        found = False
        for which in range(first, arrays):
            found = found or array_has(t, which, &batch.probe[i], text, size)
        keep_if(batch, i, &kept, found == present)
    batch.count = kept


cdef void filter_by_intset(Batch* batch, const uint8_t* ints, bint present) noexcept:
    cdef LpItem* item
    cdef int64_t number
    cdef int i, kept = 0

    for i in range(batch.count):
        item = &batch.probe[i].item
        number = item.number
        keep_if(batch, i, &kept, (
            (item.text is NULL or parse_int64(item.text, item.size, &number)) and ints_contains(ints, number)
        ) == present)
    batch.count = kept


cdef inline uint32_t quick_hash(const LpItem* item) noexcept:
    """A number below JOIN_SLOTS. Not keyed: members chosen to be alike cost what a search of each would."""
    cdef uint64_t first = 0, last = 0
    cdef size_t size = item.size if item.text is not NULL else 0

    if item.text is NULL:
        first = <uint64_t>item.number
    elif size >= 8:
        memcpy(&first, item.text, 8)
        memcpy(&last, item.text + size - 8, 8)
    elif size >= 4:
        memcpy(&first, item.text, 4)
        memcpy(&last, item.text + size - 4, 4)
    elif size:
        first = <uint8_t>item.text[0] | <uint64_t><uint8_t>item.text[size >> 1] << 8
        last = <uint8_t>item.text[size - 1]
    first = (first ^ last >> 5) * <uint64_t>0x9E3779B97F4A7C15ULL + last * <uint64_t>0xC2B2AE3D27D4EB4FULL
    return <uint32_t>(first >> (64 - JOIN_BITS))


cdef inline bint same_item(const LpItem* a, const LpItem* b) noexcept:
    """For items of which those that are integers are numbers."""
    if a.text is NULL or b.text is NULL:
        return a.text == b.text and a.number == b.number
    return a.size == b.size and memcmp(a.text, b.text, a.size) == 0


cdef uint64_t join_listpack(Batch* batch, const uint8_t* lp) noexcept:
    """Which members of the batch the listpack has, as bits: a small hash table of the batch, one walk of the listpack.

    Text that is an integer becomes a number in the batch.
    """
    cdef uint8_t[JOIN_SLOTS] head
    cdef uint8_t[PROBES] behind
    cdef uint64_t found = 0
    cdef const uint8_t* p = lp_first(lp)
    cdef LpItem* item
    cdef LpItem element
    cdef uint32_t slot
    cdef int i

    memset(head, NOBODY, JOIN_SLOTS)
    for i in range(batch.count):
        item = &batch.probe[i].item
        if item.text is not NULL and parse_int64(item.text, item.size, &item.number):
            item.text = NULL
        slot = quick_hash(item)
        behind[i] = head[slot]
        head[slot] = i
    while p is not NULL:
        lp_get(p, &element)
        i = head[quick_hash(&element)]
        while i != NOBODY and not same_item(&element, &batch.probe[i].item):
            i = behind[i]
        if i != NOBODY:
            found |= <uint64_t>1 << i
        p = lp_next(lp, p)
    return found


cdef void filter_by_listpack(Batch* batch, const uint8_t* lp, bint present) noexcept:
    cdef char[INT64_TEXT] digits
    cdef const char* text
    cdef size_t size
    cdef uint64_t found
    cdef int i, kept = 0

    if batch.count >= JOIN_MIN:
        found = join_listpack(batch, lp)
        for i in range(batch.count):
            keep_if(batch, i, &kept, (found >> i & 1) == present)
    else:
        for i in range(batch.count):
            text = lp_text(&batch.probe[i].item, digits, &size)
            keep_if(batch, i, &kept, (lp_find(lp, lp_first(lp), text, size, 0) is not NULL) == present)
    batch.count = kept


cdef void filter_by_hiding(Batch* batch, TimedSet* s, int64_t gone_ms, bint present) noexcept:
    """By a set that hides some of its members: those are looked up one by one."""
    cdef char[INT64_TEXT] digits
    cdef const char* text
    cdef size_t size
    cdef uint8_t* member
    cdef int i, kept = 0

    for i in range(batch.count):
        know_all(&batch.probe[i])
        text = lp_text(&batch.probe[i].item, digits, &size)
        member = <uint8_t*>table_find(&s.members, text, size, batch.probe[i].hash)
        keep_if(batch, i, &kept, (member is not NULL and not member_is_gone(s, member, gone_ms)) == present)
    batch.count = kept


cdef inline void filter_by(const Algebra* a, Batch* batch, const Entry* e, bint present) noexcept:
    """Keep the members that are in the set, or those that are not."""
    if batch.count == 0:
        return
    if set_in_table(e):
        if unlikely(set_hiding(e, a.gone_ms) is not NULL):
            filter_by_hiding(batch, set_hiding(e, a.gone_ms), a.gone_ms, present)
        else:
            filter_by_table(batch, set_table(e), present)
    elif entry_encoding(e) == ENC_INTSET:
        filter_by_intset(batch, set_bytes(e), present)
    else:
        filter_by_listpack(batch, set_bytes(e), present)


# ---------------------------------------------------------------- the sets

cdef struct Place:              # a set that is sorted; one that was given earlier comes first among equal ones
    Entry* e
    uint64_t rank
    int place


cdef int by_rank(const void* a, const void* b) noexcept nogil:
    cdef const Place* one = <const Place*>a
    cdef const Place* other = <const Place*>b

    if one.rank != other.rank:
        return -1 if one.rank < other.rank else 1
    return one.place - other.place


cdef int drop_missing(Algebra* a, int first) except -1:
    """Take out the empty sets, and those that came before, from a.sets[first] on."""
    if a.count - first > FEW_SETS:
        return drop_missing_of_many(a, first)
    drop_missing_of_few(a, first)
    return 0


cdef int drop_missing_of_many(Algebra* a, int first) except -1:
    """The same, where comparing each with each would take too long: the same ones are neighbours once sorted."""
    cdef size_t size = (a.count - first) * sizeof(Place)
    cdef Place* places = <Place*>mem_alloc(a.account, size)
    cdef Entry* last = NULL
    cdef int i, count = a.count - first

    for i in range(count):
        places[i] = Place(a.sets[first + i], <uint64_t><size_t>a.sets[first + i], i)
    qsort(places, count, sizeof(Place), by_rank)
    for i in range(count):
        if places[i].e is last:         # NULL at the beginning
            a.sets[first + places[i].place] = NULL
        last = places[i].e
    mem_free(a.account, places, size)
    count, a.count = a.count, first
    for i in range(first, count):
        if a.sets[i] is not NULL:
            a.sets[a.count] = a.sets[i]
            a.count += 1
    return 0


cdef void drop_missing_of_few(Algebra* a, int first) noexcept:
    cdef int i, k, kept = first

    for i in range(first, a.count):
        for k in range(first, kept):
            if a.sets[k] == a.sets[i]:
                break
        else:
            if a.sets[i] is not NULL:
                a.sets[kept] = a.sets[i]
                kept += 1
    a.count = kept


cdef int sort_sets(Algebra* a, int first, bint descending) except -1:
    """Sort a.sets[first:] by the number of members; equal ones keep their order."""
    if a.count - first > FEW_SETS:
        return sort_many_sets(a, first, descending)
    sort_few_sets(a, first, descending)
    return 0


cdef int sort_many_sets(Algebra* a, int first, bint descending) except -1:
    cdef size_t size = (a.count - first) * sizeof(Place)
    cdef Place* places = <Place*>mem_alloc(a.account, size)
    cdef uint64_t members
    cdef int i, count = a.count - first

    for i in range(count):
        members = set_count(a.sets[first + i])
        places[i] = Place(a.sets[first + i], ~members if descending else members, i)
    qsort(places, count, sizeof(Place), by_rank)
    for i in range(count):
        a.sets[first + i] = places[i].e
    mem_free(a.account, places, size)
    return 0


cdef void sort_few_sets(Algebra* a, int first, bint descending) noexcept:
    cdef Entry* e
    cdef uint64_t members
    cdef int i, k

    for i in range(first + 1, a.count):
        e = a.sets[i]
        members = set_count(e)
        k = i
        while k > first and (set_count(a.sets[k - 1]) < members if descending else
                             set_count(a.sets[k - 1]) > members):
            a.sets[k] = a.sets[k - 1]
            k -= 1
        a.sets[k] = e


cdef bint all_intsets(const Algebra* a) noexcept:
    cdef int i

    for i in range(a.count):
        if entry_encoding(a.sets[i]) != ENC_INTSET:
            return False
    return True


cdef bint send_rest(Algebra* a, Batch* batch) except -1:
    """Hand a batch on; True: that was enough."""
    return a.sink(a.context, batch) if batch.count else False


cdef bint send_number(Algebra* a, Batch* batch, int64_t number) except -1:
    """Put a number into the batch and hand that on when it is full; True: that was enough."""
    cdef Probe* probe = &batch.probe[batch.count]
    cdef bint enough

    probe.item.text = NULL
    probe.item.number = number
    probe.known = 0
    batch.count += 1
    if batch.count < PROBES:
        return False
    enough = a.sink(a.context, batch)
    batch.count = 0
    return enough


# ---------------------------------------------------------------- intersection

cdef int algebra_intersect(Algebra* a) except -1:
    """Members of all sets: those of the smallest that are in each of the others, the next larger first."""
    cdef Source source
    cdef Batch batch
    cdef int i

    for i in range(a.count):
        if a.sets[i] is NULL:
            return 0
    drop_missing(a, 0)
    sort_sets(a, 0, False)
    if a.count == 2 and all_intsets(a) and set_count(a.sets[1]) // MERGE_RATIO < set_count(a.sets[0]):
        return intersect_sorted(a, set_bytes(a.sets[0]), set_bytes(a.sets[1]))
    source_of(&source, a.sets[0], a.gone_ms)
    while source_fill(&source, &batch):
        for i in range(1, a.count):
            filter_by(a, &batch, a.sets[i], True)
        if send_rest(a, &batch):
            break
    return 0


cdef int intersect_sorted(Algebra* a, const uint8_t* one, const uint8_t* other) except -1:
    """The numbers of both intsets, by going through them side by side."""
    cdef uint64_t count = ints_count(one), other_count = ints_count(other)
    cdef uint64_t i = 0, k = 0
    cdef int64_t x, y
    cdef Batch batch

    batch.count = 0
    if count == 0 or other_count == 0:
        return 0
    x = ints_get(one, 0)
    y = ints_get(other, 0)
    while True:
        if x == y and send_number(a, &batch, x):
            return 0
        if x <= y:
            i += 1
            if i == count:
                break
            x = ints_get(one, i)
        else:
            k += 1
            if k == other_count:
                break
            y = ints_get(other, k)
    send_rest(a, &batch)
    return 0


# ---------------------------------------------------------------- union

cdef int algebra_unite(Algebra* a) except -1:
    """Members of any set: all of one, then of each other those that are in none before it.

    Sorted when all are intsets, as Redis replies it.
    """
    cdef Source source
    cdef Batch batch
    cdef uint64_t largest = 0
    cdef int i, k

    drop_missing(a, 0)
    for i in range(a.count):
        largest = max(largest, set_count(a.sets[i]))
    if a.count > FEW_SETS:
        return unite_in_scratch(a)
    if a.count > 1 and all_intsets(a):
        return unite_sorted(a)
    if largest > BIG_SET:
        sort_sets(a, 0, True)           # the largest are gone through without being looked up
    for i in range(a.count):
        source_of(&source, a.sets[i], a.gone_ms)
        while source_fill(&source, &batch):
            for k in range(i):
                filter_by(a, &batch, a.sets[k], False)
            if send_rest(a, &batch):
                return 0
    return 0


cdef int unite_sorted(Algebra* a) except -1:
    """Merge up to FEW_SETS intsets."""
    cdef uint64_t[FEW_SETS] position
    cdef int64_t[FEW_SETS] head         # next number of each; those that have none are taken out
    cdef const uint8_t* ints[FEW_SETS]
    cdef int64_t least
    cdef Batch batch
    cdef int i, left = a.count

    batch.count = 0
    for i in range(left):
        ints[i] = set_bytes(a.sets[i])
        position[i] = 0
        head[i] = ints_get(ints[i], 0)
    while left:
        least = head[0]
        for i in range(1, left):
            least = min(least, head[i])
        if send_number(a, &batch, least):
            return 0
        i = 0
        while i < left:
            if head[i] == least:
                position[i] += 1
                if position[i] == ints_count(ints[i]):
                    left -= 1
                    ints[i], position[i], head[i] = ints[left], position[left], head[left]
                    continue
                head[i] = ints_get(ints[i], position[i])
            i += 1
    send_rest(a, &batch)
    return 0


cdef int gather(Algebra* a, int first) noexcept:
    """Put all members of a.sets[first:] into the scratch table."""
    cdef Source source
    cdef Batch batch
    cdef uint64_t largest = 0
    cdef char[INT64_TEXT] digits
    cdef const char* text
    cdef size_t size
    cdef int i, k

    for i in range(first, a.count):
        largest = max(largest, set_count(a.sets[i]))
    a.scratch = set_table_new(a.account, largest)
    for i in range(first, a.count):
        source_of(&source, a.sets[i], a.gone_ms)
        while source_fill(&source, &batch):
            for k in range(batch.count):
                know_all(&batch.probe[k])
                ask_buckets(a.scratch, 0, &batch.probe[k])
            for k in range(batch.count):
                text = lp_text(&batch.probe[k].item, digits, &size)
                set_table_add(a.account, a.scratch, text, size, batch.probe[k].hash)
    return 0


cdef int unite_in_scratch(Algebra* a) except -1:
    """The union of many sets: each member is looked up once, not in every set before its own."""
    cdef Source source
    cdef Batch batch

    gather(a, 0)
    source_of_table(&source, a.scratch)
    while source_fill(&source, &batch):
        if send_rest(a, &batch):
            break
    return 0


# ---------------------------------------------------------------- difference

cdef int algebra_subtract(Algebra* a) except -1:
    """Members of the first set that are in none of the others.

    Looks each up in the others, the largest first; when these are many and small, in a table of all their
    members. Redis's rule says when: that many steps, halved, are more than members there are.
    """
    cdef Source source
    cdef Batch batch
    cdef Entry* first = a.sets[0]
    cdef uint64_t steps, members
    cdef int i

    if first is NULL:
        return 0
    for i in range(1, a.count):
        if a.sets[i] == first:
            return 0
    drop_missing(a, 1)
    sort_sets(a, 1, True)
    members = set_count(first)
    steps = members * a.count // 2
    for i in range(1, a.count):
        members += set_count(a.sets[i])
    if a.count > 2 and steps > members:
        gather(a, 1)
    source_of(&source, first, a.gone_ms)
    while source_fill(&source, &batch):
        if a.scratch is not NULL:
            filter_by_table(&batch, a.scratch, False)
        else:
            for i in range(1, a.count):
                filter_by(a, &batch, a.sets[i], False)
        if send_rest(a, &batch):
            break
    return 0


cdef void algebra_end(Algebra* a) noexcept:
    """Free what was copied; items that were handed on may have lain there."""
    set_table_free(a.account, a.scratch)
    a.scratch = NULL


# ---------------------------------------------------------------- a set of the result

cdef bint collect_sink(void* context, Batch* batch) except -1:
    """Sink: keep what comes in a Collected. The items' text stays where it lies."""
    cdef Collected* found = <Collected*>context
    cdef uint64_t room = found.room

    if found.count + batch.count > room:
        room = room * 2 if room else PROBES
        found.probes = <Probe*>mem_realloc(found.account, found.probes, found.room * sizeof(Probe),
                                           room * sizeof(Probe))
        found.room = room
    memmove(found.probes + found.count, batch.probe, batch.count * sizeof(Probe))
    found.count += batch.count
    return False


cdef void collected_free(Collected* found) noexcept:
    mem_free(found.account, found.probes, found.room * sizeof(Probe))
    found.probes = NULL
    found.count = found.room = 0


cdef Table* collected_table(Account* account, Collected* found) noexcept:
    cdef Table* t = set_table_new(account, found.count)
    cdef char[INT64_TEXT] digits
    cdef const char* text
    cdef size_t size
    cdef uint64_t i

    for i in range(found.count):
        if i + COPY_AHEAD < found.count:
            prefetch(found.probes[i + COPY_AHEAD].item.text)
        if t.mask[0] & ~found.probes[i].known or found.probes[i].known == 0:
            know_all(&found.probes[i])
        text = lp_text(&found.probes[i].item, digits, &size)
        set_table_put(account, t, text, size, found.probes[i].hash)
    return t


cdef bint all_integers(const Collected* found) noexcept:
    cdef uint64_t i
    cdef LpItem* item
    cdef int64_t number

    for i in range(found.count):
        item = &found.probes[i].item
        if item.text is not NULL and not parse_int64(item.text, item.size, &number):
            return False
    return True


cdef Entry* collected_set(Account* account, const Limits* limits, Collected* found, int encoding, bint to_intset,
                          const char* key, size_t key_size) noexcept:
    """A set of what was collected, in the encoding that it has when members come one by one to an empty one.

    encoding: that of the empty set, ENC_INTSET or ENC_LISTPACK. to_intset: make it an intset afterwards if it may be.
    """
    cdef int64_t small = max(limits.set_max_intset_entries, limits.set_max_listpack_entries)
    cdef Entry* e
    cdef char[INT64_TEXT] digits
    cdef const char* text
    cdef size_t size
    cdef uint64_t i

    if found.count > <uint64_t>max(small, 0):
        return set_new_of(account, collected_table(account, found), key, key_size)
    e = set_new(account, encoding, key, key_size)
    for i in range(found.count):
        text = lp_text(&found.probes[i].item, digits, &size)
        set_add(account, limits, e, text, size, 0)
    if to_intset and all_integers(found):
        set_to_intset(account, limits, e)
    return e
