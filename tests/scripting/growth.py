"""Whether memory grows with the number of scripts and of runs.

    python -m tests.scripting.growth        100,000 different scripts and 1,000,000 EVALSHA on a server of its own

used_memory and the resident memory are taken when the cache of scripts is full and Lua has collected its garbage, and
again after the work; neither may have grown by more than 2 %. The exit status is 1 if one has.
"""
import hashlib
import re
import sys

from tests.resp import encode
from tests.servers import fastredis_server

SCRIPTS, CALLS = 100_000, 1_000_000
WARM_SCRIPTS, WARM_CALLS = 3000, 30_000
MOST = 9_999_999                # number of a script: seven digits, so that texts and values do not grow
PIPELINE = 100
TOLERANCE = 0.02
# What scripts usually do: commands, tables, JSON, an error now and then.
SCRIPT = """local id = {:07}
local t = {{}} for i = 1, 20 do t[i] = ARGV[1] .. i end
redis.call('SET', KEYS[1], cjson.encode(t))
if id % 7 == 0 then redis.pcall('INCR', KEYS[1]) end
if id % 11 == 0 then error(ARGV[1]) end
return #cmsgpack.pack(cjson.decode(redis.call('GET', KEYS[1])))"""
COLLECT = "for i = 1, 10 do collectgarbage() end return 1"


def answers(client, requests):
    """Send many requests and read their replies, each of which is one line."""
    client.socket.sendall(b"".join(requests))
    for _ in requests:
        client.read()


def evaluate(client, numbers):
    """EVAL a script of its own for each of the numbers."""
    for start in range(numbers.start, numbers.stop, PIPELINE):
        answers(client, [encode("EVAL", SCRIPT.format(n), "1", f"k{n % 100}", f"text {n:07}")
                         for n in range(start, min(start + PIPELINE, numbers.stop))])


def repeat(client, calls):
    """Run some scripts by their SHA-1, many times in all."""
    shas = [client.call("SCRIPT", "LOAD", SCRIPT.format(n)) for n in range(7)]
    assert shas[0] == hashlib.sha1(SCRIPT.format(0).encode()).hexdigest().encode()
    for start in range(0, calls, PIPELINE):
        answers(client, [encode("EVALSHA", shas[n % 7], "1", f"k{n % 100}", f"text {n:07}")
                         for n in range(start, start + PIPELINE)])


def measure(client):
    """used_memory and resident memory, in bytes, once Lua has collected what it can."""
    assert client.call("EVAL", COLLECT, "0") == 1
    text = client.call("INFO", "memory")
    return tuple(int(re.search(rb"\r\n%s:(\d+)" % name, text)[1]) for name in (b"used_memory", b"used_memory_rss"))


def growth(server, scripts, calls):
    """By how much used_memory and the resident memory grow, as shares."""
    with server.client(timeout=60) as client:
        evaluate(client, range(MOST - WARM_SCRIPTS, MOST))
        repeat(client, WARM_CALLS)
        before = measure(client)
        evaluate(client, range(scripts))
        repeat(client, calls)
        after = measure(client)
    return tuple(now / then - 1 for now, then in zip(after, before, strict=True))


def main():
    with fastredis_server() as server:
        used, resident = growth(server, SCRIPTS, CALLS)
    print(f"after {SCRIPTS:,} scripts and {CALLS:,} EVALSHA: used_memory {used:+.2%}, resident {resident:+.2%}")
    return 1 if max(used, resident) > TOLERANCE else 0


if __name__ == "__main__":
    sys.exit(main())
