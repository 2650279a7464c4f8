"""A few seconds of tests.scripting.fuzz, so that the fuzzer itself works; a bug found by chance is a welcome extra."""
from tests.scripting.fuzz import fuzz
from tests.servers import fastredis_server

SECONDS = 5
SEED = 1


def test_a_short_run_finds_nothing(pytestconfig):
    with fastredis_server(loop=pytestconfig.getoption("--loop")) as server:
        assert "raised errors" in fuzz(server, SECONDS, SEED)
