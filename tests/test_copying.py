"""COPY of big values in slices: that others have their turn, and that it is still of one moment.

The engine lives in the test's process, on a loop that runs only when a test says so: after a COPY was sent, and before
the loop was run, its copy is under way for certain.
"""
import asyncio
import gc
import random
import re

import pytest

from tests.local import Local
from tests.resp import NIL_ARRAY, Error, Status
from tests.rows import OK, QUEUED

MEMBERS = 30_000            # far more than half a millisecond of copying
ITEM = "item " * 80
TOO_LONG = 5000             # turns of the loop


def fill(client, key, kind):
    """A value of MEMBERS elements, of an encoding for many."""
    commands = {
        "zset": lambda i: (i % 1000 / 7, f"member {i}"), "set": lambda i: (f"member {i}",),
        "hash": lambda i: (f"field {i}", f"value {i}"), "list": lambda i: (f"{ITEM}{i}",),
    }
    count = MEMBERS * {"set": 3, "list": 3, "set with deadlines": 3}.get(kind, 1)        # these are copied fastest
    name = {"zset": "ZADD", "set": "SADD", "hash": "HSET", "list": "RPUSH", "hash with deadlines": "HSET",
            "set with deadlines": "SADD"}[kind]
    words = commands[kind.split()[0]]
    for start in range(0, count, 1000):
        client.call(name, key, *(str(word) for i in range(start, start + 1000) for word in words(i)))
    if kind == "hash with deadlines":
        for i in range(0, MEMBERS, 10):
            client.call("HPEXPIRE", key, str(100_000 + i), "FIELDS", "1", f"field {i}")
    if kind == "set with deadlines":
        for i in range(0, MEMBERS, 10):
            client.call("SPEXPIRE", key, str(100_000 + i), "MEMBERS", "1", f"member {i}")


KINDS = ["zset", "set", "hash", "list", "hash with deadlines", "set with deadlines"]


class Engine(Local):
    """Local with a loop that the test runs."""

    def __init__(self, options=""):
        super().__init__("enable-debug-command yes\nsave ''\nnotify-keyspace-events AKE\n" + options)

    def turn(self):
        self.loop.run_until_complete(asyncio.sleep(0))

    def turns_until(self, condition, text):
        for _ in range(TOO_LONG):
            if condition():
                return
            self.turn()
        raise AssertionError(f"in {TOO_LONG} turns of the loop {text}")

    def answer(self, client):
        """Run the loop until a client that waits is answered -> the reply."""
        self.turns_until(lambda: client.socket.output, "there was no answer")
        return client.read()

    def rest(self):
        """Run the loop until what is freed in slices is freed."""
        self.loop.run_until_complete(asyncio.sleep(0.005))
        with_garbage = self.client()
        self.turns_until(lambda: b"\r\nlazyfree_pending_objects:0\r\n" in with_garbage.call("INFO", "memory"),
                         "there was still garbage")
        self.loop.run_until_complete(asyncio.sleep(0.05))
        with_garbage.socket.close()

    def propagated(self):
        return [b" ".join(argv[:4]).decode() for _, argv in self.notes.take()]


def begin(client, *command):
    """Send a COPY, which must not be answered yet."""
    client.send(*command)
    assert not client.socket.output, "it was copied at once"


@pytest.fixture(params=["zset"])
def local(request, tmp_path):
    """An engine with a big value in the key src of database 0."""
    engine = Engine(f"dir {tmp_path}")
    fill(engine.client(), "src", request.param)
    engine.notes.take()
    yield engine
    engine.loop.run_until_complete(asyncio.sleep(0))
    engine.loop.close()


@pytest.fixture
def client(local):
    return local.client()


@pytest.fixture
def other(local):
    return local.client()


every_kind = pytest.mark.parametrize("local", KINDS, indirect=True)


def same(client, one="src", two="dst"):
    first, second = client.call("DEBUG", "DIGEST-VALUE", one, two)
    return first == second


@every_kind
def test_the_copy_is_the_same_and_of_the_same_encoding(local, client, other):
    client.call("PEXPIRE", "src", "50000")
    begin(client, "COPY", "src", "dst")
    assert local.answer(client) == 1
    assert same(client)
    assert client.call("OBJECT", "ENCODING", "dst") == client.call("OBJECT", "ENCODING", "src")
    assert client.call("PTTL", "dst") == 50000
    assert client.call("DEBUG", "VERIFY") == OK
    assert client.call("MEMORY", "USAGE", "dst", "SAMPLES", "0") == pytest.approx(
        client.call("MEMORY", "USAGE", "src", "SAMPLES", "0"), rel=0.25)


@every_kind
def test_others_have_their_turn_meanwhile(local, client, other):
    begin(client, "COPY", "src", "dst")
    turns = 0
    while not client.socket.output:
        assert other.call("SET", "k", str(turns)) == OK
        assert other.call("EXISTS", "dst") == 0
        assert other.call("TYPE", "src") != Status("none")
        local.turn()
        turns += 1
        assert turns < TOO_LONG
    assert turns                # at least one: a command that takes long by chance has turns of its own
    assert client.read() == 1
    assert local.propagated() == [f"SET k {i}" for i in range(turns)] + ["COPY src dst"]


def used_memory(client):
    return int(re.search(rb"\r\nused_memory:(\d+)", client.call("INFO", "memory")).group(1))


def warm_up(local, client):
    """Have every command that is used counted once: its first call takes memory for the statistics."""
    for command in ("SET dst v", "COPY dst dst2", "DEL dst dst2", "SWAPDB 0 1", "SWAPDB 0 1", "ZADD dst 1 a", "DEL dst",
                    "EXISTS dst"):
        client.call(*command.split())
    local.rest()


@every_kind
@pytest.mark.parametrize("end", ["whole", "the source goes", "the destination comes"])
def test_no_memory_is_lost(local, client, other, end):
    warm_up(local, other)
    before = used_memory(other)
    begin(client, "COPY", "src", "dst")
    local.turn()
    assert used_memory(other) > before + 10_000
    if end == "the source goes":
        other.call("SWAPDB", "0", "1")
    if end == "the destination comes":
        other.call("SET", "dst", "v")
    assert local.answer(client) == (end == "whole")
    if end == "the source goes":
        other.call("SWAPDB", "0", "1")
    other.call("DEL", "dst")
    local.rest()
    # The keyspace's own table and buffers of clients may differ, by far less than a copy takes.
    local.turns_until(lambda: abs(used_memory(other) - before) < 4096, "memory was lost")


WRITES = {
    "ZADD": ["ZADD src 1 new"], "ZREM": ["ZREM src absent"], "DEL": ["DEL src"], "UNLINK": ["UNLINK k src"],
    "RENAME": ["RENAME src other"], "RENAMENX to it": ["RENAMENX k src"], "MOVE": ["MOVE src 1"],
    "EXPIRE": ["PEXPIRE src 5000"], "SET": ["SET src v"], "STORE": ["ZUNIONSTORE src 1 k"],
    "COPY to it": ["COPY k src REPLACE"], "EXEC": ["MULTI", "SET k w", "DEL src", "EXEC"], "SORT": ["SORT k STORE src"],
}


@pytest.mark.parametrize("commands", WRITES.values(), ids=WRITES)
def test_a_command_that_may_change_the_source_comes_after_the_copy(local, client, other, commands):
    reference = Engine()
    here = reference.client()
    fill(here, "src", "zset")
    for command in ["ZADD k 5 x", "COPY src dst", *commands]:
        here.send(*command.split())
        wanted = reference.answer(here)
    other.call("ZADD", "k", "5", "x")
    local.notes.take()
    begin(client, "COPY", "src", "dst")
    for command in commands[:-1]:
        assert other.call(*command.split()) in (OK, QUEUED)
    other.send(*commands[-1].split())
    assert not other.socket.output
    assert "b" in flags_of(local, other)
    assert local.client().call("EXISTS", "src") == 1
    assert local.answer(client) == 1
    assert local.answer(other) == wanted
    assert local.propagated()[0] == "COPY src dst"
    assert same(other) == same(here) and other.call("DEBUG", "DIGEST") == here.call("DEBUG", "DIGEST")
    reference.loop.close()


def flags_of(local, client):
    """The field `flags` of CLIENT LIST."""
    line = local.client().call("CLIENT", "LIST", "ID", str(client.connection.id))
    return re.search(rb" flags=(\S+) ", line).group(1).decode()


def test_those_who_read_the_source_or_write_elsewhere_do_not_wait(local, client, other):
    begin(client, "COPY", "src", "dst")
    assert other.call("ZCARD", "src") == MEMBERS
    assert other.call("ZRANGESTORE", "part", "k", "0", "-1") == 0
    assert other.call("MULTI") == OK
    assert other.call("DEL", "src") == QUEUED
    assert other.call("DISCARD") == OK
    assert local.answer(client) == 1


def test_those_who_wait_go_on_in_the_order_they_came(local, client):
    writers = [local.client() for _ in range(3)]
    begin(client, "COPY", "src", "dst")
    for i, writer in enumerate(writers):
        writer.send("ZADD", "src", str(i), "new")
        writer.send("ZSCORE", "src", "new")
    assert local.answer(client) == 1
    assert [writer.read() for writer in writers] == [1, 0, 0]
    assert [line for line in local.propagated() if line.startswith("ZADD")] == [f"ZADD src {i} new" for i in range(3)]


def test_the_source_expires_meanwhile(local, client, other):
    other.call("PEXPIRE", "src", "1000")
    local.notes.take()
    begin(client, "COPY", "src", "dst")
    local.turn()
    local.advance(2000)
    assert local.answer(client) == 0
    assert other.call("DBSIZE") == 0
    assert local.propagated() == ["DEL src"]


@pytest.mark.parametrize("local", ["hash with deadlines"], indirect=True)
def test_a_field_of_the_source_expires_meanwhile(local, client, other):
    begin(client, "COPY", "src", "dst")
    local.turn()
    local.advance(100_005)              # a field's time comes
    assert local.answer(client) == 1
    assert other.call("HLEN", "dst") == other.call("HLEN", "src") == MEMBERS - 1
    assert same(other)
    assert local.propagated() == ["HDEL src field 0", "COPY src dst"]
    local.advance(10)                   # and another one's, in both
    assert other.call("HLEN", "dst") == other.call("HLEN", "src") == MEMBERS - 2


@pytest.mark.parametrize("command", ["FLUSHALL", "FLUSHDB", "FLUSHALL ASYNC"])
def test_the_source_is_flushed_meanwhile(local, client, other, command):
    begin(client, "COPY", "src", "dst", "DB", "1")
    assert other.call(*command.split()) == OK
    assert local.answer(client) == 0
    assert other.call("DBSIZE") == 0
    assert local.propagated() == [command]


def test_a_flush_of_another_database_is_no_reason(local, client, other):
    begin(client, "COPY", "src", "dst")
    other.call("SELECT", "1")
    other.call("SET", "k", "v")
    assert other.call("FLUSHDB") == OK
    assert local.answer(client) == 1
    assert same(client)


def test_databases_are_swapped_meanwhile(local, client, other):
    """COPY is of what the database has at its end."""
    there = local.client()
    there.call("SELECT", "1")
    there.call("ZADD", "src", "1", "the only one")
    local.notes.take()
    begin(client, "COPY", "src", "dst", "DB", "2")
    assert other.call("SWAPDB", "0", "1") == OK
    assert local.answer(client) == 1
    there.call("SELECT", "2")
    assert there.call("ZRANGE", "dst", "0", "-1") == [b"the only one"]
    assert local.propagated() == ["SWAPDB 0 1", "COPY src dst DB"]


def test_a_source_that_keeps_changing_is_copied_at_once_in_the_end(local, client, other):
    there = local.client()
    there.call("SELECT", "1")
    fill(there, "src", "set")
    local.notes.take()
    begin(client, "COPY", "src", "dst")
    swaps = 0
    while not client.socket.output:
        assert other.call("SWAPDB", "0", "1") == OK     # in each turn: no copy in slices can be whole
        swaps += 1
        local.turn()
        assert swaps < 10
    assert client.read() == 1
    assert local.propagated() == ["SWAPDB 0 1"] * swaps + ["COPY src dst"]
    local.rest()
    assert same(other)


def test_the_destination_comes_meanwhile(local, client, other):
    begin(client, "COPY", "src", "dst")
    other.call("SET", "dst", "v")
    assert local.answer(client) == 0
    assert other.call("GET", "dst") == b"v"
    assert local.propagated() == ["SET dst v"]


def test_the_destination_comes_meanwhile_and_is_replaced(local, client, other):
    begin(client, "COPY", "src", "dst", "REPLACE")
    other.call("SET", "dst", "v")
    other.call("PEXPIRE", "dst", "1000")
    assert local.answer(client) == 1
    assert same(client)
    assert client.call("PTTL", "dst") == -1
    assert local.propagated()[-1] == "COPY src dst REPLACE"


def test_a_destination_that_is_there_is_no_work(local, client, other):
    other.call("SET", "dst", "v")
    assert client.call("COPY", "src", "dst") == 0


def test_a_copy_to_another_database_tells_those_who_listen_there(local, client, other):
    other.call("SELECT", "3")
    other.call("WATCH", "dst")
    other.call("MULTI")
    other.call("PING")
    listener = local.client()
    listener.call("PSUBSCRIBE", "__keyspace@3__:dst")
    begin(client, "COPY", "src", "dst", "DB", "3")
    assert local.answer(client) == 1
    assert other.call("EXEC") is NIL_ARRAY
    assert other.call("ZCARD", "dst") == MEMBERS
    assert listener.read()[2:] == [b"__keyspace@3__:dst", b"copy_to"]
    assert not listener.socket.output


def test_who_waits_for_the_destination_gets_it(local, client, other):
    other.send("BZPOPMIN", "dst", "0")
    begin(client, "COPY", "src", "dst")
    assert local.answer(client) == 1
    assert other.read() == [b"dst", b"member 0", b"0"]
    assert local.propagated() == ["COPY src dst", "ZPOPMIN dst"]


def test_the_client_leaves_meanwhile(local, client, other):
    begin(client, "COPY", "src", "dst")
    local.turn()
    client.socket.close()
    local.turns_until(lambda: local.engine.blocked.count == 0, "the copy did not end")
    assert same(other)
    assert local.propagated() == ["COPY src dst"]


def test_client_unblock_and_kill_leave_the_copy_alone(local, client, other):
    begin(client, "COPY", "src", "dst")
    for reason in ("TIMEOUT", "ERROR"):
        assert other.call("CLIENT", "UNBLOCK", str(client.connection.id), reason) == 0
    assert "b" in flags_of(local, client)
    assert other.call("CLIENT", "KILL", "ID", str(client.connection.id)) == 1
    local.turns_until(lambda: local.engine.blocked.count == 0, "the copy did not end")
    assert same(other)


def test_a_wait_that_the_engine_ends_ends_the_copy(local, client, other):
    """As it does when the server becomes a replica."""
    warm_up(local, other)
    before = used_memory(other)
    begin(client, "COPY", "src", "dst")
    local.turn()
    local.engine.blocked.unblock(client.connection, b"UNBLOCKED no more")
    local.turn()
    assert client.read() == Error("UNBLOCKED no more") if client.socket.output else True
    assert other.call("EXISTS", "dst") == 0
    assert other.call("ZADD", "src", "1", "new") == 1
    local.rest()
    assert used_memory(other) < before + 4096


def test_the_end_waits_for_the_end_of_a_pause(local, client, other):
    begin(client, "COPY", "src", "dst")
    assert other.call("CLIENT", "PAUSE", "100000", "WRITE") == OK
    for _ in range(TOO_LONG // 10):
        local.turn()
    assert not client.socket.output and other.call("EXISTS", "dst") == 0
    assert other.call("CLIENT", "UNPAUSE") == OK
    local.loop.run_until_complete(asyncio.sleep(0.02))
    assert local.answer(client) == 1
    assert same(other)


def test_a_transaction_copies_at_once(local, client):
    client.call("MULTI")
    client.call("COPY", "src", "dst")
    client.call("ZADD", "src", "1", "new")
    assert client.call("EXEC") == [1, 1]
    assert client.call("ZCARD", "dst") == MEMBERS


def test_copies_of_several_clients(local, client, other):
    third = local.client()
    fill(third, "hash", "hash")
    local.notes.take()
    begin(client, "COPY", "src", "dst")
    begin(other, "COPY", "hash", "dst2")
    begin(third, "COPY", "src", "dst3")         # waits for the first one
    assert [local.answer(c) for c in (client, other, third)] == [1, 1, 1]
    assert same(client) and same(client, "hash", "dst2") and same(client, "src", "dst3")
    assert sorted(local.propagated()) == ["COPY hash dst2", "COPY src dst", "COPY src dst3"]


def test_a_copy_in_the_midst_of_a_pipeline(local, client):
    client.socket.sendall(b"SET a 1\r\nCOPY src dst\r\nZADD src 1 new\r\nZCARD src\r\nZCARD dst\r\n")
    assert client.read() == OK
    assert [local.answer(client), *(client.read() for _ in range(3))] == [1, 1, MEMBERS + 1, MEMBERS]


def test_it_is_one_call_in_the_statistics(local, client, other):
    other.call("CONFIG", "RESETSTAT")
    begin(client, "COPY", "src", "dst")
    assert b"cmdstat_copy" not in other.call("INFO", "commandstats")
    local.answer(client)
    assert b"cmdstat_copy:calls=1," in other.call("INFO", "commandstats")
    assert b"\r\nkeyspace_hits:1\r\n" in other.call("INFO", "stats")


def test_client_reply_off(local, client, other):
    client.send("CLIENT", "REPLY", "OFF")
    begin(client, "COPY", "src", "dst")
    local.turns_until(lambda: local.engine.blocked.count == 0, "the copy did not end")
    assert not client.socket.output
    assert same(other)


def test_debug_reload_meanwhile(local, client, other):
    begin(client, "COPY", "src", "dst")
    local.turn()
    assert other.call("DEBUG", "RELOAD") == OK
    assert local.answer(client) == 1
    assert same(other)
    assert other.call("DEBUG", "VERIFY") == OK


@every_kind
def test_a_snapshot_in_slices_meanwhile(local, client, other):
    """Each sees the data as it has to, and the engine is left without a trace of both."""
    local.engine.saver.forkless = True
    wanted = other.call("DEBUG", "DIGEST")
    begin(client, "COPY", "src", "dst")
    assert other.call("BGSAVE") == Status("Background saving started")
    other.call("SET", "k", "v")
    assert local.answer(client) == 1
    begin(client, "COPY", "dst", "dst2")
    other.send("DEL", "dst")
    local.turns_until(lambda: not local.engine.saver.running, "the snapshot did not end")
    local.turns_until(lambda: local.engine.blocked.count == 0, "the copy did not end")
    assert client.read() == other.read() == 1
    assert same(other, "src", "dst2")
    assert other.call("DEBUG", "RELOAD", "NOSAVE") == OK
    assert other.call("DEBUG", "DIGEST") == wanted


def test_the_engine_ends_meanwhile():
    engine = Engine()
    client = engine.client()
    for kind in ("zset", "set", "hash with deadlines", "list"):
        fill(client, kind, kind)
        begin(engine.client(), "COPY", kind, f"{kind} 2")
    engine.turn()
    engine.loop.close()
    del engine, client
    gc.collect()


@pytest.mark.parametrize("seed", range(6))
def test_what_is_propagated_makes_the_same_data(local, seed):
    """Any commands of several clients between any slices: an engine that takes what is propagated agrees at the end."""
    draw = random.Random(seed)
    replica = Engine()
    fill(replica.client(), "src", "zset")
    clients = [local.client() for _ in range(4)]
    commands = [
        "COPY src {} REPLACE", "COPY src {}", "COPY {} {} REPLACE", "COPY {} {} DB 1", "ZADD {} 1 m{}",
        "ZADD src 1 m{}", "DEL {}", "SWAPDB 0 1", "RENAME {} {}", "PEXPIRE {} 50", "SET {} v", "ZPOPMIN src",
        "FLUSHDB ASYNC", "PING",
    ]
    weights = [6, 6, 6, 3, 3, 6, 3, 2, 3, 3, 2, 3, 0.2, 3]
    names = ["src", "a", "b", "c"]
    waiting = set()
    for _ in range(150):
        idle = [client for client in clients if client not in waiting]
        if idle and draw.random() < 0.7:
            client = draw.choice(idle)
            command = draw.choices(commands, weights)[0]
            command = command.format(*(draw.choice(names) for _ in range(2)))
            client.send(*command.split())
            waiting.add(client)
        elif draw.random() < 0.1:
            local.advance(20)
        else:
            local.turn()
        for client in list(waiting):
            if client.socket.output:
                client.read()
                waiting.discard(client)
    for client in waiting:
        local.answer(client)
    check = local.client()
    taker = replica.client()
    selected = 0
    for db, argv in local.notes.take():
        if db != selected:
            taker.call("SELECT", str(db))
            selected = db
        taker.send(*argv)
        assert not isinstance(replica.answer(taker), Error)
    assert check.call("DEBUG", "VERIFY") == OK
    assert check.call("DEBUG", "DIGEST") == taker.call("DEBUG", "DIGEST")
    replica.loop.close()
