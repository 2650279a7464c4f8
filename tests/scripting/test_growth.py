"""The short form of tests.scripting.growth."""
import pytest

from tests.scripting.growth import TOLERANCE, growth


@pytest.mark.slow
def test_memory_stays_where_it_was(fresh_server):
    used, resident = growth(fresh_server(), scripts=10_000, calls=50_000)
    assert used < TOLERANCE and resident < TOLERANCE, (used, resident)
