"""Set commands, on each encoding: intset, listpack (fastredis and Redis from 7.2 on) and hashtable."""
from collections import Counter

import pytest

from tests.local import Local
from tests.rows import (
    BAD_CURSOR,
    NEGATIVE_LIMIT,
    NOT_INTEGER,
    NOT_POSITIVE,
    NUMKEYS_TOO_SMALL,
    OK,
    QUEUED,
    SYNTAX,
    WRONGTYPE,
    Advance,
    Any,
    Between,
    Case,
    Error,
    Holding,
    Matching,
    Status,
    Unordered,
    event,
    in_each,
    listen,
    wrong_args,
)

TOO_MANY_KEYS = Error("ERR Number of keys can't be greater than number of args")
EMPTY = set()
FAR = 33177117420
EVENTS = listen()
LONG = b"x" * 65                            # one byte more than set-max-listpack-value allows

# Redis 7.0 has no set-max-listpack-entries: its sets go from intset to hashtable.
ENCODINGS = {
    "by default": [],
    "no intset": [("CONFIG SET set-max-intset-entries 0", OK)],
    "hashtable": [("CONFIG SET set-max-intset-entries 0", OK), ("CONFIG SET set-max-listpack-entries 0", Any())],
}


def members(numbers):
    """The members that a range of numbers stands for."""
    return {str(number) for number in numbers}


ON_EACH_ENCODING = {
    "SADD SCARD SISMEMBER SMISMEMBER SMEMBERS of words": [
        ("SADD k foo", 1), ("SADD k bar", 1), ("SADD k bar", 0), ("SCARD k", 2), ("SISMEMBER k foo", 1),
        ("SISMEMBER k bla", 0), ("SMISMEMBER k foo bla bar foo", [1, 0, 1, 1]), ("SMEMBERS k", {"foo", "bar"}),
    ],
    "SADD SCARD SISMEMBER SMISMEMBER SMEMBERS of numbers": [
        ("SADD k 17", 1), ("SADD k 16", 1), ("SADD k 16", 0), ("SCARD k", 2), ("SISMEMBER k 16", 1),
        ("SISMEMBER k 18", 0), ("SMISMEMBER k 16 18 17", [1, 0, 1]), ("SMEMBERS k", {"16", "17"}),
    ],
    "SADD of several members counts the new ones": [
        ("SADD k a b c", 3), ("SADD k a d b e d", 2), ("SADD k a a", 0), ("SMEMBERS k", {"a", "b", "c", "d", "e"}),
        ("SADD n 1 1 1", 1), ("SADD n 1 2 3 2", 2), ("SADD n 4 x 5 x", 3), ("SCARD n", 6),
    ],
    "A member is any bytes": [
        (r'SADD k "" "\x00" "\r\n" "\xff\xfe" "a\x00b"', 5), ('SISMEMBER k ""', 1), (r'SISMEMBER k "a\x00b"', 1),
        (r'SISMEMBER k "a\x00c"', 0), ("SMEMBERS k", {b"", b"\x00", b"\r\n", b"\xff\xfe", b"a\x00b"}),
        (r'SREM k "" "\x00"', 2), ('SISMEMBER k ""', 0), ("SCARD k", 3),
    ],
    "Members may be long": [
        (("SADD", "k", b"a" * 63, b"b" * 64, b"c" * 252, b"d" * 253, b"e" * 254, b"f" * 255, b"g" * 70000), 7),
        (("SISMEMBER", "k", b"d" * 253), 1), (("SISMEMBER", "k", b"e" * 254), 1), (("SISMEMBER", "k", b"f" * 254), 0),
        (("SREM", "k", b"g" * 70000, b"c" * 252), 2),
        ("SMEMBERS k", {b"a" * 63, b"b" * 64, b"d" * 253, b"e" * 254, b"f" * 255}),
    ],
    "Numbers in another writing are other members": [
        ('SADD k 1 01 +1 " 1" 1.0 -0 0 ""', 8), ("SISMEMBER k 1", 1), ("SISMEMBER k 001", 0), ("SISMEMBER k -0", 1),
        ("SREM k 1", 1), ("SMEMBERS k", {"01", "+1", " 1", "1.0", "-0", "0", ""}),
    ],
    "Numbers of every width": [
        ("SADD k 127 128 -128 -129 32767 32768 -32768 -32769 2147483647 2147483648 -2147483648 -2147483649", 12),
        ("SADD k 9223372036854775807 -9223372036854775808", 2), ("SADD k 9223372036854775807 128 -129", 0),
        ("SADD k 9223372036854775808", 1), ("SISMEMBER k -9223372036854775808", 1),
        ("SMEMBERS k", {"127", "128", "-128", "-129", "32767", "32768", "-32768", "-32769", "2147483647",
                        "2147483648", "-2147483648", "-2147483649", "9223372036854775807", "-9223372036854775808",
                        "9223372036854775808"}),
    ],
    "SREM": [
        ("SADD k foo bar ciao", 3), ("SREM k qux", 0), ("SREM k foo", 1), ("SMEMBERS k", {"bar", "ciao"}),
        ("SREM k bar bar x", 1), ("SREM none a", 0), ("SADD n 3 4 5 6", 4), ("SREM n 9", 0), ("SREM n 4 x 3", 2),
        ("SMEMBERS n", {"5", "6"}),
    ],
    "SREM of the last member removes the key": [
        ("SADD k a b 1", 3), ("SREM k a b c 1 d", 3), ("EXISTS k", 0), ("TYPE k", Status("none")), ("SADD n 1", 1),
        ("SREM n 1", 1), ("EXISTS n", 0), ("SCARD n", 0), ("DBSIZE", 0),
    ],
    "Commands on a missing key": [
        ("SCARD k", 0), ("SISMEMBER k a", 0), ("SMISMEMBER k a b", [0, 0]), ("SMEMBERS k", EMPTY), ("SREM k a", 0),
        ("SPOP k", None), ("SPOP k 3", EMPTY), ("SPOP k 0", EMPTY), ("SRANDMEMBER k", None), ("SRANDMEMBER k 3", []),
        ("SRANDMEMBER k -3", []), ("SSCAN k 0", ["0", []]), ("SMOVE k d a", 0), ("SINTER k", EMPTY),
        ("SUNION k", EMPTY), ("SDIFF k", EMPTY), ("SINTERCARD 1 k", 0), ("DBSIZE", 0),
    ],
    "Commands on a key of another type": [
        ("SET k v", OK), ("SADD k a", WRONGTYPE), ("SREM k a", WRONGTYPE), ("SCARD k", WRONGTYPE),
        ("SISMEMBER k a", WRONGTYPE), ("SMISMEMBER k a", WRONGTYPE), ("SMEMBERS k", WRONGTYPE), ("SPOP k", WRONGTYPE),
        ("SPOP k 1", WRONGTYPE), ("SPOP k 0", WRONGTYPE), ("SRANDMEMBER k", WRONGTYPE), ("SRANDMEMBER k 1", WRONGTYPE),
        ("SRANDMEMBER k -1", WRONGTYPE), ("SSCAN k 0", WRONGTYPE), ("SMOVE k d a", WRONGTYPE), ("SINTER k", WRONGTYPE),
        ("SUNION k", WRONGTYPE), ("SDIFF k", WRONGTYPE), ("SINTERCARD 1 k", WRONGTYPE), ("SINTERSTORE d k", WRONGTYPE),
        ("SUNIONSTORE d k", WRONGTYPE), ("SDIFFSTORE d k", WRONGTYPE), ("GET k", "v"), ("EXISTS d", 0),
    ],
    "String, list and generic commands on a set": [
        ("SADD k a 1", 2), ("GET k", WRONGTYPE), ("APPEND k x", WRONGTYPE), ("INCR k", WRONGTYPE),
        ("GETSET k x", WRONGTYPE), ("LPUSH k x", WRONGTYPE), ("HSET k f v", WRONGTYPE), ("ZADD k 1 x", WRONGTYPE),
        ("TYPE k", Status("set")), ("EXISTS k", 1), ("SCARD k", 2), ("SET k v", OK), ("GET k", "v"),
    ],
    # SMOVE
    "SMOVE": [
        ("SADD a 1 x 2", 3), ("SADD b y 3", 2), ("SMOVE a b x", 1), ("SMEMBERS a", {"1", "2"}),
        ("SMEMBERS b", {"x", "y", "3"}), ("SMOVE a b 1", 1), ("SMOVE a b 1", 0), ("SMOVE b a 1", 1),
        ("SMOVE a b nosuch", 0), ("SMOVE none b x", 0), ("SMEMBERS a", {"1", "2"}),
    ],
    "SMOVE of a member that the destination has": [
        ("SADD a x y", 2), ("SADD b x z", 2), ("SMOVE a b x", 1), ("SMEMBERS a", {"y"}), ("SMEMBERS b", {"x", "z"}),
    ],
    "SMOVE creates the destination and removes the source": [
        ("SADD a x 1", 2), ("SMOVE a b x", 1), ("SMEMBERS b", {"x"}), ("SMOVE a b 1", 1), ("EXISTS a", 0),
        ("SMEMBERS b", {"x", "1"}),
    ],
    "SMOVE within one set": [
        ("SADD a x 1", 2), ("SMOVE a a x", 1), ("SMOVE a a 1", 1), ("SMOVE a a none", 0), ("SMEMBERS a", {"x", "1"}),
    ],
    "SMOVE and other types": [
        ("SADD a x", 1), ("SET s v", OK), ("SMOVE a s x", WRONGTYPE), ("SMOVE a s none", WRONGTYPE),
        ("SMOVE s a x", WRONGTYPE), ("SMOVE none s x", 0), ("SMOVE s s x", WRONGTYPE), ("SMEMBERS a", {"x"}),
    ],
    # chance
    "SPOP of a whole set reads it": [
        ("SADD k a b", 2), ("SADD l a", 1), ("CONFIG RESETSTAT", OK), ("SPOP l", "a"), ("SPOP k 0", EMPTY),
        ("SPOP none 2", EMPTY), ("INFO stats", Holding("keyspace_hits:0\r\n", "keyspace_misses:0\r\n")),
        ("SPOP k 2", {"a", "b"}), ("INFO stats", Holding("keyspace_hits:1\r\n", "keyspace_misses:0\r\n")),
    ],
    "SPOP of one member": [
        ("SADD k a 1 b", 3), ("SPOP k", Matching("[ab1]")), ("SPOP k", Matching("[ab1]")), ("SCARD k", 1),
        ("SPOP k", Matching("[ab1]")), ("SPOP k", None), ("EXISTS k", 0),
    ],
    "SPOP with a count": [
        ("SADD k a b c 1 2", 5), ("SPOP k 0", EMPTY), ("SCARD k", 5), ("SPOP k 5", {"a", "b", "c", "1", "2"}),
        ("EXISTS k", 0), ("SADD k 1 2 3", 3), ("SPOP k 100", {"1", "2", "3"}), ("EXISTS k", 0),
    ],
    "SPOP with counts of every part of a set": [
        (("SADD", "k", *range(100)), 100), ("SPOP k 1", lambda reply: len(set(reply)) == 1), ("SCARD k", 99),
        ("SPOP k 9", lambda reply: len(set(reply)) == 9), ("SCARD k", 90),
        ("SPOP k 60", lambda reply: len(set(reply)) == 60), ("SCARD k", 30),
        ("SPOP k 29", lambda reply: len(set(reply)) == 29), ("SCARD k", 1),
        ("SPOP k 1", lambda reply: len(reply) == 1), ("EXISTS k", 0),
    ],
    "SPOP and SRANDMEMBER check the count first": [
        ("SET k v", OK), ("SPOP k -1", NOT_POSITIVE), ("SPOP k x", NOT_POSITIVE), ("SPOP k 1.5", NOT_POSITIVE),
        ("SPOP k 9223372036854775808", NOT_POSITIVE), ("SPOP none -1", NOT_POSITIVE), ("SPOP k 1 2", SYNTAX),
        ("SPOP none 1 2", SYNTAX), ("SRANDMEMBER k x", NOT_INTEGER), ("SRANDMEMBER none 1.0", NOT_INTEGER),
        ("SRANDMEMBER k 1 2", SYNTAX),
        ("SRANDMEMBER none 9223372036854775808", NOT_INTEGER),
    ],
    "SRANDMEMBER of one member": [
        ("SADD k a 1", 2), ("SRANDMEMBER k", Matching("[a1]")), ("SRANDMEMBER k", Matching("[a1]")), ("SCARD k", 2),
    ],
    "SRANDMEMBER with a count": [
        ("SADD k a b c 1", 4), ("SRANDMEMBER k 0", []), ("SRANDMEMBER k 4", Unordered(["a", "b", "c", "1"])),
        ("SRANDMEMBER k 100", Unordered(["a", "b", "c", "1"])),
        ("SRANDMEMBER k 3", lambda reply: len(reply) == len(set(reply)) == 3 and set(reply) < {b"a", b"b", b"c", b"1"}),
        ("SRANDMEMBER k 1", lambda reply: len(reply) == 1), ("SCARD k", 4),
    ],
    "SRANDMEMBER with a negative count repeats members": [
        ("SADD k a 1", 2), ("SRANDMEMBER k -1", lambda reply: len(reply) == 1),
        ("SRANDMEMBER k -100", lambda reply: len(reply) == 100 and set(reply) == {b"a", b"1"}), ("SCARD k", 2),
    ],
    "SRANDMEMBER refuses the lowest counts": [
        ("SADD k a", 1), ("SRANDMEMBER k -9223372036854775808", Error(
            "ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807")),
    ],
    # union, intersection, difference
    "SINTER SUNION SDIFF of numbers": [
        (("SADD", "a", *range(200)), 200), (("SADD", "b", *range(195, 300)), 105), ("SADD c 199 195 1000 2000", 4),
        ("SADD d 1 50 199", 3), ("SINTER a b", {"195", "196", "197", "198", "199"}), ("SINTER a b c", {"195", "199"}),
        ("SUNION a b", members(range(300))), ("SUNION d c none d", {"1", "50", "199", "195", "1000", "2000"}),
        ("SDIFF a b", members(range(195))), ("SDIFF c a", {"1000", "2000"}), ("SDIFF c a b", {"1000", "2000"}),
        ("SDIFF d a b c", EMPTY), ("SDIFF d none c", {"1", "50"}), ("SINTER a a a", members(range(200))),
        ("SUNION a a", members(range(200))), ("SDIFF a a", EMPTY), ("SDIFF b a b", EMPTY),
    ],
    "SINTER SUNION SDIFF of words": [
        ("SADD a foo bar 1 x", 4), ("SADD b bar x y 1", 4), ("SADD c 1 2 3", 3), ("SINTER a b", {"bar", "1", "x"}),
        ("SINTER a b c", {"1"}), ("SINTER c b a", {"1"}), ("SUNION a c", {"foo", "bar", "1", "x", "2", "3"}),
        ("SDIFF a b", {"foo"}), ("SDIFF b a", {"y"}), ("SDIFF a c", {"foo", "bar", "x"}), ("SDIFF a b c", {"foo"}),
        ("SDIFF c a", {"2", "3"}), ("SINTER a", {"foo", "bar", "1", "x"}), ("SUNION c", {"1", "2", "3"}),
        ("SDIFF c", {"1", "2", "3"}),
    ],
    "A missing key is an empty set": [
        ("SADD a x 1", 2), ("SINTER a none", EMPTY), ("SINTER none a", EMPTY), ("SINTER none nine", EMPTY),
        ("SUNION a none", {"x", "1"}), ("SUNION none nine", EMPTY), ("SDIFF a none", {"x", "1"}),
        ("SDIFF none a", EMPTY), ("SINTERCARD 2 a none", 0), ("SINTERCARD 2 none a", 0),
    ],
    "A key of another type is refused wherever it stands": [
        ("SADD a x", 1), ("SET s v", OK), ("SINTER a s", WRONGTYPE), ("SINTER none s", WRONGTYPE),
        ("SINTER s none", WRONGTYPE), ("SUNION a s", WRONGTYPE), ("SUNION none s", WRONGTYPE),
        ("SDIFF a s", WRONGTYPE), ("SDIFF none s", WRONGTYPE), ("SDIFF s none", WRONGTYPE),
        ("SINTERCARD 2 none s", WRONGTYPE), ("SINTERCARD 2 s none", WRONGTYPE), ("SINTERSTORE d none s", WRONGTYPE),
        ("SUNIONSTORE d a s", WRONGTYPE), ("SDIFFSTORE d none s", WRONGTYPE), ("EXISTS d", 0),
    ],
    "SINTERSTORE SUNIONSTORE SDIFFSTORE": [
        ("SADD a 1 2 3 x", 4), ("SADD b 2 3 4 y", 4), ("SINTERSTORE d a b", 2), ("SMEMBERS d", {"2", "3"}),
        ("SUNIONSTORE d a b", 6), ("SMEMBERS d", {"1", "2", "3", "4", "x", "y"}), ("SDIFFSTORE d a b", 2),
        ("SMEMBERS d", {"1", "x"}), ("SDIFFSTORE d a", 4), ("SMEMBERS d", {"1", "2", "3", "x"}),
        ("SINTERSTORE d a", 4), ("SUNIONSTORE d none b none", 4), ("SMEMBERS d", {"2", "3", "4", "y"}),
    ],
    "A result that is empty removes the destination": [
        ("SADD a 1 x", 2), ("SADD b 2 y", 2), ("SADD d z", 1), ("SINTERSTORE d a b", 0), ("EXISTS d", 0),
        ("SADD d z", 1), ("SINTERSTORE d none a", 0), ("EXISTS d", 0), ("SADD d z", 1), ("SUNIONSTORE d none nine", 0),
        ("EXISTS d", 0), ("SADD d z", 1), ("SDIFFSTORE d a a", 0), ("EXISTS d", 0), ("SET d v", OK),
        ("SDIFFSTORE d none a", 0), ("EXISTS d", 0), ("SET d v", OK), ("SINTERSTORE d a none", 0), ("EXISTS d", 0),
    ],
    "The destination may be of any type and loses its TTL": [
        ("SADD a 1 x", 2), ("SET d v EX 100", OK), ("SUNIONSTORE d a", 2), ("TTL d", -1), ("SMEMBERS d", {"1", "x"}),
        ("EXPIRE d 100", 1), ("SINTERSTORE d a a", 2), ("TTL d", -1), ("SET d v", OK), ("SDIFFSTORE d a none", 2),
        ("TYPE d", Status("set")), ("EXPIRE a 100", 1), ("SUNIONSTORE d a", 2), ("TTL d", -1), ("TTL a", 100),
    ],
    "The destination may be a source": [
        ("SADD a 1 2 x", 3), ("SADD b 2 x y", 3), ("SUNIONSTORE a a b", 4), ("SMEMBERS a", {"1", "2", "x", "y"}),
        ("SDIFFSTORE a a b", 1), ("SMEMBERS a", {"1"}), ("SUNIONSTORE a b a", 4), ("SINTERSTORE a b a", 3),
        ("SMEMBERS a", {"2", "x", "y"}), ("SDIFFSTORE a a a", 0), ("EXISTS a", 0),
    ],
    "SINTERCARD": [
        ("SADD a a b c d 1", 5), ("SADD b c d 1 e", 4), ("SADD c 1 d", 2), ("SINTERCARD 1 a", 5),
        ("SINTERCARD 2 a b", 3), ("SINTERCARD 3 a b c", 2), ("SINTERCARD 2 a b LIMIT 0", 3),
        ("SINTERCARD 2 a b LIMIT 2", 2), ("SINTERCARD 2 a b limit 10", 3), ("SINTERCARD 3 a b c LIMIT 1", 1),
        ("SINTERCARD 2 a a LIMIT 5", 5), ("SINTERCARD 2 a b LIMIT 1 LIMIT 2", 2),
    ],
    "SDIFFCARD": Case([
        ("SADD a a b c d 1", 5), ("SADD b c d 2", 3), ("SADD c a", 1), ("SDIFFCARD 1 a", 5), ("SDIFFCARD 2 a b", 3),
        ("SDIFFCARD 3 a b c", 2), ("SDIFFCARD 2 b a", 1), ("SDIFFCARD 2 a a", 0), ("SDIFFCARD 2 a none", 5),
        ("SDIFFCARD 2 none a", 0), ("SDIFFCARD 2 a b LIMIT 0", 3), ("SDIFFCARD 2 a b LIMIT 2", 2),
        ("SDIFFCARD 2 a b limit 100", 3), ("SDIFFCARD 1 a LIMIT 4", 4), ("SDIFFCARD 1 none", 0),
    ], since="8.10"),
    "SUNIONCARD": Case([
        ("SADD a a b c d 1", 5), ("SADD b c d 2", 3), ("SADD c 1 2 3", 3), ("SUNIONCARD 1 a", 5),
        ("SUNIONCARD 2 a b", 6), ("SUNIONCARD 3 a b c", 7), ("SUNIONCARD 2 a a", 5), ("SUNIONCARD 2 none a", 5),
        ("SUNIONCARD 2 none nine", 0), ("SUNIONCARD 2 a b LIMIT 0", 6), ("SUNIONCARD 2 a b LIMIT 3", 3),
        ("SUNIONCARD 2 a b LIMIT 100", 6), ("SUNIONCARD 1 c LIMIT 2", 2),
    ], since="8.10"),
    "SUNIONCARD APPROX is near": Case([
        (("SADD", "a", *range(2000)), 2000), (("SADD", "b", *range(1000, 3000)), 2000), ("SADD c x y z", 3),
        ("SUNIONCARD 2 a b APPROX", Between(2850, 3150)), ("SUNIONCARD 1 c APPROX", 3),
        ("SUNIONCARD 2 a b APPROX LIMIT 100", Between(95, 100)),
        ("SUNIONCARD 2 a b LIMIT 0 approx", Between(2850, 3150)),
        ("SUNIONCARD 1 none APPROX", 0),
    ], since="8.10"),
    # SSCAN
    "SSCAN of a small set": [
        ("SADD k a b 1", 3), ("SSCAN k 0", ["0", Unordered(["a", "b", "1"])]),
        ("SSCAN k 0 COUNT 100", ["0", Unordered(["a", "b", "1"])]), ("SSCAN k 0 MATCH [ab] COUNT 100",
                                                                     ["0", Unordered(["a", "b"])]),
        ("SSCAN k 0 count 100 match 1", ["0", ["1"]]), ("SSCAN k 0 COUNT 100 MATCH x*", ["0", []]),
        ("SSCAN k 0 MATCH * COUNT 9 COUNT 100", ["0", Unordered(["a", "b", "1"])]),
        ("SADD n 3 1 2 -7", 4), ("SSCAN n 0 COUNT 100", ["0", Unordered(["1", "2", "3", "-7"])]),
        ("SSCAN n 0 COUNT 100 MATCH -*", ["0", ["-7"]]),
    ],
    "SSCAN refuses bad arguments": [
        ("SADD k a", 1), ("SSCAN k x", BAD_CURSOR), ("SSCAN k 18446744073709551616", BAD_CURSOR),
        ("SSCAN k 0 COUNT 0", SYNTAX),
        ("SSCAN k 0 COUNT -1", SYNTAX), ("SSCAN k 0 COUNT x", NOT_INTEGER), ("SSCAN k 0 COUNT", SYNTAX),
        ("SSCAN k 0 MATCH", SYNTAX), ("SSCAN k 0 X", SYNTAX), ("SSCAN k 0 TYPE set", SYNTAX),
        ("SSCAN k", wrong_args("sscan")),
        ("SSCAN none x", BAD_CURSOR), ("SSCAN none 0 COUNT x", ["0", []]), ("SSCAN none 0 X", ["0", []]),
        ("SET s v", OK), ("SSCAN s x", BAD_CURSOR), ("SSCAN s 0 X", WRONGTYPE),
    ],
    # the key
    "COPY RENAME MOVE TYPE of a set": [
        ("SADD k a 1 b", 3), ("COPY k l", 1), ("SADD l z", 1), ("SMEMBERS k", {"a", "1", "b"}),
        ("SMEMBERS l", {"a", "1", "b", "z"}), ("RENAME k m", OK), ("SMEMBERS m", {"a", "1", "b"}), ("MOVE m 3", 1),
        ("EXISTS m", 0), ("SELECT 3", OK), ("SMEMBERS m", {"a", "1", "b"}), ("TYPE m", Status("set")),
        ("COPY m m DB 0", 1), ("SREM m a 1 b", 3), ("SELECT 0", OK), ("SMEMBERS m", {"a", "1", "b"}), ("DEL m l", 2),
    ],
    "COPY of numbers": [
        ("SADD k 1 70000 -3", 3), ("COPY k l", 1), ("SREM k 1", 1), ("SMEMBERS l", {"1", "70000", "-3"}),
        ("SADD l 5000000000", 1), ("SMEMBERS k", {"70000", "-3"}), ("UNLINK k l", 2),
    ],
    "COPY REPLACE, and RENAME over another type": [
        ("SADD k a", 1), ("SET s v", OK), ("COPY k s", 0), ("COPY k s REPLACE", 1), ("SMEMBERS s", {"a"}),
        ("SET t v", OK), ("RENAME s t", OK), ("SMEMBERS t", {"a"}), ("RENAMENX t k", 0),
    ],
    "SCAN TYPE and OBJECT of a set": [
        ("SADD k a", 1), ("SET s v", OK), ("SCAN 0 COUNT 100 TYPE set", ["0", ["k"]]), ("OBJECT REFCOUNT k", 1),
        ("OBJECT IDLETIME k", Between(0, 1)), ("MEMORY USAGE k", Between(20, 300)),
        ("MEMORY USAGE k SAMPLES 0", Between(20, 300)),
        ("TOUCH k", 1), ("OBJECT ENCODING none", None),
    ],
    "A set keeps its TTL while it changes": [
        ("SADD k a", 1), (f"EXPIREAT k {FAR}", 1), ("SADD k b 1", 2), ("SREM k a", 1), ("SPOP k", Any()),
        ("EXPIRETIME k", FAR), ("SADD l z", 1), ("SMOVE l k z", 1), ("EXPIRETIME k", FAR), ("PERSIST k", 1),
        ("TTL k", -1),
    ],
    "A set that has expired is gone": [
        ("SADD k a b", 2), ("PEXPIRE k 10", 1), Advance(30), ("SCARD k", 0), ("SMEMBERS k", EMPTY), ("SADD k c", 1),
        ("SMEMBERS k", {"c"}), ("TTL k", -1), ("PEXPIRE k 10", 1), Advance(30), ("SREM k c", 0), ("SPOP k", None),
        ("SADD a x", 1), ("SINTER k a", EMPTY), ("SUNION k a", {"x"}), ("SDIFF a k", {"x"}), ("DBSIZE", 1),
    ],
    "FLUSHDB and DEL of a set": [
        (("SADD", "k", *range(600)), 600), (("SADD", "l", *(f"m{i}" for i in range(600))), 600), ("DEL k", 1),
        ("FLUSHDB", OK), ("EXISTS l", 0),
    ],
    # events, WATCH, MULTI
    "Events of SADD, SREM and SMOVE": [
        *EVENTS,
        ("SADD k a b 1", 3), event("sadd", "k"), ("SADD k a", 0), ("SREM k none", 0), ("SREM k a", 1),
        event("srem", "k"), ("SMOVE k l b", 1), event("srem", "k"), event("sadd", "l"), ("SADD k b", 1),
        event("sadd", "k"), ("SMOVE k l b", 1), event("srem", "k"), ("SMOVE k l none", 0), ("SMOVE l l b", 1),
        ("SMOVE k l 1", 1), event("srem", "k"), event("del", "k"), event("sadd", "l"), ("SREM l b 1", 2),
        event("srem", "l"), event("del", "l"), ("SET end 1", OK), event("set", "end"),
    ],
    "Events of SPOP": [
        *EVENTS,
        ("SADD k a b c 1", 4), event("sadd", "k"), ("SPOP k", Any()), event("spop", "k"), ("SPOP k 0", EMPTY),
        ("SPOP k 2", Any()), event("spop", "k"), ("SPOP k", Any()), event("spop", "k"), event("del", "k"),
        ("SPOP k", None), ("SADD k a b", 2), event("sadd", "k"), ("SPOP k 2", Any()), event("spop", "k"),
        event("del", "k"), ("SRANDMEMBER k", None), ("SET end 1", OK), event("set", "end"),
    ],
    "Events of the STORE commands": [
        *EVENTS,
        ("SADD a 1 x", 2), event("sadd", "a"), ("SINTERSTORE d a", 2), event("sinterstore", "d"),
        ("SUNIONSTORE d a", 2), event("sunionstore", "d"), ("SDIFFSTORE d a", 2), event("sdiffstore", "d"),
        ("SINTERSTORE d none", 0), event("del", "d"), ("SINTERSTORE d none", 0), ("SUNIONSTORE d none", 0),
        ("SET d v", OK), event("set", "d"), ("SDIFFSTORE d none", 0), event("del", "d"), ("SET d v", OK),
        event("set", "d"), ("SUNIONSTORE d a", 2), event("sunionstore", "d"), ("SET end 1", OK), event("set", "end"),
    ],
    "WATCH sees what changes a set": [
        ("SADD k a 1", 2), ("WATCH k", OK), ("@2 SADD k b", 1), ("MULTI", OK), ("EXEC", Any()), ("WATCH k", OK),
        ("@2 SREM k b", 1), ("MULTI", OK), ("PING", QUEUED), ("EXEC", lambda reply: type(reply) is not list),
        ("WATCH k", OK), ("@2 SPOP k", Any()), ("MULTI", OK), ("PING", QUEUED),
        ("EXEC", lambda reply: type(reply) is not list), ("WATCH d", OK), ("@2 SUNIONSTORE d k", 1), ("MULTI", OK),
        ("PING", QUEUED), ("EXEC", lambda reply: type(reply) is not list), ("WATCH d", OK),
        ("@2 SINTERSTORE d none", 0), ("MULTI", OK), ("PING", QUEUED), ("EXEC", lambda reply: type(reply) is not list),
    ],
    "WATCH sees both keys of SMOVE": [
        ("SADD a x y", 2), ("WATCH a", OK), ("@2 SMOVE a b x", 1), ("MULTI", OK), ("PING", QUEUED),
        ("EXEC", lambda reply: type(reply) is not list), ("WATCH b", OK), ("@2 SMOVE a b y", 1), ("MULTI", OK),
        ("PING", QUEUED), ("EXEC", lambda reply: type(reply) is not list),
    ],
    "WATCH sees nothing where nothing changes": [
        ("SADD k a 1", 2), ("WATCH k none", OK), ("@2 SADD k a", 0), ("@2 SREM k x", 0), ("@2 SMEMBERS k", {"a", "1"}),
        ("@2 SPOP k 0", EMPTY), ("@2 SMOVE k k a", 1), ("@2 SMOVE k l x", 0), ("@2 SINTERSTORE none k nine", 0),
        ("@2 SRANDMEMBER k 2", Any()), ("MULTI", OK), ("SCARD k", QUEUED), ("EXEC", [2]),
    ],
    "Set commands inside MULTI": [
        ("MULTI", OK), ("SADD k a 1", QUEUED), ("SMEMBERS k", QUEUED), ("SISMEMBER k a", QUEUED),
        ("SREM k a 1", QUEUED),
        ("SMEMBERS k", QUEUED), ("EXISTS k", QUEUED), ("EXEC", [2, {"a", "1"}, 1, 2, EMPTY, 0]),
    ],
}

# Rows about arguments or about encodings, which need no second encoding.
ONCE = {
    "A wrong number of arguments": [
        ("SADD", wrong_args("sadd")), ("SADD k", wrong_args("sadd")), ("SREM", wrong_args("srem")),
        ("SREM k", wrong_args("srem")), ("SCARD", wrong_args("scard")), ("SCARD k l", wrong_args("scard")),
        ("SISMEMBER k", wrong_args("sismember")), ("SISMEMBER k a b", wrong_args("sismember")),
        ("SMISMEMBER", wrong_args("smismember")), ("SMISMEMBER k", wrong_args("smismember")),
        ("SMEMBERS", wrong_args("smembers")), ("SMEMBERS k l", wrong_args("smembers")),
        ("SMOVE a b", wrong_args("smove")), ("SMOVE a b c d", wrong_args("smove")), ("SPOP", wrong_args("spop")),
        ("SRANDMEMBER", wrong_args("srandmember")), ("SINTER", wrong_args("sinter")), ("SUNION", wrong_args("sunion")),
        ("SDIFF", wrong_args("sdiff")), ("SINTERSTORE", wrong_args("sinterstore")),
        ("SINTERSTORE d", wrong_args("sinterstore")), ("SUNIONSTORE d", wrong_args("sunionstore")),
        ("SDIFFSTORE d", wrong_args("sdiffstore")), ("SINTERCARD", wrong_args("sintercard")),
        ("SINTERCARD 1", wrong_args("sintercard")), ("SSCAN k", wrong_args("sscan")), ("DBSIZE", 0),
    ],
    "SINTERCARD checks its arguments before the keys": [
        ("SET s v", OK), ("SINTERCARD 0 s", NUMKEYS_TOO_SMALL), ("SINTERCARD -1 s", NUMKEYS_TOO_SMALL),
        ("SINTERCARD x s", NUMKEYS_TOO_SMALL),
        ("SINTERCARD 1.5 s", NUMKEYS_TOO_SMALL), ("SINTERCARD 9223372036854775808 s", NUMKEYS_TOO_SMALL),
        ("SINTERCARD 2 s", TOO_MANY_KEYS), ("SINTERCARD 9223372036854775807 s", TOO_MANY_KEYS),
        ("SINTERCARD 3 s LIMIT 1", WRONGTYPE), ("SINTERCARD 1 s a", SYNTAX), ("SINTERCARD 1 s LIMIT", SYNTAX),
        ("SINTERCARD 1 s LIMIT -1", NEGATIVE_LIMIT), ("SINTERCARD 1 s LIMIT x", NEGATIVE_LIMIT),
        ("SINTERCARD 1 s LIMIT -1 LIMIT 1", NEGATIVE_LIMIT), ("SINTERCARD 1 s LIMIT x X", NEGATIVE_LIMIT),
        ("SINTERCARD 1 s X LIMIT x", SYNTAX),
        ("SINTERCARD 1 s LIMIT 1 x", SYNTAX), ("SINTERCARD 1 s LIMIT 1 LIMIT", SYNTAX), ("SINTERCARD 1 s", WRONGTYPE),
    ],
    "SDIFFCARD and SUNIONCARD check their arguments before the keys": Case([
        ("SET s v", OK), ("SADD k a", 1), ("SDIFFCARD 0 s", NUMKEYS_TOO_SMALL), ("SUNIONCARD x s", NUMKEYS_TOO_SMALL),
        ("SDIFFCARD 2 s", TOO_MANY_KEYS), ("SUNIONCARD 3 s k", TOO_MANY_KEYS), ("SDIFFCARD 1 s x", SYNTAX),
        ("SUNIONCARD 1 s x", SYNTAX), ("SDIFFCARD 1 s LIMIT", SYNTAX), ("SUNIONCARD 1 s LIMIT -1", NEGATIVE_LIMIT),
        ("SDIFFCARD 1 s LIMIT x", NEGATIVE_LIMIT), ("SDIFFCARD 1 s APPROX", SYNTAX), ("SDIFFCARD 2 k s", WRONGTYPE),
        ("SUNIONCARD 2 k s", WRONGTYPE), ("SDIFFCARD 2 none s", WRONGTYPE), ("SUNIONCARD 2 s k APPROX", WRONGTYPE),
        ("SDIFFCARD", wrong_args("sdiffcard")), ("SDIFFCARD 1", wrong_args("sdiffcard")),
        ("SUNIONCARD 1", wrong_args("sunioncard")),
    ], since="8.10"),
    "Numbers make an intset": [
        ("SADD k 1 -5 9223372036854775807", 3), ("OBJECT ENCODING k", "intset"), ("SADD k -9223372036854775808", 1),
        ("OBJECT ENCODING k", "intset"), ("SREM k 1 -5", 2), ("OBJECT ENCODING k", "intset"), ("COPY k l", 1),
        ("OBJECT ENCODING l", "intset"), ("RENAME l m", OK), ("OBJECT ENCODING m", "intset"),
    ],
    "SMEMBERS, SINTER and SUNION of an intset are sorted": Case([
        ("SADD k 5 -3 100000 7 9223372036854775807 0", 6),
        ("SMEMBERS k", lambda reply: reply == [b"-3", b"0", b"5", b"7", b"100000", b"9223372036854775807"]),
        ("SADD l 7 0 -3", 3), ("SINTER k l", lambda reply: reply == [b"-3", b"0", b"7"]),
        ("SSCAN k 0", ["0", ["-3", "0", "5", "7", "100000", "9223372036854775807"]]),
    ]),
    "set-max-intset-entries is the largest intset": [
        ("CONFIG SET set-max-intset-entries 4", OK), ("SADD k 1 2 3 4", 4), ("OBJECT ENCODING k", "intset"),
        ("SADD k 4", 0), ("OBJECT ENCODING k", "intset"), ("SADD k 5", 1),
        ("OBJECT ENCODING k", Matching("listpack|hashtable")),
        ("SMEMBERS k", {"1", "2", "3", "4", "5"}), ("SREM k 5 4 3", 3),
        ("OBJECT ENCODING k", Matching("listpack|hashtable")),
    ],
    "512 numbers are an intset, 513 a hashtable": [
        (("SADD", "k", *range(512)), 512), ("OBJECT ENCODING k", "intset"), ("SADD k 512", 1),
        ("OBJECT ENCODING k", "hashtable"), ("SCARD k", 513), ("SMEMBERS k", members(range(513))), ("SREM k 512", 1),
        ("OBJECT ENCODING k", "hashtable"), ("COPY k l", 1), ("OBJECT ENCODING l", "hashtable"),
        ("SMEMBERS l", members(range(512))),
    ],
    "513 numbers at once are a hashtable": [
        (("SADD", "k", *range(513)), 513), ("OBJECT ENCODING k", "hashtable"), ("SMEMBERS k", members(range(513))),
    ],
    "STORE picks the encoding by the result": [
        ("SADD a 1 2 3 x", 4), ("SADD b 1 2 3 y", 4), ("SINTERSTORE d a b", 3), ("OBJECT ENCODING d", "intset"),
        ("SADD n 1 2", 2), ("SUNIONSTORE d n n", 2), ("OBJECT ENCODING d", "intset"), ("SDIFFSTORE d a b", 1),
        ("OBJECT ENCODING d", Matching("listpack|hashtable")), (("SADD", "e", *range(300)), 300),
        (("SADD", "f", *range(300, 600)), 300), ("SUNIONSTORE d e f", 600), ("OBJECT ENCODING d", "hashtable"),
        ("SDIFFSTORE d e f", 300), ("OBJECT ENCODING d", "intset"),
    ],
    # From here on the expectations are those of Redis from 7.2 on, which has the listpack for sets.
    "Words make a listpack": Case([
        ("SADD k a", 1), ("OBJECT ENCODING k", "listpack"), ("SADD k 1 2 b", 3), ("OBJECT ENCODING k", "listpack"),
        ("SADD n 1 2", 2), ("OBJECT ENCODING n", "intset"), ("SADD n x", 1), ("OBJECT ENCODING n", "listpack"),
        ("SREM n x", 1), ("OBJECT ENCODING n", "listpack"), ("SMEMBERS n", {"1", "2"}), ("COPY k l", 1),
        ("OBJECT ENCODING l", "listpack"), ("SMEMBERS l", {"a", "b", "1", "2"}),
    ], since="7.2"),
    "A listpack keeps the order of insertion": Case([
        ("SADD k c a 7 b", 4), ("SMEMBERS k", lambda reply: reply == [b"c", b"a", b"7", b"b"]), ("SREM k a", 1),
        ("SADD k a", 1), ("SMEMBERS k", lambda reply: reply == [b"c", b"7", b"b", b"a"]),
        ("SSCAN k 0", ["0", ["c", "7", "b", "a"]]),
    ], since="7.2"),
    "set-max-listpack-entries is the largest listpack": Case([
        ("CONFIG SET set-max-listpack-entries 4", OK), ("SADD k a b c d", 4), ("OBJECT ENCODING k", "listpack"),
        ("SADD k a", 0), ("OBJECT ENCODING k", "listpack"), ("SADD k e", 1), ("OBJECT ENCODING k", "hashtable"),
        ("SMEMBERS k", {"a", "b", "c", "d", "e"}), ("SREM k a b c d", 4), ("OBJECT ENCODING k", "hashtable"),
        ("SADD l a b c d e", 5), ("OBJECT ENCODING l", "hashtable"), ("SUNIONSTORE d k l", 5),
        ("OBJECT ENCODING d", "hashtable"), ("SINTERSTORE d k l", 1), ("OBJECT ENCODING d", "listpack"),
    ], since="7.2"),
    "set-max-listpack-value is the longest member of a listpack": Case([
        (("SADD", "k", b"x" * 64), 1), ("OBJECT ENCODING k", "listpack"), (("SADD", "k", LONG), 1),
        ("OBJECT ENCODING k", "hashtable"), (("SREM", "k", LONG), 1), ("OBJECT ENCODING k", "hashtable"),
        (("SADD", "l", LONG), 1), ("OBJECT ENCODING l", "hashtable"), ("CONFIG SET set-max-listpack-value 5", OK),
        ("SADD m abcde", 1), ("OBJECT ENCODING m", "listpack"), ("SADD m abcdef", 1),
        ("OBJECT ENCODING m", "hashtable"),
    ], since="7.2"),
    "A word makes of a large intset a hashtable": Case([
        (("SADD", "k", *range(128)), 128), ("OBJECT ENCODING k", "intset"), ("SADD k x", 1),
        ("OBJECT ENCODING k", "hashtable"), (("SADD", "l", *range(127)), 127), ("SADD l x", 1),
        ("OBJECT ENCODING l", "listpack"), ("SADD l y", 1), ("OBJECT ENCODING l", "hashtable"), ("SADD m 1 2", 2),
        (("SADD", "m", LONG), 1), ("OBJECT ENCODING m", "hashtable"),
    ], since="7.2"),
    "An intset with a lowered limit becomes a listpack": Case([
        ("CONFIG SET set-max-intset-entries 4", OK), ("SADD k 1 2 3 4 5", 5), ("OBJECT ENCODING k", "listpack"),
        ("CONFIG SET set-max-listpack-entries 6", OK), ("SADD l 1 2 3 4 5 6 7", 7), ("OBJECT ENCODING l", "hashtable"),
        ("SADD k 6", 1), ("OBJECT ENCODING k", "listpack"), ("SADD k 7", 1), ("OBJECT ENCODING k", "hashtable"),
        ("SMEMBERS k", members(range(1, 8))),
    ], since="7.2"),
    "SMOVE changes the encodings": Case([
        ("SADD a 1 2", 2), ("SADD b x", 1), ("SMOVE b a x", 1), ("OBJECT ENCODING a", "listpack"), ("EXISTS b", 0),
        ("SMOVE a c 1", 1), ("OBJECT ENCODING c", "intset"), (("SADD", "d", LONG, "1"), 2),
        (("SMOVE", "d", "c", LONG), 1),
        ("OBJECT ENCODING c", "hashtable"), ("OBJECT ENCODING d", "hashtable"),
    ], since="7.2"),
    "SSCAN knows no NOVALUES": Case([
        ("SADD k a", 1), ("SSCAN k 0 NOVALUES", Error("ERR NOVALUES option can only be used in HSCAN")),
    ], since="7.4"),
}


CASES = ONCE | in_each(ON_EACH_ENCODING, ENCODINGS)


def test_rows(row_case):
    row_case.check()


# --- what is propagated; see tests.effect_rows ----------------------------------------

SET = "SADD s a b c"
EFFECTS = {
    "SADD": (SET, "SADD s a | SADD s a d e", "SADD s a d e"),
    "SREM": (SET, "SREM s none | SREM s a none | SREM s b c", "SREM s a none | SREM s b c"),
    "SMOVE": (SET, "SMOVE s t none | SMOVE s t a | SMOVE t t a", "SMOVE s t a"),
    "SPOP of the last member": ("SADD s a", "SPOP s | SPOP s", "SREM s a"),
    "SPOP of all": (SET, "SPOP s 3 | SPOP s 3", "DEL s"),
    "SPOP of all, lazily": (
        f"CONFIG SET lazyfree-lazy-server-del yes | {SET}", "SPOP s 9", "UNLINK s", "redis-server 7.0 says DEL"),
    "SPOP of none": (SET, "SPOP s 0 | SPOP none | SPOP none 3", ""),
    "what only reads": (
        SET, "SMEMBERS s | SINTER s s | SUNION s s | SDIFF s t | SRANDMEMBER s 2 | SSCAN s 0 | SISMEMBER s a", ""),
    "SINTERSTORE": (SET, "SINTERSTORE d s s", "SINTERSTORE d s s"),
    "SUNIONSTORE": (SET, "SUNIONSTORE d s t", "SUNIONSTORE d s t"),
    "SDIFFSTORE": (SET, "SDIFFSTORE d s t", "SDIFFSTORE d s t"),
    "STORE of nothing": (
        "SET d v", "SINTERSTORE d s t | SINTERSTORE d s t | SUNIONSTORE d s t | SDIFFSTORE d s t", "SINTERSTORE d s t"),
}
EFFECTS_UNDER = {"small": "", "hashtable": "set-max-intset-entries 0\nset-max-listpack-entries 0\n"}


def test_effects(effect):
    effect.check()


@pytest.fixture(params=["intset", "words", "hashtable"])
def filled(request, either_target):
    """(client, members) of a set `k` of 60 members in each encoding."""
    names = [b"%d" % number if request.param == "intset" else b"m%d" % number for number in range(60)]
    with either_target.server.client() as client:
        if request.param == "hashtable":
            client.call("SADD", "k", LONG)
            client.call("SREM", "k", LONG)
            client.call("SADD", "k", LONG, "x")
        client.call("SADD", "k", *names)
        client.call("SREM", "k", LONG, "x")
        yield client, set(names)


def sscan_all(client, *options):
    """Every member that SSCAN returns from cursor 0 to cursor 0, as a list."""
    cursor, found = b"0", []
    while True:
        cursor, part = client.call("SSCAN", "k", cursor, *options)
        found += part
        if cursor == b"0":
            return found


@pytest.mark.parametrize("count", [1, 10, 1000])
def test_sscan_returns_every_member_once_at_rest(filled, count):
    client, names = filled
    found = sscan_all(client, "COUNT", count)
    assert len(found) == len(names) and set(found) == names
    assert set(sscan_all(client, "COUNT", count, "MATCH", "*5")) == {name for name in names if name.endswith(b"5")}


@pytest.mark.parametrize("change", ["grow", "shrink"])
def test_sscan_misses_no_member_while_the_set_is_resized(either_target, change):
    stay = {b"stay:%d" % number for number in range(500)}
    other = [b"other:%d" % number for number in range(5000)]
    with either_target.server.client() as client:
        client.call("SADD", "k", *stay)
        if change == "shrink":
            client.call("SADD", "k", *other)
        cursor, found = b"0", set()
        while True:
            cursor, part = client.call("SSCAN", "k", cursor, "COUNT", 20)
            found.update(part)
            if cursor == b"0":
                break
            part, other = other[:200], other[200:]
            if part:
                client.call("SADD" if change == "grow" else "SREM", "k", *part)
        assert stay <= found


def test_srandmember_reaches_every_member_and_is_fair(filled):
    client, names = filled
    singles = Counter(client.pipeline([("SRANDMEMBER", "k")] * 6000))
    many = Counter(client.call("SRANDMEMBER", "k", -6000))
    distinct = Counter(name for part in client.pipeline([("SRANDMEMBER", "k", 20)] * 300) for name in part)
    few = Counter(name for part in client.pipeline([("SRANDMEMBER", "k", 2)] * 3000) for name in part)
    for counts in (singles, many, distinct, few):
        assert set(counts) == names
        # 100 are expected of each; Redis' choice is a little unfair to the members of long chains.
        assert min(counts.values()) > 15 and max(counts.values()) < 400
    assert client.call("SCARD", "k") == len(names)


@pytest.mark.parametrize("count", [1, 7, 30, 59])
def test_spop_takes_distinct_members_until_none_is_left(filled, count):
    client, names = filled
    found = []
    while part := client.call("SPOP", "k", count):
        assert len(part) == min(count, len(names) - len(found))
        found += part
    assert len(found) == len(names) and set(found) == names
    assert client.call("EXISTS", "k") == 0


def test_spop_of_one_reaches_every_member(filled):
    client, names = filled
    found = Counter()
    for _ in range(1500):
        name = client.call("SPOP", "k")
        found[name] += 1
        assert client.call("SADD", "k", name) == 1
    assert set(found) == names
    assert client.call("SCARD", "k") == len(names)


@pytest.mark.parametrize("small, large", [(150, 60_000), (1500, 60_000), (1700, 3500), (3000, 60_000)])
def test_algebra_of_tables_of_very_different_sizes(either_target, small, large):
    """From 256 buckets on, a member's place tells enough to find it in a table of any size without hashing it."""
    few = {b"member:%d" % number for number in range(0, 3 * small, 3)}
    many = {b"member:%d" % number for number in range(0, 2 * large, 2)}
    with either_target.server.client() as client:
        client.call("SADD", "few", *few)
        client.call("SADD", "many", *many)
        assert set(client.call("SINTER", "few", "many")) == few & many
        assert set(client.call("SDIFF", "few", "many")) == few - many
        assert client.call("SINTERCARD", 2, "many", "few") == len(few & many)
        assert client.call("SDIFFSTORE", "d", "many", "few") == len(many - few)
        assert client.call("SUNIONSTORE", "u", "few", "many") == len(few | many)


def test_a_large_set(either_target):
    names = [b"member:%d" % number for number in range(20_000)]
    with either_target.server.client() as client:
        assert client.call("SADD", "k", *names) == len(names)
        assert client.call("OBJECT", "ENCODING", "k") == b"hashtable"
        assert client.call("SMISMEMBER", "k", *names[::7], "none") == [1] * len(names[::7]) + [0]
        assert client.call("SREM", "k", *names[::2]) == len(names) // 2
        assert set(client.call("SMEMBERS", "k")) == set(names[1::2])
        assert client.call("COPY", "k", "l") == 1
        assert client.call("SADD", "l", *names) == len(names) // 2
        assert client.call("SDIFFSTORE", "d", "l", "k") == len(names) // 2
        assert client.call("SINTERCARD", 2, "l", "k", "LIMIT", 100) == 100
        assert client.call("SUNIONSTORE", "u", "d", "k") == len(names)
        assert client.call("UNLINK", "k", "l", "d", "u") == 4
        assert client.call("DBSIZE") == 0


@pytest.fixture(params=EFFECTS_UNDER.values(), ids=EFFECTS_UNDER)
def local(request):
    with Local(f"enable-debug-command yes\n{request.param}") as local:
        yield local


@pytest.mark.parametrize("prefix", ["", "member:"])
@pytest.mark.parametrize("size, count", [
    (5, None), (100, 7), (100, 60), (100, 95), (5000, 3), (5000, 2500), (5000, 4900),
])
def test_spop_is_propagated_as_what_it_took(local, prefix, size, count):
    """SREMs of at most 1024 members, which make a copy of the set the same."""
    client = local.client()
    names = [f"{prefix}{number}".encode() for number in range(size)]
    client.call("SADD", "s", *names)
    local.notes.take()
    reply = client.call("SPOP", "s", *([count] if count else []))
    taken = [reply] if count is None else list(reply)
    lines = [argv for _, argv in local.notes.take() if argv not in ([b"MULTI"], [b"EXEC"])]
    assert all(argv[:2] == [b"SREM", b"s"] and len(argv) <= 2 + 1024 for argv in lines)
    assert [member for argv in lines for member in argv[2:]] == taken
    assert len(lines) == -(-len(taken) // 1024)
    assert len(set(taken)) == len(taken) == (count or 1)
    assert sorted(client.call("SMEMBERS", "s")) == sorted(set(names).difference(taken))


def test_a_few_of_a_large_set_become_a_listpack(local):
    """As in Redis, which makes a new set of what SPOP leaves when that is less than a fifth of what it takes."""
    client = local.client()
    client.call("SADD", "s", *(f"member:{number}" for number in range(300)))
    assert len(client.call("SPOP", "s", "290")) == 290
    small = client.call("CONFIG", "GET", "set-max-listpack-entries")[1] != b"0"
    assert client.call("OBJECT", "ENCODING", "s") == (b"listpack" if small else b"hashtable")
    assert client.call("SCARD", "s") == 10


WAYS = {
    "DEL": "DEL s n l",
    "UNLINK": "UNLINK s n l",
    "SPOP": "SPOP s 100000 | SPOP n 2000 | SPOP n 2900 | SPOP n 200 | DEL l",
    "expiry": "PEXPIRE s 10 | DEL n l",
    "SET": "SET s v | DEL s n l",
    "STORE over it": "SDIFFSTORE s s n l s | SINTERSTORE n n l | SUNIONSTORE l none",
    "algebra": "SUNION s n l | SINTER s n | SDIFF s n l | SUNIONSTORE d s n l | SINTERCARD 2 s n | FLUSHALL",
    "SORT": "SORT n | SORT s ALPHA LIMIT 5 5 | SORT l BY nosort | SORT n BY w* GET # GET h*->f STORE n | FLUSHALL",
    "SORT that fails": "SORT s | SORT s STORE d | SORT n BY l GET none | FLUSHALL",
    "COPY REPLACE": "COPY s k | COPY k s REPLACE | DEL s k n l",
    "SMOVE": "SMOVE l s m1 | SMOVE s x member:1 | SRANDMEMBER s 100 | SRANDMEMBER s -100 | SSCAN s 0 | FLUSHALL",
}


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_nothing_is_left(local, way):
    """All memory comes back."""
    def once():
        client = local.client()
        client.call("SADD", "s", *(f"member:{number}" for number in range(5000)))
        client.call("SADD", "n", *range(5000))
        client.call("SADD", "l", *(f"m{number}" for number in range(100)))
        for line in way.split(" | "):
            client.call(*line.split())
        local.advance(100_000)
        assert client.call("DBSIZE") == 0
        client.close()
        return local.settled_memory()

    once()
    before = once()
    assert once() == before
