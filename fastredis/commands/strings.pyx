"""Commands on strings as a whole: SET, GET and their kin. Counting is in counters.pyx, LCS in lcs.pyx."""
from libc.stdint cimport INT32_MAX, INT64_MAX, int64_t, uint32_t, uint64_t
from libc.string cimport memcmp, memcpy

from fastredis._resp cimport Arg, arg_bytes
from fastredis.ds.numbers cimport INT64_TEXT, parse_int64
from fastredis.ds.xxh3 cimport xxh3_64
from fastredis.engine.client cimport Client
from fastredis.engine.command cimport native
from fastredis.engine.core cimport NOTIFY_GENERIC, NOTIFY_STRING
from fastredis.engine.errors cimport (
    ERR_CONDITION, ERR_DIGEST, ERR_NOT_INTEGER, ERR_NUMKEYS, ERR_NUMKEYS_PAIRS, ERR_OFFSET, ERR_TOO_LONG, arity_error,
    expire_error,
)
from fastredis.engine.flags cimport DENYOOM, FAST, READONLY, WRITE
from fastredis.engine.keys cimport (
    KEY_ACCESS, KEY_DELETE, KEY_OW, KEY_RM, KEY_RW, KEY_UPDATE, KeyList, key_add, key_finder,
)
from fastredis.engine.options cimport (
    OPT_FLAG, OPT_TEXT, Option, Options, arg_is, find_option, get_int_or_reply, get_memory_or_reply,
    get_range_or_reply, option_text, parse_options_or_reply,
)
from fastredis.values.entry cimport TYPE_STRING, Entry, entry_type
from fastredis.values.string_type cimport entry_raw, raw_data, string_room, string_value_bytes, string_view

from fastredis.engine.command import declarer
from fastredis.engine.declarations import key_at, key_count, key_range

declare = declarer("string")

cdef enum:
    DIGEST_TEXT = 16                # hexadecimal digits of a digest

cdef enum:                          # what commands take of STRING_OPTIONS
    MSETEX_TAKES = SET_NX | SET_XX | SET_EXPIRES | SET_KEEPTTL
    SET_TAKES = MSETEX_TAKES | SET_COMPARES | SET_GET

# Of all commands on strings; each says which of them it takes.
cdef Option[20] STRING_OPTIONS = [
    Option(b"EX", OPT_TEXT, EXPIRE_EX, 2, NULL),
    Option(b"PX", OPT_TEXT, EXPIRE_PX, 2, NULL),
    Option(b"EXAT", OPT_TEXT, EXPIRE_EXAT, 2, NULL),
    Option(b"PXAT", OPT_TEXT, EXPIRE_PXAT, 2, NULL),
    Option(b"NX", OPT_FLAG, SET_NX, 1, NULL),
    Option(b"XX", OPT_FLAG, SET_XX, 1, NULL),
    Option(b"IFEQ", OPT_TEXT, IF_EQ, 1, NULL),
    Option(b"IFNE", OPT_TEXT, IF_NE, 1, NULL),
    Option(b"IFDEQ", OPT_TEXT, IF_DEQ, 1, NULL),
    Option(b"IFDNE", OPT_TEXT, IF_DNE, 1, NULL),
    Option(b"GET", OPT_FLAG, SET_GET, 0, NULL),
    Option(b"KEEPTTL", OPT_FLAG, SET_KEEPTTL, 2, NULL),
    Option(b"PERSIST", OPT_FLAG, SET_PERSIST, 2, NULL),
    Option(b"BYINT", OPT_TEXT, INCREX_BYINT, 3, NULL),
    Option(b"BYFLOAT", OPT_TEXT, INCREX_BYFLOAT, 3, NULL),
    Option(b"LBOUND", OPT_TEXT, INCREX_LBOUND, 0, NULL),
    Option(b"UBOUND", OPT_TEXT, INCREX_UBOUND, 0, NULL),
    Option(b"SATURATE", OPT_FLAG, INCREX_SATURATE, 0, NULL),
    Option(b"ENX", OPT_FLAG, INCREX_ENX, 0, NULL),
    Option(NULL, OPT_FLAG, 0, 0, NULL),
]


# --- shared pieces -----------------------------------------------------------------------

cdef int reply_string(Client c, Entry* e) except -1:
    """Reply an entry's string, or null."""
    cdef char[INT64_TEXT] scratch
    cdef size_t size
    cdef const char* text

    if e is NULL:
        return c.reply_null()
    text = string_view(e, scratch, &size)
    return c.reply_bulk(text, size)


cdef bint deadline_or_reply(Client c, Arg* text, int kind, const char* command, int64_t* when_ms) except -1:
    """A deadline in ms since the epoch from the argument of EX, PX, EXAT or PXAT."""
    cdef int64_t value
    cdef int64_t scale = 1000 if kind & (EXPIRE_EX | EXPIRE_EXAT) else 1
    cdef int64_t base = c.core.now_ms if kind & (EXPIRE_EX | EXPIRE_PX) else 0

    if not parse_int64(text.ptr, text.size, &value):
        c.error(ERR_NOT_INTEGER)
        return False
    if value <= 0 or value > INT64_MAX // scale or value * scale > INT64_MAX - base:
        c.error_text(expire_error(command))
        return False
    when_ms[0] = base + value * scale
    return True


cdef bint string_options_or_reply(Client c, int first, int takes, Options* given) except -1:
    """Read argv[first..]; a digest to compare with has sixteen digits."""
    cdef int digest

    if not parse_options_or_reply(c, first, STRING_OPTIONS, takes, given):
        return False
    digest = given.flags & (IF_DEQ | IF_DNE)
    if digest and option_text(given, digest).size != DIGEST_TEXT:
        c.error(ERR_DIGEST)
        return False
    return True


cdef bint expiry_or_reply(Client c, const Options* given, const char* command, int64_t* when_ms) except -1:
    """The deadline that the options ask for; untouched when they ask for none."""
    cdef int kind = given.flags & SET_EXPIRES

    return not kind or deadline_or_reply(c, option_text(given, kind), kind, command, when_ms)


cdef bytes number(int64_t value):
    return b"%d" % value


cdef const char* DIGITS = b"0123456789abcdef"


cdef int format_digest(const char* text, size_t size, char* out) noexcept:
    """The XXH3 digest as 16 hexadecimal digits."""
    cdef uint64_t digest = xxh3_64(text, size)
    cdef int i

    for i in range(DIGEST_TEXT):
        out[i] = DIGITS[digest >> (60 - 4 * i) & 15]
    return 0


cdef bint digest_is(const char* text, size_t size, Arg* wanted) noexcept:
    cdef char[DIGEST_TEXT] digest
    cdef int i

    format_digest(text, size, digest)
    for i in range(DIGEST_TEXT):
        if digest[i] != wanted.ptr[i] and digest[i] != (wanted.ptr[i] | 0x20):
            return False
    return True


cdef bint compares(Entry* e, const Options* given) noexcept:
    """Whether a string meets the IFEQ, IFNE, IFDEQ or IFDNE that was given."""
    cdef char[INT64_TEXT] scratch
    cdef size_t size
    cdef const char* text = string_view(e, scratch, &size)
    cdef Arg* wanted = option_text(given, given.flags & SET_COMPARES)

    if given.flags & (IF_DEQ | IF_DNE):
        return digest_is(text, size, wanted) == (given.flags & IF_DEQ != 0)
    return (size == wanted.size and memcmp(text, wanted.ptr, size) == 0) == (given.flags & IF_EQ != 0)


# --- SET and what it stands for ------------------------------------------------------------

cdef int set_plain(Client c, Arg* key, Arg* value) except -1:
    c.db.set_string(key, value.ptr, value.size, False)
    return c.modified(key, NOTIFY_STRING, b"set")


cdef int set_expiring(Client c, Arg* key, Arg* value, int64_t when_ms) except -1:
    """Set a key with a deadline."""
    cdef Entry* e = c.db.set_string(key, value.ptr, value.size, False)

    c.modified(key, NOTIFY_STRING, b"set")
    c.db.set_expire(e, when_ms)
    c.note(key, NOTIFY_GENERIC, b"expire")
    if c.propagates():
        c.effect([b"SET", arg_bytes(key), arg_bytes(value), b"PXAT", number(when_ms)])
    return 0


cdef int cmd_set(Client c) except -1:
    """SET key value [condition] [GET] [expiration] -> OK; null when the condition fails; with GET the old string.

    NX and IFNE hold for a missing key, XX, IFEQ and IFDEQ do not. The TTL goes unless KEEPTTL is given.
    Errors: WRONGTYPE with GET or a comparison; syntax; expire time not positive or out of range.
    Source: https://redis.io/commands/set
    """
    if c.argc == 3:
        set_plain(c, &c.argv[1], &c.argv[2])
        return c.reply_ok()
    return set_with_options(c)


cdef int set_with_options(Client c) except -1:
    cdef Options given
    cdef int64_t when_ms = -1
    cdef Arg* key = &c.argv[1]
    cdef Arg* value = &c.argv[2]
    cdef Entry* e

    if not (string_options_or_reply(c, 3, SET_TAKES, &given) and expiry_or_reply(c, &given, b"set", &when_ms)):
        return 0
    if given.flags & (SET_NX | SET_XX | SET_GET | SET_COMPARES):
        e = c.db.lookup_read(key) if given.flags & SET_GET else c.db.lookup_write(key)
        if given.flags & (SET_GET | SET_COMPARES) and not c.is_string(e):
            return 0
        if given.flags & SET_GET:
            reply_string(c, e)
        if not condition_holds(e, &given):
            return 0 if given.flags & SET_GET else c.reply_null()
    if when_ms >= 0:
        set_expiring(c, key, value, when_ms)
    else:
        c.db.set_string(key, value.ptr, value.size, given.flags & SET_KEEPTTL)
        c.modified(key, NOTIFY_STRING, b"set")
        if c.propagates():
            c.effect([b"SET", arg_bytes(key), arg_bytes(value)] + ([b"KEEPTTL"] if given.flags & SET_KEEPTTL else []))
    return 0 if given.flags & SET_GET else c.reply_ok()


cdef bint condition_holds(Entry* e, const Options* given) noexcept:
    if e is NULL:
        return not given.flags & (SET_XX | IF_EQ | IF_DEQ)
    return not given.flags & SET_NX and (not given.flags & SET_COMPARES or compares(e, given))


cdef void set_keys(const Arg* argv, int argc, KeyList* found) noexcept:
    """SET reads the old value only with GET."""
    cdef uint32_t flags = KEY_OW | KEY_UPDATE
    cdef int i

    for i in range(3, argc):
        if arg_is(&argv[i], b"get"):
            flags = KEY_RW | KEY_ACCESS | KEY_UPDATE
    key_add(found, 1, flags)


declare(
    b"set", native(cmd_set), arity=-3, flags=WRITE | DENYOOM,
    keys=key_at(1, "RW access update variable_flags", notes="Reads the old value only with `GET`",
                finder=key_finder(set_keys)),
    since="1.0.0",
    complexity="O(1)",
    summary="Sets a key to a string, whatever it held; options make that conditional or temporary.",
    args=(
        "key value [condition=(NX | XX | IFEQ ifeq-value@8.4.0 | IFNE ifne-value@8.4.0 | IFDEQ ifdeq-digest@8.4.0"
        " | IFDNE ifdne-digest@8.4.0)@2.6.12] [GET@6.2.0] [expiration=(EX seconds:integer@2.6.12"
        " | PX milliseconds:integer@2.6.12 | EXAT unix-time-seconds:unix-time@6.2.0"
        " | PXAT unix-time-milliseconds:unix-time@6.2.0 | KEEPTTL@6.0.0)]"
    ),
    history=(
        ("2.6.12", "Options `EX`, `PX`, `NX` and `XX`."),
        ("6.0.0", "Option `KEEPTTL`."),
        ("6.2.0", "Options `GET`, `EXAT` and `PXAT`."),
        ("7.0.0", "`NX` and `GET` may be combined."),
        ("8.4.0", "Options `IFEQ`, `IFNE`, `IFDEQ` and `IFDNE`."),
    ),
)


cdef int cmd_setnx(Client c) except -1:
    """SETNX key value -> 1 if the key was set, 0 if it was there already. Source: https://redis.io/commands/setnx"""
    if c.db.lookup_write(&c.argv[1]) is not NULL:
        return c.reply_int(0)
    set_plain(c, &c.argv[1], &c.argv[2])
    return c.reply_int(1)

declare(
    b"setnx", native(cmd_setnx), arity=3, flags=WRITE | DENYOOM | FAST, keys=key_at(1, "OW insert"), since="1.0.0",
    complexity="O(1)",
    summary="Sets a key to a string, unless the key exists.",
    args="key value",
    doc_flags=("deprecated",), deprecated_since="2.6.12", replaced_by="`SET` with `NX`",
)


cdef int cmd_setex(Client c) except -1:
    """SETEX key seconds value -> OK. Errors: expire time. Source: https://redis.io/commands/setex"""
    cdef int64_t when_ms

    if not deadline_or_reply(c, &c.argv[2], EXPIRE_EX, b"setex", &when_ms):
        return 0
    set_expiring(c, &c.argv[1], &c.argv[3], when_ms)
    return c.reply_ok()

declare(
    b"setex", native(cmd_setex), arity=4, flags=WRITE | DENYOOM, keys=key_at(1, "OW update"), since="2.0.0",
    complexity="O(1)",
    summary="Sets a key to a string that expires after some seconds.",
    args="key seconds:integer value",
    doc_flags=("deprecated",), deprecated_since="2.6.12", replaced_by="`SET` with `EX`",
)


cdef int cmd_psetex(Client c) except -1:
    """PSETEX key milliseconds value -> OK. Errors: expire time. Source: https://redis.io/commands/psetex"""
    cdef int64_t when_ms

    if not deadline_or_reply(c, &c.argv[2], EXPIRE_PX, b"psetex", &when_ms):
        return 0
    set_expiring(c, &c.argv[1], &c.argv[3], when_ms)
    return c.reply_ok()

declare(
    b"psetex", native(cmd_psetex), arity=4, flags=WRITE | DENYOOM, keys=key_at(1, "OW update"), since="2.6.0",
    complexity="O(1)",
    summary="Sets a key to a string that expires after some milliseconds.",
    args="key milliseconds:integer value",
    doc_flags=("deprecated",), deprecated_since="2.6.12", replaced_by="`SET` with `PX`",
)


cdef int cmd_getset(Client c) except -1:
    """GETSET key value -> the old string or null. Errors: WRONGTYPE. Source: https://redis.io/commands/getset"""
    cdef Entry* e = c.db.lookup_read(&c.argv[1])

    if not c.is_string(e):
        return 0
    reply_string(c, e)
    set_plain(c, &c.argv[1], &c.argv[2])
    if c.propagates():
        c.effect([b"SET", arg_bytes(&c.argv[1]), arg_bytes(&c.argv[2])])
    return 0

declare(
    b"getset", native(cmd_getset), arity=3, flags=WRITE | DENYOOM | FAST, keys=key_at(1, "RW access update"),
    since="1.0.0",
    complexity="O(1)",
    summary="Sets a key to a string and returns the string it held before.",
    args="key value",
    doc_flags=("deprecated",), deprecated_since="6.2.0", replaced_by="`SET` with `GET`",
)


# --- GET and what it stands for ------------------------------------------------------------

cdef int cmd_get(Client c) except -1:
    """GET key -> the string, or null for a missing key. Errors: WRONGTYPE. Source: https://redis.io/commands/get"""
    cdef Entry* e = c.db.lookup_read(&c.argv[1])

    if not c.is_string(e):
        return 0
    return reply_string(c, e)

declare(
    b"get", native(cmd_get), arity=2, flags=READONLY | FAST, keys=key_at(1, "RO access"), since="1.0.0",
    complexity="O(1)",
    summary="Returns the string in a key.",
    args="key",
)


cdef int cmd_getdel(Client c) except -1:
    """GETDEL key -> the string that was there, or null. Errors: WRONGTYPE. Source: https://redis.io/commands/getdel"""
    cdef Arg* key = &c.argv[1]
    cdef Entry* e = c.db.lookup_read(key)

    if not c.is_string(e):
        return 0
    reply_string(c, e)
    if e is not NULL:
        c.db.delete(key, c.core.lazy_user_del)
        c.modified(key, NOTIFY_GENERIC, b"del")
        if c.propagates():
            c.effect([b"DEL", arg_bytes(key)])
    return 0

declare(
    b"getdel", native(cmd_getdel), arity=2, flags=WRITE | FAST, keys=key_at(1, "RW access delete"), since="6.2.0",
    complexity="O(1)",
    summary="Returns the string in a key and deletes the key.",
    args="key",
)


cdef int cmd_getex(Client c) except -1:
    """GETEX key [expiration | PERSIST] -> the string or null; sets or removes the TTL.

    A deadline that is past removes the key. Errors: WRONGTYPE; syntax; expire time.
    Source: https://redis.io/commands/getex
    """
    cdef Options given
    cdef int64_t when_ms = -1
    cdef Arg* key = &c.argv[1]
    cdef Entry* e

    if not string_options_or_reply(c, 2, SET_EXPIRES | SET_PERSIST, &given):
        return 0
    e = c.db.lookup_read(key)
    if e is NULL:
        return c.reply_null()
    if not c.is_string(e) or not expiry_or_reply(c, &given, b"getex", &when_ms):
        return 0
    reply_string(c, e)
    if 0 <= when_ms <= c.core.now_ms:
        c.db.delete(key, c.core.lazy_expire)
        c.modified(key, NOTIFY_GENERIC, b"del")
        if c.propagates():
            c.effect([b"DEL", arg_bytes(key)])
    elif when_ms >= 0:
        c.db.set_expire(e, when_ms)
        c.modified(key, NOTIFY_GENERIC, b"expire")
        if c.propagates():
            c.effect([b"PEXPIREAT", arg_bytes(key), number(when_ms)])
    elif given.flags & SET_PERSIST and c.db.remove_expire(e):
        c.modified(key, NOTIFY_GENERIC, b"persist")
        if c.propagates():
            c.effect([b"PERSIST", arg_bytes(key)])
    return 0

declare(
    b"getex", native(cmd_getex), arity=-2, flags=WRITE | FAST,
    keys=key_at(1, "RW access update", notes="An update, because the time to live may change"), since="6.2.0",
    complexity="O(1)",
    summary="Returns the string in a key and sets or removes the key's time to live.",
    args=(
        "key [expiration=(EX seconds:integer | PX milliseconds:integer | EXAT unix-time-seconds:unix-time"
        " | PXAT unix-time-milliseconds:unix-time | PERSIST)]"
    ),
)


cdef int cmd_strlen(Client c) except -1:
    """STRLEN key -> bytes of the string; 0: no key. Errors: WRONGTYPE. Source: https://redis.io/commands/strlen"""
    cdef Entry* e = c.db.lookup_read(&c.argv[1])
    cdef char[INT64_TEXT] scratch
    cdef size_t size = 0

    if not c.is_string(e):
        return 0
    if e is not NULL:
        string_view(e, scratch, &size)
    return c.reply_int(size)

declare(
    b"strlen", native(cmd_strlen), arity=2, flags=READONLY | FAST, keys=key_at(1, "RO"), since="2.2.0",
    complexity="O(1)",
    summary="Returns the length in bytes of the string in a key.",
    args="key",
)


# --- several keys --------------------------------------------------------------------------

cdef int cmd_mget(Client c) except -1:
    """MGET key... -> array of strings; null for what is missing or no string. Source: https://redis.io/commands/mget"""
    cdef int i
    cdef Entry* e

    c.reply_array(c.argc - 1)
    for i in range(1, c.argc):
        e = c.db.lookup_read(&c.argv[i])
        reply_string(c, e if e is not NULL and entry_type(e) == TYPE_STRING else NULL)
    return 0

declare(
    b"mget", native(cmd_mget), arity=-2, flags=READONLY | FAST, keys=key_range(1, -1, 1, "RO access"), since="1.0.0",
    tips=("request_policy:multi_shard",),
    complexity="O(N) where N is the number of keys",
    summary="Returns the strings in several keys at once.",
    args="key...",
)


cdef bint pairs_or_reply(Client c, const char* command) except -1:
    if c.argc % 2 == 1:
        return True
    c.error_text(arity_error(command))
    return False


cdef bint any_exists(Client c, int first, int last) except -1:
    """Whether one of the keys argv[first], argv[first + 2] ... is there."""
    cdef int i

    for i in range(first, last, 2):
        if c.db.lookup_write(&c.argv[i]) is not NULL:
            return True
    return False


cdef bint all_exist(Client c, int first, int last) except -1:
    cdef int i

    for i in range(first, last, 2):
        if c.db.lookup_write(&c.argv[i]) is NULL:
            return False
    return True


cdef int cmd_mset(Client c) except -1:
    """MSET key value... -> OK. Errors: a key without a value. Source: https://redis.io/commands/mset"""
    cdef int i

    if not pairs_or_reply(c, b"mset"):
        return 0
    for i in range(1, c.argc, 2):
        set_plain(c, &c.argv[i], &c.argv[i + 1])
    return c.reply_ok()

declare(
    b"mset", native(cmd_mset), arity=-3, flags=WRITE | DENYOOM, keys=key_range(1, -1, 2, "OW update"), since="1.0.1",
    tips=("request_policy:multi_shard", "response_policy:all_succeeded"),
    complexity="O(N) where N is the number of keys",
    summary="Sets several keys to strings at once.",
    args="data={key value}...",
)


cdef int cmd_msetnx(Client c) except -1:
    """MSETNX key value... -> 1 if all were set, 0 if any was there already. Source: https://redis.io/commands/msetnx"""
    cdef int i

    if not pairs_or_reply(c, b"msetnx"):
        return 0
    if any_exists(c, 1, c.argc):
        return c.reply_int(0)
    for i in range(1, c.argc, 2):
        set_plain(c, &c.argv[i], &c.argv[i + 1])
    return c.reply_int(1)

declare(
    b"msetnx", native(cmd_msetnx), arity=-3, flags=WRITE | DENYOOM, keys=key_range(1, -1, 2, "OW insert"),
    since="1.0.1",
    complexity="O(N) where N is the number of keys",
    summary="Sets several keys to strings at once, unless any of them exists.",
    args="data={key value}...",
)


cdef int cmd_msetex(Client c) except -1:
    """MSETEX numkeys key value... [NX | XX] [expiration] -> 1 if all were set, 0 if the condition failed.

    NX: none of the keys is there; XX: all are. Without KEEPTTL the old TTLs go.
    Errors: numkeys not positive or not matching the arguments; syntax; expire time.
    Source: https://redis.io/commands/msetex
    """
    cdef int64_t pairs
    cdef int64_t when_ms = -1
    cdef Options given
    cdef int i, last

    if not get_range_or_reply(c, 1, 1, INT32_MAX, &pairs, ERR_NUMKEYS):
        return 0
    if pairs > (c.argc - 2) // 2:
        return c.error(ERR_NUMKEYS_PAIRS)
    last = 2 + 2 * <int>pairs
    if not (string_options_or_reply(c, last, MSETEX_TAKES, &given) and
            expiry_or_reply(c, &given, b"msetex", &when_ms)):
        return 0
    if given.flags & SET_NX and any_exists(c, 2, last) or given.flags & SET_XX and not all_exist(c, 2, last):
        return c.reply_int(0)
    for i in range(2, last, 2):
        if when_ms >= 0:
            set_expiring(c, &c.argv[i], &c.argv[i + 1], when_ms)
        else:
            c.db.set_string(&c.argv[i], c.argv[i + 1].ptr, c.argv[i + 1].size, given.flags & SET_KEEPTTL)
            c.modified(&c.argv[i], NOTIFY_STRING, b"set")
    return c.reply_int(1)

declare(
    b"msetex", native(cmd_msetex), arity=-4, flags=WRITE | DENYOOM, keys=key_count(1, "OW update", keystep=2),
    since="8.4.0",
    complexity="O(N) where N is the number of keys",
    summary="Sets several keys to strings at once, with a common time to live and condition.",
    args=(
        "numkeys:integer data={key value}... [condition=(NX | XX)] [expiration=(EX seconds:integer"
        " | PX milliseconds:integer | EXAT unix-time-seconds:unix-time | PXAT unix-time-milliseconds:unix-time"
        " | KEEPTTL)]"
    ),
)


# --- parts of a string -----------------------------------------------------------------------

cdef bint room_or_reply(Client c, const Entry* e, uint64_t size) except -1:
    """No string may grow beyond proto-max-bulk-len, or what memory there is."""
    if size <= <uint64_t>c.core.max_bulk:
        return string_room_or_reply(c, e, size)
    c.error(ERR_TOO_LONG)
    return False


cdef bint string_room_or_reply(Client c, const Entry* e, size_t size) except -1:
    """Whether there is memory to make the string of an entry, or of none yet (NULL), changeable and so long."""
    return get_memory_or_reply(c, string_value_bytes(e) if e is not NULL else 0, string_room(size))


cdef int cmd_append(Client c) except -1:
    """APPEND key value -> length afterwards. A missing key counts as empty; the TTL is kept.

    Errors: WRONGTYPE; longer than proto-max-bulk-len. Source: https://redis.io/commands/append
    """
    cdef Arg* key = &c.argv[1]
    cdef Arg* value = &c.argv[2]
    cdef Entry* e = c.db.lookup_write(key)
    cdef char[INT64_TEXT] scratch
    cdef size_t size = 0

    if not c.is_string(e):
        return 0
    if e is NULL:
        c.db.set_string(key, value.ptr, value.size, False)
    else:
        string_view(e, scratch, &size)
        if not room_or_reply(c, e, size + value.size):
            return 0
        e = c.db.to_raw(key, e, size + value.size)
        memcpy(raw_data(entry_raw(e)) + size, value.ptr, value.size)
    c.modified(key, NOTIFY_STRING, b"append")
    return c.reply_int(size + value.size)

declare(
    b"append", native(cmd_append), arity=3, flags=WRITE | DENYOOM | FAST, keys=key_at(1, "RW insert"), since="2.0.0",
    complexity="O(1) amortized",
    summary="Adds text at the end of a string; a missing key starts empty.",
    args="key value",
)


cdef int cmd_setrange(Client c) except -1:
    """SETRANGE key offset value -> length afterwards; a gap is filled with zero bytes.

    An empty value changes nothing. Errors: WRONGTYPE; offset negative or beyond proto-max-bulk-len.
    Source: https://redis.io/commands/setrange
    """
    cdef Arg* key = &c.argv[1]
    cdef Arg* value = &c.argv[3]
    cdef Entry* e
    cdef char[INT64_TEXT] scratch
    cdef size_t size = 0
    cdef int64_t offset

    if not get_int_or_reply(c, 2, &offset):
        return 0
    if offset < 0:
        return c.error(ERR_OFFSET)
    e = c.db.lookup_write(key)
    if not c.is_string(e):
        return 0
    if e is not NULL:
        string_view(e, scratch, &size)
    if value.size == 0:
        return c.reply_int(size)
    if not room_or_reply(c, e, max(<uint64_t>size, <uint64_t>offset + value.size)):
        return 0
    size = max(size, <size_t>offset + value.size)
    e = c.db.to_raw(key, e, size) if e is not NULL else c.db.add_raw(key, size)
    memcpy(raw_data(entry_raw(e)) + offset, value.ptr, value.size)
    c.modified(key, NOTIFY_STRING, b"setrange")
    return c.reply_int(size)

declare(
    b"setrange", native(cmd_setrange), arity=4, flags=WRITE | DENYOOM, keys=key_at(1, "RW update"), since="2.2.0",
    complexity="O(M) where M is the length of the written part",
    summary="Overwrites a part of a string from an offset on, after zero bytes if it is too short.",
    args="key offset:integer value",
)


cdef int cmd_getrange(Client c) except -1:
    """GETRANGE key start end -> the bytes from start to end inclusive; negative ones count from the end.

    Errors: WRONGTYPE; not an integer. Source: https://redis.io/commands/getrange
    """
    cdef int64_t start, end
    cdef char[INT64_TEXT] scratch
    cdef size_t size
    cdef const char* text
    cdef Entry* e

    if not (get_int_or_reply(c, 2, &start) and get_int_or_reply(c, 3, &end)):
        return 0
    e = c.db.lookup_read(&c.argv[1])
    if not c.is_string(e):
        return 0
    if e is NULL or (start < 0 and end < 0 and start > end):
        return c.reply_bulk(b"", 0)
    text = string_view(e, scratch, &size)
    if start < 0:
        start = max(0, start + <int64_t>size)
    if end < 0:
        end = max(0, end + <int64_t>size)
    end = min(end, <int64_t>size - 1)
    if start > end:
        return c.reply_bulk(b"", 0)
    return c.reply_bulk(text + start, end - start + 1)

declare(
    b"getrange", native(cmd_getrange), arity=4, flags=READONLY, keys=key_at(1, "RO access"), since="2.4.0",
    complexity="O(N) where N is the length of the returned string",
    summary="Returns a part of the string in a key.",
    args="key start:integer end:integer",
)
declare(
    b"substr", native(cmd_getrange), arity=4, flags=READONLY, keys=key_at(1, "RO access"), since="1.0.0",
    complexity="O(N) where N is the length of the returned string",
    summary="Returns a part of the string in a key.",
    args="key start:integer end:integer",
    doc_flags=("deprecated",), deprecated_since="2.0.0", replaced_by="`GETRANGE`",
)


# --- deleting and hashing by value -------------------------------------------------------------

cdef int delete_if(Client c, bint condition) except -1:
    """Delete argv[1] if the condition holds; replies how many keys went."""
    if not condition:
        return c.reply_int(0)
    c.db.delete(&c.argv[1], c.core.lazy_user_del)
    c.modified(&c.argv[1], NOTIFY_GENERIC, b"del")
    if c.propagates():
        c.effect([b"DEL", arg_bytes(&c.argv[1])])
    return c.reply_int(1)


cdef int cmd_delex(Client c) except -1:
    """DELEX key [IFEQ value | IFNE value | IFDEQ digest | IFDNE digest] -> 1 if the key was deleted, else 0.

    Without a condition the key may be of any type. Errors: WRONGTYPE; syntax; digest not of 16 digits.
    Source: https://redis.io/commands/delex
    """
    cdef Options given
    cdef Entry* e

    if c.argc != 2 and c.argc != 4:
        return c.error(b"ERR wrong number of arguments for 'delex' command")
    if c.argc == 4 and find_option(&c.argv[2], STRING_OPTIONS, SET_COMPARES) is NULL:
        return c.error(ERR_CONDITION)
    if not string_options_or_reply(c, 2, SET_COMPARES, &given):
        return 0
    e = c.db.lookup_write(&c.argv[1])
    if given.flags and not c.is_string(e):
        return 0
    return delete_if(c, e is not NULL and (not given.flags or compares(e, &given)))


cdef void delex_keys(const Arg* argv, int argc, KeyList* found) noexcept:
    """DELEX looks at the value only with a condition."""
    key_add(found, 1, KEY_DELETE | (KEY_RW if argc > 2 else KEY_RM))


declare(
    b"delex", native(cmd_delex), arity=-2, flags=WRITE | FAST,
    keys=key_at(
        1,
        "RW delete variable_flags",
        notes="Without a condition the value is not looked at",
        finder=key_finder(delex_keys),
    ), since="8.4.0",
    complexity="O(1) without a condition, O(N) with one, where N is the length of the value",
    summary="Deletes a key if its string value, or its digest, meets a condition.",
    args="key [condition=(IFEQ ifeq-value | IFNE ifne-value | IFDEQ ifdeq-digest | IFDNE ifdne-digest)]",
)


cdef int cmd_delifeq(Client c) except -1:
    """DELIFEQ key value -> 1 if the key held that string and was deleted, else 0. Errors: WRONGTYPE.

    Source: https://valkey.io/commands/delifeq
    """
    cdef Entry* e = c.db.lookup_write(&c.argv[1])
    cdef char[INT64_TEXT] scratch
    cdef size_t size
    cdef const char* text

    if not c.is_string(e):
        return 0
    if e is NULL:
        return c.reply_int(0)
    text = string_view(e, scratch, &size)
    return delete_if(c, size == c.argv[2].size and memcmp(text, c.argv[2].ptr, size) == 0)

declare(
    b"delifeq", native(cmd_delifeq), arity=3, flags=WRITE | FAST, keys=key_at(1, "RM delete"), since="9.0.0",
    complexity="O(N) where N is the length of the value",
    summary="Deletes a key if it holds exactly this string.",
    args="key value",
)


cdef int cmd_digest(Client c) except -1:
    """DIGEST key -> XXH3 of the string, 16 hexadecimal digits, or null. Errors: WRONGTYPE.

    Source: https://redis.io/commands/digest
    """
    cdef Entry* e = c.db.lookup_read(&c.argv[1])
    cdef char[INT64_TEXT] scratch
    cdef char[DIGEST_TEXT] digest
    cdef size_t size
    cdef const char* text

    if not c.is_string(e):
        return 0
    if e is NULL:
        return c.reply_null()
    text = string_view(e, scratch, &size)
    format_digest(text, size, digest)
    return c.reply_bulk(digest, DIGEST_TEXT)

declare(
    b"digest", native(cmd_digest), arity=2, flags=READONLY | FAST, keys=key_at(1, "RO access"), since="8.4.0",
    complexity="O(N) where N is the length of the value",
    summary="Returns the XXH3 hash of a string value as 16 hexadecimal digits.",
    args="key",
)
