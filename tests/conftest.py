"""Options and fixtures of all tests.

--peer PATH     the real server that rows are compared with; by default the redis-server on PATH, if any
--loop NAME     the event loop of fastredis, uvloop or asyncio; by default what FASTREDIS_LOOP says
"""
import contextlib
import functools
import os

import pytest

from tests.rows import RowCase, RowSession, row_params
from tests.servers import fastredis_server, find_peer, peer_server

PEER = pytest.StashKey()


def pytest_addoption(parser):
    parser.addoption("--peer", help="path of a redis-server or valkey-server to compare with")
    parser.addoption("--loop", choices=("uvloop", "asyncio"), help="event loop of fastredis")


def pytest_configure(config):
    config.addinivalue_line("markers", "slow: takes more than a few seconds")
    try:
        config.stash[PEER] = find_peer(config.getoption("--peer"))
    except FileNotFoundError as error:
        raise pytest.UsageError(f"--peer: no executable {error}") from error


def pytest_terminal_summary(terminalreporter, config):
    """Say what the rows ran on, at the end: -q hides a report header."""
    peer = config.stash[PEER]
    loop = config.getoption("--loop") or os.environ.get("FASTREDIS_LOOP") or "default"
    found = f"{peer} at {peer.path}" if peer else "none, so rows ran on fastredis only"
    terminalreporter.write_line(f"peer: {found}; event loop: {loop}")


def pytest_generate_tests(metafunc):
    if "row_case" in metafunc.fixturenames:
        params = row_params(metafunc.module.CASES, metafunc.config.stash[PEER])
        metafunc.parametrize("row_case", params, indirect=True)


@pytest.fixture(scope="session")
def row_session(request):
    """The two shared servers of the row tests."""
    peer = request.config.stash[PEER]
    loop = request.config.getoption("--loop")
    session = RowSession(peer, lambda kind: fastredis_server(loop=loop) if kind == "fastredis"
                         else peer_server(peer.path))
    yield session
    session.stop()


@pytest.fixture
def row_case(request, row_session):
    """One case of the module's CASES on one server and protocol."""
    name, case, kind, protocol = request.param
    return RowCase(row_session, (request.module.__name__, name), case, kind, protocol)


@pytest.fixture(params=["fastredis", "peer"])
def either_target(request, row_session):
    """The shared server of each kind in turn (a rows.Target), empty; skips without a peer."""
    if request.param == "peer" and row_session.peer is None:
        pytest.skip("no peer: no redis-server on PATH, and no --peer")
    target = row_session.target(request.param)
    target.ask("FLUSHALL")
    return target


@pytest.fixture
def fresh_server(request):
    """start(*options, kind="fastredis", loop=None, config=None): a server of the test's own, stopped after it."""
    peer = request.config.stash[PEER]
    with contextlib.ExitStack() as running:
        def start(*options, kind="fastredis", loop=None, config=None):
            if kind == "fastredis":
                loop = loop or request.config.getoption("--loop")
                return running.enter_context(fastredis_server(*options, loop=loop, config=config))
            return running.enter_context(peer_server(peer.path, *options, config=config))
        yield start


@pytest.fixture(params=["fastredis", "peer"])
def either_server(request, fresh_server):
    """start(*options, config=None), like fresh_server: the test runs once with each kind; skips without a peer."""
    kind = request.param
    if kind == "peer" and request.config.stash[PEER] is None:
        pytest.skip("no peer: no redis-server on PATH, and no --peer")
    return functools.partial(fresh_server, kind=kind)
