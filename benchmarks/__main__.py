"""Runs the benchmarks, all or those named, and prints one table of what they claim, with ratios and pass or MISS.

The short forms take some twelve minutes together beside one peer; --full does the work the claims are made for. The
exit status is 0 unless a benchmark failed to run; with --strict a missed bar is a failure too.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from . import (
    access,
    clients,
    collections,
    embedding,
    eviction,
    expiry,
    memory,
    parser,
    pauses,
    persistence,
    replication,
    scripting,
    streams,
    throughput,
    tls,
)
from .common import BenchmarkError, Options
from .report import (
    MISS,
    Figure,
    Result,
    end_on_sigterm,
    machine,
    machine_text,
    misses,
    number,
    options_from,
    summary,
    timed,
    write_json,
)
from .report import parser as common_parser

# name -> what runs it, and whether it measures all peers together
BENCHMARKS = {
    "throughput": (throughput.run, True),
    "collections": (collections.run, True),
    "scripting": (scripting.run, True),
    "streams": (streams.run, True),
    "access": (access.run, True),
    "tls": (tls.run, False),
    "memory": (memory.run, True),
    "clients": (clients.run, True),
    "eviction": (eviction.run, False),
    "pauses": (pauses.run, False),
    "expiry": (expiry.run, True),
    "persistence": (persistence.run, False),
    "replication": (replication.run, False),
    "parser": (parser.run, True),
    "embedding": (embedding.run, True),
}
OFF_SCALE = 2.0
PASS_COLOUR, MISS_COLOUR = "tab:green", "tab:red"


def arguments() -> argparse.Namespace:
    """The command line. argparse ends the program when a benchmark's name is wrong."""
    out = common_parser(__doc__, short=True)
    out.add_argument("names", nargs="*", metavar="name", help=f"any of {', '.join(BENCHMARKS)}; all when none is given")
    out.add_argument("--plot", metavar="FILE.png", help="also draw the table (needs matplotlib)")
    args = out.parse_args()
    for name in args.names:
        if name not in BENCHMARKS:
            out.error(f"no benchmark called {name}")
    return args


def run_all(names: Sequence[str], options: Options) -> tuple[list[Result], int]:
    """Runs benchmarks one after another, printing each one's details; results, and how many could not run."""
    results, failed = [], 0
    for name in names:
        try:
            run, together = BENCHMARKS[name]
            found = timed(run, options, together)
        except BenchmarkError as error:
            failed += 1
            print(f"\n== {name} ==\nfailed: {error}", flush=True)
            continue
        results += found
        for result in found:
            print(f"\n{result.details()}\n{result.seconds:.0f} s", flush=True)
    return results, failed


# The picture -----------------------------------------------------------------------------------------------------


def share_of_bar(figure: Figure) -> float:
    """How a figure with a bar stands to it: 1 on the bar, less when it passes, OFF_SCALE where no quotient exists."""
    judged, limit = figure.judged, figure.bar.limit
    if not judged or not limit:
        return OFF_SCALE if figure.verdict == MISS else 0.0
    return judged / limit if figure.bar.sign == "<=" else limit / judged


def plot(path: str, results: Sequence[Result]) -> None:
    """Draws each figure as a share of its bar. BenchmarkError when matplotlib is missing."""
    pyplot = import_pyplot()
    drawn = [
        (f"{result.title}: {figure.name}", share_of_bar(figure), figure)
        for result in results
        for figure in result.figures
        if figure.bar is not None
    ]
    canvas, axes = pyplot.subplots(figsize=(10, 1.5 + 0.28 * len(drawn)), layout="constrained")
    names, shares = [name for name, _, _ in drawn], [share for _, share, _ in drawn]
    colours = [MISS_COLOUR if figure.verdict == MISS else PASS_COLOUR for _, _, figure in drawn]
    bars = axes.barh(names, shares, color=colours)
    axes.bar_label(bars, [f"{number(figure.judged)} ({figure.bar})" for _, _, figure in drawn], padding=4, fontsize=8)
    axes.axvline(1.0, color="black", linewidth=1)
    axes.set_xlim(0, max([OFF_SCALE, *shares]) * 1.25)
    axes.invert_yaxis()
    axes.set_xlabel("share of the bar (up to 1 passes)")
    canvas.savefig(path, dpi=120)
    pyplot.close(canvas)


def import_pyplot():
    """matplotlib's pyplot, set to draw into files. BenchmarkError when it is not installed."""
    try:
        import matplotlib
    except ImportError:
        raise BenchmarkError("--plot needs matplotlib: pip install matplotlib (or fastredis[bench])") from None
    matplotlib.use("Agg")
    from matplotlib import pyplot

    return pyplot


def main() -> int:
    """Runs what was asked for; returns the exit status."""
    args = arguments()
    options = options_from(args)
    end_on_sigterm()
    try:
        if args.plot:
            import_pyplot()  # rather now than after minutes of work
            if not Path(args.plot).resolve().parent.is_dir():
                raise BenchmarkError(f"no directory for {args.plot}")
        facts = machine(options)
    except BenchmarkError as error:
        print(error, file=sys.stderr)
        return 1
    print(machine_text(facts), flush=True)
    results, failed = run_all(args.names or list(BENCHMARKS), options)
    if results:
        missed = misses(results)
        print(f"\n{summary(results, options)}\n\n{sum(result.seconds for result in results):.0f} s, "
              f"{missed} bar(s) missed, {failed} benchmark(s) failed")
        if args.plot:
            plot(args.plot, results)
    if args.json:
        write_json(args.json, facts, options, results)
    return 1 if failed or (args.strict and misses(results)) else 0


if __name__ == "__main__":
    sys.exit(main())
