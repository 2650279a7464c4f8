# Backlog: the latest bytes of the replication stream, and those that a replica has still to be sent.
#
#   stream    ... | block 7 | block 8 | block 9 | block 10 ...room |
#                 ^base  ^start            ^a replica is here    ^end
#
# Bytes are known by their offset in the stream, which never starts again: byte `at` is in block (at - base) / BLOCK.
# A replica that is behind is nothing but an offset (its own copy of the stream would cost memory for each), so one
# row of blocks serves all of them and whoever reconnects. The row is a ring of pointers; blocks go at the front when
# neither the configured size nor a replica asks for them.
# Memory: BLOCK bytes for each block, counted in used_memory; at least the blocks that the configured size touches, and
# those that are reserved for what is about to come.
# Holds: base <= start <= end; (end - base) fits into count blocks. After trim() start is at end - wanted, or where the
# slowest replica is, if that is before it: what is kept for one may serve another.
# Rejected: one flat ring (what is pinned by a slow replica must not move when it grows; a new size copies it all);
# blocks with reference counts (the one lowest offset says as much).

from libc.stdint cimport int64_t

from fastredis.ds.alloc cimport Account

cdef enum:
    BACKLOG_BLOCK = 16 * 1024


cdef class Backlog:
    cdef Account* account
    cdef char** blocks                  # ring
    cdef size_t room                    # pointers in it, a power of two
    cdef size_t head                    # which of them is the oldest block
    cdef size_t count                   # blocks
    cdef int64_t base                   # offset of the oldest block's first byte
    cdef readonly int64_t start         # oldest byte that a replica may ask for
    cdef readonly int64_t end           # the next byte that comes in
    cdef readonly int64_t wanted        # repl-backlog-size
    cdef object owner                   # keeps the account alive

    # Have room for so many bytes more, so that append() of them cannot fail.
    cdef int reserve(self, size_t size) except -1
    cdef int append(self, const char* data, size_t size) except -1
    # The bytes from `at` on that lie side by side; how many. 0: there is nothing at that offset yet.
    cdef size_t peek(self, int64_t at, const char** data) noexcept
    # Free what neither the wanted size nor anybody who reads from `needed` on asks for.
    cdef int trim(self, int64_t needed) except -1
    cdef int add_block(self) except -1

    cdef inline int64_t taken(self) noexcept:
        """Bytes of memory that it takes."""
        return self.count * BACKLOG_BLOCK + self.room * sizeof(char*)

    cdef inline int64_t spare(self) noexcept:
        """Bytes of memory beyond the wanted size; below 0: none."""
        return self.taken() - self.wanted


cdef Backlog backlog_new(Account* account, object owner, int64_t wanted, int64_t offset)
