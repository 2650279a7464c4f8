"""The table of README.md, out of what `python -m benchmarks --json FILE` has measured.

    python -m benchmarks throughput memory clients expiry --json all.json
    python -m benchmarks.readme all.json

A row is a figure of those results; a row whose figure is not among them is left out.
"""

import json
import sys
from pathlib import Path

LATER = "more than 2 s"  # an event that had not come when expiry stopped to wait: the only figure that can be missing
MICROSECONDS, BYTES, MILLIONS, MILLISECONDS = "{:.3g} µs", "{:.1f} B", "{:.2f} million", "{:.1f} ms"
# what README calls it, the result and the figure in it, how a value is written, and by what it is divided for that
ROWS = (
    ("SET, one at a time: server CPU a request", "throughput", "SET P=1 server CPU", MICROSECONDS, 1),
    ("GET, one at a time", "throughput", "GET P=1 server CPU", MICROSECONDS, 1),
    ("INCR, one at a time", "throughput", "INCR P=1 server CPU", MICROSECONDS, 1),
    ("SET, pipelines of 16", "throughput", "SET P=16 server CPU", MICROSECONDS, 1),
    ("GET, pipelines of 16", "throughput", "GET P=16 server CPU", MICROSECONDS, 1),
    ("INCR, pipelines of 16", "throughput", "INCR P=16 server CPU", MICROSECONDS, 1),
    ("SET, pipelines of 64", "throughput", "SET P=64 server CPU", MICROSECONDS, 1),
    ("GET, pipelines of 64", "throughput", "GET P=64 server CPU", MICROSECONDS, 1),
    ("INCR, pipelines of 64", "throughput", "INCR P=64 server CPU", MICROSECONDS, 1),
    ("MGET of ten keys, pipelines of 16", "throughput", "MGET of 10 P=16 server CPU", MICROSECONDS, 1),
    ("SET requests a second, pipelines of 64", "throughput", "SET P=64 rate", MILLIONS, 1e6),
    ("CLIENT LIST of 5,000 clients", "clients", "CLIENT LIST of 5,000 clients, server CPU", MILLISECONDS, 1000),
    ("memory for a key of 16 and a value of 32 bytes, 1M keys", "memory", "16-byte key, 32-byte value", BYTES, 1),
    ("the same with a TTL", "memory", "the same with a TTL", BYTES, 1),
    ("memory for 300,000 keys of 16 and values of 32 bytes, each", "memory", "300,000 of a string", BYTES, 1),
    ("with a TTL", "memory", "300,000 of a string with a TTL", BYTES, 1),
    ("a counter", "memory", "300,000 of a counter", BYTES, 1),
    ("a hash of ten fields", "memory", "300,000 of a hash of ten", BYTES, 1),
    ("a member of a sorted set", "memory", "300,000 of a sorted set's member", BYTES, 1),
    ("a member of a set", "memory", "300,000 of a set's member", BYTES, 1),
    ("a field of a big hash", "memory", "300,000 of a big hash's field", BYTES, 1),
    ("an item of a list", "memory", "300,000 of a list's item", BYTES, 1),
    ("a set of 100 integers", "memory", "300,000 of 100 integers in a set", BYTES, 1),
    ("`expired` events behind their time, 99 % within (1M other keys with a TTL)", "expiry", "lag p99", MILLISECONDS,
     1),
)


def cells(figure: dict, text: str, divisor: float) -> list[str]:
    """Ours, then value and ratio of each peer."""
    pairs = [(figure["peer"], figure["ratio"]), *figure["others"]]
    values = [(figure["ours"], None), *pairs]
    shown = [LATER if value is None else text.format(value / divisor) for value, _ in values]
    ratios = ["" if ratio is None else f"{ratio:.2f}" for _, ratio in values]
    return [shown[0], *(cell for pair in zip(shown[1:], ratios[1:], strict=True) for cell in pair)]


def markdown(data: dict) -> str:
    """The table, with a column and a ratio for each peer."""
    names = data["machine"]["peers"]
    found = {(result["name"], figure["name"]): figure for result in data["results"] for figure in result["figures"]}
    headers = ["", "fastredis", *(header for name in names for header in (name, "ratio"))]
    lines = [headers, ["---"] * len(headers)]
    for row, result, name, text, divisor in ROWS:
        if (figure := found.get((result, name))) is not None:
            lines.append([row, *cells(figure, text, divisor)])
    return "\n".join(f"| {' | '.join(line)} |".replace("|  |", "| |") for line in lines)


if __name__ == "__main__":
    print(markdown(json.loads(Path(sys.argv[1]).read_text())))
