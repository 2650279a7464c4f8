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
from tests.helpers import wait_until
from tests.resp import Closed, Error, encode
from tests.rows import OK, PONG

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
