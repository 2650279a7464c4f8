"""The log's lines about who has changed settings and users."""
import json

import pytest

from tests.resp import Closed, Error, Status
from tests.test_config import PARAMETERS

OK = Status("OK")


def audit_lines(server):
    """The messages of these lines, with what comes before the client's id, and the client."""
    lines = [json.loads(line)["message"] for line in server.log().splitlines() if line.startswith("{")]
    return [line.split(" by client ") for line in lines if line.startswith(("CONFIG SET", "ACL "))
            and " by client " in line]


@pytest.fixture
def server(fresh_server):
    return fresh_server("--log-format", "json")


def test_who_has_set_what(server):
    with server.client() as client:
        assert client.call("CONFIG", "SET", "maxmemory", "100mb", "SAVE", "900 1") == OK
        assert isinstance(client.call("CONFIG", "SET", "maxmemory", "x"), Error)
        assert isinstance(client.call("CONFIG", "SET", "nosuch", "x"), Error)
        client_id = client.call("CLIENT", "ID")
        port = client.socket.getsockname()[1]
    assert audit_lines(server) == [['CONFIG SET "maxmemory" "100mb" "SAVE" "900 1"',
                                    f'id={client_id} addr=127.0.0.1:{port} user="default"']]


def test_no_line_has_a_secret(server):
    secrets = ["s3cret-a", "s3cret-b", "s3cret-c", "s3cret-d"]
    with server.client() as client:
        assert client.call("CONFIG", "SET", "MasterAuth", secrets[0], "masteruser", secrets[1]) == OK
        assert client.call("ACL", "SETUSER", "ann", "on", f">{secrets[2]}", f"<{secrets[2]}", "~k:*", "+get") == OK
        assert client.call("ACL", "SETUSER", "ann", "#" + "a" * 64, "!" + "a" * 64) == OK
        assert isinstance(client.call("ACL", "SETUSER", "ann", "+nosuch", f">{secrets[3]}"), Error)
        assert client.call("CONFIG", "SET", "requirepass", secrets[3]) == OK
    assert [what for what, _ in audit_lines(server)] == [
        'CONFIG SET "MasterAuth" (redacted) "masteruser" (redacted)',
        'ACL SETUSER "ann" "on" ">"(redacted) "<"(redacted) "~k:*" "+get"',
        'ACL SETUSER "ann" "#"(redacted) "!"(redacted)',
        'CONFIG SET "requirepass" (redacted)',
    ]
    assert not any(secret in server.log() for secret in [*secrets, "a" * 64])


def test_changes_of_users(server):
    with server.client() as client:
        client.call("ACL", "SETUSER", "ann", "on", "nopass", "+@all", "~*", "&*")
        assert client.call("AUTH", "ann", "x") == OK
        client.call("ACL", "SETUSER", "bob")
        assert client.call("ACL", "DELUSER", "bob", "nobody") == 1
        assert client.call("ACL", "DELUSER", "nobody") == 0
        for harmless in (("GETUSER", "ann"), ("LIST",), ("USERS",), ("WHOAMI",), ("LOG",), ("CAT",)):
            client.call("ACL", *harmless)
    lines = audit_lines(server)
    assert [what for what, _ in lines[1:]] == ['ACL SETUSER "bob"', 'ACL DELUSER "bob"']
    assert lines[0][1].endswith('user="default"') and all(who.endswith('user="ann"') for _, who in lines[1:])


def test_a_user_may_delete_itself(server):
    with server.client() as client:
        client.call("ACL", "SETUSER", "ann", "on", "nopass", "+@all")
        client.call("AUTH", "ann", "x")
        assert client.call("ACL", "DELUSER", "ann") == 1        # the reply comes, and then the end
        with pytest.raises(Closed):
            client.read()
    what, who = audit_lines(server)[-1]
    assert what == 'ACL DELUSER "ann"' and who.endswith('user="ann"')


def test_loading_users(fresh_server, tmp_path):
    (tmp_path / "users").write_text("user ann on nopass +@all\n")
    server = fresh_server("--log-format", "json", "--aclfile", str(tmp_path / "users"))
    with server.client() as client:
        assert client.call("ACL", "LOAD") == OK
        (tmp_path / "users").write_text("user ann nonsense\n")
        assert isinstance(client.call("ACL", "LOAD"), Error)
    assert [what for what, _ in audit_lines(server)] == ["ACL LOAD"]


def test_without_names(fresh_server):
    server = fresh_server("--log-format", "json", "--hide-user-data-from-log", "yes")
    with server.client() as client:
        client.call("ACL", "SETUSER", "ann", "on", "~private:*")
        client.call("ACL", "DELUSER", "ann")
        client.call("CONFIG", "SET", "maxmemory", "1mb")
    lines = audit_lines(server)
    assert [what for what, _ in lines] == ["ACL SETUSER (redacted) (redacted) (redacted)", "ACL DELUSER (redacted)",
                                           'CONFIG SET "maxmemory" "1mb"']
    assert all(who.endswith("user=(redacted)") for _, who in lines)
    assert "ann" not in "".join(what for what, _ in lines) and "private" not in server.log()


def test_a_value_cannot_forge_a_line(fresh_server):
    server = fresh_server()
    with server.client() as client:
        assert client.call("CONFIG", "SET", "proc-title-template", "x\n1:M 01 Jan 2026 00:00:00.000 * forged") == OK
        client.call("ACL", "SETUSER", "ann", "~a\r\nforged")
    assert not any(line.startswith(("forged", "1:M 01 Jan")) for line in server.log().splitlines())


def test_every_password_is_a_secret():
    """Each setting whose name says that it is one."""
    named = [parameter for parameter in PARAMETERS if parameter.name.endswith(("pass", "auth"))]
    assert len(named) >= 4
    from fastredis.config.types import SENSITIVE
    assert all(parameter.flags & SENSITIVE for parameter in named)
