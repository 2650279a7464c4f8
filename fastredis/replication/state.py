"""What a server is in replication: its role, the history that its data belong to, and who is attached to it.

    history    replid, offset          every change of the data set has its place in it; a replica has its master's
               replid2, second_offset  ... and what it was before a failover, which is the same up to that offset

A replica that knows a part of this history needs only the rest. REPLICAOF NO ONE therefore begins a new history that
remembers the old one, and a master that becomes a replica asks its master to go on from its own.
"""

import os
import time
from collections.abc import Sequence

from fastredis.engine.core import GATE_REPLICATION
from fastredis.engine.engine import C_READONLY, C_REDIRECT, C_REPLICA
from fastredis.engine.errors import LOADING_DATA
from fastredis.engine.flags import NO_ASYNC_LOADING, READONLY, STALE, WRITE
from fastredis.engine.hooks import Peers
from fastredis.persist.aof_files import OFF
from fastredis.replication import failover
from fastredis.replication.link import Link, request
from fastredis.replication.master import BACKGROUND, ONLINE, TRANSMITTED, FullSync, Replica
from fastredis.replication.stream import Reader, Stream

NO_ID = "0" * 40
PING = b"*1\r\n$4\r\nPING\r\n"
READONLY_REPLICA = b"READONLY You can't write against a read only replica."
NOREPLICAS = b"NOREPLICAS Not enough good replicas to write."
MASTERDOWN = b"MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'."
UNBLOCKED = b"UNBLOCKED force unblock from blocking operation, instance state changed (master -> replica?)"
GRACE_SECONDS = 60
GATE_SETTINGS = ("replica-read-only", "replica-serve-stale-data", "min-replicas-to-write", "min-replicas-max-lag")


def new_id() -> str:
    """Of a history: 40 hexadecimal digits."""
    return os.urandom(20).hex()


class Replication(Peers):
    """Belongs to one engine: engine.replication.

    stream                      what the replicas get
    replicas                    those that are attached
    waiting                     of these, and of those that have left: channels whose main connection has not come yet
                                for its place in the stream, which is kept; by their connections' ids
    grace_s                     for how long a place is kept once the channel has done its part
    link                        to the master; None on a master
    master_host, master_port    of the master; None and 0 on a master
    replid, offset              where in which history the data set is
    replid2, second_offset      what this history was before, up to (exclusive) an offset; NO_ID and -1
    can_resume                  a replica may ask its master for what comes behind `offset` only
    redirects                   some client wants to be sent to the master (CLIENT CAPA)
    full_sync                   full synchronisations of replicas
    syncs_full, syncs_partial, syncs_refused    how many of each; refused: a partial one was asked for in vain
    pauses_after_fork           DEBUG PAUSE-AFTER-FORK: stop this process where the two connections of a replica race
    waiters                     called when replicas have acknowledged more
    """

    def __init__(self, engine):
        self.engine = engine
        self.config = engine.config
        self.log = engine.log
        self.stream = Stream(engine)
        self.replicas: list[Replica] = []
        self.waiting: dict[int, Replica] = {}
        self.grace_s = GRACE_SECONDS
        self.pauses_after_fork = False
        self.link: Link | None = None
        self.master_host: str | None = None
        self.master_port = 0
        self.replid, self.replid2, self.second_offset = new_id(), NO_ID, -1
        self.can_resume = self.redirects = False
        self.full_sync = FullSync(self)
        self.failover = failover.Failover(self)
        self.waiters: dict = {}             # Waiter -> None: their check() is called when a replica acknowledged
        self.reset_statistics()
        self._cron_s = self._pinged_s = time.monotonic()
        self._alone_since_s = time.monotonic()
        self.config.on_change("repl-backlog-size", lambda config: self.stream.resize(config["repl-backlog-size"]))
        self.config.on_change("replica-read-only", self._set_role)
        for name in GATE_SETTINGS:
            self.config.on_change(name, lambda config: self.check_gate())

    def reset_statistics(self) -> None:
        """CONFIG RESETSTAT."""
        self.syncs_full = self.syncs_partial = self.syncs_refused = 0

    @property
    def is_replica(self) -> bool:
        return self.link is not None

    @property
    def offset(self) -> int:
        return self.engine.propagated

    # --- what commands have to know ---------------------------------------------------------

    @property
    def is_linked(self) -> bool:
        """Whether a replica is in touch with its master."""
        return self.link is not None and self.link.state == "connected"

    @property
    def loads_aside(self) -> bool:
        """Whether a data set is being loaded beside the present one (repl-diskless-load swapdb)."""
        return self.link is not None and self.link.async_loading

    def online(self) -> list[Replica]:
        return [replica for replica in self.replicas if replica.state == ONLINE]

    def good_replicas(self) -> int:
        """How many have acknowledged within min-replicas-max-lag."""
        most_s = self.config["min-replicas-max-lag"]
        return sum(replica.lag_s <= most_s for replica in self.online())

    @property
    def wants_replicas(self) -> bool:
        """Whether writes depend on how many good replicas there are."""
        config = self.config
        return bool(not self.is_replica and config["min-replicas-to-write"] and config["min-replicas-max-lag"])

    def refusal(self, flags: int, client_flags: int) -> bytes | None:
        """Why a command may not run here now; None: it may. flags: the command's; of EXEC, those of all in it."""
        if self.is_replica and client_flags & C_REDIRECT:
            if self.failover.state_name == failover.IN_PROGRESS:
                return None                     # writes wait until it is clear who the master is
            if flags & WRITE or (flags & READONLY and not client_flags & C_READONLY):
                return f"REDIRECT {self.master_host}:{self.master_port}".encode()
        if flags & WRITE:
            if self.wants_replicas and self.good_replicas() < self.config["min-replicas-to-write"]:
                return NOREPLICAS
            if self.is_replica and self.config["replica-read-only"]:
                return READONLY_REPLICA
        if self.loads_aside and flags & NO_ASYNC_LOADING:
            return LOADING_DATA.encode()
        if (self.is_replica and not self.is_linked and not self.config["replica-serve-stale-data"]
                and not flags & STALE):
            return MASTERDOWN
        return None

    def check_gate(self) -> None:
        """Have commands ask refusal() if there may be a reason."""
        stale = self.is_replica and not self.is_linked and not self.config["replica-serve-stale-data"]
        self.engine.gate(GATE_REPLICATION, bool(
            (self.is_replica and (self.config["replica-read-only"] or self.redirects)) or stale or self.loads_aside
            or (self.wants_replicas and self.good_replicas() < self.config["min-replicas-to-write"])))

    def acknowledged(self, offset: int) -> int:
        """How many replicas have all up to an offset."""
        return sum(replica.acked >= offset for replica in self.online())

    def on_disk(self, offset: int) -> int:
        """How many replicas have all up to an offset on their disk."""
        return sum(replica.aof_acked >= offset for replica in self.online())

    @property
    def stream_database(self) -> int:
        """The database that the stream has selected, for those who take it up here; a master selects one anew."""
        return max(0, self.link.database) if self.link is not None else 0

    def send_all(self) -> None:
        self.stream.send_all()

    def flow(self) -> tuple[int, int]:
        return self.stream.bytes_in, self.stream.bytes_out

    def save_ended(self, succeeded: bool) -> None:
        self.full_sync.save_ended(succeeded)

    def flushed(self) -> None:
        self.full_sync.flushed()

    def saved_info(self) -> tuple[str, int, int] | None:
        """What an RDB file tells of the history: id, offset, selected database; None: nothing."""
        if self.is_replica:
            return (self.replid, self.offset, max(0, self.link.database)) if self.can_resume else None
        return (self.replid, self.offset, max(0, self.stream.selected)) if self.stream.is_on else None

    # --- the history ----------------------------------------------------------------------------

    def change_ids(self) -> None:
        """Begin a history that has nothing to do with any other."""
        self.replid, self.replid2, self.second_offset = new_id(), NO_ID, -1

    def shift_ids(self) -> None:
        """Begin a history that goes on from this one, as a master."""
        self._remember(new_id())
        self.log.notice(f"Setting secondary replication ID to {self.replid2}, valid up to offset: "
                        f"{self.second_offset}. New replication ID is {self.replid}")

    def _remember(self, replid: str) -> None:
        self.replid2, self.second_offset = self.replid, self.offset + 1
        self.replid = replid

    def open_backlog(self) -> None:
        if not self.stream.is_on:
            self.stream.create(self.config["repl-backlog-size"])

    def restore(self, aux: dict[bytes, bytes]) -> None:
        """At the start: the data come from an RDB file with these AUX fields. Replicas, or a master, may know it."""
        if self._restored:
            return
        self._restored = True
        replid, offset = aux.get(b"repl-id", b"").decode("latin-1"), aux.get(b"repl-offset", b"")
        if len(replid) != len(NO_ID) or not offset.isdigit():
            return
        self.engine.set_offset(int(offset))
        if self.config["replicaof"]:
            self.replid, self.can_resume = replid, True
            database = aux.get(b"repl-stream-db", b"0")
            self.start_database = int(database) if database.isdigit() else 0
        else:
            self.replid2, self.second_offset = replid, int(offset) + 1
            self.open_backlog()

    def key_dropped(self, aux: dict[bytes, bytes], database: int, key: bytes) -> None:
        """At the start: a key of the RDB file is not loaded, its time has come. Replicas that go on must hear of it."""
        self.restore(aux)
        if self.stream.is_on:
            self.stream.command(database, [b"DEL", key])

    _restored = False           # restore() was called
    start_database = 0          # which database a stream that goes on from the start's data has selected

    def adopt(self, replid: str, offset: int, database: int) -> None:
        """Replica: a full synchronisation is complete. The data set is this one now; own replicas start anew."""
        self.drop_replicas()
        self.replid, self.replid2, self.second_offset = replid, NO_ID, -1
        self.stream.drop()
        self.engine.forget_own_deadlines()
        self.engine.set_offset(offset)
        self.stream.create(self.config["repl-backlog-size"])
        self.can_resume = True

    def continued(self, replid: str) -> None:
        """Replica: the master goes on from our offset, in a history of this id ("": it did not say)."""
        if replid and replid != self.replid:
            self._remember(replid)
            self.log.notice(f"Master replication ID changed to {replid}")
            self.drop_replicas()
        self.open_backlog()
        self.can_resume = True

    # --- the role -------------------------------------------------------------------------------

    def become_replica(self, host: str, port: int, failover_replid: str = "") -> None:
        """REPLICAOF: follow a master, which need not be there yet. failover_replid: it is told to take over."""
        if self.link is None:
            self.log.notice("Before turning into a replica, using my own master parameters to synthesize a cached "
                            "master: I may be able to synchronize with the new master with just a partial transfer.")
            self.open_backlog()
            self.can_resume = True
            self.start_database = max(0, self.stream.selected)
            self.engine.blocked.unblock_all(UNBLOCKED)
        else:
            self.start_database = self.link.database
            self.link.close()
        self.config.set_value("replicaof", (host, port))
        self._follow(host, port, failover_replid)

    def _follow(self, host: str, port: int, failover_replid: str = "") -> None:
        self.master_host, self.master_port = host, port
        self.link = Link(self.engine, host, port)
        self.link.failover_replid = failover_replid
        self._follow_role()
        self.link.start()

    def become_master(self) -> None:
        """REPLICAOF NO ONE: keep the data, and take writes. Replicas learn of the new history by reconnecting."""
        if self.link is None:
            return
        self.link.close()
        self.link = None
        self.master_host, self.master_port = None, 0
        self.config.set_value("replicaof", None)
        self.can_resume = False
        self.engine.saver.obstacle = None       # whatever the data are, they are what this server is the master of
        self.shift_ids()
        self.drop_replicas()
        self.stream.selected = -1
        self._alone_since_s = time.monotonic()
        self._follow_role()
        aof = self.engine.aof
        if self.config["appendonly"] and aof.state == OFF:      # a synchronisation that failed had switched it off
            aof.start()

    def _follow_role(self) -> None:
        self._set_role()
        self.log.is_replica = self.is_replica
        self.engine.host.role_changed()
        self.stream.update()
        self.link_changed()

    def _set_role(self, config=None) -> None:
        self.engine.set_role(self.is_replica, not self.config["replica-read-only"])

    def link_changed(self) -> None:
        """The link's state, or the role, is another one."""
        self.check_gate()

    def start(self) -> None:
        """The data are loaded: replicate the master that is configured."""
        self.check_gate()
        if self.config["replicaof"]:
            self._follow(*self.config["replicaof"])

    # --- replicas ---------------------------------------------------------------------------------

    def attach(self, replica: Replica, replid: str, offset: int, old: bool = False) -> str | None:
        """PSYNC or SYNC: answer a replica that has everything of a history before an offset (-1: nothing).

        Returns the status to reply, or None when the answer follows later.
        """
        replica.old = old
        asked = not old and replid != "?"
        if not old and self._continue(replica, replid, offset):
            self.syncs_partial += 1
            return f"CONTINUE {self.replid}" if replica.knows_psync2 else "CONTINUE"
        self.syncs_refused += asked
        if replica.knows_channel and not old:
            self.log.notice(f"Replica {replica.name} is capable of dual channel synchronization, and partial sync "
                            "isn't possible. Full sync will continue with dedicated RDB channel.")
            return "DUALCHANNELSYNC"
        self._add(replica)
        self.syncs_full += 1
        if not self.stream.is_on:
            if not self.is_replica:
                self.change_ids()
            self.open_backlog()
            self.log.notice(f"Replication backlog created, my new replication IDs are '{self.replid}' and "
                            f"'{self.replid2}'")
        self.full_sync.request(replica)
        return None

    def _add(self, replica: Replica) -> None:
        """Its connection is a replica's from now on."""
        self.replicas.append(replica)
        replica.connection.flag_bits |= C_REPLICA
        if self.config["repl-disable-tcp-nodelay"]:
            replica.connection.allow_delay()

    def _continue(self, replica: Replica, replid: str, offset: int) -> bool:
        """Let a replica go on where it stopped, if that is known here."""
        log, name = self.log, replica.name
        known = replid == self.replid or (replid == self.replid2 and offset <= self.second_offset)
        if not known:
            if replid == "?":
                log.notice(f"Full resync requested by replica {name}")
            elif replid != self.replid2:
                log.notice(f"Partial resynchronization not accepted: Replication ID mismatch (Replica asked for "
                           f"'{replid}', my replication IDs are '{self.replid}' and '{self.replid2}')")
            else:
                log.notice(f"Partial resynchronization not accepted: Requested offset for second ID was {offset}, but "
                           f"I can reply up to {self.second_offset}")
            return False
        backlog = self.stream.backlog
        if backlog is None or not backlog.holds(offset):
            log.notice(f"Unable to partial resync with replica {name} for lack of backlog (Replica request was: "
                       f"{offset}).")
            if backlog is not None and offset > backlog.end:
                log.warning(f"Warning: replica {name} tried to PSYNC with an offset that is greater than the master "
                            "replication offset.")
            return False
        log.notice(f"Partial resynchronization request from {name} accepted. Sending {backlog.end - offset} bytes of "
                   f"backlog starting from offset {offset}.")
        self._add(replica)
        replica.reader = Reader(self.stream, replica.connection, offset)
        channel = self.waiting.get(replica.channel_id)
        replica.go_online(in_background=channel is not None)
        if channel is not None:
            self.forget_place(channel)
        return True

    # --- places that are kept for main connections --------------------------------------------------

    def keep_place(self, channel: Replica) -> None:
        """A channel's data set ends at its place in the stream, where its main connection is going to ask for more."""
        backlog = self.stream.backlog
        tracked = "tracking repl-backlog tail" if backlog.size else "no repl-backlog to track"
        self.log.debug(f"Add rdb replica {channel.name} to waiting psync, with cid {channel.connection.id}, {tracked} ")
        self.waiting[channel.connection.id] = channel

    def forget_place(self, channel: Replica) -> None:
        """The main connection has come, or there is nothing any more that it could go on from."""
        if self.waiting.get(channel.connection.id) is channel:
            del self.waiting[channel.connection.id]
            channel.reader.close()

    def _look_at_places(self) -> None:
        """Cron: nobody waits forever, or for more than a replica may be behind."""
        now_s = time.monotonic()
        for number, channel in list(self.waiting.items()):
            if channel not in self.replicas and self._is_too_far_behind(channel):
                self.log.warning(f"Client id={number} ({channel.name}) closed ASAP for overcoming of output buffer "
                                 "limits.")
                self.forget_place(channel)
            elif channel.done_s and now_s - channel.done_s > self.grace_s:
                self.log.notice("Replica main channel failed to establish PSYNC within the grace period "
                                f"({now_s - channel.done_s:.0f} seconds). Freeing RDB client {number}.")
                self.forget_place(channel)
        for channel in list(self.replicas):
            if channel.state == TRANSMITTED and channel.connection.id not in self.waiting:
                main = next((one for one in self.replicas if one.channel_id == channel.connection.id), None)
                if main is None or main.state == ONLINE:
                    channel.drop()              # it should have closed itself

    def _is_too_far_behind(self, channel: Replica) -> bool:
        """client-output-buffer-limit, as for its connection while there is one."""
        most = self.config["client-output-buffer-limit"]["slave"].hard_bytes
        return bool(most) and self.offset + 1 - channel.reader.sent >= max(most, self.config["repl-backlog-size"])

    def connection_lost(self, connection) -> None:
        """A connection that REPLCONF was used on is gone."""
        replica = connection.replica
        if replica in self.replicas:
            self.replicas.remove(replica)
            self.log.notice(f"Replica {replica.name} rdb channel disconnected." if replica.is_channel
                            else f"Connection with replica {replica.name} lost.")
            self._leave_place(replica)
            self.full_sync.left(replica)
            if not self.replicas:
                self._alone_since_s = time.monotonic()
            self.replicas_changed()

    def _leave_place(self, replica: Replica) -> None:
        """A connection is gone. A channel that has all closes itself, and its main connection may be yet to come."""
        if (connection_id := replica.connection.id) in self.waiting:
            has_all = replica.state == TRANSMITTED or self.full_sync.is_sending(replica)
            if has_all and not self._is_too_far_behind(replica):
                replica.done_s = replica.done_s or time.monotonic()
                return
            del self.waiting[connection_id]
        if replica.reader is not None:
            replica.reader.close()

    def drop_replicas(self) -> None:
        """Close the connections of all replicas; they will come again."""
        for channel in list(self.waiting.values()):
            self.forget_place(channel)
        for replica in list(self.replicas):
            replica.drop()

    def replicas_changed(self) -> None:
        """One came online, acknowledged, or went."""
        if self.wants_replicas:
            self.check_gate()
        for waiter in list(self.waiters):
            waiter.check()

    def acked(self, replica: Replica, offset: int, aof_offset: int) -> None:
        """REPLCONF ACK: a replica has applied the stream up to an offset."""
        replica.acked = max(replica.acked, offset)
        replica.aof_acked = max(replica.aof_acked, aof_offset)
        replica.acked_s = time.monotonic()
        replica.has_acked = True
        if replica.awaits_ack or replica.state == BACKGROUND:
            self.full_sync.complete(replica)
        self.replicas_changed()

    # --- timers -----------------------------------------------------------------------------------

    def cron(self) -> None:
        """Once a second, or less often when called less often."""
        now_s = time.monotonic()
        if self.engine.own_deadline_count:
            self.engine.expire_own()
        if self.failover.is_on:
            self.failover.cron()
        if now_s - self._cron_s < 1:
            return
        self._cron_s = max(self._cron_s + 1, now_s - 1)
        if self.link is not None:
            self.link.cron()
        self._ping(now_s)
        self._drop_silent()
        self._look_at_places()
        self.full_sync.cron()
        self._drop_backlog(now_s)
        if self.wants_replicas:
            self.check_gate()

    def _ping(self, now_s: float) -> None:
        """Show replicas that the link lives; they ping nobody but acknowledge."""
        if (now_s - self._pinged_s < self.config["repl-ping-replica-period"] or self.is_replica or not self.replicas
                or self.failover.is_on):
            return
        self._pinged_s = now_s
        self.stream.append(PING)

    def _drop_silent(self) -> None:
        for replica in self.online():
            if replica.lag_s > self.config["repl-timeout"] and not replica.old:
                self.log.warning(f"Disconnecting timedout replica (streaming sync): {replica.name}")
                replica.drop()

    def _drop_backlog(self, now_s: float) -> None:
        ttl_s = self.config["repl-backlog-ttl"]
        if (self.stream.is_on and not self.replicas and not self.waiting and not self.is_replica and ttl_s
                and now_s - self._alone_since_s > ttl_s):
            self.stream.drop()
            self.change_ids()
            self.log.notice(f"Replication backlog freed after {ttl_s} seconds without connected replicas.")

    # --- INFO -------------------------------------------------------------------------------------

    def fields(self) -> list[tuple[str, object]]:
        """INFO's section."""
        fields: list[tuple[str, object]] = [("role", "slave" if self.is_replica else "master")]
        if self.link is not None:
            fields += self._link_fields(self.link)
        fields += [("connected_slaves", len(self.replicas)), ("replicas_waiting_psync", len(self.waiting))]
        if self.wants_replicas:
            fields.append(("min_slaves_good_slaves", self.good_replicas()))
        for i, replica in enumerate(replica for replica in self.replicas if replica.state_name):
            lag_s = replica.lag_s if replica.state == ONLINE else 0
            fields.append((f"slave{i}", f"ip={replica.ip},port={replica.port},state={replica.state_name},"
                                        f"offset={replica.acked},lag={lag_s},type={replica.type_name}"))
        backlog = self.stream.backlog
        return [
            *fields,
            ("master_failover_state", self.failover.state_name),
            ("master_replid", self.replid),
            ("master_replid2", self.replid2),
            ("master_repl_offset", self.offset),
            ("second_repl_offset", self.second_offset),
            ("repl_backlog_active", int(backlog is not None)),
            ("repl_backlog_size", self.config["repl-backlog-size"]),
            ("repl_backlog_first_byte_offset", backlog.start if backlog is not None else 0),
            ("repl_backlog_histlen", backlog.size if backlog is not None else 0),
        ]

    def _link_fields(self, link: Link) -> list[tuple[str, object]]:
        linked = link.state == "connected"
        fields: list[tuple[str, object]] = [
            ("master_host", self.master_host),
            ("master_port", self.master_port),
            ("master_link_status", "up" if linked else "down"),
            ("master_last_io_seconds_ago", link.last_io_s if linked else -1),
            ("master_sync_in_progress", int(link.state == "transfer")),
            ("slave_read_repl_offset", link.read_offset),
            ("slave_repl_offset", self.offset),
            ("replicas_repl_buffer_size", link.gathered.room),
            ("replicas_repl_buffer_peak", link.gathered.peak),
        ]
        if link.state == "transfer":
            left = link.sync_total - link.sync_read
            fields += [
                ("master_sync_total_bytes", link.sync_total),
                ("master_sync_read_bytes", link.sync_read),
                ("master_sync_left_bytes", left),
                ("master_sync_perc", f"{link.sync_read * 100 / link.sync_total if link.sync_total > 0 else 0:.2f}"),
                ("master_sync_last_io_seconds_ago", link.sync_last_io_s),
            ]
        if not linked:
            fields.append(("master_link_down_since_seconds", link.down_since_s))
        return [
            *fields,
            ("slave_priority", self.config["replica-priority"]),
            ("slave_read_only", int(self.config["replica-read-only"])),
            ("replica_announced", int(self.config["replica-announced"])),
        ]

    # --- WAIT -------------------------------------------------------------------------------------

    def send_command(self, words: Sequence[bytes]) -> None:
        """Master: have the replicas execute a command that was not executed here (DEBUG REPLICATE)."""
        if not self.is_replica:
            self.stream.append(request(*words))

    def request_acks(self) -> None:
        """Have all replicas acknowledge now, once for all who wait in this iteration of the loop."""
        self.stream.request_acks()
