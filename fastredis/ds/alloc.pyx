"""Allocator shim: memory counted per engine. The design comment is in alloc.pxd."""
from libc.stdlib cimport calloc, free, malloc, realloc
from libc.string cimport memcpy, memset
from cpython.mem cimport PyObject_Free, PyObject_Malloc

cdef extern from "<stdlib.h>" nogil:
    void* aligned_alloc(size_t alignment, size_t size)

cdef extern from "<malloc.h>" nogil:
    size_t malloc_usable_size(void* block)

cdef extern from "<sys/mman.h>" nogil:
    enum:
        PROT_READ
        PROT_WRITE
        MAP_PRIVATE
        MAP_ANONYMOUS
    void* MAP_FAILED
    void* mmap(void* address, size_t size, int protection, int flags, int fd, long offset)
    int munmap(void* address, size_t size)


cdef inline size_t class_size(size_t size) noexcept:
    """Bytes of the class that a small block comes from."""
    return (size + 15) & ~<size_t>15 if size else 16


cdef size_t mem_charge(void* block, size_t size) noexcept:
    """Bytes that a block of `size` bytes is charged at."""
    if size <= SMALL:
        return class_size(size)
    return malloc_usable_size(block)


cdef void* mem_alloc(Account* account, size_t size) except NULL:
    # The whole class is asked for, as same_size_class() lets a block be used up to there: with
    # PYTHONMALLOC=malloc or another allocator below Python there would be less.
    cdef void* block = PyObject_Malloc(class_size(size)) if size <= SMALL else malloc(size)

    if block is NULL:
        raise MemoryError(f"no memory for {size} bytes")
    account.used += mem_charge(block, size)
    return block


cdef void* mem_calloc(Account* account, size_t size) except NULL:
    cdef void* block

    if size <= SMALL:
        block = mem_alloc(account, size)
        memset(block, 0, size)
        return block
    block = calloc(1, size)
    if block is NULL:
        raise MemoryError(f"no memory for {size} bytes")
    account.used += mem_charge(block, size)
    return block


cdef void* mem_calloc_aligned(Account* account, size_t size) except NULL:
    """A zeroed block at the start of a cache line; mem_free returns it. `size`: a multiple of 64, above SMALL."""
    cdef void* block = aligned_alloc(64, size)

    if block is NULL:
        raise MemoryError(f"no memory for {size} bytes")
    memset(block, 0, size)
    account.used += mem_charge(block, size)
    return block


cdef void* mem_realloc(Account* account, void* block, size_t old_size, size_t new_size) except NULL:
    """Resize a block, its first min(old_size, new_size) bytes kept. On MemoryError the old block stands."""
    cdef void* moved
    cdef size_t charge

    if block is NULL:
        return mem_alloc(account, new_size)
    if same_size_class(old_size, new_size):
        return block
    if old_size > SMALL and new_size > SMALL:
        charge = malloc_usable_size(block)
        moved = realloc(block, new_size)
        if moved is NULL:
            raise MemoryError(f"no memory for {new_size} bytes")
        account.used += <int64_t>malloc_usable_size(moved) - <int64_t>charge
        return moved
    moved = mem_alloc(account, new_size)
    memcpy(moved, block, old_size if old_size < new_size else new_size)
    mem_free(account, block, old_size)
    return moved


cdef void mem_free(Account* account, void* block, size_t size) noexcept:
    if block is NULL:
        return
    account.used -= mem_charge(block, size)
    if size <= SMALL:
        PyObject_Free(block)
    else:
        free(block)


cdef void* mem_map(Account* account, size_t size) except NULL:
    cdef void* block = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)

    if block == MAP_FAILED:
        raise MemoryError(f"no memory for {size} bytes")
    account.used += size
    return block


cdef void mem_unmap(Account* account, void* block, size_t size) noexcept:
    if block is not NULL and size:
        account.used -= size
        munmap(block, size)
