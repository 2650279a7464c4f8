"""How a server starts, or does not: listeners, names of commands, an AOF that is of no use, a stop while it loads."""
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.helpers import wait_until
from tests.resp import Client, Closed, Error
from tests.rows import OK
from tests.servers import fastredis_server, free_port

SECONDS = 20
TOP = Path(__file__).resolve().parent.parent


def starts(start, *options, config=None):
    """The server, or the log of one that did not start."""
    try:
        return start(*options, config=config)
    except RuntimeError as failure:
        return str(failure)


# Lines of a configuration file, and which commands there are then (True: it is there); None: it does not start.
RENAMED = {
    "to itself": ("rename-command GET GET", {"GET": True}),
    "in another case": ("rename-command GET get", {"GET": True}),
    "in a chain": ("rename-command GET A\nrename-command A B", {"GET": False, "A": False, "B": True}),
    "and back": ("rename-command GET A\nrename-command A GET", {"GET": True, "A": False}),
    "two for each other": ("rename-command GET A\nrename-command TTL GET\nrename-command A TTL",
                           {"GET": True, "TTL": True, "A": False}),
    "in the place of one that left": ("rename-command GET A\nrename-command TTL GET", {"GET": True, "TTL": False}),
    "in the place of one that is gone": ("rename-command GET ''\nrename-command TTL GET", {"GET": True, "TTL": False}),
    "a removed one again": ("rename-command GET ''\nrename-command GET A", None),
    "twice": ("rename-command GET A\nrename-command GET B", None),
    "twice the same": ("rename-command GET A\nrename-command GET A", None),
    "two to one name": ("rename-command GET A\nrename-command TTL A", None),
    "removed twice": ("rename-command GET ''\nrename-command GET ''", None),
    "to one that is there": ("rename-command GET TTL", None),
    "to one that leaves later": ("rename-command GET TTL\nrename-command TTL A", None),
    "no command": ("rename-command NONE A", None),
}


@pytest.mark.parametrize("name", RENAMED)
def test_rename_command_line_by_line(either_server, name):
    lines, expected = RENAMED[name]
    server = starts(either_server, config=lines + "\n")
    if expected is None:
        assert "did not start" in str(server)
        assert "No such command in rename-command" in server or "Target command name already exists" in server
        return
    with server.client() as client:
        for word, is_there in expected.items():
            answer = client.call(word, "k")
            assert (isinstance(answer, Error) and answer.startswith("ERR unknown command")) != is_there, word
        if name == "two for each other":
            assert client.call("GET", "k") == -2 and client.call("TTL", "k") is None


@pytest.mark.parametrize("obstacle", ["a file", "a directory in the manifest's place", "a loop of links"])
def test_an_unusable_aof_is_no_matter_when_it_is_off(either_server, tmp_path, obstacle):
    directory = tmp_path / "appendonlydir"
    if obstacle == "a file":
        directory.write_text("")
    elif obstacle == "a loop of links":
        directory.symlink_to(directory)
    else:
        (directory / "appendonly.aof.manifest").mkdir(parents=True)
    server = starts(either_server, "--dir", str(tmp_path))
    if obstacle == "a directory in the manifest's place" and isinstance(server, str):
        return                                      # redis-server does not start with that one
    with server.client() as client:
        assert client.call("SET", "k", "v") == OK
        if server.kind == "fastredis":
            answer = str(client.call("CONFIG", "SET", "appendonly", "yes"))
            assert answer.startswith("ERR") or obstacle.startswith("a directory")
            assert client.call("GET", "k") == b"v"
            client.call("CONFIG", "SET", "appendonly", "no")


def test_a_server_with_no_address_left_ends(either_server):
    assert "Configured to not listen anywhere, exiting." in starts(either_server, "--bind", "-192.0.2.1")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("appendonly", ["yes", "no"])
def test_a_stop_while_data_are_loaded_is_no_failure(tmp_path, number, appendonly):
    options = ("--dir", str(tmp_path), "--appendonly", appendonly)
    with fastredis_server(*options) as first, first.client(timeout=SECONDS) as client:
        client.pipeline([("SET", f"k{n}", n) for n in range(3000)])
        client.call("SAVE")
        if appendonly == "yes":
            client.call("BGREWRITEAOF")
            wait_until(lambda: b"aof_rewrite_in_progress:0" in client.call("INFO", "persistence"))
        first.stop()
    before = sorted((path.name, path.read_bytes()) for path in tmp_path.rglob("*") if path.is_file())
    port = free_port()
    server = subprocess.Popen(
        [sys.executable, "-m", "fastredis", "--port", str(port), *options, "--key-load-delay", "100000", "--save",
         "900 1"], cwd=TOP, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_until(lambda: loads(port))
        server.send_signal(number)
        assert server.wait(SECONDS) == 0
    finally:
        if server.poll() is None:
            server.kill()
            server.wait()
    assert sorted((path.name, path.read_bytes()) for path in tmp_path.rglob("*") if path.is_file()) == before


def loads(port):
    try:
        with Client(port) as client:
            return b"loading:1" in client.call("INFO", "persistence")
    except (OSError, Closed):
        return False
