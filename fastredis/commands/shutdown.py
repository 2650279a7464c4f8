"""SHUTDOWN: end the server."""

from fastredis.engine.command import declarer
from fastredis.engine.errors import SHUTDOWN_FAILED, SYNTAX
from fastredis.engine.flags import ADMIN, ALLOW_BUSY, LOADING, NO_MULTI, NOSCRIPT, STALE
from fastredis.engine.inspect import denies_blocking
from fastredis.engine.reply import ErrorReply, Status

declare = declarer("server")

WORDS = {b"nosave", b"save", b"now", b"force", b"abort"}


def cmd_shutdown(c):
    """SHUTDOWN [NOSAVE | SAVE] [NOW] [FORCE] [ABORT] -> no reply: the connection is closed as the server ends.

    While replicas lag behind, writes are held and the server waits for them, for `shutdown-timeout` seconds at most.
    Errors: syntax; aborted; ABORT while no shutdown is under way; from a script or transaction, without NOW; the data
    cannot be saved.
    Source: https://redis.io/docs/latest/commands/shutdown/
    """
    words = {word.lower() for word in c.args[1:]}
    if words - WORDS or {b"save", b"nosave"} <= words or (b"abort" in words and len(words) > 1):
        raise ErrorReply(SYNTAX)
    if b"abort" in words:
        if not c.engine.service.abort():
            raise ErrorReply("ERR No shutdown in progress.")
        c.reply(Status("OK"))
        return
    if b"now" not in words and denies_blocking(c):
        raise ErrorReply("ERR SHUTDOWN without NOW or ABORT isn't allowed for DENY BLOCKING client")
    if c.engine.busy.is_on and b"nosave" not in words:
        raise ErrorReply(c.engine.busy.error.decode())
    service = c.engine.service
    if not service.awaits_replicas:
        save = True if b"save" in words else False if b"nosave" in words else None
        service.request(save=save, now=b"now" in words, force=b"force" in words)
    if c.engine.ending:
        c.kill()
    elif service.awaits_replicas:
        service.hold(c)
    else:
        raise ErrorReply(SHUTDOWN_FAILED)


declare(
    b"shutdown", cmd_shutdown, arity=-1, flags=ADMIN | NOSCRIPT | LOADING | STALE | NO_MULTI | ALLOW_BUSY,
    since="1.0.0",
    complexity="O(N) where N is the number of keys saved, O(1) without saving",
    summary="Stops the server, after saving the data if it is configured to.",
    args="[save-selector=(NOSAVE | SAVE)] [NOW@7.0.0] [FORCE@7.0.0] [ABORT@7.0.0]",
    history=(("7.0.0", "Options `NOW`, `FORCE` and `ABORT`."),),
)
