"""ARGREP and AROP: what is in the values of an array."""
from libc.stdint cimport INT64_MAX, INT64_MIN, UINT64_MAX, int64_t, uint64_t
from libc.string cimport memcmp, memset

from fastredis._resp cimport Arg
from fastredis.commands.arrays cimport array_to_read, index_or_reply, limit_or_reply, reply_index
from fastredis.ds.alloc cimport Account, mem_alloc, mem_free
from fastredis.ds.glob cimport glob_match
from fastredis.ds.native cimport monotonic_us
from fastredis.ds.numbers cimport DOUBLE_TEXT, format_double, format_int64, parse_double
from fastredis.ds.regex cimport (
    REGEX_FINE, REGEX_REFERENCE, REGEX_TEXT, REGEX_TOO_LONG, Regex, RegexFault, regex_clear, regex_init, regex_search,
)
from fastredis.ds.sparse_array cimport (
    WORD_TEXT, ArrayIter, array_count_range, array_iter, array_next, word_int, word_text,
)
from fastredis.engine.client cimport Client
from fastredis.engine.command cimport native
from fastredis.engine.errors cimport ERR_ARRAY_OPERATION, ERR_SYNTAX
from fastredis.engine.flags cimport READONLY
from fastredis.engine.options cimport ALL_OPTIONS, OPT_FLAG, OPT_INT, OPT_TEXT, Option, arg_is, find_option
from fastredis.values.array_type cimport Array

from fastredis.engine.command import declarer
from fastredis.engine.declarations import key_at

cdef extern from "<string.h>" nogil:
    void* memmem(const void* s, size_t n, const void* sought, size_t size)

declare = declarer("array")

cdef enum:
    TESTS_MOST = 250                    # predicates of an ARGREP
    REGEX_US = 5 * 1000 * 1000          # time after which one with RE gives up

cdef enum:
    GREP_EXACT = 1
    GREP_MATCH = 2
    GREP_GLOB = 4
    GREP_RE = 8
    GREP_TESTS = 15
    GREP_AND = 16
    GREP_OR = 32
    GREP_LIMIT = 64
    GREP_VALUES = 128
    GREP_NOCASE = 256

cdef Option[10] GREP_OPTIONS = [
    Option(b"EXACT", OPT_TEXT, GREP_EXACT, 0, NULL),
    Option(b"MATCH", OPT_TEXT, GREP_MATCH, 0, NULL),
    Option(b"GLOB", OPT_TEXT, GREP_GLOB, 0, NULL),
    Option(b"RE", OPT_TEXT, GREP_RE, 0, NULL),
    Option(b"AND", OPT_FLAG, GREP_AND, 1, NULL),
    Option(b"OR", OPT_FLAG, GREP_OR, 1, NULL),
    Option(b"LIMIT", OPT_INT, GREP_LIMIT, 0, NULL),
    Option(b"WITHVALUES", OPT_FLAG, GREP_VALUES, 0, NULL),
    Option(b"NOCASE", OPT_FLAG, GREP_NOCASE, 0, NULL),
    Option(NULL, OPT_FLAG, 0, 0, NULL),
]

cdef struct Test:                       # one predicate
    int kind                            # GREP_*
    Arg* pattern
    char* lower                         # the pattern in lower case, of a MATCH with NOCASE
    Regex regex                         # of a RE

cdef struct Grep:
    uint64_t start
    uint64_t end
    int flags                           # GREP_* of all that was given
    int64_t limit
    Test* tests
    int count
    int ready                           # tests that have what they need
    int64_t until_us                    # RE: when to give up
    const char* fault                   # why it gave up; NULL


# ---------------------------------------------------------------- ARGREP: arguments

cdef bint bound_or_reply(Client c, int i, uint64_t* index) except -1:
    """An index, - for the lowest or + for the highest."""
    if arg_is(&c.argv[i], b"-"):
        index[0] = 0
        return True
    if arg_is(&c.argv[i], b"+"):
        index[0] = UINT64_MAX - 1
        return True
    return index_or_reply(c, i, index)


cdef bint grep_option_or_reply(Client c, Grep* g, int* i) except -1:
    """Read what stands at argv[i], and go on behind it."""
    cdef const Option* option = find_option(&c.argv[i[0]], GREP_OPTIONS, ALL_OPTIONS)

    if option is NULL or (option.kind != OPT_FLAG and i[0] + 1 == c.argc):
        c.error(ERR_SYNTAX)
        return False
    g.flags |= option.flag
    if option.kind == OPT_INT and not limit_or_reply(c, i[0] + 1, &g.limit):
        return False
    if option.flag & GREP_TESTS:
        if g.count == TESTS_MOST:
            c.error(b"ERR too many predicates")
            return False
        g.tests[g.count].kind = option.flag
        g.tests[g.count].pattern = &c.argv[i[0] + 1]
        g.count += 1
    i[0] += 1 if option.kind == OPT_FLAG else 2
    return True


cdef void lower_case(char* out, const char* text, size_t size) noexcept:
    cdef size_t i

    for i in range(size):
        out[i] = text[i] + 32 if c"A" <= text[i] <= c"Z" else text[i]


cdef int fault_of_regex(Client c, RegexFault fault) except -1:
    if fault == REGEX_TOO_LONG:
        return c.error(b"ERR regular expression is too long")
    if fault == REGEX_REFERENCE:
        return c.error(b"ERR regular expressions with backreferences are not supported")
    return c.error(b"ERR invalid regular expression")


cdef bint tests_or_reply(Client c, Grep* g) except -1:
    """Get the tests ready: what they need of memory."""
    cdef bint nocase = g.flags & GREP_NOCASE != 0
    cdef RegexFault fault
    cdef Test* test

    while g.ready < g.count:
        test = &g.tests[g.ready]
        test.lower = NULL
        if test.kind == GREP_MATCH and nocase and test.pattern.size:
            test.lower = <char*>mem_alloc(&c.core.memory, test.pattern.size)
            lower_case(test.lower, test.pattern.ptr, test.pattern.size)
        if test.kind == GREP_RE:
            fault = regex_init(&test.regex, &c.core.memory, test.pattern.ptr, test.pattern.size, nocase)
            if fault != REGEX_FINE:
                fault_of_regex(c, fault)
                return False
        g.ready += 1
    return True


cdef void grep_clear(Account* account, Grep* g) noexcept:
    cdef int i

    for i in range(g.ready):
        if g.tests[i].lower is not NULL:
            mem_free(account, g.tests[i].lower, g.tests[i].pattern.size)
        if g.tests[i].kind == GREP_RE:
            regex_clear(&g.tests[i].regex, account)
    mem_free(account, g.tests, TESTS_MOST * sizeof(Test))


# ---------------------------------------------------------------- ARGREP: the search

cdef bint same_text(const char* a, const char* b, size_t size, bint nocase) noexcept:
    cdef size_t i

    if not nocase:
        return memcmp(a, b, size) == 0
    for i in range(size):
        if a[i] != b[i] and ((a[i] | 32) != (b[i] | 32) or not c"a" <= (a[i] | 32) <= c"z"):
            return False
    return True


cdef bint contains(Account* account, Test* test, const char* text, size_t size) noexcept:
    """MATCH."""
    cdef char* lower
    cdef bint found

    if test.pattern.size == 0 or test.pattern.size > size:
        return test.pattern.size == 0
    if test.lower is NULL:
        return memmem(text, size, test.pattern.ptr, test.pattern.size) is not NULL
    lower = <char*>mem_alloc(account, size)
    lower_case(lower, text, size)
    found = memmem(lower, size, test.lower, test.pattern.size) is not NULL
    mem_free(account, lower, size)
    return found


cdef bint passes(Account* account, Grep* g, Test* test, const char* text, size_t size) noexcept:
    """Whether a value passes one test; False with g.fault: it took too long, or the value is too long to tell."""
    cdef bint nocase = g.flags & GREP_NOCASE != 0

    if test.kind == GREP_EXACT:
        return size == test.pattern.size and same_text(text, test.pattern.ptr, size, nocase)
    if test.kind == GREP_MATCH:
        return contains(account, test, text, size)
    if test.kind == GREP_GLOB:
        return glob_match(test.pattern.ptr, test.pattern.size, text, size, nocase)
    if size > REGEX_TEXT:
        g.fault = b"ERR a value is too long for RE"
        return False
    if monotonic_us() > g.until_us:
        g.fault = b"ERR the regular expression takes too long"
        return False
    return regex_search(&test.regex, text, size)


cdef bint is_hit(Account* account, Grep* g, const char* text, size_t size) noexcept:
    """Whether a value passes all tests, or one; g.fault has to be looked at then."""
    cdef bint all_of_them = g.flags & GREP_AND != 0
    cdef int i

    for i in range(g.count):
        if passes(account, g, &g.tests[i], text, size) != all_of_them:
            return not all_of_them
        if g.fault is not NULL:
            return False
    return all_of_them


cdef int search(Client c, Grep* g, Array* a) except -1:
    """Reply the hits."""
    cdef char[WORD_TEXT] scratch
    cdef int64_t count = 0
    cdef size_t start = c.out.size
    cdef size_t mark = c.out.begin()
    cdef const char* text
    cdef size_t size
    cdef ArrayIter it

    g.until_us = monotonic_us() + REGEX_US
    array_iter(&it, &a.slots, g.start, g.end)
    while count < g.limit and array_next(&it):
        text = word_text(it.word, scratch, &size)
        if not is_hit(&c.core.memory, g, text, size):
            if g.fault is not NULL:
                c.out.truncate(start)
                return c.error(g.fault)
            continue
        if g.flags & GREP_VALUES:
            c.reply_array(2)
        reply_index(c, it.index)
        if g.flags & GREP_VALUES:
            c.reply_bulk(text, size)
        count += 1
    return c.out.end_array(mark, count)


cdef int grep(Client c, Grep* g) except -1:
    cdef int i = 4
    cdef bint found
    cdef Array* a

    if not bound_or_reply(c, 2, &g.start) or not bound_or_reply(c, 3, &g.end):
        return 0
    while i < c.argc:
        if not grep_option_or_reply(c, g, &i):
            return 0
    if g.count == 0 or g.flags & (GREP_AND | GREP_OR) == GREP_AND | GREP_OR:
        return c.error(ERR_SYNTAX)
    if not tests_or_reply(c, g):
        return 0
    a = array_to_read(c, &found)
    if not found:
        return 0
    return search(c, g, a) if a is not NULL else c.reply_array(0)


cdef int cmd_argrep(Client c) except -1:
    """ARGREP key start end EXACT|MATCH|GLOB|RE pattern ... [AND|OR] [LIMIT n] [WITHVALUES] [NOCASE] -> indexes.

    With values: an array of [index, value]. start and end may be - and +; downwards if end < start. A value has to
    pass one test, with AND all of them. RE: see ds/regex.
    Errors: WRONGTYPE; syntax; a limit below 1; a wrong RE, a value too long for one, or five seconds over.
    Source: https://redis.io/commands/argrep
    """
    cdef Grep g

    memset(&g, 0, sizeof(g))
    g.limit = INT64_MAX
    g.tests = <Test*>mem_alloc(&c.core.memory, TESTS_MOST * sizeof(Test))
    try:
        return grep(c, &g)
    finally:
        grep_clear(&c.core.memory, &g)

declare(
    b"argrep", native(cmd_argrep), arity=-6, flags=READONLY, keys=key_at(1, "RO access"), since="8.8.0",
    complexity="O(log(S)+N*C) where S is the number of slices, N the number of values and C what the tests of one cost",
    summary="Searches the values of an array.",
    args="key start end predicate=(exact={exact=EXACT string} | match={match=MATCH string} | "
         "glob={glob=GLOB pattern} | re={re=RE pattern})... "
         "[options=(AND | OR | LIMIT limit:integer | WITHVALUES | NOCASE)...]",
)


# ---------------------------------------------------------------- AROP

cdef enum:
    OP_SUM = 1
    OP_MIN = 2
    OP_MAX = 4
    OP_AND = 8
    OP_OR = 16
    OP_XOR = 32
    OP_MATCH = 64
    OP_USED = 128
    OP_BITS = OP_AND | OP_OR | OP_XOR

cdef Option[9] OPERATIONS = [
    Option(b"SUM", OPT_FLAG, OP_SUM, 0, NULL),
    Option(b"MIN", OPT_FLAG, OP_MIN, 0, NULL),
    Option(b"MAX", OPT_FLAG, OP_MAX, 0, NULL),
    Option(b"AND", OPT_FLAG, OP_AND, 0, NULL),
    Option(b"OR", OPT_FLAG, OP_OR, 0, NULL),
    Option(b"XOR", OPT_FLAG, OP_XOR, 0, NULL),
    Option(b"MATCH", OPT_TEXT, OP_MATCH, 0, NULL),
    Option(b"USED", OPT_FLAG, OP_USED, 0, NULL),
    Option(NULL, OPT_FLAG, 0, 0, NULL),
]

cdef struct Number:                     # an integer is kept as one, which a double would round
    bint is_int
    int64_t whole
    double real                         # in any case


cdef bint number_of(uint64_t word, Number* n) noexcept:
    """What the value means as a number; False: nothing, or no number (nan)."""
    cdef char[WORD_TEXT] scratch
    cdef const char* text
    cdef size_t size

    n.is_int = word_int(word, &n.whole)
    if n.is_int:
        n.real = <double>n.whole
        return True
    text = word_text(word, scratch, &size)
    return parse_double(text, size, &n.real) and n.real == n.real


cdef bint as_integer(Number* n) noexcept:
    """Cut a number to an integer; False: it has no 64 bits."""
    if not n.is_int:
        if not -9223372036854775808.0 <= n.real < 9223372036854775808.0:
            return False
        n.whole = <int64_t>n.real
        n.is_int = True
    return True


cdef void add_number(Number* sum, const Number* n) noexcept:
    sum.real += n.real
    if not sum.is_int or not n.is_int or (
            sum.whole > INT64_MAX - n.whole if n.whole > 0 else sum.whole < INT64_MIN - n.whole):
        sum.is_int = False
    else:
        sum.whole += n.whole


cdef bint is_below(const Number* a, const Number* b) noexcept:
    return a.whole < b.whole if a.is_int and b.is_int else a.real < b.real


cdef void take_number(int operation, Number* result, const Number* n) noexcept:
    """Make the result that of one number more."""
    if operation == OP_SUM:
        add_number(result, n)
    elif operation == OP_MIN or operation == OP_MAX:
        if is_below(n, result) if operation == OP_MIN else is_below(result, n):
            result[0] = n[0]
    elif operation == OP_AND:
        result.whole &= n.whole
    elif operation == OP_OR:
        result.whole |= n.whole
    else:
        result.whole ^= n.whole


cdef int aggregate(Client c, Array* a, uint64_t start, uint64_t end, int operation) except -1:
    """SUM, MIN, MAX and the operations on bits, over what is a number."""
    cdef char[DOUBLE_TEXT] text
    cdef bint found = False
    cdef Number result
    cdef Number n
    cdef ArrayIter it

    array_iter(&it, &a.slots, start, end)
    while array_next(&it):
        if not number_of(it.word, &n) or (operation & OP_BITS and not as_integer(&n)):
            continue
        if found:
            take_number(operation, &result, &n)
        else:
            result, found = n, True
    if not found:
        return c.reply_null()
    if operation & OP_BITS:
        return c.reply_int(result.whole)
    return c.reply_bulk(text, format_int64(text, result.whole) if result.is_int else format_double(text, result.real))


cdef int count_equal(Client c, Array* a, uint64_t start, uint64_t end, const Arg* value) except -1:
    cdef char[WORD_TEXT] scratch
    cdef int64_t count = 0
    cdef const char* text
    cdef size_t size
    cdef ArrayIter it

    array_iter(&it, &a.slots, start, end)
    while array_next(&it):
        text = word_text(it.word, scratch, &size)
        count += size == value.size and memcmp(text, value.ptr, size) == 0
    return c.reply_int(count)


cdef int cmd_arop(Client c) except -1:
    """AROP key start end SUM|MIN|MAX|AND|OR|XOR|USED|MATCH value -> what the values of a range come to.

    SUM, MIN, MAX: text; AND, OR, XOR, of what is cut to an integer of 64 bits: an integer; null if there is no number.
    A sum of integers is exact as long as it fits 64 bits. USED and MATCH count slots.
    Errors: WRONGTYPE; syntax. Source: https://redis.io/commands/arop
    """
    cdef const Option* operation = find_option(&c.argv[4], OPERATIONS, ALL_OPTIONS)
    cdef uint64_t start, end
    cdef bint found
    cdef Array* a

    if not index_or_reply(c, 2, &start) or not index_or_reply(c, 3, &end):
        return 0
    if operation is NULL:
        return c.error(ERR_ARRAY_OPERATION)
    if c.argc != (6 if operation.flag == OP_MATCH else 5):
        return c.error(ERR_SYNTAX)
    a = array_to_read(c, &found)
    if not found:
        return 0
    start, end = min(start, end), max(start, end)
    if a is NULL:
        return c.reply_int(0) if operation.flag & (OP_MATCH | OP_USED) else c.reply_null()
    if operation.flag == OP_USED:
        return reply_index(c, array_count_range(&a.slots, start, end))
    if operation.flag == OP_MATCH:
        return count_equal(c, a, start, end, &c.argv[5])
    return aggregate(c, a, start, end, operation.flag)

declare(
    b"arop", native(cmd_arop), arity=-5, flags=READONLY, keys=key_at(1, "RO access"), since="8.8.0",
    complexity="O(log(S)+N) where S is the number of slices and N the number of values in the range, 1 for USED",
    summary="Counts, adds up or compares the values of an array.",
    args="key start:integer end:integer operation=(SUM | MIN | MAX | AND | OR | XOR | match={match=MATCH value} | "
         "USED)",
)
