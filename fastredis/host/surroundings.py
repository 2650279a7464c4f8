"""What a server asks of the process it is in."""

import contextlib


class Surroundings:
    """A process that is not the server's own: it is left as it is. fastredis.own_process has the other kind."""

    def enter(self, server) -> None:
        """The server starts."""

    def place_thread(self, thread_id: int) -> None:
        """A thread of the server has started."""

    def serve(self) -> None:
        """It listens."""

    def ready(self) -> None:
        """Its data are loaded."""

    def cron(self) -> None:
        """Called `hz` times a second."""

    def role_changed(self, is_replica: bool) -> None:
        """It is a master or a replica now."""

    def in_child(self, kind: str) -> None:
        """This is a child of it, "rdb" or "aof"."""

    def saving_at_end(self) -> contextlib.AbstractContextManager:
        """Around the last save before the end."""
        return contextlib.nullcontext()
