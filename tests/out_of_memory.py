"""The n-th allocation fails, for every n, under each write command and each loader.

    python -m tests.out_of_memory [words of a case's name]      every n of all cases; on any build with FASTREDIS_PROBES

Each n is tried in a child of an engine that holds the case's data. What may come of it:
  - the process ends, with the report that says so
  - the command is refused, or its client closed: the data are as they were, nothing is propagated
  - nothing, where the memory was not needed: reply, data and what is propagated are as ever
Anything else, a signal, a sanitizer's report, a child that hangs, is a fault.
"""
import contextlib
import functools
import os
import tempfile

from fastredis.engine.core import GATE_LOADING
from fastredis.persist.aof_load import AofLoad
from fastredis.persist.rdb_read import RdbError

from fastredis.persist.rdb_load import load_file
from tests.ds.probes import fail_allocation
from tests.effect_rows import all_effects
from tests.failing import in_child, look, try_all
from tests.local import Local, words
from tests.resp import Closed, Error

BUDGET_US = 1_000_000
BIG = 2_000_000                 # bytes; so much is asked for before it is taken
MANY = " ".join(f"member-{i:043}" for i in range(200))
MIDDLE = f"member-{100:043}"
PAIRS = " ".join(f"field-{i} {i}" for i in range(150))
NUMBERS = " ".join(str(i * 7) for i in range(600))
SCORED = " ".join(f"{i} member-{i}" for i in range(150))

ENTRIES = " | ".join(f"XADD k {i}-1 field value-{i} other-{i % 9} {'x' * (i % 50 + 1)}" for i in range(1, 120))
PENDING = f"{ENTRIES} | XGROUP CREATE k g 0 | XREADGROUP GROUP g one STREAMS k >"
PLACES = "GEOADD k " + " ".join(f"{i} {i / 3} member-{i}" for i in range(90))

# setup, commands: collections that grow out of what they are, and what takes much at once.
MORE = {
    "SET of a new key": ("", "SET k some-longer-value-that-lies-behind-its-key-for-sure"),
    "SET of 1000 keys": ("", " | ".join(f"SET key-{i} {i}" for i in range(1000))),
    "MSET of large values": ("", f"MSET a {'x' * 600} b {'y' * 600}"),
    "RPUSH of many": ("", f"RPUSH k {MANY}"),
    "LPUSH to a quicklist": (f"RPUSH k {MANY}", f"LPUSH k {MANY}"),
    "LREM of a quicklist": (f"RPUSH k {MANY}", f"LREM k 0 {MIDDLE}"),
    "LINSERT into a quicklist": (f"RPUSH k {MANY}", f"LINSERT k BEFORE {MIDDLE} {'x' * 9000}"),
    "LSET in a quicklist": (f"RPUSH k {MANY}", f"LSET k 100 {'x' * 9000}"),
    "LMOVE": (f"RPUSH k {MANY}", "LMOVE k other LEFT RIGHT"),
    "SADD of many": ("", f"SADD k {MANY}"),
    "SADD of many numbers": ("", f"SADD k {NUMBERS}"),
    "SADD makes a listpack of an intset": ("SADD k 1 2 3", "SADD k four"),
    "SADD makes a table of a listpack": ("SADD k a b c", f"SADD k {'x' * 100}"),
    "SUNIONSTORE": (f"SADD a {MANY} | SADD b {NUMBERS}", "SUNIONSTORE c a b"),
    "SINTERSTORE": (f"SADD a {MANY} | SADD b {MANY} x", "SINTERSTORE c a b"),
    "HSET of many": ("", f"HSET k {PAIRS}"),
    "HSET makes a table of a listpack": ("HSET k a 1 b 2", f"HSET k c {'x' * 100}"),
    "HPEXPIRE of a table": (f"HSET k {PAIRS}", "HPEXPIRE k 1000 FIELDS 2 field-1 field-2"),
    "SPEXPIRE of a small set": ("SADD k a b c", "SPEXPIRE k 1000 MEMBERS 2 a b"),
    "SPEXPIRE of a table": (f"SADD k {MANY} x y", "SPEXPIRE k 1000 MEMBERS 2 x y"),
    "SADDEX of many": ("", f"SADDEX k PX 1000 MEMBERS {len(MANY.split())} {MANY}"),
    "SADD to a set with deadlines": ("SADDEX k PX 1000 MEMBERS 1 a", f"SADD k {MANY}"),
    "COPY of a set with deadlines": (f"SADD k {MANY} x y | SPEXPIRE k 1000 MEMBERS 2 x y", "COPY k other"),
    "ZADD of many": ("", f"ZADD k {SCORED}"),
    "ZADD makes a tree of a listpack": ("ZADD k 1 a 2 b", f"ZADD k 3 {'x' * 100}"),
    "ZADD to a tree": (f"ZADD k {SCORED}", "ZADD k 700 x 1 y"),
    "ZUNIONSTORE": (f"ZADD a {SCORED} | SADD b {MANY}", "ZUNIONSTORE c 2 a b"),
    "ZRANGESTORE": (f"ZADD a {SCORED}", "ZRANGESTORE c a 0 -1"),
    "GEOADD": ("", "GEOADD k 13.361389 38.115556 Palermo"),
    "PFADD": ("", "PFADD k a b c"),
    "PFMERGE": ("PFADD a 1 2 3 | PFADD b 3 4", "PFMERGE c a b"),
    "SORT STORE": (f"RPUSH a {MANY}", "SORT a ALPHA STORE c"),
    "RENAME": (f"RPUSH k {MANY} | SET other x", "RENAME k other"),
    "COPY of a list": (f"RPUSH k {MANY}", "COPY k other"),
    "COPY of a set": (f"SADD k {MANY}", "COPY k other"),
    "COPY of a hash": (f"HSET k {PAIRS}", "COPY k other"),
    "COPY of a zset": (f"ZADD k {SCORED}", "COPY k other"),
    "ARSET of many": ("", f"ARSET k 10 {MANY}"),
    "ARMSET far apart": ("ARSET k 0 a", f"ARMSET k {' '.join(f'{i * 10**15} x' for i in range(99))}"),
    "ARSET makes a slice dense": ("ARMSET k 0 a 2 b 9 c 14 d 17 e",
                                  f"ARMSET k {' '.join(f'{i} x' for i in range(20))}"),
    "ARRING of another size": (f"ARRING k 150 {MANY}", f"ARRING k 90 {MANY}"),
    "ARDELRANGE": (f"ARSET k 0 {MANY}", "ARDELRANGE k 3 190"),
    "COPY of an array": (f"ARSET k 0 {MANY}", "COPY k other"),
    "ARGREP": (f"ARSET k 0 {MANY}", "ARGREP k - + RE [0-9]+9$ MATCH MEMBER AND NOCASE"),
    "XADD of many fields": ("", f"XADD k 1-1 {PAIRS}"),
    "XADD of many entries": ("", ENTRIES),
    "XREADGROUP of many": (f"{ENTRIES} | XGROUP CREATE k g 0", "XREADGROUP GROUP g one STREAMS k >"),
    "XCLAIM FORCE": (f"{ENTRIES} | XGROUP CREATE k g 0", "XCLAIM k g one 0 3-1 4-1 5-1 FORCE"),
    "XAUTOCLAIM of many": (PENDING, "XAUTOCLAIM k g two 0 0 COUNT 1000"),
    "XACK and XDEL": (PENDING, "XACK k g 3-1 4-1 | XDEL k 5-1 6-1 119-1"),
    "XTRIM": (PENDING, "XTRIM k MAXLEN 7"),
    "COPY of a stream": (PENDING, "COPY k other"),
    "GEOSEARCHSTORE": (PLACES, "GEOSEARCHSTORE other k FROMLONLAT 0 0 BYRADIUS 9000 km"),
    "EXPIRE": ("MSET a 1 b 2", "EXPIRE a 100 | EXPIRE b 100"),
    "MULTI": ("", "MULTI | SET a 1 | RPUSH b 1 2 3 | EXEC"),
    "DEL of many": (f"SADD k {MANY}", "DEL k"),
    "a big SETRANGE": ("", f"SETRANGE k {BIG} x"),
    "a big SETRANGE of a short string": ("SET k short", f"SETRANGE k {BIG} x"),
    "a big SETRANGE of a big string": (f"SETRANGE k {BIG} x", f"SETRANGE k {2 * BIG} x"),
    "a big SETBIT": ("", f"SETBIT k {BIG * 8} 1"),
    "a big BITFIELD": ("", f"BITFIELD k SET u8 {BIG * 8} 1"),
    "a big BITOP": (f"SETRANGE a {BIG} x", "BITOP NOT b a"),
    "a big LCS": (f"SET a {'ab' * 500} | SET b {'ba' * 500}", "LCS a b"),
    "APPEND to a big string": (f"SETRANGE k {BIG} x", "APPEND k more"),
    "COPY of a big string": (f"SETRANGE k {BIG} x", "COPY k other"),
    "SADD of a limited user": ("ACL SETUSER u on nopass +@all ~k*", f"AUTH u x | SADD k {MANY}"),
    "MSET of a limited user": ("ACL SETUSER u on nopass +@all ~k (+mset ~k* db=0)",
                               f"AUTH u x | MSET {' '.join(f'k{i} {i}' for i in range(90))}"),
    "GETSET of a big string": (f"SETRANGE k {BIG} x", "GETSET k short"),
}


LIBRARY = """#!lua name=%s
local function store(keys, args) return redis.call('RPUSH', keys[1], unpack(args)) end
redis.register_function{function_name='%s_push', callback=store, description='it pushes'}"""
LIBRARIES = [("FUNCTION", "LOAD", LIBRARY % (name, name)) for name in ("one", "two")]
SCRIPT = """local t = cjson.decode('{"a": [1, 2, {"b": "text"}]}')
redis.call('SET', KEYS[1], cjson.encode(t) .. cmsgpack.pack(t) .. string.rep('x', 3000))
return redis.call('LRANGE', KEYS[2], 0, -1)"""


class Case:
    """Data (lines of commands, or a list of them), and what runs over them in a child.

    make() -> a function (local, client) -> reply.
    """

    def __init__(self, setup, make, *words, keeps_data=True):
        self.setup = setup
        self.requests = requests_of(words[0]) if make is commands else None
        self.make = functools.partial(make, *words)
        self.keeps_data = keeps_data            # a refusal leaves the data as they were

    @functools.cached_property
    def run(self):
        return self.make()

    @contextlib.contextmanager
    def engine(self):
        local = Local("enable-debug-command yes\n")
        client = local.client()
        try:
            for argv in requests_of(self.setup):
                reply = client.call(*argv)
                assert not isinstance(reply, Error), f"{argv}: {reply}"
            yield local, client
        finally:
            client.close()
            local.loop.close()


def lines_of(text):
    return list(filter(None, map(str.strip, text.split("|"))))


def requests_of(given):
    """Commands, as their words, of lines or as they are."""
    return [words(line) for line in lines_of(given)] if isinstance(given, str) else given


def commands(given):
    """A run of these commands; up to the first one that is refused."""
    def run(local, client):
        replies = []
        for argv in requests_of(given):
            replies.append(client.call(*argv))
            if isinstance(replies[-1], Error):
                return replies[-1]
        return replies
    return run


def in_pieces(*request):
    """A run of one request that does not come at once."""
    def run(local, client):
        data = b"*%d\r\n" % len(request) + b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in request)
        for at in range(0, len(data), 300_000):
            client.socket.sendall(data[at:at + 300_000])
        return client.read()
    return run


def big_exec():
    """A run of a transaction with much in it."""
    queue = in_pieces(b"SET", b"k", b"x" * BIG)

    def run(local, client):
        client.call("MULTI")
        reply = queue(local, client)
        return reply if isinstance(reply, Error) else client.call("EXEC")
    return run


def restore(setup, key):
    """A run of RESTORE of what a key of another engine holds."""
    with Case(setup, commands, "").engine() as (_, client):
        payload = client.call("DUMP", key)
    return lambda local, client: client.call("RESTORE", "restored", "0", payload)


def restore_libraries():
    """A run of FUNCTION RESTORE of two libraries."""
    with Case(LIBRARIES, commands, "").engine() as (_, client):
        payload = client.call("FUNCTION", "DUMP")
    return lambda local, client: client.call("FUNCTION", "RESTORE", payload, "REPLACE")


def load_rdb(setup):
    """A run of loading an RDB file with these data."""
    from tests.persist.rdb_probes import save
    with Case(setup, commands, "").engine() as (local, _):
        data = save(local.engine)

    def run(local, client):
        load = load_file(local.engine, -1, 0)
        try:
            load.give(data)
            load.give(b"")
            while not load.step(BUDGET_US):
                pass
        except RdbError as error:
            return Error(f"ERR {error}")
        return None
    return run


def load_aof(setup):
    """A run of loading an AOF of these commands."""
    data = b""
    for line in lines_of(setup):
        data += b"*%d\r\n" % len(words(line)) + b"".join(b"$%d\r\n%b\r\n" % (len(w), w) for w in words(line))

    def run(local, client):
        local.engine.gate(GATE_LOADING, True)
        with tempfile.NamedTemporaryFile() as file:
            file.write(data)
            file.flush()
            load = AofLoad(local.engine, os.open(file.name, os.O_RDONLY), "test")
            while not load.step(BUDGET_US):
                pass
            load.close()
        local.engine.gate(GATE_LOADING, False)
        return None
    return run


ALL_TYPES = (f"SET s text | SET n 17 | SET e 1 PX 100000 | SETRANGE big {BIG} x | RPUSH l a b | RPUSH ll {MANY} | "
             f"SADD i 1 2 3 | SADD t {MANY} | HSET h a 1 | HSET hh {PAIRS} | ZADD z 1 a | ZADD zz {SCORED} | "
             "HSET x a 1 b 2 | HPEXPIRE x 100000 FIELDS 1 a | SADD y a b | SPEXPIRE y 100000 MEMBERS 1 a | "
             f"ARSET a 7 {MANY} | ARRING r 9 {MANY} | {PENDING} | XADD st 5-1 f v")


def cases():
    found = {}
    for name, (setup, line, *_) in all_effects():
        found[f"{name} ({line.split()[0]})"] = Case(setup, commands, line)
    for name, (setup, line) in MORE.items():
        found[name] = Case(setup, commands, line)
    found["SET in pieces"] = Case("SET k old", in_pieces, b"SET", b"k", b"x" * BIG)
    found["RPUSH in pieces"] = Case("RPUSH k old", in_pieces, b"RPUSH", b"k", b"x" * BIG, b"y" * BIG)
    found["a big EXEC"] = Case("", big_exec)
    for key in ["s", "l", "ll", "i", "t", "h", "hh", "z", "zz", "x", "big", "a", "r", "y"]:
        found[f"RESTORE of {key}"] = Case("SET other 1", restore, ALL_TYPES, key)
    found["FUNCTION LOAD"] = Case("", commands, LIBRARIES)
    found["FUNCTION LOAD beside another"] = Case(LIBRARIES[:1], commands, LIBRARIES[1:])
    found["FUNCTION DELETE"] = Case(LIBRARIES, commands, "FUNCTION DELETE one | FUNCTION FLUSH")
    found["FUNCTION RESTORE"] = Case(LIBRARIES[:1], restore_libraries)
    found["FCALL"] = Case(LIBRARIES, commands, f"FCALL one_push 1 k {MANY}")
    found["EVAL"] = Case(f"RPUSH l {MANY}", commands, [("EVAL", SCRIPT, "2", "k", "l")])
    found["RDB with libraries"] = Case("", load_rdb, LIBRARIES, keeps_data=False)
    found["RDB"] = Case("", load_rdb, ALL_TYPES, keeps_data=False)
    found["AOF"] = Case("", load_aof, ALL_TYPES, keeps_data=False)
    return found


class Tried:
    """What came of a child: `ended`, or (reply, look) in `answer`; `asked` is how often memory was asked for."""

    def __init__(self, ended=False, asked=0, answer=None):
        self.ended, self.asked, self.answer = ended, asked, answer


def attempt(run, local, client, n):
    """Fork a child in which the n-th allocation fails. Raises AssertionError for what may not happen."""
    def work():
        fail_allocation(n)
        try:
            reply = run(local, client)
        except Closed:
            reply = Error("closed")
        asked = fail_allocation(0)
        return asked, (reply, look(local))

    answer = in_child(work, f"allocation {n}")
    return Tried(ended=True) if answer is None else Tried(False, *answer)


def check(case, every):
    """Try a case with each n, or else with a few; how many outcomes of each kind there were."""
    counts = {"ended": 0, "refused": 0, "not needed": 0}
    run = case.run                      # made while there is memory
    with case.engine() as (local, client):
        local.notes.take()
        before = look(local)
        plain = attempt(run, local, client, 0)
        numbers = range(1, plain.asked + 1)
        if not every and plain.asked > 3:
            numbers = (1, plain.asked // 2, plain.asked)
        for n in numbers:
            tried = attempt(run, local, client, n)
            if tried.ended:
                counts["ended"] += 1
            elif isinstance(tried.answer[0], Error) and tried.answer != plain.answer:
                counts["refused"] += 1
                assert not case.keeps_data or tried.answer[1] == before, f"allocation {n}: refused, but {tried.answer}"
            else:
                counts["not needed"] += 1
                assert tried.answer == plain.answer, f"allocation {n}: {tried.answer} instead of {plain.answer}"
    return counts


if __name__ == "__main__":
    try_all(cases(), lambda case: check(case, every=True))
