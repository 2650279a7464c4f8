"""Who may read the files that a server makes: the umask decides, as with redis-server."""
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tests.helpers import info, wait_until
from tests.resp import Client, Closed, Status
from tests.servers import free_port

SECONDS = 20
TOP = Path(__file__).resolve().parent.parent.parent


def command(kind, peer):
    return [sys.executable, "-m", "fastredis"] if kind == "fastredis" else [peer.path]


def files_of(words, directory, umask):
    """Run a server that makes all of its files below a directory: {name without numbers: permissions}."""
    directory.mkdir()
    config = directory / "redis.conf"
    config.write_text(f"port {free_port()}\nsave ''\nappendonly yes\ndir {directory}\nlogfile {directory}/log\n"
                      f"pidfile {directory}/pid\nunixsocket {directory}/socket\ndaemonize no\n")
    port = int(config.read_text().split()[1])
    config.chmod(0o640)
    server = subprocess.Popen([*words, str(config)], cwd=TOP, umask=umask, stdin=subprocess.DEVNULL,
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_until(lambda: answers(port))
        with Client(port, timeout=SECONDS) as client:
            for line in ("SET k v", "SAVE", "CONFIG SET maxmemory-samples 7"):
                assert client.call(*line.split()) == Status("OK")
            client.call("BGREWRITEAOF")
            wait_until(lambda: info(client)["aof_rewrite_in_progress"] == "0")
        paths = [path for path in directory.rglob("*") if path != config and ".1." not in path.name]
        return {path.name: stat.S_IMODE(path.stat().st_mode) for path in paths}
    finally:
        server.terminate()
        assert server.wait(SECONDS) == 0


def answers(port):
    try:
        with Client(port) as client:
            return client.call("PING") == Status("PONG")
    except (OSError, Closed):
        return False


@pytest.mark.parametrize("umask", [0o002, 0o077, 0o022])
def test_files_get_the_permissions_of_the_umask(peer, tmp_path, umask):
    ours, theirs = (files_of(command(kind, peer), tmp_path / kind, umask) for kind in ("fastredis", "peer"))
    assert {"dump.rdb", "log", "pid", "socket", "appendonlydir", "appendonly.aof.manifest"} <= set(ours)
    assert ours == theirs


@pytest.mark.parametrize("mode", [0o600, 0o664, 0o440])
@pytest.mark.parametrize("linked", [False, True])
def test_config_rewrite_keeps_links_and_permissions(fresh_server, tmp_path, mode, linked):
    server = fresh_server(config="maxmemory 1mb\n")
    path = server.directory / "redis.conf"
    target = path
    if linked:
        target = tmp_path / "elsewhere.conf"
        path.rename(target)
        path.symlink_to(os.path.relpath(target, path.parent))
    target.chmod(mode)
    with server.client() as client:
        client.call("CONFIG", "SET", "maxmemory", "2mb")
        assert client.call("CONFIG", "REWRITE") == Status("OK")
    assert path.is_symlink() == linked
    assert stat.S_IMODE(target.stat().st_mode) == mode
    assert "maxmemory 2mb\n" in target.read_text()
    assert sorted(each.name for each in tmp_path.iterdir()) == (["elsewhere.conf"] if linked else [])
