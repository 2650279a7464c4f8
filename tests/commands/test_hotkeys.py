"""HOTKEYS: which keys cost most. No peer has it: the rows are what Redis 8.6 documents, and what its tests ask for."""
import pytest

from tests.helpers import info, wait_until
from tests.local import Local
from tests.rows import OK, QUEUED, Any, Between, Case, Error, wrong_args

STARTED = Error("ERR hotkey tracking session already in progress")
SYNTAX = Error("ERR syntax error")
COUNT = Error("ERR METRICS count must be between 1 and 2")
SHOWN = Error("ERR COUNT must be between 1 and 64")
CPU = ("HOTKEYS START METRICS 1 CPU", OK)
STOP, RESET = ("HOTKEYS STOP", OK), ("HOTKEYS RESET", OK)

CASES = {
    name: Case([("HOTKEYS STOP", Any()), RESET, *rows], since="8.6", resp=(2,)) for name, rows in {
        "nothing before the start": [("HOTKEYS GET", None), ("HOTKEYS STOP", None), RESET],
        "a session": [
            ("HOTKEYS START METRICS 2 CPU NET", OK), ("SET k v", OK), ("GET k", "v"), ("PING", Any()), STOP,
            ("GET other", None),
            ("HOTKEYS GET", [[
                "tracking-active", 0, "sample-ratio", 1, "selected-slots", [[0, 16383]],
                "all-commands-all-slots-us", Any(int), "net-bytes-all-commands-all-slots", Between(60, 300),
                "collection-start-time-unix-ms", Any(int), "collection-duration-ms", Any(int),
                "total-cpu-time-user-ms", Any(int), "total-cpu-time-sys-ms", Any(int), "total-net-bytes", Any(int),
                "by-cpu-time-us", ["k", Any(int)], "by-net-bytes", ["k", 27 + 5 + 20 + 7]]]),
            ("HOTKEYS STOP", None), RESET, ("HOTKEYS GET", None),
        ],
        "time alone": [
            CPU, ("SET k v", OK),
            ("HOTKEYS GET", [["tracking-active", 1, *[Any()] * 12, "total-cpu-time-user-ms", Any(int),
                              "total-cpu-time-sys-ms", Any(int), "by-cpu-time-us", ["k", Any(int)]]]), STOP,
        ],
        "bytes alone": [
            ("HOTKEYS START METRICS 1 net", OK), ("SET k v", OK),
            ("HOTKEYS GET", [["tracking-active", 1, *[Any()] * 12, "total-net-bytes", Any(int), "by-net-bytes",
                              ["k", 32]]]), STOP,
        ],
        "a command with several keys": [
            ("HOTKEYS START METRICS 1 NET", OK), ("MSET a 1 b 2", OK),
            ("HOTKEYS GET", [[*[Any()] * 16, "by-net-bytes", ["a", 23, "b", 23]]]), STOP,
        ],
        "the greatest first, and so many": [
            ("HOTKEYS START METRICS 1 NET COUNT 2", OK), ("SET small v", OK), (("SET", "large", "v" * 500), OK),
            (("SET", "middle", "v" * 100), OK),
            ("HOTKEYS GET", [[*[Any()] * 16, "by-net-bytes", ["large", Any(int), "middle", Any(int)]]]), STOP,
        ],
        "scripts and transactions": [
            ("HOTKEYS START METRICS 1 NET", OK), ("EVAL 'return redis.call(\"SET\", KEYS[1], 1)' 1 script", OK),
            ("MULTI", OK), ("SET queued v", QUEUED), ("EXEC", [OK]),
            ("HOTKEYS GET", [[*[Any()] * 16, "by-net-bytes", ["script", Any(int), "queued", 37]]]), STOP,
        ],
        "a session begins anew": [
            CPU, ("SET one v", OK), STOP, CPU, ("SET two v", OK),
            ("HOTKEYS GET", [[*[Any()] * 18, "by-cpu-time-us", ["two", Any(int)]]]), STOP,
        ],
        "one at a time": [
            CPU, ("HOTKEYS START METRICS 1 NET", STARTED),
            ("HOTKEYS RESET", Error("ERR hotkey tracking session in progress, stop tracking first")), STOP, RESET,
        ],
        "METRICS": [
            ("HOTKEYS START", Error("ERR METRICS parameter is required")),
            ("HOTKEYS START COUNT 5", Error("ERR METRICS parameter is required")),
            ("HOTKEYS START METRICS", COUNT), ("HOTKEYS START METRICS 0", COUNT), ("HOTKEYS START METRICS -1", COUNT),
            ("HOTKEYS START METRICS x CPU", COUNT), ("HOTKEYS START METRICS 3 CPU NET", COUNT),
            ("HOTKEYS START METRICS 2 CPU",
             Error("ERR METRICS count does not match number of metric types provided")),
            ("HOTKEYS START METRICS 1 CPU NET", SYNTAX), ("HOTKEYS START METRICS 1 CPU METRICS 1 NET", SYNTAX),
            ("HOTKEYS START METRICS 1 GPU", Error("ERR METRICS no valid metrics passed")),
            ("HOTKEYS START METRICS 2 cpu CPU", Error("ERR METRICS CPU specified more than once")),
            ("HOTKEYS START METRICS 2 GPU CPU", OK), STOP,
        ],
        "numbers": [
            ("HOTKEYS START METRICS 1 CPU COUNT 0", SHOWN), ("HOTKEYS START METRICS 1 CPU COUNT 65", SHOWN),
            ("HOTKEYS START METRICS 1 CPU COUNT x", SHOWN), ("HOTKEYS START METRICS 1 CPU COUNT", SHOWN),
            ("HOTKEYS START METRICS 1 CPU SAMPLE 0", Error("ERR SAMPLE ratio must be positive")),
            ("HOTKEYS START METRICS 1 CPU DURATION 0", Error("ERR DURATION must be between 1 and 1000000000")),
            ("HOTKEYS START METRICS 1 CPU SLOTS 1 0",
             Error("ERR SLOTS parameter cannot be used in non-cluster mode")),
            ("HOTKEYS START METRICS 1 CPU COUNT 64 SAMPLE 5 DURATION 1000000000", OK),
            ("HOTKEYS GET", [["tracking-active", 1, "sample-ratio", 5, *[Any()] * 16]]), STOP,
        ],
        "words": [
            ("HOTKEYS", wrong_args("hotkeys")), ("HOTKEYS GET x", wrong_args("hotkeys|get")),
            ("HOTKEYS NOSUCH", Error("ERR unknown subcommand 'NOSUCH'. Try HOTKEYS HELP.")),
            ("HOTKEYS HELP", Any(list)), ("HOTKEYS STOP x", wrong_args("hotkeys|stop")),
            ("HOTKEYS RESET x", wrong_args("hotkeys|reset")),
        ],
    }.items()
}


def test_rows(row_case):
    row_case.check()


@pytest.fixture
def local():
    engine = Local()
    yield engine
    engine.loop.close()


def report(client):
    """HOTKEYS GET as a dict, its lists of keys as dicts, too."""
    (flat,) = client.call("HOTKEYS", "GET")
    fields = dict(zip(flat[::2], flat[1::2], strict=True))
    return {name.decode(): dict(zip(value[::2], value[1::2], strict=True)) if name.startswith(b"by-") else value
            for name, value in fields.items()}


def test_a_session_ends_by_itself(local):
    client = local.client()
    client.call("HOTKEYS", "START", "METRICS", "1", "CPU", "DURATION", "5")
    client.call("SET", "k", "v")
    local.advance(5000)
    client.call("SET", "late", "v")
    found = report(client)
    assert (found["tracking-active"], found["collection-duration-ms"]) == (0, 5000)
    assert list(found["by-cpu-time-us"]) == [b"k"]
    assert client.call("HOTKEYS", "STOP") is None


def test_few_of_many_keys_are_remembered_and_they_are_the_hot_ones(local):
    client = local.client()
    client.call("HOTKEYS", "START", "METRICS", "1", "NET", "COUNT", "5")
    for i in range(6000):
        client.call("SET", f"cold{i}", "v")
        if i % 10 == 0:
            client.call("SET", f"hot{i // 10 % 5}", "v" * 50)
    assert {*report(client)["by-net-bytes"]} == {b"hot%d" % i for i in range(5)}
    assert local.engine.metrics.hot_keys.memory < 1_000_000
    client.call("HOTKEYS", "STOP")
    client.call("HOTKEYS", "RESET")
    assert local.engine.metrics.hot_keys.memory == 0


def test_samples(local):
    local.engine.seed(7)
    client = local.client()
    client.call("HOTKEYS", "START", "METRICS", "1", "NET", "SAMPLE", "10")
    for _ in range(2000):
        client.call("SET", "k", "v")
    found = report(client)
    assert 2000 * 32 // 20 < found["by-net-bytes"][b"k"] < 2000 * 32 // 5
    assert found["net-bytes-all-commands-all-slots"] >= 2000 * 32


def test_a_very_long_key_is_not_kept(local):
    client = local.client()
    client.call("HOTKEYS", "START", "METRICS", "1", "NET")
    client.call("SET", "x" * 70_000, "v")
    assert report(client)["by-net-bytes"] == {}


def test_a_map_for_resp3_and_the_section_of_info(fresh_server):
    server = fresh_server()
    with server.client(protocol=3) as client, server.client() as other:
        assert "hotkeys-tracking-active" not in info(other) and b"# Hotkeys" not in other.call("INFO")
        client.call("HOTKEYS", "START", "METRICS", "1", "NET")
        client.pipeline([("SET", "k", "v")] * 100)
        (found,) = client.call("HOTKEYS", "GET")
        assert found[b"by-net-bytes"] == [b"k", 3200] and found[b"tracking-active"] == 1
        fields = info(other, "hotkeys")
        assert fields["hotkeys-tracking-active"] == "1" and int(fields["hotkeys-used-memory"]) > 100
        assert fields["hotkeys-cpu-time"] == "0" or int(fields["hotkeys-cpu-time"]) < 1000
        client.call("HOTKEYS", "STOP")
        assert info(other, "hotkeys")["hotkeys-tracking-active"] == "0"
        client.call("HOTKEYS", "RESET")
        assert other.call("INFO", "hotkeys") == b""


def test_a_command_that_had_to_wait_counts(fresh_server):
    server = fresh_server()
    with server.client() as client, server.client() as waiter:
        client.call("HOTKEYS", "START", "METRICS", "1", "NET")
        waiter.send("BLPOP", "list", "0")
        wait_until(lambda: info(client, "clients")["blocked_clients"] == "1")
        assert b"list" not in report(client)["by-net-bytes"]
        client.call("RPUSH", "list", "x")
        waiter.read()
        assert report(client)["by-net-bytes"][b"list"] > 60
