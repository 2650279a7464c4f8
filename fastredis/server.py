"""The shell around one engine: listening sockets, and who may connect.

Start order: configuration (cli), threads, listening sockets, data, replication. While data is loaded, clients are
answered LOADING.
"""
import asyncio
import contextlib
import contextvars
import os
import socket
import ssl
import stat
from collections.abc import Callable

import fastredis
from fastredis.assembly import assemble, prepare, start, stop
from fastredis.config.config import Config, ConfigError
from fastredis.engine.connection import Connection
from fastredis.engine.hooks import Host
from fastredis.exporter.endpoint import Endpoint
from fastredis.host.certificates import read_certificate
from fastredis.host.listeners import Listener, Port
from fastredis.host.logs import WARNING, Logger
from fastredis.host.process import notify_systemd
from fastredis.host.sockets import tune
from fastredis.host.stand_in import StandIn
from fastredis.host.surroundings import Surroundings
from fastredis.host.tls import Tls
from fastredis.host.tls_transport import TlsTransport
from fastredis.text import address_text, to_bytes, to_text

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

    def admit(self, transport: asyncio.Transport) -> bytes | None:
        return self.engine.host.admit(self, transport)


class Server(Host):
    """One engine with its sockets, on one event loop. around: the process that it is in; on_fatal: see assemble()."""

    def __init__(self, config: Config, log: Logger, loop: asyncio.AbstractEventLoop,
                 around: Surroundings | None = None, on_fatal: Callable[[str, bool], None] | None = None):
        self.config = config
        self.log = log
        self.loop = loop
        self.around = around or Surroundings()
        self.tcp = Port("tcp", lambda sock: self._serve(sock, self.welcome), log)
        self.tls_port = Port("tls", self._serve_tls, log)
        self.unix_listener: Listener | None = None
        self._connecting: set[asyncio.Task] = set()
        self._context = contextvars.copy_context()      # one for all tasks: each transport keeps its task's
        self.exit_code: asyncio.Future[int] = loop.create_future()
        self.engine = assemble(config, log, loop, self, on_fatal)
        self.exporter = Endpoint(self.engine)
        self.tls = Tls(config, log, self.engine.run_in_thread)
        config.on_change("port", self._change_port)
        config.on_change("tls-port", self._change_tls_port)
        config.on_change("bind", self._change_bind)

    # --- listening ------------------------------------------------------------------

    def listen(self) -> bool:
        """Open all sockets; False when one that must be there cannot be."""
        config = self.config
        if self.tls.is_wanted and not self.tls.configure():
            self.log.warning("Failed to configure TLS. Check logs for more info.")
            return False
        for kind, number in ((self.tcp, config["port"]), (self.tls_port, config["tls-port"])):
            if number and not self._listen_on(kind):
                self.log.warning(f"Failed listening on port {number} ({kind.name}), aborting.")
                return False
        if config.unixsocket and not self._listen_unix(config.unixsocket):
            return False
        if not self.all_listeners():
            self.log.warning("Configured to not listen anywhere, exiting.")
            return False
        problem = self.exporter.listen()
        if problem is not None:
            self.log.warning(f"{problem}. Failed listening on port {config['metrics-port']} (metrics), aborting.")
            return False
        return True

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
        self.unix_listener = self._serve(sock, self.welcome)
        return True

    def _serve(self, sock: socket.socket, welcome: Callable[[socket.socket], Connection],
               most: str = "max-new-connections-per-cycle") -> Listener:
        """Accept clients on a socket that listens already; most: the setting that says how many in one turn."""
        return Listener(self.loop, sock, welcome, self.log, lambda: self.config[most])

    def all_listeners(self) -> list[Listener]:
        unix = [self.unix_listener] if self.unix_listener else []
        return self.tcp.listeners + self.tls_port.listeners + unix

    def new_connection(self) -> ClientProtocol:
        return ClientProtocol(self.engine)

    def _listen_on(self, kind: Port) -> bool:
        """Listen where `bind` and the port's setting say now."""
        config = self.config
        number = config["tls-port"] if kind is self.tls_port else config["port"]
        return kind.listen(config["bind"], number, config["tcp-backlog"])

    def _change_port(self, config: Config) -> None:
        if not self._listen_on(self.tcp):
            raise ConfigError("Unable to listen on this port. Check server logs.")

    def _change_tls_port(self, config: Config) -> None:
        if config["tls-port"]:
            self.tls.require()
        if not self._listen_on(self.tls_port):
            raise ConfigError("Unable to listen on this port. Check server logs.")

    def _change_bind(self, config: Config) -> None:
        if not (self._listen_on(self.tcp) and self._listen_on(self.tls_port)):
            raise ConfigError("Failed to bind to specified addresses.")

    # --- clients --------------------------------------------------------------------

    def welcome(self, sock: socket.socket) -> ClientProtocol:
        """Somebody has connected: it is a client from now on, and the loop gets it a transport."""
        client = self.new_connection()
        stand_in = StandIn(sock, lambda: self.loop.call_soon(client.connection_lost, None))
        client.connection_made(stand_in)
        if not stand_in.is_closing():
            self._get_transport(stand_in, client, sock)
        return client

    def _serve_tls(self, sock: socket.socket) -> Listener:
        return self._serve(sock, self.welcome_securely, "max-new-tls-connections-per-cycle")

    def welcome_securely(self, sock: socket.socket) -> ClientProtocol:
        """The same on the TLS port: the client is there at once, and its requests come when the handshake is done."""
        client = self.new_connection()
        stand_in = StandIn(sock, lambda: self.loop.call_soon(tls.connection_lost, None))
        tls = TlsTransport(self.loop, client, stand_in, self.tls.contexts.server, True, self._secured,
                           lambda reason: self._not_secured(client, reason))
        client.connection_made(tls)
        if not stand_in.is_closing():
            self._get_transport(stand_in, tls, sock)
        return client

    def _get_transport(self, stand_in: StandIn, protocol: ClientProtocol | TlsTransport, sock: socket.socket) -> None:
        """Have the loop make a transport for the socket, in place of the stand-in."""
        stand_in.promised = True
        task = self.loop.create_task(self._connect(protocol, sock), context=self._context)
        self._connecting.add(task)
        task.add_done_callback(self._connecting.discard)

    async def _connect(self, protocol: ClientProtocol | TlsTransport, sock: socket.socket) -> None:
        try:
            await self.loop.connect_accepted_socket(lambda: protocol, sock)
        except OSError as error:                # no room in the loop's poll(2), or it has left in between
            protocol.connection_lost(error)
            sock.close()
            self.log.limited("accept", WARNING, f"Accepting client connection: {error.strerror or error}")
        except asyncio.CancelledError:
            protocol.connection_lost(None)
            sock.close()
            raise

    def _not_secured(self, client: ClientProtocol, reason: str) -> None:
        self.log.limited("tls handshake", WARNING, f"Error accepting a client connection: {reason} "
                         f"(addr={to_text(client.peer)} laddr={to_text(client.local)})")

    def _secured(self, tls: TlsTransport) -> None:
        """A handshake is done: now it may be told that it may not stay, and may be somebody by its certificate."""
        client = tls.get_protocol()
        if self._is_protected(client):
            client.in_turn(ClientProtocol.turn_away, PROTECTED_MODE)
        elif self.config["tls-auth-clients-user"] != "off":
            client.in_turn(self._log_in, tls.get_extra_info("ssl_object").getpeercert(True))

    def _log_in(self, client: ClientProtocol, der: bytes | None) -> None:
        """Give a client the rights of the user that its certificate names; if there is none it stays who it is.

        Names are compared as bytes, whole; one with a zero byte in it is nobody's.
        """
        users, names = self.engine.users, []
        if der:
            with contextlib.suppress(ValueError):
                certificate = read_certificate(der)
                by_name = self.config["tls-auth-clients-user"] == "CN"
                names = [certificate.common_name or b""] if by_name else certificate.uris
        names = [name for name in names if name and b"\0" not in name]
        for name in names:
            if users.admit(client, name):
                self.log.verbose(f"TLS: Auto-authenticated client as {to_text(name)}")
                return
        users.certificate_refused(client, names[-1] if names else b"")

    def admit(self, client: Connection, transport: asyncio.Transport) -> bytes | None:
        """Note a new client's addresses; returns protocol to refuse it with, or None."""
        sock, config = transport.get_extra_info("socket"), self.config
        peer = transport.get_extra_info("peername")
        if not isinstance(peer, tuple) and sock.family == socket.AF_UNIX:
            client.set_unix_socket()
            client.peer = client.local = to_bytes(f"{config.unixsocket}:0")
        else:
            client.peer = address_text(peer)
            client.local = address_text(transport.get_extra_info("sockname"))
            tune(sock, config["tcp-keepalive"])
        if self.exit_code.done():
            return b""
        is_secure = transport.get_extra_info("sslcontext") is not None     # it could not read anything yet
        if len(self.engine.clients) >= config["maxclients"]:
            return b"" if is_secure else b"-ERR max number of clients reached\r\n"
        if not is_secure and self._is_protected(client):
            return PROTECTED_MODE
        return None

    def _is_protected(self, client: Connection) -> bool:
        if client.is_local or not self.config["protected-mode"]:
            return False
        return self.engine.users.default.rules.no_password

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
        for kind in (self.tcp, self.tls_port):
            if kind.listeners:
                self.log.notice(f"Ready to accept connections {kind.name}")
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
                                        bits=64, port=self._main_port(), pid=os.getpid()))
        else:
            self.log.notice(f"Running mode=standalone, port={self._main_port()}.")

    def _main_port(self) -> int:
        return self.config["port"] or self.config["tls-port"]

    # --- what the engine asks ---------------------------------------------------------

    def listening_sockets(self) -> list[tuple]:
        secure = self.tls_port.listeners
        return [(listener.sock, self.welcome_securely if listener in secure else self.welcome)
                for listener in self.all_listeners() if listener.is_open]

    def outgoing_tls(self) -> ssl.SSLContext | None:
        return self.tls.contexts.client if self.tls.contexts is not None else None

    def tls_fields(self) -> list[tuple[str, object]]:
        return self.tls.fields()

    def listening(self) -> list[str]:
        def of_port(kind: Port, number: int) -> list[str]:
            addresses = "".join(f",bind={address}" for address in self.config.bind)
            return [f"name={kind.name}{addresses},port={number}"] if kind.listeners else []
        unix = [f"name=unix,bind={self.config.unixsocket}"] if self.unix_listener is not None else []
        return of_port(self.tcp, self.config["port"]) + unix + of_port(self.tls_port, self.config["tls-port"])

    def end(self, code: int) -> None:
        if not self.exit_code.done():
            self.exit_code.set_result(code)
        for listener in self.all_listeners():
            listener.close()
        self.exporter.close()
        if self.unix_listener is not None:
            self.log.notice("Removing the unix socket file.")
            with contextlib.suppress(OSError):
                os.unlink(self.config["dir"].reach(self.config.unixsocket))

    def cron(self) -> None:
        self.around.cron()
        self.tls.cron()

    def role_changed(self) -> None:
        self.around.role_changed(self.engine.replication.is_replica)

    def in_child(self, kind: str) -> None:
        for listener in self.all_listeners():
            listener.close_in_child()
        self.exporter.close_in_child()
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
