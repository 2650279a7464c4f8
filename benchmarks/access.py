"""Server CPU a request of clients that are not like others, against redis-server.

Limited: a user with rules for keys and commands, so that each request is checked. Tracking: clients that are to be told
when keys change which they have read (CLIENT TRACKING); what they read is noted. How it is measured is said in load.py.
"""

import sys
from collections.abc import Sequence

from .collections import add
from .common import Options, Server
from .load import KEYS, Form, Test, headers, report, rounds_text, sit_all
from .report import Result, main

SHORT, FULL = Form(2, {1: 4, 16: 4}, 0.4), Form(4, {1: 8, 16: 6}, 1.0)
REQUESTS = {1: 100_000, 16: 1_000_000}
LIMITED = ("--user", "limited", "-a", "secret")
RULES = (b"on", b">secret", b"~key:*", b"+@all", b"-@dangerous", b"+config|get")
TRACKING_CLIENTS = 1000
TRACKING = ("--enable-tracking",)

TESTS = (
    Test("SET by a limited user", ("-t", "set"), REQUESTS, {1: 1.0, 16: 0.6}, options=LIMITED),
    Test("GET by a limited user", ("-t", "get"), REQUESTS, {1: 1.0, 16: 0.6}, options=LIMITED),
    Test(f"GET by {TRACKING_CLIENTS:,} tracking clients", ("-t", "get"), REQUESTS, {1: 1.0, 16: 0.6},
         clients=TRACKING_CLIENTS, options=TRACKING),
    Test(f"SET by {TRACKING_CLIENTS:,} tracking clients", ("-t", "set"), REQUESTS, {1: 1.0, 16: 0.6},
         clients=TRACKING_CLIENTS, options=TRACKING),
)


def preload(server: Server, tests: Sequence[Test]) -> None:
    """Makes the user and the keys."""
    with server.connect() as connection:
        connection.call(b"ACL", b"SETUSER", b"limited", *RULES)
        add(connection, (b"MSET",), (b"key:%012d", b"xxx"), KEYS)


def run(options: Options) -> Result:
    """All tests over TCP."""
    form = SHORT if options.short else FULL
    result = Result("access", headers=headers(options))
    report(options, sit_all(options, form, TESTS, preload, result), result)
    result.notes.append(f"{rounds_text(form)}; {KEYS:,} keys; {TRACKING_CLIENTS:,} connections where clients track")
    return result


if __name__ == "__main__":
    sys.exit(main(run, __doc__, together=True))
