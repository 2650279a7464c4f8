"""AsyncServer, a server on the caller's event loop; Server, one on a thread and a loop of its own.

    Server --thread--> AsyncServer --> fastredis.server.Server --> Engine
                            `--Gate--> LocalClient ------------------^
"""

import asyncio
import atexit
import contextlib
import os
import shutil
import tempfile
import threading
from abc import abstractmethod
from collections import deque
from collections.abc import Callable, Coroutine
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar
from urllib.parse import quote as url_quote

from fastredis.config.config import Config, ConfigError, FatalConfigError
from fastredis.embed.clock import Clock
from fastredis.embed.db import Db
from fastredis.embed.declaring import Declaring, extensions_of
from fastredis.embed.errors import FastredisError, ServerError, SettingError
from fastredis.embed.events import Event, Events, EventStream, Subscription
from fastredis.embed.extensions import Extensions
from fastredis.embed.faults import Faults
from fastredis.embed.function_modules import load_modules
from fastredis.embed.gate import Gate
from fastredis.embed.local import LocalClient
from fastredis.embed.settings import DEFAULTS, Setting, config_of, text_of
from fastredis.embed.shared_loop import SharedLoop
from fastredis.embed.snapshots import Snapshot, dump_rdb, load_rdb
from fastredis.host.logs import Logger
from fastredis.host.sockets import bind_tcp, sockname
from fastredis.host.surroundings import Surroundings
from fastredis.server import Server as Shell
from fastredis.text import to_bytes, to_text

LOG_LINES = 200
SOCKET_NAME = "fastredis.sock"
PORTS_TRIED = 5
T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., Any])


class TailLogger(Logger):
    """Keeps the end of the log; it goes to a file only if `logfile` names one."""

    def __init__(self, config: Config):
        super().__init__(config)
        self.lines: deque[str] = deque(maxlen=LOG_LINES)

    def tail(self) -> str:
        return "".join(self.lines)

    def _put(self, line: bytes) -> None:
        self.lines.append(to_text(line))
        if self._config["logfile"]:
            super()._put(line)


class Inside(Surroundings):
    """The caller's process. is_ready: done when the server is."""

    def __init__(self, loop: asyncio.AbstractEventLoop):
        self.is_ready: asyncio.Future[None] = loop.create_future()

    def ready(self) -> None:
        if not self.is_ready.done():
            self.is_ready.set_result(None)


class Embedded(Declaring):
    """What is told of an embedded server, and asked of it, while it runs."""

    @property
    @abstractmethod
    def _running(self) -> Shell:
        """Errors: FastredisError if it does not run."""

    @property
    @abstractmethod
    def engine(self) -> LocalClient:
        """The engine itself, as a client in this process: engine.execute("SET", "key", 1), engine.clock.

        A Server's may be used by all threads, an AsyncServer's on its event loop. Errors: FastredisError if it does not
        run.
        """

    @property
    def clock(self) -> Clock:
        """The engine's time, which a test may hold and move."""
        return self.engine.clock

    @property
    def faults(self) -> Faults:
        """What a test has commands meet: errors, delays, lost connections."""
        return Faults(self.engine)

    def db(self, database: int = 0, decode: bool = False) -> Db:
        """A database as a mapping. decode: text comes as str."""
        return Db(self.engine, database, decode)

    @property
    def config(self) -> Config:
        """The settings, as they are now: config["maxmemory"]."""
        return self._running.config

    @property
    def port(self) -> int:
        """The TCP port; 0: there is none."""
        return int(self.config["port"])

    @property
    def metrics_url(self) -> str | None:
        """Where Prometheus finds the metrics; None: they are not offered."""
        port = self.config["metrics-port"]
        return f"http://127.0.0.1:{port}/metrics" if port else None

    @property
    def tls_port(self) -> int:
        """The TCP port with TLS; 0: there is none."""
        return int(self.config["tls-port"])

    @property
    def unix_path(self) -> str | None:
        """The path of the unix socket; None: there is none."""
        return self.config["unixsocket"] or None

    @property
    def url(self) -> str:
        """A URL that every client takes: of the TCP port, else of that with TLS, or else of the unix socket."""
        if not self.port and self.tls_port:
            return f"rediss://{self._credentials()}127.0.0.1:{self.tls_port}/0"
        if not self.port:
            return self.unix_url
        return f"redis://{self._credentials()}127.0.0.1:{self.port}/0"

    @property
    def unix_url(self) -> str:
        """The URL of the unix socket. Errors: FastredisError if there is none."""
        if self.unix_path is None:
            raise FastredisError("the server has no unix socket")
        return f"unix://{self._credentials()}{url_quote(self.config['dir'].absolute(self.unix_path))}"

    def _credentials(self) -> str:
        password = self.config["requirepass"]
        return f":{url_quote(to_bytes(password), safe='')}@" if password else ""

    def set(self, **settings: Setting) -> None:
        """Change settings, as CONFIG SET does. Errors: SettingError, and none of them is changed."""
        try:
            self.config.set_many([(name.replace("_", "-"), text_of(value)) for name, value in settings.items()],
                                 local=True)
        except ConfigError as error:
            raise SettingError(str(error)) from None

    def client(self, **options: Any) -> Any:
        """A redis.Redis of it. Errors: ImportError without the package `redis`."""
        import redis

        return redis.Redis.from_url(self.url, **options)

    def async_client(self, **options: Any) -> Any:
        """A redis.asyncio.Redis of it. Errors: ImportError without the package `redis`."""
        import redis.asyncio

        return redis.asyncio.Redis.from_url(self.url, **options)

    def valkey_client(self, **options: Any) -> Any:
        """A valkey.Valkey of it. Errors: ImportError without the package `valkey`."""
        import valkey

        return valkey.Valkey.from_url(self.url.replace("redis:", "valkey:", 1), **options)

    # --- states of the data -------------------------------------------------------------

    def snapshot(self) -> Snapshot:
        """The data as they are now, to go back to: all databases with their deadlines, and libraries of functions.

        Errors: FastredisError with an append-only file or replicas, which follow the data step by step.
        """
        return Snapshot(self.engine)

    def restore(self, snapshot: Snapshot) -> None:
        """Make the data what they were when the snapshot was made; the time goes on, and with it deadlines.

        Transactions that watch a key which becomes another one will fail, and who waits for a key that comes is served.
        Errors: FastredisError if it is closed, or of another server; as snapshot(); while a save without a fork runs.
        """
        if not snapshot.belongs_to(self.engine):
            raise FastredisError("the snapshot is of another server, or of one that has been stopped since")
        snapshot.restore(self.engine)

    def load_rdb(self, path: str | os.PathLike[str]) -> None:
        """Put the data of an RDB file in the place of all there are, libraries of functions included.

        Nobody is served meanwhile. Errors: FastredisError of the file, or as snapshot(); OSError. All is as it was.
        """
        self.engine.call(load_rdb, self.engine.engine, path)

    def dump_rdb(self, path: str | os.PathLike[str]) -> None:
        """Write all data to an RDB file, which appears whole or not at all. Nobody is served meanwhile.

        Errors: OSError.
        """
        self.engine.call(dump_rdb, self.engine.engine, path)

    # --- what the program adds ----------------------------------------------------------

    def on(self, event: str, function: Callable[[Event], object], /) -> Subscription:
        """Call a function for each event of that name ("expired", "set"; "*": all) -> to be closed.

        It is called at the end of the turn in which it happened, by whichever thread that is; it may use the engine.
        Without a subscriber there is no cost. notify-keyspace-events does not matter.
        """
        return Subscription(self._events, event, function)

    def events(self, event: str = "*") -> EventStream:
        """The same for `async for`, on any event loop."""
        return EventStream(self._events, event)

    @property
    @abstractmethod
    def _events(self) -> Events:
        """Who hears of the engine's keys."""

    def _declare(self, declare: Callable[[Extensions], None]) -> None:
        engine = self._running.engine
        self.engine.call(lambda: declare(extensions_of(engine)))


class AsyncServer(Embedded):
    """A server on the caller's event loop, for `async with`. Settings are redis.conf's, with `_` for `-`.

        async with fastredis.AsyncServer(maxmemory="100mb") as server:
            client = redis.asyncio.Redis.from_url(server.url)

    Without settings it keeps nothing on disk, and listens on a free port of 127.0.0.1 and on a unix socket in a
    temporary directory, which goes with it. port=0: no TCP; unixsocket=None: no unix socket. Its data are in `dir`, if
    that is given, under the names that redis-server uses. on_fatal(text, is_bug) is called when going on would do harm,
    and must not return; without it the process ends then, as redis-server does. seed: an integer, from which random
    choices follow (SPOP, SRANDMEMBER, RANDOMKEY, eviction ...), so that a test can be repeated; what is in a large set
    has its order from PYTHONHASHSEED as well. metrics: offer metrics for Prometheus on a free port (metrics_url), which
    needs the package prometheus-client; metrics_port= is the port of one's choice.

    Errors: SettingError; ServerError.
    """

    def __init__(self, *, on_fatal: Callable[[str, bool], None] | None = None, seed: int | None = None,
                 metrics: bool = False, **settings: Setting):
        self._settings = {**DEFAULTS, **settings}
        self._on_fatal = on_fatal
        self._directory: str | None = None
        self._task: asyncio.Task[int] | None = None
        self._shell: Shell | None = None
        self._log: TailLogger | None = None
        self._gate: Gate | None = None          # who may call the engine; None: this loop's thread
        self._local: LocalClient | None = None
        self._told: Events | None = None
        self._seed = seed
        self._metrics = metrics
        config_of({name: value for name, value in self._settings.items() if name != "dir"})    # wrong ones raise here

    # --- life ---------------------------------------------------------------------------

    @property
    def is_running(self) -> bool:
        return self._task is not None and not self._task.done()

    async def start(self) -> Self:
        """Load the data, and listen. A server that has been stopped may be started again."""
        if self._task is not None:
            raise FastredisError("the server runs already")
        self._gate = self._gate or Gate()
        self._directory = tempfile.mkdtemp(prefix="fastredis-")
        settings: dict[str, Setting] = {"dir": self._directory,
                                        "unixsocket": str(Path(self._directory, SOCKET_NAME)), **self._settings}
        async with contextlib.AsyncExitStack() as failing:
            failing.push_async_callback(self._clear)
            missing = ([] if "port" in settings else ["port"]) + (["metrics_port"] if self._metrics else [])
            await self._run_on_free_ports(settings, missing)
            failing.pop_all()
        return self

    async def _run_on_free_ports(self, settings: dict[str, Setting], names: list[str]) -> None:
        """These settings are free ports. Somebody else may be quicker to take one: then others are tried."""
        for tries in range(PORTS_TRIED if names else 1, 0, -1):
            with contextlib.ExitStack() as probing:
                probes = [probing.enter_context(bind_tcp("127.0.0.1", 0, 1)) for _ in names]
                ports = {name: sockname(probe)[1] for name, probe in zip(names, probes, strict=True)}
            try:
                return await self._run({**settings, **ports})
            except ServerError as error:
                if "Failed listening on port" not in error.log or tries == 1:
                    raise
                await self._end()

    async def _run(self, settings: dict[str, Setting]) -> None:
        loop = asyncio.get_running_loop()
        config = config_of(settings)
        self._log = TailLogger(config)
        self._log.started()
        config.warn = self._log.warning
        around = Inside(loop)
        try:
            self._shell = Shell(config, self._log, loop, around, self._on_fatal)
            load_modules(self._shell.engine)
        except FatalConfigError as error:
            raise SettingError(f"{error.line_text or 'settings'}: {error.reason}") from None
        if self._seed is not None:
            self._shell.engine.seed(self._seed)
        self._task = loop.create_task(self._shell.main())
        await asyncio.wait((self._task, around.is_ready), return_when=asyncio.FIRST_COMPLETED)
        if not around.is_ready.done():
            around.is_ready.cancel()
            raise ServerError("the server could not start", self._log.tail()) from self._task.exception()

    async def stop(self) -> None:
        """End the service as SHUTDOWN does: with `save` points the data are saved. Nothing is left but their files."""
        if self._shell is not None and self.is_running:
            self._shell.engine.service.request(now=True, force=True)
        await self._clear()

    async def wait_closed(self) -> None:
        """Wait until the service ends, by stop() or by a client's SHUTDOWN."""
        if self._task is not None:
            await asyncio.shield(self._task)

    async def _end(self) -> None:
        """Leave nothing on the loop. What stop() has not ended, as it is still starting, ends without saving."""
        task, shell, self._task, self._shell = self._task, self._shell, None, None
        if shell is None:
            return
        if task is not None:
            if not task.done() and not shell.engine.ending:
                shell.engine.service.end_service(0)
            await asyncio.gather(task, return_exceptions=True)
        await shell.close()
        shell.config["dir"].close()         # of which garbage collection may think late

    async def _clear(self) -> None:
        try:
            await self._end()
        finally:
            if self._told is not None:
                self._told.end()
            self._told = self._local = None
            self._gate = None               # the next start may be on another loop's thread
            directory, self._directory = self._directory, None
            if directory is not None:
                shutil.rmtree(directory, ignore_errors=True)

    async def __aenter__(self) -> Self:
        return await self.start()

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None,
                        where: TracebackType | None) -> None:
        await self.stop()

    @property
    def engine(self) -> LocalClient:
        local = self._local
        if local is None or local.is_closed:
            local = self._local = LocalClient(self._gate, self._running.engine)
        return local

    @property
    def _events(self) -> Events:
        if self._told is None or not self._told.is_of(self.engine):
            self._told = Events(self.engine)
        return self._told

    @property
    def _running(self) -> Shell:
        if self._shell is None:
            raise FastredisError("the server does not run")
        return self._shell

    @property
    def log(self) -> str:
        """The end of the log."""
        return self._log.tail() if self._log is not None else ""


class Server(Embedded):
    """A server on a thread and an event loop of its own, for `with`; else as AsyncServer.

        with fastredis.Server() as server:
            server.client().set("key", "value")

    It is stopped, at the latest, when the program ends. Errors: SettingError; ServerError.
    """

    def __init__(self, *, on_fatal: Callable[[str, bool], None] | None = None, seed: int | None = None,
                 metrics: bool = False, **settings: Setting):
        self._server = AsyncServer(on_fatal=on_fatal, seed=seed, metrics=metrics, **settings)
        self._loop: SharedLoop | None = None
        self._thread: threading.Thread | None = None
        self._changing = threading.Lock()           # it is being started or stopped
        self._pid = 0                               # the process in which it was started

    @property
    def is_running(self) -> bool:
        return self._server.is_running and not self.is_elsewhere

    @property
    def _is_inside(self) -> bool:
        """Whether this thread is the loop's, or one that it has let in and waits for."""
        return self._loop is not None and not self.is_elsewhere and self._loop.gate.is_inside

    @property
    def is_elsewhere(self) -> bool:
        """Whether this is a child of the process that it was started in, and may run in."""
        return self._thread is not None and self._pid != os.getpid()

    def start(self) -> Self:
        """Returns when it listens. A server that has been stopped may be started again."""
        with self._changing:
            if self._thread is not None:
                raise FastredisError("the server runs already")
            self._pid = os.getpid()
            self._loop = SharedLoop()
            self._server._gate = self._loop.gate
            self._thread = threading.Thread(target=self._serve, args=(self._loop,), name="fastredis", daemon=True)
            self._thread.start()
            with contextlib.ExitStack() as failing:
                failing.callback(self._join)
                self._wait_for(self._server.start())
                failing.pop_all()
            atexit.register(self.stop)
        return self

    def stop(self) -> None:
        """Returns when nothing is left of it but its files. With `save` points the data are saved, as by SHUTDOWN."""
        if self.is_elsewhere:
            return                      # its thread is not here
        self._check_outside()
        with self._changing:
            if self._thread is not None:
                atexit.unregister(self.stop)
                try:
                    self._wait_for(self._server.stop())
                finally:
                    self._join()

    def wait_closed(self) -> None:
        """Wait until the service ends, by stop() in another thread or by a client's SHUTDOWN."""
        self._wait_for(self._server.wait_closed())

    def call(self, function: Callable[..., T], *args: Any) -> T:
        """Call a function on the server's loop, where its engine may be used -> what it returns."""
        if self._is_inside:
            return function(*args)

        async def run() -> T:
            return function(*args)

        return self._wait_for(run())

    def set(self, **settings: Setting) -> None:
        self.call(lambda: self._server.set(**settings))

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 where: TracebackType | None) -> None:
        self.stop()

    @property
    def engine(self) -> LocalClient:
        return self._server.engine

    @property
    def _events(self) -> Events:
        return self._server._events

    @property
    def _running(self) -> Shell:
        return self._server._running

    @property
    def log(self) -> str:
        """The end of the log."""
        return self._server.log

    def _check_outside(self) -> None:
        if self._is_inside:
            raise FastredisError("this call comes from inside of the server, which would wait for itself")

    def _wait_for(self, work: Coroutine[Any, Any, T]) -> T:
        if self._loop is None or self.is_elsewhere:
            work.close()
            raise FastredisError("this is a child of the process that the server runs in: it can't be used here"
                                 if self._loop is not None else "the server does not run")
        try:
            self._check_outside()
        except FastredisError:
            work.close()
            raise
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    @staticmethod
    def _serve(loop: SharedLoop) -> None:
        """The thread."""
        loop.gate.settle()
        asyncio.set_event_loop(loop)
        try:
            loop.run_forever()
        finally:
            loop.run_until_complete(loop.shutdown_asyncgens())
            loop.close()
            loop.gate.open()

    def _join(self) -> None:
        if self._loop is not None and self._thread is not None:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
        self._loop = self._thread = None
