"""The language commands are declared in, and what COMMAND, COMMAND DOCS and ACL derive from a declaration.

    declare(b"expire", native(cmd_expire), arity=-3, flags=WRITE | FAST, keys=key_at(1, "RW update"), since="1.0.0",
            complexity="O(1)", summary="...", args="key seconds:integer [condition=(NX | XX | GT | LT)@7.0.0]")

Three parts: command flags, ACL categories, key specs; what `args` says is in arguments.py. None of it runs while a
request is served.

Source: https://redis.io/docs/latest/develop/reference/key-specs/ and /commands/command-docs/
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from fastredis.engine import keys
from fastredis.engine.arguments import argument_docs, parse_args
from fastredis.engine.flags import (
    ADMIN,
    ALLOW_BUSY,
    ASKING,
    BLOCKING,
    CONTAINER,
    DENYOOM,
    FAST,
    LOADING,
    MOVABLE_KEYS,
    NO_ASYNC_LOADING,
    NO_AUTH,
    NO_MANDATORY_KEYS,
    NO_MULTI,
    NOSCRIPT,
    PUBSUB,
    READONLY,
    SKIP_MONITOR,
    SKIP_SLOWLOG,
    STALE,
    WRITE,
)
from fastredis.engine.reply import Status

# ---- Flags ----

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
    "array",
)  # fmt: skip

# Groups that are missing here (server, cluster, pubsub) say nothing about their commands' categories.
GROUP_CATEGORIES = {
    "array": "array",
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
# Where a command's keys are, and what it does to them; engine/keys.pxd explains it and finds them.


class Index(NamedTuple):
    """The first key is argv[index]."""

    kind = keys.FROM_INDEX
    index: int


class Keyword(NamedTuple):
    """The first key follows a keyword, searched from argv[startfrom]; backwards if startfrom is negative."""

    kind = keys.FROM_KEYWORD
    keyword: str
    startfrom: int


class Range(NamedTuple):
    """Keys from the first to the last, every keystep-th argument.

    lastkey >= 0 counts from the first key, < 0 from the end of argv. A limit above 1 (with lastkey -1) ends the
    range after that fraction of the arguments: XREAD's ids follow as many keys.
    """

    kind = keys.RANGE
    lastkey: int
    keystep: int = 1
    limit: int = 0


ONE_KEY = Range(0)


class KeyNum(NamedTuple):
    """As many keys as an argument says: its offset and that of the first key count from where the search began."""

    kind = keys.KEY_NUMBER
    keynumidx: int
    firstkey: int
    keystep: int = 1


class KeySpec(NamedTuple):
    """One place where a command has keys. begin and find are None where no rule finds them (SORT's BY pattern)."""

    flags: tuple[str, ...]
    begin: Index | Keyword | None = None
    find: Range | KeyNum | None = None
    notes: str | None = None
    finder: object = None  # a capsule, see keys.key_finder()
    loose: bool = False  # the spec may find other keys than the command uses; the finder does not


def key_flags(text: str) -> tuple[str, ...]:
    """Key flags from their names, separated by spaces; ValueError for an unknown name."""
    flags = tuple(text.split())
    unknown = set(flags) - keys.KEY_FLAGS.keys()
    if unknown:
        raise ValueError(f"unknown key flags {sorted(unknown)} in {text!r}")
    return flags


def key_at(index: int, flags: str, notes: str | None = None, finder=None) -> KeySpec:
    """One key at argv[index]."""
    return KeySpec(key_flags(flags), Index(index), ONE_KEY, notes, finder)


def key_range(index: int, lastkey: int, keystep: int, flags: str, limit: int = 0, notes: str | None = None) -> KeySpec:
    """Keys from argv[index] to lastkey (see Range), every keystep-th argument."""
    return KeySpec(key_flags(flags), Index(index), Range(lastkey, keystep, limit), notes)


def key_count(index: int, flags: str, keystep: int = 1, notes: str | None = None) -> KeySpec:
    """argv[index] is the number of keys, which follow it."""
    return KeySpec(key_flags(flags), Index(index), KeyNum(0, 1, keystep), notes)


def key_after(
    keyword: str, startfrom: int, flags: str, find: Range = ONE_KEY, finder=None, loose: bool = False
) -> KeySpec:
    """Keys after a keyword (see Keyword); loose: the word may also be another argument's value."""
    return KeySpec(key_flags(flags), Keyword(keyword, startfrom), find, None, finder, loose)


def key_unknown(flags: str, notes: str, finder=None) -> KeySpec:
    """Keys that only the command itself can find."""
    return KeySpec(key_flags(flags), None, None, notes, finder)


def key_specs(keys: KeySpec | Iterable[KeySpec]) -> tuple[KeySpec, ...]:
    """What `keys=` of a declaration gave, one spec or several, as a tuple."""
    return (keys,) if isinstance(keys, KeySpec) else tuple(keys)


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
    entry["flags"] = tuple(Status(name) for name in keys.KEY_FLAGS if name in spec.flags)
    entry["begin_search"] = _search_step(spec.begin, {Index: "index", Keyword: "keyword"})
    entry["find_keys"] = _search_step(spec.find, {Range: "range", KeyNum: "keynum"})
    return entry


def _search_step(step: Index | Keyword | Range | KeyNum | None, names: dict[type, str]) -> dict[str, Any]:
    if step is None:
        return {"type": "unknown", "spec": {}}
    return {"type": names[type(step)], "spec": {name: getattr(step, name) for name in step._fields}}


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
