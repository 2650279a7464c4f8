"""Libraries of functions in files, AOFs and full synchronisations, with real servers as well."""
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

import fastredis
from tests.helpers import wait_until
from tests.persist.test_rdb import file, key, text
from tests.resp import Client, Closed, Error
from tests.rows import OK
from tests.servers import Server, fastredis_server, free_port, peer_server

CODE = """#!lua name=lib
local calls = 0
redis.register_function{function_name='answer', callback=function() calls = calls + 1 return 42 end,
                        flags={'no-writes'}, description='what it is'}
redis.register_function('put', function(keys, args) return redis.call('SET', keys[1], args[1]) end)"""
OTHER = """#!lua name=other
redis.register_function{function_name='one', callback=function() return 1 end, flags={'no-writes'}}"""
LIBRARY = b"\xF5" + text(CODE.encode())
QUICK = ("--repl-diskless-sync-delay", "0")


def info(client, section):
    return client.call("INFO", section).decode()


def synchronised(client):
    wait_until(lambda: "master_link_status:up" in info(client, "replication"))


def codes(client):
    """name -> code, of all libraries."""
    found = {}
    for library in client.call("FUNCTION", "LIST", "WITHCODE"):
        shown = dict(zip(library[::2], library[1::2], strict=True))
        found[shown[b"library_name"]] = shown[b"library_code"].decode()
    return found


BOTH = {b"lib": CODE, b"other": OTHER}


def load_both(client):
    assert [client.call("FUNCTION", "LOAD", code) for code in (CODE, OTHER)] == [b"lib", b"other"]
    assert client.call("FCALL", "put", 1, "k", "v") == OK


def has_both(client):
    return (codes(client) == BOTH and client.call("FCALL_RO", "answer", 0) == 42
            and client.call("FCALL", "one", 0) == 1 and client.call("GET", "k") == b"v")


# --- files -----------------------------------------------------------------------------------


@pytest.mark.parametrize("way", ["SAVE", "BGSAVE", "slices"])
def test_a_file(fresh_server, tmp_path, way):
    options = ("--dir", str(tmp_path))
    server = fresh_server(*options)
    with server.client() as client:
        load_both(client)
        client.call("DEBUG", "FORKLESS-SAVE", int(way == "slices"))
        client.call("SAVE" if way == "SAVE" else "BGSAVE")
        dump = tmp_path / "dump.rdb"
        wait_until(lambda: dump.exists() and "rdb_bgsave_in_progress:0" in info(client, "persistence"))
        assert client.call("FLUSHALL") == OK and client.call("FCALL", "one", 0) == 1, "FLUSHALL leaves them"
    with fastredis_server(*options) as again, again.client() as client:
        assert has_both(client)
        assert "number_of_libraries:2\r\n" in info(client, "memory")


def test_a_reload(fresh_server):
    with fresh_server().client() as client:
        load_both(client)
        assert client.call("DEBUG", "RELOAD") == OK and has_both(client)
        assert client.call("DEBUG", "RELOAD", "NOFLUSH") == Error(
            "ERR Error trying to load the RDB dump, check server logs.") and has_both(client)
        assert client.call("DEBUG", "RELOAD", "NOFLUSH", "MERGE") == OK and has_both(client)
        client.call("FUNCTION", "DELETE", "lib")
        assert client.call("DEBUG", "RELOAD", "NOSAVE", "NOFLUSH", "MERGE") == OK and has_both(client)
        client.call("FUNCTION", "FLUSH")
        assert client.call("SAVE") == OK and client.call("FUNCTION", "LOAD", OTHER) == b"other"
        assert client.call("DEBUG", "RELOAD", "NOSAVE") == OK and codes(client) == {}


@pytest.mark.parametrize("preamble", ["yes", "no"])
def test_an_aof(fresh_server, tmp_path, preamble):
    """Each command is in it, and what a rewrite leaves."""
    options = ("--dir", str(tmp_path), "--appendonly", "yes", "--aof-use-rdb-preamble", preamble)
    with fastredis_server(*options) as server, server.client() as client:
        load_both(client)
        dump = client.call("FUNCTION", "DUMP")
        assert client.call("FUNCTION", "DELETE", "lib") == client.call("FUNCTION", "FLUSH") == OK
        assert client.call("FUNCTION", "LOAD", OTHER) == b"other"
        assert client.call("FUNCTION", "RESTORE", dump, "REPLACE") == OK
        assert client.call("DEBUG", "LOADAOF") == OK and has_both(client)
    with fastredis_server(*options) as server, server.client() as client:
        assert has_both(client)
        client.call("BGREWRITEAOF")
        wait_until(lambda: "Background AOF rewrite finished successfully" in server.log())
        assert client.call("DEBUG", "LOADAOF") == OK and has_both(client)
    with fastredis_server(*options) as server, server.client() as client:
        assert has_both(client)


def test_an_aof_of_commands_has_the_code(tmp_path):
    options = ("--dir", str(tmp_path), "--appendonly", "yes", "--aof-use-rdb-preamble", "no")
    with fastredis_server(*options) as server, server.client() as client:
        load_both(client)
        client.call("BGREWRITEAOF")
        wait_until(lambda: "Background AOF rewrite finished successfully" in server.log())
        base = next(tmp_path.glob("appendonlydir/*.base.aof")).read_bytes()
        assert base.count(b"$8\r\nFUNCTION\r\n$4\r\nLOAD\r\n") == 2 and CODE.encode() in base


BAD = {
    "a code that is none": b"\xF5" + text(b"#!lua name=lib\nreturn return"),
    "a code without functions": b"\xF5" + text(b"#!lua name=lib\nreturn 1"),
    "two of a name": LIBRARY + LIBRARY,
    "the format of a release candidate": b"\xF6" + text(b"lib") + text(b"LUA") + text(b"") + text(CODE.encode()),
}


@pytest.mark.parametrize("name", BAD)
def test_a_file_with_a_library_that_is_wrong(tmp_path, name):
    """The server does not start, as redis-server does not."""
    (tmp_path / "dump.rdb").write_bytes(file(BAD[name], b"\xFE\x00", key(0, b"k", text(b"v"))))
    ended = subprocess.run([sys.executable, "-m", "fastredis", "--port", str(free_port()), "--dir", str(tmp_path)],
                           capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode != 0
    assert "Terminating server after rdb file reading failure." in ended.stdout


def test_a_reload_of_a_file_with_a_library_that_is_wrong(fresh_server, tmp_path):
    with fresh_server("--dir", str(tmp_path)).client() as client:
        load_both(client)
        (tmp_path / "dump.rdb").write_bytes(file(BAD["a code that is none"]))
        assert isinstance(client.call("DEBUG", "RELOAD", "NOSAVE", "NOFLUSH"), Error) and codes(client) == BOTH


def test_a_check_counts_them(tmp_path):
    path = tmp_path / "dump.rdb"
    path.write_bytes(file(LIBRARY, b"\xFE\x00", key(0, b"k", text(b"v"))))
    checked = subprocess.run([sys.executable, "-m", "fastredis", "--check-rdb", str(path)], capture_output=True,
                             text=True, timeout=60, check=False)
    assert checked.returncode == 0
    assert "[info] 1 keys read" in checked.stdout and "[info] 1 libraries of functions" in checked.stdout


def test_without_a_lua_libraries_are_kept(tmp_path):
    """They can't be called, but they are in the next file."""
    (tmp_path / "lupa").mkdir()
    (tmp_path / "lupa" / "__init__.py").touch()
    (tmp_path / "dump.rdb").write_bytes(file(LIBRARY, b"\xFE\x00", key(0, b"k", text(b"v"))))
    package = Path(fastredis.__file__).resolve().parent.parent
    environment = dict(os.environ, PYTHONPATH=f"{tmp_path}{os.pathsep}{package}")
    options = ("--dir", str(tmp_path), "--rdbcompression", "no")
    with Server("fastredis", [sys.executable, "-m", "fastredis"], options, environment) as server:
        with server.client() as client:
            assert str(client.call("EVAL", "return 1", "0")).startswith("ERR scripts can't run on this server: ")
            assert str(client.call("FUNCTION", "LOAD", OTHER)).startswith("ERR functions can't run on this server: ")
            assert str(client.call("FCALL", "put", 1, "k", "v")).startswith("ERR functions can't run on this server: ")
            assert codes(client) == {b"lib": CODE} and client.call("SAVE") == OK
        assert "is kept, but can't be called" in server.log()
    assert LIBRARY in (tmp_path / "dump.rdb").read_bytes()


# --- a server that is killed -----------------------------------------------------------------


@pytest.mark.parametrize("after_s", [0.05, 0.3, 0.6])
def test_what_was_acknowledged_survives_a_kill(tmp_path, after_s):
    options = ("--dir", str(tmp_path), "--appendonly", "yes", "--appendfsync", "always")
    acknowledged = []

    def load_many(port):
        try:
            with Client(port, timeout=20) as client:
                for number in range(100_000):
                    code = (f"#!lua name=l{number}\nredis.register_function('f{number}', "
                            f"function() return {number} end) -- {'x' * 500}")
                    assert client.call("FUNCTION", "LOAD", code) == b"l%d" % number
                    acknowledged.append(number)
        except (OSError, Closed):
            pass
    with fastredis_server(*options) as server:
        writer = threading.Thread(target=load_many, args=(server.port,))
        writer.start()
        time.sleep(after_s)
        server.process.kill()
        writer.join()
    with fastredis_server(*options) as server, server.client() as client:
        there = len(codes(client))
        assert len(acknowledged) <= there <= len(acknowledged) + 1 and acknowledged
        assert client.call("FCALL", f"f{acknowledged[-1]}", 0) == acknowledged[-1]


# --- replicas --------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["disabled", "on-empty-db", "swapdb"])
def test_a_chain_of_replicas(fresh_server, mode):
    """They come with the data set, replace what was there, and follow the stream."""
    quick = (*QUICK, "--repl-diskless-load", mode)
    master, middle, last = fresh_server(*quick), fresh_server(*quick), fresh_server(*quick)
    with master.client() as top, middle.client() as second, last.client() as third:
        load_both(top)
        third.call("FUNCTION", "LOAD", "#!lua name=old\nredis.register_function('old', redis.log)")
        second.call("REPLICAOF", "127.0.0.1", master.port)
        third.call("REPLICAOF", "127.0.0.1", middle.port)
        for client in (second, third):
            synchronised(client)
            wait_until(lambda client=client: has_both(client))
        assert third.call("FCALL", "put", 1, "k", "w") == Error("READONLY You can't write against a read only replica.")
        assert third.call("FUNCTION", "LOAD", OTHER) == Error("READONLY You can't write against a read only replica.")
        dump = top.call("FUNCTION", "DUMP")
        top.call("FUNCTION", "DELETE", "lib")
        wait_until(lambda: list(codes(third)) == [b"other"])
        top.call("FUNCTION", "FLUSH")
        wait_until(lambda: codes(third) == {})
        top.call("FUNCTION", "RESTORE", dump)
        wait_until(lambda: has_both(third))
        top.call("FUNCTION", "LOAD", "REPLACE", OTHER.replace("return 1", "return 2"))
        wait_until(lambda: third.call("FCALL", "one", 0) != 1)
        top.call("FCALL", "put", 1, "k", "after")
        wait_until(lambda: third.call("GET", "k") == b"after")


def test_functions_rdb_of_redis_cli(fresh_server, tmp_path, modern_peer):
    cli = Path(modern_peer.path).with_name("redis-cli")
    if not cli.exists():
        pytest.skip("no redis-cli beside the peer")
    server = fresh_server()
    with server.client() as client:
        load_both(client)
    path = tmp_path / "functions.rdb"
    ended = subprocess.run([cli, "-p", str(server.port), "--functions-rdb", str(path)], capture_output=True, timeout=60,
                           check=False)
    assert ended.returncode == 0, ended
    assert path.read_bytes().count(b"\xF5") >= 2 and b"\xFE\x00" not in path.read_bytes()


# --- with real servers -----------------------------------------------------------------------


@pytest.fixture(params=["redis", "valkey"])
def real(request):
    """Each real server that has functions."""
    return request.getfixturevalue("modern_peer" if request.param == "redis" else "valkey")


def test_files_of_a_real_server_and_back(real, tmp_path):
    options = ("--dir", str(tmp_path))
    with peer_server(real.path, *options) as server, server.client() as client:
        load_both(client)
        dump = client.call("FUNCTION", "DUMP")
        assert client.call("SAVE") == OK
    with fastredis_server(*options) as server, server.client() as client:
        assert has_both(client)
        assert client.call("FUNCTION", "RESTORE", dump, "FLUSH") == OK and has_both(client)
        dump = client.call("FUNCTION", "DUMP")
        assert client.call("SAVE") == OK
    with peer_server(real.path, *options) as server, server.client() as client:
        assert has_both(client)
        assert client.call("FUNCTION", "RESTORE", dump, "FLUSH") == OK and has_both(client)


@pytest.mark.parametrize("preamble", ["yes", "no"])
def test_an_aof_of_a_real_server_and_back(real, tmp_path, preamble):
    options = ("--dir", str(tmp_path), "--appendonly", "yes", "--aof-use-rdb-preamble", preamble)

    def rewrite(server, client):
        client.call("BGREWRITEAOF")
        wait_until(lambda: "Background AOF rewrite finished successfully" in server.log())
    with peer_server(real.path, *options) as server, server.client() as client:
        load_both(client)
        rewrite(server, client)
        client.call("FUNCTION", "LOAD", "REPLACE", OTHER)
    with fastredis_server(*options) as server, server.client() as client:
        assert has_both(client)
        rewrite(server, client)
        client.call("FUNCTION", "LOAD", "REPLACE", OTHER)
    with peer_server(real.path, *options) as server, server.client() as client:
        assert has_both(client)


def test_between_real_servers(real, fresh_server):
    """From one through a replica of ours to another one, with the data set and in the stream."""
    with peer_server(real.path, *QUICK) as first, peer_server(real.path, *QUICK) as last:
        middle = fresh_server(*QUICK)
        with first.client() as top, middle.client() as ours, last.client() as end:
            load_both(top)
            ours.call("REPLICAOF", "127.0.0.1", first.port)
            end.call("REPLICAOF", "127.0.0.1", middle.port)
            for client in (ours, end):
                synchronised(client)
            assert has_both(ours) and has_both(end)
            dump = top.call("FUNCTION", "DUMP")
            top.call("FUNCTION", "FLUSH")
            wait_until(lambda: codes(end) == codes(ours) == {})
            top.call("FUNCTION", "RESTORE", dump)
            wait_until(lambda: has_both(end) and has_both(ours))
            ours.call("REPLICAOF", "NO", "ONE")
            assert ours.call("FUNCTION", "DELETE", "other") == OK
            wait_until(lambda: list(codes(end)) == [b"lib"])
