"""The short form of tests/embed/soak.py."""
from tests.embed.soak import soak
from tests.helpers import wait_until

SERVERS = 10


def test_stopped_servers_leave_nothing():
    """But for RAM, which is for the long form: it grows a little with the first ones."""
    def settled():
        descriptors, threads, _, engines = soak(SERVERS)
        return descriptors <= 0 and threads <= 0 and engines <= 0

    wait_until(settled)
