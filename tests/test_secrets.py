"""Passwords show nowhere: not in the log, in MONITOR, SLOWLOG, CLIENT LIST, ACL, INFO, or the file of users."""
import ast
import inspect
import textwrap

import pytest

from fastredis.engine.acl import users
from tests.resp import Error
from tests.rows import OK

SECRET = "open-sesame-4711"
# Whatever a client may put a password in, whether it is right there, wrong, or in the middle of nonsense.
SAYING = [
    f"AUTH {SECRET}", f"AUTH default {SECRET}", f"AUTH bob {SECRET}", f"AUTH a b {SECRET}",
    f"HELLO 3 AUTH bob {SECRET}", f"HELLO 2 AUTH default {SECRET} SETNAME x",
    f"HELLO 3 SETNAME x AUTH default {SECRET}", f"HELLO 9 AUTH default {SECRET}",
    f"ACL SETUSER bob on >{SECRET} +@all ~*", f"ACL SETUSER bob <{SECRET}", f"ACL SETUSER bob >{SECRET} nonsense",
    f"CONFIG SET requirepass {SECRET}", f"CONFIG SET masterauth {SECRET} maxmemory 0",
    f"CONFIG SET masteruser {SECRET}",
    f"CONFIG SET maxmemory 0 masterauth {SECRET} nonsense", f"CONFIG SET hz x masterauth {SECRET}",
    f"MIGRATE 127.0.0.1 1 nokey 0 10 AUTH {SECRET}", f'MIGRATE 127.0.0.1 1 "" 0 10 AUTH2 u {SECRET} KEYS nokey',
]


@pytest.fixture
def server(fresh_server):
    return fresh_server("--loglevel", "debug", "--slowlog-log-slower-than", "0", "--latency-monitor-threshold", "1")


def seen(client, monitor):
    """All that an operator may look at, as one text."""
    found = [client.call(*words) for words in (
        ("SLOWLOG", "GET", "-1"), ("CLIENT", "LIST"), ("CLIENT", "INFO"), ("INFO", "everything"), ("ACL", "LOG"),
        ("ACL", "LIST"), ("ACL", "GETUSER", "bob"), ("ACL", "GETUSER", "default"), ("LATENCY", "LATEST"),
        ("CONFIG", "GET", "*max*"))]
    client.call("ECHO", "the end")
    while "the end" not in (line := str(monitor.read())):
        found.append(line)
    return repr(found)


def test_what_an_operator_sees_has_no_password(server):
    with server.client(timeout=20) as client, server.client(timeout=20) as monitor:
        assert monitor.call("MONITOR") == OK
        for line in SAYING:
            with server.client(timeout=20) as other:
                other.send_raw(line.encode() + b"\r\n")
                other.read()
            for words in (("CONFIG", "SET", "requirepass", ""), ("ACL", "SETUSER", "default", "nopass")):
                assert client.call(*words) == OK
        shown = seen(client, monitor)
        assert "(redacted)" in shown and SECRET not in shown
    assert SECRET not in server.log()


def test_in_a_transaction(server):
    with server.client(timeout=20) as client, server.client(timeout=20) as monitor:
        assert monitor.call("MONITOR") == OK
        client.call("MULTI")
        for line in SAYING[:11]:
            client.send_raw(line.encode() + b"\r\n")
            client.read()
        client.call("EXEC")
        client.call("ACL", "SETUSER", "default", "nopass")
        shown = seen(client, monitor)
        assert SECRET not in shown
    assert SECRET not in server.log()


def test_what_is_wrong_in_a_file(fresh_server):
    """A line that cannot be read is shown, as it has to be found; a password that can be is not in the log."""
    server = fresh_server("--loglevel", "debug", config=f"masterauth {SECRET}\nuser bob on >{SECRET} +@all\n"
                          f"masteruser {SECRET}\n")
    with server.client() as client:
        assert client.call("AUTH", "bob", SECRET) == OK
        assert client.call("CONFIG", "SET", "maxmemory", "0") == OK
        assert client.call("CONFIG", "REWRITE") == OK
        with server.client() as other:
            for _ in range(3):
                assert isinstance(other.call("AUTH", "bob", SECRET + "x"), Error)
        assert SECRET not in repr(client.call("ACL", "LIST"))
        text = (server.directory / "redis.conf").read_text()
        assert text.count(SECRET) == 2 and f">{SECRET}" not in text        # of users there are hashes
    assert SECRET not in server.log()


def test_passwords_are_compared_in_constant_time():
    """All of a user's are, each to its end: how long it takes tells nothing about them."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(users.Users.authenticate)))
    loops = [node for node in ast.walk(tree) if isinstance(node, ast.For)]
    assert len(loops) == 1
    body = [node for line in loops[0].body for node in ast.walk(line)]
    assert not any(isinstance(node, (ast.Break, ast.Return, ast.Compare)) for node in body)
    assert "compare_digest" in ast.dump(loops[0])


@pytest.mark.parametrize("guess", ["", "x", SECRET[:-1], SECRET + "x", SECRET.upper(), SECRET + "\0", "\0" + SECRET])
def test_nothing_but_the_password_fits(fresh_server, guess):
    server = fresh_server("--requirepass", SECRET)
    with server.client() as client:
        assert isinstance(client.call("AUTH", guess), Error)
        assert isinstance(client.call("GET", "k"), Error)
        assert client.call("AUTH", SECRET) == OK
