"""HIMPORT: hashes made from lists of fields that the client has named before. Such a list is called a fieldset.

A fieldset belongs to the connection (Client.fieldsets) and is gone with it, or after RESET. The hashes made from it
are like all others; Redis keeps them in an encoding of their own, which shows in OBJECT ENCODING only.
"""
from libc.stdint cimport int64_t

from fastredis._resp cimport Arg, arg_bytes, arg_hash
from fastredis.engine.client cimport Client
from fastredis.engine.command cimport native
from fastredis.engine.core cimport NOTIFY_HASH
from fastredis.engine.errors cimport ERR_FIELDSET_COUNT, ERR_FIELDSET_TWICE, ERR_NO_FIELDSET
from fastredis.engine.flags cimport CONTAINER, DENYOOM, WRITE
from fastredis.values.entry cimport TYPE_HASH, Entry
from fastredis.values.hash_type cimport hash_expect, hash_new, hash_set

from fastredis.engine.command import declarer
from fastredis.engine.declarations import key_at

declare = declarer("hash")

declare(
    b"himport", None, arity=-2, flags=CONTAINER, acl=("hash",), since="8.10.0",
    complexity="Depends on the subcommand",
    summary="Makes many hashes that have the same fields.",
)


cdef int cmd_himport_prepare(Client c) except -1:
    """HIMPORT PREPARE fieldset-name field [field ...] -> OK; replaces a fieldset of that name.

    Errors: a field comes twice.
    Source: https://redis.io/docs/latest/commands/himport-prepare/
    """
    cdef tuple fields = tuple([arg_bytes(&c.argv[i]) for i in range(3, c.argc)])

    if len(set(fields)) < len(fields):
        return c.error(ERR_FIELDSET_TWICE)
    if c.fieldsets is None:
        c.fieldsets = {}
    c.fieldsets[arg_bytes(&c.argv[2])] = fields
    return c.reply_ok()

declare(
    b"himport|prepare", native(cmd_himport_prepare), arity=-4, flags=DENYOOM, since="8.10.0",
    complexity="O(N) where N is the number of fields",
    summary="Gives a list of fields a name, for this connection.",
    args="fieldset-name field...",
)


cdef Entry* hash_of(Client c, Arg* key, tuple fields) except NULL:
    """A hash of these fields and the values argv[4..], in no database yet."""
    cdef Entry* e = hash_new(&c.core.memory, key.ptr, key.size)
    cdef bytes field
    cdef int i

    hash_expect(&c.core.memory, &c.core.limits, e, len(fields))
    for i in range(len(fields)):
        field = <bytes>fields[i]
        hash_set(&c.core.memory, &c.core.limits, e, field, len(field), 0,
                 c.argv[4 + i].ptr, c.argv[4 + i].size, False)
    return e


cdef int cmd_himport_set(Client c) except -1:
    """HIMPORT SET key fieldset-name value [value ...] -> OK: the key becomes a hash of the fieldset's fields.

    A hash that was there goes, with its TTL. Propagated as HSET, after a DEL of what was there.
    Errors: WRONGTYPE for a key that is no hash; no such fieldset; not as many values as fields.
    Source: https://redis.io/docs/latest/commands/himport-set/
    """
    cdef Arg* key = &c.argv[2]
    cdef Entry* e = c.db.lookup_write(key)
    cdef Entry* fresh
    cdef bint replaced = e is not NULL
    cdef tuple fields
    cdef list words
    cdef int i

    if not c.has_type(e, TYPE_HASH):
        return 0
    fields = c.fieldsets.get(arg_bytes(&c.argv[3])) if c.fieldsets is not None else None
    if fields is None:
        return c.error(ERR_NO_FIELDSET)
    if len(fields) != c.argc - 4:
        return c.error(ERR_FIELDSET_COUNT)
    fresh = hash_of(c, key, fields)
    if replaced:
        c.db.replace(key, e, fresh, False)
    else:
        c.db.add(fresh, arg_hash(key))
    c.modified(key, NOTIFY_HASH, b"hset")
    if c.propagates():
        if replaced:
            c.effect([b"DEL", arg_bytes(key)])
        words = [b"HSET", arg_bytes(key)]
        for i in range(len(fields)):
            words += [fields[i], arg_bytes(&c.argv[4 + i])]
        c.effect(words)
        if replaced and c.db.is_blessed(key):
            c.effect([b"BLESS", b"SET", arg_bytes(key), b"NO-EVICT"])
    return c.reply_ok()

declare(
    b"himport|set", native(cmd_himport_set), arity=-5, flags=WRITE | DENYOOM, keys=key_at(2, "OW update"),
    since="8.10.0",
    complexity="O(N) where N is the number of values",
    summary="Makes a key a hash of the fields of a prepared list and of these values.",
    args="key fieldset-name value...",
)


cdef int cmd_himport_discard(Client c) except -1:
    """HIMPORT DISCARD fieldset-name -> integer: 1, or 0 when there is no such fieldset.

    Source: https://redis.io/docs/latest/commands/himport-discard/
    """
    if c.fieldsets is None:
        return c.reply_int(0)
    return c.reply_int(c.fieldsets.pop(arg_bytes(&c.argv[2]), None) is not None)

declare(
    b"himport|discard", native(cmd_himport_discard), arity=3, since="8.10.0",
    complexity="O(1)",
    summary="Forgets a list of fields.",
    args="fieldset-name",
)


cdef int cmd_himport_discardall(Client c) except -1:
    """HIMPORT DISCARDALL -> integer: how many fieldsets the connection had.

    Source: https://redis.io/docs/latest/commands/himport-discardall/
    """
    cdef int64_t count = len(c.fieldsets) if c.fieldsets is not None else 0

    c.fieldsets = None
    return c.reply_int(count)

declare(
    b"himport|discardall", native(cmd_himport_discardall), arity=2, since="8.10.0",
    complexity="O(1)",
    summary="Forgets all lists of fields of this connection.",
)
