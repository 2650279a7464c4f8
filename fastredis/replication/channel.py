"""A replica's connections to its master while they synchronise.

A Channel is one connection and its script, a generator, which says what it waits for (Wait) and is told what came. Most
full synchronisations need one, that of the link's Attempt. If the master has the data set sent by itself
(dual-channel-replication-enabled at both ends), there is a second one:

    Attempt     PSYNC --> +DUALCHANNELSYNC .... REPLCONF set-rdb-client-id, PSYNC --> +CONTINUE, stream --> Gathered --+
    RdbChannel     SYNC --> $ENDOFF:<offset> <id> <database> <client> --------------> data set --> databases ----------+
                                                                                                  Link.synchronized()

The master need not keep the stream for so long as the data set takes; it is kept here instead, up to the hard limit
that client-output-buffer-limit sets for replicas, and beyond that it is not read.
Source: https://valkey.io/topics/replication/
"""

import abc
import asyncio
import os
import re
import socket
import time
from collections.abc import Generator
from ssl import SSLError
from typing import NamedTuple

from fastredis.host.sockets import look_up, tune
from fastredis.host.tls_transport import connect_tls, name_of
from fastredis.replication.receiving import SyncFailed, Transfer, Wait

RDB_OF_VALKEY = "9.0.0"         # told to the master: of which Valkey RDB files can be read here
LONGEST_LINE = 64 * 1024        # bytes of an answer in the handshake
KEPT_BYTES = 4 * 1024 * 1024    # that wait to be used, before the master has to wait
ALIVE_SECONDS = 1.0             # between two signs of life while data are loaded
END_OFFSET = re.compile(r"\$ENDOFF:(\d+) ([0-9a-zA-Z]{40}) (-?\d+) (\d+)")


def request(*words: str | bytes) -> bytes:
    """A command as the protocol has it."""
    parts = [word.encode("utf-8", "surrogateescape") if isinstance(word, str) else word for word in words]
    return b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%b\r\n" % (len(part), part) for part in parts)


def answer_text(line: bytes) -> str:
    """A line of an answer as text, with the + or - that it begins with."""
    import hiredis

    reader = hiredis.Reader(encoding="utf-8", errors="replace", notEnoughData="")
    reader.feed(line + b"\r\n")
    try:
        reply = reader.gets()
    except hiredis.ProtocolError:
        return line.decode("utf-8", "replace")
    return f"-{reply}" if isinstance(reply, hiredis.ReplyError) else line[:1].decode("latin-1") + str(reply)


class Channel(asyncio.Protocol, abc.ABC):
    """One connection to the master, and its script. Of a subclass: _synchronize(), fail(), and PURPOSE for the log.

    heard_s     when bytes came last, or were waited for first (monotonic)
    lost        the connection is gone; what has come can still be used
    """

    def __init__(self, link):
        self.link = link
        self.engine, self.config, self.log = link.engine, link.config, link.log
        self.transport: asyncio.Transport | None = None
        self.lost = False
        self.heard_s = time.monotonic()
        self._sent_s = self.heard_s
        self._unused = b""
        self._reading = True
        self._running = self._closed = False
        self._script = self._synchronize()
        self._wait: Wait | asyncio.Future | None = None     # what the script waits for; None: it has not begun
        self._slice_due = False
        self._task = self.engine.loop.create_task(self._open())

    async def _open(self) -> None:
        try:
            sock = await self._connect()
            loop = self.engine.loop
            if self.config["tls-replication"]:
                await connect_tls(loop, lambda: self, sock, self.engine.host.outgoing_tls(), name_of(self.link.host))
            else:
                await loop.create_connection(lambda: self, sock=sock)
        except SSLError as error:
            self.fail(SyncFailed(f"Error condition on socket for {self.PURPOSE}: {error}"))
        except OSError as error:
            text = os.strerror(error.errno) if (error.errno or 0) > 0 else error.strerror or str(error)
            self.fail(SyncFailed(f"Error condition on socket for {self.PURPOSE}: {text}"))
        except ValueError as error:             # an address that cannot be one
            self.fail(SyncFailed(f"Unable to connect to MASTER: {error}"))

    async def _connect(self) -> socket.socket:
        """A connection to the first of the master's addresses that takes one. Errors: OSError, ValueError."""
        resolvers, failure = self.engine.resolvers, None
        for family, address in await look_up(resolvers, self.link.host, self.link.port):
            sock = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
            connected = False
            try:
                if source := self.config["bind-source-addr"]:
                    sock.bind((await look_up(resolvers, source, 0, family))[0][1])
                await self.engine.loop.sock_connect(sock, address)
                connected = True
                return sock
            except OSError as error:
                failure = error
            finally:
                if not connected:           # maybe it was cancelled
                    sock.close()
        raise failure

    @abc.abstractmethod
    def _synchronize(self) -> Generator:
        """The script."""

    @abc.abstractmethod
    def fail(self, failure: SyncFailed) -> None:
        """There is no getting on with this connection."""

    def close(self) -> None:
        """End what is under way, and leave nothing behind."""
        self._closed = True
        self._task.cancel()
        if self.transport is not None:
            self.transport.abort()
        if not self._running:
            self._script.close()

    # --- what the transport calls -------------------------------------------------------

    def connection_made(self, transport: asyncio.Transport) -> None:
        if self._closed:
            transport.abort()
            return
        self.transport = transport
        tune(transport.get_extra_info("socket"), self.config["tcp-keepalive"])
        self._go_on()

    def data_received(self, data: bytes) -> None:
        if self._closed:
            return
        self.heard_s = time.monotonic()
        self._unused = self._unused + data if self._unused else data
        self._go_on()
        if len(self._unused) > KEPT_BYTES and not self._closed:
            self.pause()

    def connection_lost(self, error: Exception | None) -> None:
        self.lost = True
        self._go_on()

    # --- the script's driver --------------------------------------------------------------

    def _go_on(self) -> None:
        """Let the script go on for as long as it has what it waits for."""
        if self._running or self._closed:
            return
        self._running = True
        try:
            while self._is_ready() and not self._closed:
                self._wait = self._script.send(self._take())
                if self._wait is Wait.SLICE:
                    self.engine.loop.call_soon(self._next_slice)
                elif isinstance(self._wait, asyncio.Future):
                    self._wait.add_done_callback(lambda future: self._go_on())
        except StopIteration:
            self._closed = True
        except SyncFailed as failure:
            self.fail(failure)
        finally:
            self._running = False
            if self._closed:
                self._script.close()

    def _is_ready(self) -> bool:
        if self._wait is Wait.LINE:
            return self.lost or b"\n" in self._unused or len(self._unused) > LONGEST_LINE
        if self._wait is Wait.BYTES:
            return self.lost or bool(self._unused)
        if self._wait is Wait.SLICE:
            return self._slice_due
        return self._wait is None or self._wait.done()

    def _take(self):
        """What the script has waited for: a line without its end (None: there will be none), bytes (b"": no more)."""
        if self._wait is Wait.LINE:
            line, end, rest = self._unused.partition(b"\n")
            if not end:
                return None
            self._unused = rest
            return line.removesuffix(b"\r")
        if self._wait is Wait.BYTES:
            return self.take_rest()
        self.heard_s = time.monotonic()
        if self._wait is Wait.SLICE:
            self._slice_due = False
            return None
        return self._wait

    def is_silent(self, timeout_s: float) -> bool:
        """Whether it is the master's turn, and was for so long."""
        return self._wait in (None, Wait.LINE, Wait.BYTES) and time.monotonic() - self.heard_s > timeout_s

    def _next_slice(self) -> None:
        self._slice_due = True
        self._go_on()

    # --- for the script -------------------------------------------------------------------

    def take_rest(self) -> bytes:
        """All bytes that came and were not used."""
        data, self._unused = self._unused, b""
        if not self._reading and not self.lost:
            self._reading = True
            self.transport.resume_reading()
        return data

    def pause(self) -> None:
        """Take nothing from the connection for now."""
        if self._reading and not self.lost:
            self._reading = False
            self.transport.pause_reading()

    def unread(self, data: bytes) -> None:
        """Give bytes back that belong to what follows."""
        self._unused = data + self._unused

    def send(self, *words: str | bytes) -> None:
        if not self.lost:
            self.transport.write(request(*words))

    def keep_alive(self) -> None:
        """To be called often while the master waits: show it now and then that this server lives."""
        now_s = time.monotonic()
        if now_s - self._sent_s > ALIVE_SECONDS and not self.lost:
            self._sent_s = now_s
            self.transport.write(b"\n")

    def _send_password(self) -> None:
        config = self.config
        if config["masterauth"]:
            self.send("AUTH", *([config["masteruser"]] if config["masteruser"] else []), config["masterauth"])

    def _take_password_answer(self) -> Generator:
        if self.config["masterauth"]:
            answer = yield from self._answer()
            if answer.startswith("-"):
                raise SyncFailed(f"Unable to AUTH to MASTER: {answer}")

    @property
    def _port(self) -> str:
        """Where this server listens, as it is told to the master."""
        config = self.config
        by_tls = config["tls-port"] if config["tls-replication"] else 0
        return str(config["replica-announce-port"] or by_tls or config["port"])

    def _answer(self) -> Generator:
        """The next line, as text."""
        line = yield Wait.LINE
        if line is None:
            raise SyncFailed("Master did not respond to command during SYNC handshake")
        return answer_text(line)


class End(NamedTuple):
    """Where a data set ends in the stream, and the master's name for the connection that brings it."""

    offset: int
    replid: str
    client_id: str


class RdbChannel(Channel):
    """The second connection of an Attempt, which brings the data set. Its failure is the attempt's.

    end         Future: the End, told before the data come
    loaded      Future: the database that the stream has selected, when the data are loaded
    """

    PURPOSE = "dual channel replication"

    def __init__(self, attempt):
        self.attempt = attempt
        self.end: asyncio.Future[End] = attempt.engine.loop.create_future()
        self.loaded: asyncio.Future[int] = attempt.engine.loop.create_future()
        super().__init__(attempt.link)

    def fail(self, failure: SyncFailed) -> None:
        self.attempt.fail(failure)

    def keep_alive(self) -> None:
        """The main connection is the one that the master looks at."""
        self.attempt.keep_alive()

    def _synchronize(self) -> Generator:
        self._send_password()
        self.send("REPLCONF", "capa", "eof", "rdb-only", "1", "rdb-channel", "1", "listening-port", self._port,
                  "version", RDB_OF_VALKEY)
        yield from self._take_password_answer()
        answer = yield from self._answer()
        if answer.startswith("-"):
            self.link.avoids_channel = True
            raise SyncFailed("Server does not support sync with offset, dual channel sync approach cannot be used: "
                             f"{answer}", notice=True)
        if not self.lost:
            self.transport.write(b"SYNC\r\n")
        end = yield from self._take_end()
        self.end.set_result(end)
        database = yield from Transfer(self, end.replid).run()
        self.loaded.set_result(database)
        self.transport.abort()

    def _take_end(self) -> Generator:
        answer = ""
        while not answer:                       # a newline is a sign of life
            line = yield Wait.LINE
            if line is None:
                raise SyncFailed("Master did not answer to SYNC on the RDB channel")
            answer = line.decode("utf-8", "replace")
        found = END_OFFSET.fullmatch(answer)
        if found is None:
            raise SyncFailed(f"Received unexpected $ENDOFF response: {answer}")
        return End(int(found[1]), found[2], found[4])
