"""Masters and replicas: REPLICAOF, PSYNC, SYNC, REPLCONF, ROLE, FAILOVER. What they do is in fastredis.replication."""

import re

from fastredis.engine.command import declarer
from fastredis.engine.engine import C_REPLICA
from fastredis.engine.errors import NOT_INTEGER, NOT_POSITIVE, SYNTAX
from fastredis.engine.flags import ADMIN, ALLOW_BUSY, FAST, LOADING, NO_ASYNC_LOADING, NO_MULTI, NOSCRIPT, STALE
from fastredis.engine.options import parse_integer
from fastredis.engine.reply import ErrorReply, Status
from fastredis.replication.master import ONLINE, replica_of
from fastredis.text import split_args, to_text

declare = declarer("server")

OK = Status("OK")
NO_SOCKET = "ERR a replica has a connection with a socket"      # a client in the same process has none
NO_LINK = "NOMASTERLINK Can't SYNC while not connected with my master"
LONGEST_ADDRESS = 255
VERSION = re.compile(rb"(\d{1,4})\.\d{1,4}\.\d{1,4}")
FIRST_VALKEY = 9                        # version from which on it has a form of its own for fields with deadlines
ROLE_STATES = {"transfer": "sync"}      # of a Link, where ROLE has another word for it


def integer(text: bytes, lowest: int, highest: int) -> int | None:
    """The number that an argument is; None when it is none, or out of range."""
    number = parse_integer(text)
    return number if number is not None and lowest <= number <= highest else None


# --- who follows whom -----------------------------------------------------------------------


def cmd_replicaof(c):
    """REPLICAOF host port | NO ONE -> OK: follow a master, or be one and keep the data.

    The master need not be there; a replica tries until it is. Its data are replaced by the master's, unless these
    only go on from where they are.
    Errors: no port; the client is a replica itself; a failover is under way.
    Source: https://redis.io/docs/latest/commands/replicaof/
    """
    replication, log = c.engine.replication, c.engine.log
    host, port_text = c.args[1:]
    if replication.failover.is_on:
        raise ErrorReply("ERR REPLICAOF not allowed while failing over.")
    if (host.lower(), port_text.lower()) == (b"no", b"one"):
        if replication.is_replica:
            replication.become_master()
            log.notice(f"MASTER MODE enabled (user request from '{c.engine.describe(c)}')")
        c.reply(OK)
        return
    if c.flag_bits & C_REPLICA:
        raise ErrorReply("ERR Command is not valid when client is a replica.")
    port = integer(port_text, 0, 65535)
    if port is None:
        raise ErrorReply("ERR Invalid master port")
    master = to_text(host)
    if replication.is_replica and (replication.master_host.lower(), replication.master_port) == (master.lower(), port):
        log.notice("REPLICAOF would result into synchronization with the master we are already connected with. No "
                   "operation performed.")
        c.reply(Status("OK Already connected to specified master"))
        return
    replication.become_replica(master, port)
    log.notice(f"REPLICAOF {master}:{port} enabled (user request from '{c.engine.describe(c)}')")
    c.reply(OK)


REPLICAOF_ARGS = "args=(host-port={host port:integer} | no-one={NO ONE})"

declare(
    b"replicaof", cmd_replicaof, arity=3, flags=ADMIN | NO_ASYNC_LOADING | NOSCRIPT | STALE, since="5.0.0",
    complexity="O(1)",
    summary="Makes the server a replica of another one, or a master.",
    args=REPLICAOF_ARGS,
)

declare(
    b"slaveof", cmd_replicaof, arity=3, flags=ADMIN | NO_ASYNC_LOADING | NOSCRIPT | STALE, since="1.0.0",
    doc_flags=("deprecated",), deprecated_since="5.0.0", replaced_by="`REPLICAOF`",
    complexity="O(1)",
    summary="Makes the server a replica of another one, or a master.",
    args=REPLICAOF_ARGS,
)


def cmd_role(c):
    """ROLE -> array: "master", offset, replicas; or "slave", host and port of the master, state of the link, offset.

    A replica is an array of its address, port and acknowledged offset, all of them text. The offset of a replica is -1
    while it has no link.
    Source: https://redis.io/docs/latest/commands/role/
    """
    replication = c.engine.replication
    if replication.is_replica:
        state = replication.link.state
        offset = replication.offset if state == "connected" else -1
        c.reply([b"slave", replication.master_host.encode(), replication.master_port,
                 ROLE_STATES.get(state, state).encode(), offset])
    else:
        c.reply([b"master", replication.offset,
                 [[str(part).encode() for part in (replica.ip, replica.port, replica.acked)]
                  for replica in replication.online()]])


declare(
    b"role", cmd_role, arity=1, flags=FAST | LOADING | NOSCRIPT | STALE, since="2.8.12",
    acl=("admin", "dangerous"),
    complexity="O(1)",
    summary="Returns the role of the server in replication.",
)


# --- what replicas say ----------------------------------------------------------------------


def cmd_psync(c):
    """PSYNC replicationid offset -> status: go on from an offset of a history (CONTINUE), or start anew (FULLRESYNC).

    The connection is a replica from then on. "? -1" knows no history. A third argument, FAILOVER, makes this server the
    master if it is at that history.
    Errors: no offset; this is a replica without a link; FAILOVER that does not fit.
    Source: https://redis.io/docs/latest/commands/psync/
    """
    replication = c.engine.replication
    if c.flag_bits & C_REPLICA:
        return
    args = c.args
    if len(args) > 3 and args[3].lower() == b"failover":
        take_over(c, args[1].decode("latin-1"))
    if replication.is_replica and not replication.is_linked:
        raise ErrorReply(NO_LINK)
    offset = parse_integer(args[2])
    if offset is None:
        c.engine.log.warning(f"Replica {replica_of(c).name} asks for synchronization but with a wrong offset")
        raise ErrorReply(NOT_INTEGER)
    attach(c, args[1].decode("latin-1"), offset)


def take_over(c, replid: str) -> None:
    """PSYNC ... FAILOVER: become the master that this one's present master asks for. Raises an ErrorReply."""
    replication, log = c.engine.replication, c.engine.log
    log.warning(f"Failover request received for replid {replid}.")
    if not replication.is_replica:
        raise ErrorReply("ERR PSYNC FAILOVER can't be sent to a master.")
    if replid != replication.replid:
        raise ErrorReply("ERR PSYNC FAILOVER replid must match my replid.")
    replication.become_master()
    log.notice(f"MASTER MODE enabled (failover request from '{c.engine.describe(c)}')")


def attach(c, replid: str, offset: int, old: bool = False) -> None:
    """Make a connection a replica's; the data follow."""
    if c.transport is None:
        raise ErrorReply(NO_SOCKET)
    replica = replica_of(c)
    c.engine.log.notice(f"Replica {replica.name} asks for synchronization")
    refusal = c.engine.replication.full_sync.refusal_of(replica)
    if refusal is not None:
        raise ErrorReply(f"ERR {refusal}")
    status = c.engine.replication.attach(replica, replid, offset, old)
    if status is not None:
        c.reply(Status(status))


declare(
    b"psync", cmd_psync, arity=-3, flags=ADMIN | NO_ASYNC_LOADING | NO_MULTI | NOSCRIPT, since="2.8.0",
    complexity="O(1), and what the synchronisation takes",
    summary="Makes the connection that of a replica, which goes on where it was if it can.",
    args="replicationid offset:integer",
)


def cmd_sync(c):
    """SYNC -> the data set, and then all that changes it: what replicas of old, and redis-cli --replica, send.

    Errors: this is a replica without a link.
    Source: https://redis.io/docs/latest/commands/sync/
    """
    replication = c.engine.replication
    if c.flag_bits & C_REPLICA:
        return
    if replication.is_replica and not replication.is_linked:
        raise ErrorReply(NO_LINK)
    attach(c, "?", -1, old=True)


declare(
    b"sync", cmd_sync, arity=1, flags=ADMIN | NO_ASYNC_LOADING | NO_MULTI | NOSCRIPT, since="1.0.0",
    complexity="O(1), and what the synchronisation takes",
    summary="Makes the connection that of a replica.",
)


def cmd_replconf(c):
    """REPLCONF option value ... -> OK: what a replica tells of itself, and its acknowledgements (without a reply).

    listening-port, ip-address: where it can be reached; capa eof | psync2 | dual-channel: what it understands; rdb-only
    1: it wants no stream; rdb-filter-only functions | "": it wants nothing of the data set but these; rdb-channel 1:
    this is its second connection, for the data set; set-rdb-client-id: this is the main connection, and the second one
    has that id; version: its own, which Valkey tells; ack offset [fack offset]: it has applied, and has on its disk,
    the stream up to there; getack: this replica's link is to acknowledge now.
    Errors: syntax; unknown options; wrong values.
    Source: https://redis.io/docs/latest/commands/replconf/
    """
    words = c.args[1:]
    if len(words) % 2:
        raise ErrorReply(SYNTAX)
    pairs = [(words[i].lower(), words[i + 1]) for i in range(0, len(words), 2)]
    if pairs and pairs[0][0] == b"ack":
        acknowledge(c, dict(pairs))
        return
    if pairs and pairs[0][0] == b"getack":
        if c.engine.replication.is_linked:
            c.engine.replication.link.send_ack()
        return
    for option, value in pairs:
        note(c, option, value)
    c.reply(OK)


def acknowledge(c, pairs: dict[bytes, bytes]) -> None:
    """REPLCONF ACK."""
    offset = integer(pairs[b"ack"], 0, 2**63 - 1)
    aof_offset = integer(pairs.get(b"fack", b"0"), 0, 2**63 - 1)
    if c.flag_bits & C_REPLICA and offset is not None and aof_offset is not None:
        c.engine.replication.acked(c.replica, offset, aof_offset)


def note(c, option: bytes, value: bytes) -> None:
    """One pair of REPLCONF. Raises an ErrorReply if it is wrong."""
    replica = replica_of(c)
    if option == b"listening-port":
        port = parse_integer(value)
        if port is None:
            raise ErrorReply(NOT_INTEGER)
        replica.port = port
    elif option == b"ip-address":
        if len(value) > LONGEST_ADDRESS:
            raise ErrorReply("ERR REPLCONF ip-address provided by replica instance is too long: "
                             f"{len(value)} bytes")
        replica.host = to_text(value)
    elif option == b"capa":
        replica.knows_eof = replica.knows_eof or value.lower() == b"eof"
        replica.knows_psync2 = replica.knows_psync2 or value.lower() == b"psync2"
        if value.lower() == b"dual-channel":
            replica.knows_channel = replica.knows_channel or c.engine.replication.full_sync.may_use_channels
    elif option in (b"rdb-only", b"rdb-channel"):
        wanted = integer(value, 0, 1)
        if wanted is None:
            raise ErrorReply(NOT_POSITIVE)
        if option == b"rdb-only":
            replica.rdb_only = bool(wanted)
        else:
            replica.is_channel = bool(wanted)
    elif option == b"rdb-filter-only":
        names = split_args(to_text(value))
        if names is None:
            raise ErrorReply("ERR Missing rdb-filter-only values")
        replica.wants_keys = replica.wants_functions = False
        for name in names:
            if name.lower() != "functions":
                raise ErrorReply(f"ERR Unsupported rdb-filter-only option: {name}")
            replica.wants_functions = True
    elif option == b"set-rdb-client-id":
        number = parse_integer(value)
        if number is None:
            raise ErrorReply(NOT_INTEGER)
        if number not in c.engine.replication.waiting:
            raise ErrorReply(f"ERR Unrecognized RDB client id {number}")
        replica.channel_id = number
    elif option == b"version":
        found = VERSION.match(value)
        if found is None:
            raise ErrorReply(f"ERR Unrecognized version format: {to_text(value)}")
        replica.is_valkey = int(found[1]) >= FIRST_VALKEY       # no Redis says its version
    else:
        raise ErrorReply(f"ERR Unrecognized REPLCONF option: {to_text(option)}")


declare(
    b"replconf", cmd_replconf, arity=-1, flags=ADMIN | ALLOW_BUSY | LOADING | NOSCRIPT | STALE, since="3.0.0",
    doc_flags=("syscmd",),
    complexity="O(1)",
    summary="How replicas tell of themselves.",
)


# --- changing roles -------------------------------------------------------------------------


def cmd_failover(c):
    """FAILOVER [TO host port [FORCE]] [ABORT] [TIMEOUT milliseconds] -> OK: hand the role of the master over.

    Writes wait until a replica has everything. FORCE hands over to the target at the end of the timeout even so.
    Errors: syntax; a failover is under way, or (ABORT) none is; no replica, or none of that address that is online;
    this is a replica; FORCE without timeout or target.
    Source: https://redis.io/docs/latest/commands/failover/
    """
    failover = c.engine.replication.failover
    words = [word.lower() for word in c.args[1:]]
    if words == [b"abort"]:
        if not failover.is_on:
            raise ErrorReply("ERR No failover in progress.")
        failover.abort("Failover manually aborted")
        c.reply(OK)
        return
    host, port, timeout_ms, force = failover_options(c.args[1:])
    error = failover_refusal(c.engine.replication, host, port, timeout_ms, force)
    if error is not None:
        raise ErrorReply("ERR " + error)
    failover.begin(host, port, timeout_ms, force)
    c.reply(OK)


def failover_options(words: list[bytes]) -> tuple[str, int, int, bool]:
    """(host, port, timeout in ms, force) of FAILOVER's arguments, "" and 0 for what they do not say."""
    host, port, timeout_ms, force = "", 0, 0, False
    rest = list(words)
    while rest:
        word = rest.pop(0).lower()
        if word == b"timeout" and rest and not timeout_ms:
            found = parse_integer(rest.pop(0))
            if found is None:
                raise ErrorReply(NOT_INTEGER)
            if found <= 0:
                raise ErrorReply("ERR FAILOVER timeout must be greater than 0")
            timeout_ms = found
        elif word == b"to" and len(rest) > 1 and not host:
            host = to_text(rest.pop(0))
            found = parse_integer(rest.pop(0))
            if found is None:
                raise ErrorReply(NOT_INTEGER)
            port = found
        elif word == b"force" and not force:
            force = True
        else:
            raise ErrorReply(SYNTAX)
    return host, port, timeout_ms, force


def failover_refusal(replication, host: str, port: int, timeout_ms: int, force: bool) -> str | None:
    """Why there cannot be such a failover; None: there can."""
    if replication.failover.is_on:
        return "FAILOVER already in progress."
    if replication.is_replica:
        return "FAILOVER is not valid when server is a replica."
    if not replication.replicas:
        return "FAILOVER requires connected replicas."
    if force and not (timeout_ms and host):
        return "FAILOVER with force option requires both a timeout and target HOST and IP."
    if host:
        target = replication.failover.target(host, port)
        if target is None:
            return "FAILOVER target HOST and PORT is not a replica."
        if target.state != ONLINE:
            return "FAILOVER target replica is not online."
    return None


declare(
    b"failover", cmd_failover, arity=-1, flags=ADMIN | NOSCRIPT | STALE, since="6.2.0",
    complexity="O(1)",
    summary="Hands the role of the master over to one of the replicas.",
    args="[TO target={host port:integer [FORCE]}] [ABORT] [TIMEOUT milliseconds:integer]",
)
