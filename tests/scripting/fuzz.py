"""Fuzzing EVAL: Lua that is made up, cut off and mutated, with deep and huge values.

    python -m tests.scripting.fuzz --seconds 600         start a fastredis
    python -m tests.scripting.fuzz --port 6379 --seed 7  use the server that runs there; its data is deleted!

A round is a fresh SCRIPT FLUSH, a few hundred scripts over some connections, and a look at what scripts see of their
surroundings, which must be what it was. Scripts that do not end are killed. A finding is printed with the seed of its
round, which --seed reproduces, and makes the exit status 1: no answer, a malformed reply, a changed global, memory that
does not come back, a fault in the server's log.
"""
import contextlib
import random
import sys
import threading
import time

from tests.fuzz import Connection, Finding, frames, main, repeat
from tests.fuzz_draw import Draw
from tests.resp import Closed, Error
from tests.scripting.fuzz_lua import Lua

SCRIPTS = 150                   # of a round
BATCH = 10
TIMEOUT_SECONDS = 120
KILL_SECONDS = 0.3              # a script that runs longer is killed, where the server can
# What a script can reach must be the same after all that other scripts have tried.
SURROUNDINGS = b"""
local names = {}
for name in ('_G string table math coroutine os bit struct cjson cmsgpack redis'):gmatch('%S+') do
    local library = name == '_G' and _G or rawget(_G, name) or {}
    for key, value in pairs(library) do names[#names + 1] = name .. '.' .. tostring(key) .. ':' .. type(value) end
end
table.sort(names)
local types = {}
for i, value in ipairs({1, true, function() end, coroutine.create(function() end)}) do
    types[i] = tostring(getmetatable(value))
end
return {#names, redis.sha1hex(table.concat(names, ' ')), ('x'):upper(), types, collectgarbage('setpause', 200)}
"""


class Killer:
    """Ends scripts that do not, from a connection of its own."""

    def __init__(self, port):
        self.client = Connection(port, timeout=TIMEOUT_SECONDS)
        self.since = None
        self.over = threading.Event()
        self.thread = threading.Thread(target=self.watch, daemon=True)
        with Connection(port, timeout=TIMEOUT_SECONDS) as client:
            self.can = client.call("COMMAND", "INFO", "script|kill") != [None]
            if self.can:
                client.call("CONFIG", "SET", "busy-reply-threshold", "50")
        self.thread.start()

    def watch(self):
        while not self.over.wait(KILL_SECONDS / 4):
            since = self.since
            if self.can and since is not None and time.monotonic() - since > KILL_SECONDS:
                with contextlib.suppress(Closed, OSError):
                    self.client.call("SCRIPT", "KILL")

    @contextlib.contextmanager
    def watching(self):
        self.since = time.monotonic()
        try:
            yield
        finally:
            self.since = None

    def close(self):
        self.over.set()
        self.thread.join()
        self.client.close()


class Fuzzer:
    """The server under test."""

    def __init__(self, server):
        self.server = server
        self.scripts = self.errors = 0
        self.killer = Killer(server.port)
        with self.connect() as client:
            client.call("FLUSHALL")
            client.call("SCRIPT", "FLUSH")
            client.call("DEBUG", "REPLYBUFFER", "PEAK-RESET-TIME", "100")
            self.surroundings = client.call("EVAL", SURROUNDINGS, "0")
            if not isinstance(self.surroundings, list):
                raise Finding(f"the surroundings of scripts are not to be had: {self.surroundings!r}")

    def connect(self):
        return Connection(self.server.port, timeout=TIMEOUT_SECONDS)

    def round(self, seed):
        pick = random.Random(seed)
        lua = Lua(pick, Draw(seed), endless=self.killer.can)
        try:
            with self.connect() as client:
                client.run([["SCRIPT", "FLUSH"], ["HELLO", pick.choice("23")]])
                for _ in range(SCRIPTS // BATCH):
                    self.batch(client, lua, pick)
            with self.connect() as client:
                found = client.call("EVAL", SURROUNDINGS, "0")
                if found != self.surroundings:
                    raise Finding(f"scripts see {found!r}, and saw {self.surroundings!r}")
                client.run([["FLUSHALL"]])
        except Finding as finding:
            raise Finding(f"seed {seed}: {finding}") from finding
        except (Closed, ConnectionError) as error:
            raise Finding(f"seed {seed}: the server hung up or is gone: {error!r}") from error

    def batch(self, client, lua, pick):
        """Some scripts in one pipeline: as many well-formed replies."""
        commands = []
        for _ in range(BATCH):
            arguments = [lua.argument() for _ in range(pick.choice((0, 2, 2, 2, 5)))]
            keys = pick.choice(("0", str(len(arguments)), str(min(1, len(arguments)))))
            # One that has written can't be killed, so what may write has no functions, and ends by itself.
            writes = pick.random() < 0.4
            commands.append(["EVAL" if writes else "EVAL_RO", lua.script(not writes), keys, *arguments])
        with self.killer.watching():
            replies = frames(client.run(commands))
        if len(replies) != len(commands):
            raise Finding(f"{len(replies)} replies to {len(commands)} scripts: {commands}")
        self.scripts += len(commands)
        self.errors += sum(isinstance(value, Error) for value, _ in replies)


def fuzz(server, seconds=60.0, seed=None):
    """Fuzz for that long -> what was done, a line of text. Errors: Finding."""
    sys.setrecursionlimit(50_000)           # for replies that are as deep as can be
    fuzzer = Fuzzer(server)
    try:
        done = repeat(server, fuzzer.round, seconds, seed)
    finally:
        fuzzer.killer.close()
    return f"{done}; {fuzzer.scripts} scripts, {fuzzer.errors} of them raised errors"


if __name__ == "__main__":
    sys.exit(main(__doc__, fuzz))
