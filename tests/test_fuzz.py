"""A few seconds of tests.fuzz, so that the fuzzer itself works; a bug found by chance is a welcome extra."""
import contextlib

from tests.conftest import PEER
from tests.fuzz import fuzz
from tests.servers import fastredis_server, peer_server

SECONDS = 5
SEED = 1


def test_a_short_run_finds_nothing(pytestconfig):
    peer = pytestconfig.stash[PEER]
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(fastredis_server(loop=pytestconfig.getoption("--loop")))
        other = stack.enter_context(peer_server(peer.path)) if peer else None
        assert "rounds" in fuzz(server, other, SECONDS, SEED)
