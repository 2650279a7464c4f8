"""Faults of the system for tests: system calls of a running server fail or take long, by strace(1).

    with failing(server, "fdatasync:error=EIO"): ...
    with failing(server, "clone,clone3:error=EAGAIN"): ...
    with failing(server, "fsync:error=EIO:when=2", only=directory): ...

Source: strace(1), `-e inject=`
"""
import contextlib
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import pytest

SECONDS = 20


def can_trace():
    """Whether strace is there and may trace; "" or the reason why not."""
    if shutil.which("strace") is None:
        return "strace is not installed"
    try:
        done = subprocess.run(
            ["strace", "-f", "-o", "/dev/null", "true"], capture_output=True, text=True, timeout=SECONDS)
    except subprocess.TimeoutExpired:
        return "strace does not end"
    return "" if done.returncode == 0 else f"strace may not trace here: {done.stderr.strip()[:200]}"


REASON = can_trace()
needs_strace = pytest.mark.skipif(bool(REASON), reason=REASON)


class Trace:
    """What strace has seen so far."""

    def __init__(self, path):
        self.path = path

    def calls(self, name):
        """The lines of a system call that have ended, in order."""
        lines = self.path.read_text(errors="replace").splitlines()
        return [line for line in lines if re.search(rf"\b{name}\(|<\.\.\. {name} resumed", line) and " = " in line]


@contextlib.contextmanager
def failing(server, injection, only=None):
    """Trace a server's threads, and have its system calls fail as `injection` says (strace's inject=), for a while.

    only: a path; calls that are about other files do not count.
    """
    names = injection.partition(":")[0]
    paths = ["-P", str(only)] if only is not None else []
    with tempfile.TemporaryDirectory() as top:
        output, said = Path(top) / "trace", Path(top) / "said"
        with said.open("wb") as stream:
            tracer = subprocess.Popen(
                ["strace", "-f", "-p", str(server.pid), "-o", output, *paths, "-e", f"trace={names}",
                 "-e", f"inject={injection}"],
                stdin=subprocess.DEVNULL, stdout=stream, stderr=stream)
        try:
            give_up = time.monotonic() + SECONDS
            while "attached" not in said.read_text():
                assert tracer.poll() is None and time.monotonic() < give_up, said.read_text()
                time.sleep(0.01)
            yield Trace(output)
        finally:
            if tracer.poll() is None:
                os.kill(tracer.pid, signal.SIGINT)      # it lets the server go on
            tracer.wait(SECONDS)
