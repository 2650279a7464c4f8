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
from types import SimpleNamespace

import pytest

import fastredis
from fastredis.commands.client_filters import Filters
from tests.helpers import held, info_number, state, wait_until
from tests.resp import Client, Closed, Error, Status, encode
from tests.rows import OK, PONG
from tests.servers import free_port

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
            assert not re.search("Traceback|Bug:|exception", server.log()), server.log()


def resident(server):
    """Bytes of RAM that the server's process occupies; 0 under AddressSanitizer, which keeps freed memory back."""
    if os.environ.get("FASTREDIS_BUILD") == "asan":
        return 0
    return int(Path(f"/proc/{server.pid}/statm").read_text().split()[1]) * resource.getpagesize()


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


def test_the_loop_is_the_one_asked_for(start, loop):
    server = start(loop=loop)
    assert ("/uvloop/" in Path(f"/proc/{server.pid}/maps").read_text()) == (loop == "uvloop")


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
        before = resident(server)
        try:
            while len(sockets) < IDLE:
                sockets += [raw_socket(server) for _ in range(200)]
                assert ask(sockets[-1], b"PING\r\n") == b"+PONG\r\n"    # they are accepted: the backlog is empty
            assert info_number(control, "connected_clients") == IDLE + 1
            for sock in sockets[::97]:
                assert ask(sock, b"PING\r\n") == b"+PONG\r\n"
            each = (resident(server) - before) / IDLE
            print(f"{loop}: {each:.0f} bytes of RAM an idle connection")
            assert each < PER_CONNECTION
        finally:
            for i, sock in enumerate(sockets):
                (reset if i % 2 else socket.socket.close)(sock)
        wait_until(lambda: info_number(control, "connected_clients") == 1)
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
            wait_until(lambda: info_number(control, "connected_clients") == 1)
            if round_number == 0:
                before = info_number(control, "used_memory")
        assert info_number(control, "used_memory") < before + 20_000


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
        before = resident(server)
        for _ in range(20):
            sock = raw_socket(server, receive_buffer=4096)
            send_what_goes(sock, encode("GET", "big") * 40 + encode("SUBSCRIBE", "x"))
            sock.recv(1000)
            reset(sock)
        wait_until(lambda: info_number(control, "connected_clients") == 1)
        assert control.call("PUBLISH", "x", "y") == 0
        assert resident(server) < before + 100 * MIB


def test_connections_reset_at_once(start, loop):
    """The server may meet them before, while or after it accepts them."""
    server = start(loop=loop)
    with server.client() as control:
        for number in range(300):
            sock = socket.socket()
            sock.setblocking(False)
            with contextlib.suppress(OSError):
                sock.connect(("127.0.0.1", server.port))
            if number % 3 == 0:
                with contextlib.suppress(OSError):
                    sock.send(encode("GET", "k") * 5 + b"*1\r\n$x")
            reset(sock)
        # Not at once: some may not be accepted yet.
        wait_until(lambda: info_number(control, "connected_clients") == 1)
        assert control.call("CLIENT", "LIST").count(b"\n") == 1


def test_clients_killed_in_the_turn_in_which_they_connect(start, loop):
    """They are clients as soon as they are accepted; the loop has no transport for them yet."""
    server = start(loop=loop)
    with server.client() as client:
        client.call("PING")
        descriptors = Path(f"/proc/{server.pid}/fd")
        before = len(list(descriptors.iterdir()))
        with held(server.pid):
            others = [server.client() for _ in range(5)]
            client.send("CLIENT", "KILL", "SKIPME", "yes", "TYPE", "normal")
        assert client.read() == 5
        for other in others:
            with pytest.raises((Closed, ConnectionError)):
                other.call("PING")
            other.close()
        assert len(client.call("CLIENT", "LIST").splitlines()) == 1
        wait_until(lambda: len(list(descriptors.iterdir())) == before)


# --- replies that nobody reads --------------------------------------------------------------------

def test_hard_limit_of_the_output(start, loop):
    server = start("--client-output-buffer-limit", "normal 2mb 0 0", loop=loop)
    with server.client() as control:
        control.call("SET", "big", bytes(256 * 1024))
        before = resident(server)
        slow = raw_socket(server, receive_buffer=4096)
        slow.settimeout(5)
        send_what_goes(slow, encode("GET", "big") * 1000)       # 256 MiB of replies
        wait_until(lambda: info_number(control, "connected_clients") == 1)
        assert is_closed(slow)
        slow.close()
        assert resident(server) < before + 60 * MIB
        assert info_number(control, "client_output_buffer_limit_disconnections") == 1
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
        wait_until(lambda: info_number(control, "connected_clients") == 3)
        started = time.monotonic()
        wait_until(lambda: info_number(control, "connected_clients") == 2)
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
        before = resident(server)
        sent, heard = 0, 2
        while heard == 2 and sent < 2000:
            heard = control.call("PUBLISH", "news", message)
            assert reader.read() == [b"message", b"news", message]
            sent += 1
        assert heard == 1 and sent > 10
        assert is_closed(slow)
        slow.close()
        assert resident(server) < before + 60 * MIB


def test_pipeline_that_is_read_at_its_end(start, loop):
    server = start(loop=loop)
    count = 100_000
    with server.client(timeout=60) as client, server.client() as other:
        for begin in range(0, count, 1000):
            client.send_raw(b"".join(encode("ECHO", f"{i:060}") for i in range(begin, begin + 1000)))
        assert other.call("PING") == PONG
        size = count * len(b"$60\r\n" + bytes(60) + b"\r\n")
        chunks = []
        while size:
            chunks.append(client.socket.recv(min(size, MIB)))
            assert chunks[-1]
            size -= len(chunks[-1])
        received = b"".join(chunks)
        assert received == b"".join(b"$60\r\n%060d\r\n" % i for i in range(count))
        assert client.call("PING") == PONG


@pytest.mark.parametrize("last, answer", [
    (encode("QUIT"), b"+OK\r\n"),
    (b"*1\r\n$x\r\n", b"-ERR Protocol error: invalid bulk length\r\n"),
    (encode("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "no"), b":2\r\n"),
], ids=["QUIT", "protocol error", "CLIENT KILL"])
def test_all_replies_come_before_the_end(start, loop, last, answer):
    """The server closes the connection, but not before 10 MiB of replies are read, however slowly that begins."""
    server = start(loop=loop)
    value = os.urandom(256 * 1024)
    with server.client(timeout=30) as control:
        control.call("SET", "big", value)
        sock = raw_socket(server, receive_buffer=4096)
        sock.sendall(encode("GET", "big") * 40 + last + encode("SET", "big", "too late"))
        time.sleep(0.1)
        chunks = []
        while data := sock.recv(MIB):
            chunks.append(data)
        sock.close()
        assert b"".join(chunks) == b"$262144\r\n%s\r\n" % value * 40 + answer
        with server.client() as second:
            assert second.call("STRLEN", "big") == len(value)


@pytest.mark.slow
def test_values_of_100_mib(start, loop):
    server = start(loop=loop)
    value = os.urandom(MIB) * 100
    with server.client(timeout=60) as client:
        before = resident(server)
        assert client.call("SET", "big", value) == OK
        assert client.call("STRLEN", "big") == len(value)
        assert client.call("GET", "big") == value
        assert client.pipeline([("APPEND", "big", b"x"), ("GETRANGE", "big", -3, -1)]) == [
            len(value) + 1, value[-2:] + b"x"]
        assert client.call("DEL", "big") == 1
        wait_until(lambda: info_number(client, "used_memory") < 20 * MIB)
        wait_until(lambda: resident(server) < before + 60 * MIB)


def test_limit_of_the_query_buffer(start, loop):
    server = start("--client-query-buffer-limit", "1mb", loop=loop)
    with server.client() as control:
        sock = raw_socket(server)
        send_what_goes(sock, b"*2\r\n$4\r\nECHO\r\n$9000000\r\n" + bytes(8 * MIB))
        assert is_closed(sock)
        sock.close()
        assert info_number(control, "connected_clients") == 1
        assert control.call("ECHO", bytes(500_000)) == bytes(500_000)
    assert "Closing client that reached max query buffer length" in server.log()


# --- who may connect ----------------------------------------------------------------------------

def test_clients_over_maxclients_are_refused(start, loop):
    server = start("--maxclients", 3, loop=loop)
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(server.client())]
        wait_until(lambda: info_number(clients[0], "connected_clients") == 1)   # who asked whether it is up has left
        clients += [stack.enter_context(server.client()) for _ in range(2)]
        assert [client.call("PING") for client in clients] == [PONG] * 3
        for _ in range(3):
            with server.client() as refused:
                assert refused.read() == Error("ERR max number of clients reached")
                with pytest.raises(GONE):
                    refused.read()
        assert info_number(clients[0], "rejected_connections") == 3
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
        wait_until(lambda: control.call("PING") == PONG and info_number(control, "connected_clients") == 3, seconds=8)
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


def test_who_is_refused_is_nobody_else(start, loop):
    """A descriptor's number is the next one's in the same turn, who may stay."""
    address = own_address()
    server = start("--bind", "0.0.0.0", loop=loop)
    with held(server.pid):
        refused = [Client(server.port, host=address), Client(server.port, host=address)]
        welcome = [server.client()]
        refused.append(Client(server.port, host=address))
        welcome.append(server.client())
    for client in refused:
        assert client.read().startswith("DENIED")
    for client in welcome:
        assert client.call("PING") == PONG
    for client in refused + welcome:
        client.close()


# --- where it listens ------------------------------------------------------------------------------

class Process:
    """A server whose start may fail or whose port nobody knows: `pid`, `log`, wait_for(text), end()."""

    def __init__(self, directory, *options, loop="asyncio"):
        environment = dict(os.environ, FASTREDIS_LOOP=loop,
                           PYTHONPATH=str(Path(fastredis.__file__).resolve().parent.parent))
        self.log_path = directory / f"log-{time.monotonic_ns()}"
        with self.log_path.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "fastredis", "--save", "", "--dir", str(directory), *map(str, options)],
                cwd=directory, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT)
        self.pid = self.process.pid

    @property
    def log(self):
        return self.log_path.read_text(errors="replace")

    def wait_for(self, text, seconds=15):
        give_up = time.monotonic() + seconds
        while text not in self.log:
            assert time.monotonic() < give_up and self.process.poll() is None, self.log
            time.sleep(0.01)

    def end(self, number=signal.SIGTERM):
        """Send a signal and wait -> the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(15)


@pytest.fixture
def launch(tmp_path):
    """launch(*options, loop=) -> Process in tmp_path, killed after the test if it still runs."""
    running = []

    def launched(*options, **how):
        running.append(Process(tmp_path, *options, **how))
        return running[-1]
    yield launched
    for server in running:
        server.end(signal.SIGKILL)


@contextlib.contextmanager
def unix_client(path):
    """A tests.resp.Client over a unix socket."""
    client = Client.__new__(Client)
    client.socket = socket.socket(socket.AF_UNIX)
    client.socket.settimeout(10)
    client.socket.connect(str(path))
    client.buffer, client.position, client.raw, client.attributes = b"", 0, b"", None
    with client:
        yield client


def test_unix_socket_only(launch, tmp_path, loop):
    path = tmp_path / "redis.sock"
    server = launch("--port", 0, "--unixsocket", path, "--unixsocketperm", 700, loop=loop)
    server.wait_for("Ready to accept connections unix")
    mode = os.stat(path).st_mode
    assert stat.S_ISSOCK(mode) and stat.S_IMODE(mode) == 0o700
    with unix_client(path) as client:
        assert client.pipeline([("SET", "k", "v"), ("GET", "k")]) == [OK, b"v"]
        assert b" addr=%s:0 " % str(path).encode() in client.call("CLIENT", "LIST")
        value = bytes(5 * MIB)
        assert client.call("ECHO", value) == value
    assert server.end() == 0
    assert not path.exists()
    assert " tcp" not in server.log


def test_socket_file_left_behind_is_replaced(launch, tmp_path, loop):
    path = tmp_path / "redis.sock"
    for number, code in ((signal.SIGKILL, -signal.SIGKILL), (signal.SIGTERM, 0)):
        server = launch("--port", 0, "--unixsocket", path, loop=loop)
        server.wait_for("Ready to accept connections unix")
        with unix_client(path) as client:
            assert client.call("PING") == PONG
        assert server.end(number) == code
        assert path.exists() == (number == signal.SIGKILL)


def test_file_in_the_place_of_the_socket_is_left_alone(launch, tmp_path):
    path = tmp_path / "redis.sock"
    path.write_text("precious")
    server = launch("--port", 0, "--unixsocket", path)
    assert server.process.wait(15) == 1
    assert "Failed opening Unix socket: bind: Address already in use" in server.log
    assert path.read_text() == "precious"


def test_nowhere_to_listen(launch):
    server = launch("--port", 0)
    assert server.process.wait(15) == 1
    assert "Configured to not listen anywhere, exiting." in server.log


def has_ipv6():
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET6) as probe:
        probe.bind(("::1", 0))
        return True
    return False


def test_ipv6(start, loop):
    if not has_ipv6():
        pytest.skip("this machine has no ::1")
    server = start("--bind", "127.0.0.1", "::1", loop=loop)
    with Client(server.port, "::1") as client:
        assert client.call("PING") == PONG
        assert b" addr=[::1]:" in client.call("CLIENT", "INFO")


def test_optional_addresses(start):
    """`-` in front: an address that this machine does not have is passed over."""
    server = start("--bind", "127.0.0.1", f"-{ABSENT_ADDRESS}")
    with server.client() as client:
        assert client.call("CONFIG", "GET", "bind") == [b"bind", f"127.0.0.1 -{ABSENT_ADDRESS}".encode()]


def test_addresses_that_must_be_there(launch):
    port = free_port()
    server = launch("--port", port, "--bind", "127.0.0.1", ABSENT_ADDRESS)
    assert server.process.wait(15) == 1
    assert f"Could not create server TCP listening socket {ABSENT_ADDRESS}:{port}: bind: Cannot assign requested " \
           "address" in server.log
    assert f"Failed listening on port {port} (tcp), aborting." in server.log


def test_port_in_use(start, launch):
    server = start()
    second = launch("--port", server.port, "--bind", "127.0.0.1")
    assert second.process.wait(15) == 1
    assert f"Could not create server TCP listening socket 127.0.0.1:{server.port}: bind: Address already in use" \
        in second.log
    assert f"Failed listening on port {server.port}" in second.log
    with server.client() as client:
        assert client.call("PING") == PONG


def test_port_moves_at_run_time(start, loop):
    server, neighbour = start(loop=loop), start()
    old, new = server.port, free_port()
    with server.client() as client:
        assert client.call("CONFIG", "SET", "port", new) == OK
        with Client(new) as other:
            assert other.call("SET", "k", "v") == OK
        with pytest.raises(ConnectionRefusedError):
            Client(old)
        assert client.call("GET", "k") == b"v"
        assert client.call("CONFIG", "SET", "port", neighbour.port) == Error(
            "ERR CONFIG SET failed (possibly related to argument 'port') - Unable to listen on this port. "
            "Check server logs.")
        assert client.call("CONFIG", "GET", "port") == [b"port", str(new).encode()]
        with Client(new) as other:
            assert other.call("GET", "k") == b"v"
        assert client.call("CONFIG", "SET", "port", old) == OK
    with server.client() as client:
        assert client.call("GET", "k") == b"v"


def test_addresses_change_at_run_time(start, loop):
    server = start(loop=loop)
    with server.client() as client:
        assert client.call("CONFIG", "SET", "bind", "127.0.0.2") == OK
        with Client(server.port, "127.0.0.2") as other:
            assert other.call("PING") == PONG
        with pytest.raises(ConnectionRefusedError):
            Client(server.port)
        assert client.call("CONFIG", "SET", "bind", ABSENT_ADDRESS) == Error(
            "ERR CONFIG SET failed (possibly related to argument 'bind') - Failed to bind to specified addresses.")
        assert client.call("CONFIG", "GET", "bind") == [b"bind", b"127.0.0.2"]
        with Client(server.port, "127.0.0.2") as other:
            assert other.call("PING") == PONG
        assert client.call("CONFIG", "SET", "bind", "127.0.0.1 127.0.0.2") == OK
        for address in ("127.0.0.1", "127.0.0.2"):
            with Client(server.port, address) as other:
                assert other.call("PING") == PONG
        assert client.call("CONFIG", "SET", "bind", "127.0.0.1") == OK


# --- start and stop ---------------------------------------------------------------------------------

@pytest.mark.parametrize("number, code, text", [
    (signal.SIGTERM, 0, "Received SIGTERM scheduling shutdown..."),
    (signal.SIGINT, 0, "Received SIGINT scheduling shutdown..."),
    (signal.SIGKILL, -signal.SIGKILL, ""),
], ids=["SIGTERM", "SIGINT", "SIGKILL"])
def test_stop_and_start_on_the_same_port(launch, number, code, text, loop):
    """With a client connected, whose connection keeps the port busy for the kernel; three times in a row."""
    port = free_port()
    for _ in range(2):
        server = launch("--port", port, "--bind", "127.0.0.1", loop=loop)
        server.wait_for("Ready to accept connections")
        with Client(port) as client:
            assert client.pipeline([("SET", "k", "v"), ("GET", "k")]) == [OK, b"v"]
            assert server.end(number) == code
            with pytest.raises(GONE):
                client.call("PING")
        assert text in server.log
        assert ("bye bye..." in server.log) == (code == 0)


def test_wrong_settings_end_it(launch):
    server = launch("--maxclients", "x")
    assert server.process.wait(15) == 1
    assert "*** FATAL CONFIG FILE ERROR" in server.log


# What a loaded machine may need to the first reply; a sanitizer looks at each module that is loaded.
START_SECONDS = 10.0 if os.environ.get("FASTREDIS_BUILD") == "asan" else 2.0


def test_time_to_the_first_reply(launch, loop):
    best = START_SECONDS
    for _ in range(3):
        port = free_port()
        started = time.monotonic()
        server = launch("--port", port, "--bind", "127.0.0.1", loop=loop)
        while True:
            try:
                with Client(port) as client:
                    assert client.call("PING") == PONG
                    break
            except ConnectionRefusedError:
                assert time.monotonic() < started + 15, server.log
                time.sleep(0.002)
        best = min(best, time.monotonic() - started)
        server.end()
    print(f"{loop}: first reply {best:.3f} s after the start")
    assert best < START_SECONDS


def test_daemon_with_pidfile_and_logfile(launch, tmp_path):
    port, pidfile, logfile = free_port(), tmp_path / "x.pid", tmp_path / "x.log"
    parent = launch("--port", port, "--bind", "127.0.0.1", "--daemonize", "yes", "--pidfile", pidfile,
                    "--logfile", logfile)
    assert parent.process.wait(15) == 0
    wait_until(lambda: logfile.exists() and "Ready to accept connections" in logfile.read_text())
    pid = int(pidfile.read_text())
    try:
        with Client(port) as client:
            assert info_number(client, "process_id") == pid
    finally:
        os.kill(pid, signal.SIGTERM)
    wait_until(lambda: not pidfile.exists() and state(pid) in (None, "Z"))
    assert parent.log == ""
    assert "Removing the pid file." in logfile.read_text()


LOG_LINE = re.compile(r"(\d+):([MCSX]) (\d\d \w{3} \d{4} \d\d:\d\d:\d\d\.\d{3}) ([.\-*#]) (.*)")


def test_log_of_a_start_and_a_stop(start):
    """Every line has redis-server's form, and those that tools wait for are there, in its order."""
    server = start()
    pid = server.pid
    server.process.terminate()
    server.process.wait(15)
    lines = [LOG_LINE.fullmatch(line) for line in server.log().splitlines()]
    assert all(lines), server.log()
    assert {int(line[1]) for line in lines} == {pid}
    texts = [line[5] for line in lines]
    awaited = ["Configuration loaded", "Running mode=standalone, port=", "Server initialized",
               "Ready to accept connections", "Received SIGTERM scheduling shutdown...", "User requested shutdown...",
               "bye bye..."]
    places = [next(i for i, text in enumerate(texts) if wanted in text) for wanted in awaited]
    assert places == sorted(places)


def test_logo_tells_port_and_pid(start):
    server = start("--always-show-logo", "yes")
    assert f" Port: {server.port}\n" in server.log()
    assert f" PID: {server.pid}\n" in server.log()


def test_renamed_commands(start):
    server = start(config='rename-command GET fetch\nrename-command FLUSHALL ""\n')
    with server.client() as client:
        assert client.call("SET", "k", "v") == OK
        assert client.call("GET", "k").startswith("ERR unknown command 'GET'")
        assert client.call("FLUSHALL").startswith("ERR unknown command 'FLUSHALL'")
        assert client.call("Fetch", "k") == b"v"


@pytest.mark.parametrize("command", ["CLIENT HELP", "CONFIG HELP", "COMMAND HELP", "MEMORY HELP", "OBJECT HELP",
                                     "PUBSUB HELP", "DEBUG HELP"])
def test_help_of_containers(either_target, command):
    """A line that names the container, then two lines or more for each subcommand, HELP itself last."""
    name = command.split()[0]
    with either_target.server.client() as client:
        lines = client.call(*command.split())
    assert lines[0] == Status(f"{name} <subcommand> [<arg> [value] [opt] ...]. Subcommands are:")
    assert lines[-2:] == [Status("HELP"), Status("    Prints this help.")]


# --- other clients -----------------------------------------------------------------------------------

def tool(name):
    path = shutil.which(name)
    if path is None:
        pytest.skip(f"there is no {name}")
    return path


def test_redis_cli(start):
    command = [tool("redis-cli"), "-p", "{port}"]
    server = start()
    command[2] = str(server.port)

    def cli(*words, **how):
        result = subprocess.run([*command, *words], capture_output=True, text=True, timeout=20, check=True, **how)
        assert result.stderr == ""
        return result.stdout
    assert cli("SET", "k", "v") == "OK\n"
    assert cli("-3", "GET", "k") == "v\n"
    assert cli(input="INCR n\nINCR n\nDBSIZE\n") == "1\n2\n2\n"
    assert cli("--scan") in ("k\nn\n", "n\nk\n")
    assert "# Server" in cli("INFO")
    assert cli("--pipe", input="SET p 1\r\n" * 1000).endswith("errors: 0, replies: 1000\n")
    assert cli("-r", "3", "PING") == "PONG\n" * 3


def test_redis_benchmark(start, loop):
    path = tool("redis-benchmark")
    server = start(loop=loop)
    for options in ((), ("-P", "16"), ("-c", "1")):
        result = subprocess.run(
            [path, "-p", str(server.port), "-t", "ping,set,get,incr,mset", "-n", "1600", "-q", *options],
            capture_output=True, text=True, timeout=60, check=True)
        assert result.stderr == "" and "rror" not in result.stdout
        assert len(re.findall(r"requests per second", result.stdout)) >= 6
    with server.client() as client:
        assert client.call("GET", "counter:__rand_int__") == b"4800"


def kinds_of_messages(listener, count):
    """The types of the next messages that a redis-py PubSub gets."""
    kinds = set()
    give_up = time.monotonic() + 10
    while len(kinds) < count and time.monotonic() < give_up:
        message = listener.get_message(timeout=1)
        kinds |= {message["type"]} if message else set()
    return kinds


def test_redis_py(start):
    redis = pytest.importorskip("redis")
    server = start()
    for protocol in (2, 3):
        with redis.Redis(port=server.port, protocol=protocol) as client:
            client.flushall()
            assert client.set("k", "v", ex=100) and client.get("k") == b"v" and 0 < client.ttl("k") <= 100
            with client.pipeline() as pipe:
                assert pipe.incr("n").incr("n").get("n").execute() == [1, 2, b"2"]
            with client.pipeline(transaction=False) as pipe:
                replies = pipe.set("s", "x").incr("s").get("s").execute(raise_on_error=False)
                assert replies[0] and isinstance(replies[1], redis.ResponseError) and replies[2] == b"x"

            def double(pipe):
                value = int(pipe.get("n"))
                if value == 2:
                    client.set("n", 5)          # another client: the transaction has to start over
                pipe.multi()
                pipe.set("n", value * 2)
            assert client.transaction(double, "n") == [True] and client.get("n") == b"10"

            listener = client.pubsub(ignore_subscribe_messages=True)
            listener.subscribe("news")
            listener.psubscribe("n*")
            while client.publish("news", "x") < 2:
                time.sleep(0.01)
            assert kinds_of_messages(listener, 2) == {"message", "pmessage"}
            listener.close()
            assert client.info("server")["tcp_port"] == server.port
            assert set(client.scan_iter()) == {b"k", b"n", b"s"}


def test_redis_py_asyncio(start):
    pytest.importorskip("redis")
    from redis import asyncio as redis

    server = start()

    async def work():
        async with redis.Redis(port=server.port) as client:
            await client.set("k", "v")
            assert await asyncio.gather(*[client.get("k") for _ in range(50)]) == [b"v"] * 50
            async with client.pipeline(transaction=True) as pipe:
                assert await pipe.incr("n").incr("n").execute() == [1, 2]
            async with client.pubsub(ignore_subscribe_messages=True) as listener:
                await listener.subscribe("news")
                while not await client.publish("news", "x"):
                    await asyncio.sleep(0.01)
                while not (message := await listener.get_message(timeout=5)):
                    pass
                assert message["data"] == b"x"
    asyncio.run(asyncio.wait_for(work(), 30))


def test_maxclients_is_reduced_to_what_the_system_allows(fresh_server):
    server = fresh_server("--maxclients", "4000000000")
    with server.client() as client:
        allowed = int(client.call("CONFIG", "GET", "maxclients")[1])
    assert 0 < allowed < 4_000_000_000
    assert f"maxclients has been reduced to {allowed} to compensate for low ulimit" in server.log()


def test_without_a_password_nobody_has_to_log_in(fresh_server):
    """Who connected while there was one may go on when it is gone, and not when it is back."""
    server = fresh_server("--requirepass", "x")
    with server.client() as stranger, server.client() as owner:
        owner.call("AUTH", "x")
        assert stranger.call("GET", "k") == Error("NOAUTH Authentication required.")
        owner.call("CONFIG", "SET", "requirepass", "")
        assert stranger.call("GET", "k") is None
        owner.call("CONFIG", "SET", "requirepass", "y")
        assert stranger.call("GET", "k") == Error("NOAUTH Authentication required.")
        assert owner.call("GET", "k") is None


def test_room_of_a_long_published_message_is_given_back(fresh_server):
    server = fresh_server()
    with server.client() as watcher:
        watcher.call("DEBUG", "REPLYBUFFER", "PEAK-RESET-TIME", "50")
        before = info_number(watcher, "used_memory")
        with server.client() as publisher, server.client() as subscriber:
            subscriber.call("SUBSCRIBE", "c")
            assert publisher.call("PUBLISH", "c", "x" * 900_000) == 1
            assert len(subscriber.read()[2]) == 900_000
        wait_until(lambda: info_number(watcher, "used_memory") < before + 100_000)


@pytest.mark.skipif(os.environ.get("FASTREDIS_BUILD") == "asan", reason="AddressSanitizer reports crashes itself")
@pytest.mark.parametrize("crash", ["SIGABRT", "SIGSEGV", "DEBUG SEGFAULT", "DEBUG PANIC"])
def test_crash_is_reported(fresh_server, crash):
    """The log tells of the signal and has the Python stack; the process dies of the signal."""
    server = fresh_server()
    if crash.startswith("SIG"):
        os.kill(server.process.pid, getattr(signal, crash))
    else:
        with server.client() as client, contextlib.suppress(Closed, OSError):
            client.call(*crash.split())
    server.process.wait(10)
    assert -server.process.returncode in (signal.SIGABRT, signal.SIGSEGV)
    assert f"crashed by signal: {-server.process.returncode}," in server.log()
    assert "most recent call first" in server.log()


def test_sigalrm_shows_where_the_server_is(fresh_server):
    server = fresh_server()
    os.kill(server.process.pid, signal.SIGALRM)
    wait_until(lambda: "Received SIGALRM" in server.log() and "most recent call first" in server.log())
    with server.client() as client:
        assert client.call("PING") == Status("PONG")


def test_the_watchdog_shows_where_the_server_is_stuck(fresh_server):
    server = fresh_server("--enable-debug-command", "yes")
    with server.client() as client:
        assert client.call("CONFIG", "SET", "watchdog-period", "1") == OK
        assert client.call("CONFIG", "GET", "watchdog-period") == [b"watchdog-period", b"200"]
        time.sleep(0.5)
        assert "WATCHDOG" not in server.log()       # it is not stuck
        assert client.call("DEBUG", "SLEEP", "0.6") == OK
        wait_until(lambda: "WATCHDOG TIMER EXPIRED" in server.log() and "most recent call first" in server.log())
        assert client.call("CONFIG", "SET", "watchdog-period", "0") == OK
        reports = server.log().count("WATCHDOG")
        assert client.call("DEBUG", "SLEEP", "0.5") == OK
        assert server.log().count("WATCHDOG") == reports


def test_attempts_by_http_are_told_once_a_minute(fresh_server):
    server = fresh_server()
    def attempt():
        with server.client() as client:
            client.send_raw(b"POST / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            with pytest.raises((Closed, ConnectionError)):
                client.read()
        return server.log().count("Possible SECURITY ATTACK detected")
    assert [attempt() for _ in range(3)] == [1, 1, 1]
    with server.client() as client:
        client.call("DEBUG", "CLOCK", "ADVANCE", "61000")
    assert [attempt() for _ in range(2)] == [2, 2]


@pytest.mark.parametrize("protocol", [2, 3])
def test_hello_tells_the_role(either_server, protocol):
    server = either_server()
    with server.client() as client:
        for follow, role in ((("127.0.0.1", "1"), b"replica"), (("no", "one"), b"master")):
            assert client.call("REPLICAOF", *follow) == OK
            reply = client.call("HELLO", protocol)
            fields = reply if protocol == 3 else dict(zip(reply[::2], reply[1::2], strict=True))
            assert fields[b"role"] == role


def test_an_id_needs_no_look_at_other_clients():
    class Clients(dict):
        def values(self):
            raise AssertionError("all clients are looked at")
    five = SimpleNamespace(id=5)
    asking = SimpleNamespace(engine=SimpleNamespace(clients=Clients({5: five})))
    assert Filters(asking, [b"SKIPME", b"no", b"Id", b"5"], listing=False).clients() == [five]
    assert Filters(asking, [b"ID", b"6"], listing=False).clients() == []
