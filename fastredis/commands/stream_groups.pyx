"""Commands on groups: XGROUP, XACK, XACKDEL, XNACK, XPENDING. What they hand out: stream_reading, stream_claims."""
from libc.stdint cimport INT64_MAX, UINT64_MAX, int64_t, uint32_t, uint64_t

from fastredis._resp cimport arg_bytes
from fastredis.commands.streams cimport (
    IdList, delete_by, end_or_reply, id_or_reply, id_text, ids_block_or_reply, ids_free, ids_or_reply, new_stream,
    only_effects, reply_id, reply_missing, start_or_reply, tell_deleted,
)
from fastredis.ds.id_tree cimport (
    IdPlace, id_less, idt_first, idt_from, idt_from_before, idt_id, idt_last, idt_next, idt_value,
)
from fastredis.ds.numbers cimport INT64_TEXT, format_int64
from fastredis.engine.command cimport Command, native
from fastredis.engine.core cimport NOTIFY_STREAM
from fastredis.engine.errors cimport ERR_SYNTAX
from fastredis.engine.flags cimport CONTAINER, DENYOOM, FAST, LOADING, READONLY, STALE, WRITE
from fastredis.engine.options cimport arg_is, get_int_or_reply, get_range_or_reply
from fastredis.values.entry cimport TYPE_STREAM, Entry
from fastredis.values.stream_group cimport (
    READ_UNKNOWN, Pending, consumer_add, consumer_find, consumer_name, consumer_remove, group_add, group_find,
    group_remove, pending_find, pending_give, pending_release, pending_remove,
)
from fastredis.values.stream_type cimport stream_has, stream_of

from fastredis.commands.help_text import help_lines
from fastredis.engine.command import declarer
from fastredis.engine.declarations import key_at
from fastredis.engine.errors import subcommand_error

declare = declarer("stream")

XGROUP_HELP = """
CREATE <key> <groupname> <id|$> [option]
    Create a new consumer group. Options are:
    * MKSTREAM
      Create the empty stream if it does not exist.
    * ENTRIESREAD entries_read
      Set the group's entries_read counter (internal use).
CREATECONSUMER <key> <groupname> <consumer>
    Create a new consumer in the specified group.
DELCONSUMER <key> <groupname> <consumer>
    Remove the specified consumer.
DESTROY <key> <groupname>
    Remove the specified group.
SETID <key> <groupname> <id|$> [ENTRIESREAD entries_read]
    Set the current group ID and entries_read counter.
"""


# ---------------------------------------------------------------- shared pieces

cdef bint find_group(Client c, GroupCall* call, Arg* key, Arg* name) except -1:
    cdef Entry* e = c.db.lookup_read(key)

    if not c.has_type(e, TYPE_STREAM):
        return False
    call.key, call.name = key, name
    call.s, call.group, call.consumer, call.untold = NULL, NULL, NULL, False
    if e is not NULL:
        if (<Command>c.command).flags & WRITE:
            c.db.before_change(e)
        call.s = stream_of(e)
        call.group = group_find(&call.s.groups, name.ptr, name.size)
    return True


cdef bytes shown(Arg* a):
    return arg_bytes(a).partition(b"\0")[0]


cdef bint misused(Client c) except -1:
    name = shown(&c.argv[1]).decode("utf-8", "surrogateescape")
    c.error_text(subcommand_error(shown(&c.argv[0]).decode("utf-8", "surrogateescape").upper(), name)
                 .encode("utf-8", "surrogateescape"))
    return False


cdef int no_group(Client c, GroupCall* call, bytes end) except -1:
    return c.error_text(b"NOGROUP No such key '" + shown(call.key) + b"' or consumer group '" + shown(call.name)
                        + b"'" + end)


cdef int use_consumer(Client c, GroupCall* call, Arg* name) except -1:
    call.consumer = consumer_find(call.group, name.ptr, name.size)
    if call.consumer is NULL:
        call.consumer = consumer_add(&c.core.memory, call.group, name.ptr, name.size, c.core.now_ms)
        call.untold = True
        c.core.dirty += 1
        c.note(call.key, NOTIFY_STREAM, b"xgroup-createconsumer")
    call.consumer.seen_ms = c.core.now_ms
    return 0


cdef int give(Client c, GroupCall* call, Id id, int64_t time_ms, int64_t deliveries) except -1:
    pending_give(call.group, id, call.consumer, time_ms, <uint64_t>deliveries)
    call.consumer.active_ms = c.core.now_ms
    call.untold = False
    return claim_effect(c, call, id)


cdef int claim_effect(Client c, GroupCall* call, Id id) except -1:
    cdef Pending* p

    if not c.propagates():
        return 0
    p = pending_find(call.group, id)
    return c.effect([
        b"XCLAIM", arg_bytes(call.key), arg_bytes(call.name), consumer_name(p.consumer)[:p.consumer.name_size], b"0",
        id_text(id), b"TIME", b"%d" % p.time_ms, b"RETRYCOUNT", b"%d" % p.deliveries, b"FORCE", b"JUSTID", b"LASTID",
        id_text(call.group.last_id)])


cdef int release_effect(Client c, GroupCall* call, Id id) except -1:
    if not c.propagates():
        return 0
    return c.effect([b"XNACK", arg_bytes(call.key), arg_bytes(call.name), b"FAIL", b"IDS", b"1", id_text(id),
                     b"RETRYCOUNT", b"%d" % pending_find(call.group, id).deliveries, b"FORCE"])


cdef int drop_effect(Client c, GroupCall* call, Id id) except -1:
    if not c.propagates():
        return 0
    return c.effect([b"XACK", arg_bytes(call.key), arg_bytes(call.name), id_text(id)])


cdef int wake_claimers(Client c, GroupCall* call) except -1:
    return c.engine.key_ready(c.db, call.key.ptr, call.key.size) if c.core.listeners else 0


cdef int position_effect(Client c, GroupCall* call) except -1:
    if not c.propagates():
        return 0
    return c.effect([b"XGROUP", b"SETID", arg_bytes(call.key), arg_bytes(call.name), id_text(call.group.last_id),
                     b"ENTRIESREAD", b"%d" % call.group.entries_read])


cdef int consumer_effect(Client c, GroupCall* call) except -1:
    if not call.untold or not c.propagates():
        return 0
    call.untold = False
    return c.effect([b"XGROUP", b"CREATECONSUMER", arg_bytes(call.key), arg_bytes(call.name),
                     consumer_name(call.consumer)[:call.consumer.name_size]])


# ---------------------------------------------------------------- XGROUP

declare(
    b"xgroup", None, arity=-2, flags=CONTAINER, since="5.0.0",
    complexity="Depends on the subcommand",
    summary="Makes, changes and removes groups and their consumers.",
)

cdef struct GroupOptions:               # of XGROUP CREATE and SETID
    bint mkstream
    int64_t entries_read


cdef bint group_options_or_reply(Client c, bint creates, GroupOptions* given) except -1:
    cdef int i = 5

    given.mkstream = False
    given.entries_read = READ_UNKNOWN
    while i < c.argc:
        if creates and arg_is(&c.argv[i], b"MKSTREAM"):
            given.mkstream = True
            i += 1
        elif arg_is(&c.argv[i], b"ENTRIESREAD") and i + 1 < c.argc:
            if not get_int_or_reply(c, i + 1, &given.entries_read):
                return False
            if given.entries_read < 0 and given.entries_read != READ_UNKNOWN:
                c.error(b"ERR value for ENTRIESREAD must be positive or -1")
                return False
            i += 2
        else:
            return misused(c)
    return True


cdef bint stream_to_change_or_reply(Client c, GroupCall* call, bint must_be) except -1:
    """The stream argv[2] and the group argv[3] of it; must_be: the key has to be there."""
    cdef Entry* e = c.db.lookup_write(&c.argv[2])

    if not c.has_type(e, TYPE_STREAM):
        return False
    if e is NULL and must_be:
        c.error(b"ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to use the "
                b"MKSTREAM option to create an empty stream automatically.")
        return False
    call.key, call.name = &c.argv[2], &c.argv[3]
    call.s, call.group, call.consumer, call.untold = NULL, NULL, NULL, False
    if e is not NULL:
        call.s = stream_of(e)
        call.group = group_find(&call.s.groups, call.name.ptr, call.name.size)
    return True


cdef int no_group_of_key(Client c, GroupCall* call) except -1:
    return c.error_text(b"NOGROUP No such consumer group '" + shown(call.name) + b"' for key name '" + shown(call.key)
                        + b"'")


cdef bint group_to_change_or_reply(Client c, GroupCall* call) except -1:
    """The same, and the group has to be there, too."""
    if not stream_to_change_or_reply(c, call, True):
        return False
    if call.group is NULL:
        no_group_of_key(c, call)
    return call.group is not NULL


cdef int changed(Client c, GroupCall* call, const char* event) except -1:
    """A group is not what it was."""
    c.core.dirty += 1
    return c.note(call.key, NOTIFY_STREAM, event)


cdef bint position_or_reply(Client c, GroupCall* call, bint bounds, Id* id) except -1:
    """argv[4]: an id, or $ for the last one there ever was. bounds: - and + will do as well."""
    if arg_is(&c.argv[4], b"$"):
        id[0] = call.s.last_id if call.s is not NULL else Id(0, 0)
    elif bounds and arg_is(&c.argv[4], b"-"):
        id[0] = Id(0, 0)
    elif bounds and arg_is(&c.argv[4], b"+"):
        id[0] = Id(UINT64_MAX, UINT64_MAX)
    else:
        return id_or_reply(c, 4, 0, id)
    return True


cdef int cmd_xgroup_create(Client c) except -1:
    """XGROUP CREATE key group id|$ [MKSTREAM] [ENTRIESREAD n] -> OK: a group that reads what comes behind that id.

    Errors: no such key; WRONGTYPE; BUSYGROUP. Source: https://redis.io/commands/xgroup-create
    """
    cdef GroupOptions given
    cdef GroupCall call
    cdef bint fresh
    cdef Id id

    if not group_options_or_reply(c, True, &given) or not stream_to_change_or_reply(c, &call, not given.mkstream):
        return 0
    if c.argc > 8:
        misused(c)
        return 0
    if not position_or_reply(c, &call, False, &id):
        return 0
    if call.group is not NULL:
        return c.error(b"BUSYGROUP Consumer Group name already exists")
    fresh = call.s is NULL
    if fresh:
        call.s = stream_of(new_stream(c, call.key))
    group_add(&c.core.memory, &call.s.groups, call.name.ptr, call.name.size, id, given.entries_read)
    if fresh:
        c.modified(call.key, NOTIFY_STREAM, b"xgroup-create")
    else:
        changed(c, &call, b"xgroup-create")
    return c.reply_ok()

declare(
    b"xgroup|create", native(cmd_xgroup_create), arity=-5, flags=WRITE | DENYOOM, keys=key_at(2, "RW insert"),
    since="5.0.0",
    complexity="O(1)",
    summary="Makes a group.",
    args="key group id-selector=(id | new-id=\"$\") [MKSTREAM] [ENTRIESREAD entriesread<entries-read>:integer]",
    history=(("7.0.0", "`ENTRIESREAD`."),),
)


cdef int cmd_xgroup_setid(Client c) except -1:
    """XGROUP SETID key group id|$ [ENTRIESREAD n] -> OK: the group goes on behind that id.

    Errors: no such key; WRONGTYPE; NOGROUP. Source: https://redis.io/commands/xgroup-setid
    """
    cdef GroupOptions given
    cdef GroupCall call
    cdef Id id

    if not group_options_or_reply(c, False, &given) or not group_to_change_or_reply(c, &call):
        return 0
    if c.argc > 7:
        misused(c)
        return 0
    if not position_or_reply(c, &call, True, &id):
        return 0
    call.group.last_id = id
    call.group.entries_read = given.entries_read
    changed(c, &call, b"xgroup-setid")
    return c.reply_ok()

declare(
    b"xgroup|setid", native(cmd_xgroup_setid), arity=-5, flags=WRITE, keys=key_at(2, "RW update"), since="5.0.0",
    complexity="O(1)",
    summary="Sets the id behind which a group goes on.",
    args="key group id-selector=(id | new-id=\"$\") [ENTRIESREAD entriesread<entries-read>:integer]",
    history=(("7.0.0", "`ENTRIESREAD`."),),
)


cdef int cmd_xgroup_destroy(Client c) except -1:
    """XGROUP DESTROY key group -> integer: 1, or 0: there was none. Who waits for it gets NOGROUP.

    Errors: no such key; WRONGTYPE. Source: https://redis.io/commands/xgroup-destroy
    """
    cdef GroupCall call

    if not stream_to_change_or_reply(c, &call, True):
        return 0
    if call.group is NULL:
        return c.reply_int(0)
    group_remove(&c.core.memory, &call.s.groups, call.group)
    changed(c, &call, b"xgroup-destroy")
    if c.core.listeners:
        c.engine.key_ready(c.db, call.key.ptr, call.key.size)
    return c.reply_int(1)

declare(
    b"xgroup|destroy", native(cmd_xgroup_destroy), arity=4, flags=WRITE, keys=key_at(2, "RW delete"), since="5.0.0",
    complexity="O(N) where N is the number of entries that are pending",
    summary="Removes a group with all that is pending in it.",
    args="key group",
)


cdef int cmd_xgroup_createconsumer(Client c) except -1:
    """XGROUP CREATECONSUMER key group consumer -> integer: 1, or 0: it was there.

    Errors: no such key; WRONGTYPE; NOGROUP. Source: https://redis.io/commands/xgroup-createconsumer
    """
    cdef GroupCall call
    cdef Arg* name = &c.argv[4]

    if not group_to_change_or_reply(c, &call):
        return 0
    if consumer_find(call.group, name.ptr, name.size) is not NULL:
        return c.reply_int(0)
    consumer_add(&c.core.memory, call.group, name.ptr, name.size, c.core.now_ms)
    changed(c, &call, b"xgroup-createconsumer")
    return c.reply_int(1)

declare(
    b"xgroup|createconsumer", native(cmd_xgroup_createconsumer), arity=5, flags=WRITE | DENYOOM,
    keys=key_at(2, "RW insert"), since="6.2.0",
    complexity="O(log(N)) where N is the number of consumers",
    summary="Makes a consumer of a group.",
    args="key group consumer",
)


cdef int cmd_xgroup_delconsumer(Client c) except -1:
    """XGROUP DELCONSUMER key group consumer -> integer: entries that were pending for it, which are so no more.

    Errors: no such key; WRONGTYPE; NOGROUP. Source: https://redis.io/commands/xgroup-delconsumer
    """
    cdef GroupCall call
    cdef Consumer* consumer
    cdef uint64_t pending = 0

    if not group_to_change_or_reply(c, &call):
        return 0
    consumer = consumer_find(call.group, c.argv[4].ptr, c.argv[4].size)
    if consumer is not NULL:
        pending = consumer_remove(&c.core.memory, call.group, consumer)
        changed(c, &call, b"xgroup-delconsumer")
    return c.reply_int(pending)

declare(
    b"xgroup|delconsumer", native(cmd_xgroup_delconsumer), arity=5, flags=WRITE, keys=key_at(2, "RW delete"),
    since="5.0.0",
    complexity="O(N) where N is the number of entries that are pending for it",
    summary="Removes a consumer of a group.",
    args="key group consumer",
)


def cmd_xgroup_help(c):
    """XGROUP HELP -> array of simple strings."""
    c.reply(help_lines("XGROUP", XGROUP_HELP))


declare(
    b"xgroup|help", cmd_xgroup_help, arity=2, flags=LOADING | STALE, since="5.0.0",
    complexity="O(1)",
    summary="Explains the subcommands of XGROUP.",
)


# ---------------------------------------------------------------- acknowledging

cdef int cmd_xack(Client c) except -1:
    """XACK key group id ... -> integer: how many were pending, which are so no more.

    Errors: WRONGTYPE; not an id. Source: https://redis.io/commands/xack
    """
    cdef GroupCall call
    cdef int64_t acked = 0
    cdef int64_t i
    cdef IdList ids

    if not find_group(c, &call, &c.argv[1], &c.argv[2]):
        return 0
    if call.group is NULL:
        return c.reply_int(0)
    if ids_or_reply(c, 3, c.argc - 3, &ids):
        for i in range(ids.count):
            acked += pending_remove(call.group, ids.items[i])
        c.core.dirty += acked
        c.reply_int(acked)
    ids_free(c, &ids)
    return 0

declare(
    b"xack", native(cmd_xack), arity=-4, flags=WRITE | FAST, keys=key_at(1, "RW update"), since="5.0.0",
    complexity="O(log(N)) for each id where N is the number of entries that are pending",
    summary="Acknowledges entries: they are pending no more.",
    args="key group id...",
)


cdef int cmd_xackdel(Client c) except -1:
    """XACKDEL key group [KEEPREF|DELREF|ACKED] IDS n id ... -> array: for each id 1, -1: not pending, 2: not deleted.

    ACKED: an entry stays that another group has not read, or not acknowledged.
    Errors: WRONGTYPE; syntax; not an id. Source: https://redis.io/commands/xackdel
    """
    cdef GroupCall call
    cdef int64_t count, i, deleted = 0
    cdef int policy, first, result
    cdef IdList ids

    if not find_group(c, &call, &c.argv[1], &c.argv[2]) or not ids_block_or_reply(c, 3, &policy, &first, &count):
        return 0
    if call.group is NULL:
        return reply_missing(c, count)
    if ids_or_reply(c, first, count, &ids):
        c.reply_array(count)
        for i in range(count):
            if not pending_remove(call.group, ids.items[i]):
                c.reply_int(-1)
                continue
            c.core.dirty += 1
            result = delete_by(c, call.s, ids.items[i], policy)
            deleted += result == 1
            c.reply_int(2 if result == 2 else 1)
        tell_deleted(c, deleted)
    ids_free(c, &ids)
    return 0

declare(
    b"xackdel", native(cmd_xackdel), arity=-6, flags=WRITE | FAST, keys=key_at(1, "RW update delete"), since="8.2.0",
    complexity="O(log(N)) for each id where N is the number of entries, and with DELREF and ACKED for each group",
    summary="Acknowledges entries and deletes them, with regard to other groups that still need them.",
    args="key group [condition=(KEEPREF | DELREF | ACKED)] IDS ids={numids:integer id...}",
)


# ---------------------------------------------------------------- releasing

cdef enum:                              # modes of XNACK
    NACK_SILENT
    NACK_FAIL
    NACK_FATAL

cdef struct Nack:                       # arguments of XNACK
    int mode
    int64_t deliveries                  # RETRYCOUNT; -1: not given
    bint force
    int first_id
    int64_t count                       # of ids; 0: IDS is missing


cdef bint nack_mode_or_reply(Client c, Nack* nack) except -1:
    if arg_is(&c.argv[3], b"SILENT"):
        nack.mode = NACK_SILENT
    elif arg_is(&c.argv[3], b"FAIL"):
        nack.mode = NACK_FAIL
    elif arg_is(&c.argv[3], b"FATAL"):
        nack.mode = NACK_FATAL
    else:
        c.error(b"ERR mode must be SILENT, FAIL, or FATAL")
        return False
    return True


cdef bint nack_or_reply(Client c, Nack* nack) except -1:
    """The mode and the options of XNACK."""
    cdef int i = 4

    nack.deliveries, nack.force, nack.first_id, nack.count = -1, False, 0, 0
    if not nack_mode_or_reply(c, nack):
        return False
    while i < c.argc:
        if arg_is(&c.argv[i], b"FORCE"):
            nack.force = True
        elif arg_is(&c.argv[i], b"RETRYCOUNT") and i + 1 < c.argc:
            i += 1
            if not get_int_or_reply(c, i, &nack.deliveries):
                return False
            if nack.deliveries < 0:
                c.error(b"ERR Invalid RETRYCOUNT value, must be >= 0")
                return False
        elif arg_is(&c.argv[i], b"IDS") and i + 1 < c.argc and not nack.count:
            if not get_range_or_reply(c, i + 1, 1, INT64_MAX, &nack.count, b"ERR numids must be a positive integer"):
                return False
            if nack.count > c.argc - i - 2:
                c.error(b"ERR number of IDs doesn't match numids")
                return False
            nack.first_id = i + 2
            i += 1 + <int>nack.count
        else:
            c.error_text(b"ERR Unrecognized XNACK option '" + shown(&c.argv[i]) + b"'")
            return False
        i += 1
    if not nack.count:
        c.error(b"ERR syntax error, expected IDS keyword")
    return nack.count != 0


cdef bint release(Client c, GroupCall* call, const Nack* nack, Id id) except -1:
    """Have an entry be nobody's; False: it is not pending, and may not become so."""
    cdef Pending* p = pending_find(call.group, id)
    cdef int64_t deliveries = nack.deliveries

    if p is NULL and not (nack.force and stream_has(call.s, id)):
        return False
    if deliveries < 0 and nack.mode == NACK_FATAL:
        deliveries = INT64_MAX
    elif deliveries < 0:
        deliveries = <int64_t>p.deliveries if p is not NULL else 0
        if nack.mode == NACK_SILENT:
            deliveries = max(deliveries - 1, 0)
    pending_release(call.group, id, <uint64_t>deliveries)
    c.core.dirty += 1
    release_effect(c, call, id)
    return True


cdef int cmd_xnack(Client c) except -1:
    """XNACK key group SILENT|FAIL|FATAL IDS n id ... [RETRYCOUNT n] [FORCE] -> integer: how many are nobody's now.

    What is pending can be claimed by anybody at once, what was released first before all else. SILENT: this delivery
    does not count; FATAL: as if there had been as many as can be counted. FORCE: entries that are not pending, too.
    Errors: WRONGTYPE; NOGROUP; syntax. Source: https://redis.io/commands/xnack
    """
    cdef GroupCall call
    cdef Nack nack
    cdef IdList ids
    cdef int64_t released = 0
    cdef int64_t i

    if not nack_or_reply(c, &nack) or not find_group(c, &call, &c.argv[1], &c.argv[2]):
        return 0
    if call.group is NULL:
        return no_group(c, &call, b"")
    if ids_or_reply(c, nack.first_id, nack.count, &ids):
        for i in range(ids.count):
            released += release(c, &call, &nack, ids.items[i])
        if released:
            wake_claimers(c, &call)
        c.reply_int(released)
        only_effects(c)
    ids_free(c, &ids)
    return 0

declare(
    b"xnack", native(cmd_xnack), arity=-7, flags=WRITE | FAST, keys=key_at(1, "RW update"), since="8.8.0",
    complexity="O(log(N)) for each id where N is the number of entries that are pending",
    summary="Releases entries that are pending: they can be claimed by anybody at once.",
    args="key group mode=(SILENT | FAIL | FATAL) IDS ids={numids:integer id...} [RETRYCOUNT count:integer] [FORCE]",
)


# ---------------------------------------------------------------- XPENDING

cdef struct PendingArgs:                # arguments of XPENDING with a range
    int64_t min_idle
    Id start
    Id end
    int64_t count
    Arg* consumer                       # NULL: all


cdef bint pending_args_or_reply(Client c, PendingArgs* args) except -1:
    cdef int at = 3

    args.min_idle = 0
    if arg_is(&c.argv[3], b"IDLE"):
        if not get_int_or_reply(c, 4, &args.min_idle):
            return False
        if c.argc < 8:
            c.error(ERR_SYNTAX)
            return False
        at = 5
    if not get_int_or_reply(c, at + 2, &args.count):
        return False
    if not start_or_reply(c, at, &args.start) or not end_or_reply(c, at + 1, &args.end):
        return False
    args.consumer = &c.argv[at + 3] if at + 3 < c.argc else NULL
    return True


cdef int reply_summary(Client c, const Group* group) except -1:
    """How many are pending, the first and the last of them, and how many of each consumer."""
    cdef char[INT64_TEXT] text
    cdef const Consumer* consumer
    cdef int64_t consumers = 0
    cdef size_t mark
    cdef uint32_t i

    c.reply_array(4)
    c.reply_int(group.pending.count)
    if group.pending.count == 0:
        c.reply_null()
        c.reply_null()
        return c.reply_null_array()
    reply_id(c, idt_id(idt_first(&group.pending)))
    reply_id(c, idt_id(idt_last(&group.pending)))
    mark = c.out.begin()
    for i in range(group.consumer_count):
        consumer = group.consumers[i]
        if consumer.pending.count:
            c.reply_array(2)
            c.reply_bulk(consumer_name(consumer), consumer.name_size)
            c.reply_bulk(text, format_int64(text, consumer.pending.count))
            consumers += 1
    return c.out.end_array(mark, consumers)


cdef int64_t latest(int64_t now_ms, int64_t min_idle) noexcept:
    """The latest time of delivery of what has been idle for so long."""
    if min_idle < 0 and now_ms > INT64_MAX + min_idle:
        return INT64_MAX
    return now_ms - min_idle


cdef int reply_pending(Client c, Id id, const Pending* p) except -1:
    c.reply_array(4)
    reply_id(c, id)
    if p.consumer is NULL:
        c.reply_bulk(b"", 0)
        c.reply_int(-1)
    else:
        c.reply_bulk(consumer_name(p.consumer), p.consumer.name_size)
        c.reply_int(max(c.core.now_ms - p.time_ms, 0))
    return c.reply_int(p.deliveries)


cdef int64_t reply_pending_of_group(Client c, const Group* group, const PendingArgs* args) except -1:
    """What is pending in a range, without a header; what has not been idle for so long is not looked at. How many."""
    cdef int64_t until = latest(c.core.now_ms, args.min_idle) if args.min_idle else INT64_MAX
    cdef IdPlace at = idt_from_before(&group.pending, args.start, until)
    cdef int64_t found = 0

    while found < args.count and at.leaf is not NULL and not id_less(args.end, idt_id(at)) and not c.out.over:
        reply_pending(c, idt_id(at), <Pending*>idt_value(&group.pending, at))
        found += 1
        at = idt_next(at)
        if at.leaf is not NULL and (<Pending*>idt_value(&group.pending, at)).time_ms > until:
            at = idt_from_before(&group.pending, idt_id(at), until)
    return found


cdef int64_t reply_pending_of_one(Client c, const Group* group, const Consumer* consumer,
                                  const PendingArgs* args) except -1:
    """The same of one consumer."""
    cdef int64_t until = latest(c.core.now_ms, args.min_idle) if args.min_idle else INT64_MAX
    cdef IdPlace at = idt_from(&consumer.pending, args.start)
    cdef int64_t found = 0
    cdef Pending* p

    while found < args.count and at.leaf is not NULL and not id_less(args.end, idt_id(at)) and not c.out.over:
        p = pending_find(group, idt_id(at))
        if p.time_ms <= until:
            reply_pending(c, idt_id(at), p)
            found += 1
        at = idt_next(at)
    return found


cdef int cmd_xpending(Client c) except -1:
    """XPENDING key group [[IDLE ms] start end count [consumer]] -> what is pending.

    Without a range: how many, the lowest and the highest id, and how many of each consumer. With one: for each its id,
    its consumer, for how long it has been idle, how often it was delivered.
    Cost: O(log n) and the result; with a consumer and IDLE, all of his in the range.
    Errors: WRONGTYPE; NOGROUP; syntax. Source: https://redis.io/commands/xpending
    """
    cdef PendingArgs args
    cdef GroupCall call
    cdef Consumer* consumer = NULL
    cdef size_t mark

    if c.argc != 3 and not 6 <= c.argc <= 9:
        return c.error(ERR_SYNTAX)
    if c.argc != 3 and not pending_args_or_reply(c, &args):
        return 0
    if not find_group(c, &call, &c.argv[1], &c.argv[2]):
        return 0
    if call.group is NULL:
        return no_group(c, &call, b"")
    if c.argc == 3:
        return reply_summary(c, call.group)
    if args.consumer is not NULL:
        consumer = consumer_find(call.group, args.consumer.ptr, args.consumer.size)
        if consumer is NULL:
            return c.reply_array(0)
    mark = c.out.begin()
    if consumer is NULL:
        return c.out.end_array(mark, reply_pending_of_group(c, call.group, &args))
    return c.out.end_array(mark, reply_pending_of_one(c, call.group, consumer, &args))

declare(
    b"xpending", native(cmd_xpending), arity=-3, flags=READONLY, keys=key_at(1, "RO access"), since="5.0.0",
    tips=("nondeterministic_output",),
    complexity="O(log(N)+M) where N is the number of entries that are pending and M that of those returned; O(C) "
               "without a range, where C is the number of consumers",
    summary="Tells what is pending in a group.",
    args="key group [filters={[IDLE min-idle-time:integer@6.2.0] start end count:integer [consumer]}]",
    history=(("6.2.0", "`IDLE`, and bounds that do not belong to the range."),),
)
