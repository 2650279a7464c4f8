"""python -m tests.abuse: see tests/abuse/__init__.py. Exit status 1 if an attack was not borne."""
import argparse
import sys

from tests.abuse import __doc__ as about
from tests.abuse.attacks import ATTACKS
from tests.abuse.borne import LIMITS, MOST_MS, allowed_mb, bear
from tests.servers import fastredis_server


def main():
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="attack", help=f"of {', '.join(ATTACKS)}; by default all of them")
    parser.add_argument("--clients", type=int, default=5000)
    parser.add_argument("--seconds", type=float, default=5)
    options = parser.parse_args()
    if unknown := set(options.names) - set(ATTACKS):
        parser.error(f"no such attack: {', '.join(unknown)}")
    failed = 0
    for name in options.names or ATTACKS:
        for authenticated in (False, True):
            with fastredis_server(*LIMITS) as server:
                result = bear(server, name, options.clients, authenticated, options.seconds)
            borne = result.p99_ms < MOST_MS and result.more_mb < allowed_mb(options.clients)
            failed += not borne
            print(f"{'' if borne else 'NOT BORNE: '}{name}, {'after' if authenticated else 'before'} authentication: "
                  f"{result}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
