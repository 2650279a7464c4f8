"""python -m tests.soak: see tests/soak/__init__.py. Exit status 1 for a difference."""
import argparse
import contextlib
import os
import sys

from tests.servers import fastredis_server, find_peer, peer_server
from tests.soak import __doc__ as about
from tests.soak.run import Finding, soak


def main():
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=0, help="of the first round; the next ones count up")
    parser.add_argument("--rounds", type=int, help="stop after so many")
    parser.add_argument("--peer", help="path of the redis-server; by default the one on PATH")
    options = parser.parse_args()
    found = find_peer(options.peer)
    if found is None:
        parser.error("no redis-server")
    os.environ["LC_ALL"] = "C"              # SORT ALPHA of redis-server follows the locale
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(fastredis_server())
        peer = stack.enter_context(peer_server(found.path))
        try:
            print(soak(server, peer, options.seconds, options.seed, options.rounds,
                       tell=lambda text: print(text, flush=True)))
        except Finding as finding:
            print(finding)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
