# The allocator shim: every byte of data, buffers and tables is taken and returned here.
#
# An Account counts what one engine holds, exactly: a block is charged at the size that
# the allocator really set aside for it. Blocks up to SMALL bytes come from slabs, without
# a header, so they have to be returned with the size they were taken with; larger ones
# come from malloc.
#
#   arena, 1 MiB  [ slab | slab | ... ]      slab, 16 KiB  [ head | block | block | ... ]
#
# All blocks of a slab have one size, a multiple of 8; where a block lies tells its slab.
# A slab without blocks goes back to its arena, and its pages, but for a few, to the
# kernel; so does an arena without slabs. Blocks are 8-byte aligned.
# On a build with AddressSanitizer each block is one of malloc, exactly as large as asked for,
# so that a step beyond its end is seen, and a use after its end for a long while. Giving it
# back with another size, which would end in the wrong place without the sanitizer, ends the
# process there. Slabs are used by their tests only; what is free in them is poisoned.
# Rejected: CPython's object allocator: its classes are 16 bytes apart, which cost a set
# member or a counter 8 bytes, and it has to find out by itself whether a block is its own;
# a size header in front of every block (8 bytes of 64).
#
# Failing: mem_alloc and its kin always succeed. If there is nothing left they end the
# process with a report (mem_give_up), so nobody has to undo half a change. How much is
# asked for where a user chose the size (a large argument, SETRANGE, a length in a file)
# goes to mem_possible() or mem_growth_possible() first, before anything is changed, and
# the request is refused if there is not as much. An array that only saves time is taken
# with mem_try_map.
# Rejected: MemoryError from every allocation: sixty places to undo what was half done, of
# which no test ever saw half, and half of which were wrong.

from libc.stdint cimport int64_t

cdef extern from *:
    """
    #if defined(__SANITIZE_ADDRESS__)
    #define FR_EXACT_BLOCKS 1
    #else
    #define FR_EXACT_BLOCKS 0
    #endif
    """
    const bint EXACT_BLOCKS "FR_EXACT_BLOCKS"   # no block has room for more than it was taken for

cdef enum:
    SMALL = 512             # largest size that comes from slabs
    CLASS_STEP = 8          # their sizes are multiples of this

cdef struct Account:
    int64_t used            # bytes held now
    int64_t peak            # most bytes held, as seen by note_peak()

cdef void* mem_alloc(Account* account, size_t size) noexcept
cdef void* mem_calloc(Account* account, size_t size) noexcept
cdef void* mem_calloc_aligned(Account* account, size_t size) noexcept
cdef void* mem_realloc(Account* account, void* block, size_t old_size, size_t new_size) noexcept
cdef void mem_free(Account* account, void* block, size_t size) noexcept
cdef size_t mem_charge(void* block, size_t size) noexcept

# Whole zeroed pages straight from the kernel, 4096-aligned: for tables, which must come
# without a memset and go back piece by piece. The caller rounds to PAGE.
cdef enum:
    PAGE = 4096

cdef void* mem_map(Account* account, size_t size) noexcept
cdef void* mem_try_map(Account* account, size_t size) noexcept
cdef void mem_unmap(Account* account, void* block, size_t size) noexcept

cdef enum:
    LARGE = 1024 * 1024     # sizes below this are not asked about: mem_possible() says yes

cdef bint mem_possible(size_t size) noexcept
cdef bint mem_growth_possible(size_t old_size, size_t new_size) noexcept

# End the process, since there is no memory, or a limit of a data structure is reached: `what`, then a number.
cdef void mem_give_up(const char* what, size_t number) noexcept
# Where the report goes beside the standard error: a log file; -1: nowhere.
cdef void mem_report_to(int fd) noexcept
# Whether it ends by exit(1), not by abort().
cdef void mem_exit_at_end(bint exits) noexcept
# For tests, in builds with FASTREDIS_PROBES: the n-th request from now on fails, counted from 1; 0: none does. How
# many there were since the last call.
cdef int64_t mem_fail_at(int64_t n) noexcept
# For tests: a block of a slab on any build, without an account; size is a multiple of CLASS_STEP from there to SMALL.
cdef void* mem_slab_take(size_t size) noexcept
cdef void mem_slab_give(void* block) noexcept


cdef inline bint same_size_class(size_t a, size_t b) noexcept:
    """Whether blocks of a and b bytes take the same room, so that one can be reused as the other."""
    if EXACT_BLOCKS:
        return a == b and a <= SMALL
    return a <= SMALL and b <= SMALL and (a + CLASS_STEP - 1) // CLASS_STEP == (b + CLASS_STEP - 1) // CLASS_STEP
