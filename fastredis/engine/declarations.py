"""The language commands are declared in, and what COMMAND, COMMAND DOCS and ACL derive from a declaration.

    declare(b"expire", native(cmd_expire), arity=-3, flags=WRITE | FAST, keys=key_at(1, "RW update"), since="1.0.0",
            complexity="O(1)", summary="...", args="key seconds:integer [condition=(NX | XX | GT | LT)@7.0.0]")

Four parts: command flags, ACL categories, key specs, arguments. None of it runs while a request is served: texts
are parsed when COMMAND DOCS asks for them.

Source: https://redis.io/docs/latest/develop/reference/command-arguments/ and .../key-specs/, /commands/command-docs/
"""

import functools
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Any

from fastredis.engine.reply import Status

# ---- Flags ----
#
# fastredis/engine/flags.pxd repeats these names and values for Cython.

WRITE = 1 << 0  # may change the data
READONLY = 1 << 1  # reads the data, never changes it
DENYOOM = 1 << 2  # refused when memory is over the limit and eviction does not help
ADMIN = 1 << 3  # for operators
PUBSUB = 1 << 4  # deals with channels
NOSCRIPT = 1 << 5  # not from scripts
BLOCKING = 1 << 6  # may make its client wait
LOADING = 1 << 7  # allowed while data is loaded
STALE = 1 << 8  # allowed on a replica that lost its master and does not serve old data
SKIP_MONITOR = 1 << 9  # MONITOR does not show it
SKIP_SLOWLOG = 1 << 10  # the slow log does not show it
ASKING = 1 << 11  # accepted for an importing slot as if ASKING preceded it
FAST = 1 << 12  # O(1) or O(log N)
NO_AUTH = 1 << 13  # allowed before authentication
MAY_REPLICATE = 1 << 14  # no write, but may be propagated: PUBLISH, EVAL
NO_MANDATORY_KEYS = 1 << 15  # a call without keys is valid: EVAL
PROTECTED = 1 << 16  # needs enable-debug-command or enable-module-command
NO_ASYNC_LOADING = 1 << 17  # not while a replica loads into a second keyspace
NO_MULTI = 1 << 18  # not inside MULTI
MOVABLE_KEYS = 1 << 19  # (first, last, step) does not find all keys; derived from the key specs
ALLOW_BUSY = 1 << 20  # allowed while a script runs for too long
TOUCHES_ARBITRARY_KEYS = 1 << 21  # may expire keys other than its own: SCAN, RANDOMKEY
CONTAINER = 1 << 22  # only a name for its subcommands

# As COMMAND INFO spells them, in its order. The other flags are internal; Redis hides them too.
FLAG_NAMES = (
    (WRITE, "write"),
    (READONLY, "readonly"),
    (DENYOOM, "denyoom"),
    (ADMIN, "admin"),
    (PUBSUB, "pubsub"),
    (NOSCRIPT, "noscript"),
    (BLOCKING, "blocking"),
    (LOADING, "loading"),
    (STALE, "stale"),
    (SKIP_MONITOR, "skip_monitor"),
    (SKIP_SLOWLOG, "skip_slowlog"),
    (ASKING, "asking"),
    (FAST, "fast"),
    (NO_AUTH, "no_auth"),
    (NO_MANDATORY_KEYS, "no_mandatory_keys"),
    (NO_ASYNC_LOADING, "no_async_loading"),
    (NO_MULTI, "no_multi"),
    (MOVABLE_KEYS, "movablekeys"),
    (ALLOW_BUSY, "allow_busy"),
)


def flag_names(flags: int) -> tuple[str, ...]:
    """The visible flags of a command as COMMAND INFO names and orders them."""
    return tuple(name for flag, name in FLAG_NAMES if flags & flag)


# ---- ACL categories ----

# In the order of ACL CAT.
ACL_CATEGORIES = (
    "keyspace", "read", "write", "set", "sortedset", "list", "hash", "string", "bitmap", "hyperloglog", "geo",
    "stream", "pubsub", "admin", "fast", "slow", "blocking", "dangerous", "connection", "transaction", "scripting",
)  # fmt: skip

# Groups that are missing here (server, cluster, pubsub) say nothing about their commands' categories.
GROUP_CATEGORIES = {
    "bitmap": "bitmap",
    "connection": "connection",
    "generic": "keyspace",
    "geo": "geo",
    "hash": "hash",
    "hyperloglog": "hyperloglog",
    "list": "list",
    "scripting": "scripting",
    "set": "set",
    "sorted-set": "sortedset",
    "stream": "stream",
    "string": "string",
    "transactions": "transaction",
}


def acl_categories(flags: int, group: str, extra: Iterable[str] = ()) -> set[str]:
    """The ACL categories of a command, without "@".

    The group gives its own category, unless the command is a container or `extra` names the category of another
    group: SORT is generic, but says list, set, sortedset and is not in keyspace.
    """
    categories = set(extra)
    group_category = GROUP_CATEGORIES.get(group)
    if group_category and not flags & CONTAINER and categories.isdisjoint(GROUP_CATEGORIES.values()):
        categories.add(group_category)
    if flags & WRITE:
        categories.add("write")
    # A script is no read, whatever it promises: EVAL_RO is not in @read.
    if flags & READONLY and group != "scripting":
        categories.add("read")
    if flags & ADMIN:
        categories |= {"admin", "dangerous"}
    if flags & PUBSUB:
        categories.add("pubsub")
    if flags & BLOCKING:
        categories.add("blocking")
    categories.add("fast" if flags & FAST else "slow")
    return categories


# ---- Key specs ----
#
# Where a command's keys are, and what it does to them:
#
#     argv     ZUNIONSTORE  dest  2  a  b  WEIGHTS ...
#     spec 0   begin=Index(1)  find=Range(0, 1, 0)      -> dest     OW update
#     spec 1   begin=Index(2)  find=KeyNum(0, 1, 1)     -> a, b     RO access
#
# Flags, written in this order: one of RO, RW, OW (overwritten unread), RM (removed unread); access (the value is
# returned or copied), update, insert, delete; not_key (routed like a key, but is none), incomplete (there may be
# more keys than the spec finds), variable_flags (the flags are the worst case; the finder knows better).

KEY_FLAGS = (
    "RO", "RW", "OW", "RM", "access", "update", "insert", "delete", "not_key", "incomplete", "variable_flags",
)  # fmt: skip

KeyPosition = tuple[int, tuple[str, ...]]  # index into argv, key flags


@dataclass(frozen=True, slots=True)
class Index:
    """The first key is argv[index]."""

    index: int


@dataclass(frozen=True, slots=True)
class Keyword:
    """The first key follows a keyword, searched from argv[startfrom]; backwards if startfrom is negative."""

    keyword: str
    startfrom: int


@dataclass(frozen=True, slots=True)
class Range:
    """Keys from the first to the last, every keystep-th argument.

    lastkey >= 0 counts from the first key, < 0 from the end of argv. A limit above 1 (with lastkey -1) ends the
    range after that fraction of the arguments: XREAD's ids follow as many keys.
    """

    lastkey: int
    keystep: int = 1
    limit: int = 0


@dataclass(frozen=True, slots=True)
class KeyNum:
    """As many keys as an argument says: its offset and that of the first key count from where the search began."""

    keynumidx: int
    firstkey: int
    keystep: int = 1


@dataclass(frozen=True, slots=True)
class KeySpec:
    """One place where a command has keys. begin and find are None where no rule finds them (SORT's BY pattern)."""

    flags: tuple[str, ...]
    begin: Index | Keyword | None = None
    find: Range | KeyNum | None = None
    notes: str | None = None
    finder: Callable[[Sequence[bytes]], list[KeyPosition]] | None = None


def key_flags(text: str) -> tuple[str, ...]:
    """Key flags from their names, separated by spaces; ValueError for an unknown name."""
    flags = tuple(text.split())
    unknown = set(flags).difference(KEY_FLAGS)
    if unknown:
        raise ValueError(f"unknown key flags {sorted(unknown)} in {text!r}")
    return flags


def key_at(index: int, flags: str, notes: str | None = None, finder=None) -> KeySpec:
    """One key at argv[index]."""
    return KeySpec(key_flags(flags), Index(index), Range(0), notes, finder)


def key_range(index: int, lastkey: int, keystep: int, flags: str, limit: int = 0, notes: str | None = None) -> KeySpec:
    """Keys from argv[index] to lastkey (see Range), every keystep-th argument."""
    return KeySpec(key_flags(flags), Index(index), Range(lastkey, keystep, limit), notes)


def key_count(index: int, flags: str, keystep: int = 1, notes: str | None = None) -> KeySpec:
    """argv[index] is the number of keys, which follow it."""
    return KeySpec(key_flags(flags), Index(index), KeyNum(0, 1, keystep), notes)


def key_after(keyword: str, startfrom: int, flags: str, find: Range = Range(0), finder=None) -> KeySpec:
    """Keys after a keyword (see Keyword)."""
    return KeySpec(key_flags(flags), Keyword(keyword, startfrom), find, None, finder)


def key_unknown(flags: str, notes: str, finder=None) -> KeySpec:
    """Keys that only the command itself can find."""
    return KeySpec(key_flags(flags), None, None, notes, finder)


def key_specs(keys: KeySpec | Iterable[KeySpec]) -> tuple[KeySpec, ...]:
    """What `keys=` of a declaration gave, one spec or several, as a tuple."""
    return (keys,) if isinstance(keys, KeySpec) else tuple(keys)


def has_keys(specs: Iterable[KeySpec]) -> bool:
    """Whether a command has keys at all; a not_key argument (SPUBLISH's channel) is none."""
    return any("not_key" not in spec.flags for spec in specs)


def _legacy(specs: Sequence[KeySpec]) -> tuple[tuple[int, int, int], bool]:
    """legacy_range and movable in one pass: specs the old (first, last, step) triple can join, and whether any is left.

    Joined are ranges of step 1, each beginning right after the one before; a single range may have any step.
    """
    ranges = [spec for spec in specs if isinstance(spec.begin, Index) and isinstance(spec.find, Range)]
    left_over = len(ranges) < len(specs) or any("incomplete" in spec.flags for spec in ranges)
    joined: list[tuple[int, int]] = []
    for spec in ranges:
        first, last = spec.begin.index, spec.find.lastkey
        if last >= 0:
            last += first
        if len(specs) == 1:
            return (first, last, spec.find.keystep), left_over
        if spec.find.keystep != 1 or (joined and joined[-1][1] != first - 1):
            left_over = True
            continue
        joined.append((first, last))
    if not joined:
        return (0, 0, 0), left_over
    return (joined[0][0], joined[-1][1], 1), left_over


def legacy_range(specs: Sequence[KeySpec]) -> tuple[int, int, int]:
    """(first, last, step) as COMMAND INFO has it: positions in argv, last < 0 from the end, zeros without such keys."""
    return _legacy(specs)[0]


def movable(specs: Sequence[KeySpec]) -> bool:
    """Whether a command has keys that legacy_range does not find (flag movablekeys)."""
    return _legacy(specs)[1]


def find_keys(specs: Sequence[KeySpec], argv: Sequence[bytes]) -> list[KeyPosition]:
    """The keys of one call: [(index into argv, key flags), ...], never empty.

    A finder is asked where specs are not enough: their flags vary, or they are incomplete or unknown.
    Errors: ValueError if the arguments are invalid or name no key. A caller whose command has NO_MANDATORY_KEYS
    takes that for "no keys".
    """
    finder = next((spec.finder for spec in specs if spec.finder), None)
    if finder and any("variable_flags" in spec.flags for spec in specs):
        found = finder(argv)
    else:
        try:
            found = [key for spec in specs if "not_key" not in spec.flags for key in _spec_keys(spec, argv)]
        except ValueError:
            if not finder:
                raise
            found = finder(argv)
    if not found:
        raise ValueError("Invalid arguments specified for command")
    if any(not flags for _, flags in found):
        # A number of keys that is not spelled properly: Redis then names the sources first, and the destination.
        return [(at, ()) for at, flags in sorted(found, key=lambda key: bool(key[1]))]
    return found


def _spec_keys(spec: KeySpec, argv: Sequence[bytes]) -> list[KeyPosition]:
    """The keys one spec finds. Errors: ValueError where the spec does not fit argv, or is not the whole truth."""
    flags = spec.flags
    if isinstance(spec.begin, Keyword):
        begin = _after_keyword(spec.begin, argv)
        if begin is None:
            return []
    elif spec.begin:
        begin = spec.begin.index
    else:
        raise ValueError("Invalid arguments specified for command")

    if isinstance(spec.find, Range):
        first, last = begin, spec.find.lastkey
        if last >= 0:
            last += first
        elif spec.find.limit:
            last += first + (len(argv) - first) // spec.find.limit
        else:
            last += len(argv)
    elif spec.find and begin + spec.find.keynumidx < len(argv):
        first = begin + spec.find.firstkey
        number, proper = _decimal(argv[begin + spec.find.keynumidx])
        last = first + (number - 1) * spec.find.keystep
        if not proper:
            flags = ()
    else:
        raise ValueError("Invalid arguments specified for command")

    if last < first or last >= len(argv) or "incomplete" in spec.flags:
        raise ValueError("Invalid arguments specified for command")
    return [(position, flags) for position in range(first, last + 1, spec.find.keystep)]


def _after_keyword(begin: Keyword, argv: Sequence[bytes]) -> int | None:
    """The position after the keyword; None if it is not there. The last argument is no keyword going forward,
    nor is argv[1] going backward: Redis stops one short."""
    if begin.startfrom > 0:
        positions = range(begin.startfrom, len(argv) - 1)
    else:
        positions = range(len(argv) + begin.startfrom, 1, -1)
    keyword = begin.keyword.encode().lower()
    return next((position + 1 for position in positions if argv[position].lower() == keyword), None)


def _decimal(argument: bytes) -> tuple[int, bool]:
    """A number of keys, and whether it is spelled properly.

    Read as atoi() does, so that the keys of a call are named that the command then refuses (ZUNION 02x a b); what
    happens to them is not said then. ValueError if it does not begin with a number.
    """
    found = re.match(rb"[ \t-\r]*([-+]?[0-9]{1,18})", argument)
    if not found:
        raise ValueError("Invalid arguments specified for command")
    return int(found[1]), re.fullmatch(rb"0|[1-9][0-9]{0,18}", argument) is not None


# Finders: commands whose options change what happens to a key, or whose keys no spec finds.


def set_keys(argv: Sequence[bytes]) -> list[KeyPosition]:
    """SET reads the old value only with GET."""
    if any(argument.lower() == b"get" for argument in argv[3:]):
        return [(1, ("RW", "access", "update"))]
    return [(1, ("OW", "update"))]


def bitfield_keys(argv: Sequence[bytes]) -> list[KeyPosition]:
    """BITFIELD only reads if it has nothing but GET and OVERFLOW; a syntax error counts as a write."""
    position = 2
    while position < len(argv):
        operands = {b"get": 2, b"overflow": 1}.get(argv[position].lower())
        if operands is None or position + operands >= len(argv):
            return [(1, ("RW", "access", "update"))]
        position += 1 + operands
    return [(1, ("RO", "access"))]


def delex_keys(argv: Sequence[bytes]) -> list[KeyPosition]:
    """DELEX looks at the value only with a condition."""
    return [(1, ("RW", "delete") if len(argv) > 2 else ("RM", "delete"))]


def sort_keys(argv: Sequence[bytes]) -> list[KeyPosition]:
    """SORT's source, and the destination of the last STORE. Keys made from BY and GET patterns are not known."""
    found: list[KeyPosition] = [(1, ("RO", "access"))]
    position = 2
    while position < len(argv):
        option = argv[position].lower()
        if option == b"store" and position + 1 < len(argv):
            # The search goes on at the next argument: a destination called "store" confuses Redis as well.
            found[1:] = [(position + 1, ("OW", "update"))]
        position += 1 + {b"limit": 2, b"get": 1, b"by": 1}.get(option, 0)
    return found


def sort_ro_keys(argv: Sequence[bytes]) -> list[KeyPosition]:
    """SORT_RO's source."""
    return [(1, ("RO", "access"))]


def migrate_keys(argv: Sequence[bytes]) -> list[KeyPosition]:
    """MIGRATE's one key, or those after KEYS; none if both are given, which the command refuses."""
    flags = ("RW", "access", "delete")
    position = 6
    while position < len(argv):
        option = argv[position].lower()
        if option == b"keys":
            return [] if argv[3] else [(key, flags) for key in range(position + 1, len(argv))]
        position += 1 + {b"auth": 1, b"auth2": 2}.get(option, 0)
    return [(3, flags)]


# ---- Arguments ----
#
# Read as a line of Redis's documentation, plus what COMMAND DOCS has to know. SET, for example:
#
#     key value [condition=(NX | XX)@2.6.12] [GET@6.2.0]
#     [expiration=(EX seconds:integer@2.6.12 | EXAT unix-time-seconds:unix-time@6.2.0 | KEEPTTL@6.0.0)]
#
#     arguments = { argument }
#     argument  = item | "[" item "]"                              in brackets: optional
#     item      = [ token [ "..." ] ] value | pure                 token "...": the token is repeated, too
#     value     = name [ "<" text ">" ] [ ":" type ] suffix        text: shown instead of the name
#               | name "=" "(" argument { "|" argument } ")" suffix    type oneof
#               | name "=" "{" arguments "}" suffix                    type block
#     pure      = [ name "=" ] token suffix                        type pure-token; its name: the token in lower case
#     suffix    = [ "#" number ] [ "@" [ since ] [ "-" deprecated ] ] [ "..." ]     ...: multiple
#     name      = word in small letters, digits, "-" and "_"
#     token     = word in capitals | text in double quotes
#
# type is string unless given, but key for the name `key`. #number is the key spec; the first key has 0, each further
# one is one above the highest so far. A token takes the name after it, so that a lone token before a name is
# written with its own name: `nx=NX key`.

ARGUMENT_TYPES = ("string", "integer", "double", "key", "pattern", "unix-time", "pure-token", "oneof", "block")


@dataclass(frozen=True, slots=True)
class Argument:
    """One argument of a command as COMMAND DOCS describes it; `arguments` are those of a oneof or a block."""

    name: str
    type: str = "string"
    token: str | None = None
    display_text: str | None = None
    key_spec_index: int | None = None
    since: str | None = None
    deprecated_since: str | None = None
    optional: bool = False
    multiple: bool = False
    multiple_token: bool = False
    arguments: tuple["Argument", ...] = ()


_LEXEME = re.compile(
    r"""\s*(?:
      (?P<name>    [a-z][a-z0-9_-]* )
    | (?P<word>    [A-Z][A-Z0-9_-]* )
    | (?P<quoted>  "[^"]*" )
    | (?P<display> <[^<>]*> )
    | (?P<version> [0-9]+(?:\.[0-9]+)* )
    | (?P<mark>    \.\.\. | [][(){}|=:\#@-] )
    | (?P<end>     $ )
    )""",
    re.VERBOSE,
)


class _ArgumentParser:
    """Recursive descent over the grammar above: one method a rule, `kind` and `text` are the lexeme ahead."""

    def __init__(self, source: str):
        self.source = source
        self.position = 0
        self.highest_key = -1
        self.text = ""
        self.advance()

    def advance(self) -> str:
        """Go to the next lexeme; returns the text of the one left behind."""
        left_behind = self.text
        match = _LEXEME.match(self.source, self.position)
        if not match:
            raise ValueError(f"unexpected character at {self.position} of {self.source!r}")
        self.kind, self.text = match.lastgroup, match[match.lastgroup]
        self.start, self.position = match.start(match.lastgroup), match.end()
        return left_behind

    def fail(self, expected: str) -> ValueError:
        return ValueError(f"{expected} expected at {self.start} of {self.source!r}")

    def skip(self, mark: str) -> bool:
        """Step over a mark if it is next."""
        if self.kind != "mark" or self.text != mark:
            return False
        self.advance()
        return True

    def require(self, mark: str) -> None:
        if not self.skip(mark):
            raise self.fail(repr(mark))

    def take(self, *kinds: str) -> str:
        """The text of the next lexeme, which must be of one of these kinds."""
        if self.kind not in kinds:
            raise self.fail(" or ".join(kinds))
        return self.advance()

    def sequence(self) -> tuple[Argument, ...]:
        """arguments, up to the end or whatever closes them."""
        found = []
        while self.kind in ("name", "word", "quoted") or self.text == "[":
            found.append(self.argument())
        return tuple(found)

    def argument(self) -> Argument:
        if not self.skip("["):
            return self.item(optional=False)
        item = self.item(optional=True)
        self.require("]")
        return item

    def item(self, optional: bool) -> Argument:
        fields: dict[str, Any] = {"optional": optional}
        if self.kind in ("word", "quoted"):
            token = self.token()
            dots = self.skip("...")
            if self.kind != "name":
                return self.suffix({"name": token.lower(), "type": "pure-token", "token": token} | fields, dots)
            fields |= {"token": token, "multiple": dots, "multiple_token": dots}
        fields["name"] = self.take("name")
        if self.skip("="):
            return self.compound(fields)
        if self.kind == "display":
            fields["display_text"] = self.advance()[1:-1]
        fields["type"] = "key" if fields["name"] == "key" else "string"
        if self.skip(":"):
            fields["type"] = self.take("name")
            if fields["type"] not in ARGUMENT_TYPES[:6]:
                raise self.fail(f"a type before {self.text!r}")
        return self.suffix(fields)

    def compound(self, fields: dict[str, Any]) -> Argument:
        """What follows `name=`: the token of a pure token, the alternatives of a oneof, the parts of a block."""
        if self.skip("("):
            alternatives = [self.argument()]
            while self.skip("|"):
                alternatives.append(self.argument())
            self.require(")")
            fields |= {"type": "oneof", "arguments": tuple(alternatives)}
        elif self.skip("{"):
            fields |= {"type": "block", "arguments": self.sequence()}
            self.require("}")
        elif "token" in fields:
            raise self.fail("'(' or '{'")
        else:
            fields |= {"type": "pure-token", "token": self.token()}
        return self.suffix(fields)

    def token(self) -> str:
        return self.take("word", "quoted").strip('"')

    def suffix(self, fields: dict[str, Any], dots: bool = False) -> Argument:
        if self.skip("#"):
            fields["key_spec_index"] = int(self.take("version"))
        elif fields["type"] == "key":
            fields["key_spec_index"] = self.highest_key + 1
        self.highest_key = max(self.highest_key, fields.get("key_spec_index", -1))
        if self.skip("@"):
            if self.kind == "version":
                fields["since"] = self.advance()
            if self.skip("-"):
                fields["deprecated_since"] = self.take("version")
        if dots or self.skip("..."):
            fields["multiple"] = True
        return Argument(**fields)


@functools.cache
def parse_args(text: str) -> tuple[Argument, ...]:
    """The arguments that a declaration's `args` describes. ValueError, with the position, if it is no such text."""
    parser = _ArgumentParser(text)
    arguments = parser.sequence()
    if parser.kind != "end":
        raise parser.fail("an argument")
    return arguments


def format_args(arguments: Iterable[Argument]) -> str:
    """The shortest text that parse_args turns into these arguments."""
    return _format_sequence(tuple(arguments), [-1])


def _format_sequence(arguments: Sequence[Argument], highest_key: list[int]) -> str:
    texts: list[str] = []
    for argument, following in zip_longest(arguments, arguments[1:]):
        # A required argument without a token would be taken for the value of a bare token before it.
        before_name = following is not None and not following.optional and not _starts_with_token(following)
        texts.append(_format_argument(argument, highest_key, before_name))
    return " ".join(texts)


def _starts_with_token(argument: Argument) -> bool:
    if argument.type == "pure-token":
        return _is_bare(argument)
    return argument.token is not None


def _is_bare(argument: Argument) -> bool:
    """Whether a pure token can be written without its name."""
    return argument.name == argument.token.lower()


def _format_argument(argument: Argument, highest_key: list[int], before_name: bool = False) -> str:
    """One argument; highest_key[0] is the highest key spec index so far."""
    text = _format_token(argument.token) if argument.token is not None else ""
    if argument.type == "pure-token":
        if not _is_bare(argument) or (before_name and not argument.optional):
            text = f"{argument.name}={text}"
    else:
        if text:
            text += "... " if argument.multiple_token else " "
        text += argument.name
    if argument.type == "oneof":
        text += f"=({' | '.join(_format_argument(each, highest_key) for each in argument.arguments)})"
    elif argument.type == "block":
        text += f"={{{_format_sequence(argument.arguments, highest_key)}}}"
    else:
        if argument.display_text is not None:
            text += f"<{argument.display_text}>"
        if argument.type not in ("pure-token", "key" if argument.name == "key" else "string"):
            text += f":{argument.type}"
    text += _format_suffix(argument, highest_key)
    return f"[{text}]" if argument.optional else text


def _format_token(token: str) -> str:
    return token if re.fullmatch("[A-Z][A-Z0-9_-]*", token) else f'"{token}"'


def _format_suffix(argument: Argument, highest_key: list[int]) -> str:
    text = ""
    index = argument.key_spec_index
    if index is not None:
        if argument.type != "key" or index != highest_key[0] + 1:
            text += f"#{index}"
        highest_key[0] = max(highest_key[0], index)
    if argument.since or argument.deprecated_since:
        text += f"@{argument.since or ''}"
    if argument.deprecated_since:
        text += f"-{argument.deprecated_since}"
    return text + "..." if argument.multiple and not argument.multiple_token else text


# ---- COMMAND INFO and COMMAND DOCS ----
#
# Both answer with plain structures: dict is a map, list an array, tuple a set (in this order), str a bulk string,
# Status a simple string, int an integer. RESP2 shows maps and sets as arrays, as it always does.


@dataclass(frozen=True)
class Declaration:
    """A command without its handler: what `declare` was told. Subcommands are called b"container|subcommand"."""

    name: bytes
    group: str
    arity: int
    flags: int = 0
    keys: tuple[KeySpec, ...] = ()
    acl: tuple[str, ...] = ()
    since: str = ""
    summary: str = ""
    complexity: str = ""
    args: str = ""
    tips: tuple[str, ...] = ()
    doc_flags: tuple[str, ...] = ()
    history: tuple[tuple[str, str], ...] = ()
    replaced_by: str = ""
    deprecated_since: str = ""
    # Not for clients: position of the first member or field that the command looks up in its first key, and the step.
    members: tuple[int, int] | None = None
    subcommands: dict[bytes, "Declaration"] = field(default_factory=dict)


def info(command: Declaration) -> list:
    """The entry of a command in COMMAND INFO: an array of ten.

    Name, arity, flags, first key, last key, step, ACL categories, tips, key specs, entries of subcommands.
    """
    flags = command.flags | (MOVABLE_KEYS if movable(command.keys) else 0)
    categories = acl_categories(command.flags, command.group, command.acl)
    return [
        command.name.decode(),
        command.arity,
        tuple(Status(name) for name in flag_names(flags)),
        *legacy_range(command.keys),
        tuple(Status(f"@{name}") for name in ACL_CATEGORIES if name in categories),
        info_tips(command),
        tuple(info_key_spec(spec) for spec in command.keys),
        # Redis answers an empty set, not an empty array, where there are none.
        [info(subcommand) for subcommand in command.subcommands.values()] or (),
    ]


def info_tips(command: Declaration) -> tuple[str, ...]:
    """The tips of a command for COMMAND INFO: a set of bulk strings."""
    return tuple(command.tips)


def info_key_spec(spec: KeySpec) -> dict[str, Any]:
    """One key spec for COMMAND INFO."""
    entry: dict[str, Any] = {"notes": spec.notes} if spec.notes else {}
    entry["flags"] = tuple(Status(name) for name in KEY_FLAGS if name in spec.flags)
    entry["begin_search"] = _search_step(spec.begin, {Index: "index", Keyword: "keyword"})
    entry["find_keys"] = _search_step(spec.find, {Range: "range", KeyNum: "keynum"})
    return entry


def _search_step(step: Index | Keyword | Range | KeyNum | None, names: dict[type, str]) -> dict[str, Any]:
    if step is None:
        return {"type": "unknown", "spec": {}}
    return {"type": names[type(step)], "spec": {name: getattr(step, name) for name in step.__slots__}}


def docs(command: Declaration) -> dict[str, Any]:
    """The entry of a command in COMMAND DOCS: a map; what a command does not have is left out."""
    entry: dict[str, Any] = {
        "summary": command.summary,
        "since": command.since,
        "group": command.group,
        "complexity": command.complexity,
        "doc_flags": tuple(Status(flag) for flag in command.doc_flags),
        "deprecated_since": command.deprecated_since,
        "replaced_by": command.replaced_by,
        "history": tuple([version, change] for version, change in command.history),
        "arguments": [argument_docs(argument) for argument in parse_args(command.args)],
        "subcommands": {subcommand.name.decode(): docs(subcommand) for subcommand in command.subcommands.values()},
    }
    return {name: value for name, value in entry.items() if value}


def argument_docs(argument: Argument) -> dict[str, Any]:
    """One argument for COMMAND DOCS."""
    compound = argument.type in ("oneof", "block")
    entry: dict[str, Any] = {
        "name": argument.name,
        "type": argument.type,
        "display_text": None if compound else (argument.display_text or argument.name),
        "key_spec_index": argument.key_spec_index,
        "token": argument.token,
        "since": argument.since,
        "deprecated_since": argument.deprecated_since,
        "flags": tuple(Status(flag) for flag in ("optional", "multiple", "multiple_token") if getattr(argument, flag))
        or None,
        "arguments": [argument_docs(each) for each in argument.arguments] if compound else None,
    }
    return {name: value for name, value in entry.items() if value is not None}
