"""What operators install: redis.conf, the manual page, completions, the systemd unit, the Dockerfile."""
import ast
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from fastredis.config import types
from fastredis.config.config import Config
from fastredis.config.table import PARAMETERS
from tests.helpers import wait_until
from tests.rows import PONG
from tests.servers import fastredis_server, free_port

DEPLOY = Path(__file__).resolve().parent.parent / "deploy"


# For programs that are not ours: a sanitizer is not for them.
PLAIN = {name: value for name, value in os.environ.items() if name != "LD_PRELOAD"}


def needs(program):
    return pytest.mark.skipif(shutil.which(program) is None, reason=f"there is no {program} here")


@pytest.fixture(scope="module")
def make():
    """deploy/make.py as a module."""
    spec = importlib.util.spec_from_file_location("deploy_make", DEPLOY / "make.py")
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "path", list(sys.path))
        spec.loader.exec_module(module)
    return module


# --- what is made of the table


def test_each_setting_that_has_an_effect_has_a_meaning(make):
    described = [name for _, _, meanings in make.SECTIONS for name in meanings]
    assert sorted(described) == sorted(each.name for each in PARAMETERS if not each.inert and not each.absent)


def test_files_are_current(make):
    for name, text in make.FILES.items():
        assert (DEPLOY / name).read_text() == text(), f"run: python deploy/make.py ({name})"


def test_check_tells_of_a_stale_file(tmp_path):
    shutil.copytree(DEPLOY, tmp_path / "deploy")
    environment = {**os.environ, "PYTHONPATH": str(DEPLOY.parent)}
    command = [sys.executable, str(tmp_path / "deploy" / "make.py"), "--check"]
    assert subprocess.run(command, env=environment, check=False).returncode == 0
    with (tmp_path / "deploy" / "redis.conf").open("a") as file:
        file.write("# more\n")
    found = subprocess.run(command, env=environment, check=False, capture_output=True, text=True)
    assert found.returncode == 1 and "redis.conf" in found.stderr


def test_a_server_starts_with_the_sample_and_has_its_defaults():
    with fastredis_server(config=(DEPLOY / "redis.conf").read_text()) as server, server.client() as client:
        assert client.call("PING") == PONG
        assert "FATAL" not in server.log() and "has no effect" not in server.log()
        default = Config()
        for each in PARAMETERS:
            if each.flags & types.HIDDEN or each.name in ("bind", "dir", "port", "save", "appendonly",
                                                          "enable-debug-command", "maxclients"):
                continue                            # what a server of tests is given in any case
            assert client.call("CONFIG", "GET", each.name)[1].decode() == default.text(each.name), each.name


def test_each_line_of_the_sample_is_read():
    """Examples behind a # as well."""
    text = (DEPLOY / "redis.conf").read_text()
    examples = re.findall(rf"^# ((?:{'|'.join(each.name for each in PARAMETERS)}) .*)$", text, re.MULTILINE)
    names = {line.split()[0] for line in examples + text.splitlines() if line and not line.startswith("#")}
    wanted = {each.name for each in PARAMETERS if not each.inert and not each.absent and not each.flags & types.HIDDEN}
    assert names == wanted
    config = Config()
    config.load(None, None, "\n".join(line for line in examples if not line.startswith("dir ")))
    assert config["replicaof"] is not None and config["requirepass"]


@needs("groff")
def test_the_manual_page_is_one():
    found = subprocess.run(["groff", "-man", "-Tutf8", "-ww", str(DEPLOY / "fastredis.1")], capture_output=True,
                           text=True, check=True, env=PLAIN)
    assert not found.stderr
    text = re.sub(r"\x1b\[[0-9;]*m|.\x08", "", found.stdout)
    for section in ("NAME", "SYNOPSIS", "SETTINGS", "SIGNALS", "EXIT STATUS"):
        assert f"\n{section}" in text
    assert "maxmemory-policy" in text.replace("\u2010", "-")


def completed(*words):
    """What bash offers for the last of the words."""
    script = (f"source {DEPLOY / 'completions' / 'fastredis.bash'}\nCOMP_WORDS=(\"$@\")\nCOMP_CWORD=$(($# - 1))\n"
              '_fastredis\nprintf "%s\\n" "${COMPREPLY[@]}"')
    return subprocess.run(["bash", "-c", script, "bash", *words], capture_output=True, text=True,
                          check=True).stdout.split()


@needs("bash")
def test_bash_completes():
    assert completed("fastredis", "--maxmemory-p") == ["--maxmemory-policy"]
    assert completed("fastredis", "--appendfsync", "") == ["everysec", "always", "no"]
    assert completed("fastredis", "--appendfsync", "e") == ["everysec"]
    assert completed("fastredis", "--check-a") == ["--check-aof"]


@needs("zsh")
def test_zsh_reads_its_completions():
    subprocess.run(["zsh", "-n", str(DEPLOY / "completions" / "_fastredis")], check=True)


# --- what is written by hand


@needs("systemd-analyze")
def test_the_unit_is_verified(tmp_path):
    """The program has to be there: here it is this Python's."""
    program = tmp_path / "fastredis"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    unit = tmp_path / "fastredis.service"
    unit.write_text((DEPLOY / "fastredis.service").read_text().replace("/usr/local/bin/fastredis", str(program)))
    found = subprocess.run(["systemd-analyze", "verify", "--man=no", "--recursive-errors=no", str(unit)],
                           capture_output=True, text=True, check=False, env=PLAIN)
    assert found.returncode == 0 and not found.stderr, found.stderr


def test_the_unit_starts_a_server_that_says_that_it_is_ready(tmp_path):
    """Its options are those of a server under systemd; NOTIFY_SOCKET is heard in test_process.py."""
    line = re.search(r"^ExecStart=\S+ (.*)$", (DEPLOY / "fastredis.service").read_text(), re.MULTILINE)[1].split()
    assert line[0] == "/etc/fastredis/redis.conf"
    config = Config()
    config.load(None, None, "\n".join(f"{name[2:]} {value}" for name, value in zip(line[1:-2:2], line[2:-2:2],
                                                                                  strict=True)))
    assert config["supervised"] == "systemd" and not config["daemonize"]


def instructions():
    """[(instruction, text)] of the Dockerfile."""
    text = re.sub(r"^#.*\n", "", (DEPLOY / "Dockerfile").read_text(), flags=re.MULTILINE).replace("\\\n", "")
    return [tuple(line.split(maxsplit=1)) for line in text.splitlines() if line.strip()]


def test_the_image_copies_what_is_there_and_runs_as_nobody():
    found = instructions()
    for name, text in found:
        if name == "COPY" and "--from" not in text:
            for source in text.split()[:-1]:
                assert (DEPLOY.parent / source).exists(), source
    names = [name for name, _ in found]
    assert dict(found)["USER"] == "999:999" and names.index("USER") < names.index("ENTRYPOINT")
    assert ast.literal_eval(dict(found)["ENTRYPOINT"]) == ["fastredis"]
    assert "healthcheck.py" in dict(found)["HEALTHCHECK"]
    assert names.count("FROM") == 2 and all(text.startswith("python:3.12-slim") for name, text in found
                                            if name == "FROM")


@needs("hadolint")
def test_the_image_is_linted():
    subprocess.run(["hadolint", "--ignore", "DL3008", str(DEPLOY / "Dockerfile")], check=True)


@pytest.mark.parametrize("options", [(), ("--requirepass", "x")])
def test_the_health_check(fresh_server, options):
    server = fresh_server(*options)

    def check(port):
        return subprocess.run([sys.executable, str(DEPLOY / "healthcheck.py")], check=False, capture_output=True,
                              env={**os.environ, "FASTREDIS_PORT": str(port)}).returncode

    assert check(server.port) == 0
    assert check(free_port()) == 1
    server.stop()
    wait_until(lambda: check(server.port) == 1)
