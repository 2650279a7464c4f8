"""MIGRATE while its target takes its time: others are served, and no write of theirs is lost."""
import contextlib
import socket
import time

import pytest

from tests.helpers import info, wait_until
from tests.resp import Error, Status, encode
from tests.rows import OK, PONG
from tests.test_migrate import CONNECTING, NOKEY, READING

QUEUED = Status("QUEUED")
RESTORED = b"+OK\r\n+OK\r\n"        # of SELECT and one RESTORE
CHANGED = "ERR A key was changed while it was on its way"


class Target:
    """Takes connections, and answers when it is told to."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.peer = None

    def migrate(self, client, *options, key="k", timeout=20_000):
        client.send("MIGRATE", "127.0.0.1", self.port, key, 0, timeout, *options)

    def receive(self):
        """Until the RESTOREs have come."""
        if self.peer is None:
            self.listener.settimeout(20)
            self.peer, _ = self.listener.accept()
            self.peer.settimeout(20)
        data = b""
        while b"RESTORE" not in data:
            data += self.peer.recv(65536)
        return data

    def answer(self, data=RESTORED):
        self.peer.sendall(data)


@pytest.fixture
def target():
    target = Target()
    with contextlib.closing(target.listener):
        yield target
        if target.peer is not None:
            target.peer.close()


@pytest.fixture(params=["uvloop", "asyncio"])
def server(fresh_server, request):
    return fresh_server(loop=request.param)


@pytest.fixture
def here(server):
    """The one who migrates, and another client."""
    with server.client(timeout=20) as client, server.client(timeout=20) as other:
        client.call("SET", "k", "v")
        yield client, other


def test_others_are_served_while_the_target_is_silent(here, target):
    client, other = here
    target.migrate(client)
    target.receive()
    start = time.monotonic()
    assert other.call("PING") == PONG and other.call("GET", "k") == b"v" and other.call("SET", "x", 1) == OK
    assert time.monotonic() - start < 5 and not client.pending(0.02)
    target.answer()
    assert client.read() == OK
    assert other.call("EXISTS", "k") == 0


def test_others_are_served_while_it_connects(here):
    """To a queue that is full: connect(2) takes as long as it may."""
    client, other = here
    with socket.socket() as listener, contextlib.ExitStack() as stack:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(3):
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
        client.send("MIGRATE", *listener.getsockname(), "k", 0, 3000)
        for _ in range(5):
            assert other.call("PING") == PONG
        assert not client.pending(0.02)
        assert client.read() == CONNECTING
    assert client.call("GET", "k") == b"v"


def test_a_silent_target_times_out(here, target):
    client, other = here
    target.migrate(client, timeout=300)
    target.receive()
    assert client.read() == READING
    assert other.call("GET", "k") == b"v" and other.call("SET", "k", "w") == OK
    assert info(other)["migrate_cached_sockets"] == "0"


@pytest.mark.parametrize("write", [["APPEND", "k", "x"], ["EVAL", "return redis.call('APPEND', KEYS[1], 'x')", 1, "k"]])
def test_a_write_waits_for_the_end(here, target, write):
    """... and finds that the key is gone, or still here."""
    client, other = here
    for answer, length in ((RESTORED, 1), (b"-ERR no\r\n", 2)):
        client.call("SET", "k", "v")
        target.migrate(client)
        target.receive()
        other.send(*write)
        assert not other.pending(0.1)
        target.answer(answer)
        assert client.read() == (OK if length == 1 else Error("ERR Target instance replied with error: ERR no"))
        assert other.read() == length


def test_an_exec_waits_as_well(here, target):
    client, other = here
    target.migrate(client)
    target.receive()
    other.send_raw(b"".join(encode(*words) for words in (["MULTI"], ["GET", "k"], ["SET", "k", "w"], ["EXEC"])))
    assert [other.read() for _ in range(3)] == [OK, QUEUED, QUEUED] and not other.pending(0.1)
    target.answer()
    assert client.read() == OK and other.read() == [None, OK]
    assert other.call("GET", "k") == b"w"


def test_what_is_changed_all_the_same_stays(here, target):
    """A script that does not say which key it writes."""
    client, other = here
    target.migrate(client)
    target.receive()
    assert other.call("EVAL", "return redis.call('SET', string.char(107), 'new')", 0) == OK
    target.answer()
    assert client.read().startswith(CHANGED)
    assert other.call("GET", "k") == b"new" and other.call("SET", "k", "w") == OK


@pytest.mark.parametrize("end", [["FLUSHALL"], ["EVAL", "return redis.call('DEL', string.char(107))", 0]])
def test_what_is_gone_by_then_has_gone_after_it(here, target, end):
    client, other = here
    target.migrate(client)
    target.receive()
    other.call(*end)
    target.answer()
    assert client.read() == OK and other.call("DBSIZE") == 0


def test_its_time_comes_meanwhile(here, target):
    client, other = here
    other.call("PEXPIRE", "k", 60_000)
    target.migrate(client)
    target.receive()
    other.call("DEBUG", "CLOCK", "ADVANCE", 61_000)
    wait_until(lambda: other.call("DBSIZE") == 0)
    target.answer()
    assert client.read() == OK


def test_the_client_is_gone_by_then(server, target):
    """A command that was read is executed, as in Redis."""
    with server.client() as other:
        with server.client() as client:
            client.call("SET", "k", "v")
            target.migrate(client)
            target.receive()
        wait_until(lambda: info(other)["connected_clients"] == "1")
        target.answer()
        wait_until(lambda: other.call("EXISTS", "k") == 0)


def test_writes_that_are_paused_are_waited_for(here, target):
    client, other = here
    target.migrate(client)
    target.receive()
    other.call("CLIENT", "PAUSE", 60_000, "WRITE")
    target.answer()
    assert not client.pending(0.2) and other.call("EXISTS", "k") == 1
    other.call("CLIENT", "UNPAUSE")
    assert client.read() == OK and other.call("EXISTS", "k") == 0


def test_a_change_of_role_ends_it(here, target):
    client, other = here
    target.migrate(client)
    target.receive()
    other.call("REPLICAOF", "127.0.0.1", 1)
    assert client.read().startswith("UNBLOCKED")
    target.answer()
    assert other.call("REPLICAOF", "NO", "ONE") == OK
    assert other.call("GET", "k") == b"v" and other.call("SET", "k", "w") == OK


def test_two_at_a_time(here, target):
    client, other = here
    other.call("SET", "other", "v")
    second = Target()
    with contextlib.closing(second.listener):
        target.migrate(client)
        second.migrate(other, key="other")
        second.receive()
        target.receive()
        target.answer()
        second.answer()
        assert client.read() == OK and other.read() == OK
        assert client.call("DBSIZE") == 0
        second.peer.close()


def test_the_same_key_twice(here, target):
    """Who comes second waits, and finds nothing."""
    client, other = here
    target.migrate(client)
    target.receive()
    target.migrate(other)
    assert not other.pending(0.1)
    target.answer()
    assert client.read() == OK and other.read() == NOKEY


def test_the_end_of_the_server(server, target):
    """Nothing is left behind that the log would tell of."""
    with server.client() as client:
        client.call("SET", "k", "v")
        target.migrate(client)
        target.receive()
        server.process.terminate()
        assert server.process.wait(20) == 0
    assert "Task was destroyed" not in server.log()
