"""TLS: who may connect, what the settings do, and that connections work as those without it. Beside redis-server."""
import contextlib
import shutil
import socket
import ssl
import time

import pytest
from cryptography import x509

from fastredis.host.certificates import pem_certificates, read_certificate
from tests.certificates import DAY, NOW, Certificates, TlsClient
from tests.helpers import held, info, wait_until
from tests.resp import Closed, Error, encode
from tests.rows import OK, PONG
from tests.servers import free_port

FFDHE2048 = """\
-----BEGIN DH PARAMETERS-----
MIIBCAKCAQEA//////////+t+FRYortKmq/cViAnPTzx2LnFg84tNpWp4TZBFGQz
+8yTnc4kmz75fS/jY2MMddj2gbICrsRhetPfHtXV/WVhJDP1H18GbtCFY2VVPe0a
87VXE15/V8k1mE8McODmi3fipona8+/och3xWKE2rec1MKzKT0g6eXq8CrGCsyT7
YdEIqUuyyOP7uWrat2DX9GgdT0Kj3jlN9K5W7edjcrsZCwenyO4KbXCeAvzhzffi
7MA0BM0oNC9hkXL+nOmFg/+OTxIy7vKBg8P+OxtMb61zO7X8vC7CIAXFjvGDfRaD
ssbzSibBsu/6iGtCOGEoXJf//////////wIBAg==
-----END DH PARAMETERS-----
"""
UNUSABLE = "Unable to update TLS configuration. Check server logs."
REFUSED = (Closed, ssl.SSLError, ConnectionError)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return Certificates(tmp_path_factory.mktemp("tls"))


class Secure:
    """A server with a TLS port, beside its port without."""

    def __init__(self, start, made, *options):
        self.made, self.tls_port = made, free_port()
        self.server = start("--tls-port", str(self.tls_port), *made.options(), *options)

    def client(self, pair="client", **more):
        pair = getattr(self.made, pair) if isinstance(pair, str) else pair
        return TlsClient(self.tls_port, self.made.context(pair), **more)

    def set(self, *settings):
        with self.server.client() as plain:
            return plain.call("CONFIG", "SET", *settings)

    def is_refused(self, pair="client", **more):
        """With TLS 1.3 a client hears only after its handshake that it may not stay."""
        try:
            with self.client(pair, **more) as client:
                client.call("PING")
        except REFUSED:
            return True
        return False


@pytest.fixture
def secure(either_server, made):
    return Secure(either_server, made)


@pytest.fixture
def ours(fresh_server, made):
    return lambda *options, **more: Secure(fresh_server, made, *options, **more)


def refusal(name):
    return Error(f"ERR CONFIG SET failed (possibly related to argument '{name}') - {UNUSABLE}")


# --- what is read of certificates ----------------------------------------------------------


def test_certificates_are_read(made):
    pair = made.issue("read", common_name="\u00e4\0b", uris=["urn:a", "urn:b\0c"], dns="localhost", days=20_000)
    (der,) = pem_certificates(b"text\n" + pair.certificate.read_bytes())
    found, known = read_certificate(der), x509.load_der_x509_certificate(der)
    assert int(found.serial, 16) == known.serial_number
    assert found.not_before == known.not_valid_before_utc.timestamp()
    assert found.not_after == known.not_valid_after_utc.timestamp()         # far enough for the other form of time
    assert found.common_name == "\u00e4\0b".encode() and found.uris == [b"urn:a", b"urn:b\0c"]
    assert read_certificate(pem_certificates(made.authority_file.read_bytes())[0]).uris == []


def test_a_broken_certificate_is_an_error(made):
    """Cut off anywhere, or with any byte changed: a ValueError, or a certificate, and nothing else."""
    (der,) = pem_certificates(made.issue("whole", uris=["urn:a"]).certificate.read_bytes())
    for end in range(len(der)):
        with pytest.raises(ValueError):
            read_certificate(der[:end])
    for at in range(len(der)):
        for byte in (0, 1, 0x30, 0x7F, 0x80, 0x84, 0xFF):
            with contextlib.suppress(ValueError):
                read_certificate(der[:at] + bytes([byte]) + der[at + 1:])


# --- connections --------------------------------------------------------------------------


@pytest.mark.parametrize("protocol", [2, 3])
def test_requests_and_replies(secure, protocol):
    with secure.client(protocol=protocol) as client, secure.server.client() as plain:
        assert client.call("SET", "k", "v") == OK
        assert plain.call("GET", "k") == b"v"
        assert client.pipeline([("INCR", "n")] * 1000) == list(range(1, 1001))
        fields = dict(field.split("=", 1) for field in client.call("CLIENT", "INFO").decode().split())
        assert fields["laddr"].endswith(f":{secure.tls_port}") and int(fields["fd"]) > 0
        assert info(plain, "server")["tcp_port"] == str(secure.server.port)
        assert info(plain)["connected_clients"] == "2"


@pytest.mark.parametrize("size", [0, 1, 100, 16383, 16384, 16385, 100_000, 20_000_000])
def test_values_of_all_sizes(secure, size):
    value = bytes(i * 7 % 251 for i in range(min(size, 1000))) * (max(size, 1) // 1000 + 1)
    with secure.client() as client:
        assert client.call("SET", "k", value[:size]) == OK
        assert client.call("GET", "k") == value[:size]
        assert client.pipeline([("GET", "k")] * 3) == [value[:size]] * 3


def test_records_that_come_in_pieces(ours, made):
    """Also a byte at a time, from the first of the handshake on."""
    secure = ours()
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    session = made.context(made.client).wrap_bio(incoming, outgoing, server_hostname="localhost")
    with TlsClient.plain_socket(secure.tls_port) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

        def talk(step):
            while True:
                try:
                    result = step()
                    break
                except ssl.SSLWantReadError:
                    drain()
                    incoming.write(sock.recv(3))
            drain()
            return result

        def drain():
            for byte in outgoing.read():
                sock.send(bytes([byte]))

        talk(session.do_handshake)
        for _ in range(3):
            session.write(b"PING\r\nECHO " + b"x" * 300 + b"\r\n")
            drain()
            answer = b""
            while not answer.endswith(b"x\r\n"):
                answer += talk(lambda: session.read(5))
            assert answer == b"+PONG\r\n$300\r\n" + b"x" * 300 + b"\r\n"


def test_plain_text_is_closed(secure):
    with TlsClient.plain_socket(secure.tls_port) as sock:
        sock.sendall(b"PING\r\n")
        with contextlib.suppress(ConnectionError):
            assert b"PONG" not in sock.recv(100)
            assert sock.recv(100) == b""
    with secure.server.client() as client:
        wait_until(lambda: info(client)["connected_clients"] == "1")
    assert "Error accepting a client connection: " in secure.server.log()


def test_a_handshake_that_stops_ends(ours, made):
    """And nobody waits for it: it counts as a client, until its time is over."""
    secure = ours()
    outgoing = ssl.MemoryBIO()
    session = made.context(made.client).wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname="localhost")
    with pytest.raises(ssl.SSLWantReadError):
        session.do_handshake()
    hello = outgoing.read()
    with contextlib.ExitStack() as stack:
        silent = [stack.enter_context(TlsClient.plain_socket(secure.tls_port)) for _ in range(30)]
        for number, sock in enumerate(silent):
            sock.sendall(hello[:number * len(hello) // 29])
        began = time.monotonic()
        with secure.client() as client:
            assert client.call("PING") == PONG
            wait_until(lambda: info(client)["connected_clients"] == "31")
            assert time.monotonic() - began < 5
            wait_until(lambda: info(client)["connected_clients"] == "1", seconds=30)
        assert "the handshake took too long" in secure.server.log()
        for sock in silent:
            sock.settimeout(10)
            with contextlib.suppress(ConnectionError):
                while sock.recv(65536):
                    pass


def test_handshakes_that_are_reset(ours):
    secure = ours()
    for _ in range(50):
        sock = TlsClient.plain_socket(secure.tls_port)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        sock.close()
    with secure.client() as client:
        wait_until(lambda: info(client)["connected_clients"] == "1")


def test_the_end_of_a_connection(secure):
    """QUIT, a kill, and the end of what the client sends: it gets all its replies, and then TLS's own end."""
    with secure.client() as client:
        client.send("QUIT")
        assert client.read() == OK
        assert client.socket.recv(1) == b""
    with secure.client() as client, secure.client() as other:
        number = client.call("CLIENT", "ID")
        assert other.call("CLIENT", "KILL", "ID", number) == 1
        assert client.socket.recv(1) == b""
        assert info(other)["connected_clients"] == "1"
    with secure.client() as client, secure.server.client() as plain:
        client.send("SET", "last", "word")
        with contextlib.suppress(ssl.SSLError):         # the reply comes first
            client.socket.unwrap()
        wait_until(lambda: info(plain)["connected_clients"] == "1")
        assert plain.call("GET", "last") == b"word"


def test_half_a_connection(ours):
    """The client ends its side of TCP: what it has sent is executed, and the connection ends."""
    secure = ours()
    with secure.client() as client, secure.server.client() as plain:
        client.send("SET", "k", "v")
        client.socket.shutdown(socket.SHUT_WR)
        wait_until(lambda: info(plain)["connected_clients"] == "1")
        assert plain.call("GET", "k") == b"v"


def test_a_client_that_does_not_read(secure):
    """What waits for it counts, so that its limit closes it; others are served."""
    secure.set("client-output-buffer-limit", "normal 3000000 0 0")
    with secure.client() as greedy, secure.client() as client:
        client.call("SET", "k", "x" * 100_000)
        greedy.socket.settimeout(1)
        with contextlib.suppress(OSError):
            for _ in range(2000):
                greedy.send("GET", "k")
        wait_until(lambda: info(client)["connected_clients"] == "1")
        if secure.server.kind == "fastredis":
            assert info(client)["client_output_buffer_limit_disconnections"] == "1"
        assert int(info(client)["used_memory"]) < 20_000_000


def test_what_waits_is_counted(ours):
    secure = ours()
    with secure.client() as lazy, secure.server.client() as plain:
        plain.call("SET", "k", "x" * 10_000_000)
        lazy.send("GET", "k")
        wait_until(lambda: plain.call("CLIENT", "LIST").count(b"omem=0 ") == 1)
        assert int(info(plain)["used_memory"]) > 15_000_000
        assert lazy.read() == b"x" * 10_000_000
        wait_until(lambda: plain.call("CLIENT", "LIST").count(b"omem=0 ") == 2)
        assert lazy.call("PING") == PONG


@pytest.mark.parametrize("size", [24, 16_000, 1_000_000], ids=["small records", "whole records", "all at once"])
def test_who_sends_much_gives_way(ours, size):
    """Whatever the records are like: all is done in order, and what another one asks for is done in between."""
    secure = ours()
    count = 3_000
    data = b"LPOS list none\r\nINCR n\r\n" * count      # takes some slices of time, and fits into the kernel's buffers
    with secure.client() as flood, secure.client() as other:
        assert flood.call("RPUSH", "list", *range(1000)) == 1000
        assert other.call("SET", "n", 0) == OK
        with held(secure.server.pid):
            for at in range(0, len(data), size):
                flood.send_raw(data[at:at + size])
            other.send_raw(b"GET n\r\n")
        assert int(other.read()) < count
        assert [flood.read() for _ in range(2 * count)] == [each for n in range(count) for each in (None, n + 1)]


def test_messages_and_blocked_clients(secure):
    with secure.client() as client, secure.client() as other:
        client.call("SUBSCRIBE", "news")
        assert other.call("PUBLISH", "news", "x" * 50_000) == 1
        assert client.read() == [b"message", b"news", b"x" * 50_000]
    with secure.client() as client, secure.client() as other:
        client.send("BLPOP", "queue", 0)
        wait_until(lambda: info(other)["blocked_clients"] == "1")
        other.call("RPUSH", "queue", "job")
        assert client.read() == [b"queue", b"job"]


def test_a_busy_script_is_killed(ours):
    """Who comes and who is there is heard while the loop stands still."""
    secure = ours("--busy-reply-threshold", "10")
    with secure.client() as client, secure.client() as other:
        client.send("EVAL", "while true do end", 0)
        wait_until(lambda: str(other.call("PING")).startswith("BUSY"))
        with secure.client() as late:
            assert late.call("SCRIPT", "KILL") == OK
        assert "Script killed" in client.read()


def test_who_gave_way_is_heard_in_a_script(ours):
    """What it sent before the script, and what it sends later."""
    secure = ours("--busy-reply-threshold", "10")
    with secure.client() as flood, secure.client() as other:
        flood.call("EVAL", "for i = 1, 20000 do redis.call('RPUSH', 'list', i) end", 0)
        with held(secure.server.pid):
            flood.send_raw(encode("LREM", "list", 0, "x") * 200)
            other.send("EVAL", "while true do end", 0)
        assert flood.read() == 0
        assert any(str(flood.read()).startswith("BUSY ") for _ in range(199))
        flood.send("SCRIPT", "KILL")
        while (reply := flood.read()) != OK:
            assert reply == 0 or reply.startswith("BUSY ")
        assert "Script killed" in other.read()


def test_the_number_of_clients(secure):
    secure.set("maxclients", "3")
    with secure.client() as one, secure.client() as two:
        assert one.call("PING") == two.call("PING") == PONG
        with secure.server.client() as plain:
            assert plain.call("PING") == PONG
            assert secure.is_refused()
    wait_until(lambda: not secure.is_refused())


# --- who may connect ----------------------------------------------------------------------


def test_certificates_of_clients(secure, tmp_path):
    stranger = Certificates(tmp_path).client
    assert secure.is_refused(None) and secure.is_refused(stranger)
    assert secure.set("tls-auth-clients", "optional") == OK
    assert not secure.is_refused(None) and not secure.is_refused() and secure.is_refused(stranger)
    assert secure.set("tls-auth-clients", "no") == OK
    assert not secure.is_refused(None) and not secure.is_refused(stranger)
    assert secure.set("tls-auth-clients", "yes") == OK
    assert secure.is_refused(None) and not secure.is_refused()


def users(secure, mode, *names):
    """A function: who a client with the certificate is."""
    assert secure.set("tls-auth-clients-user", mode) == OK
    with secure.server.client() as plain:
        for name in names:
            plain.call("ACL", "SETUSER", name, "on", "nopass", "allcommands", "allkeys")

    def who(pair):
        with secure.client(pair) as client:
            return client.call("ACL", "WHOAMI")
    return who


def test_a_user_by_common_name(ours, made):
    secure = ours()
    ann = made.issue("ann", common_name="ann", uris=["urn:user:bob"])
    who = users(secure, "CN", "ann", "urn:user:bob")
    assert who(ann) == b"ann" and who(made.client) == b"default"
    secure.set("tls-auth-clients-user", "URI")
    assert who(ann) == b"urn:user:bob"
    secure.set("tls-auth-clients-user", "off")
    assert who(ann) == b"default"
    with secure.server.client() as plain:
        assert info(plain)["acl_access_denied_tls_cert"] == "1"
        entry = plain.call("ACL", "LOG")[0]
        fields = dict(zip(entry[::2], entry[1::2], strict=True))
        assert (fields[b"reason"], fields[b"context"], fields[b"object"], fields[b"username"]) == (
            b"tls-cert", b"toplevel", b"", b"somebody")
        secure.set("tls-auth-clients-user", "cn")
        plain.call("ACL", "SETUSER", "ann", "off")
        assert who(ann) == b"default"
        assert plain.call("CONFIG", "GET", "tls-auth-clients-user") == [b"tls-auth-clients-user", b"CN"]


def test_a_user_by_the_first_uri_that_is_one(ours, made):
    secure = ours()
    pair = made.issue("uris", common_name="ann", uris=["urn:nobody", "urn:off", "urn:second", "urn:third"])
    who = users(secure, "URI", "ann", "urn:off", "urn:second", "urn:third")
    with secure.server.client() as plain:
        plain.call("ACL", "SETUSER", "urn:off", "off")
        assert who(pair) == b"urn:second"
        plain.call("ACL", "DELUSER", "urn:second")
        assert who(pair) == b"urn:third"
        plain.call("ACL", "DELUSER", "urn:third")
        assert who(pair) == b"default"


@pytest.mark.parametrize("mode", ["CN", "URI"])
def test_names_are_compared_whole(ours, made, mode):
    """A zero byte does not end a name, and none that has one is anybody's; nor has a name other letters or blanks."""
    secure = ours()
    who = users(secure, mode, "ann")
    for number, name in enumerate(["ann\0.example", "\0ann", "ann\0", "ANN", "ann ", "an", "annn"]):
        pair = made.issue(f"name-{mode}-{number}", common_name=name, uris=[name])
        assert who(pair) == b"default", name


def test_a_user_without_a_password(ours, made):
    """requirepass is for those whom no certificate names; AUTH changes who somebody is, as ever."""
    secure = ours("--requirepass", "secret", "--tls-auth-clients-user", "CN", "--user", "ann", "on", ">other", "+@all")
    ann = made.issue("ann2", common_name="ann")
    with secure.client(ann) as client, secure.client() as other:
        assert client.call("ACL", "WHOAMI") == b"ann"
        assert str(other.call("PING")).startswith("NOAUTH")
        assert client.call("AUTH", "secret") == OK
        assert client.call("ACL", "WHOAMI") == b"default"


# --- settings -----------------------------------------------------------------------------


def test_what_cannot_be_used_is_refused(either_server, made, tmp_path):
    """And the old certificate stays."""
    secure = Secure(either_server, made)
    broken = tmp_path / "broken.crt"
    broken.write_text("-----BEGIN CERTIFICATE-----\nbm8=\n-----END CERTIFICATE-----\n")
    for name, value in {
        "tls-cert-file": "/nowhere", "tls-key-file": made.client.key, "tls-ca-cert-file": broken,
        "tls-protocols": "TLSv9", "tls-ciphers": "NOT-A-CIPHER", "tls-ciphersuites": "NOT_A_SUITE",
        "tls-dh-params-file": made.server.key,
    }.items():
        assert secure.set(name, str(value)) == refusal(name), name
        assert not secure.is_refused(), name
        with secure.server.client() as plain:
            assert plain.call("CONFIG", "GET", name)[1] != str(value).encode()
    assert secure.set("tls-cert-file", str(broken)) == refusal("tls-cert-file")
    text = secure.server.log()
    for line in ("Failed to load certificate: ", f"Failed to load private key: {made.client.key}: ",
                 "Failed to configure CA certificate(s) file/directory: ",
                 "Invalid tls-protocols specified. Use a combination of 'TLSv1', 'TLSv1.1', 'TLSv1.2' and 'TLSv1.3'.",
                 "Failed to configure ciphers: NOT-A-CIPHER", "Failed to configure ciphersuites: NOT_A_SUITE"):
        assert line in text


@pytest.mark.parametrize("options, line", [
    ((), "No tls-cert-file configured!"),
    (("cert",), "No tls-key-file configured!"),
    (("cert", "key"), "Either tls-ca-cert-file or tls-ca-cert-dir must be specified when tls-cluster, "
                      "tls-replication or tls-auth-clients are enabled!"),
])
def test_what_is_missing_at_the_start(either_server, made, options, line):
    files = {"cert": ("--tls-cert-file", str(made.server.certificate)), "key": ("--tls-key-file", str(made.server.key))}
    words = [word for name in options for word in files[name]]
    with pytest.raises(RuntimeError) as error:
        either_server("--tls-port", str(free_port()), *words)
    assert line in str(error.value) and "Failed to configure TLS. Check logs for more info." in str(error.value)


def test_a_certificate_out_of_its_time(ours, made):
    """As in Valkey 9.1: redis-server would take it."""
    secure = ours()
    old = made.issue("old", first=NOW - 9 * DAY, days=3)
    early = made.issue("early", first=NOW + 9 * DAY, days=3)
    for pair in (old, early):
        assert secure.set("tls-cert-file", str(pair.certificate), "tls-key-file", str(pair.key)) == refusal(
            "tls-cert-file")
        assert secure.set("tls-client-cert-file", str(pair.certificate), "tls-client-key-file", str(pair.key)) == (
            refusal("tls-client-cert-file"))
        assert secure.set("tls-ca-cert-file", str(pair.certificate)) == refusal("tls-ca-cert-file")
        assert not secure.is_refused()
    text = secure.server.log()
    for line in ("Server TLS certificate is invalid", "Client TLS certificate is invalid",
                 "One or more loaded CA certificates are invalid"):
        assert f"{line}. Aborting TLS configuration." in text


def test_a_new_certificate(either_server, made):
    """Connections that are there go on."""
    secure = Secure(either_server, made)
    other = made.issue("other", dns="localhost")
    with secure.client() as client:
        before = client.socket.getpeercert()["serialNumber"]
        assert secure.set("tls-cert-file", str(other.certificate), "tls-key-file", str(other.key)) == OK
        with secure.client() as late:
            assert late.socket.getpeercert()["serialNumber"] != before
        assert client.call("PING") == PONG


def test_files_that_change_are_read_again(ours, made, tmp_path):
    """And only those; what is wrong with the new ones is logged, and all goes on with the old."""
    first, second = made.issue("first", dns="localhost"), made.issue("second", dns="localhost")
    files = tmp_path / "server.crt", tmp_path / "server.key"

    def put(pair):
        for file, path in zip(pair, files, strict=True):
            shutil.copy(file, f"{path}.new")
            shutil.move(f"{path}.new", path)
    put(first)
    secure = ours("--tls-cert-file", str(files[0]), "--tls-key-file", str(files[1]), "--loglevel", "debug",
                  "--tls-auto-reload-interval", "1")
    with secure.server.client() as plain:
        before = info(plain, "tls")["tls_server_cert_serial"]
        wait_until(lambda: "TLS reload skipped: materials unchanged" in secure.server.log())
        files[0].write_text("nothing")
        wait_until(lambda: "Background TLS reload failed" in secure.server.log())
        assert not secure.is_refused() and info(plain, "tls")["tls_server_cert_serial"] == before
        put(second)
        wait_until(lambda: "TLS materials reloaded successfully" in secure.server.log())
        wait_until(lambda: info(plain, "tls")["tls_server_cert_serial"] != before)
        assert not secure.is_refused()


def test_info_of_certificates(ours, made, tmp_path):
    """Of several authorities the one that ends first counts; nothing is told while there is no TLS."""
    soon = Certificates(tmp_path, days=3)
    both = tmp_path / "both.crt"
    both.write_bytes(made.authority_file.read_bytes() + soon.authority_file.read_bytes())
    secure = ours("--tls-ca-cert-file", str(both))
    with secure.server.client() as plain:
        fields = info(plain, "tls")
        serial = f"{soon.authority.serial_number:X}"
        assert fields["tls_ca_cert_serial"] == serial.zfill(len(serial) + len(serial) % 2)
        assert 86_400 < int(fields["tls_ca_cert_expires_in_seconds"]) < 3 * 86_400
        assert int(fields["tls_server_cert_expires_in_seconds"]) > 20 * 86_400
        assert (fields["tls_client_cert_serial"], fields["tls_client_cert_expires_in_seconds"]) == ("none", "0")
        assert plain.call("CONFIG", "SET", "tls-port", "0") == OK
        assert set(info(plain, "tls").values()) == {"none", "0"}


def test_a_key_with_a_password(either_server, made):
    secure = Secure(either_server, made)
    hidden = made.issue("hidden", dns="localhost", password=b"1234")
    files = ("tls-cert-file", str(hidden.certificate), "tls-key-file", str(hidden.key))
    assert UNUSABLE in secure.set(*files)
    assert UNUSABLE in secure.set(*files, "tls-key-file-pass", "wrong")
    assert secure.set(*files, "tls-key-file-pass", "1234") == OK
    assert not secure.is_refused()
    assert "1234" not in secure.server.log().replace(hidden.key.name, "")


def test_authorities_of_a_directory(ours, made, tmp_path):
    """Under any name; and what is no certificate does not matter."""
    secure, directory = ours(), tmp_path / "authorities"
    directory.mkdir()
    shutil.copy(made.authority_file, directory / "mine.crt")
    (directory / "README").write_text("none")
    assert secure.set("tls-ca-cert-dir", str(directory), "tls-ca-cert-file", "") == OK
    assert not secure.is_refused()
    stranger = Certificates(tmp_path / "stranger")
    assert secure.is_refused(stranger.client)
    shutil.copy(stranger.authority_file, directory / "other.crt")
    assert secure.set("tls-ca-cert-dir", str(directory)) == OK
    assert not secure.is_refused(stranger.client)


def with_versions(made, lowest, highest):
    context = made.context(made.client)
    context.minimum_version, context.maximum_version = lowest, highest
    return context


def test_protocols(either_server, made):
    secure = Secure(either_server, made)
    twelve = with_versions(made, ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_2)
    thirteen = with_versions(made, ssl.TLSVersion.TLSv1_3, ssl.TLSVersion.TLSv1_3)

    def works(context):
        try:
            with TlsClient(secure.tls_port, context) as client:
                return client.call("PING") == PONG
        except REFUSED:
            return False
    assert works(twelve) and works(thirteen)
    assert secure.set("tls-protocols", "TLSv1.2") == OK
    assert works(twelve) and not works(thirteen)
    assert secure.set("tls-protocols", "tlsv1.3") == OK
    assert not works(twelve) and works(thirteen)
    assert secure.set("tls-protocols", "") == OK
    assert works(twelve) and works(thirteen)


def test_ciphers(either_server, made):
    secure = Secure(either_server, made)

    def chosen(names):
        context = with_versions(made, ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_2)
        context.set_ciphers(names)
        try:
            with TlsClient(secure.tls_port, context) as client:
                assert client.call("PING") == PONG
                return client.socket.cipher()[0]
        except REFUSED:
            return None
    one, other = "ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384"
    assert secure.set("tls-protocols", "TLSv1.2", "tls-ciphers", f"{one}:{other}") == OK
    assert chosen(one) == one and chosen("ECDHE-ECDSA-CHACHA20-POLY1305") is None
    assert chosen(f"{other}:{one}") == other
    assert secure.set("tls-prefer-server-ciphers", "yes") == OK
    assert chosen(f"{other}:{one}") == one
    assert secure.set("tls-ciphers", "DEFAULT", "tls-prefer-server-ciphers", "no") == OK
    assert chosen(f"{other}:{one}") == other


def test_suites_of_1_3(either_server, made):
    secure = Secure(either_server, made)

    def chosen():
        with secure.client() as client:
            assert client.call("PING") == PONG
            return client.socket.cipher()[0]
    for name in ("TLS_CHACHA20_POLY1305_SHA256", "TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384"):
        assert secure.set("tls-ciphersuites", name) == OK
        assert chosen() == name


def resumed(secure, context):
    """Whether a second connection goes on with the session of the first."""
    with TlsClient(secure.tls_port, context) as client:
        client.call("PING")                     # tickets of TLS 1.3 come after the handshake
        session = client.socket.session
    with socket.create_connection(("127.0.0.1", secure.tls_port), 10) as sock, context.wrap_socket(
            sock, server_hostname="localhost", session=session) as second:
        return second.session_reused


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_sessions(ours, made, version):
    secure = ours()
    context = with_versions(made, version, version)
    assert resumed(secure, context)
    assert secure.set("tls-session-caching", "no") == OK
    assert not resumed(secure, context)
    assert secure.set("tls-session-caching", "yes", "tls-session-cache-size", "10", "tls-session-cache-timeout", "60") \
        == OK
    assert resumed(secure, context)
    assert secure.set("tls-session-cache-timeout", "1") == OK
    with TlsClient(secure.tls_port, context) as client:
        client.call("PING")
        session = client.socket.session
    assert session.timeout <= 7200 and (session.ticket_lifetime_hint in (1, 0))


def test_parameters_for_dh(either_server, made, tmp_path):
    """A file with some is used, so that DHE ciphers can be."""
    secure = Secure(either_server, made)
    rsa = made.issue("rsa", dns="localhost", rsa_key=True)
    file = tmp_path / "dh.pem"
    file.write_text(FFDHE2048)
    assert secure.set("tls-dh-params-file", str(file), "tls-cert-file", str(rsa.certificate),
                      "tls-key-file", str(rsa.key)) == OK
    context = with_versions(made, ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_2)
    context.set_ciphers("DHE-RSA-AES128-GCM-SHA256")
    for path in (str(file), ""):                # without one OpenSSL chooses
        assert secure.set("tls-dh-params-file", path) == OK
        with TlsClient(secure.tls_port, context) as client:
            assert client.call("PING") == PONG and client.socket.cipher()[0].startswith("DHE-RSA")


def test_ports_come_and_go(either_server, made):
    secure = Secure(either_server, made)
    port, tls_port = secure.server.port, secure.tls_port
    with secure.client() as client, secure.server.client() as plain:
        assert f"listener1:name=tls,bind=127.0.0.1,port={tls_port}".encode() in plain.call("INFO", "server") or (
            secure.server.kind == "peer")
        assert client.call("CONFIG", "SET", "port", "0") == OK
        with pytest.raises(ConnectionError):
            secure.server.client()
        assert info(client, "server")["tcp_port"] == str(tls_port)
        assert client.call("CONFIG", "SET", "tls-port", "0", "port", str(tls_port)) == OK
        with TlsClient.plain_socket(tls_port) as sock:
            sock.sendall(b"PING\r\n")
            assert sock.recv(7) == b"+PONG\r\n"
        assert client.call("CONFIG", "SET", "port", str(port)) == OK
        assert client.call("CONFIG", "SET", "tls-port", str(tls_port)) == OK
    assert not secure.is_refused()


def test_a_taken_port_is_refused(either_server, made):
    secure = Secure(either_server, made)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        text = secure.set("tls-port", str(taken.getsockname()[1]))
    assert text == Error("ERR CONFIG SET failed (possibly related to argument 'tls-port') - Unable to listen on this "
                         "port. Check server logs.")
    assert not secure.is_refused()


def test_tls_is_switched_on_later(either_server, made):
    """Without a certificate that is refused; which files there are does not matter until then."""
    secure = Secure.__new__(Secure)
    secure.made, secure.tls_port, secure.server = made, free_port(), either_server()
    assert secure.set("tls-port", str(secure.tls_port)) == refusal("tls-port")
    assert secure.set("tls-cert-file", "/nowhere") == OK
    files = [word.removeprefix("--") for word in made.options()]
    assert secure.set(*files) == OK
    assert secure.set("tls-port", str(secure.tls_port)) == OK
    assert not secure.is_refused()
