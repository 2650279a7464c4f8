"""What waiting clients cost, and that nothing is left of those who have waited in vain.

An engine in this process; costs are CPU time of so many clients against that of four times as many.
"""
import pytest

from tests.helpers import assert_in_proportion, cpu_seconds
from tests.local import Local
from tests.resp import Error, encode
from tests.rows import OK

FEW = 1500


@pytest.fixture
def local():
    engine = Local("enable-debug-command yes\nmaxclients 50000\nappendonly no")
    engine.engine.remove_feed(engine.notes)
    yield engine
    engine.loop.close()


def wait_for(local, count, *line):
    """So many clients that wait, each in the same command."""
    request = encode(*map(str, line))
    clients = [local.client() for _ in range(count)]
    for client in clients:
        client.socket.sendall(request)
    return clients


def leave(clients):
    for client in clients:
        client.close()


def test_write_to_a_key_of_a_type_that_nobody_waits_for(local):
    client = local.client()

    def measure(count):
        waiting = wait_for(local, count, "BLPOP", "k", 0)
        took = min(cpu_seconds(lambda: client.call("SET", "k", "v")) for _ in range(3))
        client.call("DEL", "k")
        leave(waiting)
        return took
    assert_in_proportion(measure, FEW)


PUSHES = {
    "one by one": lambda client, count: [client.call("RPUSH", "k", number) for number in range(count)],
    "all at once": lambda client, count: client.call("RPUSH", "k", *range(count)),
}


@pytest.mark.parametrize("push", PUSHES.values(), ids=PUSHES)
def test_served(local, push):
    client = local.client()

    def measure(count):
        waiting = wait_for(local, count, "BLPOP", "k", 0)
        took = cpu_seconds(lambda: push(client, count))
        assert [one.read()[1] for one in waiting] == [b"%d" % number for number in range(count)]
        leave(waiting)
        return took
    assert_in_proportion(measure, FEW)


def test_those_in_front_cannot_be_served(local):
    client = local.client()

    def measure(count):
        waiting = wait_for(local, count, "BLMOVEM", "k", "other", "LEFT", "RIGHT", 0, "EXACTLY", 9, "OBO")
        last = wait_for(local, 1, "BLPOP", "k", 0)
        took = cpu_seconds(lambda: client.call("RPUSH", "k", "x"))
        assert last[0].read() == [b"k", b"x"]
        leave([*waiting, *last])
        return took
    assert_in_proportion(measure, FEW)


def test_those_who_can_be_served_are_found_among_others(local):
    """Their order among themselves is that of their coming, whoever else stands in line."""
    client = local.client()
    waiting = []
    for number in range(40):
        exactly = 3 if number == 20 else 50
        waiting += wait_for(local, 1, "BLMOVEM", "k", "other", "LEFT", "RIGHT", 0, "EXACTLY", exactly, "OBO")
        waiting += wait_for(local, 1, "BZPOPMIN", "k", 0)
        waiting += wait_for(local, 1, "BLPOP", "k", 0)
    client.call("RPUSH", "k", *range(23))
    served = [index for index, one in enumerate(waiting) if one.socket.output]
    assert served == [*range(2, 60, 3), 60]
    assert [waiting[index].read() for index in served] == [
        *([b"k", b"%d" % number] for number in range(20)), [b"20", b"21", b"22"]]
    leave(waiting)


@pytest.mark.parametrize("end", ["time", "unblock", "kill", "close"])
@pytest.mark.parametrize("line", [("WAIT", 5, 100), ("WAITAOF", 0, 5, 100), ("BLPOP", "k", 0.1)])
def test_nothing_is_left_of_a_wait_in_vain(local, line, end):
    waiting = wait_for(local, 50, *line)
    engine = local.engine
    places = (engine.replication.waiters, engine.aof.feed.waiters)
    assert len(places[0]) == (0 if line[0] == "BLPOP" else 50)
    assert len(places[1]) == (50 if line[0] == "WAITAOF" else 0)
    client = local.client()
    if end == "time":
        local.advance(101)
        assert not isinstance(waiting[0].read(), Error)
    elif end == "close":
        leave(waiting)
    else:
        for one in waiting:
            assert client.call("CLIENT", *(("UNBLOCK",) if end == "unblock" else ("KILL", "ID")),
                               one.connection.id) == 1
    assert not places[0] and not places[1]
    assert engine.blocked.count == engine.blocked.keys == engine.blocked.with_deadline == 0
    leave([one for one in waiting if not one.socket.closed])


def test_waits_of_all_kinds_end_with_a_change_of_role(local):
    waiting = [wait_for(local, 5, *line) for line in (("WAIT", 5, 0), ("WAITAOF", 0, 5, 0), ("BLPOP", "k", 0))]
    client = local.client()
    local.engine.blocked.unblock_all(b"UNBLOCKED x")
    assert client.call("PING")
    assert not local.engine.replication.waiters and not local.engine.aof.feed.waiters
    assert all(isinstance(one.read(), Error) for clients in waiting for one in clients)


def test_thousands_who_wait_for_replicas_and_go(local):
    client = local.client()

    def measure(count):
        waiting = wait_for(local, count, "WAIT", 1, 100)
        took = cpu_seconds(lambda: local.advance(101))
        assert waiting[-1].read() == 0
        leave(waiting)
        return took
    assert_in_proportion(measure, FEW)
    assert client.call("SET", "a", "1") == OK
