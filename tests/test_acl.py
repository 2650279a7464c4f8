"""Users in files and in the configuration, and what else access control changes. Rows: tests/commands/test_acl.py."""
import hashlib

import pytest

import fastredis
from tests.acl.pairs import Pairs
from tests.helpers import wait_until
from tests.resp import Closed, Error
from tests.rows import OK, PONG
from tests.servers import Peer, fastredis_server, newer_peers, peer_server

HASH = hashlib.sha256(b"secret").hexdigest()
PAIRS = 4000
ALL = b"user default on nopass sanitize-payload ~* &* +@all"


def test_rules_and_commands_beside_a_real_server(peer):
    """A short form of `python -m tests.acl`."""
    newest: Peer = newer_peers().get("redis", peer)
    with fastredis_server() as ours, peer_server(newest.path) as theirs, Pairs(ours, theirs, newest, 7) as pairs:
        while pairs.count < PAIRS and not pairs.findings:
            pairs.round()
        assert not pairs.findings, "\n".join(pairs.findings)
        assert pairs.denied > PAIRS / 10 and pairs.run > PAIRS / 10


def test_databases_beside_a_real_server(peer):
    newest = newer_peers().get("valkey")
    if newest is None or not newest.has("valkey 9.1"):
        pytest.skip("db= came with Valkey 9.1")
    with fastredis_server() as ours, peer_server(newest.path) as theirs, Pairs(ours, theirs, newest, 8) as pairs:
        while pairs.count < PAIRS and not pairs.findings:
            pairs.round()
        assert not pairs.findings, "\n".join(pairs.findings)


# --- at the start

def test_user_lines(either_server):
    server = either_server(config=f"user alice on #{HASH} ~a* +get (~c +get)\nuser alice2 on >x +ping\n"
                                  "user default on nopass ~* &* +@all\n")
    with server.client() as client:
        assert client.call("AUTH", "alice", "secret") == OK
        assert client.call("GET", "a") is None
        assert client.call("GET", "c") is None and isinstance(client.call("GET", "b"), Error)
        assert client.call("AUTH", "alice2", "x") == OK and client.call("PING") == PONG


WRONG_LINES = {
    "twice": ("user alice on\nuser alice off", "Duplicate user"),
    "an open selector": ("user alice on (+get", "FATAL CONFIG FILE ERROR"),
    "a wrong rule": ("user alice on +@all ~a x", "Syntax error"),
    "a pattern after all": ("user alice allkeys ~a", "Adding a pattern after the \\* pattern"),
    "an unknown command": ("user alice +nosuch", "Unknown command"),
}


@pytest.mark.parametrize("name", WRONG_LINES)
def test_wrong_user_lines(either_server, name):
    lines, text = WRONG_LINES[name]
    with pytest.raises(RuntimeError, match=text):
        either_server(config=lines)


def test_requirepass_and_the_line_of_the_default_user(either_server):
    server = either_server(config=f"requirepass other\nuser default on #{HASH} ~* &* +@all\n")
    with server.client() as client:
        assert client.call("PING") == Error("NOAUTH Authentication required.")
        assert isinstance(client.call("AUTH", "other"), Error)
        assert client.call("AUTH", "secret") == OK and client.call("PING") == PONG


def test_an_acl_file_and_user_lines(either_server, tmp_path):
    path = tmp_path / "users.acl"
    path.write_text("user alice on nopass +ping\n")
    with pytest.raises(RuntimeError, match="ACL file path is invalid"):
        either_server(config=f"aclfile {path}\nuser bob on")


# --- the ACL file

def test_load_and_save(either_server, tmp_path):
    path = tmp_path / "users.acl"
    path.write_text(f"\nuser alice on #{HASH} ~a* +get +set\n  user bob on nopass +@all ~* &*  \r\n")
    server = either_server("--aclfile", str(path))
    with server.client() as client, server.client() as alice, server.client() as bob:
        assert client.call("ACL", "USERS") == [b"alice", b"bob", b"default"]
        assert alice.call("AUTH", "alice", "secret") == OK and bob.call("AUTH", "bob", "x") == OK
        assert client.call("ACL", "SETUSER", "carol", "on", "nopass", "(~c +get)") == OK
        assert client.call("ACL", "SAVE") == OK
        saved = path.read_text()
        assert [line.split()[1] for line in saved.splitlines()] == ["alice", "bob", "carol", "default"]
        assert "user carol on nopass" in saved and "(~c resetchannels -@all +get)" in saved
        path.write_text(saved.replace("~a*", "~b*").replace("user bob", "user robert"))
        assert client.call("ACL", "LOAD") == OK
        assert client.call("ACL", "USERS") == [b"alice", b"carol", b"default", b"robert"]
        with pytest.raises((Closed, ConnectionError)):      # bob is gone
            bob.call("PING")
            bob.call("PING")


def test_a_changed_user_stays_connected(fresh_server, tmp_path):
    path = tmp_path / "users.acl"
    path.write_text("user alice on nopass ~a* +get +set\n")
    server = fresh_server("--aclfile", str(path))
    with server.client() as client, server.client() as alice:
        assert alice.call("AUTH", "alice", "x") == OK and alice.call("GET", "a") is None
        path.write_text("user alice on nopass ~b* +get\n")
        assert client.call("ACL", "LOAD") == OK
        assert alice.call("GET", "b") is None and isinstance(alice.call("GET", "a"), Error)


WRONG_FILES = {
    "no user": ("bob on\n", ":1 should start with user keyword followed by the username"),
    "twice": ("user a on\nuser a off\n", "WARNING: Duplicate user 'a' found on line 2"),
    "a wrong command": ("user a on\nuser b +nosuch +get2\n",
                        ":2: Error in applying operation '+nosuch': Unknown command or category name in ACL. "),
    "a wrong rule": ("user a x y\n", ":1: Syntax error. WARNING: ACL errors detected"),
    "an open selector": ("user a (+get\n", ":1: Unmatched parenthesis in selector definition"),
    "a comment": ("# a comment\n", ":1 should start with user keyword followed by the username"),
}


@pytest.mark.parametrize("name", WRONG_FILES)
def test_a_wrong_line_changes_nothing(either_server, tmp_path, name):
    path = tmp_path / "users.acl"
    path.write_text("user alice on nopass ~a* +get\n")
    server = either_server("--aclfile", str(path))
    lines, text = WRONG_FILES[name]
    path.write_text(lines)
    with server.client() as client:
        before = client.call("ACL", "LIST")
        error = client.call("ACL", "LOAD")
        assert isinstance(error, Error) and text in error
        assert error.endswith("no change to the previously active ACL rules was performed")
        assert client.call("ACL", "LIST") == before
        path.unlink()
        assert "No such file or directory" in client.call("ACL", "LOAD")


def test_a_server_does_not_start_with_a_wrong_file(either_server, tmp_path):
    path = tmp_path / "users.acl"
    path.write_text("user alice x\n")
    with pytest.raises(RuntimeError, match="startup because of ACL errors"):
        either_server("--aclfile", str(path))
    with pytest.raises(RuntimeError, match="startup because of ACL errors"):
        either_server("--aclfile", str(tmp_path / "none"))


def test_a_file_that_cannot_be_written(fresh_server, tmp_path):
    (tmp_path / "there").mkdir()
    path = tmp_path / "there" / "users.acl"
    path.write_text("user alice on\n")
    server = fresh_server("--aclfile", str(path))
    path.unlink()
    (tmp_path / "there").rmdir()
    with server.client() as client:
        assert client.call("ACL", "SAVE").startswith("ERR There was an error trying to save the ACLs.")
    assert "for ACL SAVE: No such file or directory" in server.log()


# --- CONFIG REWRITE

def test_rewritten_users_come_back(fresh_server):
    server = fresh_server(config="hz 20\n")
    names = [b"plain", b'quo"ted', b"back\\slash", b"sharp#"]
    with server.client() as client:
        for name in names:
            assert client.call("ACL", "SETUSER", name, "on", ">p", b'~a"b', b"~'", "+@all", "-get", "(~c +get)") == OK
        before = client.call("ACL", "LIST")
        assert client.call("CONFIG", "REWRITE") == OK
    text = (server.directory / "redis.conf").read_text()
    again = fresh_server(config="\n".join(line for line in text.splitlines() if line.startswith(("user", "hz"))))
    with again.client() as client:
        assert client.call("ACL", "LIST") == before


# --- who is not concerned, and who must not see

def test_nothing_is_propagated_and_nothing_is_shown(fresh_server):
    server = fresh_server("--slowlog-log-slower-than", "0")
    with server.client() as client, server.client() as monitor:
        assert monitor.call("MONITOR") == OK
        for words in (("ACL", "SETUSER", "alice", ">secret1"), ("ACL", "GETUSER", "alice"), ("ACL", "DELUSER", "alice"),
                      ("AUTH", "alice", "secret2"), ("HELLO", "2", "AUTH", "alice", "secret3"), ("ACL", "WHOAMI"),
                      ("PING",)):
            client.call(*words)
        log = repr(client.call("SLOWLOG", "GET", "-1"))
        assert "alice" not in log and "secret" not in log and "SETUSER" in log and "(redacted)" in log
        shown = ""
        while "PING" not in shown:
            shown += monitor.read()
        assert "alice" not in shown and "secret" not in shown and "WHOAMI" in shown


def test_clients_in_the_process_are_not_limited():
    with fastredis.Server(requirepass="secret") as server:
        local = server.engine
        assert local.execute("ACL", "SETUSER", "default", "-@all", "off") == b"OK"
        assert local.execute("SET", "k", "v") == b"OK" and local.execute("ACL", "WHOAMI") == b"default"
        local.execute("ACL", "SETUSER", "alice", "on", "nopass", "+acl|whoami", "+auth")
        with local.new_client() as other:
            assert other.execute("GET", "k") == b"v"
        local.execute("AUTH", "alice", "x")
        assert local.execute("ACL", "WHOAMI") == b"alice"
        with pytest.raises(fastredis.ReplyError, match="NOPERM"):
            local.execute("GET", "k")
        local.execute("RESET")
        assert local.execute("GET", "k") == b"v"


def test_protected_mode_looks_at_the_default_user(fresh_server):
    server = fresh_server("--requirepass", "secret")
    with server.client() as client:
        assert client.call("AUTH", "secret") == OK
        assert client.call("INFO", "stats").count(b"acl_access_denied") == 6


def test_sentinels_user(fresh_server):
    """The rules that Redis's documentation gives for Sentinel, and for a replica."""
    server = fresh_server()
    with server.client() as client, server.client() as sentinel:
        assert client.call("ACL", "SETUSER", "sentinel", "on", ">s", "allchannels", "+multi", "+slaveof", "+ping",
                           "+exec", "+subscribe", "+config|rewrite", "+role", "+publish", "+info", "+client|setname",
                           "+client|kill", "+script|kill") == OK
        assert client.call("ACL", "SETUSER", "replica", "on", ">r", "+psync", "+replconf", "+ping") == OK
        assert sentinel.call("AUTH", "sentinel", "s") == OK and sentinel.call("ROLE")[0] == b"master"
        assert sentinel.call("PUBLISH", "__sentinel__:hello", "x") == 0
        assert isinstance(sentinel.call("GET", "k"), Error)


def test_a_replica_with_a_user(fresh_server):
    master = fresh_server()
    with master.client() as client:
        client.call("ACL", "SETUSER", "replica", "on", ">r", "+psync", "+replconf", "+ping")
        client.call("ACL", "SETUSER", "default", "resetpass", ">s")
        client.call("AUTH", "s")
        client.call("SET", "k", "v")
        replica = fresh_server("--replicaof", f"127.0.0.1 {master.port}", "--masteruser", "replica",
                               "--masterauth", "r")
        with replica.client() as other:
            wait_until(lambda: other.call("GET", "k") == b"v")
            client.call("ACL", "SETUSER", "alice", "on", "nopass", "+@all")
            client.call("SET", "k", "w")
            wait_until(lambda: other.call("GET", "k") == b"w")
            assert other.call("ACL", "USERS") == [b"default"]
