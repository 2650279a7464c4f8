"""COMMAND, CONFIG REWRITE, DEBUG, SHUTDOWN and LOLWUT: what rows of commands and replies cannot say."""
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

import fastredis
from tests.resp import BigNumber, Closed, Error, NilArray, Push, Set, Status, Verbatim
from tests.rows import OK
from tests.servers import Server

SYNTAX = Error("ERR syntax error")
BOTH = pytest.mark.parametrize("either_server", ["fastredis", "peer"], indirect=True)


@pytest.fixture
def client(fresh_server):
    with fresh_server().client(protocol=3) as client:
        yield client


# --- COMMAND ------------------------------------------------------------------------------


def test_every_command_is_listed_described_and_documented(client):
    described = {entry[0]: entry for entry in client.call("COMMAND")}
    assert client.call("COMMAND", "COUNT") == len(described)
    names = client.call("COMMAND", "LIST")
    assert {name for name in names if b"|" not in name} == set(described)
    assert {name for name in names if b"|" in name} == {sub[0] for entry in described.values() for sub in entry[9]}
    assert client.call("COMMAND", "DOCS").keys() == set(described)
    for name in names:
        (entry,) = client.call("COMMAND", "INFO", name)
        assert entry[0] == name
        docs = client.call("COMMAND", "DOCS", name)
        assert docs.keys() == {name}
        assert {b"summary", b"since", b"group"} <= docs[name].keys(), name


def test_each_acl_category_lists_the_commands_that_say_so(client):
    described = client.call("COMMAND")
    entries = [entry for command in described for entry in (command, *command[9])]
    for category in ("read", "write", "string", "dangerous", "fast"):
        wanted = {entry[0] for entry in entries if Status("@" + category) in entry[6]}
        assert wanted
        assert set(client.call("COMMAND", "LIST", "FILTERBY", "ACLCAT", category.upper())) == wanted


def test_keys_of_every_command_are_found(client):
    """A call with as many arguments as the arity asks for has a key where COMMAND INFO says the first one is."""
    tried = 0
    for name, arity, _, first, last, step, _, _, specs, _ in client.call("COMMAND"):
        real = any(Status("not_key") not in spec[b"flags"] for spec in specs)     # SPUBLISH's channel is none
        if real and first and last in (first, -1) and step == 1:
            argv = [name, *(b"1" for _ in range(max(abs(arity), first + 1) - 1))]
            argv[first] = b"the-key"
            if name == b"pfmerge":
                argv.append(b"1")           # its sources may be left out, but to Redis no key is found then
            found = client.call("COMMAND", "GETKEYS", *argv)
            assert not isinstance(found, Error), (name, found)
            assert b"the-key" in found
            tried += 1
    assert tried > 20


# --- CONFIG REWRITE -----------------------------------------------------------------------


@pytest.fixture
def configured(tmp_path):
    """A server that was started with a configuration file, and the file's path."""
    path = tmp_path / "redis.conf"
    path.write_text("# mine\nmaxmemory-samples 7\n")
    environment = dict(os.environ, PYTHONPATH=str(Path(fastredis.__file__).resolve().parent.parent))
    with Server("fastredis", [sys.executable, "-m", "fastredis", str(path)], (), environment) as server:
        yield server, path


def test_rewrite_keeps_the_file_and_adds_what_changed(configured):
    server, path = configured
    with server.client() as client:
        assert client.call("CONFIG", "SET", "maxmemory-samples", 9, "hz", 20) == OK
        assert client.call("CONFIG", "REWRITE") == OK
    lines = path.read_text().split("\n")
    assert lines[:2] == ["# mine", "maxmemory-samples 9"]
    assert "hz 20" in lines
    assert not any(line.startswith("lfu-log-factor") for line in lines)


def test_forced_rewrite_writes_defaults_too(configured):
    server, path = configured
    with server.client() as client:
        assert client.call("DEBUG", "CONFIG-REWRITE-FORCE-ALL") == OK
    assert "lfu-log-factor 10" in path.read_text().split("\n")


# --- whole databases ----------------------------------------------------------------------


@BOTH
def test_flushing_touches_only_watched_keys_that_are_there(either_server):
    with either_server().client() as client:
        for key, wanted in (("k", NilArray), ("none", list)):
            for flush in ("FLUSHALL", "FLUSHDB"):
                client.call("SET", "k", "v")
                client.call("WATCH", key)
                client.call(flush)
                client.call("MULTI")
                client.call("PING")
                assert isinstance(client.call("EXEC"), wanted), (key, flush)


@BOTH
def test_swapping_touches_keys_of_either_database(either_server):
    server = either_server()
    with server.client() as client, server.client() as other:
        other.call("SELECT", 1)
        other.call("SET", "there", "v")
        client.call("SET", "here", "v")
        for key, wanted in (("here", NilArray), ("there", NilArray), ("none", list)):
            client.call("WATCH", key)
            assert other.call("SWAPDB", 0, 1) == OK
            client.call("MULTI")
            client.call("PING")
            assert isinstance(client.call("EXEC"), wanted), key
        assert client.call("KEYS", "*") == [b"there"]
        assert other.call("KEYS", "*") == [b"here"]


# --- DEBUG --------------------------------------------------------------------------------

PROTOCOL = {
    "string": b"Hello World",
    "integer": 12345,
    "double": 3.141,
    "bignum": BigNumber(1234567999999999999999999999999999999),
    "null": None,
    "array": [0, 1, 2],
    "set": Set([0, 1, 2]),
    "map": {0: False, 1: True, 2: False},
    "verbatim": Verbatim(b"This is a verbatim\nstring"),
    "true": True,
    "false": False,
}


@BOTH
def test_debug_protocol_in_resp3(either_server):
    with either_server().client(protocol=3) as client:
        for kind, wanted in PROTOCOL.items():
            reply = client.call("DEBUG", "PROTOCOL", kind)
            assert (type(reply), reply) == (type(wanted), wanted)
        client.send("DEBUG", "PROTOCOL", "push")
        assert client.read() == Push([b"server-cpu-usage", 42])
        assert client.read() == b"Some real reply following the push reply"
        client.send("DEBUG", "PROTOCOL", "attrib")
        assert client.read() == b"Some real reply following the attribute"


@BOTH
def test_debug_protocol_in_resp2(either_server):
    with either_server().client() as client:
        assert client.call("DEBUG", "PROTOCOL", "map") == [0, 0, 1, 1, 2, 0]
        assert client.call("DEBUG", "PROTOCOL", "attrib") == b"Some real reply following the attribute"
        assert client.call("DEBUG", "PROTOCOL", "push") == Error("ERR RESP2 is not supported by this command")
        assert client.call("DEBUG", "PROTOCOL", "nosuch").startswith("ERR Wrong protocol type name.")


@BOTH
def test_debug_digest(either_server):
    with either_server().client() as client:
        assert client.call("DEBUG", "DIGEST") == Status("0" * 40)
        for command in ("SET a 1", "SET b hello EX 1000", "SET c 12345678901234567890", "SELECT 3", "SET zz 1"):
            client.call(*command.split(" "))
        assert client.call("DEBUG", "DIGEST") == Status("fb2370d5337a902756f1a196f281049e14cd18bd")
        client.call("SELECT", 0)
        assert client.call("DEBUG", "DIGEST-VALUE", "a", "b", "c", "none") == [
            Status("b4fc66738120fba0b5aa500ab5c2bf89cea1c5da"), Status("d037c4eb8a8b36b602fbced4000daeab0714c1e3"),
            Status("71f0756f36a6579483243170ae41bfe56d554e36"), Status("0" * 40)]


@BOTH
def test_debug_populate(either_server):
    with either_server().client() as client:
        client.call("SET", "key:1", "mine")
        assert client.call("DEBUG", "POPULATE", 100) == OK
        assert client.call("DBSIZE") == 100
        assert client.call("MGET", "key:0", "key:1", "key:99", "key:100") == [b"value:0", b"mine", b"value:99", None]
        assert client.call("DEBUG", "POPULATE", 11, "p", 10) == OK
        assert client.call("MGET", "p:0", "p:10") == [b"value:0\0\0\0", b"value:10\0\0"]
        assert client.call("DEBUG", "POPULATE", 1, "q", 3) == OK
        assert client.call("GET", "q:0") == b"val"
        assert client.call("DEBUG", "POPULATE", "x") == Error("ERR value is out of range, must be positive")


@BOTH
def test_debug_object_tells_the_saved_length(either_server):
    lengths = {"5": 2, "-129": 3, "70000": 5, "2147483648": 11, "abc": 4, "007": 4, "x" * 20: 21}
    with either_server().client() as client:
        for value, length in lengths.items():
            client.call("SET", "k", value)
            assert f"serializedlength:{length} " in client.call("DEBUG", "OBJECT", "k"), value


def test_dict_resizing_holds_the_table(client):
    client.call("DEBUG", "POPULATE", 1000)
    size = re.search(rb"table size: \d+", client.call("DEBUG", "HTSTATS", 0))[0]
    client.call("DEBUG", "DICT-RESIZING", 0)
    client.pipeline([("DEL", f"key:{n}") for n in range(990)])
    assert size in client.call("DEBUG", "HTSTATS", 0)
    client.call("DEBUG", "DICT-RESIZING", 1)
    client.call("DEL", "key:990")
    give_up = time.monotonic() + 5
    while size in client.call("DEBUG", "HTSTATS", 0):
        assert time.monotonic() < give_up
        time.sleep(0.01)
    assert b"number of elements: 9\n" in client.call("DEBUG", "HTSTATS", 0)


def test_debug_help_names_every_subcommand(client):
    lines = client.call("DEBUG", "HELP")
    names = {line.split(" ")[0] for line in lines[1:] if not line.startswith(" ")}
    assert {"SLEEP", "OBJECT", "CLOCK", "DIGEST", "HELP"} <= names
    for name in names - {"REPLICATE"}:          # which takes any number of arguments
        # An unknown one would be named in the error together with this many arguments.
        reply = client.call("DEBUG", name, *["x"] * 9)
        assert isinstance(reply, list) or "wrong number of arguments" in reply


def test_debug_log_writes_to_the_log(fresh_server):
    server = fresh_server()
    with server.client() as client:
        assert client.call("DEBUG", "LOG", "a line of mine") == OK
    assert "DEBUG LOG: a line of mine" in server.log()


@BOTH
def test_debug_needs_permission(either_server):
    with either_server("--enable-debug-command", "no").client() as client:
        assert client.call("DEBUG", "SLEEP", 0).startswith("ERR DEBUG command not allowed.")


# --- SHUTDOWN, LOLWUT ---------------------------------------------------------------------


@BOTH
def test_shutdown_refuses(either_server):
    with either_server().client() as client:
        for words in ("x", "SAVE NOSAVE", "ABORT NOW", "NOSAVE ABORT"):
            assert client.call("SHUTDOWN", *words.split(" ")) == SYNTAX, words
        assert client.call("SHUTDOWN", "ABORT") == Error("ERR No shutdown in progress.")
        assert client.call("PING") == Status("PONG")


@BOTH
@pytest.mark.parametrize("words", ["", "NOSAVE", "nosave now force"])
def test_shutdown_ends_the_process(either_server, words):
    server = either_server()
    with server.client() as client, pytest.raises((Closed, ConnectionError)):
        client.call("SHUTDOWN", *words.split())
    try:
        assert server.process.wait(5) == 0
    except subprocess.TimeoutExpired:
        pytest.fail("it runs on")


def test_lolwut_draws_what_is_asked_for(client):
    lines = client.call("LOLWUT", "VERSION", 1, 30, 7).decode().split("\n")
    assert len(lines) == 7 + 3
    assert max(map(len, lines[:7])) <= 30
    assert lines[0].strip() == "\u2584\u2588\u2584"
    assert lines[-2].endswith(f"Redis ver. {fastredis.REDIS_VERSION}")
    assert client.call("LOLWUT", "VERSION", 1, 30, 7).decode().split("\n") == lines
    assert client.call("LOLWUT", "VERSION", 2, 30, 7).decode().split("\n") != lines
    assert client.call("LOLWUT", "VERSION", "x") == Error("ERR value is not an integer or out of range")
