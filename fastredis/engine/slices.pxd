# Slices: work that takes long is done a little at a time on the loop, so that nobody else waits for it.
#
#     one timer --> Engine.slice() --> the jobs that are due share SLICE_US, the one that waited longest first
#                                      [ expiry | freeing | rehashes | eviction | a COPY | a snapshot ]
#
# Each may use an equal part of what those before it have left, and says when it wants to go on: however
# many there are, clients wait no longer than for one. All of them are one turn of the engine.
#
# A job is in line from put() until it is its turn, with the moment at which it is due. That may be exact (the
# soonest deadline of a key); the timer is armed for the soonest of all.
# What an exception may leave half done (Job.deadly) ends the process: see Engine.fatal.
# Rejected: a timer and a budget for each kind of work, which add up when several are busy.

from libc.stdint cimport int64_t

cdef enum:
    SLICE_US = 1000             # longest piece of work in the background, at a time
    PAUSE_US = 1000             # what work that may take its time leaves to others in between
    NOW = 0                     # go on in the next turn of the loop
    DONE = -1


cdef class Job:
    cdef int64_t due_us         # of the monotonic clock; INT64_MAX: it is not in line
    cdef bint deadly            # an exception would leave data half changed
    cdef str what               # its work, as a log has it: "Freeing memory"
    cdef str event              # its name in the latency monitor; None: it has none
    # Work until the monotonic clock says until_us. Returns in how many us to go on, or DONE.
    cdef int64_t step(self, int64_t until_us) except? -2


cdef class Slices:
    """The jobs of one engine that are in line."""
    cdef list line              # whoever waited longest first
    cdef int put(self, Job job, int64_t due_us) except -1
    cdef int drop(self, Job job) except -1
    cdef int64_t soonest_us(self) except? -1
    cdef list take_due(self, int64_t now_us)
