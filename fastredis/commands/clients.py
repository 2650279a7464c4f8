"""CLIENT: who is connected, and what an operator or the client itself may change about that."""

import re

from fastredis.commands.client_filters import Filters
from fastredis.engine import engine as bits
from fastredis.engine.blocking import PAUSE_BY_CLIENT
from fastredis.engine.client_list import reply_lines
from fastredis.engine.command import declarer
from fastredis.engine.errors import (
    CLIENT_NAME,
    NOT_INTEGER,
    SYNTAX,
    TIMEOUT,
    TIMEOUT_NEGATIVE,
    TIMEOUT_RANGE,
    UNBLOCKED,
    subcommand_error,
)
from fastredis.engine.flags import ADMIN, CONTAINER, LOADING, NOSCRIPT, STALE
from fastredis.engine.importing import C_IMPORT_SOURCE
from fastredis.engine.options import parse_integer
from fastredis.engine.reply import ErrorReply, Status

declare = declarer("connection")

OK = Status("OK")

NAME = re.compile(rb"[!-~]*(\0.*)?", re.DOTALL)        # as in C, nobody looks behind a zero byte

# Of CLIENT LIST and KILL, as arguments.
TYPE_WORDS = "NORMAL | MASTER | PRIMARY | SLAVE | REPLICA | PUBSUB"
LIST_FILTERS = ("[USER username@8.1.0] [ADDR addr<ip:port>@8.1.0] [LADDR laddr<ip:port>@8.1.0]"
                " [SKIPME skipme=(YES | NO)@8.1.0] [MAXAGE maxage:integer@8.1.0]")
NEW_FILTERS = ("[NAME name@9.0.0] [IDLE idle:integer@9.0.0] [FLAGS flags@9.0.0] [LIB-NAME lib-name@9.0.0]"
               " [LIB-VER lib-ver@9.0.0] [DB db:integer@9.0.0] [CAPA capa@9.0.0] [IP ip@9.0.0]"
               f" [NOT-TYPE not-client-type=({TYPE_WORDS})@9.0.0] [NOT-ID not-client-id:integer@9.0.0...]"
               " [NOT-USER not-username@9.0.0] [NOT-ADDR not-addr<ip:port>@9.0.0]"
               " [NOT-LADDR not-laddr<ip:port>@9.0.0] [NOT-NAME not-name@9.0.0] [NOT-FLAGS not-flags@9.0.0]"
               " [NOT-LIB-NAME not-lib-name@9.0.0] [NOT-LIB-VER not-lib-ver@9.0.0] [NOT-DB not-db:integer@9.0.0]"
               " [NOT-CAPA not-capa@9.0.0] [NOT-IP not-ip@9.0.0]")

HELP = (
    "CLIENT <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
    "GETNAME",
    "    Return the name of the current connection.",
    "ID",
    "    Return the ID of the current connection.",
    "INFO",
    "    Return information about the current client connection.",
    "KILL <ip:port>",
    "    Kill connection made from <ip:port>.",
    "KILL <option> <value> [<option> <value> [...]]",
    "    Kill connections. Options are:",
    "    * ADDR (<ip:port>|<unixsocket>:0)",
    "      Kill connections made from the specified address",
    "    * LADDR (<ip:port>|<unixsocket>:0)",
    "      Kill connections made to specified local address",
    "    * TYPE (NORMAL|MASTER|REPLICA|PUBSUB)",
    "      Kill connections by type.",
    "    * USER <username>",
    "      Kill connections authenticated by <username>.",
    "    * SKIPME (YES|NO)",
    "      Skip killing current connection (default: yes).",
    "    * ID <client-id> [<client-id> ...]",
    "      Kill connections by client id.",
    "    * MAXAGE <maxage>",
    "      Kill connections older than the specified age.",
    "    * IDLE <seconds>",
    "      Kill connections that have sent nothing for so long.",
    "    * NAME <name>, LIB-NAME <name>, LIB-VER <version>, DB <number>, IP <ip>, FLAGS <letters>, CAPA <letters>",
    "      Kill connections by what CLIENT LIST shows of them.",
    "    * NOT-<option> <value>",
    "      Kill connections which the option does not fit. Not of SKIPME, MAXAGE and IDLE.",
    "LIST [options ...]",
    "    Return information about client connections. Options:",
    "    * TYPE (NORMAL|MASTER|REPLICA|PUBSUB)",
    "      Return clients of specified type.",
    "    * all others of KILL",
    "      Return clients whom all of them fit.",
    "UNPAUSE",
    "    Stop the current client pause, resuming traffic.",
    "PAUSE <timeout> [WRITE|ALL]",
    "    Suspend all, or just write, clients for <timeout> milliseconds.",
    "REPLY (ON|OFF|SKIP)",
    "    Control the replies sent to the current connection.",
    "SETNAME <name>",
    "    Assign the name <name> to the current connection.",
    "SETINFO <option> <value>",
    "    Set client meta attr. Options are:",
    "    * LIB-NAME: the client lib name.",
    "    * LIB-VER: the client lib version.",
    "UNBLOCK <clientid> [TIMEOUT|ERROR]",
    "    Unblock the specified blocked client.",
    "CAPA <option> [options...]",
    "    The client claims its some capability options. Options are:",
    "    * REDIRECT: The client can handle redirection during primary and replica failover in standalone mode.",
    "NO-EVICT (ON|OFF)",
    "    Protect current client connection from eviction.",
    "NO-TOUCH (ON|OFF)",
    "    Will not touch LRU/LFU stats when this mode is on.",
    "CACHING (YES|NO)",
    "    Enable/disable tracking of the keys for next command in OPTIN/OPTOUT modes.",
    "GETREDIR",
    "    Return the client ID we are redirecting to when tracking is enabled.",
    "TRACKING (ON|OFF) [REDIRECT <id>] [BCAST] [PREFIX <prefix> [...]]",
    "         [OPTIN] [OPTOUT] [NOLOOP]",
    "    Control server assisted client side caching.",
    "TRACKINGINFO",
    "    Report tracking status for the current connection.",
    "IMPORT-SOURCE (ON|OFF)",
    "    Mark this connection as one that imports data, and sees what has expired while import-mode is on.",
    "HELP",
    "    Prints this help.",
)


declare(
    b"client", None, arity=-2, flags=CONTAINER, since="2.4.0",
    complexity="Depends on the subcommand",
    summary="Deals with client connections.",
)


# --- who is connected -------------------------------------------------------


def text(value: bytes) -> str:
    """Bytes from outside as text; Reply writes them back as they were."""
    return value.decode("utf-8", "surrogateescape")


def cmd_client_id(c):
    """CLIENT ID -> integer: a number that no other connection has or had."""
    c.reply(c.id)

declare(
    b"client|id", cmd_client_id, arity=2, flags=NOSCRIPT | LOADING | STALE, since="5.0.0",
    complexity="O(1)",
    summary="Returns the id of the connection.",
)


def cmd_client_info(c):
    """CLIENT INFO -> verbatim string: the line about this connection."""
    reply_lines(c, [c])

declare(
    b"client|info", cmd_client_info, arity=2, flags=NOSCRIPT | LOADING | STALE, since="6.2.0",
    tips=("nondeterministic_output",),
    complexity="O(1)",
    summary="Describes the connection in one line.",
)


def cmd_client_list(c):
    """CLIENT LIST [filter value ...] -> verbatim string: a line for each connection that all filters fit.

    Ids of nobody are passed over.
    Errors: a filter or value that does not exist; an id that is no integer.
    Source: https://redis.io/commands/client-list, https://valkey.io/commands/client-list/
    """
    reply_lines(c, Filters(c, c.args[2:], listing=True).clients())

declare(
    b"client|list", cmd_client_list, arity=-2, flags=ADMIN | NOSCRIPT | LOADING | STALE, since="2.4.0",
    tips=("nondeterministic_output",),
    complexity="O(N) where N is the number of connections",
    summary="Describes connections, one a line.",
    args=f"[TYPE client-type=(NORMAL | MASTER | REPLICA | PUBSUB)@5.0.0] [ID client-id:integer@6.2.0...] {LIST_FILTERS}"
         f" {NEW_FILTERS}",
    history=(
        ("2.8.12", "Field `id`."),
        ("5.0.0", "Filter `TYPE`."),
        ("6.0.0", "Field `user`."),
        ("6.2.0", "Filter `ID`; fields `argv-mem`, `tot-mem`, `laddr` and `redir`."),
        ("7.0.0", "Fields `resp`, `multi-mem`, `rbs` and `rbp`."),
        ("7.0.3", "Field `ssub`."),
        ("7.2.0", "Fields `lib-name` and `lib-ver`."),
        ("8.1.0", "Filters `USER`, `ADDR`, `LADDR`, `SKIPME` and `MAXAGE` (Valkey)."),
        ("9.0.0", "Filters `NAME`, `IDLE`, `FLAGS`, `LIB-NAME`, `LIB-VER`, `DB`, `CAPA`, `IP`; negated ones (Valkey)."),
    ),
)


# --- names ------------------------------------------------------------------------------


def cmd_client_getname(c):
    """CLIENT GETNAME -> bulk string, or null when the connection has no name."""
    c.reply(c.name or None)

declare(
    b"client|getname", cmd_client_getname, arity=2, flags=NOSCRIPT | LOADING | STALE, since="2.6.9",
    complexity="O(1)",
    summary="Returns the name of the connection.",
)


def cmd_client_setname(c):
    """CLIENT SETNAME name -> OK; an empty name takes the old one away.

    Errors: blanks or control characters in it.
    """
    name = c.args[2]
    if not NAME.fullmatch(name):
        raise ErrorReply(CLIENT_NAME)
    c.name = name
    c.reply(OK)

declare(
    b"client|setname", cmd_client_setname, arity=3, flags=NOSCRIPT | LOADING | STALE, since="2.6.9",
    tips=("request_policy:all_nodes", "response_policy:all_succeeded"),
    complexity="O(1)",
    summary="Names the connection.",
    args="connection-name",
)


def cmd_client_setinfo(c):
    """CLIENT SETINFO LIB-NAME | LIB-VER value -> OK; an empty value takes the old one away.

    Errors: another attribute; blanks or control characters in the value.
    """
    attribute, value = c.args[2:]
    if attribute.lower() not in (b"lib-name", b"lib-ver"):
        raise ErrorReply(f"ERR Unrecognized option '{text(attribute)}'")
    if not NAME.fullmatch(value):
        raise ErrorReply(f"ERR {text(attribute)} cannot contain spaces, newlines or special characters.")
    setattr(c, attribute.lower().decode().replace("-", "_"), value)
    c.reply(OK)

declare(
    b"client|setinfo", cmd_client_setinfo, arity=4, flags=NOSCRIPT | LOADING | STALE, since="7.2.0",
    tips=("request_policy:all_nodes", "response_policy:all_succeeded"),
    complexity="O(1)",
    summary="Records the name or version of the client's library.",
    args="attr=(LIB-NAME libname | LIB-VER libver)",
)


# --- CLIENT KILL --------------------------------------------------------------------------


def kill_all(c, clients: list) -> None:
    """Close connections; one's own after its reply."""
    for client in clients:
        if client is c:
            c.flag_bits |= bits.C_CLOSE_AFTER_REPLY
        else:
            client.kill()


def cmd_client_kill(c):
    """CLIENT KILL addr -> OK; CLIENT KILL filter value ... -> integer: connections closed.

    A connection is closed when all filters fit. The old form closes one's own, too; the new one only with SKIPME no.
    Errors: nobody with that address (old form); a filter or value that does not exist.
    Source: https://redis.io/commands/client-kill
    """
    args = c.args[2:]
    if len(args) == 1:
        found = [client for client in c.engine.clients.values() if client.peer == args[0]]
        kill_all(c, found)
        if not found:
            raise ErrorReply("ERR No such client")
        c.reply(OK)
        return
    found = Filters(c, args, listing=False).clients()
    kill_all(c, found)
    c.reply(len(found))

declare(
    b"client|kill", cmd_client_kill, arity=-3, flags=ADMIN | NOSCRIPT | LOADING | STALE, since="2.4.0",
    complexity="O(N) where N is the number of connections, O(1) with an id",
    summary="Closes connections.",
    args=(
        "filter=(old-format<ip:port>@-2.8.12 | new-format=([ID client-id:integer@2.8.12...] | [TYPE client-type=(NORMAL"
        " | MASTER@3.2.0 | PRIMARY@8.0.0 | SLAVE | REPLICA@5.0.0 | PUBSUB)@2.8.12] | [USER username]"
        " | [ADDR addr<ip:port>] | [LADDR laddr<ip:port>@6.2.0] | [SKIPME skipme=(YES | NO)]"
        f" | [MAXAGE maxage:integer@7.4.0] | {NEW_FILTERS.replace('] [', '] | [')})...)"
    ),
    history=(
        ("2.8.12", "Filters, among them `ID` and `TYPE`."),
        ("3.2.0", "Type `MASTER`."),
        ("5.0.0", "Type `REPLICA`, a better name for `SLAVE`."),
        ("6.2.0", "Filter `LADDR`."),
        ("7.4.0", "Filter `MAXAGE`."),
        ("8.1.0", "Several ids (Valkey)."),
        ("9.0.0", "Filters `NAME`, `IDLE`, `FLAGS`, `LIB-NAME`, `LIB-VER`, `DB`, `CAPA`, `IP`; negated ones (Valkey)."),
    ),
)


# --- switches -----------------------------------------------------------------------------


def cmd_client_reply(c):
    """CLIENT REPLY ON -> OK; OFF and SKIP -> nothing, and nothing to what follows, or to the next command."""
    mode = c.args[2].lower()
    if mode == b"on":
        c.flag_bits &= ~(bits.C_REPLY_OFF | bits.C_REPLY_SKIP)
        c.reply(OK)
    elif mode == b"off":
        c.flag_bits |= bits.C_REPLY_OFF
    elif mode == b"skip":
        if not c.flag_bits & bits.C_REPLY_OFF:
            c.flag_bits |= bits.C_REPLY_SKIP_NEXT
    else:
        raise ErrorReply(SYNTAX)

declare(
    b"client|reply", cmd_client_reply, arity=3, flags=NOSCRIPT | LOADING | STALE, since="3.2.0",
    complexity="O(1)",
    summary="Says whether the server replies to this connection.",
    args="action=(ON | OFF | SKIP)",
)


def switch(c, bit: int) -> None:
    """ON or OFF -> OK; sets or clears a bit of the client's flags."""
    mode = c.args[2].lower()
    if mode not in (b"on", b"off"):
        raise ErrorReply(SYNTAX)
    c.flag_bits = c.flag_bits | bit if mode == b"on" else c.flag_bits & ~bit
    c.reply(OK)


def cmd_client_no_evict(c):
    """CLIENT NO-EVICT ON | OFF -> OK."""
    switch(c, bits.C_NO_EVICT)
    c.count_memory()

declare(
    b"client|no-evict", cmd_client_no_evict, arity=3, flags=ADMIN | NOSCRIPT | LOADING | STALE, since="7.0.0",
    complexity="O(1)",
    summary="Protects the connection from being closed for the memory clients use.",
    args="enabled=(ON | OFF)",
)


def cmd_client_no_touch(c):
    """CLIENT NO-TOUCH ON | OFF -> OK; while on, only TOUCH stamps keys as used."""
    switch(c, bits.C_NO_TOUCH)

declare(
    b"client|no-touch", cmd_client_no_touch, arity=3, flags=NOSCRIPT | LOADING | STALE, since="7.2.0",
    complexity="O(1)",
    summary="Lets the connection read keys without marking them as used.",
    args="enabled=(ON | OFF)",
)


def cmd_client_capa(c):
    """CLIENT CAPA capability ... -> OK: what the client understands; what is not known here is ignored.

    redirect: on a replica commands on data are refused with REDIRECT and the master's address.
    Source: https://valkey.io/commands/client-capa/
    """
    if b"redirect" in {word.lower() for word in c.args[2:]}:
        c.flag_bits |= bits.C_REDIRECT
        c.engine.replication.redirects = True
        c.engine.replication.check_gate()
    c.reply(OK)

declare(
    b"client|capa", cmd_client_capa, arity=-3, flags=NOSCRIPT | LOADING | STALE, since="8.0.0",
    complexity="O(1)",
    summary="Says what the client can do.",
    args="capability...",
)


def cmd_client_import_source(c):
    """CLIENT IMPORT-SOURCE ON | OFF -> OK; in import mode the connection sees what has expired, until it deletes that.

    Errors: ON while import-mode is no.
    Source: https://valkey.io/commands/client-import-source/
    """
    if c.args[2].lower() != b"off" and not c.engine.config["import-mode"]:
        raise ErrorReply("ERR Server is not in import mode")
    switch(c, C_IMPORT_SOURCE)

declare(
    b"client|import-source", cmd_client_import_source, arity=3, flags=NOSCRIPT | LOADING | STALE, since="8.1.0",
    complexity="O(1)",
    summary="Marks the connection as one that imports data from another server.",
    args="enabled=(ON | OFF)",
)


# --- clients that wait ----------------------------------------------------------------------


def cmd_client_unblock(c):
    """CLIENT UNBLOCK id [TIMEOUT | ERROR] -> 1, or 0 when that client does not wait in a command.

    Its command replies as if its time were over, or an UNBLOCKED error.
    Errors: another reason; no integer.
    """
    args = c.args[2:]
    reason = args[1].lower() if len(args) == 2 else b"timeout"
    if len(args) > 2:
        raise ErrorReply(subcommand_error("CLIENT", text(c.args[1])))
    if reason not in (b"timeout", b"error"):
        raise ErrorReply("ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR")
    number = parse_integer(args[0])
    if number is None:
        raise ErrorReply(NOT_INTEGER)
    client = c.engine.clients.get(number)
    waits = client is not None and client.blocked is not None and not client.blocked.steadfast
    found = waits and c.engine.blocked.unblock(client, UNBLOCKED.encode() if reason == b"error" else None)
    c.reply(int(found))

declare(
    b"client|unblock", cmd_client_unblock, arity=-3, flags=ADMIN | NOSCRIPT | LOADING | STALE, since="5.0.0",
    complexity="O(log N) where N is the number of connections",
    summary="Ends the waiting of a client in a blocking command.",
    args="client-id:integer [unblock-type=(TIMEOUT | ERROR)]",
)


def cmd_client_pause(c):
    """CLIENT PAUSE timeout [WRITE | ALL] -> OK; commands of clients wait for `timeout` ms, or only those that write.

    Errors: another mode; no integer; negative; beyond 64 bits.
    Source: https://redis.io/commands/client-pause
    """
    args = c.args[2:]
    mode = args[1].lower() if len(args) == 2 else b"all"
    if len(args) > 2:
        raise ErrorReply(subcommand_error("CLIENT", text(c.args[1])))
    if mode not in (b"write", b"all"):
        raise ErrorReply("ERR CLIENT PAUSE mode must be WRITE or ALL")
    timeout_ms = parse_integer(args[0])
    if timeout_ms is None:
        raise ErrorReply(TIMEOUT)
    if timeout_ms < 0:
        raise ErrorReply(TIMEOUT_NEGATIVE)
    if c.now_ms + timeout_ms >= 1 << 63:
        raise ErrorReply(TIMEOUT_RANGE)
    if timeout_ms:
        c.engine.blocked.pause(PAUSE_BY_CLIENT, c.now_ms + timeout_ms, mode == b"all")
    c.reply(OK)

declare(
    b"client|pause", cmd_client_pause, arity=-3, flags=ADMIN | NOSCRIPT | LOADING | STALE, since="3.0.0",
    complexity="O(1)",
    summary="Lets the commands of all clients wait for some time.",
    args="timeout:integer [mode=(WRITE | ALL)@6.2.0]",
    history=(("6.2.0", "Mode `WRITE`."),),
)


def cmd_client_unpause(c):
    """CLIENT UNPAUSE -> OK; those who wait for the end of a pause go on."""
    c.engine.blocked.unpause(PAUSE_BY_CLIENT)
    c.reply(OK)

declare(
    b"client|unpause", cmd_client_unpause, arity=2, flags=ADMIN | NOSCRIPT | LOADING | STALE, since="6.2.0",
    complexity="O(N) where N is the number of paused clients",
    summary="Lets paused clients go on.",
)


def cmd_client_help(c):
    """CLIENT HELP -> array of lines."""
    c.reply([Status(text) for text in HELP])

declare(
    b"client|help", cmd_client_help, arity=2, flags=LOADING | STALE, since="5.0.0",
    complexity="O(1)",
    summary="Explains the subcommands of CLIENT.",
)
