"""A data set on its way from a child to replicas: what a full synchronisation without a file does.

    PipeTransfer      child --pipe--> server --> connection 1, connection 2 ...     which get the stream as well
    DirectTransfer    child ------------------> socket 1, socket 2 ...              which are for the data set only

Each piece goes to all replicas before the next one is taken, so the slowest sets the pace; who takes nothing for
repl-timeout is dropped, and when nobody is left the child ends. The size is not known in advance, so a mark of random
digits stands in front of the data and behind them.
"""

import contextlib
import errno
import fcntl
import os
import select
import signal
import socket
import time

from fastredis.persist.child import Child, Outcome
from fastredis.persist.snapshot import write_data_set

PIECE = 64 * 1024               # bytes of a data set that are passed on at a time
PIECES = 16                     # ... before others have their turn
PIPE_ROOM = 1024 * 1024         # what the kernel is asked to keep in the pipe
MARK_BYTES = 40                 # of the mark that ends a data set of unknown length


class SocketTransfer:
    """What both have in common. `sync` is the FullSync, whose transfer_ended() is called once.

    everyone    replicas that it began with
    replicas    those of them that are still there
    """

    def __init__(self, sync, replicas: list):
        self.sync = sync
        self.engine = sync.engine
        self.everyone = tuple(replicas)
        self.replicas = list(replicas)
        self.form = sync.form_of(replicas[0])
        self.mark = os.urandom(MARK_BYTES // 2).hex().encode()
        self.child: Child | None = None

    def _write(self, child: Child, target, write) -> bool:
        """In the child: the data set between its marks. write takes bytes, target is what write_data_set() takes."""
        def report(keys):
            child.keys_done = keys
            child.report(keys)
        try:
            write(b"$EOF:" + self.mark + b"\r\n")
            write_data_set(self.engine, target, report, *self.form)
            # A replica that has the mark may leave at once: that it did is no reason any more to end the child.
            signal.signal(signal.SIGUSR1, signal.SIG_IGN)
            write(self.mark)
        except OSError as error:
            if error.errno != errno.EPIPE:
                self.engine.log.warning(f"Write error sending DB to replicas: {os.strerror(error.errno)}")
            return False
        return True

    def left(self, replica) -> None:
        """A replica is gone."""
        if replica in self.replicas:
            self.replicas.remove(replica)
            if not self.replicas:
                self._give_up()

    def _give_up(self) -> None:
        """The last replica is gone."""
        self.child.dismiss()

    def cancel(self) -> None:
        """The data are about to become others: end the child, and who waits for it starts again."""
        self.child.kill()


class DirectTransfer(SocketTransfer):
    """The child writes to the sockets itself. The server has to leave them alone meanwhile."""

    def __init__(self, sync, replicas: list):
        """Fork the child. OSError when that cannot be."""
        super().__init__(sync, replicas)
        sockets = {replica.connection.descriptor: replica.name for replica in replicas}
        fan = Fan(sockets, sync.config["repl-timeout"], self.engine.log)
        self.child = Child(self.engine, "rdb", lambda child: self._write(child, fan.write, fan.write), self._ended)

    def drop_stalled(self, timeout_s: int) -> None:
        """Cron: nothing to do, as the Fan looks at repl-timeout itself."""

    def _ended(self, outcome: Outcome) -> None:
        self.sync.transfer_ended(self, outcome.succeeded)

    def cancel(self) -> None:
        for replica in self.replicas:
            replica.connection.hang_up()        # else the child could wait for a replica to take its last bytes
        super().cancel()


class Fan:
    """In the child: what is written goes to all sockets, as long as one of them takes it."""

    def __init__(self, sockets: dict[int, str], timeout_s: int, log):
        self.sockets, self.timeout_ms, self.log = sockets, timeout_s * 1000, log

    def write(self, data) -> None:
        """Write all of it. Errors: OSError(EPIPE) when no socket is left."""
        for descriptor, name in list(self.sockets.items()):
            try:
                self._write_to(descriptor, memoryview(data))
            except OSError as error:
                self.log.warning(f"Write error sending DB to replica {name}: {os.strerror(error.errno)}")
                del self.sockets[descriptor]
                with contextlib.suppress(OSError), socket.socket(fileno=os.dup(descriptor)) as sock:
                    sock.shutdown(socket.SHUT_RDWR)     # so that the server notices
        if not self.sockets:
            raise OSError(errno.EPIPE, os.strerror(errno.EPIPE))

    def _write_to(self, descriptor: int, data: memoryview) -> None:
        """The server needs the socket to be non-blocking, and both share that flag."""
        while data:
            try:
                data = data[os.write(descriptor, data):]
            except BlockingIOError:
                waiting = select.poll()
                waiting.register(descriptor, select.POLLOUT)
                if not waiting.poll(self.timeout_ms):
                    raise TimeoutError(errno.ETIMEDOUT, os.strerror(errno.ETIMEDOUT)) from None


class PipeTransfer(SocketTransfer):
    """The child writes into a pipe, and the server passes the pieces on: the stream follows on the same connections."""

    def __init__(self, sync, replicas: list):
        """Fork the child. OSError when that cannot be."""
        super().__init__(sync, replicas)
        self.loop = sync.engine.loop
        self.behind: set = set()                # those whose connections still hold the latest piece
        self.stalled_s = 0.0                    # since when the pipe is not read; 0: it is
        self.outcome: Outcome | None = None
        self.pipe, self._end = os.pipe()
        try:
            with contextlib.suppress(OSError):
                fcntl.fcntl(self.pipe, fcntl.F_SETPIPE_SZ, PIPE_ROOM)
            self.child = Child(self.engine, "rdb", self._work, self._ended)
        except OSError:
            os.close(self.pipe)
            raise
        finally:
            os.close(self._end)
        os.set_blocking(self.pipe, False)
        self.loop.add_reader(self.pipe, self._readable)

    def _work(self, child: Child) -> bool:
        """In the child."""
        os.close(self.pipe)
        return self._write(child, self._end, lambda data: os.write(self._end, data))

    def _readable(self) -> None:
        """Pass pieces on until the pipe is empty, or a replica does not take more."""
        for _ in range(PIECES):
            if self.pipe < 0:
                return
            try:
                data = os.read(self.pipe, PIECE)
            except BlockingIOError:
                return
            if not data:
                self._read_all()
                return
            self.engine.start_turn()
            try:
                for replica in list(self.replicas):
                    self.sync.replication.stream.bytes_out += len(data)
                    if not replica.connection.write(data):
                        self.behind.add(replica)
                        replica.connection.drained = lambda replica=replica: self._caught_up(replica)
            finally:
                self.engine.finish_turn()
            if self.behind and self.pipe >= 0:
                self.stalled_s = time.monotonic()
                self.loop.remove_reader(self.pipe)
                return

    def _caught_up(self, replica) -> None:
        replica.connection.drained = None
        self.behind.discard(replica)
        if not self.behind and self.stalled_s:
            self.stalled_s = 0.0
            if self.pipe >= 0:
                self.loop.add_reader(self.pipe, self._readable)

    def left(self, replica) -> None:
        if replica in self.replicas:
            super().left(replica)
            self._caught_up(replica)

    def _give_up(self) -> None:
        if self.outcome is None and self.pipe >= 0:
            self.engine.log.warning("Diskless rdb transfer, last replica dropped, killing fork child.")
            self._close_pipe()
            self.child.dismiss()

    def drop_stalled(self, timeout_s: int) -> None:
        """Cron: drop replicas that do not take their data set."""
        if self.stalled_s and time.monotonic() - self.stalled_s > timeout_s:
            for replica in list(self.behind):
                self.engine.log.warning(f"Disconnecting timedout replica (full sync): {replica.name}")
                replica.drop()

    def _close_pipe(self) -> None:
        if self.pipe >= 0:
            self.loop.remove_reader(self.pipe)
            os.close(self.pipe)
            self.pipe = -1

    def _read_all(self) -> None:
        self.engine.log.notice(f"Diskless rdb transfer, done reading from pipe, {len(self.replicas)} replicas still "
                               "up.")
        self._close_pipe()
        self._finish()

    def _ended(self, outcome: Outcome) -> None:
        """The child is gone; what it wrote may still be in the pipe."""
        self.outcome = outcome
        self._finish()

    def _finish(self) -> None:
        if self.outcome is None or (self.pipe >= 0 and self.outcome.succeeded):
            return
        self._close_pipe()
        self.sync.transfer_ended(self, self.outcome.succeeded)

    def cancel(self) -> None:
        self._close_pipe()
        super().cancel()
