"""Drawn users and commands, and the comparison; see tests/acl/__init__.py."""
import random
import re

from fastredis.engine.command import declared_commands

from fastredis import commands
from fastredis.engine import declarations
from fastredis.engine.declarations import ACL_CATEGORIES
from tests.differential.grammar import Draw, known_commands, peer_facts
from tests.differential.run import printable
from tests.resp import Error

COMMANDS_OF_A_USER = 200
DATABASES = 3
KEYS = (b"*", b"s*", b"*:1", b"string:*", b"h?sh:[01]", b"list:1", b"z*", b"[a-m]*", b"set:[^0]", b"stream:*", b"geo:*",
        b"lex:*", b"hyper*", b"string:0", b"*:[0-2]", b"\\s*", b"")
CHANNELS = (b"*", b"ch*", b"ch1", b"ch[02]", b"?h3")
FIRST_ARGUMENTS = (b"+select|0", b"+select|1", b"+get|string:1", b"+del|set:0", b"+publish|ch1", b"+ECHO|x")
# What is not run here: it would end or change the connection or the servers, or wait.
NOT_RUN = {"auth", "hello", "reset", "quit", "select", "multi", "exec", "discard", "watch", "unwatch", "swapdb",
           "flushdb", "flushall", "subscribe", "psubscribe", "ssubscribe", "wait", "waitaof", "client|no-touch"}
# Of these Redis, or Valkey, looks at other keys than the command uses, or finds none in arguments that are refused.
LOOSE = {"georadius", "georadiusbymember", "xread", "xreadgroup", "sort", "sort_ro"}
DENIED = re.compile("(?:This user|User u) has no permissions to (run|access) (?:the )?'?(.*?)'?"
                    "( command| key| channel|)$", re.DOTALL)
REFUSED = re.compile("NOPERM|ERR (BY|GET) option of SORT denied")


def decision(reply):
    """What ACL DRYRUN says, whatever the words: "OK", "error", or what was denied and about what."""
    if isinstance(reply, Error):
        return "error"
    text = reply.decode("latin1") if isinstance(reply, bytes) else str(reply)
    found = DENIED.match(text)
    return found.groups() if found else text


class Pairs:
    """Two servers, and what was found so far. count: pairs that were asked about, `run` of them also run here."""

    def __init__(self, server, peer, peer_kind, seed):
        commands.load()
        self.clients = [each.client(timeout=60) for each in (server, peer)]
        self.user = server.client(timeout=60)
        self.random = random.Random(seed)
        self.databases = peer_kind.has("valkey 9.1")
        with peer.client(protocol=3, timeout=60) as client:
            facts = peer_facts(client)
            self.both = sorted({command.name for command in declared_commands()} & {name.encode() for name in facts})
            categories = {name.decode() for name in client.call("ACL", "CAT")}
        self.categories = [name.encode() for name in ACL_CATEGORIES if name in categories]
        self.known = known_commands(facts)
        self.draw = Draw(seed, self.known)
        self.arity = {name.encode(): fact[0] for name, fact in facts.items()}
        self.flags = {command.name: command.flags for command in declared_commands()}
        self.count = self.denied = self.run = 0
        self.findings = []

    def __enter__(self):
        return self

    def __exit__(self, *exc_info):
        for client in (*self.clients, self.user):
            client.close()

    # --- drawing

    def rules(self):
        """The words of a user: sometimes few, sometimes nearly everything."""
        words = [b"reset", b"on", b"nopass", *self.permissions()]
        for _ in range(self.random.choice((0, 0, 0, 1, 2))):
            words.append(b"(" + b" ".join(self.permissions()) + b")")
        return words

    def permissions(self):
        draw, words = self.random, []
        if draw.random() < 0.5:
            words.append(b"+@all")
        for _ in range(draw.choice((1, 3, 10, 40))):
            words.append(self.command_rule())
        if draw.random() < 0.2:
            words.append(b"~*")
        else:
            for _ in range(draw.choice((1, 2, 4))):
                pattern = draw.choice((b"~", b"~", b"%R~", b"%W~", b"%RW~")) + draw.choice(KEYS)
                if pattern != b"~*":
                    words.append(pattern)
        if draw.random() < 0.4:
            words.append(b"&*")
        elif draw.random() < 0.7:
            words.append(b"&" + draw.choice(CHANNELS[1:]))
        if self.databases and draw.random() < 0.5:
            words.append(draw.choice((b"db=0", b"db=1,2", b"db=0,1", b"alldbs", b"resetdbs", b"db=0,1,2")))
        return words

    def command_rule(self):
        sign = self.random.choice((b"+", b"+", b"+", b"-"))
        kind = self.random.random()
        if kind < 0.35:
            return sign + b"@" + self.random.choice(self.categories)
        if kind < 0.4:
            return self.random.choice(FIRST_ARGUMENTS)
        return sign + self.random.choice(self.both)

    def request(self):
        """A command that may be run, or (the second value is False) only words of the right number."""
        if self.random.random() < 0.7:
            known, argv = self.draw.command()
            argv = [word[:60] for word in argv]
            return known.name, argv, known.name not in NOT_RUN and not self.flags[
                known.name.encode()] & declarations.BLOCKING
        name = self.random.choice(self.both)
        words = name.upper().split(b"|")
        arity = self.arity[name]
        number = abs(arity) - len(words) + (self.random.randrange(3) if arity < 0 else 0)
        return name.decode(), words + [self.random.choice((b"string:1", b"set:0", b"1", b"0", b"ch1", b"DB"))
                                       for _ in range(number)], False

    # --- asking

    def call_all(self, client, requests):
        return client.pipeline(requests)

    def round(self):
        """One user, and many commands in one of the databases."""
        rules = self.rules()
        made = [client.call("ACL", "SETUSER", "u", *rules) for client in self.clients]
        if isinstance(made[0], Error) or isinstance(made[1], Error):
            if made[0] != made[1]:
                self.find(rules, (), made)
            return
        database = str(self.random.randrange(DATABASES))
        for client in self.clients:
            client.call("SELECT", database)
        for words in (("AUTH", "default", "x"), ("SELECT", database), ("AUTH", "u", "x")):
            self.user.call(*words)
        requests = [self.request() for _ in range(COMMANDS_OF_A_USER)]
        asked = [(b"ACL", b"DRYRUN", b"u", *argv) for _, argv, _ in requests]
        ours, theirs = [self.call_all(client, asked) for client in self.clients]
        for (name, argv, _), mine, other in zip(requests, ours, theirs, strict=True):
            self.count += 1
            self.denied += decision(mine) not in ("OK", "error")
            decisions = decision(mine), decision(other)
            # What only one of them refuses for its arguments is a matter of versions; a pattern of stars alone does not
            # match the empty name there.
            if decisions[0] != decisions[1] and name not in LOOSE and "error" not in decisions and b"" not in argv:
                self.find(rules, argv, (mine, other), database)
        self.run_here(rules, [(name, argv, mine) for (name, argv, runs), mine in zip(requests, ours, strict=True)
                              if runs and decision(mine) != "error"], database)

    def run_here(self, rules, requests, database):
        """The user does what it was said to be allowed, and what not."""
        replies = self.call_all(self.user, [argv for _, argv, _ in requests])
        for (name, argv, said), reply in zip(requests, replies, strict=True):
            self.run += 1
            refused = isinstance(reply, Error) and REFUSED.match(reply) is not None
            allowed = decision(said) == "OK"
            if refused == allowed and not (refused and name in ("sort", "sort_ro")):
                self.find(rules, argv, (said, reply), database)

    def find(self, rules, argv, replies, database=""):
        words = [" ".join(map(printable, part)) for part in (rules, argv)]
        self.findings.append(f"{words[0]}\n    db{database}> {words[1]}\n    {replies[0]!r}\n    {replies[1]!r}")
