"""MEMORY STATS, DOCTOR, PURGE and MALLOC-STATS: that the figures are true."""
import os
import re

import pytest

from fastredis.cli import version_text
from fastredis.commands.memory import MIB, WASTE, complaints
from tests.helpers import info
from tests.local import Local
from tests.rows import OK

own_allocator = pytest.mark.skipif(os.environ.get("FASTREDIS_BUILD") == "asan",
                                   reason="AddressSanitizer's allocator keeps what is freed, and tells nothing")


def stats(client):
    return client.call("MEMORY", "STATS")


@pytest.fixture
def client(fresh_server):
    with fresh_server().client(protocol=3, timeout=20.0) as client:
        yield client


def fill(client, keys, size=1000):
    for start in range(0, keys, 50):                    # so that the query buffer stays small
        client.call("MSET", *(word for i in range(start, start + 50) for word in (f"k{i}", "v" * size)))


def test_the_fields_are_those_of_a_real_server(either_server):
    with either_server().client(protocol=3) as client:
        client.call("SET", "k", "v")
        client.call("SELECT", "3")
        client.call("SET", "k", "v", "EX", "100")
        found = stats(client)
    numbers = {"peak", "total", "startup", "allocator"}
    assert {f"{name}.allocated".encode() for name in numbers} <= found.keys()
    for name in ("replication.backlog", "clients.slaves", "clients.normal", "cluster.links", "aof.buffer", "lua.caches",
                 "functions.caches", "overhead.total", "keys.count", "keys.bytes-per-key", "dataset.bytes",
                 "allocator.active", "allocator.resident", "allocator-fragmentation.bytes", "allocator-rss.bytes",
                 "rss-overhead.bytes", "fragmentation.bytes"):
        assert type(found[name.encode()]) is int, name
    for name in ("dataset.percentage", "peak.percentage", "allocator-fragmentation.ratio", "allocator-rss.ratio",
                 "rss-overhead.ratio", "fragmentation"):
        assert type(found[name.encode()]) is float, name
    for name in (b"db.0", b"db.3"):
        assert {b"overhead.hashtable.main", b"overhead.hashtable.expires"} <= found[name].keys()
    assert b"db.1" not in found
    assert found[b"db.3"][b"overhead.hashtable.expires"] > 0
    assert found[b"keys.count"] == 2


def test_the_figures_agree_with_each_other_and_with_info(client):
    fill(client, 20_000)
    found, known = stats(client), info(client)
    assert found[b"keys.count"] == 20_000
    assert found[b"keys.bytes-per-key"] == found[b"dataset.bytes"] // 20_000
    assert 1000 <= found[b"keys.bytes-per-key"] < 1100
    assert found[b"dataset.bytes"] + found[b"overhead.total"] == found[b"total.allocated"]
    assert found[b"overhead.total"] >= found[b"startup.allocated"] + found[b"db.0"][b"overhead.hashtable.main"]
    assert found[b"peak.percentage"] == pytest.approx(found[b"total.allocated"] * 100 / found[b"peak.allocated"])
    assert found[b"fragmentation.bytes"] > 0
    assert found[b"startup.allocated"] == int(known["used_memory_startup"])
    assert found[b"total.allocated"] == pytest.approx(int(known["used_memory"]), abs=100_000)
    assert found[b"overhead.total"] == pytest.approx(int(known["used_memory_overhead"]), abs=100_000)


def test_the_overhead_of_a_database_is_what_its_tables_take():
    local = Local()
    client = local.client()
    client.call("SET", "first", "v")                    # the first one also takes memory for the statistics
    for command in ("SELECT", "MEMORY", "PEXPIREAT"):
        client.call(command)
    stats(client)
    client.call("SELECT", "1")
    before = dict(zip(*[iter(stats(client))] * 2, strict=True))
    for i in range(5000):
        client.call("SET", f"{i:08}", "v" * 31)         # 16 + 8 + 31 bytes: a block of 56
    client.call("EXISTS", "k")
    after = dict(zip(*[iter(stats(client))] * 2, strict=True))
    table = dict(zip(*[iter(after[b"db.1"])] * 2, strict=True))
    assert after[b"keys.count"] == before[b"keys.count"] + 5000
    grown = after[b"total.allocated"] - before[b"total.allocated"]
    assert grown - 5000 * 56 == pytest.approx(table[b"overhead.hashtable.main"], abs=20_000)
    assert table[b"overhead.hashtable.main"] > 5000 * 9
    local.loop.close()


RATIOS = ("allocator_frag", "allocator_rss", "rss_overhead", "mem_fragmentation")


@own_allocator
def test_an_idle_server_is_not_fragmented(client):
    """What monitoring looks at: alarms begin at 1.5. The interpreter is what the server's memory mostly is."""
    known = info(client)
    for name in RATIOS:
        assert 0.9 < float(known[f"{name}_ratio"]) < 1.4, name
    used, interpreter = int(known["used_memory"]), int(known["mem_interpreter"])
    assert interpreter > 10 * MIB > used
    found = stats(client)
    for name in (b"allocator-fragmentation.ratio", b"allocator-rss.ratio", b"rss-overhead.ratio", b"fragmentation"):
        assert 0.9 < found[name] < 1.4, name
    assert int(known["used_memory_startup"]) <= used


@own_allocator
@pytest.mark.parametrize("keys", [0, 20_000])
def test_the_figures_of_the_allocators_agree_with_each_other(client, keys):
    """As in redis-server: each ratio and each difference is that of two of the sizes."""
    fill(client, keys)
    fill(client, keys, size=100)
    known = info(client)
    allocated, active, held, resident = (int(known[name]) for name in (
        "allocator_allocated", "allocator_active", "allocator_resident", "used_memory_rss"))
    assert int(known["used_memory"]) + int(known["mem_interpreter"]) == allocated <= active <= held
    for name, (over, under) in zip(RATIOS, (
            (active, allocated), (held, active), (resident, held), (resident, allocated)), strict=True):
        assert int(known[f"{name}_bytes"]) == over - under
        assert known[f"{name}_ratio"] == f"{over / under:.2f}"


@own_allocator
def test_holes_between_small_values_are_fragmentation(client):
    """Of 34 MB in small values every fifth stays: the slabs are still there, of no use for others."""
    fill(client, 250_000, size=100)
    full = info(client)
    for start in range(0, 250_000, 1000):
        client.call("DEL", *(f"k{i}" for i in range(start, start + 1000) if i % 5))
    holes = info(client)
    gone = int(full["used_memory"]) - int(holes["used_memory"])
    assert int(full["allocator_frag_bytes"]) < 1 * MIB
    assert int(holes["allocator_frag_bytes"]) > gone * 0.8 > 10 * MIB
    assert b" * Fragmentation: " in client.call("MEMORY", "DOCTOR")


def resident(client):
    return int(info(client)["used_memory_rss"])


@own_allocator
def test_purge_gives_memory_back(client):
    fill(client, 60_000)
    client.call("DEL", *(f"k{i}" for i in range(60_000) if i % 100))    # what is left keeps the heap from shrinking
    before = resident(client)
    assert client.call("MEMORY", "PURGE") == OK
    assert resident(client) < before - 30 * MIB
    assert client.call("GET", "k100") == b"v" * 1000


@own_allocator
def test_doctor(client):
    assert client.call("MEMORY", "DOCTOR").startswith(b"This server holds too little data")
    fill(client, 20_000)
    assert client.call("MEMORY", "DOCTOR").startswith(b"All is well")
    for start in range(0, 12_000, 1000):
        client.call("DEL", *(f"k{i}" for i in range(start, start + 1000)))
    report = client.call("MEMORY", "DOCTOR")
    assert report.startswith(b"There is something to say")
    assert b" * Peak: " in report and b" * Clients: " not in report


HEALTHY = {
    "peak.allocated": 100 * MIB, "total.allocated": 90 * MIB, "allocator-fragmentation.bytes": 2 * WASTE,
    "allocator-rss.bytes": 2 * WASTE, "clients.normal": 500_000, "clients.slaves": MIB,
}
ILL = {
    "nothing": ({}, []),
    "peak": ({"peak.allocated": 140 * MIB}, ["Peak"]),
    "fragmentation": ({"allocator-fragmentation.bytes": 40 * MIB}, ["Fragmentation"]),
    "unused memory": ({"allocator-rss.bytes": 40 * MIB}, ["Unused memory"]),
    "a little": ({"peak.allocated": 10 * MIB, "total.allocated": 8 * MIB, "allocator-fragmentation.bytes": WASTE,
                  "allocator-rss.bytes": WASTE}, []),
    "clients": ({"clients.normal": 3 * MIB}, ["Clients"]),
    "replicas": ({"clients.slaves": 11 * MIB}, ["Replicas"]),
    "all": ({"peak.allocated": 900 * MIB, "allocator-fragmentation.bytes": 90 * MIB, "allocator-rss.bytes": 90 * MIB,
             "clients.normal": 9 * MIB, "clients.slaves": 99 * MIB},
            ["Peak", "Fragmentation", "Unused memory", "Clients", "Replicas"]),
}


@pytest.mark.parametrize(("symptoms", "wanted"), ILL.values(), ids=ILL)
def test_what_the_doctor_complains_of(symptoms, wanted):
    assert [text.split(":")[0] for text in complaints(HEALTHY | symptoms, 10)] == wanted


def test_the_allocator_has_one_name(client):
    assert info(client)["mem_allocator"] == "slabs+libc" == re.search(r"malloc=(\S+) ", version_text())[1]


@own_allocator
def test_malloc_stats_tell_of_all_allocators(client):
    fill(client, 20_000)
    report = client.call("MEMORY", "MALLOC-STATS").decode()
    used = int(report.split("Taken by the engine: ")[1].split()[0])
    assert used == pytest.approx(int(info(client)["used_memory"]), abs=100_000)
    assert "Small block threshold = 512" in report
    arenas, slabs, free, kept = map(int, re.search(
        r"(\d+) arenas, (\d+) slabs: (\d+) free, (\d+) of these keep their pages", report).groups())
    assert 0 < arenas * 64 == slabs > free >= kept <= 64
    if "Blocks of more than 512 bytes" in report:       # glibc 2.33 and later
        assert int(report.split(" in use,")[0].rsplit(" ", 1)[1]) > 20_000 * 1000
