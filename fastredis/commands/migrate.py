"""MIGRATE: keys go to another server, and are deleted here once it has confirmed them.

    this server                          target
    AUTH, SELECT if needed, RESTORE... ->
                                       <- +OK            of AUTH and SELECT
                                       <- +OK or -error  of each RESTORE: the keys with +OK are deleted here

Redis stands still meanwhile. Here only the client waits (engine/errands), and the command runs up to three times:

    1. are there such keys? if not, NOKEY; else the name is looked up in a thread, and the target connected to
    2. the keys are packed as they are now. From here on commands that may write them wait, readers see them
    3. what has arrived is deleted, in one moment, and propagated as DEL; the reply

So nobody finds a key in neither place, and no write is lost. For a moment a key is in both, and cannot be changed here.
What is changed all the same (by a script that does not name the key, or a client that was blocked and is served) stays
here, as it is now, and the reply is an error: the target has what it was. What is gone by itself meanwhile (its time,
FLUSHALL) counts as if that had happened after MIGRATE. The timeout limits every single wait for the target.

Where the client cannot wait, in MULTI and in scripts, all is done at once, and everybody waits. A migration to the
server itself times out, as in Redis: there, too, the key may not be written before its end.

Connections are kept for ten seconds after their last use, as Redis keeps them; one that has died meanwhile is
replaced by a new one without the client's knowledge. They belong to the event loop, which is theirs alone: engines in
other threads have others. All replies are lines, so they are read without a RESP parser.
"""

import asyncio
import re
import socket
import weakref
from collections.abc import Generator
from dataclasses import dataclass, field
from ssl import SSLContext
from typing import TypeAlias

from fastredis.commands.dump import delete_migrated, dump_key, has_key, migrate_keys
from fastredis.engine.command import declarer
from fastredis.engine.declarations import Range, key_after, key_at
from fastredis.engine.errands import Errand, run_errand
from fastredis.engine.errors import NOT_INTEGER, SYNTAX
from fastredis.engine.flags import WRITE
from fastredis.engine.options import parse_integer
from fastredis.engine.reply import ErrorReply, Status
from fastredis.host.process import Threads
from fastredis.host.sockets import look_up
from fastredis.host.tls_transport import Records, name_of, over_tls

declare = declarer("generic")

NO_CONNECTION = "IOERR error or timeout connecting to the client"
FAILED = "IOERR error or timeout {} to target instance"
CHANGED = "ERR A key was changed while it was on its way. It is still here, and the target has what it was"
KEY_AND_KEYS = "ERR When using MIGRATE KEYS option, the key argument must be set to the empty string"

DEFAULT_TIMEOUT_MS = 1000
MOST_TIMEOUT_MS = 2**31 - 1
CHUNK = 64 * 1024           # bytes that one timeout is for when writing
LINE_MAX = 1023             # bytes of a reply that are looked at
HELD_SECONDS = 0.01         # between two looks at whether what has arrived may be deleted: writes are paused
KEEP_SECONDS = 10           # how long an idle connection is kept
KEEP_MOST = 64              # connections that are kept


Address: TypeAlias = tuple[bytes, bytes, bool]      # host and port as they were given, and whether it is over TLS


@dataclass
class Order:
    """What one call asks for. login: the words of AUTH, or nothing; timeout in seconds; tls: None: no TLS."""

    host: bytes
    port: bytes
    db: int = 0
    timeout: float = 0.0
    copy: bool = False
    replace: bool = False
    login: list[bytes] = field(default_factory=list)
    tls: SSLContext | None = None
    keys: list[bytes] = field(default_factory=list)

    @property
    def address(self) -> Address:
        return self.host, self.port, self.tls is not None


class Target:
    """A connection to another server; db is what is selected there, None: nobody knows. records: of TLS; None: without.

    The handshake is at the beginning of the first Delivery.
    """

    def __init__(self, order: Order, sock: socket.socket):
        self.address = order.address
        self.socket = sock
        self.records = Records(order.tls, False, name_of(order.host)) if order.tls is not None else None
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.db: int | None = None
        self.used = 0.0             # loop.time() of the last use
        self.unread = b""

    def next_line(self) -> bytes | None:
        """A line that has come, without its end; of a very long one a piece. None: there is none yet."""
        end = self.unread.find(b"\n")
        if end < 0 and len(self.unread) < LINE_MAX:
            return None
        if not 0 <= end < LINE_MAX:
            line, self.unread = self.unread[:LINE_MAX], self.unread[LINE_MAX:]
            return line
        line, self.unread = self.unread[:end], self.unread[end + 1:]
        return line.removesuffix(b"\r")


def port_of(text: bytes) -> int:
    digits = re.match(rb"\s*[+-]?\d+", text)       # as C's atoi()
    return int(digits[0]) if digits else 0


class Connections:
    """The connections of one event loop by address, the least recently used first."""

    def __init__(self):
        self.targets: dict[Address, Target] = {}
        self.timer = False              # whether sweep() will be called

    def take(self, address: Address) -> Target | None:
        """One that was kept; the caller gives it to keep() or drop()."""
        return self.targets.pop(address, None)

    def drop(self, target: Target) -> None:
        target.socket.close()

    def keep(self, target: Target, loop: asyncio.AbstractEventLoop) -> None:
        if target.address in self.targets:          # two at a time went there
            self.drop(self.targets.pop(target.address))
        if len(self.targets) == KEEP_MOST:
            self.drop(self.targets.pop(next(iter(self.targets))))
        target.used = loop.time()
        self.targets[target.address] = target
        self.arm(loop, target.used)

    def arm(self, loop: asyncio.AbstractEventLoop, oldest: float) -> None:
        if not self.timer:
            self.timer = True
            loop.call_at(oldest + KEEP_SECONDS, self.sweep)

    def sweep(self) -> None:
        """Close what was not used for KEEP_SECONDS."""
        # The loop is asked for, not kept: BY_LOOP would never forget a loop that one of its values holds.
        loop = asyncio.get_running_loop()
        self.timer = False
        for target in list(self.targets.values()):
            if target.used + KEEP_SECONDS > loop.time():
                return self.arm(loop, target.used)
            self.drop(self.targets.pop(target.address))


BY_LOOP: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, Connections] = weakref.WeakKeyDictionary()


def kept_connections(engine) -> int:
    """How many connections to targets are open: migrate_cached_sockets of INFO."""
    connections = BY_LOOP.get(engine.loop) if engine.loop is not None else None
    return len(connections.targets) if connections else 0


# --- one call ---------------------------------------------------------------------------


class Delivery:
    """One attempt. arrived: keys that the target has; error: its first refusal; doing: for the text of an IOERR."""

    def __init__(self, order: Order, target: Target):
        self.order = order
        self.target = target
        self.arrived: list[bytes] = []
        self.error: bytes | None = None
        self.doing = "writing"

    def script(self, keys: list[bytes], restores: bytes) -> Generator[bytes | None, bytes, None]:
        """The commands and their replies, as bytes to be sent, or None for bytes that come; none: no more will come.

        Errors: EOFError, ssl.SSLError.
        """
        script, records = self._commands(keys, restores), self.target.records
        return script if records is None else over_tls(script, records)

    def _commands(self, keys: list[bytes], restores: bytes) -> Generator[bytes | None, bytes, None]:
        """Send all commands, then read all replies; `restores` has one for each key."""
        order, target = self.order, self.target
        prologue = [[b"AUTH", *order.login]] if order.login else []
        if target.db != order.db:
            prologue.append([b"SELECT", b"%d" % order.db])
        data = memoryview(b"".join(encode(words) for words in prologue) + restores)
        for start in range(0, len(data), CHUNK):
            yield data[start:start + CHUNK]
        self.doing = "reading"
        refused = None
        for key in [None] * len(prologue) + keys:
            while (line := target.next_line()) is None:
                came = yield None
                if not came:
                    raise EOFError
                target.unread += came
            is_error = line.startswith(b"-")
            if key is None:
                refused = refused or (line if is_error else None)
            elif refused is None and not is_error:
                self.arrived.append(key)
            elif self.error is None:
                self.error = (refused or line)[1:]
        target.db = order.db if self.error is None else None


def encode(words: list[bytes]) -> bytes:
    """A command as RESP."""
    return b"*%d\r\n%b" % (len(words), b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in words))


def parse(args: list[bytes]) -> Order:
    """The order that the arguments are. Raises an ErrorReply."""
    order = Order(args[1], args[2], keys=[args[3]])
    words = iter(range(6, len(args)))
    for at in words:
        option, left = args[at].lower(), len(args) - 1 - at
        if option == b"copy":
            order.copy = True
        elif option == b"replace":
            order.replace = True
        elif option == b"auth" and left >= 1:
            # As in Redis, a name that AUTH2 gave before stays.
            order.login = [*order.login[:-1], args[next(words)]]
        elif option == b"auth2" and left >= 2:
            order.login = [args[next(words)], args[next(words)]]
        elif option == b"keys":
            if args[3]:
                raise ErrorReply(KEY_AND_KEYS)
            order.keys = args[at + 1:]
            break
        else:
            raise ErrorReply(SYNTAX)
    timeout_ms, db = parse_integer(args[5]), parse_integer(args[4])
    if timeout_ms is None or db is None:
        raise ErrorReply(NOT_INTEGER)
    order.db = db
    order.timeout = (min(timeout_ms, MOST_TIMEOUT_MS) if timeout_ms > 0 else DEFAULT_TIMEOUT_MS) / 1000
    return order


def pack(c, order: Order) -> tuple[list[bytes], bytes] | None:
    """The keys that are to go, and a RESTORE of each; None when there are none of that name."""
    found = [(key, dumped) for key in order.keys if (dumped := dump_key(c, key)) is not None]
    # A key whose time is over may still be here, while nothing is to expire.
    alive = [(key, payload, ttl) for key, (payload, ttl) in found if ttl >= 0]
    options = [b"REPLACE"] if order.replace else []
    restores = b"".join(encode([b"RESTORE", key, b"%d" % ttl, payload, *options]) for key, payload, ttl in alive)
    return ([key for key, _, _ in alive], restores) if found else None


class Migration:
    """One MIGRATE: its order, what is packed, and how things stand.

    packed      keys and RESTOREs, once they are to be sent
    arrived     keys that the target has
    reply       what the client is to get; None: it is under way
    """

    def __init__(self, order: Order, connections: Connections, loop: asyncio.AbstractEventLoop | None,
                 threads: Threads | None = None):
        self.order = order
        self.connections = connections
        self.loop = loop
        self.threads = threads
        self.packed: tuple[list[bytes], bytes] | None = None
        self.arrived: list[bytes] = []
        self.reply: Status | ErrorReply | None = None
        self._may_retry = True

    def take_result(self, delivery: Delivery, failure: Exception | None) -> bool:
        """An attempt has ended; False: it is to be tried anew, with another connection.

        That happens to a connection that fails before anything has arrived, once, unless it was by a timeout.
        """
        records = delivery.target.records
        if failure is not None and records is not None and not records.is_open:
            self.connections.drop(delivery.target)
            self.reply = ErrorReply(NO_CONNECTION)
        elif failure is not None:
            self.connections.drop(delivery.target)
            untouched = not delivery.arrived and delivery.error is None
            if self._may_retry and untouched and not isinstance(failure, TimeoutError):
                self._may_retry = False
                return False
            self.reply = ErrorReply(FAILED.format(delivery.doing))
        else:
            self.reply = Status("OK")
            if self.loop is None:
                self.connections.drop(delivery.target)
            else:
                self.connections.keep(delivery.target, self.loop)
        if delivery.error is not None:
            text = delivery.error.decode("utf-8", "surrogateescape")
            self.reply = ErrorReply(f"ERR Target instance replied with error: {text}")
        self.arrived = delivery.arrived
        return True

    def not_connected(self, failure: Exception) -> None:
        """Redis finds out that it was refused when it writes, and says so."""
        refused = isinstance(failure, ConnectionError)
        self.reply = ErrorReply(FAILED.format("writing") if refused else NO_CONNECTION)

    # --- at once --------------------------------------------------------------------------

    def run_now(self) -> None:
        """Deliver what is packed, while everybody waits."""
        order = self.order
        while self.reply is None:
            try:
                target = self.connections.take(order.address)
                if target is None:
                    target = Target(order, socket.create_connection(
                        (order.host, port_of(order.port)), order.timeout))
            except (OSError, OverflowError, ValueError) as failure:
                return self.not_connected(failure)
            target.socket.settimeout(order.timeout)
            delivery = Delivery(order, target)
            self.take_result(delivery, self._deliver_now(delivery))

    def _deliver_now(self, delivery: Delivery) -> Exception | None:
        script, came, sock = delivery.script(*self.packed), None, delivery.target.socket
        try:
            while True:
                data = script.send(came)
                came = sock.recv(CHUNK) if data is None else sock.sendall(data)
        except StopIteration:
            return None
        except (OSError, EOFError) as failure:
            return failure

    # --- while others are served ------------------------------------------------------------

    async def run(self, errand: Errand) -> None:
        """See the top. The command runs again after each step."""
        target = None
        try:
            while self.reply is None and not errand.is_over:
                target = self.connections.take(self.order.address) or await self._connect()
                if target is not None and self.packed is None:
                    errand.go_on()                  # packs; or answers that there is nothing any more
                    if errand.is_over:
                        return
                if target is not None:
                    delivery, target = Delivery(self.order, target), None
                    self.take_result(delivery, await self._deliver(delivery))
            while not errand.may_go_on and not errand.is_over:
                await asyncio.sleep(HELD_SECONDS)
            errand.go_on()
        finally:
            if target is not None:
                self.connections.keep(target, self.loop)

    async def _connect(self) -> Target | None:
        """A new connection; None: there can be none, which is the reply."""
        order = self.order
        try:
            port = port_of(order.port)
            async with asyncio.timeout(order.timeout):
                addresses = await look_up(self.threads, order.host, port)
                return Target(order, await connect(self.loop, addresses))
        except (OSError, OverflowError, ValueError) as failure:
            self.not_connected(failure)
            return None

    async def _deliver(self, delivery: Delivery) -> Exception | None:
        script, came, sock = delivery.script(*self.packed), None, delivery.target.socket
        sock.setblocking(False)
        done = False
        try:
            while True:
                data = script.send(came)
                async with asyncio.timeout(self.order.timeout):
                    came = await (self.loop.sock_recv(sock, CHUNK) if data is None
                                  else self.loop.sock_sendall(sock, data))
        except StopIteration:
            done = True
            return None
        except (OSError, EOFError) as failure:
            done = True
            return failure
        finally:
            if not done:                            # it was cancelled
                self.connections.drop(delivery.target)


async def connect(loop: asyncio.AbstractEventLoop, addresses: list[tuple[int, tuple]]) -> socket.socket:
    """A connection to the first address that takes one. Errors: OSError."""
    failure: OSError = OSError("no address")
    for family, address in addresses:
        sock = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        connected = False
        try:
            await loop.sock_connect(sock, address)
            connected = True
            return sock
        except OSError as error:
            failure = error
        finally:
            if not connected:
                sock.close()
    raise failure


def finish(c, migration: Migration, errand: Errand | None) -> None:
    """Delete what has arrived, and reply."""
    arrived = migration.arrived
    if errand is not None:
        changed = [key for key in arrived if errand.changed(key)]
        arrived = [key for key in arrived if key not in changed]
        if not migration.order.copy and any(errand.exists(key) for key in changed):
            migration.reply = ErrorReply(CHANGED)
    if arrived and not migration.order.copy:
        delete_migrated(c, arrived)
    c.reply(migration.reply)


def go_on(c, errand: Errand) -> None:
    """The command runs again."""
    migration = errand.work
    if migration.reply is not None:
        return finish(c, migration, errand)
    migration.packed = pack(c, migration.order)
    if migration.packed is None:
        c.reply(Status("NOKEY"))
    else:
        errand.hold(migration.packed[0])
        errand.wait()


def cmd_migrate(c):
    """MIGRATE host port key|"" db timeout [COPY] [REPLACE] [AUTH .. | AUTH2 ..] [KEYS key ...] -> OK, or status NOKEY.

    The keys keep their TTL. Of several keys some may arrive although the reply is an error; these are deleted here
    all the same, which is propagated as DEL. timeout is in ms, not above 0: a second.
    Errors: syntax; no integer; a key and KEYS; IOERR when the target cannot be reached, or does not answer in time;
    the first error that the target replied: BUSYKEY, its authentication, its number of databases...
    Cost: O(size of the values) here; only this client waits for the target, but in MULTI and in scripts all do.
    Source: https://redis.io/docs/latest/commands/migrate/
    """
    if c.blocked is not None:
        return go_on(c, c.blocked)
    order, loop = parse(c.args), c.engine.loop
    if c.engine.config["tls-cluster"]:              # as in Redis, where MIGRATE is for clusters
        order.tls = c.engine.host.outgoing_tls()
        if order.tls is None:
            raise ErrorReply(NO_CONNECTION)
    connections = BY_LOOP.setdefault(loop, Connections()) if loop is not None else Connections()
    migration = Migration(order, connections, loop, c.engine.resolvers)
    if not any(has_key(c, key) for key in order.keys):
        c.reply(Status("NOKEY"))
    elif not run_errand(c, migration):
        migration.packed = pack(c, order)
        migration.run_now()
        finish(c, migration, None)


declare(
    b"migrate", cmd_migrate, arity=-6, flags=WRITE, since="2.6.0",
    keys=(key_at(3, "RW access delete"),
          key_after("KEYS", -2, "RW access delete incomplete", Range(-1), finder=migrate_keys)),
    acl=("dangerous",), tips=("nondeterministic_output",),
    complexity="O(N) where N is the size of the values: a DUMP and a DEL here, a RESTORE there, and the network",
    summary="Moves keys to another server.",
    history=(("3.0.0", "Added the `COPY` and `REPLACE` options."), ("3.0.6", "Added the `KEYS` option."),
             ("4.0.7", "Added the `AUTH` option."), ("6.0.0", "Added the `AUTH2` option.")),
    args='host port:integer key-selector=(key | empty-string="") destination-db:integer timeout:integer [COPY@3.0.0] '
         '[REPLACE@3.0.0] [authentication=(AUTH auth<password>@4.0.7 | AUTH2 auth2={username password}@6.0.0)] '
         '[KEYS keys<key>:key@3.0.6...]',
)
