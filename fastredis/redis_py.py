"""redis-py's clients without sockets: the engine in this process answers them.

    Redis, AsyncRedis             redis.Redis and redis.asyncio.Redis. A command is a call of the engine; pipelines
                                  that watch, subscriptions and MONITOR go through a
    Connection, AsyncConnection   for redis-py's pools: ConnectionPool(connection_class=Connection, server=...)

`server`: a fastredis.Server, a fastredis.AsyncServer on whose loop this is used, or the name of a server of
fastredis.url(). What redis-py's classes take besides is taken and kept, but what only a socket has is ignored.
The package `redis` has to be installed: fastredis-server[client].
"""

import asyncio
import contextlib
import functools
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
TIMEOUT = "Timeout reading from the engine"
OF_SOCKETS = ("host", "port", "path", "unix_socket_path", "ssl", "socket_keepalive", "socket_keepalive_options",
              "socket_type", "socket_read_size", "parser_class", "command_packer", "cache", "cache_config",
              "auto_close_connection_pool")
WITH_ERRORS = frozenset(["EVAL", "EVALSHA", "EVAL_RO", "EVALSHA_RO", "FCALL", "FCALL_RO", "EXEC"])     # in their lists
OF_DRIVER = ("driver_info", "lib_name", "lib_version")
# Commands that need a connection, as more comes back than one answer, or another one afterwards.
SPECIAL = ("HIMPORT", "SUBSCRIBE", "PSUBSCRIBE", "SSUBSCRIBE", "UNSUBSCRIBE", "PUNSUBSCRIBE", "SUNSUBSCRIBE", "MONITOR",
           "HELLO", "RESET", "QUIT", "CLIENT TRACKING", "CLIENT CACHING", "CLIENT REPLY")


def engine_of(server: AnyServer) -> LocalClient:
    return named(server).engine if isinstance(server, str) else server.engine


def new_local(server: AnyServer, database: int, protocol: int, decode: bool = False) -> LocalClient:
    """A client that reads replies as redis-py's parsers do."""
    local = engine_of(server).new_client(database, protocol, decode)
    local.sets_as_lists = True
    return local


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
            if name not in OF_SOCKETS and not name.startswith(("ssl_", "maint", "oss_cluster_maint", "orig_"))
            and (name, value) != ("retry_on_error", None)}


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
                raise redis.TimeoutError(TIMEOUT)
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
            return Wire(new_local(self._server, 0, 2), self._heard.set)
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
            local = new_local(self._server, 0, 2)
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

@functools.cache
def driver_of(kind: type) -> Any:
    """How redis-py calls itself, for which it looks into what is installed; None in versions before 8."""
    return getattr(kind(), "driver_info", None)


class Way:
    """How a client's commands get to the engine when they need no connection of their own. Pipelines share it.

    All are executed by one LocalClient, as those of a redis-py in one thread are by one connection: SELECT, WATCH and
    CLIENT SETNAME mean the same. What is never decoded is asked by another one where text is decoded.
    """

    def __init__(self, pool: Any):
        self._options = options = pool.connection_kwargs
        self._kind = kind = pool.connection_class           # a program's tests may have something else there
        self.encoder = pool.get_encoder()
        self.is_open = isinstance(kind, type) and issubclass(kind, Connection | AsyncConnection)
        self._server = options.get("server", "default")
        self._database = options.get("db") or 0
        self._patience_s = options.get("socket_timeout")
        self._protocol = int(options.get("protocol") or redis.utils.DEFAULT_RESP_VERSION)
        decodes = self.encoder.decode_responses
        self._is_utf8 = self.encoder.encoding in UTF8
        # UTF-8 is decoded where replies are read.
        self.decodes_late = decodes and not (self._is_utf8 and self.encoder.encoding_errors == "strict")
        self.decodes = decodes and not self.decodes_late
        self._local: LocalClient | None = None
        self._making = threading.Lock()

    def local(self) -> LocalClient:
        """Who executes commands. Errors: redis.ConnectionError."""
        local = self._local
        return self._new_local() if local is None or local.is_closed else local

    def raw(self) -> LocalClient:
        """Who executes one command whose answer is not decoded; it is to be closed."""
        return self.local().new_client(decode=False)

    def _new_local(self) -> LocalClient:
        try:
            local = new_local(self._server, self._database, self._protocol, self.decodes)
            local.patience_s = self._patience_s
            self._introduce(local)
        except ReplyError as error:
            raise BaseParser.parse_error(str(error)) from None
        except FastredisError as error:
            raise redis.ConnectionError(str(error)) from None
        with self._making:
            kept = self._local
            if kept is None or kept.is_closed:
                kept = self._local = local
        if kept is not local:
            local.disconnect()              # another thread was quicker
        return kept

    def _introduce(self, local: LocalClient) -> None:
        """Say what redis-py's connections say first. Errors: ReplyError."""
        credentials = self._credentials()
        if credentials:
            local.execute("AUTH", *credentials)
        if self._options.get("client_name"):
            local.execute("CLIENT", "SETNAME", self._options["client_name"])
        said = {name: self._options[name] for name in OF_DRIVER if name in self._options}
        driver = driver_of(self._kind) if not said else getattr(self._kind(**said), "driver_info", None)
        if driver is not None and driver.formatted_name:
            local.execute("CLIENT", "SETINFO", "LIB-NAME", driver.formatted_name)
        if driver is not None and driver.lib_version:
            local.execute("CLIENT", "SETINFO", "LIB-VER", driver.lib_version)

    def _credentials(self) -> tuple[Any, ...]:
        """What AUTH is to be given, as redis-py's connections give it; nothing: it is not asked."""
        options = self._options
        if options.get("credential_provider") is not None:
            words = tuple(options["credential_provider"].get_credentials())
        else:
            name, password = options.get("username"), options.get("password")
            words = (name, password or "") if name else (password,) if password else ()
        return ("default", *words) if len(words) == 1 and self._protocol == 3 else words

    def request(self, args: Sequence[Any]) -> tuple[Any, ...]:
        """A command as it is executed. Errors: redis.DataError."""
        if type(args[0]) is str and " " not in args[0] and self._is_utf8 and PLAIN.issuperset(map(type, args)):
            return tuple(args)
        return request_of(args, self.encoder)

    def close(self) -> None:
        if self._local is not None:
            with contextlib.suppress(FastredisError):
                self._local.disconnect()

    def __del__(self) -> None:
        if hasattr(self, "_local"):
            self.close()


class Direct:
    """What the clients and their pipelines have in common: what becomes of replies."""

    _way: Way
    _caches = False                     # what was read is kept by redis-py, whose connections know how

    def _finish(self, value: Any, name: Any, options: dict[str, Any]) -> Any:
        """A reply as the caller is to have it."""
        if self._way.decodes_late and redis.client.NEVER_DECODE not in options:
            value = value_of(value, self._way.encoder)
        elif type(value) is list and name in WITH_ERRORS:
            value = value_of(value)
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

    def _failed(self, error: FastredisError | TimeoutError, options: dict[str, Any]) -> Any:
        """What a command's error is to the caller: an exception, or a value that the command has for it."""
        if isinstance(error, TimeoutError):
            raise redis.TimeoutError(TIMEOUT) from None
        if not isinstance(error, ReplyError):
            raise redis.ConnectionError(str(error)) from None
        if redis.client.EMPTY_RESPONSE in options:
            return options[redis.client.EMPTY_RESPONSE]
        raise BaseParser.parse_error(str(error)) from None

    def _needs_connection(self, name: Any) -> bool:
        return not self._way.is_open or self.connection is not None or self._caches or (
            not isinstance(name, str) or name.upper().startswith(SPECIAL))

    def _can_batch(self) -> bool:
        """Whether a pipeline's commands need no connection of their own."""
        return self._way.is_open and self.connection is None and not self.watching and not any(
            not isinstance(args[0], str) or args[0].upper().startswith(SPECIAL)
            or (self._way.decodes and redis.client.NEVER_DECODE in options) or redis.client.EMPTY_RESPONSE in options
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
        pool = connection_pool or redis.ConnectionPool(connection_class=Connection, server=server, **options)
        self._way = Way(pool)
        self._caches = pool.cache is not None
        super().__init__(connection_pool=pool, single_connection_client=single_connection_client)
        self.auto_close_connection_pool = connection_pool is None

    def execute_command(self, *args: Any, **options: Any) -> Any:
        if self._needs_connection(args[0]):
            return super().execute_command(*args, **options)
        request = self._way.request(args)
        try:
            if self._way.decodes and redis.client.NEVER_DECODE in options:
                with self._way.raw() as local:
                    value = local.execute(*request)
            else:
                value = self._way.local().execute(*request)
        except (FastredisError, TimeoutError) as error:
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
        except (ClosedError, TimeoutError) as error:
            return self._failed(error, {})
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
            if self._way.decodes and redis.client.NEVER_DECODE in options:
                with self._way.raw() as local:
                    value = await local.aexecute(*request)
            else:
                value = await self._way.local().aexecute(*request)
        except (FastredisError, TimeoutError) as error:
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
        except (ClosedError, TimeoutError) as error:
            return self._failed(error, {})
        finally:
            await self.reset()


def connect(server: AnyServer = "default", **options: Any) -> Redis:
    """A redis.Redis whose commands are function calls: of a server, or of the one of that name, started if need be."""
    return Redis(server, **options)


def aconnect(server: AnyServer = "default", **options: Any) -> AsyncRedis:
    """A redis.asyncio.Redis whose commands are function calls."""
    return AsyncRedis(server, **options)
