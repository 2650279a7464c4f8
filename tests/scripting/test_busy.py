"""Scripts that run too long: who is served meanwhile, and how they end. On fastredis and on redis-server."""
import hashlib
import os
import resource
import time

import pytest

from tests.helpers import held, info, wait_until
from tests.resp import Closed, Error, Status, encode
from tests.rows import OK, PONG, QUEUED

BUSY = Error("BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.")
NOT_BUSY = Error("NOTBUSY No scripts in execution right now.")
ENDLESS = "while true do end"
UNCATCHABLE = "while true do pcall(function() while true do pcall(function() while true do end end) end end) end"
HANDLED = "while true do xpcall(function() while true do end end, function() while true do end end) end"
COROUTINE = "local f = coroutine.wrap(function() while true do end end) while true do pcall(f) end"
WRITES = "redis.call('SET', KEYS[1], 'v') while true do end"
# Takes some 50 to 500 ms for each 1000, as the machine is, and returns 1.
LONG = "local n = 0 for i = 1, ARGV[1] * 300 do n = n + #tostring(i) end return 1"


@pytest.fixture
def server(either_server):
    """A server that is patient for a moment only."""
    server = either_server()
    with server.client(timeout=60) as client:
        client.call("CONFIG", "SET", "busy-reply-threshold", "20")
    return server


@pytest.fixture
def client(server):
    with server.client(timeout=60) as client:
        client.call("PING")
        yield client


def busy(client):
    """Wait until a script runs too long."""
    wait_until(lambda: client.call("PING") == BUSY)


def end(client):
    assert client.call("SCRIPT", "KILL") == OK
    wait_until(lambda: client.call("PING") == PONG)


@pytest.mark.parametrize("script", [ENDLESS, UNCATCHABLE, COROUTINE])
def test_script_kill(server, client, script):
    with server.client(timeout=60) as other:
        other.send("EVAL", script, 0)
        busy(client)
        assert client.call("SCRIPT", "KILL") == OK
        assert "Script killed by user with SCRIPT KILL" in other.read()
        assert client.call("SCRIPT", "KILL") == NOT_BUSY
        assert other.call("EVAL", "return 1", 0) == 1


def test_no_handler_of_errors_keeps_a_script_alive(fresh_server):
    """Other than in redis-server 7.0, whose xpcall() calls it."""
    server = fresh_server()
    with server.client(timeout=60) as client, server.client(timeout=60) as other:
        client.call("CONFIG", "SET", "busy-reply-threshold", "20")
        other.send("EVAL", HANDLED, 0)
        busy(client)
        end(client)
        assert "killed" in other.read()


def test_a_script_whose_instructions_take_long(fresh_server):
    """Asked by the clock, not after so many of them, as in redis-server: that would be minutes."""
    script = "local r = {} for i = 1, 50000 do r[i] = {} end while true do r[#r + 1] = {} collectgarbage() end"
    server = fresh_server()
    with server.client(timeout=60) as client, server.client(timeout=60) as other:
        client.call("CONFIG", "SET", "busy-reply-threshold", "20")
        other.send("EVAL", script, 0)
        busy(client)
        for _ in range(10):
            assert client.call("PING") == BUSY
        end(client)
        assert "killed" in other.read()


def test_the_error_of_a_killed_script_says_where_it_was(server, client):
    with server.client(timeout=60) as other:
        other.send("EVAL", "\nwhile true do end", 0)
        busy(client)
        client.call("SCRIPT", "KILL")
        sha = hashlib.sha1(b"\nwhile true do end").hexdigest()
        assert other.read() == Error(f"ERR Script killed by user with SCRIPT KILL... script: {sha}, on @user_script:2.")


def test_what_is_refused_and_what_is_not(server, client):
    with server.client(timeout=60) as other:
        other.send("EVAL", ENDLESS, 0)
        busy(client)
        for command in ("GET k", "SET k v", "SCRIPT FLUSH", "FLUSHALL", "REPLICAOF NO ONE", "SHUTDOWN", "EVAL x 0",
                        "CONFIG GET x", "SYNC", "SUBSCRIBE c"):
            assert client.call(*command.split()) == BUSY, command
        for command in ("WATCH k", "UNWATCH", "MULTI", "DISCARD", "HELLO 2", "REPLCONF listening-port 1"):
            assert not isinstance(client.call(*command.split()), Error), command
        assert client.call("NOSUCH").startswith("ERR unknown command")
        assert client.call("RESET") == Status("RESET")
        end(client)


def test_a_transaction_fails_whole(server, client):
    with server.client(timeout=60) as other:
        other.send("EVAL", ENDLESS, 0)
        busy(client)
        replies = client.pipeline([("MULTI",), ("SET", "k", "v"), ("SCRIPT", "KILL"), ("EXEC",)])
        assert replies[:2] == [OK, BUSY]
        assert replies[2] == QUEUED
        assert replies[3].startswith("EXECABORT")
        end(client)
        assert client.call("EXISTS", "k") == 0


def test_new_connections(server):
    with server.client(timeout=60) as other:
        other.send("EVAL", LONG, 0, 8000)
        time.sleep(0.1)
        clients = [server.client(timeout=60) for _ in range(3)]
        assert [client.call("GET", "k") for client in clients] == [BUSY] * 3
        assert clients[0].call("QUIT") == OK
        with pytest.raises(Closed):
            clients[0].read()
        other.read()
        assert clients[1].call("SET", "k", "v") == OK
        assert clients[2].pipeline([("GET", "k"), ("PING",)]) == [b"v", PONG]
        listed = clients[1].call("CLIENT", "LIST").splitlines()
        assert len(listed) == 3
        for client in clients:
            client.close()
        wait_until(lambda: len(other.call("CLIENT", "LIST").splitlines()) == 1)


def test_a_new_connection_sends_a_request_in_pieces(server):
    with server.client(timeout=60) as other:
        other.send("EVAL", LONG, 0, 8000)
        time.sleep(0.1)
        with server.client(timeout=60) as client:
            assert client.call("GET", "k") == BUSY
            client.send_raw(b"*2\r\n$4\r\nEC")
            other.read()
            client.send_raw(b"HO\r\n$3\r\nabc\r\n")
            assert client.read() == b"abc"


def test_who_connects_in_the_turn_in_which_the_script_begins(server, client):
    """The server finds both at once: it accepts, and then the script has not let it go on yet."""
    with server.client(timeout=60) as other:
        other.call("PING")
        with held(server.pid):
            clients = [server.client(timeout=60) for _ in range(3)]
            other.send("EVAL", LONG, 0, 8000)
        busy(client)
        assert [client.call("GET", "k") for client in clients] == [BUSY] * 3
        clients[0].close()
        assert clients[1].call("QUIT") == OK
        assert other.read() == 1
        wait_until(lambda: len(other.call("CLIENT", "LIST").splitlines()) == 3)
        assert clients[2].call("PING") == PONG
        with pytest.raises(Closed):
            clients[1].read()
        clients[2].close()


@pytest.mark.parametrize("loop", ["uvloop", "asyncio"])
def test_no_descriptor_is_left(fresh_server, loop):
    """So nobody can connect, but those who have are served."""
    server = fresh_server("--busy-reply-threshold", "20", loop=loop)
    with server.client(timeout=60) as client, server.client(timeout=60) as other:
        client.call("PING")
        other.call("PING")
        used = len(os.listdir(f"/proc/{server.pid}/fd"))
        _, most = resource.prlimit(server.pid, resource.RLIMIT_NOFILE)
        resource.prlimit(server.pid, resource.RLIMIT_NOFILE, (used, most))
        assert "Too many open files" in other.call("EVAL", "return 1", 0)       # Lua is not loaded yet
        resource.prlimit(server.pid, resource.RLIMIT_NOFILE, (most, most))
        assert other.call("EVAL", "return 1", 0) == 1
        resource.prlimit(server.pid, resource.RLIMIT_NOFILE, (used, most))
        other.send("EVAL", ENDLESS, 0)
        with server.client(timeout=60) as waiting:
            waiting.send("PING")
            busy(client)
            end(client)
            assert "killed" in other.read()
            resource.prlimit(server.pid, resource.RLIMIT_NOFILE, (most, most))
            assert waiting.read() == PONG


def test_a_client_leaves(server, client):
    with server.client(timeout=60) as other:
        other.send("EVAL", LONG, 0, 8000)
        leaving = server.client(timeout=60)
        busy(client)
        assert leaving.call("GET", "k") == BUSY
        leaving.close()
        other.read()
        wait_until(lambda: len(other.call("CLIENT", "LIST").splitlines()) == 2)


def test_the_scripts_own_client_leaves(server, client):
    other = server.client(timeout=60)
    other.send("EVAL", "redis.call('SET', KEYS[1], 'a') " + LONG.replace("return 1", "")
               + " redis.call('APPEND', KEYS[1], 'b')", 1, "k", 8000)
    busy(client)
    other.close()
    wait_until(lambda: client.call("GET", "k") == b"ab")
    wait_until(lambda: len(client.call("CLIENT", "LIST").splitlines()) == 1)


def test_what_was_sent_behind_the_script_comes_behind_it(server, client):
    with server.client(timeout=60) as other:
        replies = other.pipeline([("SET", "a", "1"), ("EVAL", LONG, 0, 1000), ("GET", "a"), ("GET", "b")])
        assert replies == [OK, 1, b"1", None]
        other.send_raw(b"*1\r\n$4\r\nPING\r\n" * 70 + b"*4\r\n$4\r\nEVAL\r\n$%d\r\n%s\r\n$1\r\n0\r\n$4\r\n8000\r\n"
                       % (len(LONG), LONG.encode()) + b"*1\r\n$4\r\nPING\r\n" * 70)
        busy(client)
        assert client.pipeline([("GET", "a")] * 100) == [BUSY] * 100
        assert [other.read() for _ in range(141)] == [PONG] * 70 + [1] + [PONG] * 70


def test_in_a_transaction(server, client):
    with server.client(timeout=60) as other:
        other.pipeline([("MULTI",), ("SET", "a", "1"), ("EVAL", ENDLESS, 0), ("SET", "b", "2")])
        other.send("EXEC")
        busy(client)
        assert client.call("GET", "a") == BUSY
        assert client.call("SCRIPT", "KILL") == OK
        replies = other.read()
        assert replies[0] == replies[2] == OK
        assert "killed" in replies[1]


def test_who_waits_for_a_key_is_served_behind_the_script(server, client):
    with server.client(timeout=60) as waiting, server.client(timeout=60) as other:
        waiting.send("BLPOP", "l", 0)
        wait_until(lambda: info(client, "clients")["blocked_clients"] == "1")
        waiting.send("GET", "l")
        other.send("EVAL", LONG, 0, 8000)
        busy(client)
        other.read()
        client.call("RPUSH", "l", "x")
        assert waiting.read() == [b"l", b"x"]
        assert waiting.read() is None


def test_unkillable(server, client):
    with server.client(timeout=60) as other:
        other.send("EVAL", WRITES, 1, "k")
        busy(client)
        text = client.call("SCRIPT", "KILL")
        assert text.startswith("UNKILLABLE Sorry the script already executed write commands")
        assert client.call("PING") == BUSY
        client.send("SHUTDOWN", "NOSAVE")
        with pytest.raises(Closed):
            client.read()
        assert server.process.wait(10) == 0


@pytest.mark.parametrize("fsync", ["always", "everysec", "no"])
def test_shutdown_nosave_keeps_nothing_of_the_script(either_server, fsync):
    """And others are answered while the AOF has not yet what it wrote."""
    server = either_server("--appendonly", "yes", "--appendfsync", fsync)
    with server.client(timeout=60) as client, server.client(timeout=60) as other:
        client.call("CONFIG", "SET", "busy-reply-threshold", "20")
        assert client.call("SET", "before", "1") == OK
        other.send("EVAL", "redis.call('SET', 'one', 1) redis.call('SET', 'two', 1) while true do end", 0)
        busy(client)
        assert client.call("SCRIPT", "KILL").startswith("UNKILLABLE")
        client.send("SHUTDOWN", "NOSAVE")
        assert server.process.wait(10) == 0
    part, = (server.directory / "appendonlydir").glob("*.incr.aof")
    written = part.read_bytes()
    assert b"before" in written and not any(word in written for word in (b"MULTI", b"one", b"two"))


def test_what_came_before_a_long_script_is_answered_and_written(either_server):
    """In the same iteration of the loop, as one read brings both."""
    server = either_server("--appendonly", "yes", "--appendfsync", "everysec")
    with server.client(timeout=60) as client, server.client(timeout=60) as other:
        client.call("CONFIG", "SET", "busy-reply-threshold", "20")
        other.send_raw(encode("SET", "before", "1")
                       + encode("EVAL", "redis.call('SET', 'one', 1) redis.call('SET', 'two', 1) while true do end", 0))
        busy(client)
        server.process.kill()
        server.process.wait()
    part, = (server.directory / "appendonlydir").glob("*.incr.aof")
    assert b"before" in part.read_bytes() and b"one" not in part.read_bytes()


def test_unlimited(server, client):
    client.call("CONFIG", "SET", "busy-reply-threshold", "0")
    with server.client(timeout=60) as other:
        other.send("EVAL", LONG, 0, 8000)
        time.sleep(0.1)
        assert client.call("PING") == PONG        # behind it
        assert other.read() == 1


def test_the_log(server, client):
    with server.client(timeout=60) as other:
        other.send("EVAL", ENDLESS, 0)
        busy(client)
        end(client)
    assert "Slow script detected: still in execution after" in server.log()
    assert "You can try killing the script using the SCRIPT KILL command. Script name is: " in server.log()
    assert "Lua script killed by user with SCRIPT KILL." in server.log()


def test_statistics(fresh_server):
    """Errors of others are not the script's, as they are in redis-server."""
    server = fresh_server()
    with server.client(timeout=60) as other, server.client(timeout=60) as client:
        client.call("CONFIG", "SET", "busy-reply-threshold", "20")
        client.call("CONFIG", "RESETSTAT")
        other.send("EVAL", LONG, 0, 8000)
        busy(client)
        other.read()
        stats = info(client, "commandstats")
    assert "calls=1," in stats["cmdstat_eval"]
    assert "failed_calls=0" in stats["cmdstat_eval"]
    assert "rejected_calls=0" not in stats["cmdstat_ping"]


@pytest.mark.parametrize("loop", ["uvloop", "asyncio"])
def test_many_clients(fresh_server, loop):
    """Hundreds of them, some of which come and go, and all work afterwards."""
    server = fresh_server(loop=loop)
    with server.client(timeout=60) as first:
        first.call("CONFIG", "SET", "busy-reply-threshold", "20")
        old = [server.client(timeout=60) for _ in range(100)]
        assert {client.call("PING") for client in old} == {PONG}
        first.send("EVAL", ENDLESS, 0)
        time.sleep(0.1)
        new = [server.client(timeout=60) for _ in range(100)]
        for client in old + new:
            client.send("PING")
        assert {client.read() for client in old + new} == {BUSY}
        for client in old[::2] + new[::2]:
            client.close()
        assert old[1].call("SCRIPT", "KILL") == OK
        first.read()
        for client in old[1::2] + new[1::2]:
            assert client.call("PING") == PONG
            client.close()
        wait_until(lambda: len(first.call("CLIENT", "LIST").splitlines()) == 1)


LIBRARY = ("#!lua name=lib\n"
           "redis.register_function('endless', function() while true do end end)\n"
           "redis.register_function('writes', function(keys) redis.call('SET', keys[1], 'v') while true do end end)\n")
BUSY_FUNCTION = Error("BUSY Redis is busy running a script. You can only call FUNCTION KILL or SHUTDOWN NOSAVE.")


def test_functions(server, client):
    client.call("FUNCTION", "LOAD", LIBRARY)
    with server.client(timeout=60) as other:
        other.send("FCALL", "endless", 0, "argument")
        wait_until(lambda: client.call("PING") == BUSY_FUNCTION)
        assert client.call("SCRIPT", "KILL") == BUSY_FUNCTION
        stats = client.call("FUNCTION", "STATS")
        running = dict(zip(stats[1][::2], stats[1][1::2], strict=True))
        assert stats[0] == b"running_script"
        assert running[b"name"] == b"endless"
        assert running[b"command"] == [b"FCALL", b"endless", b"0", b"argument"]
        assert running[b"duration_ms"] >= 20
        assert client.call("FUNCTION", "KILL") == OK
        assert other.read() == Error(
            "ERR Script killed by user with SCRIPT KILL... script: endless, on @user_function:2.")
        assert client.call("FUNCTION", "STATS")[1] is None
        other.send("FCALL", "writes", 1, "k")
        wait_until(lambda: client.call("PING") == BUSY_FUNCTION)
        assert client.call("FUNCTION", "KILL").startswith("UNKILLABLE")


def test_function_commands_on_a_script(server, client):
    with server.client(timeout=60) as other:
        other.send("EVAL", ENDLESS, 0)
        busy(client)
        assert client.call("FUNCTION", "KILL") == BUSY
        assert client.call("FUNCTION", "STATS") == BUSY
        end(client)


def test_replicas_have_what_came_before_a_long_script(server, client, either_server):
    """What the same turn brought: they need not wait for the end."""
    replica = either_server("--replicaof", f"127.0.0.1 {server.port}", "--repl-diskless-sync-delay", "0")
    client.call("CONFIG", "SET", "repl-diskless-sync-delay", "0")
    with replica.client(timeout=60) as reader, server.client(timeout=60) as other:
        wait_until(lambda: info(reader, "replication")["master_link_status"] == "up")
        client.call("SET", "before", "v")
        assert client.call("WAIT", 1, 50_000) == 1      # the master, too, knows that the replica is there
        other.send_raw(encode("SET", "k", "v") + encode("EVAL", ENDLESS, 0))
        busy(client)
        wait_until(lambda: reader.call("GET", "k") == b"v")
        assert client.call("PING") == BUSY
        end(client)
        assert other.read() == OK
