# AppendOnly: takes what is propagated, and sees that it is on the disk when the setting says so.
#
#   Engine.propagate --> write()  text of a command --> data [ SELECT, commands of all clients ...size ...room ]
#                           |                                      |
#                           +-- loop.call_soon, once an iteration --> turn(): one write(2) --> fd
#                                                                         |
#      always     fdatasync(2) of each write
#      everysec   fdatasync(2) once a second; while it takes long, writing is put off, for two seconds
#      no         never
#
# fdatasync is always called by a thread of its own (persist/syncer): the loop never waits for the disk.
# With `everysec` and `no` the replies of all clients of this iteration go out after the write (Core.holding): what was
# acknowledged outlives the process. The exception is a write that is put off. None is for the sake of the file before
# this one, which the thread syncs and closes when a rewrite has begun.
# With `always` fsyncs are numbered. Whoever wrote waits for the one that has it (Client.batch, Core.aof_synced), and so
# do its later replies; those of others go at once. While an fsync is under way nothing is written to the file (the
# kernel would have write(2) wait, and with it the loop): what comes in gathers for the next one.
# Clients that just got their replies send the next requests within microseconds, so before an fsync, which takes much
# longer, the sockets are looked at again until those who shared the last two are all there, or a part of its time has
# passed. Else clients would fall into two groups, each of which waits for the other's fsync and its own.
# A transaction is propagated within one turn, so it is in one write. What is in the buffer of one that is under way
# stays there: replies to others, whom a script that takes long has wait, need not wait for that (catch_up), and the
# end of the service (SHUTDOWN in the middle of such a script) leaves no half of one in the file.
# Progress is counted in propagated commands (Core.propagated), which is what WAITAOF compares.
#
# Which file fd is, when it changes, and all that is rare, is the business of aof_files.
# Rejected: fsync on the loop with `always` (a GET beside such writers waits for the disk); writing from each
# connection's turn (a system call and an fsync for each).

from libc.stdint cimport int64_t

from fastredis._resp cimport Arg
from fastredis.engine.core cimport Core
from fastredis.engine.engine cimport NO_DATABASE, Engine, Feed
from fastredis.persist.syncer cimport Syncer

cdef enum Fsync:
    FSYNC_NO
    FSYNC_EVERYSEC
    FSYNC_ALWAYS


cdef class AppendOnly(Feed):
    cdef Engine engine
    cdef Core* core
    cdef readonly int fd                # the file; -1: none is open, and this is no feed of the engine
    cdef char* data                     # formatted, not written yet
    cdef size_t size
    cdef size_t room
    cdef bint opened                    # a transaction is under way, of which a part came,
    cdef size_t opened_at               # ... which begins there in the data,
    cdef int64_t opened_offset          # ... and at this Core.propagated
    cdef int selected                   # database of the file's last SELECT; -1: none yet
    cdef Fsync policy
    cdef bint timestamps                # aof-timestamp-enabled
    cdef int64_t stamp_s                # time of the last annotation
    cdef bint scheduled                 # turn() is about to be called
    cdef object turn_method             # turn, bound
    cdef readonly int64_t file_size     # bytes of the file
    cdef readonly int64_t synced_size   # ... when it was synced last, or the thread began to
    cdef int64_t synced_ms              # monotonic
    cdef int64_t postponed_ms           # since when writing is put off; 0: it is not
    cdef readonly int64_t delayed       # writes that did not wait for a slow fsync any longer
    cdef readonly int error             # errno of the write or fsync that failed last; 0: all is well
    cdef bint write_failed
    cdef bint fsync_failed
    cdef int64_t logged_ms              # when a failed write was logged last
    cdef int64_t retried_ms             # when the cron tried it last
    cdef int64_t written                # what Core.propagated was when all was written
    cdef readonly int64_t synced        # ... and is on the disk
    cdef Syncer syncer                  # the thread; None: not needed so far
    cdef object jobs                    # deque of what it is at: (offset that is written, batch)
    cdef Py_ssize_t leaving             # the first of them: for files that are not written any more
    cdef int64_t submitted              # batch of the last fsync that was asked for (`always`)
    cdef int64_t failed_ms              # when an fsync failed last
    cdef public dict waiters            # Waiter -> None: their check() is called when `synced` grew and at the end
    cdef readonly bint awaits_base      # nothing is written until a new base is there: see await_base()
    cdef size_t covered                 # ... which has so many bytes of the buffer
    cdef public bint child_works        # a child reads or writes much: see no-appendfsync-on-rewrite
    cdef int64_t dirty                  # Core.dirty when it was suspended
    cdef bint spare_disk                # no-appendfsync-on-rewrite
    cdef public int64_t flush_sleep_us  # DEBUG AOF-FLUSH-SLEEP

    cdef set group                      # clients that shared the last sync with `always`, by address
    cdef Py_ssize_t expected            # how many shared the last two
    cdef int64_t gathering_us           # since when more of them are waited for; 0: not
    cdef int64_t sync_us                # how long an fsync takes, a mean of the latest ones

    cdef int grow(self, size_t room) except -1
    cdef int mark_transaction(self) noexcept
    cdef size_t whole_size(self) noexcept
    cdef int drop(self, size_t bytes) noexcept
    cdef int put_out(self) except -1
    cdef bint gathers(self) except -1
    cdef int schedule(self) except -1
    cdef int annotate(self) except -1
    cdef int select(self, int db) except -1
    cdef int flush(self, bint force) except -1
    cdef bint may_write(self, int64_t now_ms, bint force) except -1
    cdef bint write_out(self) except -1
    cdef int failed(self, int64_t written, int error) except -1
    cdef int sync(self, int64_t now_ms) except -1
    cdef int submit(self, bint closing) except -1
    cdef int note_batch(self, int64_t batch) except -1
    cdef int note_synced(self, int64_t propagated) except -1
    cdef int note_errors(self) except -1
