"""Commands that count in strings: INCR and its kin."""
from libc.float cimport LDBL_MAX
from libc.stdint cimport INT64_MAX, INT64_MIN, int64_t

from fastredis._resp cimport Arg, arg_bytes
from fastredis.commands.strings cimport (
    INCREX_BYFLOAT, INCREX_BYINT, INCREX_ENX, INCREX_LBOUND, INCREX_SATURATE, INCREX_UBOUND, SET_EXPIRES, SET_PERSIST,
    expiry_or_reply, string_options_or_reply,
)
from fastredis.ds.numbers cimport INT64_TEXT, LONG_DOUBLE_TEXT, format_long_double, parse_int64, parse_long_double
from fastredis.engine.client cimport Client
from fastredis.engine.command cimport native
from fastredis.engine.core cimport NOTIFY_GENERIC, NOTIFY_STRING
from fastredis.engine.errors cimport (
    ERR_BOUNDS, ERR_DECR_OVERFLOW, ERR_ENX, ERR_NAN, ERR_NOT_FLOAT, ERR_NOT_INTEGER, ERR_OVERFLOW, ERR_SYNTAX,
)
from fastredis.engine.flags cimport DENYOOM, FAST, WRITE
from fastredis.engine.options cimport Options, get_int_or_reply, option_text
from fastredis.values.entry cimport Entry, entry_has_ttl
from fastredis.values.string_type cimport string_to_int, string_view

from fastredis.engine.command import declarer
from fastredis.engine.declarations import key_at

declare = declarer("string")

cdef enum:                          # options of INCREX
    INCREX_TAKES = (SET_EXPIRES | SET_PERSIST | INCREX_ENX | INCREX_BYINT | INCREX_BYFLOAT | INCREX_LBOUND
                    | INCREX_UBOUND | INCREX_SATURATE)


# --- integers ------------------------------------------------------------------------------

cdef bint add_overflows(int64_t value, int64_t increment) noexcept:
    if increment > 0:
        return value > INT64_MAX - increment
    return value < INT64_MIN - increment


cdef int incr_by(Client c, int64_t increment) except -1:
    """Add to the integer in argv[1] and reply the sum. The TTL is kept; a missing key counts as 0."""
    cdef Arg* key = &c.argv[1]
    cdef Entry* e = c.db.lookup_write(key)
    cdef int64_t value = 0

    if not c.is_string(e):
        return 0
    if e is not NULL and not string_to_int(e, &value):
        return c.error(ERR_NOT_INTEGER)
    if add_overflows(value, increment):
        return c.error(ERR_OVERFLOW)
    c.db.store_int(key, e, value + increment)
    c.modified(key, NOTIFY_STRING, b"incrby")
    return c.reply_int(value + increment)


cdef int cmd_incr(Client c) except -1:
    """INCR key -> integer: the value afterwards. Source: https://redis.io/commands/incr

    A missing key counts as 0. The TTL is kept. Errors: WRONGTYPE; not an integer; signed 64-bit overflow.
    """
    return incr_by(c, 1)

declare(
    b"incr", native(cmd_incr), arity=2, flags=WRITE | DENYOOM | FAST, keys=key_at(1, "RW access update"), since="1.0.0",
    complexity="O(1)",
    summary="Adds one to the integer in a key; a missing key counts as 0.",
    args="key",
)


cdef int cmd_decr(Client c) except -1:
    """DECR key -> integer: the value afterwards. As INCR. Source: https://redis.io/commands/decr"""
    return incr_by(c, -1)

declare(
    b"decr", native(cmd_decr), arity=2, flags=WRITE | DENYOOM | FAST, keys=key_at(1, "RW access update"), since="1.0.0",
    complexity="O(1)",
    summary="Subtracts one from the integer in a key; a missing key counts as 0.",
    args="key",
)


cdef int cmd_incrby(Client c) except -1:
    """INCRBY key increment -> integer: the value afterwards.

    A missing key counts as 0. The TTL is kept. Errors: WRONGTYPE; not an integer; signed 64-bit overflow.
    Source: https://redis.io/commands/incrby
    """
    cdef int64_t increment

    if not get_int_or_reply(c, 2, &increment):
        return 0
    return incr_by(c, increment)

declare(
    b"incrby", native(cmd_incrby), arity=3, flags=WRITE | DENYOOM | FAST, keys=key_at(1, "RW access update"),
    since="1.0.0",
    complexity="O(1)",
    summary="Adds a number to the integer in a key; a missing key counts as 0.",
    args="key increment:integer",
)


cdef int cmd_decrby(Client c) except -1:
    """DECRBY key decrement -> integer: the value afterwards. As INCRBY. Source: https://redis.io/commands/decrby"""
    cdef int64_t decrement

    if not get_int_or_reply(c, 2, &decrement):
        return 0
    if decrement == INT64_MIN:
        return c.error(ERR_DECR_OVERFLOW)
    return incr_by(c, -decrement)

declare(
    b"decrby", native(cmd_decrby), arity=3, flags=WRITE | DENYOOM | FAST, keys=key_at(1, "RW access update"),
    since="1.0.0",
    complexity="O(1)",
    summary="Subtracts a number from the integer in a key; a missing key counts as 0.",
    args="key decrement:integer",
)


# --- floats ----------------------------------------------------------------------------------

cdef bint get_long_double_or_reply(Client c, const char* text, size_t size, long double* value) except -1:
    if parse_long_double(text, size, value):
        return True
    c.error(ERR_NOT_FLOAT)
    return False


cdef bint string_to_float_or_reply(Client c, Entry* e, long double* value) except -1:
    cdef char[INT64_TEXT] scratch
    cdef size_t size
    cdef const char* text

    if e is NULL:
        value[0] = 0
        return True
    text = string_view(e, scratch, &size)
    return get_long_double_or_reply(c, text, size, value)


cdef bint is_finite(long double value) noexcept:
    return -LDBL_MAX <= value <= LDBL_MAX


cdef int cmd_incrbyfloat(Client c) except -1:
    """INCRBYFLOAT key increment -> the sum as text, up to 17 decimals. The TTL is kept.

    Counts in long double. Errors: WRONGTYPE; not a float; sum not finite.
    Source: https://redis.io/commands/incrbyfloat
    """
    cdef Arg* key = &c.argv[1]
    cdef Entry* e = c.db.lookup_write(key)
    cdef long double value, increment
    cdef char[LONG_DOUBLE_TEXT] text
    cdef int size

    if not (c.is_string(e) and string_to_float_or_reply(c, e, &value)
            and get_long_double_or_reply(c, c.argv[2].ptr, c.argv[2].size, &increment)):
        return 0
    if not is_finite(value + increment):
        return c.error(ERR_NAN)
    size = format_long_double(text, value + increment, True)
    c.db.store_text(key, e, text, size)
    c.modified(key, NOTIFY_STRING, b"incrbyfloat")
    if c.propagates():
        c.effect([b"SET", arg_bytes(key), text[:size], b"KEEPTTL"])
    return c.reply_bulk(text, size)

declare(
    b"incrbyfloat", native(cmd_incrbyfloat), arity=3, flags=WRITE | DENYOOM | FAST, keys=key_at(1, "RW access update"),
    since="2.6.0",
    complexity="O(1)",
    summary="Adds a number to the floating-point number in a key; a missing key counts as 0.",
    args="key increment:double",
)


# --- INCREX ------------------------------------------------------------------------------------

cdef int cmd_increx(Client c) except -1:
    """INCREX key [BYINT n | BYFLOAT x] [LBOUND low] [UBOUND high] [SATURATE] [expiration | PERSIST] [ENX]
    -> array: the value afterwards, the increment applied.

    A sum beyond the bounds, or the type's limits, changes nothing (applied: 0); with SATURATE it stops there.
    ENX: the expire time is only for a key that has none.
    Errors: WRONGTYPE; not a number; syntax; LBOUND above UBOUND; expire time.
    Source: https://redis.io/commands/increx
    """
    cdef Options given
    cdef int64_t when_ms = -1
    cdef Entry* e

    if not string_options_or_reply(c, 2, INCREX_TAKES, &given):
        return 0
    if given.flags & INCREX_ENX:
        if given.flags & SET_PERSIST:
            return c.error(ERR_SYNTAX)
        if not given.flags & SET_EXPIRES:
            return c.error(ERR_ENX)
    if not expiry_or_reply(c, &given, b"increx", &when_ms):
        return 0
    e = c.db.lookup_write(&c.argv[1])
    if not c.is_string(e):
        return 0
    if given.flags & INCREX_BYFLOAT:
        return increx_float(c, e, &given, when_ms)
    return increx_int(c, e, &given, when_ms)


cdef bint int_option_or_reply(Client c, const Options* given, int flag, int64_t* value) except -1:
    cdef const Arg* text = option_text(given, flag)

    if text is not NULL and not parse_int64(text.ptr, text.size, value):
        c.error(ERR_NOT_INTEGER)
        return False
    return True


cdef int increx_int(Client c, Entry* e, const Options* given, int64_t when_ms) except -1:
    cdef int64_t increment = 1
    cdef int64_t low = INT64_MIN
    cdef int64_t high = INT64_MAX
    cdef int64_t value = 0
    cdef int64_t total

    if not (int_option_or_reply(c, given, INCREX_BYINT, &increment)
            and int_option_or_reply(c, given, INCREX_LBOUND, &low)
            and int_option_or_reply(c, given, INCREX_UBOUND, &high)):
        return 0
    if low > high:
        return c.error(ERR_BOUNDS)
    if e is not NULL and not string_to_int(e, &value):
        return c.error(ERR_NOT_INTEGER)
    c.reply_array(2)
    if add_overflows(value, increment):
        total = high if increment > 0 else low
    else:
        total = value + increment
        if low <= total <= high:
            return finish_int(c, e, given, value, total, when_ms)
    if not given.flags & INCREX_SATURATE:
        c.reply_int(value)
        return c.reply_int(0)
    return finish_int(c, e, given, value, max(low, min(high, total)), when_ms)


cdef int finish_int(Client c, Entry* e, const Options* given, int64_t value, int64_t total, int64_t when_ms) except -1:
    """Store the sum; the array's header is written already."""
    cdef object applied

    e = c.db.store_int(&c.argv[1], e, total)
    c.modified(&c.argv[1], NOTIFY_STRING, b"incrby")
    finish_ttl(c, e, given, when_ms, b"%d" % total)
    c.reply_int(total)
    applied = total
    return c.out.object(applied - value)        # a Python integer: saturating may move it by more than 64 bits hold


cdef bint float_option_or_reply(Client c, const Options* given, int flag, long double* value) except -1:
    cdef const Arg* text = option_text(given, flag)

    return text is NULL or get_long_double_or_reply(c, text.ptr, text.size, value)


cdef int reply_long_double(Client c, long double value) except -1:
    cdef char[LONG_DOUBLE_TEXT] text
    cdef int size

    if c.out.resp == 3:
        return c.reply_double(<double>value)
    size = format_long_double(text, value, True)
    return c.reply_bulk(text, size)


cdef int increx_float(Client c, Entry* e, const Options* given, int64_t when_ms) except -1:
    cdef long double increment = 1
    cdef long double low = -LDBL_MAX
    cdef long double high = LDBL_MAX
    cdef long double value, total
    cdef char[LONG_DOUBLE_TEXT] text
    cdef int size

    if not (float_option_or_reply(c, given, INCREX_BYFLOAT, &increment)
            and float_option_or_reply(c, given, INCREX_LBOUND, &low)
            and float_option_or_reply(c, given, INCREX_UBOUND, &high)):
        return 0
    if low > high:
        return c.error(ERR_BOUNDS)
    if not string_to_float_or_reply(c, e, &value):
        return 0
    total = value + increment
    c.reply_array(2)
    if not low <= total <= high:
        if not given.flags & INCREX_SATURATE or total != total:
            reply_long_double(c, value)
            return reply_long_double(c, 0)
        total = low if total < low else high
    size = format_long_double(text, total, True)
    e = c.db.store_text(&c.argv[1], e, text, size)
    c.modified(&c.argv[1], NOTIFY_STRING, b"incrbyfloat")
    finish_ttl(c, e, given, when_ms, text[:size])
    reply_long_double(c, total)
    return reply_long_double(c, total - value)


cdef int finish_ttl(Client c, Entry* e, const Options* given, int64_t when_ms, bytes value) except -1:
    """The expiration of INCREX, and what is propagated: a SET of the outcome."""
    cdef Arg* key = &c.argv[1]

    if when_ms >= 0 and not (given.flags & INCREX_ENX and entry_has_ttl(e)):
        c.db.set_expire(e, when_ms)
        c.note(key, NOTIFY_GENERIC, b"expire")
    elif given.flags & SET_PERSIST and c.db.remove_expire(e):
        c.note(key, NOTIFY_GENERIC, b"persist")
    if c.propagates():
        if entry_has_ttl(e):
            c.effect([b"SET", arg_bytes(key), value, b"PXAT", b"%d" % c.db.when_ms(e)])
        else:
            c.effect([b"SET", arg_bytes(key), value])
    return 0

declare(
    b"increx", native(cmd_increx), arity=-2, flags=WRITE | DENYOOM | FAST, keys=key_at(1, "RW access update"),
    since="8.8.0",
    complexity="O(1)",
    summary="Adds to the number in a key, within bounds if wanted, and sets its time to live.",
    args=(
        "key [increment=(BYFLOAT float:double | BYINT integer:integer)] [SATURATE] [LBOUND lowerbound]"
        " [UBOUND upperbound] [expiration=(EX seconds:integer | PX milliseconds:integer"
        " | EXAT unix-time-seconds:unix-time | PXAT unix-time-milliseconds:unix-time | PERSIST)] [ENX]"
    ),
)
