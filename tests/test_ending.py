"""How a server ends: what is saved, what is executed no more, and what each signal does."""
import contextlib
import os
import signal

import pytest

from tests.persist.dataset import wait_until
from tests.resp import Client, Closed

LOOPS = pytest.mark.parametrize("loop", ["uvloop", "asyncio"])
SECONDS = 20


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
