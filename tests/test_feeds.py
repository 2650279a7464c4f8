"""A change and its propagation: either all who take what is propagated have it, or the process ends with a report.

The first tests run an engine in this process, whose panic() raises Panic instead of ending it.
"""
import contextlib
import re
import resource
import subprocess
import sys
import time
from pathlib import Path

import pytest

from fastredis.commands import migrate
from fastredis.engine.engine import Feed
from tests.core_probes import FeedProbe
from tests.local import Local, QuietLog, words
from tests.resp import Closed, Error, Status
from tests.rows import OK
from tests.servers import fastredis_server

TOP = Path(__file__).resolve().parent.parent
SMALL = 64 * 1024                       # bytes that the buffer of a few hundred short commands may take
ROUNDS = 50
BIG = 12_000_000
MIB = 1024 * 1024


class Panic(BaseException):
    """What the server would end with."""


class Broken(Feed):
    """A Feed that takes nothing from the moment it is told to."""

    def __init__(self):
        self.works = True

    def command(self, db, argv):
        if not self.works:
            raise OSError("disk full")


@pytest.fixture
def local():
    engine = Local("enable-debug-command yes")

    def panic(text, is_bug):
        raise Panic(text)
    engine.engine.on_fatal = panic
    engine.engine.log = QuietLog()
    yield engine
    engine.loop.close()


def test_all_feeds_have_room_before_the_first_is_written_to(local):
    first, second = FeedProbe(), FeedProbe()
    local.engine.add_feed(first)
    local.engine.add_feed(second)
    client = local.client()
    assert client.call("SET", "a", "1") == OK
    assert first.steps == second.steps == ["reserve", "write"]
    second.fails = "reserve"
    local.notes.take()
    with pytest.raises(Panic, match="could not be written"):
        client.call("SET", "a", "2")
    assert first.steps == ["reserve", "write", "reserve"]
    assert second.steps == ["reserve", "write", "reserve"]
    assert local.notes.take() == []


# name: lines that prepare, the line that changes something; T: time passes
CHANGES = {
    "a command": ("", "SET a 1"),
    "its effect": ("SADD s a b c", "SPOP s 2"),
    "several effects": ("HSET h a 1 b 2", "HPEXPIRE h 100 FIELDS 2 a b"),
    "one command of EXEC": ("MULTI | GET a | SET a 1", "EXEC"),
    "two commands of EXEC": ("MULTI | SET a 1 | SET b 1", "EXEC"),
    "a key that expires": ("SET a 1 PX 10", "T"),
    "a field that expires": ("HSET h a 1 b 2 | HPEXPIRE h 10 FIELDS 1 a", "T"),
    "a member that expires": ("SADD s a b | SPEXPIRE s 10 MEMBERS 1 a", "T"),
    "a key that expires when it is asked for": ("DEBUG SET-ACTIVE-EXPIRE 0 | SET a 1 PX 10 | DEBUG CLOCK ADVANCE 20",
                                                "GET a"),
    "a key that is evicted": ("SET a 1 | CONFIG SET maxmemory-policy allkeys-random | CONFIG SET maxmemory 1", "GET a"),
}


@pytest.mark.parametrize("setup, change", CHANGES.values(), ids=CHANGES)
def test_change_that_cannot_be_propagated_ends_the_process(local, setup, change):
    feed = Broken()
    local.engine.add_feed(feed)
    client = local.client()
    for line in filter(None, map(str.strip, setup.split("|"))):
        assert not isinstance(client.call(*words(line)), Error), line
    feed.works = False
    with pytest.raises(Panic, match="could not be written to the AOF or sent to the replicas"):
        if change == "T":
            local.advance(20)
        else:
            client.call(*words(change))
    assert client.socket.output == b""
    assert any("disk full" in text and "Traceback" in text for text in local.engine.log.warnings)


def test_served_client_whose_change_cannot_be_propagated_ends_the_process(local):
    waiting, client = local.client(), local.client()
    waiting.send("BLMOVE", "a", "b", "LEFT", "RIGHT", "0")
    feed = FeedProbe()
    local.engine.add_feed(feed)
    client.call("RPUSH", "c", "x")
    feed.steps.clear()
    assert client.pipeline([("RPUSH", "a", "x")]) == [1]
    assert feed.steps == ["reserve", "write"] * 2
    waiting.read()
    waiting.send("BLMOVE", "a", "b", "LEFT", "RIGHT", "0")
    broken = Broken()
    local.engine.add_feed(broken)
    broken.works = False
    with pytest.raises(Panic):
        client.call("RPUSH", "a", "x")
    assert waiting.socket.output == client.socket.output == b""


def test_command_that_may_write_and_raises_ends_the_process(local, monkeypatch):
    monkeypatch.setattr(migrate, "parse", None)
    client = local.client()
    line = words("MIGRATE 127.0.0.1 1 k 0 1")
    with pytest.raises(Panic, match="migrate"):
        client.call(*line)
    assert client.socket.output == b""
    assert any("Traceback" in text for text in local.engine.log.warnings)
    assert local.client().call("MULTI") == OK
    client = local.client()
    client.pipeline([("MULTI",), line])
    with pytest.raises(Panic, match="migrate"):
        client.call("EXEC")


def test_command_that_only_reads_and_raises_is_told_its_client(local):
    client = local.client()
    config, local.engine.config = local.engine.config, None         # WAITAOF asks it for `appendonly`
    assert client.call("WAITAOF", 1, 0, 0) == Error("ERR internal error, see the log")
    local.engine.config = config
    assert client.call("PING") == Status("PONG")


PROGRAM = """
from tests.test_feeds import Broken, Local
local = Local("use-exit-on-panic yes")
local.server.log.warning = print
feed = Broken()
local.engine.add_feed(feed)
client = local.client()
print(client.call("SET", "a", "1"))
feed.works = False
print(client.call("SET", "a", "2"))
"""


def test_report_of_a_change_that_could_not_be_propagated():
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=60, cwd=TOP)
    assert done.returncode == 1, done
    assert "Guru Meditation: A change of the data could not be written to the AOF" in done.stdout
    assert "OSError: disk full" in done.stdout
    assert done.stdout.startswith("OK\n") and "internal error" not in done.stdout


# --- on a server ----------------------------------------------------------------------------

def number(text, field):
    return int(re.search(rb"^%s:(\d+)" % field.encode(), text, re.MULTILINE)[1])


@pytest.mark.parametrize("timestamps", ["no", "yes"])
def test_buffers_grow_with_what_is_in_them_and_not_with_databases(fresh_server, timestamps):
    """A pipeline that goes from database to database, in one turn, with an AOF and a replica."""
    master = fresh_server("--appendonly", "yes", "--aof-timestamp-enabled", timestamps)
    with (fastredis_server("--replicaof", f"127.0.0.1 {master.port}") as replica, master.client() as client,
          replica.client() as other):
        give_up = time.monotonic() + 60
        while b"master_link_status:up" not in other.call("INFO", "replication"):
            assert time.monotonic() < give_up
            time.sleep(0.02)
        before = client.call("INFO", "memory")
        lines = []
        for number_ in range(ROUNDS):
            lines += [("SELECT", number_ % 16), ("SET", f"k{number_}", number_), ("INCR", "n")]
        lines += [("MULTI",), ("INCR", "one"), ("INCR", "other"), ("EXEC",)]
        *replies, after = client.pipeline([*lines, ("INFO", "memory")])
        assert not [reply for reply in replies if isinstance(reply, Error)]
        assert number(after, "mem_aof_buffer") <= SMALL
        assert number(after, "used_memory") - number(before, "used_memory") < MIB
        assert client.call("WAIT", 1, 60_000) == 1
        digest = client.call("DEBUG", "DIGEST")
        assert other.call("DEBUG", "DIGEST") == digest
        assert client.call("DEBUG", "LOADAOF") == Status("OK")
        assert client.call("DEBUG", "DIGEST") == digest
        assert client.call("SET", "later", "x") == OK
        assert client.call("WAIT", 1, 60_000) == 1
        assert other.call("DEBUG", "DIGEST") == client.call("DEBUG", "DIGEST")      # the replica got nothing twice


def test_what_has_expired_is_there_for_the_commands_of_an_aof_that_is_loaded_again(fresh_server):
    with fresh_server("--appendonly", "yes").client() as client:
        client.call("DEBUG", "SET-ACTIVE-EXPIRE", "0")
        client.call("DEBUG", "CLOCK", "FREEZE")
        client.pipeline([("SET", "k", "1", "PX", "10"), ("INCR", "k"), ("DEBUG", "CLOCK", "ADVANCE", "20")])
        assert client.call("DEBUG", "LOADAOF") == OK
        assert client.call("GET", "k") is None


@pytest.mark.parametrize("room", [6, 14, 28, 40, 60])
def test_big_value_is_refused_or_propagated_or_the_end(room):
    """With little address space left: no error after the change."""
    server = fastredis_server("--appendonly", "yes", "--use-exit-on-panic", "yes")
    try:
        client = server.client()
        client.call("SET", "k", "x")
        with open(f"/proc/{server.pid}/status", encoding="ascii") as status:
            limit = int(re.search(r"VmSize:\s+(\d+)", status.read())[1]) * 1024 + room * MIB
        resource.prlimit(server.pid, resource.RLIMIT_AS, (limit, limit))
        try:
            reply = client.call("APPEND", "k", "y" * BIG)
            assert client.call("STRLEN", "k") == (1 if isinstance(reply, Error) else BIG + 1)
            assert isinstance(reply, Error) or reply == BIG + 1
            reply = client.call("SETRANGE", "k", 2 * BIG, "z")
            assert isinstance(reply, Error) or reply == client.call("STRLEN", "k") == 2 * BIG + 1
        except (Closed, ConnectionError):
            pass                                # the query buffer, or the whole process
    finally:
        with contextlib.suppress(AssertionError):       # its log tells why it ended
            server.stop()
