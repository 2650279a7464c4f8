"""What TLS costs, against a redis-server that is built with it: server CPU a request, and handshakes.

Requests: SET and GET over connections that stand. Handshakes: one connection after another by `openssl s_time`, each
with a whole handshake (TLS 1.3, RSA with 2,048 bits), in turns. How requests are measured is said in load.py.
"""

import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

from .collections import add
from .common import BenchmarkError, Options, Server, free_port, load_core, run_tool, running
from .load import KEYS, Form, Point, Test, headers, report, rounds_text, sit_all
from .report import Bar, Result, figure, main

SHORT, FULL = Form(2, {1: 4, 16: 4}, 0.4), Form(4, {1: 8, 16: 6}, 1.0)
REQUESTS = {1: 100_000, 16: 1_000_000}
BARS = {1: 1.0, 16: 1.0}
TESTS = (Test("SET over TLS", ("-t", "set"), REQUESTS, BARS), Test("GET over TLS", ("-t", "get"), REQUESTS, BARS))
HANDSHAKE_SECONDS = 2
HANDSHAKE_ROUNDS, HANDSHAKE_ROUNDS_SHORT = 12, 4
HANDSHAKE_BAR = Bar("ratio", ">=", 0.8)


def make_certificate(directory: Path) -> tuple[bytes, bytes]:
    """Paths of a certificate that nobody has to trust, and of its key."""
    certificate, key = directory / "certificate.pem", directory / "key.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost", "-days", "2",
                    "-keyout", key, "-out", certificate], check=True, capture_output=True)
    return bytes(certificate), bytes(key)


def serve_tls(server: Server, certificate: bytes, key: bytes) -> None:
    """Has a server that runs listen on `tls_port`, too."""
    server.tls_port = free_port()
    with server.connect() as connection:
        connection.call(b"CONFIG", b"SET", b"tls-cert-file", certificate, b"tls-key-file", key, b"tls-ca-cert-file",
                        certificate, b"tls-auth-clients", b"no", b"tls-port", b"%d" % server.tls_port)


def has_tls(options: Options, label: str) -> bool:
    with running(options, label) as server, server.connect() as connection:
        return bool(connection.call(b"CONFIG", b"GET", b"tls-port"))


def over_tls(tests: Sequence[Test]) -> list[Point]:
    return [Point(test, pipeline, "tls") for test in tests for pipeline in test.requests]


def shake_hands(server: Server) -> tuple[float, float]:
    """Handshakes a second, and server CPU of one, in ms."""
    before, began = server.cpu_ns(), time.monotonic()
    output = run_tool(["openssl", "s_time", "-connect", f"127.0.0.1:{server.tls_port}", "-new", "-time",
                       str(HANDSHAKE_SECONDS)], load_core())
    seconds = time.monotonic() - began
    found = re.search(r"^(\d+) connections in", output, re.MULTILINE)
    if found is None or found[1] == "0":
        raise BenchmarkError(f"openssl s_time made no connections to {server.label}: {output[-200:]}")
    return int(found[1]) / seconds, (server.cpu_ns() - before) / int(found[1]) / 1e6


def measure_handshakes(options: Options, preload: Callable[[Server, Sequence[Test]], None], result: Result) -> None:
    rates: dict[str, list[float]] = {label: [] for label in options.labels}
    costs: dict[str, list[float]] = {label: [] for label in options.labels}
    with ExitStack() as stack:
        servers = [stack.enter_context(running(options, label)) for label in options.labels]
        for server in servers:
            preload(server, ())
        for number in range(HANDSHAKE_ROUNDS_SHORT if options.short else HANDSHAKE_ROUNDS):
            for server in servers if number % 2 else reversed(servers):
                rate, cost = shake_hands(server)
                rates[server.label].append(rate)
                costs[server.label].append(cost)
    for name, unit, found, bar in (("handshakes", "a second", rates, HANDSHAKE_BAR),
                                   ("a handshake, server CPU", "ms", costs, None)):
        values = {label: statistics.median(each) for label, each in found.items()}
        ratios = {label: statistics.median(ours / peer for ours, peer in zip(found["ours"], each, strict=True))
                  for label, each in found.items() if label != "ours"}
        result.figures.append(figure(name, unit, values, ratios, bar))


def run(options: Options) -> Result:
    """Requests, then handshakes."""
    form = SHORT if options.short else FULL
    result = Result("tls", headers=headers(options))
    for label in options.labels[1:]:
        if not has_tls(options, label):
            result.notes.append(f"{options.command(label)[0]} is built without TLS: nothing to measure beside it")
            return result
    with tempfile.TemporaryDirectory() as directory:
        certificate, key = make_certificate(Path(directory))

        def preload(server: Server, tests: Sequence[Test]) -> None:
            serve_tls(server, certificate, key)
            if tests:
                with server.connect() as connection:
                    add(connection, (b"MSET",), (b"key:%012d", b"xxx"), KEYS)

        report(options, sit_all(options, form, TESTS, preload, result, over_tls), result)
        measure_handshakes(options, preload, result)
    result.notes.append(f"{rounds_text(form)}; {KEYS:,} keys")
    return result


if __name__ == "__main__":
    sys.exit(main(run, __doc__))
