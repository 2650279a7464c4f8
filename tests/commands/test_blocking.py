"""Clients that wait: timeouts on a clock that the test moves, CLIENT UNBLOCK and PAUSE, connections that end."""
import pytest

from tests.helpers import wait_for_blocked
from tests.resp import Error
from tests.rows import OK, PONG, UNBLOCKED


@pytest.fixture
def server(fresh_server):
    return fresh_server()


@pytest.fixture
def control(server):
    with server.client() as client:
        yield client


def calls(control, command):
    """Times that a command ran, by INFO commandstats."""
    for line in control.call("INFO", "commandstats").split(b"\r\n"):
        if line.startswith(f"cmdstat_{command}:".encode()):
            return int(line.split(b"calls=")[1].split(b",")[0])
    return 0


def test_wait_ends_with_its_timeout(server):
    with server.client() as client:
        assert client.call("WAIT", "1", "30") == 0
        assert client.call("WAITAOF", "0", "1", "30") == [0, 0]
        assert client.call("PING") == PONG


def test_timeouts_follow_the_clock(server, control):
    control.call("DEBUG", "CLOCK", "FREEZE")
    with server.client() as late, server.client() as soon:
        late.send("WAIT", "1", "60000")
        soon.send("WAITAOF", "0", "1", "20000")
        wait_for_blocked(control, 2)
        control.call("DEBUG", "CLOCK", "ADVANCE", "19999")
        wait_for_blocked(control, 2)
        control.call("DEBUG", "CLOCK", "ADVANCE", "1")
        assert soon.read() == [0, 0]
        wait_for_blocked(control, 1)
        control.call("DEBUG", "CLOCK", "ADVANCE", "50000")
        assert late.read() == 0
        wait_for_blocked(control, 0)


def test_no_wait_inside_multi(server):
    with server.client() as client:
        client.pipeline([("MULTI",), ("WAIT", "1", "0"), ("WAITAOF", "0", "1", "0")])
        assert client.call("EXEC") == [0, [0, 0]]


def test_waitaof_checks_its_arguments(server):
    with server.client() as client:
        assert client.call("WAITAOF", "1", "0", "0") == Error(
            "ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled.")
        assert client.call("WAITAOF", "2", "0", "0") == Error("ERR value is out of range, value must between 0 and 1")
        assert client.call("WAITAOF", "0", "-1", "0") == Error("ERR value is out of range, must be positive")
        assert client.call("WAITAOF", "0", "1", "-1") == Error("ERR timeout is negative")
        assert client.call("WAITAOF", "0", "0", "0") == [0, 0]
        assert client.call("WAIT", "0", str(2**63 - 1)) == Error("ERR timeout is out of range")


def test_what_follows_is_executed_after_the_wait(server, control):
    with server.client() as client:
        client.send("WAIT", "1", "0")
        client.send("SET", "k", "v")
        client.send("GET", "k")
        number = client_id_of(control, "wait")
        assert control.call("EXISTS", "k") == 0
        assert control.call("CLIENT", "UNBLOCK", number) == 1
        assert [client.read() for _ in range(3)] == [0, OK, b"v"]


def client_id_of(control, command):
    """The id of the client whose last command was `command`."""
    for _ in range(2000):
        for line in control.call("CLIENT", "LIST").split(b"\n"):
            if f" cmd={command} ".encode() in line and b" flags=b " in line:
                return line.split()[0].split(b"=")[1]
    raise AssertionError(f"nobody waits in {command}")


def test_pipelined_requests_wait_in_one_buffer(server, control):
    with server.client() as client:
        client.socket.sendall(b"PING\r\nWAIT 1 0\r\nPING a\r\nWAIT 1 0\r\nPING b\r\n")
        assert client.read() == PONG
        for answer in (b"a", b"b"):
            assert control.call("CLIENT", "UNBLOCK", client_id_of(control, "wait")) == 1
            assert client.read() == 0
            assert client.read() == answer


def test_unblock_with_an_error(server, control):
    with server.client() as client:
        client.send("WAIT", "1", "0")
        number = client_id_of(control, "wait")
        assert control.call("CLIENT", "UNBLOCK", number, "ERROR") == 1
        assert client.read() == UNBLOCKED
        assert control.call("CLIENT", "UNBLOCK", number, "ERROR") == 0


def test_waiting_command_is_counted_when_it_is_answered(server, control):
    with server.client() as client:
        client.send("WAIT", "1", "0")
        number = client_id_of(control, "wait")
        assert calls(control, "wait") == 0
        control.call("CLIENT", "UNBLOCK", number, "ERROR")
        assert client.read() == UNBLOCKED
        assert calls(control, "wait") == 1
        assert b"cmdstat_wait:calls=1," in (info := control.call("INFO", "commandstats"))
        assert b"failed_calls=1" in next(line for line in info.split(b"\r\n") if b"cmdstat_wait:" in line)


def test_reply_skip_covers_the_answer_of_a_wait(server, control):
    with server.client() as client:
        client.send("CLIENT", "REPLY", "SKIP")
        client.send("WAIT", "1", "0")
        client.send("PING")
        control.call("CLIENT", "UNBLOCK", client_id_of(control, "wait"))
        assert client.read() == PONG


def test_waiting_client_that_leaves_is_forgotten(server, control):
    with server.client() as client:
        client.send("WAIT", "1", "600000")
        wait_for_blocked(control, 1)
        assert b"clients_in_timeout_table:1\r\n" in control.call("INFO", "clients")
    wait_for_blocked(control, 0)
    assert b"clients_in_timeout_table:0\r\n" in control.call("INFO", "clients")


def test_waiting_client_that_is_killed_is_forgotten(server, control):
    with server.client() as client:
        client.send("WAIT", "1", "0")
        assert control.call("CLIENT", "KILL", "ID", client_id_of(control, "wait")) == 1
        wait_for_blocked(control, 0)


# --- CLIENT PAUSE -------------------------------------------------------------------------

def test_pause_ends_with_its_time(server, control):
    control.call("DEBUG", "CLOCK", "FREEZE")
    control.call("CLIENT", "PAUSE", "5000", "WRITE")
    with server.client() as writer:
        writer.send("SET", "k", "v")
        wait_for_blocked(control, 1)
        assert control.call("GET", "k") is None
        control.call("DEBUG", "CLOCK", "ADVANCE", "5000")
        assert writer.read() == OK
        wait_for_blocked(control, 0)


def test_scripts_count_as_writes(either_server):
    """Whether one will write nobody knows before; those that may not do not wait."""
    with either_server() as server, server.client() as control, server.client() as client:
        sha = control.call("SCRIPT", "LOAD", "return 2")
        control.call("CLIENT", "PAUSE", "600000", "WRITE")
        assert client.call("EVAL_RO", "return 1", 0) == 1 and client.call("EVALSHA_RO", sha, 0) == 2
        for words in (["EVAL", "return redis.call('SET', KEYS[1], 'v')", 1, "k"], ["EVALSHA", sha, 0]):
            with server.client() as other:
                other.send(*words)
                assert not other.pending(0.1)
        assert control.call("EXISTS", "k") == 0
        control.call("CLIENT", "UNPAUSE")


def test_pause_of_all_commands_ends_by_itself(server):
    with server.client() as client:
        assert client.call("CLIENT", "PAUSE", "50", "ALL") == OK
        assert client.call("PING") == PONG


def test_pause_holds_the_rest_of_a_pipeline(server, control):
    control.call("CLIENT", "PAUSE", "600000", "WRITE")
    with server.client() as client:
        client.socket.sendall(b"PING 1\r\nSET k v\r\nGET k\r\n*2\r\n$4\r\nPI")
        assert client.read() == b"1"
        wait_for_blocked(control, 1)
        client.socket.sendall(b"NG\r\n$1\r\n2\r\n")
        assert not client.pending(0.05)
        control.call("CLIENT", "UNPAUSE")
        assert [client.read() for _ in range(3)] == [OK, b"v", b"2"]


def test_pause_holds_exec_that_writes(server, control):
    with server.client() as reader, server.client() as writer:
        reader.pipeline([("MULTI",), ("GET", "k")])
        writer.pipeline([("MULTI",), ("SET", "k", "v")])
        control.call("CLIENT", "PAUSE", "600000", "WRITE")
        assert reader.call("EXEC") == [None]
        writer.send("EXEC")
        wait_for_blocked(control, 1)
        control.call("CLIENT", "UNPAUSE")
        assert writer.read() == [OK]


def test_pause_cannot_be_unblocked_and_keeps_what_is_stricter(server, control):
    control.call("CLIENT", "PAUSE", "600000", "WRITE")
    control.call("CLIENT", "PAUSE", "1", "WRITE")
    with server.client() as writer:
        number = writer.call("CLIENT", "ID")
        writer.send("SET", "k", "v")
        wait_for_blocked(control, 1)
        assert control.call("CLIENT", "UNBLOCK", number) == 0
        assert control.call("EXISTS", "k") == 0


def test_paused_client_that_leaves_is_forgotten(server, control):
    control.call("CLIENT", "PAUSE", "600000", "WRITE")
    with server.client() as writer:
        writer.send("SET", "k", "v")
        wait_for_blocked(control, 1)
    wait_for_blocked(control, 0)
    control.call("CLIENT", "UNPAUSE")
    assert control.call("EXISTS", "k") == 0


def test_keys_stay_while_paused_but_are_not_seen(server, control):
    control.call("DEBUG", "CLOCK", "FREEZE")
    control.call("SET", "k", "v", "PX", "100")
    control.call("CLIENT", "PAUSE", "5000", "WRITE")
    control.call("DEBUG", "CLOCK", "ADVANCE", "1000")
    assert control.call("GET", "k") is None
    assert control.call("DBSIZE") == 1
    control.call("CLIENT", "UNPAUSE")
    assert control.call("GET", "k") is None
    assert control.call("DBSIZE") == 0
