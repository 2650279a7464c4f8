"""Keys that eviction spares, in RDB files, AOFs and replicas."""
import pytest

from tests.helpers import wait_until
from tests.persist.test_aof import aof_server, rewrite
from tests.rows import OK
from tests.servers import fastredis_server, peer_server

DEBUG = ("--enable-debug-command", "yes")


def blessed(client):
    cursor, names = client.call("BLESS", "SCAN", 0, "NO-EVICT")
    assert cursor == b"0"
    return sorted(names)


def fill(client):
    client.call("MSET", "a", "1", "b b", "2", "c", "3")
    client.call("SET", "soon", "v", "PX", 1)
    for name in ("a", "b b", "c", "soon"):
        client.call("BLESS", "SET", name, "NO-EVICT")
    client.call("BLESS", "CLEAR", "c", "NO-EVICT")
    wait_until(lambda: client.call("EXISTS", "soon") == 0)


@pytest.mark.parametrize("preamble", ["yes", "no"])
def test_aof(tmp_path, preamble):
    with aof_server(tmp_path, "--aof-use-rdb-preamble", preamble, *DEBUG) as server, server.client() as client:
        fill(client)
        client.call("DEBUG", "LOADAOF")
        assert blessed(client) == [b"a", b"b b"]            # from the commands as they came
        rewrite(client)
        client.call("DEBUG", "LOADAOF")
        assert blessed(client) == [b"a", b"b b"]


def test_a_snapshot_has_those_of_its_beginning(tmp_path):
    options = ("--dir", str(tmp_path), "--rdb-key-save-delay", "1000", *DEBUG)
    with fastredis_server(*options) as server, server.client() as client:
        fill(client)
        client.call("DEBUG", "POPULATE", 300)
        client.call("BGSAVE")
        assert client.call("BLESS", "CLEAR", "a", "NO-EVICT") == 1
        assert client.call("BLESS", "SET", "c", "NO-EVICT") == 1
        wait_until(lambda: b"rdb_bgsave_in_progress:0" in client.call("INFO", "persistence"))
    with fastredis_server("--dir", str(tmp_path)) as server, server.client() as client:
        assert blessed(client) == [b"a", b"b b"]


def test_others_load_the_file(tmp_path, peer):
    with fastredis_server("--dir", str(tmp_path)) as server, server.client() as client:
        fill(client)
        assert client.call("SAVE") == OK
    with peer_server(peer.path, "--dir", str(tmp_path)) as server, server.client() as client:
        assert client.call("MGET", "a", "b b", "c") == [b"1", b"2", b"3"]


def test_replication():
    options = ("--repl-diskless-sync-delay", "0")
    with fastredis_server(*options) as master, master.client() as one, \
            fastredis_server(*options) as replica, replica.client() as other:
        fill(one)
        other.call("REPLICAOF", "127.0.0.1", master.port)
        wait_until(lambda: other.call("EXISTS", "a") == 1)
        assert blessed(other) == [b"a", b"b b"]
        one.call("BLESS", "SET", "c", "NO-EVICT")
        one.call("BLESS", "CLEAR", "a", "NO-EVICT")
        one.call("RENAME", "b b", "d")
        assert one.call("WAIT", 1, 10_000) == 1
        assert blessed(other) == [b"c", b"d"]
