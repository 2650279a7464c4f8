"""Parts of values that have deadlines. The design comment is in timed.pxd."""
from fastredis.ds.expire_heap cimport NOT_IN_HEAP, heap_remove, heap_top
from fastredis.ds.native cimport hash_bytes
from fastredis.ds.table cimport table_remove


cdef int timed_init(Timed* ttl, Entry* e) noexcept:
    """The Timed of a value of which no part has a deadline yet."""
    ttl.heap_index = NOT_IN_HEAP
    ttl.entry = e
    ttl.lp = NULL
    return 0


cdef uint64_t timed_remove_due(Table* t, ExpireHeap* expires, FreeBlock release, int64_t now_ms, uint64_t limit,
                               DueVisit visit, void* context) except? 0xFFFFFFFFFFFFFFFF:
    cdef uint64_t due = 0
    cdef uint8_t* block
    cdef const char* name
    cdef size_t size

    while due < limit and expires.count and heap_top(expires).when_ms < now_ms:
        block = <uint8_t*>heap_top(expires).item
        t.key_of(block, &name, &size)
        if visit is not NULL:
            visit(context, name, size)
        table_remove(t, name, size, hash_bytes(name, size))
        heap_remove(expires, block)
        release(t.account, block)
        due += 1
    return due
