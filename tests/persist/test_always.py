"""appendfsync always: the disk is slow or fails, and who waits for it."""
import contextlib
import socket

import pytest

from tests.faults import failing, needs_strace
from tests.helpers import held, wait_until
from tests.resp import Closed, Status
from tests.rows import OK
from tests.servers import fastredis_server

pytestmark = needs_strace

SECONDS = 20
STUCK = "fdatasync:delay_enter=600000000"   # microseconds; it goes on when nobody traces any more
ALWAYS = ("--appendonly", "yes", "--appendfsync", "always", "--auto-aof-rewrite-percentage", "0")


@pytest.fixture(params=["uvloop", "asyncio"])
def server(fresh_server, tmp_path, request):
    return fresh_server("--dir", str(tmp_path), *ALWAYS, loop=request.param)


def in_file(directory):
    return b"".join(path.read_bytes() for path in sorted((directory / "appendonlydir").glob("*.incr.aof")))


def test_readers_do_not_wait_for_the_disk(server):
    with server.client() as writer, server.client() as reader:
        with failing(server, STUCK) as trace:
            writer.send("SET", "k", "v")
            wait_until(lambda: reader.call("GET", "k") == b"v")
            assert not writer.pending(0.1) and not trace.calls("fdatasync")
        assert writer.read() == OK


def test_replies_of_a_client_keep_their_order(server):
    with server.client() as writer, server.client() as other, server.client() as reader:
        with failing(server, STUCK):
            writer.send("SET", "k", "v")
            wait_until(lambda: reader.call("GET", "k") == b"v")
            writer.send("GET", "k")                     # behind its own write, in a packet of its own
            other.send_raw(b"GET k\r\nSET k w\r\nGET k\r\n")
            wait_until(lambda: reader.call("GET", "k") == b"w")
            assert not writer.pending(0.1) and not other.pending(0.1)
        assert [writer.read(), writer.read()] == [OK, b"v"]
        assert [other.read(), other.read(), other.read()] == [b"v", OK, b"w"]


def test_what_comes_meanwhile_shares_the_next_fsync(server):
    with contextlib.ExitStack() as stack:
        first, reader, *writers = [stack.enter_context(server.client()) for _ in range(12)]
        trace = stack.enter_context(failing(server, "fdatasync:delay_enter=2000000"))
        first.send("SET", "first", 1)
        wait_until(lambda: reader.call("EXISTS", "first"))
        for number, writer in enumerate(writers):
            writer.send("SET", f"k{number}", 1)
        wait_until(lambda: reader.call("DBSIZE") == 11)
        assert first.read() == OK
        assert [writer.read() for writer in writers] == [OK] * 10
        assert len(trace.calls("fdatasync")) <= 3


@pytest.mark.parametrize("commands, replies", [
    (b"MULTI\r\nSET k v\r\nRPUSH l a\r\nEXEC\r\n", [OK, Status("QUEUED"), Status("QUEUED"), [OK, 1]]),
    (b"MULTI\r\nRPUSH l a\r\nEXEC\r\n", [OK, Status("QUEUED"), [1]]),
    (b"SPOP s\r\n", [b"m"]), (b"GETEX t PERSIST\r\n", [b"v"]), (b"HINCRBYFLOAT h f 1\r\n", [b"1"]),
    (b"SET k v\r\nQUIT\r\n", [OK, OK])])
def test_all_kinds_of_writers_wait(server, tmp_path, commands, replies):
    with server.client() as writer, failing(server, "fdatasync:delay_enter=300000") as trace:
        writer.pipeline([("SADD", "s", "m"), ("SET", "t", "v", "EX", 1000)])
        before = len(trace.calls("fdatasync"))
        writer.send_raw(commands)
        for reply in replies:
            assert writer.read() == reply
        assert len(trace.calls("fdatasync")) > before


def test_reads_in_a_transaction_do_not_wait(server):
    """Nor does one that was about to write, and changed nothing: no fsync will come for it."""
    with server.client() as client, failing(server, STUCK):
        client.send_raw(b"MULTI\r\nGET k\r\nDEL k\r\nEXEC\r\nDEL k\r\nSPOP k\r\n")
        assert [client.read() for _ in range(6)][3:] == [[None, 0], 0, None]


def test_a_blocked_client_waits_for_what_it_took(server):
    with server.client() as blocked, server.client() as pusher, server.client() as reader:
        blocked.send("BLPOP", "l", 0)
        wait_until(lambda: b"blocked_clients:1" in reader.call("INFO", "clients"))
        with failing(server, STUCK):
            pusher.send("RPUSH", "l", "a")
            wait_until(lambda: b"blocked_clients:0" in reader.call("INFO", "clients"))
            assert not blocked.pending(0.1) and not pusher.pending(0.1)
        assert blocked.read() == [b"l", b"a"] and pusher.read() == 1


def test_a_script_keeps_no_writer_waiting(server):
    """Neither those of the turn in which it begins, nor those whose fsync is under way then."""
    with (server.client() as writer, server.client() as other, server.client() as third,
          contextlib.ExitStack() as stack):
        first = [stack.enter_context(server.client()) for _ in range(40)]
        other.call("CONFIG", "SET", "busy-reply-threshold", 100)
        with failing(server, "fdatasync:delay_enter=200000"):
            with held(server.pid):
                for client in first:
                    client.send("SET", "k", "v")
            wait_until(lambda: third.call("GET", "k") == b"v")
            with held(server.pid):
                writer.send("SET", "l", "w")
                other.send("EVAL", "while true do end", 0)
            assert [client.read() for client in first] == [OK] * 40 and writer.read() == OK
        assert writer.call("SCRIPT", "KILL") == OK
        assert "killed" in other.read()


def test_a_script_that_wrote_waits_for_its_own_fsync(server):
    """Not for the one that it had others wait for, though it had written by then."""
    script = "redis.call('SET', 'own', 1) local n = 0 for i = 1, 20000000 do n = n + #tostring(i) end return 1"
    with (server.client() as writer, server.client(timeout=10 * SECONDS) as other,
          failing(server, "fdatasync:delay_enter=10000") as trace):
        before = len(trace.calls("fdatasync"))
        with held(server.pid):
            writer.send("SET", "k", "v")
            other.send("EVAL", script, 0)
        assert writer.read() == OK
        assert not other.pending(0.001)
        assert len(trace.calls("fdatasync")) == before + 1
        assert other.read() == 1
        assert len(trace.calls("fdatasync")) == before + 2


def test_a_client_that_leaves_is_no_matter(server):
    with server.client() as reader:
        with failing(server, STUCK):
            writer = server.client()
            writer.send("SET", "k", "v")
            wait_until(lambda: reader.call("GET", "k") == b"v")
            writer.socket.shutdown(socket.SHUT_RDWR)
            writer.close()
            wait_until(lambda: b"connected_clients:1" in reader.call("INFO", "clients"))
        assert reader.call("SET", "k", "w") == OK


def test_nothing_that_was_acknowledged_is_lost(server, tmp_path):
    """The process is killed while the disk is slow, with many writes on their way."""
    acknowledged = []
    with contextlib.ExitStack() as stack:
        writers = [stack.enter_context(server.client(timeout=SECONDS)) for _ in range(8)]
        with failing(server, "fdatasync:delay_exit=50000"):
            for number in range(200):
                writer = writers[number % 8]
                if number >= 8:
                    assert writer.read() == OK
                    acknowledged.append(number - 8)
                writer.send("SET", f"k{number}", "v" * 100)
            server.process.kill()
            server.process.wait()
    with fastredis_server("--dir", str(tmp_path), *ALWAYS) as again, again.client() as client:
        assert client.call("EXISTS", *(f"k{number}" for number in acknowledged)) == len(acknowledged) == 192


def test_waitaof_and_other_policies(server):
    with server.client(timeout=SECONDS) as client, failing(server, "fdatasync:delay_enter=300000") as trace:
        assert client.call("SET", "k", "v") == OK
        assert client.call("WAITAOF", 1, 0, 0) == [1, 0]
        client.send_raw(b"SET k w\r\nCONFIG SET appendfsync everysec\r\nSET k x\r\nCONFIG SET appendfsync always\r\n"
                        b"SET k y\r\nBGREWRITEAOF\r\nSET k z\r\nCONFIG SET appendonly no\r\nGET k\r\n")
        replies = [client.read() for _ in range(9)]
        assert replies[:5] == [OK] * 5 and replies[6:] == [OK, OK, b"z"]
        assert len(trace.calls("fdatasync")) >= 3


def test_a_rewrite_changes_the_file_without_waiting(server, tmp_path):
    with server.client() as client, server.client() as reader:
        client.call("SET", "k", "v")
        with failing(server, STUCK):
            client.send("SET", "k", "w")
            wait_until(lambda: reader.call("GET", "k") == b"w")
            assert "started" in reader.call("BGREWRITEAOF")
            assert reader.call("GET", "k") == b"w"
            assert not client.pending(0.1)
        assert client.read() == OK
        assert client.call("SET", "k", "x") == OK
        wait_until(lambda: b"aof_rewrite_in_progress:0" in reader.call("INFO", "persistence"))
        assert b"x" in in_file(tmp_path)


def test_replicas_get_it_when_it_is_on_the_disk(server, fresh_server):
    replica = fresh_server("--replicaof", f"127.0.0.1 {server.port}")
    with server.client() as writer, replica.client() as looker, server.client(timeout=SECONDS) as reader:
        writer.call("SET", "k", "v")
        wait_until(lambda: looker.call("GET", "k") == b"v")
        with failing(server, STUCK):
            writer.send("SET", "k", "w")
            wait_until(lambda: reader.call("GET", "k") == b"w")
            assert not writer.pending(0.1) and looker.call("GET", "k") == b"v"
        assert writer.read() == OK
        assert writer.call("WAIT", 1, 0) == 1
        assert looker.call("GET", "k") == b"w"
        assert writer.call("PUBLISH", "c", "m") == 0
        assert writer.call("WAIT", 1, 0) == 1


def test_a_failed_fsync_is_the_end(server, tmp_path):
    with server.client() as client, failing(server, "fdatasync:error=EIO"):
        with pytest.raises((Closed, ConnectionError)):
            client.call("SET", "k", "v")
        assert server.process.wait(SECONDS) == 1
    assert "Can't persist AOF for fsync error when the AOF fsync policy is 'always': Input/output error" in server.log()
    with fastredis_server("--dir", str(tmp_path), *ALWAYS) as again, again.client() as client:
        assert client.call("GET", "k") in (b"v", None)
