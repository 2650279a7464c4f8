"""Lines of clients by name. The design comment is in lines.pxd."""
cimport cython

cdef enum:
    PLACE_BYTES = 116               # a Place (64), and its part of the client's dict
    LINE_BYTES = 150                # a Line (64), a bytes object's head, and its part of the registry


@cython.final
@cython.no_gc
cdef class Line:
    """Those who stand for one name."""

    def __len__(self):
        return self.count

    cdef list clients(self):
        """The clients, in the order of coming."""
        cdef list found = []
        cdef void* at = self.first

        while at is not NULL:
            found.append(<object>(<Place>at).client)
            at = (<Place>at).after
        return found


@cython.final
@cython.no_gc
cdef class Place:
    """One client's place in one Line."""

    def __dealloc__(self):
        if self.line is not None:
            unlink(self)


cdef int unlink(Place place) noexcept:
    cdef Line line = place.line

    if place.before is not NULL:
        (<Place>place.before).after = place.after
    else:
        line.first = place.after
    if place.after is not NULL:
        (<Place>place.after).before = place.before
    else:
        line.last = place.before
    line.count -= 1
    place.before = place.after = NULL
    place.line = None
    return 0


cdef int64_t place_bytes(bytes name) noexcept:
    return PLACE_BYTES + len(name)


cdef int64_t line_enter(dict registry, dict own, bytes name, object client) except -1:
    cdef Line line
    cdef Place place
    cdef int64_t taken = PLACE_BYTES

    if name in own:
        return 0
    line = <Line>registry.get(name)
    if line is None:
        line = Line()
        line.name = name
        registry[name] = line
        taken += LINE_BYTES + len(name)
    place = Place()
    place.client = <void*>client
    place.before = line.last
    own[line.name] = place              # the registry's bytes, so that there is but one copy
    if line.last is not NULL:
        (<Place>line.last).after = <void*>place
    else:
        line.first = <void*>place
    line.last = <void*>place
    line.count += 1
    place.line = line
    return taken


cdef int64_t line_leave(dict registry, dict own, bytes name) except -1:
    cdef Place place = <Place>own.pop(name, None)
    cdef Line line

    if place is None:
        return 0
    line = place.line
    unlink(place)
    if line.count:
        return PLACE_BYTES
    del registry[line.name]
    return PLACE_BYTES + LINE_BYTES + len(line.name)
