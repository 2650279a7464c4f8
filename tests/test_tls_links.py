"""TLS to other servers (replicas, MIGRATE, Sentinel), and to the programs and libraries that people use."""
import asyncio
import contextlib
import shutil
import ssl
import subprocess

import pytest
import redis
import redis.asyncio

import fastredis
from tests.certificates import Certificates, TlsClient
from tests.helpers import info, wait_until
from tests.resp import Closed, Error
from tests.rows import OK
from tests.servers import free_port
from tests.test_tls import Secure

PAIRS = [("fastredis", "fastredis"), ("fastredis", "peer"), ("peer", "fastredis")]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return Certificates(tmp_path_factory.mktemp("tls"))


@pytest.fixture(params=PAIRS, ids=" to ".join)
def pair(request, fresh_server, made):
    """start(*options): two servers, of these kinds."""
    def start(*options):
        return [Secure(lambda *words, kind=kind: fresh_server(*words, kind=kind), made, *options)
                for kind in request.param]
    return start


# --- replicas -----------------------------------------------------------------------------


def link_is_up(client):
    return info(client, "replication").get("master_link_status") == "up"


@pytest.mark.parametrize("diskless", ["yes", "no"])
def test_a_replica_over_tls(pair, diskless):
    """The data set, the stream in both sizes, and a second time after the link was cut; the replica tells its port."""
    master, replica = pair("--tls-replication", "yes", "--repl-diskless-sync", diskless,
                           "--repl-diskless-sync-delay", "0")
    with master.client() as here, replica.client() as there:
        here.pipeline([("SET", f"k{n}", "x" * 1000) for n in range(3000)])
        assert there.call("REPLICAOF", "127.0.0.1", master.tls_port) == OK
        wait_until(lambda: link_is_up(there))
        assert there.call("DBSIZE") == 3000
        here.call("SET", "large", "y" * 3_000_000)
        here.pipeline([("INCR", "n")] * 500)
        assert here.call("WAIT", 1, 20_000) == 1
        assert there.call("GET", "n") == b"500" and there.call("STRLEN", "large") == 3_000_000
        assert f"port={replica.tls_port}" in info(here, "replication")["slave0"]
        here.call("CLIENT", "KILL", "TYPE", "replica")
        here.call("INCR", "n")
        wait_until(lambda: there.call("GET", "n") == b"501")
        wait_until(lambda: link_is_up(there))
        assert info(here)["sync_partial_ok"] == "1"


def test_a_second_connection_for_the_data(fresh_server, made):
    master, replica = (Secure(fresh_server, made, "--tls-replication", "yes", "--dual-channel-replication-enabled",
                              "yes", "--repl-diskless-sync", "yes", "--repl-diskless-sync-delay", "0")
                       for _ in range(2))
    with master.client() as here, replica.client() as there:
        here.pipeline([("SET", f"k{n}", "x" * 1000) for n in range(3000)])
        there.call("REPLICAOF", "127.0.0.1", master.tls_port)
        wait_until(lambda: link_is_up(there))
        assert there.call("DBSIZE") == 3000
        here.call("INCR", "n")
        assert here.call("WAIT", 1, 20_000) == 1


def test_a_link_that_cannot_be_secured(fresh_server, made, tmp_path):
    """To a port without TLS, or to a master with another authority: the replica says so, and tries again."""
    stranger = Certificates(tmp_path)
    replica = Secure(fresh_server, made, "--tls-replication", "yes")
    other = Secure(fresh_server, stranger)
    with replica.client() as there:
        there.call("REPLICAOF", "127.0.0.1", other.tls_port)
        wait_until(lambda: "certificate verify failed" in replica.server.log())
        there.call("REPLICAOF", "127.0.0.1", other.server.port)
        wait_until(lambda: "Error condition on socket for SYNC: " in replica.server.log().split(
            f"{other.server.port}")[-1])
        assert not link_is_up(there)


def test_a_certificate_for_what_goes_out(fresh_server, made):
    """tls-client-cert-file is shown to the master, which knows its user; the server's own is for clients."""
    out = made.issue("out", common_name="replica-user")
    master = Secure(fresh_server, made, "--tls-auth-clients-user", "CN", "--user", "replica-user", "on", "+@all",
                    "--user", "default", "on", "nopass", "+@all", "~*", "&*")
    replica = Secure(fresh_server, made, "--tls-replication", "yes", "--tls-client-cert-file", str(out.certificate),
                     "--tls-client-key-file", str(out.key))
    with master.server.client() as here, replica.server.client() as there:
        there.call("REPLICAOF", "127.0.0.1", master.tls_port)
        wait_until(lambda: link_is_up(there))
        assert b"user=replica-user" in here.call("CLIENT", "LIST", "TYPE", "replica")
        fields = info(there, "tls")
        assert fields["tls_client_cert_serial"] not in ("none", fields["tls_server_cert_serial"])
        assert int(fields["tls_client_cert_expires_in_seconds"]) > 1_000_000


# --- MIGRATE ------------------------------------------------------------------------------


def test_migrate_over_tls(pair):
    """As in Redis it is tls-cluster that says so. Connections are kept, and not for the other way."""
    source, target = pair("--tls-cluster", "yes")
    with source.client() as here, target.client() as there:
        for key in ("one", "two"):
            here.call("SET", key, key * 100_000)
            assert here.call("MIGRATE", "127.0.0.1", target.tls_port, key, 0, 10_000) == OK
            assert there.call("GET", key) == (key * 100_000).encode()
        assert here.call("EXISTS", "one", "two") == 0
        here.call("SET", "three", "3")
        here.pipeline([("MULTI",), ("MIGRATE", "127.0.0.1", target.tls_port, "three", 0, 10_000)])
        assert here.call("EXEC") == [OK]
        assert there.call("GET", "three") == b"3"


def test_migrate_to_a_port_without_tls(fresh_server, made):
    source, target = (Secure(fresh_server, made, "--tls-cluster", "yes") for _ in range(2))
    with source.client() as here:
        for commands in ([], [("MULTI",)]):
            here.pipeline([("SET", "k", "v"), *commands])
            reply = here.call("MIGRATE", "127.0.0.1", target.server.port, "k", 0, 3000)
            reply = here.call("EXEC")[0] if commands else reply
            assert reply == Error("IOERR error or timeout connecting to the client")
            assert here.call("GET", "k") == b"v"
        assert here.call("CONFIG", "SET", "tls-cluster", "no") == OK
        assert here.call("MIGRATE", "127.0.0.1", target.server.port, "k", 0, 3000) == OK


# --- programs and libraries ---------------------------------------------------------------


def words(made, program, port):
    return [program, "--tls", "--cacert", str(made.authority_file), "--cert", str(made.client.certificate), "--key",
            str(made.client.key), "-h", "localhost", "-p", str(port)]


def run(argv):
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.skipif(shutil.which("redis-cli") is None, reason="no redis-cli")
def test_redis_cli_and_redis_benchmark(fresh_server, made):
    secure = Secure(fresh_server, made)
    assert run([*words(made, "redis-cli", secure.tls_port), "ECHO", "hello"]) == "hello\n"
    for depth in ("1", "16"):
        done = run([*words(made, "redis-benchmark", secure.tls_port), "-q", "-n", "2000", "-c", "20", "-P", depth,
                    "-t", "set,get,lrange_100"])
        assert done.count("requests per second") >= 3


def test_redis_py(fresh_server, made):
    secure = Secure(fresh_server, made)
    options = {"host": "localhost", "port": secure.tls_port, "ssl": True, "ssl_ca_certs": str(made.authority_file),
               "ssl_certfile": str(made.client.certificate), "ssl_keyfile": str(made.client.key)}
    with redis.Redis(**options, protocol=3) as client:
        assert client.set("k", b"v" * 100_000)
        assert client.get("k") == b"v" * 100_000
        assert client.pipeline().incr("n").incr("n").execute() == [1, 2]

    async def later():
        async with redis.asyncio.Redis(**options) as client:
            return await client.get("n")
    assert asyncio.run(later()) == b"2"


def test_a_server_in_this_process(made):
    """Settings are those of redis.conf; url is that of the TLS port where there is no other."""
    port = free_port()
    with fastredis.Server(port=0, tls_port=port, tls_cert_file=made.server.certificate, tls_key_file=made.server.key,
                          tls_ca_cert_file=made.authority_file, tls_auth_clients="optional") as server:
        assert server.tls_port == port
        assert server.url == f"rediss://127.0.0.1:{port}/0"
        with server.client(ssl_ca_certs=str(made.authority_file), ssl_check_hostname=False) as client:
            assert client.set("k", "v" * 1_000_000)
            assert client.strlen("k") == 1_000_000
        assert server.engine.execute("STRLEN", "k") == 1_000_000
        with TlsClient(port, made.context()) as client:
            assert client.call("GET", "k") == b"v" * 1_000_000


SENTINEL = """\
port 0
tls-port {port}
bind 127.0.0.1
dir {directory}
tls-replication yes
sentinel monitor mine 127.0.0.1 {master} 1
sentinel down-after-milliseconds mine 2000
sentinel failover-timeout mine 10000
"""


@pytest.mark.skipif(shutil.which("redis-sentinel") is None, reason="no redis-sentinel")
def test_sentinel_over_tls(fresh_server, made, tmp_path):
    """It watches a master and a replica that listen with TLS only, and makes the replica the master."""
    master, replica = (Secure(fresh_server, made, "--tls-replication", "yes") for _ in range(2))
    port, config = free_port(), tmp_path / "sentinel.conf"
    options = [word.removeprefix("--") for word in made.options()]
    lines = [f"{name} {value}" for name, value in zip(options[::2], options[1::2], strict=True)]
    config.write_text(SENTINEL.format(port=port, directory=tmp_path, master=master.tls_port) + "\n".join(lines) + "\n")
    with contextlib.ExitStack() as stack:
        here, there = stack.enter_context(master.client()), stack.enter_context(replica.client())
        there.call("REPLICAOF", "127.0.0.1", master.tls_port)
        wait_until(lambda: link_is_up(there))
        for client in (here, there):
            assert client.call("CONFIG", "SET", "port", "0") == OK
        process = subprocess.Popen(["redis-sentinel", str(config)], stdout=subprocess.DEVNULL)
        stack.callback(process.wait)
        stack.callback(process.kill)
        asker = stack.enter_context(wait_until(lambda: connected(port, made)))
        wait_until(lambda: f"port={replica.tls_port}".encode() in b"".join(
            b"port=" + row[5] for row in asker.call("SENTINEL", "REPLICAS", "mine")))
        wait_until(lambda: asker.call("SENTINEL", "FAILOVER", "mine") == OK)
        wait_until(lambda: role(replica) == "master")           # Sentinel closes the connections of those it has told
        wait_until(lambda: role(master) == "slave")
        with master.client() as late:
            wait_until(lambda: link_is_up(late))


def role(secure):
    """None: the connection was closed, in the midst of a record or between two."""
    try:
        with secure.client() as client:
            return info(client, "replication")["role"]
    except (OSError, Closed):
        return None


def connected(port, made):
    try:
        return TlsClient(port, made.context(made.client))
    except (OSError, ssl.SSLError):
        return None
