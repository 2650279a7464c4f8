"""fastredis.Server and AsyncServer: servers inside of this process, used by redis-py."""
import asyncio
import gc
import os
import signal
import subprocess
import sys
import threading

import pytest
import redis

import fastredis
from tests.helpers import wait_until
from tests.servers import free_port

SERVERS = 30                    # started and stopped in a row


def descriptors():
    return len(os.listdir("/proc/self/fd"))


def test_a_server_of_its_own_thread():
    with fastredis.Server() as server:
        assert server.is_running
        for url in (server.url, server.unix_url):
            with redis.Redis.from_url(url) as client:
                client.incr("n")
        with server.client(decode_responses=True) as client:
            assert client.get("n") == "2"
            assert client.config_get("save") == {"save": ""}
    assert not server.is_running
    with pytest.raises(redis.ConnectionError):
        redis.Redis(port=client.connection_pool.connection_kwargs["port"]).ping()
    with pytest.raises(fastredis.FastredisError, match="does not run"):
        server.url                      # noqa: B018


def test_settings():
    with fastredis.Server(maxmemory="10mb", maxmemory_policy="allkeys-lru", appendonly=False, hz=50,
                          save=[3600, 1, 300, 100], requirepass="se cret/:@") as server, server.client() as client:
        assert client.config_get("maxmemory") == {"maxmemory": str(10 * 2**20)}
        assert client.config_get("save") == {"save": "3600 1 300 100"}
        assert server.config["hz"] == 50
        server.set(maxmemory=2**20, save="")
        assert client.config_get("maxmemory") == {"maxmemory": "1048576"}
        assert client.config_get("save") == {"save": ""}
        with pytest.raises(fastredis.SettingError, match="maxmemory"):
            server.set(maxmemory="much")
        with pytest.raises(redis.AuthenticationError):
            redis.Redis(port=server.port).ping()


def test_users():
    users = {"app": "on >secret ~app:* +@all", "reader": ["on", "nopass", "~*", "+@read", "(~log +append)"]}
    with fastredis.Server(users=users) as server, redis.Redis(port=server.port, username="app", password="secret",
                                                              decode_responses=True) as app:
        assert app.set("app:1", 1)
        with pytest.raises(redis.exceptions.NoPermissionError):
            app.set("other", 1)
        assert app.acl_getuser("reader")["selectors"] == [["commands", "-@all +append", "keys", "~log", "channels", ""]]
        with pytest.raises(fastredis.SettingError, match="ACL SETUSER"):
            server.set(users={"app": "off"})


def test_users_that_cannot_be():
    with pytest.raises(fastredis.SettingError, match="no-such"), fastredis.Server(users={"app": "no-such-rule"}):
        pass
    with pytest.raises(fastredis.SettingError, match="only users"):
        fastredis.Server(people={"app": "on"})


@pytest.mark.parametrize("settings", [{"nosuch": 1}, {"maxmemory": "much"}, {"port": -1}])
def test_wrong_settings_are_refused_at_once(settings):
    with pytest.raises(fastredis.SettingError) as raised:
        fastredis.Server(**settings)
    assert isinstance(raised.value, ValueError) and isinstance(raised.value, fastredis.FastredisError)


def test_a_port_in_use():
    with fastredis.Server() as server:
        other = fastredis.Server(port=server.port)
        with pytest.raises(fastredis.ServerError, match="Address already in use") as raised:
            other.start()
        assert "Failed listening on port" in raised.value.log
        assert not other.is_running


@pytest.mark.parametrize("settings, url", [({"port": 0}, "unix://"), ({"unixsocket": None}, "redis://")])
def test_one_kind_of_socket_only(settings, url):
    with fastredis.Server(**settings) as server, server.client() as client:
        assert server.url.startswith(url)
        assert client.ping()


def test_a_port_that_is_given():
    port = free_port()
    with fastredis.Server(port=port) as server:
        assert server.port == port
        assert server.url == f"redis://127.0.0.1:{port}/0"


def test_the_data_stay_in_their_directory(tmp_path):
    server = fastredis.Server(dir=tmp_path, save="3600 1", appendonly=True)
    for number in range(1, 4):
        with server, server.client() as client:
            assert client.incr("n") == number
    assert (tmp_path / "dump.rdb").exists() and (tmp_path / "appendonlydir").is_dir()


def test_a_client_ends_the_service():
    server = fastredis.Server().start()
    with server.client() as client:
        client.shutdown()
    server.wait_closed()
    assert not server.is_running
    server.stop()


def test_two_servers_and_their_lives():
    with fastredis.Server() as one, fastredis.Server() as two:
        assert one.port != two.port
        with one.client() as client:
            client.set("k", 1)
        with two.client() as client:
            assert client.get("k") is None
        one.stop()
        with two.client() as client:
            assert client.ping()
        with pytest.raises(fastredis.FastredisError, match="already"):
            two.start()
        one.stop()                      # once more does nothing


def test_nothing_is_left():
    """No descriptor, no thread, no directory; the working directory and what signals do are as they were."""
    def once():
        with fastredis.Server() as server:
            directory = os.path.dirname(server.unix_path)
            with server.client() as client:
                client.ping()
        assert not os.path.exists(directory)

    once()
    before, threads = descriptors(), threading.active_count()
    here, term = os.getcwd(), signal.getsignal(signal.SIGTERM)
    for _ in range(SERVERS):
        once()
    gc.collect()
    wait_until(lambda: descriptors() <= before)
    wait_until(lambda: threading.active_count() <= threads)
    assert (os.getcwd(), signal.getsignal(signal.SIGTERM)) == (here, term)


def test_on_the_callers_loop():
    async def main():
        async with fastredis.AsyncServer(requirepass="x") as server:
            client = server.async_client()
            waits = asyncio.create_task(client.blpop("list", timeout=20))
            other = server.async_client()
            await other.rpush("list", "item")
            assert await waits == (b"list", b"item")
            for each in (client, other):
                await each.aclose()
            return server, asyncio.get_running_loop()

    async def whole():
        server, _ = await main()
        assert not server.is_running
        await asyncio.sleep(0)
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(whole())


def test_a_start_that_is_given_up(tmp_path):
    """While the data are loaded: nothing is left, and the file is what it was."""
    with fastredis.Server(dir=tmp_path, save="3600 1", enable_debug_command=True) as server, server.client() as client:
        client.execute_command("DEBUG", "POPULATE", 2000)
    before = (tmp_path / "dump.rdb").read_bytes()

    async def main():
        others = asyncio.all_tasks()
        server = fastredis.AsyncServer(dir=tmp_path, save="3600 1", key_load_delay=1000,
                                       loading_process_events_interval_bytes=1024)
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(server.start(), 0.5)
        assert not server.is_running
        assert asyncio.all_tasks() == others

    asyncio.run(asyncio.wait_for(main(), 30))
    assert (tmp_path / "dump.rdb").read_bytes() == before


def test_clients_are_closed_with_it():
    async def main():
        server = await fastredis.AsyncServer().start()
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(b"BLPOP k 0\r\n")
        await asyncio.sleep(0.05)
        await server.stop()
        assert await asyncio.wait_for(reader.read(), 10) == b""
        writer.close()

    asyncio.run(main())


def test_the_end_of_the_program_stops_it(tmp_path):
    """Without stop(), as a script may end: with save points the data are saved."""
    program = f"import fastredis; fastredis.Server(dir={str(tmp_path)!r}, save='3600 1').start().client().set('k', 'v')"
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60, cwd=os.getcwd())
    with fastredis.Server(dir=tmp_path) as server, server.client() as client:
        assert client.get("k") == b"v"


def test_importing_the_package_loads_no_engine():
    code = "import sys, fastredis; assert not [m for m in sys.modules if m.startswith('fastredis.')], sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
    with pytest.raises(AttributeError, match="nosuch"):
        fastredis.nosuch                # noqa: B018
