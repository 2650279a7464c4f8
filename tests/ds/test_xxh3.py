"""fastredis.ds.xxh3 against fixed vectors, and against the package xxhash where it is installed."""
import random

import pytest

from tests.ds import value_probes as probes

# Lengths on both sides of every change of algorithm, stripe and block.
LENGTHS = [*range(0, 261), 319, 320, 321, 511, 512, 513, 1023, 1024, 1025, 1087, 1088, 1089, 2047, 2048, 2049, 3072,
           3073, 4096, 65535, 65536, 65537, 1_000_003]


def sample(length):
    """Bytes that repeat only after 251 * 256 and so tell every stripe from the others."""
    return bytes((i * 7 + i // 251) % 256 for i in range(length))


VECTORS = {
    1: "c44bdff4074eecdb", 2: "9093381c8763d62e", 3: "c3489259e968ad9e", 4: "d3d60c1519014e89",
    5: "559935c0f3f7327f", 7: "0ffc4827844c63a6", 8: "b88dee77f6bf6980", 9: "03688dcad730d826",
    12: "305c5bae3681d0e0", 16: "9da23836adf2be1e", 17: "f34c3c9cf5a112d1", 32: "99cb9ad0f1a11fbe",
    33: "c077b45492d29cde", 64: "6efb76ff16f37561", 65: "2640848e9137156b", 127: "92113fc28f4b970c",
    128: "65f3c2c00fa93185", 129: "28065c6ec25f5b25", 144: "600e8d345ff9620d", 200: "7c64f3b17285e96a",
    239: "6ce0b13191e635ea", 240: "4917a75c0ef8eed7", 241: "541b19226f0052e8", 255: "d7b24287b3dcf385",
    256: "f2331523b74cf0a4", 257: "33074291cf400551", 511: "9b2070ddfe0d1609", 512: "717ea4dbb4b419c1",
    1023: "4e4c866306f8b848", 1024: "ba464919c6bb3ccd", 1025: "2aa0034e7827ee42", 1088: "6120d50233c9c660",
    1089: "6465773a48ee4306", 2048: "956f98bea3210c05", 2049: "e26adc81a9c9e336", 3073: "f2d4f89c10d2340e",
    4096: "5a73a95c9a8b3549", 65537: "24c6a1d79039600b",
}


@pytest.mark.parametrize(("data", "digest"), [
    (b"", "2d06800538d394c2"), (b"a", "e6c632b61e964e1f"), (b"abc", "78af5f94892f3950"),
])
def test_published_digests(data, digest):
    assert f"{probes.xxh3(data):016x}" == digest


@pytest.mark.parametrize("length", VECTORS)
def test_vectors(length):
    assert f"{probes.xxh3(sample(length)):016x}" == VECTORS[length]


@pytest.mark.parametrize("length", LENGTHS)
def test_same_as_the_reference(length):
    xxhash = pytest.importorskip("xxhash")
    chance = random.Random(length)
    for data in (bytes(length), b"\xff" * length, sample(length), chance.randbytes(length)):
        assert probes.xxh3(data) == xxhash.xxh3_64_intdigest(data)


@pytest.mark.parametrize("length", [1, 4, 9, 17, 129, 241, 1025])
def test_any_alignment(length):
    data = sample(length)
    assert {probes.xxh3_at(bytes(start) + data, start) for start in range(16)} == {probes.xxh3(data)}


@pytest.mark.parametrize("length", [1, 3, 4, 8, 9, 16, 17, 128, 129, 240, 241, 1024, 1025, 2049])
def test_every_byte_counts(length):
    data = sample(length)
    digests = {probes.xxh3(data[:at] + bytes([data[at] ^ 1]) + data[at + 1:]) for at in range(length)}
    assert len(digests | {probes.xxh3(data)}) == length + 1
