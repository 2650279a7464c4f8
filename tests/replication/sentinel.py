"""Three Sentinels watch a master with two replicas; the master fails in one way after another; nothing is lost.

    python -m tests.replication.sentinel --rounds 5
    python -m tests.replication.sentinel --rounds 2 --nodes fastredis,redis,redis --natural

In each round the master, whichever node that is by then,

    kill     is killed with -9, and started again later, without its data
    stop     gets SIGSTOP, and SIGCONT later
    cut      is cut off from everybody, as when its cable is pulled, but for one client that goes on writing to it

and each time: the Sentinels agree on another master; clients that ask them (redis-py's redis.sentinel) go on; the old
master becomes a replica of the new one; no write is gone that WAIT 2 acknowledged, none is there twice, and all nodes
hold the same. In mixed line-ups each new master is of the other kind, by replica-priority.
"""
import argparse
import contextlib
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from redis.sentinel import MasterNotFoundError
from redis.sentinel import Sentinel as Asker

from tests.helpers import wait_until
from tests.replication.nodes import GONE, KINDS, Network, Node
from tests.replication.traffic import compare, wait_for_offset
from tests.resp import Client, Error
from tests.servers import free_port

NAME = "mymaster"
QUORUM = 2
LINE_UPS = (
    ("fastredis", "fastredis", "fastredis"), ("fastredis", "redis", "fastredis"), ("redis", "fastredis", "redis"))
EVENTS = ("kill", "stop", "cut")
CONFIG = """\
bind 127.0.0.1
port {port}
dir {directory}
sentinel monitor {name} 127.0.0.1 {master} {quorum}
sentinel down-after-milliseconds {name} {down_ms}
sentinel failover-timeout {name} 10000
sentinel parallel-syncs {name} 2
"""
# Sentinel looks every ten seconds how the nodes are, and waits for eight until it makes a replica of an old master.
# A busy machine may stop it for longer than it trusts its clock, after which it would do nothing for half a minute.
HASTE = {"info-period": 500, "publish-period": 300, "ping-period": 200, "ask-period": 300, "tilt-period": 3000}
DOWN_MS, NATURAL_DOWN_MS = 2000, 5000
WAIT_MS = 300
LOST = (redis.ConnectionError, redis.TimeoutError, redis.ResponseError, MasterNotFoundError)
# While the old master is away, or both replicas are being filled, two of them cannot acknowledge anything.
EVENT_SECONDS = 180


def find_sentinel():
    """The command that starts a Sentinel, or None."""
    path = shutil.which("redis-sentinel")
    if path:
        return [path]
    path = shutil.which("redis-server")
    return [path, "--sentinel"] if path else None


class Sentinel:
    """A Sentinel process that watches the master at a port."""

    def __init__(self, master_port, natural=False):
        self.directory = Path(tempfile.mkdtemp(prefix="sentinel-"))
        self.master_port, self.natural = master_port, natural
        self.process = None
        try:
            while not self._starts():
                self.stop_process()
        except BaseException:
            self.close()
            raise

    def _starts(self):
        """Start a process on a free port -> whether it is ours that answers there."""
        program = find_sentinel()
        self.port = free_port()
        down_ms = NATURAL_DOWN_MS if self.natural else DOWN_MS
        path = self.directory / "sentinel.conf"
        path.write_text(CONFIG.format(port=self.port, directory=self.directory, name=NAME, master=self.master_port,
                                      quorum=QUORUM, down_ms=down_ms))
        with (self.directory / "output.log").open("wb") as output:
            self.process = subprocess.Popen([program[0], str(path), *program[1:]], stdin=subprocess.DEVNULL,
                                            stdout=output, stderr=subprocess.STDOUT)

        def answers():
            if self.process.poll() is not None:
                return b"ended"
            with contextlib.suppress(*GONE):
                return self.call("INFO", "server")
        if f"process_id:{self.process.pid}\r\n".encode() not in wait_until(answers, self.log):
            return False
        if not self.natural:
            for option, value in HASTE.items():
                assert not isinstance(self.call("SENTINEL", "DEBUG", option, value), Error)
        return True

    def call(self, *argv):
        with Client(self.port) as client:
            reply = client.call(*argv)
        return reply

    def log(self):
        return (self.directory / "output.log").read_text(errors="replace")

    def master(self):
        """The port of the master, as this Sentinel sees it."""
        return int(self.call("SENTINEL", "GET-MASTER-ADDR-BY-NAME", NAME)[1])

    def table(self, what):
        """SENTINEL REPLICAS or SENTINEL SENTINELS -> [{field: text}]."""
        rows = self.call("SENTINEL", what, NAME)
        return [{key.decode(): value.decode() for key, value in zip(row[::2], row[1::2], strict=True)} for row in rows]

    def stop_process(self):
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def close(self):
        self.stop_process()
        shutil.rmtree(self.directory, ignore_errors=True)


class AskingWriter(threading.Thread):
    """A client that asks the Sentinels for the master, again and again, and appends numbers to a list there.

    Each number is sent once. `acknowledged` are those that two replicas had; `last_written` and `last_acknowledged`
    the moments (time.monotonic()) when the latest of them was sent that has been answered, or acknowledged.
    """

    def __init__(self, number, ports):
        super().__init__(daemon=True)
        self.key = f"log:{number}"
        asker = Asker([("127.0.0.1", port) for port in ports], socket_timeout=1.0)
        # A retry would send a number twice.
        self.client = asker.master_for(NAME, socket_timeout=2.0, retry=Retry(NoBackoff(), 0))
        self.sent = 0
        self.acknowledged = []
        self.last_written = self.last_acknowledged = 0.0
        self.failures = 0
        self.is_stopping, self.may_go, self.is_idle = threading.Event(), threading.Event(), threading.Event()
        self.may_go.set()

    def run(self):
        while not self.is_stopping.is_set():
            if not self.may_go.is_set():
                self.is_idle.set()
                self.may_go.wait()
            self.write()

    def write(self):
        self.sent += 1
        began = time.monotonic()
        try:
            with self.client.pipeline(transaction=False) as pipe:
                pipe.rpush(self.key, self.sent)
                pipe.wait(2, WAIT_MS)
                _, replicas = pipe.execute()
        except LOST:
            self.failures += 1
            time.sleep(0.05)
            return
        self.last_written = began
        if replicas >= 2:
            self.last_acknowledged = began
            self.acknowledged.append(self.sent)
        time.sleep(0.001)

    def pause(self):
        self.is_idle.clear()
        self.may_go.clear()
        assert self.is_idle.wait(EVENT_SECONDS), "a client does not come to rest"

    def resume(self):
        self.may_go.set()

    def stop(self):
        self.is_stopping.set()
        self.may_go.set()
        self.join()


class Watched:
    """Nodes of these kinds, the first one the master, three Sentinels and clients."""

    def __init__(self, network, kinds, natural=False, clients=3, tell=lambda text: None):
        self.tell = tell
        self.is_mixed = len(set(kinds)) > 1
        self.nodes = [Node(kind, network, "--repl-diskless-load", "on-empty-db") for kind in kinds]
        for node in self.nodes[1:]:
            node.follow(self.nodes[0])
        for node in self.nodes[1:]:
            node.wait_for_link()
        self.sentinels, self.writers = [], []
        with contextlib.ExitStack() as stack:
            for _ in range(3):
                self.sentinels.append(Sentinel(self.nodes[0].door.port, natural))
                stack.callback(self.sentinels[-1].close)
            ports = [sentinel.port for sentinel in self.sentinels]
            for number in range(clients):
                self.writers.append(AskingWriter(number, ports))
                stack.callback(self.writers[-1].stop)
                self.writers[-1].start()
            self.stack = stack.pop_all()

    def __enter__(self):
        return self

    def __exit__(self, *exc_info):
        self.stack.close()

    # --- waiting ---

    def until(self, condition, what):
        """Wait for a condition; meanwhile nodes may be away, and Sentinels busy."""
        def holds():
            with contextlib.suppress(*GONE):
                return condition()
        return wait_until(holds, lambda: f"{what}\n{self.told()}", EVENT_SECONDS)

    def told(self):
        """What Sentinels and nodes have logged."""
        parts = [f"--- Sentinel on port {sentinel.port} ---\n{sentinel.log()[-3000:]}" for sentinel in self.sentinels]
        parts += [f"--- {node} ---\n{node.log()[-2500:]}" for node in self.nodes]
        return "\n".join(parts)

    def master(self):
        """The node that all Sentinels take for the master, None while they do not agree."""
        ports = {sentinel.master() for sentinel in self.sentinels}
        if len(ports) > 1:
            return None
        return next(node for node in self.nodes if node.door.port in ports)

    def is_complete(self):
        """Whether all Sentinels know of each other and of two replicas that are well."""
        return all(
            len(sentinel.table("SENTINELS")) == 2 and len(rows := sentinel.table("REPLICAS")) == 2
            and all(row["flags"] == "slave" and row["master-link-status"] == "ok" for row in rows)
            for sentinel in self.sentinels)

    def replicas_of(self, master):
        return [node for node in self.nodes if node is not master]

    def is_whole(self):
        """Whether there is a master with two linked replicas, as it and they see it."""
        master = self.master()
        return master and master.info()["role"] == "master" and all(
            (info := node.info())["role"] == "slave" and info["master_link_status"] == "up"
            and int(info["master_port"]) == master.door.port for node in self.replicas_of(master))

    def wait_for_writes(self, moment, kind):
        """Wait until every client has had a write answered, or acknowledged, that was sent after a moment."""
        attribute = f"last_{kind}"
        self.until(lambda: all(getattr(writer, attribute) > moment for writer in self.writers),
                   f"clients do not go on: not one write {kind}")

    def wait_until_well(self):
        self.until(self.is_whole, "there are no master and two linked replicas")
        self.until(self.is_complete, "the Sentinels do not see two good replicas")
        self.wait_for_writes(time.monotonic(), "acknowledged")

    # --- a round ---

    def round(self, event):
        """Let the master fail, see that another takes its place, and bring it back. Errors: AssertionError."""
        self.wait_until_well()
        old = self.master()
        self.prefer_other_kind(old)
        began = time.monotonic()
        getattr(self, event)(old)
        new = self.until(lambda: (node := self.master()) is not old and node, f"no failover after {event} of {old}")
        switched = time.monotonic()
        self.wait_for_writes(switched, "written")
        went_on = time.monotonic()
        if event == "cut":
            self.write_inside(old)
        {"kill": old.start, "stop": old.thaw, "cut": old.door.open}[event]()
        self.until(lambda: old.info()["role"] == "slave", f"{old} does not become a replica after {event}")
        self.wait_until_well()
        self.check()
        self.tell(f"{event} of {old}: {new} is the master after {switched - began:.1f} s, clients go on "
                  f"after {went_on - began:.1f} s, all is well after {time.monotonic() - began:.1f} s")

    def prefer_other_kind(self, master):
        """In a mixed line-up: have the Sentinels choose a node of the other kind, where there is one."""
        others = self.replicas_of(master)
        for node in others:
            node.call("CONFIG", "SET", "replica-priority", 10 if node.kind != master.kind else 100)
        wanted = {str(node.door.port): "10" if node.kind != master.kind else "100" for node in others}
        self.until(lambda: all({row["port"]: row["slave-priority"] for row in sentinel.table("REPLICAS")} == wanted
                               for sentinel in self.sentinels), "the Sentinels do not learn the priorities")

    def kill(self, node):
        node.kill()

    def stop(self, node):
        node.freeze()

    def cut(self, node):
        node.door.hang()
        self.write_inside(node)

    def write_inside(self, node):
        """Writes to a master that is cut off: it takes them, and nobody acknowledges them."""
        for number in range(20):
            reply = node.call("RPUSH", "inside", number)
            assert not isinstance(reply, Error), reply
        assert node.call("WAIT", 1, WAIT_MS) == 0, "a replica acknowledged what never reached it"

    def check(self):
        """With the clients at rest: nothing acknowledged is lost, nothing is there twice, all nodes are equal."""
        for writer in self.writers:
            writer.pause()
        self.until(self.is_whole, "there are no master and two linked replicas")
        master = self.master()
        offset = master.offset()
        replicas = self.replicas_of(master)
        for replica in replicas:
            wait_for_offset(replica, offset)
        for node in self.nodes:
            for writer in self.writers:
                check_log(node, writer)
        for replica in replicas:
            compare(master, replica)
        for writer in self.writers:
            writer.resume()

    def acknowledged(self):
        return sum(len(writer.acknowledged) for writer in self.writers)


def check_log(node, writer):
    """A node has all that a client's WAIT acknowledged, and nothing twice. Errors: AssertionError."""
    items = [int(item) for item in node.call("LRANGE", writer.key, 0, -1)]
    lost = sorted(set(writer.acknowledged) - set(items))
    assert not lost, f"{node} lost {len(lost)} acknowledged writes of {writer.key}: {lost[:10]}"
    assert len(items) == len(set(items)), f"{node} has writes of {writer.key} twice"
    assert set(items) <= set(range(1, writer.sent + 1)), f"{node} has what {writer.key} never wrote"


def run(kinds, events, natural=False, tell=lambda text: None, peer=None, server_loop=None):
    """Rounds with these events -> how many writes were acknowledged by both replicas. Errors: AssertionError."""
    with Network(peer, server_loop) as network, Watched(network, kinds, natural, tell=tell) as watched:
        for event in events:
            watched.round(event)
        return watched.acknowledged()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=2, help="how often each of kill, stop and cut comes")
    parser.add_argument("--nodes", metavar="KIND,KIND,KIND",
                        help=f"kinds ({' or '.join(KINDS)}); by default three line-ups, one after another")
    parser.add_argument("--natural", action="store_true", help="leave Sentinel its own, slower rhythm")
    parser.add_argument("--peer", help="path of the redis-server; by default the one on PATH")
    arguments = parser.parse_args()
    if find_sentinel() is None:
        parser.error("no redis-sentinel")
    line_ups = [tuple(arguments.nodes.split(","))] if arguments.nodes else LINE_UPS
    for kinds in line_ups:
        print(" ".join(kinds), flush=True)
        acknowledged = run(kinds, EVENTS * arguments.rounds, arguments.natural,
                           tell=lambda text: print(f"  {text}", flush=True), peer=arguments.peer)
        print(f"  {acknowledged} writes were acknowledged by both replicas, none is lost", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
