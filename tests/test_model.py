"""Random commands go to fastredis and to a real server side by side; every reply must be the same, byte for byte.

A template is a command whose small words stand for random arguments: "SETRANGE key offset value". To bring a new
group in, add its templates, and a strategy for each new word. Times are absolute and far away, so no reply depends
on when it is asked for. Needs a real redis-server.
"""
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from tests.resp import encode

DATABASES = 3
FAR_SECONDS = 33177117420

TEMPLATES = """
SET key value | SET key value condition | SET key value GET | SET key value condition GET | SET key value KEEPTTL
SET key value EXAT seconds | SET key value PXAT millis condition GET | SETNX key value | GET key | GETSET key value
GETDEL key | GETEX key | GETEX key PERSIST | GETEX key PXAT millis | GETEX key EXAT seconds
MGET key key key | MSET key value key value | MSETNX key value key value
APPEND key value | STRLEN key | GETRANGE key index index | SETRANGE key offset value | LCS key key | LCS key key LEN
LCS key key IDX WITHMATCHLEN | INCR key | DECR key | INCRBY key number | DECRBY key number | INCRBYFLOAT key float
SETBIT key offset bit | GETBIT key offset | BITCOUNT key | BITCOUNT key index index unit | BITPOS key bit
BITPOS key bit index | BITPOS key bit index index unit | BITOP operation key key key | BITOP NOT key key
BITFIELD key GET type offset SET type offset number | BITFIELD key OVERFLOW overflow INCRBY type offset number
BITFIELD_RO key GET type offset
DEL key key | UNLINK key | EXISTS key key | TOUCH key key | TYPE key | RENAME key key | RENAMENX key key
COPY key key | COPY key key REPLACE | COPY key key DB db | COPY key key DB db REPLACE | MOVE key db
EXPIREAT key seconds | EXPIREAT key seconds when | PEXPIREAT key millis | PEXPIREAT key millis when
EXPIRETIME key | PEXPIRETIME key | PERSIST key | OBJECT ENCODING key | DBSIZE | SELECT db | SWAPDB db db | FLUSHDB
MULTI | EXEC | DISCARD | WATCH key | UNWATCH | PING | ECHO value
"""

INTEGERS = st.one_of(st.integers(-20, 20), st.sampled_from([2**31 - 1, -2**31, 2**63 - 1, -2**63, 2**63, 9999, 10000]))
KEYS = st.sampled_from([b"a", b"b", b"c", b"\x00\r\n\xff", b""])
VALUES = st.one_of(
    st.binary(max_size=8), INTEGERS.map(str), st.sampled_from([b"1.5", b"-0", b" 1", b"1e3", b"x" * 44, b"x" * 45]))

ARGUMENTS = {
    "key": KEYS,
    "value": VALUES,
    "number": st.one_of(INTEGERS.map(str), st.just(b"x")),
    "float": st.sampled_from([b"0.5", b"-1.25", b"3", b"1e3", b"x", b"0.1"]),
    "offset": st.one_of(st.integers(-1, 130).map(str), st.just(b"x")),
    "index": st.integers(-30, 30).map(str),
    "bit": st.sampled_from([b"0", b"1", b"2"]),
    "unit": st.sampled_from([b"BYTE", b"BIT"]),
    "operation": st.sampled_from([b"AND", b"OR", b"XOR"]),
    "overflow": st.sampled_from([b"WRAP", b"SAT", b"FAIL"]),
    "type": st.sampled_from([b"u1", b"i1", b"u8", b"i8", b"u63", b"i64", b"u5", b"i13", b"u64"]),
    "condition": st.sampled_from([b"NX", b"XX"]),
    "when": st.sampled_from([b"NX", b"XX", b"GT", b"LT"]),
    "seconds": st.integers(FAR_SECONDS, FAR_SECONDS + 3).map(str),
    "millis": st.integers(FAR_SECONDS * 1000, FAR_SECONDS * 1000 + 3).map(str),
    "db": st.integers(0, DATABASES - 1).map(str),
}


def commands():
    """Strategy of one command: a list of words."""
    templates = [part.split() for line in TEMPLATES.split("\n") for part in line.split("|") if part.strip()]
    return st.sampled_from(templates).flatmap(
        lambda words: st.tuples(*[ARGUMENTS.get(word, st.just(word)) for word in words]))


class SideBySide(RuleBasedStateMachine):
    """Both servers, each with one client a run; holds: their replies and their keyspaces are equal."""

    servers = ()
    protocol = 2

    def __init__(self):
        super().__init__()
        self.clients = [server.client(protocol=self.protocol) for server in self.servers]
        for client in self.clients:
            client.call("FLUSHALL")
        self.in_multi = False
        self.same = True

    def both(self, *batch):
        """Send the commands to both in one write, and check that each reply is the same bytes."""
        self.same = False
        data = b"".join(encode(*argv) for argv in batch)
        for client in self.clients:
            client.send_raw(data)
        ours, theirs = [[(client.read(), client.raw)[1] for _ in batch] for client in self.clients]
        self.same = ours == theirs
        for argv, our, their in zip(batch, ours, theirs, strict=True):
            assert our == their, f"{argv}: fastredis {our!r}, peer {their!r}"
            if argv[0] in ("MULTI", "EXEC", "DISCARD"):
                self.in_multi = argv[0] == "MULTI"

    @rule(argv=commands())
    def command(self, argv):
        self.both(argv)

    @rule(batch=st.lists(commands(), min_size=2, max_size=80))
    def pipeline(self, batch):
        self.both(*batch)

    @invariant()
    def same_keys(self):
        if self.in_multi:
            return
        ours, theirs = [sorted(client.call("KEYS", "*")) for client in self.clients]
        self.same = ours == theirs
        assert self.same, f"KEYS: fastredis {ours}, peer {theirs}"

    def teardown(self):
        try:
            if self.same:
                self.compare_all()
        finally:
            for client in self.clients:
                client.close()

    def compare_all(self):
        """Compare every key of every database, and walk them with SCAN."""
        self.both(("DISCARD",))
        for db in range(DATABASES):
            self.both(("SELECT", db))
            names = sorted(self.clients[0].call("KEYS", "*"))
            for client in self.clients:
                assert sorted(scan(client)) == names
            for name in names:
                self.both(("GET", name), ("PEXPIRETIME", name), ("OBJECT", "ENCODING", name))


def scan(client):
    """Every key of the database, by SCAN from start to end, as a set."""
    cursor, found = b"0", set()
    while True:
        cursor, keys = client.call("SCAN", cursor, "COUNT", 2)
        found.update(keys)
        if cursor == b"0":
            return found


@pytest.mark.slow
@pytest.mark.parametrize("protocol", [2, 3], ids=["resp2", "resp3"])
def test_fastredis_answers_as_the_peer(row_session, protocol):
    pair = [row_session.target(kind).server for kind in ("fastredis", "peer")]
    machine = type("Machine", (SideBySide,), {"servers": pair, "protocol": protocol})
    run_state_machine_as_test(machine, settings=settings(
        max_examples=50, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck),
        phases=[Phase.reuse, Phase.generate, Phase.shrink]))
