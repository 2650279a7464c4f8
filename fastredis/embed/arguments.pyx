"""Arguments of commands. The design comment is in arguments.pxd."""
from fastredis.ds.numbers cimport INT64_TEXT, format_int64


cdef bytes bytes_of(object value):
    cdef char[INT64_TEXT] digits

    if isinstance(value, bytes):
        return bytes(value)
    if isinstance(value, str):
        return value.encode("utf-8", "surrogateescape")
    if isinstance(value, bool) or value is None:
        raise TypeError(f"an argument can't be {value!r}: say what it is to be, as bytes, a str, or a number")
    if isinstance(value, int):
        if -(1 << 62) < value < (1 << 62):
            return digits[:format_int64(digits, value)]
        return b"%d" % value
    if isinstance(value, float):
        return repr(float(value)).encode()
    if isinstance(value, (bytearray, memoryview)):
        return bytes(value)
    raise TypeError(f"an argument can't be of type {type(value).__name__}: it is bytes, a str, an int, or a float")


def argument(value):
    """An argument as the bytes that a command gets. Errors: TypeError."""
    return bytes_of(value)
