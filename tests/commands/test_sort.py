"""SORT and SORT_RO on lists, sets and sorted sets."""
import random

import pytest

from tests.rows import (
    NOT_INTEGER,
    OK,
    QUEUED,
    SYNTAX,
    WRONGTYPE,
    Advance,
    Any,
    Between,
    Case,
    Error,
    Status,
    Unordered,
    event,
    in_each,
    listen,
    wrong_args,
)

NOT_DOUBLE = Error("ERR One or more scores can't be converted into double")
EVENTS = listen()
# Three weights and three objects as keys and as fields of hashes, for the elements 1, 2 and 3.
OBJECTS = [
    ("MSET w1 30 w2 10 w3 20 o1 one o2 two o3 three", OK), ("HSET h1 w 5 name a", 2), ("HSET h2 w 7 name b", 2),
    ("HSET h3 w 6 name c", 2),
]
SETTINGS = {
    "small": [],
    "large": [("CONFIG SET list-max-listpack-size 2", OK), ("CONFIG SET zset-max-listpack-entries 0", OK),
              ("CONFIG SET set-max-intset-entries 0", OK), ("CONFIG SET set-max-listpack-entries 0", Any()),
              ("CONFIG SET hash-max-listpack-entries 0", OK)],
}
FILL = {"list": "RPUSH k 2 3 1", "set": "SADD k 2 3 1", "zset": "ZADD k 9 2 8 3 7 1"}


def two_and_three_then_one(reply):
    """Elements without a weight come first, with ALPHA in any order."""
    return sorted(reply[:2]) == [b"2", b"3"] and reply[2:] == [b"1"]


ON_EACH_TYPE = {
    "SORT and SORT_RO": [
        ("SORT k", ["1", "2", "3"]), ("SORT k ASC", ["1", "2", "3"]), ("SORT k DESC", ["3", "2", "1"]),
        ("SORT k ALPHA", ["1", "2", "3"]), ("SORT k desc alpha", ["3", "2", "1"]), ("SORT_RO k", ["1", "2", "3"]),
        ("SORT_RO k DESC ALPHA", ["3", "2", "1"]), ("SORT k DESC ASC", ["1", "2", "3"]),
        ("SORT k ASC DESC", ["3", "2", "1"]),
    ],
    "LIMIT": [
        ("SORT k LIMIT 0 2", ["1", "2"]), ("SORT k LIMIT 1 1", ["2"]), ("SORT k DESC LIMIT 1 5", ["2", "1"]),
        ("SORT k LIMIT 3 1", []), ("SORT k LIMIT 0 0", []), ("SORT k LIMIT 1 -1", ["2", "3"]),
        ("SORT k LIMIT -1 2", ["1", "2"]),
        ("SORT k LIMIT -5 2", ["1", "2"]), ("SORT k limit 0 10 LIMIT 1 1", ["2"]),
        ("SORT k LIMIT 9223372036854775807 1", []), ("SORT k LIMIT 0 9223372036854775807", ["1", "2", "3"]),
        ("SORT_RO k LIMIT 1 2 DESC", ["2", "1"]),
    ],
    "BY keys": [
        *OBJECTS, ("SORT k BY w*", ["2", "3", "1"]), ("SORT k BY w* DESC", ["1", "3", "2"]),
        ("SORT k BY w* LIMIT 1 1", ["3"]),
        ("SORT k BY o* ALPHA", ["1", "3", "2"]), ("SORT k BY o* ALPHA DESC", ["2", "3", "1"]),
        ("SORT k BY o*", NOT_DOUBLE),
        ("SORT k BY none*", ["1", "2", "3"]), ("SORT k BY none* DESC", ["3", "2", "1"]),
        ("SORT k BY none* ALPHA DESC", Unordered(["1", "2", "3"])), ("SORT_RO k by w*", ["2", "3", "1"]),
        ("SORT k BY none* BY w*", ["2", "3", "1"]),
    ],
    "BY fields of hashes": [
        *OBJECTS, ("SORT k BY h*->w", ["1", "3", "2"]), ("SORT k BY h*->w DESC", ["2", "3", "1"]),
        ("SORT k BY h*->name ALPHA DESC", ["3", "2", "1"]), ("SORT k BY h*->none", ["1", "2", "3"]),
        ("SORT k BY w*->w", ["1", "2", "3"]), ("SORT k BY h*", ["1", "2", "3"]), ("SORT k BY h*->", ["1", "2", "3"]),
        ("SORT_RO k BY h*->w LIMIT 0 1", ["1"]),
    ],
    "GET": [
        *OBJECTS, ("SORT k GET #", ["1", "2", "3"]), ("SORT k GET o*", ["one", "two", "three"]),
        ("SORT k GET # GET o* get h*->name", ["1", "one", "a", "2", "two", "b", "3", "three", "c"]),
        ("SORT k DESC LIMIT 0 1 GET o* GET none* GET h*->none", ["three", None, None]),
        ("SORT k BY w* GET # GET w*", ["2", "10", "3", "20", "1", "30"]), ("SORT k GET const LIMIT 0 1", [None]),
        ("SET const x", OK), ("SORT k GET const LIMIT 0 1", [None]), ("SORT k GET h* LIMIT 0 1", [None]),
        ("SORT k GET o*->name LIMIT 0 1", [None]), ("SORT k GET h*-> LIMIT 0 1", [None]),
        ("SORT_RO k GET o* LIMIT 1 1", ["two"]), ("SORT k GET ## LIMIT 0 1", [None]),
    ],
    "BY of a constant does not sort": [
        ("SORT k BY nosort", Unordered(["1", "2", "3"])), ("SORT k BY nosort LIMIT 0 10", Unordered(["1", "2", "3"])),
        ("SORT k BY nosort GET #", Unordered(["1", "2", "3"])), ("SORT_RO k BY x", Unordered(["1", "2", "3"])),
        ("SORT k BY nosort LIMIT 1 1", lambda reply: len(reply) == 1),
    ],
    "STORE": [
        *OBJECTS, ("SORT k STORE d", 3), ("TYPE d", Status("list")), ("LRANGE d 0 -1", ["1", "2", "3"]),
        ("SORT k DESC LIMIT 0 2 STORE d", 2), ("LRANGE d 0 -1", ["3", "2"]),
        ("SORT k BY w* GET # GET o* GET none* STORE d", 9),
        ("LRANGE d 0 -1", ["2", "two", "", "3", "three", "", "1", "one", ""]), ("SET d v EX 100", OK),
        ("SORT k store d", 3),
        ("TTL d", -1), ("SORT k BY nosort STORE d", 3), ("LRANGE d 0 -1", Unordered(["1", "2", "3"])),
        ("SORT k STORE x STORE d", 3), ("EXISTS x", 0), ("SORT_RO k STORE d", SYNTAX),
    ],
    "STORE of nothing removes the destination": [
        ("SET d v", OK), ("SORT k LIMIT 3 1 STORE d", 0), ("EXISTS d", 0), ("SET d v", OK), ("SORT none STORE d", 0),
        ("EXISTS d", 0), ("RPUSH d x", 1), ("SORT none BY w* GET # STORE d", 0), ("EXISTS d", 0),
        ("SORT none STORE d", 0),
    ],
    "STORE into the key itself": [
        ("SORT k DESC STORE k", 3), ("TYPE k", Status("list")), ("LRANGE k 0 -1", ["3", "2", "1"]),
        ("SORT k STORE k", 3),
        ("LRANGE k 0 -1", ["1", "2", "3"]),
    ],
    "An empty or missing key": [
        ("SORT none", []), ("SORT none ALPHA DESC BY x* GET #", []), ("SORT_RO none", []), ("SORT none LIMIT 0 0", []),
        ("DEL k", 1), ("SORT k", []),
    ],
    "Words need ALPHA": [
        ("SORT k BY nosort ALPHA", Any(list)), ("SET w1 x", OK), ("SORT k BY w*", NOT_DOUBLE), ("SET d v", OK),
        ("SORT k BY w* STORE d", NOT_DOUBLE), ("GET d", "v"), ("SORT k BY w* ALPHA", two_and_three_then_one),
    ],
    "SORT refuses bad arguments": [
        ("SORT k X", SYNTAX), ("SORT k LIMIT 1", SYNTAX), ("SORT k LIMIT", SYNTAX), ("SORT k BY", SYNTAX),
        ("SORT k GET", SYNTAX),
        ("SORT k STORE", SYNTAX), ("SORT k LIMIT x 1", NOT_INTEGER), ("SORT k LIMIT 1 x", NOT_INTEGER),
        ("SORT k LIMIT 1.5 1", NOT_INTEGER), ("SORT k ALPHA LIMIT 0 9223372036854775808", NOT_INTEGER),
        ("SORT k # *", SYNTAX),
        ("SORT_RO k STORE d", SYNTAX), ("SORT_RO k X", SYNTAX), ("SORT k STORE d X", SYNTAX), ("EXISTS d", 0),
    ],
    "Events and WATCH": [
        *EVENTS, ("SORT k", ["1", "2", "3"]), ("SORT k STORE d", 3), event("sortstore", "d"), ("SORT none STORE d", 0),
        event("del", "d"), ("SORT none STORE d", 0), ("SET d v", OK), event("set", "d"), ("WATCH d", OK),
        ("@3 SORT k STORE d", 3),
        event("sortstore", "d"), ("MULTI", OK), ("PING", QUEUED), ("EXEC", lambda reply: type(reply) is not list),
        ("WATCH k d", OK), ("@3 SORT k", ["1", "2", "3"]), ("@3 SORT_RO k", ["1", "2", "3"]), ("MULTI", OK),
        ("SORT k DESC", QUEUED),
        ("EXEC", [["3", "2", "1"]]), ("SET end 1", OK), event("set", "end"),
    ],
    "Keys that have expired count as missing": [
        *OBJECTS, ("PEXPIRE w1 10", 1), ("PEXPIRE o2 10", 1), Advance(30), ("SORT k BY w* GET # GET o*",
                                                                          ["1", "one", "2", None, "3", "three"]),
        ("PEXPIRE k 10", 1), Advance(30), ("SORT k", []),
    ],
}

ONCE = {
    "A wrong number of arguments": [
        ("SORT", wrong_args("sort")), ("SORT_RO", wrong_args("sort_ro")), ("SORT none", []), ("SORT_RO none", []),
    ],
    "Other types": [
        ("SET s v", OK), ("HSET h f v", 1), ("SORT s", WRONGTYPE), ("SORT h", WRONGTYPE), ("SORT_RO s", WRONGTYPE),
        ("SORT s X", SYNTAX), ("SORT s STORE d", WRONGTYPE), ("SORT s LIMIT x 1", NOT_INTEGER),
        ("SORT s BY nosort", WRONGTYPE),
    ],
    "Numbers of every kind": [
        ("RPUSH k 10 9 -1 1.5 1e2 inf -inf 0", 8),
        ("SORT k", ["-inf", "-1", "0", "1.5", "9", "10", "1e2", "inf"]),
        ("SORT k ALPHA", ["-1", "-inf", "0", "1.5", "10", "1e2", "9", "inf"]),
        ("RPUSH l 1.1 5.10 3.10 7.44 2.1 5.75", 6),
        ("SORT l", ["1.1", "2.1", "3.10", "5.10", "5.75", "7.44"]),
        ("RPUSH m 9223372036854775807 9223372036854775806", 2),
        ("SORT m", ["9223372036854775806", "9223372036854775807"]), ("RPUSH n -0 +5 .5 5.", 4),
        ("SORT n", ["-0", ".5", "+5", "5."]),
    ],
    "What is no number": [
        ("RPUSH a 1 x", 2), ("SORT a", NOT_DOUBLE), ("RPUSH b nan", 1), ("SORT b", NOT_DOUBLE),
        ("RPUSH c 1e400", 1), ("SORT c", NOT_DOUBLE), ("RPUSH d 1x 2", 2), ("SORT d", NOT_DOUBLE), ('RPUSH e "1 "', 1),
        ("SORT e", NOT_DOUBLE), ("SORT a STORE z", NOT_DOUBLE), ("EXISTS z", 0), ("SORT a DESC LIMIT 0 1", NOT_DOUBLE),
        ("SORT a BY nosort", ["1", "x"]), ('RPUSH g "1,5"', 1), ("SORT g", NOT_DOUBLE), ("SORT a GET #", NOT_DOUBLE),
    ],
    "An empty string as a number, and what a zero byte ends": [
        ('RPUSH a "" 1 -1', 3), ("SORT a", ["-1", "", "1"]),
        (r'RPUSH b "2\x00x" 1 "\x009"', 3), ("SORT b", [b"\x009", "1", b"2\x00x"]),
    ],
    "Blanks and hexadecimal numbers are no numbers": Case([
        ('RPUSH a " 2" 1', 2), ("SORT a", NOT_DOUBLE), ("RPUSH b 0x10 1", 2), ("SORT b", NOT_DOUBLE),
        ("SET w1 0x10", OK), ("RPUSH c 1 1", 2), ("SORT c BY w*", NOT_DOUBLE),
    ], since="8.2 or valkey 9.1"),
    "A zero byte ends the search for a pattern's star and arrow": [
        ("RPUSH k 2 1", 2), (r'SORT k BY "w\x00*"', ["2", "1"]),
        (r'SORT k GET "w\x00*" GET "#\x00"', [None, "1", None, "2"]),
        ("HSET h1 f 7", 1), (r'SORT k BY nosort GET "h*\x00->f" GET "h*->f"', [None, None, None, "7"]),
    ],
    "Equal numbers are sorted as words": [
        ("RPUSH k d c b a", 4), ("MSET wa 10 wb 10 wc 20 wd 10", OK), ("SORT k BY w*", ["a", "b", "d", "c"]),
        ("SORT k BY w* DESC", ["c", "d", "b", "a"]), ("RPUSH l 1.0 1 01", 3), ("SORT l", ["01", "1", "1.0"]),
        ("SORT l DESC", ["1.0", "1", "01"]), ("SORT k BY w* LIMIT 1 2", ["b", "d"]),
    ],
    "Equal words by ALPHA": [
        ("RPUSH k b a b a", 4), ("SORT k ALPHA", ["a", "a", "b", "b"]), ("MSET wa x wb x", OK),
        ("SORT k BY w* ALPHA", lambda reply: sorted(reply) == [b"a", b"a", b"b", b"b"]),
        ("SORT k BY nokey* ALPHA LIMIT 0 4", lambda reply: sorted(reply) == [b"a", b"a", b"b", b"b"]),
    ],
    "ALPHA compares bytes": [
        (r'RPUSH k b B a "" A 10 9 "a\xff" aa', 9),
        ("SORT k ALPHA", ["", "10", "9", "A", "B", "a", "aa", b"a\xff", "b"]),
        ("SORT k ALPHA DESC LIMIT 0 3", ["b", b"a\xff", "aa"]),
    ],
    "BY keys with some missing": [
        ("RPUSH k 1 2 3 4", 4), ("MSET w1 5 w3 -5", OK), ("SORT k BY w*", ["3", "2", "4", "1"]),
        ("MSET a1 b a3 a", OK),
        ("SORT k BY a* ALPHA", lambda reply: sorted(reply[:2]) == [b"2", b"4"] and reply[2:] == [b"3", b"1"]),
        ("SORT k BY w* GET w*", ["-5", None, None, "5"]),
    ],
    "BY a key that is no string, and weights of other writings": [
        ("RPUSH k 1 2 3", 3), ("RPUSH w1 x", 1), ("MSET w2 -1 w3 1e1", OK), ("SORT k BY w*", ["2", "1", "3"]),
        ("SORT k GET w*", [None, "-1", "1e1"]), ("SET w2 inf", OK), ("SORT k BY w*", ["1", "3", "2"]),
        ("SET w2 nan", OK),
        ("SORT k BY w*", NOT_DOUBLE),
    ],
    "Patterns replace the first star only": [
        ("RPUSH k 1", 1), ("MSET a1*b x *1 y 1 z a1b w", OK), ("SORT k GET a**b", ["x"]), ("SORT k GET a*b", ["w"]),
        ("SORT k GET *", ["z"]),
        ("HSET h1 * star f* fstar", 2), ("SORT k GET h*->*", ["star"]), ("SORT k GET h*->f*", ["fstar"]),
        ("HSET h->1 f v", 1), ("SORT k GET h->*", [None]), ("SET h->1x str", OK), ("SORT k GET h->*x", ["str"]),
    ],
    "A list keeps its order with BY nosort": [
        ("RPUSH k 2 1 4 3 10", 5), ("SORT k BY nosort", ["2", "1", "4", "3", "10"]),
        ("SORT k BY nosort DESC", ["10", "3", "4", "1", "2"]),
        ("SORT k BY nosort LIMIT 1 3", ["1", "4", "3"]), ("SORT k BY nosort GET # LIMIT 3 10", ["3", "10"]),
        ("SORT k BY nosort LIMIT 5 1", []), ("SORT k BY nosort STORE d", 5),
        ("LRANGE d 0 -1", ["2", "1", "4", "3", "10"]),
        ("SORT k BY nosort LIMIT 2 -1", ["4", "3", "10"]), ("SORT k BY nosort ALPHA LIMIT -2 2", ["2", "1"]),
    ],
    "A sorted set keeps its order with BY nosort": [
        ("ZADD k 1 a 5 b 2 c 10 d 3 e", 5), ("SORT k BY nosort", ["a", "c", "e", "b", "d"]),
        ("SORT k BY nosort ASC", ["a", "c", "e", "b", "d"]), ("SORT k BY nosort DESC", ["d", "b", "e", "c", "a"]),
        ("SORT k BY nosort ASC LIMIT 0 1", ["a"]), ("SORT k BY nosort DESC LIMIT 0 1", ["d"]),
        ("SORT k BY nosort ASC LIMIT 1 2", ["c", "e"]), ("SORT k BY nosort DESC LIMIT 1 2", ["b", "e"]),
        ("SORT k BY nosort DESC LIMIT 5 1", []), ("SORT k BY nosort LIMIT -1 2", ["a", "c"]),
        ("SORT k ALPHA", ["a", "b", "c", "d", "e"]),
        ("SORT k", NOT_DOUBLE), ("ZADD i -100 a 200 b -inf c +inf d", 4), ("SORT i BY nosort", ["c", "a", "b", "d"]),
        ("SORT k BY nosort DESC STORE d", 5), ("LRANGE d 0 -1", ["d", "b", "e", "c", "a"]),
        ("SORT_RO k BY nosort DESC GET # LIMIT 3 3", ["c", "a"]),
    ],
    "A set with BY nosort and STORE is sorted all the same": [
        ("SADD k 10 9 1 b a", 5), ("SORT k BY nosort STORE d", 5), ("LRANGE d 0 -1", ["1", "10", "9", "a", "b"]),
    ],
    "STORE makes a list of the usual encodings": [
        ("CONFIG SET list-max-listpack-size 10", OK), (("RPUSH", "k", *range(30)), 30), ("SORT k STORE d", 30),
        ("OBJECT ENCODING d", "quicklist"), (("RPUSH", "l", *range(5)), 5), ("SORT l DESC STORE d", 5),
        ("LINDEX d 0", "4"),
        ("LPUSH d x", 6), ("LLEN d", 6), ("MEMORY USAGE d", Between(20, 400)),
    ],
    "STORE of a short list is a listpack": Case([
        ("RPUSH k 3 1 2", 3), ("SORT k STORE d", 3), ("OBJECT ENCODING d", "listpack"),
    ], since="7.2"),
    "Any bytes": [
        # Without STORE Redis compares by strcoll(), which ends at a zero byte.
        (r'RPUSH k "\x00b" "\xff" "\r\n" "\x00a"', 4), ("SORT k ALPHA STORE d", 4),
        ("LRANGE d 0 -1", [b"\x00a", b"\x00b", b"\r\n", b"\xff"]),
        (r'SET "p\xff" v', OK), ("SORT k ALPHA DESC GET p* LIMIT 0 1", ["v"]),
    ],
    "COMMAND GETKEYS of SORT": [
        ("COMMAND GETKEYS SORT abc STORE def", ["abc", "def"]),
        ("COMMAND GETKEYS SORT abc STORE a STORE def", ["abc", "def"]),
        ("COMMAND GETKEYS SORT_RO abc", ["abc"]), ("COMMAND GETKEYS SORT abc BY x* GET y* LIMIT 0 1", ["abc"]),
    ],
}


FILLED = {f"{size} {kind}": [*rows, (fill, 3)] for kind, fill in FILL.items() for size, rows in SETTINGS.items()}
CASES = ONCE | in_each(ON_EACH_TYPE, FILLED)


def test_rows(row_case):
    row_case.check()


# --- what is propagated; see tests.effect_rows ----------------------------------------

EFFECTS = {
    "SORT": ("RPUSH l 2 1", "SORT l | SORT_RO l | SORT l STORE d", "SORT l STORE d"),
    "SORT that stores nothing": ("SET d v", "SORT l STORE d | SORT l STORE d", "SORT l STORE d"),
}
EFFECTS_UNDER = {"small": "", "hashtable": "set-max-intset-entries 0\nset-max-listpack-entries 0\n"}


def test_effects(effect):
    effect.check()


@pytest.mark.parametrize("kind", ["list", "set", "zset"])
def test_sort_of_many(either_target, kind):
    pick = random.Random(7)
    numbers = pick.sample(range(-10**9, 10**9), 2000)
    weights = {number: pick.randrange(500) for number in numbers}
    with either_target.server.client() as client:
        if kind == "list":
            client.call("RPUSH", "k", *numbers)
        elif kind == "set":
            client.call("SADD", "k", *numbers)
        else:
            client.call("ZADD", "k", *(word for number in numbers for word in (weights[number], number)))
        client.pipeline([("SET", f"w{number}", weight) for number, weight in weights.items()])
        client.pipeline([("HSET", f"h{number}", "w", weight) for number, weight in weights.items()])
        ascending = [b"%d" % number for number in sorted(numbers)]
        assert client.call("SORT", "k") == ascending
        assert client.call("SORT", "k", "DESC", "LIMIT", 100, 50) == ascending[::-1][100:150]
        assert client.call("SORT", "k", "ALPHA") == sorted(ascending)
        by_weight = sorted(ascending, key=lambda name: (weights[int(name)], name))
        assert client.call("SORT", "k", "BY", "w*") == by_weight
        assert client.call("SORT", "k", "BY", "h*->w", "LIMIT", 5, 20) == by_weight[5:25]
        assert client.call("SORT", "k", "BY", "h*->w", "DESC", "STORE", "d") == 2000
        assert client.call("LRANGE", "d", 0, -1) == by_weight[::-1]
        both = client.call("SORT", "k", "BY", "w*", "GET", "#", "GET", "h*->w")
        assert both[::2] == by_weight and both[1::2] == [b"%d" % weights[int(name)] for name in by_weight]
