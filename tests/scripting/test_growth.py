"""The short form of tests.scripting.growth."""
import os

import pytest

from tests.scripting.growth import TOLERANCE, growth


@pytest.mark.slow
def test_memory_stays_where_it_was(fresh_server):
    used, resident = growth(fresh_server(), scripts=10_000, calls=50_000)
    if os.environ.get("FASTREDIS_BUILD") == "asan":
        resident = 0                    # AddressSanitizer keeps freed memory back
    assert used < TOLERANCE and resident < TOLERANCE, (used, resident)
