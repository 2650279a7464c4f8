"""The master's side of replication: replicas that attach, and how each gets to where the stream can go on.

    PSYNC id offset    known history, offset in the backlog --> +CONTINUE, ONLINE at once
                       else WAIT_START --(one child for all who wait)--> WAIT_END --> SEND_BULK --> ONLINE
                                          +FULLRESYNC, a Reader keeps        file, or the child's pipe to all at once
                                          its place in the stream

    PSYNC, and the replica knows to use two connections (dual-channel-replication-enabled at both ends):
        main       +DUALCHANNELSYNC .............. PSYNC from there --> BACKGROUND, gets the stream --(ACK)--> ONLINE
        channel    SYNC --> WAIT_START --> $ENDOFF:<where>, WAIT_END --(child to socket)--> TRANSMITTED

A data set is written for all replicas that wait when the child begins: to the RDB file, from which each is sent at its
own pace, or (repl-diskless-sync) into a pipe, of which every piece goes to all of them, so that the slowest sets the
pace. What changes meanwhile gathers in the backlog, behind each replica's place.
A replica that got its data through the pipe is sent the stream when it says that it has loaded them (REPLCONF ACK).
With two connections it gathers the stream itself while it loads, and the child writes to the second one without the
server's help. Its place in the stream is kept (Replication.waiting) until the main connection asks for it.
Source: https://redis.io/docs/latest/operate/oss_and_stack/management/replication/
"""

import os
import signal
import time
from typing import NamedTuple

from fastredis.persist.files import remove_in_background
from fastredis.persist.saver import keeps_nothing
from fastredis.replication.sending import DirectTransfer, PipeTransfer, SocketTransfer
from fastredis.replication.stream import Reader

ATTACHING, WAIT_START, WAIT_END, SEND_BULK, ONLINE, BACKGROUND, TRANSMITTED = range(7)
STATE_NAMES = {WAIT_START: "wait_bgsave", WAIT_END: "wait_bgsave", SEND_BULK: "send_bulk", ONLINE: "online",
               BACKGROUND: "bg_transfer", TRANSMITTED: ""}
PIECE = 64 * 1024               # bytes of a file that are sent at a time
PIECES = 16                     # ... before others have their turn
DISK, SOCKETS = "disk", "replicas sockets"


class Form(NamedTuple):
    """What a data set for a replica is like: what write_data_set() takes."""

    for_valkey: bool = False
    with_keys: bool = True
    with_functions: bool = True


FILE_FORM = Form()              # ... in the RDB file


class Replica:
    """One attached replica, or a connection that REPLCONF says will be one.

    state           one of the above; ATTACHING until PSYNC or SYNC
    host, port      where it says that it listens; "" and 0: it has not said so
    knows_eof       it takes a data set of unknown length
    knows_psync2    it takes +CONTINUE with an id
    knows_channel   it takes a data set on a connection of its own, and so does this server just now
    is_valkey       it is a Valkey 9 or later, where fields with deadlines have another form than Redis's
    rdb_only        it wants a data set and no stream
    wants_keys      ... with the keys; and with the libraries of functions
    wants_functions
    is_channel      it is such a connection, of a replica whose main connection is another one
    channel_id      ... and this is the main one, of the connection with this id; 0: it is not
    done_s          a channel: since when only the main connection is waited for (monotonic); 0: it is not yet
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
        self.knows_eof = self.knows_psync2 = self.knows_channel = self.is_valkey = False
        self.rdb_only = self.is_channel = self.old = False
        self.wants_keys = self.wants_functions = True
        self.channel_id = 0
        self.done_s = 0.0
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

    @property
    def type_name(self) -> str:
        if self.is_channel:
            return "rdb-channel"
        return "main-channel" if self.state == BACKGROUND else "replica"

    def go_online(self, in_background: bool = False) -> None:
        """The stream may be sent: it has the data set. in_background: it has it not yet, and gathers the stream."""
        self.state = BACKGROUND if in_background else ONLINE
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


class FullSync:
    """Full synchronisations of an engine's replicas."""

    def __init__(self, replication):
        self.replication = replication
        self.engine = replication.engine
        self.config = replication.engine.config
        self.log = replication.engine.log
        self.transfer: SocketTransfer | None = None      # without a file
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
        if self.transfer is not None:
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
            if replica.is_channel:
                break                           # it wants another form
            if (other.target == DISK and not other.reader.open and other.rdb_only == replica.rdb_only
                    and self.form_of(replica) == FILE_FORM):
                self._set_up(replica, DISK, other.reader.sent)
                self.log.notice("Waiting for end of BGSAVE for SYNC")
                return True
        self.log.notice("Can't attach the replica to the current BGSAVE. Waiting for next BGSAVE for SYNC")
        return False

    @property
    def may_use_channels(self) -> bool:
        """Whether replicas that know how get their data set on a connection of its own."""
        config = self.config
        return bool(config["dual-channel-replication-enabled"] and config["repl-diskless-sync"]
                    and not self.engine.saver.forkless)

    def _may_be_diskless(self, replicas: list[Replica]) -> bool:
        if replicas[0].is_channel:
            return True
        return ((self.config["repl-diskless-sync"] or self.form_of(replicas[0]) != FILE_FORM)
                and all(replica.knows_eof for replica in replicas) and not self.engine.saver.forkless)

    def _next(self) -> list[Replica]:
        """Those who are served next: the first who waits, and others who want the same form."""
        waiting = self.in_state(WAIT_START)
        return [replica for replica in waiting if replica.is_channel == waiting[0].is_channel
                and self.form_of(replica) == self.form_of(waiting[0])]

    def form_of(self, replica: Replica) -> Form:
        """What a data set for a replica has to be like. If it is not FILE_FORM it may not be the RDB file."""
        return Form(replica.is_valkey and self.engine.has_part_deadlines, replica.wants_keys, replica.wants_functions)

    def refusal_of(self, replica: Replica) -> str | None:
        """Why a replica can't have the part of the data set that it wants; None: it can. Parts never go by the file."""
        if replica.wants_keys and replica.wants_functions:
            return None
        if not replica.knows_eof:
            return "Filtered replica requires EOF capability"
        return "A server that may not fork sends whole data sets only" if self.engine.saver.forkless else None

    def begin_if_due(self) -> None:
        """Begin to write the data set for all who wait for one, unless something else has to end first."""
        engine = self.engine
        waiting = self._next()
        if (not waiting or engine.child is not None or engine.saver.at_work or engine.saver.obstacle is not None
                or engine.ending):
            return
        diskless = self._may_be_diskless(waiting)
        if diskless:
            delay_s = self.config["repl-diskless-sync-delay"]
            enough = 0 < self.config["repl-diskless-sync-max-replicas"] <= len(waiting)
            if self.config["repl-diskless-sync"] and time.monotonic() - self.waiting_since < delay_s and not enough:
                return
        engine.start_turn()
        try:
            self._begin(waiting, SOCKETS if diskless else DISK)
        finally:
            engine.finish_turn()

    def _begin(self, waiting: list[Replica], target: str) -> None:
        is_channel = waiting[0].is_channel
        self.log.notice(f"Starting BGSAVE for SYNC with target: {target} using: "
                        f"{'dual-channel' if is_channel else 'normal sync'}")
        self.replication.stream.selected = -1
        begun = True
        try:
            for replica in waiting:
                self._set_up(replica, target, self.replication.offset + 1)
            waiting = [replica for replica in waiting if replica in self.replication.replicas]
            if not waiting:
                return                          # all of them had to be dropped
            if target == DISK:
                begun = self.engine.saver.save_in_background()
                self.file_is_ours = begun and keeps_nothing(self.config)
            elif self.engine.saver.forkless:
                begun = False                   # it has come to that since the channel was offered
            elif is_channel and all(replica.connection.descriptor >= 0 for replica in waiting):
                self.transfer = DirectTransfer(self, waiting)
                self.log.notice(f"Background RDB transfer started by pid {self.transfer.child.pid} to direct socket to "
                                "replica")
            else:
                self.transfer = PipeTransfer(self, waiting)
                self.log.notice(f"Background RDB transfer started by pid {self.transfer.child.pid} to pipe through "
                                "parent process")
        except OSError as error:
            self.log.warning(f"Can't save in background: fork: {os.strerror(error.errno)}")
            begun = False
        if not begun:
            self.log.warning("BGSAVE for replication failed")
            for replica in waiting:
                replica.connection.write(b"-ERR BGSAVE failed, replication can't continue\r\n")
                self.replication.forget_place(replica)
                replica.drop()
        if self.replication.pauses_after_fork:
            os.kill(os.getpid(), signal.SIGSTOP)

    def _set_up(self, replica: Replica, target: str, place: int) -> None:
        """Tell a replica which moment its data set will be of, and keep its place in the stream."""
        replica.state = WAIT_END
        replica.target = target
        replica.has_acked = False
        replica.reader = Reader(self.replication.stream, replica.connection, place)
        if replica.is_channel:
            self.replication.keep_place(replica)
            self._tell_end(replica, place - 1)
        elif not replica.old:
            replica.connection.write(b"+FULLRESYNC %s %d\r\n" % (self.replication.replid.encode(), place - 1))

    def _tell_end(self, replica: Replica, offset: int) -> None:
        """Tell a channel up to which offset of the stream its data set goes, and what its main connection has to name.

        A child may write behind that only if all of it is out.
        """
        number = replica.connection.id
        self.log.notice(f"Sending to replica {replica.name} RDB end offset {offset} and client-id {number}")
        database = self.replication.stream_database
        if not replica.connection.write(b"$ENDOFF:%d %s %d %d\r\n" % (
                offset, self.replication.replid.encode(), database, number)):
            replica.drop()

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
            replica.file = self.engine.config["dir"].open(self.engine.saver.path, os.O_RDONLY)
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
        remove_in_background(self.engine, self.engine.config["dir"], self.engine.saver.path)

    # --- through a pipe, or right to the sockets -------------------------------------------

    def transfer_ended(self, transfer: SocketTransfer, succeeded: bool) -> None:
        """All that a child wrote was passed on, or it failed."""
        self.transfer = None
        self.log.notice("Background RDB transfer terminated with success" if succeeded
                        else "Background RDB transfer error")
        self.engine.start_turn()
        try:
            for replica in transfer.everyone:
                if not succeeded:
                    self.replication.forget_place(replica)
            for replica in list(transfer.replicas):
                replica.connection.drained = None
                if not succeeded:
                    replica.drop()
                elif replica.is_channel:
                    self._channel_done(replica)
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

    def _channel_done(self, replica: Replica) -> None:
        """A channel has been sent its data set; the replica closes it. Closed here it might lose the end of them."""
        replica.state = TRANSMITTED
        replica.done_s = time.monotonic()
        self.log.notice(f"RDB transfer completed, rdb only replica ({replica.name}) should be disconnected asap")

    def is_sending(self, replica: Replica) -> bool:
        """Whether a child is at work for it."""
        return self.transfer is not None and replica in self.transfer.replicas

    def flushed(self) -> None:
        """All keys are gone: replicas that are being sent them are to start again."""
        if self.transfer is not None:
            self.transfer.cancel()

    # --- others -------------------------------------------------------------------------

    def left(self, replica: Replica) -> None:
        """A replica's connection is gone, and it is in no list any more."""
        self._close_file(replica)
        if (replica.state == WAIT_END and replica.target == DISK and self.engine.saver.running
                and not self.config["save"] and not self.in_state(WAIT_END)):
            self.engine.saver.cancel()          # nobody wants the file
        if self.transfer is not None:
            self.transfer.left(replica)

    def cron(self) -> None:
        """Once a second: show those who wait that we live; drop who does not take its data set; begin what is due."""
        for replica in self.in_state(WAIT_START, WAIT_END):
            if replica.state == WAIT_START or replica.target == DISK:
                replica.connection.write(b"\n")
        if self.transfer is not None:
            self.transfer.drop_stalled(self.config["repl-timeout"])
        self.begin_if_due()
        self._remove_file()
