"""The fixtures of pytest-redis: redis_proc, redis_noproc, redisdb, redisdb_async; and its factories.

    from fastredis.pytest_redis import factories        # was: from pytest_redis import factories

    redis_my_proc = factories.redis_proc(port=None)
    redis_my = factories.redisdb("redis_my_proc")

The server is in the test's process, so settings of a process (executable, host, timeout ...) are taken and ignored.
Clients have sockets, as there. For the fixtures without factories: `fastredis_replaces = pytest-redis` in the ini file.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import pytest
import redis
import redis.asyncio

from fastredis.embed.server import Server
from fastredis.pytest_plugin import cleared, settings_of


@dataclass(frozen=True)
class Process:
    """What redis_proc is there: where the server is."""

    server: Server
    host: str
    port: int
    unixsocket: str | None
    username: str = ""
    password: str = ""

    def running(self) -> bool:
        return self.server.is_running


def redis_proc(*, save: str | None = None, **ignored: Any) -> Callable[[], Process]:
    """A fixture for the session: a server. Settings of the ini file (fastredis_settings) hold for it, too."""
    @pytest.fixture(scope="session")
    def fixture(request: pytest.FixtureRequest) -> Iterator[Process]:
        settings = settings_of(request.config.getini("fastredis_settings"))
        if save:
            settings["save"] = save.split()
        with Server(**settings) as server:
            yield Process(server, "127.0.0.1", server.port, server.unix_path)

    return fixture


redis_noproc_factory = redis_proc       # there it is a server that runs already; here one is as near as the other


def redisdb(process_fixture_name: str, dbnum: int = 0, decode: bool | None = None) -> Callable[[], redis.Redis]:
    """A fixture for each test: a redis.Redis of a server's fixture, without data at first."""
    @pytest.fixture
    def fixture(request: pytest.FixtureRequest) -> Iterator[redis.Redis]:
        process = request.getfixturevalue(process_fixture_name)
        cleared(process.server)
        with redis.Redis(process.host, process.port, db=dbnum, decode_responses=decodes(request, decode)) as client:
            yield client

    return fixture


def redisdb_async(process_fixture_name: str, dbnum: int = 0,
                  decode: bool | None = None) -> Callable[[], redis.asyncio.Redis]:
    """The same for a redis.asyncio.Redis."""
    @pytest.fixture
    def fixture(request: pytest.FixtureRequest) -> redis.asyncio.Redis:
        process = request.getfixturevalue(process_fixture_name)
        cleared(process.server)
        return redis.asyncio.Redis(host=process.host, port=process.port, db=dbnum,
                                   decode_responses=decodes(request, decode))

    return fixture


def decodes(request: pytest.FixtureRequest, decode: bool | None) -> bool:
    return request.config.getini("fastredis_decode_responses") if decode is None else decode


factories = SimpleNamespace(redis_proc=redis_proc, redis_noproc=redis_noproc_factory, redisdb=redisdb,
                            redisdb_async=redisdb_async)


def fixtures() -> dict[str, Any]:
    """The fixtures that pytest-redis has without factories."""
    return {"redis_proc": redis_proc(), "redis_noproc": redis_noproc_factory(), "redisdb": redisdb("redis_proc"),
            "redisdb_async": redisdb_async("redis_proc")}
