"""What a command hands to the AOF and the replicas, and that two engines in one process share nothing.

The engine lives in the test's process. A connection gets a transport that keeps what is written; a Feed notes what
is propagated. The clock stands still at NOW_MS, so deadlines are exact.
"""
import asyncio
import re
import socket
import time

import pytest

from fastredis.config.config import Config
from fastredis.engine.engine import Feed
from fastredis.host.logs import Logger
from fastredis.server import Server
from tests.conftest import PEER
from tests.resp import NIL_ARRAY, Client, Closed, Error, Status
from tests.servers import peer_server

OK = Status("OK")
QUEUED = Status("QUEUED")
NOW_MS = 1_700_000_000_000


class Wire:
    """Both ends of a connection: a transport and its socket for the engine, a socket for tests.resp.Client."""

    family = socket.AF_UNIX

    def __init__(self, server):
        self.output = bytearray()
        self.closed = False
        self.loop = server.loop
        self.connection = server.new_connection()
        self.connection.connection_made(self)

    def get_extra_info(self, name):
        return self if name == "socket" else None

    def fileno(self):
        return -1

    def set_write_buffer_limits(self, high):
        pass

    def get_write_buffer_size(self):
        return 0

    def is_closing(self):
        return self.closed

    def write(self, data):
        self.output += data

    def close(self):
        self.closed = True
        self.connection.connection_lost(None)

    abort = close

    def sendall(self, data):
        self.connection.data_received(data)

    def recv(self, size):
        while not self.output and getattr(self.connection.blocked, "steadfast", False):
            self.loop.call_soon(self.loop.stop)     # a big value is being copied, in turns of the loop
            self.loop.run_forever()
        data = bytes(self.output[:size])
        del self.output[:size]
        return data


class LocalClient(Client):
    """tests.resp.Client on a Wire; `connection` is the engine's side of it."""

    def __init__(self, server):
        self.socket = Wire(server)
        self.connection = self.socket.connection
        self.buffer, self.position = b"", 0


class Notes(Feed):
    """A Feed that keeps what comes: (database, list of words) each."""

    def __init__(self):
        self.taken = []

    def command(self, db, argv):
        self.taken.append((db, argv))

    def take(self):
        taken, self.taken = self.taken, []
        return taken


class Local:
    """An engine with its shell, on a loop that does not run; `notes` is its Feed.

    Histograms of durations are off: whether they need more memory depends on how long commands happen to take.
    """

    def __init__(self, options=""):
        config = Config()
        config.load(None, None, "logfile /dev/null\nlatency-tracking no\n" + options)
        self.loop = asyncio.new_event_loop()
        self.server = Server(config, Logger(config), self.loop)
        self.engine = self.server.engine
        self.engine.clock.set(NOW_MS)
        self.notes = Notes()
        self.engine.add_feed(self.notes)

    def client(self):
        return LocalClient(self.server)

    def advance(self, ms):
        self.engine.clock.advance(ms)

    def settled_memory(self):
        """used_memory once all that is freed in slices is gone; of a new connection, as one that waited keeps room."""
        for _ in range(100):
            self.engine.free_slice()
        self.notes.take()
        client = self.client()
        used = int(re.search(rb"\r\nused_memory:(\d+)", client.call("INFO", "memory"))[1])
        client.close()
        return used


@pytest.fixture
def local():
    engine = Local()
    yield engine
    engine.loop.close()


def words(line):
    return [word.encode() for word in line.split()]


def propagated(local, commands, setup=""):
    """Run `a | b` lines of commands by one client -> [line, ...] of what the second ones propagated, database 0."""
    client = local.client()
    for line in filter(None, map(str.strip, setup.split("|"))):
        reply = client.call(*words(line))
        assert not isinstance(reply, Error), f"{line}: {reply}"
    local.notes.take()
    for line in map(str.strip, commands.split("|")):
        client.call(*words(line))
    taken = local.notes.take()
    return [b" ".join(argv).decode() for _, argv in taken]


# setup, command, what is propagated. T+n stands for the time n ms from now.
EFFECTS = {
    "SET": ("", "SET k v", "SET k v"),
    "SET in small letters": ("", "set k v", "set k v"),
    "SET EX": ("", "SET k v EX 10", "SET k v PXAT T+10000"),
    "SET PX": ("", "SET k v PX 10", "SET k v PXAT T+10"),
    "SET EXAT": ("", "SET k v EXAT 1700000010", "SET k v PXAT T+10000"),
    "SET PXAT": ("", "SET k v PXAT 1700000000010", "SET k v PXAT T+10"),
    "SET NX": ("", "SET k v NX", "SET k v"),
    "SET NX EX": ("", "SET k v NX EX 1", "SET k v PXAT T+1000"),
    "SET NX that fails": ("SET k 1", "SET k v NX", ""),
    "SET XX that fails": ("", "SET k v XX", ""),
    "SET KEEPTTL": ("SET k 1 EX 5", "SET k v KEEPTTL", "SET k v KEEPTTL"),
    "SET GET": ("SET k 1", "SET k v GET", "SET k v"),
    "SET GET of no key": ("", "SET k v GET", "SET k v"),
    "SET NX GET that fails": ("SET k 1", "SET k v NX GET", ""),
    "SET IFEQ": ("SET k 1", "SET k v IFEQ 1", "SET k v"),
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
    "EXPIRE with a condition": ("SET k v EX 5", "EXPIRE k 10 GT", "PEXPIREAT k T+10000"),
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
    "MOVE of no key": ("", "MOVE k 1", ""),
    "SETBIT": ("", "SETBIT k 1 1", "SETBIT k 1 1"),
    "BITFIELD that reads": ("SET k v", "BITFIELD k GET u8 0", ""),
    "BITFIELD that writes": ("SET k v", "BITFIELD k SET u8 0 1", "BITFIELD k SET u8 0 1"),
    "BITOP": ("SET k v", "BITOP NOT l k", "BITOP NOT l k"),
    "ZADD": ("", "ZADD k 1 a 2 b", "ZADD k 1 a 2 b"),
    "ZADD of the same": ("ZADD k 1 a", "ZADD k 1 a", ""),
    "ZADD NX that fails": ("ZADD k 1 a", "ZADD k NX 2 a", ""),
    "ZADD XX of no key": ("", "ZADD k XX 1 a", ""),
    "ZADD GT": ("ZADD k 1 a 5 b", "ZADD k GT 2 a 2 b", "ZADD k GT 2 a 2 b"),
    "ZADD INCR": ("ZADD k 1 a", "ZADD k INCR 0.1 a", "ZADD k INCR 0.1 a"),
    "ZINCRBY": ("ZADD k 1 a", "ZINCRBY k 0.1 a", "ZINCRBY k 0.1 a"),
    "ZINCRBY to no number": ("ZADD k inf a", "ZINCRBY k -inf a", ""),
    "ZREM": ("ZADD k 1 a 2 b", "ZREM k a b c", "ZREM k a b c"),
    "ZREM of none": ("ZADD k 1 a", "ZREM k b", ""),
    "ZREMRANGEBYSCORE": ("ZADD k 1 a 2 b", "ZREMRANGEBYSCORE k 2 9", "ZREMRANGEBYSCORE k 2 9"),
    "ZREMRANGEBYRANK of none": ("ZADD k 1 a", "ZREMRANGEBYRANK k 5 9", ""),
    "ZREMRANGEBYLEX": ("ZADD k 0 a 0 b", "ZREMRANGEBYLEX k - [a", "ZREMRANGEBYLEX k - [a"),
    "ZPOPMIN": ("ZADD k 1 a 2 b", "ZPOPMIN k", "ZPOPMIN k"),
    "ZPOPMAX": ("ZADD k 1 a 2 b", "ZPOPMAX k 5", "ZPOPMAX k 5"),
    "ZPOPMIN of none": ("ZADD k 1 a", "ZPOPMIN k 0 | ZPOPMIN l", ""),
    "ZMPOP": ("ZADD k 1 a 2 b", "ZMPOP 2 l k MAX", "ZPOPMAX k 1"),
    "ZMPOP COUNT": ("ZADD k 1 a 2 b", "ZMPOP 2 l k MIN COUNT 9", "ZPOPMIN k 2"),
    "ZMPOP of no key": ("", "ZMPOP 1 k MIN", ""),
    "BZPOPMIN": ("ZADD k 1 a 2 b", "BZPOPMIN l k 0", "ZPOPMIN k"),
    "BZPOPMAX": ("ZADD k 1 a 2 b", "BZPOPMAX k 1.5", "ZPOPMAX k"),
    "BZMPOP": ("ZADD k 1 a 2 b", "BZMPOP 0 1 k MIN COUNT 9", "ZPOPMIN k 2"),
    "ZRANGESTORE": ("ZADD k 1 a 2 b", "ZRANGESTORE d k 0 0", "ZRANGESTORE d k 0 0"),
    "ZUNIONSTORE": ("ZADD k 1 a 2 b", "ZUNIONSTORE d 2 k l", "ZUNIONSTORE d 2 k l"),
    "ZINTERSTORE of nothing": ("ZADD k 1 a | SET d v", "ZINTERSTORE d 2 k l", "ZINTERSTORE d 2 k l"),
    "ZDIFFSTORE of nothing to nowhere": ("ZADD k 1 a", "ZDIFFSTORE d 2 k k", ""),
    "commands that only read sorted sets": (
        "ZADD k 1 a", "ZRANGE k 0 -1 | ZSCORE k a | ZUNION 1 k | ZRANDMEMBER k | ZSCAN k 0", ""),
    "pushes": ("", "RPUSH k a b | LPUSH k c | RPUSHX k d | LPUSHX l d", "RPUSH k a b | LPUSH k c | RPUSHX k d"),
    "LPOP and RPOP": ("RPUSH k a b c d", "LPOP k | RPOP k 2 | LPOP k 0 | LPOP l", "LPOP k | RPOP k 2"),
    "LSET, LINSERT and LREM": ("RPUSH k a b", "LSET k 0 c | LSET k 9 c | LINSERT k AFTER c d | LINSERT k AFTER x d |"
                               " LREM k 0 c | LREM k 0 x", "LSET k 0 c | LINSERT k AFTER c d | LREM k 0 c"),
    "LTRIM": ("RPUSH k a b c", "LTRIM k 0 -1 | LTRIM k 1 1 | LTRIM k 5 6", "LTRIM k 1 1 | LTRIM k 5 6"),
    "LMOVE and RPOPLPUSH": ("RPUSH k a b", "LMOVE k l LEFT RIGHT | RPOPLPUSH l l | RPOPLPUSH x l",
                            "LMOVE k l LEFT RIGHT | RPOPLPUSH l l"),
    "LMPOP": ("RPUSH k a b c", "LMPOP 2 l k LEFT | LMPOP 1 k RIGHT COUNT 9 | LMPOP 1 k LEFT", "LPOP k 1 | RPOP k 2"),
    "BLPOP and BRPOP": ("RPUSH k a b", "BLPOP l k 0 | BRPOP k 1.5", "LPOP k | RPOP k"),
    "BLMPOP": ("RPUSH k a b", "BLMPOP 0 1 k LEFT COUNT 9", "LPOP k 2"),
    "BLMOVE and BRPOPLPUSH": ("RPUSH k a b", "BLMOVE k l left right 0 | BRPOPLPUSH k l 0",
                              "LMOVE k l left right | RPOPLPUSH k l"),
    "LMOVEM": ("RPUSH k a b c", "LMOVEM k l LEFT RIGHT COUNT 2 OBO | LMOVEM k l LEFT LEFT EXACTLY 5 BULK",
               "LMOVEM k l LEFT RIGHT COUNT 2 OBO"),
    "BLMOVEM": ("RPUSH k a b c", "BLMOVEM k l LEFT RIGHT 0 EXACTLY 2 BULK | BLMOVEM k l LEFT LEFT 0",
                "LMOVEM k l LEFT RIGHT EXACTLY 2 BULK | LMOVEM k l LEFT LEFT"),
    "moves onto what is no list": (
        "RPUSH k a b | SET d v", "BLMOVE k d LEFT RIGHT 0 | BRPOPLPUSH k d 0 | BLMOVEM k d LEFT RIGHT 0 | "
        "LMOVE k d LEFT RIGHT | RPOPLPUSH k d | LMOVEM k d LEFT RIGHT", ""),
    "commands that only read lists": (
        "RPUSH k a b", "LRANGE k 0 -1 | LLEN k | LINDEX k 0 | LPOS k a | LPOS k a COUNT 0", ""),
    "FLUSHDB of nothing": ("", "FLUSHDB", "FLUSHDB"),
    "FLUSHALL": ("SET k v", "FLUSHALL ASYNC", "FLUSHALL ASYNC"),
    "SWAPDB": ("SET k v", "SWAPDB 0 1", "SWAPDB 0 1"),
    "wrong arity": ("", "SET k", ""),
    "unknown command": ("", "NOTACOMMAND k", ""),
    "wrong syntax": ("", "FLUSHALL LATER", ""),
    "commands that only read": ("SET k v", "TTL k | EXISTS k | TYPE k | STRLEN k | DBSIZE | KEYS * | PING", ""),
    "WATCH and UNWATCH": ("SET k v", "WATCH k | UNWATCH", ""),
    "MULTI": ("SET k v", "MULTI | INCR a | EXPIRE k 1 | GET k | EXEC",
              "MULTI | INCR a | PEXPIREAT k T+1000 | EXEC"),
    "MULTI that reads": ("SET k v", "MULTI | GET k | EXEC", ""),
    "MULTI of failures": ("SET k v", "MULTI | INCR k | SET k w NX | EXEC", ""),
    "MULTI discarded": ("", "MULTI | SET k v | DISCARD", ""),
    "MULTI spoiled": ("", "MULTI | SET k v | SET k | EXEC", ""),
    "MULTI with one effect": ("", "MULTI | GET a | SET a 1 | EXEC | SET b 2", "SET a 1 | SET b 2"),
    "MULTI with several effects": ("", "MULTI | SET a 1 | DEL a | EXEC | SET b 2",
                                   "MULTI | SET a 1 | DEL a | EXEC | SET b 2"),
}


@pytest.mark.parametrize("setup, commands, expected", EFFECTS.values(), ids=EFFECTS)
def test_effect(local, setup, commands, expected):
    lines = [line.strip() for line in expected.split("|") if line.strip()]
    lines = [" ".join(str(NOW_MS + int(word[2:])) if word.startswith("T+") else word for word in line.split(" "))
             for line in lines]
    assert propagated(local, commands, setup) == lines


# What Redis writes as it came, and is the same in effect.
OTHERWISE_ON_PEER = ("SET NX", "EXPIRE with a condition")
TIME = re.compile(r"T\+\d+|\b\d{13}\b")


@pytest.fixture(scope="module")
def peer_aof(request):
    """(server, path of the file that takes what it propagates) of a real server; skips without one."""
    peer = request.config.stash[PEER]
    if peer is None or peer.version < (7,):
        pytest.skip("no peer that keeps its AOF in parts")
    with peer_server(peer.path, "--appendonly", "yes", "--appendfsync", "always") as server:
        yield server, next((server.directory / "appendonlydir").glob("*.incr.aof"))


@pytest.mark.parametrize("setup, commands, expected", [
    pytest.param(*row, id=name) for name, row in EFFECTS.items() if name not in OTHERWISE_ON_PEER])
def test_peer_propagates_the_same(peer_aof, setup, commands, expected):
    """But for the deadlines themselves, as its clock runs."""
    server, path = peer_aof
    soon = int(time.time()) + 100
    given = [[line.strip().replace("1700000010", str(soon)).replace("1700000000010", f"{soon}000")
              for line in lines.split("|") if line.strip()] for lines in (setup, commands)]
    with server.client() as client:
        assert client.call("FLUSHALL") == OK
        for line in given[0]:
            assert not isinstance(client.call(*words(line)), Error)
        size = path.stat().st_size
        for line in given[1]:
            if str(client.call(*words(line))).startswith("ERR unknown command") and expected:
                pytest.skip("the peer does not know the command")
        if expected and "IF" in commands and path.stat().st_size == size:
            pytest.skip("the peer does not know the option")
    reader = Client.__new__(Client)
    reader.buffer, reader.position = path.read_bytes()[size:], 0
    lines = []
    while reader.position < len(reader.buffer):
        lines.append(b" ".join(reader._frame()).decode())
    lines = [TIME.sub("T", line) for line in lines if not line.startswith("SELECT ")]
    assert lines == [TIME.sub("T", line.strip()) for line in expected.split("|") if line.strip()]


@pytest.mark.parametrize("lazy, word", [("no", b"DEL"), ("yes", b"UNLINK")])
@pytest.mark.parametrize("active", [True, False], ids=["by the timer", "on access"])
def test_expired_key_is_deleted(lazy, word, active):
    local = Local(f"lazyfree-lazy-expire {lazy}\nenable-debug-command yes")
    client = local.client()
    if not active:
        assert client.call("DEBUG", "SET-ACTIVE-EXPIRE", "0") == OK
    assert client.call("SELECT", "3") == OK
    assert client.call("SET", "k", "v", "PX", "10") == OK
    local.notes.take()
    local.advance(10)
    assert client.call("GET", "k") == b"v"
    assert local.notes.take() == []
    local.advance(1)
    assert local.notes.take() == ([(3, [word, b"k"])] if active else [])
    assert client.call("GET", "k") is None
    assert local.notes.take() == ([] if active else [(3, [word, b"k"])])
    local.loop.close()


def test_deletion_of_an_expired_key_comes_before_its_new_value():
    local = Local("enable-debug-command yes")
    client = local.client()
    client.call("DEBUG", "SET-ACTIVE-EXPIRE", "0")
    client.call("SET", "k", "v", "PX", "10")
    local.advance(11)
    local.notes.take()
    assert client.call("APPEND", "k", "w") == 1
    taken = [argv for _, argv in local.notes.take() if argv not in ([b"MULTI"], [b"EXEC"])]
    assert taken == [[b"DEL", b"k"], [b"APPEND", b"k", b"w"]]
    local.loop.close()


def test_database_comes_with_each_command(local):
    client = local.client()
    client.call("SELECT", "2")
    client.call("SET", "k", "v")
    client.call("MULTI")
    client.call("INCR", "n")
    client.call("SELECT", "5")
    client.call("INCR", "n")
    assert client.call("EXEC") == [1, OK, 1]
    taken = local.notes.take()
    assert [(db, argv) for db, argv in taken if argv not in ([b"MULTI"], [b"EXEC"])] == [
        (2, [b"SET", b"k", b"v"]), (2, [b"INCR", b"n"]), (5, [b"INCR", b"n"])]
    assert [argv for _, argv in taken][1] == [b"MULTI"] and taken[-1][1] == [b"EXEC"]


def test_replay_gives_the_same_data(local):
    """What one engine propagates makes another one equal, deadlines included."""
    client = local.client()
    for line in ("SET a 1 EX 100", "INCRBYFLOAT a 1.25", "SETEX b 5 x", "EXPIRE b 50", "APPEND c xyz", "SET d 1",
                 "GETEX d EX 9", "GETDEL c", "SET e v", "MOVE e 3", "SET f 1", "INCREX f BYINT 4 EX 7", "SELECT 1",
                 "SET g v", "SWAPDB 1 3", "SELECT 0", "SETBIT h 77 1", "COPY a i", "RENAME b j", "SET k v EX 1",
                 "GETEX a PERSIST", "SET l 1 NX", "SET l 2 NX", "DELEX l IFEQ 2", "SET m v PX 5"):
        reply = client.call(*words(line))
        assert not isinstance(reply, Error), f"{line}: {reply}"
    local.advance(6)
    copy = Local()
    copy.advance(6)
    writer = copy.client()
    for db, argv in local.notes.take():
        assert writer.call("SELECT", db) == OK
        assert not isinstance(writer.call(*argv), Error), argv
    for db in range(4):
        client.call("SELECT", db)
        writer.call("SELECT", db)
        keys = sorted(client.call("KEYS", "*"))
        assert keys == sorted(writer.call("KEYS", "*"))
        for key in keys:
            for question in ("GET", "PEXPIRETIME"):
                assert client.call(question, key) == writer.call(question, key), (db, question, key)
    copy.loop.close()


def test_what_sort_stores_does_not_depend_on_how_a_set_lies(local):
    """Elements with nothing between them: a replica's set may have come together in another way."""
    client = local.client()
    members = [f"m{number}" for number in range(100)]
    client.call("SADD", "one", *members)
    client.call("SADD", "other", *reversed(members), "x" * 100)
    client.call("SREM", "other", "x" * 100)
    for options in (("ALPHA",), ("DESC", "ALPHA"), ()):
        for key in ("one", "other"):
            assert client.call("SORT", key, "BY", "w:*", *options, "STORE", f"by:{key}") == 100
        assert client.call("LRANGE", "by:one", 0, -1) == client.call("LRANGE", "by:other", 0, -1)


@pytest.mark.parametrize("line", ["BLMOVE k d LEFT RIGHT 0", "BRPOPLPUSH k d 0", "BLMOVEM k d LEFT RIGHT 0"])
def test_who_is_served_an_error_propagates_nothing(local, line):
    client, waiting = local.client(), local.client()
    client.call("SET", "d", "v")
    waiting.send(*line.split())
    local.notes.take()
    assert client.call("RPUSH", "k", "a") == 1
    assert str(waiting.read()).startswith("WRONGTYPE")
    assert local.notes.take() == [(0, [b"RPUSH", b"k", b"a"])]


def test_removed_feed_hears_nothing(local):
    client = local.client()
    second = Notes()
    local.engine.add_feed(second)
    client.call("SET", "a", "1")
    assert second.take() == local.notes.take() == [(0, [b"SET", b"a", b"1"])]
    local.engine.remove_feed(local.notes)
    client.call("SET", "a", "2")
    assert local.notes.take() == []
    assert second.take() == [(0, [b"SET", b"a", b"2"])]


# --- two engines ----------------------------------------------------------------------------

def section(client, name):
    """One section of INFO as {field: text}."""
    lines = client.call("INFO", name).decode().split("\r\n")
    return dict(line.split(":", 1) for line in lines if ":" in line)


def test_two_engines_share_nothing():
    one, other = Local("databases 4"), Local("requirepass secret\nrename-command get fetch")
    first, second = one.client(), other.client()
    assert second.call("SET", "k", "2") == Error("NOAUTH Authentication required.")
    assert second.call("AUTH", "secret") == OK
    assert first.call("SET", "k", "1") == OK
    assert second.call("EXISTS", "k") == 0
    assert one.notes.take() == [(0, [b"SET", b"k", b"1"])] and other.notes.take() == []

    assert str(second.call("GET", "k")).startswith("ERR unknown command")
    assert second.call("FETCH", "k") is None
    assert str(first.call("FETCH", "k")).startswith("ERR unknown command")

    assert first.call("CONFIG", "SET", "maxmemory", "100mb") == OK
    assert second.call("CONFIG", "GET", "maxmemory") == [b"maxmemory", b"0"]
    assert first.call("SELECT", "4") == Error("ERR DB index is out of range")
    assert second.call("SELECT", "4") == OK

    first.call("CONFIG", "RESETSTAT")
    second.call("CONFIG", "RESETSTAT")
    for _ in range(5):
        first.call("STRLEN", "k")
    assert section(first, "commandstats")["cmdstat_strlen"].startswith("calls=5,")
    assert "cmdstat_strlen" not in section(second, "commandstats")
    assert section(first, "server")["run_id"] != section(second, "server")["run_id"]
    one.loop.close()
    other.loop.close()


def test_two_engines_have_a_clock_each():
    one, other = Local(), Local()
    first, second = one.client(), other.client()
    for client in first, second:
        client.call("SET", "k", "v", "PX", "100")
    one.advance(101)
    assert [client.call("EXISTS", "k") for client in (first, second)] == [0, 1]
    assert [argv for _, argv in one.notes.take()] == [[b"SET", b"k", b"v", b"PXAT", b"1700000000100"], [b"DEL", b"k"]]
    assert len(other.notes.take()) == 1
    assert other.engine.clock.now_ms == NOW_MS
    one.loop.close()
    other.loop.close()


def test_two_engines_keep_their_clients_apart():
    one, other = Local(), Local()
    first, second, third = one.client(), one.client(), other.client()
    assert [client.call("CLIENT", "ID") for client in (first, second, third)] == [1, 2, 1]
    assert third.call("SUBSCRIBE", "news") == [b"subscribe", b"news", 1]
    assert first.call("PUBLISH", "news", "x") == 0
    second.call("WATCH", "k")
    third.socket.output.clear()
    fourth = other.client()
    fourth.call("SET", "k", "v")
    assert second.pipeline([("MULTI",), ("PING",), ("EXEC",)]) == [OK, QUEUED, [Status("PONG")]]
    second.call("WATCH", "k")
    first.call("SET", "k", "v")
    assert second.pipeline([("MULTI",), ("PING",), ("EXEC",)]) == [OK, QUEUED, NIL_ARRAY]
    first.call("CLIENT", "KILL", "ID", "2")
    assert second.socket.closed and not third.socket.closed
    with pytest.raises(Closed):
        second.call("PING")
    one.loop.close()
    other.loop.close()


def test_engines_come_and_go():
    """A discarded engine frees what it had, whatever was under way; the next one starts from nothing."""
    for _ in range(20):
        local = Local()
        client = local.client()
        client.pipeline([("SET", f"key:{i}", "x" * i, "EX", 100) for i in range(200)])
        client.call("MULTI")
        client.send_raw(b"*2\r\n$3\r\nGET\r\n$1000000\r\nabc")
        assert section(local.client(), "keyspace")["db0"].startswith("keys=200,expires=200,")
        local.loop.close()
        del client, local
    local = Local()
    assert local.client().call("DBSIZE") == 0
    local.loop.close()
