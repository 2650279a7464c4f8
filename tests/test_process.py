"""What a running server and its children ask of the operating system: titles, processors, the OOM killer's score."""
import os
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.helpers import children, wait_until
from tests.resp import Status
from tests.rows import OK

SLOW_US = 10_000_000        # rdb-key-save-delay: the save does not end by itself
CPUS = sorted(os.sched_getaffinity(0))
CHILDREN = pytest.mark.parametrize("command, setting, title", [
    ("BGSAVE", "bgsave-cpulist", "redis-rdb-bgsave"), ("BGREWRITEAOF", "aof-rewrite-cpulist", "redis-aof-rewrite")])


def child_of(pid):
    """The process id of the only child of a process."""
    (child,) = children(pid)
    return child


def begin(client, command):
    """Have a child work on the data for long."""
    assert client.call("SET", "k", "v") == OK
    assert client.call("CONFIG", "SET", "rdb-key-save-delay", SLOW_US) == OK
    assert isinstance(client.call(command), Status)


def threads_cpus(server):
    """The processors that each thread of a server may run on; the first is the one that serves."""
    tasks = sorted(Path(f"/proc/{server.pid}/task").iterdir(), key=lambda path: int(path.name))
    return [os.sched_getaffinity(int(path.name)) for path in tasks]


@CHILDREN
@pytest.mark.skipif(find_spec("setproctitle") is None, reason="the package setproctitle is not installed")
def test_title_of_a_child(fresh_server, command, setting, title):
    server = fresh_server("--proc-title-template", "{title} of {port}")
    with server.client() as client:
        begin(client, command)
        path = Path(f"/proc/{child_of(server.pid)}/cmdline")
        wait_until(lambda: path.read_text().rstrip("\0") == f"{title} of {server.port}")
        assert Path(f"/proc/{server.pid}/cmdline").read_text().rstrip("\0") == f"fastredis of {server.port}"


@CHILDREN
@pytest.mark.skipif(len(CPUS) < 2, reason="there is one processor only")
def test_processors_of_a_child(fresh_server, command, setting, title):
    server = fresh_server("--server-cpulist", str(CPUS[1]), f"--{setting}", str(CPUS[0]))
    with server.client() as client:
        begin(client, command)
        child = child_of(server.pid)
        wait_until(lambda: os.sched_getaffinity(child) == {CPUS[0]})
        assert os.sched_getaffinity(server.pid) == {CPUS[1]}


@pytest.mark.parametrize("listed", [True, False])
@pytest.mark.skipif(len(CPUS) < 2, reason="there is one processor only")
def test_processors_of_the_threads(fresh_server, listed):
    options = ("--bio-cpulist", str(CPUS[1])) if listed else ()
    server = fresh_server("--server-cpulist", str(CPUS[0]), *options, "--appendonly", "yes")
    expected = {CPUS[1]} if listed else set(CPUS)
    with server.client() as client:
        assert client.call("SET", "k", "v") == OK
        wait_until(lambda: expected in threads_cpus(server)[1:])        # a thread for fsync
        assert threads_cpus(server)[0] == {CPUS[0]}


@pytest.mark.parametrize("text, line", [
    ("0-", "Invalid server-cpulist: '0-'"),
    ("1023", "Unable to bind to the processors of server-cpulist '1023': Invalid argument"),
])
def test_a_list_that_is_of_no_use(fresh_server, text, line):
    server = fresh_server("--server-cpulist", text)
    assert os.sched_getaffinity(server.pid) == set(CPUS)
    assert line in server.log()


def test_oom_score_follows_the_role(fresh_server):
    server = fresh_server()

    def score():
        return int(Path(f"/proc/{server.pid}/oom_score_adj").read_text())

    with server.client() as client:
        before = score()
        assert client.call("CONFIG", "SET", "oom-score-adj-values", "110 120 130", "oom-score-adj", "absolute") == OK
        assert score() == 110
        assert client.call("REPLICAOF", "127.0.0.1", 1) == OK
        assert score() == 120
        assert client.call("CONFIG", "SET", "oom-score-adj-values", "110 125 130") == OK
        assert score() == 125
        assert client.call("REPLICAOF", "NO", "ONE") == OK
        assert score() == 110
        assert client.call("CONFIG", "SET", "oom-score-adj", "no") == OK
        assert score() == before


def test_oom_score_of_a_server_that_begins_as_a_replica(fresh_server):
    options = ("--oom-score-adj", "absolute", "--oom-score-adj-values", "1 140 2")
    server = fresh_server("--replicaof", "127.0.0.1 1", *options)
    wait_until(lambda: Path(f"/proc/{server.pid}/oom_score_adj").read_text() == "140\n")
