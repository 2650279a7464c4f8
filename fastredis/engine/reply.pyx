"""Reply buffer for RESP2 and RESP3. The design comment is in reply.pxd."""
cimport cython

from libc.stdint cimport INT64_MAX, INT64_MIN
from libc.string cimport memmove, strlen

from fastredis.ds.alloc cimport mem_free, mem_realloc
from fastredis.ds.listpack cimport LpItem, lp_bytes_at, lp_get, lp_short_text, lp_text
from fastredis.ds.numbers cimport DOUBLE_TEXT, INT64_TEXT, format_double, format_int64


class Status(str):
    """A simple string (`+OK`) for Reply.object(), where a str or bytes would be a bulk string."""

    __slots__ = ()


class ErrorReply(Exception):
    """An error as a reply: str(error) is its text, code first (`ERR syntax error`)."""


class Verbatim(str):
    """Text for people (INFO, LOLWUT): a verbatim string in RESP3, a bulk string in RESP2."""

    __slots__ = ()


class Pairs(list):
    """A list of (name, value) that is a map in RESP3, for maps whose names may repeat."""

    __slots__ = ()


class BigNumber(str):
    """The digits of an integer of any size: a big number in RESP3, a bulk string in RESP2."""

    __slots__ = ()


class Push(list):
    """A message out of turn: a push in RESP3, an array in RESP2."""

    __slots__ = ()


class Attributes(dict):
    """What RESP3 may say about the reply that follows; RESP2 leaves it out."""

    __slots__ = ()


NULL_ARRAY = object()       # the value that RESP2 writes as *-1


cdef class Writer:
    cdef bint takes(self, size_t size) except -1:
        return True


@cython.final
@cython.no_gc_clear             # __dealloc__ needs the owner, whose memory the buffer is counted in
cdef class Reply:
    def __dealloc__(self):
        if self.core is not NULL:
            self.set_room(0)

    cdef int set_room(self, size_t room) noexcept:
        """Get the buffer its first room, another one, or none."""
        if room:
            self.data = <char*>mem_realloc(&self.core.memory, self.data, self.room, room)
        else:
            mem_free(&self.core.memory, self.data, self.room)
            self.data = NULL
        self.room = room
        return 0

    cdef bint grow(self, size_t more) except -1:
        """Make room for `more` bytes, at least doubling the buffer. True if the writer takes no more."""
        cdef size_t room = self.room * 2 if self.room else REPLY_FIRST

        if self.over:
            return True
        if self.writer is not NULL and not (<Writer>self.writer).takes(self.size + more):
            self.set_room(0)
            self.size = 0
            self.over = True
            return True
        while room - self.size < more:
            room *= 2
        self.set_room(room)
        self.core.reply_expands += 1
        return False

    cdef void clear(self) noexcept:
        """Empty it; its room is kept for the next reply, unless one made it very large."""
        if self.size > self.peak:
            self.peak = self.size
        self.size = 0
        self.over = False
        if self.room > REPLY_BIG:
            self.set_room(0)
            self.core.reply_shrinks += 1

    cdef int shrink(self) except -1:
        """Cron: give back room that was not needed for a while (DEBUG REPLYBUFFER says how long)."""
        cdef Core* core = self.core
        cdef size_t room = REPLY_FIRST

        if not core.reply_resizing or core.reply_peak_ms < 0 or core.now_ms - self.looked_ms < core.reply_peak_ms:
            return 0
        while room < self.peak or room < self.size:
            room *= 2
        self.looked_ms = core.now_ms
        self.peak = self.size
        if room < self.room:
            self.set_room(room)
            core.reply_shrinks += 1
        return 0

    cdef void truncate(self, size_t size) noexcept:
        """Take back what was written after a size seen earlier, if that is not dropped already."""
        self.size = min(size, self.size)

    cdef int protocol(self, const char* text, size_t size) except -1:
        """Bytes that already are protocol, made by another Reply of the same version."""
        if size and not self.reserve(size):     # memcpy may not be given NULL even for nothing
            memcpy(self.data + self.size, text, size)
            self.size += size
        return 0

    cdef int line(self, char kind, const char* text, size_t size) except -1:
        """A type byte and one line of text; CR and LF inside become blanks, as they would end it."""
        cdef size_t i
        cdef char* at

        if self.reserve(size + 3):
            return 0
        at = self.data + self.size
        at[0] = kind
        at += 1
        for i in range(size):
            at[i] = c' ' if text[i] == c'\r' or text[i] == c'\n' else text[i]
        at[size] = c'\r'
        at[size + 1] = c'\n'
        self.size += size + 3
        return 0

    cdef int status(self, const char* text) except -1:
        return self.line(c'+', text, strlen(text))

    cdef int error(self, const char* text, size_t size) except -1:
        """The text has its code in front: `ERR syntax error`. Newlines at its end (of an argument it repeats) go."""
        while size and (text[size - 1] == c'\r' or text[size - 1] == c'\n'):
            size -= 1
        return self.line(c'-', text, size)

    cdef int null(self) except -1:
        if self.resp == 3:
            return self.protocol(b"_\r\n", 3)
        return self.protocol(b"$-1\r\n", 5)

    cdef int null_array(self) except -1:
        if self.resp == 3:
            return self.protocol(b"_\r\n", 3)
        return self.protocol(b"*-1\r\n", 5)

    cdef int boolean(self, bint value) except -1:
        if self.resp == 3:
            return self.protocol(b"#t\r\n" if value else b"#f\r\n", 4)
        return self.integer(value)

    cdef int double(self, double value) except -1:
        cdef char[DOUBLE_TEXT] text
        cdef int size = format_double(text, value)

        if self.resp == 3:
            return self.line(c',', text, size)
        return self.bulk(text, size)

    cdef int big_number(self, const char* digits, size_t size) except -1:
        if self.resp == 3:
            return self.line(c'(', digits, size)
        return self.bulk(digits, size)

    cdef int verbatim(self, const char* kind, const char* text, size_t size) except -1:
        """`kind` is three letters: txt or mkd."""
        if self.resp == 2:
            return self.bulk(text, size)
        self.header(c'=', size + 4)
        self.protocol(kind, 3)
        self.protocol(b":", 1)
        self.protocol(text, size)
        return self.protocol(b"\r\n", 2)

    cdef int map(self, int64_t pairs) except -1:
        return self.header(c'%', pairs) if self.resp == 3 else self.header(c'*', pairs * 2)

    cdef int set(self, int64_t members) except -1:
        return self.header(c'~' if self.resp == 3 else c'*', members)

    cdef int push(self, int64_t items) except -1:
        return self.header(c'>' if self.resp == 3 else c'*', items)

    cdef size_t begin(self) except? 0xFFFFFFFFFFFFFFFF:
        """Start an aggregate whose size is not known yet; returns the mark for end_array() and the like."""
        self.reserve(HEADER)
        return self.size

    cdef int insert_header(self, size_t mark, char kind, int64_t items) except -1:
        cdef char[INT64_TEXT] digits
        cdef int size = format_int64(digits, items)
        cdef char* at

        if self.reserve(size + 3):
            return 0
        at = self.data + mark
        memmove(at + size + 3, at, self.size - mark)
        at[0] = kind
        memcpy(at + 1, digits, size)
        at[size + 1] = c'\r'
        at[size + 2] = c'\n'
        self.size += size + 3
        return 0

    cdef int end_array(self, size_t mark, int64_t items) except -1:
        return self.insert_header(mark, c'*', items)

    cdef int end_map(self, size_t mark, int64_t pairs) except -1:
        if self.resp == 3:
            return self.insert_header(mark, c'%', pairs)
        return self.insert_header(mark, c'*', pairs * 2)

    cdef int end_set(self, size_t mark, int64_t members) except -1:
        return self.insert_header(mark, c'~' if self.resp == 3 else c'*', members)

    cdef int elements(self, const uint8_t* p, uint64_t count) except -1:
        """Bulk strings of `count` elements of a listpack, from the one at p on."""
        cdef char[INT64_TEXT] scratch
        cdef LpItem item
        cdef const char* text
        cdef size_t size
        cdef uint64_t _i

        for _i in range(count):
            text = lp_short_text(p, &size)
            if unlikely(text is NULL):
                lp_get(p, &item)
                text = lp_text(&item, scratch, &size)
            self.bulk(text, size)
            p += lp_bytes_at(p)
        return 0

    cdef int object(self, object value) except -1:
        """Any Python value, for commands written in plain Python and for the embedded API.

        None: null. bool, int, float: boolean, integer (beyond 64 bits: big number), double. bytes, str: bulk string.
        Status: simple string. ErrorReply: error. Verbatim: verbatim string. BigNumber: big number.
        list: array. dict, Pairs: map. tuple, set, frozenset: set (a tuple keeps its order).
        Push: push. Attributes: attributes of the value that follows.
        """
        cdef bytes text

        if value is None:
            return self.null()
        if value is NULL_ARRAY:
            return self.null_array()
        if isinstance(value, bool):
            return self.boolean(value)
        if isinstance(value, int):
            if INT64_MIN <= value <= INT64_MAX:
                return self.integer(value)
            return self.text_object(BigNumber(value))
        if isinstance(value, float):
            return self.double(value)
        if isinstance(value, ErrorReply):
            text = encode(str(value))
            return self.error(text, len(text))
        if isinstance(value, (bytes, str)):
            return self.text_object(value)
        return self.aggregate(value)

    cdef int text_object(self, object value) except -1:
        cdef bytes text = value if isinstance(value, bytes) else encode(value)

        if isinstance(value, Status):
            return self.line(c'+', text, len(text))
        if isinstance(value, Verbatim):
            return self.verbatim(b"txt", text, len(text))
        if isinstance(value, BigNumber):
            return self.big_number(text, len(text))
        return self.bulk(text, len(text))

    cdef int aggregate(self, object value) except -1:
        if isinstance(value, (dict, Pairs)):
            if not isinstance(value, Attributes):
                self.map(len(value))
            elif self.resp == 3:
                self.header(c'|', len(value))
            else:
                return 0
            for name, item in value.items() if isinstance(value, dict) else value:
                self.object(name)
                self.object(item)
            return 0
        if isinstance(value, Push):
            self.push(len(value))
        elif isinstance(value, list):
            self.array(len(value))
        elif isinstance(value, (tuple, set, frozenset)):
            self.set(len(value))
        else:
            raise TypeError(f"no reply for a {type(value).__name__}")
        for item in value:
            self.object(item)
        return 0

    def take(self):
        """Return the protocol written so far (bytes) and empty the buffer."""
        cdef bytes text = self.data[:self.size] if self.size else b""

        self.clear()
        return text


cdef Reply reply_new(Core* core, object owner, int resp):
    """An empty buffer in the memory of an engine (the owner of core), for protocol version resp."""
    cdef Reply reply = Reply()

    reply.core = core
    reply.owner = owner
    reply.resp = resp
    return reply


cdef bytes encode(object text):
    """Text as bytes; surrogates stand for bytes that came from outside as such."""
    return text.encode("utf-8", "surrogateescape")
