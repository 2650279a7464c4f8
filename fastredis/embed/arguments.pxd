# Arguments of commands, from Python values: bytes, str (in UTF-8), int, float; never a copy of bytes or of ASCII.

from fastredis._resp cimport Arg

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE

cdef extern from "Python.h":
    const char* utf8_of "PyUnicode_AsUTF8AndSize"(object text, Py_ssize_t* size) except NULL


cdef bytes bytes_of(object value)


cdef inline int put_arg(Arg* a, object value, list kept) except -1:
    """An argument as bytes, borrowed from the value, or from what is kept for it."""
    cdef Py_ssize_t size

    a.hash = 0
    if type(value) is bytes:
        a.ptr = PyBytes_AS_STRING(value)
        a.size = PyBytes_GET_SIZE(value)
    elif type(value) is str and (<str>value).isascii():
        a.ptr = utf8_of(value, &size)
        a.size = size
    else:
        value = bytes_of(value)
        kept.append(value)
        a.ptr = PyBytes_AS_STRING(value)
        a.size = PyBytes_GET_SIZE(value)
    return 0
