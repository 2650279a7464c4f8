"""Commands drawn from the argument grammar of their declarations, with values at the edges.

What the peer lacks is not drawn: commands, options and numbers of arguments that its COMMAND DOCS and COMMAND INFO
do not know. All is drawn from one seed. Deadlines are long over or far away, so that no clock decides on a reply.
"""
import random
import re
import time
from dataclasses import dataclass

from fastredis.engine.command import declared_commands

from fastredis import commands
from fastredis.engine import declarations
from fastredis.engine.arguments import parse_args

GROUPS = ("string", "bitmap", "hyperloglog", "list", "hash", "set", "sorted-set", "stream", "geo", "generic",
          "transactions")
TYPES = ("string", "list", "hash", "set", "sorted-set", "hyperloglog", "stream", "geo")
DATABASES = 3
KEYS_OF_TYPE = 4
# Of the other groups, what tells something that is the same on all servers.
OTHERS = ("ping", "echo", "select", "dbsize", "flushdb", "swapdb", "publish", "spublish", "command|getkeys",
          "command|getkeysandflags", "pubsub|numsub", "pubsub|channels", "pubsub|numpat", "pubsub|shardnumsub", "hello",
          "client|getname", "client|no-touch", "reset")
# MIGRATE needs other servers, DUMP's bytes are compared by RESTORE, WAIT and WAITAOF have tests of their own; the
# help texts and what only one engine knows (FREQ, IDLETIME, REFCOUNT) are not the same on any two versions.
LEFT_OUT = ("migrate", "dump", "object|help", "object|freq", "object|refcount", "pfselftest", "pfdebug",
            "xgroup|help", "xinfo|help")
# What makes keys is drawn more often, so that there is something to work on, and what empties a database less often.
WEIGHTS = {
    "sadd": 5, "zadd": 8, "rpush": 4, "lpush": 4, "hset": 6, "set": 6, "del": 0.5, "unlink": 0.3, "flushdb": 0.02,
    "swapdb": 0.2, "select": 0.4, "keys": 0.4, "hello": 0.05, "reset": 0.05, "multi": 2, "exec": 2, "discard": 0.3,
    "ltrim": 0.5, "randomkey": 0.3, "wait": 0.05, "waitaof": 0.05, "pfadd": 3, "publish": 0.3, "spublish": 0.3,
    "restore": 2, "client|getname": 0.2, "client|no-touch": 0.1,
    "command|getkeys": 0.4, "command|getkeysandflags": 0.2, "blpop": 0.1, "brpop": 0.1, "blmove": 0.1, "blmpop": 0.1,
    "brpoplpush": 0.1, "bzpopmin": 0.1, "bzpopmax": 0.1, "bzmpop": 0.1, "blmovem": 0.1,
    "xadd": 14, "xgroup|create": 3, "xgroup|destroy": 0.3, "xreadgroup": 5, "xsetid": 0.15, "xtrim": 0.6, "geoadd": 5,
    "xclaim": 2, "xack": 1.5}
STREAM_IDS = 400                            # ids of streams go up to about here
UNITS_OF_ANGLE = (90, 85.05112878, 85.06, 180, 180.1)
INTEGERS = (
    b"0", b"-1", b"1", b"2", b"7", b"100", b"2147483647", b"2147483648", b"-2147483648", b"-2147483649", b"4294967295",
    b"4294967296", b"9223372036854775807", b"-9223372036854775807", b"-9223372036854775808", b"9223372036854775808",
    b"-9223372036854775809", b"18446744073709551615", b"18446744073709551616", b"4611686018427387904",
    b"-4611686018427387904", b"9223372036854775", b"9223372036854776", b"1" * 40)
NOT_INTEGERS = (
    b"", b" ", b"x", b"+1", b"01", b"00", b" 1", b"1 ", b"-0", b"-", b"+", b"1.0", b"1e1", b"0x10", b"1\0", b"\0",
    b"\x001", b"1\n", b"--1", b"1_0", b"0 ", b"-01")
DOUBLES = (
    b"inf", b"-inf", b"+inf", b"INF", b"Infinity", b"-infinity", b"nan", b"NaN", b"-nan", b"1e400", b"-1e400",
    b"1e-400", b"-0.0", b"0.0", b"-0", b"0x10", b"0x1p3", b"1e3", b".5", b"5.", b"+.5", b"1e", b"1e+", b" 1.5",
    b"1.5 ", b"1.5x", b"", b"x", b"1,5", b"1.5\0", b"\0", b"3.0e-5000", b"17976931348623157e292", b"0.1",
    b"0.30000000000000004", b"1e17", b"123456789012345678", b"9007199254740993", b"1e21", b"1e22", b"5e-324", b"+5",
    b"++5", b"(1", b"infx", b"1e5")
ODD = (
    b"", b" ", b"\0", b"a\0b", b"\xff\xfe", b"\r\n", b"*", b"?", b"[a-", b"\\", b"%s%n", b"(", b"[", b"-", b"+",
    b"(a", b"NX", b"count", b"LIMIT", b"x" * 70, b"0", b"-1", b"1.5", b"nan", b"+1", b" 1", b"9223372036854775808")
PATTERNS = (
    b"*", b"*:1", b"s*", b"[a-m]*", b"?", b"??", b"m[0-3]*", b"\\**", b"1?", b"[^a]*", b"[", b"[a", b"[]", b"[]*",
    b"\\", b"a\\", b"", b"**", b"[m-a]*", b"[a-]*", b"*[^", b"h?sh:[01]", b"\0*", b"?\0*", b"[!a]*", b"f[\\0-9]",
    b"*\xff*")
DAY_MS = 86_400_000


@dataclass(frozen=True)
class Known:
    """A command that can be drawn: its declaration, with the arguments that the peer has, and the peer's arity."""

    words: tuple
    declaration: declarations.Declaration
    arguments: tuple
    arities: tuple
    weight: float

    @property
    def name(self):
        return self.declaration.name.decode()

    def fits(self, argv):
        """Whether both servers find this number of arguments right, or both find it wrong."""
        return len({len(argv) == arity if arity > 0 else len(argv) >= -arity for arity in self.arities}) == 1


def pruned(argument, tokens):
    """The argument without what the peer does not have; None: it has nothing of it."""
    if argument.token and argument.token.upper() not in tokens:
        return None
    if not argument.arguments:
        return argument
    parts = [(part, pruned(part, tokens)) for part in argument.arguments]
    if argument.type == "block" and any(found is None and not part.optional for part, found in parts):
        return None
    left = tuple(found for _, found in parts if found is not None)
    return argument._replace(arguments=left) if left else None


def peer_facts(client):
    """{name: (arity, set of option words)} of all commands and subcommands of a server (a client of RESP3)."""
    facts = {}

    def words(arguments):
        for argument in arguments:
            if b"token" in argument:
                yield argument[b"token"].decode().upper()
            yield from words(argument.get(b"arguments", ()))

    def gather(entries):
        for name, entry in entries.items():
            facts[name.decode()] = [0, set(words(entry.get(b"arguments", ())))]
            gather(entry.get(b"subcommands", {}))

    def arities(entries):
        for entry in entries:
            if entry and entry[0].decode() in facts:
                facts[entry[0].decode()][0] = entry[1]
                arities(entry[9])

    gather(client.call("COMMAND", "DOCS"))
    arities(client.call("COMMAND", "INFO"))
    return facts


def known_commands(peer, only=()):
    """The Known of all declared commands that can be drawn beside a peer with those facts; `only` names, if given."""
    commands.load()
    found = []
    for command in declared_commands():
        declared, name = command.declaration, command.name.decode()
        if name not in peer or declared.flags & declarations.CONTAINER or name in LEFT_OUT:
            continue
        if name not in OTHERS and declared.group not in GROUPS:
            continue
        if only and name not in only:
            continue
        arity, tokens = peer[name]
        arguments = [(each, pruned(each, tokens)) for each in parse_args(declared.args)]
        if any(left is None and not whole.optional for whole, left in arguments):
            continue
        words = tuple(word.upper().encode() for word in name.split("|"))
        found.append(Known(words, declared, tuple(left for _, left in arguments if left), (declared.arity, arity),
                           WEIGHTS.get(name, 1)))
    return found


class Draw:
    """Random commands of one seed: command() -> (Known, argv)."""

    def __init__(self, seed, known, draws=lambda name, argv: True, payloads=()):
        self.random = random.Random(seed)
        self.draws = draws                  # of a command's name and words: whether it may be drawn
        self.past = True                    # whether SET makes keys that are over at once
        self.known = known
        self.weights = [each.weight for each in known]
        self.payloads = payloads or (b"x",)
        self.now_ms = int(time.time() * 1000) // DAY_MS * DAY_MS
        self.times = self.random.randrange(10**6)
        self.last_id = 1                    # the highest of an entry that was drawn for XADD
        self.current = known[0]
        self.count = 1                      # of what follows a number of keys or fields
        by_name = {
            "member": self.member, "element": self.member, "pivot": self.member, "field": self.field,
            "value": self.value, "score": self.score, "weight": self.score, "increment": self.increment,
            "timeout": self.timeout, "cursor": self.cursor, "count": self.some, "num-matches": self.some,
            "limit": self.some, "numkeys": self.number_of, "numfields": self.number_of, "encoding": self.bit_type,
            "bit": self.bit, "seconds": self.seconds, "milliseconds": self.milliseconds, "ttl": self.ttl,
            "unix-time-seconds": self.unix_seconds, "unix-time-milliseconds": self.unix_milliseconds,
            "type": self.type_name, "min": self.limit, "max": self.limit, "start": self.start, "stop": self.start,
            "serialized-value": self.payload, "protover": self.version, "channel": self.channel,
            "shardchannel": self.channel, "by-pattern": self.sort_pattern, "get-pattern": self.sort_pattern,
            "command": self.value}
        by_name |= dict.fromkeys(("id", "lastid", "last-id", "max-deleted-id", "end"), self.stream_id)
        by_name |= {"group": self.group, "consumer": self.consumer, "threshold": self.threshold,
                    "numids": self.number_of, "min-idle-time": self.idle, "ms": self.idle, "longitude": self.longitude,
                    "latitude": self.latitude, "radius": self.size, "width": self.size, "height": self.size,
                    "member1": self.member, "member2": self.member, "num-vertices": self.number_of}
        by_name |= dict.fromkeys(("index", "index1", "index2", "db", "destination-db"), self.database)
        by_name["index"] = self.index
        self.by_name = by_name
        self.by_type = {"key": self.key, "integer": self.integer, "double": self.score, "pattern": self.pattern,
                        "unix-time": self.unix_milliseconds, "string": self.value}

    # --- keys and values ---

    def key(self):
        """A key of the group's type, as a rule; commands of lexical ranges have keys of their own.

        Such a range of members with different scores is not defined, and every server finds something else.
        """
        if self.lexical:
            return b"lex:%d" % self.random.randrange(2)
        chance = self.random.random()
        group = self.current.declaration.group
        if group not in TYPES:
            group = "string" if group == "bitmap" else self.random.choice(TYPES)
        if chance < 0.08:
            group = self.random.choice(TYPES)
        if chance > 0.995:
            return self.random.choice(ODD)
        return b"%s:%d" % (group.encode(), self.random.randrange(KEYS_OF_TYPE))

    def member(self):
        chance = self.random.random()
        if chance < 0.4:
            return b"%d" % self.random.randint(-3, 30)
        if chance < 0.8:
            return b"m%d" % self.random.randrange(30)
        if chance < 0.88:
            return self.random.choice(INTEGERS)
        if chance < 0.94:
            return self.random.choice(ODD)
        return b"x" * self.random.choice((8, 20, 63, 64, 65, 300)) + b"%d" % self.random.randrange(10)

    def field(self):
        return b"f%d" % self.random.randrange(20) if self.random.random() < 0.8 else self.member()

    def value(self):
        chance = self.random.random()
        if chance < 0.35:
            return b"%d" % self.random.randint(-100, 10_000)
        if chance < 0.4:
            return self.random.choice(DOUBLES)
        if chance < 0.999:
            return self.member()
        return self.random.randbytes(1) * self.random.choice((1000, 17_000, 70_000, 300_000))

    def score(self):
        """A multiple of a quarter, as a rule: sums of them are exact and do not depend on the order."""
        if self.lexical:
            return b"0"
        if self.random.random() < 0.08:
            return self.random.choice(DOUBLES)
        number = self.random.randint(-80, 80) / 4
        return b"%d" % number if number == int(number) else b"%r" % number

    def increment(self):
        chance = self.random.random()
        if self.current.name in ("incrbyfloat", "hincrbyfloat", "zincrby"):
            return self.score()
        return self.score() if chance < 0.05 else self.integer()

    def integer(self):
        chance = self.random.random()
        if chance < 0.8:
            return b"%d" % self.random.randint(-12, 40)
        if self.current.name == "setbit":
            return self.bit()
        return self.random.choice(INTEGERS) if chance < 0.93 else self.random.choice(NOT_INTEGERS)

    def bit(self):
        return self.random.choice((b"0", b"1")) if self.random.random() < 0.9 else self.random.choice(NOT_INTEGERS)

    def bit_type(self):
        if self.random.random() < 0.9:
            return self.random.choice((b"i", b"u")) + b"%d" % self.random.choice((1, 3, 8, 13, 31, 32, 33, 62, 63, 64))
        return self.random.choice((b"i0", b"u65", b"i65", b"x8", b"", b"i", b"u+8", b"i08", b"I8", b"u8 ", b"u8\0",
                                   b"-8"))

    def some(self):
        """How many elements; those that come with repetitions stay few."""
        chance = self.random.random()
        if chance < 0.75:
            return b"%d" % self.random.choice((0, 1, 1, 2, 3, 5, 12, 40, -1, -4))
        if chance < 0.85:
            return self.random.choice(NOT_INTEGERS)
        number = self.random.choice(INTEGERS)
        repeats = "rand" in self.current.name and -(1 << 63) < int(number) < -100
        return b"-7" if repeats else number

    def number_of(self):
        """A number of keys or fields, nearly always that of those which follow."""
        self.count = self.random.choice((1, 1, 2, 2, 3))
        if self.random.random() < 0.93:
            return b"%d" % self.count
        return self.random.choice(INTEGERS + NOT_INTEGERS)

    def index(self):
        return self.integer() if self.current.name != "select" else self.database()

    def database(self):
        chance = self.random.random()
        if chance < 0.9:
            return b"%d" % self.random.randrange(DATABASES)
        return self.random.choice((b"16", b"17", *INTEGERS[5:])) if chance < 0.95 else self.random.choice(NOT_INTEGERS)

    def cursor(self):
        return b"0" if self.random.random() < 0.85 else self.random.choice(INTEGERS + NOT_INTEGERS)

    def timeout(self):
        """How long to wait: hardly, if it may come to that; also what is none."""
        if self.current.name.startswith("wait"):
            return self.random.choice((b"1", b"2", b"-1", b"x", b"01", b"", b"9223372036854775808"))
        return self.random.choice((b"0.001", b"0.002", b"0.001", b"1e-3", b"-1", b"-0.5", b"x", b"nan", b"inf",
                                   b"1e400", b"9223372036854775807", b"1e18", b"", b"0.001\0", b" 1", b"1 ",
                                   b"0x1p-10"))

    # --- streams and places ---

    def stream_id(self):
        """An id of an entry: of one to be added, as a rule the next one."""
        chance = self.random.random()
        if self.current.name in ("xrange", "xrevrange", "xpending", "xautoclaim"):
            return self.bound()
        if self.current.name == "xadd" and chance < 0.9:
            self.last_id = (self.last_id + self.random.randrange(2)) % (10 * STREAM_IDS)
            return b"%d-%d" % (self.last_id, self.random.randrange(3)) if chance < 0.3 else b"%d-*" % self.last_id
        if self.current.name in ("xread", "xreadgroup") and chance < 0.5:
            return b">" if self.current.name == "xreadgroup" else b"$"
        if chance < 0.9:
            return self.plain_id()
        return self.random.choice((b"-", b"+", b"$", b">", b"0", b"0-0", b"0-*", b"1-", b"-1", b"1-1-1", b"1-x",
                                   b"1-01", b"18446744073709551615-18446744073709551615" if
                                   self.current.name not in ("xsetid", "xadd", "xclaim") else b"7-7", *ODD))

    def plain_id(self):
        number = max(self.last_id - self.random.choice((0, 1, 2, 3, 5, 10, 30, 100)), 0)
        return b"%d-%d" % (number, self.random.randrange(3)) if self.random.random() < 0.7 else b"%d" % number

    def bound(self):
        if self.random.random() < 0.4:
            return self.random.choice((b"-", b"+", b"-", b"+", b"(-", b"(+", b"(", b"", b"x", b"(x", b"0", b"(0-0"))
        return self.random.choice((b"", b"", b"", b"(")) + self.plain_id()

    def group(self):
        return b"g%d" % self.random.randrange(3) if self.random.random() < 0.97 else self.random.choice(ODD)

    def consumer(self):
        return b"c%d" % self.random.randrange(3) if self.random.random() < 0.97 else self.random.choice(ODD)

    def threshold(self):
        return self.some() if self.random.random() < 0.5 else self.plain_id()

    def idle(self):
        """For how long something is pending: no time at all, or years."""
        return self.random.choice((b"0", b"0", b"0", b"1000000000000", b"-1", *NOT_INTEGERS, *INTEGERS[10:]))

    def longitude(self):
        return self.angle(1)

    def latitude(self):
        return self.angle(0.45)

    def angle(self, part):
        chance = self.random.random()
        if chance < 0.03:
            return self.random.choice(DOUBLES)
        if chance < 0.08:
            return b"%r" % (self.random.choice(UNITS_OF_ANGLE) * self.random.choice((1, -1)))
        if chance < 0.5:
            return b"%.4f" % (13 + self.random.uniform(-2, 2))
        return b"%.5f" % (self.random.uniform(-180, 180) * part)

    def size(self):
        if self.random.random() < 0.05:
            return self.random.choice(DOUBLES)
        return b"%d" % self.random.choice((0, 1, 10, 100, 500, 2000, 8000, 20000))

    # --- times ---

    def far(self):
        """Some ms, years, that no other time is the same as."""
        self.times += 1
        return 1000 * DAY_MS + self.times * 1_000_000

    def odd_time(self):
        return self.random.choice((b"0", b"-1", b"-100", *INTEGERS[10:], *NOT_INTEGERS))

    def milliseconds(self):
        if self.current.name in ("xread", "xreadgroup"):
            return self.random.choice((b"1", b"2", b"1", b"-1", b"x", b"0.5", b"", b"9223372036854775808"))
        return b"%d" % self.far() if self.random.random() < 0.75 else self.odd_time()

    def seconds(self):
        return b"%d" % (self.far() // 1000) if self.random.random() < 0.75 else self.odd_time()

    def moment(self):
        """A time in ms that is long over or years ahead."""
        if self.random.random() < 0.2 and (self.past or self.current.name != "set"):
            return self.random.choice((1, 1000, 1_000_000_000_000))
        return self.now_ms + self.far()

    def unix_milliseconds(self):
        return b"%d" % self.moment() if self.random.random() < 0.8 else self.odd_time()

    def unix_seconds(self):
        return b"%d" % (self.moment() // 1000) if self.random.random() < 0.8 else self.odd_time()

    def ttl(self):
        return b"0" if self.random.random() < 0.7 else self.milliseconds()

    # --- other words ---

    def pattern(self):
        return self.random.choice(PATTERNS)

    def type_name(self):
        return self.random.choice((b"string", b"list", b"set", b"zset", b"hash", b"HASH", b"stream"))

    def channel(self):
        return b"ch%d" % self.random.randrange(4)

    def payload(self):
        payload = self.random.choice(self.payloads)
        if self.random.random() < 0.1:
            return self.random.choice((b"", payload[:-1], payload + b"x", payload[1:], b"x" * 30))
        return payload

    def version(self):
        return self.random.choice((b"2", b"3", b"2", b"3", b"1", b"4", b"x", b"", b"03", b"9223372036854775808"))

    def sort_pattern(self):
        return self.random.choice((b"nosort", b"string:*", b"#", b"hash:*->f1", b"hash:0->f*", b"*", b"hash:0->",
                                   b"->*", b"string:*->", b"*->f1", b"", b"set:*", b"list:*", b"nosort*",
                                   b"hash:*->*", b"w\0*"))

    def start(self):
        if self.current.declaration.group == "stream":
            return self.stream_id()
        return self.limit() if self.current.name == "zrange" else self.integer()

    def limit(self):
        """An end of a range: of ranks, scores or members, as the command wants it, seldom of another kind."""
        kind = self.range_kind if self.random.random() < 0.95 else self.random.choice(("score", "lex", "rank"))
        if kind == "rank":
            return self.integer()
        if kind == "lex":
            if self.random.random() < 0.3:
                return self.random.choice((b"-", b"+", b"-", b"+", b"", b"a", b"-x", b"+x", b"(", b"[", b"\0", b"-\0"))
            return self.random.choice((b"[", b"(")) + self.member()
        if self.random.random() < 0.15:
            return self.random.choice((b"-inf", b"+inf", b"(inf", b"(-inf", b"(", b"((1", b"[1", b"(nan", b"( 1",
                                       b"(1 "))
        return self.random.choice((b"", b"", b"(")) + self.score()

    # --- commands ---

    def begin(self, known):
        """Get ready to draw this command: what kind of range it has, what was decided for another is over."""
        self.current, self.count = known, 1
        self.range_kind, self.lexical = "score", "lex" in known.name
        if known.name in ("zrange", "zrangestore"):
            self.range_kind = self.random.choice(("rank", "score", "lex"))
            self.lexical = self.range_kind == "lex"
        elif self.lexical:
            self.range_kind = "lex"
        elif known.name in ("zadd", "zrem"):
            self.lexical = self.random.random() < 0.1

    def command(self):
        """One command, seldom with a word that is wrong, missing or too much -> (Known, list of words)."""
        while True:
            known = self.random.choices(self.known, self.weights)[0]
            argv = self.command_of(known)
            if known.fits(argv) and self.draws(known.name, argv):
                return known, argv

    def command_of(self, known):
        self.begin(known)
        argv = list(known.words)
        if known.name == "hello":               # Redis 8.2 does not answer at all when the password is wrong
            return argv + self.random.choice(([], [self.version()], [self.version(), b"SETNAME", self.field()]))
        if known.name.startswith("command|getkeys"):
            return argv + self.command()[1]
        options = []
        for argument in known.arguments:
            if argument.optional:
                options.append(argument)
                continue
            argv += self.options(options)
            options = []
            argv += self.words(argument)
        argv += self.options(options)
        if self.random.random() < 0.06 and len(argv) > len(known.words) and not self.lexical:
            blocks = known.declaration.flags & declarations.BLOCKING
            (self.mutate_blocking if blocks else self.mutate)(argv, len(known.words))
        if self.random.random() < 0.02:
            argv[0] = argv[0].lower()
        return argv

    def options(self, arguments):
        """The words of options, in any order; now and then one comes twice, or its rival as well."""
        chosen = [each for each in arguments if self.random.random() < 0.35 or self.needed(each)]
        if chosen and self.random.random() < 0.1:
            chosen.append(self.random.choice(arguments))
        if len(chosen) > 1 and self.random.random() < 0.4:
            self.random.shuffle(chosen)
        return [word for argument in chosen for word in self.words(argument)]

    def needed(self, argument):
        """Whether the ends of the range were drawn for this option."""
        return argument.name == "sortby" and self.range_kind != "rank"

    def words(self, argument):
        """The words of one argument."""
        token = [self.cased(argument.token)] if argument.token is not None else []
        if argument.type == "pure-token":
            return token
        found = []
        for _ in range(self.times_of(argument)):
            if found and argument.multiple_token:
                found += token
            found += self.one(argument)
        return token + found

    def cased(self, token):
        return token.lower().encode() if self.random.random() < 0.05 else token.encode()

    def times_of(self, argument):
        if not argument.multiple:
            return 1
        if self.count > 1 or argument.name == "weight":
            return self.count
        many = self.random.random()
        return self.random.randint(20, 200) if many < 0.01 else self.random.choice((1, 1, 1, 2, 2, 3, 8))

    def one(self, argument):
        if argument.type == "oneof":
            if argument.name.startswith("id-selector") and self.current.name == "xadd":
                return [self.stream_id()]       # an id of a server's own has its time in it
            if argument.name == "sortby":
                return [self.cased({"score": "BYSCORE", "lex": "BYLEX"}.get(self.range_kind, "BYSCORE"))]
            return self.words(self.random.choice(argument.arguments))
        if argument.type == "block":
            return [word for part in argument.arguments if not part.optional or self.random.random() < 0.5
                    for word in self.words(part)]
        if argument.type == "key":
            return [self.key()]
        if argument.type == "integer" and argument.name == "value":
            return [self.integer()]
        return [(self.by_name.get(argument.name) or self.by_type[argument.type])()]

    def mutate(self, argv, first):
        """Replace, remove, repeat or add a word."""
        at = self.random.randrange(first, len(argv))
        kind = self.random.randrange(5)
        if kind == 0:
            argv[at] = self.random.choice(ODD)
        elif kind == 1:
            del argv[at]
        elif kind == 2:
            argv.insert(at, self.random.choice(ODD))
        elif kind == 3:
            argv.append(argv[at])
        else:
            argv[at] = self.random.choice(INTEGERS + NOT_INTEGERS + DOUBLES)
        if "rand" in self.current.name:         # no reply has a billion elements
            argv[2:] = [b"-7" if re.match(rb"-\d{4}", word) else word for word in argv[2:]]

    def mutate_blocking(self, argv, first):
        """Put in a word that is no time to wait for."""
        at = self.random.randrange(first, len(argv) + 1)
        argv[at:at + self.random.randrange(2)] = [self.random.choice((b"x", b"", b"nan", b"-1", b"\0", b"LEFT"))]
