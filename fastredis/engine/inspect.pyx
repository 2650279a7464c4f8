"""What Python may read of the engine's C side: counters for INFO, facts about entries for DEBUG and MEMORY.

Nothing here is on the way of a request. Durations that the engine counts in ticks of the cycle counter come out in
microseconds.
"""
from libc.stdint cimport UINT64_MAX, int64_t, uint64_t
from libc.string cimport memcpy, memset

from fastredis._resp cimport Arg, arg_hash, arg_of
from fastredis.ds.alloc cimport Account, mem_alloc, mem_free
from fastredis.ds.glob cimport glob_match
from fastredis.ds.histogram cimport Histogram, bucket_end, histogram_free, histogram_percentile
from fastredis.ds.id_tree cimport Id
from fastredis.ds.listpack cimport LpItem, lp_text
from fastredis.ds.native cimport monotonic_us, wall_us
from fastredis.ds.numbers cimport DOUBLE_TEXT, INT64_TEXT, format_double, format_int64
from fastredis.ds.quicklist cimport QlIter, QlNode, Quicklist, ql_item, ql_iter_end, ql_next
from fastredis.ds.sparse_array cimport WORD_TEXT, ArrayIter, array_iter, array_next, word_text
from fastredis.ds.table cimport Table, table_stats
from fastredis.engine.client cimport Client
from fastredis.engine.connection cimport Connection
from fastredis.engine.core cimport FIXED_BY_DEBUG, GATE_LOADING, Core, not_evictable
from fastredis.engine.engine cimport C_DENY_BLOCKING, C_REPLICA, CommandStats, Engine
from fastredis.engine.keyspace cimport Database, KeyWalk, idle_seconds, walk_begin, walk_end, walk_next
from fastredis.engine.multi cimport Queue
from fastredis.values.array_type cimport array_of
from fastredis.values.entry cimport (
    ENC_HASHTABLE, ENC_HASHTABLE_EX, ENC_QUICKLIST, ENC_SKIPLIST, TYPE_ARRAY, TYPE_HASH, TYPE_LIST, TYPE_MODULE,
    TYPE_SET, TYPE_STREAM, TYPE_STRING, TYPE_ZSET, Entry, entry_encoding, entry_has_ttl, entry_key, entry_lru,
    entry_slot, entry_type,
)
from fastredis.values.hash_type cimport HashIter, hash_iter, hash_iter_end, hash_next
from fastredis.values.list_type cimport list_iter
from fastredis.values.opaque_type cimport opaque_bytes, opaque_of
from fastredis.values.set_type cimport SetIter, set_iter, set_iter_end, set_next
from fastredis.values.stream_type cimport StreamIter, stream_field, stream_iter, stream_next, stream_of
from fastredis.values.string_type cimport string_new, string_view
from fastredis.values.value cimport encoding_name, entry_count, entry_memory, entry_verify
from fastredis.values.zset_type cimport ZsetIter, zset_count, zset_next, zset_seek_rank


cdef extern from *:
    """
    #if defined(__GNUC__)
    #define FR_COMPILER_MAJOR __GNUC__
    #define FR_COMPILER_MINOR __GNUC_MINOR__
    #define FR_COMPILER_PATCH __GNUC_PATCHLEVEL__
    #else
    #define FR_COMPILER_MAJOR 0
    #define FR_COMPILER_MINOR 0
    #define FR_COMPILER_PATCH 0
    #endif
    #if defined(__x86_64__)
    #define FR_HAS_TSC 1
    #else
    #define FR_HAS_TSC 0
    #endif
    """
    int COMPILER_MAJOR "FR_COMPILER_MAJOR"
    int COMPILER_MINOR "FR_COMPILER_MINOR"
    int COMPILER_PATCH "FR_COMPILER_PATCH"
    bint HAS_TSC "FR_HAS_TSC"

cdef enum:
    MOST_POWER = 60                 # of two, in ns: the longest that a command can take

COMPILER_VERSION = f"{COMPILER_MAJOR}.{COMPILER_MINOR}.{COMPILER_PATCH}"


# --- counters ---------------------------------------------------------------------------

def statistics(Engine engine not None):
    """Every counter of the engine that INFO shows, by the name of its field in Core (or as named here)."""
    cdef Core* core = &engine.core
    cdef double rate = engine.ticks_per_us()

    core.memory.peak = max(core.memory.peak, core.memory.used)
    return {
        "used_memory": core.memory.used,
        "used_memory_peak": core.memory.peak,
        "not_evictable": not_evictable(core),
        "now_us": core.now_ms * 1000 if core.held else wall_us() + core.shift_ms * 1000,
        "uptime_us": monotonic_us() - engine.start_us,
        "ticks_per_us": rate if HAS_TSC else 0.0,
        "lru_clock": core.lru_clock,
        "loading": bool(core.gate & GATE_LOADING),
        "dirty": core.dirty,
        "commands": core.commands,
        "connections": core.connections,
        "rejected_connections": core.rejected_connections,
        "bytes_in": core.bytes_in,
        "bytes_out": core.bytes_out,
        "reads": core.reads,
        "writes": core.writes,
        "hits": core.hits,
        "misses": core.misses,
        "expired": core.expired,
        "expired_parts": core.expired_parts,
        "expire_cycle_us": core.expire_cycle_us,
        "expire_slices_full": core.expire_slices_full,
        "evicted": core.evicted,
        "evicted_clients": core.evicted_clients,
        "lazy_pending": core.lazy_pending,
        "lazy_freed": core.lazy_freed,
        "errors": core.errors,
        "unexpected_errors": core.unexpected_errors,
        "reply_shrinks": core.reply_shrinks,
        "reply_expands": core.reply_expands,
        "query_limit_closed": core.query_limit_closed,
        "output_limit_closed": core.output_limit_closed,
        "turns": core.turns,
        "turn_us": <int64_t>(core.turn_ticks / rate),
        "turn_longest_us": <int64_t>(core.turn_longest / rate),
        "command_us": <int64_t>(core.command_ticks / rate),
        "turn_commands_most": core.turn_commands_most,
    }


def flow(Engine engine not None):
    """What the sampling of instantaneous values needs: (commands, bytes in, bytes out, turns, turn time in us).

    Notes the memory peak too.
    """
    cdef Core* core = &engine.core

    core.memory.peak = max(core.memory.peak, core.memory.used)
    return core.commands, core.bytes_in, core.bytes_out, core.turns, core.turn_ticks / engine.ticks_per_us()


def reset_statistics(Engine engine not None):
    """CONFIG RESETSTAT: all counters of statistics(), those of the commands, and the errors by code."""
    cdef Core* core = &engine.core
    cdef CommandStats* stats
    cdef int i

    core.commands = core.connections = core.rejected_connections = 0
    core.bytes_in = core.bytes_out = core.reads = core.writes = 0
    core.hits = core.misses = core.expired = core.expire_cycle_us = core.expire_slices_full = core.evicted = 0
    core.evicted_clients = 0
    core.expired_parts = 0
    core.lazy_freed = core.errors = core.errors_seen = core.unexpected_errors = 0
    core.reply_shrinks = core.reply_expands = 0
    core.query_limit_closed = core.output_limit_closed = 0
    core.turns = core.turn_commands = core.turn_commands_most = 0
    core.turn_ticks = core.turn_longest = core.command_ticks = 0
    for i in range(engine.stats_count):
        stats = &engine.stats[i]
        histogram_free(&core.memory, &stats.histogram)
        memset(stats, 0, sizeof(CommandStats))
    engine.errors.clear()


def command_statistics(Engine engine not None):
    """[(name, calls, microseconds, rejected, failed), ...] of the commands that were called or refused."""
    cdef double rate = engine.ticks_per_us()
    cdef CommandStats* stats
    cdef list found = []

    for command in engine.commands.all():
        stats = &engine.stats[command.index]
        if stats.calls or stats.rejected or stats.failed:
            found.append((command.name, stats.calls, <int64_t>(stats.ticks / rate), stats.rejected, stats.failed))
    return found


def latency_percentiles(Engine engine not None, percentiles):
    """[(name, [microseconds, ...]), ...] of the commands that were called, one figure for each percentile.

    A figure is the upper end of its bucket in the histogram, so at most a sixteenth too large.
    """
    cdef double rate = engine.ticks_per_us()
    cdef CommandStats* stats
    cdef list found = []

    for command in engine.commands.all():
        stats = &engine.stats[command.index]
        if stats.histogram.room:
            found.append((command.name, [histogram_percentile(&stats.histogram, each) / rate for each in percentiles]))
    return found


def latency_histograms(Engine engine not None):
    """[(name, calls, {microseconds: calls that took no longer}), ...] of the commands that were called.

    The limits are 2^10 ns, 2^11 ns ..., each with the width of its bucket in Redis's histogram (of two significant
    digits) added before it is cut to microseconds; a limit that no more calls keep than the one before is left out.
    """
    cdef double ns_per_tick = 1000 / engine.ticks_per_us()
    cdef CommandStats* stats
    cdef Histogram* h
    cdef uint64_t calls
    cdef int power, i
    cdef list found = []
    cdef dict limits

    for command in engine.commands.all():
        stats = &engine.stats[command.index]
        h = &stats.histogram
        calls = 0
        power = 10
        limits = {}
        for i in range(h.room):
            if not h.counts[i]:
                continue
            while bucket_end(h.first + i) * ns_per_tick >= <double>(<uint64_t>1 << power) and power < MOST_POWER:
                power += 1
            calls += h.counts[i]
            limits[((<uint64_t>1 << power) + (<uint64_t>1 << (power - 7)) - 1) // 1000] = calls
        if calls:
            found.append((command.name, calls, limits))
    return found


# --- databases and clients ----------------------------------------------------------------

def keyspace(Engine engine not None):
    """[(database, keys, keys with a TTL, average TTL in ms, hashes with TTLs of fields), ...] of those not empty."""
    cdef Database db
    cdef list found = []

    for db in engine.databases:
        if db.count():
            found.append((db.index, db.count(), db.volatile_count(), db.average_ttl(), db.part_deadline_count()))
    return found


def table_memory(Engine engine not None):
    """Bytes: (tables and heaps of all databases, of these the arrays that running rehashes will give back)."""
    cdef list found = database_memory(engine)

    return (sum([table + heaps for _, _, table, heaps, _ in found]),
            sum([rehashing for _, _, _, _, rehashing in found]))


def database_memory(Engine engine not None):
    """[(database, keys, bytes of its table, of its heaps of deadlines, of an array that a rehash gives back), ...]."""
    cdef Database db

    return [(db.index, db.count(), db.table_memory(), db.heap_memory(), db.rehash_memory()) for db in engine.databases]


def client_statistics(Engine engine not None):
    """What INFO says of the clients, O(clients).

    watching: how many watch keys; watched_keys: keys that somebody watches; memory: bytes of all their buffers,
    but for those of replicas, which are replica_memory; lagging: bytes of it that the backlog keeps for them;
    input, output: the largest query buffer and the most output that waits, in bytes.
    """
    cdef Client c
    cdef Database db
    cdef int64_t buffers
    cdef int64_t watching = 0, memory = 0, replicas = 0, lagging = 0, most_input = 0, most_output = 0

    for c in engine.clients.values():
        watching += c.watched is not None
        buffers = c.line_bytes + (c.pending.room if c.pending is not None else 0)
        buffers += (<Queue>c.queue).size_bytes if c.queue is not None else 0
        if isinstance(c, Connection):
            buffers += (<Connection>c).query_room + (<Connection>c).unsent
            most_input = max(most_input, <int64_t>(<Connection>c).query_room)
            most_output = max(most_output, (<Connection>c).output_size())
        if c.flags & C_REPLICA:
            replicas += buffers
            lagging = engine.core.replica_bytes
        else:
            memory += buffers
    return {
        "watching": watching, "watched_keys": sum([len(db.watchers) for db in engine.databases]),
        "memory": memory, "replica_memory": replicas + lagging, "lagging": lagging,
        "input": most_input, "output": most_output,
    }


def denies_blocking(Client c not None):
    """Whether the client's command runs where nothing may wait: in EXEC or a script."""
    return bool(c.flags & C_DENY_BLOCKING)


def is_loading(Engine engine not None):
    return bool(engine.core.gate & GATE_LOADING)


# --- entries ------------------------------------------------------------------------------

cdef bytes item_text(const LpItem* item):
    cdef char[INT64_TEXT] scratch
    cdef size_t size
    cdef const char* text = lp_text(item, scratch, &size)

    return text[:size]


cdef list list_elements(Account* account, const Entry* e):
    cdef QlIter it
    cdef LpItem item
    cdef list elements = []
    cdef bint more = list_iter(account, e, 0, False, &it)

    try:
        while more:
            ql_item(&it, &item)
            elements.append(item_text(&item))
            more = ql_next(&it)
    finally:
        ql_iter_end(&it)
    return elements


cdef list set_elements(const Entry* e):
    cdef SetIter it
    cdef LpItem item
    cdef list elements = []

    set_iter(&it, e)
    try:
        while set_next(&it, &item):
            elements.append(item_text(&item))
    finally:
        set_iter_end(&it)
    return elements


cdef list zset_elements(const Entry* e):
    cdef ZsetIter it
    cdef char[DOUBLE_TEXT] score
    cdef list elements = []

    zset_seek_rank(&it, e, 0, zset_count(e), False)
    while zset_next(&it):
        elements.append((it.text[:it.size], score[:format_double(score, it.score)]))
    return elements


cdef list hash_elements(const Entry* e):
    cdef HashIter it
    cdef list elements = []

    hash_iter(&it, e)
    try:
        while hash_next(&it):
            elements.append((it.field[:it.field_size], it.value[:it.value_size]))
    finally:
        hash_iter_end(&it)
    return elements


cdef list stream_elements(const Entry* e):
    """The id of each entry as ms.seq, its fields and values."""
    cdef char[INT64_TEXT] scratch
    cdef LpItem field, value
    cdef const char* text
    cdef size_t size
    cdef StreamIter it
    cdef uint64_t _i

    elements = []
    stream_iter(&it, stream_of(e), Id(0, 0), Id(UINT64_MAX, UINT64_MAX), False)
    while stream_next(&it):
        elements.append(b"%d.%d" % (it.id.ms, it.id.seq))
        for _i in range(it.fields):
            stream_field(&it, &field, &value)
            text = lp_text(&field, scratch, &size)
            elements.append(text[:size])
            text = lp_text(&value, scratch, &size)
            elements.append(text[:size])
    return elements


cdef list array_elements(const Entry* e):
    """The cursor and the size of the ring, then the index and the value of each slot in use."""
    cdef char[WORD_TEXT] scratch
    cdef const char* text
    cdef size_t size
    cdef ArrayIter it

    elements = [b"%d" % array_of(e).next, b"%d" % array_of(e).ring]
    array_iter(&it, &array_of(e).slots, 0, UINT64_MAX)
    while array_next(&it):
        text = word_text(it.word, scratch, &size)
        elements.append(b"%d" % it.index)
        elements.append(text[:size])
    return elements


cdef object value_of(Account* account, const Entry* e):
    """A value: bytes (if its type is not known, too), a list of elements, or of (member, score) or (field, value)."""
    cdef char[INT64_TEXT] scratch
    cdef size_t size
    cdef const char* text
    cdef int kind = entry_type(e)

    if kind == TYPE_LIST:
        return list_elements(account, e)
    if kind == TYPE_SET:
        return set_elements(e)
    if kind == TYPE_ZSET:
        return zset_elements(e)
    if kind == TYPE_HASH:
        return hash_elements(e)
    if kind == TYPE_STREAM:
        return stream_elements(e)
    if kind == TYPE_ARRAY:
        return array_elements(e)
    if kind == TYPE_MODULE:
        return opaque_bytes(opaque_of(e))[:opaque_of(e).size]
    text = string_view(e, scratch, &size)
    return text[:size]


def entry_facts(Client c not None, bytes key not None):
    """What DEBUG OBJECT tells of a key in the client's database, expired or not; None when there is none.

    address, encoding, count: elements, value: of a string (bytes), else None, lru: its 24 bits, idle: seconds since
    its last use (0 while LFU is on), quicklist: what DEBUG OBJECT tells of one, else None.
    """
    cdef Core* core = c.core
    cdef Arg name = arg_of(key)
    cdef Entry* e = c.db.peek(&name)

    if e is NULL:
        return None
    return {
        "address": <size_t>e,
        "encoding": (<bytes>encoding_name(e)).decode(),
        "count": entry_count(e),
        "value": value_of(&core.memory, e) if entry_type(e) == TYPE_STRING else None,
        "lru": entry_lru(e),
        "idle": 0 if core.lfu else idle_seconds(core, e),
        "quicklist": quicklist_facts(<Quicklist*>entry_slot(e)[0]) if entry_encoding(e) == ENC_QUICKLIST else None,
    }


cdef dict quicklist_facts(const Quicklist* ql):
    cdef const QlNode* node = ql.head
    cdef size_t size = 0

    while node is not NULL:
        size += node.bytes
        node = node.next
    return {"nodes": ql.nodes, "items": ql.count, "fill": ql.fill, "depth": ql.depth, "bytes": size}


def key_memory(Client c not None, bytes key not None, int64_t samples):
    """Bytes that a key takes: its entry and value, its share of the table, its place in the expire heap. None: no key.

    The share of the table is its size divided by the number of keys: 10 to 20 bytes in a table of some size.
    samples: how many elements of a collection are measured, for the size of all; 0: each.
    """
    cdef Arg name = arg_of(key)
    cdef Entry* e = c.db.peek(&name)

    return entry_memory(e, samples) + c.db.share_memory(e) if e is not NULL else None


def verify_values(Engine engine not None):
    """Walk through the memory of every value; raises AssertionError where something is wrong."""
    cdef Database db
    cdef KeyWalk walk
    cdef Entry* e

    for db in engine.databases:
        db.verify()
        walk_begin(&walk, db)
        try:
            e = walk_next(&walk)
            while e is not NULL:
                entry_verify(e)
                e = walk_next(&walk)
        finally:
            walk_end(&walk)


def entries(Engine engine not None, int index):
    """Every key of a database, expired or not: yields key, number of its type, value, and whether it has a TTL.

    A value is bytes, a list of elements, or a list of pairs (member, score) or (field, value). The table stands
    still meanwhile; the caller changes nothing until the end.
    """
    cdef Database db = engine.db(index)
    cdef KeyWalk walk
    cdef Entry* e

    walk_begin(&walk, db)
    try:
        while True:
            e = walk_next(&walk)
            if e is NULL:
                return
            yield entry_key(e)[:e.key_size], entry_type(e), value_of(&engine.core.memory, e), entry_has_ttl(e)
    finally:
        walk_end(&walk)


def entry_of(Client c not None, bytes key not None):
    """The same four facts of one key in the client's database, or None."""
    cdef Arg name = arg_of(key)
    cdef Entry* e = c.db.peek(&name)

    if e is NULL:
        return None
    return key, entry_type(e), value_of(&c.core.memory, e), entry_has_ttl(e)


# --- what DEBUG changes ---------------------------------------------------------------------

def populate(Client c not None, int64_t count, bytes prefix not None, int64_t size):
    """DEBUG POPULATE: add the keys prefix:0 ... prefix:<count - 1> that are not there yet; nothing is propagated.

    Their values are value:<n>, or `size` bytes of that, cut or filled up with zeros.
    """
    cdef Core* core = c.core
    cdef size_t key_room = len(prefix) + 1 + INT64_TEXT
    cdef size_t value_room = max(size, <int64_t>(6 + INT64_TEXT))
    cdef char* key = <char*>mem_alloc(&core.memory, key_room)
    cdef char* value = NULL
    cdef char* number = key + len(prefix) + 1
    cdef size_t digits
    cdef int64_t i
    cdef Arg name

    try:
        value = <char*>mem_alloc(&core.memory, value_room)
        c.db.reserve(c.db.count() + count)
        memset(value, 0, value_room)
        memcpy(key, <const char*>prefix, len(prefix))
        key[len(prefix)] = c':'
        memcpy(value, b"value:", 6)
        for i in range(count):
            digits = format_int64(number, i)
            name.ptr = key
            name.size = number - key + digits
            name.hash = 0
            if c.db.lookup_write(&name) is not NULL:
                continue
            memcpy(value + 6, number, digits)
            c.db.add(string_new(&core.memory, key, name.size, value, size if size else 6 + digits), arg_hash(&name))
            if core.listeners:
                c.engine.key_changed(c.db, key, name.size, 0, b"")
    finally:
        mem_free(&core.memory, key, key_room)
        if value is not NULL:
            mem_free(&core.memory, value, value_room)


def set_active_expire(Engine engine not None, bint on):
    """DEBUG SET-ACTIVE-EXPIRE: whether keys are removed when their time comes, or only when somebody looks."""
    engine.core.active_expire = on
    engine.core.rearm = True


def set_packed_threshold(Engine engine not None, int64_t size):
    """DEBUG QUICKLIST-PACKED-THRESHOLD: bytes from which on an element is a node; 0: those too large for one."""
    engine.core.limits.list_packed_threshold = size


def set_resizing(Engine engine not None, bint on):
    """DEBUG DICT-RESIZING: whether tables grow and shrink before it is overdue."""
    engine.fix_tables(FIXED_BY_DEBUG, not on)


def table_text(Engine engine not None, int index, bint full):
    """DEBUG HTSTATS: the text about the table and the expire heap of a database."""
    return engine.db(index).statistics(full)


def value_table_text(Client c not None, bytes key not None, bint full):
    """DEBUG HTSTATS-KEY: the text about the table of a set, hash or sorted set. None: the value has none."""
    cdef Arg name = arg_of(key)
    cdef Entry* e = c.db.peek(&name)

    if entry_encoding(e) not in (ENC_HASHTABLE, ENC_HASHTABLE_EX, ENC_SKIPLIST):
        return None
    return table_stats(<Table*>entry_slot(e)[0], full)


def matches(bytes pattern not None, bytes text not None):
    """Whether a glob pattern of Redis matches, case and all."""
    return bool(glob_match(pattern, len(pattern), text, len(text), False))
