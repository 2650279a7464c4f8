"""Real programs that stand on scripts: queues, locks, rate limiters, caches.

Each has a file here, with_<program>.py, which the environment's Python runs against a server of its own; and against a
real redis-server as well, so that what it asserts is true of both.
"""
import os
import subprocess
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parent
NAMES = sorted(path.stem.removeprefix("with_") for path in FOLDER.glob("with_*.py"))
SECONDS = 180

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("name", NAMES)
def test_program(name, programs, either_server, tmp_path):
    server = either_server()
    environment = {key: value for key, value in os.environ.items() if key not in ("LD_PRELOAD", "PYTHONPATH")}
    done = subprocess.run([programs, str(FOLDER / f"with_{name}.py"), str(server.port)], cwd=tmp_path, timeout=SECONDS,
                          env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert done.returncode == 0, f"{done.stdout[-5000:]}\n{server.log()[-2000:]}"


def test_there_are_programs():
    assert {"celery", "redis_py", "limits", "rq"} <= set(NAMES)
