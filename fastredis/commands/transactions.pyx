"""Transactions: MULTI, EXEC, DISCARD, WATCH, UNWATCH. What they stand on is in fastredis.engine.multi."""
from fastredis.engine.acl.access cimport (
    ALLOWED, DENIED_CHANNEL, DENIED_COMMAND, DENIED_KEY, FROM_MULTI, check_access,
)
from fastredis.engine.client cimport Client, Frame, unit_begin, unit_end
from fastredis.engine.command cimport Command, native
from fastredis.engine.dispatch cimport call_guarded
from fastredis.engine.engine cimport C_DIRTY_CAS, C_DIRTY_EXEC, C_LIMITED, C_MULTI
from fastredis.engine.errors cimport (
    ERR_DISCARD_WITHOUT_MULTI, ERR_EXEC_WITHOUT_MULTI, ERR_EXECABORT, ERR_NESTED_MULTI, ERR_WATCH_IN_MULTI,
)
from fastredis.engine.flags cimport ALLOW_BUSY, FAST, LOADING, NOSCRIPT, SKIP_SLOWLOG, STALE
from fastredis.engine.multi cimport Queue, begin, discard, unwatch_all, watch, watched_expired
from fastredis.engine.options cimport get_memory_or_reply

from libc.stdint cimport uint64_t

from fastredis.engine.command import declarer
from fastredis.engine.declarations import key_range

declare = declarer("transactions")

cdef bytes CHANGED = (b"NOPERM ACLs rules changed between the moment the transaction was accumulated and the EXEC "
                      b"call. This command is no longer allowed for the following reason: ")
cdef dict WHY = {
    DENIED_COMMAND: b"no permission to execute the command or subcommand",
    DENIED_KEY: b"no permission to touch the specified keys",
    DENIED_CHANNEL: b"no permission to access one of the channels used as arguments",
}


cdef int cmd_multi(Client c) except -1:
    """MULTI -> OK; what follows is queued.

    Errors: inside MULTI. That does not spoil the transaction.
    Source: https://redis.io/commands/multi
    """
    if c.flags & C_MULTI:
        return c.error(ERR_NESTED_MULTI)
    begin(c)
    return c.reply_ok()

declare(
    b"multi", native(cmd_multi), arity=1, flags=NOSCRIPT | LOADING | STALE | FAST | ALLOW_BUSY, since="1.2.0",
    complexity="O(1)",
    summary="Starts a transaction: the commands that follow are queued for EXEC.",
)


cdef int cmd_exec(Client c) except -1:
    """EXEC -> array of the replies of the queued commands; null array when a watched key changed or expired.

    The keys are not watched any more, whatever the outcome.
    Errors: EXECABORT when a command was refused while queueing; without MULTI.
    Source: https://redis.io/commands/exec
    """
    if not c.flags & C_MULTI:
        return c.error(ERR_EXEC_WITHOUT_MULTI)
    if c.flags & C_DIRTY_EXEC:
        discard(c)
        return c.error(ERR_EXECABORT)
    if c.flags & C_DIRTY_CAS or watched_expired(c):
        discard(c)
        return c.reply_null_array()
    if not get_memory_or_reply(c, 0, (<Queue>c.queue).size_bytes):
        discard(c)
        return 0
    unwatch_all(c)                          # its own changes need not mark it
    run_queue(c)
    return discard(c)


cdef bint may_still_run_or_reply(Client c, Command command) except -1:
    """Whether the client's user may run what was queued; it may have lost the right since."""
    cdef int position
    cdef int denial = check_access(c, command, FROM_MULTI, &position)

    if denial != ALLOWED:
        c.error_text(CHANGED + WHY.get(denial, b"no permission"))
    return denial == ALLOWED


cdef int run_queue(Client c) except -1:
    """Run what is queued, one reply each; to the AOF and the replicas it is one transaction."""
    cdef Queue queue = <Queue>c.queue
    cdef Frame outer
    cdef int i

    unit_begin(c, &outer, c.out, 0)
    try:
        c.reply_array(queue.count)
        for i in range(queue.count):
            c.argv = queue.items[i].argv
            c.argc = queue.items[i].argc
            c.command = outer.command           # EXEC, for the log
            if not c.flags & C_LIMITED or may_still_run_or_reply(c, <Command>queue.items[i].command):
                call_guarded(c, <Command>queue.items[i].command)
    finally:
        unit_end(c, &outer)
    return 0

declare(
    b"exec", native(cmd_exec), arity=1, flags=NOSCRIPT | LOADING | STALE | SKIP_SLOWLOG, since="1.2.0",
    complexity="The sum of the queued commands' complexities",
    summary="Runs the commands queued since MULTI, unless a watched key has changed.",
)


cdef int cmd_discard(Client c) except -1:
    """DISCARD -> OK; the queue is forgotten, nothing is watched any more.

    Errors: without MULTI.
    Source: https://redis.io/commands/discard
    """
    if not c.flags & C_MULTI:
        return c.error(ERR_DISCARD_WITHOUT_MULTI)
    discard(c)
    return c.reply_ok()

declare(
    b"discard", native(cmd_discard), arity=1, flags=NOSCRIPT | LOADING | STALE | FAST | ALLOW_BUSY, since="2.0.0",
    complexity="O(N) where N is the number of queued commands",
    summary="Drops the commands queued since MULTI and stops watching keys.",
)


cdef int cmd_watch(Client c) except -1:
    """WATCH key [key ...] -> OK; the next EXEC fails if one of the keys changes first.

    Errors: inside MULTI. That does not spoil the transaction.
    Source: https://redis.io/commands/watch
    """
    cdef int i

    if c.flags & C_MULTI:
        return c.error(ERR_WATCH_IN_MULTI)
    if not c.flags & C_DIRTY_CAS:           # else EXEC will fail anyway
        for i in range(1, c.argc):
            watch(c, &c.argv[i])
    return c.reply_ok()

declare(
    b"watch", native(cmd_watch), arity=-2, flags=NOSCRIPT | LOADING | STALE | FAST | ALLOW_BUSY,
    keys=key_range(1, -1, 1, "RO"), since="2.2.0",
    complexity="O(1) for each key",
    summary="Watches keys: the next EXEC does nothing if one of them changes first.",
    args="key...",
)


cdef int cmd_unwatch(Client c) except -1:
    """UNWATCH -> OK; no key is watched any more.

    Source: https://redis.io/commands/unwatch
    """
    unwatch_all(c)
    c.flags &= ~<uint64_t>C_DIRTY_CAS
    return c.reply_ok()

declare(
    b"unwatch", native(cmd_unwatch), arity=1, flags=NOSCRIPT | LOADING | STALE | FAST | ALLOW_BUSY, since="2.2.0",
    complexity="O(N) where N is the number of watched keys",
    summary="Stops watching all keys.",
)
