"""SORT and SORT_RO: the elements of a list, set or sorted set in order. They belong to the group "generic".

The elements are copied to an arena, each with a rank: 64 bits that compare as what it is sorted by
does, a double or the first eight bytes of a text. So nearly every comparison is one of two integers
that lie side by side. The sort is a stable merge sort, so that elements that compare equal stay in
their order, as with glibc's qsort(), which Redis uses.
"""
from libc.stdint cimport int64_t, uint64_t
from libc.string cimport memchr, memcmp, memcpy, memset

from fastredis._resp cimport Arg, arg_hash
from fastredis.commands.deadlines cimport gone_ms, is_due, without_due
from fastredis.commands.hashes cimport find_field
from fastredis.ds.alloc cimport Account, mem_alloc, mem_free, mem_realloc
from fastredis.ds.listpack cimport LpItem, lp_text
from fastredis.ds.native cimport bswap64
from fastredis.ds.numbers cimport INT64_TEXT, parse_double
from fastredis.ds.quicklist cimport QlIter, ql_item, ql_iter_end, ql_next
from fastredis.engine.acl.access cimport may_read_all_keys
from fastredis.engine.client cimport Client
from fastredis.engine.command cimport native
from fastredis.engine.core cimport NOTIFY_GENERIC, NOTIFY_LIST
from fastredis.engine.engine cimport C_LIMITED, C_SCRIPT
from fastredis.engine.errors cimport ERR_SORT_SCORE, ERR_WRONGTYPE
from fastredis.engine.flags cimport DENYOOM, READONLY, WRITE
from fastredis.engine.keys cimport KEY_ACCESS, KEY_OW, KEY_RO, KEY_UPDATE, KeyList, key_add, key_finder
from fastredis.engine.options cimport (
    ALL_OPTIONS, OPT_FLAG, OPT_INTS, OPT_TEXT, Option, Options, arg_is, find_option, option_number,
    parse_options_or_reply,
)
from fastredis.values.entry cimport TYPE_HASH, TYPE_LIST, TYPE_SET, TYPE_STRING, TYPE_ZSET, Entry, entry_type
from fastredis.values.hash_type cimport FieldValue
from fastredis.values.list_type cimport LIST_TAIL, list_iter, list_new, list_prepare, list_push
from fastredis.values.set_type cimport SetIter, set_count_live, set_iter_end, set_iter_live, set_next
from fastredis.values.string_type cimport string_view
from fastredis.values.value cimport entry_count
from fastredis.values.zset_type cimport ZsetIter, zset_next, zset_seek_rank

from fastredis.engine.command import declarer
from fastredis.engine.declarations import key_at, key_unknown

declare = declarer("generic")

cdef extern from "<string.h>" nogil:
    size_t strnlen(const char* s, size_t most)


cdef enum:
    CHUNK = 64 * 1024           # bytes that the arena takes at a time
    RUN = 12                    # elements that are sorted by insertion before they are merged
    AHEAD = 32                  # elements whose keys are looked up side by side
    RANK_BYTES = 8


# ---------------------------------------------------------------- the call

cdef enum PatternKind:
    PATTERN_ELEMENT             # "#": the element itself
    PATTERN_NOTHING             # has no star: never finds anything
    PATTERN_KEY                 # the value of a string
    PATTERN_FIELD               # of a field of a hash

cdef struct Pattern:
    PatternKind kind
    Arg* text
    size_t prefix               # bytes in front of the star
    const char* postfix         # behind it, up to the arrow
    size_t postfix_size
    Arg field                   # behind the arrow

cdef struct Item:
    const char* text            # the element, in the arena
    size_t size
    const char* by              # ALPHA: what it is compared by; NULL: nothing was found
    size_t by_size

cdef struct Ranked:
    uint64_t rank
    Item* item

cdef struct Chunk:              # of the arena; its bytes follow
    Chunk* next
    size_t size

cdef struct Sort:
    Account* account
    int64_t gone_ms             # members of a set with deadlines before it are left out; 0: none is
    # what was asked for
    bint desc
    bint alpha
    bint unsorted               # BY has no star
    bint by_given
    bint total                  # elements with nothing between them go by their bytes
    Arg* store                  # NULL: reply
    Pattern by
    Pattern* gets
    int get_count
    # elements
    Item* items
    int64_t room                # elements that there is memory for
    int64_t count
    Ranked* ranked              # two arrays of `room`, the second is scratch
    int64_t first               # part of the elements that is replied
    int64_t last                # below first: none
    Chunk* chunks
    char* free                  # in the newest chunk
    size_t left
    # keys made from patterns: for AHEAD elements, by pattern
    Arg* keys
    char* names
    size_t names_room


cdef enum:
    SORT_LIMIT = 1 << 0
    SORT_BY = 1 << 1
    SORT_GET = 1 << 2
    SORT_ASC = 1 << 3
    SORT_DESC = 1 << 4
    SORT_ALPHA = 1 << 5
    SORT_STORE = 1 << 6

cdef Option[8] SORT_OPTIONS = [
    Option(b"LIMIT", OPT_INTS, SORT_LIMIT, 0, NULL),
    Option(b"BY", OPT_TEXT, SORT_BY, 0, NULL),
    Option(b"GET", OPT_TEXT, SORT_GET, 0, NULL),
    Option(b"ASC", OPT_FLAG, SORT_ASC, 0, NULL),
    Option(b"DESC", OPT_FLAG, SORT_DESC, 0, NULL),
    Option(b"ALPHA", OPT_FLAG, SORT_ALPHA, 0, NULL),
    Option(b"STORE", OPT_TEXT, SORT_STORE, 0, NULL),
    Option(NULL, OPT_FLAG, 0, 0, NULL),
]


cdef void read_pattern(Pattern* p, Arg* text) noexcept:
    """Read a pattern of BY or GET. As in Redis, a zero byte ends where the star and the arrow are looked for."""
    cdef size_t size = strnlen(text.ptr, text.size)
    cdef const char* star = <const char*>memchr(text.ptr, c"*", size)
    cdef const char* end = text.ptr + text.size
    cdef const char* seen
    cdef const char* arrow

    memset(p, 0, sizeof(Pattern))
    p.text = text
    if size == 1 and text.ptr[0] == c"#":
        p.kind = PATTERN_ELEMENT
        return
    if star is NULL:
        p.kind = PATTERN_NOTHING
        return
    p.kind = PATTERN_KEY
    p.prefix = star - text.ptr
    p.postfix = star + 1
    p.postfix_size = end - p.postfix
    arrow = p.postfix
    seen = arrow + strnlen(arrow, p.postfix_size)
    while arrow + 2 < seen:                     # an arrow that ends the pattern is part of the key's name
        if arrow[0] == c"-" and arrow[1] == c">":
            p.kind = PATTERN_FIELD
            p.postfix_size = arrow - p.postfix
            p.field.ptr = arrow + 2
            p.field.size = end - p.field.ptr
            arg_hash(&p.field)
            return
        arrow += 1


cdef int read_options(Client c, Sort* s) except -1:
    """What the shared parser, which went over them before, does not keep: the order, and every GET."""
    cdef const Option* option
    cdef int i = 2

    s.gets = <Pattern*>mem_alloc(s.account, c.argc * sizeof(Pattern))
    while i < c.argc:
        option = find_option(&c.argv[i], SORT_OPTIONS, ALL_OPTIONS)
        if option.flag == SORT_DESC or option.flag == SORT_ASC:
            s.desc = option.flag == SORT_DESC
        elif option.flag == SORT_ALPHA:
            s.alpha = True
        elif option.flag == SORT_STORE:
            s.store = &c.argv[i + 1]
        elif option.flag == SORT_GET:
            read_pattern(&s.gets[s.get_count], &c.argv[i + 1])
            s.get_count += 1
        elif option.flag == SORT_BY:
            s.by_given = True
            read_pattern(&s.by, &c.argv[i + 1])
            s.unsorted = s.unsorted or s.by.kind < PATTERN_KEY
        i += 3 if option.kind == OPT_INTS else 2 if option.kind == OPT_TEXT else 1
    return 0


cdef void set_part(Sort* s, int64_t length, const Options* given) noexcept:
    """first and last of `length` elements, by LIMIT."""
    cdef int64_t start = option_number(given, SORT_LIMIT)
    cdef int64_t count = given.second if given.flags & SORT_LIMIT else -1

    s.first = min(max(start, 0), length)
    count = min(max(count, -1), length)
    s.last = min(length - 1 if count < 0 else s.first + count - 1, length - 1)
    if s.first >= length:
        s.first, s.last = 0, -1


# ---------------------------------------------------------------- elements

cdef const char* keep(Sort* s, const char* text, size_t size) except NULL:
    """Copy text to the arena."""
    cdef Chunk* chunk
    cdef char* copy
    cdef size_t room

    if size > s.left or s.chunks is NULL:
        room = max(size, <size_t>CHUNK)
        chunk = <Chunk*>mem_alloc(s.account, sizeof(Chunk) + room)
        chunk.next = s.chunks
        chunk.size = sizeof(Chunk) + room
        s.chunks = chunk
        s.free = <char*>(chunk + 1)
        s.left = room
    copy = s.free
    memcpy(copy, text, size)
    s.free += size
    s.left -= size
    return copy


cdef int add_item(Sort* s, const LpItem* item) except -1:
    cdef char[INT64_TEXT] digits
    cdef Item* to = &s.items[s.count]
    cdef const char* text

    text = lp_text(item, digits, &to.size)
    to.text = keep(s, text, to.size)
    to.by = NULL
    s.count += 1
    return 0


cdef int load_list(Sort* s, const Entry* e, int64_t index, int64_t wanted, bint backward) except -1:
    cdef QlIter it
    cdef LpItem item
    cdef bint more = list_iter(s.account, e, index, backward, &it)

    try:
        while more and s.count < wanted:
            ql_item(&it, &item)
            add_item(s, &item)
            more = ql_next(&it)
    finally:
        ql_iter_end(&it)
    return 0


cdef int load_set(Sort* s, const Entry* e) except -1:
    cdef SetIter it
    cdef LpItem item

    set_iter_live(&it, e, s.gone_ms)
    try:
        while set_next(&it, &item):
            add_item(s, &item)
    finally:
        set_iter_end(&it)
    return 0


cdef int load_zset(Sort* s, const Entry* e, int64_t first, int64_t wanted, bint backward) except -1:
    cdef ZsetIter it
    cdef LpItem item

    zset_seek_rank(&it, e, first, wanted, backward)
    while zset_next(&it):
        item.text = it.text
        item.size = it.size
        add_item(s, &item)
    return 0


cdef int64_t elements_of(const Sort* s, const Entry* e) noexcept:
    """How many elements there are to sort."""
    return set_count_live(e, s.gone_ms) if entry_type(e) == TYPE_SET else entry_count(e)


cdef int load(Sort* s, const Entry* e) except -1:
    """Take the elements; of a list or sorted set that is not to be sorted only those that are asked for."""
    cdef int64_t length = elements_of(s, e)
    cdef int kind = entry_type(e)
    cdef bint part = s.unsorted and kind != TYPE_SET
    cdef bint backward = part and s.desc
    cdef int64_t first = s.first if part else 0
    cdef int64_t wanted = s.last - s.first + 1 if part else length

    if wanted <= 0:
        return 0
    s.room = wanted
    s.items = <Item*>mem_alloc(s.account, wanted * sizeof(Item))
    s.ranked = <Ranked*>mem_alloc(s.account, wanted * 2 * sizeof(Ranked))
    if kind == TYPE_SET:
        load_set(s, e)
    elif kind == TYPE_LIST:
        load_list(s, e, length - first - 1 if backward else first, wanted, backward)
    else:
        load_zset(s, e, first, wanted, backward)
    if part:
        s.first, s.last = 0, wanted - 1
    return 0


# ---------------------------------------------------------------- values by pattern

cdef struct Found:
    const char* text            # NULL: nothing
    size_t size
    char[INT64_TEXT] digits
    FieldValue field


cdef int make_keys(Client c, Sort* s, const Pattern* patterns, int count, Ranked* first, int64_t items) except -1:
    """Names of the keys of up to AHEAD elements, s.keys[pattern * AHEAD + element]; their memory is asked for."""
    cdef const Pattern* p
    cdef Arg* key
    cdef char* to
    cdef size_t room = 0
    cdef int64_t i
    cdef int k

    for k in range(count):
        for i in range(items):
            room += patterns[k].prefix + first[i].item.size + patterns[k].postfix_size
    if room > s.names_room:
        s.names = <char*>mem_realloc(s.account, s.names, s.names_room, room * 2)
        s.names_room = room * 2
    to = s.names
    for k in range(count):
        p = &patterns[k]
        if p.kind < PATTERN_KEY:
            continue
        for i in range(items):
            key = &s.keys[k * AHEAD + i]
            key.ptr = to
            key.size = p.prefix + first[i].item.size + p.postfix_size
            key.hash = 0
            memcpy(to, p.text.ptr, p.prefix)
            memcpy(to + p.prefix, first[i].item.text, first[i].item.size)
            memcpy(to + p.prefix + first[i].item.size, p.postfix, p.postfix_size)
            to += key.size
            c.db.prefetch_bucket(arg_hash(key))
    for k in range(count):
        if patterns[k].kind >= PATTERN_KEY:
            for i in range(items):
                c.db.prefetch_entry(s.keys[k * AHEAD + i].hash)
    return 0


cdef int find(Client c, const Pattern* p, Arg* key, const Item* item, Found* found) except -1:
    """What the pattern says for an element, good until the next change of anything. key: as made by make_keys()."""
    cdef Entry* e

    found.text = NULL
    if p.kind == PATTERN_ELEMENT:
        found.text, found.size = item.text, item.size
        return 0
    if p.kind == PATTERN_NOTHING:
        return 0
    e = c.db.lookup_read(key)
    if e is NULL:
        return 0
    if p.kind == PATTERN_KEY:
        if entry_type(e) == TYPE_STRING:
            found.text = string_view(e, found.digits, &found.size)
    elif entry_type(e) == TYPE_HASH and find_field(e, &p.field, &found.field) and (
            not is_due(c, found.field.when_ms)):
        found.text, found.size = found.field.text, found.field.size
    return 0


# ---------------------------------------------------------------- order

cdef inline uint64_t rank_of_score(double score) noexcept:
    """Unsigned integers in the order of the doubles; both zeros are the same."""
    cdef uint64_t bits

    if score == 0:
        return <uint64_t>1 << 63
    memcpy(&bits, &score, sizeof(bits))
    return ~bits if bits >> 63 else bits | <uint64_t>1 << 63


cdef inline uint64_t rank_of_text(const char* text, size_t size) noexcept:
    """The first bytes, the first one highest."""
    cdef uint64_t bits = 0

    memcpy(&bits, text, min(size, <size_t>RANK_BYTES))
    return bswap64(bits)


cdef bint read_score(const char* text, size_t size, double* score) noexcept:
    """A number as SORT of Redis 8 reads it: a zero byte ends the text, an empty one is 0, none is hexadecimal."""
    size = strnlen(text, size)
    if size == 0:
        score[0] = 0
        return True
    return memchr(text, c"x", size) is NULL and memchr(text, c"X", size) is NULL and parse_double(text, size, score)


cdef int rank_item(Sort* s, Ranked* to, const char* by, size_t size, bint* good) except -1:
    """Set the rank by what was found; NULL: nothing was, which is 0 as a number and the least as a text."""
    cdef double score = 0
    cdef const char* end

    if not s.alpha:
        if by is not NULL and not read_score(by, size, &score):
            good[0] = False
        to.rank = rank_of_score(score)
    elif by is not NULL:
        # Redis compares what it replies by strcoll(), which ends at a zero byte, and what it stores by all bytes.
        if s.store is NULL:
            end = <const char*>memchr(by, 0, size)
            if end is not NULL:
                size = end - by
        to.item.by = by if by == to.item.text else keep(s, by, size)
        to.item.by_size = size
        to.rank = rank_of_text(by, size)
    else:
        to.rank = 0
    if s.desc:
        to.rank = ~to.rank
    return 0


cdef bint rank_all(Client c, Sort* s) except -1:
    """Find what the elements are sorted by. False: one of them should be a number and is none."""
    cdef bint good = True
    cdef Found found
    cdef int64_t i, k, part

    if not s.by_given:
        for i in range(s.count):
            rank_item(s, &s.ranked[i], s.items[i].text, s.items[i].size, &good)
        return good
    for i in range(0, s.count, AHEAD):
        part = min(<int64_t>AHEAD, s.count - i)
        make_keys(c, s, &s.by, 1, &s.ranked[i], part)
        for k in range(part):
            find(c, &s.by, &s.keys[k], s.ranked[i + k].item, &found)
            rank_item(s, &s.ranked[i + k], found.text, found.size, &good)
    return good


cdef inline int compare_bytes(const char* a, size_t a_size, const char* b, size_t b_size) noexcept:
    cdef int order = memcmp(a, b, min(a_size, b_size))

    return order if order else (a_size > b_size) - (a_size < b_size)


cdef int compare_items(const Sort* s, const Item* a, const Item* b) noexcept:
    """The order of two elements of the same rank, ascending."""
    cdef int order

    if not s.alpha:
        return compare_bytes(a.text, a.size, b.text, b.size)
    if a.by is NULL or b.by is NULL:
        order = (a.by is not NULL) - (b.by is not NULL)
    else:
        order = compare_bytes(a.by, a.by_size, b.by, b.by_size)
    return compare_bytes(a.text, a.size, b.text, b.size) if order == 0 and s.total else order


cdef inline bint before(const Sort* s, const Ranked* a, const Ranked* b) noexcept:
    """Whether a certainly comes before b."""
    cdef int order

    if a.rank != b.rank:
        return a.rank < b.rank
    order = compare_items(s, a.item, b.item)
    return order > 0 if s.desc else order < 0


cdef void insertion_sort(const Sort* s, Ranked* a, int64_t count) noexcept:
    cdef Ranked x
    cdef int64_t i, k

    for i in range(1, count):
        x = a[i]
        k = i
        while k and before(s, &x, &a[k - 1]):
            a[k] = a[k - 1]
            k -= 1
        a[k] = x


cdef void merge(const Sort* s, const Ranked* a, int64_t middle, int64_t count, Ranked* to) noexcept:
    """Merge the sorted a[:middle] and a[middle:count]; of equal ones those of the first half come first."""
    cdef int64_t i = 0, k = middle, n = 0

    while i < middle and k < count:
        if before(s, &a[k], &a[i]):
            to[n] = a[k]
            k += 1
        else:
            to[n] = a[i]
            i += 1
        n += 1
    memcpy(to + n, a + i, (middle - i) * sizeof(Ranked))
    memcpy(to + n + middle - i, a + k, (count - k) * sizeof(Ranked))


cdef void sort_ranked(Sort* s) noexcept:
    """Stable merge sort from runs upwards. s.ranked may be the other of its two arrays afterwards."""
    cdef Ranked* a = s.ranked
    cdef Ranked* other = s.ranked + s.count
    cdef int64_t i = 0
    cdef int64_t width = RUN

    while i < s.count:
        insertion_sort(s, a + i, min(<int64_t>RUN, s.count - i))
        i += RUN
    while width < s.count:
        i = 0
        while i < s.count:
            merge(s, a + i, min(width, s.count - i), min(width * 2, s.count - i), other + i)
            i += width * 2
        a, other = other, a
        width *= 2
    if a != s.ranked:
        memcpy(s.ranked, a, s.count * sizeof(Ranked))


# ---------------------------------------------------------------- result

cdef inline int send(Client c, Entry* to, const char* text, size_t size) except -1:
    """Reply one value, or push it to the list `to`. NULL: there is none."""
    if to is NULL:
        return c.reply_null() if text is NULL else c.reply_bulk(text, size)
    if text is NULL:
        text, size = b"", 0
    list_prepare(&c.core.memory, &c.core.limits, to, size, 1)
    return list_push(&c.core.memory, &c.core.limits, to, LIST_TAIL, text, size)


cdef int send_all(Client c, Sort* s, Entry* to) except -1:
    """Reply, or push to the list, the elements or what GET says of them."""
    cdef Found found
    cdef Ranked* at
    cdef int64_t i, n, part
    cdef int k

    for i in range(s.first, s.last + 1, AHEAD):
        at = &s.ranked[i]
        part = min(<int64_t>AHEAD, s.last + 1 - i)
        if s.get_count:
            make_keys(c, s, s.gets, s.get_count, at, part)
        for n in range(part):
            if s.get_count == 0:
                send(c, to, at[n].item.text, at[n].item.size)
            for k in range(s.get_count):
                find(c, &s.gets[k], &s.keys[k * AHEAD + n], at[n].item, &found)
                send(c, to, found.text, found.size)
    return 0


cdef int store_result(Client c, Sort* s, int64_t values) except -1:
    """Make the destination a list of the result, or delete it if that is nothing."""
    cdef Entry* old
    cdef Entry* e

    if values == 0:
        old = c.db.lookup_write(s.store)
        if old is not NULL:
            c.modified(s.store, NOTIFY_GENERIC, b"del")
            c.db.delete(s.store, c.core.lazy_server_del)
        return c.reply_int(0)
    e = list_new(&c.core.memory, s.store.ptr, s.store.size)
    send_all(c, s, e)
    old = c.db.lookup_write(s.store)
    if old is not NULL:
        c.db.replace(s.store, old, e, False)
    else:
        c.db.add(e, arg_hash(s.store))
    c.modified(s.store, NOTIFY_LIST, b"sortstore", values)
    return c.reply_int(values)


cdef int sort_elements(Client c, Sort* s, const Entry* e, const Options* given) except -1:
    cdef int64_t i, values

    if e is not NULL:
        if entry_type(e) == TYPE_SET and (s.store is not NULL or c.flags & C_SCRIPT):
            # What is stored, or seen by a script, must not depend on the order in which a set happens to lie there.
            s.total = True
            if s.unsorted:
                s.unsorted = s.by_given = False
                s.alpha = True
        set_part(s, elements_of(s, e), given)
        load(s, e)
    else:
        set_part(s, 0, given)
    for i in range(s.count):
        s.ranked[i].item = &s.items[i]
    s.keys = <Arg*>mem_alloc(s.account, (s.get_count + 1) * AHEAD * sizeof(Arg))
    if not s.unsorted:
        if not rank_all(c, s):
            return c.error(ERR_SORT_SCORE)
        sort_ranked(s)
    values = (s.last - s.first + 1) * max(s.get_count, 1)
    if s.store is not NULL:
        return store_result(c, s, values)
    c.reply_array(values)
    return send_all(c, s, NULL)


cdef void sort_end(Client c, Sort* s) noexcept:
    """Free everything."""
    cdef Chunk* chunk = s.chunks

    while chunk is not NULL:
        s.chunks = chunk.next
        mem_free(s.account, chunk, chunk.size)
        chunk = s.chunks
    mem_free(s.account, s.gets, c.argc * sizeof(Pattern))
    mem_free(s.account, s.keys, (s.get_count + 1) * AHEAD * sizeof(Arg))
    mem_free(s.account, s.names, s.names_room)
    mem_free(s.account, s.items, s.room * sizeof(Item))
    mem_free(s.account, s.ranked, s.room * 2 * sizeof(Ranked))


cdef bint may_make_names_or_reply(Client c, int takes) except -1:
    """Whether the client's user may have keys read that its arguments do not name, if BY or GET needs that."""
    cdef const Option* option
    cdef Pattern by
    cdef int i = 2

    if may_read_all_keys(c):
        return True
    while i + 1 < c.argc:
        option = find_option(&c.argv[i], SORT_OPTIONS, takes)
        if option is NULL:
            return True                     # a syntax error
        if option.flag == SORT_GET:
            c.error(b"ERR GET option of SORT denied due to insufficient ACL permissions.")
            return False
        if option.flag == SORT_BY:
            read_pattern(&by, &c.argv[i + 1])
            if by.kind >= PATTERN_KEY:
                c.error(b"ERR BY option of SORT denied due to insufficient ACL permissions.")
                return False
        i += 3 if option.kind == OPT_INTS else 2 if option.kind == OPT_TEXT else 1
    return True


cdef int sort_command(Client c, int takes) except -1:
    cdef Sort s
    cdef Options given
    cdef Entry* e
    cdef int kind

    if c.flags & C_LIMITED and not may_make_names_or_reply(c, takes):
        return 0
    if not parse_options_or_reply(c, 2, SORT_OPTIONS, takes, &given):
        return 0
    e = without_due(c, c.db.lookup_read(&c.argv[1]))
    kind = entry_type(e) if e is not NULL else TYPE_LIST
    if kind != TYPE_LIST and kind != TYPE_SET and kind != TYPE_ZSET:
        return c.error(ERR_WRONGTYPE)
    memset(&s, 0, sizeof(Sort))
    s.account = &c.core.memory
    s.gone_ms = gone_ms(c)
    try:
        read_options(c, &s)
        return sort_elements(c, &s, e, &given)
    finally:
        sort_end(c, &s)


BY_AND_GET = "The keys of `BY` and `GET` are made from the elements of the key that is sorted"
STORE_ANYWHERE = "The keyword `STORE` may stand anywhere among the options"


cdef void sort_ro_keys(const Arg* argv, int argc, KeyList* found) noexcept:
    """SORT_RO's source. Keys made from BY and GET patterns are not known."""
    key_add(found, 1, KEY_RO | KEY_ACCESS)


cdef void sort_keys(const Arg* argv, int argc, KeyList* found) noexcept:
    """SORT's source, and the destination of the last STORE."""
    cdef int i = 2

    sort_ro_keys(argv, argc, found)
    while i < argc:
        if arg_is(&argv[i], b"store") and i + 1 < argc:
            i += 1
            found.count = 1
            key_add(found, i, KEY_OW | KEY_UPDATE)
        elif arg_is(&argv[i], b"limit"):
            i += 2
        elif arg_is(&argv[i], b"get") or arg_is(&argv[i], b"by"):
            i += 1
        i += 1


cdef int cmd_sort(Client c) except -1:
    """SORT key [BY pattern] [LIMIT offset count] [GET pattern ...] [ASC | DESC] [ALPHA] [STORE destination]
    -> array: the elements, sorted as numbers or, with ALPHA, as texts; with STORE integer: their number.

    BY: sorted by the value of the key that the pattern names with the element in place of its star, or of a
    field of it (key->field); not sorted without a star. GET: the values of such keys in place of the elements;
    # is the element. STORE: the destination becomes a list of the result. Equal numbers are in the order of
    their texts.
    Cost: O(n log n), and O(1) for each key that is looked up.
    Errors: WRONGTYPE; an element, or what it is sorted by, is not a number.
    Source: https://redis.io/commands/sort
    """
    return sort_command(c, ALL_OPTIONS)

declare(
    b"sort", native(cmd_sort), arity=-2, flags=WRITE | DENYOOM, acl=("set", "sortedset", "list", "dangerous"),
    keys=(key_at(1, "RO access"), key_unknown("RO access", BY_AND_GET),
          key_unknown("OW update", STORE_ANYWHERE, finder=key_finder(sort_keys))), since="1.0.0",
    complexity="O(N*log(N)) where N is the number of elements, O(N) for those not sorted",
    summary="Returns or stores the elements of a list, a set or a sorted set in order.",
    args="key [BY by-pattern<pattern>:pattern#1] [LIMIT limit={offset:integer count:integer}] "
         "[GET... get-pattern<pattern>:pattern#1] [order=(ASC | DESC)] [sorting=ALPHA] [STORE destination:key]",
)


cdef int cmd_sort_ro(Client c) except -1:
    """SORT_RO key [BY pattern] [LIMIT offset count] [GET pattern ...] [ASC | DESC] [ALPHA] -> array, as SORT.

    Source: https://redis.io/commands/sort_ro
    """
    return sort_command(c, ~SORT_STORE)

declare(
    b"sort_ro", native(cmd_sort_ro), arity=-2, flags=READONLY, acl=("set", "sortedset", "list", "dangerous"),
    keys=(key_at(1, "RO access"), key_unknown("RO access", BY_AND_GET, finder=key_finder(sort_ro_keys))), since="7.0.0",
    complexity="O(N*log(N)) where N is the number of elements, O(N) for those not sorted",
    summary="Returns the elements of a list, a set or a sorted set in order.",
    args="key [BY by-pattern<pattern>:pattern#1] [LIMIT limit={offset:integer count:integer}] "
         "[GET... get-pattern<pattern>:pattern#1] [order=(ASC | DESC)] [sorting=ALPHA]",
)
