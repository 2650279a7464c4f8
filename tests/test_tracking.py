"""Client-side caching: what rows cannot say. See tests/commands/test_client_tracking.py, and tests.caches."""
import pytest

from tests.caches import run
from tests.helpers import info_number
from tests.local import Local
from tests.resp import Closed, Push, encode


def test_caches_are_right():
    compared, told = run(1, 1200)
    assert compared > 1000 and told["names"] > 300     # how many depends on what had to be evicted meanwhile


@pytest.fixture
def local():
    with Local() as local:
        yield local


def info(local, name):
    return int(local.client().call("INFO", "everything").split(b"\r\n%s:" % name.encode())[1].split(b"\r\n")[0])


def tracker(local, *options):
    client = local.client()
    client.call("HELLO", 3)
    client.call("CLIENT", "TRACKING", "ON", *options)
    return client


def messages(client):
    """All that has come in."""
    found = []
    while client.socket.output or client.position < len(client.buffer):
        found.append(client.read())
    return found


def test_the_table_has_its_limit(local):
    """No command leaves more keys in it than it has read itself, and each that went is told of."""
    local.client().call("CONFIG", "SET", "tracking-table-max-keys", 50)
    client = tracker(local)
    told = set()
    for number in range(400):
        client.socket.sendall(encode("GET", number))
        *pushes, reply = messages(client)
        assert reply is None and all(isinstance(push, Push) for push in pushes)
        told |= {push[1][0] for push in pushes}
        assert info(local, "tracking_total_keys") <= 51
    assert len(told) == 400 - info(local, "tracking_total_keys")
    local.client().call("CONFIG", "SET", "tracking-table-max-keys", 0)
    client.call(*["MGET", *range(1000)])
    assert info(local, "tracking_total_keys") >= 1000


def test_clients_that_are_gone_leave_little(local):
    """Thousands of connections read the same key, one after the other."""
    stays = tracker(local)
    stays.call("GET", "k")
    for _ in range(3000):
        client = tracker(local)
        client.call("GET", "k")
        client.close()
    assert info(local, "tracking_total_items") < 10
    local.client().call("SET", "k", "v")
    assert messages(stays) == [Push([b"invalidate", [b"k"]])]
    assert info(local, "tracking_total_items") == 0


def read(client, count):
    for number in range(0, count, 100):
        client.call("MGET", *range(number, number + 100))


def test_memory_is_given_back(local):
    client = tracker(local)
    before = local.settled_memory()
    read(client, 20_000)
    assert local.settled_memory() > before + 20_000 * 30
    client.call("CLIENT", "TRACKING", "OFF")
    assert local.settled_memory() < before + 20_000
    client.call("CLIENT", "TRACKING", "ON")
    read(client, 20_000)
    local.client().call("FLUSHALL")
    assert local.settled_memory() < before + 20_000


def test_prefixes_are_memory_of_the_client(fresh_server, local):
    client = local.client()
    on = ("CLIENT", "TRACKING", "ON", "BCAST", *(word for n in range(500) for word in ("PREFIX", f"{n:03}")))
    client.call(*on)                    # buffers have grown then
    client.call("CLIENT", "TRACKING", "OFF")
    before = local.settled_memory()
    for _ in range(2):                  # the second time they are there already
        client.call(*on)
        assert before + 500 * 50 < local.settled_memory() < before + 500 * 500
    client.call("CLIENT", "TRACKING", "OFF")
    assert local.settled_memory() < before + 5_000
    server = fresh_server("--maxmemory-clients", "100kb")
    with server.client() as stays:
        with server.client() as goes, pytest.raises((Closed, ConnectionError)):
            for n in range(20_000):
                goes.call("CLIENT", "TRACKING", "ON", "BCAST", "PREFIX", f"{n:06}")
        assert info_number(stays, "evicted_clients") == 1


def test_a_pipeline_has_messages_where_they_belong(local):
    client = tracker(local)
    client.socket.sendall(encode("GET", "k") + encode("SET", "k", "1") + encode("GET", "k") + encode("FLUSHALL")
                          + encode("GET", "k") + encode("PING"))
    assert [str(each) if not isinstance(each, Push) else each for each in messages(client)] == [
        "None", "OK", Push([b"invalidate", [b"k"]]), "b'1'", "OK", Push([b"invalidate", None]), "None", "PONG"]


def test_two_flushes_in_a_turn_are_told_to_who_read_between(local):
    one, other = tracker(local), local.client()
    local.engine.start_turn()
    try:
        one.socket.sendall(encode("FLUSHALL") + encode("GET", "k"))
        other.socket.sendall(encode("FLUSHALL") + encode("SET", "k", "v"))
    finally:
        local.engine.finish_turn()
    replies = messages(one)
    assert str(replies[0]) == "OK" and replies[1:] == [Push([b"invalidate", None]), None,
                                                       Push([b"invalidate", None])]


def test_a_redirection_that_breaks_while_many_keys_change(local):
    """It is told each time, as redis-server does, and nothing is left of it."""
    ear = local.client()
    client = tracker(local, "REDIRECT", ear.connection.id)
    client.call("MGET", "a", "b")
    number = ear.connection.id
    ear.close()
    local.client().call("MSET", "a", 1, "b", 2)
    assert messages(client) == [Push([b"tracking-redir-broken", number])] * 2
    assert b" flags=tR" in client.call("CLIENT", "LIST")


def test_who_is_told_too_much_is_closed(local):
    """The limits of output hold for messages; a client that they close in the middle of being told leaves no trace."""
    local.client().call("CONFIG", "SET", "client-output-buffer-limit", "normal 100000 0 0")
    clients = [tracker(local, "BCAST"), tracker(local, "BCAST", "PREFIX", "k")]
    writer = local.client()
    writer.call("MULTI")
    for number in range(3000):
        writer.call("SET", f"k:{number:090}", "v")
    writer.call("EXEC")
    assert all(client.socket.closed for client in clients)
    assert info(local, "tracking_clients") == 0
    assert info(local, "tracking_total_prefixes") == 0


def test_a_snapshot_of_another_version_is_all_changed(local):
    """SWAPDB and DEBUG RELOAD bring other keys."""
    client = tracker(local)
    client.call("GET", "k")
    local.client().call("SWAPDB", 0, 1)
    assert messages(client) == [Push([b"invalidate", None])]
