"""A database as a mapping, for who wants to put something away and get it back."""

from collections.abc import Iterator, Mapping, MutableMapping
from types import MappingProxyType
from typing import Any, TypeAlias

from fastredis.embed.errors import ReplyError
from fastredis.embed.local import LocalClient

Key: TypeAlias = bytes | str
SCAN_STEP = 1000
READERS = {b"string": ("GET",), b"hash": ("HGETALL",), b"list": ("LRANGE", 0, -1), b"set": ("SMEMBERS",),
           b"zset": ("ZRANGE", 0, -1, "WITHSCORES")}


class Db(MutableMapping[Any, Any]):
    """A database as a mapping of keys to values.

        db = server.db()
        db["name"] = "Ada"
        db["languages"] = ["python", "cython"]

    Keys are bytes or str. What is set: bytes, str, int, float (a string); a list or tuple, a dict, a set, none of them
    empty. What is got: bytes (with decode=True, str); of a list a tuple, of a hash or a sorted set (member: score) a
    mapping, of a set a frozenset. These are copies, which can't be changed. Anything else is execute()'s business:
    deadlines, sorted sets, streams.
    Errors: KeyError; TypeError of a value; ReplyError.
    """

    def __init__(self, engine: LocalClient, database: int = 0, decode: bool = False):
        self._client = engine.new_client(database=database, protocol=3, decode=decode)

    def close(self) -> None:
        """Close its client, which is closed with the server, too."""
        self._client.disconnect()

    def __getitem__(self, key: Key) -> Any:
        """Errors: KeyError; TypeError of what is no string, list, hash, set or sorted set."""
        while True:
            kind = self._client.execute("TYPE", key)
            kind = kind.encode() if isinstance(kind, str) else kind
            if kind == b"none":
                raise KeyError(key)
            if kind not in READERS:
                raise TypeError(f"{key!r} is a {kind.decode()}: use execute()")
            name, *rest = READERS[kind]
            try:
                value = self._client.execute(name, key, *rest)
            except ReplyError as error:
                if error.code != "WRONGTYPE":       # it has become something else meanwhile
                    raise
                continue
            if value:
                return frozen(kind, value)
            if kind == b"string" and value is not None:
                return value                        # the empty one

    def __setitem__(self, key: Key, value: Any) -> None:
        """Put a value in the key's place, whatever was there; a deadline goes with that."""
        if isinstance(value, Mapping):
            words: list[Any] = ["HSET", key, *(word for pair in value.items() for word in pair)]
        elif isinstance(value, list | tuple):
            words = ["RPUSH", key, *value]
        elif isinstance(value, set | frozenset):
            words = ["SADD", key, *value]
        else:
            self._client.execute("SET", key, value)
            return
        if len(words) == 2:
            raise ValueError("there is no empty collection: delete the key")
        self._client.pipeline(transaction=True).add("DEL", key).add(*words).execute()

    def __delitem__(self, key: Key) -> None:
        if not self._client.execute("DEL", key):
            raise KeyError(key)

    def __contains__(self, key: object) -> bool:
        return isinstance(key, bytes | str) and self._client.execute("EXISTS", key) == 1

    def __iter__(self) -> Iterator[Any]:
        """The keys that are there all the time, and maybe some of the others."""
        seen: set[Any] = set()
        cursor: Any = 0
        while True:
            cursor, keys = self._client.execute("SCAN", cursor, "COUNT", SCAN_STEP)
            for key in keys:
                if key not in seen:
                    seen.add(key)
                    yield key
            if int(cursor) == 0:
                return

    def __len__(self) -> int:
        return int(self._client.execute("DBSIZE"))

    def clear(self) -> None:
        """Empty the database."""
        self._client.execute("FLUSHDB")


def frozen(kind: bytes, value: Any) -> Any:
    """A value as a Db gives it."""
    if kind == b"zset":
        value = dict(value)
    if isinstance(value, dict):
        return MappingProxyType(value)
    if isinstance(value, list):
        return tuple(value)
    return frozenset(value) if isinstance(value, set) else value
