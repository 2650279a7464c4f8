"""The soak test itself: rounds of random actions on two servers that must not be told apart.

A round starts with empty servers and has its own seed, which repeats it. Its actions are single commands, pipelines,
transactions (with WATCH, too), clients that wait for a key, chance (what SPOP took on one server is removed by name
on the other), settings that change encodings, and the clock: that of fastredis is moved ahead by hours, and on
redis-server, whose clock cannot be moved, what is due by then is removed by name. After each action the keyspace
events of both are compared, and every so often the whole data sets.
"""
import contextlib
import time
from collections import Counter, deque

from tests.fuzz import used_memory
from tests.resp import Closed, Error, encode
from tests.rows import QUEUED
from tests.soak.alike import alike
from tests.soak.draw import DATABASES, EPOCH_MS, HOUR_MS, KEYS_OF_GROUP, LIMITS, Draw

TIMEOUT_SECONDS = 60
ACTIONS_OF_A_ROUND = 250
ACTIONS = {"single": 30, "pipeline": 40, "transaction": 12, "watch": 5, "wait": 3, "chance": 8, "setting": 3,
           "clock": 1, "compare": 1.5}
LEAK_BYTES = 1 << 19                        # scratch memory that a server may keep; a leak is more, given time
HISTORY = 5000                              # commands that are kept
SHOWN = 40                                  # of those, with a key of the command that shows a difference
WAITING = (b"BLPOP", b"BRPOP", b"BLMOVE", b"BLMPOP", b"BRPOPLPUSH", b"BZPOPMIN", b"BZPOPMAX", b"BZMPOP")
# Commands that wait for a key, by its type, and what wakes them.
WAITS = (("list", "BLPOP {key} 0", "RPUSH {key} a b"), ("list", "BRPOP {key} 0", "LPUSH {key} a"),
         ("list", "BLMOVE {key} list:0 LEFT RIGHT 0", "RPUSH {key} a b"),
         ("list", "BLMPOP 0 1 {key} LEFT", "RPUSH {key} a"),
         ("sorted-set", "BZPOPMIN {key} 0", "ZADD {key} 1 a 2 b"), ("sorted-set", "BZPOPMAX {key} 0", "ZADD {key} 1 a"),
         ("sorted-set", "BZMPOP 0 1 {key} MIN COUNT 2", "ZADD {key} 1 a 2 b 3 c"),
         ("stream", "XREAD BLOCK 0 STREAMS {key} $", "XADD {key} {id} f v"),
         ("stream", "XREADGROUP GROUP g1 alice BLOCK 0 STREAMS {key} >", "XADD {key} {id} f v"))
# A server tells of a key that has expired when it happens upon it; redis-server 7.0 makes a consumer that claims
# nothing later.
UNEQUAL_EVENTS = (b":expired", b":xgroup-createconsumer", b":xgroup-delconsumer")
# How a whole value is asked for, by its type.
CONTENT = {
    "string": [("GET",), ("STRLEN",)], "list": [("LRANGE", 0, -1), ("LLEN",)], "set": [("SMEMBERS",), ("SCARD",)],
    "hash": [("HGETALL",), ("HLEN",)], "zset": [("ZRANGE", 0, -1, "WITHSCORES"), ("ZCARD",)],
    "stream": [("XRANGE", "-", "+"), ("XLEN",), ("XINFO STREAM", "FULL", "COUNT", 0)]}
# What draws at random from a group's type, whether a member is there, how many there are.
RANDOM = {"set": ("SRANDMEMBER", "SISMEMBER", "SCARD"), "hash": ("HRANDFIELD", "HEXISTS", "HLEN"),
          "sorted-set": ("ZRANDMEMBER", "ZSCORE", "ZCARD")}


class Finding(Exception):
    """A difference between the servers; the text tells the commands and the replies."""


class Pair:
    """A connection to each server, in the same protocol and the same database."""

    def __init__(self, servers, protocol):
        self.protocol = protocol
        self.clients = [server.client(protocol=protocol, timeout=TIMEOUT_SECONDS) for server in servers]
        self.queued = []                    # commands of an open transaction

    def close(self):
        for client in self.clients:
            client.close()

    def call(self, *argv):
        """One command on both -> both replies."""
        for client in self.clients:
            client.send(*argv)
        return [client.read() for client in self.clients]


class Soak:
    """Two servers, and what has been done on them."""

    def __init__(self, server, peer):
        self.servers = (server, peer)
        self.counts = Counter()
        self.commands = 0
        with server.client() as mine, peer.client() as other:
            self.known = {name.decode().upper() for name in mine.call("COMMAND", "LIST")}
            self.known &= {name.decode().upper() for name in other.call("COMMAND", "LIST")}
            self.limits = [dict(pair for name in LIMITS if (pair := client.call("CONFIG", "GET", name)))
                           for client in (mine, other)]
            self.verifies = any(line.startswith("VERIFY") for line in mine.call("DEBUG", "HELP"))

    def round(self, seed):
        """One round. Errors: Finding with the seed."""
        with self.connected(seed):
            for _ in range(ACTIONS_OF_A_ROUND):
                action = self.draw.random.choices(list(ACTIONS), ACTIONS.values())[0]
                self.counts[action] += 1
                getattr(self, action)()
                self.compare_events(action not in ("chance", "clock"))
            self.compare()

    @contextlib.contextmanager
    def connected(self, seed):
        """Connections to empty servers, random numbers of that seed. Errors: Finding with the seed."""
        self.draw = Draw(seed, self.known)
        self.history = deque(maxlen=HISTORY)
        self.control, self.listener = Pair(self.servers, 2), Pair(self.servers, 2)
        self.pairs = [Pair(self.servers, protocol) for protocol in (2, 3)]
        try:
            self.begin()
            yield
        except Finding as finding:
            raise Finding(f"{finding}\nrepeat it with --seed {seed}") from finding
        except (Closed, ConnectionError, TimeoutError) as error:
            log = "\n".join(self.servers[0].log().splitlines()[-40:])
            raise Finding(f"no reply: {error!r}\n{self.told()}\n{log}\nrepeat it with --seed {seed}") from error
        finally:
            for pair in (self.control, self.listener, *self.pairs):
                pair.close()

    def begin(self):
        """Empty servers, the settings as they were, the clock of fastredis at EPOCH_MS."""
        for client, limits in zip(self.control.clients, self.limits, strict=True):
            client.call("FLUSHALL")
            for name, value in limits.items():
                client.call("CONFIG", "SET", name, value)
            client.call("CONFIG", "SET", "notify-keyspace-events", "EA")
        mine = self.control.clients[0]
        mine.call("DEBUG", "CLOCK", "RELEASE")
        mine.call("DEBUG", "CLOCK", "ADVANCE", EPOCH_MS - int(time.time() * 1000))
        self.listener.call("PSUBSCRIBE", "__keyevent@*")
        self.listener.call("SUBSCRIBE", "soak:end")

    # --- actions ---

    def pair(self):
        return self.draw.random.choice(self.pairs)

    def single(self):
        self.run(self.pair(), [self.draw.command()])

    def pipeline(self):
        count = self.draw.random.choice((2, 10, 40, 150))
        commands = [self.unblocked() for _ in range(count)]
        self.run(self.pair(), [[b"SELECT", self.draw.database()], *commands])

    def unblocked(self):
        """A command that does not wait."""
        while (argv := self.draw.command())[0] in WAITING:
            pass
        return argv

    def transaction(self):
        commands = [self.draw.command() for _ in range(self.draw.random.choice((0, 1, 3, 20)))]
        end = b"DISCARD" if self.draw.random.random() < 0.1 else b"EXEC"
        self.run(self.pair(), [[b"MULTI"], *commands, [end]])

    def watch(self):
        """WATCH on one connection, a command on the other, then the transaction."""
        first, second = self.draw.random.sample(self.pairs, 2)
        argv = self.unblocked()
        keys = argv[1:3] or [b"string:1"]
        self.run(first, [[b"WATCH", *keys]])
        self.run(second, [argv])
        self.run(first, [[b"MULTI"], self.unblocked(), [b"EXEC"]])

    def wait(self):
        """A client waits for a key while another one works; what waits to the end is released."""
        group, waits, wakes = self.draw.random.choice(WAITS)
        db, key = self.draw.database(), f"{group}:{self.draw.random.randrange(KEYS_OF_GROUP)}"
        argv = waits.format(key=key).encode().split()
        if argv[0].decode() not in self.known:
            return
        waiter = Pair(self.servers, self.draw.random.choice((2, 3)))
        try:
            self.run(waiter, [[b"SELECT", db]])
            numbers = waiter.call("CLIENT", "ID")
            self.note(waiter, argv)
            for client, control, number in zip(waiter.clients, self.control.clients, numbers, strict=True):
                client.send(*argv)
                while not client.pending(0.001) and b"flags=b" not in control.call("CLIENT", "LIST", "ID", number):
                    pass
            commands = [self.unblocked() for _ in range(self.draw.random.choice((0, 2, 10)))]
            if self.draw.random.random() < 0.8:
                wakes = wakes.format(key=key, id=self.draw.new_id().decode()).encode().split()
                commands.insert(self.draw.random.randint(0, len(commands)), wakes)
            self.run(self.pair(), [[b"SELECT", db], *commands])
            for control, number in zip(self.control.clients, numbers, strict=True):
                control.call("CLIENT", "UNBLOCK", number)
            self.compare_replies(None, argv, *(client.read() for client in waiter.clients))
        finally:
            waiter.close()

    def chance(self):
        """Ask one server for something random; the other one must have it, and loses what was taken."""
        group = self.draw.random.choice(("set", "set", "hash", "sorted-set"))
        key = b"%s:%d" % (group.encode(), self.draw.random.randrange(KEYS_OF_GROUP))
        count = self.draw.random.choice((None, 1, 3, 20, 200))
        pick = self.pair()
        mine, other = pick.clients
        taken = group == "set" and self.draw.random.random() < 0.5
        random_command, member_command, size_command = RANDOM[group]
        if taken:
            random_command = "SPOP"
        if random_command not in self.known:
            return
        argv = [random_command, key] + ([] if count is None else [count])
        self.note(pick, argv)
        reply = mine.call(*argv)
        if isinstance(reply, Error):
            self.check(alike([b"ERROR"], reply, other.call(*argv)), argv, reply, "another reply")
            return
        members = reply if isinstance(reply, list) else [reply] if reply is not None else []
        size = other.call(size_command, key)
        self.check(len(members) == len(set(members)) == min(size, 1 if count is None else count), argv, reply, size)
        found = other.pipeline([(member_command, key, member) for member in members])
        self.check(not any(each is None or (each == 0 and type(each) is int) for each in found), argv, reply, found)
        if taken and members:
            self.note(pick, ["SREM", key, *members])
            self.check(other.call("SREM", key, *members) == len(members), argv, reply, "SREM")

    def setting(self):
        """Change a limit of encodings on both, where they know it."""
        name, value = self.draw.setting()
        self.note(self.control, ["CONFIG", "SET", name, value])
        for client, limits in zip(self.control.clients, self.limits, strict=True):
            if name.encode() in limits:
                reply = client.call("CONFIG", "SET", name, value)
                self.check(not isinstance(reply, Error), ["CONFIG", "SET", name, value], reply, None)

    def clock(self):
        """Hours pass: fastredis by its clock; on redis-server go the keys whose deadline is over."""
        hours = self.draw.random.choice((1, 1, 5, 30))
        self.draw.hours += hours
        now_ms = EPOCH_MS + self.draw.hours * HOUR_MS
        mine, other = self.control.clients
        self.note(self.control, ["DEBUG", "CLOCK", "ADVANCE", hours * HOUR_MS])
        mine.call("DEBUG", "CLOCK", "ADVANCE", hours * HOUR_MS)
        for db in range(DATABASES):
            other.call("SELECT", db)
            names = other.call("KEYS", "*")
            times = other.pipeline([("PEXPIRETIME", name) for name in names])
            due = [name for name, when in zip(names, times, strict=True) if 0 <= when < now_ms]
            if due:
                other.call("DEL", *due)
        other.call("SELECT", 0)

    # --- comparing ---

    def run(self, pair, commands):
        """Send the commands to both servers in one write and compare the replies."""
        data = b"".join(encode(*argv) for argv in commands)
        for argv in commands:
            self.note(pair, argv)
        for client in pair.clients:
            client.send_raw(data)
        mine, other = pair.clients
        for argv in commands:
            replies = mine.read(), other.read()
            if mine.raw != other.raw:
                self.compare_replies(pair.queued if argv[0] == b"EXEC" else None, argv, *replies)
            pair.queued = [*pair.queued, argv] if replies[0] == QUEUED else []

    def compare_replies(self, queued, argv, mine, other):
        """Replies of different bytes: of EXEC, if `queued` are the commands of its transaction. Errors: Finding."""
        if queued is None or not (type(mine) is type(other) is list and len(mine) == len(other) == len(queued)):
            self.check(alike(argv, mine, other), argv, mine, other)
            return
        for command, *replies in zip(queued, mine, other, strict=True):
            self.check(alike(command, *replies), command, *replies)

    def note(self, pair, argv):
        self.commands += 1
        self.history.append((pair.protocol, argv))

    def check(self, right, argv, mine, other):
        """Errors: Finding unless it is right."""
        if not right:
            mine, other = self.where(argv, mine, other)
            raise Finding(f"{argv}\n  fastredis:    {mine!r:.2000}\n  redis-server: {other!r:.2000}\n{self.told(argv)}")

    @staticmethod
    def where(argv, mine, other):
        """The replies, or what differs of them where they are long."""
        if not (isinstance(mine, list) and isinstance(other, list) and len(repr((mine, other))) > 2000):
            return mine, other
        if len(mine) != len(other):
            both = ([item for item in one if item not in rest] for one, rest in ((mine, other), (other, mine)))
            return [(len(one), f"items, among them {more[:10]}") for one, more in zip((mine, other), both, strict=True)]
        at = next((at for at in range(len(mine)) if mine[at] != other[at]), 0)
        return (f"[{at}]", mine[at]), (f"[{at}]", other[at])

    def told(self, argv=()):
        """The last commands, and before them those that have a key of argv in them, and settings."""
        history = list(self.history)
        keys = {word for word in argv[1:] if isinstance(word, bytes) and b":" in word}
        end = [f"  RESP{protocol} {words}" for protocol, words in history[-12:]]
        about = [f"  RESP{protocol} {words!r:.500}" for protocol, words in history[:-12]
                 if keys & set(words[1:]) or words[0] == "CONFIG"]
        return "\n".join(["after, among others:", *about[-SHOWN:], "  ...", *[line[:500] for line in end]])

    def compare_events(self, equal):
        """Read the events that came since the last call; they must be the same, if `equal`.

        But for UNEQUAL_EVENTS.
        """
        self.control.call("PUBLISH", "soak:end", "end")
        events = []
        for client in self.listener.clients:
            events.append([])
            while (frame := client.read())[0] != b"message":
                if not frame[2].endswith(UNEQUAL_EVENTS):
                    events[-1].append((frame[2], frame[3]))
        if equal:
            self.check(events[0] == events[1], [b"events"], *events)

    def compare(self):
        """Compare every key of every database: type, deadline, encoding, content. Errors: Finding."""
        for pair in self.pairs:
            db = self.draw.random.randrange(DATABASES)
            for database in range(DATABASES):
                pair.call("SELECT", database)
                self.compare_database(pair, database)
            self.run(pair, [[b"SELECT", b"%d" % db]])
        if self.verifies:
            reply = self.control.clients[0].call("DEBUG", "VERIFY")
            self.check(not isinstance(reply, Error), ["DEBUG", "VERIFY"], reply, None)

    def compare_database(self, pair, db):
        mine, other = pair.clients
        names = [sorted(client.call("KEYS", "*")) for client in pair.clients]
        self.check(names[0] == names[1], [b"KEYS", b"of db %d" % db], *names)
        types = mine.pipeline([("TYPE", name) for name in names[0]])
        commands = []
        for name, kind in zip(names[0], types, strict=True):
            asked = [("TYPE",), ("PEXPIRETIME",), ("OBJECT ENCODING",), *CONTENT[str(kind)]]
            commands += [[*command.encode().split(), name, *(str(word).encode() for word in rest)]
                         for command, *rest in asked]
        data = b"".join(encode(*argv) for argv in commands)
        for client in pair.clients:
            client.send_raw(data)
        for argv in commands:
            replies = mine.read(), other.read()
            self.check(mine.raw == other.raw or alike(argv, *replies), argv, *replies)


def soak(server, peer, seconds=60.0, seed=0, rounds=None, tell=None):
    """Run rounds of the seeds seed, seed + 1, ... for that long -> what was done, a line of text. Errors: Finding.

    At least one round is run, and no more than `rounds`. tell(text) is called about once a minute.
    """
    test = Soak(server, peer)
    start = told = time.monotonic()
    done, before = 0, None
    while not done or (time.monotonic() < start + seconds and done != rounds):
        test.round(seed + done)
        done += 1
        before = before or used_memory(server)
        if tell and time.monotonic() > told + 60:
            told = time.monotonic()
            tell(f"{done} rounds, {test.commands} commands")
    spent = time.monotonic() - start
    after = used_memory(server, before + LEAK_BYTES)
    if after > before + LEAK_BYTES:
        raise Finding(f"used_memory of the empty server was {before} and is {after} after {done} rounds from {seed}")
    return (f"{done} rounds from seed {seed}, {test.commands} commands, {test.commands / spent:.0f} a second, "
            f"used_memory {before} -> {after}, actions {dict(test.counts)}, commands known to both: "
            f"{len(test.draw.facts)}")
