"""Faults of the system: no threads, no children, a disk that fails."""
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from fastredis.persist import child
from tests.faults import failing, needs_strace
from tests.helpers import info, wait_until
from tests.local import Local
from tests.persist.dataset import saved
from tests.rows import OK
from tests.servers import fastredis_server, free_port

SECONDS = 20
NO_THREADS = "clone,clone3:error=EAGAIN"
AOF = ("--appendonly", "yes", "--auto-aof-rewrite-percentage", "0")
TOP = Path(__file__).resolve().parent.parent.parent


# --- threads and children -----------------------------------------------------------------------

@needs_strace
def test_a_server_without_threads_says_so_and_does_not_start(tmp_path):
    command = ["strace", "-f", "-o", "/dev/null", "-e", "trace=clone,clone3", "-e", f"inject={NO_THREADS}",
               sys.executable, "-m", "fastredis", "--port", str(free_port()), "--dir", str(tmp_path), "--save", ""]
    done = subprocess.run(command, cwd=TOP, capture_output=True, text=True, timeout=3 * SECONDS)
    assert done.returncode == 1
    assert "Fatal: Can't initialize Background Jobs. Error message: " in done.stdout
    assert "Traceback" not in done.stdout + done.stderr


@needs_strace
@pytest.mark.parametrize("loop", ["uvloop", "asyncio"])
def test_no_thread_is_needed_later(fresh_server, tmp_path, loop):
    server = fresh_server("--dir", str(tmp_path), *AOF, loop=loop)
    with server.client(timeout=SECONDS) as client:
        with failing(server, NO_THREADS):
            assert client.call("SET", "k", "v") == OK
            assert client.call("WAITAOF", 1, 0, 0) == [1, 0]
            assert client.call("REPLICAOF", "a.name.that.is.invalid", 1) == OK
            wait_until(lambda: "Error condition on socket for SYNC" in server.log(), 2 * SECONDS)
            assert client.call("REPLICAOF", "NO", "ONE") == OK
            assert str(client.call("BGSAVE")).startswith("ERR")
            assert str(client.call("BGREWRITEAOF")).startswith("ERR")
            assert client.call("CONFIG", "SET", "appendfsync", "always") == OK
            assert client.call("SET", "k", "w") == OK
            assert client.call("FLUSHALL", "ASYNC") == OK
        for _ in range(3):
            assert "started" in client.call("BGREWRITEAOF")
            wait_until(lambda: info(client)["aof_rewrite_in_progress"] == "0")
            assert info(client)["aof_last_bgrewrite_status"] == "ok"
        client.call("BGSAVE")
        assert saved(client)
        assert info(client)["aof_pending_bio_fsync"] == "0"


def test_a_child_ends_whatever_fails_in_it(monkeypatch):
    here, fork = os.getpid(), child.fork

    def fork_and_fail(engine):
        pid = fork(engine)
        if pid == 0:
            monkeypatch.setattr(os, "close", None)      # each call is an exception
        return pid

    with Local() as local:
        monkeypatch.setattr(child, "fork", fork_and_fail)
        try:
            made = child.Child(local.server.engine, "rdb", lambda child: True, lambda outcome: None)
        finally:
            if os.getpid() != here:
                os._exit(3)                             # it came back
        assert os.waitstatus_to_exitcode(os.waitpid(made.pid, 0)[1]) == 1
        made.kill()


# --- fsync --------------------------------------------------------------------------------------

@needs_strace
@pytest.mark.parametrize("later", ["everysec", "no", "always"])
def test_a_failed_fsync_is_made_up_for_under_any_policy(fresh_server, tmp_path, later):
    server = fresh_server("--dir", str(tmp_path), *AOF)
    with server.client(timeout=SECONDS) as client:
        with failing(server, "fdatasync:error=EIO"):
            wait_until(lambda: str(client.call("SET", "k", "v")).startswith("MISCONF Errors writing to the AOF file: "
                                                                            "Input/output error"))
            if later == "no":
                assert client.call("CONFIG", "SET", "appendfsync", later) == OK
        assert client.call("CONFIG", "SET", "appendfsync", later) == OK
        wait_until(lambda: client.call("SET", "k", "w") == OK)
        assert info(client)["aof_last_write_status"] == "ok"
    with fastredis_server("--dir", str(tmp_path), *AOF) as again:
        again.stop()


@needs_strace
def test_what_is_written_after_the_beginning_of_a_rewrite_does_not_wait_for_the_file_before(fresh_server, tmp_path):
    """That is synced and closed; what is acknowledged meanwhile is in the new one, whatever becomes of the process."""
    server = fresh_server("--dir", str(tmp_path), *AOF)
    with server.client(timeout=SECONDS) as client, failing(server, "fdatasync:delay_enter=1000000") as trace:
        client.call("INCR", "n")
        client.call("BGREWRITEAOF")
        assert client.call("INCR", "n") == 2
        check_copy(tmp_path, 2)
        wait_until(lambda: trace.calls("fdatasync"))
    assert "AOF fsync is taking too long" not in server.log()


@needs_strace
@pytest.mark.parametrize("when", ["first", "second", "from the second on"])
def test_a_failed_fsync_of_the_directory_leaves_what_can_be_loaded(fresh_server, tmp_path, when):
    """At whatever step of a rewrite: the manifest on the disk names files that are there and hold everything."""
    server = fresh_server("--dir", str(tmp_path), *AOF, "--appendfsync", "always")     # else a write may be put off
    count = {"first": "1", "second": "2", "from the second on": "2+"}[when]
    with server.client(timeout=SECONDS) as client:
        for round_number in range(3):
            client.pipeline([("INCR", "n")] * 100)
            with failing(server, f"fsync:error=EIO:when={count}", only=tmp_path / "appendonlydir"):
                client.call("BGREWRITEAOF")
                wait_until(lambda: info(client)["aof_rewrite_in_progress"] == "0")
                assert client.call("INCR", "n") == round_number * 101 + 101
                check_copy(tmp_path, round_number * 101 + 101)
            check_copy(tmp_path, round_number * 101 + 101)
        client.call("BGREWRITEAOF")
        wait_until(lambda: info(client)["aof_rewrite_in_progress"] == "0")
        assert info(client)["aof_last_bgrewrite_status"] == "ok"
        wait_until(lambda: len(list((tmp_path / "appendonlydir").iterdir())) <= 5)
        check_copy(tmp_path, 303)


def check_copy(directory, expected):
    """Start a server on a copy of the AOF as it is now, as after kill -9."""
    with tempfile.TemporaryDirectory() as top:
        shutil.copytree(directory / "appendonlydir", Path(top) / "appendonlydir")
        with fastredis_server("--dir", top, *AOF) as server, server.client() as client:
            assert int(client.call("GET", "n")) == expected
