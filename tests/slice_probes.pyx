"""A job of the engine's background work as a Python class, for tests only."""
from libc.stdint cimport int64_t

from fastredis.ds.native cimport monotonic_us
from fastredis.engine.engine cimport Engine
from fastredis.engine.slices cimport DONE, Job


cdef class JobProbe(Job):
    """Works for work_us, or as long as it may, in each of `steps` steps, and for `pause_us` others have their turn.

    `log` is a list of (name, us that it was given), which several may share. A step that has none left raises `bug`.
    """
    cdef Engine engine
    cdef str name
    cdef list log
    cdef int steps
    cdef int64_t work_us
    cdef int64_t pause_us
    cdef object bug

    def __init__(self, Engine engine not None, str name, list log, int steps=1, int64_t work_us=-1,
                 int64_t pause_us=0, bug=None, bint deadly=True):
        self.engine = engine
        self.name = self.what = name
        self.log = log
        self.steps = steps
        self.work_us = work_us
        self.pause_us = pause_us
        self.bug = bug
        self.deadly = deadly

    def schedule(self, int64_t pause_us):
        self.engine.schedule(self, pause_us)

    cdef int64_t step(self, int64_t until_us) except? -2:
        cdef int64_t start = monotonic_us()
        cdef int64_t end = until_us if self.work_us < 0 else start + self.work_us

        self.log.append((self.name, until_us - start))
        while monotonic_us() < end:
            pass
        self.steps -= 1
        if self.steps <= 0 and self.bug is not None:
            raise self.bug
        return self.pause_us if self.steps > 0 else DONE
