"""Commands inside of commands, and clients who wait: frames, units and wake-ups, by commands that only tests have.

PROBE.SCRIPT runs lines as a script would, each word after a _; PROBE.WAIT waits for a key to become a list, or to be
none any more (tests/core_probes.pyx). The engine runs in this process; `local.notes` has what it propagates.
"""
import pytest

from tests.core_probes import add_probe_commands
from tests.local import Local
from tests.resp import Error
from tests.rows import OK, QUEUED


@pytest.fixture
def local():
    local = Local("enable-debug-command yes\nnotify-keyspace-events KEA")
    add_probe_commands(local.engine)
    yield local
    local.loop.close()


@pytest.fixture
def client(local):
    return local.client()


def taken(local):
    """What was propagated since the last call, a line each."""
    return [b" ".join(argv).decode() for _, argv in local.notes.take()]


# --- units ------------------------------------------------------------------------------------

def test_commands_of_a_script_reply_into_its_own_buffer(client):
    assert client.call("PROBE.SCRIPT", "SET_a_1", "INCR_a", "GET_a", "LRANGE_l_0_-1") == [
        b"+OK\r\n", b":2\r\n", b"$1\r\n2\r\n", b"*0\r\n"]
    assert client.call("GET", "a") == b"2"


def test_what_a_script_does_is_one_transaction(local, client):
    client.call("PROBE.SCRIPT", "SET_a_1", "GET_a", "INCR_a", "SPOP_s")
    assert taken(local) == ["MULTI", "SET a 1", "INCR a", "EXEC"]
    client.call("PROBE.SCRIPT", "SET_a_1")
    assert taken(local) == ["SET a 1"]
    client.call("PROBE.SCRIPT", "GET_a", "DEL_b")
    assert taken(local) == []


def test_several_effects_of_one_command_of_a_script_are_in_its_transaction(local, client):
    client.call("SADD", "s", "1", "2", "3")
    local.notes.take()
    client.call("PROBE.SCRIPT", "SET_a_1", "SPOP_s_2")
    lines = taken(local)
    assert lines[:2] == ["MULTI", "SET a 1"]
    assert lines[2].startswith("SREM s ")
    assert lines[3:] == ["EXEC"]


def test_script_inside_of_exec(local, client):
    assert client.pipeline([("MULTI",), ("SET", "a", "1"), ("PROBE.SCRIPT", "INCR_a", "ECHO_hi"), ("INCR", "a")]) == [
        OK, QUEUED, QUEUED, QUEUED]
    assert client.call("EXEC") == [OK, [b":2\r\n", b"$2\r\nhi\r\n"], 3]
    assert taken(local) == ["MULTI", "SET a 1", "INCR a", "INCR a", "EXEC"]
    assert client.call("EXEC") == Error("ERR EXEC without MULTI")


def test_script_inside_of_a_script(local, client):
    assert client.call("PROBE.SCRIPT", "SET_a_1", "PROBE.SCRIPT_PING", "INCR_a") == [
        b"+OK\r\n", b"*1\r\n$7\r\n+PONG\r\n\r\n", b":2\r\n"]
    assert taken(local) == ["MULTI", "SET a 1", "INCR a", "EXEC"]


def test_reply_off_does_not_reach_into_a_script(client):
    client.send("CLIENT", "REPLY", "SKIP")
    client.send("PROBE.SCRIPT", "SET_a_1", "APPEND_a_2")
    assert client.call("GET", "a") == b"12"


def test_select_of_a_script_ends_with_it(client):
    client.call("PROBE.SCRIPT", "SELECT_3", "SET_a_1")
    assert client.call("EXISTS", "a") == 0
    assert client.call("INFO", "keyspace").split(b"\r\n")[1].startswith(b"db3:keys=1,")


def test_bug_in_a_script_s_command_ends_only_that_command(local, client):
    reply = client.call("PROBE.SCRIPT", "SET_a_1", "PROBE.BUG", "INCR_a")
    assert reply == [b"+OK\r\n", b"-ERR internal error, see the log\r\n", b":2\r\n"]
    assert taken(local) == ["MULTI", "SET a 1", "INCR a", "EXEC"]
    client.call("SET", "b", "1")
    assert taken(local) == ["SET b 1"]


def test_bug_in_a_queued_script_leaves_no_frame_behind(local, client):
    client.pipeline([("MULTI",), ("PROBE.SCRIPT", "PROBE.BUG"), ("PROBE.BUG",), ("SET", "a", "1")])
    assert client.call("EXEC") == [[b"-ERR internal error, see the log\r\n"],
                                   Error("ERR internal error, see the log"), OK]
    assert client.call("PROBE.SCRIPT", "SET_b_1", "SET_c_1") == [b"+OK\r\n", b"+OK\r\n"]
    assert taken(local) == ["SET a 1", "MULTI", "SET b 1", "SET c 1", "EXEC"]


def test_nothing_waits_in_a_script(client):
    assert client.call("PROBE.SCRIPT", "BLPOP_l_0", "WAIT_1_0") == [b"*-1\r\n", b":0\r\n"]


def test_those_who_wait_are_served_behind_a_script(local, client):
    waiting = local.client()
    waiting.send("BLPOP", "l", "0")
    assert client.call("PROBE.SCRIPT", "RPUSH_l_a_b", "LLEN_l", "LPOP_l") == [b":2\r\n", b":2\r\n", b"$1\r\na\r\n"]
    assert waiting.read() == [b"l", b"b"]
    assert taken(local) == ["MULTI", "RPUSH l a b", "LPOP l", "EXEC", "LPOP l"]


# --- those who wait -----------------------------------------------------------------------------

def test_arguments_are_resolved_when_the_wait_begins(local, client):
    waiting = local.client()
    client.call("MSET", "a", "1", "b", "2")
    waiting.send("PROBE.WAIT", "l", "$")
    client.call("MSET", "c", "1", "d", "2")
    assert not waiting.socket.output
    client.call("RPUSH", "l", "x")
    assert waiting.read() == [b"2", 1]


@pytest.mark.parametrize("end", [
    ("DEL", "k"), ("UNLINK", "k"), ("SET", "k", "text"), ("RENAME", "k", "other"), ("FLUSHALL",), ("FLUSHDB", "ASYNC"),
    ("SWAPDB", "0", "1"), ("MOVE", "k", "1"), ("PROBE.SCRIPT", "DEL_k", "SET_a_1"), ("LTRIM", "k", "1", "0"),
    ("PEXPIRE", "k", "-1")], ids=" ".join)
def test_the_end_of_a_key_wakes_who_asks_for_it(local, client, end):
    waiting, popping = local.client(), local.client()
    waiting.send("PROBE.WAIT", "k", "$")
    client.call("RPUSH", "k", "x")
    assert waiting.read() == [b"0", 1]
    waiting.send("PROBE.WAIT", "k", "$")
    assert not waiting.socket.output
    popping.send("BLPOP", "nothing", "0")
    client.call(*end)
    assert waiting.read() == [b"1", int(end[0] == "SET")]
    assert not popping.socket.output


def test_expiry_wakes_who_asks_for_it(local, client):
    waiting, popping = local.client(), local.client()
    popping.send("BLPOP", "k", "0")
    client.pipeline([("SET", "k", "x"), ("PEXPIRE", "k", "100")])
    waiting.send("PROBE.WAIT", "k", "$")
    local.advance(100)
    assert not waiting.socket.output
    local.advance(1)                            # on a timer, behind no command
    assert waiting.read() == [b"1", 0]
    assert not popping.socket.output
    client.call("RPUSH", "k", "y")
    assert popping.read() == [b"k", b"y"]


def test_expiry_on_access_wakes_who_asks_for_it(local, client):
    waiting = local.client()
    client.call("DEBUG", "SET-ACTIVE-EXPIRE", "0")
    client.pipeline([("SET", "k", "x"), ("PEXPIRE", "k", "100")])
    waiting.send("PROBE.WAIT", "k", "$")
    local.advance(101)
    assert not waiting.socket.output
    assert client.call("GET", "k") is None
    assert waiting.read() == [b"1", 0]


def test_eviction_wakes_who_asks_for_it(local, client):
    waiting = local.client()
    client.call("SET", "k", "x" * 100_000)
    waiting.send("PROBE.WAIT", "k", "$")
    client.call("CONFIG", "SET", "maxmemory-policy", "allkeys-random")
    client.call("CONFIG", "SET", "maxmemory", "1")
    client.call("SET", "a", "1")                # refused, for want of keys to evict
    assert waiting.read() == [b"1", 0]


def test_info_counts_keys_whose_end_is_waited_for(local, client):
    waiting, popping = local.client(), local.client()
    waiting.send("PROBE.WAIT", "k", "$")
    popping.send("BLPOP", "k", "l", "0")
    info = client.call("INFO", "clients")
    assert b"\r\ntotal_blocking_keys:2\r\ntotal_blocking_keys_on_nokey:1\r\n" in info
    waiting.close()
    popping.close()
    info = client.call("INFO", "clients")
    assert b"\r\ntotal_blocking_keys:0\r\ntotal_blocking_keys_on_nokey:0\r\n" in info


def test_both_lines_of_a_key_keep_their_order(local, client):
    first, second, third = local.client(), local.client(), local.client()
    first.send("PROBE.WAIT", "k", "$")
    second.send("BLPOP", "k", "0")
    third.send("PROBE.WAIT", "k", "$")
    client.call("SET", "k", "text")
    assert first.read() == third.read() == [b"0", 1]
    assert not second.socket.output
    client.pipeline([("DEL", "k"), ("RPUSH", "k", "x")])
    assert second.read() == [b"k", b"x"]
