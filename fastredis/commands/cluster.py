"""READONLY and READWRITE: what a client that knows of replicas reads from one. There is no cluster."""

from fastredis._command import declarer
from fastredis._engine import C_READONLY
from fastredis._reply import Status
from fastredis.declarations import FAST, LOADING, STALE

declare = declarer("cluster")


def cmd_readonly(c):
    """READONLY -> OK: read from this replica, though CLIENT CAPA redirect says to send everything to the master.

    Redis, without a cluster, refuses it; this is Valkey's.
    Source: https://valkey.io/commands/readonly/
    """
    c.flag_bits |= C_READONLY
    c.reply(Status("OK"))


declare(
    b"readonly", cmd_readonly, arity=1, flags=FAST | LOADING | STALE, acl=("connection",), since="3.0.0",
    complexity="O(1)",
    summary="Lets the connection read from a replica.",
)


def cmd_readwrite(c):
    """READWRITE -> OK: take READONLY back.

    Source: https://valkey.io/commands/readwrite/
    """
    c.flag_bits &= ~C_READONLY
    c.reply(Status("OK"))


declare(
    b"readwrite", cmd_readwrite, arity=1, flags=FAST | LOADING | STALE, acl=("connection",), since="3.0.0",
    complexity="O(1)",
    summary="Lets a replica send the connection's reads to the master again.",
)
