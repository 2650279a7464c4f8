"""A hash callable from Python, outside of any database. Built for the tests only."""
from libc.stdint cimport int64_t, uint64_t
from libc.string cimport memset

from fastredis.ds.alloc cimport Account, mem_charge, mem_free
from fastredis.ds.table cimport table_rehash
from fastredis.values.entry cimport ENC_HASHTABLE, ENC_LISTPACK_EX, Entry, entry_bytes, entry_encoding
from fastredis.values.hash_ttl cimport hash_remove_due, hash_set_when, hash_soonest
from fastredis.values.hash_type cimport (
    FieldValue, HashIter, hash_copy, hash_count, hash_delete, hash_drain, hash_expect, hash_free_value,
    hash_get, hash_iter, hash_iter_end, hash_new, hash_next, hash_random, hash_set, hash_table, hash_value_bytes,
    hash_verify,
)
from fastredis.values.limits cimport Limits
from fastredis.values.timed cimport NO_DEADLINE


cdef int note_field(void* context, const char* field, size_t size) except -1:
    (<list>context).append(field[:size])
    return 0


cdef class HashProbe:
    """A hash with limits of its own. Deadlines are ms, None for none."""
    cdef Account account
    cdef Limits limits
    cdef Entry* e
    cdef uint64_t seed

    def __cinit__(self, int64_t entries=128, int64_t value=64):
        memset(&self.limits, 0, sizeof(Limits))
        self.limits.hash_max_listpack_entries = entries
        self.limits.hash_max_listpack_value = value
        self.e = hash_new(&self.account, b"key", 3)
        self.seed = 1

    def __dealloc__(self):
        if self.e is not NULL:
            self.free()

    def free(self):
        """Free all; account_used says what was forgotten."""
        hash_free_value(&self.account, self.e)
        mem_free(&self.account, self.e, entry_bytes(self.e))
        self.e = NULL

    @property
    def account_used(self):
        return self.account.used

    @property
    def encoding(self):
        encoding = entry_encoding(self.e)
        return {ENC_HASHTABLE: "hashtable", ENC_LISTPACK_EX: "listpackex"}.get(encoding, "listpack")

    @property
    def limit(self):
        return self.limits.hash_max_listpack_entries

    @limit.setter
    def limit(self, int64_t entries):
        self.limits.hash_max_listpack_entries = entries

    def __len__(self):
        return hash_count(self.e)

    def expect(self, uint64_t fields):
        hash_expect(&self.account, &self.limits, self.e, fields)

    def set(self, bytes field, bytes value, bint keep_ttl=False):
        return bool(hash_set(&self.account, &self.limits, self.e, field, len(field), 0, value, len(value), keep_ttl))

    def get(self, bytes field):
        """(value, deadline), or None."""
        cdef FieldValue found

        if not hash_get(self.e, field, len(field), 0, &found):
            return None
        return found.text[:found.size], found.when_ms or None

    def delete(self, bytes field):
        return bool(hash_delete(&self.account, self.e, field, len(field), 0))

    def expire(self, bytes field, when):
        return bool(hash_set_when(&self.account, &self.limits, self.e, field, len(field), 0,
                                  NO_DEADLINE if when is None else when))

    def soonest(self):
        return hash_soonest(self.e) or None

    def remove_due(self, int64_t now, uint64_t limit=2**63):
        """The fields removed."""
        cdef list gone = []
        cdef uint64_t count = hash_remove_due(&self.account, self.e, now, limit, note_field, <void*>gone)

        assert count == <uint64_t>len(gone)
        return gone

    def items(self):
        """[(field, value, deadline)] in the order of the hash."""
        cdef HashIter it
        found = []

        hash_iter(&it, self.e)
        while hash_next(&it):
            found.append((it.field[:it.field_size], it.value[:it.value_size], it.when_ms or None))
        hash_iter_end(&it)
        return found

    def random(self):
        cdef HashIter at

        hash_random(self.e, &self.seed, &at)
        return at.field[:at.field_size], at.value[:at.value_size], at.when_ms or None

    def rehash(self, int buckets):
        if entry_encoding(self.e) == ENC_HASHTABLE:
            table_rehash(&hash_table(self.e).fields, buckets)

    def swap_for_copy(self):
        """Go on with a copy; the original is freed."""
        cdef Entry* copy = hash_copy(&self.account, self.e, b"other", 5)

        self.free()
        self.e = copy

    def bytes(self, int64_t samples=0):
        return hash_value_bytes(self.e, samples)

    def entry_bytes(self):
        return mem_charge(self.e, entry_bytes(self.e))

    def drain(self, int64_t elements):
        """Free in slices; how many slices it took. Nothing but account_used may be asked for after that."""
        slices = 1
        while hash_drain(&self.account, self.e, elements):
            slices += 1
        mem_free(&self.account, self.e, entry_bytes(self.e))
        self.e = NULL
        return slices

    def verify(self):
        hash_verify(self.e)
        assert hash_value_bytes(self.e, 0) + self.entry_bytes() == <uint64_t>self.account.used
