"""Values and other parts of data sets that this server does not know yet: kept, moved about, and written back."""
import random
import time
from pathlib import Path

import pytest

from fastredis.engine.engine import Engine
from fastredis.persist.rdb_load import RdbError, load_file
from tests.helpers import wait_until
from tests.persist import rdb_probes as probes
from tests.persist.test_rdb import file, key, length, text
from tests.resp import Error, Status, encode
from tests.rows import OK
from tests.servers import fastredis_server, peer_server

WRONGTYPE = "WRONGTYPE Operation against a key holding the wrong kind of value"

# Three entries, one deleted; a group with two consumers and what they have not acknowledged, and one without.
HEAD = (
    "0110000000000000000100000000000000003f3f00000018000201010102018166028167020001020100010001827630030001050103"
    "010101000182763103010105010201020100018276320302010501ff020300010002000302036f6e6503000303000000000000000100"
    "0000000000000007e4bf1da2010000010000000000000002000000000000000007e4bf1da20100000100000000000000030000000000"
    "00000007e4bf1da2010000010205616c69636507e4bf1da2010000{active}0200000000000000010000000000000000000000000000"
    "0002000000000000000003626f6207e4bf1da2010000{active}01000000000000000300000000000000000374776f000081ffffffff"
    "ffffffff0000")
STREAM_2 = b"\x13" + bytes.fromhex(HEAD.replace("{active}", ""))             # as redis-server 7.0 writes it
STREAM_3 = b"\x15" + bytes.fromhex(HEAD.replace("{active}", "07e4bf1da2010000"))     # ... and 8.2
LAST = length(1) + bytes(16) + bytes(8) + length(1) + length(1) + text(b"c") + bytes(8) + length(1) + bytes(16)
STREAM_1 = b"\x0f" + length(0) * 2 + length(9) + length(1) + length(1) + text(b"g") + length(5) + length(0) + LAST
STREAM_1_AS_2 = (b"\x13" + length(0) * 2 + length(9) + length(1) + length(0) * 5 + length(1) + text(b"g") + length(5)
                 + length(0) * 2 + LAST)
EMPTY = b"\x13" + bytes(10)
# A module's type called "fast-data", version 3, and a part of each form.
NAME = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
MODULE_ID = sum(NAME.index(char) << (10 + 6 * (8 - n)) for n, char in enumerate("fast-data")) | 3
PARTS = (length(2) + length(7) + length(1) + length(2**40) + length(3) + bytes(4) + length(4) + bytes(8) + length(5)
         + text(b"x" * 100) + length(0))
MODULE = b"\x07" + length(MODULE_ID) + PARTS
AUX_BEFORE = b"\xF7" + length(MODULE_ID) + length(2) + length(1) + PARTS
AUX_AFTER = b"\xF7" + length(MODULE_ID) + length(2) + length(2) + length(0)
VALUES = {"stream of 5.0": STREAM_1, "stream of 7.0": STREAM_2, "stream of 7.2": STREAM_3, "empty": EMPTY,
          "module": MODULE}
WRITTEN = {**VALUES, "stream of 5.0": STREAM_1_AS_2, "stream of 7.2": STREAM_2}     # what is written of them


def payload(value, version=12):
    body = value + bytes([version, 0])
    return body + probes.crc_of(body).to_bytes(8, "little")


@pytest.fixture
def client(fresh_server):
    with fresh_server("--save", "").client(timeout=20) as client:
        yield client


def value_of(dumped):
    return dumped[:-10]


# --- single values ---------------------------------------------------------------------------


@pytest.mark.parametrize("name", VALUES)
def test_what_treats_all_values_alike(client, name):
    value, kind = WRITTEN[name], "fast-data" if name == "module" else "stream"
    assert client.call("RESTORE", "k", 0, payload(VALUES[name])) == OK
    assert client.call("TYPE", "k") == Status(kind)
    assert client.call("OBJECT", "ENCODING", "k") == (b"raw" if name == "module" else b"stream")
    dumped = client.call("DUMP", "k")
    assert value_of(dumped) == value
    assert dumped[-10] == 10
    assert client.call("COPY", "k", "copy") == 1
    assert client.call("RENAME", "k", "r") == OK
    assert client.call("MOVE", "r", 3) == 1
    assert client.call("EXPIRE", "copy", 1000) == 1
    assert client.call("PERSIST", "copy") == 1
    assert client.call("MEMORY", "USAGE", "copy") > len(value)
    assert client.call("SCAN", 0, "TYPE", kind)[1] == [b"copy"]
    assert client.call("SCAN", 0, "TYPE", "string")[1] == []
    assert client.call("OBJECT", "IDLETIME", "copy") == 0
    assert f"serializedlength:{len(value) - 1}" in client.call("DEBUG", "OBJECT", "copy")
    digest = client.call("DEBUG", "DIGEST-VALUE", "copy")
    client.call("SELECT", 3)
    assert client.call("DEBUG", "DIGEST-VALUE", "r") == digest
    assert client.call("DUMP", "r") == dumped
    assert client.call("RESTORE", "r", 0, dumped) == Error("BUSYKEY Target key name already exists.")
    assert client.call("RESTORE", "r", 0, dumped, "REPLACE") == OK
    assert client.call("DEBUG", "VERIFY") == OK
    assert (client.call("UNLINK", "r"), client.call("FLUSHALL"), client.call("DBSIZE")) == (1, OK, 0)


COMMANDS = ("GET k", "APPEND k x", "INCR k", "SETRANGE k 1 x", "GETRANGE k 0 1", "STRLEN k", "BITCOUNT k",
            "SETBIT k 1 1", "GETSET k v", "GETEX k", "LPUSH k a", "RPOP k", "LLEN k", "LMOVE k l LEFT LEFT",
            "BLPOP k 0", "LPOS k a", "SADD k a", "SPOP k", "SINTER k s", "SUNIONSTORE d k s", "SMEMBERS k",
            "HSET k f v", "HGETALL k", "HEXPIRE k 1 FIELDS 1 f", "ZADD k 1 a", "ZRANGE k 0 -1", "ZUNION 2 k z",
            "BZPOPMIN k 0", "PFADD k a", "PFCOUNT k s", "PFMERGE d k", "SORT k", "SSCAN k 0", "BITOP AND d k s",
            "GETDEL k", "INCRBYFLOAT k 1", "DECR k", "BITFIELD k GET u8 0", "GETBIT k 0", "BITPOS k 1", "LSET k 0 a",
            "LINSERT k BEFORE a b", "LREM k 0 a", "LTRIM k 0 1", "LRANGE k 0 -1", "LINDEX k 0", "RPUSHX k a",
            "LMPOP 1 k LEFT", "BLMOVE k l LEFT LEFT 0", "SMOVE k s a", "SREM k a", "SISMEMBER k a", "SMISMEMBER k a",
            "SRANDMEMBER k", "SCARD k", "SDIFF k s", "SINTERCARD 1 k", "HGET k f", "HDEL k f", "HLEN k",
            "HINCRBY k f 1", "HSCAN k 0", "HRANDFIELD k", "HPERSIST k FIELDS 1 f", "ZINCRBY k 1 a", "ZREM k a",
            "ZSCORE k a", "ZPOPMIN k", "ZRANGESTORE d k 0 1", "ZINTERCARD 1 k", "ZSCAN k 0", "ZMPOP 1 k MIN",
            "ZADD k NX 1 a")


def test_commands_of_other_types(client):
    for value in (STREAM_2, MODULE):
        client.call("RESTORE", "k", 0, payload(value), "REPLACE")
        for command in COMMANDS:
            assert client.call(*command.split()).startswith("WRONGTYPE"), command
        assert client.call("MGET", "k", "k") == [None, None]
        client.call("RPUSH", "l", "a")
        assert client.call("SORT", "l", "BY", "*k", "GET", "k", "GET", "k->f") == [None, None]
        assert (client.call("SETNX", "k", "v"), client.call("MSETNX", "k", "v")) == (0, 0)
        client.call("DEL", "l")
        assert value_of(client.call("DUMP", "k")) == value
    assert client.call("SET", "k", "v") == OK               # which takes any type's place


def test_whoever_waits_for_a_list_goes_on_waiting(fresh_server):
    server = fresh_server()
    with server.client() as waiter, server.client() as client:
        waiter.send_raw(encode("BLPOP", "k", 0))
        wait_until(lambda: b"blocked_clients:1" in client.call("INFO", "clients"))
        client.call("RESTORE", "k", 0, payload(STREAM_2))
        client.call("DEL", "k")
        client.call("RPUSH", "k", "a")
        assert waiter.read() == [b"k", b"a"]


def test_migrate(client, fresh_server):
    other = fresh_server()
    client.call("RESTORE", "k", 0, payload(STREAM_3))
    assert client.call("MIGRATE", "127.0.0.1", other.port, "k", 0, 5000) == OK
    with other.client() as there:
        assert value_of(there.call("DUMP", "k")) == STREAM_2
    assert client.call("EXISTS", "k") == 0


def test_eviction(client):
    """Its memory is counted, and given back."""
    big = STREAM_1[:1] + length(1) + text(bytes(16)) + text(stream_node(20_000)) + STREAM_1[2:]
    for n in range(50):
        assert client.call("RESTORE", f"k:{n}", 0, payload(big)) == OK
    used = int(dict(line.split(":", 1) for line in client.call("INFO", "memory").decode().splitlines() if ":" in line)[
        "used_memory"])
    client.call("CONFIG", "SET", "maxmemory-policy", "allkeys-lru", "maxmemory", used - 300_000)
    wait_until(lambda: client.call("DBSIZE") < 50)
    client.call("CONFIG", "SET", "maxmemory", "0")
    assert client.call("FLUSHALL") == OK
    assert client.call("DEBUG", "VERIFY") == OK


def stream_node(size):
    """A listpack with one entry, whose value is so long."""
    master = b"".join(bytes([number, 1]) for number in (1, 0, 1, 7, 0))
    entry = b"".join(bytes([number, 1]) for number in (2, 0, 0))
    body = b"\xF0" + size.to_bytes(4, "little") + b"y" * size
    back = []
    n = len(body)
    while True:
        back.insert(0, n & 127 | (128 if back else 0))
        n >>= 7
        if not n:
            break
    body += bytes([back[0] & 127] + [byte | 128 for byte in back[1:]])
    body = master + entry + body + bytes([4, 1])
    return (len(body) + 7).to_bytes(4, "little") + (10).to_bytes(2, "little") + body + b"\xFF"


# --- files -----------------------------------------------------------------------------------


def data_set(version=b"REDIS0011"):
    return file(AUX_BEFORE, b"\xFE\x00", *(key(0, f"n{n}".encode(), text(b"v")) for n in range(3)),
                b"\xFC" + (4_000_000_000_000).to_bytes(8, "little"),
                *(value[:1] + text(name.encode()) + value[1:] for name, value in VALUES.items()),
                AUX_AFTER, version=version)


@pytest.mark.parametrize("piece", [None, 1, 7])
def test_pieces_and_slices(piece):
    """However a file comes, each value is whole, and no memory is left."""
    engine = Engine(16, 0)
    before = probes.used_memory(engine)
    load = load_file(engine, -1, 0)
    data = data_set()
    for at in range(0, len(data), piece or len(data)):
        while not load.step(0) and not load.hungry:
            pass
        load.give(data[at:at + (piece or len(data))])
    load.give(b"")
    while not load.step(0):
        pass
    assert load.kept.before == [AUX_BEFORE] and load.kept.after == [AUX_AFTER]
    assert (load.kinds["stream"], load.kinds["module"], load.kinds["string"]) == (4, 1, 3)
    for name, value in WRITTEN.items():
        assert value_of(probes.dump(engine, 0, name.encode())) == value
    engine.kept = load.kept
    saved = probes.save(engine)
    assert saved.startswith(b"REDIS0010")
    assert saved.index(AUX_BEFORE) < saved.index(b"\xFE\x00") < saved.index(AUX_AFTER)
    engine.empty()
    del load
    engine.kept = None
    assert probes.used_memory(engine) - before < 10_000          # tables keep their first size


def seconds_of_aux(parts):
    """How long it takes to load what a module has stored, of so many parts, that comes in pieces of 16 KB."""
    blob = b"\xF7" + length(MODULE_ID) + length(2) + length(1) + (length(5) + text(b"x" * 100)) * parts + length(0)
    data = file(blob, b"\xFE\x00", key(0, b"k", text(b"v")))
    load = load_file(Engine(1, 0), -1, 0)
    started = time.perf_counter()
    for at in range(0, len(data), 16 * 1024):
        load.give(data[at:at + 16 * 1024])
        while not load.step(10**6) and not load.hungry:
            pass
    load.give(b"")
    assert load.step(10**6) and load.kept.before == [blob]
    return time.perf_counter() - started


def test_a_part_is_not_walked_through_again_for_each_piece():
    """Eight times as much takes about eight times as long, not 64 times; and slices of time hold for it, too."""
    small = min(seconds_of_aux(20_000) for _ in range(3))
    assert min(seconds_of_aux(160_000) for _ in range(3)) < small * 20
    blob = b"\xF7" + length(MODULE_ID) + length(2) + length(2) + (length(2) + length(7)) * 200_000 + length(0)
    load = load_file(Engine(1, 0), -1, 0)
    load.give(file(blob))
    load.give(b"")
    slices = 1
    while not load.step(100):
        slices += 1
    assert slices > 5 and load.kept.after == [blob]


def test_what_is_kept_of_half_a_part_is_freed():
    engine = Engine(1, 0)
    before = probes.used_memory(engine)
    load = load_file(engine, -1, 0)
    load.give(b"REDIS0011" + AUX_BEFORE[:-30])
    assert not load.step(10**6) and load.hungry
    del load
    assert probes.used_memory(engine) == before


def test_a_check_walks_through_them():
    engine = Engine(1, 0)
    before = probes.used_memory(engine)
    load = load_file(engine, -1, 0, keep=False)
    load.give(data_set())
    assert load.step(10**7) and load.keys == 8
    del load
    assert probes.used_memory(engine) == before


BROKEN = {
    "a node's key": STREAM_2[:2] + b"\x0f" + STREAM_2[3:],
    "a node that is no listpack": STREAM_2[:21] + b"\xff" + STREAM_2[22:],
    "a node without elements": b"\x13" + length(1) + text(bytes(16)) + text(b"\x07\0\0\0\0\0\xff") + bytes(9),
    "too many nodes": b"\x13" + length(2**60) + STREAM_2[2:],
    "too many groups": b"\x0f" + bytes(4) + length(2**60),
    "too long a PEL": b"\x0f" + bytes(4) + length(1) + text(b"g") + length(0) * 2 + length(2**62),
    "a consumer that is cut off": STREAM_1[:-9],
    "a module's unknown part": MODULE[:10] + length(6),
    "a module's string": b"\x07" + length(MODULE_ID) + length(5) + length(2**50),
    "bytes behind": STREAM_2 + b"\0",
    "a module's of a release candidate": b"\x06" + MODULE[1:],
    "a type of the future": b"\x1f" + STREAM_2[1:],
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_values(client, name):
    assert client.call("RESTORE", "k", 0, payload(BROKEN[name])) == Error("ERR Bad data format")
    engine = Engine(1, 0)
    before = probes.used_memory(engine)
    with pytest.raises(RdbError):
        probes.read_value(engine, BROKEN[name])
    assert probes.used_memory(engine) == before


def test_mutated_values():
    """Whatever happens to the bytes: an error, or a value that is written back as it came."""
    random.seed(11)
    engine = Engine(1, 0)
    before = probes.used_memory(engine)
    for value in VALUES.values():
        for _ in range(1500):
            data = bytearray(value)
            for _ in range(random.randint(1, 3)):
                data[random.randrange(1, len(data))] = random.randrange(256)
            data = bytes(data[:random.choice([len(data), random.randrange(1, len(data) + 1)])])
            try:
                probes.read_value(engine, data)
            except RdbError:
                continue
    assert probes.used_memory(engine) == before


def test_data_of_modules_stay(fresh_server, tmp_path):
    """Through saves of either kind, AOF bases of either form, reloads and FLUSHALL; a new data set brings its own."""
    (tmp_path / "dump.rdb").write_bytes(data_set())
    dump = tmp_path / "dump.rdb"
    with fastredis_server("--dir", str(tmp_path)) as server, server.client() as client:
        assert "They are kept, and saved again." in server.log()
        for way in ("SAVE", "BGSAVE", "slices"):
            client.call("DEBUG", "FORKLESS-SAVE", int(way == "slices"))
            dump.unlink()
            assert client.call("BGSAVE" if way == "slices" else way).startswith(("OK", "Background saving started"))
            wait_until(lambda: dump.exists() and b"rdb_bgsave_in_progress:0" in client.call("INFO", "persistence"))
            saved = dump.read_bytes()
            assert saved.index(AUX_BEFORE) < saved.index(b"\xFE\x00") < saved.index(AUX_AFTER)
        assert client.call("DEBUG", "RELOAD") == OK
        assert client.call("DEBUG", "RELOAD", "NOSAVE", "NOFLUSH", "MERGE") == OK
        digest = client.call("DEBUG", "DIGEST")
        for preamble in ("yes", "no"):
            client.call("CONFIG", "SET", "aof-use-rdb-preamble", preamble, "appendonly", "yes")
            wait_until(lambda: b"aof_rewrite_in_progress:0" in client.call("INFO", "persistence"))
            assert client.call("DEBUG", "LOADAOF") == OK
            assert client.call("DEBUG", "DIGEST") == digest
            client.call("CONFIG", "SET", "appendonly", "no")
        assert client.call("FLUSHALL") == OK
        assert client.call("SAVE") == OK
        assert dump.read_bytes().count(AUX_BEFORE) == dump.read_bytes().count(AUX_AFTER) == 1
        dump.write_bytes(file(b"\xFE\x00", key(0, b"k", text(b"v"))))
        assert client.call("DEBUG", "RELOAD", "NOSAVE") == OK
        assert client.call("SAVE") == OK
        assert AUX_BEFORE not in dump.read_bytes() and dump.read_bytes().startswith(b"REDIS0010")


def test_an_aof_of_commands_restores_them(fresh_server, tmp_path):
    server = fresh_server("--dir", str(tmp_path), "--aof-use-rdb-preamble", "no", "--appendonly", "yes")
    with server.client() as client:
        for name, value in VALUES.items():
            client.call("RESTORE", name, 4_000_000_000_000, payload(value), "ABSTTL")
        digest = client.call("DEBUG", "DIGEST")
        client.call("BGREWRITEAOF")
        wait_until(lambda: "Background AOF rewrite finished successfully" in server.log())
        assert client.call("DEBUG", "LOADAOF") == OK
        assert client.call("DEBUG", "DIGEST") == digest
        assert client.call("PEXPIRETIME", "module") == 4_000_000_000_000
        assert list(Path(tmp_path).glob("appendonlydir/*.base.aof"))


@pytest.mark.parametrize("mode", ["disabled", "on-empty-db", "swapdb"])
def test_a_chain_of_replicas(fresh_server, tmp_path, mode):
    (tmp_path / "dump.rdb").write_bytes(data_set())
    quick = ("--repl-diskless-sync-delay", "0", "--repl-diskless-load", mode)
    with fastredis_server("--dir", str(tmp_path), *quick) as master, master.client() as top:
        middle, last = fresh_server(*quick), fresh_server(*quick)
        with middle.client() as second, last.client() as third:
            second.call("REPLICAOF", "127.0.0.1", master.port)
            third.call("REPLICAOF", "127.0.0.1", middle.port)
            for client in (second, third):
                wait_until(lambda client=client: b"master_link_status:up" in client.call("INFO", "replication"))
            digest = top.call("DEBUG", "DIGEST")
            wait_until(lambda: third.call("DEBUG", "DIGEST") == digest)
            assert third.call("SAVE") == OK
            saved = (Path(last.directory) / "dump.rdb").read_bytes()
            assert AUX_BEFORE in saved and AUX_AFTER in saved


@pytest.mark.parametrize("version", [15, 79, 81, 999])
def test_versions_of_the_future(fresh_server, tmp_path, version):
    """They are tried with rdb-version-check relaxed; what is not known in them stays an error."""
    value, strange = b"\x00" + text(b"v"), b"\x1f" + text(b"v")
    for setting, expected in (("strict", Error("ERR DUMP payload version or checksum are wrong")), ("relaxed", OK)):
        with fresh_server("--rdb-version-check", setting, "--dir", str(tmp_path)).client() as client:
            assert client.call("RESTORE", "k", 0, payload(value, version & 255), "REPLACE") == expected
            data = file(b"\xFE\x00", key(0, b"k", text(b"w")), version=b"REDIS%04d" % version)
            (tmp_path / "dump.rdb").write_bytes(data)
            assert (client.call("DEBUG", "RELOAD", "NOSAVE") == OK) == (setting == "relaxed")
            assert client.call("GET", "k") == (b"w" if setting == "relaxed" else None)
            assert client.call("RESTORE", "strange", 0, payload(strange, version & 255)).startswith("ERR ")


# --- with real servers -----------------------------------------------------------------------

FILLING = ("XADD s 1-0 f v", "XADD s 2-0 f w", "XADD s 3-0 g x", "XGROUP CREATE s one 0", "XGROUP CREATE s two 0",
           "XREADGROUP GROUP one alice COUNT 2 STREAMS s >", "XDEL s 2-0", "XACK s one 1-0")
CODE = """#!lua name=lib
redis.register_function{function_name='answer', callback=function() return 42 end, flags={'no-writes'}}"""


@pytest.fixture(params=["redis", "valkey"])
def real(request):
    """Each real server that has functions."""
    return request.getfixturevalue("modern_peer" if request.param == "redis" else "valkey")


def fill_real(client):
    for command in FILLING:
        assert not isinstance(client.call(*command.split()), Error), command
    for n in range(3000):
        client.call("XADD", "big", "*", "field", n, "other", "x" * (n % 100))
    assert client.call("FUNCTION", "LOAD", CODE) == b"lib"


def seen(client):
    """What a real server has; what changes by looking is left out."""
    full = client.call("XINFO", "STREAM", "s", "FULL")
    return (client.call("XRANGE", "s", "-", "+"), client.call("XRANGE", "big", "-", "+"), full[:full.index(b"groups")],
            client.call("XPENDING", "s", "one"), client.call("FCALL_RO", "answer", 0))


def test_files_of_a_real_server_and_back(real, tmp_path):
    with peer_server(real.path, "--dir", str(tmp_path)) as server, server.client() as client:
        fill_real(client)
        expected = seen(client)
        assert client.call("SAVE") == OK
    with fastredis_server("--dir", str(tmp_path)) as server, server.client() as client:
        assert client.call("TYPE", "s") == Status("stream")
        again = client.call("DUMP", "s")
        assert client.call("SAVE") == OK
    with peer_server(real.path, "--dir", str(tmp_path)) as server, server.client() as client:
        assert seen(client) == expected
        assert client.call("RESTORE", "t", 0, again) == OK
        assert client.call("XRANGE", "t", "-", "+") == expected[0]


def test_between_real_servers(real, fresh_server):
    """Their data set comes through a replica of ours, and what follows in the stream."""
    quick = ("--repl-diskless-sync-delay", "0")
    with peer_server(real.path, *quick) as first, peer_server(real.path, *quick) as last:
        middle = fresh_server(*quick)
        with first.client() as top, middle.client() as ours, last.client() as end:
            fill_real(top)
            expected = seen(top)
            ours.call("REPLICAOF", "127.0.0.1", first.port)
            end.call("REPLICAOF", "127.0.0.1", middle.port)
            for client in (ours, end):
                wait_until(lambda client=client: b"master_link_status:up" in client.call("INFO", "replication"))
            assert seen(end) == expected
            top.call("XADD", "s", "9-0", "late", "1")
            top.call("SET", "k", "after")
            wait_until(lambda: ours.call("GET", "k") == b"after")
            assert ours.call("XRANGE", "s", "9", "9") == [[b"9-0", [b"late", b"1"]]]
            wait_until(lambda: end.call("GET", "k") == b"after")
            assert end.call("XRANGE", "s", "9", "9") == [[b"9-0", [b"late", b"1"]]]
