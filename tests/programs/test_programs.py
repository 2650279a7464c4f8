"""Real programs that stand on scripts and streams: queues, locks, rate limiters, caches.

Each has a file here, with_<program>.py, which the environment's Python runs against a server of its own; and against a
real redis-server as well, so that what it asserts is true of both. Those of Node are node/with_<program>.mjs.
"""
import os
import subprocess
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parent
NAMES = sorted(path.stem.removeprefix("with_") for path in FOLDER.glob("with_*.py"))
NODE_NAMES = sorted(path.stem.removeprefix("with_") for path in (FOLDER / "node").glob("with_*.mjs"))
SECONDS = 180

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("name", NAMES)
def test_program(name, programs, either_server, tmp_path):
    run([programs, str(FOLDER / f"with_{name}.py")], either_server(), tmp_path)


@pytest.mark.parametrize("name", NODE_NAMES)
def test_node_program(name, node_programs, either_server):
    run(["node", f"with_{name}.mjs"], either_server(), node_programs)


def run(command, server, folder):
    """Run a program on a server; it says what is wrong by its exit status."""
    environment = {key: value for key, value in os.environ.items() if key not in ("LD_PRELOAD", "PYTHONPATH")}
    done = subprocess.run([*command, str(server.port)], cwd=folder, timeout=SECONDS, env=environment, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert done.returncode == 0, f"{done.stdout[-5000:]}\n{server.log()[-2000:]}"


def test_there_are_programs():
    assert {"celery", "redis_py", "limits", "rq", "taskiq", "docket"} <= set(NAMES)
    assert {"bullmq", "caching", "socketio"} <= set(NODE_NAMES)
