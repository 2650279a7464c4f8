"""An engine in the test's own process, and connections of it.

    local = Local("maxmemory 1mb")
    client = local.client()
    client.call("SET", "k", "v", "PX", 10)
    local.advance(11)
    local.notes.take()                  [(0, [b"SET", b"k", b"v", b"PXAT", ...]), (0, [b"DEL", b"k"])]

A connection gets a transport that keeps what is written; a Feed notes what is propagated. The clock stands still at
NOW_MS, so deadlines are exact.
"""
import asyncio
import re
import socket

from fastredis.config.config import Config
from fastredis.engine.engine import Feed
from fastredis.host.logs import Logger
from fastredis.server import Server
from tests.resp import Client, Error

NOW_MS = 1_700_000_000_000


class Wire:
    """Both ends of a connection: a transport and its socket for the engine, a socket for tests.resp.Client."""

    family = socket.AF_UNIX

    def __init__(self, server):
        self.output = bytearray()
        self.closed = False
        self.loop = server.loop
        self.connection = server.new_connection()
        self.connection.connection_made(self)

    def get_extra_info(self, name):
        return self if name == "socket" else None

    def fileno(self):
        return -1

    def set_write_buffer_limits(self, high):
        pass

    def get_write_buffer_size(self):
        return 0

    def is_closing(self):
        return self.closed

    def write(self, data):
        self.output += data

    def pause_reading(self):
        pass                    # what is sent meanwhile waits

    resume_reading = pause_reading

    def close(self):
        self.closed = True
        self.connection.connection_lost(None)

    abort = close

    def sendall(self, data):
        self.connection.data_received(data)
        while self.connection.waiting:              # it took long by chance
            self.run_loop()

    def recv(self, size):
        while not self.output and getattr(self.connection.blocked, "steadfast", False):
            self.run_loop()                         # a big value is being copied
        data = bytes(self.output[:size])
        del self.output[:size]
        return data

    def run_loop(self):
        """One turn of the loop."""
        self.loop.call_soon(self.loop.stop)
        self.loop.run_forever()


class LocalClient(Client):
    """tests.resp.Client on a Wire; `connection` is the engine's side of it."""

    def __init__(self, server):
        self.socket = Wire(server)
        self.connection = self.socket.connection
        self.buffer, self.position = b"", 0


class Notes(Feed):
    """A Feed that keeps what comes: (database, list of words) each."""

    def __init__(self):
        self.taken = []

    def command(self, db, argv):
        self.taken.append((db, argv))

    def take(self):
        taken, self.taken = self.taken, []
        return taken


class QuietLog:
    """A log that keeps its warnings."""

    def __init__(self):
        self.warnings = []

    def warning(self, text):
        self.warnings.append(text)

    notice = warning


QUIET = "logfile /dev/null\nlatency-tracking no\nslowlog-log-slower-than -1\n"


class Local:
    """An engine with its shell, on a loop that does not run; `notes` is its Feed. As a context it ends afterwards.

    Histograms of durations and the slow log are off: whether they need more memory depends on how long commands happen
    to take.
    """

    def __init__(self, options=""):
        config = Config()
        config.load(None, None, QUIET + options)
        self.loop = asyncio.new_event_loop()
        self.server = Server(config, Logger(config), self.loop)
        self.engine = self.server.engine
        self.engine.clock.set(NOW_MS)
        self.notes = Notes()
        self.engine.add_feed(self.notes)

    def __enter__(self):
        return self

    def __exit__(self, *exc_info):
        self.loop.close()

    def client(self):
        return LocalClient(self.server)

    def advance(self, ms):
        self.engine.clock.advance(ms)

    def settled_memory(self):
        """used_memory once all that is freed in slices is gone; of a new connection, as one that waited keeps room.

        The engine keeps room for the replies to who waited, too: a client waits here, as whether others did (COPY of a
        big value) depends on time.
        """
        waiter, client = self.client(), self.client()
        waiter.send("BLPOP", "settled_memory", 0)
        client.call("RPUSH", "settled_memory", "x")
        assert waiter.read() == [b"settled_memory", b"x"]
        waiter.close()
        client.close()
        for _ in range(100):
            self.engine.free_slice()
        self.notes.take()
        client = self.client()
        used = int(re.search(rb"\r\nused_memory:(\d+)", client.call("INFO", "memory"))[1])
        client.close()
        return used


def words(line):
    """A line's words as bytes."""
    return [word.encode() for word in line.split()]


def propagated(local, commands, setup=""):
    """Run `a | b` lines of commands by one client -> [line, ...] of what the second ones propagated, database 0."""
    client = local.client()
    for line in filter(None, map(str.strip, setup.split("|"))):
        reply = client.call(*words(line))
        assert not isinstance(reply, Error), f"{line}: {reply}"
    local.notes.take()
    for line in map(str.strip, commands.split("|")):
        client.call(*words(line))
    taken = local.notes.take()
    return [b" ".join(argv).decode() for _, argv in taken]
