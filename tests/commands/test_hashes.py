"""Hash commands without field TTLs: fields, counters, HRANDFIELD, HSCAN, encodings, events."""
import collections
import random

import pytest

from tests.rows import (
    BAD_CURSOR,
    NIL_ARRAY,
    NOT_FLOAT,
    NOT_INTEGER,
    OK,
    QUEUED,
    R3,
    SYNTAX,
    WRONGTYPE,
    Advance,
    Any,
    Between,
    Case,
    Error,
    Matching,
    Status,
    Unordered,
    fields,
    heard,
    in_each,
    listen,
    wrong_args,
)

LISTEN = listen()
HASH_NOT_INTEGER = Error("ERR hash value is not an integer")
HASH_NOT_FLOAT = Error("ERR hash value is not a float")
OVERFLOW = Error("ERR increment or decrement would overflow")
INFINITE = Error("ERR value is NaN or Infinity")
BECOMES_INFINITE = Error("ERR increment would produce NaN or Infinity")
OUT_OF_RANGE = Error("ERR value is out of range")

ABC = ("HSET h a 1 b 2 c 3", 3)
BIG = "x" * 5000
HASHTABLE = [("CONFIG SET hash-max-listpack-entries 0", OK)]


def pairs_reply(*pairs):
    """Pairs of HRANDFIELD WITHVALUES: one flat array in RESP2, an array of pairs in RESP3."""
    return R3([text for pair in pairs for text in pair], [list(pair) for pair in pairs])


# Each of these runs on a listpack and on a hashtable.
IN_EACH_ENCODING = {
    "HSET and HGET": [
        ("HGET h a", None), ("HSET h a 1", 1), ("HGET h a", "1"), ("HSET h a 2", 0), ("HGET h a", "2"),
        ("HSET h a 3 b 4 c 5", 2), fields({"a": "3", "b": "4", "c": "5"}), ("HGET h none", None), ("HLEN h", 3),
        ("HSET h d 1 d 2", 1), ("HGET h d", "2"), ("HSET h D 3", 1), ("HGET h d", "2"),
    ],
    "HMSET": [("HMSET h a 1 b 2", OK), ("HMSET h a 3", OK), fields({"a": "3", "b": "2"})],
    "HSETNX": [
        ("HSETNX h a 1", 1), ("HSETNX h a 2", 0), ("HGET h a", "1"), ("HSETNX h b 2", 1), ("HLEN h", 2),
    ],
    "HMGET": [
        ("HMGET h a b", [None, None]), ABC, ("HMGET h a none c a", ["1", None, "3", "1"]), ("HMGET h b", ["2"]),
    ],
    "HDEL": [
        ("HDEL h a", 0), ABC, ("HDEL h none", 0), ("HDEL h a none a", 1), ("HLEN h", 2), ("HDEL h b c", 2),
        ("EXISTS h", 0), ("HDEL h b", 0), ("HSET h a 1", 1), ("HDEL h a b c", 1), ("TYPE h", Status("none")),
    ],
    "HEXISTS, HLEN, HSTRLEN": [
        ("HEXISTS h a", 0), ("HLEN h", 0), ("HSTRLEN h a", 0), ("HSET h a hello b 12345678 c -1", 3),
        ("HEXISTS h a", 1), ("HEXISTS h none", 0), ("HLEN h", 3), ("HSTRLEN h a", 5), ("HSTRLEN h b", 8),
        ("HSTRLEN h c", 2), ("HSTRLEN h none", 0), ('HSET h d ""', 1), ("HSTRLEN h d", 0), ("HEXISTS h d", 1),
        ("HSET h e -9223372036854775808 f 9223372036854775808", 2), ("HSTRLEN h e", 20), ("HSTRLEN h f", 19),
    ],
    "HKEYS, HVALS, HGETALL": [
        ("HKEYS h", []), ("HVALS h", []), ("HGETALL h", {}), ABC, ("HKEYS h", Unordered(["a", "b", "c"])),
        ("HVALS h", Unordered(["1", "2", "3"])), fields({"a": "1", "b": "2", "c": "3"}), ("HDEL h a b", 2),
        ("HKEYS h", ["c"]), ("HVALS h", ["3"]), ("HGETALL h", {"c": "3"}),
    ],
    "Fields and values of any bytes": [
        (r'HSET h "" "" "a\x00b" "\r\n" "\xff" "v\x00" 12 34 007 -5 1.5 1e3', 6), ('HGET h ""', ""),
        (r'HGET h "a\x00b"', b"\r\n"), (r'HGET h "\xff"', b"v\x00"), ("HGET h 12", "34"), ("HGET h 007", "-5"),
        ("HGET h 7", None), ("HGET h 1.5", "1e3"), (r'HDEL h "" "a\x00b" "\xff" 12', 4),
        fields({"007": "-5", "1.5": "1e3"}),
    ],
    "Integers of each size as fields and values": [
        ("HSET h 0 127 127 128 -1 -4096 4095 32767 32768 8388607 2147483647 -2147483648", 6),
        ("HSET h 2147483648 9223372036854775807 9223372036854775807 -9223372036854775808", 2),
        ("HMGET h 0 127 -1 4095 32768", ["127", "128", "-4096", "32767", "8388607"]),
        ("HMGET h 2147483647 2147483648", ["-2147483648", "9223372036854775807"]),
        ("HGET h 9223372036854775807", "-9223372036854775808"), ("HDEL h 0 -1 32768", 3), ("HLEN h", 5),
    ],
    "Long fields and values": [
        (("HSET", "h", "a", BIG, BIG, "b", "c", "d"), 3), (("HGET", "h", BIG), "b"), ("HGET h a", BIG),
        ("HSTRLEN h a", 5000), (("HSET", "h", BIG, BIG + "y"), 0), (("HGET", "h", BIG), BIG + "y"),
        fields({"a": BIG, BIG: BIG + "y", "c": "d"}), (("HDEL", "h", BIG), 1), ("HSET h a short", 0),
        fields({"a": "short", "c": "d"}),
    ],
    "A value that grows and shrinks": [
        ("HSET h a 1 b 2", 2), (("HSET", "h", "a", "x" * 300), 0), ("HGET h b", "2"), ("HSET h a 12345", 0),
        (("HSET", "h", "a", "x" * 40), 0), ('HSET h a ""', 0), ("HGET h a", ""), ("HSET h b 9223372036854775807", 0),
        fields({"a": "", "b": "9223372036854775807"}),
    ],
    "HINCRBY": [
        ("HINCRBY h a 5", 5), ("HINCRBY h a -7", -2), ("HSET h b 10 c 0x", 2), ("HINCRBY h b 0", 10),
        ("HINCRBY h b 9223372036854775797", 9223372036854775807), ("HINCRBY h b 1", OVERFLOW),
        ("HINCRBY h a -9223372036854775807", OVERFLOW), ("HINCRBY h a -9223372036854775806", -9223372036854775808),
        ("HINCRBY h c 1", HASH_NOT_INTEGER), ("HGET h b", "9223372036854775807"), ("HINCRBY new f 1", 1),
        ("HLEN new", 1),
    ],
    "HINCRBY wants an integer in the field": [
        ('HSET h a " 1" b "1 " c 1.0 d 9223372036854775808 e "" f +1 g 01 h -0', 8),
        *[(f"HINCRBY h {name} 1", HASH_NOT_INTEGER) for name in "abcdefgh"], ("HGET h g", "01"),
    ],
    "HINCRBYFLOAT": [
        ("HINCRBYFLOAT h a 2.5", "2.5"), ("HINCRBYFLOAT h a 0.1", "2.6"), ("HINCRBYFLOAT h a -2.6", "0"),
        ("HSET h b 5.0e3 c x d 10", 3), ("HINCRBYFLOAT h b 2.0e2", "5200"), ("HINCRBYFLOAT h c 1", HASH_NOT_FLOAT),
        ("HINCRBYFLOAT h d 1", "11"), ("HINCRBYFLOAT h d -1.25", "9.75"), ("HGET h d", "9.75"),
        ("HINCRBYFLOAT h e 17179869184", "17179869184"), ("HINCRBYFLOAT h e 0.5", "17179869184.5"),
        ("HINCRBYFLOAT h f 1.23456789012345678", Matching(r"1\.2345678901234567\d?")), ("HSET h d 3.0", 0),
        ("HINCRBYFLOAT h d 1.000000000", "4"), ("HINCRBYFLOAT h g 1e-5", "0.00001"),
        ("HINCRBY h g 1", HASH_NOT_INTEGER),
        ("HINCRBY h d 1", 5),
    ],
    "HINCRBYFLOAT wants a number in the field": [
        ('HSET h a " 1" b "1 " c "" d 1x e nan', 5), ("HINCRBYFLOAT h a 1", HASH_NOT_FLOAT),
        ("HINCRBYFLOAT h b 1", HASH_NOT_FLOAT), ("HINCRBYFLOAT h c 1", HASH_NOT_FLOAT),
        ("HINCRBYFLOAT h d 1", HASH_NOT_FLOAT), ("HINCRBYFLOAT h e 1", HASH_NOT_FLOAT), ("HSET h f inf", 1),
        ("HINCRBYFLOAT h f 1", BECOMES_INFINITE), ("HGET h f", "inf"), ("HSET h g 1e4932", 1),
    ],
    "HRANDFIELD": [
        ("HRANDFIELD h", None), ("HRANDFIELD h 3", []), ("HRANDFIELD h -3", []), ("HRANDFIELD h 3 WITHVALUES", []),
        ("HRANDFIELD h 0", []), ("HSET h a 1", 1), ("HRANDFIELD h", "a"), ("HRANDFIELD h 1", ["a"]),
        ("HRANDFIELD h 5", ["a"]), ("HRANDFIELD h -3", ["a", "a", "a"]), ("HRANDFIELD h 0", []),
        ("HRANDFIELD h 0 WITHVALUES", []), ("HRANDFIELD h 1 WITHVALUES", pairs_reply("a1")),
        ("HRANDFIELD h 9 withvalues", pairs_reply("a1")), ("HRANDFIELD h -2 WITHVALUES", pairs_reply("a1", "a1")),
    ],
    "HRANDFIELD of several fields: each counted once, or as often as asked": [
        ABC, ("HRANDFIELD h", Matching("[abc]")), ("HRANDFIELD h 3", Unordered(["a", "b", "c"])),
        ("HRANDFIELD h 10", Unordered(["a", "b", "c"])),
        ("HRANDFIELD h 10 WITHVALUES", R3(Unordered(["a", "1", "b", "2", "c", "3"]),
                                          Unordered([["a", "1"], ["b", "2"], ["c", "3"]]))),
        ("HRANDFIELD h 2", lambda reply: len(reply) == 2 == len(set(reply)) and set(reply) < {b"a", b"b", b"c"}),
        ("HRANDFIELD h -20", lambda reply: len(reply) == 20 and set(reply) <= {b"a", b"b", b"c"}),
        ("HRANDFIELD h 1", lambda reply: len(reply) == 1 and reply[0] in (b"a", b"b", b"c")),
    ],
    "HSCAN of few fields": [
        ("HSCAN h 0", ["0", []]), ("HSCAN h 5", ["0", []]), ("HSET h a 1", 1), ("HSCAN h 0", ["0", ["a", "1"]]),
        ("HSET h b 2 aa 3", 2), ("HSCAN h 0 COUNT 100", ["0", Unordered(["a", "1", "b", "2", "aa", "3"])]),
        ("HSCAN h 0 MATCH a* COUNT 100", ["0", Unordered(["a", "1", "aa", "3"])]),
        ("HSCAN h 0 MATCH b COUNT 100", ["0", ["b", "2"]]), ("HSCAN h 0 MATCH none COUNT 100", ["0", []]),
        ("HSCAN h 0 match A* count 100", ["0", []]),
    ],
    "COPY, RENAME, MOVE, TYPE of a hash": [
        ABC, ("EXPIRE h 100", 1), ("COPY h i", 1), ("TTL i", 100), ("HSET i a x d 4", 1), fields(
            {"a": "1", "b": "2", "c": "3"}), ("RENAME i j", OK), ("TYPE j", Status("hash")), ("MOVE j 1", 1),
        ("SELECT 1", OK), fields({"a": "x", "b": "2", "c": "3", "d": "4"}, key="j"), ("COPY j h DB 0 REPLACE", 1),
        ("SELECT 0", OK), ("HLEN h", 4), ("TTL h", 100), ("PERSIST h", 1),
    ],
    "An expired hash is gone": [
        ABC, ("PEXPIRE h 20", 1), Advance(40), ("HLEN h", 0), ("HGET h a", None), ("HSETNX h a 5", 1), ("HLEN h", 1),
        ("TTL h", -1),
    ],
    "Changes keep the TTL": [
        ABC, ("EXPIRE h 100", 1), ("HSET h a 2 d 4", 1), ("HINCRBY h a 1", 3), ("HINCRBYFLOAT h a 1", "4"),
        ("HDEL h b", 1), ("HSETNX h e 1", 1), ("TTL h", 100),
    ],
}

CASES = {
    **in_each(IN_EACH_ENCODING, {"listpack": [], "hashtable": HASHTABLE}),
    "Fields of a small hash stay in the order in which they came": [
        ("HSET h c 3 a 1 b 2", 3), ("HGETALL h", {"c": "3", "a": "1", "b": "2"}), ("HSET h a 10 d 4", 1),
        ("HKEYS h", ["c", "a", "b", "d"]), ("HVALS h", ["3", "10", "2", "4"]), ("HDEL h a", 1), ("HSET h a 5", 1),
        ("HKEYS h", ["c", "b", "d", "a"]), ("HINCRBY h b 5", 7), ("HINCRBYFLOAT h c 0.5", "3.5"),
        ("HGETALL h", {"c": "3.5", "b": "7", "d": "4", "a": "5"}), ("HSCAN h 0", ["0", ["c", "3.5", "b", "7", "d", "4",
                                                                                       "a", "5"]]),
        ("HSCAN h 0 COUNT 1", ["0", ["c", "3.5", "b", "7", "d", "4", "a", "5"]]),
    ],
    "HSET, HMSET and HSETNX refuse bad arguments": [
        ("HSET h a", wrong_args("hset")), ("HSET h", wrong_args("hset")), ("HSET h a 1 b", wrong_args("hset")),
        ("HMSET h a", wrong_args("hmset")), ("HMSET h a 1 b", wrong_args("hmset")),
        ("HSETNX h a", wrong_args("hsetnx")),
        ("HSETNX h a 1 b 2", wrong_args("hsetnx")), ("EXISTS h", 0), ("SET k v", OK),
        ("HSET k a 1 b", wrong_args("hset")),
    ],
    "Hash readers refuse a wrong number of arguments": [
        ("HGET h", wrong_args("hget")), ("HGET h a b", wrong_args("hget")), ("HMGET h", wrong_args("hmget")),
        ("HDEL h", wrong_args("hdel")), ("HEXISTS h", wrong_args("hexists")), ("HEXISTS h a b", wrong_args("hexists")),
        ("HLEN", wrong_args("hlen")), ("HLEN h i", wrong_args("hlen")), ("HSTRLEN h", wrong_args("hstrlen")),
        ("HSTRLEN h a b", wrong_args("hstrlen")), ("HKEYS", wrong_args("hkeys")), ("HKEYS h x", wrong_args("hkeys")),
        ("HVALS", wrong_args("hvals")), ("HVALS h x", wrong_args("hvals")), ("HGETALL", wrong_args("hgetall")),
        ("HGETALL h x", wrong_args("hgetall")),
    ],
    "HINCRBY and HINCRBYFLOAT refuse bad arguments": [
        ("HSET h a 1", 1), ("HINCRBY h a", wrong_args("hincrby")), ("HINCRBY h a 1 2", wrong_args("hincrby")),
        ("HINCRBY h a x", NOT_INTEGER), ("HINCRBY h a 1.5", NOT_INTEGER), ('HINCRBY h a ""', NOT_INTEGER),
        ("HINCRBY h a 9223372036854775808", NOT_INTEGER), ("HINCRBYFLOAT h a", wrong_args("hincrbyfloat")),
        ("HINCRBYFLOAT h a 1 2", wrong_args("hincrbyfloat")), ("HINCRBYFLOAT h a x", NOT_FLOAT),
        ('HINCRBYFLOAT h a ""', NOT_FLOAT), ('HINCRBYFLOAT h a " 1"', NOT_FLOAT), ("HINCRBYFLOAT h a inf", INFINITE),
        ("HINCRBYFLOAT h a -inf", INFINITE), ("HINCRBYFLOAT h a nan", NOT_FLOAT), ("HGET h a", "1"),
        ("HINCRBY none a x", NOT_INTEGER), ("EXISTS none", 0),
    ],
    "HRANDFIELD refuses bad arguments": [
        ABC, ("HRANDFIELD", wrong_args("hrandfield")), ("HRANDFIELD h x", NOT_INTEGER), ("HRANDFIELD h 1 X", SYNTAX),
        ("HRANDFIELD h 1 WITHVALUES X", SYNTAX), ("HRANDFIELD h WITHVALUES", NOT_INTEGER),
        ("HRANDFIELD h 1.5", NOT_INTEGER),
        ("HRANDFIELD h 9223372036854775808", NOT_INTEGER), ("HRANDFIELD none x", NOT_INTEGER),
        ("HRANDFIELD none 1 X", SYNTAX), ("HRANDFIELD h -9223372036854775807 WITHVALUES", OUT_OF_RANGE),
        ("HRANDFIELD h 9223372036854775807 WITHVALUES", OUT_OF_RANGE),
        ("HRANDFIELD h -4611686018427387904 WITHVALUES", OUT_OF_RANGE),
        ("HRANDFIELD none 9223372036854775807 WITHVALUES", OUT_OF_RANGE),
        ("HRANDFIELD h -9223372036854775808", Matching("ERR value is out of range.*")),
        ("HRANDFIELD h 9223372036854775807", Unordered(["a", "b", "c"])),
    ],
    "HSCAN refuses bad arguments": [
        ABC, ("HSCAN h", wrong_args("hscan")), ("HSCAN", wrong_args("hscan")), ("HSCAN h x", BAD_CURSOR),
("HSCAN none x", BAD_CURSOR), ("HSCAN h 0 COUNT 0", SYNTAX),
        ("HSCAN h 0 COUNT x", NOT_INTEGER), ("HSCAN h 0 COUNT", SYNTAX), ("HSCAN h 0 MATCH", SYNTAX),
        ("HSCAN h 0 X", SYNTAX), ("HSCAN none 0 X", ["0", []]), ("HSCAN h 18446744073709551616", BAD_CURSOR),
        ("HSCAN h 0 TYPE hash", SYNTAX),
    ],
    "HSCAN NOVALUES gives the fields only": Case([
        ABC, ("HSCAN h 0 NOVALUES", ["0", ["a", "b", "c"]]),
        ("HSCAN h 0 novalues COUNT 100 MATCH [ab]", ["0", ["a", "b"]]),
        ("CONFIG SET hash-max-listpack-entries 0", OK), ("HSET i a 1 b 2", 2),
        ("HSCAN i 0 COUNT 100 NOVALUES", ["0", Unordered(["a", "b"])]),
    ], since="7.4"),
    "HSCAN refuses NOSCORES": Case([
        ABC, ("HSCAN h 0 NOSCORES", Error("ERR NOSCORES option can only be used in ZSCAN")),
    ], since="valkey 8.1"),
    "Hash commands refuse a string": [
        ("SET k v", OK), ("HSET k a 1", WRONGTYPE), ("HMSET k a 1", WRONGTYPE), ("HSETNX k a 1", WRONGTYPE),
        ("HGET k a", WRONGTYPE), ("HMGET k a", WRONGTYPE), ("HDEL k a", WRONGTYPE), ("HEXISTS k a", WRONGTYPE),
        ("HLEN k", WRONGTYPE), ("HSTRLEN k a", WRONGTYPE), ("HKEYS k", WRONGTYPE), ("HVALS k", WRONGTYPE),
        ("HGETALL k", WRONGTYPE), ("HINCRBY k a 1", WRONGTYPE), ("HINCRBYFLOAT k a 1", WRONGTYPE),
        ("HRANDFIELD k", WRONGTYPE), ("HRANDFIELD k 1", WRONGTYPE), ("HRANDFIELD k 0", WRONGTYPE),
        ("HSCAN k 0", WRONGTYPE), ("GET k", "v"),
    ],
    "Type and arguments: which error comes first": [
        ("SET k v", OK), ("HINCRBY k a x", NOT_INTEGER), ("HINCRBYFLOAT k a x", NOT_FLOAT),
        ("HINCRBYFLOAT k a inf", INFINITE), ("HRANDFIELD k x", NOT_INTEGER), ("HRANDFIELD k 1 X", SYNTAX),
        ("HSCAN k x", BAD_CURSOR), ("HSCAN k 0 X", WRONGTYPE),
    ],
    "String and list commands refuse a hash": [
        ABC, ("GET h", WRONGTYPE), ("INCR h", WRONGTYPE), ("APPEND h x", WRONGTYPE), ("LPUSH h x", WRONGTYPE),
        ("LLEN h", WRONGTYPE), ("SET h v", OK), ("GET h", "v"),
    ],

    # Encodings
    "A hash grows out of its listpack by count, and stays": [
        ("CONFIG SET hash-max-listpack-entries 3", OK), ABC, ("OBJECT ENCODING h", "listpack"), ("HSET h a 5", 0),
        ("OBJECT ENCODING h", "listpack"), ("HSET h d 4", 1), ("OBJECT ENCODING h", "hashtable"),
        fields({"a": "5", "b": "2", "c": "3", "d": "4"}), ("HDEL h b c d", 3), ("OBJECT ENCODING h", "hashtable"),
        ("HSET i a 1 b 2 c 3 d 4", 4), ("OBJECT ENCODING i", "hashtable"), ("HSETNX j a 1", 1),
        ("OBJECT ENCODING j", "listpack"), ("HINCRBY j b 1", 1), ("HINCRBYFLOAT j c 1", "1"),
        ("OBJECT ENCODING j", "listpack"), ("HINCRBY j d 1", 1), ("OBJECT ENCODING j", "hashtable"),
    ],
    "A hash grows out of its listpack by a long field or value": [
        (("HSET", "h", "a", "x" * 64), 1), ("OBJECT ENCODING h", "listpack"), (("HSET", "h", "x" * 64, "b"), 1),
        ("OBJECT ENCODING h", "listpack"), (("HSET", "h", "a", "x" * 65), 0), ("OBJECT ENCODING h", "hashtable"),
        (("HSET", "i", "x" * 65, "a"), 1), ("OBJECT ENCODING i", "hashtable"),
        ("CONFIG SET hash-max-listpack-value 5", OK),
        ("HSET j a 12345", 1), ("OBJECT ENCODING j", "listpack"), ("HSET j a 123456", 0),
        ("OBJECT ENCODING j", "hashtable"), ("HSETNX k abcdef 1", 1), ("OBJECT ENCODING k", "hashtable"),
        ("HSET j a 1", 0), ("OBJECT ENCODING j", "hashtable"),
    ],
    "hash-max-ziplist-entries and -value are names of the same settings": [
        ("CONFIG SET hash-max-ziplist-entries 2 hash-max-ziplist-value 10", OK),
        ("CONFIG GET hash-max-listpack-entries", {"hash-max-listpack-entries": "2"}),
        ("CONFIG GET hash-max-listpack-value", {"hash-max-listpack-value": "10"}), ABC,
        ("OBJECT ENCODING h", "hashtable"),
    ],
    "COPY keeps the encoding of a hash": [
        ABC, ("COPY h i", 1), ("OBJECT ENCODING i", "listpack"), (("HSET", "h", "a", BIG), 0), ("COPY h j", 1),
        ("OBJECT ENCODING j", "hashtable"), fields({"a": BIG, "b": "2", "c": "3"}, key="j"),
    ],
    "A hash of many fields": [
        (("HSET", "h", *range(4000)), 2000), ("OBJECT ENCODING h", "hashtable"), ("HLEN h", 2000),
        ("HGET h 2000", "2001"), ("HGET h 2001", None), (("HDEL", "h", *range(0, 3990, 2)), 1995),
        fields({str(number): str(number + 1) for number in range(3990, 4000, 2)}), ("HDEL h 3990 3992 3994", 3),
        ("HDEL h 3996 3998", 2), ("EXISTS h", 0),
    ],
    "OBJECT, MEMORY USAGE, RANDOMKEY, DBSIZE and TOUCH of a hash": [
        ABC, ("OBJECT REFCOUNT h", 1), ("OBJECT IDLETIME h", 0), ("MEMORY USAGE h", Between(20, 300)),
        ("MEMORY USAGE h SAMPLES 0", Between(20, 300)), ("RANDOMKEY", "h"), ("DBSIZE", 1), ("TOUCH h none", 1),
        ("EXISTS h h", 2), ("SCAN 0 TYPE hash", ["0", ["h"]]), ("SCAN 0 TYPE list", ["0", []]), ("UNLINK h", 1),
    ],
    "MEMORY USAGE grows with a hash": [
        (("HSET", "h", *[text for number in range(1000) for text in (number, "x" * 100)]), 1000),
        ("MEMORY USAGE h SAMPLES 0", Between(100_000, 220_000)), ("MEMORY USAGE h", Between(100_000, 220_000)),
    ],
    "DEL of large hashes, FLUSHALL ASYNC": [
        (("HSET", "h", *range(6000)), 3000), ("DEL h", 1), (("HSET", "h", *range(6000)), 3000), ("UNLINK h", 1),
        (("HSET", "h", *range(6000)), 3000), ("SET h v", OK), (("HSET", "i", *range(6000)), 3000),
        ("FLUSHALL ASYNC", OK), ("DBSIZE", 0),
    ],

    # Events
    "Events of hashes": [
        *LISTEN, ABC, ("HSET h a 1", 0), ("HMSET h a 1 b 2", OK), ("HSETNX h a 1", 0), ("HSETNX h d 1", 1),
        ("HINCRBY h d 1", 2), ("HINCRBY h d 9223372036854775807", OVERFLOW), ("HINCRBYFLOAT h d 1", "3"),
        ("HDEL h none", 0), ("HDEL h a b", 2), ("HDEL h c d", 2), ("HDEL h c d", 0),
        *heard("hset h", "hset h", "hset h", "hset h", "hincrby h", "hincrbyfloat h", "hdel h", "hdel h", "del h"),
    ],
    "Event class h": [
        ("CONFIG SET notify-keyspace-events Eh", OK), *LISTEN[1:], ABC, ("SET k v", OK), ("HDEL h a b c", 3),
        *heard("hset h", "hdel h"),
    ],

    # WATCH, MULTI
    "WATCH sees changes of a hash": [
        ABC, ("WATCH h", OK), ("@2 HSET h a 1", 0), ("MULTI", OK), ("EXEC", NIL_ARRAY), ("WATCH h", OK),
        ("@2 HDEL h a", 1), ("MULTI", OK), ("EXEC", NIL_ARRAY), ("WATCH h", OK), ("@2 HINCRBY h b 0", 2), ("MULTI", OK),
        ("EXEC", NIL_ARRAY), ("WATCH h", OK), ("@2 HDEL h b c", 2), ("MULTI", OK), ("EXEC", NIL_ARRAY),
    ],
    "WATCH does not see what changes nothing": [
        ABC, ("WATCH h none", OK), ("@2 HDEL h none", 0), ("@2 HSETNX h a 5", 0), ("@2 HDEL none a", 0),
        ("@2 HINCRBY h a x", NOT_INTEGER), ("@2 HGETALL none", {}), ("MULTI", OK), ("EXEC", []),
    ],
    "Hashes inside MULTI": [
        ("MULTI", OK), ("HSET h a 1 b 2", QUEUED), ("HINCRBY h a 5", QUEUED), ("HSET h a", wrong_args("hset")),
        ("DISCARD", OK), ("MULTI", OK), ("HSET h a 1 b 2", QUEUED), ("HINCRBY h a 5", QUEUED), ("HGETALL h", QUEUED),
        ("HINCRBY h b x", QUEUED), ("HDEL h a b", QUEUED), ("EXISTS h", QUEUED), ("HGETALL h", QUEUED),
        ("EXEC", [2, 6, {"a": "6", "b": "2"}, NOT_INTEGER, 2, 0, {}]),
    ],
    "HSET of an odd count in MULTI is refused when it is executed": [
        ("MULTI", OK), ("HSET h a 1 b", QUEUED), ("HSET h a 1", QUEUED), ("EXEC", [wrong_args("hset"), 1]),
    ],
    "Names of hash commands and their words know no case": [
        ("hSet h a 1", 1), ("HrandField h 1 wItHvAlUeS", pairs_reply("a1")),
        ("hscan h 0 mAtCh a cOuNt 5", ["0", ["a", "1"]]),
    ],
    "A value of one MiB": [
        (("HSET", "h", "a", b"x" * (1 << 20)), 1), ("HSTRLEN h a", 1 << 20), ("HGET h a", b"x" * (1 << 20)),
        ("HGETALL h", {"a": b"x" * (1 << 20)}),
    ],
    "Any field of HRANDFIELD is a bulk string": [ABC, ("HRANDFIELD h", Any(bytes))],
}


def test_rows(row_case):
    row_case.check()


# --- what is propagated; see tests.effect_rows ----------------------------------------

HASH = "HSET h a 1 b 2 c 3"
EFFECTS = {
    "HSET": ("", "HSET h a 1 b 2", "HSET h a 1 b 2"),
    "HMSET": ("", "HMSET h a 1", "HMSET h a 1"),
    "HSETNX": (HASH, "HSETNX h a 5 | HSETNX h d 5", "HSETNX h d 5"),
    "HDEL": (HASH, "HDEL h none | HDEL h a none | HDEL h b c", "HDEL h a none | HDEL h b c"),
    "HINCRBY": (HASH, "HINCRBY h a 5", "HINCRBY h a 5"),
    "HINCRBYFLOAT": (HASH, "HINCRBYFLOAT h a 0.5", "HSET h a 1.5"),
}
EFFECTS_UNDER = {"listpack": "", "hashtable": "hash-max-listpack-entries 0\n"}


def test_effects(effect):
    effect.check()


ELEMENTS = {
    "small": [b"", b"a", b"bb", b"0", b"-1", b"12", b"4096", b"123456789012", b"\x00\xff", b"x" * 63, b"x" * 64],
    "mixed": [b"1", b"a", b"x" * 70, b"y" * 300, b"z" * 5000, b"w" * 20000, b"-9223372036854775808", b"x" * 253,
              b"x" * 254, b"x" * 255],
    "many": [b"field:%d" % number for number in range(2000)],
}


def change(chance, model, elements):
    """A random command on the hash "h", done to the model as well -> (argv, the reply it must have)."""
    field, value = chance.choice(elements), chance.choice(elements)
    kind = chance.choice(["hset", "hset", "hsetnx", "hdel", "hget", "hincrby", "hstrlen", "hexists", "hmget"])
    if kind == "hset":
        pairs = [(chance.choice(elements), chance.choice(elements)) for _ in range(chance.randint(1, 5))]
        before = len(model)
        model.update(pairs)
        return (kind, "h", *[text for pair in pairs for text in pair]), len(model) - before
    if kind == "hsetnx":
        new = field not in model
        model.setdefault(field, value)
        return (kind, "h", field, value), int(new)
    if kind == "hdel":
        names = [chance.choice(elements) for _ in range(chance.randint(1, 5))]
        return (kind, "h", *names), sum(model.pop(name, None) is not None for name in names)
    if kind == "hincrby":
        amount = chance.randint(-(10**chance.randint(1, 12)), 10**6)
        field += b":counter"
        model[field] = b"%d" % (int(model.get(field, 0)) + amount)
        return (kind, "h", field, amount), int(model[field])
    if kind == "hmget":
        names = [chance.choice(elements) for _ in range(3)]
        return (kind, "h", *names), [model.get(name) for name in names]
    answers = {"hget": model.get(field), "hstrlen": len(model.get(field, b"")), "hexists": int(field in model)}
    return (kind, "h", field), answers[kind]


def pairs_of(reply):
    return dict(zip(reply[::2], reply[1::2], strict=True))


@pytest.mark.parametrize("elements", ELEMENTS)
@pytest.mark.parametrize("entries", [0, 8, 512])
def test_random_changes_agree_with_a_python_dict(either_target, entries, elements):
    chance = random.Random(f"{entries} {elements}")
    with either_target.server.client() as client:
        before = client.call("CONFIG", "GET", "hash-max-listpack-entries")[1]
        client.call("CONFIG", "SET", "hash-max-listpack-entries", entries)
        try:
            for _ in range(3):
                model = {}
                client.call("DEL", "h")
                for step in range(500):
                    argv, expected = change(chance, model, ELEMENTS[elements])
                    assert client.call(*argv) == expected, argv
                    if step % 25 == 0:
                        assert client.call("HLEN", "h") == len(model)
                        assert pairs_of(client.call("HGETALL", "h")) == model
                        assert sorted(client.call("HVALS", "h")) == sorted(model.values())
                        assert hscan_all(client, "COUNT", 7) == model
                assert set(client.call("HKEYS", "h")) == set(model)
        finally:
            client.call("CONFIG", "SET", "hash-max-listpack-entries", before)


def hscan_all(client, *options, between=None):
    """Every pair that HSCAN returns from cursor 0 to cursor 0; between() is called after each step."""
    cursor, found = b"0", {}
    while True:
        cursor, reply = client.call("HSCAN", "h", cursor, *options)
        found.update(pairs_of(reply))
        if cursor == b"0":
            return found
        if between:
            between()


@pytest.mark.parametrize("count", [1, 7, 100, 5000])
def test_hscan_returns_every_field_at_rest(either_target, count):
    model = {b"field:%d" % number: b"%d" % number for number in range(1000)}
    with either_target.server.client() as client:
        client.call("HSET", "h", *[text for pair in model.items() for text in pair])
        assert hscan_all(client, "COUNT", count) == model
        assert hscan_all(client, "COUNT", count, "MATCH", "field:99*") == {
            field: value for field, value in model.items() if field.startswith(b"field:99")}


@pytest.mark.parametrize("change_size", ["grow", "shrink"])
def test_hscan_misses_no_field_while_the_table_is_resized(either_target, change_size):
    stay = {b"stay:%d" % number: b"v" for number in range(500)}
    other = [b"other:%d" % number for number in range(5000)]
    with either_target.server.client() as client:
        client.call("HSET", "h", *[text for pair in stay.items() for text in pair])
        if change_size == "shrink":
            client.call("HSET", "h", *[text for name in other for text in (name, b"v")])

        def between():
            part, other[:] = other[:200], other[200:]
            if part:
                client.pipeline([("HSET", "h", name, "v") if change_size == "grow" else ("HDEL", "h", name)
                                 for name in part])

        found = hscan_all(client, "COUNT", 20, between=between)
        assert stay.keys() <= found.keys()


@pytest.mark.parametrize("size", [5, 60, 1000])
def test_hrandfield_reaches_every_field_fairly(either_target, size):
    model = {b"f%d" % number: b"v%d" % number for number in range(size)}
    rounds = 40 * size
    with either_target.server.client() as client:
        client.call("HSET", "h", *[text for pair in model.items() for text in pair])
        singles = collections.Counter(client.pipeline([("HRANDFIELD", "h")] * rounds))
        many = collections.Counter(client.call("HRANDFIELD", "h", -rounds))
    for counted in (singles, many):
        assert counted.keys() == model.keys() and sum(counted.values()) == rounds
        assert min(counted.values()) > 5 and max(counted.values()) < 130      # 40 are expected of each


@pytest.mark.parametrize("size", [5, 60, 1000])
@pytest.mark.parametrize("share", [0.1, 0.4, 0.9, 1, 2])
def test_hrandfield_with_a_count_gives_distinct_fields_with_their_values(either_target, size, share):
    model = {b"f%d" % number: b"v%d" % number for number in range(size)}
    wanted = max(int(size * share), 1)
    with either_target.server.client() as client:
        client.call("HSET", "h", *[text for pair in model.items() for text in pair])
        seen = set()
        for _ in range(30):
            found = client.call("HRANDFIELD", "h", wanted, "WITHVALUES")
            pairs = pairs_of(found)
            assert len(found) == 2 * len(pairs) == 2 * min(wanted, size) and pairs.items() <= model.items()
            fields_only = client.call("HRANDFIELD", "h", wanted)
            assert len(fields_only) == len(set(fields_only)) == min(wanted, size) and set(fields_only) <= model.keys()
            seen.add(frozenset(pairs))
        assert len(seen) > 1 or wanted >= size or size - wanted < 2
