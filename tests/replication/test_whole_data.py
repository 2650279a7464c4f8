"""What is saved is a whole data set: not a part of one that is being loaded, nor the rest of one that could not be."""
import os
import signal
import sys
from pathlib import Path

import pytest

import fastredis
from tests.helpers import info, wait_until
from tests.persist.dataset import content
from tests.replication.test_dual_channel import DUAL, ask, begin, endoff
from tests.replication.test_replica import ID_A, bulk, follow, temporary_files
from tests.resp import Status, encode
from tests.rows import OK
from tests.servers import Server, fastredis_server

LONG = 60
DIRECT = ["on-empty-db", "flush-before-load"]
POINTS = ("--save", "900 1")
NOT_SAVED = "The data are not saved: "
SAVING = "1 changes in 900 seconds. Saving..."


def dump_of(server):
    return Path(server.directory) / "dump.rdb"


def send(played, payload):
    played.greet()
    played.send_raw(b"+FULLRESYNC %s 1000\r\n" % ID_A.encode() + bulk(payload))


def end(server, client, how):
    """End a server -> its exit code."""
    if how == "SIGTERM":
        server.process.send_signal(signal.SIGTERM)
    else:
        client.send_raw(encode("SHUTDOWN", *([how] if how else [])))
    return server.process.wait(LONG)


@pytest.fixture
def loading(replica, master, rdb, slow_rdb):
    """loading(mode): a replica that loads slow_rdb, a client of it, and what its dump.rdb held before."""
    def begin(mode, *options):
        server, client = replica(*POINTS, "--key-load-delay", "2000", "--repl-diskless-load", mode, *options)
        dump_of(server).write_bytes(rdb[0])
        client.call("SET", "old", "1")
        if mode == "on-empty-db":
            client.call("DEL", "old")
        follow(client, master.port)
        send(master.accept(), slow_rdb)
        wait_until(lambda: info(client, "persistence")["loading"] == "1")
        return server, client
    return begin


@pytest.mark.parametrize("how", ["", "SAVE", "SIGTERM"])
@pytest.mark.parametrize("mode", ["disabled", *DIRECT])
def test_the_end_while_a_replica_loads(loading, rdb, slow_rdb, mode, how):
    server, client = loading(mode)
    assert end(server, client, how) == 0
    assert dump_of(server).read_bytes() == (slow_rdb if mode == "disabled" else rdb[0])
    assert NOT_SAVED in server.log() or "Received shutdown signal during loading" in server.log()
    assert temporary_files(server) == []


@pytest.mark.parametrize("mode", ["disabled", *DIRECT])
def test_save_points_wait_until_all_is_loaded(loading, mode):
    server, client = loading(mode)
    client.call("DEBUG", "CLOCK", "ADVANCE", 1_000_000)
    wait_until(lambda: info(client, "persistence")["loading"] == "0")
    wait_until(lambda: "Background saving terminated with success" in server.log())
    log = server.log()
    assert log.index("Finished with success") < log.index("900 seconds. Saving...")


@pytest.mark.parametrize("mode", ["disabled", *DIRECT])
def test_the_end_while_a_second_connection_brings_the_data(replica, master, rdb, slow_rdb, mode):
    server, client = replica(*POINTS, *DUAL, "--key-load-delay", "2000", "--repl-diskless-load", mode)
    dump_of(server).write_bytes(rdb[0])
    client.call("SET", "old", 1)
    client.call("DEL", "old")
    follow(client, master.port)
    main, channel = begin(master)
    channel.send_raw(endoff() + bulk(slow_rdb, True))
    ask(main)
    main.send_raw(b"+CONTINUE\r\n" + encode("SET", "x", 1))
    wait_until(lambda: info(client, "persistence")["loading"] == "1")
    assert end(server, client, "SAVE") == 0
    assert dump_of(server).read_bytes() == (slow_rdb if mode == "disabled" else rdb[0])


def test_swapdb_saves_the_old_data(loading, rdb):
    """They are whole up to the end."""
    server, client = loading("swapdb")
    assert end(server, client, "SAVE") == 0
    with fastredis_server("--dbfilename", "copy.rdb", "--save", "") as other, other.client() as reader:
        (Path(other.directory) / "copy.rdb").write_bytes(dump_of(server).read_bytes())
        assert reader.call("DEBUG", "RELOAD", "NOSAVE") == OK
        assert content(reader) == {(0, b"old"): ("string", b"1", -1)}


@pytest.mark.parametrize("how", ["", "SAVE", "SIGTERM", "master"])
@pytest.mark.parametrize("mode", DIRECT)
def test_what_a_failed_load_leaves_is_not_saved(replica, master, rdb, slow_rdb, mode, how):
    """A replica has nothing then, but its file has; unless it becomes a master, which can be written to."""
    server, client = replica(*POINTS, "--repl-diskless-load", mode)
    client.call("SET", "old", "1")
    dump_of(server).write_bytes(rdb[0])
    if mode == "on-empty-db":
        client.call("DEL", "old")
    follow(client, master.port)
    played = master.accept()
    send(played, slow_rdb[:len(slow_rdb) // 2] + b"\xff" * (len(slow_rdb) // 2))
    master.accept()
    assert client.call("SAVE").startswith("ERR Can't save now: the data set in memory is not whole, since")
    assert client.call("BGSAVE").startswith("ERR Can't save now")
    assert client.call("BGSAVE", "SCHEDULE") == Status("Background saving scheduled")
    if how == "master":
        assert client.call("REPLICAOF", "NO", "ONE") == OK
        assert client.call("SET", "new", 1) == OK
        wait_until(lambda: client.call("SAVE") == OK, "the save that was scheduled does not end")
        assert client.call("DEBUG", "RELOAD") == OK
        assert content(client) == {(0, b"new"): ("string", b"1", -1)}
        return
    client.call("DEBUG", "CLOCK", "ADVANCE", 1_000_000)
    assert end(server, client, how) == 0
    assert dump_of(server).read_bytes() == rdb[0]
    assert "Background saving started" not in server.log()


def test_after_a_failure_and_a_success(replica, master, rdb):
    """The data are whole again; an AOF that was switched on in between begins with them."""
    server, client = replica("--repl-diskless-load", "flush-before-load")
    follow(client, master.port)
    send(master.accept(), b"REDIS0010 and nothing that makes sense")
    wait_until(lambda: "after failure" in server.log())
    assert client.call("CONFIG", "SET", "appendonly", "yes") == OK
    assert client.call("BGREWRITEAOF") == Status("Background append only file rewriting scheduled")
    played = master.synced(rdb[0])
    assert client.call("SAVE") == OK
    wait_until(lambda: "Background AOF rewrite finished successfully" in server.log())
    log = server.log()
    assert log.index("Finished with success") < log.index("Background append only file rewriting started")
    played.close()


# Between the renaming of the received file and its loading, something else takes its name.
SWAPPED = """
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


def test_what_is_loaded_is_what_was_received(master, rdb, slow_rdb):
    environment = dict(os.environ, PYTHONPATH=str(Path(fastredis.__file__).resolve().parent.parent))
    program = [sys.executable, "-c", SWAPPED]
    with Server("fastredis", program, environment=environment) as server, server.client() as client:
        (Path(server.directory) / "other.rdb").write_bytes(slow_rdb)
        follow(client, master.port)
        master.synced(rdb[0])
        assert not (Path(server.directory) / "other.rdb").exists()
        assert content(client) == rdb[1]

