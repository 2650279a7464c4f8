"""Moving to a real Redis cluster by redis-cli --cluster import, as docs/scaling.md tells."""
import contextlib
import shutil
import subprocess

import pytest

from tests.helpers import PATIENCE_SECONDS, wait_until
from tests.persist import dataset
from tests.servers import free_port, peer_server


def cli(*argv):
    """Run redis-cli -> what it printed. Errors: AssertionError when it failed."""
    done = subprocess.run(["redis-cli", *map(str, argv)], capture_output=True, text=True, check=False,
                          timeout=PATIENCE_SECONDS)
    assert done.returncode == 0, f"{argv}: {done.stdout}{done.stderr}"
    return done.stdout


@pytest.fixture
def cluster(peer):
    """Three real nodes that are a cluster; skips without a redis-server and redis-cli."""
    if shutil.which("redis-cli") is None:
        pytest.skip("no redis-cli on PATH")
    with contextlib.ExitStack() as stack:
        nodes = [stack.enter_context(cluster_node(peer)) for _ in range(3)]
        cli("--cluster", "create", *(f"127.0.0.1:{node.port}" for node in nodes), "--cluster-yes")
        for node in nodes:
            with node.client() as client:
                wait_until(lambda client=client: b"cluster_state:ok" in client.call("CLUSTER", "INFO"), node.log)
        yield nodes


def cluster_node(peer):
    """A node with a bus. Another process may take the bus's port before it: then with another one."""
    for _ in range(3):
        with contextlib.suppress(RuntimeError):
            return peer_server(peer.path, "--cluster-enabled", "yes", "--cluster-port", str(free_port()))
    raise RuntimeError("a redis-server with cluster-enabled does not start")


@pytest.mark.slow
def test_import(cluster, fresh_server):
    server = fresh_server()
    with server.client() as source:
        dataset.fill(source)
        for database in range(1, 16):                       # a cluster has database 0 only
            source.call("SELECT", database)
            source.call("FLUSHDB")
        before = dataset.content(source)
    cli("--cluster", "import", f"127.0.0.1:{cluster[0].port}", "--cluster-from", f"127.0.0.1:{server.port}",
        "--cluster-copy")
    found, sizes = {}, []
    for node in cluster:
        with node.client() as client:
            there = dataset.content(client, databases=1)
        sizes.append(len(there))
        found |= there
    assert found.keys() == before.keys() and len(before) > 15
    for key, (kind, value, deadline) in before.items():
        assert found[key][:2] == (kind, value), key
        # MIGRATE tells how long a key has to live, so the way there adds to it.
        assert 0 <= found[key][2] - deadline < PATIENCE_SECONDS * 1000, key
    assert sum(sizes) == len(before) and min(sizes) > 0
