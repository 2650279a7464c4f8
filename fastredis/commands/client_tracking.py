"""CLIENT TRACKING and its kin: clients that cache. What follows from it is in fastredis.engine.tracking."""

from fastredis.engine import engine as bits
from fastredis.engine.command import declarer
from fastredis.engine.errors import NOT_INTEGER, SYNTAX
from fastredis.engine.flags import LOADING, NOSCRIPT, STALE
from fastredis.engine.options import parse_integer
from fastredis.engine.reply import ErrorReply, Pairs, Status

declare = declarer("connection")

OK = Status("OK")
FLAGS = NOSCRIPT | LOADING | STALE
MODES = {b"bcast": bits.C_TRACKING_BCAST, b"optin": bits.C_TRACKING_OPTIN, b"optout": bits.C_TRACKING_OPTOUT,
         b"noloop": bits.C_TRACKING_NOLOOP}
SWITCH = "before disabling tracking for this client, and then re-enabling it with a different mode."
REDIRECTS = "ERR A client can only redirect to a single other client"
REDIRECT_TO_NOBODY = "ERR The client ID you want redirect to does not exist"
NOT_TRACKING = ("ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or OPTOUT mode "
                "enabled")


def text(value: bytes) -> str:
    """Bytes from outside as text; Reply writes them back as they were."""
    return value.decode("utf-8", "surrogateescape")


def cmd_client_tracking(c):
    """CLIENT TRACKING ON | OFF [REDIRECT id] [PREFIX prefix ...] [BCAST] [OPTIN] [OPTOUT] [NOLOOP] -> OK.

    From now on the connection, or the one of that id, is told when keys that this one has read, or all with one of the
    prefixes, change. In RESP2 only a redirection to a connection that is subscribed to __redis__:invalidate tells
    anything.
    Errors: options that exclude each other, or what is on already; prefixes that overlap; nobody with that id.
    Source: https://redis.io/docs/latest/commands/client-tracking/
    """
    redirect, modes, prefixes = tracking_options(c, c.args[3:])
    switch = c.args[2].lower()
    if switch == b"on":
        check_modes(c.flag_bits, modes, prefixes)
        if modes & bits.C_TRACKING_BCAST:
            check_prefixes(c, prefixes)
        c.engine.tracking.begin(c, redirect, modes, prefixes)
    elif switch == b"off":
        c.engine.tracking.end(c)
    else:
        raise ErrorReply(SYNTAX)
    c.reply(OK)


def tracking_options(c, args: list[bytes]) -> tuple[int, int, list[bytes]]:
    """The options as an id (0: none), C_TRACKING_* bits and prefixes. Raises an ErrorReply."""
    redirect, modes, prefixes = 0, 0, []
    words = iter(args)
    for word in words:
        option = word.lower()
        value = next(words, None) if option in (b"redirect", b"prefix") else None
        if option == b"redirect" and value is not None:
            if redirect:
                raise ErrorReply(REDIRECTS)
            redirect = parse_integer(value)
            if redirect is None:
                raise ErrorReply(NOT_INTEGER)
            if redirect not in c.engine.clients:
                raise ErrorReply(REDIRECT_TO_NOBODY)
        elif option == b"prefix" and value is not None:
            prefixes.append(value)
        elif option in MODES:
            modes |= MODES[option]
        else:
            raise ErrorReply(SYNTAX)
    return redirect, modes, prefixes


def check_modes(present: int, wanted: int, prefixes: list[bytes]) -> None:
    """Raises an ErrorReply when the options wanted exclude each other, or what is on at present."""
    choices = bits.C_TRACKING_OPTIN | bits.C_TRACKING_OPTOUT
    if prefixes and not wanted & bits.C_TRACKING_BCAST:
        raise ErrorReply("ERR PREFIX option requires BCAST mode to be enabled")
    if present & bits.C_TRACKING and (present ^ wanted) & bits.C_TRACKING_BCAST:
        raise ErrorReply(f"ERR You can't switch BCAST mode on/off {SWITCH}")
    if wanted & bits.C_TRACKING_BCAST and wanted & choices:
        raise ErrorReply("ERR OPTIN and OPTOUT are not compatible with BCAST")
    if wanted & choices == choices:
        raise ErrorReply("ERR You can't specify both OPTIN mode and OPTOUT mode")
    if (present | wanted) & choices == choices:
        raise ErrorReply(f"ERR You can't switch OPTIN/OPTOUT mode {SWITCH}")


def check_prefixes(c, prefixes: list[bytes]) -> None:
    """Raises an ErrorReply when two prefixes, one of which may be there already, have keys in common."""
    mode = c.engine.tracking.mode(c)
    present = mode.prefixes if mode is not None else ()
    for i, prefix in enumerate(prefixes):
        for others, which in ((present, "an existing"), (prefixes[i + 1:], "another provided")):
            for other in others:
                if prefix.startswith(other) or other.startswith(prefix):
                    raise ErrorReply(f"ERR Prefix '{text(prefix)}' overlaps with {which} prefix '{text(other)}'. "
                                     "Prefixes for a single client must not overlap.")

declare(
    b"client|tracking", cmd_client_tracking, arity=-3, flags=FLAGS, since="6.0.0",
    complexity="O(1), or O(N) where N is the number of prefixes",
    summary="Has the connection told of changed keys that it may have cached.",
    args="status=(ON | OFF) [REDIRECT client-id:integer] [PREFIX... prefix] [BCAST] [OPTIN] [OPTOUT] [NOLOOP]",
)


def cmd_client_caching(c):
    """CLIENT CACHING YES | NO -> OK: whether the keys of the next command, or of a MULTI, are cached.

    Errors: the connection does not track with OPTIN, for YES, or OPTOUT, for NO.
    Source: https://redis.io/docs/latest/commands/client-caching/
    """
    if not c.flag_bits & bits.C_TRACKING:
        raise ErrorReply(NOT_TRACKING)
    word = c.args[2].lower()
    if word not in (b"yes", b"no"):
        raise ErrorReply(SYNTAX)
    mode, name = ((bits.C_TRACKING_OPTIN, "OPTIN") if word == b"yes" else (bits.C_TRACKING_OPTOUT, "OPTOUT"))
    if not c.flag_bits & mode:
        raise ErrorReply(f"ERR CLIENT CACHING {word.decode().upper()} is only valid when tracking is enabled in {name} "
                         "mode.")
    c.flag_bits |= bits.C_TRACKING_CACHING
    c.reply(OK)

declare(
    b"client|caching", cmd_client_caching, arity=3, flags=FLAGS, since="6.0.0",
    complexity="O(1)",
    summary="Says whether the connection caches the keys of its next command.",
    args="mode=(YES | NO)",
)


def cmd_client_getredir(c):
    """CLIENT GETREDIR -> integer: id of the connection that is told in this one's place; 0: itself, -1: nobody."""
    c.reply(c.engine.tracking.redirect(c))

declare(
    b"client|getredir", cmd_client_getredir, arity=2, flags=FLAGS, since="6.0.0",
    complexity="O(1)",
    summary="Returns the id of the connection that is told of changed keys.",
)


def cmd_client_trackinginfo(c):
    """CLIENT TRACKINGINFO -> map: flags (set), redirect (as CLIENT GETREDIR), prefixes (array).

    Source: https://redis.io/docs/latest/commands/client-trackinginfo/
    """
    mode = c.engine.tracking.mode(c)
    c.reply(Pairs([
        ("flags", flag_names(c.flag_bits)),
        ("redirect", c.engine.tracking.redirect(c)),
        ("prefixes", list(mode.prefixes) if mode is not None else []),
    ]))


def flag_names(flags: int) -> tuple[str, ...]:
    """What CLIENT TRACKINGINFO calls the C_TRACKING_* bits, in Redis's order; a tuple is replied as a set."""
    caching = flags & bits.C_TRACKING_CACHING
    names = (
        ("on" if flags & bits.C_TRACKING else "off", True),
        ("bcast", flags & bits.C_TRACKING_BCAST),
        ("optin", flags & bits.C_TRACKING_OPTIN),
        ("caching-yes", flags & bits.C_TRACKING_OPTIN and caching),
        ("optout", flags & bits.C_TRACKING_OPTOUT),
        ("caching-no", flags & bits.C_TRACKING_OPTOUT and caching),
        ("noloop", flags & bits.C_TRACKING_NOLOOP),
        ("broken_redirect", flags & bits.C_TRACKING_BROKEN),
    )
    return tuple(name for name, holds in names if holds)

declare(
    b"client|trackinginfo", cmd_client_trackinginfo, arity=2, flags=FLAGS, since="6.2.0",
    complexity="O(1), or O(N) where N is the number of prefixes",
    summary="Describes how the connection tracks keys.",
)
