"""HyperLogLog commands: PFADD, PFCOUNT, PFMERGE, PFDEBUG, PFSELFTEST."""
from tests.rows import NIL_ARRAY, OK, QUEUED, WRONGTYPE, Any, Between, Error, Push, Status, wrong_args

# What redis-server 7.0 dumps after PFADD of "a".
SPARSE = b"\x00\x15HYLL\x01" + bytes(10) + b"\x80q\xa6\x84NW\n\x00f1\xff\x026\x8d24"
NOT_HLL = Error("WRONGTYPE Key is not a valid HyperLogLog string value.")
CORRUPT = Error("INVALIDOBJ Corrupted HLL object detected")


def words(command, *keys, count=1000, start=0):
    """A command with many elements."""
    return (command, *keys, *(f"element:{i}" for i in range(start, start + count)))


CASES = {
    "PFADD and PFCOUNT": [
        ("PFADD k a b c", 1), ("PFCOUNT k", 3), ("PFADD k a b c", 0), ("PFADD k c d", 1), ("PFCOUNT k", 4),
        ("PFADD k \"\"", 1), ("PFCOUNT k", 5), ("TYPE k", Status("string")), ("PFCOUNT none", 0),
    ],
    "What looks at a string that came otherwise makes it raw": [
        (("RESTORE", "k", "0", SPARSE), OK), ("OBJECT ENCODING k", "embstr"), ("EXPIRE k 100", 1), ("PFADD k", 0),
        ("OBJECT ENCODING k", "raw"), ("PFCOUNT k", 1), ("TTL k", Between(1, 100)), (("RESTORE", "l", "0", SPARSE), OK),
        ("PFCOUNT l", 1), ("OBJECT ENCODING l", "raw"), (("RESTORE", "m", "0", SPARSE), OK), ("PFMERGE m", OK),
        ("OBJECT ENCODING m", "raw"), ("PFCOUNT k m", 1),
    ],
    "PFADD without elements creates the key": [
        ("PFADD k", 1), ("PFADD k", 0), ("PFCOUNT k", 0),
        ("GET k", b"HYLL\x01" + bytes(11) + b"\x7f\xff"), ("STRLEN k", 18),
    ],
    "PFADD writes what Redis writes": [
        ("PFADD k a", 1),
        ("GET k", b"HYLL\x01" + bytes(10) + b"\x80q\xa6\x84NW"),
    ],
    "PFADD keeps the TTL": [("PFADD k a", 1), ("EXPIRE k 100", 1), ("PFADD k b", 1), ("TTL k", 100)],
    "PFCOUNT keeps the estimate in the value": [
        ("PFADD k a b", 1), ("GETRANGE k 8 15", bytes(7) + b"\x80"), ("PFCOUNT k", 2),
        ("GETRANGE k 8 15", b"\x02" + bytes(7)), ("SETRANGE k 8 \"\\x2a\"", 24), ("PFCOUNT k", 42), ("PFADD k a", 0),
        ("PFCOUNT k", 42), ("PFADD k c", 1), ("PFCOUNT k", 3),
    ],
    "PFCOUNT of several keys": [
        ("PFADD a 1 2 3", 1), ("PFADD b 3 4 5", 1), ("PFCOUNT a b", 5), ("PFCOUNT a none b a", 5),
        ("PFCOUNT none none", 0), ("GETRANGE a 15 15", b"\x80"),
    ],
    "PFCOUNT of many elements": [
        (words("PFADD", "k"), 1), ("PFCOUNT k", 997), ("STRLEN k", 1897), ("PFDEBUG ENCODING k", Status("sparse")),
        (words("PFADD", "k", count=9000, start=1000), 1), ("PFCOUNT k", 10017), ("STRLEN k", 12304),
        ("PFDEBUG ENCODING k", Status("dense")),
    ],
    "PFMERGE": [
        ("PFADD a 1 2 3", 1), ("PFADD b 3 4 5", 1), ("PFMERGE c a b", OK), ("PFCOUNT c", 5), ("PFMERGE a b", OK),
        ("PFCOUNT a", 5), ("PFDEBUG ENCODING a", Status("sparse")), ("PFADD d x", 1), ("PFMERGE d a none", OK),
        ("PFCOUNT d", 6), ("GETRANGE d 0 15", b"HYLL\x01\x00\x00\x00\x06" + bytes(7)),
    ],
    "PFMERGE of nothing creates the key": [
        ("PFMERGE k none", OK), ("PFCOUNT k", 0), ("GETRANGE k 0 4", b"HYLL\x01"), ("STRLEN k", 18),
        ("PFADD e", 1), ("PFMERGE l e", OK), ("STRLEN l", 18),
    ],
    "PFMERGE of nothing into a value that was set": [
        (("SET", "k", b"HYLL\x01" + bytes(11) + b"\x7f\xff"), OK), ("PFMERGE k none", OK),
        ("GET k", b"HYLL\x01" + bytes(10) + b"\x80\x7f\xff"), ("PFCOUNT k", 0), ("PFADD k a", 1), ("PFCOUNT k", 1),
    ],
    "PFMERGE keeps the destination's TTL": [
        ("PFADD a 1", 1), ("PFADD b 2", 1), ("EXPIRE a 100", 1), ("PFMERGE a b", OK), ("TTL a", 100),
    ],
    "PFMERGE with a dense value is dense": [
        ("PFADD a 1", 1), ("PFDEBUG TODENSE a", 1), ("PFDEBUG TODENSE a", 0), ("PFADD b 2", 1), ("PFMERGE c b", OK),
        ("PFDEBUG ENCODING c", Status("sparse")), ("PFMERGE c b a", OK),
        ("STRLEN c", 12304), ("PFCOUNT c", 2), ("PFMERGE b a", OK),
        ("STRLEN b", 12304), ("PFCOUNT b", 2),
    ],
    "PFMERGE becomes dense where the values together are too long": [
        ("CONFIG SET hll-sparse-max-bytes 300", OK), (words("PFADD", "a", count=80), 1), ("STRLEN a", 233),
        (words("PFADD", "b", count=80, start=80), 1), ("STRLEN b", 236), ("PFMERGE c a b", OK), ("STRLEN c", 12304),
        ("PFCOUNT c", 160), ("PFMERGE a b", OK), ("STRLEN a", 12304), ("PFCOUNT a", 160),
    ],
    "hll-sparse-max-bytes": [
        ("CONFIG SET hll-sparse-max-bytes 30", OK), ("PFADD k a b c", 1), ("STRLEN k", 27), ("PFADD k d", 1),
        ("STRLEN k", 30), ("PFADD k e", 1), ("STRLEN k", 12304), ("PFCOUNT k", 5), ("PFADD k e", 0),
        ("CONFIG SET hll-sparse-max-bytes 0", OK), ("PFADD l a", 1), ("STRLEN l", 12304),
    ],
    "other types and other strings": [
        ("SADD s a", 1), ("PFADD s a", WRONGTYPE), ("PFCOUNT s", WRONGTYPE), ("PFCOUNT none s", WRONGTYPE),
        ("PFMERGE s none", WRONGTYPE), ("PFMERGE k s", WRONGTYPE), ("PFDEBUG GETREG s", WRONGTYPE),
        ("SET k foobar", OK), ("PFADD k a", NOT_HLL), ("PFCOUNT k", NOT_HLL), ("PFCOUNT none k", NOT_HLL),
        ("PFMERGE none k", NOT_HLL), ("PFMERGE k none", NOT_HLL), ("PFDEBUG ENCODING k", NOT_HLL), ("SET k 12", OK),
        ("PFADD k a", NOT_HLL), ("EXISTS none", 0),
    ],
    "corrupt headers": [
        ("PFADD k a b", 1), ("SETRANGE k 0 hyll", 24), ("PFCOUNT k", NOT_HLL), ("SETRANGE k 0 HYLL", 24),
        ("SETRANGE k 4 \"\\x02\"", 24), ("PFADD k c", NOT_HLL), ("SETRANGE k 4 \"\\x00\"", 24),
        ("PFCOUNT k", NOT_HLL), ("SET k HYLL", OK), ("PFCOUNT k", NOT_HLL),
    ],
    "corrupt registers": [
        ("PFADD k a b", 1), ("APPEND k hello", 29), ("PFCOUNT k", CORRUPT), ("PFCOUNT k k", CORRUPT),
        ("PFMERGE d k", CORRUPT), ("EXISTS d", 0), ("PFDEBUG GETREG k", CORRUPT), ("PFDEBUG TODENSE k", CORRUPT),
        (("SET", "k", b"HYLL\x01" + bytes(10) + b"\x80\x00"), OK), ("PFADD k element", CORRUPT),
    ],
    "PFDEBUG": [
        ("PFADD k a b c", 1), ("PFDEBUG DECODE k", "Z:8436 v:1,1 Z:4274 v:2,1 Z:3068 v:1,1 Z:603"),
        ("PFDEBUG ENCODING none", Error("ERR The specified key does not exist")),
        ("PFDEBUG FOO k", Error("ERR Unknown PFDEBUG subcommand 'FOO'")), ("PFDEBUG GETREG k", Any()),
        ("STRLEN k", 12304), ("PFCOUNT k", 3), ("PFDEBUG DECODE k", Error("ERR HLL encoding is not sparse")),
        ("PFDEBUG", wrong_args("pfdebug")),
    ],
    "keyspace notifications": [
        ("CONFIG SET notify-keyspace-events KA", OK), ("@2 SUBSCRIBE __keyspace@0__:k", Any()), ("PFADD k a", 1),
        ("@2 <", Push(["message", "__keyspace@0__:k", "pfadd"])), ("PFADD k a", 0), ("PFCOUNT k", 1),
        ("PFMERGE k none", OK), ("@2 <", Push(["message", "__keyspace@0__:k", "pfadd"])),
    ],
    "WATCH sees a new element and a new estimate": [
        ("PFADD k a", 1), ("@2 WATCH k", OK), ("PFCOUNT k", 1), ("@2 MULTI", OK), ("@2 PING", QUEUED),
        ("@2 EXEC", NIL_ARRAY), ("@2 WATCH k", OK), ("PFCOUNT k", 1), ("@2 MULTI", OK), ("@2 EXEC", []),
    ],
    "wrong numbers of arguments": [
        ("PFADD", wrong_args("pfadd")), ("PFCOUNT", wrong_args("pfcount")), ("PFMERGE", wrong_args("pfmerge")),
        ("PFSELFTEST x", wrong_args("pfselftest")),
    ],
    "PFSELFTEST": [("PFSELFTEST", OK)],
}


def test_rows(row_case):
    row_case.check()
