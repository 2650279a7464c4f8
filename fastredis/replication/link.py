"""A replica's link to its master, from REPLICAOF to REPLICAOF NO ONE, over any number of connections.

    connect --> connecting --> handshake --+--> transfer --> connected --(lost)--> connect, again at once
       ^            |              |       |        |            ^
       |            |              |       +------- | -----------+  +CONTINUE
       +------------+--------------+                +--> connect, again at once
         what fails before the transfer is tried again by the cron

Each connection is an Attempt, a Channel with a script; a full synchronisation may need a second one, see
replication/channel. When the stream begins, the transport passes to a MasterConnection. Between connections the Link
keeps what the stream had selected; the place in it is engine.replication's.
Rejected: a task with streams (what it holds is released a turn of the loop after it is cancelled, when another
link may be at work already).
Source: https://redis.io/docs/latest/operate/oss_and_stack/management/replication/
"""

import asyncio
import enum
import os
import signal
import time
from collections.abc import Generator

from fastredis.host.process import notify_systemd
from fastredis.persist.aof_files import OFF
from fastredis.persist.loading import SLICE_US
from fastredis.replication.apply import MasterConnection
from fastredis.replication.backlog import Gathered
from fastredis.replication.channel import RDB_OF_VALKEY, Channel, RdbChannel, answer_text, request
from fastredis.replication.receiving import SyncFailed, Transfer, Wait, again
from fastredis.text import address_text

AOF_TRIES = 10                  # to switch the AOF on again
DISK_LOG_SECONDS = 10.0         # between two complaints that the disk takes nothing
ALLOWED_PING_ERRORS = ("-NOAUTH", "-NOPERM", "-ERR operation not permitted")
LATER_ERRORS = ("-NOMASTERLINK", "-LOADING")
ID_SIZE = 40


class Answer(enum.Enum):
    """What the master made of PSYNC."""

    CONTINUE = enum.auto()
    FULL = enum.auto()
    CHANNEL = enum.auto()       # the data set comes on a second connection
    UNKNOWN = enum.auto()


class Attempt(Channel):
    """The connection of a link until the stream begins on it, or it fails.

    has_asked   PSYNC was sent
    aside       the second connection, while the data set comes on one
    gathers     what comes is the stream, ahead of the data set
    """

    PURPOSE = "SYNC"

    def __init__(self, link: "Link"):
        self.has_asked = False
        self.aside: RdbChannel | None = None
        self.gathers = self._offers_channel = False
        super().__init__(link)

    def fail(self, failure: SyncFailed) -> None:
        self.link.failed(self, failure)

    def close(self) -> None:
        if self.aside is not None:
            self.aside.close()
        super().close()

    def data_received(self, data: bytes) -> None:
        if not self.gathers:
            super().data_received(data)
        elif not self._closed:
            self.heard_s = time.monotonic()
            self._gather(data)

    def connection_lost(self, error: Exception | None) -> None:
        super().connection_lost(error)
        if self.aside is not None and not self._closed:
            self.fail(again("Main channel of the dual channel sync lost"))

    def is_silent(self, timeout_s: float) -> bool:
        return super().is_silent(timeout_s) or (self.aside is not None and self.aside.is_silent(timeout_s))

    @property
    def data_heard_s(self) -> float:
        """When a part of the data set came last."""
        return self.aside.heard_s if self.aside is not None else self.heard_s

    # --- the script ---------------------------------------------------------------------------

    def _synchronize(self) -> Generator:
        """From the connection to the stream."""
        link = self.link
        self.log.notice("Non blocking connect for SYNC fired the event.")
        link.set_state("handshake")
        yield from self._greet()
        yield from self._introduce()
        answer, replid, offset = yield from self._ask()
        if link.failover_replid:
            link.failover_replid = ""
            self.engine.replication.failover.answered(answer is not Answer.UNKNOWN)
            if self._closed:
                return                          # this server is a master again
        if answer is Answer.CONTINUE:
            link.continued(self, replid)
            return
        if answer is Answer.CHANNEL:
            yield from self._synchronize_aside()
            return
        if answer is Answer.UNKNOWN:
            self.log.notice("Retrying with SYNC...")
            if not self.lost:
                self.transport.write(b"SYNC\r\n")
        link.set_state("transfer")
        database = yield from Transfer(self, replid).run()
        link.synchronized(self, replid, offset, database)

    def _greet(self) -> Generator:
        """See that the master answers. That it wants a password is an answer."""
        self.send("PING")
        answer = yield from self._answer()
        if not answer.startswith(("+", *ALLOWED_PING_ERRORS)):
            raise SyncFailed(f"Error reply to PING from master: '{answer}'")
        self.log.notice("Master replied to PING, replication can continue...")

    def _introduce(self) -> Generator:
        """Say who this is. All is sent at once."""
        config = self.config
        told = []
        self._send_password()
        self.send("REPLCONF", "listening-port", self._port)
        told.append("listening-port")
        if config["replica-announce-ip"]:
            self.send("REPLCONF", "ip-address", config["replica-announce-ip"])
            told.append("ip-address")
        self._offers_channel = self.config["dual-channel-replication-enabled"] and not self.link.avoids_channel
        channel = ["capa", "dual-channel"] if self._offers_channel else []
        self.send("REPLCONF", "capa", "eof", "capa", "psync2", *channel)
        told.append("capa")
        self.send("REPLCONF", "version", RDB_OF_VALKEY)
        told.append("version")
        yield from self._take_password_answer()
        for what in told:
            answer = yield from self._answer()
            if answer.startswith("-"):
                self.log.notice(f"(Non critical) Master does not understand REPLCONF {what}: {answer}")

    def _ask(self) -> Generator:
        """PSYNC; returns the Answer, and the id and offset that the master named."""
        replication = self.engine.replication
        if self.link.failover_replid or replication.can_resume:
            replid, offset = self.link.failover_replid or replication.replid, str(replication.offset + 1)
            self.log.notice(f"Trying a partial resynchronization (request {replid}:{offset}).")
        else:
            replid, offset = "?", "-1"
            self.log.notice("Partial resynchronization not possible (no cached master)")
        self.send("PSYNC", replid, offset, *(["FAILOVER"] if self.link.failover_replid else []))
        self.has_asked = True
        return self._understand((yield from self._answer_to_psync()))

    def _answer_to_psync(self) -> Generator:
        line = b""
        while line == b"":                      # a newline is a sign of life
            line = yield Wait.LINE
        if line is None:
            raise SyncFailed("Master did not reply to PSYNC, will try later")
        return answer_text(line)

    def _understand(self, answer: str) -> tuple[Answer, str, int]:
        words = answer.split()
        if answer.startswith("+FULLRESYNC"):
            if len(words) == 3 and len(words[1]) == ID_SIZE and words[2].isdigit():
                self.log.notice(f"Full resync from master: {words[1]}:{words[2]}")
                return Answer.FULL, words[1], int(words[2])
            self.log.warning("Master replied with wrong +FULLRESYNC syntax.")
            return Answer.FULL, "", 0
        if answer.startswith("+CONTINUE"):
            self.log.notice("Successful partial resynchronization with master.")
            return Answer.CONTINUE, words[1] if len(words) == 2 and len(words[1]) == ID_SIZE else "", 0
        if answer == "+DUALCHANNELSYNC" and self._offers_channel:
            self.log.notice("PSYNC is not possible, initialize RDB channel.")
            return Answer.CHANNEL, "", 0
        if answer.startswith(LATER_ERRORS):
            raise SyncFailed(f"Master is currently unable to PSYNC but should be in the future: {answer}", notice=True)
        if answer.startswith("-ERR"):
            self.log.notice(f"Master does not support PSYNC or is in error state (reply: {answer})")
        else:
            self.log.warning(f"Unexpected reply to PSYNC from master: {answer}")
        return Answer.UNKNOWN, "", 0

    # --- with a second connection -----------------------------------------------------------------

    def _synchronize_aside(self) -> Generator:
        """The data set comes on a second connection, and the stream meanwhile on this one."""
        link = self.link
        self.aside = RdbChannel(self)
        end = (yield self.aside.end).result()
        link.set_state("transfer")
        self.send("REPLCONF", "set-rdb-client-id", end.client_id)
        answer = yield from self._answer()
        if answer.startswith("-"):
            raise SyncFailed(f"Master does not understand REPLCONF identify: {answer}", notice=True)
        if self.engine.replication.pauses_after_fork:
            os.kill(os.getpid(), signal.SIGSTOP)
        self.log.notice("Trying a partial resynchronization using main channel (request "
                        f"{end.replid}:{end.offset + 1}).")
        self.send("PSYNC", end.replid, str(end.offset + 1))
        answer = yield from self._answer_to_psync()
        if not answer.startswith("+CONTINUE"):
            raise again(f"Aborting dual channel sync. Main channel psync result: {answer}")
        how = "." if self.aside.loaded.done() else ", RDB load in background."
        self.log.notice(f"MASTER <-> REPLICA sync: Master accepted a Partial Resynchronization{how}")
        if self.aside.loaded.done():
            self.log.debug("Dual channel sync - psync established after rdb load")
        link.gathered = Gathered(self.engine)
        self.gathers = True
        self._gather(self.take_rest())
        database = (yield self.aside.loaded).result()
        self.aside = None
        link.synchronized(self, end.replid, end.offset, database)

    def _gather(self, data: bytes) -> None:
        """Keep a piece of the stream. If there is too much of it, the master has to."""
        gathered = self.link.gathered
        gathered.append(data)
        most = self.config["client-output-buffer-limit"]["slave"].hard_bytes
        if 0 < most < gathered.room and self._reading:
            self.log.notice("Replication buffer limit reached, stopping buffering.")
            self.pause()


class Link:
    """The link of a replica to the master at host:port. start() begins, close() ends it for good.

    state               one of those above
    connection          MasterConnection while the state is "connected", else None
    failover_replid     the id that PSYNC ... FAILOVER tells the master, once; "": PSYNC is plain
    avoids_channel      the master has refused a second connection: it is not asked for one any more
    gathered            what came of the stream while the data set came on a second connection, and is not applied
    async_loading       a data set is loaded beside the present one, which goes on being served
    sync_total          bytes of the data set that is transferred; 0: the master does not know, -1: it has not said
    sync_read           of these, how many have come
    """

    def __init__(self, engine, host: str, port: int):
        self.engine, self.host, self.port = engine, host, port
        self.config, self.log = engine.config, engine.log
        self.state = "connect"
        self.connection: MasterConnection | None = None
        self.failover_replid = ""
        self.avoids_channel = self.async_loading = False
        self.gathered = Gathered(engine)
        self.sync_total, self.sync_read = -1, 0
        self._attempt: Attempt | None = None
        self._database: int = engine.replication.start_database
        self._acknowledges = True           # a master that knows SYNC only does not take acknowledgements
        self._down_s: float | None = None   # when the link was lost (monotonic)
        self._aof_tries = 0                 # that failed to switch the AOF on again
        self._told_disk_s = -DISK_LOG_SECONDS       # when the log was last told that the disk takes nothing

    @property
    def address(self) -> str:
        return f"{self.host}:{self.port}"

    # --- for INFO -----------------------------------------------------------------------

    @property
    def last_io_s(self) -> int:
        """Seconds since the master sent anything; -1: there is no stream."""
        return int(self.connection.silent_s) if self.connection is not None else -1

    @property
    def sync_last_io_s(self) -> int:
        """Seconds since a part of a data set came; -1: none is under way."""
        return int(time.monotonic() - self._attempt.data_heard_s) if self._attempt is not None else -1

    @property
    def down_since_s(self) -> int:
        """For how many seconds the link is down; -1: it never was up."""
        return int(time.monotonic() - self._down_s) if self._down_s is not None else -1

    @property
    def read_offset(self) -> int:
        """Where in the stream the bytes end that have come."""
        return self.engine.replication.offset + (self.connection.unapplied if self.connection is not None else 0)

    @property
    def database(self) -> int:
        """What the stream has selected."""
        return self.connection.database if self.connection is not None else self._database

    # --- life ---------------------------------------------------------------------------

    def set_state(self, state: str) -> None:
        self.state = state
        self.engine.replication.link_changed()

    def set_async_loading(self, is_loading: bool) -> None:
        self.async_loading = is_loading
        self.engine.replication.link_changed()

    def start(self) -> None:
        self.log.notice(f"Connecting to MASTER {self.address}")
        self._connect()

    def _connect(self) -> None:
        self.sync_total, self.sync_read = -1, 0
        self._attempt = Attempt(self)
        self.set_state("connecting")
        self.log.notice("MASTER <-> REPLICA sync started")

    def close(self) -> None:
        """Give the connection up, whatever it is used for. Nothing of the link is left but `database`."""
        attempt, self._attempt = self._attempt, None
        if attempt is not None:
            self._end(attempt)
        connection = self.connection
        if connection is not None:
            self._forget(connection)
            connection.leave()
        self.state = "connect"

    def _forget(self, connection: MasterConnection) -> None:
        """The connection is the master's no more."""
        self.log.notice("Connection with master lost.")
        if self.engine.replication.can_resume:
            self.log.notice("Caching the disconnected master state.")
        self._database = connection.database
        self.connection = None
        self.gathered.clear()
        self._down_s = time.monotonic()

    def _end(self, attempt: Attempt) -> None:
        if attempt.aside is not None:
            self.log.notice("Aborting dual channel sync")
            self.gathered.clear()
        attempt.close()

    def failed(self, attempt: Attempt, failure: SyncFailed) -> None:
        """An attempt has failed."""
        if attempt is not self._attempt:
            return
        self._attempt = None
        self._end(attempt)
        if failure.text:
            (self.log.notice if failure.notice else self.log.warning)(failure.text)
        if self.failover_replid and attempt.has_asked:
            self.failover_replid = ""
            self.engine.replication.failover.answered(False)
            return
        self.set_state("connect")
        if failure.at_once:
            self.log.notice(f"Reconnecting to MASTER {self.address} after failure")
            self._connect()

    def master_lost(self, connection: MasterConnection) -> None:
        """The connection that the stream came on is gone."""
        if connection is self.connection:
            self._forget(connection)
            self.set_state("connect")
            self.log.notice(f"Reconnecting to MASTER {self.address}")
            self._connect()

    def desynchronized(self) -> None:
        """What came is not the stream: the place in it is worth nothing any more."""
        self.engine.replication.can_resume = False

    # --- in sync ------------------------------------------------------------------------

    def continued(self, attempt: Attempt, replid: str) -> None:
        """The master goes on from our offset."""
        self.engine.start_turn()
        try:
            self.engine.replication.continued(replid)
        finally:
            self.engine.finish_turn()
        self._acknowledges = True
        self.log.notice("MASTER <-> REPLICA sync: Master accepted a Partial Resynchronization.")
        self._begin_stream(attempt, "Partial Resynchronization accepted")

    def synchronized(self, attempt: Attempt, replid: str, offset: int, database: int) -> None:
        """The data set is the master's at an offset; replid "": the master does not say which history that is."""
        replication = self.engine.replication
        self._database = database if 0 <= database < self.engine.database_count else 0
        self.engine.start_turn()
        try:
            replication.adopt(replid or os.urandom(ID_SIZE // 2).hex(), offset, self._database)
        finally:
            self.engine.finish_turn()
        replication.can_resume = self._acknowledges = bool(replid)
        self.avoids_channel = False
        self.log.notice("MASTER <-> REPLICA sync: Finished with success")
        self._begin_stream(attempt, "Finished with success")

    def _begin_stream(self, attempt: Attempt, how: str) -> None:
        """What comes on the attempt's connection from now on is the stream. What was gathered stands in front of it."""
        is_late = attempt.gathers
        if is_late:
            attempt.pause()
        rest = b"" if is_late else attempt.take_rest()
        self._attempt = None
        self.connection = connection = MasterConnection(self.engine, self)
        self._down_s = None
        transport = attempt.transport
        connection.start(None if attempt.lost else transport, self._database,
                         address_text(transport.get_extra_info("peername")),
                         address_text(transport.get_extra_info("sockname")))
        self.set_state("connected")
        self.send_ack()
        if self.config["supervised"] == "systemd":
            notify_systemd(f"STATUS=MASTER <-> REPLICA sync: {how}. Ready to accept connections in read-write mode.\n",
                           self.log)
        self._restart_aof()
        if is_late:
            self._catch_up(connection, transport)
        if rest:
            connection.data_received(rest)
        if attempt.lost:
            connection.connection_lost(None)

    def _catch_up(self, connection: MasterConnection, transport: asyncio.Transport) -> None:
        """Apply what was gathered, in slices; what the connection brings has to wait."""
        until_s = time.monotonic() + SLICE_US / 1e6
        while connection is self.connection and self.gathered.size:
            connection.data_received(self.gathered.take())
            if time.monotonic() > until_s:
                self.engine.loop.call_soon(self._catch_up, connection, transport)
                return
        if connection is self.connection and not transport.is_closing():
            self.gathered.clear()
            self.log.notice("Successfully streamed replication data into memory")
            transport.resume_reading()
            self.send_ack()

    def cannot_persist(self) -> None:
        """The master's writes cannot be made durable here: as configured, go on, or end the process."""
        if not self.config["replica-ignore-disk-write-errors"]:
            self.engine.panic("Replica was unable to write command to disk.")
        now_s = time.monotonic()
        if now_s - self._told_disk_s >= DISK_LOG_SECONDS:
            self._told_disk_s = now_s
            self.log.warning("Replica is applying a command even though it is unable to write to disk.")

    def send_ack(self) -> None:
        """Tell the master how far the stream is applied, and how far that is on the disk."""
        if self.connection is None or not self._acknowledges:
            return
        words = ["REPLCONF", "ACK", str(self.engine.replication.offset)]
        aof = self.engine.aof
        if aof is not None and aof.is_on:
            words += ["FACK", str(aof.feed.synced)]
        self.connection.write(request(*words))

    def _restart_aof(self) -> None:
        """The AOF was switched off while the data were replaced: it begins anew."""
        aof = self.engine.aof
        if aof is None or not self.config["appendonly"] or aof.state != OFF or aof.start():
            self._aof_tries = 0
        else:
            self._aof_tries += 1
            self.log.warning("Failed enabling the AOF after successful master synchronization! Trying it again in one "
                             "second.")
            if self._aof_tries == AOF_TRIES and not self.engine.ending:
                self.log.warning("FATAL: this replica instance finished the synchronization with its master, but the "
                                 "AOF can't be turned on. Exiting now.")
                self.engine.service.end_service(1)

    # --- timer --------------------------------------------------------------------------

    def cron(self) -> None:
        """Once a second: acknowledge, connect, and give up waiting."""
        timeout_s = self.config["repl-timeout"]
        if self.connection is not None:
            if self._aof_tries:
                self._restart_aof()
            if self.connection.silent_s > timeout_s:
                self.log.warning("MASTER timeout: no data nor PING received...")
                self.connection.kill()
            else:
                self.send_ack()
        elif self._attempt is None:
            self.start()
        elif self._attempt.is_silent(timeout_s):
            if self.state == "transfer":
                text = ("Timeout receiving bulk data from MASTER... If the problem persists try to set the "
                        "'repl-timeout' parameter in redis.conf to a larger value.")
            else:
                # Tools wait for Redis's line, or for Valkey's.
                text = "Timeout connecting to the MASTER..."
                self.log.warning("Timeout connecting to the PRIMARY...")
            self.failed(self._attempt, SyncFailed(text, at_once=True))
