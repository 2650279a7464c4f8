"""INFO: the fields that the facts list are there, say what they should, and move when they should."""
import json
import re
import time
from pathlib import Path

import pytest

from tests.helpers import wait_until
from tests.resp import Closed, Status

FACTS = [fact for fact in json.loads((Path(__file__).parent / "facts" / "info.json").read_text()) if "field" in fact]

# Sections that a server which has just answered a command shows, in Redis's order.
ORDER = ["Server", "TLS", "Clients", "Memory", "Persistence", "Stats", "Replication", "CPU", "Modules", "Commandstats",
         "Errorstats", "Latencystats", "Cluster", "Keyspace"]
DEFAULT = [name for name in ORDER if name not in ("TLS", "Commandstats", "Latencystats")]
KINDS = {
    "int": r"-?\d+",
    "float": r"-?\d+\.\d+",
    "percent": r"-?\d+\.\d\d%",
    "human_bytes": r"\d+B|\d+\.\d\d[KMGTP]",
    "hex": r"[0-9a-f]+",
    "string": r".*",
}


def sections(text):
    """INFO's text as {section: {field: value}}, in its order."""
    found = {}
    for part in text.split("\r\n\r\n"):
        title, *lines = part.strip("\r\n").split("\r\n")
        found[title.removeprefix("# ")] = dict(line.split(":", 1) for line in lines)
    return found


def info(client, *names):
    return sections(client.call("INFO", *names).decode())


def field(client, name):
    """One field of INFO everything, or None."""
    return next((fields[name] for fields in info(client, "everything", "debug").values() if name in fields), None)


@pytest.fixture
def client(fresh_server):
    with fresh_server().client() as client:
        yield client


def test_every_field_of_redis_is_there_and_of_its_kind(client):
    found = info(client, "everything")
    checked = 0
    for fact in FACTS:
        if not {"redis-7.0", "redis-8"} & set(fact["in"]) or fact["kind"] == "kv":
            continue
        value = found[fact["section"]].get(fact["field"])
        assert value is not None, f"{fact['section']}: {fact['field']} is missing"
        assert re.fullmatch(KINDS[fact["kind"]], value), f"{fact['field']}:{value} is no {fact['kind']}"
        checked += 1
    assert checked > 180


def test_fields_with_parts(client):
    client.call("SET", "k", "v", "EX", 100)
    client.call("NOSUCH")
    found = info(client, "everything")
    shapes = {
        "listener": (found["Server"]["listener0"], r"name=tcp(,bind=\S+?)+,port=\d+"),
        "cmdstat": (found["Commandstats"]["cmdstat_set"],
                    r"calls=1,usec=\d+,usec_per_call=\d+\.\d\d,rejected_calls=0,failed_calls=0"),
        "errorstat": (found["Errorstats"]["errorstat_ERR"], "count=1"),
        "latency": (found["Latencystats"]["latency_percentiles_usec_set"],
                    r"p50=\d+\.\d{3},p99=\d+\.\d{3},p99\.9=\d+\.\d{3}"),
        "db": (found["Keyspace"]["db0"], r"keys=1,expires=1,avg_ttl=(99\d{3}|100000),subexpiry=0"),
    }
    for name, (value, pattern) in shapes.items():
        assert re.fullmatch(pattern, value), name


def test_sections_come_in_order(client):
    assert list(info(client)) == DEFAULT
    assert list(info(client, "default")) == DEFAULT
    assert list(info(client, "all")) == ORDER
    assert list(info(client, "everything")) == ORDER
    assert list(info(client, "keyspace", "CPU", "nosuch")) == ["CPU", "Keyspace"]
    assert list(info(client, "commandstats", "default")) == [s for s in ORDER if s not in ("TLS", "Latencystats")]
    assert list(info(client, "module_list")) == ["Modules"]
    assert list(info(client, "debug")) == ["Debug"]


@pytest.mark.parametrize("either_server", ["fastredis", "peer"], indirect=True)
def test_counters_of_a_session(either_server):
    """The same session counts the same on a real server."""
    server = either_server()
    with server.client() as client, server.client() as other:
        client.call("CONFIG", "RESETSTAT")
        for command in ("SET k v", "GET k", "GET none", "INCR k", "GET", "NOSUCH", "SUBSCRIBE a b", "PING"):
            client.call(*command.split(" "))
            if command == "SUBSCRIBE a b":
                client.read()
        found = info(other, "everything")
    assert found["Stats"]["keyspace_hits"] == "1"
    assert found["Stats"]["keyspace_misses"] == "1"
    assert found["Stats"]["total_error_replies"] == "3"
    assert found["Stats"]["pubsub_channels"] == "2"
    assert found["Clients"]["connected_clients"] == "2"
    assert found["Errorstats"] == {"errorstat_ERR": "count=3"}
    assert found["Commandstats"]["cmdstat_get"].endswith("rejected_calls=1,failed_calls=0")
    assert found["Commandstats"]["cmdstat_incr"].endswith("rejected_calls=0,failed_calls=1")
    assert found["Commandstats"]["cmdstat_config|resetstat"].startswith("calls=1,")


def test_latency_percentiles_are_near_the_truth(client):
    for _ in range(9):
        client.call("DEBUG", "SLEEP", "0.001")
    client.call("DEBUG", "SLEEP", "0.05")
    client.call("CONFIG", "SET", "latency-tracking-info-percentiles", "0 50 100")
    found = info(client, "latencystats", "commandstats")
    figures = found["Latencystats"]["latency_percentiles_usec_debug"]
    p0, p50, p100 = (float(part.split("=")[1]) for part in figures.split(","))
    assert 1000 <= p0 <= p50 < 20_000
    assert 50_000 <= p100 < 200_000
    usec = int(re.search(r"usec=(\d+)", found["Commandstats"]["cmdstat_debug"])[1])
    assert 59_000 <= usec < 500_000


def test_quick_commands_of_a_pipeline_are_all_counted(client):
    client.pipeline([("SET", "text", "x"), ("CONFIG", "RESETSTAT")])
    client.pipeline([("INCR", "n")] * 20 + [("INCR",)] + [("INCR", "text")] * 2 + [("GET", "n"), ("GET",)])
    found = info(client, "commandstats", "latencystats")
    assert found["Commandstats"]["cmdstat_incr"].startswith("calls=22,")
    assert found["Commandstats"]["cmdstat_incr"].endswith("rejected_calls=1,failed_calls=2")
    assert found["Commandstats"]["cmdstat_get"].startswith("calls=1,")
    assert {"latency_percentiles_usec_incr", "latency_percentiles_usec_get"} <= found["Latencystats"].keys()


@pytest.mark.parametrize("at", range(8))
def test_a_slow_call_amid_quick_ones_of_a_pipeline_is_seen_alone(client, at):
    """In one of some tries, as a busy machine also holds quick calls up."""
    client.call("CONFIG", "SET", "latency-tracking-info-percentiles", "95 100")
    for _ in range(20):
        client.pipeline([("RPUSH", f"l{i}", "x") for i in range(100)])
        client.call("RPUSH", "big", *["x"] * 200_000)
        client.call("CONFIG", "RESETSTAT")
        client.pipeline([("LPOP", f"l{i}", 1) for i in range(64)])
        client.pipeline([("LPOP", f"l{i}", 1) for i in range(64, 64 + at)] + [("LPOP", "big", 150_000)]
                        + [("LPOP", f"l{i}", 1) for i in range(64 + at, 71)])
        figures = info(client, "latencystats")["Latencystats"]["latency_percentiles_usec_lpop"]
        p95, p100 = (float(part.split("=")[1]) for part in figures.split(","))
        if p100 > 20 * p95:
            return
        client.call("FLUSHALL")
    raise AssertionError(f"the slow call took {p100} us, and 95 % of all calls {p95} us or less")


def test_memory_grows_and_falls_with_the_data(client):
    before = info(client, "memory")["Memory"]
    client.call("DEBUG", "POPULATE", 10_000, "key", 100)
    full = info(client, "memory")["Memory"]
    grown = int(full["used_memory"]) - int(before["used_memory"])
    assert 10_000 * 120 < grown < 10_000 * 200
    assert int(full["used_memory_dataset"]) + int(full["used_memory_overhead"]) == int(full["used_memory"])
    assert int(full["used_memory_overhead"]) > int(before["used_memory_overhead"]) + 10_000 * 9
    client.call("FLUSHALL", "SYNC")
    empty = info(client, "memory")["Memory"]
    assert int(empty["used_memory"]) < int(before["used_memory"]) + 50_000
    assert int(empty["used_memory_peak"]) >= int(full["used_memory"])


def test_flushing_later_frees_all(client):
    client.call("DEBUG", "POPULATE", 100_000)
    before = int(field(client, "used_memory"))
    client.call("FLUSHALL", "ASYNC")
    assert client.call("DBSIZE") == 0
    wait_until(lambda: field(client, "lazyfree_pending_objects") == "0")
    assert field(client, "lazyfreed_objects") == "100000"
    assert int(field(client, "used_memory")) < before / 10


def test_flushing_a_sparse_table_later_counts_its_keys_only(client):
    client.call("DEBUG", "POPULATE", 200_000)
    client.call("DEBUG", "DICT-RESIZING", 0)            # few keys in a large table: the end of it is memory only
    client.call("DEL", *(f"key:{i}" for i in range(199_999)))
    client.call("FLUSHALL", "ASYNC")
    wait_until(lambda: field(client, "lazyfreed_objects") == "1")
    assert field(client, "lazyfree_pending_objects") == "0"


def test_average_ttl_of_many_keys(client):
    client.call("DEBUG", "CLOCK", "SET", 1_000_000)
    client.pipeline([("SET", f"k{n}", "v", "PX", n * 10) for n in range(1, 5001)])
    found = info(client, "keyspace")["Keyspace"]["db0"]
    keys, expires, average, _ = (int(part.split("=")[1]) for part in found.split(","))
    assert (keys, expires) == (5000, 5000)
    assert 20_000 < average < 30_000


def test_rates_follow_the_load(client):
    """Sixteen samples, ten a second: after half a second of load a good part of them has seen it."""
    stop = time.monotonic() + 0.6
    while time.monotonic() < stop:
        client.pipeline([("PING",)] * 100)
    stats = info(client, "stats")["Stats"]
    assert int(stats["instantaneous_ops_per_sec"]) > 100
    assert float(stats["instantaneous_input_kbps"]) > 1
    assert float(stats["instantaneous_output_kbps"]) > 0.5
    assert int(stats["instantaneous_eventloop_cycles_per_sec"]) > 1
    assert int(stats["eventloop_duration_sum"]) >= int(stats["eventloop_duration_cmd_sum"]) > 0
    assert int(field(client, "eventloop_cmd_per_cycle_max")) >= 10


def test_resetstat_leaves_the_data_alone(client):
    client.call("SET", "k", "v")
    client.call("NOSUCH")
    assert client.call("CONFIG", "RESETSTAT") == Status("OK")
    found = info(client, "all")
    assert found["Stats"]["total_error_replies"] == "0"
    assert found["Stats"]["total_commands_processed"] in ("0", "1")
    assert found["Errorstats"] == {}
    assert set(found["Commandstats"]) <= {"cmdstat_config|resetstat"}
    assert found["Keyspace"]["db0"].startswith("keys=1,")


def test_watching_and_blocked_clients_count(fresh_server):
    server = fresh_server()
    with server.client() as client, server.client() as other:
        other.call("WATCH", "a", "b")
        found = info(client, "clients")["Clients"]
        assert (found["watching_clients"], found["total_watched_keys"]) == ("1", "2")
        other.call("UNWATCH")
        other.call("SSUBSCRIBE", "c")
        found = info(client, "clients")["Clients"]
        assert (found["watching_clients"], found["total_watched_keys"], found["pubsub_clients"]) == ("0", "0", "1")


def test_a_reply_above_the_hard_limit_closes_the_client(fresh_server):
    server = fresh_server()
    with server.client() as client, server.client() as greedy:
        client.call("SET", "k", b"x" * 100_000)
        client.call("CONFIG", "SET", "client-output-buffer-limit", "normal 10 0 0")
        with pytest.raises((Closed, ConnectionError)):
            greedy.call("GET", "k")
        assert field(client, "client_output_buffer_limit_disconnections") == "1"
