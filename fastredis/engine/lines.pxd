# Lines: which clients stand where by a name: subscribers of a channel, those who watch a key.
#
#   registry    {name: Line}     Line.first --> Place <--> Place <--> Place <-- Line.last
#   the client  {name: Place}                   | client
#
# A Place is one client's in one Line; the client owns it, and knows it by name, so entering
# and leaving take O(1) and the order of coming is kept.
# Hundreds of thousands of them must not cost a pause of the garbage collector: neither class
# takes part in it, and a dict of bytes and such objects is not tracked by it either (all of
# CPython's that track dicts by what is in them; else it is one object). So they must not be
# part of a cycle: a Place does not own its client, and one that goes leaves its Line.
# They count in used_memory, at what they were measured to take.
# Rejected: a dict or set of clients per name (each is an object that the collector looks at,
# with 300,000 of them for 1.4 s), an array of clients per name (leaving takes O(n)).

from libc.stdint cimport int64_t


cdef class Line:
    cdef bytes name
    cdef void* first                    # Place; NULL: there is nobody
    cdef void* last
    cdef readonly Py_ssize_t count
    cdef list clients(self)


cdef class Place:
    cdef Line line
    cdef void* client                   # Session
    cdef void* before                   # Place
    cdef void* after
    cdef bint was_expired               # WATCH: the key was there, expired, when it came: its removal is no change


# Put a client last in the line of a name; bytes of memory that this takes, 0: it is in it already.
cdef int64_t line_enter(dict registry, dict own, bytes name, object client) except -1
# Take a client out of it; bytes that this gives back, 0: it is not in it.
cdef int64_t line_leave(dict registry, dict own, bytes name) except -1
# Of these bytes, those that are there for one client.
cdef int64_t place_bytes(bytes name) noexcept
