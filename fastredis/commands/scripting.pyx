"""Scripts: EVAL and its kin, SCRIPT. What they stand on is in fastredis.scripting.scripts."""
from fastredis._resp cimport arg_bytes
from fastredis.ds.native cimport unlikely
from fastredis.engine.client cimport Client
from fastredis.engine.command cimport native
from fastredis.engine.connection cimport Connection
from fastredis.engine.errors cimport ERR_NO_SCRIPT, ERR_NOT_INTEGER, ERR_SCRIPT_FLUSH
from fastredis.engine.flags cimport (
    ALLOW_BUSY, CONTAINER, LOADING, MAY_REPLICATE, NO_MANDATORY_KEYS, NOSCRIPT, READONLY, SKIP_MONITOR, STALE,
)
from fastredis.engine.options cimport arg_is
from fastredis.scripting.debugger cimport Debugger, debugger_begin
from fastredis.scripting.run cimport get_keys_or_reply, show_call
from fastredis.scripting.scripts cimport Script, Scripts

from fastredis.commands.help_text import help_lines
from fastredis.engine.command import declarer
from fastredis.engine.declarations import key_count

declare = declarer("scripting")

HELP = """
DEBUG (YES|SYNC|NO)
    Set the debug mode for subsequent scripts executed.
EXISTS <sha1> [<sha1> ...]
    Return information about the existence of the scripts in the script cache.
FLUSH [ASYNC|SYNC]
    Flush the Lua scripts cache. Very dangerous on replicas.
    When called without the optional mode argument, the behavior is determined by the
    lazyfree-lazy-user-flush configuration directive. Valid modes are:
    * ASYNC: Asynchronously flush the scripts cache.
    * SYNC: Synchronously flush the scripts cache.
KILL
    Kill the currently executing Lua script.
LOAD <script>
    Load a script into the scripts cache without executing it.
SHOW <sha1>
    Show a script from the scripts cache.
"""

cdef const char* NO_EVALSHA = b"ERR Please use EVAL instead of EVALSHA for debugging"
cdef const char* NO_MODE = b"ERR Use SCRIPT DEBUG YES/SYNC/NO"
cdef const char* IN_PIPELINE = b"ERR SCRIPT DEBUG must be called outside a pipeline"
cdef const char* NO_SOCKET = b"ERR SCRIPT DEBUG needs a connection with a socket"


cdef inline bint is_debugging(Client c):
    return isinstance(c, Connection) and (<Connection>c).debugging is not None


cdef int debug_text(Connection c, int keys, bint read_only) except -1:
    """EVAL in a session of the debugger."""
    cdef Scripts scripts = <Scripts>c.engine.scripts
    cdef Debugger session = debugger_begin(scripts.runs, c, arg_bytes(&c.argv[1]))
    cdef Script script

    if session is None:
        return 0
    try:
        script = scripts.load_or_reply(c, c.argv[1].ptr, c.argv[1].size, True)
        if script is not None:
            scripts.run(c, script, 3, keys, read_only)
    finally:
        session.end()
    return 0


cdef int eval_text(Client c, bint read_only) except -1:
    cdef Scripts scripts = <Scripts>c.engine.scripts
    cdef Script script
    cdef int keys

    show_call(c)
    if not get_keys_or_reply(c, &keys, ERR_NOT_INTEGER):
        return 0
    if unlikely(is_debugging(c)):
        return debug_text(<Connection>c, keys, read_only)
    script = scripts.load_or_reply(c, c.argv[1].ptr, c.argv[1].size, True)
    return scripts.run(c, script, 3, keys, read_only) if script is not None else 0


cdef int eval_sha(Client c, bint read_only) except -1:
    cdef Scripts scripts = <Scripts>c.engine.scripts
    cdef Script script
    cdef int keys

    show_call(c)
    if unlikely(is_debugging(c)):
        return c.error(NO_EVALSHA)
    if not get_keys_or_reply(c, &keys, ERR_NOT_INTEGER):
        return 0
    script = scripts.find(c.argv[1].ptr, c.argv[1].size)
    return scripts.run(c, script, 3, keys, read_only) if script is not None else c.error(ERR_NO_SCRIPT)


cdef int cmd_eval(Client c) except -1:
    """EVAL script numkeys [key ...] [arg ...] -> what the Lua script returns.

    It is kept under its SHA-1, for EVALSHA.
    Errors: numkeys; the script can't be compiled; whatever it raises.
    Source: https://redis.io/commands/eval
    """
    return eval_text(c, False)

declare(
    b"eval", native(cmd_eval), arity=-3,
    flags=NOSCRIPT | SKIP_MONITOR | STALE | NO_MANDATORY_KEYS | MAY_REPLICATE,
    keys=key_count(2, "RW access update"), since="2.6.0",
    complexity="Depends on the script",
    summary="Runs a Lua script on the server.",
    args="script numkeys:integer [key...] [arg...]",
)


cdef int cmd_evalsha(Client c) except -1:
    """EVALSHA sha1 numkeys [key ...] [arg ...] -> what the script of that SHA-1 returns.

    Errors: NOSCRIPT when it is not known; as EVAL.
    Source: https://redis.io/commands/evalsha
    """
    return eval_sha(c, False)

declare(
    b"evalsha", native(cmd_evalsha), arity=-3,
    flags=NOSCRIPT | SKIP_MONITOR | STALE | NO_MANDATORY_KEYS | MAY_REPLICATE,
    keys=key_count(2, "RW access update"), since="2.6.0",
    complexity="Depends on the script",
    summary="Runs a Lua script that the server knows.",
    args="sha1 numkeys:integer [key...] [arg...]",
)


cdef int cmd_eval_ro(Client c) except -1:
    """EVAL_RO script numkeys [key ...] [arg ...] -> what the Lua script returns; it can't change anything.

    Errors: as EVAL.
    Source: https://redis.io/commands/eval_ro
    """
    return eval_text(c, True)

declare(
    b"eval_ro", native(cmd_eval_ro), arity=-3, flags=NOSCRIPT | SKIP_MONITOR | STALE | NO_MANDATORY_KEYS | READONLY,
    keys=key_count(2, "RO access"), since="7.0.0",
    complexity="Depends on the script",
    summary="Runs a Lua script that only reads.",
    args="script numkeys:integer [key...] [arg...]",
)


cdef int cmd_evalsha_ro(Client c) except -1:
    """EVALSHA_RO sha1 numkeys [key ...] [arg ...] -> what the script returns; it can't change anything.

    Errors: as EVALSHA.
    Source: https://redis.io/commands/evalsha_ro
    """
    return eval_sha(c, True)

declare(
    b"evalsha_ro", native(cmd_evalsha_ro), arity=-3,
    flags=NOSCRIPT | SKIP_MONITOR | STALE | NO_MANDATORY_KEYS | READONLY,
    keys=key_count(2, "RO access"), since="7.0.0",
    complexity="Depends on the script",
    summary="Runs a Lua script that the server knows and that only reads.",
    args="sha1 numkeys:integer [key...] [arg...]",
)

declare(
    b"script", None, arity=-2, flags=CONTAINER, since="2.6.0",
    complexity="Depends on the subcommand",
    summary="Looks after the scripts that the server knows.",
)


cdef int cmd_script_load(Client c) except -1:
    """SCRIPT LOAD script -> its SHA-1; it is not run, and stays until SCRIPT FLUSH.

    Errors: it can't be compiled.
    Source: https://redis.io/commands/script-load
    """
    cdef Script script = (<Scripts>c.engine.scripts).load_or_reply(c, c.argv[2].ptr, c.argv[2].size, False)

    return c.reply_bulk(script.name, len(script.name)) if script is not None else 0

declare(
    b"script|load", native(cmd_script_load), arity=3, flags=NOSCRIPT | STALE, since="2.6.0",
    tips=("request_policy:all_nodes", "response_policy:all_succeeded"),
    complexity="O(N) with N being the length in bytes of the script body",
    summary="Has the server know a Lua script.",
    args="script",
)


cdef int cmd_script_exists(Client c) except -1:
    """SCRIPT EXISTS sha1 [sha1 ...] -> array of 1 (it is known) or 0.

    Source: https://redis.io/commands/script-exists
    """
    cdef int i

    c.reply_array(c.argc - 2)
    for i in range(2, c.argc):
        c.reply_int((<Scripts>c.engine.scripts).find(c.argv[i].ptr, c.argv[i].size) is not None)
    return 0

declare(
    b"script|exists", native(cmd_script_exists), arity=-3, flags=NOSCRIPT, since="2.6.0",
    tips=("request_policy:all_shards", "response_policy:agg_logical_and"),
    complexity="O(N) with N being the number of scripts to check",
    summary="Tells which scripts the server knows.",
    args="sha1...",
)


cdef int cmd_script_flush(Client c) except -1:
    """SCRIPT FLUSH [ASYNC | SYNC] -> OK; no script is known any more, and nothing is left of what they did in Lua.

    Errors: another word.
    Source: https://redis.io/commands/script-flush
    """
    if c.argc > 3 or (c.argc == 3 and not arg_is(&c.argv[2], b"sync") and not arg_is(&c.argv[2], b"async")):
        return c.error(ERR_SCRIPT_FLUSH)
    (<Scripts>c.engine.scripts).flush()
    return c.reply_ok()

declare(
    b"script|flush", native(cmd_script_flush), arity=-2, flags=NOSCRIPT, since="2.6.0",
    tips=("request_policy:all_nodes", "response_policy:all_succeeded"),
    complexity="O(N) with N being the number of scripts",
    summary="Has the server forget all Lua scripts.",
    args="[flush-type=(ASYNC | SYNC)@6.2.0]",
    history=(("6.2.0", "Options `ASYNC` and `SYNC`."),),
)


cdef int cmd_script_debug(Client c) except -1:
    """SCRIPT DEBUG YES | SYNC | NO -> OK; the next EVAL of the connection begins a session of the debugger.

    YES: in a process of its own, and nothing is changed. SYNC: in the server, where all others wait.
    Errors: another word; in a pipeline; the connection can't be used for that.
    Source: https://redis.io/commands/script-debug
    """
    cdef Connection connection = <Connection>c if isinstance(c, Connection) else None

    if connection is None or connection.fd < 0:
        return c.error(NO_SOCKET)
    if c.out.size or (c.pending is not None and c.pending.size):
        return c.error(IN_PIPELINE)
    if arg_is(&c.argv[2], b"no"):
        connection.debugging = None
    elif arg_is(&c.argv[2], b"yes"):
        connection.debugging = "forked"
    elif arg_is(&c.argv[2], b"sync"):
        connection.debugging = "sync"
    else:
        return c.error(NO_MODE)
    return c.reply_ok()

declare(
    b"script|debug", native(cmd_script_debug), arity=3, flags=NOSCRIPT, since="3.2.0",
    complexity="O(1)",
    summary="Has the debugger run the scripts of the connection.",
    args="mode=(YES | SYNC | NO)",
)


cdef int cmd_script_kill(Client c) except -1:
    """SCRIPT KILL -> OK; the script under way, which runs too long, will end with an error.

    Errors: NOTBUSY, none is; UNKILLABLE, it has written; BUSY, it is a function.
    Source: https://redis.io/commands/script-kill
    """
    return (<Scripts>c.engine.scripts).runs.kill_or_reply(c, False)

declare(
    b"script|kill", native(cmd_script_kill), arity=2, flags=NOSCRIPT | ALLOW_BUSY, since="2.6.0",
    tips=("request_policy:all_shards", "response_policy:one_succeeded"),
    complexity="O(1)",
    summary="Ends a script that runs too long.",
)


cdef int cmd_script_show(Client c) except -1:
    """SCRIPT SHOW sha1 -> the text of a script that the server knows.

    Errors: NOSCRIPT.
    Source: https://valkey.io/commands/script-show
    """
    cdef Script script = (<Scripts>c.engine.scripts).by_sha.get(arg_bytes(&c.argv[2]).lower())

    if script is None:
        return c.error(ERR_NO_SCRIPT)
    return c.reply_bulk(script.text, len(script.text))

declare(
    b"script|show", native(cmd_script_show), arity=3, flags=NOSCRIPT, since="8.0.0",
    complexity="O(1)",
    summary="Shows the text of a script that the server knows.",
    args="sha1",
)


def cmd_script_help(Client c):
    """SCRIPT HELP -> array of simple strings."""
    c.reply(help_lines("SCRIPT", HELP))


declare(
    b"script|help", cmd_script_help, arity=2, flags=LOADING | STALE, since="5.0.0",
    complexity="O(1)",
    summary="Explains the subcommands of SCRIPT.",
)
