"""Names of keys that eviction spares. The design comment is in blessed.pxd."""
cimport cython

from libc.stdint cimport INT64_MAX

from fastredis._resp cimport arg_hash
from fastredis.ds.table cimport (
    Slot, TableIter, entry_of, table_add, table_count, table_drain, table_init, table_iter, table_iter_end, table_next,
    table_remove, table_slot_by,
)
from fastredis.values.entry cimport ENC_INT, TYPE_STRING, entry_key, entry_key_of, entry_new, entry_slot
from fastredis.values.value cimport entry_free


cdef int free_name(void* context, void* entry) except -1:
    """Visit of table_drain: the context is the Account."""
    entry_free(<Account*>context, <Entry*>entry)
    return 0


@cython.no_gc_clear
cdef class Blessed:
    def __dealloc__(self):
        if self.account is not NULL:
            table_drain(&self.names, INT64_MAX, free_name, self.account)

    def __iter__(self):
        """The names, in no order."""
        cdef TableIter it
        cdef Entry* e
        cdef list found = []

        table_iter(&it, &self.names)
        try:
            while True:
                e = <Entry*>table_next(&it)
                if e is NULL:
                    return iter(found)
                found.append(entry_key(e)[:e.key_size])
        finally:
            table_iter_end(&it)

    cdef Entry* find(self, Arg* key) noexcept:
        """The name's entry; NULL: it is not blessed."""
        cdef Slot* slot = table_slot_by(&self.names, key.ptr, key.size, arg_hash(key), entry_key_of)

        return <Entry*>entry_of(slot[0]) if slot is not NULL else NULL

    cdef bint add(self, Arg* key, bint timed) except -1:
        """False: it is in already."""
        cdef Entry* e

        if self.find(key) is not NULL:
            return False
        e = entry_new(self.account, TYPE_STRING, ENC_INT, key.ptr, key.size, <void*><size_t>timed)
        table_add(&self.names, e, arg_hash(key))
        self.timed += timed
        return True

    cdef bint remove(self, Arg* key) except -1:
        """False: it is not in."""
        cdef Entry* e = <Entry*>table_remove(&self.names, key.ptr, key.size, arg_hash(key))

        if e is NULL:
            return False
        self.timed -= entry_slot(e)[0] is not NULL
        entry_free(self.account, e)
        return True

    cdef int set_timed(self, Arg* key, bint timed) noexcept:
        """Whether the key, if it is in, has a deadline."""
        cdef Entry* e = self.find(key)

        if e is not NULL:
            self.timed += timed - <int>(entry_slot(e)[0] is not NULL)
            entry_slot(e)[0] = <void*><size_t>timed
        return 0

    cdef uint64_t count(self) noexcept:
        return table_count(&self.names)


cdef Blessed blessed_new(Account* account, owner):
    cdef Blessed blessed = Blessed()

    table_init(&blessed.names, account, entry_key_of)
    blessed.owner = owner
    blessed.account = account
    return blessed
