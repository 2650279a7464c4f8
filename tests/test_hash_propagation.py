"""What commands on hashes, and fields whose time comes, hand to the AOF and the replicas; memory afterwards."""
import pytest

from tests.test_propagation import NOW_MS, Local, propagated

HASH = "HSET h a 1 b 2 c 3"
LAZY = f"DEBUG SET-ACTIVE-EXPIRE 0 | {HASH} | HPEXPIRE h 10 FIELDS 2 a b | DEBUG CLOCK ADVANCE 20"

# setup, command, what is propagated. T+n stands for the time n ms from the start.
EFFECTS = {
    "HSET": ("", "HSET h a 1 b 2", "HSET h a 1 b 2"),
    "HMSET": ("", "HMSET h a 1", "HMSET h a 1"),
    "HSETNX": (HASH, "HSETNX h a 5 | HSETNX h d 5", "HSETNX h d 5"),
    "HDEL": (HASH, "HDEL h none | HDEL h a none | HDEL h b c", "HDEL h a none | HDEL h b c"),
    "HINCRBY": (HASH, "HINCRBY h a 5", "HINCRBY h a 5"),
    "HINCRBYFLOAT": (HASH, "HINCRBYFLOAT h a 0.5", "HSET h a 1.5"),
    "HINCRBYFLOAT of a field with a TTL": (
        f"{HASH} | HPEXPIRE h 70 FIELDS 1 a", "HINCRBYFLOAT h a 0.5",
        "MULTI | HSET h a 1.5 | HPEXPIREAT h T+70 FIELDS 1 a | EXEC"),
    "what only reads": (
        HASH, "HGET h a | HMGET h a b | HGETALL h | HRANDFIELD h 2 | HSCAN h 0 | HTTL h FIELDS 1 a", ""),
    "HEXPIRE": (HASH, "HEXPIRE h 10 FIELDS 3 a none b", "HPEXPIREAT h T+10000 FIELDS 2 a b"),
    "HPEXPIRE": (HASH, "HPEXPIRE h 10 FIELDS 1 a", "HPEXPIREAT h T+10 FIELDS 1 a"),
    "HEXPIREAT": (HASH, "HEXPIREAT h 1700000010 FIELDS 1 a", "HPEXPIREAT h T+10000 FIELDS 1 a"),
    "HPEXPIREAT": (HASH, "HPEXPIREAT h 1700000000010 FIELDS 1 a", "HPEXPIREAT h T+10 FIELDS 1 a"),
    "HPEXPIRE with a condition": (
        f"{HASH} | HPEXPIRE h 70 FIELDS 1 a", "HPEXPIRE h 30 NX FIELDS 2 a b", "HPEXPIREAT h T+30 NX FIELDS 1 b"),
    "HPEXPIRE that changes nothing": (HASH, "HPEXPIRE h 30 XX FIELDS 2 a b | HPEXPIRE h 30 FIELDS 1 none", ""),
    "HPEXPIRE of the past": (HASH, "HPEXPIRE h 0 FIELDS 3 a none b", "HDEL h a b"),
    "HPERSIST": (
        f"{HASH} | HPEXPIRE h 70 FIELDS 1 a", "HPERSIST h FIELDS 1 b | HPERSIST h FIELDS 2 a b",
        "HPERSIST h FIELDS 2 a b"),
    "HGETDEL": (HASH, "HGETDEL h FIELDS 1 none | HGETDEL h FIELDS 3 a none b", "HDEL h a b"),
    "HGETEX": (HASH, "HGETEX h FIELDS 1 a | HGETEX h EX 5 FIELDS 1 none", ""),
    "HGETEX EX": (HASH, "HGETEX h EX 5 FIELDS 2 a none", "HPEXPIREAT h T+5000 FIELDS 1 a"),
    "HGETEX of the past": (HASH, "HGETEX h PXAT 1 FIELDS 2 a none", "HDEL h a"),
    "HGETEX PERSIST": (
        f"{HASH} | HPEXPIRE h 70 FIELDS 1 a", "HGETEX h PERSIST FIELDS 2 a b | HGETEX h PERSIST FIELDS 1 a",
        "HPERSIST h FIELDS 1 a"),
    "HSETEX": ("", "HSETEX h FIELDS 1 a 1 | HSETEX h KEEPTTL FIELDS 1 a 2",
               "HSETEX h FIELDS 1 a 1 | HSETEX h KEEPTTL FIELDS 1 a 2"),
    "HSETEX EX": ("", "HSETEX h FNX EX 5 FIELDS 1 a 1", "HSETEX h FNX PXAT T+5000 FIELDS 1 a 1"),
    "HSETEX of the past": (HASH, "HSETEX h PX 0 FIELDS 2 a 5 d 6", "HDEL h a d"),
    "HSETEX that fails": (HASH, "HSETEX h FNX EX 5 FIELDS 1 a 1 | HSETEX h FXX FIELDS 1 d 1", ""),
    "HIMPORT SET": ("HIMPORT PREPARE f a b", "HIMPORT SET k f 1 2", "HSET k a 1 b 2"),
    "HIMPORT SET over a hash": (
        f"{HASH} | HIMPORT PREPARE f d", "HIMPORT SET h f 1", "MULTI | DEL h | HSET h d 1 | EXEC"),
    "HIMPORT that changes nothing": (HASH, "HIMPORT PREPARE f d | HIMPORT SET h f 1 2 | HIMPORT DISCARD f", ""),
    "fields that expire": (
        f"{HASH} | HPEXPIRE h 10 FIELDS 2 a b | HPEXPIRE h 20 FIELDS 1 c", "DEBUG CLOCK ADVANCE 15 | "
        "DEBUG CLOCK ADVANCE 15", "HDEL h a b | HDEL h c"),
    "an expired field that is looked up": (LAZY, "HGET h a | HMGET h a b c", "HDEL h a | HDEL h b"),
    "an expired field that is counted": (LAZY, "HINCRBY h a 5", "HDEL h a | HINCRBY h a 5"),
    "expired fields and HRANDFIELD": (LAZY, "HRANDFIELD h", "HDEL h a b"),
    "expired fields and HGETALL": (LAZY, "HGETALL h | HKEYS h | HVALS h | HSCAN h 0 | HLEN h", ""),
    "expired fields and HGETEX": (LAZY, "HGETEX h EX 5 FIELDS 3 a b c", "HDEL h a b | HPEXPIREAT h T+5020 FIELDS 1 c"),
}


@pytest.fixture(params=[128, 0], ids=["listpack", "hashtable"])
def local(request):
    engine = Local(f"enable-debug-command yes\nhash-max-listpack-entries {request.param}\n")
    yield engine
    engine.loop.close()


@pytest.mark.parametrize("setup, commands, expected", EFFECTS.values(), ids=EFFECTS)
def test_effect(local, setup, commands, expected):
    lines = [" ".join(str(NOW_MS + int(word[2:])) if word.startswith("T+") else word for word in line.split())
             for line in expected.split("|") if line.strip()]
    assert sorted_fields(propagated(local, commands, setup)) == lines


def sorted_fields(lines):
    """Fields that expire together come in any order."""
    return [" ".join(["HDEL", "h", *sorted(line.split()[2:])])
            if line.startswith("HDEL h ") and "none" not in line else line for line in lines]


def test_a_replica_hides_fields_but_removes_none(local):
    """CLIENT PAUSE WRITE stops expiry as being a replica does."""
    client = local.client()
    client.call("HSET", "h", "a", "1", "b", "2")
    client.call("HPEXPIRE", "h", "10", "FIELDS", "1", "a")
    client.call("CLIENT", "PAUSE", "1000", "WRITE")
    local.notes.take()
    local.advance(20)
    assert client.call("HGET", "h", "a") is None
    assert client.call("HMGET", "h", "a", "b") == [None, b"2"]
    assert client.call("HGETALL", "h") == [b"b", b"2"]
    assert client.call("HRANDFIELD", "h", "-3") == [b"b"] * 3
    assert client.call("HRANDFIELD", "h", "5") == [b"b"]
    assert client.call("HTTL", "h", "FIELDS", "2", "a", "b") == [-2, -1]
    assert client.call("HLEN", "h") == 2
    assert local.notes.take() == []
    client.call("CLIENT", "UNPAUSE")
    local.advance(0)
    assert client.call("HLEN", "h") == 1
    assert local.notes.take() == [(0, [b"HDEL", b"h", b"a"])]


WAYS = {
    "DEL": "DEL h",
    "expiry of the key": "PEXPIRE h 10 | DEBUG CLOCK ADVANCE 20",
    "expiry of the fields": "DEBUG CLOCK ADVANCE 100000 | DEL h",
    "SET": "SET h v | DEL h",
    "RENAME over it": "SET k v | RENAME k h | DEL h",
    "RENAME": "RENAME h k | DEL k",
    "MOVE": "MOVE h 1 | SELECT 1 | DEL h | SELECT 0",
    "COPY REPLACE": "COPY h k | COPY k h REPLACE | DEL h k",
    "SWAPDB": "SWAPDB 0 1 | FLUSHALL",
    "FLUSHDB": "FLUSHDB",
}


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_nothing_is_left(local, way):
    """All memory comes back, and no deadline of what is gone is worked off."""
    def once():
        client = local.client()
        for start in range(0, 400, 40):
            pairs = [word for number in range(start, start + 40) for word in (f"field:{number}", "x" * number)]
            client.call("HSET", "h", *pairs)
            client.call("HPEXPIRE", "h", 50_000 + start, "FIELDS", "20", *pairs[::4])
        for line in way.split(" | "):
            client.call(*line.split())
        local.advance(100_000)
        assert client.call("DBSIZE") == 0
        client.close()
        return local.settled_memory()

    once()
    before = once()
    assert once() == before
