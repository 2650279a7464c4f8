"""LATENCY: what held the server up. How long things take differs between servers, so the rows say least times."""
import time

import pytest

from fastredis.commands.latency import age, diagnosis, graph
from fastredis.engine.latency import SAMPLES, Event, Sample, timed
from tests.helpers import info_number, wait_until
from tests.local import Local
from tests.resp import Status
from tests.rows import OK, Any, Between, Case, Error, wrong_args

TIME = Between(1_600_000_000, 40_000_000_000)
LONG = Between(35, 60_000)
ONCE = ["calls", 1, "histogram_usec", Any(list)]

CASES = {
    "nothing is noted without a threshold": [
        ("LATENCY RESET", Any(int)), ("CONFIG SET latency-monitor-threshold 0", OK), ("DEBUG SLEEP 0.04", OK),
        ("LATENCY LATEST", []), ("LATENCY HISTORY command", []), ("LATENCY RESET", 0),
    ],
    "a slow command": [
        ("LATENCY RESET", Any(int)), ("CONFIG SET latency-monitor-threshold 35", OK), ("DEBUG SLEEP 0.04", OK),
        ("DEBUG SLEEP 0.001", OK),
        ("LATENCY LATEST", [["command", TIME, LONG, LONG]]),
        ("LATENCY HISTORY command", Any(list)), ("LATENCY HISTORY fork", []),
        ("LATENCY RESET fork", 0), ("LATENCY RESET fork command", 1), ("LATENCY LATEST", []), ("LATENCY RESET", 0),
    ],
    "in a transaction": [
        ("LATENCY RESET", Any(int)), ("CONFIG SET latency-monitor-threshold 35", OK), ("MULTI", OK),
        ("DEBUG SLEEP 0.04", Status("QUEUED")), ("EXEC", [OK]), ("LATENCY LATEST", [["command", TIME, LONG, LONG]]),
        ("LATENCY RESET", Any(int)),
    ],
    "a histogram for each name, in their order": Case([
        ("CONFIG SET latency-tracking yes", OK), ("CONFIG RESETSTAT", OK), ("SET k v", OK), ("GET k", "v"),
        ("LATENCY HISTOGRAM get SET nosuch set", ["get", ONCE, "set", ONCE, "set", ONCE]),
    ], resp=(2,)),                      # in RESP3 it is a map whose keys repeat
    "wrongly": [
        ("LATENCY", wrong_args("latency")), ("LATENCY LATEST x", wrong_args("latency|latest")),
        ("LATENCY HISTORY", wrong_args("latency|history")), ("LATENCY GRAPH", wrong_args("latency|graph")),
        ("LATENCY DOCTOR x", wrong_args("latency|doctor")),
        ("LATENCY GRAPH nosuch", Error("ERR No samples available for event 'nosuch'")),
        ("LATENCY nosuch", Error("ERR unknown subcommand 'nosuch'. Try LATENCY HELP.")), ("LATENCY HELP", Any(list)),
    ],
    "histograms": [
        ("CONFIG SET latency-tracking yes", OK), ("CONFIG RESETSTAT", OK), ("SET k v", OK), ("GET k", "v"),
        ("GET k", "v"),
        ("LATENCY HISTOGRAM set", {"set": {"calls": 1, "histogram_usec": Any()}}),
        ("LATENCY HISTOGRAM GET nosuch", {"get": {"calls": 2, "histogram_usec": Any()}}),
        ("LATENCY HISTOGRAM nosuch append", {}), ("LATENCY HISTOGRAM config|resetstat", Any()),
        ("CONFIG SET latency-tracking no", OK), ("CONFIG RESETSTAT", OK), ("GET k", "v"), ("LATENCY HISTOGRAM get", {}),
    ],
}


def test_rows(row_case):
    row_case.check()


@pytest.mark.parametrize("either_server", ["fastredis", "peer"], indirect=True)
def test_a_histogram_is_cumulative_and_has_the_limits_of_redis(either_server):
    """The limits are Redis's; 20 ms of sleep are above the one of 16.9 ms."""
    limits = [((1 << power) + (1 << (power - 7)) - 1) // 1000 for power in range(10, 40)]
    with either_server().client(protocol=3) as client:
        client.call("CONFIG", "RESETSTAT")
        client.call("DEBUG", "SLEEP", "0.001")
        client.call("DEBUG", "SLEEP", "0.02")
        found = client.call("LATENCY", "HISTOGRAM", "debug")
        assert list(found) == [b"debug"] and found[b"debug"][b"calls"] == 2
        counts = found[b"debug"][b"histogram_usec"]
        assert set(counts) <= set(limits)
        assert list(counts) == sorted(counts) and list(counts.values()) == [1, 2]
        assert max(counts) > 20_000
        client.call("CONFIG", "GET", "hz")
        client.call("CONFIG", "HELP")
        found = client.call("LATENCY", "HISTOGRAM", "config")
        assert {b"config|get", b"config|help"} <= set(found)


@pytest.fixture
def local():
    engine = Local("latency-monitor-threshold 5")
    yield engine
    engine.loop.close()


def test_samples_of_one_second_are_one_and_the_newest_are_kept(local):
    client, monitor = local.client(), local.engine.metrics.latency
    now_s = local.engine.clock.now_ms // 1000
    for us in (7000, 9999, 8000, 4999):
        local.engine.note_latency("fork", us)
    assert client.call("LATENCY", "LATEST") == [[b"fork", now_s, 9, 9]]
    for i in range(SAMPLES):
        local.advance(1000)
        local.engine.note_latency("fork", 6000 + i % 2 * 1000)
    history = client.call("LATENCY", "HISTORY", "fork")
    assert len(history) == SAMPLES
    assert history[0] == [now_s + 1, 6] and history[-1] == [now_s + SAMPLES, 7]
    assert client.call("LATENCY", "LATEST") == [[b"fork", now_s + SAMPLES, 7, 9]]
    monitor.note("command", 5000)
    assert client.call("LATENCY", "RESET") == 2 and not monitor.events


EVENTS = ("fast-command", "command-unblocking", "expire-cycle", "eviction-cycle", "eviction-del", "eviction-lazyfree",
          "aof-write", "aof-write-pending-fsync", "aof-write-active-child", "aof-write-alone", "aof-rename",
          "aof-fsync-always", "fork", "command")


def test_the_doctor_knows_every_event(local):
    client = local.client()
    assert client.call("LATENCY", "DOCTOR").startswith(b"All is well: nothing took 5 ms or longer since the monitor")
    for event in EVENTS:
        local.engine.note_latency(event, 20_000)
    local.advance(3000)
    local.engine.note_latency("fork", 60_000)
    report = client.call("LATENCY", "DOCTOR").decode()
    assert [line.split(" ", 2)[1] for line in report.split("\n\n")[1:-1]] == [f"{event}:" for event in EVENTS]
    assert "fork: 2 spikes (average 40 ms, mean deviation 20 ms, one in 1.50 s). Worst of all time: 60 ms." in report
    client.call("CONFIG", "SET", "latency-monitor-threshold", "0")
    client.call("LATENCY", "RESET")
    assert client.call("LATENCY", "DOCTOR").startswith(b"The latency monitor is off")


def test_the_events_that_the_source_notes_are_those_the_doctor_knows():
    from tests.test_source import PACKAGE, sources
    noted = set()
    for path in sources(".py", ".pyx", top=PACKAGE):
        for event in EVENTS:
            if path.name != "latency.py" and f'"{event}"' in path.read_text():
                noted.add(event)
    assert noted == set(EVENTS)


def test_a_diagnosis_of_one_sample():
    event = Event()
    event.add(100, 12)
    assert diagnosis("command", event, 100).startswith(
        "command: 1 spikes (average 12 ms, mean deviation 0 ms, one in 0.00 s)")


def test_graph_of_samples():
    drawn = graph([Sample(0, 10), Sample(3590, 40), Sample(3600, 20), Sample(3605, 31)], 3605)
    assert drawn == (" #\n"
                     " | _\n"
                     " |_|\n"
                     "_|||\n"
                     "\n"
                     "1150\n"
                     "h5ss\n"
                     " s\n")
    assert graph([Sample(5, 7)], 4) == "\n\n\n#\n\n0\ns\n"


def test_ages():
    assert [age(seconds) for seconds in (0, 59, 60, 3600, 90_000)] == ["0s", "59s", "1m", "1h", "1d"]


def test_the_graph_has_a_head(local):
    client = local.client()
    local.engine.note_latency("aof-write", 12_000)
    text = client.call("LATENCY", "GRAPH", "aof-write").decode()
    assert text.startswith("aof-write - high 12 ms, low 12 ms (all time high 12 ms)\n" + "-" * 80 + "\n")


def noted(client, event):
    """Whether the monitor has a sample of the event."""
    return event in [name for name, *_ in client.call("LATENCY", "LATEST")]


def test_events_of_expiry_and_eviction(fresh_server):
    """A full slice of the expiry takes a millisecond, the least that is noted; evicting 100,000 keys takes longer."""
    with fresh_server().client(timeout=60.0) as client:
        client.call("CONFIG", "SET", "latency-monitor-threshold", "1")
        client.call("DEBUG", "POPULATE", "200000", "key", "100")
        assert not noted(client, b"eviction-cycle")
        used = info_number(client, "used_memory")
        client.call("CONFIG", "SET", "maxmemory-eviction-tenacity", "100", "maxmemory-policy", "allkeys-random",
                    "maxmemory", str(used // 2))
        assert client.call("SET", "k", "v") == OK
        assert noted(client, b"eviction-cycle")
        client.call("CONFIG", "SET", "maxmemory", "0")
        client.call("FLUSHALL")
        client.call("DEBUG", "SET-ACTIVE-EXPIRE", "0")
        client.call("DEBUG", "CLOCK", "FREEZE")
        for first in range(0, 100_000, 1000):
            client.pipeline([("SET", f"k{i}", "v", "PX", "1000") for i in range(first, first + 1000)])
        assert not noted(client, b"expire-cycle")
        client.call("DEBUG", "CLOCK", "ADVANCE", "1001")
        client.call("DEBUG", "CLOCK", "RELEASE")
        client.call("DEBUG", "SET-ACTIVE-EXPIRE", "1")
        wait_until(lambda: client.call("DBSIZE") == 0)
        assert noted(client, b"expire-cycle")


def test_events_of_a_large_value(fresh_server):
    """Its removal is one thing; that it is freed, for which the eviction waits, another."""
    with fresh_server("--latency-monitor-threshold", "1").client(timeout=60.0) as client:
        client.call("EVAL", "for i = 1, 300 do local t = {} for j = 1, 1000 do t[j] = i * 1000 + j end "
                            "redis.call('SADD', KEYS[1], unpack(t)) end", "1", "s")
        used = info_number(client, "used_memory")
        assert not noted(client, b"eviction-lazyfree")
        client.call("CONFIG", "SET", "maxmemory-eviction-tenacity", "100", "maxmemory-policy", "allkeys-random",
                    "maxmemory", str(used - 1_000_000))
        wait_until(lambda: client.call("EXISTS", "s") == 0)
        assert noted(client, b"eviction-lazyfree")


def test_the_event_of_a_command_that_had_to_wait(fresh_server):
    server = fresh_server("--latency-monitor-threshold", "1")
    with server.client(timeout=60.0) as client, server.client(timeout=60.0) as waiter:
        waiter.send("BLMPOP", "0", "1", "l", "LEFT", "COUNT", "300000")
        wait_until(lambda: info_number(client, "blocked_clients") == 1)
        client.call("EVAL", "for i = 1, 300 do local t = {} for j = 1, 1000 do t[j] = i * 1000 + j end "
                            "redis.call('RPUSH', KEYS[1], unpack(t)) end", "1", "l")
        assert len(waiter.read()[1]) == 300_000
        assert noted(client, b"command-unblocking")


def test_events_are_timed(local):
    with timed(local.engine, "aof-rename"):
        pass
    assert not local.engine.metrics.latency.events
    with pytest.raises(OSError), timed(local.engine, "aof-rename"):
        time.sleep(0.02)
        raise OSError
    assert local.engine.metrics.latency.events["aof-rename"].longest_ms >= 20


def test_events_of_the_append_only_file_and_of_fork(fresh_server):
    server = fresh_server("--appendonly", "yes", "--latency-monitor-threshold", "5")
    with server.client() as client:
        client.call("SET", "k", "v")
        client.call("DEBUG", "AOF-FLUSH-SLEEP", "10000")
        client.call("SET", "k", "v")
        client.call("DEBUG", "AOF-FLUSH-SLEEP", "0")
        assert noted(client, b"aof-write")
        assert noted(client, b"aof-write-alone") or noted(client, b"aof-write-pending-fsync")
    local = Local("latency-monitor-threshold 5")
    local.engine.metrics.forked(7000)
    assert noted(local.client(), b"fork")
    local.loop.close()
