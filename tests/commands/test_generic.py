"""Commands on keys of any type: EXPIRE, RENAME, COPY, SCAN, OBJECT and so on."""
import pytest

from tests.rows import (
    NO_KEY,
    NOT_INTEGER,
    OK,
    QUEUED,
    SYNTAX,
    Advance,
    Between,
    Case,
    Error,
    Matching,
    Status,
    Unordered,
    bad_expire,
    wrong_args,
)

CASES = {
    "DEL": [("DEL k", 0), ("MSET a 1 b 2", OK), ("DEL a k b a", 2), ("DBSIZE", 0), ("DEL", wrong_args("del"))],
    "UNLINK": [("MSET a 1 b 2", OK), ("UNLINK a k b a", 2), ("DBSIZE", 0), ("UNLINK", wrong_args("unlink"))],
    "EXISTS counts each mention": [
        ("SET a 1", OK), ("EXISTS a", 1), ("EXISTS a b a", 2), ("EXISTS", wrong_args("exists")),
    ],
    "TOUCH": [("MSET a 1 b 2", OK), ("TOUCH a b none a", 3), ("TOUCH", wrong_args("touch"))],
    "TYPE": [
        ("TYPE k", Status("none")), ("SET k v", OK), ("TYPE k", Status("string")), ("TYPE", wrong_args("type")),
        ("TYPE k l", wrong_args("type")),
    ],
    "RENAME": [
        ("SET a 1", OK), ("RENAME a b", OK), ("EXISTS a", 0), ("GET b", "1"), ("RENAME a b", NO_KEY),
        ("RENAME a", wrong_args("rename")), ("RENAME a b c", wrong_args("rename")),
    ],
    "RENAME replaces the target and takes the TTL along": [
        ("SET a 1 EX 100", OK), ("SET b 2", OK), ("RENAME a b", OK), ("GET b", "1"), ("TTL b", 100), ("SET c 3", OK),
        ("RENAME c b", OK), ("TTL b", -1),
    ],
    "RENAME to itself": [("RENAME k k", NO_KEY), ("SET k v EX 100", OK), ("RENAME k k", OK), ("TTL k", 100)],
    "RENAMENX": [
        ("RENAMENX a b", NO_KEY), ("MSET a 1 b 2", OK), ("RENAMENX a b", 0), ("RENAMENX a c", 1),
        ("MGET a b c", [None, "2", "1"]), ("RENAMENX c c", 0), ("RENAMENX a", wrong_args("renamenx")),
    ],
    "COPY": [
        ("COPY a b", 0), ("SET a 1 EX 100", OK), ("COPY a b", 1), ("GET b", "1"), ("TTL b", 100), ("SET a 2", OK),
        ("COPY a b", 0), ("GET b", "1"), ("COPY a b REPLACE", 1), ("GET b", "2"), ("TTL b", -1),
    ],
    "COPY is a deep copy": [("SET a abc", OK), ("COPY a b", 1), ("APPEND b d", 4), ("GET a", "abc")],
    "COPY to another database": [
        ("SET a 1", OK), ("COPY a a DB 1", 1), ("COPY a b DB 1 REPLACE", 1), ("COPY a b DB 1", 0), ("SELECT 1", OK),
        ("MGET a b", ["1", "1"]),
    ],
    "COPY refuses bad arguments": [
        ("SET a 1", OK), ("COPY a a", Error("ERR source and destination objects are the same")),
        ("COPY a b DB 99", Error("ERR DB index is out of range")),
        ("COPY a b DB -1", Error("ERR DB index is out of range")), ("COPY a b DB x", NOT_INTEGER),
        ("COPY a a DB 16 x", Error("ERR DB index is out of range")), ("COPY a b DB x DB 0", NOT_INTEGER),
        ("COPY a b DB 16 DB 0", Error("ERR DB index is out of range")), ("COPY a b x DB 16", SYNTAX),
        ("COPY a b DB", SYNTAX), ("COPY a b X", SYNTAX), ("COPY a", wrong_args("copy")),
        ("COPY a a DB 0", Error("ERR source and destination objects are the same")),
        ("COPY a a REPLACE", Error("ERR source and destination objects are the same")),
    ],
    "MOVE": [
        ("MOVE k 1", 0), ("SET k v EX 100", OK), ("MOVE k 1", 1), ("EXISTS k", 0), ("SELECT 1", OK), ("GET k", "v"),
        ("TTL k", 100),
    ],
    "MOVE does not overwrite": [
        ("SET k v", OK), ("SELECT 1", OK), ("SET k w", OK), ("MOVE k 0", 0), ("GET k", "w"),
    ],
    "MOVE refuses bad arguments": [
        ("MOVE k 0", Error("ERR source and destination objects are the same")),
        ("MOVE k 99", Error("ERR DB index is out of range")), ("MOVE k -1", Error("ERR DB index is out of range")),
        ("MOVE k x", NOT_INTEGER), ("MOVE k", wrong_args("move")),
    ],
    "MOVE REPLACE": Case([
        ("MOVE k 1 REPLACE", 0), ("SET k v EX 100", OK), ("SELECT 1", OK), ("RPUSH k a b", 2), ("SELECT 0", OK),
        ("MOVE k 1 REPLACE x", SYNTAX), ("MOVE k 1 again", SYNTAX), ("MOVE k 1", 0), ("MOVE k 1 replace", 1),
        ("EXISTS k", 0), ("SELECT 1", OK), ("GET k", "v"), ("TTL k", 100), ("DBSIZE", 1),
    ], since="valkey 9.2"),
    "KEYS": [
        ("KEYS *", []), ("MSET hello 1 hallo 2 hxllo 3 hllo 4 other 5", OK),
        ("KEYS h?llo", Unordered(["hello", "hallo", "hxllo"])),
        ("KEYS h*llo", Unordered(["hello", "hallo", "hxllo", "hllo"])),
        ("KEYS h[ae]llo", Unordered(["hello", "hallo"])), ("KEYS h[^e]llo", Unordered(["hallo", "hxllo"])),
        ("KEYS h[a-e]llo", Unordered(["hello", "hallo"])), ("KEYS oth*", ["other"]),
        ("KEYS *", Unordered(["hello", "hallo", "hxllo", "hllo", "other"])), ("KEYS none*", []),
        ("KEYS hello", ["hello"]), ("KEYS", wrong_args("keys")), ("KEYS a b", wrong_args("keys")),
    ],
    "KEYS with escapes and odd patterns": [
        (r'MSET "a*b" 1 axb 2 "[" 3 "\\" 4 "\x00\xff" 5', OK), (r'KEYS "a\\*b"', ["a*b"]), (r'KEYS "\\["', ["["]),
        ('KEYS "[[]"', ["["]), (r'KEYS "\\\\"', ["\\"]), (r'KEYS "\x00?"', [b"\x00\xff"]), ('KEYS "a[x"', []),
        ('KEYS "a[*]b"', ["a*b"]), ('KEYS ""', []), ('KEYS "[]"', []),
    ],
    "KEYS leaves out what has expired": [
        ("SET k v PX 10", OK), ("SET l v", OK), Advance(30), ("KEYS *", ["l"]),
    ],
    "RANDOMKEY": [
        ("RANDOMKEY", None), ("SET k v", OK), ("RANDOMKEY", "k"), ("RANDOMKEY x", wrong_args("randomkey")),
    ],
    "RANDOMKEY gives one of the keys": [("MSET a 1 b 2 c 3", OK), ("RANDOMKEY", Matching("[abc]"))],
    "DBSIZE counts one database": [
        ("MSET a 1 b 2", OK), ("DBSIZE", 2), ("SELECT 1", OK), ("DBSIZE", 0), ("DBSIZE x", wrong_args("dbsize")),
    ],
    "SCAN of few keys": [
        ("SCAN 0", ["0", []]), ("MSET a 1 b 2 c 3", OK), ("SCAN 0 COUNT 100", ["0", Unordered(["a", "b", "c"])]),
        ("SCAN 0 MATCH b COUNT 100", ["0", ["b"]]), ("SCAN 0 COUNT 100 TYPE list", ["0", []]),
        ("SCAN 0 COUNT 100 TYPE string", ["0", Unordered(["a", "b", "c"])]),
        ("SCAN 0 COUNT 100 TYPE STRING", ["0", Unordered(["a", "b", "c"])]),
        ("SCAN 0 count 100 match [ab]", ["0", Unordered(["a", "b"])]),
    ],
    "SCAN refuses bad arguments": [
        ("SCAN", wrong_args("scan")), ("SCAN x", Error("ERR invalid cursor")), ("SCAN 0 COUNT 0", SYNTAX),
        ("SCAN 0 COUNT -5", SYNTAX), ("SCAN 0 COUNT x", NOT_INTEGER), ("SCAN 0 COUNT", SYNTAX),
        ("SCAN 0 MATCH", SYNTAX), ("SCAN 0 X", SYNTAX), ("SCAN 0 MATCH a COUNT 1 X", SYNTAX),
        ("SCAN 18446744073709551616", Error("ERR invalid cursor")),
    ],
    "SCAN leaves out what has expired": [
        ("SET k v PX 10", OK), ("SET l v", OK), Advance(30), ("SCAN 0 COUNT 100", ["0", ["l"]]),
    ],
    "EXPIRE and TTL": [
        ("EXPIRE k 10", 0), ("TTL k", -2), ("PTTL k", -2), ("SET k v", OK), ("TTL k", -1), ("PTTL k", -1),
        ("EXPIRE k 100", 1), ("TTL k", 100), ("PTTL k", Between(99000, 100000)), ("PEXPIRE k 200000", 1),
        ("TTL k", 200), ("EXPIREAT k 33177117420", 1), ("EXPIRETIME k", 33177117420),
        ("PEXPIREAT k 33177117420123", 1), ("PEXPIRETIME k", 33177117420123), ("EXPIRETIME k", 33177117420),
    ],
    "EXPIRETIME without a TTL": [
        ("EXPIRETIME k", -2), ("PEXPIRETIME k", -2), ("SET k v", OK), ("EXPIRETIME k", -1), ("PEXPIRETIME k", -1),
        ("EXPIRETIME", wrong_args("expiretime")), ("PEXPIRETIME a b", wrong_args("pexpiretime")),
    ],
    "EXPIRE rounds TTL": [
        ("SET k v", OK), ("PEXPIRE k 1499", 1), ("TTL k", 1), ("PEXPIRE k 100", 1), ("TTL k", 0),
    ],
    "EXPIRE with a time that has passed deletes": [
        ("SET k v", OK), ("EXPIRE k 0", 1), ("EXISTS k", 0), ("SET k v", OK), ("EXPIRE k -5", 1), ("EXISTS k", 0),
        ("SET k v", OK), ("PEXPIRE k -1", 1), ("EXISTS k", 0), ("SET k v", OK), ("EXPIREAT k 1", 1), ("EXISTS k", 0),
        ("SET k v", OK), ("PEXPIREAT k 0", 1), ("EXISTS k", 0),
    ],
    "EXPIRE NX XX GT LT": [
        ("SET k v", OK), ("EXPIRE k 100 XX", 0), ("EXPIRE k 100 GT", 0), ("TTL k", -1), ("EXPIRE k 100 LT", 1),
        ("TTL k", 100), ("EXPIRE k 200 NX", 0), ("EXPIRE k 200 XX", 1), ("TTL k", 200), ("EXPIRE k 100 GT", 0),
        ("EXPIRE k 300 GT", 1), ("TTL k", 300), ("EXPIRE k 400 LT", 0), ("EXPIRE k 50 LT", 1), ("TTL k", 50),
        ("EXPIRE none 10 NX", 0),
    ],
    "EXPIRE GT and LT with XX": [
        ("SET k v", OK), ("EXPIRE k 100 XX GT", 0), ("EXPIRE k 100 XX LT", 0), ("EXPIRE k 100 nx", 1),
        ("EXPIRE k 200 GT XX", 1), ("EXPIRE k 100 lt xx", 1), ("TTL k", 100),
    ],
    "EXPIRE GT compares milliseconds": [
        ("SET k v", OK), ("PEXPIREAT k 33177117420123", 1), ("PEXPIREAT k 33177117420123 GT", 0),
        ("PEXPIREAT k 33177117420124 GT", 1), ("PEXPIREAT k 33177117420124 LT", 0),
        ("PEXPIREAT k 33177117420123 LT", 1), ("PEXPIRETIME k", 33177117420123),
    ],
    "EXPIRE refuses options that exclude each other": [
        ("SET k v", OK),
        ("EXPIRE k 10 NX XX", Error("ERR NX and XX, GT or LT options at the same time are not compatible")),
        ("EXPIRE k 10 NX GT", Error("ERR NX and XX, GT or LT options at the same time are not compatible")),
        ("EXPIRE k 10 LT NX", Error("ERR NX and XX, GT or LT options at the same time are not compatible")),
        ("EXPIRE k 10 GT LT", Error("ERR GT and LT options at the same time are not compatible")),
        ("EXPIRE k 10 X", Error("ERR Unsupported option X")),
        (r'EXPIRE k 10 "\nX\r\n"', Error("ERR Unsupported option  X")),
        (r'EXPIRE k 10 "X\x00Y"', Error("ERR Unsupported option X")),
        ("EXPIRE k 10 NX X", Error("ERR Unsupported option X")), ("TTL k", -1),
    ],
    "EXPIRE refuses bad numbers": [
        ("SET k v", OK), ("EXPIRE k x", NOT_INTEGER), ("EXPIRE k 1.5", NOT_INTEGER), ('EXPIRE k ""', NOT_INTEGER),
        ("EXPIRE k 9223372036854775808", NOT_INTEGER), ("EXPIRE k 9223372036854775807", bad_expire("expire")),
        ("EXPIRE k 9223372036854776", bad_expire("expire")), ("EXPIRE k -9223372036854775808", bad_expire("expire")),
        ("EXPIRE k -9223372036854776", bad_expire("expire")),
        ("PEXPIRE k 9223372036854775807", bad_expire("pexpire")),
        ("EXPIREAT k 9223372036854776", bad_expire("expireat")), ("PEXPIREAT k x", NOT_INTEGER),
        ("EXPIRE none x", NOT_INTEGER), ("EXPIRE none 9223372036854775807", bad_expire("expire")), ("TTL k", -1),
    ],
    "EXPIRE to the last time there is": [
        ("SET k v", OK), ("PEXPIREAT k 9223372036854775807", 1), ("PEXPIRETIME k", 9223372036854775807),
        ("EXPIREAT k 9223372036854775", 1), ("EXPIRETIME k", 9223372036854775),
    ],
    "EXPIRE PEXPIRE EXPIREAT PEXPIREAT TTL PTTL PERSIST refuse a wrong number of arguments": [
        ("EXPIRE k", wrong_args("expire")), ("PEXPIRE k", wrong_args("pexpire")),
        ("EXPIREAT k", wrong_args("expireat")), ("PEXPIREAT k", wrong_args("pexpireat")), ("TTL", wrong_args("ttl")),
        ("PTTL a b", wrong_args("pttl")), ("PERSIST", wrong_args("persist")), ("PERSIST a b", wrong_args("persist")),
    ],
    "PERSIST": [
        ("PERSIST k", 0), ("SET k v", OK), ("PERSIST k", 0), ("EXPIRE k 100", 1), ("PERSIST k", 1), ("TTL k", -1),
    ],
    "PEXPIRE expires": [
        ("SET k v", OK), ("PEXPIRE k 100", 1), ("EXISTS k", 1), Advance(130), ("EXISTS k", 0), ("TTL k", -2),
        ("DBSIZE", 0),
    ],
    "PERSIST saves from expiry": [("SET k v PX 100", OK), ("PERSIST k", 1), Advance(130), ("GET k", "v")],
    "EXPIRE later saves from expiry": [
        ("SET k v PX 100", OK), ("EXPIRE k 100", 1), Advance(130), ("GET k", "v"),
    ],
    "Expired keys are gone for every reader": [
        ("MSET a 1 b 2 c 3 d 4 e 5 f 6", OK), ("PEXPIRE a 10", 1), ("PEXPIRE b 10", 1), ("PEXPIRE c 10", 1),
        ("PEXPIRE d 10", 1), ("PEXPIRE e 10", 1), Advance(30), ("EXISTS a", 0), ("TYPE b", Status("none")),
        ("RENAME c x", NO_KEY), ("TTL d", -2), ("MGET e f", [None, "6"]), ("DEL a", 0), ("PERSIST b", 0),
        ("COPY c y", 0), ("OBJECT ENCODING d", None),
    ],
    "Expired keys are gone for every writer": [
        ("MSET a 5 b abc c 1 d 1", OK), ("PEXPIRE a 10", 1), ("PEXPIRE b 10", 1), ("PEXPIRE c 10", 1),
        ("PEXPIRE d 10", 1), Advance(30), ("INCR a", 1), ("APPEND b d", 1), ("SETNX c 2", 1), ("TTL c", -1),
        ("GETSET d 2", None),
    ],
    "A long TTL passes": [
        ("SET k v EX 5", OK), Advance(4000), ("GET k", "v"), ("TTL k", 1), Advance(1001), ("GET k", None),
    ],
    "Two keys expire each at its own time": [
        ("SET a v EX 5", OK), ("SET b v EX 10", OK), Advance(6000), ("MGET a b", [None, "v"]), Advance(5000),
        ("MGET a b", [None, None]), ("DBSIZE", 0),
    ],
    "OBJECT ENCODING, FREQ, IDLETIME, REFCOUNT": [
        ("OBJECT ENCODING k", None), ("OBJECT IDLETIME k", None), ("OBJECT REFCOUNT k", None), ("SET k abc", OK),
        ("OBJECT ENCODING k", "embstr"), ("OBJECT IDLETIME k", Between(0, 1)), ("OBJECT REFCOUNT k", 1),
        ("OBJECT FREQ k",
         Error("ERR An LFU maxmemory policy is not selected, access frequency not tracked. Please note that "
               "when switching between policies at runtime LRU and LFU data will take some time to adjust.")),
        ("OBJECT FREQ none", None),
    ],
    "OBJECT IDLETIME grows until the key is used": [
        ("SET k v", OK), Advance(3000), ("OBJECT IDLETIME k", Between(2, 4)), ("OBJECT ENCODING k", "embstr"),
        ("OBJECT IDLETIME k", Between(2, 4)), ("TOUCH k", 1), ("OBJECT IDLETIME k", Between(0, 1)),
    ],
    "OBJECT FREQ under an LFU policy": [
        ("CONFIG SET maxmemory-policy allkeys-lfu", OK), ("SET k abc", OK), ("OBJECT FREQ k", Between(1, 6)),
        ("OBJECT IDLETIME k",
         Error("ERR An LFU maxmemory policy is selected, idle time not tracked. Please note that when "
               "switching between policies at runtime LRU and LFU data will take some time to adjust.")),
    ],
    "OBJECT refuses bad arguments": [
        ("OBJECT", wrong_args("object")), ("OBJECT ENCODING", wrong_args("object|encoding")),
        ("OBJECT ENCODING a b", wrong_args("object|encoding")),
        ("OBJECT NOSUCH k", Error("ERR unknown subcommand 'NOSUCH'. Try OBJECT HELP.")),
        ("OBJECT HELP x", wrong_args("object|help")),
    ],
    "OBJECT HELP": [
        ("OBJECT HELP",
         [Status("OBJECT <subcommand> [<arg> [value] [opt] ...]. Subcommands are:"), Status("ENCODING <key>"),
          Status("    Return the kind of internal representation used in order to store the value"),
          Status("    associated with a <key>."), Status("FREQ <key>"),
          Status("    Return the access frequency index of the <key>. The returned integer is"),
          Status("    proportional to the logarithm of the recent access frequency of the key."),
          Status("IDLETIME <key>"),
          Status("    Return the idle time of the <key>, that is the approximated number of"),
          Status("    seconds elapsed since the last access to the key."), Status("REFCOUNT <key>"),
          Status("    Return the number of references of the value associated with the specified"),
          Status("    <key>."), Status("HELP"), Status("    Prints this help.")]),
    ],
    "WAIT without replicas": [
        ("WAIT 0 0", 0), ("WAIT 0 100", 0), ("SET k v", OK), ("WAIT 0 10", 0), ("WAIT 1 10", 0),
        ("WAIT x 10", NOT_INTEGER), ("WAIT 1 -1", Error("ERR timeout is negative")),
        ("WAIT 1 x", Error("ERR timeout is not an integer or out of range")), ("WAIT 1", wrong_args("wait")),
    ],
    "WAIT inside MULTI does not wait": [("MULTI", OK), ("WAIT 1 0", QUEUED), ("EXEC", [0])],
    "SWAPDB": [
        ("SET k 0", OK), ("SELECT 1", OK), ("SET k 1", OK), ("SWAPDB 0 1", OK), ("GET k", "0"), ("SELECT 0", OK),
        ("GET k", "1"), ("SWAPDB 0 0", OK), ("GET k", "1"),
    ],
    "SWAPDB keeps the TTL": [
        ("SET k 0 EX 100", OK), ("SWAPDB 0 2", OK), ("EXISTS k", 0), ("SELECT 2", OK), ("TTL k", 100),
    ],
    "SWAPDB refuses bad arguments": [
        ("SWAPDB 0 99", Error("ERR DB index is out of range")),
        ("SWAPDB -1 0", Error("ERR DB index is out of range")), ("SWAPDB x 0", Error("ERR invalid first DB index")),
        ("SWAPDB 0 x", Error("ERR invalid second DB index")), ("SWAPDB 0", wrong_args("swapdb")),
    ],
    "Keys of any bytes": [
        (r'SET "a\x00b\r\n\xff" v', OK), ("KEYS *", [b"a\x00b\r\n\xff"]), (r'RENAME "a\x00b\r\n\xff" "\xff"', OK),
        (r'COPY "\xff" "\x00"', 1), ("SCAN 0 COUNT 100", ["0", Unordered([b"\xff", b"\x00"])]),
        (r'DEL "\xff" "\x00"', 2),
    ],
    "A long key": [(("SET", "k" * 100000, "v"), OK), (("GET", "k" * 100000), "v"), (("DEL", "k" * 100000), 1)],

    # Lists
    "Generic commands take a list": [
        ("RPUSH l a", 1), ("TYPE l", Status("list")), ("COPY l m", 1), ("RENAME m n", OK), ("MOVE n 1", 1),
        ("EXPIRE l 100", 1), ("TTL l", 100), ("PERSIST l", 1), ("TOUCH l", 1), ("DEL l", 1),
    ],
    "SCAN TYPE tells lists from strings": [
        ("RPUSH l a", 1), ("SET k v", OK), ("SCAN 0 COUNT 100 TYPE list", ["0", ["l"]]),
        ("SCAN 0 COUNT 100 TYPE string", ["0", ["k"]]), ("SCAN 0 COUNT 100 TYPE LIST", ["0", ["l"]]),
    ],
    "A list that becomes empty is no key": [
        ("RPUSH l a", 1), ("LPOP l", "a"), ("EXISTS l", 0), ("TYPE l", Status("none")),
    ],
    "RENAME replaces a key of another type": [
        ("RPUSH l a", 1), ("SET k v", OK), ("RENAME k l", OK), ("GET l", "v"), ("COPY l m", 1), ("RPUSH n a", 1),
        ("COPY n m REPLACE", 1), ("TYPE m", Status("list")),
    ],
}


def test_rows(row_case):
    row_case.check()


# --- what is propagated; see tests.effect_rows ----------------------------------------

EFFECTS = {
    "DEL": ("MSET a 1 b 2", "DEL a b c", "DEL a b c"),
    "DEL of no key": ("", "DEL k", ""),
    "UNLINK": ("SET k v", "UNLINK k", "UNLINK k"),
    "DELEX": ("SET k v", "DELEX k IFEQ v", "DEL k"),
    "DELEX that fails": ("SET k v", "DELEX k IFEQ w", ""),
    "DELEX without a condition": ("SET k v", "DELEX k", "DEL k"),
    "EXPIRE": ("SET k v", "EXPIRE k 10", "PEXPIREAT k T+10000"),
    "PEXPIRE": ("SET k v", "PEXPIRE k 10", "PEXPIREAT k T+10"),
    "EXPIREAT": ("SET k v", "EXPIREAT k 1700000010", "PEXPIREAT k T+10000"),
    "PEXPIREAT": ("SET k v", "PEXPIREAT k 1700000000010", "PEXPIREAT k T+10"),
    "EXPIRE with a condition": ("SET k v EX 5", "EXPIRE k 10 GT", "PEXPIREAT k T+10000", "Redis writes it as it came"),
    "EXPIRE with a condition that fails": ("SET k v EX 5", "EXPIRE k 10 NX", ""),
    "EXPIRE of no key": ("", "EXPIRE k 10", ""),
    "EXPIRE in the past": ("SET k v", "EXPIRE k -1", "DEL k"),
    "PERSIST": ("SET k v EX 5", "PERSIST k", "PERSIST k"),
    "PERSIST without a TTL": ("SET k v", "PERSIST k", ""),
    "RENAME": ("SET k v", "RENAME k l", "RENAME k l"),
    "RENAME of no key": ("", "RENAME k l", ""),
    "RENAME to itself": ("SET k v", "RENAME k k", ""),
    "RENAMENX that fails": ("MSET k 1 l 2", "RENAMENX k l", ""),
    "COPY": ("SET k v", "COPY k l", "COPY k l"),
    "COPY of no key": ("", "COPY k l", ""),
    "COPY that fails": ("MSET k 1 l 2", "COPY k l", ""),
    "MOVE": ("SET k v", "MOVE k 1", "MOVE k 1"),
    "MOVE REPLACE": ("SET k v", "MOVE k 1 REPLACE", "MOVE k 1 REPLACE", "Redis has no REPLACE"),
    "MOVE of no key": ("", "MOVE k 1", ""),
    "commands that only read": ("SET k v", "TTL k | EXISTS k | TYPE k | STRLEN k | DBSIZE | KEYS * | PING", ""),
}


def test_effects(effect):
    effect.check()


def scan_all(client, *options):
    """Every element that SCAN returns from cursor 0 to cursor 0, as a list."""
    cursor, found = b"0", []
    while True:
        cursor, keys = client.call("SCAN", cursor, *options)
        found += keys
        if cursor == b"0":
            return found


@pytest.mark.parametrize("count", [1, 7, 100, 5000])
def test_scan_returns_every_key_once_at_rest(either_target, count):
    names = {b"key:%d" % number for number in range(1000)}
    with either_target.server.client() as client:
        client.pipeline([("SET", name, "v") for name in names])
        found = scan_all(client, "COUNT", count)
        assert len(found) == 1000 and set(found) == names
        assert set(scan_all(client, "COUNT", count, "MATCH", "key:99*")) == {
            name for name in names if name.startswith(b"key:99")}


@pytest.mark.parametrize("change", ["grow", "shrink"])
def test_scan_misses_no_key_while_the_table_is_resized(either_target, change):
    stay = {b"stay:%d" % number for number in range(500)}
    other = [b"other:%d" % number for number in range(5000)]
    with either_target.server.client() as client:
        client.pipeline([("SET", name, "v") for name in stay])
        if change == "shrink":
            client.pipeline([("SET", name, "v") for name in other])
        cursor, found = b"0", set()
        while True:
            cursor, keys = client.call("SCAN", cursor, "COUNT", 20)
            found.update(keys)
            if cursor == b"0":
                break
            part, other = other[:200], other[200:]
            if part:
                client.pipeline([("SET", name, "v") if change == "grow" else ("DEL", name) for name in part])
        assert stay <= found


def test_randomkey_reaches_every_key(either_target):
    names = {b"key:%d" % number for number in range(30)}
    with either_target.server.client() as client:
        client.pipeline([("SET", name, "v") for name in names])
        assert set(client.pipeline([("RANDOMKEY",)] * 2000)) == names


def test_copy_and_rename_of_a_large_value(either_target):
    value = bytes(range(256)) * 40000
    with either_target.server.client() as client:
        assert client.pipeline([("SET", "a", value), ("COPY", "a", "b"), ("RENAME", "b", "c")]) == [OK, 1, OK]
        assert client.call("GET", "c") == value
