"""Which replies of fastredis and of redis-server count as the same.

Replies of the same bytes always do. Where the bytes differ, DIFFERENCES says what may, and why; all else must be
equal, RESP types and error texts included.
"""
import re
from collections.abc import Callable
from dataclasses import dataclass

from tests.differential.alike import same_but_cursor, same_old_info, same_pending
from tests.resp import Error

SCORE = re.compile(rb"-?\d+\.\d+(e[-+]\d+)?|-?\d+e[-+]\d+|-?0")


def exact(value):
    """A reply as a value that tells RESP types apart: 1 from True, a set from an array; -0.0 is 0.0."""
    if isinstance(value, list):
        return type(value).__name__, [exact(item) for item in value]
    if isinstance(value, dict):
        return "dict", [(exact(key), exact(item)) for key, item in value.items()]
    return type(value).__name__, value + 0.0 if isinstance(value, float) else value


def reduced(reduce):
    """A comparison of what a function of (argv, reply) leaves of both replies."""
    return lambda argv, mine, other: exact(reduce(argv, mine)) == exact(reduce(argv, other))


def in_any_order(argv, reply):
    """The items of a collection, sorted."""
    return type(reply)(sorted(reply, key=repr)) if isinstance(reply, list) else reply


def pairs_in_any_order(argv, reply):
    """The pairs of a map, or of a flat array, sorted."""
    if isinstance(reply, dict):
        return dict(sorted(reply.items()))
    return sorted(zip(reply[::2], reply[1::2], strict=True)) if isinstance(reply, list) else reply


def scan(argv, reply):
    """The elements of a whole iteration, sorted; pairs for HSCAN and ZSCAN."""
    if not isinstance(reply, list):
        return reply
    pairs = argv[0].upper() in (b"HSCAN", b"ZSCAN")
    items = zip(reply[1][::2], reply[1][1::2], strict=True) if pairs else reply[1]
    return [reply[0], [list(item) if pairs else item for item in sorted(items, key=repr)]]


def shape(argv, reply):
    """What chance leaves: the type and the number of items."""
    if isinstance(reply, list):
        return type(reply)([None] * len(reply))
    return reply if reply is None or isinstance(reply, Error) else type(reply).__name__


def unsorted(argv, reply):
    """A reply of SORT: its items in any order when it does not sort at all."""
    return in_any_order(argv, reply) if b"nosort" in argv and b"STORE" not in argv else reply


def sign(argv, reply):
    """A time that is left: none, no key, or some."""
    return min(reply, 0) if isinstance(reply, int) else reply


def by_value(argv, reply):
    """A reply in which texts that look like fractions or are -0 are numbers."""
    if isinstance(reply, list):
        return type(reply)(by_value(argv, item) for item in reply)
    return float(reply) if isinstance(reply, bytes) and SCORE.fullmatch(reply) else reply


# (of fastredis, of redis-server 7.0)
ENCODINGS = {
    (b"listpack", b"quicklist"), (b"listpack", b"hashtable"), (b"listpack", b"intset"), (b"hashtable", b"intset"),
    (b"hashtable", b"listpack"), (b"skiplist", b"listpack"), (b"listpack", b"skiplist")}


def encodings(argv, mine, other):
    return mine == other or (mine, other) in ENCODINGS


def first_error(argv, mine, other):
    """The same replies, or another error where fastredis told of the syntax."""
    return exact(mine) == exact(other) or (mine == Error("ERR syntax error") and isinstance(other, Error))


def unbalanced(mine, other):
    return all(isinstance(reply, Error) and reply.startswith("ERR Unbalanced") for reply in (mine, other))


@dataclass(frozen=True)
class Difference:
    """Replies of these commands are the same if same(argv, mine, other), for the reason given."""

    commands: str
    same: Callable
    reason: str


DIFFERENCES = (
    Difference("SMEMBERS SINTER SUNION SDIFF SPOP HKEYS HVALS KEYS", reduced(in_any_order),
               "sets, hashes and the keyspace have no order"),
    Difference("HGETALL", reduced(pairs_in_any_order), "hashes have no order"),
    Difference("SCAN SSCAN HSCAN ZSCAN", reduced(lambda argv, reply: scan(argv, by_value(argv, reply))),
               "tables are walked in an order of their own"),
    Difference("SORT SORT_RO", reduced(unsorted), "BY nosort leaves a set in its own order"),
    Difference("SRANDMEMBER HRANDFIELD ZRANDMEMBER RANDOMKEY", reduced(shape), "chance decides"),
    Difference("TTL PTTL", reduced(sign), "the clock of fastredis is moved; deadlines are compared by EXPIRETIME"),
    Difference("OBJECT", encodings,
               "redis-server 7.0 has no listpack for sets and for lists; later versions choose the large encoding by "
               "the number of arguments of a command, too, whether or not they are new; SORT of redis-server makes a "
               "skiplist of every sorted set"),
    Difference("ZSCORE ZMSCORE ZADD ZINCRBY ZRANGE ZREVRANGE ZRANGEBYSCORE ZREVRANGEBYSCORE ZUNION ZINTER ZDIFF "
               "ZPOPMIN ZPOPMAX ZMPOP BZPOPMIN BZPOPMAX BZMPOP", reduced(by_value),
               "redis-server 7.0 writes 17 digits, later versions the shortest text, and exponents sooner; a skiplist "
               "keeps the score -0, a listpack does not, and the encodings may differ"),
    Difference("LPOS LMPOP BLMPOP SINTERCARD", first_error,
               "of two wrong options the syntax is told first, whichever stands first"),
    Difference("MOVE", first_error, "redis-server's has no option"),
    Difference("XINFO", same_old_info, "redis-server 7.0 has no active-time, no consumers that claimed nothing, and "
               "other lags"),
    Difference("XPENDING", same_pending, "the clock of fastredis is moved"),
    Difference("XREAD XREADGROUP", lambda argv, mine, other: unbalanced(mine, other),
               "redis-server 7.0 words it in another way"),
    Difference("XAUTOCLAIM", same_but_cursor, "a call goes on behind what is not idle"),
    Difference("XGROUP", lambda argv, mine, other: argv[1].upper() == b"CREATECONSUMER" and (mine, other) == (0, 1),
               "redis-server 7.0 makes no consumer that claims nothing"),
)
SAME = {name.encode(): difference.same for difference in DIFFERENCES for name in difference.commands.split()}


def alike(argv, mine, other):
    """Whether the replies to a command are the same, or differ as they may."""
    same = SAME.get(argv[0].upper())
    return exact(mine) == exact(other) or (same is not None and same(argv, mine, other))
