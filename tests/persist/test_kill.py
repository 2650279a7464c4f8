"""A few rounds of tests.persist.kill: what was acknowledged survives SIGKILL at any moment."""
import pytest

from tests.persist import kill


@pytest.mark.slow
@pytest.mark.parametrize("policy, torn", [("always", False), ("always", True), ("everysec", False)])
def test_acknowledged_writes_survive(policy, torn):
    assert kill.run(4, policy, torn=torn) > 0


def test_the_check_notices_what_is_missing():
    """It would be worth nothing otherwise."""
    writer = kill.Writer(0, 0, 3, 2)
    writer.sent = [5, 2]
    kill.compare(writer, (4, 2), 0.0, "always")
    for found in ((2, 2), (3, 1), (6, 2)):
        with pytest.raises(AssertionError):
            kill.compare(writer, found, 0.0, "always")
