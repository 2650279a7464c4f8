"""A data set of every type, encoding and kind of deadline, and what any server says that it holds."""
import random

from tests.helpers import info, wait_until

FAR_MS = 4_000_000_000_000          # a deadline in 2096


# A small stream, and one of several nodes with deleted entries, two groups, and what is pending.
STREAMS = [
    ("XADD", "stream:small", "5-1", "f", "v"),
    *(("XADD", "stream:big", f"{n}-{n % 3}", f"f{n % 2}", "v" * (n % 40), "g", n) for n in range(1, 301)),
    ("XDEL", "stream:big", "7-1", "8-2", "150-0"), ("XGROUP", "CREATE", "stream:big", "g", "0"),
    ("XGROUP", "CREATE", "stream:big", "h", "$"), ("XGROUP", "CREATECONSUMER", "stream:big", "h", "idle"),
    ("XREADGROUP", "GROUP", "g", "one", "COUNT", 30, "STREAMS", "stream:big", ">"),
    ("XREADGROUP", "GROUP", "g", "two", "COUNT", 9, "STREAMS", "stream:big", ">"),
    ("XACK", "stream:big", "g", "2-2", "33-0"), ("XDEL", "stream:big", "5-2")]


def fill(client, prefix=""):
    """Write keys of every type and encoding, in two databases."""
    random.seed(1)
    words = [f"word-{n}-" + "x" * (n % 50) for n in range(1000)]
    commands = [("SET", "int", "12345"), ("SET", "negative", "-2147483649"), ("SET", "short", "hello"),
                ("SET", "empty", ""), ("SET", "binary", bytes(range(256))), ("SET", "long", "ab" * 5000),
                ("SET", "noise", random.randbytes(3000)), ("SETBIT", "raw", 8000, 1),
                ("RPUSH", "list:small", *words[:10], 5, -70000), ("RPUSH", "list:big", *words, "y" * 20000),
                ("SADD", "set:ints", *range(-50, 50)), ("SADD", "set:wide", 1, 2**40, -2**60),
                ("SADD", "set:small", "a", "b", 17), ("SADD", "set:big", *words),
                ("HSET", "hash:small", *sum(((w, n) for n, w in enumerate(words[:20])), ())),
                ("HSET", "hash:big", *sum(((w, w[::-1]) for w in words), ())),
                ("ZADD", "zset:small", 1, "a", 1.5, "b", "-inf", "c", "inf", "d"),
                ("ZADD", "zset:big", *sum(((n / 7, w) for n, w in enumerate(words)), ())),
                *STREAMS,
                ("SET", "ttl:string", "v", "PXAT", FAR_MS), ("RPUSH", "ttl:list", 1), ("PEXPIREAT", "ttl:list", FAR_MS),
                ("SELECT", 3), ("SET", "elsewhere", "3"), ("SADD", "set", "x", "y"), ("SELECT", 0)]
    for command in commands:
        name, key, *rest = command
        if name in ("XGROUP", "XREADGROUP"):        # the key comes later
            rest = [prefix + word if word == "stream:big" else word for word in rest]
        else:
            key = key if name == "SELECT" else prefix + key
        reply = client.call(name, key, *rest)
        assert not str(reply).startswith(("ERR", "WRONGTYPE")), (command[:2], reply)


# What XINFO STREAM FULL tells of a stream, its groups and their consumers, that is the same wherever it is held. When
# consumers were seen is not: a replica notes when it was told of them.
TOLD = {b"length", b"last-generated-id", b"max-deleted-entry-id", b"entries-added", b"recorded-first-entry-id",
        b"entries", b"groups", b"name", b"last-delivered-id", b"pel-count", b"pending", b"consumers"}


def pairs_of(reply):
    """A map of any protocol as a dict."""
    return reply if isinstance(reply, dict) else dict(zip(reply[::2], reply[1::2], strict=True))


def stream_state(client, key, told=TOLD):
    """All of a stream, each entry and each pending entry with all that there is of it."""
    def known(reply):
        reply = {name: value for name, value in pairs_of(reply).items() if name in told}
        return {name: [known(item) for item in value] if name in (b"groups", b"consumers") else value
                for name, value in reply.items()}

    return known(client.call("XINFO", "STREAM", key, "FULL", "COUNT", 0))


READERS = {
    "stream": stream_state,
    "string": lambda client, key: client.call("GET", key),
    "list": lambda client, key: client.call("LRANGE", key, 0, -1),
    "set": lambda client, key: sorted(client.call("SMEMBERS", key)),
    "zset": lambda client, key: [(member, float(score)) for member, score in
                                 zip(*[iter(client.call("ZRANGE", key, 0, -1, "WITHSCORES"))] * 2, strict=True)],
    "hash": lambda client, key: sorted(zip(*[iter(client.call("HGETALL", key))] * 2, strict=True)),
}


def content(client, databases=16):
    """{(database, key): (type, value, deadline in ms)} of all that a server holds."""
    found = {}
    for database in range(databases):
        client.call("SELECT", database)
        for key in client.call("KEYS", "*"):
            kind = str(client.call("TYPE", key))
            found[database, key] = (kind, READERS[kind](client, key), client.call("PEXPIRETIME", key))
    client.call("SELECT", 0)
    return found


def encodings(client):
    return {key: client.call("OBJECT", "ENCODING", key) for key in client.call("KEYS", "*")}


def saved(client):
    """Wait for the background save under way; whether it succeeded."""
    wait_until(lambda: info(client)["rdb_bgsave_in_progress"] == "0")
    return info(client)["rdb_last_bgsave_status"] == "ok"
