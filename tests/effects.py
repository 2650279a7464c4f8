"""Effects equal state: what an engine propagates, replayed into a second one, gives the same data.

    python -m tests.effects [--seed N] [--rounds N] [--steps N] [--every N]

Random commands are drawn for every declared command that may write, from its declaration's own arguments, and given by
several clients to an engine in this process: alone, in transactions and by scripts, on keys of right and wrong types,
in several databases, with deadlines of keys and fields, a clock that is moved, eviction, changing limits of encodings,
clients that wait and are served, and users who may not do everything. What it propagates is executed by a second
engine, whose clock stands still: it expires nothing by itself, as a replica does not. Then

  * no command fails when it is replayed,
  * a command that replies an error propagates nothing (but what expired or was evicted meanwhile),
  * the data sets are equal: values, deadlines of keys, deadlines of fields, libraries of functions.

A finding names its seed and the commands since the data sets were equal last. Exit status 1 for a finding, or when some
command never succeeded.
"""
import argparse
import contextlib
import socket
import sys
import threading
from collections import Counter

from fastredis.engine.command import declared_commands
from fastredis.engine.flags import MAY_REPLICATE, WRITE
from fastredis.engine.inspect import entries

from fastredis import commands
from fastredis.engine.arguments import argument_docs, parse_args
from tests.local import NOW_MS, Local
from tests.resp import Client, Closed, Error, encode
from tests.soak.draw import DATABASES, WEIGHTS, Draw

STEPS = 4000                                # of a round
EVERY = 40                                  # steps between two comparisons
ACTIONS = {"single": 100, "transaction": 8, "script": 6, "clock": 8, "lazy": 1, "setting": 3, "evict": 0.7,
           "database": 4, "wake": 3, "user": 2}
CLIENTS = 6
WAITERS = 4                                 # of these wait at a time
OFTEN = {"XADD": 10, "XREADGROUP": 4, "XGROUP CREATE": 3, "XCLAIM": 2}
RARE = {"FLUSHALL": 0.03, "FLUSHDB": 0.05, "SWAPDB": 0.2, "MIGRATE": 0.5, "DEL": 0.5, "UNLINK": 0.5, "RENAME": 0.5,
        "MOVE": 0.7, "XGROUP DESTROY": 0.2, "XSETID": 0.3}
# Written by name when something expired or was evicted.
REMOVALS = (b"DEL", b"UNLINK", b"HDEL", b"SREM")
# They are executed by replicas though they change no data, or they change how a value is laid out: nothing to see.
SILENT = frozenset(("PUBLISH", "SPUBLISH", "PFCOUNT"))
POLICIES = ("allkeys-random", "allkeys-lru", "allkeys-lfu", "allkeys-lrm", "volatile-random", "volatile-lru",
            "volatile-lfu", "volatile-lrm", "volatile-ttl")
# Transactions are allowed: what is denied in one of them spoils it.
USER_RULES = (("+@all",), ("-@dangerous", "-@blocking", "-@hash", "-@write", "-@read"), ("~*", "%R~*", "~*:[0-2]"),
              ("alldbs", "db=0", "db=0,1"), ("resetchannels", "allchannels"), ("+@transaction",))
FIELDS = (b"f1", b"f2")                     # of the prepared list "fields"
# Executes commands, each of which has its number of words in front of it.
SCRIPT = b"""local at = 1
while at <= #ARGV do
    local words = tonumber(ARGV[at])
    redis.pcall(unpack(ARGV, at + 1, at + words))
    at = at + words + 1
end"""


class Finding(Exception):
    """Effects and state differ; the text tells how."""


class Declared:
    """A declared command that can be drawn, in the shape of tests.soak.draw.Fact."""

    def __init__(self, declaration):
        self.words = [word.upper() for word in declaration.name.split(b"|")]
        self.name = b" ".join(self.words).decode()
        self.group = declaration.group
        self.arguments = [argument_docs(argument) for argument in parse_args(declaration.args)]
        self.silent = not declaration.flags & WRITE or self.name in SILENT
        self.weight = RARE.get(self.name, OFTEN.get(self.name, WEIGHTS.get(self.name, 1)))


def writers():
    """Declared commands that may write."""
    commands.load()
    return [Declared(command.declaration) for command in declared_commands()
            if command.declaration.flags & (WRITE | MAY_REPLICATE)]


class Target(threading.Thread):
    """A server that says OK to everything, for MIGRATE."""

    def __init__(self):
        super().__init__(daemon=True)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.start()

    def run(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:                 # close()
                return
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        reader = Client.__new__(Client)
        reader.socket, reader.buffer, reader.position = connection, b"", 0
        with connection, contextlib.suppress(Closed, OSError):
            while True:
                reader.read()
                connection.sendall(b"+OK\r\n")

    def close(self):
        self.listener.close()


class WriteDraw(Draw):
    """Random commands that may write; `world` is asked for the time and for payloads."""

    counted = ("key", "weight", "field", "member", "data", "id")
    groups = (*Draw.groups, "stream", "array")

    def __init__(self, seed, world):
        super().__init__(seed, frozenset())
        self.world = world
        self.facts = writers()
        self.weights = [fact.weight for fact in self.facts]
        draw = self.random
        self.milestones = 0                                 # the numbers of ids that streams get grow
        self.by_name |= {
            **dict.fromkeys(("group", "consumer"), lambda: draw.choice((b"one", b"other"))),
            **dict.fromkeys(("id", "start", "last-id", "lastid", "max-deleted-id"), self.stream_id),
            **dict.fromkeys(("min-idle-time", "ms"), lambda: draw.choice((b"0", b"0", b"1000", b"30000", b"x"))),
            "threshold": lambda: b"%d" % draw.choice((0, 3, 8, 20, max(self.milestones - 5, 0))),
            "numids": self.numkeys,
            "seconds": self.seconds_ahead, "milliseconds": self.milliseconds_ahead, "numfields": self.numkeys,
            "nummembers": self.numkeys,
            "unix-time-seconds": lambda: b"%d" % (self.moment() // 1000),
            "unix-time-milliseconds": lambda: b"%d" % self.moment(), "timeout": self.timeout,
            "ttl": lambda: draw.choice((b"0", b"0", self.milliseconds_ahead(), b"%d" % self.moment())),
            "serialized-value": world.payload, "frequency": lambda: b"%d" % draw.randint(-1, 260),
            "host": lambda: b"127.0.0.1", "port": lambda: b"%d" % world.target.port,
            "by-pattern": lambda: draw.choice((b"nosort", b"w:*", b"hash:*->f1")),
            "get-pattern": lambda: draw.choice((b"#", b"w:*")), "fieldset-name": lambda: b"fields",
            "function-code": self.library_code, "library-name": lambda: draw.choice((b"one", b"two", b"three")),
            "subcommand": lambda: draw.choice((b"TODENSE", b"GETREG", b"ENCODING", b"DECODE")),
            "index1": self.database, "index2": self.database,
            **dict.fromkeys(("ifeq-value", "ifne-value", "message", "channel"), self.value),
            **dict.fromkeys(("ifdeq-digest", "ifdne-digest"), lambda: b"%016x" % draw.getrandbits(64))}

    def from_facts(self, fact):
        if fact.name == "ZADD" and self.random.random() < 0.2:      # a lex: key, whose members all have one score
            return [b"ZADD", self.lex_key(), b"0", self.member(), b"0", self.member()]
        if fact.name == "FUNCTION RESTORE" and self.random.random() < 0.8:
            policy = self.random.choice(([], [b"FLUSH"], [b"APPEND"], [b"REPLACE"]))
            return [b"FUNCTION", b"RESTORE", self.world.library_payload(), *policy]
        return super().from_facts(fact)

    def library_code(self):
        """A library with a function or two, which another one may have, too; some are wrong."""
        names = self.random.sample((b"f1", b"f2", b"f3", b"f4", b"1x"), self.random.choice((1, 1, 2)))
        code = b"".join(b"redis.register_function('%s', function() return %d end)\n" % (
            name, self.random.randrange(10)) for name in names)
        return b"#!lua name=%s\n%s" % (self.by_name["library-name"](), self.random.choice((code, code, code, b"error")))

    def one(self, argument):
        """XREAD has as many ids as keys; XADD's ids grow, and nothing takes the clock's, which would be far above."""
        if argument["name"] == "streams":
            count = self.random.choice((1, 1, 2))
            return [self.key() for _ in range(count)] + [b">"] * count
        if argument["name"] == "id-selector" and self.command_name == b"XADD":
            self.milestones += self.random.random() < 0.2
            return [b"%d-*" % self.milestones]
        return super().one(argument)

    def stream_id(self):
        """That of an entry, most likely."""
        return b"%d-%d" % (max(self.milestones - self.random.randrange(8), 0), self.random.randrange(6))

    def numkeys(self):
        self.count = self.random.choice((1, 2, 2, 3))
        return b"%d" % self.count

    def moment(self):
        return self.world.now_ms + self.random.choice((-1000, 1, 1500, 10_000, 60_000, 3_600_000))

    def seconds_ahead(self):
        return self.random.choice((b"-1", b"0", b"1", b"2", b"10", b"100", b"100000", b"x", b"9223372036854775807"))

    def milliseconds_ahead(self):
        return self.random.choice((b"-1", b"0", b"1", b"900", b"3000", b"60000", b"100000000"))

    def timeout(self):
        return self.random.choice((b"0", b"0.5", b"2", b"1000", b"x"))

    def command(self):
        """(the Declared, its words); some have a wrong argument more, or one less."""
        fact = self.random.choices(self.facts, self.weights)[0]
        argv = self.from_facts(fact)
        if self.random.random() < 0.05 and not any(word.startswith(b"lex:") for word in argv):
            at = self.random.randrange(1, len(argv)) if len(argv) > 1 else 0
            argv[at + 1:at + 2] = self.random.choice(([], [self.member()], [self.integer(), self.member()]))
        return fact, argv


def shown(argv):
    return " ".join(repr(word)[2:-1] if word.isascii() and len(word) < 90 else f"<{len(word)} bytes>" for word in argv)


def stream_state(control, key):
    """All of a stream but for times, as the second engine's clock stands still, and how its entries lie."""
    def pairs(flat):
        return dict(zip(flat[::2], flat[1::2], strict=True))

    found = pairs(control.call("XINFO", "STREAM", key, "FULL", "COUNT", "0"))
    found[b"groups"] = [pairs(group) for group in found[b"groups"]]
    for group in found[b"groups"]:
        group[b"pending"] = [(entry, owner, times) for entry, owner, _, times in group[b"pending"]]
        group[b"consumers"] = [each[b"name"] for each in map(pairs, group[b"consumers"])]
    # Messages of producers are forgotten by a clock, and those that come again are only counted where they come.
    return {name: value for name, value in found.items() if not name.startswith((b"radix-tree", b"pids-", b"iids-"))}


def dump(local, control):
    """{(database, key): (type, value, deadline, deadlines of fields or members)} of all that an engine holds."""
    found = {}
    for database in range(local.engine.database_count):
        rows = list(entries(local.engine, database))
        if not rows:
            continue
        control.call("SELECT", database)
        for key, _kind, value, volatile in rows:
            name = str(control.call("TYPE", key))
            deadlines = None
            if name == "hash":
                fields = sorted(field for field, _ in value)
                deadlines = control.call("HPEXPIRETIME", key, "FIELDS", len(fields), *fields)
            if name == "set":
                deadlines = control.call("SPEXPIRETIME", key, "MEMBERS", len(value), *sorted(value))
            if name == "stream":
                value = stream_state(control, key)
            if name == "zset":
                value = [(member, float(score)) for member, score in value]     # a listpack has no -0
            if name not in ("string", "list", "stream", "array"):
                value = sorted(value)
            found[database, key] = (name, value, control.call("PEXPIRETIME", key) if volatile else -1, deadlines)
    libraries = control.call("FUNCTION", "LIST", "WITHCODE")
    if libraries:
        found["libraries"] = sorted(library[-1] for library in libraries)
    return found


class World:
    """The two engines, and the clients of the first."""

    def __init__(self, seed):
        self.seed = seed
        self.history = []
        self.target = Target()
        self.first, self.second = Local("enable-debug-command yes"), Local()
        self.second.engine.remove_feed(self.second.notes)
        self.second.engine.set_role(True, False)            # it expires nothing by itself
        self.control, self.writer = self.first.client(), self.second.client()
        self.looker = self.second.client()
        self.selected = 0                                   # by the writer
        self.now_ms = NOW_MS
        self.lazy = self.evicting = False
        self.libraries = b""
        self.draw = WriteDraw(seed, self)
        self.random = self.draw.random
        self.clients = [self.new_client() for _ in range(CLIENTS)]
        self.succeeded = Counter()

    def close(self):
        self.target.close()
        self.first.loop.close()
        self.second.loop.close()

    def new_client(self):
        client = self.first.client()
        client.call("HIMPORT", "PREPARE", "fields", *FIELDS)
        return client

    def payload(self):
        """A DUMP of some key."""
        keys = [self.draw.key() for _ in range(4)]
        self.control.call("SELECT", self.random.randrange(DATABASES))
        found = next(filter(None, (self.control.call("DUMP", key) for key in keys)), b"\x00\x01x")
        self.drain("DUMP")                                  # it may have removed what has expired
        return found

    def library_payload(self):
        """A FUNCTION DUMP of the present libraries, or of some time before."""
        if self.random.random() < 0.3 or not self.libraries:
            self.libraries = self.control.call("FUNCTION", "DUMP")
        return self.libraries

    def fail(self, text):
        lines = "\n".join(f"  {line}" for line in self.history)
        raise Finding(f"seed {self.seed}: {text}\nsince the data sets were equal:\n{lines}")

    # --- what is propagated ---

    def drain(self, line, reply=None):
        """Replay what was propagated; whether there was anything."""
        taken = self.first.notes.take()
        if isinstance(reply, Error) and taken:
            removals = all(argv[0] in (*REMOVALS, b"MULTI", b"EXEC") for _, argv in taken)
            if not (removals and (self.lazy or self.evicting)):
                self.fail(f"{line} replied {reply} and propagated {[shown(argv) for _, argv in taken]}")
        for db, argv in taken:
            self.history.append(f"    -> {db}: {shown(argv)}")
            if db not in (self.selected, -1):
                self.writer.call("SELECT", db)
                self.selected = db
            answer = self.writer.call(*argv)
            errors = [each for each in (answer if isinstance(answer, list) else [answer]) if isinstance(each, Error)]
            if errors:
                self.fail(f"replaying {shown(argv)} replied {errors[0]}")
        for client in self.clients:
            if client.socket.output and client.connection.blocked is None:
                client.socket.output.clear()                # it waited, and was served or gave up
        return bool(taken)

    def compare(self):
        if self.lazy:
            self.lazy = False
            self.control.call("DEBUG", "SET-ACTIVE-EXPIRE", "1")
        self.first.advance(0)
        self.drain("the clock")
        one, other = dump(self.first, self.control), dump(self.second, self.looker)
        if one != other:
            different = [key for key in one.keys() | other.keys() if one.get(key) != other.get(key)]
            self.fail("\n".join(f"{key}: {one.get(key)!r:.500} became {other.get(key)!r:.500}" for key in different))
        self.history.clear()
        for local in (self.first, self.second):
            for _ in range(20):
                local.engine.free_slice()

    # --- actions ---

    def free_client(self):
        waiting = [client for client in self.clients if client.connection.blocked is not None]
        if len(waiting) >= WAITERS:
            self.unblock(self.random.choice(waiting))
        return self.random.choice([client for client in self.clients if client.connection.blocked is None])

    def unblock(self, client):
        self.control.call("CLIENT", "UNBLOCK", client.connection.id, self.random.choice(("ERROR", "TIMEOUT")))
        self.drain("CLIENT UNBLOCK")

    def call(self, client, argv):
        """-> the reply, None when the client waits."""
        self.history.append(f"{client.connection.id}: {shown(argv)}")
        client.socket.sendall(encode(*argv))
        while getattr(client.connection.blocked, "steadfast", False) and not client.socket.output:
            client.socket.loop.call_soon(client.socket.loop.stop)
            client.socket.loop.run_forever()
        return client.read() if client.connection.blocked is None else None

    def single(self):
        fact, argv = self.draw.command()
        client = self.free_client()
        reply = self.call(client, argv)
        waits = client.connection.blocked is not None
        changed = self.drain(shown(argv), reply)
        if not waits and not isinstance(reply, Error) and (changed or fact.silent):
            self.succeeded[fact.name] += 1

    def transaction(self):
        client = self.free_client()
        self.call(client, [b"MULTI"])
        for _ in range(self.random.randint(1, 6)):
            if self.random.random() < 0.1:
                self.call(client, [b"SELECT", b"%d" % self.random.randrange(DATABASES)])
            else:
                self.call(client, self.draw.command()[1])
        reply = self.call(client, [b"EXEC"])
        changed = self.drain("EXEC", reply)
        if changed and isinstance(reply, list) and all(isinstance(each, Error) for each in reply) and not (
                self.lazy or self.evicting):
            self.fail("all commands of EXEC replied errors, and something was propagated")

    def script(self):
        """Some commands, executed by a script."""
        argv = []
        for _ in range(self.random.randint(1, 6)):
            words = self.draw.command()[1]
            argv += [b"%d" % len(words), *words]
        self.call(self.free_client(), [b"EVAL", SCRIPT, b"0", *argv])
        self.drain("EVAL")

    def clock(self):
        ms = self.random.choice((1, 400, 1000, 5000, 20_000))
        self.now_ms += ms
        self.history.append(f"{ms} ms pass")
        self.first.advance(ms)
        self.drain("the clock")

    def lazy_expiry(self):
        """From now on expired keys are removed when somebody comes across them, until the next comparison."""
        self.lazy = True
        self.control.call("DEBUG", "SET-ACTIVE-EXPIRE", "0")

    def setting(self):
        name, value = self.draw.setting()
        if self.random.random() < 0.4 or name == "hll-sparse-max-bytes":        # which shows in the value
            name = self.random.choice(("lazyfree-lazy-expire", "lazyfree-lazy-server-del", "lazyfree-lazy-user-del"))
            value = self.random.choice(("yes", "no"))
        self.history.append(f"CONFIG SET {name} {value}")
        self.control.call("CONFIG", "SET", name, value)

    def evict(self):
        """Some commands with less memory than there is data."""
        self.evicting = True
        used = int(self.control.call("INFO", "memory").split(b"used_memory:")[1].split(b"\r\n")[0])
        policy = self.random.choice(POLICIES)
        self.history.append(f"maxmemory below what is used, {policy}")
        self.control.call("CONFIG", "SET", "maxmemory-policy", policy, "maxmemory", used - 4000)
        for _ in range(12):
            self.single()
        self.control.call("CONFIG", "SET", "maxmemory", 0)
        self.drain("CONFIG SET")
        self.evicting = False

    def database(self):
        self.call(self.free_client(), [b"SELECT", b"%d" % self.random.randrange(DATABASES)])

    def wake(self):
        """A client that waits gives up, or its connection goes."""
        waiting = [client for client in self.clients if client.connection.blocked is not None]
        if waiting and self.random.random() < 0.5:
            self.unblock(waiting[0])
        elif waiting:
            waiting[0].close()
            self.clients[self.clients.index(waiting[0])] = self.new_client()

    def user(self):
        """Other rules for a user, whom some clients are; one of them more, or less. What is denied changes nothing."""
        words = [self.random.choice(rules) for rules in USER_RULES]
        self.history.append(f"ACL SETUSER limited {' '.join(words)}")
        self.control.call("ACL", "SETUSER", "limited", "reset", "on", "nopass", *words)
        self.drain("ACL SETUSER")
        client = self.free_client()
        self.call(client, [b"AUTH", self.random.choice((b"limited", b"default")), b""])

    def step(self):
        action = self.random.choices(list(ACTIONS), ACTIONS.values())[0]
        getattr(self, "lazy_expiry" if action == "lazy" else action)()


def run(seed, steps=STEPS, every=EVERY):
    """One round -> Counter of the commands that succeeded. Errors: Finding."""
    world = World(seed)
    try:
        for number in range(steps):
            world.step()
            if number % every == 0:
                world.compare()
        world.compare()
        return world.succeeded
    finally:
        world.close()


def missing(succeeded):
    """Names of commands that never succeeded."""
    return sorted(fact.name for fact in writers() if not succeeded[fact.name])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=1, help="of the first round; the next ones count up")
    parser.add_argument("--rounds", type=int, default=25)
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--every", type=int, default=EVERY, help="steps between two comparisons")
    options = parser.parse_args()
    succeeded = Counter()
    for seed in range(options.seed, options.seed + options.rounds):
        try:
            succeeded += run(seed, options.steps, options.every)
        except Finding as finding:
            print(finding)
            return 1
    never = missing(succeeded)
    print(f"{options.rounds} rounds from seed {options.seed}, {sum(succeeded.values())} commands that succeeded; "
          f"never: {', '.join(never) or 'none'}")
    return 1 if never else 0


if __name__ == "__main__":
    sys.exit(main())
