"""The master's side as a replica sees it on the wire: PSYNC, the data set, the stream, acknowledgements."""
import contextlib
import socket
import time
from pathlib import Path

import pytest

from tests.helpers import info, wait_until
from tests.resp import Error, Status, encode
from tests.rows import OK, QUEUED

DISKLESS = ("--repl-diskless-sync", "yes", "--repl-diskless-sync-delay", "0")
DISK = ("--repl-diskless-sync", "no")
LEAST_BACKLOG = 16 * 1024


class RawReplica:
    """A connection that behaves as a replica in steps that a test chooses."""

    def __init__(self, server, *capabilities):
        self.sock = socket.create_connection(("127.0.0.1", server.port), timeout=10)
        self.buffer = b""
        for capability in capabilities:
            self.send("REPLCONF", "capa", capability)
            assert self.line() == b"+OK"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()

    def send(self, *words):
        self.sock.sendall(encode(*words))

    def more(self):
        data = self.sock.recv(1 << 20)
        if not data:
            raise EOFError
        self.buffer += data

    def line(self):
        """The next line that is not a heartbeat."""
        while True:
            while b"\n" not in self.buffer:
                self.more()
            line, _, self.buffer = self.buffer.partition(b"\n")
            if line:
                return line.rstrip(b"\r")

    def exactly(self, size):
        while len(self.buffer) < size:
            self.more()
        data, self.buffer = self.buffer[:size], self.buffer[size:]
        return data

    def psync(self, replid="?", offset=-1):
        """PSYNC -> (first word, id, offset) of the answer."""
        self.send("PSYNC", replid, offset)
        words = self.line().decode().split()
        return words[0], words[1] if len(words) > 1 else "", int(words[2]) if len(words) > 2 else None

    def data_set(self):
        """The payload of a full synchronisation."""
        head = self.line()
        if head.startswith(b"$EOF:"):
            mark = head[5:]
            assert len(mark) == 40
            while mark not in self.buffer:
                self.more()
            data, _, self.buffer = self.buffer.partition(mark)
            return data
        return self.exactly(int(head[1:]))

    def ack(self, offset, *more):
        self.send("REPLCONF", "ACK", offset, *more)


@pytest.mark.parametrize("how", [DISKLESS, DISK], ids=["diskless", "disk"])
def test_full_synchronisation(fresh_server, how):
    server = fresh_server(*how)
    with server.client() as client, RawReplica(server, "eof", "psync2") as replica:
        client.call("SET", "before", "1")
        answer, replid, offset = replica.psync()
        assert (answer, len(replid)) == ("+FULLRESYNC", 40)
        data = replica.data_set()
        assert data.startswith(b"REDIS0010") and b"before" in data and replid.encode() in data
        replica.ack(offset)
        wait_until(lambda: "state=online" in info(client, "replication")["slave0"])
        client.call("SET", "after", "2")
        expected = encode("SELECT", "0") + encode("SET", "after", "2")
        assert replica.exactly(len(expected)) == expected
        assert int(info(client, "replication")["master_repl_offset"]) == offset + len(expected)


def test_a_replica_that_does_not_know_the_mark_gets_a_length(fresh_server):
    server = fresh_server(*DISKLESS)
    with server.client() as client, RawReplica(server) as replica:
        client.call("SET", "k", "1")
        assert replica.psync()[0] == "+FULLRESYNC"
        assert replica.line().startswith(b"$1")


@pytest.mark.parametrize(("options", "stays"), [
    (["--rdb-del-sync-files", "yes"], False),
    (["--rdb-del-sync-files", "no"], True),
    (["--rdb-del-sync-files", "yes", "--save", "3600 1"], True),
    (["--rdb-del-sync-files", "yes", "--appendonly", "yes"], True),
], ids=["persists nothing", "not asked for", "has save points", "has an AOF"])
@pytest.mark.parametrize("kind", ["fastredis", "peer"])
def test_the_file_for_replicas_does_not_stay(fresh_server, kind, options, stays):
    """rdb-del-sync-files, for a server that is not to leave data on its disk."""
    server = fresh_server(*DISK, *options, kind=kind)
    file = Path(server.directory) / "dump.rdb"
    with server.client() as client, RawReplica(server, "eof", "psync2") as replica:
        client.call("SET", "k", "1")
        _, _, offset = replica.psync()
        head = replica.line()
        assert b"\x01k\xc0\x01" in replica.exactly(int(head[1:]))
        replica.ack(offset)
        wait_until(lambda: "state=online" in info(client, "replication")["slave0"])
        if stays:
            time.sleep(1.5)         # the cron that would remove it comes once a second
            assert file.exists()
        else:
            wait_until(lambda: not file.exists())


def test_writes_while_the_data_set_is_sent_follow_it(fresh_server):
    server = fresh_server(*DISKLESS)
    with server.client() as client, RawReplica(server, "eof") as replica:
        client.pipeline([("SET", f"k:{i}", "x" * 1000) for i in range(20_000)])
        _, _, offset = replica.psync()
        expected = encode("SELECT", "3") + b"".join(encode("SET", "w", i) for i in range(100))
        client.call("SELECT", 3)
        assert set(client.pipeline([("SET", "w", i) for i in range(100)])) == {OK}
        assert len(replica.data_set()) > 20_000
        replica.ack(offset)
        assert replica.exactly(len(expected)) == expected


def test_partial_resynchronisation_byte_by_byte(fresh_server):
    """Whatever offset in the backlog a replica asks for, it gets exactly what follows."""
    server = fresh_server(*DISKLESS)
    with server.client() as client, RawReplica(server, "eof", "psync2") as first:
        _, replid, offset = first.psync()
        first.data_set()
        first.ack(offset)
        client.pipeline([("SET", f"key:{i}", "v" * i) for i in range(50)])
        whole = encode("SELECT", "0") + b"".join(encode("SET", f"key:{i}", "v" * i) for i in range(50))
        assert first.exactly(len(whole)) == whole
        for skipped in (0, 1, 20, 23, len(whole) - 1, len(whole)):
            with RawReplica(server, "psync2") as replica:
                assert replica.psync(replid, offset + 1 + skipped) == ("+CONTINUE", replid, None)
                assert replica.exactly(len(whole) - skipped) == whole[skipped:]
        with RawReplica(server) as old:
            assert old.psync(replid, offset + 1) == ("+CONTINUE", "", None)
        refused = [("0" * 40, offset + 1), (replid, offset), (replid, offset + len(whole) + 2)]
        for asked in refused:
            with RawReplica(server, "eof") as replica:
                assert replica.psync(*asked)[0] == "+FULLRESYNC", asked
        found = info(client, "stats")
        assert (int(found["sync_partial_ok"]), int(found["sync_partial_err"])) == (7, len(refused))


def test_the_backlog_is_as_long_as_configured(fresh_server):
    server = fresh_server(*DISKLESS, "--repl-backlog-size", str(LEAST_BACKLOG))
    with server.client() as client, RawReplica(server, "eof", "psync2") as first:
        _, replid, offset = first.psync()
        first.data_set()
        first.ack(offset)
        client.call("SET", "k", "x" * 50_000)
        end = int(info(client, "replication")["master_repl_offset"])
        wait_until(lambda: int(info(client, "replication")["repl_backlog_histlen"]) == LEAST_BACKLOG)
        with RawReplica(server, "psync2") as replica:
            assert replica.psync(replid, end + 1 - LEAST_BACKLOG)[0] == "+CONTINUE"
            assert replica.exactly(LEAST_BACKLOG)[-7:] == b"xxxxx\r\n"
        with RawReplica(server, "eof", "psync2") as replica:
            assert replica.psync(replid, end - LEAST_BACKLOG)[0] == "+FULLRESYNC"


def test_a_transaction_stays_one(fresh_server):
    server = fresh_server(*DISKLESS)
    with server.client() as client, RawReplica(server, "eof") as replica:
        _, _, offset = replica.psync()
        replica.data_set()
        replica.ack(offset)
        client.pipeline([("MULTI",), ("SET", "a", 1), ("GET", "a"), ("INCR", "a"), ("EXEC",)])
        commands = [("SELECT", "0"), ("SET", "a", "1"), ("INCR", "a")]
        expected = b"".join(encode(*words) for words in [("MULTI",), *commands, ("EXEC",)])
        assert replica.exactly(len(expected)) == expected


def test_wait_counts_who_acknowledged(fresh_server):
    server = fresh_server(*DISKLESS)
    with server.client() as client, RawReplica(server, "eof") as one, RawReplica(server, "eof") as two:
        for replica in (one, two):
            offset = replica.psync()[2]
            replica.data_set()
            replica.ack(offset)
        wait_until(lambda: info(client, "replication").get("slave1", "").count("state=online"))
        client.call("SET", "k", "v")
        end = int(info(client, "replication")["master_repl_offset"])
        assert client.call("WAIT", 1, 50) == 0
        one.ack(end)
        assert client.call("WAIT", 1, 5000) == 1
        assert client.call("WAIT", 2, 50) == 1
        client.send("WAIT", 2, 0)
        two.ack(end)
        assert client.read() == 2
        assert b"GETACK" in one.exactly(len(encode("SELECT", "0") + encode("SET", "k", "v")) + 37)


@pytest.mark.parametrize("kind", ["fastredis", "peer"])
def test_a_replica_that_is_killed_does_not_count(fresh_server, kind):
    server = fresh_server(*DISKLESS, kind=kind)
    with server.client() as client, RawReplica(server, "eof", "psync2") as replica:
        offset = replica.psync()[2]
        replica.data_set()
        replica.ack(offset)
        wait_until(lambda: client.call("WAIT", "1", "1") == 1)
        replies = client.pipeline([("CLIENT", "KILL", "TYPE", "replica"), ("WAIT", "0", "1"), ("ROLE",)])
        assert replies[:2] == [1, 0]
        assert replies[2][2] == []


def test_writes_need_good_replicas(fresh_server):
    server = fresh_server(*DISKLESS, "--min-replicas-to-write", "1")
    refused = Error("NOREPLICAS Not enough good replicas to write.")
    with server.client() as client:
        assert client.call("SET", "k", "v") == refused
        assert client.call("GET", "k") is None
        with RawReplica(server, "eof") as replica:
            offset = replica.psync()[2]
            replica.data_set()
            replica.ack(offset)
            wait_until(lambda: client.call("SET", "k", "v") == OK)
        wait_until(lambda: client.call("SET", "k", "v") == refused)
        client.call("CONFIG", "SET", "min-replicas-to-write", 0)
        assert client.call("SET", "k", "v") == OK


def test_a_replica_that_does_not_read_is_dropped_at_its_limit(fresh_server):
    """... and the memory that it held back is free again."""
    server = fresh_server(*DISKLESS, "--client-output-buffer-limit", "replica 4mb 0 0", "--repl-backlog-size", "10kb")
    with server.client() as client, RawReplica(server, "eof") as replica:
        offset = replica.psync()[2]
        replica.data_set()
        replica.ack(offset)
        wait_until(lambda: "state=online" in info(client, "replication").get("slave0", ""))
        used = int(info(client, "memory")["used_memory"])
        sent = 0
        while "slave0" in info(client, "replication"):
            assert client.call("SET", "k", "x" * 500_000) == OK
            sent += 500_000
            assert sent < 100_000_000
        wait_until(lambda: int(info(client, "memory")["used_memory"]) < used + 2_000_000)
        assert int(info(client, "stats")["client_output_buffer_limit_disconnections"]) == 1


def test_sync_of_old(fresh_server):
    server = fresh_server(*DISKLESS)
    with server.client() as client, RawReplica(server) as replica:
        client.call("SET", "k", "1")
        replica.send("SYNC")
        assert b"REDIS0010" in replica.data_set()
        client.call("SET", "k", "2")
        expected = encode("SELECT", "0") + encode("SET", "k", "2")
        assert replica.exactly(len(expected)) == expected


def test_an_rdb_only_client_gets_no_stream(fresh_server):
    server = fresh_server(*DISKLESS)
    with server.client() as client, RawReplica(server, "eof") as replica:
        replica.send("REPLCONF", "rdb-only", 1)
        assert replica.line() == b"+OK"
        replica.psync()
        assert replica.data_set()
        client.call("SET", "k", "2")
        replica.sock.settimeout(0.3)
        with pytest.raises(TimeoutError):
            replica.more()


def test_a_replica_that_wants_parts(fresh_server):
    """REPLCONF rdb-filter-only, also beside others who want all: through a file or not, whatever is configured."""
    code = "#!lua name=lib\nredis.register_function('f', function() end)"
    server = fresh_server("--repl-diskless-sync", "no", "--rdbcompression", "no")
    with server.client() as client:
        client.call("FUNCTION", "LOAD", code)
        client.call("SET", "the-key", "v")
        for parts, has_code, has_key in (("functions", True, False), ("", False, False), (None, True, True)):
            with RawReplica(server, "eof") as replica:
                if parts is not None:
                    replica.send("REPLCONF", "rdb-filter-only", parts)
                    assert replica.line() == b"+OK"
                replica.psync()
                data = replica.data_set()
                assert (code.encode() in data, b"the-key" in data) == (has_code, has_key)
                assert data.endswith(b"\xff" + data[-8:])
        with server.client() as other:
            assert str(other.call("REPLCONF", "rdb-filter-only", "keys")) == (
                "ERR Unsupported rdb-filter-only option: keys")
            assert other.call("REPLCONF", "rdb-filter-only", "functions") == OK
            assert str(other.call("SYNC")) == "ERR Filtered replica requires EOF capability"


def test_the_child_ends_when_its_replica_leaves(fresh_server):
    server = fresh_server(*DISKLESS, "--rdb-key-save-delay", "100000")
    with server.client() as client:
        client.pipeline([("SET", f"k:{i}", "x") for i in range(1000)])
        with RawReplica(server, "eof") as replica:
            replica.psync()
            wait_until(lambda: info(client, "persistence")["rdb_bgsave_in_progress"] == "1")
        wait_until(lambda: info(client, "persistence")["rdb_bgsave_in_progress"] == "0")
        assert client.call("BGSAVE").startswith("Background saving started")


def test_shutdown_waits_for_a_replica(fresh_server):
    server = fresh_server(*DISKLESS, "--shutdown-timeout", "100")
    with server.client() as client, server.client() as other, RawReplica(server, "eof") as replica:
        offset = replica.psync()[2]
        replica.data_set()
        replica.ack(offset)
        wait_until(lambda: "state=online" in info(client, "replication").get("slave0", ""))
        client.call("SET", "k", "v")
        end = int(info(client, "replication")["master_repl_offset"])
        client.send("SHUTDOWN", "NOSAVE")
        wait_until(lambda: int(info(other, "server").get("shutdown_in_milliseconds", 0)) > 0)
        assert other.call("SHUTDOWN", "ABORT") == OK
        assert client.read() == Error("ERR Errors trying to SHUTDOWN. Check logs.")
        assert other.call("SET", "k", "v2") == OK
        end = int(info(other, "replication")["master_repl_offset"])
        client.send("SHUTDOWN", "NOSAVE")
        wait_until(lambda: "shutdown_in_milliseconds" in info(other, "server"))
        replica.ack(end)
        assert server.process.wait(10) == 0


def test_heartbeats_while_a_replica_waits(fresh_server):
    server = fresh_server("--repl-diskless-sync", "yes", "--repl-diskless-sync-delay", "2")
    with server.client() as client, RawReplica(server, "eof") as replica:
        client.call("SET", "k", "1")
        replica.send("PSYNC", "?", -1)
        started = time.monotonic()
        assert replica.exactly(1) == b"\n"
        assert time.monotonic() - started < 5
        assert replica.line().startswith(b"+FULLRESYNC")
        assert b"REDIS" in replica.data_set()


def test_a_client_that_can_be_redirected_is_sent_to_the_master(fresh_server):
    server = fresh_server("--replicaof", "127.0.0.1 1")
    redirect = Error("REDIRECT 127.0.0.1:1")
    with server.client() as client, server.client() as plain:
        assert client.pipeline([("CLIENT", "CAPA", "redirect"), ("GET", "k"), ("SET", "k", "v"), ("PING",)]) == [
            OK, redirect, redirect, Status("PONG")]
        assert plain.call("GET", "k") is None
        assert plain.call("SET", "k", "v").startswith("READONLY")
        assert client.pipeline([("MULTI",), ("SET", "k", "v")]) == [OK, redirect]
        assert client.call("EXEC").startswith("EXECABORT")
        assert client.pipeline([("READONLY",), ("GET", "k"), ("SET", "k", "v"), ("READWRITE",), ("GET", "k")]) == [
            OK, None, redirect, OK, redirect]
        assert client.pipeline([("RESET",), ("GET", "k")]) == [Status("RESET"), None]
        assert plain.call("REPLICAOF", "NO", "ONE") == OK
        assert plain.call("SET", "k", "v") == OK


def test_a_transaction_that_was_queued_before_the_role_changed(fresh_server):
    server = fresh_server()
    with server.client() as client, server.client() as plain:
        client.pipeline([("CLIENT", "CAPA", "redirect"), ("MULTI",), ("SET", "k", "v")])
        plain.pipeline([("MULTI",), ("SET", "k", "v"), ("REPLICAOF", "127.0.0.1", "1")])
        with server.client() as other:
            assert other.call("REPLICAOF", "127.0.0.1", "1") == OK
        assert client.call("EXEC") == Error("REDIRECT 127.0.0.1:1")
        assert plain.call("EXEC").startswith("EXECABORT Transaction discarded because of: READONLY")


MESSAGES = [
    ("PUBLISH c m", "PUBLISH c m"),
    ("SPUBLISH c m", "SPUBLISH c m"),
    ("MULTI | PUBLISH c m | EXEC", "PUBLISH c m"),
    ("MULTI | PUBLISH c m | SET k v | EXEC", "MULTI | PUBLISH c m | SET k v | EXEC"),
    ("MULTI | SET k v | PUBLISH c m | EXEC", "MULTI | SET k v | PUBLISH c m | EXEC"),
]


@pytest.mark.parametrize(("given", "expected"), MESSAGES, ids=[given for given, _ in MESSAGES])
@pytest.mark.parametrize("kind", ["fastredis", "peer"])
def test_messages_reach_replicas_and_no_file(fresh_server, kind, given, expected):
    server = fresh_server(*DISKLESS, "--appendonly", "yes", kind=kind)
    with server.client() as client, RawReplica(server, "eof") as replica:
        offset = replica.psync()[2]
        replica.data_set()
        replica.ack(offset)
        wait_until(lambda: "state=online" in info(client, "replication")["slave0"])
        replica.ack(offset)                     # redis-server does not see one that comes before it is online
        client.call("SET", "first", "1")        # which brings the SELECT
        replica.exactly(len(encode("SELECT", "0") + encode("SET", "first", "1")))
        for line in given.split(" | "):
            client.call(*line.split())
        client.call("SET", "last", "1")
        stream = b"".join(encode(*line.split()) for line in [*expected.split(" | "), "SET last 1"])
        assert replica.exactly(len(stream)) == stream
        assert client.call("WAIT", "1", "10") == 0          # not acknowledged: messages count, too
    files = b"".join(file.read_bytes() for file in Path(server.directory).glob("appendonlydir/*.incr.aof"))
    assert b"last" in files and b"PUBLISH" not in files


def test_subscribers_of_a_replica(fresh_server):
    """They get what is published at the master, as those of its replicas do."""
    servers = [fresh_server("--repl-diskless-sync-delay", "0") for _ in range(3)]
    with contextlib.ExitStack() as opened:
        clients = [opened.enter_context(server.client(timeout=20)) for server in servers]
        listeners = [opened.enter_context(server.client(timeout=20)) for server in servers]
        for upper, client in zip(servers, clients[1:], strict=False):
            assert client.call("REPLICAOF", "127.0.0.1", upper.port) == OK
        wait_until(lambda: all(info(client, "replication")["master_link_status"] == "up" for client in clients[1:]))
        wait_until(lambda: all(info(client, "replication")["connected_slaves"] == "1" for client in clients[:2]))
        for listener in listeners:
            listener.call("SUBSCRIBE", "c")
        assert clients[0].call("PUBLISH", "c", "all") == 1
        assert [listener.read() for listener in listeners] == [[b"message", b"c", b"all"]] * 3
        assert clients[2].call("PUBLISH", "c", "own") == 1
        assert listeners[2].read() == [b"message", b"c", b"own"]
        assert clients[0].call("PUBLISH", "c", "end") == 1
        assert [listener.read() for listener in listeners] == [[b"message", b"c", b"end"]] * 3


@pytest.mark.parametrize("kind", ["fastredis", "peer"])
def test_what_was_queued_before_the_data_became_stale(fresh_server, kind):
    server = fresh_server("--replica-serve-stale-data", "no", kind=kind)
    down = Error("EXECABORT Transaction discarded because of: MASTERDOWN Link with MASTER is down and "
                 "replica-serve-stale-data is set to 'no'.")
    with server.client() as client, server.client() as other:
        assert client.call("SET", "k", "v") == OK
        for command in (("GET", "k"), ("PING",)):
            assert client.pipeline([("MULTI",), command]) == [OK, QUEUED]
            assert other.call("REPLICAOF", "127.0.0.1", "1") == OK
            assert client.call("EXEC") == down
            assert other.call("REPLICAOF", "NO", "ONE") == OK
        assert client.pipeline([("MULTI",), ("CONFIG", "GET", "port")]) == [OK, QUEUED]
        assert other.call("REPLICAOF", "127.0.0.1", "1") == OK
        assert client.call("EXEC") == [[b"port", str(server.port).encode()]]     # which stale data are nothing to
        assert client.call("MULTI") == OK
        assert other.call("REPLICAOF", "NO", "ONE") == OK
        assert client.pipeline([("GET", "k"), ("EXEC",)]) == [QUEUED, [b"v"]]


def test_debug_replicate_reaches_replicas_only(fresh_server):
    server = fresh_server(*DISKLESS, "--enable-debug-command", "yes")
    with server.client() as client, RawReplica(server, "eof") as replica:
        offset = replica.psync()[2]
        replica.data_set()
        replica.ack(offset)
        assert client.call("DEBUG", "REPLICATE", "SET", "k", "v") == OK
        expected = encode("SET", "k", "v")
        assert replica.exactly(len(expected)) == expected
        assert client.call("GET", "k") is None


@pytest.mark.parametrize("command, named", [(("PING",), "ping"), (("GET", "k"), "get"), (("NONSENSE",), "<unknown>")])
def test_a_replica_that_asks_for_a_reply_is_disconnected(fresh_server, tmp_path, command, named):
    """Its reply would be taken for a part of the stream."""
    server = fresh_server(*DISKLESS, "--logfile", str(tmp_path / "log"))
    with server.client() as client, RawReplica(server, "eof") as replica:
        replica.psync()
        replica.data_set()
        replica.send(*command)
        with pytest.raises((EOFError, ConnectionResetError)):
            while True:
                replica.more()
        assert f"Replica generated a reply to command '{named}', disconnecting it" in (tmp_path / "log").read_text()
        assert client.call("PING") == Status("PONG")
