"""Arrays as values. The design comment is in array_type.pxd."""
from fastredis.ds.alloc cimport mem_alloc, mem_charge, mem_free
from fastredis.ds.id_tree cimport idt_first
from fastredis.ds.sparse_array cimport (
    ArrayIter, array_bytes, array_clear, array_copy_some, array_count, array_drain, array_init, array_iter,
    array_length, array_next, array_put, array_take, array_verify,
)
from fastredis.values.entry cimport ENC_SLICED, TYPE_ARRAY, entry_new

cdef enum:
    DRAIN_SLOTS = 4096              # slots that a leaf of the tree, with its slices, counts for in array_drain_value()


cdef int64_t alive = 0                  # see arrays_alive()


# ---------------------------------------------------------------- life

cdef int64_t arrays_alive() noexcept:
    return alive


cdef Entry* array_new(Account* account, const char* key, size_t key_size) noexcept:
    """An entry with an empty array."""
    cdef Array* a = <Array*>mem_alloc(account, sizeof(Array))

    global alive
    alive += 1
    array_init(&a.slots, account)
    a.next = a.ring = 0
    return entry_new(account, TYPE_ARRAY, ENC_SLICED, key, key_size, a)


cdef void array_free_value(Account* account, Entry* e) noexcept:
    cdef Array* a = array_of(e)

    global alive
    alive -= 1
    array_clear(&a.slots)
    mem_free(account, a, sizeof(Array))


cdef int64_t array_drain_value(Account* account, Entry* e, int64_t elements) noexcept:
    """Free some slices; how much is left, about, 0: all that is outside of the entry is freed."""
    cdef uint64_t left = array_drain(&array_of(e).slots, <uint64_t>elements // DRAIN_SLOTS + 1)

    if left:
        return left
    array_free_value(account, e)
    return 0


cdef Entry* array_copy_begin(Account* account, const Entry* e, const char* key, size_t key_size, IdPlace* at) noexcept:
    cdef Entry* copied = array_new(account, key, key_size)

    array_of(copied).next, array_of(copied).ring = array_of(e).next, array_of(e).ring
    at[0] = idt_first(&array_of(e).slots.slices)
    return copied


cdef bint array_copy_on(Entry* copy, const Entry* e, IdPlace* at) noexcept:
    return array_copy_some(&array_of(copy).slots, &array_of(e).slots, at, COPY_SLICES)


cdef Entry* array_copy(Account* account, const Entry* e, const char* key, size_t key_size) noexcept:
    """A deep copy under another key, without a TTL."""
    cdef IdPlace at
    cdef Entry* copy = array_copy_begin(account, e, key, key_size, &at)

    while not array_copy_on(copy, e, &at):
        pass
    return copy


cdef size_t array_value_bytes(const Entry* e, int64_t samples) noexcept:
    """Bytes outside of the entry's block; texts measured on `samples` of them, 0: on all."""
    return mem_charge(array_of(e), sizeof(Array)) + array_bytes(&array_of(e).slots, samples)


cdef uint64_t array_value_count(const Entry* e) noexcept:
    return array_count(&array_of(e).slots)


cdef int64_t array_effort(const Entry* e) noexcept:
    """Pieces of memory that the value is."""
    return array_of(e).slots.texts + array_of(e).slots.slices.count + 1


cdef int array_verify_value(Entry* e) except -1:
    assert array_count(&array_of(e).slots) > 0
    return array_verify(&array_of(e).slots)


# ---------------------------------------------------------------- rings

cdef uint64_t array_recent(const Array* a, uint64_t age) noexcept:
    if age < a.next:
        return a.next - 1 - age
    return array_length(&a.slots) - 1 - (age - a.next)


cdef uint64_t newest(const Array* a, uint64_t most, uint64_t* indexes) noexcept:
    """The indexes of up to `most` values, the newest first; how many there are."""
    cdef ArrayIter it
    cdef uint64_t count = 0
    cdef uint64_t length = array_length(&a.slots)

    if a.next and most:
        array_iter(&it, &a.slots, a.next - 1, 0)
        while count < most and array_next(&it):
            indexes[count] = it.index
            count += 1
    if length > a.next and count < most:
        array_iter(&it, &a.slots, length - 1, a.next)
        while count < most and array_next(&it):
            indexes[count] = it.index
            count += 1
    return count


cdef int keep_newest(Account* account, Array* a, uint64_t most) noexcept:
    """Put the newest values from index 0 on, in their order, and drop the others."""
    cdef uint64_t room = min(most, array_count(&a.slots))
    cdef uint64_t* indexes = <uint64_t*>mem_alloc(account, room * sizeof(uint64_t))
    cdef uint64_t count = newest(a, room, indexes)
    cdef SparseArray fresh
    cdef uint64_t i

    array_init(&fresh, account)
    for i in range(count):
        array_put(&fresh, i, array_take(&a.slots, indexes[count - 1 - i]))
    array_clear(&a.slots)
    fresh.texts = a.slots.texts         # of the words that were moved; those of all others are gone
    a.slots = fresh
    a.next = count
    mem_free(account, indexes, room * sizeof(uint64_t))
    return 0


cdef bint array_make_ring(Account* account, Array* a, uint64_t size) noexcept:
    cdef bint moves = array_count(&a.slots) and (array_length(&a.slots) > size or (a.ring and a.ring != size))

    a.ring = size
    if moves:
        keep_newest(account, a, size)
    return moves
