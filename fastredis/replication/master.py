"""The master's side of replication: replicas that attach, and how each gets to where the stream can go on.

    PSYNC id offset    known history, offset in the backlog --> +CONTINUE, ONLINE at once
                       else WAIT_START --(one child for all who wait)--> WAIT_END --> SEND_BULK --> ONLINE
                                          +FULLRESYNC, a Reader keeps        file, or the child's pipe to all at once
                                          its place in the stream

A data set is written for all replicas that wait when the child begins: to the RDB file, from which each is sent at its
own pace, or (repl-diskless-sync) into a pipe, of which every piece goes to all of them, so that the slowest sets the
pace. What changes meanwhile gathers in the backlog, behind each replica's place.
A replica that got its data through the pipe is sent the stream when it says that it has loaded them (REPLCONF ACK).
Source: https://redis.io/docs/latest/operate/oss_and_stack/management/replication/
"""

import contextlib
import errno
import fcntl
import os
import secrets
import time

from fastredis.persist.child import Child, Outcome
from fastredis.persist.saver import keeps_nothing, remove_in_background
from fastredis.persist.snapshot import write_data_set
from fastredis.replication.stream import Reader

ATTACHING, WAIT_START, WAIT_END, SEND_BULK, ONLINE = range(5)
STATE_NAMES = {WAIT_START: "wait_bgsave", WAIT_END: "wait_bgsave", SEND_BULK: "send_bulk", ONLINE: "online"}
PIECE = 64 * 1024               # bytes of a data set that are sent at a time
PIECES = 16                     # ... before others have their turn
PIPE_ROOM = 1024 * 1024         # what the kernel is asked to keep in the pipe
MARK_BYTES = 40                 # of the mark that ends a data set of unknown length
DISK, SOCKETS = "disk", "replicas sockets"


class Replica:
    """One attached replica, or a connection that REPLCONF says will be one.

    state           one of the above; ATTACHING until PSYNC or SYNC
    host, port      where it says that it listens; "" and 0: it has not said so
    knows_eof       it takes a data set of unknown length
    knows_psync2    it takes +CONTINUE with an id
    rdb_only        it wants a data set and no stream
    old             it came with SYNC: it does not acknowledge
    reader          its place in the stream; None: it has none
    acked           offset that it has acknowledged
    aof_acked       ... and has on its disk
    acked_s         when it acknowledged last (monotonic)
    has_acked       it has acknowledged something: a data set that came through a pipe is loaded
    awaits_ack      the stream is sent as soon as it has
    target          DISK or SOCKETS: where from it is sent its data set
    file            descriptor of the file it is being sent; -1: none
    """

    def __init__(self, connection):
        self.connection = connection
        self.state = ATTACHING
        self.host, self.port = "", 0
        self.knows_eof = self.knows_psync2 = self.rdb_only = self.old = False
        self.reader: Reader | None = None
        self.acked = self.aof_acked = 0
        self.acked_s = time.monotonic()
        self.has_acked = self.awaits_ack = False
        self.target = ""
        self.file = -1
        self.unsent = b""

    @property
    def ip(self) -> str:
        return self.host or self.connection.peer.decode(errors="replace").rpartition(":")[0].strip("[]")

    @property
    def name(self) -> str:
        """For the log."""
        return f"{self.ip}:{self.port}" if self.port else f"client id #{self.connection.id}"

    @property
    def lag_s(self) -> int:
        """Seconds since its latest acknowledgement."""
        return int(time.monotonic() - self.acked_s)

    @property
    def state_name(self) -> str:
        return STATE_NAMES[self.state]

    def go_online(self) -> None:
        """It has the data set: the stream may be sent."""
        self.state = ONLINE
        self.awaits_ack = False
        self.acked_s = time.monotonic()
        self.reader.begin()

    def drop(self) -> None:
        """Close its connection."""
        self.connection.kill()


def replica_of(connection) -> Replica:
    """What is known of a connection as a replica."""
    if connection.replica is None:
        connection.replica = Replica(connection)
    return connection.replica


class PipeTransfer:
    """A data set on its way from a child, through a pipe, to several replicas at once."""

    def __init__(self, sync: "FullSync", replicas: list[Replica]):
        """Fork the child. OSError when that cannot be."""
        self.sync = sync
        self.engine = sync.engine
        self.loop = sync.engine.loop
        self.replicas = replicas
        self.behind: set[Replica] = set()       # those whose connections still hold the latest piece
        self.stalled_s = 0.0                    # since when the pipe is not read; 0: it is
        self.outcome: Outcome | None = None
        self.mark = secrets.token_hex(MARK_BYTES // 2).encode()
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
        """In the child: write the data set between its marks."""
        os.close(self.pipe)

        def report(keys):
            child.keys_done = keys
            child.report(keys)
        try:
            os.write(self._end, b"$EOF:" + self.mark + b"\r\n")
            write_data_set(self.engine, self._end, report)
            os.write(self._end, self.mark)
        except OSError as error:
            if error.errno != errno.EPIPE:
                self.engine.log.warning(f"Write error sending DB to replicas: {os.strerror(error.errno)}")
            return False
        return True

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

    def _caught_up(self, replica: Replica) -> None:
        replica.connection.drained = None
        self.behind.discard(replica)
        if not self.behind and self.stalled_s:
            self.stalled_s = 0.0
            if self.pipe >= 0:
                self.loop.add_reader(self.pipe, self._readable)

    def left(self, replica: Replica) -> None:
        """A replica is gone."""
        if replica not in self.replicas:
            return
        self.replicas.remove(replica)
        if not self.replicas and self.outcome is None and self.pipe >= 0:
            self.engine.log.warning("Diskless rdb transfer, last replica dropped, killing fork child.")
            self._close_pipe()
            self.child.kill()
        self._caught_up(replica)

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
        self.sync.pipe_ended(self, self.outcome.succeeded)

    def cancel(self) -> None:
        """The data are about to become others: end the child, and who waits for it starts again."""
        self._close_pipe()
        self.child.kill(wait=True)


class FullSync:
    """Full synchronisations of an engine's replicas."""

    def __init__(self, replication):
        self.replication = replication
        self.engine = replication.engine
        self.config = replication.engine.config
        self.log = replication.engine.log
        self.pipe: PipeTransfer | None = None
        self.waiting_since = 0.0        # monotonic time since when the first of those in WAIT_START waits
        self.file_is_ours = False       # the last RDB file was written for replicas, by a server that keeps nothing

    def in_state(self, *states: int) -> list[Replica]:
        return [replica for replica in self.replication.replicas if replica.state in states]

    # --- beginning ----------------------------------------------------------------------

    def request(self, replica: Replica) -> None:
        """A replica wants the whole data set."""
        if not self.in_state(WAIT_START):
            self.waiting_since = time.monotonic()
        replica.state = WAIT_START
        engine = self.engine
        if engine.saver.running and self._attach(replica):
            return
        if self.pipe is not None:
            self.log.notice("Current BGSAVE has socket target. Waiting for next BGSAVE for SYNC")
        elif self._may_be_diskless([replica]) and self.config["repl-diskless-sync-delay"]:
            self.log.notice("Delay next BGSAVE for diskless SYNC")
        elif engine.child is not None or engine.saver.at_work:
            self.log.notice("No BGSAVE in progress, but another BG operation is active. BGSAVE for replication delayed")
        else:
            self.engine.loop.call_soon(self.begin_if_due)

    def _attach(self, replica: Replica) -> bool:
        """Let a replica share the file that is being written, if another one's place shows which moment that is."""
        for other in self.in_state(WAIT_END):
            if other.target == DISK and not other.reader.open and other.rdb_only == replica.rdb_only:
                self._set_up(replica, DISK, other.reader.sent)
                self.log.notice("Waiting for end of BGSAVE for SYNC")
                return True
        self.log.notice("Can't attach the replica to the current BGSAVE. Waiting for next BGSAVE for SYNC")
        return False

    def _may_be_diskless(self, replicas: list[Replica]) -> bool:
        return (self.config["repl-diskless-sync"] and all(replica.knows_eof for replica in replicas)
                and not self.engine.saver.forkless)

    def begin_if_due(self) -> None:
        """Begin to write the data set for all who wait for one, unless something else has to end first."""
        engine = self.engine
        waiting = self.in_state(WAIT_START)
        if not waiting or engine.child is not None or engine.saver.at_work or engine.server.exit_code.done():
            return
        diskless = self._may_be_diskless(waiting)
        if diskless:
            delay_s = self.config["repl-diskless-sync-delay"]
            enough = 0 < self.config["repl-diskless-sync-max-replicas"] <= len(waiting)
            if time.monotonic() - self.waiting_since < delay_s and not enough:
                return
        engine.start_turn()
        try:
            self._begin(waiting, SOCKETS if diskless else DISK)
        finally:
            engine.finish_turn()

    def _begin(self, waiting: list[Replica], target: str) -> None:
        self.log.notice(f"Starting BGSAVE for SYNC with target: {target}")
        self.replication.stream.selected = -1
        begun = True
        try:
            for replica in waiting:
                self._set_up(replica, target, self.replication.offset + 1)
            if target == DISK:
                begun = self.engine.saver.save_in_background()
                self.file_is_ours = begun and keeps_nothing(self.config)
            else:
                self.pipe = PipeTransfer(self, waiting)
                self.log.notice(f"Background RDB transfer started by pid {self.pipe.child.pid}")
        except OSError as error:
            self.log.warning(f"Can't save in background: fork: {os.strerror(error.errno)}")
            begun = False
        if not begun:
            self.log.warning("BGSAVE for replication failed")
            for replica in waiting:
                replica.connection.write(b"-ERR BGSAVE failed, replication can't continue\r\n")
                replica.drop()

    def _set_up(self, replica: Replica, target: str, place: int) -> None:
        """Tell a replica which moment its data set will be of, and keep its place in the stream."""
        replica.state = WAIT_END
        replica.target = target
        replica.has_acked = False
        replica.reader = Reader(self.replication.stream, replica.connection, place)
        if not replica.old:
            replica.connection.write(b"+FULLRESYNC %s %d\r\n" % (self.replication.replid.encode(), place - 1))

    # --- from the file --------------------------------------------------------------------

    def save_ended(self, succeeded: bool) -> None:
        """A background save to the RDB file has ended."""
        waiting = [replica for replica in self.in_state(WAIT_END) if replica.target == DISK]
        if not waiting:
            self.begin_if_due()
            return
        self.engine.start_turn()
        try:
            for replica in waiting:
                if succeeded:
                    self._send_file(replica)
                else:
                    self.log.warning("SYNC failed. BGSAVE child returned an error")
                    replica.drop()
        finally:
            self.engine.finish_turn()
        self.begin_if_due()

    def _send_file(self, replica: Replica) -> None:
        try:
            replica.file = os.open(self.engine.saver.path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            self.log.warning(f"SYNC failed. Can't open/stat DB after BGSAVE: {os.strerror(error.errno)}")
            replica.drop()
            return
        replica.state = SEND_BULK
        replica.unsent = b"$%d\r\n" % os.fstat(replica.file).st_size
        replica.connection.drained = lambda: self._send_more(replica)
        self.engine.loop.call_soon(self._send_more, replica)

    def _send_more(self, replica: Replica) -> None:
        """Send pieces of the file until the kernel takes no more."""
        for _ in range(PIECES):
            if replica.file < 0:
                return                          # it left, or got all
            piece, replica.unsent = replica.unsent, b""
            try:
                piece = piece or os.read(replica.file, PIECE)
            except OSError as error:
                self.log.warning(f"Read error sending DB to replica: {os.strerror(error.errno)}")
                replica.drop()
                return
            if not piece:
                self._file_sent(replica)
                return
            self.replication.stream.bytes_out += len(piece)
            if not replica.connection.write(piece):
                return                          # called again when that is gone
        self.engine.loop.call_soon(self._send_more, replica)

    def _file_sent(self, replica: Replica) -> None:
        self._close_file(replica)
        replica.connection.drained = None
        self.engine.start_turn()
        try:
            self.complete(replica)
        finally:
            self.engine.finish_turn()

    def complete(self, replica: Replica) -> None:
        """A replica has been sent a whole data set, and may be sent the stream now."""
        if replica.rdb_only:
            self.log.notice(f"RDB transfer completed, rdb only replica ({replica.name}) should be disconnected asap")
            replica.reader.close()
            replica.state = ONLINE
            return
        replica.go_online()
        self.log.notice(f"Synchronization with replica {replica.name} succeeded")
        self.replication.replicas_changed()

    @staticmethod
    def _close_file(replica: Replica) -> None:
        if replica.file >= 0:
            os.close(replica.file)
            replica.file = -1

    def _remove_file(self) -> None:
        """rdb-del-sync-files: a server that saves nothing has no file when nobody needs it any more."""
        if (not self.file_is_ours or not self.config["rdb-del-sync-files"] or not keeps_nothing(self.config)
                or self.in_state(WAIT_START, WAIT_END, SEND_BULK)):
            return
        self.file_is_ours = False
        self.log.notice("Removing the RDB file used to feed replicas in a persistence-less instance")
        remove_in_background(self.engine.loop, self.engine.saver.path)

    # --- through the pipe -----------------------------------------------------------------

    def pipe_ended(self, pipe: PipeTransfer, succeeded: bool) -> None:
        """All that a child wrote was passed on, or it failed."""
        self.pipe = None
        self.log.notice("Background RDB transfer terminated with success" if succeeded
                        else "Background RDB transfer error")
        self.engine.start_turn()
        try:
            for replica in list(pipe.replicas):
                replica.connection.drained = None
                if not succeeded:
                    replica.drop()
                elif replica.rdb_only or replica.has_acked:
                    self.complete(replica)
                else:
                    replica.state = ONLINE
                    replica.awaits_ack = True
                    replica.acked_s = time.monotonic()
                    self.log.notice(f"Streamed RDB transfer with replica {replica.name} succeeded (socket). Waiting "
                                    "for REPLCONF ACK from replica to enable streaming")
        finally:
            self.engine.finish_turn()
        self.begin_if_due()

    def flushed(self) -> None:
        """All keys are gone: replicas that are being sent them are to start again."""
        if self.pipe is not None:
            self.pipe.cancel()

    # --- others -------------------------------------------------------------------------

    def left(self, replica: Replica) -> None:
        """A replica's connection is gone, and it is in no list any more."""
        self._close_file(replica)
        if (replica.state == WAIT_END and replica.target == DISK and self.engine.saver.running
                and not self.config["save"] and not self.in_state(WAIT_END)):
            self.engine.saver.cancel()          # nobody wants the file
        if self.pipe is not None:
            self.pipe.left(replica)

    def cron(self) -> None:
        """Once a second: show those who wait that we live; drop who does not take its data set; begin what is due."""
        timeout_s = self.config["repl-timeout"]
        for replica in self.in_state(WAIT_START, WAIT_END):
            if replica.state == WAIT_START or replica.target == DISK:
                replica.connection.write(b"\n")
        if self.pipe is not None and self.pipe.stalled_s and time.monotonic() - self.pipe.stalled_s > timeout_s:
            for replica in self.pipe.behind:
                self.log.warning(f"Disconnecting timedout replica (full sync): {replica.name}")
                replica.drop()
        self.begin_if_due()
        self._remove_file()
