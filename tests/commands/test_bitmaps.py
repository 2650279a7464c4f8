"""Bitmap commands: SETBIT, BITCOUNT, BITPOS, BITOP, BITFIELD."""
from tests.rows import NOT_INTEGER, OK, SYNTAX, WRONGTYPE, Any, Case, Error, wrong_args

CASES = {
    "GETBIT of a missing key and beyond the end": [
        ("GETBIT k 0", 0), ("GETBIT k 4294967295", 0), ("SETBIT k 7 1", 0), ("GETBIT k 7", 1), ("GETBIT k 8", 0),
        ("GETBIT k 100000", 0),
    ],
    "SETBIT returns the bit before": [
        ("SETBIT k 0 1", 0), ("SETBIT k 0 1", 1), ("SETBIT k 0 0", 1), ("SETBIT k 15 1", 0), ("GET k", b"\x00\x01"),
        ("STRLEN k", 2),
    ],
    "SETBIT of an integer and of text": [
        ("SET k 1", OK), ("SETBIT k 6 1", 0), ("GET k", "3"), ("GETBIT k 2", 1), ('SET t "abc"', OK),
        ("SETBIT t 6 1", 0), ("GET t", "cbc"),
    ],
    "SETBIT keeps the TTL": [("SET k v EX 100", OK), ("SETBIT k 1 0", 1), ("TTL k", 100)],
    "SETBIT of a zero bit creates the key": [("SETBIT k 20 0", 0), ("STRLEN k", 3), ("GET k", b"\x00\x00\x00")],
    "SETBIT refuses bad offsets and bits": [
        ("SETBIT k -1 0", Error("ERR bit offset is not an integer or out of range")),
        ("SETBIT k 4294967296 0", Error("ERR bit offset is not an integer or out of range")),
        ("SETBIT k 9223372036854775808 0", Error("ERR bit offset is not an integer or out of range")),
        ("SETBIT k x 0", Error("ERR bit offset is not an integer or out of range")),
        ("SETBIT k 0 2", Error("ERR bit is not an integer or out of range")),
        ("SETBIT k 0 -1", Error("ERR bit is not an integer or out of range")),
        ("SETBIT k 0 x", Error("ERR bit is not an integer or out of range")), ("SETBIT k 0", wrong_args("setbit")),
        ("SETBIT k 0 1 1", wrong_args("setbit")), ("EXISTS k", 0),
    ],
    "GETBIT refuses bad offsets": [
        ("GETBIT k -1", Error("ERR bit offset is not an integer or out of range")),
        ("GETBIT k 4294967296", Error("ERR bit offset is not an integer or out of range")),
        ("GETBIT k x", Error("ERR bit offset is not an integer or out of range")),
        ("GETBIT k", wrong_args("getbit")), ("GETBIT k 1 2", wrong_args("getbit")),
    ],
    "SETBIT at a far offset": [
        ("SETBIT k 8388607 1", 0), ("STRLEN k", 1048576), ("BITCOUNT k", 1), ("GETBIT k 8388607", 1),
    ],
    "BITCOUNT": [
        ("BITCOUNT k", 0), ("SET k foobar", OK), ("BITCOUNT k", 26), ("BITCOUNT k 0 0", 4), ("BITCOUNT k 1 1", 6),
        ("BITCOUNT k 0 -1", 26), ("BITCOUNT k -2 -1", 7), ("BITCOUNT k 2 1", 0), ("BITCOUNT k -100 100", 26),
        ("BITCOUNT k 6 10", 0), ("BITCOUNT k 0 -100", 4), ("BITCOUNT k -1 -100", 0),
    ],
    "BITCOUNT BYTE and BIT": [
        ("SET k foobar", OK), ("BITCOUNT k 1 1 BYTE", 6), ("BITCOUNT k 5 30 BIT", 17), ("BITCOUNT k 5 30 bit", 17),
        ("BITCOUNT k 0 -1 BIT", 26), ("BITCOUNT k -5 -1 BIT", 2), ("BITCOUNT k 47 100 BIT", 0),
        ("BITCOUNT k 3 3 BIT", 0), ("BITCOUNT k 48 50 BIT", 0),
    ],
    "BITCOUNT of an integer and of many bytes": [
        ("SET k 123", OK), ("BITCOUNT k", 10), (("SET", "k", b"\xff" * 100003), OK), ("BITCOUNT k", 800024),
        ("BITCOUNT k 1 -2", 800008), ("BITCOUNT k 3 800020 BIT", 800018),
    ],
    "BITCOUNT without an end": Case([
        ("SET k foobar", OK), ("BITCOUNT k 0", 26), ("BITCOUNT k 1", 22), ("BITCOUNT k -1", 4), ("BITCOUNT k 1000", 0),
        ("BITCOUNT n 1", 0),
    ], since="valkey 8.1"),
    "BITCOUNT refuses bad ranges": [
        ("SET k foobar", OK), ("BITCOUNT k a b", NOT_INTEGER),
        ("BITCOUNT k 0 b", NOT_INTEGER), ("BITCOUNT k 0 1 X", SYNTAX), ("BITCOUNT k 0 1 BIT X", SYNTAX),
        ("BITCOUNT", wrong_args("bitcount")), ("BITCOUNT k x", SYNTAX), ("BITCOUNT k 1 x y", NOT_INTEGER),
        ("BITCOUNT k x 1 BIT y", SYNTAX), ("BITPOS k 1 1 x y", SYNTAX), ("BITPOS k 1 x 1 y", NOT_INTEGER),
    ],
    "BITCOUNT and BITPOS refuse bad ranges of any key": Case([
        ("RPUSH l a", 1), ("BITCOUNT n a b", NOT_INTEGER), ("BITCOUNT l a b", NOT_INTEGER),
        ("BITCOUNT n 1 2 x", SYNTAX),
        ("BITPOS n 1 x", NOT_INTEGER), ("BITPOS l 1 x", NOT_INTEGER), ("BITPOS n 0 1 1 x", SYNTAX),
    ], since="8.2 or valkey 9.1"),
    "Words of BITFIELD end at a zero byte": [
        (r'BITFIELD k "SET\x00" u8 0 5 OVERFLOW "SAT\x00y" INCRBY u8 0 255', [0, 255]),
        (r'BITFIELD k GET "u8\x00x" 0', [255]), (r'BITFIELD k GET u8 "0\x00"',
            Error("ERR bit offset is not an integer or out of range")),
    ],
    "BITPOS": [
        ("BITPOS k 0", 0), ("BITPOS k 1", -1), (r'SET k "\xff\xf0\x00"', OK), ("BITPOS k 0", 12), ("BITPOS k 1", 0),
        (r'SET k "\x00\xff\xf0"', OK), ("BITPOS k 1 0", 8), ("BITPOS k 1 2", 16), ("BITPOS k 1 2 -1", 16),
        ("BITPOS k 0 1", 20), ("BITPOS k 1 -1 -1", 16), ("BITPOS k 1 5", -1),
    ],
    "BITPOS of a value without such a bit": [
        (r'SET k "\x00\x00"', OK), ("BITPOS k 1", -1), ("BITPOS k 1 0 -1", -1), (r'SET k "\xff\xff"', OK),
        ("BITPOS k 0", 16), ("BITPOS k 0 0", 16), ("BITPOS k 0 0 -1", -1), ("BITPOS k 0 1 1", -1), ('SET k ""', OK),
        ("BITPOS k 0", -1), ("BITPOS k 1", -1),
    ],
    "BITPOS BYTE and BIT": [
        (r'SET k "\x00\xff\xf0"', OK), ("BITPOS k 1 0 -1 BYTE", 8), ("BITPOS k 1 7 15 BIT", 8),
        ("BITPOS k 0 8 15 BIT", -1), ("BITPOS k 0 8 20 BIT", 20), ("BITPOS k 1 21 -1 BIT", -1),
        ("BITPOS k 1 -24 -10 BIT", 8), ("BITPOS k 1 15 7 BIT", -1),
    ],
    "BITPOS of many bytes": [
        (("SET", "k", b"\x00" * 10001 + b"\x10"), OK), ("BITPOS k 1", 80011), ("BITPOS k 1 3 -1", 80011),
        ("BITPOS k 0 80000 -1 BIT", 80000), (("SET", "k", b"\xff" * 10001 + b"\xef"), OK), ("BITPOS k 0", 80011),
        ("BITPOS k 1 9999", 79992),
    ],
    "BITPOS refuses bad arguments": [
        ("SET k v", OK), ("BITPOS k 2", Error("ERR The bit argument must be 1 or 0.")),
        ("BITPOS k -1", Error("ERR The bit argument must be 1 or 0.")), ("BITPOS k x", NOT_INTEGER),
        ("BITPOS k 0 a", NOT_INTEGER), ("BITPOS k 0 0 b", NOT_INTEGER), ("BITPOS k 0 0 1 X", SYNTAX),
        ("BITPOS k 0 0 1 BIT X", SYNTAX), ("BITPOS k", wrong_args("bitpos")),
        ("BITPOS n 2", Error("ERR The bit argument must be 1 or 0.")),
    ],
    "BITOP AND OR XOR": [
        (r'SET a "\xff\x0f"', OK), (r'SET b "\x0f\xff\xaa"', OK), ("BITOP AND d a b", 3), ("GET d", b"\x0f\x0f\x00"),
        ("BITOP OR d a b", 3), ("GET d", b"\xff\xff\xaa"), ("BITOP XOR d a b", 3), ("GET d", b"\xf0\xf0\xaa"),
        ("BITOP and d a b none", 3), ("GET d", b"\x00\x00\x00"), ("BITOP OR d a", 2), ("GET d", b"\xff\x0f"),
    ],
    "BITOP NOT": [
        (r'SET a "\x00\xff\xaa"', OK), ("BITOP NOT d a", 3), ("GET d", b"\xff\x00U"), ("BITOP NOT a a", 3),
        ("GET a", b"\xff\x00U"),
        ("BITOP NOT d a b", Error("ERR BITOP NOT must be called with a single source key.")),
    ],
    "BITOP of missing keys deletes the target": [
        ("SET d v", OK), ("BITOP AND d x y", 0), ("EXISTS d", 0), ("SET d v", OK), ("BITOP NOT d x", 0),
        ("EXISTS d", 0),
    ],
    "BITOP drops the TTL of its target": [
        ("SET d v EX 100", OK), ("SET a x", OK), ("BITOP OR d a", 1), ("TTL d", -1),
    ],
    "BITOP takes integers and reads its own target": [
        ("SET a 123", OK), ("SET b 456", OK), ("BITOP OR a a b", 3), ("GET a", "577"),
    ],
    "BITOP of long values": [
        (("SET", "a", b"\xf0" * 1001), OK), (("SET", "b", b"\x3c" * 517), OK), ("BITOP AND d a b", 1001),
        ("BITCOUNT d", 1034), ("BITOP XOR d a b", 1001), ("BITCOUNT d", 4004), ("BITOP OR d a b a b a", 1001),
        ("BITCOUNT d", 5038), ("BITOP NOT d a", 1001), ("BITCOUNT d", 4004),
    ],
    "BITOP refuses bad arguments": [
        ("BITOP X d a", SYNTAX), ("BITOP AND d", wrong_args("bitop")), ("BITOP", wrong_args("bitop")),
        ("BITOP NOT d", wrong_args("bitop")),
    ],
    # From the documentation of Redis 8.2.
    "BITOP DIFF, DIFF1, ANDOR and ONE": Case([
        (r'SET a "\xff\x0f"', OK), (r'SET b "\x0f\x00"', OK), (r'SET c "\x03\xf1"', OK), ("BITOP DIFF d a b c", 2),
        ("GET d", b"\xf0\x0e"), ("BITOP DIFF1 d a b c", 2), ("GET d", b"\x00\xf0"), ("BITOP ANDOR d a b c", 2),
        ("GET d", b"\x0f\x01"), ("BITOP ONE d a b c", 2), ("GET d", b"\xf0\xfe"), ("BITOP DIFF d a", Any(Error)),
        ("BITOP ANDOR d a", Any(Error)), ("BITOP ONE d a", 2), ("GET d", b"\xff\x0f"),
    ], since="8.2"),
    "BITFIELD GET and SET": [
        ("BITFIELD k", []), ("BITFIELD k GET u8 0", [0]), ("EXISTS k", 0),
        ("BITFIELD k SET u8 0 255 GET u8 0 GET i8 0", [0, 255, -1]),
        ("BITFIELD k SET i8 0 -100 GET u4 0 GET u4 4", [-1, 9, 12]), ("GET k", b"\x9c"),
        ("BITFIELD k SET u2 #1 3 GET u2 #1", [1, 3]), ("GET k", b"\xbc"),
    ],
    "BITFIELD at unaligned offsets": [
        ("BITFIELD k SET u63 3 9223372036854775807 GET u63 3 GET u3 0", [0, 9223372036854775807, 0]),
        ("GET k", b"\x1f\xff\xff\xff\xff\xff\xff\xff\xc0"), ("BITFIELD k SET i64 5 -2 GET i64 5", [-8, -2]),
        ("BITFIELD k GET i1 5 GET u1 68 GET u5 100", [-1, 0, 0]),
    ],
    "BITFIELD INCRBY wraps": [
        ("BITFIELD k INCRBY u8 0 255 INCRBY u8 0 1 INCRBY u8 0 -1", [255, 0, 255]),
        ("BITFIELD k INCRBY i8 8 127 INCRBY i8 8 1", [127, -128]),
        ("BITFIELD k OVERFLOW WRAP INCRBY u2 100 1 INCRBY u2 100 3", [1, 0]),
        ("BITFIELD k SET i64 200 9223372036854775807 INCRBY i64 200 1", [0, -9223372036854775808]),
        ("BITFIELD k SET u8 0 257 GET u8 0", [255, 1]),
    ],
    "BITFIELD OVERFLOW SAT": [
        ("BITFIELD k OVERFLOW SAT INCRBY u8 0 300 INCRBY u8 0 -300", [255, 0]),
        ("BITFIELD k OVERFLOW SAT INCRBY i8 0 200 INCRBY i8 0 -500", [127, -128]),
        ("BITFIELD k OVERFLOW SAT SET u8 0 256 GET u8 0 SET i8 0 128 GET i8 0", [128, 255, -1, 127]),
        ("BITFIELD k SET i64 0 9223372036854775807 OVERFLOW SAT INCRBY i64 0 1",
         [9151314442816847872, 9223372036854775807]),
        ("BITFIELD k SET i64 0 -9223372036854775808 OVERFLOW SAT INCRBY i64 0 -1",
         [9223372036854775807, -9223372036854775808]),
    ],
    "BITFIELD OVERFLOW FAIL": [
        ("BITFIELD k OVERFLOW FAIL INCRBY u8 0 256 GET u8 0", [None, 0]),
        ("BITFIELD k OVERFLOW FAIL INCRBY u8 0 255 INCRBY u8 0 1 OVERFLOW WRAP INCRBY u8 0 1", [255, None, 0]),
        ("BITFIELD k OVERFLOW FAIL SET i8 0 128 SET u8 0 -1", [None, None]),
    ],
    "BITFIELD keeps the TTL": [
        ("SET k abc EX 100", OK), ("BITFIELD k SET u8 0 65", [97]), ("TTL k", 100), ("GET k", "Abc"),
    ],
    "BITFIELD of an integer": [
        ("SET k 1", OK), ("BITFIELD k GET u8 0 INCRBY u8 0 1", [49, 50]), ("GET k", "2"),
    ],
    "BITFIELD refuses bad arguments": [
        ("BITFIELD k GET u64 0",
         Error("ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is.")),
        ("BITFIELD k GET i65 0",
         Error("ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is.")),
        ("BITFIELD k GET i0 0",
         Error("ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is.")),
        ("BITFIELD k GET x8 0",
         Error("ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is.")),
        ("BITFIELD k GET u8 -1", Error("ERR bit offset is not an integer or out of range")),
        ("BITFIELD k GET u8 x", Error("ERR bit offset is not an integer or out of range")),
        ("BITFIELD k GET u8 #x", Error("ERR bit offset is not an integer or out of range")),
        ("BITFIELD k GET u8", SYNTAX), ("BITFIELD k SET u8 0", SYNTAX), ("BITFIELD k SET u8 0 x", NOT_INTEGER),
        ("BITFIELD k INCRBY u8 0 x", NOT_INTEGER),
        ("BITFIELD k OVERFLOW NO", Error("ERR Invalid OVERFLOW type specified")), ("BITFIELD k X u8 0", SYNTAX),
        ("BITFIELD k GET u8 4294967296", Error("ERR bit offset is not an integer or out of range")),
        ("BITFIELD k GET u8 4294967289", [0]), ("BITFIELD", wrong_args("bitfield")), ("EXISTS k", 0),
    ],
    "BITFIELD checks all before it writes": [
        ("BITFIELD k SET u8 0 1 GET x 0",
         Error("ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is.")),
        ("EXISTS k", 0),
    ],
    "BITFIELD_RO": [
        ("BITFIELD_RO k GET u8 0", [0]), ("SET k A", OK), ("BITFIELD_RO k GET u8 0 GET u4 0", [65, 4]),
        ("BITFIELD_RO k SET u8 0 1", Error("ERR BITFIELD_RO only supports the GET subcommand")),
        ("BITFIELD_RO k INCRBY u8 0 1", Error("ERR BITFIELD_RO only supports the GET subcommand")),
        ("BITFIELD_RO k", []), ("BITFIELD_RO", wrong_args("bitfield_ro")),
    ],

    # Lists
    "Bitmap commands refuse a list": [
        ("RPUSH l a", 1), ("SETBIT l 0 1", WRONGTYPE), ("GETBIT l 0", WRONGTYPE), ("BITCOUNT l", WRONGTYPE),
        ("BITCOUNT l 0 -1", WRONGTYPE), ("BITPOS l 1", WRONGTYPE), ("BITPOS l 1 0 -1 BIT", WRONGTYPE),
        ("BITFIELD l GET u8 0", WRONGTYPE), ("BITFIELD l SET u8 0 1", WRONGTYPE),
        ("BITFIELD_RO l GET u8 0", WRONGTYPE), ("BITOP AND d l", WRONGTYPE), ("BITOP NOT d l", WRONGTYPE),
        ("EXISTS d", 0),
    ],
    "BITOP replaces a list": [("RPUSH l a", 1), ("SET k v", OK), ("BITOP OR l k", 1), ("GET l", "v")],
}


def test_rows(row_case):
    row_case.check()


# --- what is propagated; see tests.effect_rows ----------------------------------------

EFFECTS = {
    "SETBIT": ("", "SETBIT k 1 1", "SETBIT k 1 1"),
    "BITFIELD that reads": ("SET k v", "BITFIELD k GET u8 0", ""),
    "BITFIELD that writes": ("SET k v", "BITFIELD k SET u8 0 1", "BITFIELD k SET u8 0 1"),
    "BITOP": ("SET k v", "BITOP NOT l k", "BITOP NOT l k"),
}


def test_effects(effect):
    effect.check()
