"""The end of the service: SHUTDOWN, SIGTERM and SIGINT. Replicas are waited for, the data are saved, nothing is lost.

    request() --> replicas lag? --> writes are held, cron() looks again --> finish() --> data saved? --> end_service()
                                                                                    no: everything goes on
"""

import signal
from dataclasses import dataclass, field

from fastredis.engine.blocking import PAUSE_SHUTDOWN
from fastredis.engine.connection import Connection
from fastredis.engine.errors import SHUTDOWN_FAILED
from fastredis.host.process import notify_systemd

LONGEST_PAUSE_MS = 2**62    # since the epoch


@dataclass
class Wait:
    """A shutdown that has been asked for, while replicas are waited for.

    save, force    as Ending.request() has them
    offset         up to which replicas are to have the stream
    until_ms       how long that is waited for, ms since the epoch
    clients        who asked by SHUTDOWN
    """

    save: bool | None
    force: bool
    offset: int
    until_ms: int
    clients: list[Connection] = field(default_factory=list)


class Ending:
    """How one engine's service ends. signal: the one that asked for it; None: none did."""

    def __init__(self, engine):
        self.engine = engine
        self.config, self.log = engine.config, engine.log
        self.wait: Wait | None = None
        self.signal: int | None = None

    # --- who asks -----------------------------------------------------------------------

    def signalled(self, number: int) -> None:
        """SIGTERM or SIGINT: shut down, soon."""
        if self.signal is None:
            self.log.warning(f"Received {signal.Signals(number).name} scheduling shutdown...")
            self.signal = number
            self.engine.loop.call_soon(self.cron)

    def request(self, save: bool | None = None, now: bool = False, force: bool = False) -> None:
        """Save what is to be saved, and end the service; if that cannot be, go on.

        save: True or False whatever the save points are, None: if there are any. force: even if saving fails. Unless
        `now`, replicas that lag behind are waited for first, for shutdown-timeout seconds; writes are held meanwhile.
        """
        self.log.warning("User requested shutdown...")
        if self.config["supervised"] == "systemd":
            notify_systemd("STOPPING=1\n", self.log)
        timeout_s = self.config["shutdown-timeout"]
        wait = Wait(save, force, self.engine.replication.offset, self.engine.clock.now_ms + timeout_s * 1000)
        if not now and timeout_s and self.engine.loaded and self._lagging(wait):
            self.log.notice("Waiting for replicas before shutting down.")
            self.wait = wait
            self.engine.blocked.pause(PAUSE_SHUTDOWN, LONGEST_PAUSE_MS, False)
            self.engine.replication.request_acks()
        else:
            self._finish(wait)

    def abort(self) -> bool:
        """SHUTDOWN ABORT: take back what a signal or a command asked for; False if there was nothing."""
        if self.signal is None and self.wait is None:
            return False
        self._forget()
        self.log.warning("Shutdown manually aborted.")
        return True

    def hold(self, client: Connection) -> None:
        """A client asked for the shutdown that is being waited for: it hears of it only if there is none."""
        self.wait.clients.append(client)
        self.engine.blocked.hold(client)

    # --- waiting ------------------------------------------------------------------------

    @property
    def awaits_replicas(self) -> bool:
        """Whether the service is going to end when the replicas have caught up."""
        return self.wait is not None

    @property
    def left_ms(self) -> int:
        """How long replicas are still waited for."""
        return max(0, self.wait.until_ms - self.engine.clock.now_ms) if self.wait else 0

    def cron(self) -> None:
        """Timer: end if all replicas have everything, or were waited for long enough; or if a signal asked for it."""
        wait = self.wait
        if wait is not None and (not self._lagging(wait) or self.engine.clock.now_ms >= wait.until_ms):
            self._finish(wait)
        if self.signal is None or self.engine.host.cron_paused or self.engine.ending or self.awaits_replicas:
            return
        words = self.config["shutdown-on-sigint" if self.signal == signal.SIGINT else "shutdown-on-sigterm"]
        save = True if "save" in words else False if "nosave" in words else None
        self.request(save=save, now="now" in words, force="force" in words)

    def _lagging(self, wait: Wait) -> list:
        return [replica for replica in self.engine.replication.replicas
                if replica.acked < wait.offset and not replica.is_channel]

    def _tell_of_replicas(self, wait: Wait) -> None:
        lagging = self._lagging(wait)
        for replica in lagging:
            self.log.warning(f"Lagging replica {replica.name} reported offset {wait.offset - replica.acked} behind "
                             f"master, lag={replica.lag_s}, state={replica.state_name}.")
        count = len(self.engine.replication.replicas)
        if count:
            self.log.notice(f"{count - len(lagging)} of {count} replicas are in sync when shutting down.")

    def _forget(self) -> None:
        """Go on as if nobody had asked for a shutdown; those who did get an error."""
        wait, self.wait, self.signal = self.wait, None, None
        if wait is not None:
            self.engine.blocked.unpause(PAUSE_SHUTDOWN)
            for client in wait.clients:
                self.engine.blocked.unblock(client, SHUTDOWN_FAILED.encode())

    # --- the end ------------------------------------------------------------------------

    def _finish(self, wait: Wait) -> None:
        """The end; or, if the data cannot be saved, all goes on, and those who wait for the end hear of it."""
        self._tell_of_replicas(wait)
        if not self._save(wait.save, wait.force):
            self.log.warning("Errors trying to shut down the server. Check the logs for more information.")
            self._forget()
            return
        self.end_service(0)
        self.log.warning("fastredis (Redis protocol) is now ready to exit, bye bye...")

    def _save(self, save: bool | None, force: bool) -> bool:
        """What the end of the service would lose goes to the disk; False if it cannot, and all is to go on."""
        engine = self.engine
        if engine.saver.running:
            self.log.warning("There is a child saving an .rdb. Killing it!")
            engine.saver.cancel()
        if not engine.aof.close_at_end(force):
            return False
        if save is None:
            save = bool(self.config["save"])
        if save and engine.saver.obstacle is not None:
            self.log.warning(f"The data are not saved: {engine.saver.obstacle}.")
            return True
        if not save:
            return True
        self.log.warning("Saving the final RDB snapshot before exiting.")
        if self.config["supervised"] == "systemd":
            notify_systemd("STATUS=Saving the final RDB snapshot\n", self.log)
        with engine.host.saving_at_end():
            saved = engine.saver.save()
        if saved:
            return True
        self.log.warning("Error trying to save the DB, " + ("Exit anyway." if force else "can't exit."))
        return force

    def end_service(self, code: int) -> None:
        """Execute nothing from here on, for it would be lost; close all connections, and tell the host.

        What was executed before is answered, and replicas get it, as far as the kernel takes that now.
        """
        engine = self.engine
        engine.ending = True
        engine.host.end(code)
        if engine.child is not None:
            engine.child.kill()
        if engine.replication.link is not None:
            engine.replication.link.close()
        engine.start_turn()
        try:
            engine.aof.end()
            engine.send_now()
            for client in list(engine.clients.values()):
                client.kill()
        finally:
            engine.finish_turn()
