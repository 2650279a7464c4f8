"""Steps on two servers at once: run them, compare all replies and the data, shrink what differs.

A step is (connection, argv). Connections 0 and 1 speak RESP2 and RESP3; consecutive steps of one are sent in one
write. 2 and 3 (RESP2 and RESP3) subscribe to channels; what they got is compared after each batch of others. On 4 and
5 commands wait: a step is over when the command is answered or waits; WAKE ends all waiting. INLINE sends its one
argument, a line, over a connection of its own. So any part of a sequence of steps can be run as well: shrinking
needs that.
"""
import re
import time

from tests.differential.alike import frames, parse
from tests.resp import NIL_ARRAY, Error, encode

SUBSCRIBERS, WAITERS, INLINE = (2, 3), (4, 5), 6
WAKE = (WAITERS[0], ())
TIMEOUT_SECONDS = 60
LONGEST_BATCH = 400
QUEUED = b"+QUEUED\r\n"
UNCOUNTED = {b"SUBSCRIBE", b"UNSUBSCRIBE", b"PSUBSCRIBE", b"PUNSUBSCRIBE", b"SSUBSCRIBE", b"SUNSUBSCRIBE"}
DATABASES = range(3)
CONTENT = {"string": ("GET",), "list": ("LRANGE", "0", "-1"), "set": ("SMEMBERS",), "hash": ("HGETALL",),
           "zset": ("ZRANGE", "0", "-1", "WITHSCORES"), "stream": ("XRANGE", "-", "+")}
COUNTERS = ("keyspace_hits", "keyspace_misses")


class Hang(Exception):
    """A server that does not answer."""


class Finding(Exception):
    """A difference: the command, both replies, and a signature that tells kinds of differences apart."""

    def __init__(self, name, argv, mine, other):
        super().__init__(name)
        self.name, self.argv, self.mine, self.other = name, argv, mine, other

    @property
    def signature(self):
        return self.name, kind(self.mine), kind(self.other)

    def __str__(self):
        words = " ".join(printable(word) for word in self.argv)
        return f"{words[:1500]}\n    fastredis {self.mine!r:.700}\n    peer      {self.other!r:.700}"


def kind(value):
    """What sort of reply it is: the text of an error without its particulars, or the type."""
    if isinstance(value, Error):
        return re.sub(r"'[^']*'|\d+", "_", value)[:80]
    if isinstance(value, bytes) and value.isalpha():
        return value
    return "nil" if value is None or value is NIL_ARRAY else type(value).__name__


def printable(word):
    """A word as redis-cli would want it."""
    text = word.decode("latin1")
    if re.fullmatch(r"[!#-&(-\[\]-~]+", text):
        return text
    return '"' + "".join(c if " " <= c <= "~" and c not in '"\\' else f"\\x{ord(c):02x}" for c in text) + '"'


class Cleaning(tuple):
    """A command that only removes what is not to be compared; its reply does not matter."""

    __slots__ = ()


class Both:
    """One connection to each server, which get the same bytes."""

    marks = 0

    def __init__(self, servers, protocol):
        self.protocol = protocol
        self.clients = [server.client(timeout=TIMEOUT_SECONDS, protocol=protocol) for server in servers]
        self.idents = self.call("CLIENT", "ID")

    def close(self):
        for client in self.clients:
            client.close()

    def send(self, data):
        for client in self.clients:
            client.socket.sendall(data)

    def call(self, *argv):
        self.send(encode(*argv))
        return [client.read() for client in self.clients]

    def blobs(self, data):
        """Send the bytes and PING -> all that comes from each server before PING's answer."""
        Both.marks += 1
        mark = b"%010dM" % Both.marks
        self.send(data + encode("PING", mark))
        return [self.until(client, mark) for client in self.clients]

    @staticmethod
    def until(client, mark):
        """The bytes up to the answer that ends with the mark; those that are left belong to nobody.

        Errors: ConnectionError at the end of the stream, with what came before it in `args`.
        """
        end = b"$%d\r\n%s\r\n" % (len(mark), mark)
        chunks, tail = [client.buffer[client.position:]], b""
        client.buffer, client.position = b"", 0
        while not tail.endswith(end):
            try:
                chunk = client.socket.recv(1 << 18)
            except TimeoutError:
                raise Hang(b"".join(chunks)) from None
            if not chunk:
                raise ConnectionError(b"".join(chunks))
            chunks.append(chunk)
            tail = (tail + chunk)[-len(end):]
        whole = b"".join(chunks)[:-len(end)]
        # A RESP2 client with subscriptions gets an array, in which the mark comes second.
        return whole.removesuffix(b"*2\r\n$4\r\npong\r\n")


class Run:
    """One run of steps on both servers, which begin empty. Errors: Finding; `steps` are those done up to there."""

    def __init__(self, servers, alike, settings=(), passed=()):
        self.servers, self.alike = servers, alike
        self.passed = passed                # signatures of findings that do not end the run
        self.steps = []                     # done so far
        self.connections = {}
        self.listening = set()
        self.waiting = {}                   # command whose reply is not read, by connection
        self.control = Both(servers, 3)
        self.control.call("FLUSHALL")
        self.control.call("CONFIG", "RESETSTAT")
        self.counters = alike.counts
        for name, value in settings:
            self.control.call("CONFIG", "SET", name, value)

    def __enter__(self):
        return self

    def __exit__(self, *exc_info):
        for both in (self.control, *self.connections.values()):
            both.close()

    def connection(self, number):
        if number not in self.connections:
            self.connections[number] = Both(self.servers, 3 if number % 2 else 2)
        return self.connections[number]

    def run(self, steps):
        """Run the steps, in batches of one connection."""
        batch, now = [], None
        for number, argv in steps:
            counted = number in (0, 1) and not (argv and argv[0].upper() in UNCOUNTED)
            if batch and (number != now or not counted or len(batch) >= LONGEST_BATCH):
                self.batch(now, batch)
                batch = []
            now = number
            if counted:
                batch.append(argv)
                continue
            self.steps.append((number, argv))
            if number == INLINE:
                self.inline(argv)
            elif number in WAITERS:
                self.wait(number, argv)
            else:
                self.subscribe(number, argv)
        if batch:
            self.batch(now, batch)

    # --- the kinds of steps ---

    def batch(self, number, commands):
        both = self.connection(number)
        if opens(commands):
            commands = [*commands, (b"EXEC",)]
        self.steps += [(number, argv) for argv in commands]
        commands = [each for argv in commands for each in (argv, *self.emptied(argv))]
        try:
            mine, other = both.blobs(b"".join(encode(*argv) for argv in commands))
        except Hang as error:
            raise Finding("no answer", commands[len(frames(error.args[0]))], error.args[0][-100:], None) from error
        if mine != other:
            self.compare(commands, mine, other)
        self.listen(number)

    def emptied(self, argv):
        """What removes the keys that a command left to chance: the data would not be the same from then on."""
        keys = self.alike.random_keys(argv) if argv else []
        return [Cleaning((b"DEL", *keys))] if keys else []

    def inline(self, argv):
        both = Both(self.servers, 2)
        try:
            Both.marks += 1
            mark = b"%010dM" % Both.marks
            rest = [*self.emptied(argv[1:]), (b"EXEC",), (b"PING", mark)]
            both.send(argv[0] + b"\r\n" + b"".join(encode(*each) for each in rest))
            blobs = []
            for client in both.clients:
                try:
                    blobs.append(both.until(client, mark))
                except ConnectionError as error:
                    blobs.append(error.args[0] + b"(closed)" if error.args else b"(closed)")
        finally:
            both.close()
        if blobs[0] == blobs[1]:
            return
        pair = [frames(blob) if b"(closed)" not in blob else [blob] for blob in blobs]
        if len(pair[0]) == len(pair[1]) > 1 and pair[0][1:] == pair[1][1:]:
            self.compare_replies([], argv[1:], parse(pair[0][0]), parse(pair[1][0]))
        else:
            raise Finding("inline", argv, *blobs)

    def subscribe(self, number, argv):
        """A command of a connection that has subscriptions: all that comes must be the same, or as many frames."""
        both = self.connection(number)
        self.listening.add(number)
        mine, other = both.blobs(encode(*argv))
        # UNSUBSCRIBE from all: the channels are in no order, and each is told with the number of those left.
        if mine != other and not (len(argv) == 1 and len(frames(mine)) == len(frames(other))):
            raise Finding("subscriber", argv, mine, other)
        self.listen(number)

    def listen(self, number):
        """What the subscribers got must be the same."""
        for each in self.listening - {number}:
            mine, other = map(in_order, self.connection(each).blobs(b""))
            if mine != other:
                raise Finding("messages", self.steps[-1][1], *first_difference(mine, other))

    def wait(self, number, argv):
        """A command that may wait; the empty one, or another of this connection, ends all waiting."""
        if not argv or number in self.waiting:
            self.wake()
        if not argv:
            return
        both = self.connection(number)
        self.waiting[number] = argv
        both.send(encode(*argv))
        for client, control, ident in zip(both.clients, self.control.clients, both.idents, strict=True):
            give_up = time.monotonic() + TIMEOUT_SECONDS
            while not client.pending(0.0005) and time.monotonic() < give_up:
                if b" flags=b" in control.call("CLIENT", "LIST", "ID", ident):
                    break

    def wake(self):
        """End the waiting and compare the replies."""
        while self.waiting:
            number, argv = self.waiting.popitem()
            both = self.connection(number)
            for control, ident in zip(self.control.clients, both.idents, strict=True):
                control.call("CLIENT", "UNBLOCK", ident)
            mine, other = both.blobs(b"")
            if mine != other:
                self.compare([argv], mine, other)

    # --- comparing ---

    def compare(self, commands, mine, other):
        """Compare two runs of replies that are not the same bytes. Errors: Finding."""
        mine, other = frames(mine), frames(other)
        places = [[at for at, raw in enumerate(each) if raw[:1] == b">"] for each in (mine, other)]
        if places[0] or places[1]:
            pushes = [in_order(b"".join(raw for raw in each if raw[:1] == b">")) for each in (mine, other)]
            if pushes[0] != pushes[1]:
                raise Finding("pushes", commands[-1], *first_difference(*pushes))
            if places[0] != places[1]:
                raise Finding("place of pushes", commands[-1], *places)
            mine, other = ([raw for raw in each if raw[:1] != b">"] for each in (mine, other))
        queued = []
        for argv, raw, peer_raw in zip(commands, mine, other, strict=False):
            if raw != peer_raw:
                self.compare_replies(queued, argv, parse(raw), parse(peer_raw))
            if raw == QUEUED:
                queued.append(argv)
            elif argv[:1] and argv[0].upper() in (b"EXEC", b"DISCARD", b"RESET"):
                queued = []
        if len(mine) != len(other) or len(mine) != len(commands):
            raise Finding("number of replies", commands[-1], len(mine), len(other))

    def compare_replies(self, queued, argv, mine, other):
        """Two parsed replies: of EXEC, if `queued` are the commands of its transaction. Errors: Finding."""
        if isinstance(argv, Cleaning):
            return
        if queued and type(mine) is type(other) is list and len(mine) == len(other) == len(queued):
            for command, *replies in zip(queued, mine, other, strict=True):
                self.compare_replies([], command, *replies)
        elif not self.alike.same(argv, mine, other):
            finding = Finding(self.alike.name(argv), argv, mine, other)
            if finding.signature not in self.passed:
                raise finding
        elif isinstance(mine, Error) != isinstance(other, Error) or (
                isinstance(mine, Error) and self.alike.name(argv) in self.alike.uncounted):
            self.counters = False               # only one of the servers has looked for keys

    def compare_data(self):
        """Compare every key of every database: type, deadline, encoding, content. Errors: Finding."""
        self.wake()
        if self.counters:
            self.compare_counters()
        for db in DATABASES:
            self.ask([("SELECT", str(db))])
            keys = [sorted(names) for names in self.control.call("KEYS", "*")]
            if keys[0] != keys[1]:
                missing = (sorted(set(keys[0]) - set(keys[1])), sorted(set(keys[1]) - set(keys[0])))
                raise Finding("keys", (b"KEYS", b"of db %d" % db), *missing)
            types = self.ask([("TYPE", key) for key in keys[0]])
            commands = []
            for key, value_type in zip(keys[0], types, strict=True):
                content, *rest = CONTENT[str(value_type)]
                commands += [("PEXPIRETIME", key), ("OBJECT", "ENCODING", key), (content, key, *rest)]
                if str(value_type) == "stream":
                    commands.append(("XINFO", "STREAM", key, "FULL", "COUNT", "0"))
            self.ask(commands)
        self.ask([("SELECT", "0")])

    def ask(self, commands):
        """Commands on the control connections, whose replies must be alike -> those of fastredis."""
        replies = []
        argvs = [tuple(word if isinstance(word, bytes) else word.encode() for word in argv) for argv in commands]
        self.control.send(b"".join(encode(*argv) for argv in argvs))
        pairs = [[client.read() for client in self.control.clients] for _ in argvs]
        for argv, (mine, other) in zip(argvs, pairs, strict=True):
            if not self.alike.same(argv, mine, other):
                raise Finding(f"data {self.alike.name(argv)}", argv, mine, other)
            replies.append(mine)
        return replies

    def compare_counters(self):
        found = [[re.search(rf"\r\n{name}:(\d+)".encode(), text)[1] for name in COUNTERS]
                 for text in self.control.call("INFO", "stats")]
        if found[0] != found[1]:
            raise Finding("counters", (b"INFO", b"stats"), *found)


def opens(commands):
    """Whether these commands leave a transaction open."""
    opened = False
    for argv in commands:
        name = argv[0].upper() if argv else b""
        if name == b"MULTI":
            opened = True
        elif len(argv) == 1 and name in (b"EXEC", b"DISCARD", b"RESET"):
            opened = False
    return opened


def in_order(blob):
    """The messages of a subscriber; those by pattern, which come in no order of their own, after the others."""
    found = frames(blob)
    by_pattern = [raw for raw in found if b"\r\n$8\r\npmessage\r\n" in raw[:20]]
    return [raw for raw in found if raw not in by_pattern] + sorted(by_pattern)


def first_difference(mine, other):
    """The first items of two lists that are not the same; None stands for what one of them does not have."""
    for at in range(max(len(mine), len(other))):
        pair = [each[at] if at < len(each) else None for each in (mine, other)]
        if pair[0] != pair[1]:
            return pair
    return None, None


def outcome(servers, alike, settings, steps, passed=()):
    """The Finding of these steps on empty servers, or None."""
    try:
        with Run(servers, alike, settings, passed) as run:
            run.run(steps)
            run.compare_data()
    except Finding as finding:
        return finding
    return None


def shrink(servers, alike, settings, steps, finding, passed, budget_seconds=60):
    """The shortest steps with a finding of the same signature -> (steps, finding); None: it does not come again."""
    def again(some):
        found = outcome(servers, alike, settings, some, passed - {finding.signature})
        return found if found and found.signature == finding.signature else None

    best = again(steps)
    if best is None:
        return None
    give_up = time.monotonic() + budget_seconds
    size = max(len(steps) // 2, 1)
    while size and time.monotonic() < give_up:
        at, shorter = len(steps), False
        while at > 0 and time.monotonic() < give_up:
            at -= size
            rest = steps[:max(at, 0)] + steps[at + size:]
            found = again(rest)
            if found:
                steps, best, shorter = rest, found, True
        if not (shorter and size == 1):
            size //= 2
    return steps, best
