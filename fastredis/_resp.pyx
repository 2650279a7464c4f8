"""Incremental RESP request parser. The design comment is in _resp.pxd."""
from libc.limits cimport INT_MAX
from libc.stdio cimport snprintf
from libc.string cimport memchr, memcpy, memset

from fastredis.ds.alloc cimport mem_alloc, mem_free, mem_realloc
from fastredis.ds.native cimport likely, unlikely
from fastredis.ds.numbers cimport format_int64, parse_int64

cdef enum:
    HEAD = 24                       # room for a type byte, a number and CR LF


cdef void parser_init(Parser* p, Account* account) noexcept:
    memset(p, 0, sizeof(Parser))
    p.account = account
    p.bulk_size = -1
    p.max_bulk = 512 * 1024 * 1024
    p.authenticated = True


cdef void parser_free(Parser* p) noexcept:
    mem_free(p.account, p.partial.items, p.partial.room * sizeof(Arg))
    memset(&p.partial, 0, sizeof(ArgList))


cdef void parser_reset(Parser* p) noexcept:
    """Forget the request under way; the owner will bring its bytes again from the start."""
    p.args_left = 0
    p.bulk_size = -1
    p.pos = 0
    p.partial.count = 0


cdef void batch_init(Batch* b, Account* account) noexcept:
    memset(b, 0, sizeof(Batch))
    b.account = account


cdef void batch_free(Batch* b) noexcept:
    mem_free(b.account, b.args.items, b.args.room * sizeof(Arg))
    mem_free(b.account, b.scratch, b.scratch_room)
    batch_init(b, b.account)


cdef int grow(Account* account, ArgList* args, size_t needed) noexcept:
    """Make room for `needed` Args, at least doubling what is there."""
    cdef size_t room = args.room * 2 if args.room else 16

    while room < needed:
        room *= 2
    args.items = <Arg*>mem_realloc(account, args.items, args.room * sizeof(Arg), room * sizeof(Arg))
    args.room = room
    return 0


cdef inline int append(Account* account, ArgList* args, const char* ptr, size_t size) noexcept:
    cdef Arg* arg

    if args.count == args.room:
        grow(account, args, args.count + 1)
    arg = &args.items[args.count]
    arg.ptr = ptr
    arg.size = size
    arg.hash = 0
    args.count += 1
    return 0


cdef ParseStatus refuse(Parser* p, const char* text) noexcept:
    snprintf(p.error, sizeof(p.error), "Protocol error: %s", text)
    return PARSE_ERROR


cdef int parse_batch(Parser* p, Batch* b, const char* base, size_t size, size_t* pos, int limit) except -1:
    """Decode whole requests from base[pos:size] into the batch, at most `limit` of them.

    pos moves behind the last whole request. For a request under way (parser.args_left > 0) pos has to
    be at its start again, with all of its bytes still there.
    """
    cdef int status

    b.count = 0
    b.args.count = 0
    b.unquoted = False
    while b.count < limit:
        if pos[0] >= size:
            return PARSE_MORE
        if p.args_left == 0 and take_short(p, b, base, size, pos):
            continue
        if p.args_left == 0 and base[pos[0]] != c'*':
            status = parse_inline(p, b, base, size, pos)
            # Arguments in the scratch buffer: no second inline request in this batch.
            if status == PARSE_FULL and b.unquoted:
                return PARSE_FULL
        else:
            status = parse_multibulk(p, b, base, size, pos)
        if status != PARSE_FULL:
            return status
    return PARSE_FULL


cdef const char* line_end(const char* at, const char* end, char mark) noexcept:
    """Where the mark is; NULL: it is not there yet, or behind a zero byte, where Redis does not find it either."""
    cdef const char* found = <const char*>memchr(at, mark, end - at)

    return NULL if found is not NULL and memchr(at, 0, found - at) is not NULL else found


cdef ParseStatus read_length(Parser* p, const char* at, const char* end, const char** next, int64_t* value,
                             const char* too_long, const char* invalid) noexcept:
    """Read the number of a `*n` or `$n` line; `at` is behind the type byte.

    PARSE_FULL: it is in value, and next is behind the line. PARSE_MORE: the line is not whole yet.
    """
    cdef const char* q = at
    cdef const char* cr
    cdef int64_t n = 0

    # The common case, without a search: one to nine digits and CR LF.
    while q < end and q - at < 9 and c'0' <= q[0] <= c'9':
        n = n * 10 + (q[0] - c'0')
        q += 1
    if q > at and end - q >= 2 and q[0] == c'\r' and (at[0] != c'0' or q - at == 1):
        value[0] = n
        next[0] = q + 2
        return PARSE_FULL
    cr = line_end(at, end, c'\r')
    if cr is NULL or end - cr < 2:
        if end - at > INLINE_MAX:
            return refuse(p, too_long)
        return PARSE_MORE
    if not parse_int64(at, cr - at, value):
        return refuse(p, invalid)
    next[0] = cr + 2
    return PARSE_FULL


cdef inline int short_length(const char* at, const char* end, char kind) noexcept:
    """The number of a whole line `$n` or `*n` of one or two digits, which most are; -1: it is another."""
    cdef unsigned int first, second

    if end - at < 5 or at[0] != kind:
        return -1
    first = <unsigned char>at[1] - <unsigned int>c'0'
    if first > 9:
        return -1
    if at[2] == c'\r':
        return first
    second = <unsigned char>at[2] - <unsigned int>c'0'
    if at[3] != c'\r' or second > 9 or first == 0:
        return -1
    return first * 10 + second


cdef inline bint take_short(Parser* p, Batch* b, const char* base, size_t size, size_t* pos) noexcept:
    """Take a request that is whole and has few arguments, all short, as most have. False: it is another, none is taken.

    What parse_multibulk() does, without a state between the arguments. The bytes of another request may be
    looked at twice, but there are few of them.
    """
    cdef const char* at = base + pos[0]
    cdef const char* end = base + size
    cdef int argc = short_length(at, end, c'*')
    cdef int64_t most = p.max_bulk
    cdef int64_t length
    cdef size_t first = b.args.count
    cdef Arg* arg
    cdef int _i

    if not 0 < argc <= UNAUTHENTICATED_ARGS:
        return False
    if unlikely(b.args.room - first < <size_t>argc):
        grow(b.account, &b.args, first + argc)
    arg = &b.args.items[first]
    at += 4 if argc < 10 else 5
    for _i in range(argc):
        length = short_length(at, end, c'$')
        if length < 0 or length > most:
            return False
        at += 4 if length < 10 else 5
        if end - at < length + 2:
            return False
        arg.ptr = at
        arg.size = length
        arg.hash = 0
        arg += 1
        at += length + 2
    b.args.count = first + argc
    add_request(b, first, pos[0], at - base)
    pos[0] = at - base
    return True


cdef ParseStatus begin_multibulk(Parser* p, const char* base, size_t size, size_t* pos) noexcept:
    """Read `*n`. PARSE_FULL with args_left == 0: an empty request, to be passed over."""
    cdef int64_t count
    cdef const char* next
    cdef ParseStatus status = read_length(p, base + pos[0] + 1, base + size, &next, &count,
                                          b"too big mbulk count string", b"invalid multibulk length")

    if status != PARSE_FULL:
        return status
    if count > INT_MAX:
        return refuse(p, b"invalid multibulk length")
    if count > UNAUTHENTICATED_ARGS and not p.authenticated:
        return refuse(p, b"unauthenticated multibulk length")
    if count <= 0:
        pos[0] = next - base
        return PARSE_FULL
    p.args_left = count
    p.bulk_size = -1
    p.pos = next - (base + pos[0])
    return PARSE_FULL


cdef ParseStatus read_bulk_header(Parser* p, const char* at, const char* end, const char** next) noexcept:
    """Read `$n` into parser.bulk_size."""
    cdef int64_t count
    cdef ParseStatus status
    cdef char text[64]

    if at[0] != c'$':
        snprintf(text, sizeof(text), "expected '$', got '%c'", at[0])
        return refuse(p, text)
    status = read_length(p, at + 1, end, next, &count, b"too big bulk count string", b"invalid bulk length")
    if status != PARSE_FULL:
        return status
    if count < 0 or count > p.max_bulk:
        return refuse(p, b"invalid bulk length")
    if count > UNAUTHENTICATED_BULK and not p.authenticated:
        return refuse(p, b"unauthenticated bulk length")
    p.bulk_size = count
    return PARSE_FULL


cdef int parse_multibulk(Parser* p, Batch* b, const char* base, size_t size, size_t* pos) noexcept:
    """Take one request, or go on with the one under way. PARSE_FULL: it was whole."""
    cdef const char* start = base + pos[0]
    cdef const char* end = base + size
    cdef const char* at
    cdef const char* next = NULL
    cdef const char* origin = NULL      # what ptr is relative to
    cdef ParseStatus status = PARSE_FULL
    cdef size_t first = b.args.count
    cdef ArgList* args = &b.args
    cdef int digits

    if p.args_left == 0:
        digits = short_length(start, end, c'*')
        if likely(0 < digits <= UNAUTHENTICATED_ARGS):
            p.args_left = digits
            p.pos = 4 if digits < 10 else 5
        else:
            status = begin_multibulk(p, base, size, pos)
            if status != PARSE_FULL or p.args_left == 0:
                return status
    else:
        args = &p.partial
        origin = start
    at = start + p.pos
    while p.args_left:
        if p.bulk_size < 0:
            digits = short_length(at, end, c'$')
            if likely(digits >= 0 and digits <= p.max_bulk):
                p.bulk_size = digits
                at += 4 if digits < 10 else 5
            else:
                status = read_bulk_header(p, at, end, &next) if at < end else PARSE_MORE
                if status != PARSE_FULL:
                    break
                at = next
        if end - at < p.bulk_size + 2:
            status = PARSE_MORE
            break
        append(b.account, args, <const char*>(<size_t>at - <size_t>origin), p.bulk_size)
        at += p.bulk_size + 2
        p.bulk_size = -1
        p.args_left -= 1
    p.pos = at - start
    if origin is NULL:
        if status != PARSE_FULL:
            move_args(p.account, &b.args, first, &p.partial, -<size_t>start)
    elif status == PARSE_FULL:
        move_args(b.account, &p.partial, 0, &b.args, <size_t>start)
    if status == PARSE_FULL:
        add_request(b, first, pos[0], at - base)
        pos[0] = at - base
    elif status == PARSE_ERROR:
        parser_reset(p)
    return status


cdef int move_args(Account* account, ArgList* source, size_t first, ArgList* target, size_t shift) noexcept:
    """Move the Args from `first` on to the end of another list, their pointers shifted."""
    cdef size_t i

    for i in range(first, source.count):
        append(account, target, <const char*>(<size_t>source.items[i].ptr + shift), source.items[i].size)
    source.count = first
    return 0


cdef Arg* args_copy(Account* account, const Arg* argv, int argc, size_t* size) noexcept:
    """A copy of a command, Args and the bytes they point to, in one block of `size` bytes that the caller frees."""
    cdef char* text
    cdef Arg* copy
    cdef int i

    size[0] = argc * sizeof(Arg)
    for i in range(argc):
        size[0] += argv[i].size
    copy = <Arg*>mem_alloc(account, size[0])
    text = <char*>(copy + argc)
    for i in range(argc):
        memcpy(text, argv[i].ptr, argv[i].size)
        copy[i].ptr = text
        copy[i].size = argv[i].size
        copy[i].hash = argv[i].hash
        text += argv[i].size
    return copy


cdef inline void add_request(Batch* b, size_t first, size_t begin, size_t end) noexcept:
    cdef Request* r = &b.requests[b.count]

    r.first = first
    r.argc = b.args.count - first
    r.begin = begin
    r.end = end
    b.count += 1


cdef int parse_inline(Parser* p, Batch* b, const char* base, size_t size, size_t* pos) except -1:
    """Take one request in the form of a line, as typed into telnet. An empty line is passed over.

    As in Redis, which looks for the end of a C string, a line with a zero byte in it never ends.
    """
    cdef const char* line = base + pos[0]
    cdef const char* newline = line_end(line, base + size, c'\n')
    cdef size_t begin = pos[0]
    cdef size_t length
    cdef size_t first = b.args.count
    cdef size_t used = 0
    cdef bytes text

    if newline is NULL:
        if size - pos[0] > INLINE_MAX:
            return refuse(p, b"too big inline request")
        return PARSE_MORE
    length = newline - line
    pos[0] = newline + 1 - base
    if memchr(line, c'"', length) is NULL and memchr(line, c"'", length) is NULL:
        if parse_words(b, line, line + length):
            add_request(b, first, begin, pos[0])
        return PARSE_FULL
    words = split_inline(line, length)
    if words is None:
        pos[0] = begin
        return refuse(p, b"unbalanced quotes in request")
    if not words:
        return PARSE_FULL
    b.unquoted = True
    if length + 1 > b.scratch_room:
        b.scratch = <char*>mem_realloc(b.account, b.scratch, b.scratch_room, length + 1)
        b.scratch_room = length + 1
    for text in words:
        memcpy(b.scratch + used, <const char*>text, len(text))
        append(b.account, &b.args, b.scratch + used, len(text))
        used += len(text)
    add_request(b, first, begin, pos[0])
    return PARSE_FULL


cdef int parse_words(Batch* b, const char* at, const char* end) noexcept:
    """Take the arguments of a line without quotes where they lie; how many."""
    cdef const char* word
    cdef int words = 0

    while True:
        while at < end and is_space(at[0]):
            at += 1
        if at == end:
            return words
        word = at
        while at < end and not ends_word(at[0]):
            at += 1
        append(b.account, &b.args, word, at - word)
        words += 1


cdef enum:
    MAX_ESCAPE = 4              # \xHH


cdef inline bint is_space(char ch) noexcept:
    return ch == c' ' or c'\t' <= ch <= c'\r'


cdef inline bint ends_word(char ch) noexcept:
    """Vertical tab and form feed do not, though they are passed over between words: as in Redis."""
    return is_space(ch) and ch != c'\v' and ch != c'\f'


cdef int hex_digit(char ch) noexcept:
    if c'0' <= ch <= c'9':
        return ch - c'0'
    if c'a' <= ch <= c'f':
        return ch - c'a' + 10
    if c'A' <= ch <= c'F':
        return ch - c'A' + 10
    return -1


cdef int unescape(const char* at, const char* end, char* out) noexcept:
    """Decode the escape that starts at a backslash inside double quotes; returns its length."""
    if end - at >= MAX_ESCAPE and at[1] == c'x' and hex_digit(at[2]) >= 0 and hex_digit(at[3]) >= 0:
        out[0] = <char>(hex_digit(at[2]) * 16 + hex_digit(at[3]))
        return MAX_ESCAPE
    if end - at < 2:
        out[0] = at[0]
        return 1
    if at[1] == c'n':
        out[0] = c'\n'
    elif at[1] == c'r':
        out[0] = c'\r'
    elif at[1] == c't':
        out[0] = c'\t'
    elif at[1] == c'b':
        out[0] = 8
    elif at[1] == c'a':
        out[0] = 7
    else:
        out[0] = at[1]
    return 2


cdef object split_inline(const char* line, size_t size):
    """Split a line into its words (list of bytes), with redis-cli's quoting; None when quotes do not match."""
    cdef const char* at = line
    cdef const char* end = line + size
    cdef char quote, ch
    cdef list words = []
    cdef bytearray word

    while True:
        while at < end and is_space(at[0]):
            at += 1
        if at >= end:
            return words
        word = bytearray()
        quote = 0
        while at < end:
            ch = at[0]
            if quote == c'"' and ch == c'\\':
                at += unescape(at, end, &ch)
                word.append(<unsigned char>ch)
                continue
            if quote == c"'" and ch == c'\\' and end - at >= 2 and at[1] == c"'":
                word.append(c"'")
                at += 2
                continue
            at += 1
            if quote and ch == quote:
                quote = 0
                if at < end and not is_space(at[0]):
                    return None             # a closing quote has to be followed by a space
                break
            if not quote and ends_word(ch):
                break
            if not quote and (ch == c'"' or ch == c"'"):
                quote = ch
                continue
            word.append(<unsigned char>ch)
        if quote:
            return None
        words.append(bytes(word))


cdef class RequestParser:
    """The parser by itself, for tests and benchmarks: bytes in, requests out.

    >>> RequestParser().feed(b"PING\\r\\n*1\\r\\n$4\\r\\nPI")
    [[b'PING']]
    """
    cdef Account account
    cdef Parser parser
    cdef Batch batch
    cdef bytearray pending

    def __cinit__(self, *, authenticated=True, max_bulk=512 * 1024 * 1024):
        parser_init(&self.parser, &self.account)
        batch_init(&self.batch, &self.account)
        self.parser.authenticated = authenticated
        self.parser.max_bulk = max_bulk
        self.pending = bytearray()

    def __dealloc__(self):
        parser_free(&self.parser)
        batch_free(&self.batch)

    @property
    def used_memory(self):
        """Bytes held by the parser itself."""
        return self.account.used

    def feed(self, bytes data):
        """Take the next piece of the stream; returns the whole requests, each a list of bytes.

        Raises ValueError with the protocol error's text, after which the stream is dead; the requests in front
        of the error are in its attribute `requests`.
        """
        cdef size_t pos = 0
        cdef int status = PARSE_FULL
        cdef int i
        cdef size_t j
        cdef Request* r
        cdef list requests = []
        cdef const char* base
        cdef size_t size

        if self.pending:
            self.pending += data
            base = self.pending
            size = len(self.pending)
        else:
            base = data
            size = len(data)
        while status == PARSE_FULL:
            status = parse_batch(&self.parser, &self.batch, base, size, &pos, BATCH)
            for i in range(self.batch.count):
                r = &self.batch.requests[i]
                requests.append([arg_bytes(&self.batch.args.items[r.first + j]) for j in range(<size_t>r.argc)])
        if self.pending:
            del self.pending[:pos]
        else:
            self.pending += data[pos:]
        if status == PARSE_ERROR:
            error = ValueError(self.parser.error.decode("latin-1"))
            error.requests = requests
            raise error
        return requests


# --- writing --------------------------------------------------------------------------------

cdef inline char* put_head(char* to, char kind, int64_t number) noexcept:
    """A type byte, a number, CR LF; returns where that ends."""
    to[0] = kind
    if 0 <= number <= 9:
        to[1] = <char>(c'0' + number)
        to += 2
    else:
        to += 1 + format_int64(to + 1, number)
    to[0] = c'\r'
    to[1] = c'\n'
    return to + 2


cdef size_t request_room(const Arg* argv, int argc) noexcept:
    """Bytes that put_request() writes at most."""
    cdef size_t room = HEAD
    cdef int i

    for i in range(argc):
        room += HEAD + argv[i].size + 2
    return room


cdef char* put_request(char* to, const Arg* argv, int argc) noexcept:
    cdef int i

    to = put_head(to, c'*', argc)
    for i in range(argc):
        to = put_head(to, c'$', argv[i].size)
        memcpy(to, argv[i].ptr, argv[i].size)
        to += argv[i].size
        to[0] = c'\r'
        to[1] = c'\n'
        to += 2
    return to
