"""What commands on sets, and SORT, hand to the AOF and the replicas; memory afterwards."""
import pytest

from tests.test_propagation import Local, propagated

SET = "SADD s a b c"

# setup, command, what is propagated
EFFECTS = {
    "SADD": (SET, "SADD s a | SADD s a d e", "SADD s a d e"),
    "SREM": (SET, "SREM s none | SREM s a none | SREM s b c", "SREM s a none | SREM s b c"),
    "SMOVE": (SET, "SMOVE s t none | SMOVE s t a | SMOVE t t a", "SMOVE s t a"),
    "SPOP of the last member": ("SADD s a", "SPOP s | SPOP s", "SREM s a"),
    "SPOP of all": (SET, "SPOP s 3 | SPOP s 3", "DEL s"),
    "SPOP of all, lazily": (f"CONFIG SET lazyfree-lazy-server-del yes | {SET}", "SPOP s 9", "UNLINK s"),
    "SPOP of none": (SET, "SPOP s 0 | SPOP none | SPOP none 3", ""),
    "what only reads": (
        SET, "SMEMBERS s | SINTER s s | SUNION s s | SDIFF s t | SRANDMEMBER s 2 | SSCAN s 0 | SISMEMBER s a", ""),
    "SINTERSTORE": (SET, "SINTERSTORE d s s", "SINTERSTORE d s s"),
    "SUNIONSTORE": (SET, "SUNIONSTORE d s t", "SUNIONSTORE d s t"),
    "SDIFFSTORE": (SET, "SDIFFSTORE d s t", "SDIFFSTORE d s t"),
    "STORE of nothing": (
        "SET d v", "SINTERSTORE d s t | SINTERSTORE d s t | SUNIONSTORE d s t | SDIFFSTORE d s t", "SINTERSTORE d s t"),
    "SORT": ("RPUSH l 2 1", "SORT l | SORT_RO l | SORT l STORE d", "SORT l STORE d"),
    "SORT that stores nothing": ("SET d v", "SORT l STORE d | SORT l STORE d", "SORT l STORE d"),
}
ENCODINGS = {
    "small": "",
    "hashtable": "set-max-intset-entries 0\nset-max-listpack-entries 0\n",
}


@pytest.fixture(params=ENCODINGS.values(), ids=ENCODINGS)
def local(request):
    engine = Local(f"enable-debug-command yes\n{request.param}")
    yield engine
    engine.loop.close()


@pytest.mark.parametrize("setup, commands, expected", EFFECTS.values(), ids=EFFECTS)
def test_effect(local, setup, commands, expected):
    lines = [line.strip() for line in expected.split("|") if line.strip()]
    assert propagated(local, commands, setup) == lines


@pytest.mark.parametrize("prefix", ["", "member:"])
@pytest.mark.parametrize("size, count", [
    (5, None), (100, 7), (100, 60), (100, 95), (5000, 3), (5000, 2500), (5000, 4900),
])
def test_spop_is_propagated_as_what_it_took(local, prefix, size, count):
    """SREMs of at most 1024 members, which make a copy of the set the same."""
    client = local.client()
    names = [f"{prefix}{number}".encode() for number in range(size)]
    client.call("SADD", "s", *names)
    local.notes.take()
    reply = client.call("SPOP", "s", *([count] if count else []))
    taken = [reply] if count is None else list(reply)
    lines = [argv for _, argv in local.notes.take() if argv not in ([b"MULTI"], [b"EXEC"])]
    assert all(argv[:2] == [b"SREM", b"s"] and len(argv) <= 2 + 1024 for argv in lines)
    assert [member for argv in lines for member in argv[2:]] == taken
    assert len(lines) == -(-len(taken) // 1024)
    assert len(set(taken)) == len(taken) == (count or 1)
    assert sorted(client.call("SMEMBERS", "s")) == sorted(set(names).difference(taken))


def test_a_few_of_a_large_set_become_a_listpack(local):
    """As in Redis, which makes a new set of what SPOP leaves when that is less than a fifth of what it takes."""
    client = local.client()
    client.call("SADD", "s", *(f"member:{number}" for number in range(300)))
    assert len(client.call("SPOP", "s", "290")) == 290
    small = client.call("CONFIG", "GET", "set-max-listpack-entries")[1] != b"0"
    assert client.call("OBJECT", "ENCODING", "s") == (b"listpack" if small else b"hashtable")
    assert client.call("SCARD", "s") == 10


WAYS = {
    "DEL": "DEL s n l",
    "UNLINK": "UNLINK s n l",
    "SPOP": "SPOP s 100000 | SPOP n 2000 | SPOP n 2900 | SPOP n 200 | DEL l",
    "expiry": "PEXPIRE s 10 | DEL n l",
    "SET": "SET s v | DEL s n l",
    "STORE over it": "SDIFFSTORE s s n l s | SINTERSTORE n n l | SUNIONSTORE l none",
    "algebra": "SUNION s n l | SINTER s n | SDIFF s n l | SUNIONSTORE d s n l | SINTERCARD 2 s n | FLUSHALL",
    "SORT": "SORT n | SORT s ALPHA LIMIT 5 5 | SORT l BY nosort | SORT n BY w* GET # GET h*->f STORE n | FLUSHALL",
    "SORT that fails": "SORT s | SORT s STORE d | SORT n BY l GET none | FLUSHALL",
    "COPY REPLACE": "COPY s k | COPY k s REPLACE | DEL s k n l",
    "SMOVE": "SMOVE l s m1 | SMOVE s x member:1 | SRANDMEMBER s 100 | SRANDMEMBER s -100 | SSCAN s 0 | FLUSHALL",
}


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_nothing_is_left(local, way):
    """All memory comes back."""
    def once():
        client = local.client()
        client.call("SADD", "s", *(f"member:{number}" for number in range(5000)))
        client.call("SADD", "n", *range(5000))
        client.call("SADD", "l", *(f"m{number}" for number in range(100)))
        for line in way.split(" | "):
            client.call(*line.split())
        local.advance(100_000)
        assert client.call("DBSIZE") == 0
        client.close()
        return local.settled_memory()

    once()
    before = once()
    assert once() == before
