"""Fixtures of the replication tests."""
import contextlib
from pathlib import Path

import pytest

from tests.persist.dataset import content, fill
from tests.replication.nodes import Network
from tests.resp import Status
from tests.servers import fastredis_server


@pytest.fixture
def network(pytestconfig, peer):
    """A Network whose nodes may be of both kinds; skips without a redis-server."""
    with Network(peer.path, pytestconfig.getoption("--loop")) as network:
        yield network


@pytest.fixture(scope="module")
def rdb(request):
    """An RDB file of all types, and what is in it."""
    with fastredis_server(loop=request.config.getoption("--loop")) as server, server.client() as client:
        fill(client)
        assert client.call("SAVE") == Status("OK")
        return (Path(server.directory) / "dump.rdb").read_bytes(), content(client)


@pytest.fixture
def master():
    from tests.replication.test_replica import Master

    playing = Master()
    yield playing
    playing.close()


@pytest.fixture(scope="module")
def slow_rdb(request):
    """An RDB file of a thousand keys, so that key-load-delay makes slices of them."""
    with fastredis_server(loop=request.config.getoption("--loop")) as server, server.client() as client:
        client.call("DEBUG", "POPULATE", 1000)
        assert client.call("SAVE") == Status("OK")
        return (Path(server.directory) / "dump.rdb").read_bytes()


@pytest.fixture
def replica(fresh_server):
    """start(*options) -> a server, and a client of it."""
    with contextlib.ExitStack() as clients:
        def start(*options, **how):
            server = fresh_server(*options, **how)
            return server, clients.enter_context(server.client(timeout=20))
        yield start
