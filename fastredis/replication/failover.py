"""FAILOVER: hand the role of the master over to a replica that has everything.

    no-failover --FAILOVER--> waiting-for-sync            writes are held; a replica has acknowledged all of the stream
                                  --> failover-in-progress    this server follows it; PSYNC ... FAILOVER makes it master
    ABORT, TIMEOUT, a refusal lead back: this server is the master again, and writes go on.
Source: https://redis.io/docs/latest/commands/failover/
"""

from fastredis.engine.blocking import PAUSE_FAILOVER
from fastredis.replication.master import ONLINE, Replica

NONE, WAITING, IN_PROGRESS = "no-failover", "waiting-for-sync", "failover-in-progress"
FOR_EVER_MS = 2**62


class Failover:
    """Of one server; state_name is one of the above, host and port are the target's once one is chosen."""

    def __init__(self, replication):
        self.replication = replication
        self.engine = replication.engine
        self.state_name = NONE
        self.host, self.port = "", 0
        self._force = False
        self._until_ms = 0              # 0: there is no limit

    @property
    def is_on(self) -> bool:
        """Whether one is under way: the stream stands still, so that a replica can have all of it."""
        return self.state_name != NONE

    def target(self, host: str, port: int) -> Replica | None:
        """The replica that is known by an address."""
        for replica in self.replication.replicas:
            if replica.ip == host and replica.port == port:
                return replica
        return None

    def begin(self, host: str, port: int, timeout_ms: int, force: bool) -> None:
        """Hold writes until the replica (host "": any one) has everything; timeout_ms 0: however long it takes."""
        self.host, self.port, self._force = host, port, force
        self._until_ms = self.engine.clock.now_ms + timeout_ms if timeout_ms else 0
        target = f"{host}:{port}" if host else "any replica"
        self.engine.log.notice(f"FAILOVER requested to {target}.")
        self.state_name = WAITING
        self.engine.blocked.pause(PAUSE_FAILOVER, FOR_EVER_MS, False)

    def cron(self) -> None:
        """Go on if a replica has everything, or the time is over."""
        if self.state_name != WAITING:
            return
        found = self._synced()
        if found is not None:
            self.host, self.port = found.ip, found.port
            self.engine.log.notice(f"Failover target {self.host}:{self.port} is synced, failing over.")
            self._hand_over()
        elif self._until_ms and self.engine.clock.now_ms >= self._until_ms:
            if self._force:
                self.engine.log.notice(f"FAILOVER to {self.host}:{self.port} time out exceeded, failing over.")
                self._hand_over()
            else:
                self.abort("Replica never caught up before timeout")

    def _synced(self) -> Replica | None:
        for replica in self.replication.replicas:
            wanted = not self.host or (replica.ip == self.host and replica.port == self.port)
            if wanted and replica.state == ONLINE and replica.port and replica.acked == self.replication.offset:
                return replica
        return None

    def _hand_over(self) -> None:
        self.state_name = IN_PROGRESS
        self.replication.become_replica(self.host, self.port, failover_replid=self.replication.replid)

    def answered(self, accepted: bool) -> None:
        """The target has answered PSYNC ... FAILOVER."""
        if accepted:
            self._clear()
        else:
            self.abort("Failover target rejected psync request")

    def abort(self, reason: str) -> None:
        """Stay the master, or become it again."""
        where = f"{self.host}:{self.port}" if self.host else "any replica"
        self.engine.log.notice(f"FAILOVER to {where} aborted: {reason}")
        if self.state_name == IN_PROGRESS:
            self.replication.become_master()
        self._clear()

    def _clear(self) -> None:
        self.state_name = NONE
        self.host, self.port = "", 0
        self.engine.start_turn()
        try:
            self.engine.blocked.unpause(PAUSE_FAILOVER)
        finally:
            self.engine.finish_turn()
