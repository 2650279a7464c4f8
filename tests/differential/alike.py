"""Which replies of fastredis and of the peer count as the same.

Replies of the same bytes always do. Where the bytes differ, the tips of the command's declaration say what is free:
the order (nondeterministic_output_order) or all but the shape (nondeterministic_output). What differs on purpose is in
DIFFERENCES, each with its reason. Nothing else may differ, RESP types and error texts included.
"""
import itertools
import re
from collections.abc import Callable
from dataclasses import dataclass

from fastredis.engine.keys import KeySpecs

from fastredis.engine import declarations
from tests.resp import Client, Error

CLOCK_SLACK = 90_000                        # between two servers' deadlines that one command set, ms
NUMBER = re.compile(rb"[-+]?(\d+\.?\d*([eE][-+]?\d+)?|inf|nan)")


def frame_end(data, at):
    """Where the RESP frame that begins at data[at] ends. Errors: ValueError for an incomplete one."""
    pending = 1
    while pending:
        end = data.index(b"\r\n", at)
        kind, pending = data[at], pending - 1
        if kind in b"$=":
            size = int(data[at + 1:end])
            at = end + 2 + (size + 2 if size >= 0 else 0)
            continue
        if kind in b"*~>":
            pending += max(int(data[at + 1:end]), 0)
        elif kind in b"%|":
            pending += 2 * int(data[at + 1:end]) + (kind == ord("|"))
        at = end + 2
    return at


def frames(data):
    """The top-level frames of some bytes, each as bytes; an incomplete one is an error that no server replies."""
    found, at = [], 0
    while at < len(data):
        try:
            end = frame_end(data, at)
        except ValueError:
            return [*found, b"-(malformed)\r\n"]
        found.append(data[at:end])
        at = end
    return found


def parse(raw):
    """The value of one frame, as tests.resp has it."""
    client = Client.__new__(Client)
    client.buffer, client.position = raw, 0
    return client.read()


def exact(value):
    """A reply as a value that tells RESP types apart: 1 from True, a set from an array."""
    if isinstance(value, list):
        return type(value).__name__, [exact(item) for item in value]
    if isinstance(value, dict):
        return "dict", [(exact(key), exact(item)) for key, item in value.items()]
    if isinstance(value, float):
        return "float", repr(value)
    return type(value).__name__, value


def unordered(value):
    """The same with the items of the outermost collection sorted."""
    kind, items = exact(value)
    return kind, sorted(items, key=repr) if isinstance(items, list) else items


def shape(value):
    """What chance and clocks leave of a reply: its types, and how many items there are; errors as they are."""
    if isinstance(value, list):
        return type(value).__name__, [shape(item) for item in value]
    if isinstance(value, dict):
        return "dict", len(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return "int", min(value, 0)
    return type(value).__name__, value if isinstance(value, Error) else None


def scanned(argv, mine, other):
    """Replies of SCAN and its like: the same elements in any order, if both are of a whole iteration."""
    if not all(type(value) is list and len(value) == 2 and type(value[1]) is list for value in (mine, other)):
        return False
    if any(value[0] != b"0" for value in (mine, other)) or b"0" not in argv[1:3]:
        return True
    return sorted(map(repr, items_of(argv, mine[1]))) == sorted(map(repr, items_of(argv, other[1])))


def items_of(argv, elements):
    """The elements of an iteration; those of ZSCAN and HSCAN are pairs."""
    name = argv[0].upper()
    if name not in (b"HSCAN", b"ZSCAN") or any(word.upper() == b"NOVALUES" for word in argv):
        return elements
    return list(zip(elements[::2], elements[1::2], strict=True))


def by_number(value, digits=17):
    """A reply in which texts that are numbers stand for their value, to so many digits."""
    if isinstance(value, list):
        return type(value)(by_number(item, digits) for item in value)
    if isinstance(value, dict):
        return {key: by_number(item, digits) for key, item in value.items()}
    return f"{float(value):.{digits}g}" if isinstance(value, bytes) and NUMBER.fullmatch(value) else value


def same_numbers(argv, mine, other):
    return exact(by_number(mine, 15)) == exact(by_number(other, 15))


def without_minus_zero(value):
    """What by_number() gives, with 0 for -0."""
    if isinstance(value, list):
        return type(value)(without_minus_zero(item) for item in value)
    if isinstance(value, dict):
        return {key: without_minus_zero(item) for key, item in value.items()}
    if isinstance(value, float):
        return value + 0.0
    return "0" if value == "-0" else value


def same_numbers_or_zero(argv, mine, other):
    return exact(without_minus_zero(by_number(mine, 15))) == exact(without_minus_zero(by_number(other, 15)))


def scanned_numbers(argv, mine, other):
    """The same as scanned(), with scores as numbers."""
    return type(mine) is type(other) is list and scanned(
        argv, *([reply[0], by_number(reply[1])] for reply in (mine, other)))


def near(mine, other):
    """Whether two replies are the same but for deadlines that were set a moment apart."""
    if isinstance(mine, list) and isinstance(other, list) and len(mine) == len(other):
        return type(mine) is type(other) and all(map(near, mine, other))
    if type(mine) is int and type(other) is int and min(mine, other) > CLOCK_SLACK:
        return abs(mine - other) < CLOCK_SLACK
    return exact(mine) == exact(other)


def free_sort(argv):
    """Whether it is a SORT that leaves an order open: of equal weights, or of a set that is not sorted."""
    words = [word.upper() for word in argv]
    return words[0].startswith(b"SORT") and b"BY" in words


def hexadecimal(argv):
    return any(re.match(rb"[-+]?0[xX]", word) for word in argv)


def sorted_alike(argv, mine, other):
    """The same items; where SORT leaves nothing open, and no zero byte makes words equal, in the same order."""
    if not type(mine) is type(other) is list:
        return False
    if not free_sort(argv) and not any(b"\0" in item for item in mine + other if isinstance(item, bytes)):
        return False
    if b"LIMIT" in [word.upper() for word in argv]:
        return len(mine) == len(other)
    return unordered(mine) == unordered(other)


def text(value):
    """What the patterns of a Difference are compared with: an error as it is, the type of anything else."""
    return value if isinstance(value, Error) else f"({type(value).__name__})"


@dataclass(frozen=True)
class Difference:
    """What differs on purpose, for some commands beside some peers, and why.

    Replies are the same if they match the patterns `mine` and `other`, or if same(argv, mine, other). What would
    leave other data behind is not drawn at all: undrawn(argv). `peers` are beginnings of "redis 7.0.15",
    "redis 8.2.3", "valkey 9.1.2"; without any it is about all.
    """

    commands: str
    reason: str
    peers: tuple = ()
    mine: str = ""
    other: str = ".*"
    same: Callable | None = None
    undrawn: Callable | None = None

    def allows(self, argv, mine, other):
        if self.same:
            return self.same(argv, mine, other)
        return bool(self.mine) and all(re.fullmatch(pattern, text(value), re.DOTALL) for pattern, value in (
            (self.mine, mine), (self.other, other)))


def beyond_int(argv):
    return len(argv) > 2 and re.fullmatch(rb"-?\d{10,}", argv[2]) is not None


def blank_or_hex(argv):
    return any(re.match(rb"\(?(\s|[-+]?0[xX])", word) for word in argv)


def negative_offset(argv):
    return any(word.upper() == b"LIMIT" and after[:1] == b"-" for word, after in itertools.pairwise(argv))


# Fields of XINFO that clocks and trees decide on, and those that Redis 7.0 does not have, or counts in another way.
OF_CLOCKS = (b"seen-time", b"active-time", b"idle", b"inactive", b"radix-tree-keys", b"radix-tree-nodes")
SINCE_7_0 = (b"lag", b"entries-read")
# Their tips leave more open than there is; what is left is in the rows of DIFFERENCES.
EXACT = frozenset(("object|encoding", "xadd", "xtrim", "xclaim", "xautoclaim", "xpending", "xinfo|consumers"))


def info(reply, hidden=OF_CLOCKS):
    """A reply of XINFO without some fields; what is pending without the time of its delivery."""
    if isinstance(reply, dict):
        return {name: pending(value) if name == b"pending" else info(value, hidden) for name, value in reply.items()
                if name not in hidden}
    if type(reply) is not list:
        return reply
    if reply and len(reply) % 2 == 0 and reply[0] in (b"length", b"name"):
        return info(dict(zip(reply[::2], reply[1::2], strict=True)), hidden)
    return [info(item, hidden) for item in reply]


def pending(reply):
    """What is pending, as XPENDING and XINFO STREAM FULL tell it, without how long or since when."""
    if type(reply) is not list:
        return reply
    return [item[:-2] + item[-1:] if type(item) is list and len(item) > 2 else item for item in reply]


def same_pending(argv, mine, other):
    return len(argv) > 3 and exact(pending(mine)) == exact(pending(other))


def same_info(argv, mine, other):
    return exact(info(mine)) == exact(info(other))


def without_idlers(value):
    """A reply of info() without consumers for whom nothing is pending, and their number."""
    if isinstance(value, dict):
        return {name: without_idlers(item) for name, item in value.items()
                if name != b"consumers" or type(item) is list}
    if type(value) is list:
        return [without_idlers(item) for item in value
                if not (isinstance(item, dict) and 0 in (item.get(b"pel-count"), item.get(b"pending")) and
                        b"consumers" not in item and b"last-delivered-id" not in item)]
    return value


def same_old_info(argv, mine, other):
    mine, other = (without_idlers(info(reply, OF_CLOCKS + SINCE_7_0)) for reply in (mine, other))
    return exact(mine) == exact(other)


def same_but_cursor(argv, mine, other):
    return type(mine) is type(other) is list and exact(mine[1:]) == exact(other[1:])


def many_claims(argv):
    return any(word.upper() == b"COUNT" and len(after) > 6 for word, after in itertools.pairwise(argv))


def reads_much(argv):
    words = [word.upper() for word in argv]
    return b"ENTRIESREAD" in words and not {b"0", b"-1", b"1"} & set(words[words.index(b"ENTRIESREAD"):])


def trims_by_nodes(argv):
    words = {word.upper() for word in argv}
    return b"~" in words and bool(words & {b"DELREF", b"ACKED"})


def only_keys(reply):
    return [pair[0] for pair in reply] if type(reply) is list else reply


OLD, REDIS, VALKEY = ("redis 7.0",), ("redis",), ("valkey",)
PLACES = "geopos geosearch georadius georadius_ro georadiusbymember georadiusbymember_ro"
SCANS = "scan sscan hscan zscan"
WAITS = "blpop brpop blmove brpoplpush blmpop bzpopmin bzpopmax bzmpop"
FIELD_TIMES = ("hexpire hpexpire hexpireat hpexpireat httl hpttl hexpiretime hpexpiretime hpersist hgetdel hgetex "
               "hsetex")
SCORED = ("zscore zmscore zadd zincrby zrange zrevrange zrangebyscore zrevrangebyscore zunion zinter zdiff zpopmin "
          "zpopmax zmpop bzpopmin bzpopmax bzmpop")
DIFFERENCES = (
    # --- what chance, clocks and orders decide ---
    Difference("hello", "each server has a version and connections of its own",
               same=lambda argv, mine, other: type(mine) is type(other) in (list, dict)),
    Difference("expiretime pexpiretime hexpiretime hpexpiretime", "a deadline is counted from each server's own clock",
               same=lambda argv, mine, other: near(mine, other)),
    Difference("sort sort_ro", "elements of the same weight, or of a set that is not sorted at all, come in any order",
               same=sorted_alike),
    Difference("pubsub|channels pubsub|shardchannels", "channels are in no order",
               same=lambda argv, mine, other: unordered(mine) == unordered(other)),
    Difference("dbsize", "a key that is set with a deadline long over is gone at once; Redis counts it until somebody "
               "looks at it", same=lambda argv, mine, other: type(mine) is type(other) is int),
    Difference("xinfo|stream xinfo|groups xinfo|consumers", "times, and the trees of each server", same=same_info),
    Difference("xpending", "for how long something is pending", same=same_pending),
    # --- where a peer is older, or wrong ---
    Difference("xinfo|stream xinfo|groups xinfo|consumers", "Redis 7.0 counts lags of its own, has no active-time, and "
               "makes no consumer that claims nothing", OLD, same=same_old_info),
    Difference("xgroup|createconsumer", "Redis 7.0 makes no consumer that claims nothing", OLD,
               same=lambda argv, mine, other: (mine, other) == (0, 1)),
    Difference("xread xreadgroup", "Redis 7.0 does not know the id +", OLD, mine=".*",
               other="ERR Invalid stream ID specified as stream command argument",
               undrawn=lambda argv: argv[0].upper() == b"XREAD" and b"+" in argv),
    Difference("xautoclaim", "a large COUNT needs no memory beforehand", undrawn=many_claims),
    Difference("xsetid", "Redis 7.0 looks at the last entry before it looks at the highest deleted id", OLD,
               mine="ERR The ID specified in XSETID is smaller than.*",
               other="ERR The ID specified in XSETID is smaller than.*"),
    Difference("xadd", "an id of a server's own has its time in it", undrawn=lambda argv: b"*" in argv),
    Difference("xread xreadgroup", "Redis 7.0 words it in another way", OLD,
               mine="ERR Unbalanced 'xread.*", other="ERR Unbalanced XREAD list of streams.*"),
    Difference("xautoclaim", "a call goes on behind what is not idle, and is done sooner", same=same_but_cursor),
    Difference("xread xreadgroup", "Redis 8.2 words it in another way", ("redis 8",),
               mine="ERR Unbalanced 'xread.*", other="ERR Unbalanced 'xread.*"),
    Difference("xgroup|create xgroup|setid", "Redis 8.2 does not believe a group that says it has read more than there "
               "was", ("redis 8",), undrawn=reads_much),
    Difference("xgroup|destroy", "the entries that only this group referred to are still referred to in Redis 8.2",
               ("redis 8",), undrawn=lambda argv: True),
    Difference(PLACES, "Redis 8.2 replies the shortest text of a coordinate, not 17 digits", ("redis 8",),
               same=same_numbers),
    Difference("xadd xtrim", "Redis 8.2 trims nothing with ~ and DELREF or ACKED", ("redis 8",),
               undrawn=trims_by_nodes),
    Difference("zunion zinter zunionstore zinterstore", "the peers do not know AGGREGATE COUNT",
               undrawn=lambda argv: (b"AGGREGATE", b"COUNT") in itertools.pairwise(word.upper() for word in argv)),
    Difference("sort sort_ro", "which elements of the same weight LIMIT leaves is as open as their order",
               undrawn=lambda argv: {b"BY", b"ALPHA", b"LIMIT"} <= {word.upper() for word in argv}),
    Difference("sort sort_ro", "Redis takes an errno that another command left behind for a bad number",
               mine="\\((list|int|Set)\\)", other="ERR One or more scores can't be converted into double"),
    Difference("lset", "an index beyond 32 bits is out of range; the peers look at its lower half", undrawn=beyond_int),
    Difference("restore", "a time to live that goes beyond the end of time ends there; on the peers the sum is "
               "negative, and the key is gone",
               undrawn=lambda argv: len(argv) > 2 and argv[2] == b"9223372036854775807"),
    # --- what changed after Redis 7.0 ---
    Difference("object|encoding", "small lists and sets are listpacks since Redis 7.2", OLD,
               same=lambda argv, mine, other: mine == b"listpack" and other in (b"quicklist", b"hashtable")),
    Difference("object|encoding", "since 7.2, ZADD chooses the encoding by the number of its arguments, too", OLD,
               same=lambda argv, mine, other: (mine, other) == (b"skiplist", b"listpack")),
    Difference("sort sort_ro", "blanks and hexadecimal numbers are no numbers to sort by since Redis 8", OLD,
               mine="ERR One or more scores can't be converted into double"),
    Difference("bitcount bitpos", "wrong arguments are told for a missing key or another type, too, since Redis 7.2",
               OLD, mine="ERR (syntax error|value is not an integer or out of range)"),
    Difference(WAITS, "Redis 7.0 calls a timeout negative that is too long", OLD,
               mine="ERR timeout is out of range", other="ERR timeout is negative"),
    Difference(SCANS, "a cursor is read as since Redis 7.2: \" 1\" is one, \"-1\" and \"\" are none", OLD,
               mine="ERR invalid cursor"),
    Difference(SCANS, "a cursor is read as since Redis 7.2: \" 1\" is one, \"-1\" and \"\" are none", OLD,
               mine=".*", other="ERR invalid cursor"),
    Difference("zcount zrange zrangebyscore zrevrangebyscore",
               "blanks and hexadecimal numbers are no bounds of a range of scores since Redis 8", OLD,
               mine="ERR min or max is not a float"),
    Difference("zremrangebyscore zrangestore", "the same", OLD, undrawn=blank_or_hex),
    Difference("lrem lpos", "the least integer is out of range since Redis 7.2", OLD,
               undrawn=lambda argv: b"-9223372036854775808" in argv),
    Difference("zrank zrevrank", "a fourth argument is possible since Redis 7.2", OLD,
               mine="ERR syntax error", other="ERR wrong number of arguments .*"),
    Difference(SCORED, "Redis 7.0 writes 17 digits, later versions the shortest text, and exponents sooner; it makes "
               "a listpack, which has no -0, of more members than fit into one in the end", OLD,
               same=same_numbers_or_zero),
    Difference("zscan", "peers write 17 digits of a score in a skiplist",
               same=scanned_numbers),
    # --- where Redis and Valkey are not of one mind ---
    Difference("bitcount", "a start without an end counts to the end, as in Valkey", REDIS,
               undrawn=lambda argv: len(argv) == 3),
    Difference("bitcount", "wrong integers are told before a wrong unit, and not without an end, as in Redis", VALKEY,
               mine="ERR .*", other="ERR .*"),
    Difference("zrange zrevrange zrangestore zrangebyscore zrevrangebyscore zrangebylex zrevrangebylex",
               "a negative offset leaves nothing, as in Redis", VALKEY, undrawn=negative_offset),
    Difference("command|getkeys command|getkeysandflags", "a large negative number of keys wraps round in Valkey",
               VALKEY,
               mine="ERR Invalid arguments specified for command"),
    Difference("command|getkeysandflags", "what is done to keys was told less exactly, and Valkey has its own words",
               OLD + VALKEY, same=lambda argv, mine, other: only_keys(mine) == only_keys(other)),
    Difference("object|encoding", "Valkey makes a skiplist for a member that is too long even if it is not added",
               VALKEY, same=lambda argv, mine, other: (mine, other) == (b"listpack", b"skiplist")),
    Difference("object|encoding", "a hash whose fields have no deadline after all is none with deadlines", ("redis 8",),
               same=lambda argv, mine, other: mine != b"listpackex" == other),
    Difference("sort sort_ro", "1e400 is no number to sort by, as in Redis 7.0 and Valkey", ("redis 8",),
               mine="ERR One or more scores can't be converted into double"),
    Difference("bitfield bitfield_ro", "a zero byte ends the name of a type, as in Redis", VALKEY,
               undrawn=lambda argv: any(b"\0" in word for word in argv[2:])),
    Difference("zadd zincrby zinter zunion zinterstore zunionstore", "Valkey reads no hexadecimal scores", VALKEY,
               undrawn=hexadecimal),
    Difference("getex", "Valkey looks at the deadline before it looks for the key", VALKEY,
               mine="\\(NoneType\\)|WRONGTYPE.*", other="ERR (invalid expire time|value is not an integer).*"),
    Difference("set", "Valkey does not take IFEQ twice", VALKEY,
               undrawn=lambda argv: [word.upper() for word in argv].count(b"IFEQ") > 1),
    Difference("scan", "Valkey knows the names of types", VALKEY, other="ERR unknown type name .*", mine=".*"),
    Difference(SCORED, "the peers' texts of numbers beyond 2**70 are not always the shortest, and not exact",
               ("redis 8", *VALKEY), same=same_numbers),
    Difference(SCORED, "Valkey has other sorted sets as listpacks, which have no -0", VALKEY,
               same=same_numbers_or_zero),
    Difference("object|encoding", "RDB version 10 has no listpack of a set: one of integers comes back as an intset",
               ("redis 8", *VALKEY), same=lambda argv, mine, other: (mine, other) == (b"intset", b"listpack")),
    Difference("object|encoding", "the peers count the key, too, when they decide on embedding a string",
               ("redis 8", *VALKEY),
               same=lambda argv, mine, other: (mine, other) == (b"embstr", b"raw")),
    Difference("object|encoding", "Valkey embeds longer strings", VALKEY,
               same=lambda argv, mine, other: (mine, other) == (b"raw", b"embstr")),
    Difference("msetex", "Valkey words the errors in its own way", VALKEY, mine="ERR .*", other="ERR .*"),
    Difference(FIELD_TIMES, "Valkey checks and words the arguments in its own way; these are Redis's", VALKEY,
               undrawn=lambda argv: True),
)


class Alike:
    """What counts as the same beside one peer, "redis 7.0"."""

    def __init__(self, peer, known):
        self.tips = {each.name: (frozenset(each.declaration.tips), any(
            argument.name == "cursor" for argument in each.arguments)) for each in known}
        self.known = {each.name: each for each in known}
        # Hits and misses: Redis 7.0 looks for keys before it looks at arguments, and Valkey the other way round.
        self.counts = peer.startswith("redis 8")
        self.uncounted = frozenset(("xautoclaim",))     # looked for before its arguments are looked at
        self.differences = {}
        for difference in DIFFERENCES:
            if not difference.peers or peer.startswith(difference.peers):
                for name in difference.commands.split():
                    self.differences.setdefault(name, []).append(difference)

    def draws(self, name, argv):
        """Whether the command may be drawn: it does not lead to data that differ on purpose."""
        return not any(each.undrawn and each.undrawn(argv) for each in self.differences.get(name, ()))

    def name(self, argv):
        """The declared name of a command as it was sent."""
        name = argv[0].lower().decode("latin1") if argv else ""
        full = f"{name}|{argv[1].lower().decode('latin1')}" if len(argv) > 1 else name
        return full if full in self.tips else name

    def random_keys(self, argv):
        """The keys whose values are not to be compared after the command.

        Those of SPOP, which chance decides on, and of SORT: what it stores may be in any order, or may be refused
        by Redis for an errno that an earlier command left behind; and Redis makes a skiplist of what it sorts.
        """
        known = self.known.get(self.name(argv))
        if known is None or len(argv) < 2:
            return []
        chance = (known.declaration.flags & declarations.WRITE and known.declaration.group != "stream"
                  and "nondeterministic_output" in known.declaration.tips)
        if not chance and known.name not in ("sort", "sort_ro"):
            return []
        try:
            return [argv[at] for at, _ in KeySpecs(known.declaration.keys).positions(argv)]
        except ValueError:
            return []

    def same(self, argv, mine, other):
        """Whether two parsed replies to the command may stand for each other."""
        if exact(mine) == exact(other):
            return True
        name = self.name(argv)
        tips, cursor = self.tips.get(name, ((), False))
        if "nondeterministic_output_order" in tips and unordered(mine) == unordered(other):
            return True
        if cursor:
            if scanned(argv, mine, other):
                return True
        elif "nondeterministic_output" in tips and name not in EXACT and shape(mine) == shape(other):
            return True
        return any(each.allows(argv, mine, other) for each in self.differences.get(name, ()))
