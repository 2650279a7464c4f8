"""Sparse arrays. The design comment is in sparse_array.pxd."""
from libc.stdint cimport INT64_MAX, UINT64_MAX, uint8_t
from libc.string cimport memcpy, memmove, memset

from fastredis.ds.alloc cimport mem_alloc, mem_charge, mem_free, mem_realloc
from fastredis.ds.id_tree cimport (
    IDT_NONE, Id, idt_add, idt_bytes, idt_clear, idt_drain, idt_find, idt_first, idt_from, idt_id, idt_init, idt_last,
    idt_next, idt_prev, idt_remove, idt_set, idt_up_to, idt_value, idt_verify, idt_weight_below,
)
from fastredis.ds.numbers cimport format_int64, parse_int64

cdef enum:
    WORD = 8                        # bytes of a slot in a dense slice
    SPARSE_WORD = 10                # ... in a sparse one, with its offset
    INLINE_MOST = 7                 # bytes of text that a word holds
    SHORT_MOST = 255                # ... that a short text has
    SHORT_TAG = 4
    INT_TAG = 2
    NUMBER_TEXT = 20                # longer text is no integer
    DENSE_LEAST = 4                 # slots in use that a slice has before it is dense
    WIDEST_SPARSE = 2               # a sparse slice whose slots in use, times this, fill its span becomes dense
    WIDEST_DENSE = 4                # a dense one stays so while its slots in use, times this, fill its window


# ---------------------------------------------------------------- words

cdef inline bint is_block(uint64_t word) noexcept:
    return word & 3 == 0 and word != 0


cdef inline uint8_t* short_block(uint64_t word) noexcept:
    return <uint8_t*><size_t>(word - SHORT_TAG)


cdef inline uint64_t* long_block(uint64_t word) noexcept:
    return <uint64_t*><size_t>word


cdef inline size_t block_size(uint64_t word) noexcept:
    """Size of the block as it was asked for."""
    return 1 + <size_t>short_block(word)[0] if word & SHORT_TAG else WORD + <size_t>long_block(word)[0]


cdef uint64_t word_of(SparseArray* a, const char* text, size_t size) noexcept:
    """A word with this text."""
    cdef uint64_t word = 0
    cdef int64_t number
    cdef uint8_t* short
    cdef uint64_t* long

    if size <= INLINE_MOST:
        memcpy(<char*>&word + 1, text, size)
        return word | size << 1 | 1
    if size <= NUMBER_TEXT and parse_int64(text, size, &number) and -(<int64_t>1 << 61) <= number < <int64_t>1 << 61:
        return <uint64_t>number << 2 | INT_TAG
    a.texts += 1
    if size <= SHORT_MOST:
        short = <uint8_t*>mem_alloc(a.slices.account, 1 + size)
        short[0] = <uint8_t>size
        memcpy(short + 1, text, size)
        return <uint64_t><size_t>short | SHORT_TAG
    long = <uint64_t*>mem_alloc(a.slices.account, WORD + size)
    long[0] = size
    memcpy(long + 1, text, size)
    return <uint64_t><size_t>long


cdef const char* word_text(uint64_t word, char* scratch, size_t* size) noexcept:
    if word & 1:
        size[0] = word >> 1 & 7
        memcpy(scratch, <char*>&word + 1, INLINE_MOST)
        return scratch
    if word & INT_TAG:
        size[0] = format_int64(scratch, <int64_t>word >> 2)
        return scratch
    if word & SHORT_TAG:
        size[0] = short_block(word)[0]
        return <const char*>short_block(word) + 1
    size[0] = long_block(word)[0]
    return <const char*>(long_block(word) + 1)


cdef bint word_int(uint64_t word, int64_t* number) noexcept:
    cdef char[WORD_TEXT] scratch
    cdef size_t size
    cdef const char* text

    if word & 3 == INT_TAG:
        number[0] = <int64_t>word >> 2
        return True
    text = word_text(word, scratch, &size)
    return size <= NUMBER_TEXT and parse_int64(text, size, number)


cdef size_t word_bytes(uint64_t word) noexcept:
    if not is_block(word):
        return 0
    if word & SHORT_TAG:
        return mem_charge(short_block(word), block_size(word))
    return mem_charge(long_block(word), block_size(word))


cdef void array_drop(SparseArray* a, uint64_t word) noexcept:
    if not is_block(word):
        return
    a.texts -= 1
    if word & SHORT_TAG:
        mem_free(a.slices.account, short_block(word), block_size(word))
    else:
        mem_free(a.slices.account, long_block(word), block_size(word))


# ---------------------------------------------------------------- slices

cdef inline Id slice_id(uint64_t index) noexcept:
    """The id of the slice that has an index."""
    return Id(0, index >> SLICE_BITS)


cdef inline Slice* slice_at(const SparseArray* a, IdPlace place) noexcept:
    return <Slice*>idt_value(&a.slices, place)


cdef inline uint16_t* offsets_of(const Slice* s) noexcept:
    """Of a sparse one."""
    return <uint16_t*>(s.words + s.room)


cdef inline size_t slice_size(const Slice* s) noexcept:
    return <size_t>s.room * (SPARSE_WORD if s.base == SPARSE else WORD)


cdef uint32_t sparse_below(const Slice* s, int64_t offset) noexcept:
    """How many slots in use of a sparse slice are below an offset."""
    cdef uint16_t* offsets = offsets_of(s)
    cdef uint32_t low = 0
    cdef uint32_t high = s.used
    cdef uint32_t middle

    while low < high:
        middle = (low + high) // 2
        if offsets[middle] < offset:
            low = middle + 1
        else:
            high = middle
    return low


cdef uint64_t* slot_at(const Slice* s, uint32_t offset) noexcept:
    """Where the word of a slot is; NULL: nowhere. An empty slot of a dense slice may have a place."""
    cdef uint32_t at

    if s.base == SPARSE:
        at = sparse_below(s, offset)
        return s.words + at if at < s.used and offsets_of(s)[at] == offset else NULL
    return s.words + (offset - s.base) if s.base <= offset < <uint32_t>s.base + s.room else NULL


cdef void slice_ends(const Slice* s, uint32_t* first, uint32_t* last) noexcept:
    """The lowest and the highest offset in use."""
    cdef uint32_t low = 0
    cdef uint32_t high = s.room

    if s.base == SPARSE:
        first[0], last[0] = offsets_of(s)[0], offsets_of(s)[s.used - 1]
        return
    while s.words[low] == 0:
        low += 1
    while s.words[high - 1] == 0:
        high -= 1
    first[0], last[0] = s.base + low, s.base + high - 1


cdef void become_dense(SparseArray* a, Slice* s, uint32_t base, uint32_t room) noexcept:
    """Give a slice the window `base`, `room`, which has all that is in use."""
    cdef uint64_t* words = <uint64_t*>mem_alloc(a.slices.account, room * WORD)
    cdef uint32_t i

    memset(words, 0, room * WORD)
    if s.base == SPARSE:
        for i in range(s.used):
            words[offsets_of(s)[i] - base] = s.words[i]
    else:
        for i in range(s.room):
            if s.words[i]:
                words[s.base + i - base] = s.words[i]
    mem_free(a.slices.account, s.words, slice_size(s))
    s.words, s.base, s.room = words, <uint16_t>base, <uint16_t>room


cdef void become_sparse(SparseArray* a, Slice* s, uint32_t room) noexcept:
    """Give a slice, of either form, room for so many slots, at least as many as are in use."""
    cdef Slice fresh
    cdef uint32_t at = 0
    cdef uint32_t i

    fresh.used, fresh.room, fresh.base = s.used, <uint16_t>room, SPARSE
    fresh.words = <uint64_t*>mem_alloc(a.slices.account, slice_size(&fresh))
    if s.base == SPARSE:
        memcpy(fresh.words, s.words, s.used * WORD)
        memcpy(offsets_of(&fresh), offsets_of(s), s.used * sizeof(uint16_t))
    else:
        for i in range(s.room):
            if s.words[i]:
                fresh.words[at] = s.words[i]
                offsets_of(&fresh)[at] = <uint16_t>(s.base + i)
                at += 1
    mem_free(a.slices.account, s.words, slice_size(s))
    s[0] = fresh


cdef inline uint32_t more_than(uint32_t count) noexcept:
    """Room for a slice that has outgrown `count` slots."""
    return count + count // 2 + 1


cdef void dense_reach(SparseArray* a, Slice* s, uint32_t offset) noexcept:
    """Have the window of a dense slice reach an offset that it does not have."""
    cdef uint32_t base = s.base
    cdef uint32_t end = base + s.room
    cdef uint32_t wanted = more_than(s.room)

    if offset >= end:
        end = max(offset + 1, min(base + wanted, <uint32_t>SLICE))
        if end - base > WIDEST_DENSE * (s.used + 1):
            end = offset + 1
        s.words = <uint64_t*>mem_realloc(a.slices.account, s.words, slice_size(s), (end - base) * WORD)
        memset(s.words + s.room, 0, (end - base - s.room) * WORD)
        s.room = <uint16_t>(end - base)
    else:
        base = min(offset, end - wanted if end > wanted else 0)
        if end - base > WIDEST_DENSE * (s.used + 1):
            base = offset
        become_dense(a, s, base, end - base)


cdef void sparse_insert(SparseArray* a, Slice* s, uint32_t offset, uint64_t word) noexcept:
    cdef uint32_t at = sparse_below(s, offset)
    cdef uint32_t behind = s.used - at
    cdef uint16_t* offsets

    if s.used == s.room:
        become_sparse(a, s, more_than(s.used))
    offsets = offsets_of(s)
    memmove(s.words + at + 1, s.words + at, behind * WORD)
    memmove(offsets + at + 1, offsets + at, behind * sizeof(uint16_t))
    s.words[at] = word
    offsets[at] = <uint16_t>offset
    s.used += 1


cdef void slice_insert(SparseArray* a, Slice* s, uint32_t offset, uint64_t word) noexcept:
    """Use a slot that is empty."""
    cdef uint32_t first, last

    if s.base != SPARSE and not s.base <= offset < <uint32_t>s.base + s.room:
        slice_ends(s, &first, &last)
        if max(last, offset) - min(first, offset) + 1 > WIDEST_DENSE * (s.used + 1):
            become_sparse(a, s, more_than(s.used))
        else:
            if max(<uint32_t>s.base + s.room, offset + 1) - min(<uint32_t>s.base, offset) > WIDEST_DENSE * (s.used + 1):
                become_dense(a, s, first, last - first + 1)
            dense_reach(a, s, offset)
    if s.base != SPARSE:
        s.words[offset - s.base] = word
        s.used += 1
        return
    sparse_insert(a, s, offset, word)
    if s.used >= DENSE_LEAST:
        slice_ends(s, &first, &last)
        if last - first + 1 <= WIDEST_SPARSE * s.used:
            become_dense(a, s, first, last - first + 1)


cdef void slice_settle(SparseArray* a, Slice* s) noexcept:
    """After a deletion that has left something: the form and the room that fit."""
    cdef uint32_t first, last

    if s.base == SPARSE:
        if s.used < s.room // 4:
            become_sparse(a, s, more_than(s.used))
        return
    if s.used * WIDEST_DENSE >= s.room:
        return
    slice_ends(s, &first, &last)
    if s.used >= DENSE_LEAST and last - first + 1 <= WIDEST_SPARSE * s.used:
        become_dense(a, s, first, last - first + 1)
    else:
        become_sparse(a, s, s.used)


cdef uint64_t slice_take(Slice* s, uint32_t offset) noexcept:
    """Empty a slot; its word, 0: it was empty."""
    cdef uint64_t* slot = slot_at(s, offset)
    cdef uint32_t at, behind
    cdef uint64_t word

    if slot is NULL or slot[0] == 0:
        return 0
    word = slot[0]
    s.used -= 1
    if s.base != SPARSE:
        slot[0] = 0
        return word
    at = <uint32_t>(slot - s.words)
    behind = s.used - at
    memmove(slot, slot + 1, behind * WORD)
    memmove(offsets_of(s) + at, offsets_of(s) + at + 1, behind * sizeof(uint16_t))
    return word


cdef void drop_words(SparseArray* a, uint64_t* words, uint32_t count) noexcept:
    cdef uint32_t i

    for i in range(count):
        array_drop(a, words[i])


cdef void slice_free(void* context, void* value) noexcept:
    """IdRelease: free a slice and what it has."""
    cdef SparseArray* a = <SparseArray*>context
    cdef Slice* s = <Slice*>value

    drop_words(a, s.words, s.used if s.base == SPARSE else s.room)
    mem_free(a.slices.account, s.words, slice_size(s))


cdef uint32_t slice_delete(SparseArray* a, Slice* s, uint32_t low, uint32_t high) noexcept:
    """Empty the slots from low to high; how many were in use."""
    cdef uint32_t gone = 0
    cdef uint32_t first, behind, i

    if s.base == SPARSE:
        first = sparse_below(s, low)
        gone = sparse_below(s, <int64_t>high + 1) - first
        behind = s.used - first - gone
        drop_words(a, s.words + first, gone)
        memmove(s.words + first, s.words + first + gone, behind * WORD)
        memmove(offsets_of(s) + first, offsets_of(s) + first + gone, behind * sizeof(uint16_t))
        s.used -= gone
        return gone
    low = max(low, <uint32_t>s.base) - s.base
    for i in range(low, min(high + 1 - min(high + 1, <uint32_t>s.base), <uint32_t>s.room)):
        if s.words[i]:
            array_drop(a, s.words[i])
            s.words[i] = 0
            gone += 1
    s.used -= gone
    return gone


# ---------------------------------------------------------------- life

cdef void array_init(SparseArray* a, Account* account) noexcept:
    idt_init(&a.slices, account, sizeof(Slice), sizeof(uint64_t*), IDT_NONE)
    a.texts = 0


cdef void array_clear(SparseArray* a) noexcept:
    idt_clear(&a.slices, slice_free, a)


cdef uint64_t array_drain(SparseArray* a, uint64_t leaves) noexcept:
    return idt_drain(&a.slices, leaves, slice_free, a)


cdef uint64_t copy_word(SparseArray* copy, uint64_t word) noexcept:
    cdef char[WORD_TEXT] scratch
    cdef size_t size
    cdef const char* text

    if not is_block(word):
        return word
    text = word_text(word, scratch, &size)
    return word_of(copy, text, size)


cdef bint array_copy_some(SparseArray* copy, const SparseArray* a, IdPlace* at, int slices) noexcept:
    cdef Slice* source
    cdef Slice s
    cdef uint32_t i

    while at.leaf is not NULL and slices:
        source = slice_at(a, at[0])
        s = source[0]
        s.words = <uint64_t*>mem_alloc(copy.slices.account, slice_size(&s))
        memcpy(s.words, source.words, slice_size(&s))
        for i in range(s.used if s.base == SPARSE else s.room):
            s.words[i] = copy_word(copy, s.words[i])
        idt_add(&copy.slices, idt_id(at[0]), &s)
        at[0] = idt_next(at[0])
        slices -= 1
    return at.leaf is NULL


# ---------------------------------------------------------------- single slots

cdef uint64_t array_length(const SparseArray* a) noexcept:
    cdef uint32_t first, last
    cdef IdPlace place = idt_last(&a.slices)

    if place.leaf is NULL:
        return 0
    slice_ends(slice_at(a, place), &first, &last)
    return (idt_id(place).seq << SLICE_BITS) + last + 1


cdef uint64_t array_get(const SparseArray* a, uint64_t index) noexcept:
    cdef uint64_t* slot
    cdef IdPlace place = idt_find(&a.slices, slice_id(index))

    if place.leaf is NULL:
        return 0
    slot = slot_at(slice_at(a, place), index % SLICE)
    return slot[0] if slot is not NULL else 0


cdef bint array_put(SparseArray* a, uint64_t index, uint64_t word) noexcept:
    cdef Id id = slice_id(index)
    cdef IdPlace place = idt_find(&a.slices, id)
    cdef uint64_t* slot
    cdef uint64_t old
    cdef Slice s

    if place.leaf is NULL:
        s.words = <uint64_t*>mem_alloc(a.slices.account, SPARSE_WORD)
        s.used, s.room, s.base = 1, 1, SPARSE
        s.words[0] = word
        offsets_of(&s)[0] = <uint16_t>(index % SLICE)
        idt_add(&a.slices, id, &s)
        return True
    slot = slot_at(slice_at(a, place), index % SLICE)
    if slot is not NULL and slot[0]:
        old = slot[0]
        slot[0] = word
        array_drop(a, old)
        return False
    s = slice_at(a, place)[0]
    slice_insert(a, &s, index % SLICE, word)
    idt_set(&a.slices, id, &s)
    return True


cdef bint array_set(SparseArray* a, uint64_t index, const char* text, size_t size) noexcept:
    return array_put(a, index, word_of(a, text, size))


cdef void slice_changed(SparseArray* a, Id id, Slice* s) noexcept:
    """Put back a slice that has had something deleted, or remove it."""
    if s.used:
        slice_settle(a, s)
        idt_set(&a.slices, id, s)
        return
    idt_remove(&a.slices, id, NULL)
    mem_free(a.slices.account, s.words, slice_size(s))


cdef uint64_t array_take(SparseArray* a, uint64_t index) noexcept:
    cdef Id id = slice_id(index)
    cdef IdPlace place = idt_find(&a.slices, id)
    cdef uint64_t word
    cdef Slice s

    if place.leaf is NULL:
        return 0
    s = slice_at(a, place)[0]
    word = slice_take(&s, index % SLICE)
    if word:
        slice_changed(a, id, &s)
    return word


# ---------------------------------------------------------------- ranges

cdef uint64_t array_delete_range(SparseArray* a, uint64_t low, uint64_t high) noexcept:
    cdef uint64_t number = low >> SLICE_BITS
    cdef uint64_t last = high >> SLICE_BITS
    cdef uint64_t gone = 0
    cdef uint32_t some
    cdef IdPlace place
    cdef Slice s
    cdef Id id

    while number <= last:
        place = idt_from(&a.slices, Id(0, number))
        if place.leaf is NULL:
            break
        id = idt_id(place)
        if id.seq > last:
            break
        s = slice_at(a, place)[0]
        some = slice_delete(a, &s, low % SLICE if id.seq == low >> SLICE_BITS else 0,
                            high % SLICE if id.seq == last else SLICE - 1)
        if some:
            slice_changed(a, id, &s)
        gone += some
        number = id.seq + 1
    return gone


cdef uint64_t used_below(const SparseArray* a, uint64_t index) noexcept:
    """How many slots below an index are in use."""
    cdef IdPlace place = idt_find(&a.slices, slice_id(index))
    cdef uint64_t count = idt_weight_below(&a.slices, slice_id(index))
    cdef const Slice* s
    cdef uint32_t i

    if place.leaf is NULL:
        return count
    s = slice_at(a, place)
    if s.base == SPARSE:
        return count + sparse_below(s, index % SLICE)
    for i in range(min(index % SLICE - min(index % SLICE, <uint64_t>s.base), <uint64_t>s.room)):
        count += s.words[i] != 0
    return count


cdef uint64_t array_count_range(const SparseArray* a, uint64_t low, uint64_t high) noexcept:
    cdef uint64_t up_to = used_below(a, high + 1) if high < UINT64_MAX else array_count(a)

    return up_to - used_below(a, low)


cdef void enter_slice(ArrayIter* it) noexcept:
    cdef const Slice* s

    if it.place.leaf is NULL:
        return
    s = slice_at(it.a, it.place)
    it.at = (s.used if s.base == SPARSE else s.room) - 1 if it.down else 0


cdef void array_iter(ArrayIter* it, const SparseArray* a, uint64_t start, uint64_t end) noexcept:
    cdef const Slice* s
    cdef int64_t offset = start % SLICE

    it.a, it.end, it.down = a, end, end < start
    it.place = idt_up_to(&a.slices, slice_id(start)) if it.down else idt_from(&a.slices, slice_id(start))
    enter_slice(it)
    if it.place.leaf is NULL or idt_id(it.place).seq != start >> SLICE_BITS:
        return
    s = slice_at(a, it.place)
    if s.base == SPARSE:
        it.at = <int64_t>sparse_below(s, offset + 1) - 1 if it.down else sparse_below(s, offset)
    elif it.down:
        it.at = min(it.at, offset - s.base)
    else:
        it.at = max(0, offset - s.base)


cdef bint array_next(ArrayIter* it) noexcept:
    cdef const Slice* s
    cdef int64_t count, step

    step = -1 if it.down else 1
    while it.place.leaf is not NULL:
        s = slice_at(it.a, it.place)
        count = s.used if s.base == SPARSE else s.room
        while 0 <= it.at < count and s.words[it.at] == 0:
            it.at += step
        if 0 <= it.at < count:
            it.word = s.words[it.at]
            it.index = (idt_id(it.place).seq << SLICE_BITS) + (
                offsets_of(s)[it.at] if s.base == SPARSE else <uint64_t>(s.base + it.at))
            it.at += step
            if it.index < it.end if it.down else it.index > it.end:
                it.place.leaf = NULL
            return it.place.leaf is not NULL
        it.place = idt_prev(it.place) if it.down else idt_next(it.place)
        enter_slice(it)
    return False


# ---------------------------------------------------------------- looking at all

cdef size_t array_bytes(const SparseArray* a, int64_t samples) noexcept:
    cdef IdPlace place = idt_first(&a.slices)
    cdef ArrayIter it
    cdef size_t bytes = 0
    cdef int64_t seen = 0

    array_iter(&it, a, 0, UINT64_MAX)
    while (samples == 0 or seen < samples) and array_next(&it):
        bytes += word_bytes(it.word)
        seen += 1
    if seen and <uint64_t>seen < array_count(a):
        bytes = <size_t>(<double>bytes / seen * array_count(a))
    while place.leaf is not NULL:
        bytes += mem_charge(slice_at(a, place).words, slice_size(slice_at(a, place)))
        place = idt_next(place)
    return bytes + idt_bytes(&a.slices)


cdef void array_facts(const SparseArray* a, ArrayFacts* facts) noexcept:
    cdef IdPlace place = idt_first(&a.slices)
    cdef const Slice* s

    memset(facts, 0, sizeof(ArrayFacts))
    while place.leaf is not NULL:
        s = slice_at(a, place)
        if s.base == SPARSE:
            facts.sparse += 1
            facts.sparse_room += s.room
        else:
            facts.dense += 1
            facts.dense_room += s.room
            facts.dense_used += s.used
        place = idt_next(place)


cdef int verify_slice(const Slice* s) except -1:
    cdef uint32_t i
    cdef uint32_t used = 0

    assert 0 < s.used <= s.room <= SLICE
    if s.base == SPARSE:
        for i in range(s.used):
            assert s.words[i] and offsets_of(s)[i] < SLICE
            assert i == 0 or offsets_of(s)[i - 1] < offsets_of(s)[i]
        return 0
    assert s.base + s.room <= SLICE and s.room <= WIDEST_DENSE * s.used
    for i in range(s.room):
        used += s.words[i] != 0
    assert used == s.used
    return 0


cdef int array_verify(const SparseArray* a) except -1:
    cdef IdPlace place = idt_first(&a.slices)
    cdef ArrayIter it
    cdef uint64_t count = 0
    cdef uint64_t texts = 0

    idt_verify(&a.slices)
    while place.leaf is not NULL:
        assert idt_id(place).ms == 0 and idt_id(place).seq <= UINT64_MAX >> SLICE_BITS
        verify_slice(slice_at(a, place))
        place = idt_next(place)
    array_iter(&it, a, 0, UINT64_MAX)
    while array_next(&it):
        count += 1
        if is_block(it.word):
            texts += 1
            assert not it.word & SHORT_TAG or short_block(it.word)[0] > INLINE_MOST
            assert it.word & SHORT_TAG or SHORT_MOST < long_block(it.word)[0] < <uint64_t>INT64_MAX
    assert count == array_count(a) and texts == a.texts
    return 0
