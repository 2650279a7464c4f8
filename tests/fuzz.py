"""Fuzzing a server: random bytes, random commands, and random commands compared with a real redis-server.

    python -m tests.fuzz --seconds 60             start a fastredis, and a redis-server if there is one
    python -m tests.fuzz --port 6379 --seed 7     use the server that runs there; its data is deleted!

Three parts take turns: `bytes` (mutated frames, half requests, disconnects), `commands` (every command of COMMAND LIST
with arguments drawn at random: the replies must be well-formed and as many as there were commands) and `compare`
(pipelines of nearly valid commands: the replies must be those of redis-server, byte by byte, and so must be the
keyspaces afterwards). A finding is printed with the seed of its round, which --seed reproduces, and makes the exit
status 1: no answer, a malformed or a different reply, memory that does not come back, a "Bug:" in the server's log.
"""
import argparse
import contextlib
import random
import re
import sys
import time

from tests.resp import Client, Closed, Error, Push, encode
from tests.servers import fastredis_server, find_peer, peer_server

TIMEOUT_SECONDS = 60
LEAK_BYTES = 16384
DAY_MS = 86_400_000
# They end or stall the server, move it elsewhere, close the door, or wait for ever.
TABOO = ("shutdown", "debug", "config|set", "config|rewrite", "client|pause", "wait", "waitaof")
# After these the number of replies cannot be told from the number of commands, or there is none.
UNCOUNTED = ("subscribe", "unsubscribe", "psubscribe", "punsubscribe", "ssubscribe", "sunsubscribe", "client|reply",
             "client|kill", "client|unblock", "quit", "reset")
NUMBERS = (b"0", b"-1", b"1", b"2", b"7", b"100", b"2147483647", b"-2147483648", b"4294967295", b"9223372036854775807",
           b"-9223372036854775808", b"9223372036854775808", b"18446744073709551616", b"1" * 40)
ODD = (b"", b" ", b"x", b"+1", b"01", b" 1", b"1 ", b"-0", b"1.5", b"-1.5e3", b"1e400", b"0x10", b"nan", b"-inf", b"inf",
       b"\x00", b"\xff\xfe", b"\r\n", b"$5\r\n", b"*", b"?", b"[a-", b"\\", b"%s%n", b"k1 k2", b"3.0e-5000", b"1_0")
KEYS = [b"k%d" % number for number in range(24)]


class Finding(Exception):
    """What a server must not do; the text tells the commands and the replies."""


# One word is drawn for each capital letter; an @name stands for one of the words of CHOICES.
TEMPLATES = """
SET K V|SET K V|SET K N|SET K V @set|SET K V @set @set|SET K V @set @set @set|SETNX K V|GETSET K V|GET K|GET K|GETDEL K
SETEX K R V|PSETEX K R V|SET K V EX R|SET K V PXAT A|SET K V EXAT S|SET K V PXAT A @set|GETEX K|GETEX K @getex
GETEX K PXAT A|GETEX K EXAT S|GETEX K EX R|STRLEN K|MGET K K K|MSET K V K V|MSETNX K V K V|APPEND K V|SETRANGE K O V
GETRANGE K I I|SUBSTR K I I|INCR K|DECR K|INCRBY K N|DECRBY K N|INCRBYFLOAT K F|INCRBYFLOAT K N|SET K F|LCS K K
LCS K K @lcs|LCS K K @lcs @lcs|LCS K K IDX MINMATCHLEN I WITHMATCHLEN|SETBIT K O B|SETBIT K O B|GETBIT K O
BITCOUNT K I I|BITCOUNT K I I @unit|BITCOUNT K|BITPOS K B|BITPOS K B I|BITPOS K B I I|BITPOS K B I I @unit
BITOP @bitop K K K|BITOP @bitop K K|BITOP @bitop K K K K K|BITFIELD K GET T O|BITFIELD K SET T O N|BITFIELD K INCRBY T O N
BITFIELD K OVERFLOW @overflow INCRBY T O N GET T O|BITFIELD K OVERFLOW @overflow SET T H N OVERFLOW @overflow INCRBY T H N
BITFIELD_RO K GET T H|BITFIELD K|DEL K|DEL K K K|UNLINK K K|EXISTS K K|TOUCH K K|TYPE K|RENAME K K|RENAMENX K K|COPY K K
COPY K K REPLACE|COPY K K DB D|COPY K K DB D REPLACE|MOVE K D|OBJECT ENCODING K|OBJECT ENCODING K|EXPIRE K R
EXPIRE K R @expire|PEXPIRE K R @expire|EXPIREAT K S @expire|PEXPIREAT K A @expire|PEXPIREAT K A @expire @expire|PEXPIREAT K A
EXPIRE K 0|PEXPIRE K -1|PERSIST K|KEYS G|SCAN 0 COUNT 100000 MATCH G|SCAN 0 COUNT 100000 MATCH G TYPE @type|MULTI|MULTI|EXEC
EXEC|EXEC|DISCARD|WATCH K|WATCH K K|UNWATCH|SELECT D|SELECT 0|SWAPDB D D|FLUSHDB @flush|PING|PING V|ECHO V|WAIT 0 0|DBSIZE X
OBJECT FREQ K|PUBLISH K V|SPUBLISH K V|PUBSUB NUMSUB K|PUBSUB CHANNELS|CLIENT GETNAME|COMMAND GETKEYS SET K V|@odd K|@odd
TTL K|PTTL K|EXPIRETIME K|PEXPIRETIME K
"""
CHOICES = {
    "@set": b"NX XX GET KEEPTTL nx get".split(), "@getex": [b"PERSIST", b"persist", b"EX"], "@unit": [b"BYTE", b"BIT", b"bit"],
    "@lcs": [b"LEN", b"IDX", b"WITHMATCHLEN"], "@bitop": b"AND OR XOR NOT and not".split(), "@type": [b"string", b"list", b"x"],
    "@overflow": [b"WRAP", b"SAT", b"FAIL", b"x"], "@expire": [b"NX", b"XX", b"GT", b"LT", b"lt"],
    "@flush": [b"SYNC", b"ASYNC", *[b"x"] * 18], "@odd": [b"get", b"nosuch", b"OBJECT", b"object", b"exec", b"", b"SET", b"pubsub"],
}
CLOCKS = (b"TTL", b"PTTL", b"EXPIRETIME", b"PEXPIRETIME", b"EXEC")
STRICTER = (b"BITCOUNT", b"BITPOS")  # what is wrong with them is told for missing keys too
CLOCK_SLACK = 30_000  # ms (or s) between two servers' TTLs set by the same command


class Draw:
    """Random arguments: from(letter) for TEMPLATES, any() for no matter what command."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.now_ms = int(time.time() * 1000)
        self.templates = [line.split() for line in TEMPLATES.strip().replace("\n", "|").split("|")]
        draw = self.random
        self.letters = {
            "K": lambda: draw.choice(KEYS), "V": self.value, "D": lambda: b"%d" % draw.randrange(4),
            "N": lambda: draw.choice(NUMBERS) if draw.random() < 0.3 else b"%d" % draw.randint(-300, 300),
            "I": lambda: b"%d" % draw.randint(-40, 40), "B": lambda: draw.choice((b"0", b"1")),
            "O": lambda: b"%d" % int(draw.paretovariate(0.7) % 3000), "H": lambda: b"#%d" % draw.randrange(20),
            "F": lambda: b"%.*g" % (draw.randint(1, 19), draw.uniform(-10, 10) * 10 ** draw.randint(-8, 18)),
            "T": lambda: draw.choice((b"i", b"u")) + b"%d" % draw.choice((1, 3, 8, 13, 31, 32, 33, 62, 63, 64, 64)),
            "R": lambda: b"%d" % draw.randrange(10**6, 10**9), "S": lambda: b"%d" % (self.moment() // 1000),
            "A": lambda: b"%d" % self.moment(), "G": lambda: b"[i-k]%d" % draw.randrange(len(KEYS)), "X": lambda: b"x",
        }

    def moment(self):
        """A time in ms that is long over or days ahead."""
        if self.random.random() < 0.25:
            return self.random.choice((1, 1000, self.now_ms - 10_000))
        return self.now_ms + DAY_MS + self.random.randrange(10 * DAY_MS)

    def value(self):
        kind = self.random.random()
        if kind < 0.3:
            return b"%d" % self.random.choice((self.random.randint(-9, 9), self.random.getrandbits(62)))
        if kind < 0.4:
            return self.random.choice(ODD)
        if kind < 0.6:
            return bytes(self.random.choices(b"abcd", k=self.random.randint(0, 60)))
        return self.random.randbytes(self.random.choice((1, 3, 8, 20, 43, 44, 45, 46, 64, 100)))

    def command(self):
        """A command of TEMPLATES, one in twenty with a wrong or missing argument."""
        argv = []
        for word in self.random.choice(self.templates):
            if word in self.letters:
                argv.append(self.letters[word]())
            else:
                argv.append(self.random.choice(CHOICES[word]) if word in CHOICES else word.encode())
        if len(argv) > 1 and argv[0] not in STRICTER and self.random.random() < 0.05:
            at = self.random.randrange(1, len(argv))
            argv[at:at + 1] = self.random.choice(([], [self.random.choice(ODD)], [argv[at], self.random.choice(ODD)]))
        return argv

    def any(self, words):
        """An argument for a command with these option words: a key, a number, something odd, something long."""
        kind = self.random.random()
        if kind < 0.3:
            return self.random.choice(KEYS)
        if kind < 0.5:
            return self.random.choice(NUMBERS)
        if kind < 0.65:
            return self.random.choice(ODD)
        if kind < 0.75 or not words:
            return self.value()
        if kind > 0.999:
            return self.random.randbytes(self.random.choice((1000, 16384, 40_000, 1 << 20)))
        return self.random.choice(words)


def frames(data):
    """All RESP frames of some bytes -> [(value, bytes)]; pushes are left out. Errors: Finding."""
    client = Client.__new__(Client)
    client.buffer, client.position, client._receive = data, 0, None
    found = []
    try:
        while client.position < len(client.buffer):
            value = client.read()
            if not isinstance(value, Push):
                found.append((value, client.raw))
    except (TypeError, ValueError, KeyError) as error:
        raise Finding(f"malformed reply ({error}): {data[:300]!r}") from error
    return found


class Connection(Client):
    """A client that writes a pipeline and takes its replies as they are."""

    marks = 0

    def run(self, commands):
        """Send the commands -> the bytes of all replies. Errors: Closed; Finding if no answer comes in time."""
        Connection.marks += 1
        mark = b"\0mark%d" % Connection.marks
        end = b"$%d\r\n%s\r\n" % (len(mark), mark)
        try:
            self.socket.sendall(b"".join(encode(*argv) for argv in commands) + encode("ECHO", mark))
            chunks, tail = [], b""
            while not tail.endswith(end):
                chunk = self.socket.recv(1 << 20)
                if not chunk:
                    raise Closed
                chunks.append(chunk)
                tail = (tail + chunk)[-len(end):]
        except TimeoutError:
            raise Finding(f"no answer: {commands}") from None
        except OSError:
            raise Closed from None
        return b"".join(chunks)[:-len(end)]


class Fuzzer:
    """The server under test and, for `compare`, a peer; each round is one of the parts with its own seed."""

    def __init__(self, server, peer=None):
        self.server = server
        self.peer = peer
        self.counts = {"bytes": 0, "commands": 0, "compare": 0}
        with self.connect() as client:
            client.call("FLUSHALL")
            names = [name.decode() for name in client.call("COMMAND", "LIST")]
            self.known = {name: self.option_words(client, name) for name in names if name not in TABOO}
        for each in filter(None, (server, peer)):
            with each.client() as client:
                client.call("CONFIG", "SET", "proto-max-bulk-len", "1mb", "timeout", "0")

    def connect(self, server=None, protocol=2):
        client = Connection((server or self.server).port, timeout=TIMEOUT_SECONDS)
        if protocol == 3:
            client.call("HELLO", "3")
        return client

    @staticmethod
    def option_words(client, name):
        """The option words of a command and of its subcommands, from COMMAND DOCS."""
        client.call("COMMAND", "DOCS", name)
        return sorted(set(re.findall(rb"\r\ntoken\r\n\$\d+\r\n(\S+)\r\n", client.raw)))

    def round(self, seed):
        draw = Draw(seed)
        parts = [self.fuzz_bytes, self.fuzz_commands] + ([self.compare] if self.peer else [])
        try:
            draw.random.choice(parts)(draw)
            with self.connect() as client:
                client.run([["FLUSHALL"]])
        except Finding as finding:
            raise Finding(f"seed {seed}: {finding}") from finding
        except (Closed, ConnectionError) as error:
            raise Finding(f"seed {seed}: the server hung up or is gone: {error!r}") from error

    def fuzz_bytes(self, draw):
        """Mutated requests over some connections that end anywhere; then another client must get an answer."""
        pick = draw.random
        open_clients = [self.connect(protocol=pick.choice((2, 3))) for _ in range(pick.randint(1, 8))]
        for _ in range(40):
            data = b"".join(self.request(draw) for _ in range(pick.randint(1, 12)))
            client = pick.choice(open_clients)
            with contextlib.suppress(OSError, Closed):
                client.socket.settimeout(0.002)
                self.counts["bytes"] += len(data)
                if pick.random() < 0.1:
                    for at in range(min(len(data), 300)):
                        client.socket.sendall(data[at:at + 1])
                else:
                    client.socket.sendall(data)
                if pick.random() < 0.5:
                    client.socket.recv(65536)
            if pick.random() < 0.2:
                client.close()
                open_clients.remove(client)
                open_clients.append(self.connect(protocol=pick.choice((2, 3))))
        for client in open_clients:
            client.close()
        with self.connect() as client:
            client.run([["CLIENT", "UNPAUSE"], ["GET", "k1"]])

    def request(self, draw):
        """Bytes that are nearly one request."""
        pick = draw.random
        argv = draw.command() if pick.random() < 0.6 else pick.choice((
            ["HELLO", "3"], ["HELLO", "2", "SETNAME", "x"], ["RESET"], ["CLIENT", "REPLY", "OFF"], ["CLIENT", "REPLY", "SKIP"],
            ["CLIENT", "REPLY", "ON"], ["CLIENT", "PAUSE", "5"], ["CLIENT", "PAUSE", "9", "WRITE"], ["SUBSCRIBE", "k1", "k2"],
            ["PSUBSCRIBE", "k*"], ["UNSUBSCRIBE"], ["CLIENT", "KILL", "ID", str(pick.randrange(2000))], ["WAIT", "1", "3"],
            ["CLIENT", "KILL", "TYPE", "PUBSUB"], ["SSUBSCRIBE", "k1"], ["QUIT"], ["CLIENT", "NO-TOUCH", "ON"]))
        data = encode(*argv)
        kind = pick.random()
        if kind < 0.08:
            return pick.randbytes(pick.randint(1, 100))
        if kind < 0.2:
            at = pick.randrange(len(data))
            return data[:at] + pick.choice((b"", pick.randbytes(1), b"\r\n", b"-1", b"9" * pick.randint(1, 25))) + data[at + 1:]
        if kind < 0.28:
            return data[:pick.randrange(len(data))]
        if kind < 0.4:
            words = [pick.choice((b"%s", b'"%s"', b"'%s'", b'"%s', b"%s'", b'"\\x%s"')) % draw.value() for _ in argv]
            return b" ".join(words) + pick.choice((b"\r\n", b"\n", b"\r\n\r\n"))
        if kind < 0.43:
            return b"*%d\r\n$%s\r\n" % (pick.choice((1, 1024, 1 << 20, 1 << 40)), pick.choice(NUMBERS))
        return data

    def fuzz_commands(self, draw):
        """Any command with any arguments: as many well-formed replies as commands."""
        pick = draw.random
        client = self.connect(protocol=pick.choice((2, 3)))
        for _ in range(20):
            names = pick.choices(list(self.known), k=100)
            commands = [[*name.split("|"), *(draw.any(self.known[name]) for _ in range(pick.randint(0, pick.choice((3, 8)))))]
                        for name in names]
            self.counts["commands"] += len(commands)
            inexact = any("|".join(argv[:2] if type(argv[1:2]) is str else argv[:1]) in UNCOUNTED for argv in commands)
            inexact = inexact or any(name in UNCOUNTED for name in names)
            try:
                replies = frames(client.run([*commands, ["RESET"]]))
            except Closed:
                if not inexact:
                    raise
                replies = ()
            if not inexact and len(replies) != len(commands) + 1:
                raise Finding(f"{len(replies)} replies to {len(commands) + 1} commands: {commands}")
            client.close()
            client = self.connect(protocol=pick.choice((2, 3)))
        client.close()

    def compare(self, draw):
        """Pipelines on two clients each of both servers: the same replies, and the same keyspaces in the end."""
        pick = draw.random
        clients = [[self.connect(server, protocol) for server in (self.server, self.peer)] for protocol in (2, 3)]
        for mine, other in clients:
            for client in (mine, other):
                client.run([["FLUSHALL"]])
        for _ in range(20):
            mine, other = pick.choice(clients)
            commands = [draw.command() for _ in range(pick.choice((10, 250)))]
            commands.extend([[b"EXEC"]] * pick.randint(1, 2))
            self.counts["compare"] += len(commands)
            self.match(commands, mine.run(commands), other.run(commands))
        commands = []
        for db in range(4):
            commands.append([b"SELECT", b"%d" % db])
            for key in KEYS:
                commands += [[b"GET", key], [b"EXPIRETIME", key], [b"OBJECT", b"ENCODING", key]]
            commands.append([b"DBSIZE"])
        mine, other = clients[0]
        self.match(commands, mine.run(commands), other.run(commands))
        for pair in clients:
            for client in pair:
                client.close()

    @staticmethod
    def match(commands, mine, other):
        """Errors: Finding where the two servers' replies are not the same."""
        if mine == other:
            return
        replies = list(zip(commands, frames(mine), frames(other), strict=True))
        for at, (argv, (value, raw), (peer_value, peer_raw)) in enumerate(replies):
            if raw == peer_raw or (argv[0].upper() in CLOCKS and alike(value, peer_value)):
                continue
            before = "\n  ".join(str(earlier[0]) for earlier in replies[max(0, at - 12):at])
            raise Finding(f"{argv}\n  fastredis: {raw[:600]!r}\n  peer:      {peer_raw[:600]!r}\n  after:\n  {before}")


def alike(value, other):
    """Whether two replies are the same but for times that were set a moment apart."""
    if isinstance(value, list) and isinstance(other, list) and len(value) == len(other):
        return all(map(alike, value, other))
    if type(value) is int and type(other) is int and value > CLOCK_SLACK:
        return abs(value - other) < CLOCK_SLACK
    return type(value) is type(other) and value == other


def used_memory(server):
    with server.client(timeout=TIMEOUT_SECONDS) as client:
        for command in ("FLUSHALL", "CONFIG RESETSTAT"):
            client.call(*command.split())
        return int(re.search(rb"used_memory:(\d+)", client.call("INFO", "memory"))[1])


def fuzz(server, peer=None, seconds=60.0, seed=None):
    """Fuzz for that long -> what was done, a line of text. Errors: Finding."""
    seed = seed if seed is not None else random.randrange(10**9)
    fuzzer = Fuzzer(server, peer)
    rounds, end = 0, time.monotonic() + seconds
    fuzzer.round(seed)
    before = used_memory(server)
    while time.monotonic() < end:
        rounds += 1
        fuzzer.round(seed + rounds)
    time.sleep(0.2)
    after = used_memory(server)
    if after > before + LEAK_BYTES:
        raise Finding(f"seed {seed}: used_memory was {before} and is {after} after {rounds} rounds")
    return f"{rounds + 1} rounds from seed {seed}: {fuzzer.counts}, used_memory {before} -> {after}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, help="a server that runs on 127.0.0.1; by default one is started")
    parser.add_argument("--peer", help="path of the redis-server to compare with; by default the one on PATH, if any")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--seed", type=int, help="of the first round; the next ones count up")
    options = parser.parse_args()
    found = find_peer(options.peer)
    with contextlib.ExitStack() as stack:
        server = Running(options.port) if options.port else stack.enter_context(fastredis_server())
        peer = stack.enter_context(peer_server(found.path)) if found else None
        try:
            print(fuzz(server, peer, options.seconds, options.seed))
        except Finding as finding:
            print(finding)
            return 1
    return 0


class Running:
    """A server that somebody else started."""

    def __init__(self, port):
        self.port = port

    def client(self, protocol=2, timeout=5.0):
        return Client(self.port, timeout=timeout, protocol=protocol)


if __name__ == "__main__":
    sys.exit(main())
