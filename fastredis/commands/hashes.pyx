"""Commands on hashes, but for those of field TTLs (hash_expiry). hashes.pxd says what becomes of expired fields."""
from libc.float cimport LDBL_MAX
from libc.stdint cimport INT64_MAX, INT64_MIN, uint8_t, uint64_t

from fastredis._resp cimport arg_bytes, arg_hash
from fastredis.commands.deadlines cimport wrong_arity
from fastredis.commands.scan cimport SCAN_NOVALUES, ScanCall, scan_matches, scan_table, scan_value_or_reply, scan_whole
from fastredis.ds.alloc cimport Account, mem_alloc, mem_free
from fastredis.ds.numbers cimport (
    INT64_TEXT, LONG_DOUBLE_TEXT, format_int64, format_long_double, parse_int64, parse_long_double,
)
from fastredis.ds.random cimport random_below
from fastredis.engine.command cimport native
from fastredis.engine.core cimport NOTIFY_HASH
from fastredis.engine.errors cimport (
    ERR_HASH_NOT_FLOAT, ERR_HASH_NOT_INTEGER, ERR_INFINITE, ERR_LONG_RANGE, ERR_NAN, ERR_NOT_FLOAT, ERR_OUT_OF_RANGE,
    ERR_OVERFLOW, ERR_SYNTAX,
)
from fastredis.engine.flags cimport DENYOOM, FAST, READONLY, WRITE
from fastredis.engine.options cimport arg_is, get_int_or_reply
from fastredis.values.entry cimport ENC_HASHTABLE, TYPE_HASH, entry_encoding
from fastredis.values.hash_type cimport (
    HashIter, hash_at_block, hash_count, hash_delete, hash_expect, hash_iter, hash_iter_end, hash_new, hash_next,
    hash_random, hash_set, hash_table,
)
from fastredis.values.timed cimport NO_DEADLINE

from fastredis.engine.command import declarer
from fastredis.engine.declarations import key_at

declare = declarer("hash")

cdef enum:
    ALL_FIELDS = 1              # what HKEYS, HVALS, HGETALL reply of each field
    ALL_VALUES = 2
    DRAW_RATIO = 16             # HRANDFIELD of more than a sixteenth of a table walks through it


# ---------------------------------------------------------------- shared pieces

cdef bint remove_due(Client c, Entry* e, int first, int last, int step, bint anew) except -1:
    """Remove those of the fields argv[first..last] whose time has come, and tell. Whether the key went with them.

    anew: the command is about to make the key again.
    """
    cdef FieldValue found
    cdef Arg* field
    cdef list names = [] if c.propagates() else None
    cdef uint64_t count = 0
    cdef int i = first

    if not c.core.expire_on_access:
        return False
    try:
        while i <= last:
            field = &c.argv[i]
            i += step
            if find_field(e, field, &found) and is_due(c, found.when_ms):
                hash_delete(&c.core.memory, e, field.ptr, field.size, field.hash)
                count += 1
                if names is not None:
                    names.append(arg_bytes(field))
        return c.db.parts_gone(e, names, count, anew) if count else False
    except Exception:
        c.engine.fatal("Fields that expired could not be told")


cdef Entry* find_to_change(Client c, Entry* e, int index, FieldValue* found, bint* there) except? NULL:
    """Look argv[index] up in a hash (NULL: no key) that it will be set in; if its time has come, it is removed.

    Returns the hash, NULL if it went with the field. there: whether `found` has the field.
    """
    there[0] = e is not NULL and find_field(e, &c.argv[index], found)
    if there[0] and is_due(c, found.when_ms) and c.core.expire_on_access:
        there[0] = False
        if remove_due(c, e, index, index, 1, True):
            return NULL
    return e


cdef int64_t set_fields(Client c, Entry* e, int first, bint keep_ttl) except -1:
    """Set the pairs from argv[first] on; how many fields are new."""
    cdef Arg* argv = c.argv
    cdef int64_t added = 0
    cdef int i

    for i in range(first, c.argc, 2):
        added += hash_set(&c.core.memory, &c.core.limits, e, argv[i].ptr, argv[i].size, argv[i].hash,
                          argv[i + 1].ptr, argv[i + 1].size, keep_ttl)
    return added


cdef int64_t set_pairs(Client c, Entry* e, int first, bint keep_ttl) except -1:
    """Set the pairs from argv[first] on in the hash argv[1], which is made if e is NULL; how many fields are new."""
    cdef Arg* key = &c.argv[1]
    cdef uint64_t pairs = (c.argc - first) // 2
    cdef int64_t added

    if e is not NULL:
        hash_expect(&c.core.memory, &c.core.limits, e, pairs)
        added = set_fields(c, e, first, keep_ttl)
        retrack(c, e)
        return added
    e = hash_new(&c.core.memory, key.ptr, key.size)
    hash_expect(&c.core.memory, &c.core.limits, e, pairs)
    added = set_fields(c, e, first, False)
    c.db.add(e, arg_hash(key))
    return added


cdef int set_counter(Client c, Entry* e, const char* text, size_t size) except -1:
    """Set the field argv[2] to what was counted; it keeps its deadline. The hash is made if e is NULL."""
    cdef Arg* key = &c.argv[1]
    cdef Arg* field = &c.argv[2]
    cdef bint fresh = e is NULL

    if fresh:
        e = hash_new(&c.core.memory, key.ptr, key.size)
    hash_set(&c.core.memory, &c.core.limits, e, field.ptr, field.size, field.hash, text, size, True)
    if fresh:
        c.db.add(e, arg_hash(key))
    return 0


# ---------------------------------------------------------------- set

cdef bint hset(Client c, int64_t* added) except -1:
    """HSET and HMSET but for the reply; False: an error is replied."""
    cdef Entry* e

    if c.argc % 2:
        return wrong_arity(c)
    e = c.db.lookup_write(&c.argv[1])
    if not c.has_type(e, TYPE_HASH):
        return False
    added[0] = set_pairs(c, e, 2, False)
    c.modified(&c.argv[1], NOTIFY_HASH, b"hset", (c.argc - 2) // 2)
    return True


cdef int cmd_hset(Client c) except -1:
    """HSET key field value [field value ...] -> integer: how many fields are new. They lose their TTLs.

    Cost: O(1) a field; O(n) while the hash is a listpack.
    Errors: WRONGTYPE; a field without a value.
    Source: https://redis.io/commands/hset
    """
    cdef int64_t added

    return c.reply_int(added) if hset(c, &added) else 0

declare(
    b"hset", native(cmd_hset), arity=-4, flags=WRITE | DENYOOM | FAST, keys=key_at(1, "RW update"), since="2.0.0",
    members=(2, 2),
    complexity="O(1) for each field",
    summary="Sets fields of a hash; creates the key if there is none.",
    args="key data={field value}...",
    history=(("4.0.0", "Takes several pairs."),),
)


cdef int cmd_hmset(Client c) except -1:
    """HMSET key field value [field value ...] -> OK: as HSET. Source: https://redis.io/commands/hmset"""
    cdef int64_t added

    return c.reply_ok() if hset(c, &added) else 0

declare(
    b"hmset", native(cmd_hmset), arity=-4, flags=WRITE | DENYOOM | FAST, keys=key_at(1, "RW update"), since="2.0.0",
    members=(2, 2),
    complexity="O(1) for each field",
    summary="Sets fields of a hash.",
    args="key data={field value}...",
    doc_flags=("deprecated",), deprecated_since="4.0.0", replaced_by="`HSET` with several pairs",
)


cdef int cmd_hsetnx(Client c) except -1:
    """HSETNX key field value -> integer: 1, or 0 when the field exists. Source: https://redis.io/commands/hsetnx"""
    cdef Entry* e = c.db.lookup_write(&c.argv[1])
    cdef FieldValue found
    cdef bint there

    if not c.has_type(e, TYPE_HASH):
        return 0
    e = find_to_change(c, e, 2, &found, &there)
    if there:
        return c.reply_int(0)
    set_pairs(c, e, 2, False)
    c.modified(&c.argv[1], NOTIFY_HASH, b"hset")
    return c.reply_int(1)

declare(
    b"hsetnx", native(cmd_hsetnx), arity=4, flags=WRITE | DENYOOM | FAST, keys=key_at(1, "RW insert"), since="2.0.0",
    members=(2, 2),
    complexity="O(1)",
    summary="Sets a field of a hash, unless it exists.",
    args="key field value",
)


# ---------------------------------------------------------------- get

cdef int reply_field(Client c, Entry* e, Arg* field) except -1:
    """Reply the value, or null. Returns 1 if the field is there but due."""
    cdef FieldValue found

    if e is NULL or not find_field(e, field, &found):
        c.reply_null()
        return 0
    if is_due(c, found.when_ms):
        c.reply_null()
        return 1
    c.reply_bulk(found.text, found.size)
    return 0


cdef int cmd_hget(Client c) except -1:
    """HGET key field -> the value, or nil. Source: https://redis.io/commands/hget"""
    cdef Entry* e = c.db.lookup_read(&c.argv[1])

    if not c.has_type(e, TYPE_HASH):
        return 0
    if reply_field(c, e, &c.argv[2]):
        remove_due(c, e, 2, 2, 1, False)
    return 0

declare(
    b"hget", native(cmd_hget), arity=3, flags=READONLY | FAST, keys=key_at(1, "RO access"), since="2.0.0",
    members=(2, 1),
    complexity="O(1)",
    summary="Returns the value of a field of a hash.",
    args="key field",
)


cdef int cmd_hmget(Client c) except -1:
    """HMGET key field [field ...] -> array: the values, nil for those that are not there.

    Source: https://redis.io/commands/hmget
    """
    cdef Entry* e = c.db.lookup_read(&c.argv[1])
    cdef int due = 0
    cdef int i

    if not c.has_type(e, TYPE_HASH):
        return 0
    c.reply_array(c.argc - 2)
    for i in range(2, c.argc):
        due += reply_field(c, e, &c.argv[i])
    if due:
        remove_due(c, e, 2, c.argc - 1, 1, False)
    return 0

declare(
    b"hmget", native(cmd_hmget), arity=-3, flags=READONLY | FAST, keys=key_at(1, "RO access"), since="2.0.0",
    members=(2, 1),
    complexity="O(N) where N is the number of fields asked for",
    summary="Returns the values of fields of a hash.",
    args="key field...",
)


cdef bint field_or_reply(Client c, FieldValue* found) except -1:
    """Find the field argv[2] of the hash argv[1]; False: it is not there, and 0 or WRONGTYPE is replied."""
    cdef Entry* e = c.db.lookup_read(&c.argv[1])

    if not c.has_type(e, TYPE_HASH):
        return False
    if e is not NULL and find_field(e, &c.argv[2], found):
        if not is_due(c, found.when_ms):
            return True
        remove_due(c, e, 2, 2, 1, False)
    c.reply_int(0)
    return False


cdef int cmd_hstrlen(Client c) except -1:
    """HSTRLEN key field -> integer: bytes of the value; 0 for none. Source: https://redis.io/commands/hstrlen"""
    cdef FieldValue found

    return c.reply_int(found.size) if field_or_reply(c, &found) else 0

declare(
    b"hstrlen", native(cmd_hstrlen), arity=3, flags=READONLY | FAST, keys=key_at(1, "RO"), since="3.2.0",
    members=(2, 1),
    complexity="O(1)",
    summary="Returns the length of the value of a field of a hash.",
    args="key field",
)


cdef int cmd_hexists(Client c) except -1:
    """HEXISTS key field -> integer: 1, or 0. Source: https://redis.io/commands/hexists"""
    cdef FieldValue found

    return c.reply_int(1) if field_or_reply(c, &found) else 0

declare(
    b"hexists", native(cmd_hexists), arity=3, flags=READONLY | FAST, keys=key_at(1, "RO"), since="2.0.0",
    members=(2, 1),
    complexity="O(1)",
    summary="Tells whether a hash has a field.",
    args="key field",
)


cdef int cmd_hlen(Client c) except -1:
    """HLEN key -> integer: the fields, with those whose time has come but that are still there.

    Source: https://redis.io/commands/hlen
    """
    cdef Entry* e = c.db.lookup_read(&c.argv[1])

    if not c.has_type(e, TYPE_HASH):
        return 0
    return c.reply_int(hash_count(e) if e is not NULL else 0)

declare(
    b"hlen", native(cmd_hlen), arity=2, flags=READONLY | FAST, keys=key_at(1, "RO"), since="2.0.0",
    complexity="O(1)",
    summary="Counts the fields of a hash.",
    args="key",
)


# ---------------------------------------------------------------- delete

cdef int cmd_hdel(Client c) except -1:
    """HDEL key field [field ...] -> integer: how many were there. The key of an empty hash goes.

    Source: https://redis.io/commands/hdel
    """
    cdef Entry* e = c.db.lookup_write(&c.argv[1])
    cdef int64_t deleted = 0
    cdef int i

    if not c.has_type(e, TYPE_HASH):
        return 0
    if e is NULL:
        return c.reply_int(0)
    for i in range(2, c.argc):
        deleted += hash_delete(&c.core.memory, e, c.argv[i].ptr, c.argv[i].size, c.argv[i].hash)
    if deleted:
        retrack(c, e)
        c.modified(&c.argv[1], NOTIFY_HASH, b"hdel", deleted)
        c.drop_empty(&c.argv[1], e)
    return c.reply_int(deleted)

declare(
    b"hdel", native(cmd_hdel), arity=-3, flags=WRITE | FAST, keys=key_at(1, "RW delete"), since="2.0.0",
    members=(2, 1),
    complexity="O(N) where N is the number of fields to delete",
    summary="Deletes fields of a hash; the key goes with the last one.",
    args="key field...",
    history=(("2.4.0", "Takes several fields."),),
)


# ---------------------------------------------------------------- counters

cdef int cmd_hincrby(Client c) except -1:
    """HINCRBY key field increment -> integer: the value afterwards. A missing field counts as 0; the TTL is kept.

    Errors: WRONGTYPE; not an integer; signed 64-bit overflow.
    Source: https://redis.io/commands/hincrby
    """
    cdef Entry* e
    cdef FieldValue found
    cdef char[INT64_TEXT] text
    cdef int64_t increment
    cdef int64_t value = 0
    cdef bint there

    if not get_int_or_reply(c, 3, &increment):
        return 0
    e = c.db.lookup_write(&c.argv[1])
    if not c.has_type(e, TYPE_HASH):
        return 0
    e = find_to_change(c, e, 2, &found, &there)
    if there and not parse_int64(found.text, found.size, &value):
        return c.error(ERR_HASH_NOT_INTEGER)
    if value > INT64_MAX - increment if increment > 0 else value < INT64_MIN - increment:
        return c.error(ERR_OVERFLOW)
    set_counter(c, e, text, format_int64(text, value + increment))
    c.modified(&c.argv[1], NOTIFY_HASH, b"hincrby")
    return c.reply_int(value + increment)

declare(
    b"hincrby", native(cmd_hincrby), arity=4, flags=WRITE | DENYOOM | FAST, keys=key_at(1, "RW access update"),
    since="2.0.0", members=(2, 2),
    complexity="O(1)",
    summary="Adds to the integer in a field of a hash; a missing field counts as 0.",
    args="key field increment:integer",
)


cdef bint is_finite(long double value) noexcept:
    return -LDBL_MAX <= value <= LDBL_MAX


cdef int cmd_hincrbyfloat(Client c) except -1:
    """HINCRBYFLOAT key field increment -> the sum as text, up to 17 decimals. The TTL is kept.

    Counts in long double. Propagated as HSET, and HPEXPIREAT for a field with a TTL, which HSET takes away.
    Errors: WRONGTYPE; not a float; increment or sum not finite.
    Source: https://redis.io/commands/hincrbyfloat
    """
    cdef Arg* key = &c.argv[1]
    cdef Entry* e
    cdef FieldValue found
    cdef char[LONG_DOUBLE_TEXT] text
    cdef long double increment
    cdef long double value = 0
    cdef bint there
    cdef int size

    if not parse_long_double(c.argv[3].ptr, c.argv[3].size, &increment):
        return c.error(ERR_NOT_FLOAT)
    if not is_finite(increment):
        return c.error(ERR_INFINITE)
    e = c.db.lookup_write(key)
    if not c.has_type(e, TYPE_HASH):
        return 0
    e = find_to_change(c, e, 2, &found, &there)
    if there and not parse_long_double(found.text, found.size, &value):
        return c.error(ERR_HASH_NOT_FLOAT)
    if not is_finite(value + increment):
        return c.error(ERR_NAN)
    size = format_long_double(text, value + increment, True)
    set_counter(c, e, text, size)
    c.modified(key, NOTIFY_HASH, b"hincrbyfloat")
    if c.propagates():
        c.effect([b"HSET", arg_bytes(key), arg_bytes(&c.argv[2]), text[:size]])
        if there and found.when_ms != NO_DEADLINE:
            c.effect([b"HPEXPIREAT", arg_bytes(key), b"%d" % found.when_ms, b"FIELDS", b"1", arg_bytes(&c.argv[2])])
    return c.reply_bulk(text, size)

declare(
    b"hincrbyfloat", native(cmd_hincrbyfloat), arity=4, flags=WRITE | DENYOOM | FAST,
    keys=key_at(1, "RW access update"), since="2.6.0", members=(2, 2),
    complexity="O(1)",
    summary="Adds a number to the floating-point number in a field of a hash; a missing field counts as 0.",
    args="key field increment:double",
)


# ---------------------------------------------------------------- all fields

cdef int64_t reply_live(Client c, Entry* e, int what) except -1:
    """Reply those fields, or values, or both, that are not due; how many fields that were."""
    cdef HashIter it
    cdef int64_t fields = 0

    hash_iter(&it, e)
    try:
        while hash_next(&it):
            if is_due(c, it.when_ms):
                continue
            if what & ALL_FIELDS:
                c.reply_bulk(it.field, it.field_size)
            if what & ALL_VALUES:
                c.reply_bulk(it.value, it.value_size)
            fields += 1
    finally:
        hash_iter_end(&it)
    return fields


cdef int reply_all(Client c, int what) except -1:
    """HKEYS, HVALS, HGETALL."""
    cdef Entry* e = c.db.lookup_read(&c.argv[1])
    cdef bint pairs = what == ALL_FIELDS | ALL_VALUES
    cdef int64_t count
    cdef size_t mark

    if not c.has_type(e, TYPE_HASH):
        return 0
    if e is not NULL and has_due(c, e):
        mark = c.out.begin()
        count = reply_live(c, e, what)
        return c.out.end_map(mark, count) if pairs else c.out.end_array(mark, count)
    count = hash_count(e) if e is not NULL else 0
    if pairs:
        c.reply_map(count)
    else:
        c.reply_array(count)
    if count:
        reply_live(c, e, what)
    return 0


cdef int cmd_hgetall(Client c) except -1:
    """HGETALL key -> map: fields and values. Source: https://redis.io/commands/hgetall"""
    return reply_all(c, ALL_FIELDS | ALL_VALUES)

declare(
    b"hgetall", native(cmd_hgetall), arity=2, flags=READONLY, keys=key_at(1, "RO access"), since="2.0.0",
    tips=("nondeterministic_output_order",),
    complexity="O(N) where N is the number of fields",
    summary="Returns all fields of a hash and their values.",
    args="key",
)


cdef int cmd_hkeys(Client c) except -1:
    """HKEYS key -> array: the fields. Source: https://redis.io/commands/hkeys"""
    return reply_all(c, ALL_FIELDS)

declare(
    b"hkeys", native(cmd_hkeys), arity=2, flags=READONLY, keys=key_at(1, "RO access"), since="2.0.0",
    tips=("nondeterministic_output_order",),
    complexity="O(N) where N is the number of fields",
    summary="Returns all fields of a hash.",
    args="key",
)


cdef int cmd_hvals(Client c) except -1:
    """HVALS key -> array: the values. Source: https://redis.io/commands/hvals"""
    return reply_all(c, ALL_VALUES)

declare(
    b"hvals", native(cmd_hvals), arity=2, flags=READONLY, keys=key_at(1, "RO access"), since="2.0.0",
    tips=("nondeterministic_output_order",),
    complexity="O(N) where N is the number of fields",
    summary="Returns all values of a hash.",
    args="key",
)


# ---------------------------------------------------------------- HSCAN

cdef int64_t scan_field(Client c, ScanCall* s, void* block) except -1:
    """ScanReply."""
    cdef HashIter at

    hash_at_block(s.e, <uint8_t*>block, &at)
    return reply_scanned(c, s, &at)


cdef int64_t reply_scanned(Client c, ScanCall* s, const HashIter* at) except -1:
    """Reply a field, and its value if wanted, unless it is due; how many items that were."""
    if is_due(c, at.when_ms):
        return 0
    c.reply_bulk(at.field, at.field_size)
    if s.flags & SCAN_NOVALUES:
        return 1
    c.reply_bulk(at.value, at.value_size)
    return 2


cdef int cmd_hscan(Client c) except -1:
    """HSCAN key cursor [MATCH pattern] [COUNT count] [NOVALUES] -> [next cursor, [field, value, ...]].

    A small hash comes whole, whatever COUNT says. See SCAN.
    Errors: WRONGTYPE; invalid cursor; COUNT below 1.
    Source: https://redis.io/commands/hscan
    """
    cdef ScanCall s
    cdef HashIter it
    cdef int64_t items = 0
    cdef size_t mark

    if not scan_value_or_reply(c, TYPE_HASH, &s):
        return 0
    if entry_encoding(s.e) == ENC_HASHTABLE:
        return scan_table(c, &s, &hash_table(s.e).fields, scan_field)
    mark = scan_whole(c)
    hash_iter(&it, s.e)
    while hash_next(&it):
        if scan_matches(&s, it.field, it.field_size):
            items += reply_scanned(c, &s, &it)
    return c.out.end_array(mark, items)

declare(
    b"hscan", native(cmd_hscan), arity=-3, flags=READONLY, keys=key_at(1, "RO access"), since="2.8.0",
    tips=("nondeterministic_output",),
    complexity="O(1) for each call, O(N) for the whole walk, where N is the number of fields",
    summary="Walks through the fields of a hash, some at a call.",
    args="key cursor:integer [MATCH pattern:pattern] [COUNT count:integer] [NOVALUES]",
)


# ---------------------------------------------------------------- HRANDFIELD

cdef int cmd_hrandfield(Client c) except -1:
    """HRANDFIELD key [count [WITHVALUES]] -> a field, or nil; with a count: array, of pairs in RESP3 WITHVALUES.

    count >= 0: so many different fields, or all; negative: so many, each of all fields anew. Fields whose
    time has come are removed first.
    Cost: O(1) a field; with a count of more than a sixteenth of the hash O(fields of the hash).
    Errors: count is not an integer or out of range; other arguments.
    Source: https://redis.io/commands/hrandfield
    """
    cdef HashIter at
    cdef Entry* e
    cdef int64_t count = 0

    if c.argc >= 3 and not get_int_or_reply(c, 2, &count):
        return 0
    if count == INT64_MIN:
        return c.error(ERR_LONG_RANGE)
    if c.argc > 4 or (c.argc == 4 and not arg_is(&c.argv[3], b"WITHVALUES")):
        return c.error(ERR_SYNTAX)
    if c.argc == 4 and not -INT64_MAX // 2 <= count <= INT64_MAX // 2:
        return c.error(ERR_OUT_OF_RANGE)
    e = c.db.lookup_read(&c.argv[1])
    if not c.has_type(e, TYPE_HASH):
        return 0
    if e is not NULL and has_due(c, e) and c.core.expire_on_access and c.db.expire_parts(e, INT64_MAX):
        e = NULL
    if c.argc > 2:
        return reply_random(c, e, count, c.argc == 4)
    if e is NULL or live_count(c, e) == 0:
        return c.reply_null()
    draw(c, e, &at)
    return c.reply_bulk(at.field, at.field_size)

declare(
    b"hrandfield", native(cmd_hrandfield), arity=-2, flags=READONLY, keys=key_at(1, "RO access"), since="6.2.0",
    tips=("nondeterministic_output",),
    complexity="O(1) without a count, else O(N) where N is the absolute value of the count",
    summary="Returns one or several fields of a hash, by chance.",
    args="key [options={count:integer [WITHVALUES]}]",
)


cdef uint64_t live_count(Client c, Entry* e) noexcept:
    """Fields that are not due: only where these may not be removed is that not just the count."""
    cdef HashIter it
    cdef uint64_t live = 0

    if not has_due(c, e):
        return hash_count(e)
    hash_iter(&it, e)
    while hash_next(&it):
        live += not is_due(c, it.when_ms)
    hash_iter_end(&it)
    return live


cdef int draw(Client c, Entry* e, HashIter* at) noexcept:
    """Any field that is not due; there is one."""
    hash_random(e, &c.core.random, at)
    while is_due(c, at.when_ms):
        hash_random(e, &c.core.random, at)
    return 0


cdef int reply_drawn(Client c, const HashIter* at, bint values) except -1:
    if values and c.out.resp == 3:
        c.reply_array(2)
    c.reply_bulk(at.field, at.field_size)
    return c.reply_bulk(at.value, at.value_size) if values else 0


cdef int reply_random(Client c, Entry* e, int64_t count, bint values) except -1:
    cdef uint64_t wanted = count if count >= 0 else -count
    cdef uint64_t size = live_count(c, e) if e is not NULL else 0

    if size == 0:
        wanted = 0
    elif count > 0:
        wanted = min(wanted, size)
    c.reply_array(wanted * 2 if values and c.out.resp == 2 else wanted)
    if count > 0 and wanted > 1:
        if entry_encoding(e) == ENC_HASHTABLE and wanted < size // DRAW_RATIO:
            return reply_distinct(c, e, wanted, values)
        return reply_choice(c, e, wanted, size, values)
    return reply_repeated(c, e, wanted, size, values)


cdef int reply_repeated(Client c, Entry* e, uint64_t wanted, uint64_t size, bint values) except -1:
    """Fields drawn one by one, until the output is too much. The places in a listpack are looked up once.

    size: how many fields are not due.
    """
    cdef Account* account = &c.core.memory
    cdef const uint8_t** places
    cdef const uint8_t* place
    cdef uint64_t i = 0
    cdef HashIter at

    if wanted <= 1 or entry_encoding(e) == ENC_HASHTABLE:
        while wanted and not c.out.over:
            draw(c, e, &at)
            reply_drawn(c, &at, values)
            wanted -= 1
        return 0
    places = <const uint8_t**>mem_alloc(account, size * sizeof(uint8_t*))
    try:
        hash_iter(&at, e)
        while i < size:
            place = at.p
            hash_next(&at)
            if not is_due(c, at.when_ms):
                places[i] = place
                i += 1
        while wanted and not c.out.over:
            at.p = places[random_below(&c.core.random, size)]
            hash_next(&at)
            reply_drawn(c, &at, values)
            wanted -= 1
    finally:
        mem_free(account, places, size * sizeof(uint8_t*))
    return 0


cdef int reply_choice(Client c, Entry* e, uint64_t wanted, uint64_t size, bint values) except -1:
    """Different fields, of `size` that are not due, chosen on a walk through all."""
    cdef HashIter it

    hash_iter(&it, e)
    try:
        while wanted and hash_next(&it):
            if is_due(c, it.when_ms):
                continue
            if random_below(&c.core.random, size) < wanted:
                reply_drawn(c, &it, values)
                wanted -= 1
            size -= 1
    finally:
        hash_iter_end(&it)
    return 0


cdef int reply_distinct(Client c, Entry* e, uint64_t wanted, bint values) except -1:
    """Few fields of a large table: drawn, those that came before are left out."""
    cdef set seen = set()
    cdef HashIter at

    while <uint64_t>len(seen) < wanted:
        draw(c, e, &at)
        if <size_t>at.field not in seen:
            seen.add(<size_t>at.field)
            reply_drawn(c, &at, values)
    return 0
