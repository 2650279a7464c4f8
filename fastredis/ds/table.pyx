"""Hash table of entry pointers. The design comment is in table.pxd."""
from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.string cimport memset

from fastredis.ds.alloc cimport (
    SMALL, mem_alloc, mem_calloc, mem_calloc_aligned, mem_charge, mem_free, mem_try_map, mem_unmap,
)
from fastredis.ds.native cimport bswap64, ctz64, hash_bytes, prefetch
from fastredis.ds.random cimport random_below

cdef enum:
    LAST = SLOTS - 1                # the slot that chains
    MAPPED_BUCKETS = 1024           # arrays from here on (64 KiB) are mapped pages
    # A mapped array goes back in pieces of 32 KiB: for 256 KiB the kernel took 50 to 280 us on a busy virtual machine.
    PIECE_BUCKETS = 512
    EMPTY_BUCKETS_PER_STEP = 16     # a rehash step skips at most this many
    OVERDUE = 4                     # `manual` holds growth back up to this many times the normal fill
    RANDOM_TRIES = 512              # then table_random counts instead of guessing
    SCAN_AHEAD = 4                  # a scan asks for the bucket that is so many steps ahead
    STATS_LENGTHS = 50              # chain lengths that table_stats tells apart


# ---------------------------------------------------------------- arrays of buckets

cdef Bucket* array_new(Table* t, uint64_t buckets) noexcept:
    """NULL: there is no memory for an array of MAPPED_BUCKETS and more."""
    cdef size_t size = buckets * sizeof(Bucket)

    if buckets >= MAPPED_BUCKETS:
        return <Bucket*>mem_try_map(t.account, size)
    if size > SMALL:
        return <Bucket*>mem_calloc_aligned(t.account, size)
    return <Bucket*>mem_calloc(t.account, size)


cdef uint64_t buckets_gone(Table* t, int which) noexcept:
    """Buckets at the start of the array whose pages the kernel has back."""
    if which == 0 and t.rehash_index > 0 and t.mask[0] >= MAPPED_BUCKETS - 1:
        return t.rehash_index & ~<uint64_t>(PIECE_BUCKETS - 1)
    return 0


cdef size_t array_bytes(Table* t, int which) noexcept:
    cdef uint64_t buckets = t.mask[which] + 1
    cdef size_t size = buckets * sizeof(Bucket)

    if t.buckets[which] is NULL:
        return 0
    if buckets >= MAPPED_BUCKETS:
        return size - buckets_gone(t, which) * sizeof(Bucket)
    return mem_charge(t.buckets[which], size)


cdef void array_free(Table* t, int which) noexcept:
    cdef uint64_t buckets = t.mask[which] + 1
    cdef uint64_t gone = buckets_gone(t, which)

    if t.buckets[which] is not NULL:
        if buckets >= MAPPED_BUCKETS:
            mem_unmap(t.account, t.buckets[which] + gone, (buckets - gone) * sizeof(Bucket))
        else:
            mem_free(t.account, t.buckets[which], buckets * sizeof(Bucket))
    array_set(t, which, NULL, 1)


cdef void array_set(Table* t, int which, Bucket* array, uint64_t buckets) noexcept:
    t.buckets[which] = array
    t.mask[which] = buckets - 1
    t.used[which] = 0
    t.chained[which] = 0
    t.depth[which] = 0


cdef void advance(Table* t, int64_t index) noexcept:
    """Buckets below index are empty for good: give the pieces that are complete back."""
    cdef uint64_t gone = buckets_gone(t, 0)
    cdef uint64_t now_gone

    t.rehash_index = index
    now_gone = buckets_gone(t, 0)
    if now_gone > gone:
        mem_unmap(t.account, t.buckets[0] + gone, (now_gone - gone) * sizeof(Bucket))


cdef inline uint64_t first_bucket(Table* t, int which) noexcept:
    """The first bucket of the array that may be looked at."""
    return t.rehash_index if which == 0 and t.rehash_index > 0 else 0


# ---------------------------------------------------------------- one chain of buckets

cdef inline int filled(Bucket* bucket) noexcept:
    """Entries in a bucket: 7 at most, 6 when it is chained."""
    return ctz64(~<uint64_t>bucket.use)


cdef inline Bucket* last_of(Bucket* head) noexcept:
    while head.use & CHAINED:
        head = next_of(head)
    return head


cdef uint64_t chain_count(Bucket* head) noexcept:
    cdef uint64_t entries = 0

    while head.use & CHAINED:
        entries += LAST
        head = next_of(head)
    return entries + filled(head)


cdef void* chain_at(Bucket* head, uint64_t position) noexcept:
    while head.use & CHAINED and position >= LAST:
        position -= LAST
        head = next_of(head)
    return entry_of(head.slot[position])


cdef void place(Table* t, int which, void* entry, uint64_t hash) noexcept:
    """Put an entry at the end of its chain."""
    cdef Bucket* bucket = &t.buckets[which][hash & t.mask[which]]
    cdef Bucket* overflow
    cdef uint32_t depth = 0
    cdef int i

    while bucket.use & CHAINED:
        bucket = next_of(bucket)
        depth += 1
    if bucket.use == FULL:
        overflow = <Bucket*>mem_alloc(t.account, sizeof(Bucket))
        overflow.slot[0] = bucket.slot[LAST]
        overflow.tag[0] = bucket.tag[LAST]
        overflow.use = 1
        bucket.slot[LAST] = <size_t>overflow
        bucket.use = (FULL >> 1) | CHAINED
        bucket = overflow
        t.chained[which] += 1
        if depth + 1 > t.depth[which]:
            t.depth[which] = depth + 1
    i = filled(bucket)
    bucket.slot[i] = <size_t>entry | hash >> KEPT_FROM << ADDRESS_BITS
    bucket.tag[i] = tag_of(hash)
    bucket.use |= 1 << i
    t.used[which] += 1


cdef void drop_last(Table* t, int which, Bucket* head) noexcept:
    """Forget the last entry of a chain that has one; an overflow bucket left with one entry dissolves."""
    cdef Bucket* previous = NULL
    cdef Bucket* last = head
    cdef int entries

    while last.use & CHAINED:
        previous = last
        last = next_of(last)
    entries = filled(last)
    last.use = FULL >> (SLOTS + 1 - entries)
    t.used[which] -= 1
    if previous is not NULL and entries == 2:
        previous.slot[LAST] = last.slot[0]
        previous.tag[LAST] = last.tag[0]
        previous.use = FULL
        mem_free(t.account, last, sizeof(Bucket))
        t.chained[which] -= 1


cdef inline uint64_t hash_of(Table* t, void* entry) noexcept:
    cdef const char* key
    cdef size_t size

    t.key_of(entry, &key, &size)
    return hash_bytes(key, size)


# ---------------------------------------------------------------- resize and rehash

cdef inline bint above_fill(uint64_t entries, uint64_t buckets) noexcept:
    """More than 6.5 entries a bucket."""
    return entries * 2 > buckets * 13


cdef void start_resize(Table* t, uint64_t buckets) noexcept:
    """Make the second array; the rehash has begun. Only while none runs.

    Without memory for it: longer chains, or a sparse array, until the next write tries again.
    """
    cdef Bucket* array = array_new(t, buckets)

    if array is not NULL:
        array_set(t, 1, array, buckets)
        t.rehash_index = 0


cdef void grow_if_full(Table* t) noexcept:
    cdef uint64_t buckets = t.mask[0] + 1

    if t.paused or t.rehash_index >= 0:
        return
    if above_fill(t.used[0] + 1, buckets * OVERDUE if t.manual else buckets):
        start_resize(t, buckets * 2)


cdef void table_set_manual(Table* t, bint manual) noexcept:
    """Hold resizes back, or no more: growth that was held back begins. A table that is sparse shrinks at a remove."""
    cdef uint64_t buckets = t.mask[0] + 1

    t.manual = manual
    if manual or t.paused or t.rehash_index >= 0:
        return
    while above_fill(t.used[0], buckets):
        buckets *= 2
    if buckets > t.mask[0] + 1:
        start_resize(t, buckets)


cdef void shrink_if_sparse(Table* t) noexcept:
    """After entries have left: start to shrink, or free the arrays of a table that is empty now."""
    cdef uint64_t entries = table_count(t)
    cdef uint64_t buckets = 1

    if t.paused:
        return
    if entries == 0 and t.mask[0] < PIECE_BUCKETS and t.mask[1] < PIECE_BUCKETS:
        array_free(t, 0)
        array_free(t, 1)
        t.rehash_index = -1
        return
    if t.rehash_index >= 0 or (t.manual and entries) or entries * 16 >= (t.mask[0] + 1) * 13:
        return
    while above_fill(entries * 2, buckets):
        buckets *= 2
    if buckets <= t.mask[0]:
        start_resize(t, buckets)


cdef void finish_rehash(Table* t) noexcept:
    array_free(t, 0)
    t.buckets[0] = t.buckets[1]
    t.mask[0] = t.mask[1]
    t.used[0] = t.used[1]
    t.chained[0] = t.chained[1]
    t.depth[0] = t.depth[1]
    array_set(t, 1, NULL, 1)
    t.rehash_index = -1
    if t.used[0] == 0:
        shrink_if_sparse(t)     # else at the next remove, so that room which was reserved stays until then


cdef void prefetch_ahead(Table* t, uint64_t index, bint entries) noexcept:
    """Ask for what the next steps need: this bucket's entries if they do, and the bucket after it."""
    cdef Bucket* bucket = &t.buckets[0][index]
    cdef int i

    if index > t.mask[0]:
        return
    if entries:
        for i in range(filled(bucket)):
            prefetch(entry_of(bucket.slot[i]))
    if bucket.use & CHAINED:
        prefetch(next_of(bucket))
    prefetch(bucket + 1)
    if t.buckets[1] is not NULL:
        prefetch(&t.buckets[1][index & t.mask[1]])
        prefetch(&t.buckets[1][(index + t.mask[0] + 1) & t.mask[1]])


cdef void rehash_step(Table* t) noexcept:
    """Move one bucket, or skip some empty ones, or a whole piece when nothing is left to move."""
    cdef int64_t index = t.rehash_index
    cdef int64_t skip_end = index + EMPTY_BUCKETS_PER_STEP
    cdef bint told = t.mask[1] & ~told_bits(t.mask[0]) == 0
    cdef Bucket* head
    cdef Bucket* last
    cdef void* entry
    cdef int i

    if t.used[0] == 0:
        index = min((index | (PIECE_BUCKETS - 1)), <int64_t>t.mask[0]) + 1
    else:
        while index < skip_end and t.buckets[0][index].use == 0:
            index += 1
        head = &t.buckets[0][index]
        while index < skip_end and head.use:
            last = last_of(head)
            i = filled(last) - 1
            entry = entry_of(last.slot[i])
            place(t, 1, entry, told_hash(last, index, i) if told else hash_of(t, entry))
            drop_last(t, 0, head)
        if index < skip_end and head.use == 0:
            index += 1
            prefetch_ahead(t, index, not told)
    advance(t, index)
    if index > <int64_t>t.mask[0]:
        finish_rehash(t)


cdef bint table_rehash(Table* t, int buckets) noexcept:
    """Move up to `buckets` buckets of a running rehash. Whether there is more to do."""
    if t.paused:
        return False
    while buckets > 0 and t.rehash_index >= 0:
        rehash_step(t)
        buckets -= 1
    return t.rehash_index >= 0


# ---------------------------------------------------------------- life of a table

cdef void table_init(Table* t, Account* account, KeyOf key_of) noexcept:
    """An empty table. `account` pays for its memory; entries stay their owner's."""
    memset(t, 0, sizeof(Table))
    t.account = account
    t.key_of = key_of
    t.rehash_index = -1


cdef int table_reserve(Table* t, uint64_t entries) noexcept:
    """Room for so many entries in all, where no array or a smaller one without a rehash is there.

    Less, if there is not as much memory: then the table grows as others do.
    """
    cdef uint64_t buckets = 1
    cdef Bucket* array = NULL

    while above_fill(entries, buckets):
        buckets *= 2
    if t.buckets[0] is NULL:
        array = array_new(t, buckets)
        while array is NULL:
            buckets //= 2
            array = array_new(t, buckets)
        array_set(t, 0, array, buckets)
    elif buckets > t.mask[0] + 1 and t.rehash_index < 0 and not t.paused:
        start_resize(t, buckets)
    return 0


cdef void table_clear(Table* t) noexcept:
    """Free arrays and chains, not the entries: their owner has walked them before. O(buckets) with chains."""
    cdef int which
    cdef uint64_t index
    cdef Bucket* overflow
    cdef Bucket* following

    for which in range(2):
        index = first_bucket(t, which)
        while t.chained[which]:
            overflow = &t.buckets[which][index]
            following = next_of(overflow) if overflow.use & CHAINED else NULL
            while following is not NULL:
                overflow = following
                following = next_of(overflow) if overflow.use & CHAINED else NULL
                mem_free(t.account, overflow, sizeof(Bucket))
                t.chained[which] -= 1
            index += 1
        array_free(t, which)
    t.rehash_index = -1


cdef int64_t table_drain(Table* t, int64_t buckets, Visit release, void* context) except -1:
    """Pop the entries of up to `buckets` buckets, a release(context, entry) for each.

    For a table that nobody else looks at any more: until it is drained it answers nothing but
    table_drain, table_count, table_bytes and table_clear. Returns the entries left, or 1 when only
    memory is left; 0: arrays are freed too. When release raises, that entry is popped and the
    drain can go on.
    """
    cdef Bucket* head
    cdef Bucket* last
    cdef void* entry

    t.manual = True         # no resize on the way
    while buckets > 0 and t.buckets[0] is not NULL:
        if t.rehash_index < 0:
            t.rehash_index = 0
        if t.used[0] == 0:
            advance(t, min((t.rehash_index | (PIECE_BUCKETS - 1)), <int64_t>t.mask[0]) + 1)
            buckets -= EMPTY_BUCKETS_PER_STEP
        else:
            head = &t.buckets[0][t.rehash_index]
            while head.use:
                last = last_of(head)
                entry = entry_of(last.slot[filled(last) - 1])
                drop_last(t, 0, head)
                release(context, entry)
            prefetch_ahead(t, t.rehash_index + 1, True)
            advance(t, t.rehash_index + 1)
            buckets -= 1
        if t.rehash_index > <int64_t>t.mask[0]:
            finish_rehash(t)
    return max(<int64_t>table_count(t), 1) if t.buckets[0] is not NULL else 0


cdef size_t table_bytes(Table* t) noexcept:
    """Bytes of arrays and overflow buckets, as the account has them."""
    return array_bytes(t, 0) + array_bytes(t, 1) + (t.chained[0] + t.chained[1]) * sizeof(Bucket)


# ---------------------------------------------------------------- find, add, remove

cdef Slot* table_slot(Table* t, const char* key, size_t size, uint64_t hash) noexcept:
    """The slot of the entry with this key, NULL if there is none.

    Good until the next add, remove or rehash step; slot_put() puts an entry that was reallocated there.
    """
    return table_slot_by(t, key, size, hash, t.key_of)


cdef void* table_find(Table* t, const char* key, size_t size, uint64_t hash) noexcept:
    """The entry with this key, NULL if there is none."""
    cdef Slot* slot = table_slot(t, key, size, hash)

    return entry_of(slot[0]) if slot is not NULL else NULL


cdef int table_add(Table* t, void* entry, uint64_t hash) noexcept:
    """Add an entry whose key is not in the table."""
    if t.rehash_index >= 0:
        table_rehash(t, 1)      # which may free the arrays of a table that is empty
    elif t.buckets[0] is not NULL:
        grow_if_full(t)
    if t.buckets[0] is NULL:
        table_reserve(t, 1)
    place(t, t.rehash_index >= 0, entry, hash)
    return 0


cdef void* table_remove(Table* t, const char* key, size_t size, uint64_t hash) noexcept:
    """Take the entry with this key out and return it (its owner frees it); NULL if there is none."""
    cdef int which
    cdef uint64_t index
    cdef Bucket* head
    cdef Bucket* bucket
    cdef Bucket* last
    cdef void* entry
    cdef int slot, end

    for which in range(2):
        index = hash & t.mask[which]
        if t.buckets[which] is NULL or index < first_bucket(t, which):
            continue
        head = &t.buckets[which][index]
        bucket = find_in_chain(head, key, size, hash, t.key_of, &slot)
        if bucket is NULL:
            continue
        entry = entry_of(bucket.slot[slot])
        last = last_of(head)
        end = filled(last) - 1
        bucket.slot[slot] = last.slot[end]
        bucket.tag[slot] = last.tag[end]
        drop_last(t, which, head)
        table_rehash(t, 1)
        shrink_if_sparse(t)
        return entry
    return NULL


# ---------------------------------------------------------------- scan and random

cdef inline uint64_t reverse_bits(uint64_t x) noexcept:
    # ULL: Cython would compute with Python integers otherwise.
    x = (x >> 1 & 0x5555555555555555ULL) | (x & 0x5555555555555555ULL) << 1
    x = (x >> 2 & 0x3333333333333333ULL) | (x & 0x3333333333333333ULL) << 2
    x = (x >> 4 & 0x0F0F0F0F0F0F0F0FULL) | (x & 0x0F0F0F0F0F0F0F0FULL) << 4
    return bswap64(x)


cdef inline uint64_t next_cursor(uint64_t cursor, uint64_t mask) noexcept:
    """Count up in the reversed bits below the mask; 0 after the last."""
    return reverse_bits(reverse_bits(cursor | ~mask) + 1)


cdef int scan_bucket(Table* t, int which, uint64_t index, Visit visit, void* context) except -1:
    cdef Bucket* bucket
    cdef int i, entries

    if index < first_bucket(t, which):
        return 0
    bucket = &t.buckets[which][index]
    while True:
        entries = filled(bucket)
        for i in range(entries):
            prefetch(entry_of(bucket.slot[i]))
        for i in range(entries):
            visit(context, entry_of(bucket.slot[i]))
        if not bucket.use & CHAINED:
            return 0
        bucket = next_of(bucket)


cdef uint64_t table_scan(Table* t, uint64_t cursor, Visit visit, void* context) except? 0xFFFFFFFFFFFFFFFF:
    """Visit the bucket that the cursor names; the cursor to go on with, 0 at the end. Start with 0.

    While a rehash runs: the bucket of the smaller array and its expansions in the larger.
    visit(context, entry) may not change the table; what it raises comes through.
    """
    cdef int small, large

    if t.buckets[0] is NULL:
        return 0
    if t.rehash_index < 0:
        prefetch(&t.buckets[0][reverse_bits(reverse_bits(cursor | ~t.mask[0]) + SCAN_AHEAD) & t.mask[0]])
        scan_bucket(t, 0, cursor & t.mask[0], visit, context)
        return next_cursor(cursor, t.mask[0])
    small = 0 if t.mask[0] <= t.mask[1] else 1
    large = 1 - small
    scan_bucket(t, small, cursor & t.mask[small], visit, context)
    while True:
        scan_bucket(t, large, cursor & t.mask[large], visit, context)
        cursor = next_cursor(cursor, t.mask[large])
        if not cursor & (t.mask[small] ^ t.mask[large]):
            return cursor


cdef void* entry_number(Table* t, uint64_t number) noexcept:
    """The entry of this number, in bucket order. O(buckets)."""
    cdef int which
    cdef uint64_t index, entries

    for which in range(2):
        if number >= t.used[which]:
            number -= t.used[which]
            continue
        index = first_bucket(t, which)
        while True:
            entries = chain_count(&t.buckets[which][index])
            if number < entries:
                return chain_at(&t.buckets[which][index], number)
            number -= entries
            index += 1


cdef void* table_random(Table* t, uint64_t* seed) noexcept:
    """An entry, each as likely as any other; NULL when empty. `seed`: the caller's generator state.

    Draws a chain, of all in both arrays, and a position up to the longest chain there can be, until
    there is an entry at that position: every entry has the same chance in every draw. About 2 draws
    without chains, 4 to 8 with. After RANDOM_TRIES misses (a sparse table) it draws an entry's number
    and counts up to it, O(buckets): equally fair, so the mixture is.
    """
    cdef uint64_t first = first_bucket(t, 0)
    cdef uint64_t in_old = t.mask[0] + 1 - first
    cdef uint64_t chains = in_old + (t.mask[1] + 1 if t.rehash_index >= 0 else 0)
    cdef uint64_t positions = SLOTS + LAST * <uint64_t>max(t.depth[0], t.depth[1])
    cdef uint64_t index, position
    cdef Bucket* head

    if table_count(t) == 0:
        return NULL
    for _ in range(RANDOM_TRIES):
        index = random_below(seed, chains)
        position = random_below(seed, positions)
        head = &t.buckets[0][first + index] if index < in_old else &t.buckets[1][index - in_old]
        if position < chain_count(head):
            return chain_at(head, position)
    return entry_number(t, random_below(seed, table_count(t)))


cdef int table_sample(Table* t, uint64_t* seed, int wanted, Visit visit, void* context) except -1:
    """Visit at least `wanted` entries, or all there are: whole buckets, one after the other from any one on.

    Neighbours in the table have nothing else in common, so that this is as good as single random ones
    for whoever wants a cheap sample, though not fair in the sense of table_random().
    """
    cdef uint64_t buckets = t.mask[0] + 1 + (t.mask[1] + 1 if t.rehash_index >= 0 else 0)
    cdef uint64_t index = random_below(seed, buckets)
    cdef uint64_t seen, _

    for _ in range(buckets):
        if index == buckets:
            index = 0
        if index <= t.mask[0]:
            seen = 0 if index < first_bucket(t, 0) or t.buckets[0] is NULL else chain_count(&t.buckets[0][index])
            if seen:
                scan_bucket(t, 0, index, visit, context)
        else:
            seen = chain_count(&t.buckets[1][index - t.mask[0] - 1])
            scan_bucket(t, 1, index - t.mask[0] - 1, visit, context)
        wanted -= <int>seen
        if wanted <= 0:
            return 0
        index += 1
    return 0


cdef bint chain_holds(Bucket* bucket, const void* entry) noexcept:
    cdef int i

    while True:
        for i in range(filled(bucket)):
            if entry_of(bucket.slot[i]) == entry:
                return True
        if not bucket.use & CHAINED:
            return False
        bucket = next_of(bucket)


cdef bint table_holds(Table* t, const void* entry, uint64_t hash) noexcept:
    """Whether this very pointer is in the table, as an entry of that hash. It is not followed."""
    cdef uint64_t index = hash & t.mask[0]

    if t.buckets[0] is not NULL and index >= first_bucket(t, 0) and chain_holds(&t.buckets[0][index], entry):
        return True
    return t.rehash_index >= 0 and chain_holds(&t.buckets[1][hash & t.mask[1]], entry)


# ---------------------------------------------------------------- walk

cdef void table_iter(TableIter* it, Table* t) noexcept:
    """Begin a walk of all entries; the rehash stands still until table_iter_end."""
    t.paused += 1
    it.table = t
    it.which = 0
    it.index = first_bucket(t, 0)
    it.depth = -1
    it.slot = 0


cdef void* table_next(TableIter* it) noexcept:
    """The next entry, NULL at the end. The entry returned last may be removed (and freed) before the call.

    Chains are walked from their end: the hole of a removed entry is filled from there, with an entry
    that was returned already. Entries added meanwhile may or may not be returned; when others are
    removed, what remains is returned at least once.
    """
    cdef Table* t = it.table
    cdef Bucket* bucket
    cdef int depth

    while it.which < 2:
        if t.buckets[it.which] is NULL or it.index > <int64_t>t.mask[it.which]:
            it.which += 1
            it.index = 0
            it.depth = -1
            continue
        bucket = &t.buckets[it.which][it.index]
        depth = 0
        while bucket.use & CHAINED and depth != it.depth:
            bucket = next_of(bucket)
            depth += 1
        if it.depth < 0:
            it.slot = filled(bucket)
        elif depth < it.depth:
            # Our bucket dissolved into this one's last slot; what came there from slot 0 we had
            # returned only if we stood there.
            it.slot = LAST if it.slot == 0 and depth == it.depth - 1 else SLOTS
        it.depth = depth
        if it.slot > filled(bucket):
            it.slot = filled(bucket)
        if it.slot > 0:
            it.slot -= 1
            return entry_of(bucket.slot[it.slot])
        it.slot = SLOTS
        it.depth -= 1
        if it.depth < 0:
            it.index += 1
            if it.index <= <int64_t>t.mask[it.which] and it.which == 0:
                prefetch_ahead(t, it.index, True)
    return NULL


cdef void table_iter_end(TableIter* it) noexcept:
    it.table.paused -= 1
    shrink_if_sparse(it.table)


cdef void ahead_start(Ahead* a, Table* t) noexcept:
    """Begin a walk; the rehash stands still until ahead_end."""
    cdef int i

    memset(a.ring, 0, sizeof(a.ring))
    table_iter(&a.walk, t)
    a.next = 0
    for i in range(AHEAD):
        a.ring[i] = table_next(&a.walk)
        if a.ring[i] is NULL:
            break
        prefetch(a.ring[i])


cdef void* ahead_take(Ahead* a) noexcept:
    """The next entry of the table, whose place is taken by one that is still far; NULL: there is none."""
    cdef void** place = &a.ring[a.next & (AHEAD - 1)]
    cdef void* entry = place[0]

    if entry is not NULL:
        place[0] = table_next(&a.walk)
        if place[0] is not NULL:
            prefetch(place[0])
            prefetch(<char*>place[0] + 63)
        a.next += 1
    return entry


cdef void ahead_end(Ahead* a) noexcept:
    table_iter_end(&a.walk)


# ---------------------------------------------------------------- for people and tests

cdef str array_stats(Table* t, int which, bint full):
    """What DEBUG HTSTATS says of one array; "chain length" is the entries of a chain of buckets."""
    cdef list lengths = [0] * STATS_LENGTHS
    cdef uint64_t buckets = t.mask[which] + 1
    cdef uint64_t index, entries, longest = 0, slots = 0, counted = 0
    cdef str text = f"Hash table {which} stats ({'rehashing target' if which else 'main hash table'}):\n"

    if t.used[which] == 0:
        return text + "No stats available for empty dictionaries\n"
    text += f" table size: {buckets}\n number of elements: {t.used[which]}\n"
    if not full:
        return text
    for index in range(buckets):
        entries = chain_count(&t.buckets[which][index]) if index >= first_bucket(t, which) else 0
        lengths[min(<int64_t>entries, STATS_LENGTHS - 1)] += 1
        slots += entries > 0
        counted += entries
        longest = max(longest, entries)
    text += (f" different slots: {slots}\n"
             f" max chain length: {longest}\n"
             f" avg chain length (counted): {<double>counted / slots:.2f}\n"
             f" avg chain length (computed): {<double>t.used[which] / slots:.2f}\n"
             " Chain length distribution:\n")
    for length, chains in enumerate(lengths):
        if chains:
            text += f"   {length}: {chains} ({100.0 * chains / buckets:.2f}%)\n"
    return text


cdef str table_stats(Table* t, bint full):
    """The text of DEBUG HTSTATS, as Redis words it; `full` adds the distribution of lengths, O(buckets)."""
    cdef str text = array_stats(t, 0, full)

    if t.rehash_index >= 0:
        text += array_stats(t, 1, full)
    return text


cdef int verify_chain(Table* t, int which, uint64_t index, uint64_t* used, uint64_t* chained) except -1:
    cdef Bucket* bucket = &t.buckets[which][index]
    cdef uint64_t hash
    cdef uint32_t depth = 0
    cdef int i, entries
    cdef str at

    while True:
        at = f"array {which} bucket {index} depth {depth}"
        entries = filled(bucket)
        if bucket.use & FULL != (1 << entries) - 1:
            raise AssertionError(f"{at}: use {bucket.use:#x} has a hole")
        if bucket.use & CHAINED and entries != LAST:
            raise AssertionError(f"{at}: chained with {entries} entries")
        if depth and entries < 2:
            raise AssertionError(f"{at}: overflow bucket with {entries} entries")
        for i in range(entries):
            hash = hash_of(t, entry_of(bucket.slot[i]))
            if bucket.tag[i] != tag_of(hash):
                raise AssertionError(f"{at} slot {i}: tag {bucket.tag[i]}, the hash says {tag_of(hash)}")
            if (bucket.slot[i] ^ hash >> KEPT_FROM << ADDRESS_BITS) >> ADDRESS_BITS:
                raise AssertionError(f"{at} slot {i}: {bucket.slot[i]:#x} keeps other bits than those of {hash:#x}")
            if hash & t.mask[which] != index:
                raise AssertionError(f"{at} slot {i}: entry of bucket {hash & t.mask[which]}")
        used[0] += entries
        if not bucket.use & CHAINED:
            break
        bucket = next_of(bucket)
        chained[0] += 1
        depth += 1
    if depth > t.depth[which]:
        raise AssertionError(f"array {which} bucket {index}: {depth} deep, noted {t.depth[which]}")
    return 0


cdef int table_verify(Table* t) except -1:
    """Walk everything and compare it with what the comment in table.pxd says holds. AssertionError."""
    cdef uint64_t used, chained, index
    cdef int which

    if (t.rehash_index >= 0) != (t.buckets[1] is not NULL):
        raise AssertionError(f"rehash at {t.rehash_index}, second array {t.buckets[1] is not NULL}")
    if t.rehash_index > <int64_t>t.mask[0]:
        raise AssertionError(f"rehash at {t.rehash_index} of {t.mask[0] + 1}")
    for which in range(2):
        used = chained = 0
        if t.mask[which] & (t.mask[which] + 1):
            raise AssertionError(f"array {which}: mask {t.mask[which]:#x}")
        if t.buckets[which] is not NULL:
            if t.mask[which] >= 8 and <size_t>t.buckets[which] % sizeof(Bucket):
                raise AssertionError(f"array {which} is not aligned")
            for index in range(first_bucket(t, which), t.mask[which] + 1):
                verify_chain(t, which, index, &used, &chained)
        if used != t.used[which] or chained != t.chained[which]:
            raise AssertionError(f"array {which}: {used} entries and {chained} overflow buckets, "
                                 f"noted {t.used[which]} and {t.chained[which]}")
    return 0
