"""Random commands for the soak test, made from tests/facts: each argument is drawn by its name and type.

All is drawn from one seed. Deadlines are EPOCH_MS plus some hours and a half, and the clock only stands at whole
hours after EPOCH_MS (and the seconds that a round takes), so whether one has passed is never a matter of moments.
"""
import json
import random
import re
from pathlib import Path

from tests.fuzz_draw import NUMBERS
from tests.fuzz_draw import ODD as ODD_BYTES

FACTS = Path(__file__).resolve().parent.parent / "facts" / "commands.json"
GROUPS = ("string", "bitmap", "hyperloglog", "list", "hash", "set", "sorted-set", "generic")
TEMPLATE_GROUPS = ("stream", "geo")         # whose arguments depend on each other: all their commands are templates
# To Redis a range of scores and some other arguments are C strings, which end at a zero byte. After a number that is
# out of range its SORT may refuse good weights, as it looks at an errno that nobody cleared.
# It also takes blanks in front of a weight, and hexadecimal ones, as later versions do not.
ODD = [word for word in ODD_BYTES if not re.match(rb"\s|[-+]?0[xX]", word) and b"\0" not in word
       and word not in (b"1e400", b"3.0e-5000")]
EPOCH_MS = 33_177_117_600_000               # a whole hour in the year 3021
HOUR_MS = 3_600_000
DATABASES = 4
KEYS_OF_GROUP = 6

# They need other servers, wait for something else, tell what has no equal, or are drawn by TEMPLATES below.
LEFT_OUT = frozenset((
    "DUMP", "MIGRATE", "RESTORE", "WAIT", "WAITAOF", "OBJECT", "OBJECT HELP", "OBJECT FREQ", "OBJECT IDLETIME",
    "OBJECT REFCOUNT", "SORT", "SORT_RO", "SCAN", "SSCAN", "HSCAN", "ZSCAN", "ZUNION", "ZINTER", "ZUNIONSTORE",
    "ZINTERSTORE", "SPOP", "PFDEBUG", "PFSELFTEST"))
# What makes or fills keys is drawn more often, so that there is something to work on; what waits, less often.
WEIGHTS = {
    "SADD": 12, "ZADD": 14, "RPUSH": 8, "LPUSH": 8, "HSET": 14, "SET": 8, "HINCRBY": 3, "ZINCRBY": 4, "HMSET": 3,
    "ZRANGE": 4, "LRANGE": 3, "SMEMBERS": 2, "HGETALL": 2, "COPY": 3, "OBJECT ENCODING": 3, "SMOVE": 3, "LMOVE": 3,
    "DEL": 0.5, "UNLINK": 0.5, "KEYS": 0.5, "LTRIM": 0.5, "BLPOP": 0.3, "BRPOP": 0.3, "BLMOVE": 0.3, "BLMPOP": 0.3,
    "BRPOPLPUSH": 0.3, "BZPOPMIN": 0.3, "BZPOPMAX": 0.3, "BZMPOP": 0.3, "PERSIST": 0.5, "RENAME": 0.5}
# Commands in which what may be drawn at will is less than the facts tell: small words stand for arguments.
TEMPLATES = """
generic: SCAN 0 COUNT 100000|SCAN 0 MATCH pattern COUNT 100000|SCAN 0 COUNT 100000 TYPE type
generic: SORT any limit|SORT any order alpha limit get|SORT any order get store|SORT any alpha order limit get store
generic: SORT any BY w:* order limit get|SORT any BY w:* get limit store|SORT any BY hash:0->f* limit store
generic: SORT any BY nosort get|SORT any BY nosort order store|SORT_RO any order alpha limit get
generic: SORT any BY hash:*->f1 limit|SORT_RO any BY w:* get|SET w:element score|MSET w:element score
generic: TOUCH any any|TYPE any|TYPE any|FLUSHDB rare|SWAPDB db rare|DBSIZE
hyperloglog: PFDEBUG TODENSE key|PFDEBUG ENCODING key
set: SSCAN key 0 COUNT 100000|SSCAN key 0 COUNT 100000 MATCH pattern|SPOP key 1000000 seldom
hash: HSCAN key 0 COUNT 100000|HSCAN key 0 MATCH pattern COUNT 100000
sorted-set: ZSCAN key 0 COUNT 100000|ZSCAN key 0 COUNT 100000 MATCH pattern
sorted-set: ZUNIONSTORE key 2 key key|ZUNIONSTORE key 2 key key WEIGHTS weight weight|ZUNION 2 key key WITHSCORES
sorted-set: ZUNIONSTORE key 3 key key key AGGREGATE extreme|ZINTERSTORE key 2 key key WEIGHTS weight weight
sorted-set: ZINTERSTORE key 2 key key AGGREGATE extreme|ZINTER 2 key key WITHSCORES
sorted-set: ZINTER 3 key key key AGGREGATE extreme
sorted-set: ZADD lex 0 member|ZADD lex 0 member 0 member 0 member|ZADD lex CH 0 member|ZREM lex member member
sorted-set: ZREMRANGEBYRANK lex 1 2|ZPOPMAX lex|ZSCORE lex member|ZRANK lex member|ZUNIONSTORE lex 2 lex lex
sorted-set: ZUNION 1 any|ZUNIONSTORE key 2 key any|ZUNIONSTORE key 1 any WEIGHTS weight|ZINTERSTORE any 1 key
stream: XADD key new-id field value|XADD key new-id field value field value|XADD key new-id f value g value h value
stream: XADD key new-id f value|XADD key new-id f value|XADD key new-id f value g value|XADD key NOMKSTREAM new-id f v
stream: XADD key MAXLEN some new-id f value|XADD key MINID = id new-id f v|XADD key MAXLEN ~ some new-id f value
stream: XLEN key|XRANGE key range-id range-id upto|XREVRANGE key range-id range-id upto|XRANGE key - + upto
stream: XDEL key id|XDEL key id id id|XTRIM key MAXLEN some|XTRIM key MINID id|XTRIM key MAXLEN ~ some|XSETID key new-id
stream: XREAD upto STREAMS key id|XREAD upto STREAMS key key id id|XREAD STREAMS any-type id
stream: XGROUP CREATE key group id|XGROUP CREATE key group $ MKSTREAM|XGROUP CREATE key group 0 MKSTREAM
stream: XGROUP CREATE key group 0 MKSTREAM|XGROUP SETID key group id|XGROUP DESTROY key group seldom
stream: XGROUP CREATECONSUMER key group consumer|XGROUP DELCONSUMER key group consumer
stream: XREADGROUP GROUP group consumer upto STREAMS key >|XREADGROUP GROUP group consumer upto STREAMS key >
stream: XREADGROUP GROUP group consumer COUNT 2 NOACK STREAMS key >|XREADGROUP GROUP group consumer STREAMS key id
stream: XREADGROUP GROUP group consumer upto STREAMS key key > >|XREADGROUP GROUP group consumer STREAMS key 0
stream: XACK key group id|XACK key group id id id|XPENDING key group|XPENDING key group - + 10
stream: XPENDING key group range-id range-id 5 consumer|XPENDING key group IDLE 0 - + 100
stream: XCLAIM key group consumer 0 id id|XCLAIM key group consumer 0 id JUSTID|XCLAIM key group consumer 0 id id FORCE
stream: XCLAIM key group consumer 0 id RETRYCOUNT some LASTID id|XAUTOCLAIM key group consumer 0 id
stream: XAUTOCLAIM key group consumer 0 0 COUNT 3|XAUTOCLAIM key group consumer 0 0 JUSTID
stream: XINFO GROUPS key|XINFO CONSUMERS key group|XINFO STREAM key|XINFO STREAM key FULL|COPY key key|RENAME key key
geo: GEOADD key place member|GEOADD key place member place member place member|GEOADD key place member place member
geo: GEOADD key NX place member|GEOADD key XX CH place member|GEOADD key CH place member place member
geo: GEOPOS key member member member|GEODIST key member member unit|GEOHASH key member member|ZREM key member|ZCARD key
geo: GEOSEARCH key centre area order told|GEOSEARCH key centre area ASC COUNT 5 told|GEOSEARCH key centre area told
geo: GEOSEARCHSTORE key key centre area order|GEOSEARCHSTORE key key centre area STOREDIST
geo: GEOSEARCH any-type centre area|GEOSEARCH key centre area DESC COUNT some|GEORADIUS key place distance unit told
geo: GEORADIUS key place distance unit order told|GEORADIUS key place distance unit STORE key
geo: GEORADIUSBYMEMBER key member distance unit order told|GEORADIUSBYMEMBER_RO key member distance unit told
"""
# The settings that decide on encodings, and values for them.
LIMITS = {
    "list-max-listpack-size": (-2, -1, 1, 2, 5, 16, 128), "list-compress-depth": (0, 0, 1, 2),
    "hash-max-listpack-entries": (0, 1, 4, 20, 128, 512), "hash-max-listpack-value": (0, 8, 64, 1000),
    "set-max-intset-entries": (0, 1, 4, 20, 512), "set-max-listpack-entries": (0, 1, 4, 20, 128),
    "set-max-listpack-value": (0, 8, 64, 1000), "zset-max-listpack-entries": (0, 1, 4, 20, 128),
    "zset-max-listpack-value": (0, 8, 64, 1000), "hll-sparse-max-bytes": (0, 30, 300, 3000)}
# redis-server 7.0 replies 0 for a missing key before it looks at the numbers, and takes the lowest RANK.
LENIENT = (b"BITCOUNT", b"BITPOS", b"LPOS")
# What a mutated argument must not be put into: their errors differ (ZRANK takes a fourth argument from Redis 7.2 on;
# a timeout out of range is "negative" in 7.0), or a large count would have no end.
UNMUTATED = frozenset((
    *LENIENT, b"BLPOP", b"BRPOP", b"BLMOVE", b"BRPOPLPUSH", b"BLMPOP", b"BZPOPMIN", b"BZPOPMAX", b"BZMPOP", b"ZRANK",
    b"ZREVRANK", b"SCAN", b"KEYS", b"SRANDMEMBER", b"ZRANDMEMBER", b"HRANDFIELD", b"SORT", b"SORT_RO", b"SPOP",
    b"SSCAN", b"HSCAN", b"ZSCAN", b"SETBIT", b"SETRANGE", b"BITFIELD"))


class Fact:
    """A command that can be drawn: its words, its group, the arguments as redis-server 7.0 knows them."""

    def __init__(self, fact):
        self.name = fact["name"]
        self.words = [word.encode() for word in self.name.split()]
        self.group = fact["group"]
        older = fact.get("differs", {}).get("redis-7.0", {})
        self.arguments = older.get("arguments", fact.get("arguments", []))
        self.weight = WEIGHTS.get(self.name, 1)


def facts(known):
    """The Facts of all commands in `known` (names in capital letters) that can be drawn."""
    return [Fact(fact) for fact in json.loads(FACTS.read_text())
            if fact["group"] in GROUPS and "redis-7.0" in fact["in"] and fact["name"] not in LEFT_OUT
            and fact["name"].split()[0] in known]


def templates(known):
    """[(group, words)] of the TEMPLATES whose command is in `known`."""
    found = []
    for line in TEMPLATES.strip().splitlines():
        group, _, rest = line.partition(": ")
        found += [(group, part.split()) for part in rest.split("|") if part.split()[0] in known]
    return found


class Draw:
    """Random commands of one seed, among those that both servers know."""

    groups = (*GROUPS[:-1], *TEMPLATE_GROUPS)   # that have keys
    counted = ("key", "weight")             # arguments that come as often as the number before them says

    def __init__(self, seed, known):
        self.random = random.Random(seed)
        self.facts = facts(known)
        self.weights = [fact.weight for fact in self.facts]
        self.templates = templates(known)
        self.hours = 0                      # that the clock has been moved in this round
        self.group = "string"
        self.count = 1                      # of keys after numkeys
        self.newest = 0                     # of the ids in streams, the part before the -
        self.by_name = {
            "element": self.member, "member": self.member, "pivot": self.member, "field": self.field,
            "value": self.value, "score": self.score, "weight": self.weight, "increment": self.increment,
            "timeout": self.timeout, "db": self.database, "destination-db": self.database, "pattern": self.pattern,
            "count": self.some, "numkeys": self.numkeys, "offset": self.offset, "encoding": self.bit_type,
            "operation": self.bit_operation, "bit": self.bit, "seconds": self.past, "milliseconds": self.past,
            "unix-time-seconds": self.seconds, "unix-time-milliseconds": self.milliseconds, "type": self.type_name,
            "min": self.score_limit, "max": self.score_limit, "cursor": lambda: b"0", "some": self.some,
            "id": self.id, "new-id": self.new_id, "range-id": self.range_id, "group": lambda: self.one_of(b"g1 g2 g3"),
            "consumer": lambda: self.one_of(b"alice bob eve"), "unit": lambda: self.one_of(b"m km mi ft KM"),
            "distance": self.distance}

    # --- words ---

    def key(self):
        """A key that is of the group's type as a rule; one of the lex: keys for commands with LEX in their names."""
        if b"LEX" in self.command_name:
            return self.lex_key()
        group = self.group
        if group == "generic" or self.random.random() < 0.05:
            group = self.random.choice(self.groups)
        if group == "bitmap":
            group = "string"
        return b"%s:%d" % (group.encode(), self.random.randrange(KEYS_OF_GROUP))

    def lex_key(self):
        """A key of a sorted set with one score for all: the result of lex ranges on others depends on chance."""
        return b"lex:%d" % self.random.randrange(3)

    def member(self):
        """An element of a list, set or sorted set: numbers, words, seldom something long or odd; no zero bytes."""
        kind = self.random.random()
        if kind < 0.45:
            return b"%d" % self.random.randint(-5, 40)
        if kind < 0.5:
            return b"%d" % self.random.choice((self.random.getrandbits(31), -self.random.getrandbits(62), 2**63 - 1))
        if kind < 0.9:
            return b"m%d" % self.random.randrange(60)
        if kind < 0.95:
            return self.random.choice((b"", b"1 ", b"1.5", b"-0", b"007", b"\xff\xfe", b"\r\n", b"*", b"[a]"))
        return b"x" * self.random.choice((8, 9, 63, 64, 65, 300)) + b"%d" % self.random.randrange(10)

    def field(self):
        return b"f%d" % self.random.randrange(40) if self.random.random() < 0.8 else self.member()

    def value(self):
        if self.random.random() < 0.3:
            return b"%d" % self.random.randint(-100, 10_000)
        return self.member()

    def quarters(self, limit):
        """A multiple of a quarter: sums of them are exact, so they do not depend on the order."""
        number = self.random.randint(-limit, limit) / 4
        return b"%d" % number if number == int(number) else b"%r" % number

    def score(self):
        if self.random.random() < 0.03:
            return self.random.choice((b"inf", b"-inf", b"+inf", b"1e3", b".5"))
        return self.quarters(100)

    def weight(self):
        return self.quarters(12)

    def increment(self):
        if self.group == "sorted-set" or self.random.random() < 0.3:
            return self.quarters(40)
        return b"%d" % self.random.randint(-100, 100)

    def score_limit(self):
        """An end of a range of scores, or of members for the commands that have LEX in their names."""
        if b"LEX" in self.command_name:
            return self.lex_limit()
        if self.random.random() < 0.2:
            return self.random.choice((b"-inf", b"+inf", b"inf", b"(inf", b"(-inf"))
        return self.random.choice((b"", b"", b"(")) + self.quarters(100)

    def lex_limit(self):
        if self.random.random() < 0.3:
            return self.random.choice((b"-", b"+"))
        return self.random.choice((b"[", b"(")) + self.member()

    def timeout(self):
        return self.random.choice((b"0.001", b"0.002", b"0.005"))

    def database(self):
        return b"%d" % self.random.randrange(DATABASES)

    def pattern(self):
        return self.random.choice((
            b"*", b"*1", b"[a-m]*", b"?", b"f*", b"m[0-3]*", b"*:[12]", b"set:*", b"\\**", b"1?"))

    def some(self):
        """A number of elements; negative ones are errors, or mean that repetitions are allowed."""
        return b"%d" % self.random.choice((0, 1, 1, 2, 3, 5, 12, 40, -1, -4))

    def numkeys(self):
        self.count = self.random.choice((1, 1, 2, 2, 3))
        return b"%d" % self.count

    def offset(self):
        if self.group in ("bitmap", "string"):
            return b"%d" % int(self.random.paretovariate(0.7) % 900)
        return b"%d" % self.random.randint(-2, 12)

    def bit(self):
        return self.random.choice((b"0", b"1"))

    def bit_type(self):
        return self.random.choice((b"i", b"u")) + b"%d" % self.random.choice((1, 3, 8, 13, 31, 32, 33, 62, 63))

    def bit_operation(self):
        return self.random.choice((b"AND", b"OR", b"XOR", b"NOT"))

    def past(self):
        """A number of seconds that is over at once, or is none; longer ones would end by the servers' own clocks."""
        return self.random.choice((b"0", b"-1", b"-100", b"x", b"9223372036854775807"))

    def milliseconds(self):
        """A deadline; one that is over already deletes the key at once, but with SET just some time later."""
        if self.command_name != b"SET" and self.random.random() < 0.15:
            return self.random.choice((b"1", b"1000000000000"))
        hours = self.hours + self.random.randint(0, 60)
        return b"%d" % (EPOCH_MS + hours * HOUR_MS + HOUR_MS // 2)

    def seconds(self):
        return b"%d" % (int(self.milliseconds()) // 1000)

    def type_name(self):
        return self.random.choice((b"string", b"list", b"set", b"zset", b"hash", b"HASH", b"x"))

    def one_of(self, words):
        return self.random.choice(words.split())

    def new_id(self):
        """An id of a new entry: nearly always higher than all before."""
        self.newest += self.random.randrange(3)
        ms = max(self.newest - (self.random.random() < 0.05), 0)
        return b"%d-*" % ms if self.random.random() < 0.2 else b"%d-%d" % (ms, self.random.randrange(4))

    def id(self):
        """An id that may be there; the latest ones are more likely."""
        ms = max(self.newest - int(self.random.paretovariate(0.6)), 0)
        return b"%d" % ms if self.random.random() < 0.2 else b"%d-%d" % (ms, self.random.randrange(4))

    def range_id(self):
        """An end of a range of ids."""
        if self.random.random() < 0.3:
            return self.one_of(b"- + 0")
        return (b"(" if self.random.random() < 0.2 else b"") + self.id()

    def distance(self):
        return b"%.3f" % (10 ** self.random.uniform(0, 4))

    def integer(self):
        if self.random.random() < 0.02 and self.command_name not in LENIENT:
            return self.random.choice(NUMBERS)
        return b"%d" % self.random.randint(-40, 40)

    # --- commands ---

    def argument(self, argument):
        """The words of one argument of the facts."""
        flags = argument.get("flags", ())
        if "optional" in flags and self.random.random() < 0.6:
            return []
        times = 1
        if "multiple" in flags:
            times = self.count if argument["name"] in self.counted and self.count > 1 else self.repeat()
        token = [argument["token"].encode()] if "token" in argument else []
        if argument["type"] == "pure-token":
            return token
        words = []
        for _ in range(times):
            if words and "multiple_token" in flags:
                words += token
            words += self.one(argument)
        return token + words

    def one(self, argument):
        kind = argument["type"]
        if kind == "oneof":
            return self.argument(dict(self.random.choice(argument["arguments"])))
        if kind == "block":
            return [word for part in argument["arguments"] for word in self.argument(part)]
        if kind == "key":
            return [self.key()]
        if kind == "integer" and argument["name"] in ("value", "increment") and self.group != "sorted-set":
            return [self.bit() if self.command_name == b"SETBIT" else self.integer()]
        return [self.by_name.get(argument["name"], self.integer)()]

    def repeat(self):
        """How often a repeated argument comes: once or twice, seldom a few hundred times."""
        many = self.random.random()
        return self.random.randint(100, 700) if many < 0.004 else self.random.choice((1, 1, 1, 2, 2, 3, 8))

    def command(self):
        """One command: a list of words."""
        if self.templates and self.random.random() < 0.3:
            argv = self.from_template(*self.random.choice(self.templates))
        else:
            argv = self.from_facts(self.random.choices(self.facts, self.weights)[0])
        lexical = any(word.startswith(b"lex:") for word in argv)
        if len(argv) > 1 and argv[0] not in UNMUTATED and not lexical and self.random.random() < 0.03:
            at = self.random.randrange(1, len(argv))
            argv[at:at + 1] = self.random.choice(([], [self.random.choice(ODD)], [argv[at], self.random.choice(ODD)]))
        return argv

    def from_facts(self, fact):
        self.group, self.count, self.command_name = fact.group, 1, fact.words[0]
        argv = list(fact.words)
        for argument in fact.arguments:
            argv += self.argument(argument)
        at = {b"ZRANGE": 2, b"ZRANGESTORE": 3}.get(argv[0])
        if at:
            draw = self.score_limit if b"BYSCORE" in argv else self.lex_limit if b"BYLEX" in argv else self.integer
            argv[at:at + 2] = [draw(), draw()]
            if b"BYLEX" in argv:
                argv[1:at] = [self.lex_key() for _ in argv[1:at]]
        return argv

    def from_template(self, group, words):
        self.group, self.count, self.command_name = group, 1, words[0].encode()
        argv = []
        for word in words:
            if word in ("rare", "seldom"):
                if self.random.random() > (0.02 if word == "rare" else 0.2):
                    return [b"PING"]
                if words[0] == "SWAPDB":
                    argv.append(self.database())
            else:
                argv += self.template_words(word)
        return argv

    def template_words(self, word):
        """What a word of a template stands for: none, one or more words."""
        optional = {
            "limit": lambda: [b"LIMIT", self.offset(), self.some()], "alpha": lambda: [b"ALPHA"],
            "order": lambda: [self.random.choice((b"ASC", b"DESC"))], "store": lambda: [b"STORE", b"list:%d" % (
                self.random.randrange(KEYS_OF_GROUP))],
            "get": lambda: [b"GET", self.random.choice((b"#", b"w:*", b"hash:0->f*", b"set:*"))],
            "upto": lambda: [b"COUNT", self.some()],
            "told": lambda: self.random.sample((b"WITHCOORD", b"WITHDIST", b"WITHHASH"), self.random.randint(1, 3))}
        if word in optional:
            return optional[word]() if self.random.random() < 0.5 else []
        if word == "any":
            self.group = self.random.choice(("list", "set", "sorted-set"))
            return [self.key()]
        if word == "any-type":
            return [b"%s:0" % self.random.choice(self.groups).encode()]
        if word == "place":
            return [b"%.4f" % self.random.uniform(-180, 180), b"%.4f" % self.random.uniform(-85, 85)]
        if word == "centre":
            member = self.random.random() < 0.5
            return [b"FROMMEMBER", self.member()] if member else [b"FROMLONLAT", *self.template_words("place")]
        if word == "area":
            sides = [self.distance() for _ in range(self.random.choice((1, 2)))]
            return [(b"", b"BYRADIUS", b"BYBOX")[len(sides)], *sides, self.one_of(b"m km mi ft")]
        if word == "w:element":
            return [b"w:" + self.member()]
        if word == "extreme":
            return [self.random.choice((b"MIN", b"MAX"))]
        draw = {"key": self.key, "lex": self.lex_key, **self.by_name}.get(word)
        return [draw() if draw else word.encode()]

    def setting(self):
        """A setting that decides on encodings, and a value for it."""
        name = self.random.choice(sorted(LIMITS))
        return name, self.random.choice(LIMITS[name])
