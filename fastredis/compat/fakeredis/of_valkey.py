"""fakeredis's classes of valkey-py's clients: they reach the engine by its unix socket.

The package `valkey` has to be installed.
"""

from typing import Any, Self

import valkey
import valkey.asyncio
import valkey.connection

from fastredis.compat.fakeredis.clients import positions
from fastredis.compat.fakeredis.servers import FakeServer, Version, server_of
from fastredis.embed.errors import FastredisError

OF_PLACE = ("host", "port", "path", "unix_socket_path", "ssl", "socket_keepalive", "socket_keepalive_options")


class ToServer:
    """A connection that looks for its server when it connects."""

    def __init__(self, server: FakeServer, **options: Any):
        self._server = server
        super().__init__(**options)

    def _find(self) -> None:
        try:
            self._server.check_connected()
            self.path = self._server.started().unix_path
        except FastredisError as error:
            raise valkey.ConnectionError(str(error)) from None


class FakeValkeyConnection(ToServer, valkey.connection.UnixDomainSocketConnection):
    def _connect(self) -> Any:
        self._find()
        return super()._connect()


class FakeAsyncValkeyConnection(ToServer, valkey.asyncio.UnixDomainSocketConnection):
    async def _connect(self) -> None:
        self._find()
        await super()._connect()


class FakeValkeyMixin:
    """What is not valkey-py's of the arguments: see FakeRedisMixin."""

    _kind: type = valkey.Valkey
    _pool: Any = valkey.ConnectionPool
    _connection: type = FakeValkeyConnection

    def __init__(self, *args: Any, server: FakeServer | None = None, version: Version = (7,),
                 server_type: str = "valkey", lua_modules: set[str] | None = None, connected: bool | None = None,
                 connection_pool: Any = None, single_connection_client: bool = False, **options: Any):
        if server_type != "valkey":
            raise ValueError("server_type must be valkey")
        options.update(zip(positions(self._kind), args, strict=False))
        if connection_pool is None:
            server = server_of(server, options, version, server_type)
            if connected is not None and issubclass(self._kind, valkey.asyncio.Valkey):
                server.connected = connected
            kept = {name: value for name, value in options.items() if name not in OF_PLACE}
            connection_pool = self._pool(connection_class=self._connection, server=server, **kept)
        super().__init__(connection_pool=connection_pool, single_connection_client=single_connection_client)

    @classmethod
    def from_url(cls, url: str, **options: Any) -> Self:
        where = valkey.connection.parse_url(url)
        where.pop("connection_class", None)
        return cls(**{**options, **where})


class FakeValkey(FakeValkeyMixin, valkey.Valkey):
    """A valkey.Valkey of an engine in this process."""


class FakeStrictValkey(FakeValkey):
    """The same, as in valkey-py."""


class FakeAsyncValkey(FakeValkeyMixin, valkey.asyncio.Valkey):
    """A valkey.asyncio.Valkey of an engine in this process."""

    _kind = valkey.asyncio.Valkey
    _pool = valkey.asyncio.ConnectionPool
    _connection = FakeAsyncValkeyConnection
