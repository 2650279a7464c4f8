"""Sockets: listening ones, options of connections, and the addresses that a name stands for."""

import asyncio
import socket

from fastredis.host.process import Threads

MAX_KEEPIDLE = 32767        # seconds: what Linux takes for TCP_KEEPIDLE and TCP_KEEPINTVL


def bind_tcp(address: str, port: int, backlog: int) -> socket.socket:
    """A listening TCP socket; `*` is all of IPv4, an address with a colon is IPv6. Raises OSError."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    host = {"*": "0.0.0.0", "::*": "::"}.get(address, address)
    sock = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    try:
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        resolved = socket.getaddrinfo(host, port, family, socket.SOCK_STREAM, 0, socket.AI_PASSIVE)[0][4]
        sock.bind(resolved)
        sock.listen(backlog)
    except OSError:
        sock.close()
        raise
    return sock


def sockname(sock: socket.socket) -> tuple[str, int]:
    """A listening socket's address in the words of `bind`, and its port."""
    host, port = sock.getsockname()[:2]
    return {"0.0.0.0": "*", "::": "::*"}.get(host, host), port


def tune(sock: socket.socket, keepalive_s: int) -> None:
    """A TCP connection's options: no delay; the kernel probes it when it is idle for so long, 0: never."""
    seconds = min(keepalive_s, MAX_KEEPIDLE)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1 if seconds else 0)
    if seconds:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, seconds)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, max(1, seconds // 3))
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3)


async def look_up(threads: Threads | None, host: str, port: int,
                  family: int = socket.AF_UNSPEC) -> list[tuple[int, tuple]]:
    """The addresses of a host for TCP, (family, address) each. OSError.

    Not by the loop's getaddrinfo(): uvloop's ends the process if the system has no thread for it.
    """
    found = await asyncio.get_running_loop().run_in_executor(
        threads, socket.getaddrinfo, host, port, family, socket.SOCK_STREAM)
    return [(each[0], each[4]) for each in found]
