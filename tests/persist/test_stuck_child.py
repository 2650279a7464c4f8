"""A child that does not end, since it is stopped: nobody waits for it."""
import os
import signal

import pytest

from tests.helpers import children, info, state, wait_until
from tests.persist.dataset import saved
from tests.resp import Closed, Status

SLOW_US = 10_000_000        # rdb-key-save-delay: the child does not end by itself
SECONDS = 20


@pytest.fixture
def start(fresh_server, tmp_path):
    """start(command, *options): a server with a child that is stopped, and its process id."""
    stopped = []

    def begin(command, *options):
        server = fresh_server("--dir", str(tmp_path), *options)
        with server.client() as client:
            client.call("SET", "k", "v")
            client.call("CONFIG", "SET", "rdb-key-save-delay", SLOW_US)
            client.call(*command.split())
            wait_until(lambda: children(server.pid))
            (child,) = children(server.pid)
            wait_until(lambda: list(tmp_path.glob("temp-*")))
            os.kill(child, signal.SIGSTOP)
            stopped.append(child)
            wait_until(lambda: state(child) == "T")
            client.call("CONFIG", "SET", "rdb-key-save-delay", 0)
        return server, child

    yield begin
    for child in stopped:
        if state(child) == "T":
            os.kill(child, signal.SIGKILL)


SAVE, REWRITE = "BGSAVE", "BGREWRITEAOF"


@pytest.mark.parametrize("child, save, command", [
    (SAVE, "900 1", "FLUSHALL"), (SAVE, "", "FLUSHALL"), (SAVE, "", "BGSAVE CANCEL"), (SAVE, "900 1", "DEBUG RELOAD"),
    (SAVE, "", "FLUSHDB"), (REWRITE, "", "FLUSHALL"), (REWRITE, "", "DEBUG RELOAD"),
    (SAVE, "", "REPLICAOF 127.0.0.1 1"), (REWRITE, "", "CONFIG SET appendonly yes")])
def test_commands_do_not_wait_for_it(start, tmp_path, child, save, command):
    server, _ = start(child, "--save", save)
    with server.client(timeout=SECONDS) as client:
        assert not str(client.call(*command.split())).startswith("ERR")
        assert client.call("PING") == Status("PONG")
        client.call("REPLICAOF", "NO", "ONE")
        client.call("CONFIG", "SET", "save", "")


def test_the_next_save_begins_at_once(start, tmp_path):
    server, child = start(SAVE)
    with server.client(timeout=SECONDS) as client:
        client.call("BGSAVE", "CANCEL")
        assert info(client)["rdb_bgsave_in_progress"] == "0"
        client.call("BGSAVE")
        assert saved(client)
        wait_until(lambda: not list(tmp_path.glob("temp-*")))
        assert (tmp_path / "dump.rdb").exists()
        wait_until(lambda: state(child) is None)       # reaped


@pytest.mark.parametrize("child", [SAVE, REWRITE])
@pytest.mark.parametrize("by_signal", [False, True])
def test_the_end_of_the_server_does_not_wait_for_it(start, tmp_path, child, by_signal):
    server, pid = start(child, "--save", "900 1", "--appendonly", "yes" if child == REWRITE else "no")
    if by_signal:
        os.kill(server.pid, signal.SIGTERM)
    else:
        with server.client(timeout=SECONDS) as client, pytest.raises((Closed, ConnectionError)):
            client.call("SHUTDOWN")
    assert server.process.wait(SECONDS) == 0
    assert (tmp_path / "dump.rdb").exists()
    assert not list(tmp_path.glob("temp-*"))
    wait_until(lambda: state(pid) in (None, "Z"))


def test_a_replica_that_leaves_does_not_make_the_master_wait(fresh_server, tmp_path):
    """The child that writes for it is stopped; it is given some seconds, then another one begins."""
    master = fresh_server("--dir", str(tmp_path), "--repl-diskless-sync", "yes", "--repl-diskless-sync-delay", "0")
    with master.client(timeout=SECONDS) as client:
        client.call("SET", "k", "v")
        client.call("CONFIG", "SET", "rdb-key-save-delay", SLOW_US)
        with master.client() as replica:
            replica.send("SYNC")
            wait_until(lambda: children(master.pid))
            (child,) = children(master.pid)
            os.kill(child, signal.SIGSTOP)
        client.call("CONFIG", "SET", "rdb-key-save-delay", 0)
        assert client.call("PING") == Status("PONG")
        wait_until(lambda: state(child) is None)
        client.call("BGSAVE")
        assert saved(client)


@pytest.mark.parametrize("mode", ["disabled", "on-empty-db"])
def test_a_replica_that_loads_does_not_wait_for_its_own_child(start, fresh_server, tmp_path, mode):
    master = fresh_server("--repl-diskless-sync-delay", "0")
    with master.client() as client:
        client.call("SET", "from", "master")
    replica, child = start(SAVE, "--repl-diskless-load", mode)
    with replica.client(timeout=SECONDS) as client:
        client.call("REPLICAOF", "127.0.0.1", master.port)
        wait_until(lambda: client.call("GET", "from") == b"master")
        wait_until(lambda: state(child) is None)
