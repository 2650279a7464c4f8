"""Scripts and what they return, run on ours and, by EVAL, on a real server.

    ROWS = {
        "an empty table is an object": [("return cjson.encode({})", b"{}")],
        "a global cannot be set": [("x = 1", Raised("user_script:1: Attempt to modify a readonly table"))],
    }

    @pytest.mark.parametrize("rows", row_params(ROWS))
    def test_rows(rows, side):
        check(rows, side)

A row is a script, the reply in RESP2 (types of tests.resp), and, where the real server replies something else, that,
too. Each row begins with a fresh Lua. `Since("8.0", rows)`: the real server must be that new.
"""
import hashlib
from dataclasses import dataclass

import pytest

from tests.resp import Error


@dataclass(frozen=True)
class Raised:
    """The reply for an error that a script raised in that line."""

    message: str
    line: int = 1
    code: str = "ERR"

    def reply(self, script, product):
        name = "" if product == "valkey" else f"{hashlib.sha1(script).hexdigest()}, "
        return Error(f"{self.code} {self.message} script: {name}on @user_script:{self.line}.")


@dataclass(frozen=True)
class Since:
    """Rows that an older real server does not run."""

    version: str
    rows: list


class Ours:
    """The side of fastredis: a Lua in this process."""

    name = "ours"
    product = "fastredis"

    def __init__(self, make):
        self.make = make                # function -> a Lua

    def run(self, script):
        lua = self.make()
        reply = lua.run(script)
        lua.verify()
        return reply


class Theirs:
    """The side of the real server; `server` is a running one."""

    name = "theirs"

    def __init__(self, peer, server):
        self.peer = peer
        self.product = peer.product
        self.server = server

    def run(self, script):
        with self.server.client(timeout=60) as client:
            client.call("SCRIPT", "FLUSH")          # and the settings of cjson, and so on
            return client.call("EVAL", script, "0")


def row_params(groups):
    """The rows of a module, a parameter for each group."""
    return [pytest.param(rows, id=name) for name, rows in groups.items()]


def check(rows, side):
    """Run the rows of a group on a side; all that differ are reported at once."""
    if isinstance(rows, Since):
        if side.name == "theirs" and not side.peer.has(rows.version):
            pytest.skip(f"needs {rows.version}, the peer is {side.peer}")
        rows = rows.rows
    wrong = []
    for script, ours, *theirs in rows:
        text = script.encode("latin1")
        expected = theirs[0] if theirs and side.name == "theirs" else ours
        if isinstance(expected, Raised):
            expected = expected.reply(text, side.product)
        reply = side.run(text)
        if not same(expected, reply):
            wrong.append(f"{script}\n  expected {expected!r}\n  got      {reply!r}")
    assert not wrong, "\n".join(wrong)


def same(expected, reply):
    """Equal, errors and statuses and what is in arrays included; a function is asked."""
    if callable(expected):
        return expected(reply)
    if isinstance(expected, list):
        return isinstance(reply, list) and len(expected) == len(reply) and all(map(same, expected, reply))
    return type(expected) is type(reply) and expected == reply
