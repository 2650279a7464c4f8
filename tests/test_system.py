"""What the system is set to, told at the start. The files are the test's own."""
import pytest

from fastredis.config.config import Config
from fastredis.host.system import BACKLOG, HUGE_PAGES, OVERCOMMIT, warnings_of_system

GOOD = {OVERCOMMIT: "1\n", BACKLOG: "4096\n", HUGE_PAGES: "always [madvise] never\n"}
THP = "[always] madvise never\n"
ROWS = {
    "all well": ({}, "", []),
    "no files": (dict.fromkeys(GOOD), "", []),
    "nonsense": ({BACKLOG: "x", OVERCOMMIT: "x", HUGE_PAGES: "x"}, "", []),
    "overcommit": ({OVERCOMMIT: "0\n"}, "", ["WARNING Memory overcommit must be enabled!"]),
    "never overcommit": ({OVERCOMMIT: "2\n"}, "", []),
    "backlog": ({BACKLOG: "128\n"}, "", ["WARNING: The TCP backlog setting of 511 cannot be enforced because "
                                         "/proc/sys/net/core/somaxconn is set to the lower value of 128."]),
    "a lower backlog": ({BACKLOG: "128\n"}, "tcp-backlog 128", []),
    "huge pages": ({HUGE_PAGES: THP}, "disable-thp no",
                   ["WARNING You have Transparent Huge Pages (THP) support enabled"]),
    "huge pages, not for us": ({HUGE_PAGES: THP}, "", []),
    "all": ({OVERCOMMIT: "0", BACKLOG: "1", HUGE_PAGES: THP}, "disable-thp no",
            ["WARNING Mem", "WARNING: T", "WARNING Y"]),
}


@pytest.mark.parametrize("name", ROWS)
def test_warnings(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    files, settings, expected = ROWS[name]
    for path, text in {**GOOD, **files}.items():
        if text is not None:
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / path).write_text(text)
    config = Config()
    config.load(None, None, settings)
    found = warnings_of_system(config, tmp_path)
    assert len(found) == len(expected) and all(map(str.startswith, found, expected))
