"""twemproxy (Debian's nutcracker) spreads keys over three servers, and takes from redis-benchmark all it supports."""
import re
import shutil
import subprocess

import pytest

from tests.helpers import PATIENCE_SECONDS, wait_until
from tests.replication.nodes import GONE
from tests.resp import Client, Error, Status
from tests.servers import free_port

CONFIG = """\
shards:
  listen: 127.0.0.1:{port}
  redis: true
  hash: murmur
  hash_tag: "{{}}"
  distribution: ketama
  timeout: 20000
  servers:
    - 127.0.0.1:{0}:1 one
    - 127.0.0.1:{1}:1 two
    - 127.0.0.1:{2}:1 three
"""
# All of redis-benchmark's own tests but PING as an inline command, which twemproxy takes for an error.
TESTS = ("ping_mbulk,set,get,incr,lpush,rpush,lpop,rpop,sadd,hset,spop,zadd,zpopmin,lrange_100,lrange_300,lrange_500,"
         "lrange_600,mset")
# The commands that twemproxy 0.5 hands on, as redis-benchmark takes them; R is a random number. The keys of a command
# must be on one server, so they share the part in braces; but DEL, MGET, MSET, TOUCH and UNLINK may have any. LSET
# wants a key that is there.
COMMANDS = """
SET k:R 5|GET k:R|GETSET s:R v|APPEND s:R abc|STRLEN s:R|SETRANGE s:R 2 xy|GETRANGE s:R 0 -1|SETNX s:R v|SETEX x:R 100 v
PSETEX x:R 100000 v|MSET s:R a t:R b|MGET s:R t:R|INCR n:R|INCRBY n:R 5|DECR n:R|DECRBY n:R 2|INCRBYFLOAT n:R 1.5
GETEX x:R PERSIST|GETDEL x:R|SETBIT b:R 7 1|GETBIT b:R 7|BITCOUNT b:R|BITPOS b:R 1|BITFIELD b:R INCRBY u8 0 1
EXPIRE s:R 100|PEXPIRE s:R 100000|EXPIREAT s:R 4000000000|PEXPIREAT s:R 4000000000000|TTL s:R|PTTL s:R|PERSIST s:R
TYPE s:R|EXISTS s:R|TOUCH s:R t:R|DUMP s:R|COPY {s:R}:1 {s:R}:2|SORT sort:R
HSET h:R f 1 g 2|HGET h:R f|HMSET h:R f 1|HMGET h:R f g|HGETALL h:R|HKEYS h:R|HVALS h:R|HLEN h:R|HEXISTS h:R f
HINCRBY h:R f 3|HINCRBYFLOAT h:R f 0.5|HSETNX h:R e 1|HSTRLEN h:R f|HRANDFIELD h:R 2|HSCAN h:R 0|HDEL h:R f
RPUSH {l:R} a b c|LPUSH {l:R} z|LPUSHX {l:R} y|RPUSHX {l:R} d|LLEN {l:R}|LINDEX {l:R} 0|LRANGE {l:R} 0 -1
LPOS {l:R} a|RPUSH {l:set} a b c|LSET {l:set} 0 q|LINSERT {l:R} BEFORE a o|LREM {l:R} 1 z
LMOVE {l:R} {l:R}:to LEFT RIGHT|RPOPLPUSH {l:R} {l:R}:to|LTRIM {l:R} 0 20|LPOP {l:R}|RPOP {l:R}
SADD {a:R} a b c|SADD {a:R}:2 b c d|SCARD {a:R}|SISMEMBER {a:R} a|SMISMEMBER {a:R} a z|SMEMBERS {a:R}
SRANDMEMBER {a:R}|SSCAN {a:R} 0|SDIFF {a:R} {a:R}:2|SINTER {a:R} {a:R}:2|SUNION {a:R} {a:R}:2
SDIFFSTORE {a:R}:3 {a:R} {a:R}:2|SINTERSTORE {a:R}:3 {a:R} {a:R}:2|SUNIONSTORE {a:R}:3 {a:R} {a:R}:2
SMOVE {a:R} {a:R}:2 a|SREM {a:R} b|SPOP {a:R}
ZADD {z:R} 1 a 2 b 3 c|ZADD {z:R}:2 2 b 4 d|ZCARD {z:R}|ZSCORE {z:R} a|ZMSCORE {z:R} a b|ZCOUNT {z:R} 1 2
ZINCRBY {z:R} 0.5 a|ZRANGE {z:R} 0 -1|ZREVRANGE {z:R} 0 -1 WITHSCORES|ZRANGEBYSCORE {z:R} 1 (3
ZREVRANGEBYSCORE {z:R} 3 1 LIMIT 0 1|ZRANGEBYLEX {z:R} - +|ZREVRANGEBYLEX {z:R} + -|ZLEXCOUNT {z:R} - +|ZRANK {z:R} a
ZREVRANK {z:R} a|ZRANDMEMBER {z:R}|ZSCAN {z:R} 0|ZDIFF 2 {z:R} {z:R}:2|ZINTER 2 {z:R} {z:R}:2|ZUNION 2 {z:R} {z:R}:2
ZDIFFSTORE {z:R}:3 2 {z:R} {z:R}:2|ZINTERSTORE {z:R}:3 2 {z:R} {z:R}:2|ZUNIONSTORE {z:R}:3 2 {z:R} {z:R}:2
ZRANGESTORE {z:R}:3 {z:R} 0 1|ZPOPMIN {z:R}|ZPOPMAX {z:R}|ZREMRANGEBYRANK {z:R}:2 0 0|ZREMRANGEBYSCORE {z:R}:2 4 5
ZREMRANGEBYLEX {z:R}:3 - +|ZREM {z:R} b|DEL s:R t:R|UNLINK k:R n:R|PING
"""
RUN = ["-n", "200", "-c", "5", "-r", "50", "-q"]


@pytest.fixture
def proxied(either_server, tmp_path):
    """(port of a nutcracker, the three servers behind it), of each kind; skips without nutcracker."""
    program = shutil.which("nutcracker") or shutil.which("nutcracker", path="/usr/sbin")
    if program is None:
        pytest.skip("no nutcracker on PATH (Debian: apt install nutcracker)")
    if shutil.which("redis-benchmark") is None:
        pytest.skip("no redis-benchmark on PATH")
    servers = [either_server() for _ in range(3)]
    config, log = tmp_path / "nutcracker.yml", tmp_path / "nutcracker.log"

    def start():
        """Start it -> (process, port), or None when another process took a port before it."""
        port = free_port()
        config.write_text(CONFIG.format(*(server.port for server in servers), port=port))
        process = subprocess.Popen([program, "-c", str(config), "-o", str(log), "-a", "127.0.0.1", "-s",
                                    str(free_port()), "-p", str(tmp_path / "pid")])
        try:
            wait_until(lambda: process.poll() is not None or answers(port), lambda: log.read_text())
        except BaseException:
            process.kill()
            raise
        return (process, port) if process.poll() is None else None

    process, port = wait_until(start, "nutcracker does not start")
    try:
        yield port, servers
    finally:
        process.terminate()
        process.wait()


def answers(port):
    try:
        with Client(port) as client:
            return client.call("PING") == Status("PONG")
    except GONE:
        return False


def benchmark(port, *argv):
    """Run redis-benchmark; AssertionError unless it ends well. It stops at the first error reply."""
    command = ["redis-benchmark", "-h", "127.0.0.1", "-p", str(port), *RUN, *argv]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=PATIENCE_SECONDS)
    assert done.returncode == 0 and "requests per second" in done.stdout, f"{argv}: {done.stdout}{done.stderr}"


def test_tests_of_redis_benchmark(proxied):
    port, servers = proxied
    benchmark(port, "-t", TESTS)
    for server in servers:
        with server.client() as client:
            assert client.call("DBSIZE") > 0, f"no key came to {server.port}"


def test_each_command_of_twemproxy(proxied):
    """Each comes to the servers and is no error; and each server has its share of the keys."""
    port, servers = proxied
    commands = re.split(r"[|\n]", COMMANDS.strip())
    for command in commands:
        benchmark(port, *command.replace("R}", "__rand_int__}").replace(":R", ":__rand_int__").split())
    sent = {command.split()[0].lower() for command in commands} - {"ping"}        # nutcracker answers PING itself
    seen = set()
    for server in servers:
        with server.client() as client:
            assert client.call("DBSIZE") > 20, f"few keys came to {server.port}"
            text = client.call("INFO", "commandstats").decode()
            seen.update(re.findall(r"^cmdstat_(\w+):calls=\d+.*rejected_calls=0,failed_calls=0", text, re.MULTILINE))
    assert len(sent) > 100 and sent - seen == set()


def test_keys_are_found_again(proxied):
    port, servers = proxied
    with Client(port) as client:
        names = [f"user:{number}" for number in range(300)]
        words = [word for name in names for word in (name, f"of {name}")]
        assert client.call("MSET", *words) == Status("OK")
        assert client.call("MGET", *names) == [f"of {name}".encode() for name in names]
        assert client.call("DEL", *names[:100]) == 100
    sizes = []
    for server in servers:
        with server.client() as client:
            sizes.append(client.call("DBSIZE"))
            for name in names:
                assert not isinstance(client.call("GET", name), Error)
    assert sum(sizes) == 200 and min(sizes) > 20, sizes
