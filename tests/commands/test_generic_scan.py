"""SCAN, KEYS and RANDOMKEY beyond single replies: odd arguments, expired keys, the guarantee; events of the group."""
import random

from tests.rows import (
    BAD_CURSOR,
    NIL_ARRAY,
    NOT_INTEGER,
    OK,
    SYNTAX,
    Advance,
    Between,
    Case,
    Error,
    Status,
    event,
    listen,
)

OUT_OF_INT = Error("ERR value is out of range, value must between -2147483648 and 2147483647")
NOT_YET = "the peer is older than the option"


LISTEN = listen(classes="Eg")

CASES = {
    "SCAN takes odd cursors and repeated options": [
        ("SET k v", OK), ("SCAN +0", ["0", ["k"]]), ("SCAN 00", ["0", ["k"]]),
        ("SCAN 0 MATCH x MATCH k", ["0", ["k"]]), ("SCAN 0 COUNT 1 COUNT 5", ["0", ["k"]]),
        ("SCAN 0 TYPE list TYPE string", ["0", ["k"]]), ("SCAN 0 COUNT 9223372036854775807", ["0", ["k"]]),
        ("SCAN 0 TYPE nosuch", ["0", []]), ("SCAN 0 MATCH k", ["0", ["k"]]),
    ],
    "COUNT is checked each time": [
        ("SCAN 0 COUNT 0 COUNT 5", SYNTAX), ("SCAN 0 COUNT 5 COUNT -1", SYNTAX),
        ("SCAN 0 COUNT x COUNT 5", NOT_INTEGER),
        ("SCAN 0 COUNT 0 x", SYNTAX), ("SADD s a", 1), ("SSCAN s 0 COUNT 0 COUNT 5", SYNTAX), ("ZADD z 1 a", 1),
        ("ZSCAN z 0 COUNT 0 COUNT 5", SYNTAX), ("HSET h f v", 1), ("HSCAN h 0 COUNT 0 COUNT 5", SYNTAX),
        ("HSCAN h 0 COUNT 1 COUNT 5", ["0", ["f", "v"]]),
    ],
    "A zero byte ends a cursor, and odd texts of negative numbers are cursors": [
        (r'SCAN "0\x00x"', ["0", []]), ("SCAN -0", ["0", []]), ("SCAN -01", ["0", []]),
        ("SCAN -18446744073709551616", BAD_CURSOR), ("SCAN 18446744073709551616", BAD_CURSOR), ("SCAN x", BAD_CURSOR),
        ('SCAN "1 "', BAD_CURSOR), ("SCAN 0x1", BAD_CURSOR),
    ],
    "Cursors as since Redis 7.2": Case([
        ("SCAN -1", BAD_CURSOR), ('SCAN ""', BAD_CURSOR), (r'SCAN "\x001"', BAD_CURSOR), ('SCAN " 1"', ["0", []]),
        ("SET s v", OK), ("SSCAN s -1", BAD_CURSOR), ("SCAN -1 COUNT x", BAD_CURSOR),
    ], since="8.2 or valkey 9.1"),
    "SCAN refuses the options of HSCAN and ZSCAN": Case([
        ("SCAN 0 NOVALUES", Error("ERR NOVALUES option can only be used in HSCAN")),
        ("SCAN 0 NOSCORES", Error("ERR NOSCORES option can only be used in ZSCAN")),
    ], peer=NOT_YET),
    "The star alone matches the empty key": [
        ('SET "" v', OK), ("KEYS *", [""]), ("KEYS **", []), ("SCAN 0 MATCH *", ["0", [""]]),
        ("SCAN 0 MATCH **", ["0", []]), ('KEYS ""', [""]), ("RANDOMKEY", ""),
    ],
    "KEYS leaves expired keys in place, SCAN and RANDOMKEY remove them": [
        ("DEBUG SET-ACTIVE-EXPIRE 0", OK), ("SET k v PX 1", OK), ("SET l v PX 1", OK), Advance(10), ("KEYS *", []),
        ("KEYS k", []), ("KEYS k*", []), ("DBSIZE", 2), ("SCAN 0 MATCH k", ["0", []]), ("DBSIZE", 1),
        ("RANDOMKEY", None), ("DBSIZE", 0), ("DEBUG SET-ACTIVE-EXPIRE 1", OK),
    ],
    "DEL does not count what has expired": [
        ("DEBUG SET-ACTIVE-EXPIRE 0", OK), ("SET k v PX 1", OK), ("SET l v", OK), Advance(10), ("DEL k l", 1),
        ("DBSIZE", 0), ("DEBUG SET-ACTIVE-EXPIRE 1", OK),
    ],
    "MOVE and COPY want a database number of 32 bits": [
        ("SET k v", OK), ("MOVE k 2147483648", OUT_OF_INT), ("COPY k l DB -2147483649", OUT_OF_INT),
        ("COPY k l DB 1 DB 2", 1), ("SELECT 2", OK), ("GET l", "v"),
    ],
    "Long values survive RENAME, MOVE and COPY": [
        (("SET", "k", "v" * 5000), OK), ("RENAME k l", OK), ("APPEND l w", 5001), ("COPY l m", 1), ("MOVE m 1", 1),
        ("SELECT 1", OK), ("STRLEN m", 5001), ("OBJECT ENCODING m", "raw"), (("RENAME", "m", "n" * 600), OK),
        (("STRLEN", "n" * 600), 5001),
    ],
    "Values behind their key survive longer and shorter keys": [
        (("SET", "k", "v" * 44), OK), (("RENAME", "k", "l" * 1000), OK), (("RENAME", "l" * 1000, "m"), OK),
        ("GET m", "v" * 44), ("OBJECT ENCODING m", "embstr"), ("SET m w", OK), ("GET m", "w"),
    ],
    "TTL, TYPE, EXISTS and OBJECT leave the idle time alone, TOUCH does not": [
        ("SET k v EX 1000", OK), Advance(5000), ("TTL k", 995), ("TYPE k", Status("string")),
        ("EXISTS k", 1), ("OBJECT ENCODING k", "embstr"), ("OBJECT IDLETIME k", Between(5, 6)), ("TOUCH k", 1),
        ("OBJECT IDLETIME k", 0),
    ],
    "Events of deleting and renaming": [
        *LISTEN, ("SET k v", OK), ("RENAME k l", OK), event("rename_from", "k"), event("rename_to", "l"),
        ("COPY l m", 1), event("copy_to", "m"), ("MOVE m 1", 1), event("move_from", "m"), event("move_to", "m", 1),
        ("COPY l n DB 1", 1), event("copy_to", "n", 1), ("UNLINK l", 1), event("del", "l"),
    ],
    "Events of expiry": [
        *LISTEN, ("SET k v", OK), ("EXPIRE k 100", 1), event("expire", "k"), ("PERSIST k", 1), event("persist", "k"),
        ("PERSIST k", 0), ("EXPIRE k 0", 1), event("del", "k"), ("EXPIRE k 0", 0),
    ],
    "A key that is renamed away, or comes by RENAME, COPY or MOVE, breaks a transaction": [
        ("SET k v", OK), ("@2 WATCH l", OK), ("RENAME k l", OK), ("@2 MULTI", OK), ("@2 EXEC", NIL_ARRAY),
        ("@2 WATCH l", OK), ("COPY l m", 1), ("COPY m l REPLACE", 1), ("@2 MULTI", OK), ("@2 EXEC", NIL_ARRAY),
        ("@2 SELECT 1", OK), ("@2 WATCH l", OK), ("MOVE l 1", 1), ("@2 MULTI", OK), ("@2 EXEC", NIL_ARRAY),
    ],
}


def test_rows(row_case):
    row_case.check()


def test_scan_returns_all_that_stays_while_others_come_go_and_expire(either_target):
    chance = random.Random(7)
    stay = {b"stay:%d" % number for number in range(300)}
    with either_target.server.client() as client:
        client.pipeline([("SET", name, "v") for name in stay])
        for count in (1, 7, 100):
            cursor, found = b"0", set()
            while True:
                cursor, keys = client.call("SCAN", cursor, "COUNT", count, "MATCH", "stay:*")
                found.update(keys)
                if cursor == b"0":
                    break
                names = [b"other:%d" % chance.randrange(2000) for _ in range(20)]
                client.pipeline([
                    chance.choice([("SET", name, "v"), ("SET", name, "v", "PX", "1"), ("DEL", name)])
                    for name in names])
            assert found == stay
