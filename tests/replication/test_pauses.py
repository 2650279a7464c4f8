"""CLIENT PAUSE, FAILOVER and SHUTDOWN hold commands; each for itself, and none ends the others' pause."""
import itertools

import pytest

from tests.helpers import wait_for_blocked, wait_until
from tests.replication.test_master import RawReplica
from tests.resp import Error
from tests.rows import OK, PONG

ABORTED = Error("ERR Errors trying to SHUTDOWN. Check logs.")


class Master:
    """A server whose one replica never has everything, so that FAILOVER and SHUTDOWN wait for it."""

    def __init__(self, server):
        self.server = server
        self.control, self.asker = server.client(), server.client()
        self.replica = RawReplica(server, "eof", "psync2")
        self.replica.send("REPLCONF", "listening-port", 1)
        assert self.replica.line() == b"+OK"
        offset = self.replica.psync()[2]
        self.replica.data_set()
        self.replica.send("REPLCONF", "ACK", offset)
        wait_until(lambda: b"state=online" in self.control.call("INFO", "replication"))
        assert self.control.call("SET", "lag", "x") == OK
        self.waiting = 0            # clients that wait because they asked for something

    def __enter__(self):
        return self

    def __exit__(self, *exc_info):
        for one in (self.control, self.asker, self.replica.sock):
            one.close()

    def begin(self, purpose):
        if purpose == "shutdown":
            self.asker.send("SHUTDOWN")
            self.waiting += 1
            wait_for_blocked(self.control, self.waiting)
            return
        command = ("FAILOVER",) if purpose == "failover" else ("CLIENT", "PAUSE", "1000000", "WRITE")
        assert self.control.call(*command) == OK

    def end(self, purpose):
        command = {"shutdown": "SHUTDOWN ABORT", "failover": "FAILOVER ABORT", "client": "CLIENT UNPAUSE"}[purpose]
        assert self.control.call(*command.split()) == OK
        if purpose == "shutdown":
            assert self.asker.read() == ABORTED
            self.waiting -= 1


@pytest.fixture(params=["fastredis", "peer"])
def master(request, fresh_server):
    server = fresh_server("--repl-diskless-sync", "yes", "--repl-diskless-sync-delay", "0", "--shutdown-timeout",
                          "1000000", kind=request.param)
    with Master(server) as master:
        yield master


@pytest.mark.parametrize("first, second", list(itertools.permutations(["client", "failover", "shutdown"], 2)))
@pytest.mark.parametrize("in_order", [True, False])
def test_a_pause_ends_for_its_own_purpose_only(master, first, second, in_order):
    master.begin(first)
    master.begin(second)
    with master.server.client() as writer:
        writer.send("SET", "k", "x")
        wait_for_blocked(master.control, master.waiting + 1)
        for purpose in (first, second) if in_order else (second, first):
            assert master.control.call("EXISTS", "k") == 0
            wait_for_blocked(master.control, master.waiting + 1)
            master.end(purpose)
        assert writer.read() == OK
    wait_for_blocked(master.control, 0)


@pytest.mark.parametrize("purpose", ["failover", "shutdown"])
@pytest.mark.parametrize("kind", ["WRITE", "ALL"])
def test_a_short_pause_beside_another_ends_with_its_time(master, purpose, kind):
    master.begin(purpose)
    assert master.control.call("CLIENT", "PAUSE", "50", kind) == OK
    assert master.control.call("PING") == PONG          # at the latest when the pause of all commands is over
    with master.server.client() as writer:
        writer.send("SET", "k", "x")
        wait_for_blocked(master.control, master.waiting + 1)
        assert master.control.call("EXISTS", "k") == 0
        master.end(purpose)
        assert writer.read() == OK


@pytest.mark.parametrize("purpose", ["failover", "shutdown"])
def test_the_client_s_pause_of_all_commands_is_stricter(master, purpose):
    assert master.control.call("CLIENT", "PAUSE", "300", "ALL") == OK
    replies = master.control.pipeline([("PING",), ("CLIENT", "PAUSE", "1000000", "WRITE")])
    assert replies == [PONG, OK]
    master.begin(purpose)
    with master.server.client() as writer, master.server.client() as reader:
        writer.send("SET", "k", "x")
        wait_for_blocked(master.control, master.waiting + 1)
        assert reader.call("GET", "k") is None
        master.end(purpose)
        wait_for_blocked(master.control, master.waiting + 1)
        master.end("client")
        assert writer.read() == OK


def test_keys_expire_again_when_the_last_pause_is_over(fresh_server):
    server = fresh_server("--repl-diskless-sync", "yes", "--repl-diskless-sync-delay", "0")
    with Master(server) as master:
        control = master.control
        control.call("DEBUG", "CLOCK", "FREEZE")
        control.call("SET", "k", "v", "PX", "100")
        size = control.call("DBSIZE")
        master.begin("failover")
        assert control.call("CLIENT", "PAUSE", "5000", "WRITE") == OK
        control.call("DEBUG", "CLOCK", "ADVANCE", "6000")
        assert control.call("GET", "k") is None
        assert control.call("DBSIZE") == size           # FAILOVER still has the data stand still
        master.end("failover")
        assert control.call("GET", "k") is None
        assert control.call("DBSIZE") == size - 1
