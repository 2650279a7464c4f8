"""engine.pipeline(), and databases as mappings."""
import asyncio

import pytest

import fastredis
from fastredis import ReplyError


@pytest.fixture(scope="module")
def shared():
    with fastredis.Server(unixsocket=None) as server:
        yield server


@pytest.fixture
def server(shared):
    shared.engine.execute("FLUSHALL")
    return shared


def test_commands_in_one_go(server):
    with server.engine.pipeline() as pipe:
        assert pipe.add("SET", "key", 1).add(b"INCR", b"key").add("GET", "key") is pipe
        assert len(pipe) == 3 and server.engine.execute("EXISTS", "key") == 0
        assert pipe.execute() == [b"OK", 2, b"2"]
        assert len(pipe) == 0 and pipe.execute() == []
        pipe.add("DEL", "key")
    assert len(pipe) == 0 and server.engine.execute("GET", "key") == b"2"


def test_errors(server):
    pipe = server.engine.pipeline()
    pipe.add("SET", "key", "x").add("INCR", "key").add("SET", "other", 1)
    with pytest.raises(ReplyError, match="not an integer"):
        pipe.execute()
    assert server.engine.execute("GET", "other") == b"1", "those behind it have been executed"
    pipe.add("INCR", "key").add("NOSUCH")
    values = pipe.execute(raise_errors=False)
    assert [value.code for value in values] == ["ERR", "ERR"]
    for wrong in ([], ["SET", None], ["SET", True]):
        with pytest.raises(TypeError):
            pipe.add(*wrong)
    assert len(pipe) == 0


def test_transactions(server):
    engine = server.engine
    pipe = engine.pipeline(transaction=True)
    assert pipe.execute() == []
    assert pipe.add("INCR", "n").add("INCR", "n").execute() == [1, 2]
    with pytest.raises(ReplyError, match="not an integer"):
        pipe.add("SET", "key", "x").add("INCR", "key").execute()
    with pytest.raises(ReplyError, match="unknown command"):
        pipe.add("INCR", "n").add("NOSUCH").execute(raise_errors=False)
    assert engine.execute("GET", "n") == b"2"
    with engine.new_client() as client:
        client.execute("WATCH", "n")
        engine.execute("INCR", "n")
        with pytest.raises(ReplyError, match="watched"):
            client.pipeline(transaction=True).add("INCR", "n").execute()
    assert engine.execute("GET", "n") == b"3"


def test_awaited(server):
    async def main():
        pipe = server.engine.pipeline().add("RPUSH", "list", "a").add("BLPOP", "list", 1).add("BLPOP", "list", 0.05)
        return await pipe.aexecute()

    assert asyncio.run(main()) == [1, [b"list", b"a"], None]


# --- mappings -----------------------------------------------------------------------------

def test_a_database_is_a_mapping(server):
    db = server.db()
    db["name"] = "Ada"
    db[b"age"] = 36
    assert db["name"] == b"Ada" and db["age"] == b"36" and len(db) == 2
    assert sorted(db) == [b"age", b"name"] and dict(db.items()) == {b"name": b"Ada", b"age": b"36"}
    assert "name" in db and "other" not in db and 7 not in db
    assert db.get("other") is None and db.pop("name") == b"Ada" and db.setdefault("name", "Eve") == "Eve"
    del db["age"]
    with pytest.raises(KeyError):
        del db["age"]
    with pytest.raises(KeyError):
        db["age"]
    db["empty"] = ""
    assert db["empty"] == b""
    db.clear()
    assert not db
    db.close()


def test_collections(server):
    db = server.db(2, decode=True)
    db["list"] = ["a", 1]
    db["hash"] = {"f": 1.5}
    db["set"] = {"a", "b"}
    server.engine.new_client(database=2).execute("ZADD", "zset", 1.5, "m")
    assert (db["list"], db["hash"], db["set"], db["zset"]) == (("a", "1"), {"f": "1.5"}, {"a", "b"}, {"m": 1.5})
    with pytest.raises(TypeError):
        db["hash"]["f"] = 2
    db["list"] = {"now": "a hash"}
    assert db["list"] == {"now": "a hash"}
    with pytest.raises(ValueError, match="empty"):
        db["list"] = []
    for wrong in (None, object(), {"f": None}):
        with pytest.raises(TypeError):
            db["list"] = wrong
    assert db["list"] == {"now": "a hash"}
    server.engine.new_client(database=2).execute("XADD", "stream", "*", "f", 1)
    with pytest.raises(TypeError, match="stream"):
        db["stream"]
    with pytest.raises(ReplyError, match="range"):
        server.db(16)


def test_many_keys(server):
    db = server.db()
    server.engine.execute_all([("SET", i, i) for i in range(5000)])
    keys = list(db)
    assert len(keys) == len(set(keys)) == len(db) == 5000
