"""Server CPU a request of streams and geospatial indexes, against redis-server.

One stream has a million entries of one field, one in another group a million pending ones; a third gets what is added.
A group's reading and acknowledging is a script, so that what is read can be acknowledged. Then one XADD that 1,000
blocked clients wait for, and their next XREAD. How the others are measured is said in load.py.
"""

import random
import statistics
import sys
from collections.abc import Sequence
from contextlib import ExitStack

from .collections import add, empty
from .common import Connection, Options, Server, fill, load_core, pinned, resp, running, unknown_command
from .load import KEYS, RAND, Form, Test, headers, report, rounds_text, sit_all
from .report import Bar, Result, figure, main

SHORT, FULL = Form(2, {1: 4, 16: 3}, 0.4), Form(4, {1: 12, 16: 4}, 1.5)
FEW, MANY = {1: 20_000, 16: 160_000}, {1: 5_000, 16: 16_000}
READERS = 1000
FAN_ROUNDS, FAN_ROUNDS_SHORT = 60, 20
FAN_BAR = Bar("ratio", "<=", 0.6)
READ_AND_ACKNOWLEDGE = """\
local got = redis.call('XREADGROUP', 'GROUP', 'g', 'c', 'COUNT', '10', 'STREAMS', KEYS[1], '>')
if not got then
    redis.call('XGROUP', 'SETID', KEYS[1], 'g', '0')
    return 0
end
local ids = {}
for i, entry in ipairs(got[1][2]) do ids[i] = entry[1] end
return redis.call('XACK', KEYS[1], 'g', unpack(ids))"""
PIECE = 10_000                      # entries that are read at a time to have all pending
READ_ALL = b"""for i = 1, ARGV[1] do
    redis.call('XREADGROUP', 'GROUP', 'g', 'c', 'COUNT', ARGV[2], 'STREAMS', KEYS[1], '>')
end"""
RADIUS_KM = "62.5"                  # has about 100 of a million members that lie anywhere up to 85 degrees


def bars(at_16: float) -> dict[int, float]:
    """By pipeline."""
    return {1: 1.05, 16: at_16}


TESTS = (
    Test("XADD", ("xadd", "added", "*", "field", f"value:{RAND}"), FEW, bars(0.5), prepare=empty(b"added")),
    Test("XADD MAXLEN ~ 1000", ("xadd", "added", "MAXLEN", "~", "1000", "*", "field", f"value:{RAND}"), FEW, bars(0.5),
         prepare=empty(b"added")),
    Test("XRANGE of 100 in 1M", ("xrange", "entries", f"{RAND}", "+", "COUNT", "100"), MANY, bars(0.7), reads=True),
    Test("XREAD COUNT 100 in 1M", ("xread", "COUNT", "100", "STREAMS", "entries", f"{RAND}"), MANY, bars(0.7),
         reads=True),
    Test("XREADGROUP COUNT 10 and XACK", ("eval", READ_AND_ACKNOWLEDGE, "1", "entries"), MANY, bars(0.5)),
    Test("XAUTOCLAIM, none idle, of 1M pending",
         ("xautoclaim", "pending", "g", "other", "3600000", "0", "COUNT", "10", "JUSTID"), MANY, bars(0.2)),
    Test("GEOSEARCH of 100 in 1M", ("geosearch", "places", "FROMLONLAT", "13.3", "38.1", "BYRADIUS", RADIUS_KM, "km"),
         MANY, bars(0.5), reads=True),
)


def add_places(connection: Connection) -> None:
    """A million members, anywhere."""
    chance = random.Random(7)

    def fields(numbers: range):
        for n in numbers:
            yield chance.randrange(-179_999, 180_000)
            yield chance.randrange(-84_999, 85_000)
            yield n

    add(connection, (b"GEOADD", b"places"), (b"%07de-3", b"%07de-3", b"place:%07d"), KEYS, fields)


def preload(server: Server, tests: Sequence[Test]) -> None:
    """Makes the streams and the index."""
    commands = {test.command for test in tests}
    with server.connect() as connection:
        if b"XADD" in commands:
            for key in (b"entries", b"pending"):
                connection.load(fill(resp(b"XADD", key, b"%012d-1", b"field", b"value"), KEYS,
                                     lambda numbers: (n + 1 for n in numbers), lines_per_reply=2))
                connection.call(b"XGROUP", b"CREATE", key, b"g", b"0")
            connection.call(b"EVAL", READ_ALL, b"1", b"pending", b"%d" % (KEYS // PIECE), b"%d" % PIECE)
        if b"GEOSEARCH" in commands:
            add_places(connection)


def fan_out_us(server: Server, readers: Sequence[Connection], rounds: int) -> list[float]:
    """Server CPU of one XADD to all readers and their next XREAD, in microseconds, round by round."""
    wait = resp(b"XREAD", b"BLOCK", b"0", b"STREAMS", b"fan", b"$")
    found = []
    with server.connect() as connection:
        for reader in readers:
            reader.socket.sendall(wait)
        while int(connection.info("clients")["blocked_clients"]) < len(readers):
            pass
        for _ in range(rounds):
            before = server.cpu_ns()
            connection.call(b"XADD", b"fan", b"*", b"field", b"value")
            for reader in readers:
                reader.reply()
                reader.socket.sendall(wait)
            while int(connection.info("clients")["blocked_clients"]) < len(readers):
                pass
            found.append((server.cpu_ns() - before) / 1000)
    return found


def fan_out(options: Options, result: Result) -> None:
    """The figure of the fan-out."""
    found: dict[str, list[float]] = {}
    with ExitStack() as stack:
        servers = [stack.enter_context(running(options, label)) for label in options.labels]
        if unknown_command(servers, [b"XADD"]):
            return
        for server in servers:
            readers = [stack.enter_context(server.connect()) for _ in range(READERS)]
            with pinned(load_core()):
                found[server.label] = fan_out_us(server, readers, FAN_ROUNDS_SHORT if options.short else FAN_ROUNDS)
    values = {label: statistics.median(costs) for label, costs in found.items()}
    ratios = {label: values["ours"] / value for label, value in values.items() if label != "ours"}
    result.figures.append(figure(f"XADD to {READERS:,} blocked readers, server CPU", "µs", values, ratios, FAN_BAR))


def run(options: Options) -> Result:
    """All tests over TCP, then the fan-out."""
    form = SHORT if options.short else FULL
    result = Result("streams", headers=headers(options))
    report(options, sit_all(options, form, TESTS, preload, result), result)
    fan_out(options, result)
    result.notes.append(f"{rounds_text(form)}; {KEYS:,} entries, pending entries and places")
    return result


if __name__ == "__main__":
    sys.exit(main(run, __doc__, together=True))
