"""client-output-buffer-limit holds while a reply is built: by the memory of the process, and by who is closed."""
import pytest

from tests.helpers import info
from tests.resp import Closed
from tests.rows import OK
from tests.test_killed import is_closed, send_all

BIG = "x" * 4_000_000
TIMES = 80                              # as often would be 320 MB
LIMIT = "8mb"
MOST_MB = 90                            # of memory that may come on top: a few times the limit and the largest value
ENDLESS = -(1 << 40)                    # elements that nobody could wait for


def peak_mb(server):
    """The most memory the process has had."""
    with open(f"/proc/{server.pid}/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM:")) / 1024


@pytest.fixture
def server(either_server):
    server = either_server("--client-output-buffer-limit", f"normal {LIMIT} 0 0")
    with server.client(timeout=30) as client:
        client.call("SET", "big", BIG)
        client.call("RPUSH", "list", BIG)
        for name, command in (("small", 100), ("large", 1000)):
            client.call("SADD", f"set-{name}", *[f"m{i}" for i in range(command)])
            client.call("HSET", f"hash-{name}", *[f"m{i}" for i in range(command * 2)])
            client.call("ZADD", f"zset-{name}", *[word for i in range(command) for word in (i, f"m{i}")])
    return server


PIPELINES = {
    "MGET": [("MGET", *["big"] * TIMES)],
    "LRANGE": [("LRANGE", "list", "0", "-1")] * TIMES,
    "ECHO": [("ECHO", BIG)] * 5 + [("GET", "big")] * TIMES,
    "EXEC": [("MULTI",), *[("GET", "big")] * TIMES, ("EXEC",)],
    "EXEC of lists": [("MULTI",), *[("LRANGE", "list", "0", "-1")] * TIMES, ("EXEC",)],
    **{f"{command} {kind} {size}": [(command, f"{kind}-{size}", ENDLESS, *more)]
       for kind, command, more in (("set", "SRANDMEMBER", ()), ("hash", "HRANDFIELD", ()),
                                   ("hash", "HRANDFIELD", ("WITHVALUES",)), ("zset", "ZRANDMEMBER", ("WITHSCORES",)))
       for size in ("small", "large")},
}


@pytest.mark.parametrize("protocol", [2, 3])
@pytest.mark.parametrize("case", PIPELINES)
def test_a_reply_stops_at_its_limit(server, case, protocol):
    with server.client(timeout=60) as control, server.client(protocol, timeout=60) as greedy:
        before = peak_mb(server)
        send_all(greedy, PIPELINES[case])
        assert info(control)["connected_clients"] in ("1", "2")
        assert is_closed(greedy)
        assert info(control)["connected_clients"] == "1"
        assert peak_mb(server) - before < MOST_MB
        assert control.call("SET", "after", "x") == OK


def test_all_of_a_transaction_is_executed_all_the_same(server):
    with server.client(timeout=60) as control, server.client(timeout=60) as greedy:
        greedy.pipeline([("MULTI",), *[("GET", "big")] * TIMES, ("SET", "k", "x")])
        greedy.send("EXEC")
        assert is_closed(greedy)
        assert control.call("GET", "k") == b"x"


def test_the_limit_is_counted_once(fresh_server):
    server = fresh_server("--client-output-buffer-limit", f"normal {LIMIT} 0 0")
    with server.client(timeout=60) as control, server.client(timeout=60) as greedy:
        control.call("SET", "big", BIG)
        greedy.send("MGET", *["big"] * TIMES)
        assert is_closed(greedy)
        assert info(control)["client_output_buffer_limit_disconnections"] == "1"
    assert server.log().count("scheduled to be closed ASAP for overcoming of output buffer limits") == 1


@pytest.mark.parametrize("watcher", ["SUBSCRIBE news", "PSUBSCRIBE n*", "MONITOR"])
def test_what_others_write_to_a_client_stops_at_its_limit(fresh_server, watcher):
    server = fresh_server("--client-output-buffer-limit", f"normal {LIMIT} 0 0 pubsub {LIMIT} 0 0")
    with server.client(timeout=60) as control, server.client(timeout=60) as other, server.client() as watching:
        watching.call(*watcher.split())
        other.call("SUBSCRIBE", "other")
        control.pipeline([("MULTI",), *[("PUBLISH", "news", BIG)] * 10])
        before = peak_mb(server)
        counts = control.call("EXEC")
        if watcher != "MONITOR":
            assert counts[0] == 1 and counts[-1] == 0       # it is gone before the end
        assert peak_mb(server) - before < MOST_MB
        assert is_closed(watching)
        assert control.call("PUBLISH", "other", "x") == 1
        assert other.read() == [b"message", b"other", b"x"]


def test_a_reply_below_the_limit_is_whole(server):
    with server.client(timeout=60) as client:
        assert client.call("GET", "big") == BIG.encode()
        assert client.call("LRANGE", "list", "0", "-1") == [BIG.encode()]
        with pytest.raises((Closed, ConnectionError)):
            client.call("MGET", "big", "big", "big", "big")
