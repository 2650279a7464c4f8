"""Server CPU a request of scripts, against redis-server.

The scripts are known to both servers and run by EVALSHA, but for the last test, where each EVAL brings another one:
that is compiled and kept. Documents have 2 KB and lie in a key. Functions are measured where both servers have them.
How it is measured is said in load.py.
"""

import hashlib
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from .collections import add
from .common import Connection, Options, Server
from .load import KEYS, RAND, Form, Test, headers, report, rounds_text, sit_all
from .report import Result, main

SHORT, FULL = Form(2, {1: 5, 16: 3}, 0.4), Form(4, {1: 10, 16: 4}, 1.0)
DIFFERENT = 10_000
DOCUMENT = {f"field:{i}": {"id": i * 7919, "name": f"item {i}", "price": i * 1.25, "on": i % 2 == 0,
                           "tags": ["red", "green", f"t{i}"]} for i in range(22)}
LIMITER = """local n = redis.call('INCR', KEYS[1])
if n == 1 then redis.call('EXPIRE', KEYS[1], ARGV[1]) end
return n"""
LIBRARY = b"""#!lua name=bench
redis.register_function('bench_get', function(keys, args) return redis.call('GET', keys[1]) end)"""


@dataclass(frozen=True)
class Script:
    """A script, what follows it in EVALSHA, requests a round by pipeline, and the bar at P=16."""

    name: str
    text: str
    args: tuple[str, ...]
    requests: dict[int, int]
    bar: float
    reads: bool = True

    def test(self) -> Test:
        """The EVALSHA of this script."""
        sha = hashlib.sha1(self.text.encode()).hexdigest()
        return Test(self.name, ("evalsha", sha, *self.args), self.requests, {1: 1.0, 16: self.bar}, reads=self.reads)


FEW, MANY, SLOW = {1: 20_000, 16: 100_000}, {1: 8_000, 16: 16_000}, {1: 300, 16: 400}
KEY = ("1", f"key:{RAND}")
SCRIPTS = (
    Script("EVALSHA of one GET", "return redis.call('GET', KEYS[1])", KEY, FEW, 0.6),
    Script("EVALSHA of INCR and EXPIRE", LIMITER, ("1", f"limit:{RAND}", "100"), FEW, 0.6, reads=False),
    Script("EVALSHA of 100 GETs", "for i = 1, 99 do redis.call('GET', KEYS[1]) end return redis.call('GET', KEYS[1])",
           KEY, MANY, 0.5),
    Script("EVALSHA of 1M additions", "local n = 0 for i = 1, 1000000 do n = n + i end return n", ("0",), SLOW, 0.6),
    Script("cjson.decode of 2 KB", "local d = cjson.decode(redis.call('GET', KEYS[1])) return 1", ("1", "json"), MANY,
           0.8),
    Script("cjson.decode and encode of 2 KB", "return #cjson.encode(cjson.decode(redis.call('GET', KEYS[1])))",
           ("1", "json"), MANY, 0.8),
    Script("cmsgpack.unpack of 2 KB", "local d = cmsgpack.unpack(redis.call('GET', KEYS[1])) return 1",
           ("1", "msgpack"), MANY, 0.8),
    Script("cmsgpack.unpack and pack of 2 KB", "return #cmsgpack.pack(cmsgpack.unpack(redis.call('GET', KEYS[1])))",
           ("1", "msgpack"), MANY, 0.8),
)


def flush(connection: Connection, requests: int) -> None:
    """Forgets the scripts; those of the other tests are known again afterwards."""
    connection.call(b"SCRIPT", b"FLUSH", b"SYNC")
    load_scripts(connection)


TESTS = (
    *(script.test() for script in SCRIPTS),
    Test("FCALL of one GET", ("fcall", "bench_get", *KEY), FEW, {1: 1.0, 16: 0.6}, reads=True),
    Test(f"EVAL of {DIFFERENT:,} different", ("eval", f"local unique = {RAND}\n{LIMITER}", "1", "limit", "100"),
         {1: DIFFERENT, 16: DIFFERENT}, {1: 1.0, 16: 1.0}, random=10**9, prepare=flush),
)


def load_scripts(connection: Connection) -> None:
    """Has all scripts known."""
    for script in SCRIPTS:
        connection.call(b"SCRIPT", b"LOAD", script.text.encode())


def preload(server: Server, tests: Sequence[Test]) -> None:
    """Makes keys and documents, and has scripts and the library known."""
    document = json.dumps(DOCUMENT, separators=(",", ":")).encode()
    with server.connect() as connection:
        add(connection, (b"MSET",), (b"key:%012d", b"xxx"), KEYS)
        load_scripts(connection)
        connection.call(b"SET", b"json", document)
        connection.call(b"EVAL", b"redis.call('SET', KEYS[1], cmsgpack.pack(cjson.decode(ARGV[1])))", b"1",
                        b"msgpack", document)
        if any(test.command == b"FCALL" for test in tests):
            connection.call(b"FUNCTION", b"LOAD", b"REPLACE", LIBRARY)


def run(options: Options) -> Result:
    """All tests over TCP."""
    form = SHORT if options.short else FULL
    result = Result("scripting", headers=headers(options))
    report(options, sit_all(options, form, TESTS, preload, result), result)
    result.notes.append(f"{rounds_text(form)}; {KEYS:,} keys")
    return result


if __name__ == "__main__":
    sys.exit(main(run, __doc__, together=True))
