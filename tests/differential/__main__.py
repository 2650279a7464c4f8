"""python -m tests.differential: see tests/differential/__init__.py. Exit status 1 for a difference."""
import argparse
import contextlib
import os
import sys
import time

from tests.differential import __doc__ as about
from tests.differential.session import test
from tests.servers import fastredis_server, find_peer, peer_server


def main():
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peer", help="path of a redis-server or valkey-server; by default the redis-server on PATH")
    parser.add_argument("--steps", type=int, default=100_000)
    parser.add_argument("--seconds", type=float, help="stop after so long, whatever the number of steps")
    parser.add_argument("--seed", type=int, default=1, help="of the first session; the next ones count up")
    parser.add_argument("--only", default="", help="names of commands, separated by commas: draw no others")
    options = parser.parse_args()
    found = find_peer(options.peer)
    if found is None:
        parser.error("no redis-server")
    os.environ["LC_ALL"] = "C"              # SORT ALPHA of redis-server follows the locale
    only = tuple(options.only.lower().split(",")) if options.only else ()
    start = time.monotonic()
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(fastredis_server())
        peer = stack.enter_context(peer_server(found.path))
        done = test(server, peer, str(found), options.steps, options.seed, only, options.seconds,
                    lambda text: print(text, file=sys.stderr, flush=True))
    spent = time.monotonic() - start
    print(f"{done.steps} steps beside {found} from seed {options.seed}, {done.steps / spent:.0f} a second: "
          f"{len(done.found)} differences, {done.passing} that did not come again")
    return 1 if done.found else 0


if __name__ == "__main__":
    sys.exit(main())
