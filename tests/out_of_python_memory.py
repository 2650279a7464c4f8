"""Python's n-th allocation fails, for every n, under each write command and whatever else changes data.

    python -m tests.out_of_python_memory [words of a case's name]

Only the n-th, or thousands from the n-th on (for ever would have CPython 3.11 spin where it unwinds its stack); each is
tried in a child of an engine that holds the case's data. What may come of it:
  - the process ends, with a report
  - an error is replied, or the connection is lost: the data are as they were, and nothing is propagated
  - the command was executed, whether or not its reply arrives: data and what is propagated are as ever
Anything else is a fault: half a change, a signal, a child that hangs, a server that does not answer the next client.
Needs CPython's own _testcapi. A transaction comes in one read.
"""
import _testcapi
import os

from tests.failing import REPORT, in_child, look, try_all
from tests.local import words
from tests.out_of_memory import Case, cases, commands
from tests.resp import encode

THOUSANDS = 5000
REPORT_BYTES = REPORT.encode()
MANY_FIELDS = " ".join(f"field-{i} {i}" for i in range(150))
DUE = "DEBUG SET-ACTIVE-EXPIRE 0 | DEBUG CLOCK ADVANCE 20"
KEY = f"SET k v PX 10 | SET other v | {DUE}"
FIELDS = f"HSET h a 1 b 2 c 3 | HPEXPIRE h 10 FIELDS 2 a b | {DUE}"
ALL_FIELDS = f"HSET h a 1 | HPEXPIRE h 10 FIELDS 1 a | {DUE}"
MEMBERS = f"SADD s a b c | SPEXPIRE s 10 MEMBERS 2 a b | {DUE}"
ALL_MEMBERS = f"SADDEX s PX 10 MEMBERS 2 a b | {DUE}"
TABLE = f"HSET h {MANY_FIELDS} | HPEXPIRE h 10 FIELDS 2 field-1 field-2 | {DUE}"

# What changes though no command writes it: (setup, line). T: 20 ms pass.
ON_THE_WAY = {
    "a key expires under GET": (KEY, "GET k"),
    "a key expires under SCAN": (KEY, "SCAN 0 COUNT 1000"),
    "a key expires under RANDOMKEY": (f"SET k v PX 10 | {DUE}", "RANDOMKEY"),
    "a key expires under EXEC": (KEY, "MULTI | GET k | GET other | EXEC"),
    "a key expires under EVAL": (KEY, [("EVAL", "return redis.call('GET', KEYS[1])", "1", "k")]),
    "a key expires under DEL": (KEY, "DEL k"),
    "a key expires and is told": (f"CONFIG SET notify-keyspace-events KEA | {KEY}", "GET k"),
    "fields expire under HGET": (FIELDS, "HGET h a"),
    "fields expire under HMGET": (FIELDS, "HMGET h a b c"),
    "fields expire under HRANDFIELD": (FIELDS, "HRANDFIELD h"),
    "fields expire under HEXISTS": (TABLE, "HEXISTS h field-2"),
    "fields of a table expire under HRANDFIELD": (TABLE, "HRANDFIELD h 2"),
    "the last field expires under HGET": (ALL_FIELDS, "HGET h a"),
    "fields expire under HTTL": (FIELDS, "HPTTL h FIELDS 2 a b"),
    "members expire under SRANDMEMBER": (MEMBERS, "SRANDMEMBER s"),
    "members expire under SINTER": (MEMBERS, "SINTER s s"),
    "members expire under SADD": (MEMBERS, "SADD s a d"),
    "members expire under SPOP": (MEMBERS, "SPOP s 2"),
    "members expire under SUNIONSTORE": (MEMBERS, "SUNIONSTORE t s"),
    "the last member expires under SRANDMEMBER": (ALL_MEMBERS, "SRANDMEMBER s"),
    "the last member expires under SADDEX": (ALL_MEMBERS, "SADDEX s EX 5 MEMBERS 1 a"),
    "members expire by time": ("SADD s a b c | SPEXPIRE s 10 MEMBERS 2 a b", "T"),
    "a key expires by time": ("SET k v PX 10", "T"),
    "fields expire by time": ("HSET h a 1 b 2 c 3 | HPEXPIRE h 10 FIELDS 2 a b", "T"),
    "the clock is set": ("SET k v PX 10 | HSET h a 1 b 2 | HPEXPIRE h 10 FIELDS 1 a", "DEBUG CLOCK ADVANCE 20"),
}

# (setup, who waits, line).
WAITERS = {
    "BLPOP is served": ("", "BLPOP l 0", "RPUSH l a b"),
    "BLMOVE is served": ("", "BLMOVE l other LEFT RIGHT 0", "RPUSH l a b"),
    "BZPOPMIN is served": ("", "BZPOPMIN z 0", "ZADD z 1 a"),
    "XREADGROUP is served": ("XGROUP CREATE x g $ MKSTREAM", "XREADGROUP GROUP g c BLOCK 0 STREAMS x >",
                             "XADD x 1-1 a b"),
    "BLPOP is served by EXEC": ("", "BLPOP l 0", "MULTI | RPUSH l a | SET k v | EXEC"),
}


def python_cases():
    """The cases of tests.out_of_memory that are plain requests, and those from above: {name: (case, who waits)}."""
    found = {name: (case, None) for name, case in cases().items()
             if case.requests is not None and "big" not in name and case.keeps_data}
    found |= {name: (Case(setup, commands, line), None) for name, (setup, line) in ON_THE_WAY.items()}
    found |= {name: (Case(setup, commands, line), waits) for name, (setup, waits, line) in WAITERS.items()}
    return found


class Failing:
    """Context: Python's allocations n to last-1 fail; n = 0: none does.

    A MemoryError goes no further than the loop, which closes the connection then; one out of a timer ends the process.
    """

    def __init__(self, n, last, wire):
        self.n, self.last, self.wire = n, last, wire

    def __enter__(self):
        if self.n:
            _testcapi.set_nomemory(self.n, self.last)

    def __exit__(self, kind, *_):
        _testcapi.remove_mem_hooks()
        if kind is MemoryError:
            self.wire.abort()
        return kind is MemoryError


def end(text, is_bug):
    """For Engine.on_fatal."""
    os.write(2, REPORT_BYTES)
    os._exit(1)


def run(local, client, data, n, last):
    """In the child: what the requests do under failing allocations -> whether the client's connection lives."""
    wire, receive, advance = client.socket, client.connection.data_received, local.engine.clock.advance
    if data is None:
        with Failing(n, last, wire):
            advance(20)
        if wire.closed:
            end("out of memory in a timer", True)
    else:
        with Failing(n, last, wire):
            receive(data)
        while client.connection.waiting and not wire.closed:    # it took long by chance, and gave way to others
            wire.run_loop()
    return not wire.closed


def attempt(local, client, waiter, data, n, last):
    """What came of it: None: it ended with a report; else (whether the client lives, output, the waiter's, look())."""
    def work():
        lives = run(local, client, data, n, last)
        waited = waiter is not None and (bytes(waiter.socket.output), waiter.socket.closed)
        return lives, bytes(client.socket.output), waited, look(local)
    return in_child(work, f"allocations {n} to {last - 1}")


def judge(name, tried, plain, before):
    """How it came out: "ended", "done" or "undone"; AssertionError: wrongly."""
    if tried is None:
        return "ended"
    lives, output, waited, state = tried
    if state == plain[3]:
        assert not lives or output or not plain[1], f"{name}: no reply, and the client waits"
        assert waited == plain[2] or (waited and waited[1]), f"{name}: {waited} came to who waited"
        return "done"
    assert state == before, f"{name}: half a change: {output!r}, {state} instead of {plain[3]}"
    assert not lives or b"-" in output or not plain[1], f"{name}: no error: {output!r}"
    return "undone"


def numbers(every):
    """Which n to try: all, or fewer and fewer."""
    n, step = 1, 1
    while True:
        yield n
        n += step
        if not every:
            step = 1 + n // 3


def split(requests):
    """Requests of which each may come out in its own way: those before the last one, and this; a transaction is one."""
    at = 0 if requests[0][0] in (b"MULTI", "MULTI") else len(requests) - 1
    return requests[:at], requests[at:]


def check(given, every=True):
    """Try a case with each n, or with some, up to the first that changes nothing; how often it came out how."""
    case, waits = given
    counts = {"ended": 0, "undone": 0, "done": 0}
    first, tried = split(case.requests)
    with case.engine() as (local, client):
        local.engine.on_fatal = end
        for argv in first:
            client.call(*argv)
        waiter = None
        if waits is not None:
            waiter = local.client()
            waiter.send(*words(waits))
        data = None if tried == [[b"T"]] else b"".join(encode(*argv) for argv in tried)
        local.notes.take()
        before = look(local)
        plain = attempt(local, client, waiter, data, 0, 0)
        for n in numbers(every):
            outcomes = [attempt(local, client, waiter, data, n, n + some) for some in (1, THOUSANDS)]
            for some, outcome in zip((1, THOUSANDS), outcomes, strict=True):
                counts[judge(f"allocation {n}, {some} of them", outcome, plain, before)] += 1
            if outcomes == [plain, plain]:
                return counts           # no more were asked for


if __name__ == "__main__":
    try_all(python_cases(), check)
