"""The two sides that scripts run on."""
import pytest

from tests.conftest import PEER
from tests.scripting.rows import Ours, Theirs
from tests.servers import peer_server


@pytest.fixture(scope="session")
def script_peer(request):
    """The real server's side, or None."""
    peer = request.config.stash[PEER]
    if peer is None:
        yield None
        return
    with peer_server(peer.path) as server:
        yield Theirs(peer, server)


@pytest.fixture(params=["ours", "theirs"])
def side(request):
    """Each side in turn; skips without a peer, and without probes."""
    if request.param == "ours":
        probes = pytest.importorskip("tests.scripting.lua_probes", reason="built with FASTREDIS_PROBES=1 only")
        return Ours(lambda: probes.Lua(watchdog=False))
    theirs = request.getfixturevalue("script_peer")
    if theirs is None:
        pytest.skip("no peer: no redis-server on PATH, and no --peer")
    return theirs
