"""Flags of scripts and functions where a command's flags matter: on replicas, while paused, in transactions.

On ours and on a real server, which has to reply the same.
"""
import pytest

from tests.conftest import PEER
from tests.helpers import wait_until
from tests.resp import Error, Status, encode
from tests.rows import OK, QUEUED
from tests.servers import peer_server

LIBRARY = """#!lua name=lib
local function set() return redis.call('SET', 'k', 'v') end
local function get() return redis.call('GET', 'k') end
redis.register_function('write', set)
redis.register_function{function_name='read', callback=get, flags={'no-writes'}}
redis.register_function{function_name='stale_read', callback=get, flags={'no-writes', 'allow-stale'}}
redis.register_function{function_name='stale', callback=function() return 1 end, flags={'no-writes', 'allow-stale'}}"""
READONLY = Error("READONLY You can't write against a read only replica.")
MASTERDOWN = Error("MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.")
ABORTED = Error("EXECABORT Transaction discarded because of previous errors.")
STALE = "ERR Can not execute the command on a stale replica script: "


@pytest.fixture(params=["ours", "theirs"])
def server(request, fresh_server):
    if request.param == "ours":
        yield fresh_server()
        return
    peer = request.config.stash[PEER]
    if peer is None or not peer.has("7.0"):
        pytest.skip("no peer with functions")
    with peer_server(peer.path) as server:
        yield server


@pytest.fixture
def client(server):
    with server.client() as client:
        client.call("FUNCTION", "LOAD", LIBRARY)
        yield client


def outcome(client, *words):
    """What a command replies, alone and in a transaction that it may spoil."""
    alone = client.call(*words)
    client.call("MULTI")
    queued = client.call(*words)
    return alone, queued, client.call("EXEC")


def call(name):
    return "FCALL", name, "0"


def script(flags, body="return 1"):
    return "EVAL", f"#!lua flags={flags}\n{body}", "0"


def test_a_read_only_replica(client):
    client.call("REPLICAOF", "127.0.0.1", "1")
    for command in (call("write"), script("allow-oom"), ("FCALL_RO", "write", "0")):
        assert outcome(client, *command) == (READONLY, READONLY, ABORTED), command
    for command in (call("read"), script("no-writes", "return redis.call('GET', 'k')")):
        assert outcome(client, *command) == (None, QUEUED, [None]), command
    assert client.call("EVAL", "return 1", "0") == 1
    assert str(client.call("EVAL", "return redis.call('SET', 'k', 'v')", "0")).startswith(str(READONLY))
    assert client.call("FUNCTION", "FLUSH") == READONLY


def test_a_stale_replica(client):
    client.call("CONFIG", "SET", "replica-serve-stale-data", "no")
    client.call("REPLICAOF", "127.0.0.1", "1")
    for command in (call("read"), script("no-writes")):
        assert outcome(client, *command) == (MASTERDOWN, MASTERDOWN, ABORTED), command
    for command in (call("stale"), script("no-writes,allow-stale")):
        assert outcome(client, *command) == (1, QUEUED, [1]), command
    for command in (call("stale_read"), script("no-writes,allow-stale", "return redis.call('GET', 'k')")):
        assert str(client.call(*command)).startswith(STALE), command
    assert client.call("EVAL", "return 1", "0") == MASTERDOWN
    assert client.call("FUNCTION", "LIST") == MASTERDOWN


def test_too_few_replicas(client):
    client.call("CONFIG", "SET", "min-replicas-to-write", "1")
    refused = Error("NOREPLICAS Not enough good replicas to write.")
    assert outcome(client, *call("write")) == (refused, refused, ABORTED)
    assert outcome(client, *call("read")) == (None, QUEUED, [None])


@pytest.mark.parametrize("command, waits", [
    (call("write"), True), (call("nope"), True), (call("read"), False), (("FCALL_RO", "read", "0"), False),
    (script("no-writes"), False), (script(""), True), (("EVAL", "return 1", "0"), True),
    (("EVAL_RO", "return 1", "0"), False), (("FUNCTION", "FLUSH"), True), (("FUNCTION", "LIST"), False)])
def test_writes_are_paused(server, client, command, waits):
    """CLIENT PAUSE WRITE holds what may write, and for longer than others wait for their reply."""
    assert client.call("CLIENT", "PAUSE", "60000", "WRITE") == OK
    with server.client(timeout=20) as other:
        other.send_raw(encode(*command))
        if waits:
            wait_until(lambda: b"blocked_clients:1\r\n" in client.call("INFO", "clients"))
            assert client.call("CLIENT", "UNPAUSE") == OK
        assert isinstance(other.read(), (int, bytes, list, Status, Error, type(None)))
        assert client.call("CLIENT", "UNPAUSE") == OK
