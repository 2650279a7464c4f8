"""Hashes whose fields have deadlines, to and from a real Valkey 9: it has another form for them than Redis has."""
from pathlib import Path

import pytest

from tests.helpers import wait_until
from tests.persist.dataset import FAR_MS, content, fill
from tests.replication.test_master import RawReplica
from tests.replication.test_replica import follow, is_up
from tests.resp import Error
from tests.rows import OK
from tests.servers import peer_server

QUICK = ("--repl-diskless-sync-delay", "0")
WAYS = {"pipe": (), "file": ("--repl-diskless-sync", "no"), "channel": ("--dual-channel-replication-enabled", "yes")}
LONG = 60


def fill_hashes(client):
    fill(client)
    for name, count in (("few", 5), ("many", 1000)):
        client.call("HSET", name, *(word for n in range(count) for word in (f"f{n}", n)))
        client.call("HPEXPIREAT", name, FAR_MS, "FIELDS", 2, "f1", "f3")


def deadlines(client):
    return [client.call("HPEXPIRETIME", name, "FIELDS", 3, "f1", "f2", "f3") for name in ("few", "many")]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("ours_is", ["master", "replica"])
def test_a_full_synchronisation(fresh_server, valkey, way, ours_is):
    options = (*QUICK, *WAYS[way])
    ours = fresh_server(*options)
    with peer_server(valkey.path, *options) as theirs, ours.client() as one, theirs.client() as other:
        master, upper, lower = (ours, one, other) if ours_is == "master" else (theirs, other, one)
        fill_hashes(upper)
        follow(lower, master.port)
        wait_until(lambda: is_up(lower))
        assert content(lower) == content(upper)
        assert deadlines(lower) == [[FAR_MS, -1, FAR_MS]] * 2
        upper.call("HPEXPIREAT", "few", FAR_MS + 1, "FIELDS", 1, "f2")
        wait_until(lambda: deadlines(lower)[0] == [FAR_MS, FAR_MS + 1, FAR_MS])
        if ours_is == "master":
            assert one.call("SAVE") == OK
            assert (Path(ours.directory) / "dump.rdb").read_bytes().startswith(b"REDIS0012")    # for Redis


def test_each_gets_its_own_form(fresh_server):
    """Those who wait together, too; without deadlines there is one form, and one child, for all."""
    server = fresh_server("--repl-diskless-sync-delay", "1", "--repl-diskless-sync-max-replicas", "0")
    with server.client() as client:
        client.call("HSET", "h", "f", "v")
        for deadline, expected in ((False, (b"REDIS0010", b"REDIS0010")), (True, (b"REDIS0012", b"VALKEY080"))):
            if deadline:
                client.call("HPEXPIREAT", "h", FAR_MS, "FIELDS", 1, "f")
            with RawReplica(server, "eof", "psync2") as plain, RawReplica(server, "eof", "psync2") as valkey:
                valkey.send("REPLCONF", "version", "9.1.2")
                assert valkey.line() == b"+OK"
                for replica in (plain, valkey):
                    replica.send("PSYNC", "?", -1)
                for replica in (plain, valkey):
                    assert replica.line().startswith(b"+FULLRESYNC ")
                found = [replica.data_set()[:9] for replica in (plain, valkey)]
            assert tuple(found) == expected


def test_versions(fresh_server):
    with fresh_server().client() as client:
        for version in ("9.1.2", "255.255.255", "8.0.0"):
            assert client.call("REPLCONF", "version", version) == OK
        for version in ("", "9", "x.y.z", "-1.0.0"):
            assert client.call("REPLCONF", "version", version) == Error(f"ERR Unrecognized version format: {version}")
