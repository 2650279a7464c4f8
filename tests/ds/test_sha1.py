"""SHA-1 beside hashlib's."""
import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

probes = pytest.importorskip("tests.ds.value_probes", reason="built with FASTREDIS_PROBES=1 only")


def expected(data):
    return hashlib.sha1(data).hexdigest().encode()


@pytest.mark.parametrize("size", [*range(260), 1000, 4096, 100_003])
def test_every_length(size):
    data = bytes(i * 7 & 255 for i in range(size))
    assert probes.sha1(data) == expected(data)


@given(st.binary(max_size=300))
def test_any_data(data):
    assert probes.sha1(data) == expected(data)
