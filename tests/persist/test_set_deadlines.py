"""Deadlines of set members in RDB files, DUMP payloads, AOFs and on replicas; servers without them refuse all of it."""
import random
import struct

import pytest

from fastredis.persist.rdb_load import load_file
from tests.helpers import wait_until
from tests.local import NOW_MS, Local
from tests.persist.test_aof import aof_server, rewrite
from tests.resp import Error
from tests.rows import OK
from tests.servers import fastredis_server, peer_server

probes = pytest.importorskip("tests.persist.rdb_probes", reason="built with FASTREDIS_PROBES=1 only")

VERSION = 900
FAR = NOW_MS + 10**10
SETUPS = {
    "one": [("SADDEX", "s", "PXAT", str(FAR), "MEMBERS", "1", "a")],
    "some": [("SADD", "s", "a", "b", "17", "x" * 300), ("SPEXPIREAT", "s", str(FAR), "MEMBERS", "1", "17"),
             ("SPEXPIREAT", "s", str(FAR + 5), "MEMBERS", "2", "a", "x" * 300)],
    "integers": [("SADD", "s", *map(str, range(100))), ("SPEXPIREAT", "s", str(FAR), "MEMBERS", "2", "1", "2")],
    "many": [("SADD", "s", *(f"member:{n}" for n in range(5000))),
             *(("SPEXPIREAT", "s", str(FAR + n), "MEMBERS", "1", f"member:{n}") for n in range(0, 5000, 3))],
}


def with_checksum(data):
    return data + probes.crc_of(data).to_bytes(8, "little")


def state(client, key="s"):
    """{member: deadline or -1}."""
    names = sorted(client.call("SMEMBERS", key))
    return dict(zip(names, client.call("SPEXPIRETIME", key, "MEMBERS", len(names), *names), strict=True))


def local_with(setup):
    local = Local("enable-debug-command yes\nsave ''")
    client = local.client()
    for argv in SETUPS[setup]:
        assert not isinstance(client.call(*argv), Error)
    return local, client


@pytest.mark.parametrize("piece", [1, 77, 10**6])
@pytest.mark.parametrize("setup", SETUPS)
def test_files(setup, piece):
    local, client = local_with(setup)
    data = probes.save(local.engine)
    assert data.startswith(b"REDIS0900")
    other = Local("enable-debug-command yes\nsave ''")
    loader = load_file(other.engine, -1, 0)
    for at in range(0, len(data), piece):
        loader.give(data[at:at + piece])
        loader.step(1_000_000)
    loader.give(b"")
    while not loader.step(1_000_000):
        pass
    reader = other.client()
    assert state(reader) == state(client)
    assert reader.call("DEBUG", "VERIFY") == client.call("DEBUG", "VERIFY")
    assert reader.call("DEBUG", "DIGEST") == client.call("DEBUG", "DIGEST")
    other.advance(2 * 10**10)
    assert reader.call("SCARD", "s") == sum(when == -1 for when in state(client).values())
    for each in (local, other):
        each.loop.close()


@pytest.mark.parametrize("setup", SETUPS)
def test_dumps(setup):
    local, client = local_with(setup)
    before = state(client)
    payload = client.call("DUMP", "s")
    assert struct.unpack("<H", payload[-10:-8]) == (VERSION,)
    assert client.call("RESTORE", "t", "0", payload) == OK
    assert client.call("RESTORE", "s", "0", payload, "REPLACE") == OK
    assert state(client) == state(client, "t") == before
    local.loop.close()


def test_sets_that_lost_their_deadlines_are_for_everybody():
    local, client = local_with("some")
    client.call("SPERSIST", "s", "MEMBERS", 3, "a", "17", "x" * 300)
    client.call("SADDEX", "t", "EX", 5, "MEMBERS", 1, "a")
    client.call("DEL", "t")
    assert probes.save(local.engine).startswith(b"REDIS0010")
    assert struct.unpack("<H", client.call("DUMP", "s")[-10:-8]) == (10,)
    local.loop.close()


def test_damaged_payloads_are_refused_or_sound():
    local, client = local_with("some")
    client.call("CONFIG", "SET", "sanitize-dump-payload", "yes")
    payload = client.call("DUMP", "s")[:-8]
    chance = random.Random(3)
    refused = 0
    for _ in range(600):
        data = bytearray(payload)
        for _ in range(chance.choice((1, 1, 3))):
            data[chance.randrange(1, len(data) - 2)] = chance.randrange(256)
        reply = client.call("RESTORE", "t", "0", with_checksum(bytes(data)), "REPLACE")
        refused += isinstance(reply, Error)
        assert not isinstance(client.call("DEBUG", "VERIFY"), Error)
    assert 0 < refused < 600
    local.loop.close()


@pytest.mark.parametrize("preamble", ["yes", "no"])
def test_aof(tmp_path, preamble):
    options = ("--aof-use-rdb-preamble", preamble, "--enable-debug-command", "yes")
    with aof_server(tmp_path, *options) as server, server.client() as client:
        far = client.call("TIME")
        far = int(far[0]) * 1000 + 10**9
        client.call("SADD", "s", *(f"m{n}" for n in range(300)))
        for n in range(0, 300, 7):
            client.call("SPEXPIREAT", "s", far + n, "MEMBERS", 1, f"m{n}")
        client.call("SADDEX", "t", "EX", 1000, "MEMBERS", 2, "a", "b")
        client.call("SPERSIST", "t", "MEMBERS", 1, "b")
        client.call("SADDEX", "gone", "PX", 1, "MEMBERS", 1, "a")
        wait_until(lambda: client.call("EXISTS", "gone") == 0)
        before = state(client), state(client, "t")
        client.call("DEBUG", "LOADAOF")
        assert (state(client), state(client, "t")) == before        # from the commands as they came
        assert client.call("DBSIZE") == 2
        rewrite(client)
        client.call("DEBUG", "LOADAOF")
        assert (state(client), state(client, "t")) == before


def test_replication():
    """Both by the data set and by the stream; what a replica's clock would hide, its master's commands still find."""
    options = ("--enable-debug-command", "yes", "--repl-diskless-sync-delay", "0")
    with fastredis_server(*options) as master, master.client() as one, \
            fastredis_server(*options) as replica, replica.client() as other:
        one.call("SADD", "before", "a", "b")
        one.call("SEXPIRE", "before", 1000, "MEMBERS", 1, "a")
        other.call("REPLICAOF", "127.0.0.1", master.port)
        wait_until(lambda: other.call("EXISTS", "before") == 1)
        one.call("SADDEX", "after", "EX", 1000, "MEMBERS", 2, "a", "b")
        one.call("SPERSIST", "after", "MEMBERS", 1, "b")
        assert one.call("WAIT", 1, 10_000) == 1
        assert state(other, "before") == state(one, "before")
        assert state(other, "after") == state(one, "after")
        other.call("DEBUG", "CLOCK", "ADVANCE", 10_000_000)
        assert other.call("SMEMBERS", "before") == [b"b"]
        assert other.call("SCARD", "after") == 1
        one.call("SUNIONSTORE", "both", "before", "after")
        one.call("SORT", "before", "ALPHA", "STORE", "sorted")
        one.call("ZUNIONSTORE", "scored", 2, "before", "after")
        one.call("SEXPIRE", "after", 2000, "MEMBERS", 1, "a")
        assert one.call("WAIT", 1, 10_000) == 1
        assert sorted(other.call("SMEMBERS", "both")) == [b"a", b"b"]
        assert other.call("LRANGE", "sorted", 0, -1) == [b"a", b"b"]
        assert other.call("ZRANGE", "scored", 0, -1) == [b"a", b"b"]
        other.call("DEBUG", "CLOCK", "RELEASE")
        assert state(other, "after") == state(one, "after")
        one.call("SPEXPIRE", "before", 5, "MEMBERS", 1, "a")
        wait_until(lambda: one.call("SCARD", "before") == 1)
        assert one.call("WAIT", 1, 10_000) == 1
        assert state(other, "before") == {b"b": -1}


def test_others_refuse(peer):
    local, client = local_with("one")
    payload = client.call("DUMP", "s")
    with peer_server(peer.path) as server, server.client() as other:
        assert other.call("RESTORE", "s", "0", payload) == Error("ERR DUMP payload version or checksum are wrong")
    local.loop.close()
