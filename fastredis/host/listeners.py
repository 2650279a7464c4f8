"""A listening socket on an event loop.

The loop's own servers will not do: when the process or the system has no file descriptor left, asyncio's tries
again at once, for ever, with a traceback each time, and uvloop's takes connections only to close them, and says
nothing. Here those who want to connect wait in the kernel's queue (`tcp-backlog`), the log says why, and accept(2)
is tried again after RETRY_SECONDS.
"""

import asyncio
import contextlib
import errno
import os
import socket
from collections.abc import Callable

from fastredis.host.logs import VERBOSE, WARNING, Logger
from fastredis.text import address_text

RETRY_SECONDS = 0.1
GIVEN_UP = {errno.ECONNABORTED, errno.EPROTO, errno.EPERM}      # of one connection, by who connects or a firewall


class Listener:
    """A socket that listens already, and whoever connects to it.

    welcome: called with the socket of each connection, which does not block; most: how many are taken in one turn of
    the loop, as the setting says now.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, sock: socket.socket, welcome: Callable[[socket.socket], object],
                 log: Logger, most: Callable[[], int]):
        self.sock = sock
        self._loop = loop
        self._welcome = welcome
        self._log = log
        self._most = most
        self._retry: asyncio.TimerHandle | None = None
        loop.add_reader(sock.fileno(), self._accept)

    @property
    def is_open(self) -> bool:
        return self.sock.fileno() >= 0

    def close(self) -> None:
        """Take no more connections; those that were accepted live on."""
        if self._retry is not None:
            self._retry.cancel()
        if self.is_open:
            self._loop.remove_reader(self.sock.fileno())
            self.sock.close()

    def _accept(self) -> None:
        for _ in range(self._most()):
            try:
                accepted, address = self.sock.accept()
            except (BlockingIOError, InterruptedError):
                return
            except OSError as error:
                self._log.limited("accept", WARNING, f"Accepting client connection: accept: {os.strerror(error.errno)}")
                if error.errno in GIVEN_UP:
                    continue
                return self._wait()
            if self._log.wants(VERBOSE):
                where = address_text(address).decode() if address else self.sock.getsockname()
                self._log.limited("accepted", VERBOSE, f"Accepted {where}")
            accepted.setblocking(False)
            self._welcome(accepted)

    def _wait(self) -> None:
        """There is no descriptor, or no memory: whoever connects waits until there is."""
        self._loop.remove_reader(self.sock.fileno())
        self._retry = self._loop.call_later(RETRY_SECONDS, self._again)

    def _again(self) -> None:
        self._retry = None
        if self.is_open:
            self._loop.add_reader(self.sock.fileno(), self._accept)

    def close_in_child(self) -> None:
        """In a child process: else nobody could listen there when the server ends first."""
        with contextlib.suppress(OSError):
            os.close(self.sock.fileno())
