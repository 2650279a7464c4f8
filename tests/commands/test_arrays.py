"""Commands on arrays. Nobody else here has them, so rows run on ours alone; they say what Redis 8.8 documents."""
from tests.resp import BigNumber, Error, Status
from tests.rows import (
    NO_KEY,
    OK,
    R3,
    SYNTAX,
    WRONGTYPE,
    Any,
    Case,
    heard,
    listen,
    wrong_args,
)

INDEX = Error("ERR invalid array index")
LAST = 2**64 - 2
ABC = ("ARSET a 0 a b c", 3)
LOG = ('ARMSET log 0 "boot: ok" 1 "warn: disk" 2 "ERROR: cpu" 3 "info: ready" 4 "error: net"', 5)
TOO_WIDE = Error("ERR range exceeds maximum of 1000000 items")
NO_INDEX_LEFT = Error("ERR insert index overflow")
NO_LIMIT = Error("ERR LIMIT must be positive")
NO_SIZE = Error("ERR invalid ring size")
NO_PEER = "Redis 8.8 has arrays"


def big(number):
    """An integer that 63 bits do not hold: a big number, or text."""
    return R3(str(number), BigNumber(number))


COMMANDS = {
    "ARSET k 0": "arset", "ARMSET k 0": "armset", "ARMSET k 0 a 1": "armset", "ARGET k": "arget",
    "ARGET k 1 2": "arget",
    "ARMGET k": "armget", "ARGETRANGE k 0": "argetrange", "ARDEL k": "ardel", "ARDELRANGE k 1": "ardelrange",
    "ARDELRANGE k 1 2 3": "ardelrange", "ARLEN": "arlen", "ARLEN k k": "arlen", "ARCOUNT k k": "arcount",
    "ARINSERT k": "arinsert", "ARNEXT k 0": "arnext", "ARSEEK k": "arseek", "ARRING k 3": "arring",
    "ARLASTITEMS k": "arlastitems", "ARSCAN k 0": "arscan", "ARGREP k 0 1 EXACT": "argrep", "AROP k 0 1": "arop",
    "ARINFO": "arinfo",
}
ON_A_STRING = (
    "ARSET s 0 v", "ARMSET s 0 v", "ARGET s 0", "ARMGET s 0", "ARGETRANGE s 0 1", "ARDEL s 0", "ARDELRANGE s 0 1",
    "ARLEN s", "ARCOUNT s", "ARINSERT s v", "ARNEXT s", "ARSEEK s 1", "ARRING s 3 v", "ARLASTITEMS s 1", "ARSCAN s 0 1",
    "ARGREP s - + EXACT v", "AROP s 0 1 SUM", "ARINFO s",
)
BAD_INDEXES = ("-1", "x", "1.5", '""', "01", "+1", "18446744073709551615", "18446744073709551616", "1" * 21, '"1 "')

CASES = {
    "arities": [(line, wrong_args(name)) for line, name in COMMANDS.items()],
    "only arrays": [("SET s v", OK), *((line, WRONGTYPE) for line in ON_A_STRING)],
    "arrays alone": [ABC, ("GET a", WRONGTYPE), ("LPUSH a x", WRONGTYPE), ("SORT a", WRONGTYPE),
    ("XADD a * f v", WRONGTYPE)],
    "indexes": [
        *((f"ARGET k {index}", INDEX) for index in BAD_INDEXES), ("ARSET k -1 v", INDEX), ("ARMSET k 0 v x v", INDEX),
        ("EXISTS k", 0), ABC, ("ARDEL a 0 -1", INDEX), ("ARCOUNT a", 3), ("ARDELRANGE a 0 1 0 x", INDEX),
        ("ARCOUNT a", 3), ("ARMGET a 0 x", INDEX), ("ARGETRANGE a 0 -1", INDEX), ("ARSCAN a - 5", INDEX),
        ("AROP a - + SUM", INDEX), ("ARGREP a x 1 EXACT v", INDEX), ("ARSEEK a 18446744073709551616", INDEX),
        (f"ARSET a {LAST} last", 1), (f"ARSET a {LAST} last more", INDEX), (f"ARGET a {LAST}", "last"),
        ("ARLEN a", big(LAST + 1)), (f"ARSCAN a 5 {LAST}", [[big(LAST), "last"]]),
        ("ARGREP a - + EXACT last", [big(LAST)]),
    ],
    "ARSET and ARGET": [
        ABC, ("ARSET a 1 B", 0), ("ARSET a 2 C d", 1), ("ARGET a 1", "B"), ("ARGET a 3", "d"), ("ARGET a 4", None),
        ("ARGET none 0", None), ("ARSET a 10 ''", 1), ("ARGET a 10", ""), ("ARLEN a", 11), ("ARCOUNT a", 5),
        ("ARLEN none", 0), ("ARCOUNT none", 0), ("ARNEXT a", 0), ("TYPE a", Status("array")),
        ("OBJECT ENCODING a", "sliced-array"),
    ],
    "texts of all kinds": [
        ("ARSET a 0 1 -5 007 1234567890123 9223372036854775807 1.5 +1 -0 \"\" abcdefg abcdefgh \"\\x00\\xff\"", 12),
        ("ARGETRANGE a 0 11", ["1", "-5", "007", "1234567890123", "9223372036854775807", "1.5", "+1", "-0", "",
                               "abcdefg", "abcdefgh", b"\0\xff"]),
        (f"ARSET a 5 {'x' * 300}", 0), ("ARGET a 5", "x" * 300),
    ],
    "ARMSET and ARMGET": [
        ("ARMSET a 0 alpha 5 beta 100 gamma", 3), ("ARMSET a 5 one 5 two 6 x", 1),
        ("ARMGET a 0 5 100 999 0", ["alpha", "two", "gamma", None, "alpha"]), ("ARMGET none 0 1", [None, None]),
    ],
    "ARGETRANGE": [
        ("ARMSET a 0 a 1 b 3 d", 3), ("ARGETRANGE a 0 3", ["a", "b", None, "d"]),
        ("ARGETRANGE a 4 0", [None, "d", None, "b", "a"]), ("ARGETRANGE a 2 2", [None]),
        ("ARGETRANGE none 0 1", [None, None]),
        ("ARGETRANGE a 0 1000000", TOO_WIDE),
        ("ARGETRANGE a 1000000 0", TOO_WIDE),
        (f"ARGETRANGE a 0 {LAST}", TOO_WIDE),
        (f"ARGETRANGE a {LAST - 1} {LAST}", [None, None]),
    ],
    "ARSCAN": [
        ("ARMSET a 0 a 5 b 9000000000 c", 3), ("ARSCAN a 0 10", [[0, "a"], [5, "b"]]),
        ("ARSCAN a 0 9000000000 LIMIT 2", [[0, "a"], [5, "b"]]),
        ("ARSCAN a 9000000000 1", [[9000000000, "c"], [5, "b"]]),
        ("ARSCAN a 9000000000 0 LIMIT 1", [[9000000000, "c"]]), ("ARSCAN a 6 8", []), ("ARSCAN none 0 1", []),
        ("ARSCAN a 0 1 LIMIT 0", NO_LIMIT), ("ARSCAN a 0 1 LIMIT x", NO_LIMIT),
        ("ARSCAN a 0 1 LIMIT", SYNTAX), ("ARSCAN a 0 1 COUNT 1", SYNTAX),
    ],
    "ARDEL": [
        ABC, ("ARDEL a 1 1 7", 1), ("ARGET a 1", None), ("ARLEN a", 3), ("ARDEL a 2", 1), ("ARLEN a", 1),
        ("ARDEL none 0", 0), ("ARDEL a 0", 1), ("EXISTS a", 0),
    ],
    "ARDELRANGE": [
        ("ARMSET a 0 a 1 b 5 c 9000 d 9001 e", 5), ("ARDELRANGE a 9000 1", 3),
        ("ARSCAN a 0 9999", [[0, "a"], [9001, "e"]]),
        ("ARDELRANGE a 2 8 0 5000 0 5000", 1), (f"ARDELRANGE a 0 {LAST}", 1), ("EXISTS a", 0), ("ARDELRANGE a 0 1", 0),
    ],
    "ARINSERT": [
        ("ARINSERT a x", 0), ("ARINSERT a y z", 2), ("ARNEXT a", 3), ("ARDEL a 2", 1), ("ARINSERT a w", 3),
        ("ARSET a 100 far", 1), ("ARINSERT a v", 4), ("ARSEEK a 10", 1), ("ARNEXT a", 10), ("ARINSERT a u", 10),
        ("ARSEEK a 0", 1), ("ARNEXT a", 0), ("ARINSERT a first", 0), ("ARGET a 0", "first"), ("ARNEXT none", 0),
        ("ARSEEK none 5", 0), ("EXISTS none", 0),
    ],
    "the last index": [
        ("ARINSERT a x", 0), (f"ARSEEK a {LAST}", 1), ("ARINSERT a y z", NO_INDEX_LEFT),
        ("ARCOUNT a", 1), ("ARINSERT a y", big(LAST)), ("ARNEXT a", None), ("ARINSERT a z", NO_INDEX_LEFT),
        ("ARSEEK a 5", 1), (f"ARSEEK a {LAST + 1}", 1), ("ARNEXT a", None), ("ARLASTITEMS a 1", ["y"]),
        ("ARRING a 4 r", 2), ("ARNEXT a", 3), (f"ARGET a {LAST}", None),
    ],
    "ARRING": [
        ("ARRING r 3 v0", 0), ("ARRING r 3 v1", 1), ("ARRING r 3 v2", 2), ("ARRING r 3 v3", 0), ("ARGET r 0", "v3"),
        ("ARCOUNT r", 3), ("ARLASTITEMS r 3", ["v1", "v2", "v3"]), ("ARLASTITEMS r 3 REV", ["v3", "v2", "v1"]),
        ("ARLASTITEMS r 10", ["v1", "v2", "v3"]), ("ARLASTITEMS r 1", ["v3"]), ("ARLASTITEMS r 0", []),
        ("ARRING r 3 v4 v5 v6 v7", 1), ("ARLASTITEMS r 3", ["v5", "v6", "v7"]),
        ("ARRING r 3 " + " ".join(f"w{n}" for n in range(10)), 2), ("ARLASTITEMS r 3", ["w7", "w8", "w9"]),
    ],
    "ARRING of another size": [
        ("ARRING r 3 a b c d", 0), ("ARRING r 5 e", 3), ("ARGETRANGE r 0 4", ["b", "c", "d", "e", None]),
        ("ARRING r 5 f g", 0), ("ARGETRANGE r 0 4", ["g", "c", "d", "e", "f"]),
        ("ARRING r 2 h", 0), ("ARGETRANGE r 0 4", ["h", "g", None, None, None]), ("ARLASTITEMS r 2", ["g", "h"]),
    ],
    "ARRING of what was no ring": [
        ("ARMSET a 0 x 5 y 9 z", 3), ("ARRING a 2 r", 0), ("ARGETRANGE a 0 2", ["r", "z", None]), ("DEL a", 1),
        ("ARINSERT a x y", 1), ("ARRING a 5 z", 2), ("ARLASTITEMS a 3", ["x", "y", "z"]),
        ("ARRING a 0 v", NO_SIZE), ("ARRING a -1 v", NO_SIZE),
        ("ARRING new 0 v", NO_SIZE), ("EXISTS new", 0),
    ],
    "ARLASTITEMS": [
        ("ARINSERT a a b c", 2), ("ARLASTITEMS a 2", ["b", "c"]), ("ARLASTITEMS a 2 REV", ["c", "b"]),
        ("ARDEL a 1", 1), ("ARLASTITEMS a 2", [None, "c"]), ("ARLASTITEMS none 3", []), ("ARSET b 0 x", 1),
        ("ARLASTITEMS b 3", []), ("ARLASTITEMS a -1", Error("ERR invalid count")), ("ARLASTITEMS a 1 REF", SYNTAX),
        ("ARLASTITEMS a 1 REV REV", SYNTAX),
    ],
    "ARGREP finds": [
        LOG, ("ARGREP log - + MATCH error", [4]), ("ARGREP log - + MATCH error NOCASE", [2, 4]),
        ("ARGREP log + - MATCH error NOCASE", [4, 2]), ("ARGREP log - + MATCH error NOCASE LIMIT 1", [2]),
        ("ARGREP log + - MATCH error NOCASE LIMIT 1", [4]),
        ("ARGREP log - + MATCH error NOCASE WITHVALUES", [[2, "ERROR: cpu"], [4, "error: net"]]),
        ("ARGREP log 0 4 GLOB warn:* OR GLOB error:*", [1, 4]), ("ARGREP log 0 3 GLOB error:* NOCASE", [2]),
        ('ARGREP log 0 4 RE "^[A-Za-z]+: (cpu|net)$" NOCASE WITHVALUES', [[2, "ERROR: cpu"], [4, "error: net"]]),
        ('ARGREP log 0 4 EXACT "info: ready"', [3]), ('ARGREP log 0 4 EXACT "INFO: READY"', []),
        ('ARGREP log 0 4 NOCASE EXACT "INFO: READY"', [3]), ("ARGREP log - + MATCH o AND MATCH r", [3, 4]),
        ("ARGREP log - + MATCH o AND MATCH r NOCASE", [2, 3, 4]), ('ARGREP log - + MATCH ""', [0, 1, 2, 3, 4]),
        ("ARGREP log - + EXACT x", []), ("ARGREP none - + EXACT x", []), ("ARGREP log 4 4 GLOB *", [4]),
    ],
    "ARGREP of numbers and short texts": [
        ("ARSET a 0 15 -15 1234567890123 abc ABC", 5), ("ARGREP a - + MATCH 15", [0, 1]),
        ("ARGREP a - + EXACT -15", [1]),
        ("ARGREP a - + GLOB *123", [2]), (r'ARGREP a - + RE "^-?\\d+$"', [0, 1, 2]),
        ("ARGREP a - + EXACT aBc NOCASE", [3, 4]),
        ('ARGREP a - + EXACT "AB#" NOCASE', []), ('ARSET a 9 "a\\x00b"', 1), ('ARGREP a - + RE "^a.*b|b$"', [3, 9]),
    ],
    "ARGREP refuses": [
        LOG, ("ARGREP log - + AND OR", SYNTAX), ("ARGREP log - + MATCH a AND MATCH b OR MATCH c", SYNTAX),
        ("ARGREP log - + MATCH a LIMIT", SYNTAX), ("ARGREP log - + NOCASE LIMIT 1", SYNTAX),
        ("ARGREP log - + MATCH a LIMIT 0", NO_LIMIT), ("ARGREP log - + LIKE a", SYNTAX),
        ("ARGREP log - + RE (", Error("ERR invalid regular expression")),
        (r'ARGREP log - + RE "(a)\\1"', Error("ERR regular expressions with backreferences are not supported")),
        (f"ARGREP log - + RE {'a' * 2049}", Error("ERR regular expression is too long")),
        ("ARGREP log - + RE a RE )", Error("ERR invalid regular expression")),
        ("ARGREP log - + " + "EXACT a " * 250, []),
        ("ARGREP log - + " + "EXACT a " * 251, Error("ERR too many predicates")),
        ("ARSET log 9 " + "x" * 65537, 1), ("ARGREP log - + RE z", Error("ERR a value is too long for RE")),
        ("ARGREP log 0 8 RE z", []),
    ],
    "AROP": [
        ("ARSET a 0 10 20 30 x", 4), ("AROP a 0 3 SUM", "60"), ("AROP a 3 0 MIN", "10"), ("AROP a 0 3 MAX", "30"),
        ("AROP a 0 3 MATCH 10", 1), ("AROP a 0 3 MATCH x", 1), ("AROP a 0 100 USED", 4), ("AROP a 1 2 SUM", "50"),
        ("AROP a 3 9 SUM", None), ("AROP a 3 9 AND", None), ("AROP a 4 9 USED", 0), ("AROP a 4 9 MATCH x", 0),
        ("ARSET f 0 255 15 240", 3), ("AROP f 0 2 AND", 0), ("AROP f 0 1 AND", 15), ("AROP f 0 2 OR", 255),
        ("AROP f 0 2 XOR", 0), ("AROP f 0 1 XOR", 240),
        ("AROP none 0 1 SUM", None), ("AROP none 0 1 OR", None), ("AROP none 0 1 USED", 0),
        ("AROP none 0 1 MATCH x", 0),
        ("AROP a 0 1 AVG", Error("ERR unknown operation")), ("AROP a 0 1 MATCH", SYNTAX), ("AROP a 0 1 SUM x", SYNTAX),
    ],
    "AROP of what is no integer": [
        ("ARSET a 0 1.5 2 -0.25 abc", 4), ("AROP a 0 3 SUM", "3.25"), ("AROP a 0 3 MIN", "-0.25"),
        ("AROP a 0 3 MAX", "2"),
        ("AROP a 0 1 OR", 3), ("AROP a 2 2 OR", 0), ("ARSET b 0 9007199254740993 1", 2),
        ("AROP b 0 1 SUM", "9007199254740994"),
        ("AROP b 0 1 MAX", "9007199254740993"), ("ARSET b 2 9223372036854775807", 1),
        ("AROP b 0 2 SUM", "9232379236109517000"),
        ("ARSET c 0 1e30 7 nan", 3), ("AROP c 0 2 AND", 7), ("AROP c 0 2 MAX", "1e+30"), ("ARSET d 0 -3.99", 1),
        ("AROP d 0 0 AND", -3),
    ],
    "ARINFO": [
        ("ARINFO none", NO_KEY), ("ARMSET a 0 a 1 b 100 c", 3), ("ARINSERT a d", 0),
        ("ARINFO a", {"count": 3, "len": 101, "next-insert-index": 1, "slices": 1, "directory-size": 1,
                      "super-dir-entries": 0, "slice-size": 4096}),
        ("ARSET a 5000 " + "v " * 100, 100),
        ("ARINFO a FULL", {"count": 103, "len": 5100, "next-insert-index": 1, "slices": 2, "directory-size": 2,
                           "super-dir-entries": 0, "slice-size": 4096, "dense-slices": 1, "avg-dense-size": Any(),
                           "avg-dense-fill": Any(), "sparse-slices": 1, "avg-sparse-size": R3("4", 4.0)}),
        ("ARINFO a ALL", SYNTAX), ("ARINFO a FULL x", SYNTAX),
    ],
    "what a key is": [
        ABC, ("COPY a b", 1), ("ARSET b 1 B", 0), ("ARGET a 1", "b"), ("RENAME b c", OK),
        ("ARGETRANGE c 0 2", ["a", "B", "c"]),
        ("MOVE c 1", 1), ("SCAN 0 TYPE array", ["0", ["a"]]), ("SCAN 0 TYPE string", ["0", []]), ("EXPIRE a 100", 1),
        ("ARSET a 9 x", 1), ("TTL a", 100), ("MEMORY USAGE a", Any()), ("UNLINK a", 1), ("EXISTS a", 0),
    ],
    "ARRING keeps its size in a copy": [
        ("ARRING r 3 a b c d", 0), ("COPY r s", 1), ("ARRING s 5 e", 3), ("ARGETRANGE s 0 3", ["b", "c", "d", "e"]),
    ],
    "events": [
        *listen(), ABC, ("ARMSET a 7 x", 1), ("ARINSERT a y", 0), ("ARRING r 2 z", 0), ("ARSEEK a 5", 1),
        *heard("arset a", "arset a", "arinsert a", "arring r", "arseek a"), ("ARDEL a 50", 0), ("ARDEL a 7", 1),
        ("ARDELRANGE a 100 200", 0), ("ARDELRANGE a 0 100", 3), *heard("ardel a", "ardelrange a", "del a"),
    ],
    "a class of their own": [
        *listen(classes="Ea"), ("SET s v", OK), ABC, *heard("arset a"),
        ("CONFIG GET notify-keyspace-events", Any()),
    ],
    "in transactions and scripts": [
        ABC, ("WATCH a", OK), ("@2 ARSET a 0 x", 0), ("MULTI", OK), ("ARGET a 0", Status("QUEUED")), ("EXEC", Any()),
        ('EVAL "return redis.call(\'ARSCAN\', KEYS[1], 0, 9)" 1 a', [[0, "x"], [1, "b"], [2, "c"]]),
    ],
}
CASES = {name: Case(rows, since="8.8") for name, rows in CASES.items()}


EFFECTS = {
    "ARSET": ("", "ARSET a 0 x y", "ARSET a 0 x y", NO_PEER),
    "ARMSET": ("ARSET a 0 x", "ARMSET a 0 y 10000000000 z", "ARMSET a 0 y 10000000000 z", NO_PEER),
    "ARINSERT": ("ARSET a 0 x", "ARINSERT a y z", "ARINSERT a y z", NO_PEER),
    "ARRING": ("ARRING a 3 a b c d", "ARRING a 2 e", "ARRING a 2 e", NO_PEER),
    "ARSEEK": ("ARSET a 0 x", "ARSEEK a 5", "ARSEEK a 5", NO_PEER),
    "ARDEL": ("ARSET a 0 x y", "ARDEL a 0 7", "ARDEL a 0 7", NO_PEER),
    "ARDEL of nothing": ("ARSET a 0 x y", "ARDEL a 7", "", NO_PEER),
    "ARDELRANGE": ("ARSET a 0 x y", "ARDELRANGE a 1 7", "ARDELRANGE a 1 7", NO_PEER),
}


def test_effects(effect):
    effect.check()


def test_rows(row_case):
    row_case.check()
