"""The filters of CLIENT LIST and CLIENT KILL: words in pairs, all of which a client has to meet.

    CLIENT KILL TYPE normal NOT-USER admin IDLE 3600 SKIPME no

Of a filter that is given twice the last one counts, but ids add up. NOT-name is met by those who do not meet `name`.
What is new in Valkey 9 (all but ID, TYPE, USER, ADDR, LADDR, SKIPME, MAXAGE) is as there.
Source: https://valkey.io/commands/client-kill/
"""

from collections.abc import Callable

from fastredis.engine import engine as bits
from fastredis.engine.client_list import flag_letters
from fastredis.engine.errors import SYNTAX
from fastredis.engine.options import parse_integer
from fastredis.engine.reply import ErrorReply
from fastredis.text import to_text

Fits = Callable[[object], bool]

TYPES = {b"normal": "normal", b"slave": "replica", b"replica": "replica", b"pubsub": "pubsub", b"master": "master",
         b"primary": "master"}
FLAG_LETTERS = frozenset(b"ABEIMNOPRSTUbcdeirtux")          # all that CLIENT LIST may show, here or in Valkey
CAPABILITIES = frozenset(b"r")                              # of CLIENT CAPA: redirect


def client_type(client) -> str:
    """One of the values of TYPES."""
    flags = client.flag_bits
    if flags & bits.C_MASTER:
        return "master"
    if flags & bits.C_REPLICA and not flags & bits.C_MONITOR:
        return "replica"
    return "pubsub" if flags & bits.C_PUBSUB else "normal"


def c_string(value: bytes) -> bytes:
    """A name as others see it: up to a zero byte."""
    return value.partition(b"\0")[0]


# --- filters with a value: (c, the filter's name in an error, value) -> whom they fit


def by_address(c, name: str, value: bytes) -> Fits:
    return lambda client: client.peer == value


def by_local_address(c, name: str, value: bytes) -> Fits:
    return lambda client: client.local == value


def by_ip(c, name: str, value: bytes) -> Fits:
    return lambda client: client.peer.rpartition(b":")[0].strip(b"[]") == value


def by_user(c, name: str, value: bytes) -> Fits:
    if c.engine.users.get(value) is None:
        raise ErrorReply(f"ERR No such user '{to_text(value)}'")
    return lambda client: client.user.name == value


def by_type(c, name: str, value: bytes) -> Fits:
    kind = TYPES.get(value.lower())
    if kind is None:
        raise ErrorReply(f"ERR Unknown client type '{to_text(value)}'")
    return lambda client: client_type(client) == kind


def by_name(c, name: str, value: bytes) -> Fits:
    """Nobody has the empty name: it is none."""
    return lambda client: bool(client.name) and c_string(client.name) == c_string(value)


def by_library(c, name: str, value: bytes) -> Fits:
    return lambda client: bool(client.lib_name) and c_string(client.lib_name) == c_string(value)


def by_library_version(c, name: str, value: bytes) -> Fits:
    return lambda client: bool(client.lib_ver) and c_string(client.lib_ver) == c_string(value)


def known_letters(value: bytes, known: frozenset, what: str, name: str) -> set[int]:
    letters = set(c_string(value))
    if not letters <= known:
        where = f"the {name} filter" if name.startswith("NOT-") else "the provided filter"
        raise ErrorReply(f"ERR Unknown {what} found in {where}: {to_text(value)}")
    return letters


def by_flags(c, name: str, value: bytes) -> Fits:
    letters = known_letters(value, FLAG_LETTERS, "flags", name)
    return lambda client: letters <= set(flag_letters(client))


def by_capability(c, name: str, value: bytes) -> Fits:
    letters = known_letters(value, CAPABILITIES, "capa", name)
    return lambda client: not letters or client.flag_bits & bits.C_REDIRECT != 0


def by_database(c, name: str, value: bytes) -> Fits:
    number, databases = parse_integer(value), c.engine.config["databases"]
    if number is None:
        raise ErrorReply(f"ERR {name} is not an integer or out of range")
    if not 0 <= number < databases:
        raise ErrorReply(f"ERR {name} number should be between 0 and {databases - 1}")
    return lambda client: client.database == number


def seconds(name: str, value: bytes) -> int:
    number = parse_integer(value)
    if number is None:
        raise ErrorReply(f"ERR {name} is not an integer or out of range")
    if number < 1:
        raise ErrorReply(f"ERR {name} should be greater than 0")
    return number


def by_age(c, name: str, value: bytes) -> Fits:
    least = seconds("maxage", value)
    return lambda client: (c.now_ms - client.created_ms) // 1000 >= least


def by_idle_time(c, name: str, value: bytes) -> Fits:
    least = seconds("idle", value)
    return lambda client: (c.now_ms - client.active_ms) // 1000 >= least


NEGATABLE = {b"addr": by_address, b"laddr": by_local_address, b"ip": by_ip, b"user": by_user, b"type": by_type,
             b"name": by_name, b"lib-name": by_library, b"lib-ver": by_library_version, b"flags": by_flags,
             b"capa": by_capability, b"db": by_database}
FILTERS = {**NEGATABLE, **{b"not-" + name: make for name, make in NEGATABLE.items()},
           b"maxage": by_age, b"idle": by_idle_time}
IDS = (b"id", b"not-id")
NAMES = frozenset((*FILTERS, *IDS, b"skipme"))


class Filters:
    """What CLIENT LIST or KILL was asked for; raises an ErrorReply for what cannot be.

    listing: for CLIENT LIST, where an id may be anybody's and nobody's, and one's own connection is not left out.
    """

    def __init__(self, c, args: list[bytes], listing: bool):
        self.c = c
        self.listing = listing
        self.skip_me = not listing
        self.ids: list[int] | None = None           # in the order in which they were given; None: of no matter
        self.other_ids: set[int] = set()
        self.fits: dict[bytes, Fits] = {}
        while args:
            args = self.take(args[0].lower(), args[1:])

    def take(self, name: bytes, rest: list[bytes]) -> list[bytes]:
        """Understand one filter; returns the words behind it."""
        if name not in NAMES or not rest:
            raise ErrorReply(SYNTAX)
        if name in IDS:
            return self.take_ids(name, rest)
        value = rest[0]
        if name == b"skipme":
            if value.lower() not in (b"yes", b"no"):
                raise ErrorReply(SYNTAX)
            self.skip_me = value.lower() == b"yes"
            return rest[1:]
        fits = FILTERS[name](self.c, name.decode().upper(), value)
        self.fits[name] = (lambda client: not fits(client)) if name.startswith(b"not-") else fits
        return rest[1:]

    def take_ids(self, name: bytes, rest: list[bytes]) -> list[bytes]:
        """ID 1 2 3: all integers that follow."""
        lenient = self.listing and name == b"id"
        count = 0
        found: list[int] = []
        while count < len(rest) and (number := parse_integer(rest[count])) is not None:
            if number < 1 and not lenient:
                raise ErrorReply("ERR client-id should be greater than 0")
            found.append(number)
            count += 1
        left = rest[count:]
        if lenient and (not found or (left and left[0].lower() not in NAMES)):
            raise ErrorReply("ERR Invalid client ID")
        if not found:
            raise ErrorReply("ERR client-id should be greater than 0" if name == b"id" else SYNTAX)
        if name == b"id":
            self.ids = (self.ids or []) + found
        else:
            self.other_ids.update(found)
        return left

    def clients(self) -> list:
        """Whom all filters fit, in the order of connecting, or of the ids; in CLIENT LIST as often as given."""
        everybody = self.c.engine.clients
        if self.ids is None:
            found = list(everybody.values())
        else:
            ids = self.ids if self.listing else dict.fromkeys(self.ids)
            found = [everybody[number] for number in ids if number in everybody]
        return [client for client in found if self.fit(client)]

    def fit(self, client) -> bool:
        if (client is self.c and self.skip_me) or client.id in self.other_ids:
            return False
        return all(fits(client) for fits in self.fits.values())
