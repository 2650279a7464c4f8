"""fakeredis's classes of redis-py's clients and connections, on redis_py's."""

import functools
import inspect
from typing import Any, Self

import redis
import redis.asyncio
import redis.connection

from fastredis import redis_py
from fastredis.compat.fakeredis.servers import FakeServer, Version, server_of

FakeRedisConnection = redis_py.Connection
FakeAsyncRedisConnection = redis_py.AsyncConnection
FakeConnection = redis_py.Connection
FakeAsyncConnection = redis_py.AsyncConnection


@functools.cache
def positions(kind: type) -> tuple[str, ...]:
    """The names of what a client's constructor takes by position."""
    return tuple(inspect.signature(kind.__init__).parameters)[1:]


class FakeRedisMixin:
    """What is not redis-py's of the arguments.

    server: a FakeServer; without one all clients of a host and port have one in common, and a client without these has
    one of its own. version, server_type and lua_modules are taken, and change nothing.
    """

    _kind: type = redis.Redis

    def __init__(self, *args: Any, server: FakeServer | None = None, version: Version = (7,),
                 server_type: str = "redis", lua_modules: set[str] | None = None, connected: bool | None = None,
                 connection_pool: Any = None, **options: Any):
        options.update(zip(positions(self._kind), args, strict=False))
        if connection_pool is None:
            server = server_of(server, options, version, server_type)
            if connected is not None and issubclass(self._kind, redis.asyncio.Redis):
                server.connected = connected
            options["server"] = server
        super().__init__(connection_pool=connection_pool, **options)

    @classmethod
    def from_url(cls, url: str, **options: Any) -> Self:
        where = redis.connection.parse_url(url)
        where.pop("connection_class", None)
        return cls(**{**options, **where})


class FakeRedis(FakeRedisMixin, redis_py.Redis):
    """A redis.Redis of an engine in this process."""


class FakeStrictRedis(FakeRedis):
    """The same, as in redis-py."""


class FakeAsyncRedis(FakeRedisMixin, redis_py.AsyncRedis):
    """A redis.asyncio.Redis of an engine in this process."""

    _kind = redis.asyncio.Redis
