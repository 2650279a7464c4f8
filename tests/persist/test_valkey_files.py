"""Files of Valkey 9.1, whose RDB format has another magic and versions of its own."""
from pathlib import Path

import pytest

from fastredis.persist.check_rdb import check_file
from tests.helpers import wait_until
from tests.persist.dataset import FAR_MS, content, fill
from tests.persist.test_check_aof import formatted, ours
from tests.rows import OK
from tests.servers import fastredis_server, peer_server

# A base that valkey-server 9.1.2 wrote: a string, a hash whose field f has a deadline, a list.
BASE = bytes.fromhex(
    "56414c4b4559303830fa0a76616c6b65792d76657205392e312e32fa0a72656469732d62697473c040fa056374696d65c292a7096bfa08"
    "757365642d6d656dc2b8c91100fa08616f662d62617365c001fe00fb0300000161c0011601680201660176a02a4f1ea201000001670177"
    "ffffffffffffffff12016c01020d0d0000000300010102010301ffff9b8c37f640e2d94c")
DEADLINE_MS = int.from_bytes(bytes.fromhex("a02a4f1ea2010000"), "little")
MANIFEST = "file appendonly.aof.2.base.rdb seq 2 type b\nfile appendonly.aof.2.incr.aof seq 2 type i\n"


@pytest.fixture
def aof(tmp_path):
    """A directory with an AOF of such a base and one command."""
    directory = tmp_path / "appendonlydir"
    directory.mkdir()
    (directory / "appendonly.aof.manifest").write_text(MANIFEST)
    (directory / "appendonly.aof.2.base.rdb").write_bytes(BASE)
    (directory / "appendonly.aof.2.incr.aof").write_bytes(formatted("SET b 2"))
    return tmp_path


def test_the_base_of_an_aof(aof):
    with fastredis_server("--dir", str(aof), "--appendonly", "yes") as server, server.client() as client:
        client.call("DEBUG", "CLOCK", "SET", DEADLINE_MS - 1000)
        assert client.call("MGET", "a", "b") == [b"1", b"2"]
        assert client.call("HPEXPIRETIME", "h", "FIELDS", 2, "f", "g") in ([DEADLINE_MS, -1], [-2, -1])
        assert client.call("LRANGE", "l", 0, -1) == [b"1", b"2", b"3"]
        assert client.call("DEBUG", "LOADAOF") == OK
        assert client.call("DBSIZE") == 4


def test_the_checks_know_it(aof):
    code, text = ours(aof, "appendonlydir/appendonly.aof.manifest")
    assert code == 0 and "RDB preamble is OK" in text and "All AOF files and manifest are valid" in text
    lines = []
    assert check_file(str(aof / "appendonlydir/appendonly.aof.2.base.rdb"), lines.append)
    assert "AUX FIELD valkey-ver = '9.1.2'" in "\n".join(lines)


def test_what_the_real_server_wrote(valkey, tmp_path):
    with peer_server(valkey.path, "--dir", str(tmp_path), "--appendonly", "yes") as server, server.client() as client:
        fill(client)
        client.call("HSET", "h", "f", "v", "g", "w")
        client.call("HPEXPIREAT", "h", FAR_MS, "FIELDS", 1, "f")
        client.call("BGREWRITEAOF")
        wait_until(lambda: b"aof_rewrite_in_progress:0" in client.call("INFO", "persistence")
                   and list(Path(tmp_path).glob("appendonlydir/*.2.base.rdb")))
        client.call("SET", "later", 1)
        client.call("SAVE")
        expected = content(client)
    for options in (("--appendonly", "yes"), ("--save", "")):
        with fastredis_server("--dir", str(tmp_path), *options) as server, server.client() as client:
            assert content(client) == expected
            assert client.call("HPEXPIRETIME", "h", "FIELDS", 2, "f", "g") == [FAR_MS, -1]
    code, text = ours(tmp_path, "appendonlydir/appendonly.aof.manifest")
    assert code == 0, text
