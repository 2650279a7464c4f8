"""What is shown and counted of the commands of scripts, and who gets them. On fastredis and on redis-server."""
import pytest

from tests.helpers import info
from tests.resp import Error
from tests.rows import OK, wrong_args


@pytest.fixture
def server(either_server):
    return either_server()


@pytest.fixture
def client(server):
    with server.client() as client:
        yield client


def test_monitor(server, client):
    with server.client() as monitor:
        assert monitor.call("MONITOR") == OK
        client.call("EVAL", "redis.call('SELECT', 3) return redis.call('SET', KEYS[1], 'v')", 1, "k")
        client.call("PING")
        shown = [monitor.read().split(" ", 1)[1] for _ in range(4)]
        assert '"eval"' in shown[0].lower()
        assert "lua" not in shown[0]
        assert shown[1] == '[3 lua] "SELECT" "3"'
        assert shown[2] == '[3 lua] "SET" "k" "v"'
        assert '"PING"' in shown[3]


def test_slow_log(client):
    client.call("CONFIG", "SET", "slowlog-log-slower-than", "0")
    client.call("CLIENT", "SETNAME", "me")
    client.call("SLOWLOG", "RESET")
    client.call("EVAL", "return redis.call('GET', 'k')", 0)
    entries = client.call("SLOWLOG", "GET", "3")
    assert [entry[3][0].upper() for entry in entries] == [b"EVAL", b"GET", b"SLOWLOG"]
    assert entries[0][5] == b"me"
    assert entries[1][4:6] == [b"?:0", b""]


def test_time_of_a_command(client):
    """What Lua does before it is no part of it."""
    client.call("CONFIG", "RESETSTAT")
    client.call("EVAL", "for i = 1, 3000000 do end return redis.call('GET', 'k')", 0)
    stats = info(client, "commandstats")
    of_get, of_eval = (int(stats[f"cmdstat_{name}"].split("usec=")[1].split(",")[0]) for name in ("get", "eval"))
    assert of_get < of_eval / 2


COUNTED = {         # script, errors by code, calls that were rejected and failed; whether EVAL itself failed
    "raised": ("return redis.call('LPUSH', 'k', 1)", {"WRONGTYPE": 1}, "lpush", 0, 1, True),
    "caught": ("redis.pcall('LPUSH', 'k', 1) return 1", {"WRONGTYPE": 1}, "lpush", 0, 1, False),
    "caught and returned": ("return redis.pcall('LPUSH', 'k', 1)", {"WRONGTYPE": 1}, "lpush", 0, 1, True),
    "rejected": ("return redis.call('GET')", {"ERR": 1}, "get", 1, 0, True),
    "rejected and caught": ("redis.pcall('MULTI') return 1", {"ERR": 1}, "multi", 1, 0, False),
    "of the script": ("return redis.error_reply('MINE x')", {"MINE": 1}, None, 0, 0, True),
    "raised by the script": ("error('x')", {"ERR": 1}, None, 0, 0, True),
    "without a code": ("return {err='boo'}", {"ERR": 1}, None, 0, 0, True),
    "with a long word in its place": (f"return {{err='{'x' * 40} y'}}", {"ERR": 1}, None, 0, 0, True),
}


@pytest.mark.parametrize("case", COUNTED.values(), ids=COUNTED)
def test_errors(client, case):
    script, errors, command, rejected, failed, eval_failed = case
    client.call("SET", "k", "v")
    client.call("CONFIG", "RESETSTAT")
    client.call("EVAL", script, 0)
    assert {name.removeprefix("errorstat_"): int(count.removeprefix("count="))
            for name, count in info(client, "errorstats").items()} == errors
    stats = info(client, "commandstats")
    assert f"failed_calls={int(eval_failed)}" in stats["cmdstat_eval"]
    if command:
        assert f"rejected_calls={rejected},failed_calls={failed}" in stats[f"cmdstat_{command}"]
    assert int(info(client, "stats")["total_error_replies"]) == 1


def test_codes_that_scripts_make_up(fresh_server):
    """They do not crowd out those of the server. redis-server 7.0 keeps them all, 8.2 gives up errorstats then."""
    with fresh_server().client() as client:
        client.call("CONFIG", "RESETSTAT")
        for number in range(200):
            client.call("EVAL", "return redis.error_reply('E' .. ARGV[1] .. ' x')", 0, number)
        assert client.call("GET") == wrong_args("get")
        client.call("EVAL", "return redis.error_reply('E5 x')", 0)
        stats = info(client, "errorstats")
        assert len(stats) == 130
        assert {stats[f"errorstat_{name}"] for name in ("E5", "E127", "ERRORSTATS_OVERFLOW", "ERR")} == {
            "count=2", "count=1", "count=72"}
        assert stats["errorstat_ERR"] == "count=1"


def test_evicted_scripts(fresh_server):
    with fresh_server().client() as client:
        client.pipeline([("EVAL", f"return {i}", 0) for i in range(502)])
        assert info(client, "stats")["evicted_scripts"] == "2"
        client.call("CONFIG", "RESETSTAT")
        assert info(client, "stats")["evicted_scripts"] == "0"


def test_script_show(fresh_server):
    with fresh_server().client() as client:
        sha = client.call("SCRIPT", "LOAD", "return 1")
        assert client.call("SCRIPT", "SHOW", sha.upper()) == b"return 1"
        assert client.call("SCRIPT", "SHOW", "x").startswith("NOSCRIPT No matching script")


def test_set_repl(either_server):
    """To the AOF alone, to nobody, and back; what is not a number of that kind is refused."""
    server = either_server("--appendonly", "yes")
    with server.client() as client:
        assert client.call("EVAL", """
            redis.call('SET', 'a', 1)
            redis.set_repl(redis.REPL_NONE)
            redis.call('SET', 'b', 1)
            redis.set_repl(redis.REPL_AOF)
            redis.call('SET', 'c', 1)
            redis.set_repl(redis.REPL_REPLICA)
            redis.call('SET', 'd', 1)
            redis.set_repl(redis.REPL_ALL)
            redis.call('SET', 'e', 1)
            return {redis.REPL_NONE, redis.REPL_AOF, redis.REPL_SLAVE, redis.REPL_REPLICA, redis.REPL_ALL}
            """, 0) == [0, 1, 2, 2, 3]
        assert client.call("SET", "f", "1") == OK
        assert isinstance(client.call("EVAL", "redis.set_repl(4)", 0), Error)
        assert isinstance(client.call("EVAL", "redis.set_repl()", 0), Error)
        assert client.call("DEBUG", "LOADAOF") == OK
        assert client.call("MGET", *"abcdef") == [b"1", None, b"1", None, b"1", b"1"]


def test_declared_flags_are_those_of_the_command(either_server):
    with either_server().client() as client:
        reads = client.call("SCRIPT", "LOAD", "#!lua flags=no-writes\nreturn redis.call('GET', KEYS[1])")
        writes = client.call("SCRIPT", "LOAD", "#!lua\nreturn redis.call('SET', KEYS[1], 'v')")
        client.call("REPLICAOF", "127.0.0.1", "1")
        assert client.call("EVALSHA", reads, 1, "k") is None
        assert client.call("EVALSHA", writes, 1, "k").startswith("READONLY You can't write against")
        assert "rejected_calls=1,failed_calls=0" in info(client, "commandstats")["cmdstat_evalsha"]
        assert client.call("MULTI") == OK
        assert client.call("EVALSHA", writes, 1, "k").startswith("READONLY")
        assert client.call("EXEC").startswith("EXECABORT")


def test_what_has_written_goes_on(either_server):
    """min-replicas-to-write counts before the first write of a script only."""
    with either_server().client() as client:
        script = """redis.call('SET', 'a', 1)
                    redis.call('CONFIG', 'SET', 'min-replicas-to-write', '1')
                    redis.call('SET', 'b', 1)
                    return 'done'"""
        client.call("DEBUG", "SET-DISABLE-DENY-SCRIPTS", "1")
        assert client.call("EVAL", script, 0) == b"done"
        assert client.call("EVAL", script, 0).startswith("NOREPLICAS")
