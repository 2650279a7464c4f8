"""Connections: HELLO, AUTH, PING, SELECT, RESET, QUIT. CLIENT is in clients.py."""
from libc.stdint cimport INT32_MAX, INT32_MIN, int64_t, uint64_t

from fastredis._resp cimport Arg, arg_bytes
from fastredis.engine.client cimport Client
from fastredis.engine.command cimport native
from fastredis.engine.engine cimport (
    C_CLOSE_AFTER_REPLY, C_MASTER, C_MONITOR, C_NO_EVICT, C_NO_TOUCH, C_PUBSUB, C_READONLY, C_REDIRECT, C_REPLICA,
    C_REPLY_OFF, C_REPLY_SKIP, C_REPLY_SKIP_NEXT,
)
from fastredis.engine.errors cimport (
    ERR_CLIENT_NAME, ERR_DB_INDEX, ERR_HELLO_NOAUTH, ERR_INT_RANGE, ERR_NO_PASSWORD, ERR_NOPROTO, ERR_PROTO_VERSION,
    ERR_RESET, ERR_SYNTAX, ERR_WRONGPASS,
)
from fastredis.engine.flags cimport ALLOW_BUSY, FAST, LOADING, NO_AUTH, NOSCRIPT, STALE
from fastredis.engine.importing cimport C_IMPORT_SOURCE
from fastredis.engine.multi cimport discard
from fastredis.engine.options cimport arg_is, get_int_or_reply, get_int_or_reply_text
from fastredis.engine.pubsub cimport PubSub

import fastredis
from fastredis.engine.command import declarer

declare = declarer("connection")

cdef enum:                          # what RESET clears, apart from what has a function of its own
    RESET_FLAGS = (C_REPLY_OFF | C_REPLY_SKIP | C_REPLY_SKIP_NEXT | C_NO_TOUCH | C_NO_EVICT | C_READONLY | C_REDIRECT
                   | C_IMPORT_SOURCE)


# --- who is there -----------------------------------------------------------------------

cdef bint authenticate_or_reply(Client c, bytes user, bytes password) except -1:
    """Log the client in as that user."""
    if c.engine.users.authenticate(c, user, password):
        return True
    c.error(ERR_WRONGPASS)
    return False


cdef int cmd_auth(Client c) except -1:
    """AUTH [username] password -> OK.

    Errors: WRONGPASS; only a password, but none is set.
    Source: https://redis.io/commands/auth
    """
    cdef bytes user = b"default"

    if c.argc > 3:
        return c.error(ERR_SYNTAX)
    if c.argc == 3:
        user = arg_bytes(&c.argv[1])
    elif c.engine.users.default.rules.no_password:
        return c.error(ERR_NO_PASSWORD)
    if authenticate_or_reply(c, user, arg_bytes(&c.argv[c.argc - 1])):
        c.reply_ok()
    return 0

declare(
    b"auth", native(cmd_auth), arity=-2, flags=NOSCRIPT | LOADING | STALE | FAST | NO_AUTH | ALLOW_BUSY, since="1.0.0",
    complexity="O(N) where N is the number of passwords of the user",
    summary="Logs the connection in.",
    args="[username@6.0.0] password",
    history=(("6.0.0", "Takes a username, too."),),
)


cdef bint is_client_name(const Arg* a) noexcept:
    """Whether it may be shown in a field of CLIENT LIST: no blanks, no control characters up to its first zero byte."""
    cdef size_t i

    for i in range(a.size):
        if not c'!' <= a.ptr[i] <= c'~':
            return a.ptr[i] == 0
    return True


cdef int cmd_hello(Client c) except -1:
    """HELLO [protover [AUTH username password] [SETNAME clientname]] -> map that describes the server.

    From this reply on the connection speaks the protocol version given. Options are checked first, then the
    password; a wrong one leaves everything as it was.
    Errors: NOPROTO; version is no integer; WRONGPASS; NOAUTH; name with blanks.
    Source: https://redis.io/commands/hello
    """
    cdef int64_t version = c.resp
    cdef int i = 2
    cdef Arg* user = NULL
    cdef Arg* name = NULL

    if c.argc > 1 and not get_int_or_reply_text(c, 1, &version, ERR_PROTO_VERSION):
        return 0
    if not 2 <= version <= 3:
        return c.error(ERR_NOPROTO)
    while i < c.argc:
        if arg_is(&c.argv[i], b"AUTH") and i + 2 < c.argc:
            user = &c.argv[i + 1]
            i += 3
        elif arg_is(&c.argv[i], b"SETNAME") and i + 1 < c.argc:
            name = &c.argv[i + 1]
            if not is_client_name(name):
                return c.error(ERR_CLIENT_NAME)
            i += 2
        else:
            return c.error_text(b"ERR Syntax error in HELLO option '" + arg_bytes(&c.argv[i]) + b"'")
    if user is not NULL and not authenticate_or_reply(c, arg_bytes(user), arg_bytes(user + 1)):
        return 0
    if not c.authenticated and c.engine.auth_required:
        return c.error(ERR_HELLO_NOAUTH)
    if name is not NULL:
        c.name = arg_bytes(name)
    c.resp = c.out.resp = version
    return reply_hello(c)


cdef int reply_hello(Client c) except -1:
    zone = c.engine.config["availability-zone"]
    c.out.object({
        "server": "redis",
        "version": fastredis.REDIS_VERSION,
        "proto": c.resp,
        "id": c.id,
        "mode": "standalone",
        "role": "replica" if c.core.is_replica else "master",
        "modules": [],
        **({"availability_zone": zone} if zone else {}),
    })
    return 0

declare(
    b"hello", native(cmd_hello), arity=-1, flags=NOSCRIPT | LOADING | STALE | FAST | NO_AUTH | ALLOW_BUSY,
    since="6.0.0",
    complexity="O(1)",
    summary="Chooses the protocol version, logs in if wanted, and describes the server.",
    args="[arguments={protover:integer [AUTH auth={username password}] [SETNAME clientname]}]",
    history=(("6.2.0", "Without arguments it describes the connection as it is."),),
)


cdef int cmd_reset(Client c) except -1:
    """RESET -> status RESET; the connection is as if it were new, but for its library's name and version.

    Source: https://redis.io/commands/reset
    """
    if c.flags & (C_REPLICA | C_MASTER) and not c.flags & C_MONITOR:
        return c.error(ERR_RESET)
    discard(c)
    (<PubSub>c.engine.pubsub).leave(c)
    if c.flags & C_MONITOR:
        c.engine.monitors.remove(c)
    c.engine.tracking.end(c)
    c.db = c.engine.db(0)
    c.resp = c.out.resp = 2
    c.name = b""
    c.fieldsets = None
    c.start_over()
    c.flags &= ~<uint64_t>RESET_FLAGS
    return c.reply_status(b"RESET")

declare(
    b"reset", native(cmd_reset), arity=1, flags=NOSCRIPT | LOADING | STALE | FAST | NO_AUTH | ALLOW_BUSY, since="6.2.0",
    complexity="O(1)",
    summary="Puts the connection back into the state of a new one.",
)


cdef int cmd_quit(Client c) except -1:
    """QUIT -> OK; what was sent behind it is not executed.

    Source: https://redis.io/commands/quit
    """
    c.flags |= C_CLOSE_AFTER_REPLY
    return c.reply_ok()

declare(
    b"quit", native(cmd_quit), arity=-1, flags=NOSCRIPT | LOADING | STALE | FAST | NO_AUTH | ALLOW_BUSY, since="1.0.0",
    complexity="O(1)",
    summary="Closes the connection.",
    doc_flags=("deprecated",), deprecated_since="7.2.0", replaced_by="closing the connection",
)


# --- small talk -------------------------------------------------------------------------

cdef int cmd_ping(Client c) except -1:
    """PING [message] -> status PONG, or the message.

    A RESP2 client with subscriptions gets an array, pong and the message, since it reads nothing but arrays.
    Source: https://redis.io/commands/ping
    """
    if c.argc > 2:
        return c.error(b"ERR wrong number of arguments for 'ping' command")
    if c.flags & C_PUBSUB and c.resp == 2:
        c.reply_array(2)
        c.reply_bulk(b"pong", 4)
        return c.reply_bulk(c.argv[1].ptr, c.argv[1].size) if c.argc == 2 else c.reply_bulk(b"", 0)
    if c.argc == 1:
        return c.reply_status(b"PONG")
    return c.reply_bulk(c.argv[1].ptr, c.argv[1].size)

declare(
    b"ping", native(cmd_ping), arity=-1, flags=FAST, since="1.0.0",
    tips=("request_policy:all_shards", "response_policy:all_succeeded"),
    complexity="O(1)",
    summary="Answers PONG, or its argument.",
    args="[message]",
)


cdef int cmd_echo(Client c) except -1:
    """ECHO message -> the message.

    Source: https://redis.io/commands/echo
    """
    return c.reply_bulk(c.argv[1].ptr, c.argv[1].size)

declare(
    b"echo", native(cmd_echo), arity=2, flags=LOADING | STALE | FAST, since="1.0.0",
    complexity="O(1)",
    summary="Returns its argument.",
    args="message",
)


cdef int cmd_select(Client c) except -1:
    """SELECT index -> OK.

    Errors: no integer; there is no such database.
    Source: https://redis.io/commands/select
    """
    cdef int64_t index

    if not get_int_or_reply(c, 1, &index):
        return 0
    if not INT32_MIN <= index <= INT32_MAX:
        return c.error(ERR_INT_RANGE)
    if not 0 <= index < len(c.engine.databases):
        return c.error(ERR_DB_INDEX)
    c.db = c.engine.db(index)
    return c.reply_ok()

declare(
    b"select", native(cmd_select), arity=2, flags=LOADING | STALE | FAST, since="1.0.0",
    complexity="O(1)",
    summary="Changes the database of the connection.",
    args="index:integer",
)
