"""One round each of tests.replication.sentinel: real Sentinels fail over, and no acknowledged write is lost."""
from types import SimpleNamespace

import pytest

from tests.replication.nodes import Node
from tests.replication.sentinel import EVENTS, check_log, find_sentinel, run


@pytest.mark.slow
@pytest.mark.skipif(find_sentinel() is None, reason="no redis-sentinel on PATH (Debian: apt install redis-sentinel)")
@pytest.mark.parametrize("kinds", ["fastredis fastredis fastredis", "fastredis redis fastredis"])
def test_failover_by_real_sentinels(peer, pytestconfig, kinds):
    """The master is killed, stopped and cut off, in turn."""
    assert run(kinds.split(), EVENTS, peer=peer.path, server_loop=pytestconfig.getoption("--loop")) > 100


def test_a_lost_write_is_found(network):
    """The check would be worth nothing otherwise."""
    node = Node("redis", network)
    writer = SimpleNamespace(key="log:0", acknowledged=[1, 2, 5], sent=6)
    node.call("RPUSH", "log:0", 1, 2, 4, 5)
    check_log(node, writer)
    for spoil, message in ((("LREM", "log:0", 1, 2), "lost 1 acknowledged writes"),
                           (("RPUSH", "log:0", 2, 4), "twice"), (("RPUSH", "log:0", 7), "never wrote")):
        node.call(*spoil)
        with pytest.raises(AssertionError, match=message):
            check_log(node, writer)
        node.call("DEL", "log:0")
        node.call("RPUSH", "log:0", 1, 2, 4, 5)
