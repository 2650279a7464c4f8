"""Arrays of fastredis.values, and regular expressions, as Python classes, for tests only."""
from libc.stdint cimport int64_t, uint64_t

from fastredis.ds.alloc cimport Account
from fastredis.ds.id_tree cimport IdPlace
from fastredis.ds.regex cimport REGEX_FINE, Regex, regex_clear, regex_init, regex_search
from fastredis.ds.sparse_array cimport (
    WORD_TEXT, ArrayFacts, ArrayIter, array_count, array_count_range, array_delete_range, array_drop, array_facts,
    array_get, array_iter, array_length, array_next, array_set, array_take, word_text,
)
from fastredis.values.array_type cimport (
    array_copy_begin, array_copy_on, array_make_ring, array_new, array_of, array_recent, arrays_alive,
)
from fastredis.values.entry cimport Entry
from fastredis.values.value cimport entry_copy, entry_drain, entry_effort, entry_free, entry_memory, entry_verify


def alive():
    return arrays_alive()


cdef bytes text_of(uint64_t word):
    cdef char[WORD_TEXT] scratch
    cdef size_t size
    cdef const char* text

    if word == 0:
        return None
    text = word_text(word, scratch, &size)
    return text[:size]


cdef class ArrayProbe:
    cdef Account account
    cdef Entry* e

    def __cinit__(self):
        self.e = array_new(&self.account, b"key", 3)

    def __dealloc__(self):
        if self.e is not NULL:
            entry_free(&self.account, self.e)

    def __len__(self):
        return array_count(&array_of(self.e).slots)

    @property
    def length(self):
        return array_length(&array_of(self.e).slots)

    @property
    def used(self):
        return self.account.used

    @property
    def memory(self):
        return entry_memory(self.e, 0)

    @property
    def effort(self):
        return entry_effort(self.e)

    @property
    def next(self):
        return array_of(self.e).next

    @next.setter
    def next(self, uint64_t value):
        array_of(self.e).next = value

    @property
    def facts(self):
        cdef ArrayFacts facts

        array_facts(&array_of(self.e).slots, &facts)
        return facts

    def verify(self):
        if len(self):
            entry_verify(self.e)

    def get(self, uint64_t index):
        return text_of(array_get(&array_of(self.e).slots, index))

    def set(self, uint64_t index, bytes text):
        return array_set(&array_of(self.e).slots, index, text, len(text))

    def delete(self, uint64_t index):
        cdef uint64_t word = array_take(&array_of(self.e).slots, index)

        array_drop(&array_of(self.e).slots, word)
        return word != 0

    def delete_range(self, uint64_t low, uint64_t high):
        return array_delete_range(&array_of(self.e).slots, low, high)

    def count_range(self, uint64_t low, uint64_t high):
        return array_count_range(&array_of(self.e).slots, low, high)

    def range(self, uint64_t start, uint64_t end):
        cdef ArrayIter it

        found = []
        array_iter(&it, &array_of(self.e).slots, start, end)
        while array_next(&it):
            found.append((it.index, text_of(it.word)))
        return found

    def make_ring(self, uint64_t size):
        return array_make_ring(&self.account, array_of(self.e), size)

    def recent(self, uint64_t age):
        return array_recent(array_of(self.e), age)

    def become_copy(self):
        cdef Entry* copy = entry_copy(&self.account, self.e, b"yek", 3)

        entry_free(&self.account, self.e)
        self.e = copy

    def become_slow_copy(self):
        cdef IdPlace at
        cdef Entry* copy = array_copy_begin(&self.account, self.e, b"yek", 3, &at)

        steps = 1
        while not array_copy_on(copy, self.e, &at):
            steps += 1
        entry_free(&self.account, self.e)
        self.e = copy
        return steps

    def drain(self, int64_t elements):
        cdef int64_t left = entry_drain(&self.account, self.e, elements)

        if left == 0:
            self.e = NULL
        return left


def search(bytes pattern, texts, bint nocase=False):
    """For each text whether the pattern matches; the fault's number if it is none."""
    cdef Account account
    cdef Regex r
    cdef bytes text

    account.used = account.peak = 0
    fault = regex_init(&r, &account, pattern, len(pattern), nocase)
    found = []
    if fault == REGEX_FINE:
        for text in texts:
            found.append(regex_search(&r, text, len(text)))
        regex_clear(&r, &account)
    assert account.used == 0
    return found if fault == REGEX_FINE else fault
