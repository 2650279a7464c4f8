"""Set members with a TTL: SADDEX, SEXPIRE and its family, STTL, SPERSIST, and the other commands on such sets.

Nobody else here has them, so rows run on ours alone. They say what Redis 8.12 documents, and where that is silent
what docs/internals.md says.
"""
import random

import pytest

from tests.local import NOW_MS, Local
from tests.rows import (
    NOT_INTEGER,
    OK,
    WRONGTYPE,
    Advance,
    Between,
    Case,
    Error,
    Holding,
    Matching,
    Status,
    Unordered,
    bad_expire,
    heard,
    in_each,
    listen,
    wrong_args,
)

NO_PEER = "Redis 8.12 has deadlines of members"
LISTEN = listen()
NEGATIVE = Error("ERR invalid expire time, must be >= 0")
NO_MEMBERS = Error("ERR Mandatory argument MEMBERS is missing or not at the right position")
ZERO = Error("ERR Parameter `numMembers` should be greater than 0")
BAD = Error("ERR Number of members must be a positive integer")
OTHER = Error("ERR The `nummembers` parameter must match the number of arguments")
INVALID = Error("ERR invalid number of members")
ONE_CONDITION = Error("ERR Only one of MXX or MNX arguments can be specified")
ONE_TTL = Error("ERR Only one of EX, PX, EXAT, PXAT or KEEPTTL arguments can be specified")
LAST_MS = 2**46 - 1
FAR = 33177117420
ABC = ("SADD s a b c", 3)
LAZY = ("DEBUG SET-ACTIVE-EXPIRE 0", OK)
EAGER = ("DEBUG SET-ACTIVE-EXPIRE 1", OK)
SOON = [LAZY, ABC, ("SPEXPIRE s 10 MEMBERS 2 a b", [1, 1]), Advance(20)]


def members(*names, key="s"):
    return f"SMEMBERS {key}", set(names)


EVERYWHERE = {
    "SEXPIRE and STTL": [
        Advance(0), ABC, ("SEXPIRE s 100 MEMBERS 1 a", [1]), ("STTL s MEMBERS 3 a b none", [100, -1, -2]),
        ("SPTTL s MEMBERS 2 a b", [Between(90_000, 100_000), -1]), ("SEXPIRE s 200 MEMBERS 2 a b", [1, 1]),
        ("STTL s MEMBERS 3 a b c", [200, 200, -1]), ("SEXPIRE s 10 MEMBERS 2 none a", [-2, 1]), ("SCARD s", 3),
        members("a", "b", "c"), ("TTL s", -1), ("OBJECT ENCODING s", "hashtable"),
    ],
    "SPEXPIRE, SEXPIREAT, SPEXPIREAT, SEXPIRETIME, SPEXPIRETIME": [
        ABC, (f"SEXPIREAT s {FAR} MEMBERS 1 a", [1]), ("SEXPIRETIME s MEMBERS 3 a b none", [FAR, -1, -2]),
        (f"SPEXPIREAT s {FAR}123 MEMBERS 2 b none", [1, -2]),
        ("SPEXPIRETIME s MEMBERS 4 a b c none", [FAR * 1000, FAR * 1000 + 123, -1, -2]),
        ("SEXPIRETIME s MEMBERS 1 b", [FAR + 1]), ("SPEXPIRE s 100000 MEMBERS 1 c", [1]),
        ("SPTTL s MEMBERS 1 c", [Between(99000, 100000)]), ("STTL s MEMBERS 1 c", [100]),
    ],
    "A missing key has no members": [
        ("SEXPIRE s 10 MEMBERS 1 a", [-2]), ("SPEXPIRE s 10 MEMBERS 2 a b", [-2, -2]),
        ("SEXPIREAT s 10 NX MEMBERS 1 a", [-2]), ("SPEXPIREAT s 10 MEMBERS 1 a", [-2]), ("STTL s MEMBERS 1 a", [-2]),
        ("SPTTL s MEMBERS 2 a b", [-2, -2]), ("SEXPIRETIME s MEMBERS 1 a", [-2]), ("SPEXPIRETIME s MEMBERS 1 a", [-2]),
        ("SPERSIST s MEMBERS 2 a b", [-2, -2]), ("EXISTS s", 0),
    ],
    "NX, XX, GT and LT: a member without TTL lives for ever": [
        ABC, ("SEXPIRE s 100 XX MEMBERS 2 a none", [0, -2]), ("SEXPIRE s 100 nx MEMBERS 1 a", [1]),
        ("SEXPIRE s 200 NX MEMBERS 2 a b", [0, 1]), ("STTL s MEMBERS 2 a b", [100, 200]),
        ("SEXPIRE s 150 GT MEMBERS 3 a b c", [1, 0, 0]), ("SEXPIRE s 120 LT MEMBERS 3 a b c", [1, 1, 1]),
        ("STTL s MEMBERS 3 a b c", [120, 120, 120]),
    ],
    "SPERSIST": [
        ABC, ("SEXPIRE s 300 MEMBERS 2 a b", [1, 1]), ("SPERSIST s MEMBERS 1 b", [1]),
        ("STTL s MEMBERS 2 a b", [300, -1]), ("SPERSIST s MEMBERS 2 b none", [-1, -2]), members("a", "b", "c"),
    ],
    "A time that has passed removes": [
        ABC, ("SEXPIRE s 0 MEMBERS 2 a none", [2, -2]), members("b", "c"), ("SPEXPIREAT s 1 MEMBERS 2 b c", [2, 2]),
        ("EXISTS s", 0),
    ],
    "SADDEX": [
        Advance(0), ("SADDEX s EX 100 MEMBERS 2 a b", 2), ("STTL s MEMBERS 2 a b", [100, 100]),
        ("SADDEX s EX 50 MEMBERS 2 b c", 1), ("STTL s MEMBERS 3 a b c", [100, 50, 50]),
        ("SADDEX s KEEPTTL MEMBERS 2 a d", 1), ("STTL s MEMBERS 2 a d", [100, -1]),
        ("SADDEX s MEMBERS 2 a e", 1), ("STTL s MEMBERS 2 a e", [-1, -1]), members("a", "b", "c", "d", "e"),
        ("SADDEX s px 70000 MEMBERS 1 a", 0), ("STTL s MEMBERS 1 a", [70]),
        (f"SADDEX s EXAT {FAR} MEMBERS 1 a", 0), (f"SADDEX s PXAT {FAR}500 MEMBERS 1 b", 0),
        ("SPEXPIRETIME s MEMBERS 2 a b", [FAR * 1000, FAR * 1000 + 500]), ("SADDEX t MEMBERS 3 1 2 1", 2),
        ("OBJECT ENCODING t", Matching("intset|listpack|hashtable")),
    ],
    "SADDEX MNX and MXX": [
        ABC, ("SADDEX s MNX EX 100 MEMBERS 2 d a", 0), members("a", "b", "c"), ("SADDEX s MNX EX 100 MEMBERS 2 d e", 2),
        ("SADDEX s MXX EX 50 MEMBERS 2 a none", 0), ("STTL s MEMBERS 2 a d", [-1, 100]),
        ("SADDEX s MXX EX 50 MEMBERS 2 a d", 0), ("STTL s MEMBERS 3 a d e", [50, 50, 100]),
        ("SADDEX t MXX EX 50 MEMBERS 1 a", 0), ("EXISTS t", 0), ("SADDEX t MNX EX 50 MEMBERS 1 a", 1),
    ],
    "SADDEX with a time that has passed": [
        ABC, ("SADDEX s PX 0 MEMBERS 2 a d", 0), members("b", "c"), ("SADDEX t PXAT 1 MEMBERS 1 a", 0),
        ("EXISTS t", 0), ("SADDEX s EXAT 1 MEMBERS 2 b c", 0), ("EXISTS s", 0),
    ],
    "SADD keeps TTLs, SREM takes them along": [
        ABC, ("SEXPIRE s 100 MEMBERS 2 a b", [1, 1]), ("SADD s a d", 1), ("STTL s MEMBERS 2 a d", [100, -1]),
        ("SREM s a b", 2), ("SADD s a b", 2), ("STTL s MEMBERS 2 a b", [-1, -1]),
    ],
    "SMOVE leaves the TTL behind": [
        ABC, ("SEXPIRE s 100 MEMBERS 2 a b", [1, 1]), ("SADDEX t EX 50 MEMBERS 2 b x", 2), ("SMOVE s t a", 1),
        ("SMOVE s t b", 1), ("STTL t MEMBERS 3 a b x", [-1, 50, 50]), members("c"), ("SMOVE s s c", 1),
    ],
    "Results of set algebra have no TTLs": [
        ABC, ("SEXPIRE s 100 MEMBERS 2 a b", [1, 1]), ("SADD t a x", 2), ("SUNIONSTORE u s t", 4),
        ("SINTERSTORE i s t", 1), ("SDIFFSTORE d s t", 2), ("STTL u MEMBERS 2 a b", [-1, -1]),
        ("STTL i MEMBERS 1 a", [-1]), ("STTL d MEMBERS 1 b", [-1]), ("SUNIONSTORE s s", 3),
        ("STTL s MEMBERS 2 a b", [-1, -1]), ("INFO keyspace", Holding("subexpiry=0")),
    ],
    "RENAME, COPY, MOVE, DUMP keep TTLs": [
        ABC, (f"SPEXPIREAT s {FAR}123 MEMBERS 2 a b", [1, 1]), ("RENAME s t", OK), ("COPY t u", 1), ("MOVE u 1", 1),
        ("SPEXPIRETIME t MEMBERS 3 a b c", [FAR * 1000 + 123] * 2 + [-1]), ("SELECT 1", OK),
        ("SPEXPIRETIME u MEMBERS 3 a b c", [FAR * 1000 + 123] * 2 + [-1]), ("DEL u", 1), ("SELECT 0", OK),
        ("DEBUG RELOAD", OK), ("SPEXPIRETIME t MEMBERS 3 a b c", [FAR * 1000 + 123] * 2 + [-1]),
        ("DEBUG VERIFY", Matching(".*")),
    ],
    "Other commands see members with TTLs": [
        ABC, ("SEXPIRE s 100 MEMBERS 2 a b", [1, 1]), ("SISMEMBER s a", 1), ("SMISMEMBER s a none c", [1, 0, 1]),
        ("SORT s ALPHA", ["a", "b", "c"]), ("SSCAN s 0", ["0", Unordered(["a", "b", "c"])]), ("TYPE s", Status("set")),
        ("SINTER s s", {"a", "b", "c"}), ("ZUNION 1 s", Unordered(["a", "b", "c"])),
        ("SINTERCARD 1 s", 3), ("SRANDMEMBER s 10", Unordered(["a", "b", "c"])), ("MEMORY USAGE s", Between(1, 2000)),
        ("SPOP s 5", {"a", "b", "c"}), ("EXISTS s", 0),
    ],
}
AT_ONCE = {
    "Members go when their time comes, the key with the last": [
        ABC, ("SPEXPIRE s 100 MEMBERS 1 a", [1]), ("SPEXPIRE s 200 MEMBERS 2 b c", [1, 1]), Advance(101),
        members("b", "c"), ("SCARD s", 2), Advance(100), ("EXISTS s", 0),
    ],
    "Events": [
        *LISTEN, ("SADDEX s PX 50 MEMBERS 2 a b", 2), ("SEXPIRE s 10 MEMBERS 1 a", [1]),
        ("SPERSIST s MEMBERS 1 a", [1]),
        ("SADDEX s EX 10 MEMBERS 1 b", 0), ("SADDEX s MEMBERS 1 b", 0), ("SADDEX s MEMBERS 1 b", 0),
        ("SEXPIRE s 0 MEMBERS 1 b", [2]), ("SADDEX s PX 0 MEMBERS 1 a", 0),
        *heard("sadd s", "sexpire s", "sexpire s", "spersist s", "sexpire s", "spersist s", "srem s", "srem s",
               "del s"),
    ],
    "Events of expiry": [
        *listen(classes="Esg"), ("SADDEX s PX 50 MEMBERS 1 a", 1), ("SADDEX s PX 80 MEMBERS 1 b", 1), Advance(51),
        Advance(31), *heard("sadd s", "sexpire s", "sadd s", "sexpire s", "sexpired s", "sexpired s", "del s"),
    ],
    "Who only reads does not see those whose time has come": [
        *SOON, ("SISMEMBER s a", 0), ("SMISMEMBER s a b c", [0, 0, 1]), members("c"), ("SSCAN s 0", ["0", ["c"]]),
        ("STTL s MEMBERS 2 a c", [-2, -1]), ("SPERSIST s MEMBERS 1 a", [-2]), ("SEXPIRE s 10 MEMBERS 1 b", [-2]),
        EAGER,
    ],
    "SCARD": [*SOON, ("SCARD s", 1), EAGER],
    "SRANDMEMBER": [*SOON, ("SRANDMEMBER s", "c"), ("SRANDMEMBER s -3", ["c"] * 3), ("SRANDMEMBER s 3", ["c"]), EAGER],
    "SPOP": [*SOON, ("SPOP s", "c"), ("EXISTS s", 0), EAGER],
    "SPOP with a count": [*SOON, ("SPOP s 3", {"c"}), ("EXISTS s", 0), EAGER],
    "SADD": [*SOON, ("SADD s a", 1), members("a", "c"), ("STTL s MEMBERS 1 a", [-1]), EAGER],
    "SADDEX of one": [*SOON, ("SADDEX s KEEPTTL MEMBERS 1 a", 1), ("STTL s MEMBERS 1 a", [-1]), EAGER],
    "SADDEX MNX": [*SOON, ("SADDEX s MNX EX 5 MEMBERS 1 a", 1), EAGER],
    "SADDEX MXX": [*SOON, ("SADDEX s MXX EX 5 MEMBERS 1 a", 0), members("c"), EAGER],
    "SREM": [*SOON, ("SREM s a", 0), ("SREM s c", 1), ("EXISTS s", 0), EAGER],
    "SMOVE": [*SOON, ("SMOVE s t a", 0), ("SADD t x", 1), ("SMOVE t s x", 1), members("c", "x"), EAGER],
    "SORT": [*SOON, ("SORT s ALPHA", ["c"]), EAGER],
    "set algebra": [
        *SOON, ("SADD t a c", 2), ("SINTER s t", {"c"}), ("SUNION s t", {"a", "c"}), ("SDIFF t s", {"a"}),
        ("SINTERCARD 2 s t", 1), ("SUNIONSTORE u s", 1), ("ZINTER 2 s t", ["c"]), EAGER,
    ],
    "INFO counts expired members and sets with TTLs": [
        ("CONFIG RESETSTAT", OK), ABC, ("INFO keyspace", Holding("subexpiry=0")),
        ("SPEXPIRE s 100 MEMBERS 2 a b", [1, 1]),
        ("SADDEX t PX 200 MEMBERS 1 a", 1), ("INFO keyspace", Holding("keys=2,expires=0", "subexpiry=2")),
        ("SREM t a", 1), ("INFO keyspace", Holding("subexpiry=1")), Advance(101),
        ("INFO keyspace", Holding("subexpiry=0")), ("INFO stats", Matching(r".*expired_subkeys:2\r\n.*")),
    ],
}
ERRORS = {
    "arities": [
        *((f"{name} s MEMBERS 1", wrong_args(name)) for name in (
            "saddex", "sttl", "spttl", "sexpiretime", "spexpiretime", "spersist")),
        *((f"{name} s 1 MEMBERS 1", wrong_args(name)) for name in ("sexpire", "spexpire", "sexpireat", "spexpireat")),
    ],
    "only sets": [("SET s v", OK), *((line, WRONGTYPE) for line in (
        "SADDEX s MEMBERS 1 a", "SEXPIRE s 1 MEMBERS 1 a", "SPEXPIRE s 1 MEMBERS 1 a", "SEXPIREAT s 1 MEMBERS 1 a",
        "SPEXPIREAT s 1 MEMBERS 1 a", "STTL s MEMBERS 1 a", "SPTTL s MEMBERS 1 a", "SEXPIRETIME s MEMBERS 1 a",
        "SPEXPIRETIME s MEMBERS 1 a", "SPERSIST s MEMBERS 1 a"))],
    "of SEXPIRE": [
        ABC, ("SEXPIRE s x MEMBERS 1 a", NOT_INTEGER), ("SEXPIRE s -1 MEMBERS 1 a", NEGATIVE),
        ("SEXPIRE s 1 FIELDS 1 a", NO_MEMBERS), ("SEXPIRE s 1 MEMBERS 0 a", ZERO), ("SEXPIRE s 1 MEMBERS x a", ZERO),
        ("SEXPIRE s 1 MEMBERS 2 a", OTHER), ("SEXPIRE s 1 NX XX MEMBERS 1 a", NO_MEMBERS),
        (f"SPEXPIREAT s {LAST_MS + 1} MEMBERS 1 a", bad_expire("spexpireat")),
        (f"SPEXPIREAT s {LAST_MS} MEMBERS 1 a", [1]),
        (f"SEXPIRE s {2**62} MEMBERS 1 a", bad_expire("sexpire")),
    ],
    "of STTL and SPERSIST": [
        ABC, ("STTL s FIELDS 1 a", NO_MEMBERS), ("STTL s MEMBERS 0 a", BAD), ("STTL s MEMBERS 2 a", OTHER),
        ("SPERSIST s MEMBERS x a", BAD), ("SPERSIST s MEMBERS 1 a b", OTHER),
    ],
    "of SADDEX": [
        ("SADDEX s MEMBERS 0 a", INVALID), ("SADDEX s MEMBERS x a", INVALID),
        ("SADDEX s MEMBERS 2 a", wrong_args("saddex")),
        ("SADDEX s MNX MXX MEMBERS 1 a", ONE_CONDITION), ("SADDEX s EX 1 PX 1 MEMBERS 1 a", ONE_TTL),
        ("SADDEX s EX 1 KEEPTTL MEMBERS 1 a", ONE_TTL), ("SADDEX s EX x MEMBERS 1 a", NOT_INTEGER),
        ("SADDEX s EX -1 MEMBERS 1 a", NEGATIVE), (f"SADDEX s PXAT {LAST_MS + 1} MEMBERS 1 a", bad_expire("saddex")),
        ("SADDEX s FNX MEMBERS 1 a", Error("ERR unknown argument: FNX")), ("SADDEX s MNX KEEPTTL MXX", ONE_CONDITION),
        ("SADDEX s MNX EX 5", NO_MEMBERS), ("EXISTS s", 0),
    ],
}
SIZES = {"small": [], "in a table at once": [("CONFIG SET set-max-listpack-entries 0", OK)]}
CASES = in_each(EVERYWHERE, SIZES, peer=NO_PEER) | {
    f"after its time: {name}": Case(rows, peer=NO_PEER) for name, rows in AT_ONCE.items()} | {
    f"errors {name}": Case(rows, peer=NO_PEER) for name, rows in ERRORS.items()}


def test_rows(row_case):
    row_case.check()


SET = "SADD s a b c"
DUE = f"DEBUG SET-ACTIVE-EXPIRE 0 | {SET} | SPEXPIRE s 10 MEMBERS 2 a b | DEBUG CLOCK ADVANCE 20"
EFFECTS = {
    "what only reads": (
        f"{SET} | SPEXPIRE s 70 MEMBERS 1 a", "SMEMBERS s | SISMEMBER s a | STTL s MEMBERS 1 a | SCARD s", "", NO_PEER),
    "SEXPIRE": (SET, "SEXPIRE s 10 MEMBERS 3 a none b", "SPEXPIREAT s T+10000 MEMBERS 2 a b", NO_PEER),
    "SPEXPIRE": (SET, "SPEXPIRE s 10 MEMBERS 1 a", "SPEXPIREAT s T+10 MEMBERS 1 a", NO_PEER),
    "SEXPIREAT": (SET, "SEXPIREAT s 1700000010 MEMBERS 1 a", "SPEXPIREAT s T+10000 MEMBERS 1 a", NO_PEER),
    "SPEXPIREAT with a condition": (
        SET, "SPEXPIREAT s 1700000000010 NX MEMBERS 1 a", "SPEXPIREAT s T+10 NX MEMBERS 1 a", NO_PEER),
    "SPEXPIRE that changes nothing": (SET, "SPEXPIRE s 30 XX MEMBERS 1 a | SPEXPIRE s 30 MEMBERS 1 none", "", NO_PEER),
    "SPEXPIRE of the past": (SET, "SPEXPIRE s 0 MEMBERS 3 a none b", "SREM s a b", NO_PEER),
    "SPERSIST": (f"{SET} | SPEXPIRE s 70 MEMBERS 1 a", "SPERSIST s MEMBERS 1 b | SPERSIST s MEMBERS 2 a b",
                 "SPERSIST s MEMBERS 2 a b", NO_PEER),
    "SADDEX": ("", "SADDEX s MEMBERS 1 a | SADDEX s KEEPTTL MEMBERS 2 a b | SADDEX s MEMBERS 1 a",
               "SADDEX s MEMBERS 1 a | SADDEX s KEEPTTL MEMBERS 2 a b", NO_PEER),
    "SADDEX EX": ("", "SADDEX s MNX EX 5 MEMBERS 2 a b | SADDEX s MXX PX 70 MEMBERS 1 b",
                  "SADDEX s PXAT T+5000 MEMBERS 2 a b | SADDEX s PXAT T+70 MEMBERS 1 b", NO_PEER),
    "SADDEX of the past": (SET, "SADDEX s PX 0 MEMBERS 2 a d | SADDEX t PX 0 MEMBERS 1 a", "SREM s a", NO_PEER),
    "SADDEX that fails": (SET, "SADDEX s MNX EX 5 MEMBERS 1 a | SADDEX s MXX MEMBERS 1 d", "", NO_PEER),
    "members that expire": (
        f"{SET} | SPEXPIRE s 10 MEMBERS 2 a b | SPEXPIRE s 20 MEMBERS 1 c", "DEBUG CLOCK ADVANCE 15 | "
        "DEBUG CLOCK ADVANCE 15", "SREM s a b | SREM s c", NO_PEER),
    "due members and who reads": (DUE, "SMEMBERS s | SISMEMBER s a | SCARD s | SSCAN s 0 | STTL s MEMBERS 1 a", "",
                                  NO_PEER),
    "due members and SRANDMEMBER": (DUE, "SRANDMEMBER s", "SREM s a b", NO_PEER),
    "due members and SINTER": (DUE, "SINTER s s", "SREM s a b", NO_PEER),
    "due members and SADD": (DUE, "SADD s a", "SREM s a b | SADD s a", NO_PEER),
    "due members and SUNIONSTORE": (DUE, "SUNIONSTORE t s", "SREM s a b | SUNIONSTORE t s", NO_PEER),
    "due members and SORT STORE": (DUE, "SORT s ALPHA STORE t", "SREM s a b | SORT s ALPHA STORE t", NO_PEER),
    "due members and ZUNIONSTORE": (DUE, "ZUNIONSTORE t 1 s", "SREM s a b | ZUNIONSTORE t 1 s", NO_PEER),
    "due members and SPOP": (DUE, "SPOP s", "SREM s a b | SREM s c", NO_PEER),
}


def test_effects(effect):
    effect.check()


# --- beyond rows: the clock of fastredis is moved ---------------------------------------

class Model:
    """A set as a dict: member -> deadline in ms or None."""

    def __init__(self):
        self.members = {}
        self.now = NOW_MS

    def advance(self, ms):
        self.now += ms
        self.members = {name: when for name, when in self.members.items() if when is None or when >= self.now}

    def expire(self, name, when, condition):
        if name not in self.members:
            return -2
        old = self.members[name]
        if {None: False, "NX": old is not None, "XX": old is None, "GT": old is None or when <= old,
                "LT": old is not None and when >= old}[condition]:
            return 0
        if when <= self.now:
            del self.members[name]
            return 2
        self.members[name] = when
        return 1

    def persist(self, name):
        if name not in self.members:
            return -2
        had = self.members[name]
        self.members[name] = None
        return -1 if had is None else 1

    def add(self, names, when, keep):
        """SADDEX; when None: no time was given."""
        if when is not None and when <= self.now:
            for name in names:
                self.members.pop(name, None)
            return 0
        new = sum(name not in self.members for name in names)
        for name in names:
            self.members[name] = self.members.get(name) if keep else when
        return new


NAMES = [b"m%d" % number for number in range(12)] + [b"x" * 300, b"12345", b"-7", b""]
KINDS = ["sadd", "srem", "spexpireat", "spexpireat", "spersist", "spexpiretime", "saddex", "saddex", "smismember",
         "spop", "sinterstore", "sdiffstore", "scard", "smove"]


def change(chance, model):
    """A random command on the set "s", done to the model as well -> (argv, the reply it must have; None: any)."""
    kind = chance.choice(KINDS)
    names = chance.sample(NAMES, chance.randint(1, 4))
    when = model.now + chance.randint(-20, 400)
    tail = ("MEMBERS", len(names), *names)
    if kind == "sadd":
        return (kind, "s", *names), model.add(names, None, True)
    if kind == "srem":
        return (kind, "s", *names), sum(model.members.pop(name, 0) != 0 for name in names)
    if kind == "spexpireat":
        condition = chance.choice([None, None, "NX", "XX", "GT", "LT"])
        return (kind, "s", when, *([condition] if condition else []), *tail), [
            model.expire(name, when, condition) for name in names]
    if kind == "spersist":
        return (kind, "s", *tail), [model.persist(name) for name in names]
    if kind == "spexpiretime":
        return (kind, "s", *tail), [model.members[name] or -1 if name in model.members else -2 for name in names]
    if kind == "saddex":
        option = chance.choice(["", "KEEPTTL", "PXAT", "PXAT"])
        words = {"": [], "KEEPTTL": ["KEEPTTL"], "PXAT": ["PXAT", when]}[option]
        condition = chance.choice(["", "", "MNX", "MXX"])
        held = {"": True, "MNX": not any(name in model.members for name in names),
                "MXX": all(name in model.members for name in names)}[condition]
        reply = model.add(names, when if option == "PXAT" else None, option == "KEEPTTL") if held else 0
        return (kind, "s", *([condition] if condition else []), *words, *tail), reply
    if kind == "smismember":
        return (kind, "s", *names), [int(name in model.members) for name in names]
    if kind in ("sinterstore", "sdiffstore"):
        return (kind, "t", "s", "fixed"), len(
            model.members.keys() & set(NAMES[:6]) if kind == "sinterstore" else model.members.keys() - set(NAMES[:6]))
    if kind == "smove":
        return (kind, "s", "other", names[0]), int(model.members.pop(names[0], 0) != 0)
    return ("scard", "s"), len(model.members) if kind == "scard" else None


@pytest.mark.parametrize("lazy", [False, True])
@pytest.mark.parametrize("entries", [0, 128])
def test_random_changes_agree_with_a_python_dict(entries, lazy):
    chance = random.Random(f"{entries} {lazy}")
    with Local(f"enable-debug-command yes\nset-max-listpack-entries {entries}") as local:
        client = local.client()
        client.call("DEBUG", "SET-ACTIVE-EXPIRE", "0" if lazy else "1")
        client.call("SADD", "fixed", *NAMES[:6])
        model = Model()
        for _ in range(1500):
            argv, expected = change(chance, model)
            if expected is not None:
                assert client.call(*argv) == expected, argv
            else:
                popped = client.call("SPOP", "s")
                assert (popped is None and not model.members) or model.members.pop(popped, 0) != 0
            if chance.random() < 0.3:
                step = chance.randint(0, 100)
                model.advance(step)
                local.advance(step)
            assert set(client.call("SMEMBERS", "s")) == model.members.keys()
            if chance.random() < 0.1:
                assert not isinstance(client.call("DEBUG", "VERIFY"), Error)
                assert client.call("SCARD", "s") == len(model.members)
                assert set(client.call("SUNION", "s", "none")) == model.members.keys()


@pytest.fixture
def local():
    with Local("enable-debug-command yes") as local:
        yield local


def test_a_replica_hides_members_but_removes_none(local):
    """CLIENT PAUSE WRITE stops expiry as being a replica does."""
    client = local.client()
    client.call("SADD", "s", "a", "b")
    client.call("SADD", "t", "a", "b", "c")
    client.call("SPEXPIRE", "s", "10", "MEMBERS", "1", "a")
    client.call("CLIENT", "PAUSE", "1000", "WRITE")
    local.notes.take()
    local.advance(20)
    for argv, expected in (
            ("SISMEMBER s a", 0), ("SMISMEMBER s a b", [0, 1]), ("SMEMBERS s", [b"b"]), ("SCARD s", 1),
            ("SRANDMEMBER s", b"b"), ("SRANDMEMBER s -3", [b"b"] * 3), ("SRANDMEMBER s 5", [b"b"]),
            ("SSCAN s 0", [b"0", [b"b"]]), ("STTL s MEMBERS 2 a b", [-2, -1]), ("SORT_RO s ALPHA", [b"b"]),
            ("SUNION s s2", [b"b"]), ("SINTER t s", [b"b"]), ("SINTER s t", [b"b"]), ("SINTERCARD 1 s", 1),
            ("SDIFFCARD 2 t s", 2), ("ZINTER 2 t s", [b"b"]), ("ZUNION 1 s", [b"b"]), ("ZDIFF 2 s t", [])):
        assert client.call(*argv.split()) == expected, argv
    assert local.notes.take() == []
    client.call("CLIENT", "UNPAUSE")
    local.advance(0)
    assert client.call("SCARD", "s") == 1
    assert local.notes.take() == [(0, [b"SREM", b"s", b"a"])]


def test_a_large_set_costs_no_more_than_its_deadlines(local):
    """The first deadline takes a table over as it is; members without one stay as small as they were."""
    client = local.client()
    for start in range(0, 20_000, 1000):
        client.call("SADD", "s", *(f"member:{number}" for number in range(start, start + 1000)))
    before = client.call("MEMORY", "USAGE", "s", "SAMPLES", "0")
    assert client.call("SEXPIRE", "s", 100, "MEMBERS", 1, "member:5") == [1]
    assert client.call("MEMORY", "USAGE", "s", "SAMPLES", "0") < before + 500
    assert client.call("SCARD", "s") == 20_000
    local.advance(100_001)
    assert client.call("SCARD", "s") == 19_999


WAYS = {
    "DEL": "DEL s",
    "expiry of the key": "PEXPIRE s 10 | DEBUG CLOCK ADVANCE 20",
    "expiry of the members": "DEBUG CLOCK ADVANCE 100000 | DEL s",
    "SET": "SET s v | DEL s",
    "RENAME over it": "SET k v | RENAME k s | DEL s",
    "RENAME": "RENAME s k | DEL k",
    "MOVE": "MOVE s 1 | SELECT 1 | DEL s | SELECT 0",
    "COPY REPLACE": "COPY s k | COPY k s REPLACE | DEL s k",
    "SUNIONSTORE over it": "SADD k x | SUNIONSTORE s k | DEL s k",
    "SPOP": "SPOP s 399 | SPOP s 10000",
    "SWAPDB": "SWAPDB 0 1 | FLUSHALL",
    "FLUSHDB": "FLUSHDB",
}


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_nothing_is_left(local, way):
    """All memory comes back, and no deadline of what is gone is worked off."""
    def once():
        client = local.client()
        for start in range(0, 400, 40):
            names = [f"member:{number}" + "x" * number for number in range(start, start + 40)]
            client.call("SADD", "s", *names)
            client.call("SPEXPIRE", "s", 50_000 + start, "MEMBERS", "20", *names[::2])
        for line in way.split(" | "):
            client.call(*line.split())
        local.advance(100_000)
        assert client.call("DBSIZE") == 0
        client.close()
        return local.settled_memory()

    once()
    before = once()
    assert once() == before
