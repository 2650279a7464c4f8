"""A few cuts of tests.replication.cuts: connections break at random moments, and the data sets are equal in the end."""
import pytest

from tests.replication import cuts


@pytest.mark.slow
@pytest.mark.parametrize("kinds", [("redis", "fastredis", "redis"), ("fastredis", "redis", "fastredis")],
                         ids=" - ".join)
def test_nodes_are_equal_after_cuts(network, kinds):
    partial, full = cuts.run(8, seed=1, chains=[kinds], peer=network.peer, server_loop=network.server_loop)
    assert partial + full >= 8


@pytest.mark.slow
def test_nodes_are_equal_after_cuts_of_two_connections(network):
    partial, full = cuts.run(8, seed=2, chains=[("fastredis",) * 3], peer=network.peer,
                             server_loop=network.server_loop, dual=True)
    assert partial + full >= 8
