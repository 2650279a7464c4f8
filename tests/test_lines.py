"""Subscriptions and watched keys: what they cost in memory, and that the garbage collector does not see them."""
import gc

import pytest

from tests.helpers import info
from tests.resp import Push, encode
from tests.rows import OK, PONG
from tests.test_killed import is_closed

MANY = 20_000


@pytest.mark.parametrize("command", ["SUBSCRIBE", "PSUBSCRIBE", "SSUBSCRIBE", "WATCH"])
@pytest.mark.parametrize("clients", [1, 100])
def test_the_collector_does_not_see_them(local, command, clients):
    wires = [local.client().socket for _ in range(clients)]

    def run(number, *names):
        wires[number].sendall(encode(command, *names))
        wires[number].output.clear()
    for number in range(clients):
        run(number, f"first:{number}")                  # what is made once for each client
    gc.collect()
    before = len(gc.get_objects())
    for number in range(clients):
        for i in range(0, MANY // clients, 100):
            run(number, *[f"{number}:{i + j}" for j in range(100)])
            run(number, *[f"shared:{i + j}" for j in range(100)])
    gc.collect()
    assert len(gc.get_objects()) - before < MANY // 100
    for wire in wires:
        wire.close()
    pubsub = local.engine.pubsub
    assert not any((pubsub.channels, pubsub.patterns, pubsub.shard_channels))


@pytest.mark.parametrize("command", ["SUBSCRIBE", "WATCH"])
def test_they_count_while_they_are_there(fresh_server, command):
    with fresh_server() as server, server.client(timeout=60) as control:
        start = int(info(control)["used_memory"])
        with server.client(3, timeout=60) as client:
            number = client.call("CLIENT", "ID")
            before = total(control, number)
            for i in range(0, MANY, 100):
                client.send(command, *[f"channel:{i + j}" for j in range(100)])
                if command == "WATCH":
                    assert client.read() == OK
                else:
                    assert [client.read()[2] for _ in range(100)] == list(range(i + 1, i + 101))
            assert 100 * MANY < total(control, number) - before < 250 * MANY
            assert 200 * MANY < int(info(control)["used_memory"]) - start < 400 * MANY
            assert int(info(control)["mem_clients_normal"]) > 100 * MANY
            client.send("UNSUBSCRIBE" if command == "SUBSCRIBE" else "UNWATCH")
            for _ in range(MANY if command == "SUBSCRIBE" else 1):
                client.read()
            assert total(control, number) - before < 10 * MANY
            assert int(info(control)["used_memory"]) - start < 100 * MANY     # buffers were as large as the replies


def total(control, number):
    """The field tot-mem of a client's line."""
    return int(control.call("CLIENT", "LIST", "ID", number).split(b"tot-mem=")[1].split()[0])


@pytest.mark.parametrize("command", ["SUBSCRIBE", "PSUBSCRIBE", "SSUBSCRIBE", "WATCH"])
def test_who_has_too_many_is_evicted(either_server, command):
    server = either_server("--maxmemory-clients", "1500kb", "--client-output-buffer-limit", "pubsub 0 0 0")
    with server.client(timeout=60) as control, server.client(3, timeout=60) as greedy:
        control.call("CLIENT", "NO-EVICT", "on")
        for i in range(0, 100_000, 1000):
            if not send(greedy, command, *[f"{'x' * 100}:{i + j}" for j in range(1000)]):
                break
        assert is_closed(greedy)
        assert info(control)["evicted_clients"] == "1"


def send(client, *argv):
    """Whether the connection still took the command."""
    try:
        client.send(*argv)
    except ConnectionError:
        return False
    return True


def test_messages_come_in_the_order_of_subscribing_whoever_left(fresh_server):
    server = fresh_server()
    clients = [server.client(3) for _ in range(5)]
    try:
        for client in clients:
            client.call("SUBSCRIBE", "news")
        for left in (0, 2, 4):                          # the first of the line, one in its middle, the last
            clients[left].call("UNSUBSCRIBE", "news")
        clients[2].call("SUBSCRIBE", "news")
        with server.client() as control:
            assert control.call("PUBLISH", "news", "x") == 3
            assert control.call("PUBSUB", "NUMSUB", "news") == [b"news", 3]
        for place in (1, 3, 2):
            assert clients[place].read() == Push([b"message", b"news", b"x"])
        for place in (0, 4):
            assert clients[place].call("PING") == PONG
    finally:
        for client in clients:
            client.close()


def test_watching_twice_and_by_many(fresh_server):
    with fresh_server() as server, server.client() as one, server.client() as two, server.client() as control:
        one.pipeline([("WATCH", "a", "b", "a"), ("WATCH", "b"), ("SELECT", "1"), ("WATCH", "a")])
        two.call("WATCH", "a")
        assert b" watch=3 " in control.call("CLIENT", "LIST")
        assert info(control)["watching_clients"] == "2"
        assert info(control)["total_watched_keys"] == "3"
        two.call("UNWATCH")
        control.call("SET", "a", "x")
        one.call("MULTI")
        assert one.call("EXEC") is not None
        two.call("MULTI")
        assert two.call("EXEC") == []
        assert info(control)["total_watched_keys"] == "0"
