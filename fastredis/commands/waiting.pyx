"""WAIT and WAITAOF: until other copies of the data have the writes of this connection."""
from libc.stdint cimport INT64_MAX, int64_t

from fastredis.engine.blocking cimport Blocked, Waiter
from fastredis.engine.client cimport Client
from fastredis.engine.command cimport native
from fastredis.engine.engine cimport C_DENY_BLOCKING, Engine
from fastredis.engine.errors cimport (
    ERR_NOT_POSITIVE, ERR_NUMLOCAL, ERR_WAIT_REPLICA, ERR_WAITAOF_OFF, ERR_WAITAOF_REPLICA,
)
from fastredis.engine.flags cimport BLOCKING
from fastredis.engine.options cimport get_int_or_reply, get_range_or_reply, get_timeout_or_reply
from fastredis.persist.aof cimport AppendOnly

from fastredis.engine.command import declarer

declare = declarer("generic")


cdef class ReplicaWaiter(Waiter):
    """Waits until so many replicas have acknowledged an offset of the stream."""
    cdef Engine engine
    cdef int64_t replicas
    cdef int64_t offset

    cdef int timed_out(self, Client c) except -1:
        return c.reply_int(self.engine.replication.acknowledged(self.offset))

    cdef int leave(self) except -1:
        del self.engine.replication.waiters[self]
        return 0

    def check(self):
        """Replicas have acknowledged more."""
        if self.client is not None and self.engine.replication.acknowledged(self.offset) >= self.replicas:
            (<Blocked>self.engine.blocked).unblock(self.client, None)


cdef class AofWaiter(Waiter):
    """Waits for AOFs: the one here, and those of replicas."""
    cdef Engine engine
    cdef bint local                     # the one here is waited for
    cdef int64_t replicas               # how many of others

    cdef int timed_out(self, Client c) except -1:
        return reply_copies(c)

    def check(self):
        """What is on a disk here or there has grown, or the AOF was switched off."""
        cdef Client c = self.client

        if c is None:                       # another one's answer has ended this wait
            return
        if self.local and not self.engine.config.appendonly:
            (<Blocked>self.engine.blocked).unblock(c, ERR_WAITAOF_OFF)
        elif has_copies(c, self.local, self.replicas):
            (<Blocked>self.engine.blocked).unblock(c, None)

    cdef int enter(self) except -1:
        aof_waiters(self.engine)[self] = None
        self.engine.replication.waiters[self] = None
        return 0

    cdef int leave(self) except -1:
        del aof_waiters(self.engine)[self]
        del self.engine.replication.waiters[self]
        return 0


cdef dict aof_waiters(Engine engine):
    return (<AppendOnly>engine.aof.feed).waiters


cdef bint is_synced(Client c) except -1:
    """Whether all that the connection wrote is on the disk here."""
    return c.engine.aof.is_on and (<AppendOnly>c.engine.aof.feed).synced >= c.wrote


cdef bint has_copies(Client c, bint local, int64_t replicas) except -1:
    """Whether as many AOFs as are wanted have what the connection wrote."""
    return (replicas == 0 or c.engine.replication.on_disk(c.wrote) >= replicas) and (not local or is_synced(c))


cdef int reply_copies(Client c) except -1:
    """How many local AOFs, and how many AOFs of replicas, have what the connection wrote."""
    c.reply_array(2)
    c.reply_int(is_synced(c))
    return c.reply_int(c.engine.replication.on_disk(c.wrote))


cdef int cmd_wait(Client c) except -1:
    """WAIT numreplicas timeout -> integer: replicas that have all earlier writes of this connection.

    The timeout is in ms, 0 waits for ever. Inside MULTI or a script it does not wait.
    Errors: no integer; negative timeout; this is a replica.
    Source: https://redis.io/commands/wait
    """
    cdef int64_t replicas, deadline_ms
    cdef ReplicaWaiter waiter

    if c.core.is_replica:
        return c.error(ERR_WAIT_REPLICA)
    if not get_int_or_reply(c, 1, &replicas) or not get_timeout_or_reply(c, 2, 1, &deadline_ms):
        return 0
    if c.engine.replication.acknowledged(c.wrote) >= replicas or c.flags & C_DENY_BLOCKING:
        return c.reply_int(c.engine.replication.acknowledged(c.wrote))
    waiter = ReplicaWaiter()
    waiter.engine = c.engine
    waiter.replicas = replicas
    waiter.offset = c.wrote
    c.engine.replication.waiters[waiter] = None
    c.engine.replication.request_acks()
    return (<Blocked>c.engine.blocked).block(c, waiter, deadline_ms)

declare(
    b"wait", native(cmd_wait), arity=3, flags=BLOCKING, acl=("connection",), since="3.0.0",
    tips=("request_policy:all_shards", "response_policy:agg_min"),
    complexity="O(1)",
    summary="Waits until replicas have received all earlier writes of this connection.",
    args="numreplicas:integer timeout:integer",
)


cdef int cmd_waitaof(Client c) except -1:
    """WAITAOF numlocal numreplicas timeout -> array: local AOFs, and AOFs of replicas, that have the earlier writes.

    The timeout is in ms, 0 waits for ever. Inside MULTI or a script it does not wait.
    Errors: no integer; numlocal is neither 0 nor 1, or 1 without an AOF; negative numreplicas or timeout; this is a
    replica.
    Source: https://redis.io/commands/waitaof
    """
    cdef int64_t local, replicas, deadline_ms
    cdef AofWaiter waiter

    if c.core.is_replica:
        return c.error(ERR_WAITAOF_REPLICA)
    if not get_int_or_reply(c, 1, &local):
        return 0
    if not 0 <= local <= 1:
        return c.error(ERR_NUMLOCAL)
    if not get_range_or_reply(c, 2, 0, INT64_MAX, &replicas, ERR_NOT_POSITIVE):
        return 0
    if not get_timeout_or_reply(c, 3, 1, &deadline_ms):
        return 0
    if local and not c.engine.config.appendonly:
        return c.error(ERR_WAITAOF_OFF)
    if has_copies(c, local, replicas) or c.flags & C_DENY_BLOCKING:
        return reply_copies(c)
    waiter = AofWaiter()
    waiter.local = local
    waiter.replicas = replicas
    waiter.engine = c.engine
    waiter.enter()
    if replicas:
        c.engine.replication.request_acks()
    return (<Blocked>c.engine.blocked).block(c, waiter, deadline_ms)

declare(
    b"waitaof", native(cmd_waitaof), arity=4, flags=BLOCKING, acl=("connection",), since="7.2.0",
    tips=("request_policy:all_shards", "response_policy:agg_min"),
    complexity="O(1)",
    summary="Waits until all earlier writes of this connection are on disk here and on replicas.",
    args="numlocal:integer numreplicas:integer timeout:integer",
)
