"""DUMP and RESTORE: rows for both servers, payloads that go from one to the other, and what is propagated."""
import random

import pytest

from tests.resp import NIL_ARRAY, Error
from tests.rows import (
    NOT_INTEGER,
    OK,
    QUEUED,
    SYNTAX,
    Advance,
    Any,
    Between,
    Holding,
    heard,
    listen,
    wrong_args,
)

BUSY = Error("BUSYKEY Target key name already exists.")
BAD_FOOTER = Error("ERR DUMP payload version or checksum are wrong")
BAD_FORMAT = Error("ERR Bad data format")
BAD_TTL = Error("ERR Invalid TTL value, must be >= 0")
BAD_IDLETIME = Error("ERR Invalid IDLETIME value, must be >= 0")
BAD_FREQ = Error("ERR Invalid FREQ value, must be >= 0 and <= 255")

BAR = b"\x00\x03bar\n\x00\xe6\xbeI`\xeef\xfd\x17"                   # the string "bar", version 10
BAR_4 = b"\x00\x03bar\x04\x00\xc9~\xcd_\xb2*K\xbc"                  # ... version 4
BAR_99 = b"\x00\x03barc\x00w\xf6]\x8dT\xa9\xbaH"                    # ... version 99
CUT = b"\x00?bar\n\x00\xcaM\x17\x0dW\x01\xe4\xd7"            # a string that says it has 63 bytes
EMPTY_SET = b"\x02\x00\n\x00:\xce9\x00\x9b\x899\xe8"


def restore(*words, key="k", ttl="0", payload=BAR):
    return ("RESTORE", key, ttl, payload, *words)


LISTEN = listen()

CASES = {
    "DUMP of strings": [
        ("DUMP k", None), ("SET k bar", OK), ("DUMP k", BAR),
        ("MSET a '' b -129 c 2147483647 d 2147483648 e 007 f 1", OK),
        *((f"DUMP {key}", Holding("\n\0")) for key in "abcdef"),
    ],
    "DUMP of an expired key": [("SET k v PX 20", OK), Advance(30), ("DUMP k", None)],
    "RESTORE makes the key": [
        (restore(), OK), ("GET k", "bar"), ("TTL k", -1),
        (restore(key="other", payload=BAR_4), OK), ("GET other", "bar"),
    ],
    "RESTORE with a TTL": [
        (restore(ttl="5000"), OK), ("PTTL k", Between(4000, 5000)),
        (restore("ABSTTL", key="a", ttl="32503680000000"), OK), ("PEXPIRETIME a", 32503680000000),
        (restore("ABSTTL", key="b"), OK), ("TTL b", -1),
    ],
    "RESTORE with a time that is over": [
        (restore("ABSTTL", ttl="1"), OK), ("EXISTS k", 0),
        ("SET k old", OK), (restore("ABSTTL", ttl="1"), BUSY), ("GET k", "old"),
        (restore("ABSTTL", "REPLACE", ttl="1"), OK), ("EXISTS k", 0),
    ],
    "RESTORE and a key that is there": [
        ("SET k old EX 100", OK), (restore(), BUSY), ("GET k", "old"), (restore("REPLACE"), OK), ("GET k", "bar"),
        ("TTL k", -1), ("RPUSH l 1", 1), (restore("replace", "absttl", key="l"), OK), ("GET l", "bar"),
        ("SET x v PX 20", OK), Advance(30), (restore(key="x"), OK), ("GET x", "bar"),
    ],
    "RESTORE takes IDLETIME or FREQ": [
        (restore("IDLETIME", "1000"), OK), ("OBJECT IDLETIME k", Between(1000, 1002)),
        (restore("REPLACE", "IDLETIME", "0"), OK), (restore("REPLACE", "FREQ", "255"), OK),
        (restore("REPLACE", "IDLETIME", "1", "IDLETIME", "2"), OK),
        ("CONFIG SET maxmemory-policy allkeys-lfu", OK), (restore("REPLACE", "FREQ", "100"), OK),
        ("OBJECT FREQ k", 100), (restore("REPLACE", "IDLETIME", "5"), OK),
    ],
    "RESTORE's options": [
        (restore("XX"), SYNTAX), (restore("IDLETIME"), SYNTAX), (restore("FREQ"), SYNTAX),
        (restore("IDLETIME", "1", "FREQ", "1"), SYNTAX), (restore("FREQ", "1", "IDLETIME", "1"), SYNTAX),
        (restore("IDLETIME", "-1"), BAD_IDLETIME), (restore("IDLETIME", "x"), NOT_INTEGER),
        (restore("FREQ", "-1", "FREQ", "1"), BAD_FREQ), (restore("FREQ", "-1", "IDLETIME", "1"), BAD_FREQ),
        (restore("IDLETIME", "-1", "IDLETIME", "1"), BAD_IDLETIME), (restore("FREQ", "x", "XX"), NOT_INTEGER),
        (restore("FREQ", "-1"), BAD_FREQ), (restore("FREQ", "256"), BAD_FREQ), (restore("FREQ", "1.5"), NOT_INTEGER),
        (restore(ttl="-1"), BAD_TTL), (restore(ttl="x"), NOT_INTEGER), (restore(ttl="-1", payload="x"), BAD_TTL),
        ("EXISTS k", 0), ("DUMP", wrong_args("dump")), ("DUMP a b", wrong_args("dump")),
        ("RESTORE k 0", wrong_args("restore")),
    ],
    "RESTORE and broken payloads": [
        *((restore(payload=payload), BAD_FOOTER) for payload in ("", BAR[2:], BAR[:9])),
        (restore(payload=BAR[1:]), BAD_FORMAT),         # the checksum does not tell zeros in front
        (restore(payload=BAR_99), BAD_FOOTER), (restore(payload=BAR + b"x"), BAD_FOOTER),
        (restore(payload=CUT), BAD_FORMAT), (restore(payload=EMPTY_SET), BAD_FORMAT),
        ("SET k old", OK), (restore("REPLACE", payload=CUT), BAD_FORMAT), ("GET k", "old"),
        (restore(payload=CUT), BUSY),
    ],
    "RESTORE tells of it": [
        *LISTEN, (restore(), OK), *heard("restore k"),
        (restore("REPLACE", ttl="100000"), OK), *heard("restore k"),
        (restore("REPLACE", "ABSTTL", ttl="1"), OK), *heard("del k"),
        (restore("ABSTTL", ttl="1"), OK), ("SET a v", OK), *heard("set a"),
        ("DUMP a", Any()), ("SET b v", OK), *heard("set b"),
    ],
    "RESTORE and WATCH": [
        ("WATCH k", OK), ("@2 RESTORE k 0 x", BAD_FOOTER), ("MULTI", OK), ("EXEC", []),
        ("WATCH k", OK), (("@2", *restore()), OK), ("MULTI", OK), ("EXEC", NIL_ARRAY),
    ],
    "DUMP and RESTORE in MULTI": [
        ("SET a 1", OK), ("MULTI", OK), ("DUMP none", QUEUED), (restore(), QUEUED), ("EXEC", [None, OK]),
        ("GET k", "bar"),
    ],
    "What needs memory is refused": [
        ("SET a 1", OK), ("CONFIG SET maxmemory 1", OK),
        (restore(), Error("OOM command not allowed when used memory > 'maxmemory'.")), ("DUMP a", Any()),
    ],
}


def test_rows(row_case):
    row_case.check()


# ---------------------------------------------------------------- from one server to the other

def random_bytes(size):
    return random.Random(size).randbytes(size)


VALUES = {
    "empty": ["SET", "k", ""],
    "int": ["SET", "k", "-7"],
    "int of 16 bits": ["SET", "k", "30000"],
    "int of 32 bits": ["SET", "k", "-2147483648"],
    "int of 64 bits": ["SET", "k", "9223372036854775807"],
    "no int": ["SET", "k", "007"],
    "text": ["SET", "k", "hello"],
    "long text": ["SET", "k", b"ab" * 10000],
    "random bytes": ["SET", "k", random_bytes(5000)],
    "list": ["RPUSH", "k", "a", "1", b"\x00\xff", "-500", "", "x" * 5000],
    "long list": ["RPUSH", "k", *range(10000)],
    "list with large elements": ["RPUSH", "k", "a" * 20000, "b", "c" * 100000, "d"],
    "set of integers": ["SADD", "k", "1", "-70000", str(2**40)],
    "set": ["SADD", "k", "a", "b", "1"],
    "big set": ["SADD", "k", *(f"member {i}" for i in range(3000))],
    "big set of integers": ["SADD", "k", *range(3000)],
    "hash": ["HSET", "k", "a", "1", "2", "b", "", ""],
    "big hash": ["HSET", "k", *(f"text {i}" for i in range(3000))],
    "hash of long values": ["HSET", "k", "a", "x" * 1000, "b" * 300, "y"],
    "zset": ["ZADD", "k", "1", "a", "2.5", "b", "-inf", "c", "1e300", "10", "0.1", "d", "0.1", "e", "+inf", "f"],
    "big zset": ["ZADD", "k", *(word for i in range(3000) for word in (i * 0.37, f"member {i}"))],
    "zset of long members": ["ZADD", "k", "1", "x" * 100, "1", "y" * 100],
}
READ = {"string": ["GET", "k"], "list": ["LRANGE", "k", "0", "-1"], "set": ["SMEMBERS", "k"], "hash": ["HGETALL", "k"],
        "zset": ["ZRANGE", "k", "0", "-1", "WITHSCORES"]}


def value_on(client):
    """Type and value of k: what has no order sorted, scores as numbers."""
    kind = str(client.call("TYPE", "k"))
    value = client.call(*READ[kind])
    if kind == "hash":
        value = sorted(zip(value[::2], value[1::2], strict=True))
    if kind == "zset":
        value = list(zip(value[::2], map(float, value[1::2]), strict=True))
    return kind, sorted(value) if kind == "set" else value


@pytest.mark.parametrize("compression", ["yes", "no"])
@pytest.mark.parametrize("command", VALUES.values(), ids=VALUES)
@pytest.mark.parametrize(("source", "target"), [
    ("fastredis", "fastredis"), ("fastredis", "peer"), ("peer", "fastredis"),
])
def test_payloads_fit_both_servers(row_session, source, target, command, compression):
    source, target = row_session.target(source), row_session.target(target)
    with source.server.client() as one, target.server.client() as other:
        for client in (one, other):
            client.call("FLUSHALL")
            client.call("CONFIG", "SET", "rdbcompression", compression)
        one.call(*command)
        expected = value_on(one)
        payload = one.call("DUMP", "k")
        assert str(other.call("RESTORE", "k", "0", payload, "REPLACE")) == "OK"
        assert value_on(other) == expected
        for client in (one, other):
            client.call("CONFIG", "SET", "rdbcompression", "yes")
            client.call("FLUSHALL")


# ---------------------------------------------------------------- what only fastredis has

@pytest.mark.parametrize("fields", [3, 1000])
def test_fields_keep_their_deadlines(local, fields):
    client = local.client()
    client.call("HSET", "h", *(word for i in range(fields) for word in (f"f{i}", f"v{i}")))
    client.call("HPEXPIREAT", "h", "32503680000000", "FIELDS", "2", "f0", "f2")
    payload = client.call("DUMP", "h")
    client.call("RESTORE", "copy", "0", payload)
    assert client.call("HPEXPIRETIME", "copy", "FIELDS", "3", "f0", "f1", "f2") == [32503680000000, -1, 32503680000000]
    assert sorted(client.call("HGETALL", "copy")) == sorted(client.call("HGETALL", "h"))
    assert client.call("OBJECT", "ENCODING", "copy") == client.call("OBJECT", "ENCODING", "h")


def test_effects(local):
    client = local.client()
    client.call("RESTORE", "k", "0", BAR, "REPLACE")
    client.call("RESTORE", "k", "0", BAR)
    client.call("RESTORE", "k", "1000", BAR, "IDLETIME", "5", "REPLACE")
    client.call("RESTORE", "k", "32503680000000", BAR, "ABSTTL", "REPLACE")
    client.call("RESTORE", "k", "1", BAR, "ABSTTL", "REPLACE")
    client.call("RESTORE", "k", "1", BAR, "ABSTTL", "REPLACE")
    effects = [argv for _, argv in local.notes.take()]
    when = int(effects[1][2])
    assert when > 1_600_000_000_000
    assert effects == [
        [b"RESTORE", b"k", b"0", BAR, b"REPLACE"],
        [b"RESTORE", b"k", b"%d" % when, BAR, b"IDLETIME", b"5", b"REPLACE", b"ABSTTL"],
        [b"RESTORE", b"k", b"32503680000000", BAR, b"ABSTTL", b"REPLACE"],
        [b"DEL", b"k"],
    ]


def test_an_error_says_why_in_the_log(fresh_server):
    server = fresh_server()
    with server.client() as client:
        client.call("RESTORE", "k", "0", CUT)
    assert "Internal error in RDB reading offset 2 -> unexpected end" in server.log()
