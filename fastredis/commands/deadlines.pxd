# Deadlines of fields and of members: what the commands on hashes and on sets have in common.
#
# A part whose time has come is hidden from all who read, and removed when its time comes, or when a command comes
# first that has to count, or to change the value. Where nothing may expire by itself (a replica, CLIENT PAUSE) it is
# hidden only, and those who write take it as it is. While data is loaded, or the master's stream is applied, nothing
# is hidden: what is executed there saw it.
#
# `Parts` says what the two types call things. Names stand at the end of each command:
#
#     HEXPIRE key seconds [NX | XX | GT | LT] FIELDS n field [field ...]
#     SEXPIRE key seconds [NX | XX | GT | LT] MEMBERS n member [member ...]
#
# A deadline is below 2^46 ms since the epoch, as in Redis. One that has passed deletes the part at once, but not on
# a replica and not while loading. What is propagated names the parts that changed, and deadlines as Unix times in
# milliseconds.

from libc.stdint cimport INT64_MAX, int64_t

from fastredis._resp cimport Arg
from fastredis.engine.client cimport Client
from fastredis.engine.core cimport GATE_LOADING
from fastredis.engine.importing cimport sees_expired
from fastredis.values.entry cimport ENC_HASHTABLE_EX, Entry, entry_encoding
from fastredis.values.timed cimport NO_DEADLINE

cdef enum:                          # what is replied for a part
    NO_PART = -2
    NO_TTL = -1
    REFUSED = 0
    DONE = 1
    DELETED = 2

cdef enum:                          # words of the options
    IF_NX = 1 << 0                  # only if the part has no deadline
    IF_XX = 1 << 1                  # only if it has one
    IF_GT = 1 << 2                  # only to a later one; no deadline is the latest of all
    IF_LT = 1 << 3                  # only to a sooner one
    IN_SECONDS = 1 << 4             # of EX, PX, EXAT, PXAT: the unit
    FROM_EPOCH = 1 << 5             # ... and where they count from
    EXPIRATION = 1 << 6
    PERSIST = 1 << 7
    KEEPTTL = 1 << 8
    IF_NONE = 1 << 9                # FNX, MNX: only if none of the parts exists
    IF_ALL = 1 << 10                # FXX, MXX: only if all of them do
    NAMES = 1 << 11                 # FIELDS, MEMBERS

cdef struct Word:
    const char* token               # NULL ends a list
    int flags

cdef struct Parts:                  # of a type
    int kind                        # TYPE_HASH or TYPE_SET
    int event_class
    const char* names               # word in front of their number
    const char* delete_command
    const char* delete_event
    const char* expire_command
    const char* expire_event
    const char* persist_command
    const char* persist_event
    const char* error_missing       # the word is not there
    const char* error_none          # the number is none, or below 1: of the commands that set deadlines,
    const char* error_number        # of the others,
    const char* error_invalid       # and of those that set parts
    const char* error_other         # it is not the number of names that follow
    const char* error_conditions    # IF_NONE together with IF_ALL

cdef Parts FIELD_PARTS
cdef Parts MEMBER_PARTS

cdef struct SetOptions:             # of HSETEX and SADDEX
    int flags                       # of all words given
    int expiration                  # place of the word that gives the time; 0: none does
    int first                       # place of the first name
    int64_t when_ms

# --- arguments; those that return False have replied the error
cdef int wrong_arity(Client c) except -1
cdef int word_flags(const Arg* a, const Word* known) noexcept
cdef bint names_or_reply(Client c, const Parts* parts, int at, const char* bad_number) except -1
cdef bint deadline_or_reply(Client c, int index, int unit, int64_t* when_ms) except -1
# argv[2..]; `each`: arguments of a part, 2 with its value.
cdef bint set_options_or_reply(Client c, const Parts* parts, const Word* words, int each, SetOptions* given) except -1

# --- a part; the caller tells the database and the clients with changed()
cdef bint has_passed(Client c, int64_t when_ms) noexcept
cdef bint find_part(const Entry* e, const Arg* name, int64_t* when_ms) noexcept
cdef bint delete_part(Client c, Entry* e, Arg* name) except -1
cdef int set_when(Client c, Entry* e, Arg* name, int64_t when_ms) except -1
cdef int expire_part(Client c, Entry* e, Arg* name, int64_t when_ms, int condition) except -3
cdef int persist_part(Client c, Entry* e, Arg* name) except -3
# So many parts got or lost a deadline, or were deleted.
cdef int changed(Client c, const Parts* parts, Entry* e, int count, const char* event) except -1
cdef int expire_effect(Client c, const Parts* parts, int64_t when_ms, list condition, list names) except -1

# --- whole commands. unit: IN_SECONDS and FROM_EPOCH bits
cdef int expire_command(Client c, const Parts* parts, int unit) except -1
cdef int ttl_command(Client c, const Parts* parts, int unit) except -1
cdef int persist_command(Client c, const Parts* parts) except -1

# --- members of sets
cdef Entry* remove_due_members(Client c, Entry* e) except? NULL


cdef inline int64_t gone_ms(Client c) noexcept:
    """Parts with deadlines before that are there no more, as who runs the command sees it; 0: all are."""
    return 0 if c.core.gate & GATE_LOADING or sees_expired(c.core) else c.core.now_ms


cdef inline bint is_due(Client c, int64_t when_ms) noexcept:
    """Whether a part with that deadline is there no more, as who runs the command sees it."""
    return when_ms != NO_DEADLINE and when_ms < gone_ms(c)


cdef inline Entry* without_due(Client c, Entry* e) except? NULL:
    """A set, without those of its members whose time has come, if they may expire now; NULL if it went with them."""
    if e is NULL or entry_encoding(e) != ENC_HASHTABLE_EX:
        return e
    return remove_due_members(c, e)
