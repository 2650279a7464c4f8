"""Servers started and stopped in this process, many of them: nothing is to be left.

    python -m tests.embed.soak 1000
"""
import gc
import os
import sys
import threading
import time

import fastredis
from fastredis.engine.engine import Engine

WARM_UP = 20                            # servers, until all that is made once has been made


def once(number):
    """A server, of either kind and with what a program may do to it."""
    with fastredis.Server(**({"unixsocket": None} if number % 2 else {})) as server:
        engine = server.engine
        engine.execute("SET", "key", "value")
        engine.pipeline(transaction=True).add("INCR", "n").add("INCR", "n").execute()
        server.db()["list"] = [1, 2, 3]
        snapshot = server.snapshot()
        engine.execute("FLUSHALL")
        server.restore(snapshot)
        server.on("set", lambda event: None)
        server.events()
        server.function("f")(lambda context, keys, args: context.call("GET", keys[0]))
        server.command("mine")(lambda context: 1)
        server.faults.fail("ERR no", command="get")
        engine.execute("EVAL", "return redis.call('LLEN', KEYS[1])", 1, "list")
        engine.execute("FCALL", "f", 1, "key")
        engine.execute("MINE")
        with engine.new_client() as client:
            client.execute("SUBSCRIBE", "channel")


def left():
    """(descriptors, threads, bytes of RAM, engines) that there are."""
    gc.collect()
    with open("/proc/self/statm") as file:
        pages = int(file.read().split()[1])
    engines = sum(isinstance(each, Engine) for each in gc.get_objects())
    return len(os.listdir("/proc/self/fd")), threading.active_count(), pages * os.sysconf("SC_PAGE_SIZE"), engines


def soak(servers):
    """Start and stop so many -> how much more there is of each than after the first ones."""
    for number in range(WARM_UP):
        once(number)
    before = left()
    for number in range(servers):
        once(number)
    return tuple(after - each for each, after in zip(before, left(), strict=True))


if __name__ == "__main__":
    started = time.monotonic()
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    descriptors, threads, ram, engines = soak(count)
    print(f"{count} servers in {time.monotonic() - started:.0f} s; left: {descriptors} descriptors, {threads} threads, "
          f"{ram / 2**20:.2f} MB, {engines} engines")
    sys.exit(descriptors > 0 or threads > 0 or ram > 2**20 or engines > 0)
