# Sparse array: indexes of 64 bits, of which few are in use, to strings.
#
#   tree      slice 0        slice 7        slice 10^12       IdTree by the number of the slice; weight: slots in use
#               |              |              |
#   slice     sparse         dense          sparse                4096 indexes each
#
#   dense     base = 3   words [ w | w | 0 | w | w | 0 | 0 ]      a window: the slots base, base + 1 ... of the slice
#   sparse    words [ w | w | w | - ]  offsets [ 5 | 90 | 4000 | - ]       those in use, in order; room for more behind
#
#   word      0                                  the slot is empty
#             size << 1 | 1   up to 7 bytes      the text itself
#             number << 2 | 2                    an integer of up to 62 bits, whose text this is
#             pointer                            Text [ size, 8 bytes | bytes ]
#             pointer | 4                        short text [ size, 1 byte | bytes ], up to 255
#
# Finding a slot is O(log slices), and a binary search in a sparse slice. What has nothing in it takes nothing, and
# walks pass over it: a slice that is walked through has at most four words for each slot in use.
# How many are in use is the tree's weight, also for any range of whole slices; the highest one is in the last slice.
#
# Holds: no slice is empty. A sparse one has ascending offsets. A dense one has at least a quarter of its window in use;
# a sparse one becomes dense when half of what lies between its ends is in use, and it has DENSE_LEAST.
#
# Memory: 8 bytes a slot in a full slice, 10 in a sparse one, about 70 for a slice with a single slot.
# A slice has as many indexes as one of Redis's by default, so ARINFO counts the same slices.
# Rejected: a radix tree by the bits of the index (a lonely index has a node for each level), a directory by number
# that has to grow (2^52 slices), one sorted array (an insertion in the middle moves everything).

from libc.stdint cimport int64_t, uint16_t, uint32_t, uint64_t

from fastredis.ds.alloc cimport Account
from fastredis.ds.id_tree cimport IdPlace, IdTree
from fastredis.ds.numbers cimport INT64_TEXT

cdef enum:
    SLICE_BITS = 12
    SLICE = 1 << SLICE_BITS         # indexes of a slice
    SPARSE = 0xFFFF                 # Slice.base of a sparse one
    WORD_TEXT = INT64_TEXT          # room for the text of a word that has it in itself

cdef struct Slice:
    uint64_t* words
    uint32_t used                   # slots in use
    uint16_t room                   # words there is room for
    uint16_t base                   # dense: offset of the first word; SPARSE

cdef struct SparseArray:
    IdTree slices                   # of Slice, by Id(0, number)
    uint64_t texts                  # blocks that words point to

# A walk over slots in use, from `start` to `end`, both inclusive, downwards if end < start:
#
#     array_iter(&it, a, start, end)
#     while array_next(&it):
#         text = word_text(it.word, scratch, &size)
#
# The array must not change meanwhile.
cdef struct ArrayIter:
    uint64_t index                  # of the slot
    uint64_t word
    const SparseArray* a
    IdPlace place                   # slice; leaf NULL: the walk has ended
    int64_t at                      # next word in it
    uint64_t end
    bint down

cdef struct ArrayFacts:             # by a walk over all slices
    uint64_t dense
    uint64_t dense_room             # words that dense ones have room for
    uint64_t dense_used
    uint64_t sparse
    uint64_t sparse_room

cdef void array_init(SparseArray* a, Account* account) noexcept
cdef void array_clear(SparseArray* a) noexcept
# Free some leaves of slices, from the first on. The slots left. It may only be drained further then, or cleared.
cdef uint64_t array_drain(SparseArray* a, uint64_t leaves) noexcept
# Copy some slices more, from `at` on (at first idt_first()), to an array that has those before them; True: all are.
cdef bint array_copy_some(SparseArray* copy, const SparseArray* a, IdPlace* at, int slices) noexcept

cdef uint64_t array_length(const SparseArray* a) noexcept       # highest index in use + 1; 0: none is
cdef uint64_t array_get(const SparseArray* a, uint64_t index) noexcept      # its word; 0: it is empty
# Whether the slot was empty. The text is copied.
cdef bint array_set(SparseArray* a, uint64_t index, const char* text, size_t size) noexcept
# The same with a word that comes from array_take(), and belongs to the array from now on.
cdef bint array_put(SparseArray* a, uint64_t index, uint64_t word) noexcept
# Empty a slot; its word, which array_put() or array_drop() wants. 0: it was empty.
cdef uint64_t array_take(SparseArray* a, uint64_t index) noexcept
cdef void array_drop(SparseArray* a, uint64_t word) noexcept
# Empty slots from `low` to `high`; how many were in use.
cdef uint64_t array_delete_range(SparseArray* a, uint64_t low, uint64_t high) noexcept
# How many are in use from `low` to `high`.
cdef uint64_t array_count_range(const SparseArray* a, uint64_t low, uint64_t high) noexcept

cdef void array_iter(ArrayIter* it, const SparseArray* a, uint64_t start, uint64_t end) noexcept
cdef bint array_next(ArrayIter* it) noexcept

# The text of a word; scratch: WORD_TEXT bytes, where it may be put. Good until the slot changes.
cdef const char* word_text(uint64_t word, char* scratch, size_t* size) noexcept
cdef bint word_int(uint64_t word, int64_t* number) noexcept     # whether it is an integer's proper text
cdef size_t word_bytes(uint64_t word) noexcept                  # what it takes outside of the slot

# Memory outside of the struct; texts measured in as many slots, 0: in all.
cdef size_t array_bytes(const SparseArray* a, int64_t samples) noexcept
cdef void array_facts(const SparseArray* a, ArrayFacts* facts) noexcept
cdef int array_verify(const SparseArray* a) except -1


cdef inline uint64_t array_count(const SparseArray* a) noexcept:
    return a.slices.weight
