"""A stand-in for a transport, between accept(2) and the loop's own: that takes the loop a few turns.

The connection is there meanwhile, as it is in redis-server, and is served even when the loop stands still
(engine/busy).
"""

import asyncio
import contextlib
import socket
from collections.abc import Callable


class StandIn(asyncio.Transport):
    """Writes to a socket, and keeps what the kernel does not take. It does not read.

    closed: called when it is closed. With `promised` set, a transport of the loop is going to have the socket, and to
    close it; the other side hears of the end at once.
    """

    def __init__(self, sock: socket.socket, closed: Callable[[], object]):
        super().__init__({"socket": sock})
        self.unsent = b""
        self.promised = False
        self._sock = sock
        self._closed = closed
        self._closing = False
        try:
            self._extra["sockname"] = sock.getsockname()
            self._extra["peername"] = sock.getpeername()
        except OSError:
            pass

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """What is kept is counted, never limited here."""

    def pause_reading(self) -> None:
        """It does not read."""

    resume_reading = pause_reading

    def get_write_buffer_size(self) -> int:
        return len(self.unsent)

    def is_closing(self) -> bool:
        return self._closing

    def write(self, data: bytes) -> None:
        self.unsent += data
        sent = 0
        with contextlib.suppress(OSError):
            sent = self._sock.send(self.unsent)
        self.unsent = self.unsent[sent:]

    def close(self) -> None:
        """End the connection; what the kernel has not taken yet is lost."""
        if not self._closing:
            self._closing = True
            if self.promised:
                with contextlib.suppress(OSError):
                    self._sock.shutdown(socket.SHUT_RDWR)
            else:
                self._sock.close()
            self._closed()

    abort = close
