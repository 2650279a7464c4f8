"""A few rounds of tests.soak with fixed seeds, and that it finds what differs and only that."""
import itertools

import pytest

from tests.resp import NIL_ARRAY, Error, Set
from tests.soak.alike import DIFFERENCES, alike
from tests.soak.draw import EPOCH_MS, Draw
from tests.soak.run import Finding, Soak, soak

SEED = 1
ROUNDS = 3
KNOWN = {"SET", "GET", "SADD", "SMEMBERS", "SINTERCARD", "ZADD", "ZRANGE", "ZRANGEBYLEX", "ZUNIONSTORE", "ZUNION",
         "SORT", "LPUSH", "LMPOP", "HSET", "EXPIREAT", "SCAN", "OBJECT", "BITFIELD"}


def test_some_rounds_find_nothing(alike_servers):
    assert f"{ROUNDS} rounds from seed {SEED}," in soak(*alike_servers, seconds=600, seed=SEED, rounds=ROUNDS)


@pytest.mark.parametrize("planted", [
    ("SET", "planted", "x"), ("SET", "string:1", "y"), ("RPUSH", "list:1", "x"), ("PEXPIREAT", "set:1", EPOCH_MS * 2),
    ("SREM", "set:1", "a"), ("ZADD", "sorted-set:1", 1.5, "a"), ("HSET", "hash:1", "f", "w"), ("DEL", "list:1"),
    ("SMOVE", "set:1", "set:2", "a"), ("MOVE", "string:1", 2),
])
def test_a_difference_is_found(alike_servers, planted):
    """What is done on one server only is seen when the data sets are compared."""
    test = Soak(*alike_servers)
    with pytest.raises(Finding, match=f"--seed {SEED}"), test.connected(SEED):
        for argv in (("SET", "string:1", "x"), ("RPUSH", "list:1", "a", "b"), ("SADD", "set:1", "a", "b"),
                     ("ZADD", "sorted-set:1", 1, "a"), ("HSET", "hash:1", "f", "v")):
            test.control.call(*argv)
        test.compare()
        assert not isinstance(test.control.clients[0].call(*planted), Error)
        test.compare()
        pytest.fail("no difference was found")


def test_events_are_compared(alike_servers):
    test = Soak(*alike_servers)
    with pytest.raises(Finding, match="events"), test.connected(SEED):
        test.control.call("SET", "k", "v")
        test.compare_events(True)
        test.control.clients[1].call("SET", "k", "v")
        test.compare_events(True)
        pytest.fail("no difference was found")


def test_the_seed_decides_on_the_commands():
    first, same, other = (Draw(seed, KNOWN) for seed in (7, 7, 8))
    commands = [first.command() for _ in range(500)]
    assert commands == [same.command() for _ in range(500)]
    assert commands != [other.command() for _ in range(500)]
    assert {argv[0].decode() for argv in commands} <= KNOWN | {"PING"}
    assert len({argv[0] for argv in commands}) > len(KNOWN) * 0.8


def test_arguments_fit_the_command():
    """Most commands are no syntax errors: numkeys counts the keys, options have their values."""
    draw = Draw(7, {"SINTERCARD", "LMPOP", "ZRANGE"})
    good = 0
    commands = [argv for argv in (draw.command() for _ in range(900)) if argv[0] != b"PING"]
    for argv in commands:
        if argv[0] in (b"SINTERCARD", b"LMPOP"):
            keys = list(itertools.takewhile(lambda word: b":" in word, argv[2:]))
            good += argv[1] == b"%d" % len(keys)
        else:
            good += argv[2][:1] in (b"[(-+" if b"BYLEX" in argv else b"-(+i.0123456789")
    assert good > 0.9 * len(commands) > 500


SAME = [
    ("SMEMBERS s", [b"a", b"b"], [b"b", b"a"]), ("SMEMBERS s", Set([b"a", b"b"]), Set([b"b", b"a"])),
    ("HGETALL h", [b"a", b"1", b"b", b"2"], [b"b", b"2", b"a", b"1"]),
    ("HGETALL h", {b"a": 1, b"b": 2}, {b"b": 2, b"a": 1}),
    ("ZSCAN z 0", [b"0", [b"a", b"0", b"b", b"2"]], [b"0", [b"b", b"2", b"a", b"-0"]]), ("RANDOMKEY", b"a", b"b"),
    ("SRANDMEMBER s 2", [b"a", b"b"], [b"c", b"d"]), ("OBJECT ENCODING s", b"listpack", b"hashtable"), ("PTTL k", 5, 7),
    ("SORT s BY nosort", [b"a", b"b"], [b"b", b"a"]), ("ZSCORE z a", b"0", b"-0"), ("ZSCORE z a", 0.0, -0.0),
    ("ZRANGE z 0 -1 WITHSCORES", [b"a", b"0.10000000000000001"], [b"a", b"0.1"]), ("ZSCORE z a", b"1.5e+4", b"15000.0"),
]
DIFFERENT = [
    ("SMEMBERS s", [b"a", b"b"], [b"a", b"c"]), ("SMEMBERS s", Set([b"a"]), [b"a"]),
    ("SMEMBERS s", [b"a"], Error("ERR")),
    ("LRANGE l 0 -1", [b"a", b"b"], [b"b", b"a"]), ("HGETALL h", [b"a", b"1", b"b", b"2"], [b"a", b"2", b"b", b"1"]),
    ("HGETALL h", {b"a": 1}, {b"a": 2}), ("ZSCAN z 0", [b"0", [b"a", b"1"]], [b"0", [b"a", b"2"]]), ("PTTL k", 5, -1),
    ("SRANDMEMBER s 2", [b"a", b"b"], [b"c"]), ("RANDOMKEY", b"a", None),
    ("OBJECT ENCODING s", b"intset", b"hashtable"),
    ("OBJECT ENCODING h", b"listpack", b"embstr"), ("SORT s", [b"a", b"b"], [b"b", b"a"]), ("GET k", b"a", b"b"),
    ("ZSCORE z a", b"0.1", b"0.2"), ("ZRANGE z 0 -1", [b"07"], [b"7"]), ("EXISTS k", 1, True),
    ("ZSCORE z a", b"1", 1.0), ("PTTL k", -1, -2), ("GET k", None, NIL_ARRAY),
]


@pytest.mark.parametrize("command, mine, other", SAME)
def test_replies_that_are_the_same(command, mine, other):
    assert alike(command.encode().split(), mine, other)


@pytest.mark.parametrize("command, mine, other", DIFFERENT)
def test_replies_that_differ(command, mine, other):
    assert not alike(command.encode().split(), mine, other)


def test_every_difference_has_its_reason():
    names = [name for difference in DIFFERENCES for name in difference.commands.split()]
    assert len(names) == len(set(names))
    assert all(len(difference.reason) > 10 for difference in DIFFERENCES)
