"""The fixtures of pytest-databases for Redis: redis_service, redis_host, redis_port; without a container.

`fastredis_replaces = pytest-databases` in the ini file. As each worker of pytest-xdist has a server of its own, `db` is
always 0.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from fastredis.embed.server import Server


@dataclass(frozen=True)
class RedisService:
    """Where the server is."""

    host: str
    port: int
    db: int = 0
    container: None = None


def service() -> Callable[[], RedisService]:
    @pytest.fixture(scope="session")
    def fixture(fastredis_server: Server) -> RedisService:
        return RedisService("127.0.0.1", fastredis_server.port)

    return fixture


def part(name: str) -> Callable[[], Any]:
    @pytest.fixture(scope="session")
    def fixture(redis_service: RedisService) -> Any:
        return getattr(redis_service, name)

    return fixture


def fixtures() -> dict[str, Any]:
    """All of them."""
    return {"redis_service": service(), "redis_host": part("host"), "redis_port": part("port")}
