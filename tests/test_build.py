"""setup.py: what it says when it cannot build, and while it builds. make help."""
import importlib.util
import io
import os
import subprocess
import sys

import pytest

from tests.docs import TOP

pytest.importorskip("Cython", reason="what builds the extensions is not installed")


@pytest.fixture(scope="module")
def builder():
    """setup.py as a module."""
    spec = importlib.util.spec_from_file_location("builder", TOP / "setup.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("compiler", ["no-such-compiler", "ccache no-such-compiler -g"])
def test_without_a_compiler_one_sentence_says_so(tmp_path, compiler):
    command = [sys.executable, "setup.py", "-q", "build_ext", "-b", tmp_path, "-t", tmp_path]
    done = subprocess.run(command, cwd=TOP, text=True, capture_output=True, timeout=100, check=False,
                          env={**os.environ, "CC": compiler})
    assert done.returncode != 0
    assert "there is no C compiler '" in done.stderr and len(done.stderr.splitlines()) == 1


def test_without_the_headers_one_sentence_says_so(builder, monkeypatch, tmp_path):
    monkeypatch.setattr(builder.sysconfig, "get_paths", lambda: {"include": str(tmp_path)})
    with pytest.raises(SystemExit, match="python3-dev"):
        builder.require_compiler([sys.executable])


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def files(tmp_path):
    """A long build: 20 small files, then 20 that are three times as large."""
    found = {}
    for number in range(40):
        found[f"m{number}"] = tmp_path / f"{number}.c"
        found[f"m{number}"].write_text("x" * (300 if number >= 20 else 100))
    return found


def test_a_long_build_says_how_far_it_is(builder, files):
    """In a log each tenth of it; how long it takes goes by the files' sizes."""
    out, time = io.StringIO(), [0]
    progress = builder.Progress(files, out, lambda: time[0])
    for name in files:
        time[0] += 30
        progress.compiled(name)
    lines = out.getvalue().splitlines()
    assert lines[0] == "compiled 4 of 40, about 38 min left"        # 2 minutes for 4 of 80 hundreds of bytes
    assert lines[4] == "compiled 20 of 40, about 30 min left"
    assert lines[-1] == "compiled 40 of 40"
    assert len(lines) == 10


def test_a_terminal_has_one_line(builder, files):
    out = Terminal()
    progress = builder.Progress(files, out, lambda: 0)
    for name in files:
        progress.compiled(name)
    assert out.getvalue().count("\n") == 1 and out.getvalue().count("\r") == 40
    assert "compiled 1 of 40, less than a minute left" in out.getvalue()


def test_a_short_build_is_silent(builder, files):
    out = io.StringIO()
    progress = builder.Progress(dict(list(files.items())[:5]), out)
    for name in files:
        progress.compiled(name)
    assert out.getvalue() == ""


def test_make_help_has_every_target():
    makefile = (TOP / "Makefile").read_text()
    phony = set(makefile.split(".PHONY:")[1].split("\n")[0].split())
    printed = subprocess.run(["make", "help"], cwd=TOP, capture_output=True, text=True, check=True, timeout=60).stdout
    named = {line.split()[1] for line in printed.splitlines() if line.startswith("make ")}
    assert named == phony - {"headers"}
    assert all(len(line) < 100 for line in printed.splitlines())
