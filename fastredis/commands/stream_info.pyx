"""XINFO: what there is in a stream, and in its groups."""
from libc.stdint cimport UINT64_MAX, int64_t, uint32_t

from fastredis.commands.stream_groups cimport (
    Client, Consumer, Group, GroupCall, Id, Stream, misused, no_group_of_key,
)
from fastredis.commands.streams cimport reply_entries, reply_id, reply_range
from fastredis.ds.id_tree cimport IdPlace, idt_first, idt_id, idt_next, idt_value
from fastredis.engine.command cimport native
from fastredis.engine.errors cimport ERR_NO_KEY
from fastredis.engine.flags cimport CONTAINER, LOADING, READONLY, STALE
from fastredis.engine.options cimport arg_is, get_int_or_reply
from fastredis.values.entry cimport TYPE_STREAM, Entry
from fastredis.values.stream_group cimport Pending, consumer_name, group_at, group_find, group_name, pending_find
from fastredis.values.stream_idmp cimport Idmp, idmp_expire
from fastredis.values.stream_type cimport stream_first_id, stream_lag, stream_length, stream_of

from fastredis.commands.help_text import help_lines
from fastredis.engine.command import declarer
from fastredis.engine.declarations import key_at

declare = declarer("stream")

cdef enum:
    COUNT_DEFAULT = 10                  # entries that XINFO STREAM FULL shows
    IDMP_FIELDS = 6                     # that reply_idmp() replies

XINFO_HELP = """
CONSUMERS <key> <groupname>
    Show consumers of <groupname>.
GROUPS <key>
    Show the stream consumer groups.
STREAM <key> [FULL [COUNT <count>]
    Show information about the stream.
"""

declare(
    b"xinfo", None, arity=-2, flags=CONTAINER, since="5.0.0",
    complexity="Depends on the subcommand",
    summary="Tells about streams, groups and consumers.",
)


# ---------------------------------------------------------------- shared pieces

cdef Stream* stream_or_reply(Client c) except? NULL:
    """The stream argv[2]; NULL: an error is replied."""
    cdef Entry* e = c.db.lookup_read(&c.argv[2])

    if e is NULL:
        c.error(ERR_NO_KEY)
        return NULL
    return stream_of(e) if c.has_type(e, TYPE_STREAM) else NULL


cdef int number(Client c, const char* name, int64_t value) except -1:
    c.reply_text(name)
    return c.reply_int(value)


cdef int known_number(Client c, const char* name, int64_t value) except -1:
    """The same; -1: it is not known."""
    c.reply_text(name)
    return c.reply_int(value) if value != -1 else c.reply_null()


cdef int named_lag(Client c, Stream* s, Group* group) except -1:
    cdef int64_t lag = 0

    c.reply_text(b"lag")
    return c.reply_int(lag) if stream_lag(s, group, &lag) else c.reply_null()


cdef int named_id(Client c, const char* name, Id id) except -1:
    c.reply_text(name)
    return reply_id(c, id)


cdef int name_of_group(Client c, const Group* group) except -1:
    c.reply_text(b"name")
    return c.reply_bulk(group_name(group), group.name_size)


cdef int name_of_consumer(Client c, const Consumer* consumer) except -1:
    c.reply_text(b"name")
    return c.reply_bulk(consumer_name(consumer), consumer.name_size)


# ---------------------------------------------------------------- XINFO STREAM

cdef bint full_or_reply(Client c, bint* full, int64_t* count) except -1:
    """[FULL [COUNT n]], which are all arguments from argv[3] on."""
    full[0] = c.argc > 3
    count[0] = COUNT_DEFAULT
    if c.argc == 3:
        return True
    if c.argc not in (4, 6) or not arg_is(&c.argv[3], b"FULL"):
        return misused(c)
    if c.argc == 4:
        return True
    if not arg_is(&c.argv[4], b"COUNT"):
        return misused(c)
    if not get_int_or_reply(c, 5, count):
        return False
    if count[0] < 0:
        count[0] = COUNT_DEFAULT
    return True


cdef int reply_edge(Client c, const char* name, Stream* s, bint reverse) except -1:
    """The first entry, or the last one."""
    c.reply_text(name)
    if reply_entries(c, s, Id(0, 0), Id(UINT64_MAX, UINT64_MAX), 1, reverse) == 0:
        return c.reply_null()
    return 0


cdef int reply_pending(Client c, const Group* group, int64_t count) except -1:
    """What is pending in a group, up to so many, 0: all."""
    cdef IdPlace at = idt_first(&group.pending)
    cdef size_t mark = c.out.begin()
    cdef int64_t found = 0
    cdef Pending* p

    while at.leaf is not NULL and (count == 0 or found < count) and not c.out.over:
        p = <Pending*>idt_value(&group.pending, at)
        c.reply_array(4)
        reply_id(c, idt_id(at))
        if p.consumer is NULL:
            c.reply_bulk(b"", 0)
        else:
            c.reply_bulk(consumer_name(p.consumer), p.consumer.name_size)
        c.reply_int(p.time_ms if p.consumer is not NULL else 0)
        c.reply_int(p.deliveries)
        found += 1
        at = idt_next(at)
    return c.out.end_array(mark, found)


cdef int reply_consumer(Client c, const Group* group, const Consumer* consumer, int64_t count) except -1:
    """A consumer of XINFO STREAM FULL, with up to so many of what is pending for it, 0: all."""
    cdef IdPlace at = idt_first(&consumer.pending)
    cdef int64_t found = 0
    cdef size_t mark
    cdef Pending* p

    c.reply_map(5)
    name_of_consumer(c, consumer)
    number(c, b"seen-time", consumer.seen_ms)
    number(c, b"active-time", consumer.active_ms)
    number(c, b"pel-count", consumer.pending.count)
    c.reply_text(b"pending")
    mark = c.out.begin()
    while at.leaf is not NULL and (count == 0 or found < count) and not c.out.over:
        p = pending_find(group, idt_id(at))
        c.reply_array(3)
        reply_id(c, idt_id(at))
        c.reply_int(p.time_ms)
        c.reply_int(p.deliveries)
        found += 1
        at = idt_next(at)
    return c.out.end_array(mark, found)


cdef int reply_group(Client c, Stream* s, const Group* group, int64_t count) except -1:
    """A group of XINFO STREAM FULL."""
    cdef uint32_t i

    c.reply_map(8 if group.releases else 7)
    name_of_group(c, group)
    named_id(c, b"last-delivered-id", group.last_id)
    known_number(c, b"entries-read", group.entries_read)
    named_lag(c, s, group)
    number(c, b"pel-count", group.pending.count)
    if group.releases:                  # what 7.0 shows, unless something was ever released
        number(c, b"nacked-count", group.released)
    c.reply_text(b"pending")
    reply_pending(c, group, count)
    c.reply_text(b"consumers")
    c.reply_array(group.consumer_count)
    for i in range(group.consumer_count):
        reply_consumer(c, group, group.consumers[i], count)
    return 0


cdef int reply_idmp(Client c, const Idmp* idmp) except -1:
    """What is known of producers, in a stream that has had one; so 7.0's reply is the same for all others."""
    number(c, b"idmp-duration", idmp.duration_s)
    number(c, b"idmp-maxsize", idmp.maxsize)
    number(c, b"pids-tracked", idmp.producers.count)
    number(c, b"iids-tracked", idmp.iids)
    number(c, b"iids-added", idmp.added)
    return number(c, b"iids-duplicates", idmp.duplicates)


cdef int cmd_xinfo_stream(Client c) except -1:
    """XINFO STREAM key [FULL [COUNT n]] -> map. FULL: with entries, groups, consumers, and what is pending.

    The nodes of the tree are ours: B+ tree nodes that hold the listpacks. COUNT: how many entries of each list, 10 by
    default, 0: all. Errors: no such key; WRONGTYPE. Source: https://redis.io/commands/xinfo-stream
    """
    cdef Stream* s = stream_or_reply(c)
    cdef int64_t count
    cdef bint full
    cdef uint32_t i

    if s is NULL or not full_or_reply(c, &full, &count):
        return 0
    if s.idmp is not NULL:
        idmp_expire(&c.core.memory, s.idmp, c.core.now_ms)
    c.reply_map((9 if full else 10) + (IDMP_FIELDS if s.idmp is not NULL else 0))
    number(c, b"length", stream_length(s))
    number(c, b"radix-tree-keys", s.nodes.count)
    number(c, b"radix-tree-nodes", s.nodes.leaves + s.nodes.inners + 1)
    named_id(c, b"last-generated-id", s.last_id)
    named_id(c, b"max-deleted-entry-id", s.max_deleted_id)
    number(c, b"entries-added", s.entries_added)
    named_id(c, b"recorded-first-entry-id", stream_first_id(s))
    if s.idmp is not NULL:
        reply_idmp(c, s.idmp)
    if not full:
        number(c, b"groups", s.groups.count)
        reply_edge(c, b"first-entry", s, False)
        return reply_edge(c, b"last-entry", s, True)
    c.reply_text(b"entries")
    reply_range(c, s, Id(0, 0), Id(UINT64_MAX, UINT64_MAX), count, False)
    c.reply_text(b"groups")
    c.reply_array(s.groups.count)
    for i in range(s.groups.count):
        reply_group(c, s, group_at(&s.groups, i), count)
    return 0

declare(
    b"xinfo|stream", native(cmd_xinfo_stream), arity=-3, flags=READONLY, keys=key_at(2, "RO access"), since="5.0.0",
    complexity="O(1); with FULL O(N) where N is the number of what is shown",
    summary="Tells about a stream.",
    args="key [full-block={FULL [COUNT count:integer]}]",
    history=(("6.0.0", "`FULL`."), ("7.0.0", "What was deleted and added, and lags."), ("7.2.0", "`active-time`.")),
)


# ---------------------------------------------------------------- XINFO GROUPS, CONSUMERS, HELP

cdef int cmd_xinfo_groups(Client c) except -1:
    """XINFO GROUPS key -> array of maps.

    lag: entries that are still to come for the group; null: it cannot be told.
    Errors: no such key; WRONGTYPE. Source: https://redis.io/commands/xinfo-groups
    """
    cdef Stream* s = stream_or_reply(c)
    cdef Group* group
    cdef uint32_t i

    if s is NULL:
        return 0
    c.reply_array(s.groups.count)
    for i in range(s.groups.count):
        group = group_at(&s.groups, i)
        c.reply_map(6)
        name_of_group(c, group)
        number(c, b"consumers", group.consumer_count)
        number(c, b"pending", group.pending.count)
        named_id(c, b"last-delivered-id", group.last_id)
        known_number(c, b"entries-read", group.entries_read)
        named_lag(c, s, group)
    return 0

declare(
    b"xinfo|groups", native(cmd_xinfo_groups), arity=3, flags=READONLY, keys=key_at(2, "RO access"), since="5.0.0",
    complexity="O(N) where N is the number of groups",
    summary="Tells about the groups of a stream.",
    args="key",
    history=(("7.0.0", "`entries-read` and `lag`."),),
)


cdef int cmd_xinfo_consumers(Client c) except -1:
    """XINFO CONSUMERS key group -> array of maps.

    idle: ms since it tried to read; inactive: since it got an entry, -1: it never did.
    Errors: no such key; WRONGTYPE; NOGROUP. Source: https://redis.io/commands/xinfo-consumers
    """
    cdef Stream* s = stream_or_reply(c)
    cdef int64_t now_ms = c.core.now_ms
    cdef GroupCall call
    cdef Consumer* consumer
    cdef uint32_t i

    if s is NULL:
        return 0
    call.key, call.name = &c.argv[2], &c.argv[3]
    call.group = group_find(&s.groups, call.name.ptr, call.name.size)
    if call.group is NULL:
        return no_group_of_key(c, &call)
    c.reply_array(call.group.consumer_count)
    for i in range(call.group.consumer_count):
        consumer = call.group.consumers[i]
        c.reply_map(4)
        name_of_consumer(c, consumer)
        number(c, b"pending", consumer.pending.count)
        number(c, b"idle", max(now_ms - consumer.seen_ms, 0))
        number(c, b"inactive", now_ms - consumer.active_ms if consumer.active_ms != -1 else -1)
    return 0

declare(
    b"xinfo|consumers", native(cmd_xinfo_consumers), arity=4, flags=READONLY, keys=key_at(2, "RO access"),
    since="5.0.0", tips=("nondeterministic_output",),
    complexity="O(N) where N is the number of consumers",
    summary="Tells about the consumers of a group.",
    args="key group",
    history=(("7.2.0", "`inactive`."),),
)


def cmd_xinfo_help(c):
    """XINFO HELP -> array of simple strings."""
    c.reply(help_lines("XINFO", XINFO_HELP))


declare(
    b"xinfo|help", cmd_xinfo_help, arity=2, flags=LOADING | STALE, since="5.0.0",
    complexity="O(1)",
    summary="Explains the subcommands of XINFO.",
)
