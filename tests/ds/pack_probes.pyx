"""Listpacks, intsets and LZF for Python: only for tests, never in a wheel."""
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset

from fastredis.ds.alloc cimport PAGE, Account
from fastredis.ds.intset cimport (
    ints_add, ints_adopt, ints_bytes, ints_charge, ints_contains, ints_copy, ints_count, ints_free, ints_get, ints_new,
    ints_random, ints_remove, ints_valid, ints_verify, ints_width,
)
from fastredis.ds.listpack cimport (
    LpItem, lp_adopt, lp_append, lp_append_int, lp_bytes, lp_bytes_at, lp_charge, lp_concat, lp_copy, lp_count,
    lp_delete, lp_element_size, lp_find, lp_first, lp_free, lp_get, lp_insert, lp_insert_int, lp_last,
    lp_new, lp_next, lp_prepend, lp_prev, lp_replace, lp_replace_int, lp_room, lp_seek, lp_text, lp_valid, lp_verify,
    lp_write_element, lp_write_header,
)
from fastredis.ds.lzf cimport lzf_compress, lzf_decompress
from fastredis.ds.native cimport monotonic_us
from fastredis.ds.numbers cimport INT64_TEXT

cdef extern from "<sys/mman.h>" nogil:
    enum:
        PROT_NONE
        PROT_READ
        PROT_WRITE
        MAP_PRIVATE
        MAP_ANONYMOUS
    void* MAP_FAILED
    void* mmap(void* address, size_t size, int protection, int flags, int fd, long offset)
    int mprotect(void* address, size_t size, int protection)
    int munmap(void* address, size_t size)


cdef class Guarded:
    """Bytes between two pages that nobody may touch; no room at all behind, or (`low`) in front of them."""
    cdef uint8_t* pages
    cdef uint8_t* data
    cdef size_t size, mapped

    def __cinit__(self, size_t size, bint low=False):
        cdef size_t inner = (size + PAGE - 1) // PAGE * PAGE

        self.size = size
        self.mapped = inner + 2 * PAGE
        self.pages = <uint8_t*>mmap(NULL, self.mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
        if self.pages == MAP_FAILED:
            raise MemoryError
        mprotect(self.pages, PAGE, PROT_NONE)
        mprotect(self.pages + PAGE + inner, PAGE, PROT_NONE)
        self.data = self.pages + PAGE + (0 if low else inner - size)

    def __dealloc__(self):
        munmap(self.pages, self.mapped)


cdef Guarded guarded(bytes data, bint low=False):
    cdef Guarded copy = Guarded(len(data), low)

    memcpy(copy.data, <const char*>data, len(data))
    return copy


# ---------------------------------------------------------------- listpack

cdef class ListpackProbe:
    """A listpack with an account of its own. Positions are indexes, as a list has them."""
    cdef uint8_t* lp
    cdef Account account

    def __cinit__(self, bytes data=None):
        cdef Guarded foreign

        if data is None:
            self.lp = lp_new(&self.account)
        else:
            foreign = guarded(data)
            self.lp = lp_adopt(&self.account, foreign.data, len(data))

    def __dealloc__(self):
        lp_free(&self.account, self.lp)

    @property
    def used(self):
        return self.account.used

    @property
    def charge(self):
        return lp_charge(self.lp)

    def __len__(self):
        return lp_count(self.lp)

    def __bytes__(self):
        return (<char*>self.lp)[:lp_bytes(self.lp)]

    def free(self):
        """Give the block back; what the account still has."""
        lp_free(&self.account, self.lp)
        self.lp = NULL
        return self.account.used

    def verify(self):
        lp_verify(self.lp)

    def break_byte(self, size_t offset, uint8_t value):
        self.lp[offset] = value

    cdef object item(self, const uint8_t* p):
        cdef LpItem item

        lp_get(p, &item)
        return item.number if item.text is NULL else item.text[:item.size]

    def items(self):
        cdef const uint8_t* p = lp_first(self.lp)
        cdef list items = []

        while p is not NULL:
            items.append(self.item(p))
            p = lp_next(self.lp, p)
        return items

    def items_backwards(self):
        cdef const uint8_t* p = lp_last(self.lp)
        cdef list items = []

        while p is not NULL:
            items.append(self.item(p))
            p = lp_prev(self.lp, p)
        return items

    def texts(self):
        """All elements as the texts they read as."""
        cdef const uint8_t* p = lp_first(self.lp)
        cdef char[INT64_TEXT] scratch
        cdef const char* text
        cdef LpItem item
        cdef size_t size
        cdef list texts = []

        while p is not NULL:
            lp_get(p, &item)
            text = lp_text(&item, scratch, &size)
            texts.append(text[:size])
            p = lp_next(self.lp, p)
        return texts

    def sizes(self):
        """Bytes of each element."""
        cdef const uint8_t* p = lp_first(self.lp)
        cdef list sizes = []

        while p is not NULL:
            sizes.append(lp_bytes_at(p))
            p = lp_next(self.lp, p)
        return sizes

    def at(self, int64_t index):
        cdef const uint8_t* p = lp_seek(self.lp, index)

        return None if p is NULL else self.item(p)

    cdef int64_t index_of(self, const uint8_t* p) except? -1:
        cdef int64_t index = 0
        cdef const uint8_t* each = lp_first(self.lp)

        while each != p:
            each = lp_next(self.lp, each)
            index += 1
        return index

    def find(self, bytes text, int64_t start=0, uint32_t skip=0):
        cdef uint8_t* p = lp_find(self.lp, lp_seek(self.lp, start), text, len(text), skip)

        return None if p is NULL else self.index_of(p)

    def append(self, bytes text):
        self.lp = lp_append(&self.account, self.lp, text, len(text))

    def append_int(self, int64_t number):
        self.lp = lp_append_int(&self.account, self.lp, number)

    def prepend(self, bytes text):
        self.lp = lp_prepend(&self.account, self.lp, text, len(text))

    def insert(self, int64_t index, bytes text):
        """Before `index`, or at the end; the new element's index, as the call tells it."""
        cdef uint8_t* at = NULL

        self.lp = lp_insert(&self.account, self.lp, lp_seek(self.lp, index), text, len(text), &at)
        return self.index_of(at)

    def insert_int(self, int64_t index, int64_t number):
        self.lp = lp_insert_int(&self.account, self.lp, lp_seek(self.lp, index), number, NULL)

    def replace(self, int64_t index, bytes text):
        cdef uint8_t* p = lp_seek(self.lp, index)

        self.lp = lp_replace(&self.account, self.lp, &p, text, len(text))
        return self.index_of(p)

    def replace_int(self, int64_t index, int64_t number):
        cdef uint8_t* p = lp_seek(self.lp, index)

        self.lp = lp_replace_int(&self.account, self.lp, &p, number)
        return self.index_of(p)

    def delete(self, int64_t index, uint64_t n):
        """The index of the element after those deleted, or None."""
        cdef uint8_t* p = lp_seek(self.lp, index)

        self.lp = lp_delete(&self.account, self.lp, &p, n)
        return None if p is NULL else self.index_of(p)

    def concat(self, ListpackProbe other):
        self.lp = lp_concat(&self.account, self.lp, other.lp)

    def copy_and_drop(self):
        """Go on with a copy."""
        cdef uint8_t* copy = lp_copy(&self.account, self.lp)

        lp_free(&self.account, self.lp)
        self.lp = copy


def element(bytes text):
    """(lp_element_size(), what lp_write_element() writes)."""
    cdef size_t size = lp_element_size(text, len(text))
    cdef Guarded room = Guarded(size)

    if lp_write_element(room.data, text, len(text)) != size:
        raise AssertionError("another size than was said")
    return size, (<char*>room.data)[:size]


def header(size_t total, uint64_t count):
    cdef uint8_t[6] out

    lp_write_header(out, total, count)
    return (<char*>out)[:6]


def listpack_is_valid(bytes data, bint deep=True):
    cdef Guarded high = guarded(data), low = guarded(data, True)
    cdef bint valid = lp_valid(high.data, len(data), deep)

    if valid != lp_valid(low.data, len(data), deep):
        raise AssertionError("the answer depends on where the data lies")
    return valid


def room_for(size_t size):
    return lp_room(size)


# ---------------------------------------------------------------- intset

cdef class IntsetProbe:
    cdef uint8_t* ints
    cdef Account account

    def __cinit__(self, bytes data=None):
        if data is None:
            self.ints = ints_new(&self.account)
        else:
            self.ints = ints_adopt(&self.account, <const uint8_t*><const char*>data, len(data))

    def __dealloc__(self):
        ints_free(&self.account, self.ints)

    @property
    def used(self):
        return self.account.used

    @property
    def charge(self):
        return ints_charge(self.ints)

    @property
    def width(self):
        return ints_width(self.ints)

    def __len__(self):
        return ints_count(self.ints)

    def __bytes__(self):
        return (<char*>self.ints)[:ints_bytes(self.ints)]

    def __contains__(self, int64_t number):
        return ints_contains(self.ints, number)

    def __getitem__(self, uint64_t position):
        if position >= ints_count(self.ints):
            raise IndexError
        return ints_get(self.ints, position)

    def free(self):
        """Give the block back; what the account still has."""
        ints_free(&self.account, self.ints)
        self.ints = NULL
        return self.account.used

    def verify(self):
        ints_verify(self.ints)

    def break_byte(self, size_t offset, uint8_t value):
        self.ints[offset] = value

    def add(self, int64_t number):
        cdef bint added = False

        self.ints = ints_add(&self.account, self.ints, number, &added)
        return added

    def remove(self, int64_t number):
        cdef bint removed = False

        self.ints = ints_remove(&self.account, self.ints, number, &removed)
        return removed

    def random(self, int count, uint64_t seed):
        cdef uint64_t state = seed

        return [ints_random(self.ints, &state) for _ in range(count)]

    def copy_and_drop(self):
        """Go on with a copy."""
        cdef uint8_t* copy = ints_copy(&self.account, self.ints)

        ints_free(&self.account, self.ints)
        self.ints = copy


def intset_is_valid(bytes data, bint deep=True):
    cdef Guarded high = guarded(data)

    return ints_valid(high.data, len(data), deep)


# ---------------------------------------------------------------- LZF

def compress(bytes data, room=None):
    """The compressed bytes, or None when they do not fit `room`."""
    cdef size_t most = len(data) + len(data) // 32 + 1 if room is None else room
    cdef Guarded source = guarded(data), target = Guarded(most)
    cdef size_t size = lzf_compress(source.data, len(data), target.data, most)

    return (<char*>target.data)[:size] if size else None


def decompress(bytes data, size_t room):
    """The `room` bytes that this decompresses to, or None."""
    cdef Guarded source = guarded(data), target = Guarded(room)
    cdef size_t size = lzf_decompress(source.data, len(data), target.data, room)

    return (<char*>target.data)[:size] if size else None


# ---------------------------------------------------------------- how long it takes

def measure_find(list texts, bytes wanted, uint32_t skip=0, int rounds=100_000):
    """Nanoseconds of one lp_find() in a listpack of these texts."""
    cdef Account account
    cdef const uint8_t* found = NULL
    cdef const char* text = wanted
    cdef size_t size = len(wanted)
    cdef uint8_t* lp
    cdef int64_t start
    cdef int _

    memset(&account, 0, sizeof(account))
    lp = lp_new(&account)
    for each in texts:
        lp = lp_append(&account, lp, each, len(each))
    start = monotonic_us()
    for _ in range(rounds):
        found = lp_find(lp, lp_first(lp), text, size, skip)
    start = monotonic_us() - start
    lp_free(&account, lp)
    return start * 1000.0 / rounds, found is not NULL


def measure_walk(list texts, int rounds=100_000):
    """Nanoseconds an element to get all elements of a listpack."""
    cdef Account account
    cdef const uint8_t* p
    cdef LpItem item
    cdef uint64_t sum = 0
    cdef uint8_t* lp
    cdef int64_t start
    cdef int _

    memset(&account, 0, sizeof(account))
    lp = lp_new(&account)
    for each in texts:
        lp = lp_append(&account, lp, each, len(each))
    start = monotonic_us()
    for _ in range(rounds):
        p = lp_first(lp)
        while p is not NULL:
            lp_get(p, &item)
            sum += <size_t>item.text if item.text is not NULL else item.number
            p = lp_next(lp, p)
    start = monotonic_us() - start
    lp_free(&account, lp)
    return start * 1000.0 / rounds / len(texts), sum


def measure_append(bytes wanted, int count, int rounds=1000, bint at_head=False):
    """Nanoseconds of one of `count` appends to an empty listpack, and of one delete of its first element."""
    cdef Account account
    cdef const char* text = wanted
    cdef size_t size = len(wanted)
    cdef int64_t start, appending = 0, deleting = 0
    cdef uint8_t* lp
    cdef uint8_t* p
    cdef int _

    memset(&account, 0, sizeof(account))
    for _ in range(rounds):
        lp = lp_new(&account)
        start = monotonic_us()
        if at_head:
            for _ in range(count):
                lp = lp_prepend(&account, lp, text, size)
        else:
            for _ in range(count):
                lp = lp_append(&account, lp, text, size)
        appending += monotonic_us() - start
        start = monotonic_us()
        for _ in range(count):
            p = lp_first(lp)
            lp = lp_delete(&account, lp, &p, 1)
        deleting += monotonic_us() - start
        lp_free(&account, lp)
    return appending * 1000.0 / rounds / count, deleting * 1000.0 / rounds / count


def measure_ints(list numbers, int rounds=1000):
    """Nanoseconds of one ints_add() and of one ints_contains()."""
    cdef Account account
    cdef int64_t start, adding = 0, asking = 0
    cdef int64_t[512] plain
    cdef uint64_t found = 0
    cdef uint8_t* ints
    cdef bint added
    cdef int j, _, count = len(numbers)

    if count > 512:
        raise ValueError(f"{count} numbers")
    memset(&account, 0, sizeof(account))
    for j in range(count):
        plain[j] = numbers[j]
    for _ in range(rounds):
        ints = ints_new(&account)
        start = monotonic_us()
        for j in range(count):
            ints = ints_add(&account, ints, plain[j], &added)
        adding += monotonic_us() - start
        start = monotonic_us()
        for j in range(count):
            found += ints_contains(ints, plain[j])
        asking += monotonic_us() - start
        ints_free(&account, ints)
    if found != <uint64_t>count * rounds:
        raise AssertionError(f"found {found} of {count * rounds}")
    return adding * 1000.0 / rounds / count, asking * 1000.0 / rounds / count


def measure_lzf(bytes data, int rounds=100):
    """(MB/s of compression, MB/s of decompression, compressed bytes)."""
    cdef Guarded source = guarded(data), target = Guarded(len(data) + len(data) // 32 + 1), back = Guarded(len(data))
    cdef size_t size = 0
    cdef int64_t start, first, second

    start = monotonic_us()
    for _ in range(rounds):
        size = lzf_compress(source.data, source.size, target.data, target.size)
    first = monotonic_us() - start
    start = monotonic_us()
    for _ in range(rounds):
        if lzf_decompress(target.data, size, back.data, back.size) != back.size:
            raise AssertionError("does not decompress")
    second = monotonic_us() - start
    return rounds * len(data) / max(first, 1), rounds * len(data) / max(second, 1), size
