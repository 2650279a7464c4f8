"""Allocations fail: see tests.out_of_memory, which tries every one."""
import pytest

from tests.out_of_memory import cases, check

CASES = cases()
REFUSED = [name for name in CASES if "big" in name or "in pieces" in name]


@pytest.mark.parametrize("name", CASES)
def test_a_failed_allocation_ends_the_process_or_changes_nothing(name):
    counts = check(CASES[name], every=False)
    if name.startswith(("SET of a new key", "RDB", "AOF")):
        assert counts["ended"]


@pytest.mark.parametrize("name", [name for name in REFUSED if not name.startswith("GETSET")])
def test_what_a_client_made_big_is_refused(name):
    assert check(CASES[name], every=True)["refused"]
