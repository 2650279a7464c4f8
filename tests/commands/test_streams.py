"""Entries of streams: XADD, XTRIM, XLEN, XRANGE, XREVRANGE, XDEL, XDELEX, XSETID."""
import pytest

from tests.resp import Error
from tests.rows import (
    NIL_ARRAY,
    NO_KEY,
    NOT_INTEGER,
    OK,
    QUEUED,
    SYNTAX,
    WRONGTYPE,
    Any,
    Case,
    Matching,
    heard,
    listen,
    wrong_args,
)

BAD_ID = Error("ERR Invalid stream ID specified as stream command argument")
TOO_SMALL = Error("ERR The ID specified in XADD is equal or smaller than the target stream top item")
HIGHEST = "18446744073709551615-18446744073709551615"
SOME_ID = Matching(r"\d+-\d+")
# Redis has these words since 8.2; Valkey has not.
REFS = "8.2"


def adds(count, key="s", first=1, pairs="f v"):
    """The rows that add entries with the ids 1-1, 1-2 ..."""
    return [(f"XADD {key} 1-{number} {pairs}", f"1-{number}") for number in range(first, first + count)]


def entries(*numbers, pairs=("f", "v")):
    """Such entries as they are replied."""
    return [[f"1-{number}", list(pairs)] for number in numbers]


def all_of(*numbers, key="s"):
    """The row that reads a stream."""
    return f"XRANGE {key} - +", entries(*numbers)


CASES = {
    # --- XADD ---
    "XADD makes the key": [
        ("XADD s 1-1 f v", "1-1"), ("TYPE s", Any()), ("XLEN s", 1), ("XLEN none", 0), all_of(1),
        ("OBJECT ENCODING s", "stream"),
    ],
    "XADD makes ids by the clock": [
        ("XADD s * f v", SOME_ID), ("XADD s * f v", SOME_ID), ("XADD s * f v g w", SOME_ID), ("XLEN s", 3),
        ("XADD s 18446744073709551614-5 f v", "18446744073709551614-5"),
        ("XADD s * f v", "18446744073709551614-6"),
        ("XADD s 18446744073709551614-18446744073709551615 f v", "18446744073709551614-18446744073709551615"),
        ("XADD s * f v", "18446744073709551615-0"),
    ],
    "XADD with parts of ids": [
        ("XADD s 5 f v", "5-0"), ("XADD s 5-* f v", "5-1"), ("XADD s 6-* f v", "6-0"), ("XADD s 5-* f v", TOO_SMALL),
        ("XADD s 0-* f v", TOO_SMALL), ("XADD t 0-* f v", "0-1"), ("XADD t 0-* f v", "0-2"),
        ("XADD t *-1 f v", BAD_ID), ("XADD t 8-** f v", BAD_ID),
    ],
    "XADD behind the last sequence number": Case([
        ("XADD t 7-18446744073709551615 f v", "7-18446744073709551615"), ("XADD t 7-* f v", TOO_SMALL),
        ("XADD t 8-* f v", "8-0"),
    ], since="8.2 or valkey 9.1"),
    "XADD reads numbers as strtoull() does": [
        ("XADD s 01-01 f v", "1-1"), ("XADD s \" 1-+2\" f v", "1-2"), ("XADD s 1-3x f v", BAD_ID),
        ("XADD s 1- f v", BAD_ID), ("XADD s -1 f v", BAD_ID), ("XADD s 1--3 f v", BAD_ID), ("XADD s \"\" f v", BAD_ID),
        ("XADD s 18446744073709551616-0 f v", BAD_ID), ("XADD s \"1-3\\x00x\" f v", "1-3"),
        ("XADD s - f v", BAD_ID), ("XADD s + f v", BAD_ID), ("XADD s " + "0" * 126 + "2 f v", "2-0"),
        ("XADD s " + "0" * 127 + "3 f v", BAD_ID),
    ],
    "XADD refuses ids that are not above all others": [
        ("XADD s 0-0 f v", Error("ERR The ID specified in XADD must be greater than 0-0")), ("EXISTS s", 0),
        ("XADD s 0 f v", Error("ERR The ID specified in XADD must be greater than 0-0")),
        *adds(2), ("XADD s 1-2 f v", TOO_SMALL), ("XADD s 1-1 f v", TOO_SMALL), ("XADD s 0-9 f v", TOO_SMALL),
        ("XDEL s 1-2", 1), ("XADD s 1-2 f v", TOO_SMALL), ("XADD s 1-3 f v", "1-3"),
        (f"XADD s {HIGHEST} f v", HIGHEST),
        ("XADD s * f v", Error("ERR The stream has exhausted the last possible ID, unable to add more items")),
        ("XADD s 1-1 f v", Error("ERR The stream has exhausted the last possible ID, unable to add more items")),
    ],
    "XADD wants pairs": [
        ("XADD s * f", wrong_args("xadd")), ("XADD s * f v g", wrong_args("xadd")), ("XADD s *", wrong_args("xadd")),
        ("XADD s MAXLEN 5 *", wrong_args("xadd")), ("XADD s MAXLEN 5 * f", wrong_args("xadd")), ("EXISTS s", 0),
    ],
    "XADD NOMKSTREAM": [
        ("XADD s NOMKSTREAM * f v", None), ("EXISTS s", 0), *adds(1), ("XADD s NOMKSTREAM 1-2 f v", "1-2"),
        ("XADD s nomkstream NOMKSTREAM 1-3 f v", "1-3"), all_of(1, 2, 3),
    ],
    "XADD MAXLEN": [
        *adds(5), ("XADD s MAXLEN 3 1-6 f v", "1-6"), all_of(4, 5, 6), ("XADD s MAXLEN = 2 1-7 f v", "1-7"),
        all_of(6, 7), ("XADD s MAXLEN ~ 1 1-8 f v", "1-8"), all_of(6, 7, 8), ("XADD s MAXLEN 0 1-9 f v", "1-9"),
        ("XLEN s", 0), ("EXISTS s", 1), ("XADD s maxlen 1 NOMKSTREAM 2-1 f v", "2-1"), ("XLEN s", 1),
    ],
    "XADD MINID": [
        *adds(5), ("XADD s MINID 1-3 1-6 f v", "1-6"), all_of(3, 4, 5, 6), ("XADD s MINID = 1-5 1-7 f v", "1-7"),
        all_of(5, 6, 7), ("XADD s MINID ~ 1-7 1-8 f v", "1-8"), all_of(5, 6, 7, 8), ("XADD s MINID 9 1-9 f v", "1-9"),
        ("XLEN s", 0),
    ],
    "Trimming, wrong": [
        ("XADD s MAXLEN x * f v", NOT_INTEGER),
        ("XADD s MAXLEN -1 * f v", Error("ERR The MAXLEN argument must be >= 0.")),
        ("XADD s MINID x * f v", BAD_ID), ("XADD s MINID - * f v", BAD_ID),
        ("XADD s MAXLEN 1 MINID 1 * f v",
         Error("ERR syntax error, MAXLEN and MINID options at the same time are not compatible")),
        ("XADD s MAXLEN 1 MAXLEN 1 * f v",
         Error("ERR syntax error, MAXLEN and MINID options at the same time are not compatible")),
        ("XADD s LIMIT 1 * f v",
         Error("ERR syntax error, LIMIT cannot be used without specifying a trimming strategy")),
        ("XADD s MAXLEN 1 LIMIT 1 * f v",
         Error("ERR syntax error, LIMIT cannot be used without the special ~ option")),
        ("XADD s MAXLEN = 1 LIMIT 0 * f v",
         Error("ERR syntax error, LIMIT cannot be used without the special ~ option")),
        ("XADD s MAXLEN ~ 1 LIMIT -1 * f v", Error("ERR The LIMIT argument must be >= 0.")),
        ("XADD s MAXLEN ~ 1 LIMIT x * f v", NOT_INTEGER), ("EXISTS s", 0),
        ("XTRIM s MAXLEN", wrong_args("xtrim")), ("XTRIM s FOO 1", SYNTAX), ("XTRIM s MAXLEN ~", NOT_INTEGER),
        ("XTRIM s NOMKSTREAM MAXLEN 1", SYNTAX), ("XTRIM s MAXLEN 1 FOO", SYNTAX), ("XTRIM s * MAXLEN 1", SYNTAX),
        ("XTRIM s LIMIT 0", Error("ERR syntax error, XTRIM must be called with a trimming strategy")),
        ("XTRIM s LIMIT 5", Error("ERR syntax error, LIMIT cannot be used without specifying a trimming strategy")),
    ],
    "XTRIM": [
        *adds(6), ("XTRIM s MAXLEN 5", 1), all_of(2, 3, 4, 5, 6), ("XTRIM s MAXLEN 5", 0), ("XTRIM s MINID 1-4", 2),
        all_of(4, 5, 6), ("XTRIM s MINID 1-4", 0), ("XTRIM s MAXLEN ~ 1", 0), ("XTRIM s MAXLEN ~ 0", 3), ("XLEN s", 0),
        ("XTRIM s MAXLEN 0", 0), ("XTRIM none MAXLEN 5", 0), ("EXISTS none", 0),
    ],
    "XTRIM by nodes": [
        ("CONFIG SET stream-node-max-entries 3", OK), *adds(10), ("XTRIM s MAXLEN ~ 5", 3),
        all_of(*range(4, 11)), ("XTRIM s MAXLEN ~ 1 LIMIT 5", 3), all_of(7, 8, 9, 10),
        ("XTRIM s MINID ~ 1-9", 0), ("XTRIM s MINID ~ 1-10 LIMIT 2", 0), ("XTRIM s MINID ~ 1-10 LIMIT 0", 3),
        all_of(10), ("XTRIM s MINID ~ 5", 1), ("XLEN s", 0),
    ],
    "A new node begins where one is full": [
        ("CONFIG SET stream-node-max-bytes 64 stream-node-max-entries 0", OK), *adds(20, pairs="field value"),
        ("XLEN s", 20), ("XRANGE s 1-11 1-12", entries(11, 12, pairs=("field", "value"))),
        ("XTRIM s MAXLEN 3", 17), ("XRANGE s - +", entries(18, 19, 20, pairs=("field", "value"))),
    ],
    # --- XRANGE and XREVRANGE ---
    "XRANGE": [
        *adds(4), ("XADD s 2-1 a 1 b 2", "2-1"), ("XRANGE s - + COUNT 2", entries(1, 2)),
        ("XRANGE s 1-2 1-3", entries(2, 3)), ("XRANGE s 2 +", [["2-1", ["a", "1", "b", "2"]]]),
        ("XRANGE s 1 1", entries(1, 2, 3, 4)), ("XRANGE s (1-1 (1-4", entries(2, 3)), ("XRANGE s 3 +", []),
        ("XRANGE s + -", []), ("XRANGE s 1-1 1-1 COUNT 5", entries(1)), ("XRANGE none - +", []),
        ("XRANGE s - + COUNT 0", NIL_ARRAY), ("XRANGE s - + COUNT -1", NIL_ARRAY),
        ("XRANGE s - + COUNT -7", NIL_ARRAY),
        ("XRANGE none - + COUNT 0", []), ("XRANGE s - + COUNT 1 COUNT 2", entries(1, 2)),
    ],
    "XREVRANGE": [
        *adds(4), ("XREVRANGE s + -", entries(4, 3, 2, 1)), ("XREVRANGE s + - COUNT 2", entries(4, 3)),
        ("XREVRANGE s 1-3 1-2", entries(3, 2)), ("XREVRANGE s (1-4 (1-1", entries(3, 2)), ("XREVRANGE s - +", []),
        ("XREVRANGE s 1 1", entries(4, 3, 2, 1)), ("XREVRANGE none + -", []),
        ("XREVRANGE s + - COUNT 0", NIL_ARRAY),
    ],
    "XRANGE, wrong": [
        ("XRANGE s", wrong_args("xrange")), ("XRANGE s x +", BAD_ID), ("XRANGE s - x", BAD_ID),
        ("XRANGE s (- +", BAD_ID),
        (f"XRANGE s ({HIGHEST} +", Error("ERR invalid start ID for the interval")),
        ("XRANGE s - (0-0", Error("ERR invalid end ID for the interval")), ("XRANGE s - + COUNT x", NOT_INTEGER),
        ("XRANGE s - + COUNT", SYNTAX), ("XRANGE s - + FOO 1", SYNTAX), ("XRANGE s 1-* +", BAD_ID),
    ],
    "Entries with fields of their own": [
        ("XADD s 1-1 f v", "1-1"), ("XADD s 1-2 f v g 7", "1-2"), ("XADD s 1-3 g 7", "1-3"),
        ("XADD s 1-4 f -12", "1-4"),
        ("XADD s 1-5 f 123456789012 f \"\"", "1-5"), ("XADD s 1-6 \"\" \"\\x00\\xff\"", "1-6"),
        ("XRANGE s - +", [["1-1", ["f", "v"]], ["1-2", ["f", "v", "g", "7"]], ["1-3", ["g", "7"]],
                          ["1-4", ["f", "-12"]], ["1-5", ["f", "123456789012", "f", ""]], ["1-6", ["", b"\x00\xff"]]]),
        ("XREVRANGE s 1-5 1-3", [["1-5", ["f", "123456789012", "f", ""]], ["1-4", ["f", "-12"]], ["1-3", ["g", "7"]]]),
    ],
    "More pairs than fit on a stack": [
        ("XADD s 1-1 " + " ".join(f"f{number} {number}" for number in range(40)), "1-1"),
        ("XRANGE s - +", [["1-1", [word for number in range(40) for word in (f"f{number}", str(number))]]]),
    ],
    "Values of any length": [
        *[(f"XADD s 1-{size} f {'x' * size}", f"1-{size}") for size in (1, 63, 64, 4095, 4096, 5000)],
        ("XRANGE s - +", [[f"1-{size}", ["f", "x" * size]] for size in (1, 63, 64, 4095, 4096, 5000)]),
        ("XREVRANGE s + - COUNT 1", [["1-5000", ["f", "x" * 5000]]]),
    ],
    # --- XDEL ---
    "XDEL": [
        *adds(5), ("XDEL s 1-2 1-4 1-4 9-9", 2), all_of(1, 3, 5), ("XLEN s", 3), ("XREVRANGE s + -", entries(5, 3, 1)),
        ("XDEL s 1", 0), ("XDEL s 1-1 1-3 1-5", 3), ("XLEN s", 0), ("EXISTS s", 1), ("XRANGE s - +", []),
        ("XADD s 1-5 f v", TOO_SMALL), ("XADD s 1-6 f v", "1-6"), ("XDEL none 1-1", 0), ("XDEL s 1-6 x", BAD_ID),
        ("XLEN s", 1), ("XDEL s", wrong_args("xdel")),
    ],
    "XDEL of many ids": [
        *adds(40), ("XDEL s " + " ".join(f"1-{number}" for number in range(1, 40)), 39), all_of(40),
    ],
    # --- XSETID ---
    "XSETID": [
        *adds(2), ("XSETID s 1-1", Error("ERR The ID specified in XSETID is smaller than the target stream top item")),
        ("XSETID s 1-2", OK), ("XSETID s 2-5", OK), ("XADD s 2-* f v", "2-6"), ("XSETID s 3", OK),
        ("XADD s 3-* f v", "3-1"),
        ("XSETID s 9 ENTRIESADDED 3",
         Error("ERR The entries_added specified in XSETID is smaller than the target stream length")),
        ("XSETID s 9 ENTRIESADDED 50 MAXDELETEDID 4-1", OK), ("XINFO STREAM s", Any()),
        ("XSETID s 9 MAXDELETEDID 9-1",
         Error("ERR The ID specified in XSETID is smaller than the provided max_deleted_entry_id")),
        ("XSETID s 9 ENTRIESADDED -1", Error("ERR entries_added must be positive")),
        ("XSETID s 9 ENTRIESADDED x", NOT_INTEGER), ("XSETID s 9 MAXDELETEDID x", BAD_ID), ("XSETID s x", BAD_ID),
        ("XSETID s 9 FOO", SYNTAX), ("XSETID s 9 ENTRIESADDED", SYNTAX), ("XSETID none 9", NO_KEY),
        ("XSETID s - ", BAD_ID), ("XSETID s", wrong_args("xsetid")),
    ],
    "XSETID below what was deleted": Case([
        *adds(3), ("XDEL s 1-3", 1),
        ("XSETID s 1-2", Error("ERR The ID specified in XSETID is smaller than current max_deleted_entry_id")),
    ], since="8.2 or valkey 9.1"),
    "Other types are refused": [
        ("SET k v", OK), ("XADD k * f v", WRONGTYPE), ("XTRIM k MAXLEN 1", WRONGTYPE), ("XLEN k", WRONGTYPE),
        ("XRANGE k - +", WRONGTYPE), ("XREVRANGE k + -", WRONGTYPE), ("XDEL k 1-1", WRONGTYPE), ("XDEL k x", WRONGTYPE),
        ("XSETID k 1-1", WRONGTYPE), ("XADD s 1-1 f v", "1-1"), ("GET s", WRONGTYPE), ("SADD s a", WRONGTYPE),
        ("LPUSH s a", WRONGTYPE),
    ],
    "Keys": [
        *adds(2), ("COPY s t", 1), all_of(1, 2, key="t"), ("RENAME t u", OK), all_of(1, 2, key="u"),
        ("XADD u 1-3 f v", "1-3"), all_of(1, 2), ("DEL s", 1), ("XLEN s", 0), ("EXPIRE u 100", 1), ("TTL u", 100),
        ("XADD u 1-4 f v", "1-4"), ("TTL u", 100),
    ],
    "In a transaction": [
        ("MULTI", OK), ("XADD s 1-1 f v", QUEUED), ("XLEN s", QUEUED), ("XRANGE s - +", QUEUED),
        ("EXEC", ["1-1", 1, entries(1)]),
    ],
    "Who watches is told": [
        *adds(3), ("WATCH s", OK), ("@2 XADD s 1-4 f v", "1-4"), ("MULTI", OK), ("EXEC", NIL_ARRAY), ("WATCH s", OK),
        ("@2 XDEL s 1-9", 0), ("MULTI", OK), ("EXEC", []), ("WATCH s", OK), ("@2 XDEL s 1-1", 1), ("MULTI", OK),
        ("EXEC", NIL_ARRAY), ("WATCH s", OK), ("@2 XTRIM s MAXLEN 1", 2), ("MULTI", OK), ("EXEC", NIL_ARRAY),
    ],
    "Events": [
        *listen(classes="Et"), *adds(2), ("XADD s MAXLEN 1 1-3 f v", "1-3"), ("XTRIM s MAXLEN 1", 0),
        ("XTRIM s MAXLEN 0", 1), ("XADD s 1-4 f v", "1-4"), ("XDEL s 1-3 1-4", 1), ("XDEL s 1-4", 0),
        ("XSETID s 2-1", OK), ("XADD none NOMKSTREAM * f v", None),
        *heard("xadd s", "xadd s", "xadd s", "xtrim s", "xtrim s", "xadd s", "xdel s", "xsetid s"),
    ],
    # --- references ---
    "XDELEX": Case([
        *adds(5), ("XGROUP CREATE s g 0", OK), ("XREADGROUP GROUP g c COUNT 3 STREAMS s >", Any()), ("XACK s g 1-1", 1),
        ("XDELEX s ACKED IDS 3 1-1 1-2 1-4", [1, 2, 2]), ("XDELEX s IDS 2 1-2 9-9", [1, -1]),
        ("XPENDING s g", [2, "1-2", "1-3", [["c", "2"]]]), ("XDELEX s KEEPREF IDS 1 1-4", [1]),
        ("XDELEX s DELREF IDS 1 1-3", [1]), ("XPENDING s g", [1, "1-2", "1-2", [["c", "1"]]]), all_of(5),
        ("XDELEX s DELREF IDS 1 1-2", [-1]), ("XPENDING s g", [0, None, None, NIL_ARRAY]),
        ("XDELEX none IDS 2 1-1 x", [-1, -1]),
    ], since=REFS),
    "XDELEX, wrong": Case([
        *adds(1), ("XDELEX s IDS 2 1-1", Error("ERR The `numids` parameter must match the number of arguments")),
        ("XDELEX s IDS 0 1-1", Error("ERR Number of IDs must be a positive integer")),
        ("XDELEX s IDS x 1-1", Error("ERR Number of IDs must be a positive integer")), ("XDELEX s IDS 1 x", BAD_ID),
        ("XDELEX s KEEPREF DELREF IDS 1 1-1", SYNTAX), ("XDELEX s FOO IDS 1 1-1", SYNTAX),
        ("XDELEX s 1 1-1 1-1", SYNTAX), ("XDELEX s IDS 1", wrong_args("xdelex")), ("SET k v", OK),
        ("XDELEX k FOO IDS 1 x", WRONGTYPE), all_of(1),
    ], since=REFS),
    "Trimming with regard to groups": Case([
        *adds(6), ("XGROUP CREATE s g 0", OK), ("XREADGROUP GROUP g c COUNT 4 STREAMS s >", Any()),
        ("XACK s g 1-1 1-3", 2), ("XTRIM s MAXLEN 5 ACKED", 1), ("XTRIM s MAXLEN 0 ACKED", 1), all_of(2, 4, 5, 6),
        ("XADD s ACKED MINID 1-9 1-7 f v", "1-7"), all_of(2, 4, 5, 6, 7), ("XTRIM s KEEPREF MINID 1-4", 1),
        ("XPENDING s g", [2, "1-2", "1-4", [["c", "2"]]]), ("XTRIM s MINID 1-6 DELREF", 2),
        ("XPENDING s g", [1, "1-2", "1-2", [["c", "1"]]]), ("XADD s DELREF MAXLEN 1 1-8 f v", "1-8"), all_of(8),
        ("XADD s ACKED DELREF * f v", BAD_ID), ("XTRIM s ACKED DELREF MAXLEN 1", SYNTAX),
    ], since=REFS),
    "Trimming by nodes with regard to groups": Case([
        ("CONFIG SET stream-node-max-entries 3", OK), *adds(10), ("XGROUP CREATE s g 0", OK),
        ("XREADGROUP GROUP g c COUNT 8 STREAMS s >", Any()), ("XACK s g 1-1 1-2 1-4 1-5 1-6 1-8", 6),
        ("XTRIM s MAXLEN ~ 8 ACKED", 0), ("XTRIM s MAXLEN ~ 7 ACKED", 2), all_of(*range(3, 11)),
        ("XTRIM s MINID ~ 1-8 ACKED", 3), all_of(3, 7, 8, 9, 10), ("XTRIM s MINID ~ 2 ACKED LIMIT 1", 0),
        ("XTRIM s MINID ~ 2 ACKED", 1), all_of(3, 7, 9, 10), ("XTRIM s MAXLEN ~ 3 DELREF", 1), all_of(7, 9, 10),
        ("XPENDING s g", [1, "1-7", "1-7", [["c", "1"]]]),
    ], peer="Redis 8.2 trims nothing then"),
}


def test_rows(row_case):
    row_case.check()


# --- what is propagated; see tests.effect_rows ----------------------------------------

FIVE = " | ".join(f"XADD s 1-{number} f v" for number in range(1, 6))
LIMIT_STAYS = "Redis leaves LIMIT there"
EFFECTS = {
    "XADD": ("", "XADD s 1-1 f v g w", "XADD s 1-1 f v g w"),
    "XADD in part": (FIVE, "XADD s 1-* f v", "XADD s 1-6 f v"),
    "XADD by the clock": ("XADD s 18446744073709551614-5 f v", "XADD s * f v", "XADD s 18446744073709551614-6 f v"),
    "XADD refused": (FIVE, "XADD s 1-1 f v | XADD none NOMKSTREAM * f v", ""),
    "XADD exactly": (FIVE, "XADD s MAXLEN = 2 1-6 f v", "XADD s MAXLEN = 2 1-6 f v"),
    "XADD about": (FIVE, "XADD s MAXLEN ~ 2 1-6 f v | XADD s NOMKSTREAM MINID ~ 1-4 1-* f v",
                   "XADD s MAXLEN = 6 1-6 f v | XADD s NOMKSTREAM MINID = 1-1 1-7 f v"),
    "XADD about, limited": (FIVE, "XADD s MAXLEN ~ 2 LIMIT 3 1-6 f v", "XADD s MAXLEN = 6 1-6 f v", LIMIT_STAYS),
    "XTRIM": (FIVE, "XTRIM s MAXLEN 3 | XTRIM s MAXLEN 3 | XTRIM s MINID 1-4", "XTRIM s MAXLEN 3 | XTRIM s MINID 1-4"),
    "XTRIM about": (FIVE, "XTRIM s MAXLEN ~ 3 | XTRIM s MAXLEN ~ 0", "XTRIM s MAXLEN = 0"),
    "XDEL": (FIVE, "XDEL s 1-1 7-7 | XDEL s 7-7", "XDEL s 1-1 7-7"),
    "XSETID": (FIVE, "XSETID s 9-9 ENTRIESADDED 9", "XSETID s 9-9 ENTRIESADDED 9"),
    "XDELEX": (FIVE, "XDELEX s DELREF IDS 2 1-1 1-2 | XDELEX s IDS 1 1-1", "XDELEX s DELREF IDS 2 1-1 1-2"),
}


def test_effects(effect):
    effect.check()


def test_what_a_trim_by_nodes_leaves_is_propagated(local):
    """What is kept for groups does not count as trimmed: the threshold is the place where the trim stopped."""
    client = local.client()
    client.call("CONFIG", "SET", "stream-node-max-entries", "3")
    for number in range(1, 11):
        client.call("XADD", "s", f"1-{number}", "f", "v")
    client.call("XGROUP", "CREATE", "s", "g", "0")
    client.call("XREADGROUP", "GROUP", "g", "c", "STREAMS", "s", ">")
    client.call("XACK", "s", "g", "1-1", "1-2", "1-5")
    local.notes.take()
    assert client.call("XTRIM", "s", "MINID", "~", "1-9", "ACKED") == 3
    assert client.call("XTRIM", "s", "MAXLEN", "~", "0", "LIMIT", "3", "DELREF") == 3
    assert [argv for _, argv in local.notes.take()] == [
        b"XTRIM s MINID = 1-7 ACKED".split(), b"XTRIM s MAXLEN = 4 DELREF".split()]


@pytest.mark.parametrize("size", [1, 100])
def test_ids_follow_the_clock(local, size):
    client = local.client()
    first = client.call("XADD", "s", "*", "f", "v")
    for number in range(1, size):
        assert client.call("XADD", "s", "*", "f", "v") == first.partition(b"-")[0] + b"-%d" % number
    local.advance(5)
    ms = int(first.partition(b"-")[0])
    assert client.call("XADD", "s", "*", "f", "v") == b"%d-0" % (ms + 5)
