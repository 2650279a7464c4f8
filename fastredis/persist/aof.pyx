"""The append-only file as a feed. The design comment is in aof.pxd."""
cimport cython

import os
from collections import deque

from libc.errno cimport EINTR, ENOSPC, errno
from libc.stdint cimport INT64_MAX
from libc.string cimport memcpy, memmove, strerror

from fastredis.ds.alloc cimport mem_free, mem_realloc
from fastredis.ds.native cimport monotonic_us, unlikely
from fastredis.ds.numbers cimport format_int64
from fastredis.engine.core cimport LATENCY_US
from fastredis.engine.engine cimport SELECT_ROOM, TO_AOF, Session, put_select
from fastredis.persist.syncer cimport Syncer

from fastredis.persist.syncer import sync_file

cdef extern from "<unistd.h>" nogil:
    Py_ssize_t write_bytes "write"(int fd, const void* data, size_t size)
    int ftruncate(int fd, long size)
    int usleep(unsigned int us)

cdef extern from "<sched.h>" nogil:
    int sched_yield()

cdef enum:
    NOTE_ROOM = 32                      # bytes of an annotation, at most
    FIRST_ROOM = 16 * 1024
    KEPT_ROOM = 256 * 1024              # a buffer larger than this is given back when it is written
    SYNC_MS = 1000                      # everysec
    PATIENCE_MS = 2000                  # for so long writing waits for a slow fsync
    QUIET_MS = 30 * 1000                # between two log lines about failed writes
    GATHER_SHARE = 8                    # of the time of an fsync, this part may be waited for more clients
    RETRY_MS = 1000                     # between two tries of the cron to write what failed

cdef dict POLICIES = {"no": FSYNC_NO, "everysec": FSYNC_EVERYSEC, "always": FSYNC_ALWAYS}


@cython.no_gc_clear                     # __dealloc__ needs the engine
cdef class AppendOnly(Feed):
    """The append-only file that is being written; see aof.pxd. Without an open file it is no feed of its engine."""

    def __cinit__(self, Engine engine not None):
        self.core = &engine.core
        self.fd = self.selected = -1
        self.kind = TO_AOF

    def __init__(self, Engine engine not None):
        self.engine = engine
        self.turn_method = self.turn
        self.waiters = {}
        self.jobs = deque()
        self.group = set()
        self.logged_ms = -QUIET_MS - 1

    def __dealloc__(self):
        mem_free(&self.core.memory, self.data, self.room)

    def configure(self, config):
        """Take the settings over."""
        cdef Fsync policy = POLICIES[config.appendfsync]

        if policy != self.policy and self.fd >= 0 and FSYNC_ALWAYS in (policy, self.policy):
            self.finish()               # who waits has waited under the old policy
            self.core.holding |= self.opened
        self.policy = policy
        self.timestamps = config.aof_timestamp_enabled
        self.spare_disk = config.no_appendfsync_on_rewrite
        if self.fd >= 0:
            self.flush(True)

    def reset_statistics(self):
        """CONFIG RESETSTAT."""
        self.delayed = 0

    @property
    def buffered(self):
        """Bytes that are not written yet."""
        return self.size

    @property
    def syncing(self):
        """Jobs of the thread."""
        return len(self.jobs)

    @property
    def in_transaction(self):
        """Whether an EXEC or a script is under way, of which only a part was propagated so far."""
        return self.core.units > 0

    @property
    def buffer_room(self):
        """Bytes of memory that the buffer takes."""
        return self.room

    # --- what comes in ------------------------------------------------------------------

    cdef int reserve(self, size_t size) except -1:
        cdef size_t needed = self.size + NOTE_ROOM + SELECT_ROOM + size

        if unlikely(self.room < needed):
            self.grow(needed)
        return 0

    cdef int write(self, int db, Arg* argv, int argc, const char* text, size_t size) except -1:
        if unlikely(self.timestamps):
            self.annotate()
        if db == NO_DATABASE:
            self.mark_transaction()
        elif unlikely(db != self.selected):
            self.select(db)
        memcpy(self.data + self.size, text, size)
        self.size += size
        if not self.scheduled:
            self.schedule()
        if self.policy != FSYNC_ALWAYS:
            self.core.holding |= not self.opened
        elif self.core.aof_batch == self.submitted:
            self.core.aof_batch += 1
            self.core.sendable = min(self.core.sendable, self.written)
        return 0

    cdef int mark_transaction(self) noexcept:
        """MULTI or EXEC comes."""
        self.opened = self.engine.in_transaction and not self.opened
        self.opened_at = self.size
        self.opened_offset = self.core.propagated
        if self.opened and self.policy == FSYNC_ALWAYS and self.core.aof_batch > self.submitted:
            self.core.aof_batch += 1        # what came before it may be synced while it is under way
        return 0

    cdef int schedule(self) except -1:
        """Have turn() called behind what the loop is at. It is not scheduled yet."""
        self.engine.loop.call_soon(self.turn_method)
        self.scheduled = True
        return 0

    cdef int grow(self, size_t room) except -1:
        """Have room for at least so many bytes, which is more than there is."""
        room = max(room, self.room * 2, FIRST_ROOM)
        self.data = <char*>mem_realloc(&self.core.memory, self.data, self.room, room)
        self.core.aof_bytes += room - self.room
        self.room = room
        return 0

    cdef int annotate(self) except -1:
        """Tell the time, once a second."""
        cdef int64_t now_s = self.core.now_ms // 1000
        cdef char* to

        if now_s > self.stamp_s:
            self.stamp_s = now_s
            to = self.data + self.size
            memcpy(to, b"#TS:", 4)
            to += 4 + format_int64(to + 4, now_s)
            memcpy(to, b"\r\n", 2)
            self.size = to + 2 - self.data
        return 0

    cdef int select(self, int db) except -1:
        """What follows is for another database than what came before it in this file."""
        self.size = put_select(self.data + self.size, db) - self.data
        self.selected = db
        return 0

    def turn(self):
        """Loop: write what this iteration brought; the replies that tell of it may go then."""
        if self.policy == FSYNC_ALWAYS and self.fd >= 0 and not self.jobs and self.gathers():
            self.engine.loop.call_soon(self.turn_method)
            return
        self.scheduled = False
        self.put_out()

    def catch_up(self):
        if self.jobs:
            self.syncer.tell()
        self.put_out()

    cdef int put_out(self) except -1:
        """Write what there is; replies that tell of it may go."""
        try:
            if self.fd >= 0:
                self.flush(False)
        except Exception:               # nobody may be answered
            self.engine.fatal("Writing the AOF failed with an exception")
        if self.core.holding:
            self.engine.release_replies()
        return 0

    cdef bint gathers(self) except -1:
        """Whether to look at the sockets once more: clients that shared the last syncs are about to ask again."""
        cdef int64_t now_us
        cdef Session session
        cdef set group

        if len(self.engine.held) < self.expected:
            now_us = monotonic_us()
            if self.gathering_us == 0:
                self.gathering_us = now_us
            if now_us - self.gathering_us < self.sync_us // GATHER_SHARE:
                sched_yield()               # the clients may be on this processor
                return True
        self.gathering_us = 0
        group = {<size_t><void*>session for session in self.engine.held}
        self.expected = len(group | self.group)
        self.group = group
        return False

    # --- writing ------------------------------------------------------------------------

    cdef int flush(self, bint force) except -1:
        """Write what is in the buffer, and sync it as the setting says. force: even while an fsync is under way."""
        cdef int64_t now_ms = monotonic_us() // 1000

        if self.whole_size():
            if not self.may_write(now_ms, force) or not self.write_out():
                return 0
            self.written = self.opened_offset if self.opened else self.core.propagated
        elif self.synced_size == self.file_size:
            # Nothing is left to be synced; but what was propagated meanwhile may have been for replicas only.
            if not self.opened and not self.jobs and self.policy != FSYNC_NO:
                self.note_synced(self.core.propagated)
            return 0
        return self.sync(now_ms)

    cdef size_t whole_size(self) noexcept:
        """Bytes in the buffer that may be written."""
        return self.opened_at if self.opened else self.size

    cdef bint may_write(self, int64_t now_ms, bint force) except -1:
        """A write(2) would wait for the fsync(2) that the thread is at: put it off, with everysec for a while only.

        Not for that of another file, from which there was a change to this one.
        """
        if self.awaits_base:
            return False
        if self.policy == FSYNC_NO or not self.jobs or force:
            return True
        if self.policy == FSYNC_EVERYSEC and len(self.jobs) == self.leaving:
            return True
        if self.policy == FSYNC_ALWAYS:
            return False
        if self.postponed_ms == 0:
            self.postponed_ms = now_ms
            return False
        if now_ms - self.postponed_ms < PATIENCE_MS:
            return False
        self.delayed += 1
        self.engine.log.notice("Asynchronous AOF fsync is taking too long (disk is busy?). Writing the AOF buffer "
                               "without waiting for fsync to complete, this may slow down Redis.")
        return True

    cdef bint write_out(self) except -1:
        """Write the buffer, but for a part of a transaction; False when the disk does not take it."""
        cdef size_t done = 0
        cdef size_t whole = self.whole_size()
        cdef Py_ssize_t written
        cdef int64_t start_us = monotonic_us()

        if unlikely(self.flush_sleep_us):
            usleep(<unsigned int>self.flush_sleep_us)
        self.postponed_ms = 0
        while done < whole:
            written = write_bytes(self.fd, self.data + done, whole - done)
            if written < 0 and errno == EINTR:
                continue
            if written <= 0:
                self.failed(done, errno if written < 0 else ENOSPC)
                return False
            done += written
        if monotonic_us() - start_us >= LATENCY_US:
            self.note_write(monotonic_us() - start_us)
        self.file_size += done
        self.drop(done)
        if self.room > KEPT_ROOM and not self.size:
            self.free_buffer()
        if unlikely(self.write_failed):
            self.write_failed = False
            self.engine.log.notice("AOF write error looks solved, Redis can write again.")
            self.note_errors()
        return True

    def note_write(self, int64_t took_us):
        """Tell the latency monitor of a write(2), also by what may have held it up."""
        self.engine.note_latency("aof-write-pending-fsync" if self.jobs else
                                 "aof-write-active-child" if self.child_works else "aof-write-alone", took_us)
        self.engine.note_latency("aof-write", took_us)

    cdef int drop(self, size_t bytes) noexcept:
        """So many bytes of the buffer are done with."""
        self.size -= bytes
        memmove(self.data, self.data + bytes, self.size)
        self.opened_at -= min(bytes, self.opened_at)
        return 0

    def free_buffer(self):
        mem_free(&self.core.memory, self.data, self.room)
        self.core.aof_bytes -= self.room
        self.data = NULL
        self.room = self.size = 0

    cdef int failed(self, int64_t written, int error) except -1:
        """Writing failed after so many bytes: take them back, so that the file ends with a whole command."""
        cdef int64_t now_ms = monotonic_us() // 1000
        cdef bint telling = now_ms - self.logged_ms > QUIET_MS
        cdef object log = self.engine.log
        cdef str reason = strerror(error).decode("utf-8", "replace")

        if telling:
            self.logged_ms = now_ms
            log.warning(f"Error writing to the AOF file: {reason}" if written == 0 else
                        f"Short write while writing to the AOF file: (nwritten={written}, expected={self.size})")
        if written and ftruncate(self.fd, self.file_size) < 0:
            if telling:
                log.warning("Could not remove short write from the append-only file.  Redis may refuse to load the "
                            f"AOF the next time it starts.  ftruncate: {strerror(errno).decode()}")
            # It cannot be undone: go on behind it when the disk takes more.
            self.file_size += written
            self.drop(written)
        if self.policy == FSYNC_ALWAYS:
            # The data set has changes that will not be durable, and others may have been told of them.
            log.warning("Can't recover from AOF write error when the AOF fsync policy is 'always'. Exiting...")
            self.engine.on_fatal("the AOF cannot be written", False)
        self.write_failed = True
        self.error = error
        self.retried_ms = now_ms
        return self.note_errors()

    cdef int note_errors(self) except -1:
        """Have commands that write refused while the file cannot take them; not any more once it can."""
        if self.write_failed or self.fsync_failed:
            self.engine.disk_error("aof", b"MISCONF Errors writing to the AOF file: " + strerror(self.error))
        else:
            self.error = 0
            self.engine.disk_error("aof", None)
        return 0

    def cron(self):
        """Several times a second: what was put off, what failed, what is to be synced though nothing was written."""
        cdef int64_t now_ms = monotonic_us() // 1000

        if self.fd < 0 or self.scheduled:
            return
        if self.write_failed and now_ms - self.retried_ms < RETRY_MS:
            return
        if self.size == 0 and self.room > FIRST_ROOM and self.written == self.core.propagated:
            self.free_buffer()
        self.flush(False)

    # --- syncing ------------------------------------------------------------------------

    def start(self, place_thread=None):
        """Start the thread. place_thread: called with its number for sched_setaffinity(2). Raises OSError."""
        if self.syncer is None:
            self.syncer = Syncer(self.engine.loop, self.job_done)
            if place_thread is not None:
                place_thread(self.syncer.thread_id)

    def stop(self):
        """The loop is about to end: end the thread."""
        self.turn_method = None         # which holds this object, and with it the engine, for ever: no_gc_clear
        if self.syncer is not None:
            self.syncer.close()
            self.syncer = None

    cdef int sync(self, int64_t now_ms) except -1:
        """See to it that what is written gets onto the disk, as far as the setting asks for that now."""
        cdef bint due = self.fsync_failed and now_ms - self.failed_ms >= RETRY_MS

        if self.spare_disk and self.child_works:
            return self.note_batch(self.core.aof_batch)
        if self.policy == FSYNC_EVERYSEC:
            due = now_ms - self.synced_ms >= SYNC_MS
        if (due or self.policy == FSYNC_ALWAYS) and not self.jobs:
            self.synced_ms = now_ms
            self.submit(False)
        return 0

    cdef int submit(self, bint closing) except -1:
        """Have the thread sync the file. Its jobs are done one after the other."""
        cdef bint without_last = self.opened and self.policy == FSYNC_ALWAYS    # the transaction under way

        self.syncer.submit(self.fd, closing, 0)
        self.submitted = self.core.aof_batch - without_last
        self.jobs.append((self.written, self.submitted))
        if closing:
            self.leaving = len(self.jobs)
        self.synced_size = self.file_size
        return 0

    def job_done(self, number, int error, int64_t took_us):
        """The thread is done with its first job."""
        cdef int64_t written
        cdef int64_t batch

        written, batch = self.jobs.popleft()
        self.leaving -= self.leaving > 0
        if error:
            self.sync_failed(error)
            return
        if self.policy == FSYNC_ALWAYS and took_us >= LATENCY_US:
            self.engine.note_latency("aof-fsync-always", took_us)
        self.sync_us = (self.sync_us * 7 + took_us) // 8
        self.sync_worked()
        if self.core.aof_batch == batch:
            self.core.sendable = INT64_MAX
        elif self.core.sendable < INT64_MAX:
            self.core.sendable = written
        self.note_batch(batch)
        self.note_synced(written)
        if self.fd >= 0 and not self.scheduled and (
                self.postponed_ms or (self.policy == FSYNC_ALWAYS and self.core.aof_batch > batch)):
            self.schedule()

    def sync_worked(self):
        """An fsync succeeded; the one before it may have failed."""
        if self.fsync_failed:
            self.fsync_failed = False
            self.note_errors()

    def sync_failed(self, int error):
        """An fsync failed. With `always` nobody can be answered any more: that is the end."""
        text = strerror(error).decode("utf-8", "replace")
        if self.policy == FSYNC_ALWAYS and self.fd >= 0:
            self.engine.log.warning("Can't persist AOF for fsync error when the AOF fsync policy is 'always': "
                                    f"{text}. Exiting...")
            self.engine.on_fatal("the AOF cannot be synced", False)
        self.engine.log.warning(f"Fail to fsync the AOF file: {text}")
        if self.fd < 0:
            return                      # it is closed by now
        self.fsync_failed = True
        self.failed_ms = monotonic_us() // 1000
        self.synced_size = -1               # so that the cron tries again
        self.error = error
        self.note_errors()

    cdef int note_batch(self, int64_t batch) except -1:
        """Those who wait for an fsync need not any more, up to this one."""
        if batch > self.core.aof_synced:
            self.submitted = max(self.submitted, batch)
            self.core.aof_synced = batch
            self.engine.release_held()
        return 0

    cdef int note_synced(self, int64_t propagated) except -1:
        """What was propagated up to there is on the disk: some may wait for that."""
        if propagated > self.synced:
            self.synced = propagated
            self.tell_waiters()
        return 0

    def note_base(self, int64_t propagated):
        """A base that holds what was propagated up to there is on the disk."""
        self.note_synced(propagated)

    def tell_waiters(self):
        """Tell those who wait for `synced` to grow, or for the end of the AOF; who has waited enough leaves."""
        if self.waiters:
            self.engine.begin_turn()
            try:
                for waiter in list(self.waiters):
                    waiter.check()
            finally:
                self.engine.end_turn()

    # --- files ---------------------------------------------------------------------------

    def open(self, int fd, int64_t size):
        """Write to a file, which has so many bytes; all that was buffered for the one before is written."""
        self.start()
        if self.fd < 0:
            self.engine.add_feed(self)
        self.fd = fd
        self.file_size = self.synced_size = size
        self.synced = min(self.synced, self.core.propagated)    # a replica's offset may be another than before
        self.selected = -1
        self.stamp_s = 0
        self.synced_ms = monotonic_us() // 1000
        self.postponed_ms = 0

    def close(self, bint discarding=False):
        """Stop. Write and sync what is there, unless the file is to be discarded; what then failed stays unwritten."""
        cdef bytes word = b"*1\r\n$4\r\nEXEC\r\n"

        if self.fd < 0:
            return
        self.give_up_base()
        self.engine.remove_feed(self)
        if not discarding:
            if self.engine.in_transaction and not self.engine.ending:
                self.reserve(len(word))
                self.write(NO_DATABASE, NULL, 0, word, len(word))   # its rest is not for this file
            self.finish()
        if self.jobs:
            self.submit(True)           # the thread is at this very file
        else:
            os.close(self.fd)
        self.fd = -1
        self.free_buffer()
        self.opened = False
        self.write_failed = self.fsync_failed = False
        self.note_errors()
        self.core.sendable = INT64_MAX
        self.note_batch(self.core.aof_batch)
        self.tell_waiters()

    def change_file(self, int fd):
        """Go on in a new, empty file after flush_all(). The old one is synced and closed by the thread."""
        self.submit(True)
        self.open(fd, 0)

    def await_base(self):
        """The file takes nothing, and a rewrite begins: its base will have what is in the buffer. Keep the rest for it.

        base_ready() or give_up_base() ends that.
        """
        self.awaits_base = True
        self.covered = self.size
        self.selected = -1
        self.stamp_s = 0

    def base_ready(self, int fd):
        """The base is there. Go on in a new, empty file with what came since."""
        self.give_up_base()
        self.drop(self.covered)
        self.write_failed = False
        self.note_errors()
        self.change_file(fd)
        self.flush(True)

    def give_up_base(self):
        """There will be no base: try to write all of it again."""
        self.awaits_base = False

    def suspend(self, bint suspended):
        """Take nothing while what runs is read from the file itself (DEBUG LOADAOF); then go on at the file's end."""
        if suspended:
            self.dirty = self.core.dirty
        else:
            self.core.dirty = self.dirty        # the data are what they were: the command has changed nothing
        if self.fd < 0:
            return
        if suspended:
            self.finish()
            self.engine.remove_feed(self)
        else:
            self.engine.add_feed(self)
            self.file_size = self.synced_size = os.fstat(self.fd).st_size

    def flush_all(self):
        """Write all that is buffered, now; False when the disk does not take it."""
        if self.fd >= 0:
            self.flush(True)
        return self.size == 0

    def finish(self):
        """Write and sync all that is there; for the end of the server, or of the file. Waits for the thread."""
        self.flush(True)
        self.syncer.drain()
        try:
            sync_file(self.fd)
        except OSError as error:
            self.sync_failed(error.errno)
            return
        self.sync_worked()
        self.synced_size = self.file_size
        if self.size == 0:
            self.core.sendable = INT64_MAX
            self.note_batch(self.core.aof_batch)
            self.note_synced(self.core.propagated)
