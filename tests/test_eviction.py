"""Eviction: which keys go when memory is short, what is told of it, and which clients go with maxmemory-clients.

Most tests run an engine in this process, on a clock that stands still unless it is moved.
"""
import re
import shlex
import socket
import time
from contextlib import ExitStack

import pytest

from tests.helpers import info, wait_until
from tests.resp import NIL_ARRAY, Error, Status, encode
from tests.rows import OK

KEYS = 1000
ROOM = 120_000                          # bytes for keys, above what the empty engine takes
VALUE = "x" * 100
POLICIES = ["allkeys-lru", "allkeys-lfu", "allkeys-lrm", "allkeys-random", "volatile-lru", "volatile-lfu",
            "volatile-lrm", "volatile-random", "volatile-ttl"]


def used_memory(client):
    return int(info(client)["used_memory"])


def limit(client, policy, room=ROOM, **settings):
    """Set maxmemory to what is used now and `room` bytes more."""
    words = [word for name, value in settings.items() for word in (name.replace("_", "-"), value)]
    assert client.call("CONFIG", "SET", "maxmemory-policy", policy, *words,
                       "maxmemory", str(used_memory(client) + room)) == OK


def fill(client, count=KEYS, prefix="k", *options):
    """Set that many keys, one after the other -> the replies that are not OK."""
    replies = [client.call("SET", f"{prefix}:{i}", VALUE, *options) for i in range(count)]
    return [reply for reply in replies if reply != OK]


def left(client, prefix="k"):
    """Numbers of the keys that are still there."""
    return {int(key.split(b":")[1]) for key in client.call("KEYS", f"{prefix}:*")}


@pytest.mark.parametrize("policy", POLICIES)
def test_memory_stays_within_its_limit(local, policy):
    client = local.client()
    limit(client, policy)
    assert fill(client, KEYS, "k", *(["EX", "1000"] if policy.startswith("volatile") else [])) == []
    facts = info(client)
    assert int(facts["used_memory"]) <= int(facts["maxmemory"]) + 1000      # the last command's own
    client.call("CONFIG", "SET", "maxmemory", "0")              # a large reply would make others go
    assert 0 < len(left(client)) < KEYS
    assert int(info(client)["evicted_keys"]) == KEYS - len(left(client))


@pytest.mark.parametrize("policy", ["noeviction", "volatile-lru", "volatile-lrm", "volatile-ttl", "volatile-random"])
def test_writes_are_refused_when_nothing_may_go(local, policy):
    client = local.client()
    limit(client, policy)
    refused = fill(client)
    assert refused and all(isinstance(reply, Error) and str(reply).startswith("OOM ") for reply in refused)
    assert client.call("GET", "k:0") == VALUE.encode()
    assert client.call("DEL", "k:0") == 1                       # what takes no memory is allowed
    assert int(info(client)["evicted_keys"]) == 0


def test_volatile_policies_leave_keys_without_a_ttl(local):
    client = local.client()
    assert fill(client, 100, "stay") == []
    limit(client, "volatile-lru")
    assert fill(client, KEYS, "k", "EX", "1000") == []
    assert len(left(client, "stay")) == 100


@pytest.mark.parametrize("words", [["PERSIST"], ["SET", VALUE], ["GETEX", "PERSIST"], ["GETSET", VALUE]],
                         ids=lambda words: words[0])
@pytest.mark.parametrize("policy", ["volatile-lru", "volatile-lfu", "volatile-lrm"])
def test_a_key_that_lost_its_ttl_stays(local, policy, words):
    """Though it was a candidate while it had one."""
    client = local.client()
    fill(client, 12, "t", "EX", 1000)
    limit(client, policy, 200, maxmemory_samples="64")
    count = 0
    while len(left(client, "t")) == 12:
        assert client.call("SET", f"k:{count}", VALUE) == OK
        count += 1
    kept = left(client, "t")
    name, *rest = words
    for number in kept:
        client.call(name, f"t:{number}", *rest)
    replies = [client.call("SET", f"k:{count + n}", VALUE) for n in range(20)]
    assert str(replies[-1]).startswith("OOM")
    assert left(client, "t") == kept


@pytest.mark.parametrize("policy", POLICIES)
def test_blessed_keys_stay(local, policy):
    client = local.client()
    assert fill(client, 100, "stay", "EX", 100) == []
    for number in range(100):
        assert client.call("BLESS", "SET", f"stay:{number}", "NO-EVICT") == 1
    limit(client, policy)
    assert fill(client, KEYS, "k", *(["EX", "1000"] if policy.startswith("volatile") else [])) == []
    client.call("CONFIG", "SET", "maxmemory", "0")              # a large reply would make others go
    assert len(left(client, "stay")) == 100
    assert 0 < len(left(client)) < KEYS


@pytest.mark.parametrize("policy", POLICIES)
def test_when_all_are_blessed_writes_are_refused(local, policy):
    """Without a search through all of them; BLESS CLEAR is allowed, and then there is room."""
    client = local.client()
    options = ["EX", "1000"] if policy.startswith("volatile") else []
    fill(client, 200, "k", *options)
    for number in range(200):
        client.call("BLESS", "SET", f"k:{number}", "NO-EVICT")
    limit(client, policy, 100)
    refused = fill(client, 10, "other")
    assert refused and all(str(reply).startswith("OOM ") for reply in refused)
    assert str(client.call("BLESS", "SET", "k:1", "NO-EVICT")).startswith("OOM ")
    assert len(left(client)) == 200
    for number in range(100):
        assert client.call("BLESS", "CLEAR", f"k:{number}", "NO-EVICT") == 1
    assert fill(client, 10, "other") == []
    assert left(client) >= set(range(100, 200))
    assert not isinstance(client.call("DEBUG", "VERIFY"), Error)


def test_a_candidate_that_is_blessed_stays(local):
    client = local.client()
    fill(client, 12, "t")
    limit(client, "allkeys-lru", 200, maxmemory_samples="64")
    count = 0
    while len(left(client, "t")) == 12:
        client.call("SET", f"k:{count}", VALUE)
        count += 1
    client.call("CONFIG", "SET", "maxmemory", "0")
    kept = left(client, "t")
    for number in kept:
        client.call("BLESS", "SET", f"t:{number}", "NO-EVICT")
    limit(client, "allkeys-lru", 0)
    fill(client, 50)
    assert left(client, "t") == kept


def test_lru_keeps_what_is_used(local):
    """The first 200 keys are read again and again, some seconds apart; the others come and go."""
    client = local.client()
    limit(client, "allkeys-lru", maxmemory_samples="10")
    for i in range(KEYS):
        assert client.call("SET", f"k:{i}", VALUE) == OK
        if i % 50 == 49:
            local.advance(2000)
            for used in range(min(i, 200)):
                client.call("GET", f"k:{used}")
    kept = left(client)
    assert len(kept) < KEYS // 1.2
    assert len(kept & set(range(200))) > 190


def test_lrm_keeps_what_changes(local):
    """Of 200 keys the even ones change again and again, the odd ones are only read."""
    client = local.client()
    limit(client, "allkeys-lrm", maxmemory_samples="10")
    for i in range(KEYS):
        assert client.call("SET", f"k:{i}", VALUE) == OK
        if i % 50 == 49:
            local.advance(2000)
            for used in range(min(i, 200)):
                client.call(*(("GETRANGE", f"k:{used}", "0", "1") if used % 2 else ("SETRANGE", f"k:{used}", "0", "y")))
    kept = left(client)
    assert len(kept) < KEYS // 1.2
    assert len(kept & set(range(0, 200, 2))) > 95
    assert len(kept & set(range(1, 200, 2))) < 20


# name of the line: (what makes k, the line, whether that is a change of k)
CHANGES = {
    "GET": ("SET k v", "GET k", False),
    "SET": ("SET k v", "SET k w", True),
    "SET NX of what is there": ("SET k v", "SET k w NX", False),
    "SET GET": ("SET k v", "SET k w GET", True),
    "APPEND": ("SET k v", "APPEND k w", True),
    "EXPIRE": ("SET k v", "EXPIRE k 100", True),
    "PERSIST of what has no deadline": ("SET k v", "PERSIST k", False),
    "TOUCH": ("SET k v", "TOUCH k", False),
    "COPY from it": ("SET k v", "COPY k l", False),
    "COPY to it": ("MSET k v l w", "COPY l k REPLACE", True),
    "RENAME": ("SET l v", "RENAME l k", True),
    "LPUSH": ("RPUSH k a", "LPUSH k b", True),
    "LRANGE": ("RPUSH k a", "LRANGE k 0 -1", False),
    "LREM of nothing": ("RPUSH k a", "LREM k 0 b", False),
    "SPOP": ("SADD k a b", "SPOP k", True),
    "SUNIONSTORE": ("SADD k a", "SUNIONSTORE k k k", True),
    "ZADD of the same": ("ZADD k 1 a", "ZADD k 1 a", False),
    "HSET": ("HSET k f v", "HSET k g v", True),
    "HGETEX": ("HSET k f v g w", "HGETEX k EX 100 FIELDS 1 f", True),
    "XADD": ("XADD k 1 f v", "XADD k 2 f v", True),
    "XREAD": ("XADD k 1 f v", "XREAD STREAMS k 0", False),
    "MULTI": ("SET k v", "MULTI | APPEND k w | GET k | EXEC", True),
    "a script that reads": ("SET k v", "EVAL 'return redis.call(\"GET\",KEYS[1])' 1 k", False),
    "a script that writes": ("SET k v", "EVAL 'return redis.call(\"INCR\",KEYS[1])' 1 n | APPEND k w", True),
    "a client without a trace": ("SET k v", "CLIENT NO-TOUCH ON | APPEND k w", True),
}


@pytest.mark.parametrize("name", CHANGES)
def test_lrm_stamps_changes_and_nothing_else(local, name):
    setup, lines, changes = CHANGES[name]
    client = local.client()
    client.call("CONFIG", "SET", "maxmemory-policy", "allkeys-lrm")
    for line in setup.split(" | "):
        client.call(*shlex.split(line))
    local.advance(10_000)
    for line in lines.split(" | "):
        assert not isinstance(client.call(*shlex.split(line)), Error)
    assert client.call("OBJECT", "IDLETIME", "k") == (0 if changes else 10)


def test_from_lrm_to_other_policies_and_back(local):
    client = local.client()
    client.call("SET", "k", "v")
    for policy, seconds in (("allkeys-lrm", 10), ("volatile-lru", 0), ("volatile-lrm", 10), ("noeviction", 0)):
        client.call("CONFIG", "SET", "maxmemory-policy", policy)
        local.advance(10_000)
        client.call("GET", "k")
        assert client.call("OBJECT", "IDLETIME", "k") == seconds
        client.call("SET", "k", "v")
        assert client.call("OBJECT", "IDLETIME", "k") == 0


def test_lrm_from_a_transaction(local):
    """The policy changes in the middle of an EXEC of a client that leaves no trace."""
    client, other = local.client(), local.client()
    for line in ("SET k v", "CLIENT NO-TOUCH ON", "MULTI", "CONFIG SET maxmemory-policy allkeys-lrm", "EXEC"):
        client.call(*line.split())
    local.advance(10_000)
    other.call("GET", "k")
    assert other.call("OBJECT", "IDLETIME", "k") == 10
    for line in ("MULTI", "CONFIG SET maxmemory-policy allkeys-lru", "EXEC", "GET k"):
        client.call(*line.split())
    assert other.call("OBJECT", "IDLETIME", "k") == 10
    other.call("GET", "k")
    assert other.call("OBJECT", "IDLETIME", "k") == 0


def test_lrm_knows_after_a_restart_when_keys_changed(local):
    client = local.client()
    client.call("CONFIG", "SET", "maxmemory-policy", "allkeys-lrm")
    client.call("SET", "k", "v")
    local.advance(10_000)
    payload = client.call("DUMP", "k")
    assert client.call("RESTORE", "l", "0", payload, "IDLETIME", "77") == OK
    assert client.call("DEBUG", "RELOAD") == OK
    assert client.call("OBJECT", "IDLETIME", "k") == 10
    assert client.call("OBJECT", "IDLETIME", "l") == 77
    assert client.call("OBJECT", "FREQ", "k").startswith("ERR An LFU maxmemory policy is not selected")


def test_lfu_keeps_what_is_used_often(local):
    client = local.client()
    limit(client, "allkeys-lfu", maxmemory_samples="10")
    assert fill(client, 100) == []
    for _ in range(100):
        for used in range(100):
            client.call("GET", f"k:{used}")
    assert fill(client, KEYS, "other") == []
    assert len(left(client)) > 95
    assert len(left(client, "other")) < KEYS


def test_ttl_takes_the_soonest(local):
    """volatile-ttl is exact here: the expire heap has the soonest at its top."""
    client = local.client()
    limit(client, "volatile-ttl")
    for i in range(KEYS):
        assert client.call("SET", f"k:{i}", VALUE, "EX", str(10_000 + i)) == OK
    kept = left(client)
    assert kept == set(range(KEYS - len(kept), KEYS))


def test_all_databases_are_looked_at(local):
    client = local.client()
    assert fill(client, 300) == []
    local.advance(100_000)
    limit(client, "allkeys-lru", maxmemory_samples="10")
    client.call("SELECT", "5")
    assert fill(client, KEYS, "new") == []
    client.call("SELECT", "0")
    assert len(left(client)) < 80           # of 300; some 35 as a rule, and half of them if chance decided


def test_eviction_is_told_and_propagated(local):
    client, listener = local.client(), local.client()
    client.call("CONFIG", "SET", "notify-keyspace-events", "Ee")
    listener.call("SUBSCRIBE", "__keyevent@0__:evicted")
    limit(client, "allkeys-random")
    local.notes.take()
    fill(client)
    client.call("CONFIG", "SET", "maxmemory", "0")
    gone = set(range(KEYS)) - left(client)
    told = [argv for _, argv in local.notes.take() if argv[0] in (b"DEL", b"UNLINK")]
    assert {int(argv[1].split(b":")[1]) for argv in told} == gone and gone
    assert {int(listener.read()[2].split(b":")[1]) for _ in gone} == gone


def test_watched_key_that_is_evicted_fails_exec(local):
    watching, client = local.client(), local.client()
    client.call("SET", "old", VALUE)
    watching.call("WATCH", "old")
    watching.call("MULTI")
    watching.call("PING")
    local.advance(100_000)
    limit(client, "allkeys-lru", maxmemory_samples="64")   # more than enough for "old" to be among them once
    fill(client)
    assert client.call("EXISTS", "old") == 0
    assert watching.call("EXEC") is NIL_ARRAY


def test_big_collections_go_too(local):
    client = local.client()
    for name in "ab":
        client.call("RPUSH", name, *[VALUE] * 2000)
    local.advance(10_000)
    limit(client, "allkeys-lru", room=10_000)
    assert fill(client, 200) == []
    assert client.call("EXISTS", "a", "b") < 2


def test_shared_integers_are_not_told_of_with_lru(local):
    """OBJECT REFCOUNT of a small integer, as Redis shares them or not."""
    client = local.client()
    client.call("SET", "n", "7")
    assert client.call("OBJECT", "REFCOUNT", "n") == 2**31 - 1
    limit(client, "allkeys-lru")
    assert client.call("OBJECT", "REFCOUNT", "n") == 1


def test_replies_that_nobody_reads_count(fresh_server):
    """What the transport could not send is used memory, until the client is gone."""
    server = fresh_server()
    with server.client() as client:
        client.call("SET", "k", "x" * 1_000_000)
        before = used_memory(client)
        with socket.create_connection(("127.0.0.1", server.port)) as lazy:
            lazy.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            lazy.sendall(encode("GET", "k") * 30)
            wait_until(lambda: used_memory(client) > before + 15_000_000)
        wait_until(lambda: used_memory(client) < before + 100_000)


def test_maxmemory_clients_closes_the_largest(fresh_server):
    server = fresh_server("--maxmemory-clients", "2mb")
    with server.client() as client:
        client.call("SET", "k", "x" * 1_000_000)
        with server.client() as small, socket.create_connection(("127.0.0.1", server.port)) as lazy:
            lazy.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            small.call("PING")
            lazy.sendall(encode("GET", "k") * 10)
            wait_until(lambda: info(client)["evicted_clients"] == "1")
            assert small.call("PING") == Status("PONG")


def test_a_lower_maxmemory_clients_holds_at_once(either_server):
    """Also for who is in the middle of a big argument, of which `qbuf` tells."""
    def waiting():
        return client.call("CLIENT", "LIST").count(b" qbuf=1000000 ")
    server = either_server()
    with server.client() as client, ExitStack() as stack:
        assert client.call("CLIENT", "NO-EVICT", "on") == OK
        for _ in range(4):
            stack.enter_context(server.client()).send_raw(b"*2\r\n$1000000\r\n" + b"x" * 1_000_000)
        wait_until(lambda: waiting() == 4)
        assert client.call("CONFIG", "SET", "maxmemory-clients", "2500000") == OK
        left = waiting()
        assert left in (1, 2)           # redis-server makes more room than the argument needs
        assert info(client)["evicted_clients"] == str(4 - left)


def test_maxmemory_clients_that_is_not_set_in_the_end_closes_nobody(either_server):
    server = either_server()
    with server.client() as client, server.client() as other:
        assert client.call("CLIENT", "NO-EVICT", "on") == OK
        other.send_raw(b"*2\r\n$1000000\r\n" + b"x" * 900_000)
        wait_until(lambda: b" qbuf=900000 " in client.call("CLIENT", "LIST"))
        assert isinstance(client.call("CONFIG", "SET", "maxmemory-clients", "100kb", "bind", "203.0.113.7"), Error)
        assert client.call("PING") == Status("PONG")
        assert b" qbuf=900000 " in client.call("CLIENT", "LIST")
        assert info(client)["evicted_clients"] == "0"


def test_who_lowers_maxmemory_clients_hears_of_it(either_server):
    """Also within EXEC, whose own queue is the largest there is, and gone behind it."""
    server = either_server()
    with server.client() as client:
        assert client.call("MULTI") == OK
        for number in range(5):
            client.call("SET", number, "x" * 100_000)
        client.call("CONFIG", "SET", "maxmemory-clients", "200kb")
        assert client.call("EXEC") == [OK] * 6
        assert client.call("PING") == Status("PONG")
        assert client.call("CONFIG", "SET", "maxmemory-clients", "0") == OK
        client.call("SET", "k", "x" * 3_000_000)
        assert client.call("CONFIG", "SET", "maxmemory-clients", "200kb") == OK


def test_qbuf_of_who_looks_at_itself_before_a_big_argument(either_server):
    server = either_server()
    with server.client() as client:
        client.send_raw(encode("CLIENT", "INFO") + b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$100000\r\nxxxxxxxxxx")
        assert 0 <= int(re.search(rb" qbuf=(-?\d+) ", client.read())[1]) < 100


def test_room_for_messages_is_given_back_when_memory_is_short(fresh_server):
    """Room that is kept for the next message is no reason for keys to go, nor to stay above the limit."""
    server = fresh_server("--maxmemory", "20mb", "--maxmemory-policy", "allkeys-lru")
    with server.client() as client, ExitStack() as stack:
        client.pipeline([("SETRANGE", number, 100_000, "x") for number in range(100)])
        hearers = [stack.enter_context(server.client()) for _ in range(20)]
        for hearer in hearers:
            hearer.call("SUBSCRIBE", "c")
        assert client.call("PUBLISH", "c", "x" * 600_000) == 20
        for hearer in hearers:
            assert len(hearer.read()[2]) == 600_000
        assert client.call("EVAL", "return redis.call('SET', KEYS[1], 1)", 1, "k") == OK
        found = info(client)
        assert int(found["used_memory"]) < 20 << 20
        assert (found["evicted_keys"], found["mem_not_counted_for_evict"]) == ("0", "0")


def test_clients_go_before_keys(fresh_server):
    """What evicted clients were not sent counts no more, so that no key has to go for it."""
    server = fresh_server("--maxmemory", "11mb", "--maxmemory-policy", "allkeys-lru", "--maxmemory-clients", "3mb")
    with server.client() as client, ExitStack() as stack:
        client.pipeline([("SETRANGE", number, 100_000, "x") for number in range(50)])
        for _ in range(20):
            lazy = stack.enter_context(socket.create_connection(("127.0.0.1", server.port)))
            lazy.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            lazy.sendall(encode("GET", 1) * 60)
        wait_until(lambda: int(info(client)["evicted_clients"]) > 0)
        found = info(client)
        assert (found["evicted_keys"], client.call("DBSIZE")) == ("0", 50)
        assert int(found["mem_clients_normal"]) <= 3 << 20


def test_no_key_goes_for_a_replica_that_lags(fresh_server):
    server = fresh_server("--maxmemory-policy", "allkeys-random", "--repl-backlog-size", "16384",
                          "--repl-diskless-sync-delay", "0", "--client-output-buffer-limit", "replica 0 0 0")
    with server.client() as client, socket.socket() as replica:
        client.pipeline([("SETRANGE", number, 100_000, "x") for number in range(50)])
        replica.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        replica.connect(("127.0.0.1", server.port))
        replica.sendall(encode("SYNC"))
        wait_until(lambda: replica.recv(1 << 20) and "state=online" in info(client).get("slave0", ""))
        client.call("SETRANGE", 0, 0, "y")          # the backlog's first block
        found = info(client)
        limit = int(found["used_memory"]) - int(found["mem_not_counted_for_evict"]) + (32 << 10)
        client.call("CONFIG", "SET", "maxmemory", limit)
        for _ in range(2000):
            client.pipeline([("SETRANGE", 0, 0, "y" * 1000)] * 10)
        found = info(client)
        assert (found["evicted_keys"], client.call("DBSIZE")) == ("0", 50)
        assert int(found["mem_clients_slaves"]) > 5 << 20
        assert int(found["mem_not_counted_for_evict"]) > 5 << 20


HEARERS = {
    "tracking": [("HELLO", 3), ("CLIENT", "TRACKING", "ON")],
    "prefixes": [("HELLO", 3), ("CLIENT", "TRACKING", "ON", "BCAST")],
    "events": [("SUBSCRIBE", "__keyevent@0__:evicted")],
}


@pytest.mark.parametrize("hears", HEARERS.values(), ids=HEARERS)
def test_telling_of_evictions_evicts_no_more(fresh_server, hears):
    """What clients are told of a key that went may take more memory than the key did; in redis-server 159 keys go."""
    server = fresh_server("--maxmemory-policy", "allkeys-lru", "--notify-keyspace-events", "Ee")
    with server.client() as client, ExitStack() as stack:
        names = [f"{number}:{'x' * 1000}" for number in range(300)]
        client.pipeline([("SET", name, "x") for name in names])
        for _ in range(10):
            hearer = stack.enter_context(server.client())
            for words in hears:
                hearer.call(*words)
            if "SUBSCRIBE" not in hears[0]:
                hearer.pipeline([("GET", name) for name in names])
        time.sleep(1.2)         # until the cron has given back what query buffers do not need
        assert client.call("CONFIG", "SET", "maxmemory", used_memory(client) - 40_000) == OK
        for _ in range(20):
            client.call("SET", "k", "v")
        found = info(client)
        assert 10 < int(found["evicted_keys"]) < 60
        assert client.call("DBSIZE") > 240


def test_no_evict_protects_a_client(fresh_server):
    server = fresh_server("--maxmemory-clients", "1mb")
    with server.client() as client, server.client() as greedy:
        client.call("SET", "k", "x" * 500_000)
        assert greedy.call("CLIENT", "NO-EVICT", "on") == OK
        greedy.socket.sendall(encode("GET", "k") * 20)
        assert [len(greedy.read()) for _ in range(20)] == [500_000] * 20
        assert info(client)["evicted_clients"] == "0"
        with server.client() as other:
            other.socket.sendall(encode("GET", "k") * 40)
            wait_until(lambda: info(client)["evicted_clients"] == "1")
