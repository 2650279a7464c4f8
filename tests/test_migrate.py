"""MIGRATE between two servers: each kind to each, and to targets of the test's own that do not do what they should.

What a reply says, and what is in which place afterwards, is the same with redis-server; tests that only have
`either_server` run on both for that.
"""
import contextlib
import functools
import random
import socket
import threading
import time

import pytest

from tests.local import Local
from tests.resp import Error, Status
from tests.rows import OK
from tests.servers import free_port

NOKEY = Status("NOKEY")
CONNECTING = Error("IOERR error or timeout connecting to the client")
READING = Error("IOERR error or timeout reading to target instance")
WRITING = Error("IOERR error or timeout writing to target instance")
REFUSED = "ERR Target instance replied with error: "
BUSYKEY = Error(REFUSED + "BUSYKEY Target key name already exists.")

PAIRS = [("fastredis", "fastredis"), ("fastredis", "peer"), ("peer", "fastredis")]

VALUES = {
    "string": (["SET", "k", "v"], ["GET", "k"]),
    "int": (["SET", "k", "12345"], ["GET", "k"]),
    "large": (["SET", "k", "a very compressible text " * 50_000], ["GET", "k"]),
    "list": (["RPUSH", "k", *range(500)], ["LRANGE", "k", 0, -1]),
    "intset": (["SADD", "k", 3, 1, 2], ["SORT", "k"]),
    "set": (["SADD", "k", *(f"m{n}" for n in range(600))], ["SORT", "k", "ALPHA"]),
    "small hash": (["HSET", "k", "f", "v"], ["HGETALL", "k"]),
    "hash": (["HSET", "k", *(f"w{n}" for n in range(2000))], ["HMGET", "k", "w0", "w998", "w1998"]),
    "zset": (["ZADD", "k", *(word for n in range(600) for word in (n / 2, f"m{n}"))],
             ["ZRANGE", "k", 0, -1, "WITHSCORES"]),
}


class Ends:
    """Two servers and a client of each. move() is MIGRATE to the second one's database `db`."""

    def __init__(self, source, target, stack):
        self.source, self.target = source, target
        self.here = stack.enter_context(source.client(timeout=20))
        self.there = stack.enter_context(target.client(timeout=20))

    def move(self, key, *options, db=0, timeout=5000):
        return self.here.call("MIGRATE", "127.0.0.1", self.target.port, key, db, timeout, *options)

    def stat(self, field):
        """A field of the first server's INFO."""
        lines = self.here.call("INFO", "everything").decode().split("\r\n")
        return next(line.split(":")[1] for line in lines if line.startswith(field + ":"))


@pytest.fixture
def ends(fresh_server):
    """open(source, target, *options of the target) -> Ends."""
    with contextlib.ExitStack() as stack:
        def start(source, target, *options):
            return Ends(fresh_server(kind=source), fresh_server(*options, kind=target), stack)
        yield start


@pytest.fixture(params=PAIRS, ids="-to-".join)
def pair(request, ends):
    return functools.partial(ends, *request.param)


# --- what arrives -----------------------------------------------------------------------


def test_values_of_all_types(pair):
    both = pair()
    for name, (make, look) in VALUES.items():
        both.here.call(*make)
        value = both.here.call(*look)
        assert both.move("k") == OK, name
        assert both.here.call("EXISTS", "k") == 0, name
        assert both.there.call(*look) == value, name
        assert both.there.call("PTTL", "k") == -1, name
        both.there.call("DEL", "k")


def test_the_ttl_goes_along(pair):
    both = pair()
    both.here.call("SET", "k", "v", "PX", 100_000)
    assert both.move("k") == OK
    assert 95_000 < both.there.call("PTTL", "k") <= 100_000


def test_copy_and_replace(pair):
    both = pair()
    both.here.call("SET", "k", "new")
    assert both.move("k", "COPY") == OK
    assert both.here.call("GET", "k") == both.there.call("GET", "k") == b"new"
    both.there.call("SET", "k", "old")
    assert both.move("k", "copy") == BUSYKEY
    assert both.move("k") == BUSYKEY
    assert (both.here.call("GET", "k"), both.there.call("GET", "k")) == (b"new", b"old")
    assert both.move("k", "replace", "Copy") == OK
    assert both.here.call("GET", "k") == both.there.call("GET", "k") == b"new"
    assert both.move("k", "REPLACE") == OK
    assert both.here.call("EXISTS", "k") == 0


def test_several_keys(pair):
    both = pair()
    both.here.call("MSET", "a", "1", "b", "2", "d", "4")
    both.here.call("PEXPIRE", "b", 100_000)
    assert both.move("", "KEYS", "a", "b", "none", "d") == OK
    assert both.here.call("DBSIZE") == 0
    assert both.there.call("MGET", "a", "b", "d") == [b"1", b"2", b"4"]
    assert [both.there.call("PTTL", "a"), both.there.call("PTTL", "b") > 95_000] == [-1, True]


def test_what_the_target_refuses_stays(pair):
    """The first error is the reply; keys that were taken before and after it are deleted."""
    both = pair()
    both.here.call("MSET", "a", "1", "b", "2", "c", "3", "d", "4")
    both.there.call("MSET", "b", "old", "c", "old")
    assert both.move("", "KEYS", "a", "b", "c", "d") == BUSYKEY
    assert both.here.call("MGET", "a", "b", "c", "d") == [None, b"2", b"3", None]
    assert both.there.call("MGET", "a", "b", "c", "d") == [b"1", b"old", b"old", b"4"]


def test_databases(pair):
    """SELECT is sent when the connection is not where the key is to go."""
    both = pair()
    for number, db in enumerate((9, 9, 3, 0)):
        both.here.call("SET", "k", number)
        assert both.move("k", "REPLACE", db=db) == OK
    found = []
    for db in (9, 3, 0):
        both.there.call("SELECT", db)
        found.append(both.there.call("GET", "k"))
    assert found == [b"1", b"2", b"3"]
    both.here.call("SET", "k", "v")
    # Redis sends no SELECT for -1 on a connection of which it knows nothing, and so finds some database.
    for db in (99, -1) if both.source.kind == "fastredis" else (99,):
        assert both.move("k", db=db) == Error(REFUSED + "ERR DB index is out of range")
    assert both.here.call("EXISTS", "k") == 1
    assert both.move("k", "REPLACE") == OK


def test_passwords(pair):
    both = pair("--requirepass", "secret")
    both.there.call("AUTH", "secret")
    both.here.call("SET", "k", "v")
    noauth = Error(REFUSED + "NOAUTH Authentication required.")
    wrongpass = Error(REFUSED + "WRONGPASS invalid username-password pair or user is disabled.")
    assert both.move("k") == noauth
    assert both.move("k", "AUTH", "wrong") == wrongpass
    assert both.move("k", "AUTH2", "default", "wrong") == wrongpass
    assert both.move("k", "AUTH2", "nobody", "secret") == wrongpass
    assert both.here.call("EXISTS", "k") == 1
    assert both.move("k", "AUTH", "secret", "COPY") == OK
    assert both.move("k", "REPLACE", "AUTH2", "default", "secret") == OK
    assert both.there.call("GET", "k") == b"v"


def test_a_password_that_nobody_asked_for(pair):
    both = pair()
    both.here.call("SET", "k", "v")
    reply = both.move("k", "AUTH", "secret")
    assert reply.startswith(REFUSED + "ERR AUTH <password> called without any password configured")
    assert both.here.call("EXISTS", "k") == 1


# --- connections --------------------------------------------------------------------------


def test_connections_are_kept(pair):
    both = pair()
    assert both.stat("migrate_cached_sockets") == "0"
    for _ in range(3):
        both.here.call("SET", "k", "v")
        assert both.move("k", "REPLACE") == OK
    assert both.stat("migrate_cached_sockets") == "1"
    assert len(both.there.call("CLIENT", "LIST").splitlines()) == 2


def test_at_most_64_connections_are_kept(pair):
    """Each spelling of an address has its own."""
    both = pair()
    both.here.call("SET", "k", "v")
    for zeros in range(70):
        port = "0" * zeros + str(both.target.port)
        assert both.here.call("MIGRATE", "127.0.0.1", port, "k", 0, 5000, "COPY", "REPLACE") == OK
    assert both.stat("migrate_cached_sockets") == "64"
    assert len(both.there.call("CLIENT", "LIST").splitlines()) == 65


@pytest.mark.slow
def test_connections_are_closed_ten_seconds_after_their_last_use(either_server):
    source = either_server()
    with Replies([b"+OK\r\n+OK\r\n", None], [b"+OK\r\n+OK\r\n", None]) as target, source.client() as client:
        client.call("SET", "k", "v")
        assert target.order(client, "COPY") == OK
        give_up = time.monotonic() + 20
        while b"migrate_cached_sockets:0" not in client.call("INFO", "stats"):
            assert time.monotonic() < give_up
            time.sleep(0.2)
        assert time.monotonic() > give_up - 20 + 9
        assert target.order(client, "COPY") == OK
        assert target.accepted == 2


def test_a_connection_that_died_is_replaced(pair):
    both = pair()
    both.here.call("SET", "k", "v")
    assert both.move("k", "COPY", db=3) == OK
    both.there.call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
    assert both.move("k", "REPLACE", db=3) == OK
    both.there.call("SELECT", 3)
    assert both.there.call("GET", "k") == b"v"
    assert both.here.call("EXISTS", "k") == 0


def test_a_target_that_is_not_there(either_server):
    with either_server().client() as client:
        client.call("SET", "k", "v")
        for host, port, expected in (("127.0.0.1", free_port(), WRITING), ("127.0.0.1", "x", WRITING),
                                     ("127.0.0.1", -1, CONNECTING), ("127.0.0.1", "9" * 20, CONNECTING),
                                     ("..", "6379", CONNECTING), ("", "6379", CONNECTING)):
            assert client.call("MIGRATE", host, port, "k", 0, 500) == expected, (host, port)
        assert client.call("EXISTS", "k") == 1


class Replies:
    """A target that accepts one connection after the other: it reads something, and then writes as it is told.

    Each script is a list of bytes: one read before each of them, then the connection is closed, unless the script's
    last item is None; in `received` is what came.
    """

    def __init__(self, *scripts):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.scripts = scripts
        self.accepted = 0
        self.received = []
        self.open = []
        self.thread = threading.Thread(target=self.run, daemon=True)

    def order(self, client, *options, key="k", timeout=1000):
        return client.call("MIGRATE", "127.0.0.1", self.port, key, 0, timeout, *options)

    def run(self):
        with contextlib.suppress(OSError):
            for script in self.scripts:
                peer, _ = self.listener.accept()
                self.accepted += 1
                peer.settimeout(20)
                self.open.append(peer)
                for data in script:
                    if data is None:
                        break
                    self.received.append(peer.recv(65536))
                    peer.sendall(data)
                else:
                    peer.close()

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *exc_info):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for peer in self.open:
            with contextlib.suppress(OSError):
                peer.shutdown(socket.SHUT_RDWR)
            peer.close()
        self.thread.join(20)
        assert not self.thread.is_alive()


def test_a_target_that_never_answers(either_server):
    """It times out, without a second attempt."""
    source = either_server()
    with socket.create_server(("127.0.0.1", 0)) as listener, source.client() as client:
        port = listener.getsockname()[1]
        client.call("SET", "k", "v")
        client.call("SET", "large", random.Random(1).randbytes(30_000_000))
        for key, options, expected in (("k", [], READING), ("k", ["COPY", "AUTH", "x"], READING),
                                       ("large", [], WRITING)):
            start = time.monotonic()
            assert client.call("MIGRATE", "127.0.0.1", port, key, 0, 300, *options) == expected
            assert 0.25 < time.monotonic() - start < 3
        assert client.call("EXISTS", "k", "large") == 2
        assert b"migrate_cached_sockets:0" in client.call("INFO", "stats")


def test_no_timeout_is_a_second(either_server):
    with socket.create_server(("127.0.0.1", 0)) as listener, either_server().client() as client:
        client.call("SET", "k", "v")
        start = time.monotonic()
        assert client.call("MIGRATE", "127.0.0.1", listener.getsockname()[1], "k", 0, 0) == READING
        assert 0.9 < time.monotonic() - start < 3


def test_a_target_that_closes_is_tried_twice(either_server):
    source = either_server()
    with Replies([b""], [b""]) as target, source.client() as client:
        client.call("SET", "k", "v")
        assert target.order(client) == READING
        assert target.accepted == 2
        assert client.call("EXISTS", "k") == 1


def test_the_second_attempt_may_do_it(either_server):
    source = either_server()
    with Replies([b"+OK\r\n"], [b"+OK\r\n+OK\r\n", None]) as target, source.client() as client:
        client.call("SET", "k", "v")
        assert target.order(client) == OK
        assert target.accepted == 2
        assert client.call("EXISTS", "k") == 0


def test_a_target_that_closes_after_the_first_key(either_server):
    """That key has arrived and goes; nothing is tried again."""
    source = either_server()
    with Replies([b"+OK\r\n+OK\r\n"], [b""]) as target, source.client() as client:
        client.call("MSET", "a", "1", "b", "2")
        assert target.order(client, "KEYS", "a", "b", key="") == READING
        assert client.call("MGET", "a", "b") == [None, b"2"]
        assert target.accepted == 1


def test_a_refusal_is_told_although_the_target_closes_then(either_server):
    source = either_server()
    with Replies([b"+OK\r\n-ERR no\r\n"], [b""]) as target, source.client() as client:
        client.call("MSET", "a", "1", "b", "2")
        assert target.order(client, "KEYS", "a", "b", key="") == Error(REFUSED + "ERR no")
        assert client.call("EXISTS", "a", "b") == 2
        assert b"migrate_cached_sockets:0" in client.call("INFO", "stats")


def test_what_is_sent(either_server):
    """AUTH and SELECT precede the RESTOREs; a second call selects only when it must."""
    source = either_server()
    with Replies([b"+OK\r\n+OK\r\n+OK\r\n", b"+OK\r\n", None]) as target, source.client() as client:
        client.call("SET", "k", "v")
        assert target.order(client, "COPY", "AUTH2", "me", "secret") == OK
        assert target.order(client, "COPY", "REPLACE") == OK
        first, second = target.received
        assert first.startswith(b"*3\r\n$4\r\nAUTH\r\n$2\r\nme\r\n$6\r\nsecret\r\n*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n")
        assert second.startswith(b"*5\r\n$7\r\nRESTORE\r\n$1\r\nk\r\n$1\r\n0\r\n$")
        assert second.endswith(b"\r\n$7\r\nREPLACE\r\n")
        assert first.endswith(second.replace(b"*5", b"*4").removesuffix(b"$7\r\nREPLACE\r\n"))


def test_answers_in_pieces_and_at_length(either_server):
    """A line is a line however it comes; of one that does not end, 1023 bytes are told."""
    with Replies([b"+O", None]) as target, either_server().client() as client:
        client.call("SET", "k", "v")
        later = threading.Timer(0.1, lambda: target.open[0].sendall(b"K\r\n-ERR no\n"))
        later.start()
        assert target.order(client) == Error(REFUSED + "ERR no")
        later.join()
    with Replies([b"+OK\r\n-" + b"x" * 5000, None]) as target, either_server().client() as client:
        client.call("SET", "k", "v")
        assert target.order(client) == Error(REFUSED + "x" * 1022)


def test_to_the_server_itself(either_server):
    """It waits for its own answer."""
    source = either_server()
    with source.client() as client:
        client.call("SET", "k", "v")
        assert client.call("MIGRATE", "127.0.0.1", source.port, "k", 1, 200) == READING
        assert client.call("EXISTS", "k") == 1


# --- arguments ------------------------------------------------------------------------------

MIGRATE = "MIGRATE 127.0.0.1 1 "
SYNTAX = Error("ERR syntax error")
NOT_INTEGER = Error("ERR value is not an integer or out of range")
KEY_AND_KEYS = Error("ERR When using MIGRATE KEYS option, the key argument must be set to the empty string")
CASES = {
    "no such key": [(MIGRATE + "none 0 10", NOKEY), (MIGRATE + '"" 0 10', NOKEY)],
    "none of the keys": [(MIGRATE + '"" 0 10 KEYS a b', NOKEY), (MIGRATE + '"" 0 10 COPY KEYS', NOKEY)],
    "a key that has expired": [("SET k v PX 1", OK), ("DEBUG SLEEP 0.01", OK), (MIGRATE + "k 0 10", NOKEY)],
    "a key and KEYS": [(MIGRATE + "k 0 10 KEYS a", KEY_AND_KEYS)],
    "options": [
        (MIGRATE + "k 0 10 NONE", SYNTAX), (MIGRATE + "k 0 10 AUTH", SYNTAX), (MIGRATE + "k 0 10 AUTH2", SYNTAX),
        (MIGRATE + "k 0 10 AUTH2 user", SYNTAX), (MIGRATE + "k 0 10 COPY COPY REPLACE AUTH x AUTH y", NOKEY),
        (MIGRATE + "k x 10 NONE", SYNTAX),
    ],
    "numbers": [
        (MIGRATE + "k x 10", NOT_INTEGER), (MIGRATE + "k 0 x", NOT_INTEGER), (MIGRATE + "k 0 1.5", NOT_INTEGER),
        (MIGRATE + "k 0 9223372036854775808", NOT_INTEGER), (MIGRATE + "k -1 -1", NOKEY),
    ],
    "arity": [("MIGRATE h 1 k 0", Error("ERR wrong number of arguments for 'migrate' command"))],
}


def test_rows(row_case):
    row_case.check()


# --- what follows from it ---------------------------------------------------------------------


def test_events_and_watch(either_server):
    source = either_server("--notify-keyspace-events", "KEA")
    with Replies([b"+OK\r\n+OK\r\n-ERR no\r\n+OK\r\n", None]) as target, source.client() as client, \
            source.client() as listener, source.client() as watcher:
        client.call("MSET", "a", "1", "b", "2", "c", "3")
        listener.call("PSUBSCRIBE", "__keyevent*")
        watcher.call("WATCH", "c")
        assert target.order(client, "KEYS", "a", "b", "c", key="") == Error(REFUSED + "ERR no")
        assert [listener.read()[2:] for _ in range(2)] == [[b"__keyevent@0__:del", key] for key in (b"a", b"c")]
        watcher.call("MULTI")
        watcher.call("GET", "c")
        assert not isinstance(watcher.call("EXEC"), list)
        assert not listener.pending(0.05)


def test_in_a_transaction(either_server):
    source = either_server()
    with Replies([b"+OK\r\n+OK\r\n", None]) as target, source.client() as client:
        replies = client.pipeline([["MULTI"], ["SET", "k", "v"],
                                   ["MIGRATE", "127.0.0.1", target.port, "k", 0, 1000], ["EXISTS", "k"], ["EXEC"]])
        assert replies[-1] == [OK, OK, 0]


def test_propagation():
    """What has arrived is propagated as one DEL; nothing else is."""
    local = Local()
    client = local.client()
    client.pipeline([["MSET", "a", "1", "b", "2", "c", "3"]])
    local.notes.take()
    with Replies([b"+OK\r\n+OK\r\n-ERR no\r\n+OK\r\n"], [b"+OK\r\n-ERR no\r\n"], [b"+OK\r\n+OK\r\n"]) as target:
        assert target.order(client, "KEYS", "a", "b", "c", key="") == Error(REFUSED + "ERR no")
        assert [argv for _, argv in local.notes.take()] == [[b"DEL", b"a", b"c"]]
        assert target.order(client, key="b") == Error(REFUSED + "ERR no")
        assert target.order(client, "COPY", key="b") == OK
        assert local.notes.take() == []
    local.loop.close()


def test_the_deletion_is_in_the_aof(fresh_server):
    source = fresh_server("--appendonly", "yes")
    with Replies([b"+OK\r\n+OK\r\n", None]) as target, source.client() as client:
        client.call("MSET", "k", "v", "stays", "v")
        assert target.order(client) == OK
        assert client.call("DEBUG", "LOADAOF") == OK
        assert client.call("KEYS", "*") == [b"stays"]
