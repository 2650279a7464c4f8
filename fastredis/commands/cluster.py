"""READONLY and READWRITE: what a client that knows of replicas reads from one. There is no cluster.

Redis refuses both without a cluster. A client that said CLIENT CAPA redirect can use them, and gets Valkey's answer.
Source: https://valkey.io/commands/readonly/, https://valkey.io/commands/readwrite/
"""

from fastredis._command import declarer
from fastredis._engine import C_READONLY, C_REDIRECT
from fastredis._reply import ErrorReply, Status
from fastredis.declarations import FAST, LOADING, STALE

declare = declarer("cluster")
NO_CLUSTER = ErrorReply("ERR This instance has cluster support disabled")


def set_read_only(c, is_on):
    if not c.flag_bits & C_REDIRECT:
        return c.reply(NO_CLUSTER)
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
