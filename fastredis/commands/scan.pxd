# SSCAN, HSCAN and ZSCAN: what they have in common with SCAN. A handler is
#
#     cdef ScanCall s
#
#     if not scan_value_or_reply(c, TYPE_X, &s):      # missing key, wrong type, bad options: replied
#         return 0
#     if <encoding is small>:                         # all of it at once, whatever the cursor is
#         mark = scan_whole(c)
#         for each element: if scan_matches(&s, text, size): c.reply_bulk(...) ; found += 1
#         return c.out.end_array(mark, found)
#     return scan_table(c, &s, table, reply_element)
#
# found counts what is in the reply: 2 for a field and its value.

from libc.stdint cimport int64_t, uint64_t

from fastredis._resp cimport Arg
from fastredis.ds.glob cimport glob_match
from fastredis.ds.table cimport Table
from fastredis.engine.client cimport Client
from fastredis.values.entry cimport Entry

cdef enum:                              # ScanCall.flags
    SCAN_NOVALUES = 1 << 0              # HSCAN: fields only
    SCAN_NOSCORES = 1 << 1              # ZSCAN: members only
    SCAN_MATCH = 1 << 2
    SCAN_COUNT = 1 << 3
    SCAN_TYPE = 1 << 4                  # SCAN

cdef struct ScanCall:
    Entry* e                            # the value; NULL: the database is walked through
    uint64_t cursor                     # as it was given
    int64_t count                       # COUNT, at least 1
    Arg* pattern                        # MATCH; NULL: everything matches
    Arg* type_wanted                    # TYPE, of SCAN only; NULL: any
    int flags

# Append a table's entry to the reply; returns how many items that were, 0: it is left out.
ctypedef int64_t (*ScanReply)(Client c, ScanCall* s, void* entry) except -1

# Readers of a cursor, and of COUNT (an option's).
cdef bint scan_cursor_or_reply(Client c, int index, ScanCall* s) except -1
cdef bint scan_read_count(Client c, int index, int64_t* count) except -1

cdef bint scan_value_or_reply(Client c, int kind, ScanCall* s) except -1
cdef size_t scan_whole(Client c) except? 0xFFFFFFFFFFFFFFFF
cdef int scan_table(Client c, ScanCall* s, Table* t, ScanReply reply) except -1


cdef inline bint scan_matches(const ScanCall* s, const char* text, size_t size) noexcept:
    """Whether MATCH lets the key, member or field pass."""
    return s.pattern is NULL or glob_match(s.pattern.ptr, s.pattern.size, text, size, False)
