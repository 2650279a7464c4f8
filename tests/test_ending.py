"""How a server ends: what is saved, what is executed no more, and what each signal does."""
import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.helpers import wait_until
from tests.resp import Client, Closed, Status
from tests.servers import free_port

LOOPS = pytest.mark.parametrize("loop", ["uvloop", "asyncio"])
SECONDS = 20
TOP = Path(__file__).resolve().parent.parent


@LOOPS
@pytest.mark.parametrize("appendonly", ["no", "yes"])
@pytest.mark.parametrize("by_signal", [False, True])
def test_nothing_is_executed_once_the_final_save_has_begun(fresh_server, tmp_path, loop, appendonly, by_signal):
    """Neither what waits in sockets, nor the rest of a pipeline, nor new connections: it could not be saved."""
    options = ("--dir", str(tmp_path), "--appendonly", appendonly)
    server = fresh_server(*options, "--save", "900 1", loop=loop)
    with server.client() as asking, contextlib.ExitStack() as stack:
        writers = [stack.enter_context(server.client()) for _ in range(20)]
        asking.pipeline([("SET", f"k{n}", n) for n in range(20)])
        asking.call("CONFIG", "SET", "rdb-key-save-delay", 50_000)
        if by_signal:
            os.kill(server.pid, signal.SIGTERM)
        else:
            asking.send_raw(b"SHUTDOWN\r\nSET same-pipeline 1\r\n")
        wait_until(lambda: list(tmp_path.glob("temp-*.rdb")))
        writers.append(stack.enter_context(Client(server.port)))
        for writer in writers[::2]:
            writer.send("SET", "late", 1)
        for writer in writers[1::2]:
            writer.send_raw(b"MULTI\r\nSET late 1\r\nEXEC\r\n")
        for client in (asking, *writers):
            with pytest.raises((Closed, ConnectionError)):
                client.read()
    assert server.process.wait(SECONDS) == 0
    with fresh_server(*options).client() as client:
        assert client.call("DBSIZE") == 20


# --- signals ---------------------------------------------------------------------------------------

SURVIVED = ("HUP", "PIPE", "ALRM", "CHLD", "CONT", "URG", "WINCH")
# name: (exit code as subprocess has it, whether the log gets a crash report)
DEADLY = {
    "TERM": (0, False), "INT": (0, False), "QUIT": (-3, False), "USR1": (-10, False), "USR2": (-12, False),
    "SEGV": (-11, True), "BUS": (-7, True), "FPE": (-8, True), "ILL": (-4, True), "ABRT": (-6, True),
    "VTALRM": (-26, False), "XCPU": (-24, False), "SYS": (-31, False), "IO": (-29, False)}


def send(pid, name):
    os.kill(pid, getattr(signal, f"SIG{name}"))


def test_signals_that_change_nothing(either_server):
    server = either_server("--save", "900 1")
    with server.client() as client:
        for name in SURVIVED:
            send(server.pid, name)
            assert client.call("SET", "k", name) == Status("OK"), name
    assert server.process.poll() is None


@pytest.fixture
def deadly_quit():
    """A job in the background of a shell ignores QUIT, and so would the servers that it starts."""
    before = signal.signal(signal.SIGQUIT, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGQUIT, before)


@pytest.mark.parametrize("name", DEADLY)
def test_signals_that_end_it(deadly_quit, either_server, name):
    code, is_reported = DEADLY[name]
    if is_reported and os.environ.get("FASTREDIS_BUILD") == "asan":
        pytest.skip("AddressSanitizer reports crashes itself")
    server = either_server()
    send(server.pid, name)
    # The report of redis-server may crash itself, now and then.
    codes = (code, -signal.SIGSEGV) if server.kind == "peer" and is_reported else (code,)
    assert server.process.wait(SECONDS) in codes
    assert ("REDIS BUG REPORT START" in server.log()) == is_reported
    assert (f"crashed by signal: {-code}" in server.log()) == is_reported


@pytest.fixture(params=["fastredis", "peer"])
def command(request):
    """The start of a command line for each kind of server; skips without a peer."""
    if request.param == "fastredis":
        return [sys.executable, "-m", "fastredis"]
    return [request.getfixturevalue("peer").path]


@pytest.mark.parametrize("name", ["HUP", "TERM"])
def test_signals_to_a_daemon(command, tmp_path, name):
    """The process that starts it ends at once; the daemon is known by its pid file."""
    pidfile = tmp_path / "pid"
    port = free_port()
    subprocess.run([*command, "--daemonize", "yes", "--port", str(port), "--pidfile", pidfile, "--save", "900 1",
                    "--dir", tmp_path], check=True, cwd=TOP, timeout=SECONDS)
    wait_until(lambda: pidfile.exists() and pidfile.read_text().endswith("\n"))
    pid = int(pidfile.read_text())
    try:
        wait_until(lambda: answers(port))
        with Client(port) as client:
            assert client.call("SET", "k", "v") == Status("OK")
            send(pid, name)
            if name == "HUP":
                assert client.call("GET", "k") == b"v"
                send(pid, "TERM")
        wait_until(lambda: not pidfile.exists())
        wait_until(lambda: not Path(f"/proc/{pid}").exists())
        assert (tmp_path / "dump.rdb").exists()
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def answers(port):
    try:
        with Client(port) as client:
            return client.call("PING") == Status("PONG")
    except (OSError, Closed):
        return False


@pytest.mark.parametrize("second, code", [("INT", 1), ("TERM", 0)])
def test_a_second_signal(either_server, tmp_path, second, code):
    """INT while the end is under way ends the process at once; TERM does not."""
    server = either_server("--save", "900 1", "--dir", str(tmp_path), "--rdb-key-save-delay", "1000000")
    with server.client() as client:
        client.pipeline([("SET", f"k{n}", n) for n in range(3)])
        send(server.pid, "INT")
        wait_until(lambda: list(tmp_path.glob("temp-*.rdb")))
        send(server.pid, second)
        assert server.process.wait(SECONDS) == code
    assert (tmp_path / "dump.rdb").exists() == (code == 0)
