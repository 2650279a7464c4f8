"""metrics-port: what Prometheus reads, /healthz and /readyz, and who may not disturb the server by HTTP."""
import contextlib
import os
import re
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

import fastredis
from fastredis.commands.information import SECTIONS
from fastredis.exporter import endpoint, names
from tests.helpers import wait_until
from tests.persist.test_loading import Process
from tests.resp import Error, Status
from tests.servers import Server, free_port, listens

# What the queries of redis_exporter's own dashboards ask for.
IN_DASHBOARDS = {
    "redis_blocked_clients", "redis_commands_duration_seconds_total", "redis_commands_total",
    "redis_connected_clients", "redis_connected_slaves", "redis_db_keys", "redis_db_keys_expiring",
    "redis_evicted_keys_total", "redis_expired_keys_total", "redis_keyspace_hits_total",
    "redis_keyspace_misses_total", "redis_memory_fragmentation_ratio", "redis_memory_max_bytes",
    "redis_memory_used_bytes", "redis_memory_used_rss_bytes", "redis_net_input_bytes_total",
    "redis_net_output_bytes_total", "redis_start_time_seconds", "redis_up", "redis_uptime_in_seconds",
}


def talk(port, request, host="127.0.0.1"):
    """All that comes for some bytes: status, headers, body; None where nothing came."""
    with socket.create_connection((host, port), timeout=20) as sock:
        sock.sendall(request)
        answer = b""
        with contextlib.suppress(ConnectionResetError):
            while part := sock.recv(65536):
                answer += part
    if not answer:
        return None
    head, _, body = answer.partition(b"\r\n\r\n")
    status, *lines = head.decode().split("\r\n")
    headers = dict(line.split(": ", 1) for line in lines)
    return int(status.split()[1]), headers, body


def get(port, path, method="GET"):
    return talk(port, f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nAccept: */*\r\n\r\n".encode())


def scrape(port):
    """{(sample, labels): value} as Prometheus's own parser reads it, and {family: type}."""
    status, headers, body = get(port, "/metrics")
    assert status == 200 and headers["Content-Type"].startswith("text/plain") and int(
        headers["Content-Length"]) == len(body)
    families = list(text_string_to_metric_families(body.decode()))
    samples = {(sample.name, frozenset(sample.labels.items())): sample.value
               for family in families for sample in family.samples}
    assert len(samples) == sum(len(family.samples) for family in families), "a sample comes twice"
    return samples, {family.name: family.type for family in families}


def value(samples, name, **labels):
    return samples[name, frozenset(labels.items())]


@pytest.fixture
def server(fresh_server):
    """start(*options) -> a server, with its `metrics` port."""
    def start(*options, **more):
        port = free_port()
        started = fresh_server("--metrics-port", str(port), *options, **more)
        started.metrics = port
        return started
    return start


def test_the_values_are_those_of_info(server):
    started = server("--maxmemory", "1gb")
    with started.client() as client:
        for i in range(10):
            client.call("SET", f"k{i}", "v", *(("EX", "1000") if i < 3 else ()))
            client.call("GET", f"k{i % 5}")
        client.call("GET", "missing")
        client.call("LPUSH", "k0", "x")
        client.call("NOSUCH")
        client.call("GET")
        samples, types = scrape(started.metrics)
        info = dict(line.split(":", 1) for line in client.call("INFO", "everything").decode().splitlines()
                    if ":" in line)
    assert value(samples, "redis_up") == 1
    assert value(samples, "redis_db_keys", db="db0") == 10 and value(samples, "redis_db_keys_expiring", db="db0") == 3
    assert 990 < value(samples, "redis_db_avg_ttl_seconds", db="db0") <= 1000
    assert value(samples, "redis_commands_total", cmd="set") == 10
    assert value(samples, "redis_commands_failed_calls_total", cmd="lpush") == 1
    assert value(samples, "redis_commands_rejected_calls_total", cmd="get") == 1
    assert 0 < value(samples, "redis_commands_duration_seconds_total", cmd="set") < 1
    assert value(samples, "redis_errors_total", err="WRONGTYPE") == 1
    assert value(samples, "redis_errors_total", err="ERR") == 2
    assert value(samples, "redis_keyspace_hits_total") == 10 and value(samples, "redis_keyspace_misses_total") == 1
    assert value(samples, "redis_memory_max_bytes") == 2**30 == value(samples, "redis_config_maxmemory")
    assert value(samples, "redis_rdb_last_bgsave_status") == 1
    assert value(samples, "redis_connected_clients") == 1
    assert abs(value(samples, "redis_start_time_seconds") - time.time()) < 120
    instance = next(dict(labels) for name, labels in samples if name == "redis_instance_info")
    assert instance["run_id"] == info["run_id"] and instance["role"] == "master"
    assert types["redis_commands"] == "counter" and types["redis_memory_used_bytes"] == "gauge"
    assert types["redis_commands_latencies_usec"] == "histogram"


def test_the_dashboards_find_what_they_ask_for(server):
    started = server()
    with started.client() as client:
        client.call("SET", "k", "v")
    samples, _ = scrape(started.metrics)
    assert {name for name, _ in samples} >= IN_DASHBOARDS


def test_each_field_that_is_named_is_one_of_info(local):
    fields = {field for name, _, section in SECTIONS if name != "debug" for field, _ in section(local.engine) or ()}
    only_with = {"aof_current_size", "aof_base_size", "aof_pending_rewrite", "aof_buffer_length",
                 "aof_pending_bio_fsync", "aof_delayed_fsync", "slave_priority"}        # an AOF, a master
    assert names.GAUGES.keys() | names.COUNTERS.keys() | names.UNTYPED.keys() <= fields | only_with


def test_histograms_have_the_same_limits_at_all_times(server):
    started = server()
    with started.client() as client:
        client.call("SET", "k", "v")
        first, _ = scrape(started.metrics)
        client.call("DEBUG", "SLEEP", "0.05")
        client.pipeline([("GET", "k")] * 100)
        second, _ = scrape(started.metrics)

    def limits(samples, cmd):
        return {dict(labels)["le"]: count for (name, labels), count in samples.items()
                if name == "redis_commands_latencies_usec_bucket" and dict(labels)["cmd"] == cmd}

    known = limits(first, "set").keys()
    assert known == limits(second, "get").keys() == limits(second, "debug").keys() and "+Inf" in known
    counts = [count for _, count in sorted((float(le), count) for le, count in limits(second, "debug").items())]
    assert counts == sorted(counts) and counts[-1] == 1
    assert next(float(le) for le, count in limits(second, "debug").items() if count) > 50_000
    assert value(second, "redis_commands_latencies_usec_count", cmd="get") == 100
    assert 50_000 < value(second, "redis_commands_latencies_usec_sum", cmd="debug") < 5_000_000
    assert value(second, "redis_latency_percentiles_usec", cmd="debug", quantile="50") > 50_000


def test_what_other_commands_tell(server):
    started = server("--latency-monitor-threshold", "10", "--slowlog-log-slower-than", "10000")
    with started.client() as client:
        client.call("DEBUG", "SLEEP", "0.03")
        samples, _ = scrape(started.metrics)
    assert value(samples, "redis_slowlog_length") == 1
    assert 0.03 <= value(samples, "redis_last_slow_execution_duration_seconds") < 10
    assert 0.03 <= value(samples, "redis_latency_spike_duration_seconds", event_name="command") < 10
    assert abs(value(samples, "redis_latency_spike_last", event_name="command") - time.time()) < 60
    limit = value(samples, "redis_config_client_output_buffer_limit_bytes", **{"class": "pubsub", "limit": "hard"})
    assert limit == 32 * 2**20


def test_a_master_and_its_replica(server):
    master = server()
    replica = server("--replicaof", f"127.0.0.1 {master.port}", "--repl-diskless-sync-delay", "0",
                     "--metrics-max-link-down", "1")
    labels = {"master_host": "127.0.0.1", "master_port": str(master.port)}
    wait_until(lambda: get(replica.metrics, "/readyz")[0] == 200)
    samples, _ = scrape(replica.metrics)
    assert value(samples, "redis_master_link_up", **labels) == 1
    assert value(samples, "redis_slave_info", read_only="1", **labels) == 1
    samples, _ = scrape(master.metrics)
    assert value(samples, "redis_connected_slaves") == 1
    lags = [dict(labels) for name, labels in samples if name == "redis_connected_slave_lag_seconds"]
    assert [lag["slave_port"] for lag in lags] == [str(replica.port)]
    master.stop()
    _, _, body = wait_until(lambda: (answer := get(replica.metrics, "/readyz"))[0] == 503 and answer)
    assert re.fullmatch(rb"the link to the master is down for [23] s\n", body)
    assert value(scrape(replica.metrics)[0], "redis_master_link_up", **labels) == 0
    assert get(replica.metrics, "/healthz")[0] == 200


def test_a_replica_without_data_is_not_ready(server):
    started = server("--replicaof", f"127.0.0.1 {free_port()}")
    status, _, body = get(started.metrics, "/readyz")
    assert (status, body) == (503, b"this replica has not got its master's data yet\n")
    with started.client() as client:
        client.call("REPLICAOF", "NO", "ONE")
    assert get(started.metrics, "/readyz")[0] == 200


def test_not_ready_while_data_are_loaded(fresh_server, tmp_path):
    saving = fresh_server("--dir", str(tmp_path))
    with saving.client() as client:
        client.call("DEBUG", "POPULATE", "10000", "k", "10")
        client.call("SAVE")
    saving.stop()
    port = free_port()
    with Process(tmp_path, "--key-load-delay", "300", "--metrics-port", str(port)) as process, (
            process.client()) as client:
        wait_until(lambda: listens(process.process.pid, port))
        assert get(port, "/readyz")[::2] == (503, b"the data are being loaded\n")
        assert get(port, "/healthz")[0] == 200
        assert value(scrape(port)[0], "redis_loading_dump_file") == 1
        client.call("CONFIG", "SET", "key-load-delay", "0")
        wait_until(lambda: get(port, "/readyz")[0] == 200)
        assert value(scrape(port)[0], "redis_db_keys", db="db0") == 10000


def test_paths_and_methods(server):
    port = server().metrics
    assert get(port, "/healthz")[2] == b"ok\n" and get(port, "/readyz?verbose")[2] == b"ok\n"
    assert b"/metrics" in get(port, "/")[2]
    assert get(port, "/nosuch")[0] == 404
    status, headers, body = get(port, "/metrics", "HEAD")
    assert (status, body) == (200, b"") and int(headers["Content-Length"]) > 10_000
    assert get(port, "/metrics", "POST")[0] == 405 and get(port, "/metrics", "DELETE")[1]["Allow"] == "GET, HEAD"


@pytest.mark.parametrize("request_text, status", [
    (b"GET /\r\n\r\n", 400), (b"*1\r\n$4\r\nPING\r\n\r\n", 400), (b"\r\n\r\n", 400), (b"\0" * 100 + b"\r\n\r\n", 400),
    (b"GET / HTTP/2.0\r\n\r\n", 400), (b"GET /\xff HTTP/1.1\r\n\r\n", 404), (b"get / HTTP/1.1\r\n\r\n", 405),
    (b"GET / HTTP/1.1\r\nX: " + b"x" * 9000 + b"\r\n\r\n", 431), (b"x" * 100_000, 431),
    (b"GET /healthz HTTP/1.0\r\n\r\nGET /nosuch HTTP/1.1\r\n\r\n", 200),
])
def test_what_is_no_request(server, request_text, status):
    started = server()
    assert talk(started.metrics, request_text)[0] == status
    with started.client() as client:
        assert client.call("PING") == Status("PONG")


def test_a_request_in_pieces(server):
    port = server().metrics
    with socket.create_connection(("127.0.0.1", port), timeout=20) as sock:
        for byte in b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n":
            sock.sendall(bytes([byte]))
        assert sock.recv(1000).endswith(b"\r\n\r\nok\n")


def test_who_asks_and_says_no_more_gets_the_answer(server):
    port = server().metrics
    with socket.create_connection(("127.0.0.1", port), timeout=20) as sock:
        sock.sendall(b"GET /metrics HTTP/1.1\r\n\r\n")
        sock.shutdown(socket.SHUT_WR)
        text = b""
        while part := sock.recv(65536):
            text += part
    assert b"redis_up 1.0" in text


def test_who_waits_or_does_not_read_is_cut_off(server):
    """Half a request, none, and an answer that is not read to its end: after the time for that nothing is open."""
    started = server()
    with contextlib.ExitStack() as open_sockets:
        sockets = [open_sockets.enter_context(socket.create_connection(("127.0.0.1", started.metrics), timeout=30))
                   for _ in range(3)]
        sockets[0].sendall(b"GET /metr")
        sockets[1].setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sockets[1].sendall(b"GET /metrics HTTP/1.1\r\n\r\n")
        began = time.monotonic()
        for sock in (sockets[0], sockets[2]):
            with contextlib.suppress(ConnectionResetError):
                assert sock.recv(100) == b""
        assert endpoint.PATIENCE_SECONDS - 1 < time.monotonic() - began < endpoint.PATIENCE_SECONDS + 10
        wait_until(lambda: not established(started.pid, started.metrics))


def established(pid, port):
    """How many connections of a port a process has."""
    mine = {os.readlink(entry).removeprefix("socket:[").removesuffix("]")
            for entry in Path(f"/proc/{pid}/fd").iterdir() if entry.is_symlink()}
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return sum(int(row[1].split(":")[1], 16) == port and row[3] != "0A" and row[9] in mine for row in rows)


def test_there_are_not_more_than_so_many_at_a_time(server):
    started = server()
    with contextlib.ExitStack() as open_sockets:
        for _ in range(endpoint.MOST_CONNECTIONS + 20):
            open_sockets.enter_context(socket.create_connection(("127.0.0.1", started.metrics), timeout=20))
        wait_until(lambda: established(started.pid, started.metrics) == endpoint.MOST_CONNECTIONS)
        assert talk(started.metrics, b"GET / HTTP/1.1\r\n\r\n") is None
        with started.client() as client:
            assert client.call("PING") == Status("PONG")
    wait_until(lambda: (talk(started.metrics, b"GET /healthz HTTP/1.1\r\n\r\n") or [0])[0] == 200)


def test_clients_are_served_while_metrics_are_written(server):
    """Neither many scrapes nor their size hold anybody up for long."""
    started = server()
    with started.client() as client, contextlib.ExitStack() as open_sockets:
        for name in ("GET", "SET", "INCR", "LPUSH", "RPUSH", "SADD", "HSET", "ZADD", "TTL", "TYPE", "DEL", "EXISTS"):
            client.call(name, *["1"] * {"SET": 2, "LPUSH": 2, "RPUSH": 2, "SADD": 2, "HSET": 3, "ZADD": 3}.get(name, 1))
        for _ in range(8):
            sock = open_sockets.enter_context(socket.create_connection(("127.0.0.1", started.metrics), timeout=20))
            sock.sendall(b"GET /metrics HTTP/1.1\r\n\r\n")
        waits = []
        for _ in range(50):
            began = time.monotonic()
            client.call("PING")
            waits.append(time.monotonic() - began)
    assert sorted(waits)[40] < 0.1


def test_config_set_moves_it(server):
    started = server()
    old, new = started.metrics, free_port()
    with started.client() as client:
        assert client.call("CONFIG", "SET", "metrics-port", str(new)) == Status("OK")
        assert get(new, "/healthz")[0] == 200
        with pytest.raises(ConnectionRefusedError):
            get(old, "/healthz")
        refused = client.call("CONFIG", "SET", "metrics-port", str(started.port))
        assert isinstance(refused, Error) and "Could not create server TCP listening socket" in refused
        assert client.call("CONFIG", "GET", "metrics-port") == [b"metrics-port", str(new).encode()]
        assert get(new, "/healthz")[0] == 200
        assert client.call("CONFIG", "SET", "metrics-bind", "127.0.0.2") == Status("OK")
        assert talk(new, b"GET /healthz HTTP/1.1\r\n\r\n", "127.0.0.2")[0] == 200
        with pytest.raises(ConnectionRefusedError):
            get(new, "/healthz")
        assert client.call("CONFIG", "SET", "metrics-port", "0") == Status("OK")
        with pytest.raises(ConnectionRefusedError):
            talk(new, b"GET / HTTP/1.1\r\n\r\n", "127.0.0.2")


def without_the_package(tmp_path, *options):
    (tmp_path / "prometheus_client.py").write_text("raise ImportError('not here')\n")
    here = str(Path(fastredis.__file__).resolve().parent.parent)
    environment = dict(os.environ, PYTHONPATH=os.pathsep.join([str(tmp_path), here]))
    return Server("fastredis", [sys.executable, "-m", "fastredis"], options, environment)


def test_without_the_package(tmp_path):
    port = str(free_port())
    with pytest.raises(RuntimeError, match=r"metrics-port needs the package prometheus-client: pip install"):
        without_the_package(tmp_path, "--metrics-port", port)
    with without_the_package(tmp_path) as started, started.client() as client:
        assert client.call("CONFIG", "SET", "metrics-port", port) == Error(
            "ERR CONFIG SET failed (possibly related to argument 'metrics-port') - metrics-port needs the package "
            "prometheus-client: pip install 'fastredis-server[metrics]'")
        assert client.call("CONFIG", "GET", "metrics-port") == [b"metrics-port", b"0"]


def test_a_port_that_is_taken_ends_the_start(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        with Process(tmp_path, "--metrics-port", port) as process:
            assert process.process.wait(timeout=60) == 1
            assert f"Failed listening on port {port} (metrics), aborting." in process.log()


def test_nothing_is_imported_for_it_unless_it_is_on():
    program = ("import sys, fastredis\nwith fastredis.Server() as server: server.engine.execute('PING')\n"
               "print('prometheus_client' in sys.modules)")
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "False\n"


def test_the_connection_of_a_child_is_none_of_its(server):
    """A child that saves has the sockets, too; the answer ends all the same."""
    started = server("--rdb-key-save-delay", "10000")
    with started.client() as client:
        client.call("DEBUG", "POPULATE", "500")
        with socket.create_connection(("127.0.0.1", started.metrics), timeout=20) as sock:
            sock.sendall(b"GET /healthz HTTP/1.1\r\n")
            client.call("BGSAVE")
            sock.sendall(b"\r\n")
            text = b""
            while part := sock.recv(1000):
                text += part
            assert text.endswith(b"ok\n")
        assert b"rdb_bgsave_in_progress:1" in client.call("INFO", "persistence")
        started.process.kill()
        started.process.wait()
    with pytest.raises((ConnectionRefusedError, ConnectionResetError)):     # the child does not listen
        get(started.metrics, "/healthz")


def test_an_embedded_server():
    with fastredis.Server(metrics=True) as server, server.client() as client:
        client.set("k", "v")
        port = int(re.fullmatch(r"http://127\.0\.0\.1:(\d+)/metrics", server.metrics_url)[1])
        samples, _ = scrape(port)
        assert value(samples, "redis_commands_total", cmd="set") == 1
        assert server.config["metrics-port"] == port
    with pytest.raises(ConnectionRefusedError):
        get(port, "/healthz")
    with fastredis.Server() as server:
        assert server.metrics_url is None
