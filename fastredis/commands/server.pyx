"""Commands about whole databases, the time, and all commands: DBSIZE, FLUSHDB, FLUSHALL, SWAPDB, TIME, MONITOR."""
from libc.stdint cimport INT32_MAX, INT32_MIN, INT64_MAX, int64_t

from fastredis._resp cimport arg_bytes
from fastredis.ds.native cimport wall_us
from fastredis.ds.numbers cimport INT64_TEXT, format_int64
from fastredis.engine.client cimport Client
from fastredis.engine.command cimport native
from fastredis.engine.engine cimport C_DENY_BLOCKING, C_MONITOR, C_REPLICA
from fastredis.engine.errors cimport ERR_DB_INDEX, ERR_MONITOR_DENIED, ERR_SYNTAX
from fastredis.engine.flags cimport ADMIN, FAST, LOADING, NOSCRIPT, READONLY, STALE, WRITE
from fastredis.engine.keyspace cimport Database, Detached
from fastredis.engine.monitor cimport Monitors
from fastredis.engine.options cimport arg_is, get_range_or_reply

from fastredis.engine.command import declarer

declare = declarer("server")


cdef int cmd_dbsize(Client c) except -1:
    """DBSIZE -> integer: the keys of the selected database, with those whose time has come but that are still there.

    Source: https://redis.io/docs/latest/commands/dbsize/
    """
    return c.reply_int(c.db.count())

declare(
    b"dbsize", native(cmd_dbsize), arity=1, flags=READONLY | FAST, acl=("keyspace",), since="1.0.0",
    tips=("request_policy:all_shards", "response_policy:agg_sum"),
    complexity="O(1)",
    summary="Counts the keys of the database.",
)


# --- FLUSHDB, FLUSHALL --------------------------------------------------------------------

cdef bint get_flush_or_reply(Client c, bint* lazy) except -1:
    """[ASYNC | SYNC]: whether the memory is freed later, in slices; without either, lazyfree-lazy-user-flush says."""
    if c.argc == 1:
        lazy[0] = c.engine.config["lazyfree-lazy-user-flush"]
    elif c.argc == 2 and arg_is(&c.argv[1], b"ASYNC"):
        lazy[0] = True
    elif c.argc == 2 and arg_is(&c.argv[1], b"SYNC"):
        lazy[0] = False
    else:
        c.error(ERR_SYNTAX)
        return False
    return True


cdef int flush(Client c, Database db, bint lazy) except -1:
    """Empty a database. Each key counts as a change."""
    cdef Detached garbage

    c.core.dirty += db.count()
    garbage = c.engine.take_all(db)
    if garbage is None:
        return 0
    if lazy:
        c.engine.discard(garbage)
    else:
        garbage.drain(INT64_MAX)
    return 0


cdef int finish_flush(Client c) except -1:
    """Reply, and propagate the command even if nothing was there: a replica may have more keys."""
    cdef int i

    if c.propagates():
        c.effect([arg_bytes(&c.argv[i]) for i in range(c.argc)])
    return c.reply_ok()


cdef int cmd_flushdb(Client c) except -1:
    """FLUSHDB [ASYNC | SYNC] -> OK: delete all keys of the selected database.

    Errors: syntax. Cost: O(keys), in slices between other commands with ASYNC.
    Source: https://redis.io/docs/latest/commands/flushdb/
    """
    cdef bint lazy

    if not get_flush_or_reply(c, &lazy):
        return 0
    flush(c, c.db, lazy)
    return finish_flush(c)

declare(
    b"flushdb", native(cmd_flushdb), arity=-1, flags=WRITE, acl=("keyspace", "dangerous"), since="1.0.0",
    tips=("request_policy:all_shards", "response_policy:all_succeeded"),
    complexity="O(N) where N is the number of keys deleted",
    summary="Deletes all keys of the database.",
    args="[flush-type=(ASYNC@4.0.0 | SYNC@6.2.0)]",
    history=(("4.0.0", "Mode `ASYNC`."), ("6.2.0", "Mode `SYNC`.")),
)


cdef int cmd_flushall(Client c) except -1:
    """FLUSHALL [ASYNC | SYNC] -> OK: delete the keys of all databases.

    Errors: syntax. Cost: O(keys), in slices between other commands with ASYNC.
    Source: https://redis.io/docs/latest/commands/flushall/
    """
    cdef Database db
    cdef bint lazy

    if not get_flush_or_reply(c, &lazy):
        return 0
    for db in c.engine.databases:
        flush(c, db, lazy)
    if c.engine.saver is not None:
        c.engine.saver.flushed()
    return finish_flush(c)

declare(
    b"flushall", native(cmd_flushall), arity=-1, flags=WRITE, acl=("keyspace", "dangerous"), since="1.0.0",
    tips=("request_policy:all_shards", "response_policy:all_succeeded"),
    complexity="O(N) where N is the number of keys deleted",
    summary="Deletes the keys of all databases.",
    args="[flush-type=(ASYNC@4.0.0 | SYNC@6.2.0)]",
    history=(("4.0.0", "Mode `ASYNC`."), ("6.2.0", "Mode `SYNC`.")),
)


# --- SWAPDB, TIME, MONITOR ------------------------------------------------------------------

cdef int cmd_swapdb(Client c) except -1:
    """SWAPDB index1 index2 -> OK: exchange the keys of two databases; clients stay with the number they selected.

    Errors: no integer; no such database.
    Source: https://redis.io/docs/latest/commands/swapdb/
    """
    cdef int64_t first, second
    cdef Database one, other

    if not get_range_or_reply(c, 1, INT32_MIN, INT32_MAX, &first, b"ERR invalid first DB index"):
        return 0
    if not get_range_or_reply(c, 2, INT32_MIN, INT32_MAX, &second, b"ERR invalid second DB index"):
        return 0
    if not (0 <= first < len(c.engine.databases) and 0 <= second < len(c.engine.databases)):
        return c.error(ERR_DB_INDEX)
    one, other = c.engine.db(first), c.engine.db(second)
    if one is not other:
        c.engine.exchange(one, other)
    c.core.dirty += 1
    return c.reply_ok()

declare(
    b"swapdb", native(cmd_swapdb), arity=3, flags=WRITE | FAST, acl=("keyspace", "dangerous"), since="4.0.0",
    complexity="O(N) where N is the number of clients watching or waiting for their keys",
    summary="Exchanges the contents of two databases.",
    args="index1:integer index2:integer",
)


cdef int cmd_time(Client c) except -1:
    """TIME -> array of two bulk strings: seconds since the epoch, and microseconds within the second.

    In a script and within EXEC it stands still.
    Source: https://redis.io/docs/latest/commands/time/
    """
    cdef bint stands_still = c.core.held or c.flags & C_DENY_BLOCKING
    cdef int64_t now_us = c.core.now_us if stands_still else wall_us() + c.core.shift_ms * 1000
    cdef char[INT64_TEXT] digits

    c.reply_array(2)
    c.reply_bulk(digits, format_int64(digits, now_us // 1000000))
    return c.reply_bulk(digits, format_int64(digits, now_us % 1000000))

declare(
    b"time", native(cmd_time), arity=1, flags=LOADING | STALE | FAST, since="2.6.0", tips=("nondeterministic_output",),
    complexity="O(1)",
    summary="Returns the server's clock: seconds, and microseconds within the second.",
)


cdef int cmd_monitor(Client c) except -1:
    """MONITOR -> OK; from now on each command that any client runs comes as a status line, see engine.monitor.

    It takes no commands that read or write keys then. RESET ends it. A second MONITOR is not answered, as in Redis.
    Errors: inside MULTI.
    Source: https://redis.io/docs/latest/commands/monitor/
    """
    if c.flags & C_DENY_BLOCKING:
        return c.error(ERR_MONITOR_DENIED)
    if c.flags & (C_REPLICA | C_MONITOR):
        return 0
    (<Monitors>c.engine.monitors).add(c)
    return c.reply_ok()

declare(
    b"monitor", native(cmd_monitor), arity=1, flags=ADMIN | NOSCRIPT | LOADING | STALE, since="1.0.0",
    complexity="O(1); then O(N) for each command shown where N is the number of clients that are shown it",
    summary="Shows every command that the server runs, as it runs.",
)
