"""Allocations fail: see tests.out_of_memory and tests.out_of_python_memory, which try every one."""
import asyncio
import os
import subprocess
import sys

import pytest

from fastredis.config.config import Config
from fastredis.own_process import OwnProcess
from tests.local import QuietLog
from tests.out_of_memory import cases, check

PYTHON_CASES = [
    "SETBIT (SETBIT)", "HIMPORT SET (HIMPORT)", "SPOP of all, lazily (SPOP)", "MULTI", "FUNCTION LOAD",
    "a key expires under EXEC", "fields expire under HGET", "fields of a table expire under HRANDFIELD",
    "fields expire by time", "BLPOP is served by EXEC", "XREADGROUP is served",
]
# What Python is refused ends the process; not so what is large.
TAKES_ALL = """
import resource
from fastredis.host.crash import end_without_python_memory, exit_without_memory
exit_without_memory(True)
end_without_python_memory()
resource.setrlimit(resource.RLIMIT_AS, (300 << 20, 300 << 20))
try:
    bytes(1 << 30)
except MemoryError:
    print("raised", flush=True)
kept = None
while True:
    kept = kept, bytes({size})
"""
CASES = cases()
REFUSED = [name for name in CASES if "big" in name or "in pieces" in name]


@pytest.mark.parametrize("name", CASES)
def test_a_failed_allocation_ends_the_process_or_changes_nothing(name):
    counts = check(CASES[name], every=False)
    if name.startswith(("SET of a new key", "RDB", "AOF")):
        assert counts["ended"]


@pytest.mark.parametrize("name", [name for name in REFUSED if not name.startswith("GETSET")])
def test_what_a_client_made_big_is_refused(name):
    assert check(CASES[name], every=True)["refused"]


@pytest.mark.parametrize("name", PYTHON_CASES)
def test_python_without_memory_changes_nothing_by_halves(name):
    pytest.importorskip("_testcapi", reason="this Python has no _testcapi")
    from tests.out_of_python_memory import check, python_cases
    assert check(python_cases()[name], every=False)["ended"]


@pytest.mark.skipif(os.environ.get("FASTREDIS_BUILD") == "asan", reason="a sanitizer takes its own memory")
@pytest.mark.parametrize("size", [100, 5000, 100_000])
def test_what_python_is_refused_ends_the_process(size):
    program = TAKES_ALL.format(size=size)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert done.returncode == 1 and done.stdout == "raised\n", done
    assert "Guru Meditation: out of memory, bytes asked for by Python: " in done.stderr


def test_a_timer_without_memory_ends_the_process():
    """A client's connection is closed."""
    config, loop, told = Config(), asyncio.new_event_loop(), []

    class Shell:
        class engine:
            panic = told.append
    own = OwnProcess(config, QuietLog())
    own._server = Shell
    loop.default_exception_handler = lambda context: None
    own._unhandled(loop, {"message": "", "exception": MemoryError(), "transport": None})
    own._unhandled(loop, {"message": "", "exception": OSError()})
    assert not told
    own._unhandled(loop, {"message": "", "exception": MemoryError()})
    loop.close()
    assert told == ["out of memory in the event loop"]
