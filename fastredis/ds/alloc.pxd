# The allocator shim: every byte of data, buffers and tables is taken and returned here.
#
# An Account counts what one engine holds, exactly: a block is charged at the size that
# the allocator really set aside for it. Blocks up to SMALL bytes come from CPython's
# object allocator (16-byte classes, no header per block), so they have to be returned
# with the size they were taken with; larger ones come from malloc.
# Rejected: a size header in front of every block (8 bytes of 64), malloc_usable_size
# for small blocks (pymalloc has no such call).

from libc.stdint cimport int64_t

cdef enum:
    SMALL = 512             # largest size that pymalloc serves from its pools

cdef struct Account:
    int64_t used            # bytes held now
    int64_t peak            # most bytes held, as seen by note_peak()

cdef void* mem_alloc(Account* account, size_t size) except NULL
cdef void* mem_calloc(Account* account, size_t size) except NULL
cdef void* mem_calloc_aligned(Account* account, size_t size) except NULL
cdef void* mem_realloc(Account* account, void* block, size_t old_size, size_t new_size) except NULL
cdef void mem_free(Account* account, void* block, size_t size) noexcept
cdef size_t mem_charge(void* block, size_t size) noexcept

# Whole zeroed pages straight from the kernel, 4096-aligned: for tables, which must come
# without a memset and go back piece by piece. The caller rounds to PAGE.
cdef enum:
    PAGE = 4096

cdef void* mem_map(Account* account, size_t size) except NULL
cdef void mem_unmap(Account* account, void* block, size_t size) noexcept


cdef inline bint same_size_class(size_t a, size_t b) noexcept:
    """Whether blocks of a and b bytes take the same room, so that one can be reused as the other."""
    return a <= SMALL and b <= SMALL and (a + 15) >> 4 == (b + 15) >> 4
