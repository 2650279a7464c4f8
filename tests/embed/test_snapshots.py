"""server.snapshot() and restore(): states of the data, gone to in any order; data sets in files."""
import gc
import random
import threading
import time

import pytest

import fastredis
from fastredis import FastredisError
from tests.helpers import wait_until

KEYS = 100_000
LIBRARY = "#!lua name=lib\nredis.register_function('f', function() return %d end)"


@pytest.fixture(scope="module")
def shared():
    with fastredis.Server(enable_debug_command=True, unixsocket=None) as server:
        yield server


@pytest.fixture
def server(shared):
    shared.clock.release()
    shared.engine.execute("FLUSHALL")
    shared.engine.execute("FUNCTION", "FLUSH")
    return shared


def fill(execute):
    """Keys of every type and size, some with deadlines."""
    execute("SET", "short", "value")
    execute("SET", "number", 12)
    execute("SET", "raw", "x" * 1000)
    execute("SET", "due", "value", "PXAT", 4_000_000_000_000)
    for size, name in ((3, "small"), (600, "large")):
        for i in range(size):
            execute("RPUSH", f"{name}:list", i)
            execute("SADD", f"{name}:set", f"m{i}")
            execute("SADD", f"{name}:ints", i)
            execute("HSET", f"{name}:hash", f"f{i}", i)
            execute("ZADD", f"{name}:zset", i, f"m{i}")
            execute("XADD", f"{name}:stream", f"{i + 1}-0", "f", i)
    execute("HPEXPIREAT", "small:hash", 4_000_000_000_000, "FIELDS", 1, "f1")
    execute("XGROUP", "CREATE", "small:stream", "group", "0")
    execute("XREADGROUP", "GROUP", "group", "consumer", "COUNT", 2, "STREAMS", "small:stream", ">")
    execute("FUNCTION", "LOAD", LIBRARY % 1)
    other = execute.__self__.new_client(database=3)
    other.execute("SET", "elsewhere", "value")
    other.disconnect()


def state(server):
    """All that a snapshot has to keep, as values."""
    engine = server.engine
    found = {}
    for database in range(16):
        with engine.new_client(database=database) as client:
            for key in client.execute("KEYS", "*"):
                found[database, key] = client.execute("DEBUG", "DIGEST-VALUE", key), client.execute("PEXPIRETIME", key)
                if client.execute("TYPE", key) == b"stream":
                    found["stream", key] = client.execute("XINFO", "STREAM", key, "FULL")
    with engine.new_client() as client:
        if client.execute("EXISTS", "small:hash"):
            found["fields"] = client.execute("HPEXPIRETIME", "small:hash", "FIELDS", 1, "f1")
    found["functions"] = engine.execute("FUNCTION", "LIST", "WITHCODE")
    return found


CHANGES = [
    ("SET", "short", "another"), ("INCR", "number"), ("APPEND", "raw", "y"), ("PERSIST", "due"), ("DEL", "due"),
    ("EXPIRE", "short", 1000), ("RPUSH", "large:list", "x"), ("LPOP", "small:list", 3), ("SADD", "small:ints", "word"),
    ("HDEL", "small:hash", "f1"), ("HSET", "large:hash", "f0", "y"), ("ZADD", "small:zset", 9, "m0"),
    ("XACK", "small:stream", "group", "1-0"), ("XGROUP", "DESTROY", "small:stream", "group"),
    ("XADD", "large:stream", "*", "f", 1), ("RENAME", "raw", "renamed"), ("COPY", "short", "copy"),
    ("MOVE", "number", 3), ("SET", "new", 1), ("FLUSHDB",), ("SWAPDB", 0, 3), ("FLUSHALL",), ("SET", "later", 1),
    ("SETRANGE", "raw", 5, "z"), ("HPEXPIREAT", "small:hash", 4_100_000_000_000, "FIELDS", 1, "f0"),
    ("FUNCTION", "LOAD", "REPLACE", LIBRARY % 2), ("FUNCTION", "FLUSH"), ("PFADD", "hll", "a"),
    ("RESTORE", "restored", 0, b"\x00\x01x\x0b\x00\xb7\x1c\x87\xb6\xd4\xbb\x93\xb5"),
]


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: " ".join(map(str, change[:2])))
def test_each_change_is_undone(server, change):
    fill(server.engine.execute)
    before = state(server)
    with server.snapshot() as snapshot:
        for _ in range(2):
            server.engine.execute_all([change])
            server.restore(snapshot)
            assert state(server) == before


def test_states_are_gone_to_in_any_order(server):
    """Against copies of the data: random changes, snapshots, restores, and snapshots that are let go."""
    chance = random.Random(7)
    execute = server.engine.execute_all
    kept = []

    def change():
        key = f"k{chance.randrange(12)}"
        return chance.choice([
            ("SET", key, chance.randrange(1000)), ("DEL", key), ("APPEND", key, "x"), ("EXPIRE", key, 5000),
            ("PERSIST", key), ("RENAME", key, f"k{chance.randrange(12)}"), ("MOVE", key, 1), ("SELECT", 0),
            ("SWAPDB", 0, 1) if chance.random() < 0.2 else ("INCR", key),
            ("FLUSHDB",) if chance.random() < 0.2 else ("SETNX", key, 1),
            ("FLUSHALL",) if chance.random() < 0.2 else ("SWAPDB", 1, 2),
        ])

    server.clock.freeze()
    for _ in range(400):
        what = chance.random()
        if what < 0.5:
            execute([change() for _ in range(chance.randrange(1, 8))])
        elif what < 0.7 or not kept:
            kept.append((server.snapshot(), state(server)))
        elif what < 0.9:
            snapshot, was = chance.choice(kept)
            server.restore(snapshot)
            assert state(server) == was
        else:
            snapshot, _ = kept.pop(chance.randrange(len(kept)))
            if chance.random() < 0.5:
                snapshot.close()
            del snapshot
    for snapshot, was in kept:
        server.restore(snapshot)
        assert state(server) == was


def test_memory_is_given_back(server):
    execute = server.engine.execute
    for i in range(1000):
        execute("SET", f"key:{i}", "x" * 500)
    first = int(execute("INFO", "memory").split(b"used_memory:")[1].split(b"\r")[0])
    snapshots = []
    for round_ in range(4):
        snapshots.append(server.snapshot())
        for i in range(1000):
            execute("SET", f"key:{i}", f"{round_}" * 500)
    server.restore(snapshots[2])
    snapshots[1].close()
    server.restore(snapshots[0])
    del snapshots[:]
    gc.collect()
    execute("SET", "key:0", "x" * 500)
    last = int(execute("INFO", "memory").split(b"used_memory:")[1].split(b"\r")[0])
    assert last < first + 200_000


def test_resetting_many_keys_of_which_few_have_changed(server):
    engine = server.engine
    engine.execute_all([("SET", f"key:{i}", i) for i in range(KEYS)])
    with server.snapshot() as snapshot:
        best = float("inf")
        for _ in range(20):
            engine.execute("SET", "key:1", "another")
            engine.execute("DEL", "key:2")
            engine.execute("SET", "new", 1)
            started = time.perf_counter()
            server.restore(snapshot)
            best = min(best, time.perf_counter() - started)
            assert engine.execute("MGET", "key:1", "key:2", "new") == [b"1", b"2", None]
        started = time.perf_counter()
        engine.execute("FLUSHALL")
        server.restore(snapshot)
        flushed = time.perf_counter() - started
        assert engine.execute("DBSIZE") == KEYS
    assert best < 0.001 and flushed < 0.05, (best, flushed)


# --- others hear of it --------------------------------------------------------------------

def test_watched_keys_and_who_waits(server):
    engine = server.engine
    engine.execute("RPUSH", "list", "a")
    engine.execute("SET", "other", 1)
    with server.snapshot() as snapshot, engine.new_client() as watching, engine.new_client() as waiting:
        engine.execute("DEL", "list")
        heard = []
        thread = threading.Thread(target=lambda: heard.append(waiting.execute("BLPOP", "list", 10)))
        thread.start()
        wait_until(lambda: b"blocked_clients:1\r" in engine.execute("INFO", "clients"))
        watching.execute("WATCH", "list")
        watching.execute("MULTI")
        watching.execute("PING")
        server.restore(snapshot)
        thread.join()
        assert heard == [[b"list", b"a"]]
        assert watching.execute("EXEC") is None
        watching.execute("WATCH", "other")
        watching.execute("MULTI")
        server.restore(snapshot)
        assert watching.execute("EXEC") == [], "it has not changed"


def test_deadlines_go_by_the_time_that_it_is(server):
    server.clock.freeze()
    server.engine.execute("SET", "key", 1, "EX", 10)
    with server.snapshot() as snapshot:
        server.clock.advance(11)
        assert server.engine.execute("DBSIZE") == 0
        server.restore(snapshot)
        assert server.engine.execute("GET", "key") is None
        server.clock.advance(-11)
        server.restore(snapshot)
        assert server.engine.execute("TTL", "key") == 10


def test_a_copy_that_is_under_way_and_a_save_without_a_fork(server):
    engine = server.engine
    engine.execute_all([("RPUSH", "list", *range(1000)) for _ in range(100)])
    with server.snapshot() as snapshot:
        engine.execute("COPY", "list", "copy")
        engine.execute("LPOP", "list")
        server.restore(snapshot)
        assert engine.execute("EXISTS", "copy") == 0 and engine.execute("LLEN", "list") == 100_000


# --- what is refused ----------------------------------------------------------------------

def test_others_who_have_the_data(server, tmp_path):
    with (fastredis.Server(appendonly=True, dir=tmp_path) as with_aof,
          pytest.raises(FastredisError, match="append-only")):
        with_aof.snapshot()
    snapshot = server.snapshot()
    with fastredis.Server() as other:
        with pytest.raises(FastredisError, match="another server"):
            other.restore(snapshot)
        with fastredis.Server(replicaof=["127.0.0.1", other.port]) as replica:
            with pytest.raises(FastredisError, match="master's"):
                replica.snapshot()
            wait_until(lambda: b"master_link_status:up" in replica.engine.execute("INFO", "replication"))
            with pytest.raises(FastredisError, match="follow"):
                other.snapshot()
    snapshot.close()
    snapshot.close()
    assert snapshot.is_closed
    with pytest.raises(FastredisError, match="closed"):
        server.restore(snapshot)


def test_it_ends_with_the_server():
    server = fastredis.Server(unixsocket=None).start()
    server.engine.execute("SET", "key", 1)
    snapshot = server.snapshot()
    server.engine.execute("FLUSHALL")
    server.stop()
    with pytest.raises(FastredisError):
        server.restore(snapshot)
    with server, pytest.raises(FastredisError, match="stopped since"):
        server.restore(snapshot)
    snapshot.close()


def test_nothing_is_noted_without_a_snapshot(server):
    engine = server.engine
    snapshot = server.snapshot()
    del snapshot
    engine.execute("SET", "key", 1)
    started = int(engine.execute("INFO", "memory").split(b"used_memory:")[1].split(b"\r")[0])
    for i in range(1000):
        engine.execute("SET", "key", str(i) * 100)
    assert int(engine.execute("INFO", "memory").split(b"used_memory:")[1].split(b"\r")[0]) < started + 5000


# --- files --------------------------------------------------------------------------------

def test_a_data_set_in_a_file(server, tmp_path):
    fill(server.engine.execute)
    before = state(server)
    path = tmp_path / "data.rdb"
    server.dump_rdb(path)
    assert [each.name for each in tmp_path.iterdir()] == ["data.rdb"]
    server.engine.execute("FLUSHALL")
    server.engine.execute("SET", "another", 1)
    server.load_rdb(path)
    assert state(server) == before


@pytest.mark.parametrize("damage", [lambda data: b"", lambda data: b"NORDB" + data, lambda data: data[:-20],
                                    lambda data: data[:60] + b"\xff" + data[61:]], ids=["empty", "head", "cut", "bit"])
def test_a_bad_file_changes_nothing(server, tmp_path, damage):
    fill(server.engine.execute)
    path = tmp_path / "data.rdb"
    server.dump_rdb(path)
    path.write_bytes(damage(path.read_bytes()))
    server.engine.execute("SET", "another", 1)
    before = state(server)
    with pytest.raises(FastredisError, match=r"data\.rdb"):
        server.load_rdb(path)
    assert state(server) == before
    with pytest.raises(FileNotFoundError):
        server.load_rdb(tmp_path / "missing")
    with pytest.raises(FileNotFoundError):
        server.dump_rdb(tmp_path / "missing" / "data.rdb")


def test_a_file_and_a_snapshot(server, tmp_path):
    server.engine.execute("SET", "key", "in the file")
    server.dump_rdb(tmp_path / "data.rdb")
    server.engine.execute("SET", "key", "in the snapshot")
    with server.snapshot() as snapshot:
        server.load_rdb(tmp_path / "data.rdb")
        assert server.engine.execute("GET", "key") == b"in the file"
        server.restore(snapshot)
        assert server.engine.execute("GET", "key") == b"in the snapshot"
