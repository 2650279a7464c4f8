"""The rules of an ACL user, as ACL SETUSER, `user` lines and the ACL file have them.

    on >secret ~cache:* %R~config:* &news.* +@read +set -@dangerous (~stats:* +incr) db=0,1

UserRules.apply() reads one rule, describe() writes all of them back: what ACL LIST shows, and what makes the same user
when it is read again. Commands are the program's own names, whatever rename-command calls them. What the rules about
commands come to is a set of Command.index; their words are kept beside it, in their order, the later of two about the
same thing only.
Source: https://redis.io/docs/latest/operate/oss_and_stack/management/security/acl/ and, for db=,
https://valkey.io/topics/acl/
"""

import hashlib
import re
from collections.abc import Iterable

from fastredis.engine.acl.user import MAY_READ, MAY_WRITE
from fastredis.engine.command import Command, declared_commands
from fastredis.engine.declarations import ACL_CATEGORIES, acl_categories
from fastredis.text import split_args, to_bytes, to_text

SPACES = re.compile(rb"[ \t-\r\0]")             # isspace(3), and what ends a string in C
HASH = re.compile(rb"[0-9a-f]{64}")
NUMBER = re.compile(rb"[+-]?[0-9]+")
INT_MAX = 2**31 - 1
READ_WRITE = MAY_READ | MAY_WRITE
PREFIXES = {READ_WRITE: b"~", MAY_READ: b"%R~", MAY_WRITE: b"%W~"}

SYNTAX = "Syntax error"
UNKNOWN = "Unknown command or category name in ACL"
ALL_KEYS = (
    "Adding a pattern after the * pattern (or the 'allkeys' flag) is not valid and does not have any effect. Try "
    "'resetkeys' to start with an empty list of patterns"
)
ALL_CHANNELS = (
    "Adding a pattern after the * pattern (or the 'allchannels' flag) is not valid and does not have any effect. Try "
    "'resetchannels' to start with an empty list of channels"
)
NO_PASSWORD = "The password you are trying to remove from the user does not exist"
BAD_HASH = "The password hash must be exactly 64 characters and contain only lowercase hexadecimal characters"
DEEP_FIRST_ARG = "Allowing first-arg of a subcommand is not supported"
NO_DATABASE = "The provided database ID is out of range"


class RuleError(Exception):
    """A rule that makes no sense; its text is the end of the error that a client gets."""

    def __init__(self, reason: str):
        super().__init__(reason)
        self.reason = reason


class CommandNames:
    """The commands of the program, by names and by categories."""

    def __init__(self) -> None:
        commands = declared_commands()
        self.count = len(commands)
        self.by_name: dict[bytes, Command] = {command.name: command for command in commands}
        self.categories: dict[bytes, list[Command]] = {name.encode(): [] for name in ACL_CATEGORIES}
        for command in commands:
            for category in acl_categories(command.flags, command.group, command.declaration.acl):
                self.categories[category.encode()].append(command)

    def find(self, name: bytes) -> Command:
        """The command, or subcommand (b"config|get"), of that name in any case. Raises RuleError."""
        command = self.by_name.get(name.lower())
        if command is None:
            raise RuleError(UNKNOWN)
        return command

    @staticmethod
    def with_subcommands(command: Command) -> Iterable[Command]:
        yield command
        yield from (command.subcommands or {}).values()


class Permissions:
    """What is allowed: the root of a user, or one of its selectors. None stands for everything of its kind.

    commands     set of Command.index
    first_args   Command.index -> set of first arguments with which a command is allowed although it is not in that set
    keys         pattern -> MAY_* bits
    """

    def __init__(self, names: CommandNames, all_channels: bool):
        self.names = names
        self.commands: set[int] = set()
        self.starts_with_all = False
        self.command_rules: list[bytes] = []
        self.first_args: dict[int, set[bytes]] = {}
        self.keys: dict[bytes, int] | None = {}
        self.channels: dict[bytes, None] | None = None if all_channels else {}
        self.databases: tuple[int, ...] | None = None

    def copy(self) -> "Permissions":
        other = Permissions(self.names, False)
        other.commands, other.starts_with_all = set(self.commands), self.starts_with_all
        other.command_rules = list(self.command_rules)
        other.first_args = {index: set(words) for index, words in self.first_args.items()}
        other.keys = None if self.keys is None else dict(self.keys)
        other.channels = None if self.channels is None else dict(self.channels)
        other.databases = self.databases
        return other

    def apply(self, rule: bytes) -> None:
        """Take one rule over. Raises RuleError, and then nothing has changed."""
        word = rule.lower()
        if word in (b"allkeys", b"~*"):
            self.keys = None
        elif word == b"resetkeys":
            self.keys = {}
        elif word in (b"allchannels", b"&*"):
            self.channels = None
        elif word == b"resetchannels":
            self.channels = {}
        elif word == b"alldbs":
            self.databases = None
        elif word == b"resetdbs":
            self.databases = ()
        elif word.startswith(b"db="):
            self.databases = database_numbers(rule[3:])
        elif word in (b"allcommands", b"+@all"):
            self.allow_all(True)
        elif word in (b"nocommands", b"-@all"):
            self.allow_all(False)
        elif word[:1] in (b"~", b"%"):
            self.add_keys(rule)
        elif word[:1] == b"&":
            self.add_channels(rule[1:])
        elif word[:1] in (b"+", b"-"):
            self.change_commands(word[:1] == b"+", rule[1:])
        else:
            raise RuleError(SYNTAX)

    # --- commands

    def allow_all(self, allowed: bool) -> None:
        self.commands = set(range(self.names.count)) if allowed else set()
        self.starts_with_all = allowed
        self.command_rules, self.first_args = [], {}

    def change_commands(self, allowed: bool, name: bytes) -> None:
        """+name, -name, +name|subcommand, +@category ..."""
        parent, bar, word = name.rpartition(b"|")
        if name.startswith(b"@"):
            commands = self.names.categories.get(name[1:].lower())
            if commands is None:
                raise RuleError(UNKNOWN)
            self.allow(allowed, commands)
        elif not allowed or not bar:
            command = self.names.find(name)
            self.allow(allowed, [command])
            name = command.name
        elif self.names.find(parent).container is not None:
            raise RuleError(DEEP_FIRST_ARG)
        elif not word:
            raise RuleError(SYNTAX)
        elif self.names.find(parent).subcommands is not None:
            self.allow(True, [self.names.find(name)])
        else:
            self.first_args.setdefault(self.names.find(parent).index, set()).add(word.lower())
        self.note_rule(allowed, name.lower())

    def allow(self, allowed: bool, commands: Iterable[Command]) -> None:
        for each in commands:
            self.first_args.pop(each.index, None)
            for command in self.names.with_subcommands(each):
                (self.commands.add if allowed else self.commands.discard)(command.index)

    def note_rule(self, allowed: bool, name: bytes) -> None:
        """Keep the words of a rule in the place of those that it makes void: about the same, or a part of it."""
        self.command_rules = [rule for rule in self.command_rules
                              if rule[1:] != name and not rule[1:].startswith(name + b"|")]
        self.command_rules.append((b"+" if allowed else b"-") + name)

    # --- keys and channels

    def add_keys(self, rule: bytes) -> None:
        """~pattern, %R~pattern, %W~pattern, %RW~pattern."""
        if self.keys is None:
            raise RuleError(ALL_KEYS)
        access, at = READ_WRITE, 1
        if rule[:1] == b"%":
            access, at = 0, 1
            while at < len(rule):
                letter = rule[at : at + 1].upper()
                at += 1
                bit = {b"R": MAY_READ, b"W": MAY_WRITE}.get(letter, 0)
                if letter == b"~" and access:
                    break
                if not bit or access & bit:
                    raise RuleError(SYNTAX)
                access |= bit
            if not access:
                raise RuleError(SYNTAX)
        pattern = rule[at:]
        if SPACES.search(pattern):
            raise RuleError(SYNTAX)
        self.keys[pattern] = self.keys.get(pattern, 0) | access

    def add_channels(self, pattern: bytes) -> None:
        if self.channels is None:
            raise RuleError(ALL_CHANNELS)
        if SPACES.search(pattern):
            raise RuleError(SYNTAX)
        self.channels[pattern] = None

    # --- words

    def describe_commands(self) -> bytes:
        return b" ".join([b"+@all" if self.starts_with_all else b"-@all", *self.command_rules])

    def describe_keys(self) -> bytes:
        if self.keys is None:
            return b"~*"
        return b" ".join([PREFIXES[access] + pattern for pattern, access in self.keys.items()])

    def describe_channels(self) -> bytes:
        return b"&*" if self.channels is None else b" ".join([b"&" + pattern for pattern in self.channels])

    def describe_databases(self) -> bytes:
        """As Valkey has it: `alldbs`, `resetdbs`, or the numbers."""
        if self.databases is None:
            return b"alldbs"
        return b"db=" + b",".join([b"%d" % number for number in self.databases]) if self.databases else b"resetdbs"

    def describe(self) -> bytes:
        channels = self.describe_channels()
        if self.channels is not None:
            channels = b"resetchannels " + channels
        databases = b"" if self.databases is None else self.describe_databases()
        parts = (self.describe_keys(), channels.rstrip(), databases, self.describe_commands())
        return b" ".join(filter(None, parts))


def database_numbers(text: bytes) -> tuple[int, ...]:
    """What `db=` allows, in order. Raises RuleError."""
    numbers = set()
    for word in text.split(b","):
        if not NUMBER.fullmatch(word):
            raise RuleError(SYNTAX)
        if not 0 <= int(word) <= INT_MAX:
            raise RuleError(NO_DATABASE)
        numbers.add(int(word))
    return tuple(sorted(numbers))


class UserRules:
    """All that a user is, but its name: flags, passwords, permissions. A new one may do nothing, and is off."""

    def __init__(self, names: CommandNames, all_channels: bool = False):
        self.names = names
        self.all_channels = all_channels        # acl-pubsub-default
        self.enabled = False
        self.no_password = False
        self.sanitizes = True
        self.passwords: dict[bytes, None] = {}  # SHA-256 in hexadecimal
        self.root = Permissions(names, all_channels)
        self.selectors: list[Permissions] = []

    @property
    def all_permissions(self) -> list[Permissions]:
        return [self.root, *self.selectors]

    @property
    def command_count(self) -> int:
        return self.names.count

    def copy(self) -> "UserRules":
        other = UserRules(self.names, self.all_channels)
        other.enabled, other.no_password, other.sanitizes = self.enabled, self.no_password, self.sanitizes
        other.passwords = dict(self.passwords)
        other.root = self.root.copy()
        other.selectors = [selector.copy() for selector in self.selectors]
        return other

    def apply(self, rule: bytes) -> None:
        """Take one rule over. Raises RuleError, and then nothing has changed."""
        word = rule.lower()
        if not rule:
            return
        if word in (b"on", b"off"):
            self.enabled = word == b"on"
        elif word in (b"sanitize-payload", b"skip-sanitize-payload"):
            self.sanitizes = word == b"sanitize-payload"
        elif word in (b"nopass", b"resetpass"):
            self.no_password = word == b"nopass"
            self.passwords = {}
        elif word[:1] in (b">", b"#"):
            self.passwords[hash_of(rule, b">")] = None
            self.no_password = False
        elif word[:1] in (b"<", b"!"):
            if self.passwords.pop(hash_of(rule, b"<"), self) is self:
                raise RuleError(NO_PASSWORD)
        elif word[:1] == b"(" and word[-1:] == b")":
            self.selectors.append(self.selector(rule[1:-1]))
        elif word == b"clearselectors":
            self.selectors = []
        elif word == b"reset":
            self.reset()
        else:
            self.root.apply(rule)

    def selector(self, text: bytes) -> Permissions:
        permissions = Permissions(self.names, self.all_channels)
        for rule in split_args(to_text(text)) or []:
            permissions.apply(to_bytes(rule))
        return permissions

    def reset(self) -> None:
        self.enabled = self.no_password = False
        self.sanitizes = True
        self.passwords, self.selectors = {}, []
        self.root = Permissions(self.names, self.all_channels)

    def set_password(self, password: bytes | None) -> None:
        """The only one; None: none is needed."""
        self.passwords = {} if password is None else {hash_password(password): None}
        self.no_password = password is None

    def flags(self) -> list[bytes]:
        return [
            b"on" if self.enabled else b"off",
            *([b"nopass"] if self.no_password else []),
            b"sanitize-payload" if self.sanitizes else b"skip-sanitize-payload",
        ]

    def describe(self) -> bytes:
        """As a `user` line has it, behind the name."""
        passwords = [b"#" + password for password in self.passwords]
        selectors = [b"(" + selector.describe() + b")" for selector in self.selectors]
        return b" ".join([*self.flags(), *passwords, self.root.describe(), *selectors])


def hash_password(password: bytes) -> bytes:
    return hashlib.sha256(password).hexdigest().encode()


def hash_of(rule: bytes, plain: bytes) -> bytes:
    """The hash that a rule about a password means; it begins with `plain` if the password itself follows."""
    if rule[:1] == plain:
        return hash_password(rule[1:])
    if not HASH.fullmatch(rule[1:]):
        raise RuleError(BAD_HASH)
    return rule[1:]


def merge_selectors(rules: list[bytes]) -> list[bytes]:
    """Rules with each selector in one piece, though words between the parentheses came apart.

    ValueError: one that has no end; its only argument is where it begins.
    """
    merged: list[bytes] = []
    opened: list[bytes] = []
    for rule in rules:
        if opened:
            opened.append(rule)
            if rule.endswith(b")"):
                merged.append(b" ".join(opened))
                opened = []
        elif rule.startswith(b"(") and not rule.endswith(b")"):
            opened = [rule]
        else:
            merged.append(rule)
    if opened:
        raise ValueError(opened[0])
    return merged
