"""Replies as Python values. The design comment is in reading.pxd."""
from cpython.ref cimport Py_INCREF
from libc.stdint cimport int64_t
from libc.string cimport memchr

from fastredis.embed.errors import ReplyError

cdef extern from "Python.h":
    object new_list "PyList_New"(Py_ssize_t size)
    void set_new "PyList_SET_ITEM"(object items, Py_ssize_t i, object value)    # takes the reference

cdef bytes OK = b"OK"


class Push(list):
    """A message out of turn: of a channel, or that keys have changed."""

    __slots__ = ()


cdef object read_value(const char** at, int how):
    cdef const char* start = at[0]
    cdef const char* p = start
    cdef char kind = start[0]
    cdef const char* end
    cdef int64_t count

    if kind == c"+" or kind == c"-":
        end = <const char*>memchr(p, c"\r", <size_t>-1 >> 1)
        at[0] = end + 2
        return read_line(p, end - p, how)
    count = read_integer(&p)
    at[0] = p
    if kind == c":":
        return count
    if kind == c"$":
        if count < 0:
            return None
        at[0] = p + count + 2
        return text_of(p, count, how)
    if kind == c"*":
        return read_list(at, count, how) if count >= 0 else None
    return read_rest(at, start, count, how)


cdef inline object text_of(const char* text, Py_ssize_t size, int how):
    return text[:size].decode() if how & READ_TEXT else text[:size]


cdef object read_line(const char* p, Py_ssize_t size, int how):
    """A status or an error: p[1:size]."""
    if p[0] == c"-":
        return ReplyError(p[1:size].decode("utf-8", "replace"))
    if size == 3 and p[1] == c"O" and p[2] == c"K":
        return "OK" if how & READ_TEXT else OK
    return text_of(p + 1, size - 1, how)


cdef inline int64_t read_integer(const char** at) noexcept:
    """The number behind at[0][0], which is moved behind its line. Of what is no integer, nothing that means anything.

    Unsigned in between: the lowest one has no positive sister.
    """
    cdef const char* p = at[0] + 1
    cdef bint negative = p[0] == c"-"
    cdef size_t value = 0

    p += negative
    while p[0] != c"\r":
        value = value * 10 + <size_t>(p[0] - c"0")
        p += 1
    at[0] = p + 2
    return <int64_t>(0 - value) if negative else <int64_t>value


cdef list read_list(const char** at, Py_ssize_t count, int how):
    cdef list items = new_list(count)
    cdef object value
    cdef Py_ssize_t i

    for i in range(count):
        value = read_value(at, how)
        Py_INCREF(value)
        set_new(items, i, value)
    return items


cdef object read_rest(const char** at, const char* line, int64_t count, int how):
    """What only RESP3 has. at[0] is behind its first line already; `count` is the number in that."""
    cdef const char* p = at[0]
    cdef char kind = line[0]

    if kind == c"%":
        return read_map(at, count, how)
    if kind == c"~":
        return set_of(read_list(at, count, how), how)
    if kind == c">":
        return Push(read_list(at, count, how))
    if kind == c"|":
        read_list(at, 2 * count, how)
        return read_value(at, how)
    if kind == c"=":
        at[0] = p + count + 2
        return text_of(p + 4, count - 4, how)
    if kind == c"_":
        return None
    if kind == c"#":
        return line[1] == c"t"
    if kind == c",":
        return float(line[1:p - 2 - line])
    return int(line[1:p - 2 - line])


cdef object read_map(const char** at, int64_t count, int how):
    cdef dict pairs = {}
    cdef list items = read_list(at, 2 * count, how)
    cdef Py_ssize_t i

    try:
        for i in range(count):
            pairs[items[2 * i]] = items[2 * i + 1]
    except TypeError:
        return [(items[2 * i], items[2 * i + 1]) for i in range(count)]
    return pairs


cdef object set_of(list items, int how):
    if how & READ_SETS_AS_LISTS:
        return items
    try:
        return set(items)
    except TypeError:
        return items
