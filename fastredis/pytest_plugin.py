"""Fixtures for pytest: a server for the session, and clients whose data are gone after each test.

    fastredis_server    the Server; each worker of pytest-xdist has one of its own
    fastredis           a redis.Redis without a socket (fastredis.connect); the data are flushed before the test
    fastredis_async     a redis.asyncio.Redis without a socket, for tests that are coroutines; the same data
    fastredis_clock     the server's clock; it shows the real time again after the test
    fastredis_seed      for a conftest to have its own: a function of the server, which gives it the data that each
                        test finds. They are put back as they were, at the price of what the test before has changed

Settings in pytest's ini file:

    fastredis_settings           settings of the server, a line each as in redis.conf
    fastredis_decode_responses   whether clients decode text (default: false)
    fastredis_replaces           pytest-redis, pytest-databases: their fixtures of these names are ours then

More servers and clients are made by server() and client(), as in pytest-redis:

    from fastredis.pytest_plugin import client, server

    cache_server = server(maxmemory="1mb", maxmemory_policy="allkeys-lru")
    cache = client("cache_server")
"""

import contextlib
import importlib
import shlex
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import TYPE_CHECKING, Any, TypeAlias
from weakref import WeakKeyDictionary

import pytest

from fastredis.embed.clock import Clock
from fastredis.embed.errors import FastredisError
from fastredis.embed.server import Server
from fastredis.embed.settings import Setting
from fastredis.embed.snapshots import Snapshot

if TYPE_CHECKING:
    from fastredis.redis_py import AsyncRedis, Redis

Seed: TypeAlias = Callable[[Server], object]
_seeded: WeakKeyDictionary[Server, Snapshot] = WeakKeyDictionary()      # the data that each test finds
REPLACES = {"pytest-redis": "fastredis.pytest_redis", "pytest-databases": "fastredis.pytest_databases"}


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addini("fastredis_settings", "settings of fastredis_server, as in redis.conf", type="linelist", default=[])
    parser.addini("fastredis_decode_responses", "whether clients decode text", type="bool", default=False)
    parser.addini("fastredis_replaces", "plugins whose fixtures are fastredis's: pytest-redis, pytest-databases",
                  type="args", default=[])


def pytest_configure(config: pytest.Config) -> None:
    for name in config.getini("fastredis_replaces"):
        if name not in REPLACES:
            raise pytest.UsageError(f"fastredis_replaces: {name!r} is none of {', '.join(REPLACES)}")
        plugin = ModuleType(f"fastredis as {name}")         # pytest looks for fixtures in modules and classes
        vars(plugin).update(importlib.import_module(REPLACES[name]).fixtures())
        config.pluginmanager.register(plugin)


def settings_of(lines: list[str]) -> dict[str, Setting]:
    """Lines of redis.conf as keyword arguments."""
    settings: dict[str, Setting] = {}
    for line in lines:
        name, *words = shlex.split(line)
        settings[name.replace("-", "_")] = words[0] if len(words) == 1 else list(words)
    return settings


def server(**settings: Setting) -> Callable[[], Server]:
    """A fixture for the session: a Server with these settings, and those of the ini file that they do not name."""
    @pytest.fixture(scope="session")
    def fixture(request: pytest.FixtureRequest) -> Iterator[Server]:
        with Server(**{**settings_of(request.config.getini("fastredis_settings")), **settings}) as running:
            yield running

    return fixture


def client(server_name: str, *, seed: Seed | None = None, **options: Any) -> Callable[[], "Redis"]:
    """A fixture for each test: a redis.Redis of a server's fixture, without a socket.

    seed: as fastredis_seed; None: there are no data at first.
    """
    @pytest.fixture
    def fixture(request: pytest.FixtureRequest) -> Iterator["Redis"]:
        from fastredis.redis_py import connect

        running = cleared(request.getfixturevalue(server_name), seed)
        with connect(running, **options_of(request.config, options)) as made:
            yield made

    return fixture


def options_of(config: pytest.Config, options: dict[str, Any]) -> dict[str, Any]:
    return {"decode_responses": config.getini("fastredis_decode_responses"), **options}


def cleared(running: Server, seed: Seed | None = None) -> Server:
    """A server without data, functions and scripts that a test left; one that a test stopped runs again."""
    if not running.is_running:
        running.stop()
        running.start()
    snapshot = _seeded.get(running)
    if seed is not None and snapshot is not None and snapshot.belongs_to(running.engine) and not snapshot.is_closed:
        running.restore(snapshot)
        running.engine.execute("SCRIPT", "FLUSH", "SYNC")
        return running
    running.engine.execute_all([("FLUSHALL", "SYNC"), ("FUNCTION", "FLUSH", "SYNC"), ("SCRIPT", "FLUSH", "SYNC")])
    if seed is not None:
        seed(running)
        _seeded[running] = running.snapshot()
    return running


fastredis_server = server()


@pytest.fixture(scope="session")
def fastredis_seed() -> Seed | None:
    """What fills the server: nothing does."""
    return None


@pytest.fixture
def fastredis(request: pytest.FixtureRequest, fastredis_server: Server,
              fastredis_seed: Seed | None) -> Iterator["Redis"]:
    """A redis.Redis without a socket."""
    from fastredis.redis_py import connect

    with connect(cleared(fastredis_server, fastredis_seed), **options_of(request.config, {})) as made:
        yield made


@pytest.fixture
def fastredis_async(request: pytest.FixtureRequest, fastredis_server: Server,
                    fastredis_seed: Seed | None) -> Iterator["AsyncRedis"]:
    """A redis.asyncio.Redis without a socket."""
    from fastredis.redis_py import aconnect

    if "fastredis" not in request.fixturenames:
        cleared(fastredis_server, fastredis_seed)
    made = aconnect(fastredis_server, **options_of(request.config, {}))
    try:
        yield made
    finally:
        made.release()


@pytest.fixture
def fastredis_clock(fastredis_server: Server) -> Iterator[Clock]:
    """The server's clock."""
    yield fastredis_server.clock
    with contextlib.suppress(FastredisError):       # the test has stopped the server
        fastredis_server.clock.release()

