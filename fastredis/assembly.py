"""An engine with all its parts, and its life: what a server has without its sockets, and what embeds an engine.

    engine = assemble(config, log, loop)
    prepare(engine)                 threads; from now on clients are answered LOADING
    await start(engine)             the data; then timers and replication
    engine.service.end_service(0)   nothing is executed any more, connections are closed
    stop(engine)                    no thread and no timer is left

Nothing here concerns the process as a whole: several engines, each on its loop, may be in one.
"""

import asyncio
import time
from collections.abc import Callable

from fastredis import commands
from fastredis.config.config import Config
from fastredis.engine.acl.users import Users
from fastredis.engine.blocking import Blocked
from fastredis.engine.busy import Busy
from fastredis.engine.client_list import describe
from fastredis.engine.command import CommandTable, declared_commands
from fastredis.engine.commandlog import CommandLog
from fastredis.engine.core import GATE_LOADING
from fastredis.engine.engine import Engine
from fastredis.engine.evict import Evictor
from fastredis.engine.hooks import Host
from fastredis.engine.metrics import Metrics
from fastredis.engine.monitor import Monitors
from fastredis.engine.pubsub import PubSub, set_notify
from fastredis.engine.tracking import Tracking
from fastredis.host.logs import VERBOSE, Logger
from fastredis.host.process import Threads, end_at_once
from fastredis.persist.aof_files import AofFiles
from fastredis.persist.loading import Loading
from fastredis.persist.saver import LOADING, Saver
from fastredis.replication.ending import Ending
from fastredis.replication.state import Replication
from fastredis.scripting.scripts import Scripts

RESOLVERS = 2               # threads that look names up: a name that nobody answers for takes long
BACKGROUND_THREADS = 3      # ... and for files

# Settings that Engine.configure() takes over.
ENGINE_SETTINGS = (
    "client-output-buffer-limit", "proto-max-bulk-len", "client-query-buffer-limit", "maxmemory", "maxmemory-policy",
    "lfu-log-factor", "lfu-decay-time", "latency-tracking", "lazyfree-lazy-expire", "lazyfree-lazy-server-del",
    "lazyfree-lazy-user-del", "lazyfree-lazy-eviction", "replica-ignore-maxmemory", "repl-backlog-size",
    "maxmemory-clients", "maxmemory-samples", "maxmemory-eviction-tenacity", "latency-monitor-threshold",
    "import-mode",
    "list-max-listpack-size", "list-compress-depth", "hash-max-listpack-entries", "hash-max-listpack-value",
    "set-max-intset-entries", "set-max-listpack-entries", "set-max-listpack-value", "zset-max-listpack-entries",
    "zset-max-listpack-value", "hll-sparse-max-bytes", "stream-node-max-bytes",
    "stream-node-max-entries",
    "slowlog-log-slower-than", "slowlog-max-len", "commandlog-request-larger-than", "commandlog-large-request-max-len",
    "commandlog-reply-larger-than", "commandlog-large-reply-max-len", "tracking-table-max-keys",
)


def assemble(config: Config, log: Logger, loop: asyncio.AbstractEventLoop | None, host: Host | None = None,
             on_fatal: Callable[[str, bool], None] | None = None) -> Engine:
    """An engine with all its parts. It serves nobody yet, and has loaded nothing.

    loop: where its timers are; None: nothing is scheduled. on_fatal: called when going on would do harm, with the
    reason and whether that is a bug; it must not return. Without it the process ends. FatalConfigError: a
    rename-command or a user makes no sense.
    """
    commands.load()
    engine = Engine(config.databases, len(declared_commands()))
    engine.config, engine.log, engine.loop = config, log, loop
    engine.host = host or Host()
    engine.on_fatal = on_fatal or (lambda text, is_bug: end_at_once(config, is_bug))
    engine.describe = lambda client: describe(client, config.hide_user_data_from_log)
    engine.commands = CommandTable(renamed_commands(config))
    engine.pubsub = PubSub(engine)
    engine.monitors = Monitors(engine)
    engine.blocked = Blocked(engine)
    engine.busy = Busy(engine)
    engine.evictor = Evictor(engine)
    engine.command_log = CommandLog(engine)
    engine.tracking = Tracking(engine)
    engine.configure(config)
    engine.users = Users(engine)
    engine.users.load_at_start(config.user_directives)
    engine.metrics = Metrics(engine)
    engine.saver = Saver(engine)
    engine.loading = Loading(engine)
    engine.aof = AofFiles(engine)
    engine.replication = Replication(engine)
    engine.service = Ending(engine)
    engine.scripts = Scripts(engine)
    engine.scripts.configure(config)
    config.on_change("busy-reply-threshold", engine.scripts.configure)
    set_notify(engine, config.notify_keyspace_events)
    for name in ENGINE_SETTINGS:
        config.on_change(name, engine.configure)
    config.on_change("notify-keyspace-events", lambda c: set_notify(engine, c.notify_keyspace_events))
    return engine


def renamed_commands(config: Config) -> dict[bytes, bytes]:
    """The rename-command directives: a command's name -> the new one, empty where it is removed.

    Each directive begins with the names that those before it have left.
    """
    names = {command.name: command.name for command in declared_commands() if b"|" not in command.name}
    renamed = dict.fromkeys(names, b"")
    for directive in config.renamed_commands:
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


def prepare(engine: Engine, place_thread: Callable[[int], None] = lambda thread_id: None) -> None:
    """Start all threads there will ever be, and close the gate until the data are loaded.

    place_thread: called with the number of each, for sched_setaffinity(2). OSError or RuntimeError: the system does not
    have so many.
    """
    engine.aof.feed.start(place_thread)
    engine.resolvers = Threads("names", RESOLVERS, place_thread)
    engine.threads = Threads("background", BACKGROUND_THREADS, place_thread)
    engine.gate(GATE_LOADING, True)
    engine.saver.obstacle = LOADING


async def start(engine: Engine) -> bool:
    """Load the data; then let clients in, and begin what is done by time. False: that failed, or the end came."""
    if not engine.aof.read_manifest() or not await engine.loading.load_at_start():
        engine.gate(GATE_LOADING, True)     # nobody sees a part of the data while the loop ends
        return False
    if engine.ending:
        return False
    engine.loaded = True
    engine.saver.obstacle = None
    engine.gate(GATE_LOADING, False)
    engine.replication.start()
    engine.loop.call_later(1 / engine.config.hz, Cron(engine).run)
    return True


def stop(engine: Engine) -> None:
    """The service has ended: leave no thread, and no timer on the loop."""
    if not engine.ending:
        engine.service.end_service(0)
    engine.aof.feed.stop()
    engine.scripts.end_sessions()
    for threads in (engine.resolvers, engine.threads):
        if threads is not None:
            threads.shutdown(wait=False)
    engine.unschedule()


class Cron:
    """What has to be looked at `hz` times a second."""

    def __init__(self, engine: Engine):
        self.engine = engine
        self.config = engine.config
        self._clients: list[int] = []       # ids of those that are still to be looked at in this round

    def run(self) -> None:
        """Timer."""
        engine = self.engine
        if engine.ending:
            return                      # the loop is about to end: no child should be begun now
        started = time.monotonic()
        engine.loop.call_later(1 / self.config.hz, self.run)
        engine.host.cron()
        engine.cron()
        engine.tracking.cron()
        try:
            engine.pubsub.shrink_buffers()
            engine.monitors.shrink_buffers()
            if not engine.host.cron_paused:
                self._look_at_clients()
                engine.saver.cron()
                engine.aof.cron()
                engine.replication.cron()
                engine.service.cron()
            if self.config.activerehashing:
                engine.rehash()
        finally:
            engine.finish_turn()
        engine.metrics.sample((time.monotonic() - started) * 1e6)

    def _look_at_clients(self) -> None:
        """Look at a part of the clients, so that each has its turn once a second."""
        clients = self.engine.clients
        if not self._clients:
            self._clients = list(clients)
        share = max(5, len(clients) // self.config.hz + 1)
        batch, self._clients = self._clients[:share], self._clients[share:]
        timeout_ms = self.config.timeout * 1000
        for client_id in batch:
            client = clients.get(client_id)
            if client is None:
                continue
            if timeout_ms and client.may_time_out and client.now_ms - client.active_ms > timeout_ms:
                self.engine.log.limited("idle client", VERBOSE, "Closing idle client")
                client.kill()
                continue
            client.shrink_buffers()
            client.check_output_limit()
