"""A child process that works on a copy of the data: what BGSAVE, AOF rewrites and full synchronisations share.

    server                                   child: the memory as it was at the fork
    Child(engine, "rdb", ...) --- fork -->   work(child) --> child.report(keys) ...
    loop.add_reader           <-- pipe ---   Report: keys written, bytes copied on write
    done(outcome)             <-- exit ---   os._exit

There is one at a time: `engine.child`. While it works, tables are not resized, since what moves is copied for the
child. The server never waits for a process: the pipe tells of progress, and its end that the process is ending. Who is
killed is out of the way at once (`engine.child` is None, done() was called), although the process may be long in dying:
it may be in a system call that does not return. So what it has begun must not matter to anybody: it writes to a name
of its own, that of its process id, and it is the server who gives a file the name that counts.

In the child only the thread that forked lives. It uses no event loop, collects no garbage (that would write to all
objects), and leaves by os._exit in any case, so that nothing the server has buffered is written twice. SIGUSR1 ends
it, and is no failure: the work is not wanted any more. The server itself sends SIGKILL, which ends a stopped process,
too. SIGTERM and SIGINT, which a terminal or a supervisor sends to whole groups of processes, are left to the server.
"""

import contextlib
import gc
import os
import signal
import struct
import sys
import time
import traceback
from collections.abc import Callable
from typing import NamedTuple

from fastredis.engine.core import FIXED_BY_CHILD
from fastredis.persist.files import remove_in_background

REPORT = struct.Struct("=?QQ")  # whether it is the last one, bytes copied on write, keys written
REPORT_SECONDS = 1.0            # between two reports
COW_SHARE = 100                 # looking for copied pages may take one part in so many of the child's time
REAP_SECONDS = 0.001            # until it is looked whether the process has ended; twice as long each time,
REAP_SECONDS_MOST = 1.0         # ... up to this
DISMISS_SECONDS = 5.0           # a child that is not wanted has so long to end by itself
LOG_NAMES = {"rdb": "RDB", "aof": "AOF rewrite"}


class Outcome(NamedTuple):
    """How a child ended."""

    exit_code: int      # -1: by a signal
    signal: int         # 0: by itself

    @property
    def succeeded(self) -> bool:
        return self.exit_code == 0 and not self.signal

    @property
    def was_killed(self) -> bool:
        """Whether the server itself ended it, which is no failure."""
        return self.signal == signal.SIGUSR1


def private_dirty() -> int:
    """Bytes of this process's memory that it shares with nobody since they were written to; 0: not known."""
    for path in ("/proc/self/smaps_rollup", "/proc/self/smaps"):
        with contextlib.suppress(OSError), open(path, "rb") as stream:
            return sum(int(line.split()[1]) for line in stream if line.startswith(b"Private_Dirty:")) * 1024
    return 0


def fork(engine) -> int:
    """os.fork(), with signals held back until each process knows what to do with them. OSError when it fails."""
    collects = gc.isenabled()
    gc.disable()
    held = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    pid = -1
    try:
        started = time.monotonic()
        pid = os.fork()
        if pid:
            engine.metrics.forked(int((time.monotonic() - started) * 1e6))
        else:
            # The descriptor belongs to the server's event loop: a byte there would be a signal to the server.
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGUSR1, signal.SIG_DFL)
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            signal.signal(signal.SIGINT, signal.SIG_IGN)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, held)
        if pid and collects:
            gc.enable()
    return pid


class Child:
    """A process at work. Making one forks it; OSError when that fails.

    kind          "rdb" or "aof"
    work          function of the Child, run in the child: True for success. It logs what fails.
    done          function of the Outcome, run in the server when the child has ended, or was killed, and `engine.child`
                  is None again
    temporary     function of a process id: the file that the child writes. It is removed unless the child succeeds.
    pid           of the child
    file, folder  that file, "": there is none; and where it is
    keys_total    keys there were at the fork
    keys_done     keys that the child has reported
    cow_size      bytes that were copied on write, at the latest report
    cow_peak      most of it
    """

    def __init__(self, engine, kind: str, work: Callable[["Child"], bool], done: Callable[[Outcome], None],
                 temporary: Callable[[int], str] | None = None):
        if engine.child is not None:
            raise RuntimeError("a child is at work already")
        self.engine = engine
        self.kind = kind
        self.keys_total = engine.count_keys()
        self.keys_done = self.cow_size = self.cow_peak = 0
        self._done = done
        self._unread = b""
        self._cow_sum = self._cow_samples = 0       # in the child
        self._reported = self._cow_seen = self._cow_cost = 0.0
        self._cow_time = 0.0
        self._pipe, end = os.pipe()
        try:
            self.pid = fork(engine)
        except OSError:
            os.close(self._pipe)
            os.close(end)
            raise
        if self.pid == 0:
            self._run(work, end)
        os.close(end)
        self.folder = engine.config["dir"]
        self.file = temporary(self.pid) if temporary is not None else ""
        engine.child = self
        engine.fix_tables(FIXED_BY_CHILD, True)
        os.set_blocking(self._pipe, False)
        engine.loop.add_reader(self._pipe, self._readable)

    # --- in the child ---------------------------------------------------------------

    def _run(self, work: Callable[["Child"], bool], pipe: int) -> None:
        """All that the child does. It does not return, whatever fails: it would go on as a second server."""
        code = 1
        try:
            os.close(self._pipe)
            self._pipe = pipe
            self.engine.host.in_child(self.kind)
            if work(self):
                self.report(self.keys_done, last=True)
                code = 0
        finally:
            try:
                if sys.exc_info()[0] is not None:
                    self.engine.log.warning("Bug: a child failed with an exception\n" + traceback.format_exc())
            finally:
                os._exit(code)

    def report(self, keys: int, last: bool = False) -> None:
        """Tell the server how far the work is; called as often as one likes."""
        now = time.monotonic()
        if not last and now - self._reported < REPORT_SECONDS:
            return
        self._reported = now
        self.keys_done = keys
        if last or now - self._cow_time >= self._cow_cost * COW_SHARE:
            self._measure(last)
        try:
            os.write(self._pipe, REPORT.pack(last, self.cow_size, keys))
        except BrokenPipeError:
            os._exit(1)                     # the server has ended: nobody wants this

    def _measure(self, last: bool) -> None:
        started = time.monotonic()
        self.cow_size = private_dirty()
        self._cow_time = time.monotonic()
        self._cow_cost = self._cow_time - started
        self.cow_peak = max(self.cow_peak, self.cow_size)
        self._cow_sum += self.cow_size
        self._cow_samples += 1
        if self.cow_size:
            text = (f"Fork CoW for {LOG_NAMES[self.kind]}: current {self.cow_size >> 20} MB, "
                    f"peak {self.cow_peak >> 20} MB, average {self._cow_sum // self._cow_samples >> 20} MB")
            (self.engine.log.notice if last else self.engine.log.verbose)(text)

    # --- in the server --------------------------------------------------------------

    @property
    def fraction(self) -> float:
        """How much of the work is done, 0 to 1."""
        return min(1.0, self.keys_done / self.keys_total) if self.keys_total else 0.0

    @property
    def cow_age_s(self) -> int:
        """Seconds since the latest report of what was copied."""
        return int(time.monotonic() - self._cow_seen) if self._cow_seen else 0

    def kill(self) -> None:
        """End the child. It is out of the way when this returns, and done() was called."""
        if self.engine.child is not self:
            return                          # it has ended
        self._signal(signal.SIGKILL)
        self._stop_reading()
        self._reap_killed(REAP_SECONDS)
        self._finish(Outcome(-1, signal.SIGUSR1))

    def dismiss(self) -> None:
        """The work is not wanted any more; a child that has all but done it may end by itself. done() comes later."""
        self._signal(signal.SIGUSR1)
        self.engine.loop.call_later(DISMISS_SECONDS, self.kill)

    def _signal(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, number)

    def _readable(self) -> None:
        """Callback of the loop: take reports; at the end of the pipe, see the process end."""
        if not self._read():
            self._stop_reading()
            self._reap(REAP_SECONDS)

    def _read(self) -> bool:
        """Take what the child reported; False at the end."""
        try:
            data = os.read(self._pipe, 64 * REPORT.size)
        except BlockingIOError:
            return True
        self._unread += data
        while len(self._unread) >= REPORT.size:
            last, cow_size, self.keys_done = REPORT.unpack_from(self._unread)
            self._unread = self._unread[REPORT.size:]
            self.cow_size = cow_size
            self.cow_peak = max(self.cow_peak, cow_size)
            self._cow_seen = time.monotonic()
            if last:
                self.engine.metrics.cow_sizes[self.kind] = cow_size
        return bool(data)

    def _stop_reading(self) -> None:
        if self._pipe >= 0:
            self.engine.loop.remove_reader(self._pipe)
            os.close(self._pipe)
            self._pipe = -1

    def _reap(self, seconds: float) -> None:
        """Look whether the process has ended; if not, look again later."""
        if self.engine.child is not self:
            return                          # kill() came between
        pid, status = wait_for(self.pid)
        if pid:
            by_signal = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
            self._finish(Outcome(-1 if by_signal else os.WEXITSTATUS(status), by_signal))
        else:
            self.engine.loop.call_later(seconds, self._reap, min(seconds * 2, REAP_SECONDS_MOST))

    def _reap_killed(self, seconds: float) -> None:
        """The same for a process that nobody waits for. It may have made its file after that was removed."""
        pid, _ = wait_for(self.pid)
        if pid:
            self.remove_file()
        else:
            self.engine.loop.call_later(seconds, self._reap_killed, min(seconds * 2, REAP_SECONDS_MOST))

    def _finish(self, outcome: Outcome) -> None:
        self.engine.child = None
        self.engine.fix_tables(FIXED_BY_CHILD, False)
        if not outcome.succeeded:
            self.remove_file()
        self._done(outcome)

    def remove_file(self) -> None:
        """Remove what the child wrote, if it is there still."""
        if self.file:
            remove_in_background(self.engine, self.folder, self.file)


def wait_for(pid: int) -> tuple[int, int]:
    """os.waitpid() without waiting: (0, 0) if the process lives; whom somebody else has waited for counts as failed."""
    try:
        return os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        return pid, 1 << 8
