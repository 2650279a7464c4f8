"""The replica's side of replication: a fastredis follows a real master, and one that the test plays byte by byte."""
import contextlib
import os
import random
import re
import resource
import socket
import threading
import time
from pathlib import Path

import pytest

from tests.helpers import info, wait_until
from tests.persist.dataset import content, fill
from tests.resp import NIL_ARRAY, Client, Closed, Status, encode
from tests.rows import OK
from tests.servers import fastredis_server, free_port

ID_A, ID_B = "a" * 40, "b" * 40
MARK = b"da39a3ee5e6b4b0d3255bfef95601890afd80709"    # not 40 times one byte, which the data may end in
MODES = ["disabled", "on-empty-db", "swapdb", "flush-before-load"]
QUICK = ("--repl-diskless-sync-delay", "0")
ACK_SECONDS = 5


def is_up(client):
    return info(client).get("master_link_status") == "up"


def temporary_files(server):
    return [path.name for path in Path(server.directory).glob("temp-*")]


# --- a master that the test plays ---------------------------------------------------------------


class Played(Client):
    """The master's end of a replica's connection: send_raw() and read() as a Client has them."""

    def __init__(self, accepted):
        self.socket = accepted
        self.socket.settimeout(ACK_SECONDS)
        self.buffer, self.position, self.raw, self.attributes = b"", 0, b"", None

    def command(self):
        """The next command of the replica as text, signs of life left out."""
        while True:
            if self.position == len(self.buffer):
                self._receive(65536)
            if self.buffer[self.position:self.position + 1] == b"\n":
                self.position += 1
                continue
            return [word.decode() for word in self.read()]

    def expect(self, *words):
        assert self.command() == list(words)

    def greet(self):
        """The handshake up to PSYNC -> what PSYNC asks for."""
        self.expect("PING")
        self.send_raw(b"+PONG\r\n")
        for start in (["REPLCONF", "listening-port"], ["REPLCONF", "capa", "eof", "capa", "psync2"],
                      ["REPLCONF", "version", "9.0.0"]):
            assert self.command()[:len(start)] == start
            self.send_raw(b"+OK\r\n")
        command, *asked = self.command()
        assert command == "PSYNC"
        return asked

    def give(self, payload, replid=ID_A, offset=1000, marked=False):
        """A full synchronisation, to the first acknowledgement."""
        self.send_raw(b"+FULLRESYNC %s %d\r\n" % (replid.encode(), offset) + bulk(payload, marked))
        self.expect_ack(offset)

    def expect_ack(self, offset):
        """An acknowledgement of that offset; those of the cron that come before it are passed over."""
        give_up = time.monotonic() + ACK_SECONDS
        while (words := self.command()) != ["REPLCONF", "ACK", str(offset)]:
            assert words[:2] == ["REPLCONF", "ACK"] and time.monotonic() < give_up, words


def bulk(payload, marked=False):
    return b"$EOF:" + MARK + b"\r\n" + payload + MARK if marked else b"$%d\r\n" % len(payload) + payload


class Master:
    """A port where a replica finds who the test plays."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.listener.settimeout(ACK_SECONDS)
        self.port = self.listener.getsockname()[1]

    def accept(self):
        return Played(self.listener.accept()[0])

    def synced(self, payload, **how):
        """Take the next connection, and bring the replica in sync."""
        played = self.accept()
        played.greet()
        played.give(payload, **how)
        return played

    def close(self):
        self.listener.close()


def follow(client, port):
    assert client.call("REPLICAOF", "127.0.0.1", port) == OK


def test_what_it_says_of_itself(replica, master):
    server, client = replica("--masterauth", "secret", "--masteruser", "joe", "--replica-announce-ip", "10.1.2.3",
                             "--replica-announce-port", "7001")
    follow(client, master.port)
    played = master.accept()
    played.expect("PING")
    played.send_raw(b"-NOAUTH Authentication required.\r\n")
    played.expect("AUTH", "joe", "secret")
    played.expect("REPLCONF", "listening-port", "7001")
    played.expect("REPLCONF", "ip-address", "10.1.2.3")
    played.expect("REPLCONF", "capa", "eof", "capa", "psync2")
    played.expect("REPLCONF", "version", "9.0.0")
    assert info(client)["master_link_status"] == "down"
    played.send_raw(b"+OK\r\n-ERR what?\r\n+OK\r\n+OK\r\n+OK\r\n")
    assert played.command()[0] == "PSYNC"
    assert "Master does not understand REPLCONF listening-port: -ERR what?" in server.log()


def test_nothing_can_be_resumed_after_a_start(fresh_server, master, rdb):
    """It follows a host name, too; its data set is nobody's that a master could know."""
    server = fresh_server("--replicaof", "localhost", str(master.port))
    played = master.accept()
    assert played.greet() == ["?", "-1"]
    played.send_raw(b"\n\n")                     # signs of life, at any time
    played.send_raw(b"+FULLRESYNC %s 7\r\n\n\n" % ID_A.encode())
    played.send_raw(b"\n" + bulk(rdb[0]))
    played.expect_ack(7)
    with server.client() as client:
        assert content(client) == rdb[1]
        assert client.call("ROLE") == [b"slave", b"localhost", master.port, b"connected", 7]


@pytest.mark.parametrize("marked", [False, True], ids=["of known size", "with a mark"])
@pytest.mark.parametrize("mode", MODES)
def test_a_transfer_in_pieces(replica, master, rdb, mode, marked):
    """However it is cut; and the stream may follow in the same read."""
    server, client = replica("--repl-diskless-load", mode)
    if mode != "on-empty-db":
        client.call("SET", "old", "1")
    follow(client, master.port)
    played = master.accept()
    played.greet()
    data = b"+FULLRESYNC %s 1000\r\n" % ID_A.encode() + bulk(rdb[0], marked) + encode("SET", "new", 1)
    cuts = sorted({*range(70), *random.Random(5).sample(range(len(data)), 30), *range(len(data) - 80, len(data))})
    for start, end in zip([0, *cuts], [*cuts, len(data)], strict=True):
        played.send_raw(data[start:end])
        if start % 7 == 0:
            time.sleep(0.001)
    played.expect_ack(1000 + len(encode("SET", "new", 1)))
    assert content(client) == {**rdb[1], (0, b"new"): ("string", b"1", -1)}
    assert temporary_files(server) == []


@pytest.mark.parametrize(("options", "stays"), [
    (["--rdb-del-sync-files", "yes"], False),
    (["--rdb-del-sync-files", "no"], True),
    (["--rdb-del-sync-files", "yes", "--save", "3600 1"], True),
], ids=["persists nothing", "not asked for", "has save points"])
def test_the_masters_file_does_not_stay(replica, master, rdb, options, stays):
    server, client = replica("--repl-diskless-load", "disabled", *options)
    follow(client, master.port)
    played = master.accept()
    played.greet()
    played.send_raw(b"+FULLRESYNC %s 1000\r\n" % ID_A.encode() + bulk(rdb[0]))
    played.expect_ack(1000)
    assert content(client) == rdb[1]
    assert (Path(server.directory) / "dump.rdb").exists() == stays


@pytest.mark.parametrize("harm", ["cut", "damaged", "checksum"])
@pytest.mark.parametrize("mode", MODES)
def test_a_transfer_that_fails(replica, master, rdb, mode, harm):
    """The old data stay where they were not touched yet, nothing is half there, and the next try succeeds."""
    server, client = replica("--repl-diskless-load", mode)
    if mode != "on-empty-db":
        client.call("SET", "old", "1")
    follow(client, master.port)
    played = master.accept()
    played.greet()
    data = rdb[0]
    if harm == "damaged":
        data = data[:len(data) // 2] + b"\xff" * 100 + data[len(data) // 2 + 100:]
    elif harm == "checksum":
        data = data[:-1] + bytes([data[-1] ^ 1])
    played.send_raw(b"+FULLRESYNC %s 1000\r\n" % ID_A.encode() + bulk(data)[:-9 if harm == "cut" else None])
    if harm == "cut":
        played.close()
    second = master.accept()
    kept = mode == "swapdb" or (mode == "disabled" and harm == "cut")
    assert content(client) == ({(0, b"old"): ("string", b"1", -1)} if kept else {})
    assert temporary_files(server) == []
    assert (second.greet() == ["?", "-1"]) == (not kept)
    second.give(rdb[0], ID_B)
    assert content(client) == rdb[1]
    assert f"Reconnecting to MASTER 127.0.0.1:{master.port} after failure" in server.log()


@pytest.mark.parametrize("mode", ["disabled", "on-empty-db", "swapdb"])
def test_giving_up_in_the_middle(replica, master, rdb, mode):
    """REPLICAOF NO ONE leaves no file, and the data where they were not touched."""
    server, client = replica("--repl-diskless-load", mode)
    client.call("SET", "old", "1")
    follow(client, master.port)
    played = master.accept()
    played.greet()
    played.send_raw(b"+FULLRESYNC %s 1000\r\n" % ID_A.encode() + bulk(rdb[0])[:-9])
    with server.client() as other:
        wait_until(lambda: info(other).get("master_sync_read_bytes") == str(len(rdb[0]) - 9))
        assert info(other)["master_sync_left_bytes"] == "9"
        if mode == "swapdb":
            assert other.call("REPLICAOF", "NO", "ONE").startswith("LOADING")
            played.close()
            wait_until(lambda: "after failure" in server.log())
        assert other.call("REPLICAOF", "NO", "ONE") == OK
        assert content(other) == {(0, b"old"): ("string", b"1", -1)}
        assert other.call("SET", "mine", "1") == OK
    assert temporary_files(server) == []


def test_clients_wait_while_data_are_loaded(replica, master, slow_rdb):
    """LOADING is what they are told, and the master is shown that the replica lives."""
    _, client = replica("--key-load-delay", "1500")
    client.call("SET", "old", "1")
    follow(client, master.port)
    played = master.accept()
    played.greet()
    played.send_raw(b"+FULLRESYNC %s 1000\r\n" % ID_A.encode() + bulk(slow_rdb))
    wait_until(lambda: info(client, "persistence")["loading"] == "1")
    assert client.call("GET", "old").startswith("LOADING")
    assert client.call("REPLICAOF", "NO", "ONE").startswith("LOADING")
    assert played.socket.recv(1) == b"\n"
    played.expect_ack(1000)
    assert info(client, "persistence")["loading"] == "0"
    assert (client.call("GET", "old"), client.call("DBSIZE")) == (None, 1000)


def test_old_data_are_served_while_newer_ones_of_the_history_are_loaded(replica, master, rdb, slow_rdb):
    server, client = replica("--repl-diskless-load", "swapdb")
    follow(client, master.port)
    played = master.synced(rdb[0])
    played.send_raw(encode("SET", "old", 1))
    wait_until(lambda: client.call("GET", "old") == b"1")
    client.call("WATCH", "old")
    played.close()
    client.call("CONFIG", "SET", "key-load-delay", "1000")
    played = master.accept()
    assert played.greet()[0] == ID_A
    played.send_raw(b"+FULLRESYNC %s 5000\r\n" % ID_A.encode() + bulk(slow_rdb, True))
    with server.client() as other:
        wait_until(lambda: info(other, "persistence")["async_loading"] == "1")
        assert info(other, "persistence")["loading"] == "0"
        assert other.call("GET", "old") == b"1"
        assert other.call("DBSIZE") == len([key for database, key in rdb[1] if database == 0]) + 1
        assert other.call("REPLICAOF", "NO", "ONE").startswith("LOADING")
    played.expect_ack(5000)
    assert (client.call("GET", "old"), client.call("DBSIZE")) == (None, 1000)
    client.call("MULTI")
    client.call("GET", "old")
    assert client.call("EXEC") is NIL_ARRAY             # what it watched went with the old data


def test_answers_to_psync(replica, master, rdb):
    """Not now; not known, so SYNC; go on under another id."""
    _, client = replica()
    follow(client, master.port)
    for answer in (b"-NOMASTERLINK Can't SYNC while not connected with my master\r\n", b"-LOADING wait\r\n"):
        played = master.accept()
        played.greet()
        played.send_raw(answer)
        assert played.socket.recv(1) == b""             # comes again within a second
    played = master.accept()
    played.greet()
    played.send_raw(b"-ERR unknown command 'PSYNC'\r\n")
    assert played.socket.recv(6) == b"SYNC\r\n"
    played.send_raw(bulk(rdb[0]))
    wait_until(lambda: is_up(client))
    assert content(client) == rdb[1]
    played.close()
    played = master.accept()
    assert played.greet() == ["?", "-1"]                # an old master knows no offsets
    played.give(rdb[0], ID_A, 500)
    played.close()
    played = master.accept()
    assert played.greet() == [ID_A, "501"]
    played.send_raw(b"+CONTINUE %s\r\n" % ID_B.encode() + encode("SET", "x", 1))
    played.expect_ack(500 + len(encode("SET", "x", 1)))
    found = info(client)
    assert (found["master_replid"], found["master_replid2"], found["second_repl_offset"]) == (ID_B, ID_A, "501")


def test_offsets(replica, master, rdb):
    """GETACK tells what is applied before it; a transaction counts when it is done, and is lost with the connection."""
    _, client = replica()
    follow(client, master.port)
    played = master.synced(rdb[0], offset=0)
    getack, ping = encode("REPLCONF", "GETACK", "*"), encode("PING")
    played.send_raw(ping + getack + ping + getack[:9])
    played.expect_ack(len(ping))
    played.send_raw(getack[9:] + encode("SELECT", 5) + encode("SET", "in", "five"))
    played.expect_ack(2 * len(ping) + len(getack))
    before = 2 * len(ping + getack) + len(encode("SELECT", 5) + encode("SET", "in", "five"))
    wait_until(lambda: info(client)["slave_repl_offset"] == str(before))
    transaction = encode("MULTI") + encode("INCR", "n") + encode("RPUSH", "l", "x") + encode("EXEC")
    for byte in transaction[:-3]:
        played.send_raw(bytes([byte]))
    wait_until(lambda: info(client)["slave_read_repl_offset"] == str(before + len(transaction) - 3))
    assert info(client)["slave_repl_offset"] == str(before)
    played.close()
    played = master.accept()
    assert played.greet() == [ID_A, str(before + 1)]
    played.send_raw(b"+CONTINUE\r\n" + transaction)
    played.expect_ack(before + len(transaction))
    client.call("SELECT", 5)                            # which the stream had selected before
    assert client.call("MGET", "n", "in") == [b"1", b"five"]
    assert client.call("LRANGE", "l", 0, -1) == [b"x"]


def test_bytes_are_passed_on_as_they_came(replica, master, rdb):
    """To replicas of the replica, blanks and all; their offsets are the same."""
    server, client = replica()
    follow(client, master.port)
    played = master.synced(rdb[0], offset=50)
    with socket.create_connection(("127.0.0.1", server.port)) as raw:
        sub = Played(raw)
        sub.send_raw(encode("PSYNC", ID_A, "51"))
        assert sub.read() in (Status("CONTINUE"), Status(f"CONTINUE {ID_A}"))
        stream = (b"*3\r\n$3\r\nsEt\r\n$1\r\nk\r\n$2\r\n\r\n\r\n\r\n" + encode("MULTI") + encode("del", "k")
                  + encode("EXEC") + encode("PING"))
        for start in range(0, len(stream), 5):
            played.send_raw(stream[start:start + 5])
        received = sub.buffer[sub.position:]
        while len(received) < len(stream):
            received += raw.recv(4096)
        assert received == stream


def test_errors_in_the_stream(replica, master, rdb):
    """They are told of, and the stream goes on."""
    server, client = replica()
    follow(client, master.port)
    played = master.synced(rdb[0], offset=0)
    stream = (encode("NO-SUCH", "x") + encode("INCR", "short") + encode("GET") + encode("CONFIG", "NO-SUCH")
              + encode("MULTI") + encode("INCR", "short") + encode("EXEC") + encode("SET", "after", 1))
    played.send_raw(stream + encode("REPLCONF", "GETACK", "*"))
    played.expect_ack(len(stream))
    assert client.call("GET", "after") == b"1"
    told = re.findall("== CRITICAL == This replica is sending an error to its master: '(.*)' after processing the "
                      "command '(.*)'", server.log())
    assert [command for _, command in told] == ["<unknown>", "incr", "get", "config", "exec"]
    assert told[0][0].startswith("ERR unknown command 'NO-SUCH'")
    assert told[4][0] == "ERR value is not an integer or out of range"
    assert info(client, "stats")["unexpected_error_replies"] == "5"


@pytest.mark.parametrize(("behavior", "read_only", "dies"), [
    ("panic", "yes", True), ("panic-on-replicas", "yes", True), ("panic", "no", False), ("ignore", "yes", False),
])
def test_an_error_in_the_stream_may_end_the_process(replica, master, rdb, behavior, read_only, dies):
    server, client = replica("--propagation-error-behavior", behavior, "--replica-read-only", read_only,
                             "--use-exit-on-panic", "yes")
    follow(client, master.port)
    played = master.synced(rdb[0], offset=0)
    played.send_raw(encode("INCR", "short") + encode("SET", "after", 1))
    if dies:
        assert server.process.wait(10) == 1
        assert "Guru Meditation: This replica panicked sending an error to its master after processing the command " \
            "'incr'" in server.log()
    else:
        wait_until(lambda: client.call("GET", "after") == b"1")


@pytest.mark.parametrize("ignore", ["no", "yes"])
def test_a_disk_that_takes_nothing(replica, master, rdb, ignore):
    """replica-ignore-disk-write-errors: whether a replica that cannot keep its master's writes goes on."""
    server, client = replica("--replica-ignore-disk-write-errors", ignore, "--use-exit-on-panic", "yes",
                             "--repl-diskless-load", "swapdb", "--save", "3600 1000000")
    follow(client, master.port)
    played = master.synced(rdb[0], offset=0)
    (Path(server.directory) / "dump.rdb").mkdir()       # no file can take this name
    client.call("BGSAVE")
    wait_until(lambda: info(client, "persistence")["rdb_last_bgsave_status"] == "err")
    played.send_raw(encode("PING") + encode("REPLCONF", "GETACK", "*"))
    played.expect_ack(len(encode("PING")))              # nothing to keep
    played.send_raw(encode("SET", "new", 1))
    if ignore == "no":
        assert server.process.wait(10) == 1
        assert "Guru Meditation: Replica was unable to write command to disk." in server.log()
    else:
        wait_until(lambda: client.call("GET", "new") == b"1")
        played.send_raw(encode("SET", "new", 2))
        wait_until(lambda: client.call("GET", "new") == b"2")
        assert server.log().count("Replica is applying a command even though it is unable to write to disk.") == 1


@pytest.mark.parametrize("garbage", [b"SET inline 1\r\n", b"*1\r\nwhat\r\n"])
def test_a_stream_that_is_none(replica, master, rdb, garbage):
    """The place in it is worth nothing then."""
    _, client = replica()
    follow(client, master.port)
    played = master.synced(rdb[0])
    played.send_raw(encode("SET", "whole", 1) + garbage + encode("SET", "lost", 1))
    played = master.accept()
    assert played.greet() == ["?", "-1"]
    assert client.call("MGET", "whole", "lost", "inline") == [b"1", None, None]


def test_a_silent_master(replica, master, rdb):
    """After repl-timeout it is tried again, in whatever state."""
    server, client = replica("--repl-timeout", "1")
    follow(client, master.port)
    first = master.accept()
    first.expect("PING")
    second = master.accept()
    assert first.socket.recv(1) == b""
    second.greet()
    second.send_raw(b"+FULLRESYNC %s 1000\r\n" % ID_A.encode() + bulk(rdb[0])[:500])
    third = master.accept()
    assert second.socket.recv(1) == b""
    third.greet()
    third.give(rdb[0])
    fourth = master.accept()
    assert fourth.greet() == [ID_A, "1001"]
    for line in ("Timeout connecting to the MASTER...", "Timeout receiving bulk data from MASTER...",
                 "MASTER timeout: no data nor PING received..."):
        assert line in server.log()
    assert temporary_files(server) == []


def test_a_huge_value(replica, master, rdb):
    """It may be larger than what clients may send here."""
    _, client = replica("--proto-max-bulk-len", "1mb", "--client-query-buffer-limit", "1mb")
    follow(client, master.port)
    played = master.synced(rdb[0], offset=0)
    value = random.Random(3).randbytes(5_000_000)
    command = encode("SET", "huge", value)
    played.send_raw(command)
    played.expect_ack(len(command))
    assert client.call("GET", "huge") == value


def test_no_output_limit_is_for_what_the_masters_commands_reply(replica, master, rdb):
    """Nobody gets it. A link that is closed for it comes again, with the same command."""
    server, client = replica("--client-output-buffer-limit", "normal 64kb 0 0")
    follow(client, master.port)
    played = master.synced(rdb[0], offset=0)
    data = encode("RPUSH", "numbers", *range(10_000, 30_000)) + encode("LPOP", "numbers", 15_000)
    data += encode("MULTI") + encode("LPOP", "numbers", 1000) * 4 + encode("EXEC")
    played.send_raw(data)
    played.expect_ack(len(data))
    assert client.call("LLEN", "numbers") == 1000
    assert "overcoming of output buffer limits" not in server.log()


@pytest.mark.skipif(os.environ.get("FASTREDIS_BUILD") == "asan", reason="a sanitizer takes its own memory")
@pytest.mark.parametrize("paused", [False, True])
@pytest.mark.parametrize("room", [4, 12, 24, 60])
def test_no_memory_for_what_the_master_sends(master, rdb, room, paused):
    """It cannot be refused: all is stored, or the process ends with a report. room: MB; paused: it only gathers."""
    server = fastredis_server("--use-exit-on-panic", "yes")
    try:
        client = server.client()
        follow(client, master.port)
        played = master.synced(rdb[0], offset=0)
        with open(f"/proc/{server.pid}/status", encoding="ascii") as status:
            limit = (int(re.search(r"VmSize:\s+(\d+)", status.read())[1]) + room * 1024) * 1024
        resource.prlimit(server.pid, resource.RLIMIT_AS, (limit, limit))
        data = encode("SET", "huge", "x" * 200_000) * 100 if paused else encode("SET", "huge", "x" * 20_000_000)
        try:
            if paused:
                client.call("CLIENT", "PAUSE", 60_000, "WRITE")
            played.send_raw(data)
            wait_until(lambda: info(client)["slave_read_repl_offset"] == str(len(data)))
            client.call("CLIENT", "UNPAUSE")
            played.expect_ack(len(data))
            assert client.call("STRLEN", "huge") == (200_000 if paused else 20_000_000)
        except (Closed, ConnectionError):
            assert server.process.wait(ACK_SECONDS) == 1
            assert "Guru Meditation: out of memory" in server.log()
    finally:
        server.stop()


def test_a_pause_holds_the_stream(replica, master, rdb):
    _, client = replica()
    follow(client, master.port)
    played = master.synced(rdb[0], offset=0)
    client.call("CLIENT", "PAUSE", 60000, "WRITE")
    data = encode("PING") + encode("SET", "a", 1) + encode("PING") + encode("SET", "b", 2)
    played.send_raw(data)
    wait_until(lambda: info(client)["slave_read_repl_offset"] == str(len(data)))
    assert info(client)["slave_repl_offset"] == str(len(encode("PING")))
    assert client.call("MGET", "a", "b") == [None, None]
    client.call("CLIENT", "UNPAUSE")
    played.expect_ack(len(data))
    assert client.call("MGET", "a", "b") == [b"1", b"2"]


def test_watches_and_waits_see_the_masters_writes(replica, master, rdb):
    server, client = replica("--replica-read-only", "no")
    follow(client, master.port)
    played = master.synced(rdb[0])
    client.call("WATCH", "k")
    with server.client() as waiting:
        waiting.send("BLPOP", "queue", 0)
        wait_until(lambda: info(client, "clients")["blocked_clients"] == "1")
        played.send_raw(encode("RPUSH", "queue", "item") + encode("SET", "k", 1))
        assert waiting.read() == [b"queue", b"item"]
    wait_until(lambda: client.call("GET", "k") == b"1")
    client.call("MULTI")
    client.call("GET", "k")
    assert client.call("EXEC") is NIL_ARRAY


def test_maxmemory_is_the_masters_business(replica, master, rdb):
    """Unless replica-ignore-maxmemory is off, nothing is evicted here, whoever asks for what."""
    _, client = replica("--maxmemory", "1mb", "--maxmemory-policy", "allkeys-lru")
    follow(client, master.port)
    played = master.synced(rdb[0], offset=0)
    values = b"".join(encode("SET", f"k{number}", "x" * 1000) for number in range(3000))
    played.send_raw(values)
    played.expect_ack(len(values))
    assert client.call("GET", "k1") == b"x" * 1000
    assert client.call("DBSIZE") == 3000 + sum(database == 0 for database, _ in rdb[1])
    client.call("CONFIG", "SET", "replica-ignore-maxmemory", "no")
    played.send_raw(encode("SET", "last", 1))
    wait_until(lambda: client.call("DBSIZE") < 1000)


# --- a real master --------------------------------------------------------------------------------


@pytest.fixture
def real(request, fresh_server):
    """start(*options) -> a redis-server and a client of it; skips without one."""
    with contextlib.ExitStack() as clients:
        def start(*options):
            server = fresh_server(*QUICK, *options, kind="peer")
            return server, clients.enter_context(server.client(timeout=20))
        yield start


class Load(threading.Thread):
    """Writes that go on until stop()."""

    def __init__(self, server):
        super().__init__()
        self.client = server.client(timeout=20)
        self.stopping = threading.Event()
        self.start()

    def run(self):
        dice = random.Random(7)
        while not self.stopping.is_set():
            key = f"live:{dice.randrange(50)}"
            self.client.pipeline([
                ("SELECT", dice.randrange(3)), ("MULTI",), ("INCR", key), ("RPUSH", f"list:{key}", dice.random()),
                ("EXEC",), ("ZADD", "live:zset", dice.random(), key), ("PEXPIRE", key, dice.randrange(1, 500)),
                ("SPOP", "live:set"), ("SADD", "live:set", *dice.sample(range(500), 20)), ("LPOP", f"list:{key}"),
            ])

    def stop(self):
        self.stopping.set()
        self.join()
        self.client.close()


def is_settled(client):
    """Whether no key of the Load is going to expire."""
    times = []
    for database in range(3):
        client.call("SELECT", database)
        times += [client.call("PTTL", key) for key in client.call("KEYS", "live:*")]
    client.call("SELECT", 0)
    return max(times, default=-1) < 0


def assert_alike(real_client, client):
    """All that was written is applied, and the data sets are equal."""
    wait_until(lambda: is_settled(real_client))
    wait_until(lambda: info(client)["slave_repl_offset"] == info(real_client)["master_repl_offset"])
    assert content(client) == content(real_client)


@pytest.mark.parametrize("diskless", ["yes", "no"], ids=["diskless", "disk"])
@pytest.mark.parametrize("mode", MODES)
def test_a_full_synchronisation_while_the_master_is_written_to(real, replica, mode, diskless):
    peer, real_client = real("--repl-diskless-sync", diskless)
    fill(real_client)
    real_client.call("DEBUG", "POPULATE", 500, "many", 10000)
    server, client = replica("--repl-diskless-load", mode)
    load = Load(peer)
    try:
        follow(client, peer.port)
        wait_until(lambda: is_up(client))
        time.sleep(0.2)
    finally:
        load.stop()
    assert_alike(real_client, client)
    assert temporary_files(server) == []
    assert "CRITICAL" not in server.log()


def test_partial_synchronisations_after_cuts(real, replica):
    peer, real_client = real("--repl-backlog-size", "10mb")
    fill(real_client)
    _, client = replica()
    follow(client, peer.port)
    wait_until(lambda: is_up(client))
    load = Load(peer)
    try:
        for cut in range(10):
            if cut % 2:
                real_client.call("CLIENT", "KILL", "TYPE", "replica")
            else:
                client.call("CLIENT", "KILL", "TYPE", "master")
            time.sleep(0.05)
            wait_until(lambda: is_up(client))
    finally:
        load.stop()
    assert real_client.call("WAIT", 1, 5000) == 1
    assert_alike(real_client, client)
    found = info(real_client, "stats")
    assert (found["sync_full"], found["sync_partial_err"]) in (("1", "0"), ("1", "1"))
    assert int(found["sync_partial_ok"]) >= 10


def test_a_chain(real, replica, fresh_server):
    """redis-server -> fastredis -> redis-server: ids and offsets agree, and so do the data."""
    peer, real_client = real()
    fill(real_client)
    server, client = replica(*QUICK)
    _, last_client = real()
    follow(client, peer.port)
    wait_until(lambda: is_up(client))
    follow(last_client, server.port)
    wait_until(lambda: is_up(last_client))
    load = Load(peer)
    time.sleep(0.2)
    real_client.call("CLIENT", "KILL", "TYPE", "replica")
    time.sleep(0.2)
    load.stop()
    assert_alike(real_client, client)
    wait_until(lambda: info(last_client)["slave_repl_offset"] == info(real_client)["master_repl_offset"])
    assert content(last_client) == content(real_client)
    assert info(last_client)["master_replid"] == info(real_client)["master_replid"]
    assert info(last_client, "stats")["sync_full"] == "0" and info(client, "stats")["sync_full"] == "1"


def test_passwords_and_masters_that_are_not_there(fresh_server, real, replica):
    """It goes on trying, and takes a password that comes later."""
    port = free_port()
    server, client = replica("--masterauth", "wrong")
    follow(client, port)
    wait_until(lambda: "Error condition on socket for SYNC: Connection refused" in server.log())
    peer, real_client = real("--requirepass", "right")
    assert client.call("REPLICAOF", "127.0.0.1", peer.port) == OK
    wait_until(lambda: "Unable to AUTH to MASTER: -WRONGPASS" in server.log())
    client.call("CONFIG", "SET", "masterauth", "right")
    real_client.call("AUTH", "right")
    real_client.call("SET", "k", "v")
    wait_until(lambda: is_up(client))
    wait_until(lambda: client.call("GET", "k") == b"v")


def test_the_master_alone_lets_keys_expire(real, replica):
    """A key whose time has come is not there for clients, but stays until the master says so."""
    peer, real_client = real()
    real_client.call("DEBUG", "SET-ACTIVE-EXPIRE", 0)
    _, client = replica()
    follow(client, peer.port)
    wait_until(lambda: is_up(client))
    real_client.pipeline([("SET", "k", "v", "PX", 30), ("SADD", "s", "a"), ("PEXPIRE", "s", 30)])
    wait_until(lambda: client.call("DBSIZE") == 2)
    time.sleep(0.1)
    assert client.call("MGET", "k") == [None]
    assert client.call("DBSIZE") == 2
    real_client.call("SADD", "s", "b")                  # expires it there first
    assert real_client.call("WAIT", 1, 5000) == 1
    assert client.call("SMEMBERS", "s") == [b"b"]
    assert client.call("DBSIZE") == 2
    assert real_client.call("GET", "k") is None
    wait_until(lambda: client.call("DBSIZE") == 1)


def test_the_aof_begins_anew(real, replica, fresh_server, tmp_path):
    """A synchronisation replaces what is in it; then it has the stream."""
    peer, real_client = real()
    fill(real_client)
    with fastredis_server("--dir", str(tmp_path), "--appendonly", "yes") as server, server.client(timeout=20) as client:
        client.call("SET", "old", "1")
        follow(client, peer.port)
        wait_until(lambda: is_up(client))
        real_client.call("SET", "new", "1")
        wait_until(lambda: info(client, "persistence")["aof_rewrite_in_progress"] == "0"
                   and info(client, "persistence")["aof_rewrite_scheduled"] == "0")
        real_client.call("SET", "newer", "1")
        assert real_client.call("WAIT", 1, 5000) == 1
        expected = content(real_client)
        assert content(client) == expected
    with fastredis_server("--dir", str(tmp_path), "--appendonly", "yes") as server, server.client() as client:
        assert content(client) == expected


def test_a_master_that_starts_again(real, replica):
    """With other data, it gets them; the old id is of no use."""
    peer, real_client = real()
    real_client.call("SET", "k", "before")
    _, client = replica()
    follow(client, peer.port)
    wait_until(lambda: is_up(client))
    real_client.call("DEBUG", "CHANGE-REPL-ID")
    real_client.call("SET", "k", "after")
    real_client.call("CLIENT", "KILL", "TYPE", "replica")
    wait_until(lambda: info(real_client, "stats")["sync_full"] == "2" and is_up(client))
    assert client.call("GET", "k") == b"after"
    with contextlib.suppress(Closed, ConnectionError):
        real_client.call("SHUTDOWN", "NOSAVE")
    wait_until(lambda: not is_up(client))
    assert client.call("GET", "k") == b"after"          # what it has is served
    assert client.call("SET", "k", "mine").startswith("READONLY")
