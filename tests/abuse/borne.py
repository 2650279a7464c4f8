"""Attack a server, and find out what others notice of it."""
import contextlib
import os
import select
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import fastredis
from tests.helpers import info, wait_until

PASSWORD = "correct-horse"
MOST_MS = 50                        # in which 99 of 100 PINGs are answered
PAUSE_SECONDS = 0.002
LIMITS = ("--requirepass", PASSWORD, "--maxmemory", "100mb", "--maxmemory-clients", "64mb",
          "--client-output-buffer-limit", "pubsub 8mb 2mb 10", "--client-output-buffer-limit", "normal 16mb 0 0")
# Bytes of memory that a server may take on top: what maxmemory-clients allows, and that a client takes by itself.
MOST_MB = 100
CLIENT_KB = 24


@dataclass
class Result:
    """What was seen: milliseconds that 99 of 100 PINGs took at most, before and during the attack; MB on top."""

    before_ms: float
    p99_ms: float
    worst_ms: float
    more_mb: float
    pings: int

    def __str__(self):
        return (f"p99 {self.p99_ms:.1f} ms (without: {self.before_ms:.1f}), worst {self.worst_ms:.1f} ms "
                f"of {self.pings}, {self.more_mb:.0f} MB more")


def memory_mb(server):
    """Memory that the process has now."""
    with open(f"/proc/{server.pid}/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS:")) / 1024


def probe(server, client, seconds):
    """([ms that each PING took], the most memory in MB meanwhile)."""
    took, most = [], 0.0
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        start = time.perf_counter()
        client.call("PING")
        took.append((time.perf_counter() - start) * 1000)
        if len(took) % 16 == 0:
            most = max(most, memory_mb(server))
        time.sleep(PAUSE_SECONDS)
    return sorted(took), max(most, memory_mb(server))


def p99(took):
    return took[min(len(took) * 99 // 100, len(took) - 1)]


@contextlib.contextmanager
def attack(server, name, clients, authenticated):
    """The attack goes on meanwhile, in a process of its own."""
    environment = dict(os.environ, PYTHONPATH=str(Path(fastredis.__file__).resolve().parent.parent))
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.abuse.attacks", name, str(server.port), str(clients),
         PASSWORD if authenticated else ""], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment)
    try:
        yield process
    finally:
        process.stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(10)
        process.kill()
        process.wait()
        process.stdout.close()


def bear(server, name, clients, authenticated, seconds):
    """Let a server be attacked; returns the Result. AssertionError: it did not recover."""
    with server.client(timeout=60) as client:
        client.call("AUTH", PASSWORD)
        client.call("CLIENT", "NO-EVICT", "ON")
        quiet, memory = probe(server, client, min(seconds, 1))
        with attack(server, name, clients, authenticated) as process:
            took, most = [], 0.0
            while not select.select([process.stdout], [], [], 0)[0]:        # it begins
                more, now = probe(server, client, 0.1)
                took, most = took + more, max(most, now)
            assert process.stdout.readline() == b"ready\n", "the attack did not begin"
            more, now = probe(server, client, seconds)
            took, most = sorted(took + more), max(most, now)
        wait_until(lambda: info(client)["connected_clients"] == "1", "the attackers are not gone")
        return Result(p99(quiet), p99(took), took[-1], most - memory, len(took))


def allowed_mb(clients):
    """Memory that a server with LIMITS may take for so many attackers."""
    return MOST_MB + clients * CLIENT_KB / 1024
