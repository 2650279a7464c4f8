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
from fastredis.host.sockets import bind_tcp, sockname
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


class Port:
    """The sockets of one TCP port, one for each address of `bind`: name "tcp" or "tls".

    serve: makes the Listener of a socket. listeners: none while there is no such port.
    """

    def __init__(self, name: str, serve: Callable[[socket.socket], Listener], log: Logger):
        self.name = name
        self.listeners: list[Listener] = []
        self._serve = serve
        self._log = log

    def bind_all(self, addresses: tuple[str, ...], port: int, backlog: int) -> list[socket.socket] | None:
        """Listening sockets for all addresses; None when one without a `-` in front fails."""
        sockets: list[socket.socket] = []
        for address in addresses:
            try:
                sockets.append(bind_tcp(address.removeprefix("-"), port, backlog))
            except OSError as error:
                optional = address.startswith("-")
                if optional and error.errno in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT, errno.EPROTONOSUPPORT):
                    continue
                step = "" if isinstance(error, socket.gaierror) else "bind: "
                self._log.warning(f"Warning: Could not create server TCP listening socket {address}:{port}: {step}"
                                  f"{error.strerror or error}")
                for sock in sockets:
                    sock.close()
                return None
        return sockets

    def listen(self, addresses: tuple[str, ...], port: int, backlog: int) -> bool:
        """Listen elsewhere (port 0: nowhere), and only there; the old sockets stay when that cannot be."""
        kept = [listener for listener in self.listeners if listener.is_open]
        here = {sockname(listener.sock) for listener in kept}
        wanted = {(address.removeprefix("-"), port) for address in addresses}
        if here and all((host, number) in wanted for host, number in here) and len(here) == len(wanted):
            return True
        old, self.listeners = self.listeners, []
        same_port = any(number == port for _, number in here)
        if same_port:
            for listener in old:
                listener.close()
        sockets = self.bind_all(addresses, port, backlog) if port else []
        if sockets is None:
            if same_port:
                back = self.bind_all(tuple(host for host, _ in here), port, backlog)
                self.listeners = [self._serve(sock) for sock in back or ()]
            else:
                self.listeners = old
            return False
        if not same_port:
            for listener in old:
                listener.close()
        self.listeners = [self._serve(sock) for sock in sockets]
        return True
