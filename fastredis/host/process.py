"""What the server asks of the operating system about its own process: daemon, pidfile, title, supervisor."""

import contextlib
import os
import re
import signal
import socket
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from queue import SimpleQueue
from typing import Any, ClassVar, NoReturn

from fastredis.config.config import Config
from fastredis.host.logs import Logger
from fastredis.text import to_bytes

DEFAULT_PIDFILE = "/var/run/redis.pid"
PR_SET_NAME = 15  # linux/prctl.h
OOM_FILE = "/proc/self/oom_score_adj"
OOM_MASTER, OOM_REPLICA, OOM_CHILD = range(3)  # places in oom-score-adj-values
CPUS_MAX = 1024  # CPU_SETSIZE of sched.h
CPU_RANGE = re.compile(r"(\d+)(?:-(\d+)(?::(\d+))?)?", re.ASCII)


def daemonize() -> None:
    """Leave the terminal: two forks and a session of its own; standard streams go to /dev/null.

    Only for a process without threads and event loop. The parents exit with 0.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    if os.fork():
        os._exit(0)
    os.setsid()
    if os.fork():
        os._exit(0)
    null = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(null, stream)
    if null > 2:
        os.close(null)


def end_at_once(config: Config, is_bug: bool) -> NoReturn:
    """End the process, since to go on would do harm. A bug gives a core dump, unless use-exit-on-panic is on."""
    if config["use-exit-on-panic"] or not is_bug:
        os._exit(1)
    os.abort()


def c_library() -> Any:
    """The C library, for calls that Python does not have. Errors: OSError. It is imported when it is needed."""
    import ctypes

    return ctypes.CDLL(None)


def trim_heap() -> bool:
    """Give the system back what the C library's allocator holds but does not use; False where it cannot be asked.

    Time: it looks at all free blocks, about a second for some gigabytes in small pieces.
    """
    try:
        trim = c_library().malloc_trim
    except (OSError, AttributeError):
        return False
    trim(0)
    return True


def heap_figures() -> Any:
    """What the C library's allocator says of itself; None where it does not.

    struct mallinfo2 of glibc 2.33 and later, in bytes unless they are counts. Source: man 3 mallinfo2
    """
    from ctypes import Structure, c_size_t

    class HeapFigures(Structure):
        _fields_: ClassVar = [(name, c_size_t) for name in (
            "arena", "ordblks", "smblks", "hblks", "hblkhd", "usmblks", "fsmblks", "uordblks", "fordblks", "keepcost")]

    try:
        ask = c_library().mallinfo2
    except (OSError, AttributeError):
        return None
    ask.restype = HeapFigures
    return ask()


def small_objects_report() -> str:
    """What CPython's allocator of small objects says of itself. It writes to stderr and nowhere else."""
    import tempfile

    with tempfile.TemporaryFile() as report:
        kept = os.dup(2)
        os.dup2(report.fileno(), 2)
        try:
            sys._debugmallocstats()
        finally:
            os.dup2(kept, 2)
            os.close(kept)
        report.seek(0)
        return report.read().decode("utf-8", "replace")


def write_pidfile(path: str, log: Logger) -> None:
    """Write the process id. A failure is logged: the server runs without the file."""
    try:
        with open(path, "w", encoding="ascii") as stream:
            stream.write(f"{os.getpid()}\n")
    except OSError as error:
        log.warning(f"Failed to write PID file: {os.strerror(error.errno)}")


def remove_pidfile(path: str, log: Logger) -> None:
    try:
        os.unlink(path)
    except OSError:
        return
    log.notice("Removing the pid file.")


def set_title(config: Config, program: str = "") -> None:
    """Show proc-title-template in ps and top, if set-proc-title is on. program: what {title} stands for.

    The whole title needs the package `setproctitle`. In any case Linux shows the first 15 bytes, without the
    program's directory, as the process's short name (what top, `ps -o comm` and pgrep show).
    """
    if not config["set-proc-title"]:
        return
    program = program or program_name()
    template = config["proc-title-template"]
    try:
        import setproctitle
    except ImportError:
        pass
    else:
        title = config.process_title(template, program) or program
        setproctitle.setproctitle(to_bytes(title).decode("utf-8", "replace"))   # it takes no other bytes
    set_short_name(config.process_title(template, os.path.basename(program)) or "fastredis")


def program_name() -> str:
    """How the program was called; with python -m that is the name of the package."""
    called = sys.argv[0]
    return "fastredis" if not called or os.path.basename(called) == "__main__.py" else called


def set_short_name(title: str) -> None:
    """Name the process, for top, pgrep and `ps -o comm`, by the first 15 bytes of the title; only Linux can."""
    if not sys.platform.startswith("linux"):
        return
    c_library().prctl(PR_SET_NAME, os.fsencode(title)[:15], 0, 0, 0)


class OomScore:
    """The process's oom_score_adj, as `oom-score-adj` and `oom-score-adj-values` want it.

    What it was before is put back when the setting is switched off.
    """

    def __init__(self, config: Config, log: Logger):
        self._config = config
        self._log = log
        self._before: int | None = None  # None: it is as the process found it

    def apply(self, role: int) -> bool:
        """Set it for a role, one of OOM_*; False, and a line in the log, if the system refuses."""
        mode = self._config["oom-score-adj"]
        try:
            if mode == "no":
                if self._before is not None:
                    before, self._before = self._before, None
                    self._write(before)
                return True
            if self._before is None:
                with open(OOM_FILE, encoding="ascii") as stream:
                    self._before = int(stream.read())
            value = self._config["oom-score-adj-values"][role] + (0 if mode == "absolute" else self._before)
            self._write(max(-1000, min(1000, value)))
        except OSError as error:
            self._log.warning(f"Unable to write oom_score_adj: {os.strerror(error.errno)}")
            return False
        return True

    @staticmethod
    def _write(value: int) -> None:
        with open(OOM_FILE, "w", encoding="ascii") as stream:
            stream.write(f"{value}\n")


def cpu_list(text: str) -> set[int] | None:
    """The processors that a list like "0,2-3" or "0-20:2" (every second one) names; None when it is malformed."""
    cpus: set[int] = set()
    for part in text.split(","):
        found = CPU_RANGE.fullmatch(part)
        if found is None:
            return None
        first, last, step = int(found[1]), int(found[2] or found[1]), int(found[3] or 1)
        if first > last or step == 0:
            return None
        cpus.update(range(first, min(last + 1, CPUS_MAX), step))
    return cpus


class CpuLists:
    """Which processors the server's thread, its other threads and its children run on: the settings *-cpulist.

    A list that is malformed, or that the system refuses, is logged and has no effect.
    """

    def __init__(self, config: Config, log: Logger):
        self._config = config
        self._log = log
        self._before = os.sched_getaffinity(0)

    def apply(self, name: str, thread_id: int = 0) -> None:
        """Bind a thread, this one (0) or another, as the setting says; without a list it stays as it is."""
        text = self._config[name]
        if not text:
            return
        cpus = cpu_list(text)
        if cpus is None:
            self._log.warning(f"Invalid {name}: '{text}'")
            return
        try:
            os.sched_setaffinity(thread_id, cpus)
        except OSError as error:
            self._log.warning(f"Unable to bind to the processors of {name} '{text}': {os.strerror(error.errno)}")

    def place_thread(self, thread_id: int) -> None:
        """For a thread that does what would block the server's: bio-cpulist holds for it, but not server-cpulist."""
        if self._config["server-cpulist"]:
            with contextlib.suppress(OSError):
                os.sched_setaffinity(thread_id, self._before)
        self.apply("bio-cpulist", thread_id)


class Threads(ThreadPoolExecutor):
    """Threads for what would block the loop: closing large files, syncing others, looking names up.

    All of them begin at once, and RuntimeError says that they cannot: a pool that starts a thread when a job comes may
    have taken the job and fail all the same. Nobody waits for them at the end of the process. Event loops take nothing
    else than a ThreadPoolExecutor for their default, but nothing of that is used here.
    """

    def __init__(self, name: str, count: int, place: Callable[[int], None]):
        self._jobs: SimpleQueue = SimpleQueue()
        self._all: list[threading.Thread] = []
        try:
            for number in range(count):
                thread = threading.Thread(target=self._work, name=f"{name}-{number}", daemon=True)
                thread.start()
                self._all.append(thread)
                place(thread.native_id)
        except RuntimeError:
            self.shutdown(wait=False)
            raise

    def submit(self, function, /, *args, **kwargs) -> Future:
        future: Future = Future()
        self._jobs.put((future, function, args, kwargs))
        return future

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            future, function, args, kwargs = job
            if not future.set_running_or_notify_cancel():
                continue
            try:
                result = function(*args, **kwargs)
            except BaseException as error:
                future.set_exception(error)
            else:
                future.set_result(result)
            del job, future, function, args, kwargs

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        for _ in self._all:
            self._jobs.put(None)
        if wait:
            for thread in self._all:
                thread.join()


def supervised_by(config: Config, log: Logger) -> str | None:
    """Find the supervisor ("systemd" or "upstart") that `supervised` asks for, and greet it; None without one."""
    mode = config["supervised"]
    if mode == "auto":
        mode = "upstart" if "UPSTART_JOB" in os.environ else "systemd" if "NOTIFY_SOCKET" in os.environ else "no"
    if mode == "upstart":
        return mode if _greet_upstart(log) else None
    if mode == "systemd":
        if not notify_systemd("STATUS=Redis is loading...\n", log):
            return None
        log.notice(
            "Supervised by systemd. Please make sure you set appropriate values for TimeoutStartSec and "
            "TimeoutStopSec in your service unit."
        )
        return mode
    return None


def _greet_upstart(log: Logger) -> bool:
    """upstart's `expect stop`: the job is started once the process has stopped itself."""
    if "UPSTART_JOB" not in os.environ:
        log.warning("upstart supervision requested, but UPSTART_JOB not found!")
        return False
    log.notice("supervised by upstart, will stop to signal readiness.")
    os.kill(os.getpid(), signal.SIGSTOP)
    del os.environ["UPSTART_JOB"]
    return True


def notify_systemd(message: str, log: Logger) -> bool:
    """Send sd_notify(3)'s datagram, e.g. "READY=1\\n"; return whether it went out."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        log.warning("systemd supervision error: NOTIFY_SOCKET not found!")
        return False
    if address.startswith("@"):
        address = "\0" + address[1:]
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as channel:
            channel.sendto(message.encode(), address)
    except OSError as error:
        log.warning(f"systemd supervision error: sd_notify: {os.strerror(error.errno)}")
        return False
    return True
