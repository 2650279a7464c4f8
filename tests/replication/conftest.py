"""Fixtures of the replication tests."""
import pytest

from tests.conftest import PEER
from tests.replication.nodes import Network


@pytest.fixture
def network(pytestconfig):
    """A Network whose nodes may be of both kinds; skips without a redis-server."""
    peer = pytestconfig.stash[PEER]
    if peer is None:
        pytest.skip("no peer: no redis-server on PATH, and no --peer")
    with Network(peer.path, pytestconfig.getoption("--loop")) as network:
        yield network
