"""MONITOR beyond what rows can show: commands that wait, addresses, time, loading, clients that are slow or go."""
import re
import socket
import time

from tests.local import NOW_MS
from tests.resp import Client, Status
from tests.rows import OK, PONG
from tests.servers import fastredis_server

LINE = re.compile(r'\d+\.\d{6} \[(\d+) (\S+)\] (".*")')


def shown(monitor):
    """The next line that a monitor is shown -> database, address, arguments as they are quoted."""
    line = monitor.read()
    assert isinstance(line, Status)
    database, address, arguments = LINE.fullmatch(line).groups()
    return int(database), address, arguments


class UnixClient(Client):
    """tests.resp.Client on a unix socket."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(5.0)
        self.socket.connect(str(path))
        self.buffer, self.position = b"", 0


def test_a_command_that_waits_is_shown_when_it_comes_and_not_again(either_server):
    server = either_server()
    with server.client() as monitor, server.client() as waiting, server.client() as other:
        assert monitor.call("MONITOR") == OK
        waiting.send("BLPOP", "l", "0")
        assert shown(monitor)[2] == '"BLPOP" "l" "0"'
        assert other.call("RPUSH", "l", "a") == 1
        assert waiting.read() == [b"l", b"a"]
        assert other.call("PING") == PONG
        assert shown(monitor)[2] == '"RPUSH" "l" "a"'
        assert shown(monitor)[2] == '"PING"'


def test_a_command_that_is_tried_again_in_vain_is_shown_once(local):
    monitor, waiting, other = (local.client() for _ in range(3))
    monitor.call("MONITOR")
    waiting.send("BLMOVEM", "k", "l", "LEFT", "RIGHT", "0", "EXACTLY", "2", "BULK")
    other.call("RPUSH", "k", "a")
    other.call("RPUSH", "k", "b")
    assert waiting.read() == [b"a", b"b"]
    other.call("PING")
    assert [shown(monitor)[2].split()[0] for _ in range(4)] == ['"BLMOVEM"', '"RPUSH"', '"RPUSH"', '"PING"']


def test_every_byte_is_quoted_as_redis_does(either_server):
    escaped = {7: r"\a", 8: r"\b", 9: r"\t", 10: r"\n", 13: r"\r", 34: r'\"', 92: r"\\"}
    wanted = "".join(escaped.get(byte, chr(byte) if 32 <= byte < 127 else f"\\x{byte:02x}") for byte in range(256))
    server = either_server()
    with server.client() as monitor, server.client() as other:
        monitor.call("MONITOR")
        other.call("ECHO", bytes(range(256)))
        assert shown(monitor)[2] == f'"ECHO" "{wanted}"'
        other.call("ECHO", "")
        assert shown(monitor)[2] == '"ECHO" ""'


def test_a_long_pipeline_is_shown_whole_and_in_order(either_server):
    server = either_server()
    with server.client(timeout=20.0) as monitor, server.client(timeout=20.0) as other:
        monitor.call("MONITOR")
        other.pipeline([("SET", f"k{i}", "v" * (i % 300)) for i in range(5000)])
        for i in range(5000):
            assert shown(monitor)[2] == f'"SET" "k{i}" "{"v" * (i % 300)}"'


def test_a_client_of_the_unix_socket_is_shown_by_its_path(either_server, tmp_path):
    path = tmp_path / "redis.sock"
    server = either_server("--unixsocket", str(path))
    with server.client() as monitor, UnixClient(path) as other:
        monitor.call("MONITOR")
        other.call("SELECT", "5")
        assert shown(monitor) == (5, f"unix:{path}", '"SELECT" "5"')


def test_a_monitor_that_does_not_read_is_held_to_the_limit_of_normal_clients(either_server):
    server = either_server("--client-output-buffer-limit", "normal 1mb 0 0 slave 0 0 0")
    with server.client() as monitor, server.client(timeout=20.0) as other:
        monitor.call("MONITOR")
        end = time.monotonic() + 20
        while b" flags=O " in other.call("CLIENT", "LIST"):
            assert time.monotonic() < end, "the monitor was not closed"
            other.call("ECHO", "x" * 200000)


def test_what_is_loaded_is_not_shown():
    with fastredis_server("--appendonly", "yes") as server, server.client() as monitor, server.client() as other:
        other.call("SET", "k", "v")
        monitor.call("MONITOR")
        assert other.call("DEBUG", "LOADAOF") == OK
        assert other.call("GET", "k") == b"v"
        assert shown(monitor)[2] == '"GET" "k"'


def test_the_time_is_the_engines(local):
    monitor, other = local.client(), local.client()
    monitor.call("MONITOR")
    other.call("PING")
    local.advance(1234)
    other.call("PING")
    assert [monitor.read().split()[0] for _ in range(2)] == [
        f"{ms // 1000}.{ms % 1000:03}000" for ms in (NOW_MS, NOW_MS + 1234)]


def test_all_monitors_see_the_same_until_they_leave(local):
    first, second, other = (local.client() for _ in range(3))
    assert local.engine.monitors.count == 0
    first.call("MONITOR")
    second.call("MONITOR")
    assert local.engine.monitors.count == 2
    other.call("PING")
    assert first.read() == second.read()
    first.call("RESET")
    second.socket.close()
    assert local.engine.monitors.count == 0
    other.call("PING")
    assert not first.socket.output


def test_a_monitor_does_not_time_out(local):
    monitor = local.client()
    assert monitor.connection.may_time_out
    monitor.call("MONITOR")
    assert not monitor.connection.may_time_out
    monitor.call("RESET")
    assert monitor.connection.may_time_out
