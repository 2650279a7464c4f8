# PubSub: who listens to which channel, pattern or shard channel, and how a message gets there.
#
#   channels  b"news" -> Line of clients        client.channels  b"news" -> Place
#   patterns  b"n*"   -> Line                   client.patterns  b"n*"   -> Place
#   shard     b"news" -> Line                   client.shard_channels
#
# Holds: both sides name the same pairs (fastredis.engine.lines); no name without clients; C_PUBSUB
# is set while a client has any of them. Clients get a message in the order in which they
# subscribed.
#
# A message is formatted at most twice, for RESP2 and RESP3, and its bytes are appended to
# the inbox of each receiver, which is sent at the end of the turn: no object is made per
# receiver.
# Source: https://redis.io/docs/latest/develop/interact/pubsub/

from fastredis._resp cimport Arg
from fastredis.engine.client cimport Client
from fastredis.engine.engine cimport Engine
from fastredis.engine.reply cimport Reply

cdef enum Subscription:             # what a client subscribes to
    SUB_CHANNEL
    SUB_PATTERN
    SUB_SHARD


cdef class PubSub:
    cdef Engine engine
    cdef readonly dict channels
    cdef readonly dict patterns
    cdef readonly dict shard_channels
    cdef readonly int clients           # that have subscriptions
    cdef frozenset events               # letters of notify-keyspace-events
    cdef Reply resp2                    # the message under way
    cdef Reply resp3

    cdef dict listeners(self, Subscription kind)
    cdef int subscribe(self, Client c, Subscription kind, Arg* name) except -1
    cdef int unsubscribe(self, Client c, Subscription kind, Arg* name) except -1
    cdef int unsubscribe_all(self, Client c, Subscription kind) except -1
    cdef int leave(self, Client c) except -1
    cdef int publish(self, Arg* channel, Arg* message) except -1
    cdef int publish_shard(self, Arg* channel, Arg* message) except -1
