"""Two servers in one process: each has its loop, its data and its files; when one ends the other goes on."""
import asyncio
import importlib
import os
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest

from fastredis.assembly import assemble, stop
from fastredis.config.config import Config
from fastredis.host.logs import Logger
from fastredis.server import Server, new_loop
from tests.resp import Client, Closed
from tests.rows import OK, Case, Run, Target
from tests.servers import OPTIONS, free_port

GROUPS = ["strings", "lists", "hashes", "sets", "sorted_sets", "generic", "transactions", "pubsub"]


class Inside:
    """A server in this process, on a loop and a thread of its own; what rows want of a server."""

    kind = "fastredis"

    def __init__(self, directory):
        directory.mkdir(exist_ok=True)
        self.directory, self.port = directory, free_port()
        self.process = SimpleNamespace(poll=lambda: None)
        given = "\n".join(f'{name[2:]} "{value}"' for name, value in zip(OPTIONS[::2], OPTIONS[1::2], strict=True))
        self.config = Config()
        self.config.load(options=f"{given}\nport {self.port}\ndir {directory}\nlogfile log\nappendonly yes")
        self.loop = new_loop()
        self.server = Server(self.config, Logger(self.config), self.loop)
        self.thread = threading.Thread(target=self.run)
        self.thread.start()
        give_up = time.monotonic() + 20
        while not self.server.engine.loaded:
            assert self.thread.is_alive() and time.monotonic() < give_up, (directory / "log").read_text()
            time.sleep(0.01)

    def run(self):
        asyncio.set_event_loop(self.loop)
        self.code = self.loop.run_until_complete(self.server.main())
        stop(self.server.engine)
        self.loop.close()

    def client(self, protocol=2, timeout=5.0):
        return Client(self.port, timeout=timeout, protocol=protocol)

    def stop(self):
        if self.thread.is_alive():
            self.loop.call_soon_threadsafe(self.server.engine.service.end_service, 0)
            self.thread.join(20)
        assert not self.thread.is_alive()


@pytest.fixture
def servers(tmp_path):
    both = [Inside(tmp_path / "one"), Inside(tmp_path / "two")]
    yield both
    for server in both:
        server.stop()


def cases():
    for group in GROUPS:
        for name, given in importlib.import_module(f"tests.commands.test_{group}").CASES.items():
            yield f"{group}: {name}", given if isinstance(given, Case) else Case(given)


def run_rows(server):
    """All cases of the groups, in both protocols; how many."""
    target, done = Target(server), 0
    for name, case in cases():
        for protocol in case.resp:
            try:
                Run(target, case, protocol).check()
            except AssertionError as error:
                raise AssertionError(f"{name}: {error}") from error
            done += 1
    target.control.close()
    return done


def test_two_servers_and_then_one(servers, tmp_path):
    handlers = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)]
    here = os.getcwd()
    with ThreadPoolExecutor(2) as both:
        counts = list(both.map(run_rows, servers))
    assert counts[0] == counts[1] > 500
    for number, server in enumerate(servers):
        with server.client() as client:
            assert client.call("FLUSHALL") == OK
            assert client.call("SET", "who", str(number)) == OK
            assert client.call("SAVE") == OK
            assert client.call("CONFIG", "GET", "dir")[1] == str(server.directory).encode()
    with servers[0].client() as waits:
        waits.send("BLPOP", "nothing", 0)
        with servers[0].client() as client:
            client.send("SHUTDOWN", "NOSAVE")
            servers[0].thread.join(20)
        assert servers[0].code == 0
        with pytest.raises((Closed, ConnectionError)):
            waits.read()                    # its clients are closed with it
    assert run_rows(servers[1]) == counts[1]
    again = Inside(tmp_path / "one")
    with again.client() as client:
        assert client.call("GET", "who") == b"0"
    again.stop()
    assert (tmp_path / "two" / "appendonlydir").is_dir() and (tmp_path / "two" / "dump.rdb").exists()
    assert [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)] == handlers
    assert os.getcwd() == here, "the process is where it was"


def test_a_fatal_error_is_told_to_whoever_runs_the_engine(tmp_path):
    """It does not end the process by itself."""
    told = []

    class Ended(BaseException):
        pass

    def on_fatal(text, is_bug):
        told.append((text, is_bug))
        raise Ended

    config = Config()
    config.load(options=f"dir {tmp_path}\nlogfile log")
    engine = assemble(config, Logger(config), None, on_fatal=on_fatal)
    with pytest.raises(Ended):
        engine.panic("for a test")
    assert told == [("for a test", True)]
    assert "Guru Meditation: for a test" in (tmp_path / "log").read_text()
