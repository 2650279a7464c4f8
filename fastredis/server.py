"""The shell around one engine: event loop, listening sockets, timers, signals.

Start order: configuration (cli), listening sockets, data, replication. While data is loaded,
clients are answered LOADING.
"""
import asyncio
import contextlib
import ctypes
import errno
import gc
import os
import resource
import signal
import socket
import stat
import time
from dataclasses import dataclass, field
from typing import NoReturn

from fastredis import commands
from fastredis.config.config import Config, ConfigError
from fastredis.engine.blocking import PAUSE_SHUTDOWN, Blocked
from fastredis.engine.client_list import describe
from fastredis.engine.command import CommandTable, declared_commands
from fastredis.engine.connection import Connection
from fastredis.engine.engine import Engine
from fastredis.engine.evict import Evictor
from fastredis.engine.metrics import Metrics
from fastredis.engine.monitor import Monitors
from fastredis.engine.pubsub import PubSub, set_notify
from fastredis.engine.slowlog import SlowLog
from fastredis.host.crash import exit_without_memory, report_trouble
from fastredis.host.logs import Logger
from fastredis.host.process import OOM_MASTER, OOM_REPLICA, CpuLists, OomScore, Threads, notify_systemd
from fastredis.persist.aof_files import AofFiles
from fastredis.persist.loading import Loading
from fastredis.persist.saver import LOADING, Saver
from fastredis.replication.state import Replication
from fastredis.text import address_text, to_bytes

GATE_LOADING = 1            # as in core.pxd
LONGEST_PAUSE_MS = 2**62    # since the epoch
RESOLVERS = 2               # threads that look names up: a name that nobody answers for takes long
BACKGROUND_THREADS = 3      # ... and for files
RESERVED_FILES = 32         # file descriptors that are not for clients
PR_SET_THP_DISABLE = 41     # linux/prctl.h
MAX_KEEPIDLE = 32767        # seconds: what Linux takes for TCP_KEEPIDLE and TCP_KEEPINTVL

LOGO = r"""
     __           _                _ _
    / _| __ _ ___| |_ _ __ ___  __| (_)___     fastredis {version} ({bits} bit), Redis {redis_version} commands
   | |_ / _` / __| __| '__/ _ \/ _` | / __|
   |  _| (_| \__ \ |_| | |  __/ (_| | \__ \    Running in standalone mode
   |_|  \__,_|___/\__|_|  \___|\__,_|_|___/    Port: {port}
                                               PID: {pid}
"""

# Settings that Engine.configure() takes over.
ENGINE_SETTINGS = (
    "client-output-buffer-limit", "proto-max-bulk-len", "client-query-buffer-limit", "maxmemory", "maxmemory-policy",
    "lfu-log-factor", "lfu-decay-time", "latency-tracking", "lazyfree-lazy-expire", "lazyfree-lazy-server-del",
    "lazyfree-lazy-user-del", "lazyfree-lazy-eviction", "replica-ignore-maxmemory", "repl-backlog-size",
    "maxmemory-clients", "maxmemory-samples", "maxmemory-eviction-tenacity",
    "list-max-listpack-size", "list-compress-depth", "hash-max-listpack-entries", "hash-max-listpack-value",
    "set-max-intset-entries", "set-max-listpack-entries", "set-max-listpack-value", "zset-max-listpack-entries",
    "zset-max-listpack-value", "hll-sparse-max-bytes",
    "slowlog-log-slower-than", "slowlog-max-len", "requirepass",
)

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


@dataclass
class ShutdownWait:
    """A shutdown that has been asked for, while replicas are waited for.

    save, force    as Server.request_shutdown() has them
    offset         up to which replicas are to have the stream
    until_ms       how long that is waited for, ms since the epoch
    clients        who asked by SHUTDOWN
    """

    save: bool | None
    force: bool
    offset: int
    until_ms: int
    clients: list[Connection] = field(default_factory=list)


class ClientProtocol(Connection, asyncio.Protocol):
    """A connection as asyncio's transports know it; all of it is in Connection."""


class Server:
    """One engine with its sockets and timers on one event loop."""

    def __init__(self, config: Config, log: Logger, loop: asyncio.AbstractEventLoop):
        commands.load()
        self.config = config
        self.log = log
        self.loop = loop
        self.listeners: list[tuple[socket.socket, asyncio.Task]] = []
        self.unix_listener: tuple[socket.socket, asyncio.Task] | None = None
        self.exit_code: asyncio.Future[int] = loop.create_future()
        self.cron_paused = False
        self.oom_score = OomScore(config, log)
        self.cpu_lists = CpuLists(config, log)
        self.resolvers: Threads | None = None       # look names up; None: not started yet
        self.shutdown_signal: int | None = None
        self.shutdown_wait: ShutdownWait | None = None
        self.loaded = False
        self._cron_clients: list[int] = []
        self.engine = engine = Engine(config.databases, len(declared_commands()))
        engine.config = config
        engine.log = log
        engine.loop = loop
        engine.server = self
        engine.commands = CommandTable(self._renamed())
        engine.pubsub = PubSub(engine)
        engine.monitors = Monitors(engine)
        engine.blocked = Blocked(engine)
        engine.evictor = Evictor(engine)
        engine.slow_log = SlowLog(engine)
        engine.configure(config)
        engine.metrics = Metrics(engine)
        engine.saver = Saver(engine)
        engine.loading = Loading(engine)
        engine.aof = AofFiles(engine)
        engine.replication = Replication(engine)
        set_notify(engine, config.notify_keyspace_events)
        for name in ENGINE_SETTINGS:
            config.on_change(name, engine.configure)
        config.on_change("notify-keyspace-events", lambda c: set_notify(engine, c.notify_keyspace_events))
        config.on_change("watchdog-period", self._set_watchdog)
        config.on_change("use-exit-on-panic", lambda c: exit_without_memory(c.use_exit_on_panic))
        config.on_change("port", self._change_port)
        config.on_change("bind", self._change_bind)
        config.on_change("maxclients", self._change_maxclients)
        config.on_change("oom-score-adj", self._change_oom_score)
        config.on_change("oom-score-adj-values", self._change_oom_score)

    def _renamed(self) -> dict[bytes, bytes]:
        """The rename-command directives: a command's name -> the new one, empty where it is removed.

        Each directive begins with the names that those before it have left.
        """
        names = {command.name: command.name for command in declared_commands() if b"|" not in command.name}
        renamed = dict.fromkeys(names, b"")
        for directive in self.config.renamed_commands:
            old, new = (word.lower().encode("utf-8", "surrogateescape") for word in directive.argv[1:])
            command = names.pop(old, None)
            if command is None:
                raise directive.fatal("No such command in rename-command")
            if new in names:
                raise directive.fatal("Target command name already exists")
            if new:
                names[new] = command
        renamed.update((command, name) for name, command in names.items())
        return {command: name for command, name in renamed.items() if command != name}

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

    def _serve(self, sock: socket.socket) -> tuple[socket.socket, asyncio.Task]:
        """Accept clients on a socket that listens already."""
        create = self.loop.create_unix_server if sock.family == socket.AF_UNIX else self.loop.create_server
        task = self.loop.create_task(create(self.new_connection, sock=sock, backlog=self.config.tcp_backlog))
        return sock, task

    def all_listeners(self) -> list[tuple[socket.socket, asyncio.Task]]:
        return self.listeners + ([self.unix_listener] if self.unix_listener else [])

    def new_connection(self) -> ClientProtocol:
        return ClientProtocol(self.engine)

    @staticmethod
    def _stop(listener: tuple[socket.socket, asyncio.Task]) -> None:
        sock, task = listener
        if task.done():
            task.result().close()
        else:
            task.cancel()
            sock.close()

    def _relisten(self, addresses: tuple[str, ...], port: int) -> bool:
        """Listen elsewhere, and only there; the old sockets stay when that cannot be."""
        kept = [item for item in self.listeners if item[0].fileno() >= 0]
        here = {sockname(sock) for sock, _ in kept}
        wanted = {(address.removeprefix("-"), port) for address in addresses}
        if here and all((host, number) in wanted for host, number in here) and len(here) == len(wanted):
            return True
        old, self.listeners = self.listeners, []
        same_port = any(number == port for _, number in here)
        if same_port:
            for listener in old:
                self._stop(listener)
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
                self._stop(listener)
        self.listeners = [self._serve(sock) for sock in sockets]
        return True

    def _change_port(self, config: Config) -> None:
        if not self._relisten(config.bind, config.port):
            raise ConfigError("Unable to listen on this port. Check server logs.")

    def _change_bind(self, config: Config) -> None:
        if not self._relisten(config.bind, config.port):
            raise ConfigError("Failed to bind to specified addresses.")

    def _change_maxclients(self, config: Config) -> None:
        if not self._raise_file_limit():
            raise ConfigError("The operating system is not able to handle the specified number of clients, try with "
                              f"{resource.getrlimit(resource.RLIMIT_NOFILE)[0] - RESERVED_FILES}")

    def set_oom_score(self) -> bool:
        """Tell the kernel what the process is worth in its role; False if it does not want to know."""
        return self.oom_score.apply(OOM_REPLICA if self.engine.replication.is_replica else OOM_MASTER)

    def _change_oom_score(self, config: Config) -> None:
        if not self.set_oom_score():
            raise ConfigError("Failed to set current oom_score_adj. Check server logs.")

    def _raise_file_limit(self) -> bool:
        """Ask the system for as many file descriptors as maxclients needs."""
        needed = self.config.maxclients + RESERVED_FILES
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if soft >= needed or soft == resource.RLIM_INFINITY:
            return True
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard if hard == resource.RLIM_INFINITY
                                                        else max(hard, needed)))
        except (OSError, ValueError):
            with contextlib.suppress(OSError, ValueError):
                resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
            return False
        self.log.notice(f"Increased maximum number of open files to {needed} (it was originally set to {soft}).")
        return True

    def _reduce_maxclients(self) -> None:
        """Serve no more clients than there can be file descriptors, rather than fail to accept them."""
        files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        self.log.warning(f"You requested maxclients of {self.config.maxclients} requiring at least "
                         f"{self.config.maxclients + RESERVED_FILES} max file descriptors.")
        self.config.set_value("maxclients", max(1, files - RESERVED_FILES))
        self.log.warning(f"Current maximum open files is {files}. maxclients has been reduced to "
                         f"{self.config.maxclients} to compensate for low ulimit. If you need higher maxclients "
                         "increase 'ulimit -n'.")

    # --- clients --------------------------------------------------------------------

    def admit(self, client: Connection, transport: asyncio.Transport) -> bytes | None:
        """Note a new client's addresses; returns protocol to refuse it with, or None."""
        sock = transport.get_extra_info("socket")
        if sock.family == socket.AF_UNIX:
            client.set_unix_socket()
            client.peer = client.local = to_bytes(f"{self.config.unixsocket}:0")
        else:
            client.peer = address_text(transport.get_extra_info("peername"))
            client.local = address_text(transport.get_extra_info("sockname"))
            self.tune(sock)
        if self.exit_code.done():
            return b""
        if len(self.engine.clients) >= self.config.maxclients:
            return b"-ERR max number of clients reached\r\n"
        if self.config.protected_mode and not self.engine.password and not client.is_local:
            return PROTECTED_MODE
        return None

    def tune(self, sock: socket.socket) -> None:
        """A TCP connection's options: no delay, and tcp-keepalive."""
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        set_keepalive(sock, self.config.tcp_keepalive)

    def client_left(self, client: Connection) -> None:
        """A client is gone, or is going to be closed: it leaves all lines. May be called again."""
        self.engine.pubsub.remove(client)
        self.engine.monitors.remove(client)
        self.engine.blocked.remove(client)
        if client.replica is not None:
            self.engine.replication.connection_lost(client)

    def describe(self, client: Connection) -> str:
        """The client as CLIENT LIST shows it, for the log."""
        return describe(client, self.config.hide_user_data_from_log)

    def panic(self, text: str) -> NoReturn:
        """End the process at once, since to go on would do harm. The log tells why, and where it was."""
        for line in ("-" * 48, "!!! Software Failure. Press left mouse button to continue", f"Guru Meditation: {text}",
                     "-" * 48):
            self.log.warning(line)
        if self.config.use_exit_on_panic:
            os._exit(1)
        os.abort()

    # --- timers ---------------------------------------------------------------------

    def cron(self) -> None:
        """Timer: what has to be looked at `hz` times a second."""
        if self.exit_code.done():
            return                      # the loop is about to end: no child should be begun now
        engine = self.engine
        started = time.monotonic()
        self.loop.call_later(1 / self.config.hz, self.cron)
        if self.config.watchdog_period:
            self._set_watchdog(self.config)
        engine.cron()
        try:
            engine.pubsub.shrink_buffers()
            engine.monitors.shrink_buffers()
            if not self.cron_paused:
                self._clients_cron()
                engine.saver.cron()
                engine.aof.cron()
                engine.replication.cron()
                self._shutdown_by_signal()
            if self.config.activerehashing:
                engine.rehash_slice()
        finally:
            engine.finish_turn()
        engine.metrics.sample((time.monotonic() - started) * 1e6)

    @staticmethod
    def _set_watchdog(config: Config) -> None:
        """Have SIGALRM report where the process is stuck if the next call does not come within the period; 0: none."""
        signal.setitimer(signal.ITIMER_REAL, config.watchdog_period / 1000)

    def _clients_cron(self) -> None:
        """Look at a part of the clients, so that each has its turn once a second."""
        clients = self.engine.clients
        if not self._cron_clients:
            self._cron_clients = list(clients)
        share = max(5, len(clients) // self.config.hz + 1)
        batch, self._cron_clients = self._cron_clients[:share], self._cron_clients[share:]
        timeout_ms = self.config.timeout * 1000
        for client_id in batch:
            client = clients.get(client_id)
            if client is None:
                continue
            if timeout_ms and client.may_time_out and client.now_ms - client.active_ms > timeout_ms:
                self.log.verbose("Closing idle client")
                client.kill()
                continue
            client.shrink_buffers()
            client.check_output_limit()

    # --- life -----------------------------------------------------------------------

    async def main(self) -> int:
        """Start, serve, and return the exit code."""
        if not self._raise_file_limit():
            self._reduce_maxclients()
        if self.config.disable_thp:
            ctypes.CDLL(None).prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0)
        self._log_start()
        self.set_oom_score()
        self.cpu_lists.apply("server-cpulist")
        if not self._start_threads():
            return 1
        self.engine.gate(GATE_LOADING, True)
        self.engine.saver.obstacle = LOADING
        if not self.listen():
            return 1
        self.log.notice("Server initialized")
        self._handle_signals()
        exit_without_memory(self.config.use_exit_on_panic)
        for _, accepting in self.all_listeners():
            await accepting
        if not self.engine.aof.read_manifest() or not await self.engine.loading.load_at_start():
            self.engine.gate(GATE_LOADING, True)    # nobody sees a part of the data while the loop ends
            return self.exit_code.result() if self.exit_code.done() else 1
        if self.exit_code.done():
            return self.exit_code.result()
        self.loaded = True
        self.engine.saver.obstacle = None
        self.engine.gate(GATE_LOADING, False)
        self.engine.replication.start()
        self.loop.call_later(1 / self.config.hz, self.cron)
        if self.listeners:
            self.log.notice("Ready to accept connections tcp")
        if self.unix_listener is not None:
            self.log.notice("Ready to accept connections unix")
        if self.config.supervised == "systemd":
            notify_systemd("STATUS=Ready to accept connections\nREADY=1\n", self.log)
        gc.collect()
        gc.freeze()
        return await self.exit_code

    def _start_threads(self) -> bool:
        """Start all threads there will ever be; False, and a line in the log, if the system does not have so many."""
        try:
            self.engine.aof.feed.start(self.cpu_lists.place_thread)
            self.resolvers = Threads("names", RESOLVERS, self.cpu_lists.place_thread)
            self.loop.set_default_executor(Threads("background", BACKGROUND_THREADS, self.cpu_lists.place_thread))
        except (OSError, RuntimeError) as error:
            self.log.warning(f"Fatal: Can't initialize Background Jobs. Error message: {error}")
            return False
        return True

    async def look_up(self, host: str, port: int, family: int = socket.AF_UNSPEC) -> list[tuple[int, tuple]]:
        """The addresses of a host for TCP, (family, address) each. OSError.

        Not by the loop's getaddrinfo(): uvloop's ends the process if the system has no thread for it.
        """
        found = await self.loop.run_in_executor(
            self.resolvers, socket.getaddrinfo, host, port, family, socket.SOCK_STREAM)
        return [(each[0], each[4]) for each in found]

    def stop_threads(self) -> None:
        """The loop is about to end."""
        self.engine.aof.feed.stop()
        if self.resolvers is not None:
            self.resolvers.shutdown(wait=False)

    def _log_start(self) -> None:
        config = self.config
        self.log.notice("monotonic clock: " + ("X86 TSC" if os.uname().machine == "x86_64" else "POSIX clock_gettime"))
        if config.always_show_logo or (not config.daemonize and not config.logfile and os.isatty(1)):
            import fastredis
            self.log.notice(LOGO.format(version=fastredis.__version__, redis_version=fastredis.REDIS_VERSION,
                                        bits=64, port=config.port, pid=os.getpid()))
        else:
            self.log.notice(f"Running mode=standalone, port={config.port}.")

    def _handle_signals(self) -> None:
        """redis-server's table: TERM and INT end the server, HUP does nothing, crashes and ALRM are reported.

        PIPE is ignored by Python, and so is XFSZ: a file that grows beyond a limit is to the server as a full disk.
        Any other signal does what it always does.
        """
        import fastredis
        for number in (signal.SIGTERM, signal.SIGINT):
            self.loop.add_signal_handler(number, self._signalled, number)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        report_trouble(self.config.logfile, fastredis.__version__, self.config.crash_log_enabled)

    def _signalled(self, number: int) -> None:
        """SIGTERM or SIGINT: shut down, soon; a second SIGINT ends the process at once."""
        if self.shutdown_signal is not None and number == signal.SIGINT:
            self._insisted()
        if not self.exit_code.done() and not self.loaded:
            self.log.warning("Received shutdown signal during loading, exiting now.")
            self.exit_code.set_result(0)
        elif self.shutdown_signal is None:
            self.log.warning(f"Received {signal.Signals(number).name} scheduling shutdown...")
            self.shutdown_signal = number
            self.loop.call_soon(self._shutdown_by_signal)

    def _insisted(self, *_) -> None:
        """A second SIGINT, maybe while the data is saved: leave no half of a file, and exit."""
        self.log.warning("You insist... exiting now.")
        with contextlib.suppress(OSError):
            self.config["dir"].remove(self.engine.saver.temporary)
        os._exit(1)

    def _shutdown_by_signal(self) -> None:
        """Shut down if a signal asked for it, as shutdown-on-sigterm or -sigint says; else go on."""
        if self.shutdown_wait is not None:
            self._look_at_replicas(self.shutdown_wait)
        if self.shutdown_signal is None or self.cron_paused or self.exit_code.done() or self.awaits_replicas:
            return
        name = "shutdown-on-sigint" if self.shutdown_signal == signal.SIGINT else "shutdown-on-sigterm"
        words = self.config[name]
        save = True if "save" in words else False if "nosave" in words else None
        self.request_shutdown(save=save, now="now" in words, force="force" in words)

    def abort_shutdown(self) -> bool:
        """SHUTDOWN ABORT: take back what a signal or a command asked for; False if there was nothing."""
        if self.shutdown_signal is None and self.shutdown_wait is None:
            return False
        self._forget_shutdown()
        self.log.warning("Shutdown manually aborted.")
        return True

    def _forget_shutdown(self) -> None:
        """Go on as if nobody had asked for a shutdown; those who did get an error."""
        wait, self.shutdown_wait, self.shutdown_signal = self.shutdown_wait, None, None
        if wait is not None:
            self.engine.blocked.unpause(PAUSE_SHUTDOWN)
            for client in wait.clients:
                self.engine.blocked.unblock(client, b"ERR Errors trying to SHUTDOWN. Check logs.")

    def request_shutdown(self, save: bool | None = None, now: bool = False, force: bool = False) -> None:
        """Save what is to be saved, stop serving, and let main() return; if that cannot be, go on.

        save: True or False whatever the save points are, None: if there are any. force: even if saving fails. Unless
        `now`, replicas that lag behind are waited for first, for shutdown-timeout seconds; writes are held meanwhile.
        """
        self.log.warning("User requested shutdown...")
        if self.config.supervised == "systemd":
            notify_systemd("STOPPING=1\n", self.log)
        timeout_s = self.config["shutdown-timeout"]
        wait = ShutdownWait(save, force, self.engine.replication.offset, self.engine.clock.now_ms + timeout_s * 1000)
        if not now and timeout_s and self.loaded and self._lagging(wait):
            self.log.notice("Waiting for replicas before shutting down.")
            self.shutdown_wait = wait
            self.engine.blocked.pause(PAUSE_SHUTDOWN, LONGEST_PAUSE_MS, False)
            self.engine.replication.request_acks()
        else:
            self._finish_shutdown(wait)

    @property
    def awaits_replicas(self) -> bool:
        """Whether the server is going to stop when its replicas have caught up."""
        return self.shutdown_wait is not None

    @property
    def shutdown_left_ms(self) -> int:
        """How long replicas are still waited for."""
        return max(0, self.shutdown_wait.until_ms - self.engine.clock.now_ms) if self.shutdown_wait else 0

    def hold_until_shutdown(self, client: Connection) -> None:
        """A client asked for the shutdown that is being waited for: it hears of it only if there is none."""
        self.shutdown_wait.clients.append(client)
        self.engine.blocked.hold(client)

    def _lagging(self, wait: "ShutdownWait") -> list:
        return [replica for replica in self.engine.replication.replicas
                if replica.acked < wait.offset and not replica.is_channel]

    def _look_at_replicas(self, wait: "ShutdownWait") -> None:
        """Cron: end if all replicas have everything, or were waited for long enough."""
        if not self._lagging(wait) or self.engine.clock.now_ms >= wait.until_ms:
            self._finish_shutdown(wait)

    def _tell_of_replicas(self, wait: "ShutdownWait") -> None:
        replication = self.engine.replication
        lagging = self._lagging(wait)
        for replica in lagging:
            self.log.warning(f"Lagging replica {replica.name} reported offset {wait.offset - replica.acked} behind "
                             f"master, lag={replica.lag_s}, state={replica.state_name}.")
        count = len(replication.replicas)
        if count:
            self.log.notice(f"{count - len(lagging)} of {count} replicas are in sync when shutting down.")

    def _finish_shutdown(self, wait: "ShutdownWait") -> None:
        """The end; or, if the data cannot be saved, the server goes on, and those who wait for the end hear of it."""
        self._tell_of_replicas(wait)
        if not self._save_at_end(wait.save, wait.force):
            self.log.warning("Errors trying to shut down the server. Check the logs for more information.")
            self._forget_shutdown()
            return
        self.end_service(0)
        if self.unix_listener is not None:
            self.log.notice("Removing the unix socket file.")
            with contextlib.suppress(OSError):
                os.unlink(self.config.unixsocket)
        self.log.warning("fastredis (Redis protocol) is now ready to exit, bye bye...")

    def end_service(self, code: int) -> None:
        """Have main() return. Nothing is executed from here on, for it would be lost; connections are closed.

        What was executed before is answered, and replicas get it, as far as the kernel takes that now.
        """
        engine = self.engine
        if not self.exit_code.done():
            self.exit_code.set_result(code)
        for listener in self.all_listeners():
            self._stop(listener)
        if engine.child is not None:
            engine.child.kill()
        if engine.replication.link is not None:
            engine.replication.link.close()
        engine.start_turn()
        try:
            engine.aof.end()
            engine.send_now()
            for client in list(engine.clients.values()):
                client.kill()
        finally:
            engine.finish_turn()

    def _save_at_end(self, save: bool | None, force: bool) -> bool:
        """What the end of the process would lose goes to the disk; False if it cannot, and the server is to go on."""
        engine = self.engine
        if engine.saver.running:
            self.log.warning("There is a child saving an .rdb. Killing it!")
            engine.saver.cancel()
        if engine.aof is not None and not engine.aof.close_at_end(force):
            return False
        if save is None:
            save = bool(self.config["save"])
        if save and engine.saver.obstacle is not None:
            self.log.warning(f"The data are not saved: {engine.saver.obstacle}.")
            return True
        if not save:
            return True
        self.log.warning("Saving the final RDB snapshot before exiting.")
        if self.config.supervised == "systemd":
            notify_systemd("STATUS=Saving the final RDB snapshot\n", self.log)
        before = signal.signal(signal.SIGINT, self._insisted)
        try:
            saved = engine.saver.save()
        finally:
            signal.signal(signal.SIGINT, before)
        if saved:
            return True
        self.log.warning("Error trying to save the DB, " + ("Exit anyway." if force else "can't exit."))
        return force


def bind_tcp(address: str, port: int, backlog: int) -> socket.socket:
    """A listening TCP socket; `*` is all of IPv4, an address with a colon is IPv6. Raises OSError."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    host = {"*": "0.0.0.0", "::*": "::"}.get(address, address)
    sock = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    try:
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        resolved = socket.getaddrinfo(host, port, family, socket.SOCK_STREAM, 0, socket.AI_PASSIVE)[0][4]
        sock.bind(resolved)
        sock.listen(backlog)
    except OSError:
        sock.close()
        raise
    return sock


def sockname(sock: socket.socket) -> tuple[str, int]:
    """A listening socket's address in the words of `bind`, and its port."""
    host, port = sock.getsockname()[:2]
    return {"0.0.0.0": "*", "::": "::*"}.get(host, host), port


def set_keepalive(sock: socket.socket, seconds: int) -> None:
    """Have the kernel probe an idle connection after `seconds`, or as many as it counts; 0: never."""
    seconds = min(seconds, MAX_KEEPIDLE)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1 if seconds else 0)
    if seconds:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, seconds)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, max(1, seconds // 3))
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3)


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


def run(config: Config, log: Logger) -> int:
    """Run a server until it is shut down; returns the exit code."""
    loop = new_loop()
    asyncio.set_event_loop(loop)
    server = Server(config, log, loop)
    try:
        return loop.run_until_complete(server.main())
    finally:
        loop.run_until_complete(loop.shutdown_asyncgens())
        server.stop_threads()
        loop.close()
