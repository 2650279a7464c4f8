# Syncer: the thread that has the AOF's files on the disk.
#
#   loop    submit(fd, number) --> [ job, job ] --> thread: fdatasync(2) --> [ job ] --> loop: done(number, error, time)
#                                                                     +-- a byte in a pipe that the loop reads
#
# It is there from the start, so that no fsync is ever left out because the system has no thread to give. Jobs are done
# one after the other, and told of in that order.
# It is a thread of the C library that knows nothing of Python: one that needed the interpreter's lock, which the loop
# holds most of the time, would begin late and tell late, and every client of `appendfsync always` waits for it.

from libc.stdint cimport int64_t


cdef class Syncer:
    cdef void* shared                   # fr_threads of syncer.pyx, what both threads know; NULL: it has ended
    cdef object loop
    cdef object done                    # function (number, errno or 0, microseconds that it took), called in the loop
    cdef int wake                       # read end of the pipe; -1: closed
    cdef int bell                       # its other end
    cdef readonly int pending           # jobs that were submitted and not told of

    # Have a file synced, and closed then if `closing`. MemoryError: nothing was submitted.
    cdef int submit(self, int fd, bint closing, int64_t number) except -1
