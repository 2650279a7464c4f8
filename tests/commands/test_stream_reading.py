"""XREAD and XREADGROUP: what they reply, how they wait, and what they propagate."""
import pytest

from tests.commands.test_stream_groups import NEWER, given, group, pending
from tests.commands.test_streams import BAD_ID, adds, entries
from tests.resp import Error
from tests.rows import (
    BLOCKS,
    CLOSED,
    NIL_ARRAY,
    NOT_INTEGER,
    NOTHING,
    OK,
    PONG,
    QUEUED,
    R3,
    SYNTAX,
    UNBLOCKED,
    WRONGTYPE,
    Advance,
    Any,
    Case,
    Holding,
    Save,
    wrong_args,
)

# Redis 7.0 words it in another way.
NO_GROUP = Error("NOGROUP No such key 's' or consumer group 'g' in XREADGROUP with GROUP option")
HIGHEST = "18446744073709551615-18446744073709551615"


def found(*numbers, **others):
    """What is replied of the stream s, and of others."""
    pairs = {"s": entries(*numbers)} if numbers else {}
    pairs |= {key: entries(*numbers) for key, numbers in others.items()}
    return R3([[key, rows] for key, rows in pairs.items()], {key.encode(): rows for key, rows in pairs.items()})


EMPTY = R3([["s", []]], {b"s": []})


def waiting(count):
    """The row that checks how many clients wait."""
    return ("INFO clients", Holding(f"\r\nblocked_clients:{count}\r\n"))


CASES = {
    # --- XREAD ---
    "XREAD": [
        *adds(3), *adds(2, key="t"), ("XREAD STREAMS s 0", found(1, 2, 3)), ("XREAD STREAMS s 1-1", found(2, 3)),
        ("XREAD COUNT 1 STREAMS s 1", found(1)), ("XREAD COUNT 2 STREAMS s t 1-2 0-0", found(3, t=(1, 2))),
        ("XREAD STREAMS s t 1-3 1-1", found(t=(2,))), ("XREAD STREAMS s none 1-1 0", found(2, 3)),
        ("XREAD STREAMS s 1-3", NIL_ARRAY), ("XREAD STREAMS none 0", NIL_ARRAY), ("XREAD STREAMS s $", NIL_ARRAY),
        ("XREAD COUNT 0 STREAMS s 0", found(1, 2, 3)), ("XREAD COUNT -1 STREAMS s 0", found(1, 2, 3)),
        (f"XREAD STREAMS s {HIGHEST}", NIL_ARRAY), ("XREAD count 1 COUNT 2 streams s 0", found(1, 2)),
        ("XREAD STREAMS s s 1-2 0", R3([["s", entries(3)], ["s", entries(1, 2, 3)]], Any())),
        ("XDEL s 1-3", 1), ("XREAD STREAMS s 1-2", NIL_ARRAY), ("XREAD BLOCK 1 STREAMS s 1-2", NIL_ARRAY),
    ],
    "XREAD of the last entry": Case([
        *adds(3), ("XREAD STREAMS s +", found(3)), ("XREAD COUNT 9 STREAMS none s + +", found(3)),
        ("XREAD STREAMS none +", NIL_ARRAY), ("XDEL s 1-3", 1), ("XREAD STREAMS s +", found(2)),
        ("XTRIM s MAXLEN 0", 2),
        ("XREAD STREAMS s +", NIL_ARRAY), ("@2 XREAD BLOCK 0 STREAMS s +", BLOCKS), *adds(1, first=4),
        ("@2 <", found(4)),
    ], since="8.2"),
    "XREAD, wrong": [
        ("XREAD STREAMS s", wrong_args("xread")), ("XREAD COUNT 1 FOO s 0", SYNTAX),
        ("XREAD COUNT 3 BLOCK 1 STREAMS", SYNTAX),
        ("XREAD GROUP g c STREAMS s 0",
         Error("ERR The GROUP option is only supported by XREADGROUP. You called XREAD instead.")),
        ("XREAD NOACK STREAMS s 0",
         Error("ERR The NOACK option is only supported by XREADGROUP. You called XREAD instead.")),
        ("XREAD STREAMS s >", Error("ERR The > ID can be specified only when calling XREADGROUP using the GROUP "
                                    "<group> <consumer> option.")),
        ("XREAD STREAMS s -", BAD_ID), ("XREAD STREAMS s x", BAD_ID), ("XREAD COUNT x STREAMS s 0", NOT_INTEGER),
        ("XREAD BLOCK x STREAMS s 0", Error("ERR timeout is not an integer or out of range")),
        ("XREAD BLOCK -1 STREAMS s 0", Error("ERR timeout is negative")), ("SET k v", OK),
        ("XREAD STREAMS k 0", WRONGTYPE),
        ("XREAD STREAMS s k x 0", BAD_ID), ("XREAD STREAMS k s 0 x", WRONGTYPE),
    ],
    "XREAD, not a pair for each": Case([
        ("XREAD STREAMS s t 0",
         Error("ERR Unbalanced 'xread' list of streams: for each stream key an ID or '$' must be specified.")),
    ], since="valkey 9.1"),
    "XREADGROUP, not a pair for each": Case([
        ("XREADGROUP GROUP g c STREAMS s t 0",
         Error("ERR Unbalanced 'xreadgroup' list of streams: for each stream key an ID or '>' must be specified.")),
    ], since=NEWER),
    # --- MAXCOUNT and MAXSIZE: of all streams together ---
    "XREAD MAXCOUNT": Case([
        *adds(3), *adds(3, key="t"), ("XREAD MAXCOUNT 4 STREAMS s t 0 0", found(1, 2, 3, t=(1,))),
        ("XREAD COUNT 2 MAXCOUNT 3 STREAMS s t 0 0", found(1, 2, t=(1,))),
        ("XREAD COUNT 2 MAXCOUNT 9 STREAMS s t 0 0", found(1, 2, t=(1, 2))),
        ("XREAD MAXCOUNT 2 STREAMS s t 0 0", found(1, 2)), ("XREAD MAXCOUNT 3 STREAMS none s t 0 0 0", found(1, 2, 3)),
        ("XREAD COUNT 0 MAXCOUNT 1 STREAMS t s + +", R3([["t", entries(3)]], {b"t": entries(3)})),
        ("XREAD MAXCOUNT 1 STREAMS s t 1-3 1-3", NIL_ARRAY),
        ("XREAD maxcount 9223372036854775807 maxsize 9223372036854775807 STREAMS s 0", found(1, 2, 3)),
    ], since="8.10"),
    # An entry of adds() has 31 bytes in a reply, the name of its stream 7.
    "XREAD MAXSIZE": Case([
        *adds(3), *adds(3, key="t"), ("XREAD MAXSIZE 1 STREAMS s t 0 0", found(1)),
        ("XREAD MAXSIZE 64 STREAMS s t 0 0", found(1)), ("XREAD MAXSIZE 80 STREAMS s t 0 0", found(1, 2)),
        ("XREAD COUNT 1 MAXSIZE 1 STREAMS s t 0 0", found(1)), ("XREAD COUNT 1 MAXSIZE 200 STREAMS s t 0 0",
                                                               found(1, t=(1,))),
        ("XREAD MAXCOUNT 2 MAXSIZE 1000 STREAMS s t 0 0", found(1, 2)),
        ("XREAD MAXCOUNT 3 MAXSIZE 50 STREAMS s t 0 0", found(1)),
        ("XREAD MAXSIZE 10000 STREAMS s t 1-2 1-2", found(3, t=(3,))), ("XREAD MAXSIZE 1 STREAMS s 1-3", NIL_ARRAY),
        (("XADD", "big", "1-1", "f", "x" * 5000), "1-1"),
        ("XREAD MAXSIZE 50 STREAMS big s 0 0", R3([["big", [["1-1", ["f", "x" * 5000]]]]],
                                                  {b"big": [["1-1", ["f", "x" * 5000]]]})),
        ("XREAD MAXSIZE 5000 STREAMS s big 0 0", found(1, 2, 3)),
    ], since="8.10"),
    "MAXCOUNT and MAXSIZE hold for those who waited": Case([
        ("@2 XREAD BLOCK 0 MAXCOUNT 1 STREAMS s t $ $", BLOCKS), ("@3 XREAD BLOCK 0 MAXSIZE 1 STREAMS t s $ $", BLOCKS),
        ("MULTI", OK), ("XADD s 1-1 f 1", QUEUED), ("XADD t 1-1 f 1", QUEUED), ("EXEC", ["1-1", "1-1"]),
        ("@2 <", R3([["s", [["1-1", ["f", "1"]]]]], {b"s": [["1-1", ["f", "1"]]]})),
        ("@3 <", R3([["t", [["1-1", ["f", "1"]]]]], {b"t": [["1-1", ["f", "1"]]]})),
    ], since="8.10"),
    "XREADGROUP MAXCOUNT": Case([
        *adds(3), *adds(3, key="t"), ("XGROUP CREATE s g 0", OK), ("XGROUP CREATE t g 0", OK),
        ("XREADGROUP GROUP g c MAXCOUNT 4 STREAMS s t > >", found(1, 2, 3, t=(1,))),
        pending((1, "c", 1), (2, "c", 1), (3, "c", 1)), ("XPENDING t g", [1, "1-1", "1-1", [["c", "1"]]]),
        ("XREADGROUP GROUP g c COUNT 2 MAXCOUNT 3 STREAMS s t 0 0", found(1, 2, t=(1,))),
        ("XREADGROUP GROUP g c MAXCOUNT 3 STREAMS s t 0 0", found(1, 2, 3)),
        ("XREADGROUP GROUP g c MAXCOUNT 9 STREAMS s t 1-3 0", R3([["s", []], ["t", entries(1)]],
                                                                {b"s": [], b"t": entries(1)})),
        ("XREADGROUP GROUP g c MAXCOUNT 9 STREAMS s t > >", found(t=(2, 3))),
        ("XREADGROUP GROUP g c MAXCOUNT 9 STREAMS s t > >", NIL_ARRAY),
    ], since="8.10"),
    "XREADGROUP MAXSIZE": Case([
        *adds(3), *adds(1, key="t"), ("XGROUP CREATE s g 0", OK), ("XGROUP CREATE t g 0", OK),
        ("XREADGROUP GROUP g c MAXSIZE 1 STREAMS s t > >", found(1)), pending((1, "c", 1)),
        ("XINFO GROUPS s", [group(consumers=1, pending=1, last_delivered_id="1-1", entries_read=1, lag=2)]),
        ("XINFO GROUPS t", [group(consumers=0, pending=0, last_delivered_id="0-0", entries_read=None, lag=1)]),
        ("XREADGROUP GROUP g c MAXSIZE 110 STREAMS s t > >", found(2, 3)),
        ("XREADGROUP GROUP g c NOACK MAXSIZE 100 STREAMS s t > >", found(t=(1,))),
        ("XREADGROUP GROUP g c MAXSIZE 1 STREAMS s t 0 0", found(1)), pending((1, "c", 2), (2, "c", 1), (3, "c", 1)),
        ("XREADGROUP GROUP g c MAXSIZE 1 STREAMS s s 0 1-1", R3([["s", entries(1)]], {b"s": entries(1)})),
    ], since="8.10"),
    "XREADGROUP CLAIM with MAXCOUNT and MAXSIZE": Case([
        *given("c", "c"), *adds(1, first=3), Advance(5),
        ("XREADGROUP GROUP g d MAXSIZE 1 CLAIM 0 STREAMS s >", R3([["s", [[*entries(1)[0], Any(int), 1]]]], Any())),
        pending((1, "d", 2), (2, "c", 1)),
        ("XREADGROUP GROUP g d MAXCOUNT 3 CLAIM 0 STREAMS s >", R3([["s", [
            [*entries(2)[0], Any(int), 1], [*entries(1)[0], Any(int), 2], [*entries(3)[0], 0, 0]]]], Any())),
        ("XREADGROUP GROUP g e MAXCOUNT 1 CLAIM 0 STREAMS s >", R3([["s", [[Any(), Any(), Any(int), Any(int)]]]],
                                                                   Any())),
    ], since="8.10"),
    "MAXCOUNT and MAXSIZE, wrong": Case([
        *given("c"), ("XREAD MAXCOUNT 0 STREAMS s 0", Error("ERR MAXCOUNT must be a positive integer")),
        ("XREAD MAXCOUNT -1 STREAMS s 0", Error("ERR MAXCOUNT must be a positive integer")),
        ("XREAD MAXCOUNT x STREAMS s 0", Error("ERR MAXCOUNT must be a positive integer")),
        ("XREAD MAXSIZE 0 STREAMS s 0", Error("ERR MAXSIZE must be a positive integer")),
        ("XREADGROUP GROUP g c MAXSIZE 1.5 STREAMS s >", Error("ERR MAXSIZE must be a positive integer")),
        ("XREAD COUNT 3 MAXCOUNT 2 STREAMS s 0", Error("ERR MAXCOUNT must be greater than or equal to COUNT")),
        ("XREADGROUP GROUP g c MAXCOUNT 2 COUNT 3 STREAMS s >",
         Error("ERR MAXCOUNT must be greater than or equal to COUNT")),
        ("XREAD COUNT 2 MAXCOUNT 2 STREAMS s 0", found(1)), ("XREAD STREAMS s 0 MAXCOUNT", Any()),
        ("XREAD BLOCK 1 COUNT 1 MAXSIZE", SYNTAX),
    ], since="8.10"),
    # --- XREADGROUP ---
    "XREADGROUP": [
        *adds(4), ("XGROUP CREATE s g 0", OK), ("XREADGROUP GROUP g c COUNT 2 STREAMS s >", found(1, 2)),
        ("XREADGROUP GROUP g d STREAMS s >", found(3, 4)), ("XREADGROUP GROUP g d STREAMS s >", NIL_ARRAY),
        pending((1, "c", 1), (2, "c", 1), (3, "d", 1), (4, "d", 1)), *adds(1, first=5),
        ("XREADGROUP GROUP g e NOACK STREAMS s >", found(5)), ("XREADGROUP GROUP g e STREAMS s 0", EMPTY),
        ("XINFO GROUPS s", [group(consumers=3, pending=4, last_delivered_id="1-5", entries_read=5)]),
    ],
    "XREADGROUP of history": [
        *given("c", "d", "c", "c"), ("XREADGROUP GROUP g c STREAMS s 0", found(1, 3, 4)),
        ("XREADGROUP GROUP g c STREAMS s 1-1", found(3, 4)), ("XREADGROUP GROUP g c COUNT 1 STREAMS s 1-2", found(3)),
        ("XREADGROUP GROUP g c STREAMS s 1-4", EMPTY), ("XREADGROUP GROUP g x STREAMS s 0", EMPTY),
        pending((1, "c", 2), (2, "d", 1), (3, "c", 4), (4, "c", 3)), ("XDEL s 1-3", 1),
        ("XREADGROUP GROUP g c BLOCK 0 STREAMS s 1-1",
         R3([["s", [["1-3", NIL_ARRAY], *entries(4)]]], {b"s": [["1-3", None], *entries(4)]})),
        pending((1, "c", 2), (2, "d", 1), (3, "c", 4), (4, "c", 4)),
        ("XREADGROUP GROUP g c NOACK STREAMS s 1-3", found(4)),
    ],
    "XREADGROUP of what is pending for others": [
        *given("c", "c"), ("XGROUP SETID s g 0", OK), ("XREADGROUP GROUP g d COUNT 1 STREAMS s >", found(1)),
        pending((1, "d", 1), (2, "c", 1)), ("XREADGROUP GROUP g d NOACK STREAMS s >", found(2)),
        pending((1, "d", 1), (2, "c", 1)),
    ],
    "XREADGROUP of several streams": [
        *adds(2), *adds(2, key="t"), ("XGROUP CREATE s g 0", OK), ("XGROUP CREATE t g 1-1", OK),
        ("XREADGROUP GROUP g c STREAMS s t > >", found(1, 2, t=(2,))),
        ("XREADGROUP GROUP g c STREAMS s t > 0", found(t=(2,))),
        ("XREADGROUP GROUP g c STREAMS t s 0 >", found(t=(2,))),
        ("XPENDING t g", [1, "1-2", "1-2", [["c", "1"]]]),
    ],
    "XREADGROUP, wrong": [
        *adds(1), ("XREADGROUP GROUP g c STREAMS s >", NO_GROUP), ("XGROUP CREATE s g 0", OK),
        ("XREADGROUP GROUP g c STREAMS s none > >",
         Error("NOGROUP No such key 'none' or consumer group 'g' in XREADGROUP with GROUP option")),
        ("XREADGROUP GROUP g c STREAMS s $", Error(
            "ERR The $ ID is meaningless in the context of XREADGROUP: you want to read the history of this consumer "
            "by specifying a proper ID, or use the > ID to get new messages. The $ ID would just return an empty "
            "result set.")),
        ("XREADGROUP NOACK COUNT 1 STREAMS s > x y", Error("ERR Missing GROUP option for XREADGROUP")),
        ("XREADGROUP GROUP g c BLOCK 1 COUNT 3", SYNTAX), ("XREADGROUP GROUP g c STREAMS s x", BAD_ID),
        ("XREADGROUP GROUP g c s > >", SYNTAX), ("XREADGROUP GROUP g c STREAMS s", wrong_args("xreadgroup")),
        ("SET k v", OK), ("XREADGROUP GROUP g c STREAMS k >", WRONGTYPE), ("XPENDING s g", [0, None, None, NIL_ARRAY]),
    ],
    "XREADGROUP has no last entry": Case([
        *given("c"), ("XREADGROUP GROUP g c STREAMS s +", Error(
            "ERR The + ID is meaningless in the context of XREADGROUP: you want to read the history of this consumer "
            "by specifying a proper ID, or use the > ID to get new messages. The + ID would just return an empty "
            "result set.")),
    ], since=NEWER),
    # --- waiting ---
    "XREAD waits": [
        ("@2 XREAD BLOCK 0 STREAMS s $", BLOCKS), waiting(1), *adds(1), ("@2 <", found(1)), waiting(0),
        ("@2 XREAD BLOCK 0 STREAMS s $", BLOCKS), *adds(1, first=2), ("@2 <", found(2)), *adds(1, first=3),
        ("@2 XREAD BLOCK 0 STREAMS s 1-1", found(2, 3)), ("@2 XREAD BLOCK 0 COUNT 1 STREAMS none s 0 1-5", BLOCKS),
        *adds(1, first=4), ("XADD s 1-9 f v", "1-9"), ("@2 <", found(9)), ("@2 PING", PONG),
    ],
    "XREAD keeps the id that $ stands for": [
        *adds(2), ("@2 XREAD BLOCK 0 STREAMS s $", BLOCKS), ("XDEL s 1-2", 1), ("MULTI", OK),
        ("XADD s 1-3 f v", QUEUED),
        ("XADD s 1-4 f v", QUEUED), ("EXEC", ["1-3", "1-4"]), ("@2 <", found(3, 4)),
    ],
    "XREAD goes on when the key is made anew": [
        *adds(3), ("@2 XREAD BLOCK 0 STREAMS s 1-3", BLOCKS), ("DEL s", 1), *adds(1), waiting(1),
        ("XADD s 1-4 f v", "1-4"),
        ("@2 <", found(4)),
    ],
    "XREAD waits for several keys": [
        ("@2 XREAD BLOCK 0 STREAMS s t u $ $ $", BLOCKS), *adds(1, key="t"), ("@2 <", found(t=(1,))),
        ("@2 XREAD BLOCK 0 STREAMS s t s $ 0-0 0", found(t=(1,))),
    ],
    "XREAD waits for a key twice": Case([
        ("@2 XREAD BLOCK 0 STREAMS s s $ 0", BLOCKS), *adds(1),
        ("@2 <", R3([["s", entries(1)], ["s", entries(1)]], Any())),
    ], since=NEWER),
    "XREAD does not mind other types": [
        ("@2 XREAD BLOCK 0 STREAMS s $", BLOCKS), ("SET s v", OK), ("DEL s", 1), ("LPUSH s a", 1), ("DEL s", 1),
        waiting(1),
        *adds(1), ("@2 <", found(1)),
    ],
    "All who wait are served": [
        ("@2 XREAD BLOCK 0 STREAMS s $", BLOCKS), ("@3 XREAD BLOCK 0 STREAMS s 0", BLOCKS),
        ("@4 XREAD BLOCK 0 COUNT 1 STREAMS s $", BLOCKS), *adds(1), ("@2 <", found(1)), ("@3 <", found(1)),
        ("@4 <", found(1)), waiting(0),
    ],
    "A wait ends": [
        ("@2 XREAD BLOCK 20 STREAMS s $", BLOCKS), Advance(30), ("@2 <", NIL_ARRAY), ("@2 CLIENT ID", Save("id")),
        ("@2 XREAD BLOCK 0 STREAMS s $", BLOCKS), ("CLIENT UNBLOCK $id", 1), ("@2 <", NIL_ARRAY),
        ("@2 XREAD BLOCK 0 STREAMS s $", BLOCKS), ("CLIENT UNBLOCK $id ERROR", 1), ("@2 <", UNBLOCKED),
        ("@2 XREAD BLOCK 0 STREAMS s $", BLOCKS), ("CLIENT KILL ID $id", 1), ("@2 <", CLOSED), *adds(1), waiting(0),
    ],
    "Nothing waits in a transaction": [
        *adds(1), ("XGROUP CREATE s g $", OK), ("MULTI", OK), ("XREAD BLOCK 0 STREAMS s $", QUEUED),
        ("XREADGROUP GROUP g c BLOCK 0 STREAMS s >", QUEUED), ("XREAD BLOCK 0 STREAMS s 0", QUEUED),
        ("EXEC", [NIL_ARRAY, NIL_ARRAY, found(1)]),
    ],
    "Nothing waits in a script": Case([
        ("EVAL \"return redis.call('XREAD', 'BLOCK', '0', 'STREAMS', KEYS[1], '$')\" 1 s", None),
    ], since=NEWER),
    "Readers who ask the same, and others in between": [
        *adds(1), ("@2 XREAD BLOCK 0 STREAMS s $", BLOCKS), ("@3 XREAD BLOCK 0 STREAMS s 1-1", BLOCKS),
        ("@4 XREAD COUNT 1 BLOCK 0 STREAMS s 1-1", BLOCKS), ("@5 XREAD BLOCK 0 STREAMS s 1-2", BLOCKS),
        ("@6 XREAD BLOCK 0 STREAMS s 1-1", BLOCKS), ("XDEL s 1-1", 1), waiting(5),
        ("MULTI", OK), ("XADD s 1-2 f v", QUEUED), ("XADD s 1-3 f v", QUEUED), ("EXEC", ["1-2", "1-3"]),
        ("@2 <", found(2, 3)), ("@3 <", found(2, 3)), ("@4 <", found(2)), ("@5 <", found(3)), ("@6 <", found(2, 3)),
        waiting(0),
    ],
    "XREADGROUP waits": [
        ("XGROUP CREATE s g $ MKSTREAM", OK), ("@2 XREADGROUP GROUP g c BLOCK 0 STREAMS s >", BLOCKS),
        ("@3 XREADGROUP GROUP g d BLOCK 0 STREAMS s >", BLOCKS), *adds(1), ("@2 <", found(1)), waiting(1),
        *adds(1, first=2),
        ("@3 <", found(2)), pending((1, "c", 1), (2, "d", 1)),
        ("XINFO GROUPS s", [group(consumers=2, pending=2, last_delivered_id="1-2", entries_read=2)]),
        ("@2 XREADGROUP GROUP g c NOACK BLOCK 0 STREAMS s >", BLOCKS), *adds(1, first=3), ("@2 <", found(3)),
        ("XPENDING s g", [2, "1-1", "1-2", [["c", "1"], ["d", "1"]]]),
        ("@2 XREADGROUP GROUP g c BLOCK 10 STREAMS s >", BLOCKS), Advance(20), ("@2 <", NIL_ARRAY),
    ],
    "Groups beside each other": [
        ("XGROUP CREATE s g $ MKSTREAM", OK), ("XGROUP CREATE s h $", OK),
        ("@2 XREADGROUP GROUP g c BLOCK 0 STREAMS s >", BLOCKS),
        ("@3 XREADGROUP GROUP h c BLOCK 0 STREAMS s >", BLOCKS),
        ("@4 XREAD BLOCK 0 STREAMS s $", BLOCKS), *adds(1), ("@2 <", found(1)), ("@3 <", found(1)), ("@4 <", found(1)),
    ],
    "A group goes": Case([
        ("XGROUP CREATE s g $ MKSTREAM", OK), ("@2 XREADGROUP GROUP g c BLOCK 0 STREAMS s >", BLOCKS),
        ("@3 XREAD BLOCK 0 STREAMS s $", BLOCKS), ("XGROUP DESTROY s g", 1), ("@2 <", NO_GROUP), waiting(1), *adds(1),
        ("@3 <", found(1)),
    ], since=NEWER),
    "A key goes": Case([
        *[row for end, replies in (("DEL s", 1), ("RENAME s t", OK), ("PEXPIRE s -1", 1), ("FLUSHDB", OK)) for row in (
            ("XGROUP CREATE s g $ MKSTREAM", OK), ("@2 XREADGROUP GROUP g c BLOCK 0 STREAMS s >", BLOCKS),
            (end, replies), ("@2 <", NO_GROUP))], waiting(0),
    ], since=NEWER),
    "A key expires": Case([
        ("XGROUP CREATE s g $ MKSTREAM", OK), ("@2 XREADGROUP GROUP g c BLOCK 0 STREAMS s >", BLOCKS),
        ("PEXPIRE s 20", 1), Advance(120), ("@2 <", NO_GROUP),
    ], since=NEWER),
    "A key becomes another": Case([
        ("XGROUP CREATE s g $ MKSTREAM", OK), ("@2 XREADGROUP GROUP g c BLOCK 0 STREAMS s >", BLOCKS), ("SET s v", OK),
        ("@2 <", WRONGTYPE), ("DEL s", 1), ("XGROUP CREATE s g $ MKSTREAM", OK),
        ("@2 XREADGROUP GROUP g c BLOCK 0 STREAMS s >", BLOCKS), ("MULTI", OK), ("DEL s", QUEUED),
        ("XGROUP CREATE s g $ MKSTREAM", QUEUED), ("XADD s 1-1 f v", QUEUED), ("EXEC", [1, OK, "1-1"]),
        ("@2 <", found(1)),
    ], since=NEWER),
    "A waiting client sends on": [
        ("@2 XREAD BLOCK 0 STREAMS s $", BLOCKS), ("@2 PING", NOTHING), *adds(1), ("@2 <", found(1)), ("@2 <", PONG),
    ],
}


def test_rows(row_case):
    row_case.check()


# --- what is propagated; see tests.effect_rows ----------------------------------------

TWO = "XADD s 1-1 f v | XADD s 1-2 f v | XGROUP CREATE s g 0"
WITHOUT_POSITION = "Redis 7.0 does not propagate how many entries were read"
EFFECTS = {
    "XREADGROUP": (TWO, "XREADGROUP GROUP g c STREAMS s > | XREADGROUP GROUP g c STREAMS s >",
                   "MULTI | XCLAIM s g c 0 1-1 TIME T+0 RETRYCOUNT 1 FORCE JUSTID LASTID 1-1 |"
                   "XCLAIM s g c 0 1-2 TIME T+0 RETRYCOUNT 1 FORCE JUSTID LASTID 1-2 |"
                   "XGROUP SETID s g 1-2 ENTRIESREAD 2 | EXEC", WITHOUT_POSITION),
    "XREADGROUP NOACK": (TWO, "XREADGROUP GROUP g c NOACK STREAMS s >",
                         "MULTI | XGROUP CREATECONSUMER s g c | XGROUP SETID s g 1-2 ENTRIESREAD 2 | EXEC"),
    "XREADGROUP of history": (f"{TWO} | XREADGROUP GROUP g c STREAMS s >", "XREADGROUP GROUP g c STREAMS s 0", ""),
    "XREADGROUP of nothing": ("XGROUP CREATE s g 0 MKSTREAM", "XREADGROUP GROUP g c STREAMS s > |"
                              "XREADGROUP GROUP g d STREAMS s 0", "XGROUP CREATECONSUMER s g c |"
                              "XGROUP CREATECONSUMER s g d", "Redis does not propagate a consumer that got nothing"),
    "XREAD": (TWO, "XREAD STREAMS s 0", ""),
    "XREADGROUP MAXSIZE": (TWO, "XREADGROUP GROUP g c MAXSIZE 1 STREAMS s >",
                           "MULTI | XCLAIM s g c 0 1-1 TIME T+0 RETRYCOUNT 1 FORCE JUSTID LASTID 1-1 |"
                           "XGROUP SETID s g 1-1 ENTRIESREAD 1 | EXEC"),
    "XREADGROUP MAXCOUNT": (f"{TWO} | XGROUP CREATE t g 0 MKSTREAM | XADD t 1-1 f v",
                            "XREADGROUP GROUP g c MAXCOUNT 2 STREAMS s t > >",
                            "MULTI | XCLAIM s g c 0 1-1 TIME T+0 RETRYCOUNT 1 FORCE JUSTID LASTID 1-1 |"
                            "XCLAIM s g c 0 1-2 TIME T+0 RETRYCOUNT 1 FORCE JUSTID LASTID 1-2 |"
                            "XGROUP SETID s g 1-2 ENTRIESREAD 2 | EXEC"),
}


def test_effects(effect):
    effect.check()


def test_what_a_waiting_reader_does_is_propagated(local):
    client, reader = local.client(), local.client()
    client.call("XGROUP", "CREATE", "s", "g", "0", "MKSTREAM")
    local.notes.take()
    reader.send("XREADGROUP", "GROUP", "g", "c", "BLOCK", "0", "STREAMS", "s", ">")
    assert [argv for _, argv in local.notes.take()] == [b"XGROUP CREATECONSUMER s g c".split()]
    client.call("XADD", "s", "1-1", "f", "v")
    assert reader.read() == [[b"s", [[b"1-1", [b"f", b"v"]]]]]
    taken = [argv for _, argv in local.notes.take() if argv not in ([b"MULTI"], [b"EXEC"])]
    assert [argv[:2] for argv in taken] == [[b"XADD", b"s"], [b"XCLAIM", b"s"], [b"XGROUP", b"SETID"]]
    client.call("SET", "k", "v")
    assert [argv for _, argv in local.notes.take()] == [[b"SET", b"k", b"v"]]


@pytest.mark.parametrize("readers", [1, 50])
def test_many_readers_wait_for_one_stream(local, readers):
    client = local.client()
    waiting = [local.client() for _ in range(readers)]
    third = local.client()
    third.call("HELLO", "3")
    for reader in (*waiting[1:], third, waiting[0]):
        reader.send("XREAD", "BLOCK", "0", "STREAMS", "s", "$")
    for _ in range(3):
        client.call("XADD", "other", "*", "f", "v")
    client.call("XADD", "s", "1-1", "f", "v")
    assert [reader.read() for reader in waiting] == [[[b"s", [[b"1-1", [b"f", b"v"]]]]]] * readers
    assert third.read() == {b"s": [[b"1-1", [b"f", b"v"]]]}
    calls = client.call("INFO", "commandstats").split(b"cmdstat_xread:calls=")[1].split(b",")[0]
    assert int(calls) == readers + 1


def hits(client):
    return int(client.call("INFO", "stats").split(b"keyspace_hits:")[1].split()[0])


def test_an_entry_is_offered_to_one_of_those_who_wait_for_it(local):
    client = local.client()
    for name in "gh":
        client.call("XGROUP", "CREATE", "s", name, "0", "MKSTREAM")
    waiting = [local.client() for _ in range(60)]
    for number, reader in enumerate(waiting):
        reader.send("XREADGROUP", "GROUP", "gh"[number % 2], f"c{number}", "BLOCK", "0", "STREAMS", "s", ">")
    before = hits(client)
    for number in range(1, 4):
        entry = [[b"s", [[b"1-%d" % number, [b"f", b"v"]]]]]
        client.call("XADD", "s", f"1-{number}", "f", "v")
        assert [reader.read() for reader in waiting[:2]] == [entry, entry]
        del waiting[:2]
    assert hits(client) - before < 40
    client.call("XDEL", "s", "1-3")
    client.call("DEL", "s")
    errors = [reader.read() for reader in waiting]
    assert len(errors) == 54 and all(str(error).startswith("NOGROUP") for error in errors)
