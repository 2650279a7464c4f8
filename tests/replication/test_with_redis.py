"""Replication between fastredis and a real redis-server, in every mixture, with live writes, expiries and evictions."""
import contextlib
import itertools
import random
import shutil
import subprocess
import time

import pytest

from tests.helpers import PATIENCE_SECONDS, wait_until
from tests.persist import dataset
from tests.replication.nodes import KINDS, Node
from tests.replication.traffic import Writer, check_counts, check_equal, compare, known_commands, settle
from tests.resp import Error
from tests.rows import OK

pytestmark = pytest.mark.slow
MIXTURES = list(itertools.product(KINDS, KINDS))
# How a data set gets to the replica: through a file on both sides, or straight into memory.
TRANSFERS = {"disk": ("--repl-diskless-sync", "no", "--repl-diskless-load", "disabled"),
             "socket": ("--repl-diskless-sync", "yes", "--repl-diskless-load", "swapdb")}
SEED = 5
READONLY = Error("READONLY You can't write against a read only replica.")


@contextlib.contextmanager
def writing(node, *others, numbers=(0, 1)):
    """Writers on a node, of commands that the others know as well."""
    known = known_commands(node, *others)
    writers = [Writer(node, number, SEED, known) for number in numbers]
    for writer in writers:
        writer.start()
    try:
        yield writers
    finally:
        for writer in writers:
            writer.stop()


def pause(writers):
    for writer in writers:
        writer.pause()


def has_lost_keys(node):
    """Whether keys have expired and been evicted."""
    info = node.info("stats")
    return int(info["expired_keys"]) and int(info["evicted_keys"])


@pytest.mark.parametrize("transfer", TRANSFERS)
@pytest.mark.parametrize("kind", KINDS)
def test_chains_of_three(network, kind, transfer):
    """A master with a replica of each kind, each of which has a replica of each kind: four chains.

    The replicas come while clients write. Then the connections to the master break in the middle of something, and
    the replicas go on where they were. In the end all seven hold what the writers wrote.
    """
    options = ("--repl-backlog-size", "64mb", *TRANSFERS[transfer])
    master = Node(kind, network, *options)
    middle = [Node(each, network, *options) for each in KINDS]
    last = [(node, Node(each, network, *options)) for node in middle for each in KINDS]
    replicas = [*middle, *(node for _, node in last)]
    with master.connect() as client:
        dataset.fill(client)
    with writing(master, *replicas) as writers:
        for node in middle:
            node.follow(master)
        for upper, node in last:
            node.follow(upper)
        for node in replicas:
            node.wait_for_link()
        full, partial, _ = master.syncs()
        assert full >= 2, "there was no full synchronisation"
        wait_until(lambda: has_lost_keys(master), "no key has expired, or none was evicted")
        master.door.cut_after(20_000)
        wait_until(lambda: master.syncs()[1] >= partial + 2,
                   lambda: f"no partial synchronisations with {master}: {master.syncs()}\n{master.log()[-3000:]}")
        for node in replicas:
            node.wait_for_link()
        pause(writers)
        assert master.syncs()[0] == full, f"a broken connection led to a full synchronisation\n{master.log()[-3000:]}"
        check_equal(master, replicas, writers)


@pytest.mark.parametrize("first, second", MIXTURES)
def test_a_promoted_replica_keeps_the_history(network, first, second):
    """The old master becomes a replica of the new one, and so does another replica, without a full synchronisation."""
    # A PING that only the old master has in its stream would make its history another one.
    options = ("--repl-backlog-size", "64mb", "--repl-ping-replica-period", "1000")
    old, new, third = (Node(kind, network, *options) for kind in (first, second, first))
    with writing(old, new) as writers:
        for node in (new, third):
            node.follow(old)
        for node in (new, third):
            node.wait_for_link()
        pause(writers)
        settle(old, [new, third])
        before = new.info()
        new.follow(None)
        old.follow(new)
        third.follow(new)
        for node in (old, third):
            node.wait_for_link()
        after = new.info()
        assert after["role"] == "master" and after["master_replid2"] == before["master_replid"]
        assert after["master_replid"] != before["master_replid"]
        assert new.syncs()[:2] == (0, 2), f"full, partial: {new.syncs()}\n{new.log()[-3000:]}"
        for node in (old, third):
            assert node.info()["master_replid"] == after["master_replid"]
        with writing(new, old, numbers=(2, 3)) as others:
            wait_until(lambda: all(writer.steps > 50 for writer in others), "nothing is written")
            pause(others)
            check_equal(new, [old, third], [*writers, *others])


@pytest.mark.parametrize("transfer", TRANSFERS)
@pytest.mark.parametrize("master_kind, replica_kind", MIXTURES)
def test_a_slow_connection(network, master_kind, replica_kind, transfer):
    """More than sockets and pipes hold, over a connection on which nothing moves now and then: data set and stream."""
    options = ("--repl-backlog-size", "64mb", *TRANSFERS[transfer])
    master, replica = Node(master_kind, network, *options), Node(replica_kind, network, *options)
    with master.connect() as client:
        dataset.fill(client)
        client.pipeline([("SET", f"big:{number}", random.randbytes(1 << 20)) for number in range(24)])

        def stutter(done):
            while not done():
                master.door.hang()
                time.sleep(0.05)
                master.door.open()
                time.sleep(0.02)
        replica.follow(master)
        stutter(replica.is_linked)
        client.pipeline([("SET", f"big:{number}", random.randbytes(1 << 20)) for number in range(24, 48)])
        offset = master.offset()
        stutter(lambda: replica.offset() >= offset)
    check_equal(master, [replica], [])
    assert master.syncs()[:2] == (1, 0), master.log()[-3000:]


@pytest.mark.parametrize("first, second", MIXTURES)
def test_failover_changes_places_under_writes(network, first, second):
    """FAILOVER TO, to and fro: what was answered is there, and nothing is copied anew."""
    nodes = [Node(kind, network, "--repl-backlog-size", "64mb") for kind in (first, second)]
    nodes[1].follow(nodes[0])
    nodes[1].wait_for_link()
    full = nodes[0].syncs()[0]
    written = 0
    for old, new in (nodes, nodes[::-1]):
        wait_until(lambda old=old: "state=online" in old.info()["slave0"], "the replica does not come online")
        with old.connect() as client:
            assert old.call("FAILOVER", "TO", "127.0.0.1", new.door.port) == OK
            while isinstance(reply := client.call("RPUSH", "list", written), int):     # until it is a replica
                written += 1
                assert reply == written
            assert reply == READONLY, reply
        wait_until(lambda new=new: new.info()["role"] == "master", lambda new=new: new.log()[-3000:])
        old.wait_for_link()
        settle(new, [old])
        for node in nodes:
            assert [int(item) for item in node.call("LRANGE", "list", 0, -1)] == list(range(written)), str(node)
    assert (nodes[0].syncs()[0], nodes[1].syncs()[0]) == (full, 0), nodes[0].log()[-3000:]


@pytest.mark.parametrize("master_kind, replica_kind", MIXTURES)
def test_wait_counts_replicas_of_the_other_kind(network, master_kind, replica_kind):
    master, replica = Node(master_kind, network), Node(replica_kind, network)
    replica.follow(master)
    replica.wait_for_link()
    assert master.call("SET", "k", "v") == OK
    assert master.call("WAIT", 1, PATIENCE_SECONDS * 1000) == 1
    assert replica.call("GET", "k") == b"v"
    assert replica.call("SET", "k", "w") == READONLY
    replica.freeze()
    try:
        assert master.call("SET", "k", "w") == OK
        assert master.call("WAIT", 1, 100) == 0
    finally:
        replica.thaw()
    assert master.call("WAIT", 1, PATIENCE_SECONDS * 1000) == 1
    assert replica.call("GET", "k") == b"w"


@pytest.mark.parametrize("diskless", ["yes", "no"])
@pytest.mark.parametrize("kind", KINDS)
def test_redis_cli_reads_the_data_set_and_the_stream(network, kind, diskless, tmp_path):
    """redis-cli --rdb, whose file another server loads, and redis-cli --replica, which prints commands."""
    cli = shutil.which("redis-cli")
    if cli is None:
        pytest.skip("no redis-cli on PATH")
    master = Node(kind, network, "--repl-diskless-sync", diskless)
    with master.connect() as client:
        dataset.fill(client)
    target = tmp_path / "dump.rdb"
    subprocess.run([cli, "-p", str(master.server.port), "--rdb", str(target)], check=True, timeout=PATIENCE_SECONDS,
                   capture_output=True)
    copy = Node("redis", network, "--dir", str(tmp_path))
    compare(master, copy)
    with (tmp_path / "printed").open("w+") as printed:
        process = subprocess.Popen([cli, "-p", str(master.server.port), "--replica"], stdout=printed,
                                   stderr=subprocess.DEVNULL)
        try:
            wait_until(lambda: "state=online" in master.info().get("slave0", ""), lambda: str(master.info()))
            assert master.call("SET", "a", "stream of bytes") == OK
            wait_until(lambda: '"SET","a","stream of bytes"' in (tmp_path / "printed").read_text(),
                       lambda: (tmp_path / "printed").read_text()[-500:])
        finally:
            process.terminate()
            process.wait()


PLANTED = [
    ("SET", "int", 1), ("DEL", "set:ints"), ("RPUSH", "list:small", "x"), ("PEXPIREAT", "ttl:list", 4_000_000_000_001),
    ("ZADD", "zset:small", 2, "a"), ("HSET", "hash:big", "f", "v"), ("SADD", "new", 1)]


def test_a_difference_is_found(network):
    """The comparison would be worth nothing otherwise."""
    nodes = [Node("redis", network) for _ in range(2)]
    for planted in PLANTED:
        for node in nodes:
            with node.connect() as client:
                client.call("FLUSHALL")
                dataset.fill(client)
        compare(*nodes)
        nodes[1].call(*planted)
        with pytest.raises(AssertionError, match="database 0"):
            compare(*nodes)


def test_a_lost_write_is_found(network):
    node = Node("redis", network)
    with writing(node, numbers=[0]) as writers:
        wait_until(lambda: writers[0].counted > 3 and writers[0].paired > 3, "nothing is written")
        pause(writers)
        check_counts(node, writers)
        for argv in (("LREM", "count:0", 1, 2), ("DECR", "twin:0:a")):
            node.call("SELECT", 9)
            node.call(*argv)
            with pytest.raises(AssertionError, match=r"of writer 0, not|due"):
                check_counts(node, writers)
