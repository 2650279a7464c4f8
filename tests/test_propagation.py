"""What a command hands to the AOF and the replicas, and that two engines in one process share nothing."""

import pytest

from tests.helpers import info
from tests.local import NOW_MS, Local, Notes, words
from tests.resp import NIL_ARRAY, Closed, Error, Status
from tests.rows import OK, QUEUED


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
    assert info(first, "commandstats")["cmdstat_strlen"].startswith("calls=5,")
    assert "cmdstat_strlen" not in info(second, "commandstats")
    assert info(first, "server")["run_id"] != info(second, "server")["run_id"]
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
        assert info(local.client(), "keyspace")["db0"].startswith("keys=200,expires=200,")
        local.loop.close()
        del client, local
    local = Local()
    assert local.client().call("DBSIZE") == 0
    local.loop.close()
