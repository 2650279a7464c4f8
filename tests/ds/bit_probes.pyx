"""The functions of fastredis.ds.bits, callable from Python. Built for the tests only."""
from libc.stdint cimport int64_t, uint64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy

from fastredis.ds.bits cimport (
    BIT_AND, BIT_ANDOR, BIT_DIFF, BIT_DIFF1, BIT_NOT, BIT_ONE, BIT_OR, BIT_XOR, OVERFLOW_FAIL, OVERFLOW_SAT,
    OVERFLOW_WRAP, BitOp, BitString, Overflow, bit_get, bit_set, bits_combine, bits_count, bits_find, field_add,
    field_get, field_set,
)

OPS = {"AND": BIT_AND, "OR": BIT_OR, "XOR": BIT_XOR, "NOT": BIT_NOT, "DIFF": BIT_DIFF, "DIFF1": BIT_DIFF1,
       "ANDOR": BIT_ANDOR, "ONE": BIT_ONE}
OVERFLOWS = {"WRAP": OVERFLOW_WRAP, "SAT": OVERFLOW_SAT, "FAIL": OVERFLOW_FAIL}


cdef class Bits:
    """A string in a block of exactly its size, so that a sanitizer sees a step beyond its end."""

    cdef char* data
    cdef size_t size

    def __cinit__(self, bytes text):
        self.size = len(text)
        self.data = <char*>malloc(self.size or 1)
        memcpy(self.data, <const char*>text, self.size)

    def __dealloc__(self):
        free(self.data)

    def __bytes__(self):
        return self.data[:self.size]

    def __len__(self):
        return self.size

    def get(self, uint64_t offset):
        return bit_get(self.data, offset)

    def set(self, uint64_t offset, bint bit):
        bit_set(self.data, offset, bit)

    def count(self, uint64_t start, uint64_t stop):
        return bits_count(self.data, start, stop)

    def find(self, uint64_t start, uint64_t stop, bint bit):
        return bits_find(self.data, start, stop, bit)

    def get_field(self, uint64_t offset, int width, bint is_signed):
        return field_get(self.data, self.size, offset, width, is_signed)

    def set_field(self, uint64_t offset, int width, int64_t value):
        field_set(self.data, offset, width, value)


def combine(str op, list strings, size_t size, int into=-1):
    """bits_combine() of Bits objects -> the bytes; `into`: which of the strings is overwritten with them."""
    cdef size_t count = len(strings)
    cdef BitString* raw = <BitString*>malloc(count * sizeof(BitString))
    cdef Bits out = strings[into] if into >= 0 else Bits(bytes(size))
    cdef Bits string

    for i, string in enumerate(strings):
        raw[i].data = string.data
        raw[i].size = string.size
    bits_combine(<BitOp><int>OPS[op], out.data, size, raw, count)
    free(raw)
    return bytes(out)


def add(int64_t value, int64_t increment, int width, bint is_signed, str overflow):
    """field_add() -> the sum, or None when it fails."""
    cdef int64_t total

    if field_add(value, increment, width, is_signed, <Overflow><int>OVERFLOWS[overflow], &total):
        return total
    return None
