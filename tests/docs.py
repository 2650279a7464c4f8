"""The code of README.md and of the pages in docs/, run as a reader would run it, each page in a directory of its own.

    python -m tests.docs docs/scaling.md

    ```sh             run by bash, which ends at the first failure
    ```python         run by this Python
    ```LANGUAGE title="FILE"      written to a file, for the blocks after it
    ```text           what the block before it prints

Ports are replaced by free ones. Servers that a page starts are ended with it.
"""
import argparse
import contextlib
import doctest
import os
import random
import re
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

TOP = Path(__file__).resolve().parent.parent
PAGES = [TOP / "README.md", *sorted((TOP / "docs").glob("*.md"))]
TIMEOUT_SECONDS = 120
BUS = 10_000                    # how far a cluster node's second port is from its first

# Ports are told by all but their last digit, which may be a shell's variable: 638$n.
PORTS = re.compile(r"\b(2638|637|638|639|700|701|777|2212|2222)(?=\d\b|\$n)")
TOOLS = {"python": "", "fastredis": "-m fastredis", "pytest": "-m pytest -p no:cacheprovider"}
FENCE = re.compile(r"^```(\w*)(?: title=\"([^\"]+)\")?\n(.*?)^```$", re.MULTILINE | re.DOTALL)


class Block(NamedTuple):
    """A block of code, and where it begins."""

    language: str
    title: str
    text: str
    line: int


def blocks(page: Path) -> list[Block]:
    text = page.read_text()
    return [Block(*found.groups(""), text.count("\n", 0, found.start()) + 1) for found in FENCE.finditer(text)]


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def free_ten() -> str:
    """All but the last digit of ten free ports, with those of a cluster's bus."""
    while True:
        ten = random.randrange(200, 540)
        if all(is_free(port + distance) for port in range(ten * 10, ten * 10 + 10) for distance in (0, BUS)):
            return str(ten)


class Reader:
    """One who does what a page says, in `directory`."""

    def __init__(self, directory: Path):
        self.directory = directory
        self.tools = directory / ".tools"
        self.tools.mkdir()
        self.ports: dict[str, str] = {}
        preload = shlex.quote(os.environ.get("LD_PRELOAD", ""))     # a sanitizer's is for Python; curl hangs with it
        python = shlex.quote(sys.executable)
        for name, module in TOOLS.items():
            tool = self.tools / name
            tool.write_text(f'#!/bin/sh\nLD_PRELOAD={preload} exec {python} {module} "$@"\n')
            tool.chmod(0o755)
        path = os.pathsep.join([str(self.tools), os.environ["PATH"], "/usr/sbin"])
        self.environment = {**os.environ, "PATH": path, "PYTHONPATH": str(TOP),
                            "PYTEST_ADDOPTS": "-p fastredis.pytest_plugin", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
        self.environment.pop("LD_PRELOAD", None)

    def follow(self, page: Path, skipped: frozenset[str] = frozenset()) -> None:
        """All blocks of a page, but the texts that are skipped. Errors: AssertionError."""
        printed, where = "", ""
        for block in blocks(page):
            if block.text in skipped:
                continue
            where = f"{page.name}, line {block.line}"
            if block.title:
                (self.directory / block.title).write_text(self.with_free_ports(block.text))
            elif block.language == "text":
                self.compare(block.text, printed, where)
            elif block.language in ("sh", "python"):
                printed = self.run(block, where)

    def with_free_ports(self, text: str) -> str:
        return PORTS.sub(lambda found: self.ports.setdefault(found[1], free_ten()), text)

    def run(self, block: Block, where: str) -> str:
        """What it prints."""
        command = ["bash", "-euo", "pipefail", "-c"] if block.language == "sh" else ["python", "-c"]
        # What a server in the background writes goes to a file: nobody would wait for the end of a pipe.
        with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as errors:
            done = subprocess.run([*command, self.with_free_ports(block.text)],
                                  cwd=self.directory, env=self.environment, stdin=subprocess.DEVNULL,
                                  stdout=output, stderr=errors, check=False, timeout=TIMEOUT_SECONDS)
            output.seek(0)
            errors.seek(0)
            printed, complaints = output.read(), errors.read()
        assert done.returncode == 0, f"{where}:\n{block.text}\nexit code {done.returncode}:\n{printed}{complaints}"
        return printed

    def compare(self, wanted: str, printed: str, where: str) -> None:
        flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
        assert doctest.OutputChecker().check_output(self.with_free_ports(wanted), printed, flags), \
            f"{where}: wanted\n{wanted}\nbut got\n{printed}"

    def end_servers(self) -> None:
        """Those that work below the directory, or have a file there with their process id."""
        for pid in {*self.working(), *self.in_pid_files()}:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def working(self) -> Iterator[int]:
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                with contextlib.suppress(OSError):
                    if Path(os.readlink(entry / "cwd")).is_relative_to(self.directory):
                        yield int(entry.name)

    def in_pid_files(self) -> Iterator[int]:
        """Those that have the directory in their arguments, too: a number may be another process's by now."""
        for path in self.directory.rglob("*pid"):
            with contextlib.suppress(OSError, ValueError):
                pid = int(path.read_text())
                if bytes(self.directory) in Path(f"/proc/{pid}/cmdline").read_bytes():
                    yield pid


@contextlib.contextmanager
def reader() -> Iterator[Reader]:
    with tempfile.TemporaryDirectory(prefix="docs-", ignore_cleanup_errors=True) as directory:
        one = Reader(Path(directory).resolve())
        try:
            yield one
        finally:
            one.end_servers()


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("page", nargs="+", type=Path)
    for page in options.parse_args().page:
        with reader() as one:
            one.follow(page)
        print(f"{page}: {len(blocks(page))} blocks")


if __name__ == "__main__":
    main()
