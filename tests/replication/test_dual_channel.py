"""Full synchronisations over two connections: the wire on both sides, and two fastredis with each other."""
import contextlib
import random
import threading
import time

import pytest

from tests.helpers import info, wait_until
from tests.persist.dataset import content, fill
from tests.replication.test_master import RawReplica
from tests.replication.test_replica import ID_A, ID_B, bulk, follow, is_up, temporary_files
from tests.resp import Closed, Error, Status, encode
from tests.rows import OK

DUAL = ("--dual-channel-replication-enabled", "yes")
MASTER = (*DUAL, "--repl-diskless-sync", "yes", "--repl-diskless-sync-delay", "0", "--enable-debug-command", "yes")
MODES = ["disabled", "on-empty-db", "swapdb", "flush-before-load"]
SELECT_0 = encode("SELECT", "0")


# --- the master's side --------------------------------------------------------------------------


def main_connection(server):
    """A connection of a replica that knows how, up to the answer that there is no going on."""
    main = RawReplica(server, "eof", "psync2", "dual-channel")
    assert main.psync()[0] == "+DUALCHANNELSYNC"
    return main


class RawChannel(RawReplica):
    """The second connection, which has asked for a data set."""

    def __init__(self, server):
        super().__init__(server)
        self.send("REPLCONF", "capa", "eof", "rdb-only", 1, "rdb-channel", 1, "listening-port", 7777)
        assert self.line() == b"+OK"
        self.sock.sendall(b"SYNC\r\n")

    def end(self):
        """What stands in front of the data -> (offset, id of the history, database, id of this connection)."""
        head, _, rest = self.line().decode().partition(":")
        assert head == "$ENDOFF"
        offset, replid, database, number = rest.split(" ")
        return int(offset), replid, int(database), int(number)


def waiting(client):
    return int(info(client)["replicas_waiting_psync"])


def replicas(client):
    """INFO's lines about replicas, as a list of dicts."""
    return [dict(pair.split("=") for pair in value.split(",")) for field, value in info(client).items()
            if field.startswith("slave") and field[5:].isdigit()]


def test_what_a_master_says(fresh_server):
    server = fresh_server(*MASTER)
    with server.client() as client, main_connection(server) as main:
        client.call("SET", "before", "1")
        assert info(client)["connected_slaves"] == "0"
        assert info(client, "stats")["sync_full"] == "0"
        with RawChannel(server) as channel:
            offset, replid, database, number = channel.end()
            ids = [int(line.split()[0][3:]) for line in client.call("CLIENT", "LIST", "TYPE", "replica").decode()
                   .splitlines()]
            assert (database, [number]) == (0, ids)
            assert replid == info(client)["master_replid"]
            assert waiting(client) == 1
            client.call("SET", "after", "2")
            data = channel.data_set()
            assert data.startswith(b"REDIS0010") and b"before" in data and b"after" not in data
            assert replid.encode() in data
            main.send("REPLCONF", "set-rdb-client-id", number + 1000)
            assert main.line() == b"-ERR Unrecognized RDB client id %d" % (number + 1000)
            main.send("REPLCONF", "set-rdb-client-id", "x")
            assert main.line() == b"-ERR value is not an integer or out of range"
            main.send("REPLCONF", "set-rdb-client-id", number)
            assert main.line() == b"+OK"
            assert main.psync(replid, offset + 1) == ("+CONTINUE", replid, None)
            expected = SELECT_0 + encode("SET", "after", "2")
            assert main.exactly(len(expected)) == expected
            assert waiting(client) == 0
            wait_until(lambda: [(one["state"], one["type"]) for one in replicas(client)] == [
                ("bg_transfer", "main-channel")])
            assert info(client)["connected_slaves"] == "2"
        assert client.call("WAIT", 1, 10) == 0
        main.ack(offset + len(expected))
        wait_until(lambda: [(one["state"], one["type"]) for one in replicas(client)] == [("online", "replica")])
        assert client.call("WAIT", 1, 1000) == 1
        wait_until(lambda: info(client)["connected_slaves"] == "1")
        stats = info(client, "stats")
        assert (stats["sync_full"], stats["sync_partial_ok"], stats["sync_partial_err"]) == ("1", "1", "0")
        assert f"RDB end offset {offset} and client-id {number}" in server.log()


@pytest.mark.parametrize("option, capabilities", [
    (("--dual-channel-replication-enabled", "no"), ("eof", "psync2", "dual-channel")),
    (("--repl-diskless-sync", "no"), ("eof", "psync2", "dual-channel")),
    ((), ("eof", "psync2"))], ids=["off", "from disk", "replica does not know"])
def test_one_connection_where_two_cannot_be(fresh_server, option, capabilities):
    server = fresh_server(*MASTER, *option)
    with server.client() as client, RawReplica(server, *capabilities) as replica:
        client.call("SET", "k", "1")
        assert replica.psync()[0] == "+FULLRESYNC"
        assert replica.data_set().startswith(b"REDIS0010")
        assert replicas(client)[0]["type"] == "replica"


def test_what_was_agreed_on_stays_when_the_setting_changes(fresh_server):
    server = fresh_server(*MASTER)
    with server.client() as client, main_connection(server) as main:
        client.call("CONFIG", "SET", "dual-channel-replication-enabled", "no", "repl-diskless-sync", "no")
        with RawChannel(server) as channel:
            offset, replid, _, number = channel.end()
            assert channel.data_set()
            main.send("REPLCONF", "set-rdb-client-id", number)
            assert main.line() == b"+OK"
            assert main.psync(replid, offset + 1)[0] == "+CONTINUE"


def test_the_place_in_the_stream_is_kept(fresh_server):
    """... when the channel has done its part, however small the backlog is, and then it is given back."""
    server = fresh_server(*MASTER, "--repl-backlog-size", "16kb")
    with server.client() as client, main_connection(server) as main:
        with RawChannel(server) as channel:
            offset, replid, _, number = channel.end()
            channel.data_set()
        wait_until(lambda: info(client)["connected_slaves"] == "0")
        assert waiting(client) == 1
        expected = SELECT_0
        for i in range(50):
            client.call("SET", f"k:{i}", "x" * 20_000)
            expected += encode("SET", f"k:{i}", "x" * 20_000)
        assert int(info(client)["repl_backlog_first_byte_offset"]) <= offset + 1
        main.send("REPLCONF", "set-rdb-client-id", number)
        assert main.line() == b"+OK"
        assert main.psync(replid, offset + 1)[0] == "+CONTINUE"
        assert main.exactly(len(expected)) == expected
        wait_until(lambda: int(info(client)["repl_backlog_histlen"]) <= 1 << 16)


def test_the_place_is_not_kept_forever(fresh_server):
    server = fresh_server(*MASTER, "--repl-backlog-size", "16kb")
    with server.client() as client, main_connection(server) as main:
        assert client.call("DEBUG", "DELAY-RDB-CLIENT-FREE-SECONDS", 1) == OK
        with RawChannel(server) as channel:
            offset, replid, _, number = channel.end()
            channel.data_set()
            wait_until(lambda: waiting(client) == 0)
            with pytest.raises((EOFError, ConnectionError)):
                channel.more()                  # nobody needs it any more
        assert "Replica main channel failed to establish PSYNC within the grace period" in server.log()
        main.send("REPLCONF", "set-rdb-client-id", number)
        assert main.line() == b"-ERR Unrecognized RDB client id %d" % number
        client.call("SET", "k", "x" * 100_000)
        assert main.psync(replid, offset + 1)[0] == "+DUALCHANNELSYNC"


@pytest.mark.parametrize("leaves", [True, False])
def test_a_place_that_costs_too_much_is_given_up(fresh_server, leaves):
    server = fresh_server(*MASTER, "--repl-backlog-size", "16kb", "--client-output-buffer-limit", "replica 1mb 0 0")
    with server.client() as client, RawChannel(server) as channel:
        channel.end()
        channel.data_set()
        if leaves:
            channel.sock.close()
            wait_until(lambda: info(client)["connected_slaves"] == "0")
        for _ in range(30):
            client.call("SET", "k", "x" * 100_000)
        wait_until(lambda: waiting(client) == 0)
        wait_until(lambda: int(info(client)["repl_backlog_histlen"]) <= 1 << 16)
        assert " for overcoming of output buffer limits." in server.log()


def test_channels_share_a_child_and_one_that_leaves_does_not_end_it(fresh_server):
    server = fresh_server(*MASTER, "--repl-diskless-sync-max-replicas", "2", "--repl-diskless-sync-delay", "100",
                          "--rdb-key-save-delay", "20000")
    with server.client() as client:
        client.pipeline([("SET", f"k:{i}", random.randbytes(20_000)) for i in range(60)])
        with RawChannel(server) as one, RawChannel(server) as two:
            assert one.end()[:3] == two.end()[:3]
            with RawReplica(server, "eof") as plain:
                plain.send("PSYNC", "?", -1)
                wait_until(lambda: len(replicas(client)) == 3)
                two.sock.close()
                data = one.data_set()
                assert data.startswith(b"REDIS0010") and len(data) > 60 * 20_000
                assert info(client, "stats")["total_forks"] == "1"
                client.call("CONFIG", "SET", "repl-diskless-sync-delay", 0, "rdb-key-save-delay", 0)
                assert plain.line().startswith(b"+FULLRESYNC")
                assert len(plain.data_set()) == len(data)


def test_the_child_ends_when_the_last_channel_leaves(fresh_server):
    server = fresh_server(*MASTER, "--rdb-key-save-delay", "100000")
    with server.client() as client, main_connection(server) as main:
        client.pipeline([("SET", f"k:{i}", "x") for i in range(1000)])
        for how in ("itself", "killed", "main too"):
            with RawChannel(server) as channel:
                number = channel.end()[3]
                assert info(client, "persistence")["rdb_bgsave_in_progress"] == "1"
                if how == "main too":
                    main.sock.close()
                if how == "killed":
                    assert client.call("CLIENT", "KILL", "ID", number) == 1
                    with pytest.raises((EOFError, ConnectionError)):
                        while True:
                            channel.more()
            wait_until(lambda: info(client, "persistence")["rdb_bgsave_in_progress"] == "0")
            wait_until(lambda: waiting(client) == 0)
        assert server.log().count("Background RDB transfer error") == 3


def test_all_data_go_while_a_child_writes_them(fresh_server):
    server = fresh_server(*MASTER, "--rdb-key-save-delay", "100000")
    with server.client() as client:
        client.pipeline([("SET", f"k:{i}", "x") for i in range(1000)])
        with RawChannel(server) as channel:
            channel.end()
            started = time.monotonic()
            client.call("FLUSHALL")
            assert time.monotonic() - started < 5
            with pytest.raises((EOFError, ConnectionError)):
                while True:
                    channel.more()
        assert (waiting(client), info(client, "persistence")["rdb_bgsave_in_progress"]) == (0, "0")


def test_a_channel_that_takes_nothing_is_dropped(fresh_server):
    """... by the child, after repl-timeout; the others get their data."""
    server = fresh_server(*MASTER, "--repl-timeout", "2", "--repl-diskless-sync-max-replicas", "2",
                          "--repl-diskless-sync-delay", "100")
    with server.client() as client:
        client.pipeline([("SET", f"k:{i}", random.randbytes(100_000)) for i in range(200)])
        with RawChannel(server) as stuck, RawChannel(server) as good:
            stuck.end()
            good.end()
            assert len(good.data_set()) > 200 * 100_000
            wait_until(lambda: info(client)["connected_slaves"] == "1")
        assert "Write error sending DB to replica 127.0.0.1:7777: Connection timed out" in server.log()


def test_a_wrong_value_for_the_channel(fresh_server):
    server = fresh_server()
    with server.client() as client:
        for value in (2, -1, "yes"):
            assert client.call("REPLCONF", "rdb-channel", value) == Error(
                "ERR value is out of range, must be positive")
        assert client.call("REPLCONF", "rdb-channel", 1, "rdb-channel", 0) == OK


# --- the replica's side -------------------------------------------------------------------------


def begin(master):
    """The handshake with a master that has its data set sent apart -> its connections, the second up to SYNC."""
    main = master.accept()
    main.greet()
    main.send_raw(b"+DUALCHANNELSYNC\r\n")
    channel = master.accept()
    command = channel.command()
    assert command[:8] == ["REPLCONF", "capa", "eof", "rdb-only", "1", "rdb-channel", "1", "listening-port"]
    channel.send_raw(b"+OK\r\n")
    assert channel.socket.recv(100) == b"SYNC\r\n"
    return main, channel


def ask(main, offset=1000, number=77):
    main.expect("REPLCONF", "set-rdb-client-id", str(number))
    main.send_raw(b"+OK\r\n")
    main.expect("PSYNC", ID_A, str(offset + 1))


def endoff(offset=1000, number=77):
    return b"\n\n$ENDOFF:%d %s 0 %d\r\n" % (offset, ID_A.encode(), number)


def is_closed(played):
    """Whether the replica has closed a connection; signs of life are passed over."""
    try:
        while data := played.socket.recv(1000):
            assert not data.strip(b"\n"), data
    except ConnectionResetError:
        return True
    return True


@pytest.mark.parametrize("first", ["stream", "data"])
@pytest.mark.parametrize("mode", MODES)
def test_what_a_replica_says(fresh_server, master, rdb, mode, first):
    """Whichever of the two is there first, the stream is applied to the data set and nothing else."""
    server = fresh_server(*DUAL, "--repl-diskless-load", mode, "--masterauth", "secret", "--replica-announce-port",
                          "7001", "--loglevel", "debug")
    with server.client() as client:
        if mode != "on-empty-db":
            client.call("SET", "old", "1")
        follow(client, master.port)
        main = master.accept()
        main.expect("PING")
        main.send_raw(b"+PONG\r\n")
        for words in (["AUTH", "secret"], ["REPLCONF", "listening-port", "7001"],
                      ["REPLCONF", "capa", "eof", "capa", "psync2", "capa", "dual-channel"],
                      ["REPLCONF", "version", "9.0.0"]):
            main.expect(*words)
            main.send_raw(b"+OK\r\n")
        assert main.command()[0] == "PSYNC"
        main.send_raw(b"\n+DUALCHANNELSYNC\r\n")
        channel = master.accept()
        channel.expect("AUTH", "secret")
        channel.expect("REPLCONF", "capa", "eof", "rdb-only", "1", "rdb-channel", "1", "listening-port", "7001",
                       "version", "9.0.0")
        channel.send_raw(b"+OK\r\n+OK\r\n")
        assert channel.socket.recv(100) == b"SYNC\r\n"
        assert client.call("ROLE")[3] == b"handshake"
        channel.send_raw(endoff())
        ask(main)
        stream = [encode("SELECT", 3), encode("SET", "new", 1), encode("INCR", "new"), encode("DEL", "elsewhere")]
        if first == "data":
            channel.send_raw(bulk(rdb[0], True))
            assert is_closed(channel)
            wait_until(lambda: "Done loading RDB" in server.log())
        main.send_raw(b"+CONTINUE %s\r\n" % ID_A.encode() + stream[0][:5])
        main.send_raw(stream[0][5:] + stream[1])
        if first == "stream":
            wait_until(lambda: info(client)["replicas_repl_buffer_size"] == "16384")
            assert client.call("ROLE")[3] == b"sync"
            assert info(client)["master_sync_in_progress"] == "1"
            channel.send_raw(bulk(rdb[0], True))
            assert is_closed(channel)
        main.send_raw(stream[2])
        main.send_raw(stream[3])
        main.expect_ack(1000 + sum(map(len, stream)))
        expected = {**rdb[1], (3, b"new"): ("string", b"2", -1)}
        del expected[3, b"elsewhere"]
        assert content(client) == expected
        found = info(client)
        assert (found["master_replid"], found["replicas_repl_buffer_size"], found["master_link_status"]) == (
            ID_A, "0", "up")
        assert found["replicas_repl_buffer_peak"] == "16384"
        assert temporary_files(server) == []
        assert "Successfully streamed replication data into memory" in server.log()
        assert ("psync established after rdb load" in server.log()) == (first == "data")
        client.call("CONFIG", "SET", "masterauth", "")
        main.close()                                                # and then all is as always
        main = master.accept()
        assert main.greet() == [ID_A, str(1001 + sum(map(len, stream)))]
        main.send_raw(b"+CONTINUE\r\n" + encode("SET", "x", 1))
        main.expect_ack(1000 + sum(map(len, stream)) + len(encode("SET", "x", 1)))


def harm_channel_refused(main, channel, data):
    channel.send_raw(b"-ERR max number of clients reached\r\n")


def harm_no_end(main, channel, data):
    channel.send_raw(b"+OK\r\n$EOF:what is this\r\n")


def harm_channel_lost_early(main, channel, data):
    channel.send_raw(b"+OK\r\n")
    channel.close()


def harm_main_lost_early(main, channel, data):
    channel.send_raw(b"+OK\r\n")
    main.close()


def harm_channel_lost(main, channel, data):
    channel.send_raw(b"+OK\r\n" + endoff() + data[:len(data) // 2])
    ask(main)
    main.send_raw(b"+CONTINUE\r\n" + encode("SET", "x", 1))
    channel.close()


def harm_main_lost(main, channel, data):
    channel.send_raw(b"+OK\r\n" + endoff() + data[:len(data) // 2])
    ask(main)
    main.send_raw(b"+CONTINUE\r\n" + encode("SET", "x", 1))
    main.close()


def harm_channel_not_known(main, channel, data):
    channel.send_raw(b"+OK\r\n" + endoff())
    main.expect("REPLCONF", "set-rdb-client-id", "77")
    main.send_raw(b"-ERR Unrecognized RDB client id 77\r\n")


def harm_place_lost(main, channel, data):
    channel.send_raw(b"+OK\r\n" + endoff() + data)
    ask(main)
    main.send_raw(b"+DUALCHANNELSYNC\r\n")


def harm_data_damaged(main, channel, data):
    half = len(data) // 2
    channel.send_raw(b"+OK\r\n" + endoff())
    ask(main)
    main.send_raw(b"+CONTINUE\r\n" + encode("SET", "x", 1))
    channel.send_raw(data[:half] + b"\xff" * 100 + data[half + 100:])


def harm_no_child(main, channel, data):
    channel.send_raw(b"+OK\r\n" + endoff() + b"-ERR BGSAVE failed, replication can't continue\r\n")


HARMS = [value for name, value in globals().copy().items() if name.startswith("harm_")]


@pytest.mark.parametrize("harm", HARMS, ids=[harm.__name__[5:] for harm in HARMS])
@pytest.mark.parametrize("mode", MODES)
def test_either_connection_fails(fresh_server, master, rdb, mode, harm):
    """Both end, nothing is left, and it is tried again; with one connection only when the second was refused."""
    server = fresh_server(*DUAL, "--repl-diskless-load", mode)
    with server.client() as client:
        follow(client, master.port)
        main = master.accept()
        main.greet()
        main.send_raw(b"+DUALCHANNELSYNC\r\n")
        channel = master.accept()
        assert channel.command()[0] == "REPLCONF"
        harm(main, channel, bulk(rdb[0], True))
        again = master.accept()
        for played in (main, channel):
            if played.socket.fileno() >= 0:
                with contextlib.suppress(ConnectionResetError):
                    while played.socket.recv(1000):
                        pass
        assert temporary_files(server) == []
        assert info(client)["replicas_repl_buffer_size"] == "0"
        assert "Aborting dual channel sync" in server.log()
        again.expect("PING")
        again.send_raw(b"+PONG\r\n")
        assert again.command()[:2] == ["REPLCONF", "listening-port"]
        offered = again.command()
        assert ("dual-channel" in offered) == (harm is not harm_channel_refused), offered
        again.expect("REPLCONF", "version", "9.0.0")
        again.send_raw(b"+OK\r\n+OK\r\n+OK\r\n")
        assert again.command()[0] == "PSYNC"
        again.give(rdb[0], ID_B)
        assert content(client) == rdb[1]
        assert (info(client)["master_replid"], info(client)["master_repl_offset"]) == (ID_B, "1000")


def test_a_buffer_that_is_full_is_not_filled_further(fresh_server, master, rdb):
    server = fresh_server(*DUAL, "--client-output-buffer-limit", "replica 100kb 0 0")
    with server.client() as client:
        follow(client, master.port)
        main, channel = begin(master)
        channel.send_raw(endoff())
        ask(main)
        stream = b"".join(encode("RPUSH", "list:new", f"{i}-" + "x" * 1000) for i in range(30_000))
        main.socket.settimeout(30)
        sender = threading.Thread(target=main.send_raw, args=(b"+CONTINUE\r\n" + stream,))
        sender.start()
        wait_until(lambda: "Replication buffer limit reached, stopping buffering." in server.log())
        time.sleep(0.3)
        assert sender.is_alive()                                # the rest waits at the master
        assert 100_000 < int(info(client)["replicas_repl_buffer_size"]) < 1_000_000
        channel.send_raw(bulk(rdb[0], True))
        main.expect_ack(1000 + len(stream))
        sender.join()
        assert client.call("LLEN", "list:new") == 30_000
        assert content(client)[0, b"int"] == rdb[1][0, b"int"]


def test_clients_are_served_while_much_is_caught_up_with(fresh_server, master, rdb):
    server = fresh_server(*DUAL)
    with server.client(timeout=20) as client, server.client(timeout=20) as other:
        follow(client, master.port)
        main, channel = begin(master)
        channel.send_raw(endoff())
        ask(main)
        stream = b"".join(encode("SET", f"new:{i}", i) for i in range(400_000))
        main.send_raw(b"+CONTINUE\r\n" + stream)
        wait_until(lambda: int(info(client)["replicas_repl_buffer_size"]) > len(stream) - 20_000)
        used = int(info(client, "memory")["used_memory"])
        assert used > len(stream)                               # it counts
        channel.send_raw(bulk(rdb[0], True))
        wait_until(lambda: is_up(other))
        answered = 0
        while int(info(other)["replicas_repl_buffer_size"]):
            assert other.call("PING") == Status("PONG")
            answered += 1
        assert answered > 1                                     # it is not done in one go
        main.expect_ack(1000 + len(stream))
        assert client.call("GET", "new:399999") == b"399999"


@pytest.mark.parametrize("mode", MODES)
def test_giving_up_in_the_middle(fresh_server, master, rdb, mode):
    server = fresh_server(*DUAL, "--repl-diskless-load", mode)
    with server.client() as client:
        client.call("SET", "old", "1")
        follow(client, master.port)
        main, channel = begin(master)
        channel.send_raw(endoff())
        ask(main)
        main.send_raw(b"+CONTINUE\r\n" + encode("SET", "x", 1))
        wait_until(lambda: info(client)["replicas_repl_buffer_size"] != "0")
        assert client.call("REPLICAOF", "NO", "ONE") == OK
        assert is_closed(main) and is_closed(channel)
        assert content(client) == {(0, b"old"): ("string", b"1", -1)}
        assert client.call("SET", "mine", "1") == OK
        assert temporary_files(server) == []


@pytest.mark.parametrize("at", ["connected", "asked", "data"])
def test_a_silent_channel(fresh_server, master, rdb, at):
    server = fresh_server(*DUAL, "--repl-timeout", "1")
    with server.client() as client:
        follow(client, master.port)
        if at == "connected":
            main = master.accept()
            main.greet()
            main.send_raw(b"+DUALCHANNELSYNC\r\n")
            master.accept().command()
        else:
            main, channel = begin(master)
        if at == "data":
            channel.send_raw(endoff() + bulk(rdb[0], True)[:500])
            ask(main)
            main.send_raw(b"+CONTINUE\r\n")
        again = master.accept()
        assert is_closed(main)
        again.greet()
        again.give(rdb[0], ID_B)
        assert content(client) == rdb[1]


def test_a_master_that_was_not_asked_to(fresh_server, master, rdb):
    """+DUALCHANNELSYNC from a master that was not told that this is known is no answer."""
    server = fresh_server()
    with server.client() as client:
        follow(client, master.port)
        main = master.accept()
        main.greet()
        main.send_raw(b"+DUALCHANNELSYNC\r\n")
        assert main.socket.recv(6) == b"SYNC\r\n"
        main.send_raw(bulk(rdb[0]))
        wait_until(lambda: is_up(client))
        assert content(client) == rdb[1]


# --- with each other ----------------------------------------------------------------------------


def assert_alike(*clients):
    def offsets():
        return {info(client)["master_repl_offset"] for client in clients}
    wait_until(lambda: all(is_up(client) for client in clients[1:]) and len(offsets()) == 1)
    first, *others = (content(client) for client in clients)
    assert first
    for other in others:
        assert other == first


class Writing:
    """Writes to a server, in the background and without a pause."""

    def __init__(self, server):
        self.server, self.stopped, self.count = server, threading.Event(), 0
        self.thread = threading.Thread(target=self._write, daemon=True)

    def _write(self):
        with self.server.client(timeout=30) as client:
            while not self.stopped.is_set():
                number = self.count
                client.pipeline([("SELECT", number % 3), ("INCR", "counter"), ("SET", f"k:{number % 997}", number),
                                 ("MULTI",), ("RPUSH", "list", number), ("LTRIM", "list", -100, -1), ("EXEC",)])
                self.count += 1

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stopped.set()
        self.thread.join()


@pytest.mark.parametrize("sides", ["both", "master", "replica"])
@pytest.mark.parametrize("mode", MODES)
def test_under_writes(fresh_server, mode, sides):
    ours = MASTER if sides != "replica" else MASTER[2:]
    one = fresh_server(*ours, "--rdb-key-save-delay", "300")
    two = fresh_server(*(DUAL if sides != "master" else ()), "--repl-diskless-load", mode)
    with one.client(timeout=30) as upper, two.client(timeout=30) as lower:
        fill(upper)
        upper.pipeline([("SET", f"k:{i}", i) for i in range(1000)])
        with Writing(one) as writing:
            follow(lower, one.port)
            wait_until(lambda: is_up(lower))
            count = writing.count
            wait_until(lambda: writing.count > count + 10)
            stats = info(upper, "stats")
            assert (stats["sync_full"], stats["sync_partial_ok"]) == ("1", "1" if sides == "both" else "0")
            upper.call("CLIENT", "KILL", "TYPE", "replica")
            wait_until(lambda: info(upper, "stats")["sync_partial_ok"] == ("2" if sides == "both" else "1"))
            assert info(upper, "stats")["sync_full"] == "1"
        assert_alike(upper, lower)


def test_a_chain(fresh_server):
    """The second one is a master of this kind while its own database selected is another than 0."""
    one, two, three = (fresh_server(*MASTER) for _ in range(3))
    with one.client(timeout=30) as first, two.client(timeout=30) as second, three.client(timeout=30) as third:
        fill(first)
        follow(second, one.port)
        wait_until(lambda: is_up(second))
        first.pipeline([("SELECT", 5), ("SET", "selected", 5)])
        wait_until(lambda: info(first)["master_repl_offset"] == info(second)["master_repl_offset"])
        follow(third, two.port)
        wait_until(lambda: is_up(third))
        first.call("SET", "after", 5)
        first.call("SELECT", 0)
        assert_alike(first, second, third)
        assert [info(client, "stats")["sync_full"] for client in (first, second)] == ["1", "1"]
        follow(third, one.port)                                     # the same history: nothing full is needed
        wait_until(lambda: is_up(third))
        assert_alike(first, second, third)
        assert info(first, "stats")["sync_full"] == "1"


@pytest.mark.parametrize("victim", ["rdb-channel", "main-channel", "both"])
def test_connections_are_killed_at_any_moment(fresh_server, victim):
    one = fresh_server(*MASTER, "--rdb-key-save-delay", "200")
    two = fresh_server(*DUAL, "--repl-diskless-load", "swapdb")     # a busy disk may take seconds for its fsync
    chance = random.Random(victim)
    with one.client(timeout=30) as upper, two.client(timeout=30) as lower, Writing(one):
        upper.pipeline([("SET", f"k:{i}", random.randbytes(2000)) for i in range(1000)])
        for _ in range(8):
            lower.call("REPLICAOF", "NO", "ONE")
            upper.call("DEBUG", "CHANGE-REPL-ID")
            follow(lower, one.port)
            time.sleep(chance.random() * 0.4)
            for line in upper.call("CLIENT", "LIST").decode().splitlines():
                fields = dict(pair.partition("=")[::2] for pair in line.split())
                kind = {"sync": "rdb-channel", "psync": "main-channel"}.get(fields["cmd"])
                if kind and victim in (kind, "both"):
                    upper.call("CLIENT", "KILL", "ID", fields["id"])
            wait_until(lambda: is_up(lower))
        upper.call("CONFIG", "SET", "rdb-key-save-delay", 0)
        wait_until(lambda: waiting(upper) == 0 and info(upper)["connected_slaves"] == "1")
    with one.client(timeout=30) as upper, two.client(timeout=30) as lower:
        assert_alike(upper, lower)


@pytest.mark.parametrize("who", ["master", "replica"])
def test_a_server_is_killed_in_the_middle(fresh_server, who):
    one, two = fresh_server(*MASTER, "--rdb-key-save-delay", "5000"), fresh_server(*DUAL)
    with one.client(timeout=30) as upper, two.client(timeout=30) as lower:
        upper.pipeline([("SET", f"k:{i}", random.randbytes(2000)) for i in range(1000)])
        follow(lower, one.port)
        wait_until(lambda: [replica["type"] for replica in replicas(upper)] == ["rdb-channel", "main-channel"])
        if who == "master":
            one.stop(kill=True)
            wait_until(lambda: info(lower).get("master_sync_in_progress") == "0")
            assert lower.call("DBSIZE") in (0, 1000)        # the child lives on for a moment, and may get it done
            assert temporary_files(two) == []
        else:
            two.stop(kill=True)
            wait_until(lambda: info(upper)["connected_slaves"] == "0" and waiting(upper) == 0)
            wait_until(lambda: info(upper, "persistence")["rdb_bgsave_in_progress"] == "0")
            with pytest.raises((Closed, ConnectionError)):
                lower.call("PING")
