"""Arrays in RDB files, DUMP payloads and AOFs; servers that do not know them refuse all of it."""
import random
import struct

import pytest
from fastredis.persist.rdb_read import RdbError

from fastredis.persist.rdb_load import load_file
from tests.local import Local
from tests.persist.test_aof import aof_server, rewrite
from tests.resp import Error
from tests.servers import peer_server

probes = pytest.importorskip("tests.persist.rdb_probes", reason="built with FASTREDIS_PROBES=1 only")

VERSION = 900
LAST = 2**64 - 2
SETUPS = {
    "small": [("ARSET", "a", "0", "x", "y", "17")],
    "cursor": [("ARINSERT", "a", "x", "y"), ("ARSEEK", "a", "100")],
    "exhausted": [("ARSET", "a", "0", "x"), ("ARSEEK", "a", str(LAST + 1))],
    "ring": [("ARRING", "a", "3", "1", "2", "3", "4")],
    "far apart": [("ARMSET", "a", "0", "x", "4096", "", str(2**63), "-5", str(LAST), "z" * 3000)],
    "dense": [("ARSET", "a", "5", *(str(n * 10**7) for n in range(5000)))],
}


def with_checksum(data):
    return data + probes.crc_of(data).to_bytes(8, "little")


def digest(client):
    return client.call("DEBUG", "DIGEST-VALUE", "a")


def local_with(setup):
    local = Local("enable-debug-command yes\nsave ''")
    client = local.client()
    for argv in SETUPS[setup] if isinstance(setup, str) else setup:
        assert not isinstance(client.call(*argv), Error)
    return local, client


def load(data, piece):
    """An engine that has loaded an RDB file in pieces."""
    local = Local("enable-debug-command yes\nsave ''")
    loader = load_file(local.engine, -1, 0)
    for at in range(0, len(data), piece):
        loader.give(data[at:at + piece])
        loader.step(1_000_000)
    loader.give(b"")
    while not loader.step(1_000_000):
        pass
    return local, local.client(), loader


@pytest.mark.parametrize("piece", [1, 77, 10**6])
@pytest.mark.parametrize("setup", SETUPS)
def test_files(setup, piece):
    local, client = local_with(setup)
    data = probes.save(local.engine)
    assert data.startswith(b"REDIS0900")
    other, reader, loader = load(data, piece)
    assert loader.kinds["array"] == 1
    assert digest(reader) == digest(client)
    assert reader.call("ARNEXT", "a") == client.call("ARNEXT", "a")
    assert reader.call("DEBUG", "VERIFY") == client.call("DEBUG", "VERIFY")
    for each in (local, other):
        each.loop.close()


@pytest.mark.parametrize("setup", SETUPS)
def test_dumps(setup):
    local, client = local_with(setup)
    payload = client.call("DUMP", "a")
    assert struct.unpack("<H", payload[-10:-8]) == (VERSION,)
    before = digest(client)
    assert not isinstance(client.call("RESTORE", "a", "0", payload, "REPLACE"), Error)
    assert digest(client) == before
    local.loop.close()


def test_files_without_arrays_are_for_everybody():
    local, client = local_with([("ARSET", "a", "0", "x"), ("SET", "k", "v")])
    client.call("DEL", "a")
    assert probes.save(local.engine).startswith(b"REDIS0010")
    local.loop.close()


def test_an_index_that_is_too_high():
    local, client = local_with([("ARSET", "a", str(LAST), "x", )])
    payload = client.call("DUMP", "a")
    gap = payload.index(b"\x81" + LAST.to_bytes(8, "big"))
    wrong = payload[:gap + 1] + b"\xff" * 8 + payload[gap + 9:-8]
    client.call("CONFIG", "SET", "sanitize-dump-payload", "yes")
    assert client.call("RESTORE", "b", "0", with_checksum(wrong)) == Error("ERR Bad data format")
    local.loop.close()


def test_damaged_payloads_are_refused_or_sound():
    local, client = local_with("far apart")
    payload = client.call("DUMP", "a")[:-8]
    chance = random.Random(3)
    for _ in range(400):
        data = bytearray(payload)
        for _ in range(chance.choice((1, 1, 3))):
            data[chance.randrange(1, len(data) - 2)] = chance.randrange(256)
        reply = client.call("RESTORE", "b", "0", with_checksum(bytes(data)), "REPLACE")
        if not isinstance(reply, Error):
            assert not isinstance(client.call("DEBUG", "VERIFY"), Error)
    local.loop.close()


def test_empty_and_cut_files():
    local, _ = local_with("ring")
    data = probes.save(local.engine)
    with pytest.raises(RdbError):
        load(data[:-20], 10**6)
    local.loop.close()


@pytest.mark.parametrize("preamble", ["yes", "no"])
def test_aof(tmp_path, preamble):
    options = ("--aof-use-rdb-preamble", preamble, "--enable-debug-command", "yes")
    with aof_server(tmp_path, *options) as server, server.client() as client:
        for number, argvs in enumerate(SETUPS.values()):
            for name, _, *rest in argvs:
                assert not isinstance(client.call(name, f"a{number}", *rest), Error)
        digest = client.call("DEBUG", "DIGEST")
        client.call("DEBUG", "LOADAOF")
        assert client.call("DEBUG", "DIGEST") == digest         # from the commands as they came
        rewrite(client)
        client.call("DEBUG", "LOADAOF")
        assert client.call("DEBUG", "DIGEST") == digest


def test_others_refuse(peer):
    local, client = local_with("small")
    payload = client.call("DUMP", "a")
    with peer_server(peer.path) as server, server.client() as other:
        assert other.call("RESTORE", "a", "0", payload) == Error("ERR DUMP payload version or checksum are wrong")
    local.loop.close()
