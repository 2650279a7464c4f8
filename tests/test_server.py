"""The server as a process: connections in large numbers and in trouble, limits, start and stop, log, other clients.

Black box: everything goes over sockets, signals and files. What an event loop does runs on each of them.
"""
import asyncio
import contextlib
import os
import re
import resource
import shutil
import signal
import socket
import stat
import struct
import subprocess
import sys
import time
from pathlib import Path

import pytest

import fastredis
from tests.resp import Client, Closed, Error, Status, encode
from tests.servers import free_port

OK = Status("OK")
PONG = Status("PONG")
MIB = 1024 * 1024
LOOPS = ["uvloop", "asyncio"]
ABSENT_ADDRESS = "203.0.113.77"         # TEST-NET-3: no machine has it
GONE = (Closed, ConnectionError)


@pytest.fixture(params=LOOPS)
def loop(request):
    if request.param == "uvloop":
        pytest.importorskip("uvloop")
    return request.param


@pytest.fixture
def start(fresh_server):
    """fresh_server whose servers must not have logged a bug when the test is over."""
    servers = []

    def started(*options, **how):
        servers.append(fresh_server(*map(str, options), **how))
        return servers[-1]
    yield started
    for server in servers:
        if server.kind == "fastredis":
            assert not re.search("Traceback|Bug|exception", server.log(), re.IGNORECASE), server.log()


def info(client, field):
    """A field of INFO as a number."""
    return int(re.search(rb"^%s:(\d+)" % field.encode(), client.call("INFO", "everything"), re.MULTILINE)[1])


def eventually(condition, seconds=10.0):
    """Wait until the condition holds."""
    give_up = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < give_up, "it did not come true in time"
        time.sleep(0.02)


def raw_socket(server, receive_buffer=None):
    sock = socket.socket()
    if receive_buffer:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    sock.settimeout(20)
    sock.connect(("127.0.0.1", server.port))
    return sock


def reset(sock):
    """Close with a RST."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def send_what_goes(sock, data):
    """Send until all is sent or the server has closed the connection."""
    with contextlib.suppress(ConnectionError, TimeoutError):
        sock.sendall(data)


def is_closed(sock):
    """Read what is there -> True if the stream ends."""
    with contextlib.suppress(ConnectionError):
        while True:
            try:
                data = sock.recv(MIB)
            except TimeoutError:
                return False
            if not data:
                return True
    return True


# --- many connections --------------------------------------------------------------------------

IDLE = 10_000
PER_CONNECTION = 32 * 1024              # most RAM that an idle connection may take


@pytest.fixture
def many_files():
    """Let this process, and the servers it starts, have more files than IDLE."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = IDLE + 1000
    if hard != resource.RLIM_INFINITY and hard < needed:
        pytest.skip(f"RLIMIT_NOFILE: the hard limit is {hard}, {needed} are needed")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, needed), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.slow
def test_ten_thousand_idle_connections(start, loop, many_files):
    server = start("--maxclients", IDLE + 100, loop=loop)
    sockets = []
    with server.client(timeout=30) as control:
        before = info(control, "used_memory_rss")
        try:
            while len(sockets) < IDLE:
                sockets += [raw_socket(server) for _ in range(200)]
                assert ask(sockets[-1], b"PING\r\n") == b"+PONG\r\n"    # they are accepted: the backlog is empty
            assert info(control, "connected_clients") == IDLE + 1
            for sock in sockets[::97]:
                assert ask(sock, b"PING\r\n") == b"+PONG\r\n"
            each = (info(control, "used_memory_rss") - before) / IDLE
            print(f"{loop}: {each:.0f} bytes of RAM an idle connection")
            assert each < PER_CONNECTION
        finally:
            for i, sock in enumerate(sockets):
                (reset if i % 2 else socket.socket.close)(sock)
        eventually(lambda: info(control, "connected_clients") == 1, 30)
        assert control.call("CLIENT", "LIST").count(b"\n") == 1


def ask(sock, data):
    sock.sendall(data)
    return sock.recv(65536)


def test_halves_of_requests_leave_nothing(start, loop):
    server = start(loop=loop)
    halves = [b"*", b"*2\r\n$3\r\nGE", b"*2\r\n$3\r\nGET\r\n$100000\r\n" + b"x" * 50_000, b"PIN", b'ECHO "x']
    with server.client() as control:
        control.call("PING")
        for round_number in range(3):
            for half in halves * 20:
                sock = raw_socket(server)
                sock.sendall(encode("PING") + half)
                assert sock.recv(100) == b"+PONG\r\n"
                sock.close()
            eventually(lambda: info(control, "connected_clients") == 1)
            if round_number == 0:
                before = info(control, "used_memory")
        assert info(control, "used_memory") < before + 20_000


def test_eof_closes_without_further_replies(start, loop):
    server = start(loop=loop)
    sock = raw_socket(server)
    sock.sendall(encode("ECHO", "last"))
    sock.shutdown(socket.SHUT_WR)
    received = b""
    while data := sock.recv(1000):
        received += data
    assert received == b"$4\r\nlast\r\n"
    sock.close()


def test_connections_reset_in_the_middle_of_replies(start, loop):
    server = start(loop=loop)
    with server.client() as control:
        control.call("SET", "big", bytes(256 * 1024))
        before = info(control, "used_memory_rss")
        for _ in range(20):
            sock = raw_socket(server, receive_buffer=4096)
            send_what_goes(sock, encode("GET", "big") * 40 + encode("SUBSCRIBE", "x"))
            sock.recv(1000)
            reset(sock)
        eventually(lambda: info(control, "connected_clients") == 1)
        assert control.call("PUBLISH", "x", "y") == 0
        assert info(control, "used_memory_rss") < before + 100 * MIB


# --- replies that nobody reads --------------------------------------------------------------------

def test_hard_limit_of_the_output(start, loop):
    server = start("--client-output-buffer-limit", "normal 2mb 0 0", loop=loop)
    with server.client() as control:
        control.call("SET", "big", bytes(256 * 1024))
        before = info(control, "used_memory_rss")
        slow = raw_socket(server, receive_buffer=4096)
        slow.settimeout(5)
        send_what_goes(slow, encode("GET", "big") * 1000)       # 256 MiB of replies
        eventually(lambda: info(control, "connected_clients") == 1)
        assert is_closed(slow)
        slow.close()
        assert info(control, "used_memory_rss") < before + 60 * MIB
        assert info(control, "client_output_buffer_limit_disconnections") == 1
        assert control.call("GET", "big") == bytes(256 * 1024)
    assert "scheduled to be closed ASAP for overcoming of output buffer limits." in server.log()


def test_soft_limit_of_the_output(start, loop):
    """Over the soft limit a client is closed when it has been so for a while, under it never."""
    server = start("--client-output-buffer-limit", "normal 0 1mb 1", loop=loop)
    with server.client() as control:
        control.call("SET", "big", bytes(256 * 1024))
        over, under = [raw_socket(server, receive_buffer=4096) for _ in range(2)]
        over.sendall(encode("GET", "big") * 60)
        under.sendall(encode("GET", "big"))
        assert info(control, "connected_clients") == 3
        started = time.monotonic()
        eventually(lambda: info(control, "connected_clients") == 2)
        assert time.monotonic() - started > 0.8
        assert is_closed(over)
        over.close()
        under.settimeout(0.2)
        assert not is_closed(under)
        under.close()


def test_limit_of_the_output_of_subscribers(start, loop):
    server = start("--client-output-buffer-limit", "pubsub 1mb 0 0", loop=loop)
    message = bytes(64 * 1024)
    with server.client() as control, server.client() as reader:
        assert reader.call("SUBSCRIBE", "news") == [b"subscribe", b"news", 1]
        slow = raw_socket(server, receive_buffer=4096)
        assert ask(slow, encode("SUBSCRIBE", "news")).startswith(b"*3\r\n")
        before = info(control, "used_memory_rss")
        for number in range(2000):
            heard = control.call("PUBLISH", "news", message)
            assert reader.read() == [b"message", b"news", message]
            if heard == 1:
                break
        assert 10 < number < 1999
        assert is_closed(slow)
        slow.close()
        assert info(control, "used_memory_rss") < before + 60 * MIB


def test_pipeline_that_is_read_at_its_end(start, loop):
    server = start(loop=loop)
    count = 100_000
    with server.client(timeout=60) as client, server.client() as other:
        for begin in range(0, count, 1000):
            client.send_raw(b"".join(encode("ECHO", f"{i:060}") for i in range(begin, begin + 1000)))
        assert other.call("PING") == PONG
        received = b""
        size = count * len(b"$60\r\n" + bytes(60) + b"\r\n")
        chunks = []
        while size:
            chunks.append(client.socket.recv(min(size, MIB)))
            assert chunks[-1]
            size -= len(chunks[-1])
        received = b"".join(chunks)
        assert received == b"".join(b"$60\r\n%060d\r\n" % i for i in range(count))
        assert client.call("PING") == PONG


def test_values_of_100_mib(start, loop):
    server = start(loop=loop)
    value = os.urandom(MIB) * 100
    with server.client(timeout=60) as client:
        before = info(client, "used_memory_rss")
        assert client.call("SET", "big", value) == OK
        assert client.call("STRLEN", "big") == len(value)
        assert client.call("GET", "big") == value
        assert client.pipeline([("APPEND", "big", b"x"), ("GETRANGE", "big", -3, -1)]) == [
            len(value) + 1, value[-2:] + b"x"]
        assert client.call("ECHO", value) == value
        assert client.call("DEL", "big") == 1
        eventually(lambda: info(client, "used_memory") < 20 * MIB)
        eventually(lambda: info(client, "used_memory_rss") < before + 60 * MIB)


def test_limit_of_the_query_buffer(start, loop):
    server = start("--client-query-buffer-limit", "1mb", loop=loop)
    with server.client() as control:
        sock = raw_socket(server)
        send_what_goes(sock, b"*2\r\n$4\r\nECHO\r\n$9000000\r\n" + bytes(8 * MIB))
        assert is_closed(sock)
        sock.close()
        assert info(control, "connected_clients") == 1
        assert control.call("ECHO", bytes(500_000)) == bytes(500_000)
    assert "Closing client that reached max query buffer length" in server.log()


# --- who may connect ----------------------------------------------------------------------------

def test_clients_over_maxclients_are_refused(start, loop):
    server = start("--maxclients", 3, loop=loop)
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(server.client()) for _ in range(3)]
        assert [client.call("PING") for client in clients] == [PONG] * 3
        for _ in range(3):
            with server.client() as refused:
                assert refused.read() == Error("ERR max number of clients reached")
                with pytest.raises(GONE):
                    refused.read()
        assert info(clients[0], "rejected_connections") == 3
        assert clients[0].call("CONFIG", "SET", "maxclients", 4) == OK
        with server.client() as fourth:
            assert fourth.call("PING") == PONG


def test_idle_clients_time_out(start, loop):
    """`timeout` closes who is idle, but neither subscribers nor clients that wait."""
    server = start("--timeout", 1, loop=loop)
    with server.client() as idle, server.client() as subscriber, server.client() as waiting:
        subscriber.call("SUBSCRIBE", "x")
        waiting.call("PING")
        control = server.client()
        control.call("CLIENT", "PAUSE", 60_000, "WRITE")
        waiting.send("SET", "k", "v")
        started = time.monotonic()
        eventually(lambda: control.call("PING") == PONG and info(control, "connected_clients") == 3, 8)
        assert time.monotonic() - started > 0.8
        assert is_closed(idle.socket)
        control.call("CLIENT", "UNPAUSE")
        assert waiting.read() == OK
        assert control.call("PUBLISH", "x", "y") == 1
        assert subscriber.read() == [b"message", b"x", b"y"]
        control.close()


def own_address():
    """An IPv4 address of this machine that is not a loopback one; skips without one. No packet is sent for that."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((ABSENT_ADDRESS, 9))
        except OSError:
            pytest.skip("this machine has no network")
        address = probe.getsockname()[0]
    if address.startswith("127."):
        pytest.skip("this machine has no address but loopback ones")
    return address


def test_protected_mode(start, loop):
    address = own_address()
    server = start("--bind", "*", loop=loop)
    with server.client() as local:
        with Client(server.port, address) as refused:
            assert refused.read().startswith("DENIED Redis is running in protected mode because")
            with pytest.raises(GONE):
                refused.read()
        local.call("CONFIG", "SET", "protected-mode", "no")
        with Client(server.port, address) as client:
            assert client.call("PING") == PONG
        local.call("CONFIG", "SET", "protected-mode", "yes")
        local.call("CONFIG", "SET", "requirepass", "secret")
        with Client(server.port, address) as client:
            assert client.call("PING") == Error("NOAUTH Authentication required.")
            assert client.call("AUTH", "secret") == OK
