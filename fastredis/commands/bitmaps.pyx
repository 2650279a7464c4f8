"""Bitmap commands: single bits, counting, searching, combining, and BITFIELD's integers of any width."""
from libc.stdint cimport INT64_MAX, int64_t, uint64_t
from libc.string cimport memset

from fastredis._resp cimport Arg, arg_hash
from fastredis.commands.strings cimport string_room_or_reply
from fastredis.ds.alloc cimport Account, mem_alloc, mem_free
from fastredis.ds.bits cimport (
    BIT_AND, BIT_ANDOR, BIT_DIFF, BIT_DIFF1, BIT_NOT, BIT_ONE, BIT_OR, BIT_XOR, OVERFLOW_FAIL, OVERFLOW_SAT,
    OVERFLOW_WRAP, BitOp, BitString, Overflow, bit_get, bit_set, bits_combine, bits_count, bits_find, field_add,
    field_get, field_set,
)
from fastredis.ds.numbers cimport INT64_TEXT, parse_int64
from fastredis.engine.client cimport Client
from fastredis.engine.command cimport native
from fastredis.engine.core cimport NOTIFY_GENERIC, NOTIFY_STRING
from fastredis.engine.errors cimport (
    ERR_BIT_OFFSET, ERR_BIT_SOUGHT, ERR_BIT_VALUE, ERR_BITOP_ANDOR, ERR_BITOP_DIFF, ERR_BITOP_DIFF1, ERR_BITOP_NOT,
    ERR_FIELD_OVERFLOW, ERR_FIELD_READONLY, ERR_FIELD_TYPE, ERR_SYNTAX,
)
from fastredis.engine.flags cimport DENYOOM, FAST, READONLY, WRITE
from fastredis.engine.keys cimport KEY_ACCESS, KEY_RO, KEY_RW, KEY_UPDATE, KeyList, key_add, key_finder
from fastredis.engine.options cimport (
    arg_is, get_int_or_reply, get_int_or_reply_text, get_memory_or_reply, get_range_or_reply,
)
from fastredis.values.entry cimport ENC_RAW, Entry, entry_encoding
from fastredis.values.string_type cimport Raw, entry_raw, raw_data, string_new_raw, string_view

from fastredis.engine.command import declarer
from fastredis.engine.declarations import key_at, key_range

declare = declarer("bitmap")

cdef extern from "<string.h>" nogil:
    size_t strnlen(const char* s, size_t most)


# --- single bits --------------------------------------------------------------------------

cdef bint offset_or_reply(Client c, int index, int width, uint64_t* offset) except -1:
    """A bit offset from argv[index]; with a width, `#n` stands for n times the width."""
    cdef const char* text = c.argv[index].ptr
    cdef size_t size = c.argv[index].size
    cdef bint counts_fields = width != 0 and size > 0 and text[0] == c'#'
    cdef int64_t value

    if parse_int64(text + counts_fields, size - counts_fields, &value) and 0 <= value <= INT64_MAX // 64:
        if counts_fields:
            value *= width
        if value >> 3 < c.core.max_bulk:
            offset[0] = value
            return True
    c.error(ERR_BIT_OFFSET)
    return False


cdef Raw* raw_up_to(Client c, Entry* e, uint64_t bit, bint* grown) except NULL:
    """argv[1]'s string, made changeable and long enough to have that bit; a missing key is created.

    grown: whether it became longer. New bytes are zero.
    """
    cdef Arg* key = &c.argv[1]
    cdef size_t size = (bit >> 3) + 1
    cdef char[INT64_TEXT] scratch
    cdef size_t old_size

    if e is NULL:
        e = string_new_raw(&c.core.memory, key.ptr, key.size, size)
        memset(raw_data(entry_raw(e)), 0, size)
        c.db.add(e, arg_hash(key))
        grown[0] = True
        return entry_raw(e)
    string_view(e, scratch, &old_size)
    grown[0] = old_size < size
    if grown[0] or entry_encoding(e) != ENC_RAW:
        e = c.db.to_raw(key, e, size if grown[0] else old_size)
    return entry_raw(e)


cdef int cmd_setbit(Client c) except -1:
    """SETBIT key offset value -> integer: what the bit was.

    The string grows with zeros to hold the bit; a missing key is created. The TTL is kept.
    Setting a bit to what it is changes nothing, unless the string grows.
    Errors: WRONGTYPE; offset not an integer, negative or beyond proto-max-bulk-len; value not 0 or 1.
    Cost: O(1), or the length when the string has to move.
    Source: https://redis.io/docs/latest/commands/setbit/
    """
    cdef uint64_t offset
    cdef int64_t bit
    cdef Entry* e
    cdef Raw* raw
    cdef bint grown, before

    if not offset_or_reply(c, 2, 0, &offset) or not get_range_or_reply(c, 3, 0, 1, &bit, ERR_BIT_VALUE):
        return 0
    e = c.db.lookup_write(&c.argv[1])
    if not c.is_string(e):
        return 0
    if not string_room_or_reply(c, e, (offset >> 3) + 1):
        return 0
    raw = raw_up_to(c, e, offset, &grown)
    before = bit_get(raw_data(raw), offset)
    if grown or before != bit:
        bit_set(raw_data(raw), offset, bit)
        c.modified(&c.argv[1], NOTIFY_STRING, b"setbit")
    return c.reply_int(before)


declare(
    b"setbit", native(cmd_setbit), arity=4, flags=WRITE | DENYOOM, keys=key_at(1, "RW access update"), since="2.2.0",
    complexity="O(1)",
    summary="Sets or clears the bit at an offset of a string and returns what it was.",
    args="key offset:integer value:integer",
)


cdef int cmd_getbit(Client c) except -1:
    """GETBIT key offset -> integer: the bit; 0 beyond the end and for a missing key.

    Errors: WRONGTYPE; offset not an integer, negative or beyond proto-max-bulk-len.
    Source: https://redis.io/docs/latest/commands/getbit/
    """
    cdef char[INT64_TEXT] scratch
    cdef uint64_t offset
    cdef const char* data
    cdef size_t size
    cdef Entry* e

    if not offset_or_reply(c, 2, 0, &offset):
        return 0
    e = c.db.lookup_read(&c.argv[1])
    if not c.is_string(e):
        return 0
    if e is NULL:
        return c.reply_int(0)
    data = string_view(e, scratch, &size)
    return c.reply_int(bit_get(data, offset) if offset >> 3 < size else 0)


declare(
    b"getbit", native(cmd_getbit), arity=3, flags=READONLY | FAST, keys=key_at(1, "RO access"), since="2.2.0",
    complexity="O(1)",
    summary="Returns the bit at an offset of a string.",
    args="key offset:integer",
)


# --- counting and searching ---------------------------------------------------------------

cdef struct Range:
    int64_t start                       # bytes or bits; negative: from the end
    int64_t end                         # inclusive
    bint in_bits
    bint has_end                        # the client gave an end


cdef bint range_or_reply(Client c, int first, bint unit_first, Range* r) except -1:
    """[start [end [BYTE | BIT]]] from argv[first] on; without it, the whole string.

    unit_first: a wrong unit is told before a wrong end.
    """
    cdef int given = c.argc - first

    r.start = 0
    r.end = -1
    r.in_bits = False
    r.has_end = given > 1
    if given > 3:
        c.error(ERR_SYNTAX)
        return False
    if given > 0 and not get_int_or_reply(c, first, &r.start):
        return False
    if given > 1 and not unit_first and not get_int_or_reply(c, first + 1, &r.end):
        return False
    if given > 2:
        r.in_bits = arg_is(&c.argv[first + 2], b"BIT")
        if not r.in_bits and not arg_is(&c.argv[first + 2], b"BYTE"):
            c.error(ERR_SYNTAX)
            return False
    return given < 2 or not unit_first or get_int_or_reply(c, first + 1, &r.end)


cdef bint bits_of_range(const Range* r, size_t size, uint64_t* start, uint64_t* stop) noexcept:
    """The range in bits of a string of `size` bytes, from start up to stop; False if it is empty."""
    cdef int64_t total = size * 8 if r.in_bits else size
    cdef int unit = 1 if r.in_bits else 8
    cdef int64_t first = r.start + total if r.start < 0 else r.start
    cdef int64_t last = r.end + total if r.end < 0 else r.end

    # Redis's rule: an end before the string is its first byte or bit, not an empty range.
    first = max(first, 0)
    last = min(max(last, 0), total - 1)
    if first > last:
        return False
    start[0] = first * unit
    stop[0] = (last + 1) * unit
    return True


cdef int cmd_bitcount(Client c) except -1:
    """BITCOUNT key [start end [BYTE | BIT]] -> integer: how many bits are set.

    Negative positions count from the end. A missing key has none.
    Without an end, as Valkey 8 allows, it counts to the end of the string.
    Errors: WRONGTYPE; positions that are not integers; syntax.
    Cost: O(N), N bytes of the range.
    Source: https://redis.io/docs/latest/commands/bitcount/
    """
    cdef char[INT64_TEXT] scratch
    cdef uint64_t start, stop
    cdef const char* data
    cdef size_t size
    cdef Range r
    cdef Entry* e

    # Redis finds an end missing before it finds that the start is no integer.
    if c.argc == 3 and not get_int_or_reply_text(c, 2, &r.start, ERR_SYNTAX):
        return 0
    if not range_or_reply(c, 2, False, &r):
        return 0
    e = c.db.lookup_read(&c.argv[1])
    if not c.is_string(e):
        return 0
    # Both from the end and the wrong way round: empty, even where a cut to the string would make them meet.
    if e is NULL or (r.start < 0 and r.end < 0 and r.start > r.end):
        return c.reply_int(0)
    data = string_view(e, scratch, &size)
    return c.reply_int(bits_count(data, start, stop) if bits_of_range(&r, size, &start, &stop) else 0)


declare(
    b"bitcount", native(cmd_bitcount), arity=-2, flags=READONLY, keys=key_at(1, "RO access"), since="2.6.0",
    complexity="O(N) where N is the number of bytes counted",
    summary="Counts the bits that are set in a string or a part of it.",
    args="key [range={start:integer end:integer [unit=(BYTE | BIT)@7.0.0]}]",
    history=(("7.0.0", "Units `BYTE` and `BIT`."),),
)


cdef int cmd_bitpos(Client c) except -1:
    """BITPOS key bit [start [end [BYTE | BIT]]] -> integer: where the first such bit is; -1: nowhere.

    Positions count from the string's first bit whatever the start is; negative ones from the end. Without
    an end the string is followed by zeros: a clear bit is always found, unless the range is empty.
    Errors: WRONGTYPE; bit not 0 or 1; positions that are not integers; syntax.
    Cost: O(N), N bytes of the range.
    Source: https://redis.io/docs/latest/commands/bitpos/
    """
    cdef char[INT64_TEXT] scratch
    cdef uint64_t start, stop
    cdef int64_t bit, found
    cdef const char* data
    cdef size_t size
    cdef Range r
    cdef Entry* e

    if not get_int_or_reply(c, 2, &bit):
        return 0
    if bit != 0 and bit != 1:
        return c.error(ERR_BIT_SOUGHT)
    if not range_or_reply(c, 3, True, &r):
        return 0
    e = c.db.lookup_read(&c.argv[1])
    if not c.is_string(e):
        return 0
    if e is NULL:
        return c.reply_int(-1 if bit else 0)
    data = string_view(e, scratch, &size)
    if not bits_of_range(&r, size, &start, &stop):
        return c.reply_int(-1)
    found = bits_find(data, start, stop, bit)
    if found < 0 and not bit and not r.has_end:
        found = size * 8
    return c.reply_int(found)


declare(
    b"bitpos", native(cmd_bitpos), arity=-3, flags=READONLY, keys=key_at(1, "RO access"), since="2.8.7",
    complexity="O(N) where N is the number of bytes searched",
    summary="Finds the first bit in a string that is set, or clear.",
    args="key bit:integer [range={start:integer [end-unit-block={end:integer [unit=(BYTE | BIT)@7.0.0]}]}]",
    history=(("7.0.0", "Units `BYTE` and `BIT`."),),
)


# --- combining ------------------------------------------------------------------------------

cdef struct BitOpToken:
    const char* token
    BitOp op
    int least                           # source keys
    int most
    const char* error                   # when there are fewer or more

cdef enum:
    ANY_NUMBER = 0x7FFFFFFF

cdef BitOpToken[8] BITOP_TOKENS = [
    #          token     op         least most        error
    BitOpToken(b"AND",   BIT_AND,   1,    ANY_NUMBER, NULL),
    BitOpToken(b"OR",    BIT_OR,    1,    ANY_NUMBER, NULL),
    BitOpToken(b"XOR",   BIT_XOR,   1,    ANY_NUMBER, NULL),
    BitOpToken(b"NOT",   BIT_NOT,   1,    1,          ERR_BITOP_NOT),
    BitOpToken(b"DIFF",  BIT_DIFF,  2,    ANY_NUMBER, ERR_BITOP_DIFF),
    BitOpToken(b"DIFF1", BIT_DIFF1, 2,    ANY_NUMBER, ERR_BITOP_DIFF1),
    BitOpToken(b"ANDOR", BIT_ANDOR, 2,    ANY_NUMBER, ERR_BITOP_ANDOR),
    BitOpToken(b"ONE",   BIT_ONE,   1,    ANY_NUMBER, NULL),
]


cdef bint sources_or_reply(Client c, BitString* strings, char* digits, size_t* longest) except -1:
    """The strings of the keys from argv[3] on; missing ones are empty. digits: INT64_TEXT bytes for each."""
    cdef Entry* e
    cdef int i

    longest[0] = 0
    for i in range(c.argc - 3):
        e = c.db.lookup_read(&c.argv[3 + i])
        if not c.is_string(e):
            return False
        strings[i].data = NULL
        strings[i].size = 0
        if e is not NULL:
            strings[i].data = string_view(e, digits + i * INT64_TEXT, &strings[i].size)
        longest[0] = max(longest[0], strings[i].size)
    return True


cdef int store_combined(Client c, BitOp op, const BitString* strings, size_t size) except -1:
    """Make `size` bytes of the combined strings the value of argv[2]; with 0 bytes, delete it."""
    cdef Arg* key = &c.argv[2]
    cdef Entry* e = c.db.lookup_write(key)
    cdef Entry* fresh
    cdef Raw* raw

    if size == 0:
        if e is not NULL and c.db.delete(key, c.core.lazy_server_del):
            c.modified(key, NOTIFY_GENERIC, b"del")
        return 0
    raw = entry_raw(e) if e is not NULL and entry_encoding(e) == ENC_RAW else NULL
    if raw is not NULL and raw.room // 2 <= size <= raw.room:
        # In place, which bits_combine() allows even if the target is a source.
        bits_combine(op, raw_data(raw), size, strings, c.argc - 3)
        raw.size = size
        c.db.remove_expire(e)
    else:
        fresh = string_new_raw(&c.core.memory, key.ptr, key.size, size)
        bits_combine(op, raw_data(entry_raw(fresh)), size, strings, c.argc - 3)
        if e is NULL:
            c.db.add(fresh, arg_hash(key))
        else:
            c.db.replace(key, e, fresh, False)
    return c.modified(key, NOTIFY_STRING, b"set")


cdef int cmd_bitop(Client c) except -1:
    """BITOP AND | OR | XOR | NOT | DIFF | DIFF1 | ANDOR | ONE destkey key [key ...] -> integer: bytes stored.

    The result is as long as the longest source; shorter ones and missing keys are padded with zeros.
    destkey loses what it was, TTL included; it is deleted if all sources are empty.
    Errors: WRONGTYPE of a source; too many keys for NOT, too few for DIFF, DIFF1, ANDOR; syntax.
    Cost: O(N), N bytes of all sources.
    Source: https://redis.io/docs/latest/commands/bitop/
    """
    cdef Account* account = &c.core.memory
    cdef size_t count = c.argc - 3
    cdef size_t room = count * (sizeof(BitString) + INT64_TEXT)
    cdef const BitOpToken* known = NULL
    cdef BitString* strings
    cdef size_t size
    cdef int i

    for i in range(8):
        if arg_is(&c.argv[1], BITOP_TOKENS[i].token):
            known = &BITOP_TOKENS[i]
    if known is NULL:
        return c.error(ERR_SYNTAX)
    if not known.least <= <int>count <= known.most:
        return c.error(known.error)
    strings = <BitString*>mem_alloc(account, room)
    try:
        if sources_or_reply(c, strings, <char*>(strings + count), &size) and get_memory_or_reply(c, 0, size):
            store_combined(c, known.op, strings, size)
            c.reply_int(size)
    finally:
        mem_free(account, strings, room)
    return 0


declare(
    b"bitop", native(cmd_bitop), arity=-4, flags=WRITE | DENYOOM,
    keys=(key_at(2, "OW update"), key_range(3, -1, 1, "RO access")), since="2.6.0",
    complexity="O(N) where N is the length of the longest string",
    summary="Combines strings bit by bit and stores the result.",
    args="operation=(AND | OR | XOR | NOT | DIFF | DIFF1 | ANDOR | ONE) destkey:key key...",
    history=(("8.2.0", "Operations `DIFF`, `DIFF1`, `ANDOR` and `ONE`."),),
)


# --- fields -----------------------------------------------------------------------------------

cdef enum FieldVerb:
    FIELD_GET
    FIELD_SET
    FIELD_INCRBY
    FIELD_OVERFLOW

cdef struct FieldToken:
    const char* token
    FieldVerb verb
    int operands

cdef FieldToken[4] FIELD_TOKENS = [
    FieldToken(b"GET",      FIELD_GET,      2),
    FieldToken(b"SET",      FIELD_SET,      3),
    FieldToken(b"INCRBY",   FIELD_INCRBY,   3),
    FieldToken(b"OVERFLOW", FIELD_OVERFLOW, 1),
]

cdef struct FieldOp:
    FieldVerb verb
    Overflow overflow                   # stays for the operations that follow
    bint is_signed
    int width                           # bits
    uint64_t offset                     # bits
    int64_t operand                     # of SET and INCRBY


cdef bint field_type_or_reply(Client c, int index, FieldOp* op) except -1:
    """i1 to i64 or u1 to u63."""
    cdef const char* text = c.argv[index].ptr
    cdef size_t size = strnlen(text, c.argv[index].size)    # a zero byte ends it, as in Redis
    cdef int64_t width

    if size > 1 and (text[0] == c'i' or text[0] == c'u') and parse_int64(text + 1, size - 1, &width):
        op.is_signed = text[0] == c'i'
        if 1 <= width <= (64 if op.is_signed else 63):
            op.width = <int>width
            return True
    c.error(ERR_FIELD_TYPE)
    return False


cdef bint overflow_or_reply(Client c, int index, FieldOp* op) except -1:
    if arg_is(&c.argv[index], b"WRAP"):
        op.overflow = OVERFLOW_WRAP
    elif arg_is(&c.argv[index], b"SAT"):
        op.overflow = OVERFLOW_SAT
    elif arg_is(&c.argv[index], b"FAIL"):
        op.overflow = OVERFLOW_FAIL
    else:
        c.error(ERR_FIELD_OVERFLOW)
        return False
    return True


cdef bint field_op_or_reply(Client c, int* at, FieldOp* op) except -1:
    """Read the operation at argv[*at], which moves behind it. OVERFLOW is one of its own."""
    cdef const FieldToken* known = NULL
    cdef int i = at[0]
    cdef int k

    for k in range(4):
        if arg_is(&c.argv[i], FIELD_TOKENS[k].token):
            known = &FIELD_TOKENS[k]
            break
    if known is NULL or i + known.operands >= c.argc:
        c.error(ERR_SYNTAX)
        return False
    op.verb = known.verb
    at[0] = i + 1 + known.operands
    if op.verb == FIELD_OVERFLOW:
        return overflow_or_reply(c, i + 1, op)
    if not field_type_or_reply(c, i + 1, op) or not offset_or_reply(c, i + 2, op.width, &op.offset):
        return False
    return op.verb == FIELD_GET or get_int_or_reply(c, i + 3, &op.operand)


cdef bint run_field_op(Client c, const FieldOp* op, char* data, size_t size, bint grown) except -1:
    """Reply to one operation on a string of `size` bytes, which a write does not exceed; True: a change.

    Writing what is there already is none, unless the string has grown for it.
    """
    cdef int64_t before = field_get(data, size, op.offset, op.width, op.is_signed)
    cdef int64_t after
    cdef bint fits

    if op.verb == FIELD_GET:
        c.reply_int(before)
        return False
    if op.verb == FIELD_SET:
        fits = field_add(op.operand, 0, op.width, op.is_signed, op.overflow, &after)
    else:
        fits = field_add(before, op.operand, op.width, op.is_signed, op.overflow, &after)
    if not fits:
        c.reply_null()
        return False
    field_set(data, op.offset, op.width, after)
    c.reply_int(before if op.verb == FIELD_SET else after)
    return grown or after != before


cdef int tell_changes(Client c, int changes, bint grown) except -1:
    """BITFIELD is done. Each operation that changed something counts in dirty."""
    if changes:
        return c.modified(&c.argv[1], NOTIFY_STRING, b"setbit", changes)
    if grown:
        # All writes failed, yet the string grew. Redis has no event for that, hence no class.
        return c.modified(&c.argv[1], 0, b"setbit")
    return 0


cdef int bitfield(Client c, bint readonly) except -1:
    """Check all operations, then run them: they are read twice, so nothing has to be kept between.

    Only a write creates the key or makes it longer, once, up to the last bit that any of them reaches.
    """
    cdef char[INT64_TEXT] scratch
    cdef char* data = NULL
    cdef size_t size = 0
    cdef uint64_t last_bit = 0
    cdef int count = 0, writes = 0, changes = 0
    cdef bint grown = False
    cdef int at = 2
    cdef FieldOp op
    cdef Entry* e
    cdef Raw* raw

    while at < c.argc:
        if not field_op_or_reply(c, &at, &op):
            return 0
        count += op.verb != FIELD_OVERFLOW
        if op.verb == FIELD_SET or op.verb == FIELD_INCRBY:
            writes += 1
            last_bit = max(last_bit, op.offset + op.width - 1)
    if writes and readonly:
        return c.error(ERR_FIELD_READONLY)
    e = c.db.lookup_write(&c.argv[1]) if writes else c.db.lookup_read(&c.argv[1])
    if not c.is_string(e):
        return 0
    if writes and not string_room_or_reply(c, e, (last_bit >> 3) + 1):
        return 0
    if writes:
        raw = raw_up_to(c, e, last_bit, &grown)
        data = raw_data(raw)
        size = raw.size
    elif e is not NULL:
        data = <char*>string_view(e, scratch, &size)
    c.reply_array(count)
    op.overflow = OVERFLOW_WRAP
    at = 2
    while at < c.argc:
        field_op_or_reply(c, &at, &op)
        if op.verb != FIELD_OVERFLOW:
            changes += run_field_op(c, &op, data, size, grown)
    return tell_changes(c, changes, grown)


cdef int cmd_bitfield(Client c) except -1:
    """BITFIELD key [GET type offset | [OVERFLOW WRAP | SAT | FAIL] SET type offset value | INCRBY ...] ... -> array.

    For each GET its value, for SET the value before, for INCRBY the value after, or null if it overflows
    under FAIL. type is i1 to i64 or u1 to u63; an offset `#n` is n times the type's width.
    Errors: WRONGTYPE; bad type, offset or integer; syntax. After an error nothing is changed.
    Cost: O(1) for each operation.
    Source: https://redis.io/docs/latest/commands/bitfield/
    """
    return bitfield(c, False)


cdef void bitfield_keys(const Arg* argv, int argc, KeyList* found) noexcept:
    """BITFIELD only reads if it has nothing but GET and OVERFLOW; a syntax error counts as a write."""
    cdef int i = 2

    while i < argc:
        i += 3 if arg_is(&argv[i], b"get") else 2 if arg_is(&argv[i], b"overflow") else argc
    key_add(found, 1, KEY_RO | KEY_ACCESS if i == argc else KEY_RW | KEY_ACCESS | KEY_UPDATE)


declare(
    b"bitfield", native(cmd_bitfield), arity=-2, flags=WRITE | DENYOOM,
    keys=key_at(
        1,
        "RW access update variable_flags",
        notes="Reads only, if there is nothing but `GET`",
        finder=key_finder(bitfield_keys),
    ), since="3.2.0",
    complexity="O(1) for each operation",
    summary="Reads, sets and increments integers of any width inside a string.",
    args=(
        "key [operation=(GET get-block={encoding offset:integer} | write={[OVERFLOW overflow-block=(WRAP | SAT"
        " | FAIL)] write-operation=(SET set-block={encoding offset:integer value:integer}"
        " | INCRBY incrby-block={encoding offset:integer increment:integer})})...]"
    ),
)


cdef int cmd_bitfield_ro(Client c) except -1:
    """BITFIELD_RO key [GET type offset ...] -> array: the values.

    Errors: as BITFIELD; any SET or INCRBY.
    Source: https://redis.io/docs/latest/commands/bitfield_ro/
    """
    return bitfield(c, True)


declare(
    b"bitfield_ro", native(cmd_bitfield_ro), arity=-2, flags=READONLY | FAST, keys=key_at(1, "RO access"),
    since="6.0.0",
    complexity="O(1) for each operation",
    summary="Reads integers of any width inside a string.",
    args="key [GET... get-block={encoding offset:integer}]",
)
