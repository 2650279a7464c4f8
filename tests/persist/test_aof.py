"""The append-only file: what is written when, loading it again, rewrites, errors of the disk, and Redis's files."""
import contextlib
import os
import resource
import shutil
import signal
import subprocess
import time

import pytest

from tests.helpers import info, wait_until
from tests.resp import Client, Closed, Error, Status
from tests.rows import OK
from tests.servers import fastredis_server, peer_server

NEVER_REWRITE = ("--auto-aof-rewrite-percentage", "0")
SECONDS = 20


def aof_server(directory, *options, loop=None):
    """A server with an AOF in a directory that outlives it."""
    return fastredis_server("--dir", str(directory), "--appendonly", "yes", *NEVER_REWRITE, *options, loop=loop)


def parts(directory, kind="incr"):
    """The files of the AOF, `kind` in their names, in order."""
    found = (directory / "appendonlydir").glob(f"appendonly.aof.*.{kind}.*")
    return sorted(found, key=lambda path: int(path.name.split(".")[2]))


def commands(data):
    """The commands of an AOF file's bytes as lists of text, annotations left out."""
    reader = Client.__new__(Client)
    found = []
    while data:
        if data.startswith(b"#"):
            data = data.partition(b"\n")[2]
            continue
        reader.buffer, reader.position = data, 0
        found.append([word.decode(errors="replace") for word in reader._frame()])
        data = data[reader.position:]
    return found


def formatted(*lines):
    """Commands as they lie in a file."""
    return b"".join(b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in words)
                    for words in (line.encode().split(b" ") for line in lines))


def write_aof(directory, *files):
    """Make an AOF of (name, type, bytes) each."""
    folder = directory / "appendonlydir"
    folder.mkdir(exist_ok=True)
    lines = []
    for number, (name, kind, data) in enumerate(files, 1):
        (folder / name).write_bytes(data)
        lines.append(f"file {name} seq {number} type {kind}\n")
    (folder / "appendonly.aof.manifest").write_text("".join(lines))
    return folder


def rewrite(client):
    """A rewrite from start to end."""
    assert "started" in client.call("BGREWRITEAOF")
    rewritten(client)


def rewritten(client):
    wait_until(lambda: info(client)["aof_rewrite_in_progress"] == "0")
    assert info(client)["aof_last_bgrewrite_status"] == "ok"


def fill(client):
    """Keys of all types and encodings, with and without deadlines, in two databases."""
    for line in ("SET s text", "SET n 12345", "SET e x PXAT 9999999999999", "RPUSH l a b 3", "SADD si 1 2 3",
                 "SADD sl a b c", "ZADD z 1.5 a -inf b 3 c", "HSET h f v g 7", "HSET ht f v g w x y",
                 "HPEXPIREAT ht 9999999999999 FIELDS 2 f g", "EXPIRE l 100000", "SELECT 9", "SET other db"):
        reply = client.call(*line.split())
        assert not isinstance(reply, Error), (line, reply)
    big = [word for i in range(700) for word in (f"member {i} " + "x" * (i % 90), i)]
    client.call("RPUSH", "big:l", *big)
    client.call("SADD", "big:s", *big[::2])
    client.call("HSET", "big:h", *big)
    client.call("HPEXPIREAT", "big:h", 9999999999999, "FIELDS", 1, big[0])
    client.call("ZADD", "big:z", *(word for i in range(700) for word in (i / 8, big[2 * i])))
    client.call("SET", "bytes", bytes(range(256)) * 500)
    assert client.call("SELECT", "0") == OK


# --- writing ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("policy", ["always", "everysec", "no"])
def test_commands_are_in_the_file(tmp_path, policy):
    with aof_server(tmp_path, "--appendfsync", policy) as server, server.client() as client:
        assert client.call("SET", "a", "1") == OK
        assert client.call("SELECT", "3") == OK
        client.pipeline([("INCR", "a"), ("GET", "a"), ("MULTI",), ("SET", "b", "2"), ("LPUSH", "c", "3"), ("EXEC",)])
        assert client.call("SELECT", "0") == OK
        assert client.call("DEL", "a", "none") == 1
        assert client.call("DEL", "none") == 0
        wait_until(lambda: parts(tmp_path)[0].stat().st_size > 200)
        assert commands(parts(tmp_path)[0].read_bytes()) == [
            ["SELECT", "0"], ["SET", "a", "1"], ["SELECT", "3"], ["INCR", "a"], ["MULTI"], ["SET", "b", "2"],
            ["LPUSH", "c", "3"], ["EXEC"], ["SELECT", "0"], ["DEL", "a", "none"]]


@pytest.mark.parametrize("loop", ["uvloop", "asyncio"])
def test_data_survives(tmp_path, loop):
    with aof_server(tmp_path, "--appendfsync", "always", loop=loop) as server, server.client() as client:
        fill(client)
        digest = client.call("DEBUG", "DIGEST")
        server.stop(kill=True)
    with aof_server(tmp_path, loop=loop) as server, server.client() as client:
        assert client.call("DEBUG", "DIGEST") == digest
        assert "DB loaded from append only file" in server.log()
        assert client.call("SET", "one", "more") == OK
        digest = client.call("DEBUG", "DIGEST")
    with aof_server(tmp_path) as server, server.client() as client:
        assert client.call("DEBUG", "DIGEST") == digest
        assert commands(parts(tmp_path)[0].read_bytes())[-2:] == [["SELECT", "0"], ["SET", "one", "more"]]


def test_expired_keys_are_deleted_in_the_file(tmp_path):
    with aof_server(tmp_path, "--appendfsync", "always") as server, server.client() as client:
        assert client.call("SET", "k", "v", "PX", "20") == OK
        wait_until(lambda: client.call("EXISTS", "k") == 0)
        wait_until(lambda: commands(parts(tmp_path)[0].read_bytes())[-1] == ["DEL", "k"])


def test_timestamps(tmp_path):
    options = ("--appendfsync", "always", "--aof-timestamp-enabled", "yes")
    with aof_server(tmp_path, *options) as server, server.client() as client:
        client.pipeline([("SET", "a", "1"), ("SET", "b", "2")])
        data = parts(tmp_path)[0].read_bytes()
        assert data.startswith(b"#TS:") and data.count(b"#TS:") <= 2
        assert abs(int(data[4:data.index(b"\r")]) - time.time()) < 10
        assert client.call("CONFIG", "SET", "aof-use-rdb-preamble", "no") == OK
        rewrite(client)
        assert parts(tmp_path, "base")[0].read_bytes().startswith(b"#TS:")
    with aof_server(tmp_path) as server, server.client() as client:
        assert client.call("MGET", "a", "b") == [b"1", b"2"]


@pytest.mark.parametrize("loop", ["uvloop", "asyncio"])
@pytest.mark.parametrize("policy", ["always", "everysec", "no"])
def test_what_is_acknowledged_is_in_the_file(tmp_path, policy, loop):
    """So it outlives the process; the sync is for when the machine ends."""
    with (aof_server(tmp_path, "--appendfsync", policy, loop=loop) as server, server.client() as client,
          server.client() as other):
        for i in range(100):
            other.send("INCR", "n")
            assert client.call("SET", f"key:{i}", "v") == OK
            assert f"key:{i}\r".encode() in parts(tmp_path)[0].read_bytes()[-100:]
            assert other.read() == i + 1


def test_with_always_replies_come_after_the_write(tmp_path):
    """Also to those who only read what is not on the disk yet; and clients of one iteration share the sync."""
    with aof_server(tmp_path, "--appendfsync", "always") as server, contextlib.ExitStack() as opened:
        clients = [opened.enter_context(server.client()) for _ in range(20)]
        assert [client.call("PING") for client in clients] == [Status("PONG")] * 20, "all are accepted"
        size = parts(tmp_path)[0].stat().st_size
        assert clients[0].call("DEBUG", "AOF-FLUSH-SLEEP", "300000") == OK
        started = time.monotonic()
        for i, client in enumerate(clients):
            client.send("SET", f"k{i}", "v")
        for client in clients:
            assert client.read() == OK
            assert parts(tmp_path)[0].stat().st_size > size
        # Two groups, should the first have been taken before the others were there.
        assert 0.3 <= time.monotonic() - started < 1.5
        assert clients[0].call("DEBUG", "AOF-FLUSH-SLEEP", "0") == OK


def test_with_always_a_blocked_client_is_answered(tmp_path):
    with aof_server(tmp_path, "--appendfsync", "always") as server, server.client() as one, server.client() as other:
        one.send("BLPOP", "l", "5")
        wait_until(lambda: b"blocked_clients:1" in other.call("INFO", "clients"))
        assert other.call("RPUSH", "l", "a") == 1
        assert one.read() == [b"l", b"a"]
        other.pipeline([("RPUSH", "l", "b"), ("CONFIG", "SET", "appendfsync", "everysec"), ("LPOP", "l")])
        assert other.call("PING") == Status("PONG")


def test_debug_loadaof(tmp_path):
    with aof_server(tmp_path) as server, server.client() as client:
        fill(client)
        digest = client.call("DEBUG", "DIGEST")
        assert client.call("DEBUG", "LOADAOF") == OK
        assert client.call("DEBUG", "DIGEST") == digest
        rewrite(client)
        assert client.call("RPUSH", "l", "more") == 4
        assert client.call("DEBUG", "LOADAOF") == OK
        assert client.call("DEBUG", "LOADAOF") == OK
        assert client.call("LRANGE", "l", "0", "-1") == [b"a", b"b", b"3", b"more"]
        assert commands(parts(tmp_path)[0].read_bytes())[1:] == [["RPUSH", "l", "more"]]
        size = int(info(client)["aof_current_size"])
        assert size == sum(path.stat().st_size for path in parts(tmp_path) + parts(tmp_path, "base"))


# --- WAITAOF ----------------------------------------------------------------------------------------


def test_waitaof(tmp_path):
    with aof_server(tmp_path, "--appendfsync", "always") as server, server.client() as client:
        assert client.call("WAITAOF", "1", "0", "0") == [1, 0]
        assert client.pipeline([("SET", "a", "1"), ("WAITAOF", "1", "0", "0"), ("WAITAOF", "0", "0", "0")]) == [
            OK, [1, 0], [1, 0]]
        assert client.call("WAITAOF", "1", "1", "20") == [1, 0]
        assert client.call("CONFIG", "SET", "appendfsync", "everysec") == OK
        started = time.monotonic()
        for _ in range(2):
            assert client.call("SET", "a", "2") == OK
            assert client.call("WAITAOF", "1", "0", "0") == [1, 0]
        assert 0.3 < time.monotonic() - started < 4
        assert client.call("CONFIG", "SET", "appendfsync", "no") == OK
        assert client.call("SET", "a", "3") == OK
        assert client.call("WAITAOF", "1", "0", "30") == [0, 0]
        with server.client() as reader:
            assert reader.call("WAITAOF", "1", "0", "0") == [1, 0], "it has written nothing"
            client.send("WAITAOF", "1", "0", "0")
            wait_until(lambda: b"blocked_clients:1" in reader.call("INFO", "clients"))
            assert reader.call("CONFIG", "SET", "appendonly", "no") == OK
            assert client.read() == Error(
                "ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled.")


# --- rewriting --------------------------------------------------------------------------------------


@pytest.mark.parametrize("preamble", ["yes", "no"])
def test_rewrite(tmp_path, preamble):
    with aof_server(tmp_path, "--aof-use-rdb-preamble", preamble) as server, server.client() as client:
        fill(client)
        rewrite(client)
        assert client.call("INCR", "n") == 12346
        base, = parts(tmp_path, "base")
        assert base.name == f"appendonly.aof.2.base.{'rdb' if preamble == 'yes' else 'aof'}"
        assert base.read_bytes().startswith(b"REDIS" if preamble == "yes" else b"*2\r\n$6\r\nSELECT")
        incr, = parts(tmp_path)
        wait_until(lambda: commands(incr.read_bytes()) == [["SELECT", "0"], ["INCR", "n"]])
        assert incr.name == "appendonly.aof.2.incr.aof"
        assert sorted(os.listdir(tmp_path / "appendonlydir")) == sorted(
            [base.name, incr.name, "appendonly.aof.manifest"])
        digest = client.call("DEBUG", "DIGEST")
        types = [client.call("OBJECT", "ENCODING", key) for key in ("l", "si", "sl", "z", "h", "ht")]
        assert info(client)["aof_base_size"] == str(base.stat().st_size)
    with aof_server(tmp_path) as server, server.client() as client:
        assert client.call("DEBUG", "DIGEST") == digest
        assert [client.call("OBJECT", "ENCODING", key) for key in ("l", "si", "sl", "z", "h", "ht")] == types
        assert client.call("HPEXPIRETIME", "ht", "FIELDS", "3", "f", "g", "x") == [9999999999999, 9999999999999, -1]


def test_rewrite_under_load(tmp_path):
    """Nothing is lost or done twice, whatever comes before, during and after."""
    with aof_server(tmp_path) as server, server.client() as client, server.client() as other:
        assert client.call("DEBUG", "POPULATE", "20000") == OK
        count = 0
        for _ in range(3):
            assert "started" in other.call("BGREWRITEAOF")
            for _ in range(50):
                client.pipeline([("INCR", "n"), ("RPUSH", "l", "x"),
                                 ("MULTI",), ("INCR", "m"), ("INCR", "m"), ("EXEC",)])
                count += 1
            rewritten(other)
        server.stop(kill=True)
    with aof_server(tmp_path) as server, server.client() as client:
        assert client.call("MGET", "n", "m") == [b"%d" % count, b"%d" % (2 * count)]
        assert client.call("LLEN", "l") == count
        assert client.call("DBSIZE") == 20003


def test_failed_rewrite_keeps_everything(tmp_path):
    with aof_server(tmp_path, "--rdb-key-save-delay", "10000000") as server, server.client() as client:
        for i in range(3):
            assert client.call("SET", f"k{i}", "v") == OK
            assert "started" in client.call("BGREWRITEAOF")
            assert client.call("BGREWRITEAOF") == Error("ERR Background append only file rewriting already in progress")
            pid = int(server.log().rsplit("rewriting started by pid ", 1)[1].split()[0])
            os.kill(pid, signal.SIGKILL)
            wait_until(lambda: info(client)["aof_rewrite_in_progress"] == "0")
            assert info(client)["aof_last_bgrewrite_status"] == "err"
            assert info(client)["aof_rewrites_consecutive_failures"] == str(i + 1)
        assert [path.name for path in parts(tmp_path)] == [f"appendonly.aof.{n}.incr.aof" for n in (1, 2, 3, 4)]
        assert not list(tmp_path.glob("temp-*"))
        assert client.call("SET", "last", "v") == OK
        server.stop(kill=True)
    with aof_server(tmp_path) as server, server.client() as client:
        assert client.call("MGET", "k0", "k1", "k2", "last") == [b"v"] * 4
        rewrite(client)
        assert [path.name for path in parts(tmp_path)] == ["appendonly.aof.5.incr.aof"]


def test_rewrite_by_growth(tmp_path):
    with aof_server(tmp_path) as server, server.client() as client:
        assert client.call("CONFIG", "SET", "auto-aof-rewrite-percentage", "100", "auto-aof-rewrite-min-size",
                           "100kb") == OK
        for _ in range(30):
            assert client.call("SET", "k", "x" * 5000) == OK
        wait_until(lambda: info(client)["aof_rewrites"] == "1")
        rewritten(client)
        assert "Starting automatic rewriting of AOF on" in server.log()
        assert sum(path.stat().st_size for path in parts(tmp_path)) < 100_000


def test_rewrite_waits_for_a_save(tmp_path):
    with aof_server(tmp_path, "--rdb-key-save-delay", "10000000") as server, server.client() as client:
        assert client.call("SET", "k", "v") == OK
        assert client.call("BGSAVE") == Status("Background saving started")
        assert client.call("BGREWRITEAOF") == Status("Background append only file rewriting scheduled")
        assert info(client)["aof_rewrite_scheduled"] == "1"
        assert client.call("CONFIG", "SET", "rdb-key-save-delay", "0") == OK
        os.kill(int(server.log().rsplit("saving started by pid ", 1)[1].split()[0]), signal.SIGKILL)
        wait_until(lambda: info(client)["aof_rewrites"] == "1")
        rewritten(client)


def test_history_stays_when_told_to(tmp_path):
    with aof_server(tmp_path, "--aof-disable-auto-gc", "yes") as server, server.client() as client:
        rewrite(client)
        assert len(parts(tmp_path)) == 2
        assert (tmp_path / "appendonlydir" / "appendonly.aof.manifest").read_text() == (
            "file appendonly.aof.2.base.rdb seq 2 type b\nfile appendonly.aof.1.incr.aof seq 1 type h\n"
            "file appendonly.aof.1.base.rdb seq 1 type h\nfile appendonly.aof.2.incr.aof seq 2 type i\n")
        assert client.call("CONFIG", "SET", "aof-disable-auto-gc", "no") == OK
        assert len(parts(tmp_path)) == 1 and len(parts(tmp_path, "base")) == 1


# --- switching --------------------------------------------------------------------------------------


def test_switched_on_and_off(tmp_path):
    with fastredis_server("--dir", str(tmp_path)) as server, server.client() as client:
        assert client.call("SET", "before", "v") == OK
        assert info(client)["aof_enabled"] == "0" and "aof_current_size" not in info(client)
        assert client.call("CONFIG", "SET", "appendonly", "yes") == OK
        assert client.call("SET", "during", "v") == OK
        rewritten(client)
        assert client.call("SET", "after", "v") == OK
        assert info(client)["aof_enabled"] == "1"
        assert client.call("CONFIG", "SET", "appendonly", "no") == OK
        assert [word for line in commands(parts(tmp_path)[0].read_bytes()) for word in line[1:2]] == [
            "0", "during", "after"]
        assert client.call("SET", "not there", "v") == OK
    with aof_server(tmp_path) as server, server.client() as client:
        assert sorted(client.call("KEYS", "*")) == [b"after", b"before", b"during"]


def test_first_base_that_fails_is_tried_again(tmp_path):
    options = ("--dir", str(tmp_path), "--rdb-key-save-delay", "10000000", "--appendfsync", "always")
    with fastredis_server(*options) as server, server.client() as client:
        assert client.call("SET", "k", "v") == OK
        assert client.call("CONFIG", "SET", "appendonly", "yes") == OK
        assert (tmp_path / "appendonlydir" / "temp-appendonly.aof.incr").exists()
        assert client.call("SET", "l", "v") == OK
        assert client.call("CONFIG", "SET", "rdb-key-save-delay", "0") == OK
        os.kill(int(server.log().rsplit("rewriting started by pid ", 1)[1].split()[0]), signal.SIGKILL)
        wait_until(lambda: info(client)["aof_last_bgrewrite_status"] == "ok" and parts(tmp_path, "base"))
        assert not list((tmp_path / "appendonlydir").glob("temp-*"))
        assert client.call("SET", "m", "v") == OK
        server.stop(kill=True)
    with aof_server(tmp_path) as server, server.client() as client:
        assert client.call("DBSIZE") == 3


def test_server_does_not_end_without_its_first_base(tmp_path):
    options = ("--dir", str(tmp_path), "--rdb-key-save-delay", "10000000")
    with fastredis_server(*options) as server, server.client() as client:
        assert client.call("SET", "k", "v") == OK
        assert client.call("CONFIG", "SET", "appendonly", "yes") == OK
        assert client.call("SHUTDOWN") == Error("ERR Errors trying to SHUTDOWN. Check logs.")
        assert "Writing initial AOF, can't exit." in server.log()
        assert client.call("PING") == Status("PONG")
        client.send("SHUTDOWN", "FORCE")
        assert server.process.wait(SECONDS) == 0
        assert "Killing running AOF rewrite child" in server.log()


def test_end_of_the_server_writes_all(tmp_path):
    with aof_server(tmp_path) as server, server.client() as client:
        for i in range(100):
            client.send("INCR", f"k{i % 3}")
        client.send("SHUTDOWN")
        assert server.process.wait(SECONDS) == 0
        assert "Calling fsync() on the AOF file." in server.log()
    assert len(commands(parts(tmp_path)[0].read_bytes())) == 101


def test_switched_within_a_transaction(tmp_path):
    with aof_server(tmp_path) as server, server.client() as client:
        client.pipeline([("MULTI",), ("SET", "a", "1"), ("CONFIG", "SET", "appendonly", "no"), ("SET", "b", "2"),
                         ("EXEC",)])
        assert commands(parts(tmp_path)[0].read_bytes()) == [["MULTI"], ["SELECT", "0"], ["SET", "a", "1"], ["EXEC"]]
        client.pipeline([("MULTI",), ("CONFIG", "SET", "appendonly", "yes"), ("SET", "c", "3"), ("EXEC",)])
        wait_until(lambda: info(client)["aof_rewrites"] == "1")
        rewritten(client)
    with aof_server(tmp_path) as server, server.client() as client:
        assert client.call("MGET", "a", "b", "c") == [b"1", b"2", b"3"]


# --- loading ----------------------------------------------------------------------------------------

TORN = {
    "within a number": b"*",
    "within a size": b"*3\r\n$3",
    "within a word": b"*3\r\n$3\r\nSE",
    "before the last CRLF": formatted("SET k torn")[:-2],
    "within a transaction": formatted("MULTI", "SET k torn"),
    "in the middle of a transaction's command": formatted("MULTI", "SET k torn", "SET k again")[:-3],
}


@pytest.mark.parametrize("tail", TORN.values(), ids=TORN)
def test_torn_end_is_cut_off(tmp_path, tail):
    whole = formatted("SET k v", "MULTI", "SET l w", "EXEC")
    folder = write_aof(tmp_path, ("appendonly.aof.1.incr.aof", "i", whole + tail))
    with aof_server(tmp_path) as server, server.client() as client:
        assert client.call("MGET", "k", "l") == [b"v", b"w"]
        log = server.log()
        assert "!!! Warning: short read while loading the AOF file appendonly.aof.1.incr.aof!!!" in log
        assert f"!!! Truncating the AOF appendonly.aof.1.incr.aof at offset {len(whole)} !!!" in log
        assert client.call("SET", "m", "x") == OK
    assert (folder / "appendonly.aof.1.incr.aof").read_bytes() == whole + formatted("SELECT 0", "SET m x")


LONG = formatted(*(f"SET k{i} {'v' * (i % 3000)}" for i in range(1000)))

FATAL = {
    "torn, not to be cut": (formatted("SET k v")[:-1], ("--aof-load-truncated", "no"),
                            "Unexpected end of file reading the append only file"),
    "no protocol": (formatted("SET k v") + b"!!!", (), "Bad file format reading the append only file"),
    "zeros behind the end": (formatted("SET k v") + bytes(4096), (), "Bad file format"),
    "no CRLF behind a word": (formatted("SET k v")[:-2] + b"xx", (), "Bad file format"),
    "no arguments": (b"*0\r\n", (), "Bad file format"),
    "a negative size": (b"*1\r\n$-1\r\n", (), "Bad file format"),
    "a number without end": (b"*" + b"1" * 60, (), "Bad file format"),
    "unknown command": (formatted("bla k v"), (), "Unknown command 'bla' reading the append only file"),
    "too few arguments": (formatted("SET k"), (), "Bad file format"),
    "far behind in a long file": (LONG + b"\x01" + LONG, (), "Bad file format"),
    "a command that fails": (formatted("SET k v", "INCR k"),
                             ("--propagation-error-behavior", "panic", "--use-exit-on-panic", "yes"),
                             "This server panicked sending an error to its AOF-loading-client after processing the "
                             "command 'incr'"),
    "a broken base": (b"REDIS0010" + b"\xfa", (), "Error reading the RDB base file"),
}


@pytest.mark.parametrize("data, options, message", FATAL.values(), ids=FATAL)
def test_what_cannot_be_loaded_ends_the_server(tmp_path, data, options, message):
    write_aof(tmp_path, ("appendonly.aof.1.incr.aof", "i", data))
    with pytest.raises(RuntimeError) as failure:
        aof_server(tmp_path, *options)
    assert message in str(failure.value)
    assert (tmp_path / "appendonlydir" / "appendonly.aof.1.incr.aof").read_bytes() == data


@pytest.mark.parametrize("behavior", ["ignore", "panic-on-replicas"])
def test_a_command_that_fails_is_told_of(tmp_path, behavior):
    write_aof(tmp_path, ("appendonly.aof.1.incr.aof", "i", formatted("SELECT 0", "SET k v", "INCR k", "SET l 1")))
    with (aof_server(tmp_path, "--propagation-error-behavior", behavior) as server, server.client() as client):
        assert client.call("MGET", "k", "l") == [b"v", b"1"]
        assert b"\r\nunexpected_error_replies:1\r\n" in client.call("INFO", "stats")
        assert "== CRITICAL == This server is sending an error to its AOF-loading-client: 'ERR value is not an " \
            "integer or out of range' after processing the command 'incr'" in server.log()


def test_only_the_last_file_may_be_torn(tmp_path):
    write_aof(tmp_path, ("a", "b", formatted("SET k v")[:-1]), ("b", "i", b""))
    with pytest.raises(RuntimeError) as failure:
        aof_server(tmp_path)
    assert "Fatal error: the truncated file is not the last file" in str(failure.value)


def test_an_increment_may_be_torn_before_empty_ones(tmp_path):
    """Where writing goes on is in the manifest before anything is written there."""
    folder = write_aof(tmp_path, ("a", "b", b""), ("b", "i", formatted("SET k v", "SET l w")[:-1]), ("c", "i", b""))
    with aof_server(tmp_path) as server, server.client() as client:
        assert client.call("KEYS", "*") == [b"k"]
        assert client.call("SET", "m", "x") == OK
    assert (folder / "b").read_bytes() == formatted("SET k v")
    with aof_server(tmp_path) as server, server.client() as client:
        assert sorted(client.call("KEYS", "*")) == [b"k", b"m"]


def test_missing_file_ends_the_server(tmp_path):
    write_aof(tmp_path, ("a", "b", formatted("SET k v"))).joinpath("a").unlink()
    with pytest.raises(RuntimeError) as failure:
        aof_server(tmp_path)
    assert "Unable to obtain the AOF file a length. stat: No such file or directory" in str(failure.value)


@pytest.mark.parametrize("appendonly", ["yes", "no"])
def test_wrong_manifest_ends_the_server(tmp_path, appendonly):
    write_aof(tmp_path).joinpath("appendonly.aof.manifest").write_text("file a seq 1 type x\n")
    with pytest.raises(RuntimeError) as failure:
        fastredis_server("--dir", str(tmp_path), "--appendonly", appendonly)
    assert "*** FATAL AOF MANIFEST FILE ERROR ***" in str(failure.value)


def test_long_files_and_annotations(tmp_path):
    stamp = b"#TS:1628217471\r\n"
    write_aof(tmp_path, ("a", "b", LONG + stamp), ("b", "i", stamp + formatted("SELECT 3", "SET x y") + stamp + stamp),
              ("c", "i", formatted("SET big " + "x" * 3_000_000) + LONG + stamp))
    with aof_server(tmp_path) as server, server.client() as client:
        assert client.call("DBSIZE") == 1001
        assert client.call("STRLEN", "big") == 3_000_000
        assert client.call("GET", "k999") == b"v" * 999
        assert "short read" not in server.log()
        assert client.call("SELECT", "3") == OK and client.call("KEYS", "*") == [b"x"]


def test_nothing_expires_while_loading(tmp_path):
    """A key whose time came only now was there for the commands that followed."""
    write_aof(tmp_path, ("a", "b", formatted(
        "RPUSH l a", "PEXPIREAT l 1000", "RPUSH l b", "SET n 5", "PEXPIREAT n 1000", "INCR n", "PERSIST n",
        "HSET h f 1 g 1", "HPEXPIREAT h 1000 FIELDS 1 f", "HINCRBY h f 1", "HPERSIST h FIELDS 1 f")))
    with aof_server(tmp_path) as server, server.client() as client:
        assert client.call("LLEN", "l") == 0
        assert client.call("GET", "n") == b"6"
        assert client.call("HGET", "h", "f") == b"2"


def test_clients_are_answered_loading(tmp_path):
    write_aof(tmp_path, ("a", "b", formatted(*(f"SET k{i} v" for i in range(200)))))
    with pytest.raises(RuntimeError), pytest.MonkeyPatch.context() as patch:
        patch.setattr("tests.servers.START_SECONDS", 1)
        aof_server(tmp_path, "--key-load-delay", "100000")
    # 200 keys of 0.1 s would take 20: it was asked meanwhile, and said LOADING, else it would have been up.


@pytest.mark.parametrize("preamble", [False, True])
def test_old_file_becomes_the_base(tmp_path, preamble):
    start = b""
    if preamble:
        with fastredis_server("--dir", str(tmp_path)) as server, server.client() as client:
            assert client.call("SET", "a", "1") == OK
            assert client.call("SAVE") == OK
        start = (tmp_path / "dump.rdb").read_bytes()
    (tmp_path / "appendonly.aof").write_bytes(start + formatted("SELECT 0", "SET b 2"))
    for _ in range(2):
        with aof_server(tmp_path) as server, server.client() as client:
            assert client.call("MGET", "a", "b") == [b"1" if preamble else None, b"2"]
            assert not (tmp_path / "appendonly.aof").exists()
    manifest = tmp_path / "appendonlydir" / "appendonly.aof.manifest"
    assert manifest.read_text() == "file appendonly.aof seq 1 type b\nfile appendonly.aof.1.incr.aof seq 1 type i\n"


def test_names_are_configured(tmp_path):
    options = ("--appenddirname", "dir x", "--appendfilename", "file x")
    with aof_server(tmp_path, *options) as server, server.client() as client:
        assert client.call("SET", "a", "1") == OK
    assert sorted(os.listdir(tmp_path / "dir x")) == ["file x.1.base.rdb", "file x.1.incr.aof", "file x.manifest"]
    with aof_server(tmp_path, *options) as server, server.client() as client:
        assert client.call("GET", "a") == b"1"


# --- errors of the disk -----------------------------------------------------------------------------


def limit_files(server, size):
    """Let the server's files not grow beyond so many bytes, as if the disk were full. Its log is one of them."""
    resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


def test_full_disk_refuses_writes_until_there_is_room(tmp_path):
    with aof_server(tmp_path, "--appendfsync", "everysec") as server, server.client() as client:
        assert client.call("SET", "a", "1" * 200_000) == OK
        wait_until(lambda: parts(tmp_path)[0].stat().st_size > 0)
        whole = parts(tmp_path)[0].stat().st_size
        limit_files(server, whole + 10)
        assert client.call("SET", "b", "2") == OK
        wait_until(lambda: info(client)["aof_last_write_status"] == "err")
        for command in ("SET c 3", "PING"):
            assert client.call(*command.split()) == Error("MISCONF Errors writing to the AOF file: File too large")
        assert client.call("GET", "b") == b"2"
        assert parts(tmp_path)[0].stat().st_size == whole, "no half command stays in the file"
        assert "Short write while writing to the AOF file: (nwritten=10, expected=" in server.log()
        limit_files(server, resource.RLIM_INFINITY)
        wait_until(lambda: client.call("SET", "c", "3") == OK)
        assert info(client)["aof_last_write_status"] == "ok"
        assert "AOF write error looks solved" in server.log()
        assert client.call("WAITAOF", "1", "0", "0") == [1, 0]
        server.stop(kill=True)
    with aof_server(tmp_path) as server, server.client() as client:
        assert client.call("MGET", "a", "b", "c") == [b"1" * 200_000, b"2", b"3"]


@pytest.mark.parametrize("ending", ["success", "killed", "kill -9", "shutdown"])
def test_a_rewrite_is_the_way_out_of_a_full_disk(tmp_path, ending):
    """What the file could not take is in the new base; if there is none, it is written when there is room."""
    with aof_server(tmp_path, "--appendfsync", "everysec") as server, server.client() as client:
        client.pipeline([("INCR", "n")] * 3000)
        wait_until(lambda: parts(tmp_path)[0].stat().st_size > 0)
        limit_files(server, parts(tmp_path)[0].stat().st_size + 10)
        assert client.call("INCR", "n") == 3001
        wait_until(lambda: info(client)["aof_last_write_status"] == "err")
        assert str(client.call("INCR", "n")).startswith("MISCONF")
        client.call("CONFIG", "SET", "rdb-key-save-delay", "0" if ending == "success" else "10000000")
        assert "started" in client.call("BGREWRITEAOF")
        if ending == "success":
            wait_until(lambda: info(client)["aof_rewrite_in_progress"] == "0")
            assert info(client)["aof_last_write_status"] == info(client)["aof_last_bgrewrite_status"] == "ok"
            assert client.call("INCR", "n") == 3002
        else:
            wait_until(lambda: list(tmp_path.glob("temp-rewriteaof-bg-*")))
            limit_files(server, resource.RLIM_INFINITY)
            if ending == "killed":
                (path,) = tmp_path.glob("temp-rewriteaof-bg-*")
                os.kill(int(path.stem.rpartition("-")[2]), signal.SIGKILL)
            if ending != "kill -9":
                wait_until(lambda: ending == "shutdown" or client.call("INCR", "n") == 3002)
        server.stop(kill=ending == "kill -9")
    with aof_server(tmp_path) as server, server.client() as client:
        expected = {"success": b"3002", "killed": b"3002", "shutdown": b"3001", "kill -9": b"3000"}
        assert client.call("GET", "n") == expected[ending]


def test_full_disk_with_always_ends_the_server(tmp_path):
    with aof_server(tmp_path, "--appendfsync", "always") as server:
        with server.client() as client:
            assert client.call("SET", "a", "1" * 200_000) == OK
            limit_files(server, parts(tmp_path)[0].stat().st_size + 10)
            client.send("SET", "b", "2")
            assert server.process.wait(SECONDS) == 1
            with pytest.raises((Closed, ConnectionError)):
                client.read()
        assert "Can't recover from AOF write error when the AOF fsync policy is 'always'. Exiting..." in server.log()
    with aof_server(tmp_path) as server, server.client() as client:
        assert client.call("MGET", "a", "b") == [b"1" * 200_000, None]


def test_rewrite_that_has_no_room_fails(tmp_path):
    with aof_server(tmp_path) as server, server.client() as client:
        assert client.call("DEBUG", "POPULATE", "100000") == OK
        limit_files(server, 100_000)
        assert "started" in client.call("BGREWRITEAOF")
        wait_until(lambda: info(client)["aof_rewrite_in_progress"] == "0")
        assert info(client)["aof_last_bgrewrite_status"] == "err"
        assert "Write error writing append only file on disk: File too large" in server.log()
        limit_files(server, resource.RLIM_INFINITY)
        assert client.call("SET", "a", "1") == OK
        assert not list(tmp_path.glob("temp-*"))


# --- real servers -----------------------------------------------------------------------------------


def fill_for_peer(client):
    """As fill(), without what Redis 7.0 does not know."""
    for line in ("SET s text", "SET n 12345", "SET e x PXAT 9999999999999", "RPUSH l a b 3", "SADD si 1 2 3",
                 "ZADD z 1.5 a -inf b 3 c", "HSET h f v g 7", "SELECT 9", "SET other db"):
        assert not isinstance(client.call(*line.split()), Error), line
    big = [word for i in range(700) for word in (f"member {i} " + "x" * (i % 90), i)]
    client.call("RPUSH", "big:l", *big)
    client.call("SADD", "big:s", *big[::2])
    client.call("HSET", "big:h", *big)
    client.call("ZADD", "big:z", *(word for i in range(700) for word in (i / 8, big[2 * i])))
    client.pipeline([("MULTI",), ("INCR", "m"), ("SELECT", "0"), ("INCR", "m"), ("EXEC",)])


@pytest.mark.parametrize("preamble", ["yes", "no"])
def test_peer_loads_ours(tmp_path, modern_peer, preamble):
    with aof_server(tmp_path, "--aof-use-rdb-preamble", preamble) as server, server.client() as client:
        fill_for_peer(client)
        rewrite(client)
        client.pipeline([("SET", "later", "1"), ("MULTI",), ("LPUSH", "l", "z"), ("SPOP", "si"), ("EXEC",),
                         ("SET", "t", "v", "EX", "1000")])
        digest = client.call("DEBUG", "DIGEST")
    tool = shutil.which("redis-check-aof")
    if tool is not None:
        run = subprocess.run([tool, str(tmp_path / "appendonlydir" / "appendonly.aof.manifest")], capture_output=True,
                             text=True, check=True, timeout=SECONDS)
        assert "All AOF files and manifest are valid" in run.stdout
    path = modern_peer.path
    with peer_server(path, "--dir", str(tmp_path), "--appendonly", "yes") as server, server.client() as client:
        assert client.call("DEBUG", "DIGEST") == digest


@pytest.mark.parametrize("preamble", ["yes", "no"])
def test_we_load_the_peers(tmp_path, modern_peer, preamble):
    options = ("--appendonly", "yes", "--aof-use-rdb-preamble", preamble, "--aof-timestamp-enabled", "yes")
    with peer_server(modern_peer.path, "--dir", str(tmp_path), *options, *NEVER_REWRITE) as server, \
            server.client() as client:
        fill_for_peer(client)
        assert "started" in client.call("BGREWRITEAOF")
        client.pipeline([("SET", "later", "1"), ("MULTI",), ("LPUSH", "l", "z"), ("SPOP", "si"), ("EXEC",),
                         ("SET", "t", "v", "EX", "1000")])
        wait_until(lambda: info(client)["aof_rewrite_in_progress"] == "0")
        digest = client.call("DEBUG", "DIGEST")
    with aof_server(tmp_path) as server, server.client() as client:
        assert client.call("DEBUG", "DIGEST") == digest
