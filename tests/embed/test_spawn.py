"""Processes that multiprocessing starts anew reach the parent's server by its URL, and have servers of their own.

In a process of their own: what other tests have left in this one is none of their business.
"""
import multiprocessing
import os
import subprocess
import sys
from pathlib import Path

import pytest

import fastredis

REPOSITORY = Path(fastredis.__file__).resolve().parent.parent


def in_the_child(url):
    import redis

    with redis.Redis.from_url(url, decode_responses=True) as client:
        seen = client.get("key")
        client.set("child", os.getpid())
    mine = fastredis.connect("default", decode_responses=True)
    mine.set("key", "of the child")
    return seen, mine.get("key"), os.getpid()


def parent(method):
    with fastredis.Server() as server, multiprocessing.get_context(method).Pool(1) as pool:
        server.engine.execute("SET", "key", "of the parent")
        for url in (server.url, server.unix_url):
            seen, own, pid = pool.apply(in_the_child, (url,))
            assert (seen, own) == ("of the parent", "of the child")
            assert server.engine.execute("GET", "child") == b"%d" % pid != b"%d" % os.getpid()
        assert server.engine.execute("GET", "key") == b"of the parent"


@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_a_child_process(method):
    pytest.importorskip("redis", reason="needs redis-py")
    subprocess.run([sys.executable, "-m", "tests.embed.test_spawn", method], cwd=REPOSITORY, timeout=60, check=True)


if __name__ == "__main__":
    parent(sys.argv[1])
