"""List commands that do not wait: push, pop, ranges, LPOS, LMOVE, LMPOP, LMOVEM, encodings, events."""
import random

import pytest

from tests.rows import (
    COUNT_TOO_SMALL,
    NIL_ARRAY,
    NO_KEY,
    NOT_INTEGER,
    NOT_POSITIVE,
    NUMKEYS_TOO_SMALL,
    OK,
    QUEUED,
    R3,
    SYNTAX,
    WRONGTYPE,
    Advance,
    Between,
    Case,
    Error,
    Matching,
    Push,
    Status,
    heard,
    in_each,
    listen,
    wrong_args,
)

SMALLEST = Error("ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807")
OUT_OF_INDEX = Error("ERR index out of range")
RANK_ZERO = Error(
    "ERR RANK can't be zero: use 1 to start from the first match, 2 from the second ... "
    "or use negative to start from the end of the list")
COUNT_NEGATIVE = Error("ERR COUNT can't be negative")
MAXLEN_NEGATIVE = Error("ERR MAXLEN can't be negative")

ABCDE = ("RPUSH l a b c d e", 5)
MATCHES = ("RPUSH l a b c 1 2 3 c c", 8)
LISTEN = listen()
BIG = "x" * 5000
LONG = "y" * 100


def whole(*elements, key="l"):
    """The row that reads a whole list."""
    return (f"LRANGE {key} 0 -1", list(elements))


# Each of these runs with all elements in one listpack, and with one or two elements in a node.
IN_EACH_ENCODING = {
    "LPUSH and RPUSH": [
        ("LPUSH l a", 1), ("LPUSH l b c", 3), ("RPUSH l d", 4), ("RPUSH l e f", 6), ("LLEN l", 6),
        whole("c", "b", "a", "d", "e", "f"),
    ],
    "Elements of any bytes": [
        (r'RPUSH l "" "a\x00b" "\r\n" "\xff" 12 -3 007 " 1" 1e3 9223372036854775808', 10),
        whole("", b"a\x00b", b"\r\n", b"\xff", "12", "-3", "007", " 1", "1e3", "9223372036854775808"),
        ('LPOS l ""', 0), ("LPOS l -3", 5), ("LPOS l 7", None), ("LPOS l 007", 6), ("LREM l 0 12", 1), ("LLEN l", 9),
    ],
    "Integers of each size": [
        ("RPUSH l 0 12 127 128 -1 4095 4096 -4096 32767 -32768 8388607 8388608 2147483647 -2147483648", 14),
        ("RPUSH l 2147483648 9223372036854775807 -9223372036854775808", 17),
        whole("0", "12", "127", "128", "-1", "4095", "4096", "-4096", "32767", "-32768", "8388607", "8388608",
              "2147483647", "-2147483648", "2147483648", "9223372036854775807", "-9223372036854775808"),
        ("LINDEX l -1", "-9223372036854775808"), ("LPOS l 4096", 6), ("LPOS l 9223372036854775807", 15),
        ("LREM l 1 -32768", 1), ("RPOP l", "-9223372036854775808"), ("LPOP l", "0"),
    ],
    "Long elements": [
        (("RPUSH", "l", "a", BIG, "b", LONG, BIG + "z"), 5), ("LINDEX l 1", BIG), ("LINDEX l -1", BIG + "z"),
        (("LPOS", "l", BIG), 1), (("LINSERT", "l", "BEFORE", BIG, LONG), 6), (("LSET", "l", 0, BIG), OK),
        whole(BIG, LONG, BIG, "b", LONG, BIG + "z"), (("LREM", "l", 0, BIG), 2), whole(LONG, "b", LONG, BIG + "z"),
        ("LSET l -1 c", OK), whole(LONG, "b", LONG, "c"), ("RPOPLPUSH l l", "c"), ("LTRIM l 0 1", OK),
        whole("c", LONG),
    ],
    "LPUSHX and RPUSHX": [
        ("LPUSHX l a", 0), ("RPUSHX l a", 0), ("EXISTS l", 0), ("RPUSH l b", 1), ("LPUSHX l a", 2),
        ("RPUSHX l c d", 4), ("LPUSHX l x y", 6), whole("y", "x", "a", "b", "c", "d"),
    ],
    "LPOP and RPOP": [
        ("LPOP l", None), ("RPOP l", None), ABCDE, ("LPOP l", "a"), ("RPOP l", "e"), ("LLEN l", 3), ("LPOP l", "b"),
        ("RPOP l", "d"), ("RPOP l", "c"), ("RPOP l", None), ("EXISTS l", 0),
    ],
    "LPOP and RPOP with a count": [
        ABCDE, ("LPOP l 2", ["a", "b"]), ("RPOP l 2", ["e", "d"]), ("LPOP l 0", []), ("RPOP l 0", []),
        ("LPOP l 10", ["c"]), ("EXISTS l", 0), ("LPOP l 1", NIL_ARRAY), ("RPOP l 1", NIL_ARRAY),
        ("LPOP l 0", NIL_ARRAY), ABCDE, ("RPOP l 9223372036854775807", ["e", "d", "c", "b", "a"]), ("EXISTS l", 0),
    ],
    "LINDEX": [
        ("LINDEX l 0", None), ABCDE, ("LINDEX l 0", "a"), ("LINDEX l 4", "e"), ("LINDEX l 2", "c"),
        ("LINDEX l -1", "e"), ("LINDEX l -5", "a"), ("LINDEX l -4", "b"), ("LINDEX l 5", None), ("LINDEX l -6", None),
        ("LINDEX l 9223372036854775807", None), ("LINDEX l -9223372036854775808", None),
    ],
    "LSET": [
        ABCDE, ("LSET l 0 v", OK), ("LSET l 2 w", OK), ("LSET l -1 x", OK), ("LSET l -4 12", OK),
        whole("v", "12", "w", "d", "x"), ("LSET l 5 x", OUT_OF_INDEX), ("LSET l -6 x", OUT_OF_INDEX),
        ('LSET l 1 ""', OK), whole("v", "", "w", "d", "x"),
    ],
    "LINSERT": [
        ("LINSERT l BEFORE a x", 0), ("EXISTS l", 0), ABCDE, ("LINSERT l BEFORE a v", 6), ("LINSERT l AFTER e w", 7),
        ("LINSERT l before c x", 8), ("LINSERT l After c y", 9), ("LINSERT l BEFORE none z", -1),
        whole("v", "a", "b", "x", "c", "y", "d", "e", "w"), ("RPUSH l a", 10), ("LINSERT l AFTER a 7", 11),
        ("LINSERT l AFTER 7 8", 12), whole("v", "a", "7", "8", "b", "x", "c", "y", "d", "e", "w", "a"),
    ],
    "LRANGE": [
        ("LRANGE l 0 -1", []), ABCDE, ("LRANGE l 0 -1", ["a", "b", "c", "d", "e"]), ("LRANGE l 1 3", ["b", "c", "d"]),
        ("LRANGE l 0 0", ["a"]), ("LRANGE l -1 -1", ["e"]), ("LRANGE l -3 -2", ["c", "d"]),
        ("LRANGE l -2 1", []), ("LRANGE l 3 1", []), ("LRANGE l 5 10", []), ("LRANGE l 4 4", ["e"]),
        ("LRANGE l -100 1", ["a", "b"]), ("LRANGE l 3 100", ["d", "e"]), ("LRANGE l -100 -6", []),
        ("LRANGE l -100 100", ["a", "b", "c", "d", "e"]), ("LRANGE l 2 -2", ["c", "d"]),
        ("LRANGE l -9223372036854775808 9223372036854775807", ["a", "b", "c", "d", "e"]),
        ("LRANGE l 9223372036854775807 -9223372036854775808", []),
    ],
    "LTRIM": [
        ("LTRIM l 0 1", OK), ABCDE, ("LTRIM l 0 -1", OK), ("LTRIM l 1 3", OK), whole("b", "c", "d"),
        ("LTRIM l -2 -1", OK), whole("c", "d"), ("LTRIM l -100 100", OK), whole("c", "d"), ("LTRIM l 1 1", OK),
        whole("d"), ("LTRIM l 1 0", OK), ("EXISTS l", 0), ABCDE, ("LTRIM l 5 10", OK), ("EXISTS l", 0), ABCDE,
        ("LTRIM l 3 2", OK), ("EXISTS l", 0), ABCDE, ("LTRIM l -1 -9223372036854775808", OK), ("EXISTS l", 0), ABCDE,
        ("LTRIM l -9223372036854775808 9223372036854775807", OK), ("LLEN l", 5), ("LTRIM l 2 -3", OK), whole("c"),
    ],
    "LREM": [
        ("LREM l 0 a", 0), ("RPUSH l a b a c a d a", 7), ("LREM l 2 a", 2), whole("b", "c", "a", "d", "a"),
        ("LREM l -1 a", 1), whole("b", "c", "a", "d"), ("LREM l 0 none", 0), ("RPUSH l a a", 6), ("LREM l 0 a", 3),
        whole("b", "c", "d"), ("LREM l 100 c", 1), ("LREM l -100 d", 1), ("LREM l 0 b", 1), ("EXISTS l", 0),
        ("RPUSH l 1 2 1 3", 4), ("LREM l -9223372036854775807 1", 2), ("LREM l 9223372036854775807 3", 1),
        whole("2"),
    ],
    "LPOS": [
        ("LPOS l a", None), MATCHES, ("LPOS l a", 0), ("LPOS l c", 2), ("LPOS l none", None), ("LPOS l 3", 5),
        ("LPOS l c RANK 2", 6), ("LPOS l c RANK 4", None), ("LPOS l c RANK -1", 7), ("LPOS l c RANK -3", 2),
        ("LPOS l c RANK -4", None),
    ],
    "LPOS with COUNT": [
        ("LPOS l a COUNT 0", []), MATCHES, ("LPOS l c COUNT 0", [2, 6, 7]), ("LPOS l c COUNT 1", [2]),
        ("LPOS l c COUNT 2", [2, 6]), ("LPOS l c COUNT 100", [2, 6, 7]), ("LPOS l none COUNT 0", []),
        ("LPOS l c COUNT 0 RANK 2", [6, 7]), ("LPOS l c RANK 2 COUNT 1", [6]), ("LPOS l c COUNT 0 RANK -1", [7, 6, 2]),
        ("LPOS l c RANK -2 COUNT 2", [6, 2]), ("LPOS l c COUNT 1 RANK 9", []),
        ("LPOS l c COUNT 9223372036854775807", [2, 6, 7]),
    ],
    "LPOS with MAXLEN": [
        MATCHES, ("LPOS l c MAXLEN 0 COUNT 0", [2, 6, 7]), ("LPOS l c COUNT 0 MAXLEN 1", []),
        ("LPOS l c COUNT 0 MAXLEN 3", [2]), ("LPOS l c COUNT 0 MAXLEN 3 RANK -1", [7, 6]),
        ("LPOS l c MAXLEN 2", None), ("LPOS l c MAXLEN 3", 2), ("LPOS l c COUNT 0 MAXLEN 7 RANK 2", [6]),
        ("LPOS l c maxlen 100 count 2", [2, 6]),
    ],
    "LMOVE between two lists": [
        ("LMOVE l m LEFT RIGHT", None), ("EXISTS m", 0), ABCDE, ("LMOVE l m LEFT LEFT", "a"),
        ("LMOVE l m LEFT RIGHT", "b"), ("LMOVE l m RIGHT LEFT", "e"), ("LMOVE l m right right", "d"),
        whole("e", "a", "b", "d", key="m"), whole("c"), ("LMOVE l m LEFT LEFT", "c"), ("EXISTS l", 0), ("LLEN m", 5),
    ],
    "LMOVE and RPOPLPUSH within one list": [
        ABCDE, ("LMOVE l l LEFT RIGHT", "a"), whole("b", "c", "d", "e", "a"), ("LMOVE l l RIGHT LEFT", "a"),
        ("LMOVE l l LEFT LEFT", "a"), ("LMOVE l l RIGHT RIGHT", "e"), whole("a", "b", "c", "d", "e"),
        ("RPOPLPUSH l l", "e"), whole("e", "a", "b", "c", "d"), ("RPUSH one 12", 1), ("RPOPLPUSH one one", "12"),
        ("LMOVE one one LEFT LEFT", "12"), whole("12", key="one"),
    ],
    "RPOPLPUSH": [
        ("RPOPLPUSH l m", None), ABCDE, ("RPOPLPUSH l m", "e"), ("RPOPLPUSH l m", "d"), whole("d", "e", key="m"),
        whole("a", "b", "c"), ("LTRIM l 0 0", OK), ("RPOPLPUSH l m", "a"), ("EXISTS l", 0),
        whole("a", "d", "e", key="m"),
    ],
    "LMPOP": [
        ("LMPOP 1 l LEFT", NIL_ARRAY), ("LMPOP 2 l m RIGHT COUNT 5", NIL_ARRAY),
        ABCDE, ("LMPOP 1 l LEFT", ["l", ["a"]]),
        ("LMPOP 1 l RIGHT", ["l", ["e"]]), ("LMPOP 2 none l LEFT COUNT 2", ["l", ["b", "c"]]),
        ("LMPOP 3 none l m right count 10", ["l", ["d"]]), ("EXISTS l", 0), ("RPUSH m 1 2 3", 3), ABCDE,
        ("LMPOP 2 m l RIGHT COUNT 2", ["m", ["3", "2"]]), ("LMPOP 2 l m RIGHT COUNT 9223372036854775807",
                                                         ["l", ["e", "d", "c", "b", "a"]]),
    ],
    "COPY, RENAME, MOVE, TYPE of a list": [
        ABCDE, ("EXPIRE l 100", 1), ("COPY l m", 1), ("TTL m", 100), ("LSET m 0 x", OK), ("RPUSH m f", 6), whole(
            "a", "b", "c", "d", "e"), whole("x", "b", "c", "d", "e", "f", key="m"), ("RENAME m n", OK),
        ("TYPE n", Status("list")), ("MOVE n 1", 1), ("EXISTS n", 0), ("SELECT 1", OK),
        whole("x", "b", "c", "d", "e", "f", key="n"), ("TTL n", 100), ("COPY n l DB 0 REPLACE", 1), ("SELECT 0", OK),
        ("LLEN l", 6), ("PERSIST l", 1), ("TYPE l", Status("list")),
    ],
    "An expired list is gone": [
        ABCDE, ("PEXPIRE l 20", 1), Advance(40), ("LLEN l", 0), ("LRANGE l 0 -1", []), ("RPUSHX l x", 0),
        ("RPUSH l x", 1), whole("x"), ("TTL l", -1),
    ],
    "Changes keep the TTL": [
        ABCDE, ("EXPIRE l 100", 1), ("LPUSH l x", 6), ("LSET l 0 y", OK), ("LREM l 0 y", 1), ("LTRIM l 0 2", OK),
        ("LPOP l", "a"), ("LINSERT l AFTER b z", 3), ("TTL l", 100), ("RPOPLPUSH l m", "c"), ("TTL m", -1),
    ],
}

NODES = {
    "one listpack": [],
    "nodes of one": [("CONFIG SET list-max-listpack-size 1", OK)],
    "nodes of two, compressed": [("CONFIG SET list-max-listpack-size 2 list-compress-depth 1", OK)],
}

CASES = {
    **in_each(IN_EACH_ENCODING, NODES),
    "LPUSH, RPUSH, LPUSHX and RPUSHX refuse bad arguments": [
        ("LPUSH", wrong_args("lpush")), ("LPUSH l", wrong_args("lpush")), ("RPUSH l", wrong_args("rpush")),
        ("LPUSHX l", wrong_args("lpushx")), ("RPUSHX l", wrong_args("rpushx")), ("EXISTS l", 0),
    ],
    "LPOP and RPOP refuse bad arguments": [
        ABCDE, ("LPOP", wrong_args("lpop")), ("LPOP l 1 2", wrong_args("lpop")), ("RPOP", wrong_args("rpop")),
        ("RPOP l 1 2", wrong_args("rpop")), ("LPOP l -1", NOT_POSITIVE), ("LPOP l x", NOT_POSITIVE),
        ("RPOP l 1.5", NOT_POSITIVE), ("RPOP l 9223372036854775808", NOT_POSITIVE), ("LPOP none -1", NOT_POSITIVE),
        ('LPOP l ""', NOT_POSITIVE), ("LLEN l", 5),
    ],
    "LLEN, LINDEX, LRANGE, LTRIM, LSET and LREM refuse bad arguments": [
        ABCDE, ("LLEN", wrong_args("llen")), ("LLEN a b", wrong_args("llen")), ("LINDEX l", wrong_args("lindex")),
        ("LINDEX l 1 2", wrong_args("lindex")), ("LINDEX l x", NOT_INTEGER), ("LINDEX l 1.0", NOT_INTEGER),
        ("LINDEX l 9223372036854775808", NOT_INTEGER), ("LINDEX none x", None),
        ("LRANGE l 0", wrong_args("lrange")), ("LRANGE l 0 1 2", wrong_args("lrange")), ("LRANGE l x 1", NOT_INTEGER),
        ("LRANGE l 0 x", NOT_INTEGER), ("LRANGE none x 0", NOT_INTEGER), ("LTRIM l 0", wrong_args("ltrim")),
        ("LTRIM l x 0", NOT_INTEGER), ("LTRIM l 0 x", NOT_INTEGER), ("LTRIM none 0 x", NOT_INTEGER),
        ("LSET l 0", wrong_args("lset")), ("LSET l 0 a b", wrong_args("lset")), ("LSET l x v", NOT_INTEGER),
        ("LSET none 0 v", NO_KEY), ("LSET none x v", NO_KEY), ("LREM l 0", wrong_args("lrem")),
        ("LREM l x a", NOT_INTEGER), ("LREM none x a", NOT_INTEGER), whole("a", "b", "c", "d", "e"),
    ],
    "LSET far outside of the list": Case([
        ABCDE, ("LSET l 9223372036854775807 x", OUT_OF_INDEX), ("LSET l -9223372036854775808 x", OUT_OF_INDEX),
        whole("a", "b", "c", "d", "e"),
    ], peer="7.2 and later cut the index to 32 bits"),
    "LREM refuses the smallest count of 64 bits": Case([
        ("RPUSH l a", 1), ("LREM l -9223372036854775808 a", SMALLEST), ("LREM l -9223372036854775807 a", 1),
        ("LREM l -9223372036854775809 a", NOT_INTEGER),
    ], since="7.2"),
    "LINSERT refuses bad arguments": [
        ABCDE, ("LINSERT l BEFORE a", wrong_args("linsert")), ("LINSERT l BEFORE a x y", wrong_args("linsert")),
        ("LINSERT l X a b", SYNTAX), ("LINSERT none X a b", SYNTAX), ('LINSERT l "" a b', SYNTAX), ("LLEN l", 5),
    ],
    "LPOS refuses bad arguments": [
        MATCHES, ("LPOS", wrong_args("lpos")), ("LPOS l", wrong_args("lpos")), ("LPOS l c RANK 0", RANK_ZERO),
        ("LPOS l c COUNT -1", COUNT_NEGATIVE), ("LPOS l c MAXLEN -1", MAXLEN_NEGATIVE), ("LPOS l c RANK", SYNTAX),
        ("LPOS l c X 1", SYNTAX), ("LPOS l c COUNT 1 X", SYNTAX), ("LPOS l c COUNT", SYNTAX),
        ("LPOS l c MAXLEN", SYNTAX),
        ("LPOS l c RANK x", NOT_INTEGER), ("LPOS l c COUNT x", COUNT_NEGATIVE), ("LPOS l c MAXLEN x", MAXLEN_NEGATIVE),
        ("LPOS none c RANK 0", RANK_ZERO), ("LPOS l c COUNT 1 COUNT 2", [2, 6]), ("LPOS l c RANK 1 RANK 2", 6),
        ("LPOS l c RANK 9223372036854775807", None), ("LPOS l c RANK -9223372036854775807", None),
        ("LPOS l c RANK 9223372036854775808", NOT_INTEGER),
    ],
    "LPOS refuses the smallest rank of 64 bits": Case([
        MATCHES, ("LPOS l c RANK -9223372036854775808", SMALLEST), ("LPOS l c RANK -9223372036854775807", None),
    ], since="7.2"),
    "LMOVE and RPOPLPUSH refuse bad arguments": [
        ABCDE, ("LMOVE l m LEFT", wrong_args("lmove")), ("LMOVE l m LEFT LEFT x", wrong_args("lmove")),
        ("LMOVE l m X LEFT", SYNTAX), ("LMOVE l m LEFT X", SYNTAX), ("LMOVE none m LEFT X", SYNTAX),
        ("RPOPLPUSH l", wrong_args("rpoplpush")), ("RPOPLPUSH l m n", wrong_args("rpoplpush")), ("LLEN l", 5),
    ],
    "LPOS tells the first of several mistakes": [
        MATCHES, ("LPOS l c RANK 0 RANK 1", RANK_ZERO), ("LPOS l c RANK 0 X", RANK_ZERO), ("LPOS l c X RANK 0", SYNTAX),
        ("LPOS l c RANK x RANK", NOT_INTEGER), ("LPOS l c COUNT -1 RANK 0", COUNT_NEGATIVE),
        ("LPOS l c MAXLEN -1 COUNT x", MAXLEN_NEGATIVE), ("LPOS l c COUNT x COUNT 0", COUNT_NEGATIVE),
        ("LPOS l c MAXLEN x MAXLEN", MAXLEN_NEGATIVE), ("LPOS l c MAXLEN 0 RANK x", NOT_INTEGER),
    ],
    "LMPOP tells the first of several mistakes": [
        ("LMPOP 1 l LEFT COUNT 0 X", COUNT_TOO_SMALL), ("LMPOP 1 l LEFT COUNT x COUNT 1", COUNT_TOO_SMALL),
        ("LMPOP 1 l LEFT COUNT 1 COUNT x", SYNTAX), ("LMPOP 1 l LEFT X COUNT 0", SYNTAX),
    ],
    "LMPOP refuses bad arguments": [
        ABCDE, ("LMPOP 1", wrong_args("lmpop")), ("LMPOP 1 l", wrong_args("lmpop")),
        ("LMPOP 0 l LEFT", NUMKEYS_TOO_SMALL),
        ("LMPOP -1 l LEFT", NUMKEYS_TOO_SMALL), ("LMPOP x l LEFT", NUMKEYS_TOO_SMALL), ("LMPOP 1 l X", SYNTAX),
        ("LMPOP 2 l LEFT", SYNTAX), ("LMPOP 3 l m LEFT", SYNTAX), ("LMPOP 1 l LEFT COUNT", SYNTAX),
        ("LMPOP 1 l LEFT COUNT 0", COUNT_TOO_SMALL), ("LMPOP 1 l LEFT COUNT -1", COUNT_TOO_SMALL),
        ("LMPOP 1 l LEFT COUNT x", COUNT_TOO_SMALL), ("LMPOP 1 l LEFT COUNT 1 COUNT 1", SYNTAX),
        ("LMPOP 1 l LEFT X 1", SYNTAX), ("LMPOP 1 l LEFT COUNT 1 X", SYNTAX), ("LMPOP 1 l m LEFT", SYNTAX),
        ("LMPOP 9223372036854775807 l LEFT", SYNTAX), ("LMPOP 9223372036854775808 l LEFT", NUMKEYS_TOO_SMALL),
        ("LLEN l", 5),
    ],
    "List commands refuse a string": [
        ("SET k v", OK), ("LPUSH k a", WRONGTYPE), ("RPUSH k a", WRONGTYPE), ("LPUSHX k a", WRONGTYPE),
        ("RPUSHX k a", WRONGTYPE), ("LPOP k", WRONGTYPE), ("RPOP k", WRONGTYPE), ("LPOP k 0", WRONGTYPE),
        ("RPOP k 2", WRONGTYPE), ("LLEN k", WRONGTYPE), ("LINDEX k 0", WRONGTYPE), ("LSET k 0 v", WRONGTYPE),
        ("LINSERT k BEFORE a b", WRONGTYPE), ("LRANGE k 0 -1", WRONGTYPE), ("LTRIM k 0 -1", WRONGTYPE),
        ("LREM k 0 a", WRONGTYPE), ("LPOS k a", WRONGTYPE), ("LPOS k a COUNT 1", WRONGTYPE),
        ("LMOVE k l LEFT LEFT", WRONGTYPE), ("RPOPLPUSH k l", WRONGTYPE), ("LMPOP 1 k LEFT", WRONGTYPE),
        ("LMPOP 2 none k LEFT", WRONGTYPE), ("GET k", "v"), ("EXISTS l", 0),
    ],
    "Type and arguments: which error comes first": [
        ("SET k v", OK), ("LINDEX k x", WRONGTYPE), ("LSET k x v", WRONGTYPE), ("LRANGE k x 0", NOT_INTEGER),
        ("LTRIM k x 0", NOT_INTEGER), ("LREM k x a", NOT_INTEGER), ("LPOP k -1", NOT_POSITIVE),
        ("LINSERT k X a b", SYNTAX), ("LPOS k a RANK 0", RANK_ZERO), ("LMPOP 1 k X", SYNTAX),
        ("LMOVE k l X LEFT", SYNTAX), ("LPUSHX k a", WRONGTYPE),
    ],
    "The destination of LMOVE and RPOPLPUSH must be a list": [
        ABCDE, ("SET k v", OK), ("LMOVE l k LEFT LEFT", WRONGTYPE), ("RPOPLPUSH l k", WRONGTYPE), ("LLEN l", 5),
        ("LMOVE none k LEFT LEFT", None), ("RPOPLPUSH none k", None), ("GET k", "v"),
    ],
    "LMPOP stops at the first key that is a list or of another type": [
        ("SET k v", OK), ABCDE, ("LMPOP 2 l k LEFT", ["l", ["a"]]), ("LMPOP 2 k l LEFT", WRONGTYPE),
        ("LMPOP 2 none l LEFT", ["l", ["b"]]),
    ],
    "A list of one key several times in LMPOP": [ABCDE, ("LMPOP 3 l l l LEFT COUNT 2", ["l", ["a", "b"]])],

    # Without waiting
    "BLPOP and BRPOP of a list that is there": [
        ABCDE, ("BLPOP l 0", ["l", "a"]), ("BRPOP l 0", ["l", "e"]), ("BLPOP none l 1", ["l", "b"]),
        ("BRPOP none l l 0.5", ["l", "d"]), ("BLPOP l 0", ["l", "c"]), ("EXISTS l", 0), ("RPUSH a 1", 1),
        ("RPUSH b 2", 1), ("BLPOP b a 0", ["b", "2"]), ("BLPOP b a 0", ["a", "1"]),
    ],
    "BLMPOP of a list that is there": [
        ABCDE, ("BLMPOP 0 1 l LEFT", ["l", ["a"]]), ("BLMPOP 1 2 none l RIGHT COUNT 2", ["l", ["e", "d"]]),
        ("BLMPOP 0.1 1 l LEFT COUNT 10", ["l", ["b", "c"]]), ("EXISTS l", 0),
    ],
    "BLMOVE and BRPOPLPUSH of a list that is there": [
        ABCDE, ("BLMOVE l m LEFT RIGHT 0", "a"), ("BLMOVE l m RIGHT LEFT 1", "e"), ("BRPOPLPUSH l m 0", "d"),
        whole("d", "e", "a", key="m"), whole("b", "c"), ("BLMOVE l l LEFT RIGHT 0", "b"), whole("c", "b"),
    ],

    # Encodings: redis-server 7.0 says quicklist always
    "A list grows out of its listpack by count": Case([
        ("CONFIG SET list-max-listpack-size 5", OK), ABCDE, ("OBJECT ENCODING l", "listpack"), ("RPUSH l f", 6),
        ("OBJECT ENCODING l", "quicklist"), ("RPOP l", "f"), ("LPOP l 2", ["a", "b"]),
        ("OBJECT ENCODING l", "quicklist"),
        ("LPOP l", "c"), ("OBJECT ENCODING l", "listpack"), whole("d", "e"), ("LPUSH l 1 2 3", 5),
        ("OBJECT ENCODING l", "listpack"), ("LINSERT l AFTER d x", 6), ("OBJECT ENCODING l", "quicklist"),
        whole("3", "2", "1", "d", "x", "e"), ("LREM l 0 e", 1), ("LTRIM l 0 1", OK), ("OBJECT ENCODING l", "listpack"),
    ], since="7.2"),
    "A list grows out of its listpack by size": Case([
        (("RPUSH", "l", "x" * 4000, "x" * 4000), 2), ("OBJECT ENCODING l", "listpack"), (("RPUSH", "l", "y" * 300), 3),
        ("OBJECT ENCODING l", "quicklist"), (("LSET", "l", 0, "a"), OK), ("OBJECT ENCODING l", "quicklist"),
        (("LSET", "l", 1, "b"), OK), ("OBJECT ENCODING l", "quicklist"), ("RPOP l", "y" * 300),
        ("OBJECT ENCODING l", "listpack"), whole("a", "b"),
    ], since="7.2"),
    "One long element is a quicklist, as is what LSET makes long": Case([
        (("RPUSH", "l", "x" * 9000), 1), ("OBJECT ENCODING l", "quicklist"), ("RPUSH m a b", 2),
        ("OBJECT ENCODING m", "listpack"), (("LSET", "m", 0, "x" * 9000), OK), ("OBJECT ENCODING m", "quicklist"),
        ("LINDEX m 0", "x" * 9000),
    ], since="7.2"),
    "COPY keeps the encoding of a list": Case([
        ("CONFIG SET list-max-listpack-size 3", OK), ABCDE, ("COPY l m", 1), ("OBJECT ENCODING m", "quicklist"),
        ("RPUSH s a", 1), ("COPY s t", 1), ("OBJECT ENCODING t", "listpack"),
    ], since="7.2"),
    "A list of many elements is a quicklist on each server": [
        (("RPUSH", "l", *range(5000)), 5000), ("OBJECT ENCODING l", "quicklist"), ("LINDEX l 2500", "2500"),
        ("LINDEX l -1", "4999"), ("LPOS l 4321", 4321), ("LREM l 0 100", 1), ("LINDEX l 100", "101"),
        ("LTRIM l 2000 2002", OK), whole("2001", "2002", "2003"),
    ],
    "Negative sizes are bytes: each limit": [
        ("CONFIG SET list-max-listpack-size -1", OK), (("RPUSH", "l", *["x" * 100] * 100), 100),
        ("OBJECT ENCODING l", "quicklist"), ("CONFIG SET list-max-listpack-size -5", OK),
        (("RPUSH", "m", *["x" * 100] * 1000), 1000), ("OBJECT ENCODING m", "quicklist"), ("LLEN m", 1000),
        ("CONFIG GET list-max-ziplist-size", {"list-max-ziplist-size": "-5"}),
    ],
    "list-max-listpack-size of zero holds one element in a node": [
        ("CONFIG SET list-max-listpack-size 0", OK), ABCDE, ("LINSERT l AFTER c x", 6), ("LREM l 0 a", 1),
        whole("b", "c", "x", "d", "e"),
    ],
    "OBJECT, MEMORY USAGE, RANDOMKEY, DBSIZE and TOUCH of a list": [
        ABCDE, ("OBJECT REFCOUNT l", 1), ("OBJECT IDLETIME l", 0), ("MEMORY USAGE l", Between(20, 300)),
        ("MEMORY USAGE l SAMPLES 0", Between(20, 300)), ("RANDOMKEY", "l"), ("DBSIZE", 1), ("TOUCH l none", 1),
        ("EXISTS l l", 2), ("SCAN 0 TYPE list", ["0", ["l"]]), ("SCAN 0 TYPE hash", ["0", []]), ("UNLINK l", 1),
    ],
    "MEMORY USAGE grows with a list": [
        (("RPUSH", "l", *["x" * 100] * 1000), 1000), ("MEMORY USAGE l SAMPLES 0", Between(100_000, 130_000)),
        ("MEMORY USAGE l", Between(100_000, 130_000)),
    ],
    "DEL of large lists, FLUSHALL ASYNC": [
        (("RPUSH", "l", *range(3000)), 3000), ("DEL l", 1), (("RPUSH", "l", *range(3000)), 3000), ("UNLINK l", 1),
        (("RPUSH", "l", *range(3000)), 3000), ("SET l v", OK), (("RPUSH", "m", *range(3000)), 3000),
        ("FLUSHALL ASYNC", OK), ("DBSIZE", 0),
    ],

    # Events
    "Events of pushes and pops": [
        *LISTEN, ("LPUSH l a b", 2), ("RPUSH l c", 3), ("LPUSHX l d", 4), ("RPUSHX l e", 5), ("RPUSHX none e", 0),
        ("LPOP l", "d"), ("RPOP l", "e"), ("LPOP l 0", []), ("LPOP none", None), ("LPOP l 2", ["b", "a"]),
        ("RPOP l", "c"),
        *heard("lpush l", "rpush l", "lpush l", "rpush l", "lpop l", "rpop l", "lpop l", "rpop l", "del l"),
    ],
    "Events of LSET, LINSERT, LTRIM and LREM": [
        *LISTEN, ABCDE, ("LSET l 0 x", OK), ("LSET l 9 x", OUT_OF_INDEX), ("LINSERT l BEFORE b y", 6),
        ("LINSERT l BEFORE none y", -1), ("LTRIM l 0 -1", OK), ("LTRIM l 1 3", OK), ("LREM l 0 none", 0),
        ("LREM l 0 y", 1), ("LREM l 0 b", 1), ("LREM l 0 c", 1), ("RPUSH l z", 1), ("LTRIM l 5 6", OK),
        *heard("rpush l", "lset l", "linsert l", "ltrim l", "ltrim l", "lrem l", "lrem l", "lrem l", "del l",
               "rpush l", "ltrim l", "del l"),
    ],
    "Events of LMOVE and RPOPLPUSH": [
        *LISTEN, ("RPUSH l a b c", 3), ("LMOVE l m LEFT RIGHT", "a"), ("LMOVE l m RIGHT LEFT", "c"),
        ("RPOPLPUSH l m", "b"),
        ("RPOPLPUSH l m", None), ("LMOVE m m LEFT LEFT", "b"), ("RPOPLPUSH m m", "a"),
        *heard("rpush l", "rpush m", "lpop l", "lpush m", "rpop l", "lpush m", "rpop l", "del l", "lpush m", "lpop m",
               "lpush m", "rpop m"),
    ],
    "Events of LMPOP and of blocking commands that need not wait": [
        *LISTEN, ABCDE, ("LMPOP 2 none l LEFT COUNT 2", ["l", ["a", "b"]]), ("BRPOP l 0", ["l", "e"]),
        ("BLMPOP 0 1 l LEFT", ["l", ["c"]]), ("BLMOVE l m LEFT LEFT 0", "d"), ("BLPOP m 0", ["m", "d"]),
        *heard("rpush l", "lpop l", "rpop l", "lpop l", "lpush m", "lpop l", "del l", "lpop m", "del m"),
    ],
    "Both kinds of events": [
        ("CONFIG SET notify-keyspace-events KEl", OK), ("@2 PSUBSCRIBE *", Push(["psubscribe", "*", 1])),
        ("RPUSH l a", 1), ("SET k v", OK), ("LPOP l", "a"),
        ("@2 <", Push(["pmessage", "*", "__keyspace@0__:l", "rpush"])),
        ("@2 <", Push(["pmessage", "*", "__keyevent@0__:rpush", "l"])),
        ("@2 <", Push(["pmessage", "*", "__keyspace@0__:l", "lpop"])),
        ("@2 <", Push(["pmessage", "*", "__keyevent@0__:lpop", "l"])), *heard(),
    ],

    # WATCH, MULTI
    "WATCH sees changes of a list": [
        ABCDE, ("WATCH l", OK), ("@2 LPUSH l x", 6), ("MULTI", OK), ("EXEC", NIL_ARRAY), ("WATCH l", OK),
        ("@2 LSET l 0 y", OK), ("MULTI", OK), ("EXEC", NIL_ARRAY), ("WATCH m", OK), ("@2 LMOVE l m LEFT LEFT", "y"),
        ("MULTI", OK), ("EXEC", NIL_ARRAY), ("WATCH l", OK), ("@2 LTRIM l 1 0", OK), ("MULTI", OK), ("EXEC", NIL_ARRAY),
    ],
    "WATCH does not see what changes nothing": [
        ABCDE, ("WATCH l none", OK), ("@2 LPOP l 0", []), ("@2 LREM l 0 none", 0), ("@2 LINSERT l BEFORE none x", -1),
        ("@2 LPUSHX none x", 0), ("@2 LSET l 10 x", OUT_OF_INDEX), ("@2 RPOPLPUSH none l", None),
        ("@2 LPOP none", None),
        ("@2 LMPOP 1 none LEFT", NIL_ARRAY), ("@2 LRANGE l 0 -1", ["a", "b", "c", "d", "e"]), ("MULTI", OK),
        ("EXEC", []),
    ],
    "WATCH sees a trim that keeps all, and a list moved within itself": [
        ABCDE, ("WATCH l", OK), ("@2 LTRIM l 0 -1", OK), ("MULTI", OK), ("EXEC", NIL_ARRAY), ("WATCH l", OK),
        ("@2 LMOVE l l LEFT LEFT", "a"), ("MULTI", OK), ("EXEC", NIL_ARRAY),
    ],
    "Lists inside MULTI": [
        ("MULTI", OK), ("RPUSH l a b", QUEUED), ("LPOP l", QUEUED), ("LPOP l 5", QUEUED), ("LPOP l", QUEUED),
        ("LPOP l 1", QUEUED), ("BLPOP l 0", QUEUED), ("BLMOVE l m LEFT LEFT 0", QUEUED), ("BRPOPLPUSH l m 0", QUEUED),
        ("BLMPOP 0 1 l LEFT", QUEUED), ("LMPOP 1 l LEFT", QUEUED), ("RPUSH l 1 2 3", QUEUED), ("BRPOP l 0", QUEUED),
        ("BLMPOP 0 1 l LEFT COUNT 5", QUEUED),
        ("EXEC", [2, "a", ["b"], None, NIL_ARRAY, NIL_ARRAY, None, None, NIL_ARRAY, NIL_ARRAY, 3, ["l", "3"],
                  ["l", ["1", "2"]]]),
    ],
    "A wrong list command ends MULTI": [
        ("MULTI", OK), ("LPUSH l", wrong_args("lpush")), ("EXEC", Matching("EXECABORT .*")),
        ("MULTI", OK), ("LPUSH l a", QUEUED), ("LSET l 5 x", QUEUED), ("LLEN l", QUEUED),
        ("EXEC", [1, OUT_OF_INDEX, 1]),
    ],
    "Names of list commands and their words know no case": [
        ("rpush l a b c", 3), ("lMove l m lEfT RiGhT", "a"), ("linsert l bEfOrE b x", 3), ("lpos l b rAnK 1", 1),
        ("lmpop 1 l lEfT cOuNt 2", ["l", ["x", "b"]]),
    ],
    "Many elements in one command": [
        (("LPUSH", "l", *range(1000)), 1000), ("LRANGE l 0 2", ["999", "998", "997"]), ("LINDEX l -1", "0"),
        ("LPOP l 998", [str(number) for number in range(999, 1, -1)]), whole("1", "0"),
    ],

    # LMOVEM: one element without how-many; a missing source gives an empty array, or a null with EXACTLY
    "LMOVEM moves one element": Case([
        ABCDE, ("LMOVEM l m LEFT RIGHT", ["a"]), ("LMOVEM l m RIGHT LEFT", ["e"]), whole("e", "a", key="m"),
        ("LMOVEM none m LEFT LEFT", []), whole("b", "c", "d"),
    ], since="8.10"),
    "LMOVEM COUNT moves up to that many": Case([
        ABCDE, ("LMOVEM l m LEFT LEFT COUNT 2 OBO", ["b", "a"]), whole("b", "a", key="m"),
        ("LMOVEM l m LEFT LEFT count 2 bulk", ["c", "d"]), whole("c", "d", "b", "a", key="m"),
        ("LMOVEM l m RIGHT RIGHT COUNT 10 OBO", ["e"]), ("EXISTS l", 0), whole("c", "d", "b", "a", "e", key="m"),
        ("LMOVEM l m LEFT LEFT COUNT 2 OBO", []),
    ], since="8.10"),
    "LMOVEM EXACTLY moves that many or none": Case([
        ABCDE, ("LMOVEM l m LEFT RIGHT EXACTLY 6 BULK", NIL_ARRAY), ("EXISTS m", 0), ("LLEN l", 5),
        ("LMOVEM l m LEFT RIGHT EXACTLY 5 BULK", ["a", "b", "c", "d", "e"]), ("EXISTS l", 0),
        ("LMOVEM l m LEFT RIGHT EXACTLY 1 BULK", NIL_ARRAY), ("LLEN m", 5),
    ], since="8.10"),
    "LMOVEM from each end to each end": Case([
        ("RPUSH m x", 1), ABCDE, ("LMOVEM l m LEFT RIGHT COUNT 2 OBO", ["a", "b"]), whole("x", "a", "b", key="m"),
        ("LMOVEM l m RIGHT LEFT COUNT 2 OBO", ["d", "e"]), whole("d", "e", "x", "a", "b", key="m"), ("DEL l m", 2),
        ABCDE,
        ("LMOVEM l m RIGHT RIGHT COUNT 2 OBO", ["e", "d"]), whole("e", "d", key="m"),
        ("LMOVEM l m RIGHT RIGHT COUNT 2 BULK", ["b", "c"]), whole("e", "d", "b", "c", key="m"), ("DEL l m", 2), ABCDE,
        ("LMOVEM l m LEFT RIGHT COUNT 2 BULK", ["a", "b"]), ("LMOVEM l m RIGHT LEFT COUNT 2 BULK", ["d", "e"]),
        whole("d", "e", "a", "b", key="m"),
    ], since="8.10"),
    "LMOVEM within one list": Case([
        ("RPUSH l a b c", 3), ("LMOVEM l l LEFT LEFT EXACTLY 2 OBO", ["b", "a"]), whole("b", "a", "c"),
        ("LMOVEM l l LEFT LEFT COUNT 2 BULK", ["b", "a"]), whole("b", "a", "c"),
        ("LMOVEM l l LEFT RIGHT COUNT 2 BULK", ["b", "a"]), whole("c", "b", "a"),
        ("LMOVEM l l RIGHT LEFT COUNT 10 OBO", ["c", "b", "a"]), whole("c", "b", "a"),
    ], since="8.10"),
    "LMOVEM refuses bad arguments": Case([
        ABCDE, ("SET k v", OK), ("LMOVEM l m LEFT", wrong_args("lmovem")), ("LMOVEM l m X LEFT", SYNTAX),
        ("LMOVEM l m LEFT X", SYNTAX), ("LMOVEM l m LEFT LEFT COUNT 2", SYNTAX), ("LMOVEM l m LEFT LEFT COUNT", SYNTAX),
        ("LMOVEM l m LEFT LEFT OBO", SYNTAX), ("LMOVEM l m LEFT LEFT COUNT 2 X", SYNTAX),
        ("LMOVEM l m LEFT LEFT COUNT 2 OBO x", SYNTAX), ("LMOVEM l m LEFT LEFT X 2 OBO", SYNTAX),
        ("LMOVEM l m LEFT LEFT COUNT 0 OBO", Matching("ERR .*")),
        ("LMOVEM l m LEFT LEFT COUNT -1 OBO", Matching("ERR .*")),
        ("LMOVEM l m LEFT LEFT EXACTLY x BULK", Matching("ERR .*")), ("LMOVEM k m LEFT LEFT", WRONGTYPE),
        ("LMOVEM l k LEFT LEFT", WRONGTYPE), ("LMOVEM l k LEFT LEFT COUNT 2 OBO", WRONGTYPE), ("LLEN l", 5),
        ("EXISTS m", 0),
    ], since="8.10"),
    "LMOVEM: events once for each list": Case([
        *LISTEN, ("RPUSH l a b c", 3), ("LMOVEM l m LEFT LEFT COUNT 2 OBO", ["b", "a"]),
        ("LMOVEM l m RIGHT RIGHT EXACTLY 2 BULK", NIL_ARRAY), ("LMOVEM l m RIGHT RIGHT COUNT 2 BULK", ["c"]),
        ("@2 <", Push(["pmessage", "*", "__keyevent@0__:rpush", "l"])),
        ("@2 <", Push(["pmessage", "*", "__keyevent@0__:lpush", "m"])),
    ], since="8.10"),
    "BLMOVEM of a list that is there": Case([
        ABCDE, ("BLMOVEM l m LEFT RIGHT 0", ["a"]), ("BLMOVEM l m LEFT RIGHT 1.5 COUNT 2 BULK", ["b", "c"]),
        ("BLMOVEM l m LEFT RIGHT 0 EXACTLY 2 OBO", ["d", "e"]), ("EXISTS l", 0), ("LLEN m", 5), ("MULTI", OK),
        ("BLMOVEM l m LEFT LEFT 0 COUNT 2 OBO", QUEUED), ("BLMOVEM m l LEFT LEFT 0 EXACTLY 6 OBO", QUEUED),
        ("EXEC", R3([NIL_ARRAY, NIL_ARRAY], [None, None])),
        ("BLMOVEM l m LEFT LEFT x", Error("ERR timeout is not a float or out of range")),
        ("BLMOVEM l m LEFT LEFT -1", Error("ERR timeout is negative")),
        ("BLMOVEM l m LEFT LEFT", wrong_args("blmovem")),
        ("BLMOVEM l m LEFT LEFT 1 COUNT 2", SYNTAX),
    ], since="8.10"),
}


def test_rows(row_case):
    row_case.check()


# --- what is propagated; see tests.effect_rows ----------------------------------------

FIVE = "RPUSH l a b c d e"
EFFECTS = {
    "pushes": ("", "RPUSH k a b | LPUSH k c | RPUSHX k d | LPUSHX l d", "RPUSH k a b | LPUSH k c | RPUSHX k d"),
    "LPOP and RPOP": ("RPUSH k a b c d", "LPOP k | RPOP k 2 | LPOP k 0 | LPOP l", "LPOP k | RPOP k 2"),
    "LSET, LINSERT and LREM": ("RPUSH k a b", "LSET k 0 c | LSET k 9 c | LINSERT k AFTER c d | LINSERT k AFTER x d |"
                               " LREM k 0 c | LREM k 0 x", "LSET k 0 c | LINSERT k AFTER c d | LREM k 0 c"),
    "LTRIM": ("RPUSH k a b c", "LTRIM k 0 -1 | LTRIM k 1 1 | LTRIM k 5 6", "LTRIM k 1 1 | LTRIM k 5 6"),
    "LMOVE and RPOPLPUSH": ("RPUSH k a b", "LMOVE k l LEFT RIGHT | RPOPLPUSH l l | RPOPLPUSH x l",
                            "LMOVE k l LEFT RIGHT | RPOPLPUSH l l"),
    "LMPOP": ("RPUSH k a b c", "LMPOP 2 l k LEFT | LMPOP 1 k RIGHT COUNT 9 | LMPOP 1 k LEFT", "LPOP k 1 | RPOP k 2"),
    "BLPOP and BRPOP": ("RPUSH k a b", "BLPOP l k 0 | BRPOP k 1.5", "LPOP k | RPOP k"),
    "BLMPOP": ("RPUSH k a b", "BLMPOP 0 1 k LEFT COUNT 9", "LPOP k 2"),
    "BLMOVE and BRPOPLPUSH": ("RPUSH k a b", "BLMOVE k l left right 0 | BRPOPLPUSH k l 0",
                              "LMOVE k l left right | RPOPLPUSH k l"),
    "LMOVEM": ("RPUSH k a b c", "LMOVEM k l LEFT RIGHT COUNT 2 OBO | LMOVEM k l LEFT LEFT EXACTLY 5 BULK",
               "LMOVEM k l LEFT RIGHT COUNT 2 OBO"),
    "BLMOVEM": ("RPUSH k a b c", "BLMOVEM k l LEFT RIGHT 0 EXACTLY 2 BULK | BLMOVEM k l LEFT LEFT 0",
                "LMOVEM k l LEFT RIGHT EXACTLY 2 BULK | LMOVEM k l LEFT LEFT"),
    "moves onto what is no list": (
        "RPUSH k a b | SET d v", "BLMOVE k d LEFT RIGHT 0 | BRPOPLPUSH k d 0 | BLMOVEM k d LEFT RIGHT 0 | "
        "LMOVE k d LEFT RIGHT | RPOPLPUSH k d | LMOVEM k d LEFT RIGHT", ""),
    "commands that only read lists": (
        "RPUSH k a b", "LRANGE k 0 -1 | LLEN k | LINDEX k 0 | LPOS k a | LPOS k a COUNT 0", ""),
    "LPUSH l x": (FIVE, "LPUSH l x", "LPUSH l x"),
    "LPUSHX l x": (FIVE, "LPUSHX l x", "LPUSHX l x"),
    "LPUSHX none x": (FIVE, "LPUSHX none x", ""),
    "LPOP l": (FIVE, "LPOP l", "LPOP l"),
    "LPOP l 2": (FIVE, "LPOP l 2", "LPOP l 2"),
    "LPOP l 0": (FIVE, "LPOP l 0", ""),
    "LPOP none": (FIVE, "LPOP none", ""),
    "RPOP l 9": (FIVE, "RPOP l 9", "RPOP l 9"),
    "LSET l 0 x": (FIVE, "LSET l 0 x", "LSET l 0 x"),
    "LSET l 9 x": (FIVE, "LSET l 9 x", ""),
    "LINSERT l BEFORE b x": (FIVE, "LINSERT l BEFORE b x", "LINSERT l BEFORE b x"),
    "LINSERT l BEFORE none x": (FIVE, "LINSERT l BEFORE none x", ""),
    "LREM l 0 none": (FIVE, "LREM l 0 none", ""),
    "LREM l 0 a": (FIVE, "LREM l 0 a", "LREM l 0 a"),
    "LTRIM l 0 -1": (FIVE, "LTRIM l 0 -1", ""),
    "LTRIM l 1 2": (FIVE, "LTRIM l 1 2", "LTRIM l 1 2"),
    "LTRIM l 9 9": (FIVE, "LTRIM l 9 9", "LTRIM l 9 9"),
    "LMOVE l m LEFT RIGHT": (FIVE, "LMOVE l m LEFT RIGHT", "LMOVE l m LEFT RIGHT"),
    "LMOVE none m LEFT LEFT": (FIVE, "LMOVE none m LEFT LEFT", ""),
    "RPOPLPUSH l m": (FIVE, "RPOPLPUSH l m", "RPOPLPUSH l m"),
    "LMPOP 2 none l LEFT COUNT 3": (FIVE, "LMPOP 2 none l LEFT COUNT 3", "LPOP l 3"),
    "LMPOP 1 l RIGHT": (FIVE, "LMPOP 1 l RIGHT", "RPOP l 1"),
    "LMPOP 1 none LEFT": (FIVE, "LMPOP 1 none LEFT", ""),
    "LMPOP 1 l LEFT COUNT 99": (FIVE, "LMPOP 1 l LEFT COUNT 99", "LPOP l 5"),
    "BLPOP none l 0": (FIVE, "BLPOP none l 0", "LPOP l"),
    "BRPOP l 0": (FIVE, "BRPOP l 0", "RPOP l"),
    "BLMOVE l m LEFT RIGHT 0": (FIVE, "BLMOVE l m LEFT RIGHT 0", "LMOVE l m LEFT RIGHT"),
    "BRPOPLPUSH l m 0": (FIVE, "BRPOPLPUSH l m 0", "RPOPLPUSH l m"),
    "BLMPOP 0 2 none l RIGHT COUNT 9": (FIVE, "BLMPOP 0 2 none l RIGHT COUNT 9", "RPOP l 5"),
    "LRANGE l 0 -1 | LPOS l a | LLEN l": (FIVE, "LRANGE l 0 -1 | LPOS l a | LLEN l", ""),
    "MULTI | BLPOP l 0 | BLPOP none 0 | BLMOVE l m LEFT LEFT 0 | LMPOP 1 l LEFT | EXEC": (
        FIVE,
        "MULTI | BLPOP l 0 | BLPOP none 0 | BLMOVE l m LEFT LEFT 0 | LMPOP 1 l LEFT | EXEC",
        "MULTI | LPOP l | LMOVE l m LEFT LEFT | LPOP l 1 | EXEC",
    ),
    "LMOVEM l m LEFT LEFT COUNT 2 OBO": (FIVE, "LMOVEM l m LEFT LEFT COUNT 2 OBO", "LMOVEM l m LEFT LEFT COUNT 2 OBO"),
    "LMOVEM l m LEFT LEFT EXACTLY 9 OBO": (FIVE, "LMOVEM l m LEFT LEFT EXACTLY 9 OBO", ""),
    "BLMOVEM l m LEFT LEFT 0 COUNT 2 OBO": (
        FIVE, "BLMOVEM l m LEFT LEFT 0 COUNT 2 OBO", "LMOVEM l m LEFT LEFT COUNT 2 OBO"),
}


def test_effects(effect):
    effect.check()


ELEMENTS = {
    "small": [b"", b"a", b"bb", b"0", b"-1", b"12", b"4096", b"123456789012", b"\x00\xff", b"x" * 63, b"x" * 64],
    "mixed": [b"1", b"a", b"x" * 70, b"y" * 300, b"z" * 5000, b"w" * 20000, b"-9223372036854775808"],
}
SIZES = {"default": (-2, 0), "one": (1, 0), "three": (3, 0), "compressed": (4, 1), "4kb compressed": (-1, 2)}
KINDS = ["rpush", "lpush", "rpush", "lpush", "lpop", "rpop", "lset", "linsert", "lrem", "ltrim", "lindex", "lpos",
         "rotate"]


def change(chance, model, elements):
    """A random command on the list "l", done to the model as well -> (argv, the reply it must have)."""
    element, count = chance.choice(elements), chance.randint(-3, 3)
    at = chance.randint(-len(model) - 1, len(model))
    kind = chance.choice(KINDS)
    inside = -len(model) <= at < len(model)
    if kind in ("rpush", "lpush"):
        new = [chance.choice(elements) for _ in range(chance.randint(1, 4))]
        model[:] = model + new if kind == "rpush" else new[::-1] + model
        return (kind, "l", *new), len(model)
    if kind in ("lpop", "rpop"):
        wanted = chance.randint(1, 3)
        gone = model[:wanted] if kind == "lpop" else model[::-1][:wanted]
        model[:] = model[wanted:] if kind == "lpop" else model[:max(len(model) - wanted, 0)]
        return (kind, "l", wanted), gone or NIL_ARRAY
    if kind == "lset":
        if not inside:
            return (kind, "l", at, element), OUT_OF_INDEX if model else NO_KEY
        model[at] = element
        return (kind, "l", at, element), OK
    if kind == "linsert":
        pivot, after = chance.choice(elements), chance.random() < 0.5
        if pivot not in model:
            return (kind, "l", "after", pivot, element), -1 if model else 0
        model.insert(model.index(pivot) + after, element)
        return (kind, "l", "after" if after else "before", pivot, element), len(model)
    if kind == "lrem":
        places = [place for place, each in enumerate(model) if each == element]
        gone = places if count == 0 else places[:count] if count > 0 else places[count:]
        model[:] = [each for place, each in enumerate(model) if place not in gone]
        return (kind, "l", count, element), len(gone)
    if kind == "ltrim" and chance.random() < 0.2:
        start, stop = chance.randint(0, 3), chance.choice([-1, -2, -4, 60])
        model[:] = model[start:] if stop == -1 else model[start:stop + 1]
        return (kind, "l", start, stop), OK
    if kind == "rotate":
        if model:
            model.append(model.pop(0))
        return ("lmove", "l", "l", "left", "right"), model[-1] if model else None
    if kind == "lpos":
        return (kind, "l", element, "count", 0), [place for place, each in enumerate(model) if each == element]
    return ("lindex", "l", at), model[at] if inside else None


@pytest.mark.parametrize("elements", ELEMENTS)
@pytest.mark.parametrize("size", SIZES)
def test_random_changes_agree_with_a_python_list(either_target, size, elements):
    chance = random.Random(f"{size} {elements}")
    node_size, depth = SIZES[size]
    with either_target.server.client() as client:
        client.call("CONFIG", "SET", "list-max-listpack-size", node_size, "list-compress-depth", depth)
        try:
            for _ in range(4):
                model = []
                client.call("DEL", "l")
                for _ in range(400):
                    argv, expected = change(chance, model, ELEMENTS[elements])
                    assert client.call(*argv) == expected, argv
                    start, stop = sorted(chance.sample(range(-20, 60), 2))
                    begin = max(start + len(model), 0) if start < 0 else start
                    end = stop + len(model) if stop < 0 else stop
                    assert client.call("LRANGE", "l", start, stop) == (model[begin:end + 1] if end >= 0 else [])
                assert client.call("LRANGE", "l", 0, -1) == model
        finally:
            client.call("CONFIG", "SET", "list-max-listpack-size", -2, "list-compress-depth", 0)


def test_scan_type_and_many_lists(either_target):
    with either_target.server.client() as client:
        client.pipeline([("RPUSH", f"l:{number}", "a") for number in range(50)])
        client.pipeline([("SET", f"k:{number}", "a") for number in range(50)])
        cursor, keys = client.call("SCAN", 0, "COUNT", 1000, "TYPE", "list")
        assert cursor == b"0" and sorted(keys) == sorted(b"l:%d" % number for number in range(50))
        assert client.call("RANDOMKEY").startswith((b"l:", b"k:"))


def test_an_element_of_several_megabytes(either_target):
    value = bytes(range(256)) * 16384
    with either_target.server.client(timeout=20) as client:
        assert client.pipeline([("RPUSH", "l", "a", value, "b"), ("LPOS", "l", value),
        ("LINSERT", "l", "AFTER", value, "c"),
                                ("LSET", "l", 0, value), ("COPY", "l", "m")]) == [3, 1, 4, OK, 1]
        assert client.call("LRANGE", "m", 0, -1) == [value, value, b"c", b"b"]
        assert client.pipeline([("LREM", "l", 0, value), ("LRANGE", "l", 0, -1)]) == [2, [b"c", b"b"]]


def test_pushes_of_two_clients_stay_in_the_order_of_the_commands(either_target):
    with either_target.server.client() as first, either_target.server.client() as second:
        for number in range(100):
            (first if number % 2 else second).call("RPUSH", "l", number)
        assert first.call("LRANGE", "l", 0, -1) == [b"%d" % number for number in range(100)]




@pytest.mark.parametrize(("waits", "told"), [
    ("BLPOP l 0", "LPOP l"), ("BRPOP m l 0", "RPOP l"), ("BLMOVE l m LEFT RIGHT 0", "LMOVE l m LEFT RIGHT"),
    ("BRPOPLPUSH l m 0", "RPOPLPUSH l m"), ("BLMPOP 0 2 m l RIGHT COUNT 9", "RPOP l 2"),
])
def test_effect_of_a_client_that_waited(local, waits, told):
    """It comes after that of the push."""
    client, pusher = local.client(), local.client()
    client.send(*waits.split())
    assert local.notes.take() == []
    assert pusher.call("RPUSH", "l", "a", "b") == 2
    assert [b" ".join(argv).decode() for _, argv in local.notes.take()] == ["RPUSH l a b", told]
