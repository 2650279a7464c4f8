"""Channels and their subscribers. The design comment is in pubsub.pxd."""
from libc.stdint cimport int64_t, uint64_t
from libc.string cimport strlen

from fastredis._resp cimport arg_bytes, arg_of
from fastredis.ds.glob cimport glob_match
from fastredis.engine.core cimport (
    LISTEN_EVENTS, NOTIFY_ARRAY, NOTIFY_EVICTED, NOTIFY_EXPIRED, NOTIFY_GENERIC, NOTIFY_HASH, NOTIFY_KEY_MISS,
    NOTIFY_KEYEVENT, NOTIFY_KEYSPACE, NOTIFY_LIST, NOTIFY_MODULE, NOTIFY_NEW, NOTIFY_SET, NOTIFY_STREAM, NOTIFY_STRING,
    NOTIFY_ZSET,
)
from fastredis.engine.engine cimport C_PUBSUB, C_REPLY_OFF, C_REPLY_SKIP
from fastredis.engine.lines cimport Line, line_enter, line_leave
from fastredis.engine.reply cimport reply_new

# The letters of notify-keyspace-events. Source: https://redis.io/docs/latest/develop/use/keyspace-notifications/
cdef dict EVENT_LETTERS = {
    "K": NOTIFY_KEYSPACE, "E": NOTIFY_KEYEVENT, "g": NOTIFY_GENERIC, "$": NOTIFY_STRING, "l": NOTIFY_LIST,
    "s": NOTIFY_SET, "h": NOTIFY_HASH, "z": NOTIFY_ZSET, "x": NOTIFY_EXPIRED, "e": NOTIFY_EVICTED,
    "t": NOTIFY_STREAM, "m": NOTIFY_KEY_MISS, "d": NOTIFY_MODULE, "n": NOTIFY_NEW, "a": NOTIFY_ARRAY,
}

cdef tuple SUBSCRIBED = (b"subscribe", b"psubscribe", b"ssubscribe")             # by Subscription
cdef tuple UNSUBSCRIBED = (b"unsubscribe", b"punsubscribe", b"sunsubscribe")


def set_notify(Engine engine not None, letters):
    """Switch keyspace events on and off: `letters` are those of notify-keyspace-events, "A" resolved."""
    engine.core.notify = 0
    for letter in letters:
        engine.core.notify |= EVENT_LETTERS[letter]
    (<PubSub>engine.pubsub).listen()


cdef class PubSub:
    """The subscriptions of one engine."""

    def __init__(self, Engine engine not None):
        self.engine = engine
        self.channels = {}
        self.patterns = {}
        self.shard_channels = {}
        self.resp2 = reply_new(&engine.core, engine, 2)
        self.resp3 = reply_new(&engine.core, engine, 3)

    def shrink_buffers(self):
        """Cron: give back room that a long message took."""
        self.resp2.shrink()
        self.resp3.shrink()

    # --- subscriptions ------------------------------------------------------------------

    cdef dict listeners(self, Subscription kind):
        """Name -> Line of clients, for one kind of subscription."""
        if kind == SUB_CHANNEL:
            return self.channels
        return self.patterns if kind == SUB_PATTERN else self.shard_channels

    cdef int subscribe(self, Client c, Subscription kind, Arg* name) except -1:
        """Add a subscription and confirm it; confirmed again if it was there before."""
        cdef bytes key = arg_bytes(name)
        cdef int64_t taken = line_enter(self.listeners(kind), own_names(c, kind), key, c)

        if taken:
            c.entered(key, taken)
            update(self, c)
        return confirm(c, kind, SUBSCRIBED[kind], key)

    cdef int unsubscribe(self, Client c, Subscription kind, Arg* name) except -1:
        """End a subscription, if it is there, and confirm that it is not."""
        cdef bytes key = arg_bytes(name)

        drop(self, c, kind, key)
        return confirm(c, kind, UNSUBSCRIBED[kind], key)

    cdef int unsubscribe_all(self, Client c, Subscription kind) except -1:
        """End all subscriptions of a kind, each with its confirmation; without any there is one with a null name."""
        cdef list names = list(own_names(c, kind))

        for key in names:
            drop(self, c, kind, key)
            confirm(c, kind, UNSUBSCRIBED[kind], key)
        if not names:
            confirm(c, kind, UNSUBSCRIBED[kind], None)
        return 0

    cdef int leave(self, Client c) except -1:
        """End all subscriptions without a word: RESET, or the connection is gone."""
        cdef Subscription kind

        if c.flags & C_PUBSUB:
            for kind in (SUB_CHANNEL, SUB_PATTERN, SUB_SHARD):
                for key in list(own_names(c, kind)):
                    drop(self, c, kind, key)
        return 0

    def remove(self, Client c not None):
        """A client's connection is gone."""
        self.leave(c)

    def listen(self):
        """Have the engine report changes of keys while events are on and anybody could hear of them."""
        cdef int notify = self.engine.core.notify

        if (self.channels or self.patterns) and notify & (NOTIFY_KEYSPACE | NOTIFY_KEYEVENT):
            self.engine.core.listeners |= LISTEN_EVENTS
        else:
            self.engine.core.listeners &= ~LISTEN_EVENTS

    # --- messages -----------------------------------------------------------------------

    cdef int publish(self, Arg* channel, Arg* message) except -1:
        """Send a message to a channel's subscribers and to those of patterns that match; returns how many it has."""
        cdef Line line
        cdef int receivers = 0

        if self.channels:
            line = <Line>self.channels.get(arg_bytes(channel))
            if line is not None:
                receivers = deliver(self, line, b"message", None, channel, message)
        if self.patterns:
            for line in list(self.patterns.values()):
                if glob_match(line.name, len(line.name), channel.ptr, channel.size, False):
                    receivers += deliver(self, line, b"pmessage", line.name, channel, message)
        return receivers

    cdef int publish_shard(self, Arg* channel, Arg* message) except -1:
        """The same for shard channels, which know no patterns."""
        cdef Line line = <Line>self.shard_channels.get(arg_bytes(channel))

        if line is None:
            return 0
        return deliver(self, line, b"smessage", None, channel, message)

    def key_event(self, int db, int event_class, bytes event, bytes key):
        """Publish a keyspace event: the event to the key's channel, the key to the event's channel."""
        cdef Arg channel, event_arg, key_arg
        cdef bytes name

        if not self.channels and not self.patterns:
            return
        event_arg = arg_of(event)
        key_arg = arg_of(key)
        if self.engine.core.notify & NOTIFY_KEYSPACE:
            name = b"__keyspace@%d__:%b" % (db, key)
            channel = arg_of(name)
            self.publish(&channel, &event_arg)
        if self.engine.core.notify & NOTIFY_KEYEVENT:
            name = b"__keyevent@%d__:%b" % (db, event)
            channel = arg_of(name)
            self.publish(&channel, &key_arg)


cdef dict own_names(Client c, Subscription kind):
    """The client's own places of one kind of subscription."""
    if c.channels is None:
        c.channels = {}
        c.patterns = {}
        c.shard_channels = {}
    if kind == SUB_CHANNEL:
        return c.channels
    return c.patterns if kind == SUB_PATTERN else c.shard_channels


cdef int drop(PubSub registry, Client c, Subscription kind, bytes key) except -1:
    """Forget a subscription, if there is one."""
    cdef int64_t given = line_leave(registry.listeners(kind), own_names(c, kind), key)

    if given == 0:
        return 0
    c.left(key, given)
    return update(registry, c)


cdef int update(PubSub registry, Client c) except -1:
    """Keep C_PUBSUB and LISTEN_EVENTS in step with a change of a client's subscriptions."""
    cdef bint subscribed = bool(c.channels or c.patterns or c.shard_channels)

    if subscribed and not c.flags & C_PUBSUB:
        c.flags |= C_PUBSUB
        registry.clients += 1
    elif not subscribed and c.flags & C_PUBSUB:
        c.flags &= ~<uint64_t>C_PUBSUB
        registry.clients -= 1
    registry.listen()
    return 0


cdef int confirm(Client c, Subscription kind, bytes what, bytes name) except -1:
    """Tell a client of its subscription, and how many it has: channels with patterns, or shard channels.

    It is a push, which CLIENT REPLY OFF does not hold back.
    """
    cdef Reply out = c.inbox() if c.flags & (C_REPLY_OFF | C_REPLY_SKIP) else c.out

    out.push(3)
    out.bulk(what, len(what))
    if name is None:
        out.null()
    else:
        out.bulk(name, len(name))
    return out.integer(len(c.shard_channels) if kind == SUB_SHARD else len(c.channels) + len(c.patterns))


cdef int deliver(PubSub registry, Line line, const char* kind, bytes pattern, Arg* channel,
                 Arg* message) except -1:
    """Append one message to the inboxes of those in a line; returns how many they are."""
    cdef Client c
    cdef Reply text
    cdef int receivers = line.count

    try:
        for c in line.clients():        # a list of its own: who is shut for the size of its output leaves the line
            text = registry.resp3 if c.resp == 3 else registry.resp2
            if text.size == 0:
                write_message(text, kind, pattern, channel, message)
            c.inbox().protocol(text.data, text.size)
    finally:
        registry.resp2.clear()
        registry.resp3.clear()
    return receivers


cdef int write_message(Reply out, const char* kind, bytes pattern, Arg* channel, Arg* message) except -1:
    """message channel text; with a pattern in front, if that was what matched."""
    out.push(3 if pattern is None else 4)
    out.bulk(kind, strlen(kind))
    if pattern is not None:
        out.bulk(pattern, len(pattern))
    out.bulk(channel.ptr, channel.size)
    return out.bulk(message.ptr, message.size)
