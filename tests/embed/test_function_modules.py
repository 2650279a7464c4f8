"""function-module: files of Python that a server runs at its start."""
import subprocess
import sys

import pytest

import fastredis

MODULE = """
import sys

def register(server, greeting="hello"):
    @server.function()
    def greet(context, keys, args):
        return f"{greeting}, {args[0].decode()}"

    @server.command("COUNTUP", arity=2, flags=["write"], keys=fastredis_key())
    def countup(context, key):
        \"\"\"Counts.\"\"\"
        return context.call("INCR", key)

def fastredis_key():
    import fastredis
    return fastredis.key_at(1, "RW access update")
"""


@pytest.fixture
def module(tmp_path):
    path = tmp_path / "module.py"
    path.write_text(MODULE)
    return path


def test_a_server_of_its_own(fresh_server, module):
    server = fresh_server("--function-module", str(module), "good day")
    client = server.client()
    assert client.call("FCALL", "greet", 0, "you") == b"good day, you"
    assert client.call("COUNTUP", "k") == 1
    assert client.call("GET", "k") == b"1"
    assert "Function module loaded: " + str(module) in server.log()


def test_a_relative_path_begins_at_dir(module, tmp_path):
    with fastredis.Server(dir=tmp_path, function_module=["module.py"]) as server:
        assert server.engine.execute("FCALL", "greet", 0, "you") == b"hello, you"


def test_it_cannot_be_set_later(fresh_server):
    reply = fresh_server().client().call("CONFIG", "SET", "function-module", "x.py")
    assert str(reply).startswith("ERR Unknown option or number of arguments for CONFIG SET")


@pytest.mark.parametrize("text, words", [
    ("x = 1", "has no function register(server)"),
    ("def register(server):\n    raise ValueError('no')", "failed: ValueError: no"),
    ("def register(server):\n    server.command('GET')(print)", "there is a command 'GET' already"),
    ("def register(", "failed: SyntaxError"),
    ("raise SystemExit(3)", "failed: SystemExit: 3"),
], ids=["no function", "an exception", "a name that is taken", "no Python", "an exit"])
def test_a_file_that_will_not_do(tmp_path, text, words):
    path = tmp_path / "module.py"
    path.write_text(text)
    with pytest.raises(fastredis.SettingError, match=words.replace("(", r"\(").replace(")", r"\)")):
        fastredis.Server(function_module=path).start()
    result = subprocess.run([sys.executable, "-m", "fastredis", "--port", "0", "--function-module", str(path)],
                            capture_output=True, text=True, timeout=60)
    assert result.returncode == 1
    assert words in result.stderr


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(fastredis.SettingError, match="FileNotFoundError"):
        fastredis.Server(function_module=tmp_path / "none.py").start()
