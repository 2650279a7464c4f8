"""Walks through the keys of a database: KEYS, SCAN, RANDOMKEY. They belong to the group "generic".

What SSCAN, HSCAN and ZSCAN share with SCAN is here as well; scan.pxd says how they use it.

Keys go from their entries straight to the reply. Both walks are bound by cache misses, so entries
are asked for some steps before they are looked at.
"""
from libc.stdint cimport INT64_MAX, int64_t, uint64_t

from fastredis._resp cimport Arg
from fastredis.ds.alloc cimport Account, mem_alloc, mem_free, mem_realloc
from fastredis.ds.glob cimport glob_has_wildcards, glob_match
from fastredis.ds.native cimport prefetch
from fastredis.ds.numbers cimport INT64_TEXT, format_uint64, parse_uint64
from fastredis.ds.table cimport Table, table_scan
from fastredis.engine.client cimport Client
from fastredis.engine.command cimport native
from fastredis.engine.errors cimport ERR_CURSOR, ERR_NOSCORES, ERR_NOVALUES, ERR_SYNTAX
from fastredis.engine.flags cimport READONLY, TOUCHES_ARBITRARY_KEYS
from fastredis.engine.importing cimport sees_expired
from fastredis.engine.keyspace cimport Database, KeyWalk, walk_begin, walk_end, walk_next
from fastredis.engine.options cimport (
    ALL_OPTIONS, OPT_FLAG, OPT_INT, OPT_TEXT, Option, Options, arg_is, get_int_or_reply, option_number, option_text,
    parse_options_or_reply,
)
from fastredis.values.entry cimport TYPE_HASH, TYPE_ZSET, Entry, entry_key, entry_type
from fastredis.values.value cimport type_name

from fastredis.engine.command import declarer

declare = declarer("generic")


cdef enum:
    PREFETCH_ENTRIES = 8        # how far ahead entries are asked for
    DEFAULT_COUNT = 10          # COUNT when none is given
    BUCKETS_PER_COUNT = 10      # a SCAN looks at so many buckets for each of COUNT, if they are sparse


cdef inline bint matches_all(const Arg* pattern) noexcept:
    """Whether it is the star alone, which, unlike `**`, matches the empty key as well."""
    return pattern.size == 1 and pattern.ptr[0] == c"*"


cdef int cmd_keys(Client c) except -1:
    """KEYS pattern -> array: the keys that match, in no order. Expired ones are left out, not removed.

    Cost: O(keys of the database); O(1) for a pattern without wildcards.
    Source: https://redis.io/commands/keys
    """
    cdef Arg* pattern = &c.argv[1]
    cdef Database db = c.db
    cdef Entry* e

    if matches_all(pattern):
        return reply_all_keys(c)
    if glob_has_wildcards(pattern.ptr, pattern.size):
        return reply_matching_keys(c, pattern)
    e = db.peek(pattern)
    if e is NULL or is_gone(db, e):
        return c.reply_array(0)
    c.reply_array(1)
    return c.reply_bulk(pattern.ptr, pattern.size)

declare(
    b"keys", native(cmd_keys), arity=2, flags=READONLY, acl=("dangerous",), since="1.0.0",
    tips=("nondeterministic_output_order", "request_policy:all_shards"),
    complexity="O(N) where N is the number of keys in the database",
    summary="Returns all keys that match a pattern.",
    args="pattern:pattern",
)


cdef inline bint is_gone(Database db, Entry* e) noexcept:
    """Whether a key's time has come, as who asks sees it."""
    return db.is_expired(e) and not sees_expired(db.core)


cdef inline bint any_expired(Database db) noexcept:
    cdef int64_t when_ms

    return db.soonest(&when_ms) is not NULL and when_ms < db.core.now_ms


cdef int reply_all_keys(Client c) except -1:
    cdef Database db = c.db
    cdef KeyWalk walk
    cdef Entry* e

    if any_expired(db):
        return reply_matching_keys(c, &c.argv[1])
    # The number is known, so that the header need not be put in front of megabytes afterwards.
    c.reply_array(db.count())
    walk_begin(&walk, db)
    try:
        while True:
            e = walk_next(&walk)
            if e is NULL:
                return 0
            c.reply_bulk(entry_key(e), e.key_size)
    finally:
        walk_end(&walk)


cdef int reply_matching_keys(Client c, Arg* pattern) except -1:
    cdef Database db = c.db
    cdef bint all_keys = matches_all(pattern)
    cdef size_t mark = c.out.begin()
    cdef int64_t found = 0
    cdef KeyWalk walk
    cdef Entry* e

    walk_begin(&walk, db)
    try:
        while True:
            e = walk_next(&walk)
            if e is NULL:
                break
            if (all_keys or glob_match(pattern.ptr, pattern.size, entry_key(e), e.key_size, False)) and (
                    not is_gone(db, e)):
                c.reply_bulk(entry_key(e), e.key_size)
                found += 1
    finally:
        walk_end(&walk)
    return c.out.end_array(mark, found)


cdef struct Found:                      # entries that a walk came by
    Account* account
    void** items
    size_t count
    size_t room                         # entries that items has room for


cdef int found_init(Found* found, Account* account) except -1:
    found.account = account
    found.count = 0
    found.room = 64
    found.items = <void**>mem_alloc(account, found.room * sizeof(void*))
    return 0


cdef void found_free(Found* found) noexcept:
    mem_free(found.account, found.items, found.room * sizeof(void*))


cdef int note_found(void* context, void* entry) except -1:
    """Visit of table_scan."""
    cdef Found* found = <Found*>context

    if found.count == found.room:
        found.items = <void**>mem_realloc(found.account, found.items, found.room * sizeof(void*),
                                          found.room * 2 * sizeof(void*))
        found.room *= 2
    found.items[found.count] = entry
    found.count += 1
    return 0


cdef Option[6] SCAN_OPTIONS = [
    Option(b"MATCH", OPT_TEXT, SCAN_MATCH, 0, NULL),
    Option(b"COUNT", OPT_INT, SCAN_COUNT, 0, scan_read_count),
    Option(b"NOVALUES", OPT_FLAG, SCAN_NOVALUES, 0, NULL),
    Option(b"NOSCORES", OPT_FLAG, SCAN_NOSCORES, 0, NULL),
    Option(b"TYPE", OPT_TEXT, SCAN_TYPE, 0, NULL),
    Option(NULL, OPT_FLAG, 0, 0, NULL),
]


cdef bint scan_read_count(Client c, int index, int64_t* count) except -1:
    if not get_int_or_reply(c, index, count):
        return False
    if count[0] < 1:
        c.error(ERR_SYNTAX)
    return count[0] >= 1


cdef bint scan_options_or_reply(Client c, int first, ScanCall* s) except -1:
    """Read the options from argv[first] on; s.e says of what."""
    cdef Options given
    cdef int kind = entry_type(s.e) if s.e is not NULL else -1

    # SSCAN, HSCAN and ZSCAN have no TYPE.
    if not parse_options_or_reply(c, first, SCAN_OPTIONS, ALL_OPTIONS if s.e is NULL else ~SCAN_TYPE, &given):
        return False
    s.count = option_number(&given, SCAN_COUNT) or DEFAULT_COUNT
    s.flags = given.flags
    s.pattern = option_text(&given, SCAN_MATCH)
    s.type_wanted = option_text(&given, SCAN_TYPE)
    if s.pattern is not NULL and matches_all(s.pattern):
        s.pattern = NULL
    if given.flags & SCAN_NOVALUES and kind != TYPE_HASH:
        c.error(ERR_NOVALUES)
        return False
    if given.flags & SCAN_NOSCORES and kind != TYPE_ZSET:
        c.error(ERR_NOSCORES)
        return False
    return True


cdef bint scan_cursor_or_reply(Client c, int index, ScanCall* s) except -1:
    if parse_uint64(c.argv[index].ptr, c.argv[index].size, &s.cursor):
        return True
    c.error(ERR_CURSOR)
    return False


cdef int cmd_scan(Client c) except -1:
    """SCAN cursor [MATCH pattern] [COUNT count] [TYPE type] -> [next cursor, [key, ...]].

    The walk begins with cursor 0 and is over when the next cursor is 0. What is there all the time is
    returned, some of it perhaps twice. Expired keys that pass MATCH and TYPE are removed. A type that
    there is not has no keys. Cost: O(COUNT); COUNT is a wish, 10 by default.
    Errors: invalid cursor; COUNT below 1.
    Source: https://redis.io/commands/scan
    """
    cdef ScanCall s
    cdef Found found
    cdef uint64_t cursor
    cdef Entry* e
    cdef size_t i

    s.e = NULL
    if not scan_cursor_or_reply(c, 1, &s) or not scan_options_or_reply(c, 2, &s):
        return 0
    found_init(&found, &c.core.memory)
    try:
        cursor = walk(c.db, NULL, &s, &found)
        keep_matching(c.db, &s, &found)
        reply_cursor(c, cursor)
        c.reply_array(found.count)
        for i in range(found.count):
            e = <Entry*>found.items[i]
            c.reply_bulk(entry_key(e), e.key_size)
    finally:
        found_free(&found)
    return 0

declare(
    b"scan", native(cmd_scan), arity=-2, flags=READONLY | TOUCHES_ARBITRARY_KEYS, since="2.8.0",
    tips=("nondeterministic_output", "request_policy:special", "response_policy:special"),
    complexity="O(1) for each call, O(N) for the whole walk, where N is the number of keys in the database",
    summary="Walks through the keys of the database, some at a call.",
    args="cursor:integer [MATCH pattern:pattern] [COUNT count:integer] [TYPE type@6.0.0]",
    history=(("6.0.0", "Option `TYPE`."),),
)


cdef uint64_t walk(Database db, Table* t, const ScanCall* s, Found* found) except? 0xFFFFFFFFFFFFFFFF:
    """Collect entries of a database, or else a table, from the cursor on until there are `count`.

    Returns the cursor to go on with.
    """
    cdef int64_t buckets = min(s.count, INT64_MAX // BUCKETS_PER_COUNT) * BUCKETS_PER_COUNT
    cdef uint64_t cursor = s.cursor

    while True:
        cursor = db.scan(cursor, note_found, found) if db is not None else table_scan(t, cursor, note_found, found)
        if cursor == 0 or buckets == 0 or <int64_t>found.count >= s.count:
            return cursor
        buckets -= 1


cdef int keep_matching(Database db, const ScanCall* s, Found* found) except -1:
    """Drop what does not match and what has expired, which is removed from the database."""
    cdef size_t i, kept = 0
    cdef Entry* e

    for i in range(found.count):
        if i + PREFETCH_ENTRIES < found.count:
            prefetch(found.items[i + PREFETCH_ENTRIES])
        e = <Entry*>found.items[i]
        if s.type_wanted is not NULL and not arg_is(s.type_wanted, type_name(e)):
            continue
        if not scan_matches(s, entry_key(e), e.key_size):
            continue
        if is_gone(db, e):
            if db.core.expire_on_access:
                db.expire_entry(e)
            continue
        found.items[kept] = e
        kept += 1
    found.count = kept
    return 0


cdef int reply_cursor(Client c, uint64_t cursor) except -1:
    """The first of a scan's two answers."""
    cdef char[INT64_TEXT] digits

    c.reply_array(2)
    return c.reply_bulk(digits, format_uint64(digits, cursor))


# ---------------------------------------------------------------- for SSCAN, HSCAN, ZSCAN

cdef bint scan_value_or_reply(Client c, int kind, ScanCall* s) except -1:
    """XSCAN key cursor [option ...]: look the value up and read the arguments; False: all is replied."""
    if not scan_cursor_or_reply(c, 2, s):
        return False
    s.e = c.db.lookup_read(&c.argv[1])
    if s.e is NULL:
        c.out.end_array(scan_whole(c), 0)
        return False
    return c.has_type(s.e, kind) and scan_options_or_reply(c, 3, s)


cdef size_t scan_whole(Client c) except? 0xFFFFFFFFFFFFFFFF:
    """Begin the reply of a value that is walked through in one step; the mark for end_array()."""
    reply_cursor(c, 0)
    return c.out.begin()


cdef int scan_table(Client c, ScanCall* s, Table* t, ScanReply reply) except -1:
    """Reply one step of the walk through a table. reply() may not change the table."""
    cdef Found found
    cdef const char* text
    cdef size_t size, i, mark
    cdef int64_t items = 0

    found_init(&found, &c.core.memory)
    try:
        reply_cursor(c, walk(None, t, s, &found))
        mark = c.out.begin()
        for i in range(found.count):
            if i + PREFETCH_ENTRIES < found.count:
                prefetch(found.items[i + PREFETCH_ENTRIES])
            t.key_of(found.items[i], &text, &size)
            if scan_matches(s, text, size):
                items += reply(c, s, found.items[i])
        return c.out.end_array(mark, items)
    finally:
        found_free(&found)


cdef int cmd_randomkey(Client c) except -1:
    """RANDOMKEY -> a key, or nil when the database is empty.

    Source: https://redis.io/commands/randomkey
    """
    cdef Entry* e = c.db.random()

    return c.reply_null() if e is NULL else c.reply_bulk(entry_key(e), e.key_size)

declare(
    b"randomkey", native(cmd_randomkey), arity=1, flags=READONLY | TOUCHES_ARBITRARY_KEYS, since="1.0.0",
    tips=("nondeterministic_output", "request_policy:all_shards", "response_policy:special"),
    complexity="O(1)",
    summary="Returns any one key of the database.",
)
