"""fakeredis.aioredis: what is for asyncio, by its older names."""

from fastredis.compat.fakeredis.clients import FakeAsyncConnection as FakeConnection
from fastredis.compat.fakeredis.clients import FakeAsyncRedis as FakeRedis
from fastredis.compat.fakeredis.clients import FakeAsyncRedis as FakeStrictRedis
from fastredis.compat.fakeredis.servers import FakeServer

__all__ = ["FakeConnection", "FakeRedis", "FakeServer", "FakeStrictRedis"]
