# Arguments: numbers, ranges and options, parsed in one place for all commands.
#
# Options are data. A command lists what it takes, parse_options() walks the arguments:
#
#     cdef Option[5] SET_OPTIONS = [
#         Option(b"NX",      OPT_FLAG, SET_NX,      1),
#         Option(b"EX",      OPT_TEXT, SET_EX,      2),
#         Option(b"KEEPTTL", OPT_FLAG, SET_KEEPTTL, 2),
#         ...
#         Option(NULL,       OPT_FLAG, 0,           0)]
#
# Two options of one group (not 0) exclude each other; the same one may come twice, and the
# last one counts. What was given is in Options.flags; the argument of an option in
# Options.text or Options.number, at the option's place in the list.
#
# An integer that has a range, and an error of its own, has a reader: a list of them goes with
# the options to read_options_or_reply(). So the first mistake in a command is the one replied.
#
# Options in front of what a command is about (ZADD key NX 1 a) are read by leading_options().
#
# A helper that ends in _or_reply returns False once it has replied the error.

from libc.stdint cimport int64_t

from fastredis._resp cimport Arg
from fastredis.engine.client cimport Client

cdef enum OptionKind:
    OPT_FLAG                            # stands alone
    OPT_ONCE                            # the same, but must not come twice
    OPT_TEXT                            # takes an argument, any bytes
    OPT_INT                             # takes an integer
    OPT_INT_ONCE                        # the same, but must not come twice
    OPT_INTS                            # takes two; of this kind a list has one option at most

cdef enum:
    MAX_OPTIONS = 16

cdef struct Option:
    const char* token                   # upper case; NULL ends the list
    OptionKind kind
    int flag
    int group

cdef struct Options:
    int flags                           # of all options given
    Arg* text[MAX_OPTIONS]              # argument, by the option's place in the list
    int64_t number[MAX_OPTIONS]
    int64_t second                      # second integer of an OPT_INTS

# Reads the integer argv[index] of an option; False once it has replied the error.
ctypedef bint (*Reader)(Client c, int index, int64_t* value) except -1

cdef bint read_options_or_reply(Client c, int first, const Option* known, const Reader* readers,
                                Options* given) except -1
cdef bint parse_options_or_reply(Client c, int first, const Option* known, Options* given) except -1
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
