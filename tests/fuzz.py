"""Fuzzing a server: random bytes and random commands.

    python -m tests.fuzz --seconds 60             start a fastredis
    python -m tests.fuzz --port 6379 --seed 7     use the server that runs there; its data is deleted!

Two parts take turns: `bytes` (mutated frames, half requests, disconnects) and `commands` (every command of COMMAND LIST
with arguments drawn at random: the replies must be well-formed and as many as there were commands). A finding is
printed with the seed of its round, which --seed reproduces, and makes the exit status 1: no answer, a malformed reply,
memory that does not come back, a "Bug:" in the server's log. tests/differential compares replies with a real server.
"""
import argparse
import contextlib
import random
import re
import sys
import time
import types

from tests.fuzz_draw import NUMBERS, Draw
from tests.resp import Client, Closed, Push, Status, encode
from tests.servers import fastredis_server

TIMEOUT_SECONDS = 60
LEAK_BYTES = 16384
TEXT_SHOWN = 20_000                  # characters of a finding
LEAK_SECONDS = 2
LEAK_POLLS = 12
# They end or stall the server, move it elsewhere, close the door, wait for ever, or change who the master is.
TABOO = ("shutdown", "debug", "config|set", "config|rewrite", "client|pause", "save", "bgsave", "bgrewriteaof",
         "migrate", "replicaof", "slaveof", "failover", "sync", "psync", "replconf", "monitor")
# After these the number of replies cannot be told from the number of commands, or there is none.
UNCOUNTED = ("subscribe", "unsubscribe", "psubscribe", "punsubscribe", "ssubscribe", "sunsubscribe", "client|reply",
             "client|kill", "client|unblock", "quit", "reset")
# Requests that change what the connection is.
STATES = ("HELLO 3", "HELLO 2 SETNAME x", "RESET", "CLIENT REPLY OFF", "CLIENT REPLY SKIP", "CLIENT REPLY ON", "QUIT",
          "WAIT 1 3", "CLIENT PAUSE 5", "CLIENT PAUSE 9 WRITE", "CLIENT NO-TOUCH ON", "CLIENT KILL ID",
          "CLIENT KILL TYPE PUBSUB", "SUBSCRIBE k1 k2", "PSUBSCRIBE k*", "SSUBSCRIBE k1", "UNSUBSCRIBE")


class Finding(Exception):
    """What a server must not do; the text tells the commands and the replies."""


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
    """The server under test; each round is one of the parts with its own seed."""

    def __init__(self, server):
        self.server = server
        self.counts = {"bytes": 0, "commands": 0}
        with self.connect() as client:
            client.call("FLUSHALL")
            names = [name.decode() for name in client.call("COMMAND", "LIST")]
            self.known = {name: self.option_words(client, name) for name in names if name not in TABOO}
            facts = client.call("COMMAND", "INFO", *self.known)
            self.blocking = {fact[0].decode() for fact in facts if Status("blocking") in fact[2]}
        with server.client() as client:
            client.call("CONFIG", "SET", "proto-max-bulk-len", "1mb", "timeout", "0")
            client.call("DEBUG", "REPLYBUFFER", "PEAK-RESET-TIME", "100")

    def connect(self, protocol=2):
        client = Connection(self.server.port, timeout=TIMEOUT_SECONDS)
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
        try:
            draw.random.choice((self.fuzz_bytes, self.fuzz_commands))(draw)
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
        argv = draw.command() if pick.random() < 0.6 else pick.choice(STATES).split()
        if argv[-1] == "ID":
            argv.append(str(pick.randrange(2000)))
        data = encode(*argv)
        kind = pick.random()
        if kind < 0.08:
            return pick.randbytes(pick.randint(1, 100))
        if kind < 0.2:
            at = pick.randrange(len(data))
            other = pick.choice((b"", pick.randbytes(1), b"\r\n", b"-1", b"9" * pick.randint(1, 25)))
            return data[:at] + other + data[at + 1:]
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
            commands = []
            for name in names:
                count = pick.randint(0, pick.choice((3, 8)))
                command = [*name.split("|"), *(draw.any(self.known[name]) for _ in range(count))]
                # A command that may wait does not in a transaction.
                commands += [["MULTI"], command, ["EXEC"]] if name in self.blocking else [command]
            self.counts["commands"] += len(commands)
            inexact = any(name in UNCOUNTED for name in names)
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


def used_memory(server, enough=0):
    """Bytes that an empty server uses: the least that is seen while its cron shrinks buffers, or at most `enough`."""
    least = sys.maxsize
    with server.client(timeout=TIMEOUT_SECONDS) as client:
        client.call("FLUSHALL")
        client.call("SCRIPT", "FLUSH")          # the first EVAL makes a Lua
        client.call("CONFIG", "RESETSTAT")
        client.call("SLOWLOG", "RESET")
        for _ in range(LEAK_POLLS):
            least = min(least, int(re.search(rb"used_memory:(\d+)", client.call("INFO", "memory"))[1]))
            if least <= enough:
                break
            time.sleep(LEAK_SECONDS / LEAK_POLLS)
    return least


def repeat(server, play, seconds, seed):
    """play(seed) for that long, with one seed after another -> a line of text.

    Errors: Finding, also when memory leaks.
    """
    seed = seed if seed is not None else random.randrange(10**9)
    rounds, end = 1, time.monotonic() + seconds
    play(seed)
    before = used_memory(server)
    while time.monotonic() < end:
        play(seed + rounds)
        rounds += 1
    after = used_memory(server, before + LEAK_BYTES)
    if after > before + LEAK_BYTES:
        raise Finding(f"seed {seed}: used_memory was {before} and is {after} after {rounds} rounds")
    return f"{rounds} rounds from seed {seed}, used_memory {before} -> {after}"


def fuzz(server, seconds=60.0, seed=None):
    """Fuzz for that long -> what was done, a line of text. Errors: Finding."""
    fuzzer = Fuzzer(server)
    done = repeat(server, fuzzer.round, seconds, seed)
    return f"{done}; {fuzzer.counts}"


def running(port):
    """What stands for a server that somebody else started."""
    return types.SimpleNamespace(port=port, client=lambda **options: Client(port, **options))


def main(description, fuzz):
    """The command line of a tool that fuzzes a server -> its exit status. fuzz(server, seconds, seed) -> a text."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, help="a server that runs on 127.0.0.1; by default one is started")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--seed", type=int, help="of the first round; the next ones count up")
    options = parser.parse_args()
    with contextlib.ExitStack() as stack:
        server = running(options.port) if options.port else stack.enter_context(fastredis_server())
        try:
            print(fuzz(server, options.seconds, options.seed))
        except Finding as finding:
            print(str(finding)[:TEXT_SHOWN])
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(__doc__, fuzz))
