"""SAVE, BGSAVE, save points, SHUTDOWN: what is in the file, and what happens when it cannot be written."""
import functools
import os
import re
import resource
import shutil
import signal
import socket
import subprocess
import threading
from pathlib import Path

import pytest

from tests.helpers import info, wait_until
from tests.persist.dataset import content, encodings, fill, saved
from tests.resp import Closed, Error, Status
from tests.rows import OK
from tests.soak.draw import EPOCH_MS, Draw
from tests.soak.run import WAITING

STARTED = Status("Background saving started")
SLOW_US = 10_000_000        # rdb-key-save-delay: the save does not end by itself


@pytest.fixture
def start(fresh_server, tmp_path):
    """start(*options, kind=...): a server whose files are in tmp_path."""
    return functools.partial(fresh_server, "--dir", str(tmp_path))


@pytest.fixture(params=["fork", "forkless"])
def client(start, request):
    """A client of a server that saves in one of the two ways."""
    with start().client(timeout=20) as client:
        client.server_pid = int(dict(line.split(":", 1) for line in client.call("INFO", "server").decode().splitlines()
                                     if ":" in line)["process_id"])
        if request.param == "forkless":
            client.call("DEBUG", "FORKLESS-SAVE", 1)
        client.forkless = request.param == "forkless"
        yield client


def child_of(pid):
    """The process id of the only child of a process, or None."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return int(children[0]) if children else None


def exit_code(server, seconds=10):
    return server.process.wait(seconds)


def end(server, *words):
    """SHUTDOWN with these words; the exit code."""
    with server.client() as client, pytest.raises((Closed, ConnectionError)):
        client.call("SHUTDOWN", *words)
    return exit_code(server)


# --- files between servers ---------------------------------------------------------------------

@pytest.mark.parametrize("writer, reader", [("fastredis", "fastredis"), ("fastredis", "peer"), ("peer", "fastredis")])
@pytest.mark.parametrize("compression", ["yes", "no"])
def test_what_one_server_saves_the_other_loads(start, writer, reader, compression):
    server = start("--rdbcompression", compression, kind=writer)
    with server.client() as client:
        fill(client)
        before = content(client)
        kinds = encodings(client)
        assert client.call("SAVE") == OK
    assert end(server, "NOSAVE") == 0
    with start(kind=reader).client() as client:
        assert content(client) == before
        if writer == reader:
            assert encodings(client) == kinds


def test_redis_check_rdb_accepts_the_file(client, tmp_path):
    if shutil.which("redis-check-rdb") is None:
        pytest.skip("no redis-check-rdb")
    fill(client)
    client.call("BGSAVE")
    assert saved(client)
    checked = subprocess.run(["redis-check-rdb", tmp_path / "dump.rdb"], capture_output=True, text=True)
    assert checked.returncode == 0, checked.stdout
    assert "RDB looks OK" in checked.stdout and "Checksum OK" in checked.stdout
    assert f"[info] {len(content(client))} keys read" in checked.stdout and "[info] 2 expires" in checked.stdout


def test_hash_fields_keep_their_deadlines(client, start):
    far_ms = 4_000_000_000_000
    client.call("HSET", "small", "a", 1, "b", 2)
    client.call("HPEXPIREAT", "small", far_ms, "FIELDS", 1, "a")
    client.call("HSET", "big", *sum(((f"f{n}", n) for n in range(600)), ()))
    client.call("HPEXPIREAT", "big", far_ms + 5, "FIELDS", 1, "f7")
    assert client.call("BGSAVE") == STARTED and saved(client)
    with start().client() as other:
        assert other.call("HPEXPIRETIME", "small", "FIELDS", 2, "a", "b") == [far_ms, -1]
        assert other.call("HPEXPIRETIME", "big", "FIELDS", 2, "f7", "f8") == [far_ms + 5, -1]


# --- one moment ----------------------------------------------------------------------------------

def test_a_save_under_load_shows_one_moment(client, start):
    """Every transaction sets all keys to its own number: in the file all have the same, that of the beginning."""
    names = [f"key:{n}" for n in range(300)]

    def generation(connection, number):
        connection.pipeline([("MULTI",), *(("SET", name, number) for name in names), ("EXEC",)])

    generation(client, 0)
    client.call("CONFIG", "SET", "rdb-key-save-delay", 1000)
    assert client.call("BGSAVE") == STARTED
    number = 0
    while info(client)["rdb_bgsave_in_progress"] == "1":
        number += 1
        generation(client, number)
    assert number > 0 and saved(client)
    with start().client() as other:
        assert {value for _, value, _ in content(other).values()} == {b"0"}
        assert len(content(other)) == 300


def test_whatever_happens_meanwhile_the_file_shows_the_beginning(client, start):
    """Changes, deletes, expiry, renames, moves, swapped and emptied databases, while keys are written slowly."""
    fill(client)
    for n in range(200):
        client.call("SET", f"many:{n}", n)
    client.call("SET", "soon", "v", "PX", 3_600_000)
    client.call("HSET", "hash:soon", "a", 1, "b", 2)
    client.call("HPEXPIRE", "hash:soon", 3_600_000, "FIELDS", 1, "a")
    fill(client, "gone:")
    client.call("COPY", "list:big", "far", "DB", 7)
    before = content(client)
    client.call("CONFIG", "SET", "rdb-key-save-delay", 1000)
    assert client.call("BGSAVE") == STARTED
    for command in [
            ("APPEND", "short", "x"), ("INCR", "int"), ("SETRANGE", "raw", 3, "zz"), ("SET", "long", "other"),
            ("LPUSH", "list:small", 1), ("LTRIM", "list:big", 1, 5), ("SREM", "set:big", "word-0-"),
            ("SADD", "set:ints", "text"), ("HSET", "hash:small", "new", 1), ("HDEL", "hash:big", "word-0-"),
            ("ZINCRBY", "zset:big", 5, "word-0-"), ("ZPOPMIN", "zset:small"), ("PERSIST", "ttl:string"),
            ("PEXPIRE", "ttl:list", 5_000_000), ("EXPIRE", "int", 1000), ("DEL", "noise"), ("UNLINK", "set:wide"),
            ("RENAME", "negative", "positive"), ("MOVE", "empty", 5), ("COPY", "short", "copy"),
            ("SELECT", 3), ("FLUSHDB",), ("SET", "elsewhere", "new"), ("SELECT", 0), ("SWAPDB", 0, 7),
            ("DEL", "far"), ("SELECT", 7), ("DEL", "many:7"), ("SET", "many:8", "x"), ("SELECT", 0),
            ("DEBUG", "CLOCK", "ADVANCE", 7_200_000), ("SWAPDB", 7, 3), ("FLUSHDB", "ASYNC")]:
        assert not isinstance(client.call(*command), Error), command
    assert info(client)["rdb_bgsave_in_progress"] == "1", "it was over too soon to show anything"
    client.call("CONFIG", "SET", "rdb-key-save-delay", 0)
    assert saved(client)
    assert client.call("DEBUG", "VERIFY") == OK
    with start().client() as other:
        assert content(other) == before
        fields = other.call("HPEXPIRETIME", "hash:soon", "FIELDS", 2, "a", "b")
        assert fields[0] > 0 and fields[1] == -1


@pytest.mark.parametrize("seed", range(3))
def test_random_commands_meanwhile(client, start, seed):
    draw = Draw(seed, {word.decode().upper().replace("|", " ") for word in client.call("COMMAND", "LIST")})

    def run(count):
        commands = [draw.command() for _ in range(count)]
        client.pipeline([command for command in commands if command[0].upper() not in (*WAITING, b"FLUSHALL")])

    assert client.call("DEBUG", "CLOCK", "SET", EPOCH_MS) == OK
    run(3000)
    client.pipeline([("SET", f"many:{n}", n) for n in range(300)])
    before = content(client)
    client.call("CONFIG", "SET", "rdb-key-save-delay", 2000)
    assert client.call("BGSAVE") == STARTED
    for _ in range(10):
        run(50)
    assert info(client)["rdb_bgsave_in_progress"] == "1", "it was over too soon to show anything"
    client.call("CONFIG", "SET", "rdb-key-save-delay", 0)
    assert saved(client)
    assert client.call("DEBUG", "VERIFY") == OK
    with start().client() as other:
        assert content(other) == before


def test_snapshots_follow_each_other(client, start):
    """A cancelled one, too, leaves nothing that a later one would leave out."""
    for n in range(1000):
        client.call("SET", f"key:{n}", n)
    client.call("CONFIG", "SET", "rdb-key-save-delay", 500)
    assert client.call("BGSAVE") == STARTED
    client.call("SET", "key:5", "changed")
    assert client.call("BGSAVE", "CANCEL") == Status("Background saving cancelled")
    client.call("CONFIG", "SET", "rdb-key-save-delay", 0)
    for _ in range(3):
        wait_until(lambda: client.call("BGSAVE", "SCHEDULE") in (STARTED, Status("Background saving scheduled")))
        wait_until(lambda: info(client)["rdb_changes_since_last_save"] == "0")
        client.call("SET", "key:6", "again")
    assert client.call("SAVE") == OK
    with start().client() as other:
        assert content(other) == content(client)


def test_loaded_keys_are_in_the_next_snapshot(client, start):
    client.call("MSET", "a", 1, "b", 2)
    for _ in range(3):
        assert client.call("BGSAVE") == STARTED and saved(client)
        wait_until(lambda: client.call("DEBUG", "RELOAD") == OK)
    assert client.call("BGSAVE") == STARTED and saved(client)
    with start().client() as other:
        assert len(content(other)) == 2


# --- a child -------------------------------------------------------------------------------------

def test_fields_of_info(start):
    with start().client() as client:
        first = info(client)
        assert (first["rdb_saves"], first["rdb_last_bgsave_time_sec"], first["total_forks"]) == ("0", "-1", "0")
        client.pipeline([("SET", f"key:{n}", "x" * 500) for n in range(3000)])
        assert info(client)["rdb_changes_since_last_save"] == "3000"
        client.call("CONFIG", "SET", "rdb-key-save-delay", 300)
        client.call("BGSAVE")
        wait_until(lambda: int(info(client)["current_save_keys_processed"]) >= 1024)
        during = info(client)
        assert during["current_save_keys_total"] == "3000" and float(during["current_fork_perc"]) > 30
        assert int(during["current_cow_size"]) > 0 and int(during["rdb_current_bgsave_time_sec"]) >= 0
        client.call("SET", "one", "more")
        assert saved(client)
        after = info(client)
        assert (after["rdb_changes_since_last_save"], after["rdb_saves"], after["total_forks"]) == ("1", "1", "1")
        assert int(after["latest_fork_usec"]) > 0 and int(after["rdb_last_cow_size"]) > 0
        assert (after["current_cow_size"], after["current_save_keys_total"]) == ("0", "0")
        assert client.call("CONFIG", "RESETSTAT") == OK
        assert info(client)["total_forks"] == "0"


def test_log_lines(start):
    server = start()
    with server.client() as client:
        client.call("SET", "k", "v")
        client.call("BGSAVE")
        assert saved(client)
        wait_until(lambda: "Background saving terminated with success" in server.log())
        log = server.log()
        for line in ("Background saving started by pid", "DB saved on disk", "Fork CoW for RDB: current"):
            assert line in log, line


def test_one_child_at_a_time(start):
    with start().client() as client:
        client.call("SET", "k", "v")
        client.call("CONFIG", "SET", "rdb-key-save-delay", SLOW_US)
        assert client.call("BGREWRITEAOF").startswith("Background append only file rewriting started")
        assert client.call("BGSAVE").startswith("ERR Another child process is active")
        assert client.call("BGSAVE", "SCHEDULE") == Status("Background saving scheduled")
        assert client.call("BGSAVE", "CANCEL") == Status("Scheduled background saving cancelled")
        assert client.call("BGSAVE", "CANCEL") == Error("ERR Background saving is currently not in progress or "
                                                        "scheduled")
        assert client.call("BGSAVE", "SCHEDULE") == Status("Background saving scheduled")
        client.call("CONFIG", "SET", "rdb-key-save-delay", 0)
        pid = child_of(server_pid(client))
        os.kill(pid, signal.SIGUSR1)
        wait_until(lambda: info(client)["rdb_saves"] == "1")
        assert saved(client)


def test_tables_are_not_resized_while_a_child_is_at_work(start):
    """What moves would be copied for the child."""
    def buckets():
        return [int(size) for size in re.findall(rb"table size: (\d+)", client.call("DEBUG", "HTSTATS", 0))]

    with start().client() as client:
        client.call("DEBUG", "POPULATE", 1000)
        wait_until(lambda: len(buckets()) == 1)             # else it is being resized
        before = buckets()
        client.call("CONFIG", "SET", "rdb-key-save-delay", SLOW_US)
        client.call("BGSAVE")
        pid = child_of(server_pid(client))
        client.pipeline([("SET", f"new:{n}", n) for n in range(2000)])
        assert client.call("DBSIZE") == 3000 and buckets() == before
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: len(buckets()) == 1 and buckets() > before)
        assert client.call("DEBUG", "VERIFY") == OK


def server_pid(client):
    lines = client.call("INFO", "server").decode().splitlines()
    return int(next(line for line in lines if line.startswith("process_id:")).partition(":")[2])


def test_in_a_transaction_it_is_scheduled(start):
    with start().client() as client:
        client.call("MULTI")
        client.call("BGSAVE")
        assert client.call("EXEC") == [Status("Background saving scheduled")]
        wait_until(lambda: info(client)["rdb_saves"] == "1")


@pytest.mark.parametrize("number, fails", [(signal.SIGUSR1, False), (signal.SIGKILL, True)])
def test_a_child_that_is_killed(start, tmp_path, number, fails):
    with start("--save", "900 1").client() as client:
        client.call("SET", "k", "v")
        client.call("CONFIG", "SET", "rdb-key-save-delay", SLOW_US)
        client.call("BGSAVE")
        pid = child_of(server_pid(client))
        wait_until((tmp_path / f"temp-{pid}.rdb").exists)
        os.kill(pid, number)
        assert saved(client) != fails
        wait_until(lambda: not list(tmp_path.glob("temp-*")))
        assert client.call("GET", "k") == b"v"
        assert str(client.call("SET", "k", "w")).startswith("MISCONF" if fails else "OK")
        assert str(client.call("PING")).startswith("MISCONF" if fails else "PONG")
        if fails:
            client.call("CONFIG", "SET", "stop-writes-on-bgsave-error", "no")
            assert client.call("SET", "k", "w") == OK
            client.call("CONFIG", "SET", "stop-writes-on-bgsave-error", "yes")
            client.call("CONFIG", "SET", "save", "")
            assert client.call("SET", "k", "w") == OK
            client.call("CONFIG", "SET", "save", "900 1")
            assert str(client.call("SET", "k", "w")).startswith("MISCONF")
        client.call("CONFIG", "SET", "rdb-key-save-delay", 0)
        client.call("BGSAVE")
        assert saved(client)
        assert client.call("SET", "k", "w") == OK
        client.call("CONFIG", "SET", "save", "")


def test_signals_for_the_whole_group_do_not_end_the_child(start):
    with start().client() as client:
        client.call("SET", "k", "v")
        client.call("CONFIG", "SET", "rdb-key-save-delay", 300_000)
        client.call("BGSAVE")
        pid = child_of(server_pid(client))
        for number in (signal.SIGTERM, signal.SIGINT):
            os.kill(pid, number)
        assert saved(client)
        assert client.call("PING") == Status("PONG")


def test_a_child_keeps_neither_the_port_nor_the_title(start):
    server = start()
    with server.client() as client:
        client.call("SET", "k", "v")
        client.call("CONFIG", "SET", "oom-score-adj-values", "0 200 777")
        client.call("CONFIG", "SET", "oom-score-adj", "absolute")
        client.call("CONFIG", "SET", "rdb-key-save-delay", SLOW_US)
        client.call("BGSAVE")
        child = child_of(server.pid)
        wait_until(lambda: Path(f"/proc/{child}/comm").read_text() == "redis-rdb-bgsav\n")
        assert Path(f"/proc/{child}/oom_score_adj").read_text() == "777\n"
        server.process.kill()
        exit_code(server)
        try:
            with socket.socket() as again:
                again.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                again.bind(("127.0.0.1", server.port))
                again.listen()
        finally:
            os.kill(child, signal.SIGKILL)


def test_flushall_ends_a_save(client, tmp_path):
    client.pipeline([("SET", f"key:{n}", n) for n in range(100)])
    client.call("CONFIG", "SET", "rdb-key-save-delay", 20_000)
    assert client.call("BGSAVE") == STARTED
    assert client.call("FLUSHALL") == OK
    wait_until(lambda: info(client)["rdb_bgsave_in_progress"] == "0", seconds=3)
    found = info(client)
    assert found["rdb_last_bgsave_status"] == "ok" and int(found["rdb_changes_since_last_save"]) >= 200
    assert not (tmp_path / "dump.rdb").exists()


def test_flushall_with_save_points_saves_that_nothing_is_there(client, start):
    client.pipeline([("SET", f"key:{n}", n) for n in range(100)])
    client.call("SAVE")
    client.call("CONFIG", "SET", "save", "900 1")
    client.call("CONFIG", "SET", "rdb-key-save-delay", 20_000)
    assert client.call("BGSAVE") == STARTED
    assert client.call("FLUSHALL") == OK
    wait_until(lambda: info(client)["rdb_bgsave_in_progress"] == "0", seconds=3)
    assert info(client)["rdb_changes_since_last_save"] == "0"
    client.call("CONFIG", "SET", "save", "")
    with start().client() as other:
        assert other.call("DBSIZE") == 0


# --- failures ------------------------------------------------------------------------------------

def limit_files(pid, size):
    """No file of this process, or of a child that it forks, may become larger."""
    hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)[1]
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, hard))


def test_a_full_disk(client, start, tmp_path):
    """The old file stays, writes are refused, and all is well again once there is room."""
    client.call("SET", "k", "old")
    assert client.call("SAVE") == OK
    client.call("SET", "k", "new")
    client.call("SET", "big", os.urandom(2_000_000))
    client.call("CONFIG", "SET", "save", "900 1")
    limit_files(client.server_pid, 1_000_000)
    assert client.call("SAVE") == Error("ERR")
    assert client.call("SET", "k", "newer") == OK, "a failed SAVE is told to who asked for it, and to no one else"
    assert client.call("BGSAVE") == STARTED
    assert not saved(client)
    assert client.call("SET", "k", "x") == Error(
        "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk. Commands "
        "that may modify the data set are disabled, because this instance is configured to report errors during "
        "writes if RDB snapshotting fails (stop-writes-on-bgsave-error option). Please check the Redis logs for "
        "details about the RDB error.")
    assert not list(tmp_path.glob("temp-*"))
    with start().client() as other:
        assert content(other) == {(0, b"k"): ("string", b"old", -1)}
    limit_files(client.server_pid, resource.RLIM_INFINITY)
    wait_until(lambda: client.call("BGSAVE", "SCHEDULE") in (STARTED, Status("Background saving scheduled")))
    wait_until(lambda: info(client)["rdb_last_bgsave_status"] == "ok")
    assert client.call("SET", "k", "y") == OK
    client.call("CONFIG", "SET", "save", "")


def test_a_name_that_cannot_be_taken(client, tmp_path):
    (tmp_path / "dump.rdb").mkdir()
    client.call("SET", "k", "v")
    assert client.call("SAVE") == Error("ERR")
    assert client.call("BGSAVE") == STARTED
    assert not saved(client)
    assert not list(tmp_path.glob("temp-*"))
    (tmp_path / "dump.rdb").rmdir()
    wait_until(lambda: client.call("SAVE") == OK)
    assert info(client)["rdb_last_bgsave_status"] == "ok"


def test_the_directory_and_the_name_can_change(start, tmp_path):
    (tmp_path / "other").mkdir()
    with start("--enable-protected-configs", "yes").client() as client:
        client.call("SET", "k", "v")
        assert client.call("CONFIG", "SET", "dir", str(tmp_path / "other"), "dbfilename", "data.rdb") == OK
        assert client.call("SAVE") == OK
        assert client.call("BGSAVE") == STARTED and saved(client)
        assert [path.name for path in tmp_path.rglob("*.rdb")] == ["data.rdb"]
        assert (tmp_path / "other" / "data.rdb").exists()


# --- save points -----------------------------------------------------------------------------------

def test_save_points(start):
    with start("--save", "60 3 10 1000").client() as client:
        client.call("DEBUG", "CLOCK", "FREEZE")
        client.pipeline([("SET", "k", n) for n in range(2)])
        client.call("DEBUG", "CLOCK", "ADVANCE", 61_000)
        assert not changed_within(client, 0.4), "two changes are too few"
        client.call("SET", "k", "three")
        wait_until(lambda: info(client)["rdb_changes_since_last_save"] == "0")
        client.pipeline([("SET", "k", n) for n in range(1000)])
        client.call("DEBUG", "CLOCK", "ADVANCE", 9_000)
        assert not changed_within(client, 0.4), "9 seconds are too few"
        client.call("DEBUG", "CLOCK", "ADVANCE", 2_000)
        wait_until(lambda: info(client)["rdb_changes_since_last_save"] == "0")
        assert client.call("LASTSAVE") == int(client.call("TIME")[0])
        client.call("CONFIG", "SET", "save", "")


def changed_within(client, seconds):
    """Whether a save begins, or has begun, in that time."""
    before = info(client)["rdb_saves"]
    try:
        wait_until(lambda: info(client)["rdb_saves"] != before, seconds=seconds)
    except AssertionError:
        return False
    return True


def test_after_a_failure_the_next_save_waits(start, tmp_path):
    with start("--save", "1 1").client() as client:
        (tmp_path / "dump.rdb").mkdir()
        client.call("SET", "k", "v")
        client.call("DEBUG", "CLOCK", "FREEZE")
        client.call("DEBUG", "CLOCK", "ADVANCE", 2_000)
        wait_until(lambda: info(client)["rdb_last_bgsave_status"] == "err")
        (tmp_path / "dump.rdb").rmdir()
        client.call("DEBUG", "CLOCK", "ADVANCE", 5_000)
        assert not changed_within(client, 0.4), "it is to wait for more than five seconds"
        client.call("DEBUG", "CLOCK", "ADVANCE", 1_000)
        wait_until(lambda: info(client)["rdb_last_bgsave_status"] == "ok")
        client.call("CONFIG", "SET", "save", "")


# --- the end ---------------------------------------------------------------------------------------

@pytest.mark.parametrize("points, words, file", [
    ("", (), False), ("900 1", (), True), ("", ("SAVE",), True), ("900 1", ("NOSAVE",), False),
    ("900 1", ("NOW", "FORCE"), True)])
def test_shutdown_saves(start, tmp_path, points, words, file):
    server = start("--save", points)
    with server.client() as client:
        client.call("SET", "k", "v")
    assert end(server, *words) == 0
    assert (tmp_path / "dump.rdb").exists() == file


@pytest.mark.parametrize("number, setting, points, file", [
    (signal.SIGTERM, "default", "900 1", True), (signal.SIGTERM, "default", "", False),
    (signal.SIGTERM, "nosave", "900 1", False), (signal.SIGTERM, "save", "", True),
    (signal.SIGINT, "save now", "", True)])
def test_signals_save(start, tmp_path, number, setting, points, file):
    name = "--shutdown-on-sigint" if number == signal.SIGINT else "--shutdown-on-sigterm"
    server = start("--save", points, name, *setting.split())
    with server.client() as client:
        client.call("SET", "k", "v")
    os.kill(server.pid, number)
    assert exit_code(server) == 0
    assert (tmp_path / "dump.rdb").exists() == file


def test_shutdown_ends_the_child_and_removes_its_file(client, tmp_path):
    client.call("SET", "k", "v")
    client.call("CONFIG", "SET", "rdb-key-save-delay", 500_000)
    client.call("BGSAVE")
    wait_until(lambda: list(tmp_path.glob("temp-*")))
    with pytest.raises((Closed, ConnectionError)):
        client.call("SHUTDOWN", "NOSAVE")
    wait_until(lambda: not list(tmp_path.glob("*.rdb")))


def test_shutdown_that_cannot_save_is_refused(start, tmp_path):
    server = start("--save", "900 1")
    with server.client() as client:
        (tmp_path / "dump.rdb").mkdir()
        client.call("SET", "k", "v")
        assert client.call("SHUTDOWN") == Error("ERR Errors trying to SHUTDOWN. Check logs.")
        os.kill(server.pid, signal.SIGTERM)
        wait_until(lambda: server.log().count("Error trying to save the DB, can't exit.") == 2)
        assert client.call("PING") == Status("PONG")
    assert end(server, "FORCE") == 0


def test_shutdown_by_a_signal_can_be_taken_back(start):
    server = start()
    with server.client() as client:
        client.call("DEBUG", "PAUSE-CRON", 1)
        os.kill(server.pid, signal.SIGTERM)
        wait_until(lambda: "Received SIGTERM" in server.log())
        assert client.call("SHUTDOWN", "ABORT") == OK
        assert client.call("SHUTDOWN", "ABORT") == Error("ERR No shutdown in progress.")
        client.call("DEBUG", "PAUSE-CRON", 0)
        assert not threading.Event().wait(0.3) and client.call("PING") == Status("PONG")


def test_a_second_interrupt_leaves_at_once_and_no_half_file(start, tmp_path):
    server = start("--save", "900 1")
    with server.client() as client:
        client.pipeline([("SET", f"k{n}", n) for n in range(50)])
        client.call("CONFIG", "SET", "rdb-key-save-delay", 200_000)
    os.kill(server.pid, signal.SIGINT)
    wait_until(lambda: list(tmp_path.glob("temp-*")))
    os.kill(server.pid, signal.SIGINT)
    assert exit_code(server, 3) == 1
    assert not list(tmp_path.glob("*.rdb"))
