"""Who may call an engine. The design comment is in gate.pxd."""
cimport cython

import os

from fastredis.ds.native cimport monotonic_us, unlikely

from fastredis.embed.errors import FastredisError

cdef extern from "pythread.h":
    enum:
        NOWAIT_LOCK
        WAIT_LOCK
    PyThread_type_lock PyThread_allocate_lock()
    void PyThread_free_lock(PyThread_type_lock lock)
    int PyThread_acquire_lock(PyThread_type_lock lock, int wait) nogil
    void PyThread_release_lock(PyThread_type_lock lock)
    unsigned long PyThread_get_thread_ident() noexcept

cdef int forks = 0              # how many ancestors of this process had this module, too


def note_fork():
    """In a child of os.fork()."""
    global forks
    forks += 1


os.register_at_fork(after_in_child=note_fork)


def steady_s():
    """The time of an event loop, in seconds: time.monotonic(), which tests that freeze the time do not stop."""
    return monotonic_us() / 1e6


@cython.final
cdef class Gate:
    """Who may call an engine: all threads (shared), or that of its loop, which is the one that makes this."""

    def __init__(self, *, bint shared=False):
        self.forks = forks
        if shared:
            self.door = PyThread_allocate_lock()
            self.room = PyThread_allocate_lock()
            if self.door is NULL or self.room is NULL:
                raise MemoryError
        else:
            self.settle()

    def __dealloc__(self):
        if self.door is not NULL:
            PyThread_free_lock(self.door)
        if self.room is not NULL:
            PyThread_free_lock(self.room)

    def settle(self):
        """This thread is the loop's, and inside from now on."""
        self.home = PyThread_get_thread_ident()
        if self.room is NULL:
            self.holder, self.depth = self.home, 1
        else:
            self.enter()

    cdef bint is_home(self) noexcept:
        """Whether this thread is the loop's."""
        return PyThread_get_thread_ident() == self.home

    @property
    def has_visitor(self):
        """Whether another thread than the loop's is inside."""
        return self.holder != self.home

    @property
    def is_inside(self):
        """Whether this thread is inside: the loop does nothing before it has left."""
        return self.holder == PyThread_get_thread_ident()

    cdef int enter(self) except -1:
        """Be the only one inside. Errors: FastredisError, where that can't be."""
        cdef unsigned long me = PyThread_get_thread_ident()

        if unlikely(self.forks != forks):
            raise FastredisError("this is a child of the process that the server runs in: it can't be used here")
        if self.holder == me:
            self.depth += 1
            return 0
        if unlikely(self.room is NULL):
            raise FastredisError("an AsyncServer's engine is for the thread of its event loop")
        acquire(self.door)
        acquire(self.room)
        PyThread_release_lock(self.door)
        self.holder, self.depth = me, 1
        return 0

    cdef int leave(self) except -1:
        cdef bint stirred

        self.depth -= 1
        if self.depth:
            return 0
        stirred = self.stirred and self.holder != self.home
        self.stirred = False
        self.holder = 0
        PyThread_release_lock(self.room)
        if unlikely(stirred):
            try:
                self.wake()
            except OSError:
                pass                    # enough has been said already, or the loop is closed
        return 0

    def stir(self):
        """The loop has got something to do. If it sleeps, it has to be woken."""
        self.stirred = True

    def open(self):
        """The loop is about to sleep: others may come in."""
        self.leave()

    def close(self):
        """It is awake."""
        self.enter()


cdef int acquire(PyThread_type_lock lock) except -1:
    if not PyThread_acquire_lock(lock, NOWAIT_LOCK):
        with nogil:
            PyThread_acquire_lock(lock, WAIT_LOCK)
    return 0
