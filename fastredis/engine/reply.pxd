# Reply: a buffer of protocol, and the only place that tells RESP2 from RESP3.
#
#   data [ +OK\r\n $5\r\nhello\r\n ................ ]
#          size ------------------^            room ^
#
# A handler names what it answers (integer, bulk, map of n pairs ...); this writes it in
# the protocol version of whoever will read it. Where the bytes go is not its business:
# one Reply is shared by all connections of an engine and flushed after each read, a
# client that is written to out of turn has one of its own, MULTI, scripts and the
# embedded API read theirs back. Whoever is to read it may be a Writer's business: it is asked
# whenever the buffer has to grow, and if it wants no more, what was written is dropped, and so is what follows.
# Source: https://redis.io/docs/latest/develop/reference/protocol-spec/

cimport cython

from libc.stdint cimport int64_t, uint8_t, uint64_t
from libc.string cimport memcpy

from fastredis.ds.native cimport unlikely
from fastredis.ds.numbers cimport format_int64
from fastredis.engine.core cimport Core

cdef enum:
    REPLY_FIRST = 1024              # first room of a buffer
    REPLY_BIG = 1024 * 1024         # a buffer larger than this is given back as soon as it is empty
    HEADER = 32                     # room for a type byte, a number and CR LF


cdef class Writer:
    """Who sends a Reply: it says how large that may become."""
    cdef bint takes(self, size_t size) except -1        # False: it takes nothing more, and has seen to the consequences


@cython.final
cdef class Reply:
    cdef Core* core                 # of the engine whose memory it takes
    cdef object owner               # that engine
    cdef char* data
    cdef size_t size                # bytes of protocol in data
    cdef size_t room                # bytes that data has room for
    cdef size_t peak                # most bytes of protocol since looked_ms
    cdef int64_t looked_ms          # when shrink() looked last
    cdef public int resp            # 2 or 3
    cdef void* writer               # Writer that is asked; it lives longer. NULL: there is no limit
    cdef bint over                  # it was refused more: all is dropped, until clear()

    cdef bint grow(self, size_t more) except -1
    cdef void clear(self) noexcept
    cdef int shrink(self) except -1
    cdef void truncate(self, size_t size) noexcept

    cdef int status(self, const char* text) except -1
    cdef int error(self, const char* text, size_t size) except -1
    cdef int null(self) except -1
    cdef int null_array(self) except -1
    cdef int boolean(self, bint value) except -1
    cdef int double(self, double value) except -1
    cdef int big_number(self, const char* digits, size_t size) except -1
    cdef int verbatim(self, const char* kind, const char* text, size_t size) except -1
    cdef int map(self, int64_t pairs) except -1
    cdef int set(self, int64_t members) except -1
    cdef int push(self, int64_t items) except -1
    cdef size_t begin(self) except? 0xFFFFFFFFFFFFFFFF
    cdef int end_array(self, size_t mark, int64_t items) except -1
    cdef int end_map(self, size_t mark, int64_t pairs) except -1
    cdef int end_set(self, size_t mark, int64_t members) except -1
    cdef int elements(self, const uint8_t* p, uint64_t count) except -1
    cdef int object(self, object value) except -1
    cdef int protocol(self, const char* text, size_t size) except -1

    # helpers of the implementation
    cdef int set_room(self, size_t room) noexcept
    cdef int line(self, char kind, const char* text, size_t size) except -1
    cdef int insert_header(self, size_t mark, char kind, int64_t items) except -1
    cdef int text_object(self, object value) except -1
    cdef int aggregate(self, object value) except -1

    cdef inline bint reserve(self, size_t more) except -1:
        """Make room for so many bytes; True if they are to be dropped instead."""
        if unlikely(self.room - self.size < more):
            return self.grow(more)
        return False

    cdef inline int header(self, char kind, int64_t number) except -1:
        """A type byte, a number, CR LF."""
        cdef char* at

        if self.reserve(HEADER):
            return 0
        at = self.data + self.size
        at[0] = kind
        if 0 <= number <= 9:
            at[1] = <char>(c'0' + number)
            at += 2
        elif 10 <= number <= 99:
            at[1] = <char>(c'0' + <int>number // 10)
            at[2] = <char>(c'0' + <int>number % 10)
            at += 3
        else:
            at += 1 + format_int64(at + 1, number)
        at[0] = c'\r'
        at[1] = c'\n'
        self.size = at + 2 - self.data
        return 0

    cdef inline int number(self, int64_t value) except -1:
        """The digits alone, for text that is put together here."""
        if self.reserve(HEADER):
            return 0
        self.size += format_int64(self.data + self.size, value)
        return 0

    cdef inline int integer(self, int64_t value) except -1:
        return self.header(c':', value)

    cdef inline int array(self, int64_t items) except -1:
        return self.header(c'*', items)

    cdef inline int ok(self) except -1:
        if self.reserve(HEADER):
            return 0
        memcpy(self.data + self.size, b"+OK\r\n", 5)
        self.size += 5
        return 0

    cdef inline int bulk(self, const char* text, size_t size) except -1:
        cdef char* at

        if self.reserve(size + 2 * HEADER):
            return 0
        self.header(c'$', size)
        at = self.data + self.size
        memcpy(at, text, size)
        at[size] = c'\r'
        at[size + 1] = c'\n'
        self.size += size + 2
        return 0


cdef Reply reply_new(Core* core, object owner, int resp)
