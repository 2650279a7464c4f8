"""Commands of many keys or members take time in proportion to them, or nearly.

CPU time of an engine in this process, of so many keys against that of four times as many.
"""
from functools import partial

import pytest

from tests.helpers import assert_in_proportion, cpu_seconds
from tests.local import Local
from tests.resp import Error, encode

FEW, MANY = 4000, 16000                 # sorting makes it a little more than in proportion


@pytest.fixture(scope="module")
def local():
    """An engine with sets s:<n>, sorted sets z:<n> and HyperLogLogs, some of them empty, sizes falling and rising."""
    engine = Local()
    engine.engine.remove_feed(engine.notes)
    client = engine.client()
    for number in range(MANY):
        members = range(1 + (MANY - number) * 8 // MANY + number % 3)
        if number % 10:
            client.call("SADD", f"s:{number}", *members)
        client.call("ZADD", f"z:{number}", *(word for member in members for word in (member, member)))
        client.call("SADD", f"i:{number}", "x", *members)
    yield engine
    engine.loop.close()


# name: what stands before the keys, the prefix of the keys, what stands behind; # is how many there are
LINES = {
    "SDIFF": ("SDIFF i:1", "s:", ""), "SDIFFSTORE": ("SDIFFSTORE d i:1", "s:", ""), "SINTER": ("SINTER", "i:", ""),
    "SINTERSTORE": ("SINTERSTORE d", "i:", ""), "SINTERCARD": ("SINTERCARD #", "i:", ""),
    "SUNION": ("SUNION", "s:", ""), "SUNIONSTORE": ("SUNIONSTORE d", "s:", ""),
    "ZUNION": ("ZUNION #", "z:", "WITHSCORES"), "ZINTER": ("ZINTER #", "z:", ""),
    "ZDIFF": ("ZDIFF #", "z:", ""), "ZUNIONSTORE": ("ZUNIONSTORE d #", "z:", ""),
    "ZINTERSTORE": ("ZINTERSTORE d #", "z:", ""), "ZDIFFSTORE": ("ZDIFFSTORE d #", "z:", ""),
    "ZINTERCARD": ("ZINTERCARD #", "z:", ""), "EXISTS": ("EXISTS", "s:", ""), "MGET": ("MGET", "s:", ""),
    "BZPOPMIN": ("BZPOPMIN", "x:", "0"), "BLMPOP": ("BLMPOP 0 #", "x:", "LEFT"), "ZMPOP": ("ZMPOP #", "x:", "MIN"),
    "WATCH": ("WATCH", "s:", ""), "SUBSCRIBE": ("SUBSCRIBE", "c:", ""), "PSUBSCRIBE": ("PSUBSCRIBE", "c:", ""),
    "PFCOUNT": ("PFCOUNT", "x:", ""), "UNLINK": ("UNLINK", "x:", ""), "MSETNX": ("MSETNX s:1 v", "y:", ""),
    "SADD": ("SADD set", "m:", ""), "SREM": ("SREM set", "m:", ""), "RPUSH": ("RPUSH list", "m:", ""),
    "LPUSH": ("LPUSH list", "m:", ""), "PFADD": ("PFADD hll", "m:", ""), "ZREM": ("ZREM z:1", "m:", ""),
    "HDEL": ("HDEL hash", "m:", ""), "HMGET": ("HMGET hash", "m:", ""), "HMSET": ("HMSET hash", "m:", ""),
}


@pytest.mark.parametrize("before, prefix, behind", LINES.values(), ids=LINES)
def test_many_keys(local, before, prefix, behind):
    def measure(count):
        """The quickest of some calls, each of a new client: nobody is left waiting, watching, subscribed."""
        size = count + count % 2
        words = [str(size) if word == "#" else word for word in before.split()]
        words += [f"{prefix}{number}" for number in range(size)]
        words += behind.split()
        took = []
        for _ in range(3):
            client = local.client()
            took.append(cpu_seconds(partial(client.socket.sendall, encode(*words))))
            if client.socket.output:
                assert not isinstance(client.read(), Error)
            client.close()
        return min(took)
    assert_in_proportion(measure, FEW)


def test_the_result_of_many_sets(local):
    """As with few of them: sets that come twice and empty ones do not count, the order of the others is no matter."""
    client = local.client()
    names = [f"s:{number}" for number in range(300)]
    sets = [set(client.call("SMEMBERS", name)) for name in names]
    for count in (2, 8, 9, 10, 11, 40, 300):
        given = names[:count]
        assert set(client.call("SUNION", *given, *given)) == set().union(*sets[:count])
        assert set(client.call("SDIFF", "i:1", *given, *given)) == {b"x", *client.call("SMEMBERS", "i:1")}.difference(
            *sets[:count])
        some = [number for number in range(count) if number % 10]
        assert set(client.call("SINTER", *(names[number] for number in some * 2))) == set.intersection(
            *(sets[number] for number in some))
        assert client.call("SDIFF", names[1], *given) == client.call("SINTER", *given) == []
