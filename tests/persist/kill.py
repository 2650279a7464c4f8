"""Kill a server again and again while it writes, and see that what it acknowledged is there afterwards.

    python -m tests.persist.kill --kills 200 --policy always
    python -m tests.persist.kill --kills 20 --policy everysec --torn

Clients count up, each its own keys, so that what is there tells exactly which of its writes survived:

    SET solo:<client> <n>                          the n-th write
    MULTI, SET a:<client> <n>, RPUSH list:<client> <n>, SET b:<client> <n>, EXEC

After a restart solo is the last acknowledged number or the one after it (sent, not answered), a equals b, and the list
is 1 to a without a gap. With everysec what was acknowledged more than LOST_SECONDS before the end has to be there.
Meanwhile BGREWRITEAOF, SAVE and BGSAVE go on, fast and slow ones, so that the end comes at all moments of a rewrite.
With --torn the last file gets half of a command at its end before each restart, as when the machine dies.
"""
import argparse
import random
import re
import shutil
import socket
import sys
import tempfile
import threading
import time
from pathlib import Path

from tests.resp import Client, Closed, Error
from tests.servers import fastredis_server

LOST_SECONDS = 2.0
LONGEST = {"always": 0.6, "everysec": 5.0, "no": 0.6}      # seconds from a start to the kill
TORN = b"*3\r\n$3\r\nSET\r\n$9\r\ntorn"
GONE = (Closed, ConnectionError, TimeoutError, socket.timeout)
OPTIONS = ("--appendonly", "yes", "--auto-aof-rewrite-percentage", "50", "--auto-aof-rewrite-min-size", "64kb")


class Writer(threading.Thread):
    """One client: counts up until its connection breaks. acknowledged: [(time, solo, transaction)]."""

    def __init__(self, number, port, solo, transaction):
        super().__init__(daemon=True)
        self.number, self.port = number, port
        self.sent = [solo, transaction]
        self.acknowledged = [(0.0, solo, transaction)]
        self.refusals = []

    def run(self):
        try:
            with Client(self.port, timeout=20) as client:
                while True:
                    self.write(client)
        except GONE:
            return

    def write(self, client):
        """A few numbers of both kinds in one packet, as many as chance will have it."""
        batch, solo, transaction = [], *self.sent
        for _ in range(random.randint(1, 4)):
            if random.random() < 0.5:
                solo += 1
                batch.append((("SET", f"solo:{self.number}", solo),))
            else:
                transaction += 1
                n = self.number
                batch.append((("MULTI",), ("SET", f"a:{n}", transaction), ("RPUSH", f"list:{n}", transaction),
                              ("SET", f"b:{n}", transaction), ("EXEC",)))
        done_solo, done_transaction = self.sent
        self.sent = [solo, transaction]
        for command in (command for group in batch for command in group):
            client.send(*command)
        for group in batch:
            for _ in group:
                reply = client.read()
                if isinstance(reply, Error):
                    self.refusals.append(reply)
            if len(group) == 1:
                done_solo += 1
            else:
                done_transaction += 1
            self.acknowledged.append((time.monotonic(), done_solo, done_transaction))


class Disturber(threading.Thread):
    """Has the data saved and the AOF rewritten all the time, in all ways."""

    def __init__(self, port, commands):
        super().__init__(daemon=True)
        self.port, self.commands = port, commands

    def run(self):
        try:
            with Client(self.port, timeout=20) as client:
                while True:
                    client.call(*random.choice(self.commands))
                    time.sleep(random.random() * 0.1)
        except GONE:
            return


DISTURBANCES = [("BGREWRITEAOF",), ("BGREWRITEAOF",), ("SAVE",), ("BGSAVE",), ("DEBUG", "SLEEP", "0.02"),
                ("CONFIG", "SET", "aof-use-rdb-preamble", "no"), ("CONFIG", "SET", "aof-use-rdb-preamble", "yes"),
                ("CONFIG", "SET", "rdb-key-save-delay", "2000"), ("CONFIG", "SET", "rdb-key-save-delay", "0")]


def numbers(client, number):
    """What the data set has of a writer: (solo, transaction); AssertionError if its transactions are not whole."""
    solo, a, b = (int(value or 0) for value in client.call(
        "MGET", f"solo:{number}", f"a:{number}", f"b:{number}"))
    assert a == b, f"half of a transaction of client {number}: a is {a}, b is {b}"
    items = [int(item) for item in client.call("LRANGE", f"list:{number}", "0", "-1")]
    assert items == list(range(1, a + 1)), f"client {number}: the list is not 1 to {a}: {items[:3]} ... {items[-3:]}"
    return solo, a


def last_due(writer, killed_at, policy):
    """What of a writer has to be there: (solo, transaction)."""
    if policy == "always":
        return writer.acknowledged[-1][1:]
    return [(solo, transaction) for at, solo, transaction in writer.acknowledged if at <= killed_at - LOST_SECONDS][-1]


def compare(writer, found, killed_at, policy):
    """Raise AssertionError unless all is there that has to be, and nothing that never was sent."""
    due = last_due(writer, killed_at, policy)
    for kind, there, must, sent in zip(("solo", "transaction"), found, due, writer.sent, strict=True):
        assert must <= there <= sent, (f"client {writer.number}, {kind}: {there} is there; {must} had to be, and "
                                       f"{sent} was sent last")
    assert not writer.refusals, writer.refusals[:3]


def tear(directory):
    """Put half of a command behind the last file; returns its name."""
    manifest = (directory / "appendonlydir" / "appendonly.aof.manifest").read_text()
    name = re.findall(r"^file (\S+) seq \d+ type i$", manifest, re.MULTILINE)[-1]
    with (directory / "appendonlydir" / name).open("ab") as stream:
        stream.write(TORN[:random.randint(1, len(TORN))])
    return name


def run(kills, policy, clients=8, torn=False, report=lambda text: None):
    """So many rounds of writing, killing and checking; returns how many writes had to be there in the end."""
    directory = Path(tempfile.mkdtemp(prefix="kill-"))
    options = ("--dir", str(directory), "--appendfsync", policy, *OPTIONS)
    due = 0
    state = [(0, 0)] * clients
    try:
        for round_number in range(kills):
            server = fastredis_server(*options)
            writers = [Writer(i, server.port, *state[i]) for i in range(clients)]
            threads = [*writers, Disturber(server.port, DISTURBANCES)]
            for thread in threads:
                thread.start()
            time.sleep(random.random() * LONGEST[policy])
            killed_at = time.monotonic()
            server.stop(kill=True)
            for thread in threads:
                thread.join()
            cut = tear(directory) if torn else None
            state = check(options, writers, killed_at, policy, cut)
            due = sum(sum(last_due(writer, killed_at, policy)) for writer in writers)
            report(f"{round_number + 1}: {due} writes had to be there, and were")
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    return due


def check(options, writers, killed_at, policy, cut):
    """Start the server once more, compare, and return what is there now. The AOF is loaded twice that way."""
    with fastredis_server(*options) as server, server.client(timeout=20) as client:
        if cut is not None:
            assert f"short read while loading the AOF file {cut}" in server.log(), "the torn end went unnoticed"
        found = [numbers(client, writer.number) for writer in writers]
        for writer, there in zip(writers, found, strict=True):
            compare(writer, there, killed_at, policy)
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--policy", choices=("always", "everysec", "no"), default="always")
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--torn", action="store_true", help="half of a command at the end of the last file")
    parser.add_argument("--seed", type=int, default=None)
    arguments = parser.parse_args()
    random.seed(arguments.seed)
    total = run(arguments.kills, arguments.policy, arguments.clients, arguments.torn, report=print)
    print(f"{arguments.kills} kills with appendfsync {arguments.policy}: {total} writes had to survive, none is lost")
    return 0


if __name__ == "__main__":
    sys.exit(main())
