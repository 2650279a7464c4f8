"""The HTTP endpoint: /metrics for Prometheus, /healthz and /readyz for who looks after the process.

Served by the engine's own loop, so nothing here may take long or much. A request is GET or HEAD, has no body, and at
most MOST_HEAD bytes, which have to come within PATIENCE_SECONDS; each connection has one. Whoever has the answer is to
close the connection, and has as much time again for both. (Were it closed here, a child of this process might still
have the socket, so that the end of the answer could not be told from its middle.) There are at most MOST_CONNECTIONS at
a time. The metrics are written in slices of SLICE_SECONDS, between which clients are served.
"""

import asyncio
import time
from collections.abc import Callable

from fastredis.config.config import Config, ConfigError
from fastredis.engine.inspect import is_loading
from fastredis.host.listeners import Listener
from fastredis.host.sockets import bind_tcp

MOST_HEAD = 8 * 1024
MOST_CONNECTIONS = 32
PATIENCE_SECONDS = 5
SLICE_SECONDS = 0.001
ACCEPTED_AT_ONCE = 4        # in a turn of the loop
BACKLOG = 32
PLAIN = "text/plain; charset=utf-8"
OK, UNAVAILABLE = "200 OK", "503 Service Unavailable"
BAD_REQUEST, NOT_FOUND, NOT_ALLOWED = "400 Bad Request", "404 Not Found", "405 Method Not Allowed"
HEAD_TOO_LARGE = "431 Request Header Fields Too Large"
MISSING = "metrics-port needs the package prometheus-client: pip install 'fastredis-server[metrics]'"
INDEX = "/metrics  for Prometheus\n/healthz  whether this server answers\n/readyz   whether it is of use\n"


class Connection(asyncio.Protocol):
    """One connection: a request and its answer."""

    def __init__(self, endpoint: "Endpoint"):
        self._endpoint = endpoint
        self._head = b""
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._work: asyncio.Task[None] | None = None
        self._asked = False
        self._heard_all = False             # the other side says no more
        self._answered = False

    # --- what the transport calls ---------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._endpoint.connections.add(self)
        self._wait()

    def data_received(self, data: bytes) -> None:
        if self._asked:
            return                      # what follows the request is nobody's
        self._head += data
        head, end, _ = self._head.partition(b"\r\n\r\n")
        if end:
            self._asked = True
            self._serve(head)
        elif len(self._head) > MOST_HEAD:
            self._answer(HEAD_TOO_LARGE)

    def eof_received(self) -> bool:
        self._heard_all = True
        return self._asked and not self._answered       # who has asked may still have the answer

    def connection_lost(self, error: Exception | None) -> None:
        self._endpoint.connections.discard(self)
        for each in (self._timer, self._work):
            if each is not None:
                each.cancel()

    # --- requests ---------------------------------------------------------------------------

    def _wait(self) -> None:
        """Give the other side time."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._endpoint.loop.call_later(PATIENCE_SECONDS, self.abort)

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def _serve(self, head: bytes) -> None:
        words = head.partition(b"\r\n")[0].split(b" ")
        if len(head) > MOST_HEAD:
            self._answer(HEAD_TOO_LARGE)
        elif len(words) != 3 or not words[2].startswith(b"HTTP/1."):
            self._answer(BAD_REQUEST)
        elif words[0] not in (b"GET", b"HEAD"):
            self._answer(NOT_ALLOWED)
        else:
            self._serve_path(words[1].partition(b"?")[0].decode("latin-1"), words[0] == b"HEAD")

    def _serve_path(self, path: str, without_body: bool) -> None:
        answer: Callable[..., None] = self._answer_head if without_body else self._answer
        if path == "/metrics":
            self._work = self._endpoint.loop.create_task(self._metrics(answer))
        elif path == "/healthz":
            answer(OK, b"ok\n")
        elif path == "/readyz":
            reason = obstacle(self._endpoint.engine)
            answer(UNAVAILABLE if reason else OK, (reason or "ok").encode() + b"\n")
        elif path == "/":
            answer(OK, INDEX.encode())
        else:
            answer(NOT_FOUND)

    async def _metrics(self, answer: Callable[..., None]) -> None:
        from fastredis.exporter.families import CONTENT_TYPE_LATEST, all_families, written

        parts = []
        until = time.monotonic() + SLICE_SECONDS
        for family in all_families(self._endpoint.engine):
            parts.append(written(family))
            if time.monotonic() > until:
                await asyncio.sleep(0)
                until = time.monotonic() + SLICE_SECONDS
        answer(OK, b"".join(parts), CONTENT_TYPE_LATEST)

    # --- answers ----------------------------------------------------------------------------

    def _answer_head(self, status: str, body: bytes | None = None, kind: str = PLAIN) -> None:
        self._answer(status, body, kind, without_body=True)

    def _answer(self, status: str, body: bytes | None = None, kind: str = PLAIN, without_body: bool = False
                ) -> None:
        """Answer. body: without one, the status in words."""
        self._asked = self._answered = True
        if self._transport is None or self._transport.is_closing():
            return
        if body is None:
            body = status.partition(" ")[2].encode() + b"\n"
        lines = [f"HTTP/1.1 {status}", f"Content-Type: {kind}", f"Content-Length: {len(body)}",
                 "Cache-Control: no-store", "Connection: close"]
        if status == NOT_ALLOWED:
            lines.append("Allow: GET, HEAD")
        self._wait()
        self._transport.write("\r\n".join(lines).encode() + b"\r\n\r\n" + (b"" if without_body else body))
        if self._heard_all:
            self._transport.close()
        else:
            self._transport.write_eof()


def obstacle(engine) -> str | None:
    """Why this server is of no use to clients now; None: it is."""
    if engine.ending:
        return "the server is being shut down"
    if not engine.loaded or is_loading(engine):
        return "the data are being loaded"
    link = engine.replication.link
    if link is None or link.state == "connected":
        return None
    down_s = link.down_since_s
    if down_s < 0:
        return "this replica has not got its master's data yet"
    if down_s > engine.config["metrics-max-link-down"]:
        return f"the link to the master is down for {down_s} s"
    return None


class Endpoint:
    """The sockets of `metrics-port`, and who is connected to them."""

    def __init__(self, engine):
        self.engine = engine
        self.config: Config = engine.config
        self.loop: asyncio.AbstractEventLoop = engine.loop
        self.connections: set[Connection] = set()
        self._listeners: list[Listener] = []
        self._connecting: set[asyncio.Task] = set()
        self._place: tuple[tuple[str, ...], int] = ((), 0)      # where it listens
        self.config.on_change("metrics-port", self._change)
        self.config.on_change("metrics-bind", self._change)

    def listen(self) -> str | None:
        """Listen where the settings say, and only there; returns why that cannot be, or None."""
        place = (self.config["metrics-bind"], self.config["metrics-port"])
        if place == self._place:
            return None
        problem = self._missing() if place[1] else None
        if problem is None:
            before = self._place
            problem = self._move(place)
            if problem is not None:
                self._move(before)
        return problem

    def _missing(self) -> str | None:
        try:
            import prometheus_client  # noqa: F401  takes its time, so only who wants it waits
        except ImportError:
            return MISSING
        return None

    def _move(self, place: tuple[tuple[str, ...], int]) -> str | None:
        """Listen there and nowhere else. If that fails nothing listens, and the reason is returned."""
        self._close_listeners()
        addresses, port = place
        for address in addresses if port else ():
            try:
                sock = bind_tcp(address.removeprefix("-"), port, BACKLOG)
            except OSError as error:
                if address.startswith("-"):
                    continue
                self._close_listeners()
                return f"Could not create server TCP listening socket {address}:{port}: {error.strerror or error}"
            self._listeners.append(Listener(self.loop, sock, self._welcome, self.engine.log, lambda: ACCEPTED_AT_ONCE))
        self._place = place
        return None

    def _change(self, config: Config) -> None:
        """CONFIG SET."""
        problem = self.listen()
        if problem is not None:
            self.engine.log.warning(problem)
            raise ConfigError(problem)

    def _welcome(self, sock) -> None:
        if len(self.connections) + len(self._connecting) >= MOST_CONNECTIONS:
            sock.close()
            return
        task = self.loop.create_task(self._connect(sock))
        self._connecting.add(task)
        task.add_done_callback(self._connecting.discard)

    async def _connect(self, sock) -> None:
        try:
            await self.loop.connect_accepted_socket(lambda: Connection(self), sock)
        except OSError:                     # it has left in between
            sock.close()

    def _close_listeners(self) -> None:
        for listener in self._listeners:
            listener.close()
        self._listeners = []
        self._place = ((), 0)

    def close(self) -> None:
        """The service is over: nothing listens, nobody is answered."""
        self._close_listeners()
        for task in self._connecting:
            task.cancel()
        for connection in list(self.connections):
            connection.abort()

    def close_in_child(self) -> None:
        for listener in self._listeners:
            listener.close_in_child()
