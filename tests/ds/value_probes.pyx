"""The numbers, glob, sha1 and xxh3 functions of fastredis.ds, callable from Python. Built for the tests only."""
from libc.stdint cimport int64_t, uint64_t

from fastredis.ds.glob cimport glob_has_wildcards, glob_match
from fastredis.ds.native cimport monotonic_us
from fastredis.ds.numbers cimport (
    DOUBLE_TEXT, INT64_TEXT, LONG_DOUBLE_TEXT, digits_uint64, format_double, format_general, format_int64,
    format_long_double, format_uint64, parse_double, parse_int64, parse_leading_double, parse_long_double, parse_uint64,
)
from fastredis.ds.sha1 cimport SHA1_TEXT, sha1_text
from fastredis.ds.xxh3 cimport xxh3_64

cdef extern from "<float.h>":
    enum:
        LDBL_MANT_DIG

LONG_DOUBLE_BITS = LDBL_MANT_DIG        # of the significand: 64 on x86, 113 on most others, 53 at least

cdef enum:
    GUARD = 0x5a                # what lies behind a buffer and must stay there


cdef bytes written(char* out, int length, int room):
    """The text in `out`, once it is certain that nothing was written behind its room."""
    if not 0 < length <= room or out[room] != GUARD:
        raise MemoryError(f"{length} bytes written where {room} have room")
    return out[:length]


def int64_of(bytes text):
    """The signed integer that `text` is, or None."""
    cdef int64_t v

    return v if parse_int64(text, len(text), &v) else None


def uint64_of(bytes text):
    cdef uint64_t v

    return v if parse_uint64(text, len(text), &v) else None


def text_of_int64(int64_t v):
    cdef char[INT64_TEXT + 1] out

    out[INT64_TEXT] = GUARD
    return written(out, format_int64(out, v), INT64_TEXT)


def text_of_uint64(uint64_t v):
    cdef char[INT64_TEXT + 1] out

    out[INT64_TEXT] = GUARD
    return written(out, format_uint64(out, v), INT64_TEXT)


def digits_of(uint64_t v):
    return digits_uint64(v)


def double_of(bytes text):
    cdef double v

    return v if parse_double(text, len(text), &v) else None


def text_of_double(double v):
    cdef char[DOUBLE_TEXT + 1] out

    out[DOUBLE_TEXT] = GUARD
    return written(out, format_double(out, v), DOUBLE_TEXT)


def leading_double_of(bytes text):
    """The double that `text` begins with, and the length of its text."""
    cdef double v
    cdef size_t length = parse_leading_double(text, &v)

    return (v, length)


def general_text_of_double(double v, int precision):
    cdef char[DOUBLE_TEXT + 1] out

    out[DOUBLE_TEXT] = GUARD
    return written(out, format_general(out, v, precision), DOUBLE_TEXT)


def long_double_text(bytes text, bint human=True):
    """`text` read as a long double and written again, or None."""
    cdef char[LONG_DOUBLE_TEXT + 1] out
    cdef long double v

    if not parse_long_double(text, len(text), &v):
        return None
    out[LONG_DOUBLE_TEXT] = GUARD
    return written(out, format_long_double(out, v, human), LONG_DOUBLE_TEXT)


def long_double_sum(bytes a, bytes b):
    """What INCRBYFLOAT makes of the value `a` and the increment `b`, or None."""
    cdef char[LONG_DOUBLE_TEXT + 1] out
    cdef long double v, increment

    if not parse_long_double(a, len(a), &v) or not parse_long_double(b, len(b), &increment):
        return None
    out[LONG_DOUBLE_TEXT] = GUARD
    return written(out, format_long_double(out, v + increment, True), LONG_DOUBLE_TEXT)


def matches(bytes pattern, bytes text, bint nocase=False):
    return bool(glob_match(pattern, len(pattern), text, len(text), nocase))


def has_wildcards(bytes pattern):
    return bool(glob_has_wildcards(pattern, len(pattern)))


def xxh3(bytes data):
    return xxh3_64(<const char*>data, len(data))


def xxh3_at(bytes data, size_t start):
    """The hash of data[start:], read where it lies: at any alignment."""
    return xxh3_64(<const char*>data + start, len(data) - start)


def time_int64(list texts, int rounds):
    """Nanoseconds of one parse_int64() and of one format_int64(), over 1024 canonical texts."""
    cdef char[1024][INT64_TEXT] inputs
    cdef int[1024] lengths
    cdef int64_t[1024] values
    cdef char[INT64_TEXT] out
    cdef int64_t started, parsed, formatted, total = 0
    cdef int i, j, _round

    for i in range(1024):
        text = <bytes>texts[i]
        lengths[i] = len(text)
        for j in range(lengths[i]):
            inputs[i][j] = text[j]
    started = monotonic_us()
    for _round in range(rounds):
        for i in range(1024):
            total += parse_int64(inputs[i], lengths[i], &values[i])
    parsed = monotonic_us()
    for _round in range(rounds):
        for i in range(1024):
            total += format_int64(out, values[i])
    formatted = monotonic_us()
    if total != rounds * (1024 + sum(len(text) for text in texts[:1024])):
        raise ValueError("not all texts were canonical numbers")
    return (parsed - started) / 1.024 / rounds, (formatted - parsed) / 1.024 / rounds


def time_double(list values, int rounds):
    """Nanoseconds of one format_double() and of one parse_double() of its text, over 1024 doubles."""
    cdef char[1024][DOUBLE_TEXT] texts
    cdef int[1024] lengths
    cdef double[1024] numbers
    cdef double back = 0
    cdef int64_t started, parsed, formatted, total = 0
    cdef int i, _round

    for i in range(1024):
        numbers[i] = values[i]
    started = monotonic_us()
    for _round in range(rounds):
        for i in range(1024):
            lengths[i] = format_double(texts[i], numbers[i])
    formatted = monotonic_us()
    for _round in range(rounds):
        for i in range(1024):
            total += parse_double(texts[i], lengths[i], &back)
    parsed = monotonic_us()
    if total != rounds * 1024:
        raise ValueError("not all doubles were read back")
    return (formatted - started) / 1.024 / rounds, (parsed - formatted) / 1.024 / rounds


def sha1(bytes data):
    cdef char[SHA1_TEXT + 1] out

    out[SHA1_TEXT] = GUARD
    sha1_text(data, len(data), out)
    return written(out, SHA1_TEXT, SHA1_TEXT)


def time_sha1(bytes data, int count):
    """Nanoseconds of one sha1_text()."""
    cdef char[SHA1_TEXT] out
    cdef int64_t start = monotonic_us()
    cdef int _i

    for _i in range(count):
        sha1_text(data, len(data), out)
    return (monotonic_us() - start) * 1000 / count
