"""Hash fields with a TTL: HEXPIRE and its family, HTTL, HPERSIST, HGETEX, HSETEX, HGETDEL, and the other commands.

As Redis 7.4 and 8.0 document them and their own test suite (hash-field-expire.tcl) checks them.
"""
import random

import pytest

from tests.local import NOW_MS, Local, propagated
from tests.rows import (
    NIL_ARRAY,
    NOT_INTEGER,
    OK,
    QUEUED,
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
    fields,
    heard,
    in_each,
    listen,
    wrong_args,
)

LISTEN = listen()
NEGATIVE = Error("ERR invalid expire time, must be >= 0")
NO_FIELDS = Error("ERR Mandatory argument FIELDS is missing or not at the right position")
NUMFIELDS_ZERO = Error("ERR Parameter `numFields` should be greater than 0")
NUMFIELDS_BAD = Error("ERR Number of fields must be a positive integer")
NUMFIELDS_OTHER = Error("ERR The `numfields` parameter must match the number of arguments")
INVALID_NUMBER = Error("ERR invalid number of fields")
ONE_CONDITION = Error("ERR Only one of FXX or FNX arguments can be specified")
ONE_TTL = Error("ERR Only one of EX, PX, EXAT, PXAT or KEEPTTL arguments can be specified")

LATE = "the peer removes fields later than they are due, or does not know field TTLs"
LAST_MS = 2**46 - 1                     # the last time that a field can expire at
FAR = 33177117420
ABC = ("HSET h a 1 b 2 c 3", 3)
LAZY = ("DEBUG SET-ACTIVE-EXPIRE 0", OK)
EAGER = ("DEBUG SET-ACTIVE-EXPIRE 1", OK)


# Each of these runs on a listpack (which becomes a listpackex) and on a hashtable; redis-server knows them since 7.4.
SINCE_7_4 = {
    "HEXPIRE and HTTL": [
        Advance(0), ABC, ("HEXPIRE h 100 FIELDS 1 a", [1]), ("HTTL h FIELDS 3 a b none", [100, -1, -2]),
        ("HPTTL h FIELDS 2 a b", [Between(90_000, 100_000), -1]), ("HEXPIRE h 200 FIELDS 2 a b", [1, 1]),
        ("HTTL h FIELDS 3 a b c", [200, 200, -1]), ("HEXPIRE h 10 FIELDS 2 none a", [-2, 1]), ("HLEN h", 3),
        fields({"a": "1", "b": "2", "c": "3"}), ("TTL h", -1),
    ],
    "HPEXPIRE, HEXPIREAT, HPEXPIREAT, HEXPIRETIME, HPEXPIRETIME": [
        ABC, (f"HEXPIREAT h {FAR} FIELDS 1 a", [1]), ("HEXPIRETIME h FIELDS 3 a b none", [FAR, -1, -2]),
        (f"HPEXPIREAT h {FAR}123 FIELDS 2 b none", [1, -2]), ("HPEXPIRETIME h FIELDS 4 a b c none",
                                                             [FAR * 1000, FAR * 1000 + 123, -1, -2]),
        ("HEXPIRETIME h FIELDS 1 b", [FAR + 1]), ("HPEXPIRE h 100000 FIELDS 1 c", [1]),
        ("HPTTL h FIELDS 1 c", [Between(99000, 100000)]), ("HTTL h FIELDS 1 c", [100]),
    ],
    "A missing key has no fields": [
        ("HEXPIRE h 10 FIELDS 1 a", [-2]), ("HPEXPIRE h 10 FIELDS 2 a b", [-2, -2]),
        ("HEXPIREAT h 10 NX FIELDS 1 a", [-2]),
        ("HPEXPIREAT h 10 FIELDS 2 a b", [-2, -2]), ("HTTL h FIELDS 1 a", [-2]), ("HPTTL h FIELDS 2 a b", [-2, -2]),
        ("HEXPIRETIME h FIELDS 1 a", [-2]), ("HPEXPIRETIME h FIELDS 2 a b", [-2, -2]),
        ("HPERSIST h FIELDS 2 a b", [-2, -2]),
        ("EXISTS h", 0),
    ],
    "HEXPIRE NX and XX": [
        ABC, ("HEXPIRE h 100 XX FIELDS 2 a none", [0, -2]), ("HTTL h FIELDS 1 a", [-1]),
        ("HEXPIRE h 100 NX FIELDS 1 a", [1]),
        ("HEXPIRE h 200 nx FIELDS 2 a b", [0, 1]), ("HTTL h FIELDS 2 a b", [100, 200]),
        ("HEXPIRE h 300 xx FIELDS 3 a b c", [1, 1, 0]), ("HTTL h FIELDS 3 a b c", [300, 300, -1]),
    ],
    "HEXPIRE GT and LT: a field without TTL lives for ever": [
        ABC, (f"HPEXPIREAT h {FAR}500 FIELDS 2 a b", [1, 1]), (f"HPEXPIREAT h {FAR}500 GT FIELDS 3 a b c", [0, 0, 0]),
        (f"HPEXPIREAT h {FAR}501 GT FIELDS 2 a c", [1, 0]), (f"HPEXPIREAT h {FAR}500 LT FIELDS 2 a b", [1, 0]),
        (f"HPEXPIREAT h {FAR}499 LT FIELDS 3 b c none", [1, 1, -2]),
        ("HPEXPIRETIME h FIELDS 3 a b c", [FAR * 1000 + 500, FAR * 1000 + 499, FAR * 1000 + 499]),
    ],
    "A time that has passed deletes the field": [
        ("HSET h a 1 b 2 c 3 d 4", 4), ("HEXPIRE h 0 FIELDS 1 a", [2]), ("HEXISTS h a", 0),
        ("HEXPIREAT h 1 FIELDS 3 a b none", [-2, 2, -2]), ("HLEN h", 2), ("HEXPIRE h 100 FIELDS 1 c", [1]),
        ("HPEXPIREAT h 1 NX FIELDS 1 c", [0]), ("HPEXPIREAT h 1 XX FIELDS 1 d", [0]), ("HLEN h", 2),
        ("HPEXPIREAT h 1 GT FIELDS 1 c", [0]), ("HPEXPIREAT h 1 LT FIELDS 1 c", [2]),
        ("HPEXPIRE h 0 FIELDS 2 d d", [2, -2]),
        ("EXISTS h", 0), ("TYPE h", Status("none")),
    ],
    "HPERSIST": [
        ABC, ("HEXPIRE h 100 FIELDS 2 a b", [1, 1]), ("HPERSIST h FIELDS 3 a c none", [1, -1, -2]),
        ("HTTL h FIELDS 2 a b", [-1, 100]), ("HPERSIST h FIELDS 2 a b", [-1, 1]), ("HPERSIST h FIELDS 1 b", [-1]),
        fields({"a": "1", "b": "2", "c": "3"}),
    ],
    "A later HEXPIRE, HPERSIST or HSET saves a field": [
        ("HSET h a 1 b 2 c 3 d 4 e 5", 5), ("HPEXPIRE h 100 FIELDS 5 a b c d e", [1, 1, 1, 1, 1]),
        ("HPEXPIRE h 1000 FIELDS 1 a", [1]), ("HPERSIST h FIELDS 1 b", [1]), ("HSET h c 33", 0), ("HMSET h d 44", OK),
        Advance(101), fields({"a": "1", "b": "2", "c": "33", "d": "44"}), ("HTTL h FIELDS 4 a b c d", [1, -1, -1, -1]),
    ],
    "HSET takes the TTL away, counters and HSETNX keep it": [
        ABC, ("HEXPIRE h 100 FIELDS 3 a b c", [1, 1, 1]), ("HINCRBY h a 5", 6), ("HINCRBYFLOAT h b 0.5", "2.5"),
        ("HSETNX h c 5", 0), ("HTTL h FIELDS 3 a b c", [100, 100, 100]), ("HSET h a 7 d 8", 1),
        ("HTTL h FIELDS 4 a b c d", [-1, 100, 100, -1]), ("HINCRBY h e 1", 1), ("HTTL h FIELDS 1 e", [-1]),
    ],
    "HDEL forgets the TTL": [
        ABC, ("HPEXPIRE h 100 FIELDS 1 a", [1]), ("HDEL h a", 1), ("HSET h a 2", 1), ("HTTL h FIELDS 1 a", [-1]),
        Advance(101), ("HGET h a", "2"),
    ],
    "RENAME, COPY and MOVE keep field TTLs": [
        ABC, ("HPEXPIRE h 1000 FIELDS 1 a", [1]), ("RENAME h i", OK), ("HPTTL i FIELDS 2 a b", [1000, -1]),
        ("COPY i j", 1),
        ("HPTTL j FIELDS 2 a b", [1000, -1]), ("HPERSIST j FIELDS 1 a", [1]), ("HPTTL i FIELDS 1 a", [1000]),
        ("MOVE i 1", 1), ("COPY j k", 1), ("HPTTL k FIELDS 1 a", [-1]), ("SELECT 1", OK),
        ("HPTTL i FIELDS 1 a", [1000]),
        Advance(1001), ("HLEN i", 2), ("SELECT 0", OK), ("HLEN j", 3), ("HLEN k", 3),
    ],
    "A key TTL and field TTLs do not touch each other": [
        ABC, ("HPEXPIRE h 1000 FIELDS 1 a", [1]), ("PEXPIRE h 2000", 1), ("HPERSIST h FIELDS 1 a", [1]),
        ("PTTL h", 2000),
        ("HPEXPIRE h 5000 FIELDS 1 a", [1]), ("PERSIST h", 1), ("HPTTL h FIELDS 1 a", [5000]), ("PEXPIRE h 100", 1),
        Advance(101), ("EXISTS h", 0), ("HSET h a 1", 1), Advance(5000), ("HGET h a", "1"),
    ],
    "DEL, SET and FLUSHALL forget what would have expired": [
        ABC, ("HPEXPIRE h 100 FIELDS 1 a", [1]), ("DEL h", 1), ABC, ("HPEXPIRE h 100 FIELDS 1 a", [1]), ("SET h v", OK),
        Advance(101), ("GET h", "v"), ("DEL h", 1), ABC, ("HPEXPIRE h 100 FIELDS 1 a", [1]), ("FLUSHALL", OK), ABC,
        Advance(101), ("HLEN h", 3), ("UNLINK h", 1),
    ],
    "Expired fields are hidden before they are removed": [
        LAZY, ("HSET h a 1 b 2 c 3 d 4 e 5", 5), ("HPEXPIRE h 10 FIELDS 4 a b c d", [1, 1, 1, 1]), Advance(20),
        ("HGETALL h", {"e": "5"}), ("HKEYS h", ["e"]), ("HVALS h", ["5"]), ("HSCAN h 0 COUNT 100", ["0", ["e", "5"]]),
        ("HLEN h", 5), ("HGET h a", None), ("HLEN h", 4), ("HEXISTS h b", 0), ("HSTRLEN h c", 0),
        ("HMGET h d e", [None, "5"]),
        ("HLEN h", 1), EAGER,
    ],
    "A hash goes when its last expired field is looked at": [
        LAZY, ("HSET h a 1 b 2", 2), ("HPEXPIRE h 10 FIELDS 2 a b", [1, 1]), Advance(20), ("EXISTS h", 1),
        ("HGETALL h", {}), ("HGET h a", None), ("EXISTS h", 1), ("HGET h b", None), ("EXISTS h", 0), ("DBSIZE", 0),
        ("HSET h a 1 b 2", 2), ("HPEXPIRE h 10 FIELDS 2 a b", [1, 1]), Advance(20),
        ("HMGET h a b a", [None, None, None]),
        ("DBSIZE", 0), EAGER,
    ],
    "Counters begin anew at an expired field": [
        LAZY, ("HSET h a 10 b 20 c 30", 3), ("HSET i a 10", 1), ("HPEXPIRE h 10 FIELDS 2 a b", [1, 1]),
        ("HPEXPIRE i 10 FIELDS 1 a", [1]), Advance(20), ("HINCRBY h a 1", 1), ("HINCRBYFLOAT h b 1.5", "1.5"),
        ("HINCRBY i a 2", 2), ("HTTL h FIELDS 3 a b c", [-1, -1, -1]), ("HTTL i FIELDS 1 a", [-1]), EAGER,
    ],
    "HRANDFIELD removes expired fields first": [
        LAZY, ("HSET h a 1 b 2 c 3", 3), ("HPEXPIRE h 10 FIELDS 2 a b", [1, 1]), Advance(20), ("HRANDFIELD h 5", ["c"]),
        ("HLEN h", 1), ("HRANDFIELD h -3", ["c", "c", "c"]), ("HRANDFIELD h", "c"), ("HPEXPIRE h 10 FIELDS 1 c", [1]),
        Advance(20), ("HRANDFIELD h", None), ("DBSIZE", 0), EAGER,
    ],
    "HTTL, HEXPIRE and HPERSIST do not see expired fields": [
        LAZY, ABC, ("HPEXPIRE h 10 FIELDS 2 a b", [1, 1]), Advance(20), ("HTTL h FIELDS 3 a b c", [-2, -2, -1]),
        ("HPEXPIRETIME h FIELDS 1 a", [-2]), ("HPERSIST h FIELDS 1 a", [-2]), EAGER,
    ],
    "Events of field TTLs": [
        *LISTEN, ABC, ("HEXPIRE h 100 FIELDS 2 a b", [1, 1]), ("HEXPIRE h 100 NX FIELDS 2 a none", [0, -2]),
        ("HPEXPIRE h 100000 FIELDS 1 c", [1]), ("HPERSIST h FIELDS 2 a b", [1, 1]), ("HPERSIST h FIELDS 1 a", [-1]),
        ("HINCRBY h c 1", 4), ("HEXPIRE h 0 FIELDS 2 a none", [2, -2]), ("HPEXPIREAT h 1 FIELDS 2 b c", [2, 2]),
        *heard("hset h", "hexpire h", "hexpire h", "hpersist h", "hincrby h", "hdel h", "hdel h", "del h"),
    ],
    "No event for a field that was deleted before its time": [
        *LISTEN, ABC, ("HPEXPIRE h 10 FIELDS 2 a b", [1, 1]), ("HDEL h a", 1), ("HSET h b 5", 0), Advance(20),
        ("HLEN h", 2),
        *heard("hset h", "hexpire h", "hdel h", "hset h"),
    ],
    "Events of expired fields that a command finds": [
        LAZY, *LISTEN, ABC, ("HPEXPIRE h 10 FIELDS 3 a b c", [1, 1, 1]), Advance(20), ("HGET h a", None),
        ("HGETALL h", {}), ("HMGET h b c", [None, None]),
        *heard("hset h", "hexpire h", "hexpired h", "hexpired h", "del h"),
        EAGER,
    ],
    "WATCH sees changes of field TTLs": [
        ABC, ("WATCH h", OK), ("@2 HEXPIRE h 100 FIELDS 1 a", [1]), ("MULTI", OK), ("EXEC", NIL_ARRAY), ("WATCH h", OK),
        ("@2 HPERSIST h FIELDS 1 a", [1]), ("MULTI", OK), ("EXEC", NIL_ARRAY), ("WATCH h", OK),
        ("@2 HEXPIRE h 0 FIELDS 1 a", [2]), ("MULTI", OK), ("EXEC", NIL_ARRAY), ("WATCH h", OK),
        ("@2 HPERSIST h FIELDS 1 b", [-1]), ("@2 HEXPIRE h 9 XX FIELDS 1 b", [0]),
        ("@2 HEXPIRE h 9 FIELDS 1 none", [-2]),
        ("@2 HTTL h FIELDS 1 b", [-1]), ("MULTI", OK), ("EXEC", []),
    ],
    "WATCH sees a field that expires": [
        ABC, ("HPEXPIRE h 50 FIELDS 1 a", [1]), ("WATCH h", OK), Advance(250), ("@2 HGET h a", None), ("MULTI", OK),
        ("EXEC", NIL_ARRAY), LAZY, ("HPEXPIRE h 10 FIELDS 1 b", [1]), ("WATCH h", OK), Advance(20),
        ("@2 HGET h b", None),
        ("MULTI", OK), ("EXEC", NIL_ARRAY), EAGER,
    ],
    "Field TTLs inside MULTI": [
        ("MULTI", OK), ("HSET h a 1 b 2", QUEUED), ("HEXPIRE h 100 FIELDS 1 a", QUEUED),
        ("HTTL h FIELDS 2 a b", QUEUED),
        ("HEXPIRE h 0 FIELDS 2 a b", QUEUED), ("EXISTS h", QUEUED), ("EXEC", [2, [1], [100, -1], [2, 2], 0]),
    ],
    "OBJECT, MEMORY USAGE and SCAN of a hash with field TTLs": [
        ABC, ("HEXPIRE h 100 FIELDS 2 a b", [1, 1]), ("MEMORY USAGE h", Between(30, 800)),
        ("MEMORY USAGE h SAMPLES 0", Between(30, 800)), ("SCAN 0 TYPE hash", ["0", ["h"]]), ("OBJECT REFCOUNT h", 1),
        ("HRANDFIELD h 5", Unordered(["a", "b", "c"])),
        ("HSCAN h 0 COUNT 100", ["0", Unordered(["a", "1", "b", "2", "c", "3"])]),
        ("HSCAN h 0 COUNT 100 NOVALUES", ["0", Unordered(["a", "b", "c"])]),
    ],
    "The last time there is": [
        ABC, (f"HPEXPIREAT h {LAST_MS} FIELDS 1 a", [1]), ("HPEXPIRETIME h FIELDS 1 a", [LAST_MS]),
        (f"HPEXPIREAT h {LAST_MS + 1} FIELDS 1 a", bad_expire("hpexpireat")),
        (f"HEXPIREAT h {LAST_MS // 1000} FIELDS 1 a", [1]),
        (f"HEXPIREAT h {LAST_MS // 1000 + 1} FIELDS 1 a", bad_expire("hexpireat")),
        (f"HPEXPIRE h {LAST_MS} FIELDS 1 a", bad_expire("hpexpire")),
        (f"HEXPIRE h {LAST_MS // 1000} FIELDS 1 a", bad_expire("hexpire")),
        ("HEXPIRE h 9223372036854775807 FIELDS 1 a", bad_expire("hexpire")),
        ("HPEXPIRE h 9223372036854775807 FIELDS 1 a", bad_expire("hpexpire")),
        ("HPEXPIRETIME h FIELDS 1 a", [LAST_MS // 1000 * 1000]),
    ],
}

# The same for what came with 8.0.
SINCE_8_0 = {
    "HGETEX without an option is HMGET": [
        ("HGETEX h FIELDS 2 a b", [None, None]), ("EXISTS h", 0), ABC, ("HGETEX h FIELDS 3 a none b", ["1", None, "2"]),
        ("HTTL h FIELDS 2 a b", [-1, -1]), ("HEXPIRE h 100 FIELDS 1 a", [1]), ("HGETEX h fields 1 a", ["1"]),
        ("HTTL h FIELDS 1 a", [100]),
    ],
    "HGETEX EX, PX, EXAT, PXAT and PERSIST": [
        ABC, ("HGETEX h EX 100 FIELDS 2 a none", ["1", None]), ("HTTL h FIELDS 2 a b", [100, -1]),
        ("HGETEX h px 200000 FIELDS 1 b", ["2"]), ("HTTL h FIELDS 1 b", [200]),
        (f"HGETEX h EXAT {FAR} FIELDS 1 c", ["3"]),
        ("HEXPIRETIME h FIELDS 1 c", [FAR]), (f"HGETEX h PXAT {FAR}123 FIELDS 1 c", ["3"]),
        ("HPEXPIRETIME h FIELDS 1 c", [FAR * 1000 + 123]), ("HGETEX h PERSIST FIELDS 2 a b", ["1", "2"]),
        ("HTTL h FIELDS 3 a b c", [-1, -1, Between(1, 10**12)]), ("HGETEX h persist FIELDS 1 a", ["1"]),
    ],
    "HGETEX with a time that has passed returns and deletes": [
        ABC, ("HGETEX h EX 0 FIELDS 2 a none", ["1", None]), ("HLEN h", 2),
        ("HGETEX h PXAT 1 FIELDS 2 b c", ["2", "3"]),
        ("EXISTS h", 0),
    ],
    "HGETEX lets a field expire": [
        ABC, ("HGETEX h PX 100 FIELDS 2 a b", ["1", "2"]), Advance(101), ("HGETALL h", {"c": "3"}),
    ],
    "HGETDEL": [
        ("HGETDEL h FIELDS 2 a b", [None, None]), ABC, ("HGETDEL h FIELDS 2 a none", ["1", None]), ("HLEN h", 2),
        ("HGETDEL h fields 3 b c b", ["2", "3", None]), ("EXISTS h", 0),
    ],
    "HGETDEL forgets the TTL": [
        ABC, ("HPEXPIRE h 100 FIELDS 2 a b", [1, 1]), ("HGETDEL h FIELDS 1 a", ["1"]), ("HSET h a 5", 1), Advance(101),
        fields({"a": "5", "c": "3"}),
    ],
    "HSETEX": [
        ("HSETEX h FIELDS 1 a 1", 1), ("HSETEX h FIELDS 2 a 2 b 3", 1), fields({"a": "2", "b": "3"}),
        ("HTTL h FIELDS 2 a b", [-1, -1]), ("HSETEX h EX 100 FIELDS 2 a 4 c 5", 1),
        ("HTTL h FIELDS 3 a b c", [100, -1, 100]),
        ("HSETEX h fields 1 a 6", 1), ("HTTL h FIELDS 2 a c", [-1, 100]), ("HSETEX h PX 200000 FIELDS 1 a 7", 1),
        ("HTTL h FIELDS 1 a", [200]), (f"HSETEX h EXAT {FAR} FIELDS 1 a 8", 1), ("HEXPIRETIME h FIELDS 1 a", [FAR]),
        (f"HSETEX h PXAT {FAR}123 FIELDS 1 a 9", 1), ("HPEXPIRETIME h FIELDS 1 a", [FAR * 1000 + 123]),
        fields({"a": "9", "b": "3", "c": "5"}), ("HSETEX h FIELDS 2 d 1 d 2", 1), ("HGET h d", "2"),
    ],
    "HSETEX KEEPTTL": [
        ("HSETEX h EX 100 FIELDS 2 a 1 b 2", 1), ("HSETEX h KEEPTTL FIELDS 2 a 3 c 4", 1),
        ("HTTL h FIELDS 3 a b c", [100, 100, -1]), fields({"a": "3", "b": "2", "c": "4"}),
        ("HSETEX h FXX keepttl FIELDS 1 b 5", 1), ("HTTL h FIELDS 1 b", [100]),
    ],
    "HSETEX FNX and FXX: all fields or none": [
        ("HSETEX h FXX FIELDS 1 a 1", 0), ("EXISTS h", 0), ("HSETEX h FNX FIELDS 2 a 1 b 2", 1),
        ("HSETEX h FNX FIELDS 2 b 3 c 4", 0), ("HSETEX h FXX FIELDS 2 b 3 c 4", 0), fields({"a": "1", "b": "2"}),
        ("HSETEX h fxx FIELDS 2 a 3 b 4", 1), ("HSETEX h fnx EX 100 FIELDS 1 c 5", 1),
        ("HSETEX h PX 200000 FNX FIELDS 1 d 6", 1),
        ("HTTL h FIELDS 4 a b c d", [-1, -1, 100, 200]), fields({"a": "3", "b": "4", "c": "5", "d": "6"}),
        ("HSETEX h FNX EX 10 FIELDS 1 a 1", 0), ("HTTL h FIELDS 1 a", [-1]),
    ],
    "HSETEX with a time that has passed deletes": [
        ("HSETEX h EXAT 1 FIELDS 2 a 1 b 2", 1), ("EXISTS h", 0), ABC, ("HSETEX h PXAT 1 FIELDS 2 a 5 d 6", 1),
        fields({"b": "2", "c": "3"}), ("HSETEX h EX 0 FIELDS 2 b 1 c 1", 1), ("EXISTS h", 0),
    ],
    "Expired fields of HGETEX, HGETDEL and HSETEX": [
        LAZY, ("HSETEX h PX 10 FIELDS 2 a 1 b 2", 1), Advance(20), ("HGETEX h EX 10 FIELDS 2 a b", [None, None]),
        ("DBSIZE", 0), ("HSETEX h PX 10 FIELDS 2 a 1 b 2", 1), Advance(20), ("HGETDEL h FIELDS 2 a b", [None, None]),
        ("DBSIZE", 0), ("HSETEX h PX 10 FIELDS 1 a 1", 1), Advance(20), ("HSETEX h FXX FIELDS 1 a 2", 0), ("DBSIZE", 0),
        ("HSETEX h PX 10 FIELDS 1 a 1", 1), Advance(20), ("HSETEX h FNX FIELDS 1 a 2", 1), ("HGETALL h", {"a": "2"}),
        ("HTTL h FIELDS 1 a", [-1]), EAGER,
    ],
    "Events of HGETEX, HGETDEL and HSETEX": [
        *LISTEN, ("HSETEX h FIELDS 3 a 1 b 2 c 3", 1), ("HSETEX h EX 100 FIELDS 1 a 1", 1),
        ("HSETEX h FNX FIELDS 1 a 1", 0),
        ("HGETEX h FIELDS 1 a", ["1"]), ("HGETEX h EX 100 FIELDS 2 a none", ["1", None]),
        ("HGETEX h EX 9 FIELDS 1 none", [None]),
        ("HGETEX h PERSIST FIELDS 1 a", ["1"]), ("HGETEX h PERSIST FIELDS 1 a", ["1"]),
        ("HGETEX h EX 0 FIELDS 1 a", ["1"]),
        ("HGETDEL h FIELDS 1 none", [None]), ("HGETDEL h FIELDS 1 b", ["2"]), ("HGETDEL h FIELDS 1 c", ["3"]),
        ("HSETEX h PXAT 1 FIELDS 1 a 1", 1),
        *heard("hset h", "hset h", "hexpire h", "hexpire h", "hpersist h", "hdel h", "hdel h", "hdel h", "del h",
               "hset h", "hdel h", "del h"),
    ],
    "WATCH sees HGETEX, HGETDEL and HSETEX when they change something": [
        ABC, ("WATCH h", OK), ("@2 HGETEX h FIELDS 1 a", ["1"]), ("@2 HGETDEL h FIELDS 1 none", [None]),
        ("@2 HSETEX h FNX FIELDS 1 a 1", 0), ("@2 HGETEX h PERSIST FIELDS 1 a", ["1"]), ("MULTI", OK), ("EXEC", []),
        ("WATCH h", OK), ("@2 HGETEX h EX 100 FIELDS 1 a", ["1"]), ("MULTI", OK), ("EXEC", NIL_ARRAY), ("WATCH h", OK),
        ("@2 HGETDEL h FIELDS 1 a", ["1"]), ("MULTI", OK), ("EXEC", NIL_ARRAY), ("WATCH h", OK),
        ("@2 HSETEX h FIELDS 1 b 2", 1), ("MULTI", OK), ("EXEC", NIL_ARRAY),
    ],
}

# What goes at its time, to the millisecond; Redis removes such fields some time after they are due.
AT_ONCE = {
    "HTTL rounds up": [
        Advance(0), ABC, ("HPEXPIRE h 1500 FIELDS 1 a", [1]), ("HPEXPIRE h 1001 FIELDS 1 b", [1]),
        ("HPEXPIRE h 1000 FIELDS 1 c", [1]), ("HTTL h FIELDS 3 a b c", [2, 2, 1]), Advance(1), ("HTTL h FIELDS 3 a b c",
                                                                                               [2, 1, 1]),
    ],
    "Fields expire one after another, the key with the last": [
        ABC, ("HPEXPIRE h 100 FIELDS 1 a", [1]), ("HPEXPIRE h 50 FIELDS 1 b", [1]), Advance(51), ("HLEN h", 2),
        ("HGET h b", None), fields({"a": "1", "c": "3"}), Advance(50), ("HLEN h", 1), ("HKEYS h", ["c"]),
        ("HPEXPIRE h 10 FIELDS 1 c", [1]), Advance(11), ("EXISTS h", 0), ("DBSIZE", 0), ("HSET h a 1", 1),
        ("HTTL h FIELDS 1 a", [-1]),
    ],
    "SWAPDB swaps what expires": [
        ("HSET h a 1", 1), ("HPEXPIRE h 100 FIELDS 1 a", [1]), ("SWAPDB 0 1", OK), ("EXISTS h", 0), ("SELECT 1", OK),
        ("HPTTL h FIELDS 1 a", [100]), Advance(101), ("DBSIZE", 0),
    ],
    "Events of expired fields: once for all of one time": [
        *LISTEN, ("HSET h a 1 b 2 c 3 d 4", 4), ("HPEXPIRE h 10 FIELDS 2 a b", [1, 1]),
        ("HPEXPIRE h 30 FIELDS 2 c d", [1, 1]),
        Advance(11), ("HLEN h", 2), Advance(20), ("EXISTS h", 0),
        *heard("hset h", "hexpire h", "hexpire h", "hexpired h", "hexpired h", "del h"),
    ],
    "HSETEX lets fields expire": [
        ABC, ("HSETEX h PX 100 FIELDS 2 a 5 d 6", 1), Advance(101), fields({"b": "2", "c": "3"}),
        ("HSETEX i PX 100 FIELDS 2 a 5 d 6", 1), Advance(101), ("EXISTS i", 0),
    ],
    "The copy of a hash expires by itself": [
        ABC, ("HPEXPIRE h 100 FIELDS 2 a b", [1, 1]), ("COPY h i", 1), ("COPY h h DB 1", 1), ("DEL h", 1), Advance(101),
        fields({"c": "3"}, key="i"), ("SELECT 1", OK), fields({"c": "3"}), ("SWAPDB 0 1", OK), ("HLEN i", 1),
    ],
    "Long fields and values with a TTL": [
        (("HSET", "h", "a", "x" * 300, "y" * 300, "b", "c", "1"), 3),
        (("HEXPIRE", "h", 100, "FIELDS", 2, "a", "y" * 300), [1, 1]),
        (("HSET", "h", "c", "z" * 9000), 0), (("HTTL", "h", "FIELDS", 3, "a", "y" * 300, "c"), [100, 100, -1]),
        ("HSTRLEN h a", 300), (("HGET", "h", "y" * 300), "b"), ("HPEXPIRE h 100 FIELDS 1 c", [1]), Advance(101),
        ("HLEN h", 2), (("HPERSIST", "h", "FIELDS", 1, "y" * 300), [1]), ("HSTRLEN h a", 300),
    ],
}

ENCODINGS = {"listpack": [], "hashtable": [("CONFIG SET hash-max-listpack-entries 0", OK)]}

CASES = {
    **in_each(SINCE_7_4, ENCODINGS, since="7.4"),
    **in_each(SINCE_8_0, ENCODINGS, since="8.0"),
    **in_each(AT_ONCE, ENCODINGS, peer=LATE),
    "HEXPIRE family refuses bad arguments": Case([
        ABC, ("HEXPIRE h 10 FIELDS 1", wrong_args("hexpire")), ("HPEXPIRE h", wrong_args("hpexpire")),
        ("HEXPIREAT h 10", wrong_args("hexpireat")), ("HPEXPIREAT h 10 FIELDS", wrong_args("hpexpireat")),
        ("HEXPIRE h x FIELDS 1 a", NOT_INTEGER), ("HEXPIRE h 1.5 FIELDS 1 a", NOT_INTEGER),
        ("HEXPIRE h 9223372036854775808 FIELDS 1 a", NOT_INTEGER), ("HEXPIRE h -1 FIELDS 1 a", NEGATIVE),
        ("HPEXPIRE h -1 FIELDS 1 a", NEGATIVE), ("HEXPIREAT h -1 FIELDS 1 a", NEGATIVE),
        ("HPEXPIREAT h -9223372036854775808 FIELDS 1 a", NEGATIVE), ("HEXPIRE h 10 X FIELDS 1 a", NO_FIELDS),
        ("HEXPIRE h 10 NX GT FIELDS 1 a", NO_FIELDS), ("HEXPIRE h 10 NX X 1 a", NO_FIELDS),
        ("HEXPIRE h 10 1 a b", NO_FIELDS),
        ("HEXPIRE h 10 FIELDS 0 a", NUMFIELDS_ZERO), ("HEXPIRE h 10 FIELDS -1 a", NUMFIELDS_ZERO),
        ("HEXPIRE h 10 FIELDS x a", NUMFIELDS_ZERO), ("HEXPIRE h 10 FIELDS 2 a", NUMFIELDS_OTHER),
        ("HEXPIRE h 10 FIELDS 1 a b", NUMFIELDS_OTHER), ("HEXPIRE h 10 NX FIELDS 1", NUMFIELDS_OTHER),
        ("HEXPIRE h 10 NX FIELDS 9223372036854775807 a", NUMFIELDS_OTHER), ("HTTL h FIELDS 3 a b c", [-1, -1, -1]),
    ], since="7.4"),
    "HTTL family and HPERSIST refuse bad arguments": Case([
        ABC,
        *[row for name in ("HTTL", "HPTTL", "HEXPIRETIME", "HPEXPIRETIME", "HPERSIST") for row in [
            (name, wrong_args(name.lower())), (f"{name} h", wrong_args(name.lower())),
            (f"{name} h FIELDS 1", wrong_args(name.lower())), (f"{name} h X 1 a", NO_FIELDS),
            (f"{name} h 1 FIELDS a", NO_FIELDS),
            (f"{name} h FIELDS 0 a", NUMFIELDS_BAD), (f"{name} h FIELDS -1 a", NUMFIELDS_BAD),
            (f"{name} h FIELDS x a", NUMFIELDS_BAD), (f"{name} h FIELDS 2 a", NUMFIELDS_OTHER),
            (f"{name} h FIELDS 1 a b", NUMFIELDS_OTHER), (f"{name} none FIELDS 1 a b", NUMFIELDS_OTHER)]],
    ], since="7.4"),
    "HGETEX and HGETDEL refuse bad arguments": Case([
        ABC, ("HGETEX h", wrong_args("hgetex")), ("HGETEX h FIELDS 1", wrong_args("hgetex")),
        ("HGETDEL h FIELDS 1", wrong_args("hgetdel")), ("HGETDEL h X 1 a", NO_FIELDS),
        ("HGETDEL h FIELDS 0 a", NUMFIELDS_BAD),
        ("HGETDEL h FIELDS x a", NUMFIELDS_BAD), ("HGETDEL h FIELDS 2 a", NUMFIELDS_OTHER),
        ("HGETDEL h FIELDS 1 a b", NUMFIELDS_OTHER), ("HGETEX h X 1 a", NO_FIELDS),
        ("HGETEX h PXAT 1 1", wrong_args("hgetex")), ("HGETEX h PXAT 1 1 1", NO_FIELDS),
        ("HGETEX h PERSIST 1 FIELDS 1 a", NO_FIELDS), ("HGETEX h EX 1 PX 1 FIELDS 1 a", NO_FIELDS),
        ("HGETEX h FIELDS 2 a", NUMFIELDS_OTHER), ("HGETEX h FIELDS 0 a", NUMFIELDS_BAD),
        ("HGETEX h FIELDS -1 a", NUMFIELDS_BAD), ("HGETEX h FIELDS 9223372036854775808 a", NUMFIELDS_BAD),
        ("HGETEX h EX x FIELDS 1 a", NOT_INTEGER), ("HGETEX h EXAT 9223372036854775808 FIELDS 1 a", NOT_INTEGER),
        ("HGETEX h EX -1 FIELDS 1 a", NEGATIVE), ("HGETEX h PXAT -1 FIELDS 1 a", NEGATIVE),
        (f"HGETEX h PXAT {LAST_MS + 1} FIELDS 1 a", bad_expire("hgetex")),
        (f"HGETEX h EX {LAST_MS // 1000} FIELDS 1 a", bad_expire("hgetex")),
        (f"HGETEX h EX {2**48} FIELDS 1 a", bad_expire("hgetex")), ("HTTL h FIELDS 3 a b c", [-1, -1, -1]),
    ], since="8.0"),
    "HSETEX refuses bad arguments": Case([
        ("HSETEX h", wrong_args("hsetex")), ("HSETEX h FIELDS 1 a", wrong_args("hsetex")),
        ("HSETEX h FIELDS 2 a b", wrong_args("hsetex")), ("HSETEX h FIELDS 2 a b c", wrong_args("hsetex")),
        ("HSETEX h FIELDS 2 a b c d e", wrong_args("hsetex")), ("HSETEX h FIELDS 1 a b X", wrong_args("hsetex")),
        ("HSETEX h NX FIELDS 1 a b", Error("ERR unknown argument: NX")),
        ("HSETEX h 1 FIELDS 1 a b", Error("ERR unknown argument: 1")), ("HSETEX h FXX FXX FIELDS 1 a b", ONE_CONDITION),
        ("HSETEX h FNX EX 10 FXX FIELDS 1 a b", ONE_CONDITION), ("HSETEX h EX 1 PX 1 FIELDS 1 a b", ONE_TTL),
        ("HSETEX h PXAT 1 KEEPTTL FIELDS 1 a b", ONE_TTL), ("HSETEX h KEEPTTL KEEPTTL FIELDS 1 a b", ONE_TTL),
        ("HSETEX h KEEPTTL EXAT 1 FIELDS 1 a b", ONE_TTL), ("HSETEX h EX FIELDS 1 a b", NOT_INTEGER),
        ("HSETEX h PX x FIELDS 1 a b", NOT_INTEGER), ("HSETEX h EXAT 9223372036854775808 FIELDS 1 a b", NOT_INTEGER),
        ("HSETEX h EX -1 FIELDS 1 a b", NEGATIVE), (f"HSETEX h PXAT {LAST_MS + 1} FIELDS 1 a b", bad_expire("hsetex")),
        (f"HSETEX h EX {2**48} FIELDS 1 a b", bad_expire("hsetex")), ("HSETEX h FIELDS x a b", INVALID_NUMBER),
        ("HSETEX h FIELDS 0 a b", INVALID_NUMBER), ("HSETEX h FIELDS -1 a b", INVALID_NUMBER),
        ("HSETEX h FIELDS 9223372036854775808 a b", INVALID_NUMBER), ("EXISTS h", 0),
    ], since="8.0"),
    "Commands of field TTLs refuse a string": Case([
        ("SET k v", OK), ("HEXPIRE k 10 FIELDS 1 a", WRONGTYPE), ("HPEXPIRE k 10 FIELDS 1 a", WRONGTYPE),
        ("HEXPIREAT k 10 FIELDS 1 a", WRONGTYPE), ("HPEXPIREAT k 10 FIELDS 1 a", WRONGTYPE),
        ("HTTL k FIELDS 1 a", WRONGTYPE),
        ("HPTTL k FIELDS 1 a", WRONGTYPE), ("HEXPIRETIME k FIELDS 1 a", WRONGTYPE),
        ("HPEXPIRETIME k FIELDS 1 a", WRONGTYPE),
        ("HPERSIST k FIELDS 1 a", WRONGTYPE), ("HEXPIRE k x FIELDS 1 a", WRONGTYPE), ("HTTL k X 1 a", WRONGTYPE),
        ("GET k", "v"),
    ], since="7.4"),
    "HGETEX, HGETDEL and HSETEX refuse a string": Case([
        ("SET k v", OK), ("HGETEX k FIELDS 1 a", WRONGTYPE), ("HGETDEL k FIELDS 1 a", WRONGTYPE),
        ("HSETEX k FIELDS 1 a 1", WRONGTYPE), ("HGETEX k X 1 a", WRONGTYPE), ("HGETDEL k X 1 a", WRONGTYPE),
        ("HSETEX k FIELDS 0 a 1", INVALID_NUMBER), ("HSETEX k FXX FIELDS 1 a 1", WRONGTYPE), ("GET k", "v"),
    ], since="8.0"),

    # Encodings
    "A small hash with a TTL is a listpackex": Case([
        ABC, ("OBJECT ENCODING h", "listpack"), ("HEXPIRE h 100 XX FIELDS 1 a", [0]),
        ("HEXPIRE h 100 FIELDS 1 a", [1]), ("OBJECT ENCODING h", "listpackex"), ("HPERSIST h FIELDS 1 a", [1]),
        ("OBJECT ENCODING h", "listpackex"), ("COPY h i", 1), ("OBJECT ENCODING i", "listpackex"), ("HDEL h a b c", 3),
        ABC, ("OBJECT ENCODING h", "listpack"),
    ], since="7.4"),
    "A listpackex grows into a hashtable and keeps the TTLs": Case([
        ("CONFIG SET hash-max-listpack-entries 3", OK), ABC, ("HEXPIRE h 100 FIELDS 2 a c", [1, 1]), ("HSET h a 5", 0),
        ("OBJECT ENCODING h", "listpackex"), ("HSET h d 4", 1), ("OBJECT ENCODING h", "hashtable"),
        ("HTTL h FIELDS 4 a b c d", [-1, -1, 100, -1]), fields({"a": "5", "b": "2", "c": "3", "d": "4"}),
        ("HSET i a 1", 1), ("HEXPIRE i 100 FIELDS 1 a", [1]), (("HSET", "i", "b", "x" * 65), 1),
        ("OBJECT ENCODING i", "hashtable"), ("HTTL i FIELDS 2 a b", [100, -1]),
    ], since="7.4"),
    "HSETEX makes a listpackex or a hashtable": Case([
        ("HSETEX h FIELDS 1 a 1", 1), ("OBJECT ENCODING h", "listpack"), ("HSETEX h EX 100 FIELDS 1 b 1", 1),
        ("OBJECT ENCODING h", "listpackex"), (("HSETEX", "h", "EX", 10, "FIELDS", 1, "c", "x" * 65), 1),
        ("OBJECT ENCODING h", "hashtable"), ("HTTL h FIELDS 3 a b c", [-1, 100, 10]),
    ], since="8.0"),
    "A listpackex has the fields in the order of their TTLs": Case([
        ("HSET h a 1 b 2 c 3 d 4", 4), ("HEXPIRE h 100 FIELDS 1 c", [1]), ("HKEYS h", ["c", "a", "b", "d"]),
        ("HEXPIRE h 50 FIELDS 1 b", [1]), ("HKEYS h", ["b", "c", "a", "d"]), ("HEXPIRE h 70 FIELDS 1 d", [1]),
        ("HGETALL h", {"b": "2", "d": "4", "c": "3", "a": "1"}), ("HPERSIST h FIELDS 1 d", [1]),
        ("HKEYS h", ["b", "c", "a", "d"]), ("HSET h b 5", 0), ("HKEYS h", ["c", "a", "d", "b"]), ("HINCRBY h c 1", 4),
        ("HKEYS h", ["c", "a", "d", "b"]), ("HSET h e 1", 1), ("HKEYS h", ["c", "a", "d", "b", "e"]),
    ], since="7.4"),
    "Of fields with one deadline, the last to get it comes first": Case([
        (f"HSETEX h PXAT {FAR}000 FIELDS 3 a 1 b 2 c 3", 1), ("HKEYS h", ["c", "b", "a"]), ("HSET h d 4 e 5", 2),
        (f"HPEXPIREAT h {FAR}000 FIELDS 2 d a", [1, 1]), ("HKEYS h", ["a", "d", "c", "b", "e"]),
        ("HPERSIST h FIELDS 2 c a", [1, 1]), ("HKEYS h", ["d", "b", "e", "c", "a"]),
    ], since="8.0"),
    "INFO counts expired fields and hashes with TTLs": Case([
        ("CONFIG RESETSTAT", OK), ABC, ("INFO keyspace", Holding("subexpiry=0")),
        ("HPEXPIRE h 100 FIELDS 2 a b", [1, 1]),
        ("HSET i a 1", 1), ("HPEXPIRE i 200 FIELDS 1 a", [1]),
        ("INFO keyspace", Holding("keys=2,expires=0", "subexpiry=2")),
        ("HDEL i a", 1), ("INFO keyspace", Holding("subexpiry=1")), Advance(101),
        ("INFO keyspace", Holding("subexpiry=0")),
        ("INFO stats", Matching(r".*expired_subkeys:2\r\n.*")),
    ], peer=LATE),
}


def test_rows(row_case):
    row_case.check()


# --- what is propagated; see tests.effect_rows ----------------------------------------

HASH = "HSET h a 1 b 2 c 3"
OTHERWISE = "the peer writes it in another way, the same in effect"
NO_CLOCK = "the peer's clock is not moved"
ABC_SOON = f"{HASH} | HPEXPIRE h 5000 FIELDS 1 a"
LAZILY = f"DEBUG SET-ACTIVE-EXPIRE 0 | {HASH} | HPEXPIRE h 10 FIELDS 2 a b | DEBUG CLOCK ADVANCE 20"
EFFECTS = {
    "HINCRBYFLOAT of a field with a TTL": (
        f"{HASH} | HPEXPIRE h 70 FIELDS 1 a", "HINCRBYFLOAT h a 0.5",
        "MULTI | HSET h a 1.5 | HPEXPIREAT h T+70 FIELDS 1 a | EXEC", OTHERWISE),
    "what only reads": (
        HASH, "HGET h a | HMGET h a b | HGETALL h | HRANDFIELD h 2 | HSCAN h 0 | HTTL h FIELDS 1 a", ""),
    "HEXPIRE": (HASH, "HEXPIRE h 10 FIELDS 3 a none b", "HPEXPIREAT h T+10000 FIELDS 2 a b"),
    "HPEXPIRE": (HASH, "HPEXPIRE h 10 FIELDS 1 a", "HPEXPIREAT h T+10 FIELDS 1 a"),
    "HEXPIREAT": (HASH, "HEXPIREAT h 1700000010 FIELDS 1 a", "HPEXPIREAT h T+10000 FIELDS 1 a"),
    "HPEXPIREAT": (HASH, "HPEXPIREAT h 1700000000010 FIELDS 1 a", "HPEXPIREAT h T+10 FIELDS 1 a"),
    "HPEXPIRE with a condition": (
        f"{HASH} | HPEXPIRE h 70 FIELDS 1 a", "HPEXPIRE h 30 NX FIELDS 2 a b", "HPEXPIREAT h T+30 NX FIELDS 1 b"),
    "HPEXPIRE that changes nothing": (HASH, "HPEXPIRE h 30 XX FIELDS 2 a b | HPEXPIRE h 30 FIELDS 1 none", ""),
    "HPEXPIRE of the past": (HASH, "HPEXPIRE h 0 FIELDS 3 a none b", "HDEL h a b", OTHERWISE),
    "HPERSIST": (
        f"{HASH} | HPEXPIRE h 70 FIELDS 1 a", "HPERSIST h FIELDS 1 b | HPERSIST h FIELDS 2 a b",
        "HPERSIST h FIELDS 2 a b"),
    "HGETDEL": (HASH, "HGETDEL h FIELDS 1 none | HGETDEL h FIELDS 3 a none b", "HDEL h a b", OTHERWISE),
    "HGETEX": (HASH, "HGETEX h FIELDS 1 a | HGETEX h EX 5 FIELDS 1 none", ""),
    "HGETEX EX": (HASH, "HGETEX h EX 5 FIELDS 2 a none", "HPEXPIREAT h T+5000 FIELDS 1 a", OTHERWISE),
    "HGETEX of the past": (HASH, "HGETEX h PXAT 1 FIELDS 2 a none", "HDEL h a"),
    "HGETEX PERSIST": (
        f"{HASH} | HPEXPIRE h 70 FIELDS 1 a", "HGETEX h PERSIST FIELDS 2 a b | HGETEX h PERSIST FIELDS 1 a",
        "HPERSIST h FIELDS 1 a", OTHERWISE),
    "HSETEX": ("", "HSETEX h FIELDS 1 a 1 | HSETEX h KEEPTTL FIELDS 1 a 2",
               "HSETEX h FIELDS 1 a 1 | HSETEX h KEEPTTL FIELDS 1 a 2"),
    "HSETEX EX": ("", "HSETEX h FNX EX 5 FIELDS 1 a 1", "HSETEX h FNX PXAT T+5000 FIELDS 1 a 1"),
    "HSETEX of the past": (HASH, "HSETEX h PX 0 FIELDS 2 a 5 d 6", "HDEL h a d", OTHERWISE),
    "HSETEX that fails": (HASH, "HSETEX h FNX EX 5 FIELDS 1 a 1 | HSETEX h FXX FIELDS 1 d 1", ""),
    "fields that expire": (
        f"{HASH} | HPEXPIRE h 10 FIELDS 2 a b | HPEXPIRE h 20 FIELDS 1 c", "DEBUG CLOCK ADVANCE 15 | "
        "DEBUG CLOCK ADVANCE 15", "HDEL h a b | HDEL h c", NO_CLOCK),
    "an expired field that is looked up": (LAZILY, "HGET h a | HMGET h a b c", "HDEL h a | HDEL h b", NO_CLOCK),
    "an expired field that is counted": (LAZILY, "HINCRBY h a 5", "HDEL h a | HINCRBY h a 5", NO_CLOCK),
    "expired fields and HRANDFIELD": (LAZILY, "HRANDFIELD h", "HDEL h a b", NO_CLOCK),
    "expired fields and HGETALL": (LAZILY, "HGETALL h | HKEYS h | HVALS h | HSCAN h 0 | HLEN h", "", NO_CLOCK),
    "expired fields and HGETEX": (
        LAZILY, "HGETEX h EX 5 FIELDS 3 a b c", "HDEL h a b | HPEXPIREAT h T+5020 FIELDS 1 c", NO_CLOCK),
    "HEXPIRE h 10 FIELDS 2 b none": (ABC_SOON, "HEXPIRE h 10 FIELDS 2 b none", "HPEXPIREAT h T+10000 FIELDS 1 b"),
    "HPEXPIRE h 10 FIELDS 2 a b": (ABC_SOON, "HPEXPIRE h 10 FIELDS 2 a b", "HPEXPIREAT h T+10 FIELDS 2 a b"),
    "HEXPIREAT h 1700000010 FIELDS 1 a": (
        ABC_SOON, "HEXPIREAT h 1700000010 FIELDS 1 a", "HPEXPIREAT h T+10000 FIELDS 1 a"),
    "HEXPIRE h 10 XX FIELDS 1 b": (ABC_SOON, "HEXPIRE h 10 XX FIELDS 1 b", ""),
    "HEXPIRE h 10 NX FIELDS 2 a b": (ABC_SOON, "HEXPIRE h 10 NX FIELDS 2 a b", "HPEXPIREAT h T+10000 NX FIELDS 1 b"),
    "HEXPIRE h 10 FIELDS 1 none": (ABC_SOON, "HEXPIRE h 10 FIELDS 1 none", ""),
    "HEXPIRE none 10 FIELDS 1 a": (ABC_SOON, "HEXPIRE none 10 FIELDS 1 a", ""),
    "HEXPIRE h 0 FIELDS 3 a b none": (ABC_SOON, "HEXPIRE h 0 FIELDS 3 a b none", "HDEL h a b", OTHERWISE),
    "HPEXPIREAT h 1 GT FIELDS 1 a": (ABC_SOON, "HPEXPIREAT h 1 GT FIELDS 1 a", ""),
    "HPERSIST h FIELDS 1 b": (ABC_SOON, "HPERSIST h FIELDS 1 b", ""),
    "HGETEX h FIELDS 1 a": (ABC_SOON, "HGETEX h FIELDS 1 a", ""),
    "HGETEX h EX 10 FIELDS 2 b none": (
        ABC_SOON, "HGETEX h EX 10 FIELDS 2 b none", "HPEXPIREAT h T+10000 FIELDS 1 b", OTHERWISE),
    "HGETEX h PXAT 1 FIELDS 2 b none": (ABC_SOON, "HGETEX h PXAT 1 FIELDS 2 b none", "HDEL h b"),
    "HGETEX h PERSIST FIELDS 2 a b": (ABC_SOON, "HGETEX h PERSIST FIELDS 2 a b", "HPERSIST h FIELDS 1 a", OTHERWISE),
    "HGETEX h PERSIST FIELDS 1 b": (ABC_SOON, "HGETEX h PERSIST FIELDS 1 b", ""),
    "HGETDEL h FIELDS 2 b none": (ABC_SOON, "HGETDEL h FIELDS 2 b none", "HDEL h b", OTHERWISE),
    "HGETDEL h FIELDS 1 none": (ABC_SOON, "HGETDEL h FIELDS 1 none", ""),
    "HSETEX h FIELDS 1 a 1": (ABC_SOON, "HSETEX h FIELDS 1 a 1", "HSETEX h FIELDS 1 a 1"),
    "HSETEX h EX 10 FIELDS 1 a 1": (ABC_SOON, "HSETEX h EX 10 FIELDS 1 a 1", "HSETEX h PXAT T+10000 FIELDS 1 a 1"),
    "HSETEX h FNX FIELDS 1 a 1": (ABC_SOON, "HSETEX h FNX FIELDS 1 a 1", ""),
    "HSETEX h FXX PX 10 FIELDS 1 a 1": (
        ABC_SOON, "HSETEX h FXX PX 10 FIELDS 1 a 1", "HSETEX h FXX PXAT T+10 FIELDS 1 a 1"),
    "HSETEX h KEEPTTL FIELDS 1 a 1": (ABC_SOON, "HSETEX h KEEPTTL FIELDS 1 a 1", "HSETEX h KEEPTTL FIELDS 1 a 1"),
    "HSETEX h PXAT 1 FIELDS 1 b 1": (ABC_SOON, "HSETEX h PXAT 1 FIELDS 1 b 1", "HDEL h b"),
    "HSET h a 1": (ABC_SOON, "HSET h a 1", "HSET h a 1"),
    "HMSET h a 1": (ABC_SOON, "HMSET h a 1", "HMSET h a 1"),
    "HSETNX h a 1": (ABC_SOON, "HSETNX h a 1", ""),
    "HDEL h none": (ABC_SOON, "HDEL h none", ""),
    "HDEL h a none": (ABC_SOON, "HDEL h a none", "HDEL h a none"),
    "HINCRBY h a 1": (ABC_SOON, "HINCRBY h a 1", "HINCRBY h a 1"),
    "HINCRBYFLOAT h b 0.5": (ABC_SOON, "HINCRBYFLOAT h b 0.5", "HSET h b 2.5", OTHERWISE),
    "HRANDFIELD h 2 | HTTL h FIELDS 1 a | HGETALL h": (ABC_SOON, "HRANDFIELD h 2 | HTTL h FIELDS 1 a | HGETALL h", ""),
}
EFFECTS_UNDER = {"listpack": "", "hashtable": "hash-max-listpack-entries 0\n"}


def test_effects(effect):
    effect.check()


# --- beyond rows: the clock of fastredis is moved, there is no peer -----------------------------------------

START_MS = 1_700_000_000_001            # odd, as are all steps of the clock to come: deadlines are even and never now


@pytest.fixture
def client(row_session):
    """A client of the shared fastredis, empty, with the clock frozen at START_MS; afterwards it runs again."""
    target = row_session.target("fastredis")
    target.ask("FLUSHALL")
    with target.server.client(timeout=20) as client:
        before = client.call("CONFIG", "GET", "hash-max-listpack-entries")[1]
        assert client.call("DEBUG", "CLOCK", "SET", START_MS) == OK
        yield client
        client.call("DEBUG", "SET-ACTIVE-EXPIRE", "1")
        client.call("CONFIG", "SET", "hash-max-listpack-entries", before, "notify-keyspace-events", "")
        client.call("DEBUG", "CLOCK", "RELEASE")
        client.call("FLUSHALL")


class Model:
    """A hash as a dict: field -> [value, deadline in ms or None]; `now` moves with the clock of the server."""

    def __init__(self):
        self.fields = {}
        self.now = START_MS

    def advance(self, ms):
        self.now += ms
        self.fields = {field: pair for field, pair in self.fields.items() if pair[1] is None or pair[1] > self.now}

    def expire(self, field, when, condition):
        """What HPEXPIREAT replies for one field, done."""
        if field not in self.fields:
            return -2
        old = self.fields[field][1]
        refused = {None: False, "NX": old is not None, "XX": old is None, "GT": old is None or when <= old,
                   "LT": old is not None and when >= old}[condition]
        if refused:
            return 0
        if when <= self.now:
            del self.fields[field]
            return 2
        self.fields[field][1] = when
        return 1

    def persist(self, field):
        """What HPERSIST replies for one field, done."""
        if field not in self.fields:
            return -2
        had = self.fields[field][1]
        self.fields[field][1] = None
        return -1 if had is None else 1

    def value(self, field):
        return self.fields[field][0] if field in self.fields else None


NAMES = [b"f%d" % number for number in range(12)] + [b"x" * 70, b"12345"]
COUNTER = b"counter"
KINDS = ["hset", "hdel", "hpexpireat", "hpexpireat", "hpersist", "hpexpiretime", "hgetex", "hsetex", "hgetdel",
         "hincrby", "hmget"]


def change(chance, model):
    """A random command on the hash "h", done to the model as well -> (argv, the reply it must have)."""
    kind = chance.choice(KINDS)
    names = chance.sample(NAMES if kind in ("hset", "hsetex") else [*NAMES, COUNTER], chance.randint(1, 3))
    when = (model.now + chance.randint(-20, 400)) // 2 * 2
    tail = ("FIELDS", len(names), *names)
    values = [model.value(name) for name in names]
    if kind == "hset":
        new = sum(name not in model.fields for name in names)
        model.fields.update({name: [b"v", None] for name in names})
        return (kind, "h", *[text for name in names for text in (name, "v")]), new
    if kind == "hdel":
        return (kind, "h", *names), sum(model.fields.pop(name, None) is not None for name in names)
    if kind == "hpexpireat":
        condition = chance.choice([None, None, "NX", "XX", "GT", "LT"])
        return (kind, "h", when, *([condition] if condition else []), *tail), [
            model.expire(name, when, condition) for name in names]
    if kind == "hpersist":
        return (kind, "h", *tail), [model.persist(name) for name in names]
    if kind == "hpexpiretime":
        return (kind, "h", *tail), [model.fields[name][1] or -1 if name in model.fields else -2 for name in names]
    if kind == "hgetex":
        for name in names:
            model.expire(name, when, None)
        return (kind, "h", "PXAT", when, *tail), values
    if kind == "hgetdel":
        for name in names:
            model.fields.pop(name, None)
        return (kind, "h", *tail), values
    if kind == "hincrby":
        pair = model.fields.setdefault(COUNTER, [b"0", None])
        pair[0] = b"%d" % (int(pair[0]) + 1)
        return (kind, "h", COUNTER, 1), int(pair[0])
    if kind == "hsetex":
        keep = chance.random() < 0.3
        for name in names:
            model.fields[name] = [b"w", model.fields[name][1] if keep and name in model.fields else None]
            if not keep:
                model.expire(name, when, None)
        pairs = [text for name in names for text in (name, "w")]
        return (kind, "h", *(["KEEPTTL"] if keep else ["PXAT", when]), "FIELDS", len(names), *pairs), 1
    return (kind, "h", *names), values


@pytest.mark.parametrize("lazy", [False, True])
@pytest.mark.parametrize("entries", [0, 4, 128])
def test_random_changes_agree_with_a_python_dict(client, entries, lazy):
    chance = random.Random(f"{entries} {lazy}")
    client.call("CONFIG", "SET", "hash-max-listpack-entries", entries)
    client.call("DEBUG", "SET-ACTIVE-EXPIRE", "0" if lazy else "1")
    for _ in range(8):
        client.call("DEL", "h")
        client.call("DEBUG", "CLOCK", "SET", START_MS)
        model = Model()
        for _ in range(250):
            argv, expected = change(chance, model)
            if lazy and argv[0] in ("hset", "hdel", "hsetex", "hpexpireat"):
                client.call("hmget", "h", *NAMES, COUNTER)      # these find fields that have expired and still exist
            assert client.call(*argv) == expected, argv
            if chance.random() < 0.3:
                step = chance.randint(0, 60) * 2
                model.advance(step)
                client.call("DEBUG", "CLOCK", "ADVANCE", step)
            found = client.call("HGETALL", "h")
            assert dict(zip(found[::2], found[1::2], strict=True)) == {
                field: value for field, (value, _) in model.fields.items()}
            if not lazy:
                assert client.call("HLEN", "h") == len(model.fields)
                assert client.call("EXISTS", "h") == bool(model.fields)


@pytest.mark.parametrize("size", [10, 3000])
def test_many_fields_expire_each_at_its_time(client, size):
    order = list(range(size))
    random.Random(size).shuffle(order)
    client.call("HSET", "h", *[text for number in order for text in (f"f{number}", "v")])
    for number in order:
        assert client.call("HPEXPIREAT", "h", START_MS + 10 * number + 9, "FIELDS", 1, f"f{number}") == [1]
    for passed in range(size // 5, size, size // 5):
        client.call("DEBUG", "CLOCK", "SET", START_MS + 10 * passed)
        assert client.call("HLEN", "h") == size - passed
        assert set(client.call("HKEYS", "h")) == {b"f%d" % number for number in range(passed, size)}
    client.call("DEBUG", "CLOCK", "SET", START_MS + 10 * size)
    assert client.call("DBSIZE") == 0


def test_many_hashes_expire_in_the_order_of_their_fields(client, row_session):
    client.call("CONFIG", "SET", "notify-keyspace-events", "Ehg")
    times = [500, 20, 300, 100, 400, 10]
    client.pipeline([("HSETEX", f"h:{ms}", "PX", ms, "FIELDS", 1, "a", "1") for ms in times])
    with row_session.target("fastredis").server.client() as listener:
        listener.call("PSUBSCRIBE", "__keyevent@0__:*")
        client.call("PEXPIRE", "h:300", 50)
        assert listener.read()[2:] == [b"__keyevent@0__:expire", b"h:300"]
        client.call("DEBUG", "CLOCK", "ADVANCE", 450)
        seen = [listener.read() for _ in range(8)]
        assert not listener.pending(0.05)
    assert [(each[2].split(b":")[1], each[3]) for each in seen] == [
        (event, b"h:%d" % ms) for ms in (10, 20, 100, 400) for event in (b"hexpired", b"del")]
    assert client.call("KEYS", "*") == [b"h:500"]


def test_used_memory_comes_back(client):
    def used():
        for line in client.call("INFO", "memory").split(b"\r\n"):
            if line.startswith(b"used_memory:"):
                return int(line.split(b":")[1])
        raise AssertionError("INFO has no used_memory")

    client.call("HSETEX", "warm", "PX", 10, "FIELDS", 1, "a", "1")
    client.call("DEBUG", "CLOCK", "ADVANCE", 20)
    before = used()
    for _ in range(3):
        for begin in range(0, 20_000, 1000):
            client.call("HSETEX", "h", "PX", 100_000, "FIELDS", 1000,
                        *[text for number in range(begin, begin + 1000) for text in (f"field:{number}", "x" * 30)])
        assert used() > before + 20_000 * 40
        client.call("DEBUG", "CLOCK", "ADVANCE", 100_002)
        assert client.call("DBSIZE") == 0
    for _ in range(200):
        if used() < before + 100_000:
            return
    raise AssertionError(f"used_memory is {used()}, before it was {before}")




def effects(commands, setup=ABC_SOON, then=None):
    """What the commands propagate, lines; then(local) adds to it."""
    with Local("enable-debug-command yes") as local:
        found = propagated(local, commands, setup)
        if then:
            then(local)
            found += [b" ".join(argv).decode() for _, argv in local.notes.take()]
        return found


def test_counter_with_a_ttl_keeps_it_where_its_effect_arrives():
    """Whatever names the effect: replayed, it gives the same value and the same TTL."""
    lines = effects("HINCRBYFLOAT h a 0.5")
    with Local() as local:
        client = local.client()
        for line in ["HSET h a 1", f"HPEXPIREAT h {NOW_MS + 5000} FIELDS 1 a", *lines]:
            assert not isinstance(client.call(*line.split()), Error)
        assert client.call("HGET", "h", "a") == b"1.5"
        assert client.call("HPEXPIRETIME", "h", "FIELDS", 1, "a") == [NOW_MS + 5000]


def test_expired_fields_are_deleted_where_the_effects_arrive():
    assert effects("PING", then=lambda local: local.advance(5001)) == ["HDEL h a"]
    assert effects("PING", "HSETEX h PX 10 FIELDS 1 a 1", then=lambda local: local.advance(11)) in (
        ["HDEL h a"], ["DEL h"], ["UNLINK h"])

    def look(local):
        local.advance(5001)
        local.client().call("HGET", "h", "a")

    assert effects("DEBUG SET-ACTIVE-EXPIRE 0", then=look) == ["HDEL h a"]


@pytest.fixture(params=EFFECTS_UNDER.values(), ids=EFFECTS_UNDER)
def local(request):
    with Local(f"enable-debug-command yes\n{request.param}") as local:
        yield local


def test_a_replica_hides_fields_but_removes_none(local):
    """CLIENT PAUSE WRITE stops expiry as being a replica does."""
    client = local.client()
    client.call("HSET", "h", "a", "1", "b", "2")
    client.call("HPEXPIRE", "h", "10", "FIELDS", "1", "a")
    client.call("CLIENT", "PAUSE", "1000", "WRITE")
    local.notes.take()
    local.advance(20)
    assert client.call("HGET", "h", "a") is None
    assert client.call("HMGET", "h", "a", "b") == [None, b"2"]
    assert client.call("HGETALL", "h") == [b"b", b"2"]
    assert client.call("HRANDFIELD", "h", "-3") == [b"b"] * 3
    assert client.call("HRANDFIELD", "h", "5") == [b"b"]
    assert client.call("HTTL", "h", "FIELDS", "2", "a", "b") == [-2, -1]
    assert client.call("HLEN", "h") == 2
    assert local.notes.take() == []
    client.call("CLIENT", "UNPAUSE")
    local.advance(0)
    assert client.call("HLEN", "h") == 1
    assert local.notes.take() == [(0, [b"HDEL", b"h", b"a"])]


WAYS = {
    "DEL": "DEL h",
    "expiry of the key": "PEXPIRE h 10 | DEBUG CLOCK ADVANCE 20",
    "expiry of the fields": "DEBUG CLOCK ADVANCE 100000 | DEL h",
    "SET": "SET h v | DEL h",
    "RENAME over it": "SET k v | RENAME k h | DEL h",
    "RENAME": "RENAME h k | DEL k",
    "MOVE": "MOVE h 1 | SELECT 1 | DEL h | SELECT 0",
    "COPY REPLACE": "COPY h k | COPY k h REPLACE | DEL h k",
    "SWAPDB": "SWAPDB 0 1 | FLUSHALL",
    "FLUSHDB": "FLUSHDB",
}


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_nothing_is_left(local, way):
    """All memory comes back, and no deadline of what is gone is worked off."""
    def once():
        client = local.client()
        for start in range(0, 400, 40):
            pairs = [word for number in range(start, start + 40) for word in (f"field:{number}", "x" * number)]
            client.call("HSET", "h", *pairs)
            client.call("HPEXPIRE", "h", 50_000 + start, "FIELDS", "20", *pairs[::4])
        for line in way.split(" | "):
            client.call(*line.split())
        local.advance(100_000)
        assert client.call("DBSIZE") == 0
        client.close()
        return local.settled_memory()

    once()
    before = once()
    assert once() == before
