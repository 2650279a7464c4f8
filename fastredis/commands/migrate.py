"""MIGRATE: keys go to another server, and are deleted here once it has confirmed them.

The loop stands still meanwhile, so nobody sees a key in both places or in neither; the timeout limits every single
wait for the target. A migration to the server itself therefore times out.

    this server                          target
    AUTH, SELECT if needed, RESTORE... ->
                                       <- +OK            of AUTH and SELECT
                                       <- +OK or -error  of each RESTORE: the keys with +OK are deleted here

Connections are kept for ten seconds after their last use, as Redis keeps them; one that has died meanwhile is
replaced by a new one without the client's knowledge. They belong to the event loop, which is theirs alone: engines in
other threads have others. All replies are lines, so they are read without a RESP parser.
"""

import asyncio
import re
import socket
import weakref
from dataclasses import dataclass, field

from fastredis.commands.dump import delete_migrated, dump_key, migrate_keys
from fastredis.engine.command import declarer
from fastredis.engine.declarations import Range, key_after, key_at
from fastredis.engine.errors import NOT_INTEGER, SYNTAX
from fastredis.engine.flags import WRITE
from fastredis.engine.options import parse_integer
from fastredis.engine.reply import ErrorReply, Status

declare = declarer("generic")

NO_CONNECTION = "IOERR error or timeout connecting to the client"
FAILED = "IOERR error or timeout {} to target instance"
KEY_AND_KEYS = "ERR When using MIGRATE KEYS option, the key argument must be set to the empty string"

DEFAULT_TIMEOUT_MS = 1000
MOST_TIMEOUT_MS = 2**31 - 1
CHUNK = 64 * 1024           # bytes that one timeout is for when writing
LINE_MAX = 1023             # bytes of a reply that are looked at
KEEP_SECONDS = 10           # how long an idle connection is kept
KEEP_MOST = 64              # connections that are kept


@dataclass
class Order:
    """What one call asks for. login: the words of AUTH, or nothing; timeout in seconds."""

    host: bytes
    port: bytes
    db: int = 0
    timeout: float = 0.0
    copy: bool = False
    replace: bool = False
    login: list[bytes] = field(default_factory=list)
    keys: list[bytes] = field(default_factory=list)


class Target:
    """A connection to another server; db is what is selected there, None: nobody knows."""

    def __init__(self, address: tuple[bytes, bytes], timeout: float):
        host, port = address
        digits = re.match(rb"\s*[+-]?\d+", port)       # as C's atoi()
        self.address = address
        self.socket = socket.create_connection((host, int(digits[0]) if digits else 0), timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.db: int | None = None
        self.used = 0.0             # loop.time() of the last use
        self.unread = b""

    def send(self, data: bytes) -> None:
        """Errors: OSError, of these TimeoutError if a chunk takes longer than the timeout."""
        view = memoryview(data)
        for start in range(0, len(view), CHUNK):
            self.socket.sendall(view[start:start + CHUNK])

    def read_line(self) -> bytes:
        """The next line, without its end; of a very long one a piece. Errors: OSError; EOFError."""
        while (end := self.unread.find(b"\n")) < 0 and len(self.unread) < LINE_MAX:
            data = self.socket.recv(CHUNK)
            if not data:
                raise EOFError
            self.unread += data
        if not 0 <= end < LINE_MAX:
            line, self.unread = self.unread[:LINE_MAX], self.unread[LINE_MAX:]
            return line
        line, self.unread = self.unread[:end], self.unread[end + 1:]
        return line.removesuffix(b"\r")


class Connections:
    """The connections of one event loop by address, the least recently used first."""

    def __init__(self):
        self.targets: dict[tuple[bytes, bytes], Target] = {}
        self.timer = False              # whether sweep() will be called

    def get(self, address: tuple[bytes, bytes], timeout: float) -> Target:
        """A connection, kept or new; the caller gives it to keep() or drop().

        Errors: OSError, or OverflowError or ValueError for an address that cannot be one.
        """
        target = self.targets.pop(address, None)
        if target is None:
            return Target(address, timeout)
        target.socket.settimeout(timeout)
        return target

    def drop(self, target: Target) -> None:
        target.socket.close()

    def keep(self, target: Target, loop: asyncio.AbstractEventLoop) -> None:
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

    def run(self, keys: list[bytes], restores: bytes) -> None:
        """Send all commands, then read all replies; `restores` has one for each key.

        Errors: OSError, EOFError: the connection is of no use any more.
        """
        order, target = self.order, self.target
        prologue = [[b"AUTH", *order.login]] if order.login else []
        if target.db != order.db:
            prologue.append([b"SELECT", b"%d" % order.db])
        target.send(b"".join(encode(words) for words in prologue) + restores)
        self.doing = "reading"
        replies = [target.read_line() for _ in prologue]
        refused = next((line for line in replies if line.startswith(b"-")), None)
        for key in keys:
            line = target.read_line()
            error = refused or (line if line.startswith(b"-") else None)
            if error is None:
                self.arrived.append(key)
            elif self.error is None:
                self.error = error[1:]
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


def deliver(order: Order, keys: list[bytes], restores: bytes, loop) -> tuple[list[bytes], Status | ErrorReply]:
    """Send the keys -> those that arrived, the reply to the client.

    A connection that fails before anything has arrived is tried anew, once, unless it was by a timeout.
    """
    connections = BY_LOOP.setdefault(loop, Connections()) if loop is not None else Connections()
    may_retry = True
    while True:
        try:
            target = connections.get((order.host, order.port), order.timeout)
        except ConnectionError:         # refused: Redis finds out when it writes, and says so
            return [], ErrorReply(FAILED.format("writing"))
        except (OSError, OverflowError, ValueError):
            return [], ErrorReply(NO_CONNECTION)
        delivery = Delivery(order, target)
        try:
            delivery.run(keys, restores)
        except (OSError, EOFError) as failure:
            connections.drop(target)
            untouched = not delivery.arrived and delivery.error is None
            if may_retry and untouched and not isinstance(failure, TimeoutError):
                may_retry = False
                continue
            reply = ErrorReply(FAILED.format(delivery.doing))
        else:
            reply = Status("OK")
            if loop is None:
                connections.drop(target)
            else:
                connections.keep(target, loop)
        if delivery.error is not None:
            text = delivery.error.decode("utf-8", "surrogateescape")
            reply = ErrorReply(f"ERR Target instance replied with error: {text}")
        return delivery.arrived, reply


def cmd_migrate(c):
    """MIGRATE host port key|"" db timeout [COPY] [REPLACE] [AUTH .. | AUTH2 ..] [KEYS key ...] -> OK, or status NOKEY.

    The keys keep their TTL. Of several keys some may arrive although the reply is an error; these are deleted here
    all the same, which is propagated as DEL. timeout is in ms, not above 0: a second.
    Errors: syntax; no integer; a key and KEYS; IOERR when the target cannot be reached, or does not answer in time;
    the first error that the target replied: BUSYKEY, its authentication, its number of databases...
    Cost: O(size of the values); all clients wait for the target.
    Source: https://redis.io/docs/latest/commands/migrate/
    """
    order = parse(c.args)
    packed = pack(c, order)
    if packed is None:
        c.reply(Status("NOKEY"))
        return
    arrived, reply = deliver(order, *packed, c.engine.loop)
    if arrived and not order.copy:
        delete_migrated(c, arrived)
    c.reply(reply)


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
