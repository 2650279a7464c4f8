"""Attacks of clients, in a small form; `python -m tests.abuse` has them in full size."""
import os

import pytest

from tests.abuse.attacks import ATTACKS
from tests.abuse.borne import LIMITS, MOST_MS, allowed_mb, bear
from tests.servers import fastredis_server

CLIENTS = 400
SECONDS = 0.7
TRIES = 3                           # the machine may be busy otherwise
# A sanitizer takes time and memory of its own; what is asked for there is that it finds nothing, and that all recovers.
IS_MEASURED = os.environ.get("FASTREDIS_BUILD") != "asan"


@pytest.mark.slow
@pytest.mark.parametrize("authenticated", [False, True], ids=["before AUTH", "after AUTH"])
@pytest.mark.parametrize("name", ATTACKS)
def test_others_are_served(name, authenticated):
    for _ in range(TRIES):
        with fastredis_server(*LIMITS) as server:           # its end fails if the log tells of a bug
            result = bear(server, name, CLIENTS, authenticated, SECONDS)
        if not IS_MEASURED:
            return
        assert result.more_mb < allowed_mb(CLIENTS), result
        if result.p99_ms < max(MOST_MS, 3 * result.before_ms):
            return
    raise AssertionError(f"others waited: {result}")
