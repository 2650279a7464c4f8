"""RDB files and the values in them: written and read again, in pieces, old forms, and everything that is wrong."""
import contextlib
import os
import random
import struct

import pytest
from fastredis.engine.command import declared_commands
from hypothesis import given, settings
from hypothesis import strategies as st

from fastredis import commands
from fastredis.engine import inspect
from fastredis.engine.engine import Engine
from fastredis.persist.rdb_load import RdbError, load_file
from tests.persist import rdb_probes as probes

LIMITS = {
    "list_max_listpack_size": -2, "list_compress_depth": 0, "hash_max_listpack_entries": 16,
    "hash_max_listpack_value": 64, "set_max_intset_entries": 16, "set_max_listpack_entries": 16,
    "set_max_listpack_value": 64, "zset_max_listpack_entries": 16, "zset_max_listpack_value": 64,
}
NOW_MS = 1_700_000_000_000
LATER_MS = 32_503_680_000_000
BUDGET_US = 10_000_000

commands.load()


def new_engine(**limits):
    engine = Engine(16, len(declared_commands()))
    probes.set_limits(engine, **(LIMITS | limits))
    probes.set_clock(engine, NOW_MS)
    return engine


# ---------------------------------------------------------------- the format, written by hand

def length(n):
    if n < 64:
        return bytes([n])
    if n < 16384:
        return bytes([0x40 | n >> 8, n & 0xFF])
    return b"\x80" + struct.pack(">I", n) if n < 2**32 else b"\x81" + struct.pack(">Q", n)


def text(data):
    return length(len(data)) + data


def element(data):
    """An element of a listpack: text, or a number (int) of up to 64 bits."""
    if isinstance(data, int):
        if 0 <= data < 128:
            return bytes([data, 1])
        for code, size in ((0xF1, 2), (0xF2, 3), (0xF3, 4), (0xF4, 8)):
            if -(1 << 8 * size - 1) <= data < 1 << 8 * size - 1:
                return bytes([code]) + data.to_bytes(size, "little", signed=True) + bytes([size + 1])
    size = len(data)
    if size < 64:
        return bytes([0x80 | size]) + data + bytes([size + 1])
    body = (bytes([0xE0 | size >> 8, size & 0xFF]) if size < 4096 else b"\xF0" + struct.pack("<I", size)) + data
    back = len(body)
    return body + (bytes([back]) if back < 128 else bytes([back >> 7, back & 127 | 128]))


def listpack(*items):
    body = b"".join(map(element, items))
    return struct.pack("<IH", len(body) + 7, len(items)) + body + b"\xFF"


def ziplist(*items):
    body = b""
    before = last = 0
    for item in items:
        if isinstance(item, bytes):
            data = (bytes([len(item)]) if len(item) < 64 else bytes([0x40 | len(item) >> 8, len(item) & 0xFF])
                    if len(item) < 16384 else b"\x80" + struct.pack(">I", len(item))) + item
        elif 0 <= item <= 12:
            data = bytes([0xF1 + item])
        else:
            code, size = next((code, size) for code, size in ((0xFE, 1), (0xC0, 2), (0xF0, 3), (0xD0, 4), (0xE0, 8))
                              if -(1 << 8 * size - 1) <= item < 1 << 8 * size - 1)
            data = bytes([code]) + item.to_bytes(size, "little", signed=True)
        last = len(body)
        entry = (bytes([before]) if before < 254 else b"\xFE" + struct.pack("<I", before)) + data
        body += entry
        before = len(entry)
    return struct.pack("<IIH", len(body) + 11, 10 + last, len(items)) + body + b"\xFF"


def zipmap(*pairs, unused=2):
    def zip_length(n):
        return bytes([n]) if n < 254 else b"\xFE" + struct.pack("<I", n)

    body = b"".join(zip_length(len(field)) + field + zip_length(len(value)) + bytes([unused]) + value + b"?" * unused
                    for field, value in pairs)
    return bytes([min(len(pairs), 254)]) + body + b"\xFF"


def intset(*numbers, width=2):
    return struct.pack("<II", width, len(numbers)) + b"".join(n.to_bytes(width, "little", signed=True) for n in numbers)


def lzf(size, data):
    return b"\xC3" + length(len(data)) + length(size) + data


def file(*parts, version=b"REDIS0010", checksum=True):
    body = version + b"".join(parts) + b"\xFF"
    return body + (probes.crc_of(body).to_bytes(8, "little") if checksum else bytes(8))


def key(kind, name, value):
    return bytes([kind]) + text(name) + value


# ---------------------------------------------------------------- helpers

def load(engine, data, piece=None, **options):
    """Load a file, whole or in pieces of so many bytes. Returns the RdbLoad."""
    found = load_file(engine, -1, 0)
    for name, value in options.items():
        setattr(found, name, value)
    at = 0
    while not found.step(BUDGET_US):
        assert found.hungry
        size = piece or max(1, len(data))
        found.give(data[at:at + size])
        at += size
    return found


def contents(engine):
    """Database -> key -> (type, value in an order of its own, encoding, deadline)."""
    found = {}
    for index in range(16):
        for name, kind, value, _ in inspect.entries(engine, index):
            encoding, when_ms, _ = probes.facts(engine, index, name)
            ordered = value if kind in (0, 1) else sorted(value)
            found.setdefault(index, {})[name] = (kind, ordered, encoding, when_ms)
    return found


def test_what_is_broken_is_told():
    """The checks that the tests below end with would pass on anything, if they did not raise."""
    engine = new_engine()
    probes.add_broken(engine, 0, b"k")
    with pytest.raises(AssertionError, match="4 elements, but 1 different fields"):
        inspect.verify_values(engine)


def value_of(engine, value, version=12):
    """What a type byte with a value is read as: (type, value, encoding)."""
    body = value + bytes([version, 0])
    probes.restore(engine, 0, b"k", body + probes.crc_of(body).to_bytes(8, "little"))
    inspect.verify_values(engine)
    kind, found, encoding, _ = contents(engine)[0][b"k"]
    return kind, found, encoding


def sample_engine(**limits):
    """An engine with values of every type and encoding, deadlines, and more than one database."""
    engine = new_engine(**limits)
    for name, value in SAMPLES.items():
        probes.restore(engine, 0, name, dump(value), NOW_MS + 100_000 if b"ttl" in name else -1)
    probes.restore(engine, 9, b"elsewhere", dump(b"\x00" + text(b"x")), NOW_MS - 5)
    for i in range(100):
        probes.restore(engine, 3, b"key:%d" % i, dump(b"\x00" + text(b"value %d" % i)))
    return engine


def dump(value, version=12):
    body = value + bytes([version, 0])
    return body + probes.crc_of(body).to_bytes(8, "little")


def packed_list(*nodes):
    return b"\x12" + length(len(nodes)) + b"".join(b"\x02" + text(node) for node in nodes)


def plain_hash(count, kind=b"\x04"):
    return kind + length(count) + b"".join(text(b"field %d" % i) + text(b"value %d" % i) for i in range(count))


def plain_set(count):
    return b"\x02" + length(count) + b"".join(text(b"member %d" % i) for i in range(count))


def plain_zset(count):
    return b"\x05" + length(count) + b"".join(text(b"member %d" % i) + struct.pack("<d", i / 3) for i in range(count))


def timed_hash(count):
    """Every third field without a deadline."""
    return b"\x18" + struct.pack("<q", NOW_MS) + length(count) + b"".join(
        length(i * 1000 + 1 if i % 3 else 0) + text(b"field %d" % i) + text(b"value %d" % i) for i in range(count))


SAMPLES = {
    b"empty string": b"\x00\x00",
    b"string": b"\x00" + text(b"hello"),
    b"string ttl": b"\x00" + text(b"hello"),
    b"long string": b"\x00" + text(bytes(range(256)) * 20),
    b"repeating string": b"\x00" + text(b"abc" * 5000),
    b"int 8": b"\x00\xC0\xFF",
    b"int 16": b"\x00\xC1\x00\x80",
    b"int 32": b"\x00\xC2\x00\x00\x00\x80",
    b"int 64": b"\x00" + text(b"-9223372036854775808"),
    b"no int": b"\x00" + text(b"007"),
    b"list": packed_list(listpack(b"a", 1, -1, 2**40, b"", b"x" * 100, b"y" * 5000)),
    b"long list": packed_list(*(listpack(*(b"item %d" % (i * 100 + j) for j in range(100))) for i in range(200))),
    b"list of large": b"\x12\x03\x01" + text(b"large" * 5000) + b"\x02" + text(listpack(b"small")) + b"\x01" + text(
        b"large again" * 2000),
    b"ints": b"\x0b" + text(intset(-5, 0, 1, 300)),
    b"big ints": b"\x0b" + text(intset(-2**62, 0, 2**40, width=8)),
    b"set": plain_set(4),
    b"big set": plain_set(500),
    b"set of ints": b"\x02\x11" + b"".join(b"\xC0" + bytes([i]) for i in range(17)),
    b"hash": b"\x10" + text(listpack(b"a", b"1", b"b", 2)),
    b"big hash ttl": plain_hash(500),
    b"timed hash": b"\x19" + struct.pack("<q", NOW_MS + 5) + text(
        listpack(b"a", b"1", NOW_MS + 5, b"b", b"2", NOW_MS + 6, b"c", b"3", 0)),
    b"big timed hash": timed_hash(300),
    b"zset": b"\x11" + text(listpack(b"m", b"-inf", b"a", -1, b"b", b"1.5", b"c", b"1.5", b"d", b"inf")),
    b"big zset": plain_zset(500),
    b"zset of two": b"\x05\x02" + text(b"a") + struct.pack("<d", float("inf")) + text(b"b") + struct.pack("<d", -0.5),
}


# ---------------------------------------------------------------- round trips

@pytest.mark.parametrize("compress", [True, False])
@pytest.mark.parametrize("depth", [0, 1])
def test_a_saved_data_set_is_loaded_again(compress, depth):
    engine = sample_engine(list_compress_depth=depth)
    inspect.verify_values(engine)
    data = probes.save(engine, compress)
    assert data.startswith(b"REDIS0012")
    other = new_engine(list_compress_depth=depth)
    found = load(other, data, drop_expired=False)
    inspect.verify_values(other)
    assert contents(other) == contents(engine)
    assert (found.keys, found.expires, found.expired) == (len(SAMPLES) + 101, 3, 0)
    assert found.offset == len(data)
    assert found.aux[b"redis-bits"] == b"64"
    assert found.kinds == {"string": 10 + 101, "list": 3, "set": 5, "zset": 3, "hash": 4, "module": 0, "stream": 0,
                           "array": 0}


@pytest.mark.parametrize("piece", [1, 2, 7, 100, 4096])
def test_pieces_of_any_size_give_the_same(piece):
    engine = sample_engine()
    other = new_engine()
    load(other, probes.save(engine), piece, drop_expired=False)
    inspect.verify_values(other)
    assert contents(other) == contents(engine)


def test_slices_of_no_time_give_the_same():
    engine = sample_engine()
    other = new_engine()
    found = load_file(other, -1, 0)
    found.drop_expired = False
    found.give(probes.save(engine))
    steps = 0
    while not found.step(-1):
        steps += 1
    assert steps > 20                       # big values are read in several
    assert contents(other) == contents(engine)


def test_files_and_pipes(tmp_path):
    engine = sample_engine()
    path = tmp_path / "dump.rdb"
    with path.open("wb") as out:
        written, keys, expires, calls = probes.save_to(engine, out.fileno(), True)
    assert (written, keys, expires) == (path.stat().st_size, len(SAMPLES) + 101, 3)
    assert calls == []
    other = new_engine()
    with path.open("rb") as source:
        found = load_file(other, source.fileno(), path.stat().st_size)
        found.drop_expired = False
        assert found.step(BUDGET_US)
        assert found.offset == path.stat().st_size
    assert contents(other) == contents(engine)
    assert found.aux[b"aof-base"] == b"1"


def test_the_progress_of_a_large_file_is_told(tmp_path):
    engine = new_engine()
    for i in range(3000):
        probes.restore(engine, 0, b"key:%d" % i, dump(b"\x00" + text(b"%d" % i * 50)))
    path = tmp_path / "dump.rdb"
    with path.open("wb") as out:
        assert probes.save_to(engine, out.fileno())[3] == [1024, 2048]
    other = new_engine()
    with path.open("rb") as source:
        assert load_file(other, source.fileno(), path.stat().st_size).step(BUDGET_US)
    assert contents(other) == contents(engine)


def test_a_closed_file_is_an_oserror(tmp_path):
    read_end, write_end = os.pipe()
    os.close(read_end)
    engine = sample_engine()
    before = probes.used_memory(engine)
    with pytest.raises(BrokenPipeError):
        probes.save_to(engine, write_end)
    os.close(write_end)
    assert probes.used_memory(engine) == before
    with (tmp_path / "x").open("wb") as out, pytest.raises(OSError, match="Bad file descriptor"):
        load_file(engine, out.fileno(), 0).step(BUDGET_US)


def test_a_walk_of_ones_own_writes_the_same_keys():
    engine = sample_engine()
    other = new_engine()
    load(other, probes.save_by_walk(engine), drop_expired=False)
    assert contents(other) == contents(engine)


def test_version_10_unless_fields_have_deadlines():
    engine = new_engine()
    assert probes.save(engine).startswith(b"REDIS0010")
    probes.restore(engine, 5, b"h", dump(timed_hash(3)))
    assert probes.save(engine).startswith(b"REDIS0012")
    assert probes.dump(engine, 5, b"h")[-10:-8] == b"\x0c\x00"
    probes.restore(engine, 5, b"s", dump(plain_set(3)))
    assert probes.dump(engine, 5, b"s")[-10:-8] == b"\x0a\x00"


def test_header_fields():
    engine = new_engine()
    data = probes.save(engine, repl_id=b"a" * 40)
    found = load(engine, data, 3)
    assert {name: found.aux[name] for name in (b"repl-id", b"repl-offset", b"repl-stream-db", b"aof-base")} == {
        b"repl-id": b"a" * 40, b"repl-offset": b"1234", b"repl-stream-db": b"3", b"aof-base": b"0"}
    assert found.aux[b"ctime"].isdigit() and found.aux[b"used-mem"].isdigit() and b"redis-ver" in found.aux


def test_without_a_checksum():
    engine = sample_engine()
    data = probes.save(engine, checksum=False)
    assert data.endswith(b"\xFF" + bytes(8))
    other = new_engine()
    load(other, data, drop_expired=False)
    assert contents(other) == contents(engine)


def test_nothing_is_kept_by_a_check():
    engine = new_engine()
    before = probes.used_memory(engine)
    found = load_file(engine, -1, 0, keep=False)
    found.drop_expired = False
    found.give(probes.save(sample_engine()))
    assert found.step(BUDGET_US)
    assert (found.keys, found.kinds["hash"]) == (len(SAMPLES) + 101, 4)
    assert contents(engine) == {}
    del found
    assert probes.used_memory(engine) == before


@pytest.mark.parametrize(("stamp", "lfu", "lru", "expected"), [
    (1, False, 900, 900),                   # idle for 100 s at second 1000
    (2, True, 0x123456, None),              # the counter; the minute is that of loading
    (0, False, 900, 1000),
    (1, True, 900, None),                   # the other policy's is not used
])
def test_stamps(stamp, lfu, lru, expected):
    engine = new_engine()
    probes.set_policy(engine, lfu, 1000)
    probes.restore(engine, 0, b"k", dump(b"\x00\x01x"))
    if lfu and stamp == 2:
        lru = NOW_MS // 60000 % 65536 << 8 | 77
        expected = lru
    probes.set_lru(engine, 0, b"k", lru)
    other = new_engine()
    probes.set_policy(other, lfu, 1000)
    load(other, probes.save(engine, stamp=stamp))
    found = probes.facts(other, 0, b"k")[2]
    assert found == (NOW_MS // 60000 % 65536 << 8 | 5 if expected is None else expected)


def test_files_fit_a_real_server(tmp_path, fresh_server, peer):
    """It loads ours, and we load what it saves: the same values, deadlines, databases."""
    engine = new_engine()
    for name, value in SAMPLES.items():
        if b"timed" not in name:                # which it does not know
            probes.restore(engine, 0, name, dump(value), LATER_MS if b"ttl" in name else -1)
    probes.restore(engine, 9, b"elsewhere", dump(b"\x00" + text(b"x")))
    path = tmp_path / "dump.rdb"
    with path.open("wb") as out:
        probes.save_to(engine, out.fileno())
    server = fresh_server("--dir", str(tmp_path), kind="peer")
    with server.client() as client:
        assert client.call("DBSIZE") == len(SAMPLES) - 2
        assert client.call("PEXPIRETIME", "string ttl") == LATER_MS
        assert client.call("LRANGE", "list of large", 0, -1) == [
            b"large" * 5000, b"small", b"large again" * 2000]
        assert str(client.call("SAVE")) == "OK"
    other = new_engine()
    load(other, path.read_bytes(), 1000)
    inspect.verify_values(other)
    ours, theirs = contents(engine), contents(other)
    assert theirs[9] == ours[9]
    assert {name: (kind, value, when_ms) for name, (kind, value, _, when_ms) in theirs[0].items()} == {
        name: (kind, value, when_ms) for name, (kind, value, _, when_ms) in ours[0].items()}


# ---------------------------------------------------------------- what a file may hold

def test_expired_keys_are_dropped_or_kept():
    data = file(b"\xFE\x00", b"\xFC" + struct.pack("<q", NOW_MS - 1) + key(0, b"old", text(b"x")),
                b"\xFD" + struct.pack("<i", NOW_MS // 1000 + 5) + key(0, b"new", text(b"y")), key(0, b"k", text(b"z")))
    master, replica = new_engine(), new_engine()
    found = load(master, data)
    assert (found.keys, found.expires, found.expired) == (2, 1, 1)
    assert contents(master) == {0: {b"new": (0, b"y", "embstr", NOW_MS + 5000), b"k": (0, b"z", "embstr", -1)}}
    assert load(replica, data, drop_expired=False).expired == 0
    assert contents(replica)[0][b"old"][3] == NOW_MS - 1


def test_a_key_that_is_there_already():
    engine = new_engine()
    probes.restore(engine, 0, b"k", dump(plain_hash(20)), NOW_MS + 1)
    data = file(b"\xFE\x00", key(0, b"k", text(b"x")))
    with pytest.raises(RdbError, match="key b'k' is there twice"):
        load(engine, data)
    load(engine, data, replace=True)
    assert contents(engine) == {0: {b"k": (0, b"x", "embstr", -1)}}
    with pytest.raises(RdbError, match="twice"):
        load(new_engine(), file(b"\xFE\x00", key(0, b"k", text(b"x")), key(0, b"k", text(b"x"))))


def test_empty_collections_are_skipped():
    engine = new_engine()
    data = file(b"\xFE\x00", b"\xFC" + struct.pack("<q", NOW_MS + 1) + key(2, b"set", length(0)),
                key(4, b"hash", length(0)), key(5, b"zset", length(0)), key(1, b"list", length(0)),
                key(16, b"hash 2", text(listpack())), key(18, b"list 2", b"\x01\x02" + text(listpack())),
                key(11, b"ints", text(intset())), key(0, b"k", text(b"x")))
    found = load(engine, data)
    assert (found.empty, found.keys) == (7, 1)
    assert contents(engine) == {0: {b"k": (0, b"x", "embstr", -1)}}


def test_parts_that_are_passed_over():
    engine = new_engine()
    module = b"\xF7" + length(2**60) + length(2) + length(1) + length(1) + length(5) + length(2) + length(7) + length(
        3) + bytes(4) + length(4) + bytes(8) + length(5) + text(b"text") + length(0)
    slots = b"\xF4" + length(5) + length(100) + length(3)
    data = file(b"\xFA" + text(b"x") + text(b"y"), module, b"\xFE\x02", slots, b"\xFB\x01\x00",
                key(0, b"k", text(b"v")), version=b"REDIS0011")
    for piece in (None, 1):
        found = load(engine, data, piece, replace=True)
        assert (found.version, found.aux, list(contents(engine))) == (11, {b"x": b"y"}, [2])


def test_what_follows_the_data_set_stays():
    engine = new_engine()
    data = file(b"\xFE\x00", key(0, b"k", text(b"v")))
    found = load(engine, data + b"*1\r\n$4\r\nPING\r\n")
    assert found.offset == len(data)


def test_old_versions_have_no_checksum():
    engine = new_engine()
    found = load(engine, b"REDIS0003\xFE\x00" + key(0, b"k", text(b"v")) + b"\xFF")
    assert (found.version, found.keys) == (3, 1)


def test_a_hint_that_lies_costs_nothing():
    engine = new_engine()
    before = probes.used_memory(engine)
    load(engine, file(b"\xFE\x00\xFB" + length(2**40) + length(2**40), key(0, b"k", text(b"v"))))
    assert probes.used_memory(engine) - before < 4_000_000


# ---------------------------------------------------------------- values

PAIRS = [(b"a", b"1"), (b"b", b"two")]
LZF_TEXT = lzf(100, b"\x00a\xe0\x5a\x00")         # one byte, then 99 more of it

VALUES = {
    "a length of 14 bits": (b"\x00\x40\x01x", (0, b"x", "embstr")),
    "a length of 32 bits": (b"\x00\x80\x00\x00\x00\x01x", (0, b"x", "embstr")),
    "a length of 64 bits": (b"\x00\x81\x00\x00\x00\x00\x00\x00\x00\x01x", (0, b"x", "embstr")),
    "int of 8 bits": (b"\x00\xC0\x80", (0, b"-128", "int")),
    "int of 16 bits": (b"\x00\xC1\x01\x80", (0, b"-32767", "int")),
    "int of 32 bits": (b"\x00\xC2\xFF\xFF\xFF\x7F", (0, b"2147483647", "int")),
    "text that is an int": (b"\x00" + text(b"12345678901"), (0, b"12345678901", "int")),
    "compressed": (b"\x00" + LZF_TEXT, (0, b"a" * 100, "raw")),
    "list of elements": (b"\x01\x03" + text(b"a") + b"\xC0\x05" + LZF_TEXT, (1, [b"a", b"5", b"a" * 100], "listpack")),
    "list as a ziplist": (b"\x0a" + text(ziplist(b"a", 5, -1)), (1, [b"a", b"5", b"-1"], "listpack")),
    "list of ziplists": (b"\x0e\x03" + text(ziplist(b"a")) + text(ziplist()) + text(ziplist(b"b", 2**40)),
                         (1, [b"a", b"b", b"1099511627776"], "quicklist")),
    "list of one ziplist": (b"\x0e\x01" + text(ziplist(b"a")), (1, [b"a"], "listpack")),
    "list of one plain node": (b"\x12\x01\x01" + text(b"a"), (1, [b"a"], "quicklist")),
    "list of a node and an empty one": (packed_list(listpack(b"a"), listpack()), (1, [b"a"], "listpack")),
    "list that is too large for a listpack": (packed_list(listpack(b"x" * 4000, b"y" * 4090, b"z" * 4000)),
                                              (1, [b"x" * 4000, b"y" * 4090, b"z" * 4000], "quicklist")),
    "set of words": (b"\x02\x02" + text(b"a") + text(b"b"), (2, [b"a", b"b"], "listpack")),
    "set of words behind numbers": (b"\x02\x02\xC0\x01" + text(b"b"), (2, [b"1", b"b"], "listpack")),
    "set of numbers": (b"\x02\x02\xC0\x05" + text(b"12345678901"), (2, [b"12345678901", b"5"], "intset")),
    "set with a long member": (b"\x02\x01" + text(b"x" * 65), (2, [b"x" * 65], "hashtable")),
    "set of many": (plain_set(17), (2, sorted(b"member %d" % i for i in range(17)), "hashtable")),
    "intset of 16 bits": (b"\x0b" + text(intset(-1, 5)), (2, [b"-1", b"5"], "intset")),
    "intset that is too large": (b"\x0b" + text(intset(*range(17))), (2, sorted(b"%d" % i for i in range(17)),
                                                                      "hashtable")),
    "set as a listpack": (b"\x14" + text(listpack(b"a", 1)), (2, [b"1", b"a"], "listpack")),
    "set as a listpack of many": (b"\x14" + text(listpack(*range(17))), (2, sorted(b"%d" % i for i in range(17)),
                                                                         "hashtable")),
    "zset with text scores": (b"\x03\x04" + text(b"a") + b"\x031.5" + text(b"b") + b"\xFE" + text(b"c") + b"\xFF"
                              + text(b"d") + b"\x04-1e3",
                              (3, [(b"a", b"1.5"), (b"b", b"inf"), (b"c", b"-inf"), (b"d", b"-1000")], "listpack")),
    "zset with binary scores": (b"\x05\x01" + text(b"a") + struct.pack("<d", 0.1), (3, [(b"a", b"0.1")], "listpack")),
    "zset of many": (plain_zset(17), None),
    "zset as a ziplist": (b"\x0c" + text(ziplist(b"b", 1, b"a", b"1.5")), (3, [(b"a", b"1.5"), (b"b", b"1")],
                                                                            "listpack")),
    "zset as a listpack": (b"\x11" + text(listpack(b"b", 1, b"a", b"1.5")), (3, [(b"a", b"1.5"), (b"b", b"1")],
                                                                             "listpack")),
    "zset as a listpack of many": (b"\x11" + text(listpack(*(x for i in range(17) for x in (b"m%d" % i, i)))), None),
    "hash": (b"\x04\x02" + b"".join(text(field) + text(value) for field, value in PAIRS), (4, PAIRS, "listpack")),
    "hash with a long value": (b"\x04\x01" + text(b"a") + text(b"x" * 65), (4, [(b"a", b"x" * 65)], "hashtable")),
    "hash of many": (plain_hash(17), (4, sorted((b"field %d" % i, b"value %d" % i) for i in range(17)), "hashtable")),
    "hash as a zipmap": (b"\x09" + text(zipmap(*PAIRS)), (4, PAIRS, "listpack")),
    "hash as a zipmap with a long value": (b"\x09" + text(zipmap(*PAIRS, (b"c", b"x" * 300))), (
        4, [*PAIRS, (b"c", b"x" * 300)], "hashtable")),
    "hash as a ziplist": (b"\x0d" + text(ziplist(b"a", 1, b"b", b"two")), (4, PAIRS, "listpack")),
    "hash as a listpack": (b"\x10" + text(listpack(b"a", 1, b"b", b"two")), (4, PAIRS, "listpack")),
    "hash as a listpack of many": (b"\x10" + text(listpack(*(b"%d" % i for i in range(34)))), (
        4, sorted((b"%d" % i, b"%d" % (i + 1)) for i in range(0, 34, 2)), "hashtable")),
    "hash with deadlines": (timed_hash(3), (4, [(b"field %d" % i, b"value %d" % i) for i in range(3)], "listpackex")),
    "hash of many with deadlines": (timed_hash(17), None),
    "hash with deadlines of a release candidate": (
        b"\x16\x02" + length(0) + text(b"a") + text(b"1") + length(NOW_MS + 9) + text(b"b") + text(b"two"),
        (4, PAIRS, "listpackex")),
    "listpack with deadlines": (b"\x19" + struct.pack("<q", NOW_MS) + text(
        listpack(b"a", 1, NOW_MS, b"b", b"two", 0)), (4, PAIRS, "listpackex")),
    "listpack with deadlines of a release candidate": (b"\x17" + text(
        listpack(b"a", 1, NOW_MS, b"b", b"two", NOW_MS + 1)), (4, PAIRS, "listpackex")),
    "a listpack in longer encodings than it needs": (b"\x10" + text(struct.pack("<IH", 21, 2) + (
        b"\xF4" + (5).to_bytes(8, "little") + b"\x09" + b"\x8212\x03" + b"\xFF")), (4, [(b"5", b"12")], "listpack")),
}


@pytest.mark.parametrize("name", VALUES)
def test_values(name):
    value, expected = VALUES[name]
    engine = new_engine()
    found = value_of(engine, value)
    if expected is None:
        assert len(found[1]) == 17 and found[2] in ("skiplist", "hashtable")
    else:
        assert found == expected
    # Written and read again it is the same, and as long as is told.
    payload = probes.dump(engine, 0, b"k")
    assert probes.value_length(engine, 0, b"k") == len(payload) - 11
    other = new_engine()
    probes.restore(other, 0, b"k", payload)
    assert contents(other) == contents(engine)


def hash_of_valkey(when_ms):
    """Type 22 is another one in Valkey's versions: the deadline, or -1, stands behind the value."""
    return b"\x16\x02" + text(b"a") + text(b"1") + struct.pack("<q", -1) + text(b"b") + text(b"two") + struct.pack(
        "<q", when_ms)


def test_hash_of_valkey():
    engine = new_engine()
    value = hash_of_valkey(NOW_MS + 50)
    assert value_of(engine, value, 80) == (4, PAIRS, "listpackex")
    data = file(b"\xFE\x00" + value[:1] + text(b"k") + value[1:], version=b"VALKEY080")
    other = new_engine()
    assert load(other, data, 1).version == 80
    assert contents(other) == contents(engine)


def test_deadlines_that_redis_could_not_have():
    value_of(new_engine(), hash_of_valkey(2**46 - 1), 80)
    for when_ms in (0, 2**46, 2**63 - 1):
        with pytest.raises(RdbError, match=f"a deadline of {when_ms} ms"):
            value_of(new_engine(), hash_of_valkey(when_ms), 80)


@given(st.lists(st.one_of(st.binary(max_size=70), st.integers(-2**63, 2**63 - 1), st.integers(-20, 20),
                          st.binary(min_size=250, max_size=300)), max_size=40))
def test_ziplists(items):
    expected = [item if isinstance(item, bytes) else b"%d" % item for item in items]
    assert probes.old_elements(ENGINE, ziplist(*items), False) == expected


@given(st.lists(st.tuples(st.binary(max_size=300), st.binary(max_size=300)), min_size=1, max_size=20),
       st.integers(0, 255))
def test_zipmaps(pairs, unused):
    expected = [item for pair in pairs for item in pair]
    assert probes.old_elements(ENGINE, zipmap(*pairs, unused=unused), True) == expected


ENGINE = new_engine()


# ---------------------------------------------------------------- what is wrong

HUGE = 2**62
BROKEN = {
    "no type": b"",
    "unknown type": b"\x08",
    "a module's old value": b"\x06" + length(5) + length(0),
    "an opcode": b"\xFE\x00",
    "a string that ends early": b"\x00\x05abc",
    "a string of 4 EiB": b"\x00" + length(HUGE) + b"x",
    "bytes behind the value": b"\x00\x01xy",
    "an unknown encoding of a string": b"\x00\xC4x",
    "an unknown length": b"\x00\x82xxxxxxxxx",
    "an encoded string for a length": b"\x02\xC0\x01",
    "compressed: too short": b"\x00" + lzf(100, b"\x00a\xe0\x50\x00"),
    "compressed: too long": b"\x00" + lzf(100, b"\x00a\xe0\x5b\x00"),
    "compressed: to 4 EiB": b"\x00" + lzf(HUGE, b"\x00a\xe0\x5a\x00"),
    "compressed: to nothing": b"\x00" + lzf(0, b""),
    "compressed: from behind the start": b"\x00" + lzf(100, b"\x00a\xe0\x5a\x05"),
    "no elements": b"\x01\x00",
    "fewer elements than said": b"\x02\x03" + text(b"a"),
    "members without end": b"\x02" + length(HUGE) + text(b"a"),
    "fields without end": b"\x04" + length(HUGE) + text(b"a") + text(b"b"),
    "scores without end": b"\x05" + length(HUGE) + text(b"a") + bytes(8),
    "nodes without end": b"\x12" + length(HUGE) + b"\x02" + text(listpack(b"a")),
    "a member twice": b"\x02\x02" + text(b"a") * 2,
    "a number twice": b"\x02\x02\xC0\x01" + text(b"1"),
    "a member twice among many": b"\x02\x12" + plain_set(17)[2:] + text(b"member 3"),
    "a field twice": b"\x04\x02" + (text(b"a") + text(b"b")) * 2,
    "a field twice among many": b"\x04\x12" + plain_hash(17)[2:] + text(b"field 3") + text(b""),
    "a field without a value": b"\x04\x01" + text(b"a"),
    "a zset's member twice": b"\x05\x02" + (text(b"a") + bytes(8)) * 2,
    "a zset's member twice among many": b"\x05\x12" + plain_zset(17)[2:] + text(b"member 3") + bytes(8),
    "a score that is NaN": b"\x05\x01" + text(b"a") + struct.pack("<d", float("nan")),
    "a text score that is NaN": b"\x03\x01" + text(b"a") + b"\xFD",
    "a text score that says nan": b"\x03\x01" + text(b"a") + b"\x03nan",
    "a text score that is none": b"\x03\x01" + text(b"a") + b"\x031.x",
    "an empty listpack": b"\x10" + text(listpack()),
    "no listpack": b"\x10" + text(b"nonsense"),
    "a listpack with a wrong size": b"\x10" + text(listpack(b"a", b"b") + b"\xFF"),
    "a listpack with a wrong count": b"\x10" + text(listpack(b"a", b"b")[:4] + b"\x04\x00" + listpack(b"a", b"b")[6:]),
    "a listpack with a wrong length back": b"\x10" + text(listpack(b"a", b"b").replace(b"\x81a\x02", b"\x81a\x03")),
    "a field without a value in a listpack": b"\x10" + text(listpack(b"a", b"b", b"c")),
    "a field twice in a listpack": b"\x10" + text(listpack(b"a", b"b", b"a", b"c")),
    "a field twice in a listpack, encoded otherwise": b"\x10" + text(listpack(b"1", b"b", 1, b"c")),
    "a field twice in a long listpack": b"\x10" + text(listpack(*(b"%d" % (i % 40) for i in range(42)))),
    "a member twice in a listpack": b"\x14" + text(listpack(b"a", b"b", b"a")),
    "a member twice in a long listpack": b"\x14" + text(listpack(*range(50), 49)),
    "scores out of order": b"\x11" + text(listpack(b"a", 2, b"b", 1)),
    "members out of order": b"\x11" + text(listpack(b"b", 1, b"a", 1)),
    "a shorter member behind a longer one": b"\x11" + text(listpack(b"ab", 1, b"a", 1)),
    "numbers out of order as text": b"\x11" + text(listpack(9, 1, 10, 1)),
    "a score that is no number in a listpack": b"\x11" + text(listpack(b"a", b"x")),
    "a score that is NaN in a listpack": b"\x11" + text(listpack(b"a", b"nan")),
    "a zset's member twice in a listpack": b"\x11" + text(listpack(b"a", 1, b"a", 2)),
    "an empty intset": b"\x0b" + text(intset()),
    "an intset that is not in order": b"\x0b" + text(intset(2, 1)),
    "an intset with a number twice": b"\x0b" + text(intset(1, 1)),
    "an intset of a wrong width": b"\x0b" + text(struct.pack("<II", 3, 1) + b"abc"),
    "an intset that is too short": b"\x0b" + text(intset(1, 2)[:-1]),
    "an intset of 2^32 numbers": b"\x0b" + text(struct.pack("<II", 8, 2**32 - 1)),
    "an empty ziplist": b"\x0a" + text(ziplist()),
    "a ziplist with a wrong size": b"\x0a" + text(ziplist(b"a") + b"\xFF"),
    "a ziplist with a wrong tail": b"\x0a" + text(ziplist(b"a", b"b")[:4] + b"\x0a" + ziplist(b"a", b"b")[5:]),
    "a ziplist with a wrong count": b"\x0a" + text(ziplist(b"a")[:8] + b"\x02" + ziplist(b"a")[9:]),
    "a ziplist with a wrong length back": b"\x0a" + text(ziplist(b"a", b"b").replace(b"\x03\x01b", b"\x04\x01b")),
    "a ziplist with text that ends early": b"\x0a" + text(ziplist(b"ab").replace(b"\x02ab", b"\x3fab")),
    "a ziplist hash with a field twice": b"\x0d" + text(ziplist(b"a", 1, b"a", 2)),
    "a ziplist zset out of order": b"\x0c" + text(ziplist(b"a", 2, b"b", 1)),
    "a zipmap with a wrong count": b"\x09" + text(b"\x03" + zipmap(*PAIRS)[1:]),
    "an empty zipmap": b"\x09" + text(zipmap()),
    "a zipmap that ends early": b"\x09" + text(zipmap(*PAIRS)[:-6] + b"\xFF"),
    "a zipmap without an end": b"\x09" + text(zipmap(*PAIRS)[:-1]),
    "a zipmap with a field twice": b"\x09" + text(zipmap(*PAIRS, PAIRS[0])),
    "a plain node without text": b"\x12\x01\x01\x00",
    "an unknown container": b"\x12\x01\x03" + text(b"a"),
    "an empty node only": packed_list(listpack()),
    "deadlines out of order": b"\x19" + bytes(8) + text(listpack(b"a", 1, 6, b"b", 1, 5)),
    "a deadline behind none": b"\x19" + bytes(8) + text(listpack(b"a", 1, 0, b"b", 1, 5)),
    "a deadline that is text": b"\x19" + bytes(8) + text(listpack(b"a", 1, b"x")),
    "a negative deadline": b"\x19" + bytes(8) + text(listpack(b"a", 1, -5)),
    "a deadline too late": b"\x19" + bytes(8) + text(listpack(b"a", 1, 2**46)),
    "triples that are not whole": b"\x19" + bytes(8) + text(listpack(b"a", 1)),
    "a field twice in triples": b"\x19" + bytes(8) + text(listpack(b"a", 1, 5, b"a", 1, 6)),
    "a field's deadline too late": b"\x18" + struct.pack("<q", NOW_MS) + b"\x01" + length(2**46) + text(b"a") + text(
        b"b"),
    "a negative soonest deadline": b"\x18" + struct.pack("<q", -5) + b"\x01" + length(1) + text(b"a") + text(b"b"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_values(name):
    engine = new_engine()
    before = probes.used_memory(engine)
    with pytest.raises(RdbError, match="at offset"):
        probes.read_value(engine, BROKEN[name])
    assert probes.used_memory(engine) == before
    # In a file, where more bytes might still come, it is no better.
    data = file(b"\xFE\x00", BROKEN[name][:1] + text(b"k") + BROKEN[name][1:])
    for piece in (None, 1):
        with contextlib.suppress(RdbError):
            load(engine, data, piece)
        inspect.verify_values(engine)


FILES = {
    "nothing": (b"", "unexpected end"),
    "another signature": (b"RADIS0010\xFF" + bytes(8), "Wrong signature"),
    "a version that is no number": (b"REDIS00x0\xFF" + bytes(8), "Wrong signature"),
    "version 0": (b"REDIS0000\xFF" + bytes(8), "Can't handle RDB format version 0"),
    "a version to come": (b"REDIS0015\xFF" + bytes(8), "Can't handle RDB format version 15"),
    "a version of Valkey to come": (b"VALKEY099\xFF" + bytes(8), "Can't handle RDB format version 99"),
    "no end": (file(b"\xFE\x00", key(0, b"k", text(b"v")))[:-9], "unexpected end"),
    "half a checksum": (file(b"\xFE\x00", key(0, b"k", text(b"v")))[:-3], "unexpected end"),
    "a wrong checksum": (file(b"\xFE\x00", key(0, b"k", text(b"v")))[:-1] + b"\x55", "Wrong RDB checksum"),
    "a database too many": (file(b"\xFE\x10"), "database 16, but only 16"),
    "functions of a release candidate": (file(b"\xF6" + text(b"x")), "Pre-release function format"),
    "slots on their way": (file(b"\xF3" + text(b"j" * 40) + b"\x01\x00\x05"), "imported by CLUSTER MIGRATESLOTS"),
    "an unknown type": (file(key(60, b"k", b"")), "unknown type 60"),
    "an unknown part of a module": (file(b"\xF7\x01\x02\x01\x09"), "unknown part 9"),
    "a key of 4 EiB": (file(b"\x00" + length(HUGE)), "unexpected end"),
}


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("piece", [None, 1])
def test_broken_files(name, piece):
    data, message = FILES[name]
    engine = new_engine()
    with pytest.raises(RdbError, match=message):
        load(engine, data, piece)


def test_a_broken_value_names_its_place():
    engine = new_engine()
    data = file(b"\xFE\x00", key(0, b"k", text(b"v")), key(11, b"ints", text(b"nonsense")))
    with pytest.raises(RdbError) as error:
        load(engine, data)
    assert error.value.offset == data.index(b"nonsense") + 8
    assert str(error.value) == (
        f"Intset integrity check failed: it is no intset (at offset {error.value.offset})")


def test_a_file_cut_anywhere():
    """No key is left behind that is not whole, and no memory."""
    whole = file(b"\xFE\x00", *(bytes([value[0]]) + text(name) + value[1:] for name, value in SAMPLES.items()))
    assert load(new_engine(), whole).keys == len(SAMPLES)
    generator = random.Random(1)
    for _ in range(60):
        engine = new_engine()
        with pytest.raises(RdbError, match="unexpected end"):
            load(engine, whole[:generator.randrange(len(whole))])
        inspect.verify_values(engine)


def test_a_load_that_is_dropped_gives_its_memory_back():
    engine = new_engine()
    before = probes.used_memory(engine)
    data = file(b"\xFE\x00", bytes([2]) + text(b"k") + plain_set(500)[1:])
    found = load_file(engine, -1, 0)
    found.give(data[:1000])
    assert not found.step(BUDGET_US) and found.hungry
    assert probes.used_memory(engine) > before
    del found
    assert probes.used_memory(engine) == before


# ---------------------------------------------------------------- chance

def mutated(generator, value):
    """The bytes with some of them changed, doubled, cut or moved."""
    data = bytearray(value)
    for _ in range(generator.choice((1, 1, 1, 2, 3, 8))):
        at = generator.randrange(len(data))
        what = generator.randrange(6)
        if what == 0:
            data[at] = generator.randrange(256)
        elif what == 1:
            data[at] ^= 1 << generator.randrange(8)
        elif what == 2:
            data[at] = generator.choice((0, 1, 63, 64, 127, 128, 129, 0xC0, 0xC3, 0xFE, 0xFF))
        elif what == 3 and len(data) > 1:
            del data[at:at + generator.randrange(1, 9)]
        elif what == 4:
            data[at:at] = data[at:at + generator.randrange(1, 9)]
        else:
            data[at:at + 4] = struct.pack("<I", generator.choice((0, 1, 2**16 - 1, 2**31, 2**32 - 1, len(data))))
        if not data:
            return b"\x00"
    return bytes(data)


def fuzz(seed, rounds):
    """Mutated values: refused, or read as a value that keeps all rules. Returns how many were read."""
    generator = random.Random(seed)
    values = [value for value, _ in VALUES.values()] + [value for value in SAMPLES.values() if len(value) < 3000]
    values.append(hash_of_valkey(NOW_MS))
    engine = new_engine()
    before = probes.used_memory(engine)
    accepted = 0
    for _ in range(rounds):
        value = mutated(generator, generator.choice(values))
        try:
            probes.read_value(engine, value, generator.choice((12, 12, 80)))
            accepted += 1
        except RdbError:
            pass
        assert probes.used_memory(engine) == before, value
    return accepted


@pytest.mark.parametrize("seed", range(4))
def test_mutated_values(seed):
    assert fuzz(seed, 25_000) > 1000


def test_mutated_files():
    generator = random.Random(7)
    whole = probes.save(sample_engine(), compress=False)
    start = whole.index(b"\xFE\x00")
    for _ in range(300):
        at = generator.randrange(max(0, len(whole) - 3000))
        data = whole[:start] + mutated(generator, whole[start:start + at + 3000])
        engine = new_engine()
        with contextlib.suppress(RdbError):
            load(engine, data, generator.choice((None, 100, 5000)), verify=False)
        inspect.verify_values(engine)


@settings(max_examples=50)
@given(st.binary(max_size=200), st.integers(0, 30))
def test_any_bytes(data, kind):
    with contextlib.suppress(RdbError):
        probes.read_value(ENGINE, bytes([kind]) + data)
