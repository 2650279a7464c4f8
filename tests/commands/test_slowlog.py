"""SLOWLOG and COMMANDLOG: what is in the logs, and what is kept of a command."""
import time

from tests.helpers import wait_until
from tests.rows import (
    OK,
    PONG,
    QUEUED,
    Any,
    Between,
    Case,
    Error,
    Matcher,
    Matching,
    Status,
    difference,
    wrong_args,
)
from tests.servers import peer_server

ADDRESS = Matching(r"127\.0\.0\.1:\d+")
COUNT = Error("ERR count should be greater than or equal to -1")
TYPE = Error("ERR type should be one of the following: slow, large-request, large-reply")
TIME = Between(1_600_000_000, 40_000_000_000)


class Entry(Matcher):
    """An entry of whatever number; the peers here do not have the number of arguments, which came with Redis 8.10."""

    def __init__(self, *values):
        self.values = list(values)

    def __repr__(self):
        return f"Entry{self.values!r}"

    def accepts(self, reply, context):
        return isinstance(reply, list) and len(reply) in (6, 7) and not difference(self.values, reply[:6], context)


def entry(*words, name="", took=None):
    """An entry of whatever number and, unless told, duration."""
    return Entry(Any(int), TIME, took or Any(int), list(words), ADDRESS, name)


CASES = {
    "an entry": [
        ("SLOWLOG RESET", OK), ("SLOWLOG LEN", 0), ("CONFIG SET slowlog-log-slower-than 0", OK), ("SLOWLOG RESET", OK),
        ("PING", PONG), ("SLOWLOG GET 1", [entry("PING")]), ("CONFIG SET slowlog-log-slower-than -1", OK),
        ("SLOWLOG RESET", OK), ("PING", PONG), ("SLOWLOG GET", []), ("SLOWLOG LEN", 0),
    ],
    "the client's name": [
        ("SLOWLOG RESET", OK), ("CLIENT SETNAME me", OK), ("CONFIG SET slowlog-log-slower-than 0", OK), ("PING", PONG),
        ("CONFIG SET slowlog-log-slower-than -1", OK),
        ("SLOWLOG GET 1", [entry("PING", name="me")]),
    ],
    "only what took as long": [
        ("CONFIG SET slowlog-log-slower-than 30000", OK), ("SLOWLOG RESET", OK), ("PING", PONG), ("SLOWLOG LEN", 0),
        ("DEBUG SLEEP 0.04", OK), ("DEBUG SLEEP 0.001", OK),
        ("SLOWLOG GET", [entry("DEBUG", "SLEEP", "0.04", took=Between(40_000, 10_000_000))]),
    ],
    "a limit below a millisecond": [
        ("CONFIG SET slowlog-log-slower-than 900", OK), ("SLOWLOG RESET", OK), ("DEBUG SLEEP 0.002", OK),
        ("SLOWLOG GET -1", [entry("DEBUG", "SLEEP", "0.002", took=Between(2000, 10_000_000))]),
    ],
    "how many": [
        ("CONFIG SET slowlog-log-slower-than 0 slowlog-max-len 20", OK), ("SLOWLOG RESET", OK),
        *[("PING", PONG)] * 15, ("CONFIG SET slowlog-log-slower-than -1", OK), ("SLOWLOG LEN", 16),
        ("SLOWLOG GET", [entry("PING")] * 10), ("SLOWLOG GET 3", [entry("PING")] * 3), ("SLOWLOG GET 0", []),
        ("SLOWLOG GET -1", [entry("PING")] * 15 + [entry("SLOWLOG", "RESET")]),
        ("SLOWLOG GET 9223372036854775807", [entry("PING")] * 15 + [entry("SLOWLOG", "RESET")]),
    ],
    "slowlog-max-len": [
        ("CONFIG SET slowlog-log-slower-than 0 slowlog-max-len 2", OK), ("PING", PONG), ("ECHO a", "a"),
        ("SLOWLOG LEN", 2), ("SLOWLOG GET", [entry("SLOWLOG", "LEN"), entry("ECHO", "a")]),
        ("CONFIG SET slowlog-max-len 0", OK), ("SLOWLOG RESET", OK), ("PING", PONG), ("SLOWLOG LEN", 0),
    ],
    "long commands are cut": [
        ("CONFIG SET slowlog-log-slower-than 0", OK), (("SADD", "s", "A" * 129, "B" * 128), 2),
        ("SLOWLOG GET 1", [entry("SADD", "s", "A" * 128 + "... (1 more bytes)", "B" * 128)]),
        (("SADD", "n", *map(str, range(31))), 31),
        ("SLOWLOG GET 1", [entry("SADD", "n", *map(str, range(29)), "... (2 more arguments)")]),
        (("SADD", "m", *map(str, range(30))), 30), ("SLOWLOG GET 1", [entry("SADD", "m", *map(str, range(30)))]),
    ],
    "how many arguments there were": Case([
        ("CONFIG SET slowlog-log-slower-than 0", OK), ("PING", PONG),
        ("SLOWLOG GET 1", [[Any(int), TIME, Any(int), ["PING"], ADDRESS, "", 1]]),
        (("SADD", "n", *map(str, range(31))), 31),
        ("SLOWLOG GET 1", [[Any(int), TIME, Any(int), ["SADD", "n", *map(str, range(29)), "... (2 more arguments)"],
                            ADDRESS, "", 33]]),
        ("EVAL 'return redis.call(\"ECHO\", ARGV[1])' 0 x", "x"),
        ("SLOWLOG GET 2", [[Any(int), TIME, Any(int), ["EVAL", Any(), "0", "x"], ADDRESS, "", 4],
                           [Any(int), TIME, Any(int), ["ECHO", "x"], Any(), "", 2]]),
    ], since="8.10"),
    "passwords are not shown": [
        ("CONFIG SET slowlog-log-slower-than 0", OK), ('CONFIG SET masterauth "" maxmemory 0 requirepass ""', OK),
        ("SLOWLOG GET 1", [entry("CONFIG", "SET", "masterauth", "(redacted)", "maxmemory", "0", "requirepass",
                                 "(redacted)")]),
        ("AUTH secret", Any()), ("SLOWLOG GET 1", [entry("AUTH", "(redacted)")]),
        ("MIGRATE 127.0.0.1 1 k 0 100 COPY AUTH2 me secret KEYS AUTH a", Any()),
        ("SLOWLOG GET 1", [entry("MIGRATE", "127.0.0.1", "1", "k", "0", "100", "COPY", "AUTH2", "(redacted)",
                                 "(redacted)", "KEYS", "AUTH", "a")]),
    ],
    "EXEC is not logged, its commands are": [
        ("CONFIG SET slowlog-log-slower-than 0", OK), ("SLOWLOG RESET", OK), ("MULTI", OK), ("SET k 1", QUEUED),
        ("INCR k", QUEUED), ("EXEC", [OK, 2]),
        ("SLOWLOG GET", [entry("INCR", "k"), entry("SET", "k", "1"), entry("MULTI"), entry("SLOWLOG", "RESET")]),
    ],
    "as it came, not as it is propagated": [
        ("SADD s a b", 2), ("CONFIG SET slowlog-log-slower-than 0", OK), ("SPOP s 10", Any()),
        ("SLOWLOG GET 1", [entry("SPOP", "s", "10")]), ("SET n 1", OK), ("INCRBYFLOAT n 1.5", "2.5"),
        ("SLOWLOG GET 1", [entry("INCRBYFLOAT", "n", "1.5")]),
    ],
    "refused commands are not logged": [
        ("CONFIG SET slowlog-log-slower-than 0", OK), ("SLOWLOG RESET", OK), ("NOSUCH", Any()),
        ("GET", wrong_args("get")), ("INCR", wrong_args("incr")), ("SLOWLOG LEN", 1),
    ],
    "wrong arguments": [
        ("SLOWLOG GET x", COUNT), ("SLOWLOG GET -2", COUNT), ("SLOWLOG GET 1 2", Error(
            "ERR unknown subcommand or wrong number of arguments for 'GET'. Try SLOWLOG HELP.")),
        ("SLOWLOG NOSUCH", Error("ERR unknown subcommand 'NOSUCH'. Try SLOWLOG HELP.")),
        ("SLOWLOG", wrong_args("slowlog")), ("SLOWLOG LEN x", wrong_args("slowlog|len")),
        ("SLOWLOG RESET x", wrong_args("slowlog|reset")),
    ],
    "COMMANDLOG has the slow log, with entries of six": Case([
        ("CONFIG SET commandlog-execution-slower-than 0", OK), ("COMMANDLOG RESET slow", OK), ("PING", PONG),
        ("COMMANDLOG GET 1 slow", [[Any(int), TIME, Any(int), ["PING"], ADDRESS, ""]]),
        ("CONFIG SET slowlog-log-slower-than -1", OK), ("CONFIG GET commandlog-execution-slower-than", Any()),
        ("COMMANDLOG LEN slow", 3), ("SLOWLOG LEN", 3), ("SLOWLOG RESET", OK), ("COMMANDLOG LEN SLOW", 0),
    ], since="valkey 8.1"),
    "large requests": Case([
        ("CONFIG SET commandlog-request-larger-than 100", OK), ("COMMANDLOG RESET large-request", OK),
        (("SET", "k", "x" * 64), OK), ("COMMANDLOG LEN large-request", 0),
        (("SET", "k", "x" * 66), OK), ("COMMANDLOG LEN large-request", 0),
        (("SET", "k", "x" * 73), OK),
        ("COMMANDLOG GET -1 large-request",
         [[Any(int), TIME, 100, ["SET", "k", "x" * 73], ADDRESS, ""]]),
        (("SET", "k", "x" * 5000), OK),
        ("COMMANDLOG GET 1 large-request",
         [[Any(int), TIME, 5029, ["SET", "k", "x" * 128 + "... (4872 more bytes)"], ADDRESS, ""]]),
        ("CONFIG SET commandlog-request-larger-than -1", OK), ("COMMANDLOG RESET large-request", OK),
        (("SET", "k", "x" * 5000), OK), ("COMMANDLOG LEN large-request", 0),
    ], since="valkey 8.1"),
    "what is no large request": Case([
        ("CONFIG SET commandlog-request-larger-than 200", OK), ("COMMANDLOG RESET large-request", OK),
        ("MULTI", OK), (("SET", "k", "x" * 300), QUEUED), ("EXEC", [OK]),
        (("EVAL", "return redis.call('SET', KEYS[1], string.rep('x', 300))", "1", "k"), OK),
        (("NOSUCH", "x" * 300), Any()), (("GET", "a", "x" * 300), Any()), ("COMMANDLOG LEN large-request", 0),
        (("EVAL", "return #ARGV[1]", "0", "x" * 300), 300), ("COMMANDLOG LEN large-request", 1),
    ], since="valkey 8.1"),
    "large replies": Case([
        (("SET", "k", "x" * 300), OK), ("CONFIG SET commandlog-reply-larger-than 307", OK),
        ("COMMANDLOG RESET large-reply", OK), ("PING", PONG), ("GET k", "x" * 300),
        ("COMMANDLOG GET -1 large-reply", [[Any(int), TIME, 308, ["GET", "k"], ADDRESS, ""]]),
        ("CONFIG SET commandlog-reply-larger-than 308", OK), ("COMMANDLOG RESET large-reply", OK),
        ("GET k", "x" * 300), ("COMMANDLOG LEN large-reply", 1), ("COMMANDLOG RESET large-reply", OK),
        ("CONFIG SET commandlog-reply-larger-than 309", OK), ("GET k", "x" * 300), ("COMMANDLOG LEN large-reply", 0),
        ("CONFIG SET commandlog-reply-larger-than 250", OK), ("COMMANDLOG RESET large-reply", OK),
        (("EVAL", "return #redis.call('GET', KEYS[1])", "1", "k"), 300), ("COMMANDLOG LEN large-reply", 1),
        ("MULTI", OK), ("GET k", QUEUED), ("EXEC", ["x" * 300]), ("COMMANDLOG LEN large-reply", 2),
        ("CONFIG SET commandlog-reply-larger-than -1", OK), ("COMMANDLOG RESET large-reply", OK), ("GET k", Any()),
        ("COMMANDLOG LEN large-reply", 0),
    ], since="valkey 8.1"),
    "how many of each": Case([
        ("CONFIG SET commandlog-request-larger-than 0 commandlog-reply-larger-than 0", OK),
        ("CONFIG SET commandlog-large-request-max-len 3 commandlog-large-reply-max-len 2", OK),
        *[("PING", PONG)] * 5, ("COMMANDLOG LEN large-request", 3), ("COMMANDLOG LEN large-reply", 2),
        ("CONFIG SET commandlog-large-request-max-len 0 commandlog-large-reply-max-len 0", OK),
        ("COMMANDLOG RESET large-request", OK), ("COMMANDLOG RESET large-reply", OK), ("PING", PONG),
        ("COMMANDLOG LEN large-request", 0), ("COMMANDLOG LEN large-reply", 0),
    ], since="valkey 8.1"),
    "wrong arguments of COMMANDLOG": Case([
        ("COMMANDLOG GET x slow", COUNT), ("COMMANDLOG GET -2 nosuch", COUNT), ("COMMANDLOG GET 1 nosuch", TYPE),
        ("COMMANDLOG LEN nosuch", TYPE), ("COMMANDLOG RESET nosuch", TYPE),
        ("COMMANDLOG GET 1", wrong_args("commandlog|get")), ("COMMANDLOG GET 1 slow x", wrong_args("commandlog|get")),
        ("COMMANDLOG LEN", wrong_args("commandlog|len")), ("COMMANDLOG RESET", wrong_args("commandlog|reset")),
        ("COMMANDLOG NOSUCH", Error("ERR unknown subcommand 'NOSUCH'. Try COMMANDLOG HELP.")),
        ("COMMANDLOG", wrong_args("commandlog")),
        ("CONFIG SET commandlog-request-larger-than 1kb", Any()),
    ], since="valkey 8.1"),
    "HELP of COMMANDLOG": Case([("COMMANDLOG HELP", Any(list))], since="valkey 8.1"),
    "HELP": [("SLOWLOG HELP", [Status(line) for line in (
        "SLOWLOG <subcommand> [<arg> [value] [opt] ...]. Subcommands are:", "GET [<count>]",
        "    Return top <count> entries from the slowlog (default: 10, -1 mean all).", "    Entries are made of:",
        "    id, timestamp, time in microseconds, arguments array, client IP and port,", "    client name", "LEN",
        "    Return the length of the slowlog.", "RESET", "    Reset the slowlog.", "HELP", "    Prints this help.")])],
}


def test_rows(row_case):
    row_case.check()


def test_numbers_go_on_after_reset(either_server):
    """An entry's number is its own for as long as the server runs."""
    with either_server("--slowlog-log-slower-than", "0").client() as client:
        client.call("PING")
        first = client.call("SLOWLOG", "GET", "1")[0][0]
        client.call("SLOWLOG", "RESET")
        assert client.call("SLOWLOG", "GET", "1")[0][0] == first + 2


def test_a_waiting_command_is_logged_once_it_is_answered(either_server):
    server = either_server("--slowlog-log-slower-than", "0")
    with server.client() as client, server.client() as waiter:
        waiter.send("BLPOP", "l", "0")
        wait_until(lambda: b"blocked_clients:1" in client.call("INFO", "clients"))
        assert b"BLPOP" not in [entry[3][0] for entry in client.call("SLOWLOG", "GET", "-1")]
        client.call("RPUSH", "l", "x")
        assert waiter.read() == [b"l", b"x"]
        told = [entry[3] for entry in client.call("SLOWLOG", "GET", "-1") if entry[3][0] == b"BLPOP"]
        assert told == [[b"BLPOP", b"l", b"0"]]


def test_every_one_of_a_pipeline(either_server):
    """Quick commands that are timed together otherwise are logged one by one."""
    with either_server("--slowlog-log-slower-than", "0").client() as client:
        client.pipeline([("SET", f"k{i}", "v") for i in range(50)])
        told = [entry[3][1] for entry in client.call("SLOWLOG", "GET", "50")]
        assert told == [b"k%d" % i for i in range(49, -1, -1)]


def test_the_large_ones_of_a_pipeline(fresh_server, valkey):
    """Requests that come together are told apart, and what comes in pieces is one."""
    options = ("--commandlog-request-larger-than", "1000", "--commandlog-reply-larger-than", "2000")
    request = b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1100\r\n" + b"z" * 1100 + b"\r\n"
    with peer_server(valkey.path, *options) as real:
        for server in (fresh_server(*options), real):
            with server.client() as client:
                client.pipeline([("SET", "small", "x" * 900), ("SET", "large", "y" * 1500), ("GET", "small"),
                                 ("MGET", "large", "large"), ("PING",)])
                for first in range(0, len(request), 300):
                    client.send_raw(request[first:first + 300])
                    time.sleep(0.02)
                client.read()
                requests = client.call("COMMANDLOG", "GET", "-1", "large-request")
                assert [(entry[2], entry[3][1]) for entry in requests] == [(len(request), b"k"), (1533, b"large")]
                replies = client.call("COMMANDLOG", "GET", "-1", "large-reply")
                assert [(entry[2], entry[3][0]) for entry in replies] == [(4 + 2 * 1509, b"MGET")]


def test_limits_of_a_megabyte_are_the_default(fresh_server):
    with fresh_server().client(timeout=30.0) as client:
        client.call("SET", "k", "x" * (2**20 - 100))
        client.call("GET", "k")
        assert client.call("COMMANDLOG", "LEN", "large-request") == client.call("COMMANDLOG", "LEN", "large-reply") == 0
        client.call("SET", "k", "x" * 2**20)
        client.call("GET", "k")
        assert client.call("COMMANDLOG", "LEN", "large-request") == client.call("COMMANDLOG", "LEN", "large-reply") == 1


def test_replies_that_are_not_sent_are_not_large(fresh_server):
    with fresh_server("--commandlog-reply-larger-than", "100").client() as client:
        client.call("SET", "k", "x" * 300)
        client.send_raw(b"CLIENT REPLY SKIP\r\nGET k\r\n")
        assert client.call("COMMANDLOG", "LEN", "large-reply") == 0
        client.call("GET", "k")
        assert client.call("COMMANDLOG", "LEN", "large-reply") == 1
