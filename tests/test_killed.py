"""Clients that are closed take part in nothing any more, from the moment on that this is decided."""
import contextlib

import pytest

from tests.helpers import info, wait_for_blocked, wait_until
from tests.resp import Closed, encode
from tests.rows import OK, PONG


@pytest.fixture
def start(either_server):
    return lambda *options: either_server(*options)


def identity(client):
    return str(client.call("CLIENT", "ID"))


def send_all(client, commands):
    """Send commands of which the server may not want all."""
    with contextlib.suppress(ConnectionError):
        client.send_raw(b"".join(encode(*command) for command in commands))


def is_closed(client):
    """Whether the server has closed the connection; what it sent before is passed over."""
    try:
        while True:
            client.read()
    except (Closed, ConnectionError):
        return True


# --- CLIENT KILL ------------------------------------------------------------------------------

WAITS = {
    "list": ("BLPOP k 0", "RPUSH k a", "LLEN k", 1),
    "move": ("BLMOVE k other LEFT LEFT 0", "RPUSH k a", "LLEN k", 1),
    "sorted set": ("BZPOPMIN k 0", "ZADD k 1 a", "ZCARD k", 1),
}


@pytest.mark.parametrize("case", WAITS)
@pytest.mark.parametrize("in_multi", [False, True])
def test_a_killed_client_takes_no_element(start, case, in_multi):
    wait, push, count, left = (part.split() if isinstance(part, str) else part for part in WAITS[case])
    server = start()
    with server.client() as waiting, server.client() as heir, server.client() as control:
        number = identity(waiting)
        waiting.send(*wait)
        wait_for_blocked(control, 1)
        commands = [("CLIENT", "KILL", "ID", number), tuple(push), tuple(count)]
        if in_multi:
            control.pipeline([("MULTI",), *commands])
            assert control.call("EXEC") == [1, 1, left]
        else:
            assert control.pipeline(commands) == [1, 1, left]
        assert is_closed(waiting)
        heir.send(*wait)
        heir.read()                 # the element is there for the next one
        assert control.call(*count) == 0


@pytest.mark.parametrize("in_multi", [False, True])
def test_the_next_in_line_is_served(start, in_multi):
    server = start()
    with server.client() as first, server.client() as second, server.client() as control:
        number = identity(first)
        first.send("BLPOP", "k", "0")
        wait_for_blocked(control, 1)
        second.send("BLPOP", "k", "0")
        wait_for_blocked(control, 2)
        commands = [("CLIENT", "KILL", "ID", number), ("RPUSH", "k", "a")]
        control.pipeline([("MULTI",), *commands, ("EXEC",)] if in_multi else commands)
        assert second.read() == [b"k", b"a"]
        assert is_closed(first)


@pytest.mark.parametrize("protocol", [2, 3])
@pytest.mark.parametrize("in_multi", [False, True])
def test_a_killed_subscriber_does_not_count(start, protocol, in_multi):
    server = start()
    with server.client(protocol) as subscriber, server.client() as control:
        number = identity(subscriber)
        for command in ("SUBSCRIBE", "PSUBSCRIBE", "SSUBSCRIBE"):
            subscriber.call(command, "news")
        commands = [
            ("PUBLISH", "news", "x"), ("CLIENT", "KILL", "ID", number), ("PUBLISH", "news", "x"),
            ("SPUBLISH", "news", "x"), ("PUBSUB", "NUMSUB", "news"), ("PUBSUB", "NUMPAT"), ("PUBSUB", "CHANNELS"),
            ("PUBSUB", "SHARDCHANNELS")]
        wanted = [2, 1, 0, 0, [b"news", 0], 0, [], []]
        if in_multi:
            control.pipeline([("MULTI",), *commands])
            assert control.call("EXEC") == wanted
        else:
            assert control.pipeline(commands) == wanted
        assert is_closed(subscriber)


def test_a_killed_client_is_in_no_list(start):
    server = start()
    with server.client() as victim, server.client() as control:
        number = identity(victim)
        victim.call("WATCH", "k")
        replies = control.pipeline([
            ("CLIENT", "KILL", "ID", number), ("CLIENT", "LIST", "ID", number), ("CLIENT", "KILL", "ID", number),
            ("CLIENT", "UNBLOCK", number), ("INFO", "clients")])
        assert replies[:4] == [1, b"", 0, 0]
        assert b"connected_clients:1\r\n" in replies[4]


def test_a_killed_monitor_does_not_count(fresh_server):
    server = fresh_server()
    with server.client() as monitor, server.client() as control:
        number = identity(monitor)
        assert monitor.call("MONITOR") == OK
        control.pipeline([("CLIENT", "KILL", "ID", number), ("SET", "unseen", "x")])
        with pytest.raises((Closed, ConnectionError)):
            while True:
                assert b"unseen" not in monitor.read().encode()


def test_a_client_that_waits_for_the_end_of_a_pause_is_killed(start):
    server = start()
    with server.client() as held, server.client() as control:
        number = identity(held)
        control.call("CLIENT", "PAUSE", "1000000", "WRITE")
        held.send("SET", "k", "x")
        wait_for_blocked(control, 1)
        replies = control.pipeline([
            ("CLIENT", "KILL", "ID", number), ("INFO", "clients"), ("CLIENT", "UNPAUSE",), ("GET", "k")])
        assert replies[0] == 1 and replies[2:] == [OK, None]
        assert b"blocked_clients:0\r\n" in replies[1]
        assert is_closed(held)
        assert control.call("GET", "k") is None


@pytest.mark.parametrize("command", ["CLIENT KILL ID {} SKIPME no", "QUIT"])
def test_a_client_that_ends_itself_is_subscribed_no_more(start, command):
    server = start()
    with server.client(3) as subscriber, server.client() as control:
        subscriber.call("SUBSCRIBE", "news")
        subscriber.call(*command.format(identity(subscriber)).split())
        assert is_closed(subscriber)
        assert control.call("PUBLISH", "news", "x") == 0


def test_a_client_that_ends_itself_executes_nothing_more(start):
    server = start()
    with server.client() as client, server.client() as control:
        number = identity(client)
        send_all(client, [("CLIENT", "KILL", "ID", number, "SKIPME", "no"), ("SET", "k", "x")])
        assert client.read() == 1
        assert is_closed(client)
        assert control.call("GET", "k") is None


# --- other ends -------------------------------------------------------------------------------

def test_an_evicted_client_takes_no_element(fresh_server):
    server = fresh_server()
    with server.client() as waiting, server.client() as control, server.client() as other:
        send_all(waiting, [("BLPOP", "k", "0"), ("ECHO", "x" * 3_000_000)])
        wait_for_blocked(control, 1)
        # The limit is noticed when the next client's buffer is looked at, which is before it runs anything.
        replies = control.pipeline([
            ("CONFIG", "SET", "maxmemory-clients", "1mb"), ("MULTI",), ("RPUSH", "k", "a"), ("LLEN", "k"), ("EXEC",)])
        assert replies[-1] == [1, 1]
        assert is_closed(waiting)
        assert other.call("LRANGE", "k", "0", "-1") == [b"a"]
        assert info(other)["evicted_clients"] == "1"


def test_clients_are_evicted_before_the_next_command_of_a_pipeline(start):
    server = start("--maxmemory-clients", "15mb")
    with server.client() as control, server.client() as greedy:
        control.call("CLIENT", "NO-EVICT", "on")
        control.call("SET", "big", "x" * 50_000_000)
        send_all(greedy, [("GET", "big"), ("GET", "big"), ("SET", "k", "x")])
        assert is_closed(greedy)
        assert control.call("GET", "k") is None


def test_a_growing_transaction_is_evicted_before_it_runs(start):
    server = start("--maxmemory-clients", "3mb")
    with server.client() as control, server.client() as greedy:
        control.call("CLIENT", "NO-EVICT", "on")
        send_all(greedy, [("MULTI",), *[("APPEND", "k", "x" * 100_000)] * 60, ("EXEC",)])
        assert is_closed(greedy)
        assert control.call("EXISTS", "k") == 0


def test_no_evict_protects_at_once(start):
    server = start()
    with server.client() as control, server.client() as greedy:
        control.call("CLIENT", "NO-EVICT", "on")
        greedy.pipeline([("MULTI",), *[("APPEND", "k", "x" * 100_000)] * 50])
        greedy.call("DISCARD")
        greedy.pipeline([("MULTI",), *[("APPEND", "k", "x" * 100_000)] * 50])
        assert control.call("CONFIG", "SET", "maxmemory-clients", "100mb") == OK
        greedy.send("EXEC")
        greedy.read()
    server = start()
    with server.client() as control, server.client() as greedy:
        control.call("CLIENT", "NO-EVICT", "on")
        greedy.pipeline([("WATCH", "w"), ("CLIENT", "NO-EVICT", "on"), ("MULTI",),
                         *[("APPEND", "k", "x" * 100_000)] * 50])
        control.call("CONFIG", "SET", "maxmemory-clients", "2mb")
        assert control.call("PING") == PONG
        assert len(greedy.call("EXEC")) == 50
        assert info(control)["evicted_clients"] == "0"


def test_a_client_that_is_shut_by_its_own_answer(start):
    server = start("--client-output-buffer-limit", "normal 1mb 0 0")
    with server.client() as waiting, server.client() as second, server.client() as control:
        waiting.send("BLPOP", "k", "0")
        wait_for_blocked(control, 1)
        second.send("BLPOP", "k", "0")
        wait_for_blocked(control, 2)
        assert control.pipeline([("RPUSH", "k", "x" * 3_000_000), ("RPUSH", "k", "y"), ("LLEN", "k")]) == [1, 1, 0]
        assert second.read() == [b"k", b"y"]
        assert is_closed(waiting)


def test_an_idle_client_watches_nothing_more(fresh_server):
    server = fresh_server("--timeout", "1")
    with server.client() as idle, server.client() as control:
        idle.call("WATCH", "k")
        assert info(control)["watching_clients"] == "1"
        wait_until(lambda: info(control)["watching_clients"] == "0")
        assert is_closed(idle)
