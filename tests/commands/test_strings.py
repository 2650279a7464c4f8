"""String commands: SET and its relatives, counters, ranges, LCS, encodings."""
import re
from pathlib import Path

import pytest

from tests.rows import (
    NOT_FLOAT,
    NOT_INTEGER,
    OK,
    SYNTAX,
    WRONGTYPE,
    Advance,
    Any,
    Between,
    Case,
    Error,
    Matching,
    Status,
    bad_expire,
    wrong_args,
)

CASES = {
    # GET, SET
    "GET of a missing key": [("GET k", None)],
    "SET stores, GET returns": [("SET k v", OK), ("GET k", "v"), ("SET k w", OK), ("GET k", "w")],
    "SET is safe for any bytes": [
        (r'SET "k\x00\r\n\xff" "v\x00\r\n\xff"', OK), (r'GET "k\x00\r\n\xff"', b"v\x00\r\n\xff"),
        (r'STRLEN "k\x00\r\n\xff"', 5), ("EXISTS k", 0),
    ],
    "SET of an empty key and an empty value": [('SET "" ""', OK), ('GET ""', ""), ('STRLEN ""', 0)],
    "SET keeps one MiB": [
        (("SET", "k", b"x" * (1 << 20)), OK), (("GET", "k"), b"x" * (1 << 20)), ("STRLEN k", 1048576),
    ],
    "GET and SET refuse a wrong number of arguments": [
        ("GET", wrong_args("get")), ("GET a b", wrong_args("get")), ("SET", wrong_args("set")),
        ("SET k", wrong_args("set")),
    ],
    "Names of commands know no case": [("sEt k v", OK), ("gEt k", "v")],
    "A zero byte ends an option": [
        (r'SET k v "nx\x00"', OK), (r'SET k w "NX\x00yz"', None), (r'SET k w "N\x00X"', SYNTAX),
        (r'SET k v "EX\x00" 100', OK), ("TTL k", Between(90, 100)), (r'SET k v EX "10\x00"', NOT_INTEGER),
        (r'LCS k k "LEN\x00"', 1),
    ],
    "SET NX only creates": [("SET k v NX", OK), ("SET k w NX", None), ("GET k", "v")],
    "SET XX only replaces": [("SET k v XX", None), ("SET k v", OK), ("SET k w xx", OK), ("GET k", "w")],
    "SET EX and PX give a TTL": [
        ("SET k v EX 100", OK), ("TTL k", 100), ("SET k v PX 100000", OK), ("PTTL k", Between(99000, 100000)),
        ("SET k v", OK), ("TTL k", -1),
    ],
    "SET EXAT and PXAT give a TTL": [
        ("SET k v EXAT 33177117420", OK), ("EXPIRETIME k", 33177117420), ("SET k v PXAT 33177117420123", OK),
        ("PEXPIRETIME k", 33177117420123),
    ],
    "SET with a time that has passed leaves no key": [
        ("SET k v EXAT 1", OK), ("EXISTS k", 0), ("SET k v", OK), ("SET k v PXAT 1", OK), ("EXISTS k", 0),
    ],
    "SET PX expires": [
        ("SET k v PX 100", OK), ("GET k", "v"), Advance(130), ("GET k", None), ("EXISTS k", 0), ("DBSIZE", 0),
    ],
    "SET KEEPTTL keeps the TTL": [
        ("SET k v EX 100", OK), ("SET k w KEEPTTL", OK), ("TTL k", 100), ("SET n v KEEPTTL", OK), ("TTL n", -1),
    ],
    "SET GET returns the value before": [("SET k v GET", None), ("SET k w GET", "v"), ("GET k", "w")],
    "SET GET with XX and with NX": [
        ("SET k v XX GET", None), ("GET k", None), ("SET k v NX GET", None), ("SET k w NX GET", "v"),
        ("SET k x XX GET", "v"), ("GET k", "x"),
    ],
    "SET options in any order": [
        ("SET k v GET PX 100000 NX", None), ("SET k w XX KEEPTTL GET", "v"), ("TTL k", Between(99, 100)),
    ],
    "SET NX that fails leaves the TTL": [("SET k v EX 100", OK), ("SET k w NX EX 5", None), ("TTL k", 100)],
    "SET refuses options that exclude each other": [
        ("SET k v NX XX", SYNTAX), ("SET k v XX NX", SYNTAX), ("SET k v EX 10 PX 10", SYNTAX),
        ("SET k v EX 10 KEEPTTL", SYNTAX), ("SET k v KEEPTTL EXAT 10", SYNTAX), ("SET k v PXAT 10 EX 10", SYNTAX),
        ("SET k v EX 10 EX 10", OK), ("EXISTS k", 1),
    ],
    "SET refuses an unknown option or one without its value": [
        ("SET k v Y", SYNTAX), ("SET k v EX", SYNTAX), ("SET k v NX PX", SYNTAX), ("SET k v NX NX", OK),
        ("SET k v 10", SYNTAX),
    ],
    "SET refuses a time that is no integer": [
        ("SET k v EX x", NOT_INTEGER), ("SET k v EX 1.5", NOT_INTEGER), ('SET k v PX ""', NOT_INTEGER),
        ('SET k v EX " 1"', NOT_INTEGER), ("SET k v EXAT 9223372036854775808", NOT_INTEGER),
    ],
    "SET refuses a time of zero, below, or too large": [
        ("SET k v EX 0", bad_expire("set")), ("SET k v EX -1", bad_expire("set")),
        ("SET k v PX 0", bad_expire("set")), ("SET k v PX -1", bad_expire("set")),
        ("SET k v EXAT 0", bad_expire("set")), ("SET k v PXAT -1", bad_expire("set")),
        ("SET k v EX 9223372036854775807", bad_expire("set")), ("SET k v EX 9223372036854776", bad_expire("set")),
        ("SET k v PX 9223372036854775807", bad_expire("set")), ("SET k v EXAT 9223372036854776", bad_expire("set")),
        ("EXISTS k", 0),
    ],
    "SET to the last time there is": [
        ("SET k v PXAT 9223372036854775807", OK), ("PEXPIRETIME k", 9223372036854775807), ("GET k", "v"),
        ("SET k v EXAT 9223372036854775", OK), ("EXPIRETIME k", 9223372036854775),
    ],
    "SETNX": [
        ("SETNX k v", 1), ("SETNX k w", 0), ("GET k", "v"), ("SETNX k", wrong_args("setnx")),
        ("SETNX k v w", wrong_args("setnx")),
    ],
    "SETNX leaves the TTL": [("SET k v EX 100", OK), ("SETNX k w", 0), ("TTL k", 100)],
    "SETEX and PSETEX": [
        ("SETEX k 100 v", OK), ("TTL k", 100), ("GET k", "v"), ("PSETEX k 100000 w", OK),
        ("PTTL k", Between(99000, 100000)), ("GET k", "w"),
    ],
    "SETEX and PSETEX refuse bad times": [
        ("SETEX k 0 v", bad_expire("setex")), ("SETEX k -1 v", bad_expire("setex")),
        ("SETEX k 9223372036854775807 v", bad_expire("setex")), ("SETEX k x v", NOT_INTEGER),
        ("PSETEX k 0 v", bad_expire("psetex")), ("PSETEX k -1 v", bad_expire("psetex")),
        ("PSETEX k 9223372036854775807 v", bad_expire("psetex")), ("PSETEX k 1.0 v", NOT_INTEGER), ("EXISTS k", 0),
    ],
    "SETEX and PSETEX refuse a wrong number of arguments": [
        ("SETEX k 1", wrong_args("setex")), ("SETEX k 1 v x", wrong_args("setex")),
        ("PSETEX k 1", wrong_args("psetex")), ("PSETEX", wrong_args("psetex")),
    ],
    "PSETEX expires": [("PSETEX k 20 v", OK), Advance(40), ("GET k", None)],
    "GETSET": [("GETSET k v", None), ("GETSET k w", "v"), ("GET k", "w"), ("GETSET k", wrong_args("getset"))],
    "GETSET drops the TTL": [("SET k v EX 100", OK), ("GETSET k w", "v"), ("TTL k", -1)],
    "GETDEL": [
        ("GETDEL k", None), ("SET k v", OK), ("GETDEL k", "v"), ("EXISTS k", 0), ("GETDEL", wrong_args("getdel")),
        ("GETDEL k l", wrong_args("getdel")),
    ],
    "GETEX without options leaves the TTL": [
        ("GETEX k", None), ("SET k v EX 100", OK), ("GETEX k", "v"), ("TTL k", 100),
    ],
    "GETEX sets and removes the TTL": [
        ("SET k v", OK), ("GETEX k EX 100", "v"), ("TTL k", 100), ("GETEX k PX 200000", "v"), ("TTL k", 200),
        ("GETEX k PERSIST", "v"), ("TTL k", -1), ("GETEX k EXAT 33177117420", "v"), ("EXPIRETIME k", 33177117420),
        ("GETEX k PXAT 33177117420123", "v"), ("PEXPIRETIME k", 33177117420123),
    ],
    "GETEX with a time that has passed deletes": [("SET k v", OK), ("GETEX k PXAT 1", "v"), ("EXISTS k", 0)],
    "GETEX PX expires": [("SET k v", OK), ("GETEX k PX 20", "v"), Advance(40), ("GETEX k", None)],
    "GETEX refuses bad options": [
        ("SET k v", OK), ("GETEX k EX", SYNTAX), ("GETEX k EX 10 PERSIST", SYNTAX),
        ("GETEX k PERSIST EX 10", SYNTAX), ("GETEX k EX 10 PX 10", SYNTAX), ("GETEX k KEEPTTL", SYNTAX),
        ("GETEX k NX", SYNTAX), ("GETEX k GET", SYNTAX), ("GETEX", wrong_args("getex")), ("TTL k", -1),
    ],
    "GETEX refuses bad times": [
        ("SET k v", OK), ("GETEX k EX 0", bad_expire("getex")), ("GETEX k PX -1", bad_expire("getex")),
        ("GETEX k EXAT 0", bad_expire("getex")), ("GETEX k EX 9223372036854775807", bad_expire("getex")),
        ("GETEX k EX x", NOT_INTEGER), ("TTL k", -1),
    ],
    "GETEX of a missing key still checks its options": [
        ("GETEX k EX 10 PX 10", SYNTAX), ("GETEX k EX x", None), ("GETEX k EX 10", None), ("EXISTS k", 0),
    ],
    # MGET, MSET, MSETNX
    "MGET": [
        ("MGET k", [None]), ("MSET a 1 b 2", OK), ("MGET a k b a", ["1", None, "2", "1"]),
        ("MGET", wrong_args("mget")),
    ],
    "MSET": [
        ("MSET a 1 b 2 a 3", OK), ("MGET a b", ["3", "2"]), ("MSET a", wrong_args("mset")),
        ("MSET a 1 b", wrong_args("mset")), ("MSET", wrong_args("mset")),
    ],
    "MSET drops the TTL": [("SET k v EX 100", OK), ("MSET k w", OK), ("TTL k", -1)],
    "MSETNX is all or nothing": [
        ("MSETNX a 1 b 2", 1), ("MSETNX b 3 c 4", 0), ("EXISTS c", 0), ("MGET a b", ["1", "2"]),
    ],
    "MSETNX with one key twice": [
        ("MSETNX a 1 a 2", 1), ("GET a", "2"), ("MSETNX a 3", 0), ("MSETNX a", wrong_args("msetnx")),
        ("MSETNX a 1 b", wrong_args("msetnx")),
    ],
    # APPEND, STRLEN, ranges
    "APPEND": [
        ("APPEND k ab", 2), ("APPEND k cd", 4), ("GET k", "abcd"), ('APPEND k ""', 4), ('APPEND n ""', 0),
        ("EXISTS n", 1), ("APPEND k", wrong_args("append")), ("APPEND k a b", wrong_args("append")),
    ],
    "APPEND keeps the TTL": [("SET k v EX 100", OK), ("APPEND k w", 2), ("TTL k", 100)],
    "APPEND to an integer": [("SET k 12", OK), ("APPEND k 3", 3), ("GET k", "123"), ("INCR k", 124)],
    "APPEND grows to one MiB": [
        (("APPEND", "k", b"a" * 1000), 1000), (("APPEND", "k", b"b" * (1 << 20)), 1049576),
        ("GETRANGE k 998 1001", "aabb"), ("STRLEN k", 1049576),
    ],
    "STRLEN": [
        ("STRLEN k", 0), ("SET k -123", OK), ("STRLEN k", 4), (r'SET k "a\x00b"', OK), ("STRLEN k", 3),
        ("STRLEN", wrong_args("strlen")), ("STRLEN a b", wrong_args("strlen")),
    ],
    "GETRANGE of a string": [
        ('SET k "Hello World"', OK), ("GETRANGE k 0 3", "Hell"), ("GETRANGE k 0 -1", "Hello World"),
        ("GETRANGE k -4 -1", "orld"), ("GETRANGE k 5 3", ""), ("GETRANGE k 5 5000", " World"),
        ("GETRANGE k -5000 10000", "Hello World"), ("GETRANGE k 11 20", ""), ("GETRANGE k 10 10", "d"),
        ("GETRANGE k -1 -2", ""), ("GETRANGE k 0 9223372036854775807", "Hello World"),
        ("GETRANGE k -9223372036854775808 -1", "Hello World"),
    ],
    "GETRANGE with an end before the first byte": [
        ("SET k Hello", OK), ("GETRANGE k 0 -100", "H"), ("GETRANGE k 1 -100", ""), ("GETRANGE k -100 -99", "H"),
        ("GETRANGE k -100 -100", "H"), ("GETRANGE k -100 -101", ""),
    ],
    "GETRANGE of an integer": [
        ("SET k 1234", OK), ("GETRANGE k 0 2", "123"), ("GETRANGE k -3 -1", "234"), ("GETRANGE k 5 3", ""),
    ],
    "GETRANGE of a missing key and bad numbers": [
        ("GETRANGE k 0 -1", ""), ("SET k v", OK), ("GETRANGE k a 1", NOT_INTEGER), ("GETRANGE k 0 b", NOT_INTEGER),
        ("GETRANGE k 0 9223372036854775808", NOT_INTEGER), ("GETRANGE k 0", wrong_args("getrange")),
        ("GETRANGE k 0 1 2", wrong_args("getrange")),
    ],
    "SUBSTR is GETRANGE": [
        ("SET k abcde", OK), ("SUBSTR k 1 -2", "bcd"), ("SUBSTR n 0 1", ""), ("SUBSTR k 0", wrong_args("substr")),
    ],
    "SETRANGE creates and pads": [
        ("SETRANGE k 2 ab", 4), ("GET k", b"\x00\x00ab"), ("SETRANGE k 0 xy", 4), ("GET k", "xyab"),
        ("SETRANGE k 5 z", 6), ("GET k", b"xyab\x00z"),
    ],
    "SETRANGE with an empty value": [
        ('SETRANGE k 5 ""', 0), ("EXISTS k", 0), ("SET k v", OK), ('SETRANGE k 5 ""', 1), ("GET k", "v"),
    ],
    "SETRANGE keeps the TTL and changes an integer": [
        ("SET k 12345 EX 100", OK), ("SETRANGE k 1 x", 5), ("GET k", "1x345"), ("TTL k", 100),
    ],
    "SETRANGE refuses bad offsets": [
        ("SETRANGE k -1 a", Error("ERR offset is out of range")), ("SETRANGE k x a", NOT_INTEGER),
        ("SETRANGE k 536870912 a", Error("ERR string exceeds maximum allowed size (proto-max-bulk-len)")),
        ("SETRANGE k 536870909 abcd", Error("ERR string exceeds maximum allowed size (proto-max-bulk-len)")),
        ("SETRANGE k 9223372036854775807 a", Error("ERR string exceeds maximum allowed size (proto-max-bulk-len)")),
        ("SETRANGE k 1", wrong_args("setrange")), ("EXISTS k", 0),
    ],
    # numbers
    "INCR and DECR": [
        ("INCR k", 1), ("INCR k", 2), ("DECR k", 1), ("DECR n", -1), ("GET k", "1"), ("INCR", wrong_args("incr")),
        ("INCR a b", wrong_args("incr")), ("DECR", wrong_args("decr")),
    ],
    "INCRBY and DECRBY": [
        ("INCRBY k 5", 5), ("DECRBY k 7", -2), ("INCRBY k -3", -5), ("TTL k", -1),
        ("INCRBY k", wrong_args("incrby")), ("DECRBY k", wrong_args("decrby")),
        ("DECRBY k 1 2", wrong_args("decrby")),
    ],
    "INCR keeps the TTL": [("SET k 1 EX 100", OK), ("INCR k", 2), ("INCRBYFLOAT k 1.5", "3.5"), ("TTL k", 100)],
    "INCR refuses what is no integer": [
        ("SET k abc", OK), ("INCR k", NOT_INTEGER), ("SET k 1.0", OK), ("INCR k", NOT_INTEGER), ('SET k " 1"', OK),
        ("INCR k", NOT_INTEGER), ('SET k "1 "', OK), ("INCR k", NOT_INTEGER), ("SET k 01", OK),
        ("INCR k", NOT_INTEGER), ("SET k +1", OK), ("INCR k", NOT_INTEGER), ("SET k -0", OK),
        ("INCR k", NOT_INTEGER), ('SET k ""', OK), ("INCR k", NOT_INTEGER), (r'SET k "1\x00"', OK),
        ("INCR k", NOT_INTEGER), ("SET k 9223372036854775808", OK), ("INCR k", NOT_INTEGER),
    ],
    "INCRBY refuses a bad increment": [
        ("SET k 1", OK), ("INCRBY k a", NOT_INTEGER), ("INCRBY k 1.5", NOT_INTEGER),
        ("INCRBY k 9223372036854775808", NOT_INTEGER), ('INCRBY k ""', NOT_INTEGER), ("DECRBY k a", NOT_INTEGER),
        ("DECRBY k -9223372036854775808", Error("ERR decrement would overflow")), ("GET k", "1"),
    ],
    "INCR at the ends of 64 bits": [
        ("SET k 9223372036854775807", OK), ("INCR k", Error("ERR increment or decrement would overflow")),
        ("INCRBY k 9223372036854775807", Error("ERR increment or decrement would overflow")),
        ("DECR k", 9223372036854775806), ("SET k -9223372036854775808", OK),
        ("DECR k", Error("ERR increment or decrement would overflow")),
        ("DECRBY k 1", Error("ERR increment or decrement would overflow")), ("INCR k", -9223372036854775807),
        ("INCRBY k -9223372036854775808", Error("ERR increment or decrement would overflow")),
        ("GET k", "-9223372036854775807"),
    ],
    "INCRBY passes small and large integers": [
        ("SET k 9999", OK), ("INCR k", 10000), ("GET k", "10000"), ("SET k 2147483647", OK), ("INCR k", 2147483648),
        ("SET k -2147483648", OK), ("DECR k", -2147483649), ("OBJECT ENCODING k", "int"),
    ],
    "INCRBYFLOAT": [
        ("INCRBYFLOAT k 1.5", "1.5"), ("INCRBYFLOAT k 1.5", "3"), ("INCRBYFLOAT k -0.25", "2.75"),
        ("INCRBYFLOAT k 5.0e3", "5002.75"), ("INCRBYFLOAT k 3", "5005.75"), ("GET k", "5005.75"),
    ],
    "INCRBYFLOAT writes no exponent and no tail of zeros": [
        ("SET k 1e3", OK), ("INCRBYFLOAT k 0", "1000"), ("SET k 3.0", OK), ("INCRBYFLOAT k 0", "3"),
        ("SET k 0.1", OK), ("INCRBYFLOAT k 0.2", "0.3"), ("INCRBYFLOAT z 1e20", "100000000000000000000"),
        ("INCRBYFLOAT y 1e-10", "0.0000000001"), ("INCRBYFLOAT x -1.1", "-1.1"),
    ],
    "INCRBYFLOAT refuses what is no number": [
        ("SET k abc", OK), ("INCRBYFLOAT k 1", NOT_FLOAT), ("SET k 1", OK), ("INCRBYFLOAT k x", NOT_FLOAT),
        ('INCRBYFLOAT k ""', NOT_FLOAT), ('INCRBYFLOAT k " 1"', NOT_FLOAT), ('INCRBYFLOAT k "1 "', NOT_FLOAT),
        ("INCRBYFLOAT k nan", NOT_FLOAT), ('SET k " 1"', OK), ("INCRBYFLOAT k 1", NOT_FLOAT), (r'SET k "1\x00"', OK),
        ("INCRBYFLOAT k 1", NOT_FLOAT), ("INCRBYFLOAT k", wrong_args("incrbyfloat")),
        ("INCRBYFLOAT k 1 2", wrong_args("incrbyfloat")),
    ],
    "INCRBYFLOAT refuses infinity": [
        ("SET k 1", OK), ("INCRBYFLOAT k inf", Error("ERR increment would produce NaN or Infinity")),
        ("INCRBYFLOAT k -inf", Error("ERR increment would produce NaN or Infinity")),
        ("INCRBYFLOAT k +inf", Error("ERR increment would produce NaN or Infinity")), ("GET k", "1"),
    ],
    # encodings
    "OBJECT ENCODING of strings": [
        ("SET k 1", OK), ("OBJECT ENCODING k", "int"), ("SET k -9223372036854775808", OK),
        ("OBJECT ENCODING k", "int"), ("SET k 9223372036854775808", OK), ("OBJECT ENCODING k", "embstr"),
        ("SET k 01", OK), ("OBJECT ENCODING k", "embstr"), ('SET k ""', OK), ("OBJECT ENCODING k", "embstr"),
        (("SET", "k", "x" * 44), OK), ("OBJECT ENCODING k", "embstr"), (("SET", "k", "x" * 45), OK),
        ("OBJECT ENCODING k", "raw"), ("OBJECT ENCODING n", None),
    ],
    "OBJECT ENCODING after a change": [
        ("SET k abc", OK), ("APPEND k d", 4), ("OBJECT ENCODING k", "raw"), ("SET k 1", OK), ("APPEND k 2", 2),
        ("OBJECT ENCODING k", "raw"), ("SET k 1", OK), ("SETRANGE k 0 2", 1), ("OBJECT ENCODING k", "raw"),
        ("INCR k", 3), ("OBJECT ENCODING k", "int"), ("SETBIT b 1 1", 0), ("OBJECT ENCODING b", "raw"),
    ],
    "OBJECT ENCODING by other writers": [
        ("GETSET k 12", None), ("OBJECT ENCODING k", "int"), ("MSET k 34 l abc", OK), ("OBJECT ENCODING k", "int"),
        ("OBJECT ENCODING l", "embstr"), ("SETNX n 5", 1), ("OBJECT ENCODING n", "int"), ("SETEX n 100 6", OK),
        ("OBJECT ENCODING n", "int"), ("INCRBYFLOAT n 1", "7"), ("OBJECT ENCODING n", "embstr"),
        ("INCRBYFLOAT n 0.5", "7.5"), ("OBJECT ENCODING n", "embstr"), ("APPEND new abc", 3),
        ("OBJECT ENCODING new", "embstr"),
    ],
    # LCS
    "LCS": [
        ("MSET a ohmytext b mynewtext", OK), ("LCS a b", "mytext"), ("LCS a b LEN", 6), ("LCS a none", ""),
        ("LCS none b LEN", 0), ("LCS none nine", ""),
    ],
    "LCS IDX": [
        ("MSET a ohmytext b mynewtext", OK),
        ("LCS a b IDX", {"matches": [[[4, 7], [5, 8]], [[2, 3], [0, 1]]], "len": 6}),
        ("LCS a b IDX MINMATCHLEN 4", {"matches": [[[4, 7], [5, 8]]], "len": 6}),
        ("LCS a b IDX WITHMATCHLEN", {"matches": [[[4, 7], [5, 8], 4], [[2, 3], [0, 1], 2]], "len": 6}),
        ("LCS a b IDX WITHMATCHLEN MINMATCHLEN 4", {"matches": [[[4, 7], [5, 8], 4]], "len": 6}),
        ("LCS a b IDX MINMATCHLEN -5", {"matches": [[[4, 7], [5, 8]], [[2, 3], [0, 1]]], "len": 6}),
        ("LCS a b IDX MINMATCHLEN 100", {"matches": [], "len": 6}), ("LCS a none IDX", {"matches": [], "len": 0}),
    ],
    "LCS refuses bad options": [
        ("MSET a 1 b 2", OK),
        ("LCS a b LEN IDX", Error("ERR If you want both the length and indexes, please just use IDX.")),
        ("LCS a b MINMATCHLEN", SYNTAX), ("LCS a b MINMATCHLEN x", NOT_INTEGER), ("LCS a b X", SYNTAX),
        ("LCS a", wrong_args("lcs")), ("LCS a b LEN LEN", 0), ("LCS a b WITHMATCHLEN", ""),
    ],
    "LCS of any bytes": [
        (r'MSET a "\x00\xff\r\nx" b "y\xff\r\n"', OK), ("LCS a b", b"\xff\r\n"),
        ("LCS a b IDX", {"matches": [[[1, 3], [1, 3]]], "len": 3}),
    ],
    "SELECT keeps databases apart": [
        ("SET k 0", OK), ("SELECT 1", OK), ("GET k", None), ("SET k 1", OK), ("SELECT 0", OK), ("GET k", "0"),
    ],
    # From here on the expectations come from the documentation of Redis 8.4 and 8.8 and Valkey 8.1 and 9.0.
    "SET IFEQ replaces an equal value": Case([
        ("SET k v IFEQ v", None), ("EXISTS k", 0), ("SET k v", OK), ("SET k w IFEQ x", None), ("GET k", "v"),
        ("SET k w IFEQ v", OK), ("GET k", "w"), ("SET k 12 IFEQ w EX 100", OK), ("SET k 13 IFEQ 12 KEEPTTL", OK),
        ("TTL k", 100), ("SET k 14 IFEQ 13", OK), ("TTL k", -1),
    ], since="8.4 or valkey 8.1"),
    "SET IFEQ with GET": Case([
        ("SET k v IFEQ v GET", None), ("EXISTS k", 0), ("SET k v", OK), ("SET k w IFEQ x GET", "v"), ("GET k", "v"),
        ("SET k w IFEQ v GET", "v"), ("GET k", "w"),
    ], since="8.4 or valkey 8.1"),
    "SET conditions exclude each other": Case([
        ("SET k v NX IFEQ v", SYNTAX), ("SET k v IFEQ v XX", SYNTAX), ("SET k v IFEQ", SYNTAX),
    ], since="8.4 or valkey 8.1"),
    "SET IFNE replaces another value, or none": Case([
        ("SET k v IFNE v", OK), ("SET k w IFNE v", None), ("SET k w IFNE x", OK), ("SET k v IFNE w GET", "w"),
        ("GET k", "w"), ("SET n v IFNE x GET", None), ("GET n", "v"), ("SET k v IFNE x IFEQ w", SYNTAX),
    ], since="8.4"),
    "SET IFEQ compares any bytes": Case([
        (r'SET k "a\x00\xff"', OK), (r'SET k v IFEQ "a\x00\xfe"', None), (r'SET k v IFEQ "a\x00"', None),
        (r'SET k v IFEQ "a\x00\xff"', OK),
    ], since="8.4 or valkey 8.1"),
    "DIGEST is the XXH3 of the value": Case([
        ("DIGEST k", None), ('SET k ""', OK), ("DIGEST k", "2d06800538d394c2"), ("SET k hello", OK),
        ("DIGEST k", "9555e8555c62dcfd"), ("SET k 12345", OK), ("DIGEST k", "f34099ede96b5581"),
        (("SET", "k", "x" * 300), OK), ("DIGEST k", "a5d1b4607dc83554"), ("DIGEST", wrong_args("digest")),
        ("DIGEST k l", wrong_args("digest")),
    ], since="8.4"),
    "SET IFDEQ and IFDNE compare the digest": Case([
        ("SET k hello", OK), ("SET k v IFDEQ 2d06800538d394c2", None), ("SET k v IFDNE 9555e8555c62dcfd", None),
        ("GET k", "hello"), ("SET k v IFDEQ 9555e8555c62dcfd", OK), ("SET k hello IFDNE 2d06800538d394c2", OK),
        ("SET n v IFDEQ 2d06800538d394c2", None), ("SET n v IFDNE 2d06800538d394c2", OK), ("GET n", "v"),
    ], since="8.4"),
    "DELEX deletes under a condition": Case([
        ("DELEX k", 0), ("SET k v", OK), ("DELEX k", 1), ("DELEX k IFEQ v", 0), ("SET k hello", OK),
        ("DELEX k IFEQ v", 0), ("DELEX k IFNE hello", 0), ("DELEX k IFDEQ 2d06800538d394c2", 0),
        ("DELEX k IFDNE 9555e8555c62dcfd", 0), ("DELEX k IFEQ hello", 1), ("SET k hello", OK), ("DELEX k IFNE v", 1),
        ("SET k hello", OK), ("DELEX k IFDEQ 9555e8555c62dcfd", 1), ("SET k 12345", OK),
        ("DELEX k IFDNE 9555e8555c62dcfd", 1), ("EXISTS k", 0),
    ], since="8.4"),
    "DELEX refuses bad conditions": Case([
        ("SET k v", OK), ("DELEX k IFXX v", Matching("ERR Invalid condition.*")),
        ("DELEX k IFEQ", wrong_args("delex")), ("DELEX k IFEQ v x", wrong_args("delex")),
        ("DELEX", wrong_args("delex")), ("GET k", "v"),
    ], since="8.4"),
    "DELIFEQ": Case([
        ("DELIFEQ k v", 0), ("SET k v", OK), ("DELIFEQ k w", 0), ("DELIFEQ k v", 1), ("EXISTS k", 0),
        ("DELIFEQ k", wrong_args("delifeq")), ("DELIFEQ k v w", wrong_args("delifeq")),
    ], since="valkey 9.0"),
    "MSETEX sets all or nothing, with one TTL": Case([
        ("MSETEX 2 a 1 b 2 EX 100", 1), ("TTL b", 100), ("MSETEX 2 b 3 c 4 NX", 0), ("EXISTS c", 0),
        ("MSETEX 2 b 3 c 4 XX", 0), ("GET b", "2"), ("MSETEX 2 a 3 b 4 XX KEEPTTL", 1), ("MGET a b", ["3", "4"]),
        ("TTL a", 100), ("MSETEX 1 a 5", 1), ("TTL a", -1), ("MSETEX 1 n 5 NX PXAT 33177117420123", 1),
        ("PEXPIRETIME n", 33177117420123),
    ], since="8.4"),
    "MSETEX refuses bad options": Case([
        ("MSETEX 1 a", wrong_args("msetex")), ("MSETEX 1 a 1 NX XX", SYNTAX), ("MSETEX 1 a 1 EX 10 KEEPTTL", SYNTAX),
        ("MSETEX 1 a 1 EX 10 PX 10", SYNTAX), ("MSETEX 1 a 1 EX 0", bad_expire("msetex")),
        ("MSETEX 1 a 1 EX x", NOT_INTEGER), ("MSETEX 0 a 1", Any(Error)), ("MSETEX x a 1", Any(Error)),
        ("MSETEX 2 a 1", Any(Error)), ("DBSIZE", 0),
    ], since="8.4"),
    "INCREX returns the value and the step": Case([
        ("INCREX k", [1, 1]), ("INCREX k BYINT 5", [6, 5]), ("INCREX k BYINT -10", [-4, -10]), ("GET k", "-4"),
        ("INCREX f BYFLOAT 1.5", [1.5, 1.5]), ("INCREX f BYFLOAT -0.25", [1.25, -0.25]),
    ], since="8.8"),
    "INCREX leaves a value at its bounds": Case([
        ("SET k 10 EX 100", OK), ("INCREX k BYINT 10 UBOUND 15 EX 5", [10, 0]),
        ("INCREX k BYINT -10 LBOUND 5", [10, 0]), ("TTL k", 100), ("INCREX k BYINT 5 UBOUND 15", [15, 5]),
        ("INCREX n BYINT 10 UBOUND 5", [0, 0]), ("EXISTS n", 0),
    ], since="8.8"),
    "INCREX SATURATE stops at the bound": Case([
        ("SET k 10", OK), ("INCREX k BYINT 10 UBOUND 15 SATURATE", [15, 5]),
        ("INCREX k BYINT -100 LBOUND 0 SATURATE", [0, -15]), ("SET k 9223372036854775800", OK),
        ("INCREX k BYINT 100 SATURATE", [9223372036854775807, 7]), ("SET f 10", OK),
        ("SET low -9223372036854775808", OK), ("INCREX low LBOUND -1 SATURATE", [-1, 9223372036854775807]),
        ("INCREX f BYFLOAT 100 UBOUND 42.5 SATURATE", [42.5, 32.5]),
    ], since="8.8"),
    "INCREX and the TTL": Case([
        ("INCREX k EX 100", [1, 1]), ("TTL k", 100), ("INCREX k", [2, 1]), ("TTL k", 100),
        ("INCREX k ENX EX 5", [3, 1]), ("TTL k", 100), ("INCREX k PERSIST", [4, 1]), ("TTL k", -1),
        ("INCREX k ENX EX 5", [5, 1]), ("TTL k", 5),
    ], since="8.8"),
    "INCREX refuses bad options": Case([
        ("INCREX", wrong_args("increx")), ("INCREX k FOO", SYNTAX), ("INCREX k BYINT 1 BYFLOAT 1", SYNTAX),
        ("INCREX k EX 10 PX 10", SYNTAX), ("INCREX k EX 10 PERSIST", SYNTAX), ("INCREX k PERSIST ENX", SYNTAX),
        ("INCREX k BYINT x", NOT_INTEGER), ("INCREX k BYFLOAT x", NOT_FLOAT),
        ("INCREX k EX 0", bad_expire("increx")),
        ("INCREX k LBOUND 10 UBOUND 5", Matching(".*LBOUND can't be greater than UBOUND.*")),
        ("INCREX k ENX", Matching(".*ENX flag requires an expiration.*")), ("EXISTS k", 0),
    ], since="8.8"),

    # Lists
    "String commands refuse a list": [
        ("RPUSH l a", 1), ("GET l", WRONGTYPE), ("GETSET l v", WRONGTYPE), ("GETDEL l", WRONGTYPE),
        ("GETEX l", WRONGTYPE), ("GETEX l EX 10", WRONGTYPE), ("APPEND l v", WRONGTYPE), ("STRLEN l", WRONGTYPE),
        ("GETRANGE l 0 1", WRONGTYPE), ("SUBSTR l 0 1", WRONGTYPE), ("SETRANGE l 0 v", WRONGTYPE),
        ('SETRANGE l 0 ""', WRONGTYPE), ("INCR l", WRONGTYPE), ("DECR l", WRONGTYPE), ("INCRBY l 5", WRONGTYPE),
        ("DECRBY l 5", WRONGTYPE), ("INCRBYFLOAT l 1", WRONGTYPE), ("SET l v GET", WRONGTYPE),
        ("SET l v NX GET", WRONGTYPE), ("TYPE l", Status("list")),
    ],
    "LCS refuses a list": [
        ("RPUSH l a", 1), ("SET k v", OK), ("LCS l k", Error("ERR The specified keys must contain string values")),
        ("LCS k l LEN", Error("ERR The specified keys must contain string values")),
    ],
    "MGET gives nil for a list": [("RPUSH l a", 1), ("SET k v", OK), ("MGET l k", [None, "v"])],
    "SET, SETEX and MSET replace a list": [
        ("RPUSH l a", 1), ("SET l v", OK), ("GET l", "v"), ("RPUSH m a", 1), ("SETEX m 100 v", OK),
        ("TYPE m", Status("string")), ("RPUSH n a", 1), ("MSET n v", OK), ("GET n", "v"), ("RPUSH o a", 1),
        ("SETNX o v", 0), ("MSETNX o v", 0), ("TYPE o", Status("list")),
    ],
}


def test_rows(row_case):
    row_case.check()


def available_bytes():
    return int(re.search(r"MemAvailable:\s+(\d+)", Path("/proc/meminfo").read_text())[1]) * 1024


@pytest.mark.slow
def test_lcs_whose_table_has_more_bytes_than_64_bits_count(either_server):
    """Of two strings of 2 GiB it has 2**64, which is 0 to who multiplies them."""
    if available_bytes() < 8 << 30:
        pytest.skip("less than 8 GiB of memory are free")
    with either_server("--proto-max-bulk-len", "4gb").client(timeout=60.0) as client:
        assert client.call("SETRANGE", "k", 2**31 - 2, "x") == 2**31 - 1
        for options in ([], ["LEN"], ["IDX"]):
            assert client.call("LCS", "k", "k", *options).startswith("ERR Insufficient memory, ")


# --- what is propagated; see tests.effect_rows ----------------------------------------

EFFECTS = {
    "SET": ("", "SET k v", "SET k v"),
    "SET in small letters": ("", "set k v", "set k v"),
    "SET EX": ("", "SET k v EX 10", "SET k v PXAT T+10000"),
    "SET PX": ("", "SET k v PX 10", "SET k v PXAT T+10"),
    "SET EXAT": ("", "SET k v EXAT 1700000010", "SET k v PXAT T+10000"),
    "SET PXAT": ("", "SET k v PXAT 1700000000010", "SET k v PXAT T+10"),
    "SET NX": ("", "SET k v NX", "SET k v", "Redis writes it as it came"),
    "SET NX EX": ("", "SET k v NX EX 1", "SET k v PXAT T+1000"),
    "SET NX that fails": ("SET k 1", "SET k v NX", ""),
    "SET XX that fails": ("", "SET k v XX", ""),
    "SET KEEPTTL": ("SET k 1 EX 5", "SET k v KEEPTTL", "SET k v KEEPTTL"),
    "SET GET": ("SET k 1", "SET k v GET", "SET k v"),
    "SET GET of no key": ("", "SET k v GET", "SET k v"),
    "SET NX GET that fails": ("SET k 1", "SET k v NX GET", ""),
    "SET IFEQ": ("SET k 1", "SET k v IFEQ 1", "SET k v", "Valkey writes it as it came"),
    "SET IFEQ that fails": ("SET k 1", "SET k v IFEQ 2", ""),
    "SET with a syntax error": ("", "SET k v EX", ""),
    "SETEX": ("", "SETEX k 10 v", "SET k v PXAT T+10000"),
    "PSETEX": ("", "PSETEX k 10 v", "SET k v PXAT T+10"),
    "SETNX": ("", "SETNX k v", "SETNX k v"),
    "SETNX that fails": ("SET k 1", "SETNX k v", ""),
    "GETSET": ("SET k 1", "GETSET k v", "SET k v"),
    "MSET": ("", "MSET a 1 b 2", "MSET a 1 b 2"),
    "MSETNX": ("", "MSETNX a 1 b 2", "MSETNX a 1 b 2"),
    "MSETNX that fails": ("SET b 1", "MSETNX a 1 b 2", ""),
    "GET": ("SET k v", "GET k", ""),
    "GETDEL": ("SET k v", "GETDEL k", "DEL k"),
    "GETDEL of no key": ("", "GETDEL k", ""),
    "GETEX": ("SET k v", "GETEX k", ""),
    "GETEX EX": ("SET k v", "GETEX k EX 10", "PEXPIREAT k T+10000"),
    "GETEX PXAT": ("SET k v", "GETEX k PXAT 1700000000010", "PEXPIREAT k T+10"),
    "GETEX of the past": ("SET k v", "GETEX k EXAT 1", "DEL k"),
    "GETEX PERSIST": ("SET k v EX 10", "GETEX k PERSIST", "PERSIST k"),
    "GETEX PERSIST without a TTL": ("SET k v", "GETEX k PERSIST", ""),
    "GETEX of no key": ("", "GETEX k EX 10", ""),
    "APPEND": ("", "APPEND k v", "APPEND k v"),
    "SETRANGE": ("", "SETRANGE k 2 v", "SETRANGE k 2 v"),
    "INCR": ("", "INCR k", "INCR k"),
    "INCR of text": ("SET k v", "INCR k", ""),
    "INCRBY": ("", "INCRBY k 5", "INCRBY k 5"),
    "INCRBYFLOAT": ("SET k 1 EX 10", "INCRBYFLOAT k 0.5", "SET k 1.5 KEEPTTL"),
    "INCRBYFLOAT of text": ("SET k v", "INCRBYFLOAT k 0.5", ""),
    "INCREX": ("", "INCREX k BYINT 5", "SET k 5"),
    "INCREX EX": ("SET k 1", "INCREX k BYINT 5 EX 10", "SET k 6 PXAT T+10000"),
    "INCREX keeps a TTL": ("SET k 1 EX 7", "INCREX k BYFLOAT 0.5", "SET k 1.5 PXAT T+7000"),
    "INCREX ENX": ("SET k 1 EX 7", "INCREX k EX 10 ENX", "SET k 2 PXAT T+7000"),
    "INCREX PERSIST": ("SET k 1 EX 7", "INCREX k PERSIST", "SET k 2"),
    "INCREX out of bounds": ("SET k 1", "INCREX k BYINT 5 UBOUND 3", ""),
    "INCREX SATURATE": ("SET k 1", "INCREX k BYINT 5 UBOUND 3 SATURATE", "SET k 3"),
}


def test_effects(effect):
    effect.check()
