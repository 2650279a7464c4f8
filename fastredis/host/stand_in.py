"""A stand-in for a transport: connections that are accepted while the loop stands still have one (engine/busy)."""

import asyncio
import contextlib
import socket
from collections.abc import Callable


class StandIn(asyncio.Transport):
    """Writes to a socket, and keeps what the kernel does not take. Whoever has made it reads.

    closed: called when it is closed; the socket is closed then.
    """

    def __init__(self, sock: socket.socket, closed: Callable[[], object]):
        super().__init__({"socket": sock})
        self.sock = sock
        self.unsent = b""
        self._closed = closed
        self._closing = False
        with contextlib.suppress(OSError):
            self._extra["sockname"] = sock.getsockname()
            self._extra["peername"] = sock.getpeername()

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """What is kept is counted, never limited here."""

    def get_write_buffer_size(self) -> int:
        return len(self.unsent)

    def is_closing(self) -> bool:
        return self._closing

    def write(self, data: bytes) -> None:
        self.unsent += data
        sent = 0
        with contextlib.suppress(OSError):
            sent = self.sock.send(self.unsent)
        self.unsent = self.unsent[sent:]

    def close(self) -> None:
        """Close the socket; what the kernel has not taken yet is lost."""
        if not self._closing:
            self._closing = True
            self.sock.close()
            self._closed()

    abort = close
