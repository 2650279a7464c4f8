"""The quicklist as a Python class, for tests and measurements only."""
from libc.stdint cimport int64_t, uint8_t
from libc.string cimport memset

from fastredis.ds.alloc cimport Account
from fastredis.ds.listpack cimport LpItem, lp_append, lp_bytes, lp_charge, lp_free, lp_new, lp_text, lp_verify
from fastredis.ds.native cimport monotonic_us
from fastredis.ds.numbers cimport INT64_TEXT
from fastredis.ds.quicklist cimport (
    QL_HEAD, QL_TAIL, Needle, QlIter, QlNode, Quicklist, lp_remove, needle_free, needle_set, ql_adopt, ql_at_end,
    ql_bytes, ql_copy, ql_drain, ql_drop, ql_exceeds, ql_find, ql_free, ql_insert, ql_item, ql_iter, ql_iter_end,
    ql_iter_listpack, ql_new, ql_next, ql_next_node, ql_push, ql_release, ql_remove, ql_replace, ql_verify,
)

HEAD = QL_HEAD
TAIL = QL_TAIL


cdef bytes text_of(const LpItem* item):
    cdef char[INT64_TEXT] scratch
    cdef size_t size
    cdef const char* text = lp_text(item, scratch, &size)

    return text[:size]


def exceeds(int64_t fill, int64_t size, int64_t count):
    return bool(ql_exceeds(fill, size, count))


cdef class QuicklistProbe:
    """One list with an account of its own. `large`: see ql_push()."""
    cdef Account account
    cdef Quicklist* ql
    cdef readonly int fill
    cdef readonly int depth
    cdef public int64_t large

    def __cinit__(self, int fill=-2, int depth=0, int64_t large=0):
        memset(&self.account, 0, sizeof(Account))
        self.ql = ql_new(&self.account, fill, depth)
        self.fill = fill
        self.depth = depth
        self.large = large

    def __dealloc__(self):
        self.free()

    def free(self):
        """Free all; returns the bytes that the account still has then."""
        if self.ql is not NULL:
            ql_free(&self.account, self.ql)
            self.ql = NULL
        return self.account.used

    def renew(self):
        """Begin again with an empty list."""
        self.ql = ql_new(&self.account, self.fill, self.depth)

    @property
    def account_used(self):
        return self.account.used

    def __len__(self):
        return self.ql.count

    def nodes(self):
        """For each node its elements, its bytes, and letters: P plain, C compressed, R with room."""
        cdef QlNode* node = self.ql.head
        found = []
        while node is not NULL:
            letters = ("P" if node.plain else "") + ("C" if node.compressed else "")
            found.append((node.count, node.bytes, letters + ("R" if node.room and not node.compressed else "")))
            node = node.next
        return found

    def push(self, int where, bytes text not None):
        ql_push(&self.account, self.ql, where, text, len(text), self.large)

    def push_all(self, int where, list texts):
        for text in texts:
            self.push(where, text)

    def drop(self, int where, int64_t n):
        ql_drop(&self.account, self.ql, where, n)

    def at_end(self, int where):
        cdef LpItem item

        ql_at_end(self.ql, where, &item)
        return text_of(&item)

    def items(self, int64_t start=0, bint backward=False):
        """All elements from `start` on, in that direction."""
        cdef QlIter it
        cdef LpItem item
        cdef bint more = ql_iter(&self.account, self.ql, start, backward, &it)

        found = []
        while more:
            ql_item(&it, &item)
            found.append(text_of(&item))
            more = ql_next(&it)
        ql_iter_end(&it)
        return found

    def spans(self):
        """Elements of each node, as ql_next_node() goes through them."""
        cdef QlIter it
        cdef bint more = ql_iter(&self.account, self.ql, 0, False, &it)

        found = []
        while more:
            found.append(it.left)
            more = ql_next_node(&it)
        ql_iter_end(&it)
        return found

    def find(self, bytes text not None, int64_t start, bint backward, int64_t most):
        """Elements passed before the text is found, among up to `most` from `start` on, or None."""
        cdef QlIter it
        cdef Needle needle
        cdef LpItem item
        cdef int64_t passed

        if not ql_iter(&self.account, self.ql, start, backward, &it):
            return None
        needle_set(&self.account, &needle, text, len(text))
        found = ql_find(&it, &needle, most, &passed)
        if found:
            ql_item(&it, &item)
            if text_of(&item) != text:
                raise AssertionError(f"found {text_of(&item)} in place of {text}")
        needle_free(&needle)
        ql_iter_end(&it)
        return passed if found else None

    def insert(self, int64_t index, bint after, bytes text not None):
        cdef QlIter it

        if not ql_iter(&self.account, self.ql, index, False, &it):
            return False
        ql_insert(&self.account, self.ql, &it, after, text, len(text), self.large)
        ql_iter_end(&it)
        return True

    def replace(self, int64_t index, bytes text not None):
        return bool(ql_replace(&self.account, self.ql, index, text, len(text), self.large))

    def remove(self, bytes text not None, int64_t most, int where):
        cdef Needle needle
        cdef int64_t removed

        needle_set(&self.account, &needle, text, len(text))
        removed = ql_remove(&self.account, self.ql, &needle, most, where)
        needle_free(&needle)
        return removed

    def copy_items(self):
        """The elements of a copy, which is verified and freed."""
        cdef int64_t used = self.account.used
        cdef Quicklist* mine = self.ql
        cdef Quicklist* copy = ql_copy(&self.account, mine)

        ql_verify(copy)
        self.ql = copy
        try:
            found = self.items()
        finally:
            self.ql = mine
            ql_free(&self.account, copy)
        if self.account.used != used:
            raise AssertionError(f"{self.account.used - used} bytes of a copy were not freed")
        return found

    def drain(self, int64_t elements):
        """Free so many; how many are left. With 0 the list is gone: see renew()."""
        cdef int64_t left = ql_drain(&self.account, self.ql, elements)

        if left == 0:
            self.ql = NULL
        return left

    def through_listpack(self):
        """Give the only node, which is packed, away as a listpack and take it in again; its bytes."""
        cdef uint8_t* lp = ql_release(&self.account, self.ql)

        self.ql = NULL
        lp_verify(lp)
        size = lp_bytes(lp)
        self.renew()
        ql_adopt(&self.account, self.ql, lp)
        return size

    def bytes(self, int64_t samples=0):
        return ql_bytes(self.ql, samples)

    def verify(self):
        ql_verify(self.ql)
        if ql_bytes(self.ql, 0) != <size_t>self.account.used:
            raise AssertionError(f"{ql_bytes(self.ql, 0)} bytes counted, the account has {self.account.used}")


def remove_from_listpack(list texts, bytes text not None, int64_t most, int where):
    """What lp_remove() leaves of a listpack of these, and how many it says it removed."""
    cdef Account account
    cdef Needle needle
    cdef QlIter it
    cdef LpItem item
    cdef int64_t removed
    cdef uint8_t* lp

    memset(&account, 0, sizeof(Account))
    lp = lp_new(&account)
    for each in texts:
        lp = lp_append(&account, lp, each, len(each))
    needle_set(&account, &needle, text, len(text))
    lp = lp_remove(&account, lp, &needle, most, where, &removed)
    needle_free(&needle)
    lp_verify(lp)
    if account.used != <int64_t>lp_charge(lp):
        raise AssertionError(f"the account has {account.used} for {lp_charge(lp)} bytes")
    found = []
    more = ql_iter_listpack(lp, 0, False, &it)
    while more:
        ql_item(&it, &item)
        found.append(text_of(&item))
        more = ql_next(&it)
    lp_free(&account, lp)
    return found, removed


def time_ends(bytes text not None, int64_t count, int where_push, int where_pop):
    """Nanoseconds of a push and of a pop, over `count` of each; with the bytes an element took in between."""
    cdef QuicklistProbe probe = QuicklistProbe()
    cdef const char* data = text
    cdef size_t size = len(text)
    cdef LpItem item
    cdef int64_t _i, started, pushed, popped

    started = monotonic_us()
    for _i in range(count):
        ql_push(&probe.account, probe.ql, where_push, data, size, 0)
    pushed = monotonic_us()
    taken = <double>probe.account.used / count
    for _i in range(count):
        ql_at_end(probe.ql, where_pop, &item)
        ql_drop(&probe.account, probe.ql, where_pop, 1)
    popped = monotonic_us()
    return (pushed - started) * 1000.0 / count, (popped - pushed) * 1000.0 / count, taken
