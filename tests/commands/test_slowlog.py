"""SLOWLOG: what is in the slow log, and what is kept of a command."""
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

ADDRESS = Matching(r"127\.0\.0\.1:\d+")
COUNT = Error("ERR count should be greater than or equal to -1")
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
