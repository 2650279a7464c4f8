"""Publish and subscribe: channels, patterns, shard channels. The registry is fastredis.engine.pubsub."""
from fastredis._resp cimport arg_bytes
from fastredis.ds.glob cimport glob_match
from fastredis.engine.client cimport Client
from fastredis.engine.command cimport native
from fastredis.engine.engine cimport C_DENY_BLOCKING, C_MULTI
from fastredis.engine.flags cimport CONTAINER, FAST, LOADING, MAY_REPLICATE, NOSCRIPT, PUBSUB, STALE
from fastredis.engine.lines cimport Line
from fastredis.engine.pubsub cimport SUB_CHANNEL, SUB_PATTERN, SUB_SHARD, PubSub, Subscription

from fastredis.engine.command import declarer
from fastredis.engine.reply import Status
from fastredis.engine.declarations import key_at, key_range

declare = declarer("pubsub")

HELP = (
    "PUBSUB <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
    "CHANNELS [<pattern>]",
    "    Return the currently active channels matching a <pattern> (default: '*').",
    "NUMPAT",
    "    Return number of subscriptions to patterns.",
    "NUMSUB [<channel> ...]",
    "    Return the number of subscribers for the specified channels, excluding",
    "    pattern subscriptions(default: no channels).",
    "SHARDCHANNELS [<pattern>]",
    "    Return the currently active shard level channels matching a <pattern> (default: '*').",
    "SHARDNUMSUB [<shardchannel> ...]",
    "    Return the number of subscribers for the specified shard level channel(s)",
    "HELP",
    "    Prints this help.",
)


# --- subscriptions ----------------------------------------------------------------------

cdef int subscribe(Client c, Subscription kind, bint denied, bytes name) except -1:
    """Subscribe to all arguments. A client that expects one reply per command, as a script does, may not."""
    cdef int i

    if denied:
        return c.error_text(b"ERR " + name + b" isn't allowed for a DENY BLOCKING client")
    for i in range(1, c.argc):
        (<PubSub>c.engine.pubsub).subscribe(c, kind, &c.argv[i])
    return 0


cdef int unsubscribe(Client c, Subscription kind) except -1:
    """Unsubscribe from all arguments; without any, from all that there is."""
    cdef int i

    if c.argc == 1:
        return (<PubSub>c.engine.pubsub).unsubscribe_all(c, kind)
    for i in range(1, c.argc):
        (<PubSub>c.engine.pubsub).unsubscribe(c, kind, &c.argv[i])
    return 0


cdef inline bint denied_outside_multi(Client c) noexcept:
    # For old times' sake SUBSCRIBE and PSUBSCRIBE may be queued, other than SSUBSCRIBE.
    return c.flags & C_DENY_BLOCKING and not c.flags & C_MULTI


cdef int cmd_subscribe(Client c) except -1:
    """SUBSCRIBE channel [channel ...] -> for each one a push: subscribe, channel, number of subscriptions.

    Source: https://redis.io/commands/subscribe
    """
    return subscribe(c, SUB_CHANNEL, denied_outside_multi(c), b"SUBSCRIBE")

declare(
    b"subscribe", native(cmd_subscribe), arity=-2, flags=PUBSUB | NOSCRIPT | LOADING | STALE, since="2.0.0",
    complexity="O(N) where N is the number of channels",
    summary="Listens to channels.",
    args="channel...",
)


cdef int cmd_unsubscribe(Client c) except -1:
    """UNSUBSCRIBE [channel ...] -> for each one a push: unsubscribe, channel, number of subscriptions left.

    Without arguments and subscriptions there is one push, with a null channel.
    Source: https://redis.io/commands/unsubscribe
    """
    return unsubscribe(c, SUB_CHANNEL)

declare(
    b"unsubscribe", native(cmd_unsubscribe), arity=-1, flags=PUBSUB | NOSCRIPT | LOADING | STALE, since="2.0.0",
    complexity="O(N) where N is the number of channels",
    summary="Stops listening to channels; to all of them, if none is given.",
    args="[channel...]",
)


cdef int cmd_psubscribe(Client c) except -1:
    """PSUBSCRIBE pattern [pattern ...] -> for each one a push: psubscribe, pattern, number of subscriptions.

    Source: https://redis.io/commands/psubscribe
    """
    return subscribe(c, SUB_PATTERN, denied_outside_multi(c), b"PSUBSCRIBE")

declare(
    b"psubscribe", native(cmd_psubscribe), arity=-2, flags=PUBSUB | NOSCRIPT | LOADING | STALE, since="2.0.0",
    complexity="O(N) where N is the number of patterns",
    summary="Listens to the channels that match patterns.",
    args="pattern:pattern...",
)


cdef int cmd_punsubscribe(Client c) except -1:
    """PUNSUBSCRIBE [pattern ...] -> for each one a push: punsubscribe, pattern, number of subscriptions left.

    Source: https://redis.io/commands/punsubscribe
    """
    return unsubscribe(c, SUB_PATTERN)

declare(
    b"punsubscribe", native(cmd_punsubscribe), arity=-1, flags=PUBSUB | NOSCRIPT | LOADING | STALE, since="2.0.0",
    complexity="O(N) where N is the number of patterns",
    summary="Stops listening to patterns; to all of them, if none is given.",
    args="[pattern:pattern...]",
)


cdef int cmd_ssubscribe(Client c) except -1:
    """SSUBSCRIBE shardchannel [shardchannel ...] -> for each one a push: ssubscribe, channel, number of them.

    Errors: inside MULTI or a script.
    Source: https://redis.io/commands/ssubscribe
    """
    return subscribe(c, SUB_SHARD, c.flags & C_DENY_BLOCKING != 0, b"SSUBSCRIBE")

declare(
    b"ssubscribe", native(cmd_ssubscribe), arity=-2, flags=PUBSUB | NOSCRIPT | LOADING | STALE,
    keys=key_range(1, -1, 1, "not_key"), since="7.0.0",
    complexity="O(N) where N is the number of shard channels",
    summary="Listens to shard channels.",
    args="shardchannel...",
)


cdef int cmd_sunsubscribe(Client c) except -1:
    """SUNSUBSCRIBE [shardchannel ...] -> for each one a push: sunsubscribe, channel, number of them left.

    Source: https://redis.io/commands/sunsubscribe
    """
    return unsubscribe(c, SUB_SHARD)

declare(
    b"sunsubscribe", native(cmd_sunsubscribe), arity=-1, flags=PUBSUB | NOSCRIPT | LOADING | STALE,
    keys=key_range(1, -1, 1, "not_key"), since="7.0.0",
    complexity="O(N) where N is the number of shard channels",
    summary="Stops listening to shard channels; to all of them, if none is given.",
    args="[shardchannel...]",
)


# --- messages ---------------------------------------------------------------------------

cdef int cmd_publish(Client c) except -1:
    """PUBLISH channel message -> integer: receivers, a client counts once for its channel and once for each pattern.

    Replicas get the message, too. Source: https://redis.io/commands/publish
    """
    c.replicate_message()
    return c.reply_int((<PubSub>c.engine.pubsub).publish(&c.argv[1], &c.argv[2]))

declare(
    b"publish", native(cmd_publish), arity=3, flags=PUBSUB | LOADING | STALE | FAST | MAY_REPLICATE, since="2.0.0",
    complexity="O(N+M) where N is the number of subscribers of the channel and M the number of patterns of all clients",
    summary="Sends a message to a channel.",
    args="channel message",
)


cdef int cmd_spublish(Client c) except -1:
    """SPUBLISH shardchannel message -> integer: receivers.

    Replicas get the message, too. Source: https://redis.io/commands/spublish
    """
    c.replicate_message()
    return c.reply_int((<PubSub>c.engine.pubsub).publish_shard(&c.argv[1], &c.argv[2]))

declare(
    b"spublish", native(cmd_spublish), arity=3, flags=PUBSUB | LOADING | STALE | FAST | MAY_REPLICATE,
    keys=key_at(1, "not_key"), since="7.0.0",
    complexity="O(N) where N is the number of subscribers of the shard channel",
    summary="Sends a message to a shard channel.",
    args="shardchannel message",
)


# --- PUBSUB -----------------------------------------------------------------------------

cdef int reply_channels(Client c, Subscription kind) except -1:
    """The names that somebody listens to; with an argument, those that match it."""
    cdef bytes name
    cdef size_t mark = c.out.begin()
    cdef int count = 0

    if c.argc > 3:
        return c.error_text(b"ERR unknown subcommand or wrong number of arguments for '" + arg_bytes(&c.argv[1])
                            + b"'. Try PUBSUB HELP.")
    for name in (<PubSub>c.engine.pubsub).listeners(kind):
        if c.argc == 2 or glob_match(c.argv[2].ptr, c.argv[2].size, name, len(name), False):
            c.reply_bulk(name, len(name))
            count += 1
    return c.out.end_array(mark, count)


cdef int reply_counts(Client c, Subscription kind) except -1:
    """Each argument, followed by how many listen to it."""
    cdef dict listeners = (<PubSub>c.engine.pubsub).listeners(kind)
    cdef Line line
    cdef int i

    c.reply_array((c.argc - 2) * 2)
    for i in range(2, c.argc):
        c.reply_bulk(c.argv[i].ptr, c.argv[i].size)
        line = <Line>listeners.get(arg_bytes(&c.argv[i]))
        c.reply_int(line.count if line is not None else 0)
    return 0


declare(
    b"pubsub", None, arity=-2, flags=CONTAINER, since="2.8.0",
    complexity="Depends on the subcommand",
    summary="Looks at channels and who listens to them.",
)


cdef int cmd_pubsub_channels(Client c) except -1:
    """PUBSUB CHANNELS [pattern] -> array of channels that have subscribers, in the order of their first one.

    Source: https://redis.io/commands/pubsub-channels
    """
    return reply_channels(c, SUB_CHANNEL)

declare(
    b"pubsub|channels", native(cmd_pubsub_channels), arity=-2, flags=PUBSUB | LOADING | STALE, since="2.8.0",
    complexity="O(N) where N is the number of active channels",
    summary="Lists the channels that have subscribers.",
    args="[pattern:pattern]",
)


cdef int cmd_pubsub_numsub(Client c) except -1:
    """PUBSUB NUMSUB [channel ...] -> array: channel, number of subscribers, ... Patterns do not count.

    Source: https://redis.io/commands/pubsub-numsub
    """
    return reply_counts(c, SUB_CHANNEL)

declare(
    b"pubsub|numsub", native(cmd_pubsub_numsub), arity=-2, flags=PUBSUB | LOADING | STALE, since="2.8.0",
    complexity="O(N) where N is the number of given channels",
    summary="Counts the subscribers of channels.",
    args="[channel...]",
)


cdef int cmd_pubsub_numpat(Client c) except -1:
    """PUBSUB NUMPAT -> integer: different patterns that clients listen to.

    Source: https://redis.io/commands/pubsub-numpat
    """
    return c.reply_int(len((<PubSub>c.engine.pubsub).patterns))

declare(
    b"pubsub|numpat", native(cmd_pubsub_numpat), arity=2, flags=PUBSUB | LOADING | STALE, since="2.8.0",
    complexity="O(1)",
    summary="Counts the patterns clients are subscribed to.",
)


cdef int cmd_pubsub_shardchannels(Client c) except -1:
    """PUBSUB SHARDCHANNELS [pattern] -> array of shard channels that have subscribers.

    Source: https://redis.io/commands/pubsub-shardchannels
    """
    return reply_channels(c, SUB_SHARD)

declare(
    b"pubsub|shardchannels", native(cmd_pubsub_shardchannels), arity=-2, flags=PUBSUB | LOADING | STALE, since="7.0.0",
    complexity="O(N) where N is the number of active shard channels",
    summary="Lists the shard channels that have subscribers.",
    args="[pattern:pattern]",
)


cdef int cmd_pubsub_shardnumsub(Client c) except -1:
    """PUBSUB SHARDNUMSUB [shardchannel ...] -> array: shard channel, number of subscribers, ...

    Source: https://redis.io/commands/pubsub-shardnumsub
    """
    return reply_counts(c, SUB_SHARD)

declare(
    b"pubsub|shardnumsub", native(cmd_pubsub_shardnumsub), arity=-2, flags=PUBSUB | LOADING | STALE, since="7.0.0",
    complexity="O(N) where N is the number of given shard channels",
    summary="Counts the subscribers of shard channels.",
    args="[shardchannel...]",
)


def cmd_pubsub_help(c):
    """PUBSUB HELP -> array of lines."""
    c.reply([Status(line) for line in HELP])


declare(
    b"pubsub|help", cmd_pubsub_help, arity=2, flags=LOADING | STALE, since="6.2.0",
    complexity="O(1)",
    summary="Explains the subcommands of PUBSUB.",
)
