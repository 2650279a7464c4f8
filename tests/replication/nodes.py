"""Servers of both kinds that replicate each other, each behind a door that can be shut.

    with Network() as network:
        master, replica = Node("fastredis", network), Node("redis", network)
        replica.follow(master)
        master.door.cut()
        master.kill()
        master.start()

A node keeps its directory, its redis.conf and its door for life; the process behind may be killed, stopped and started
again, each time on another port. Who is to be cut off from a node goes through its door, who is not asks the process.
"""
import asyncio
import contextlib
import os
import shutil
import signal
import sys
import tempfile
import threading
from pathlib import Path

import fastredis
from tests.helpers import PATIENCE_SECONDS, info, wait_until
from tests.resp import Closed, Error
from tests.servers import Server, find_peer, peer_server

CHUNK = 1 << 16
KINDS = ("fastredis", "redis")
# Partial synchronisations go wrong in fewer ways when nothing waits: no delay before a transfer, frequent PINGs.
OPTIONS = ("--repl-diskless-sync-delay", "0", "--repl-ping-replica-period", "1")
GONE = (Closed, ConnectionError, TimeoutError)


class Network:
    """An event loop in a thread of its own, on which the doors work, and the nodes, which end with it.

    peer: path of the redis-server, by default the one on PATH; server_loop: event loop of fastredis, by name or None.
    """

    def __init__(self, peer=None, server_loop=None):
        self.peer, self.server_loop = peer, server_loop
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.nodes = []

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *exc_info):
        try:
            with contextlib.ExitStack() as stack:       # close all nodes, whatever a log of one of them says
                for node in self.nodes:
                    stack.callback(node.close)
        finally:
            self.loop.call_soon_threadsafe(self.loop.stop)
            self.thread.join()
            self.loop.close()

    def peer_knows(self, setting):
        """Whether the peer has a setting."""
        with peer_server(find_peer(self.peer).path) as server, server.client() as client:
            return bool(client.call("CONFIG", "GET", setting))

    def run(self, coroutine):
        """What a coroutine returns that runs on the loop."""
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(PATIENCE_SECONDS)


class Door:
    """A TCP proxy on `port` for the server at `target_port`, both of 127.0.0.1.

    cut()           break all connections; new ones are taken
    cut_after(n)    the same once n more bytes of the server's have been handed on, in the middle of whatever it is
    shut()          break all connections and every new one
    hang()          hand on nothing and close nothing, as when a cable is pulled
    open()          hand on everything, what came meanwhile too
    """

    def __init__(self, network):
        self.network = network
        self.target_port = None
        self.is_shut = False
        self.limit = None               # bytes of the server's until the cut, None without one
        self.connections = set()        # writers of both sides
        self.tasks = set()
        network.run(self._listen())

    async def _listen(self):
        self.flowing = asyncio.Event()
        self.flowing.set()
        self.server = await asyncio.start_server(self._accepted, "127.0.0.1", 0)
        self.port = self.server.sockets[0].getsockname()[1]

    async def _accepted(self, reader, writer):
        if self.is_shut:
            writer.transport.abort()
            return
        self.tasks.add(asyncio.current_task())
        writers = [writer]
        self.connections.add(writer)
        try:
            await self.flowing.wait()
            inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", self.target_port)
            writers.append(inner_writer)
            self.connections.add(inner_writer)
            await asyncio.gather(self._hand_on(reader, inner_writer), self._hand_on(inner_reader, writer, True))
        except (OSError, asyncio.CancelledError):
            return
        finally:
            self.tasks.discard(asyncio.current_task())
            for each in writers:
                self.connections.discard(each)
                each.close()

    async def _hand_on(self, reader, writer, is_from_server=False):
        while data := await reader.read(CHUNK):
            await self.flowing.wait()
            if is_from_server and self.limit is not None:
                if len(data) >= self.limit:
                    writer.write(data[:self.limit])
                    self.limit = None
                    await writer.drain()
                    writer.close()              # not abort(): the bytes are to arrive
                    self._break()
                    return
                self.limit -= len(data)
            writer.write(data)
            await writer.drain()
        writer.close()

    def _break(self):
        for writer in self.connections:
            if not writer.is_closing():
                writer.transport.abort()

    async def _set(self, is_shut, is_flowing, breaks, limit):
        self.is_shut, self.limit = is_shut, limit
        if is_flowing:
            self.flowing.set()
        else:
            self.flowing.clear()
        if breaks:
            self._break()

    def cut(self):
        self.network.run(self._set(False, True, True, None))

    def cut_after(self, count):
        self.network.run(self._set(False, True, False, count))

    def shut(self):
        self.network.run(self._set(True, True, True, None))

    def hang(self):
        self.network.run(self._set(False, False, False, None))

    def open(self):
        self.network.run(self._set(False, True, False, None))

    def close(self):
        self.network.run(self._close())

    async def _close(self):
        self.server.close()
        self._break()
        tasks = list(self.tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class Node:
    """A server of `kind` and its door. `server` is the process (tests.servers.Server) or None while there is none."""

    def __init__(self, kind, network, *options):
        assert kind in KINDS, kind
        self.kind, self.options = kind, options
        self.network = network
        self.door = Door(network)
        self.directory = Path(tempfile.mkdtemp(prefix="node-"))
        (self.directory / "redis.conf").write_text("")          # for CONFIG REWRITE, which Sentinel asks for
        self.logs = ""
        self.server = self.client = None
        network.nodes.append(self)
        self.start()

    def __str__(self):
        return f"{self.kind} on port {self.door.port}"

    # --- the process ---

    def start(self):
        """Start a process on the node's directory and wait until it answers."""
        environment = dict(os.environ, PYTHONPATH=str(Path(fastredis.__file__).resolve().parent.parent))
        if self.network.server_loop:
            environment["FASTREDIS_LOOP"] = self.network.server_loop
        program = [sys.executable, "-m", "fastredis"]
        if self.kind == "redis":
            program = [find_peer(self.network.peer).path]
        options = ("--dir", str(self.directory), *OPTIONS, "--replica-announce-port", str(self.door.port),
                   *self.options)
        while True:
            server = Server(self.kind, [*program, str(self.directory / "redis.conf")], options, environment)
            with server.client() as client:
                if f"process_id:{server.pid}\r\n".encode() in client.call("INFO", "server"):
                    break
            server.stop()               # another process took the port, and answered in its place
        self.server = server
        self.door.target_port = server.port

    def kill(self):
        """kill -9. Errors: AssertionError when the log tells of a bug."""
        self._ended()
        self._stop(kill=True)

    def _stop(self, kill):
        server, self.server = self.server, None
        log = server.log()
        self.logs += log
        try:
            server.stop(kill)
        except AssertionError as error:
            at = max(log.find("Traceback"), 0)
            raise AssertionError(f"{self}: {error}\n{log[max(at - 500, 0):at + 5000]}") from error

    def freeze(self):
        """SIGSTOP."""
        os.kill(self.server.pid, signal.SIGSTOP)

    def thaw(self):
        """SIGCONT."""
        os.kill(self.server.pid, signal.SIGCONT)

    def _ended(self):
        if self.client is not None:
            self.client.close()
            self.client = None

    def log(self):
        """What all processes of the node have written."""
        return self.logs + (self.server.log() if self.server else "")

    def close(self):
        """End the process, take the door away and remove the directory."""
        try:
            self.door.close()
            if self.server is not None:
                self._ended()
                with contextlib.suppress(ProcessLookupError):
                    self.thaw()
                self._stop(kill=False)
        finally:
            shutil.rmtree(self.directory, ignore_errors=True)

    # --- talking to it ---

    def connect(self, timeout=PATIENCE_SECONDS):
        """A connection to the process, not through the door."""
        return self.server.client(timeout=timeout)

    def call(self, *argv):
        """One command on a connection that is kept, not through the door -> the reply."""
        if self.client is None:
            self.client = self.connect()
        try:
            return self.client.call(*argv)
        except GONE:
            self._ended()
            raise

    def info(self, section="replication"):
        """{field: text} of a section of INFO."""
        return info(self, section)

    def follow(self, master):
        """Become a replica of a node, through its door; None: become a master."""
        reply = self.call("REPLICAOF", *(("NO", "ONE") if master is None else ("127.0.0.1", master.door.port)))
        assert not isinstance(reply, Error), f"{self}: {reply}"

    def is_linked(self):
        """Whether this is a replica whose data set is its master's."""
        return self.info().get("master_link_status") == "up"

    def wait_for_link(self):
        wait_until(self.is_linked, lambda: f"{self} has no link to its master: {self.info()}\n{self.log()[-2000:]}")

    def offset(self):
        """Bytes of the replication stream: sent by a master, applied by a replica."""
        info = self.info()
        return int(info["slave_repl_offset"] if info["role"] == "slave" else info["master_repl_offset"])

    def syncs(self):
        """(full, partial) synchronisations that this node has given to its replicas, and refused partial ones."""
        info = self.info("stats")
        return tuple(int(info[field]) for field in ("sync_full", "sync_partial_ok", "sync_partial_err"))
