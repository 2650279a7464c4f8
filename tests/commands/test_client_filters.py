"""CLIENT LIST and CLIENT KILL by what connections are, as Valkey 9 has it; CLIENT IMPORT-SOURCE of Valkey 8.1.

What all servers have of CLIENT is in test_connection.py.
"""
import contextlib
import re
import shlex
import socket

import pytest

from tests.helpers import info_number, wait_until
from tests.rows import OK, SYNTAX, Any, Case, Error, Matching, wrong_args
from tests.servers import fastredis_server, peer_server
from tests.test_killed import is_closed

NEW = "valkey 9.0"
NEW_IMPORT = "valkey 8.1"


def start(request):
    if request.param == "fastredis":
        return fastredis_server(loop=request.config.getoption("--loop"))
    return peer_server(request.getfixturevalue("valkey").path)


BOTH = ("fastredis", "valkey")


@pytest.fixture(scope="module", params=BOTH)
def server(request):
    """A server without other clients than the test's."""
    with start(request) as running:
        yield running


@contextlib.contextmanager
def three(server):
    """Connections called one, two, three, and their ids by name: the last one is a subscriber."""
    names = ("one", "two", "three")
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(server.client()) for _ in names]
        ids = {}
        for client, name in zip(clients, names, strict=True):
            client.call("CLIENT", "SETNAME", name)
            ids[name] = client.call("CLIENT", "ID")
        for words in (("SELECT", "4"), ("CLIENT", "SETINFO", "lib-name", "lib"),
                      ("CLIENT", "SETINFO", "lib-ver", "1.2")):
            assert clients[1].call(*words) == OK
        for words in (("CLIENT", "CAPA", "redirect"), ("CLIENT", "NO-EVICT", "on")):
            assert clients[2].call(*words) == OK
        clients[2].call("SUBSCRIBE", "c")
        yield clients, ids
    with server.client() as client:
        wait_until(lambda: client.call("CLIENT", "LIST").count(b"\n") == 1)


@pytest.fixture(scope="module", params=BOTH)
def listing(request):
    """The first of three clients of another server, and their ids."""
    with start(request) as server, three(server) as (clients, ids):
        yield clients[0], ids


def words_of(text, ids):
    """The words of a filter, with the ids in the place of $name."""
    return [str(ids[word[1:]]) if word.startswith("$") else word for word in shlex.split(text)]


# filters of CLIENT LIST -> the connections that it shows, by the numbers of their names, in that order
LISTS = {
    "ID $one": "1", "ID $one ID $two": "12", "ID $one TYPE normal": "1",
    "id $one type pubsub": "",
    "NOT-ID $one": "23", "NOT-ID $one $two": "3", "NOT-ID $one NOT-ID $three": "2", "ID $one $two NOT-ID $one": "2",
    "TYPE normal": "12", "TYPE primary": "", "NOT-TYPE normal": "3", "NOT-TYPE pubsub": "12",
    "TYPE normal TYPE pubsub": "3",
    "USER default": "123", "NOT-USER default": "", "ADDR 1.2.3.4:5": "", "NOT-ADDR 1.2.3.4:5": "123", "LADDR x": "",
    "NOT-LADDR x": "123", "IP 127.0.0.1": "123", "IP 127.0.0.2": "", "NOT-IP 127.0.0.1": "", "IP 127.0.0.1:": "",
    "SKIPME yes": "23", "SKIPME no": "123", "MAXAGE 1000": "", "IDLE 1000": "",
    "NAME one": "1", "NAME on": "", 'NAME ""': "", "NOT-NAME one": "23", 'NOT-NAME ""': "123",
    "LIB-NAME lib": "2", "NOT-LIB-NAME lib": "13", "LIB-VER 1.2": "2", "NOT-LIB-VER 1.2": "13", 'LIB-VER ""': "",
    "FLAGS N": "12", "FLAGS P": "3", "FLAGS Pe": "3", "FLAGS eP": "3", "FLAGS PN": "", 'FLAGS ""': "123",
    "NOT-FLAGS N": "3", "NOT-FLAGS P": "12", 'NOT-FLAGS ""': "", "FLAGS AbcdeitIMOPRrSTuUBExN": "",
    "DB 0": "13", "DB 4": "2", "NOT-DB 0": "2", "CAPA r": "3", "NOT-CAPA r": "12", 'CAPA ""': "123", 'NOT-CAPA ""': "",
    "NAME one DB 4": "", "NAME two DB 4 LIB-NAME lib": "2", "NAME one NOT-NAME one": "",
}
BAD = {
    "x 1": SYNTAX, "NAME": SYNTAX, "NAME a b": SYNTAX, "NOT-ID x": SYNTAX, "NOT-SKIPME yes": SYNTAX, "SKIPME x": SYNTAX,
    "NOT-MAXAGE 1": SYNTAX, "NOT-IDLE 1": SYNTAX, "NOT-ID 0": Error("ERR client-id should be greater than 0"),
    "NOT-TYPE x": Error("ERR Unknown client type 'x'"), "USER nobody": Error("ERR No such user 'nobody'"),
    "NOT-USER nobody": Error("ERR No such user 'nobody'"),
    "MAXAGE x": Error("ERR maxage is not an integer or out of range"),
    "MAXAGE 0": Error("ERR maxage should be greater than 0"),
    "IDLE x": Error("ERR idle is not an integer or out of range"), "IDLE 0": Error("ERR idle should be greater than 0"),
    "FLAGS Z": Error("ERR Unknown flags found in the provided filter: Z"),
    "FLAGS NZ": Error("ERR Unknown flags found in the provided filter: NZ"),
    "NOT-FLAGS Z": Error("ERR Unknown flags found in the NOT-FLAGS filter: Z"),
    "CAPA x": Error("ERR Unknown capa found in the provided filter: x"),
    "NOT-CAPA redirect": Error("ERR Unknown capa found in the NOT-CAPA filter: redirect"),
    "DB 99": Error("ERR DB number should be between 0 and 15"),
    "DB -1": Error("ERR DB number should be between 0 and 15"),
    "DB x": Error("ERR DB is not an integer or out of range"),
    "NOT-DB 16": Error("ERR NOT-DB number should be between 0 and 15"),
    "NOT-DB x": Error("ERR NOT-DB is not an integer or out of range"),
}
CASES = {
    "bad filters of CLIENT LIST": Case([(f"CLIENT LIST {words}", reply) for words, reply in BAD.items()], since=NEW),
    "bad filters of CLIENT KILL": Case([(f"CLIENT KILL {words}", reply) for words, reply in BAD.items()
                                        if " " in words], since=NEW),
    "CLIENT IMPORT-SOURCE": Case([
        ("CLIENT IMPORT-SOURCE", wrong_args("client|import-source")), ("CLIENT IMPORT-SOURCE OFF", OK),
        ("CLIENT IMPORT-SOURCE ON", Error("ERR Server is not in import mode")),
        ("CLIENT IMPORT-SOURCE x", Error("ERR Server is not in import mode")), ("CONFIG SET import-mode yes", OK),
        ("CLIENT IMPORT-SOURCE x", SYNTAX), ("CLIENT IMPORT-SOURCE on", OK), ("CLIENT INFO", Matching(".* flags=I .*")),
        ("RESET", Any()), ("CLIENT INFO", Matching(".* flags=N .*")),
    ], since=NEW_IMPORT, resp=(2,)),
    "import mode keeps what has expired": Case([
        ("CONFIG SET import-mode yes", OK), ("CLIENT IMPORT-SOURCE on", OK), ("SET k v PXAT 1", OK), ("GET k", "v"),
        ("TTL k", 0), ("EXISTS k", 1), ("DBSIZE", 1), ("KEYS *", ["k"]), ("RANDOMKEY", "k"), ("SCAN 0", ["0", ["k"]]),
        ("@2 GET k", None), ("@2 EXISTS k", 0), ("@2 TTL k", -2), ("@2 DBSIZE", 1), ("@2 SCAN 0", ["0", []]),
        ("APPEND k w", 2), ("EXPIRE k -1", 1), ("GET k", "vw"), ("@2 SET l v", OK), ("@2 EXPIRE l -1", 1),
        ("@2 GET l", None), ("DBSIZE", 2), ("GET l", "v"), ("@2 INCR l", 1), ("@2 TTL l", -1), ("DEL k", 1),
        ("DBSIZE", 1),
    ], since=NEW_IMPORT),
    "import mode: in scripts, in transactions, hashes, copies": Case([
        ("CONFIG SET import-mode yes", OK), ("CLIENT IMPORT-SOURCE on", OK), ("SET k v PXAT 1", OK),
        ("EVAL \"return redis.call('get', KEYS[1])\" 1 k", "v"), ("MULTI", OK), ("GET k", Any()), ("EXEC", ["v"]),
        ("@2 EVAL \"return redis.call('get', KEYS[1])\" 1 k", None), ("HSET h f v", 1), ("PEXPIREAT h 1", 1),
        ("HGET h f", "v"), ("HSET h g w", 1), ("HLEN h", 2), ("@2 HLEN h", 0), ("COPY k c", 1), ("GET c", "v"),
        ("@2 GET c", None), ("RENAME c d", OK), ("GET d", "v"), ("PERSIST d", 1), ("@2 GET d", "v"),
        ("CONFIG SET import-mode no", OK), ("GET k", None), ("GET d", "v"), ("EXISTS h", 0),
    ], since=NEW_IMPORT),
    "import mode: deadlines of fields": Case([
        ("CONFIG SET import-mode yes", OK), ("CLIENT IMPORT-SOURCE on", OK), ("HSET h f 5 g 1", 2),
        ("HPEXPIREAT h 1 FIELDS 1 f", [1]), ("HGET h f", "5"), ("HINCRBY h f 1", 6), ("HPEXPIREAT h 1 FIELDS 1 f", [1]),
        ("HEXISTS h f", 1), ("@2 HGET h f", None), ("@2 HEXISTS h f", 0), ("HDEL h f", 1), ("HLEN h", 1),
    ], since=NEW),
}


def test_rows(row_case):
    row_case.check()


@pytest.mark.parametrize("filters", LISTS)
def test_client_list(listing, filters):
    client, ids = listing
    lines = client.call("CLIENT", "LIST", *words_of(filters, ids)).decode()
    numbers = {str(ids[name]): str(at) for at, name in enumerate(ids, 1)}
    assert "".join(numbers[number] for number in re.findall(r"^id=(\d+) ", lines, re.MULTILINE)) == LISTS[filters]


# filters of CLIENT KILL, how many connections it closes, and which are open then
KILLS = {
    "ID $two $three $one": (2, "1"), "ID $two $two": (1, "13"), "ID $two ID $three": (2, "1"),
    "ID $one SKIPME no": (1, "23"),
    "NAME nobody": (0, "123"), "NAME two LIB-NAME other": (0, "123"), "DB 4 LIB-VER 1.2": (1, "13"),
    "FLAGS P NOT-CAPA r": (0, "123"), "FLAGS P CAPA r NOT-IP 1.2.3.4": (1, "12"), "NOT-ID $two": (1, "12"),
    "NOT-ID $two $three": (0, "123"), "NOT-NAME one": (2, "1"), "NOT-NAME two SKIPME no": (2, "2"),
    "NOT-USER default": (0, "123"), "IP 127.0.0.1 NOT-TYPE pubsub": (1, "13"), "NOT-DB 0 SKIPME yes": (1, "13"),
}


@pytest.mark.parametrize("filters", KILLS)
def test_client_kill(server, filters):
    count, left = KILLS[filters]
    with three(server) as (clients, ids):
        assert clients[0].call("CLIENT", "KILL", *words_of(filters, ids)) == count
        with server.client() as other:
            lines = other.call("CLIENT", "LIST").decode()
        found = [name for name in ids if f" name={name} " in lines]
        assert found == [name for at, name in enumerate(ids, 1) if str(at) in left]


def test_idle_and_age(fresh_server):
    """Time is moved, and not waited for."""
    server = fresh_server()
    with server.client() as client, server.client() as other:
        assert client.call("DEBUG", "CLOCK", "FREEZE") == OK and other.call("PING")
        client.call("DEBUG", "CLOCK", "ADVANCE", "5000")
        assert client.call("CLIENT", "LIST", "IDLE", "5", "SKIPME", "yes").count(b"\n") == 1
        assert client.call("CLIENT", "LIST", "IDLE", "6", "SKIPME", "yes") == b""
        assert client.call("CLIENT", "LIST", "MAXAGE", "5").count(b"\n") == 2
        other.call("PING")
        assert client.call("CLIENT", "KILL", "IDLE", "5") == 0
        assert client.call("CLIENT", "KILL", "MAXAGE", "5") == 1
        assert is_closed(other)


def test_unix_sockets_have_their_path_as_ip(fresh_server, tmp_path):
    server = fresh_server("--unixsocket", str(tmp_path / "s"))
    with server.client() as client, socket.socket(socket.AF_UNIX) as sock:
        sock.connect(str(tmp_path / "s"))
        sock.sendall(b"PING\r\n")
        assert sock.recv(10) == b"+PONG\r\n"
        assert b" flags=U " in client.call("CLIENT", "LIST", "IP", str(tmp_path / "s"))
        assert client.call("CLIENT", "LIST", "NOT-IP", "127.0.0.1").count(b"\n") == 1


def test_nothing_is_evicted_in_import_mode(fresh_server):
    server = fresh_server("--maxmemory-policy", "allkeys-lru", "--import-mode", "yes")
    with server.client() as client:
        client.call("SET", "k", "v" * 100_000)
        client.call("CONFIG", "SET", "maxmemory", info_number(client, "used_memory") - 50_000)
        assert str(client.call("SET", "l", "v")).startswith("OOM ") and client.call("DBSIZE") == 1
        client.call("CONFIG", "SET", "import-mode", "no")
        client.call("SET", "l", "v")
        assert client.call("EXISTS", "k") == 0


def test_what_expired_goes_when_the_mode_ends(fresh_server):
    server = fresh_server("--import-mode", "yes")
    with server.client() as client:
        client.call("SET", "k", "v", "PX", "10")
        client.call("DEBUG", "CLOCK", "ADVANCE", "1000")
        assert client.call("GET", "k") is None and client.call("DBSIZE") == 1
        client.call("CONFIG", "SET", "import-mode", "no")
        assert client.call("DBSIZE") == 0
