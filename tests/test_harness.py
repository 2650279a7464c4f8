"""The tests' own tools: the RESP client, the command splitter, expectations, and what a case needs of the peer."""
import contextlib
import os
import socket
import sys
import threading

import pytest

from tests import servers
from tests.resp import NIL_ARRAY, Client, Closed, Error, Push, Set, Status, Verbatim, split
from tests.rows import (
    OK,
    R3,
    Advance,
    Any,
    Between,
    Case,
    Holding,
    Matching,
    Run,
    Unordered,
    command_words,
    difference,
    is_exact,
    row_params,
)
from tests.servers import Peer, Server, fastredis_server, listens, peer_server

SPLITS = {
    "": [],
    "GET k": [b"GET", b"k"],
    "  GET   k ": [b"GET", b"k"],
    r'SET k "a\x00\xff\r\n\"b\\"': [b"SET", b"k", b'a\x00\xff\r\n"b\\'],
    r"SET k 'it\'s \n'": [b"SET", b"k", rb"it's \n"],
    'SET "" \'\'': [b"SET", b"", b""],
    'a"b c"': [b"ab c"],
    "é": ["é".encode()],
}

FRAMES = {
    b"+OK\r\n": OK,
    b"-ERR no\r\n": Error("ERR no"),
    b":-12\r\n": -12,
    b"$3\r\na\r\n\r\n": b"a\r\n",
    b"$0\r\n\r\n": b"",
    b"$-1\r\n": None,
    b"*-1\r\n": NIL_ARRAY,
    b"*0\r\n": [],
    b"*3\r\n:1\r\n*1\r\n$1\r\na\r\n$-1\r\n": [1, [b"a"], None],
    b"_\r\n": None,
    b"#t\r\n": True,
    b",1.5\r\n": 1.5,
    b",inf\r\n": float("inf"),
    b"(12345678901234567890\r\n": 12345678901234567890,
    b"=7\r\ntxt:abc\r\n": Verbatim(b"abc"),
    b"%2\r\n$1\r\na\r\n:1\r\n$1\r\nb\r\n~1\r\n+x\r\n": {b"a": 1, b"b": [Status("x")]},
    b"~2\r\n:1\r\n:2\r\n": Set([1, 2]),
    b">2\r\n$1\r\na\r\n:1\r\n": Push([b"a", 1]),
}

# expectation, reply, protocol
RIGHT = [
    (5, 5, 2), ("v", b"v", 2), (b"\xff", b"\xff", 3), (OK, OK, 2), (None, None, 2), (Error("ERR x"), Error("ERR x"), 3),
    (NIL_ARRAY, NIL_ARRAY, 2), (NIL_ARRAY, None, 3), (["a", [1]], [b"a", [1]], 2),
    ({"a": 1}, {b"a": 1}, 3), ({"a": 1}, [b"a", 1], 2), ({"a", "b"}, Set([b"b", b"a"]), 3), ({"a"}, [b"a"], 2),
    (Set([{"a": 1}]), Set([{b"a": 1}]), 3), (Set([{"a": 1}]), [[b"a", 1]], 2),
    (1.5, 1.5, 3), (1.5, b"1.5", 2), (True, True, 3), (True, 1, 2), (Verbatim(b"x"), b"x", 2),
    (Verbatim(b"x"), Verbatim(b"x"), 3), (Push(["a"]), Push([b"a"]), 3), (Push(["a"]), [b"a"], 2),
    (R3(1, 2), 1, 2), (R3(1, 2), 2, 3), (Unordered(["a", "b"]), [b"b", b"a"], 2),
    (Unordered({"a": 1, "b": 2}), [b"b", 2, b"a", 1], 2), (Unordered({"a": 1}), {b"a": 1}, 3),
    (Between(1, 3), 2, 2), (Between(1, 3), b"2.5", 2), (Matching(r"a\d"), b"a1", 2), (Any(int), 3, 2),
    (Holding("b"), b"abc", 2), (Holding("b", 1), [1, b"b"], 2), (lambda reply: reply > 1, 2, 2),
]

WRONG = [
    (5, 6, 2), (5, b"5", 2), (1, True, 3), (True, 1, 3), ("OK", OK, 2), (OK, b"OK", 2), (OK, Error("OK"), 2),
    (Error("ERR x"), Error("ERR y"), 2), (Error("ERR x"), Status("ERR x"), 2), (None, NIL_ARRAY, 2),
    (NIL_ARRAY, None, 2), (None, b"", 2), (["a"], [b"a", b"b"], 2), (["a"], Set([b"a"]), 3), (["a"], Push([b"a"]), 3),
    (Push(["a"]), [b"a"], 3), ({"a": 1}, [b"a", 1], 3), ({"a": 1}, {b"a": 2}, 3), ({"a": 1}, [b"a", 2], 2),
    ({"a"}, [b"a"], 3), ({"a"}, Set([b"a", b"b"]), 3), (1.5, b"1.5", 3), (1.5, 1, 2), (Verbatim(b"x"), b"x", 3),
    (b"x", Verbatim(b"x"), 3), (R3(1, 2), 1, 3), (Unordered(["a", "a"]), [b"a", b"b"], 2),
    (Unordered({"a": 1}), [b"a", 2], 2), (Unordered({"a": 1}), {b"a": 1, b"b": 2}, 3),
    (Between(1, 3), 4, 2), (Between(1, 3), None, 2), (Matching("a"), b"ab", 2), (Any(int), b"3", 2),
    (Holding("x"), b"abc", 2),
    (Holding(2), [1], 2), (lambda reply: reply > 1, 1, 2),
]


class Context:
    """What difference() needs of a Run."""

    def __init__(self, protocol):
        self.protocol = protocol
        self.saved = {}


@pytest.fixture
def wire():
    """(client, socket of the other end)."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = Client(listener.getsockname()[1], timeout=2)
        other = listener.accept()[0]
        with client, other:
            yield client, other


@pytest.mark.parametrize("line", SPLITS)
def test_split(line):
    assert split(line) == SPLITS[line]


@pytest.mark.parametrize("line", ['"abc', "'abc", '"a"b'])
def test_split_refuses_bad_quotes(line):
    with pytest.raises(ValueError):
        split(line)


@pytest.mark.parametrize("data", FRAMES)
def test_frames_whole(wire, data):
    client, other = wire
    other.sendall(data + b":7\r\n")
    reply = client.read()
    assert (reply == FRAMES[data] and type(reply) is type(FRAMES[data])) or isinstance(reply, int)
    assert client.raw == data
    assert client.read() == 7


@pytest.mark.parametrize("data", FRAMES)
def test_frames_byte_by_byte(wire, data):
    client, other = wire
    client.socket.settimeout(0.2)
    for at in range(len(data)):
        other.sendall(data[at:at + 1])
        assert client.pending(1.0)
    assert client.read() == FRAMES[data]
    assert client.raw == data


def test_attributes_stand_beside_the_reply(wire):
    client, other = wire
    other.sendall(b"|1\r\n+ttl\r\n:3\r\n:5\r\n")
    assert client.read() == 5
    assert client.attributes == {Status("ttl"): 3} and client.raw == b":5\r\n"


def test_client_tells_the_end_of_the_stream_from_silence(wire):
    client, other = wire
    client.socket.settimeout(0.05)
    with pytest.raises(TimeoutError):
        client.read()
    other.close()
    with pytest.raises(Closed):
        client.read()


@pytest.mark.parametrize("expected, reply, protocol", RIGHT, ids=str)
def test_expectations_that_hold(expected, reply, protocol):
    assert difference(expected, reply, Context(protocol)) == ""


@pytest.mark.parametrize("expected, reply, protocol", WRONG, ids=str)
def test_expectations_that_do_not_hold(expected, reply, protocol):
    assert difference(expected, reply, Context(protocol)).startswith("replied ")


def test_only_expectations_without_a_matcher_are_exact():
    assert all(map(is_exact, [1, "a", ["a", {"b": None}], R3([1], {"a": 1}), Push(["a"]), OK]))
    assert not any(map(is_exact, [Any(), ["a", Any()], {"a": Any()}, R3(1, Any()), {"a"}, Set(["a"]), len]))


def test_command_words():
    assert command_words("@2 GET k") == ("2", [b"GET", b"k"])
    assert command_words("GET @2") == ("1", [b"GET", b"@2"])
    assert command_words(("@3", "SET", b"\xff", 5)) == ("3", [b"SET", b"\xff", b"5"])
    assert command_words("<") == ("1", [b"<"])


def fake_peer(product, *version):
    peer = object.__new__(Peer)
    peer.path, peer.product, peer.version = "", product, version
    return peer


@pytest.mark.parametrize("since, redis_70, redis_84, valkey_80, valkey_90", [
    ("6.2", True, True, True, True),
    ("7.2", False, True, True, True),
    ("8.4", False, True, False, False),
    ("valkey 9.0", False, False, False, True),
    ("8.4 or valkey 8.1", False, True, False, True),
])
def test_since(since, redis_70, redis_84, valkey_80, valkey_90):
    peers = [("redis", 7, 0, 15), ("redis", 8, 4, 0), ("valkey", 8, 0, 1), ("valkey", 9, 0, 0)]
    assert [fake_peer(*peer).has(since) for peer in peers] == [redis_70, redis_84, valkey_80, valkey_90]


def test_a_case_tells_why_the_peer_does_not_run_it():
    peer = fake_peer("redis", 7, 0, 15)
    assert Case([("PING", OK)]).why_not_on(peer) is None
    assert Case([Advance(300)]).why_not_on(peer) is None
    assert Case([Advance(301)]).why_not_on(peer) == "the peer would have to sleep 301 ms"
    assert Case([], since="8.4").why_not_on(peer) == "needs 8.4, the peer is redis 7.0.15"
    assert Case([], peer="no such clock").why_not_on(peer) == "no such clock"


def test_parameters_cover_kinds_and_protocols():
    cases = {"a": [("PING", OK)], "b": Case([("PING", OK)], since="8.4", resp=(3,))}
    params = row_params(cases, fake_peer("redis", 7, 0, 15))
    assert [param.id for param in params] == [
        "fastredis-resp2-a", "fastredis-resp3-a", "peer-resp2-a", "peer-resp3-a", "fastredis-resp3-b", "peer-resp3-b"]
    assert [len(param.marks) for param in params] == [0, 0, 0, 0, 0, 1]
    assert [param.id for param in row_params(cases, None)] == [
        "fastredis-resp2-a", "fastredis-resp3-a", "fastredis-resp3-b"]


def test_settings_of_a_case():
    case = Case([("CONFIG SET maxmemory 1 Hz 20", OK), ("config set save ''", OK), ("CONFIG GET x", {}), Advance(1)])
    assert case.settings() == ["hz", "maxmemory", "save"]


def test_a_wrong_row_fails_and_names_itself(row_session):
    target = row_session.target("peer")
    case = Case([("SET k v", OK), ("GET k", "w"), ("GET k", "v")])
    with pytest.raises(AssertionError, match=r"RESP2, row 2: 'GET k'\n  replied b'v', expected 'w'"):
        Run(target, case, 2).check()
    Run(target, Case([("GET k", None)]), 2).check()


def test_settings_are_put_back(row_session):
    target = row_session.target("peer")
    before = target.ask("CONFIG", "GET", "maxmemory-samples")
    Run(target, Case([("CONFIG SET maxmemory-samples 9", OK)]), 2).check()
    assert target.ask("CONFIG", "GET", "maxmemory-samples") == before


def test_a_server_that_does_not_start_shows_its_log():
    with pytest.raises(RuntimeError, match="cannot go on"):
        Server("fastredis", [sys.executable, "-c", "raise SystemExit('cannot go on')"])


@pytest.fixture
def foreign_port():
    """A port where somebody else answers PONG to whatever comes."""
    def answer():
        with contextlib.suppress(OSError):
            while True:
                connection = listener.accept()[0]
                with connection, contextlib.suppress(ConnectionError):
                    connection.recv(4096)
                    connection.sendall(b"+PONG\r\n")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=answer)
        thread.start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()


def test_whose_port_it_is(foreign_port):
    assert listens(os.getpid(), foreign_port)
    assert not listens(os.getppid(), foreign_port)
    with socket.create_connection(("127.0.0.1", foreign_port)) as connection:
        assert not listens(os.getpid(), connection.getsockname()[1])


@pytest.mark.parametrize("kind", ["fastredis", "peer"])
def test_a_port_that_somebody_else_took_is_given_up(kind, foreign_port, monkeypatch, request):
    if kind == "peer":
        peer = request.getfixturevalue("peer")
    ports, free_port = [foreign_port], servers.free_port
    monkeypatch.setattr(servers, "free_port", lambda: ports.pop() if ports else free_port())
    start = fastredis_server if kind == "fastredis" else lambda *options: peer_server(peer.path, *options)
    with start("--requirepass", "secret", "--rename-command", "INFO", "") as server:
        assert server.port != foreign_port and not ports
        assert servers.PORT_TAKEN not in server.log()
        with server.client() as client:
            assert client.call("AUTH", "secret") == OK


def test_the_answer_of_another_server_is_not_taken_for_its_own(foreign_port, monkeypatch):
    monkeypatch.setattr(servers, "free_port", lambda: foreign_port)
    monkeypatch.setattr(servers, "START_SECONDS", 0.3)
    with pytest.raises(RuntimeError, match="fastredis did not start"):
        Server("fastredis", [sys.executable, "-c", "import time; time.sleep(60)"])
