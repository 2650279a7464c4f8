"""python -m tests.acl: see tests/acl/__init__.py. Exit status 1 for a difference."""
import argparse
import contextlib
import sys
import time

from tests.acl import __doc__ as about
from tests.acl.pairs import Pairs
from tests.servers import fastredis_server, find_peer, newer_peers, peer_server


def main():
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peer", help="path of a redis-server or valkey-server; by default the newest Redis")
    parser.add_argument("--pairs", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    found = find_peer(options.peer) if options.peer else newer_peers().get("redis") or find_peer()
    if found is None:
        parser.error("no redis-server")
    start = time.monotonic()
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(fastredis_server())
        peer = stack.enter_context(peer_server(found.path))
        pairs = stack.enter_context(Pairs(server, peer, found, options.seed))
        while pairs.count < options.pairs and len(pairs.findings) < 20:
            pairs.round()
    for finding in pairs.findings:
        print(finding, file=sys.stderr)
    print(f"{pairs.count} pairs beside {found} from seed {options.seed}, {pairs.denied} denied, {pairs.run} run, "
          f"{pairs.count / (time.monotonic() - start):.0f} a second: {len(pairs.findings)} differences")
    return 1 if pairs.findings else 0


if __name__ == "__main__":
    sys.exit(main())
