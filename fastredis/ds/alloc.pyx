"""Allocator shim: memory counted per engine. The design comment is in alloc.pxd."""
from libc.stdlib cimport calloc, free, malloc, realloc
from libc.string cimport memcpy, memset
from cpython.mem cimport PyObject_Free, PyObject_Malloc

from fastredis.ds.native cimport unlikely

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

cdef extern from *:
    """
    #include <stdint.h>
    #include <stdio.h>
    #include <stdlib.h>
    #include <unistd.h>

    /* Of the process, not of an engine: how it ends. */
    static int fr_report_fd = -1;
    static int fr_exits = 0;

    static void fr_report(int fd, const char *line, int size) {
        if (write(fd, line, (size_t)size) < 0) return;      /* there is nowhere to say so */
    }

    /* Takes no memory, as there is none. */
    __attribute__((cold, noinline, noreturn))
    static void fr_give_up(const char *what, size_t number) {
        char text[512];
        int pid = (int)getpid();
        int size = snprintf(text, sizeof text,
                            "%d:M # ------------------------------------------------\\n"
                            "%d:M # !!! Software Failure. Press left mouse button to continue\\n"
                            "%d:M # Guru Meditation: %s %zu\\n"
                            "%d:M # ------------------------------------------------\\n",
                            pid, pid, pid, what, number, pid);

        fr_report(2, text, size);
        if (fr_report_fd >= 0) fr_report(fr_report_fd, text, size);
        if (fr_exits) _exit(1);
        abort();
    }

    #ifdef FASTREDIS_PROBES
    static int64_t fr_asked = 0;        /* since mem_fail_at() */
    static int64_t fr_fails_at = 0;     /* of these the one that fails; 0: none */
    #define fr_fails() (++fr_asked == fr_fails_at)
    #define fr_fail_at(n, asked) (*(asked) = fr_asked, fr_asked = 0, fr_fails_at = (n))
    #else
    #define fr_fails() 0
    #define fr_fail_at(n, asked) ((void)(n), (void)(asked))
    #endif
    """
    int report_fd "fr_report_fd"
    bint exits_at_end "fr_exits"
    void give_up "fr_give_up"(const char* what, size_t number) noexcept nogil
    bint fails "fr_fails"() noexcept nogil
    void fail_at "fr_fail_at"(int64_t n, int64_t* asked) noexcept nogil

cdef enum:
    # Of a block that grows the allocator moves pages; up to this size it may have to copy it.
    COPIED_MOST = 32 * 1024 * 1024


# ---------------------------------------------------------------- the end

cdef void mem_give_up(const char* what, size_t number) noexcept:
    give_up(what, number)


cdef void mem_report_to(int fd) noexcept:
    global report_fd

    report_fd = fd


cdef void mem_exit_at_end(bint exits) noexcept:
    global exits_at_end

    exits_at_end = exits


cdef int64_t mem_fail_at(int64_t n) noexcept:
    cdef int64_t asked = 0

    fail_at(n, &asked)
    return asked


cdef inline void* granted(void* block, size_t size) noexcept:
    """A block that was asked for, or the end."""
    if unlikely(block is NULL or fails()):
        give_up(b"out of memory, bytes asked for:", size)
    return block


cdef bint mem_possible(size_t size) noexcept:
    """Whether there is so much memory in one piece. Asks the kernel, 2 us; nothing is kept."""
    cdef void* pages

    if size < LARGE:
        return True
    if fails() or size > <size_t>-1 // 2:
        return False
    pages = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
    if pages == MAP_FAILED:
        return False
    munmap(pages, size)
    return True


cdef bint mem_growth_possible(size_t old_size, size_t new_size) noexcept:
    """mem_possible() for a block that is resized."""
    return new_size < LARGE or new_size <= old_size or mem_possible(
        new_size - old_size + min(old_size, <size_t>COPIED_MOST))


# ---------------------------------------------------------------- blocks

cdef inline size_t class_size(size_t size) noexcept:
    """Bytes of the class that a small block comes from."""
    return (size + 15) & ~<size_t>15 if size else 16


cdef size_t mem_charge(void* block, size_t size) noexcept:
    """Bytes that a block of `size` bytes is charged at."""
    if size <= SMALL:
        return class_size(size)
    return malloc_usable_size(block)


cdef void* mem_alloc(Account* account, size_t size) noexcept:
    # The whole class is asked for, as same_size_class() lets a block be used up to there: with
    # PYTHONMALLOC=malloc or another allocator below Python there would be less.
    cdef void* block = granted(PyObject_Malloc(class_size(size)) if size <= SMALL else malloc(size), size)

    account.used += mem_charge(block, size)
    return block


cdef void* mem_calloc(Account* account, size_t size) noexcept:
    cdef void* block

    if size <= SMALL:
        block = mem_alloc(account, size)
        memset(block, 0, size)
        return block
    block = granted(calloc(1, size), size)
    account.used += mem_charge(block, size)
    return block


cdef void* mem_calloc_aligned(Account* account, size_t size) noexcept:
    """A zeroed block at the start of a cache line; mem_free returns it. `size`: a multiple of 64, above SMALL."""
    cdef void* block = granted(aligned_alloc(64, size), size)

    memset(block, 0, size)
    account.used += mem_charge(block, size)
    return block


cdef void* mem_realloc(Account* account, void* block, size_t old_size, size_t new_size) noexcept:
    """Resize a block, its first min(old_size, new_size) bytes kept."""
    cdef void* moved
    cdef size_t charge

    if block is NULL:
        return mem_alloc(account, new_size)
    if same_size_class(old_size, new_size):
        return block
    if old_size > SMALL and new_size > SMALL:
        charge = malloc_usable_size(block)
        moved = granted(realloc(block, new_size), new_size)
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


cdef void* mem_map(Account* account, size_t size) noexcept:
    cdef void* block = mem_try_map(account, size)

    if unlikely(block is NULL):
        give_up(b"out of memory, bytes asked for:", size)
    return block


cdef void* mem_try_map(Account* account, size_t size) noexcept:
    """mem_map(), or NULL if there is not as much."""
    cdef void* block = MAP_FAILED

    if not fails():
        block = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
    if block == MAP_FAILED:
        return NULL
    account.used += size
    return block


cdef void mem_unmap(Account* account, void* block, size_t size) noexcept:
    if block is not NULL and size:
        account.used -= size
        munmap(block, size)
