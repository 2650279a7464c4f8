"""`--check-aof`: what it says of whole and damaged files, what it cuts off, and that redis-check-aof says the same."""
import contextlib
import io
import os
import shutil
import subprocess
import sys

import pytest

from fastredis import cli
from tests.persist.test_aof import formatted, write_aof
from tests.servers import fastredis_server

SET = formatted("SET k v")
TORN_MULTI = formatted("MULTI", "SET k w")
STAMPS = (b"#TS:100\r\n" + formatted("SET a 1") + b"#TS:200\r\n" + formatted("SET b 2") + b"#TS:300\r\n"
          + formatted("SET c 3"))
MANIFEST = "appendonlydir/appendonly.aof.manifest"


def ours(directory, *argv, answer=""):
    """Run the check; (exit code, what it printed)."""
    printed = io.StringIO()
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(printed):
        patch.chdir(directory)
        patch.setattr(sys, "stdin", io.StringIO(answer))
        code = cli.main(["--check-aof", *argv])
    return code, printed.getvalue()


def theirs(directory, *argv, answer=""):
    tool = shutil.which("redis-check-aof")
    if tool is None:
        pytest.skip("no redis-check-aof")
    # Not under a sanitizer that was preloaded for us: it shows some of the memory that it prints as it finds it.
    environment = {name: value for name, value in os.environ.items() if name != "LD_PRELOAD"}
    run = subprocess.run([tool, *argv], cwd=directory, input=answer, capture_output=True, text=True, timeout=30,
                         check=False, env=environment)
    return run.returncode, run.stdout


# content -> exit code, and what the last lines hold
ONE_FILE = {
    "whole": (SET * 3, 0, "AOF x.aof is valid"),
    "empty": (b"", 0, "AOF x.aof is empty"),
    "with a transaction": (SET + TORN_MULTI + formatted("EXEC"), 0, "is valid"),
    "with annotations": (STAMPS, 0, "is valid"),
    "words like a manifest's": (formatted("SET file file"), 0, "is valid"),
    "torn in a word": (SET + SET[:-2], 1, f"ok_up_to={len(SET)}, ok_up_to_line=14, diff={len(SET) - 2}"),
    "torn in a number": (SET + b"*3\r\n$", 1, f"ok_up_to={len(SET)}"),
    "torn in a transaction": (SET + TORN_MULTI, 1, "Reached EOF before reading EXEC for MULTI"),
    "no command": (SET + b"!!!", 1, "AOF x.aof format error"),
    "no size": (SET + b"*1\r\n:3\r\nGET\r\n", 1, "Expected prefix '$', got: ':'"),
    "no newline": (SET + b"*1\r\n$3\r\nGETxx", 1, "Expected \\r\\n, got: 7878"),
    "no number": (SET + b"*x\r\n", 1, "Expected \\r\\n, got: 780d"),
    "a size that is no size": (SET + b"*1\r\n$-1\r\n", 1, "Expected to read string of -1 bytes"),
    "nested MULTI": (formatted("MULTI", "MULTI"), 1, "Unexpected MULTI in AOF x.aof"),
    "EXEC alone": (SET + formatted("EXEC"), 1, "Unexpected EXEC in AOF x.aof"),
}


@pytest.mark.parametrize("data, code, text", ONE_FILE.values(), ids=ONE_FILE)
def test_one_file(tmp_path, data, code, text):
    (tmp_path / "x.aof").write_bytes(data)
    found = ours(tmp_path, "x.aof")
    assert found[0] == code and text in found[1]
    assert found[1].startswith("Start checking Old-Style AOF\n")
    assert (tmp_path / "x.aof").read_bytes() == data


# Debian's 7.0 takes a file with such words for a manifest, and does not know the line of a torn number.
OTHERWISE = {"words like a manifest's"}


@pytest.mark.parametrize("data", [row[0] for name, row in ONE_FILE.items() if name not in OTHERWISE],
                         ids=[name for name in ONE_FILE if name not in OTHERWISE])
def test_one_file_as_the_peer(tmp_path, data):
    (tmp_path / "x.aof").write_bytes(data)
    assert ours(tmp_path, "x.aof") == theirs(tmp_path, "x.aof")


@pytest.mark.parametrize("check", [ours, theirs])
def test_fix(tmp_path, check):
    path = tmp_path / "x.aof"
    path.write_bytes(SET + TORN_MULTI)
    code, text = check(tmp_path, "--fix", "x.aof", answer="n\n")
    assert code == 1 and text.endswith("Continue? [y/N]: Aborting...\n") and path.stat().st_size > len(SET)
    code, text = check(tmp_path, "--fix", "x.aof", answer="y\n")
    assert code == 0 and text.endswith("Successfully truncated AOF x.aof\n")
    assert path.read_bytes() == SET
    assert check(tmp_path, "--fix", "x.aof")[0] == 0


def test_fix_may_come_behind(tmp_path):
    (tmp_path / "x.aof").write_bytes(SET + b"!")
    assert ours(tmp_path, "x.aof", "--fix", answer="Y\n")[0] == 0
    assert (tmp_path / "x.aof").read_bytes() == SET


@pytest.mark.parametrize("check", [ours, theirs])
def test_parts(tmp_path, check):
    write_aof(tmp_path, ("base", "b", SET), ("incr.1", "i", SET), ("incr.2", "i", SET + TORN_MULTI))
    code, text = check(tmp_path, MANIFEST)
    assert code == 1
    lines = text.splitlines()
    assert lines[:2] == ["Start checking Multi Part AOF", "Start to check BASE AOF (RESP format)."]
    assert "BASE AOF base is valid" in lines and "INCR AOF incr.1 is valid" in lines
    assert lines[-1] == "AOF incr.2 is not valid. Use the --fix option to try fixing it."
    code, text = check(tmp_path, "--fix", MANIFEST, answer="y\n")
    assert code == 0 and text.endswith("Successfully truncated AOF incr.2\nAll AOF files and manifest are valid\n")


@pytest.mark.parametrize("check", [ours, theirs])
def test_only_the_last_part_is_cut(tmp_path, check):
    write_aof(tmp_path, ("base", "b", SET + b"!"), ("incr.1", "i", SET))
    code, text = check(tmp_path, "--fix", MANIFEST, answer="y\n")
    assert code == 1 and text.endswith("Failed to truncate AOF base because it is not the last file\n")


def test_wrong_manifest(tmp_path):
    write_aof(tmp_path).joinpath("appendonly.aof.manifest").write_text("file a seq 1 type b\n!!!\n")
    code, text = ours(tmp_path, MANIFEST)
    assert code == 1 and "Reading the manifest file, at line 2" in text and "Invalid AOF manifest file format" in text


def test_missing_part(tmp_path):
    write_aof(tmp_path, ("base", "i", SET)).joinpath("base").unlink()
    code, text = ours(tmp_path, MANIFEST)
    assert code == 1 and "Cannot open file appendonlydir/base: No such file or directory" in text


@pytest.mark.parametrize("check", [ours, theirs])
def test_cut_to_a_time(tmp_path, check):
    path = tmp_path / "x.aof"
    path.write_bytes(STAMPS)
    code, text = check(tmp_path, "--truncate-to-timestamp", "300", "x.aof")
    assert code == 0 and "Truncate nothing in AOF x.aof to timestamp 300" in text
    code, text = check(tmp_path, "--truncate-to-timestamp", "250", "x.aof")
    assert code == 0 and text.endswith("Successfully truncated AOF x.aof to timestamp 250\n")
    assert path.read_bytes() == STAMPS[:STAMPS.index(b"#TS:300")]
    code, text = check(tmp_path, "--truncate-to-timestamp", "99", "x.aof")
    assert code == 1 and "AOF x.aof has nothing before timestamp 99, aborting..." in text


@pytest.mark.parametrize("check", [ours, theirs])
def test_cut_to_a_time_in_the_last_part_only(tmp_path, check):
    write_aof(tmp_path, ("base", "b", STAMPS), ("incr.1", "i", SET))
    code, text = check(tmp_path, "--truncate-to-timestamp", "250", MANIFEST)
    assert code == 1 and "to timestamp 250 to offset" in text and "because it is not the last file." in text


@pytest.mark.parametrize("behind", [b"", SET, SET + b"!"])
def test_rdb_preamble(tmp_path, behind):
    with fastredis_server("--dir", str(tmp_path)) as server, server.client() as client:
        client.call("SET", "a", "1")
        client.call("SAVE")
    start = (tmp_path / "dump.rdb").read_bytes()
    (tmp_path / "x.aof").write_bytes(start + behind)
    code, text = ours(tmp_path, "x.aof")
    assert "RDB preamble is OK, proceeding with AOF tail..." in text
    assert code == (1 if behind.endswith(b"!") else 0)
    assert theirs(tmp_path, "x.aof")[0] == code
    (tmp_path / "x.aof").write_bytes(start[:-10] + bytes(10))
    code, text = ours(tmp_path, "x.aof")
    assert code == 1 and text.endswith("RDB preamble of AOF file is not sane, aborting.\n")


@pytest.mark.parametrize("argv", [(), ("--fix",), ("a", "b"), ("--truncate-to-timestamp", "x", "a"), ("--what", "a"),
                                  ("--fix", "--truncate-to-timestamp", "1", "a")])
def test_wrong_arguments(tmp_path, argv):
    assert ours(tmp_path, *argv)[0] == 1
