# An ACL user as requests are checked against it; rules.py has the words that this is compiled from.
#
#   User "web"    selectors[0], the root     commands     bitmap by Command.index
#                 selectors[1] "(...)"       first_args   of commands whose bit is not set
#                 ...                        keys         patterns, each for reading, writing or both
#                                            channels     patterns
#                                            databases    numbers
#
# One selector has to allow all of a request. A user whose root allows everything is not limited: its clients have no
# C_LIMITED, a bit of C_SPECIAL, so to them nothing of this costs anything. A change of a user's rules compiles it
# anew (User.take) in the same object, to which its clients point.

from libc.stdint cimport uint32_t, uint64_t

from fastredis._resp cimport Arg

cpdef enum:                             # AclPattern.access
    MAY_READ = 1 << 0
    MAY_WRITE = 1 << 1

cdef enum:                              # Selector.flags
    ALL_COMMANDS = 1 << 0
    ALL_KEYS = 1 << 1
    ALL_CHANNELS = 1 << 2
    ALL_DATABASES = 1 << 3
    ALL = ALL_COMMANDS | ALL_KEYS | ALL_CHANNELS | ALL_DATABASES

cdef enum:                              # AclPattern.kind
    AS_IT_IS = 0
    PREFIX = 1                          # what comes before its only star
    GLOB = 2

cdef struct AclPattern:
    const char* text                    # borrowed from Selector.texts
    size_t size                         # of the prefix, if it is one
    size_t whole                        # bytes of the pattern
    int kind
    int access                          # MAY_* bits; of channels 0


cdef class Selector:
    cdef int flags
    cdef uint64_t* commands
    cdef int command_count
    cdef dict first_args                # Command.index -> frozenset of arguments in lower case; None: there are none
    cdef AclPattern* keys
    cdef int key_count
    cdef AclPattern* channels
    cdef int channel_count
    cdef int* databases
    cdef int database_count
    cdef list texts

    cdef bint allows_command(self, int index, const Arg* argv, int argc) except -1
    cdef bint allows_key(self, const char* key, size_t size, uint32_t flags) noexcept   # flags: KEY_* of engine.keys
    cdef bint allows_channel(self, const char* name, size_t size, bint is_pattern) noexcept
    cdef bint allows_database(self, int db) noexcept
    cdef bint allows_all_keys(self, int access) noexcept


cdef class User:
    cdef readonly bytes name
    cdef readonly object rules          # rules.UserRules; None: everything is allowed, and nobody can change that
    cdef readonly tuple selectors
    cdef readonly bint limited
