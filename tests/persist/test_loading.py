"""Loading at the start and by DEBUG RELOAD: what clients see meanwhile, what the log says, and damaged files."""
import os
import re
import signal
import struct
import subprocess
import sys
import time
from pathlib import Path

import pytest

import fastredis
from tests.helpers import info, wait_until
from tests.persist.dataset import content, encodings, fill
from tests.resp import Client, Closed, Error, Status
from tests.rows import OK
from tests.servers import Server, free_port

SLOWLY = ("--key-load-delay", "300")
LOADING = Error("LOADING Redis is loading the dataset in memory")
NOT_LOADED = Error("ERR Error trying to load the RDB dump, check server logs.")


@pytest.fixture
def start(fresh_server, tmp_path):
    """start(*options): a server whose files are in tmp_path."""
    def begin(*options):
        return fresh_server("--dir", str(tmp_path), *options)
    return begin


@pytest.fixture
def rdb_file(start, tmp_path):
    """A file with all kinds of keys."""
    server = start()
    with server.client() as client:
        fill(client)
        client.call("SAVE")
    server.stop()
    return tmp_path / "dump.rdb"


class Process:
    """A server that need not come up: its process, port and output."""

    def __init__(self, directory, *options):
        self.port = free_port()
        self.output = directory / "output"
        with self.output.open("wb") as stream:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "fastredis", "--port", str(self.port), "--bind", "127.0.0.1", "--dir",
                 str(directory), "--save", "", *options], stdout=stream, stderr=subprocess.STDOUT)

    def __enter__(self):
        return self

    def __exit__(self, *exc_info):
        self.process.kill()
        self.process.wait()

    def client(self):
        wait_until(self.listens)
        return Client(self.port)

    def listens(self):
        assert self.process.poll() is None, self.log()
        try:
            Client(self.port).close()
        except ConnectionError:
            return False
        return True

    def log(self):
        return self.output.read_text()


# --- meanwhile -------------------------------------------------------------------------------

@pytest.fixture
def slow_directory(start, tmp_path):
    """Where a file of 10,000 keys is."""
    server = start()
    with server.client() as client:
        client.call("DEBUG", "POPULATE", 10_000)
        client.call("SAVE")
    server.stop()
    return tmp_path


@pytest.fixture
def slow(slow_directory):
    """A server that loads 10,000 keys for several seconds."""
    with Process(slow_directory, *SLOWLY) as process:
        yield process


def test_clients_are_told_that_data_is_loaded(slow):
    with slow.client() as client:
        assert client.call("GET", "key:0") == LOADING
        assert client.call("SET", "k", "v") == LOADING
        assert client.call("SAVE") == LOADING and client.call("BGSAVE") == LOADING
        client.call("MULTI")
        assert client.call("GET", "key:0") == LOADING
        assert str(client.call("EXEC")).startswith("EXECABORT")
        found = info(client)
        assert found["loading"] == "1" and found["async_loading"] == "0"
        assert abs(int(found["loading_start_time"]) - time.time()) < 10
        assert int(found["loading_total_bytes"]) == (slow.output.parent / "dump.rdb").stat().st_size
        assert int(found["loading_loaded_bytes"]) < int(found["loading_total_bytes"])
        assert 0 <= float(found["loading_loaded_perc"]) < 100 and int(found["loading_eta_seconds"]) >= 0
        assert int(found["loading_rdb_used_mem"]) >= 0
        wait_until(lambda: int(info(client)["loading_loaded_bytes"]) > int(found["loading_loaded_bytes"]))
        assert int(info(client)["loading_rdb_used_mem"]) > 0
        wait_until(lambda: info(client)["loading"] == "0")
        assert client.call("DBSIZE") == 10_000
        assert "loading_start_time" not in info(client)


@pytest.mark.parametrize("is_on", [False, True])
def test_the_aof_is_not_switched_meanwhile(slow_directory, start, is_on):
    """Neither on, when a base would be made of a part of the data, nor off; all is there afterwards."""
    if is_on:
        with start("--appendonly", "yes").client() as client:
            client.call("CONFIG", "SET", "appendonly", "no")
            client.call("DEBUG", "RELOAD", "NOSAVE")
            client.call("CONFIG", "SET", "appendonly", "yes")
            wait_until(lambda: info(client)["aof_rewrite_in_progress"] == info(client)["aof_rewrite_scheduled"] == "0")
            assert client.call("DBSIZE") == 10_000
    with Process(slow_directory, *SLOWLY, "--appendonly", "yes" if is_on else "no") as slow, slow.client() as client:
        assert client.call("GET", "x") == LOADING
        for value in ("no", "yes"):
            assert client.call("CONFIG", "SET", "appendonly", value) == LOADING
        assert client.call("GET", "x") == LOADING
        wait_until(lambda: info(client)["loading"] == "0")
        assert client.call("DBSIZE") == 10_000 and info(client)["aof_enabled"] == str(int(is_on))
        assert client.call("CONFIG", "SET", "appendonly", "no") == OK


def test_many_clients_come_and_go_meanwhile(slow):
    for _ in range(20):
        with slow.client() as client:
            assert client.call("GET", "x") == LOADING
    with slow.client() as client:
        wait_until(lambda: b"connected_clients:1\r" in client.call("INFO", "clients"))
        assert info(client)["loading"] == "1"


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGINT, "SHUTDOWN"])
def test_the_end_while_loading(slow, end):
    """It is quick, and leaves the file alone although a save point is there."""
    file = slow.output.parent / "dump.rdb"
    before = file.read_bytes()
    with slow.client() as client:
        assert client.call("CONFIG", "SET", "save", "1 1") == OK
        assert client.call("CONFIG", "SET", "dir", str(slow.output.parent)).startswith(("LOADING", "ERR"))
        if end == "SHUTDOWN":
            with pytest.raises((Closed, ConnectionError)):
                client.call("SHUTDOWN")
        else:
            os.kill(slow.process.pid, end)
        assert slow.process.wait(3) == 0, slow.log()
    assert file.read_bytes() == before


def test_nothing_expires_while_data_is_loaded(start, tmp_path):
    """A key whose time comes on the way is there, and goes when all is loaded."""
    slowness = 4 if os.environ.get("FASTREDIS_BUILD") == "asan" else 1
    server = start("--rdbchecksum", "no")
    far_ms = 2**45
    with server.client() as client:
        client.call("SET", "soon", "v", "PXAT", far_ms)         # the first key in the file
        client.call("SELECT", 1)
        client.call("DEBUG", "POPULATE", 3000 * slowness)
        client.call("SAVE")
    server.stop()
    # It has to expire between the beginning of loading and its end, 3 s later, however slow the machine is.
    path = tmp_path / "dump.rdb"
    soon_ms = int(time.time() * 1000) + 2500 * slowness
    path.write_bytes(path.read_bytes().replace(struct.pack("<q", far_ms), struct.pack("<q", soon_ms)))
    with Process(tmp_path, "--key-load-delay", "1000") as process, process.client() as client:
        assert info(client)["loading"] == "1"
        wait_until(lambda: info(client)["loading"] == "0")
        wait_until(lambda: client.call("DBSIZE") == 0)
        assert f"keys loaded: {3000 * slowness + 1}, keys expired: 0" in process.log()


# --- after it --------------------------------------------------------------------------------

def test_log_and_info(start, tmp_path):
    server = start()
    with server.client() as client:
        client.call("DEBUG", "SET-ACTIVE-EXPIRE", 0)
        client.pipeline([("SET", f"k{n}", "v") for n in range(10)])
        client.pipeline([("SET", f"old{n}", "v", "PX", 1) for n in range(7)])
        time.sleep(0.01)
        client.call("SAVE")
    server.stop()
    server = start()
    with server.client() as client:
        found = info(client)
        assert (found["rdb_last_load_keys_loaded"], found["rdb_last_load_keys_expired"]) == ("10", "7")
        assert found["rdb_changes_since_last_save"] == "0" and client.call("DBSIZE") == 10
        lines = [line.split(" ", 6)[-1] for line in server.log().splitlines()]
    for line in (r"Loading RDB produced by version 7\.4\.0", r"RDB age \d seconds",
                 r"RDB memory usage when created \d\.\d\d Mb", r"Done loading RDB, keys loaded: 10, keys expired: 7\.",
                 r"DB loaded from disk: \d\.\d{3} seconds"):
        assert any(re.fullmatch(line, each) for each in lines), (line, lines)
    order = [next(n for n, line in enumerate(lines) if text in line) for text in (
        "Server initialized", "Loading RDB produced", "Done loading", "DB loaded from disk", "Ready to accept")]
    assert order == sorted(order)


def test_without_a_file_the_server_starts_empty(start):
    with start().client() as client:
        assert client.call("DBSIZE") == 0
        assert info(client)["rdb_last_load_keys_loaded"] == "0"


def test_values_take_the_encodings_that_are_configured(rdb_file, start):
    with start("--hash-max-listpack-entries", "5", "--set-max-intset-entries", "3", "--zset-max-listpack-entries", "2",
               "--list-max-listpack-size", "4", "--set-max-listpack-entries", "2").client() as client:
        found = encodings(client)
    assert {found[key] for key in (b"hash:small", b"set:small", b"set:ints")} == {b"hashtable"}
    assert found[b"zset:small"] == b"skiplist" and found[b"list:small"] == b"quicklist"


# --- damaged files -----------------------------------------------------------------------------

def failing(tmp_path, *options):
    """Start a server that cannot; its log."""
    with Process(tmp_path, *options) as process:
        assert process.process.wait(10) == 1, process.log()
        assert "Traceback" not in process.log()
        return process.log()


def test_a_changed_byte_is_noticed(rdb_file, tmp_path):
    data = bytearray(rdb_file.read_bytes())
    data[-1] ^= 1
    rdb_file.write_bytes(data)
    log = failing(tmp_path)
    assert "Wrong RDB checksum expected:" in log and "RDB CRC error" in log
    assert log.splitlines()[-1].endswith("Terminating server after rdb file reading failure.")


def test_without_rdbchecksum_it_is_not(rdb_file, start):
    data = bytearray(rdb_file.read_bytes())
    data[-1] ^= 1
    rdb_file.write_bytes(data)
    with start("--rdbchecksum", "no").client() as client:
        assert client.call("GET", "short") == b"hello"


def test_debug_switches_it_off_too(rdb_file, start):
    data = bytearray(rdb_file.read_bytes())
    data[-1] ^= 1
    with start().client() as client:
        assert client.call("DEBUG", "SET-SKIP-CHECKSUM-VALIDATION", 1) == OK
        rdb_file.write_bytes(data)
        assert client.call("DEBUG", "RELOAD", "NOSAVE") == OK
        assert client.call("GET", "short") == b"hello"
        assert client.call("DEBUG", "SET-SKIP-CHECKSUM-VALIDATION", 0) == OK
        assert client.call("DEBUG", "RELOAD", "NOSAVE") == NOT_LOADED


@pytest.mark.parametrize("hide", ["no", "yes"])
def test_the_log_names_the_key_that_is_damaged(tmp_path, hide):
    # A listpack of one element as a hash, in a key with a line break.
    body = (b"REDIS0010\xFE\x00\x00\x04good\x01v\x10\x05bad\n\xC3" + bytes([9]) + struct.pack("<IH", 9, 1)
            + b"\x01\x01\xFF\xFF" + bytes(8))
    (tmp_path / "dump.rdb").write_bytes(body)
    log = failing(tmp_path, "--hide-user-data-from-log", hide)
    assert len(re.findall("Hash listpack integrity check failed", log)) == 2
    assert ("[additional info] Reading key 'bad\\n\\xc3'" in log) == (hide == "no")
    assert "[additional info] Reading type 16 (hash-listpack)" in log
    assert log.splitlines()[-1].endswith("Terminating server after rdb file reading failure.")


@pytest.mark.parametrize("size", [0, 1, 4, 8, 9, 10, 20, 0.01, 0.5, 0.9999])
def test_a_file_that_ends_too_soon(rdb_file, tmp_path, size):
    """One of no bytes is no data set either: a disk that was full may have left it."""
    data = rdb_file.read_bytes()
    rdb_file.write_bytes(data[:int(len(data) * size) if size % 1 else size])
    log = failing(tmp_path)
    assert "Unexpected EOF reading RDB file" in log and "Short read or OOM loading DB" in log


@pytest.mark.parametrize("data, line", [
    (b"HELLO0010 and more", "Wrong signature trying to load DB from file"),
    (b"REDIS9999 and more", "Can't handle RDB format version 9999")])
def test_another_kind_of_file(tmp_path, data, line):
    (tmp_path / "dump.rdb").write_bytes(data)
    log = failing(tmp_path)
    assert line in log
    assert log.splitlines()[-1].endswith("Fatal error loading the DB: Invalid argument. Exiting.")


def test_a_file_that_cannot_be_read(tmp_path):
    (tmp_path / "dump.rdb").mkdir()
    log = failing(tmp_path)
    assert log.splitlines()[-1].endswith("Fatal error loading the DB: Is a directory. Exiting.")


# --- DEBUG RELOAD ------------------------------------------------------------------------------

def test_reload(start):
    with start().client() as client:
        fill(client)
        before, kinds = content(client), encodings(client)
        assert client.call("DEBUG", "RELOAD") == OK
        assert content(client) == before and encodings(client) == kinds
        assert client.call("DEBUG", "VERIFY") == OK


def test_reload_without_saving(start):
    with start().client() as client:
        client.call("SET", "saved", 1)
        client.call("SAVE")
        client.call("SET", "new", 1)
        assert client.call("DEBUG", "RELOAD", "NOSAVE") == OK
        assert client.call("KEYS", "*") == [b"saved"]


def test_reload_into_what_is_there(start):
    server = start()
    with server.client() as client:
        client.call("SET", "both", "file", "PX", 100_000)
        client.call("RPUSH", "file", 1)
        client.call("SAVE")
        client.call("DEL", "file", "both")
        client.call("RPUSH", "both", "memory")
        client.call("SET", "memory", 1)
        assert client.call("DEBUG", "RELOAD", "NOSAVE", "NOFLUSH", "MERGE") == OK
        assert sorted(client.call("KEYS", "*")) == [b"both", b"file", b"memory"]
        assert client.call("GET", "both") == b"file" and 0 < client.call("PTTL", "both") <= 100_000
        assert client.call("DEBUG", "RELOAD", "NOSAVE", "NOFLUSH") == NOT_LOADED
        assert client.call("DEBUG", "VERIFY") == OK


def test_reload_without_a_file(start):
    with start().client() as client:
        assert client.call("DEBUG", "RELOAD", "NOSAVE") == Error(
            "ERR Error trying to load the RDB dump, check server logs.")
        assert client.call("DEBUG", "RELOAD", "NOSUCH") == Error(
            "ERR DEBUG RELOAD only supports the MERGE, NOFLUSH and NOSAVE options.")


@pytest.mark.parametrize("way", ["RELOAD", "LOADAOF"])
def test_what_a_failed_reload_leaves_is_not_saved(start, tmp_path, way):
    """Not before FLUSHALL, or a load that succeeds."""
    server = start("--appendonly", "yes", "--save", "900 1")
    with server.client() as client:
        client.call("DEBUG", "POPULATE", 1000)
        client.call("SAVE")
        good = (tmp_path / "dump.rdb").read_bytes()
        base = next((tmp_path / "appendonlydir").glob("*.base.rdb"))
        broken = base if way == "LOADAOF" else tmp_path / "dump.rdb"
        broken.write_bytes(good[:-100] + b"\xff" * 50)
        assert client.call("DEBUG", *([way] if way == "LOADAOF" else [way, "NOSAVE"])).startswith("ERR Error trying")
        (tmp_path / "dump.rdb").write_bytes(good)
        assert client.call("SAVE").startswith("ERR Can't save now: the data set in memory is not whole")
        assert client.call("DEBUG", "RELOAD") == Error("ERR")
        assert client.call("BGREWRITEAOF") == Status("Background append only file rewriting scheduled")
        client.call("DEBUG", "CLOCK", "ADVANCE", 1_000_000)
        assert client.call("DEBUG", "RELOAD", "NOSAVE") == OK
        assert client.call("DBSIZE") == 1000
        assert client.call("SAVE") == OK
        broken.write_bytes(b"")
        client.call("DEBUG", *([way] if way == "LOADAOF" else [way, "NOSAVE"]))
        assert client.call("FLUSHALL") == OK
        assert client.call("SAVE") == OK


def test_no_reload_while_data_is_loaded(slow_directory):
    with Process(slow_directory, *SLOWLY, "--enable-debug-command", "yes") as slow, slow.client() as client:
        for words in (["RELOAD", "NOSAVE"], ["RELOAD"], ["LOADAOF"]):
            assert client.call("DEBUG", *words) == LOADING


def test_reload_loads_what_it_has_saved(start, tmp_path):
    """Not what a child that began earlier moves to that name in between."""
    environment = dict(os.environ, PYTHONPATH=str(Path(fastredis.__file__).resolve().parent.parent))
    (tmp_path / "other.rdb").write_bytes(b"REDIS0010\xff\0\0\0\0\0\0\0\0")
    program = [sys.executable, "-c", RACE]
    with Server("fastredis", program, ("--dir", str(tmp_path)), environment) as server, server.client() as client:
        client.call("SET", "k", "v")
        assert client.call("DEBUG", "RELOAD") == OK
        assert client.call("GET", "k") == b"v"


RACE = """
import os, sys
from fastredis.config.folder import Folder
sync = Folder.sync
def race(folder, name=""):
    os.rename("other.rdb", "dump.rdb")
    sync(folder, name)
Folder.sync = race
from fastredis.cli import main
sys.exit(main(sys.argv[1:]))
"""


def test_reload_that_cannot_save(start, tmp_path):
    with start().client() as client:
        (tmp_path / "dump.rdb").mkdir()
        client.call("SET", "k", "v")
        assert client.call("DEBUG", "RELOAD") == Error("ERR")
        assert client.call("GET", "k") == b"v"


def test_deadlines_are_kept_after_a_reload(start):
    with start().client() as client:
        client.call("SET", "k", "v", "PX", 400)
        client.call("DEBUG", "RELOAD")
        wait_until(lambda: client.call("DBSIZE") == 0, seconds=3)
