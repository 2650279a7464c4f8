"""Transactions where rows do not reach: what is propagated, bugs in a queued command, CLIENT REPLY, expired keys."""
import pytest
from fastredis.engine.command import CommandTable

from tests.helpers import wait_for_blocked
from tests.local import Local, QuietLog
from tests.resp import NIL_ARRAY, encode
from tests.rows import OK, PONG, QUEUED


@pytest.fixture
def talk(local):
    """talk("SET k v", ...): run commands as one batch -> the protocol that was replied."""
    wire = local.client().socket

    def run(*lines):
        wire.sendall(b"".join(encode(*line.split()) for line in lines))
        return wire.recv(None)
    return run


def lines(local):
    """What was propagated, as text with its database in front."""
    return [f"{db}: {b' '.join(argv).decode()}" for db, argv in local.notes.take()]


def test_writes_of_exec_are_propagated_as_one_transaction(talk, local):
    talk("MULTI", "SET a 1", "GET a", "INCR a", "SELECT 3", "SET b 1", "EXEC", "SET c 1")
    assert lines(local) == ["-1: MULTI", "0: SET a 1", "0: INCR a", "3: SET b 1", "-1: EXEC", "3: SET c 1"]


def test_exec_that_changes_nothing_is_not_propagated(talk, local):
    assert talk("MULTI", "GET a", "DEL a", "EXEC").endswith(b"*2\r\n$-1\r\n:0\r\n")
    talk("MULTI", "EXEC")
    assert lines(local) == []


def test_failed_exec_is_not_propagated(talk, local):
    talk("WATCH a", "SET a 1", "MULTI", "SET a 2", "EXEC")
    assert lines(local) == ["0: SET a 1"]


def test_bug_in_a_queued_command_ends_only_that_command(talk, local):
    local.engine.saver = None               # LASTSAVE asks it
    local.engine.log = QuietLog()
    reply = talk("MULTI", "SET a 1", "LASTSAVE", "INCR a", "EXEC", "GET a")
    assert reply == (b"+OK\r\n" + b"+QUEUED\r\n" * 3
                     + b"*3\r\n+OK\r\n-ERR internal error, see the log\r\n:2\r\n$1\r\n2\r\n")
    assert lines(local) == ["-1: MULTI", "0: SET a 1", "0: INCR a", "-1: EXEC"]
    assert len(local.engine.log.warnings) == 1


def test_errors_belong_to_the_command_that_made_them(talk):
    talk("MULTI", "SET a x", "INCR a", "EXEC", "EXEC")
    stats = {line.split(":")[0]: line for line in talk("INFO commandstats").decode().split("\r\n")}
    assert ",rejected_calls=0,failed_calls=1" in stats["cmdstat_incr"]
    assert ",rejected_calls=0,failed_calls=0" in stats["cmdstat_set"]
    assert "calls=2," in stats["cmdstat_exec"]
    assert ",rejected_calls=0,failed_calls=1" in stats["cmdstat_exec"]


def test_what_a_bug_left_in_the_reply_buffer_goes_to_nobody(local, monkeypatch):
    one, other = local.client(), local.client()
    with monkeypatch.context() as patch:
        patch.setattr(local.engine.log, "wants", None)      # a protocol error asks it whether it is to be logged
        with pytest.raises(TypeError):
            one.send_raw(encode("PING") + b"*x\r\n")
    other.send("ECHO", "hi")
    assert bytes(other.socket.output) == b"$2\r\nhi\r\n"


def test_watching_many_keys_takes_time_in_proportion(talk):
    keys = [f"k{i}" for i in range(50_000)]
    assert talk("WATCH " + " ".join(keys), "WATCH k1 k49999", "SET k49999 1", "MULTI", "EXEC").endswith(b"*-1\r\n")
    assert talk("WATCH k1", "UNWATCH", "SET k1 1", "MULTI", "EXEC").endswith(b"*0\r\n")


def test_renamed_command_does_not_answer_to_its_old_name():
    """The names are told apart by their first eight bytes and their length, and then in full."""
    table = CommandTable({b"psubscribe": b"psubscribx"})
    assert table.get(b"psubscribe") is None
    assert table.get(b"PSUBSCRIBX").name == b"psubscribe"
    assert table.get(b"punsubscribe").name == b"punsubscribe"


# DEBUG SLEEP takes longer than the deadlines that are set before.
TIMES = {
    "a key": (["SET c 41 PX 5", "DEBUG SLEEP 0.03", "INCR c", "PTTL c"], [OK, OK, 42, 5]),
    "a field": (["HSET h f 41", "HPEXPIRE h 5 FIELDS 1 f", "DEBUG SLEEP 0.03", "HINCRBY h f 1", "HPTTL h FIELDS 1 f"],
                [1, [1], OK, 42, [5]]),
    "a command that asks for the time": (["SET c 41 PX 5", "DEBUG SLEEP 0.03", "LASTSAVE", "PTTL c"], [OK, OK, int, 5]),
}


@pytest.mark.parametrize("lines, replies", TIMES.values(), ids=TIMES)
def test_time_stands_still_in_exec(lines, replies):
    local = Local("enable-debug-command yes")
    local.engine.clock.release()
    client = local.client()
    found = client.pipeline([("MULTI",), *(line.split() for line in lines), ("EXEC",)])[-1]
    assert [int if wanted is int and isinstance(reply, int) else reply
            for reply, wanted in zip(found, replies, strict=True)] == replies
    local.loop.close()


def test_time_stands_still_while_clients_are_served():
    """Taking a long list takes longer than the other key lives; it is there when its turn comes."""
    local = Local()
    local.engine.clock.release()
    client, first, second = local.client(), local.client(), local.client()
    client.pipeline([("RPUSH", "long", *range(300_000))] * 3)
    first.send("BLMPOP", 0, 1, "big", "LEFT", "COUNT", 1_000_000)
    second.send("BLPOP", "soon", 0)
    client.pipeline([("MULTI",), ("RENAME", "long", "big"), ("RPUSH", "soon", "x"), ("PEXPIRE", "soon", 5), ("EXEC",)])
    assert len(first.read()[1]) == 900_000
    assert second.socket.output and second.read() == [b"soon", b"x"]
    local.loop.close()


# What is over when a slow EXEC ends is gone for those who have waited, as in Redis: what they ask for, what then
# happens, their answer; None: they go on waiting.
SERVED = {
    "an element": ("BLPOP l 0", ["RPUSH l a", "PEXPIRE l 5"], None),
    "a member": ("BZPOPMIN z 0", ["ZADD z 1 a", "PEXPIRE z 5"], None),
    "a key in the way": ("BLMOVE l d LEFT LEFT 0", ["SET d x PX 5", "RPUSH l a"], b"a"),
    "an entry": ("XREAD BLOCK 0 STREAMS x $", ["XADD x 1-1 a b", "PEXPIRE x 5"], None),
}


@pytest.mark.parametrize("asked, lines, answer", SERVED.values(), ids=SERVED)
def test_time_goes_on_before_clients_are_served(either_server, asked, lines, answer):
    server = either_server()
    with server.client() as waiter, server.client() as client:
        waiter.send(*asked.split())
        wait_for_blocked(client, 1)
        client.pipeline([line.split() for line in ("MULTI", *lines, "DEBUG SLEEP 0.05", "EXEC")])
        if answer is None:
            wait_for_blocked(client, 1)
            assert client.call("DBSIZE") == 0
        else:
            assert waiter.read() == answer


def test_time_goes_on_after_a_slow_command():
    local = Local("enable-debug-command yes")
    local.engine.clock.release()
    client = local.client()
    assert client.pipeline([("SET", "c", 41, "PX", 5), ("DEBUG", "SLEEP", 0.03), ("EXISTS", "c")])[-1] == 0
    assert client.pipeline([("SET", "c", 41, "PX", 5), ("MULTI",), ("DEBUG", "SLEEP", 0.03), ("EXEC",),
                            ("EXISTS", "c")])[-1] == 0
    local.loop.close()


# --- on a server ----------------------------------------------------------------------------

@pytest.fixture
def server(fresh_server):
    return fresh_server()


def test_reply_skip_covers_one_command(server):
    with server.client() as client:
        client.send("CLIENT", "REPLY", "SKIP")
        client.send("MULTI")
        assert client.call("SET", "k", "v") == QUEUED
        client.send("CLIENT", "REPLY", "ON")
        assert client.read() == QUEUED
        assert client.call("EXEC") == [OK, OK]


def test_reply_skip_covers_what_is_refused(server):
    with server.client() as client:
        client.send("CLIENT", "REPLY", "SKIP")
        client.send("NOSUCH")
        assert client.call("PING") == PONG


def test_expired_watched_key_fails_exec_though_nobody_touched_it(server):
    with server.client() as client, server.client() as control:
        control.call("DEBUG", "CLOCK", "FREEZE")
        control.call("DEBUG", "SET-ACTIVE-EXPIRE", "0")
        client.call("SET", "k", "v", "PX", "10")
        client.pipeline([("WATCH", "k"), ("MULTI",), ("PING",)])
        control.call("DEBUG", "CLOCK", "ADVANCE", "20")
        assert client.call("EXEC") == NIL_ARRAY


def test_removal_of_a_key_that_had_expired_is_no_change(server):
    with server.client() as client, server.client() as control:
        control.call("DEBUG", "CLOCK", "FREEZE")
        control.call("DEBUG", "SET-ACTIVE-EXPIRE", "0")
        client.call("SET", "k", "v", "PX", "10")
        control.call("DEBUG", "CLOCK", "ADVANCE", "20")
        assert client.call("WATCH", "k") == OK
        assert control.call("EXISTS", "k") == 0
        client.pipeline([("MULTI",), ("PING",)])
        assert client.call("EXEC") == [PONG]
