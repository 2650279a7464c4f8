# Where the keys of a command are, and what it does to them.
#
#     argv     ZUNIONSTORE  dest  2  a  b  WEIGHTS ...
#     spec 0   FROM_INDEX 1    RANGE 0, step 1         -> dest     OW update
#     spec 1   FROM_INDEX 2    KEY_NUMBER 0, 1         -> a, b     RO access
#
# KeySpecs holds the declared specs of one command (engine/declarations) as numbers, so that the keys
# of a call are found without a Python object: the dispatcher prefetches them, COMMAND GETKEYS names
# them, who has to know whether a client may touch them asks here. Where specs are not enough, since an
# option changes what happens to a key or since no rule finds it, the command has a KeyFinder, a function
# beside its handler.
#
# A number of keys that is not spelled properly (ZUNION 02x a b) is read as atoi() does: the keys are
# found, but not what happens to them; then all flags are 0, and the sources come before the destination.
# Source: https://redis.io/docs/latest/develop/reference/key-specs/

from libc.stdint cimport uint32_t

from fastredis._resp cimport Arg
from fastredis.ds.alloc cimport Account

cpdef enum:                         # flags of a key; how COMMAND INFO spells them: KEY_FLAGS
    KEY_RO = 1 << 0                 # one of these four: read only
    KEY_RW = 1 << 1                 # read and written
    KEY_OW = 1 << 2                 # overwritten unread
    KEY_RM = 1 << 3                 # removed unread
    KEY_ACCESS = 1 << 4             # the value is returned or copied
    KEY_UPDATE = 1 << 5
    KEY_INSERT = 1 << 6
    KEY_DELETE = 1 << 7
    KEY_NOT_KEY = 1 << 8            # routed like a key, but is none
    KEY_INCOMPLETE = 1 << 9         # there may be more keys than the spec finds
    KEY_VARIABLE_FLAGS = 1 << 10    # the flags are the worst case; the finder knows better

cpdef enum:                         # where the search begins
    FROM_INDEX = 1                  # at argv[place]
    FROM_KEYWORD = 2                # after the keyword, searched from argv[place]; backwards if place is negative

cpdef enum:                         # what it finds there; RANGE and KEY_NUMBER have a step
    RANGE = 1                       # keys up to `last`: >= 0 from the first one, < 0 from the end, or from `limit`
    KEY_NUMBER = 2                  # as many as argv[begin + number_at] says, from argv[begin + first] on

cdef struct KeySpec:
    uint32_t flags
    int begin                       # FROM_*; 0: only the command itself knows
    int place
    const char* keyword             # borrowed from the declaration
    size_t keyword_size
    int find                        # RANGE, KEY_NUMBER; 0: only the command itself knows
    int last
    int limit                       # above 1, with a negative last: the range ends after that fraction of the arguments
    int number_at
    int first
    int step

cdef struct KeyPlace:
    int position                    # in argv
    uint32_t flags

cdef enum:
    FEW_KEYS = 16                   # so many need no allocation

cdef struct KeyList:
    Account* account
    KeyPlace* items                 # `few`, or a block of the account's
    int count
    int room
    KeyPlace few[FEW_KEYS]

# What the specs do not say about the keys of a call. argc is valid for the command; finding none is an error.
ctypedef void (*KeyFinder)(const Arg* argv, int argc, KeyList* found) noexcept

cdef void keys_init(KeyList* list, Account* account) noexcept
cdef void keys_free(KeyList* list) noexcept
cdef void key_add(KeyList* list, int position, uint32_t flags) noexcept
cdef object key_finder(KeyFinder finder)


cdef class KeySpecs:
    cdef KeySpec* items
    cdef int count
    cdef KeyFinder finder           # NULL: the specs say it all
    cdef bint variable              # the finder knows better than the specs
    cdef readonly bint any          # whether the command has keys at all; a not_key argument is none
    cdef readonly object declared   # of declarations.KeySpec, whose keywords are borrowed

    cdef int find(self, const Arg* argv, int argc, KeyList* found) noexcept
