"""CRC-64, as RDB files have it."""
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.persist.rdb_probes import crc_of

POLYNOMIAL = 0xAD93D23594C935A9


def crc_by_bits(data, crc=0):
    """The definition: the polynomial of Jones, bits of a byte from the lowest on, the result's bits in reverse."""
    state = int(f"{crc:064b}"[::-1], 2)
    for byte in data:
        for bit in range(8):
            top = state >> 63 ^ byte >> bit & 1
            state = state << 1 & 0xFFFFFFFFFFFFFFFF
            if top:
                state ^= POLYNOMIAL
    return int(f"{state:064b}"[::-1], 2)


@pytest.mark.parametrize(("data", "crc"), [
    (b"", 0),
    (b"123456789", 0xE9C6D914C4B8D9CA),
    (b"\0" * 100, 0),
])
def test_known(data, crc):
    assert crc_of(data) == crc


@given(st.binary(max_size=100))
def test_definition(data):
    assert crc_of(data) == crc_by_bits(data)


@given(st.binary(max_size=200), st.binary(max_size=200))
def test_pieces(first, second):
    assert crc_of(second, crc_of(first)) == crc_of(first + second)
