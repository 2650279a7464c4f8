"""What tools ask when they connect: nothing of it is unknown, and they can take the replies apart.

The lists are what redis_exporter, RedisInsight and redis-commander send at first, without what concerns access control,
functions, scripts and streams.
Source: github.com/oliver006/redis_exporter, github.com/redis/RedisInsight, github.com/joeferner/redis-commander
"""
import re

import pytest

from tests.conftest import PEER
from tests.resp import Error
from tests.test_info import sections

DISABLED = Error("ERR This instance has cluster support disabled")
EXPORTER = ("CLIENT SETNAME redis_exporter", "CONFIG GET *", "INFO ALL", "LATENCY LATEST", "LATENCY HISTOGRAM",
            "SLOWLOG LEN", "SLOWLOG GET 1", "SCAN 0 COUNT 10", "TYPE k", "MEMORY USAGE k", "STRLEN k", "CLIENT LIST")
INSIGHT = ("CLIENT SETINFO LIB-NAME ioredis", "INFO", "COMMAND", "CLUSTER INFO", "MODULE LIST", "CONFIG GET databases",
           "DBSIZE", "CLIENT LIST", "INFO everything", "SCAN 0 MATCH * COUNT 9999", "MEMORY USAGE k SAMPLES 0", "TTL k",
           "TYPE k", "OBJECT ENCODING k", "SLOWLOG GET 50", "CONFIG GET slowlog*", "MEMORY DOCTOR", "MEMORY STATS",
           "LATENCY DOCTOR", "PUBSUB CHANNELS", "CLIENT NO-EVICT off", "COMMAND INFO ft.info json.get ts.add bf.info")
COMMANDER = ("INFO", "COMMAND", "COMMAND COUNT", "CONFIG GET databases", "SELECT 0", "KEYS *", "SCAN 0 COUNT 100",
             "TYPE k", "TTL k", "GET k", "MEMORY USAGE k", "CLUSTER NODES", "CLIENT GETNAME", "CLIENT ID", "ROLE",
             "LASTSAVE", "TIME", "MEMORY MALLOC-STATS", "OBJECT REFCOUNT k", "PUBSUB NUMPAT", "RANDOMKEY")
TOOLS = {"redis_exporter": EXPORTER, "RedisInsight": INSIGHT, "redis-commander": COMMANDER}
SINCE = {"CLIENT SETINFO LIB-NAME ioredis": "7.2"}


@pytest.mark.parametrize("tool", TOOLS)
@pytest.mark.parametrize("protocol", [2, 3])
def test_first_look(tool, protocol, either_server, request):
    server = either_server()
    with server.client(protocol=protocol) as client:
        client.call("SET", "k", "v")
        for command in TOOLS[tool]:
            if server.kind == "peer" and command in SINCE and not request.config.stash[PEER].has(SINCE[command]):
                continue
            reply = client.call(*command.split())
            if command.startswith("CLUSTER"):
                assert reply == DISABLED
            else:
                assert not isinstance(reply, Error), f"{command}: {reply}"


@pytest.mark.parametrize("command", ["SENTINEL masters", "FT._LIST"])
def test_what_tells_tools_of_what_there_is_not(command, either_server):
    with either_server().client() as client:
        assert client.call(*command.split()).startswith("ERR unknown command")


def test_what_the_exporter_takes_apart(either_server):
    with either_server().client() as client:
        client.call("SET", "k", "v")
        config = client.call("CONFIG", "GET", "*")
        known = dict(zip(config[::2], config[1::2], strict=True))
        assert known[b"databases"].isdigit() and known[b"maxmemory"] == b"0" and known[b"maxclients"].isdigit()
        found = sections(client.call("INFO", "ALL").decode())
        assert re.fullmatch(r"\d+\.\d+\.\d+", found["Server"]["redis_version"])
        assert found["Cluster"]["cluster_enabled"] == "0"
        assert float(found["Memory"]["mem_fragmentation_ratio"]) > 0
        for name in ("uptime_in_seconds", "process_id", "tcp_port", "io_threads_active"):
            assert found["Server"][name].isdigit(), name
        histograms = client.call("LATENCY", "HISTOGRAM")
        for details in histograms[1::2]:
            name, calls, second, limits = details
            assert (name, second) == (b"calls", b"histogram_usec") and calls > 0
            assert limits[1::2] == sorted(limits[1::2]) and limits[-1] == calls
        fields = dict(field.split("=", 1) for field in client.call("CLIENT", "LIST").decode().split("\n")[0].split(" "))
        assert {"addr", "name", "age", "idle", "db", "omem", "flags", "cmd", "user", "resp"} <= set(fields)


def test_the_server_says_who_it_is(fresh_server):
    import fastredis
    with fresh_server("--availability-zone", "here").client() as client:
        found = sections(client.call("INFO", "server").decode())["Server"]
    assert found["redis_version"] == fastredis.REDIS_VERSION
    assert (found["server_name"], found["fastredis_version"]) == ("fastredis", fastredis.__version__)
    assert found["availability_zone"] == "here"
    assert re.fullmatch("[0-9a-f]{16}", found["redis_build_id"]) and found["redis_mode"] == "standalone"
