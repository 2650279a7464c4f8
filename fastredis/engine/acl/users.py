"""The users of one engine: changed by ACL SETUSER and DELUSER, read from `user` lines or from the ACL file.

There is always the user "default", whose rights a connection has until it authenticates; `requirepass` is its password.
A change is made on a copy of a user's rules, so that one wrong rule changes nothing, and then compiled into the User,
to which its connections point (Users.adopt). Connections that lose a subscription by that are closed, and so are those
of a user that goes.

In-process clients, the master's connection and what loads an AOF have a user that is not in here and may do
everything (Engine.unlimited).
"""

import hmac
import os
import time

from fastredis.config.config import Directive, FatalConfigError
from fastredis.config.types import Settings
from fastredis.engine import engine as bits
from fastredis.engine.acl.access import DENIED_CERTIFICATE, DENIED_LOGIN, FROM_CLIENT, FROM_MULTI, may_subscribe
from fastredis.engine.acl.log import AclLog
from fastredis.engine.acl.rules import (
    SPACES,
    SYNTAX,
    UNKNOWN,
    CommandNames,
    RuleError,
    UserRules,
    hash_password,
    merge_selectors,
)
from fastredis.engine.acl.user import User
from fastredis.engine.client_list import describe
from fastredis.text import quote, to_bytes, to_text

DEFAULT = b"default"
BLANKS = b" \t\r\n"

DUPLICATE = "Duplicate user found. A user can only be defined once in config files"
NOTHING_CHANGED = "WARNING: ACL errors detected, no change to the previously active ACL rules was performed"
BOTH_SOURCES = (
    "Configuring Redis with users defined in redis.conf and at the same setting an ACL file path is invalid. This "
    "setup is very likely to lead to configuration errors and security holes, please define either an ACL file or "
    "declare users directly in your redis.conf, but not both."
)


def quoted_word(word: str) -> str:
    """A word of a `user` line, so that redis.conf's quotes give it back."""
    return quote(word) if set(word) & set("\"'\\") else word


class AclFileError(Exception):
    """What is wrong in the ACL file, all of it; or why it cannot be read."""


class Users:
    """Users by name, and the log of what they were denied."""

    def __init__(self, engine):
        self.engine = engine
        self.names = CommandNames()
        self.log = AclLog()
        self.by_name: dict[bytes, User] = {}
        self.configure(engine.config)
        self.default = User(DEFAULT, self.default_rules())
        self.by_name[DEFAULT] = self.default
        engine.default_user = self.default
        self.set_required_password(engine.config)
        engine.config.on_change("requirepass", self.set_required_password)
        for name in ("acl-pubsub-default", "acllog-max-len"):
            engine.config.on_change(name, self.configure)
        engine.config.user_lines = self.config_lines

    # --- settings

    def configure(self, config: Settings) -> None:
        self.all_channels = config["acl-pubsub-default"] == "allchannels"
        self.log.longest = config["acllog-max-len"]

    def new_rules(self) -> UserRules:
        return UserRules(self.names, self.all_channels)

    def default_rules(self) -> UserRules:
        """What the default user may do unless something else is said: everything."""
        rules = self.new_rules()
        for rule in (b"+@all", b"~*", b"&*", b"on", b"nopass"):
            rules.apply(rule)
        return rules

    def set_required_password(self, config: Settings) -> None:
        """requirepass is the default user's only password."""
        rules = self.default.rules.copy()
        password = config["requirepass"]
        rules.set_password(to_bytes(password) if password else None)
        self.adopt(self.default, rules)

    # --- changes

    def adopt(self, user: User, rules: UserRules, asking=None) -> None:
        """Have a user's rules replaced, for those who are connected as well. asking: the client that wants it."""
        user.take(rules)
        if user is self.default:
            self.engine.auth_required = not rules.no_password or not rules.enabled
        for client in self.clients_of(user):
            client.become(user, client.authenticated)
            if not may_subscribe(user, client):
                self.close(client, asking)

    def clients_of(self, user: User) -> list:
        return [client for client in self.engine.clients.values() if client.user is user]

    @staticmethod
    def close(client, asking) -> None:
        """Close a connection; that of the client who wants it after its reply."""
        if client is asking:
            client.flag_bits |= bits.C_CLOSE_AFTER_REPLY
        else:
            client.kill()

    def set_user(self, name: bytes, words: list[bytes], asking=None) -> str | None:
        """ACL SETUSER -> what is wrong with the words; None: the user is what they say."""
        user = self.by_name.get(name)
        rules = user.rules.copy() if user is not None else self.new_rules()
        rules.all_channels = self.all_channels
        try:
            merged = merge_selectors(words)
        except ValueError as error:
            return f"Unmatched parenthesis in acl selector starting at '{to_text(error.args[0])}'."
        for rule in merged:
            try:
                rules.apply(rule)
            except RuleError as error:
                return f"Error in ACL SETUSER modifier '{to_text(rule)}': {error.reason}"
        if user is None:
            user = self.by_name[name] = User(name, rules)
        else:
            self.adopt(user, rules, asking)
        return None

    def delete(self, name: bytes, asking=None) -> bool:
        """Whether there was such a user. Its connections are closed."""
        user = self.by_name.pop(name, None)
        if user is None:
            return False
        for client in self.clients_of(user):
            client.become(self.default, False)
            self.close(client, asking)
        return True

    def get(self, name: bytes) -> User | None:
        return self.by_name.get(name)

    def sorted(self) -> list[User]:
        return [self.by_name[name] for name in sorted(self.by_name)]

    def lines(self) -> list[bytes]:
        """All users as `user` lines."""
        return [b"user " + user.name + b" " + user.rules.describe() for user in self.sorted()]

    # --- who comes

    def authenticate(self, client, name: bytes, password: bytes) -> bool:
        """Whether the client has that user's rights now. A failure is logged; it takes as long whatever the reason."""
        user = self.by_name.get(name)
        rules = user.rules if user is not None else None
        hashed = hash_password(password)
        fits = False
        for known in rules.passwords if rules is not None else ():
            fits |= hmac.compare_digest(known, hashed)
        if rules is not None and rules.enabled and (rules.no_password or fits):
            client.become(user, True)
            return True
        self.note(client, DENIED_LOGIN, FROM_MULTI if client.flag_bits & bits.C_MULTI else FROM_CLIENT,
                  client.args[0], name)
        return False

    def admit(self, client, name: bytes) -> bool:
        """Whether the client has that user's rights now, without a password: its certificate has named the user."""
        user = self.by_name.get(name)
        if user is None or not user.rules.enabled:
            return False
        client.become(user, True)
        return True

    def certificate_refused(self, client, name: bytes) -> None:
        """A client's certificate names nobody; name: the last that it was looked for, if there was any."""
        self.note(client, DENIED_CERTIFICATE, FROM_CLIENT, b"", name or client.user.name)

    def denied(self, client, reason: int, context: int, subject: bytes) -> None:
        """A client's user may not do something."""
        self.note(client, reason, context, subject, client.user.name)

    def note(self, client, reason: int, context: int, subject: bytes, user: bytes) -> None:
        self.log.note(reason, context, subject, user, describe(client, False), client.now_ms)

    # --- at the start

    def load_at_start(self, directives: list[Directive]) -> None:
        """Users of `user` lines, or of the ACL file. Raises FatalConfigError."""
        seen = set()
        for directive in directives:
            name = to_bytes(directive.argv[1])
            if name in seen:
                raise directive.fatal(f"Error in user declaration '{directive.argv[1]}': {DUPLICATE}")
            seen.add(name)
            self.load_line(directive, name, [to_bytes(word) for word in directive.argv[2:]])
        if not self.engine.config["aclfile"]:
            return
        if directives:
            raise FatalConfigError(BOTH_SOURCES)
        try:
            self.load_file()
        except AclFileError as error:
            raise FatalConfigError(f"Aborting Redis startup because of ACL errors: {error}") from None

    def load_line(self, directive: Directive, name: bytes, words: list[bytes]) -> None:
        rules = self.new_rules()
        try:
            merged = merge_selectors(words)
        except ValueError as error:
            raise directive.fatal(f"Error in user declaration '{to_text(error.args[0])}': {SYNTAX}") from None
        if SPACES.search(name):
            raise directive.fatal("Spaces not allowed in ACL usernames")
        for rule in merged:
            try:
                rules.apply(rule)
            except RuleError as error:
                raise directive.fatal(f"Error in user declaration '{to_text(rule)}': {error.reason}") from None
        if not rules.enabled:
            self.engine.log.notice(f"The user '{to_text(name)}' is disabled (there is no 'on' modifier in the user "
                                   "description). Make sure this is not a configuration error.")
        if name == DEFAULT:
            self.adopt(self.default, rules)
        else:
            self.by_name[name] = User(name, rules)

    def config_lines(self) -> list[str]:
        """What CONFIG REWRITE writes: nothing if the users are in a file of their own."""
        if self.engine.config["aclfile"]:
            return []
        return [" ".join([quoted_word(to_text(word)) for word in line.split(b" ")]) for line in self.lines()]

    # --- the ACL file

    def load_file(self, asking=None) -> None:
        """ACL LOAD: have the users of the file, and no others. Raises AclFileError, and then nothing has changed."""
        path, folder = self.engine.config["aclfile"], self.engine.config["dir"]
        try:
            with open(folder.open(path, os.O_RDONLY), "rb") as stream:
                content = stream.read()
        except OSError as error:
            reason = f"Error loading ACLs, opening file '{path}': {os.strerror(error.errno)}"
            raise AclFileError(reason) from None
        loaded, errors = self.read_lines(path, content)
        if errors:
            raise AclFileError("".join(errors) + NOTHING_CHANGED)
        loaded.setdefault(DEFAULT, self.default_rules())
        for name in self.by_name.keys() - loaded.keys():
            self.delete(name, asking)
        for name, rules in loaded.items():
            if name in self.by_name:
                self.adopt(self.by_name[name], rules, asking)
            else:
                self.by_name[name] = User(name, rules)

    def read_lines(self, path: str, content: bytes) -> tuple[dict[bytes, UserRules], list[str]]:
        """The users that a file describes, and what is wrong with it."""
        loaded: dict[bytes, UserRules] = {}
        errors: list[str] = []
        for number, line in enumerate(content.split(b"\n"), 1):
            words = line.strip(BLANKS).split(b" ")
            if words == [b""]:
                continue
            if words[0] != b"user" or len(words) < 2:
                errors.append(f"{path}:{number} should start with user keyword followed by the username. ")
            elif SPACES.search(words[1]):
                errors.append(f"'{path}:{number}: username '{to_text(words[1])}' contains invalid characters. ")
            elif words[1] in loaded:
                errors.append(f"WARNING: Duplicate user '{to_text(words[1])}' found on line {number}. ")
            else:
                loaded[words[1]] = self.read_rules(f"{path}:{number}", words[2:], errors)
        return loaded, errors

    def read_rules(self, place: str, words: list[bytes], errors: list[str]) -> UserRules:
        rules = self.new_rules()
        told = False
        try:
            merged = merge_selectors(words)
        except ValueError:
            errors.append(f"{place}: Unmatched parenthesis in selector definition.")
            return rules
        for word in merged:
            rule = word.strip(b"\t\r\n")
            try:
                rules.apply(rule)
            except RuleError as error:
                # What else is wrong with a user's line may follow from the first that is; and it may be a secret.
                if error.reason == UNKNOWN:
                    errors.append(f"{place}: Error in applying operation '{to_text(rule)}': {error.reason}. ")
                elif not told:
                    errors.append(f"{place}: {error.reason}. ")
                    told = True
        return rules

    def save_file(self) -> bool:
        """ACL SAVE; False: it failed, the log says why, and the old file is what it was."""
        path, folder = self.engine.config["aclfile"], self.engine.config["dir"]
        temporary = f"{path}.tmp-{os.getpid()}-{time.time_ns() // 1_000_000}"
        step = "Opening temp ACL file"
        try:
            with open(folder.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644), "wb") as stream:
                step = "Writing ACL file"
                stream.write(b"".join([line + b"\n" for line in self.lines()]))
                stream.flush()
                step = "Syncing ACL file"
                os.fsync(stream.fileno())
            step = "Renaming ACL file"
            folder.rename(temporary, path)
            step = "Syncing ACL directory"
            folder.sync(os.path.dirname(path))
        except OSError as error:
            self.engine.log.warning(f"{step} for ACL SAVE: {os.strerror(error.errno)}")
            if folder.has(temporary):
                folder.remove(temporary)
            return False
        return True
