"""Histograms against the sorted list of all durations."""
import pytest
from hypothesis import given
from hypothesis import strategies as st

probes = pytest.importorskip("tests.ds.histogram_probes", reason="built with FASTREDIS_PROBES=1 only")

DURATIONS = st.one_of(st.integers(0, 40), st.integers(0, 2**20), st.builds(
    lambda power, near: min(2**64 - 1, max(0, 2**power + near)), st.integers(0, 64), st.integers(-1, 1)))


@given(DURATIONS, DURATIONS)
def test_buckets_are_in_order(one, other):
    assert (probes.bucket(one) <= probes.bucket(other)) == (one <= other) or probes.bucket(one) == probes.bucket(other)
    assert 0 <= probes.bucket(one) < 976


@given(st.lists(DURATIONS, min_size=1), st.floats(0, 100))
def test_percentile(durations, percentile):
    histogram = probes.Durations()
    for duration in durations:
        histogram.add(duration)
    place = max(1, int(percentile / 100 * len(durations) + 0.5))
    exact = sorted(durations)[place - 1]
    assert exact * (1 - 1e-15) <= histogram.percentile(percentile) <= exact * (17 / 16) + 1e-9


@given(st.dictionaries(DURATIONS, st.integers(1, 2**40), min_size=1))
def test_calls_that_took_the_same(calls):
    """Many calls at once count as many, in whatever order durations come."""
    histogram = probes.Durations()
    for duration, count in calls.items():
        histogram.add(duration, count)
    for percentile, exact in ((0, min(calls)), (100, max(calls))):
        assert exact * (1 - 1e-15) <= histogram.percentile(percentile) <= exact * (17 / 16) + 1e-9


def test_memory_is_for_the_powers_that_occur():
    histogram = probes.Durations()
    assert histogram.percentile(50) == 0 and histogram.used == 0
    for duration in range(1024, 2048):
        histogram.add(duration)
    one = histogram.used
    assert 128 <= one < 160, "of one power, with what the allocator adds"
    histogram.add(5000)
    assert 3 * 128 <= histogram.used < 3 * 160
    histogram.add(300)
    assert 5 * 128 <= histogram.used < 5 * 160
    histogram.clear()
    assert histogram.used == 0 and histogram.percentile(100) == 0
