"""Saving the data set: SAVE, BGSAVE, LASTSAVE, BGREWRITEAOF."""

from fastredis.engine.command import declarer
from fastredis.engine.errors import SYNTAX
from fastredis.engine.flags import ADMIN, FAST, LOADING, NO_ASYNC_LOADING, NO_MULTI, NOSCRIPT, STALE
from fastredis.engine.inspect import denies_blocking
from fastredis.engine.reply import ErrorReply, Status

declare = declarer("server")

OTHER_CHILD = ("ERR Another child process is active (AOF?): can't BGSAVE right now. Use BGSAVE SCHEDULE in order to "
               "schedule a BGSAVE whenever possible.")
RUNNING = "ERR Background save already in progress"
NOTHING_TO_CANCEL = "ERR Background saving is currently not in progress or scheduled"


def check(saver) -> None:
    """Raises an ErrorReply when the data may not be saved."""
    if saver.obstacle is not None:
        raise ErrorReply(f"ERR Can't save now: {saver.obstacle}.")


def cmd_save(c):
    """SAVE -> OK: write the RDB file now; all clients wait.

    Errors: a background save is under way; the data are not whole; the file cannot be written (the log says why).
    Cost: O(size of the data).
    Source: https://redis.io/docs/latest/commands/save/
    """
    saver = c.engine.saver
    check(saver)
    if saver.running:
        raise ErrorReply(RUNNING)
    if not saver.save():
        raise ErrorReply("ERR")
    c.reply(Status("OK"))


declare(
    b"save", cmd_save, arity=1, flags=ADMIN | NOSCRIPT | NO_ASYNC_LOADING | NO_MULTI, since="1.0.0",
    complexity="O(N) where N is the total number of keys in all databases",
    summary="Writes the data to the RDB file while all clients wait.",
)


def cmd_bgsave(c):
    """BGSAVE [SCHEDULE | CANCEL] -> status: begin to write the RDB file; LASTSAVE or INFO tell when it is done.

    SCHEDULE waits for a rewrite of the AOF to end, as BGSAVE inside of MULTI does. CANCEL ends a background save, or
    takes back that one is scheduled.
    Errors: syntax; a background save or (without SCHEDULE) another child is at work; the data are not whole; nothing to
    cancel; no child can be made (the log says why).
    Source: https://redis.io/docs/latest/commands/bgsave/, https://valkey.io/commands/bgsave/
    """
    option = c.args[1].lower() if len(c.args) == 2 else b""
    if len(c.args) > 1 and option not in (b"schedule", b"cancel"):
        raise ErrorReply(SYNTAX)
    if option == b"cancel":
        c.reply(cancel(c.engine))
    else:
        c.reply(begin(c.engine, option == b"schedule", denies_blocking(c)))


def begin(engine, may_wait: bool, in_transaction: bool) -> Status:
    saver = engine.saver
    if saver.running:
        raise ErrorReply(RUNNING)
    if not may_wait:
        check(saver)
    if saver.at_work or saver.obstacle is not None or in_transaction:
        if not may_wait and not in_transaction:
            raise ErrorReply(OTHER_CHILD)
        saver.scheduled = True
        return Status("Background saving scheduled")
    if not saver.save_in_background():
        raise ErrorReply("ERR")
    return Status("Background saving started")


def cancel(engine) -> Status:
    saver = engine.saver
    if saver.running:
        engine.log.notice("Background saving will be aborted due to user request")
        saver.cancel()
        return Status("Background saving cancelled")
    if saver.scheduled:
        engine.log.notice("Scheduled background saving will be cancelled due to user request")
        saver.scheduled = False
        return Status("Scheduled background saving cancelled")
    raise ErrorReply(NOTHING_TO_CANCEL)


declare(
    b"bgsave", cmd_bgsave, arity=-1, flags=ADMIN | NOSCRIPT | NO_ASYNC_LOADING, since="1.0.0",
    complexity="O(1)",
    summary="Begins to write the data to the RDB file in the background.",
    args="[operation=(SCHEDULE@3.2.2 | CANCEL@8.1.0)]",
    history=(("3.2.2", "Option `SCHEDULE`."), ("8.1.0", "Option `CANCEL`, as in Valkey.")),
)


def cmd_lastsave(c):
    """LASTSAVE -> integer: when the RDB file was written last, in seconds since the epoch; at first, the start.

    Source: https://redis.io/docs/latest/commands/lastsave/
    """
    c.reply(c.engine.saver.last_save_s)


declare(
    b"lastsave", cmd_lastsave, arity=1, flags=LOADING | STALE | FAST, acl=("admin", "dangerous"), since="1.0.0",
    tips=("nondeterministic_output",),
    complexity="O(1)",
    summary="Returns the time of the last complete RDB file.",
)


def cmd_bgrewriteaof(c):
    """BGREWRITEAOF -> status: begin to rewrite the AOF as the shortest one that makes the same data.

    Errors: a rewrite is under way; no child can be made (the log says why).
    Source: https://redis.io/docs/latest/commands/bgrewriteaof/
    """
    c.reply(c.engine.aof.command_rewrite(in_transaction=denies_blocking(c)))


declare(
    b"bgrewriteaof", cmd_bgrewriteaof, arity=1, flags=ADMIN | NOSCRIPT | NO_ASYNC_LOADING, since="1.0.0",
    complexity="O(1)",
    summary="Begins to rewrite the append-only file in the background.",
)
