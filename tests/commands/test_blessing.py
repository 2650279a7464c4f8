"""BLESS: keys that eviction spares.

Nobody else here has it, so rows run on ours alone. They say what Redis 8.12 documents, and where that is silent
what docs/internals.md says. Eviction itself: tests/test_eviction.py.
"""
from tests.resp import NIL_ARRAY
from tests.rows import (
    NOT_INTEGER,
    OK,
    QUEUED,
    SYNTAX,
    Advance,
    Any,
    Case,
    Error,
    Matching,
    Unordered,
    heard,
    listen,
    wrong_args,
)

NO_PEER = "Redis 8.12 has BLESS"
NO_KEY = Error("ERR no such key")
K = ("SET k v", OK)
BLESS = ("BLESS SET k NO-EVICT", 1)
VERIFY = ("DEBUG VERIFY", Matching(".*"))


def blessed(*names):
    return "BLESS SCAN 0 NO-EVICT", ["0", Unordered(list(names))]


ROWS = {
    "SET, GET and CLEAR": [
        K, ("BLESS GET k", []), BLESS, ("BLESS SET k no-evict", 0), ("BLESS GET k", ["NO-EVICT"]), blessed("k"),
        ("BLESS CLEAR k NO-EVICT", 1), ("BLESS CLEAR k NO-EVICT", 0), ("BLESS GET k", []), blessed(), ("GET k", "v"),
    ],
    "a missing key": [
        ("BLESS SET k NO-EVICT", NO_KEY), ("BLESS CLEAR k NO-EVICT", NO_KEY), ("BLESS GET k", NO_KEY), blessed(),
    ],
    "what is wrong": [
        K, ("BLESS SET k EVICT", SYNTAX), ("BLESS CLEAR k x", SYNTAX), ("BLESS SCAN 0 x", SYNTAX),
        ("BLESS SCAN x NO-EVICT", Error("ERR invalid cursor")), ("BLESS SCAN 0 NO-EVICT COUNT 0", SYNTAX),
        ("BLESS SCAN 0 NO-EVICT COUNT x", NOT_INTEGER), ("BLESS SCAN 0 NO-EVICT MATCH x", SYNTAX),
        ("BLESS SET k", wrong_args("bless|set")), ("BLESS GET", wrong_args("bless|get")),
        ("BLESS SCAN 0", wrong_args("bless|scan")), ("BLESS", wrong_args("bless")),
        ("BLESS SET k NO-EVICT x", wrong_args("bless|set")),
    ],
    "SCAN goes through many": [
        *((f"SET k{n} v", OK) for n in range(40)), *((f"BLESS SET k{n} NO-EVICT", 1) for n in range(40)),
        ("BLESS SCAN 0 NO-EVICT COUNT 1", [Matching("[1-9][0-9]*"), Any()]), blessed(*(f"k{n}" for n in range(40))),
    ],
    "a value that is replaced": [
        K, BLESS, ("SET k w", OK), ("GETSET k x", "w"), ("DEL k", 1), blessed(), ("SET k v", OK), blessed(), BLESS,
        ("SADD s a", 1), ("SUNIONSTORE k s", 1), blessed("k"), ("SDIFFSTORE k s s", 0), blessed(), VERIFY,
    ],
    "the last element goes": [
        ("RPUSH k a", 1), BLESS, ("LPOP k", "a"), blessed(), ("RPUSH k a", 1), blessed(), VERIFY,
    ],
    "RENAME and MOVE take it along": [
        K, BLESS, ("RENAME k l", OK), blessed("l"), ("SET m v", OK), ("RENAME m l", OK), blessed("l"),
        ("MOVE l 1", 1), blessed(), ("SELECT 1", OK), blessed("l"), ("FLUSHDB", OK), blessed(),
        ("SELECT 0", OK), VERIFY,
    ],
    "COPY does not, nor RESTORE": [
        K, BLESS, ("COPY k l", 1), blessed("k"), ("COPY l k REPLACE", 1), blessed("k"), ("DEL k", 1),
        ("COPY l k", 1), blessed(),
    ],
    "SWAPDB": [
        K, BLESS, ("SWAPDB 0 1", OK), blessed(), ("SELECT 1", OK), blessed("k"), ("SWAPDB 0 1", OK), blessed(),
        ("SELECT 0", OK), blessed("k"), VERIFY,
    ],
    "deadlines": [
        K, BLESS, ("EXPIRE k 100", 1), VERIFY, ("PERSIST k", 1), VERIFY, ("SET k v EX 100", OK), VERIFY,
        ("SET k v", OK), VERIFY, ("GETEX k PX 50", "v"), blessed("k"), Advance(51), blessed(), ("EXISTS k", 0), VERIFY,
        ("SET k v", OK), blessed(),
    ],
    "a transaction, a script and WATCH": [
        K, ("WATCH k", OK), BLESS, ("MULTI", OK), ("GET k", QUEUED), ("EXEC", NIL_ARRAY),
        ("EVAL 'return redis.call(\"BLESS\",\"CLEAR\",KEYS[1],\"NO-EVICT\")' 1 k", 1), blessed(),
    ],
    "events": [
        *listen(), K, BLESS, ("BLESS SET k NO-EVICT", 0), ("BLESS CLEAR k NO-EVICT", 1),
        *heard("set k", "bless k", "unbless k"),
    ],
    "DEBUG RELOAD": [
        K, BLESS, ("SELECT 3", OK), ("SET 'a b' v", OK), ("BLESS SET 'a b' NO-EVICT", 1), ("DEBUG RELOAD", OK),
        blessed("a b"), ("SELECT 0", OK), blessed("k"), VERIFY, ("SELECT 3", OK), ("DEL 'a b'", 1), ("SELECT 0", OK),
    ],
}
CASES = {name: Case(rows, peer=NO_PEER) for name, rows in ROWS.items()}


def test_rows(row_case):
    row_case.check()


EFFECTS = {
    "BLESS SET": ("SET k v", "BLESS SET k NO-EVICT | BLESS SET k NO-EVICT | BLESS GET k | BLESS SCAN 0 NO-EVICT",
                  "BLESS SET k NO-EVICT", NO_PEER),
    "BLESS CLEAR": ("SET k v | BLESS SET k NO-EVICT", "BLESS CLEAR k NO-EVICT | BLESS CLEAR k NO-EVICT",
                    "BLESS CLEAR k NO-EVICT", NO_PEER),
    "BLESS of a missing key": ("", "BLESS SET k NO-EVICT | BLESS CLEAR k NO-EVICT", "", NO_PEER),
    "HIMPORT SET onto a blessed key": (
        "HSET h f v | BLESS SET h NO-EVICT | HIMPORT PREPARE x f g", "HIMPORT SET h x 1 2",
        "MULTI | DEL h | HSET h f 1 g 2 | BLESS SET h NO-EVICT | EXEC", NO_PEER),
}


def test_effects(effect):
    effect.check()
