"""The pytest plugin, by tests that use it in a pytest of their own."""
import os
import subprocess
import sys
from pathlib import Path

import pytest

import fastredis

pytest_plugins = ["pytester"]
REPOSITORY = Path(fastredis.__file__).resolve().parent.parent


@pytest.fixture
def run(pytester, monkeypatch):
    """Run a file of tests with the plugin -> the result."""
    monkeypatch.setenv("PYTHONPATH", str(REPOSITORY))
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")

    def run(text, *args, ini=""):
        pytester.makepyfile(test_it=text)
        pytester.makefile(".ini", pytest=f"[pytest]\n{ini}")
        return pytester.runpytest_subprocess("-p", "fastredis.pytest_plugin", "-p", "no:cacheprovider", *args)

    return run


def test_fixtures(run):
    run("""
        import asyncio
        import pytest, redis

        @pytest.mark.parametrize("n", range(3))
        def test_data_are_gone(fastredis, n):
            assert isinstance(fastredis, redis.Redis) and fastredis.dbsize() == 0
            assert fastredis.incr("n") == 1

        def test_the_server(fastredis, fastredis_server):
            with fastredis_server.client() as client:
                client.set("key", 1)
            assert fastredis.get("key") == b"1"

        def test_async(fastredis_async):
            async def run():
                assert await fastredis_async.dbsize() == 0
                await fastredis_async.set("key", 1)
                assert await fastredis_async.get("key") == b"1"
            asyncio.run(run())

        def test_both_have_the_same_data(fastredis, fastredis_async):
            fastredis.set("key", 2)
            assert asyncio.run(fastredis_async.get("key")) == b"2"

        def test_clock(fastredis, fastredis_clock):
            fastredis_clock.freeze()
            fastredis.set("key", 1, ex=60)
            fastredis_clock.advance(61)
            assert fastredis.get("key") is None

        def test_clock_runs_again(fastredis_clock):
            assert not fastredis_clock.is_frozen

        def test_stopping(fastredis_server):
            fastredis_server.stop()

        def test_it_runs_again(fastredis):
            assert fastredis.ping()
    """).assert_outcomes(passed=10)


def test_settings(run):
    run("""
        from fastredis.pytest_plugin import client, server

        small_server = server(maxmemory="3mb")
        small = client("small_server", db=2)

        def test_ini(fastredis, fastredis_server):
            assert fastredis_server.config["maxmemory"] == 5 * 2**20
            assert fastredis.config_get("save") == {"save": "3600 1"}
            fastredis.set("key", 1)
            assert fastredis.get("key") == "1"

        def test_factories(small, fastredis):
            assert small.config_get("maxmemory") == {"maxmemory": "3145728"}
            small.set("key", 1)
            assert small.get("key") == "1" and not fastredis.exists("key")
            assert small.client_info()["db"] == 2
    """, ini="fastredis_decode_responses = true\nfastredis_settings =\n  maxmemory 5mb\n  save 3600 1\n"
       ).assert_outcomes(passed=2)


def test_as_pytest_redis(run):
    run("""
        import asyncio
        import redis
        from fastredis.pytest_redis import factories

        redis_my_proc = factories.redis_proc(port=None, executable="/nowhere/redis-server", timeout=60)
        redis_my = factories.redisdb("redis_my_proc", dbnum=3, decode=True)

        def test_redis(redisdb, redis_proc):
            redisdb.set("test1", "test")
            assert redisdb.get("test1") == b"test"
            assert redis.Redis(redis_proc.host, redis_proc.port).get("test1") == b"test"

        def test_cleared(redisdb, redis_noproc):
            assert redisdb.keys() == [] and redis_noproc.port

        def test_async(redisdb_async):
            async def run():
                async with redisdb_async as client:
                    assert await client.set("woof", "woof") and await client.dbsize() == 1
            asyncio.run(run())

        def test_mine(redis_my, redis_my_proc, redis_proc):
            redis_my.set("key", 1)
            assert redis_my.get("key") == "1"
            assert redis_my_proc.port != redis_proc.port
            assert redis.Redis(port=redis_my_proc.port, db=3).get("key") == b"1"
    """, ini="fastredis_replaces = pytest-redis\n").assert_outcomes(passed=4)


def test_as_pytest_databases(run):
    run("""
        import redis

        def test_service(redis_service, redis_host, redis_port):
            assert (redis_service.host, redis_service.port) == (redis_host, redis_port)
            assert redis.Redis(host=redis_host, port=redis_port, db=redis_service.db).ping()
    """, ini="fastredis_replaces = pytest-databases\n").assert_outcomes(passed=1)


def test_an_unknown_plugin_is_told(run):
    result = run("def test_nothing(): pass", ini="fastredis_replaces = pytest-nosuch\n")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*fastredis_replaces: 'pytest-nosuch' is none of pytest-redis, pytest-databases*"])


def test_without_redis_py(run):
    """The server's fixtures need no client."""
    run("""
        import sys
        sys.modules["redis"] = None

        def test_server(fastredis_server):
            assert fastredis_server.engine.execute("PING") == b"PONG"
    """).assert_outcomes(passed=1)


def test_isolation_in_workers(run):
    """Each worker of pytest-xdist has a server of its own."""
    pytest.importorskip("xdist", reason="pytest-xdist is not installed")
    run("""
        import pytest

        @pytest.mark.parametrize("n", range(200))
        def test_alone(fastredis, n):
            assert fastredis.incr("n") == 1
            assert fastredis.dbsize() == 1
    """, "-n", "2").assert_outcomes(passed=200)


def test_what_it_costs(pytester, run):
    """The fixture is a small part of a millisecond a test; the bound is for busy machines."""
    most_s = 0.01 if os.environ.get("FASTREDIS_BUILD") == "asan" else 0.001
    run(f"""
        import time
        import pytest
        spent = []

        @pytest.fixture
        def timed(request):
            started = time.process_time()
            client = request.getfixturevalue("fastredis")
            spent.append(time.process_time() - started)
            return client

        @pytest.mark.parametrize("n", range(300))
        def test_alone(timed, n):
            timed.set("key", n)

        def test_median():
            assert sorted(spent)[len(spent) // 2] < {most_s}
    """).assert_outcomes(passed=301)


def test_it_is_an_entry_point():
    assert 'fastredis = "fastredis.pytest_plugin"' in (REPOSITORY / "pyproject.toml").read_text()
    done = subprocess.run([sys.executable, "-c", "import fastredis.pytest_plugin, sys; print('redis' in sys.modules)"],
                          cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"         # a program without redis-py has the plugin, too


def test_seed(run):
    """The data that each test finds are made once; again when a test has stopped the server."""
    result = run("""
        import asyncio
        import pytest

        fills = []

        @pytest.fixture(scope="session")
        def fastredis_seed():
            def fill(server):
                fills.append(server)
                server.engine.execute_all([("MSET", "a", 1, "b", 2), ("FUNCTION", "LOAD",
                    "#!lua name=lib\\nredis.register_function('one', function() return 1 end)")])
            return fill

        @pytest.mark.parametrize("n", range(3))
        def test_data_are_what_they_were(fastredis, n):
            assert fastredis.mget("a", "b", "c") == [b"1", b"2", None]
            assert fastredis.fcall("one", 0) == 1
            fastredis.incr("a"); fastredis.delete("b"); fastredis.set("c", 3); fastredis.function_flush()

        def test_async(fastredis_async):
            assert asyncio.run(fastredis_async.get("a")) == b"1"

        def test_filled_once(fastredis):
            assert len(fills) == 1

        def test_stopping(fastredis_server):
            fastredis_server.stop()

        def test_filled_again(fastredis):
            assert fastredis.mget("a", "b", "c") == [b"1", b"2", None] and len(fills) == 2
    """)
    result.assert_outcomes(passed=7)
