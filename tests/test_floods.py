"""What clients can cause at will costs neither the processor nor the disk: logs stay short, accept(2) does not spin."""
import contextlib
import os
import resource
import socket
import struct
import time
from pathlib import Path

import pytest

from tests.faults import failing, needs_strace
from tests.helpers import held, wait_until
from tests.resp import Closed, Error, encode
from tests.rows import OK, PONG, QUEUED

LOOPS = pytest.mark.parametrize("loop", ["uvloop", "asyncio"])
LINES = 25              # more than a flood may log: ten lines of each kind, and what else there is
NO_FILES = "Accepting client connection: accept: Too many open files"


def cpu_seconds(server):
    """Seconds that the process has worked."""
    fields = Path(f"/proc/{server.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def lines_of(server, text):
    return [line for line in server.log().splitlines() if text in line]


@contextlib.contextmanager
def few_files(server, more):
    """The server may open so many more files than it has."""
    limits = resource.prlimit(server.pid, resource.RLIMIT_NOFILE)
    most = len(os.listdir(f"/proc/{server.pid}/fd")) + more
    resource.prlimit(server.pid, resource.RLIMIT_NOFILE, (most, limits[1]))
    try:
        yield
    finally:
        resource.prlimit(server.pid, resource.RLIMIT_NOFILE, limits)


def connect(server):
    return socket.create_connection(("127.0.0.1", server.port), timeout=20)


@LOOPS
def test_no_descriptor_is_left(fresh_server, loop):
    """Who connects waits; others are served; the log says it, but not for ever; nothing is busy."""
    server = fresh_server(loop=loop)
    with server.client() as client, contextlib.ExitStack() as stack:
        assert client.call("PING") == PONG
        with few_files(server, 10):
            waiting = [stack.enter_context(connect(server)) for _ in range(60)]
            wait_until(lambda: lines_of(server, NO_FILES))
            before = cpu_seconds(server)
            time.sleep(1)
            assert client.call("PING") == PONG
            assert cpu_seconds(server) - before < 0.3
            assert 1 <= len(lines_of(server, NO_FILES)) < LINES
            for sock in waiting[:20]:           # those that were accepted make room for as many that wait
                sock.close()
            waiting[25].sendall(encode("PING"))
            assert waiting[25].recv(100) == b"+PONG\r\n"
        waiting[59].sendall(encode("PING"))
        assert waiting[59].recv(100) == b"+PONG\r\n"
        assert len(server.log().splitlines()) < 2 * LINES


@LOOPS
@needs_strace
@pytest.mark.parametrize("error", ["ENFILE", "EMFILE", "ENOBUFS", "ENOMEM", "ECONNABORTED", "EPERM"])
def test_accepting_fails(fresh_server, loop, error):
    server = fresh_server(loop=loop)
    with failing(server, f"accept4:error={error}:when=1..3"), server.client(timeout=20) as client:
        assert client.call("PING") == PONG
    assert lines_of(server, "Accepting client connection: accept: ")


@LOOPS
def test_connections_that_are_reset_at_once(fresh_server, loop):
    server = fresh_server(loop=loop)
    for _ in range(300):
        with connect(server) as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))   # close() sends RST
    with server.client() as client:
        assert client.call("PING") == PONG
        wait_until(lambda: b"connected_clients:1\r" in client.call("INFO", "clients"))
    assert len(server.log().splitlines()) < LINES


def test_clients_beyond_maxclients_log_nothing(fresh_server):
    server = fresh_server("--maxclients", "1")
    with server.client() as client:
        assert client.call("PING") == PONG
        for _ in range(100):
            with server.client() as other:
                assert other.read() == Error("ERR max number of clients reached")
        assert client.call("PING") == PONG
    assert not lines_of(server, "max number")


MANY = 25_000           # requests that take some slices of time, and fit into the kernel's buffers


@LOOPS
def test_who_sends_much_gives_way(fresh_server, loop):
    """What another client asks for is done before all of it is."""
    server = fresh_server(loop=loop)
    count = 3_000
    with server.client() as flood, server.client() as other:
        assert flood.call("RPUSH", "list", *range(1000)) == 1000
        assert other.call("SET", "n", 0) == OK
        with held(server.pid):
            flood.send_raw(b"LPOS list none\r\nINCR n\r\n" * count)
            other.send_raw(b"GET n\r\n")
        assert int(other.read()) < count
        assert [flood.read() for _ in range(2 * count)] == [each for n in range(count) for each in (None, n + 1)]
        assert other.call("GET", "n") == b"%d" % count


@LOOPS
def test_what_waits_for_its_turn_keeps_its_order(fresh_server, loop):
    """Through a command that blocks, a transaction, and a request that is cut."""
    server = fresh_server(loop=loop)
    incr, halves = encode("INCR", "n") * MANY, encode("SET", "k", "v" * 100_000)
    with server.client() as flood, server.client() as other:
        flood.send_raw(incr + encode("BLPOP", "list", 0) + encode("MULTI") + incr + encode("EXEC") + halves[:70_000])
        wait_until(lambda: b"\r\nblocked_clients:1\r" in other.call("INFO", "clients"))
        assert other.call("GET", "n") == b"%d" % MANY
        flood.send_raw(halves[70_000:] + encode("STRLEN", "k"))
        assert other.call("RPUSH", "list", "x") == 1
        assert [flood.read() for _ in range(MANY)] == list(range(1, MANY + 1))
        assert flood.read() == [b"list", b"x"]
        assert [flood.read() for _ in range(MANY + 1)] == [OK] + [QUEUED] * MANY
        assert flood.read() == list(range(MANY + 1, 2 * MANY + 1))
        assert [flood.read(), flood.read()] == [OK, 100_000]


@LOOPS
def test_who_sends_much_and_leaves(fresh_server, loop):
    """All that it sent is done, as long as the connection is whole; one that is killed does no more."""
    server = fresh_server(loop=loop)
    with server.client() as other:
        with connect(server) as flood:
            flood.sendall(encode("INCR", "n") * MANY)
            flood.shutdown(socket.SHUT_WR)
            while flood.recv(1 << 20):
                pass
        assert other.call("GET", "n") == b"%d" % MANY
        with connect(server) as flood:
            number = other.call("CLIENT", "ID")
            with held(server.pid):
                flood.sendall(encode("INCR", "m") * MANY)
                other.send("CLIENT", "KILL", "SKIPME", "yes")
            assert other.read() == 1
            assert other.call("CLIENT", "ID") == number
            done = int(other.call("GET", "m") or 0)
            assert done < MANY
            time.sleep(0.1)
            assert int(other.call("GET", "m") or 0) == done


def test_many_who_send_much(fresh_server):
    server = fresh_server()
    with contextlib.ExitStack() as stack:
        other = stack.enter_context(server.client())
        floods = [stack.enter_context(server.client()) for _ in range(20)]
        with held(server.pid):
            for flood in floods:
                flood.send_raw(encode("INCR", "n") * (MANY // 5))
        replies = [flood.read() for _ in range(MANY // 5) for flood in floods]
        assert sorted(replies) == list(range(1, 4 * MANY + 1))
        assert other.call("GET", "n") == b"%d" % (4 * MANY)


def slow_list(client):
    """What LREM takes a part of a millisecond for, when nothing is removed."""
    client.call("EVAL", "for i = 1, 20000 do redis.call('RPUSH', 'list', i) end", 0)


@LOOPS
def test_who_gave_way_is_heard_in_a_script(fresh_server, loop):
    """Its requests came before the script; that takes too long, so they are refused, all but the one that ends it."""
    server = fresh_server("--busy-reply-threshold", "10", loop=loop)
    with server.client() as flood, server.client() as other:
        slow_list(flood)
        with held(server.pid):
            flood.send_raw(encode("LREM", "list", 0, "x") * 200 + encode("SCRIPT", "KILL") + encode("PING"))
            other.send("EVAL", "while true do end", 0)
        replies = [flood.read() for _ in range(202)]
        assert replies[-2] == OK and replies[0] == 0
        assert {reply for reply in replies[1:-2] if reply != 0} == {Error(
            "BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.")}
        assert "Script killed" in other.read()
        assert replies[-1] == PONG or replies[-1].startswith("BUSY ")
        assert flood.call("LREM", "list", 0, "x") == 0


def test_who_waits_for_its_turn_is_not_idle(fresh_server):
    server = fresh_server("--timeout", "1")
    with server.client() as client:
        client.send_raw(encode("DEBUG", "SLEEP", 0.1) * 25 + encode("PING"))
        assert [client.read() for _ in range(26)] == [OK] * 25 + [PONG]


def test_a_large_read_now_and_then(local):
    """Each has a slice of its own, if others had a turn in between."""
    client, other = local.client(), local.client()
    request = encode("SET", "k", "v" * 200_000)
    waited = 0
    for _ in range(20):
        client.connection.data_received(request)
        waited += client.connection.waiting
        other.connection.data_received(encode("DEBUG", "SLEEP", 0.002))
        while client.connection.waiting:
            client.socket.run_loop()
    assert waited < 10                  # some may take long on a busy machine


def test_a_turn_that_fails(local):
    """Those who wait for their turn get it nevertheless."""
    def fail(data):
        raise OSError

    floods = [local.client() for _ in range(3)]
    deaf = local.client()
    deaf.call("SUBSCRIBE", "news")
    local.loop.set_exception_handler(lambda loop, context: raised.append(context["exception"]))
    raised = []
    for flood in floods:
        flood.connection.data_received(encode("DEBUG", "SLEEP", 0.002) * 5 + encode("PUBLISH", "news", "x") * 2)
    assert all(flood.connection.waiting for flood in floods)
    deaf.socket.write = fail
    for _ in range(100):
        floods[0].socket.run_loop()
    assert [[flood.read() for _ in range(7)] for flood in floods] == [[OK] * 5 + [1, 1]] * 3
    assert raised and {type(error) for error in raised} == {OSError}


def refused(server, data):
    """Send what the server closes the connection for."""
    with server.client() as client, contextlib.suppress(Closed, ConnectionError):
        client.send_raw(data)
        while True:
            client.read()


FLOODS = {
    "protocol": (("--loglevel", "verbose"), b"*1\r\n$x\r\n", "Protocol error: invalid bulk length"),
    "query": (("--client-query-buffer-limit", "1mb"), encode("SET", "k", "v" * 2_000_000), "max query buffer length"),
    "output": (("--client-output-buffer-limit", "normal 100kb 0 0"),
               encode("SETRANGE", "k", 200_000, "v") + encode("GET", "k"), "overcoming of output buffer limits"),
    "http": ((), b"POST / HTTP/1.1\r\n\r\n", "Possible SECURITY ATTACK detected"),
    "replica": ((), encode("REPLCONF", "listening-port", "1") + encode("PSYNC", "?", "-1") + encode("GET", "k"),
                "Replica generated a reply to command 'get'"),
}


@pytest.mark.parametrize("kind", FLOODS)
def test_many_clients_that_are_closed(fresh_server, kind):
    options, data, text = FLOODS[kind]
    server = fresh_server("--save", "", *options)
    for _ in range(40):
        refused(server, data)
    assert 1 <= len(lines_of(server, text)) < LINES
    with server.client() as client:
        assert client.call("PING") == PONG


def test_a_client_that_restores_nonsense(fresh_server):
    server = fresh_server()
    with server.client() as client:
        assert client.call("SET", "k", "v") == OK
        payload = bytearray(client.call("DUMP", "k"))
        payload[0] = 99
        client.call("DEBUG", "SET-SKIP-CHECKSUM-VALIDATION", "1")
        replies = client.pipeline([["RESTORE", "n", "0", bytes(payload)]] * 100)
        assert all(str(reply).startswith("ERR Bad data format") for reply in replies)
    assert 1 <= len(lines_of(server, "Internal error in RDB")) < LINES


def test_what_was_left_out_is_counted(tmp_path, monkeypatch):
    from fastredis.config.config import Config
    from fastredis.host import logs
    now_s = 1000.0
    monkeypatch.setattr(logs.time, "monotonic", lambda: now_s)
    config = Config()
    log = logs.Logger(config)
    written = []
    monkeypatch.setattr(log, "_put", written.append)
    for _ in range(35):
        log.limited("kind", logs.WARNING, "text")
        log.limited("other", logs.VERBOSE, "is not logged at all")
    assert len(written) == 10
    now_s += 11
    log.limited("kind", logs.WARNING, "text")
    assert b"25 more lines of this kind (kind) were left out" in written[10] and written[11].endswith(b" # text\n")
