"""`fastredis --check-rdb`: whole and damaged files, and that redis-check-rdb is of the same opinion."""
import shutil
import subprocess
import sys

import pytest

from tests.persist.dataset import fill


@pytest.fixture
def file(fresh_server, tmp_path):
    """A file with all kinds of keys in two databases, three of them with deadlines, one of which has passed.

    Returns its path and the number of keys.
    """
    with fresh_server("--dir", str(tmp_path)).client() as client:
        fill(client)
        client.call("DEBUG", "SET-ACTIVE-EXPIRE", 0)
        client.call("SET", "gone", "v", "PX", 1)
        client.call("SAVE")
        client.call("SELECT", 3)
        in_3 = client.call("DBSIZE")
        client.call("SELECT", 0)
        return tmp_path / "dump.rdb", client.call("DBSIZE") + in_3


def check(path):
    """Exit code and lines."""
    done = subprocess.run([sys.executable, "-m", "fastredis", "--check-rdb", *([str(path)] if path else [])],
                          capture_output=True, text=True)
    assert "Traceback" not in done.stderr
    return done.returncode, (done.stdout + done.stderr).splitlines()


def test_a_whole_file(file):
    path, keys = file
    code, lines = check(path)
    size = path.stat().st_size
    assert code == 0
    assert lines[0] == f"[offset 0] Checking RDB file {path}"
    assert any("AUX FIELD redis-ver = '7.4.0'" in line for line in lines)
    assert sum("Selecting DB ID" in line for line in lines) == 2
    assert lines[-5:] == [f"[offset {size}] Checksum OK", f"[offset {size}] \\o/ RDB looks OK! \\o/",
                          f"[info] {keys} keys read", "[info] 3 expires", "[info] 1 already expired"]


def test_a_file_without_a_checksum(file):
    path, _ = file
    path.write_bytes(path.read_bytes()[:-8] + bytes(8))
    code, lines = check(path)
    assert code == 0 and any("saved with checksum disabled" in line for line in lines)


def test_a_wrong_checksum(file):
    path, keys = file
    path.write_bytes(path.read_bytes()[:-8] + b"foobar00")
    code, lines = check(path)
    at = lines.index("--- RDB ERROR DETECTED ---")
    assert code == 1 and lines[at + 1] == f"[offset {path.stat().st_size}] RDB CRC error"
    assert f"[info] {keys} keys read" in lines


def test_the_place_of_an_error(file):
    """The key and the type that were read are named."""
    path, keys = file
    data = path.read_bytes()
    at = data.index(b"list:big") + 100
    path.write_bytes(data[:at])
    code, lines = check(path)
    assert code == 1
    wrong = lines[lines.index("--- RDB ERROR DETECTED ---"):]
    assert wrong[1].endswith("Unexpected EOF reading RDB file")
    assert at - 100 <= int(wrong[1].split()[1].rstrip("]")) <= at
    assert wrong[2:4] == ["[additional info] Reading key 'list:big'",
                          "[additional info] Reading type 18 (quicklist-v2)"]
    assert int(wrong[4].split()[1]) < keys


def test_no_file_and_no_argument(tmp_path):
    code, lines = check(tmp_path / "nope.rdb")
    assert code == 1 and lines == [f"Cannot open file: {tmp_path}/nope.rdb: No such file or directory"]
    code, lines = check(None)
    assert code == 1 and lines[0].startswith("Usage: ")


def test_both_tools_agree(file):
    """Over truncated and changed files, the verdicts are the same."""
    tool = shutil.which("redis-check-rdb")
    if tool is None:
        pytest.skip("no redis-check-rdb")
    path, _ = file
    data = path.read_bytes()
    for cut in (0, 5, 9, 30, 200, len(data) // 2, len(data) - 9, len(data) - 1, len(data)):
        path.write_bytes(data[:cut])
        theirs = subprocess.run([tool, str(path)], capture_output=True, text=True)
        assert check(path)[0] == theirs.returncode, f"cut at {cut}: {theirs.stdout}"
