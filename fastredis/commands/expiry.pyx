"""Time to live of keys: the EXPIRE family, TTL and its kin, PERSIST. They belong to the group "generic"."""
from libc.stdint cimport INT64_MAX, INT64_MIN, int64_t

from fastredis._resp cimport Arg, arg_bytes
from fastredis.commands.generic cimport glance
from fastredis.engine.client cimport Client
from fastredis.engine.command cimport Command, native
from fastredis.engine.core cimport GATE_LOADING, NOTIFY_GENERIC
from fastredis.engine.errors cimport ERR_TTL_GT_LT, ERR_TTL_NX, expire_error
from fastredis.engine.flags cimport FAST, READONLY, WRITE
from fastredis.engine.keyspace cimport Database
from fastredis.engine.options cimport OPT_FLAG, Option, arg_is, get_int_or_reply
from fastredis.values.entry cimport Entry, entry_has_ttl

from fastredis.engine.command import declarer
from fastredis.engine.declarations import key_at

declare = declarer("generic")


cdef enum:
    TTL_NX = 1 << 0             # only if the key has no TTL
    TTL_XX = 1 << 1             # only if it has one
    TTL_GT = 1 << 2             # only if the new one is later; no TTL is the latest of all
    TTL_LT = 1 << 3             # only if the new one is sooner

cdef Option[5] TTL_CONDITIONS = [
    Option(b"NX", OPT_FLAG, TTL_NX, 0, NULL),
    Option(b"XX", OPT_FLAG, TTL_XX, 0, NULL),
    Option(b"GT", OPT_FLAG, TTL_GT, 0, NULL),
    Option(b"LT", OPT_FLAG, TTL_LT, 0, NULL),
    Option(NULL, OPT_FLAG, 0, 0, NULL),
]


cdef bint get_conditions_or_reply(Client c, int* conditions) except -1:
    """The TTL_* bits of argv[3..]. The shared parser will not do: these commands name the option that is wrong."""
    cdef const Option* known
    cdef int i

    conditions[0] = 0
    for i in range(3, c.argc):
        known = TTL_CONDITIONS
        while known.token is not NULL and not arg_is(&c.argv[i], known.token):
            known += 1
        if known.token is NULL:
            c.error_text(b"ERR Unsupported option " + arg_bytes(&c.argv[i]).partition(b"\0")[0])
            return False
        conditions[0] |= known.flag
    if conditions[0] & TTL_NX and conditions[0] & ~TTL_NX:
        c.error(ERR_TTL_NX)
        return False
    if conditions[0] & TTL_GT and conditions[0] & TTL_LT:
        c.error(ERR_TTL_GT_LT)
        return False
    return True


cdef bint get_deadline_or_reply(Client c, int64_t base_ms, int64_t unit_ms, int64_t* when_ms) except -1:
    """base_ms and the units of argv[2] on top of it, ms since the epoch."""
    cdef int64_t amount

    if not get_int_or_reply(c, 2, &amount):
        return False
    if INT64_MIN // unit_ms <= amount <= INT64_MAX // unit_ms and amount * unit_ms <= INT64_MAX - base_ms:
        when_ms[0] = base_ms + amount * unit_ms
        return True
    c.error_text(expire_error((<Command>c.command).name))
    return False


cdef bint allowed(Database db, Entry* e, int64_t when_ms, int conditions) noexcept:
    """Whether the conditions let the entry have that deadline."""
    if not entry_has_ttl(e):
        return not conditions & (TTL_XX | TTL_GT)
    if conditions & TTL_NX:
        return False
    if conditions & TTL_GT and when_ms <= db.when_ms(e):
        return False
    return not (conditions & TTL_LT and when_ms >= db.when_ms(e))


cdef int expire(Client c, int64_t base_ms, int64_t unit_ms) except -1:
    """All of EXPIRE and its like. A deadline in the past deletes the key, but not on a replica and not while loading.

    Propagated as PEXPIREAT without conditions, or as the deletion.
    """
    cdef Arg* key = &c.argv[1]
    cdef Entry* e
    cdef int conditions
    cdef int64_t when_ms

    if not get_conditions_or_reply(c, &conditions) or not get_deadline_or_reply(c, base_ms, unit_ms, &when_ms):
        return 0
    e = c.db.lookup_write(key)
    if e is NULL or (conditions and not allowed(c.db, e, when_ms, conditions)):
        return c.reply_int(0)
    if when_ms <= c.core.now_ms and c.core.expire_on_access and not c.core.gate & GATE_LOADING:
        c.db.delete(key, c.core.lazy_expire)
        c.modified(key, NOTIFY_GENERIC, b"del")
        if c.propagates():
            c.effect([b"UNLINK" if c.core.lazy_expire else b"DEL", arg_bytes(key)])
        return c.reply_int(1)
    c.db.set_expire(e, when_ms)
    c.modified(key, NOTIFY_GENERIC, b"expire")
    if c.propagates():
        c.effect([b"PEXPIREAT", arg_bytes(key), b"%d" % when_ms])
    return c.reply_int(1)


cdef int cmd_expire(Client c) except -1:
    """EXPIRE key seconds [NX | XX | GT | LT] -> integer: 1, or 0 when there is no key or a condition fails.

    Errors: not an integer; overflow; options that exclude each other.
    Source: https://redis.io/commands/expire
    """
    return expire(c, c.core.now_ms, 1000)

declare(
    b"expire", native(cmd_expire), arity=-3, flags=WRITE | FAST, keys=key_at(1, "RW update"), since="1.0.0",
    complexity="O(1)",
    summary="Lets a key expire after some seconds.",
    args="key seconds:integer [condition=(NX | XX | GT | LT)@7.0.0]",
    history=(("7.0.0", "Options `NX`, `XX`, `GT` and `LT`."),),
)


cdef int cmd_pexpire(Client c) except -1:
    """PEXPIRE key milliseconds [NX | XX | GT | LT] -> integer: as EXPIRE.

    Source: https://redis.io/commands/pexpire
    """
    return expire(c, c.core.now_ms, 1)

declare(
    b"pexpire", native(cmd_pexpire), arity=-3, flags=WRITE | FAST, keys=key_at(1, "RW update"), since="2.6.0",
    complexity="O(1)",
    summary="Lets a key expire after some milliseconds.",
    args="key milliseconds:integer [condition=(NX | XX | GT | LT)@7.0.0]",
    history=(("7.0.0", "Options `NX`, `XX`, `GT` and `LT`."),),
)


cdef int cmd_expireat(Client c) except -1:
    """EXPIREAT key unix-time-seconds [NX | XX | GT | LT] -> integer: as EXPIRE.

    Source: https://redis.io/commands/expireat
    """
    return expire(c, 0, 1000)

declare(
    b"expireat", native(cmd_expireat), arity=-3, flags=WRITE | FAST, keys=key_at(1, "RW update"), since="1.2.0",
    complexity="O(1)",
    summary="Lets a key expire at a Unix time in seconds.",
    args="key unix-time-seconds:unix-time [condition=(NX | XX | GT | LT)@7.0.0]",
    history=(("7.0.0", "Options `NX`, `XX`, `GT` and `LT`."),),
)


cdef int cmd_pexpireat(Client c) except -1:
    """PEXPIREAT key unix-time-milliseconds [NX | XX | GT | LT] -> integer: as EXPIRE.

    Source: https://redis.io/commands/pexpireat
    """
    return expire(c, 0, 1)

declare(
    b"pexpireat", native(cmd_pexpireat), arity=-3, flags=WRITE | FAST, keys=key_at(1, "RW update"), since="2.6.0",
    complexity="O(1)",
    summary="Lets a key expire at a Unix time in milliseconds.",
    args="key unix-time-milliseconds:unix-time [condition=(NX | XX | GT | LT)@7.0.0]",
    history=(("7.0.0", "Options `NX`, `XX`, `GT` and `LT`."),),
)


cdef inline int64_t to_seconds(int64_t ms) noexcept:
    """Rounded to the nearest."""
    return ms // 1000 + (ms % 1000 >= 500)


cdef int reply_ttl(Client c, bint absolute, bint seconds) except -1:
    """The key's deadline or what is left until it; -2 without the key, -1 without a TTL."""
    cdef Entry* e = glance(c, &c.argv[1])
    cdef int64_t ms

    if e is NULL:
        return c.reply_int(-2)
    if not entry_has_ttl(e):
        return c.reply_int(-1)
    ms = c.db.when_ms(e)
    if not absolute:
        ms -= c.core.now_ms
    if ms < 0:
        ms = 0
    return c.reply_int(to_seconds(ms) if seconds else ms)


cdef int cmd_ttl(Client c) except -1:
    """TTL key -> integer: seconds left, rounded to the nearest; -1 without a TTL, -2 without the key.

    Source: https://redis.io/commands/ttl
    """
    return reply_ttl(c, False, True)

declare(
    b"ttl", native(cmd_ttl), arity=2, flags=READONLY | FAST, keys=key_at(1, "RO access"), since="1.0.0",
    tips=("nondeterministic_output",),
    complexity="O(1)",
    summary="Returns the time to live of a key in seconds.",
    args="key",
    history=(("2.8.0", "Answers -2 for a missing key."),),
)


cdef int cmd_pttl(Client c) except -1:
    """PTTL key -> integer: milliseconds left; -1 without a TTL, -2 without the key.

    Source: https://redis.io/commands/pttl
    """
    return reply_ttl(c, False, False)

declare(
    b"pttl", native(cmd_pttl), arity=2, flags=READONLY | FAST, keys=key_at(1, "RO access"), since="2.6.0",
    tips=("nondeterministic_output",),
    complexity="O(1)",
    summary="Returns the time to live of a key in milliseconds.",
    args="key",
    history=(("2.8.0", "Answers -2 for a missing key."),),
)


cdef int cmd_expiretime(Client c) except -1:
    """EXPIRETIME key -> integer: the deadline as a Unix time in seconds; -1 without a TTL, -2 without the key.

    Source: https://redis.io/commands/expiretime
    """
    return reply_ttl(c, True, True)

declare(
    b"expiretime", native(cmd_expiretime), arity=2, flags=READONLY | FAST, keys=key_at(1, "RO access"), since="7.0.0",
    complexity="O(1)",
    summary="Returns the Unix time in seconds at which a key expires.",
    args="key",
)


cdef int cmd_pexpiretime(Client c) except -1:
    """PEXPIRETIME key -> integer: the deadline as a Unix time in ms; -1 without a TTL, -2 without the key.

    Source: https://redis.io/commands/pexpiretime
    """
    return reply_ttl(c, True, False)

declare(
    b"pexpiretime", native(cmd_pexpiretime), arity=2, flags=READONLY | FAST, keys=key_at(1, "RO access"), since="7.0.0",
    complexity="O(1)",
    summary="Returns the Unix time in milliseconds at which a key expires.",
    args="key",
)


cdef int cmd_persist(Client c) except -1:
    """PERSIST key -> integer: 1, or 0 when there is no key or no TTL.

    Source: https://redis.io/commands/persist
    """
    cdef Arg* key = &c.argv[1]
    cdef Entry* e = c.db.lookup_write(key)

    if e is NULL or not c.db.remove_expire(e):
        return c.reply_int(0)
    c.modified(key, NOTIFY_GENERIC, b"persist")
    return c.reply_int(1)

declare(
    b"persist", native(cmd_persist), arity=2, flags=WRITE | FAST, keys=key_at(1, "RW update"), since="2.2.0",
    complexity="O(1)",
    summary="Removes the time to live from a key.",
    args="key",
)
