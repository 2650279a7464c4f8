# Arguments: numbers, ranges and options, parsed in one place for all commands.
#
# Options are data. A command lists what it takes, parse_options() walks the arguments:
#
#     cdef Option[5] SET_OPTIONS = [
#         Option(b"NX",      OPT_FLAG, SET_NX,      1, NULL),
#         Option(b"EX",      OPT_TEXT, SET_EX,      2, NULL),
#         Option(b"KEEPTTL", OPT_FLAG, SET_KEEPTTL, 2, NULL),
#         ...
#         Option(NULL,       OPT_FLAG, 0,           0, NULL)]
#
# The flag is one bit of the option's own, and its name for all that follows: commands that share
# a list say by flags which of the options they take; what was given is in Options.flags, and an
# option's argument is option_text(&given, SET_EX) or option_number(...).
#
# Two options of one group (not 0) exclude each other; the same one may come twice, and the
# last one counts. An integer that has a range, and an error of its own, has a reader. So the
# first mistake in a command is the one replied.
#
# Options in front of what a command is about (ZADD key NX 1 a) are read by leading_options().
#
# A helper that ends in _or_reply returns False once it has replied the error.

from libc.stdint cimport int64_t

from fastredis._resp cimport Arg
from fastredis.ds.native cimport ctz64
from fastredis.engine.client cimport Client

cdef enum OptionKind:
    OPT_FLAG                            # stands alone
    OPT_ONCE                            # the same, but must not come twice
    OPT_TEXT                            # takes an argument, any bytes
    OPT_INT                             # takes an integer
    OPT_INT_ONCE                        # the same, but must not come twice
    OPT_INTS                            # takes two; of this kind a list has one option at most

cdef enum:
    ALL_OPTIONS = -1                    # of a list
    MAX_OPTIONS = 20                    # bits that flags have

# Reads the integer argv[index] of an option; False once it has replied the error.
ctypedef bint (*Reader)(Client c, int index, int64_t* value) except -1

cdef struct Option:
    const char* token                   # upper case; NULL ends the list
    OptionKind kind
    int flag                            # one bit, below 1 << MAX_OPTIONS
    int group
    Reader read                         # of an OPT_INT or OPT_INT_ONCE; NULL: any integer

cdef struct Options:
    int flags                           # of all options given
    Arg* text[MAX_OPTIONS]              # by the bit of the flag; only that of options given is set
    int64_t number[MAX_OPTIONS]
    int64_t second                      # second integer of an OPT_INTS


cdef inline Arg* option_text(const Options* given, int flag) noexcept:
    """The argument of an option; NULL: the option was not given."""
    return given.text[ctz64(flag)] if given.flags & flag else NULL


cdef inline int64_t option_number(const Options* given, int flag) noexcept:
    """The argument of an option; 0: the option was not given."""
    return given.number[ctz64(flag)] if given.flags & flag else 0


cdef const Option* find_option(const Arg* a, const Option* known, int takes) noexcept
cdef bint parse_options_or_reply(Client c, int first, const Option* known, int takes, Options* given) except -1
cdef int leading_options(Client c, int first, const Option* known, int* flags) noexcept
cdef bint get_int_or_reply(Client c, int index, int64_t* value) except -1
cdef bint get_int_or_reply_text(Client c, int index, int64_t* value, const char* error) except -1
cdef bint get_range_or_reply(Client c, int index, int64_t low, int64_t high, int64_t* value,
                             const char* error) except -1
cdef bint get_double_or_reply(Client c, int index, double* value, const char* error) except -1
cdef bint get_timeout_or_reply(Client c, int index, int64_t unit_ms, int64_t* when_ms) except -1
cdef bint get_seconds_or_reply(Client c, int index, int64_t* when_ms) except -1
# Whether there is memory for a block of so many bytes, or for one of old_size bytes to become one of new_size.
cdef bint get_memory_or_reply(Client c, size_t old_size, size_t new_size) except -1
cdef bint arg_is(const Arg* a, const char* token) noexcept
