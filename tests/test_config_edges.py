"""Every number of the table at its edges, and every text with odd bytes, on fastredis and on redis-server: the reply,
and what CONFIG GET says then.

After each value the server has to work: a client can connect, a key can be written if there is room, nothing is wrong
in the log.
"""
import pytest

from fastredis.config.config import Config
from fastredis.config.table import PARAMETERS
from fastredis.config.types import IMMUTABLE, PROTECTED, Bool, Enum, Int, KeyspaceEvents, String
from fastredis.text import to_bytes, to_text
from tests.resp import Error, Status
from tests.servers import fastredis_server, peer_server
from tests.test_config import REDIS_SERVER, needs_redis

NUMBERS = [0, 1, 2, -1, 100, 101, 2**31 - 1, 2**31, -(2**31), -(2**31) - 1, 2**32 - 1, 2**32, 2**63 - 1, 2**63,
           -(2**63), -(2**63) - 1, 2**64 - 1, 2**64, 2**64 + 1]
SPELLINGS = [
    "", " ", "1e3", "0x10", "+5", " 5", "5 ", "05", "-0", "5.0", "5.5", "5_0", "x", "5x", "5\0", "\0", "5\0x", "5%",
    "0%", "100%", "101%", "-5%", "%", "1%%", "9223372036854775807%", "9223372036854775808%", "1b", "1k", "1kb", "1KB",
    "5mb", "1mB", "1gb", "1tb", "kb", "1 kb", "-1kb", "8796093022207mb", "8796093022208mb", "17592186044416mb",
    "8589934592gb",
    "17179869183gb", "17179869184gb", "18446744073709551615kb", "18446744073709551616b", "9" * 127, "9" * 128,
    "0" * 127 + "7", "\u0661", "\uff15",
]
UNTRIED = {
    "port": "the server would listen elsewhere, or not at all",
    "maxclients": "how many there can be depends on the system",
}
# Redis 8 and Valkey have other limits than 7.0, and these are ours.
NEWER_LIMITS = {"maxmemory-samples"}
# What commands may be refused with, because a setting asks for it.
REFUSALS = ("OOM ", "NOREPLICAS ")
TRIED = [parameter for parameter in PARAMETERS if isinstance(parameter, Int) and not parameter.flags & IMMUTABLE
         and not parameter.absent and parameter.name not in UNTRIED]
# Settings of several numbers: each number in turn is one of the edges.
COMPOUND = {
    "client-output-buffer-limit": ("normal {} 0 0", "replica 0 {} 0", "pubsub 0 0 {}"),
    "save": ("{} 1", "1 {}"),
    "oom-score-adj-values": ("{} 1 2", "0 {} 2", "0 1 {}"),
    "latency-tracking-info-percentiles": ("{}", "1 {}"),
}
# A zero byte ends the text of nearly all settings, as in C. The present text is put in place of {}.
ODD_TEXTS = ("{}\0x", "{}\0 x\0", "\0", "\0{}", "b\0a", to_text(b"\xff"), to_text(b"{}\0\xff"))
TEXTS = [parameter for parameter in PARAMETERS if isinstance(parameter, (String, Enum, Bool, KeyspaceEvents))
         and not parameter.flags & (IMMUTABLE | PROTECTED) and not parameter.absent
         and parameter.name not in ("requirepass", "loglevel", "maxmemory-policy")]     # 7.0 does not name all values


def edges(parameter):
    """The numbers around the limits of this setting, others, and spellings of numbers."""
    spelled = "{:o}" if parameter.kind == "octal" else "{}"
    limits = [limit + step for limit in (parameter.low, parameter.high) for step in (-1, 0, 1)]
    return list(dict.fromkeys([spelled.format(number) for number in limits] + [*map(str, NUMBERS), *SPELLINGS]))


@pytest.fixture(scope="module")
def ours():
    with fastredis_server() as server:          # it looks for faults in its log at the end
        yield server


@pytest.fixture(scope="module")
def real():
    if REDIS_SERVER is None:
        pytest.skip("no redis-server 7.0 is on PATH")
    with peer_server(REDIS_SERVER) as server:
        yield server


def outcome(client, name, value):
    """What CONFIG SET replies, and what CONFIG GET does then."""
    return client.call("CONFIG", "SET", name, to_bytes(value)), client.call("CONFIG", "GET", name)


def connect(server):
    client = server.client()
    client.call("CLIENT", "NO-EVICT", "on")     # maxmemory-clients
    return client


def works(client, server):
    """Commands are executed, also by new clients, and a timer runs."""
    written = client.call("SET", "k", "v", "EX", "1000")
    assert written == Status("OK") or written.startswith(REFUSALS), written
    with server.client() as other:
        assert other.call("GET", "k") in (b"v", None)
        pushed = other.call("RPUSH", "l", "a", "b")
        assert pushed == 2 or pushed.startswith(REFUSALS), pushed
        other.call("DEL", "l", "k")


def try_all(name, values, ours, real):
    """Set the values on both, look for differences, and put the setting back."""
    differing = {}
    with connect(ours) as client, connect(real) as other:
        (_, theirs), (_, mine) = other.call("CONFIG", "GET", name), client.call("CONFIG", "GET", name)
        try:
            for value in values:
                found, expected = outcome(client, name, value), outcome(other, name, value)
                if found != expected:
                    differing[value] = (found, expected)
            works(client, ours)
        finally:
            restored = client.call("CONFIG", "SET", name, mine), other.call("CONFIG", "SET", name, theirs)
    assert differing == {}
    assert restored == (Status("OK"), Status("OK"))


@needs_redis
@pytest.mark.parametrize("parameter", TRIED, ids=lambda parameter: parameter.name)
def test_edges(parameter, ours, real):
    with real.client() as client:
        if parameter.name in NEWER_LIMITS or not client.call("CONFIG", "GET", parameter.name):
            pytest.skip("redis-server 7.0 has no such setting, or one with other limits")
    try_all(parameter.name, edges(parameter), ours, real)


@needs_redis
@pytest.mark.parametrize("parameter", TEXTS, ids=lambda parameter: parameter.name)
def test_odd_texts(parameter, ours, real):
    with real.client() as client:
        found = client.call("CONFIG", "GET", parameter.name)
    if not found:
        pytest.skip("redis-server 7.0 has no such setting")
    try_all(parameter.name, [text.replace("{}", to_text(found[1])) for text in ODD_TEXTS], ours, real)


@needs_redis
def test_odd_names(ours, real):
    with ours.client() as client, real.client() as other:
        for name in ("hz\0", "\0hz", "no\0such", b"h\xffz"):
            reply = client.call("CONFIG", "SET", name, "1")
            assert reply.startswith("ERR Unknown option") and reply == other.call("CONFIG", "SET", name, "1")
            assert client.call("CONFIG", "GET", name) == other.call("CONFIG", "GET", name) == []


@needs_redis
@pytest.mark.parametrize("name", COMPOUND)
def test_edges_of_settings_of_several_numbers(name, ours, real):
    values = [text.format(value) for text in COMPOUND[name] for value in (*map(str, NUMBERS), *SPELLINGS)]
    try_all(name, values, ours, real)


@pytest.mark.parametrize("parameter", TRIED, ids=lambda parameter: parameter.name)
def test_the_server_works_at_each_edge(parameter, ours):
    """Those that redis-server 7.0 has not, too: a value is refused in words, or taken and read back."""
    with connect(ours) as client:
        before = client.call("CONFIG", "GET", parameter.name)[1]
        try:
            for value in edges(parameter):
                reply, (_, now) = outcome(client, parameter.name, value)
                if reply == Status("OK"):
                    works(client, ours)
                    again = outcome(client, parameter.name, now.decode())
                    assert again == (Status("OK"), [parameter.name.encode(), now])
                else:
                    assert reply.startswith("ERR CONFIG SET failed (possibly related to argument")
        finally:
            restored = client.call("CONFIG", "SET", parameter.name, before)
        assert restored == Status("OK")


# The same in a file and on the command line: value and what CONFIG GET says then.
START = {
    "maxmemory": (str(2**63), str(2**64 - 1), "17179869183gb", "0"),
    "maxmemory-clients": ("100%", str(2**63 - 1)),
    "client-query-buffer-limit": (str(2**63 - 1), "1mb"),
    "client-output-buffer-limit": ("pubsub 18446744073709551615 9223372036854775808 2147483647",),
    "repl-backlog-size": (str(2**63 - 1), "16kb"),
    "hz": ("0", "501", "2147483647"),
    "slowlog-max-len": ("0", str(2**63 - 1)),
    "latency-tracking-info-percentiles": ("0 100",),
}


@needs_redis
@pytest.mark.parametrize("name, value", [(name, value) for name, values in START.items() for value in values])
@pytest.mark.parametrize("way", ["file", "command line"])
def test_start_at_the_edges(name, value, way, either_server):
    server = (either_server(config=f"{name} {value}\n") if way == "file" else either_server(f"--{name}", value))
    expected = Config()
    expected.load(options=f"{name} {value}")
    with server.client() as client:
        assert client.call("CONFIG", "GET", name) == [name.encode(), expected.text(name).encode()]
        client.call("CLIENT", "NO-EVICT", "on")
        if server.kind == "fastredis":
            works(client, server)


def test_a_length_that_nothing_can_be_added_to(ours):
    """The parser adds what stands around an argument: at 2^63 - 1 it would read beyond what has come."""
    with connect(ours) as client, ours.client() as other:
        before = client.call("CONFIG", "GET", "proto-max-bulk-len")[1]
        assert client.call("CONFIG", "SET", "proto-max-bulk-len", str(2**63 - 1)) == Status("OK")
        try:
            other.send_raw(b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$9223372036854775807\r\nabc\r\n")
            assert other.read() == Error("ERR Protocol error: invalid bulk length")
            assert client.call("EXISTS", "k") == 0
        finally:
            client.call("CONFIG", "SET", "proto-max-bulk-len", before)
