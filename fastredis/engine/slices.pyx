"""Work in slices: who is in line. The design comment is in slices.pxd."""
from libc.stdint cimport INT64_MAX


cdef class Job:
    def __cinit__(self):
        self.due_us = INT64_MAX
        self.deadly = True

    cdef int64_t step(self, int64_t until_us) except? -2:
        return DONE


cdef class Slices:
    def __init__(self):
        self.line = []

    cdef int put(self, Job job, int64_t due_us) except -1:
        """Have a job go on at a moment; one that is in line keeps its place there."""
        if job.due_us == INT64_MAX:
            self.line.append(job)
        job.due_us = due_us
        return 0

    cdef int drop(self, Job job) except -1:
        """A job is not to go on."""
        if job.due_us != INT64_MAX:
            job.due_us = INT64_MAX
            self.line.remove(job)
        return 0

    cdef int64_t soonest_us(self) except? -1:
        """When somebody is due; INT64_MAX: nobody is in line."""
        cdef Job job
        cdef int64_t soonest = INT64_MAX

        for job in self.line:
            soonest = min(soonest, job.due_us)
        return soonest

    cdef list take_due(self, int64_t now_us):
        """The jobs that are due; they stay in line until drop()."""
        cdef Job job

        return [job for job in self.line if job.due_us <= now_us]
