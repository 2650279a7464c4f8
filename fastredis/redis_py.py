"""redis-py's clients without sockets: the engine in this process answers them.

    Redis, AsyncRedis             redis.Redis and redis.asyncio.Redis. A command is a call of the engine; what belongs
                                  to a connection (WATCH, subscriptions, MONITOR) goes through a
    Connection, AsyncConnection   for redis-py's pools: ConnectionPool(connection_class=Connection, server=...)

`server`: a fastredis.Server, a fastredis.AsyncServer on whose loop this is used, or the name of a server of
fastredis.url(). What redis-py's classes take besides is taken and kept, but what only a socket has is ignored.
The package `redis` has to be installed: fastredis-server[client].
"""

import asyncio
import contextlib
import threading
from collections.abc import Iterable, Sequence
from typing import Any, TypeAlias

import redis
import redis.asyncio
import redis.asyncio.client
import redis.asyncio.connection
import redis.client
import redis.connection
from redis._parsers.base import (
    AsyncBaseParser,
    AsyncPushNotificationsParser,
    BaseParser,
    PushNotificationsParser,
)

from fastredis.embed.errors import ClosedError, FastredisError, ReplyError
from fastredis.embed.local import LocalClient
from fastredis.embed.named import named
from fastredis.embed.reading import Push
from fastredis.embed.server import AsyncServer, Server

AnyServer: TypeAlias = Server | AsyncServer | str
PLAIN = frozenset([bytes, str, int, float])             # arguments that are taken as they are
UTF8 = ("utf-8", "utf8")
CLOSED = "Connection closed by server."
OF_SOCKETS = ("host", "port", "path", "unix_socket_path", "ssl", "socket_keepalive", "socket_keepalive_options",
              "socket_type", "socket_read_size", "parser_class", "command_packer")
SPECIAL = ("HIMPORT", "SUBSCRIBE", "PSUBSCRIBE", "SSUBSCRIBE", "UNSUBSCRIBE", "PUNSUBSCRIBE", "SUNSUBSCRIBE", "MONITOR",
           "MULTI", "EXEC", "DISCARD", "WATCH", "UNWATCH", "SELECT", "AUTH", "HELLO", "RESET", "QUIT", "CLIENT")


def engine_of(server: AnyServer) -> LocalClient:
    return named(server).engine if isinstance(server, str) else server.engine


def request_of(args: Sequence[Any], encoder: Any) -> tuple[Any, ...]:
    """A command as LocalClient takes it. Errors: redis.DataError."""
    name = args[0]
    if (" " if isinstance(name, str) else b" ") in name:
        args = (*name.split(), *args[1:])
    if encoder.encoding in UTF8 and PLAIN.issuperset(map(type, args)):
        return tuple(args)
    return tuple(map(encoder.encode, args))


def value_of(value: Any, encoder: Any = None) -> Any:
    """A reply as redis-py has it: its own errors; text decoded, if there is an encoder."""
    if isinstance(value, bytes):
        return value if encoder is None else value.decode(encoder.encoding, encoder.encoding_errors)
    if isinstance(value, ReplyError):
        return BaseParser.parse_error(str(value))
    if isinstance(value, Push):
        return Push(value_of(item, encoder) for item in value)
    if isinstance(value, list | set):
        return type(value)([value_of(item, encoder) for item in value])
    if isinstance(value, dict):
        return {value_of(name, encoder): value_of(item, encoder) for name, item in value.items()}
    return value


def without_sockets(options: dict[str, Any]) -> dict[str, Any]:
    """What a connection without a socket keeps of the options for one with a socket."""
    return {name: value for name, value in options.items()
            if name not in OF_SOCKETS and not name.startswith(("ssl_", "maint", "oss_cluster_maint", "orig_"))}


class Wire:
    """What a connection has in place of a socket or a stream: requests go in, values come out.

    told: called, maybe in another thread, when something has arrived.
    """

    def __init__(self, local: LocalClient, told: Any):
        self.local = local
        local.told = told

    def sendall(self, request: tuple[Any, ...]) -> None:
        try:
            self.local.submit(*request)
        except FastredisError as error:
            raise ConnectionResetError(str(error)) from None

    def writelines(self, requests: Iterable[tuple[Any, ...]]) -> None:
        for request in requests:
            self.sendall(request)

    async def drain(self) -> None:
        """Nothing waits."""

    def settimeout(self, seconds: float | None) -> None:
        """There is nothing to wait for but answers."""

    def shutdown(self, how: int) -> None:
        """close() does it all."""

    def close(self) -> None:
        self.local.told = None
        with contextlib.suppress(FastredisError):
            self.local.disconnect()

    async def wait_closed(self) -> None:
        """It is."""

    @property
    def has_something(self) -> bool:
        """Whether a value is there. Errors: redis.ConnectionError, if none will ever be."""
        if self.local.arrived:
            return True
        if self.local.is_closed:
            raise redis.ConnectionError(CLOSED)
        return False


class Packer:
    """What redis-py has make bytes of a command; here it stays what it is."""

    def __init__(self, encoder: Any):
        self._encoder = encoder

    def pack(self, *args: Any) -> list[tuple[Any, ...]]:
        return [request_of(args, self._encoder)]


# --- connections ------------------------------------------------------------------------------

class Parser(BaseParser, PushNotificationsParser):
    """Reads what has arrived."""

    def __init__(self, socket_read_size: int = 0):
        self.pubsub_push_handler_func = self.handle_pubsub_push_response
        self.node_moving_push_handler_func = None
        self.maintenance_push_handler_func = None
        self.oss_cluster_maint_push_handler_func = None
        self.invalidation_push_handler_func = None
        self._wire: Wire | None = None

    def handle_pubsub_push_response(self, response: Any) -> Any:
        return response

    def on_connect(self, connection: "Connection") -> None:
        self._wire = connection._sock
        self._heard = connection._heard
        self._encoder = connection.encoder
        self._timeout = connection.socket_timeout

    def on_disconnect(self) -> None:
        self._wire = None

    def can_read(self, timeout: float | None = 0) -> bool:
        return self._wait(timeout)

    def _wait(self, timeout: float | None) -> bool:
        """Wait until something is there; False: in vain."""
        while True:
            self._heard.clear()
            if self._wire is None:
                raise redis.ConnectionError(CLOSED)
            if self._wire.has_something:
                return True
            if timeout == 0 or not self._heard.wait(timeout):
                return False

    def read_response(self, disable_decoding: bool = False, push_request: bool = False,
                      timeout: Any = redis.connection.SENTINEL) -> Any:
        while True:
            if not self._wait(self._timeout if timeout is redis.connection.SENTINEL else timeout):
                raise redis.TimeoutError("Timeout reading from the engine")
            decodes = self._encoder.decode_responses and not disable_decoding
            value = value_of(self._wire.local.read(), self._encoder if decodes else None)
            if not isinstance(value, Push):
                return value
            value = self.handle_push_response(value)
            if push_request:
                return value


class Connection(redis.connection.AbstractConnection):
    """A connection of redis-py to an engine in this process, for its pools."""

    def __init__(self, server: AnyServer = "default", **options: Any):
        self._server = server
        self._heard = threading.Event()
        super().__init__(**without_sockets(options), parser_class=Parser)
        self._command_packer = Packer(self.encoder)
        self.host, self.port = "in-process", 0

    host = port = None                  # of redis-py's base they are properties of a socket's address

    def repr_pieces(self) -> list[tuple[str, Any]]:
        return [("server", self._server), ("db", self.db)]

    def _connect(self) -> Wire:
        try:
            return Wire(engine_of(self._server).new_client(database=0, protocol=2, decode=False), self._heard.set)
        except FastredisError as error:
            raise ConnectionRefusedError(str(error)) from None

    def _host_error(self) -> str:
        return "the engine"

    def pack_commands(self, commands: Iterable[Sequence[Any]]) -> list[tuple[Any, ...]]:
        return [request_of(args, self.encoder) for args in commands]


class AsyncParser(AsyncBaseParser, AsyncPushNotificationsParser):
    """The same on an event loop."""

    def __init__(self, socket_read_size: int = 0):
        super().__init__(socket_read_size=socket_read_size)
        self.pubsub_push_handler_func = self.handle_pubsub_push_response
        self.node_moving_push_handler_func = None
        self.maintenance_push_handler_func = None
        self.oss_cluster_maint_push_handler_func = None
        self.invalidation_push_handler_func = None
        self._wire: Wire | None = None

    async def handle_pubsub_push_response(self, response: Any) -> Any:
        return response

    def on_connect(self, connection: "AsyncConnection") -> None:
        self._wire = connection._writer
        self._heard = connection._heard
        self._encoder = connection.encoder

    def on_disconnect(self) -> None:
        self._wire = None

    async def can_read_destructive(self) -> bool:
        return await self.can_read()

    async def can_read(self) -> bool:
        if self._wire is None:
            raise redis.ConnectionError(CLOSED)
        return self._wire.has_something

    async def read_response(self, disable_decoding: bool = False, push_request: bool | None = False) -> Any:
        while True:
            self._heard.clear()
            if not await self.can_read():
                await self._heard.wait()
                continue
            decodes = self._encoder.decode_responses and not disable_decoding
            value = value_of(self._wire.local.read(), self._encoder if decodes else None)
            if not isinstance(value, Push):
                return value
            value = await self.handle_push_response(value)
            if push_request:
                return value


class AsyncConnection(redis.asyncio.connection.AbstractConnection):
    """A connection of redis-py's asyncio half to an engine in this process, for its pools."""

    def __init__(self, server: AnyServer = "default", **options: Any):
        self._server = server
        super().__init__(**without_sockets(options), parser_class=AsyncParser)

    host, port = "in-process", 0

    def repr_pieces(self) -> list[tuple[str, Any]]:
        return [("server", self._server), ("db", self.db)]

    async def _connect(self) -> None:
        loop = asyncio.get_running_loop()
        heard = self._heard = asyncio.Event()

        def tell() -> None:
            with contextlib.suppress(RuntimeError):     # the loop is closed
                loop.call_soon_threadsafe(heard.set)

        try:
            local = engine_of(self._server).new_client(database=0, protocol=2, decode=False)
        except FastredisError as error:
            raise ConnectionRefusedError(str(error)) from None
        self._reader = self._writer = Wire(local, tell)

    def _host_error(self) -> str:
        return "the engine"

    def pack_command(self, *args: Any) -> list[tuple[Any, ...]]:
        return [request_of(args, self.encoder)]

    def pack_commands(self, commands: Iterable[Sequence[Any]]) -> list[tuple[Any, ...]]:
        return [request_of(args, self.encoder) for args in commands]


# --- clients ----------------------------------------------------------------------------------

class Way:
    """How a client's commands get to the engine when they need no connection of their own. Pipelines share it."""

    def __init__(self, pool: Any):
        options = pool.connection_kwargs
        self.encoder = pool.get_encoder()
        self.is_open = issubclass(pool.connection_class, Connection | AsyncConnection)
        self._server = options.get("server", "default")
        self._database = options.get("db") or 0
        self._protocol = int(options.get("protocol") or redis.utils.DEFAULT_RESP_VERSION)
        decodes = self.encoder.decode_responses
        self._is_utf8 = self.encoder.encoding in UTF8
        # UTF-8 is decoded where replies are read.
        self.decodes_late = decodes and not (self._is_utf8 and self.encoder.encoding_errors == "strict")
        self._decodes = decodes and not self.decodes_late
        self._locals: dict[bool, LocalClient] = {}          # by whether they decode
        self._making = threading.Lock()

    def local(self, never_decode: bool = False) -> LocalClient:
        """Who executes commands. Errors: redis.ConnectionError."""
        decode = self._decodes and not never_decode
        local = self._locals.get(decode)
        return self._new_local(decode) if local is None or local.is_closed else local

    def _new_local(self, decode: bool) -> LocalClient:
        try:
            local = engine_of(self._server).new_client(self._database, self._protocol, decode)
        except FastredisError as error:
            raise redis.ConnectionError(str(error)) from None
        with self._making:
            kept = self._locals.get(decode)
            if kept is None or kept.is_closed:
                kept = self._locals[decode] = local
        if kept is not local:
            local.disconnect()              # another thread was quicker
        return kept

    def request(self, args: Sequence[Any]) -> tuple[Any, ...]:
        """A command as it is executed. Errors: redis.DataError."""
        if type(args[0]) is str and " " not in args[0] and self._is_utf8 and PLAIN.issuperset(map(type, args)):
            return tuple(args)
        return request_of(args, self.encoder)

    def close(self) -> None:
        for local in list(self._locals.values()):
            with contextlib.suppress(FastredisError):
                local.disconnect()

    def __del__(self) -> None:
        if hasattr(self, "_locals"):
            self.close()


class Direct:
    """What the clients and their pipelines have in common: what becomes of replies."""

    _way: Way

    def _finish(self, value: Any, name: Any, options: dict[str, Any]) -> Any:
        """A reply as the caller is to have it."""
        if self._way.decodes_late and redis.client.NEVER_DECODE not in options:
            value = value_of(value, self._way.encoder)
        callbacks = self.response_callbacks
        callback = dict.get(callbacks, name)
        if callback is None:
            callback = callbacks.get(name) if isinstance(name, str) and not name.isupper() else None
            if callback is None:
                return value
        if options:
            for option in ("keys", redis.client.NEVER_DECODE, redis.client.EMPTY_RESPONSE):
                options.pop(option, None)
        return callback(value, **options)

    def _failed(self, error: FastredisError, options: dict[str, Any]) -> Any:
        """What a command's error is to the caller: an exception, or a value that the command has for it."""
        if not isinstance(error, ReplyError):
            raise redis.ConnectionError(str(error)) from None
        if redis.client.EMPTY_RESPONSE in options:
            return options[redis.client.EMPTY_RESPONSE]
        raise BaseParser.parse_error(str(error)) from None

    def _needs_connection(self, name: Any) -> bool:
        return not self._way.is_open or self.connection is not None or not isinstance(name, str) or (
            name.upper().startswith(SPECIAL))

    def _can_batch(self) -> bool:
        """Whether a pipeline's commands need no connection of their own."""
        return self._way.is_open and self.connection is None and not self.watching and not any(
            not isinstance(args[0], str) or args[0].upper().startswith(SPECIAL)
            or redis.client.NEVER_DECODE in options or redis.client.EMPTY_RESPONSE in options
            for args, options in self.command_stack)

    def _finish_all(self, values: list[Any], stack: Sequence[Any], raise_on_error: bool) -> list[Any]:
        values = [BaseParser.parse_error(str(value)) if isinstance(value, ReplyError) else value for value in values]
        if raise_on_error:
            self.raise_first_error(stack, values)
        return [value if isinstance(value, redis.RedisError) else self._finish(value, args[0], options)
                for value, (args, options) in zip(values, stack, strict=True)]

    def _finish_transaction(self, values: list[Any], stack: Sequence[Any], raise_on_error: bool) -> list[Any]:
        """values: of MULTI, of the commands that are queued, and of EXEC."""
        for i, value in enumerate(values[1:-1]):
            if isinstance(value, ReplyError):
                error = BaseParser.parse_error(str(value))
                self.annotate_exception(error, i + 1, stack[i][0])
                raise error
        if isinstance(values[-1], ReplyError):
            raise BaseParser.parse_error(str(values[-1]))
        return self._finish_all(values[-1], stack, raise_on_error)


class Redis(Direct, redis.Redis):
    """A redis.Redis of an engine in this process. options: as redis-py's."""

    def __init__(self, server: AnyServer = "default", *, connection_pool: Any = None,
                 single_connection_client: bool = False, **options: Any):
        if options.get("cache") is not None or options.get("cache_config") is not None:
            raise redis.RedisError("there is no client-side caching: it needs CLIENT TRACKING")
        pool = connection_pool or redis.ConnectionPool(connection_class=Connection, server=server, **options)
        self._way = Way(pool)
        super().__init__(connection_pool=pool, single_connection_client=single_connection_client)
        self.auto_close_connection_pool = connection_pool is None

    def execute_command(self, *args: Any, **options: Any) -> Any:
        if self._needs_connection(args[0]):
            return super().execute_command(*args, **options)
        request = self._way.request(args)
        try:
            value = self._way.local(redis.client.NEVER_DECODE in options).execute(*request)
        except FastredisError as error:
            return self._failed(error, options)
        return self._finish(value, args[0], options)

    def pipeline(self, transaction: bool = True, shard_hint: Any = None) -> "Pipeline":
        pipe = Pipeline(self.connection_pool, self.response_callbacks, transaction, shard_hint)
        pipe._way = self._way
        return pipe

    def close(self) -> None:
        if hasattr(self, "_way"):
            self._way.close()
        super().close()


class Pipeline(Direct, redis.client.Pipeline):
    """A pipeline whose commands are executed in one turn of the engine."""

    execute_command = redis.client.Pipeline.execute_command

    def execute(self, raise_on_error: bool = True) -> list[Any]:
        stack = self.command_stack
        if not stack or self.scripts or not self._can_batch():
            return super().execute(raise_on_error)
        try:
            local = self._way.local()
            requests = [self._way.request(args) for args, _ in stack]
            if not (self.transaction or self.explicit_transaction):
                return self._finish_all(local.execute_all(requests), stack, raise_on_error)
            values = local.execute_all([("MULTI",), *requests, ("EXEC",)])
            return self._finish_transaction(values, stack, raise_on_error)
        except ClosedError as error:
            raise redis.ConnectionError(str(error)) from None
        finally:
            self.reset()


class AsyncRedis(Direct, redis.asyncio.Redis):
    """A redis.asyncio.Redis of an engine in this process. options: as redis-py's."""

    def __init__(self, server: AnyServer = "default", *, connection_pool: Any = None,
                 single_connection_client: bool = False, **options: Any):
        pool = connection_pool or redis.asyncio.ConnectionPool(connection_class=AsyncConnection, server=server,
                                                               **options)
        self._way = Way(pool)
        super().__init__(connection_pool=pool, single_connection_client=single_connection_client)
        self.auto_close_connection_pool = connection_pool is None

    async def execute_command(self, *args: Any, **options: Any) -> Any:
        if self.single_connection_client or self._needs_connection(args[0]):
            return await super().execute_command(*args, **options)
        request = self._way.request(args)
        try:
            value = await self._way.local(redis.client.NEVER_DECODE in options).aexecute(*request)
        except FastredisError as error:
            return self._failed(error, options)
        return self._finish(value, args[0], options)

    def pipeline(self, transaction: bool = True, shard_hint: Any = None) -> "AsyncPipeline":
        pipe = AsyncPipeline(self.connection_pool, self.response_callbacks, transaction, shard_hint)
        pipe._way = self._way
        return pipe

    def release(self) -> None:
        """Where nothing can be awaited: give up what commands have used. The pool's connections go with the object."""
        self._way.close()

    async def aclose(self, close_connection_pool: bool | None = None) -> None:
        self.release()
        await super().aclose(close_connection_pool)


class AsyncPipeline(Direct, redis.asyncio.client.Pipeline):
    """The same on an event loop."""

    execute_command = redis.asyncio.client.Pipeline.execute_command

    async def execute(self, raise_on_error: bool = True) -> list[Any]:
        stack = self.command_stack
        if not stack or self.scripts or not self._can_batch():
            return await super().execute(raise_on_error)
        try:
            local = self._way.local()
            requests = [self._way.request(args) for args, _ in stack]
            if not (self.is_transaction or self.explicit_transaction):
                return self._finish_all(await local.aexecute_all(requests), stack, raise_on_error)
            values = await local.aexecute_all([("MULTI",), *requests, ("EXEC",)])
            return self._finish_transaction(values, stack, raise_on_error)
        except ClosedError as error:
            raise redis.ConnectionError(str(error)) from None
        finally:
            await self.reset()


def connect(server: AnyServer = "default", **options: Any) -> Redis:
    """A redis.Redis whose commands are function calls: of a server, or of the one of that name, started if need be."""
    return Redis(server, **options)


def aconnect(server: AnyServer = "default", **options: Any) -> AsyncRedis:
    """A redis.asyncio.Redis whose commands are function calls."""
    return AsyncRedis(server, **options)
