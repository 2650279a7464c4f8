# What the modules of the streams' commands share: ids as arguments and in replies, entries in replies, effects.

from libc.stdint cimport int64_t, uint64_t

cdef extern from *:
    """
    #define FR_ERR_STREAM_ID "ERR Invalid stream ID specified as stream command argument"
    """
    const char* ERR_STREAM_ID "FR_ERR_STREAM_ID"

from fastredis._resp cimport Arg
from fastredis.ds.id_tree cimport Id
from fastredis.ds.numbers cimport INT64_TEXT
from fastredis.engine.client cimport Client
from fastredis.values.entry cimport Entry
from fastredis.values.stream_type cimport Stream, StreamIter

cdef enum:
    IDS_INSIDE = 16                     # ids of a command that need no memory of their own
    ID_TEXT = 2 * INT64_TEXT            # room for an id as text

cdef struct Budget:                     # what may still be in a reply of several streams (MAXCOUNT, MAXSIZE)
    int64_t entries                     # so many; INT64_MAX: any number
    size_t bytes                        # that all of it may have; 0: any number
    size_t begin                        # where the reply begins
    bint some                           # it has an entry

cdef struct IdList:                     # the ids among a command's arguments
    Id* items
    int64_t count
    Id[IDS_INSIDE] inside

# --- arguments. A missing sequence number is missing_seq.
cdef bint parse_id(const Arg* a, uint64_t missing_seq, Id* id) noexcept
cdef bint id_or_reply(Client c, int index, uint64_t missing_seq, Id* id) except -1
# A bound of a range: -, +, an id, or one behind a parenthesis, which does not belong to the range.
cdef bint start_or_reply(Client c, int index, Id* id) except -1
cdef bint end_or_reply(Client c, int index, Id* id) except -1
cdef bint ids_or_reply(Client c, int first, int64_t count, IdList* ids) except -1
cdef void ids_free(Client c, IdList* ids) noexcept      # also after ids_or_reply() was False
# The policies of stream_refs, by the words KEEPREF, DELREF, ACKED; -1: it is none of these.
cdef int policy_of(const Arg* a) noexcept
# [KEEPREF | DELREF | ACKED] IDS numids id ..., from argv[first] to the end; first_id: where the ids are.
cdef bint ids_block_or_reply(Client c, int first, int* policy, int* first_id, int64_t* count) except -1

# --- replies
cdef int reply_id(Client c, Id id) except -1
cdef int reply_entry(Client c, StreamIter* it) except -1            # the one that the walk is at
cdef int reply_fields(Client c, StreamIter* it) except -1           # its id and its fields, without a header
# An entry of it has been written from `at` on. False: it has no room, and is taken back; nothing may follow.
cdef bint fits(Client c, Budget* budget, size_t at) noexcept
# Entries of a range, without a header; count 0: all. How many.
cdef int64_t reply_entries(Client c, Stream* s, Id start, Id end, int64_t count, bint reverse) except -1
cdef int reply_range(Client c, Stream* s, Id start, Id end, int64_t count, bint reverse) except -1     # as an array

# --- changes
# Delete an entry; False: it is not there.
cdef bint delete_entry(Client c, Stream* s, Id id) noexcept
# The same by a policy of stream_refs: 1, or -1: it is not there, or 2: groups refer to it, which the policy forbids.
cdef int delete_by(Client c, Stream* s, Id id, int policy) noexcept
cdef int tell_deleted(Client c, int64_t count) except -1            # after so many were deleted from argv[1]
cdef Entry* new_stream(Client c, Arg* key) except NULL
# The command is propagated as its effects alone, be there any or not.
cdef int only_effects(Client c) except -1
cdef int reply_missing(Client c, int64_t count) except -1           # -1 for each of so many ids
cdef int format_id(char* to, Id id) noexcept                        # its size; room for ID_TEXT bytes
cdef bytes id_text(Id id)


cdef inline Id after(Id id) noexcept:
    """The next higher id; 0-0 behind the highest."""
    return Id(id.ms, id.seq + 1) if id.seq != <uint64_t>-1 else Id(id.ms + 1, 0)


cdef inline Id before(Id id) noexcept:
    """The next lower id; the highest below 0-0."""
    return Id(id.ms, id.seq - 1) if id.seq else Id(id.ms - 1, <uint64_t>-1)


cdef inline bint is_zero(Id id) noexcept:
    return id.ms == 0 and id.seq == 0
