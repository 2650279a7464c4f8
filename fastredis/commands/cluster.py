"""CLUSTER, ASKING: there is no cluster, and they say so. READONLY, READWRITE: reading from replicas.

Redis refuses all of them without a cluster. A client that said CLIENT CAPA redirect can use the latter two, and gets
Valkey's answer.
Source: https://valkey.io/commands/readonly/, https://valkey.io/commands/readwrite/
"""

from fastredis.engine.command import declarer
from fastredis.engine.engine import C_READONLY, C_REDIRECT
from fastredis.engine.flags import ADMIN, CONTAINER, FAST, LOADING, NO_ASYNC_LOADING, NOSCRIPT, STALE
from fastredis.engine.reply import ErrorReply, Status

declare = declarer("cluster")
NO_CLUSTER = "ERR This instance has cluster support disabled"


def set_read_only(c, is_on):
    if not c.flag_bits & C_REDIRECT:
        raise ErrorReply(NO_CLUSTER)
    if is_on:
        c.flag_bits |= C_READONLY
    else:
        c.flag_bits &= ~C_READONLY
    return c.reply(Status("OK"))


def cmd_readonly(c):
    """READONLY -> OK: read from this replica, though CLIENT CAPA redirect says to send everything to the master."""
    set_read_only(c, True)


declare(
    b"readonly", cmd_readonly, arity=1, flags=FAST | LOADING | STALE, acl=("connection",), since="3.0.0",
    complexity="O(1)",
    summary="Lets the connection read from a replica.",
)


def cmd_readwrite(c):
    """READWRITE -> OK: take READONLY back."""
    set_read_only(c, False)


declare(
    b"readwrite", cmd_readwrite, arity=1, flags=FAST | LOADING | STALE, acl=("connection",), since="3.0.0",
    complexity="O(1)",
    summary="Lets a replica send the connection's reads to the master again.",
)


# --- CLUSTER ----------------------------------------------------------------------------

def cmd_asking(c):
    """ASKING -> error: there is no cluster."""
    raise ErrorReply(NO_CLUSTER)


declare(
    b"asking", cmd_asking, arity=1, flags=FAST, acl=("connection",), since="3.0.0",
    complexity="O(1)",
    summary="Is refused: there is no cluster.",
)
declare(
    b"cluster", None, arity=-2, flags=CONTAINER, since="3.0.0",
    complexity="Depends on the subcommand",
    summary="Looks at and changes a cluster, which this server is not a part of.",
)


def cmd_cluster(c):
    """CLUSTER subcommand ... -> error: there is no cluster. Redis refuses HELP as well.

    Source: https://redis.io/docs/latest/commands/cluster-info/ and its sisters
    """
    raise ErrorReply(NO_CLUSTER)


CHANGES = ADMIN | NO_ASYNC_LOADING | STALE
TIPS = ("nondeterministic_output",)
SET_SLOT = ("slot:integer subcommand=(IMPORTING importing<node-id> | MIGRATING migrating<node-id> | NODE node<node-id> "
            "| STABLE)")
SLOT_RANGES = "range={start-slot:integer end-slot:integer}..."
REPLACED_SLAVES = {"doc_flags": ("deprecated",), "deprecated_since": "5.0.0", "replaced_by": "`CLUSTER REPLICAS`"}
REPLACED_SLOTS = {"doc_flags": ("deprecated",), "deprecated_since": "7.0.0", "replaced_by": "`CLUSTER SHARDS`"}

# name, arity, flags, since, tips, arguments, what more COMMAND DOCS tells
SUBCOMMANDS = (
    ("addslots", -3, CHANGES, "3.0.0", (), "slot:integer...", {}),
    ("addslotsrange", -4, CHANGES, "7.0.0", (), SLOT_RANGES, {}),
    ("bumpepoch", 2, CHANGES, "3.0.0", TIPS, "", {}),
    ("count-failure-reports", 3, ADMIN | STALE, "3.0.0", TIPS, "node-id", {}),
    ("countkeysinslot", 3, STALE, "3.0.0", (), "slot:integer", {}),
    ("delslots", -3, CHANGES, "3.0.0", (), "slot:integer...", {}),
    ("delslotsrange", -4, CHANGES, "7.0.0", (), SLOT_RANGES, {}),
    ("failover", -2, CHANGES, "3.0.0", (), "[options=(FORCE | TAKEOVER)]", {}),
    ("flushslots", 2, CHANGES, "3.0.0", (), "", {}),
    ("forget", 3, CHANGES, "3.0.0", (), "node-id", {}),
    ("getkeysinslot", 4, STALE, "3.0.0", TIPS, "slot:integer count:integer", {}),
    ("help", 2, LOADING | STALE, "5.0.0", (), "", {}),
    ("info", 2, STALE, "3.0.0", TIPS, "", {}),
    ("keyslot", 3, STALE, "3.0.0", (), "key:string", {}),
    ("links", 2, STALE, "7.0.0", TIPS, "", {}),
    ("meet", -4, CHANGES, "3.0.0", (), "ip port:integer [cluster-bus-port:integer@4.0.0]", {}),
    ("myid", 2, STALE, "3.0.0", (), "", {}),
    ("myshardid", 2, STALE, "7.2.0", TIPS, "", {}),
    ("nodes", 2, STALE, "3.0.0", TIPS, "", {}),
    ("replicas", 3, ADMIN | STALE, "5.0.0", TIPS, "node-id", {}),
    ("replicate", 3, CHANGES, "3.0.0", (), "node-id", {}),
    ("reset", -2, ADMIN | NOSCRIPT | STALE, "3.0.0", (), "[reset-type=(HARD | SOFT)]", {}),
    ("saveconfig", 2, CHANGES, "3.0.0", (), "", {}),
    ("set-config-epoch", 3, CHANGES, "3.0.0", (), "config-epoch:integer", {}),
    ("setslot", -4, CHANGES, "3.0.0", (), SET_SLOT, {}),
    ("shards", 2, LOADING | STALE, "7.0.0", TIPS, "", {}),
    ("slaves", 3, ADMIN | STALE, "3.0.0", TIPS, "node-id", REPLACED_SLAVES),
    ("slots", 2, LOADING | STALE, "3.0.0", TIPS, "", REPLACED_SLOTS),
)
for name, arity, flags, since, tips, args, more in SUBCOMMANDS:
    declare(
        f"cluster|{name}".encode(), cmd_cluster, arity=arity, flags=flags, since=since, tips=tips, args=args,
        complexity="O(1)",
        summary="Is refused: there is no cluster.",
        **more,
    )
