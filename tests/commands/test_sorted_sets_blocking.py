"""Clients that wait for sorted sets: BZPOPMIN, BZPOPMAX and BZMPOP."""
import functools

import pytest

from tests.resp import encode
from tests.rows import (
    BLOCKS,
    COUNT_TOO_SMALL,
    NEGATIVE_TIMEOUT,
    NIL_ARRAY,
    NOT_A_TIMEOUT,
    NUMKEYS_TOO_SMALL,
    OK,
    QUEUED,
    SYNTAX,
    TIMEOUT_TOO_LONG,
    UNBLOCKED,
    WRONGTYPE,
    Advance,
    Case,
    Matching,
    Raw,
    Save,
    event,
    in_each,
    listen,
    score,
    wrong_args,
)

EVENTS = listen(9)
heard = functools.partial(event, connection=9)
SMALL_AND_LARGE = {"listpack": [], "skiplist": [("CONFIG SET zset-max-listpack-entries 0", OK)]}
# Five seconds would be too long to sleep, but a clock can be moved.
FAR_MS = 5000


def popped(key, text):
    """What BZPOPMIN replies: popped("k", "a 1")."""
    name, value = text.split()
    return [key, name, score(value)]


def mpopped(key, text):
    """What BZMPOP replies: mpopped("k", "a 1 b 2")."""
    words = text.split()
    return [key, [[name, score(value)] for name, value in zip(words[::2], words[1::2], strict=True)]]


# `@2 {pop}` stands for each command in turn, with one member `foo` of the score 1 in its reply.
COMMANDS = {
    "BZPOPMIN": (lambda keys, timeout: f"BZPOPMIN {keys} {timeout}", popped),
    "BZPOPMAX": (lambda keys, timeout: f"BZPOPMAX {keys} {timeout}", popped),
    "BZMPOP MIN": (lambda keys, timeout: f"BZMPOP {timeout} {len(keys.split())} {keys} MIN", mpopped),
    "BZMPOP MAX COUNT": (lambda keys, timeout: f"BZMPOP {timeout} {len(keys.split())} {keys} MAX COUNT 1", mpopped),
}


def on_each_command(pop, reply):
    """Cases that hold for each of the commands."""
    lowest = "MIN" in pop("k", 0)
    return {
        "waits until a member comes": [
            ("@2 " + pop("k", 0), BLOCKS), ("ZADD k 1 foo", 1), ("@2 <", reply("k", "foo 1")), ("EXISTS k", 0),
            ("@2 PING foo", "foo"),
        ],
        "waits for any of its keys": [
            ("@2 " + pop("a b c", 0), BLOCKS), ("ZADD c 2 foo", 1), ("@2 <", reply("c", "foo 2")),
            ("@2 " + pop("a b c", 0), BLOCKS), ("ZADD a -inf foo", 1), ("@2 <", reply("a", "foo -inf")), ("DBSIZE", 0),
        ],
        # Redis 7.0 takes the first that came; from 7.2 on the command is executed again.
        "takes the first of its keys, not the first that came": Case([
            ("@2 " + pop("a b", 0), BLOCKS), ("MULTI", OK), ("ZADD b 1 foo", QUEUED), ("ZADD a 2 bar", QUEUED),
            ("EXEC", [1, 1]),
            ("@2 <", reply("a", "bar 2")), ("ZCARD b", 1),
        ], since="7.2"),
        "knows a key that is named more than once": [
            ("@2 " + pop("a b b a", 0), BLOCKS), ("ZADD a 0 foo", 1), ("@2 <", reply("a", "foo 0")),
            ("@2 " + pop("a b b a", 0), BLOCKS), ("ZADD b 1 bar", 1), ("@2 <", reply("b", "bar 1")),
        ],
        "leaves what it does not take": [
            ("@2 " + pop("k", 0), BLOCKS), ("ZADD k 1 foo1 1 foo2 1 foo3", 3),
            ("@2 <", reply("k", f"{'foo1' if lowest else 'foo3'} 1")), ("ZCARD k", 2),
        ],
        "is served in the order of the waiting": [
            ("@2 " + pop("k", 0), BLOCKS), ("@3 " + pop("x k", 0), BLOCKS), ("@4 " + pop("k", 0), BLOCKS),
            ("ZADD k 1 foo", 1),
            ("@2 <", reply("k", "foo 1")), ("ZADD k 2 foo", 1), ("@3 <", reply("k", "foo 2")),
            ("@2 " + pop("k", 0), BLOCKS),
            ("ZADD k 3 foo", 1), ("@4 <", reply("k", "foo 3")), ("ZADD k 4 foo", 1), ("@2 <", reply("k", "foo 4")),
            ("EXISTS k", 0),
        ],
        "times out": [
            ("@2 " + pop("k", "0.1"), BLOCKS), Advance(120), ("@2 <", NIL_ARRAY), ("ZADD k 1 foo", 1), ("ZCARD k", 1),
        ],
        "times out after seconds": [
            ("@2 " + pop("k l", "2.5"), BLOCKS), ("@3 " + pop("k l", "5"), BLOCKS), Advance(2501), ("@2 <", NIL_ARRAY),
            Advance(FAR_MS), ("@3 <", NIL_ARRAY), ("ZADD k 1 foo", 1), ("ZCARD k", 1),
        ],
        "does not wait inside MULTI": [
            ("MULTI", OK), (pop("k", 0), QUEUED),
            ("ZADD k 1 foo", QUEUED), (pop("k", 0), QUEUED), (pop("k", 0), QUEUED),
            ("EXEC", [NIL_ARRAY, 1, reply("k", "foo 1"), NIL_ARRAY]),
        ],
        "sees a transaction as one step": [
            ("@2 " + pop("k", 0), BLOCKS), ("MULTI", OK), ("ZADD k 1 foo", QUEUED), ("DEL k", QUEUED), ("EXEC", [1, 1]),
            ("DEL k", 0), ("ZADD k 2 bar", 1), ("@2 <", reply("k", "bar 2")),
        ],
        "goes on waiting if the key has become a string": [
            ("@2 " + pop("k", 0), BLOCKS), ("MULTI", OK), ("ZADD k 1 foo", QUEUED), ("DEL k", QUEUED),
            ("SET k v", QUEUED),
            ("EXEC", [1, 1, OK]), ("DEL k", 1), ("ZADD k 2 bar", 1), ("@2 <", reply("k", "bar 2")),
        ],
        "does not care for keys of other types": [
            ("@2 " + pop("k", 0), BLOCKS), ("SADD k x", 1), ("DEL k", 1), ("SET k v", OK), ("DEL k", 1),
            ("ZADD k 1 foo", 1),
            ("@2 <", reply("k", "foo 1")),
        ],
        "is woken by RENAME, COPY, MOVE and SWAPDB": [
            ("@2 " + pop("k", 0), BLOCKS), ("ZADD x 1 foo", 1), ("RENAME x k", OK), ("@2 <", reply("k", "foo 1")),
            ("@2 " + pop("k", 0), BLOCKS), ("ZADD x 2 foo", 1), ("COPY x k", 1), ("@2 <", reply("k", "foo 2")),
            ("@2 " + pop("k", 0), BLOCKS), ("SELECT 1", OK), ("ZADD k 3 foo", 1), ("MOVE k 0", 1),
            ("@2 <", reply("k", "foo 3")),
            ("@2 " + pop("k", 0), BLOCKS), ("ZADD k 4 foo", 1), ("SWAPDB 0 1", OK), ("@2 <", reply("k", "foo 4")),
        ],
        "is woken by the STORE commands": [
            ("ZADD x 1 foo", 1), ("@2 " + pop("k", 0), BLOCKS), ("ZUNIONSTORE k 1 x", 1), ("@2 <", reply("k", "foo 1")),
            ("@2 " + pop("k", 0), BLOCKS), ("ZINTERSTORE k 1 x", 1), ("@2 <", reply("k", "foo 1")),
            ("@2 " + pop("k", 0), BLOCKS),
            ("ZDIFFSTORE k 1 x", 1), ("@2 <", reply("k", "foo 1")), ("@2 " + pop("k", 0), BLOCKS),
            ("ZRANGESTORE k x 0 -1", 1),
            ("@2 <", reply("k", "foo 1")), ("@2 " + pop("k", 0), BLOCKS), ("ZINCRBY k 2 foo", score("2")),
            ("@2 <", reply("k", "foo 2")), ("EXISTS k", 0),
        ],
        "stays in its database": [
            ("@2 SELECT 1", OK), ("@2 " + pop("k", 0), BLOCKS), ("ZADD k 1 foo", 1), ("ZCARD k", 1), ("SELECT 1", OK),
            ("ZADD k 2 foo", 1), ("@2 <", reply("k", "foo 2")), ("EXISTS k", 0),
        ],
        "ends by CLIENT UNBLOCK": [
            ("@2 CLIENT ID", Save("id")), ("@2 " + pop("k", 0), BLOCKS), ("CLIENT UNBLOCK $id", 1), ("@2 <", NIL_ARRAY),
            ("@2 " + pop("k", 0), BLOCKS), ("CLIENT UNBLOCK $id ERROR", 1), ("@2 <", UNBLOCKED),
            ("@2 " + pop("k", 0), BLOCKS),
            ("CLIENT UNBLOCK $id TIMEOUT", 1), ("@2 <", NIL_ARRAY), ("CLIENT UNBLOCK $id", 0), ("ZADD k 1 foo", 1),
            ("ZCARD k", 1),
        ],
        "forgets a client that has gone": [
            ("@2 CLIENT ID", Save("id")), ("@2 " + pop("k", 0), BLOCKS), ("@3 " + pop("k", 0), BLOCKS),
            ("CLIENT KILL ID $id", 1),
            ("ZADD k 1 foo", 1), ("@3 <", reply("k", "foo 1")),
        ],
        "executes what the client sent meanwhile": [
            (Raw(encode(*pop("k", 0).split()) + encode("ZCARD", "k") + encode("ECHO", "x"), "2"), BLOCKS),
            ("EXISTS k", 0), ("ZADD k 1 foo", 1), ("@2 <", reply("k", "foo 1")), ("@2 <", 0), ("@2 <", "x"),
        ],
        "tells its events after those that woke it": [
            *EVENTS, ("@2 " + pop("k", 0), BLOCKS), ("ZADD k 1 foo", 1), ("@2 <", reply("k", "foo 1")),
            heard("zadd", "k"),
            heard("zpopmin" if lowest else "zpopmax", "k"), heard("del", "k"), ("SET end 1", OK),
            heard("set", "end"),
        ],
        "touches the WATCH of others": [
            ("@3 WATCH k", OK), ("@2 " + pop("k", 0), BLOCKS), ("MULTI", OK), ("ZADD k 1 foo", QUEUED), ("EXEC", [1]),
            ("@2 <", reply("k", "foo 1")), ("@3 MULTI", OK), ("@3 EXEC", NIL_ARRAY),
        ],
    }


def each_case():
    """The cases of on_each_command()."""
    for command, (pop, reply) in COMMANDS.items():
        for name, rows in on_each_command(pop, reply).items():
            yield f"{command} {name}", rows


CASES = {
    "A wrong number of arguments": [
        ("BZPOPMIN", wrong_args("bzpopmin")), ("BZPOPMIN k", wrong_args("bzpopmin")),
        ("BZPOPMAX k", wrong_args("bzpopmax")),
        ("BZMPOP", wrong_args("bzmpop")), ("BZMPOP 0 1", wrong_args("bzmpop")), ("BZMPOP 0 1 k", wrong_args("bzmpop")),
    ],
    "Timeouts that are none": [
        ("BZPOPMIN k x", NOT_A_TIMEOUT), ('BZPOPMAX k ""', NOT_A_TIMEOUT), ("BZPOPMIN k -1", NEGATIVE_TIMEOUT),
        ("BZPOPMIN k -0.1", NEGATIVE_TIMEOUT),
        ("BZPOPMIN k nan", NOT_A_TIMEOUT), ('BZPOPMIN k " 1"', NOT_A_TIMEOUT), ("BZPOPMIN k 1s", NOT_A_TIMEOUT),
        ("BZMPOP x 1 k MIN", NOT_A_TIMEOUT), ("BZMPOP -1 1 k MIN", NEGATIVE_TIMEOUT),
    ],
    "Timeouts that are too long": Case([
        ("BZPOPMIN k inf", TIMEOUT_TOO_LONG), ("BZPOPMIN k 1e300", TIMEOUT_TOO_LONG),
        ("BZPOPMIN k 9223372036854775807", TIMEOUT_TOO_LONG),
        ("BZMPOP inf 1 k MIN", TIMEOUT_TOO_LONG),
    ], since="7.2"),
    "The timeout is checked before the keys, syntax before the timeout": [
        ("SET s v", OK), ("BZPOPMIN s x", NOT_A_TIMEOUT), ("BZPOPMIN s 1", WRONGTYPE), ("BZPOPMAX none s 1", WRONGTYPE),
        ("BZMPOP 1 1 s MIN", WRONGTYPE), ("BZMPOP 1 2 none s MAX COUNT 1", WRONGTYPE), ("ZADD k 1 a", 1),
        ("BZPOPMIN k s 1", ["k", "a", score("1")]),
    ],
    "BZMPOP refuses bad arguments": [
        ("BZMPOP 1 0 k MIN", NUMKEYS_TOO_SMALL), ("BZMPOP 1 a k MIN", NUMKEYS_TOO_SMALL),
        ("BZMPOP 1 -1 k MAX", NUMKEYS_TOO_SMALL),
        ("BZMPOP 1 1 k bad", SYNTAX), ("BZMPOP 1 1 k MIN bad", SYNTAX), ("BZMPOP 1 1 k MAX MIN", SYNTAX),
        ("BZMPOP 1 1 k COUNT", SYNTAX),
        ("BZMPOP 1 1 k MIN COUNT 1 COUNT 2", SYNTAX), ("BZMPOP 1 2 k l bad", SYNTAX),
        ("BZMPOP 1 1 k MIN COUNT 0", COUNT_TOO_SMALL),
        ("BZMPOP 1 1 k MAX COUNT a", COUNT_TOO_SMALL), ("BZMPOP 1 1 k MIN COUNT -1", COUNT_TOO_SMALL),
        ("BZMPOP 1 2 k l MAX COUNT -1", COUNT_TOO_SMALL), ("BZMPOP x 0 k MIN", NUMKEYS_TOO_SMALL),
    ],
    "BZPOPMIN takes the lowest, BZPOPMAX the highest": [
        ("@2 BZPOPMIN k 0", BLOCKS), ("@3 BZPOPMAX k 0", BLOCKS), ("ZADD k 3 c 1 a 2 b", 3),
        ("@2 <", popped("k", "a 1")),
        ("@3 <", popped("k", "c 3")), ("ZRANGE k 0 -1", ["b"]),
    ],
    "BZMPOP with several waiting clients": [
        ("@2 BZMPOP 0 2 a b MIN COUNT 1", BLOCKS), ("@3 BZMPOP 0 2 a b MAX COUNT 10", BLOCKS),
        ("@4 BZMPOP 0 2 a b MIN COUNT 10", BLOCKS), ("@5 BZMPOP 0 2 a b MAX COUNT 1", BLOCKS), ("MULTI", OK),
        ("ZADD a 1 a 2 b 3 c 4 d 5 e", QUEUED), ("ZADD b 1 a 2 b 3 c 4 d 5 e", QUEUED), ("EXEC", [5, 5]),
        ("@2 <", mpopped("a", "a 1")), ("@3 <", mpopped("a", "e 5 d 4 c 3 b 2")),
        ("@4 <", mpopped("b", "a 1 b 2 c 3 d 4 e 5")),
        ("ZADD b 1 a 2 b 3 c", 3), ("@5 <", mpopped("b", "c 3")), ("ZCARD b", 2),
    ],
    "One ZADD serves as many clients as it has members": [
        ("@2 BZPOPMIN k 0", BLOCKS), ("@3 BZPOPMIN k 0", BLOCKS), ("@4 BZMPOP 0 1 k MIN COUNT 2", BLOCKS),
        ("ZADD k 1 a 2 b 3 c 4 d", 4),
        ("@2 <", popped("k", "a 1")), ("@3 <", popped("k", "b 2")), ("@4 <", mpopped("k", "c 3 d 4")), ("EXISTS k", 0),
    ],
    "Words of BZMPOP that are no keys wake nobody": [
        ("@2 BZMPOP 0 1 k MIN COUNT 10", BLOCKS), ("@3 BZMPOP 0 2 l m MAX COUNT 10", BLOCKS), ("ZADD 0 1 x", 1),
        ("ZADD 1 1 x", 1),
        ("ZADD MIN 1 x", 1), ("ZADD MAX 1 x", 1), ("ZADD COUNT 1 x", 1), ("ZADD 10 1 x", 1), ("ZADD k 1 a", 1),
        ("@2 <", mpopped("k", "a 1")),
        ("ZADD m 1 b", 1), ("@3 <", mpopped("m", "b 1")),
    ],
    "A client that waits for a list is not served a sorted set": [
        ("@2 BLPOP k 0", BLOCKS), ("@3 BZPOPMIN k 0", BLOCKS), ("ZADD k 1 a", 1), ("@3 <", popped("k", "a 1")),
        ("RPUSH k x", 1),
        ("@2 <", ["k", "x"]), ("EXISTS k", 0),
    ],
    "A key that has expired when the client is woken": [
        ("@2 BZPOPMIN k 0", BLOCKS), ("MULTI", OK), ("ZADD k 1 a", QUEUED), ("PEXPIREAT k 1", QUEUED), ("EXEC", [1, 1]),
        ("EXISTS k", 0),
        ("ZADD k 2 b", 1), ("@2 <", popped("k", "b 2")),
    ],
    "A chain of waiting clients": [
        ("@2 BZPOPMIN a 0", BLOCKS), ("@3 BZPOPMIN b 0", BLOCKS), ("MULTI", OK), ("ZADD b 1 x", QUEUED),
        ("ZADD a 2 y", QUEUED),
        ("ZCARD a", QUEUED), ("EXEC", [1, 1, 1]), ("@3 <", popped("b", "x 1")), ("@2 <", popped("a", "y 2")),
        ("DBSIZE", 0),
    ],
    "What waits is told by CLIENT LIST and INFO": [
        ("@2 BZPOPMIN a b 0", BLOCKS), ("CLIENT LIST", Matching(r".* flags=b .*cmd=bzpopmin .*")),
        ("INFO clients", Matching(r".*blocked_clients:1\r\n.*")), ("ZADD b 1 x", 1), ("@2 <", popped("b", "x 1")),
        ("INFO clients", Matching(r".*blocked_clients:0\r\n.*")),
    ],
    # Rows which the real server would have to sleep for.
    "A timeout stays the same when the client is woken in vain": Case([
        ("@2 BZPOPMIN k 2", BLOCKS), Advance(1500), ("MULTI", OK), ("ZADD k 1 a", QUEUED), ("DEL k", QUEUED),
        ("EXEC", [1, 1]),
        ("SADD k x", 1), Advance(501), ("@2 <", NIL_ARRAY), ("SCARD k", 1),
    ]),
    "An hour of waiting": Case([
        ("@2 BZMPOP 3600 1 k MIN", BLOCKS), ("@3 BZPOPMAX k 3601.5", BLOCKS), Advance(3600_001), ("@2 <", NIL_ARRAY),
        ("ZADD k 1 a", 1),
        ("@3 <", popped("k", "a 1")),
    ]),
    **in_each(dict(each_case()), SMALL_AND_LARGE),
}


def test_rows(row_case):
    row_case.check()


@pytest.mark.parametrize("count", [100])
def test_many_waiting_clients_are_served_in_order(either_target, count):
    clients = [either_target.server.client() for _ in range(count)]
    try:
        for number, client in enumerate(clients, 1):
            client.send("BZPOPMIN", "none", "k", 0)
            either_target.wait_until_blocked(number)
        either_target.ask("ZADD", "k", *(word for number in range(count) for word in (number, f"m{number}")))
        assert [client.read() for client in clients] == [[b"k", b"m%d" % i, b"%d" % i] for i in range(count)]
        assert either_target.ask("EXISTS", "k") == 0
    finally:
        for client in clients:
            client.close()
