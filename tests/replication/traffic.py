"""Writes of every kind that a real server takes too, and comparing the data sets of servers that replicate each other.

What is written, by commands drawn as in tests.soak: every type, in several databases, in pipelines and transactions;
besides keys that expire within a second, keys for the eviction to take, clients that wait for a list, and in database
OWN_DATABASE, which nothing else touches, what tells whether a write came twice or not at all:

    RPUSH count:<writer> 1, 2, 3 ...                         a list without gaps
    MULTI, INCR twin:<writer>:a, INCR twin:<writer>:b, EXEC  two numbers that are equal
"""
import random
import threading
import time

from tests.helpers import PATIENCE_SECONDS, wait_until
from tests.resp import Closed, Error
from tests.soak.alike import alike
from tests.soak.draw import DATABASES, Draw
from tests.soak.run import CONTENT, WAITING

OWN_DATABASE = 9
ALL_DATABASES = (*range(DATABASES), OWN_DATABASE)
SOON_MS = 3_600_000                 # a deadline nearer than this will be over in a second, others never in a test
SHORT_MS = 900
FODDER_KEYS = 5000
EVICTED_BYTES = 60_000
POLICIES = ("volatile-lru", "volatile-lfu", "volatile-random", "volatile-ttl")
STEPS = {"single": 20, "pipeline": 10, "transaction": 8, "expiring": 20, "fodder": 15, "count": 20, "twins": 10,
         "wait": 3, "large": 0.5, "evict": 0.5}


def known_commands(*nodes):
    """The names, in capital letters, that all servers know."""
    return set.intersection(*({name.decode().upper() for name in node.call("COMMAND", "LIST")} for node in nodes))


class Writer(threading.Thread):
    """Writes to a node until stop(), `pause_seconds` after each step. Steps that differ: see STEPS.

    counted: length of its list; paired: its twins. What fails is in `error`, and stop() raises it.
    """

    def __init__(self, node, number, seed, known, pause_seconds=0.002):
        super().__init__(daemon=True)
        self.node, self.number, self.pause_seconds = node, number, pause_seconds
        self.random = random.Random(f"{seed} {number}")
        self.draw = Draw(self.random.randrange(1 << 32), known)
        self.counted = self.paired = self.steps = 0
        self.error = None
        self.is_stopping = threading.Event()
        self.may_go = threading.Event()
        self.may_go.set()
        self.is_idle = threading.Event()

    # --- from outside ---

    def pause(self):
        """Write no more until resume(); what was written has been answered."""
        self.is_idle.clear()
        self.may_go.clear()
        assert self.is_idle.wait(PATIENCE_SECONDS) or self.error, "the writer does not pause"
        self._raise()

    def resume(self):
        self.may_go.set()

    def stop(self):
        """End it. Errors: what ended it before."""
        self.is_stopping.set()
        self.may_go.set()
        self.join(PATIENCE_SECONDS)
        assert not self.is_alive(), "the writer does not end"
        self._raise()

    def _raise(self):
        if self.error is not None:
            raise self.error

    # --- the thread ---

    def run(self):
        try:
            with self.node.connect() as self.client, self.node.connect() as self.other:
                self.other.call("SELECT", OWN_DATABASE)
                while not self.is_stopping.is_set():
                    if not self.may_go.is_set():
                        self.is_idle.set()
                        self.may_go.wait()
                        continue            # stop() lets it go, too
                    getattr(self, self.random.choices(list(STEPS), STEPS.values())[0])()
                    self.steps += 1
                    time.sleep(self.pause_seconds)
        except (AssertionError, OSError, ValueError, Closed) as error:
            self.error = error
            self.is_idle.set()

    def commands(self, count):
        """Drawn commands that do not wait."""
        found = []
        while len(found) < count:
            argv = self.draw.command()
            if argv[0].upper() not in WAITING:
                found.append(argv)
        return found

    def within(self, database, *commands):
        """Commands in a database, in one write -> their replies."""
        return self.client.pipeline([("SELECT", database), *commands])[1:]

    def database(self):
        return self.random.randrange(DATABASES)

    def single(self):
        self.within(self.database(), *self.commands(1))

    def pipeline(self):
        self.within(self.database(), *self.commands(self.random.choice((2, 10, 40))))

    def transaction(self):
        end = "DISCARD" if self.random.random() < 0.1 else "EXEC"
        self.within(self.database(), ("MULTI",), *self.commands(self.random.choice((1, 2, 3, 10))), (end,))

    def expiring(self):
        """A key that goes within a second, of any type; or an old one that does."""
        key, ms = f"short:{self.random.randrange(300)}", self.random.randint(1, SHORT_MS)
        kind = self.random.randrange(6)
        commands = [
            [("SET", key, "x" * self.random.randint(0, 60), "PX", ms)],
            [("DEL", key), ("RPUSH", key, 1, 2, 3), ("PEXPIRE", key, ms)],
            [("DEL", key), ("SADD", key, "a", "b"), ("PEXPIREAT", key, int(time.time() * 1000) + ms)],
            [("MULTI",), ("DEL", key), ("HSET", key, "f", "v"), ("PEXPIRE", key, ms), ("EXEC",)],
            [("DEL", key), ("ZADD", key, 1, "a"), ("PEXPIRE", key, ms)],
            [("PEXPIRE", f"fodder:{self.random.randrange(FODDER_KEYS)}", ms)]][kind]
        self.within(self.database(), *commands)

    def fodder(self):
        """Keys with a deadline far away: the eviction may take them."""
        self.within(self.database(), *(
            ("SET", f"fodder:{self.random.randrange(FODDER_KEYS)}", "f" * self.random.randint(1, 300), "EX", 1_000_000)
            for _ in range(20)))

    def count(self):
        reply = self.within(OWN_DATABASE, ("RPUSH", f"count:{self.number}", self.counted + 1))[0]
        if not is_out_of_memory(reply):
            self.counted += 1
            assert reply == self.counted, f"the list has {reply} items instead of {self.counted}"

    def twins(self):
        name = f"twin:{self.number}"
        replies = self.within(OWN_DATABASE, ("MULTI",), ("INCR", f"{name}:a"), ("INCR", f"{name}:b"), ("EXEC",))
        if not any(is_out_of_memory(reply) for reply in replies):
            self.paired += 1
            assert replies[-1] == [self.paired] * 2, replies

    def wait(self):
        """A client that waits is served, or finds the element there."""
        source, to = f"from:{self.number}", f"to:{self.number}"
        self.other.send("BLMOVE", source, to, "LEFT", "RIGHT", 2)
        self.within(OWN_DATABASE, ("RPUSH", source, self.random.randrange(100)))
        self.other.read()
        self.within(OWN_DATABASE, ("LTRIM", to, -50, -1))

    def large(self):
        """Values that are sent in many pieces."""
        self.within(self.database(), ("SET", f"large:{self.number}", self.random.randbytes(200_000)),
                    ("RPUSH", f"list:{self.random.randrange(6)}", *("e" * 50 for _ in range(2000))),
                    ("DEL", f"list:{self.random.randrange(6)}"))

    def evict(self):
        """Let the first writer take some memory away, for a moment."""
        if self.number:
            return
        used = int(next(line for line in self.client.call("INFO", "memory").decode().splitlines()
                        if line.startswith("used_memory:")).partition(":")[2])
        self.client.pipeline([("CONFIG", "SET", "maxmemory-policy", self.random.choice(POLICIES)),
                              ("CONFIG", "SET", "maxmemory", used - EVICTED_BYTES)])
        self.pipeline()
        self.client.call("CONFIG", "SET", "maxmemory", 0)


def is_out_of_memory(reply):
    return isinstance(reply, Error) and reply.startswith(("OOM", "EXECABORT"))


# Quiet and equal -------------------------------------------------------------------------------------------------


def let_expire(node):
    """Wait until a master has no key whose deadline is near, and has told its replicas.

    redis-server deletes an expired key when it happens upon it: SCAN does.
    """
    with node.connect() as client:
        for database in ALL_DATABASES:
            client.call("SELECT", database)
            wait_until(lambda: not soon(client), lambda: f"{soon(client)[:10]} do not expire on {node}")


def soon(client):
    """Keys of the database that are about to expire. Deletes what is over."""
    client.call("SCAN", 0, "COUNT", 1_000_000)
    names = client.call("KEYS", "*")
    left = client.pipeline([("PTTL", name) for name in names])
    return [name for name, ms in zip(names, left, strict=True) if 0 <= ms < SOON_MS]


def wait_for_offset(node, offset):
    """Wait until a replica is linked and has applied the stream up to an offset."""
    def has_applied():
        info = node.info()
        return info.get("master_link_status") == "up" and int(info["slave_repl_offset"]) >= offset
    wait_until(has_applied, lambda: f"{node} does not reach {offset}: {node.info()}\n{node.log()[-2000:]}")


def settle(master, replicas):
    """With all writers silent: wait until all replicas have everything.

    Errors: AssertionError when a replica has applied more than there is, or does not get there.
    """
    let_expire(master)
    offset = master.offset()
    for replica in replicas:
        wait_for_offset(replica, offset)
        applied, now = replica.offset(), master.offset()
        assert applied <= now, f"{replica} is at {applied}, its master at {now}"


def compare(master, replica):
    """Compare whole data sets. Errors: AssertionError that names the first difference."""
    with master.connect() as mine, replica.connect() as other:
        is_same = mine.call("DEBUG", "DIGEST") == other.call("DEBUG", "DIGEST")
        for database in ALL_DATABASES:
            compare_database(master, replica, (mine, other), database, not is_same)


def compare_database(master, replica, clients, database, with_content):
    """Names and deadlines, and the content where the digests differ.

    They may: redis-server's tells a score of -0 from 0, which one of its encodings of a sorted set does not keep.
    """
    pair = f"{master} and its replica {replica}, database {database}"
    for client in clients:
        client.call("SELECT", database)
    names, others = (sorted(client.call("KEYS", "*")) for client in clients)
    assert names == others, f"{pair}: only one has {sorted(set(names) ^ set(others))[:10]}"
    asked = [("PEXPIRETIME", name) for name in names]
    if with_content:
        types = clients[0].pipeline([("TYPE", name) for name in names])
        asked += [("TYPE", name) for name in names]
        asked += [(command, name, *rest) for name, kind in zip(names, types, strict=True)
                  for command, *rest in CONTENT[str(kind)]]
    for first in range(0, len(asked), 500):
        part = asked[first:first + 500]
        for argv, *replies in zip(part, *(client.pipeline(part) for client in clients), strict=True):
            words = [word.encode() if isinstance(word, str) else b"%d" % word if isinstance(word, int) else word
                     for word in argv]
            assert alike(words, *replies), f"{pair}: {argv}: {replies[0]!r:.500} is not {replies[1]!r:.500}"


def check_counts(node, writers):
    """Nothing double, nothing missing: lists without gaps, twins that are equal. Errors: AssertionError."""
    with node.connect() as client:
        client.call("SELECT", OWN_DATABASE)
        for writer in writers:
            items = [int(item) for item in client.call("LRANGE", f"count:{writer.number}", 0, -1)]
            wanted = list(range(1, writer.counted + 1))
            assert items == wanted, f"{node}: {len(items)} items of writer {writer.number}, not 1 to {writer.counted}"
            twins = client.call("MGET", f"twin:{writer.number}:a", f"twin:{writer.number}:b")
            assert [int(twin or 0) for twin in twins] == [writer.paired] * 2, f"{node}: {twins}, {writer.paired} due"


def check_equal(master, replicas, writers):
    """With all writers silent: all nodes hold the same, and that is what the writers wrote."""
    settle(master, replicas)
    for node in (master, *replicas):
        check_counts(node, writers)
    for replica in replicas:
        compare(master, replica)
