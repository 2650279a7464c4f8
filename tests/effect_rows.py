"""Rows of what commands hand to the AOF and the replicas, run on an engine in this process and on a real server.

    EFFECTS = {
        "SET EX": ("", "SET k v EX 10", "SET k v PXAT T+10000"),
        "SET NX": ("", "SET k v NX", "SET k v", "Redis writes it as it came"),
    }

    def test_effects(effect):
        effect.check()

A row has lines of commands, ` | ` between two: what prepares, what is looked at, and what is propagated of it. T+n
stands for the time n ms from now. Behind them may stand why real servers write something else, or can't run the row.
Of these the first one that knows the commands is asked; but for the deadlines themselves, its AOF must say the same.
With EFFECTS_UNDER = {name: text of a configuration file} in the module, ours runs each row under each of them.
"""
import contextlib
import importlib
import re
import time
from pathlib import Path

import pytest

from tests.local import NOW_MS, Local, propagated, words
from tests.resp import Client, Error
from tests.rows import OK
from tests.servers import peer_server

TIME = re.compile(r"T\+(\d+)")
DEADLINE = re.compile(r"T\+\d+|\b\d{13}\b")
SOON_SECONDS = 100
UNKNOWN = ("ERR unknown command", "ERR syntax error")


def lines_of(text):
    return list(filter(None, map(str.strip, text.split("|"))))


def effect_params(module, with_peer):
    """A module's EFFECTS -> pytest parameters: a row and the configuration text of ours, None for a real server."""
    under = getattr(module, "EFFECTS_UNDER", {"": ""})
    params = []
    for name, (setup, commands, expected, *reason) in module.EFFECTS.items():
        row = (setup, commands, expected)
        for title, options in under.items():
            params.append(pytest.param((row, options), id="-".join(filter(None, ("fastredis", title, name)))))
        marks = [pytest.mark.skip(reason=reason[0])] if reason else []
        params += [pytest.param((row, None), id=f"peer-{name}", marks=marks)] if with_peer else []
    return params


def all_effects():
    """(name, row) of all files in tests/commands."""
    for path in sorted((Path(__file__).parent / "commands").glob("test_*.py")):
        module = importlib.import_module(f"tests.commands.{path.stem}")
        yield from getattr(module, "EFFECTS", {}).items()


class Effect:
    """A row on ours under `options`, or, with None, on the real servers that `appending` yields."""

    def __init__(self, row, options, appending):
        self.row, self.options, self.appending = row, options, appending

    def check(self):
        setup, commands, expected = self.row
        if self.options is None:
            found, wanted = self.on_peer(), DEADLINE.sub("T", expected)
        else:
            wanted = TIME.sub(lambda match: str(NOW_MS + int(match[1])), expected)
            with Local("enable-debug-command yes\n" + self.options) as local:
                found = propagated(local, commands, setup)
        assert list(map(in_order, found)) == list(map(in_order, lines_of(wanted))), f"it propagates {found}"

    def on_peer(self):
        """What the first server that knows the commands writes to its AOF; skips when none does."""
        for written in self.appending:
            lines = written.by(*self.row)
            if lines is not None:
                return lines
        return pytest.skip("no peer knows the commands")


def in_order(line):
    """Fields that expire together come in any order."""
    name, *rest = line.split()
    return [name, *rest[:1], *sorted(rest[1:])] if name == "HDEL" else [name, *rest]


class Appending:
    """A real server with an AOF, whose last part has what it propagates."""

    def __init__(self, server):
        self.client = server.client()
        self.path = next((server.directory / "appendonlydir").glob("*.incr.aof"))

    def by(self, setup, commands, expected):
        """The lines that commands write; None when the server does not know one of them."""
        soon = int(time.time()) + SOON_SECONDS
        setup, commands = (
            [words(line.replace("1700000010", str(soon)).replace("1700000000010", f"{soon}000"))
             for line in lines_of(text)] for text in (setup, commands))
        assert self.client.call("FLUSHALL") == OK
        if any(self.is_unknown(argv) for argv in setup):
            return None
        size = self.path.stat().st_size
        unknown = [argv for argv in commands if self.is_unknown(argv)]
        if unknown and expected:
            return None
        reader = Client.__new__(Client)
        reader.buffer, reader.position = self.path.read_bytes()[size:], 0
        lines = []
        while reader.position < len(reader.buffer):
            lines.append(b" ".join(reader._frame()).decode())
        return [DEADLINE.sub("T", line) for line in lines if not line.startswith("SELECT ")]

    def is_unknown(self, argv):
        reply = self.client.call(*argv)
        return isinstance(reply, Error) and reply.startswith(UNKNOWN)


class AppendingServers:
    """The Peers in turn as Appending ones, each started when it is first asked for."""

    def __init__(self, peers):
        self.peers = peers
        self.started = {}
        self.stack = contextlib.ExitStack()

    def __iter__(self):
        for peer in self.peers:
            if peer not in self.started:
                server = self.stack.enter_context(
                    peer_server(peer.path, "--appendonly", "yes", "--appendfsync", "always"))
                self.started[peer] = Appending(server)
            yield self.started[peer]
