"""Fixtures of the replication tests."""
from pathlib import Path

import pytest

from tests.conftest import PEER
from tests.persist.dataset import content, fill
from tests.replication.nodes import Network
from tests.resp import Status
from tests.servers import fastredis_server


@pytest.fixture
def network(pytestconfig):
    """A Network whose nodes may be of both kinds; skips without a redis-server."""
    peer = pytestconfig.stash[PEER]
    if peer is None:
        pytest.skip("no peer: no redis-server on PATH, and no --peer")
    with Network(peer.path, pytestconfig.getoption("--loop")) as network:
        yield network


@pytest.fixture(scope="module")
def rdb(request):
    """An RDB file of all types, and what is in it."""
    with fastredis_server(loop=request.config.getoption("--loop")) as server, server.client() as client:
        fill(client)
        assert client.call("SAVE") == Status("OK")
        return (Path(server.directory) / "dump.rdb").read_bytes(), content(client)
