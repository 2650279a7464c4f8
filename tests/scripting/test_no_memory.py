"""Scripts where little memory is left: what is large is refused, and the server lives."""
import os
import re
import resource

import pytest

from tests.resp import Error, Status
from tests.rows import OK

MIB = 1024 * 1024
STORES = "return redis.call('SET', KEYS[1], string.rep('x', 2^26))"
MANY = ["x" * 20] * 300_000
pytestmark = pytest.mark.skipif(os.environ.get("FASTREDIS_BUILD") == "asan", reason="a sanitizer takes its own memory")


def outcomes(server, rooms, *command):
    """What a command replies where a server has only so many MiB of address space left. It serves others each time."""
    with open(f"/proc/{server.pid}/status", encoding="ascii") as status:
        size = int(re.search(r"VmSize:\s+(\d+)", status.read())[1]) * 1024
    found = []
    for room in rooms:
        resource.prlimit(server.pid, resource.RLIMIT_AS, (size + room * MIB, resource.RLIM_INFINITY))
        with server.client(timeout=60) as client:
            found.append(client.call(*command))
            assert client.call("DEL", "k") in (0, 1)
            assert client.call("SCRIPT", "FLUSH") == OK
    return found


def kinds(found):
    return {str(reply).partition(",")[0] if isinstance(reply, Error) else type(reply) for reply in found}


def test_what_a_script_makes_and_stores(fresh_server):
    """Its text of 64 MiB is made in a buffer and copied, and the key's value takes as much again."""
    found = outcomes(fresh_server(), (8, 30, 60, 100, 130, 150, 170, 300), "EVAL", STORES, 1, "k")
    assert found[0] == Error("ERR not enough memory") and found[-1] == OK
    assert kinds(found) == {"ERR not enough memory", "ERR Insufficient memory", Status}


def test_many_arguments(fresh_server):
    """As values of Lua they take more than in the request, for which there is room."""
    found = outcomes(fresh_server(), (60, 70, 80, 300), "EVAL", "return #ARGV", 0, *MANY)
    assert found[-1] == len(MANY)
    assert kinds(found) <= {"ERR Insufficient memory", int}
