"""Connections: HELLO, AUTH, RESET, CLIENT, and the protocol itself."""
import socket

import pytest

from tests.resp import Closed
from tests.rows import (
    BLOCKS,
    CLOSED,
    NIL_ARRAY,
    NOT_INTEGER,
    NOTHING,
    OK,
    PONG,
    QUEUED,
    SYNTAX,
    Any,
    Case,
    Error,
    Holding,
    Matching,
    Push,
    Raw,
    Save,
    Saved,
    Status,
    Verbatim,
    wrong_args,
)

CLIENT_LINE = (
    r"id=\d+ addr=127\.0\.0\.1:\d+ laddr=127\.0\.0\.1:\d+ fd=\d+ name=me age=\d+ idle=\d+ flags=N db=0 sub=0 psub=0 "
    r"ssub=0 multi=-1 (?:watch=0 )?qbuf=\d+ .*tot-mem=\d+ events=rw? cmd=client\|info user=default redir=-1 .*\n"
)
HELLO_FIELDS = [b"server", b"version", b"proto", b"id", b"mode", b"role", b"modules"]


def hello(protocol):
    """A check: the reply to HELLO in that protocol."""
    def is_right(reply):
        if isinstance(reply, dict) != (protocol == 3):
            return False
        pairs = reply if protocol == 3 else dict(zip(reply[::2], reply[1::2], strict=True))
        return list(pairs) == HELLO_FIELDS and pairs[b"proto"] == protocol
    return is_right


CASES = {
    "PING": [
        ("PING", PONG), ("PING hello", "hello"), ('PING ""', ""), ("PING a b", wrong_args("ping")),
        (r'ping "a\x00\r\n"', b"a\x00\r\n"),
    ],
    "ECHO": [
        ("ECHO hello", "hello"), ('ECHO ""', ""), (r'ECHO "a\x00\r\n\xff"', b"a\x00\r\n\xff"),
        ("ECHO", wrong_args("echo")), ("ECHO a b", wrong_args("echo")),
        (("ECHO", b"x" * (1 << 20)), b"x" * (1 << 20)),
    ],
    "SELECT": [
        ("SELECT 1", OK), ("SELECT 0", OK), ("SELECT 15", OK), ("SELECT 16", Error("ERR DB index is out of range")),
        ("SELECT -1", Error("ERR DB index is out of range")), ("SELECT x", NOT_INTEGER), ("SELECT 1.5", NOT_INTEGER),
        ("SELECT", wrong_args("select")), ("SELECT 0 1", wrong_args("select")),
    ],
    "QUIT": [("QUIT", OK), ("PING", CLOSED)],
    "QUIT with arguments": [("QUIT x", OK), ("PING", CLOSED)],
    "An unknown command": [
        ("NOSUCH", Error("ERR unknown command 'NOSUCH', with args beginning with: ")),
        ("NOSUCH a b", Error("ERR unknown command 'NOSUCH', with args beginning with: 'a' 'b' ")),
        (("NOSUCH", "x" * 200, "y"),
         Error("ERR unknown command 'NOSUCH', with args beginning with: '" + "x" * 128 + "' ")),
        (("N" * 200,), Error("ERR unknown command '" + "N" * 128 + "', with args beginning with: ")),
        (r'NOSUCH "a\r\nb"', Error("ERR unknown command 'NOSUCH', with args beginning with: 'a  b' ")),
        (r'NOSUCH "a\x00b"', Error("ERR unknown command 'NOSUCH', with args beginning with: 'a' ")),
        (r'CLIENT "a\x00b"', Error("ERR unknown subcommand 'a'. Try CLIENT HELP.")),
    ],
    "An empty command is passed over": [(Raw(b"\r\n*0\r\n\r\nPING\r\n"), PONG)],
    "Inline commands": [
        (Raw(b"PING\r\n"), PONG), (Raw(b"SET k \"a b\\x41\"\n"), OK), (Raw(b"GET  k \r\n"), "a bA"),
        (Raw(b"set k 'it\\'s'\r\n"), OK), (Raw(b"GET k\r\n"), "it's"),
    ],
    "An inline command with unbalanced quotes ends the connection": [
        (Raw(b"SET k \"abc\r\n"), Error("ERR Protocol error: unbalanced quotes in request")), ("<", CLOSED),
    ],
    "Protocol errors end the connection": [
        (Raw(b"*1\r\n:1\r\n"), Error("ERR Protocol error: expected '$', got ':'")), ("<", CLOSED),
    ],
    "A bad number of arguments ends the connection": [
        (Raw(b"*x\r\n"), Error("ERR Protocol error: invalid multibulk length")), ("<", CLOSED),
    ],
    "Too many arguments end the connection": [
        (Raw(b"*2147483648\r\n"), Error("ERR Protocol error: invalid multibulk length")), ("<", CLOSED),
    ],
    "A bad length ends the connection": [
        (Raw(b"*1\r\n$x\r\n"), Error("ERR Protocol error: invalid bulk length")), ("<", CLOSED),
    ],
    "A negative length ends the connection": [
        (Raw(b"*1\r\n$-1\r\n"), Error("ERR Protocol error: invalid bulk length")), ("<", CLOSED),
    ],
    "A length beyond proto-max-bulk-len ends the connection": [
        (Raw(b"*2\r\n$3\r\nGET\r\n$536870913\r\n"), Error("ERR Protocol error: invalid bulk length")), ("<", CLOSED),
    ],
    "Pipelined commands are answered in order": [
        (Raw(b"SET k 1\r\nINCR k\r\n*2\r\n$3\r\nGET\r\n$1\r\nk\r\nPING\r\n"), OK), ("<", 2), ("<", "2"), ("<", PONG),
    ],
    "A command in pieces": [
        (("NOSUCH",), Error("ERR unknown command 'NOSUCH', with args beginning with: ")),
        (Raw(b"*2\r\n$4\r\nEC"), NOTHING), (Raw(b"HO\r\n$5\r\nhel"), NOTHING), (Raw(b"lo\r\n"), "hello"),
    ],
    "HELLO": [
        ("HELLO 2", hello(2)), ("HELLO 3", hello(3)), ("HELLO", hello(3)), ("HELLO 3 SETNAME me", hello(3)),
        ("CLIENT GETNAME", "me"), ("HELLO 2", hello(2)), ("CLIENT GETNAME", "me"),
    ],
    "HELLO refuses bad arguments": [
        ("HELLO 1", Error("NOPROTO unsupported protocol version")),
        ("HELLO 4", Error("NOPROTO unsupported protocol version")),
        ("HELLO x", Error("ERR Protocol version is not an integer or out of range")),
        ("HELLO 3 X", Error("ERR Syntax error in HELLO option 'X'")),
        ("HELLO 3 SETNAME", Error("ERR Syntax error in HELLO option 'SETNAME'")),
        ('HELLO 3 SETNAME "a b"', Error("ERR Client names cannot contain spaces, newlines or special characters.")),
        ("HELLO 3 AUTH default", Error("ERR Syntax error in HELLO option 'AUTH'")),
        ("HELLO 3 AUTH nobody secret", Error("WRONGPASS invalid username-password pair or user is disabled.")),
        ("PING", PONG),
    ],
    "HELLO with AUTH": Case([
        ("CONFIG SET requirepass secret", OK),
        ("@2 HELLO 2",
         Error("NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO AUTH "
               "<user> <pass> option can be used to authenticate the client and select the RESP protocol "
               "version at the same time")),
        ("@2 HELLO 2 AUTH default wrong", Error("WRONGPASS invalid username-password pair or user is disabled.")),
        ("@2 HELLO 2 AUTH default secret", hello(2)), ("@2 PING", PONG),
    ], resp=(2,)),
    "AUTH without a password set": [
        ("AUTH secret",
         Error("ERR AUTH <password> called without any password configured for the default user. Are you sure "
               "your configuration is correct?")),
        ("AUTH default secret", OK),
        ("AUTH nobody secret", Error("WRONGPASS invalid username-password pair or user is disabled.")),
        ("AUTH", wrong_args("auth")), ("AUTH a b c", SYNTAX),
    ],
    "AUTH with requirepass": Case([
        ("CONFIG SET requirepass secret", OK), ("@2 PING", Error("NOAUTH Authentication required.")),
        ("@2 GET k", Error("NOAUTH Authentication required.")),
        ("@2 NOSUCH", Error("ERR unknown command 'NOSUCH', with args beginning with: ")),
        ("@2 GET", wrong_args("get")), ("@2 MULTI", Error("NOAUTH Authentication required.")),
        ("@2 HELLO",
         Error("NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO AUTH "
               "<user> <pass> option can be used to authenticate the client and select the RESP protocol "
               "version at the same time")),
        ("@2 AUTH wrong", Error("WRONGPASS invalid username-password pair or user is disabled.")),
        ("@2 AUTH default wrong", Error("WRONGPASS invalid username-password pair or user is disabled.")),
        ("@2 AUTH nobody secret", Error("WRONGPASS invalid username-password pair or user is disabled.")),
        ("@2 AUTH secret", OK), ("@2 PING", PONG), ("@2 AUTH default secret", OK), ("PING", PONG),
    ], resp=(2,)),
    "RESET undoes AUTH": Case([
        ("CONFIG SET requirepass secret", OK), ("@2 AUTH secret", OK), ("@2 PING", PONG),
        ("@2 RESET", Status("RESET")), ("@2 PING", Error("NOAUTH Authentication required.")),
    ], resp=(2,)),
    "QUIT and RESET need no password": Case([
        ("CONFIG SET requirepass secret", OK), ("@2 RESET", Status("RESET")), ("@2 QUIT", OK), ("@2 <", CLOSED),
    ], resp=(2,)),
    "RESET": [
        ("CLIENT SETNAME me", OK), ("SELECT 5", OK), ("CLIENT NO-EVICT on", OK), ("CLIENT REPLY ON", OK),
        ("RESET", Status("RESET")), ("CLIENT GETNAME", None), ("CLIENT INFO", Matching(".* name= .* db=0 .*")),
        ("RESET x", wrong_args("reset")),
    ],
    "RESET goes back to RESP2": Case([
        ("HELLO 3", hello(3)), ("GET k", None), ("RESET", Status("RESET")), ("GET k", None),
    ], resp=(3,)),
    "CLIENT ID": [
        ("CLIENT ID", Save("id")), ("CLIENT ID", Saved("id")), ("CLIENT ID x", wrong_args("client|id")),
    ],
    "CLIENT ID grows": [("CLIENT ID", Save("id")), ("@2 CLIENT ID", Any(int)), ("CLIENT ID", Saved("id"))],
    "CLIENT SETNAME and GETNAME": [
        ("CLIENT GETNAME", None), ("CLIENT SETNAME me", OK), ("CLIENT GETNAME", "me"), ('CLIENT SETNAME ""', OK),
        ("CLIENT GETNAME", None),
        ('CLIENT SETNAME "a b"', Error("ERR Client names cannot contain spaces, newlines or special characters.")),
        (r'CLIENT SETNAME "a\n"', Error("ERR Client names cannot contain spaces, newlines or special characters.")),
        ("CLIENT SETNAME", wrong_args("client|setname")), ("CLIENT GETNAME x", wrong_args("client|getname")),
    ],
    "a zero byte hides what follows it in a name": Case([
        (r'CLIENT SETNAME "a\x00 b"', OK), ("CLIENT GETNAME", "a\0 b"),
        ("CLIENT INFO", Matching(r".* name=a age=\d.*")),
        (r'CLIENT SETNAME " \x00b"', Error("ERR Client names cannot contain spaces, newlines or special characters.")),
        (r'HELLO 2 SETNAME "c\x00\n"', Any(list)), ("CLIENT GETNAME", "c\0\n"),
        (r'CLIENT SETINFO LIB-NAME "l\x00 x"', OK), (r'CLIENT SETINFO lib-ver "1\x00\xff"', OK),
        ("CLIENT INFO", Matching(r".* name=c age=\d.* lib-name=l lib-ver=1 .*")),
        (r'CLIENT SETNAME "\x00"', OK), ("CLIENT GETNAME", "\0"), ("CLIENT INFO", Matching(r".* name= age=\d.*")),
    ], since="8.2 or valkey 9.1"),
    # From the documentation of Redis 7.2.
    "CLIENT SETINFO": Case([
        ("CLIENT SETINFO lib-name redis-py", OK), ("CLIENT SETINFO LIB-VER 1.2.3", OK),
        ("CLIENT INFO", Matching(".* lib-name=redis-py lib-ver=1.2.3.*")), ('CLIENT SETINFO lib-name ""', OK),
        ("CLIENT INFO", Matching(".* lib-name= lib-ver=1.2.3.*")),
        ('CLIENT SETINFO lib-name "a b"',
         Error("ERR lib-name cannot contain spaces, newlines or special characters.")),
        ("CLIENT SETINFO nosuch x", Error("ERR Unrecognized option 'nosuch'")),
        ("CLIENT SETINFO lib-name", wrong_args("client|setinfo")),
    ], since="7.2"),
    "CLIENT INFO": [
        ("CLIENT SETNAME me", OK), ("CLIENT INFO", Matching(CLIENT_LINE)),
        ("CLIENT INFO x", wrong_args("client|info")),
    ],
    "CLIENT INFO shows subscriptions, database and MULTI": [
        ("SELECT 3", OK), ("MULTI", OK), ("PING", QUEUED), ("CLIENT INFO", QUEUED),
        ("EXEC", [PONG, Matching(r".* flags=x db=3 .* multi=2 .*")]),
    ],
    "CLIENT LIST": [
        ("CLIENT SETNAME one", OK), ("@2 CLIENT SETNAME two", OK), ("@2 SELECT 4", OK),
        ("CLIENT LIST", Matching(r"(?s).* name=one .*\n.* name=two .* db=4 .*cmd=select .*")),
        ("CLIENT ID", Save("id")), ("CLIENT LIST ID $id", Matching(r"id=\d+ [^\n]*name=one [^\n]*\n")),
        ("CLIENT LIST TYPE normal", Matching(r"(?s).*name=one .*name=two .*")),
        ("CLIENT LIST TYPE pubsub", Matching("")), ("CLIENT LIST TYPE replica", Matching("")),
    ],
    "CLIENT LIST ID in the order of the ids": [
        ("CLIENT ID", Save("one")), ("@2 CLIENT ID", Save("two")), ("@2 SELECT 4", OK),
        ("CLIENT LIST ID $two 999999 $one $two", Matching(r"[^\n]* db=4 [^\n]*\n[^\n]* db=0 [^\n]*\n.* db=4 [^\n]*\n")),
    ],
    "CLIENT LIST shows a subscriber": [
        ("@2 SUBSCRIBE a b", Push(["subscribe", "a", 1])), ("@2 <", Push(["subscribe", "b", 2])),
        ("@2 PSUBSCRIBE c*", Push(["psubscribe", "c*", 3])), ("@2 SSUBSCRIBE d", Push(["ssubscribe", "d", 1])),
        ("CLIENT LIST TYPE pubsub", Matching(r"id=\d+ .* flags=P db=0 sub=2 psub=1 ssub=1 .*\n")),
    ],
    "CLIENT LIST refuses bad arguments": [
        ("CLIENT LIST TYPE nosuch", Error("ERR Unknown client type 'nosuch'")), ("CLIENT LIST TYPE", SYNTAX),
        ("CLIENT LIST X", SYNTAX), ("CLIENT LIST ID", SYNTAX), ("CLIENT LIST ID x", Error("ERR Invalid client ID")),
        ("CLIENT LIST ID 0", Verbatim(b"")), ("CLIENT LIST ID -1", Verbatim(b"")),
    ],
    "CLIENT KILL by id": [
        ("@2 CLIENT ID", Save("id")), ("CLIENT KILL ID $id", 1), ("CLIENT KILL ID $id", 0), ("@2 PING", CLOSED),
    ],
    "CLIENT KILL TYPE": [
        ("@2 SUBSCRIBE c", Push(["subscribe", "c", 1])), ("CLIENT KILL TYPE pubsub", 1), ("@2 <", CLOSED),
        ("CLIENT KILL TYPE pubsub", 0), ("CLIENT KILL TYPE replica", 0),
    ],
    "CLIENT KILL SKIPME": [
        ("CLIENT ID", Save("id")), ("CLIENT KILL ID $id", 0), ("CLIENT KILL ID $id SKIPME yes", 0),
        ("CLIENT KILL ID $id SKIPME no", 1), ("<", CLOSED),
    ],
    "CLIENT KILL USER and several filters": [
        ("@2 CLIENT ID", Save("id")), ("CLIENT KILL USER nobody", Error("ERR No such user 'nobody'")),
        ("CLIENT KILL ID $id USER default TYPE normal SKIPME yes", 1), ("@2 PING", CLOSED),
    ],
    "CLIENT KILL refuses bad arguments": [
        ("CLIENT KILL", wrong_args("client|kill")), ("CLIENT KILL 1.2.3.4:5", Error("ERR No such client")),
        ("CLIENT KILL ADDR 1.2.3.4:5", 0), ("CLIENT KILL LADDR 1.2.3.4:5", 0),
        ("CLIENT KILL ID x", Error("ERR client-id should be greater than 0")),
        ("CLIENT KILL ID 0", Error("ERR client-id should be greater than 0")),
        ("CLIENT KILL TYPE nosuch", Error("ERR Unknown client type 'nosuch'")), ("CLIENT KILL SKIPME x", SYNTAX),
        ("CLIENT KILL NOSUCH 1", SYNTAX), ("CLIENT KILL ID 1 TYPE", SYNTAX),
    ],
    # From the documentation of Redis 7.4.
    "CLIENT KILL MAXAGE": Case([
        ("CLIENT KILL MAXAGE 1000000", 0), ("CLIENT KILL MAXAGE x", Any(Error)),
        ("CLIENT KILL MAXAGE 0", Any(Error)),
    ], since="7.4"),
    "CLIENT REPLY OFF, ON, SKIP": [
        ("CLIENT REPLY ON", OK), ("CLIENT REPLY OFF", NOTHING), ("SET k v", NOTHING), ("CLIENT REPLY ON", OK),
        ("GET k", "v"), ("CLIENT REPLY SKIP", NOTHING), ("SET k w", NOTHING), ("GET k", "w"),
        ("CLIENT REPLY X", SYNTAX), ("CLIENT REPLY", wrong_args("client|reply")),
    ],
    "CLIENT REPLY OFF hides errors too": [
        ("CLIENT REPLY OFF", NOTHING), ("NOSUCH", NOTHING), ("GET", NOTHING), ("CLIENT REPLY ON", OK),
        ("PING", PONG),
    ],
    "CLIENT NO-EVICT": [
        ("CLIENT NO-EVICT on", OK), ("CLIENT INFO", Matching(".* flags=e .*")), ("CLIENT NO-EVICT off", OK),
        ("CLIENT NO-EVICT x", SYNTAX), ("CLIENT NO-EVICT", wrong_args("client|no-evict")),
    ],
    # From the documentation of Redis 7.2.
    "CLIENT NO-TOUCH": Case([
        ("CLIENT NO-TOUCH on", OK), ("CLIENT INFO", Matching(".* flags=T .*")), ("CLIENT NO-TOUCH OFF", OK),
        ("CLIENT NO-TOUCH x", SYNTAX), ("CLIENT NO-TOUCH", wrong_args("client|no-touch")),
    ], since="7.2"),
    "CLIENT UNBLOCK of a client that waits": [
        ("@2 CLIENT ID", Save("id")), ("@2 WAIT 1 0", BLOCKS), ("CLIENT UNBLOCK $id", 1), ("@2 <", 0),
        ("CLIENT UNBLOCK $id", 0),
    ],
    "CLIENT UNBLOCK ERROR": [
        ("@2 CLIENT ID", Save("id")), ("@2 WAIT 1 0", BLOCKS), ("CLIENT UNBLOCK $id ERROR", 1),
        ("@2 <", Error("UNBLOCKED client unblocked via CLIENT UNBLOCK")), ("@2 PING", PONG),
    ],
    "CLIENT UNBLOCK refuses bad arguments": [
        ("CLIENT UNBLOCK 123456789", 0), ("CLIENT UNBLOCK x", NOT_INTEGER),
        ("CLIENT UNBLOCK 1 X", Error("ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR")),
        ("CLIENT UNBLOCK", wrong_args("client|unblock")),
    ],
    "CLIENT PAUSE and UNPAUSE": [
        ("CLIENT PAUSE 0", OK), ("CLIENT PAUSE 10 WRITE", OK), ("CLIENT UNPAUSE", OK),
        ("CLIENT PAUSE x", Error("ERR timeout is not an integer or out of range")),
        ("CLIENT PAUSE -1", Error("ERR timeout is negative")),
        ("CLIENT PAUSE 1 X", Error("ERR CLIENT PAUSE mode must be WRITE or ALL")),
        ("CLIENT PAUSE", wrong_args("client|pause")), ("CLIENT UNPAUSE x", wrong_args("client|unpause")),
    ],
    "CLIENT PAUSE WRITE holds writes, not reads": [
        ("SET k v", OK), ("CLIENT PAUSE 100000 WRITE", OK), ("GET k", "v"), ("@2 SET k w", NOTHING), ("GET k", "v"),
        ("CLIENT UNPAUSE", OK), ("@2 <", OK), ("GET k", "w"),
    ],
    "CLIENT refuses bad subcommands": [
        ("CLIENT", wrong_args("client")),
        ("CLIENT NOSUCH", Error("ERR unknown subcommand 'NOSUCH'. Try CLIENT HELP.")),
        ("CLIENT HELP x", wrong_args("client|help")),
    ],
    "CLIENT HELP": [
        ("CLIENT HELP",
         Holding(Status("CLIENT <subcommand> [<arg> [value] [opt] ...]. Subcommands are:"), Status("GETNAME"),
          Status("HELP"))),
    ],

    # Lists
    "CLIENT UNBLOCK of BLPOP": [
        ("@2 CLIENT ID", Save("id")), ("@2 BLPOP l 0", BLOCKS), ("CLIENT UNBLOCK $id", 1), ("@2 <", NIL_ARRAY),
        ("@2 CLIENT ID", Saved("id")),
    ],
    "CLIENT INFO shows a blocked client": [
        ("@2 BLPOP l 0", BLOCKS), ("CLIENT LIST", Matching(r".* flags=b .*cmd=blpop .*")),
    ],
    "CLIENT KILL of a blocked client": [
        ("@2 CLIENT ID", Save("id")), ("@2 BLPOP l 0", BLOCKS), ("CLIENT KILL ID $id", 1), ("@2 <", CLOSED),
        ("INFO clients", Holding("blocked_clients:0\r\n")),
    ],
}


def test_rows(row_case):
    row_case.check()


def test_requirepass_from_the_start(either_server):
    server = either_server("--requirepass", "secret")
    with server.client() as client:
        assert client.call("GET", "k") == Error("NOAUTH Authentication required.")
        assert client.call("AUTH", "secret") == OK
        assert client.call("GET", "k") is None


def test_maxclients(either_server):
    server = either_server("--maxclients", "2")
    with server.client() as one, server.client() as two, server.client() as three:
        assert [one.call("PING"), two.call("PING")] == [PONG, PONG]
        assert three.read() == Error("ERR max number of clients reached")
        with pytest.raises(Closed):
            three.read()
        assert "rejected_connections:1\r\n" in one.call("INFO", "stats").decode()


def test_a_client_that_goes_leaves_nothing(either_server):
    server = either_server()
    with server.client() as one:
        with server.client() as two:
            two.call("SUBSCRIBE", "c")
            assert one.call("PUBSUB", "NUMSUB", "c") == [b"c", 1]
        assert one.call("PING") == PONG
        assert one.call("PUBSUB", "NUMSUB", "c") == [b"c", 0]
        assert one.call("CLIENT", "LIST").count(b"\n") == 1


def test_requests_in_pieces_of_every_size(either_server):
    data = b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$4\r\n\r\n\x00\xff\r\n*2\r\n$3\r\nGET\r\n$1\r\nk\r\nPING\r\n"
    server = either_server()
    for size in range(1, len(data)):
        with server.client() as client:
            for at in range(0, len(data), size):
                client.send_raw(data[at:at + size])
            assert [client.read(), client.read(), client.read()] == [OK, b"\r\n\x00\xff", PONG]


def test_replies_before_the_client_closes_its_half(either_server):
    with either_server().client() as client:
        client.send_raw(b"PING\r\n" * 1000)
        client.socket.shutdown(socket.SHUT_WR)
        assert [client.read() for _ in range(1000)] == [PONG] * 1000
        with pytest.raises(Closed):
            client.read()


def test_a_client_that_reads_late_gets_all(either_server):
    value = bytes(range(256)) * 1024
    server = either_server()
    with server.client(timeout=20) as client, server.client() as other:
        client.call("SET", "k", value)
        for _ in range(200):
            client.send("GET", "k")
        assert other.call("PING") == PONG
        assert all(client.read() == value for _ in range(200))


def test_a_long_pipeline(either_server):
    server = either_server()
    with server.client() as client:
        replies = client.pipeline([("INCR", "k")] * 10000 + [("GET", "k")])
    assert replies == [*range(1, 10001), b"10000"]

# These need commands that come later (logs, eviction, replication, caching): they join CASES with them.
LATER = {
    "CLIENT GETREDIR and TRACKINGINFO without tracking": [
        ("CLIENT GETREDIR", -1), ("CLIENT TRACKINGINFO", {"flags": {"off"}, "redirect": -1, "prefixes": []}),
    ],
}


def test_hello_tells_the_role(either_server):
    with either_server().client(protocol=3) as client:
        assert client.call("HELLO")[b"role"] == b"master"
        client.call("REPLICAOF", "127.0.0.1", "1")
        assert client.call("HELLO")[b"role"] == b"replica"
        client.call("REPLICAOF", "NO", "ONE")
        assert client.call("HELLO", "3")[b"role"] == b"master"


def test_hello_tells_the_availability_zone(fresh_server):
    """As in Valkey: only where there is one."""
    with fresh_server().client(protocol=3) as client:
        assert b"availability_zone" not in client.call("HELLO")
        client.call("CONFIG", "SET", "availability-zone", "here")
        assert client.call("HELLO")[b"availability_zone"] == b"here"
