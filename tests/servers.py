"""Servers for tests: `python -m fastredis` and a real redis-server, each in its own directory on a free port.

    with fastredis_server("--requirepass", "x", loop="asyncio") as server:
        with server.client() as client: ...

A server is up when PING is answered and the port is its own, and is stopped by its own process id. Its output is in
server.log().
"""
import contextlib
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import fastredis
from benchmarks.common import packaged_peers
from tests.resp import Client, Closed

START_SECONDS = 20
STOP_SECONDS = 10
OPTIONS = ("--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--enable-debug-command", "yes")
CODES_WHILE_STARTING = ("LOADING",)
PORTS_TRIED = 5
PORT_TAKEN = "Address already in use"       # in the log of either kind of server
LISTENS = "0A"                              # a state in /proc/net/tcp


def free_port():
    """A TCP port of 127.0.0.1 that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def listens(pid, port):
    """Whether it is this process that listens on the TCP port. Errors: OSError if there is no such process.

    The kernel tells, and not INFO's process_id: the answer does not depend on passwords, renamed commands, loading.
    Source: proc(5), /proc/pid/net/tcp and /proc/pid/fd
    """
    sockets = set()
    for table in ("tcp", "tcp6"):
        path = Path(f"/proc/{pid}/net/{table}")
        rows = path.read_text().splitlines()[1:] if path.exists() else ()
        for _, local, _, state, *_, inode in (row.split()[:10] for row in rows):
            if state == LISTENS and int(local.rpartition(":")[2], 16) == port:
                sockets.add(f"socket:[{inode}]")
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):        # it may be closed at any time
            if os.readlink(entry) in sockets:
                return True
    return False


# What must not be in a server's log: a handler that raised, a finding of a sanitizer, an exception of asyncio, or one
# that went no further.
FAULTS = ("Bug: ", "AddressSanitizer", "runtime error:", "Traceback (most recent call last)", "Exception ignored in")


SHOWN_LINES = 60
running = []            # Servers
ended = []              # (Server, the end of its log) of those that were stopped during the test under way


def log_tails():
    """What servers say when a test fails: (title, the end of the log) of those of the test, and of shared ones."""
    found = [*ended, *((server, server.log_tail()) for server in running)]
    return [(f"log of {server.kind} {server.pid}, port {server.port}", text) for server, text in found]


class Server:
    """A server process: `kind` is "fastredis" or "peer"; `port`, `directory`, `pid`.

    `options` come after OPTIONS, so they win. With `config`, the text of a configuration file, the server gets it as
    redis.conf in its directory. A port that somebody else was quicker to take is given up for another.
    Errors: RuntimeError with the log if it does not come up.
    """

    def __init__(self, kind, command, options=(), environment=None, config=None):
        self.kind = kind
        self.directory = Path(tempfile.mkdtemp(prefix=f"{kind}-"))
        self._log = (self.directory / "output.log").open("wb")
        if config is not None:
            (self.directory / "redis.conf").write_text(config)
            command = [*command, str(self.directory / "redis.conf")]
        for _ in range(PORTS_TRIED):
            self.port = free_port()
            argv = [*command, "--port", str(self.port), "--dir", str(self.directory), *OPTIONS, *options]
            self.process = subprocess.Popen(
                argv, cwd=self.directory, env=environment, stdin=subprocess.DEVNULL, stdout=self._log,
                stderr=subprocess.STDOUT)
            self.pid = self.process.pid
            if self._wait_until_up():
                running.append(self)
                return
            if self.process.poll() is None or PORT_TAKEN not in self.log():
                break
            self._log.seek(0)
            self._log.truncate()
        text = self.log()
        self.stop()
        raise RuntimeError(f"{self.kind} did not start:\n{text}")

    def __enter__(self):
        return self

    def __exit__(self, *exc_info):
        self.stop()

    def _wait_until_up(self):
        """Whether the server answers, and not another in its place."""
        give_up = time.monotonic() + START_SECONDS
        while time.monotonic() < give_up and self.process.poll() is None:
            try:
                with self.client() as client:
                    loading = str(client.call("PING")).startswith(CODES_WHILE_STARTING)
                if not loading and listens(self.pid, self.port):
                    return True
            except (OSError, Closed):
                pass
            time.sleep(0.02)
        return False

    def client(self, protocol=2, timeout=5.0):
        return Client(self.port, timeout=timeout, protocol=protocol)

    def log(self):
        return (self.directory / "output.log").read_text(errors="replace")

    def log_tail(self):
        return "\n".join(self.log().splitlines()[-SHOWN_LINES:])

    def stop(self, kill=False):
        """End the process (SIGTERM, then SIGKILL; at once with kill=True) and remove its directory.

        Errors: AssertionError when the log holds the marks of a bug (FAULTS).
        """
        if self.process.poll() is None:
            if kill:
                self.process.kill()
            else:
                self.process.terminate()
            try:
                self.process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self._log.close()
        if not self.directory.exists():
            return                                  # it was stopped before
        if self in running:
            running.remove(self)
            ended.append((self, self.log_tail()))
        faults = [line for line in self.log().splitlines() if any(word in line for word in FAULTS)]
        shutil.rmtree(self.directory, ignore_errors=True)
        if faults:
            raise AssertionError("the server's log tells of a bug:\n" + "\n".join(faults[:20]))


def fastredis_server(*options, loop=None, config=None):
    """A running fastredis; loop is "uvloop", "asyncio" or None: as FASTREDIS_LOOP of the environment says."""
    environment = dict(os.environ, PYTHONPATH=str(Path(fastredis.__file__).resolve().parent.parent))
    if loop:
        environment["FASTREDIS_LOOP"] = loop
    return Server("fastredis", [sys.executable, "-m", "fastredis"], options, environment, config)


def peer_server(path, *options, config=None):
    """A running redis-server (or valkey-server) from the given executable."""
    return Server("peer", [path], options, config=config)


NO_PEER = "no peer: no redis-server on PATH, and no --peer"


class Peer:
    """The real server to compare with: its executable, product ("redis", "valkey") and version (7, 0, 15)."""

    def __init__(self, path):
        self.path = path
        text = subprocess.run([path, "--version"], capture_output=True, text=True, check=True).stdout
        self.product = "valkey" if "valkey" in text.lower() else "redis"
        self.version = tuple(int(part) for part in re.search(r"v=(\d+)\.(\d+)\.(\d+)", text).groups())

    def __str__(self):
        return f"{self.product} {'.'.join(map(str, self.version))}"

    def has(self, since):
        """True if this server has what came with `since`: "8.4", "valkey 9.0", or several joined by " or "."""
        for wanted in since.split(" or "):
            product, _, version = wanted.rpartition(" ")
            number = tuple(int(part) for part in version.split("."))
            if self.version >= number and (self.product == (product or "redis") or number < (7, 3)):
                return True
        return False


def find_peer(option=None):
    """The Peer at the given path or on PATH, or None.

    Errors: FileNotFoundError if a path was given and there is no executable.
    """
    path = shutil.which(option or "redis-server")
    if path is None:
        if option:
            raise FileNotFoundError(option)
        return None
    return Peer(path)


def newer_peers():
    """{product: Peer} of the servers that are installed as Python packages: the newest Redis and Valkey."""
    found = map(Peer, packaged_peers())
    return {peer.product: peer for peer in found}
