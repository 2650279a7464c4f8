"""CPU time a command of the incremental request parser, against hiredis-py's Reader (a C parser) on the same bytes.

Both are fed the same pieces and hand back each command as a list of bytes objects; their results are compared before
anything is timed. That list is part of the time here, though the server itself never builds it. A big value must
cost in proportion to its size, however many pieces it comes in: a parser that starts again or copies what it has
with each piece does not. Pieces are varied rather than sizes, as the allocator's own costs change with size.
"""

import gc
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from .common import BenchmarkError, Options, load_core, pinned, resp
from .report import Bar, Figure, Result, main

KIB, MIB = 1024, 1024 * 1024
PIECE = 16 * KIB
LARGE_PIECE = 256 * KIB
LINEAR_LIMIT = 1.5
HEADERS = ("input", "commands", "KiB", "feeds", "ours µs/cmd", "hiredis", "ratio")

Feed = Callable[[bytes], list]


@dataclass(frozen=True)
class Case:
    """A stream of `commands` commands, as the pieces it arrives in; `limit` is the ratio to stay within, if any."""

    name: str
    commands: int
    pieces: Sequence[bytes]
    limit: float | None = 1.0

    @property
    def size_bytes(self) -> int:
        return sum(map(len, self.pieces))


def split(data: bytes, size: int) -> list[bytes]:
    """Cuts a stream into pieces of `size` bytes, the last one shorter."""
    return [data[i : i + size] for i in range(0, len(data), size)]


def big_value(mebibytes: int, piece: int, limit: float | None = 1.1) -> Case:
    """SET of a value of so many MiB, as it comes from a socket in pieces of `piece` bytes.

    Nearly all of it is memcpy on both sides, so the limit leaves room for noise.
    """
    data = resp(b"SET", b"key:000000000001", b"v" * (mebibytes * MIB))
    return Case(f"SET of {mebibytes} MiB in {piece // KIB} KiB pieces", 1, split(data, piece), limit)


def cases() -> list[Case]:
    """The inputs, from a lone small command to a big value."""
    small = [resp(b"SET", b"key:%012d" % i, b"v" * 32) for i in range(64)]
    wide = resp(b"MSET", *(part for i in range(500) for part in (b"key:%012d" % i, b"v" * 32)))
    return [
        Case("SET of 3 arguments, alone", 64, small),
        Case("SET of 3 arguments, 64 a piece", 64, [b"".join(small)]),
        Case("SET of 3 arguments, 7-byte pieces", 64, split(b"".join(small), 7)),
        Case("MSET of 1,001 arguments", 1, [wide]),
        Case("MSET of 1,001 arguments, 16 KiB pieces", 1, split(wide, PIECE)),
        big_value(1, PIECE),
        big_value(8, PIECE),
        big_value(8, LARGE_PIECE, limit=None),
    ]


def make_ours() -> Feed:
    """A new parser of ours. BenchmarkError when the extension is not built."""
    try:
        from fastredis._resp import RequestParser
    except ImportError as error:
        raise BenchmarkError(f"fastredis is not built (make compile): {error}") from None
    return RequestParser().feed


def make_hiredis() -> Feed:
    """A new hiredis Reader behind the same interface. BenchmarkError when hiredis is missing."""
    try:
        import hiredis
    except ImportError:
        raise BenchmarkError("the parser benchmark needs hiredis: pip install hiredis") from None
    reader = hiredis.Reader()

    def feed(data: bytes) -> list:
        reader.feed(data)
        out = []
        while (command := reader.gets()) is not False:
            out.append(command)
        return out

    return feed


MAKERS = {"ours": make_ours, "hiredis": make_hiredis}


def check(case: Case) -> None:
    """Both parsers must find the same commands, and as many as there are."""
    found = {}
    for label, make in MAKERS.items():
        feed = make()
        found[label] = [command for piece in case.pieces for command in feed(piece)]
    if found["ours"] != found["hiredis"] or len(found["ours"]) != case.commands:
        raise BenchmarkError(f"{case.name}: the parsers disagree about the commands")


def cpu_seconds(feed: Feed, case: Case, repeats: int) -> float:
    """CPU time of feeding a case `repeats` times, in seconds."""
    pieces = case.pieces
    begin = time.thread_time_ns()
    for _ in range(repeats):
        for piece in pieces:
            feed(piece)
    return (time.thread_time_ns() - begin) / 1e9


def compare(case: Case, rounds: int, seconds: float) -> dict[str, list[float]]:
    """µs a command in each round, both parsers in turn; a round lasts about `seconds` for each."""
    check(case)
    feeds = {label: make() for label, make in MAKERS.items()}
    repeats = {}
    for label, feed in feeds.items():
        first = cpu_seconds(feed, case, 3) / 3
        repeats[label] = max(1, int(seconds / max(first, 1e-7)))
    costs: dict[str, list[float]] = {label: [] for label in MAKERS}
    for _ in range(rounds):
        for label, feed in feeds.items():
            spent = cpu_seconds(feed, case, repeats[label])
            costs[label].append(spent / repeats[label] / case.commands * 1e6)
    return costs


def run(options: Options) -> Result:
    """All inputs; no server takes part, so --server and --peer have no say."""
    rounds, seconds = (5, 0.05) if options.short else (15, 0.3)
    result = Result("parser", headers=HEADERS)
    by_case: dict[str, dict[str, float]] = {}
    gc.disable()
    try:
        with pinned(load_core()):
            for case in cases():
                costs = compare(case, rounds, seconds)
                median = {label: statistics.median(values) for label, values in costs.items()}
                ratio = statistics.median(a / b for a, b in zip(costs["ours"], costs["hiredis"], strict=True))
                result.rows.append([case.name, case.commands, case.size_bytes / KIB, len(case.pieces),
                                    median["ours"], median["hiredis"], ratio])
                bar = None if case.limit is None else Bar("ratio", "<=", case.limit)
                result.figures.append(Figure(case.name, "µs/cmd", median["ours"], median["hiredis"], ratio, bar))
                by_case[case.name] = median
    finally:
        gc.enable()
    few, many = (by_case[big_value(8, piece).name] for piece in (LARGE_PIECE, PIECE))
    growth = [many[label] / few[label] for label in MAKERS]
    result.figures.append(Figure("8 MiB: 16 KiB over 256 KiB pieces", "factor", *growth, growth[0] / growth[1],
                                 Bar("ours", "<=", LINEAR_LIMIT)))
    result.notes.append(f"peer: hiredis-py's Reader; CPU time, median of {rounds} rounds in turn")
    return result


if __name__ == "__main__":
    sys.exit(main(run, __doc__, together=True))
