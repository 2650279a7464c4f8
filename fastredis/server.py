"""The shell around one engine: listening sockets, and who may connect.

Start order: configuration (cli), threads, listening sockets, data, replication. While data is loaded, clients are
answered LOADING.
"""
import asyncio
import contextlib
import contextvars
import errno
import os
import socket
import stat
from collections.abc import Callable

import fastredis
from fastredis.assembly import assemble, prepare, start, stop
from fastredis.config.config import Config, ConfigError
from fastredis.engine.connection import Connection
from fastredis.engine.hooks import Host
from fastredis.host.listeners import Listener
from fastredis.host.logs import WARNING, Logger
from fastredis.host.process import notify_systemd
from fastredis.host.sockets import bind_tcp, sockname, tune
from fastredis.host.stand_in import StandIn
from fastredis.host.surroundings import Surroundings
from fastredis.text import address_text, to_bytes

LOGO = r"""
     __           _                _ _
    / _| __ _ ___| |_ _ __ ___  __| (_)___     fastredis {version} ({bits} bit), Redis {redis_version} commands
   | |_ / _` / __| __| '__/ _ \/ _` | / __|
   |  _| (_| \__ \ |_| | |  __/ (_| | \__ \    Running in standalone mode
   |_|  \__,_|___/\__|_|  \___|\__,_|_|___/    Port: {port}
                                               PID: {pid}
"""

PROTECTED_MODE = (
    b"-DENIED Redis is running in protected mode because protected mode is enabled and no password is set for the "
    b"default user. In this mode connections are only accepted from the loopback interface. If you want to connect "
    b"from external computers to Redis you may adopt one of the following solutions: 1) Just disable protected mode "
    b"sending the command 'CONFIG SET protected-mode no' from the loopback interface by connecting to Redis from the "
    b"same host the server is running, however MAKE SURE Redis is not publicly accessible from internet if you do so. "
    b"Use CONFIG REWRITE to make this change permanent. 2) Alternatively you can just disable the protected mode by "
    b"editing the Redis configuration file, and setting the protected mode option to 'no', and then restarting the "
    b"server. 3) If you started the server manually just for testing, restart it with the '--protected-mode no' "
    b"option. 4) Set up an authentication password for the default user. NOTE: You only need to do one of the above "
    b"things in order for the server to start accepting connections from the outside.\r\n"
)


CLOSING_TURNS = 3       # of the loop, until all that close their sockets have done so


class ClientProtocol(Connection, asyncio.Protocol):
    """A connection as asyncio's transports know it; all of it is in Connection, but who may be served."""

    def __init__(self, server: "Server"):
        super().__init__(server.engine)
        self._server = server

    def admit(self, transport: asyncio.Transport) -> bytes | None:
        return self._server.admit(self, transport)


class Server(Host):
    """One engine with its sockets, on one event loop. around: the process that it is in; on_fatal: see assemble()."""

    def __init__(self, config: Config, log: Logger, loop: asyncio.AbstractEventLoop,
                 around: Surroundings | None = None, on_fatal: Callable[[str, bool], None] | None = None):
        self.config = config
        self.log = log
        self.loop = loop
        self.around = around or Surroundings()
        self.listeners: list[Listener] = []
        self.unix_listener: Listener | None = None
        self._connecting: set[asyncio.Task] = set()
        self._context = contextvars.copy_context()      # one for all tasks: each transport keeps its task's
        self.exit_code: asyncio.Future[int] = loop.create_future()
        self.engine = assemble(config, log, loop, self, on_fatal)
        config.on_change("port", self._change_port)
        config.on_change("bind", self._change_bind)

    # --- listening ------------------------------------------------------------------

    def listen(self) -> bool:
        """Open all sockets; False when one that must be there cannot be."""
        config = self.config
        if config.port:
            sockets = self._bind_all(config.bind, config.port)
            if sockets is None:
                self.log.warning(f"Failed listening on port {config.port} (tcp), aborting.")
                return False
            self.listeners = [self._serve(sock) for sock in sockets]
        if config.unixsocket and not self._listen_unix(config.unixsocket):
            return False
        if not self.all_listeners():
            self.log.warning("Configured to not listen anywhere, exiting.")
            return False
        return True

    def _bind_all(self, addresses: tuple[str, ...], port: int) -> list[socket.socket] | None:
        """Listening sockets for all addresses; None when one without a `-` in front fails."""
        sockets: list[socket.socket] = []
        for address in addresses:
            try:
                sockets.append(bind_tcp(address.removeprefix("-"), port, self.config.tcp_backlog))
            except OSError as error:
                optional = address.startswith("-")
                if optional and error.errno in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT, errno.EPROTONOSUPPORT):
                    continue
                step = "" if isinstance(error, socket.gaierror) else "bind: "
                self.log.warning(f"Warning: Could not create server TCP listening socket {address}:{port}: {step}"
                                 f"{error.strerror or error}")
                for sock in sockets:
                    sock.close()
                return None
        return sockets

    def _listen_unix(self, name: str) -> bool:
        path = self.config["dir"].reach(name)
        try:
            with contextlib.suppress(FileNotFoundError):
                if stat.S_ISSOCK(os.stat(path).st_mode):
                    os.unlink(path)
            sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
            sock.bind(path)
            if self.config.unixsocketperm:
                os.chmod(path, self.config.unixsocketperm)
            if self.config.unixsocketgroup:
                import grp
                os.chown(path, -1, grp.getgrnam(self.config.unixsocketgroup).gr_gid)
            sock.listen(self.config.tcp_backlog)
        except (OSError, KeyError) as error:
            self.log.warning(f"Failed opening Unix socket: bind: {getattr(error, 'strerror', None) or error}")
            return False
        self.unix_listener = self._serve(sock)
        return True

    def _serve(self, sock: socket.socket) -> Listener:
        """Accept clients on a socket that listens already."""
        return Listener(self.loop, sock, self.welcome, self.log,
                        lambda: self.config["max-new-connections-per-cycle"])

    def all_listeners(self) -> list[Listener]:
        return self.listeners + ([self.unix_listener] if self.unix_listener else [])

    def new_connection(self) -> ClientProtocol:
        return ClientProtocol(self)

    def _relisten(self, addresses: tuple[str, ...], port: int) -> bool:
        """Listen elsewhere, and only there; the old sockets stay when that cannot be."""
        kept = [listener for listener in self.listeners if listener.is_open]
        here = {sockname(listener.sock) for listener in kept}
        wanted = {(address.removeprefix("-"), port) for address in addresses}
        if here and all((host, number) in wanted for host, number in here) and len(here) == len(wanted):
            return True
        old, self.listeners = self.listeners, []
        same_port = any(number == port for _, number in here)
        if same_port:
            for listener in old:
                listener.close()
        sockets = self._bind_all(addresses, port) if port else []
        if sockets is None:
            if same_port:
                back = self._bind_all(tuple(host for host, _ in here), port)
                self.listeners = [self._serve(sock) for sock in back or ()]
            else:
                self.listeners = old
            return False
        if not same_port:
            for listener in old:
                listener.close()
        self.listeners = [self._serve(sock) for sock in sockets]
        return True

    def _change_port(self, config: Config) -> None:
        if not self._relisten(config.bind, config.port):
            raise ConfigError("Unable to listen on this port. Check server logs.")

    def _change_bind(self, config: Config) -> None:
        if not self._relisten(config.bind, config.port):
            raise ConfigError("Failed to bind to specified addresses.")

    # --- clients --------------------------------------------------------------------

    def welcome(self, sock: socket.socket) -> ClientProtocol:
        """Somebody has connected: it is a client from now on, and the loop gets it a transport."""
        client = self.new_connection()
        stand_in = StandIn(sock, lambda: self.loop.call_soon(client.connection_lost, None))
        client.connection_made(stand_in)
        if not stand_in.is_closing():
            stand_in.promised = True
            task = self.loop.create_task(self._connect(client, sock), context=self._context)
            self._connecting.add(task)
            task.add_done_callback(self._connecting.discard)
        return client

    async def _connect(self, client: ClientProtocol, sock: socket.socket) -> None:
        try:
            await self.loop.connect_accepted_socket(lambda: client, sock)
        except OSError as error:                # no room in the loop's poll(2), or it has left in between
            client.connection_lost(error)
            sock.close()
            self.log.limited("accept", WARNING, f"Accepting client connection: {error.strerror or error}")
        except asyncio.CancelledError:
            client.connection_lost(None)
            sock.close()
            raise

    def admit(self, client: Connection, transport: asyncio.Transport) -> bytes | None:
        """Note a new client's addresses; returns protocol to refuse it with, or None."""
        sock = transport.get_extra_info("socket")
        if sock.family == socket.AF_UNIX:
            client.set_unix_socket()
            client.peer = client.local = to_bytes(f"{self.config.unixsocket}:0")
        else:
            client.peer = address_text(transport.get_extra_info("peername"))
            client.local = address_text(transport.get_extra_info("sockname"))
            tune(sock, self.config.tcp_keepalive)
        if self.exit_code.done():
            return b""
        if len(self.engine.clients) >= self.config.maxclients:
            return b"-ERR max number of clients reached\r\n"
        if self.config.protected_mode and not self.engine.password and not client.is_local:
            return PROTECTED_MODE
        return None

    # --- life -----------------------------------------------------------------------

    async def main(self) -> int:
        """Start, serve, and return the exit code."""
        self.around.enter(self)
        self._log_start()
        try:
            prepare(self.engine, self.around.place_thread)
        except (OSError, RuntimeError) as error:
            self.log.warning(f"Fatal: Can't initialize Background Jobs. Error message: {error}")
            return 1
        if not self.listen():
            return 1
        self.log.notice("Server initialized")
        self.around.serve()
        if not await start(self.engine):
            return self.exit_code.result() if self.exit_code.done() else 1
        if self.listeners:
            self.log.notice("Ready to accept connections tcp")
        if self.unix_listener is not None:
            self.log.notice("Ready to accept connections unix")
        if self.config.supervised == "systemd":
            notify_systemd("STATUS=Ready to accept connections\nREADY=1\n", self.log)
        self.around.ready()
        return await self.exit_code

    async def close(self) -> None:
        """After main(), on a loop that goes on: nothing of the server is left on it."""
        left = list(self._connecting)
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        for _ in range(CLOSING_TURNS):
            await asyncio.sleep(0)
        stop(self.engine)

    def _log_start(self) -> None:
        config = self.config
        self.log.notice("monotonic clock: " + ("X86 TSC" if os.uname().machine == "x86_64" else "POSIX clock_gettime"))
        if config.always_show_logo or (not config.daemonize and not config.logfile and os.isatty(1)):
            self.log.notice(LOGO.format(version=fastredis.__version__, redis_version=fastredis.REDIS_VERSION,
                                        bits=64, port=config.port, pid=os.getpid()))
        else:
            self.log.notice(f"Running mode=standalone, port={config.port}.")

    # --- what the engine asks ---------------------------------------------------------

    def listening_sockets(self) -> list[socket.socket]:
        return [listener.sock for listener in self.all_listeners() if listener.is_open]

    def listening(self) -> list[str]:
        kinds = []
        if self.listeners:
            addresses = "".join(f",bind={address}" for address in self.config.bind)
            kinds.append(f"name=tcp{addresses},port={self.config.port}")
        if self.unix_listener is not None:
            kinds.append(f"name=unix,bind={self.config.unixsocket}")
        return kinds

    def end(self, code: int) -> None:
        if not self.exit_code.done():
            self.exit_code.set_result(code)
        for listener in self.all_listeners():
            listener.close()
        if self.unix_listener is not None:
            self.log.notice("Removing the unix socket file.")
            with contextlib.suppress(OSError):
                os.unlink(self.config["dir"].reach(self.config.unixsocket))

    def cron(self) -> None:
        self.around.cron()

    def role_changed(self) -> None:
        self.around.role_changed(self.engine.replication.is_replica)

    def in_child(self, kind: str) -> None:
        for listener in self.all_listeners():
            listener.close_in_child()
        self.around.in_child(kind)

    def saving_at_end(self) -> contextlib.AbstractContextManager:
        return self.around.saving_at_end()


def new_loop() -> asyncio.AbstractEventLoop:
    """An event loop: uvloop's where it is installed. FASTREDIS_LOOP=asyncio or uvloop asks for one of them."""
    wanted = os.environ.get("FASTREDIS_LOOP", "")
    if wanted != "asyncio":
        try:
            import uvloop
            return uvloop.new_event_loop()
        except ImportError:
            if wanted == "uvloop":
                raise
    return asyncio.new_event_loop()


def run(config: Config, log: Logger, around: Surroundings | None = None) -> int:
    """Run a server until it is shut down; returns the exit code."""
    loop = new_loop()
    asyncio.set_event_loop(loop)
    server = Server(config, log, loop, around)
    try:
        return loop.run_until_complete(server.main())
    finally:
        left = asyncio.all_tasks(loop)
        for task in left:
            task.cancel()
        loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
        loop.run_until_complete(loop.shutdown_asyncgens())
        stop(server.engine)
        loop.close()
