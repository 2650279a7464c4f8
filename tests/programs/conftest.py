"""Environments with the programs that are tried on the server, Python's and Node's, made once and kept below build/."""
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import pytest

# taskiq: the one that goes with the taskiq-redis for this redis-py.
PACKAGES = ("redis>=6.1,<7", "rq", "taskiq<0.12", "taskiq-redis", "pydocket", "celery", "limits", "dramatiq", "django",
            "django-redis", "huey", "walrus")
HERE = Path(__file__).resolve().parent
FOLDER = HERE.parent.parent / "build" / "programs"
NODE_FOLDER = HERE.parent.parent / "build" / "node_programs"
INSTALL_SECONDS = 300


def install(folder):
    """Make the environment. Errors: CalledProcessError and TimeoutExpired of pip."""
    venv.create(folder, with_pip=True, clear=True)
    pip = [str(folder / "bin" / "pip"), "install", "-q", "--disable-pip-version-check", *PACKAGES]
    subprocess.run(pip, check=True, capture_output=True, text=True, timeout=INSTALL_SECONDS)


@pytest.fixture(scope="session")
def programs():
    """The Python that has them; skips where PyPI can't be reached."""
    ready = FOLDER / "ready"
    wanted = f"{sys.version}\n{PACKAGES}"
    if not ready.exists() or ready.read_text() != wanted:
        try:
            install(FOLDER)
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
            said = str(error.stderr or error)
            pytest.skip(f"the programs can't be installed from PyPI: {said.strip().splitlines()[-1]}")
        ready.write_text(wanted)
    return str(FOLDER / "bin" / "python")


@pytest.fixture(scope="session")
def node_programs():
    """A folder with the programs of Node and what they need; skips without npm, or without a way to its registry."""
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        pytest.skip("no npm (Debian's packages nodejs and npm)")
    NODE_FOLDER.mkdir(parents=True, exist_ok=True)
    wanted = (HERE / "node" / "package.json").read_text()
    ready = NODE_FOLDER / "ready"
    if not ready.exists() or ready.read_text() != wanted:
        (NODE_FOLDER / "package.json").write_text(wanted)
        try:
            subprocess.run([npm, "install", "--no-audit", "--no-fund"], cwd=NODE_FOLDER, check=True,
                           capture_output=True, text=True, timeout=INSTALL_SECONDS)
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
            said = str(error.stderr or error)
            pytest.skip(f"the programs can't be installed from npm: {said.strip().splitlines()[-1]}")
        ready.write_text(wanted)
    for program in (HERE / "node").glob("*.mjs"):
        shutil.copy(program, NODE_FOLDER)
    return NODE_FOLDER
