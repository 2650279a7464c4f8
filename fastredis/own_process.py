"""The process that is a server and nothing else, as the command line makes it: limits, signals, crash reports.

All that concerns the process as a whole stands here and in cli, for a program that embeds a server keeps its own ways.
"""

import asyncio
import contextlib
import gc
import os
import resource
import signal
from collections.abc import Iterator

import fastredis
from fastredis.config.config import Config, ConfigError
from fastredis.host.crash import end_without_python_memory, exit_without_memory, report_trouble
from fastredis.host.logs import Logger
from fastredis.host.process import (
    OOM_CHILD,
    OOM_MASTER,
    OOM_REPLICA,
    CpuLists,
    OomScore,
    c_library,
    set_title,
)
from fastredis.host.surroundings import Surroundings
from fastredis.host.system import warnings_of_system

RESERVED_FILES = 32         # file descriptors that are not for clients
PR_SET_THP_DISABLE = 41     # linux/prctl.h
TITLES = {"rdb": "redis-rdb-bgsave", "aof": "redis-aof-rewrite", "debug": "redis-debug"}
CPU_LISTS = {"rdb": "bgsave-cpulist", "aof": "aof-rewrite-cpulist"}


class OwnProcess(Surroundings):
    """The process is the server."""

    def __init__(self, config: Config, log: Logger):
        self.config = config
        self.log = log
        self.oom_score = OomScore(config, log)
        self.cpu_lists = CpuLists(config, log)
        self._is_replica = False
        self._server = None

    def enter(self, server) -> None:
        config, self._server = self.config, server
        for text in warnings_of_system(config):
            self.log.warning(text)
        if not self._raise_file_limit():
            self._reduce_maxclients()
        if config["disable-thp"]:
            c_library().prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0)
        self._set_oom_score()
        self.cpu_lists.apply("server-cpulist")
        config.on_change("maxclients", self._change_maxclients)
        config.on_change("oom-score-adj", self._change_oom_score)
        config.on_change("oom-score-adj-values", self._change_oom_score)
        config.on_change("watchdog-period", lambda c: self._set_watchdog())
        config.on_change("use-exit-on-panic", lambda c: exit_without_memory(c["use-exit-on-panic"]))
        if config.function_modules:
            from fastredis.embed.function_modules import load_modules

            load_modules(server.engine)

    def place_thread(self, thread_id: int) -> None:
        self.cpu_lists.place_thread(thread_id)

    def ready(self) -> None:
        gc.collect()
        gc.freeze()

    def cron(self) -> None:
        if self.config["watchdog-period"]:
            self._set_watchdog()

    def in_child(self, kind: str) -> None:
        self.oom_score.apply(OOM_CHILD)
        if kind in CPU_LISTS:
            self.cpu_lists.apply(CPU_LISTS[kind])
        set_title(self.config, TITLES[kind])

    # --- limits -------------------------------------------------------------------------

    def role_changed(self, is_replica: bool) -> None:
        self._is_replica = is_replica
        self._set_oom_score()

    def _set_oom_score(self) -> bool:
        """Tell the kernel what the process is worth in its role; False if it does not want to know."""
        return self.oom_score.apply(OOM_REPLICA if self._is_replica else OOM_MASTER)

    def _change_oom_score(self, config: Config) -> None:
        if not self._set_oom_score():
            raise ConfigError("Failed to set current oom_score_adj. Check server logs.")

    def _change_maxclients(self, config: Config) -> None:
        if not self._raise_file_limit():
            raise ConfigError("The operating system is not able to handle the specified number of clients, try with "
                              f"{resource.getrlimit(resource.RLIMIT_NOFILE)[0] - RESERVED_FILES}")

    def _raise_file_limit(self) -> bool:
        """Ask the system for as many file descriptors as maxclients needs."""
        needed = self.config["maxclients"] + RESERVED_FILES
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
        wanted = self.config["maxclients"]
        self.log.warning(f"You requested maxclients of {wanted} requiring at least {wanted + RESERVED_FILES} max file "
                         "descriptors.")
        self.config.set_value("maxclients", max(1, files - RESERVED_FILES))
        self.log.warning(f"Current maximum open files is {files}. maxclients has been reduced to "
                         f"{self.config['maxclients']} to compensate for low ulimit. If you need higher maxclients "
                         "increase 'ulimit -n'.")

    # --- signals ------------------------------------------------------------------------

    def serve(self) -> None:
        """redis-server's table: TERM and INT end the server, HUP does nothing, crashes and ALRM are reported.

        PIPE is ignored by Python, and so is XFSZ: a file that grows beyond a limit is to the server as a full disk.
        Any other signal does what it always does.
        """
        for number in (signal.SIGTERM, signal.SIGINT):
            self._server.loop.add_signal_handler(number, self._signalled, number)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        self._server.loop.set_exception_handler(self._unhandled)
        report_trouble(self.config["logfile"], fastredis.__version__, self.config["crash-log-enabled"])
        exit_without_memory(self.config["use-exit-on-panic"])
        end_without_python_memory()

    def _unhandled(self, loop: asyncio.AbstractEventLoop, context: dict) -> None:
        """An exception has come to the loop. Without memory the work of a timer or a task would be lost: the end.

        A client's connection is closed.
        """
        if isinstance(context.get("exception"), MemoryError) and "transport" not in context:
            self._server.engine.panic("out of memory in the event loop")
        loop.default_exception_handler(context)

    def _signalled(self, number: int) -> None:
        """SIGTERM or SIGINT: shut down, soon; a second SIGINT ends the process at once."""
        engine = self._server.engine
        if engine.service.signal is not None and number == signal.SIGINT:
            self._insisted()
        if not engine.ending and not engine.loaded:
            self.log.warning("Received shutdown signal during loading, exiting now.")
            engine.ending = True
            self._server.end(0)
        else:
            engine.service.signalled(number)

    def _insisted(self, *_) -> None:
        """A second SIGINT, maybe while the data is saved: leave no half of a file, and exit."""
        self.log.warning("You insist... exiting now.")
        with contextlib.suppress(OSError):
            self.config["dir"].remove(self._server.engine.saver.temporary)
        os._exit(1)

    @contextlib.contextmanager
    def saving_at_end(self) -> Iterator[None]:
        """The loop does not run meanwhile: a SIGINT is heard all the same."""
        before = signal.signal(signal.SIGINT, self._insisted)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)

    def _set_watchdog(self) -> None:
        """Have SIGALRM report where the process is stuck if the next call does not come within the period; 0: none."""
        signal.setitimer(signal.ITIMER_REAL, self.config["watchdog-period"] / 1000)
