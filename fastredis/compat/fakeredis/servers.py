"""What fakeredis calls servers: engines in this process, which are started when a client needs them."""

import socket
import threading
import weakref
from types import TracebackType
from typing import Any, ClassVar, Self, TypeAlias

from fastredis.embed.errors import FastredisError
from fastredis.embed.local import LocalClient
from fastredis.embed.server import Server
from fastredis.embed.settings import Setting, Word

Version: TypeAlias = tuple[int, ...] | int | str

SERVER_TYPES = ("redis", "dragonfly", "valkey", "kividb")
DISCONNECTED = "FakeRedis is emulating a connection error."


class FakeServer:
    """An engine that clients share: FakeRedis(server=server).

    version and server_type are taken, but all servers are the same. config: settings of redis.conf, in bytes or str. It
    ends when nothing refers to it any more.
    """

    _by_place: ClassVar[dict[str, "FakeServer"]] = {}
    _finding = threading.Lock()

    def __init__(self, version: Version = (8,), server_type: str = "redis",
                 config: dict[bytes, bytes] | dict[str, Word] | None = None):
        if server_type not in SERVER_TYPES:
            raise ValueError(f"Unsupported server type: {server_type}")
        self.server_type = server_type
        self.version = version_of(version)
        self._take(Server(port=0, **{name_of(name): value for name, value in (config or {}).items()}))

    def _take(self, server: Server) -> None:
        self.server = server
        self._starting = threading.Lock()
        self._connected = True
        weakref.finalize(self, end_aside, server).atexit = False        # then it ends with the program

    @classmethod
    def of(cls, server: Server) -> Self:
        """One that is there already."""
        self = cls.__new__(cls)
        self.server_type, self.version = "redis", version_of(8)
        self._take(server)
        return self

    @staticmethod
    def get_server(key: str, version: Version = (8,), server_type: str = "redis") -> "FakeServer":
        """The server of a place, as host:port or the path of a socket. It lives as long as the program."""
        with FakeServer._finding:
            if key not in FakeServer._by_place:
                FakeServer._by_place[key] = FakeServer(version, server_type)
            return FakeServer._by_place[key]

    @property
    def connected(self) -> bool:
        """Whether clients can reach it. False: their connections are lost, and new ones refused."""
        return self._connected

    @connected.setter
    def connected(self, value: bool) -> None:
        self._connected = value
        if not value and self.server.is_running:
            for kind in ("normal", "pubsub"):
                self.server.engine.execute("CLIENT", "KILL", "TYPE", kind, "SKIPME", "no")

    def check_connected(self) -> None:
        """Errors: FastredisError."""
        if not self._connected:
            raise FastredisError(DISCONNECTED)

    @property
    def engine(self) -> LocalClient:
        """The engine, which runs from now on. Errors: FastredisError if it is not `connected`."""
        self.check_connected()
        return self.started().engine

    def started(self) -> Server:
        with self._starting:
            if not (self.server.is_running or self.server.is_elsewhere):
                self.server.start()
        return self.server


class TcpFakeServer:
    """A server that listens on an address, as a socketserver of the standard library is used.

        server = TcpFakeServer(("127.0.0.1", 6390))
        threading.Thread(target=server.serve_forever, daemon=True).start()
    """

    def __init__(self, server_address: tuple[str, int], bind_and_activate: bool = True, server_type: str = "redis",
                 server_version: Version = (8, 0)):
        host, port = server_address
        settings: dict[str, Setting] = {"bind": socket.gethostbyname(host)}
        if port:
            settings["port"] = port
        self.server_address = host, port        # once it listens, with the port that it has
        self._over = threading.Event()
        self.fake_server = FakeServer.of(Server(**settings))
        if bind_and_activate:
            self.server_bind()

    def server_bind(self) -> None:
        """Listen. Clients are served from now on. Errors: ServerError, if the port is in use."""
        self.server_address = self.server_address[0], self.fake_server.started().port

    def server_activate(self) -> None:
        """It listens already."""

    def serve_forever(self, poll_interval: float = 0.5) -> None:
        """Returns after shutdown()."""
        self._over.wait()

    def shutdown(self) -> None:
        """Have serve_forever() return, and serve nobody any more."""
        self._over.set()
        self.fake_server.server.stop()

    def server_close(self) -> None:
        """Leave nothing behind."""
        self.fake_server.server.stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 where: TracebackType | None) -> None:
        self.shutdown()


def end_aside(server: Server) -> None:
    """Stop a server from where garbage is collected: that may be its own thread, which would wait for itself."""
    threading.Thread(target=server.stop, name="fastredis-end").start()


def version_of(version: Version) -> tuple[int, ...]:
    if isinstance(version, tuple):
        return version
    return tuple(map(int, str(version).split(".")))


def name_of(name: Any) -> str:
    return (name.decode() if isinstance(name, bytes) else str(name)).replace("-", "_")


def place_of(options: dict[str, Any]) -> str | None:
    """What tells the server of a client from others; None: it is to have one of its own."""
    path = options.get("unix_socket_path") or options.get("path")
    if path or options.get("host"):
        return str(path or f"{options['host']}:{options.get('port') or 6379}")
    return None


def server_of(server: FakeServer | None, options: dict[str, Any], version: Version, server_type: str) -> FakeServer:
    """The server for a client with these options."""
    place = place_of(options)
    if server is None and place is not None:
        return FakeServer.get_server(place, version, server_type)
    return server or FakeServer(version, server_type)
