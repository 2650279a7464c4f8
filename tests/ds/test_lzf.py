"""LZF: there and back, against a plain reading of the format, and against what a real server compresses."""
import random

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.ds.dumps import read_length, restore_payload, write_length
from tests.resp import Status
from tests.servers import peer_server

probes = pytest.importorskip("tests.ds.pack_probes", reason="built with FASTREDIS_PROBES=1 only")


def plainly_decompressed(data):
    """The format in the plainest way; ValueError for data that is none."""
    out, at = bytearray(), 0
    while at < len(data):
        control = data[at]
        at += 1
        if control < 32:
            if at + control + 1 > len(data):
                raise ValueError("literals beyond the end")
            out += data[at:at + control + 1]
            at += control + 1
            continue
        length = control >> 5
        needed = 2 if length == 7 else 1
        if at + needed > len(data):
            raise ValueError("a copy beyond the end")
        if length == 7:
            length += data[at]
        distance = ((control & 31) << 8 | data[at + needed - 1]) + 1
        at += needed
        if distance > len(out):
            raise ValueError("a copy from before the beginning")
        for _ in range(length + 2):
            out.append(out[-distance])
    return bytes(out)


def checked(data):
    """The compressed data, which comes back by both ways, and fits no less room."""
    compressed = probes.compress(data)
    assert plainly_decompressed(compressed) == data
    assert probes.decompress(compressed, len(data)) == data
    assert probes.compress(data, len(compressed)) == compressed
    assert probes.compress(data, len(compressed) - 1) is None
    assert probes.decompress(compressed, len(data) - 1) is None
    assert probes.decompress(compressed, len(data) + 1) is None
    return compressed


WORDS = [b"the ", b"quick ", b"brown ", b"fox ", b"a", b"\0\0\0", b"0123456789" * 3]


def words(seed, count):
    return b"".join(random.Random(seed).choices(WORDS, k=count))


@settings(max_examples=400, deadline=None)
@given(st.one_of(st.binary(min_size=1, max_size=300), st.text("ab", min_size=1, max_size=300).map(str.encode),
                 st.lists(st.sampled_from(WORDS), min_size=1, max_size=300).map(b"".join)))
@example(b"a")
@example(b"aaa")
@example(b"aaaa")
@example(b"aaaaa")
def test_there_and_back(data):
    checked(data)


@pytest.mark.parametrize("size", [1, 2, 3, 4, 31, 32, 33, 63, 64, 65, 96, 97, 1000])
def test_what_does_not_compress_has_a_byte_for_each_32(size):
    data = bytes(random.Random(size).sample(range(256), min(size, 256)))
    assert len(checked(data)) == len(data) + (len(data) + 31) // 32


@pytest.mark.parametrize("length", [3, 4, 7, 8, 9, 10, 263, 264, 265, 266, 267, 268, 528, 529, 5000])
@pytest.mark.parametrize("distance", [1, 2, 3, 7, 8, 9, 100])
def test_copies_of_every_kind(length, distance):
    """Short and long forms, and those that reach into themselves."""
    pattern = bytes(range(100, 100 + distance))
    checked(b"<" + (pattern * (length // distance + 2))[:distance + length] + b">")


@pytest.mark.parametrize("gap, found", [(8192 - 11, True), (8192 - 10, False)])
def test_copies_reach_8192_bytes_back(gap, found):
    compressed = checked(b"-<abcdefghi>" + b" " * gap + b"<abcdefghi>!")
    assert (compressed.count(b"abcdefghi") == 1) == found


@pytest.mark.parametrize("size", [65_535, 65_536, 65_537, 200_000, 1_000_000])
def test_beyond_the_16_bits_of_a_position(size):
    data = (random.Random(1).randbytes(3000) + words(2, size))[:size]
    assert len(checked(data)) < size // 2


def test_equal_input_gives_equal_output():
    data = words(5, 2000)
    first = probes.compress(data)
    probes.compress(random.Random(3).randbytes(10_000))
    assert probes.compress(data) == first


def test_nothing():
    """0 is an answer of both that says no; callers never ask."""
    assert probes.compress(b"") is None
    assert probes.decompress(b"", 0) is None
    assert probes.decompress(b"", 5) is None


# --- data from outside

@pytest.mark.parametrize("data, room", [
    (b"\x00", 1), (b"\x05abc", 6), (b"\x1f" + b"x" * 31, 32), (b"\x00a\x20", 4), (b"\x00a\xe0", 20),
    (b"\x00a\xe0\x05", 20), (b"\x20\x00", 3), (b"\x00a\x20\x01", 4), (b"\x00a\x3f\xff", 4), (b"\xe0\x00\x00", 9)])
def test_broken_data(data, room):
    assert probes.decompress(data, room) is None


@settings(max_examples=1000, deadline=None)
@given(st.binary(min_size=1, max_size=60), st.integers(0, 400))
def test_any_data(data, room):
    """Where the probes put it, a byte read or written beyond its room would end the process."""
    try:
        expected = plainly_decompressed(data)
    except ValueError:
        expected = None
    if expected is not None:
        assert probes.decompress(data, len(expected)) == expected
    assert probes.decompress(data, room) == (expected if expected is not None and len(expected) == room else None)


@pytest.mark.parametrize("seed", range(10))
def test_damaged_data(seed):
    chance = random.Random(seed)
    data = words(seed, 400)
    for _ in range(300):
        damaged = bytearray(probes.compress(data))
        for _ in range(chance.randint(1, 4)):
            damaged[chance.randrange(len(damaged))] = chance.randrange(256)
        try:
            expected = plainly_decompressed(damaged)
        except ValueError:
            expected = b""
        assert probes.decompress(bytes(damaged), len(data)) == (expected if len(expected) == len(data) else None)


# --- a real server

# As redis-server 7.0.15 writes them: DUMP of strings.
@pytest.mark.parametrize("data, compressed", [
    (b"a" * 100, b"\x01aa\xe0W\x00\x01aa"),
    (b"abc" * 20, b"\x03abca\xe0-\x02\x01bc"),
    (b"the quick brown fox jumps over the lazy dog; the quick brown fox sleeps",
     b"\x1fthe quick brown fox jumps over t \x1e\x08lazy dog;`\r\xe0\x07,\x05sleeps"),
    (b"0123456789" * 30, b"\n01234567890\xe0\xff\t\xe1\x0e\r\x0189")])
def test_known_data(data, compressed):
    assert probes.decompress(compressed, len(data)) == data


@pytest.fixture(scope="module")
def client(peer):
    with peer_server(peer.path, "--rdbcompression", "yes") as server:
        yield server.client()


def test_what_a_real_server_compresses(client):
    for seed in range(200):
        data = words(seed, 3 + seed * 5)
        client.call("SET", "k", data)
        dump = client.call("DUMP", "k")
        if dump[1] != 0xc3:             # too short, or it did not become shorter
            continue
        size, first = read_length(dump[2:])
        length, second = read_length(dump[2 + first:])
        compressed = dump[2 + first + second:-10]
        assert (len(compressed), length) == (size, len(data))
        assert probes.decompress(compressed, length) == data


def test_a_real_server_reads_what_we_compress(client):
    for seed in range(100):
        data = words(seed, 3 + seed * 50)
        compressed = probes.compress(data)
        client.call("DEL", "k")
        payload = b"\x00\xc3" + write_length(len(compressed)) + write_length(len(data)) + compressed
        assert client.call("RESTORE", "k", "0", restore_payload(payload)) == Status("OK")
        assert client.call("GET", "k") == data


def test_it_compresses_about_as_well(client):
    """Text and numbers: at most a tenth larger than by liblzf, whose table is eight times as large."""
    lines = b"".join(b'{"id": %d, "name": "user:%d", "score": %d.5}\n' % (i, i * 31, i % 97) for i in range(3000))
    for data in (lines, lines[:8000], lines[:300], words(1, 20_000), words(2, 300)):
        client.call("SET", "k", data)
        assert len(probes.compress(data)) < len(client.call("DUMP", "k")) * 1.1
