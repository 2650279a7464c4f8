"""Parsing of arguments. The design comment is in options.pxd."""
from libc.string cimport strlen

from fastredis.ds.alloc cimport mem_give_up, mem_growth_possible
from fastredis.ds.native cimport ctz64, likely
from fastredis.ds.numbers cimport parse_double, parse_int64, parse_long_double
from fastredis.engine.core cimport GATE_LOADING
from fastredis.engine.errors cimport (
    ERR_NO_MEMORY, ERR_NOT_INTEGER, ERR_SYNTAX, ERR_TIMEOUT, ERR_TIMEOUT_FLOAT, ERR_TIMEOUT_NEGATIVE,
    ERR_TIMEOUT_RANGE,
)

cdef extern from "<math.h>" nogil:
    long double ceill(long double x)

cdef extern from "<strings.h>" nogil:
    int strncasecmp(const char* a, const char* b, size_t size)


cdef bint get_memory_or_reply(Client c, size_t old_size, size_t new_size) except -1:
    """Asked before anything is changed, where a client chose the size. Nothing is taken.

    What is in the AOF, or comes from the master, cannot be refused.
    """
    if likely(mem_growth_possible(old_size, new_size)):
        return True
    if c.core.obeying or c.core.gate & GATE_LOADING:
        mem_give_up(b"out of memory, bytes asked for:", new_size)
    c.error(ERR_NO_MEMORY)
    return False


cdef bint arg_is(const Arg* a, const char* token) noexcept:
    """Whether the argument is that word, in any case. As in Redis, a zero byte ends a word."""
    cdef size_t size = strlen(token)

    return a.size >= size and strncasecmp(a.ptr, token, size) == 0 and (a.size == size or a.ptr[size] == 0)


cdef bint parse_options_or_reply(Client c, int first, const Option* known, int takes, Options* given) except -1:
    """Read the options from argv[first] to the end. takes: flags of those that the command has, or ALL_OPTIONS."""
    cdef const Option* option
    cdef Reader read
    cdef int i = first
    cdef int groups = 0
    cdef int bit

    given.flags = 0
    while i < c.argc:
        option = find_option(&c.argv[i], known, takes)
        if option is NULL or not allowed(option, given, groups) or i + operands(option.kind) >= c.argc:
            c.error(ERR_SYNTAX)
            return False
        given.flags |= option.flag
        if option.group:
            groups |= 1 << option.group
        bit = ctz64(option.flag)
        if operands(option.kind):
            given.text[bit] = &c.argv[i + 1]
        if option.kind >= OPT_INT:
            read = get_int_or_reply if option.read is NULL else option.read
            if not read(c, i + 1, &given.number[bit]):
                return False
        if option.kind == OPT_INTS and not get_int_or_reply(c, i + 2, &given.second):
            return False
        i += 1 + operands(option.kind)
    return True


cdef const Option* find_option(const Arg* a, const Option* known, int takes) noexcept:
    """The option of that name; NULL: it is none of those in `takes`."""
    while known.token is not NULL:
        if known.flag & takes and arg_is(a, known.token):
            return known
        known += 1
    return NULL


cdef inline int operands(OptionKind kind) noexcept:
    """How many arguments belong to an option of this kind."""
    return 0 if kind <= OPT_ONCE else 2 if kind == OPT_INTS else 1


cdef bint allowed(const Option* option, const Options* given, int groups) noexcept:
    """An option may come unless another of its group came before; most may be repeated, the last one counts."""
    if given.flags & option.flag:
        return option.kind != OPT_ONCE and option.kind != OPT_INT_ONCE
    return not (option.group and groups >> option.group & 1)


cdef int leading_options(Client c, int first, const Option* known, int* flags) noexcept:
    """Add the flags of the options from argv[first] on; returns the place of the first argument that is none.

    All are of the kind OPT_FLAG. Which of them go together is for the caller to say.
    """
    cdef const Option* option
    cdef int i = first

    while i < c.argc:
        # Numbers come behind, which no option looks like.
        if c.argv[i].size and c.argv[i].ptr[0] < c'A':
            break
        option = find_option(&c.argv[i], known, ALL_OPTIONS)
        if option is NULL:
            break
        flags[0] |= option.flag
        i += 1
    return i


cdef bint get_int_or_reply_text(Client c, int index, int64_t* value, const char* error) except -1:
    """A 64-bit integer from argv[index]; replies `error` when it is none."""
    if parse_int64(c.argv[index].ptr, c.argv[index].size, value):
        return True
    c.error(error)
    return False


def parse_integer(bytes text not None):
    """A 64-bit integer as Redis reads one, for commands in plain Python; None when it is none."""
    cdef int64_t value

    return value if parse_int64(text, len(text), &value) else None


cdef bint get_int_or_reply(Client c, int index, int64_t* value) except -1:
    return get_int_or_reply_text(c, index, value, ERR_NOT_INTEGER)


cdef bint get_range_or_reply(Client c, int index, int64_t low, int64_t high, int64_t* value,
                             const char* error) except -1:
    """An integer from low to high."""
    if not get_int_or_reply_text(c, index, value, error):
        return False
    if low <= value[0] <= high:
        return True
    c.error(error)
    return False


cdef bint get_double_or_reply(Client c, int index, double* value, const char* error) except -1:
    """A double, not NaN, from argv[index]; replies `error` when it is none."""
    if parse_double(c.argv[index].ptr, c.argv[index].size, value):
        return True
    c.error(error)
    return False


cdef bint get_timeout_or_reply(Client c, int index, int64_t unit_ms, int64_t* when_ms) except -1:
    """A timeout in units of unit_ms as a deadline, ms since the epoch; 0: for ever."""
    cdef int64_t count

    if not get_int_or_reply_text(c, index, &count, ERR_TIMEOUT):
        return False
    if count < 0:
        c.error(ERR_TIMEOUT_NEGATIVE)
        return False
    if count > (<int64_t>0x7FFFFFFFFFFFFFFF - c.core.now_ms) // unit_ms:
        c.error(ERR_TIMEOUT_RANGE)
        return False
    when_ms[0] = c.core.now_ms + count * unit_ms if count else 0
    return True


cdef bint get_seconds_or_reply(Client c, int index, int64_t* when_ms) except -1:
    """A timeout in seconds, with a fraction maybe, as a deadline, ms since the epoch; 0: for ever."""
    cdef long double seconds

    if not parse_long_double(c.argv[index].ptr, c.argv[index].size, &seconds):
        c.error(ERR_TIMEOUT_FLOAT)
        return False
    seconds = ceill(seconds * 1000)
    if seconds < 0:
        c.error(ERR_TIMEOUT_NEGATIVE)
        return False
    if seconds > <long double>(<int64_t>0x7FFFFFFFFFFFFFFF - c.core.now_ms):
        c.error(ERR_TIMEOUT_RANGE)
        return False
    when_ms[0] = c.core.now_ms + <int64_t>seconds if seconds else 0
    return True
