"""Some seconds of tests.differential with fixed seeds, and that it finds what differs, only that, and shrinks it."""
import pytest
from fastredis.engine.command import declared_commands

from fastredis import commands
from fastredis.engine.arguments import parse_args
from tests.differential.alike import DIFFERENCES, Alike, frames
from tests.differential.grammar import Draw, known_commands, pruned
from tests.differential.run import in_order, opens, outcome, shrink
from tests.differential.session import Comparison, told
from tests.resp import NIL_ARRAY, Error, Set

STEPS = 9000
SEED = 1
commands.load()
WORDS = {"EX", "NX", "LIMIT", "BYSCORE", "BYLEX", "WITHSCORES", "COUNT", "LEFT", "RIGHT"}
ALL = {command.name.decode(): (command.arity, WORDS) for command in declared_commands()}


def test_some_sessions_find_nothing(alike_servers, peer):
    test = Comparison(*alike_servers, str(peer))
    seed = SEED
    while test.steps < STEPS:
        test.session(seed)
        seed += 1
    assert not test.found, "\n".join(told(*found) for found in test.found.values())


PLANTED = [
    ("hash-max-listpack-entries", "1", "data object|encoding", [(0, (b"HSET", b"hash:9", b"a", b"1", b"b", b"2"))]),
    ("proto-max-bulk-len", "2mb", "setrange", [(1, (b"SETRANGE", b"string:9", b"1500000", b"x"))]),
    ("notify-keyspace-events", "KEA", "messages", [(2, (b"PSUBSCRIBE", b"__key*")), (0, (b"SET", b"string:9", b"x"))]),
]


@pytest.mark.parametrize("setting, value, name, steps", PLANTED, ids=[planted[2] for planted in PLANTED])
def test_a_difference_is_found_and_shrunk(alike_servers, peer, setting, value, name, steps):
    """One of the servers has another setting, which few of many steps show: they are what is left."""
    test = Comparison(*alike_servers, str(peer))
    draw = Draw(7, [each for each in test.known if each.name in ("get", "llen", "zcard", "sinter")], test.alike.draws)
    noise = test.commands(draw, 0, 40)
    with alike_servers[0].client() as client:
        before = client.call("CONFIG", "GET", setting)
        client.call("CONFIG", "SET", setting, value)
        try:
            steps = [step for each in steps for step in (*noise, each)] + noise
            finding = outcome(test.servers, test.alike, (), steps)
            assert finding is not None and finding.name == name
            left, finding = shrink(test.servers, test.alike, (), steps, finding, set())
            assert finding.name == name and len(left) == len(steps) // len(noise) - 1, told(left, finding, (), 0)
        finally:
            client.call("CONFIG", "SET", *before)


def test_the_seed_decides_on_the_commands():
    known = known_commands(ALL)
    first, same, other = (Draw(seed, known) for seed in (7, 7, 8))
    commands_of = [first.command()[1] for _ in range(3000)]
    assert commands_of == [same.command()[1] for _ in range(3000)]
    assert commands_of != [other.command()[1] for _ in range(3000)]
    assert len({first.command()[0].name for _ in range(30_000)}) > len(known) * 0.95


def test_what_the_peer_does_not_have_is_not_drawn():
    assert [each.name for each in known_commands({"get": (2, set()), "set": (-3, {"NX"})})] == ["set", "get"]
    known, _ = known_commands({"get": (2, set()), "set": (-3, {"NX"})})
    draw = Draw(1, [known])
    words = {word.upper() for _ in range(3000) for word in draw.command()[1][3:]}
    assert b"NX" in words and b"XX" not in words and b"KEEPTTL" not in words
    argument, = parse_args("[condition=(NX | XX value)]")
    assert [each.token for each in pruned(argument, {"NX"}).arguments] == ["NX"] and pruned(argument, set()) is None
    draw = Draw(1, known_commands({"zrank": (3, set())}))
    assert {len(draw.command()[1]) for _ in range(2000)}.isdisjoint({4})


SAME = [
    ("SMEMBERS s", [b"a", b"b"], [b"b", b"a"]), ("SMEMBERS s", Set([b"a", b"b"]), Set([b"b", b"a"])),
    ("ZSCAN z 0", [b"0", [b"a", b"0", b"b", b"2"]], [b"0", [b"b", b"2", b"a", b"0"]]), ("RANDOMKEY", b"a", b"b"),
    ("SRANDMEMBER s 2", [b"a", b"b"], [b"c", b"d"]), ("OBJECT ENCODING s", b"listpack", b"hashtable"),
    ("PTTL k", 5, 7), ("SORT s BY nosort", [b"a", b"b"], [b"b", b"a"]), ("SCAN 0", [b"0", [b"a"]], [b"7", []]),
    ("ZRANGE z 0 -1 WITHSCORES", [b"a", b"0.1"], [b"a", b"0.10000000000000001"]), ("EXPIRETIME k", 10**9, 10**9 + 1),
]
DIFFERENT = [
    ("SMEMBERS s", [b"a", b"b"], [b"a", b"c"]), ("SMEMBERS s", Set([b"a"]), [b"a"]),
    ("SMEMBERS s", [b"a"], Error("ERR")),
    ("LRANGE l 0 -1", [b"a", b"b"], [b"b", b"a"]), ("ZSCAN z 0", [b"0", [b"a", b"1"]], [b"0", [b"a", b"2"]]),
    ("PTTL k", 5, -1), ("SRANDMEMBER s 2", [b"a", b"b"], [b"c"]), ("RANDOMKEY", b"a", None), ("EXISTS k", 1, True),
    ("OBJECT ENCODING s", b"intset", b"hashtable"), ("SORT s", [b"a", b"b"], [b"b", b"a"]), ("GET k", b"a", b"b"),
    ("ZSCORE z a", b"0.1", b"0.2"), ("ZSCORE z a", b"1", 1.0), ("GET k", None, NIL_ARRAY),
    ("GET k", Error("ERR a"), Error("ERR b")),
]


@pytest.mark.parametrize("command, mine, other", SAME)
def test_replies_that_are_the_same(command, mine, other):
    assert Alike("redis 7.0.15", known_commands(ALL)).same(command.encode().split(), mine, other)


@pytest.mark.parametrize("command, mine, other", DIFFERENT)
def test_replies_that_differ(command, mine, other):
    assert not Alike("redis 7.0.15", known_commands(ALL)).same(command.encode().split(), mine, other)


def test_frames_and_messages_are_taken_apart():
    blob = b"+OK\r\n*2\r\n$1\r\na\r\n*1\r\n:1\r\n%1\r\n+a\r\n_\r\n$-1\r\n"
    assert frames(blob) == [b"+OK\r\n", b"*2\r\n$1\r\na\r\n*1\r\n:1\r\n", b"%1\r\n+a\r\n_\r\n", b"$-1\r\n"]
    assert len(frames(blob + b"*1\r\n")) == 5
    by_pattern = [b"*4\r\n$8\r\npmessage\r\n" + b"$1\r\n%c\r\n" % letter * 3 for letter in b"ba"]
    message = b"*3\r\n$7\r\nmessage\r\n" + b"$1\r\nx\r\n" * 2
    assert in_order(by_pattern[0] + message + by_pattern[1]) == [message, by_pattern[1], by_pattern[0]]


@pytest.mark.parametrize("text, is_open", [
    ("MULTI", True), ("MULTI x", True), ("MULTI|EXEC", False), ("MULTI|EXEC x", True), ("EXEC|multi", True),
    ("MULTI|RESET|GET k", False), ("GET k", False)])
def test_what_leaves_a_transaction_open(text, is_open):
    assert opens([command.encode().split() for command in text.split("|")]) is is_open


def test_every_difference_has_its_reason():
    assert all(len(each.reason) > 7 and (each.same or each.undrawn or each.mine) for each in DIFFERENCES)
