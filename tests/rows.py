r"""Cases as rows of (command, expected reply), run on fastredis and on a real server, in RESP2 and RESP3.

    CASES = {
        "INCRBY creates the key": [("INCRBY k 5", 5), ("TTL k", -1)],
        "SET PX expires": [("SET k v PX 20", OK), Advance(30), ("GET k", None)],
        "COPY has a DB option": Case([...], since="6.2"),
    }

    def test_rows(row_case):
        row_case.check()

A command is a string with redis-cli's quoting ("\x00"), or a tuple of str and bytes, or Raw(bytes). It goes over
connection 1 unless it begins with @2, @3, ...; `@2 <` sends nothing and reads one more frame. A word `$id` stands
for the reply that a Save("id") has kept.

What a reply must be, its RESP type included:

    5  1.5  b"v" or "v" (bulk)  OK or Status("x")  Error("ERR ...")  None  NIL_ARRAY  True  [..]  {..: ..}
    {"a", "b"} or Set([..])         a set, in any order
    Push([..]), Verbatim(b"..")     a plain array or bulk string in RESP2, as are maps, sets, floats and booleans
    R3(resp2, resp3)                where the two differ in another way
    Any() Unordered([..]) Between(a, b) Matching(regex) Holding(..) Save(name) Saved(name)    what may differ
    NOTHING (no frame is read)  BLOCKS (the client now waits)  CLOSED (the connection ends)

Each case begins with an empty keyspace on new connections; settings changed by CONFIG SET are put back. A reply
without a matcher must also be the same, byte for byte, on both servers.
"""
import dataclasses
import re
import time
from dataclasses import dataclass

import pytest

from tests.resp import NIL_ARRAY, Closed, Error, Push, Set, Status, Verbatim, encode, split
from tests.servers import NO_PEER

OK = Status("OK")
QUEUED = Status("QUEUED")
PONG = Status("PONG")
WRONGTYPE = Error("WRONGTYPE Operation against a key holding the wrong kind of value")
NOT_INTEGER = Error("ERR value is not an integer or out of range")
NOT_FLOAT = Error("ERR value is not a valid float")
SYNTAX = Error("ERR syntax error")
NO_KEY = Error("ERR no such key")
NOT_POSITIVE = Error("ERR value is out of range, must be positive")
NUMKEYS_TOO_SMALL = Error("ERR numkeys should be greater than 0")
COUNT_TOO_SMALL = Error("ERR count should be greater than 0")
NEGATIVE_LIMIT = Error("ERR LIMIT can't be negative")
BAD_CURSOR = Error("ERR invalid cursor")
NOT_A_TIMEOUT = Error("ERR timeout is not a float or out of range")
NEGATIVE_TIMEOUT = Error("ERR timeout is negative")
TIMEOUT_TOO_LONG = Error("ERR timeout is out of range")
UNBLOCKED = Error("UNBLOCKED client unblocked via CLIENT UNBLOCK")

NOTHING = object()
BLOCKS = object()
CLOSED = object()

LONGEST_SLEEP_MS = 300
BLOCK_SECONDS = 5


def wrong_args(command):
    """The error of a wrong number of arguments; subcommands are written config|get."""
    return Error(f"ERR wrong number of arguments for '{command}' command")


def bad_expire(command):
    """The error of an expire time that is out of range."""
    return Error(f"ERR invalid expire time in '{command}' command")


@dataclass(frozen=True)
class Case:
    """Rows with conditions: `since` the real server must be that new, `peer` why it cannot run these rows at all."""

    rows: list
    since: str | None = None
    peer: str | None = None
    resp: tuple = (2, 3)

    def why_not_on(self, peer):
        """The reason why the given Peer does not run this case, or None."""
        if self.peer:
            return self.peer
        if self.since and not peer.has(self.since):
            return f"needs {self.since}, the peer is {peer}"
        longest = max((row.ms for row in self.rows if isinstance(row, Advance)), default=0)
        if longest > LONGEST_SLEEP_MS:
            return f"the peer would have to sleep {longest} ms"
        return None

    def settings(self):
        """The names of the settings that the rows change."""
        words = [command_words(row[0])[1] for row in self.rows if isinstance(row, tuple)]
        names = [argv[2::2] for argv in words if [word.lower() for word in argv[:2]] == [b"config", b"set"]]
        return sorted({name.decode("latin1").lower() for group in names for name in group})


def in_each(cases, settings, **conditions):
    """Each case once for each named list of rows that goes before its own; `conditions` are those of Case."""
    found = {}
    for name, given in cases.items():
        case = given if isinstance(given, Case) else Case(given)
        for setting, rows in settings.items():
            found[f"{name}, {setting}"] = dataclasses.replace(case, rows=[*rows, *case.rows], **conditions)
    return found


def listen(connection=2, classes="EA"):
    """The rows with which a connection begins to listen to events; see event() and heard()."""
    return [(f"CONFIG SET notify-keyspace-events {classes}", OK),
            (f"@{connection} PSUBSCRIBE *", Push(["psubscribe", "*", 1]))]


def event(name, key, db=0, connection=2):
    """The row that reads an event."""
    return f"@{connection} <", Push(["pmessage", "*", f"__keyevent@{db}__:{name}", key])


def heard(*events):
    """The rows that read these events, each written "name key", and no others."""
    return [*(event(*text.split()) for text in events),
            ("PUBLISH end x", 1), ("@2 <", Push(["pmessage", "*", "end", "x"]))]


def score(text):
    """A score: a bulk string in RESP2, a double in RESP3."""
    return R3(text, float(text))


def fields(pairs, key="h"):
    """The row that reads a whole hash, its fields in any order."""
    return f"HGETALL {key}", Unordered(pairs)


@dataclass(frozen=True)
class Advance:
    """A step that moves the clock of fastredis; the peer really sleeps."""

    ms: int


@dataclass(frozen=True)
class Raw:
    """Bytes that are sent as they are over the given connection."""

    data: bytes
    connection: str = "1"


@dataclass(frozen=True)
class R3:
    """An expectation that depends on the protocol."""

    resp2: object
    resp3: object


class Matcher:
    """An expectation that more than one reply satisfies."""

    def accepts(self, reply, context):
        raise NotImplementedError


@dataclass(frozen=True)
class Any(Matcher):
    """Any reply, or any of one Python type of tests.resp."""

    kind: type = object

    def accepts(self, reply, context):
        return isinstance(reply, self.kind)


@dataclass(frozen=True)
class Unordered(Matcher):
    """An array (or a RESP3 set) of these items, or a map of these pairs, in any order."""

    items: list | dict

    def accepts(self, reply, context):
        if isinstance(self.items, dict):
            if context.protocol == 2 and isinstance(reply, list):
                reply = dict(zip(reply[::2], reply[1::2], strict=True))
            return isinstance(reply, dict) and _same_pairs(self.items, reply, context)
        if not isinstance(reply, list) or len(reply) != len(self.items):
            return False
        rest = list(self.items)
        for item in reply:
            found = next((at for at, wanted in enumerate(rest) if not difference(wanted, item, context)), None)
            if found is None:
                return False
            del rest[found]
        return True


@dataclass(frozen=True)
class Between(Matcher):
    """An integer (or a number in a bulk string) with low <= it <= high."""

    low: float
    high: float

    def accepts(self, reply, context):
        try:
            return self.low <= float(reply) <= self.high
        except (TypeError, ValueError):
            return False


@dataclass(frozen=True)
class Matching(Matcher):
    """A text (status, error, bulk, verbatim) in which the regular expression matches as a whole."""

    pattern: str

    def accepts(self, reply, context):
        text = reply.decode("latin1") if isinstance(reply, bytes) else reply
        return isinstance(text, str) and re.fullmatch(self.pattern, text, re.DOTALL) is not None


class Holding(Matcher):
    """A collection with these items among others, or a text with these parts."""

    def __init__(self, *items):
        self.items = items

    def __repr__(self):
        return f"Holding{self.items!r}"

    def accepts(self, reply, context):
        if isinstance(reply, (bytes, str)):
            text = reply.decode("latin1") if isinstance(reply, bytes) else reply
            return all(item in text for item in self.items)
        if not isinstance(reply, (list, dict)):
            return False
        return all(any(not difference(wanted, item, context) for item in reply) for wanted in self.items)


@dataclass(frozen=True)
class Save(Matcher):
    """Any reply; it is kept under the name."""

    name: str

    def accepts(self, reply, context):
        context.saved[self.name] = reply
        return not isinstance(reply, Error)


@dataclass(frozen=True)
class Saved(Matcher):
    """The reply kept under the name."""

    name: str

    def accepts(self, reply, context):
        return context.saved[self.name] == reply


def is_exact(expected):
    """True if only one sequence of bytes can satisfy the expectation."""
    if isinstance(expected, R3):
        return is_exact(expected.resp2) and is_exact(expected.resp3)
    if isinstance(expected, dict):
        return all(map(is_exact, expected.values()))
    if isinstance(expected, list) and not isinstance(expected, Set):
        return all(map(is_exact, expected))
    return not isinstance(expected, (Matcher, set, Set)) and not callable(expected)


def difference(expected, reply, context):
    """What is wrong with the reply -> a sentence, or "" if it is as expected."""
    if isinstance(expected, R3):
        expected = expected.resp3 if context.protocol == 3 else expected.resp2
    if isinstance(expected, Matcher):
        right = expected.accepts(reply, context)
    elif isinstance(expected, dict) and context.protocol == 2:
        expected = [part for pair in expected.items() for part in pair]
        return difference(expected, reply, context)
    elif isinstance(expected, (set, Set)):
        kind = Set if context.protocol == 3 else list
        right = type(reply) is kind and Unordered(list(expected)).accepts(reply, context)
    elif isinstance(expected, dict):
        right = type(reply) is dict and _same_pairs(expected, reply, context)
    elif isinstance(expected, list):
        kind = Push if isinstance(expected, Push) and context.protocol == 3 else list
        right = type(reply) is kind and len(reply) == len(expected) and not any(
            difference(wanted, item, context) for wanted, item in zip(expected, reply, strict=True))
    elif callable(expected):
        right = expected(reply)
    else:
        right = _same_scalar(expected, reply, context.protocol)
    return "" if right else f"replied {reply!r:.600}, expected {expected!r:.600}"


def _same_pairs(expected, reply, context):
    wanted = {key.encode() if type(key) is str else key: value for key, value in expected.items()}
    return wanted.keys() == reply.keys() and not any(
        difference(value, reply[key], context) for key, value in wanted.items())


def _same_scalar(expected, reply, protocol):
    if expected is NIL_ARRAY:
        return reply is (NIL_ARRAY if protocol == 2 else None)
    if protocol == 2 and isinstance(expected, float):
        return type(reply) is bytes and float(reply) == expected
    if protocol == 2 and isinstance(expected, (bool, Verbatim)):
        expected = int(expected) if isinstance(expected, bool) else bytes(expected)
    if type(expected) is str:
        expected = expected.encode()
    return type(reply) is type(expected) and reply == expected


def command_words(command):
    """A row's command -> (connection, list of bytes); the list is [] for Raw."""
    if isinstance(command, Raw):
        return command.connection, []
    if isinstance(command, str):
        words = split(command)
    else:
        words = [word if isinstance(word, bytes) else str(word).encode() for word in command]
    if words and re.fullmatch(rb"@\d", words[0]):
        return words[0][1:].decode(), words[1:]
    return "1", words


class Target:
    """A running server with a connection of its own for what surrounds a case: cleaning, settings, the clock."""

    def __init__(self, server):
        self.server = server
        self.control = server.client()

    def ask(self, *argv):
        """A command on the control connection -> its reply. Errors: AssertionError for an error reply."""
        reply = self.control.call(*argv)
        assert not isinstance(reply, Error), f"{self.server.kind}: {argv} -> {reply}"
        return reply

    def begin(self, case):
        """Empty the server, and freeze the clock if the case moves it -> the settings to put back."""
        self.ask("FLUSHALL")
        if self.moves_clock(case):
            self.ask("DEBUG", "CLOCK", "FREEZE")
        return {name: self.ask("CONFIG", "GET", name) for name in case.settings()}

    def end(self, case, settings):
        for name, before in settings.items():
            if before != self.ask("CONFIG", "GET", name):
                self.ask("CONFIG", "SET", *before)
        if self.moves_clock(case):
            self.ask("DEBUG", "CLOCK", "RELEASE")

    def moves_clock(self, case):
        return self.server.kind == "fastredis" and any(isinstance(row, Advance) for row in case.rows)

    def advance(self, ms):
        if self.server.kind == "fastredis":
            self.ask("DEBUG", "CLOCK", "ADVANCE", ms)
        else:
            time.sleep(ms / 1000)

    def wait_until_blocked(self, count):
        give_up = time.monotonic() + BLOCK_SECONDS
        while f"blocked_clients:{count}\r\n".encode() not in self.ask("INFO", "clients"):
            assert time.monotonic() < give_up, f"{self.server.kind}: {count} clients are not blocked"
            time.sleep(0.001)


class Run:
    """One run of one case on one server in one protocol: its connections, kept replies and raw frames."""

    def __init__(self, target, case, protocol):
        self.target = target
        self.case = case
        self.protocol = protocol
        self.saved = {}
        self.clients = {}
        self.frames = []
        self.waiting = set()

    def check(self):
        """Run every row; stop at the first that differs -> the raw frames. Errors: AssertionError."""
        settings = self.target.begin(self.case)
        try:
            self.client("1")
            for number, row in enumerate(self.case.rows, 1):
                problem = self.step(row)
                if problem:
                    raise AssertionError(
                        f"{self.target.server.kind}, RESP{self.protocol}, row {number}: {row[0]!r:.300}\n  {problem}")
        finally:
            for client in self.clients.values():
                client.close()
            self.target.end(self.case, settings)
        return self.frames

    def client(self, name):
        if name not in self.clients:
            self.clients[name] = self.target.server.client(protocol=self.protocol)
        return self.clients[name]

    def step(self, row):
        if isinstance(row, Advance):
            self.target.advance(row.ms)
            return ""
        command, expected = row
        client = self.send(command)
        if expected is NOTHING:
            return ""
        name = command_words(command)[0]
        if expected is BLOCKS:
            self.waiting.add(name)
            self.target.wait_until_blocked(len(self.waiting))
            return ""
        self.waiting.discard(name)
        try:
            reply = client.read()
        except (Closed, ConnectionError):
            return "" if expected is CLOSED else f"closed the connection, expected {expected!r:.600}"
        except TimeoutError:
            return f"did not reply, expected {expected!r:.600}"
        if expected is CLOSED:
            return f"replied {reply!r}, expected the end of the connection"
        self.frames.append(client.raw if is_exact(expected) else None)
        return difference(expected, reply, self)

    def send(self, command):
        name, words = command_words(command)
        client = self.client(name)
        if isinstance(command, Raw):
            client.send_raw(command.data)
        elif words != [b"<"]:
            client.send_raw(encode(*[self.replaced(word) for word in words]))
        return client

    def replaced(self, word):
        return self.saved.get(word[1:].decode("latin1"), word) if word[:1] == b"$" else word


class RowCase:
    """A case of a file on one server kind and protocol; check() is the test."""

    def __init__(self, session, key, case, kind, protocol, peer):
        self.session = session
        self.key = key
        self.case = case
        self.kind = kind
        self.protocol = protocol
        self.peer = peer                # the Peer that the case runs on, or None

    def check(self):
        if self.kind == "peer":
            self.session.peer_run(self.key, self.case, self.protocol, self.peer)
            return
        ours = Run(self.session.target("fastredis"), self.case, self.protocol).check()
        if self.peer is None:
            return
        try:
            theirs = self.session.peer_run(self.key, self.case, self.protocol, self.peer)
        except AssertionError:
            return  # the same case on the peer is a test of its own and fails there
        for number, (our, their) in enumerate(zip(ours, theirs, strict=True), 1):
            assert our == their, f"frame {number}: fastredis sent {our!r:.600}, {self.peer} sent {their!r:.600}"


def row_params(cases, peer, newer=()):
    """A file's CASES -> pytest parameters, one for each case, server kind and protocol.

    What the Peer is too old for runs on the first of the `newer` ones that is not.
    """
    params = []
    for name, given in cases.items():
        case = given if isinstance(given, Case) else Case(given)
        reasons = [(each, case.why_not_on(each)) for each in filter(None, (peer, *newer))]
        able = next((each for each, reason in reasons if reason is None), None)
        for kind in ("fastredis", "peer") if reasons else ("fastredis",):
            marks = [pytest.mark.skip(reason=reasons[0][1])] if kind == "peer" and able is None else []
            params += [pytest.param((name, case, kind, protocol, able), id=f"{kind}-resp{protocol}-{name}", marks=marks)
                       for protocol in case.resp]
    return params


class RowSession:
    """What all row tests share: one server of each kind, and what the peers have answered already.

    peer: the Peer that "peer" stands for, or None; start(peer) -> a server, fastredis for None.
    """

    def __init__(self, peer, start):
        self.peer = peer
        self.start = start
        self.targets = {}
        self.failed = {}
        self.peer_runs = {}

    def target(self, kind):
        """The Target of "fastredis", "peer" or a Peer, started when first asked for; a failed start is not repeated."""
        peer = {"fastredis": None, "peer": self.peer}.get(kind, kind)
        if kind == "peer" and peer is None:
            pytest.skip(NO_PEER)
        if peer in self.failed:
            pytest.fail(self.failed[peer], pytrace=False)
        target = self.targets.get(peer)
        if target is None or target.server.process.poll() is not None:
            if target:
                target.server.stop()
            try:
                target = self.targets[peer] = Target(self.start(peer))
            except RuntimeError as error:
                self.failed[peer] = str(error)
                pytest.fail(str(error), pytrace=False)
        return target

    def peer_run(self, key, case, protocol, peer):
        """The raw frames of a Peer for a case, from memory if it ran before. Errors: AssertionError, then as well."""
        place = (*key, protocol)
        if place not in self.peer_runs:
            try:
                self.peer_runs[place] = Run(self.target(peer), case, protocol).check()
            except AssertionError as error:
                self.peer_runs[place] = error
        if isinstance(self.peer_runs[place], AssertionError):
            raise self.peer_runs[place]
        return self.peer_runs[place]

    def stop(self):
        for target in self.targets.values():
            target.control.close()
            target.server.stop()


__all__ = [
    "BAD_CURSOR", "BLOCKS", "CLOSED", "COUNT_TOO_SMALL", "NEGATIVE_LIMIT", "NEGATIVE_TIMEOUT", "NIL_ARRAY", "NOTHING",
    "NOT_A_TIMEOUT", "NOT_FLOAT", "NOT_INTEGER", "NOT_POSITIVE", "NO_KEY", "NUMKEYS_TOO_SMALL", "OK", "PONG",
    "QUEUED", "R3", "SYNTAX", "TIMEOUT_TOO_LONG", "UNBLOCKED", "WRONGTYPE", "Advance", "Any", "Between", "Case",
    "Error", "Holding", "Matching", "Push", "Raw", "Save", "Saved", "Set", "Status", "Unordered", "Verbatim",
    "bad_expire", "event", "fields", "heard", "in_each", "listen", "score", "wrong_args",
]
