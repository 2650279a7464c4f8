"""What the benchmarks hand back, how it is printed, and the command line they share."""

import argparse
import json
import os
import platform
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from .common import ALL_CORES, BenchmarkError, Options, packaged_peers, product

PASS, MISS = "pass", "MISS"
BUSY_LOAD = 0.5  # processes running besides us, on average over the last minute, above which figures suffer


@dataclass(frozen=True)
class Bar:
    """What a figure has to reach: `on` names the column judged, "ours" or "ratio"."""

    on: str
    sign: str  # "<=" or ">="
    limit: float

    def __str__(self) -> str:
        return f"{self.on} {self.sign} {number(self.limit)}"


@dataclass(frozen=True)
class Figure:
    """One measured claim. `ratio` is ours / peer: the median over rounds where there are rounds.

    The bar is about the first peer; `others` has the figure and the ratio of each further one.
    """

    name: str
    unit: str
    ours: float | None
    peer: float | None = None
    ratio: float | None = None
    bar: Bar | None = None
    others: tuple[tuple[float | None, float | None], ...] = ()

    @property
    def judged(self) -> float | None:
        """The value the bar is about; None without a bar."""
        if self.bar is None:
            return None
        return self.ours if self.bar.on == "ours" else self.ratio

    @property
    def verdict(self) -> str:
        """PASS or MISS, empty without a bar. A value that could not be had is a miss."""
        if self.bar is None:
            return ""
        if self.judged is None:
            return MISS
        reached = self.judged <= self.bar.limit if self.bar.sign == "<=" else self.judged >= self.bar.limit
        return PASS if reached else MISS


@dataclass
class Result:
    """What one benchmark found: figures for the summary, a detailed table, and remarks in words."""

    name: str
    figures: list[Figure] = field(default_factory=list)
    headers: Sequence[str] = ()
    rows: list[list[object]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    versions: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    beside: str = ""  # the peer, when others had results of their own

    @property
    def title(self) -> str:
        return f"{self.name} beside {self.beside}" if self.beside else self.name

    def details(self) -> str:
        """The detailed table and the remarks."""
        lines = [f"== {self.title} =="]
        if self.rows:
            lines.append(table(self.headers, self.rows))
        lines += self.notes
        return "\n".join(lines)


def number(value: object) -> str:
    """A cell: about four significant digits for a float, a dash for None."""
    if value is None:
        return "-"
    if not isinstance(value, float):
        return str(value)
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.4g}" if abs(value) >= 100 else f"{value:.3g}"


def table(headers: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Aligned columns: the first to the left, the others to the right."""
    cells = [[number(value) for value in row] for row in rows]
    widths = [max(len(row[i]) for row in [list(headers), *cells]) for i in range(len(headers))]

    def line(row: Sequence[str]) -> str:
        first = row[0].ljust(widths[0])
        return "  ".join([first, *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))])

    return "\n".join([line(headers), line(["-" * width for width in widths]), *map(line, cells)])


def figure(name: str, unit: str, values: dict[str, float], ratios: dict[str, float], bar: Bar | None = None) -> Figure:
    """A figure of all servers, by their labels."""
    first, *others = list(ratios)
    return Figure(name, unit, values["ours"], values[first], ratios[first], bar,
                  tuple((values[label], ratios[label]) for label in others))


def summary(results: Sequence[Result], options: Options) -> str:
    """One table of all figures, with ratios and whether each bar, which is about the first peer, was reached."""
    blank = [(None, None)] * (len(options.peers) - 1)
    rows = []
    for result in results:
        for each in result.figures:
            others = [cell for pair in [*each.others, *blank][: len(blank)] for cell in pair]
            rows.append([f"{result.title}: {each.name}", each.unit, each.ours, each.peer, each.ratio, *others,
                         str(each.bar or ""), each.verdict])
    headers = ["claim", "unit", *(header.strip() for header in options.columns("")), "bar", "verdict"]
    return table(headers, rows)


def misses(results: Sequence[Result]) -> int:
    """How many bars were missed."""
    return sum(figure.verdict == MISS for result in results for figure in result.figures)


# The machine -----------------------------------------------------------------------------------------------------


def machine(options: Options) -> dict[str, str]:
    """What the figures depend on: processor, kernel, Python, and the peer's and load generator's versions."""
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        names = [line for line in cpuinfo.read_text().splitlines() if line.startswith("model name")]
        model = names[0].partition(":")[2].strip() if names else model
    return {
        "cpu": f"{model}, {len(ALL_CORES)} usable of {os.cpu_count()} cores",
        "kernel": platform.release(),
        "load average": f"{os.getloadavg()[0]:.2f}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "server": shlex.join(options.server),
        **{label: version_line(options.command(label)[0]) for label in options.labels[1:]},
        "redis-benchmark": version_line("redis-benchmark"),
    }


def version_line(program: str) -> str:
    """The first line of `program --version`, or why there is none."""
    path = shutil.which(program)
    if path is None:
        return f"{program}: not installed"
    done = subprocess.run([path, "--version"], capture_output=True, text=True, check=False)
    return (done.stdout or done.stderr).strip().partition("\n")[0]


def machine_text(facts: dict[str, str]) -> str:
    lines = [f"{name}: {text}" for name, text in facts.items()]
    if len(ALL_CORES) == 1:
        lines.append("ONE usable core: server and load share it, so rates and latencies mean little; "
                     "CPU per request and memory remain comparable")
    if float(facts["load average"]) > BUSY_LOAD:
        lines.append("the machine is BUSY: other processes share the cores and caches; expect noise in every figure")
    return "\n".join(lines)


# The command line ------------------------------------------------------------------------------------------------


def parser(description: str | None, short: bool) -> argparse.ArgumentParser:
    """The options every benchmark has; `short` is the form run when neither is asked for."""
    out = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    out.add_argument("--server", metavar="CMD", default=shlex.join(Options.server),
                     help="command that starts the server under test (default: %(default)s)")
    out.add_argument("--peer", metavar="PATH", action="append", dest="peers",
                     help="another server, or a command that starts it; may be repeated (default: the redis-server on "
                     "PATH, and those of the packages in the extra `peers`)")
    form = out.add_mutually_exclusive_group()
    form.add_argument("--short", dest="short", action="store_true", help="less work, noisier figures")
    form.add_argument("--full", dest="short", action="store_false", help="the work the claims are made for")
    out.set_defaults(short=short)
    out.add_argument("--json", metavar="FILE", help="also write everything measured to FILE")
    out.add_argument("--strict", action="store_true", help="exit with status 1 when a bar is missed")
    return out


def options_from(args: argparse.Namespace) -> Options:
    peers = args.peers or ["redis-server", *packaged_peers()]
    return Options(tuple(shlex.split(args.server)), tuple(tuple(shlex.split(peer)) for peer in peers), args.short)


def end_on_sigterm() -> None:
    """Turns SIGTERM into SystemExit, so that servers are stopped on the way out."""
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))


def write_json(path: str, facts: dict[str, str], options: Options, results: Sequence[Result]) -> None:
    """Everything measured, each figure with its verdict."""
    peers = [product(peer[0]) for peer in options.peers]
    data = []
    for result in results:
        entry = asdict(result)
        for each, raw in zip(result.figures, entry["figures"], strict=True):
            raw["verdict"] = each.verdict
        data.append(entry)
    Path(path).write_text(json.dumps({"machine": {**facts, "peers": peers}, "results": data}, indent=2) + "\n")


def timed(run: Callable[[Options], Result], options: Options, together: bool) -> list[Result]:
    """Runs a benchmark and notes how long it took: `together` it measures all peers at once, else one by one."""
    results = []
    for each in [options] if together else options.beside_each():
        began = time.monotonic()
        results.append(run(each))
        results[-1].seconds = time.monotonic() - began
        if each.peers != options.peers:
            results[-1].beside = product(each.command("peer")[0])
    return results


def main(run: Callable[[Options], Result], description: str | None, together: bool = False) -> int:
    """The command line of a single benchmark, in its full form unless --short is given; returns the exit status."""
    args = parser(description, short=False).parse_args()
    options = options_from(args)
    end_on_sigterm()
    facts = machine(options)
    print(machine_text(facts), flush=True)
    try:
        results = timed(run, options, together)
    except BenchmarkError as error:
        print(error, file=sys.stderr)
        return 1
    for result in results:
        print(f"\n{result.details()}\n{result.seconds:.0f} s")
    print(f"\n{summary(results, options)}")
    if args.json:
        write_json(args.json, facts, options, results)
    return 1 if args.strict and misses(results) else 0
