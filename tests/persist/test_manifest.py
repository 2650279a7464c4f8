"""The manifest of a multi-part AOF: what is read, what is written, and what Redis says of wrong ones."""
import os
import subprocess

import pytest

from fastredis.config.folder import Folder
from fastredis.persist import manifest
from fastredis.persist.manifest import AofFile, Manifest, ManifestError, parse

WHOLE = b"""file appendonly.aof.2.base.rdb seq 2 type b
file appendonly.aof.1.incr.aof seq 1 type h
file appendonly.aof.4.incr.aof seq 4 type i
file appendonly.aof.5.incr.aof seq 5 type i
"""


def test_reads_and_writes_the_same():
    found = parse(WHOLE)
    assert found.base == AofFile("appendonly.aof.2.base.rdb", 2, "b")
    assert [each.seq for each in found.incrs] == [4, 5] and [each.seq for each in found.history] == [1]
    assert (found.base_seq, found.incr_seq) == (2, 5)
    assert found.text().encode() == WHOLE
    assert [each.name for each in found.files] == [
        "appendonly.aof.2.base.rdb", "appendonly.aof.4.incr.aof", "appendonly.aof.5.incr.aof"]


def test_comments_unknown_pairs_and_case_are_no_matter():
    found = parse(b"# a comment\nSEQ 1 Type incr FILE x what ever\n")
    assert found.incrs == [AofFile("x", 1, "i")]


@pytest.mark.parametrize("name", ["a b", 'a"b', "a\tb", "n\x01n", "é"])
def test_odd_names_are_quoted(name):
    found = parse(Manifest(base=AofFile(name, 1, "b")).text().encode("utf-8", "surrogateescape"))
    assert found.base == AofFile(name, 1, "b")


FORMAT = "Invalid AOF manifest file format"
WRONG = {
    "empty": (b"", "Found an empty AOF manifest"),
    "too few words": (b"file a seq 1\n", FORMAT),
    "an odd number of words": (b"file a seq 1 type b more\n", FORMAT),
    "an empty line": (b"file a seq 1 type b\n\n", FORMAT),
    "unbalanced quotes": (b'file "a seq 1 type b\n', FORMAT),
    "no file": (b"fil a seq 1 type b\n", FORMAT),
    "no number": (b"file a seq b type b\n", FORMAT),
    "number 0": (b"file a seq 0 type b\n", FORMAT),
    "a path": (b"file a/b seq 1 type b\n", "File can't be a path, just a filename"),
    "two bases": (b"file a seq 1 type b\nfile b seq 2 type b\n", "Found duplicate base file information"),
    "numbers do not grow": (b"file a seq 2 type i\nfile b seq 2 type i\n", "Found a non-monotonic sequence number"),
    "unknown type": (b"file a seq 1 type x\n", "Unknown AOF file type"),
    "no newline at the end": (b"file a seq 1 type b", "The AOF manifest file contains too long line"),
    "a long line": (b"file " + b"a" * 1100 + b" seq 1 type b\n", "The AOF manifest file contains too long line"),
}


@pytest.mark.parametrize("text, reason", WRONG.values(), ids=WRONG)
def test_wrong_ones_are_refused(text, reason):
    with pytest.raises(ManifestError) as refusal:
        parse(text)
    assert refusal.value.reason == reason
    assert refusal.value.messages()[0] == "\n*** FATAL AOF MANIFEST FILE ERROR ***\n"
    assert refusal.value.messages()[-1] == reason + "\n"


@pytest.mark.parametrize("text, reason", WRONG.values(), ids=WRONG)
def test_peer_refuses_the_same(modern_peer, tmp_path, text, reason):
    """A real server that starts on the same manifest says the same lines."""
    directory = tmp_path / "appendonlydir"
    directory.mkdir()
    (directory / "appendonly.aof.manifest").write_bytes(text)
    run = subprocess.run([modern_peer.path, "--port", "0", "--unixsocket", str(tmp_path / "s"), "--appendonly", "yes"],
                         cwd=tmp_path, capture_output=True, text=True, timeout=20, check=False)
    assert run.returncode == 1
    with pytest.raises(ManifestError) as refusal:
        parse(text)
    at = 0
    for line in refusal.value.messages():
        at = run.stdout.index(line.strip("\n"), at)


def test_new_parts_and_history():
    found = Manifest()
    assert not found
    assert found.new_base("x.aof", is_rdb=True).name == "x.aof.1.base.rdb"
    assert found.new_incr("x.aof").name == "x.aof.1.incr.aof"
    before = found.copy()
    assert found.new_incr("x.aof").name == "x.aof.2.incr.aof"
    assert len(before.incrs) == 1, "a copy stands by itself"
    assert found.new_base("x.aof", is_rdb=False).name == "x.aof.2.base.aof"
    found.retire_incrs(kept=1)
    assert found.text() == (
        "file x.aof.2.base.aof seq 2 type b\n"
        "file x.aof.1.incr.aof seq 1 type h\n"
        "file x.aof.1.base.rdb seq 1 type h\n"
        "file x.aof.2.incr.aof seq 2 type i\n")
    found.retire_incrs(kept=0)
    assert not found.incrs and found.incr_seq == 2


def test_write_replaces_the_file_as_a_whole(tmp_path):
    path = tmp_path / "x.aof.manifest"
    assert manifest.write(Manifest(base=AofFile("a", 1, "b")), Folder(), str(tmp_path), "x.aof") == (None, True)
    inode = path.stat().st_ino
    assert manifest.write(Manifest(base=AofFile("b", 2, "b")), Folder(), str(tmp_path), "x.aof") == (None, True)
    assert path.read_text() == "file b seq 2 type b\n"
    assert path.stat().st_ino != inode and os.listdir(tmp_path) == ["x.aof.manifest"]


def test_write_tells_what_went_wrong(tmp_path):
    assert manifest.write(Manifest(), Folder(), str(tmp_path / "none"), "x.aof") == (
        "Can't open the AOF manifest file temp-x.aof.manifest: No such file or directory", False)
    (tmp_path / "x.aof.manifest").mkdir()
    failure, placed = manifest.write(Manifest(), Folder(), str(tmp_path), "x.aof")
    assert not placed and failure.startswith(
        "Error trying to rename the temporary AOF manifest file temp-x.aof.manifest into x.aof.manifest: ")
