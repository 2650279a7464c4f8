"""Which Lua it is: Lua 5.1, where there is no LuaJIT, with what makes it safe; and none at all."""
import os
import subprocess
import sys
from pathlib import Path

import pytest

import fastredis
from tests.resp import Error, Status
from tests.scripting import test_returns, test_sandbox
from tests.scripting.rows import Ours, check, row_params
from tests.servers import Server, fastredis_server

REPOSITORY = Path(fastredis.__file__).resolve().parent.parent


class Served(Ours):
    """The side of a running fastredis."""

    def __init__(self, server):
        self.server = server

    def run(self, script):
        with self.server.client(timeout=60) as client:
            client.call("SCRIPT", "FLUSH")
            return client.call("EVAL", script, "0")


@pytest.fixture(scope="module", params=["luajit21", "lua51"])
def served(request, pytestconfig):
    """A server for each Lua of lupa."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FASTREDIS_LUA", request.param)
        with fastredis_server(loop=pytestconfig.getoption("--loop")) as server:
            with server.client() as client:
                reply = client.call("EVAL", "return 1", "0")
            if isinstance(reply, Error):
                pytest.skip(f"this lupa has no {request.param}: {reply}")
            yield Served(server)


@pytest.mark.parametrize("rows", row_params(test_sandbox.ROWS))
def test_nobody_gets_out(rows, served):
    check(rows, served)


@pytest.mark.parametrize("script, line", test_returns.LINES.values(), ids=test_returns.LINES)
def test_lines_of_errors(script, line, served):
    assert served.run(script).endswith(f"on @user_script:{line}.")


def test_lua_51_is_another_one(served):
    """That FASTREDIS_LUA does what these tests say: only LuaJIT has \\x in strings."""
    name = os.environ["FASTREDIS_LUA"]
    assert (served.run(r"return '\x41'") == b"A") is (name == "luajit21")


OTHER = """
import lupa
with lupa.allow_lua_module_loading():       # its names are in view of all libraries from now on
    from lupa import lua51
assert lua51.LuaRuntime().eval("1 + 1") == 2
import fastredis
with fastredis.Server(unixsocket=None) as server:
    for i in range(100):
        assert server.engine.execute("EVAL", "return redis.call('INCR', KEYS[1])", 1, "n") == i + 1
assert lua51.LuaRuntime().eval("1 + 1") == 2
print("done")
"""


def test_another_lua_in_the_process():
    """Each calls its own functions. Where the system can't have that, scripts run on the one that is there already."""
    done = subprocess.run([sys.executable, "-c", OTHER], cwd=REPOSITORY, capture_output=True, text=True, timeout=60,
                          check=True)
    assert done.stdout == "done\n"


# ---- None

@pytest.fixture
def without_lua(tmp_path):
    """start(**files): a server that finds these files in a lupa of ours, and no other."""
    servers = []

    def start(**files):
        folder = tmp_path / "lupa"
        folder.mkdir()
        (folder / "__init__.py").touch()
        for name, data in files.items():
            (folder / f"{name}.so").write_bytes(data)
        environment = dict(os.environ, PYTHONPATH=f"{tmp_path}{os.pathsep}{REPOSITORY}")
        environment.pop("FASTREDIS_LUA", None)
        server = Server("fastredis", [sys.executable, "-m", "fastredis"], environment=environment)
        servers.append(server)
        return server
    yield start
    for server in servers:
        server.stop()


REQUESTS = (["EVAL", "return 1", "0"], ["EVAL_RO", "return 2", "0"], ["SCRIPT", "LOAD", "return 1"],
            ["EVAL", "return 1", "0"])


def test_without_lupa_scripts_are_refused(without_lua):
    server = without_lua()
    with server.client() as client:
        for request in REQUESTS:
            reply = client.call(*request)
            assert isinstance(reply, Error)
            assert reply == Error("ERR scripts can't run on this server: scripts need the package lupa: "
                                  "lupa.luajit21: it is not installed; lupa.lua51: it is not installed")
        assert client.call("EVALSHA", "f" * 40, "0") == Error("NOSCRIPT No matching script. Please use EVAL.")
        assert client.call("SCRIPT", "EXISTS", "f" * 40) == [0]
        assert client.call("SCRIPT", "FLUSH") == client.call("SET", "k", "v") == Status("OK")
        assert b"used_memory_lua:0\r\n" in client.call("INFO", "memory")
    assert server.log().count("Scripts can't run: ") == 1


def test_a_broken_library_is_named(without_lua):
    server = without_lua(luajit21=b"not a library", lua51=b"")
    with server.client() as client:
        reply = client.call("EVAL", "return 1", "0")
        assert "lupa.luajit21: " in reply and "lupa.lua51: " in reply and "file too short" in reply
        assert client.call("PING") == Status("PONG")
