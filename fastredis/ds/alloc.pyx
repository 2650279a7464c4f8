"""Allocator shim: memory counted per engine. The design comment is in alloc.pxd."""
from libc.stdint cimport UINT64_MAX, int64_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, malloc, realloc
from libc.string cimport memcpy, memset

from fastredis.ds.native cimport ctz64, likely, popcount64, unlikely

cdef extern from "<stdlib.h>" nogil:
    void* aligned_alloc(size_t alignment, size_t size)

cdef extern from * nogil:
    """
    #if defined(__APPLE__)
    #include <malloc/malloc.h>
    #define malloc_usable_size malloc_size
    #else
    #include <malloc.h>
    #endif
    """
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
    enum:
        MADV_DONTNEED
    int madvise(void* address, size_t size, int advice)

cdef extern from *:
    """
    #include <stdint.h>
    #include <stdio.h>
    #include <stdlib.h>
    #include <unistd.h>

    #if defined(__SANITIZE_ADDRESS__)
    #include <sanitizer/asan_interface.h>
    #define fr_poison(start, size) ASAN_POISON_MEMORY_REGION(start, size)
    #define fr_unpoison(start, size) ASAN_UNPOISON_MEMORY_REGION(start, size)
    #else
    #define fr_poison(start, size) ((void)(start), (void)(size))
    #define fr_unpoison(start, size) ((void)(start), (void)(size))
    #endif

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
    # What is free in a slab is poisoned: a sanitizer, if there is one, reports who touches it.
    void poison "fr_poison"(void* start, size_t size) noexcept nogil
    void unpoison "fr_unpoison"(void* start, size_t size) noexcept nogil
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


cdef void* map_pages(size_t size) noexcept:
    """Zeroed pages from the kernel; NULL: there are not as many."""
    cdef void* pages = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)

    return pages if pages != MAP_FAILED else NULL


cdef bint mem_possible(size_t size) noexcept:
    """Whether there is so much memory in one piece. Asks the kernel, 2 us; nothing is kept."""
    cdef void* pages

    if size < LARGE:
        return True
    pages = NULL if fails() else map_pages(size)
    if pages is NULL:
        return False
    munmap(pages, size)
    return True


cdef bint mem_growth_possible(size_t old_size, size_t new_size) noexcept:
    """mem_possible() for a block that is resized."""
    return new_size < LARGE or new_size <= old_size or mem_possible(
        new_size - old_size + min(old_size, <size_t>COPIED_MOST))


# ---------------------------------------------------------------- slabs

cdef enum:
    CLASSES = 65                        # SMALL in steps of CLASS_STEP, and the unused 0
    SLAB = 16 * 1024                    # bytes of a slab, which is aligned to as many
    ARENA_SLABS = 64
    ARENA = ARENA_SLABS * SLAB
    KEPT_SLABS = 64                     # free slabs that keep their pages, at most

cdef struct Slab:                       # the head of one; its blocks follow
    void* free                          # blocks that came back; each begins with a pointer to the next
    Slab* prev                          # neighbours in `open_slabs`, if there is a free block
    Slab* next
    Arena* arena
    uint32_t size                       # of each block
    uint32_t fresh                      # offset of the first block that was never taken; the last ends with the slab
    uint32_t used                       # blocks that are taken

cdef struct Arena:
    char* slabs
    uint64_t free                       # bit i: slab i is
    uint64_t kept                       # of these, those that keep their pages
    Arena* prev                         # neighbours in `arenas`, if there is a free slab
    Arena* next

# Of the process, as malloc() is: blocks belong to engines, slabs do not. Whoever takes one holds the GIL.
cdef Slab* open_slabs[CLASSES]          # by class: those with a free block, the one to take from first
cdef Arena* arenas = NULL               # those with a free slab
cdef int64_t arena_count = 0
cdef int64_t kept_slabs = 0             # in all arenas
cdef int64_t used_slabs = 0             # those with a class
cdef int64_t taken_bytes = 0            # of all blocks of slabs that are taken


cdef inline bint is_full(const Slab* slab) noexcept:
    return slab.free is NULL and slab.fresh + slab.size > SLAB


cdef inline void slab_link(Slab* slab) noexcept:
    """Put a slab at the head of its class's list."""
    cdef Slab** head = &open_slabs[slab.size // CLASS_STEP]

    slab.prev = NULL
    slab.next = head[0]
    if slab.next is not NULL:
        slab.next.prev = slab
    head[0] = slab


cdef inline void slab_unlink(Slab* slab) noexcept:
    if slab.prev is not NULL:
        slab.prev.next = slab.next
    else:
        open_slabs[slab.size // CLASS_STEP] = slab.next
    if slab.next is not NULL:
        slab.next.prev = slab.prev


cdef void arena_link(Arena* arena) noexcept:
    global arenas

    arena.prev = NULL
    arena.next = arenas
    if arenas is not NULL:
        arenas.prev = arena
    arenas = arena


cdef void arena_unlink(Arena* arena) noexcept:
    global arenas

    if arena.prev is not NULL:
        arena.prev.next = arena.next
    else:
        arenas = arena.next
    if arena.next is not NULL:
        arena.next.prev = arena.prev


cdef char* arena_pages() noexcept:
    """Pages of an arena, aligned as slabs are; NULL: there is no memory.

    They are at the upper end of what was mapped, as the kernel goes downwards: next to the last arena's. To the
    kernel both are then one mapping, of which a process may have 65,530.
    """
    cdef char* pages = <char*>map_pages(ARENA + SLAB)
    cdef size_t before

    if pages is NULL:
        return NULL
    before = SLAB - (<size_t>pages & (SLAB - 1))
    munmap(pages, before)
    if before < SLAB:
        munmap(pages + before + ARENA, SLAB - before)
    return pages + before


cdef Arena* arena_new() noexcept:
    """One more arena, all of it free; NULL: there is no memory."""
    global arena_count
    cdef Arena* arena = <Arena*>malloc(sizeof(Arena))

    if arena is NULL:
        return NULL
    arena.slabs = arena_pages()
    if arena.slabs is NULL:
        free(arena)
        return NULL
    arena.free = UINT64_MAX
    arena.kept = 0
    arena_count += 1
    arena_link(arena)
    return arena


cdef void arena_free(Arena* arena) noexcept:
    global arena_count, kept_slabs

    arena_unlink(arena)
    arena_count -= 1
    kept_slabs -= popcount64(arena.kept)
    unpoison(arena.slabs, ARENA)
    munmap(arena.slabs, ARENA)
    free(arena)


cdef Slab* slab_new(size_t size) noexcept:
    """A slab for blocks of that size, open; NULL: there is no memory."""
    global kept_slabs, used_slabs
    cdef Arena* arena = arenas
    cdef Slab* slab
    cdef uint64_t bit
    cdef int i

    if arena is NULL:
        arena = arena_new()
        if arena is NULL:
            return NULL
    i = ctz64(arena.kept if arena.kept else arena.free)
    bit = <uint64_t>1 << i
    arena.free ^= bit
    if arena.free == 0:
        arena_unlink(arena)
    if arena.kept & bit:
        arena.kept ^= bit
        kept_slabs -= 1
    slab = <Slab*>(arena.slabs + i * SLAB)
    poison(slab, SLAB)
    unpoison(slab, sizeof(Slab))
    slab.free = NULL
    slab.arena = arena
    slab.size = <uint32_t>size
    slab.fresh = sizeof(Slab) + (SLAB - sizeof(Slab)) % size    # so blocks of 64 bytes are cache lines
    slab.used = 0
    slab_link(slab)
    used_slabs += 1
    return slab


cdef void slab_free(Slab* slab) noexcept:
    """Give an empty slab back to its arena, and an empty arena to the kernel unless it is the only one with room."""
    global kept_slabs, used_slabs
    cdef Arena* arena = slab.arena
    cdef uint64_t bit = <uint64_t>1 << (<char*>slab - arena.slabs) // SLAB

    slab_unlink(slab)
    used_slabs -= 1
    if arena.free == 0:
        arena_link(arena)
    arena.free |= bit
    if arena.free == UINT64_MAX and (arena.prev is not NULL or arena.next is not NULL):
        arena_free(arena)
    elif kept_slabs < KEPT_SLABS:
        arena.kept |= bit
        kept_slabs += 1
    else:
        madvise(slab, SLAB, MADV_DONTNEED)


cdef inline void* slab_take(size_t size) noexcept:
    """A block of that size, which is a class's; NULL: there is no memory."""
    global taken_bytes
    cdef Slab* slab = open_slabs[size // CLASS_STEP]
    cdef void* block

    if unlikely(slab is NULL):
        slab = slab_new(size)
        if slab is NULL:
            return NULL
    slab.used += 1
    taken_bytes += size
    block = slab.free
    if block is not NULL:
        unpoison(block, sizeof(void*))
        slab.free = (<void**>block)[0]
    else:
        block = <char*>slab + slab.fresh
        slab.fresh += slab.size
    unpoison(block, size)
    if unlikely(is_full(slab)):
        slab_unlink(slab)
    return block


cdef inline void slab_give(void* block) noexcept:
    """Take a block back. The last one of a slab frees that, unless its class has no other open one."""
    global taken_bytes
    cdef Slab* slab = <Slab*>(<size_t>block & ~<size_t>(SLAB - 1))

    if unlikely(is_full(slab)):
        slab_link(slab)
    (<void**>block)[0] = slab.free
    poison(block, slab.size)
    slab.free = block
    slab.used -= 1
    taken_bytes -= slab.size
    if unlikely(slab.used == 0 and (slab.prev is not NULL or slab.next is not NULL)):
        slab_free(slab)


cdef void* mem_slab_take(size_t size) noexcept:
    return granted(slab_take(size), size)


cdef void mem_slab_give(void* block) noexcept:
    slab_give(block)


def slab_figures() -> dict:
    """The slabs of this process: `arenas` of them; of all `slabs`, those that are `free`, and `kept` with their pages.

    taken: bytes of the blocks that are taken; unused: what else there is of the slabs that are not free.
    """
    return {
        "arenas": arena_count, "slabs": arena_count * ARENA_SLABS, "free": arena_count * ARENA_SLABS - used_slabs,
        "kept": kept_slabs, "taken": taken_bytes, "unused": used_slabs * SLAB - taken_bytes,
    }


# ---------------------------------------------------------------- blocks

cdef inline size_t class_size(size_t size) noexcept:
    """Bytes of the class that a small block comes from."""
    return (size + CLASS_STEP - 1) & ~<size_t>(CLASS_STEP - 1) if size else CLASS_STEP


cdef inline void* small_alloc(size_t size) noexcept:
    """A small block; NULL: there is no memory."""
    # The whole class, as same_size_class() lets a block be used up to there.
    return malloc(size) if EXACT_BLOCKS else slab_take(class_size(size))


cdef inline void check_size(void* block, size_t size) noexcept:
    """With exact blocks: end the process if a block was not taken with that size, or any large one."""
    if EXACT_BLOCKS and malloc_usable_size(block) != (size or 1) and (
            size <= SMALL or malloc_usable_size(block) <= SMALL):
        give_up(b"a block is given back with a size that it was not taken with:", size)


cdef size_t mem_charge(void* block, size_t size) noexcept:
    """Bytes that a block of `size` bytes is charged at."""
    if size <= SMALL:
        return class_size(size)
    return malloc_usable_size(block)


cdef void* mem_alloc(Account* account, size_t size) noexcept:
    cdef void* block

    if likely(size <= SMALL):
        block = granted(small_alloc(size), size)
        account.used += class_size(size)
        return block
    block = granted(malloc(size), size)
    account.used += malloc_usable_size(block)
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
    check_size(block, old_size)
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
    check_size(block, size)
    account.used -= mem_charge(block, size)
    if size > SMALL or EXACT_BLOCKS:
        free(block)
    else:
        slab_give(block)


cdef void* mem_map(Account* account, size_t size) noexcept:
    cdef void* block = mem_try_map(account, size)

    if unlikely(block is NULL):
        give_up(b"out of memory, bytes asked for:", size)
    return block


cdef void* mem_try_map(Account* account, size_t size) noexcept:
    """mem_map(), or NULL if there is not as much."""
    cdef void* block = NULL if fails() else map_pages(size)

    if block is not NULL:
        account.used += size
    return block


cdef void mem_unmap(Account* account, void* block, size_t size) noexcept:
    if block is not NULL and size:
        account.used -= size
        munmap(block, size)
