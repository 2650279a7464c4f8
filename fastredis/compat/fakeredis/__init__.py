"""fakeredis's entry points on a real engine: `from fastredis.compat import fakeredis`.

The package `redis` has to be installed, and `valkey` for FakeValkey, FakeStrictValkey and FakeAsyncValkey.
"""

import importlib
from typing import TYPE_CHECKING, Any

from fastredis.compat.fakeredis import aioredis
from fastredis.compat.fakeredis.clients import (
    FakeAsyncConnection,
    FakeAsyncRedis,
    FakeAsyncRedisConnection,
    FakeConnection,
    FakeRedis,
    FakeRedisConnection,
    FakeRedisMixin,
    FakeStrictRedis,
)
from fastredis.compat.fakeredis.servers import FakeServer, TcpFakeServer

if TYPE_CHECKING:
    from fastredis.compat.fakeredis.of_valkey import FakeAsyncValkey, FakeStrictValkey, FakeValkey

__all__ = ["FakeAsyncConnection", "FakeAsyncRedis", "FakeAsyncRedisConnection", "FakeAsyncValkey", "FakeConnection",
           "FakeRedis", "FakeRedisConnection", "FakeRedisMixin", "FakeServer", "FakeStrictRedis", "FakeStrictValkey",
           "FakeValkey", "TcpFakeServer", "aioredis"]


def __getattr__(name: str) -> Any:
    """Those of valkey-py, only when they are asked for."""
    if name not in ("FakeAsyncValkey", "FakeStrictValkey", "FakeValkey"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.of_valkey"), name)
